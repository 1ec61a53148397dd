"""What fits are given: functions asked once per point, odd numbers, other designs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design.laws import SUBSET
from tests.design.cases import finite_cases, points_at
from tests.oracles import design as oracle

X = np.linspace(-1, 1, 12)
SPACE = dc.FiniteSpace(np.vander(X, 3, increasing=True))
INDEX = np.array([4, 0, 4, 11, 7, 7, 4])
POINTS = points_at(dc.IID(SPACE, 7), INDEX)
MANY = points_at(dc.IID(SPACE, 7), np.stack([INDEX, INDEX[::-1], np.arange(7)]))
CUBE = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(1))


def test_an_expensive_function_is_asked_once_per_distinct_point():
    asked = []

    def f(index):
        asked.append(index.tolist())
        return X[index] ** 2

    y = dc.evaluate(POINTS, f)
    assert asked == [[0, 4, 7, 11]]
    assert_allclose(y, X[INDEX] ** 2)
    assert dc.wls(POINTS, y).n_unique == 4
    together = dc.evaluate(MANY, f)
    assert_allclose(together, X[MANY.index] ** 2)
    assert len(asked[1]) == dc.wls(MANY, together).n_unique == 9


def test_points_of_a_domain_are_told_apart_by_all_coordinates():
    x = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0], [0.0, 0.5]])
    points = points_at(dc.IID(CUBE, 4), x)
    y = dc.evaluate(points, lambda at: np.stack([at[:, 0], at[:, 1]], axis=1))
    assert_allclose(y, x)
    assert dc.wls(points, y).n_unique == 3
    apart = points_at(dc.IID(CUBE, 4), x + np.arange(4)[:, None] / 10)
    assert dc.wls(apart, np.ones(4)).n_unique == 4


def test_functions_may_return_distributions():
    curves = np.outer(1 + X, [-1.0, 0.0, 2.0]) + np.sin(X)[:, None]

    def f(index):
        return dc.RandomDistributions.from_quantiles(curves[index], [0.2, 0.5, 0.8])

    fit = dc.wls(POINTS, dc.evaluate(POINTS, f))
    assert_allclose(fit.coef, dc.wls(POINTS, curves[INDEX]).coef)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda index: np.ones(3), "4 points it is given.*returned 3"),
        (lambda index: 1.0, "returned a single number"),
        (lambda index: np.ones((1, 4)), "returned 1"),
    ],
)
def test_a_function_with_the_wrong_number_of_values_is_refused(f, words):
    with pytest.raises(dc.DataError, match=words):
        dc.evaluate(POINTS, f)


def test_failed_evaluations_are_listed():
    y = dc.evaluate(POINTS, lambda index: np.where(index == 4, np.nan, 1.0))
    for estimate in (dc.wls, dc.quasi_projection, dc.cross_fitted_wls):
        with pytest.raises(dc.DataError, match=r"3 of 7 points \(0, 2, 6\)"):
            estimate(POINTS, y)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, bool])
def test_narrow_numbers_are_widened_before_anything_is_computed(dtype):
    y = np.array([0, 1, 1, 0, 1, 0, 1], dtype=dtype)
    assert dc.wls(POINTS, y) == dc.wls(POINTS, y.astype(float))


def test_numbers_from_jax_are_taken():
    import jax.numpy as jnp

    y = np.arange(7.0)
    assert dc.wls(POINTS, jnp.asarray(y)) == dc.wls(POINTS, y)


def test_complex_values_are_refused_and_not_halved():
    with pytest.raises(dc.DataError, match="y should be real numbers"):
        dc.wls(POINTS, np.ones(7) + 1j)


def test_designs_of_different_spaces_cannot_be_pooled():
    """Points know one space; several are refused, and so are foreign functionals."""
    other = points_at(dc.IID(dc.FiniteSpace(np.vander(X, 4)), 7), INDEX)
    with pytest.raises(dc.DataError, match="not tuple"):
        dc.wls((POINTS, other), np.ones(14))
    y = np.ones(7)
    with pytest.raises(dc.DataError, match="another space"):
        dc.wls(POINTS, y).functional(np.ones(4))
    with pytest.raises(dc.DataError, match="3 features"):
        dc.wls(POINTS, y).value(np.vander(X, 4))


def subsets(case, k):
    """All subsets of k rows and their probabilities, rows counting alike."""
    from itertools import combinations

    sets = np.array(list(combinations(range(len(case.mass)), k)))
    chosen = case.features[sets]
    squared = np.linalg.det(np.swapaxes(chosen, 1, 2) @ chosen)
    return sets, squared / squared.sum()


@pytest.mark.parametrize("case", finite_cases(), ids=lambda case: case.name)
def test_rows_without_replacement_estimate_the_error_of_all_rows(case):
    n, m = case.features.shape
    mass = np.ones(n)
    best = oracle.best(case.features, mass, case.f)
    error = oracle.best_error_sq(case.features, mass / n, case.f)
    for k in range(m, n + 1):
        sets, probability = subsets(case, k)
        possible = probability > 1e-13
        sets, probability = sets[possible], probability[possible]
        points = points_at(dc.SubsetVolumeSampling(case.features, k), sets)
        fit = dc.wls(points, case.f[sets])
        assert fit.guarantees == SUBSET
        assert_allclose(probability @ fit.coef_features, best, atol=1e-9)
        assert fit.certificate.expected_factor == m + 1
        if k == m:
            assert fit.residual_error_sq is None
            assert fit.best_error is None
            assert fit.std_error is None
        else:
            found = probability @ fit.residual_error_sq
            assert_allclose(found, error, rtol=1e-9)
        quasi = dc.quasi_projection(points, case.f[sets])
        expected = points.basis.upper @ best
        assert_allclose(probability @ quasi.coef, expected, atol=1e-9)
        assert quasi.guarantees.unbiased
