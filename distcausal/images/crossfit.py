"""Every fold's model, all in lanes: what held-out units are judged by.

For each split and fold two models are fitted, one to all other folds and one to the
folds before it; of the last fold they are the same. None has seen an outcome or an arm
of the fold that it predicts, not even through a mean, where the outcome is a number.
The basis in which distributions are written, how much their draws vary by arm, and a
point mass that is not given come from all units; none of it compares means between
arms. The lanes share one compiled scan, in groups small enough for memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed, stream
from distcausal._base.precision import double
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.images.engines import guides, starts
from distcausal.images.mean_effect import by_effect, mean_effects
from distcausal.images.model import Evidence, Lane, Layout, log_membership, unpack
from distcausal.images.svi import Guide, fit_lanes
from distcausal.images.trial import (
    FEATURE_SCALE,
    Trial,
    evidence_of,
    lane_of,
    ridge_direction,
)

__all__ = [
    "Rules",
    "fit_many",
    "fold_rules",
    "held_out",
    "predictions",
    "training_masks",
]

# From a ridge start few steps do as well as many, and better on few units: they stop
# before weights of the memberships have learnt what is chance.
_STEPS = 200
_RATE = 0.05
_MOST_LANES = 8  # the number of restarts of the main fit, with which it shares code
_LANE_NUMBERS = 4_000_000  # units times lanes worked on together


Retrain = Callable[[np.ndarray], np.ndarray]


class Rules(NamedTuple):
    """Held-out predictions of the folds' models.

    Attributes
    ----------
    probs, probs_before
        Membership, ``(split, unit, cluster)``; the second from earlier folds only, NaN
        in fold 0.
    effect, effect_before
        Predicted effect of each unit's image, ``(split, unit)``.
    """

    probs: np.ndarray
    probs_before: np.ndarray
    effect: np.ndarray
    effect_before: np.ndarray


def training_masks(fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which units each fold's two models learn from.

    Parameters
    ----------
    fold
        Shape ``(split, unit)``.

    Returns
    -------
    Masks of the other folds ``(split, fold, unit)`` and of the earlier folds
    ``(split, fold - 2, unit)`` for folds 1 to the last but one.
    """
    folds = int(fold.max()) + 1
    number = np.arange(folds)[None, :, None]
    other = fold[:, None, :] != number
    before = fold[:, None, :] < number[:, 1:-1]
    return other, before


def lanes_at_once(units: int) -> int:
    """How many lanes to fit together: a power of two that fits the memory."""
    most = min(max(_LANE_NUMBERS // units, 1), _MOST_LANES)
    return 1 << (most.bit_length() - 1)


def fit_many(
    trial: Trial,
    layout: Layout,
    weights: np.ndarray,
    clusters: np.ndarray,
    seed: Seed,
    *,
    restarts: int = 1,
) -> tuple[Guide, Lane, np.ndarray]:
    """Fit one model per row of weights.

    Parameters
    ----------
    trial, layout
        Trial and static shapes.
    weights
        Weights of the units in every fit, ``(fit, unit)``.
    clusters
        Number of clusters of every fit, ``(fit,)``.
    seed
        Whole number or JAX key.
    restarts
        Starts per fit, of which the best is kept.

    Returns
    -------
    Guides and lanes with a leading axis of fits, and the bounds reached, ``(fit,)``.
    """
    evidence = evidence_of(trial, layout)
    lanes, first = [], []
    for row, count in zip(weights, clusters, strict=True):
        lane = lane_of(trial, row, int(count), layout)
        way = ridge_direction(trial, row)
        lanes += [lane] * restarts
        first.append(starts(way, lane, layout, restarts, seed))
    each = jax.tree.map(lambda *part: np.stack(part), *lanes)
    begin = guides(np.concatenate(first), 0, seed)
    guide, bound = _in_groups(evidence, begin, each, layout, seed)
    bound = bound.reshape(-1, restarts)
    best = np.arange(len(bound)) * restarts + bound.argmax(axis=1)
    guide, each = jax.tree.map(lambda part: part[best], (guide, each))
    return guide, each, bound.max(axis=1)


def _in_groups(
    evidence: Evidence, begin: Guide, each: Lane, layout: Layout, seed: Seed
) -> tuple[Guide, np.ndarray]:
    """Guides and bounds of all lanes, a fixed number of them at a time."""
    count = len(begin.loc)
    group = lanes_at_once(len(evidence.outcome))
    parts = []
    for start in range(0, count, group):
        place = np.arange(start, start + group) % count
        own = jax.tree.map(lambda part, at=place: part[at], (begin, each))
        # The same key in every lane: fits of the same weights are the same fit.
        keys = jax.random.split(stream(seed, "folds"), 1)
        guide, course = double(fit_lanes)(
            own[0],
            keys[np.zeros(group, int)],
            evidence,
            own[1],
            layout=layout,
            steps=_STEPS,
            rate=_RATE,
        )
        parts.append((guide, course[-_STEPS // 10 :].mean(axis=0)))
    return jax.tree.map(lambda *part: np.concatenate(part)[:count], *parts)


def fold_rules(
    trial: Trial,
    layout: Layout,
    clusters: int,
    fold: np.ndarray,
    seed: Seed,
    *,
    retrain: Retrain | None = None,
    like: np.ndarray | None = None,
) -> Rules:
    """Fit the models of all folds and predict the units they have not seen.

    Parameters
    ----------
    trial, layout, clusters
        What is fitted.
    fold
        Shape ``(split, unit)``.
    seed
        Whole number or JAX key.
    retrain
        For an encoder that learns from outcomes: gives the features of all images from
        the units of the weights handed to it, ``(unit,)``.
    like
        Effects of the clusters of a fit to all units, ``(cluster, outcome)``, to name
        clusters alike where their effects on the mean may be tied, as of distributions;
        else they are named by the order of those effects. Names of clusters learnt on
        earlier folds are not touched: tests on them do not depend on names.
    """
    other, before = training_masks(fold)
    masks = np.concatenate([other, before], axis=1).reshape(-1, fold.shape[1])
    weights = masks * trial.weights
    if retrain is None:
        share, effect = _all_predictions(trial, layout, clusters, weights, seed)
    else:
        share, effect = _retrained(trial, layout, clusters, weights, seed, retrain)
    rules = held_out(share, effect[..., 0], trial.image, fold)
    if like is None:
        return rules
    # The model of the last fold serves both ways: names that all units gave it must not
    # reach what is learnt on earlier folds alone.
    share, effect = _alike(share, effect, like, fold)
    named = held_out(share, effect[..., 0], trial.image, fold)
    return rules._replace(probs=named.probs)


def _alike(
    share: np.ndarray, effect: np.ndarray, like: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of models of all other folds in the order of those they are most like.

    The likeness is the least sum of squared distances between effects, one to one.
    """
    from scipy.optimize import linear_sum_assignment

    folds = int(fold.max()) + 1
    each = len(share) // len(fold)
    share, effect = share.copy(), effect.copy()
    for model in np.flatnonzero(np.arange(len(share)) % each < folds):
        apart = np.sum((like[:, None] - effect[model][None]) ** 2, axis=-1)
        order = linear_sum_assignment(apart)[1]
        share[model], effect[model] = share[model][:, order], effect[model][order]
    return share, effect


def held_out(
    share: np.ndarray, effect: np.ndarray, image: np.ndarray, fold: np.ndarray
) -> Rules:
    """For each unit what the models say that have not learnt from its fold.

    Parameters
    ----------
    share, effect
        Memberships ``(model, image, cluster)`` and effects ``(model, cluster)``. Models
        of a split come as 0, ..., folds - 1 from all other folds, then those from the
        folds before 1, ..., folds - 2.
    image
        Position of each unit's image.
    fold
        Shape ``(split, unit)``.
    """
    splits, folds = len(fold), int(fold.max()) + 1
    value = np.einsum("mik,mk->mi", share, effect).reshape(splits, -1, share.shape[1])
    share = share.reshape(splits, -1, *share.shape[1:])
    split = np.arange(splits)[:, None]
    # From the folds before the last one is from all folds but the last one.
    earlier = np.where(fold == folds - 1, folds - 1, folds + fold - 1)
    first = fold == 0
    place = np.where(first, 0, earlier)
    return Rules(
        probs=share[split, fold, image],
        probs_before=np.where(first[..., None], np.nan, share[split, place, image]),
        effect=value[split, fold, image],
        effect_before=np.where(first, np.nan, value[split, place, image]),
    )


def _all_predictions(
    trial: Trial, layout: Layout, clusters: int, weights: np.ndarray, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Membership ``(fit, image, cluster)``, effects ``(fit, cluster, outcome)``."""
    counts = np.full(len(weights), clusters)
    guide, each, _ = fit_many(trial, layout, weights, counts, seed)
    return predictions(trial, layout, guide.loc, each)


def _retrained(
    trial: Trial,
    layout: Layout,
    clusters: int,
    weights: np.ndarray,
    seed: Seed,
    retrain: Retrain,
) -> tuple[np.ndarray, np.ndarray]:
    """The same, each fit on features learnt from its own units."""
    parts = []
    for row in weights:
        own = trial.with_features(retrain(row))
        parts.append(_all_predictions(own, layout, clusters, row[None], seed))
    share, effect = zip(*parts, strict=True)
    return np.concatenate(share), np.concatenate(effect)


def predictions(
    trial: Trial, layout: Layout, loc: np.ndarray, each: Lane
) -> tuple[np.ndarray, np.ndarray]:
    """Membership of all images and effects of clusters at the centres of guides.

    Returns
    -------
    Shapes ``(fit, image, cluster)`` and ``(fit, cluster, outcome)``, the latter effects
    on the mean in outcome units. Clusters come in increasing order of that on the first
    outcome, those switched off last.
    """
    evidence = evidence_of(trial, layout)
    features = pad_rows(FEATURE_SCALE * trial.features, size_class(len(trial.features)))
    share, effect = [], []
    for start in range(len(loc)):
        lane = jax.tree.map(lambda part, at=start: part[at], each)
        own = double(_predicted)(loc[start], evidence, features, lane, layout=layout)
        order = by_effect(own[1], lane.active)
        share.append(own[0][: len(trial.features), order])
        effect.append(own[1][order])
    return np.stack(share), np.stack(effect)


@partial(jax.jit, static_argnames="layout")
def _predicted(
    loc: Array, evidence: Evidence, features: Array, lane: Lane, *, layout: Layout
) -> tuple[Array, Array]:
    """Membership and effects on the mean of one fit."""
    params = unpack(loc, layout)
    share = jnp.exp(log_membership(params, features, lane))
    return share, mean_effects(params, evidence, lane, layout)
