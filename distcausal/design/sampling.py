"""The three kinds of draws that designs are put together from.

Each takes one key per draw and names a stage of its own from it, so a draw depends on
its key alone and a design may be drawn in any number of batches.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import numpy as np
from jax import random

from distcausal._base.keys import stages
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.design.polynomial import PolynomialSpace
from distcausal.design.spaces import Draw, Space, finite_part
from distcausal.numerics.determinant import (
    Draws,
    chain_draws,
    stream_draws,
    stream_window,
)
from distcausal.numerics.lanes import grouped, lanes_together
from distcausal.numerics.tridiagonal import tridiagonal_points

__all__ = [
    "Sampler",
    "determinantal",
    "has_all_degrees",
    "independent",
    "shuffled",
]

Sampler = Literal["auto", "chain", "stream", "tridiagonal"]


def determinantal(space: Space, sampler: Sampler, keys: Array) -> Draws:
    """Draw the projection process by the sampler named, or by the cheaper one."""
    own, window = stages(keys, "determinantal"), stream_window(space.size)
    if sampler == "tridiagonal":
        return _tridiagonal(space, own)
    finite = finite_part(space)
    small = finite is not None and len(finite.rows) <= window
    if sampler == "chain" or (sampler == "auto" and small):
        return chain_draws(space.source(1.0)[0], own)
    return stream_draws(
        space.propose, space.source(1.0), own, size=space.size, window=window
    )


def has_all_degrees(space: Space) -> bool:
    """Whether a space holds all polynomials of one variable up to a degree."""
    if not isinstance(space, PolynomialSpace) or space.dim > 1:
        return False
    return set(space.basis.index[:, 0].tolist()) == set(range(space.size))


def _tridiagonal(space: Any, keys: Array) -> Draws:
    """Eigenvalues of random matrices, in the units of the space."""
    family, given = space.family[0], space.basis.parameters[0]
    powers = {"jacobi": given["form"][0, :2], "laguerre": given["form"][0, :1]}
    # The coordinate of the space doubles each exponent and adds one.
    shape = tuple((power - 1) / 2 for power in powers.get(family, ()))
    standard = tridiagonal_points(keys, family=family, size=space.size, shape=shape)
    points = given["shift"] + given["stretch"] * standard
    low, high = space.basis.domain
    whole = np.full(len(points), space.size)
    return Draws(np.clip(points, low, high)[..., None], whole, np.zeros(len(points)))


def independent(space: Space, share: float, keys: Array, count: int) -> np.ndarray:
    """Draw independent points from ``share k_m / m + (1 - share) h``."""
    # Drawn in size classes, so that another number of points compiles nothing.
    padded = 1 if count == 1 else size_class(count)
    run = partial(_independent_draws, space.draw, space.source(share), padded)
    group = lanes_together(len(keys), padded)
    return grouped(run, group, stages(keys, "independent"))[:, :count]


@partial(jax.jit, static_argnums=(0, 2))
def _independent_draws(draw: Draw, source: Any, count: int, keys: Array) -> Array:
    return jax.vmap(lambda key: draw(source, key, count))(keys)


def shuffled(keys: Array, first: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Both kinds of points of every draw in one random order."""
    together = np.concatenate([first, others], axis=1)
    padded = size_class(together.shape[1])
    run = partial(_uniforms, padded)
    uniform = grouped(run, lanes_together(len(keys), padded), stages(keys, "order"))
    order = np.argsort(uniform[:, : together.shape[1]], axis=1)
    return together[np.arange(len(together))[:, None], order]


@partial(jax.jit, static_argnums=0)
def _uniforms(count: int, keys: Array) -> Array:
    return jax.vmap(lambda key: random.uniform(key, (count,)))(keys)
