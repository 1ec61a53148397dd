"""What is exactly true of quasi-projections and cross-fitting, by listing every draw.

Independent blocks are listed as multisets, whose probabilities are sums over orders,
and pooled designs as all pairs of blocks. Tolerances are those of `test_identities`:
sums of terms of order one, each rounded at 1e-13 or better.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design.points import DesignPoints
from tests.design.cases import (
    SHARES,
    Case,
    every_set,
    every_tuple,
    finite_cases,
    points_at,
)
from tests.oracles import design as oracle

TOLERANCE = 1e-10
CASES = finite_cases()
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_share = pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)


def multisets(index: np.ndarray, probability: np.ndarray):
    """Tuples up to order, with the probabilities of all orders."""
    kept, place = np.unique(np.sort(index, axis=1), axis=0, return_inverse=True)
    return kept, np.bincount(place.ravel(), weights=probability)


def pairs(index: np.ndarray, probability: np.ndarray):
    """Two independent blocks one after the other."""
    one, two = np.indices((len(index), len(index))).reshape(2, -1)
    both = np.concatenate([index[one], index[two]], axis=1)
    return both, probability[one] * probability[two]


def independent(case: Case, share: float, n: int):
    """All tuples of independent points."""
    w = oracle.weight(case.features, case.mass, share)
    tuples = np.indices((len(w),) * n).reshape(n, -1).T
    return tuples, np.prod((case.mass / w)[tuples], axis=1)


def volume_pairs(case: Case, share: float, n: int) -> tuple[DesignPoints, np.ndarray]:
    points, probability = every_tuple(case, share, n)
    index, chance = pairs(*multisets(points.index, probability))
    return points_at(dc.RepeatedVolume(case.space, 2, n, share), index), chance


def projection_pairs(case: Case) -> tuple[DesignPoints, np.ndarray]:
    points, probability = every_set(case)
    index, chance = pairs(points.index, probability)
    return points_at(dc.RepeatedDPP(case.space, 2), index), chance


def moments(fit: dc.WLSResult, probability: np.ndarray):
    """Mean of the estimate, its variance, and the mean of the estimated variance."""
    mean = probability @ fit.coef
    variance = probability @ (fit.coef - mean) ** 2
    return mean, variance, probability @ fit.std_error**2


@each_case
@each_share
def test_a_quasi_projection_of_volume_sampling_is_unbiased(case, share):
    points, probability = every_tuple(case, share, case.size + 1)
    fit = dc.quasi_projection(points, case.f[points.index])
    mean, variance, estimated = moments(fit, probability)
    assert fit.guarantees.unbiased
    assert_allclose(mean, case.best_coef, atol=TOLERANCE)
    # Terms of different points correlate negatively.
    assert (estimated >= variance * (1 - TOLERANCE)).all()


@each_case
def test_a_quasi_projection_of_a_projection_process_is_unbiased(case):
    points, probability = every_set(case)
    fit = dc.quasi_projection(points, case.f[points.index])
    mean, variance, estimated = moments(fit, probability)
    assert_allclose(mean, case.best_coef, atol=TOLERANCE)
    assert (estimated >= variance * (1 - TOLERANCE)).all()


@each_case
@each_share
def test_a_quasi_projection_of_independent_points_knows_its_error(case, share):
    index, probability = independent(case, share, 3)
    points = points_at(dc.IID(case.space, 3, share), index)
    fit = dc.quasi_projection(points, case.f[points.index])
    mean, variance, estimated = moments(fit, probability)
    assert_allclose(mean, case.best_coef, atol=TOLERANCE)
    assert_allclose(estimated, variance, rtol=1e-9)
    # The diagonal of the covariance is what is reported.
    diagonal = np.diagonal(fit.covariance, axis1=1, axis2=2)
    assert_allclose(np.sqrt(diagonal), fit.std_error, atol=1e-12)


@each_case
def test_cross_fitting_removes_the_bias_of_pooled_projection_draws(case):
    points, probability = projection_pairs(case)
    y = case.f[points.index]
    fit = dc.cross_fitted_wls(points, y)
    assert_allclose(probability @ fit.coef, case.best_coef, atol=TOLERANCE)
    assert fit.guarantees.unbiased
    pooled = dc.wls(points, y)
    assert not pooled.guarantees.unbiased
    bias = np.linalg.norm(probability @ pooled.coef - case.best_coef)
    # None in strata, of which every projection draw takes one point each.
    assert bias > 1e-4 or case.name == "dummies_7pts"


@each_case
@each_share
def test_cross_fitting_is_unbiased_for_pooled_volume_sampling(case, share):
    points, probability = volume_pairs(case, share, case.size + 1)
    fit = dc.cross_fitted_wls(points, case.f[points.index])
    assert_allclose(probability @ fit.coef, case.best_coef, atol=TOLERANCE)
    assert_allclose(probability.sum(), 1, atol=TOLERANCE)


@each_share
def test_cross_fitting_is_unbiased_for_independent_points(share):
    """Also where half of the points do not determine the functions."""
    case = CASES[0]
    index, probability = independent(case, share, 2 * case.size)
    points = points_at(dc.IID(case.space, 2 * case.size, share), index)
    with pytest.warns(dc.InferenceWarning, match="do not determine"):
        fit = dc.cross_fitted_wls(points, case.f[points.index])
    assert_allclose(probability @ fit.coef, case.best_coef, atol=TOLERANCE)


@each_case
def test_the_error_of_cross_fitting_stays_below_its_certificate(case):
    for points, probability in (
        projection_pairs(case),
        volume_pairs(case, 1.0, case.size + 1),
    ):
        fit = dc.cross_fitted_wls(points, case.f[points.index])
        error = probability @ np.sum((fit.coef - case.best_coef) ** 2, axis=1)
        factor = fit.certificate.expected_factor
        assert factor == 1 + 2 * case.size * (case.size + 1) / points.n_points
        assert 1 + error / case.error_sq <= factor


@each_case
def test_cross_fitting_follows_its_definition(case):
    """One fit and correction each way, written out for every pair of blocks."""
    points, _ = projection_pairs(case)
    m = case.size
    y = case.f[points.index]
    fit = dc.cross_fitted_wls(points, y)
    phi, w = points.values, points.weights
    halves = []
    for a, b in ((slice(0, m), slice(m, None)), (slice(m, None), slice(0, m))):
        first = np.linalg.solve(phi[:, a], y[:, a, None])
        rest = y[:, b, None] - phi[:, b] @ first
        weighted = np.swapaxes(phi[:, b] * w[:, b, None], 1, 2)
        halves.append((first + weighted @ rest / m)[..., 0])
    # Condition numbers of interpolation reach 1e4 in these cases.
    assert_allclose(fit.coef, np.mean(halves, axis=0), rtol=1e-9, atol=1e-9)


# A Gauss grid stands in for the interval: nothing has to be compiled for it.
NODES, MASS = np.polynomial.legendre.leggauss(24)
SPACE = dc.FiniteSpace(np.vander(NODES, 3, increasing=True), MASS)


def scattered(design, draws: tuple[int, ...] = ()) -> DesignPoints:
    """Independent nodes with the marginal law of the design, in its place."""
    rng = np.random.default_rng(5)
    shape = (*draws, design.n_points)
    return points_at(design, rng.choice(24, size=shape, p=SPACE.leverage / 3))


@pytest.mark.parametrize("method", [dc.cross_fitted_wls, dc.quasi_projection])
def test_estimates_are_the_operator_that_integrates_them(method):
    """Quadrature weights and own influences belong to the estimate as computed."""
    points = scattered(dc.RepeatedVolume(SPACE, 3, 6, weight=0.5))
    y = np.random.default_rng(0).normal(size=points.n_points)
    fit = method(points, y)
    assert_allclose(fit.quadrature_weights @ y, fit.integral().estimate, rtol=1e-10)
    moved = y.copy()
    moved[4] += 1
    change = points.values[4] @ (method(points, moved).coef - fit.coef)
    assert_allclose(fit.leverage[4], change, rtol=1e-9)


def test_cross_fitting_gives_functions_of_the_space_back():
    for design in (dc.IID(SPACE, 30), dc.RepeatedDPP(SPACE, 6)):
        points = scattered(design, (3,))
        truth = np.arange(1.0, 4.0)
        fit = dc.cross_fitted_wls(points, points.values @ truth)
        assert_allclose(fit.coef, np.tile(truth, (3, 1)), atol=1e-10)
        assert_allclose(fit.std_error, 0, atol=1e-10)
        assert (fit.certificate.uniform_factor < 100).all()
    quasi = dc.quasi_projection(points, points.values @ truth)
    assert (quasi.certificate.uniform_factor == np.inf).all()


def test_estimated_errors_match_the_spread_of_independent_draws():
    """Within ten percent, of which simulation takes up to five (2,000 draws)."""
    blocks = dc.RepeatedDPP(SPACE, 20).sample_many(2000, seed=2).index
    for design, index, errors in (
        (dc.IID(SPACE, 60), scattered(dc.IID(SPACE, 60), (2000,)).index, "blocks"),
        (dc.RepeatedDPP(SPACE, 20), blocks, "blocks"),
        (dc.RepeatedDPP(SPACE, 4), blocks[:, :12], "points"),
    ):
        for method in (dc.cross_fitted_wls, dc.quasi_projection):
            points = points_at(design, index)
            fit = method(points, np.abs(NODES)[index])
            assert fit.settings["errors"] == errors
            spread = fit.coef.std(axis=0)
            estimated = np.sqrt(np.mean(fit.std_error**2, axis=0))
            if errors == "blocks":
                assert_allclose(estimated, spread, rtol=0.1)
            else:  # single points repel: too large rather than too small
                assert (estimated > 0.95 * spread).all()
                assert estimated.max() > 1.1 * spread.max()


def test_replicates_are_the_fits_of_the_blocks():
    points = scattered(dc.RepeatedVolume(SPACE, 5, 6))
    y = np.stack([np.exp(NODES), np.abs(NODES)], axis=1)[points.index]
    fit = dc.replicated_wls(points, y)
    alone = points_at(dc.VolumeSampling(SPACE, 6), points.index.reshape(5, 6))
    expected = dc.wls(alone, y.reshape(5, 6, 2))
    assert np.array_equal(fit.coef, expected.coef)
    assert np.array_equal(fit.std_error, expected.std_error)
    assert fit.law == "volume"
    assert fit.guarantees == expected.guarantees
    assert fit.residual_error_sq.shape == (5, 2)
    mean, error = fit.averaged()
    assert_allclose(error, fit.coef.std(axis=0, ddof=1) / np.sqrt(5))
    assert mean.shape == (3, 2)
    points = points_at(dc.RepeatedDPP(SPACE, 2), np.array([0, 8, 20, 3, 9, 16]))
    interpolated = dc.replicated_wls(points, np.ones(6))
    assert interpolated.law == "projection"
    assert interpolated.guarantees.unbiased
    assert_allclose(interpolated.integral().estimate, 1)


@pytest.mark.parametrize(
    ("design", "words"),
    [
        (dc.ProjectionDPP(SPACE), ["1 independent block", "RepeatedDPP", "of 3"]),
        (dc.VolumeSampling(SPACE, 9), ["1 independent block", "RepeatedVolume"]),
        (dc.IID(SPACE, 5), ["at least 6 points", "5 points (iid)"]),
        (dc.RepeatedDPP(SPACE, 4).conditioned(0.9), ["conditioned"]),
        (dc.RepeatedDPP(SPACE, 4).greedy(6), ["greedy"]),
    ],
)
def test_cross_fitting_refuses_what_has_no_independent_halves(design, words):
    points = design.sample(seed=1)
    with pytest.raises(dc.DesignError) as caught:
        dc.cross_fitted_wls(points, np.ones(points.n_points))
    assert all(word in str(caught.value) for word in words), caught.value


def test_replicates_refuse_what_is_not_pooled():
    for points in (
        scattered(dc.VolumeSampling(SPACE, 6)),
        scattered(dc.IID(SPACE, 6)),
        scattered(dc.RepeatedDPP(SPACE, 2), (3,)),
    ):
        with pytest.raises(dc.DesignError, match="two or more independent blocks"):
            dc.replicated_wls(points, np.ones(points.values.shape[:-1]))


def test_selected_points_keep_no_promise():
    points = dc.RepeatedDPP(SPACE, 4).greedy(6).sample(seed=1)
    fit = dc.quasi_projection(points, np.ones(6))
    assert not fit.guarantees.unbiased
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = str(dc.wls(points, np.ones(6)))
    assert "unbiased for" not in text
    assert "not unbiased" in text


@pytest.mark.parametrize("name", ["cross_fitted_wls", "quasi_projection"])
def test_batches_and_responses_are_fitted_as_if_alone(name):
    method = getattr(dc, name)
    many = scattered(dc.RepeatedVolume(SPACE, 3, 6), (4,))
    y = np.stack([np.exp(NODES), np.abs(NODES)], axis=-1)[many.index]
    batch = method(many, y)
    assert batch.coef.shape == batch.std_error.shape == (4, 3, 2)
    assert batch.covariance.shape == (4, 2, 3, 3)
    for draw in range(4):
        points = points_at(dc.RepeatedVolume(SPACE, 3, 6), many.index[draw])
        for response in range(2):
            one = method(points, y[draw, :, response])
            assert_allclose(batch.coef[draw, :, response], one.coef, atol=1e-12)
            assert_allclose(
                batch.std_error[draw, :, response], one.std_error, atol=1e-12
            )
            assert_allclose(
                batch.covariance[draw, response], one.covariance, atol=1e-12
            )


@given(st.integers(0, 2**32 - 1))
def test_cross_fitting_is_linear_and_belongs_to_the_span(seed):
    """Functions of the space shift it; other features of the span do not matter."""
    rng = np.random.default_rng(seed)
    features, mass = rng.normal(size=(9, 2)), rng.exponential(size=9) + 0.05
    change = rng.normal(size=(2, 2)) + 3 * np.eye(2)
    index, y, shift = (
        rng.integers(0, 9, 12),
        rng.normal(size=(12, 2)),
        rng.normal(size=2),
    )
    found = []
    for columns in (features, features @ change):
        points = points_at(
            dc.RepeatedVolume(dc.FiniteSpace(columns, mass), 2, 6), index
        )
        found.append(dc.cross_fitted_wls(points, y))
    one, other = found
    assert_allclose(one.predict(features), other.predict(features @ change), atol=1e-9)
    points = points_at(dc.RepeatedVolume(dc.FiniteSpace(features, mass), 2, 6), index)
    both = dc.cross_fitted_wls(points, 2 * y[:, 0] - y[:, 1])
    assert_allclose(both.coef, one.coef @ [2, -1], atol=1e-9)
    moved = dc.cross_fitted_wls(points, y[:, 0] + features[index] @ shift)
    assert_allclose(moved.coef_features, one.coef_features[:, 0] + shift, atol=1e-9)
    # No function is farther from its fit than the certificate allows.
    f = rng.uniform(-1, 1, 9)
    fit = dc.cross_fitted_wls(points, f[index])
    error = np.sqrt(mass / mass.sum() @ (f - fit.predict(features)) ** 2)
    assert error <= fit.certificate.uniform_factor * np.abs(f).max()


def test_certificate_takes_the_sharper_of_two_bounds():
    """Nearly dependent points harm few directions; the spectrum blames all of them."""
    points = points_at(dc.ProjectionDPP(SPACE), np.array([0, 1, 12]))
    fit = dc.wls(points, np.ones(3))
    inverse = np.linalg.inv(points.values)
    by_points = 1 + np.linalg.norm(inverse, axis=0).sum()
    low = fit.certificate.gram_min
    by_spectrum = 1 + np.sqrt(points.weights.mean() / low)
    assert_allclose(fit.certificate.uniform_factor, by_points, rtol=1e-9)
    assert by_points < by_spectrum
