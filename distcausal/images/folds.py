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

__all__ = ["make_folds"]

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
        If there are fewer groups than folds, or if dealing 50 times left some fold
        without treated or without untreated units.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.folds import make_folds
    >>> village = np.repeat(np.arange(6), 2)
    >>> found = make_folds(village, np.tile([0, 1], 6), folds=3, splits=4, seed=1)
    >>> found.shape, bool((found[:, ::2] == found[:, 1::2]).all())
    ((4, 12), True)
    """
    _check_counts(folds, splits)
    names, place = np.unique(group, return_inverse=True)
    if len(names) < folds:
        raise DesignError(
            f"{folds} folds need at least as many groups; {len(group)} units are in "
            f"{len(names)} groups. Ask for fewer folds, or for finer groups."
        )
    size = np.bincount(place, weights)
    used = np.ones(len(group), bool) if weights is None else weights > 0
    arms = np.stack([np.bincount(place, used & (treatment == w)) for w in (0, 1)])
    draw = host_stream(seed, "image folds")
    dealt = [_dealt(size, arms, folds, draw) for _ in range(splits)]
    return np.stack(dealt)[:, place]


def _check_counts(folds: int, splits: int) -> None:
    for name, value, least in (("folds", folds, 2), ("splits", splits, 1)):
        if isinstance(value, bool) or int(value) != value or value < least:
            raise DesignError(
                f"{name} should be a whole number from {least}; got {value!r}."
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
    mixed = int((arms.min(axis=0) > 0).sum())
    treated, untreated = (int((arms[w] == 0).sum()) for w in (0, 1))
    raise DesignError(
        f"{TRIES} ways to deal {len(size)} groups into {folds} folds all left a fold "
        f"without one arm: {treated} groups have treated units only, {untreated} "
        f"untreated only, {mixed} both. Ask for fewer folds, or for finer groups."
    )


def _round_robin(size: np.ndarray, folds: int, draw: np.random.Generator) -> np.ndarray:
    """Deal groups, largest first and by lot among equals, one per fold and round."""
    order = np.lexsort((draw.random(len(size)), -size))
    rounds = -(-len(size) // folds)
    seats = np.argsort(draw.random((rounds, folds)), axis=1).ravel()
    fold = np.empty(len(size), np.int64)
    fold[order] = seats[: len(size)]
    return fold
