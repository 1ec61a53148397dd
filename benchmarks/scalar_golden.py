"""Scalar discontinuity estimates that a degenerate R3D must return.

Takes the folder with ``senate.csv``, ``lee08.csv`` and ``headstart.csv`` and prints the
estimate at the bandwidth published for each, beside the published figure:

    python -m benchmarks.scalar_golden FOLDER
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd

import distcausal as dc

# file, outcome, running variable, bandwidth, published estimate, its standard error
GOLDEN = (
    ("senate.csv", "vote", "margin", 17.754, 7.414, 1.459),
    ("lee08.csv", "voteshare", "margin", 13.44, 6.345, 1.102),
    ("headstart.csv", "mortHS", "povrate", 6.95, -2.382, 1.198),
)


def estimate(frame: pd.DataFrame, outcome: str, running: str, bandwidth: float):
    """Order-1 estimate with one observation per unit."""
    complete = frame[[outcome, running]].dropna()
    data = dc.RandomDistributions.from_samples(
        complete[[outcome]].to_numpy(float),
        columns={"x": complete[running].to_numpy(float)},
    )
    return dc.r3d(
        data, running="x", levels=[0.5], order=1, pilot_order=0, bandwidth=bandwidth
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    print("| file | bandwidth | estimate | published | s.e. (HC3) | published (NN) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, outcome, running, bandwidth, golden, error in GOLDEN:
        fit = estimate(pd.read_csv(folder / name), outcome, running, bandwidth)
        print(
            f"| {name}, {outcome} | {bandwidth} | {fit.effect[0]:.4f} | {golden} "
            f"| {fit.std_error[0]:.3f} | {error} |"
        )


if __name__ == "__main__":
    main()
