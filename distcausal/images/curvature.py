"""Posterior covariance from how a guide would answer to a small push.

A guide that takes parameters as independent finds the posterior's centre and
understates its width, most of all for effects, which explain the same outcomes as
baseline and memberships do. How its centre would move if the log density were tilted
slightly along each parameter gives the covariance back, correlations included: the
inverse of the average curvature under the guide. One average of Hessians, no new fit.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.keys import Seed, host_stream, stream
from distcausal._base.precision import double
from distcausal._base.typing import Array, Real
from distcausal.images.model import Evidence, Lane, Layout, log_joint, unpack
from distcausal.images.svi import Guide, draw_lanes

__all__ = ["curvature", "normal_draws", "response_factor", "root_inverse"]

_PAIRS = 4  # of mirrored draws; the guide is narrow, and curvature varies little in it
_BLOCK = 2_000_000  # units times directions followed at once
# Least curvature relative to the guide's own. Along some weights of the memberships the
# density is flat where it is highest, or hollow, and an average Hessian says too little
# of its width; sampled posteriors are there 1.2 to 3.8 times as wide as the guide.
_LEAST = 0.1


@partial(jax.jit, static_argnames="layout")
def curvature(
    points: Real[Array, "point parameter"],
    evidence: Evidence,
    lane: Lane,
    *,
    layout: Layout,
) -> Real[Array, "parameter parameter"]:
    """Negative Hessian of the log joint density, averaged over points."""

    def slope(vector: Array) -> Array:
        return jax.grad(
            lambda own: log_joint(unpack(own, layout), evidence, lane, layout)
        )(vector)

    size = points.shape[1]
    block = max(min(_BLOCK // evidence.outcome.shape[0], size), 1)

    def at(vector: Array) -> Array:
        along = jax.linearize(slope, vector)[1]
        return lax.map(along, jnp.eye(size, dtype=points.dtype), batch_size=block)

    found = -jnp.mean(lax.map(at, points), axis=0)
    return 0.5 * (found + found.T)


def root_inverse(bend: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Square root of the inverse of a curvature, ``(parameter, direction)``.

    In units of the scale it is the symmetric root, which rounding moves little; columns
    of eigenvectors could turn over and change every draw.

    Parameters
    ----------
    bend
        Shape ``(parameter, parameter)``.
    scale
        Widths by which parameters are comparable, ``(parameter,)``. In these units no
        direction is taken to be wider than ``1 / sqrt(0.1)``.
    """
    values, ways = np.linalg.eigh(bend * np.outer(scale, scale))
    root = (ways / np.sqrt(np.maximum(values, _LEAST))) @ ways.T
    return scale[:, None] * root


def response_factor(
    guide: Guide, evidence: Evidence, lane: Lane, layout: Layout, seed: Seed
) -> np.ndarray:
    """Factor of the linear-response covariance around a guide without axis of lanes.

    Returns
    -------
    Shape ``(parameter, parameter)``; times standard normals it gives deviations from
    the guide's centre.

    References
    ----------
    Giordano, Broderick and Jordan (2018), *Journal of Machine Learning Research* 19.
    """
    one = jax.tree.map(lambda part: part[None], guide)
    key = stream(seed, "response")[None]
    side = double(draw_lanes)(one, key, draws=_PAIRS)[0]
    points = np.concatenate([side, 2 * guide.loc - side])
    bend = double(curvature)(points, evidence, lane, layout=layout)
    width = np.exp(2 * guide.log_scale) + np.sum(np.square(guide.factor), axis=1)
    return root_inverse(bend, np.sqrt(width))


def normal_draws(
    centre: np.ndarray, factor: np.ndarray, count: int, seed: Seed
) -> np.ndarray:
    """Draws ``(draw, parameter)`` around a centre, in mirrored pairs."""
    half = host_stream(seed, "normal draws").standard_normal(
        ((count + 1) // 2, factor.shape[1])
    )
    both = np.concatenate([half, -half])[:count]
    return centre + both @ factor.T
