"""What cross-fitting hands to the design layer: one record of held-out arrays.

Every design-based answer (cluster effects, tests, calibration, targeting) is read off
the same few arrays, so they are computed once and the answers never disagree about
folds, rules or scores.

Two versions of each array sit side by side. In the first a unit is judged by what was
learnt on all other folds: best for point estimates. In the second (``_before``) only by
what was learnt on earlier folds: then nothing that judges fold j was itself shaped by
fold j or a later one, statistics of successive folds form a martingale, and tests hold
their size also where there is nothing to find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from distcausal._base.keys import host_stream
from distcausal.errors import DataError, DesignError, listing

__all__ = ["Scores", "check_scores", "example_scores"]


class Scores(NamedTuple):
    """Held-out memberships, effects and scores; see the module for the two versions.

    Attributes
    ----------
    fold
        Fold in which a unit is held out, 0, ..., folds - 1, shape ``(split, unit)``.
        The order of the folds is the order in which sequential tests use them.
    probs
        Membership predicted from the image alone, clusters ordered by effect, shape
        ``(split, unit, cluster)``.
    effect
        Predicted effect of the unit's image, shape ``(split, unit)``.
    score
        Doubly robust scores, whose mean over units is the average effect, shape
        ``(split, unit, outcome)``; a scalar outcome has an axis of length one.
    probs_before, effect_before, score_before
        The same from earlier folds only, NaN in fold 0.
    weights
        Shape ``(unit,)``.
    group
        Units with one label are not independent, shape ``(unit,)``, whole numbers. No
        group lies in two folds of a split.
    """

    fold: np.ndarray
    probs: np.ndarray
    effect: np.ndarray
    score: np.ndarray
    probs_before: np.ndarray
    effect_before: np.ndarray
    score_before: np.ndarray
    weights: np.ndarray
    group: np.ndarray

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return self.probs.shape[-1]

    @property
    def folds(self) -> int:
        """Number of folds of a split."""
        return int(self.fold.max()) + 1

    @property
    def groups(self) -> int:
        """Number of groups of units."""
        return len(np.unique(self.group))


def check_scores(scores: Scores) -> None:
    """Raise `DataError` where arrays do not fit together or hold no numbers.

    Numbers may be missing in one place only: what is predicted for fold 0 from earlier
    folds, of which there are none.
    """
    splits, units = scores.fold.shape
    want = {
        "probs": (splits, units, scores.clusters),
        "effect": (splits, units),
        "score": (splits, units, scores.score.shape[-1]),
        "weights": (units,),
        "group": (units,),
    }
    for name, shape in want.items():
        later = f"{name}_before"
        for part in (name, later) if hasattr(scores, later) else (name,):
            found = getattr(scores, part)
            if found.shape != shape:
                raise DataError(
                    f"{part} has shape {found.shape}; {splits} splits of {units} units "
                    f"need {shape}."
                )
            known = np.ones(found.shape, bool)
            if part.endswith("_before"):
                known[scores.fold == 0] = False
            missing = int((~np.isfinite(found) & known).sum())
            if missing:
                raise DataError(
                    f"{part} holds {missing} numbers that are missing or infinite. "
                    "Look at the outcomes and at the propensities they came from."
                )
    if (scores.weights < 0).any() or scores.weights.sum() <= 0:
        raise DataError("weights of units should be nonnegative and not all zero.")
    if scores.folds < 2:
        raise DesignError("the scores have one fold; what is held out needs two.")
    _check_groups(scores)


def _check_groups(scores: Scores) -> None:
    _, first, place = np.unique(scores.group, return_index=True, return_inverse=True)
    away = scores.fold != scores.fold[:, first[place]]
    parted = np.unique(scores.group[away.any(axis=0)])
    if parted.size:
        raise DataError(
            f"{parted.size} groups lie in two folds of a split: {listing(parted)}. "
            "What judges a unit would have seen its group; make folds by group."
        )


def example_scores(
    *,
    gap: float,
    units: int = 400,
    folds: int = 4,
    splits: int = 3,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> Scores:
    """Scores of a trial whose effect is ``gap`` on one side of a line and 0 elsewhere.

    Held-out arrays without images, for examples: the rule is a regression of the scores
    of the folds learnt from on two features, of which the first decides.
    """
    draw = host_stream(seed, "example scores")
    features = draw.normal(size=(units, 2))
    score = gap * (features[:, 0] > 0) + draw.normal(size=units)
    group = np.arange(units) if group is None else group
    names = int(group.max()) + 1
    lots = np.stack([draw.permutation(names) for _ in range(splits)])
    fold = (lots % folds)[:, group]
    found = []
    for earlier in (False, True):
        effect = np.full(fold.shape, np.nan)
        for split, label in enumerate(fold):
            for number in range(int(earlier), folds):
                train = label < number if earlier else label != number
                rows = np.column_stack([np.ones(units), features])
                coef = np.linalg.lstsq(rows[train], score[train], rcond=None)[0]
                inside = label == number
                effect[split, inside] = rows[inside] @ coef
        middle = np.nanmean(effect)
        upper = 1 / (1 + np.exp(-4 * (effect - middle)))
        found.append((np.stack([1 - upper, upper], axis=2), effect))
    known = np.broadcast_to(score[:, None], (*fold.shape, 1))
    before = np.where((fold == 0)[..., None], np.nan, known)
    (probs, effect), (probs_before, effect_before) = found
    return Scores(
        fold,
        probs,
        effect,
        known.copy(),
        probs_before,
        effect_before,
        before,
        np.ones(units),
        group,
    )
