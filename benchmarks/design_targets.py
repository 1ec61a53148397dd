"""Designs beside the stored experiments: medians of errors and shares of stable draws.

Three tables. ``rows``: every row of the stored experiment targets. ``published``: the
two functions of the boosted least-squares experiments, where conditioning, the best of
many and greedy removal go down to as many points as functions. ``required``: points
needed for stability. All on the discretisation of the targets, a Gauss rule fine enough
to keep the polynomials orthonormal; ``--continuous`` draws ``rows`` from the spaces
themselves.

    python -m benchmarks.design_targets [rows|published|required] [--draws 1000]

Rules have 400 nodes (Legendre), 160 (Hermite) and 40 x 40: those at which independent
points repeat, and make designs with m points singular, as often as in the targets.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.legendre import leggauss

import distcausal as dc
from distcausal.design.base import Design

STORED = Path(__file__).parent.parent / "tests/reference/dpp/experiment_targets.csv"
SHARES = {
    "P_lmin_ge_0.1": (0.9, "lower"),
    "P_opnorm_le_0.9": (0.9, "norm"),
    "P_lmin_ge_0.5": (0.5, "lower"),
}
METHODS: dict[str, Callable[[dc.FiniteSpace, int], Design]] = {
    "iid_christoffel": dc.IID,
    "generalised_volume": dc.VolumeSampling,
    "repeated_dpp": lambda space, n: dc.RepeatedDPP(space, n // space.size),
}
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1/(1+5x^2)": lambda x: 1 / (1 + 5 * x[..., 0] ** 2),
    "exp(-(x-1)^2/4)": lambda x: np.exp(-((x[..., 0] - 1) ** 2) / 4),
    "exp(x*y)/(1+x^2+2y^2)": lambda x: (
        np.exp(x[..., 0] * x[..., 1]) / (1 + x[..., 0] ** 2 + 2 * x[..., 1] ** 2)
    ),
}
# Medians of 25 repetitions, with the number of points, for both functions.
PUBLISHED: dict[str, tuple[Callable[[dc.FiniteSpace], Design], float, float]] = {
    "independent, conditioned": (
        lambda s: dc.IID(s, 265).conditioned(0.9, "norm"), 1.207e-3, 6.449e-3,
    ),
    "best of 100, conditioned": (
        lambda s: dc.IID(s, 108).best_of(100).conditioned(0.9, "norm"),
        1.208e-3, 6.470e-3,
    ),
    "best of 100, greedy": (
        lambda s: dc.IID(s, 108).best_of(100).conditioned(0.9, "norm").greedy(11),
        1.90e-3, 1.05e-2,
    ),
    "repeated 2, conditioned": (
        lambda s: dc.RepeatedDPP(s, 2).conditioned(0.9, "norm"), 1.402e-3, 7.46e-3,
    ),
    "volume, conditioned": (
        lambda s: dc.VolumeSampling(s, 22).conditioned(0.9, "norm"),
        1.571e-3, 7.96e-3,
    ),
    "repeated 3, greedy": (
        lambda s: dc.RepeatedDPP(s, 3).greedy(11), 2.31e-3, 1.11e-2,
    ),
}  # fmt: skip
REQUIRED = {
    (0.9, "norm", 0.99): {
        "iid": {5: 45, 10: 100, 20: 260, 40: 600},
        "volume": {5: 40, 10: 100, 20: 240, 40: 600},
        "repeated": {5: 15, 10: 30, 20: 60},
    },
    (0.5, "lower", 0.95): {
        "iid": {5: 65, 10: 170, 20: "> 400"},
        "volume": {5: 60, 10: 160, 20: "> 400"},
        "repeated": {5: 25, 10: 70, 20: 160},
    },
}


class Grid(NamedTuple):
    """A space of polynomials, a Gauss rule, and the space on the rule's nodes."""

    continuous: dc.PolynomialSpace
    nodes: np.ndarray
    mass: np.ndarray
    finite: dc.FiniteSpace


@cache
def grid(space: str) -> Grid:
    """Return the discretisation that a row of the targets used."""
    kind, degree = space.split(" ")[0], int(space.split("<=")[1])
    nodes, mass = {
        "legendre": lambda: leggauss(400),
        "hermite": lambda: hermegauss(160),
    }[kind]()
    whole = dc.PolynomialSpace(kind, index=dc.TotalDegree(degree))
    x = nodes[:, None]
    if "2d" in space:
        nodes, mass = leggauss(40)
        whole = dc.PolynomialSpace(kind, 2, dc.TotalDegree(degree))
        x = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
        mass = np.outer(mass, mass).ravel()
    mass = mass / mass.sum()
    return Grid(whole, x, mass, dc.FiniteSpace(whole.basis.evaluate(x), mass))


def targets() -> list[dict[str, str]]:
    with STORED.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compared(
    rows: list[dict[str, str]], draws: int, *, continuous: bool = False, seed: int = 0
) -> dc.DesignComparison:
    """Draw the designs of rows that share a function and a space."""
    f, at = FUNCTIONS[rows[0]["function"]], grid(rows[0]["space"])
    space = at.continuous if continuous else at.finite
    designs = [METHODS[row["method"]](space, int(row["n"])) for row in rows]
    if continuous:
        return dc.compare_designs(
            space, f, designs, reference=(at.nodes, at.mass), draws=draws, seed=seed
        )
    return dc.compare_designs(space, f(at.nodes), designs, draws=draws, seed=seed)


def median_error(ratio: np.ndarray, draws: int) -> float:
    """Relative error of a median of so many draws, from the quantiles around it."""
    low, high = np.quantile(np.log(ratio), 0.5 + np.array([-0.5, 0.5]) / np.sqrt(draws))
    return float(high - low) / 2


def show_rows(draws: int, *, continuous: bool) -> None:
    print(
        "| function, m, n, design | target | here | ratio (s.e.) | 5 %, 95 % |", end=""
    )
    print(" share differs | residuals |")
    print("| --- " * 7 + "|")
    stored = targets()
    far = 0
    for function, space in dict.fromkeys((r["function"], r["space"]) for r in stored):
        rows = [r for r in stored if (r["function"], r["space"]) == (function, space)]
        found = compared(rows, draws, continuous=continuous)
        for place, row in enumerate(rows):
            far += not show_row(row, found, place)
    print(f"\n{far} of {len(stored)} rows differ by more than 4 % or 0.05\n")


def show_row(row: dict[str, str], found: dc.DesignComparison, place: int) -> bool:
    """Print a row; whether it is within the tolerances of the targets."""
    ratio = found.ratio[place]
    here, there = np.median(ratio), float(row["median_ratio"])
    error = np.hypot(
        median_error(ratio, len(ratio)), median_error(ratio, int(row["reps"]))
    )
    away = max(
        abs(found.stable(delta, event)[place] - float(row[name]))
        for name, (delta, event) in SHARES.items()
    )
    low, high = np.quantile(ratio, [0.05, 0.95])
    residual = found.residual_ratio[place].mean()
    print(
        f"| {row['function']}, {row['m']}, {row['n']}, {row['method']} | {there:.4g} "
        f"| {here:.4g} | {here / there:.3f} ({error:.3f}) | {low:.3g}, {high:.3g} "
        f"| {away:.3f} "
        f"| {float(row['mean_residual_times_n_over_n_minus_m']):.3f}, {residual:.3f} |",
        flush=True,
    )
    return abs(here / there - 1) <= 0.04 and away <= 0.05


def show_published(draws: int) -> None:
    print("| design | n | tries | (a) 25 draws | (a) here | (b) 25 draws | (b) here |")
    print("| --- " * 7 + "|")
    cases = [
        ("exp(-(x-1)^2/4)", "hermite deg<=10"),
        ("1/(1+5x^2)", "legendre deg<=10"),
    ]
    for name, (make, *stored) in PUBLISHED.items():
        shown = []
        for (function, space), there in zip(cases, stored, strict=True):
            at = grid(space)
            values = FUNCTIONS[function](at.nodes)
            design = make(at.finite)
            found = dc.compare_designs(at.finite, values, [design], draws=draws)
            scale = found.best_error / np.sqrt(at.mass @ values**2)
            here = scale * np.median(found.ratio)
            error = median_error(found.ratio[0], draws)
            shown.append(f"{there:.3e} | {here:.3e} (± {100 * error:.1f} %)")
        tries = f"{found.tries.mean():.2f}"
        print(
            f"| {name} | {design.n_points} | {tries} |",
            " | ".join(shown),
            "|",
            flush=True,
        )
    print()


def show_required(draws: int) -> None:
    print("| stable | share | design | m | 400 draws | here |")
    print("| --- " * 6 + "|")
    for (delta, event, share), kinds in REQUIRED.items():
        for kind, sizes in kinds.items():
            for m, there in sizes.items():
                space = grid(f"legendre deg<={m - 1}").finite
                here = least(space, kind, delta, event, share, draws)
                print(
                    f"| {event} {delta} | {share} | {kind} | {m} | {there} | {here} |",
                    flush=True,
                )
    print()


def least(
    space: dc.FiniteSpace, kind: str, delta: float, event: str, share: float, draws: int
) -> int:
    """Least multiple of m whose share of stable draws is large enough, by bisection."""
    method = {"iid": "iid_christoffel", "volume": "generalised_volume"}
    make, m = METHODS[method.get(kind, "repeated_dpp")], space.size

    def enough(blocks: int) -> bool:
        found = dc.stability(
            make(space, blocks * m), delta=delta, event=event, draws=draws
        )
        return found.probability >= share

    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high * m


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    tables = ("rows", "published", "required")
    arguments.add_argument("tables", nargs="*", choices=[*tables, []], default=[])
    arguments.add_argument("--draws", type=int, default=1000)
    arguments.add_argument("--continuous", action="store_true")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    print(f"{chosen.draws} draws\n")
    for name in chosen.tables or tables:
        if name == "rows":
            show_rows(chosen.draws, continuous=chosen.continuous)
        elif name == "published":
            show_published(chosen.draws)
        else:
            show_required(chosen.draws)


if __name__ == "__main__":
    main()
