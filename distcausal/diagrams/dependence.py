"""Test of independence within strata for observations with weights or in clusters.

Pearson's statistic measures how far counts are from what margins lead one to expect.
With weights or clusters its law is that of a sum of squares of unequal variances. These
need not be known one by one, and no covariance is inverted: the first two moments of
the sum tell how to scale it and how many squares it is worth. So the test keeps its
size with fewer clusters than degrees of freedom, where Wald's does not exist.

Sources: Rao and Scott (1984) for the corrections; Thomas and Rao (1987) for the F law
when clusters are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.diagrams.independence import Margins, margins
from distcausal.errors import ComplexityError

__all__ = ["CorrectedTest", "corrected_test"]

_PAIRS = 2**23  # pairs of cells, or of clusters, that are held at a time


@dataclass(frozen=True)
class CorrectedTest:
    """Pearson's statistic scaled to its degrees of freedom, these, and a p-value."""

    statistic: float
    df: int
    p_value: float


def corrected_test(
    one: np.ndarray,
    other: np.ndarray,
    stratum: np.ndarray,
    units: Any,
    times: np.ndarray,
    effective: float,
) -> CorrectedTest:
    """Pearson's test with the corrections of Rao and Scott.

    Parameters
    ----------
    one, other, stratum
        Codes of the two variables and of the strata, shape ``(cell,)``.
    units
        Sparse array ``(unit, cell)``: weight that one unit brings to each cell.
    times
        How many such units there are, shape ``(unit,)``.
    effective
        How many units of equal weight these are worth.

    Returns
    -------
    CorrectedTest
        Without degrees of freedom the p-value is 1.

    Raises
    ------
    ComplexityError
        If more pairs of cells or clusters are needed than memory should hold.
    """
    from scipy.stats import f

    table = margins(one, other, stratum, times @ units)
    df = int(table.df.sum())
    if not df:
        return CorrectedTest(0.0, 0, 1.0)
    kept = units[:, np.flatnonzero(times @ units > 0)]
    brought = kept @ _indicator(table.cell)
    kernel = _kernel(table)
    mass = times @ brought
    pearson = float(mass @ (kernel @ mass))
    scaled = _scaled(brought, times, table)
    size, squares = _moments(scaled, times, kernel, effective)
    size = (size - pearson / effective) * effective / max(effective - 1, 1.0)
    if not size > 0:
        return CorrectedTest(0.0, 0, 1.0)
    worth = min(size**2 / squares, float(df)) if squares > 0 else float(df)
    worth = max(worth, 1.0)
    p_value = float(f.sf(pearson / size, worth, worth * max(effective - 1, 1.0)))
    return CorrectedTest(df * pearson / size, df, p_value)


def _indicator(group: np.ndarray) -> Any:
    """Sparse array ``(member, group)``."""
    from scipy.sparse import csr_array

    members = len(group)
    return csr_array((np.ones(members), (np.arange(members), group)))


def _kernel(table: Margins) -> Any:
    """Products of two cells' residuals, ``(cell, cell)``, zero between strata.

    Pearson's statistic is the squared length of a sum over observations; this is the
    inner product of what two of them contribute.
    """
    from scipy.sparse import csr_array

    first = np.unique(table.cell, return_index=True)[1]
    row, column, stratum = (
        group[first] for group in (table.row, table.column, table.stratum)
    )
    within = np.bincount(stratum)
    check_pairs(float((within.astype(float) ** 2).sum()), "cells")
    many = within[stratum]
    left = np.repeat(np.arange(len(first)), many)
    start = np.cumsum(within) - within
    offset = np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many)
    right = start[stratum[left]] + offset
    total = table.total(table.stratum)[stratum[left]]
    value = 1 / total
    for group, known in ((row, table.row), (column, table.column)):
        share = table.total(known)[group[left]] / total
        value = value * ((group[left] == group[right]) / share - 1)
    return csr_array((value, (left, right)), shape=(len(first), len(first)))


def _scaled(brought: Any, times: np.ndarray, table: Margins) -> Any:
    """What units bring, larger where few units are behind the shares of a stratum.

    Residuals are smaller than errors, as shares are fitted to the same observations; by
    the same factor as the variance of a sample is smaller than that of its source.
    """
    first = np.unique(table.cell, return_index=True)[1]
    stratum = table.stratum[first]
    held = brought @ _indicator(stratum)
    units = (times @ held) ** 2 / (times @ held.power(2))
    units = np.maximum(units, 2.0)
    return brought.multiply(np.sqrt(units / (units - 1))[stratum][None]).tocsr()


def _moments(
    brought: Any, times: np.ndarray, kernel: Any, effective: float
) -> tuple[float, float]:
    """Sum of the variances of the squares that add up, and sum of their squares.

    The second is estimated from products of different units; the square of one unit's
    own contribution tells of its fourth moment instead.
    """
    from scipy.sparse import diags_array

    many, cells = brought.shape
    length = (brought @ kernel).multiply(brought).sum(axis=1)
    own = float(times @ length**2)
    each = diags_array(np.sqrt(times)) @ brought
    if many < cells:
        check_pairs(float(many) ** 2, "clusters")
        gram = ((each @ kernel) @ each.T).toarray()
        total = float((gram**2).sum())
    else:
        if np.diff(each.indptr).max(initial=0) > 1:
            check_pairs(float(cells) ** 2, "cells")
        product = (each.T @ each) @ kernel
        total = float(product.multiply(product.T).sum())
    between = (total - own) * effective / max(effective - 1, 1.0)
    return float(times @ length), between


def check_pairs(size: float, called: str) -> None:
    """Raise if an array over pairs were larger than memory should hold."""
    if size > _PAIRS:
        raise ComplexityError(
            f"The test compares {size:.3g} pairs of {called}, more than {_PAIRS}. "
            "Merge states."
        )
