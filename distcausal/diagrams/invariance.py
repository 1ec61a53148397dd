"""Test that a formula does not change with some of its variables.

The formula is estimated from shares for every state of the variables it should not
change with; differences between the states are zero in the population. Their
covariance is that of the plug-in estimate. Some differences follow from others, since
probabilities sum to one, so the covariance has a null space by construction; it is cut
off where eigenvalues of the correlation vanish to rounding. The covariance is estimated
from as many units as there are, so the statistic is held against Hotelling's law, which
is exact for normal sums over clusters of equal size, and not against its limit.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import prod

import numpy as np

from distcausal.diagrams.estimand import Expression
from distcausal.diagrams.formula import Estimand
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.observations import Sample
from distcausal.diagrams.plugin import PlugIn
from distcausal.diagrams.query import Query
from distcausal.errors import ComplexityError, listing

__all__ = ["Unmeasured", "differences", "hotelling", "wald"]

_MOST = 2048  # answers; their covariance takes 32 MB and its eigenvalues seconds

# rounding leaves 1e-15 where a correlation has no rank; counts below a million leave
# more than this where it has
_RANK = 1e-9
_SAME = 1e-7  # a difference without variance is one that is zero by construction


class Unmeasured(Exception):
    """A combination of differences is not zero but has no variance.

    No number of standard errors measures it. ``rank`` of them have a variance.
    """

    def __init__(self, rank: int) -> None:
        super().__init__(rank)
        self.rank = rank


def differences(
    formula: Expression,
    graph: CausalGraph,
    others: Sequence[str],
    spare: Sequence[str],
    sample: Sample,
    states: Mapping[str, tuple[Hashable, ...]],
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of a formula between states of spare variables, and covariance.

    Parameters
    ----------
    formula
        The formula.
    graph
        Graph that holds its variables, for messages.
    others, spare
        Variables that the value may, and may not, depend on.
    sample, states
        Shares to estimate it from, and the states of every variable.

    Returns
    -------
    Two arrays, ``(difference,)`` and ``(difference, difference)``.

    Raises
    ------
    PositivityError
        If the formula divides by the share of an event that does not occur.
    ComplexityError
        If the formula has too many answers or tables too large.
    """
    _check_answers([*others, *spare], states)
    query = Query(tuple(others), (), tuple(spare), ((),))
    fit = PlugIn(Estimand(formula, query, graph), {(): sample}, states).fit()
    width = int(np.prod([len(states[name]) for name in spare]))
    values = fit.values.reshape(-1, width)
    place = np.arange(values.size).reshape(values.shape)
    first, rest = np.repeat(place[:, :1], width - 1, 1).ravel(), place[:, 1:].ravel()
    gap = fit.covariance[rest] - fit.covariance[first]
    return fit.values[rest] - fit.values[first], gap[:, rest] - gap[:, first]


def _check_answers(
    names: Sequence[str], states: Mapping[str, tuple[Hashable, ...]]
) -> None:
    answers = prod(len(states[name]) for name in names)
    if answers > _MOST:
        sizes = [f"{name} ({len(states[name])})" for name in names]
        raise ComplexityError(
            f"The formula has {answers:.3g} answers, over the states of "
            f"{listing(sizes, 12)}; up to {_MOST} are compared. Merge states."
        )


def wald(difference: np.ndarray, covariance: np.ndarray) -> tuple[float, int]:
    """Wald statistic that all differences are zero, and its degrees of freedom.

    Raises
    ------
    Unmeasured
        If a combination of differences is not zero but has no variance.
    """
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    known = spread > _SAME * spread.max(initial=0.0)
    if np.abs(difference[~known]).max(initial=0.0) > _SAME:
        raise Unmeasured(0)
    if not known.any():
        return 0.0, 0
    scaled = difference[known] / spread[known]
    correlation = covariance[np.ix_(known, known)] / np.outer(
        spread[known], spread[known]
    )
    size, axes = np.linalg.eigh(correlation)
    along = axes.T @ scaled
    ranked = size > _RANK * size.max()
    rank = int(ranked.sum())
    if np.abs(along[~ranked]).max(initial=0.0) > _SAME * max(np.abs(scaled).max(), 1.0):
        raise Unmeasured(rank)
    return float((along[ranked] ** 2 / size[ranked]).sum()), rank


def hotelling(statistic: float, df: int, units: float) -> float:
    """P-value of a Wald statistic whose covariance comes from so many units."""
    from scipy.stats import f

    left = units - df
    return float(f.sf(statistic * left / (df * (units - 1)), df, left))
