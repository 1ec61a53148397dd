"""Quantile conventions, one unit and one level at a time, from their definitions.

Sources: Hyndman and Fan (1996) for the numbered types; the weighted linear rule as the
published R3D software computes it, tied draws merged and weights scaled to sum to the
number of draws. Slow and plain: loops, no sharing of work between levels or units.
"""

from __future__ import annotations

import math

import numpy as np

EPS = np.finfo(float).eps
PLOTTING = {
    "interpolated_inverse": lambda k, m: k / m,
    "hazen": lambda k, m: (k - 0.5) / m,
    "weibull": lambda k, m: k / (m + 1),
    "linear": lambda k, m: (k - 1) / (m - 1) if m > 1 else 0.5,
    "median_unbiased": lambda k, m: (k - 1 / 3) / (m + 1 / 3),
    "normal_unbiased": lambda k, m: (k - 3 / 8) / (m + 1 / 4),
}


def quantile(draws, level, rule, weights=None):
    """Quantile of one sample at one level."""
    masses = [1.0] * len(draws) if weights is None else weights
    pairs = sorted(zip(draws, masses, strict=True))
    pairs = [(value, weight) for value, weight in pairs if weight > 0]
    values = [value for value, _ in pairs]
    masses = [weight for _, weight in pairs]
    if rule in ("inverse", "averaged"):
        return _step(values, masses, level, rule)
    if weights is None:
        knots = [PLOTTING[rule](k, len(values)) for k in range(1, len(values) + 1)]
        return _through(knots, values, level)
    if rule == "linear":
        return _expanded(values, masses, level)
    even = [
        np.mean([m for v, m in pairs if v == value]) for value in values
    ]  # equal draws share their weight equally
    reached = np.cumsum(even)
    middle = reached - np.array(even) / 2
    if rule == "hazen":
        return _through(middle / reached[-1], values, level)
    first, last = even[0] / 2, even[-1] / 2
    if len(values) == 1:
        return values[0]
    return _through((middle - first) / (reached[-1] - first - last), values, level)


def cdf(draws, point, weights=None):
    """Share of the weight at or below a point."""
    masses = [1.0] * len(draws) if weights is None else list(weights)
    below = sum(m for value, m in zip(draws, masses, strict=True) if value <= point)
    return below / sum(masses)


def _step(values, masses, level, rule):
    total = math.fsum(masses)
    for k in range(len(values)):
        short = math.fsum(masses[: k + 1]) - level * total
        if short >= -4 * EPS * total:
            tied = short <= 4 * EPS * total and k + 1 < len(values)
            if rule == "averaged" and tied:
                return (values[k] + values[k + 1]) / 2
            return values[k]
    return values[-1]


def _expanded(values, masses, level):
    distinct = sorted(set(values))
    total = math.fsum(masses)
    size = len(values)
    reached = [
        math.fsum(m for v, m in zip(values, masses, strict=True) if v <= value)
        * size
        / total
        for value in distinct
    ]

    def step(position):
        for value, mass in zip(distinct, reached, strict=True):
            if mass >= position - 1e-9:
                return value
        return distinct[-1]

    order = 1 + (size - 1) * level
    low = max(math.floor(order), 1)
    part = order - math.floor(order)
    return (1 - part) * step(low) + part * step(min(low + 1, size))


def _through(knots, values, level):
    """Piecewise linear through the knots, flat outside."""
    if level <= knots[0]:
        return values[0]
    for k in range(1, len(values)):
        if level <= knots[k]:
            part = (level - knots[k - 1]) / (knots[k] - knots[k - 1])
            return values[k - 1] + part * (values[k] - values[k - 1])
    return values[-1]
