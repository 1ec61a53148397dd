"""From a long table to quantile curves: our time beside a plain polars group-by.

The comparison is the least any method must do: gather each unit's draws and sort them.
Both run in the same process, turn by turn, so that other work on the machine slows
both.

Run ``python benchmarks/grouping.py`` (a minute); ``--rows`` and ``--units`` set sizes.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import polars as pl
from turns import medians

import distcausal as dc

LEVELS = np.arange(1, 100) / 100


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--units", type=int, default=10_000)
    chosen = arguments.parse_args()
    compare(chosen.rows, chosen.units)
    scale(chosen.units)
    lists(chosen.units)


def table(rows: int, units: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    unit = random.integers(0, units, rows)
    return pl.DataFrame(
        {
            "number": unit,
            "name": np.char.add("unit ", unit.astype(str)),
            "value": random.lognormal(size=rows),
            "weight": random.uniform(0.5, 2.0, rows),
        }
    )


def curves(frame: object, unit: str, weight: str | None) -> np.ndarray:
    return dc.RandomDistributions.from_frame(
        frame, unit=unit, value="value", weight=weight
    ).quantiles(LEVELS)


def compare(rows: int, units: int) -> None:
    plain = table(rows, units)
    frames = {
        "pandas": pd.DataFrame(
            {name: plain[name].to_numpy() for name in plain.columns}
        ),
        "polars": plain,
        "pyarrow": plain.to_arrow(),
    }
    print(
        f"{rows:,} rows, {units:,} units, 99 levels; seconds, ratio to polars group-by"
    )
    for unit in ("number", "name"):
        for weight in (None, "weight"):
            held = ["value"] if weight is None else ["value", weight]
            gather = pl.col(held).sort_by("value") if weight else pl.col("value").sort()
            base, *ours = medians(
                lambda unit=unit, gather=gather: plain.group_by(unit).agg(gather),
                *(
                    lambda frame=frame, unit=unit, weight=weight: curves(
                        frame, unit, weight
                    )
                    for frame in frames.values()
                ),
            )
            row = "  ".join(
                f"{name} {seconds:.3f} ({seconds / base:.2f})"
                for name, seconds in zip(frames, ours, strict=True)
            )
            kind = "weighted" if weight else "unweighted"
            print(f"  by {unit:<6} {kind:<10}  group-by {base:.3f}  {row}")


def scale(units: int) -> None:
    print("pandas by number, unweighted, 100 rows a unit; seconds per million rows")
    for many in (units // 10, units, 10 * units):
        frame = table(100 * many, many).to_pandas()
        (seconds,) = medians(lambda frame=frame: curves(frame, "number", None))
        print(f"  {100 * many:>12,} rows  {seconds / many * 1e4:.3f}")


def lists(units: int) -> None:
    random = np.random.default_rng(1)
    drawn = [random.normal(size=50) for _ in range(units)]
    make = dc.RandomDistributions.from_samples
    (seconds,) = medians(lambda: make(drawn).quantiles(LEVELS))
    print(f"{units:,} arrays of 50 draws to 99 quantiles: {seconds:.3f} s")


if __name__ == "__main__":
    main()
