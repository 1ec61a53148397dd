"""How often `falsify` rejects a true statement where data are sparse or not alike.

All variables are independent, so at 5 % each statement should be rejected in 5 % of the
samples, up to Monte Carlo error, which is printed. Strata with few observations each,
clusters as few as degrees of freedom, and unequal weights are where limiting laws fail.

Run ``python benchmarks/diagram_falsify_cases.py [--times 300]`` (about two minutes).
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd

import distcausal as dc
from distcausal.errors import InferenceWarning

MARGINAL = "A->C; B->C"
WITHIN = "Z->A; Z->B; A->C; B->C"
FORK = "; ".join(f"C{i}->A; C{i}->B" for i in range(4))
VERMA = "V1->V2->V3->V4; V2<->V4"
# edges, kinds, states, observations, clusters, and whether weights are log-normal
CASES = {
    "strata of 12 rows": (FORK, "independence", 4, 3000, 0, ""),
    "strata of 12 rows, fewer": (FORK, "independence", 3, 1000, 0, ""),
    "strata of 4 rows": (FORK, "independence", 3, 300, 0, ""),
    "strata of 6 rows": (FORK, "independence", 2, 100, 0, ""),
    "10 clusters": (MARGINAL, "independence", 3, 1000, 10, ""),
    "15 clusters": (MARGINAL, "independence", 4, 1000, 15, ""),
    "20 clusters": (MARGINAL, "independence", 4, 1000, 20, ""),
    "50 clusters": (MARGINAL, "independence", 4, 1000, 50, ""),
    "30 clusters, strata": (WITHIN, "independence", 3, 1000, 30, ""),
    "40 clusters, strata": (WITHIN, "independence", 3, 2000, 40, ""),
    "equal weights": (MARGINAL, "independence", 4, 60, 0, "equal"),
    "equal weights, more": (MARGINAL, "independence", 4, 200, 0, "equal"),
    "log-normal weights": (WITHIN, "independence", 3, 300, 0, "log-normal"),
    "constraint, 10 clusters": (VERMA, "verma", 2, 1000, 10, ""),
    "constraint, 30 clusters": (VERMA, "verma", 2, 1000, 30, ""),
    "constraint, 3 states, 20 clusters": (VERMA, "verma", 3, 4000, 20, ""),
    "constraint, log-normal weights": (VERMA, "verma", 2, 1000, 0, "log-normal"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    warnings.simplefilter("ignore", InferenceWarning)
    print("| case | states | n | df | by | rejected | its error |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (edges, kinds, states, n, clusters, weights) in CASES.items():
        graph = dc.CausalGraph.from_edges(edges)
        tests = [
            one_test(graph, kinds, states, n, clusters, weights, seed)
            for seed in range(times)
        ]
        print(f"| {name} | {states} | {n:,} | {row(tests)}", flush=True)


def one_test(
    graph: dc.CausalGraph,
    kinds: str,
    states: int,
    n: int,
    clusters: int,
    weights: str,
    seed: int,
) -> tuple[float, int, str]:
    """P-value, degrees of freedom and method of the statement of interest."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.integers(0, states, n) for name in graph.nodes})
    weight = {"equal": np.ones(n), "log-normal": np.exp(rng.normal(size=n))}
    found = dc.falsify(
        frame,
        graph,
        kinds=kinds,
        cluster=np.arange(n) % clusters if clusters else None,
        weights=weight.get(weights),
        correction="none",
        seed=seed,
    )
    at = next(
        (i for i, label in enumerate(found.label) if label.startswith("A _||_ B")), 0
    )
    return float(found.p_value[at]), int(found.df[at]), found.method[at]


def row(tests: list[tuple[float, int, str]]) -> str:
    """Rest of the table's row for one case."""
    values, dfs, methods = zip(*tests, strict=True)
    known = np.array(values)[~np.isnan(values)]
    if not len(known):
        return "| untested | | |"
    share = float(np.mean(known <= 0.05))
    error = np.sqrt(share * (1 - share) / len(known))
    by = methods[0].split()[-1] if methods[0][:1].isdigit() else methods[0]
    return f"{np.mean(dfs):.0f} | {by} | {share:.1%} | {error:.1%} |"


if __name__ == "__main__":
    main()
