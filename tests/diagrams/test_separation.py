"""Separation with two-headed arrows, against all paths and another library."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import distcausal as dc
from tests.diagrams.strategies_graphs import admgs, dags_with_latents, models

# What rounding leaves of a difference that should be none; the dependences that the
# random models of these tests show where variables are connected lie above it.
ATOL = 1e-12


def edges_between(graph: dc.CausalGraph) -> dict:
    """For each pair and edge: an arrowhead at the start? the end?"""
    found: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    for a, b in graph.directed:
        found.setdefault((a, b), []).append((False, True))
        found.setdefault((b, a), []).append((True, False))
    for a, b in graph.bidirected:
        for pair in ((a, b), (b, a)):
            found.setdefault(pair, []).append((True, True))
    return found


def connected_by_a_path(graph, start, end, seen) -> bool:
    """Whether some path is open, by walking along all of them."""
    edges = edges_between(graph)
    opened = set(graph.ancestors(seen)) if seen else set()

    def onward(path: list[str], head: bool) -> bool:
        here = path[-1]
        if here == end:
            return True
        for (a, b), kinds in edges.items():
            if a != here or b in path:
                continue
            for head_here, head_there in kinds:
                collider = head and head_here
                passes = here in opened if collider else here not in seen
                if (len(path) == 1 or passes) and onward([*path, b], head_there):
                    return True
        return False

    return onward([start], False)


@st.composite
def separations(draw, graphs):
    """A graph, two of its observed variables, and a set of others."""
    graph = draw(graphs)
    one, other, *rest = draw(st.permutations(graph.observed))
    seen = rest[: draw(st.integers(0, len(rest)))]
    return graph, one, other, seen


@given(separations(admgs(least=2, most=6, shared=5)))
def test_separated_means_that_no_path_is_open(case):
    graph, one, other, seen = case
    open_path = connected_by_a_path(graph, one, other, seen)
    assert graph.m_separated(one, other, given=seen) == (not open_path)


@given(separations(admgs(least=2, most=7, shared=0)))
def test_without_shared_causes_networkx_says_the_same(case):
    graph, one, other, seen = case
    plain = nx.DiGraph(graph.directed)
    plain.add_nodes_from(graph.nodes)
    expected = nx.is_d_separator(plain, {one}, {other}, set(seen))
    assert graph.m_separated(one, other, given=seen) == expected


@given(separations(admgs(least=2, most=7)))
def test_shared_causes_may_be_arrows_or_variables(case):
    graph, one, other, seen = case
    full = graph.with_latents()
    assert graph.m_separated(one, other, seen) == full.m_separated(one, other, seen)


@st.composite
def separations_with_latents(draw):
    graph = draw(dags_with_latents(most=7).filter(lambda g: len(g.observed) > 1))
    return draw(separations(st.just(graph)))


@given(separations_with_latents())
def test_leaving_latent_variables_out_keeps_all_separations(case):
    graph, one, other, seen = case
    less = graph.latent_projection()
    assert not less.latent
    assert graph.m_separated(one, other, seen) == less.m_separated(one, other, seen)


@given(separations(admgs(least=2, most=6)))
def test_separation_is_mutual(case):
    graph, one, other, seen = case
    assert graph.m_separated(one, other, seen) == graph.m_separated(other, one, seen)


@given(admgs(least=3, most=7), st.data())
def test_sets_are_separated_if_all_their_pairs_are(graph, data):
    names = data.draw(st.permutations(graph.nodes))
    first = data.draw(st.integers(1, len(names) - 1))
    second = data.draw(st.integers(first + 1, len(names)))
    one, other, seen = names[:first], names[first:second], names[second:]
    pairs = [graph.m_separated(a, b, seen) for a in one for b in other]
    assert graph.m_separated(one, other, seen) == all(pairs)


@given(separations(admgs(least=2, most=5, shared=4)), st.data())
def test_separated_variables_and_only_they_are_independent_in_a_random_model(
    case, data
):
    graph, one, other, seen = case
    model = data.draw(models(graph, sizes=(2,)))
    law = model.query([one, other], given=seen).values
    apart = law.sum(axis=1, keepdims=True) * law.sum(axis=0, keepdims=True)
    dependence = np.abs(law - apart).max()
    assert (dependence <= ATOL) == graph.m_separated(one, other, seen)


@pytest.mark.parametrize(
    ("edges", "given_", "separated"),
    [
        ("A->B->C", (), False),
        ("A->B->C", "B", True),
        ("A->B; C->B", (), True),
        ("A->B; C->B", "B", False),
        ("A->B; C->B; B->D", "D", False),
        ("A<->B; B<->C", (), True),
        ("A<->B; B<->C", "B", False),
        ("A<->B; B->C", "B", True),
    ],
)
def test_the_classic_cases(edges, given_, separated):
    graph = dc.CausalGraph.from_edges(edges)
    assert graph.m_separated("A", "C", given=given_) is separated
