"""Measures given by points, by a sampler, by a distribution or by a density.

Functions without a closed form are made orthonormal on reference points, so all a
measure has to give is points with masses. Where it can give others, independent of the
first, they tell how well the reference points stand for the measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal._base.keys import host_stream, stream
from distcausal._base.precision import double
from distcausal.design.arguments import finite_numbers
from distcausal.errors import DataError, DesignError

__all__ = ["BoxDensity", "is_sampled", "reference_points"]


@dataclass(frozen=True, eq=False)
class BoxDensity:
    """A measure with a density, known up to a factor, on a box.

    Attributes
    ----------
    density
        ``density(points)`` at points ``(point, dim)``: nonnegative, shape ``(point,)``.
    low, high
        Corners of the box, numbers in one dimension.

    Raises
    ------
    DesignError
        If the corners are not finite, or not in order.

    Notes
    -----
    Reference points are those of an additive recurrence with a random start, which fill
    the box evenly in any dimension, and have the density for mass.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import distcausal as dc
    >>> disc = dc.BoxDensity(lambda x: (x**2).sum(axis=1) < 1, [-1, -1], [1, 1])
    >>> space = dc.FeatureSpace(lambda x: jnp.array([1.0, x[0], x[1]]), disc)
    >>> space.size
    3
    """

    density: Callable[[Any], Any]
    low: Any
    high: Any

    def __post_init__(self) -> None:
        """Check the corners once, where they are written."""
        low, high = self.corners()
        if not (low < high).all():
            raise DesignError(
                f"low {self.low!r} should be below high {self.high!r} in every "
                "dimension."
            )

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners as arrays."""
        dim = np.size(self.low)
        low, high = (
            finite_numbers("low", self.low, dim),
            finite_numbers("high", self.high, dim),
        )
        return np.array(low), np.array(high)

    def points(self, count: int, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points that fill the box, from a random place on, and their densities."""
        low, high = self.corners()
        # The real root of z^(dim + 1) = z + 1 gives steps that are hard to combine.
        root = 2.0
        for _ in range(60):
            root = (1 + root) ** (1 / (len(low) + 1))
        steps = root ** -np.arange(1.0, len(low) + 1)
        places = (start + np.arange(count)[:, None] * steps) % 1.0
        points = low + (high - low) * places
        return points, np.asarray(double(self.density)(points), dtype=float)


def is_sampled(measure: Any) -> bool:
    """Whether a measure can give points independent of others it gave."""
    return isinstance(measure, BoxDensity) or _has_sample(measure) or callable(measure)


def _has_sample(measure: Any) -> bool:
    """Whether it is a distribution; frames have a method of that name too."""
    return hasattr(measure, "sample") and not hasattr(measure, "columns")


def reference_points(
    measure: Any, count: int, seed: int, stage: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Points ``(point, dim)`` of a measure, and their masses if they differ.

    Parameters
    ----------
    measure
        Points; a tuple of points and masses; ``measure(key, count)``; an object with
        ``sample(key, shape)``; or a `BoxDensity`.
    count
        How many, where the measure can be asked.
    seed, stage
        Name the random numbers.

    Raises
    ------
    DataError
        If points are not finite numbers, or there are none.
    """
    mass = None
    if isinstance(measure, BoxDensity):
        start = host_stream(seed, stage).random(np.size(measure.low))
        given, mass = measure.points(count, start)
    elif _has_sample(measure):
        given = double(lambda: measure.sample(stream(seed, stage), (count,)))()
    elif callable(measure):
        given = double(lambda: measure(stream(seed, stage), count))()
    elif isinstance(measure, tuple) and len(measure) == 2:
        given, mass = measure
    else:
        given = measure
    points = np.array(given, dtype=float)
    if points.ndim == 1:
        points = points[:, None]
    if points.ndim != 2 or 0 in points.shape or not np.isfinite(points).all():
        raise DataError(
            "the points of a measure should be finite numbers, one row per point; got "
            f"shape {points.shape} with {np.count_nonzero(~np.isfinite(points))} "
            "missing or infinite."
        )
    return points, None if mass is None else np.asarray(mass, dtype=float)
