"""Incumbency in US state-wide elections, on real county results.

Takes the folder with ``elections.parquet`` and ``county_outcomes.parquet`` (Amlani and
Algara 2021; see docs/validation.md for the source), joins them, and prints the effect
of barely winning a Senate race on the distribution over counties of the Democratic
share at the next election, the placebo on the previous one, the automatic fit with its
band and tests; ``--figure FILE`` saves the figure.

    python -m benchmarks.elections FOLDER [--office SEN] [--figure FILE]
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd

import distcausal as dc

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def units(folder: Path, office: str, when: str) -> dc.RandomDistributions:
    """Contested races since 1946 with the county results of another election."""
    races = pd.read_parquet(folder / "elections.parquet")
    races = races[
        (races["office"] == office) & races["contested"] & (races["year"] >= 1946)
    ]
    counties = pd.read_parquet(folder / "county_outcomes.parquet")
    counties = counties[counties["when"] == when][
        ["unit_id", "dem_share", "total_votes"]
    ]
    joined = counties.merge(
        races[["unit_id", "margin", "state"]], on="unit_id", validate="many_to_one"
    )
    return dc.RandomDistributions.from_frame(
        joined,
        unit="unit_id",
        value="dem_share",
        weight="total_votes",
        columns=["margin", "state"],
        quantile_rule="inverse",
    )


def at_fifteen(data: dc.RandomDistributions) -> dc.R3DResult:
    """The local linear fit at bandwidth 15 that the data's own notes report."""
    return dc.r3d(
        data,
        running="margin",
        levels=LEVELS,
        method="pointwise",
        order=1,
        pilot_order=0,
        bandwidth=15.0,
    )


def jumps(name: str, data: dc.RandomDistributions) -> None:
    fit = at_fifteen(data)
    means = dc.RandomDistributions.from_samples(
        data.mean()[:, None], columns={"margin": data.columns["margin"]}
    )
    values = [*fit.effect, at_fifteen(means).effect[0]]
    shown = " | ".join(f"{value:.2f}" for value in values)
    error = f"{fit.std_error.min():.2f} to {fit.std_error.max():.2f}"
    print(f"| {name} | {len(data)} | {shown} | {error} |")


def automatic(data: dc.RandomDistributions, figure: Path | None) -> None:
    """Everything chosen by the package, clustered by state."""
    fit = dc.r3d(data, running="margin", cluster="state")
    print(fit.summary())
    for test in (dc.nullity_test, dc.homogeneity_test):
        print()
        print(test(fit).summary())
    if figure is not None:
        fit.plot().figure.savefig(figure, dpi=200)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--office", choices=["SEN", "GOV"], default="SEN")
    arguments.add_argument("--figure", type=Path)
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    following = units(chosen.folder, chosen.office, "next")
    levels = " | ".join(f"{100 * level:.0f} %" for level in LEVELS)
    print(f"| outcome | races | {levels} | mean | s.e. (HC3) |")
    print("| --- " * (len(LEVELS) + 4) + "|")
    jumps("next election", following)
    jumps("previous election (placebo)", units(chosen.folder, chosen.office, "prev"))
    print()
    automatic(following, chosen.figure)


if __name__ == "__main__":
    main()
