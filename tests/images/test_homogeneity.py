"""Tests of equal effects hold their size where the ordinary Wald test does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DesignError, InferenceWarning
from distcausal.images.folds import make_folds
from distcausal.images.homogeneity import effect_homogeneity
from distcausal.images.scores import Scores, example_scores
from tests.oracles import images as oracle

seeds = st.integers(0, 60)
combines = st.sampled_from(["mean", "median"])


def linear_trial(seed: int, gap: float, units: int = 300, size: int = 10) -> Scores:
    """A trial with one linear rule per training part, its sign the cluster."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(units, size))
    score = gap * (x[:, 0] > 0) + 2 * draw.normal(size=units)
    fold = make_folds(np.arange(units), np.arange(units) % 2, 5, 4, seed)
    parts = []
    for earlier in (False, True):
        effect = np.full(fold.shape, np.nan)
        for split, label in enumerate(fold):
            for number in range(int(earlier), 5):
                train = label < number if earlier else label != number
                way = x[train].T @ (score[train] - score[train].mean())
                effect[split, label == number] = x[label == number] @ way
        upper = (effect > 0).astype(float)
        probs = np.stack([1 - upper, upper], axis=2)
        probs[np.isnan(effect)] = np.nan
        parts.append((probs, effect))
    value = np.broadcast_to(score[:, None], (*fold.shape, 1)).copy()
    return Scores(
        fold, *parts[0], value, *parts[1],
        np.where((fold == 0)[..., None], np.nan, value),
        np.ones(units), np.arange(units),
    )  # fmt: skip


def test_sequential_tests_hold_their_size_and_the_pooled_one_does_not():
    found = [effect_homogeneity(linear_trial(seed, 0.0)) for seed in range(150)]
    pooled = np.mean([test.p_pooled <= 0.05 for test in found])
    ordered = np.mean([test.p_ordered <= 0.05 for test in found])
    any_way = np.mean([test.p_any <= 0.05 for test in found])
    single = np.mean([test.split_p_values[0] <= 0.05 for test in found])
    # Standard errors: 0.018 at 5 %, 0.027 at 12 %.
    assert pooled > 0.08
    assert ordered <= 0.07
    assert any_way <= 0.07
    assert abs(single - 0.05) < 0.04


def test_the_ordered_test_has_more_power_than_the_joint_one():
    trials = [linear_trial(seed, 1.2) for seed in range(60)]
    found = [effect_homogeneity(trial) for trial in trials]
    median = [effect_homogeneity(trial, combine="median") for trial in trials]
    ordered, joint, middle = (
        np.mean([p <= 0.05 for p in part])
        for part in (
            [test.p_ordered for test in found],
            [test.p_any for test in found],
            [test.p_value for test in median],
        )
    )
    assert ordered > joint
    assert ordered >= middle
    assert ordered > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 10, 40])
def test_size_at_several_levels_and_dimensions(size):
    found = [
        effect_homogeneity(linear_trial(seed, 0.0, 400, size)) for seed in range(2000)
    ]
    p_values = np.array([test.p_value for test in found])
    single = np.array([test.split_p_values[0] for test in found])
    for level in (0.10, 0.05, 0.01):
        slack = 3 * np.sqrt(level / 2000)
        assert np.mean(p_values <= level) <= level + slack
        assert abs(np.mean(single <= level) - level) <= slack


@given(seeds, combines, st.sampled_from(["ordered", "any"]), st.sampled_from([2, 3]))
def test_order_halves_and_unit_of_measurement_are_of_no_account(
    seed, combine, alternative, count
):
    scores = oracle.random_scores(seed, clusters=count, per_group=2, gap=0.2)
    options = {"combine": combine, "alternative": alternative, "assign": "soft"}
    one = effect_homogeneity(scores, **options)
    order = np.random.default_rng(seed).permutation(len(scores.weights))
    scaled = scores._replace(
        score=3 * scores.score - 2, score_before=3 * scores.score_before - 2
    )
    for other in (oracle.taken(scores, order), oracle.halved(scores, 7), scaled):
        two = effect_homogeneity(other, **options)
        assert np.isclose(one.p_value, two.p_value, rtol=1e-6)
        assert np.isclose(one.p_pooled, two.p_pooled, rtol=1e-6)


@given(seeds)
def test_clusters_in_the_wrong_order_do_not_pass_the_ordered_test(seed):
    scores = oracle.random_scores(seed, gap=0.6, units=200, clusters=2)
    wrong = scores._replace(score=-scores.score, score_before=-scores.score_before)
    right = effect_homogeneity(scores)
    found = effect_homogeneity(wrong)
    assert np.isclose(found.p_ordered, 1 - right.p_ordered)
    assert np.isclose(found.p_any, right.p_any)


@given(seeds)
def test_only_earlier_folds_decide(seed):
    scores = oracle.random_scores(seed)
    other = scores._replace(
        probs=scores.probs[..., ::-1], effect=-scores.effect, score=5 * scores.score**2
    )
    one, two = effect_homogeneity(scores), effect_homogeneity(other)
    assert (one.p_ordered, one.p_any) == (two.p_ordered, two.p_any)
    assert one.p_pooled != two.p_pooled


@given(seeds)
def test_several_outcomes_are_tested_together(seed):
    scores = oracle.random_scores(seed, outcomes=3, units=120)
    found = effect_homogeneity(scores, alternative="any")
    assert found.df == 3
    assert found.p_ordered is None
    assert 0 <= found.p_value <= 1
    with pytest.raises(DesignError, match="an ordered test needs a scalar outcome"):
        effect_homogeneity(scores)


def test_folds_with_an_empty_cluster_are_counted_and_others_used():
    scores = example_scores(gap=2.0)
    probs = scores.probs_before.copy()
    probs[(scores.fold == 1)] = [1.0, 0.0]
    with pytest.warns(InferenceWarning, match="3 of 9 folds allow no test"):
        found = effect_homogeneity(scores._replace(probs_before=probs))
    assert (found.used, found.missing) == (6, 3)
    assert found.p_value < 0.01


def test_clusters_that_are_always_empty_announce_nothing():
    scores = example_scores(gap=2.0)
    probs = np.where(np.isnan(scores.probs_before), np.nan, [1.0, 0.0])
    with pytest.warns(InferenceWarning, match="9 of 9 folds"):
        found = effect_homogeneity(scores._replace(probs_before=probs))
    assert (found.p_value, found.p_any, found.statistic) == (1.0, 1.0, 0.0)
    everywhere = np.nan_to_num(probs, nan=0.5)
    with pytest.warns(InferenceWarning):
        found = effect_homogeneity(
            scores._replace(probs=everywhere * 0 + [1.0, 0.0], probs_before=probs)
        )
    assert found.p_pooled is None


def test_one_cluster_has_nothing_to_compare():
    with pytest.raises(DesignError, match="nothing to compare"):
        effect_homogeneity(oracle.random_scores(0, clusters=1))


@pytest.mark.parametrize("option", [{"alternative": "less"}, {"combine": "max"}])
def test_unknown_options_are_refused(option):
    with pytest.raises(DesignError, match="is not one of"):
        effect_homogeneity(oracle.random_scores(0), **option)


def test_the_result_prints_and_travels():
    found = effect_homogeneity(example_scores(gap=1.0))
    assert list(found.tidy()["valid"]) == [True, True, False]
    assert len(found.plot_data()) == 3
    assert "not valid" in str(found)
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert "wager2024" in found.cite()
