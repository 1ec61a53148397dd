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
