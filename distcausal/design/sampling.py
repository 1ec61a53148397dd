"""The three kinds of draws that designs are put together from.

Each takes the numbers of the draws wanted and gives draw number k from the key and k
alone, so a design may be drawn in any number of batches.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import random

from distcausal._base.keys import stream
from distcausal._base.typing import Array, Count
from distcausal.design.spaces import Draw, FiniteSpace, Space
from distcausal.numerics.determinant import (
    Draws,
    chain_draws,
    stream_draws,
    stream_window,
)

__all__ = ["Sampler", "determinantal", "independent", "shuffled"]

Sampler = Literal["auto", "chain", "stream"]


def determinantal(space: Space, sampler: Sampler, key: Array, numbers: Array) -> Draws:
    """Draw the projection process by the sampler named, or by the cheaper one."""
    own, window = stream(key, "determinantal"), stream_window(space.size)
    small = isinstance(space, FiniteSpace) and len(space.rows) <= window
    if sampler == "chain" or (sampler == "auto" and small):
        return chain_draws(space.source(1.0)[0], own, numbers)
    return stream_draws(
        space.propose,
        space.source(1.0),
        own,
        numbers,
        size=space.size,
        window=window,
    )


def independent(
    space: Space, share: float, key: Array, numbers: Array, count: int
) -> Array:
    """Draw independent points from ``share k_m / m + 1 - share``."""
    return _independent_draws(
        space.draw,
        space.source(share),
        stream(key, "independent"),
        numbers,
        count=count,
    )


@partial(jax.jit, static_argnames=("draw", "count"))
def _independent_draws(
    draw: Draw, source: Any, key: Array, numbers: Count[Array, " draw"], *, count: int
) -> Array:
    return jax.vmap(lambda number: draw(source, random.fold_in(key, number), count))(
        numbers
    )


@jax.jit
def shuffled(
    key: Array, numbers: Count[Array, " draw"], first: Array, others: Array
) -> Array:
    """Both kinds of points of every draw in one random order."""
    together = jnp.concatenate([first, others], axis=1)
    return jax.vmap(
        lambda number, items: random.permutation(random.fold_in(key, number), items)
    )(numbers, together)
