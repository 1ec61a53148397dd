"""The objective of the published method, for comparison only.

Jerzak, Johansson and Daoud draw for every image a point between the clusters instead of
summing over them: a relaxed categorical, made from logits and Gumbel noise at a
temperature. Effects and noise variances are mixed with the same proportions and plugged
into one density, so that an image may be half of each cluster, which the model does not
allow; effects of clusters are pushed apart to make up for it. Guide, search and all
that follows are those of the default engine, so that what differs is the objective.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import random

from distcausal._base.keys import Seed
from distcausal._base.progress import steps as announce
from distcausal._base.typing import Array
from distcausal.errors import DesignError
from distcausal.images.engines import (
    EngineFit,
    Problem,
    check_whole,
    climb,
    guide_draws,
)
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    Params,
    baseline,
    cluster_effects,
    family_extra,
    log_membership,
    log_prior,
    noise_variance,
    standard,
)

__all__ = ["Relaxed", "RelaxedJoint"]


@dataclass(frozen=True)
class Relaxed:
    """Variational inference with a relaxed categorical, as published.

    Attributes
    ----------
    temperature
        Below one, proportions are drawn towards a single cluster.
    samples
        Draws of the proportions per step.
    steps, rate, restarts, draws
        As of `SVI`.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Relaxed(temperature=1.0).temperature
    1.0

    References
    ----------
    Jerzak, Johansson and Daoud (2023), CLeaR, *PMLR* 213; Maddison, Mnih and Teh
    (2017), ICLR, for the relaxation.
    """

    temperature: float = 0.5
    samples: int = 5
    steps: int = 1000
    rate: float = 0.02
    restarts: int = 4
    draws: int = 500

    name = "relaxed"

    def __post_init__(self) -> None:
        """Refuse settings without a meaning."""
        for field in ("samples", "steps", "restarts", "draws"):
            check_whole(field, getattr(self, field), 1)
        if not self.temperature > 0:
            raise DesignError(f"temperature {self.temperature!r} should be positive.")
        if not 0 < self.rate < 1:
            raise DesignError(f"rate {self.rate!r} should lie between 0 and 1.")

    def fit(
        self, problem: Problem, *, seed: Seed, progress: bool | None = None
    ) -> EngineFit:
        """Climb from every start at once.

        Raises
        ------
        DesignError
            If images have random intercepts, which the published model has not.
        """
        if problem.layout.intercepts:
            raise DesignError(
                "engine 'relaxed' has no random intercepts of images. Leave them out, "
                "or use engine 'svi'."
            )
        objective = RelaxedJoint(self.temperature, self.samples)
        with announce(progress, count=1, long=True) as begin:
            begin("fitting the relaxed model")
            found = climb(problem, 0, self.steps, self.rate, seed, objective)
        return EngineFit(
            draws=guide_draws(found, self.draws, seed),
            bound=found.bound,
            course=found.course,
            restarts=found.guide.loc,
            report={},
        )


@dataclass(frozen=True)
class RelaxedJoint:
    """Log prior plus the mean relaxed log likelihood over draws of the proportions."""

    temperature: float
    samples: int

    def __call__(
        self, params: Params, key: Array, evidence: Evidence, lane: Lane, layout: Layout
    ) -> Array:
        """Estimate by the draws made with the key."""
        logits = log_membership(params, evidence.features, lane)
        effects = cluster_effects(params, lane.active)
        variance = noise_variance(params, evidence, lane, layout)
        level = baseline(params, evidence, layout)
        values, extra = standard(evidence, lane), family_extra(params)

        def one(own: Array) -> Array:
            noise = random.gumbel(own, logits.shape, logits.dtype)
            share = jax.nn.softmax((logits + noise) / self.temperature, axis=1)
            rows = share if layout.alone else share[evidence.image]
            effect = (evidence.treatment[:, None] * (rows @ effects))[:, None, :]
            spread = jnp.sum(rows[:, :, None] * variance, axis=1, keepdims=True)
            terms = layout.family.log_density(values, level, effect, spread, extra)
            return lane.weights @ terms[:, 0]

        likelihood = jnp.mean(jax.vmap(one)(random.split(key, self.samples)))
        return likelihood + log_prior(params, lane, layout)
