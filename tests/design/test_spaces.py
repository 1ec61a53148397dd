"""Every space: orthonormal functions, draws from the right density, exact fits."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc
from tests.design.cases import chi_square, continuous_cases

RARE = 1e-3


def decays(x):
    return jnp.exp(-x[0] * jnp.arange(4.0))


def exponentials(key, count):
    return jax.random.exponential(key, (count,))


def kernel(x, y):
    return jnp.minimum(x, y)[0] - (x * y)[0]


RUNNING = np.random.default_rng(0).normal(size=300)
SPACES = {
    "jacobi": dc.PolynomialSpace(
        "jacobi", 1, dc.TotalDegree(4), shape=(1.5, -0.5), bounds=(2, 5)
    ),
    "mixed": dc.PolynomialSpace(
        ["hermite", "legendre", "hermite"],
        3,
        dc.TotalDegree(3, weights=(1, 1.5, 2)),
        location=[1.0, None, -1.0],
        scale=2.0,
        bounds=(0, 10),
    ),
    "laguerre": dc.PolynomialSpace("laguerre", 2, dc.Tensor(1), shape=[0.5, 3]),
    "trigonometric": dc.TrigonometricSpace(2, dc.HyperbolicCross(1), period=(24, 7)),
    "spline": dc.SplineSpace([0, 1, 1, 2, 5], degree=2),
    "spline surface": dc.SplineSpace([0, 0.3, 1], degree=1, dim=2),
    "bridge": dc.MercerSpace("brownian_bridge", 5),
    "gaussian": dc.MercerSpace("gaussian", 4, scale=2.0, length_scale=1.5),
    "nystrom": dc.MercerSpace(kernel, 4, measure=np.linspace(0, 1, 80)),
    "features": dc.FeatureSpace(decays, exponentials, reference=500),
    "cutoff": dc.CutoffSpace(RUNNING, cutoff=0.2, bandwidth=0.8, order=2),
}
each_space = pytest.mark.parametrize("name", SPACES)


@cache
def large_sample(name, share):
    return dc.IID(SPACES[name], 20_000, weight=share).sample(seed=3)


@each_space
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_weighted_functions_are_orthonormal_on_draws(name, share):
    """The Gram matrix at draws is the identity, within five standard errors."""
    points = large_sample(name, share)
    scaled = points.values * np.sqrt(points.weights)[:, None]
    products = scaled[:, :, None] * scaled[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(scaled))
    gap = np.abs(products.mean(axis=0) - np.eye(points.size))
    # On average exact where weights make all rows equally long, and so is the trace.
    assert (gap <= 5 * error + 1e-12).all()


@each_space
def test_mass_of_the_background_is_one(name):
    points = large_sample(name, 0.5)
    h = SPACES[name].background(points.x if points.index is None else points.index)
    found = h * points.weights
    assert abs(found.mean() - 1) <= 5 * found.std() / np.sqrt(len(found)) + 1e-12


@each_space
def test_functions_of_the_space_are_found_exactly(name):
    """Values at drawn points are those of the basis, and so is every fit."""
    space = SPACES[name]
    points = dc.VolumeSampling(space, space.size + 3, weight=0.5).sample(seed=4)
    assert len(points.basis.labels) == space.size
    assert_allclose(points.basis.evaluate(points.x), points.values, atol=1e-9)
    coef = np.arange(1.0, space.size + 1)
    fit = dc.wls(points, points.values @ coef)
    assert_allclose(fit.coef, coef, atol=1e-8)
    assert_allclose(fit.predict(points.x), points.values @ coef, atol=1e-8)


@each_space
def test_slopes_of_the_basis_are_its_derivatives(name):
    basis = SPACES[name].basis
    if not hasattr(basis, "jacobian"):
        assert name == "cutoff"
        return
    points = large_sample(name, 0.5).x[:5]
    step = 1e-6
    slopes = basis.jacobian(points)
    for place in range(points.shape[1]):
        aside = np.zeros(points.shape[1])
        aside[place] = step
        rise = (basis.evaluate(points + aside) - basis.evaluate(points - aside)) / (
            2 * step
        )
        scale = np.abs(slopes[..., place]).max() + 1
        assert_allclose(slopes[..., place] / scale, rise / scale, atol=1e-6)


@pytest.mark.slow
def test_draws_of_mixed_variables_do_not_depend_on_how_many_there_are():
    space = SPACES["mixed"]
    design = dc.VolumeSampling(space, space.size + 3, weight=0.5)
    many = design.sample_many(5, seed=4).x
    assert_allclose(design.sample(seed=4).x, many[0], rtol=1e-12)


LINES = {
    "legendre": lambda m: dc.PolynomialSpace(index=dc.TotalDegree(m - 1)),
    "chebyshev": lambda m: dc.PolynomialSpace("chebyshev", 1, dc.TotalDegree(m - 1)),
    "hermite": lambda m: dc.PolynomialSpace("hermite", 1, dc.TotalDegree(m - 1)),
    "laguerre": lambda m: dc.PolynomialSpace("laguerre", 1, dc.TotalDegree(m - 1)),
    "trigonometric": lambda m: dc.TrigonometricSpace(index=dc.TotalDegree(m // 2)),
    "brownian_bridge_mercer": lambda m: dc.MercerSpace("brownian_bridge", m),
}
STORED = [
    pytest.param(one, id=f"{one['family']}-{one['m']}")
    for one in continuous_cases()["one_dimensional"]
    if one["m"] == 9 and one["family"] not in ("legendre", "chebyshev")
]


@cache
def line_draws(family, size):
    space = LINES[family](size)
    assert space.size == size
    return dc.ProjectionDPP(space).sample_many(6_000, seed=1).x[..., 0]


@pytest.mark.parametrize("stored", STORED)
def test_number_of_points_in_a_set_has_the_stored_law(stored):
    x = line_draws(stored["family"], stored["m"])
    low, high = stored["count_in_set"]["set"]
    count = np.sum((x >= low) & (x <= high), axis=1)[:, None]
    probability = np.array(stored["count_in_set"]["pmf"])
    outcomes = np.arange(len(probability))[:, None]
    assert chi_square(count, outcomes, probability) > RARE


@pytest.mark.parametrize("stored", STORED)
def test_linear_statistics_have_the_stored_variance(stored):
    x = line_draws(stored["family"], stored["m"])
    if "linear_statistic_sum_x" in stored:
        expected = [(x.sum(axis=1), stored["linear_statistic_sum_x"]["variance"])]
    else:
        waves = stored.get("linear_statistic_sum_cos_2pi_j_x", {})
        expected = [
            (np.cos(2 * np.pi * int(j) * x).sum(axis=1), law["variance"])
            for j, law in waves.items()
        ]
    for total, variance in expected:
        squared = (total - total.mean()) ** 2
        error = squared.std() / np.sqrt(len(total))
        assert abs(squared.mean() - variance) <= 4 * error


def test_points_of_many_normal_variables_have_the_stored_law():
    (stored,) = (
        one for one in continuous_cases()["multivariate"] if one["family"] == "hermite"
    )
    space = dc.PolynomialSpace("hermite", 2, dc.TotalDegree(2))
    assert_array_equal(space.basis.index, stored["indices"])
    x = dc.ProjectionDPP(space).sample_many(6_000, seed=4).x
    count = ((x >= 0.3) & (x <= 18)).all(axis=-1).sum(axis=1)[:, None]
    probability = np.array(stored["count_pmf"])
    outcomes = np.arange(len(probability))[:, None]
    assert chi_square(count, outcomes, probability) > RARE


def test_independent_points_follow_the_kernels_diagonal():
    space = dc.MercerSpace("brownian_bridge", 3)
    points = dc.IID(space, 4_000, weight="one").sample(seed=1)
    assert stats.kstest(points.x[:, 0], stats.beta(2, 2).cdf).pvalue > RARE
    assert_allclose(1 / points.weights, 6 * points.x[:, 0] * (1 - points.x[:, 0]))


def test_shifted_polynomials_are_the_standard_ones_moved():
    standard = dc.PolynomialSpace(index=dc.TotalDegree(3))
    moved = dc.PolynomialSpace(index=dc.TotalDegree(3), bounds=(10, 14))
    z = np.linspace(-1, 1, 7)
    assert_allclose(moved.basis.evaluate(12 + 2 * z), standard.basis.evaluate(z))
    x = dc.IID(moved, 4, weight=0.5).sample(seed=3).x
    assert_allclose((x - 12) / 2, dc.IID(standard, 4, weight=0.5).sample(seed=3).x)


def test_dummies_draw_one_point_from_every_group():
    labels = np.array(["a", "b", "b", "c", "b", "a"])
    mass = np.array([1.0, 1, 3, 2, 0, 1])
    drawn = dc.ProjectionDPP(dc.FiniteSpace.dummies(labels, mass)).sample_many(5_000)
    groups = np.sort(labels[drawn.index], axis=1)
    assert (groups == ["a", "b", "c"]).all()
    outcomes = np.array([[0, 1, 3], [0, 2, 3], [1, 3, 5], [2, 3, 5]])
    assert chi_square(drawn.index, outcomes, np.array([1, 3, 1, 3]) / 8) > RARE


def test_dummies_of_a_categorical_are_named_by_the_groups_that_occur():
    import pandas as pd

    labels = pd.Series(["x", "y", "x"], dtype="category").cat.add_categories("none")
    assert dc.FiniteSpace.dummies(labels).basis.names == ("x", "y")
    assert dc.FiniteSpace.dummies(pd.Categorical(labels)).size == 2


def test_degree_zero_splines_stratify():
    space = dc.SplineSpace(np.linspace(0, 1, 6), degree=0)
    x = dc.ProjectionDPP(space).sample_many(500, seed=1).x[..., 0]
    strata = np.sort(np.floor(5 * x), axis=1)
    assert (strata == np.arange(5)).all()
    assert stats.kstest((5 * x % 1).ravel(), "uniform").pvalue > RARE


def test_splines_span_polynomials_and_bend_at_knots_alone():
    space = dc.SplineSpace([0, 1, 2, 5], degree=3)
    x = np.linspace(0, 5, 40)
    values = space.basis.evaluate(x)
    for column in (*np.vander(x, 4).T, np.maximum(x - 2, 0) ** 3):
        rest = np.linalg.lstsq(values, column)[1]
        assert rest < 1e-18 * (column @ column)
    assert np.linalg.lstsq(values, np.maximum(x - 3, 0) ** 3)[1] > 1e-3


def test_rank_can_be_truncated_and_says_what_went():
    x = np.linspace(0, 1, 30)
    columns = np.stack([x, x**2, 2 * x, x**3], axis=1)
    space = dc.FiniteSpace(columns, rank="truncate")
    assert space.dropped == ("column 2",)
    points = dc.VolumeSampling(space, 8).sample(seed=1)
    fit = dc.wls(points, columns[points.index] @ [1.0, 2, 1, -1])
    assert_allclose(fit.coef_features, [3.0, 2, 0, -1], atol=1e-9)
    assert_allclose(fit.predict(columns), columns @ [1.0, 2, 1, -1], atol=1e-9)
    many = dc.wls(dc.VolumeSampling(space, 8).sample_many(3), np.ones((3, 8, 2)))
    assert many.coef_features.shape == (3, 4, 2)


def test_jump_is_the_difference_of_the_sides_at_the_cutoff():
    space = SPACES["cutoff"]
    basis = space.basis
    close = 1e-9
    sides = basis.evaluate(0.2 + np.array([-close, close]))
    assert_allclose(space.jump, sides[1] - sides[0], atol=1e-6)
    limits = basis.on_side(np.full(2, 0.2), np.array([False, True]))
    assert_allclose(space.jump, limits[1] - limits[0])
    assert_allclose(basis.evaluate([0.2])[0], limits[1])


def test_kernel_weighted_units_have_the_mass_of_the_kernel():
    space = dc.CutoffSpace([-2.0, -0.5, -0.1, 0.0, 0.75, 3], bandwidth=1.0, order=0)
    assert_allclose(
        space.mass * 3.65, [0, 0.5, 0.9, 1.0, 0.25, 0] * np.array(3.65 / 2.65)
    )


def test_gram_error_falls_with_the_reference_points():
    few = dc.FeatureSpace(decays, exponentials, reference=100)
    many = dc.FeatureSpace(decays, exponentials, reference=20_000)
    assert many.gram_error < few.gram_error / 4
    assert "exact for the measure of 100 reference points" in repr(few)


def test_measures_may_be_points_masses_distributions_or_densities():
    nodes, weight = np.polynomial.legendre.leggauss(12)
    exact = dc.FeatureSpace(lambda x: x[0] ** jnp.arange(4), (nodes, weight))
    assert exact.gram_error is None
    legendre = dc.PolynomialSpace(index=dc.TotalDegree(3))
    x = np.linspace(-1, 1, 5)
    assert_allclose(exact.basis.evaluate(x), legendre.basis.evaluate(x), atol=1e-12)
    box = dc.BoxDensity(lambda x: np.full(len(x), 7.0), -1, 1)
    even = dc.FeatureSpace(lambda x: x[0] ** jnp.arange(4), box)
    # An even filling errs like the logarithm of the number of points over it.
    assert_allclose(even.basis.evaluate(x), legendre.basis.evaluate(x), atol=0.02)
    assert even.gram_error < 0.02
    from numpyro.distributions import Normal

    distribution = Normal(3.0, 0.5)
    normal = dc.FeatureSpace(lambda x: jnp.array([1.0, x[0]]), distribution)
    assert normal.points.shape == (4096, 1)
    assert_allclose(normal.points.mean(), 3.0, atol=4 * 0.5 / 64)


def test_nystrom_tends_to_the_closed_form():
    grid = (np.arange(1000) + 0.5) / 1000
    close = dc.MercerSpace(kernel, 4, measure=grid)
    exact = dc.MercerSpace("brownian_bridge", 4)
    assert_allclose(close.eigenvalues, exact.eigenvalues, rtol=1e-4)
    assert_allclose(close.truncation_error, exact.truncation_error, rtol=1e-3)
    x = np.array([0.11, 0.5, 0.77])
    found, wanted = close.basis.evaluate(x), exact.basis.evaluate(x)
    # Eigenfunctions have no sign of their own.
    sign = np.sign(np.sum(found * wanted, axis=0))
    assert_allclose(found * sign, wanted, atol=1e-3)
    assert_allclose(close.background(np.array([499])), 1.5, rtol=1e-3)
