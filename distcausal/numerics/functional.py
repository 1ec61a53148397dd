"""Functionals of a distribution, computed from its quantile curve.

A curve on a grid of levels stands for the distribution whose quantile function joins
the points and is flat beyond the ends, so every functional here is a trapezoid sum over
the grid with 0 and 1 added. Curves may be stacked; the last axis is the level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from distcausal.errors import DataError

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

    Raises
    ------
    DataError
        If a mean is not positive, where the coefficient means nothing.
    """
    values, grid = extended(curve, levels)
    centre = _integral(values, grid)
    _require_positive("gini", centre)
    pieces = np.diff(grid) * (values[..., 1:] + values[..., :-1]) / 2
    lorenz = np.cumsum(pieces, axis=-1) / centre[..., None]
    ordinates = np.concatenate([np.zeros_like(lorenz[..., :1]), lorenz], axis=-1)
    return np.clip(1 - 2 * _integral(ordinates, grid), 0, 1)


def theil(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Theil index: mean of ``(y / m) log(y / m)`` with ``m`` the mean.

    Raises
    ------
    DataError
        If the distribution reaches zero or below.
    """
    values, grid = extended(curve, levels)
    _require_positive("theil", values)
    ratio = values / _integral(values, grid)[..., None]
    return _integral(ratio * np.log(ratio), grid)


def _require_positive(name: str, values: np.ndarray) -> None:
    if not (values > 0).all():
        raise DataError(
            f"the functional {name!r} is defined for positive outcomes; the curves, or "
            f"their simulated errors, reach {values.min():g}. Choose another, such as "
            "'variance'."
        )


FUNCTIONALS: dict[str, Functional] = {
    "mean": mean,
    "variance": variance,
    "std": std,
    "gini": gini,
    "theil": theil,
}
