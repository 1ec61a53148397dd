"""Kernels between items: what is checked of them, and determinants of their parts."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from distcausal._base.precision import double
from distcausal.design.check import numbers
from distcausal.errors import DataError, DesignError, listing
from distcausal.numerics.determinant import subset_log_prob
from distcausal.numerics.kdpp import (
    Factor,
    Spectrum,
    factor_of_features,
    factor_of_kernel,
    spectrum,
)
from distcausal.numerics.pivots import greedy_pivots

__all__ = ["Kernel", "checked_features", "checked_kernel", "position_sets"]

# Entries on both sides of the diagonal, in units of the diagonal, agree to rounding.
_ASYMMETRY = 1e-10


class Kernel:
    """A kernel and its spectrum."""

    factor: Factor

    @property
    def rank(self) -> int:
        """Number of positive eigenvalues: no set of more items is possible."""
        return self.factor.rows.shape[1]

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.factor.rows)

    @cached_property
    def _spectrum(self) -> Spectrum:
        return spectrum(self.factor)

    def _log_determinant(self, sets: np.ndarray) -> np.ndarray:
        """Log-determinant of the parts of the kernel that belong to sets."""
        if sets.shape[-1] > self.rank:
            return np.full(sets.shape[:-1], -np.inf)
        lengths = 2 * np.sum(np.log(self.factor.scale[sets]), axis=-1)
        return lengths + subset_log_prob(self.factor.rows[sets])

    def _sets(self, subset: object, size: int | None = None) -> np.ndarray:
        """Sets of positions along the last axis."""
        return position_sets(subset, self.n_items, size)

    def _pivots(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        if count == 0:
            return np.zeros(0, int), np.zeros(0)
        rows = self.factor.scale[:, None] * self.factor.rows
        return tuple(double(greedy_pivots)(rows, count=count))


def position_sets(subset: Any, items: int, size: int | None = None) -> np.ndarray:
    """Sets of different positions along the last axis.

    Raises
    ------
    DesignError
        If they are not, or not of the size asked for.
    """
    sets = np.asarray(subset)
    sets = sets.astype(int) if sets.size == 0 else sets
    whole = sets.ndim > 0 and sets.dtype.kind in "iu"
    inside = whole and ((sets >= 0) & (sets < items)).all()
    distinct = whole and (np.diff(np.sort(sets, axis=-1), axis=-1) > 0).all()
    if not (inside and distinct) or (size is not None and sets.shape[-1] != size):
        wanted = "" if size is None else f"{size} "
        raise DesignError(
            f"subset should hold {wanted}different positions from 0 to {items - 1} "
            f"along its last axis; got {sets.dtype} of shape {sets.shape}."
        )
    return sets


def checked_kernel(kernel: Any) -> Factor:
    """Factor of a kernel that may be one."""
    matrix = _finite("kernel", kernel)
    if matrix.shape[0] != matrix.shape[1]:
        raise DataError(
            f"kernel should be a square matrix; got shape {matrix.shape}. For features "
            "of the items, use from_features."
        )
    diagonal = np.sqrt(np.abs(np.diagonal(matrix)))
    unit = np.where(diagonal > 0, diagonal, 1.0)
    apart = np.abs(matrix - matrix.T) / unit[:, None] / unit
    if apart.max() > _ASYMMETRY:
        row, column = np.unravel_index(apart.argmax(), apart.shape)
        raise DataError(
            f"kernel should be symmetric; entries ({row}, {column}) and ({column}, "
            f"{row}) are {matrix[row, column]:g} and {matrix[column, row]:g}. Use "
            "(kernel + kernel.T) / 2 if that is what is meant."
        )
    factor = factor_of_kernel(matrix / 2 + matrix.T / 2)
    if factor.least < -1:
        raise DataError(
            "kernel should have no negative eigenvalue; scaled to a unit diagonal its "
            f"smallest is {factor.least:.1e} times what rounding may leave. Add a "
            "multiple of the identity, or use a positive semidefinite kernel."
        )
    return factor


def checked_features(features: Any) -> Factor:
    """Factor of the kernel of features that may be some."""
    return factor_of_features(_finite("features", features))


def _finite(name: str, given: Any) -> np.ndarray:
    """Matrix of finite numbers."""
    matrix = numbers(name, given)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise DataError(f"{name} should be a matrix; got shape {matrix.shape}.")
    rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if rows.size:
        raise DataError(
            f"{name} should be finite; {rows.size} of {len(matrix)} rows hold missing "
            f"or infinite entries (rows {listing(rows.tolist())}). Remove or fill them."
        )
    return matrix
