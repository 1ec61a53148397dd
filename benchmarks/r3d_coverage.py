"""Coverage and width of R3D bands on designs with known effects.

Every replication is estimated several ways on the same data. ``--compare rules`` (the
default) sets the published R package, constant-width bands and the package's defaults
side by side; ``--compare penalties`` the multiples of the bias constant's variance that
bandwidth selection may add to its square, integrated over levels and level by level.

    python -m benchmarks.r3d_coverage [--compare rules|penalties] [--replications 500]
        [--cells "design 1:500" ...]

prints a Markdown table: share of bands that hold the whole truth, and mean width. Seeds
are fixed by cell; the same command gives the same table on the same versions.
"""

from __future__ import annotations

import argparse
import time
import warnings
from zlib import crc32

import numpy as np

import distcausal as dc
from benchmarks.designs import DECILES, DESIGNS, Panel, truth

CELLS = (
    "design 1:200", "design 1:500", "design 1:1000", "curved:500", "curved:1000",
    "design 2:500", "fuzzy:500", "ragged:500",
)  # fmt: skip
DRAWS = 499
HOW = {"draws": DRAWS}
BY_LEVEL = {"method": "pointwise", "selector": "mse"}
COMPARISONS: dict[str, dict[str, dict]] = {
    "rules": {
        "R 0.1.0": {"profile": "R3D-0.1.0"},
        "constant": {"how": {"studentise": False, "leverage": "hc0"}},
        "default": {},
    },
    "penalties": {
        "integrated, 0": {"regularisation": 0.0},
        "integrated, 1": {"regularisation": 1.0},
        "integrated, 3": {"regularisation": 3.0},
        "by level, 0": {"regularisation": 0.0, **BY_LEVEL},
        "by level, 1": {"regularisation": 1.0, **BY_LEVEL},
        "by level, 3": {"regularisation": 3.0, **BY_LEVEL},
    },
}


def replicate(panel: Panel, seed: int, options: dict) -> tuple[np.ndarray, np.ndarray]:
    """Band of one estimate on one sample."""
    columns = {"x": panel.running}
    if panel.treatment is not None:
        columns["t"] = panel.treatment
    data = dc.RandomDistributions.from_quantiles(panel.curves, DECILES, columns=columns)
    chosen = {
        "running": "x",
        "treatment": None if panel.treatment is None else "t",
        "levels": DECILES,
    } | options
    how, penalty = chosen.pop("how", {}), chosen.pop("regularisation", None)
    if penalty is not None:
        chosen["bandwidth"] = dc.r3d_bandwidth(data, regularisation=penalty, **chosen)
        chosen.pop("selector", None)
    inference = dc.MultiplierBootstrap(**HOW | how)
    return dc.r3d(data, seed=seed, inference=inference, **chosen).band(0.95)


def cell(
    name: str, units: int, replications: int, methods: dict[str, dict]
) -> dict[str, tuple[float, float]]:
    """Share of bands that hold the whole truth, and their mean width, by method."""
    rng = np.random.default_rng(crc32(f"{name}:{units}".encode()))
    target = truth(name)
    hits = dict.fromkeys(methods, 0)
    width: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(replications):
        panel = DESIGNS[name](rng, units)
        for method, options in methods.items():
            low, high = replicate(panel, seed, options)
            hits[method] += bool(np.all((low <= target) & (target <= high)))
            width[method].append(np.mean(high - low))
    # Ratios of a fuzzy design have no mean; the median says what a reader will see.
    middle = np.median if name == "fuzzy" else np.mean
    return {
        method: (hits[method] / replications, float(middle(width[method])))
        for method in methods
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--compare", choices=list(COMPARISONS), default="rules")
    arguments.add_argument("--replications", type=int, default=500)
    arguments.add_argument("--cells", nargs="+", default=list(CELLS))
    chosen = arguments.parse_args()
    methods = COMPARISONS[chosen.compare]
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    error = 100 * np.sqrt(0.95 * 0.05 / chosen.replications)
    print(f"{chosen.replications} replications, Monte Carlo error {error:.1f} points\n")
    print("| design, units |", " | ".join(methods), "| last against first | seconds |")
    print("| --- " * (len(methods) + 3) + "|")
    for text in chosen.cells:
        name, units = text.rsplit(":", 1)
        start = time.perf_counter()
        found = list(cell(name, int(units), chosen.replications, methods).values())
        shown = [f"{100 * hit:.1f} %, {width:.2f}" for hit, width in found]
        change = 100 * (found[-1][1] / found[0][1] - 1)
        print(
            f"| {name}, {units} |", " | ".join(shown),
            f"| {change:+.0f} % | {time.perf_counter() - start:.0f} |", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
