"""Greedy sets of rows whose determinant is large: what a random process has as a mode.

The set of m rows with the largest determinant is hard to find; adding, one after the
other, the row with the longest part orthogonal to those chosen gives a set within a
factor of ``m!`` of it, the same for every machine and seed. It is the order in which a
QR factorisation of the transpose, or a Cholesky factorisation of the rows' Gram matrix,
chooses its pivots; neither matrix is formed here, only one squared length per row is
kept up to date.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from distcausal._base.typing import Array, Count, Real
from distcausal.numerics.determinant import unit_orthogonal

__all__ = ["Pivots", "greedy_pivots"]


# Below this share of its length what is left of a row is rounding: a short row that is
# new must come before a long one that is not.
_LEAST_SHARE = 1e-13


class Pivots(NamedTuple):
    """Rows in the order in which they were chosen.

    Attributes
    ----------
    rows
        Positions, shape ``(count,)``.
    residual
        Squared length that each row had left when it was chosen, never increasing;
        their product is the determinant of the Gram matrix of the rows chosen.
    """

    rows: Count[Array, " count"]
    residual: Real[Array, " count"]


@partial(jax.jit, static_argnames="count")
def greedy_pivots(rows: Real[Array, "row column"], *, count: int) -> Pivots:
    """Choose rows greedily by their squared length orthogonal to those chosen.

    Parameters
    ----------
    rows
        Any matrix: orthonormal rows of a projection process, or ``B`` for a process
        with kernel ``B B'``. Rows of zeros are never chosen before others.
    count
        How many to choose. Beyond the rank of the rows residuals are rounding, and the
        rows chosen mean nothing.

    Returns
    -------
    Pivots
        The first of several equally long rows is taken.

    Notes
    -----
    Pure; follows the precision of its input. Reads the matrix once per row chosen, and
    holds one number per row in addition to it. Projections are taken out twice, so the
    directions chosen stay orthogonal to rounding.

    References
    ----------
    Businger and Golub (1965) for the factorisation; Civril and Magdon-Ismail (2009) for
    the factor.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> rows = jnp.array([[1.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    >>> chosen = greedy_pivots(rows, count=2)
    >>> chosen.rows.tolist(), chosen.residual.round().tolist()
    ([2, 1], [10.0, 1.0])
    """
    whole = jnp.sum(rows**2, axis=1)
    start = (jnp.zeros((count, rows.shape[1]), rows.dtype), whole, jnp.zeros((), int))

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple, Pivots]:
        basis, residual, place = carry
        row = jnp.argmax(residual)
        direction = unit_orthogonal(basis, rows[row])
        left = residual - (rows @ direction) ** 2
        left = jnp.where(left > _LEAST_SHARE * whole, left, 0.0)
        # A row chosen is never chosen again, even when nothing else is left.
        left = jnp.where(residual < 0, -1.0, left).at[row].set(-1.0)
        carry = (basis.at[place].set(direction), left, place + 1)
        # From the row itself: the running difference has lost digits by now.
        return carry, Pivots(row, jnp.sum(rows[row] * direction) ** 2)

    return lax.scan(step, start, length=count)[1]
