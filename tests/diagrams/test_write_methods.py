"""Graphs and models write themselves in the formats they can be read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import distcausal as dc

GRAPH = dc.CausalGraph.from_edges("Z->X->Y; Z->Y; 'a b'->Y; X<->Y; lone")


@pytest.mark.parametrize("form", ["edges", "dagitty", "dot"])
def test_what_a_graph_writes_it_reads(form: str) -> None:
    text = getattr(GRAPH, f"to_{form}")()
    again = getattr(dc.CausalGraph, f"from_{form}")(text)
    assert set(again.directed) == set(GRAPH.directed)
    assert again.bidirected == GRAPH.bidirected
    assert set(again.nodes) == set(GRAPH.nodes)


def test_networkx_round_trip_keeps_both_kinds_of_edges() -> None:
    again = dc.CausalGraph.from_networkx(GRAPH.to_networkx())
    assert set(again.directed) == set(GRAPH.directed)
    assert set(map(frozenset, again.bidirected)) == {frozenset({"X", "Y"})}


def test_what_a_model_writes_it_reads(tmp_path: Path) -> None:
    model = dc.random_model(dc.CausalGraph.from_edges("Z->X->Y; Z->Y"), seed=1)
    path = tmp_path / "network.bif"
    path.write_text(model.to_bif(), encoding="utf-8")
    again = dc.CausalModel.from_bif(path)
    np.testing.assert_array_equal(again.joint().values, model.joint().values)
