"""Results of fits: shapes, standard errors, tables, storage."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.design.points import DesignPoints
from distcausal.design.result import WLSResult
from tests.design.cases import points_at

SPACE = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2))
POINTS = dc.VolumeSampling(SPACE, 14).sample(seed=1)
MANY = dc.VolumeSampling(SPACE, 14).sample_many(5, seed=1)
VALUES = np.exp(POINTS.x.sum(axis=1))
MANY_VALUES = np.exp(MANY.x.sum(axis=2))
CURVES = MANY_VALUES[..., None] * np.array([1.0, 2.0, -1.0])
GRID = np.random.default_rng(0).uniform(-1, 1, (7, 2))
FITS = {
    "one": dc.wls(POINTS, VALUES),
    "curves": dc.wls(POINTS, VALUES[:, None] * [1.0, 2.0, -1.0]),
    "many": dc.wls(MANY, MANY_VALUES),
    "many curves": dc.wls(MANY, CURVES),
    "exact": dc.wls(dc.ProjectionDPP(SPACE).sample(), np.arange(6.0)),
}
each_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)


@pytest.mark.parametrize(
    ("name", "coef", "error", "predicted"),
    [
        ("one", (6,), (), (7,)),
        ("curves", (6, 3), (3,), (7, 3)),
        ("many", (5, 6), (5,), (5, 7)),
        ("many curves", (5, 6, 3), (5, 3), (5, 7, 3)),
    ],
)
def test_every_field_gains_axes_for_draws_and_values(name, coef, error, predicted):
    fit = FITS[name]
    assert fit.coef.shape == fit.coef_features.shape == fit.std_error.shape == coef
    assert np.shape(fit.residual_error_sq) == error
    assert np.shape(fit.certificate.gram_min) == error[: fit.draws is not None]
    assert fit.predict(GRID).shape == predicted
    assert fit.estimate is fit.coef


def test_a_batch_fits_each_draw_as_if_alone():
    for draw, points in enumerate(MANY.x):
        alone = points_at(dc.VolumeSampling(SPACE, 14), points)
        fit = dc.wls(alone, CURVES[draw])
        batch = FITS["many curves"]
        assert_allclose(batch.coef[draw], fit.coef, atol=1e-12)
        assert_allclose(batch.std_error[draw], fit.std_error, atol=1e-12)
        assert_allclose(
            batch.residual_error_sq[draw], fit.residual_error_sq, atol=1e-14
        )
        assert_allclose(batch.predict(GRID)[draw], fit.predict(GRID), atol=1e-12)
        low = batch.certificate.gram_min[draw]
        assert_allclose(low, fit.certificate.gram_min, rtol=1e-10)


@pytest.mark.parametrize("leverage", ["hc0", "hc1", "hc2", "hc3"])
def test_standard_errors_are_the_sandwich_written_out(leverage):
    root = np.sqrt(POINTS.weights)
    a = POINTS.values * root[:, None]
    inverse = np.linalg.inv(a.T @ a)
    hat = np.einsum("ij,jk,ik->i", a, inverse, a)
    residual = root * VALUES - a @ (inverse @ a.T @ (root * VALUES))
    scale = {"hc0": 1, "hc1": 14 / 8, "hc2": 1 / (1 - hat), "hc3": (1 - hat) ** -2.0}
    meat = (a * (residual**2 * scale[leverage])[:, None]).T @ a
    expected = np.sqrt(np.diag(inverse @ meat @ inverse))
    found = dc.wls(POINTS, VALUES, leverage=leverage).std_error
    assert_allclose(found, expected, rtol=1e-9)
    assert_allclose(FITS["one"].leverage, hat, rtol=1e-9)


def test_certificate_is_read_off_the_gram_matrix():
    a = POINTS.values * np.sqrt(POINTS.weights / 14)[:, None]
    spectrum = np.linalg.eigvalsh(a.T @ a)
    certificate = FITS["one"].certificate
    assert_allclose(certificate.gram_min, spectrum[0], rtol=1e-9)
    assert_allclose(certificate.gram_max, spectrum[-1], rtol=1e-9)
    assert_allclose(certificate.condition, spectrum[-1] / spectrum[0], rtol=1e-9)
    factor = 1 + np.sqrt(POINTS.weights.mean() / spectrum[0])
    assert_allclose(certificate.uniform_factor, factor, rtol=1e-9)
    assert certificate.expected_factor == 7
    independent = dc.wls(dc.IID(SPACE, 14).sample(), VALUES)
    assert independent.certificate.expected_factor is None


def test_average_of_draws_has_the_error_of_their_spread():
    mean, error = FITS["many"].averaged()
    coef = FITS["many"].coef
    assert_allclose(mean, coef.mean(axis=0))
    assert_allclose(error, coef.std(axis=0, ddof=1) / np.sqrt(5))
    single = dc.VolumeSampling(SPACE, 14).sample_many(1, seed=1)
    assert np.isnan(dc.wls(single, MANY_VALUES[:1]).averaged()[1]).all()


def test_tidy_has_a_row_per_number_and_the_shared_columns():
    frame = FITS["many curves"].tidy()
    assert list(frame.columns) == [
        "term",
        "draw",
        "response",
        "estimate",
        "std_error",
        "statistic",
        "p_value",
        "conf_low",
        "conf_high",
    ]
    row = frame.query("draw == 3 and response == 1 and term == '(1, 1)'").iloc[0]
    function = SPACE.basis.index.tolist().index([1, 1])
    assert row["estimate"] == FITS["many curves"].coef[3, function, 1]
    assert row["std_error"] == FITS["many curves"].std_error[3, function, 1]
    assert len(frame) == 5 * 6 * 3
    assert "draw" not in FITS["one"].tidy()


@each_fit
def test_everything_a_reader_asks_for_is_there(fit):
    text = str(fit)
    assert "Weighted Least Squares" in text
    assert fit.to_latex().count("tabular") >= 2
    assert "(0, 1)" in fit.to_markdown()
    assert "<table" in fit._repr_html_()
    assert "nouy2025" in fit.cite()
    assert len(fit.glance()) == 1
    low, high = fit.conf_int(0.9)
    assert low.shape == high.shape == fit.coef.shape
    assert {"design", "seed", "versions", "leverage"} <= set(fit.settings)
    assert repr(fit).startswith("<WLSResult")


@each_fit
def test_results_survive_storage(fit):
    assert pickle.loads(pickle.dumps(fit)) == fit
    assert WLSResult.from_json(fit.to_json()) == fit
    again = pickle.loads(pickle.dumps(fit))
    assert not again.coef.flags.writeable
    assert_allclose(again.predict(GRID), fit.predict(GRID))


@pytest.mark.parametrize("points", [POINTS, MANY], ids=["one", "many"])
def test_points_survive_storage_and_cannot_be_changed(points):
    assert DesignPoints.from_json(points.to_json()) == points
    assert pickle.loads(pickle.dumps(points)) == points
    for field in (points.x, points.weights, points.values, points.gram_eigenvalues):
        assert not field.flags.writeable


@pytest.mark.plots
@each_fit
def test_figure_shows_every_coefficient(fit):
    from matplotlib import pyplot as plt

    before = dict(plt.rcParams)
    ax = fit.plot()
    assert len(ax.lines[-1].get_xdata()) == 6 * (fit.responses or 1)
    assert dict(plt.rcParams) == before
    assert fit.plot(ax=ax) is ax


def test_a_result_without_spare_points_says_what_it_lacks():
    fit = FITS["exact"]
    assert fit.std_error is None
    assert fit.residual_error_sq is None
    assert "no residuals" in str(fit)
    assert np.isnan(fit.tidy()["std_error"]).all()


def test_only_volume_sampling_estimates_the_best_error():
    for design in (dc.IID(SPACE, 14), dc.RepeatedDPP(SPACE, 2)):
        points = design.sample()
        assert dc.wls(points, np.ones(points.n_points)).residual_error_sq is None


@pytest.mark.parametrize("name", ["cross_fitted_wls", "quasi_projection"])
def test_other_estimates_are_shown_and_stored_alike(name):
    points = points_at(dc.RepeatedVolume(SPACE, 2, 7), POINTS.x)
    fit = getattr(dc, name)(points, VALUES)
    title = {"cross_fitted_wls": "Cross-Fitted", "quasi_projection": "Quasi-Proj"}[name]
    assert title in str(fit)
    assert "spread of single points" in str(fit)
    assert "unbiased for those" in str(fit)
    assert fit.glance()["method"].item() == fit.method
    assert WLSResult.from_json(fit.to_json()) == fit
    assert pickle.loads(pickle.dumps(fit)) == fit
    assert fit.residual_error_sq is None
    assert fit.loo_residual is None
    assert len(fit.tidy()) == 6


def test_an_error_that_is_not_unbiased_is_labelled():
    points = points_at(dc.RepeatedVolume(SPACE, 2, 7), POINTS.x)
    fit = dc.wls(points, VALUES)
    assert fit.residual_error_sq is None
    assert "Best error, not unbiased" in str(fit)
    volume = FITS["one"]
    assert_allclose(fit.best_error, np.sqrt(volume.residual_error_sq), rtol=1e-12)
    assert "Squared best error" in str(volume)


def test_frames_are_read_by_the_names_of_their_columns():
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(30, 3)), columns=list("abc")
    )
    points = dc.VolumeSampling(dc.FiniteSpace(frame), 9).sample(seed=1)
    fit = dc.wls(points, np.arange(9.0))
    turned = fit.predict(frame[["c", "b", "a"]])
    np.testing.assert_array_equal(turned, fit.predict(frame))
    np.testing.assert_array_equal(turned, fit.predict(frame.to_numpy()))
    with pytest.raises(dc.DataError, match="no column c"):
        fit.predict(frame[["a", "b"]])
