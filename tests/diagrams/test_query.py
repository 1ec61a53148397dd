"""Questions to identify that cannot be asked, each with the name at fault."""

from __future__ import annotations

import numpy as np
import pytest

import distcausal as dc
from distcausal.errors import (
    DataError,
    DataWarning,
    DesignError,
    IdentificationError,
    PositivityError,
    QueryError,
)

GRAPH = dc.CausalGraph.from_edges("X->M->Y; X<->Y; L->M", latent=["L"])
ARROW = dc.CausalGraph.from_edges("X->Y")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("Q",), {}, "no variable 'Q' in the graph; its variables are X, M, Y, L"),
        (("Y", "Q"), {}, "no variable 'Q'"),
        (("Y", "X", "Q"), {}, "no variable 'Q'"),
        (("L",), {}, "outcome names 'L', which is latent.*X, M, Y"),
        (("Y", "L"), {}, "do names 'L', which is latent"),
        (("Y", "X", "L"), {}, "given names 'L', which is latent"),
        (("Y", "Y"), {}, "'Y' is named in outcome and in do"),
        (("Y", "X", "X"), {}, "'X' is named in do and in given"),
        (("Y", "X", "Y"), {}, "'Y' is named in outcome and in given"),
        ((["Y", "Y"],), {}, "outcome names 'Y' more than once"),
        (([], "X"), {}, "outcome is empty"),
        (("Y", "X"), {"experiments": "X"}, r"\[\['X'\]\]"),
        (("Y", "X"), {"experiments": [["Q"]]}, "no variable 'Q'"),
        (
            ("Y", "X"),
            {"experiments": [["L"]]},
            "experiments names 'L', which is latent",
        ),
        (("Y", "X"), {"observational": False}, "nothing to learn from"),
    ],
)
def test_impossible_questions_are_refused(arguments, options, message):
    with pytest.raises(QueryError, match=f"(?s){message}"):
        dc.identify(GRAPH, *arguments, **options)


def test_what_is_no_graph_is_refused():
    with pytest.raises(QueryError, match="graph is a str; give a CausalGraph"):
        dc.identify("X->Y", "Y", "X")


def test_free_is_one_of_three_things():
    with pytest.raises(DesignError, match="'averge' should be 'average', 'expose'"):
        dc.identify(GRAPH, "Y", "X", free="averge")
    napkin = dc.CausalGraph.from_edges("W->V->X->Y; W<->X; W<->Y")
    with pytest.raises(QueryError, match="free gives no state for V"):
        dc.identify(napkin, "Y", "X", free={"W": 0})


def test_a_refusal_raises_only_when_told_to():
    found = dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", "X")
    assert found.estimand is None
    with pytest.raises(
        IdentificationError, match="X shares an unobserved cause with Y"
    ):
        found.raise_for_status()
    with pytest.raises(
        IdentificationError, match=r"P\(Y \| do\(X\)\) is not identified"
    ):
        found.evaluate({"variables": ["X", "Y"], "values": np.full((2, 2), 0.25)})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.5, 0.3], [0.3, 0.1]], r"sums to 1\.2"),
        ([[0.5, -0.3], [0.7, 0.1]], r"holds -0\.3 at X=0, Y=1"),
        ([[0.5, np.nan], [0.4, 0.1]], "1 of 4 entries are NaN"),
    ],
)
def test_what_is_no_law_is_refused_with_the_amount(values, message):
    joint = {"variables": ["X", "Y"], "values": values}
    with pytest.raises(DataError, match=message) as caught:
        dc.identify(ARROW, "Y", "X").evaluate(joint)
    assert isinstance(caught.value, ValueError)


def test_a_denominator_of_zero_is_an_error_that_names_the_event():
    joint = {"variables": ["X", "Y"], "values": [[0.4, 0.6], [0.0, 0.0]]}
    found = dc.identify(ARROW, "Y", "X")
    with pytest.raises(PositivityError, match="X=1"):
        found.evaluate(joint)
    assert np.isnan(found.evaluate(joint, support="nan").sel(X=1).values).all()
    assert found.evaluate(joint, at={"X": 0}).values == pytest.approx([0.4, 0.6])


def test_a_joint_that_contradicts_the_graph_is_pointed_out():
    # C and A are independent given B by the graph, and dependent in a random joint
    graph = dc.CausalGraph.from_edges("A->B->C->D; B<->D")
    rng = np.random.default_rng(1)
    values = rng.dirichlet(np.ones(16)).reshape(2, 2, 2, 2)
    with pytest.warns(DataWarning, match="contradicts the graph by up to 0"):
        dc.identify(graph, "D", "C").evaluate(
            {"variables": list("ABCD"), "values": values}
        )


def test_a_variable_that_nothing_leads_from_has_no_effect():
    graph = dc.CausalGraph.from_edges("Y->X")
    found = dc.identify(graph, "Y", "X")
    assert found.estimand.text() == "P(y)"
    assert "Setting X has no effect on what is asked." in found.notes


def test_no_treatment_asks_for_the_marginal():
    assert dc.identify(GRAPH, "Y").estimand.text() == "P(y)"
    assert dc.identify(GRAPH, "Y", [], []).identified


@pytest.mark.parametrize("order", [("Z", "X"), ("X", "Z")])
def test_what_an_experiment_sets_may_be_named_in_any_order(order):
    graph = dc.CausalGraph.from_edges("X->Y; Z->Y; X<->Y; Z<->Y")
    model = dc.random_model(graph, seed=2)
    found = dc.identify(
        graph, "Y", ["Z", "X"], experiments=[order], observational=False
    )
    law = model.query("Y", do=order[::-1])
    expected = model.query("Y", do=["Z", "X"]).values
    for key in (order, order[::-1]):
        assert found.evaluate({key: law}).values == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experiments": "X"}, "experiments is 'X'"),
        ({"experiments": None}, "experiments is None"),
        ({"experiments": [5]}, "experiments is 5"),
        ({"do": 5}, "do is 5"),
    ],
)
def test_what_is_no_list_of_names_is_refused(options: dict, message: str) -> None:
    graph = dc.CausalGraph.from_edges("X->Y")
    with pytest.raises(dc.QueryError, match=message):
        dc.identify(graph, "Y", **options)
