"""Taking points out of a weighted least-squares design, one after the other.

Two ways. Drawn with probability proportional to one minus its leverage, the removed
point takes volume sampling of ``k + 1`` points to volume sampling of ``k`` exactly: a
determinant without a row is the whole determinant times one minus its leverage.
Chosen greedily, it is the point without which the Gram matrix is closest to the
identity; extreme eigenvalues after each candidate removal come from one eigenvalue
decomposition per step, because taking out a row is a change of rank one whose
eigenvalues interlace with those before: they are found by bisection, for all candidates
together.

Both work on many designs at once and always remove the same number of points.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random

from distcausal._base.typing import Array, Count, Real

__all__ = ["Thinning", "keep_greedily", "keep_randomly", "resolved_leverages"]

# Halvings of an interval of eigenvalues: nine digits tell candidates apart.
_HALVINGS = 30


class Thinning(NamedTuple):
    """Points left, and how well they were told apart.

    Attributes
    ----------
    kept
        Positions, ascending, shape ``(draw, size)``.
    error
        Largest relative error of a row in the factors that leverages were read from,
        shape ``(draw,)``: rounding as long as rows of all lengths are resolved.
    """

    kept: Any
    error: Any


@partial(jax.jit, static_argnames="size")
def keep_randomly(
    rows: Real[Array, "draw point m"], keys: Array, *, size: int
) -> Thinning:
    """Positions of the points left by random removals, ascending.

    Parameters
    ----------
    rows
        Orthonormal functions at the points, each times the root of its weight.
    keys
        One JAX key per draw.
    size
        Points to keep, at least m.
    """
    turns = rows.shape[1] - size

    def one(rows: Array, key: Array) -> Thinning:
        uniform = random.uniform(key, (turns,), rows.dtype)

        def step(state: tuple[Array, Array], u: Array) -> Any:
            kept, worst = state
            found, error = resolved_leverages(jnp.where(kept[:, None], rows, 0.0))
            spare = jnp.where(kept, jnp.maximum(1 - found, 0.0), 0.0)
            cumulative = jnp.cumsum(spare)
            gone = jnp.searchsorted(cumulative, u * cumulative[-1], side="right")
            return (kept.at[gone].set(False), jnp.maximum(worst, error)), None

        start = (jnp.ones(len(rows), bool), jnp.zeros((), rows.dtype))
        kept, worst = lax.scan(step, start, uniform)[0]
        return Thinning(_kept(kept, size), worst)

    return jax.vmap(one)(rows, keys)


def resolved_leverages(rows: Real[Array, "point m"]) -> tuple[Array, Array]:
    """Leverage of every row, and the largest relative error of a row.

    Rows and columns are factored longest first: rows of very different lengths keep
    their digits in Householder factors only so.
    """
    length = jnp.sum(rows**2, axis=1)
    order = jnp.argsort(-length)
    columns = jnp.argsort(-jnp.sum(rows**2, axis=0))
    given = rows[order][:, columns]
    factor, triangle = jnp.linalg.qr(given)
    wrong = jnp.sum((factor @ triangle - given) ** 2, axis=1)
    whole = jnp.where(length > 0, length, 1.0)[order]
    found = jnp.zeros_like(length).at[order].set(jnp.sum(factor**2, axis=1))
    return found, jnp.sqrt(jnp.max(wrong / whole))


@partial(jax.jit, static_argnames="size")
def keep_greedily(
    rows: Real[Array, "draw point m"], *, size: int
) -> Count[Array, "draw size"]:
    """Positions of the points left by greedy removals, ascending.

    Parameters
    ----------
    rows
        Orthonormal functions at the points, each times the root of its weight.
    size
        Points to keep, at least m.
    """
    points = rows.shape[1]

    def one(rows: Array) -> Array:
        def step(kept: Array, left: Array) -> tuple[Array, None]:
            own = jnp.where(kept[:, None], rows, 0.0)
            low, high = _extremes_without(own)
            away = jnp.maximum(jnp.abs(low / left - 1), jnp.abs(high / left - 1))
            gone = jnp.argmin(jnp.where(kept, away, jnp.inf))
            return kept.at[gone].set(False), None

        lefts = jnp.arange(points - 1, size - 1, -1).astype(rows.dtype)
        return _kept(lax.scan(step, jnp.ones(points, bool), lefts)[0], size)

    return jax.vmap(one)(rows)


def _extremes_without(rows: Array) -> tuple[Array, Array]:
    """Extreme eigenvalues of the Gram matrix without each of the rows in turn."""
    values, vectors = jnp.linalg.eigh(rows.T @ rows)
    parts = (rows @ vectors) ** 2
    whole = jnp.sum(parts, axis=1)
    bottom = jnp.maximum(values[0] - whole, 0.0)
    below_top = values[-2] if len(values) > 1 else bottom
    low = _root(values, parts, bottom, values[0])
    high = _root(values, parts, jnp.maximum(below_top, values[-1] - whole), values[-1])
    return low, high


def _root(values: Array, parts: Array, low: Any, high: Any) -> Array:
    """Eigenvalue of ``diag(values) - z z'`` that lies between low and high."""
    low = jnp.broadcast_to(low, parts.shape[:1])
    high = jnp.broadcast_to(high, parts.shape[:1])

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        gap = values[None, :] - middle[:, None]
        safe = jnp.where(gap == 0, jnp.finfo(gap.dtype).tiny, gap)
        # By Sylvester's law this is negative when the eigenvalue is below the middle.
        above = 1 - jnp.sum(parts / safe, axis=1) >= 0
        return jnp.where(above, middle, ends[0]), jnp.where(above, ends[1], middle)

    ends = lax.fori_loop(0, _HALVINGS, halve, (low, high))
    return (ends[0] + ends[1]) / 2


def _kept(kept: Array, size: int) -> Array:
    return jnp.nonzero(kept, size=size)[0]
