"""Interventions on Bayesian networks: our time beside pgmpy's, as ratios in one run.

The peer answers each query by variable elimination on the mutilated network, the
fastest of its ways that gives the right answer. Both read the same BIF text. The
networks are drawn at random with the sizes of ALARM (37 variables), Insurance (27) and
Hailfinder (56); a folder of BIF files, if given, is used beside them.

The limit: reading each table of the relevant part once. A warm query of some thirty
small tables is bound by the interpreter, about ten microseconds a table.

Run ``python benchmarks/diagrams_speed.py [FOLDER]`` (two minutes; needs pgmpy, the
extra ``benchmark``).
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
from turns import medians, once

import distcausal as dc
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.write_graph import write_bif

# variables, arrows, most parents, most states: those of the networks named
SIZES = {
    "alarm-sized": (37, 46, 4, 4),
    "insurance-sized": (27, 52, 3, 5),
    "hailfinder-sized": (56, 66, 4, 11),
}
TURNS = 15
MANY = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    texts = {name: random_network(*size) for name, size in SIZES.items()}
    if folder is not None:
        for path in sorted(folder.glob("*.bif")):
            texts[path.stem] = path.read_text(encoding="utf-8")
    queries(texts)
    many(texts)
    identification()


def random_network(size: int, arrows: int, parents: int, states: int) -> str:
    """BIF text of a network whose graph and laws are drawn at random."""
    rng = np.random.default_rng(size)
    names = [f"V{place}" for place in range(size)]
    above: dict[int, set[int]] = {place: set() for place in range(size)}
    while sum(map(len, above.values())) < arrows:
        cause, effect = sorted(rng.choice(size, 2, replace=False))
        near = effect - cause <= 12  # arrows between neighbours, as in real networks
        if near and len(above[effect]) < parents:
            above[effect].add(cause)
    directed = [(names[c], names[e]) for e, cs in above.items() for c in sorted(cs)]
    graph = dc.CausalGraph(tuple(directed), nodes=names)
    counts = rng.integers(2, states + 1, size)
    labels = {
        n: tuple(f"s{i}" for i in range(k)) for n, k in zip(names, counts, strict=True)
    }
    tables = {}
    for name in names:
        shape = [len(labels[parent]) for parent in graph.parents(name)]
        tables[name] = rng.dirichlet(np.ones(len(labels[name])), size=shape)
    return write_bif(graph, labels, tables)


class Case:
    """One network in both packages, with a query that needs most of it."""

    def __init__(self, text: str) -> None:
        from pgmpy.readwrite import BIFReader

        self.text = text
        self.read_ours, model = once(lambda: read(text))
        self.read_peer, peer = once(lambda: BIFReader(string=text).get_model())
        self.model, self.peer = model, peer
        graph = self.model.graph
        order = graph.topological_order()
        # the variable with most causes, and its first cause that has effects
        self.outcome = max(order, key=lambda name: len(graph.ancestors(name)))
        above = [n for n in graph.ancestors(self.outcome) if n != self.outcome]
        self.treated = max(
            above, key=lambda name: len(graph.parents(name)) * 100 + len(name)
        )
        self.state = self.model.states[self.treated][0]

    def ours(self) -> np.ndarray:
        """Law of the outcome with the treatment set."""
        found = self.model.query(self.outcome, do={self.treated: self.state})
        return found.values

    def theirs(self, state: str | None = None) -> np.ndarray:
        """Variable elimination on the network without arrows into the treatment."""
        from pgmpy.inference import VariableElimination

        cut = self.peer.do([self.treated])
        found = VariableElimination(cut).query(
            [self.outcome],
            evidence={self.treated: state or self.state},
            show_progress=False,
        )
        labels = found.state_names[self.outcome]
        order = [labels.index(s) for s in self.model.states[self.outcome]]
        return found.values[order]


def read(text: str) -> CausalModel:
    from distcausal.diagrams.read_bif import read_bif

    parts, states, tables = read_bif(text)
    graph = dc.CausalGraph(parts.directed, parts.bidirected, parts.nodes, parts.latent)
    return CausalModel(graph, tables, states)


def queries(texts: dict[str, str]) -> None:
    """One do-query: cold after reading, and warm."""
    print(
        "| network | variables | read, ms | peer, ms | cold, ms | peer, ms | ratio | "
        "warm, ms | peer, ms | ratio |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for name, text in texts.items():
        case = Case(text)
        cold, mine = once(case.ours)
        cold_peer, theirs = once(case.theirs)
        assert np.allclose(mine, theirs, atol=1e-6), (mine, theirs)
        warm, warm_peer = medians(case.ours, case.theirs, turns=TURNS)
        cells = [
            name,
            str(len(case.model.graph.nodes)),
            *(f"{1e3 * s:.1f}" for s in (case.read_ours, case.read_peer)),
            *(f"{1e3 * s:.2f}" for s in (cold, cold_peer)),
            f"{cold_peer / cold:.0f}",
            *(f"{1e3 * s:.2f}" for s in (warm, warm_peer)),
            f"{warm_peer / warm:.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def many(texts: dict[str, str]) -> None:
    """A thousand interventions, and a thousand draws of a table, beside a loop.

    The peer's loop is timed over 20 of them and scaled.
    """
    print(
        f"\n| network | {MANY} interventions, ms | peer, s | ratio | "
        f"{MANY} draws, ms | peer, s | ratio |\n|---|---|---|---|---|---|---|"
    )
    rng = np.random.default_rng(1)
    for name, text in texts.items():
        case = Case(text)
        labels = case.model.states[case.treated]
        states = [labels[at] for at in rng.integers(0, len(labels), MANY)]
        own = case.model.tables[case.outcome]
        draws = rng.dirichlet(np.ones(own.shape[-1]), size=(MANY, *own.shape[:-1]))

        def interventions(case: Case = case, states: list = states) -> object:
            return case.model.query(case.outcome, do={case.treated: states})

        def posterior(case: Case = case, draws: np.ndarray = draws) -> object:
            setting = {case.treated: case.state}
            return case.model.query(
                case.outcome, do=setting, tables={case.outcome: draws}
            )

        def loop(case: Case = case, states: list = states) -> object:
            return [case.theirs(state) for state in states[:20]]

        each, drawn = medians(interventions, posterior, turns=TURNS)
        peer = once(loop)[0] * MANY / 20
        print(
            f"| {name} | {1e3 * each:.2f} | {peer:.1f} | {peer / each:.0f} | "
            f"{1e3 * drawn:.2f} | {peer:.1f} | {peer / drawn:.0f} |",
            flush=True,
        )


def identification() -> None:
    """Verdict and estimand of random queries, graphs built beforehand."""
    print(
        "\n| nodes | arrows | shared causes | identified | median, ms | slowest, ms |\n"
        "|---|---|---|---|---|---|"
    )
    rng = np.random.default_rng(0)
    for size, arrows, shared in (
        (5, 7, 2),
        (10, 15, 4),
        (10, 30, 8),
        (100, 200, 50),
        (100, 300, 100),
    ):
        seconds, known = [], 0
        for _ in range(200 if size <= 10 else 40):
            graph = random_graph(rng, size, arrows, shared)
            treated, outcome = graph.nodes[size // 4], graph.nodes[-1]

            def ask(graph=graph, treated=treated, outcome=outcome) -> object:
                found = dc.identify(graph, outcome, do=treated)
                return found.estimand

            took, formula = once(ask)
            seconds.append(1e3 * took)
            known += formula is not None
        print(
            f"| {size} | {arrows} | {shared} | {known} of {len(seconds)} | "
            f"{np.median(seconds):.2f} | {max(seconds):.2f} |"
        )


def random_graph(
    rng: np.random.Generator, size: int, arrows: int, shared: int
) -> dc.CausalGraph:
    """Acyclic graph with so many arrows and pairs with a shared unobserved cause."""
    names = [f"V{place}" for place in range(size)]
    pairs = [(a, b) for b in range(size) for a in range(b)]
    one = rng.permutation(len(pairs))[:arrows]
    two = rng.permutation(len(pairs))[:shared]
    directed = tuple((names[pairs[i][0]], names[pairs[i][1]]) for i in one)
    bidirected = tuple((names[pairs[i][0]], names[pairs[i][1]]) for i in two)
    return dc.CausalGraph(directed, bidirected, names)


if __name__ == "__main__":
    main()
