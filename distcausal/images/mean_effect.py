"""Effects of clusters on the mean outcome, whatever scale a family models.

A cluster moves the linear predictor by one number, and so the mean by a number that
depends on where a unit starts if the mean is not the predictor itself. The effect
reported for a cluster is the average over units of what treatment would do to the mean
of each, were its image of that cluster: coefficients plugged in, units left as they
are.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from distcausal._base.typing import Array, Real
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    Params,
    baseline,
    cluster_effects,
    family_extra,
    noise_variance,
)

__all__ = ["arm_means", "by_effect", "mean_effects"]


def mean_effects(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, "cluster reported"]:
    """Average over units of the effect on the mean in every cluster, in outcome units.

    Of a family whose predictor is the mean these are the effects themselves; the last
    axis then holds all outcomes, and the only one otherwise. Clusters that are switched
    off have the effect of the last one that is on.
    """
    if layout.family.linear:
        return cluster_effects(params, lane.active) * lane.scale[None, :]
    control, treated = arm_means(params, evidence, lane, layout)
    share = (lane.weights / jnp.sum(lane.weights))[:, None, None]
    return jnp.sum(share * (treated - control), axis=0) * lane.scale[None, :1]


def by_effect(effects: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Order of clusters by their effect on the first mean, those switched off last.

    The model orders coefficients; where the predictor is not the mean, the means need
    not follow.

    Parameters
    ----------
    effects
        Shape ``(cluster, outcome)``.
    active
        Whether each cluster is switched on, ``(cluster,)``.
    """
    return np.argsort(np.where(active, effects[:, 0], np.inf), kind="stable")


def arm_means(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, "arm unit cluster reported"]:
    """Mean of every unit in either arm and every cluster, in the model's units.

    Evidence of other images serves as well: its outcomes and treatments are not used.
    """
    level = baseline(params, evidence, layout)[:, None, :]
    effects = cluster_effects(params, lane.active)[None]
    extra = family_extra(params)

    def arm(number: float) -> Array:
        own = evidence._replace(
            treatment=jnp.full_like(evidence.treatment, number),
            known_variance=jnp.zeros_like(evidence.known_variance),
        )
        variance = noise_variance(params, own, lane, layout)
        return layout.family.mean(level + number * effects, variance, extra)

    return jnp.stack([arm(0.0), arm(1.0)])
