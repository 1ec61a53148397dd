"""Random Jacobi matrices whose eigenvalues are the points of a projection process.

In one dimension, with polynomials of every degree below m, the points of the projection
process are the eigenvalues of a classical random matrix, and those are the eigenvalues
of a tridiagonal matrix with independent entries: ``2m - 1`` random numbers and one
eigenvalue computation give an exact draw, without a function being evaluated. It shares
nothing with the samplers that add point after point, so each checks the other.

For the normal distribution the entries themselves are independent. For measures on a
half-line or an interval the matrix is ``B B'`` with B bidiagonal, so that eigenvalues
stay on the right side of its end: the squared entries of B are independent gamma
variables for the gamma distribution, and for a beta distribution they are
``(1 - p_{k-1}) p_k`` with independent beta variables ``p_k``, its canonical moments.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from distcausal._base.typing import Array, Real
from distcausal.numerics.lanes import grouped, lanes_together

__all__ = ["TRIDIAGONAL", "tridiagonal_points"]

# Families by the kind of matrix; of the intervals, the exponents at one and minus one.
TRIDIAGONAL = ("hermite", "laguerre", "jacobi", "legendre", "chebyshev")
_EXPONENTS = {"legendre": (0.0, 0.0), "chebyshev": (-0.5, -0.5)}


def tridiagonal_points(
    keys: Array, *, family: str, size: int, shape: tuple[float, ...] = ()
) -> Real[np.ndarray, "draw point"]:
    """Draw the projection process of all polynomials of degree below ``size``.

    Parameters
    ----------
    keys
        One JAX key per draw.
    family
        ``"hermite"``: standard normal distribution; ``"laguerre"``: density
        ``x^shape exp(-x)`` on the half-line; ``"jacobi"``: ``(1 - x)^a (1 + x)^b`` on
        [-1, 1], of which ``"legendre"`` and ``"chebyshev"`` have both exponents 0 and
        -1/2.
    size
        Number of points m.
    shape
        One exponent for ``"laguerre"``, zero if left out, two for ``"jacobi"``, each
        above -1; empty otherwise.

    Returns
    -------
    Shape ``(draw, size)``, the points of a draw in random order.

    Notes
    -----
    For drivers in double precision: points next to the end of an interval are exact to
    a rounding of its length. The matrices are dense for the eigenvalue solver, so a
    draw needs ``size**2`` numbers of memory and ``size**3`` operations, at the speed of
    the linear-algebra library.

    References
    ----------
    Dumitriu and Edelman (2002), J. Math. Phys. 43; Killip and Nenciu (2004), IMRN 50.

    Examples
    --------
    >>> import jax
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> tridiagonal_points(keys, family="legendre", size=5).shape
    (3, 5)
    """
    group = lanes_together(len(keys), size**2)
    if family == "hermite":
        run = partial(_normal_points, np.arange(size - 1, 0, -1.0))
    elif family == "laguerre":
        run = partial(_gamma_points, _gamma_shapes(size, shape[0] if shape else 0.0))
    else:
        a, b = _EXPONENTS.get(family) or shape
        run = partial(_beta_points, *_beta_shapes(size, a, b))
    return grouped(run, group, keys)


def _gamma_shapes(size: int, exponent: float) -> np.ndarray:
    """Shapes of the squared entries of B, diagonal and below it in turn."""
    shapes = np.empty(2 * size - 1)
    shapes[0::2] = size + exponent - np.arange(size)
    shapes[1::2] = size - 1 - np.arange(size - 1)
    return shapes


def _beta_shapes(size: int, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Both shapes of the canonical moments of a measure on [0, 1]."""
    first, second = np.empty((2, 2 * size - 1))
    left = size - np.arange(size)
    first[0::2], second[0::2] = left + b, left + a
    first[1::2], second[1::2] = left[1:], left[:-1] + a + b
    return first, second


@jax.jit
def _normal_points(shapes: Real[Array, " entry"], keys: Array) -> Array:
    def one(key: Array) -> Array:
        diagonal, below, order = random.split(key, 3)
        own = random.normal(diagonal, (len(shapes) + 1,), shapes.dtype)
        return _eigenvalues(order, own, random.gamma(below, shapes))

    return jax.vmap(one)(keys)


@jax.jit
def _gamma_points(shapes: Real[Array, " entry"], keys: Array) -> Array:
    def one(key: Array) -> Array:
        entries, order = random.split(key)
        return _product_eigenvalues(order, random.gamma(entries, shapes))

    return jax.vmap(one)(keys)


@jax.jit
def _beta_points(
    first: Real[Array, " entry"], second: Real[Array, " entry"], keys: Array
) -> Array:
    def one(key: Array) -> Array:
        up, down, order = random.split(key, 3)
        high, low = random.gamma(up, first), random.gamma(down, second)
        moment, rest = high / (high + low), low / (high + low)
        squared = moment.at[1:].multiply(rest[:-1])
        return 2 * jnp.minimum(_product_eigenvalues(order, squared), 1.0) - 1

    return jax.vmap(one)(keys)


def _product_eigenvalues(key: Array, squared: Array) -> Array:
    """Eigenvalues of ``B B'`` from the squared entries of B, none negative."""
    diagonal = squared[0::2].at[1:].add(squared[1::2])
    return jnp.maximum(_eigenvalues(key, diagonal, squared[:-1:2] * squared[1::2]), 0.0)


def _eigenvalues(key: Array, diagonal: Array, below_squared: Array) -> Array:
    """Eigenvalues in random order of a symmetric tridiagonal matrix."""
    below = jnp.sqrt(below_squared)
    matrix = jnp.diag(diagonal) + jnp.diag(below, -1) + jnp.diag(below, 1)
    return random.permutation(key, jnp.linalg.eigvalsh(matrix))
