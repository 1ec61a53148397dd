"""Distances on the line: metric axioms, known orders, and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from distcausal.numerics.wasserstein import METRICS, Pieces, average_steps, distance
from tests.strategies import step_laws

METRIC_SPACES = ("w1", "w2", "winf", "ks")
metrics = st.sampled_from(METRICS)
# Sums of at most 14 stretches; relative to the largest value that can occur.
RTOL = 1e-10


def pieces(law):
    values, mass = law
    return Pieces(np.cumsum(mass) / mass.sum(), values, values)


def reach(*laws):
    return max(np.abs(law[0]).max() for law in laws) + 1e-300


@given(step_laws(), metrics)
def test_a_law_is_at_no_distance_from_itself(law, metric):
    assert distance(pieces(law), pieces(law), metric) == 0


@given(step_laws(), step_laws(), metrics)
def test_distance_is_symmetric(one, two, metric):
    there = distance(pieces(one), pieces(two), metric)
    assert_allclose(there, distance(pieces(two), pieces(one), metric), rtol=1e-13)


@given(step_laws(), step_laws(), step_laws(), st.sampled_from(METRIC_SPACES))
def test_a_detour_is_never_shorter(one, two, three, metric):
    direct = distance(pieces(one), pieces(three), metric)
    detour = distance(pieces(one), pieces(two), metric) + distance(
        pieces(two), pieces(three), metric
    )
    assert direct <= detour * (1 + RTOL) + RTOL * reach(one, two, three)


@given(step_laws(), st.floats(-100, 100), st.sampled_from(("w1", "w2", "winf")))
def test_a_shift_is_its_own_length(law, shift, metric):
    values, mass = law
    moved = pieces((values + shift, mass))
    room = RTOL * (reach(law) + abs(shift))
    assert abs(distance(moved, pieces(law), metric) - abs(shift)) <= room


@given(step_laws(), step_laws(), st.sampled_from(("w1", "w2", "winf", "energy")))
def test_stretching_both_laws_stretches_the_distance(one, two, metric):
    plain = distance(pieces(one), pieces(two), metric)
    wide = distance(
        pieces((-3 * one[0][::-1], one[1][::-1])),
        pieces((-3 * two[0][::-1], two[1][::-1])),
        metric,
    )
    assert_allclose(wide, 3 * plain, rtol=1e-8, atol=RTOL * reach(one, two))


@given(step_laws(), step_laws())
def test_wasserstein_distances_grow_with_their_power(one, two):
    first, second, largest = (
        distance(pieces(one), pieces(two), metric) for metric in ("w1", "w2", "winf")
    )
    assert first <= second * (1 + RTOL)
    assert second <= largest * (1 + RTOL)


@given(step_laws(), step_laws())
def test_distances_agree_with_scipy_and_with_areas_between_cdfs(one, two):
    args = (one[0], two[0], one[1], two[1])
    room = RTOL * reach(one, two)
    first = distance(pieces(one), pieces(two), "w1")
    assert_allclose(first, stats.wasserstein_distance(*args), rtol=1e-9, atol=room)
    energy = distance(pieces(one), pieces(two), "energy")
    assert_allclose(energy, stats.energy_distance(*args) ** 2, rtol=1e-8, atol=room)
    places = np.unique(np.concatenate([one[0], two[0]]))
    shares = [
        (law[1][:, None] * (law[0][:, None] <= places)).sum(axis=0)
        for law in (one, two)
    ]
    gap, width = np.abs(shares[0] - shares[1]), np.diff(places)
    assert_allclose(first, gap[:-1] @ width, rtol=1e-9, atol=room)
    assert_allclose(energy, 2 * gap[:-1] ** 2 @ width, rtol=1e-8, atol=room)
    assert_allclose(distance(pieces(one), pieces(two), "ks"), gap.max(), atol=1e-12)


def test_squared_w2_is_the_least_cost_of_matching():
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(3)
    one, two = np.sort(rng.normal(size=9)), np.sort(rng.normal(1, 3, size=9))
    cost = (one[:, None] - two) ** 2
    rows, columns = linear_sum_assignment(cost)
    mass = np.full(9, 1 / 9)
    found = distance(pieces((one, mass)), pieces((two, mass)), "w2")
    assert_allclose(found**2, cost[rows, columns].mean(), rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_are_the_limit_of_many_points(metric):
    bins = Pieces(np.array([0.2, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 4.0]))
    other = Pieces(np.array([0.5, 1.0]), np.array([-1.0, 2.0]), np.array([2.0, 2.5]))

    def points(law):
        count = 20_000
        level = (np.arange(count) + 0.5) / count
        at = np.searchsorted(law.reached, level)
        start = np.append(0.0, law.reached)[at]
        part = (level - start) / (law.reached[at] - start)
        return law.low[at] + part * (law.high[at] - law.low[at]), np.ones(count)

    fine = distance(pieces(points(bins)), pieces(points(other)), metric)
    # Points stand at most 3 / 16,000 from the mass they represent.
    assert_allclose(distance(bins, other, metric), fine, rtol=1e-3)


def test_intervals_that_cross_are_measured_on_both_sides_of_the_crossing():
    wide = Pieces(np.array([1.0]), np.array([-1.0]), np.array([1.0]))
    point = Pieces(np.array([1.0]), np.array([0.0]), np.array([0.0]))
    assert_allclose(distance(wide, point, "w1"), 0.5)
    assert_allclose(distance(wide, point, "w2"), np.sqrt(1 / 3))
    assert_allclose(distance(wide, point, "ks"), 0.5)


def test_the_largest_difference_of_cdfs_may_lie_on_either_side_of_a_jump():
    unit = Pieces(np.array([1.0]), np.array([0.0]), np.array([1.0]))
    for place in (0.0, 1.0):
        point = Pieces(np.array([1.0]), np.array([place]), np.array([place]))
        assert distance(unit, point, "ks") == 1.0


def test_sums_that_differ_in_the_last_bit_leave_no_sliver():
    values = np.array([0.0, 100.0])
    one = Pieces(np.array([0.1 + 0.2, 1.0]), values, values)
    two = Pieces(np.array([0.3, 1.0]), values, values)
    assert distance(one, two, "winf") == 0


@given(st.lists(step_laws(), min_size=1, max_size=4))
def test_averaged_steps_are_the_average_at_every_level(laws):
    offsets = np.cumsum([0, *(len(law[0]) for law in laws)])
    values = np.concatenate([law[0] for law in laws])
    reached = np.concatenate([pieces(law).reached for law in laws])
    share = np.arange(1.0, len(laws) + 1)
    share /= share.sum()
    average, mass = average_steps(values, reached, offsets, share)
    assert np.all(np.diff(average) >= 0)
    assert mass.min() > 0
    levels = (np.arange(50) + 0.437) / 50
    known = sum(
        part * law[0][np.searchsorted(pieces(law).reached, levels)]
        for part, law in zip(share, laws, strict=True)
    )
    found = average[np.searchsorted(np.cumsum(mass), levels)]
    assert_allclose(found, known, rtol=1e-9, atol=1e-9 * reach(*laws))
