"""Distributions as values: quantile curves in, quantile curves out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.numerics.quantile import cell_masses
from tests.design.cases import every_tuple, finite_cases, points_at

X = np.linspace(-1, 1, 30)
SPACE = dc.FiniteSpace(np.vander(X, 3, increasing=True))
LEVELS = np.array([0.1, 0.3, 0.5, 0.8])
INDEX = np.array([0, 29, 3, 17, 22, 11, 8])
POINTS = points_at(dc.VolumeSampling(SPACE, 7), INDEX)
CURVES = np.exp(X)[:, None] + np.outer(1.5 + X, [-1.0, -0.5, 0.0, 1.0])
DATA = dc.RandomDistributions.from_quantiles(CURVES[INDEX], LEVELS)
FEATURES = np.vander(X, 3, increasing=True)


def test_distributions_are_fitted_as_their_quantile_curves():
    fit, plain = dc.wls(POINTS, DATA), dc.wls(POINTS, CURVES[INDEX])
    assert np.array_equal(fit.coef, plain.coef)
    assert np.array_equal(fit.std_error, plain.std_error)
    assert_allclose(fit.levels, LEVELS)
    assert plain.levels is None
    named = dc.wls(POINTS, CURVES[INDEX], levels=LEVELS)
    assert np.array_equal(named.levels, LEVELS)
    other = dc.wls(POINTS, DATA, levels=[0.2, 0.5])
    assert_allclose(other.coef, dc.wls(POINTS, DATA.quantiles([0.2, 0.5])).coef)


@pytest.mark.parametrize("name", ["wls", "quasi_projection", "cross_fitted_wls"])
def test_point_masses_give_what_their_numbers_give(name):
    points = points_at(dc.RepeatedVolume(SPACE, 2, 4), np.append(INDEX, 5))
    y = np.sin(X[points.index])
    masses = dc.RandomDistributions.from_samples(y[:, None])
    number = getattr(dc, name)(points, y)
    curves = getattr(dc, name)(points, masses, levels=LEVELS)
    for level in range(4):
        assert_allclose(curves.coef[:, level], number.coef, rtol=1e-12)
        assert_allclose(curves.std_error[:, level], number.std_error, rtol=1e-9)
    if name == "wls":
        # Masses of the levels add to one: norms replace absolute values.
        assert_allclose(curves.best_error, number.best_error, rtol=1e-9)
        predicted = curves.distributions(FEATURES)
        expected = np.repeat(number.predict(FEATURES)[:, None], 4, axis=1)
        assert_allclose(predicted.quantiles(LEVELS), expected, rtol=1e-9)


def test_predictions_are_distributions_that_say_how_far_they_were_moved():
    fit = dc.wls(POINTS, DATA)
    assert not (np.diff(fit.predict(FEATURES), axis=1) < 0).any()
    assert (fit.distributions(FEATURES).columns["moved"] == 0).all()
    # A parabola through spreads that are zero in the middle is negative there.
    spread = np.maximum(np.abs(X) - 0.6, 0)
    tight = X[:, None] + np.outer(spread, [-1.0, -0.5, 0.0, 1.0])
    data = dc.RandomDistributions.from_quantiles(tight[INDEX], LEVELS)
    rough = dc.wls(POINTS, data)
    raw = rough.predict(FEATURES)
    falls = (np.diff(raw, axis=1) < 0).any(axis=1)
    assert 0 < falls.sum() < 30
    for monotone, verb in (("project", "projected"), ("rearrange", "rearranged")):
        found = rough.distributions(FEATURES, monotone=monotone)
        curves = found.quantiles(LEVELS)
        assert (np.diff(curves, axis=1) >= 0).all()
        moved = found.columns["moved"]
        assert np.array_equal(moved > 0, falls)
        gap = np.sqrt((curves - raw) ** 2 @ cell_masses(LEVELS))
        assert_allclose(moved, gap, atol=1e-14)
        note = f"{falls.sum()} of 30 {verb} to be nondecreasing, moved by up to"
        assert note in str(found.summary())
    assert_allclose(rough.predict(FEATURES), raw)


def test_draws_come_first_among_predicted_units():
    many = points_at(dc.VolumeSampling(SPACE, 7), np.stack([INDEX, INDEX + 0, INDEX]))
    data = dc.RandomDistributions.from_quantiles(np.tile(CURVES[INDEX], (3, 1)), LEVELS)
    fit = dc.wls(many, data)
    assert fit.coef.shape == (3, 3, 4)
    predicted = fit.distributions(FEATURES)
    assert len(predicted) == 90
    one = dc.wls(POINTS, DATA).distributions(FEATURES)
    again = predicted.quantiles(LEVELS)[60:]
    assert_allclose(again, one.quantiles(LEVELS), rtol=1e-12)


def test_errors_of_curves_are_unbiased_in_the_distance_of_curves():
    """The residual identity, with the 2-Wasserstein distance for the absolute value."""
    case = finite_cases()[0]
    curves = np.stack([case.f - 1, case.f + case.f**2 / 9, case.f + 9], axis=1)
    levels, mass = np.array([0.2, 0.5, 0.9]), np.array([0.35, 0.35, 0.3])
    assert_allclose(cell_masses(levels), mass)
    points, probability = every_tuple(case, 1.0, 4)
    fit = dc.wls(points, curves[points.index], levels=levels)
    w = case.mass / case.mass.sum()
    root = np.sqrt(w)[:, None]
    best = np.linalg.lstsq(root * case.features, root * curves, rcond=None)[0]
    error = mass @ (w @ (curves - case.features @ best) ** 2)
    assert_allclose(probability @ fit.best_error**2, error, rtol=1e-9)
    # Vectors of another kind have the norm of Euclid.
    plain = dc.wls(points, curves[points.index])
    total = plain.residual_error_sq.sum(axis=1)
    assert_allclose(plain.best_error**2, total, rtol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_an_affine_change_of_outcomes_changes_predictions_alike(seed):
    rng = np.random.default_rng(seed)
    curves = np.sort(rng.normal(size=(7, 4)), axis=1)
    scale, shift = rng.exponential() + 0.1, rng.normal()
    one = dc.wls(POINTS, dc.RandomDistributions.from_quantiles(curves, LEVELS))
    changed = dc.RandomDistributions.from_quantiles(scale * curves + shift, LEVELS)
    two = dc.wls(POINTS, changed).distributions(FEATURES).quantiles(LEVELS)
    expected = scale * one.distributions(FEATURES).quantiles(LEVELS) + shift
    assert_allclose(two, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("y", "levels", "words"),
    [
        (DATA.take(np.arange(6)), None, "one unit for each of the 7 points"),
        (dc.RandomDistributions.from_samples(CURVES[INDEX]), None, "levels should say"),
        (DATA, [0.5, 0.2], "strictly increasing"),
        (CURVES[INDEX], [0.5, 0.7], "holds 4 values"),
        (np.ones(7), [0.5], "holds one value"),
    ],
)
def test_distributions_are_refused(y, levels, words):
    with pytest.raises(dc.DataError, match=words):
        dc.wls(POINTS, y, levels=levels)


def test_only_fits_of_curves_predict_distributions():
    with pytest.raises(dc.DesignError, match="levels were given"):
        dc.wls(POINTS, np.ones(7)).distributions(FEATURES)
    with pytest.raises(dc.DesignError, match="monotone 'sort'"):
        dc.wls(POINTS, DATA).distributions(FEATURES, monotone="sort")
