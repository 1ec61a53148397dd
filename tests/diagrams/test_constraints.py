"""Constraints found in a graph: none is invented, and none is missing."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import distcausal as dc
from distcausal.diagrams.available import tables_for
from distcausal.diagrams.constraints import _Tangents, independences, invariances
from distcausal.diagrams.estimand import Prob
from distcausal.diagrams.evaluate import evaluate
from distcausal.diagrams.separators import smallest_separator
from distcausal.diagrams.tangent import Tangent, _null_space
from tests.diagrams.strategies_graphs import LETTERS, admgs, dags_with_latents, models
from tests.oracles import identification as oracle

# products and ratios of some ten probabilities, none below a thousandth
ATOL = 1e-9

NAPKIN = "W1->W2->X->Y; W1<->X; W1<->Y"
VERMA = "V1->V2->V3->V4; V2<->V4"
# siblings here are never ancestors of each other, so m-separation is all an ancestral
# graph could say; yet P(c, d | do(w)) must not change with r
ANCESTRAL = "r->v->w->d; v<->c; c<->d"
KNOWN = {
    "napkin": (NAPKIN, [(("Y",), ("X",), ("W2",))]),
    "verma": (VERMA, [(("V4",), ("V3",), ("V1",))]),
    "ancestral": (ANCESTRAL, [(("c", "d"), ("w",), ("r",))]),
    "front door": ("S->T->C; S<->C", []),
    "front door, causes of all": ("W->S->T->C; W->T; W->C; S<->C", []),
    "front door, a cause of the treatment": (
        "W->S->T->C; W->T; S<->C",
        [(("C",), ("T",), ("W",))],
    ),
    "instrument": ("Z->X->Y; X<->Y", []),
    "bow": ("X->Y; X<->Y", []),
    "back door": ("Z->X; Z->Y; X->Y", []),
    "no unobserved causes": ("A->B->C->D; A->D; E->D", []),
}


@st.composite
def chains(draw):
    """Graphs with arrows along a line, where formulas after interventions abound.

    The first variable is a cause of the second, which shares a cause with the fourth.
    """
    count = draw(st.integers(4, 5))
    names = list(LETTERS[:count])
    pairs = list(combinations(names, 2))
    more = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=1))
    shared = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3))
    arrows = dict.fromkeys([*pairwise(names), *more])
    return dc.CausalGraph(arrows, dict.fromkeys([("B", "D"), *shared]), names)


def values(formula, joint, first):
    """Value of a formula, states of some variables along the first axis."""
    part = evaluate(formula, tables_for(formula, {(): joint}))
    assert part.undefined is None
    rest = [name for name in part.names if name not in first]
    order = [part.names.index(name) for name in (*first, *rest)]
    states = int(np.prod([len(joint.axes[name]) for name in first]))
    return part.values.transpose(order).reshape(states, -1)


def change(invariance, joint):
    """Largest change of a formula over states of its spare variables."""
    found = values(invariance.formula, joint, invariance.spare)
    return np.ptp(found, axis=0).max()


def dependence(one, joint):
    """Largest difference that one variable makes to the other."""
    law = Prob(frozenset((one.one,)), frozenset((one.other, *one.given)))
    return np.ptp(values(law, joint, (one.other,)), axis=0).max()


@given(admgs(least=2, most=6))
def test_separators_are_the_first_of_the_smallest(graph):
    masks, size = graph.masks, len(graph.nodes)
    for one, other in combinations(range(size), 2):
        rest = [place for place in range(size) if place not in (one, other)]
        tried = (
            sum(1 << place for place in chosen)
            for count in range(len(rest) + 1)
            for chosen in combinations(rest, count)
        )
        first = next(
            (s for s in tried if masks.separated(1 << one, 1 << other, s)), None
        )
        assert smallest_separator(masks, one, other) == first


@given(st.one_of(admgs(least=2, most=6, shared=4), dags_with_latents()), st.data())
def test_independences_hold_in_models_of_the_graph(graph, data):
    model = data.draw(models(graph))
    joint = model.joint()
    for one in independences(graph):
        assert dependence(one, joint) < ATOL


@given(st.one_of(chains(), admgs(least=3, most=6, shared=4)), st.data())
def test_no_invariance_is_invented(graph, data):
    found, complete = invariances(graph)
    assert complete
    joint = data.draw(models(graph)).joint()
    for one in found:
        assert change(one, joint) < ATOL


@given(dags_with_latents(), st.data())
def test_invariances_hold_where_latent_variables_have_causes(graph, data):
    joint = data.draw(models(graph)).joint()
    for one in invariances(graph)[0]:
        assert change(one, joint) < ATOL


@given(chains(), st.integers(0, 2**32 - 1))
def test_invariances_fail_in_laws_that_are_not_of_the_graph(graph, seed):
    found, _ = invariances(graph)
    assume(found)
    size = len(graph.nodes)
    law = np.random.default_rng(seed).dirichlet(np.full(2**size, 5.0))
    joint = dc.LabelledArray(
        law.reshape((2,) * size), dict.fromkeys(graph.nodes, (0, 1))
    )
    for one in found:
        assert change(one, joint) > 1e-4


@given(chains())
def test_invariances_say_more_than_the_independences(graph):
    found, _ = invariances(graph)
    tangent = _Tangents(graph).ordinary(graph.masks.all)
    for one in found:
        assert tangent.restrict(one.formula, frozenset(one.spare)) > 0


@given(st.one_of(chains(), admgs(least=2, most=5, shared=4)))
def test_no_constraint_is_missing(graph):
    tangent = _Tangents(graph).ordinary(graph.masks.all)
    for one in invariances(graph)[0]:
        tangent.restrict(one.formula, frozenset(one.spare))
    # causes with few states may leave laws out, never add any
    for states in (2, 3, 6, 9):
        reached = free_parameters(graph, states)
        assert reached <= tangent.dimension
        if reached == tangent.dimension:
            return
    pytest.fail(f"{graph}: {tangent.dimension} parameters, {reached} reached")


def free_parameters(graph, states):
    """Dimension of the laws that unobserved causes with so many states produce."""
    problem = oracle.Problem(graph.nodes, graph.directed, graph.bidirected, (), ())
    model = oracle._Model(problem, states, seed=1)
    laws = [model.law(set(), moved) for moved in model.axes]
    rows = [law.reshape(len(law), -1).imag / oracle.STEP for law in laws]
    sizes = np.linalg.svd(np.concatenate(rows), compute_uv=False)
    return int((sizes > oracle.RANK * sizes[0]).sum())


@pytest.mark.parametrize("name", KNOWN)
def test_known_graphs_have_the_invariances_they_are_known_for(name):
    edges, expected = KNOWN[name]
    found, complete = invariances(dc.CausalGraph.from_edges(edges))
    shown = [(tuple(sorted(one.target)), one.fixed, one.spare) for one in found]
    assert (shown, complete) == (expected, True)


def test_an_ancestral_graph_can_say_more_than_its_independences():
    graph = dc.CausalGraph.from_edges(ANCESTRAL)
    # one parameter per head and state of its tail: 1+2+2+2+1+2+8
    assert _Tangents(graph).ordinary(graph.masks.all).dimension == 18


def test_order_of_edges_and_names_do_not_matter():
    one = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4")
    other = dc.CausalGraph(
        [("V3", "V4"), ("V2", "V3"), ("V1", "V2")], [("V4", "V2")], one.nodes
    )
    assert [i.text for i in invariances(one)[0]] == [
        i.text for i in invariances(other)[0]
    ]


def test_a_wide_graph_is_searched_as_far_as_it_goes_and_says_so():
    line = "->".join(f"X{place}" for place in range(11))
    graph = dc.CausalGraph.from_edges(f"{line}; X1<->X10; X1<->X3")
    found, complete = invariances(graph)
    assert not complete
    assert [one.spare for one in found] == [("X0",)]


def test_a_matrix_that_iterations_for_singular_values_give_up_on_is_no_obstacle():
    # NumPy's divide and conquer does not converge on one of its matrices
    graph = dc.CausalGraph.from_edges(
        "V0->V1; V0->V2; V0->V6; V1->V7; V1->V9; V3->V4; V3->V6; V4->V5; V5->V7; "
        "V5->V10; V6->V8; V7->V9; V8->V10; V9->V10; V0<->V7; V0<->V11; V1<->V10; "
        "V2<->V5; V2<->V9; V8<->V11; V9<->V10",
        nodes=[f"V{place}" for place in range(12)],
    )
    found, complete = invariances(graph)
    assert len(found) == 3
    assert not complete


@given(st.integers(0, 2**32 - 1))
def test_a_null_space_is_what_singular_values_say(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(7, 3)) @ rng.normal(size=(3, 5))
    rank, base = _null_space(matrix, 1.0)
    assert (rank, base.shape) == (3, (5, 2))
    # rounding of sums of a few products of normal numbers
    assert np.abs(matrix @ base).max() < 1e-12
    assert np.abs(base.T @ base - np.eye(2)).max() < 1e-12


def test_a_large_graph_is_given_up_on_after_some_thousand_statements(monkeypatch):
    tried, restrict = [], Tangent.restrict

    def counted(tangent, formula, spare):
        tried.append(spare)
        return restrict(tangent, formula, spare)

    monkeypatch.setattr(Tangent, "restrict", counted)
    rng = np.random.default_rng(1)
    names = [f"V{place}" for place in range(20)]
    pairs = list(combinations(names, 2))
    arrows = [pair for pair in pairs if rng.random() < 0.15]
    shared = [pair for pair in pairs if rng.random() < 0.1]
    graph = dc.CausalGraph(arrows, shared, names)
    _, complete = invariances(graph)
    assert not complete
    # at most what the limit allows and the statements of one more set; 12,000 before
    assert len(tried) < 3000
