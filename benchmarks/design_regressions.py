"""Least squares on part of the rows of real regressions, against all rows.

The data come with statsmodels and scikit-learn. From each, k rows are drawn in several
ways, and least squares, weighted as the design says, is compared with the fit to all
rows: excess loss, the mean and median over draws of |X (b - B)|² / |y - X B|²; bias,
the norm of the average of X (b - B) over what its Monte Carlo error makes of it, near
one if there is none; and how often 95 % intervals (HC3, normal) hold the coefficients
of the full fit, averaged over coefficients and over draws that give an interval: none
does where a single row determines a coefficient.

    python -m benchmarks.design_regressions [--draws 1000]

``greedy`` is the one set of m rows that adding the row of largest residual gives, the
greedy mode of the projection process: nothing is random about it.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np

import distcausal as dc
from distcausal.design.base import Design

MULTIPLES = (2, 5)


def frame(name: str) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """Reader of a data set of statsmodels: outcome and regressors."""

    def read() -> tuple[np.ndarray, np.ndarray]:
        import statsmodels.api as sm

        data = getattr(sm.datasets, name).load_pandas()
        outcome = np.asarray(data.endog, dtype=float)
        # Counts of successes and failures: the share of successes.
        if outcome.ndim == 2:
            outcome = outcome[:, 0] / outcome.sum(axis=1)
        return outcome, np.asarray(data.exog, dtype=float)

    return read


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return y, x


DATA = {
    "ccard": frame("ccard"),
    "star98": frame("star98"),
    "diabetes": diabetes,
    "anes96": frame("anes96"),
    "fair": frame("fair"),
    "randhie": frame("randhie"),
}


def regressors(x: np.ndarray) -> np.ndarray:
    """Standardised columns that the others do not determine, after a constant."""
    x = x[:, x.std(axis=0) > 0]
    columns = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0)])
    space = dc.FiniteSpace(columns, rank="truncate")
    return columns[:, space.basis.kept]


def designs(features: np.ndarray, k: int) -> dict[str, Design]:
    space = dc.FiniteSpace(features)
    return {
        "uniform": dc.IID(space, k, weight="one"),
        "leverage": dc.IID(space, k),
        "volume of subsets": dc.SubsetVolumeSampling(features, k),
        "volume, weighted": dc.VolumeSampling(space, k),
        "repeated": dc.RepeatedDPP(space, k // space.size),
    }


def measured(design: Design, y: np.ndarray, draws: int) -> tuple[float, ...]:
    """Excess loss with its error, relative bias, coverage with its error, and so on."""
    space = design.space
    values = space.values(np.arange(len(y)))
    best = values.T @ y / len(y)
    loss = np.mean((y - values @ best) ** 2)
    points = design.sample_many(draws, seed=1)
    fit = dc.wls(points, y[points.index])
    away = fit.coef - best
    excess = np.sum(away**2, axis=1) / loss
    bias = np.sum(away.mean(axis=0) ** 2) / np.sum(away.var(axis=0) / draws)
    back = fit.basis.to_features(np.eye(space.size))
    variance = np.einsum("im,dmk,ik->di", back, fit.covariance, back, optimize=True)
    inside = np.abs(away @ back.T) <= 1.959964 * np.sqrt(variance)
    known = np.isfinite(variance)
    covered = inside.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    covered = covered[known.any(axis=1)]
    return (
        float(excess.mean()),
        float(excess.std() / np.sqrt(draws)),
        float(np.sqrt(bias)),
        float(covered.mean()),
        float(covered.std() / np.sqrt(len(covered))),
        float(np.median(excess)),
        float(1 - known.mean()),
    )


def greedy(features: np.ndarray, y: np.ndarray) -> float:
    """Excess loss of interpolation at the greedy mode."""
    space = dc.FiniteSpace(features)
    values = space.values(np.arange(len(y)))
    best = values.T @ y / len(y)
    rows = dc.KDPP.from_features(values, space.size).mode()
    away = np.linalg.solve(values[rows], y[rows]) - best
    return float(away @ away / np.mean((y - values @ best) ** 2))


def show(name: str, draws: int) -> None:
    y, x = DATA[name]()
    features = regressors(x)
    rows, size = features.shape
    head = f"{name}, N = {rows}, m = {size}"
    print(f"| {head}, m rows | greedy | {greedy(features, y):.3g} | | | | |")
    for multiple in MULTIPLES:
        k = multiple * size
        for method, design in designs(features, k).items():
            mean, error, bias, cover, spread, middle, none = measured(design, y, draws)
            print(
                f"| {head}, {multiple} m | {method} | {mean:.3g} ({error:.2g}) "
                f"| {middle:.3g} | {bias:.1f} | {100 * cover:.1f} "
                f"({100 * spread:.1f}) | {100 * none:.0f} |",
                flush=True,
            )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--draws", type=int, default=1000)
    arguments.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    print(f"{chosen.draws} draws\n")
    print("| data, rows | design | excess loss, mean (s.e.) | median | bias |", end="")
    print(" coverage, % (s.e.) | no interval, % |")
    print("| --- " * 7 + "|")
    for name in chosen.data:
        show(name, chosen.draws)


if __name__ == "__main__":
    main()
