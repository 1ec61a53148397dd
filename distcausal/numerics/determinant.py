"""Projection determinantal processes: probabilities of subsets, and exact draws.

A projection process on an m-dimensional space of functions is a random set of m points
at which the functions are as far from collinear as chance allows: the density of the
set is the squared determinant of an orthonormal basis at its points. It is where a
least-squares fit with the fewest points should be taken.

Given the points chosen so far, the next one has density proportional to the squared
length of its row of basis values, orthogonal to the rows chosen. Two samplers use it.
`chain_draws` keeps that residual for all N atoms: m passes over the rows.
`stream_draws` proposes points from the first density of the chain and thins them to the
conditional one, at a cost that N does not enter. A proposal once refused stays refused,
because residuals only fall, so a whole window of proposals can be drawn at once; a draw
whose window runs out goes on from where it stands, never from the start, which would
favour sets that are found quickly.

Every draw has a key of its own and depends on nothing else, so batches of any size give
the same draws.
Only directions matter to the second sampler, so its rows have unit length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.typing import Array, Count, Real
from distcausal.numerics.lanes import grouped, lanes_together

__all__ = [
    "Draws",
    "chain_draws",
    "chain_sets",
    "inverse_cdf",
    "leverage",
    "log_elementary_symmetric",
    "log_elementary_table",
    "stream_draws",
    "stream_window",
    "subset_log_prob",
    "unit_orthogonal",
]

Proposer = Callable[[Any, Array, int], tuple[Array, Array]]

MOST_WINDOWS = 10_000
# Below this share of its length a residual is rounding: such a proposal repeats a point
# already chosen. The largest change to any probability is of the same size.
_LEAST_RESIDUAL = 1e-13


class Draws(NamedTuple):
    """Sets drawn, and what their driver should look at before using them.

    Attributes
    ----------
    items
        One row of m items per draw: atoms, shape ``(draw, m)``, or whatever was
        proposed, in the exchangeable order in which they were accepted.
    filled
        How many of the m are there, shape ``(draw,)``; fewer than m is a failure.
    lowest
        Lowest squared residual, which only rounding makes negative, ``(draw,)``.
    """

    items: Any
    filled: Any
    lowest: Any


class _Lane(NamedTuple):
    """A draw under way: directions taken, what `Draws` says of it, windows used."""

    basis: Any
    items: Any
    filled: Any
    lowest: Any
    windows: Any


def leverage(rows: np.ndarray) -> np.ndarray:
    """Squared lengths of orthonormal rows: the inclusion probability of every atom."""
    return np.einsum("...ij,...ij->...i", rows, rows)


def subset_log_prob(rows: np.ndarray) -> np.ndarray:
    """Log-probability that the process contains given points, in any order.

    Parameters
    ----------
    rows
        Orthonormal rows of the points, shape ``(..., point, m)``, at most m points.

    Returns
    -------
    Shape ``(...)``: log-determinant of the kernel of the points. With m points it is
    the log-probability of being exactly that set; impossible sets give minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.linalg.qr(np.vander([0.0, 1.0, 2.0], 2))[0]
    >>> pairs = rows[np.array([[0, 1], [0, 2], [1, 2]])]
    >>> np.exp(subset_log_prob(pairs)).round(4).tolist()
    [0.1667, 0.6667, 0.1667]
    """
    if rows.shape[-2] == rows.shape[-1]:
        # The determinant of the rows keeps digits that their Gram matrix would lose.
        return 2 * np.linalg.slogdet(rows)[1]
    triangle = np.linalg.qr(np.swapaxes(rows, -1, -2), mode="r")
    size = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    with np.errstate(divide="ignore"):
        return 2 * np.sum(np.log(size), axis=-1)


def log_elementary_symmetric(
    log_values: Real[Array, " value"], order: int
) -> Real[Array, " orders"]:
    """Logarithms of the elementary symmetric polynomials of orders ``0..order``.

    Parameters
    ----------
    log_values
        Logarithms of nonnegative numbers; minus infinity stands for zero.
    order
        Highest order wanted.

    Returns
    -------
    Shape ``(order + 1,)``; orders above the number of values give minus infinity.

    Notes
    -----
    Pure; follows the precision of its input. One pass over the values, each adding
    itself to the next order, as logarithms so that neither 200 large eigenvalues nor
    200 small ones leave the range of floating-point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> log_values = np.log(np.array([1.0, 2.0, 3.0], dtype="float32"))
    >>> np.exp(log_elementary_symmetric(log_values, 3)).round(3).tolist()
    [1.0, 6.0, 11.0, 6.0]
    """
    log_values = jnp.asarray(log_values)
    return lax.fori_loop(
        0,
        len(log_values),
        lambda place, sums: _with_value(sums, log_values[place]),
        _no_values(log_values, order),
    )


def log_elementary_table(
    log_values: Real[Array, " value"], order: int
) -> Real[Array, "values orders"]:
    """Return `log_elementary_symmetric` of the first 0, 1, 2, ... of the values.

    Shape ``(value + 1, order + 1)``.
    """
    start = _no_values(log_values, order)

    def include(sums: Array, value: Array) -> tuple[Array, Array]:
        sums = _with_value(sums, value)
        return sums, sums

    return jnp.concatenate([start[None], lax.scan(include, start, log_values)[1]])


def _no_values(log_values: Array, order: int) -> Array:
    return jnp.full(order + 1, -jnp.inf, log_values.dtype).at[0].set(0.0)


def _with_value(sums: Array, value: Array) -> Array:
    """Sums of products after one more value, each order gaining from the one below."""
    return sums.at[1:].set(jnp.logaddexp(sums[1:], sums[:-1] + value))


def inverse_cdf(
    cumulative: Real[Array, " atom"], uniform: Real[Array, ...]
) -> Count[Array, ...]:
    """Atoms drawn by inversion; atoms without mass, padding included, are never drawn.

    ``cumulative`` need not end at one: it is taken as it is summed.
    """
    total = cumulative[-1]
    place = jnp.searchsorted(
        cumulative, uniform * total, side="right", method="scan_unrolled"
    )
    # A uniform next to one may round up to the total, beyond the last atom with mass.
    return jnp.minimum(place, jnp.searchsorted(cumulative, total))


def chain_draws(rows: Real[Array, "atom m"], keys: Array) -> Draws:
    """Draw sets of atoms by the chain rule, all atoms' residuals in memory.

    Parameters
    ----------
    rows
        Orthonormal rows; rows of zeros are never chosen.
    keys
        One JAX key per draw.
    """
    group = lanes_together(len(keys), len(rows))
    return grouped(partial(chain_sets, rows), group, keys)


@jax.jit
def chain_sets(rows: Real[Array, "atom m"], keys: Array) -> Draws:
    """As `chain_draws`, all draws at once, for use inside compiled functions."""
    whole = jnp.sum(rows**2, axis=-1)

    def one(key: Array) -> Draws:
        size = rows.shape[1]
        uniform = random.uniform(key, (size,), rows.dtype)

        def step(carry: tuple[Array, Array, Array], u: Array) -> Any:
            basis, residual, place = carry
            atom = inverse_cdf(jnp.cumsum(residual), u)
            direction = unit_orthogonal(basis, rows[atom])
            residual = residual - (rows @ direction) ** 2
            lowest = jnp.min(residual)
            residual = jnp.maximum(residual, 0.0).at[atom].set(0.0)
            basis = basis.at[place].set(direction)
            return (basis, residual, place + 1), (atom, lowest)

        start = (jnp.zeros((size, size), rows.dtype), whole, jnp.zeros((), int))
        atoms, lowest = lax.scan(step, start, uniform)[1]
        return Draws(atoms, jnp.full((), size), jnp.min(lowest))

    return jax.vmap(one)(keys)


def stream_window(size: int) -> int:
    """Proposals drawn at once: a quarter more than a draw needs on average."""
    return int(np.ceil(1.25 * size * sum(1 / k for k in range(1, size + 1))))


def stream_draws(
    propose: Proposer,
    source: Any,
    keys: Array,
    *,
    size: int,
    window: int,
) -> Draws:
    """Draw sets of points by thinning windows of proposals.

    Parameters
    ----------
    propose
        ``propose(source, key, count)`` returns ``count`` independent points from the
        density ``k_m / m`` and their rows of basis values scaled to unit length.
    source
        Arrays that ``propose`` needs.
    keys
        One JAX key per draw.
    size
        Dimension m of the space.
    window
        Proposals drawn at once.

    Notes
    -----
    Costs about ``2 window m²`` operations a draw, whatever the size of the ground set.
    Draws not filled by their first window are gathered and go on together.
    """
    group = lanes_together(len(keys), window * size)
    work = partial(_use_windows, propose, source, window)
    lanes = _blank(propose, source, keys, size)
    todo = np.arange(len(keys))
    found = Draws(*(np.zeros_like(field) for field in lanes[1:4]))
    while todo.size:
        lanes = grouped(work, group, keys, lanes, chosen=todo)
        for whole, part in zip(found, lanes[1:4], strict=True):
            whole[todo] = part
        short = (lanes.filled < size) & (lanes.windows < MOST_WINDOWS)
        todo, lanes = todo[short], _Lane(*(field[short] for field in lanes))
    return found


def _blank(propose: Proposer, source: Any, keys: Array, size: int) -> _Lane:
    """Draws that have not begun, with room for the kind of item proposed."""
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), source
    )
    leaves, tree = jax.tree.flatten(shapes)
    item, row = _kinds(propose, tuple(leaves), tree, keys.dtype)
    draws = len(keys)
    return _Lane(
        # One matrix of zeros seen from every draw.
        basis=np.broadcast_to(np.zeros((), row.dtype), (draws, size, size)),
        items=np.zeros((draws, size, *item.shape[1:]), item.dtype),
        filled=np.zeros(draws, int),
        lowest=np.ones(draws, row.dtype),
        windows=np.zeros(draws, int),
    )


@lru_cache(maxsize=64)
def _kinds(propose: Proposer, leaves: tuple[Any, ...], tree: Any, key: Any) -> Any:
    """Shapes and types of an item and its row, found once per kind of space."""
    source = jax.tree.unflatten(tree, leaves)
    seed = jax.ShapeDtypeStruct((), key)
    return jax.eval_shape(lambda given, key: propose(given, key, 1), source, seed)


@partial(jax.jit, static_argnums=(0, 2))
def _use_windows(
    propose: Proposer, source: Any, window: int, keys: Array, lanes: _Lane
) -> _Lane:
    """Accept what new windows of proposals offer to draws under way."""

    def ask(key: Array, used: Array) -> tuple[Array, Array, Array]:
        proposals, thin = random.split(random.fold_in(key, used))
        items, rows = propose(source, proposals, window)
        threshold = random.uniform(thin, (window,), rows.dtype)
        return items, rows, jnp.maximum(threshold, _LEAST_RESIDUAL)

    items, rows, threshold = jax.vmap(ask)(keys, lanes.windows)
    residual = lax.cond(
        jnp.any(lanes.filled > 0),
        lambda: 1 - jnp.sum((rows @ jnp.swapaxes(lanes.basis, 1, 2)) ** 2, axis=-1),
        lambda: jnp.ones(rows.shape[:2], rows.dtype),
    )
    return jax.vmap(_thin)(lanes, items, rows, threshold, residual)


def _thin(
    lane: _Lane, items: Array, rows: Array, threshold: Array, residual: Array
) -> _Lane:
    """Go through one window: each acceptance lowers the residuals that follow."""
    window = len(rows)

    def step(carry: tuple[_Lane, Array], _: None) -> tuple[tuple[_Lane, Array], None]:
        lane, residual = carry
        fits = threshold < residual
        first = jnp.argmax(fits)
        found = fits[first] & (lane.filled < len(lane.basis))
        direction = unit_orthogonal(lane.basis, rows[first])
        direction = jnp.where(found, direction, 0.0)
        residual = residual - (rows @ direction) ** 2
        lowest = jnp.minimum(lane.lowest, jnp.min(residual))
        residual = jnp.where(jnp.arange(window) == first, 0.0, residual)
        # A full draw points beyond its last place, where JAX drops what is written.
        place = jnp.where(found, lane.filled, len(lane.basis))
        return (
            lane._replace(
                basis=lane.basis.at[place].set(direction),
                items=lane.items.at[place].set(items[first]),
                filled=lane.filled + found,
                lowest=lowest,
            ),
            residual,
        ), None

    (lane, _), _ = lax.scan(step, (lane, residual), length=len(lane.basis))
    return lane._replace(windows=lane.windows + 1)


def unit_orthogonal(
    basis: Real[Array, "taken m"], row: Real[Array, " m"]
) -> Real[Array, " m"]:
    """Unit vector along the part of a row orthogonal to the directions taken.

    Projected out twice: what rounding leaves after the first time would grow with
    every step that follows.
    """
    for _ in range(2):
        row = row - basis.T @ (basis @ row)
    length = jnp.sqrt(jnp.sum(row**2))
    return row / jnp.where(length > 0, length, 1.0)
