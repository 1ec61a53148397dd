"""R3D 0.1.0 step by step, from its description: what the parity profile must equal.

The published R package departs from the paper it implements in a few places. This
file follows the package, so that the profile can be told from the corrected defaults.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from tests.oracles.r3d import (
    ABOVE,
    BELOW,
    Local,
    draws,
    estimate,
    kernel,
    order_statistic,
    rearrange_interpolated,
    sides,
)


def linear_quantiles(values, levels, weights=None) -> np.ndarray:
    """Type 7, or its weighted form with weights scaled to sum to the sample size."""
    if weights is None:
        return np.quantile(values, levels)
    support, code = np.unique(values, return_inverse=True)
    mass = np.bincount(code, weights=weights)
    mass = mass * (values.size / mass.sum())
    upto = np.cumsum(mass)
    total = upto[-1]

    def step(t):
        k = int((upto < t).sum())
        return support[min(k, support.size - 1)]

    out = []
    for level in levels:
        place = 1 + (total - 1) * level
        low = max(np.floor(place), 1)
        high = min(low + 1, total)
        part = place % 1
        out.append((1 - part) * step(low) + part * step(high))
    return np.array(out)


def constants(order: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bias and variance constants of the boundary fit, (2,) each, by a Riemann sum."""
    u = np.linspace(-1, 1, 1000)
    bias, variance = [], []
    for member in (u < 0, u >= 0):
        v, k = u[member], kernel(name, u[member])
        r = np.power.outer(v, np.arange(order + 1))
        gram = np.linalg.inv(r.T @ (k[:, None] * r) * 2 / 1000)
        bias.append((gram @ (r.T @ (k * v ** (order + 1))) * 2 / 1000)[0])
        psi = r.T @ ((k**2)[:, None] * r) * 2 / 1000
        variance.append((gram @ psi @ gram)[0, 0])
    return np.array(bias), np.array(variance)


def _rate(variance, bias, order, n, common, fallback) -> np.ndarray:
    """Bandwidth at which squared bias and variance balance, one per level."""
    if common:
        # The common spacing of the levels multiplies both sums and cancels.
        top, bottom = variance.sum(), (bias**2).sum()
        tiny = bottom <= 1e-14
    else:
        top, bottom, tiny = variance, bias**2, np.abs(bias) <= 1e-14
    with np.errstate(divide="ignore"):
        h = (top / (2 * (order + 1) * bottom) / n) ** (1 / (2 * order + 3))
    return np.broadcast_to(np.where(tiny, fallback, h), bias.shape)


def bandwidth(q, x, *, s, name, common, coverage=False) -> dict:
    """Automatic bandwidth for a matrix of curves (unit, level)."""
    n, count = q.shape
    scale = np.std(x, ddof=1)
    width = 1.06 * scale * n ** (-1 / 5)
    density = kernel(name, x / width).mean() / width
    fallback = 1.06 * scale * n ** (-1 / (2 * s + 1))
    bias_constant, variance_constant = constants(s, name)
    bias, variance = np.zeros((2, count)), np.zeros((2, count))
    for side, member in enumerate(sides(x)):
        design = np.power.outer(x[member], np.arange(s + 2))
        coef = np.linalg.lstsq(design, q[member], rcond=None)[0]
        residual = q[member] - design @ coef
        bias[side] = bias_constant[side] * coef[s + 1]
        sigma = (residual**2).sum(0) / (member.sum() - 1)
        variance[side] = variance_constant[side] * sigma / density
    pilot = _rate(variance.sum(0), bias[1] - bias[0], s, n, common, fallback)
    for side, member in enumerate(sides(x)):
        for j in range(count):
            fit = Local.at(x, pilot[j], s, "triangular", member, np.ones(n))
            bias[side, j] = fit.coefficients(q[:, j])[s] / factorial(s + 1)
            weight = np.maximum(fit.row(0), 0)
            residual = q[:, j] - fit.fitted(q[:, j])
            variance[side, j] = (weight * residual**2).sum() / weight.sum()
    h = _rate(variance.sum(0) / density, bias[1] - bias[0], s, n, common, fallback)
    if coverage:
        h = h * n ** (-s / ((2 * s + 3) * (s + 3)))
    return {
        "h": h, "pilot": pilot, "bias": bias, "variance": variance, "density": density
    }  # fmt: skip


def profile_fit(q, x, levels, *, method, **options):
    """Estimate with R's rearrangement, projection weights and residual rule."""
    return estimate(
        q, x, levels, method=method, leverage="hc0", residuals="positive",
        monotone=rearrange_interpolated, cell=np.ones(levels.size), **options,
    )  # fmt: skip


def test_value(reference: np.ndarray, confidence: float) -> float:
    """R's critical value of a test: the interpolated sample quantile."""
    return float(np.quantile(reference, confidence))


def gini(curve: np.ndarray, levels: np.ndarray) -> float:
    """Gini coefficient of a quantile curve by two trapezoid rules."""
    p, value = levels, curve
    if p[0] > 0:
        p, value = np.r_[0.0, p], np.r_[value[0], value]
    if p[-1] < 1:
        p, value = np.r_[p, 1.0], np.r_[value, value[-1]]
    piece = np.diff(p) * (value[1:] + value[:-1]) / 2
    mean = piece.sum()
    if mean <= 0:
        return np.nan
    lorenz = np.r_[0.0, np.cumsum(piece)] / mean
    area = (np.diff(p) * (lorenz[1:] + lorenz[:-1]) / 2).sum()
    return float(np.clip(1 - 2 * area, 0, 1))


def gini_test(fit, xi, *, recentred: bool) -> tuple[float, np.ndarray, list[float]]:
    """Statistic, reference draws, and the two coefficients (below, above)."""
    levels = fit.levels
    level = [gini(fit.curve[side], levels) for side in (BELOW, ABOVE)]
    gap = level[ABOVE] - level[BELOW]
    below, above = draws(fit.rows[BELOW], xi), draws(fit.rows[ABOVE], xi)
    moved = np.array(
        [
            gini(fit.curve[ABOVE] + a, levels) - gini(fit.curve[BELOW] + b, levels)
            for a, b in zip(above, below, strict=True)
        ]
    )
    return abs(gap), np.abs(moved - gap if recentred else moved), level


def band(effect, g, confidence) -> tuple[np.ndarray, np.ndarray, float]:
    reach = order_statistic(np.abs(g).max(1), confidence)
    return effect - reach, effect + reach, reach
