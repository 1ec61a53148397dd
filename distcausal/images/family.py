"""What the model asks of a likelihood, and what all likelihoods share.

The latent cluster is summed out of whatever density an outcome has, so a family needs
to give only that density, for every unit and every cluster at once, the mean that a
linear predictor stands for, and the scales on which the priors of the model make
sense. Everything it must learn beside means and noise is unconstrained here, so that
every engine can move freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from distcausal._base.typing import Array
from distcausal.errors import DataError, DesignError, listing

__all__ = [
    "LEAST",
    "Family",
    "Plain",
    "Prepared",
    "arm_means",
    "log_odds",
    "normal_terms",
    "one_column",
    "refuse",
    "spread",
]

LEAST = 1e-3  # of all weight or all events: what an arm has at least
_LOG_TWO_PI = 1.8378770664093453


class Prepared(NamedTuple):
    """An outcome as a family's density wants it, and where its priors are centred.

    Attributes
    ----------
    outcome
        Columns that the density is one of, ``(unit, column)``; weights have no part in
        them.
    shift, scale
        The model's units are ``(outcome - shift) / scale``, each ``(column,)``.
        An effect on the mean times the first scale is in the units of the outcome.
    level, effect
        Centres of the priors on the scale of the linear predictor, ``(column,)``.
    """

    outcome: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    effect: np.ndarray


class Family(Protocol):
    """What the model asks of a likelihood.

    Attributes
    ----------
    name
        As the user writes it.
    gaussian
        Whether a random intercept of each image integrates out in closed form.
    linear
        Whether the linear predictor is the mean, so that an effect on one is an effect
        on the other.
    """

    @property
    def name(self) -> str:
        """Word for it."""

    @property
    def gaussian(self) -> bool:
        """Whether image intercepts integrate out."""

    @property
    def linear(self) -> bool:
        """Whether the predictor is the mean."""

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Check outcomes ``(unit, outcome)`` and choose the model's units.

        Only units of positive weight have a say in units and centres, so that a fit
        knows nothing of those held out.
        """

    def columns(self, outcomes: int) -> int:
        """Number of columns that the density is one of."""

    def noisy(self, outcomes: int) -> int:
        """Number of leading columns that have a noise variance."""

    def extra(self, outcomes: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the unconstrained parameters beyond means and noise."""

    def log_prior(self, extra: Mapping[str, Array]) -> Array:
        """Log prior density of those parameters, up to a constant."""

    def log_density(
        self,
        outcome: Array,
        baseline: Array,
        effect: Array,
        variance: Array,
        extra: Mapping[str, Array],
    ) -> Array:
        """Log density of every unit in every cluster, ``(unit, cluster)``.

        Parameters
        ----------
        outcome, baseline
            Shape ``(unit, column)``; the baseline is on the scale of the linear
            predictor.
        effect
            Effect of the unit's own arm, zero for controls, ``(unit, cluster,
            column)``.
        variance
            Noise variance, shape ``(unit, cluster, column)``.
        extra
            The parameters named by `extra`.
        """

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Mean outcome, last axis the reported outcomes, others as the predictor's."""


class Plain:
    """Defaults of a family: noise everywhere, and nothing else to learn."""

    gaussian = False
    linear = False

    def columns(self, outcomes: int) -> int:
        """As many as the outcome has."""
        return outcomes

    def noisy(self, outcomes: int) -> int:
        """All columns."""
        return outcomes

    def extra(self, outcomes: int) -> dict[str, tuple[int, ...]]:
        """Nothing beyond means and noise."""
        return {}

    def log_prior(self, extra: Mapping[str, Array]) -> Array:
        """Zero, as there is nothing to hold a prior."""
        return jnp.zeros(())

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """The linear predictor itself."""
        return predictor


def one_column(name: str, outcome: np.ndarray) -> np.ndarray:
    """The only column of an outcome, ``(unit,)``.

    Raises
    ------
    DesignError
        If there are more.
    """
    if outcome.shape[1] != 1:
        raise DesignError(
            f"family {name!r} takes one number per unit, but the outcome is a "
            f"distribution written in {outcome.shape[1]} coefficients. Use family "
            "'normal', or a column of numbers as outcome."
        )
    return outcome[:, 0]


def refuse(name: str, rule: str, bad: np.ndarray, values: np.ndarray, way: str) -> None:
    """Raise `DataError` with the number of values that break a family's rule."""
    if bad.any():
        shown = listing([f"{value:g}" for value in np.unique(values[bad])], most=3)
        raise DataError(
            f"family {name!r} needs {rule}, but {int(bad.sum())} of {bad.size} units "
            f"have something else ({shown}). {way}"
        )


def arm_means(
    values: np.ndarray, treatment: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means over controls and over treated units, one per column.

    An arm without any weight gets the mean of the other.
    """
    found = []
    for arm in (0, 1):
        own = weights * (treatment == arm)
        own = own if own.sum() > 0 else weights
        found.append(own @ values / own.sum())
    return found[0], found[1]


def spread(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted standard deviation of every column."""
    share = weights / weights.sum()
    return np.sqrt(share @ (values - share @ values) ** 2)


def log_odds(
    yes: np.ndarray, treatment: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """Log odds of a yes-or-no column among controls and among treated units.

    A thousandth of all weight is added to either answer, so that an arm where all say
    the same has finite odds.
    """
    found = []
    for arm in (0, 1):
        own, more = weights * (treatment == arm), LEAST * weights.sum()
        found.append(np.log((own @ yes + more) / (own @ (1 - yes) + more)))
    return float(found[0]), float(found[1])


def normal_terms(residual: Array, variance: Array) -> Array:
    """Normal log densities of residuals."""
    return -0.5 * (residual**2 / variance + jnp.log(variance) + _LOG_TWO_PI)
