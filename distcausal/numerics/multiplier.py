"""Multipliers with mean zero and variance one for the bootstrap.

Each unit, or cluster, keeps its own stream, so its multipliers do not depend on how
many others there are, on padding, or on the blocks the units are processed in.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from distcausal._base.keys import by_unit
from distcausal._base.typing import Array, Count, Real

__all__ = ["MULTIPLIERS", "multipliers"]


def _normal(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape)


def _rademacher(key: Array, shape: tuple[int, ...]) -> Array:
    return jnp.where(jax.random.bernoulli(key, 0.5, shape), 1.0, -1.0)


def _mammen(key: Array, shape: tuple[int, ...]) -> Array:
    """Two points with third moment one."""
    root = 5**0.5
    low = jax.random.bernoulli(key, (root + 1) / (2 * root), shape)
    return jnp.where(low, (1 - root) / 2, (1 + root) / 2)


MULTIPLIERS = {"normal": _normal, "rademacher": _rademacher, "mammen": _mammen}


@partial(jax.jit, static_argnames=("law", "draws"))
def multipliers(
    key: Array, unit: Count[Array, " unit"], *, law: str, draws: int
) -> Real[Array, "draw unit"]:
    """Multipliers of the given units, named by their numbers.

    Parameters
    ----------
    key
        JAX key of the stream.
    unit
        Numbers of the units, shape ``(unit,)``.
    law
        ``"normal"``, ``"rademacher"`` or ``"mammen"``.
    draws
        Number of bootstrap draws.
    """
    return by_unit(MULTIPLIERS[law], key, unit, draws)
