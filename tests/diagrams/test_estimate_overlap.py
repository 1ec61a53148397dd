"""Weighting where something is missing: rows, ways of a treatment, or its effect."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import distcausal as dc
from tests.diagrams.effects import question
from tests.diagrams.test_estimate_weighting import (
    ADJUSTMENT,
    COMPLETE,
    DISTRICT,
    Shares,
    problem,
)

ALL = ADJUSTMENT + DISTRICT
IDLE = dc.identify(dc.CausalGraph.from_edges("Y->W->X"), "Y", do="X")
ALONE = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")


def flip(rng: np.random.Generator, chance: Any, n: int) -> np.ndarray:
    """Draw zeros and ones."""
    return (rng.uniform(size=n) < chance).astype(int)


def downstream(n: int = 2000) -> pd.DataFrame:
    """Draw a treatment that the outcome leads to."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    w = flip(rng, 0.1 + 0.8 * y, n)
    return pd.DataFrame({"Y": y, "W": w, "X": flip(rng, 0.1 + 0.8 * w, n)})


@pytest.mark.parametrize("how", ["logit", "saturated"])
@pytest.mark.parametrize("method", ALL)
def test_a_treatment_that_leads_nowhere_has_no_effect(method: str, how: str) -> None:
    rows = downstream()
    fit = dc.estimate_effect(rows, IDLE, method, nuisances=how)
    other = dc.estimate_effect(rows, IDLE)
    assert np.ptp(fit.estimate.sel(Y=1).values) == 0
    # the same shares, added up in another order
    np.testing.assert_allclose(fit.estimate.values, other.estimate.values, atol=1e-14)
    np.testing.assert_allclose(fit.covariance, other.covariance, atol=1e-17)
    with pytest.raises(dc.DesignError, match="uses that of none"):
        dc.estimate_effect(rows, IDLE, method, nuisances={"Y": "logit"})


def random_graph(rng: np.random.Generator) -> dc.CausalGraph:
    """Draw an acyclic graph with two-headed arrows."""
    names = [f"V{place}" for place in range(rng.integers(2, 6))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    arrows = [pair for pair in pairs if rng.random() < 0.5]
    causes = [pair for pair in pairs if rng.random() < 0.25]
    return dc.CausalGraph(arrows, causes, names)


@pytest.mark.filterwarnings("ignore::distcausal.errors.InferenceWarning")
# the last two draw a treatment downstream of the outcome, with something in between
@pytest.mark.parametrize("seed", [*range(16), 46, 135])
def test_at_exact_laws_every_method_that_answers_is_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    x, y = rng.choice(graph.nodes, 2, replace=False)
    found = dc.identify(graph, y, do=x)
    if not found.identified:
        return
    model = dc.random_model(graph, seed=seed)
    rows = model.joint().to_frame("w")
    truth = model.query(y, do={x: [0, 1]}).values.T
    answered = 0
    for method in ALL:
        try:
            fit = dc.estimate_effect(
                rows, found, method, weights="w", nuisances="saturated"
            )
        except dc.DesignError:
            continue
        answered += 1
        # laws are quotients of sums of up to 32 probabilities
        np.testing.assert_allclose(fit.estimate.values, truth, atol=1e-9)
    assert answered in {"a-fixable": (6,), "p-fixable": (3,)}.get(found.kind, (0,))


def front_door(stays: float, n: int = 1000) -> pd.DataFrame:
    """Draw a front door whose mediator is the treatment with some probability."""
    rng = np.random.default_rng(0)
    u = rng.integers(0, 2, n)
    x = flip(rng, 0.2 + 0.6 * u, n)
    m = np.where(rng.uniform(size=n) < stays, x, 1 - x)
    return pd.DataFrame({"X": x, "M": m, "Y": flip(rng, 0.1 + 0.3 * m + 0.5 * u, n)})


@pytest.mark.parametrize("method", DISTRICT)
def test_ways_that_rows_of_other_treatments_never_take_are_refused(method: str) -> None:
    with pytest.raises(dc.PositivityError, match=r"M=0 has X=1|rows that do not occur"):
        dc.estimate_effect(
            front_door(1.0), question("front-door"), method, nuisances="saturated"
        )


def test_logits_do_not_hide_that_a_mediator_is_the_treatment() -> None:
    with pytest.raises(dc.PositivityError, match=r"'Y' is needed .* given M"):
        dc.estimate_effect(front_door(1.0), question("front-door"), "primal-ipw")


@pytest.mark.parametrize("method", DISTRICT)
def test_ways_that_rows_of_other_treatments_rarely_take_are_said(method: str) -> None:
    rows = front_door(0.98, 3000)
    with pytest.warns(dc.InferenceWarning, match=r"below 0\.05"):
        fit = dc.estimate_effect(rows, question("front-door"), method)
    share = rows.groupby("M")["X"].mean()
    if method == "primal-ipw":
        least = min(share[0], 1 - share[1])  # P(X | M)
    else:
        taken = rows.groupby("X")["M"].mean()
        least = min(taken[0] / taken[1], (1 - taken[1]) / (1 - taken[0]))
    # logits of one variable of two states are shares, up to where they stop
    assert fit.positivity["share"].min() == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("method", DISTRICT)
def test_ways_that_many_take_raise_no_warning(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = dc.estimate_effect(front_door(0.7), question("front-door"), method)
    assert (fit.positivity["share"] > 0.05).all()


@pytest.mark.parametrize("method", ALL)
def test_strata_without_weight_leave_the_rest_as_it_is(method: str) -> None:
    rng = np.random.default_rng(1)
    z = rng.integers(0, 3, 600)
    x = np.where(z == 2, 1, flip(rng, 0.3 + 0.2 * z, 600))
    rows = pd.DataFrame({"Z": z, "X": x, "Y": flip(rng, 0.2 + 0.3 * x, 600)})
    rows["w"] = (z < 2).astype(float)
    fit = dc.estimate_effect(
        rows, question("back-door"), method, weights="w", nuisances="saturated"
    )
    other = dc.estimate_effect(rows, question("back-door"), weights="w")
    np.testing.assert_allclose(fit.estimate.values, other.estimate.values, atol=1e-13)
    np.testing.assert_allclose(fit.covariance, other.covariance, atol=1e-15)


@pytest.mark.parametrize("method", [*ADJUSTMENT, "primal-ipw", "apipw"])
def test_resamples_are_lost_where_the_plug_in_loses_them(method: str) -> None:
    rng = np.random.default_rng(0)
    z, x, y = rng.integers(0, 4, 60), flip(rng, 0.4, 60), rng.integers(0, 2, 60)
    rows = pd.DataFrame({"Z": z, "X": x, "Y": y})
    how = dc.Bootstrap(draws=200)

    def notes(way: str, **more: Any) -> list[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", dc.InferenceWarning)
            fit = dc.estimate_effect(
                rows, question("back-door"), way, inference=how, **more
            )
        return [note for note in fit.notes if "resamples" in note]

    lost = notes("plugin")
    assert lost
    assert notes(method, nuisances="saturated") == lost


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("constant", ["X", "Y"])
def test_variables_of_one_state_work(constant: str, method: str) -> None:
    rows = pd.DataFrame({"X": [0, 1] * 50, "Y": [1, 0, 0, 1] * 25})
    rows[constant] = 1
    fit = dc.estimate_effect(rows, ALONE, method)
    shares = dc.estimate_effect(rows, ALONE).estimate
    # logits stop at scores of 1e-10
    np.testing.assert_allclose(fit.estimate.values, shares.values, atol=1e-9)


@pytest.mark.parametrize("method", ["aipw", "apipw"])
def test_without_covariates_a_learner_is_a_share(method: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, 400)
    rows = pd.DataFrame({"X": x, "Y": flip(rng, 0.3 + 0.3 * x, 400)})

    class Needy(Shares):
        def fit(self, columns: np.ndarray, target: np.ndarray) -> Shares:
            assert columns.shape[1] > 0
            return super().fit(columns, target)

    fit = dc.estimate_effect(rows, ALONE, method, nuisances=Needy())
    other = dc.estimate_effect(rows, ALONE)
    gap = np.abs(fit.estimate.values - other.estimate.values)
    assert gap.max() < 0.1 * other.std_error.values.max()


def test_a_learner_is_spared_rows_of_one_state() -> None:
    rows = problem(COMPLETE["back-door"][0])[1].assign(X=1)

    class Choosy(Shares):
        def fit(self, columns: np.ndarray, target: np.ndarray) -> Shares:
            assert len(np.unique(target)) > 1
            return super().fit(columns, target)

    fit = dc.estimate_effect(rows, question("back-door"), "aipw", nuisances=Choosy())
    assert float(fit.estimate.sel(Y=1, X=1)) == pytest.approx(rows["Y"].mean(), 1e-2)


def numeric(n: int = 500) -> pd.DataFrame:
    """Draw a back door with a numeric covariate and weights."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    x = flip(rng, 1 / (1 + np.exp(-z)), n)
    y = flip(rng, 1 / (1 + np.exp(-z - x)), n)
    return pd.DataFrame({"Z": z, "X": x, "Y": y, "w": rng.uniform(0.5, 1.5, n)})


@pytest.mark.filterwarnings("ignore:for .* observations the")
def test_learners_get_weights_if_they_take_them_and_are_refused_else() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def effect(learner: Any) -> float:
        fit = dc.estimate_effect(
            numeric(), question("back-door"), "aipw", weights="w", nuisances=learner
        )
        return float(fit.contrast().estimate[0])

    plain, piped = LogisticRegression(), make_pipeline(LogisticRegression())
    assert effect(plain) == effect(piped)
    for last in (KNeighborsClassifier(), make_pipeline(KNeighborsClassifier())):
        with pytest.raises(dc.ModelError, match="of 'X' should take sample_weight"):
            effect(make_pipeline(StandardScaler(), last))


class Sure(Shares):
    """Learner that takes what is likely for certain."""

    def predict_proba(self, columns: np.ndarray) -> np.ndarray:
        return np.column_stack([columns[:, 0] < 0, columns[:, 0] >= 0]).astype(float)


@pytest.mark.filterwarnings("ignore:for .* the chance of some state")
def test_chances_of_zero_from_learners_are_raised_and_counted() -> None:
    rows = numeric()
    how = {"X": Sure(), "Y": "logit"}
    with pytest.warns(dc.InferenceWarning, match="500 of 500 .* learner of 'X'"):
        fit = dc.estimate_effect(rows, question("back-door"), "aipw", nuisances=how)
    assert np.isfinite(fit.covariance).all()
    # 0.01 and 1, made to sum to one
    assert fit.positivity["share"].min() == pytest.approx(0.01 / 1.01, rel=1e-12)


@pytest.mark.filterwarnings("ignore:for .* the chance of some state")
def test_nothing_is_divided_by_the_law_of_the_outcome_so_it_stays() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* learner of")
        how = {"X": "logit", "Y": Sure()}
        fit = dc.estimate_effect(
            numeric(), question("back-door"), "aipw", nuisances=how
        )
    assert np.isfinite(fit.std_error.values).all()


@pytest.mark.parametrize("method", ["ipw", "aipw", "dual-ipw", "apipw"])
def test_outcomes_of_too_many_states_are_refused_before_memory_is_used(
    method: str,
) -> None:
    n = 20_000
    number = np.random.default_rng(0).normal(size=n)
    rows = pd.DataFrame({"X": np.arange(n) % 2, "Y": number})
    remedy = "of='mean'" if method in ADJUSTMENT else r"few classes\."
    with pytest.raises(dc.ComplexityError, match=f"'Y', which has 20000 .*{remedy}"):
        dc.estimate_effect(rows, ALONE, method)


def test_infinite_numbers_are_refused_by_name_and_count() -> None:
    rows = numeric().drop(columns="w")
    with pytest.raises(dc.DataError, match=r"'Z' enters as a number .* 2 of 500"):
        dc.estimate_effect(
            rows.assign(Z=np.r_[np.inf, -np.inf, rows["Z"][2:]]),
            question("back-door"),
            "ipw",
        )
    with pytest.raises(dc.DataError, match=r"'Y' enters as a number .* 1 of 500"):
        dc.estimate_effect(
            rows.assign(Y=np.r_[np.inf, rows["Z"][1:]]),
            question("back-door"),
            "gformula",
            of="mean",
        )
