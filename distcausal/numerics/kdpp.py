"""Determinantal processes of any kernel: spectra, symmetric polynomials, choices.

A process with kernel ``L`` takes a set with probability proportional to the determinant
of its part of ``L``; the number of points is random, or fixed at k. It is a mixture of
projection processes, one for each set of eigenvectors, and everything about the mixture
is in the eigenvalues: weights are products of them, and their sums are elementary
symmetric polynomials. These span hundreds of orders of magnitude and are kept as
logarithms; sums over all eigenvalues but one join those before it with those after it,
because dividing one out again would cancel.

The kernel itself is kept as ``L = D R R' D`` with lengths D and rows R of about unit
length. The rank of the rows does not depend on the units of the items, and eigenvalues
of such a product are found to nearly full relative accuracy even when the lengths range
over hundreds of orders of magnitude (Demmel and others 1999).
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.typing import Array, Count, Flag, Real
from distcausal.numerics.determinant import (
    chain_sets,
    log_elementary_symmetric,
    log_elementary_table,
)
from distcausal.numerics.lanes import grouped, lanes_together

__all__ = [
    "Factor",
    "Spectrum",
    "eigenvector_probabilities",
    "eigenvectors_chosen",
    "factor_of_features",
    "factor_of_kernel",
    "log_sums",
    "sets_drawn",
    "spectrum",
]

# Lengths this far apart need the slower eigenvalue solver; up to here squaring them
# costs six digits of the smallest eigenvalues at most.
_EVEN_LENGTHS = 1e3
_JOBA_BOTH_SIDES = 2  # for matrices whose rows and columns may both be badly scaled


class Factor(NamedTuple):
    """A kernel ``scale_i scale_j (rows rows')_ij`` of full column rank.

    Attributes
    ----------
    scale
        Positive, shape ``(item,)``.
    rows
        Shape ``(item, rank)``.
    least
        Smallest eigenvalue of the kernel with unit diagonal, in multiples of what
        rounding alone may leave; below minus one it is negative in earnest.
    """

    scale: np.ndarray
    rows: np.ndarray
    least: float


class Spectrum(NamedTuple):
    """Positive eigenvalues of a kernel, ascending, and their eigenvectors.

    Attributes
    ----------
    log_values
        Shape ``(rank,)``.
    vectors
        Orthonormal columns, shape ``(item, rank)``.
    """

    log_values: np.ndarray
    vectors: np.ndarray


def factor_of_kernel(kernel: np.ndarray) -> Factor:
    """Factor a symmetric matrix, dropping eigenvalues that are rounding.

    Parameters
    ----------
    kernel
        Shape ``(item, item)``, finite and symmetric.
    """
    scale = _positive(np.sqrt(np.abs(np.diagonal(kernel))))
    unit = kernel / scale[:, None] / scale
    values, vectors = np.linalg.eigh(unit)
    rounding = _rounding(len(kernel)) * max(np.abs(values).max(), 1.0)
    kept = values > rounding
    rows = vectors[:, kept] * np.sqrt(values[kept])
    return Factor(scale, rows, float(values[0] / rounding))


def factor_of_features(features: np.ndarray) -> Factor:
    """Factor ``B B'`` from ``B``, shape ``(item, feature)``, without forming it."""
    largest = _positive(np.abs(features).max(axis=1))
    rows = features / largest[:, None]
    length = _positive(np.sqrt(np.einsum("ij,ij->i", rows, rows)))
    rows = rows / length[:, None]
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    kept = values > _rounding(max(rows.shape)) * values[0]
    return Factor(largest * length, left[:, kept] * values[kept], 0.0)


def spectrum(factor: Factor) -> Spectrum:
    """Eigenvalues and eigenvectors of the kernel that a factor stands for."""
    from scipy.linalg import lapack

    product = factor.scale[:, None] * factor.rows
    if 0 in product.shape:
        return Spectrum(np.zeros(0), product)
    if factor.scale.max() <= _EVEN_LENGTHS * factor.scale.min():
        vectors, values, _ = np.linalg.svd(product, full_matrices=False)
        return Spectrum(2 * np.log(values[::-1]), vectors[:, ::-1].copy())
    values, vectors, _, work, _, _ = lapack.dgejsv(
        product, joba=_JOBA_BOTH_SIDES, jobu=0, jobv=3, jobr=0, jobp=0
    )
    logs = 2 * (np.log(values) + np.log(work[0]) - np.log(work[1]))
    return Spectrum(logs[::-1].copy(), vectors[:, : len(values)][:, ::-1].copy())


@partial(jax.jit, static_argnames="order")
def log_sums(
    log_values: Real[Array, "*set value"], *, order: int
) -> Real[Array, "*set orders"]:
    """`log_elementary_symmetric` of every set of values, compiled."""
    *leading, values = log_values.shape
    if values == 0:
        return jnp.full((*leading, order + 1), -jnp.inf).at[..., 0].set(0.0)
    flat = log_values.reshape(prod(leading), values)
    sums = jax.vmap(partial(log_elementary_symmetric, order=order))(flat)
    return sums.reshape(*leading, order + 1)


_table = partial(jax.jit, static_argnames="order")(log_elementary_table)


@partial(jax.jit, static_argnames="size")
def eigenvector_probabilities(
    log_values: Real[Array, " value"], *, size: int
) -> Real[Array, " value"]:
    """Probability that each eigenvector takes part in a set of fixed size.

    Parameters
    ----------
    log_values
        Logarithms of the eigenvalues, at least ``size`` of them.
    size
        Points k in a set, at least one.

    Returns
    -------
    Shape ``(value,)``; they sum to ``size``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> found = eigenvector_probabilities(jnp.log(jnp.array([1.0, 2.0, 3.0])), size=2)
    >>> (11 * found).round(3).tolist()
    [5.0, 8.0, 9.0]
    """
    before = log_elementary_table(log_values, size)
    after = log_elementary_table(log_values[::-1], size)[::-1]
    # The others make up size - 1: some from before a value, the rest from after it.
    others = jax.nn.logsumexp(before[:-1, :size] + after[1:, size - 1 :: -1], axis=1)
    return jnp.exp(log_values + others - before[-1, size])


def eigenvectors_chosen(
    log_values: Real[np.ndarray, " value"], keys: Array, *, size: int
) -> Count[np.ndarray, "draw size"]:
    """Draw eigenvectors with probability proportional to the product of eigenvalues.

    Parameters
    ----------
    log_values
        Logarithms of the eigenvalues, at least ``size`` of them.
    keys
        One JAX key per draw.
    size
        How many are chosen.
    """
    table = _table(log_values, order=size)
    group = lanes_together(len(keys), len(log_values))
    return grouped(partial(_chosen, log_values, table), group, keys)


@jax.jit
def _chosen(
    log_values: Real[Array, " value"], table: Real[Array, "values orders"], keys: Array
) -> Count[Array, "draw size"]:
    size = table.shape[1] - 1

    def one(key: Array) -> Array:
        uniform = random.uniform(key, log_values.shape, log_values.dtype)

        def step(left: Array, place: Array) -> tuple[Array, Array]:
            share = table[place, left - 1] - table[place + 1, left]
            wins = jnp.log(uniform[place]) < log_values[place] + share
            # Rounding must not leave a draw short when all that remain are needed.
            taken = (left > 0) & (wins | (left > place))
            return left - taken, taken

        places = jnp.arange(len(log_values))
        taken = lax.scan(step, jnp.full((), size), places, reverse=True)[1]
        return jnp.nonzero(taken, size=size)[0]

    return jax.vmap(one)(keys)


def sets_drawn(
    vectors: Real[np.ndarray, "item value"],
    places: Count[np.ndarray, "draw most"],
    taken: Flag[np.ndarray, "draw most"],
    keys: Array,
) -> Count[np.ndarray, "draw most"]:
    """Draw from the projection process on chosen eigenvectors, one set per draw.

    Parameters
    ----------
    vectors
        Orthonormal columns.
    places
        Columns chosen in each draw.
    taken
        Which of them count, those first; a set has as many points, and what follows
        them in its row means nothing.
    keys
        One JAX key per draw.
    """
    group = lanes_together(len(keys), vectors.shape[0] * places.shape[1])
    return grouped(partial(_sets, vectors), group, keys, places, taken)


@jax.jit
def _sets(
    vectors: Real[Array, "item value"],
    keys: Array,
    places: Count[Array, "draw most"],
    taken: Flag[Array, "draw most"],
) -> Count[Array, "draw most"]:
    def one(key: Array, place: Array, counts: Array) -> Array:
        rows = jnp.where(counts, vectors[:, place], 0.0)
        return chain_sets(rows, key[None]).items[0]

    return jax.vmap(one)(keys, places, taken)


def _positive(lengths: np.ndarray) -> np.ndarray:
    return np.where(lengths > 0, lengths, 1.0)


def _rounding(size: int) -> float:
    """Share of the largest eigenvalue that rounding may leave of one that is zero."""
    return 4 * size * float(np.finfo(float).eps)
