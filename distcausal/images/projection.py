"""Principal components of raw values, from sums gathered batch by batch.

Thousands of raw values of an image say the same few things many times over. Their
leading principal components keep what is said. They are centred over the training
images and divided by one number, the standard deviation of the first, so the scale
decay of the components survives: it is what a common prior on coefficients works with.

Only second moments are needed, summed in float64 around the first batch's mean, so
images never have to be in memory together. Where their matrix would be too large, its
leading axes are found by multiplying a few columns with it, one pass over the images
each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

__all__ = ["Blocks", "Projection", "Sums", "along", "components", "leading"]

Blocks = Iterable[tuple[slice, np.ndarray]]

_FLAT = 1e-5  # sd below this share of the largest value is rounding of float32
_RANK = 1e-10
_SPARE = 10  # more columns than axes wanted: the last axes converge sooner
_PASSES = 12
_SETTLED = 1e-9
_ROWS = 256


@dataclass(frozen=True, eq=False)
class Projection:
    """Raw values, centred, times axes.

    Attributes
    ----------
    centre
        Shape ``(value,)``.
    axes
        Shape ``(value, D)``, or ``(value,)``: a factor for each value.
    """

    centre: np.ndarray
    axes: np.ndarray

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.axes.shape[-1]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Features ``(row, D)`` of values ``(row, value)`` in float64.

        Products are taken of blocks of one shape, the last one padded, since the shape
        decides how they round: what a row gives does not depend on its company.
        """
        out = np.empty((len(values), self.size))
        for start in range(0, len(values), _ROWS):
            block = padded(values[start : start + _ROWS], _ROWS)
            out[start : start + _ROWS] = self._times(block)[: len(out) - start]
        return out

    def traced(self, values: Any) -> Any:
        """Features ``(D,)`` of values ``(value,)``, in JAX."""
        single = Projection(*(a.astype(np.float32) for a in (self.centre, self.axes)))
        return single._times(values)

    def _times(self, values: Any) -> Any:
        moved = values - np.broadcast_to(self.centre, values.shape)
        return moved * self.axes if self.axes.ndim == 1 else moved @ self.axes


def padded(rows: np.ndarray, count: int) -> np.ndarray:
    """Rows with zeros below, as many as wanted in all."""
    if len(rows) == count:
        return rows
    below = np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)
    return np.concatenate([rows, below])


class Sums:
    """First and second moments of rows, added batch by batch."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.shift = np.zeros(width)
        self.total = np.zeros(width)
        self.gram = np.zeros((width, width))
        self.largest = np.zeros(width)

    def add(self, rows: np.ndarray) -> None:
        """Take in rows, shape ``(row, value)``."""
        rows = rows.astype(float)
        if not self.count:
            self.shift = rows.mean(axis=0)
        self.largest = np.maximum(self.largest, np.abs(rows).max(axis=0))
        rows -= self.shift
        self.count += len(rows)
        self.total += rows.sum(axis=0)
        self.gram += rows.T @ rows

    def found(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, covariance, and which values vary at all."""
        mean = self.total / self.count
        covariance = self.gram / self.count - np.outer(mean, mean)
        sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        return self.shift + mean, covariance, sd > _FLAT * self.largest


def components(sums: Sums, *, size: int, standardise: bool) -> Projection:
    """Projection on leading components.

    Parameters
    ----------
    sums
        Moments of the training values.
    size
        Most components kept; fewer where the values vary in fewer directions.
    standardise
        Whether values are divided by their standard deviations first.
    """
    centre, covariance, varies = sums.found()
    kept = np.flatnonzero(varies)
    if not kept.size:
        return Projection(centre, np.zeros((len(centre), 0)))
    inner = covariance[np.ix_(kept, kept)]
    sd = np.sqrt(np.diag(inner)) if standardise else np.ones(len(kept))
    ends = [max(0, len(kept) - size), len(kept) - 1]
    variance, axes = linalg.eigh(inner / np.outer(sd, sd), subset_by_index=ends)
    inward = along(axes[:, ::-1], variance[::-1])
    full = np.zeros((len(centre), inward.shape[1]))
    full[kept] = inward / sd[:, None]
    return Projection(centre, full)


def leading(
    rows: Blocks, width: int, *, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of rows, their variance along the leading axes, and these axes.

    Subspace iteration with Rayleigh-Ritz values; it ends when they have settled, after
    twelve passes at most. Axes among which the variance hardly falls are then mixed,
    which changes no distance between images that they tell apart.

    Parameters
    ----------
    rows
        Blocks of values ``(image, value)`` that can be gone through again.
    width
        Number of values.
    size
        Axes wanted.
    rng
        For the columns begun with.
    """
    count, total = 0, np.zeros(width)
    for _, block in rows:
        count += len(block)
        total += block.sum(axis=0, dtype=float)
    mean = total / count
    columns = min(size + _SPARE, width, count)
    axes = np.linalg.qr(rng.standard_normal((width, columns)))[0]
    before = np.zeros(columns)
    for _ in range(_PASSES):
        image = np.zeros_like(axes)
        for _, block in rows:
            moved = block - mean
            image += moved.T @ (moved @ axes)
        variance, turn = np.linalg.eigh(axes.T @ image / count)
        found = axes @ turn[:, ::-1]
        variance = np.maximum(variance[::-1], 0.0)
        if np.all(np.abs(variance - before)[:size] <= _SETTLED * variance[0]):
            break
        before = variance
        axes = np.linalg.qr(image)[0]
    return mean, variance[:size], found[:, :size]


def along(axes: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Axes along which there is variance, for a first standard deviation of one.

    The sign does not hang on rounding: the entry farthest from zero is positive.
    """
    held = variance[: axes.shape[1]]
    axes = axes[:, held > _RANK * held[:1]]
    if not axes.shape[1]:
        return axes
    peak = np.abs(axes).argmax(axis=0)
    sign = np.where(axes[peak, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return axes * sign / np.sqrt(variance[0])
