"""Weighting estimators: the plug-in when saturated, right when half of it is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import distcausal as dc
from distcausal.diagrams.fixing import read_roles
from distcausal.numerics.multilogit import fit_logit, logit_law
from tests.diagrams.effects import question, simulation

ADJUSTMENT = ("gformula", "ipw", "aipw")
DISTRICT = ("primal-ipw", "dual-ipw", "apipw")
# the graphs are complete given their unobserved causes, so that shares in strata obey
# every constraint the estimators use, as the plug-in's do
COMPLETE = {
    "back-door": ("Z->X->Y; Z->Y", ADJUSTMENT + DISTRICT),
    "two covariates": ("Z->X->Y; Z->Y; W->X; W->Y; W->Z", ADJUSTMENT + DISTRICT),
    "mediator": ("Z->X->M->Y; Z->M; Z->Y; X->Y", ADJUSTMENT + DISTRICT),
    "front-door": ("X->M->Y; X<->Y", DISTRICT),
    "front-door, covariate": ("C->X->M->Y; X<->Y; C->M; C->Y", DISTRICT),
    "two mediators": ("X->M1->M2->Y; X->M2; M1->Y; X<->Y", DISTRICT),
    "district between": ("X->M->L->Y; X<->L; M->Y; X->Y", DISTRICT),
    "long district": (
        "C->X->M->L->N->Y; X<->L; X<->Y; M->N; M->Y; L->Y; X->N; C->M; C->L; C->N; "
        "C->Y",
        DISTRICT,
    ),
}
CASES = [(name, method) for name, (_, ways) in COMPLETE.items() for method in ways]


def problem(edges: str, states: Any = 2) -> tuple[dc.Identification, pd.DataFrame]:
    sim = dc.datasets.make_causal_model(
        edges, n=3000, outcome="Y", do="X", concentration=4.0, seed=2, states=states
    )
    return dc.identify(sim.graph, "Y", do="X"), sim.frame


@pytest.mark.filterwarnings("ignore:for .* the chance of some state")
@pytest.mark.filterwarnings("ignore:the formula divides by")
@pytest.mark.parametrize(("name", "method"), CASES)
def test_saturated_models_give_the_plug_in_and_its_errors(
    name: str, method: str
) -> None:
    found, rows = problem(COMPLETE[name][0])
    who = np.arange(len(rows)) % 500
    weight = np.linspace(0.5, 2.0, len(rows))
    for more in ({}, {"cluster": who, "weights": weight}):
        one = dc.estimate_effect(rows, found, method, nuisances="saturated", **more)
        other = dc.estimate_effect(rows, found, **more)
        np.testing.assert_allclose(
            one.estimate.values, other.estimate.values, atol=1e-12
        )
        np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-15)


@pytest.mark.parametrize("method", ADJUSTMENT + DISTRICT)
def test_three_states_work_as_two(method: str) -> None:
    found, rows = problem("Z->X->Y; Z->Y", states=3)
    one = dc.estimate_effect(rows, found, method, nuisances="saturated")
    other = dc.estimate_effect(rows, found)
    np.testing.assert_allclose(one.estimate.values, other.estimate.values, atol=1e-12)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-15)


@pytest.mark.parametrize("method", ADJUSTMENT)
def test_mean_of_a_numeric_outcome_is_that_of_its_law(method: str) -> None:
    found, rows = problem("Z->X->Y; Z->Y", states={"Y": [0, 2, 7]})
    law = dc.estimate_effect(rows, found, method, nuisances="saturated")
    mean = dc.estimate_effect(rows, found, method, nuisances="saturated", of="mean")
    number = np.array([0.0, 2.0, 7.0])
    np.testing.assert_allclose(mean.estimate.values, number @ law.estimate.values)
    one, other = law.contrast(), mean.contrast()
    np.testing.assert_allclose(one.estimate, other.estimate)
    np.testing.assert_allclose(one.std_error, other.std_error)
    assert mean.terms == ("E(Y | do(X=0))", "E(Y | do(X=1))")


def continuous(n: int, seed: int) -> pd.DataFrame:
    """Draw two covariates that matter for treatment and outcome, effect 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.7, 1.7, size=(2, n))
    treated = rng.uniform(size=n) < 1 / (1 + np.exp(-0.5 * a + 0.4 * b))
    outcome = treated + a - 0.7 * b + rng.normal(size=n)
    return pd.DataFrame({"A": a, "B": b, "X": treated.astype(int), "Y": outcome})


CONTINUOUS = dc.identify(
    dc.CausalGraph.from_edges("A->X->Y; B->X; A->Y; B->Y"), "Y", do="X"
)


WAYS: list[tuple[str, Any]] = [
    ("gformula", "logit"),
    ("ipw", "logit"),
    ("aipw", "logit"),
    ("aipw", {"X": ["A"]}),
    ("aipw", {"Y": ["X"]}),
]


@pytest.mark.filterwarnings("ignore:for .* the chance of some state")
@pytest.mark.parametrize(("method", "how"), WAYS)
def test_errors_are_those_of_the_infinitesimal_jackknife(method: str, how: Any) -> None:
    rows = continuous(60, 0)
    weight = np.linspace(0.5, 1.5, len(rows))

    def fit(weights: np.ndarray) -> dc.EffectResult:
        return dc.estimate_effect(
            rows, CONTINUOUS, method, nuisances=how, of="mean", weights=weights
        )

    step, slopes = 1e-4, np.zeros((len(rows), 2))
    for row in range(len(rows)):
        shift = step * (np.arange(len(rows)) == row)
        ends = [fit(weight + sign * shift).estimate.values for sign in (1, -1)]
        slopes[row] = (ends[0] - ends[1]) / (2 * step)
    each = slopes * weight[:, None]
    # logits stop at scores of 1e-10, which the step divides; the rest is step**2
    np.testing.assert_allclose(fit(weight).covariance, each.T @ each, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "how"), WAYS)
def test_errors_match_the_spread_over_samples(method: str, how: Any) -> None:
    found = np.zeros((400, 2))
    for draw in range(400):
        fit = dc.estimate_effect(
            continuous(400, draw), CONTINUOUS, method, nuisances=how, of="mean"
        ).contrast()
        found[draw] = fit.estimate[0], fit.std_error[0]
    spread = found[:, 0].std()
    # a spread from 400 samples has a relative error of 3.5 %
    assert found[:, 1].mean() == pytest.approx(spread, rel=0.1)
    assert abs(found[:, 0].mean() - 1.0) < 4 * spread / 20


def test_double_robustness_needs_only_one_right_model() -> None:
    rows = continuous(40_000, 3)

    def effect(method: str, how: Any) -> float:
        fit = dc.estimate_effect(rows, CONTINUOUS, method, nuisances=how, of="mean")
        return float(fit.contrast().estimate[0])

    # the standard error of each is near 0.012
    assert abs(effect("ipw", {"X": []}) - 1.0) > 0.5
    assert abs(effect("gformula", {"Y": ["X"]}) - 1.0) > 0.5
    assert abs(effect("aipw", {"X": []}) - 1.0) < 0.05
    assert abs(effect("aipw", {"Y": ["X"]}) - 1.0) < 0.05
    assert abs(effect("aipw", {"X": [], "Y": ["X"]}) - 1.0) > 0.5


def confounded(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw a front door with a covariate, and return P(Y=1) under both treatments."""
    rng = np.random.default_rng(seed)
    u, c = rng.integers(0, 2, (2, n))

    def flip(chance: np.ndarray) -> np.ndarray:
        return (rng.uniform(size=n) < chance).astype(int)

    x = flip(0.15 + 0.3 * u + 0.4 * c)
    m = flip(0.1 + 0.2 * x + 0.1 * c + 0.5 * x * c)
    # the mediator matters more where the cause that nobody sees is present
    y = flip(0.1 + 0.2 * m + 0.1 * u + 0.4 * m * u + 0.2 * c * m)
    mean = [0.21 + 0.18 * t + 0.1 * (0.2 + 0.7 * t) for t in (0, 1)]
    return pd.DataFrame({"C": c, "X": x, "M": m, "Y": y}), np.array(mean)


def test_apipw_needs_only_the_district_or_the_rest() -> None:
    graph = dc.CausalGraph.from_edges("C->X->M->Y; X<->Y; C->M; C->Y")
    found, (rows, truth) = dc.identify(graph, "Y", do="X"), confounded(40_000, 1)

    def worst(method: str, how: Any) -> float:
        fit = dc.estimate_effect(rows, found, method, nuisances=how)
        error = np.abs(fit.estimate.sel(Y=1).values - truth)
        return float((error / fit.std_error.sel(Y=1).values).max())

    right = dict.fromkeys("XMY", "saturated")
    assert worst("apipw", right) < 4
    assert worst("apipw", right | {"M": []}) < 4
    assert worst("apipw", right | {"M": ["C"]}) < 4
    assert worst("apipw", right | {"Y": [], "X": []}) < 4
    assert worst("apipw", right | {"Y": ["M"], "X": []}) < 4
    assert worst("apipw", {"M": [], "Y": [], "X": []}) > 8
    assert worst("dual-ipw", {"M": []}) > 8
    assert worst("primal-ipw", {"Y": [], "X": []}) > 8


class Shares:
    """Learner with the interface of others: shares of the states in each stratum."""

    def fit(self, columns: np.ndarray, target: np.ndarray) -> Shares:
        self.rows, place = np.unique(columns, axis=0, return_inverse=True)
        self.classes_ = np.unique(target)
        told = (target[:, None] == self.classes_).astype(float)
        sums = np.zeros((len(self.rows), len(self.classes_)))
        np.add.at(sums, place.ravel(), told)
        self.share = sums / sums.sum(axis=1, keepdims=True)
        return self

    def predict_proba(self, columns: np.ndarray) -> np.ndarray:
        same = (columns[:, None] == self.rows[None]).all(axis=-1)
        return self.share[same.argmax(axis=1)]


@pytest.mark.parametrize(
    ("name", "method"), [("back-door", "aipw"), ("front-door", "apipw")]
)
def test_cross_fitted_learners_come_close_to_the_plug_in(
    name: str, method: str
) -> None:
    found, rows = problem(COMPLETE[name][0])
    fit = dc.estimate_effect(rows, found, method, nuisances=Shares(), folds=4)
    other = dc.estimate_effect(rows, found)
    gap = np.abs(fit.estimate.values - other.estimate.values)
    assert 0 < gap.max() < 0.1 * other.std_error.values.max()
    np.testing.assert_allclose(fit.std_error.values, other.std_error.values, rtol=0.03)
    again = dc.estimate_effect(rows, found, method, nuisances=Shares(), folds=4)
    np.testing.assert_array_equal(fit.estimate.values, again.estimate.values)
    assert fit.settings["nuisances"] == "Shares"


def test_rows_that_count_twice_are_two_rows_to_a_learner() -> None:
    found, rows = problem(COMPLETE["back-door"][0])
    counted = rows.value_counts().to_frame("count").reset_index()
    one = dc.estimate_effect(counted, found, "aipw", nuisances=Shares())
    other = dc.estimate_effect(rows, found)
    assert one.n == len(rows)
    gap = np.abs(one.estimate.values - other.estimate.values)
    assert gap.max() < 0.1 * other.std_error.values.max()


def test_clusters_stay_in_one_fold() -> None:
    from distcausal.diagrams.frames import weighted_of
    from distcausal.diagrams.observations import Rows
    from distcausal.diagrams.weighted import Models

    found, rows = problem(COMPLETE["back-door"][0])
    who = np.arange(len(rows)) % 60
    made = weighted_of(
        rows, found, "aipw", Rows(cluster=who), None, Models(Shares(), 3), 0
    )
    fold = made._fold[np.argsort(made.sample.codes[:, -1])]
    sizes = pd.DataFrame({"who": who, "fold": fold}).groupby("who")["fold"].nunique()
    assert sizes.max() == 1
    assert len(np.unique(fold)) == 3


class Stranger(Shares):
    """Learner that refuses rows it was fitted on, told apart by a number."""

    def fit(self, columns: np.ndarray, target: np.ndarray) -> Stranger:
        super().fit(columns[:, 1:], target)
        self.seen = set(columns[:, 0])
        return self

    def predict_proba(self, columns: np.ndarray) -> np.ndarray:
        assert not self.seen & set(columns[:, 0])
        return super().predict_proba(columns[:, 1:])


def test_learners_are_asked_about_rows_they_have_not_seen() -> None:
    graph = dc.CausalGraph.from_edges("A->X->Y; A->Y; Z->X; Z->Y")
    rows = simulation("back-door").frame
    rows = rows.assign(A=np.random.default_rng(0).normal(size=len(rows)))
    found = dc.identify(graph, "Y", do="X")
    how = {"X": Stranger(), "Y": "logit"}
    fit = dc.estimate_effect(rows, found, "aipw", nuisances=how, folds=3)
    assert np.isfinite(fit.covariance).all()


def test_laws_of_later_variables_are_given_all_that_comes_before() -> None:
    graph = dc.CausalGraph.from_edges("X->M->Y; W->Y; M<->W; X<->Y")
    roles = read_roles(dc.identify(graph, "Y", do="X"), "apipw")
    assert roles.later == ("X", "M", "Y")
    assert set(roles.reads["M"]) == {"W", "X"}
    assert set(roles.reads["Y"]) == {"W", "X", "M"}
    assert roles.inside == {"X", "Y"}


def test_bootstrap_refits_the_models() -> None:
    rows = simulation("back-door").frame
    for method in ("ipw", "aipw"):
        one = dc.estimate_effect(
            rows, question("back-door"), method, inference=dc.Bootstrap(draws=400)
        )
        other = dc.estimate_effect(rows, question("back-door"), method)
        # 400 draws give a spread to 3.5 %
        np.testing.assert_allclose(
            one.std_error.values, other.std_error.values, rtol=0.12
        )


@pytest.mark.reference
def test_logit_agrees_with_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    columns = np.column_stack([np.ones(500), rng.normal(size=(500, 2))])
    linear = columns @ np.array([[0.2, -0.4], [0.5, 0.3], [-0.3, 0.8]])
    chance = logit_law(np.array([[0.2, -0.4], [0.5, 0.3], [-0.3, 0.8]]), columns)
    assert linear.shape == (500, 2)
    code = (rng.uniform(size=(500, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    fit = fit_logit(columns, code, np.ones(500), 3)
    known = sm.MNLogit(code, columns).fit(disp=0, tol=1e-12)
    assert fit.converged
    np.testing.assert_allclose(fit.coef, known.params, atol=1e-6)
    robust = sm.MNLogit(code, columns).fit(disp=0, cov_type="HC0")
    influence = fit.influence / 500
    own = np.sqrt(np.diag(influence.T @ influence)).reshape(3, 2)
    np.testing.assert_allclose(own, robust.bse, rtol=1e-5)


def test_logit_weights_are_repetitions() -> None:
    rng = np.random.default_rng(1)
    columns = np.column_stack([np.ones(200), rng.normal(size=200)])
    code, times = rng.integers(0, 3, 200), rng.integers(1, 4, 200)
    one = fit_logit(columns, code, times.astype(float), 3)
    repeated = np.repeat(columns, times, axis=0), np.repeat(code, times)
    other = fit_logit(*repeated, np.ones(times.sum()), 3)
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-9)


def test_separation_is_said() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=300)
    rows = pd.DataFrame(
        {"Z": z, "X": (z > 0).astype(int), "Y": rng.integers(0, 2, 300)}
    )
    with pytest.raises(dc.ConvergenceError, match="logit of 'X'"):
        dc.estimate_effect(rows, question("back-door"), "ipw")


def test_poor_overlap_is_said() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=2000)
    chance = 1 / (1 + np.exp(-3 * z))
    rows = pd.DataFrame({"Z": z, "X": (rng.uniform(size=2000) < chance).astype(int)})
    rows["Y"] = rng.integers(0, 2, 2000)
    with pytest.warns(dc.InferenceWarning, match=r"below 0\.05"):
        fit = dc.estimate_effect(rows, question("back-door"), "aipw")
    assert 0 < fit.positivity["share"].iloc[0] < 0.05


@pytest.mark.parametrize("method", ADJUSTMENT)
def test_treatments_that_some_never_get_are_refused(method: str) -> None:
    rows = simulation("back-door").frame
    rows = rows[~((rows["Z"] == 1) & (rows["X"] == 1))]
    with pytest.raises(dc.PositivityError, match="X"):
        dc.estimate_effect(rows, question("back-door"), method, nuisances="saturated")


@pytest.mark.parametrize("method", ADJUSTMENT + DISTRICT)
def test_methods_are_refused_where_the_graph_does_not_allow_them(method: str) -> None:
    rows = simulation("napkin").frame
    with pytest.raises(dc.DesignError, match="nested-fixable"):
        dc.estimate_effect(rows, question("napkin"), method)
    with pytest.raises(dc.DesignError, match="without condition"):
        dc.estimate_effect(
            simulation("conditional").frame, question("conditional"), method
        )


@pytest.mark.parametrize("method", ADJUSTMENT)
def test_adjustment_is_refused_for_the_front_door(method: str) -> None:
    rows = simulation("front-door").frame
    with pytest.raises(dc.DesignError, match=r"p-fixable; .*'apipw'"):
        dc.estimate_effect(rows, question("front-door"), method)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("aipw", {"nuisances": "probit"}, "'probit'"),
    ("aipw", {"nuisances": 3}, "but is 3"),
    ("aipw", {"nuisances": {"Q": "logit"}}, "names Q"),
    ("ipw", {"nuisances": {"Y": "logit"}}, "names Y"),
    ("aipw", {"nuisances": Shares(), "folds": 1}, "folds 1"),
    ("ipw", {"nuisances": Shares()}, "learner"),
    ("aipw", {"nuisances": Shares(), "inference": "bootstrap"}, "delta method alone"),
    ("aipw", {"smoothing": 1.0}, "smoothing"),
    ("aipw", {"of": "median"}, "median"),
    ("dual-ipw", {"of": "mean"}, "of='mean' is for"),
    ("plugin", {"of": "mean"}, "weighting methods"),
    ("matching", {}, "'matching'"),
]


@pytest.mark.parametrize(("method", "more", "said"), REFUSED)
def test_settings_without_meaning_are_refused(
    method: str, more: dict[str, Any], said: str
) -> None:
    rows = simulation("back-door").frame
    with pytest.raises(dc.DesignError, match=said):
        dc.estimate_effect(rows, question("back-door"), method, **more)


def test_models_may_use_only_what_the_law_is_given() -> None:
    rows = simulation("back-door").frame
    with pytest.raises(dc.QueryError, match="not Y"):
        dc.estimate_effect(rows, question("back-door"), "ipw", nuisances={"X": ["Y"]})
