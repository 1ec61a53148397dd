"""What standard errors are about, which law they follow, and where there are none."""

from __future__ import annotations

import tracemalloc
import warnings
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from tests.design.cases import finite_cases, points_at

NODES, MASS = np.polynomial.legendre.leggauss(24)
SPACE = dc.FiniteSpace(np.vander(NODES, 3, increasing=True), MASS)
LINE = dc.PolynomialSpace(index=dc.TotalDegree(2))
LEVELS = np.array([0.1, 0.3, 0.6])


def scattered(design, draws: tuple[int, ...] = ()) -> dc.DesignPoints:
    """Nodes in place of points drawn: only shapes and errors matter here."""
    rng = np.random.default_rng(5)
    return points_at(design, rng.choice(24, size=(*draws, design.n_points)))


def spread_out(design) -> dc.DesignPoints:
    """The same on an interval."""
    x = np.random.default_rng(6).uniform(-1, 1, (design.n_points, 1))
    return points_at(design, x)


def rough(points: dc.DesignPoints) -> np.ndarray:
    return np.random.default_rng(7).normal(size=points.values.shape[:-1])


def test_averages_of_few_draws_have_the_intervals_of_a_t_test():
    from scipy import stats

    points = scattered(dc.RepeatedVolume(SPACE, 4, 6))
    fit = dc.replicated_wls(points, rough(points))
    other = stats.ttest_1samp(fit.coef, 0.0, axis=0)
    low, high = fit.averaged_conf_int(0.9)
    assert_allclose([low, high], other.confidence_interval(0.9), rtol=1e-9)
    frame = fit.plot_data(0.9)
    assert_allclose(frame["p_value"], other.pvalue, rtol=1e-9)
    assert_allclose(frame["conf_high"], high, rtol=1e-12)
    assert "3 degrees of freedom" in " ".join(str(fit).split())
    # Not those of each fit, which has 6 - 3 degrees of its own and another error.
    assert fit.conf_int()[0].shape == (4, 3)
    one = fit.integral()
    values = stats.ttest_1samp(one.estimate, 0.0).confidence_interval(0.95)
    assert_allclose(one.averaged_conf_int(), values, rtol=1e-9)
    assert f"{values.low:.3f}" in str(one) or f"{values.low:.4f}" in str(one)
    assert "3 degrees of freedom" in " ".join(str(one).split())


def test_degrees_of_freedom_count_what_errors_were_found_from():
    many = dc.RepeatedDPP(SPACE, 20)
    for fit, df in (
        (dc.wls, 60 - 3),
        (dc.quasi_projection, 20 - 1),
        (dc.cross_fitted_wls, 20 - 2),
    ):
        points = scattered(many)
        found = fit(points, rough(points))
        assert found.df == found.integral().df == df
    few = scattered(dc.RepeatedDPP(SPACE, 15))
    # One half has seven blocks and the other eight: both count their points.
    found = dc.cross_fitted_wls(few, rough(few))
    assert (found.settings["errors"], found.df) == ("points", 45 - 2)
    found = dc.quasi_projection(few, rough(few))
    assert (found.settings["errors"], found.df) == ("blocks", 14)
    exact = scattered(dc.VolumeSampling(SPACE, 3))
    assert dc.wls(exact, np.ones(3)).df is None
    assert np.isnan(dc.wls(exact, np.ones(3)).conf_int()).all()


def test_one_point_has_no_error_to_be_found():
    space = dc.FiniteSpace(np.ones((5, 1)))
    found = dc.quasi_projection(points_at(dc.IID(space, 1), np.array([2])), np.ones(1))
    assert found.df == 0
    assert np.isnan(found.conf_int()).all()


@pytest.mark.parametrize("case", finite_cases(), ids=lambda case: case.name)
def test_errors_of_rows_without_replacement_are_about_the_fit_to_all_rows(case):
    """Exactly, in the mean over subsets and over values of equal variance.

    Both sides are quadratic in the values, so the sum over unit vectors is the mean
    over uncorrelated ones. Leverage hc2 makes a sandwich unbiased for these; where some
    m rows are dependent the errors may be too large, and never are too small.
    """
    rows, size = case.features.shape
    every = np.array(list(combinations(range(rows), size)))
    general = (np.abs(np.linalg.det(case.features[every])) > 1e-9).all()
    best = np.linalg.pinv(case.features)
    for k in range(size + 1, rows + 1):
        sets = np.array(list(combinations(range(rows), k)))
        chosen = case.features[sets]
        squared = np.linalg.det(np.swapaxes(chosen, 1, 2) @ chosen)
        # A row fitted whatever it is has no residual to be enlarged.
        hat = np.einsum("sij,sji->si", chosen, np.linalg.pinv(chosen))
        if ((hat > 1 - 1e-9).any(axis=1) & (squared > 1e-12)).any():
            continue
        sets, squared = sets[squared > 1e-12], squared[squared > 1e-12]
        chance = squared / squared.sum()
        points = points_at(dc.SubsetVolumeSampling(case.features, k), sets)
        fit = dc.wls(points, np.eye(rows)[sets], leverage="hc2")
        miss = fit.coef - points.basis.upper @ best
        true = chance @ (miss**2).sum(axis=-1)
        claimed = chance @ (fit.std_error**2).sum(axis=-1)
        if general:
            assert_allclose(claimed, true, rtol=1e-8, atol=1e-12)
        assert (claimed >= true - 1e-10).all()
        if k == rows:
            assert_allclose(fit.std_error, 0, atol=1e-12)
            assert_allclose(fit.covariance, 0, atol=1e-12)
    assert f"the fit to all {rows} rows" in " ".join(str(fit).split())


def test_intervals_of_rows_without_replacement_cover_the_fit_to_all_rows():
    """400 draws of 40 of 60 rows: 0.95 less four standard errors is 0.906.

    Without the correction 0.997 of them did.
    """
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=60), rng.normal(size=60)
    features = np.vander(x, 3)
    many = dc.SubsetVolumeSampling(features, 40).sample_many(400, seed=2)
    low, high = dc.wls(many, y[many.index]).conf_int()
    best = many.basis.upper @ np.linalg.lstsq(features, y, rcond=None)[0]
    covered = np.mean((low <= best) & (best <= high), axis=0)
    assert (covered > 0.906).all()
    assert (covered < 0.985).all()


def test_blocks_without_an_unbiased_fit_of_their_own_are_refused():
    """Single independent points are fitted exactly by one function, with a bias."""
    space = dc.FiniteSpace(np.array([[1.0], [2.0], [4.0]]))
    points = points_at(dc.IID(space, 4, "one"), np.array([0, 1, 2, 2]))
    with pytest.raises(dc.DesignError, match="unbiased fit of its own"):
        dc.replicated_wls(points, np.ones(4))
    with pytest.raises(dc.DesignError, match="unbiased fit of its own"):
        dc.replicated_wls(scattered(dc.IID(SPACE, 9)), np.ones(9))


def test_cross_fitting_promises_a_mean_only_where_there_is_one():
    y = np.ones(12)
    assert dc.cross_fitted_wls(scattered(dc.IID(SPACE, 12)), y).guarantees.unbiased
    pooled = spread_out(dc.RepeatedDPP(LINE, 4))
    assert dc.cross_fitted_wls(pooled, y).guarantees.unbiased
    domain = dc.cross_fitted_wls(spread_out(dc.IID(LINE, 12)), y)
    assert not domain.guarantees.unbiased
    text = " ".join(str(domain).split())
    assert "unbiased given the points of the other" in text
    assert "are unbiased for" not in text
    points = spread_out(dc.IID(LINE, 9))
    with pytest.raises(dc.DesignError, match=r"at least 5 points each.*at least 10"):
        dc.cross_fitted_wls(points, np.ones(9))


def test_cross_fitting_needs_memory_for_points_and_not_for_pairs_of_them():
    points = scattered(dc.IID(SPACE, 6000))
    y = rough(points)
    tracemalloc.start()
    dc.cross_fitted_wls(points, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # a matrix of pairs takes 72 MB


def test_squared_errors_are_the_squares_of_errors_in_every_table():
    many = scattered(dc.VolumeSampling(SPACE, 9), (3,))
    y = np.random.default_rng(2).normal(size=(3, 9, 3)).cumsum(axis=-1)
    for levels in (None, LEVELS):
        fit = dc.wls(many, y, levels=levels)
        row = fit.glance().iloc[0]
        expected = np.mean(fit.best_error**2)
        assert_allclose(row["residual_error_sq"], expected, rtol=1e-12)
        assert_allclose(row["best_error"] ** 2, expected, rtol=1e-12)
        assert f"{expected:.4g}" in str(fit)
    plain = dc.wls(many, y)
    total = plain.residual_error_sq.sum(axis=1).mean()
    assert_allclose(plain.glance()["residual_error_sq"].item(), total, rtol=1e-12)


def test_of_curves_the_middle_is_shown_and_named():
    points = scattered(dc.VolumeSampling(SPACE, 9))
    y = rough(points)[:, None] + LEVELS
    fit = dc.wls(points, y * [1.0, 1e3, 1e6], levels=LEVELS)
    text = " ".join(str(fit).split())
    assert "Of 3 values per point the level 0.3 is shown" in text
    shown = [float(row[1]) for row in fit.summary().rows]
    assert_allclose(shown, fit.coef_features[:, 1], atol=1)
    assert list(fit.tidy()["level"].unique()) == LEVELS.tolist()


def test_what_points_do_not_determine_has_no_errors():
    """One score on each side of a cutoff leaves a line on either side open."""
    score = np.array([-0.9, -0.6, -0.2, 0.1, 0.4, 0.8])
    space = dc.CutoffSpace(score, cutoff=0.0, bandwidth=1.0)
    index = np.array([[2, 2, 2, 3, 3], [0, 1, 3, 4, 5]])
    points = points_at(dc.IID(space, 5, "one"), index)
    with pytest.warns(dc.InferenceWarning, match="1 of 2 designs do not determine"):
        fit = dc.wls(points, np.array([1.0, 2, 3, 10, 11, 13])[index])
    assert np.isnan(fit.std_error[0]).all()
    assert np.isnan(fit.jump().std_error[0])
    assert np.isnan(fit.loo_residual[0]).all()
    assert fit.certificate.uniform_factor[0] == np.inf
    assert np.isfinite(fit.certificate.uniform_factor[1])
    assert "The points of 1 of 2 designs do not determine" in " ".join(str(fit).split())


def test_a_fit_factors_the_points_once():
    """The spectrum comes from the triangle of the fit, to the same digits."""
    points = scattered(dc.VolumeSampling(SPACE, 12), (3,))
    fit = dc.wls(points, rough(points))
    assert "gram_eigenvalues" not in vars(points)
    low = points.gram_eigenvalues[:, 0]
    assert_allclose(fit.certificate.gram_min, low, rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = scattered(dc.RepeatedDPP(SPACE, 4))
        dc.cross_fitted_wls(one, rough(one))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.ma.masked_array(np.ones(9), mask=np.arange(9) < 2), "2 of 9 are masked"),
        (np.arange(9).astype("datetime64[D]"), "holds dates"),
        (np.arange(9).astype("timedelta64[h]"), "holds durations"),
        (np.ones((9, 0)), "at least one value for each point"),
        (["1"] * 9, "holds text"),
    ],
)
def test_what_only_looks_like_numbers_is_refused(y, words):
    with pytest.raises(dc.DataError, match=words):
        dc.wls(scattered(dc.VolumeSampling(SPACE, 9)), y)


def test_arrays_that_mask_nothing_are_taken():
    points = scattered(dc.VolumeSampling(SPACE, 9))
    y = rough(points)
    assert dc.wls(points, np.ma.masked_array(y, mask=False)) == dc.wls(points, y)


@pytest.mark.parametrize("leverage", ["hc1", "hc3"])
def test_features_have_the_errors_of_the_regression_on_them(leverage):
    import pandas as pd
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"one": 1.0, "age": rng.normal(40, 9, 50), "tiny": rng.normal(size=50) * 1e-6}
    )
    index = rng.permutation(50)[:20]
    points = points_at(dc.VolumeSampling(dc.FiniteSpace(frame), 20, "one"), index)
    y = rng.normal(size=20)
    fit = dc.wls(points, y, leverage=leverage)
    other = sm.OLS(y, frame.iloc[index]).fit(cov_type=leverage.upper(), use_t=True)
    found = fit.tidy(features=True).set_index("term")
    assert found.index.tolist() == ["one", "age", "tiny"]
    # The condition number is 1e7 before columns are scaled.
    assert_allclose(found["estimate"], other.params, rtol=1e-8)
    assert_allclose(found["estimate"], fit.coef_features, rtol=1e-10)
    assert_allclose(found["std_error"], other.bse, rtol=1e-8)
    assert_allclose(found["p_value"], other.pvalues, rtol=1e-7)
    ends = other.conf_int(0.05)
    assert_allclose(found[["conf_low", "conf_high"]], ends, rtol=1e-7)
    rows = {row[0]: row for row in fit.summary().rows}
    assert list(rows) == ["one", "age", "tiny"]
    assert_allclose(float(rows["age"][2]), other.bse["age"], rtol=0.01)
    assert float(rows["tiny"][2]) > 0
    assert fit.summary().columns[0] == "feature"


def test_features_that_others_determine_have_no_row():
    x = np.linspace(-1, 1, 12)
    features = np.stack([x**0, x, 2 * x], axis=1)
    space = dc.FiniteSpace(features, rank="truncate")
    points = points_at(dc.VolumeSampling(space, 6), np.array([0, 2, 4, 6, 8, 11]))
    fit = dc.wls(points, x[points.index] ** 2)
    assert len(fit.tidy(features=True)) == 2
    many = points_at(dc.VolumeSampling(space, 6), np.stack([points.index] * 3))
    curves = np.abs(x)[many.index][..., None] * [1.0, 2.0]
    frame = dc.wls(many, curves).tidy(features=True)
    assert list(frame.columns[:3]) == ["term", "draw", "response"]
    assert len(frame) == 3 * 2 * 2


def test_functions_of_a_domain_are_shown_by_their_names():
    points = spread_out(dc.VolumeSampling(LINE, 9))
    fit = dc.wls(points, rough(points))
    assert fit.summary().columns[0] == "function"
    found, plain = fit.tidy(features=True), fit.tidy()
    assert found["term"].tolist() == plain["term"].tolist()
    for name in plain.columns[1:]:
        assert_allclose(found[name], plain[name], rtol=1e-12)
