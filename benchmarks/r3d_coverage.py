"""Coverage and width of R3D bands on designs with known effects.

Every replication is estimated three times on the same data: as the published R package
does it, with constant-width bands, and with the package's defaults. Run

    python -m benchmarks.r3d_coverage [--replications 500] [--cells "design 1:500" ...]

and it prints a Markdown table. Seeds are fixed by cell; the same command gives the same
table on the same versions.
"""

from __future__ import annotations

import argparse
import time
import warnings
from zlib import crc32

import numpy as np

import distcausal as dc
from benchmarks.designs import DECILES, DESIGNS, truth

CELLS = (
    "design 1:200", "design 1:500", "design 1:1000", "curved:500", "curved:1000",
    "design 2:500", "fuzzy:500", "ragged:500",
)  # fmt: skip
DRAWS = 499
METHODS = {
    "R 0.1.0": {"profile": "R3D-0.1.0", "how": {"draws": DRAWS}},
    "constant": {
        "how": {"draws": DRAWS, "studentise": False, "leverage": "hc0"},
    },
    "default": {"how": {"draws": DRAWS}},
}


def replicate(panel, seed: int, options: dict) -> tuple[np.ndarray, np.ndarray]:
    """Band of one estimate on one sample."""
    columns = {"x": panel.running}
    if panel.treatment is not None:
        columns["t"] = panel.treatment
    data = dc.RandomDistributions.from_quantiles(panel.curves, DECILES, columns=columns)
    chosen = {key: value for key, value in options.items() if key != "how"}
    fit = dc.r3d(
        data,
        running="x",
        treatment=None if panel.treatment is None else "t",
        levels=DECILES,
        seed=seed,
        inference=dc.MultiplierBootstrap(**options["how"]),
        **chosen,
    )
    return fit.band(0.95)


def cell(name: str, units: int, replications: int) -> dict[str, tuple[float, float]]:
    """Share of bands that hold the whole truth, and their mean width, by method."""
    rng = np.random.default_rng(crc32(f"{name}:{units}".encode()))
    target = truth(name)
    hits = {method: 0 for method in METHODS}
    width = {method: [] for method in METHODS}
    for seed in range(replications):
        panel = DESIGNS[name](rng, units)
        for method, options in METHODS.items():
            low, high = replicate(panel, seed, options)
            hits[method] += bool(np.all((low <= target) & (target <= high)))
            width[method].append(np.mean(high - low))
    # Fuzzy ratios have no mean; the median says what a reader will see.
    middle = np.median if name == "fuzzy" else np.mean
    return {
        method: (hits[method] / replications, float(middle(width[method])))
        for method in METHODS
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--replications", type=int, default=500)
    arguments.add_argument("--cells", nargs="+", default=list(CELLS))
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    error = 100 * np.sqrt(0.95 * 0.05 / chosen.replications)
    print(f"{chosen.replications} replications, Monte Carlo error {error:.1f} points\n")
    print("| design, units |", " | ".join(METHODS), "| width against R | seconds |")
    print("| --- " * (len(METHODS) + 3) + "|")
    for text in chosen.cells:
        name, units = text.rsplit(":", 1)
        start = time.perf_counter()
        found = cell(name, int(units), chosen.replications)
        shown = [f"{100 * hit:.1f} %, {width:.2f}" for hit, width in found.values()]
        narrower = 100 * (found["default"][1] / found["R 0.1.0"][1] - 1)
        print(
            f"| {name}, {units} |", " | ".join(shown),
            f"| {narrower:+.0f} % | {time.perf_counter() - start:.0f} |", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
