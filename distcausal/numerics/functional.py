"""Functionals of a distribution, computed from its quantile curve.

A curve on a grid of levels stands for the distribution whose quantile function joins
the points and is flat beyond the ends, so every functional here is a trapezoid sum over
the grid with 0 and 1 added. Curves may be stacked; the last axis is the level. Where a
functional is not defined its value is NaN, and the caller says why.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["FUNCTIONALS", "Functional", "extended"]

Functional = Callable[[np.ndarray, np.ndarray], np.ndarray]


def extended(curve: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grid and curve with the levels 0 and 1 added, flat beyond the ends."""
    grid = np.concatenate([[0.0], levels, [1.0]])
    ends = [curve[..., :1], curve, curve[..., -1:]]
    return np.concatenate(ends, axis=-1), grid


def _integral(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return np.trapezoid(values, grid, axis=-1)


def mean(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mean of the distribution."""
    return _integral(*extended(curve, levels))


def variance(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Variance of the distribution."""
    values, grid = extended(curve, levels)
    centre = _integral(values, grid)
    return _integral((values - centre[..., None]) ** 2, grid)


def std(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Standard deviation of the distribution."""
    return np.sqrt(variance(curve, levels))


def gini(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Gini coefficient: one less twice the area under the Lorenz curve.

    NaN where the mean is not positive, since the coefficient then means nothing. Above
    one where some outcomes are negative.
    """
    values, grid = extended(curve, levels)
    centre = _integral(values, grid)
    share = values / _defined(centre, centre > 0)[..., None]
    pieces = np.diff(grid) * (share[..., 1:] + share[..., :-1]) / 2
    lorenz = np.cumsum(pieces, axis=-1)
    ordinates = np.concatenate([np.zeros_like(lorenz[..., :1]), lorenz], axis=-1)
    return 1 - 2 * _integral(ordinates, grid)


def theil(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Theil index: mean of ``(y / m) log(y / m)`` with ``m`` the mean.

    NaN where the distribution reaches zero or below.
    """
    values, grid = extended(curve, levels)
    positive = _defined(values, (values > 0).all(axis=-1, keepdims=True))
    ratio = positive / _integral(positive, grid)[..., None]
    return _integral(ratio * np.log(ratio), grid)


def _defined(values: np.ndarray, valid: np.ndarray | np.bool_) -> np.ndarray:
    """Values where they make sense, NaN elsewhere, without complaints of NumPy."""
    return np.where(valid, values, np.nan)


FUNCTIONALS: dict[str, Functional] = {
    "mean": mean,
    "variance": variance,
    "std": std,
    "gini": gini,
    "theil": theil,
}
