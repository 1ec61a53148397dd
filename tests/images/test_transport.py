"""Effects elsewhere: bounded, in blocks, and never extrapolated in silence."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DataError, DesignError, KeyError_
from distcausal.images import novelty as distances
from distcausal.images import posterior as draws
from distcausal.images.features import features as encode
from distcausal.images.novelty import novelty, tilt
from distcausal.images.scores import example_scores
from distcausal.images.transport import (
    example_trial,
    transport,
    transport_features,
)
from distcausal.images.transported import Transport

SEEDS = st.integers(0, 2**32 - 1)
POSTERIOR, TRIAL = example_trial()
SCORES = example_scores(gap=1.0, units=300)


def region(seed, count=50, shift=0.0):
    moved_by = np.array([shift, 0.0])
    return np.random.default_rng(seed).normal(size=(count, 2)) + moved_by


def moved(features, **options):
    return transport_features(POSTERIOR, TRIAL, features, **options)


@pytest.mark.filterwarnings("ignore:.*are less like")
@given(SEEDS)
def test_effects_lie_between_those_of_the_clusters(seed):
    found = moved(region(seed))
    low, high = POSTERIOR.effects[..., 0].min(), POSTERIOR.effects[..., 0].max()
    for values in (found.mean, found.conf_low, found.conf_high, found.average_draws):
        assert ((values >= low) & (values <= high)).all()
    assert_allclose(found.probabilities.sum(axis=1), 1)
    assert (found.conf_low <= found.conf_high).all()
    assert ((found.entropy >= 0) & (found.entropy <= 1)).all()


@pytest.mark.filterwarnings("ignore:.*are less like")
@given(SEEDS)
def test_order_of_the_images_does_not_matter(seed):
    features = region(seed)
    order = np.random.default_rng(seed).permutation(50)
    one, two = moved(features, seed=3), moved(features[order], seed=3)
    assert_allclose(two.mean, one.mean[order])
    assert_array_equal(two.flagged, one.flagged[order])
    assert_allclose(two.average_draws, one.average_draws)


def test_blocks_of_images_do_not_show(monkeypatch):
    features = region(0, 500)
    whole = moved(features)
    monkeypatch.setattr(draws, "_BLOCK", 100 * 2 * 7)
    monkeypatch.setattr(distances, "_BLOCK", 300 * 7)
    parts = moved(features)
    for name in ("mean", "std", "conf_low", "spread", "novelty", "average_draws"):
        assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12)


def test_the_trials_own_images_have_the_effects_of_the_posterior():
    found = moved(TRIAL.features, confidence=0.8)
    effect = POSTERIOR.cate(TRIAL.features)
    assert_allclose(found.mean, effect.mean(axis=0))
    assert_allclose(found.std, effect.std(axis=0))
    assert_allclose(found.conf_high, np.quantile(effect, 0.9, axis=0))
    assert_allclose(found.average_draws, effect.mean(axis=1))


def test_two_uncertainties_are_told_apart():
    found = moved(np.array([[2.0, 0.0], [0.0, 0.0]]))
    # At the line the cluster is open, though the parameters are known there.
    assert found.spread[1] > 0.4 > 0.1 > found.spread[0]
    assert found.entropy[1] > 0.9 > 0.1 > found.entropy[0]
    assert (found.std < 0.1).all()


@given(SEEDS, st.sampled_from(["knn", "mahalanobis"]))
@settings(max_examples=10)
def test_novelty_of_images_like_the_trials_is_uniform(seed, rule):
    rng = np.random.default_rng(seed)
    seen, new = rng.normal(size=(400, 5)), rng.normal(size=(400, 5))
    found = novelty(seen, new, rule=rule)
    # Kolmogorov's distance of two samples of 400 exceeds 0.15 once in 4,000 times.
    grid = np.arange(1, 20) / 20
    assert np.abs((found[:, None] <= grid).mean(axis=0) - grid).max() < 0.15
    assert (novelty(seen, new + 20, rule=rule) == 1).all()


def test_an_image_as_far_as_all_others_is_not_novel():
    corners = np.eye(15)
    assert novelty(corners[:-1], corners[-1:])[0] == 0.0


def test_large_trials_are_represented_by_a_lot(monkeypatch):
    rng = np.random.default_rng(0)
    seen, new = rng.normal(size=(1000, 3)), rng.normal(size=(300, 3))
    whole = novelty(seen, new)
    monkeypatch.setattr(distances, "_REFERENCE", 400)
    lot = novelty(seen, new, seed=1)
    assert not np.array_equal(whole, lot)
    assert np.corrcoef(whole, lot)[0, 1] > 0.9


def test_leaving_one_out_is_what_the_formula_says():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3))
    known, _ = distances._mahalanobis(rows, rows[:1])
    for one in range(30):
        rest = np.delete(rows, one, axis=0)
        gap = rows[one] - rest.mean(axis=0)
        square = gap @ np.linalg.solve(np.cov(rest.T), gap)
        assert_allclose(known[one], square, rtol=1e-9)


def test_features_without_spread_do_not_disturb():
    rng = np.random.default_rng(2)
    rows = np.column_stack([rng.normal(size=(50, 2)), np.full(50, 3.0)])
    asked = rng.normal(size=(9, 2))
    full = np.column_stack([asked, np.full(9, 3.0)])
    for rule in ("knn", "mahalanobis"):
        assert_allclose(
            novelty(rows, full, rule=rule), novelty(rows[:, :2], asked, rule=rule)
        )
    assert_allclose(
        tilt(rows, np.ones(50), full.mean(axis=0)).factor,
        tilt(rows[:, :2], np.ones(50), asked.mean(axis=0)).factor,
        rtol=0.1,  # the penalty counts the features that vary
    )


@given(SEEDS, st.sampled_from([0.0, 0.4]))
def test_weights_bring_the_averages_to_the_region(seed, shift):
    rng = np.random.default_rng(seed)
    seen, weights = rng.normal(size=(300, 4)), rng.uniform(0.5, 2, 300)
    goal = shift * np.ones(4)
    found = tilt(seen, weights, goal)
    mass = weights * found.factor
    assert_allclose(mass.sum(), weights.sum())
    assert (found.factor > 0).all()
    gap = np.abs(mass @ seen / mass.sum() - goal) / seen.std(axis=0)
    assert_allclose(gap.max(), found.imbalance, rtol=0.05)
    assert found.imbalance < 0.02


@given(SEEDS)
def test_a_region_like_the_trial_needs_no_weights(seed):
    rng = np.random.default_rng(seed)
    seen, weights = rng.normal(size=(60, 3)), rng.uniform(0.5, 2, 60)
    found = tilt(seen, weights, weights @ seen / weights.sum())
    assert_allclose(found.factor, 1, atol=1e-9)


@given(SEEDS)
def test_splitting_an_image_into_halves_changes_no_weight(seed):
    rng = np.random.default_rng(seed)
    seen, weights = rng.normal(size=(60, 3)), rng.uniform(0.5, 2, 60)
    twice = np.concatenate([[0], np.arange(60)])
    halves = weights[twice] / np.where(np.arange(61) < 2, 2, 1)
    one = tilt(seen, weights, np.full(3, 0.3)).factor
    # The penalty counts images.
    assert_allclose(
        tilt(seen[twice], halves, np.full(3, 0.3)).factor[1:], one, rtol=0.1
    )


def test_the_reweighted_average_of_the_trial_itself_is_the_average_effect():
    from distcausal.images.aipw import design_effects

    found = moved(TRIAL.features, scores=SCORES)
    ate = design_effects(SCORES).ate
    assert_allclose(found.reweighted.estimate, ate.estimate, atol=1e-9)
    assert_allclose(found.reweighted.std_error, ate.std_error, atol=1e-9)
    assert_allclose(found.effective, 300)
    there = moved(region(0, 400, shift=0.5), scores=SCORES)
    assert there.effective < 280
    assert list(there.tidy()["term"])[-1] == "average, design, not flagged"


def test_the_reweighted_average_is_one_of_scores_by_tilted_weights():
    features = region(0, 400, shift=0.5)
    found = moved(features, scores=SCORES)
    inside = features[~found.flagged].mean(axis=0)
    factor = tilt(TRIAL.features, np.ones(300), inside).factor
    score = SCORES.score[..., 0].mean(axis=0)
    assert_allclose(found.reweighted.estimate, np.average(score, weights=factor))
    left = factor * (score - found.reweighted.estimate) / factor.sum()
    assert_allclose(found.reweighted.std_error, np.sqrt((left**2).sum()), rtol=0.01)
    assert_allclose(found.effective, factor.sum() ** 2 / (factor**2).sum())
    assert_allclose(found.overlap, factor)


@pytest.mark.filterwarnings("ignore:.*are less like")
def test_averages_weigh_images_as_told_with_and_without_the_flagged():
    features = np.concatenate([region(1), [[30.0, 0.0]] * 10])
    weights = np.random.default_rng(0).uniform(size=60)
    found = moved(features, weights=weights)
    effect = POSTERIOR.cate(features)
    kept = ~found.flagged
    assert_allclose(found.average_draws, effect @ weights / weights.sum())
    assert_allclose(
        found.inside_draws, effect[:, kept] @ weights[kept] / weights[kept].sum()
    )


def test_far_images_are_flagged_and_said_aloud():
    features = np.concatenate([region(1), [[30.0, 0.0]] * 10])
    with pytest.warns(dc.InferenceWarning, match="of 60 images are less like"):
        found = moved(features)
    assert found.flagged[50:].all()
    assert found.flagged_share >= 1 / 6
    assert "average, model, not flagged" in set(found.tidy()["term"])
    assert found.inside_draws.mean() < found.average


@pytest.mark.filterwarnings("ignore:.*are less like")
def test_a_region_beyond_the_trial_says_how_few_units_carry_it():
    with pytest.warns(dc.InferenceWarning, match="300 units count as"):
        found = moved(region(1, shift=4.0), scores=SCORES)
    assert found.effective < 30
    assert found.flagged.mean() < 1
    assert np.isfinite(found.tidy()["estimate"]).all()
    with pytest.warns(dc.InferenceWarning, match=r"50 of 50 images.*Ask about places"):
        beyond = moved(region(1, shift=6.0), scores=SCORES)
    assert beyond.imbalance > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": np.zeros((3, 5))}, r"shape \(image, 2\)"),
        ({"coords": np.zeros((2, 2))}, r"3 images.*\(2, 2\), not \(3, 2\).* order"),
        ({"coords": "lonlat"}, r"3 images, but are not numbers: 'lonlat'.*frame\[\["),
        ({"coords": [["1", "2"]] * 3}, r"not numbers: .*give the columns"),
        ({"coords": np.array([["1", 2]] * 3, object)}, "not numbers"),
        ({"coords": [[0, 1], [0, 1], [0]]}, r"not numbers: .*give the columns"),
        ({"coords": np.full((3, 2), np.datetime64("2020"))}, "not numbers"),
        ({"weights": [1.0, -1.0, 1.0]}, "nonnegative"),
        ({"keys": ["a"]}, "3 images"),
        ({"threshold": 2.0}, "threshold"),
        ({"rule": "far"}, "'knn', 'mahalanobis'"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_bad_arguments_are_named(options, message):
    given = {"features": np.zeros((3, 2))} | options
    with pytest.raises((DataError, DesignError), match=message):
        moved(given.pop("features"), **given)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_images_without_a_place_are_counted_and_named(hole):
    places = np.zeros((4, 2))
    places[[1, 3], [0, 1]] = hole
    said = r"two numbers for each of the 4 images; 2 of 4 .*\(b, d\)\. .*coords= out"
    with pytest.raises(DataError, match=said):
        moved(region(0, 4), coords=places, keys=list("abcd"))


@pytest.mark.parametrize("weights", [None, [0.0, 0.0, 1.0, 1.0]])
@pytest.mark.filterwarnings("ignore:.*are less like")
def test_no_average_is_named_after_images_that_there_are_none_of(weights):
    features = np.full((4, 2), 1.5)  # many of the trial's units stand for these
    if weights is not None:
        features[:2] = 0.0  # like the trial's, of no weight
    found = moved(features, scores=SCORES, weights=weights, threshold=0.5)
    assert found.flagged_share == 1
    assert found.flagged.all() == (weights is None)
    assert found.reweighted is None
    assert found.inside_draws is None
    assert list(found.tidy()["term"]) == ["average, model"]
    assert np.isfinite(found.tidy()["estimate"]).all()
    notes = " ".join(found.summary().notes)
    assert "All images that have weight are flagged" in notes
    assert "the one by design" not in notes


def test_images_are_encoded_by_key_and_checked_for_scale():
    rng = np.random.default_rng(0)
    source = dc.ArraySource(rng.normal(size=(300, 4, 4)))
    encoder = dc.PCA(size=2).fit(source)
    from dataclasses import replace

    trial = replace(TRIAL, features=encode(encoder, source))
    found = transport(POSTERIOR, encoder, trial, source, keys=[5, 2])
    assert_array_equal(found.keys, [5, 2])
    assert_allclose(found.mean, POSTERIOR.cate(trial.features[[5, 2]]).mean(axis=0))
    with pytest.raises(DataError, match="on the scale of the training images"):
        transport(POSTERIOR, encoder, trial, 255 * rng.normal(size=(9, 4, 4)))
    with pytest.raises(KeyError_):
        transport(POSTERIOR, encoder, trial, source, keys=[999])


def test_frames_tables_and_json_hold_what_the_object_does():
    places = np.random.default_rng(0).normal(size=(50, 2))
    found = moved(region(0), coords=places, scores=SCORES, keys=np.arange(50) + 7)
    frame = found.to_frame()
    assert list(frame["key"][:2]) == [7, 8]
    assert_allclose(frame[["x", "y"]], places)
    assert_allclose(frame["weight"].sum(), 1)
    assert Transport.from_json(found.to_json()) == found
    text = found.summary().as_text()
    assert "Effective units" in text
    assert "average, design, not flagged" in text
    assert found.glance().loc[0, "images"] == 50


@pytest.mark.filterwarnings("ignore:.*are less like")
def test_maps_are_points_or_rasters_and_leave_flagged_images_out_of_the_colours():
    x, y = np.meshgrid(np.linspace(-1, 1, 12), np.linspace(0, 1, 8))
    coords = np.column_stack([x.ravel(), y.ravel()])
    features = np.column_stack([2 * x.ravel(), y.ravel()])
    features[:9] = 40.0
    raster = moved(features, coords=coords).plot()
    (mesh,) = [one for one in raster.collections if hasattr(one, "get_coordinates")]
    assert np.isnan(np.ma.filled(mesh.get_array(), np.nan)).sum() >= 9
    (said,) = raster.get_legend().get_texts()
    assert said.get_text().startswith("Unlike images of the trial")
    raster.figure.canvas.draw()
    (bar,) = raster.child_axes
    heights = [part.get_window_extent().height for part in (bar, raster)]
    assert heights[0] == pytest.approx(heights[1])
    points = moved(features[:-1], coords=coords[:-1]).plot()
    assert len(points.collections) == 2
    assert moved(features).plot().get_xlabel().startswith("Effect")
    plt.close("all")
