"""Test that a formula does not change with some of its variables.

The formula is estimated from shares for every state of the variables it should not
change with; differences between the states are zero in the population. Their
covariance is that of the plug-in estimate. Some differences follow from others, since
probabilities sum to one, so the covariance has a null space by construction; it is cut
off where eigenvalues of the correlation vanish to rounding.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from distcausal.diagrams.estimand import Expression
from distcausal.diagrams.formula import Estimand
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.observations import Sample
from distcausal.diagrams.plugin import PlugIn
from distcausal.diagrams.query import Query

__all__ = ["differences", "wald"]

# rounding leaves 1e-15 where a correlation has no rank; counts below a million leave
# more than this where it has
_RANK = 1e-9
_SAME = 1e-7  # a difference without variance is one that is zero by construction


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
    """
    query = Query(tuple(others), (), tuple(spare), ((),))
    fit = PlugIn(Estimand(formula, query, graph), {(): sample}, states).fit()
    width = int(np.prod([len(states[name]) for name in spare]))
    values = fit.values.reshape(-1, width)
    place = np.arange(values.size).reshape(values.shape)
    first, rest = np.repeat(place[:, :1], width - 1, 1).ravel(), place[:, 1:].ravel()
    gap = fit.covariance[rest] - fit.covariance[first]
    return fit.values[rest] - fit.values[first], gap[:, rest] - gap[:, first]


def wald(difference: np.ndarray, covariance: np.ndarray) -> tuple[float, int] | None:
    """Wald statistic that all differences are zero, and its degrees of freedom.

    None if a combination of differences is not zero but has no variance, so that no
    number of standard errors measures it.
    """
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    known = spread > _SAME * spread.max(initial=0.0)
    if np.abs(difference[~known]).max(initial=0.0) > _SAME:
        return None
    if not known.any():
        return 0.0, 0
    scaled = difference[known] / spread[known]
    correlation = covariance[np.ix_(known, known)] / np.outer(
        spread[known], spread[known]
    )
    size, axes = np.linalg.eigh(correlation)
    along = axes.T @ scaled
    ranked = size > _RANK * size.max()
    if np.abs(along[~ranked]).max(initial=0.0) > _SAME * max(np.abs(scaled).max(), 1.0):
        return None
    return float((along[ranked] ** 2 / size[ranked]).sum()), int(ranked.sum())
