"""Likelihoods by name, and those of outcomes on the whole or the positive line.

Noise is normal, has tails that are learnt, or is normal for the logarithm. Counts and
yes-or-no outcomes live in `families_counts`, outcomes with a mass point in
`families_hurdle`; `as_family` knows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from distcausal._base.typing import Array, Real
from distcausal.errors import DesignError, check_choice
from distcausal.images.families_counts import Bernoulli, NegativeBinomial, Poisson
from distcausal.images.families_hurdle import Hurdle
from distcausal.images.family import (
    Family,
    Plain,
    Prepared,
    arm_means,
    normal_terms,
    one_column,
    refuse,
    spread,
)

__all__ = [
    "Bernoulli",
    "Family",
    "Hurdle",
    "LogNormal",
    "NegativeBinomial",
    "Normal",
    "Poisson",
    "Prepared",
    "StudentT",
    "as_family",
]

_CONSISTENT = 1.4826  # median absolute deviation to standard deviation, if normal


@dataclass(frozen=True)
class Normal(Plain):
    """Normal noise around the mean of the arm and cluster."""

    name = "normal"
    gaussian = True
    linear = True

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Mean 0 and, over all columns together, spread 1.

        One scale for all columns keeps the geometry of curves written in them.
        """
        shift = weights @ outcome / weights.sum()
        total = float(np.linalg.norm(spread(outcome, weights)))
        scale = np.full(shift.shape, total if total > 0 else 1.0)
        control, treated = arm_means(outcome, treatment, weights)
        level = np.zeros(shift.shape)
        return Prepared(outcome, shift, scale, level, (treated - control) / scale)

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Normal log density, outcomes of one unit independent given its cluster."""
        residual = (outcome - baseline)[:, None, :] - effect
        return jnp.sum(normal_terms(residual, variance), axis=-1)


@dataclass(frozen=True)
class StudentT(Plain):
    """Student's t noise: as `Normal`, but a few far outcomes do not decide.

    Effects are those on the mean, which a t distribution with more than two degrees of
    freedom has, together with a variance. The scale of the noise is learnt by arm as a
    normal's would be; the variance is that times ``df / (df - 2)``.

    Parameters
    ----------
    df
        Degrees of freedom, more than 2. If left out they are learnt: ``df - 2`` has a
        Gamma(2, 0.1) prior, which has its mean at 20 and lets the data go as low as
        they want.

    Raises
    ------
    DesignError
        If ``df`` is not more than 2.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.StudentT().name, dc.StudentT(df=5).df
    ('student', 5)

    References
    ----------
    Juárez and Steel (2010), *Journal of Business & Economic Statistics* 28(1), for the
    prior.
    """

    df: float | None = None

    name = "student"
    linear = True

    def __post_init__(self) -> None:
        """Refuse tails so heavy that the noise has no variance."""
        if self.df is not None and not self.df > 2:
            raise DesignError(
                f"df should be more than 2, or the noise has no variance; got "
                f"{self.df}. Leave it out to have it learnt."
            )

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Median 0 and spread 1, measured by medians, which far outcomes leave alone.

        If half of the outcomes are equal the standard deviation takes over.
        """
        values = one_column(self.name, outcome)
        shift = _median(values, weights)
        scale = _CONSISTENT * _median(np.abs(values - shift), weights)
        if not scale > 0:
            scale = float(spread(outcome, weights)[0]) or 1.0
        middle = [_median(values, weights * (treatment == arm)) for arm in (0, 1)]
        effect = np.array([(middle[1] - middle[0]) / scale])
        return Prepared(
            outcome, np.array([shift]), np.array([scale]), np.zeros(1), effect
        )

    def extra(self, outcomes: int) -> dict[str, tuple[int, ...]]:
        """Logarithm of the degrees of freedom beyond two, if they are learnt."""
        return {"tail": ()} if self.df is None else {}

    def log_prior(self, extra: Mapping[str, Array]) -> Array:
        """Gamma(2, 0.1) for the degrees of freedom beyond two."""
        if self.df is not None:
            return jnp.zeros(())
        return 2 * extra["tail"] - 0.1 * jnp.exp(extra["tail"])

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Student t log density; ``variance`` is the square of the scale."""
        learnt = self.df is None
        df = 2 + jnp.exp(extra["tail"]) if learnt else jnp.asarray(float(self.df or 0))
        residual = (outcome - baseline)[:, None, :] - effect
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(jnp.pi * df)
        bend = 0.5 * (df + 1) * jnp.log1p(residual**2 / (df * variance))
        return jnp.sum(constant - 0.5 * jnp.log(variance) - bend, axis=-1)


@dataclass(frozen=True)
class LogNormal(Plain):
    """Normal noise in the logarithm of a positive outcome; effects are on its mean.

    An effect on the logarithm multiplies the outcome, so the effect on the mean depends
    on the baseline and on the noise of either arm, and is averaged over units.
    """

    name = "lognormal"

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Logarithms, as they are."""
        values = one_column(self.name, outcome)
        way = "Use family 'hurdle' for outcomes with zeros, or 'normal'."
        refuse(self.name, "positive outcomes", values <= 0, values, way)
        logs = np.log(outcome)
        control, treated = arm_means(logs, treatment, weights)
        still, unit = np.zeros(1), np.ones(1)
        return Prepared(logs, still, unit, control, treated - control)

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Log density of the outcome itself, given its logarithm."""
        residual = (outcome - baseline)[:, None, :] - effect
        terms = normal_terms(residual, variance) - outcome[:, None, :]
        return jnp.sum(terms, axis=-1)

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Mean of the outcome, which noise in the logarithm raises."""
        return jnp.exp(predictor + variance / 2)


_FAMILIES: dict[str, type] = {
    kind.name: kind
    for kind in (
        Normal,
        StudentT,
        Hurdle,
        Bernoulli,
        Poisson,
        NegativeBinomial,
        LogNormal,
    )
}


def as_family(family: str | Family) -> Family:
    """The likelihood that a word stands for; an object with options stays as it is.

    Raises
    ------
    DesignError
        If the word is none of those known; the message lists them.
    """
    if not isinstance(family, str):
        if type(family) not in _FAMILIES.values():
            check_choice("family", family, tuple(_FAMILIES))
        return family
    check_choice("family", family, tuple(_FAMILIES))
    return _FAMILIES[family]()


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Lowest value with at least half of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weights[order])
    place = np.searchsorted(upto, 0.5 * upto[-1] * (1 - 1e-12))
    return float(values[order][place])
