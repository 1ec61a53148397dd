"""Likelihoods: how an outcome scatters around its mean, by arm and cluster.

The latent cluster is summed out of whatever density an outcome has, so a family needs
to give only that density, for every unit and every cluster at once, and say what a
cluster's effect is on the scale of the mean. Everything it must learn beside means and
noise is unconstrained here, so that every engine can move freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from distcausal._base.typing import Array, Real

__all__ = ["Family", "Normal"]

_LOG_TWO_PI = 1.8378770664093453


class Prepared(NamedTuple):
    """An outcome as a family wants it.

    Attributes
    ----------
    outcome
        What the likelihood sees, before shift and scale, ``(unit, outcome)``.
    shift, scale
        The model's units are those of ``(outcome - shift) / scale``, ``(outcome,)``.
    level, effect
        Centres of the priors on the scale of the linear predictor, ``(outcome,)``.
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
    standardised
        Whether the outcome is brought to mean 0 and spread 1 before the fit.
    gaussian
        Whether a random intercept of each image integrates out in closed form.
    """

    name: str
    standardised: bool
    gaussian: bool

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
            Shape ``(unit, outcome)``; the baseline is on the scale of the linear
            predictor.
        effect
            Effect of the unit's own arm, zero for controls, ``(unit, cluster,
            outcome)``.
        variance
            Noise variance, shape ``(unit, cluster, outcome)``.
        extra
            The parameters named by `extra`.
        """


@dataclass(frozen=True)
class Normal:
    """Normal noise around the mean of the arm and cluster."""

    name: str = "normal"
    standardised: bool = True
    gaussian: bool = True

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Standardise; one scale for all columns keeps the geometry of curves."""
        share = weights / weights.sum()
        shift = share @ outcome
        spread = np.sqrt(np.sum(share @ (outcome - shift) ** 2))
        scale = np.full(outcome.shape[1], spread if spread > 0 else 1.0)
        treated = share * (treatment == 1)
        other = share - treated
        effect = treated @ outcome / treated.sum() - other @ outcome / other.sum()
        return Prepared(outcome, shift, scale, np.zeros_like(shift), effect / scale)

    def extra(self, outcomes: int) -> dict[str, tuple[int, ...]]:
        """Nothing beyond means and noise."""
        return {}

    def log_prior(self, extra: Mapping[str, Array]) -> Array:
        """Zero, as there is nothing to hold a prior."""
        return jnp.zeros(())

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
        terms = residual**2 / variance + jnp.log(variance) + _LOG_TWO_PI
        return -0.5 * jnp.sum(terms, axis=-1)
