"""Test that two variables are independent in every stratum of others.

Compares counts with what the margins of each stratum lead one to expect, by the
likelihood ratio. Strata add up: so do the statistics and their degrees of freedom, a
row or column without counts having none. Where counts are too small for the limiting
law, the labels of one variable are shuffled within strata, which under independence
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal.numerics.band import rank_p_value

__all__ = ["GTest", "g_test", "shuffled_p_value"]

_BLOCK = 2**22  # numbers drawn at a time
_TIE = 1e-9  # sums of some thousand logarithms in another order differ by less


@dataclass(frozen=True)
class GTest:
    """Likelihood ratio statistic, its degrees of freedom and its p-value."""

    statistic: float
    df: int
    p_value: float


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

    table = _table(one, other, stratum, count)
    rows, columns = table.sum(axis=2), table.sum(axis=1)
    total = table.sum(axis=(1, 2))
    entropy = _information(table) - _information(rows) - _information(columns)
    statistic = max(2.0 * float(entropy + _information(total)), 0.0)
    filled = ((rows > 0).sum(axis=1) - 1) * ((columns > 0).sum(axis=1) - 1)
    df = int(np.maximum(filled, 0).sum())
    return GTest(statistic, df, float(chi2.sf(statistic, df)) if df else 1.0)


def shuffled_p_value(
    one: np.ndarray,
    other: np.ndarray,
    stratum: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """Share of shuffles within strata whose statistic is at least that of the data.

    One row per observation. The margins of every stratum stay, so only the sum of
    n log n over cells moves.
    """
    order = np.argsort(stratum, kind="stable")
    one, other, stratum = one[order], other[order], stratum[order]
    shape = tuple(int(codes.max()) + 1 for codes in (stratum, one, other))
    fixed = (stratum * shape[1] + one) * shape[2]
    size = int(np.prod(shape))
    own = _information(np.bincount(fixed + other, minlength=size))
    step = max(_BLOCK // max(len(one), size), 1)
    found = []
    for start in range(0, draws, step):
        block = min(step, draws - start)
        keys = stratum + rng.random((block, len(one)))
        shuffled = other[np.argsort(keys, axis=1)]
        cell = fixed + shuffled + size * np.arange(block)[:, None]
        counts = np.bincount(cell.ravel(), minlength=block * size)
        found.append(_information(counts.reshape(block, size), axis=1))
    return rank_p_value(own - _TIE * max(own, 1.0), np.concatenate(found))


def _table(
    one: np.ndarray, other: np.ndarray, stratum: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """Counts by stratum and states of the two variables."""
    shape = tuple(int(codes.max()) + 1 for codes in (stratum, one, other))
    cell = np.ravel_multi_index((stratum, one, other), shape)
    size = int(np.prod(shape))
    return np.bincount(cell, weights=count, minlength=size).reshape(shape)


def _information(counts: np.ndarray, axis: int | None = None):
    """Sum of n log n."""
    safe = np.where(counts > 0, counts, 1.0)
    return (counts * np.log(safe)).sum(axis=axis)
