"""Uniform draws without replacement from a range with holes, in many lanes at once.

The first r different values of a stream of independent draws are a uniform subset of
size r in random order, at a cost that the range does not enter. A window of the stream
holds r different values nearly always; where it does not, it is drawn anew, which
changes nothing: how many different values there are does not depend on which they are.
When more than half of the range is wanted, all of it is put in random order instead.
"""

from __future__ import annotations

from functools import partial
from math import ceil, log, sqrt

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.typing import Array, Count
from distcausal.numerics.lanes import grouped, lanes_together

__all__ = ["others_without_replacement"]


def others_without_replacement(
    taken: Count[np.ndarray, "draw m"], keys: Array, *, points: int, count: int
) -> Count[np.ndarray, "draw count"]:
    """Draw positions that are not taken, uniformly and without replacement.

    Parameters
    ----------
    taken
        Different positions, one row per draw.
    keys
        One JAX key per draw.
    points
        Positions are ``0..points - 1``.
    count
        How many to draw, at most those not taken.

    Returns
    -------
    Positions in random order.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> keys = jax.random.split(jax.random.key(0), 2)
    >>> taken = np.array([[0, 2], [1, 3]])
    >>> found = others_without_replacement(taken, keys, points=5, count=3)
    >>> np.sort(found, axis=1).tolist()
    [[1, 3, 4], [0, 2, 4]]
    """
    free = points - taken.shape[1]
    if 2 * count > free:
        run, work = partial(_by_order, free, count), free
    else:
        work = _window(free, count)
        run = partial(_by_stream, free, count, work)
    group = lanes_together(len(keys), work)
    return grouped(run, group, keys, np.sort(taken, axis=1))


def _window(free: int, count: int) -> int:
    """Draws that hold so many different values but once in some 1e14 times."""
    mean = free * log(free / (free - count))
    return ceil(mean + 8 * sqrt(2 * count)) + 8


@partial(jax.jit, static_argnums=(0, 1))
def _by_order(
    free: int, count: int, keys: Array, taken: Count[Array, "draw m"]
) -> Array:
    ranks = jax.vmap(lambda key: random.permutation(key, free)[:count])(keys)
    return jax.vmap(_not_taken)(ranks, taken)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _by_stream(
    free: int, count: int, window: int, keys: Array, taken: Count[Array, "draw m"]
) -> Array:
    def one(key: Array) -> Array:
        def ask(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            turn = state[2]
            tried = random.randint(random.fold_in(key, turn), (window,), 0, free)
            order = jnp.argsort(tried, stable=True)
            repeats = jnp.diff(tried[order], prepend=-1) == 0
            new = jnp.zeros(window, bool).at[order].set(~repeats)
            found = tried[jnp.nonzero(new, size=count)[0]]
            return found, jnp.sum(new), turn + 1

        start = (jnp.zeros(count, int), jnp.zeros((), int), jnp.zeros((), int))
        return lax.while_loop(lambda state: state[1] < count, ask, start)[0]

    return jax.vmap(_not_taken)(jax.vmap(one)(keys), taken)


def _not_taken(ranks: Array, taken: Array) -> Array:
    """Positions of given ranks among those not taken, which are given in order."""
    below = taken - jnp.arange(len(taken))
    return ranks + jnp.searchsorted(below, ranks, side="right")
