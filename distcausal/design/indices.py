"""Which products of univariate functions span a space of several variables.

A rule is a budget: the multi-indices it admits are those whose costs, one per variable,
sum to no more than the degree allows. Every cost here grows with its entry, so sets are
closed downwards and can be listed entry by entry without ever forming the full grid,
which in ten dimensions has billions of members when the set has hundreds. A weight per
variable multiplies its cost: variables of little importance get high weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import log1p
from typing import Any

import numpy as np

from distcausal.design.arguments import numbers_in
from distcausal.errors import DesignError

__all__ = [
    "HyperbolicCross",
    "IndexSet",
    "Tensor",
    "TotalDegree",
    "check_count",
    "multi_indices",
]

_MOST = 20_000  # functions; the Gram matrix of more would not fit in memory
_ROUNDING = 1e-9  # far below the cost of one function more
Weights = Sequence[float] | None


@dataclass(frozen=True)
class TotalDegree:
    """Multi-indices whose entries sum to at most ``degree``.

    Attributes
    ----------
    degree
        The budget.
    weights
        Positive, one per variable: entries count so many times. Ones if left out.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.TotalDegree(2).multi_indices(2).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0]]
    >>> dc.TotalDegree(2, weights=(1, 2)).multi_indices(2).tolist()
    [[0, 0], [0, 1], [1, 0], [2, 0]]
    """

    degree: int
    weights: Weights = None

    def __post_init__(self) -> None:
        _check_degree(self.degree)
        object.__setattr__(self, "weights", _kept(self.weights))

    def multi_indices(self, dim: int) -> np.ndarray:
        """Multi-indices in lexicographic order, shape ``(function, dim)``."""
        return _listed(dim, self.weights, float, self.degree)


@dataclass(frozen=True)
class Tensor:
    """Multi-indices with no entry above ``degree``.

    Examples
    --------
    >>> import distcausal as dc
    >>> len(dc.Tensor(2).multi_indices(3))
    27
    """

    degree: int

    def __post_init__(self) -> None:
        _check_degree(self.degree)

    def multi_indices(self, dim: int) -> np.ndarray:
        """Multi-indices in lexicographic order, shape ``(function, dim)``."""
        return _listed(
            dim,
            None,
            lambda entry: 0.0 if entry <= self.degree else 1.0,
            0.5,
        )


@dataclass(frozen=True)
class HyperbolicCross:
    """Multi-indices whose product of entries plus one is at most ``degree + 1``.

    Attributes
    ----------
    degree
        The budget.
    weights
        Positive, one per variable: powers to which the factors are raised. Ones if
        left out.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.HyperbolicCross(2).multi_indices(2).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [2, 0]]
    """

    degree: int
    weights: Weights = None

    def __post_init__(self) -> None:
        _check_degree(self.degree)
        object.__setattr__(self, "weights", _kept(self.weights))

    def multi_indices(self, dim: int) -> np.ndarray:
        """Multi-indices in lexicographic order, shape ``(function, dim)``."""
        return _listed(dim, self.weights, log1p, log1p(self.degree))


IndexSet = TotalDegree | Tensor | HyperbolicCross


def multi_indices(index: IndexSet | Sequence[Sequence[int]], dim: int) -> np.ndarray:
    """Multi-indices of a rule, or of a list after checking it.

    Raises
    ------
    DesignError
        If a list is not a matrix of nonnegative whole numbers with ``dim`` columns, or
        repeats a row.
    """
    if isinstance(index, TotalDegree | Tensor | HyperbolicCross):
        return index.multi_indices(dim)
    try:
        given = np.array(index)
    except ValueError:  # rows of different lengths
        given = np.array([])
    if given.ndim == 1 and dim == 1:
        given = given[:, None]
    whole = given.dtype.kind in "iu" and given.ndim == 2 and given.shape[1] == dim
    if not whole or given.size == 0 or given.min() < 0:
        raise DesignError(
            f"a listed index should hold rows of {dim} nonnegative whole numbers, one "
            f"row per function; got {given.dtype} of shape {given.shape}."
        )
    found, count = np.unique(given, axis=0, return_counts=True)
    if len(found) < len(given):
        raise DesignError(
            f"a listed index should name each function once; {found[count > 1][0]} "
            f"occurs {count.max()} times. Remove the repetition."
        )
    return given


def check_count(functions: np.ndarray, dim: int) -> None:
    """Refuse spaces too large for anything done with them.

    Parameters
    ----------
    functions
        How many each multi-index stands for.
    dim
        Number of variables, for the message.

    Raises
    ------
    DesignError
        If there are more than 20 000 in total.
    """
    if functions.sum() > _MOST:
        raise DesignError(
            f"an index of this size in {dim} dimensions gives more than {_MOST} "
            "functions. Lower the degree, or use HyperbolicCross."
        )


def _check_degree(degree: object) -> None:
    whole = isinstance(degree, int | np.integer) and not isinstance(degree, bool)
    if not whole or degree < 0:  # type: ignore[operator]
        raise DesignError(f"degree {degree!r} should be a whole number, 0 or more.")


def _kept(weights: Any) -> tuple[float, ...] | None:
    """Weights as numbers that can be compared and hashed."""
    if weights is None:
        return None
    given = numbers_in(weights)
    if given.ndim != 1:
        raise DesignError(f"weights {weights!r} should be numbers, one per variable.")
    return tuple(given.tolist())


def _checked(weights: Weights, dim: int) -> np.ndarray:
    """Weights of the variables."""
    given = np.ones(dim) if weights is None else np.array(weights)
    if given.shape != (dim,) or not (np.isfinite(given) & (given > 0)).all():
        raise DesignError(
            f"weights {weights!r} should be {dim} positive numbers, one per variable."
        )
    return given


def _listed(
    dim: int,
    weights: Weights,
    cost: Callable[[int], float],
    budget: float,
) -> np.ndarray:
    """All rows whose costs, paid one after the other, stay within the budget."""
    price = _checked(weights, dim)

    def rows(left: float, place: int) -> Iterator[tuple[int, ...]]:
        if place == dim:
            yield ()
            return
        for entry in count():
            rest = left - price[place] * cost(entry)
            if rest < 0:
                return
            for tail in rows(rest, place + 1):
                yield (entry, *tail)

    listed = []
    for row in rows(budget + _ROUNDING, 0):
        listed.append(row)
        if len(listed) > _MOST:
            break
    check_count(np.ones(len(listed)), dim)
    return np.array(listed, dtype=int).reshape(-1, dim)
