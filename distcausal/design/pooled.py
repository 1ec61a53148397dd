"""Independent draws of a law pooled into one design.

Pooling projection processes is the most stable way known to place two or three points
per function. It does not keep least squares unbiased, except of course when a single
draw is pooled; weighted averages over the points stay unbiased, and so do estimates
that fit one part of the draws and correct it on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal._base.keys import branches
from distcausal._base.typing import Array
from distcausal.design.base import Law
from distcausal.design.check import Weight, optimal_share, whole_number
from distcausal.design.designs import (
    ProjectionDPP,
    VolumeSampling,
    check_sampler,
    check_size,
)
from distcausal.design.laws import INDEPENDENT, NONE, Guarantees
from distcausal.design.sampling import Sampler
from distcausal.design.spaces import Space
from distcausal.numerics.determinant import Draws

__all__ = ["RepeatedDPP", "RepeatedVolume"]


class _Pooled(Law):
    """Draws of one law side by side."""

    repeats: int

    @property
    def _one(self) -> ProjectionDPP | VolumeSampling:
        """The law that is drawn repeatedly."""
        raise NotImplementedError

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.blocks * self._one.n_points

    @property
    def blocks(self) -> int:
        """Number of draws pooled."""
        return int(self.repeats)

    def _make(self, keys: Array) -> Draws:
        lanes = np.repeat(np.arange(len(keys)), self.blocks)
        number = np.tile(np.arange(self.blocks), len(keys))
        sets = self._one._make(branches(keys, lanes, number))
        items = sets.items.reshape(len(keys), self.n_points, *sets.items.shape[2:])
        filled, lowest = (field.reshape(len(keys), self.blocks) for field in sets[1:])
        return Draws(items, np.min(filled, axis=1), np.min(lowest, axis=1))


@dataclass(frozen=True, eq=False)
class RepeatedDPP(_Pooled):
    """Independent draws of the projection process, pooled: ``repeats * m`` points.

    The most stable of the designs at two or three points per function. Pooling does
    not preserve unbiasedness: the coefficients have a small bias, and the residuals
    overstate the error of the best approximation.

    Attributes
    ----------
    space
        Functions and measure, as a `FiniteSpace` or any other space.
    repeats
        Number of draws pooled.
    sampler
        As in `ProjectionDPP`.

    Raises
    ------
    DesignError
        If ``repeats`` is not a whole number, 1 or more, or the sampler is not offered.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(9))
    >>> dc.RepeatedDPP(space, 3).sample(seed=1).x.shape
    (30, 1)
    """

    space: Space
    repeats: int
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        whole_number("repeats", self.repeats, 1)
        check_sampler(self.sampler, self.space)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "repeated"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return self._one.guarantees if self.repeats == 1 else INDEPENDENT

    def _arguments(self) -> dict[str, Any]:
        return {"repeats": int(self.repeats), "sampler": self.sampler}

    @property
    def _one(self) -> ProjectionDPP:
        return ProjectionDPP(self.space, self.sampler)


@dataclass(frozen=True, eq=False)
class RepeatedVolume(_Pooled):
    """Independent draws of volume sampling, pooled: ``repeats * size`` points.

    Each draw is fitted without bias by itself, so their average is unbiased and their
    spread is its standard error; fitted together they are more accurate and slightly
    biased. `cross_fitted_wls` is unbiased and uses all points.

    Attributes
    ----------
    space
        Functions and measure, as a `FiniteSpace` or any other space.
    repeats
        Number of draws pooled.
    size
        Points in each of them, at least m.
    weight
        As in `IID`.
    sampler
        As in `ProjectionDPP`.

    Raises
    ------
    DesignError
        If an argument is not as described.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> dc.RepeatedVolume(space, 3, 8).sample(seed=1).x.shape
    (24, 1)
    """

    space: Space
    repeats: int
    size: int
    weight: Weight = "christoffel"
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        whole_number("repeats", self.repeats, 1)
        check_size(self.size, self.space)
        optimal_share(self.weight)
        check_sampler(self.sampler, self.space)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "repeated volume"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        if self.repeats == 1:
            return self._one.guarantees
        return INDEPENDENT if self.share == 1 else NONE

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure."""
        return optimal_share(self.weight)

    def _arguments(self) -> dict[str, Any]:
        return {"repeats": self.blocks, **self._one._arguments()}

    @property
    def _one(self) -> VolumeSampling:
        return VolumeSampling(self.space, self.size, self.weight, self.sampler)
