"""Standard errors and left-out residuals against other programs and refits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design.assemble import keeps_covariance
from distcausal.design.observed import observed
from tests.design.cases import points_at

SPACE = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2))
ROWS = (9, 20)


@st.composite
def fitted(draw):
    """Independent points with every weight, and a function that is rough."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.sampled_from(ROWS))
    share = draw(st.sampled_from([0.0, 0.5, 1.0]))
    design = dc.VolumeSampling(SPACE, count, share)
    points = points_at(design, rng.uniform(-1, 1, (count, 2)))
    return points, rng.normal(size=count)


@given(fitted(), st.sampled_from(["hc0", "hc1", "hc2", "hc3"]))
def test_covariance_is_that_of_another_program(case, leverage):
    import statsmodels.api as sm

    points, y = case
    fit = dc.wls(points, y, leverage=leverage)
    root = np.sqrt(points.weights)
    other = sm.OLS(root * y, root[:, None] * points.values).fit()
    expected = getattr(other, f"cov_{leverage.upper()}")
    scale = np.abs(expected).max()
    # Condition numbers reach 1e3 with nine points, and enter twice.
    assert_allclose(fit.coef, other.params, rtol=1e-8, atol=1e-8)
    assert_allclose(fit.covariance, expected, rtol=1e-6, atol=1e-8 * scale)
    assert_allclose(fit.std_error, np.sqrt(np.diag(expected)), rtol=1e-6)


@given(fitted())
def test_left_out_residuals_are_those_of_fits_without_the_point(case):
    points, y = case
    found = dc.wls(points, y).loo_residual
    for place in range(len(y)):
        kept = np.arange(len(y)) != place
        root = np.sqrt(points.weights[kept])
        rows = points.values[kept] * root[:, None]
        coef = np.linalg.lstsq(rows, y[kept] * root, rcond=None)[0]
        expected = y[place] - points.values[place] @ coef
        # A point with leverage near one leaves badly determined fits behind.
        assert_allclose(found[place], expected, rtol=1e-6, atol=1e-6)


def test_a_point_that_the_others_do_not_replace_has_no_left_out_residual():
    space = dc.FiniteSpace(np.kron(np.eye(2), np.ones((4, 1))))
    points = points_at(dc.VolumeSampling(space, 4), np.array([0, 4, 5, 6]))
    fit = dc.wls(points, np.array([1.0, 2.0, 3.0, 5.0]))
    assert np.isnan(fit.loo_residual).tolist() == [True, False, False, False]
    assert_allclose(fit.loo_residual[1:], [-2.0, -0.5, 2.5])
    x = np.random.default_rng(5).uniform(-1, 1, (6, 2))
    exact = dc.wls(points_at(dc.ProjectionDPP(SPACE), x), np.arange(6.0))
    assert np.isnan(exact.loo_residual).all()


@pytest.mark.parametrize("leverage", ["hc0", "hc3"])
def test_vectors_and_batches_have_the_covariances_of_their_parts(leverage):
    x = np.random.default_rng(4).uniform(-1, 1, (3, 12, 2))
    many = points_at(dc.VolumeSampling(SPACE, 12), x)
    y = np.stack([np.exp(many.x[..., 0]), np.abs(many.x[..., 1])], axis=-1)
    batch = dc.wls(many, y, leverage=leverage)
    assert batch.covariance.shape == (3, 2, 6, 6)
    one = points_at(dc.VolumeSampling(SPACE, 12), many.x[2])
    alone = dc.wls(one, y[2, :, 1], leverage=leverage)
    assert_allclose(batch.covariance[2, 1], alone.covariance, rtol=1e-9)
    assert_allclose(batch.loo_residual[2, :, 1], alone.loo_residual, rtol=1e-9)
    diagonal = np.diagonal(batch.covariance, axis1=-2, axis2=-1)
    assert_allclose(np.sqrt(diagonal).swapaxes(1, 2), batch.std_error, rtol=1e-12)


def test_covariances_of_very_many_fits_are_left_out():
    """Standard errors stay; a matrix for each of very many responses does not."""
    x = np.random.default_rng(3).uniform(-1, 1, (2, 12, 2))
    many = points_at(dc.VolumeSampling(SPACE, 12), x)
    few = observed(np.ones((2, 12)), many, None)
    assert keeps_covariance(many, few)
    wide = observed(np.broadcast_to(1.0, (2, 12, 250_000)), many, None)
    assert not keeps_covariance(many, wide)
    fit = dc.wls(many, wide.values)
    assert fit.covariance is None
    assert fit.std_error.shape == (2, 6, 250_000)
    with pytest.warns(dc.InferenceWarning, match="covariances of 2 fits of 250000"):
        found = fit.functional(np.ones(6))
    assert np.isnan(found.std_error).all()


def test_the_singular_and_the_nearly_singular_are_told_apart():
    """Both are fitted, warned of, and never drawn again."""
    x = np.linspace(-1, 1, 9)
    space = dc.FiniteSpace(np.stack([x**0, x, x**2], axis=1))
    points = points_at(dc.IID(space, 3), np.array([1, 1, 5]))
    with pytest.warns(dc.InferenceWarning, match="do not determine the 3 functions"):
        dc.wls(points, np.ones(3))
    close = dc.PolynomialSpace(index=dc.TotalDegree(2))
    points = points_at(dc.IID(close, 3), np.array([[0.0], [1e-9], [0.5]]))
    with pytest.warns(dc.InferenceWarning, match="badly .condition number of G .*e"):
        fit = dc.wls(points, points.values @ [1.0, 2.0, 3.0])
    # The values are met, whatever digits the coefficients have lost.
    assert_allclose(fit.predict([0.0, 0.5]), points.values[[0, 2]] @ [1, 2, 3])
