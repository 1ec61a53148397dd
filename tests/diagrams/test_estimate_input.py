"""What is refused, and how it is said; and frames of every library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import distcausal as dc
from tests.diagrams.effects import question, simulation

FOUND = question("back-door")
ROWS = simulation("back-door").frame


def gap(column: str) -> pd.DataFrame:
    rows = ROWS.astype({column: "object"})
    rows.loc[[3, 5], column] = None
    return rows


REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (ROWS.drop(columns="Z"), {}, dc.DataError, "'Z' is not among the columns"),
    (ROWS.drop(columns=["Z", "X"]), {}, dc.DataError, "lacks X, Z"),
    (ROWS.head(0), {}, dc.DataError, "has none"),
    (3, {}, dc.DataError, "is a int"),
    (gap("Z"), {}, dc.DataError, r"2 of 800 rows: Z \(2\)"),
    (ROWS.assign(count=-1), {}, dc.DataError, "whole numbers"),
    (ROWS.assign(count=0.5), {}, dc.DataError, "weights="),
    (ROWS.assign(count="a"), {}, dc.DataError, "numeric"),
    (ROWS.assign(w=-1.0), {"weights": "w"}, dc.DataError, "800 of 800"),
    (ROWS.assign(w=0.0), {"weights": "w"}, dc.DataError, "all be zero"),
    (ROWS.assign(w=np.inf), {"weights": "w"}, dc.DataError, "finite"),
    (ROWS, {"weights": "w"}, dc.DataError, "'w' is not among"),
    (ROWS, {"weights": np.ones(3)}, dc.DataError, "800 rows"),
    (ROWS, {"cluster": np.ones(3)}, dc.DataError, "800 rows"),
    (ROWS, {"cluster": np.zeros(800)}, dc.DataError, "one cluster"),
    (ROWS, {"states": {"X": ["a", "b"]}}, dc.QueryError, "no state 0"),
    (ROWS, {"method": "median"}, dc.DesignError, "'median'"),
    (ROWS, {"inference": "jackknife"}, dc.DesignError, "'jackknife'"),
    (ROWS, {"missing": "skip"}, dc.DesignError, "'skip'"),
    (ROWS, {"smoothing": -1.0}, dc.DesignError, "smoothing"),
    (ROWS, {"smoothing": np.nan}, dc.DesignError, "smoothing"),
    (ROWS, {"seed": -1}, dc.DesignError, "seed"),
    ({("Z",): ROWS}, {}, dc.QueryError, "experiment on Z"),
    (ROWS.assign(X=[0, "a"] * 400), {}, dc.DataError, "one kind"),
    (ROWS, {"states": {"Q": [0]}}, dc.QueryError, "'Q', but the graph has no such"),
    (ROWS, {"smoothing": "a"}, dc.DesignError, "smoothing 'a'"),
    (ROWS, {"smoothing": True}, dc.DesignError, "smoothing True"),
]


@pytest.mark.parametrize(("rows", "more", "error", "said"), REFUSED)
def test_input_is_refused_by_name(
    rows: Any, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        dc.estimate_effect(rows, FOUND, **more)


def test_bootstrap_settings_are_checked_where_they_are_written() -> None:
    with pytest.raises(dc.DesignError, match="draws 5"):
        dc.Bootstrap(draws=5)
    with pytest.raises(dc.DesignError, match="'wild'"):
        dc.Bootstrap(kind="wild")
    with pytest.raises(dc.DesignError, match="'basic'"):
        dc.Bootstrap(interval="basic")


def test_an_effect_without_formula_is_refused() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    with pytest.raises(dc.IdentificationError, match="X"):
        dc.estimate_effect(ROWS, dc.identify(graph, "Y", do="X"))


def test_experiments_need_their_rows() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    found = dc.identify(graph, "Y", do="X", experiments=[["X"]])
    with pytest.raises(
        dc.QueryError, match=r"experiment on X; give them under \('X',\)"
    ):
        dc.estimate_effect(ROWS, found)
    one_arm = ROWS[ROWS["X"] == 0]
    with pytest.raises(dc.PositivityError, match="no observation with X=1"):
        dc.estimate_effect({("X",): one_arm}, found, states={"X": (0, 1)})


def test_several_frames_take_names_of_columns_only() -> None:
    graph = dc.CausalGraph.from_edges("X->M->Y; A->Y; A<->Y")
    found = dc.identify(graph, "Y", do=["X", "A"], experiments=[["A"]])
    rows = pd.DataFrame(np.zeros((4, 4), int), columns=["X", "M", "A", "Y"])
    with pytest.raises(dc.DesignError, match="names of columns"):
        dc.estimate_effect(
            {"observational": rows, ("A",): rows}, found, weights=np.ones(4)
        )


def test_rows_with_gaps_are_left_out_when_asked_and_counted() -> None:
    kept = ROWS.drop(index=[3, 5])
    fit = dc.estimate_effect(gap("Z"), FOUND, missing="drop")
    whole = dc.estimate_effect(kept, FOUND)
    np.testing.assert_array_equal(fit.estimate.values, whole.estimate.values)
    assert (fit.n, fit.settings["dropped"]) == (798, 2)
    assert "Rows left out:" in str(fit.summary())
    spare = ROWS.assign(other=np.nan)
    assert dc.estimate_effect(spare, FOUND).n == 800


def test_gaps_in_weights_and_clusters_are_gaps() -> None:
    rows = ROWS.assign(w=1.0, g=np.arange(800) % 50 * 1.0)
    rows.loc[[1], "w"] = np.nan
    rows.loc[[2], "g"] = np.nan
    with pytest.raises(dc.DataError, match=r"cluster \(1\), weights \(1\)"):
        dc.estimate_effect(rows, FOUND, weights="w", cluster="g")
    fit = dc.estimate_effect(rows, FOUND, weights="w", cluster="g", missing="drop")
    assert fit.n == 798


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pl.LazyFrame])
def test_every_library_gives_the_same_numbers(make: Any) -> None:
    columns = {name: ROWS[name].to_numpy() for name in ROWS.columns}
    columns["g"] = np.arange(800) % 70
    one = dc.estimate_effect(pd.DataFrame(columns), FOUND, cluster="g")
    other = dc.estimate_effect(make(columns), FOUND, cluster="g")
    np.testing.assert_array_equal(one.covariance, other.covariance)
    weights = np.linspace(1, 2, 800)
    one = dc.estimate_effect(pd.DataFrame(columns), FOUND, weights=weights)
    other = dc.estimate_effect(make(columns), FOUND, weights=weights)
    np.testing.assert_array_equal(one.covariance, other.covariance)


def test_texts_and_truth_values_are_states() -> None:
    named = ROWS.assign(X=ROWS["X"] == 1, Y=ROWS["Y"].map({0: "no", 1: "yes"}))
    one, other = (dc.estimate_effect(rows, FOUND) for rows in (named, ROWS))
    np.testing.assert_array_equal(one.estimate.values, other.estimate.values)
    assert one.estimate.axes == {"Y": ("no", "yes"), "X": (False, True)}


def test_tables_too_large_are_refused_with_their_size() -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.integers(0, 400, (5000, 2)), columns=["X", "Z"])
    wide["Y"] = rng.integers(0, 300, 5000)
    with pytest.raises(dc.ComplexityError, match=r"X \(400\), Y \(300\), Z \(400\)"):
        dc.estimate_effect(wide, FOUND)


def test_rows_of_their_own_weight_are_not_refused_for_their_number() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(0, 20, (350_000, 2)), columns=["X", "Y"])
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    weight = rng.uniform(0.9, 1.1, len(rows))
    fit = dc.estimate_effect(rows, found, weights=weight)
    inside = (rows["X"] == 3).to_numpy()
    w, y = weight[inside], (rows["Y"] == 7).to_numpy()[inside]
    mean = np.average(y, weights=w)
    error = np.sqrt((w**2 * (y - mean) ** 2).sum()) / w.sum()
    assert float(fit.std_error.sel(X=3, Y=7)) == pytest.approx(error, rel=1e-9)


def test_answers_too_many_are_refused_with_their_number() -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.integers(0, 150, (5000, 2)), columns=["X", "Y"])
    wide["Z"] = 0
    with pytest.raises(dc.ComplexityError, match="22500 answers"):
        dc.estimate_effect(wide, FOUND)


def test_a_column_named_count_may_be_a_variable() -> None:
    graph = dc.CausalGraph.from_edges("count->Y")
    rows = ROWS.rename(columns={"X": "count"})[["count", "Y"]]
    fit = dc.estimate_effect(rows, dc.identify(graph, "Y", do="count"))
    assert fit.n == 800


@pytest.mark.parametrize("method", ["plugin", "aipw"])
def test_a_count_after_the_outcome_is_no_column_of_counts(method: str) -> None:
    graph = dc.CausalGraph.from_edges("Z->X->Y->count; Z->Y")
    found = dc.identify(graph, "Y", do="X")
    rows = ROWS.assign(count=1 + 4 * ROWS["Y"])
    fit = dc.estimate_effect(rows, found, method)
    assert fit.n == 800
    without = dc.estimate_effect(ROWS, FOUND, method)
    np.testing.assert_array_equal(fit.estimate.values, without.estimate.values)


def test_gaps_in_a_variable_named_like_a_role_are_gaps() -> None:
    graph = dc.CausalGraph.from_edges("weights->X->Y; weights->Y; cluster->Y")
    found = dc.identify(graph, "Y", do="X", given="cluster")
    rows = gap("Z").rename(columns={"Z": "weights"})
    half = (np.arange(800) // 2) % 2 * 1.0
    rows = rows.assign(cluster=np.where(np.arange(800) == 7, np.nan, half))
    more = {"cluster": np.arange(800), "weights": np.ones(800)}
    with pytest.raises(dc.DataError, match=r"3 of 800.*cluster \(1\), weights \(2\)"):
        dc.estimate_effect(rows, found, **more)
    fit = dc.estimate_effect(rows, found, missing="drop", **more)
    assert (fit.n, fit.settings["dropped"]) == (797, 3)
    assert fit.estimate.axes["cluster"] == (0, 1)


@pytest.mark.parametrize("name", ["(draw)", "(cell)", "(row)"])
def test_names_of_the_axes_of_computation_are_refused(name: str) -> None:
    graph = dc.CausalGraph.from_edges([(name, "X"), (name, "Y"), ("X", "Y")])
    with pytest.raises(dc.DataError, match="another name"):
        dc.estimate_effect(
            ROWS.rename(columns={"Z": name}), dc.identify(graph, "Y", do="X")
        )


def test_ordered_categories_keep_their_order() -> None:
    order = ["placebo", "active", "never"]
    arms = ROWS["X"].map({0: "placebo", 1: "active"})
    rows = ROWS.assign(X=pd.Categorical(arms, categories=order, ordered=True))
    plain = dc.estimate_effect(ROWS, FOUND).contrast()
    for frame in (rows, pl.from_pandas(rows).cast({"X": pl.Enum(order)})):
        fit = dc.estimate_effect(frame, FOUND)
        assert fit.estimate.axes["X"] == ("placebo", "active")
        np.testing.assert_allclose(fit.contrast().estimate, plain.estimate)
    loose = ROWS.assign(X=pd.Categorical(arms, categories=order))
    assert dc.estimate_effect(loose, FOUND).estimate.axes["X"] == ("active", "placebo")


def test_order_of_categories_holds_for_all_frames_that_have_no_others() -> None:
    graph = dc.CausalGraph.from_edges("X->M->Y; A->Y; A<->Y")
    found = dc.identify(graph, "Y", do=["X", "A"], experiments=[["A"]])
    rng = np.random.default_rng(0)
    seen = pd.DataFrame(rng.integers(0, 2, (200, 2)), columns=["X", "M"])
    trial = pd.DataFrame(rng.integers(0, 2, (200, 3)), columns=["M", "A", "Y"])
    seen["M"] = seen["M"].map({0: "z", 1: "a"})
    trial["M"] = trial["M"].map({0: "z", 1: "a"})
    seen["M"] = pd.Categorical(seen["M"], categories=["z", "a"], ordered=True)
    fit = dc.estimate_effect({"observational": seen, ("A",): trial}, found)
    assert fit.settings["states"]["M"] == ("z", "a")
    trial.loc[:9, "M"] = "other"
    fit = dc.estimate_effect({"observational": seen, ("A",): trial}, found)
    assert fit.settings["states"]["M"] == ("a", "other", "z")
