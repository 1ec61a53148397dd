"""Ridge regressions on many training parts at once, penalties chosen on each.

Ten splits of five folds and two arms are two hundred regressions on overlapping parts
of the same units. All a ridge regression and its generalised cross-validation need of
the units is sums of products. Sums over a fold are taken once; a training part is a sum
of folds, and one stacked eigendecomposition gives every penalty of every regression.

Generalised cross-validation counts the effective number of groups, ``(Σ v)² / Σ v²``
with v the weights of groups: a unit split into two halves of the same group counts as
before, and so do weights in any unit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["FoldSums", "RidgeFits", "fold_sums", "ridge", "training_sums"]

# Penalties in units of the mean eigenvalue of the columns' Gram matrix: from none that
# matters to one that leaves the mean alone.
_PENALTIES = np.logspace(-4, 4, 33)
_ROUNDING = 1e-12  # eigenvalues below this share of the largest are rounding


class FoldSums(NamedTuple):
    """Weighted sums over parts of the units; leading axes are parts.

    Attributes
    ----------
    mass
        Sum of the weights, shape ``(...)``.
    square
        Sum of the squared weights of groups, shape ``(...)``.
    moments
        Sums of products of ``[1, columns, responses]``, shape ``(..., m, m)``.
    columns
        Number of columns.
    """

    mass: np.ndarray
    square: np.ndarray
    moments: np.ndarray
    columns: int


class RidgeFits(NamedTuple):
    """Coefficients of one regression per part and response.

    Attributes
    ----------
    intercept
        Shape ``(..., response)``.
    slope
        Shape ``(..., column, response)``.
    penalty
        The penalty chosen, per unit of weight, shape ``(..., response)``.
    """

    intercept: np.ndarray
    slope: np.ndarray
    penalty: np.ndarray

    def predict(self, columns: np.ndarray, part: tuple[int, ...]) -> np.ndarray:
        """Predictions of one regression, shape ``(row, response)``."""
        return self.intercept[part] + columns @ self.slope[part]


def fold_sums(
    columns: np.ndarray,
    response: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    group: np.ndarray,
) -> FoldSums:
    """Sums over every fold of every split, leading axes ``(split, fold)``.

    Parameters
    ----------
    columns, response
        Shapes ``(unit, column)`` and ``(unit, response)``.
    fold
        Shape ``(split, unit)``.
    weights
        Shape ``(unit,)``; units of weight zero are left out.
    group
        Shape ``(unit,)``, whole numbers.
    """
    rows = np.concatenate([np.ones((len(columns), 1)), columns, response], axis=1)
    folds = int(fold.max()) + 1
    size = rows.shape[1]
    moments = np.empty((len(fold), folds, size, size))
    square = np.empty((len(fold), folds))
    names, place = np.unique(group, return_inverse=True)
    total = np.bincount(place, weights, len(names))
    first = np.zeros(len(names), np.int64)
    first[place] = np.arange(len(place))
    for split, label in enumerate(fold):
        square[split] = np.bincount(label[first], total**2, folds)
        for number in range(folds):
            inside = np.flatnonzero((label == number) & (weights > 0))
            part = rows[inside]
            moments[split, number] = part.T @ (weights[inside, None] * part)
    return FoldSums(moments[..., 0, 0].copy(), square, moments, columns.shape[1])


def training_sums(sums: FoldSums, *, earlier: bool) -> FoldSums:
    """For each fold, sums over the other folds, or over the earlier ones.

    There is nothing before the first fold; its sums are zero.
    """

    def pooled(part: np.ndarray) -> np.ndarray:
        if earlier:
            return np.cumsum(part, axis=1) - part
        return part.sum(axis=1, keepdims=True) - part

    return FoldSums(
        pooled(sums.mass), pooled(sums.square), pooled(sums.moments), sums.columns
    )


def ridge(sums: FoldSums) -> RidgeFits:
    """Ridge regressions with an unpenalised intercept, penalty by cross-validation.

    The penalty minimises ``residual variance / (1 - df / groups)²`` over a grid, df
    counting the intercept. Parts without weight give zeros.

    References
    ----------
    Golub, Heath and Wahba (1979), *Technometrics* 21(2).
    """
    weight = np.where(sums.mass > 0, sums.mass, 1.0)
    mean = sums.moments[..., 0, 1:] / weight[..., None]
    covariance = sums.moments[..., 1:, 1:] / weight[..., None, None]
    covariance = covariance - mean[..., :, None] * mean[..., None, :]
    count = sums.columns
    gram, cross = covariance[..., :count, :count], covariance[..., :count, count:]
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)[..., count:]
    value, turn = np.linalg.eigh(gram)
    top = value[..., -1:] if count else np.zeros((*value.shape[:-1], 1))
    value = np.where(value > _ROUNDING * top, value, 0.0)
    turned = np.swapaxes(turn, -1, -2) @ cross
    penalty = _safe(value.sum(axis=-1) / max(count, 1))[..., None] * _PENALTIES
    chosen = _chosen(value, turned, variance, penalty, weight**2 / _safe(sums.square))
    best = np.take_along_axis(penalty, chosen, axis=-1)
    shrunk = turned / (value[..., :, None] + best[..., None, :])
    slope = turn @ np.where(value[..., :, None] > 0, shrunk, 0.0)
    middle = mean[..., :count]
    intercept = mean[..., count:] - np.einsum("...c,...cr->...r", middle, slope)
    return RidgeFits(intercept, slope, best)


def _safe(part: np.ndarray) -> np.ndarray:
    return np.where(part > 0, part, 1.0)


def _chosen(
    value: np.ndarray,
    turned: np.ndarray,
    variance: np.ndarray,
    penalty: np.ndarray,
    groups: np.ndarray,
) -> np.ndarray:
    """Place of the best penalty in the grid, shape ``(..., response)``."""
    total = value[..., None, :] + penalty[..., :, None]
    kept = value[..., None, :] / total
    df = 1 + kept.sum(axis=-1)
    # Residual variance in the eigenbasis: b = c / (d + p) leaves v - 2 b c + d b².
    gain = (2 - kept) / total
    residual = variance[..., None, :] - gain @ turned**2
    room = 1 - df / groups[..., None]
    score = np.maximum(residual, 0.0) / np.where(room > 0, room, 1.0)[..., None] ** 2
    score = np.where(room[..., None] > 0, score, np.inf)
    # Ties, as with a constant response or no room at all, go to the strongest penalty.
    last = score.shape[-2] - 1
    return last - np.argmin(score[..., ::-1, :], axis=-2)
