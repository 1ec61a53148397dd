"""What is exactly true of the designs, summed over every tuple of points.

Fits come from the package, probabilities from determinants of the raw features. The
tolerance everywhere is 1e-10 relative to the size of the terms: a few thousand terms of
order one, each rounded at 1e-13 or better.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
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
VOLUME = [
    pytest.param(case, law, id=f"{case.name}-{law['w']}-{law['n']}")
    for case in CASES
    for law in case.stored["generalised_volume_sampling"]
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
OPTIMAL = [one for one in VOLUME if one.values[1]["w"] == "christoffel"]
each_volume = pytest.mark.parametrize(("case", "law"), VOLUME)
each_optimal = pytest.mark.parametrize(("case", "law"), OPTIMAL)


def fits(case: Case, law: dict) -> tuple[dc.WLSResult, dc.DesignPoints, np.ndarray]:
    points, probability = every_tuple(case, SHARES[law["w"]], law["n"])
    return dc.wls(points, case.f[points.index]), points, probability


def gram(points: dc.DesignPoints) -> np.ndarray:
    rows = points.values * np.sqrt(points.weights / points.n_points)[..., None]
    return np.swapaxes(rows, -1, -2) @ rows


@each_case
def test_subset_probabilities_are_those_of_determinants(case):
    sets, probability = oracle.subset_law(case.features, case.mass)
    found = np.exp(dc.ProjectionDPP(case.space).log_prob(sets))
    assert_allclose(found, probability, atol=TOLERANCE)
    stored = case.stored["projection_dpp"]["subset_prob"]
    names = [",".join(map(str, one)) for one in sets.tolist()]
    assert_allclose(found, [stored.get(name, 0.0) for name in names], atol=TOLERANCE)
    assert_allclose(found.sum(), 1, atol=TOLERANCE)


@each_case
def test_a_point_is_included_as_often_as_its_leverage(case):
    sets, probability = oracle.subset_law(case.features, case.mass)
    included = np.zeros(len(case.mass))
    np.add.at(included, sets, probability[:, None])
    assert_allclose(case.space.leverage, included, atol=TOLERANCE)
    assert_allclose(
        case.space.leverage,
        case.stored["projection_dpp"]["inclusion"],
        atol=TOLERANCE,
    )


@each_case
def test_points_repel_each_other(case):
    own = case.space
    rows = own.rows[: len(case.mass)]
    pair = np.outer(own.leverage, own.leverage) - (rows @ rows.T) ** 2
    stored = np.array(case.stored["projection_dpp"]["pair_inclusion"])
    off = ~np.eye(len(pair), dtype=bool)
    assert_allclose(pair[off], stored[off], atol=TOLERANCE)


@each_case
def test_second_point_given_the_first_follows_the_chain_rule(case):
    rows = case.space.rows[: len(case.mass)]
    length = np.sqrt(np.sum(rows**2, axis=1))
    cosine = (rows @ rows.T) / np.outer(length, length)
    residual = length**2 * (1 - cosine**2)
    np.fill_diagonal(residual, 0)
    stored = case.stored["projection_dpp"]["conditional_second_given_first"]
    found = residual / residual.sum(axis=1, keepdims=True)
    assert_allclose(found, stored, atol=TOLERANCE)


@each_volume
def test_normaliser_of_volume_sampling_needs_no_computation(case, law):
    n, m = law["n"], case.size
    share = SHARES[law["w"]]
    points, _ = every_tuple(case, share, n)
    w = oracle.weight(case.features, case.mass, share)
    chance = np.prod((case.mass / w)[points.index], axis=1)
    total = chance @ np.linalg.det(gram(points))
    expected = factorial(n) / (n**m * factorial(n - m))
    assert_allclose(total, expected, rtol=TOLERANCE)


@each_volume
def test_coefficients_are_unbiased(case, law):
    fit, _, probability = fits(case, law)
    assert_allclose(probability.sum(), 1, atol=TOLERANCE)
    assert_allclose(probability @ fit.coef, case.best_coef, atol=TOLERANCE)
    features = case.stored["beta_projection"]
    assert_allclose(probability @ fit.coef_features, features, atol=TOLERANCE)


@each_volume
def test_residuals_measure_the_best_error(case, law):
    fit, points, probability = fits(case, law)
    if points.n_points == case.size:
        assert fit.residual_error_sq is None
    else:
        found = probability @ fit.residual_error_sq
        assert_allclose(found, case.error_sq, rtol=TOLERANCE)


@each_volume
def test_squared_error_is_the_stored_one_and_below_the_bound(case, law):
    fit, _, probability = fits(case, law)
    error = probability @ np.sum((fit.coef - case.best_coef) ** 2, axis=1)
    ratio = error / case.error_sq
    assert_allclose(ratio, law["E_coef_err_sq_over_best_sq"], rtol=1e-9)
    assert 1 + ratio <= fit.certificate.expected_factor * (1 + TOLERANCE)


@each_volume
def test_inverse_gram_matrix_stays_below_its_bound(case, law):
    points, probability = every_tuple(case, SHARES[law["w"]], law["n"])
    n, m = law["n"], case.size
    mean = np.einsum("t,tij->ij", probability, np.linalg.inv(gram(points)))
    gap = n / (n - m + 1) * np.eye(m) - mean
    assert np.linalg.eigvalsh(gap)[0] >= -1e-9 * n
    # The stored basis is another one; the spectrum does not depend on it.
    assert_allclose(
        np.linalg.eigvalsh(mean), np.linalg.eigvalsh(law["E_Ginv"]), rtol=1e-8
    )


@each_volume
def test_spectrum_of_the_points_is_as_stored(case, law):
    points, probability = every_tuple(case, SHARES[law["w"]], law["n"])
    # Some tuples of the uniform line meet the threshold exactly. Rounding decided them
    # when the number was stored, so it lies between the two ways of counting them.
    least, most = (
        probability @ (points.gram_eigenvalues[:, 0] >= 1 - law["delta"] + slack)
        for slack in (1e-12, -1e-12)
    )
    stored = law["P_lambda_min_ge_1_minus_delta"]
    assert least - 1e-9 <= stored <= most + 1e-9
    assert case.name == "line_5pts_uniform" or most - least < 1e-9


@each_optimal
def test_gram_matrix_averages_to_the_identity_under_optimal_weights(case, law):
    points, probability = every_tuple(case, SHARES[law["w"]], law["n"])
    mean = np.einsum("t,tij->ij", probability, gram(points))
    assert_allclose(mean, np.eye(case.size), atol=TOLERANCE)
    trace = points.gram_eigenvalues.sum(axis=1)
    assert_allclose(trace, case.size, rtol=TOLERANCE)
    assert np.linalg.det(gram(points)).max() <= 1 + TOLERANCE


@each_optimal
def test_error_without_a_solve_is_no_larger_than_under_independence(case, law):
    points, probability = every_tuple(case, 1.0, law["n"])
    rest = case.f - case.features @ oracle.best(case.features, case.mass, case.f)
    terms = points.values * (points.weights * rest[points.index])[..., None]
    squared = np.sum(terms.mean(axis=1) ** 2, axis=1)
    bound = case.size / law["n"] * case.error_sq
    assert probability @ squared <= bound * (1 + TOLERANCE)


@each_case
@pytest.mark.parametrize("weight", [1.0, 0.0, 0.5])
def test_dropping_a_point_by_its_leverage_leaves_volume_sampling(case, weight):
    n, m = case.size + 1, case.size
    fit, points, probability = fits(case, {"w": _name(weight), "n": n})
    smaller, expected = oracle.volume_law(case.features, case.mass, weight, n - 1)
    base = len(case.mass) ** np.arange(n - 1)
    law = np.zeros(len(case.mass) ** (n - 1))
    for place in range(n):
        kept = np.delete(points.index, place, axis=1) @ base
        drop = (1 - fit.leverage[:, place]) / (n - m)
        np.add.at(law, kept, probability * drop)
    assert_allclose(law[smaller @ base], expected, atol=TOLERANCE)


@each_case
def test_more_points_never_hurt_on_average(case):
    errors = []
    for n in range(case.size, case.size + 3):
        fit, _, probability = fits(case, {"w": "one", "n": n})
        errors.append(probability @ np.sum((fit.coef - case.best_coef) ** 2, axis=1))
    assert (np.diff(errors) <= TOLERANCE * errors[0]).all()


@each_case
def test_interpolation_costs_at_most_m_times_the_best_error(case):
    points, probability = every_set(case)
    fit = dc.wls(points, case.f[points.index])
    error = probability @ np.sum((fit.coef - case.best_coef) ** 2, axis=1)
    stored = case.stored["projection_dpp"]["E_coef_err_sq_over_best_sq"]
    assert_allclose(error / case.error_sq, stored, rtol=1e-9)
    assert_allclose(probability @ fit.coef, case.best_coef, atol=TOLERANCE)


@each_case
def test_pooled_projection_draws_are_biased_as_tabulated(case):
    points, probability = every_set(case)
    stored = case.stored["repeated_dpp"]
    which = np.indices([len(probability)] * stored["r"]).reshape(stored["r"], -1)
    index = np.concatenate([points.index[one] for one in which], axis=1)
    chance = np.prod(probability[which], axis=0)
    pooled = points_at(dc.RepeatedDPP(case.space, stored["r"]), index)
    fit = dc.wls(pooled, case.f[index])
    bias = chance @ fit.coef - case.best_coef
    size = stored["bias_vector_orthonormal_coef_norm"]
    assert_allclose(np.linalg.norm(bias), size, atol=1e-9)
    error = chance @ np.sum((fit.coef - case.best_coef) ** 2, axis=1)
    ratio = stored["E_coef_err_sq_over_best_sq"]
    assert_allclose(error / case.error_sq, ratio, rtol=1e-9)
    assert_allclose(chance @ gram(pooled).swapaxes(0, 1), np.eye(case.size), atol=1e-9)
    assert fit.residual_error_sq is None
    assert fit.certificate.expected_factor is None


def test_independent_points_underestimate_the_best_error():
    """The identity of residuals belongs to volume sampling, not to any design."""
    case = CASES[0]
    n = case.size + 1
    points, probability = every_tuple(case, 1.0, n)
    chance = probability / np.linalg.det(gram(points))
    chance /= chance.sum()
    fit = dc.wls(points, case.f[points.index])
    assert chance @ fit.residual_error_sq < 0.99 * case.error_sq


def _name(share: float) -> str:
    return next(name for name, value in SHARES.items() if value == share)
