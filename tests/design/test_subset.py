"""Volume sampling without replacement against stored tables and enumeration."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.numerics.subsets import others_without_replacement
from tests.design.cases import chi_square, finite_cases
from tests.oracles import ensembles as oracle

RARE = 1e-3
CASES = finite_cases()
STORED = [
    pytest.param(case, case.stored["volume_sampling_without_replacement"], id=case.name)
    for case in CASES
]
POINTS, FEATURES = 6, 2
seeds = st.integers(0, 10**6)
sizes = st.sampled_from([2, 3, 5, 6])


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(POINTS, FEATURES)), rng.normal(size=POINTS)


def every_draw(features: np.ndarray, size: int) -> tuple[dc.DesignPoints, np.ndarray]:
    """All subsets as draws of one object, and their probabilities."""
    from distcausal.design.base import Drawn

    design = dc.SubsetVolumeSampling(features, size)
    sets, probability = oracle.volume_subset_law(features, size)
    drawn = Drawn(sets, np.ones(len(sets), int))
    return design._described(drawn, {}), probability


@pytest.mark.parametrize(("case", "stored"), STORED)
def test_probabilities_are_the_stored_ones(case, stored):
    design = dc.SubsetVolumeSampling(case.features, stored["size"])
    sets = [[int(part) for part in name.split(",")] for name in stored["prob"]]
    found = np.exp(design.log_prob(sets))
    assert_allclose(found, list(stored["prob"].values()), rtol=1e-9, atol=1e-12)
    assert_allclose(design.inclusion(), stored["inclusion"], rtol=1e-10)


@pytest.mark.parametrize(("case", "stored"), STORED)
def test_draws_follow_the_stored_law(case, stored):
    design = dc.SubsetVolumeSampling(case.features, stored["size"])
    drawn = design.sample_many(16_384, seed=1).index
    sets = np.array(
        [[int(part) for part in name.split(",")] for name in stored["prob"]]
    )
    assert chi_square(drawn, sets, np.array(list(stored["prob"].values()))) > RARE


@given(seed=seeds, size=sizes)
def test_probabilities_are_determinants_and_sum_to_inclusions(seed, size):
    features, _ = problem(seed)
    design = dc.SubsetVolumeSampling(features, size)
    sets, probability = oracle.volume_subset_law(features, size)
    assert_allclose(np.exp(design.log_prob(sets)), probability, rtol=1e-8, atol=1e-12)
    contained = [probability[(sets == one).any(axis=1)].sum() for one in range(POINTS)]
    assert_allclose(design.inclusion(), contained, rtol=1e-8)


@given(seed=seeds, size=sizes)
def test_least_squares_on_a_draw_is_unbiased_for_least_squares_on_all(seed, size):
    features, y = problem(seed)
    points, probability = every_draw(features, size)
    assert_array_equal(points.weights, 1.0)
    fits = dc.wls(points, y[points.index])
    best = np.linalg.lstsq(features, y, rcond=None)[0]
    assert_allclose(probability @ fits.coef_features, best, atol=1e-7)


@given(seed=seeds, size=st.sampled_from([3, 5, 6]))
def test_residuals_of_a_draw_measure_the_best_error_without_bias(seed, size):
    features, y = problem(seed)
    points, probability = every_draw(features, size)
    coef, full, _, _ = np.linalg.lstsq(features, y, rcond=None)
    fits = dc.wls(points, y[points.index])
    own = y[points.index] - np.einsum(
        "sij,sj->si", features[points.index], fits.coef_features
    )
    mean = probability @ np.sum(own**2, axis=1)
    spare = POINTS - FEATURES
    assert_allclose(mean, (size - FEATURES) / spare * full[0], rtol=1e-7)
    assert_allclose(probability @ fits.residual_error_sq, full[0] / POINTS, rtol=1e-7)
    assert coef.shape == (FEATURES,)


def test_rescaling_and_mixing_features_leaves_the_law():
    features, _ = problem(3)
    mixed = features @ np.array([[2.0, 100.0], [-1.0, 3.0]])
    sets = oracle.subsets(POINTS, 4)
    plain, other = (dc.SubsetVolumeSampling(one, 4) for one in (features, mixed))
    assert_allclose(plain.log_prob(sets), other.log_prob(sets), atol=1e-9)


@pytest.mark.parametrize("size", [3, 40, 200, 299, 300])
def test_a_draw_never_repeats_a_row(size):
    features = np.random.default_rng(0).normal(size=(300, 3))
    drawn = dc.SubsetVolumeSampling(features, size).sample_many(50, seed=2).index
    assert drawn.shape == (50, size)
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < 300


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_rest_is_uniform_without_replacement_and_in_no_order(count):
    draws, points = 8_192, 6
    keys = jax.random.split(jax.random.key(3), draws)
    taken = np.tile([4, 1], (draws, 1))
    found = others_without_replacement(taken, keys, points=points, count=count)
    free = np.array([0, 2, 3, 5])
    sets = free[oracle.subsets(4, count)]
    assert chi_square(found, sets, np.full(len(sets), 1 / len(sets))) > RARE
    for place in (0, count - 1):
        one = found[:, [place]]
        assert chi_square(one, free[:, None], np.full(4, 0.25)) > RARE


def test_draws_do_not_depend_on_how_many_are_drawn_together():
    design = dc.SubsetVolumeSampling(np.random.default_rng(0).normal(size=(300, 3)), 20)
    many = design.sample_many(40, seed=4).index
    assert_array_equal(design.sample_many(5, seed=4).index, many[:5])
    assert_array_equal(design.sample(seed=4).index, many[0])


def test_a_million_rows_are_no_obstacle():
    x = np.linspace(-1, 1, 10**6)
    design = dc.SubsetVolumeSampling(np.stack([x**0, x, x**2], axis=1), 1000)
    points = design.sample_many(4, seed=1)
    assert points.law == "subset"
    assert (np.diff(np.sort(points.index, axis=1), axis=1) > 0).all()
    # The uniform part spreads over all rows.
    assert abs(x[points.index].mean()) < 6 / np.sqrt(3 * points.index.size)


@pytest.mark.parametrize("size", [1, 7, 2.5])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(dc.DesignError, match="size"):
        dc.SubsetVolumeSampling(problem(0)[0], size)


@pytest.mark.parametrize("subset", [[0, 1, 1], [0, 1], [0, 1, 6]])
def test_sets_that_are_no_draw_have_no_log_probability(subset):
    with pytest.raises(dc.DesignError, match="3 different"):
        dc.SubsetVolumeSampling(problem(0)[0], 3).log_prob(subset)
