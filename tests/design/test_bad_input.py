"""Every wrong input is refused with the rule, the place and the remedy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design import sampling
from distcausal.numerics.determinant import Draws
from tests.design.cases import points_at

X = np.vander(np.linspace(-1, 1, 8), 3)
SPACE = dc.FiniteSpace(X)
CUBE = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(1))


def masses(**changes: float) -> np.ndarray:
    mass = np.ones(8)
    for place, value in changes.items():
        mass[int(place[1:])] = value
    return mass


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: dc.FiniteSpace(X[:, 0]), ["matrix", "(8,)"]),
        (lambda: dc.FiniteSpace(np.zeros((0, 2))), ["matrix", "(0, 2)"]),
        (lambda: dc.FiniteSpace([["a"]]), ["features should be numbers"]),
        (lambda: dc.FiniteSpace(np.where(X > 0.9, np.nan, X)), ["finite", "column 0"]),
        (lambda: dc.FiniteSpace(X[:2]), ["3 features", "at least 3", "there are 2"]),
        (lambda: dc.FiniteSpace(X, masses(p1=-1)), ["negative", "1 of 8", "points 1"]),
        (lambda: dc.FiniteSpace(X, masses(p2=np.nan)), ["finite", "points 2"]),
        (lambda: dc.FiniteSpace(X, np.zeros(8)), ["all of it is zero"]),
        (lambda: dc.FiniteSpace(X, np.ones(7)), ["8 points", "(7,)"]),
        (lambda: dc.FiniteSpace(X, [1, 1] + [0] * 6), ["at least 3", "there are 2"]),
    ],
)
def test_a_space_refuses(make, words):
    with pytest.raises(dc.DataError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_dependent_features_are_named(scale):
    frame = pd.DataFrame({"one": 1.0, "age": np.arange(8.0), "year": np.nan})
    frame["year"] = scale * (2026 - frame["age"])
    with pytest.raises(dc.DataError, match=r"rank is 2, not 3.*year\. Remove"):
        dc.FiniteSpace(frame)
    with pytest.raises(dc.DataError, match="determine column 2"):
        dc.FiniteSpace(frame.to_numpy())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: dc.IID(SPACE, 2), ["2 points", "3 functions"]),
        (lambda: dc.VolumeSampling(SPACE, 2), ["2 points", "3 functions"]),
        (lambda: dc.VolumeSampling(SPACE, 4.0), ["size 4.0", "whole number"]),
        (lambda: dc.VolumeSampling(SPACE, True), ["size True", "whole number"]),
        (lambda: dc.RepeatedDPP(SPACE, 0), ["repeats 0", "whole number"]),
        (lambda: dc.IID(SPACE, 4, weight="two"), ["'two'", "'christoffel', 'one'"]),
        (lambda: dc.IID(SPACE, 4, weight=1.5), ["1.5", "integrates to one"]),
        (lambda: dc.IID(SPACE, 4, weight=np.nan), ["nan", "integrates to one"]),
        (lambda: dc.IID(SPACE, 4, weight=True), ["True", "integrates to one"]),
        (lambda: dc.ProjectionDPP(SPACE, sampler="mcmc"), ["'mcmc'", "'stream'"]),
        (lambda: dc.ProjectionDPP(CUBE, sampler="chain"), ["needs a FiniteSpace"]),
        (lambda: dc.ProjectionDPP(CUBE).log_prob([0, 1, 2]), ["probability zero"]),
        (lambda: dc.ProjectionDPP(SPACE).log_prob([0, 1]), ["sets of 3", "(2,)"]),
        (lambda: dc.ProjectionDPP(SPACE).log_prob([0, 1, 8]), ["from 0 to 7"]),
        (lambda: dc.ProjectionDPP(SPACE).log_prob([0.0, 1, 2]), ["float64"]),
        (lambda: dc.ProjectionDPP(SPACE).sample_many(0), ["draws 0"]),
        (lambda: dc.ProjectionDPP(SPACE).sample(seed=-1), ["seed -1"]),
        (lambda: dc.ProjectionDPP(SPACE).sample(seed=0.5), ["seed 0.5"]),
        (lambda: dc.TotalDegree(-1), ["degree -1"]),
        (lambda: dc.Tensor(2.0), ["degree 2.0"]),
        (lambda: dc.HyperbolicCross(True), ["degree True"]),
        (lambda: dc.Tensor(9).multi_indices(5), ["more than 20000", "Hyperbolic"]),
        (lambda: dc.PolynomialSpace("hermit"), ["'hermit'", "'legendre'"]),
        (lambda: dc.PolynomialSpace(dim=0), ["dim 0"]),
        (lambda: dc.PolynomialSpace(dim=2, index=[[0], [1]]), ["rows of 2", "(2, 1)"]),
        (lambda: dc.PolynomialSpace(index=[0, -1]), ["nonnegative"]),
        (lambda: dc.PolynomialSpace(index=[]), ["one row per function"]),
        (lambda: dc.PolynomialSpace(index=[0, 1, 1]), ["once", "2 times"]),
    ],
)
def test_a_design_refuses(make, words):
    with pytest.raises(dc.DesignError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value


ONE = dc.VolumeSampling(SPACE, 5).sample()
MANY = dc.VolumeSampling(SPACE, 5).sample_many(4)


@pytest.mark.parametrize(
    ("points", "y", "words"),
    [
        (ONE, np.ones(4), ["shape (5)", "(4,)"]),
        (ONE, np.ones((5, 2, 2)), ["(5, q)"]),
        (ONE, ["a"] * 5, ["y should be numbers"]),
        (ONE, [1, 2, np.nan, 4, np.inf], ["2 of 5", "(2, 4)", "draw another"]),
        (ONE, np.where(np.eye(5)[:, :2] > 0, np.nan, 1.0), ["2 of 5", "(0, 1)"]),
        (MANY, np.ones(5), ["shape (4, 5)", "(5,)"]),
        (MANY, np.where(np.eye(4, 5) > 0, np.nan, 1.0), ["4 of 20", "(0, 0), (1, 1)"]),
        (X, np.ones(8), ["sample()", "ndarray"]),
    ],
)
def test_a_fit_refuses(points, y, words):
    with pytest.raises(dc.DataError) as caught:
        dc.wls(points, y)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_fit_refuses_unknown_standard_errors():
    with pytest.raises(dc.DesignError, match="'hc9' is not one of 'hc0'"):
        dc.wls(ONE, np.ones(5), leverage="hc9")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ones((4, 3)), "2 columns"),
        (np.array([[0.0, 1.5]]), "1 of 1"),
        (np.array([[0.0, np.nan]]), "first in row 0"),
    ],
)
def test_a_prediction_refuses_points_outside_the_cube(x, words):
    points = dc.IID(CUBE, 9).sample()
    with pytest.raises(dc.DataError, match=words):
        dc.wls(points, np.ones(9)).predict(x)


def test_a_prediction_refuses_features_of_another_number():
    with pytest.raises(dc.DataError, match="3 features"):
        dc.wls(ONE, np.ones(5)).predict(np.ones((4, 2)))


def test_points_that_do_not_determine_the_functions_are_reported():
    points = points_at(dc.IID(SPACE, 3, weight="one"), np.array([1, 1, 5]))
    with pytest.warns(dc.InferenceWarning, match="1 of 1 designs do not determine"):
        fit = dc.wls(points, np.array([1.0, 1.0, 2.0]))
    assert_allclose(fit.predict(X[[1, 5]]), [1, 2], atol=1e-12)
    assert fit.certificate.uniform_factor > 1e6


def test_single_precision_input_is_computed_in_double():
    low = X.astype(np.float32)
    one, two = dc.FiniteSpace(low), dc.FiniteSpace(low.astype(float))
    assert one.rows.dtype == np.float64
    points = dc.VolumeSampling(one, 5).sample(seed=1)
    other = dc.VolumeSampling(two, 5).sample(seed=1)
    assert points == other
    y = np.linspace(0, 1, 5, dtype=np.float32)
    assert dc.wls(points, y).coef.dtype == np.float64


def test_a_value_fitted_whatever_it_is_has_no_standard_error():
    dummies = np.kron(np.eye(2), np.ones((4, 1)))
    space = dc.FiniteSpace(dummies)
    points = points_at(dc.VolumeSampling(space, 4), np.array([0, 4, 5, 6]))
    y = np.array([1.0, 2.0, 3.0, 5.0])
    fit = dc.wls(points, y)
    assert np.isnan(fit.std_error).tolist() == [True, False]
    assert np.isfinite(dc.wls(points, y, leverage="hc0").std_error).all()


@pytest.mark.parametrize(("filled", "lowest"), [(2, 0.0), (3, -1e-6), (3, np.nan)])
def test_a_draw_that_rounding_spoilt_is_not_returned(monkeypatch, filled, lowest):
    def spoilt(*_, **__):
        return Draws(jnp.zeros((1, 3), int), jnp.array([filled]), jnp.array([lowest]))

    monkeypatch.setattr(sampling, "chain_draws", spoilt)
    with pytest.raises(dc.ConvergenceError, match=rf"{filled} of 3.*Use fewer"):
        dc.ProjectionDPP(SPACE, sampler="chain").sample()
