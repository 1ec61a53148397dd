"""Solving small weighted least-squares problems from their moments.

The matrices are a few rows wide and there are few of them, so they are solved on the
host: LAPACK through NumPy takes microseconds where compiling the same solve takes a
tenth of a second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Solution", "covariance_root", "matrix_power", "solve_moments"]


class Solution(NamedTuple):
    """Fits of one order, written in the wider basis the moments came in.

    Attributes
    ----------
    coef
        Shape ``(..., basis, column)``; zero beyond the order.
    inverse
        Inverse Gram matrix, shape ``(..., basis, basis)``; zero beyond the order.
    conditioning
        Smallest over largest eigenvalue of the Gram matrix, shape ``(...)``.
    """

    coef: np.ndarray
    inverse: np.ndarray
    conditioning: np.ndarray


def solve_moments(gram: np.ndarray, cross: np.ndarray, order: int) -> Solution:
    """Least-squares fits by the first ``order + 1`` basis functions.

    Parameters
    ----------
    gram
        Shape ``(..., basis, basis)``.
    cross
        Shape ``(..., basis, column)``.
    order
        Polynomial order of the fit, below the size of the basis.

    Returns
    -------
    A `Solution`. A singular Gram matrix yields ``conditioning`` near zero and a
    minimum-norm fit; the caller decides whether that is an error.
    """
    size = order + 1
    block = gram[..., :size, :size]
    values, vectors = np.linalg.eigh(block)
    top = np.maximum(values[..., -1:], np.finfo(float).tiny)
    usable = values > 1e-14 * top
    reciprocal = np.where(usable, 1 / np.where(usable, values, 1), 0)
    inner = (vectors * reciprocal[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    coef = np.zeros_like(cross)
    coef[..., :size, :] = _solve(block, cross[..., :size, :], inner, usable.all())
    inverse = np.zeros_like(gram)
    inverse[..., :size, :size] = inner
    return Solution(coef, inverse, values[..., 0] / top[..., 0])


def _solve(
    block: np.ndarray, right: np.ndarray, inner: np.ndarray, regular: np.bool_
) -> np.ndarray:
    """Elimination where possible: it rounds less than multiplying by the inverse."""
    return np.linalg.solve(block, right) if regular else inner @ right


def matrix_power(matrix: np.ndarray, power: float, *, least: float = 0.0) -> np.ndarray:
    """Power of symmetric positive semidefinite matrices, shape ``(..., k, k)``.

    Directions without mass, or with no more than ``least``, get none, also under
    negative powers.
    """
    values, vectors = np.linalg.eigh(matrix)
    floor = 1e-14 * np.maximum(values[..., -1:], np.finfo(float).tiny)
    floor = np.maximum(floor, least)
    kept = values > floor
    raised = np.where(kept, np.where(kept, values, 1) ** power, 0)
    return (vectors * raised[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def covariance_root(covariance: np.ndarray) -> np.ndarray:
    """Square root ``R`` of a covariance matrix, with ``R' R`` the matrix, ``(k, k)``.

    The symmetric root of the correlations, times the standard deviations. Symmetric,
    because that root depends continuously on the matrix and not on the choice of
    eigenvectors, so equivalent data sets share their simulated draws; of correlations,
    because coordinates may have units of very different size, and none may be lost in
    the rounding of another.
    """
    deviation = np.sqrt(np.diag(covariance))
    safe = np.where(deviation > 0, deviation, 1.0)
    return matrix_power(covariance / np.outer(safe, safe), 0.5) * deviation
