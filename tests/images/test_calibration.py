"""The calibration line is a regression; its tests and its interval agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DesignError
from distcausal.images.calibration import calibration
from distcausal.images.scores import example_scores
from distcausal.images.sequential import combined, statistics
from tests.images.test_homogeneity import linear_trial
from tests.oracles import images as oracle

seeds = st.integers(0, 60)


@given(seeds)
def test_the_line_is_a_regression_on_deviations_within_folds(seed):
    scores = oracle.random_scores(seed, gap=0.5)
    found = calibration(scores)
    dummies = np.concatenate(
        [
            np.eye(3)[label] @ np.eye(9)[3 * s : 3 * s + 3]
            for s, label in enumerate(scores.fold)
        ]
    )
    rows = np.column_stack([scores.effect.ravel(), dummies])
    root = np.sqrt(np.tile(scores.weights, 3))[:, None]
    coef = np.linalg.lstsq(root * rows, root[:, 0] * scores.score.ravel(), rcond=None)[
        0
    ]
    assert np.isclose(found.slope, coef[0])


@given(seeds)
def test_recalibrated_effects_average_to_the_average_effect(seed):
    scores = oracle.random_scores(seed, gap=0.5)
    found = calibration(scores)
    new = np.average(
        found.recalibrated(scores.effect).mean(axis=0), weights=scores.weights
    )
    old = np.average(scores.score[..., 0].mean(axis=0), weights=scores.weights)
    assert np.isclose(new, old)


@given(seeds, st.sampled_from([0.8, 0.95]))
def test_the_interval_is_what_the_test_does_not_reject(seed, confidence):
    scores = oracle.random_scores(seed, units=120, gap=0.5)
    found = calibration(scores, confidence=confidence)
    for end in (found.conf_low, found.conf_high):
        scaled = scores._replace(effect_before=end * scores.effect_before)
        assert np.isclose(calibration(scaled).p_one, 1 - confidence, atol=1e-6)
    assert found.conf_low < found.tested_slope < found.conf_high
    centre = scores._replace(effect_before=found.tested_slope * scores.effect_before)
    assert np.isclose(calibration(centre).p_one, 1, atol=1e-6)


@given(seeds)
def test_the_slope_is_tested_as_any_column_is(seed):
    scores = oracle.random_scores(seed, gap=0.3, per_group=2)

    def predicted(split, inside):
        return scores.effect_before[split, inside, None]

    for slope, name, way in ((0, "p_zero", "greater"), (1, "p_one", "two-sided")):
        plain = statistics(
            scores,
            predicted,
            lambda s, i, at=slope: scores.score_before[s, i] - at * predicted(s, i),
        )
        for combine in ("mean", "median"):
            found = getattr(calibration(scores, combine=combine), name)
            expected = combined(plain, way, combine).p_value
            assert np.isclose(found, expected, rtol=1e-6)


@given(seeds, st.sampled_from([1e-4, 2.0, 1e4]))
def test_slopes_follow_the_units_of_scores_and_predictions(seed, scale):
    scores = oracle.random_scores(seed, gap=0.5)
    one = calibration(scores)
    two = calibration(
        scores._replace(
            score=scale * scores.score + 1, score_before=scale * scores.score_before + 1
        )
    )
    three = calibration(
        scores._replace(
            effect=scale * scores.effect - 2,
            effect_before=scale * scores.effect_before - 2,
        )
    )
    for name in ("slope", "tested_slope", "conf_low", "conf_high"):
        assert np.isclose(getattr(two, name), scale * getattr(one, name), rtol=1e-6)
        assert np.isclose(getattr(three, name) * scale, getattr(one, name), rtol=1e-5)
    assert np.isclose(two.p_zero, one.p_zero)
    assert np.isclose(three.p_zero, one.p_zero)


@given(seeds)
def test_order_and_halves_of_units_are_of_no_account(seed):
    scores = oracle.random_scores(seed, gap=0.5, per_group=2)
    one = calibration(scores)
    order = np.random.default_rng(seed).permutation(len(scores.weights))
    for other in (oracle.taken(scores, order), oracle.halved(scores, 7)):
        two = calibration(other)
        for name in ("slope", "intercept", "conf_low", "p_zero", "p_one", "covariance"):
            assert np.allclose(getattr(two, name), getattr(one, name), rtol=1e-6)


@given(seeds)
def test_the_tests_use_rules_of_earlier_folds_and_the_line_all(seed):
    scores = oracle.random_scores(seed, gap=0.5)
    one = calibration(scores)
    two = calibration(scores._replace(effect=-scores.effect))
    three = calibration(scores._replace(effect_before=-scores.effect_before))
    assert (two.p_zero, two.p_one, two.conf_low) == (
        one.p_zero,
        one.p_one,
        one.conf_low,
    )
    assert three.slope == one.slope
    assert np.isclose(two.slope, -one.slope)
    assert np.isclose(three.tested_slope, -one.tested_slope)


def test_tests_of_the_slope_hold_their_size_where_nothing_varies():
    found = [calibration(linear_trial(seed, 0.0, 200)) for seed in range(150)]
    assert np.mean([line.p_zero <= 0.05 for line in found]) <= 0.07
    ordinary = [line.slope / np.sqrt(line.covariance[1, 1]) for line in found]
    # What the fitted line's own error would announce, two-sided.
    assert np.mean(np.abs(ordinary) > 1.96) > 0.08


def test_calibrated_predictions_pass_and_doubled_ones_do_not():
    rejected = {1.0: 0, 2.0: 0}
    for seed in range(100):
        draw = np.random.default_rng(seed)
        base = oracle.random_scores(seed, units=300)
        truth = draw.normal(size=300)
        score = (truth + 2 * draw.normal(size=300))[None, :, None]
        value = np.repeat(score, 3, axis=0)
        for scale in rejected:
            told = np.repeat(scale * truth[None], 3, axis=0)
            scores = base._replace(
                effect=told, effect_before=told, score=value, score_before=value
            )
            rejected[scale] += calibration(scores).p_one <= 0.05
    # The rule is the same in every fold: the standard error of 5 % in 100 is 0.022.
    assert rejected[1.0] <= 11
    assert rejected[2.0] >= 80


def test_predictions_that_do_not_vary_say_nothing_and_are_said_to():
    scores = example_scores(gap=1.0)
    flat = np.full_like(scores.effect, 0.3)
    found = calibration(scores._replace(effect=flat, effect_before=flat))
    assert (found.slope, found.p_zero, found.p_one) == (0.0, 1.0, 1.0)
    assert (found.used, found.missing) == (0, 9)
    assert "not estimated" in str(found)
    assert np.isclose(found.intercept, np.mean(scores.score))


def test_fifths_hold_a_fifth_each_and_rise_where_effects_do():
    found = calibration(example_scores(gap=2.0, units=1000))
    frame = found.plot_data()
    assert np.allclose(frame["share"], 0.2)
    assert (np.diff(frame["predicted"]) > 0).all()
    assert frame["score"].iloc[-1] - frame["score"].iloc[0] > 1.5


def test_fifths_of_like_predictions_are_joined():
    scores = example_scores(gap=2.0, units=1000)
    sure = (scores.effect > np.median(scores.effect)).astype(float)
    sure += 1e-3 * np.random.default_rng(0).random(sure.shape)
    frame = calibration(scores._replace(effect=sure)).plot_data()
    assert (np.diff(frame["predicted"]) > 0.02).all()
    assert len(frame) < 5
    assert np.isclose(frame["share"].sum(), 1.0)


def test_several_outcomes_are_refused():
    with pytest.raises(DesignError, match="needs a scalar outcome; this one has 2"):
        calibration(oracle.random_scores(0, outcomes=2))


def test_the_result_prints_and_travels():
    found = calibration(example_scores(gap=1.0))
    assert list(found.tidy()["term"]) == ["intercept", "slope", "tested slope"]
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert "slope 1 (calibrated)" in str(found)
