"""Orthonormal polynomials in several variables, and draws from their squares.

Each family is orthonormal for a probability measure on [-1, 1], so products over
dimensions are orthonormal for the product measure. The square of such a product times
the measure is a probability again, the induced law of its index; a uniform mixture of
them over a basis is the density from which least squares wants its points. It factors
over dimensions, and in each the arcsine law is a proposal that is accepted with
probability exactly one half: for Legendre by Bernstein's inequality
``√(1-x²) P_n(x)² < 2 / (π (n + 1/2))``, for Chebyshev because a squared cosine is at
most one. The constant function has the measure itself as its induced law.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.typing import Array, Count, Real
from distcausal.numerics.legendre import basis_matrix

__all__ = ["FAMILIES", "Family", "induced_draws", "tensor_values"]


class Family(NamedTuple):
    """One family of orthonormal polynomials on [-1, 1].

    Attributes
    ----------
    values
        ``values(x, degree)``: polynomials of degree ``0..degree``, along a last axis.
    acceptance
        ``acceptance(x, square)``: probability of accepting ``x``, drawn from the
        arcsine law, as a draw from the induced law of a polynomial whose squared value
        at ``x`` is ``square``.
    """

    values: Callable[[Array, int], Array]
    acceptance: Callable[[Array, Array], Array]


def _legendre(x: Array, degree: int) -> Array:
    # Scaled by a NumPy array of the size of x's dtype: a bare one would set it.
    scale = np.sqrt(2 * np.arange(degree + 1) + 1).astype(x.dtype)
    return basis_matrix((x + 1) / 2, degree) * jnp.broadcast_to(
        scale, (*x.shape, degree + 1)
    )


def _legendre_acceptance(x: Array, square: Array) -> Array:
    return square * jnp.sqrt(jnp.maximum(1 - x**2, 0)) * (jnp.pi / 4)


def _chebyshev(x: Array, degree: int) -> Array:
    columns = [jnp.ones_like(x), x * jnp.sqrt(2).astype(x.dtype)]
    for n in range(1, degree):
        # The constant is shorter than the others by the root of two.
        before = columns[n - 1] * (jnp.sqrt(2).astype(x.dtype) if n == 1 else 1)
        columns.append(2 * x * columns[n] - before)
    return jnp.stack(columns[: degree + 1], axis=-1)


def _chebyshev_acceptance(x: Array, square: Array) -> Array:
    return square / 2


FAMILIES: dict[str, Family] = {
    "legendre": Family(_legendre, _legendre_acceptance),
    "chebyshev": Family(_chebyshev, _chebyshev_acceptance),
}


@partial(jax.jit, static_argnames=("family", "degree"))
def tensor_values(
    x: Real[Array, "*point dim"],
    index: Count[Array, "function dim"],
    *,
    family: str,
    degree: int,
) -> Real[Array, "*point function"]:
    """Values of products of polynomials, one product per row of ``index``.

    Parameters
    ----------
    x
        Points in [-1, 1].
    index
        Degree of each product in each dimension.
    family
        Name in `FAMILIES`.
    degree
        Largest entry of ``index``.

    Notes
    -----
    Pure and differentiable in ``x``; follows its precision.
    """
    table = FAMILIES[family].values(x, degree)
    product = jnp.ones((*x.shape[:-1], index.shape[0]), x.dtype)
    for place in range(index.shape[1]):
        product = product * jnp.take(table[..., place, :], index[:, place], axis=-1)
    return product


def induced_draws(
    degrees: Count[Array, "point dim"],
    key: Array,
    *,
    family: str,
    degree: int,
    dtype: np.dtype | type,
) -> Real[Array, "point dim"]:
    """One draw from the induced law of every degree given.

    All coordinates are proposed together until each has been accepted once, about
    twice the logarithm of their number in turns; a coordinate keeps what it accepted
    first, so the turns of others do not touch its law.
    """
    rule = FAMILIES[family]

    def propose(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, waiting, turn = state
        ask, thin = random.split(random.fold_in(key, turn))
        tried = jnp.cos(jnp.pi * random.uniform(ask, degrees.shape, dtype))
        table = rule.values(tried, degree)
        value = jnp.take_along_axis(table, degrees[..., None], axis=-1)[..., 0]
        accepted = random.uniform(thin, degrees.shape, dtype) < rule.acceptance(
            tried, value**2
        )
        return (
            jnp.where(waiting & accepted, tried, x),
            waiting & ~accepted,
            turn + 1,
        )

    start = (
        jnp.zeros(degrees.shape, dtype),
        jnp.ones(degrees.shape, bool),
        jnp.zeros((), int),
    )
    return lax.while_loop(lambda state: jnp.any(state[1]), propose, start)[0]
