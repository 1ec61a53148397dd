"""What was observed at the points of a design: numbers, vectors, distributions.

Every estimator here is linear in the values, so a distribution is fitted as its
quantile curve, a vector with one entry per level, and a point mass gives what its
number gives. The levels are remembered, because a fitted curve is a quantile function
only together with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.data.check import check_levels
from distcausal.data.distributions import RandomDistributions
from distcausal.data.quantiles import QuantileDistributions
from distcausal.design.check import responses
from distcausal.design.points import DesignPoints
from distcausal.errors import DataError
from distcausal.numerics.quantile import cell_masses

__all__ = ["Observed", "count_distinct", "evaluate", "observed"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observed:
    """Values at the points and what they are values of.

    Attributes
    ----------
    values
        Shape ``(..., point, response)``.
    scalar
        Whether there is one number per point and no axis of responses.
    levels
        Quantile levels of the responses, shape ``(response,)``; None for other values.
    """

    values: np.ndarray
    scalar: bool
    levels: np.ndarray | None

    @property
    def responses(self) -> int | None:
        """Number of values per point; None for a single one."""
        return None if self.scalar else self.values.shape[-1]

    def shaped(self, field: np.ndarray) -> np.ndarray:
        """Drop the last axis of a field where values are numbers."""
        return field[..., 0] if self.scalar else field

    def total(self, field: np.ndarray) -> np.ndarray:
        """Squared norm of values from squares along a last axis of responses.

        Squares of a curve count with the mass of their level: the norm of curves is the
        2-Wasserstein distance.
        """
        if self.levels is not None:
            return field @ cell_masses(self.levels)
        return field.sum(axis=-1)


def observed(y: Any, points: object, levels: object) -> Observed:
    """Check what was observed at the points.

    Raises
    ------
    DataError
        If ``points`` is not a `DesignPoints`, the shape of ``y`` does not fit it, a
        value is missing or infinite, or levels are needed and not given.
    """
    if not isinstance(points, DesignPoints):
        raise DataError(
            f"points should be what a design's sample() returned, not "
            f"{type(points).__name__}."
        )
    shape = points.values.shape[:-1]
    if isinstance(y, RandomDistributions):
        return _curves(y, shape, levels)
    values = responses(y, shape)
    scalar = np.ndim(y) == len(shape)
    if levels is None:
        return Observed(values=values, scalar=scalar, levels=None)
    grid = check_levels(levels)
    if scalar or values.shape[-1] != len(grid):
        found = "one value" if scalar else f"{values.shape[-1]} values"
        raise DataError(
            f"y should hold one value for each of the {len(grid)} levels at every "
            f"point; it holds {found}. Leave levels out unless y holds quantile curves."
        )
    return Observed(values=values, scalar=False, levels=grid)


def _curves(y: RandomDistributions, shape: tuple[int, ...], levels: object) -> Observed:
    """Quantile curves of units that are the points, in order."""
    if len(y) != np.prod(shape, dtype=int):
        raise DataError(
            f"y should hold one unit for each of the {np.prod(shape, dtype=int)} "
            f"points, in their order; it holds {len(y)}."
        )
    if levels is None and not isinstance(y, QuantileDistributions):
        raise DataError(
            f"levels should say where to read quantile curves off distributions in "
            f"{y.form} form, such as levels=numpy.arange(1, 100) / 100."
        )
    own = isinstance(y, QuantileDistributions) and levels is None
    grid = y.levels if own else check_levels(levels)  # type: ignore[attr-defined]
    curves = responses(y.quantiles(grid).reshape(*shape, len(grid)), shape)
    return Observed(values=curves, scalar=False, levels=grid)


def evaluate(points: DesignPoints, f: Callable[[np.ndarray], Any]) -> Any:
    """Evaluate a function at the points of a design, once at each distinct one.

    Designs with independent points on a finite space draw some of them several times;
    an expensive function should not be asked twice.

    Parameters
    ----------
    points
        What `sample` or `sample_many` of a design returned.
    f
        Takes distinct points, shape ``(point, dim)``, or their positions ``(point,)``
        on a finite space, and returns values along a first axis: numbers, vectors, or
        a `RandomDistributions`.

    Returns
    -------
    What `wls` takes as ``y``: values with the shape of the points before their own, or
    a `RandomDistributions` with one unit per point.

    Raises
    ------
    DataError
        If ``f`` does not return one value per point it was given.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.FiniteSpace(np.vander(np.linspace(-1, 1, 9), 3))
    >>> points = dc.IID(space, 30).sample(seed=1)
    >>> asked = []
    >>> y = dc.evaluate(points, lambda index: asked.extend(index) or np.sqrt(index))
    >>> y.shape, len(asked) == dc.wls(points, y).n_unique < 10
    ((30,), True)
    """
    shape = points.values.shape[:-1]
    first, place = _distinct(points)
    given = points.x if points.index is None else points.index
    assert given is not None  # one of the two is always there
    found = f(given.reshape(-1, *given.shape[len(shape) :])[first])
    if isinstance(found, RandomDistributions):
        _check_count(len(found), len(first))
        return found.take(place)
    values = np.asarray(found)
    _check_count(len(values) if values.ndim else 0, len(first))
    return values[place].reshape(*shape, *values.shape[1:])


def count_distinct(points: DesignPoints) -> int:
    """How many different points there are, over all draws."""
    if points.x is not None and points.index is None:
        # Points of a continuous measure differ in every coordinate, and sorting one
        # is far cheaper than sorting rows.
        one = points.x[..., 0].ravel()
        if np.unique(one).size == one.size:
            return one.size
    return len(_distinct(points)[0])


def _distinct(points: DesignPoints) -> tuple[np.ndarray, np.ndarray]:
    """First places of distinct points, and which of them every point is."""
    if points.index is not None:
        found = np.unique(points.index, return_index=True, return_inverse=True)
    else:
        source = points.values if points.x is None else points.x
        rows = source.reshape(-1, source.shape[-1])
        found = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return found[1], found[2].ravel()


def _check_count(found: int, asked: int) -> None:
    if found != asked:
        raise DataError(
            f"f should return one value for each of the {asked} points it is given, "
            f"along the first axis; it returned {found or 'a single number'}."
        )
