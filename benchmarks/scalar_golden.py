"""Scalar discontinuity estimates that a degenerate R3D must return.

Takes the folder with ``senate.csv``, ``lee08.csv`` and ``headstart.csv`` and prints the
estimate at the bandwidth published for each, beside the published figure and beside
what `rdrobust` gives at that bandwidth, with the same standard error (HC3):

    python -m benchmarks.scalar_golden FOLDER
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import distcausal as dc

# file, outcome, running variable, bandwidth and the estimate published with it
GOLDEN = (
    ("senate.csv", "vote", "margin", 17.754, 7.414),
    ("lee08.csv", "voteshare", "margin", 13.44, 6.345),
    ("headstart.csv", "mortHS", "povrate", 6.95, -2.382),
)


def estimate(y: np.ndarray, x: np.ndarray, bandwidth: float) -> dc.R3DResult:
    """Order-1 estimate with one observation per unit."""
    data = dc.RandomDistributions.from_samples(y[:, None], columns={"x": x})
    return dc.r3d(
        data, running="x", levels=[0.5], order=1, pilot_order=0, bandwidth=bandwidth
    )


def peer(y: np.ndarray, x: np.ndarray, bandwidth: float) -> tuple[float, float]:
    """Conventional estimate and standard error of rdrobust."""
    from rdrobust import rdrobust

    out = rdrobust(y=y, x=x, p=1, h=bandwidth, vce="hc3", masspoints="off")
    return float(out.coef.iloc[0, 0]), float(out.se.iloc[0, 0])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    warnings.simplefilter("ignore")
    print("| outcome | units | bandwidth | published | distcausal | rdrobust |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, outcome, running, bandwidth, golden in GOLDEN:
        complete = pd.read_csv(folder / name)[[outcome, running]].dropna()
        y, x = complete[outcome].to_numpy(float), complete[running].to_numpy(float)
        fit, (value, error) = estimate(y, x, bandwidth), peer(y, x, bandwidth)
        print(
            f"| {name}, {outcome} | {len(y)} | {bandwidth} | {golden} "
            f"| {fit.effect[0]:.6f} ({fit.std_error[0]:.6f}) "
            f"| {value:.6f} ({error:.6f}) |"
        )


if __name__ == "__main__":
    main()
