"""Probabilities of subsets, symmetric polynomials, and what the samplers report."""

import json
from itertools import combinations
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from distcausal._base.precision import double
from distcausal.numerics.determinant import (
    chain_draws,
    inverse_cdf,
    leverage,
    log_elementary_symmetric,
    stream_draws,
    stream_window,
    subset_log_prob,
)
from distcausal.numerics.frame import orthonormal_frame

CASES = json.loads(
    (Path(__file__).parents[1] / "reference" / "dpp" / "finite_cases.json").read_text(
        "utf-8"
    )
)


@st.composite
def frames(draw):
    """Orthonormal rows of a small ground set."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points, size = draw(st.sampled_from([(3, 1), (5, 2), (6, 3), (6, 6)]))
    return orthonormal_frame(rng.normal(size=(points, size)), np.ones(points)).rows


def all_sets(points, size):
    return np.array(list(combinations(range(points), size)))


@given(frames())
def test_subset_probabilities_sum_to_one(rows):
    sets = all_sets(*rows.shape)
    assert_allclose(np.exp(subset_log_prob(rows[sets])).sum(), 1, rtol=1e-12)


@given(frames())
def test_inclusion_probability_of_a_set_is_the_sum_over_its_supersets(rows):
    points, size = rows.shape
    sets = all_sets(points, size)
    probability = np.exp(subset_log_prob(rows[sets]))
    for order in range(1, size):
        for part in combinations(range(points), order):
            over = (
                np.isin(part, sets[0]).all()
                if size == points
                else np.array([set(part) <= set(one) for one in sets.tolist()])
            )
            found = np.exp(subset_log_prob(rows[list(part)]))
            assert_allclose(found, np.sum(probability * over), atol=1e-12)


def test_impossible_sets_have_probability_zero():
    rows = orthonormal_frame(np.array([[1.0, 0], [2, 0], [0, 1]]), np.ones(3)).rows
    with np.errstate(divide="raise"):
        assert np.exp(subset_log_prob(rows[[0, 1]])) < 1e-30
        assert subset_log_prob(np.zeros((1, 2))) == -np.inf


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 6]))
def test_symmetric_polynomials_are_coefficients_of_a_product(seed, count):
    values = np.random.default_rng(seed).exponential(size=count)
    with jax.enable_x64(True):
        found = np.exp(np.asarray(log_elementary_symmetric(np.log(values), count)))
    assert_allclose(found, np.poly(-values), rtol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_normalisers_of_fixed_size_ensembles_are_the_stored_ones(case):
    features = np.array(case["X"])
    values = np.linalg.eigvalsh(features.T @ features)
    size = len(values)
    with jax.enable_x64(True):
        found = np.asarray(log_elementary_symmetric(np.log(values), size + 1))
    stored = case["l_ensemble_XXt"]["kdpp_log_normaliser"]
    for order, value in stored.items():
        assert_allclose(found[int(order)], value, rtol=1e-12)
    assert found[size + 1] == -np.inf


def test_symmetric_polynomials_of_many_large_values_stay_finite():
    log_values = np.linspace(300.0, 320.0, 400)
    with jax.enable_x64(True):
        found = np.asarray(log_elementary_symmetric(log_values, 400))
    assert np.isfinite(found).all()
    assert_allclose(found[-1], log_values.sum(), rtol=1e-12)


def test_inversion_never_meets_an_atom_without_mass():
    mass = np.array([0, 0, 0.25, 0, 0.75, 0, 0])
    uniform = np.array([0.0, 0.1, 0.25, 0.3, np.nextafter(1, 0), 1.0])
    found = double(inverse_cdf)(np.cumsum(mass) * 3.7, uniform)
    assert found.tolist() == [2, 2, 4, 4, 4, 4]


def propose(source, key, count):
    rows, cumulative = source
    atoms = inverse_cdf(cumulative, jax.random.uniform(key, (count,), rows.dtype))
    picked = rows[atoms]
    return atoms, picked / jnp.sqrt(jnp.sum(picked**2, axis=-1, keepdims=True))


def proposed(rows, draws, window, ask=propose):
    def make():
        return stream_draws(
            ask,
            (rows, np.cumsum(leverage(rows))),
            jax.random.split(jax.random.key(0), draws),
            size=rows.shape[1],
            window=window,
        )

    return double(make)()


@pytest.mark.parametrize("window", [1, 3, 40])
def test_a_window_too_small_goes_on_and_leaves_the_law_alone(window):
    rows = orthonormal_frame(np.vander(np.arange(6.0), 3), np.ones(6)).rows
    found = proposed(rows, 8192, window)
    assert (found.filled == 3).all()
    sets = all_sets(6, 3)
    expected = len(found.items) * np.exp(subset_log_prob(rows[sets]))
    codes = sets @ [36, 6, 1]
    drawn = np.sort(found.items, axis=1) @ [36, 6, 1]
    count = np.array([(drawn == code).sum() for code in codes])
    # 19 degrees of freedom: 43.8 is exceeded by one correct sampler in a thousand.
    assert count.sum() == len(drawn)
    assert np.sum((count - expected) ** 2 / expected) < 43.8


def test_many_functions_are_handled_with_residuals_that_stay_squares():
    rng = np.random.default_rng(0)
    rows = orthonormal_frame(rng.normal(size=(400, 60)), np.ones(400)).rows
    streamed = proposed(rows, 16, stream_window(60))

    def chained():
        return chain_draws(rows, jax.random.split(jax.random.key(0), 16))

    for found in (streamed, double(chained)()):
        assert (found.filled == 60).all()
        assert found.lowest.min() > -1e-13
        assert (np.diff(np.sort(found.items, axis=1)) > 0).all()


def test_rows_of_a_wrong_length_are_reported():
    rows = orthonormal_frame(np.vander(np.arange(6.0), 3), np.ones(6)).rows

    def longer(source, key, count):
        atoms, unit = propose(source, key, count)
        return atoms, 1.1 * unit

    found = proposed(rows, 16, 12, ask=longer)
    assert found.lowest.min() < -1e-3
