"""Spaces of splines under the uniform measure of an interval or a box.

Splines are polynomials between knots, so a Gauss rule in every interval makes them
orthonormal exactly, up to rounding, and evaluation is one search and a few products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.design.arguments import check_room, numbers_in
from distcausal.design.basis import combined
from distcausal.design.check import whole_number
from distcausal.design.indices import IndexSet, Tensor, multi_indices
from distcausal.design.product import ProductSpace
from distcausal.errors import DesignError
from distcausal.numerics.frame import orthonormal_frame
from distcausal.numerics.lines import piecewise_line

__all__ = ["SplineSpace"]

_HIGHEST = 10  # powers of a higher degree would lose digits


@dataclass(frozen=True, eq=False, init=False, repr=False)
class SplineSpace(ProductSpace):
    """Splines of one or several variables, uniform between the first and last knot.

    Parameters
    ----------
    knots
        Ascending ends of the intervals, shape ``(knot,)``, the ends of the domain
        included. At a knot, derivatives up to the order ``degree - 1`` are continuous;
        each repetition of an inner knot takes one of them away, so that ``degree + 1``
        equal knots allow a jump.
    degree
        Degree of the pieces; 0 gives indicators of the intervals, so that designs are
        stratified.
    dim
        Number of variables, all with the same knots.
    index
        Which products: an index set or a list of rows of numbers of functions. All
        products if left out. The functions of a variable are B-splines made
        orthonormal from left to right.

    Attributes
    ----------
    size
        Dimension m of the space; in one variable the number of intervals plus
        ``degree`` if no knot is repeated.

    Raises
    ------
    DesignError
        If an argument is not as described, or the index asks for functions there are
        not.

    References
    ----------
    de Boor (1978), A Practical Guide to Splines.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.SplineSpace([0, 1, 2, 5], degree=3)
    >>> space.size, dc.ProjectionDPP(space).sample(seed=1).x.shape
    (6, (6, 1))
    """

    knots: tuple[float, ...]
    degree: int

    def __init__(
        self,
        knots: Sequence[float] | np.ndarray,
        degree: int = 3,
        dim: int = 1,
        index: IndexSet | Sequence[Sequence[int]] | None = None,
    ) -> None:
        order, variables = (
            whole_number("degree", degree, 0),
            whole_number("dim", dim, 1),
        )
        places = _checked(knots, order)
        breaks = np.unique(places)
        check_room("splines", len(places) - 1 + order, (len(breaks) - 1) * (order + 1))
        pieces = _orthonormal_pieces(places, breaks, order)
        count = pieces.shape[2]
        rows = multi_indices(Tensor(count - 1) if index is None else index, variables)
        if rows.max() >= count:
            raise DesignError(
                f"index asks for function {rows.max()}; there are {count} splines of a "
                "variable, numbered from 0. Use more knots or a smaller index."
            )
        line = piecewise_line(breaks, pieces)
        terms = tuple(f"spline {place}" for place in range(count))
        self._hold(
            [line] * variables,
            rows,
            [terms] * variables,
            knots=tuple(places.tolist()),
            degree=order,
        )


def _checked(knots: Any, degree: int) -> np.ndarray:
    """Knots as numbers, the ends once."""
    places = numbers_in(knots)
    shaped = places.ndim == 1 and len(places) >= 2 and np.isfinite(places).all()
    if not shaped or (np.diff(places) < 0).any() or places[0] == places[-1]:
        raise DesignError(
            "knots should be two or more finite numbers in ascending order, not all "
            f"equal; got {knots!r}."
        )
    if degree > _HIGHEST:
        raise DesignError(
            f"degree {degree} is more than {_HIGHEST}, where powers lose digits. Use "
            "more knots, or a PolynomialSpace."
        )
    inner = places[(places > places[0]) & (places < places[-1])]
    most = max(np.unique(inner, return_counts=True)[1], default=0)
    if most > degree + 1:
        raise DesignError(
            f"an inner knot occurs {most} times; {degree + 1} already allow a jump."
        )
    return np.concatenate([places[:1], inner, places[-1:]])


def _orthonormal_pieces(
    knots: np.ndarray, breaks: np.ndarray, degree: int
) -> np.ndarray:
    """Coefficients of powers in the intervals, ``(interval, degree + 1, function)``."""
    from scipy.interpolate import BSpline

    ends = [knots[:1]] * degree, [knots[-1:]] * degree
    whole = np.concatenate([*ends[0], knots, *ends[1]])
    count = len(whole) - degree - 1
    nodes, weight = np.polynomial.legendre.leggauss(degree + 1)
    middle, half = (breaks[1:] + breaks[:-1]) / 2, np.diff(breaks) / 2
    points = middle[:, None] + half[:, None] * nodes
    values = BSpline(whole, np.eye(count), degree)(points)
    mass = (half[:, None] * weight / (breaks[-1] - breaks[0])).ravel()
    frame = orthonormal_frame(values.reshape(-1, count), mass)
    powers = np.linalg.inv(np.vander(nodes, increasing=True)) @ values
    return combined(powers, frame.upper)
