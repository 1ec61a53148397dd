"""Clusters have one name in every table, whatever the model orders them by."""

from __future__ import annotations

import numpy as np

import distcausal as dc
from distcausal.images.crossfit import _alike, fold_rules
from distcausal.images.mean_effect import by_effect
from distcausal.images.model import cluster_effects, unpack
from distcausal.images.stages import layout_for

from .cases import UNITS, columns, fit, trial_data


def test_clusters_switched_off_come_last() -> None:
    effects = np.array([[2.0], [1.0], [1.0], [5.0]])
    order = by_effect(effects, np.array([True, True, True, False]))
    assert order.tolist() == [1, 2, 0, 3]
    order = by_effect(effects - 9, np.array([True, True, False, False]))
    assert order.tolist() == [1, 0, 2, 3]


def test_models_of_other_folds_take_the_names_of_the_effects_they_are_like() -> None:
    like = np.array([[0.0, -1.0], [0.0, 1.0]])
    effect = np.array([[[0.1, 0.9], [0.0, -1.1]]] * 2)
    share = np.tile([0.2, 0.8], (2, 4, 1))
    fold = np.array([[0, 0, 1, 1]])
    named, moved = _alike(share, effect, like, fold)
    np.testing.assert_array_equal(moved[:, :, 1], [[-1.1, 0.9]] * 2)
    np.testing.assert_array_equal(named[..., 0], 0.8)


def test_a_hurdle_is_ordered_by_effects_on_the_mean() -> None:
    """Treatment raises only the chance of being off zero, and only in bars."""
    own = columns()
    draw = np.random.default_rng(2)
    chance = np.where((own["w"] == 1) & (own["bar"] == 1), 0.97, 0.1)
    y = np.where(draw.random(UNITS) < chance, 4.0 - 0.8 * own["w"] * own["bar"], 0.0)
    y = y + np.where(y > 0, 0.2 * draw.normal(size=UNITS), 0.0)
    found = fit(trial_data(y=y), family="hurdle")
    effects = found.cluster_effects()
    assert effects["model_estimate"].is_monotonic_increasing
    assert effects["design_estimate"][1] > effects["design_estimate"][0] + 0.5
    member = found.cluster_probabilities().argmax(axis=1)
    assert (member == own["bar"]).mean() > 0.9
    # Coefficients have the clusters the other way round: amounts fall in bars.
    assert found.posterior.order.tolist() == [1, 0]
    layout = layout_for(found.trial, found.model)
    coefficients = unpack(found.fit.draws.mean(axis=0), layout)
    odds = np.asarray(cluster_effects(coefficients, np.ones(2)))[:, 1]
    shares = found.posterior.as_drawn(found.cluster_probabilities())
    assert np.corrcoef(shares @ odds, own["bar"])[0, 1] > 0.8


def test_curves_with_equal_means_keep_their_clusters_apart() -> None:
    """Treatment doubles the spread in one cluster and moves no mean."""
    own = columns()
    draw = np.random.default_rng(3)
    spread = np.where((own["w"] == 1) & (own["bar"] == 1), 2.0, 1.0)
    data = dc.RandomDistributions.from_samples(
        list(spread[:, None] * draw.normal(size=(UNITS, 40))),
        columns={name: own[name] for name in ("image", "w")},
    )
    found = fit(data, outcome=None, splits=4)
    curves = found.curves(draws=99)
    low, high = curves.effect[:, 4], curves.effect[:, 94]
    wide = high - low
    assert abs(np.sort(wide) - [0.0, 3.29]).max() < 0.5
    last = found.scores.fold == found.scores.folds - 1
    same = fold_rules(
        found.trial, layout_for(found.trial, found.model), 2, found.scores.fold, 0
    )
    np.testing.assert_array_equal(found.scores.probs_before[last], same.probs[last])
    model = found.outcome.contrast(found.posterior.effects.mean(axis=0))
    assert (np.argsort(model[:, 94] - model[:, 4]) == np.argsort(wide)).all()
