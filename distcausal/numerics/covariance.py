"""Algebra of covariances that may be singular, in units of standard deviations.

Copies and functions of a variable make covariances singular, and variables come in
units that differ by orders of magnitude. What counts as zero is therefore judged after
dividing by standard deviations: a direction is sure where its spread is below a
millionth of that of the variables in it, the square root of what rounding leaves of a
zero eigenvalue.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "SURE",
    "beside",
    "conditional",
    "least_eigenvalue",
    "spread",
    "sure_directions",
    "without_rounding",
]

SURE = 1e-6


def spread(cov: np.ndarray) -> np.ndarray:
    """Standard deviations, shape ``(variable,)``."""
    return np.sqrt(np.maximum(np.diag(cov), 0.0))


def _units(cov: np.ndarray) -> np.ndarray:
    """Standard deviations, 1 where there is no spread."""
    found = spread(cov)
    return np.where(found > 0, found, 1.0)


def _eigen(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unit = _units(cov)
    value, turn = np.linalg.eigh(cov / np.outer(unit, unit))
    return value, turn


def least_eigenvalue(cov: np.ndarray) -> float:
    """Least eigenvalue of the matrix of correlations; 0 if there are no variables."""
    return float(_eigen(cov)[0].min(initial=0.0))


def sure_directions(cov: np.ndarray) -> np.ndarray:
    """Directions without spread, in units of `spread`, shape ``(variable, direction)``.

    Variables without spread are directions of their own, in units of 1.
    """
    value, turn = _eigen(cov)
    return turn[:, value <= SURE**2]


def conditional(
    cov: np.ndarray, rest: list[int], seen: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Regression of some variables on others.

    Parameters
    ----------
    cov
        Covariance of all, shape ``(variable, variable)``.
    rest, seen
        Places of the variables explained, and of those that explain.

    Returns
    -------
    Coefficients, shape ``(rest, seen)``, by the pseudo-inverse in units of standard
    deviations, and the covariance of what is not explained, ``(rest, rest)``.
    """
    unit = _units(cov[np.ix_(seen, seen)])
    value, turn = _eigen(cov[np.ix_(seen, seen)])
    kept = value > SURE**2
    part = turn[:, kept] / unit[:, None]
    cross = cov[np.ix_(rest, seen)]
    gain = ((cross @ part) / value[kept]) @ part.T
    before = cov[np.ix_(rest, rest)]
    return gain, without_rounding(before - gain @ cross.T, np.diag(before))


def without_rounding(cov: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Covariance after cancellation, zero where what is left is rounding.

    Parameters
    ----------
    cov
        Found as a difference.
    before
        Variances of what was subtracted, shape ``(variable,)``.
    """
    even = (cov + cov.T) / 2
    gone = np.diag(even) <= SURE**2 * before
    even[gone] = 0.0
    even[:, gone] = 0.0
    return even


def beside(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Block-diagonal matrix of two."""
    rows, columns = one.shape
    found = np.zeros((rows + other.shape[0], columns + other.shape[1]))
    found[:rows, :columns] = one
    found[rows:, columns:] = other
    return found
