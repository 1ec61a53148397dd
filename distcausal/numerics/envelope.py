"""Exact draws from tabulated densities: a staircase above each, and refusals.

A density on a line that is smooth but for known points has a staircase just above it;
a draw under the staircase is a search and two uniforms, and is kept with the
probability that the density there has of the step. The staircase decides how often a
draw is refused, about one in ten, and not its law.

The heights are largest values on a fine grid and a margin for what lies between its
points. The margin is a twentieth of the range over the cell and its neighbours; near a
maximum, the only place where a grid misses anything, what a cell holds above its four
parts is at most a sixtieth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.typing import Array, Count, Real

__all__ = ["Envelope", "envelope_draws", "slices", "tabulated"]

_MARGIN = 0.05
_ROUNDING = 1e-9
_AT_ONCE = 2**22  # numbers
# Just inside the ends of a cell, where the density may jump.
_INSIDE = np.array([1e-9, 0.25, 0.5, 0.75, 1 - 1e-9])


class Envelope(NamedTuple):
    """Staircases above densities, one per row, on cells that the rows share.

    Attributes
    ----------
    edges
        Ends of the cells, shape ``(cell + 1,)``.
    height
        Shape ``(row, cell)``.
    cumulative
        Share of the area up to the end of each cell plus the row's number, all rows
        one after the other: one search serves them all.
    """

    edges: Any
    height: Any
    cumulative: Any


def slices(cells: int, numbers: int) -> Iterator[slice]:
    """Runs of cells with so many numbers each that fit in memory together."""
    step = max(_AT_ONCE // numbers, 1)
    for start in range(0, cells, step):
        yield slice(start, min(start + step, cells))


def tabulated(
    density: Callable[[np.ndarray], np.ndarray], edges: np.ndarray, *, functions: int
) -> Envelope:
    """Staircases above densities, on the host.

    Parameters
    ----------
    density
        Densities at points ``(point,)``, shape ``(point, row)``; smooth within a cell.
    edges
        Increasing ends of cells that are small against the waves of the densities.
    functions
        How many the density works with at a point, at least its rows.
    """
    width = np.diff(edges)
    points = edges[:-1, None] + width[:, None] * _INSIDE
    tops, bottoms = [], []
    for some in slices(len(points), len(_INSIDE) * functions):
        values = density(points[some].ravel())
        parts = values.reshape(-1, len(_INSIDE), values.shape[1])
        tops.append(parts.max(axis=1).T)
        bottoms.append(parts.min(axis=1).T)
    top = np.concatenate(tops, axis=1)
    spread = _of_neighbours(np.maximum, top)
    spread -= _of_neighbours(np.minimum, np.concatenate(bottoms, axis=1))
    height = top * (1 + _ROUNDING) + _MARGIN * spread
    area = np.cumsum(height * width, axis=1)
    share = area / area[:, -1:] + np.arange(len(area))[:, None]
    return Envelope(edges, height, share.ravel())


def _of_neighbours(extreme: np.ufunc, cells: np.ndarray) -> np.ndarray:
    """Largest or smallest of every cell and the two next to it."""
    found = cells.copy()
    extreme(found[:, 1:], cells[:, :-1], out=found[:, 1:])
    extreme(found[:, :-1], cells[:, 1:], out=found[:, :-1])
    return found


def envelope_draws(
    density: Callable[[Array], Array],
    envelope: Envelope,
    rows: Count[Array, "point dim"],
    key: Array,
) -> Real[Array, "point dim"]:
    """One draw from the density of each row asked for.

    Parameters
    ----------
    density
        Density at an array of points, ``(point, dim)``, of the row wanted at each.
    envelope
        Their staircases, with a first axis of variables.
    rows
        Row wanted, for each variable.
    key
        JAX key.

    Notes
    -----
    All are proposed together until each has been accepted once; one keeps what it
    accepted first, so the turns of others do not touch its law.
    """
    dtype = envelope.height.dtype
    propose = jax.vmap(_under_staircase, in_axes=(0, 1, 1, 1), out_axes=1)

    def turn(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        place, waiting, number = state
        uniform = random.uniform(random.fold_in(key, number), (3, *rows.shape), dtype)
        tried, height = propose(envelope, rows, uniform[0], uniform[1])
        accepted = uniform[2] * height < density(tried)
        return (
            jnp.where(waiting & accepted, tried, place),
            waiting & ~accepted,
            number + 1,
        )

    start = (
        jnp.zeros(rows.shape, dtype),
        jnp.ones(rows.shape, bool),
        jnp.zeros((), int),
    )
    return lax.while_loop(lambda state: jnp.any(state[1]), turn, start)[0]


def _under_staircase(
    envelope: Envelope, row: Array, cell_uniform: Array, place_uniform: Array
) -> tuple[Array, Array]:
    """A point under the staircase of each row, and the height there."""
    cells = envelope.height.shape[1]
    found = jnp.searchsorted(
        envelope.cumulative, row + cell_uniform, side="right", method="scan"
    )
    # Adding the row's number may have rounded up to the end of the row.
    cell = jnp.clip(found - row * cells, 0, cells - 1)
    low, high = envelope.edges[cell], envelope.edges[cell + 1]
    return low + (high - low) * place_uniform, envelope.height[row, cell]
