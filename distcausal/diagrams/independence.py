"""Test that two variables are independent in every stratum of others.

Compares counts with what the margins of each stratum lead one to expect, by the
likelihood ratio. Strata add up: so do the statistics and their degrees of freedom, a
row or column without counts having none. Only cells that occur enter, so many states
cost no memory. Where counts are too small for the limiting law, the labels of one
variable are shuffled within strata, which under independence changes nothing.

Sources: Williams (1976) for how far counts are from their limiting law; Besag and
Clifford (1991) for shuffles that end when the answer is clear, p-values still exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np

__all__ = ["GTest", "Margins", "Shuffled", "g_test", "margins", "shuffled_p_value"]

_BLOCK = 2**20  # numbers drawn at a time
_TIE = 1e-9  # sums of some thousand logarithms in another order differ by less
_EXPECTED = 5.0  # counts per cell on average, below which the limit is not trusted
_DRIFT = 0.1  # standard deviations that moves a test of 5 % to about 6 %


@dataclass(frozen=True, eq=False)
class Margins:
    """Cells that occur, by stratum and the states of two variables.

    Attributes
    ----------
    one, other, stratum
        Codes of each row, counted from 0, those of strata without gaps.
    count
        What each row counts for, positive.
    """

    one: np.ndarray
    other: np.ndarray
    stratum: np.ndarray
    count: np.ndarray

    @cached_property
    def strata(self) -> int:
        """Number of strata."""
        return int(self.stratum.max(initial=-1)) + 1

    @cached_property
    def row(self) -> np.ndarray:
        """Number of the stratum and state of the first variable of each row."""
        return _paired(self.stratum, self.one)

    @cached_property
    def column(self) -> np.ndarray:
        """Number of the stratum and state of the other variable of each row."""
        return _paired(self.stratum, self.other)

    @cached_property
    def cell(self) -> np.ndarray:
        """Number of the cell of each row; cells of a stratum are neighbours."""
        return _paired(self.row, self.other)

    def total(self, group: np.ndarray) -> np.ndarray:
        """Counts added up over groups."""
        return np.bincount(group, weights=self.count)

    def found(self, group: np.ndarray) -> np.ndarray:
        """How many groups occur in each stratum."""
        first = np.unique(group, return_index=True)[1]
        return np.bincount(self.stratum[first], minlength=self.strata)

    @cached_property
    def df(self) -> np.ndarray:
        """Degrees of freedom of each stratum."""
        return (self.found(self.row) - 1) * (self.found(self.column) - 1)

    def informative(self) -> Margins:
        """Rows of the strata in which both variables vary."""
        keep = (self.df > 0)[self.stratum]
        stratum = np.unique(self.stratum[keep], return_inverse=True)[1]
        return Margins(self.one[keep], self.other[keep], stratum, self.count[keep])

    @property
    def small(self) -> bool:
        """Whether counts are too small for the limiting law.

        They are if cells are expected to hold fewer than five on average, or if the
        mean of the statistic, to the next order, exceeds its degrees of freedom by more
        than a tenth of its standard deviation.
        """
        held = self.informative()
        df = int(held.df.sum())
        if not df:
            return False
        cells = (held.found(held.row) * held.found(held.column)).sum()
        drift = held._drift()
        expected = held.count.sum() / cells
        return bool(expected < _EXPECTED or drift > _DRIFT * sqrt(2 * df))

    def _drift(self) -> float:
        """Mean of the statistic beyond its degrees of freedom, to the next order."""
        total = self.total(self.stratum)
        rows, columns = (
            total * self._reciprocal(group) - 1 for group in (self.row, self.column)
        )
        return float((rows * columns / (6 * total)).sum())

    def _reciprocal(self, group: np.ndarray) -> np.ndarray:
        """Sum over groups of a stratum of one over their counts."""
        first = np.unique(group, return_index=True)[1]
        weights = 1 / self.total(group)
        return np.bincount(self.stratum[first], weights=weights, minlength=self.strata)


@dataclass(frozen=True)
class GTest:
    """Likelihood ratio statistic, its degrees of freedom and its p-value.

    ``small`` says whether counts are too small for that p-value.
    """

    statistic: float
    df: int
    p_value: float
    small: bool


@dataclass(frozen=True)
class Shuffled:
    """P-value from shuffles, and how many were made."""

    p_value: float
    draws: int


def g_test(
    one: np.ndarray, other: np.ndarray, stratum: np.ndarray, count: np.ndarray
) -> GTest:
    """Likelihood ratio test of independence within strata.

    Parameters
    ----------
    one, other
        Codes of the two variables, counted from 0, shape ``(row,)``.
    stratum
        Codes of the strata, shape ``(row,)``.
    count
        Observations that each row stands for.

    Returns
    -------
    GTest
        With no degrees of freedom, where no stratum holds two states of both, the
        p-value is 1.
    """
    from scipy.stats import chi2

    table = margins(one, other, stratum, count)
    entropy = sum(
        sign * _information(table.total(group))
        for sign, group in (
            (1, table.cell),
            (-1, table.row),
            (-1, table.column),
            (1, table.stratum),
        )
    )
    statistic, df = max(2.0 * float(entropy), 0.0), int(table.df.sum())
    p_value = float(chi2.sf(statistic, df)) if df else 1.0
    return GTest(statistic, df, p_value, table.small)


def margins(
    one: np.ndarray, other: np.ndarray, stratum: np.ndarray, count: np.ndarray
) -> Margins:
    """Rows that count for something, their strata numbered without gaps."""
    keep = count > 0
    place = np.unique(stratum[keep], return_inverse=True)[1]
    return Margins(one[keep], other[keep], place, count[keep])


def shuffled_p_value(
    one: np.ndarray,
    other: np.ndarray,
    stratum: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    enough: int | None = None,
) -> Shuffled:
    """Share of shuffles within strata whose statistic is at least that of the data.

    One row per observation. The margins of every stratum stay, so only the sum of
    n log n over cells moves. With ``enough`` the shuffles end as soon as so many of
    them reach the data's statistic.
    """
    held = margins(one, other, stratum, np.ones(len(one))).informative()
    order = np.argsort(held.stratum, kind="stable")
    row, place = held.row[order], held.stratum[order]
    column = np.unique(held.other[order], return_inverse=True)[1]
    fixed = row * (int(column.max(initial=0)) + 1)
    if not len(fixed):
        return Shuffled(1.0, draws)
    own = float(_informations((fixed + column)[None])[0])
    least = own - _TIE * max(own, 1.0)
    reached = made = 0
    while made < draws:
        block = min(max(_BLOCK // len(fixed), 1), draws - made)
        if enough is not None:
            block = min(block, max(made, 5 * enough))
        keys = place + rng.random((block, len(fixed)))
        shuffled = column[np.argsort(keys, axis=1)]
        hits = reached + np.cumsum(_informations(fixed + shuffled) >= least)
        if enough is not None and hits[-1] >= enough:
            made += int(np.searchsorted(hits, enough)) + 1
            return Shuffled(enough / made, made)
        reached, made = int(hits[-1]), made + block
    return Shuffled((1 + reached) / (1 + made), made)


def _paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One number without gaps for each pair of codes that occurs."""
    width = int(second.max(initial=0)) + 1
    return np.unique(first.astype(np.int64) * width + second, return_inverse=True)[1]


def _informations(cells: np.ndarray) -> np.ndarray:
    """Sum of n log n over the cells of each draw, ``(draw, observation)`` given."""
    ordered = np.sort(cells, axis=1)
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.flatnonzero(new)
    size = np.diff(start, append=new.size)
    draw = start // cells.shape[1]
    return np.bincount(draw, weights=size * np.log(size), minlength=len(cells))


def _information(counts: np.ndarray) -> float:
    """Sum of n log n."""
    return float((counts * np.log(counts)).sum())
