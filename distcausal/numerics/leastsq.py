"""Solving small weighted least-squares problems, from moments or from their rows.

The matrices are a few rows wide, so they are solved on the host, many at a time: LAPACK
through NumPy takes microseconds where compiling the same solve takes a tenth of a
second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "LEVERAGES",
    "RowFit",
    "Solution",
    "covariance_root",
    "leave_one_out",
    "matrix_power",
    "robust_covariance",
    "robust_variance",
    "solve_moments",
    "solve_rows",
]

# Power of (1 - leverage) that divides residuals, and whether HC1's factor applies.
LEVERAGES = {
    "hc0": (0.0, False),
    "hc1": (0.0, True),
    "hc2": (0.5, False),
    "hc3": (1.0, False),
}
# Diagonals of a triangle miss some near dependence, singular values none: below the
# first ratio they are looked at, below the second a direction counts as missing.
_SUSPICIOUS, _SINGULAR = 1e-8, 1e-13
_FULL = 1e-10  # 1 - leverage that is zero but for rounding


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


class RowFit(NamedTuple):
    """Least-squares fits to the rows of one or more designs.

    Attributes
    ----------
    coef
        Shape ``(..., column, response)``.
    residual
        Shape ``(..., row, response)``.
    leverage
        Diagonal of the projection, shape ``(..., row)``.
    spread
        Coefficients as combinations of the responses, shape ``(..., column, row)``.
    rank
        Shape ``(...)``.
    determined
        Whether all fits as good agree on a coefficient, shape ``(..., column)``.
    singular
        Singular values of the design, descending, shape ``(..., column)``.
    """

    coef: np.ndarray
    residual: np.ndarray
    leverage: np.ndarray
    spread: np.ndarray
    rank: np.ndarray
    determined: np.ndarray
    singular: np.ndarray


def solve_rows(design: np.ndarray, response: np.ndarray) -> RowFit:
    """Fit responses by the columns of one or more designs, through orthogonal factors.

    Parameters
    ----------
    design
        Shape ``(..., row, column)``, at least as many rows as columns.
    response
        Shape ``(..., row, response)``.

    Returns
    -------
    RowFit
        Where the columns are dependent, the fit with the shortest coefficients.
    """
    orthogonal, upper = np.linalg.qr(design)
    # Those of the triangle are those of the design, at the cost of a small matrix.
    lengths = np.linalg.svd(upper, compute_uv=False)
    rank = np.full(design.shape[:-2], design.shape[-1])
    determined = np.ones((*design.shape[:-2], design.shape[-1]), bool)
    size = np.abs(np.diagonal(upper, axis1=-2, axis2=-1))
    doubtful = size.min(axis=-1) <= _SUSPICIOUS * size.max(axis=-1)
    upper = np.where(doubtful[..., None, None], np.eye(upper.shape[-1]), upper)
    spread = np.linalg.solve(upper, np.swapaxes(orthogonal, -1, -2))
    if doubtful.any():
        left, singular, right = np.linalg.svd(design[doubtful], full_matrices=False)
        kept = singular > _SINGULAR * singular[..., :1]
        reciprocal = np.where(kept, 1 / np.where(kept, singular, 1), 0)
        turned = np.swapaxes(right, -1, -2) * reciprocal[..., None, :]
        spread[doubtful] = turned @ np.swapaxes(left, -1, -2)
        orthogonal[doubtful] = left * kept[..., None, :]
        rank[doubtful] = kept.sum(axis=-1)
        inside = np.sum((right * kept[..., None]) ** 2, axis=-2)
        determined[doubtful] = inside > 1 - _FULL
    coef = spread @ response
    return RowFit(
        coef=coef,
        residual=response - design @ coef,
        leverage=np.sum(orthogonal**2, axis=-1),
        spread=spread,
        rank=rank,
        determined=determined,
        singular=lengths,
    )


def robust_variance(fit: RowFit, leverage: str) -> np.ndarray:
    """Heteroscedasticity-robust variances of coefficients, ``(..., column, response)``.

    ``leverage`` is a key of `LEVERAGES`. A row that is fitted whatever its response
    says nothing about its error: coefficients that use such a row get NaN, except
    where residuals are not enlarged. Coefficients that the rows do not determine get
    NaN always.
    """
    residual = _enlarged(fit, leverage)
    variance = fit.spread**2 @ residual**2
    return np.where(_unknown(fit, leverage)[..., None], np.nan, variance)


def robust_covariance(fit: RowFit, leverage: str) -> np.ndarray:
    """Covariances of coefficients, ``(..., response, column, column)``.

    As `robust_variance`, which is its diagonal.
    """
    residual = _enlarged(fit, leverage)
    scaled = fit.spread[..., None, :, :] * np.swapaxes(residual, -1, -2)[..., None, :]
    covariance = scaled @ np.swapaxes(scaled, -1, -2)
    unknown = _unknown(fit, leverage)
    either = unknown[..., :, None] | unknown[..., None, :]
    return np.where(either[..., None, :, :], np.nan, covariance)


def leave_one_out(fit: RowFit) -> np.ndarray:
    """Residual of every row in the fit to the others, ``(..., row, response)``.

    NaN where the others do not determine the fit.
    """
    rest = 1 - fit.leverage
    full = (rest <= _FULL) | ~fit.determined.all(axis=-1, keepdims=True)
    without = fit.residual / np.where(full, 1.0, rest)[..., None]
    return np.where(full[..., None], np.nan, without)


def _enlarged(fit: RowFit, leverage: str) -> np.ndarray:
    """Residuals divided by a power of one minus leverage, with the factor of HC1."""
    power, small_sample = LEVERAGES[leverage]
    rest = 1 - fit.leverage
    scale = np.where(rest <= _FULL, 1.0, rest**power)
    if small_sample:
        rows = fit.spread.shape[-1]
        scale = scale * np.sqrt(1 - fit.rank / rows)[..., None]
    return fit.residual / scale[..., None]


def _unknown(fit: RowFit, leverage: str) -> np.ndarray:
    """Coefficients whose error the rows do not tell, ``(..., column)``.

    Those not determined, and those that rest on a row fitted whatever it is.
    """
    full = 1 - fit.leverage <= _FULL
    if not (LEVERAGES[leverage][0] and full.any()):
        return ~fit.determined
    reach = np.abs(fit.spread)
    used = reach > _FULL * reach.max(axis=-1, keepdims=True)
    return (used & full[..., None, :]).any(axis=-1) | ~fit.determined


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
