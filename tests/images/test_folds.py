"""Folds keep groups together, hold both arms, and depend on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DesignError
from distcausal.images.folds import make_folds

shapes = st.sampled_from([(24, 1, 2), (30, 3, 3), (60, 4, 5)])
seeds = st.integers(0, 50)


def trial(shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    units, size, _ = shape
    draw = np.random.default_rng(seed)
    group = draw.permutation(np.arange(units) // size) * 7
    return group, draw.permutation(np.arange(units) % 2)


@given(shapes, seeds)
def test_no_group_lies_in_two_folds(shape, seed):
    group, arm = trial(shape, seed)
    for fold in make_folds(group, arm, shape[2], 4, seed):
        assert all(len(set(fold[group == name])) == 1 for name in set(group))


@given(shapes, seeds)
def test_every_fold_and_what_is_left_hold_both_arms(shape, seed):
    group, arm = trial(shape, seed)
    for fold in make_folds(group, arm, shape[2], 4, seed):
        for number in range(shape[2]):
            assert set(arm[fold == number]) == {0, 1} == set(arm[fold != number])


@given(shapes, seeds)
def test_groups_of_one_size_fill_folds_evenly(shape, seed):
    group, arm = trial(shape, seed)
    for fold in make_folds(group, arm, shape[2], 2, seed):
        sizes = np.bincount(fold) / shape[1]
        assert np.ptp(sizes) <= 1


def test_large_groups_are_spread_before_small_ones():
    group = np.repeat(np.arange(5), [2, 50, 2, 50, 2])
    fold = make_folds(group, np.arange(len(group)) % 2, 2, 20, 0)
    assert all(np.ptp(np.bincount(row)) <= 2 for row in fold)


@given(shapes, seeds)
def test_the_order_of_units_is_of_no_account(shape, seed):
    group, arm = trial(shape, seed)
    order = np.random.default_rng(seed).permutation(len(group))
    fold = make_folds(group, arm, shape[2], 3, seed)
    moved = make_folds(group[order], arm[order], shape[2], 3, seed)
    assert np.array_equal(moved, fold[:, order])


@given(shapes, seeds)
def test_two_halves_of_a_unit_leave_folds_as_they_were(shape, seed):
    group, arm = trial(shape, seed)
    weights = np.ones(len(group))
    fold = make_folds(group, arm, shape[2], 3, seed, weights=weights)
    again = np.append(np.arange(len(group)), 0)
    weights = weights[again]
    weights[[0, -1]] = 0.5
    found = make_folds(group[again], arm[again], shape[2], 3, seed, weights=weights)
    assert np.array_equal(found, fold[:, again])


@given(seeds)
def test_treatment_has_no_part_in_the_lot(seed):
    group = np.arange(200)
    arm = np.random.default_rng(seed).integers(0, 2, 200)
    fold = make_folds(group, arm, 2, 3, seed)
    assert np.array_equal(fold, make_folds(group, 1 - arm, 2, 3, seed))


def test_splits_differ_and_seeds_repeat_them():
    group, arm = np.arange(40), np.arange(40) % 2
    fold = make_folds(group, arm, 4, 6, seed=3)
    assert len({tuple(row) for row in fold}) == 6
    assert np.array_equal(fold, make_folds(group, arm, 4, 6, seed=3))
    assert not np.array_equal(fold, make_folds(group, arm, 4, 6, seed=4))


def test_a_fold_that_lacks_an_arm_is_dealt_again():
    arm = (np.arange(12) < 3).astype(int)
    fold = make_folds(np.arange(12), arm, 3, 20, 0)
    assert all(set(row[arm == 1]) == {0, 1, 2} for row in fold)


def test_units_without_weight_hold_no_arm():
    arm, weights = np.arange(12) % 2, np.ones(12)
    weights[arm == 1] = 0
    with pytest.raises(DesignError, match="a fold without one arm"):
        make_folds(np.arange(12), arm, 2, 1, 0, weights=weights)


def test_an_arm_in_fewer_groups_than_folds_is_refused_with_the_groups():
    group = np.repeat(np.arange(10), 4)
    arm = (group < 2).astype(int)
    arm[-1] = 1
    said = "50 ways to deal 10 groups into 5 folds.*2 groups have treated units only, 7"
    with pytest.raises(DesignError, match=said):
        make_folds(group, arm, 5, 1, 0)


def test_more_folds_than_an_arm_has_groups_are_refused_with_how_many_it_has():
    arm = (np.arange(12) < 3).astype(int)
    with pytest.raises(DesignError, match="Ask for at most 3 folds"):
        make_folds(np.arange(12), arm, 4, 1, 0)


def test_an_arm_in_one_group_is_refused_whatever_the_number_of_folds():
    arm = (np.arange(12) < 1).astype(int)
    said = "1 unit is treated, in one group.*No number of folds helps"
    with pytest.raises(DesignError, match=said):
        make_folds(np.arange(12), arm, 2, 1, 0)
    with pytest.raises(DesignError, match="2 units are untreated, in one group"):
        make_folds(np.repeat(np.arange(6), 2), np.arange(12) > 1, 2, 1, 0)


def test_groups_without_weight_are_counted_in_no_arm():
    arm, weights = np.arange(12) % 2, np.ones(12)
    weights[arm == 1] = 0
    said = "0 groups have treated units only, 6 untreated only, 0 both"
    with pytest.raises(DesignError, match=said):
        make_folds(np.arange(12), arm, 2, 1, 0, weights=weights)


def test_one_group_is_refused_without_advice_on_folds():
    with pytest.raises(DesignError, match="all 8 units are in one group") as found:
        make_folds(np.zeros(8), np.arange(8) % 2, 5, 1)
    assert "fewer folds" not in str(found.value)


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DesignError, match=r"8 units are in 2 groups.*at most 2 folds"):
        make_folds(np.repeat([0, 1], 4), np.arange(8) % 2, 3, 1)


@pytest.mark.parametrize(
    ("folds", "splits"), [(1, 1), (2.5, 1), (2, 0), (True, 1), ("a", 1), (2, "b")]
)
def test_counts_of_folds_and_splits_are_whole_and_large_enough(folds, splits):
    with pytest.raises(DesignError, match="should be a whole number from"):
        make_folds(np.arange(8), np.arange(8) % 2, folds, splits)
