"""Orthonormal bases of column spaces under a weight on the rows.

Least squares, leverage scores and determinantal sampling all start from a matrix whose
columns are orthonormal in the inner product that the mass of the rows defines; nothing
after that depends on which basis it is. Cholesky factors of the Gram matrix, taken
twice, give one at the speed of matrix multiplication, and they notice when the columns
are too close to dependent for it: then Householder reflections take over.

Runs on the host, once per space of functions: LAPACK needs no compilation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Frame", "orthonormal_frame"]

# A column is dependent when less than this share of its length is its own. Rounding
# leaves some 1e-15, and a share of 1e-11 still fixes the direction to five digits.
RANK_TOLERANCE = 1e-11
# The first factor squares the condition number; from here on it would cost digits
# that the second cannot restore.
_LEAST_DIAGONAL = 1e-5
_LARGEST_DEVIATION = 0.1


class Frame(NamedTuple):
    """Orthonormal rows and the way back to the columns they came from.

    Attributes
    ----------
    rows
        Shape ``(row, function)`` with orthonormal columns: ``rows @ upper`` is the
        matrix given, each row times the root of its mass.
    upper
        Upper triangular with positive diagonal, shape ``(function, function)``.
    dependent
        Columns that the columns before them determine; empty at full rank, and the
        other fields mean nothing otherwise.
    """

    rows: np.ndarray
    upper: np.ndarray
    dependent: tuple[int, ...]


def orthonormal_frame(columns: np.ndarray, mass: np.ndarray) -> Frame:
    """Orthonormalise columns in the inner product ``Σ mass_i u_i v_i``.

    Parameters
    ----------
    columns
        Shape ``(row, function)``.
    mass
        Nonnegative, shape ``(row,)``.

    Returns
    -------
    Frame

    References
    ----------
    Yamamoto, Nakatsukasa, Yanagisawa and Fukaya (2015) on the repeated Cholesky factor.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4.0)
    >>> frame = orthonormal_frame(np.stack([x**0, x], axis=1), np.full(4, 0.25))
    >>> bool(np.allclose(frame.rows.T @ frame.rows, np.eye(2)))
    True
    >>> orthonormal_frame(np.stack([x, 2 * x], axis=1), np.ones(4)).dependent
    (1,)
    """
    scaled = columns * np.sqrt(mass)[:, None]
    # Two steps, since squares of very long or short columns would leave the range.
    largest = np.abs(scaled).max(axis=0, initial=0.0)
    scaled /= np.where(largest > 0, largest, 1.0)
    length = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
    scaled /= np.where(length > 0, length, 1.0)
    found = _by_cholesky(scaled)
    rows, upper = _by_reflections(scaled) if found is None else found
    dependent = () if found is not None else _dependent(upper)
    return Frame(rows, upper * (largest * length), dependent)


def _by_cholesky(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Orthonormal rows and factor, or None where digits would be lost."""
    rows, upper = scaled, np.eye(scaled.shape[1])
    for turn in range(2):
        gram = rows.T @ rows
        if turn and np.abs(gram - np.eye(len(gram))).max() > _LARGEST_DEVIATION:
            return None
        try:
            factor = np.linalg.cholesky(gram).T
        except np.linalg.LinAlgError:
            return None
        if factor.diagonal().min() < _LEAST_DIAGONAL:
            return None
        rows, upper = rows @ np.linalg.inv(factor), factor @ upper
    return rows, upper


def _by_reflections(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Householder factors, signs turned so that the diagonal is not negative."""
    rows, upper = np.linalg.qr(scaled)
    sign = np.where(upper.diagonal() < 0, -1.0, 1.0)
    return rows * sign, upper * sign[:, None]


def _dependent(upper: np.ndarray) -> tuple[int, ...]:
    """Columns that lie in the span of those kept before them."""
    kept: list[np.ndarray] = []
    dependent = []
    for place, column in enumerate(upper.T):
        rest = column
        for _ in range(2):  # once leaves rounding of the size that is looked for
            for direction in kept:
                rest = rest - (direction @ rest) * direction
        own = np.linalg.norm(rest)
        if own <= RANK_TOLERANCE:
            dependent.append(place)
        else:
            kept.append(rest / own)
    return tuple(dependent)
