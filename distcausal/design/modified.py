"""Designs with points taken out or added.

They look at points only, never at values. Taking points out of volume sampling in the
right random way, or adding independent ones, leaves volume sampling of another size, so
fits stay unbiased. Taking out those that stability needs least trades that for a
design far more stable than any drawn at its size.

For a given seed each of them changes the very points that the design it is made from
would draw: the points of ``design.extended(5)`` begin with those of ``design``, so a
design already evaluated is never evaluated again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal._base.keys import stages
from distcausal._base.precision import double
from distcausal._base.typing import Array
from distcausal.design.base import Design, Drawn
from distcausal.design.check import whole_number
from distcausal.design.laws import INDEPENDENT, Guarantees, volume
from distcausal.design.sampling import independent
from distcausal.design.selected import Modified
from distcausal.errors import ConvergenceError, DesignError, listing
from distcausal.numerics.thinning import keep_greedily, keep_randomly

__all__ = ["Extended", "Greedy", "Thinned"]

_RESOLVED = 1e-8  # relative error of a row from which its leverage is known


@dataclass(frozen=True, eq=False)
class Greedy(Modified):
    """Points of a design less those it needs least.

    Points are taken out one after the other, each time the one without which
    ``|G - I|`` is smallest, until ``size`` are left. Near m points this is far more
    stable than any design drawn at that size.

    Attributes
    ----------
    base
        Design to draw from.
    size
        Points to keep, from m to those of the design.

    Raises
    ------
    DesignError
        If ``size`` is not in that range.

    References
    ----------
    Haberstich, Nouy and Perrin (2022), arXiv:1912.07075.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> dc.RepeatedDPP(space, 4).greedy(6).sample(seed=1).n_points
    6
    """

    base: Design
    size: int

    def __post_init__(self) -> None:
        """Check the size once, where it is written."""
        _check_part(self.size, self.base)

    @property
    def law(self) -> str:
        """Name of the law."""
        return f"greedy {self.base.law}"

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return int(self.size)

    def _arguments(self) -> dict[str, Any]:
        return {**self.base._arguments(), "kept": self.n_points}

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        drawn = self.base._drawn(keys, kept)
        rows = self._scaled(drawn.items)
        chosen = double(keep_greedily)(rows, size=self.n_points)
        return drawn._replace(items=_taken(drawn.items, chosen))


@dataclass(frozen=True, eq=False)
class Thinned(Modified):
    """Volume sampling with fewer points, out of the points of a larger one.

    A point is taken out with probability proportional to one minus its leverage in the
    fit, until ``size`` are left. What is left is volume sampling with that many points,
    exactly; independent points stay independent whichever are taken out.

    Attributes
    ----------
    base
        A `VolumeSampling` or `IID` design, or one extended or thinned from it.
    size
        Points to keep, from m to those of the design.

    Raises
    ------
    DesignError
        If ``size`` is not in that range, or the design has another law.

    References
    ----------
    Derezinski and Warmuth (2018) for sampling without replacement.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> points = dc.VolumeSampling(space, 12).thinned(7).sample(seed=1)
    >>> points.law, points.n_points
    ('volume', 7)
    """

    base: Design
    size: int

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        _check_part(self.size, self.base)
        _check_law("thinned", self.base, ("volume", "iid"))

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return self.base.guarantees

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return int(self.size)

    @property
    def blocks(self) -> int:
        """As of the law thinned, with fewer points."""
        return self.n_points if self.law == "iid" else 1

    def _arguments(self) -> dict[str, Any]:
        return {**self.base._arguments(), "kept": self.n_points}

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        drawn = self.base._drawn(keys, kept)
        if self.law == "iid":
            return drawn._replace(items=drawn.items[:, : self.n_points])
        own = stages(keys, f"thinned {self.depth}")
        rows = self._scaled(drawn.items)
        left = double(keep_randomly)(rows, own, size=self.n_points)
        if not left.error.max() <= _RESOLVED:
            raise ConvergenceError(
                f"functions at the points differ in length by so many digits that "
                f"rounding decides which to take out (relative error "
                f"{left.error.max():.1e}). Use the optimal weights, or fewer functions."
            )
        return drawn._replace(items=_taken(drawn.items, left.kept))


@dataclass(frozen=True, eq=False)
class Extended(Modified):
    """Volume sampling with more points, beginning with the points of a smaller one.

    Independent points are added at the end. Volume sampling so extended is volume
    sampling, exactly, whose fits stay unbiased: evaluate a few points, look at the
    estimated error, and go on where it is too large.

    Attributes
    ----------
    base
        A `VolumeSampling`, `ProjectionDPP` or `IID` design, or one extended or thinned
        from it.
    extra
        Number of points to add.

    Raises
    ------
    DesignError
        If ``extra`` is not a whole number, 1 or more, or the design has another law.

    References
    ----------
    Derezinski, Warmuth and Hsu (2022), JMLR 23(167).

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> design = dc.VolumeSampling(space, 7)
    >>> more = design.extended(3).sample(seed=1).x
    >>> bool(np.array_equal(more[:7], design.sample(seed=1).x))
    True
    """

    base: Design
    extra: int

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        whole_number("extra", self.extra, 1)
        _check_law("extended", self.base, ("volume", "projection", "iid"))

    @property
    def law(self) -> str:
        """Name of the law."""
        return "iid" if self.base.law == "iid" else "volume"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return INDEPENDENT if self.law == "iid" else volume(self.share)

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.base.n_points + int(self.extra)

    @property
    def blocks(self) -> int:
        """As of the law extended, with more points."""
        return self.n_points if self.law == "iid" else 1

    def _arguments(self) -> dict[str, Any]:
        return {**self.base._arguments(), "extra": int(self.extra)}

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        drawn = self.base._drawn(keys, kept)
        own = stages(keys, f"extended {self.depth}")
        added = double(independent)(self.space, self.share, own, int(self.extra))
        return drawn._replace(items=np.concatenate([drawn.items, added], axis=1))


def _check_part(size: object, base: Design) -> None:
    kept, most = whole_number("size", size, 1), base.n_points
    if not base.space.size <= kept <= most:
        raise DesignError(
            f"size {kept} should be from {base.space.size}, the number of functions, "
            f"to {most}, the points of the design."
        )


def _check_law(verb: str, base: Design, laws: tuple[str, ...]) -> None:
    if base.law not in laws:
        raise DesignError(
            f"only {listing(laws)} designs can be {verb} with their law known; this "
            f"one is {base.law!r}. Draw another size, or start from VolumeSampling."
        )


def _taken(items: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Items at the positions chosen in every draw."""
    return items[np.arange(len(items))[:, None], chosen]
