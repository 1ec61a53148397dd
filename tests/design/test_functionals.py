"""Linear functionals of fits: direct computation, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design import functional
from tests.design.cases import SHARES, every_tuple, finite_cases, points_at

SPACE = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2))
LINE = dc.PolynomialSpace(index=dc.TotalDegree(4))
GRID = np.random.default_rng(0).uniform(-1, 1, (7, 2))
POINTS = points_at(
    dc.VolumeSampling(SPACE, 16), np.random.default_rng(1).uniform(-1, 1, (16, 2))
)
VALUES = np.exp(POINTS.x.sum(axis=1)) + np.abs(POINTS.x[:, 0])
FIT = dc.wls(POINTS, VALUES)
CURVES = dc.wls(POINTS, VALUES[:, None] * [1.0, 2.0, -1.0])


def sandwich(fit: dc.WLSResult, weights: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("km,mn,kn->k", weights, fit.covariance, weights))


def test_values_are_predictions_with_errors():
    found = FIT.value(GRID)
    assert_allclose(found.estimate, FIT.predict(GRID), rtol=1e-12)
    rows = FIT.basis.evaluate(GRID)
    assert_allclose(found.std_error, sandwich(FIT, rows), rtol=1e-9)
    low, high = found.conf_int(0.9)
    # Student's law with 16 - 6 degrees of freedom.
    assert found.df == FIT.df == 10
    assert_allclose((high - low) / 2, 1.8124611 * found.std_error, rtol=1e-6)
    curves = CURVES.value(GRID)
    assert_allclose(curves.estimate, CURVES.predict(GRID), rtol=1e-12)
    assert_allclose(curves.std_error, found.std_error[:, None] * [1, 2, 1], rtol=1e-9)


def test_a_functional_of_the_function_is_one_of_its_coefficients():
    def rise(f):
        return f([[0.5, 0.0]])[0] - f([[-0.5, 0.0]])[0]

    found = FIT.functional(rise)
    ends = FIT.predict([[0.5, 0.0], [-0.5, 0.0]])
    assert_allclose(found.estimate, ends[0] - ends[1], rtol=1e-10)
    assert found.name == "rise"
    weights = FIT.basis.evaluate([[0.5, 0.0], [-0.5, 0.0]])
    by_hand = FIT.functional(weights[0] - weights[1], 0.9, name="by hand")
    assert_allclose(by_hand.std_error, found.std_error, rtol=1e-12)
    assert (by_hand.name, by_hand.confidence) == ("by hand", 0.9)
    several = CURVES.functional(lambda f: f(GRID))
    assert several.estimate.shape == (7, 3)


def test_derivatives_are_those_of_the_polynomial():
    points = points_at(dc.VolumeSampling(LINE, 8), np.linspace(-0.9, 0.9, 8)[:, None])
    cubic = np.polynomial.Polynomial([1.0, -2.0, 0.5, 3.0])
    fit = dc.wls(points, cubic(points.x[:, 0]))
    at = np.linspace(-1, 1, 5)
    assert_allclose(fit.derivative(at).estimate, cubic.deriv()(at), atol=1e-9)
    step = 1e-5
    for dimension in (0, 1):
        shift = step * np.eye(2)[dimension]
        inside = GRID * 0.9
        ahead, behind = FIT.predict(inside + shift), FIT.predict(inside - shift)
        found = FIT.derivative(inside, dimension=dimension).estimate
        # Central differences of quadratics are exact but for rounding over the step.
        assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-8)


def test_jumps_and_averages_are_differences_and_means_of_predictions():
    jump = FIT.jump([[-0.01, 0.0]], [[0.01, 0.0]])
    ends = FIT.predict([[-0.01, 0.0], [0.01, 0.0]])
    assert_allclose(jump.estimate, [ends[1] - ends[0]], rtol=1e-9)
    weights = np.arange(1.0, 8.0)
    found = FIT.average(GRID, weights)
    expected = np.average(FIT.predict(GRID), weights=weights)
    assert_allclose(found.estimate, expected, rtol=1e-12)
    assert_allclose(FIT.average(GRID).estimate, FIT.predict(GRID).mean(), rtol=1e-12)


def test_a_jump_at_a_cutoff_is_the_coefficient_of_its_indicator():
    x = np.linspace(-1, 1, 41)
    side = (x >= 0).astype(float)
    features = np.stack([np.ones(41), x, side, side * x], axis=1)
    space = dc.FiniteSpace(features)
    points = points_at(dc.VolumeSampling(space, 41), np.arange(41))
    y = np.sin(x) + 2 * side + np.random.default_rng(0).normal(size=41)
    fit = dc.wls(points, y)
    below, above = [[1.0, 0, 0, 0]], [[1.0, 0, 1, 0]]
    jump = fit.jump(below, above)
    assert_allclose(jump.estimate, fit.coef_features[2], rtol=1e-9)


def test_a_space_with_a_cutoff_knows_where_to_jump():
    running = np.linspace(-1, 1, 60)
    space = dc.CutoffSpace(running, bandwidth=0.8)
    points = points_at(dc.VolumeSampling(space, 20), np.arange(10, 50, 2))
    x = points.x[:, 0]
    fit = dc.wls(points, x**2 + 3 * (x >= 0))
    assert_allclose(fit.jump().estimate, space.jump @ fit.coef, rtol=1e-12)
    assert fit.jump().std_error > 0
    with pytest.raises(dc.DesignError, match="no cutoff"):
        FIT.jump()


def test_the_integral_of_volume_sampling_is_unbiased_for_every_function():
    case = next(case for case in finite_cases() if case.name == "quadratic_6pts")
    mean = case.mass @ case.f / case.mass.sum()
    for share in SHARES.values():
        points, probability = every_tuple(case, share, 4)
        fit = dc.wls(points, case.f[points.index])
        found = fit.integral()
        assert_allclose(probability @ found.estimate, mean, rtol=1e-10)
        weights = fit.quadrature_weights
        assert_allclose(weights.sum(axis=1), 1, rtol=1e-9)
        by_weights = np.sum(weights * case.f[points.index], axis=1)
        assert_allclose(by_weights, found.estimate, rtol=1e-8)


def test_integrals_of_polynomials_are_exact():
    fit = dc.wls(POINTS, POINTS.x[:, 0] ** 2 + 3)
    assert_allclose(fit.integral().estimate, 1 / 3 + 3, rtol=1e-12)
    assert_allclose(FIT.constant, np.eye(6)[0], atol=1e-12)
    weights = FIT.quadrature_weights
    assert_allclose(weights @ POINTS.x[:, 1] ** 2, 1 / 3, rtol=1e-9)


@pytest.mark.parametrize("index", [[0, 3], [0, 1, 2, 3, 4]], ids=["just", "spare"])
def test_spaces_without_constants_have_no_integral(index):
    """Also where as many points as functions let every value be met."""
    space = dc.FiniteSpace(np.array([[1.0, 0], [2, 1], [1, 1], [0, 2], [1, -1]]))
    points = points_at(dc.VolumeSampling(space, len(index)), np.array(index))
    fit = dc.wls(points, np.ones(len(index)))
    assert fit.constant is None
    assert fit.quadrature_weights is None
    with pytest.raises(dc.DesignError, match="constants are in the space"):
        fit.integral()


def test_functions_that_are_almost_constant_are_none():
    """Distances from the space are squared in a norm, and seen in values."""
    features = np.exp(1e-4 * np.linspace(0, 1, 50))[:, None]
    points = points_at(dc.IID(dc.FiniteSpace(features), 3), np.array([0, 20, 49]))
    assert dc.wls(points, np.ones(3)).constant is None
    exact = points_at(dc.IID(dc.FiniteSpace(np.ones((50, 1))), 1), np.array([3]))
    assert dc.wls(exact, np.ones(1)).constant is not None


def test_a_function_of_norm_one_need_not_be_constant():
    """The best fit to ones has the norm of the constant here, and misses it."""
    feature = np.array([1.2, 0.6, np.sqrt(1.2)])[:, None]
    points = points_at(dc.IID(dc.FiniteSpace(feature), 2, "one"), np.array([0, 1]))
    fit = dc.wls(points, np.ones(2))
    assert_allclose(np.linalg.norm(fit.coef), 1, rtol=1e-12)
    assert fit.constant is None


def test_functions_that_look_constant_at_the_points_drawn_have_no_integral():
    """Two levels coded by signs: a space without the constant."""
    signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    points = points_at(dc.IID(dc.FiniteSpace(signs), 2), np.array([0, 1]))
    assert dc.wls(points, np.ones(2)).constant is None


def test_every_space_knows_whether_constants_are_in_it():
    inside = [
        dc.PolynomialSpace("hermite", 2, dc.TotalDegree(3)),
        dc.PolynomialSpace("laguerre", index=dc.TotalDegree(4), shape=0.5),
        dc.PolynomialSpace("jacobi", index=dc.TotalDegree(4), shape=(0.3, -0.2)),
        dc.TrigonometricSpace(),
        dc.SplineSpace([0.0, 0.2, 0.5, 1.0]),
        dc.CutoffSpace(np.linspace(-1, 1, 50), bandwidth=0.7),
        dc.StreamedSpace(np.vander(np.linspace(-1, 1, 50), 3)),
    ]
    outside = [
        dc.MercerSpace("brownian_bridge", 4),
        dc.PolynomialSpace(index=[[1], [2]]),
        dc.FiniteSpace(np.arange(1.0, 9.0)[:, None]),
    ]
    assert_allclose([np.linalg.norm(space.means) for space in inside], 1, rtol=1e-10)
    assert max(np.linalg.norm(space.means) for space in outside) < 0.99


@given(st.integers(0, 2**32 - 1))
def test_functionals_do_not_depend_on_the_features_of_the_space(seed):
    """Values, averages and integrals belong to the span; so do their errors."""
    rng = np.random.default_rng(seed)
    features = np.column_stack([np.ones(9), rng.normal(size=(9, 2))])
    change = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    y = rng.normal(size=7)
    index = rng.permutation(9)[:7]
    found = []
    for columns in (features, features @ change):
        space = dc.FiniteSpace(columns)
        fit = dc.wls(points_at(dc.VolumeSampling(space, 7), index), y)
        asked = (fit.value(columns[:4]), fit.average(columns), fit.integral())
        found += [[*np.ravel(one.estimate), *np.ravel(one.std_error)] for one in asked]
    for one, other in zip(found[:3], found[3:], strict=True):
        # Condition numbers of the change reach 1e3.
        assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_draws_come_first_and_their_average_has_the_error_of_their_spread():
    x = np.random.default_rng(2).uniform(-1, 1, (5, 16, 2))
    many = points_at(dc.VolumeSampling(SPACE, 16), x)
    y = np.exp(x.sum(axis=2))
    fit = dc.wls(many, y)
    found = fit.value(GRID)
    assert found.estimate.shape == found.std_error.shape == (5, 7)
    mean, error = found.averaged()
    assert_allclose(mean, found.estimate.mean(axis=0))
    assert_allclose(error, found.estimate.std(axis=0, ddof=1) / np.sqrt(5))
    alone = dc.wls(points_at(dc.VolumeSampling(SPACE, 16), x[3]), y[3])
    assert_allclose(found.std_error[3], alone.value(GRID).std_error, rtol=1e-9)
    curves = dc.wls(many, y[..., None] * [1.0, 2.0]).integral()
    assert curves.estimate.shape == (5, 2)


@pytest.mark.parametrize("numbers", [1, 50])
def test_errors_of_many_functionals_are_those_of_each(numbers, monkeypatch):
    """Also when memory allows a part of them at a time."""
    monkeypatch.setattr(functional, "_MOST_NUMBERS", numbers)
    x = np.random.default_rng(2).uniform(-1, 1, (3, 16, 2))
    y = np.stack([np.exp(x[..., 0]), np.abs(x[..., 1])], axis=-1)
    fit = dc.wls(points_at(dc.VolumeSampling(SPACE, 16), x), y)
    found, rows = fit.value(GRID).std_error, SPACE.basis.evaluate(GRID)
    for draw, place, response in np.ndindex(3, 7, 2):
        square = rows[place] @ fit.covariance[draw, response] @ rows[place]
        assert_allclose(found[draw, place, response], np.sqrt(square), rtol=1e-9)


def test_rows_of_a_frame_say_what_they_are_about():
    """Draws, functionals, and levels of curves or numbers of other values."""
    x = np.random.default_rng(2).uniform(-1, 1, (2, 16, 2))
    many = points_at(dc.VolumeSampling(SPACE, 16), x)
    y = np.sort(np.random.default_rng(3).normal(size=(2, 16, 3)), axis=-1)
    levels = np.array([0.1, 0.5, 0.9])
    for fit, last, labels in (
        (dc.wls(many, y, levels=levels), "level", levels),
        (dc.wls(many, y), "response", [0, 1, 2]),
    ):
        found = fit.value(GRID)
        frame = found.tidy()
        assert list(frame.columns[:5]) == [
            "term",
            "draw",
            "functional",
            last,
            "estimate",
        ]
        cell = (frame["draw"] == 1) & (frame["functional"] == 4)
        rows = frame[cell & (frame[last] == labels[2])]
        assert rows["estimate"].item() == found.estimate[1, 4, 2]
        assert rows["std_error"].item() == found.std_error[1, 4, 2]
        assert set(frame["term"]) == {"value"}
        assert f"functional, {last}" in str(found)
        assert fit.tidy().columns[2] == last
    assert "functional" not in str(FIT.value(GRID[:1])).replace("Functional", "")
    assert list(FIT.integral().tidy().columns[:2]) == ["term", "estimate"]
    assert list(CURVES.integral().tidy()["response"]) == [0, 1, 2]
    assert "level" in dc.wls(many, y, levels=levels).plot_data()


def test_a_coefficient_without_an_error_harms_only_what_uses_it():
    space = dc.FiniteSpace(np.kron(np.eye(2), np.ones((4, 1))))
    points = points_at(dc.VolumeSampling(space, 4), np.array([0, 4, 5, 6]))
    fit = dc.wls(points, np.array([1.0, 2.0, 3.0, 5.0]))
    found = fit.functional(np.eye(2))
    assert np.isnan(found.std_error).tolist() == [True, False]
    assert_allclose(found.std_error[1], fit.std_error[1])


@pytest.mark.parametrize(
    ("functional", "error", "words"),
    [
        (lambda f: f(GRID)[0] ** 2, dc.DesignError, "not linear"),
        (lambda f: f(GRID)[0] + 1, dc.DesignError, "not linear"),
        (lambda f: f(GRID).max(), dc.DesignError, r"reduce the points: shape \(6,\)"),
        (np.ones(5), dc.DataError, "6 coefficients.*another space"),
        (np.full(6, np.nan), dc.DataError, "finite"),
        ("slope", dc.DataError, "no callable should be numbers, but holds text"),
    ],
)
def test_a_functional_is_refused(functional, error, words):
    with pytest.raises(error, match=words):
        FIT.functional(functional)


def test_questions_without_an_answer_are_refused():
    with pytest.raises(dc.DesignError, match=r"confidence 1\.5"):
        FIT.functional(np.ones(6), 1.5)
    with pytest.raises(dc.DesignError, match="as many points"):
        FIT.jump(GRID[:2], GRID[:3])
    with pytest.raises(dc.DataError, match="weights should be finite and not negative"):
        FIT.average(GRID, -np.ones(7))
    with pytest.raises(dc.DataError, match="7 points; got shape"):
        FIT.average(GRID, np.ones(3))
    with pytest.raises(dc.DesignError, match="dimension 2 should be one of the 2"):
        FIT.derivative(GRID, dimension=2)
    space = dc.FiniteSpace(np.vander(np.arange(5.0), 2))
    points = points_at(dc.VolumeSampling(space, 4), np.arange(4))
    with pytest.raises(dc.DesignError, match="derivatives need functions of coordi"):
        dc.wls(points, np.ones(4)).derivative([[1.0, 2.0]])


def test_estimates_are_results_like_others():
    for found in (FIT.integral(), FIT.value(GRID), CURVES.value(GRID)):
        assert "Linear Functional" in str(found)
        assert found.to_latex().count("tabular") >= 2
        assert "nouy2025" in found.cite()
        frame = found.tidy()
        assert len(frame) == np.size(found.estimate)
        assert_allclose(frame["conf_high"], np.ravel(found.conf_int()[1]))
        assert len(found.glance()) == 1
        assert type(found).from_json(found.to_json()) == found
        assert repr(found).startswith("<FunctionalEstimate")


@pytest.mark.slow
def test_intervals_cover_the_value_of_the_best_approximation():
    """2,000 draws, 60 points, noise that grows with x.

    The standard error of a coverage of 0.95 is 0.005, so 0.93 is four of them below.
    HC3 errs on the large side, so up to 0.975 is allowed above.
    """
    points = dc.IID(LINE, 60).sample_many(2000, seed=1)
    x = points.x[..., 0]
    noise = np.random.default_rng(0).normal(size=x.shape) * (1 + x) * 0.3
    fit = dc.wls(points, np.exp(x) + noise)
    low, high = fit.value([0.3]).conf_int()
    truth = np.exp(0.3)
    covered = np.mean((low <= truth) & (truth <= high))
    assert 0.93 <= covered <= 0.975
    low, high = fit.integral().conf_int()
    assert 0.93 <= np.mean((low <= np.sinh(1)) & (np.sinh(1) <= high)) <= 0.975
