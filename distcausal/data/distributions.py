"""`RandomDistributions`: the one model that every family of methods is written against.

A unit, such as a firm or a county, carries a distribution rather than a number. This
class holds many such units with what is known about each, and asks of its five final
forms only what differs between them: how a quantile, a share or an expectation is read
off what they store. Averages over units come in two kinds that are easily confused,
so both are named: `barycentre` averages quantile functions, `mixture` pools the laws.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal.data.check import check_levels
from distcausal.data.constructors import Constructors
from distcausal.data.units import (
    Missing,
    Units,
    frozen_view,
    positions,
    unit_column,
)
from distcausal.errors import DataError, check_choice, listing

if TYPE_CHECKING:
    from distcausal.data.bins import BinDistributions
    from distcausal.data.quantiles import QuantileDistributions
    from distcausal.data.samples import SampleDistributions
    from distcausal.numerics.wasserstein import Pieces

__all__ = ["RandomDistributions", "Summary"]


@dataclass(frozen=True)
class Summary:
    """Text that shows itself when printed or evaluated."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RandomDistributions(Constructors, ABC):
    """Units that each carry a distribution, with named columns.

    Made by one of the ``from_`` constructors; never changed afterwards. `take` and
    `with_columns` return new objects that share memory with the old.

    Examples
    --------
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_samples(
    ...     [[1.0, 3.0, 2.0], [4.0, 8.0]], columns={"margin": [-0.1, 0.2]}
    ... )
    >>> data
    RandomDistributions(samples form, 2 units, 5 observations, columns: margin)
    >>> data.quantiles([0.25, 0.5])
    array([[1.5, 2. ],
           [5. , 6. ]])
    """

    units: Units
    form: ClassVar[str]

    def __post_init__(self) -> None:
        """Keep every array as a read-only view."""
        for name, held in vars(self).items():
            if isinstance(held, np.ndarray):
                object.__setattr__(self, name, frozen_view(held))

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        seen = self.sizes.sum()
        much = f", {int(seen)} observations" if np.isfinite(seen) else ""
        return (
            f"RandomDistributions({self.form} form, {len(self)} units{much}, columns: "
            f"{self._column_names()})"
        )

    @property
    def ids(self) -> np.ndarray:
        """Label of each unit, shape ``(unit,)``."""
        return self.units.ids

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """Read-only mapping from name to array with one entry per unit."""
        return self.units.view()

    @property
    def missing(self) -> Missing:
        """What was dropped when the data were read; false if nothing was."""
        return self.units.missing

    @property
    @abstractmethod
    def sizes(self) -> np.ndarray:
        """Observations behind each unit, shape ``(unit,)``; infinite where exact."""

    @property
    @abstractmethod
    def quantile_rule(self) -> str:
        """How curves are read off what is stored."""

    @property
    def has_weights(self) -> bool:
        """Whether draws within units carry weights."""
        return False

    def without_weights(self) -> RandomDistributions:
        """Return the same draws with equal weights; forms without draws as they are."""
        return self

    def quantiles(self, levels: object) -> np.ndarray:
        """Quantile curves by the rule stored with the data.

        Parameters
        ----------
        levels
            Strictly increasing in (0, 1).

        Returns
        -------
        Read-only float64 array ``(unit, level)`` in the units of the outcome. The
        quantiles form, asked for its own levels, gives its matrix without a copy.

        Raises
        ------
        DataError
            If the levels are not strictly increasing in (0, 1).
        """
        return frozen_view(self._quantiles(check_levels(levels)))

    def cdf(self, points: object) -> np.ndarray:
        """Share of each unit's law at or below every point.

        Parameters
        ----------
        points
            In the units of the outcome, shape ``(point,)``, in any order.

        Returns
        -------
        Shape ``(unit, point)``.
        """
        places = np.atleast_1d(np.asarray(points, dtype=float))
        if places.ndim != 1 or np.isnan(places).any():
            raise DataError("points should be a list of numbers, none of them missing.")
        return frozen_view(self._cdf(places))

    def mean(self) -> np.ndarray:
        """Mean of each unit's law, shape ``(unit,)``."""
        return self.expect(lambda value: value)

    @abstractmethod
    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` under each unit's law.

        Parameters
        ----------
        f
            Takes an array of outcomes and returns an array of the same shape.

        Returns
        -------
        Shape ``(unit,)``.
        """

    def sample(self, size: int, seed: Any = 0) -> np.ndarray:
        """Draw from each unit's law, independently.

        Parameters
        ----------
        size
            Draws per unit.
        seed
            Integer or JAX key. A unit's draws depend on the seed and on its position,
            not on how many units follow.

        Returns
        -------
        Shape ``(unit, size)``.

        Raises
        ------
        DataError
            If ``size`` is not a positive whole number.
        """
        whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
        if not whole or size < 1:
            raise DataError(
                f"size {size!r} should be a positive whole number of draws."
            )
        # JAX is loaded only by those who draw.
        import jax

        from distcausal._base.keys import by_unit, stream
        from distcausal._base.precision import double

        numbers = jax.numpy.arange(len(self))
        uniform = np.asarray(
            double(by_unit)(jax.random.uniform, stream(seed, "sample"), numbers, size)
        )
        # Zero has no quantile; half the spacing of the generator's grid does.
        return frozen_view(self._invert(np.maximum(uniform.T, 2.0**-54)))

    def take(self, index: object) -> RandomDistributions:
        """Keep some units, in the order given.

        Parameters
        ----------
        index
            Positions, a slice, or one truth value per unit. A run of consecutive
            positions shares memory with the original.
        """
        return self._take(positions(index, len(self)))

    def with_columns(
        self, columns: Mapping[str, object] | None = None, /, **more: object
    ) -> RandomDistributions:
        """Add or replace columns, given as a mapping or as keywords."""
        return replace(self, units=self.units.with_columns({**(columns or {}), **more}))

    def to_quantiles(self, levels: object) -> QuantileDistributions:
        """Keep only the quantiles at these levels; what lies between is lost."""
        from distcausal.data.quantiles import QuantileDistributions

        grid = check_levels(levels).copy()
        curves = self._quantiles(grid)
        units = self._derived(f"quantiles of {self.form} by rule {self.quantile_rule}")
        return QuantileDistributions(
            units=units, levels=grid, curves=curves, counts=self.sizes
        )

    def to_samples(self, size: int | None = None, seed: Any = 0) -> SampleDistributions:
        """Represent each law by draws.

        Parameters
        ----------
        size
            Random draws per unit. Without it the law must have finitely many values,
            which become weighted draws; nothing is lost.
        seed
            Integer or JAX key, used with ``size``.
        """
        from distcausal.data.samples import SampleDistributions

        if size is None:
            return self._exact_samples()
        values = np.sort(self.sample(size, seed), axis=1).ravel()
        units = self._derived(f"{size} random draws per unit from {self.form}")
        offsets = np.arange(len(self) + 1) * size
        return SampleDistributions(units=units, values=values, offsets=offsets)

    def to_bins(self, edges: object) -> BinDistributions:
        """Keep only the mass between edges; a value on an edge counts below it.

        Raises
        ------
        DataError
            If some unit has mass outside the edges.
        """
        from distcausal.data.bins import bins_from_cdf

        return bins_from_cdf(self, edges)

    def barycentre(self, weights: object = None) -> RandomDistributions:
        """Average the quantile functions of the units.

        The law closest to all units in the sum of squared 2-Wasserstein distances.

        Parameters
        ----------
        weights
            Nonnegative, one per unit or the name of a column; equal by default.

        Returns
        -------
        One unit, in the same form. Of samples it is the exact barycentre of the
        empirical laws; to average curves read by an interpolating rule instead, use
        ``data.to_quantiles(levels).barycentre()``.

        References
        ----------
        Agueh and Carlier (2011), *SIAM Journal on Mathematical Analysis* 43(2).

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_samples([[0.0, 2.0], [10.0, 20.0]])
        >>> data.barycentre().values
        array([ 5., 11.])
        """
        share = self._shares(weights)
        return self.take(share > 0)._barycentre(share[share > 0])

    def mixture(self, weights: object = None) -> RandomDistributions:
        """Pool the units: the law of a draw from a unit chosen at random.

        Parameters
        ----------
        weights
            Nonnegative, one per unit or the name of a column; equal by default.

        Returns
        -------
        One unit. The quantiles form gives samples, the others their own form.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_samples([[0.0, 2.0], [10.0, 20.0]])
        >>> data.mixture().quantiles([0.25, 0.5, 0.75])
        array([[ 1.5,  6. , 12.5]])
        """
        share = self._shares(weights)
        return self.take(share > 0)._mixture(share[share > 0])

    def distance(self, other: RandomDistributions, metric: str = "w2") -> np.ndarray:
        """Distance between the laws of corresponding units.

        Parameters
        ----------
        other
            As many units, or one unit that all are compared with.
        metric
            ``"w1"``, ``"w2"``, ``"winf"``: Wasserstein, in the units of the outcome.
            ``"energy"``: twice the integral of the squared difference of the cdfs.
            ``"ks"``: the largest difference of the cdfs.

        Returns
        -------
        Shape ``(unit,)``. Exact for the laws stored; the law form is replaced by its
        quantiles at 1,000 midpoint levels.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_samples([[0.0, 2.0], [10.0, 20.0]])
        >>> data.distance(data.take([0]), metric="w1")
        array([ 0., 14.])
        """
        from distcausal.numerics.wasserstein import METRICS, distance

        check_choice("metric", metric, METRICS)
        if not isinstance(other, RandomDistributions):
            raise DataError(
                "other should be RandomDistributions, but is a "
                f"{type(other).__name__}. RandomDistributions.from_samples makes one."
            )
        if len(other) not in (1, len(self)):
            raise DataError(
                f"other should have {len(self)} units, or one to compare all with, but "
                f"has {len(other)}. Use take to choose."
            )
        mine, theirs = self._pieces(), other._pieces()
        if len(other) == 1:
            theirs = theirs * len(self)
        pairs = zip(mine, theirs, strict=True)
        return np.array([distance(one, two, metric) for one, two in pairs])

    def summary(self) -> Summary:
        """What is held, in a few printable lines.

        Examples
        --------
        >>> import distcausal as dc
        >>> dc.RandomDistributions.from_samples([[1.0, 3.0], [4.0]]).summary()
        RandomDistributions: 2 units, samples form
          ids          0, 1
          columns      none
          quantiles    linear
          observations 3, per unit: least 1, median 1.5, most 2
          of one draw  1 of 2 units: 1
          weights      no
          dropped      nothing
        """
        lines = [f"RandomDistributions: {len(self)} units, {self.form} form"]
        entries = {
            "ids": listing(self.ids[:6].tolist(), most=5)
            if len(self) <= 6
            else f"{listing(self.ids[:3].tolist())}, ..., {self.ids[-1]}",
            "columns": self._column_names(),
            "quantiles": self.quantile_rule,
            **self._facts(),
            "dropped": str(self.missing),
        }
        if self.units.origin:
            entries["origin"] = self.units.origin
        lines += [f"  {name:<12} {text}" for name, text in entries.items()]
        return Summary("\n".join(lines))

    def _column_names(self) -> str:
        shown = (
            name if column.ndim == 1 else f"{name} {column.shape[1:]}"
            for name, column in self.columns.items()
        )
        return listing(shown, most=8) or "none"

    def _facts(self) -> dict[str, str]:
        """Say what else the summary should: sizes where they are finite."""
        if not np.isfinite(self.sizes).all():
            return {"observations": "exact laws"}
        least, most = self.sizes.min(), self.sizes.max()
        facts = {
            "observations": f"{self.sizes.sum():.0f}, per unit: least {least:.0f}, "
            f"median {np.median(self.sizes):g}, most {most:.0f}"
        }
        single = self.ids[self.sizes == 1]
        if single.size:
            facts["of one draw"] = (
                f"{single.size} of {len(self)} units: {listing(single.tolist())}"
            )
        return facts

    def _shares(self, weights: object) -> np.ndarray:
        """Weights of units as shares of one."""
        if weights is None:
            return np.full(len(self), 1 / len(self))
        share = unit_column(self, weights, argument="weights").astype(float)
        if share.ndim != 1 or not np.isfinite(share).all() or (share < 0).any():
            bad = ~(np.isfinite(share) & (share >= 0))
            named = listing(self.ids[bad]) if share.ndim == 1 else "any unit"
            raise DataError(
                "weights should be one finite number of at least 0 per unit; not so "
                f"for {named}. Drop these units with take."
            )
        if share.sum() == 0:
            raise DataError("weights are 0 for every unit. Give some unit weight.")
        return share / share.sum()

    def _derived(self, origin: str) -> Units:
        return replace(self.units, origin=origin)

    @abstractmethod
    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Curves at checked levels."""

    @abstractmethod
    def _cdf(self, points: np.ndarray) -> np.ndarray:
        """Shares at checked points."""

    @abstractmethod
    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        """Generalised inverse of each unit's cdf at its own row of ``uniform``."""

    @abstractmethod
    def _take(self, index: np.ndarray | slice) -> RandomDistributions:
        """Units at checked positions."""

    @abstractmethod
    def _barycentre(self, share: np.ndarray) -> RandomDistributions:
        """Average curve with positive shares that sum to one."""

    @abstractmethod
    def _mixture(self, share: np.ndarray) -> RandomDistributions:
        """Pooled law with positive shares that sum to one."""

    @abstractmethod
    def _pieces(self) -> list[Pieces]:
        """Each law as masses spread evenly over intervals, or on points."""

    @abstractmethod
    def _exact_samples(self) -> SampleDistributions:
        """Each law as weighted draws, or a `DataError` that asks for a size."""
