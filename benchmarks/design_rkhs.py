"""Interpolation and quadrature with a kernel, at n points of several designs.

Designs are drawn in the space of the n leading eigenfunctions of the kernel. There are
two errors, and neither needs a function: the mean square that kernel interpolation
leaves of a Gaussian process with the kernel, over the least that n functions can leave,
the sum of the other eigenvalues; and the largest error of the best quadrature rule at
the points over the unit ball of the kernel's space. Closed forms for the Brownian
bridge, whose interpolation is linear between points; linear algebra for the Gaussian
kernel under the standard normal measure.

    python -m benchmarks.design_rkhs [--draws 500]

Rates of the bridge are slopes of log error in log n. ``half`` draws half of the points'
worth of functions twice: two projection processes for n / 2 functions.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

import distcausal as dc
from distcausal.design.base import Design

SIZES = {"brownian_bridge": (4, 8, 16, 32), "gaussian": (4, 8, 12, 16)}
_JITTER = 1e-13  # of the diagonal: rounding of nearly equal points


def designs(kernel: str, n: int) -> dict[str, Design]:
    space, half = dc.MercerSpace(kernel, n), dc.MercerSpace(kernel, n // 2)
    return {
        "measure": dc.IID(space, n, weight="one"),
        "christoffel": dc.IID(space, n),
        "volume, half": dc.VolumeSampling(half, n),
        "projection, half": dc.RepeatedDPP(half, 2),
        "projection": dc.ProjectionDPP(space),
    }


def bridge(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean square left, and squared quadrature error: sums over the gaps."""
    ends = np.pad(np.sort(x, axis=1), [(0, 0), (1, 1)], constant_values=(0.0, 1.0))
    gaps = np.diff(ends, axis=1)
    return np.sum(gaps**2, axis=1) / 6, np.sum(gaps**3, axis=1) / 12


def gaussian(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `bridge`, for exp(-(x - y)² / 2) under the standard normal measure."""
    nodes, mass = hermegauss(80)
    mass = mass / mass.sum()
    kernel = np.exp(-((x[:, :, None] - x[:, None, :]) ** 2) / 2)
    triangle = np.linalg.cholesky(kernel + _JITTER * np.eye(x.shape[1]))
    cross = np.exp(-((x[:, :, None] - nodes) ** 2) / 2)
    scaled = np.linalg.solve(triangle, cross)
    left = 1 - np.sum(scaled**2, axis=1) @ mass
    mean = np.exp(-(x**2) / 4) / math.sqrt(2)
    rule = np.linalg.solve(triangle, mean[..., None])[..., 0]
    return left, 1 / math.sqrt(3) - np.sum(rule**2, axis=1)


ERRORS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "brownian_bridge": bridge,
    "gaussian": gaussian,
}


def show(kernel: str, draws: int) -> None:
    print(f"| {kernel}, design | n | left over least, mean (s.e.) |", end="")
    print(" worst quadrature error, rms | 95 % |")
    print("| --- " * 5 + "|")
    found: dict[str, list[tuple[float, float]]] = {}
    for n in SIZES[kernel]:
        least = dc.MercerSpace(kernel, n).truncation_error
        for name, design in designs(kernel, n).items():
            x = design.sample_many(draws, seed=1).x[..., 0]
            left, square = ERRORS[kernel](x)
            root = np.sqrt(np.maximum(square, 0.0))
            mean, error = left.mean() / least, left.std() / least / math.sqrt(draws)
            rms = float(np.sqrt(np.mean(root**2)))
            found.setdefault(name, []).append((float(left.mean()), rms))
            print(
                f"| {name} | {n} | {mean:.2f} ({error:.2f}) | {rms:.2e} "
                f"| {np.quantile(root, 0.95):.2e} |",
                flush=True,
            )
    print()
    if kernel == "brownian_bridge":
        show_rates(np.log(SIZES[kernel]), found)


def show_rates(
    log_size: np.ndarray, found: dict[str, list[tuple[float, float]]]
) -> None:
    for name, errors in found.items():
        left, rule = np.polyfit(log_size, np.log(errors), 1)[0]
        print(f"{name}: mean square left n^{left:.2f}, quadrature n^{rule:.2f}")
    print()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--draws", type=int, default=500)
    draws = arguments.parse_args().draws
    print(f"{draws} draws\n")
    for kernel in SIZES:
        show(kernel, draws)


if __name__ == "__main__":
    main()
