"""Samplers that share nothing agree, and modes are the pivots of a factorisation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import linalg, stats

import distcausal as dc
from tests.design.cases import chi_square, continuous_cases

RARE = 1e-3
DRAWS = 6_000
FAMILIES = ("legendre", "chebyshev", "hermite", "laguerre")
STORED = [
    one
    for one in continuous_cases()["one_dimensional"]
    if one["m"] == 5 and one["family"] in FAMILIES
]


def draws(space, sampler, seed=1):
    return dc.ProjectionDPP(space, sampler).sample_many(DRAWS, seed=seed).x[..., 0]


@pytest.mark.parametrize("stored", STORED, ids=lambda one: one["family"])
def test_random_matrices_give_the_stored_counts(stored):
    space = dc.PolynomialSpace(stored["family"], index=dc.TotalDegree(4))
    x = draws(space, "tridiagonal")
    low, high = stored["count_in_set"]["set"]
    count = np.sum((x >= low) & (x <= high), axis=1)[:, None]
    probability = np.array(stored["count_in_set"]["pmf"])
    outcomes = np.arange(len(probability))[:, None]
    assert chi_square(count, outcomes, probability) > RARE


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("jacobi", {"shape": (1.5, 0.25), "bounds": (2.0, 5.0)}),
        ("laguerre", {"shape": 0.5, "scale": 3.0, "location": -1.0}),
        ("hermite", {"location": 4.0, "scale": 0.5}),
    ],
)
def test_random_matrices_agree_with_the_stream_in_the_units_of_the_space(
    family, options
):
    space = dc.PolynomialSpace(family, index=dc.TotalDegree(3), **options)
    first = np.sort(draws(space, "tridiagonal"), axis=1)
    second = np.sort(draws(space, "stream"), axis=1)
    for place in range(space.size):
        assert stats.ks_2samp(first[:, place], second[:, place]).pvalue > RARE


def test_random_matrices_serve_every_design_built_on_the_process():
    space = dc.PolynomialSpace(index=dc.TotalDegree(3))
    design = dc.VolumeSampling(space, 6, sampler="tridiagonal")
    points = design.sample_many(4_000, seed=2)
    best = np.mean(dc.wls(points, np.exp(points.x[..., 0])).coef, axis=0)
    nodes, mass = np.polynomial.legendre.leggauss(20)
    exact = space.values(nodes[:, None]).T @ (mass / 2 * np.exp(nodes))
    np.testing.assert_allclose(best, exact, atol=0.001)


@pytest.mark.parametrize(
    "space",
    [
        dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2)),
        dc.PolynomialSpace(index=[[0], [2]]),
        dc.FiniteSpace(np.eye(3)),
    ],
    ids=["plane", "gap", "finite"],
)
def test_random_matrices_are_for_all_degrees_of_one_variable(space):
    with pytest.raises(dc.DesignError, match="all polynomials of one variable"):
        dc.ProjectionDPP(space, "tridiagonal")


def test_the_mode_is_what_a_factorisation_with_pivots_chooses():
    features = np.random.default_rng(0).normal(size=(60, 5))
    space = dc.FiniteSpace(features)
    points = dc.ProjectionDPP(space).mode()
    pivots = linalg.qr(space.rows[:60].T, mode="r", pivoting=True)[1][:5]
    assert_array_equal(np.sort(points.index), np.sort(pivots))
    assert points.law == "greedy projection"
    assert not points.guarantees.unbiased
    random = dc.ProjectionDPP(space).sample_many(200).index
    likely = dc.ProjectionDPP(space).log_prob(random)
    assert dc.ProjectionDPP(space).log_prob(points.index) > np.median(likely)


def test_a_continuous_space_has_no_mode_to_compare_all_points_for():
    with pytest.raises(dc.DesignError, match="FeatureSpace"):
        dc.ProjectionDPP(dc.PolynomialSpace()).mode()


def test_eigenfunctions_on_reference_points_are_a_finite_space_to_samplers():
    points = np.linspace(0, 1, 50)[:, None]

    def kernel(x, y):
        return jnp.exp(-jnp.sum((x - y) ** 2))

    space = dc.MercerSpace(kernel, 3, points)
    design = dc.ProjectionDPP(space, "chain")
    index = design.sample(seed=1).index
    assert np.isfinite(design.log_prob(index))
    assert design.log_prob(design.mode().index) > design.log_prob([0, 1, 2])


def test_probabilities_of_streamed_sets_are_those_of_the_same_finite_space():
    features = np.random.default_rng(1).normal(size=(40, 3))
    sets = np.array([[0, 1, 2], [5, 17, 39]])
    found = dc.ProjectionDPP(dc.StreamedSpace(features)).log_prob(sets)
    kept = dc.ProjectionDPP(dc.FiniteSpace(features)).log_prob(sets)
    np.testing.assert_allclose(found, kept, rtol=1e-9)


def test_a_set_with_a_point_twice_is_impossible():
    space = dc.FiniteSpace(np.vander(np.arange(6.0), 3))
    assert dc.ProjectionDPP(space).log_prob([1, 2, 1]) == -np.inf
