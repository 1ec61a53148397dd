"""Padding to a short list of sizes, so that a new sample size compiles nothing.

A compiled function belongs to one shape. Rounding the number of units up to the next
2**k or 3 * 2**(k - 1) wastes at most half the work and on average a fifth of it, and
one compilation then serves every sample size in the class.
"""

from __future__ import annotations

import numpy as np

__all__ = ["pad_rows", "size_class"]

SMALLEST = 16


def size_class(count: int) -> int:
    """Smallest of 16, 24, 32, 48, 64, 96, ... that is at least ``count``."""
    size = SMALLEST
    while size < count:
        three_halves = size + size // 2
        if three_halves >= count:
            return three_halves
        size *= 2
    return size


def pad_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """Append rows of zeros until there are ``rows``; the input itself if it fits."""
    missing = rows - len(array)
    if missing == 0:
        return array
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
