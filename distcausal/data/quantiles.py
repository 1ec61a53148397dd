"""The quantiles form: curves on a common grid of levels.

What is published for many countries and what estimators return. A matrix of a million
curves should be held once, so nothing here makes a second.

A unit's law puts the mass of a level's cell on its quantile. Averages of curves then
are averages of rows, and every distance between curves is exact for these laws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import Units
from distcausal.errors import DataError
from distcausal.numerics.quantile import cell_masses, read_curves, sample_cdf
from distcausal.numerics.ragged import row_blocks
from distcausal.numerics.wasserstein import Pieces

if TYPE_CHECKING:
    from distcausal.data.samples import SampleDistributions

__all__ = ["QuantileDistributions"]


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class QuantileDistributions(RandomDistributions):
    """Quantile curves, one row per unit.

    Attributes
    ----------
    levels
        Strictly increasing in (0, 1), shape ``(level,)``.
    curves
        Nondecreasing along levels, shape ``(unit, level)``, in units of the outcome.
    counts
        Observations behind each curve, shape ``(unit,)``; infinite where exact.

    Examples
    --------
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_quantiles([[1.0, 3.0]], [0.25, 0.75])
    >>> data.quantiles([0.25, 0.75]) is data.curves
    True
    """

    form: ClassVar[str] = "quantiles"
    levels: np.ndarray
    curves: np.ndarray
    counts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Observations behind each curve, shape ``(unit,)``; infinite where exact."""
        return self.counts

    @property
    def quantile_rule(self) -> str:
        """Stored levels as they are, between them by linear interpolation."""
        return "linear between levels"

    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` over the stored quantiles, weighted by their cells."""
        mass = cell_masses(self.levels)
        out = np.empty(len(self))
        for start, stop in self._blocks():
            block = self.curves[start:stop]
            terms = np.asarray(f(block), dtype=float)
            if terms.shape != block.shape:
                raise DataError(
                    f"f should return one number per outcome, shape {block.shape}, but "
                    f"returned shape {terms.shape}."
                )
            out[start:stop] = terms @ mass
        return out

    def _blocks(self) -> list[tuple[int, int]]:
        return list(row_blocks(np.arange(len(self) + 1), len(self.levels)))

    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        # Levels computed in another way, as k / 100 or 0.01 k, differ in the last bits.
        if levels.shape == self.levels.shape and np.allclose(
            levels, self.levels, rtol=0, atol=1e-14
        ):
            return self.curves
        return read_curves(self.levels, self.curves, levels)

    def _cdf(self, points: np.ndarray) -> np.ndarray:
        out = np.empty((len(self), len(points)))
        width = len(self.levels)
        mass = cell_masses(self.levels)
        for start, stop in self._blocks():
            block = self.curves[start:stop]
            offsets = np.arange(len(block) + 1) * width
            weights = np.tile(mass, len(block))
            out[start:stop] = sample_cdf(
                block.ravel(), offsets, points, weights=weights
            )
        return out

    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        cell = np.searchsorted(np.cumsum(cell_masses(self.levels))[:-1], uniform)
        return np.take_along_axis(self.curves, cell, axis=1)

    def _take(self, index: np.ndarray | slice) -> QuantileDistributions:
        return replace(
            self,
            units=self.units.take(index),
            curves=self.curves[index],
            counts=self.counts[index],
        )

    def _barycentre(self, share: np.ndarray) -> QuantileDistributions:
        units = Units(
            np.array(["barycentre"]), origin=f"barycentre of {len(self)} units"
        )
        # A weighted sum of increasing rows increases, but for the rounding of the sum.
        curve = np.maximum.accumulate(share @ self.curves)[None, :]
        return replace(
            self,
            units=units,
            curves=curve,
            counts=np.array([self.counts.sum()]),
        )

    def _mixture(self, share: np.ndarray) -> RandomDistributions:
        return self._exact_samples()._mixture(share)

    def _pieces(self) -> list[Pieces]:
        reached = np.cumsum(cell_masses(self.levels))
        return [Pieces(reached, row, row) for row in self.curves]

    def _exact_samples(self) -> SampleDistributions:
        from distcausal.data.samples import SampleDistributions

        mass = cell_masses(self.levels)
        even = np.ptp(mass) <= 1e-12
        units = self._derived("quantiles as draws of the mass of their cells")
        return SampleDistributions(
            units=units,
            values=self.curves.ravel(),
            offsets=np.arange(len(self) + 1) * len(self.levels),
            weights=None if even else np.tile(mass, len(self)),
            rule="inverse",
        )

    def _facts(self) -> dict[str, str]:
        grid = self.levels
        span = f"{len(grid)} from {grid[0]:g} to {grid[-1]:g}"
        return {**super()._facts(), "levels": span}
