"""Properties that make `project_monotone` a projection, and of `rearrange`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import isotonic_regression

from distcausal.numerics.monotone import cell_widths, project_monotone, rearrange

ATOL = 1e-9  # values reach 1e3; sums of 32 of them round at about 1e-11

finite = st.floats(-1e3, 1e3, allow_subnormal=False, width=32)
positive = st.floats(0.0625, 16.0, width=32)


@st.composite
def curves(draw):
    """A curve on a grid of levels, with a positive weight for each level."""
    count = draw(st.sampled_from((1, 2, 7, 32)))
    values = draw(hnp.arrays(np.float64, count, elements=finite))
    weight = draw(hnp.arrays(np.float64, count, elements=positive))
    return values, weight


def distance(one, other, weight, power):
    gap = np.abs(one - other)
    return gap.max() if power == np.inf else np.sum(weight * gap**power)


@given(curves())
def test_projection_never_decreases(case):
    assert (np.diff(project_monotone(*case)) >= 0).all()


@given(curves())
def test_projecting_twice_changes_nothing(case):
    once = project_monotone(*case)
    assert_array_equal(project_monotone(once, case[1]), once)


@given(curves())
def test_increasing_curves_come_back_bit_for_bit(case):
    curve, weight = np.sort(case[0]), case[1]
    assert_array_equal(project_monotone(curve, weight), curve)


@given(curves())
def test_projection_keeps_the_weighted_mean(case):
    curve, weight = case
    moved = project_monotone(curve, weight) - curve
    assert abs(np.average(moved, weights=weight)) <= ATOL


@given(curves())
def test_projection_agrees_with_scipy(case):
    curve, weight = case
    expected = isotonic_regression(curve, weights=weight).x
    assert_allclose(project_monotone(curve, weight), expected, atol=ATOL)


@given(curves(), st.data())
def test_projection_comes_no_farther_from_any_monotone_curve(case, data):
    curve, weight = case
    steps = data.draw(hnp.arrays(np.float64, curve.size, elements=st.floats(0, 9)))
    target = curve.min() + np.cumsum(steps)
    for power in (1, 2, np.inf):
        after = distance(project_monotone(curve, weight), target, weight, power)
        before = distance(curve, target, weight, power)
        assert after <= before * (1 + 1e-12) + ATOL


@given(curves(), st.data())
def test_rearranging_comes_no_farther_from_any_monotone_curve(case, data):
    curve, weight = case
    steps = data.draw(hnp.arrays(np.float64, curve.size, elements=st.floats(0, 9)))
    target = curve.min() + np.cumsum(steps)
    for power in (1, 2, np.inf):
        after = distance(rearrange(curve, weight), target, weight, power)
        before = distance(curve, target, weight, power)
        assert after <= before * (1 + 1e-12) + ATOL


@given(curves())
def test_rearranging_keeps_the_weighted_mean_and_increases(case):
    curve, weight = case
    found = rearrange(curve, weight)
    assert (np.diff(found) >= 0).all()
    assert abs(np.average(found - curve, weights=weight)) <= ATOL


@given(curves())
def test_many_curves_project_like_each_alone(case):
    curve, weight = case
    stack = np.stack([curve, -curve, np.sort(curve)])[None]
    found = project_monotone(stack, weight)[0]
    for one, row in zip(stack[0], found, strict=True):
        assert_allclose(row, project_monotone(one, weight), atol=ATOL)


def test_equal_weights_rearrange_to_the_sorted_values():
    curve = np.array([3.0, 1.0, 2.0])
    assert_array_equal(rearrange(curve, np.full(3, 0.1)), [1.0, 2.0, 3.0])


def test_two_levels_pool_to_their_weighted_average():
    assert_allclose(
        project_monotone(np.array([3.0, 1.0]), np.array([1.0, 3.0])), [1.5, 1.5]
    )


def test_input_is_not_changed():
    curve = np.array([3.0, 1.0, 2.0])
    curve.flags.writeable = False
    project_monotone(curve, np.ones(3))
    rearrange(curve, np.array([1.0, 2.0, 1.0]))
    assert_array_equal(curve, [3.0, 1.0, 2.0])


def test_even_grids_have_even_cells_and_others_half_gaps():
    assert_allclose(cell_widths(np.array([0.1, 0.2, 0.3])), [0.1, 0.1, 0.1])
    assert_allclose(cell_widths(np.array([0.1, 0.2, 0.6])), [0.1, 0.25, 0.4])
    assert_array_equal(cell_widths(np.array([0.5])), [1.0])
