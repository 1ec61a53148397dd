"""What a fit never saw is not made up: not by queries, shifts or diagrams."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import distcausal as dc

ROWS = pd.DataFrame(
    {"Z": [0, 0, 0, 1, 1, 1], "X": [0, 0, 1, 0, 0, 0], "Y": [0, 1, 1, 0, 1, 1]}
)
GRAPH = dc.CausalGraph.from_edges("Z->X->Y; Z->Y")
# the law of Y where Z = 1 and X = 1 is in no row
MODEL = dc.CausalModel.fit(ROWS, GRAPH)
STAY = dc.Channel(np.eye(2), MODEL.space("Y"), MODEL.space("Y"))


def test_a_query_that_needs_an_unseen_law_is_refused() -> None:
    with pytest.raises(dc.PositivityError, match="law of 'Y'"):
        MODEL.query("Y", do={"X": 1})
    assert_allclose(MODEL.query("Y", do={"X": 0}).values, [5 / 12, 7 / 12])


def test_a_shift_keeps_in_mind_what_was_never_seen() -> None:
    with pytest.raises(dc.PositivityError, match="law of 'Y'"):
        MODEL.shift("Y", STAY).query("Y", do={"X": 1})
    shifted = MODEL.shift("Y", STAY).query("Y", do={"X": 0})
    assert_allclose(shifted.values, [5 / 12, 7 / 12])


def test_a_replaced_box_needs_no_data() -> None:
    coin = dc.Channel([0.5, 0.5], [], MODEL.space("Y"))
    assert_allclose(MODEL.intervene(Y=coin).query("Y", do={"X": 1}).values, 0.5)


def test_rows_of_a_diagram_tell_whether_they_were_seen() -> None:
    found = MODEL.interpret(GRAPH.diagram(outputs="Y").open("X"))
    assert found.support.tolist() == [True, False]
    assert_allclose(found.values[0], [5 / 12, 7 / 12])
    closed = GRAPH.diagram(outputs="Y").open("X").close("X", 1)
    with pytest.raises(dc.PositivityError, match="laws of Y"):
        MODEL.interpret(closed)


def test_boxes_that_are_discarded_need_no_data() -> None:
    found = MODEL.interpret(GRAPH.diagram(outputs="Z").open("X"))
    assert found.support is None


def test_the_channel_of_a_variable_tells_which_rows_were_seen() -> None:
    assert MODEL.channel("Y").support.tolist() == [[True, True], [True, False]]
    assert MODEL.channel("X").support is None


def test_axes_never_share_the_name_of_a_variable() -> None:
    graph = dc.CausalGraph([("X", "intervention"), ("X", "draw")])
    model = dc.random_model(graph, seed=1)
    found = model.query("intervention", do={"X": [0, 1, 1]})
    assert found.names == ("intervention'", "intervention")
    assert found.shape == (3, 2)
    drawn = model.query("draw", tables={"draw": model.tables["draw"][None]})
    assert drawn.names == ("draw'", "draw")


def test_draws_of_tables_are_laws() -> None:
    model = dc.random_model(GRAPH, seed=1)
    own = model.tables["Y"]
    wrong = np.stack([own, own, own])
    wrong[1, 0, 0] = [1.5, -0.5]
    with pytest.raises(dc.DataError, match="first in draw 1"):
        model.query("Y", tables={"Y": wrong})
    with pytest.raises(dc.DataError, match="first in draw 0"):
        model.query("Y", tables={"Y": np.full((2, *own.shape), np.nan)})
    with pytest.raises(dc.DataError, match="at least one"):
        model.query("Y", tables={"Y": wrong[:0]})


def test_states_come_from_any_kind_of_list() -> None:
    model = dc.random_model(GRAPH, seed=1)
    expected = model.query("Y", do={"X": [0, 1]})
    for states in (np.array([0, 1]), pd.Series([0, 1], index=[7, 3])):
        assert model.query("Y", do={"X": states}) == expected
    one = model.query("Y", do={"X": np.array(1)})
    assert_allclose(one.values, expected.values[1])


def test_numbers_of_numpy_are_states_like_any_other() -> None:
    labels = tuple(np.array([0, 1]))
    table = dc.LabelledArray([0.5, 0.5], {"A": labels})
    assert table == dc.LabelledArray([0.5, 0.5], {"A": (0, 1)})
    assert dc.LabelledArray.from_json(table.to_json()) == table


@pytest.mark.parametrize("states", ["yes", 5, [0.0, float("nan")]])
def test_what_is_no_list_of_states_is_refused(states: object) -> None:
    with pytest.raises(dc.SyntaxError_, match="A"):
        dc.Space("A", states)


def test_a_shared_cause_has_no_direction() -> None:
    one = dc.CausalGraph(nodes=["A", "B"], bidirected=[("B", "A")])
    assert one == dc.CausalGraph(bidirected=[("A", "B")])
    assert one.with_latents().latent == ("U(A,B)",)


def test_latent_causes_have_names_of_their_own() -> None:
    pairs = [("A", "B,C"), ("A,B", "C")]
    graph = dc.CausalGraph(bidirected=pairs, nodes=["A", "A,B", "U(A,B)"])
    full = graph.with_latents()
    assert full.latent == ("U(A,B,C)", "U(A,B,C)'")
    assert full.latent_projection().bidirected == graph.bidirected
