"""Principal components of raw values, from sums gathered batch by batch.

Thousands of raw values of an image say the same few things many times over. Their
leading principal components keep what is said. They are centred over the training
images and divided by one number, the standard deviation of the first, so the scale
decay of the components survives: it is what a common prior on coefficients works with.

Only the second moments of the values are needed, summed in float64 around the first
batch's mean, so images never have to be in memory together.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Sums", "components", "scaled"]

_FLAT = 1e-6  # sd below this share of the largest value is rounding of float32
_RANK = 1e-10


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


def components(
    sums: Sums, *, size: int, standardise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Centre ``(value,)`` and projection ``(value, feature)`` on leading components.

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
    inner = covariance[np.ix_(kept, kept)]
    sd = np.sqrt(np.diag(inner)) if standardise else np.ones(len(kept))
    variance, axes = np.linalg.eigh(inner / np.outer(sd, sd))
    variance, axes = variance[::-1], axes[:, ::-1]
    most = min(size, sums.count - 1, len(kept))
    rank = int(np.count_nonzero(variance[:most] > _RANK * variance[:1]))
    projection = np.zeros((len(centre), rank))
    projection[kept] = scaled(axes[:, :rank], variance) / sd[:, None]
    return centre, projection


def scaled(axes: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Axes with a sign that does not depend on rounding, for a first sd of one.

    The entry farthest from zero is positive in each.
    """
    if not axes.shape[1]:
        return axes
    peak = np.abs(axes).argmax(axis=0)
    sign = np.where(axes[peak, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return axes * sign / np.sqrt(variance[0])
