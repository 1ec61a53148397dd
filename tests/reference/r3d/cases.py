"""Reference cases of R3D 0.1.0: a reader, and the script that packed them.

Inputs were rounded before R saw them, so they are whole numbers of 1e-6 (running
variable, draws) and 1e-4 (weights, multipliers). Stored as integers they compress well
and come back exactly: dividing an integer by a power of ten gives the double nearest
to that decimal, which is what reading the decimal text gives.

Run ``python -m tests.reference.r3d.cases FOLDER`` to pack the CSV files of FOLDER.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

HOME = Path(__file__).parent
SETTINGS = {
    "method": str, "kernel": str, "design": str, "bandwidth": str, "p": int, "s": int,
    "cutoff": float, "alpha": float, "coverage_rule": bool, "weights": bool,
}  # fmt: skip
NAMES = tuple(f"c{number:02d}" for number in range(1, 14))


@dataclass(frozen=True, eq=False)
class Case:
    """One run of the R package: inputs, outputs by column name, and its settings."""

    name: str
    settings: dict
    running: np.ndarray  # (unit,)
    treatment: np.ndarray  # (unit,)
    samples: list[np.ndarray]  # draws of each unit
    weights: list[np.ndarray] | None  # weights of those draws
    multipliers: np.ndarray  # (unit, draw)
    results: dict[str, np.ndarray]  # column of the results file -> (level,)
    bandwidth: dict[str, np.ndarray]  # column of the bandwidth file; {} when fixed
    tests: list[dict]

    @property
    def fuzzy(self) -> bool:
        return self.settings["design"] == "fuzzy"

    @property
    def automatic(self) -> bool:
        return self.settings["bandwidth"] == "automatic"

    @property
    def method(self) -> str:
        return "frechet" if self.settings["method"] == "frechet" else "pointwise"


@cache
def load(name: str) -> Case:
    with np.load(HOME / f"{name}.npz") as stored:
        part = {key: stored[key] for key in stored.files}
    sizes = part["sizes"]
    stops = np.cumsum(sizes)[:-1]
    settings = {
        key: kind(part[f"setting_{key}"].item()) for key, kind in SETTINGS.items()
    }
    weights = np.split(part["weight_e4"] / 1e4, stops) if settings["weights"] else None
    columns = {
        kind: {
            key.removeprefix(f"{kind}_"): value
            for key, value in part.items()
            if key.startswith(f"{kind}_")
        }
        for kind in ("result", "bandwidth", "test")
    }
    count = columns["test"]["stat"].size
    return Case(
        name=name,
        settings=settings,
        running=part["running_e6"] / 1e6,
        treatment=part["treatment"].astype(float),
        samples=np.split(part["draw_e6"] / 1e6, stops),
        weights=weights,
        multipliers=part["multiplier_e4"] / 1e4,
        results=columns["result"],
        bandwidth=columns["bandwidth"],
        tests=[
            {key: value[row].item() for key, value in columns["test"].items()}
            for row in range(count)
        ],
    )


def pack(folder: Path, name: str, settings: dict) -> None:
    """Write one case from its CSV files."""
    draws = pd.read_csv(folder / f"{name}_data.csv")
    multipliers = pd.read_csv(folder / f"{name}_xi.csv", header=None)
    units = draws.groupby("unit", sort=True)
    part = {
        "sizes": units.size().to_numpy(np.int16),
        "running_e6": _whole(units["x"].first(), 1e6),
        "treatment": units["t"].first().to_numpy(np.int8),
        "draw_e6": _whole(draws["y"], 1e6),
        "weight_e4": _whole(draws["weight"], 1e4),
        "multiplier_e4": _whole(multipliers, 1e4),
    }
    part |= {f"setting_{key}": np.array(settings[key]) for key in SETTINGS}
    for kind, file in (
        ("result", "results"), ("bandwidth", "bandwidth"), ("test", "tests")
    ):  # fmt: skip
        path = folder / f"{name}_{file}.csv"
        if path.exists():
            frame = pd.read_csv(path)
            part |= {f"{kind}_{key}": _column(frame[key]) for key in frame}
    np.savez_compressed(HOME / f"{name}.npz", **part)


def _whole(values, scale: float) -> np.ndarray:
    """Decimals as integers of the last place; fails if that loses anything."""
    decimal = values.to_numpy(float)
    whole = np.rint(decimal * scale).astype(np.int64)
    if not np.array_equal(whole / scale, decimal):
        raise ValueError("a number has more decimals than it should")
    small = np.abs(whole).max() < 2**31
    return whole.astype(np.int32) if small else whole


def _column(values: pd.Series) -> np.ndarray:
    return values.to_numpy(float if values.dtype.kind in "fib" else str)


def main(folder: Path) -> None:
    table = pd.read_csv(folder / "cases.csv")
    for settings in table.to_dict("records"):
        pack(folder, settings["case"], settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
