"""Classical orthonormal polynomials through their three-term recurrences.

A polynomial orthonormal for a probability measure is the one before it times ``x - a``,
less a multiple of the one before that, divided by its length. Jacobi, Hermite and
Laguerre polynomials differ in these coefficients alone, so one compiled function
evaluates them all, in as many variables as there are, and it is stable: the recurrence
is run in the direction in which the polynomials do not decay.

Leading coefficients are positive, which for odd Laguerre polynomials is not the usual
sign.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.typing import Array, Real

__all__ = ["Recurrence", "hermite", "jacobi", "laguerre", "recurrence_values"]


class Recurrence(NamedTuple):
    """Coefficients of ``step[k] p_{k+1} = (x - center[k]) p_k - step[k-1] p_{k-1}``.

    Attributes
    ----------
    center, step
        Shape ``(degree,)``; several variables put an axis before it.
    """

    center: np.ndarray
    step: np.ndarray


def jacobi(degree: int, a: float, b: float) -> Recurrence:
    """Polynomials for ``(1 - x)^a (1 + x)^b`` on [-1, 1], ``a, b > -1``.

    Examples
    --------
    >>> jacobi(2, 0.0, 0.0).step.round(4).tolist()  # Legendre
    [0.5774, 0.5164]
    """
    n = np.arange(degree, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        twice = 2 * n + a + b
        center = (b**2 - a**2) / (twice * (twice + 2))
        squared = (4 * (n + 1) * (n + 1 + a) * (n + 1 + b) * (n + 1 + a + b)) / (
            (twice + 2) ** 2 * (twice + 3) * (twice + 1)
        )
    # Factors that cancel here are zero over zero at some a and b.
    center[:1] = (b - a) / (a + b + 2)
    squared[:1] = 4 * (1 + a) * (1 + b) / ((2 + a + b) ** 2 * (3 + a + b))
    return Recurrence(center, np.sqrt(squared))


def hermite(degree: int) -> Recurrence:
    """Polynomials for the standard normal distribution."""
    return Recurrence(np.zeros(degree), np.sqrt(np.arange(1.0, degree + 1)))


def laguerre(degree: int, shape: float) -> Recurrence:
    """Polynomials for the gamma distribution with density ``x^shape exp(-x)``."""
    n = np.arange(degree, dtype=float)
    return Recurrence(2 * n + 1 + shape, np.sqrt((n + 1) * (n + 1 + shape)))


def recurrence_values(
    center: Real[Array, "dim degree"],
    step: Real[Array, "dim degree"],
    x: Real[Array, "*point dim"],
) -> Real[Array, "*point dim function"]:
    """Polynomials of degree ``0..degree`` in each variable.

    Pure and differentiable in ``x``; follows its precision.
    """
    one = jnp.ones_like(x)
    if center.shape[1] == 0:
        return one[..., None]
    before = jnp.concatenate([jnp.zeros_like(step[:, :1]), step[:, :-1]], axis=1)
    rows = jnp.moveaxis(jnp.stack([center, before, step]), 2, 0).astype(x.dtype)

    def climb(carry: tuple[Array, Array], row: Array) -> Any:
        last, value = carry
        shift, below, above = (jnp.broadcast_to(one, x.shape) for one in row)
        new = ((x - shift) * value - below * last) / above
        return (value, new), new

    higher = lax.scan(climb, (jnp.zeros_like(x), one), rows)[1]
    return jnp.moveaxis(jnp.concatenate([one[None], higher]), 0, -1)
