"""Laws of kernels and of subsets by listing every subset: determinants and sums."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np


def subsets(items: int, size: int) -> np.ndarray:
    """All subsets of one size, shape ``(subset, size)``."""
    found = list(combinations(range(items), size))
    return np.array(found, dtype=int).reshape(len(found), size)


def determinants(kernel: np.ndarray, size: int) -> np.ndarray:
    """Determinant of the kernel's part for every subset of one size."""
    sets = subsets(len(kernel), size)
    return np.linalg.det(kernel[sets[:, :, None], sets[:, None, :]])


def contains(sets: np.ndarray, part: tuple[int, ...]) -> np.ndarray:
    """Which subsets contain all of the items given."""
    return np.array([set(part) <= set(one) for one in sets.tolist()])


def volume_subset_law(features: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """All subsets and their probabilities under volume sampling without replacement."""
    points, functions = features.shape
    sets = subsets(points, size)
    rows = features[sets]
    gram = np.swapaxes(rows, 1, 2) @ rows
    total = np.linalg.det(features.T @ features)
    return sets, np.linalg.det(gram) / comb(
        points - functions, size - functions
    ) / total
