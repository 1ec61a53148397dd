"""How firmly the data hold the effects of clusters apart, and what the model leaves.

Effects and memberships share the work of explaining outcomes: effects farther apart
with memberships nearer to a blind guess can fit almost as well. Stretching all effects
around their mean by one factor, all else as it is, shows how steep the likelihood is in
that direction; at a factor of zero clusters differ in nothing.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from distcausal._base.precision import double
from distcausal._base.typing import Array, Real
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    baseline,
    cluster_effects,
    log_likelihood,
    standard,
    unpack,
)
from distcausal.images.trial import Trial, evidence_of, lane_of

__all__ = ["GRID", "model_residuals", "stretch_profile"]

# Finer around 1: large trials hold effects within a few per cent.
GRID = np.unique(np.concatenate([np.arange(31) / 10, np.arange(40, 61) / 50]))


def stretch_profile(
    trial: Trial, layout: Layout, vector: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Log likelihood with effects stretched around their mean, ``(factor,)``.

    Parameters
    ----------
    trial, layout
        What was fitted.
    vector
        Unconstrained parameters, ``(parameter,)``.
    share
        Of units by cluster, by which the mean effect is taken, ``(cluster,)``; clusters
        in the order of the parameters, see `Posterior.as_drawn`.

    Returns
    -------
    At the factors of `GRID`, from 0 to 3; 1 is the fit itself.
    """
    lane = lane_of(trial, trial.weights, layout.clusters, layout)
    evidence = evidence_of(trial, layout)
    return np.asarray(
        double(_stretched)(vector, share, GRID, evidence, lane, layout=layout)
    )


@partial(jax.jit, static_argnames="layout")
def _stretched(
    vector: Array,
    share: Array,
    grid: Array,
    evidence: Evidence,
    lane: Lane,
    *,
    layout: Layout,
) -> Real[Array, " factor"]:
    """Sum of log likelihoods at every factor."""
    params = unpack(vector, layout)
    mean = share @ cluster_effects(params, lane.active)

    def one(factor: Array) -> Array:
        moved = {
            **params,
            "gaps": params["gaps"] + jnp.log(factor),
            "centre": mean[0] + factor * (params["centre"] - mean[0]),
            "shape": mean[None, 1:] + factor * (params["shape"] - mean[None, 1:]),
        }
        return jnp.sum(log_likelihood(moved, evidence, lane, layout))

    return jax.lax.map(one, grid)


def model_residuals(
    trial: Trial, layout: Layout, vector: np.ndarray, membership: np.ndarray
) -> np.ndarray:
    """What the model leaves of the outcome on the scale of its predictor.

    Parameters
    ----------
    trial, layout
        What was fitted.
    vector
        Unconstrained parameters, ``(parameter,)``.
    membership
        By whose weights the effects of clusters are averaged, ``(unit, cluster)``;
        clusters in the order of the parameters, see `Posterior.as_drawn`.

    Returns
    -------
    In the model's units, ``(unit, outcome)``.
    """
    lane = lane_of(trial, trial.weights, layout.clusters, layout)
    evidence = evidence_of(trial, layout)
    found = double(_predictor)(vector, evidence, lane, layout=layout)
    outcome, level, effects = (np.asarray(part) for part in found)
    units = len(trial.image)
    own = trial.treatment[:, None] * (membership @ effects)
    return outcome[:units] - level[:units] - own


@partial(jax.jit, static_argnames="layout")
def _predictor(
    vector: Array, evidence: Evidence, lane: Lane, *, layout: Layout
) -> tuple[Array, Array, Array]:
    """Outcome and baseline of the units, and effects of the clusters."""
    params = unpack(vector, layout)
    return (
        standard(evidence, lane),
        baseline(params, evidence, layout),
        cluster_effects(params, lane.active),
    )
