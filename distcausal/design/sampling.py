"""The three kinds of draws that designs are put together from.

Each takes one key per draw and names a stage of its own from it, so a draw depends on
its key alone and a design may be drawn in any number of batches.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import random

from distcausal._base.keys import stages
from distcausal._base.typing import Array
from distcausal.design.spaces import Draw, FiniteSpace, Space
from distcausal.numerics.determinant import (
    Draws,
    chain_draws,
    stream_draws,
    stream_window,
)

__all__ = ["Sampler", "determinantal", "independent", "shuffled"]

Sampler = Literal["auto", "chain", "stream"]


def determinantal(space: Space, sampler: Sampler, keys: Array) -> Draws:
    """Draw the projection process by the sampler named, or by the cheaper one."""
    own, window = stages(keys, "determinantal"), stream_window(space.size)
    small = isinstance(space, FiniteSpace) and len(space.rows) <= window
    if sampler == "chain" or (sampler == "auto" and small):
        return chain_draws(space.source(1.0)[0], own)
    return stream_draws(
        space.propose, space.source(1.0), own, size=space.size, window=window
    )


def independent(space: Space, share: float, keys: Array, count: int) -> Array:
    """Draw independent points from ``share k_m / m + (1 - share) h``."""
    own = stages(keys, "independent")
    return _independent_draws(space.draw, space.source(share), own, count=count)


@partial(jax.jit, static_argnames=("draw", "count"))
def _independent_draws(draw: Draw, source: Any, keys: Array, *, count: int) -> Array:
    return jax.vmap(lambda key: draw(source, key, count))(keys)


@jax.jit
def shuffled(keys: Array, first: Array, others: Array) -> Array:
    """Both kinds of points of every draw in one random order."""
    together = jnp.concatenate([first, others], axis=1)
    return jax.vmap(random.permutation)(keys, together)
