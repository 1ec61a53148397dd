"""The bins form: mass in intervals, as statistical offices publish it.

Within a bin mass is spread evenly, so a unit's quantile function is piecewise linear
and everything below is exact for it. The first or last bin may be open; nothing is
known inside it, so questions whose answer lies there are refused rather than guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NoReturn, final

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import Units
from distcausal.errors import DataError, listing
from distcausal.numerics.quantile import first_reaching
from distcausal.numerics.wasserstein import Pieces

if TYPE_CHECKING:
    from distcausal.data.samples import SampleDistributions

__all__ = ["BinDistributions", "check_edges"]

NODES = 16  # Gauss nodes per bin: exact for polynomials of degree 31


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BinDistributions(RandomDistributions):
    """Mass of each unit in common intervals.

    Attributes
    ----------
    edges
        Strictly increasing, shape ``(bin + 1,)``; the outermost may be infinite.
    mass
        Share of each bin, shape ``(unit, bin)``; rows sum to one.
    counts
        Observations behind each unit, shape ``(unit,)``; infinite where exact.

    Examples
    --------
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_bins([0, 1, float("inf")], [[0.75, 0.25]])
    >>> data.quantiles([0.5])
    array([[0.66666667]])
    """

    form: ClassVar[str] = "bins"
    edges: np.ndarray
    mass: np.ndarray
    counts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Observations behind each unit, shape ``(unit,)``; infinite where exact."""
        return self.counts

    @property
    def quantile_rule(self) -> str:
        """Inverse of the cdf, which is linear within bins."""
        return "even within bins"

    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` by Gauss quadrature in every bin, shape ``(unit,)``.

        Exact for polynomials; of a function that jumps inside a bin, approximate.
        """
        self._refuse_open("an expectation")
        node, weight = np.polynomial.legendre.leggauss(NODES)
        closed = np.isfinite(np.diff(self.edges))
        low, high = self.edges[:-1][closed], self.edges[1:][closed]
        place = low[:, None] + (high - low)[:, None] * (node + 1) / 2
        terms = np.asarray(f(place), dtype=float)
        if terms.shape != place.shape:
            raise DataError(
                f"f should return one number per outcome, shape {place.shape}, but "
                f"returned shape {terms.shape}."
            )
        return self.mass[:, closed] @ (terms @ weight / 2)

    @cached_property
    def _reached(self) -> np.ndarray:
        sums = np.cumsum(self.mass, axis=1)
        return sums / sums[:, -1:]

    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        return self._invert(np.broadcast_to(levels, (len(self), len(levels))))

    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        cell = first_reaching(self._reached, uniform)
        low, high = self.edges[cell], self.edges[cell + 1]
        lost = ~(np.isfinite(low) & np.isfinite(high))
        if lost.any():
            self._raise_open(lost.any(axis=1), "a quantile")
        start = np.concatenate(
            [np.zeros((len(self), 1)), self._reached[:, :-1]], axis=1
        )
        before = np.take_along_axis(start, cell, axis=1)
        mass = np.take_along_axis(self._reached, cell, axis=1) - before
        part = np.clip((uniform - before) / np.where(mass > 0, mass, 1.0), 0, 1)
        return np.minimum(low + (high - low) * part, high)

    def _cdf(self, points: np.ndarray) -> np.ndarray:
        last = len(self.edges) - 2
        cell = np.clip(np.searchsorted(self.edges, points, side="right") - 1, 0, last)
        low, high = self.edges[cell], self.edges[cell + 1]
        inside = (points > low) & (points < high)
        closed = np.isfinite(low) & np.isfinite(high)
        lost = (inside & ~closed)[None, :] & (self.mass[:, cell] > 0)
        if lost.any():
            self._raise_open(lost.any(axis=1), "a share")
        part = np.where(points >= high, 1.0, 0.0)
        part[inside & closed] = ((points - low) / (high - low))[inside & closed]
        start = np.concatenate(
            [np.zeros((len(self), 1)), self._reached[:, :-1]], axis=1
        )
        return start[:, cell] + part * (self._reached[:, cell] - start[:, cell])

    def _refuse_open(self, what: str) -> None:
        lost = self.mass[:, ~np.isfinite(np.diff(self.edges))].sum(axis=1) > 0
        if lost.any():
            self._raise_open(lost, what)

    def _raise_open(self, units: np.ndarray, what: str) -> NoReturn:
        names = self.ids[units]
        raise DataError(
            f"{what} depends on how mass lies inside an open end bin, which is not "
            f"known, for {names.size} of {len(self)} units "
            f"({listing(names.tolist())}). Give the bin a finite edge, or ask within "
            "the closed bins."
        )

    def _take(self, index: np.ndarray | slice) -> BinDistributions:
        return replace(
            self,
            units=self.units.take(index),
            mass=self.mass[index],
            counts=self.counts[index],
        )

    def _barycentre(self, share: np.ndarray) -> BinDistributions:
        """Bins whose edges are the average quantiles where any unit's slope changes."""
        self._refuse_open("a barycentre")
        pieces = self._pieces()
        ends = np.unique(np.concatenate([law.reached for law in pieces]))
        starts = np.concatenate([[0.0], ends[:-1]])
        low, high = np.zeros(len(ends)), np.zeros(len(ends))
        for part, law in zip(share, pieces, strict=True):
            first, last = law.read(starts, ends)
            low += part * first
            high += part * last
        # Where every unit jumps, a bin without mass joins the two stretches.
        edges = np.unique(np.concatenate([low, high]))
        mass = np.zeros((1, len(edges) - 1))
        np.add.at(mass[0], np.searchsorted(edges, low), ends - starts)
        return self._one_unit("barycentre", edges, mass)

    def _mixture(self, share: np.ndarray) -> BinDistributions:
        return self._one_unit("mixture", self.edges, (share @ self.mass)[None, :])

    def _one_unit(
        self, name: str, edges: np.ndarray, mass: np.ndarray
    ) -> BinDistributions:
        units = Units(np.array([name]), origin=f"{name} of {len(self)} units")
        return BinDistributions(
            units=units,
            edges=edges,
            mass=mass / mass.sum(),
            counts=np.array([self.counts.sum()]),
        )

    def _pieces(self) -> list[Pieces]:
        self._refuse_open("a distance")
        laws = []
        for mass, reached in zip(self.mass, self._reached, strict=True):
            held = mass > 0
            laws.append(
                Pieces(reached[held], self.edges[:-1][held], self.edges[1:][held])
            )
        return laws

    def _exact_samples(self) -> SampleDistributions:
        raise DataError(
            "bins hold more values than can be listed. Give to_samples a size for "
            "random draws, or use to_quantiles."
        )


def check_edges(edges: object) -> np.ndarray:
    """Return bin edges as an array, strictly increasing, finite but for the ends."""
    array = np.asarray(edges, dtype=float)
    if array.ndim != 1 or array.size < 2:
        raise DataError(
            f"edges should be a list of at least 2 numbers, but has shape "
            f"{array.shape}."
        )
    if not np.isfinite(array[1:-1]).all() or np.isnan(array).any():
        raise DataError(
            "edges should be finite, but for a first one of -inf and a last one of inf."
        )
    if not (np.diff(array) > 0).all():
        at = int(np.flatnonzero(~(np.diff(array) > 0))[0])
        raise DataError(
            "edges should be strictly increasing, but "
            f"{array[at]:g} is followed by {array[at + 1]:g}."
        )
    return array


def bins_from_cdf(data: RandomDistributions, edges: object) -> BinDistributions:
    """Mass of each unit between edges, read off its cdf."""
    grid = check_edges(edges)
    inner = data.cdf(grid)
    start = np.where(np.isneginf(grid[0]), 0.0, inner[:, 0])
    outside = data.ids[(start > 0) | (inner[:, -1] < 1 - 1e-12)]
    if outside.size:
        raise DataError(
            f"edges should enclose all mass, but {outside.size} of {len(data)} units "
            f"have some at or below {grid[0]:g} or above {grid[-1]:g} "
            f"({listing(outside.tolist())}). Move the end edges, or open them with "
            "-inf and inf."
        )
    mass = np.diff(inner, axis=1)
    return BinDistributions(
        units=data._derived(f"bins of {data.form}"),
        edges=grid.copy(),
        mass=mass / mass.sum(axis=1, keepdims=True),
        counts=data.sizes,
    )
