"""Every exact identity, seen in a hundred thousand draws made as one batch.

What enumeration proves for tiny ground sets is checked here for the samplers, and for
spaces too large to enumerate: averages lie within four Monte Carlo errors of the exact
values, and laws that lack a property miss it by more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import lgamma

import numpy as np
import pytest

import distcausal as dc
from tests.design.cases import finite_cases

DRAWS = 100_000
EXTRA = 3


@dataclass(frozen=True, eq=False)
class Setting:
    """A space, a function on it, and its exact best approximation."""

    space: dc.FiniteSpace | dc.PolynomialSpace
    f: object
    best: np.ndarray
    error_sq: float

    @property
    def n(self) -> int:
        return self.space.size + EXTRA


@cache
def finite() -> Setting:
    case = finite_cases()[0]
    return Setting(case.space, lambda p: case.f[p.index], case.best_coef, case.error_sq)


@cache
def legendre() -> Setting:
    """Twelve polynomials and a function that is far from them."""
    space = dc.PolynomialSpace(index=dc.TotalDegree(11))
    nodes, mass = np.polynomial.legendre.leggauss(400)
    values = space.values(nodes[:, None])

    def f(x):
        return 1 / (1 + 60 * x**2)

    best = values.T @ (mass / 2 * f(nodes))
    error_sq = np.sum(mass / 2 * (f(nodes) - values @ best) ** 2)
    return Setting(space, lambda p: f(p.x[..., 0]), best, float(error_sq))


SETTINGS = [
    pytest.param(finite, id="six points"),
    pytest.param(legendre, id="twelve polynomials", marks=pytest.mark.slow),
]
each = pytest.mark.parametrize("setting", SETTINGS)


@cache
def drawn(setting, kind: str, weight: str | float = "christoffel") -> dc.DesignPoints:
    space, n = setting().space, setting().n
    design = {
        "iid": lambda: dc.IID(space, n, weight),
        "volume": lambda: dc.VolumeSampling(space, n, weight),
        "projection": lambda: dc.ProjectionDPP(space),
        "repeated": lambda: dc.RepeatedDPP(space, 2),
    }[kind]()
    return design.sample_many(DRAWS, seed=11)


def errors_off(values: np.ndarray, expected: float | np.ndarray) -> float:
    """Largest distance of averages over draws from the expected, in their errors."""
    error = values.std(axis=0) / np.sqrt(len(values))
    away = np.abs(values.mean(axis=0) - expected)
    # What has no spread is exact but for rounding.
    return float(np.max(away / np.maximum(error, 1e-10)))


def scaled(points: dc.DesignPoints) -> np.ndarray:
    return points.values * np.sqrt(points.weights)[..., None]


def gram(points: dc.DesignPoints) -> np.ndarray:
    rows = scaled(points)
    return np.swapaxes(rows, 1, 2) @ rows / points.n_points


@each
@pytest.mark.parametrize("weight", ["christoffel", "one", 0.5])
def test_determinants_of_independent_points_average_to_the_normaliser(setting, weight):
    space, n = setting().space, setting().n
    if setting is legendre:  # of twelve, the spread would swamp the mean
        space, n = dc.PolynomialSpace(index=dc.TotalDegree(2)), 6
    points = dc.IID(space, n, weight).sample_many(DRAWS, seed=5)
    m = space.size
    expected = np.exp(lgamma(n + 1) - lgamma(n - m + 1) - m * np.log(n))
    assert errors_off(np.linalg.det(gram(points)), expected) < 4


@each
@pytest.mark.parametrize("kind", ["volume", "projection"])
def test_coefficients_average_to_those_of_the_best_approximation(setting, kind):
    points = drawn(setting, kind)
    assert errors_off(dc.wls(points, setting().f(points)).coef, setting().best) < 4


@each
def test_pooled_projection_draws_do_not(setting):
    points = drawn(setting, "repeated")
    assert errors_off(dc.wls(points, setting().f(points)).coef, setting().best) > 6


# Independent points do not always determine the functions; residuals are defined then.
@pytest.mark.filterwarnings("ignore::distcausal.errors.InferenceWarning")
@each
def test_residuals_average_to_the_best_error_under_volume_sampling_alone(setting):
    def squares(kind):
        points = drawn(setting, kind)
        root = np.sqrt(points.weights)
        y = setting().f(points)
        coef = dc.wls(points, y).coef
        fitted = np.einsum("dnm,dm->dn", points.values, coef)
        spare = points.n_points - points.size
        return np.sum((root * (y - fitted)) ** 2, axis=1) / spare

    assert errors_off(squares("volume"), setting().error_sq) < 4
    assert np.mean(squares("iid")) < setting().error_sq
    assert errors_off(squares("iid"), setting().error_sq) > 6
    assert np.mean(squares("repeated")) > setting().error_sq
    assert errors_off(squares("repeated"), setting().error_sq) > 6


@each
def test_inverse_gram_matrices_average_below_the_bound(setting):
    points = drawn(setting, "volume")
    inverse = np.trace(np.linalg.inv(gram(points)), axis1=1, axis2=2)
    n, m = points.n_points, points.size
    bound = m * n / (n - m + 1)
    if setting is legendre:  # minors never vanish, so the bound is attained
        # The inverse has heavy tails: its error is estimated too small at times.
        assert errors_off(inverse, bound) < 4
    else:
        assert inverse.mean() < bound + 4 * inverse.std() / np.sqrt(DRAWS)


@each
@pytest.mark.parametrize("kind", ["volume", "projection"])
def test_squared_errors_average_below_m_plus_one_times_the_best(setting, kind):
    points = drawn(setting, kind)
    coef = dc.wls(points, setting().f(points)).coef
    loss = np.sum((coef - setting().best) ** 2, axis=1) / setting().error_sq
    assert loss.mean() - 4 * loss.std() / np.sqrt(DRAWS) < points.size
    if kind == "projection" and setting is finite:
        assert errors_off(loss, points.size) < 4


@each
@pytest.mark.parametrize("kind", ["iid", "volume", "repeated"])
def test_gram_matrices_average_to_the_identity_and_keep_their_trace(setting, kind):
    points = drawn(setting, kind)
    matrices = gram(points)
    size = points.size
    assert errors_off(matrices.reshape(DRAWS, -1), np.eye(size).ravel()) < 5
    assert np.abs(np.trace(matrices, axis1=1, axis2=2) - size).max() < 1e-10 * size
    assert np.linalg.det(matrices).max() < 1 + 1e-9


@each
def test_weighted_averages_of_the_residual_are_short(setting):
    """At most m / n times the best error; exactly that for independent points."""

    def squares(kind):
        points = drawn(setting, kind)
        rest = setting().f(points) - points.values @ setting().best
        b = np.einsum("dn,dnm->dm", points.weights * rest, points.values)
        return np.sum((b / points.n_points) ** 2, axis=1) * (
            points.n_points / points.size
        )

    best = setting().error_sq
    assert errors_off(squares("iid"), best) < 4
    for kind in ("volume", "repeated"):
        short = squares(kind)
        assert short.mean() - 4 * short.std() / np.sqrt(DRAWS) < best


@each
def test_sums_over_the_projection_process_vary_by_the_kernel(setting):
    """``Var Σ g = (1/2) ∬ (g(x) - g(y))² K(x, y)²``."""
    points = drawn(setting, "projection")
    space = setting().space
    if setting is finite:
        place, mass = np.arange(len(space.mass)), space.mass
        values, g = space.values(place), np.cos(place)
        total = np.cos(points.index).sum(axis=1)
    else:
        nodes, weight = np.polynomial.legendre.leggauss(200)
        values, mass, g = space.values(nodes[:, None]), weight / 2, np.cos(3 * nodes)
        total = np.cos(3 * points.x[..., 0]).sum(axis=1)
    kernel = (values @ values.T) ** 2 * mass[:, None] * mass
    variance = np.sum(kernel * (g[:, None] - g) ** 2) / 2
    assert errors_off((total - total.mean()) ** 2, variance) < 4


def test_subsets_average_to_the_fit_of_all_rows_and_measure_its_error():
    rng = np.random.default_rng(3)
    features, y = rng.normal(size=(40, 4)), rng.standard_t(3, size=40)
    size = 9
    points = dc.SubsetVolumeSampling(features, size).sample_many(DRAWS, seed=2)
    fits = dc.wls(points, y[points.index])
    whole, rss = np.linalg.lstsq(features, y)[:2]
    assert errors_off(fits.coef_features, whole) < 4
    assert errors_off(fits.residual_error_sq, rss[0] / 40) < 4
    picked = features[points.index]
    inverse = np.linalg.inv(np.swapaxes(picked, 1, 2) @ picked).reshape(DRAWS, -1)
    expected = (40 - 4 + 1) / (size - 4 + 1) * np.linalg.inv(features.T @ features)
    assert errors_off(inverse, expected.ravel()) < 5
    hat = np.einsum(
        "ij,jk,ik->i", features, np.linalg.inv(features.T @ features), features
    )
    share = np.bincount(points.index.ravel(), minlength=40) / DRAWS
    inclusion = ((40 - size) * hat + size - 4) / 36
    error = np.sqrt(inclusion * (1 - inclusion) / DRAWS)
    assert (np.abs(share - inclusion) < 4 * error).all()
