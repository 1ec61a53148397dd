"""Nearest nondecreasing curve, and the rearranged one.

Estimated quantile functions need not increase in the level. Projecting them onto the
convex cone of nondecreasing curves, or sorting their values, cannot move them further
from a nondecreasing truth, so every estimator of a quantile function ends here.

The projection averages the curve over stretches of levels. Two neighbouring stretches
whose averages decrease belong together in the solution, whatever else happens, so all
such pairs of all curves are joined at once, and again, until nothing decreases: a
handful of rounds over ever fewer stretches. Curves that already increase are never
touched and come back bit for bit.

Plain NumPy on the host, by measurement: 12,288 curves of 99 levels take 0.003 s when
all increase, 0.005 s when a hundred do not and 0.25 s when none does. The same
algorithm under `jax.jit` took 0.09 to 0.2 s in every case, after 0.7 s of compilation.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cell_widths", "project_monotone", "rearrange"]


def project_monotone(curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Project curves onto the nondecreasing ones.

    Parameters
    ----------
    curve
        Values on a common grid of levels, shape ``(..., level)``, in the units of the
        outcome.
    weight
        Positive weight of each level, shape ``(level,)``, in any scale; the spacing of
        the grid makes the projection the one in the 2-Wasserstein distance.

    Returns
    -------
    The nondecreasing curve with the least weighted sum of squared deviations from each
    input curve, shape ``(..., level)``. If no curve decreases, the input itself.

    References
    ----------
    Robertson, Wright and Dykstra (1988), *Order Restricted Statistical Inference*,
    chapter 1.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.numerics.monotone import project_monotone
    >>> project_monotone(np.array([3.0, 1.0]), np.array([1.0, 3.0]))
    array([1.5, 1.5])
    """
    rows = curve.reshape(-1, curve.shape[-1])
    falling = np.flatnonzero((rows[:, 1:] < rows[:, :-1]).any(axis=1))
    if falling.size == 0:
        return curve
    projected = rows.copy()
    projected[falling] = _pool(rows[falling], weight)
    return projected.reshape(curve.shape)


def _pool(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Join falling neighbours in all rows at once until every row increases."""
    count, size = rows.shape
    mass = np.tile(weight, count)
    value = rows.ravel()
    total = mass * value
    length = np.ones(rows.size, dtype=np.intp)
    first_of_row = np.tile(np.arange(size) == 0, count)
    while True:
        falls = np.zeros(value.size, dtype=bool)
        falls[1:] = value[1:] < value[:-1]
        joined = falls & ~first_of_row
        if not joined.any():
            return np.repeat(value, length).reshape(rows.shape)
        starts = np.flatnonzero(~joined)
        pooled = np.add.reduceat(joined, starts, dtype=np.intp) > 0
        total, mass = np.add.reduceat(total, starts), np.add.reduceat(mass, starts)
        length = np.add.reduceat(length, starts)
        value = np.where(pooled, total / mass, value[starts])
        first_of_row = first_of_row[starts]


def rearrange(curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sort the values of curves, each value keeping the width of its cell.

    Parameters
    ----------
    curve
        Values, shape ``(..., level)``, in the units of the outcome.
    weight
        Positive width of each level's cell, shape ``(level,)``.

    Returns
    -------
    Nondecreasing curves, NumPy float64. With equal widths they are the sorted values;
    otherwise the average over each cell of the rearranged step function, so that the
    integral over levels is kept.

    References
    ----------
    Chernozhukov, Fernandez-Val and Galichon (2010), *Econometrica* 78(3).

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.numerics.monotone import rearrange
    >>> rearrange(np.array([3.0, 1.0]), np.array([1.0, 3.0]))
    array([1.        , 1.66666667])
    """
    values = np.sort(curve, axis=-1)
    if np.allclose(weight, weight[0], rtol=1e-9, atol=0):
        return values
    order = np.argsort(curve, axis=-1, kind="stable")
    edges = np.concatenate([[0.0], np.cumsum(weight)])
    rows = []
    for one, places in zip(
        values.reshape(-1, values.shape[-1]),
        order.reshape(-1, values.shape[-1]),
        strict=True,
    ):
        width = weight[places]
        knots = np.concatenate([[0.0], np.cumsum(width)])
        integral = np.concatenate([[0.0], np.cumsum(width * one)])
        rows.append(np.diff(np.interp(edges, knots, integral)) / weight)
    # Interpolating an integral rounds; a curve that increased may lose its last bit.
    return np.maximum.accumulate(np.array(rows).reshape(values.shape), axis=-1)


def cell_widths(levels: np.ndarray) -> np.ndarray:
    """Width of the cell around each level, the weight of that level in integrals.

    Half the distance between the neighbours; at both ends the full neighbouring gap, so
    that an evenly spaced grid has equal weights. A single level has weight one.
    """
    if levels.size == 1:
        return np.ones(1)
    gap = np.diff(levels)
    return np.concatenate([gap[:1], (gap[1:] + gap[:-1]) / 2, gap[-1:]])
