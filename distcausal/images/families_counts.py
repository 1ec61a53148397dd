"""Likelihoods of yes-or-no outcomes and of counts.

The linear predictor is a log odds or a log rate, so that effects of clusters are odds
ratios and rate ratios underneath; what is reported are effects on the probability or on
the mean count, averaged over units. No outcome is rescaled: one unit of a log odds or a
log rate is what the priors take it to be already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from distcausal._base.typing import Array, Real
from distcausal.images.family import (
    LEAST,
    Plain,
    Prepared,
    log_odds,
    one_column,
    refuse,
)

__all__ = ["Bernoulli", "NegativeBinomial", "Poisson"]


@dataclass(frozen=True)
class Bernoulli(Plain):
    """A yes-or-no outcome; effects are differences of probabilities."""

    name = "bernoulli"

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """As they are; priors are centred at the log odds of either arm."""
        values = one_column(self.name, outcome)
        way = "Recode the outcome, or use another family."
        strange = (values != 0) & (values != 1)
        refuse(self.name, "outcomes 0 or 1", strange, values, way)
        control, treated = log_odds(values, treatment, weights)
        return _prepared(outcome, control, treated)

    def noisy(self, outcomes: int) -> int:
        """None: the mean of a yes-or-no outcome fixes its variance."""
        return 0

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Log probability of the answer."""
        logit = baseline[:, None, :] + effect
        sign = 2 * outcome[:, None, :] - 1
        return jnp.sum(jax.nn.log_sigmoid(sign * logit), axis=-1)

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Probability of a yes."""
        return jax.nn.sigmoid(predictor)


@dataclass(frozen=True)
class Poisson(Plain):
    """A count whose variance is its mean; effects are differences of mean counts."""

    name = "poisson"

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """As they are; priors are centred at the log rate of either arm."""
        return _counts(self.name, outcome, treatment, weights)

    def noisy(self, outcomes: int) -> int:
        """None: the mean of a Poisson count is its variance."""
        return 0

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Log probability of the count."""
        log_rate = baseline[:, None, :] + effect
        count = outcome[:, None, :]
        terms = count * log_rate - jnp.exp(log_rate) - gammaln(count + 1)
        return jnp.sum(terms, axis=-1)

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Mean count."""
        return jnp.exp(predictor)


@dataclass(frozen=True)
class NegativeBinomial(Plain):
    """A count that varies more than its mean; effects are differences of mean counts.

    With mean m and the model's noise variance d, the variance of the count is
    ``m + d * m**2``: a Poisson count whose rate varies between units by a factor with
    variance d. As d falls to zero it becomes the Poisson.
    """

    name = "negative_binomial"

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """As they are; priors are centred at the log rate of either arm."""
        return _counts(self.name, outcome, treatment, weights)

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Log probability of the count."""
        odds = baseline[:, None, :] + effect + jnp.log(variance)
        count, size = outcome[:, None, :], 1 / variance
        ways = gammaln(count + size) - gammaln(size) - gammaln(count + 1)
        terms = ways - size * jax.nn.softplus(odds) - count * jax.nn.softplus(-odds)
        return jnp.sum(terms, axis=-1)

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Mean count."""
        return jnp.exp(predictor)


def _counts(
    name: str, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
) -> Prepared:
    values = one_column(name, outcome)
    way = "Use family 'normal' or 'lognormal' for what is not a count."
    strange = (values < 0) | (values != np.round(values))
    refuse(name, "counts 0, 1, 2, ...", strange, values, way)
    total, logs = weights @ values, []
    for arm in (0, 1):
        own = weights * (treatment == arm)
        # An arm without any event, or without any unit, has a finite log rate.
        few = LEAST * (total if total > 0 else weights.sum())
        logs.append(np.log((own @ values + few) / (own.sum() + LEAST * weights.sum())))
    return _prepared(outcome, logs[0], logs[1])


def _prepared(outcome: np.ndarray, control: float, treated: float) -> Prepared:
    return Prepared(
        outcome=outcome,
        shift=np.zeros(1),
        scale=np.ones(1),
        level=np.array([control]),
        effect=np.array([treated - control]),
    )
