"""Designs in three to ten variables, on hyperbolic crosses of Legendre polynomials.

Two functions: ``ridge``, exp(-(c·x)²/2) with c_j = 1/j, smooth and dominated by few
variables, and ``corner``, 1 / (1 + Σ_j (x_j + 1) / (2 j²)). Errors in mean square are
measured on 20,000 uniform points of a fixed seed, stability on the points alone; ratios
are to the best approximation on those points.

    python -m benchmarks.design_dimensions [--draws 200] [--dims 3 5 10]

Each size is a multiple of m: 1.2 m (rounded up), 2 m, 3 m, 5 m. ``best of 10`` keeps
the most stable of ten independent designs; ``half`` is volume sampling with the mixture
weight that bounds the weights by two. Seconds are those of the draws, compilation
included.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from typing import NamedTuple

import numpy as np

import distcausal as dc
from distcausal.design.base import Design

DEGREES = {3: 12, 5: 6, 8: 4, 10: 3}
MULTIPLES = (1.2, 2, 3, 5)
REFERENCE = 20_000


def both(x: np.ndarray) -> np.ndarray:
    """Values of both functions, along a last axis."""
    j = np.arange(1, x.shape[-1] + 1)
    ridge = np.exp(-((x @ (1 / j)) ** 2) / 2)
    corner = 1 / (1 + (x + 1) @ (0.5 / j**2))
    return np.stack([ridge, corner], axis=-1)


def designs(space: dc.PolynomialSpace) -> dict[str, list[Design]]:
    sizes = [math.ceil(k * space.size) for k in MULTIPLES]
    return {
        "iid": [dc.IID(space, n) for n in sizes],
        "uniform": [dc.IID(space, n, weight="one") for n in sizes],
        "best of 10": [dc.IID(space, n).best_of(10) for n in sizes[:2]],
        "volume": [dc.VolumeSampling(space, n) for n in sizes],
        "half": [dc.VolumeSampling(space, n, weight=0.5) for n in sizes],
        "repeated": [dc.RepeatedDPP(space, k) for k in MULTIPLES if k == int(k)],
    }


class Reference(NamedTuple):
    """Best approximations on a large sample, and how to measure distances from them."""

    coef: np.ndarray
    gram: np.ndarray
    best_sq: np.ndarray


def reference(space: dc.PolynomialSpace, dim: int) -> Reference:
    x = np.random.default_rng(0).uniform(-1, 1, (REFERENCE, dim))
    rows, values = space.basis.evaluate(x), both(x)
    coef = np.linalg.lstsq(rows, values, rcond=None)[0]
    gram = rows.T @ rows / REFERENCE
    return Reference(coef, gram, np.mean((values - rows @ coef) ** 2, axis=0))


def ratios(points: dc.DesignPoints, at: Reference) -> np.ndarray:
    """Error over the best one of every function and draw."""
    away = dc.wls(points, both(points.x)).coef - at.coef
    extra = np.einsum("dmq,mk,dkq->qd", away, at.gram, away, optimize=True)
    return np.sqrt(1 + extra / at.best_sq[:, None])


def compare(dim: int, draws: int) -> None:
    space = dc.PolynomialSpace(dim=dim, index=dc.HyperbolicCross(DEGREES[dim]))
    at = reference(space, dim)
    relative = np.sqrt(at.best_sq)
    print(f"best errors: ridge {relative[0]:.3e}, corner {relative[1]:.3e}\n")
    listed = [(name, one) for name, kinds in designs(space).items() for one in kinds]
    print(
        f"| {dim} variables, m = {space.size} | n / m | ridge: median, 95 % |", end=""
    )
    print(" corner: median, 95 % | lambda_min | P(>= 0.1) | P(>= 0.5) | seconds |")
    print("| --- " * 8 + "|")
    for name, design in listed:
        start = time.perf_counter()
        points = design.sample_many(draws)
        spent = time.perf_counter() - start
        errors = ratios(points, at)
        low = points.gram_eigenvalues[:, 0]
        shown = [f"{np.median(r):.3g}, {np.quantile(r, 0.95):.3g}" for r in errors]
        print(
            f"| {name} | {design.n_points / space.size:.1f} |", " | ".join(shown),
            f"| {np.median(low):.3f} | {np.mean(low >= 0.1):.2f} "
            f"| {np.mean(low >= 0.5):.2f} | {spent:.1f} |", flush=True,
        )  # fmt: skip
    print()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--draws", type=int, default=200)
    arguments.add_argument("--dims", type=int, nargs="+", default=[3, 5, 10])
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    print(f"{chosen.draws} draws\n")
    for dim in chosen.dims:
        compare(dim, chosen.draws)


if __name__ == "__main__":
    main()
