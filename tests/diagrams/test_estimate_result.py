"""Results of estimated effects: shown, tabled, compared, kept."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import distcausal as dc
from distcausal.diagrams import plugin
from distcausal.diagrams.intervals import probability_ends
from tests.diagrams.effects import question, simulation

FIT = dc.estimate_effect(simulation("front-door").frame, question("front-door"))
BOOTSTRAP = dc.estimate_effect(
    simulation("front-door").frame, question("front-door"), inference="bootstrap"
)
COLUMNS = [
    "term",
    "estimate",
    "std_error",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
]


def test_tidy_has_the_columns_of_every_estimate_here() -> None:
    frame = FIT.tidy(0.9)
    assert list(frame.columns) == COLUMNS
    assert list(frame["term"]) == [
        f"P(Y={y} | do(X={x}))" for y in (0, 1) for x in (0, 1)
    ]
    share = frame["estimate"]
    reach = 1.6448536269514722 * frame["std_error"] / (share * (1 - share))
    for end, side in (("conf_low", -1), ("conf_high", 1)):
        logit = np.log(frame[end] / (1 - frame[end]))
        np.testing.assert_allclose(logit, np.log(share / (1 - share)) + side * reach)
    # a probability is not held against 0, a comparison is
    assert frame[["statistic", "p_value"]].isna().all(axis=None)
    row = FIT.contrast().tidy(0.9).iloc[0]
    assert row["statistic"] == row["estimate"] / row["std_error"]
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(row["statistic"])))
    reach = 1.6448536269514722 * row["std_error"]
    assert row["conf_high"] - row["estimate"] == pytest.approx(reach)
    low, high = FIT.conf_int(0.9)
    np.testing.assert_array_equal(low.values.ravel(), frame["conf_low"])
    np.testing.assert_array_equal(high.values.ravel(), frame["conf_high"])
    assert len(FIT.glance()) == 1


@pytest.mark.parametrize("fit", [FIT, BOOTSTRAP], ids=["delta", "bootstrap"])
def test_results_survive_pickle_and_json(fit: dc.EffectResult) -> None:
    for one in (fit, fit.contrast()):
        assert pickle.loads(pickle.dumps(one)) == one
        assert type(one).from_json(one.to_json()) == one
    with pytest.raises(ValueError, match="read-only"):
        fit.covariance[0, 0] = 1.0


def test_summary_shows_the_effect_first_and_looks_as_before() -> None:
    shown = str(FIT.summary()) + "\n"
    stored = Path(__file__).with_name("effect_summary.txt").read_text("utf-8")
    assert shown == stored
    assert FIT.to_latex().startswith("\\begin{table}")
    formula = question("front-door").estimand.latex()
    asked = r"P(y \mid \mathrm{do}(x)) = "
    assert FIT.to_latex().endswith(f"\\end{{table}}\n\\[\n{asked}{formula}\n\\]\n")
    assert "sum" not in FIT.to_latex().replace("\\sum", "")
    assert "<caption>" in FIT._repr_html_()
    assert "rubin1981" in FIT.cite()


def test_contrast_of_a_numeric_outcome_is_a_difference_of_means() -> None:
    contrast = FIT.contrast()
    y1 = FIT.estimate.sel(Y=1).values
    assert contrast.estimate[0] == pytest.approx(y1[1] - y1[0])
    cells = [FIT.terms.index(f"P(Y=1 | do(X={x}))") for x in (0, 1)]
    covariance = FIT.covariance[np.ix_(cells, cells)]
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert contrast.std_error[0] == pytest.approx(np.sqrt(variance))
    swapped = FIT.contrast(0, 1)
    assert swapped.estimate[0] == -contrast.estimate[0]
    assert swapped.labels == ("effect of X, 0 vs 1",)


@pytest.mark.parametrize("scale", ["ratio", "odds-ratio"])
def test_ratios_have_the_errors_of_the_delta_method(scale: str) -> None:
    contrast = FIT.contrast(outcome=1, scale=scale)
    cells = [FIT.terms.index(f"P(Y=1 | do(X={x}))") for x in (0, 1)]
    start = FIT.estimate.values.ravel()[cells]

    def value(pair: np.ndarray) -> float:
        low, high = pair if scale == "ratio" else pair / (1 - pair)
        return high / low

    step = 1e-6
    slope = np.array(
        [
            (value(start + step * e) - value(start - step * e)) / (2 * step)
            for e in np.eye(2)
        ]
    )
    error = np.sqrt(slope @ FIT.covariance[np.ix_(cells, cells)] @ slope)
    assert contrast.estimate[0] == pytest.approx(value(start))
    assert contrast.std_error[0] == pytest.approx(error, rel=1e-6)
    distance = np.log(contrast.estimate) * contrast.estimate / contrast.std_error
    np.testing.assert_allclose(contrast.statistic, distance)
    low, high = contrast.conf_int()
    # on the logarithmic scale the interval is symmetric
    assert low[0] * high[0] == pytest.approx(contrast.estimate[0] ** 2)
    upside = FIT.contrast(0, 1, outcome=1, scale=scale)
    assert upside.estimate[0] == pytest.approx(1 / contrast.estimate[0])
    assert upside.p_value[0] == pytest.approx(contrast.p_value[0])


def test_contrast_of_draws_is_read_off_the_draws() -> None:
    contrast = BOOTSTRAP.contrast()
    cells = [BOOTSTRAP.terms.index(f"P(Y=1 | do(X={x}))") for x in (0, 1)]
    difference = BOOTSTRAP.draws[:, cells[1]] - BOOTSTRAP.draws[:, cells[0]]
    low, high = contrast.conf_int()
    ends = np.quantile(difference, [0.025, 0.975])
    np.testing.assert_allclose([low[0], high[0]], ends)
    assert contrast.std_error[0] == pytest.approx(difference.std(ddof=1))


def test_contrast_is_one_per_state_of_what_is_given() -> None:
    fit = dc.estimate_effect(simulation("conditional").frame, question("conditional"))
    contrast = fit.contrast()
    assert contrast.labels == (
        "effect of X, 1 vs 0 at Z=0",
        "effect of X, 1 vs 0 at Z=1",
    )
    for z in (0, 1):
        part = fit.estimate.sel(Y=1, Z=z).values
        assert contrast.estimate[z] == pytest.approx(part[1] - part[0])


def test_contrast_of_several_treatments_names_them_all() -> None:
    fit = dc.estimate_effect(
        simulation("two treatments").frame, question("two treatments")
    )
    with pytest.raises(dc.DesignError, match="4 settings"):
        fit.contrast()
    with pytest.raises(dc.QueryError, match="map each of X1, X2"):
        fit.contrast(1, 0)
    contrast = fit.contrast({"X1": 1, "X2": 1}, {"X1": 0, "X2": 0})
    at = fit.estimate.sel(Y=1).values
    assert contrast.estimate[0] == pytest.approx(at[1, 1] - at[0, 0])
    assert contrast.labels[0] == "effect of X1=1, X2=1 vs X1=0, X2=0"


def test_contrasts_without_meaning_are_refused() -> None:
    with pytest.raises(dc.DesignError, match="'log'"):
        FIT.contrast(scale="log")
    with pytest.raises(dc.DesignError, match="odds ratio"):
        FIT.contrast(scale="odds-ratio")
    with pytest.raises(dc.QueryError, match="no state 7"):
        FIT.contrast(7, 0)
    with pytest.raises(dc.QueryError, match="no state 7"):
        FIT.contrast(outcome=7)
    with pytest.raises(dc.DesignError, match="confidence"):
        FIT.tidy(1.5)
    rows = simulation("front-door").frame.replace({"Y": {0: "a", 1: "b"}})
    fit = dc.estimate_effect(
        rows.assign(Y=np.where(np.arange(800) % 3 == 0, "c", rows["Y"])),
        question("front-door"),
    )
    with pytest.raises(dc.DesignError, match="state of Y"):
        fit.contrast()
    marginal = dc.identify(question("front-door").graph, "Y")
    with pytest.raises(dc.DesignError, match="sets nothing"):
        dc.estimate_effect(simulation("front-door").frame, marginal).contrast()


def test_distributions_are_the_answer_one_unit_per_setting() -> None:
    units = FIT.distributions
    assert len(units) == 2
    np.testing.assert_allclose(units.mean(), FIT.estimate.sel(Y=1).values)
    np.testing.assert_array_equal(units.columns["X"], [0, 1])


@pytest.mark.plots
def test_figures_draw_every_number_into_the_axes_given() -> None:
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert FIT.plot(ax) is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == list(FIT.terms)
    data = FIT.plot_data()
    np.testing.assert_allclose(ax.lines[0].get_xdata(), data["estimate"])
    assert len(FIT.contrast().plot().get_yticklabels()) == 1


def test_formula_with_open_axes_estimates_along_them() -> None:
    found = dc.identify(question("napkin").graph, "Y", do="X", free="expose")
    fit = dc.estimate_effect(simulation("napkin").frame, found)
    assert fit.estimate.names == ("Y", "X", "W2")
    assert fit.given == ("W2",)
    assert len(fit.contrast().estimate) == 2


def clustered(count: int, **more: object) -> dc.EffectResult:
    rows = simulation("front-door").frame
    who = np.arange(len(rows)) % count
    return dc.estimate_effect(rows, question("front-door"), cluster=who, **more)


def test_clusters_have_intervals_and_tests_of_students_t() -> None:
    fit = clustered(12)
    assert fit.df == 11
    contrast = fit.contrast()
    row = contrast.tidy().iloc[0]
    reach = stats.t.ppf(0.975, 11) * row["std_error"]
    assert row["conf_high"] - row["estimate"] == pytest.approx(reach)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(row["statistic"]), 11))
    assert "Student's t with 11 degrees" in " ".join(str(contrast.summary()).split())
    assert "P>|t|" in str(fit.summary())
    assert "P>|z|" in str(FIT.summary())


def test_few_clusters_are_pointed_out() -> None:
    with pytest.warns(dc.InferenceWarning, match="only 9 clusters"):
        fit = clustered(9)
    assert any("only 9 clusters" in note for note in fit.notes)
    clustered(10)


def test_clusters_may_be_added_up_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = clustered(50)
    monkeypatch.setattr(plugin, "CHUNK", 4 * 7)
    np.testing.assert_allclose(clustered(50).covariance, whole.covariance, rtol=1e-12)


def one_sided(rare: int) -> pd.DataFrame:
    """Rows of which so many have Y=0 where X=1."""
    rows = pd.DataFrame({"X": [0, 1] * 60, "Y": [0, 1, 1, 1] * 30})
    rows.loc[rows.index[rows["X"] == 1][:rare], "Y"] = 0
    return rows


def test_answers_without_error_are_pointed_out() -> None:
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    with pytest.warns(dc.InferenceWarning, match=r"P\(Y=1 \| do\(X=1\)\) = 1"):
        fit = dc.estimate_effect(one_sided(0), found)
    assert any("P(Y=0 | do(X=1)) = 0" in note for note in fit.notes)
    assert not any("X=0" in note for note in fit.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(dc.DesignError, match="between 0 and 1"):
            fit.contrast(outcome=1, scale="odds-ratio")
    # the law on one state is 1 whatever the sample
    dc.estimate_effect(one_sided(0).assign(Y=1), found)


def test_contrast_without_error_has_no_test() -> None:
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    rows = one_sided(0)
    with pytest.warns(dc.InferenceWarning, match="4|do"):
        fit = dc.estimate_effect(rows.assign(Y=rows["X"]), found)
    row = fit.contrast().tidy().iloc[0]
    assert (row["estimate"], row["std_error"]) == (1.0, 0.0)
    assert np.isnan(row["statistic"])
    assert np.isnan(row["p_value"])


def test_intervals_of_probabilities_stay_inside() -> None:
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    fit = dc.estimate_effect(one_sided(1), found)
    low, high = fit.conf_int(0.999)
    assert (low.values > 0).all()
    assert (high.values < 1).all()
    assert (low.values < fit.estimate.values).all()


def test_estimates_that_are_no_probabilities_have_plain_ends() -> None:
    values, errors = np.array([-0.1, 1.2, 0.0, 1.0, 0.5]), np.full(5, 0.2)
    low, high = probability_ends(values, errors, 2.0)
    np.testing.assert_allclose(low[:4], values[:4] - 0.4)
    np.testing.assert_allclose(high[:4], values[:4] + 0.4)
    odds = np.exp(1.6)
    np.testing.assert_allclose([low[4], high[4]], [1 / (1 + odds), odds / (1 + odds)])
    low, high = probability_ends(np.array([1e-12]), np.array([0.3]), 2.0)
    np.testing.assert_allclose([low[0], high[0]], [0.0, 1.0], atol=1e-300)


@pytest.mark.parametrize("method", ["plugin", "aipw"])
def test_settings_say_which_states_in_which_order(method: str) -> None:
    rows, found = simulation("back-door").frame, question("back-door")
    fit = dc.estimate_effect(rows, found, method, states={"X": [1, 0]})
    assert fit.settings["states"]["X"] == (1, 0)
    assert fit.settings["states"]["Z"] == (0, 1)
    assert fit.contrast().estimate[0] == pytest.approx(
        -dc.estimate_effect(rows, found, method).contrast().estimate[0]
    )
