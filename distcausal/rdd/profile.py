"""The rules of the R package R3D 0.1.0, where they differ from the paper's.

Kept for replication: under ``profile="R3D-0.1.0"`` a fit reproduces that package number
for number, its deviations from the published method included (they are listed in the
documentation). Nothing here is used without the profile.

The bandwidth rule fits order ``s`` where the method needs the derivative ``s + 1``,
drops the kernel constants at the last step, uses a triangular kernel in its local fits
whatever kernel was asked for, and is not equivariant to the scale of the running
variable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal.numerics.bandwidth import LeadingTerms, coverage_factor
from distcausal.numerics.kernel import KERNELS, Kernel
from distcausal.rdd.bandwidth import Rules, Selection

__all__ = ["PROFILE", "interpolated_rearrangement", "select_as_published"]

PROFILE = "R3D-0.1.0"


def interpolated_rearrangement(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Rearrange through 1001 interpolated points, moving even a monotone curve."""
    if levels.size == 1:
        return curve
    place = (levels - levels[0]) / (levels[-1] - levels[0])
    dense = np.interp(np.arange(1001) / 1000, place, curve)
    return np.quantile(dense, place)


@dataclass(frozen=True)
class _Constants:
    """Kernel constants as Riemann sums over a thousand points."""

    bias: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, kernel: Kernel, order: int) -> _Constants:
        u = np.linspace(-1, 1, 1000)
        height, powers = kernel(u), u[:, None] ** np.arange(order + 1)
        bias, variance = [], []
        for side in (u < 0, u >= 0):
            own = powers * side[:, None]
            gram = (own * height[:, None]).T @ own * 0.002
            slope = own.T @ (u ** (order + 1) * height) * 0.002
            square = (own * (height**2)[:, None]).T @ own * 0.002
            row = np.linalg.solve(gram, np.eye(order + 1)[0])
            bias.append(row @ slope)
            variance.append(row @ square @ row)
        return cls(np.array(bias), np.array(variance))


def select_as_published(x: np.ndarray, curves: np.ndarray, rules: Rules) -> Selection:
    """Bandwidths of the package: a single one if integrated, else one per level.

    Parameters
    ----------
    x
        Running variable minus the cutoff, shape ``(unit,)``.
    curves
        Outcome columns, shape ``(unit, level)``.
    rules
        Kernel, pilot order and selector are used; the rest does not enter.
    """
    s, units = rules.pilot_order, len(x)
    spread = np.std(x, ddof=1)
    window = 1.06 * spread * units**-0.2
    density = float(np.mean(rules.kernel(x / window)) / window)
    fallback = 1.06 * spread * units ** (-1 / (2 * s + 1))
    constants = _Constants.of(rules.kernel, s)

    curvature, variance = _global_fits(x, curves, s + 1)
    bias = constants.bias[:, None] * curvature
    spread_of = constants.variance[:, None] * variance / density
    pilot = _rate(bias, spread_of, rules, units, fallback)

    terms = _local_fits(x, curves, pilot, s)
    final = _rate(terms.bias, terms.variance / density, rules, units, fallback)
    if rules.selector.coverage:
        final = final * coverage_factor(units, s)
    final, pilot = (np.stack([h, h], axis=1) for h in (final, pilot))
    return Selection(final, pilot, terms, density, final)


def _rate(
    bias: np.ndarray, variance: np.ndarray, rules: Rules, units: int, fallback: float
) -> np.ndarray:
    """Mean-squared-error bandwidth from constants by side, shape ``(group,)``."""
    gap = (bias[1] - bias[0]) ** 2
    total = variance.sum(axis=0)
    if rules.selector.integrated:
        gap, total = gap.sum(keepdims=True), total.sum(keepdims=True)
        known = gap > 1e-14
    else:
        known = np.sqrt(gap) > 1e-14
    order = rules.pilot_order
    ratio = total / (2 * (order + 1) * np.where(known, gap, 1.0))
    power = 1 / (2 * order + 3)
    return np.where(known, (ratio / units) ** power, fallback)


def _global_fits(
    x: np.ndarray, curves: np.ndarray, degree: int
) -> tuple[np.ndarray, np.ndarray]:
    """Leading coefficient and residual variance of a polynomial on each side."""
    leading, variance = [], []
    for side in (x < 0, x >= 0):
        reach = np.abs(x[side]).max()
        design = np.vander(x[side] / reach, degree + 1, increasing=True)
        coef = np.linalg.lstsq(design, curves[side], rcond=None)[0]
        residual = curves[side] - design @ coef
        leading.append(coef[degree] / reach**degree)
        variance.append((residual**2).sum(axis=0) / (side.sum() - 1))
    return np.array(leading), np.array(variance)


def _local_fits(
    x: np.ndarray, curves: np.ndarray, pilot: np.ndarray, order: int
) -> LeadingTerms:
    """Second stage: scaled order-``s`` coefficients, positive-weight variance."""
    triangular = KERNELS["triangular"]
    factorial = np.prod(np.arange(1, order + 2))
    bias, variance = np.empty((2, 2, curves.shape[1]))
    for group, h in enumerate(pilot):
        columns = slice(None) if len(pilot) == 1 else slice(group, group + 1)
        for side, own in enumerate((x < 0, x >= 0)):
            u = x[own] / h
            height = triangular(u)
            design = np.vander(u, order + 1, increasing=True)
            inner = np.linalg.pinv((design * height[:, None]).T @ design)
            outcome = curves[own][:, columns]
            coef = inner @ (design * height[:, None]).T @ outcome
            intercept = np.maximum(height * (design @ inner[0]), 0)
            residual = outcome - design @ coef
            bias[side, columns] = coef[order] / factorial
            variance[side, columns] = intercept @ residual**2 / intercept.sum()
    return LeadingTerms(bias, variance, np.zeros_like(bias))
