"""Doubly robust scores, and average effects of clusters as ratios of their sums.

The score of a unit is the predicted effect plus what the observed arm shows beyond its
prediction, divided by the probability of that arm. Its mean is the average effect if
either the regressions or the probabilities are right, and errors in both enter only as
a product (Robins, Rotnitzky and Zhao 1994).

The effect of a cluster is one ratio, scores of its members over all folds and splits
divided by their weight. So the effects, averaged by shares, are the average effect
exactly, and one influence per unit gives the covariance of all of them together.
"""

from __future__ import annotations

import numpy as np

__all__ = ["aipw_scores"]


def aipw_scores(
    outcome: np.ndarray,
    treatment: np.ndarray,
    expected: np.ndarray,
    propensity: np.ndarray,
) -> np.ndarray:
    """Doubly robust scores of the effect, shape ``(split, unit, outcome)``.

    Parameters
    ----------
    outcome
        Shape ``(unit, outcome)``.
    treatment
        0 or 1, shape ``(unit,)``.
    expected
        Predicted outcome of both arms, one field of `outcome_regressions`, shape
        ``(2, split, unit, outcome)``.
    propensity
        Probability of treatment, the same field of `propensities`, shape
        ``(split, unit)``.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.aipw import aipw_scores
    >>> expected = np.zeros((2, 1, 2, 1))
    >>> aipw_scores(
    ...     np.array([[1.0], [3.0]]), np.array([0, 1]), expected, np.full((1, 2), 0.5)
    ... )[0, :, 0]
    array([-2.,  6.])
    """
    arm = (treatment == 1).astype(float)[None, :, None]
    chance = propensity[..., None]
    untreated, treated = expected
    return (
        treated
        - untreated
        + arm * (outcome - treated) / chance
        - (1 - arm) * (outcome - untreated) / (1 - chance)
    )
