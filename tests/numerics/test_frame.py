"""Orthonormal frames: what they are, and which columns they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from distcausal.numerics.frame import orthonormal_frame

# Cholesky factors taken twice, or reflections: rounding of a few units either way.
ATOL = 1e-12


@st.composite
def matrices(draw):
    """Columns of very different lengths, nearly dependent ones, uneven masses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.sampled_from([(4, 4), (9, 3), (200, 7)]))
    matrix = rng.normal(size=(rows, columns))
    closeness = draw(st.sampled_from([1.0, 1e-4, 1e-8]))
    matrix[:, -1] = matrix[:, 0] + closeness * matrix[:, -1]
    scales = 10.0 ** rng.integers(-150, 150, columns)
    mass = rng.exponential(size=rows) + 1e-3
    return matrix * scales, mass


@given(matrices())
def test_columns_are_orthonormal_and_lead_back(case):
    matrix, mass = case
    frame = orthonormal_frame(matrix, mass)
    assert frame.dependent == ()
    identity = np.eye(matrix.shape[1])
    assert_allclose(frame.rows.T @ frame.rows, identity, atol=ATOL)
    assert (frame.upper.diagonal() > 0).all()
    assert (np.tril(frame.upper, -1) == 0).all()
    again = frame.rows @ frame.upper / np.abs(matrix).max(axis=0)
    given_ = np.sqrt(mass)[:, None] * matrix / np.abs(matrix).max(axis=0)
    assert_allclose(again, given_, atol=1e-11)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_columns_that_others_determine_are_named(scale):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 50))
    columns = np.stack([a, b, scale * (a - 2 * b), c, np.zeros(50), c + a], axis=1)
    assert orthonormal_frame(columns, np.ones(50)).dependent == (2, 4, 5)


def test_dependence_is_judged_where_there_is_mass():
    columns = np.array([[1.0, 1], [1, 1], [1, 1], [1, 2]])
    assert orthonormal_frame(columns, np.ones(4)).dependent == ()
    assert orthonormal_frame(columns, np.array([1.0, 1, 1, 0])).dependent == (1,)


def test_both_ways_give_the_same_basis():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(30, 4))
    nearly = columns.copy()
    # Close enough to send the whole matrix to the reflections.
    nearly[:, 3] = columns[:, 2] + 1e-7 * columns[:, 3]
    first = orthonormal_frame(columns, np.ones(30)).rows[:, :3]
    second = orthonormal_frame(nearly, np.ones(30)).rows[:, :3]
    assert_allclose(first, second, atol=ATOL)
