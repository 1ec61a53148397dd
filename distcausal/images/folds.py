"""Folds of groups of units, repeated over splits.

What is learnt from some units must be judged on others that share nothing with them, so
groups (units of one image, of duplicated images, of one village) are never divided.

Groups are put in order of size and dealt out in rounds, each fold getting one group per
round by lot. So folds differ by little in size, the lot of a group does not depend on
the order of the units, and treatment has no part in it: a fold without one arm is
not mended but the whole split is dealt again.
"""

from __future__ import annotations

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal.errors import DesignError
from distcausal.images.engines import check_whole

__all__ = ["check_counts", "make_folds"]

TRIES = 50


def make_folds(
    group: np.ndarray,
    treatment: np.ndarray,
    folds: int,
    splits: int,
    seed: Seed = 0,
    *,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Deal groups into folds, both arms in each, for several independent splits.

    Parameters
    ----------
    group
        Label of the group of each unit, shape ``(unit,)``.
    treatment
        Arm of each unit, 0 or 1, shape ``(unit,)``.
    folds
        Folds of a split, at least 2.
    splits
        Number of splits, at least 1.
    seed
        Whole number or JAX key.
    weights
        Weights of units, shape ``(unit,)``, by which sizes of groups are judged; units
        count alike if None.

    Returns
    -------
    Fold of each unit, shape ``(split, unit)``, from 0.

    Raises
    ------
    DesignError
        If there are fewer groups than folds, if an arm lies in one group only, or if
        dealing 50 times left some fold without treated or without untreated units.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.folds import make_folds
    >>> village = np.repeat(np.arange(6), 2)
    >>> found = make_folds(village, np.tile([0, 1], 6), folds=3, splits=4, seed=1)
    >>> found.shape, bool((found[:, ::2] == found[:, 1::2]).all())
    ((4, 12), True)
    """
    check_counts(folds, splits)
    names, place = np.unique(group, return_inverse=True)
    _check_groups(len(group), len(names), folds)
    size = np.bincount(place, weights)
    used = np.ones(len(group), bool) if weights is None else weights > 0
    arms = np.stack([np.bincount(place, used & (treatment == w)) for w in (0, 1)])
    _check_arms(arms)
    draw = host_stream(seed, "image folds")
    dealt = [_dealt(size, arms, folds, draw) for _ in range(splits)]
    return np.stack(dealt)[:, place]


def check_counts(folds: object, splits: object) -> None:
    """Raise `DesignError` unless there are 2 folds or more, and 1 split or more."""
    check_whole("folds", folds, 2)
    check_whole("splits", splits, 1)


def _check_groups(units: int, groups: int, folds: int) -> None:
    if groups == 1:
        raise DesignError(
            f"all {units} units are in one group, so none can be judged by rules "
            "learnt without it and no design-based error exists. Units that share an "
            "image_key, copies of an image or a label of cluster= are one group. Where "
            "they are independent, give each an image_key of its own (with clusters=1 "
            "the images may all be the same), or finer labels in cluster=."
        )
    if groups < folds:
        raise DesignError(
            f"{folds} folds need at least as many groups; {units} units are in "
            f"{groups} groups. Ask for at most {groups} folds, or for finer groups."
        )


def _check_arms(arms: np.ndarray) -> None:
    """Refuse an arm that no two folds can hold; counts are ``(arm, group)``."""
    for word, held in zip(("untreated", "treated"), arms, strict=True):
        if (held > 0).sum() == 1:
            count = int(held.sum())
            units = f"unit is {word}" if count == 1 else f"units are {word}"
            raise DesignError(
                f"{count} {units}, in one group; folds that learn and folds that judge "
                "need some each. No number of folds helps: at least 2 groups should "
                f"hold {word} units."
            )


def _dealt(
    size: np.ndarray, arms: np.ndarray, folds: int, draw: np.random.Generator
) -> np.ndarray:
    """Fold of each group; dealt again while an arm is missing somewhere."""
    for _ in range(TRIES):
        fold = _round_robin(size, folds, draw)
        held = np.stack([np.bincount(fold, arm, folds) for arm in arms])
        if held.min() > 0:
            return fold
    untreated, treated = (arms > 0) & (arms[::-1] == 0)
    mixed = (arms > 0).all(axis=0).sum()
    least = int((arms > 0).sum(axis=1).min())
    fewer = f"at most {least}" if 2 <= least < folds else "fewer"
    raise DesignError(
        f"{TRIES} ways to deal {len(size)} groups into {folds} folds all left a fold "
        f"without one arm: {treated.sum()} groups have treated units only, "
        f"{untreated.sum()} untreated only, {mixed} both. Ask for {fewer} folds, or "
        "for finer groups."
    )


def _round_robin(size: np.ndarray, folds: int, draw: np.random.Generator) -> np.ndarray:
    """Deal groups, largest first and by lot among equals, one per fold and round."""
    order = np.lexsort((draw.random(len(size)), -size))
    rounds = -(-len(size) // folds)
    seats = np.argsort(draw.random((rounds, folds)), axis=1).ravel()
    fold = np.empty(len(size), np.int64)
    fold[order] = seats[: len(size)]
    return fold
