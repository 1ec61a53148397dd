"""Draws of what people ask about: memberships, effects and noise.

Engines draw a vector of unconstrained parameters. Here each draw becomes weights that
turn an image's features into memberships, and effects in the units of the outcome; all
that a map, a salience or a table needs is a product of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from distcausal._base.fit import Record
from distcausal._base.precision import double
from distcausal._base.typing import Array
from distcausal.images.mean_effect import by_effect, mean_effects
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    cluster_terms,
    log_membership,
    noise_variance,
    unpack,
)
from distcausal.images.trial import FEATURE_SCALE

__all__ = ["Posterior", "posterior_of"]

_BLOCK = 2**20  # numbers held at once while going through images: they fit the cache


@dataclass(frozen=True, eq=False, kw_only=True)
class Posterior(Record):
    """Posterior draws of memberships and effects.

    Attributes
    ----------
    weights
        From features, as the encoder gives them, to logits, ``(draw, feature,
        cluster)``.
    bias
        Logits of an average image, ``(draw, cluster)``.
    effects
        Effect of each cluster on the mean, increasing in the first outcome, in outcome
        units, ``(draw, cluster, outcome)``.
    noise
        What the family calls noise, by arm, ``(draw, arm, cluster, outcome)``: the
        standard deviation in outcome units for ``"normal"``, the scale for
        ``"student"``, the standard deviation of logarithms for ``"lognormal"``, of
        amounts off the point for ``"hurdle"``; 1 in the model's units where a family
        has none.
    responsibility
        Posterior membership of the images of the trial given their outcomes too,
        averaged over draws, ``(image, cluster)``.
    order
        Which of the clusters of the engine's parameters each cluster here is,
        ``(cluster,)``; they differ where effects on the mean do not follow
        coefficients. None for draws that come from no engine.
    """

    weights: np.ndarray
    bias: np.ndarray
    effects: np.ndarray
    noise: np.ndarray
    responsibility: np.ndarray
    order: np.ndarray | None = None

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.bias)

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return self.bias.shape[1]

    def membership(self, features: np.ndarray) -> np.ndarray:
        """Membership given the image alone, ``(draw, image, cluster)``."""
        logits = features[None] @ self.weights + self.bias[:, None, :]
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return odds / odds.sum(axis=-1, keepdims=True)

    def as_drawn(self, shares: np.ndarray) -> np.ndarray:
        """Shares ``(..., cluster)`` in the order of the engine's parameters."""
        return shares if self.order is None else shares[..., np.argsort(self.order)]

    def cate(self, features: np.ndarray) -> np.ndarray:
        """Effect on the mean that the image implies, ``(draw, image)``."""
        return np.einsum("sik,sk->si", self.membership(features), self.effects[..., 0])

    def blocks(self, features: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Memberships of some images at a time, so that memory stays bounded."""
        rows = max(_BLOCK // (self.draws * self.clusters), 1)
        for start in range(0, len(features), rows):
            place = slice(start, min(start + rows, len(features)))
            yield place, self.membership(features[place])

    def mean_membership(self, features: np.ndarray) -> np.ndarray:
        """Average over draws of `membership`, ``(image, cluster)``."""
        found = np.empty((len(features), self.clusters))
        for place, share in self.blocks(features):
            found[place] = share.mean(axis=0)
        return found


def posterior_of(
    draws: np.ndarray,
    evidence: Evidence,
    lane: Lane,
    layout: Layout,
    images: int,
) -> Posterior:
    """Translate an engine's draws ``(draw, parameter)``; ``images`` are not padding."""
    found = double(_translate)(draws, evidence, lane, layout=layout)
    weights, bias, effects, noise, responsibility = found
    order = by_effect(effects.mean(axis=0), lane.active)
    return Posterior(
        weights=FEATURE_SCALE * weights[..., order],
        bias=bias[:, order],
        effects=effects[:, order],
        noise=noise[:, :, order],
        responsibility=responsibility[:images, order],
        order=order,
    )


@partial(jax.jit, static_argnames="layout")
def _translate(
    draws: Array, evidence: Evidence, lane: Lane, *, layout: Layout
) -> tuple[Array, ...]:
    """Weights, biases, effects and noise of every draw; the mean responsibility."""

    def one(total: Array, vector: Array) -> tuple[Array, tuple[Array, ...]]:
        params = unpack(vector, layout)
        weights = jnp.exp(params["head_scale"]) * params["head"] @ lane.contrast
        prior = log_membership(params, evidence.features, lane)
        bracket = prior + cluster_terms(params, evidence, lane, layout)
        bracket = jnp.where(lane.active[None, :], bracket, -jnp.inf)
        arms = evidence._replace(
            treatment=jnp.arange(2.0, dtype=evidence.outcome.dtype),
            known_variance=jnp.zeros((2, layout.outcomes), evidence.outcome.dtype),
        )
        noise = jnp.sqrt(noise_variance(params, arms, lane, layout))
        noise = noise * lane.scale[: noise.shape[-1]][None, None, :]
        effects = mean_effects(params, evidence, lane, layout)
        bias = jnp.where(lane.active, params["bias"] @ lane.contrast, -jnp.inf)
        return total + jax.nn.softmax(bracket, axis=1), (weights, bias, effects, noise)

    start = jnp.zeros((evidence.features.shape[0], layout.clusters), draws.dtype)
    total, parts = jax.lax.scan(one, start, draws)
    return (*parts, total / draws.shape[0])
