"""Which products of univariate functions span a space of several variables.

A rule is a budget: the multi-indices it admits are those whose cost stays within the
degree. Every cost here grows with each entry, so sets are closed downwards and can be
listed entry by entry without ever forming the full grid, which in ten dimensions has
billions of members when the set has hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from distcausal.errors import DesignError

__all__ = ["HyperbolicCross", "IndexSet", "Tensor", "TotalDegree", "multi_indices"]

_MOST = 20_000  # functions; the Gram matrix of more would not fit in memory


@dataclass(frozen=True)
class TotalDegree:
    """Multi-indices whose entries sum to at most ``degree``.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.TotalDegree(2).multi_indices(2).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0]]
    """

    degree: int

    def __post_init__(self) -> None:
        _check_degree(self.degree)

    def multi_indices(self, dim: int) -> np.ndarray:
        """Multi-indices in lexicographic order, shape ``(function, dim)``."""
        return _listed(dim, self.degree, lambda left, entry: left - entry)


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
            dim, self.degree, lambda left, entry: left if entry <= left else -1
        )


@dataclass(frozen=True)
class HyperbolicCross:
    """Multi-indices whose product of entries plus one is at most ``degree + 1``.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.HyperbolicCross(2).multi_indices(2).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [2, 0]]
    """

    degree: int

    def __post_init__(self) -> None:
        _check_degree(self.degree)

    def multi_indices(self, dim: int) -> np.ndarray:
        """Multi-indices in lexicographic order, shape ``(function, dim)``."""
        return _listed(
            dim, self.degree, lambda left, entry: (left + 1) // (entry + 1) - 1
        )


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
    given = np.array(index)
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


def _check_degree(degree: object) -> None:
    whole = isinstance(degree, int | np.integer) and not isinstance(degree, bool)
    if not whole or degree < 0:  # type: ignore[operator]
        raise DesignError(f"degree {degree!r} should be a whole number, 0 or more.")


def _listed(dim: int, degree: int, spend: Callable[[int, int], int]) -> np.ndarray:
    """All rows whose entries, spent one after the other, stay within the degree."""

    def rows(left: int, places: int) -> Iterator[tuple[int, ...]]:
        if places == 0:
            yield ()
            return
        for entry in range(degree + 1):
            rest = spend(left, entry)
            if rest < 0:
                return
            for tail in rows(rest, places - 1):
                yield (entry, *tail)

    listed = []
    for row in rows(degree, dim):
        listed.append(row)
        if len(listed) > _MOST:
            raise DesignError(
                f"degree {degree} in {dim} dimensions gives more than {_MOST} "
                "functions. Lower the degree, or use HyperbolicCross."
            )
    return np.array(listed, dtype=int).reshape(-1, dim)
