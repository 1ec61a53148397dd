"""Rank-weighted effects are areas under the gain curve, and their tests are honest."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DataError, DesignError
from distcausal.images.ranks import rank_weights, rate_of
from distcausal.images.rate import compare_rates, rate
from distcausal.images.scores import example_scores
from distcausal.images.sequential import fold_score
from tests.images.test_homogeneity import linear_trial
from tests.oracles import images as oracle

seeds = st.integers(0, 60)
targets = st.sampled_from(["autoc", "qini"])
FEW = {"draws": 6}


@given(seeds, targets)
def test_the_effect_is_the_area_under_the_curve(seed, target):
    draw = np.random.default_rng(seed)
    priority, score = draw.normal(size=(2, 12))
    weights = draw.uniform(0.5, 2, 12)
    found = rate_of(priority, score, weights, target)
    # A midpoint rule with 1,000 points on a curve with a kink per unit.
    assert np.isclose(found, oracle.area(priority, score, weights, target), atol=6e-3)


@given(seeds, targets)
def test_equal_priorities_count_as_all_their_orders_do_on_average(seed, target):
    draw = np.random.default_rng(seed)
    score, weights = draw.normal(size=5), draw.uniform(0.5, 2, 5)
    tied = np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    each = [
        rate_of(tied + 0.1 * np.array([0, *order, 0]), score, np.ones(5), target)
        for order in permutations(range(3))
    ]
    assert np.isclose(rate_of(tied, score, np.ones(5), target), np.mean(each))
    assert np.isclose(rate_of(np.ones(5), score, weights, target), 0, atol=1e-12)


@given(seeds, targets)
def test_reversing_scores_negates_and_origins_do_not_matter(seed, target):
    scores = oracle.random_scores(seed, gap=0.4)
    one = rate(scores, target=target, **FEW)
    other = scores._replace(
        score=4 - 2 * scores.score, score_before=4 - 2 * scores.score_before
    )
    two = rate(other, target=target, **FEW)
    assert np.isclose(two.estimate, -2 * one.estimate)
    assert np.isclose(two.std_error, 2 * one.std_error)
    assert np.isclose(two.p_value, 1 - one.p_value)
    rising = scores._replace(
        effect=np.exp(scores.effect), effect_before=np.exp(scores.effect_before)
    )
    assert rate(rising, target=target, **FEW).p_value == one.p_value


@given(seeds, targets)
def test_order_and_halves_of_units_are_of_no_account(seed, target):
    scores = oracle.random_scores(seed, gap=0.4, per_group=2)
    one = rate(scores, target=target, **FEW)
    order = np.random.default_rng(seed).permutation(len(scores.weights))
    for other in (oracle.taken(scores, order), oracle.halved(scores, 7)):
        two = rate(other, target=target, **FEW)
        for name in ("estimate", "std_error", "p_value", "toc", "toc_std_error"):
            assert np.allclose(getattr(two, name), getattr(one, name), rtol=1e-7)


@pytest.mark.parametrize(
    ("target", "truth"), [("qini", 0.125), ("autoc", 0.5 * np.log(2))]
)
def test_a_perfect_rule_on_two_halves_reaches_the_known_area(target, truth):
    scores = example_scores(gap=1.0, units=3000)
    draw = np.random.default_rng(0)
    side = np.arange(3000) % 2
    score = (side + draw.normal(size=3000))[None, :, None]
    value, told = np.repeat(score, 3, axis=0), np.repeat(side[None] * 1.0, 3, axis=0)
    found = rate(scores._replace(effect=told, score=value), target=target)
    assert abs(found.estimate - truth) < 3 * found.std_error
    assert found.std_error < 0.1 * truth


def test_standard_errors_are_the_spread_over_trials():
    estimates, errors = [], []
    for seed in range(150):
        draw = np.random.default_rng(seed)
        base = oracle.random_scores(seed, units=200, splits=1, folds=2)
        value = draw.normal(size=(1, 200, 1))
        found = rate(base._replace(score=value), target="qini", draws=50)
        estimates.append(found.estimate)
        errors.append(found.std_error)
    # A spread of 150 numbers has a relative error of 6 %, half-samples of 50 one of 10.
    assert np.isclose(np.mean(errors), np.std(estimates), rtol=0.2)


def test_errors_know_that_units_of_a_group_err_together():
    scores = oracle.random_scores(1, units=400, per_group=8)
    shared = np.random.default_rng(0).normal(size=50)[scores.group][None]
    way = np.random.default_rng(1).normal(size=50)[scores.group][None] + 0 * shared
    told = np.repeat(way, 3, axis=0) + 1e-9 * scores.effect
    value = np.repeat(3 * shared, 3, axis=0)[..., None] + scores.score
    grouped = scores._replace(effect=told, score=value)
    apart = grouped._replace(group=np.arange(400))
    assert rate(grouped).std_error > 1.5 * rate(apart).std_error


def test_the_test_holds_its_size_where_nothing_varies():
    found = [rate(linear_trial(seed, 0.0, 200), draws=10) for seed in range(100)]
    # The standard error of 5 % in 100 is 0.022.
    assert np.mean([test.p_value <= 0.05 for test in found]) <= 0.09
    ordinary = [test.ratio for test in found]
    assert np.var(ordinary) > 1.3


def test_a_rule_that_ranks_nothing_has_no_statistic():
    scores = example_scores(gap=1.0)
    flat = np.zeros_like(scores.effect)
    found = rate(scores._replace(effect=flat, effect_before=flat), **FEW)
    assert (found.estimate, found.p_value, found.used) == (0.0, 1.0, 0)
    assert np.allclose(found.toc, 0, atol=1e-12)
    assert "nan" not in str(found)


@given(seeds, targets)
def test_comparing_rules_is_subtracting_them(seed, target):
    scores = oracle.random_scores(seed, gap=0.5)
    other = scores._replace(
        effect=scores.effect[:, ::-1],
        effect_before=np.where(scores.fold == 0, np.nan, scores.effect[:, ::-1]),
    )
    one, two = (rate(part, target=target, **FEW) for part in (scores, other))
    found = compare_rates(scores, other, target=target, **FEW)
    back = compare_rates(other, scores, target=target, **FEW)
    assert np.isclose(found.estimate, one.estimate - two.estimate)
    assert np.isclose(back.estimate, -found.estimate)
    assert np.isclose(back.p_value, found.p_value)
    assert np.isclose(back.std_error, found.std_error)


@given(seeds, targets)
def test_the_test_uses_rules_of_earlier_folds_and_the_estimate_all(seed, target):
    scores = oracle.random_scores(seed, gap=0.5)
    later = scores._replace(effect=-scores.effect)
    earlier = scores._replace(effect_before=-scores.effect_before)
    one, two, three = (rate(s, target=target, **FEW) for s in (scores, later, earlier))
    assert two.p_value == one.p_value
    assert three.estimate == one.estimate
    assert not np.isclose(two.estimate, one.estimate)
    assert not np.isclose(three.p_value, one.p_value)


def test_a_rule_does_not_differ_from_itself():
    scores = example_scores(gap=1.0)
    found = compare_rates(scores, scores, **FEW)
    assert (found.estimate, found.std_error, found.p_value) == (0.0, 0.0, 1.0)


def test_a_learnt_rule_beats_a_useless_priority():
    scores = example_scores(gap=2.0)
    noise = np.random.default_rng(0).normal(size=400)
    assert compare_rates(scores, noise).p_value < 0.001
    assert compare_rates(scores, scores.effect[0]).p_value > 0.05


@pytest.mark.parametrize(
    ("other", "said"),
    [(np.zeros(3), "each of 400 units"), (np.full(400, np.nan), "400 that are not")],
)
def test_a_priority_that_does_not_fit_is_refused(other, said):
    with pytest.raises(DataError, match=said):
        compare_rates(example_scores(gap=1.0), other)


def test_rules_of_other_folds_are_refused():
    one, two = (example_scores(gap=1.0, seed=seed) for seed in (0, 1))
    with pytest.raises(DataError, match="fitted on different folds"):
        compare_rates(one, two)


@pytest.mark.parametrize(
    "option", [{"target": "auc"}, {"draws": 1}, {"seed": -1}, {"combine": "min"}]
)
def test_options_out_of_range_are_refused(option):
    with pytest.raises(DesignError):
        rate(example_scores(gap=1.0), **option)


def test_folds_of_few_groups_are_refused_in_words():
    scores = oracle.random_scores(0, units=30, per_group=5, folds=3)
    with pytest.raises(DesignError, match="6 groups are too few for 3 folds"):
        rate(scores)


def test_the_result_prints_and_travels():
    found = rate(example_scores(gap=1.0), **FEW)
    assert list(found.tidy()["term"]) == ["autoc"]
    frame = found.plot_data()
    assert frame["toc"].iloc[-1] == pytest.approx(0, abs=1e-12)
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert "rules learnt on earlier folds" in str(found)


def test_weights_without_bound_feel_long_tails_and_bounded_ones_do_not():
    """What the notes of `rate` say of p-values, in one fold of 100 units."""
    rng, ones = np.random.default_rng(0), np.ones(100)
    scores = -(rng.exponential(size=(3000, 100, 1)) ** 2)
    rejected = {}
    for target in ("autoc", "qini"):
        column = rank_weights(rng.normal(size=100), ones, target)[:, None]
        z = [fold_score(column, own, ones, np.arange(100))[0] for own in scores]
        rejected[target] = np.mean(np.ravel(z) > 1.645)
    # Standard error 0.4 %.
    assert 0.035 < rejected["qini"] < 0.062
    assert 0.07 < rejected["autoc"] < 0.11
