"""Coverage of cluster effects, size and power of the test, and the choice of K.

    python -m benchmarks.images_coverage [--designs S1 S1h S1s S0] [--n 1000]
        [--splits 10] [--reps 200] [--parts intervals choice] [--store FILE]

prints two Markdown tables. The first has the share of 95 % intervals that hold the
truth, with its binomial error and the number of intervals, and their mean width: of the
design-based estimates, for the mean effect among the units put in a cluster and for the
effect of the cluster itself; and of the model. Beside them, how often the homogeneity
test rejects at 5 %: the sequential test over all splits and over the first alone, and
the pooled Wald test that cross-fitting is often followed by. The second has the number
of clusters that the comparison of one to four of them chooses.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import numpy as np

import distcausal as dc
from benchmarks.image_runs import Store, print_table, share_and_error

DESIGNS: dict[str, dict[str, Any]] = {
    "S1": {},
    "S1h": {"gap": 0.75},
    "S1s": {"noise": "exponential"},
    "S0": {"gap": 0.0},
    "three clusters": {"clusters": 3, "gap": 1.5},
}
CHOICES = range(1, 5)
LEVEL = 0.05
TESTS = (
    "sequential test", "median of splits", "one split", "pooled Wald test",
)  # fmt: skip


def intervals(
    sim: dc.datasets.ImageSimulation, seed: int, splits: int
) -> dict[str, Any]:
    """Where one fit's intervals lie, what they should hold, and its p-values."""
    clusters = len(sim.truth.effects)
    fit = dc.image_effects(
        sim.data, **sim.roles, clusters=clusters, splits=splits, seed=seed
    )
    table = fit.cluster_effects()
    test, median = (fit.homogeneity_test(combine=how) for how in ("mean", "median"))
    found = (test.p_value, median.p_value, test.split_p_values[0], test.p_pooled)
    ends = {
        source: table[[f"{source}_conf_low", f"{source}_conf_high"]].to_numpy().tolist()
        for source in ("design", "model")
    }
    return {
        "ends": ends,
        "cluster effects": sim.truth.effects.tolist(),
        "assigned effects": assigned_effects(fit, sim).tolist(),
        "p-values": {
            name: 1.0 if p is None else float(p)
            for name, p in zip(TESTS, found, strict=True)
        },
    }


def assigned_effects(fit: Any, sim: dc.datasets.ImageSimulation) -> np.ndarray:
    """True mean effect of the units put in each cluster by models of other folds."""
    probs = fit.scores.probs
    member = np.eye(probs.shape[-1])[probs.argmax(axis=-1)]
    return np.einsum("suc,u->c", member, sim.truth.effect) / member.sum(axis=(0, 1))


def choice(sim: dc.datasets.ImageSimulation, seed: int, splits: int) -> dict[str, Any]:
    """Number of clusters that held-out densities choose."""
    fit = dc.image_effects(sim.data, **sim.roles, splits=splits, seed=seed)
    return {"selected": int(fit.compare(CHOICES).selected)}


PARTS = {"intervals": intervals, "choice": choice}


def records(
    store: Store, part: str, design: str, units: int, splits: int, replications: int
) -> list[dict[str, Any]]:
    """Records of all replications of one part in one design."""

    def work(seed: int) -> dict[str, Any]:
        sim = dc.datasets.make_image_effects(
            units, test=0, seed=seed, **DESIGNS[design]
        )
        return PARTS[part](sim, seed, splits)

    named = {"part": part, "design": design, "n": units, "splits": splits}
    jobs = [named | {"seed": seed} for seed in range(replications)]
    return [store.get(job, partial(work, job["seed"])) for job in jobs]


def interval_row(design: str, found: list[dict[str, Any]]) -> list[str]:
    """Coverage, width and rejections in one design."""

    def covered(source: str, target: str) -> str:
        ends = np.array([one["ends"][source] for one in found], float)
        truth = np.array([one[target] for one in found])
        known = np.isfinite(ends).all(axis=-1)
        hits = (ends[..., 0] <= truth) & (truth <= ends[..., 1])
        return share_and_error(hits[known])

    def width(source: str) -> str:
        ends = np.array([one["ends"][source] for one in found], float)
        return f"{np.nanmean(np.diff(ends, axis=-1)):.2f}"

    tests = [
        share_and_error(one["p-values"][name] < LEVEL for one in found)
        for name in TESTS
    ]
    return [
        design,
        covered("design", "assigned effects"), covered("design", "cluster effects"),
        width("design"), covered("model", "cluster effects"), width("model"), *tests,
    ]  # fmt: skip


def choice_row(design: str, found: list[dict[str, Any]]) -> list[str]:
    """Share of replications that choose each number of clusters."""
    shares = (share_and_error(one["selected"] == k for one in found) for k in CHOICES)
    return [design, *shares]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--designs", nargs="+", default=DESIGNS, choices=DESIGNS)
    arguments.add_argument("--n", type=int, default=1000)
    arguments.add_argument("--splits", type=int, default=10)
    arguments.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    arguments.add_argument("--reps", type=int, default=200)
    arguments.add_argument("--store", help="file that keeps finished replications")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    store = Store(chosen.store)
    headers = {
        "intervals": [
            "design", "design-based, units assigned", "design-based, cluster", "width",
            "model, cluster", "width", *TESTS,
        ],
        "choice": ["design", *(f"K = {count}" for count in CHOICES)],
    }  # fmt: skip
    row = {"intervals": interval_row, "choice": choice_row}
    for part in chosen.parts:
        splits = chosen.splits if part == "intervals" else 1
        print(
            f"{part}, {chosen.n} units, {splits} splits, {chosen.reps} replications\n"
        )
        table = (
            row[part](
                design,
                records(store, part, design, chosen.n, splits, chosen.reps),
            )
            for design in chosen.designs
        )
        print_table(headers[part], table)
        print()


if __name__ == "__main__":
    main()
