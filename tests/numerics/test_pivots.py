"""Greedy pivots are those of the QR factorisation, and no rounding repeats a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import qr

from distcausal._base.precision import double
from distcausal.numerics.pivots import greedy_pivots

SHAPES = [(12, 4), (60, 15)]
cases = st.tuples(st.sampled_from(SHAPES), st.integers(0, 10**6))


def pivots(rows: np.ndarray, count: int):
    return double(greedy_pivots)(rows, count=count)


@given(case=cases)
def test_pivots_and_residuals_are_those_of_column_pivoted_qr(case):
    shape, seed = case
    rows = np.random.default_rng(seed).normal(size=shape)
    found = pivots(rows, shape[1])
    triangle, order = qr(rows.T, mode="r", pivoting=True)
    assert_array_equal(found.rows, order[: shape[1]])
    assert_allclose(found.residual, np.diag(triangle) ** 2, rtol=1e-9)


@given(case=cases)
def test_residuals_multiply_to_the_determinant(case):
    shape, seed = case
    rows = np.random.default_rng(seed).normal(size=shape)
    found = pivots(rows, shape[1])
    chosen = np.linalg.slogdet(rows[found.rows])[1]
    assert_allclose(np.log(found.residual).sum(), 2 * chosen, rtol=1e-9, atol=1e-9)


@given(case=cases)
def test_an_order_of_the_rows_does_not_change_the_set(case):
    shape, seed = case
    rng = np.random.default_rng(seed)
    rows, order = rng.normal(size=shape), rng.permutation(shape[0])
    moved = order[pivots(rows[order], shape[1]).rows]
    assert_array_equal(moved, pivots(rows, shape[1]).rows)


def test_a_short_new_row_comes_before_a_long_repeated_one():
    rows = np.array([[1e9, 1e9 / 3], [1e9, 1e9 / 3], [0.0, 1e-6], [0.0, 0.0]])
    assert pivots(rows, 2).rows.tolist() == [0, 2]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_row_is_chosen_twice_even_beyond_the_rank(shape):
    rows = np.random.default_rng(0).normal(size=shape)
    rows[:, 1:] = rows[:, :1]
    chosen = pivots(rows, shape[1]).rows
    assert len(set(chosen.tolist())) == shape[1]
