"""The orthonormal functions of a space, small enough to travel with results.

A result predicts at new points long after the space it came from is gone. All it needs
is how to evaluate the functions: for features the triangular matrix that made them
orthonormal, for polynomials their family and degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal._base.fit import Record
from distcausal._base.precision import double
from distcausal._base.shapes import pad_rows, size_class
from distcausal.errors import DataError
from distcausal.numerics.orthopoly import tensor_values

__all__ = ["Basis", "LinearBasis", "PolynomialBasis"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearBasis(Record):
    """Linear combinations of given features.

    Attributes
    ----------
    upper
        Features are the orthonormal functions times this triangle, ``(m, m)``.
    names
        Names of the features.
    """

    upper: np.ndarray
    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the orthonormal functions."""
        return tuple(f"phi_{place}" for place in range(len(self.upper)))

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at rows of features, shape ``(point, m)``."""
        from scipy.linalg import solve_triangular

        rows = np.asarray(x, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != len(self.upper):
            raise DataError(
                f"x should have one row per point and {len(self.upper)} features; got "
                f"shape {rows.shape}. Give the features of the space, in its order."
            )
        return solve_triangular(self.upper, rows.T, trans="T").T

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the features, from those of the orthonormal functions."""
        return np.linalg.solve(self.upper, coef)


@dataclass(frozen=True, eq=False, kw_only=True)
class PolynomialBasis(Record):
    """Products of orthonormal polynomials.

    Attributes
    ----------
    family
        Their family.
    index
        Degree in each dimension, shape ``(m, dim)``.
    """

    family: str
    index: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Degrees of every function, as in ``(2, 0)``."""
        if self.index.shape[1] == 1:
            return tuple(f"degree {row[0]}" for row in self.index.tolist())
        return tuple(f"({', '.join(map(str, row))})" for row in self.index.tolist())

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at points of the cube, shape ``(point, m)``."""
        points = np.asarray(x, dtype=float)
        dim = self.index.shape[1]
        if points.ndim == 1 and dim == 1:
            points = points[:, None]
        if points.ndim != 2 or points.shape[1] != dim:
            raise DataError(
                f"x should have one row per point and {dim} columns; got shape "
                f"{points.shape}."
            )
        if not (np.abs(points) <= 1).all():
            outside = np.flatnonzero(~(np.abs(points) <= 1).all(axis=1))
            raise DataError(
                f"points should lie in [-1, 1]; {outside.size} of {len(points)} do "
                f"not, the first in row {outside[0]}. Rescale the variables."
            )
        padded = pad_rows(points, size_class(len(points)))
        return self.values(padded)[: len(points)]

    def values(self, points: np.ndarray) -> np.ndarray:
        """Orthonormal functions at points known to be right, ``(..., point, m)``."""
        return double(tensor_values)(
            points, self.index, family=self.family, degree=int(self.index.max())
        )

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients themselves: these functions are the features."""
        return coef


Basis = LinearBasis | PolynomialBasis
