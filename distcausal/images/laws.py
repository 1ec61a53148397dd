"""Laws of a number's outcome under each arm in each cluster, as data again.

Where the outcome is a number, the law of an arm in a cluster is that of the outcome of
a unit drawn at random from it: a mixture, not an average of quantile functions. Its
distribution function at a point is the mean of an indicator, which has a doubly robust
score like any other mean. The functions at all points, made nondecreasing, are laws,
and they come back as `RandomDistributions` that all other rooms accept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.images.aipw import DesignEffects, assigned, clusters_left
from distcausal.images.curves import arm_scores
from distcausal.images.nuisance import outcome_regressions
from distcausal.images.scores import Scores
from distcausal.numerics.monotone import project_monotone

__all__ = ["MOST_POINTS", "outcome_laws"]

MOST_POINTS = 100
_BLOCK = 2**22  # indicators held at once


def outcome_laws(
    values: np.ndarray,
    treatment: np.ndarray,
    features: np.ndarray,
    scores: Scores,
    propensity: np.ndarray,
    *,
    design: DesignEffects,
    covariates: np.ndarray | None = None,
) -> RandomDistributions:
    """Law of the outcome of both arms in every cluster, debiased, out of fold.

    Parameters
    ----------
    values
        Outcomes, shape ``(unit,)``.
    treatment
        0 or 1, shape ``(unit,)``.
    features, covariates
        What indicators of the outcome are regressed on, ``(unit, feature)`` and
        ``(unit, covariate)``.
    scores
        Held-out arrays; folds, memberships, weights and groups are used.
    propensity
        Shape ``(split, unit)``.
    design
        Effects of the same clusters: how units were assigned, and which clusters have
        collapsed and are left out.

    Returns
    -------
    Two units per cluster, untreated and treated, with columns cluster, treatment and
    share. Outcomes of at most 100 distinct values keep them; others are gathered in
    about so many cells, each at the mean of the outcomes in it, and a value that many
    units share keeps a cell of its own.

    Raises
    ------
    DesignError
        If all clusters have collapsed.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.aipw import design_effects
    >>> from distcausal.images.laws import outcome_laws
    >>> from distcausal.images.scores import example_scores
    >>> scores, w = example_scores(gap=2.0), np.tile([0, 1], 200)
    >>> y = 5.0 * w * (scores.effect.mean(axis=0) > 1)
    >>> laws = outcome_laws(
    ...     y,
    ...     w,
    ...     scores.effect.T,
    ...     scores,
    ...     np.full((3, 400), 0.5),
    ...     design=design_effects(scores),
    ... )
    >>> laws.mean().round()
    array([0., 0., 0., 5.])
    """
    used = clusters_left(design.collapsed)
    share = scores.weights / scores.weights.sum()
    counted = share > 0
    points, support = _cells(values[counted], share[counted])
    reached = np.empty((2, scores.clusters, len(points)))
    for part in _blocks(len(points), len(values)):
        below = (values[:, None] <= points[part]).astype(float)
        reached[:, :, part] = _means(
            below, treatment, features, scores, propensity, design.assign, covariates
        )
    cell = np.searchsorted(points, values[counted])
    weight = np.bincount(cell, share[counted], len(points))
    reached = np.clip(project_monotone(reached, weight), 0, 1)
    reached[..., -1] = 1.0
    mass = np.diff(reached, axis=-1, prepend=0.0)
    rows = mass[:, used].swapaxes(0, 1).reshape(-1, len(points))
    arms = ("untreated", "treated")
    return RandomDistributions.from_atoms(
        support,
        rows / rows.sum(axis=1, keepdims=True),
        ids=[f"cluster {k + 1}, {arm}" for k in used for arm in arms],
        columns={
            "cluster": np.repeat(used + 1, 2),
            "treatment": np.tile([0, 1], used.size),
            "share": np.repeat(design.share[used], 2),
        },
    )


def _cells(values: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper ends of cells of the outcome, the last its largest value, and their means.

    Values with more than a cell's share end a cell and begin one.
    """
    distinct, place = np.unique(values, return_inverse=True)
    if distinct.size <= MOST_POINTS:
        return distinct, distinct
    mass = np.bincount(place, share)
    wanted = np.arange(1, MOST_POINTS + 1) / MOST_POINTS
    ends = np.minimum(np.searchsorted(np.cumsum(mass), wanted), distinct.size - 1)
    heavy = np.flatnonzero(mass > 1 / MOST_POINTS)
    ends = np.unique(np.concatenate([ends, heavy, heavy[heavy > 0] - 1]))
    cell = np.searchsorted(ends, np.arange(distinct.size))
    total = np.bincount(cell, mass)
    return distinct[ends], np.bincount(cell, mass * distinct) / total


def _blocks(points: int, units: int) -> Iterator[slice]:
    step = max(_BLOCK // units, 1)
    for start in range(0, points, step):
        yield slice(start, min(start + step, points))


def _means(
    outcome: np.ndarray,
    treatment: np.ndarray,
    features: np.ndarray,
    scores: Scores,
    propensity: np.ndarray,
    assign: str,
    covariates: np.ndarray | None,
) -> np.ndarray:
    """Mean by arm and cluster over all splits, ``(2, cluster, outcome)``."""
    total = np.zeros((2, scores.clusters, outcome.shape[1]))
    mass = np.zeros(scores.clusters)
    for split in range(len(scores.fold)):
        own = slice(split, split + 1)
        fits = outcome_regressions(
            outcome,
            treatment,
            features,
            scores.fold[own],
            weights=scores.weights,
            group=scores.group,
            covariates=covariates,
        )
        score = arm_scores(outcome, treatment, fits.other, propensity[own])[:, 0]
        member = assigned(scores.probs[split], assign) * scores.weights[:, None]
        total += member.T @ score
        mass += member.sum(axis=0)
    return total / np.where(mass > 0, mass, 1.0)[:, None]
