"""Local polynomials on both sides of zero, for many outcome columns at once.

A regression discontinuity fits one polynomial in the running variable on each side of
the cutoff, with weights that fade with the distance. Everything such a fit needs from
the data is a sum over units, so the functions here take one block of units and return
sums, or one row per unit; the caller adds blocks, and the data never need to be in one
piece.

Columns that share a bandwidth share their weights. They are laid out as
``(unit, group, column)`` with one bandwidth per group: one group of all quantile
levels, or as many groups of one column as there are levels. Side 0 lies below the
cutoff, side 1 at or above it. Fits use shifted Legendre polynomials in
``|x| / bandwidth``; a padded unit has weight zero. The kernel enters as the three
coefficients of its polynomial, so it compiles nothing of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from distcausal._base.typing import Array, Count, Real
from distcausal.numerics.legendre import basis_matrix

__all__ = [
    "ClusterScores",
    "Moments",
    "ResidualMoments",
    "added",
    "cluster_scores",
    "contributions",
    "fitted_rows",
    "residual_moments",
    "side_moments",
    "side_sums",
]


Sums = TypeVar("Sums", bound=tuple[Any, ...])


class Moments(NamedTuple):
    """Sums that determine the weighted least-squares fits of one or more groups.

    Attributes
    ----------
    gram
        ``Σ k b b'``, shape ``(group, side, basis, basis)``.
    cross
        ``Σ k b y``, shape ``(group, side, basis, column)``.
    """

    gram: Real[Array, "group side basis basis"]
    cross: Real[Array, "group side basis column"]


class ResidualMoments(NamedTuple):
    """Sums of squared residuals about given fits.

    Attributes
    ----------
    mass
        ``Σ k``, shape ``(group, side)``.
    square
        ``Σ w k e²`` with unit weights ``w`` once more than in ``k``, since errors enter
        a weighted mean with their weights; shape ``(group, side, column)``.
    row_square
        ``Σ (k b'row)² e²``: the robust variance of the linear functional that ``row``
        reads off the coefficients, shape ``(group, side, column)``.
    """

    mass: Real[Array, "group side"]
    square: Real[Array, "group side column"]
    row_square: Real[Array, "group side column"]


class ClusterScores(NamedTuple):
    """Sums over the units of each cluster.

    Attributes
    ----------
    gram
        ``Σ k b b'``, shape ``(cluster, group, side, basis, basis)``.
    score
        ``Σ k b e``, shape ``(cluster, group, side, basis, column)``.
    """

    gram: Real[Array, "cluster group side basis basis"]
    score: Real[Array, "cluster group side basis column"]


def added(parts: Iterable[Sums]) -> Sums:
    """Add the sums of several blocks, on the host; fields become NumPy arrays.

    Each block is finished before the next is asked for: JAX computes ahead, and would
    otherwise hold the input of every block at once.
    """
    blocks = iter(parts)
    first = next(blocks)
    totals = [np.asarray(field) for field in first]
    for block in blocks:
        fields = [np.asarray(field) for field in block]
        totals = [total + field for total, field in zip(totals, fields, strict=True)]
    return type(first)(*totals)


def _sides(x: Real[Array, " unit"]) -> Real[Array, "unit side"]:
    above = (x >= 0).astype(x.dtype)
    return jnp.stack([1 - above, above], axis=-1)


def _window(
    x: Real[Array, " unit"],
    weight: Real[Array, " unit"],
    bandwidth: Real[Array, " side"],
    kernel: Real[Array, " coefficient"],
    degree: int,
) -> tuple[Real[Array, " unit"], Real[Array, "unit basis"]]:
    """Kernel weight and basis of every unit at its own side's bandwidth."""
    u = jnp.abs(x) / jnp.where(x >= 0, bandwidth[1], bandwidth[0])
    height = kernel[0] + u * (kernel[1] + u * kernel[2])
    # Far units carry no weight; holding them at 1 keeps their basis finite.
    basis = basis_matrix(jnp.minimum(u, 1), degree)
    return weight * jnp.where(u <= 1, height, 0), basis


@partial(jax.jit, static_argnames="degree")
def side_moments(
    x: Real[Array, " unit"],
    weight: Real[Array, " unit"],
    y: Real[Array, "unit group column"],
    bandwidth: Real[Array, "group side"],
    kernel: Real[Array, " coefficient"],
    *,
    degree: int,
) -> Moments:
    """Gram matrix and cross moments of one block of units, by group and side."""
    sides = _sides(x)

    def one(outcome: Array, reach: Array) -> Moments:
        height, basis = _window(x, weight, reach, kernel, degree)
        flat = _by_side(height, basis, sides)
        shape = (2, degree + 1, -1)
        return Moments(
            (flat.T @ basis).reshape(shape), (flat.T @ outcome).reshape(shape)
        )

    return jax.vmap(one, in_axes=(1, 0))(y, bandwidth)


def _by_side(
    height: Real[Array, " unit"],
    basis: Real[Array, "unit basis"],
    sides: Real[Array, "unit side"],
) -> Real[Array, "unit side*basis"]:
    """Weighted basis of each unit in its own side's columns, zero in the other's."""
    weighted = (height[:, None] * sides)[:, :, None] * basis[:, None, :]
    return weighted.reshape(len(height), -1)


def _fitted(
    basis: Real[Array, "unit basis"],
    x: Real[Array, " unit"],
    coef: Real[Array, "side basis column"],
) -> Real[Array, "unit column"]:
    return jnp.where((x >= 0)[:, None], basis @ coef[1], basis @ coef[0])


@partial(jax.jit, static_argnames="degree")
def fitted_rows(
    x: Real[Array, " unit"],
    bandwidth: Real[Array, "group side"],
    coef: Real[Array, "group side basis column"],
    *,
    degree: int,
) -> Real[Array, "unit group column"]:
    """Fitted value of every column at every unit, from its own side's polynomial."""

    def one(reach: Array, coefficients: Array) -> Array:
        flat = jnp.array([1.0, 0.0, 0.0], x.dtype)
        _, basis = _window(x, jnp.ones_like(x), reach, flat, degree)
        return _fitted(basis, x, coefficients)

    return jax.vmap(one, out_axes=1)(bandwidth, coef)


@partial(jax.jit, static_argnames="degree")
def residual_moments(
    x: Real[Array, " unit"],
    weight: Real[Array, " unit"],
    y: Real[Array, "unit group column"],
    bandwidth: Real[Array, "group side"],
    kernel: Real[Array, " coefficient"],
    coef: Real[Array, "group side basis column"],
    row: Real[Array, "group side basis"],
    *,
    degree: int,
) -> ResidualMoments:
    """Weighted sums of squared residuals of one block, by group, side and column."""
    sides = _sides(x)

    def one(
        outcome: Array, reach: Array, coefficients: Array, reading: Array
    ) -> ResidualMoments:
        height, basis = _window(x, weight, reach, kernel, degree)
        square = (outcome - _fitted(basis, x, coefficients)) ** 2
        own = (height[:, None] * basis) @ reading.T
        return ResidualMoments(
            sides.T @ height,
            (sides * (weight * height)[:, None]).T @ square,
            (sides * own**2).T @ square,
        )

    return jax.vmap(one, in_axes=(1, 0, 0, 0))(y, bandwidth, coef, row)


@partial(jax.jit, static_argnames="degree")
def contributions(
    x: Real[Array, " unit"],
    weight: Real[Array, " unit"],
    residual: Real[Array, "unit group column"],
    bandwidth: Real[Array, "group side"],
    kernel: Real[Array, " coefficient"],
    row: Real[Array, "group side basis"],
    inverse: Real[Array, "group side basis basis"],
    power: Real[Array, ""],
    positive_only: Real[Array, ""],
    *,
    degree: int,
) -> Real[Array, "unit group column"]:
    """What each unit's residual adds to the error of its own side's fit.

    Parameters
    ----------
    row
        Reads the wanted functional off the scores: ``G^{-1} e``.
    inverse
        Inverse Gram matrix, for the leverages.
    power
        Residuals are divided by ``(1 - leverage)**power``: 0, 1/2 (HC2) or 1 (HC3).
    positive_only
        1 drops units whose equivalent weight is not positive, 0 keeps all.

    Returns
    -------
    Shape ``(unit, group, column)``, unsigned: the caller knows the sides.
    """
    above = (x >= 0)[:, None]

    def one(error: Array, reach: Array, reading: Array, inner: Array) -> Array:
        height, basis = _window(x, weight, reach, kernel, degree)
        equivalent = jnp.where(
            above, basis @ reading[1][:, None], basis @ reading[0][:, None]
        )
        equivalent = height * equivalent[:, 0]
        hat = jnp.where(above, basis @ inner[1], basis @ inner[0])
        free = 1 - height * jnp.sum(hat * basis, axis=1)
        kept = jnp.where((positive_only > 0) & (equivalent <= 0), 0, equivalent)
        return (kept * _leverage_factor(free, power))[:, None] * error

    return jax.vmap(one, in_axes=(1, 0, 0, 0), out_axes=1)(
        residual, bandwidth, row, inverse
    )


def _leverage_factor(free: Real[Array, ...], power: Real[Array, ""]) -> Array:
    """``free**(-power)``, and 1 where a unit alone decides its own fitted value.

    Such a unit has residual zero; its quotient 0/0 carries no information.
    """
    decided = free <= 1e-10
    return jnp.where(decided, 1, jnp.where(decided, 1, free) ** (-power))


@partial(jax.jit, static_argnames=("degree", "clusters"))
def cluster_scores(
    x: Real[Array, " unit"],
    weight: Real[Array, " unit"],
    residual: Real[Array, "unit group column"],
    cluster: Count[Array, " unit"],
    bandwidth: Real[Array, "group side"],
    kernel: Real[Array, " coefficient"],
    *,
    degree: int,
    clusters: int,
) -> ClusterScores:
    """Gram matrices and scores of one block of whole clusters, numbered from 0."""
    sides = _sides(x)

    def one(error: Array, reach: Array) -> ClusterScores:
        height, basis = _window(x, weight, reach, kernel, degree)
        columns = jnp.concatenate([basis, error], axis=1)

        def gather(term: Array) -> Array:
            return jax.ops.segment_sum(
                term[:, None] * columns, cluster, num_segments=clusters
            )

        # One side and basis function at a time: all at once would need their product
        # with every level in memory.
        sums = jax.lax.map(gather, _by_side(height, basis, sides).T)
        sums = sums.reshape(2, degree + 1, clusters, -1).transpose(2, 0, 1, 3)
        return ClusterScores(sums[..., : degree + 1], sums[..., degree + 1 :])

    return jax.vmap(one, in_axes=(1, 0), out_axes=1)(residual, bandwidth)


@jax.jit
def side_sums(
    x: Real[Array, " unit"],
    rows: Real[Array, "unit column"],
    multiplier: Real[Array, "draw unit"],
) -> Real[Array, "side draw column"]:
    """Multiplier-weighted sums of the rows, by side."""
    sides = _sides(x)
    return jax.lax.map(lambda side: multiplier @ (rows * side[:, None]), sides.T)
