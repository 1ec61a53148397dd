"""Gathering and sorting of pieces of unequal length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from distcausal.numerics.ragged import (
    by_size,
    cumulative_shares,
    order_by_code,
    row_blocks,
    sort_segments,
)
from tests.strategies import weighted_samples


@pytest.mark.parametrize("count", [3, 1 << 16, (1 << 16) + 1, 10**7])
def test_order_of_codes_is_the_stable_one(count):
    codes = np.random.default_rng(1).integers(0, count, 5000)
    codes[:2] = count - 1, 0
    assert_array_equal(order_by_code(codes, count), np.argsort(codes, kind="stable"))


def test_sorted_codes_need_no_order():
    assert order_by_code(np.array([0, 0, 1, 5]), 6) is None


@given(weighted_samples())
def test_pieces_are_sorted_by_value_then_weight_from_any_order(case):
    drawn, weights = case
    offsets = np.cumsum([0, *map(len, drawn)])
    values, mass = np.concatenate(drawn) + 0.0, np.concatenate(weights)
    expected = np.concatenate(
        [np.lexsort((mass[a:b], values[a:b])) + a for a, b in pairwise(offsets)]
    )
    found, moved = values.copy(), mass.copy()
    sort_segments(found, offsets, moved)
    assert_array_equal(found, values[expected])
    assert_array_equal(moved, mass[expected])
    alone = values.copy()
    sort_segments(alone, offsets)
    assert_array_equal(alone, found)


@given(weighted_samples(), st.sampled_from((1, 30, 1 << 17)))
def test_groups_of_equal_size_visit_every_entry_once(case, most):
    drawn, _ = case
    offsets = np.cumsum([0, *map(len, drawn)])
    seen, pieces = np.zeros(offsets[-1], int), np.zeros(len(drawn), int)
    for group, entries, size in by_size(offsets, most):
        seen[entries] += 1
        pieces[group] += 1
        assert np.all(np.diff(offsets)[group] == size)
    assert np.all(seen == 1)
    assert np.all(pieces == 1)


@given(weighted_samples())
def test_shares_accumulate_to_exactly_one_in_every_piece(case):
    _, weights = case
    offsets = np.cumsum([0, *map(len, weights)])
    shares = cumulative_shares(np.concatenate(weights), offsets)
    assert_array_equal(shares[offsets[1:] - 1], 1.0)
    known = np.concatenate([np.cumsum(one) / one.sum() for one in weights])
    assert_allclose(shares, known, rtol=1e-14)


def test_blocks_cover_the_rows_in_order():
    offsets = np.arange(0, 10_001 * 50, 50)
    blocks = list(row_blocks(offsets, 99))
    assert len(blocks) > 1
    assert [start for start, _ in blocks[1:]] == [stop for _, stop in blocks[:-1]]
    assert (blocks[0][0], blocks[-1][1]) == (0, 10_000)
