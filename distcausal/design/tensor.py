"""Tensor products of spaces of one variable, of different kinds.

A simulator may depend on a position by a spline, on the hour by waves and on a normal
error by polynomials. Orthonormal functions of one variable each, multiplied, are
orthonormal under the product of the measures, so nothing has to be computed anew: the
lines of the factors are put side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distcausal.design.indices import IndexSet, check_count, multi_indices
from distcausal.design.polynomial import check_products
from distcausal.design.product import ProductSpace
from distcausal.design.spaces import Space
from distcausal.errors import DesignError

__all__ = ["TensorSpace"]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TensorSpace(ProductSpace):
    """Products of the functions of several spaces of one variable.

    Parameters
    ----------
    factors
        One space per variable: `PolynomialSpace`, `TrigonometricSpace` or `SplineSpace`
        of one variable, or `MercerSpace` with a kernel in closed form.
    index
        Which products: an index set, or a list of rows of numbers, one per variable,
        that count the functions of its space from 0. All products if left out.

    Attributes
    ----------
    size
        Dimension m of the space.

    Raises
    ------
    DesignError
        If a factor is another kind of space or has several variables, the index is not
        as described or asks for functions there are not, or there are more than 20 000
        functions.

    Notes
    -----
    The measure is the product of those of the factors. Index sets treat the numbers of
    functions as degrees: functions numbered low should be those of most importance.

    Examples
    --------
    Splines of a position, waves of an hour:

    >>> import distcausal as dc
    >>> place = dc.SplineSpace([0, 1, 2, 5], degree=2)
    >>> hour = dc.TrigonometricSpace(index=dc.TotalDegree(1), period=24.0)
    >>> space = dc.TensorSpace([place, hour])
    >>> space.size, space.basis.labels[1]
    (15, '(spline 0, cos 1)')
    >>> dc.ProjectionDPP(space).sample(seed=1).x.shape
    (15, 2)
    """

    factors: tuple[Space, ...] = field(repr=False)

    def __init__(
        self,
        factors: Sequence[Space],
        index: IndexSet | Sequence[Sequence[int]] | None = None,
    ) -> None:
        given = tuple(factors) if isinstance(factors, Iterable) else ()
        if not given:
            raise DesignError(
                f"factors should be a list of spaces of one variable; got {factors!r}."
            )
        parts = [_of_one_variable(place, one) for place, one in enumerate(given)]
        sizes = np.array([part.size for part in parts])
        rows = _all_rows(sizes) if index is None else multi_indices(index, len(parts))
        over = np.flatnonzero(rows.max(axis=0) >= sizes)
        if over.size:
            place = over[0]
            raise DesignError(
                f"index asks for function {rows[:, place].max()} of factor {place}; it "
                f"has {sizes[place]}, numbered from 0. Give that factor more, or "
                "use a smaller index."
            )
        columns = zip(parts, rows.T, strict=True)
        own = np.stack([part.basis.index[row, 0] for part, row in columns], axis=1)
        lines = [part.lines[0] for part in parts]
        check_products(tuple(line.kind for line in lines), own)
        self._hold(lines, own, [part.basis.terms[0] for part in parts], factors=given)


def _of_one_variable(place: int, factor: Any) -> ProductSpace:
    """Return the space itself, or what a space with a kernel holds."""
    inner = getattr(factor, "inner", factor)
    if not isinstance(inner, ProductSpace) or inner.dim != 1:
        raise DesignError(
            f"factor {place}, {factor!r}, should be a space of one variable with "
            "functions in closed form: PolynomialSpace, TrigonometricSpace, "
            "SplineSpace, or MercerSpace with a named kernel."
        )
    return inner


def _all_rows(sizes: np.ndarray) -> np.ndarray:
    """All products, the last number changing first."""
    check_count(np.prod(sizes, dtype=float), len(sizes))
    return np.indices(tuple(sizes.tolist())).reshape(len(sizes), -1).T
