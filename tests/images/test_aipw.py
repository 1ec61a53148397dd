"""Scores are doubly robust, and cluster effects add up to the average effect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.images.aipw import aipw_scores, assigned, design_effects, influence
from distcausal.images.scores import check_scores
from tests.oracles import images as oracle

seeds = st.integers(0, 60)
assigns = st.sampled_from(["argmax", "soft"])
clusters = st.sampled_from([1, 2, 4])


def arrays(seed: int, units: int = 4000):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=units)
    chance = 1 / (1 + np.exp(-x))
    arm = (draw.uniform(size=units) < chance).astype(int)
    truth = np.stack([x, x + 1 + 0.5 * x])[..., None]
    outcome = truth[arm, np.arange(units)] + draw.normal(size=(units, 1))
    return outcome, arm, truth[:, None], chance[None]


@pytest.mark.parametrize("wrong", ["regression", "propensity", "both"])
def test_the_mean_score_is_right_if_one_of_two_models_is(wrong):
    outcome, arm, expected, chance = arrays(0, 40_000)
    if wrong != "propensity":
        expected = np.zeros_like(expected)
    if wrong != "regression":
        chance = np.full_like(chance, 0.5)
    found = aipw_scores(outcome, arm, expected, chance)
    error = found.std() / 200
    far = abs(found.mean() - 1) > 4 * error
    assert far == (wrong == "both")


@given(seeds)
def test_flipping_the_treatment_negates_scores(seed):
    outcome, arm, expected, chance = arrays(seed, 50)
    one = aipw_scores(outcome, arm, expected, chance)
    two = aipw_scores(outcome, 1 - arm, expected[::-1], 1 - chance)
    assert np.allclose(one, -two, atol=1e-12)


@given(seeds, clusters, assigns)
def test_effects_weighted_by_shares_are_the_average_effect(seed, count, assign):
    scores = oracle.random_scores(seed, clusters=count, outcomes=2)
    found = design_effects(scores, assign=assign)
    there = found.share > 0
    total = found.share[there] @ found.estimate[there]
    assert np.allclose(total, found.average, rtol=1e-10, atol=1e-10)
    assert np.isclose(found.share.sum(), 1)


@given(seeds, clusters, assigns)
def test_effects_and_errors_are_those_of_loops(seed, count, assign):
    scores = oracle.random_scores(seed, clusters=count, per_group=3)
    found = design_effects(scores, assign=assign)
    share, means = oracle.cluster_means(scores, assign)
    assert np.allclose(found.share, share)
    assert np.allclose([*found.estimate[:, 0], found.ate.estimate], means)
    member = assigned(scores.probs, assign)
    used = (scores.score[..., 0], scores.weights, scores.group)
    errors = [oracle.mean_error(member[..., k], *used) for k in range(count)]
    assert np.allclose(found.std_error[:, 0], errors)
    ones = np.ones(scores.fold.shape)
    assert np.isclose(found.ate.std_error, oracle.mean_error(ones, *used))


@given(seeds, assigns)
def test_order_and_halves_of_units_are_of_no_account(seed, assign):
    scores = oracle.random_scores(seed, per_group=2)
    order = np.random.default_rng(seed).permutation(len(scores.weights))
    one = design_effects(scores, assign=assign)
    for other in (oracle.taken(scores, order), oracle.halved(scores, 7)):
        two = design_effects(other, assign=assign)
        for name in ("share", "estimate", "covariance", "df", "by_split"):
            got, expected = getattr(two, name), getattr(one, name)
            assert np.allclose(got, expected, atol=1e-12, equal_nan=True)


@given(seeds, st.sampled_from([-2.0, 1e-6, 1e6]), st.sampled_from([0.0, 5.0]))
def test_effects_follow_unit_and_origin_of_scores(seed, scale, shift):
    scores = oracle.random_scores(seed)
    other = scores._replace(score=scale * scores.score + shift)
    one, two = design_effects(scores), design_effects(other)
    assert np.allclose(two.estimate, scale * one.estimate + shift)
    assert np.allclose(two.std_error, abs(scale) * one.std_error)


@given(seeds)
def test_one_cluster_is_the_average_effect(seed):
    found = design_effects(oracle.random_scores(seed, clusters=1))
    assert np.allclose(found.estimate[0], found.average)
    assert np.allclose(found.std_error[0], found.ate.std_error)


@given(seeds)
def test_certain_members_count_alike_hard_and_soft(seed):
    scores = oracle.random_scores(seed)
    certain = scores._replace(probs=assigned(scores.probs, "argmax"))
    hard, soft = (design_effects(certain, assign=a) for a in ("argmax", "soft"))
    assert np.allclose(hard.covariance, soft.covariance)


def test_equal_probabilities_go_to_the_cluster_with_the_smaller_effect():
    assert assigned(np.full((1, 3), 1 / 3), "argmax").tolist() == [[1, 0, 0]]


def test_units_of_a_group_that_err_together_widen_the_error():
    scores = oracle.random_scores(3, units=200, per_group=5)
    shared = np.random.default_rng(0).normal(size=40)[scores.group]
    scores = scores._replace(score=scores.score + 2 * shared[None, :, None])
    apart = scores._replace(group=np.arange(200))
    ratio = design_effects(scores).ate.std_error / design_effects(apart).ate.std_error
    assert ratio > 1.5


def test_intervals_of_given_clusters_cover():
    covered = []
    for seed in range(200):
        scores = oracle.random_scores(seed, units=80, splits=1, gap=0.5)
        # Members fixed beforehand: the truth is the effect of a side of a line.
        side = np.tile([0, 1], 40)
        probs = np.eye(2)[np.tile(side, (1, 1))]
        draw = np.random.default_rng(1000 + seed)
        score = side[None, :, None] + draw.normal(size=(1, 80, 1))
        low, high = design_effects(scores._replace(probs=probs, score=score)).conf_int()
        covered.append((low[:, 0] <= [0, 1]) & (high[:, 0] >= [0, 1]))
    # 400 intervals: four standard errors are 0.044.
    assert abs(np.mean(covered) - 0.95) < 0.044


def test_a_cluster_that_nobody_is_assigned_to_is_said_to_have_collapsed():
    scores = oracle.random_scores(5, clusters=3)
    probs = scores.probs.copy()
    probs[..., 2] = 0
    with pytest.warns(InferenceWarning, match="collapsed: cluster 3 of 3"):
        found = design_effects(scores._replace(probs=probs))
    assert found.collapsed.tolist() == [False, False, True]
    assert "not estimated" in str(found)
    assert np.isfinite(found.estimate[:2]).all()
    assert "nan" not in str(found)


def test_a_cluster_of_one_group_is_not_given_an_error_of_zero():
    scores = oracle.random_scores(6, splits=1)
    probs = np.tile([1.0, 0.0], (1, 60, 1))
    probs[0, 8] = [0, 1]
    with pytest.warns(InferenceWarning, match="collapsed"):
        found = design_effects(scores._replace(probs=probs))
    assert np.isnan(found.std_error[1, 0])


@given(seeds)
def test_splits_on_their_own_give_median_and_spread(seed):
    scores = oracle.random_scores(seed)
    found = design_effects(scores)
    each = []
    for split in range(3):
        parts = [part[split : split + 1] for part in scores[:7]]
        each.append(design_effects(scores._make([*parts, *scores[7:]])).estimate)
    assert np.allclose(found.median, np.median(each, axis=0))
    assert np.allclose(found.spread, np.std(each, axis=0, ddof=1))


def test_a_split_without_a_cluster_has_no_part_in_median_and_spread():
    scores = oracle.random_scores(0)
    probs = scores.probs.copy()
    probs[0] = [1.0, 0.0]
    found = design_effects(scores._replace(probs=probs))
    assert np.isnan(found.by_split[0, 1, 0])
    assert np.isclose(found.median[1, 0], found.by_split[1:, 1, 0].mean())
    assert np.isclose(found.spread[1, 0], found.by_split[1:, 1, 0].std(ddof=1))
    probs[1] = [1.0, 0.0]
    assert np.isnan(design_effects(scores._replace(probs=probs)).spread[1, 0])


@given(seeds)
def test_influences_add_up_to_nothing(seed):
    found = influence(oracle.random_scores(seed, outcomes=2, per_group=2))
    assert np.allclose(found.by_group.sum(axis=0), 0, atol=1e-12)


def test_the_table_has_the_columns_of_every_result():
    found = design_effects(oracle.random_scores(1))
    frame = found.tidy()
    assert list(frame.columns) == [
        "term", "share", "estimate", "std_error", "statistic", "p_value",
        "conf_low", "conf_high",
    ]  # fmt: skip
    assert list(frame["term"]) == ["cluster 1", "cluster 2", "average"]
    low, _ = found.conf_int()
    assert np.allclose(frame["conf_low"][:2], low[:, 0])
    assert np.allclose(frame["conf_high"][2], found.ate.conf_int()[1])
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert "average" in found.to_latex()
    assert len(design_effects(oracle.random_scores(1, outcomes=2)).tidy()) == 6


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"effect": np.zeros((3, 59))}, DataError, r"effect has shape \(3, 59\)"),
        ({"weights": -np.ones(60)}, DataError, "nonnegative"),
        ({"fold": np.zeros((3, 60), int)}, DesignError, "one fold"),
        (
            {"group": np.arange(60) // 20},
            DataError,
            "3 groups lie in two folds.*0, 1, 2",
        ),
        ({"score": np.full((3, 60, 1), np.inf)}, DataError, "holds 180 numbers"),
        ({"effect_before": np.full((3, 60), np.nan)}, DataError, "holds 120 numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, error, said):
    scores = oracle.random_scores(2)._replace(**change)
    if "fold" in change:
        zero = np.zeros((3, 60), int)
        scores = scores._replace(fold=zero)
    with pytest.raises(error, match=said):
        check_scores(scores)


def test_an_unknown_way_to_assign_is_refused():
    with pytest.raises(DesignError, match="'argmax', 'soft'"):
        design_effects(oracle.random_scores(2), assign="hard")
