"""Sequential sums are normal whatever the past decides, and combine validly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import kstest, norm
from scipy.stats import t as student

from distcausal.images.sequential import (
    FoldStatistics,
    combined,
    fold_score,
    over_splits,
    spend,
)

seeds = st.integers(0, 60)


def test_the_budget_adds_up_to_one_whichever_folds_are_missing():
    present = np.zeros((2**4 - 1, 5, 1), bool)
    for row in range(1, 2**4):
        present[row - 1, 1:, 0] = [row >> bit & 1 for bit in range(4)]
    sums = [
        spend(FoldStatistics(np.eye(5)[j][None, :, None] * present, present))[:, 0]
        for j in range(5)
    ]
    spent = np.sum(np.square(sums), axis=0)
    last = present[:, 4, 0]
    assert np.allclose(spent[last], 1)
    assert (spent[~last] < 1).all()


def test_later_folds_weigh_in_proportion_to_what_was_learnt_from():
    present = np.ones((1, 4, 1), bool)
    present[:, 0] = False
    each = [
        spend(FoldStatistics(np.eye(4)[j][None, :, None], present))[0, 0] ** 2
        for j in (1, 2, 3)
    ]
    assert np.allclose(each, np.array([1, 2, 3]) / 6)


def test_a_rule_that_stops_when_it_is_ahead_gains_nothing():
    draw = np.random.default_rng(0)
    z = draw.normal(size=(40_000, 5, 1))
    present = np.ones(z.shape, bool)
    present[:, 0] = False
    present[:, 2:] = np.cumsum(z[:, 1:], axis=1)[:, :1] < 1.2
    z = np.where(present, z, 0.0)
    ours = spend(FoldStatistics(z, present))[:, 0]
    naive = z.sum(axis=(1, 2)) / np.sqrt(present.sum(axis=(1, 2)))
    # Four standard errors of a share of 5 % in 40,000.
    assert np.mean(ours > norm.ppf(0.95)) < 0.05 + 0.0044
    assert np.mean(naive > norm.ppf(0.95)) > 0.05 + 2 * 0.0044


def test_statistics_of_a_fold_are_normal_however_few_the_groups():
    draw = np.random.default_rng(1)
    found = []
    for _ in range(2000):
        column = draw.normal(size=(12, 1))
        score = draw.normal(size=(12, 1))
        z, _ = fold_score(column, score, np.ones(12), np.arange(12))
        found.append(z[0])
    assert kstest(found, "norm").pvalue > 0.001
    assert abs(np.mean(np.abs(found) > 1.96) - 0.05) < 0.02


def test_joint_statistics_of_a_fold_are_independent_normals():
    draw = np.random.default_rng(2)
    found = np.array(
        [
            fold_score(
                draw.normal(size=(100, 3)),
                draw.normal(size=(100, 1)),
                np.ones(100),
                np.arange(100),
            )[0]
            for _ in range(2000)
        ]
    )
    # Entries of a covariance of 2,000 draws have standard errors of 0.02 to 0.03.
    assert np.allclose(np.cov(found.T), np.eye(3), atol=0.13)
    assert abs(np.mean((found**2).sum(axis=1) > 7.815) - 0.05) < 0.02


@given(seeds)
def test_one_column_of_two_values_is_nearly_a_comparison_of_means(seed):
    draw = np.random.default_rng(seed)
    side = np.tile([0.0, 1.0], 100)
    score = side * 0.2 + draw.normal(size=200)
    z, present = fold_score(side[:, None], score[:, None], np.ones(200), np.arange(200))
    one, two = score[side == 0], score[side == 1]
    error = np.sqrt(one.var(ddof=1) / 100 + two.var(ddof=1) / 100)
    plain = norm.isf(student.sf((two.mean() - one.mean()) / error, 198))
    assert present[0]
    # The score test takes residuals from the common mean: a ratio near one.
    assert np.isclose(z[0], plain, rtol=0.03, atol=0.01)


@given(seeds, st.sampled_from([-2.0, 1e-5, 1e5]))
def test_units_of_columns_and_scores_are_of_no_account(seed, scale):
    draw = np.random.default_rng(seed)
    columns, score = draw.normal(size=(40, 2)), draw.normal(size=(40, 1))
    used = (draw.uniform(0.5, 2, 40), np.arange(40) // 2)
    one, _ = fold_score(columns, score, *used)
    two, _ = fold_score(abs(scale) * columns + 3, scale * score - 1, *used)
    assert np.allclose(two, np.sign(scale) * one, rtol=1e-6, atol=1e-8)
    three, _ = fold_score(columns, score, 7 * used[0], used[1])
    assert np.allclose(three, one)


@given(seeds)
def test_the_first_contrast_does_not_depend_on_further_ones_but_for_degrees(seed):
    draw = np.random.default_rng(seed)
    columns, score = draw.normal(size=(4000, 2)), draw.normal(size=(4000, 1))
    used = (np.ones(4000), np.arange(4000))
    both, alone = (fold_score(c, score, *used)[0][0] for c in (columns, columns[:, :1]))
    assert np.isclose(both, alone, rtol=5e-3, atol=1e-3)


def test_a_column_that_singles_out_one_unit_cannot_be_significant():
    draw = np.random.default_rng(3)
    column = np.eye(50)[:, [0]]
    found = []
    for _ in range(500):
        z, _ = fold_score(column, draw.normal(size=(50, 1)), np.ones(50), np.arange(50))
        found.append(abs(z[0]))
    assert max(found) < 1.96


@pytest.mark.parametrize("columns", [np.ones((20, 1)), np.zeros((20, 2))])
def test_columns_without_variation_give_no_statistic(columns):
    score = np.random.default_rng(4).normal(size=(20, 1))
    z, present = fold_score(columns, score, np.ones(20), np.arange(20))
    assert not present.any()
    assert not z.any()


def test_a_column_that_repeats_another_gives_no_statistic_of_its_own():
    draw = np.random.default_rng(5)
    column = draw.normal(size=20)
    columns = np.column_stack([column, 3 * column + 1, draw.normal(size=20)])
    score = draw.normal(size=(20, 1))
    _, present = fold_score(columns, score, np.ones(20), np.arange(20))
    assert present.tolist() == [True, False, True]


def test_constant_scores_and_too_few_groups_give_no_statistic():
    columns = np.random.default_rng(6).normal(size=(20, 1))
    plain = (np.ones(20), np.arange(20))
    assert not fold_score(columns, np.full((20, 1), 3.0), *plain)[1].any()
    score = np.random.default_rng(7).normal(size=(20, 1))
    assert not fold_score(columns, score, np.ones(20), np.arange(20) % 2)[1].any()


@pytest.mark.parametrize("splits", [1, 2, 3, 10])
def test_a_quantile_of_p_values_is_valid_under_dependence_made_to_break_it(splits):
    draw = np.random.default_rng(8)
    rank, level = (splits + 1) // 2, 0.05
    # Each p-value is uniform; small ones come together, just as many as are counted.
    order = np.argsort(draw.uniform(size=(40_000, splits)), axis=1)
    hit = draw.uniform(size=(40_000, 1)) < splits * level / rank
    small = draw.uniform(0, level, size=(40_000, 1))
    p_values = np.where(hit & (order < rank), small, 1.0)
    rejected = np.mean([over_splits(row) <= level for row in p_values])
    assert rejected <= level + 0.0044
    assert over_splits(np.full(splits, 0.01)) <= 0.02


@given(seeds)
def test_one_split_needs_no_correction(seed):
    z = np.random.default_rng(seed).normal(size=(1, 2, 1))
    found = FoldStatistics(z, np.array([[[False], [True]]]))
    for combine in ("mean", "median"):
        p_value = combined(found, "greater", combine).p_value
        assert np.isclose(p_value, ndtr(-z[0, 1, 0]))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 5, 20, 100])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_the_mean_over_splits_holds_its_size_for_linear_rules(rank, folds):
    # Fold sums of many units given their total, a rule that follows earlier sums.
    draw = np.random.default_rng(9)
    reps, splits = 4000, 10
    total = draw.normal(size=(reps, 1, 1, rank))
    noise = draw.normal(size=(reps, splits, folds, rank))
    sums = total / np.sqrt(folds) + noise - noise.mean(axis=2, keepdims=True)
    past = np.cumsum(sums, axis=2) - sums
    length = np.sqrt((past[:, :, 1:] ** 2).sum(axis=-1))
    z = (past[:, :, 1:] * sums[:, :, 1:]).sum(axis=-1) / length
    z = np.pad(z, ((0, 0), (0, 0), (1, 0))).reshape(reps * splits, folds, 1)
    present = np.ones(z.shape, bool)
    present[:, 0] = False
    mean = spend(FoldStatistics(z, present)).reshape(reps, splits).mean(axis=1)
    for level in (0.10, 0.05, 0.01):
        assert np.mean(mean > norm.isf(level)) <= level + 3 * np.sqrt(level / reps)
