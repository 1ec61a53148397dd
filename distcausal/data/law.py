"""The law form: a family of laws with one row of parameters per unit.

For simulation, for tests against known truth, and for estimators that return fitted
families. A family is two functions, the quantile function and the cdf, and everything
else is an integral of the first over (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import Units, frozen_view
from distcausal.errors import DataError, listing
from distcausal.numerics.wasserstein import Pieces

if TYPE_CHECKING:
    from distcausal.data.samples import SampleDistributions

__all__ = ["Family", "LawDistributions", "read_family"]

DISTANCE_LEVELS = 1000
BISECTIONS = 200  # halvings that exhaust a double wherever the bracket starts
NODES = 241
REACH = 3.7  # beyond it the weights of the quadrature fall below rounding


class Family(Protocol):
    """Quantile function and cdf, given parameters of shape ``(unit, 1)``."""

    @property
    def quantile(self) -> Callable[..., np.ndarray]:
        """Called with levels ``(unit or 1, level)``; returns ``(unit, level)``."""

    @property
    def cdf(self) -> Callable[..., np.ndarray]:
        """Called with points ``(1, point)``; returns ``(unit, point)``."""


@dataclass(frozen=True)
class Functions:
    """A family given by two functions."""

    quantile: Callable[..., np.ndarray]
    cdf: Callable[..., np.ndarray]


@dataclass(frozen=True)
class ScipyFamily:
    """A continuous distribution of `scipy.stats`."""

    law: Any

    def quantile(self, levels: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Quantiles of the scipy family."""
        return self.law.ppf(levels, **parameters)

    def cdf(self, points: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Shares of the scipy family."""
        return self.law.cdf(points, **parameters)


@dataclass(frozen=True)
class NumpyroFamily:
    """A class of numpyro distributions with ``icdf`` and ``cdf``."""

    law: Any

    def quantile(self, levels: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Quantiles of the numpyro family, in float64."""
        return self._evaluate("icdf", levels, parameters)

    def cdf(self, points: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Shares of the numpyro family, in float64."""
        return self._evaluate("cdf", points, parameters)

    def _evaluate(
        self, method: str, at: np.ndarray, parameters: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        from distcausal._base.precision import double

        return double(lambda: getattr(self.law(**parameters), method)(at))()


@dataclass(frozen=True)
class Average:
    """Average quantile function of several laws."""

    data: LawDistributions
    share: np.ndarray

    def quantile(self, levels: np.ndarray) -> np.ndarray:
        """Average of the units' quantiles."""
        return (self.share @ self.data._invert(levels))[None, :]

    def cdf(self, points: np.ndarray) -> np.ndarray:
        """Inverse of the average quantile function, by bisection."""
        low, high = np.zeros(points.size), np.ones(points.size)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self.quantile(middle[None, :])[0] <= points.ravel()
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return low[None, :]


@dataclass(frozen=True)
class Pool:
    """Average cdf of several laws."""

    data: LawDistributions
    share: np.ndarray

    def quantile(self, levels: np.ndarray) -> np.ndarray:
        """Inverse of the average cdf, between the units' extreme quantiles."""
        wanted = levels.ravel()
        each = self.data._invert(wanted[None, :])
        low, high = each.min(axis=0), each.max(axis=0)
        for _ in range(BISECTIONS):
            middle = low + (high - low) / 2
            reached = self.share @ self.data._cdf(middle) >= wanted
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return high.reshape(levels.shape)

    def cdf(self, points: np.ndarray) -> np.ndarray:
        """Average of the units' shares."""
        return (self.share @ self.data._cdf(points.ravel()))[None, :]


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LawDistributions(RandomDistributions):
    """A family of laws, one set of parameters per unit.

    Attributes
    ----------
    family
        Has ``quantile(levels, **parameters)`` and ``cdf(points, **parameters)``.
    parameters
        Name to array with one entry per unit.

    Examples
    --------
    >>> import scipy.stats
    >>> import distcausal as dc
    >>> data = dc.RandomDistributions.from_law(
    ...     scipy.stats.norm, {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}
    ... )
    >>> data.quantiles([0.5]).ravel()
    array([0., 1.])
    """

    form: ClassVar[str] = "law"
    family: Family
    parameters: dict[str, np.ndarray]

    @property
    def sizes(self) -> np.ndarray:
        """Infinite: the laws are exact."""
        return np.full(len(self), np.inf)

    @property
    def quantile_rule(self) -> str:
        """The family's own quantile function."""
        return "exact"

    def expect(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean of ``f`` as the integral of ``f`` over the quantile function.

        By double exponential quadrature, which bears infinite ends of (0, 1); about
        eight digits for smooth functions and light tails. An expectation that is
        infinite is not recognised as such.
        """
        step = np.linspace(-REACH, REACH, NODES)
        slope = np.pi / 2 * np.sinh(step)
        level = 1 / (1 + np.exp(-2 * slope))
        density = np.cosh(step) / np.cosh(slope) ** 2
        inner = (level > 0) & (level < 1)
        values = self._invert(level[inner][None, :])
        terms = np.asarray(f(values), dtype=float)
        if terms.shape != values.shape:
            raise DataError(
                f"f should return one number per outcome, shape {values.shape}, but "
                f"returned shape {terms.shape}."
            )
        return terms @ (density[inner] / density[inner].sum())

    def _given(self) -> dict[str, np.ndarray]:
        return {name: value[:, None] for name, value in self.parameters.items()}

    def _quantiles(self, levels: np.ndarray) -> np.ndarray:
        return self._invert(levels[None, :])

    def _invert(self, uniform: np.ndarray) -> np.ndarray:
        found = np.asarray(self.family.quantile(uniform, **self._given()), dtype=float)
        return self._checked(found, uniform.shape[1], "quantile")

    def _cdf(self, points: np.ndarray) -> np.ndarray:
        found = np.asarray(
            self.family.cdf(points[None, :], **self._given()), dtype=float
        )
        return self._checked(found, len(points), "cdf")

    def _checked(self, found: np.ndarray, width: int, what: str) -> np.ndarray:
        if found.shape != (len(self), width):
            raise DataError(
                f"the {what} function of the law should return shape "
                f"{(len(self), width)}, but returned {found.shape}. Parameters come as "
                "(unit, 1) and levels or points as (1, level): arithmetic broadcasts."
            )
        broken = self.ids[np.isnan(found).any(axis=1)]
        if broken.size:
            raise DataError(
                f"the {what} function of the law is undefined for {broken.size} of "
                f"{len(self)} units ({listing(broken.tolist())}). Check their "
                f"parameters {', '.join(self.parameters)}."
            )
        return found

    def _take(self, index: np.ndarray | slice) -> LawDistributions:
        kept = {
            name: frozen_view(all_[index]) for name, all_ in self.parameters.items()
        }
        return replace(self, units=self.units.take(index), parameters=kept)

    def _barycentre(self, share: np.ndarray) -> LawDistributions:
        return self._one_unit("barycentre", Average(self, share))

    def _mixture(self, share: np.ndarray) -> LawDistributions:
        return self._one_unit("mixture", Pool(self, share))

    def _one_unit(self, name: str, family: Family) -> LawDistributions:
        units = Units(np.array([name]), origin=f"{name} of {len(self)} units")
        return LawDistributions(units=units, family=family, parameters={})

    def _pieces(self) -> list[Pieces]:
        middle = (np.arange(DISTANCE_LEVELS) + 0.5) / DISTANCE_LEVELS
        reached = np.arange(1, DISTANCE_LEVELS + 1) / DISTANCE_LEVELS
        return [Pieces(reached, row, row) for row in self._quantiles(middle)]

    def _exact_samples(self) -> SampleDistributions:
        raise DataError(
            "a law has more values than can be listed. Give to_samples a size for "
            "random draws, or use to_quantiles."
        )

    def _facts(self) -> dict[str, str]:
        return {**super()._facts(), "parameters": ", ".join(self.parameters) or "none"}


def read_family(law: Any) -> Family:
    """Recognise what was given as a law, or raise `DataError`."""
    if isinstance(law, tuple) and len(law) == 2 and all(map(callable, law)):
        return Functions(*law)
    if hasattr(law, "ppf") and hasattr(law, "cdf"):
        return ScipyFamily(law)
    if hasattr(law, "icdf") and hasattr(law, "cdf"):
        return NumpyroFamily(law)
    raise DataError(
        f"law {law!r} is not a scipy.stats distribution, a numpyro distribution class "
        "or a pair (quantile, cdf) of functions."
    )
