"""How often `falsify` rejects true graphs and wrong ones, by sample size.

Size: samples from random models of a graph are held against that graph; at 5 % each
statement should be rejected in 5 % of them, up to Monte Carlo error, which is printed.
Power: samples from models with one more arrow are held against the graph without it.
Each cell uses several models drawn at random, so that no result hangs on one law.

Run ``python benchmarks/diagram_falsify.py [--times 500]`` (about five minutes).
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import distcausal as dc
from distcausal.errors import InferenceWarning

SIZES = (500, 2000, 10000)
MODELS = 5
GRAPHS = {
    "front door with covariate": ("W->S->T->C; W->T; S<->C", "W->C"),
    "napkin": ("W1->W2->X->Y; W1<->X; W1<->Y", "W2->Y"),
    "verma": ("V1->V2->V3->V4; V2<->V4", "V1->V4"),
    "chain": ("A->B->C->D", "A->C"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    times = parser.parse_args().times
    warnings.simplefilter("ignore", InferenceWarning)
    print(f"{times} samples, {MODELS} models each; share rejected at 5 %")
    print(f"{'graph':26}{'arrow added':14}{'n':>6}  {'share':>6} {'error':>6} untested")
    for name, (edges, arrow) in GRAPHS.items():
        graph = dc.CausalGraph.from_edges(edges)
        for added in (None, arrow):
            true = dc.CausalGraph.from_edges(f"{edges}; {added}" if added else edges)
            for n in SIZES:
                for statement, values in rejections(graph, true, n, times).items():
                    report(name, added, n, statement, values)


def rejections(
    graph: dc.CausalGraph, true: dc.CausalGraph, n: int, times: int
) -> dict[str, np.ndarray]:
    """P-values of every statement in every sample, NaN where untested."""
    rng = np.random.default_rng(1)
    models = [dc.random_model(true, concentration=3.0, seed=s) for s in range(MODELS)]
    found = []
    for turn in range(times):
        law = models[turn % MODELS].joint()
        frame = law.to_frame("count")
        frame["count"] = rng.multinomial(n, law.values.ravel())
        tests = dc.falsify(frame, graph, correction="none")
        found.append(tests.p_value)
    return dict(zip(tests.label, np.array(found).T, strict=True))


def report(
    name: str, added: str | None, n: int, statement: str, values: np.ndarray
) -> None:
    tested = values[~np.isnan(values)]
    share = np.mean(tested < 0.05)
    error = np.sqrt(share * (1 - share) / len(tested))
    gone = len(values) - len(tested)
    print(
        f"{name:26}{added or 'none':14}{n:6d}  {share:6.3f} {error:6.3f} {gone:8d}"
        f"  {statement}",
        flush=True,
    )


if __name__ == "__main__":
    main()
