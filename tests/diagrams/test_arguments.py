"""Arguments in the wrong place are refused in words, not by whatever breaks first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import distcausal as dc

TABLE = dc.datasets.smoking_tar_cancer()
GRAPH, JOINT, FRAME = TABLE.graph, TABLE.joint, TABLE.frame
EVENT = [("C", 1, {"S": 0})]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: dc.identify("S -> C", "C", do="S"),
        lambda: dc.identify_counterfactual("S -> C", EVENT),
        lambda: dc.effect_bounds(JOINT, GRAPH, {"C": 1}, {"S": 1}),
        lambda: dc.counterfactual_bounds(JOINT, GRAPH, EVENT),
        lambda: dc.falsify(GRAPH, FRAME),
        lambda: dc.random_model("S -> C"),
        lambda: dc.CausalModel("S -> C", {}),
    ],
)
def test_what_is_no_graph_is_refused_with_what_makes_one(
    ask: Callable[[], object],
) -> None:
    with pytest.raises(dc.QueryError, match=r"graph is a \w+; give a CausalGraph"):
        ask()


@pytest.mark.parametrize("found", [GRAPH, dc.identify_counterfactual(GRAPH, EVENT)])
def test_an_estimate_asks_for_what_identify_returns(found: object) -> None:
    with pytest.raises(dc.DesignError, match=r"give what identify\(graph"):
        dc.estimate_effect(FRAME, found)


@pytest.mark.parametrize(("outcome", "do"), [("C", {"S": 1}), ({"C": 1}, "S")])
def test_bounds_ask_for_states(outcome: object, do: object) -> None:
    with pytest.raises(dc.QueryError, match="give a state for each variable"):
        dc.effect_bounds(GRAPH, JOINT, outcome, do)
