"""Values of policies are sums of cluster effects less costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DataError, DesignError
from distcausal.images.aipw import design_effects
from distcausal.images.policy import policy_values
from distcausal.images.scores import example_scores
from tests.oracles import images as oracle

seeds = st.integers(0, 60)
costs = st.sampled_from([0.0, 0.7, -1.0])
assigns = st.sampled_from(["argmax", "soft"])


@given(seeds, costs, assigns)
def test_gains_are_shares_times_effects_less_cost(seed, cost, assign):
    scores = oracle.random_scores(seed, clusters=3)
    found = policy_values(scores, cost=cost, assign=assign)
    effects = design_effects(scores, assign=assign)
    part = effects.share * (effects.estimate[:, 0] - cost)
    assert np.allclose(found.gain[:3], np.cumsum(part[::-1]))
    assert np.allclose(found.treated[:3], np.cumsum(effects.share[::-1]))
    assert np.allclose(found.over_all, found.gain - found.gain[2])


@given(seeds, costs)
def test_treating_everyone_is_worth_the_average_effect_less_the_cost(seed, cost):
    scores = oracle.random_scores(seed)
    found, average = policy_values(scores, cost=cost), design_effects(scores).ate
    assert np.isclose(found.gain[1], average.estimate - cost)
    assert np.isclose(found.std_error[1], average.std_error)
    assert np.isclose(found.over_all_error[1], 0, atol=1e-12)


@given(seeds)
def test_errors_are_those_of_loops(seed):
    scores = oracle.random_scores(seed, per_group=2)
    found = policy_values(scores, cost=0.3)
    learned = (scores.effect > 0.3) * (scores.score[..., 0] - 0.3)
    ones = np.ones(scores.fold.shape)
    error = oracle.mean_error(ones, learned, scores.weights, scores.group)
    assert np.isclose(found.std_error[-1], error)


@given(seeds, costs)
def test_order_and_halves_of_units_are_of_no_account(seed, cost):
    scores = oracle.random_scores(seed, per_group=2)
    one = policy_values(scores, cost=cost)
    order = np.random.default_rng(seed).permutation(len(scores.weights))
    for other in (oracle.taken(scores, order), oracle.halved(scores, 7)):
        two = policy_values(other, cost=cost)
        for name in ("gain", "std_error", "over_all", "over_all_error", "treated"):
            assert np.allclose(getattr(two, name), getattr(one, name), atol=1e-12)


def test_one_cost_per_unit_is_one_cost_where_all_are_equal():
    scores = example_scores(gap=1.0)
    one, two = (policy_values(scores, cost=cost) for cost in (0.4, np.full(400, 0.4)))
    assert np.array_equal(one.gain, two.gain)
    dear = np.where(np.arange(400) < 200, 0.4, 1e3)
    assert policy_values(scores, cost=dear).treated[-1] < 0.5


def test_a_rule_that_treats_nobody_gains_nothing_for_sure():
    found = policy_values(example_scores(gap=1.0), cost=1e6)
    assert (found.gain[-1], found.std_error[-1], found.treated[-1]) == (0, 0, 0)
    assert "nan" not in str(found)


def test_the_learnt_rule_beats_treating_everyone_where_costs_are_between():
    found = policy_values(example_scores(gap=2.0, units=1000), cost=1.0)
    assert found.over_all[-1] > 3 * found.over_all_error[-1]
    assert found.gain[-1] > 3 * found.std_error[-1]


def test_sets_of_clusters_can_be_named():
    scores = oracle.random_scores(1, clusters=3)
    found = policy_values(scores, sets=[[1], [3, 1]])
    assert found.rules[:2] == ("cluster 1", "clusters 1, 3")
    nested = policy_values(scores)
    assert np.isclose(found.gain[1], found.gain[0] + nested.gain[0])


@pytest.mark.parametrize("sets", [[[0]], [[4]], [[]]])
def test_sets_of_clusters_that_do_not_exist_are_refused(sets):
    with pytest.raises(DesignError, match="clusters from 1 to 3"):
        policy_values(oracle.random_scores(1, clusters=3), sets=sets)


@pytest.mark.parametrize(
    ("cost", "fact"),
    [
        (np.nan, "1 of 1 are missing or infinite. Fill them in"),
        (np.ones(3), r"it has shape \(3,\)\. Give those"),
        (np.full(60, np.inf), "60 of 60 are missing or infinite. Fill them in"),
    ],
)
def test_costs_that_do_not_fit_are_refused_for_what_is_wrong_with_them(cost, fact):
    with pytest.raises(DataError, match=f"one for each of 60 units; {fact}"):
        policy_values(oracle.random_scores(1), cost=cost)


def test_several_outcomes_are_refused():
    with pytest.raises(DesignError, match="needs a scalar outcome"):
        policy_values(oracle.random_scores(0, outcomes=2))


def test_the_result_prints_and_travels():
    found = policy_values(example_scores(gap=1.0), cost=0.2)
    frame = found.tidy()
    assert list(frame["term"]) == list(found.rules)
    assert np.allclose(frame["conf_high"], found.conf_int()[1])
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert len(found.plot_data()) == 3
    assert "flatters" in str(found)


def test_costs_in_words_are_refused():
    with pytest.raises(DataError, match=r"cost should be one number.*not 'a'.*Names"):
        policy_values(example_scores(gap=1.0), cost="a")
