"""What models refuse, by name, and what fitting them to rows of data gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.errors import (
    ComplexityError,
    DataError,
    ModelError,
    PositivityError,
    QueryError,
    TypeError_,
)
from tests.diagrams.smoking import smoking_model

ATOL = 1e-12  # shares of 200 rows are exact up to rounding


@pytest.fixture
def smoking() -> dc.CausalModel:
    return smoking_model()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.query("Q"), "no variable 'Q'.*S, T, C"),
        (lambda m: m.query([]), "outcome is empty"),
        (lambda m: m.query(["C", "C"]), "'C' more than once"),
        (lambda m: m.query("C", do={"Q": 1}), "no variable 'Q'"),
        (lambda m: m.query("C", do={"S": "maybe"}), "maybe.*no.*yes"),
        (lambda m: m.query("C", given={"T": 7}), "7.*low.*high"),
        (lambda m: m.query("C", do={"C": 1}), "'C' is named in outcome and in do"),
        (
            lambda m: m.query("C", {"S": "no"}, {"S": "no"}),
            "'S' is named in do and in given",
        ),
        (lambda m: m.query("C", given=["C"]), "'C' is named in outcome and in given"),
        (lambda m: m.query("C", do={"S": ["no"], "T": ["low", "low"]}), "one length"),
        (lambda m: m.query("C", do={"S": []}), "at least 1"),
        (lambda m: m.do({"U(S,C)": 0}), "latent and cannot be intervened on.*S, T, C"),
        (lambda m: m.do(S="maybe"), "maybe.*no.*yes"),
        (lambda m: m.space("Q"), "no variable 'Q'"),
    ],
)
def test_questions_about_what_is_not_there_are_refused(smoking, ask, message):
    with pytest.raises(QueryError, match=f"(?s){message}"):
        ask(smoking)


def test_draws_and_lists_do_not_mix(smoking):
    draws = np.stack([smoking.tables["S"]] * 2)
    with pytest.raises(QueryError, match="one intervention at a time"):
        smoking.query("C", do={"S": ["no", "yes"]}, tables={"S": draws})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"S": np.ones((2, 2, 3)) / 3}, "'S' should have shape"),
        (
            {"S": np.full((2, 2, 2), 0.5), "T": np.full((3, 2, 2), 0.5)},
            "number of draws",
        ),
    ],
)
def test_draws_of_another_shape_are_refused(smoking, tables, message):
    with pytest.raises(DataError, match=message):
        smoking.query("C", tables=tables)


def policies(model):
    s, t, c = (model.space(name) for name in "STC")
    other = dc.Space("S", ("a", "b"))
    return [
        (QueryError, "reads T, an effect", {"S": dc.Channel(np.eye(2), t, s)}),
        (TypeError_, "but should make", {"S": dc.Channel([0.5, 0.5], [], other)}),
        (TypeError_, "the model has", {"T": dc.Channel(np.eye(2), other, t)}),
        (ModelError, "should be a Channel", {"S": [0.5, 0.5]}),
        (
            QueryError,
            "no variable 'Q'",
            {"Q": dc.Channel([1.0], [], dc.Space("Q", (0,)))},
        ),
        (
            TypeError_,
            "reads 'S' twice",
            {"T": _twice(s, t)},
        ),
        (QueryError, "reads C, an effect", {"C": dc.Channel(np.eye(2), c, c)}),
    ]


def _twice(s, t):
    return dc.Channel(np.full((2, 2, 2), 0.5), [s, s], t)


@pytest.mark.parametrize("place", range(7))
def test_impossible_policies_are_refused(smoking, place):
    error, message, channels = policies(smoking)[place]
    with pytest.raises(error, match=message):
        smoking.intervene(channels)


def test_a_shift_stays_in_its_space(smoking):
    kernel = dc.Channel(np.eye(2), smoking.space("T"), smoking.space("S"))
    with pytest.raises(TypeError_, match="a shift of 'S' should be a channel from"):
        smoking.shift("S", kernel)


CHAIN = dc.CausalGraph.from_edges("A->B; A<->B")
GOOD = {"U(A,B)": [0.5, 0.5], "A": np.eye(2), "B": np.full((2, 2, 2), 0.5)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"B": None}, ModelError, "no table for B"),
        ({"U(A,B)": None}, ModelError, r"Latent causes, U\(A,B\), need laws too"),
        ({"Q": [1.0]}, ModelError, "table for Q, which is not in the graph"),
        ({"B": [0.5, 0.5]}, ModelError, r"axis for each of A, U\(A,B\), B"),
        ({"B": np.full((3, 2, 2), 0.5)}, ModelError, r"has shape \(3, 2, 2\)"),
        ({"A": [[0.5, 0.6], [0.5, 0.5]]}, DataError, "'A'.*1.1"),
        ({"A": [[-0.5, 1.5], [0.5, 0.5]]}, DataError, "'A'.*-0.5"),
        ({"A": [[np.nan, 1], [0.5, 0.5]]}, DataError, "'A'.*finite.*row U"),
        ({"A": "law"}, ModelError, "table of 'A' is not an array"),
        (
            {"A": dc.LabelledArray(np.eye(2), {"B": (0, 1), "A": (0, 1)})},
            ModelError,
            r"'A' has the axes B, A, but by the graph it should be U\(A,B\), A",
        ),
        (
            {
                "A": dc.LabelledArray(np.eye(2), {"U(A,B)": (0, 1), "A": ("x", "y")}),
                "B": dc.LabelledArray(
                    np.full((2, 2, 2), 0.5),
                    {"A": (0, 1), "U(A,B)": (0, 1), "B": (0, 1)},
                ),
            },
            ModelError,
            "'A' different states",
        ),
    ],
)
def test_tables_that_are_no_laws_of_the_graph_are_refused(change, error, message):
    tables = {
        name: table for name, table in {**GOOD, **change}.items() if table is not None
    }
    with pytest.raises(error, match=f"(?s){message}"):
        dc.CausalModel(CHAIN, tables)


def test_a_joint_too_large_is_refused_before_it_is_made():
    names = [f"V{place}" for place in range(40)]
    arrows = list(pairwise(names))
    model = dc.random_model(dc.CausalGraph(arrows), seed=1)
    with pytest.raises(ComplexityError, match=r"1\.1e\+12 entries.*Ask about fewer"):
        model.joint()
    assert model.query("V39", do={"V0": 1}).shape == (2,)
    cost = model.complexity("V39")
    assert cost["treewidth"] == 1
    assert cost["largest"] <= 4
    with pytest.raises(ComplexityError):
        model.query(["V1", "V2", "V3"], largest=7)


FRAME = pd.DataFrame(
    {"A": ["a", "a", "b", "b", "b"], "B": [0, 1, 1, 1, 2], "w": [1, 2, 3, 4, 5]}
)
PAIR = dc.CausalGraph.from_edges("A->B")


def test_fitted_tables_are_shares():
    model = dc.CausalModel.fit(FRAME, PAIR)
    assert model.states == {"A": ("a", "b"), "B": (0, 1, 2)}
    assert_allclose(model.tables["A"], [0.4, 0.6])
    assert_allclose(model.tables["B"], [[1 / 2, 1 / 2, 0], [0, 2 / 3, 1 / 3]])


def test_fitted_tables_are_weighted_shares():
    model = dc.CausalModel.fit(FRAME, PAIR, weights="w")
    assert_allclose(model.tables["A"], [3 / 15, 12 / 15])
    assert_allclose(model.tables["B"], [[1 / 3, 2 / 3, 0], [0, 7 / 12, 5 / 12]])


def test_smoothing_adds_to_every_count():
    model = dc.CausalModel.fit(FRAME, PAIR, smoothing=1.0)
    assert_allclose(model.tables["A"], [3 / 7, 4 / 7])
    assert_allclose(model.tables["B"], [[2 / 5, 2 / 5, 1 / 5], [1 / 6, 3 / 6, 2 / 6]])


@given(st.integers(0, 2**32 - 1))
def test_a_fitted_model_gives_back_the_frame_it_fits(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.integers(0, 2, size=(200, 3)), columns=list("ABC"))
    full = dc.CausalGraph.from_edges("A->B; A->C; B->C")
    model = dc.CausalModel.fit(frame, full)
    shares = frame.value_counts(normalize=True)
    joint = model.joint()
    for states, share in shares.items():
        place = tuple(
            joint.axes[n].index(s) for n, s in zip("ABC", states, strict=True)
        )
        assert abs(joint.values[place] - share) < ATOL


def test_a_law_that_no_row_showed_is_refused_only_where_needed():
    states = {"A": ("a", "b", "c")}
    model = dc.CausalModel.fit(FRAME, PAIR, states=states)
    assert_allclose(model.query("B", do={"A": "a"}).values, [1 / 2, 1 / 2, 0])
    assert_allclose(model.query("B").values.sum(), 1)
    for setting in ({"A": "c"}, ["A"]):
        with pytest.raises(PositivityError, match="law of 'B' for states of A"):
            model.query("B", do=setting)
    even = dc.CausalModel.fit(FRAME, PAIR, states=states, smoothing=0.5)
    assert_allclose(even.query("B", do={"A": "c"}).values, [1 / 3] * 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (FRAME, dc.CausalGraph.from_edges("A->B; A<->B")),
            ModelError,
            "latent causes",
        ),
        ((FRAME, dc.CausalGraph.from_edges("A->Q")), DataError, "Q"),
    ],
)
def test_fits_that_cannot_be_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        dc.CausalModel.fit(*arguments)


def test_negative_smoothing_is_refused():
    with pytest.raises(DataError, match="smoothing -1 should be 0 or more"):
        dc.CausalModel.fit(FRAME, PAIR, smoothing=-1)
