"""Every result keeps the same promises: columns, settings, read-only arrays."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.errors import DesignError
from distcausal.images.aipw import design_effects
from distcausal.images.api import _settings
from distcausal.images.calibration import calibration
from distcausal.images.cluster_curves import ClusterCurves
from distcausal.images.diagnosed import Check, Diagnostics
from distcausal.images.effect_bounds import effect_bounds
from distcausal.images.orthogonal import effect_parts
from distcausal.images.salience_result import Salience
from distcausal.images.transport import example_trial, transport_features
from tests.images.result_doubles import comparison, fitted

COLUMNS = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
FIT = fitted()
POSTERIOR, TRIAL = example_trial()


def curves():
    rng = np.random.default_rng(0)
    return ClusterCurves(
        levels=np.array([0.25, 0.5, 0.75]),
        share=np.array([0.4, 0.6]),
        effect=rng.normal(size=(2, 3)),
        std_error=np.full((2, 3), 0.2),
        average=np.zeros(3),
        average_std_error=np.full(3, 0.1),
        untreated=np.sort(rng.normal(size=(3, 3))),
        treated=np.sort(rng.normal(size=(3, 3))),
        sups=np.abs(rng.normal(size=(199, 3))),
        df=np.full(3, 50.0),
        collapsed=np.zeros(2, bool),
        groups=60,
        moved=0.0,
        basis=np.eye(3),
        model_draws=rng.normal(size=(20, 2, 3)),
        scalar=False,
        settings={},
    )


def salience_of(method="gradient", value=1.0):
    rng = np.random.default_rng(1)
    share = np.linspace(0, 1, 21)
    return Salience(
        by_band=rng.normal(size=(4, 4, 2)),
        draws=rng.normal(size=(5, 4, 4, 2)),
        value=np.full(5, value),
        baseline_value=np.full(5, 0.5),
        share=share,
        deleted=np.repeat(value + (0.5 - value) * share[None], 5, axis=0),
        completeness=1e-9 if method == "integrated" else None,
        nodes=1,
        target="the effect",
        method=method,
        image=rng.normal(size=(4, 4, 2)),
        settings={},
    )


def diagnosed():
    return Diagnostics(
        checks=(
            Check(name="one", value=0.1, limit=0.2, fine=True, about="data", remark=""),
        ),
        share=np.array([0.5, 0.5]),
        not_estimated=np.zeros(2, bool),
        stretch=np.ones(3),
        log_likelihood=np.zeros(3),
        bound=np.zeros(1),
        restart_effects=np.zeros((1, 2)),
        agreement=np.ones(1),
        balance=np.zeros((2, 0)),
        balance_error=np.zeros((2, 0)),
        settings={},
    )


def with_quiet(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


MADE = {
    "effects": lambda: FIT,
    "design": lambda: design_effects(FIT.scores),
    "homogeneity": FIT.homogeneity_test,
    "calibration": FIT.calibration,
    "rate": lambda: FIT.rate(draws=20),
    "policy": FIT.policy_values,
    "units": FIT.unit_effects,
    "parts": lambda: effect_parts(
        FIT.scores, np.random.default_rng(0).normal(size=(240, 1))
    ),
    "bounds": lambda: effect_bounds(POSTERIOR),
    "transport": lambda: transport_features(POSTERIOR, TRIAL, TRIAL.features[:30]),
    "comparison": comparison,
    "diagnostics": diagnosed,
    "curves": curves,
    "salience": salience_of,
    "segments": lambda: salience_of().segments(np.arange(16).reshape(4, 4) // 8),
}
BY_FUNCTIONS = [
    name
    for name in MADE
    if name
    not in ("effects", "comparison", "diagnostics", "curves", "salience", "segments")
]


@pytest.mark.parametrize("kind", MADE)
def test_frames_have_the_columns_of_all_results_and_take_a_confidence(kind):
    found = with_quiet(MADE[kind])
    frame = found.tidy(confidence=0.95)
    assert frame.columns[0] == "term"
    assert [name for name in frame.columns if name in COLUMNS] == COLUMNS
    assert frame["term"].map(type).eq(str).all()
    assert "confidence" in inspect.signature(found.tidy).parameters
    with pytest.raises(DesignError, match="confidence"):
        found.tidy(confidence=95)


@pytest.mark.parametrize("kind", ["units", "calibration"])
def test_intervals_that_were_found_for_one_confidence_are_given_for_no_other(kind):
    found = with_quiet(MADE[kind])
    assert found.tidy().equals(found.tidy(confidence=0.95))
    with pytest.raises(DesignError, match=r"0\.95.*confidence=0\.9"):
        found.tidy(confidence=0.9)


def test_other_confidences_are_those_of_the_result():
    wide = with_quiet(lambda: FIT.unit_effects(confidence=0.8))
    line = calibration(FIT.scores, confidence=0.8)
    assert len(wide.tidy()) == len(FIT.trial.ids)
    assert line.tidy()["conf_low"].iloc[-1] == line.conf_low


def test_statistics_of_tests_are_those_of_their_p_values():
    from scipy.special import chdtrc, ndtr

    frame = FIT.homogeneity_test().tidy().set_index("term")
    z, joint = frame.loc["ordered", "statistic"], frame.loc["any", "statistic"]
    assert_allclose(frame.loc["ordered", "p_value"], ndtr(-z))
    assert_allclose(frame.loc["any", "p_value"], chdtrc(frame.loc["any", "df"], joint))
    assert frame.loc["pooled Wald", "statistic"] > 0
    line = FIT.calibration().tidy().set_index("term").loc["tested slope"]
    assert_allclose(line["p_value"], ndtr(-line["statistic"]))


def test_gains_of_a_comparison_have_intervals_of_their_errors():
    frame = comparison().tidy(confidence=0.9)
    assert list(frame["term"]) == [
        "1 cluster",
        "2 clusters",
        "3 clusters",
        "4 clusters",
    ]
    width = frame["conf_high"] - frame["conf_low"]
    assert_allclose(width, 2 * 1.6448536 * frame["std_error"], rtol=1e-6)


@pytest.mark.parametrize("kind", BY_FUNCTIONS)
def test_settings_hold_the_versions(kind):
    assert "jax" in with_quiet(MADE[kind]).settings["versions"]


def test_bounds_and_maps_of_a_fit_hold_its_seed(monkeypatch):
    from distcausal.images import salience as maps

    fit = fitted()
    vars(fit)["distributions"] = dc.RandomDistributions.from_samples(
        [[0.0, 1.0]] * 4, columns={"cluster": [1, 1, 2, 2], "treatment": [0, 1, 0, 1]}
    )
    monkeypatch.setattr(maps, "salience", lambda *_, **__: salience_of())
    for found in (fit.effect_bounds(), fit.salience(None)):
        assert found.settings["seed"] == fit.settings["seed"]


@pytest.mark.parametrize("kind", ["homogeneity", "calibration", "policy", "units"])
def test_answers_of_a_fit_hold_its_seed(kind):
    assert with_quiet(MADE[kind]).settings["seed"] == FIT.settings["seed"]


def test_a_cost_is_recorded_as_the_number_it_was():
    assert FIT.policy_values(cost=0.5).settings["cost"] == 0.5
    assert type(FIT.policy_values(cost=0.5).settings["cost"]) is float


def told(**given):
    usual = {"encoder": None, "engine": "svi", "seed": 0, "data": None, "begun": 0.0}
    return _settings(usual | given)


def test_settings_name_the_encoder_that_was_used():
    assert told()["encoder"] == repr(dc.RandomConvFeatures())
    assert told(encoder=dc.PCA(5))["encoder"] == repr(dc.PCA(5))
    assert "SmallCNN" in told(engine="sgd")["encoder"]
    assert told(engine="sgd")["engine"] == "sgd"
    assert told(engine=dc.SVI(rank=2))["engine"] == repr(dc.SVI(rank=2))


def test_settings_tell_columns_and_arrays_without_keeping_them():
    source = dc.ArraySource(np.zeros((3, 4, 4)))
    found = told(
        image=source, outcome=np.zeros(3), covariates=["a", "b"], levels=[0.1, 0.5]
    )
    assert found["image"] == repr(source)
    assert found["outcome"] == "array of shape (3,)"
    assert found["covariates"] == ("a", "b")
    assert found["levels"] == (0.1, 0.5)
    many = np.arange(1, 100) / 100
    assert told(levels=many)["levels"] == tuple(many.tolist())
    assert told(outcome=pd.Series(many))["outcome"] == "Series"
    assert told(weights=many.tolist())["weights"] == "list"
    assert not {"data", "begun"} & set(found)


@pytest.mark.parametrize(
    ("kind", "names"),
    {
        "curves": ("model_effect", "p_value"),
        "transport": ("entropy",),
        "salience": ("attribution", "direction", "estimate", "magnitude"),
        "segments": ("estimate", "std_error"),
        "design": ("median", "spread"),
    }.items(),
)
def test_arrays_that_results_work_out_cannot_be_written_to(kind, names):
    found = with_quiet(MADE[kind])
    for name in names:
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[...] = 0


def test_small_records_show_themselves_on_one_line():
    ate, each = FIT.ate, FIT.cate()
    assert repr(ate) == f"<AverageEffect: {ate.estimate:.4g} (se {ate.std_error:.2g})>"
    low, high = each.mean.min(), each.mean.max()
    assert repr(each) == f"<Cate: {len(each.keys)} images, {low:.3g} to {high:.3g}>"


@pytest.mark.parametrize("value", [1.0, -0.2])
def test_a_deletion_curve_is_explained_without_promising_a_fall(value):
    text = " ".join(str(salience_of(value=value)).split())
    assert "nears that of the baseline early" in text
    assert "comes down" not in text
    signed = " ".join(str(salience_of("integrated", value)).split())
    assert "speaks against it" in signed
