"""Causal graphs: relations among variables, what is refused, what survives travel."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import distcausal as dc
from distcausal.errors import DataWarning, DistCausalError, GraphError, QueryError
from tests.diagrams.strategies_graphs import admgs, dags_with_latents


@given(admgs())
def test_relations_are_those_of_the_arrows(graph):
    plain = nx.DiGraph(graph.directed)
    plain.add_nodes_from(graph.nodes)
    for name in graph.nodes:
        assert set(graph.ancestors(name)) == nx.ancestors(plain, name) | {name}
        assert set(graph.descendants(name)) == nx.descendants(plain, name) | {name}
        assert set(graph.parents(name)) == set(plain.predecessors(name))
        assert set(graph.children(name)) == set(plain.successors(name))
    order = {name: place for place, name in enumerate(graph.topological_order())}
    assert sorted(order) == sorted(graph.nodes)
    assert all(order[cause] < order[effect] for cause, effect in graph.directed)


@given(admgs())
def test_districts_are_joined_by_shared_causes(graph):
    shared = nx.Graph(graph.bidirected)
    shared.add_nodes_from(graph.nodes)
    found = sorted(map(sorted, graph.districts()))
    assert found == sorted(map(sorted, nx.connected_components(shared)))
    for name in graph.nodes:
        assert set(graph.siblings(name)) == set(shared.neighbors(name))


@given(admgs())
def test_shared_causes_made_variables_and_left_out_again_are_as_before(graph):
    full = graph.with_latents()
    assert not full.bidirected
    assert len(full.latent) == len(graph.bidirected)
    assert all(len(full.children(cause)) == 2 for cause in full.latent)
    back = full.latent_projection()
    assert back.nodes == graph.nodes
    assert back.directed == graph.directed
    pairs = [{frozenset(pair) for pair in g.bidirected} for g in (back, graph)]
    assert pairs[0] == pairs[1]


@given(dags_with_latents(most=7))
def test_leaving_out_keeps_who_leads_to_whom(graph):
    less = graph.latent_projection()
    assert less.nodes == graph.observed
    for name in less.nodes:
        kept = set(graph.descendants(name)) & set(graph.observed)
        assert set(less.descendants(name)) == kept


@given(admgs())
def test_graphs_travel(graph):
    for other in (
        pickle.loads(pickle.dumps(graph)),
        copy.deepcopy(graph),
        dc.CausalGraph.from_json(graph.to_json()),
        dc.CausalGraph(graph.directed, graph.bidirected, graph.nodes),
    ):
        assert other == graph
        assert hash(other) == hash(graph)


@given(admgs(least=2))
def test_a_reversed_path_closes_a_cycle_that_is_named(graph):
    for start in graph.nodes:
        for end in graph.descendants(start):
            if end == start:
                continue
            with pytest.raises(GraphError, match="cycle") as caught:
                dc.CausalGraph((*graph.directed, (end, start)), (), graph.nodes)
            text = str(caught.value).split("cycle: ")[1].split(". ")[0]
            walk = text.split(" -> ")
            arrows = {*graph.directed, (end, start)}
            assert walk[0] == walk[-1]
            assert all(pair in arrows for pair in pairwise(walk))


def test_nodes_come_first_in_the_order_given_then_by_mention():
    graph = dc.CausalGraph([("B", "A")], [("D", "A")], nodes=["C", "A"])
    assert graph.nodes == ("C", "A", "B", "D")


def test_parents_keep_the_order_of_their_arrows():
    graph = dc.CausalGraph([("Z", "Y"), ("A", "Y"), ("M", "Y")], nodes="AMYZ")
    assert graph.parents("Y") == ("Z", "A", "M")


def test_an_added_cause_never_takes_the_name_of_a_variable():
    graph = dc.CausalGraph([("U(A,B)", "A")], [("A", "B")])
    full = graph.with_latents()
    assert len(set(full.nodes)) == len(full.nodes) == 4
    assert full.latent == ("U(A,B)'",)


def test_a_graph_cannot_be_changed():
    graph = dc.CausalGraph([("A", "B")])
    with pytest.raises(FrozenInstanceError):
        graph.nodes = ()


def test_a_latent_chain_leaves_arrows_and_shared_causes():
    graph = dc.CausalGraph(
        [("X", "L"), ("L", "M"), ("M", "Y"), ("M", "Z")], latent=["L", "M"]
    )
    less = graph.latent_projection()
    assert set(less.directed) == {("X", "Y"), ("X", "Z")}
    assert [set(pair) for pair in less.bidirected] == [{"Y", "Z"}]


def test_a_shared_cause_of_a_latent_variable_is_one_of_its_effects():
    graph = dc.CausalGraph([("L", "Y")], [("X", "L")], latent=["L"])
    assert [set(pair) for pair in graph.latent_projection().bidirected] == [{"X", "Y"}]


@pytest.mark.parametrize(
    ("directed", "bidirected", "message"),
    [
        ([("A", "B"), ("B", "C"), ("C", "A")], [], "cycle"),
        ([("A", "A")], [], "A -> A joins a variable to itself"),
        ([], [("A", "A")], "A <-> A joins a variable to itself"),
        ([("A", "B", "C")], [], "an edge is a pair"),
        (["AB"], [], "an edge is a pair"),
        ("A->B", [], "use CausalGraph.from_edges"),
        ([("A", "")], [], "text that is not empty"),
        ([("A", 1)], [], "named by text"),
    ],
)
def test_impossible_edges_are_refused(directed, bidirected, message):
    with pytest.raises(GraphError, match=message) as caught:
        dc.CausalGraph(directed, bidirected)
    assert isinstance(caught.value, DistCausalError)


@pytest.mark.parametrize(
    ("directed", "bidirected", "named"),
    [
        ([("A", "B"), ("A", "B")], [], "A -> B"),
        ([], [("A", "B"), ("B", "A")], "A <-> B"),
    ],
)
def test_an_edge_listed_twice_counts_once_and_is_mentioned(directed, bidirected, named):
    with pytest.warns(DataWarning, match=named):
        graph = dc.CausalGraph(directed, bidirected)
    assert len(graph.directed) + len(graph.bidirected) == 1


def test_only_the_edge_listed_twice_is_mentioned():
    with pytest.warns(DataWarning) as caught:
        dc.CausalGraph([], [("A", "B"), ("C", "D"), ("B", "A")])
    assert "C <-> D" not in str(caught[0].message)


def test_latent_names_are_variables_of_the_graph():
    with pytest.raises(GraphError, match=r"names U, which .* variables are A, B"):
        dc.CausalGraph([("A", "B")], latent=["U"])


@pytest.mark.parametrize("ask", ["parents", "children", "siblings", "ancestors"])
@given(name=st.sampled_from(["Q", "", "a"]))
def test_unknown_names_are_refused_with_those_there_are(ask, name):
    graph = dc.CausalGraph([("A", "B")])
    with pytest.raises(QueryError, match="variables are A, B"):
        getattr(graph, ask)(name)
