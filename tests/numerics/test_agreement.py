"""Agreement needs no names of clusters, and equals what others compute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from distcausal.numerics.agreement import (
    adjusted_rand_index,
    area_under_curve,
    match_labels,
    order_labels,
    pehe,
)

# Ratios of sums of integers below 1e4: rounding only.
ATOL = 1e-12
labels = hnp.arrays(np.int64, st.just(12), elements=st.integers(0, 3))
values = hnp.arrays(np.float64, st.just(12), elements=st.integers(-4, 4))
memberships = hnp.arrays(np.float64, (9, 4), elements=st.floats(0, 1, width=16))


def pairs_index(first: np.ndarray, second: np.ndarray) -> float:
    """The adjusted Rand index from its meaning, pair of items by pair of items."""
    pairs = list(itertools.combinations(range(first.size), 2))
    one = np.array([first[i] == first[j] for i, j in pairs], float)
    two = np.array([second[i] == second[j] for i, j in pairs], float)
    expected = one.sum() * two.sum() / len(pairs)
    return (one @ two - expected) / ((one.sum() + two.sum()) / 2 - expected)


@given(labels, labels)
def test_rand_index_counts_pairs(first, second) -> None:
    if len(set(first)) > 1 or len(set(second)) > 1:
        found = adjusted_rand_index(first, second)
        assert_allclose(found, pairs_index(first, second), atol=ATOL)


@given(labels, labels, st.permutations(range(4)), st.permutations(range(12)))
def test_rand_index_ignores_names_order_and_sides(first, second, names, order) -> None:
    before = adjusted_rand_index(first, second)
    renamed = np.array(list("wxyz"))[np.array(names)[first]]
    assert_allclose(adjusted_rand_index(renamed, second), before, atol=ATOL)
    assert_allclose(adjusted_rand_index(second, first), before, atol=ATOL)
    shuffled = adjusted_rand_index(first[list(order)], second[list(order)])
    assert_allclose(shuffled, before, atol=ATOL)
    assert adjusted_rand_index(first, first) == 1.0


def test_rand_index_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for clusters in (1, 2, 5, 50):
        first, second = rng.integers(0, clusters, (2, 50))
        second = np.where(rng.uniform(size=50) < 0.5, first, second)
        expected = metrics.adjusted_rand_score(first, second)
        assert_allclose(adjusted_rand_index(first, second), expected, atol=ATOL)


def test_rand_index_of_many_items_does_not_overflow() -> None:
    half = np.arange(300_000) % 2
    assert adjusted_rand_index(half, half[::-1]) == 1.0
    rng = np.random.default_rng(1)
    # Its spread under shuffling is of the order of 1 / items.
    assert abs(adjusted_rand_index(half, rng.permutation(half))) < 1e-4


@given(labels, values)
def test_area_counts_pairs_won_and_half_those_tied(labels, score) -> None:
    positive = labels > 1
    if positive.all() or not positive.any():
        assert np.isnan(area_under_curve(positive, score))
        return
    gap = score[positive][:, None] - score[~positive]
    expected = np.mean((gap > 0) + 0.5 * (gap == 0))
    assert_allclose(area_under_curve(positive, score), expected, atol=ATOL)


def test_area_is_the_rank_test_statistic() -> None:
    rng = np.random.default_rng(2)
    score, positive = rng.normal(size=400).round(1), rng.uniform(size=400) < 0.3
    won = stats.mannwhitneyu(score[positive], score[~positive]).statistic
    pairs = positive.sum() * (~positive).sum()
    assert_allclose(area_under_curve(positive, score), won / pairs, atol=ATOL)


@given(values, values, st.floats(-3, 3), st.floats(0.25, 4))
def test_effect_error_moves_with_units_only(estimate, truth, shift, scale) -> None:
    before = pehe(estimate, truth)
    # Values below 40 with 16 digits; a root doubles what is lost near zero.
    moved = pehe(scale * estimate + shift, scale * truth + shift)
    assert_allclose(moved, scale * before, atol=1e-7)
    assert_allclose(pehe(truth + scale, truth), scale, atol=1e-12)
    halves = np.repeat(estimate, 2), np.repeat(truth, 2), np.full(24, 0.5)
    assert_allclose(pehe(*halves), before, atol=ATOL)


def test_zero_weight_leaves_an_item_out() -> None:
    gap = pehe(np.array([1.0, 9.0]), np.zeros(2), np.array([2.0, 0.0]))
    assert gap == 1.0


@given(values)
def test_labels_are_ordered_by_effect(effects) -> None:
    names = order_labels(effects)
    assert_array_equal(np.sort(names), np.arange(effects.size))
    assert np.all(np.diff(effects[np.argsort(names)]) >= 0)
    tied = np.zeros(5)
    assert_array_equal(order_labels(tied), np.arange(5))


@given(memberships, memberships)
def test_no_other_matching_overlaps_more(fit, reference) -> None:
    names = match_labels(fit, reference)
    best = sum(fit[:, k] @ reference[:, name] for k, name in enumerate(names))
    for other in itertools.permutations(range(4)):
        rival = sum(fit[:, k] @ reference[:, name] for k, name in enumerate(other))
        assert best >= rival - ATOL


@given(st.permutations(range(4)))
def test_renamed_clusters_are_matched_back(order) -> None:
    rng = np.random.default_rng(3)
    fit = rng.dirichlet(np.full(4, 0.2), size=50)
    names = match_labels(fit, fit[:, list(order)])
    assert_array_equal(np.array(order)[names], np.arange(4))
