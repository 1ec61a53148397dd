"""Variational inference for many fits at once, in one compiled scan.

Every fit, be it a restart, a fold or a number of clusters, is a lane: the same arrays
with weights of its own. All lanes climb together, so that cross-fitting costs one
compilation and the matrix products of many small fits become a large one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random

from distcausal._base.typing import Array, Real
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    Leaf,
    Params,
    log_joint,
    unpack,
)

__all__ = ["Guide", "draw_lanes", "enumerated", "fit_lanes"]

_STRETCH = 50
_CLIP = 10.0  # one outlying draw should not throw a lane off
_MEMORY = (0.9, 0.999)  # of Adam's first and second moments


Objective = Callable[[Params, Array, Evidence, Lane, Layout], Array]


class Guide(NamedTuple):
    """Normal approximation of the posterior of the unconstrained parameters.

    Attributes
    ----------
    loc, log_scale
        Shape ``(lane, parameter)``.
    factor
        Directions of correlation, ``(lane, parameter, rank)``; rank 0 is mean-field.
    """

    loc: Leaf
    log_scale: Leaf
    factor: Leaf


def _draw(guide: Guide, key: Array) -> Array:
    """One draw of the parameters of one lane."""
    own, shared = random.split(key)
    noise = random.normal(own, guide.loc.shape, guide.loc.dtype)
    turn = random.normal(shared, guide.factor.shape[-1:], guide.loc.dtype)
    return guide.loc + jnp.exp(guide.log_scale) * noise + guide.factor @ turn


def _entropy(guide: Guide) -> Array:
    """Entropy up to a constant, through a determinant of the size of the rank."""
    flat = guide.factor / jnp.exp(guide.log_scale)[:, None]
    inner = jnp.eye(flat.shape[1], dtype=flat.dtype) + flat.T @ flat
    return jnp.sum(guide.log_scale) + 0.5 * jnp.linalg.slogdet(inner)[1]


def _adam(step: Array, memory: tuple[Guide, Guide], slope: Guide) -> tuple:
    """Direction of ascent and the moments it is made from."""
    slope = jax.tree.map(lambda part: jnp.clip(part, -_CLIP, _CLIP), slope)

    def blend(keep: float, old: Guide, new: Guide) -> Guide:
        return jax.tree.map(lambda a, b: keep * a + (1 - keep) * b, old, new)

    first = blend(_MEMORY[0], memory[0], slope)
    second = blend(_MEMORY[1], memory[1], jax.tree.map(jnp.square, slope))
    grown = [1 - keep ** (step + 1) for keep in _MEMORY]

    def move(mean: Array, square: Array) -> Array:
        return (mean / grown[0]) / (jnp.sqrt(square / grown[1]) + 1e-8)

    return jax.tree.map(move, first, second), (first, second)


def enumerated(
    params: Params, key: Array, evidence: Evidence, lane: Lane, layout: Layout
) -> Array:
    """Log joint density with clusters summed out, for which nothing is drawn."""
    return log_joint(params, evidence, lane, layout)


def fit_lanes(
    start: Guide,
    keys: Array,
    evidence: Evidence,
    lanes: Lane,
    *,
    layout: Layout,
    steps: int,
    rate: float = 0.02,
    draws: int = 1,
    objective: Objective = enumerated,
) -> tuple[Guide, Real[Array, "step lane"]]:
    """Maximise the evidence lower bound of every lane.

    Parameters
    ----------
    start
        Where every lane begins.
    keys
        One JAX key per lane.
    evidence
        Shared by all lanes.
    lanes
        What differs, with a leading axis of lanes.
    layout
        Static shapes.
    steps
        Steps of Adam, rounded up to a multiple of 50: stretches of that length are
        what is compiled, whatever their number. The rate falls linearly to a fortieth
        over the second half.
    rate
        Largest step of a parameter.
    draws
        Draws of the parameters per step.
    objective
        Log of the joint density of a draw, up to a constant; may use its key.

    Returns
    -------
    The guides, and the course of the bound.
    """
    still = jax.tree.map(jnp.zeros_like, start)
    state = (start, (still, still))
    courses = []
    for begin in range(0, steps, _STRETCH):
        state, course = _climb(
            state,
            begin,
            steps,
            rate,
            keys,
            evidence,
            lanes,
            layout=layout,
            draws=draws,
            objective=objective,
        )
        courses.append(course)
    return state[0], jnp.concatenate(courses)


@partial(jax.jit, static_argnames=("layout", "draws", "objective"))
def _climb(
    state: tuple[Guide, tuple[Guide, Guide]],
    begin: Array,
    steps: Array,
    rate: Array,
    keys: Array,
    evidence: Evidence,
    lanes: Lane,
    *,
    layout: Layout,
    draws: int,
    objective: Objective,
) -> tuple[tuple[Guide, tuple[Guide, Guide]], Real[Array, "step lane"]]:
    """One stretch of steps of every lane."""

    def bound(guide: Guide, key: Array, lane: Lane) -> Array:
        def one(own: Array) -> Array:
            place, choice = random.split(own)
            params = unpack(_draw(guide, place), layout)
            return objective(params, choice, evidence, lane, layout)

        return jnp.mean(jax.vmap(one)(random.split(key, draws))) + _entropy(guide)

    uphill = jax.vmap(jax.value_and_grad(bound))

    def step(state: tuple, number: Array) -> tuple:
        guide, memory = state
        own = jax.vmap(random.fold_in, (0, None))(keys, number)
        value, slope = uphill(guide, own, lanes)
        ahead, memory = _adam(number, memory, slope)
        left = jnp.maximum(1 - number / steps, 0.0)
        pace = rate * jnp.minimum(1.0, 2 * left + 0.05)
        guide = jax.tree.map(lambda old, way: old + pace * way, guide, ahead)
        return (guide, memory), value

    return lax.scan(step, state, begin + jnp.arange(_STRETCH))


@partial(jax.jit, static_argnames="draws")
def draw_lanes(
    guide: Guide, keys: Array, *, draws: int
) -> Real[Array, "lane draw parameter"]:
    """Draws of the parameters from the guide of every lane."""

    def lane(own: Guide, key: Array) -> Array:
        return jax.vmap(lambda part: _draw(own, part))(random.split(key, draws))

    return jax.vmap(lane)(guide, keys)
