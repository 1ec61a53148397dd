"""The orthonormal functions of a space, small enough to travel with results.

A result predicts at new points long after the space it came from is gone. All it needs
is how to evaluate the functions: for features the triangular matrix that made them
orthonormal, for products of functions of one variable their parameters and indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from distcausal._base.fit import Record
from distcausal._base.precision import double, frozen
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.errors import DataError, listing
from distcausal.numerics.product import Layout, product_values

__all__ = ["Basis", "LinearBasis", "ProductBasis", "combined", "point_rows", "spread"]


class Basis(Protocol):
    """What a result asks of the functions it was fitted with."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the orthonormal functions."""

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at the user's points, shape ``(point, m)``."""

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the features, from those of the orthonormal functions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearBasis(Record):
    """Linear combinations of given features.

    Attributes
    ----------
    upper
        Features kept are the orthonormal functions times this triangle, ``(m, m)``.
    names
        Names of all features given.
    kept
        Positions of the features that the others do not determine, shape ``(m,)``.
    """

    upper: np.ndarray
    names: tuple[str, ...]
    kept: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the orthonormal functions."""
        return tuple(f"phi_{place}" for place in range(len(self.upper)))

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at rows of features, shape ``(point, m)``.

        Columns of a data frame are found by their names if those of the space are from
        one; of anything else by their places.
        """
        rows = np.asarray(_by_name(x, self.names), dtype=float)
        if rows.ndim != 2 or rows.shape[1] != len(self.names):
            raise DataError(
                f"x should have one row per point and {len(self.names)} features; got "
                f"shape {rows.shape}. Give the features of the space, in its order."
            )
        return combined(rows[:, self.kept], self.upper)

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the features; zero for those that others determine."""
        solved = np.linalg.solve(self.upper, coef)
        return spread(solved, self.kept, len(self.names))


def spread(coef: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    """Coefficients put in their places among ``count``, zeros elsewhere.

    The functions are the first axis of a vector, and otherwise the last but one.
    """
    axis = max(coef.ndim - 2, 0)
    found = np.zeros((*coef.shape[:axis], count, *coef.shape[axis + 1 :]))
    found[(slice(None),) * axis + (kept,)] = coef
    return found


def _by_name(x: Any, names: tuple[str, ...]) -> Any:
    """Columns of a frame in the order of the space."""
    given = getattr(x, "columns", None)
    if given is None or all(name.startswith("column ") for name in names):
        return x
    held = [str(name) for name in given]
    missing = [name for name in names if name not in held]
    if missing:
        raise DataError(
            f"x has no column {listing(missing)}, which the space is made of; it has "
            f"{listing(held)}. Name its columns as the features of the space."
        )
    return x[[given[held.index(name)] for name in names]]


def combined(features: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Orthonormal functions from features, shape ``(..., m)`` both."""
    from scipy.linalg import solve_triangular

    flat = features.reshape(-1, len(upper))
    return solve_triangular(upper, flat.T, trans="T").T.reshape(features.shape)


def point_rows(x: object, dim: int) -> np.ndarray:
    """Points as rows of ``dim`` numbers; in one dimension a plain array will do.

    Raises
    ------
    DataError
        If the shape is another one.
    """
    points = np.asarray(x, dtype=float)
    if points.ndim == 1 and dim == 1:
        points = points[:, None]
    if points.ndim != 2 or points.shape[1] != dim:
        raise DataError(
            f"x should have one row per point and {dim} columns; got shape "
            f"{points.shape}."
        )
    return points


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductBasis(Record):
    """Products of orthonormal functions of one variable.

    Attributes
    ----------
    layout
        Kind of function in every variable.
    parameters
        Their parameters.
    index
        Number of the function of each variable, shape ``(m, dim)``.
    terms
        Names of the functions of a variable, in every variable.
    domain
        Lowest and highest point, shape ``(2, dim)``.
    """

    layout: Layout
    parameters: tuple[dict[str, Any], ...]
    index: np.ndarray
    terms: tuple[tuple[str, ...], ...]
    domain: np.ndarray

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take the fields; parameters, too, are nobody else's to change."""
        own = jax.tree.map(frozen, state["parameters"])
        super().__setstate__({**state, "parameters": own})

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the functions multiplied, as in ``(degree 2, degree 0)``."""
        rows = [
            [names[place] for names, place in zip(self.terms, row, strict=True)]
            for row in self.index.tolist()
        ]
        return tuple(row[0] if len(row) == 1 else f"({', '.join(row)})" for row in rows)

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at points of the domain, shape ``(point, m)``."""
        points = point_rows(x, self.index.shape[1])
        low, high = self.domain
        inside = (points >= low) & (points <= high) & np.isfinite(points)
        outside = np.flatnonzero(~inside.all(axis=1))
        if outside.size:
            raise DataError(
                f"points should lie in {self._region()}; {outside.size} of "
                f"{len(points)} do not, the first in row {outside[0]}. Rescale the "
                "variables, or set the domain of the space."
            )
        found = self.values(pad_rows(points, size_class(len(points))))[: len(points)]
        lost = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if lost.size:
            raise DataError(
                f"functions leave the range of double precision at {lost.size} of "
                f"{len(points)} points (rows {listing(lost.tolist())}), far out where "
                "the measure has no mass. Lower the degree, or use points nearer by."
            )
        return found

    def values(self, points: np.ndarray) -> np.ndarray:
        """Orthonormal functions at points known to be right, ``(..., point, m)``."""
        return double(product_values)(
            self.parameters, self.index, points, layout=self.layout
        )

    def jacobian(self, x: object) -> np.ndarray:
        """Derivatives of the functions at points, shape ``(point, m, dim)``."""
        points = point_rows(x, self.index.shape[1])

        def at(point: Array) -> Array:
            return product_values(
                self.parameters, self.index, point, layout=self.layout
            )

        padded = pad_rows(points, size_class(len(points)))
        return double(jax.vmap(jax.jacfwd(at)))(padded)[: len(points)]

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients themselves: these functions are the features."""
        return coef

    def _region(self) -> str:
        sides = [f"[{low:g}, {high:g}]" for low, high in self.domain.T]
        same = len(set(sides)) == 1
        return sides[0] if same else " x ".join(sides)
