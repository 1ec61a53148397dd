"""Laws of designs and their expectations, by listing every tuple of points.

Written from the definitions: the kernel is ``X (X' M X)^-1 X'``, a probability is a
determinant, an expectation a sum over all tuples. Nothing here orthonormalises, so it
shares no step with the package.
"""

from __future__ import annotations

from itertools import combinations, product
from math import factorial

import numpy as np


def kernel(features: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Reproducing kernel of the span in the inner product of the masses."""
    return features @ np.linalg.solve(
        features.T @ (mass[:, None] * features), features.T
    )


def best(features: np.ndarray, mass: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Coefficients of the projection of ``f``, in the features."""
    weighted = mass[:, None] * features
    return np.linalg.solve(weighted.T @ features, weighted.T @ f)


def best_error_sq(features: np.ndarray, mass: np.ndarray, f: np.ndarray) -> float:
    """Squared distance of ``f`` from the span."""
    return float(mass @ (f - features @ best(features, mass, f)) ** 2)


def weight(features: np.ndarray, mass: np.ndarray, share: float) -> np.ndarray:
    """Weight of every atom under the mixture with this share of the optimal density."""
    m = features.shape[1]
    return 1 / (share * np.diag(kernel(features, mass)) / m + 1 - share)


def subset_law(features: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All m-subsets and their probabilities under the projection process."""
    m = features.shape[1]
    sets = np.array(list(combinations(range(len(mass)), m)))
    total = np.linalg.det(features.T @ (mass[:, None] * features))
    squared = np.linalg.det(features[sets]) ** 2
    return sets, squared * np.prod(mass[sets], axis=1) / total


def volume_law(
    features: np.ndarray, mass: np.ndarray, share: float, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """All ordered n-tuples and their probabilities under volume sampling."""
    m = features.shape[1]
    w = weight(features, mass, share)
    tuples = np.array(list(product(range(len(mass)), repeat=n)))
    total = np.linalg.det(features.T @ (mass[:, None] * features))
    rows = features[tuples] * np.sqrt(w[tuples] / n)[..., None]
    gram = np.swapaxes(rows, -1, -2) @ rows
    scale = n**m * factorial(n - m) / factorial(n) / total
    return tuples, scale * np.linalg.det(gram) * np.prod((mass / w)[tuples], axis=1)
