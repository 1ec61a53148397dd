"""The atoms form: mass on a finite set shared by all units.

Outcomes of few values, choices among labels, rows of a transition matrix: one unit per
input and its law over the outputs. Numbers have an order and so have quantiles, always
by the left-continuous inverse of the cdf; labels have none and refuse them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import Units
from distcausal.errors import DataError
from distcausal.numerics.quantile import first_reaching
from distcausal.numerics.wasserstein import Pieces

if TYPE_CHECKING:
    from distcausal.data.samples import SampleDistributions

__all__ = ["AtomDistributions"]


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AtomDistributions(RandomDistributions):
    """Mass of each unit on a common support.

    Attributes
    ----------
    support
        Distinct numbers in increasing order, or labels as given, shape ``(atom,)``.
    mass
        Share of each atom, shape ``(unit, atom)``; rows sum to one.
    counts
        Observations behind each unit, shape ``(unit,)``; infinite where exact.

    Examples
    --------
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_atoms(["left", "right"], [[0.25, 0.75]])
    >>> data.expect(lambda label: label == "right")
    array([0.75])
    """

    form: ClassVar[str] = "atoms"
    support: np.ndarray
    mass: np.ndarray
    counts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Observations behind each unit, shape ``(unit,)``; infinite where exact."""
        return self.counts

    @property
    def quantile_rule(self) -> str:
        """Always the left-continuous inverse of the cdf."""
        return "inverse"

    def mean(self) -> np.ndarray:
        """Mean of each unit's law, shape ``(unit,)``."""
        self._refuse_labels("a mean")
        return super().mean()

    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` over the support, which may hold labels; shape ``(unit,)``."""
        terms = np.asarray(f(self.support), dtype=float)
        if terms.shape != self.support.shape:
            raise DataError(
                f"f should return one number per atom, shape {self.support.shape}, but "
                f"returned shape {terms.shape}."
            )
        return self.mass @ terms

    @cached_property
    def _reached(self) -> np.ndarray:
        sums = np.cumsum(self.mass, axis=1)
        return sums / sums[:, -1:]

    def _refuse_labels(self, what: str) -> None:
        if self.support.dtype.kind not in "iufb":
            raise DataError(
                f"{what} needs an order, and the support is labels "
                f"({', '.join(map(str, self.support[:3]))}, ...). Give the atoms "
                "numbers, or use expect with a function of the labels."
            )

    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        self._refuse_labels("a quantile")
        return self.support[first_reaching(self._reached, levels)]

    def _cdf(self, points: np.ndarray) -> np.ndarray:
        self._refuse_labels("a cdf")
        start = np.concatenate([np.zeros((len(self), 1)), self._reached], axis=1)
        return start[:, np.searchsorted(self.support, points, side="right")]

    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        return self.support[first_reaching(self._reached, uniform)]

    def _take(self, index: np.ndarray | slice) -> AtomDistributions:
        return replace(
            self,
            units=self.units.take(index),
            mass=self.mass[index],
            counts=self.counts[index],
        )

    def _barycentre(self, share: np.ndarray) -> AtomDistributions:
        average = self._exact_samples()._barycentre(share)
        atoms = average.to_atoms()
        units = replace(atoms.units, origin=average.units.origin)
        return replace(atoms, units=units, counts=np.array([self.counts.sum()]))

    def _mixture(self, share: np.ndarray) -> AtomDistributions:
        units = Units(np.array(["mixture"]), origin=f"mixture of {len(self)} units")
        return replace(
            self,
            units=units,
            mass=(share @ self.mass)[None, :],
            counts=np.array([self.counts.sum()]),
        )

    def _pieces(self) -> list[Pieces]:
        self._refuse_labels("a distance")
        laws = []
        for mass, reached in zip(self.mass, self._reached, strict=True):
            held = self.support[mass > 0]
            laws.append(Pieces(reached[mass > 0], held, held))
        return laws

    def _exact_samples(self) -> SampleDistributions:
        from distcausal.data.samples import SampleDistributions

        self._refuse_labels("a sample of numbers")
        unit, atom = np.nonzero(self.mass)
        offsets = np.concatenate([[0], np.cumsum((self.mass > 0).sum(axis=1))])
        return SampleDistributions(
            units=self._derived("atoms as draws of their mass"),
            values=self.support[atom],
            offsets=offsets,
            weights=self.mass[unit, atom],
            rule="inverse",
        )

    def _facts(self) -> dict[str, str]:
        return {**super()._facts(), "atoms": str(len(self.support))}
