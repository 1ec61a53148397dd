"""The samples form: each unit holds its own draws, as many as it has.

The usual form, and the only one that keeps everything that was observed. Draws are
sorted once, when the object is made, so every later question is a look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from distcausal.data.check import check_rule
from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import Units
from distcausal.errors import DataError
from distcausal.numerics.quantile import WEIGHTED_RULES, sample_cdf, sample_quantiles
from distcausal.numerics.ragged import cumulative_shares, segment_sums
from distcausal.numerics.wasserstein import Pieces, average_steps

if TYPE_CHECKING:
    from distcausal.data.atoms import AtomDistributions

__all__ = ["SampleDistributions"]


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SampleDistributions(RandomDistributions):
    """Ragged samples, one per unit.

    Attributes
    ----------
    values
        Draws of all units end to end, shape ``(draw,)``, increasing within each unit.
    offsets
        Unit ``i`` holds ``values[offsets[i]:offsets[i + 1]]``; shape ``(unit + 1,)``.
    weights
        Positive weight of each draw, or None. Only their size relative to the unit's
        other draws matters.
    rule
        Rule of `distcausal.numerics.quantile` by which curves are read.

    Examples
    --------
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_samples([[3.0, 1.0], [2.0]])
    >>> data.values, data.offsets
    (array([1., 3., 2.]), array([0, 2, 3]))
    """

    form: ClassVar[str] = "samples"
    values: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray | None = None
    rule: str = "linear"

    @property
    def sizes(self) -> np.ndarray:
        """Draws of each unit, shape ``(unit,)``."""
        return np.diff(self.offsets).astype(float)

    @property
    def quantile_rule(self) -> str:
        """Rule chosen at construction."""
        return self.rule

    @property
    def has_weights(self) -> bool:
        """Whether draws carry weights."""
        return self.weights is not None

    def without_weights(self) -> SampleDistributions:
        """Return the same draws with equal weights.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_samples(
        ...     [[1.0, 3.0]], weights=[[1.0, 3.0]]
        ... )
        >>> data.mean(), data.without_weights().mean()
        (array([2.5]), array([2.]))
        """
        return replace(self, weights=None)

    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` over each unit's draws, shape ``(unit,)``."""
        terms = np.asarray(f(self.values), dtype=float)
        if terms.shape != self.values.shape:
            raise DataError(
                f"f should return one number per outcome, shape {self.values.shape}, "
                f"but returned shape {terms.shape}."
            )
        if self.weights is None:
            return segment_sums(terms, self.offsets) / self.sizes
        total = segment_sums(self.weights, self.offsets)
        return segment_sums(terms * self.weights, self.offsets) / total

    def to_atoms(self) -> AtomDistributions:
        """Put all units on the set of values that occur; for outcomes of few values.

        Examples
        --------
        >>> import distcausal as dc
        >>> atoms = dc.RandomDistributions.from_samples([[0, 1, 1], [0, 2]]).to_atoms()
        >>> atoms.support, atoms.mass[1]
        (array([0., 1., 2.]), array([0.5, 0. , 0.5]))
        """
        from distcausal.data.atoms import AtomDistributions

        support, place = np.unique(self.values, return_inverse=True)
        unit = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        cells = len(self) * len(support)
        mass = np.bincount(
            unit * len(support) + place, weights=self.weights, minlength=cells
        ).reshape(len(self), len(support))
        mass = mass / mass.sum(axis=1, keepdims=True)
        units = self._derived("atoms of samples")
        return AtomDistributions(
            units=units, support=support, mass=mass, counts=self.sizes
        )

    @cached_property
    def _cumulative(self) -> np.ndarray:
        if self.weights is not None:
            return cumulative_shares(self.weights, self.offsets)
        sizes = np.diff(self.offsets)
        rank = np.arange(1, len(self.values) + 1) - np.repeat(self.offsets[:-1], sizes)
        return rank / np.repeat(sizes, sizes)

    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        check_rule(self.rule, weighted=self.has_weights)
        return sample_quantiles(
            self.values, self.offsets, levels, rule=self.rule, weights=self.weights
        )

    def _cdf(self, points: np.ndarray) -> np.ndarray:
        return sample_cdf(self.values, self.offsets, points, weights=self.weights)

    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        # Unit numbers keep the units apart; the digits they cost do not matter to draws
        # that are random anyway.
        unit = np.arange(len(self))[:, None]
        key = self._cumulative + np.repeat(unit.ravel(), np.diff(self.offsets))
        at = np.searchsorted(key, uniform + unit)
        return self.values[
            np.clip(at, self.offsets[:-1, None], self.offsets[1:, None] - 1)
        ]

    def _take(self, index: np.ndarray | slice) -> SampleDistributions:
        units = self.units.take(index)
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            offsets = self.offsets[start : stop + 1]
            run = slice(offsets[0], offsets[-1])
            weights = None if self.weights is None else self.weights[run]
            return replace(
                self,
                units=units,
                values=self.values[run],
                offsets=offsets - offsets[0],
                weights=weights,
            )
        sizes = np.diff(self.offsets)[index]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(self.offsets[:-1][index] - offsets[:-1], sizes)
        entries = np.arange(offsets[-1]) + shift
        return replace(
            self,
            units=units,
            values=self.values[entries],
            offsets=offsets,
            weights=None if self.weights is None else self.weights[entries],
        )

    def _barycentre(self, share: np.ndarray) -> SampleDistributions:
        values, weights = average_steps(
            self.values, self._cumulative, self.offsets, share
        )
        return self._one_unit("barycentre", values, weights)

    def _mixture(self, share: np.ndarray) -> SampleDistributions:
        mass = np.diff(self._cumulative, prepend=0.0)
        mass[self.offsets[:-1]] = self._cumulative[self.offsets[:-1]]
        mass *= np.repeat(share, np.diff(self.offsets))
        order = np.lexsort((mass, self.values))
        return self._one_unit("mixture", self.values[order], mass[order])

    def _one_unit(
        self, name: str, values: np.ndarray, weights: np.ndarray
    ) -> SampleDistributions:
        """One unit of weighted draws; without weights where they are equal.

        A rule that has no meaning for weights gives way to the inverse of the cdf.
        """
        equal = np.ptp(weights) <= 1e-9 * weights.max()  # sums of shares round
        rule = self.rule if equal or self.rule in WEIGHTED_RULES else "inverse"
        units = Units(np.array([name]), origin=f"{name} of {len(self)} units")
        offsets = np.array([0, len(values)])
        return SampleDistributions(
            units=units,
            values=values,
            offsets=offsets,
            weights=None if equal else weights,
            rule=rule,
        )

    def _pieces(self) -> list[Pieces]:
        cuts = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        runs = [slice(start, stop) for start, stop in cuts]
        return [
            Pieces(self._cumulative[run], self.values[run], self.values[run])
            for run in runs
        ]

    def _exact_samples(self) -> SampleDistributions:
        return self

    def _facts(self) -> dict[str, str]:
        facts = {**super()._facts(), "weights": "yes" if self.has_weights else "no"}
        if self.weights is not None:
            total = segment_sums(self.weights, self.offsets)
            effective = total**2 / segment_sums(self.weights**2, self.offsets)
            uneven = int((effective < 0.1 * self.sizes).sum())
            facts["effective"] = (
                f"least {effective.min():.3g} equally weighted draws; below a tenth of "
                f"the draws in {uneven} units"
            )
        inside = np.ones(len(self.values), dtype=bool)
        inside[self.offsets[:-1]] = False
        tied = inside & (np.diff(self.values, prepend=np.nan) == 0)
        if tied.mean() > 0.2:
            facts["ties"] = (
                f"{tied.mean():.0%} of draws repeat another of their unit: rules that "
                'interpolate mislead; quantile_rule="inverse" does not'
            )
        return facts
