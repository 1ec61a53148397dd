"""The plug-in estimate and its delta-method errors against formulas done by hand."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import distcausal as dc
from distcausal.diagrams.estimand import Prob, Product, Sum, leaves
from distcausal.diagrams.evaluate import Tables, evaluate
from distcausal.diagrams.influence import DRAW, per_draw, slopes
from tests.diagrams.effects import QUESTIONS, question, simulation

ROUNDING = 1e-12  # sums of a few thousand float64 terms of size one
warned = pytest.mark.filterwarnings("ignore:the joint contradicts")


@warned
@pytest.mark.parametrize("name", QUESTIONS)
def test_plug_in_is_the_formula_at_the_shares_of_the_sample(name: str) -> None:
    found, rows = question(name), simulation(name).frame
    fit = dc.estimate_effect(rows, found)
    shares = rows.value_counts().to_frame("count").reset_index()
    direct = found.evaluate(shares)
    assert fit.estimate.axes == direct.axes
    np.testing.assert_allclose(fit.estimate.values, direct.values, atol=ROUNDING)


@pytest.mark.parametrize("name", QUESTIONS)
def test_slopes_are_the_derivatives_of_the_formula(name: str) -> None:
    formula = per_draw(question(name).estimand.expression)
    rng = np.random.default_rng(7)
    states = {n: (0, 1) for n in question(name).graph.nodes}
    keys = {leaf.table for leaf in leaves(formula)}
    arrays = {
        key: rng.dirichlet(np.full(2 ** len(key[1]), 5.0), size=3).reshape(
            3, *(2,) * len(key[1])
        )
        for key in keys
    }
    found = slopes(formula, Tables(arrays, states))
    axis, step = found.part.names.index(DRAW), 1e-6
    for key in keys:
        direction = rng.normal(size=arrays[key].shape)
        ends = [
            evaluate(
                formula,
                Tables({**arrays, key: arrays[key] + sign * step * direction}, states),
            ).values
            for sign in (1, -1)
        ]
        change = np.moveaxis((ends[0] - ends[1]) / (2 * step), axis, 0).reshape(3, -1)
        analytic = (found.tables[key] * direction).reshape(-1, 3, direction[0].size)
        # central differences err by step**2 times third derivatives of size 1e3
        np.testing.assert_allclose(change, analytic.sum(-1).T, atol=1e-8)


def test_sum_over_a_variable_that_no_factor_has_counts_its_states() -> None:
    formula = per_draw(Sum(frozenset("AB"), Product((Prob(frozenset("B")),))))
    key = next(leaves(formula)).table
    states = {"A": (0, 1, 2), "B": (0, 1)}
    found = slopes(formula, Tables({key: np.array([[0.25, 0.75]])}, states))
    assert found.part.values == pytest.approx(3.0)
    np.testing.assert_allclose(found.tables[key], 3.0)


def test_difference_of_two_shares_has_the_textbook_error() -> None:
    rows = pd.DataFrame(
        {"X": [0] * 40 + [1] * 60, "Y": [0] * 30 + [1] * 10 + [0, 1] * 30}
    )
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    effect = dc.estimate_effect(rows, found).contrast()
    share = np.array([0.25, 0.5])
    error = np.sqrt((share * (1 - share) / [40, 60]).sum())
    np.testing.assert_allclose(effect.estimate, [0.25], atol=ROUNDING)
    np.testing.assert_allclose(effect.std_error, [error], atol=ROUNDING)


def test_standardisation_has_the_error_of_the_known_formula() -> None:
    rows = simulation("back-door").frame
    effect = dc.estimate_effect(rows, question("back-door")).contrast()
    n, variance, means = len(rows), 0.0, []
    strata = {z: part for z, part in rows.groupby("Z")}
    for z, part in strata.items():
        treated = part.groupby("X")["Y"]
        means.append(treated.mean()[1] - treated.mean()[0])
        share = len(part) / n
        within = (treated.mean() * (1 - treated.mean()) / treated.size()).sum()
        variance += share**2 * within
        assert z in (0, 1)
    share = np.array([len(part) for part in strata.values()]) / n
    total = share @ means
    variance += share @ (np.array(means) - total) ** 2 / n
    np.testing.assert_allclose(effect.estimate, [total], atol=ROUNDING)
    np.testing.assert_allclose(effect.std_error, [np.sqrt(variance)], atol=ROUNDING)


def test_published_tables_give_their_published_answers() -> None:
    stones, berkeley = dc.datasets.kidney_stones(), dc.datasets.ucb_admissions()
    fit = dc.estimate_effect(
        stones.frame, dc.identify(stones.graph, "success", do="treatment")
    )
    success = fit.estimate.sel(success="yes").values
    np.testing.assert_allclose(success, [0.832546, 0.778875], atol=5e-7)
    graph = dc.CausalGraph.from_edges("dept->gender->admitted; dept->admitted")
    fit = dc.estimate_effect(
        berkeley.frame, dc.identify(graph, "admitted", do="gender")
    )
    rates = fit.estimate.sel(admitted="yes")
    assert round(float(rates.sel(gender="male")), 4) == 0.3873
    assert round(float(rates.sel(gender="female")), 4) == 0.4300


@pytest.mark.reference
def test_standardisation_of_the_smoking_study_agrees_with_statsmodels() -> None:
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    study = dc.datasets.china_smoking()
    rows = study.frame
    outcome, do = study.table.names[2], study.table.names[1]
    found = dc.identify(study.graph, outcome, do=do)
    fit = dc.estimate_effect(rows, found)
    rows = rows.assign(case=(rows[outcome] == study.table.axes[outcome][1]).astype(int))
    city = study.table.names[0]
    model = smf.glm(
        f"case ~ C({do}) * C({city})",
        rows,
        family=sm.families.Binomial(),
        freq_weights=rows["count"].to_numpy(),
    ).fit()
    for state in study.table.axes[do]:
        mean = model.predict(rows.assign(**{do: state}))
        standard = np.average(mean, weights=rows["count"])
        own = fit.estimate.sel({do: state, outcome: study.table.axes[outcome][1]})
        # the model is saturated, so both are the same number; GLM stops at 1e-8
        assert float(own) == pytest.approx(standard, abs=1e-7)


@pytest.mark.parametrize("name", QUESTIONS)
def test_probabilities_add_up_and_so_do_their_errors(name: str) -> None:
    fit = dc.estimate_effect(simulation(name).frame, question(name))
    np.testing.assert_allclose(fit.estimate.sum("Y").values, 1.0, atol=ROUNDING)
    size = fit.estimate.values[0].size
    total = np.kron(np.ones((1, 2)), np.eye(size))
    np.testing.assert_allclose(total @ fit.covariance @ total.T, 0.0, atol=ROUNDING)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(QUESTIONS)))
@settings(max_examples=10)
def test_order_of_rows_does_not_matter(seed: int, name: str) -> None:
    rows = simulation(name).frame
    shuffled = rows.sample(frac=1.0, random_state=seed % 2**31)
    one = dc.estimate_effect(rows, question(name))
    other = dc.estimate_effect(shuffled, question(name))
    np.testing.assert_array_equal(one.estimate.values, other.estimate.values)
    np.testing.assert_array_equal(one.covariance, other.covariance)


@given(st.sampled_from(sorted(QUESTIONS)), st.integers(2, 4))
@settings(max_examples=10)
def test_repeating_the_sample_divides_the_variance(name: str, times: int) -> None:
    rows = simulation(name).frame
    one = dc.estimate_effect(rows, question(name))
    counted = dc.estimate_effect(rows.assign(count=times), question(name))
    repeated = dc.estimate_effect(pd.concat([rows] * times), question(name))
    for other in (counted, repeated):
        np.testing.assert_allclose(
            other.estimate.values, one.estimate.values, atol=ROUNDING
        )
        np.testing.assert_allclose(
            other.covariance * times, one.covariance, atol=ROUNDING
        )


@given(st.sampled_from(sorted(QUESTIONS)), st.permutations(["a", "b"]))
@settings(max_examples=10)
def test_names_of_states_do_not_matter(name: str, labels: list[str]) -> None:
    rows = simulation(name).frame
    one = dc.estimate_effect(rows, question(name))
    named = {v: dict(enumerate(labels)) for v in rows.columns}
    other = dc.estimate_effect(
        rows.replace(named), question(name), states=dict.fromkeys(rows.columns, labels)
    )
    np.testing.assert_allclose(one.estimate.values, other.estimate.values, atol=1e-15)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-18)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(QUESTIONS)))
@settings(max_examples=10)
def test_a_weight_may_be_split_over_equal_rows(seed: int, name: str) -> None:
    rows = simulation(name).frame.head(400)
    rng = np.random.default_rng(seed)
    weight, part = rng.uniform(0.5, 2.0, len(rows)), rng.uniform(0.1, 0.9, len(rows))
    whole = dc.estimate_effect(rows.assign(w=weight), question(name), weights="w")
    halves = pd.concat(
        [rows.assign(w=weight * part), rows.assign(w=weight * (1 - part))]
    )
    split = dc.estimate_effect(halves, question(name), weights="w")
    np.testing.assert_allclose(
        whole.estimate.values, split.estimate.values, atol=ROUNDING
    )
    scaled = dc.estimate_effect(rows, question(name), weights=3.0 * weight)
    np.testing.assert_allclose(whole.covariance, scaled.covariance, atol=ROUNDING)
    # as one cluster each, the halves are the whole again
    both = pd.concat([pd.Series(range(len(rows)))] * 2).to_numpy()
    together = dc.estimate_effect(halves, question(name), weights="w", cluster=both)
    factor = len(rows) / (len(rows) - 1)
    np.testing.assert_allclose(
        together.covariance, whole.covariance * factor, atol=ROUNDING
    )


def test_clusters_of_one_row_are_independent_rows() -> None:
    rows = simulation("front-door").frame
    one = dc.estimate_effect(rows, question("front-door"))
    other = dc.estimate_effect(
        rows, question("front-door"), cluster=np.arange(len(rows))
    )
    factor = len(rows) / (len(rows) - 1)
    np.testing.assert_allclose(other.covariance, one.covariance * factor, rtol=1e-10)
    assert other.n_clusters == len(rows)


def test_rows_of_a_cluster_may_count_several_times() -> None:
    rows = simulation("front-door").frame
    rows = rows.assign(g=np.arange(len(rows)) % 90, w=np.linspace(0.5, 2, len(rows)))
    times = 1 + np.arange(len(rows)) % 3
    more = {"cluster": "g", "weights": "w"}
    one = dc.estimate_effect(rows.assign(count=times), question("front-door"), **more)
    repeated = rows.loc[rows.index.repeat(times)]
    other = dc.estimate_effect(repeated, question("front-door"), **more)
    np.testing.assert_allclose(one.estimate.values, other.estimate.values)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)


def test_copies_in_one_cluster_add_nothing() -> None:
    rows = simulation("napkin").frame
    one = dc.estimate_effect(rows, question("napkin"), cluster=np.arange(len(rows)))
    twice = pd.concat([rows, rows])
    who = np.tile(np.arange(len(rows)), 2)
    other = dc.estimate_effect(twice, question("napkin"), cluster=who)
    np.testing.assert_allclose(other.covariance, one.covariance, rtol=1e-10)


def test_weighted_share_has_the_linearised_error() -> None:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"X": rng.integers(0, 2, 300), "Y": rng.integers(0, 2, 300)})
    weight = rng.uniform(0.2, 3.0, 300)
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    fit = dc.estimate_effect(rows, found, weights=weight)
    for x in (0, 1):
        inside = (rows["X"] == x).to_numpy()
        w, y = weight[inside], rows["Y"].to_numpy()[inside]
        mean = np.average(y, weights=w)
        error = np.sqrt((w**2 * (y - mean) ** 2).sum()) / w.sum()
        assert float(fit.estimate.sel(Y=1, X=x)) == pytest.approx(mean, abs=ROUNDING)
        assert float(fit.std_error.sel(Y=1, X=x)) == pytest.approx(error, abs=ROUNDING)


def test_treatment_without_effect_gives_the_plain_share_in_every_setting() -> None:
    rows = simulation("back-door").frame
    found = dc.identify(dc.CausalGraph.from_edges("Y->X; Z->Y"), "Y", do="X")
    fit = dc.estimate_effect(rows, found)
    share = rows["Y"].mean()
    np.testing.assert_allclose(fit.estimate.sel(Y=1).values, share, atol=ROUNDING)
    error = np.sqrt(share * (1 - share) / len(rows))
    np.testing.assert_allclose(fit.std_error.values, error, atol=ROUNDING)
    assert fit.contrast().estimate[0] == 0.0
    assert fit.contrast().std_error[0] == pytest.approx(0.0, abs=1e-10)


def test_experiment_adds_its_own_error() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y; X->M; M->Y")
    found = dc.identify(graph, "Y", do="X", experiments=[["X"]], observational=False)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(0, 2, (500, 3)), columns=["X", "M", "Y"])
    fit = dc.estimate_effect({("X",): rows}, found)
    for x in (0, 1):
        y = rows["Y"][rows["X"] == x]
        assert float(fit.estimate.sel(Y=1, X=x)) == pytest.approx(y.mean())
        error = np.sqrt(y.mean() * (1 - y.mean()) / len(y))
        assert float(fit.std_error.sel(Y=1, X=x)) == pytest.approx(error)


def test_independent_samples_add_their_variances() -> None:
    graph = dc.CausalGraph.from_edges("X->M->Y; A->Y; A<->Y")
    found = dc.identify(graph, "Y", do=["X", "A"], experiments=[["A"]])
    rng = np.random.default_rng(0)
    seen = pd.DataFrame({"X": rng.integers(0, 2, 500)})
    seen["M"] = (rng.uniform(size=500) < 0.2 + 0.5 * seen["X"]).astype(int)
    trial = pd.DataFrame({"M": rng.integers(0, 2, 300), "A": rng.integers(0, 2, 300)})
    mean = 0.6 - 0.4 * trial["M"] + 0.2 * trial["A"]
    trial["Y"] = (rng.uniform(size=300) < mean).astype(int)
    fit = dc.estimate_effect({"observational": seen, ("A",): trial}, found)
    for arm, rows in trial.groupby("A"):
        (low, high), count = rows.groupby("M")["Y"].mean(), rows.groupby("M").size()
        for x, part in seen.groupby("X")["M"]:
            share = part.mean()
            variance = (high - low) ** 2 * share * (1 - share) / len(part)
            variance += (1 - share) ** 2 * low * (1 - low) / count[0]
            variance += share**2 * high * (1 - high) / count[1]
            at = {"Y": 1, "X": x, "A": arm}
            assert float(fit.estimate.sel(at)) == pytest.approx(
                low + share * (high - low)
            )
            assert float(fit.std_error.sel(at)) == pytest.approx(np.sqrt(variance))
    assert fit.n == 800


def test_smoothing_is_a_count_in_every_cell() -> None:
    rows = simulation("front-door").frame
    found = question("front-door")
    smoothed = dc.estimate_effect(rows, found, smoothing=2.0)
    every = pd.MultiIndex.from_product([(0, 1)] * 3, names=["X", "M", "Y"])
    added = pd.concat(
        [rows.assign(count=1), every.to_frame(index=False).assign(count=2)]
    )
    direct = dc.estimate_effect(added, found)
    np.testing.assert_allclose(
        smoothed.estimate.values, direct.estimate.values, atol=ROUNDING
    )


@pytest.mark.filterwarnings("ignore:the formula divides by")
@pytest.mark.parametrize(("name", "smoothing"), [("front-door", 0.5), ("napkin", 0)])
def test_errors_are_those_of_the_infinitesimal_jackknife(
    name: str, smoothing: float
) -> None:
    rows = simulation(name).frame.head(50)
    weight = np.linspace(0.5, 1.5, len(rows))

    def fit(weights: np.ndarray) -> dc.EffectResult:
        return dc.estimate_effect(
            rows, question(name), weights=weights, smoothing=smoothing
        )

    step, slopes_by_row = 1e-5, np.zeros((len(rows), 4))
    for row in range(len(rows)):
        shift = step * (np.arange(len(rows)) == row)
        ends = [fit(weight + sign * shift).estimate.values for sign in (1, -1)]
        slopes_by_row[row] = (ends[0] - ends[1]).ravel() / (2 * step)
    # smoothing counts for less in a larger sample, but the size is given
    centred = slopes_by_row - np.average(slopes_by_row, axis=0, weights=weight)
    each = centred * weight[:, None]
    # central differences: rounding 1e-16 / step, truncation step**2
    np.testing.assert_allclose(
        fit(weight).covariance, each.T @ each, rtol=1e-6, atol=1e-10
    )


def test_smoothing_fills_what_never_occurs() -> None:
    rows = simulation("back-door").frame
    rows = rows[~((rows["Z"] == 1) & (rows["X"] == 1))]
    with pytest.raises(dc.PositivityError, match=r"Z=1, X=1|X=1, Z=1"):
        dc.estimate_effect(rows, question("back-door"))
    with pytest.warns(dc.InferenceWarning, match="fewer than 5"):
        fit = dc.estimate_effect(rows, question("back-door"), smoothing=0.5)
    assert np.isfinite(fit.estimate.values).all()


def test_small_conditions_are_pointed_out() -> None:
    rows = simulation("back-door").frame
    thin = pd.concat(
        [
            rows[(rows["Z"] == 0) | (rows["X"] == 0)],
            rows[(rows["Z"] == 1) & (rows["X"] == 1)].head(3),
        ]
    )
    with pytest.warns(dc.InferenceWarning, match=r"X=1, Z=1 \(3\)|Z=1, X=1 \(3\)"):
        fit = dc.estimate_effect(thin, question("back-door"))
    row = fit.positivity.iloc[0]
    assert (row["count"], row["states"]) == (3.0, 4)
    assert row["share"] == pytest.approx(3 / len(thin))


def test_conditions_that_no_answer_needs_are_not_counted() -> None:
    # M=1 never occurs with X=1, and only P(M | X=1) would have weighed that cell
    rows = pd.DataFrame(
        [(x, m, y) for x in (0, 1) for m in (0, 1, 2) for y in (0, 1)] * 20,
        columns=["X", "M", "Y"],
    )
    rows = rows[rows["M"] != 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = dc.estimate_effect(rows, question("front-door"), states={"M": (0, 1, 2)})
    assert set(fit.positivity["states"]) == {2, 4}


def test_first_estimate_waits_for_no_jax() -> None:
    code = (
        "import sys, pandas as pd, distcausal as dc;"
        "rows = pd.DataFrame({'X': [0, 0, 1, 1] * 9, 'Y': [0, 1, 1, 0] * 9});"
        "found = dc.identify(dc.CausalGraph.from_edges('X->Y'), 'Y', do='X');"
        "dc.estimate_effect(rows, found, inference='bootstrap').contrast().tidy();"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
