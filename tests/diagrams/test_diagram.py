"""Laws of diagrams that hold on the nose, and the errors of those that are none."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import distcausal as dc
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.structural import Cap, Cup
from tests.diagrams.strategies_diagrams import (
    A,
    B,
    boxes,
    denoted,
    diagrams,
    shuffled,
    types,
)
from tests.diagrams.strategies_graphs import admgs

EMPTY = dc.Id(dc.Ty())
S, T, C = dc.Space("S"), dc.Space("T"), dc.Space("C")
# sums of at most 2**16 products of numbers below 10, of up to 8 factors
RELATIVE = 1e-9


@st.composite
def chains(draw, count: int):
    """Diagrams each of which starts where the one before ends."""
    found = [draw(diagrams(steps=3))]
    while len(found) < count:
        found.append(draw(diagrams(found[-1].cod, steps=2)))
    return found


@given(chains(3))
def test_composition_is_associative_and_has_identities(case):
    f, g, h = case
    assert (f >> g) >> h == f >> (g >> h)
    assert dc.Id(f.dom) >> f == f == f >> dc.Id(f.cod)


@given(diagrams(), diagrams(), diagrams())
def test_putting_side_by_side_is_associative_and_has_a_unit(f, g, h):
    assert (f @ g) @ h == f @ (g @ h)
    assert EMPTY @ f == f == f @ EMPTY


@given(chains(2), chains(2))
def test_side_by_side_and_one_after_the_other_interchange(left, right):
    (f, g), (h, k) = left, right
    assert (f >> g) @ (h >> k) == (f @ h) >> (g @ k)


@given(diagrams(), diagrams())
def test_crossing_wires_is_natural(f, g):
    assert (f @ g) >> dc.Swap(f.cod, g.cod) == dc.Swap(f.dom, g.dom) >> (g @ f)


@given(types(), types())
def test_crossing_twice_is_nothing(a, b):
    assert dc.Swap(a, b) >> dc.Swap(b, a) == dc.Id(a @ b)


@given(types(2))
def test_copies_are_a_commutative_comonoid_on_the_nose(a):
    copy, wire = dc.Copy(a), dc.Id(a)
    assert copy >> (copy @ wire) == copy >> (wire @ copy) == dc.Copy(a, 3)
    assert copy >> (wire @ dc.Discard(a)) == wire == copy >> (dc.Discard(a) @ wire)
    assert copy >> dc.Swap(a, a) == copy
    assert dc.Copy(a, 0) == dc.Discard(a)
    assert dc.Copy(a, 1) == wire


@given(types(2), types(2))
def test_copies_and_uniform_states_respect_side_by_side(a, b):
    both = dc.Copy(a) @ dc.Copy(b)
    exchange = dc.Id(a) @ dc.Swap(a, b) @ dc.Id(b)
    assert dc.Copy(a @ b) == both >> exchange
    assert dc.Discard(a @ b) == dc.Discard(a) @ dc.Discard(b)
    assert dc.Uniform(a @ b) == dc.Uniform(a) @ dc.Uniform(b)


@given(types(2).flatmap(lambda dom: boxes(dom, 2)))
def test_discarding_what_a_box_makes_equals_discarding_what_it_reads_after_pruning(f):
    left, right = f >> dc.Discard(f.cod), dc.Discard(f.dom)
    assert left != right
    assert left.equal_mod_discard(right) == f.boxes[0].causal


def test_discarding_a_uniform_state_leaves_nothing_after_pruning():
    gone = dc.Uniform(A) >> dc.Discard(A)
    assert gone != EMPTY
    assert gone.prune() == EMPTY


@pytest.mark.parametrize("deterministic", [False, True])
def test_copying_what_a_box_makes_is_not_running_it_twice(deterministic):
    f = Box("f", S, T, deterministic=deterministic)
    assert f >> dc.Copy(T) != dc.Copy(S) >> (f @ f)


@given(st.data())
def test_order_of_wires_and_boxes_does_not_matter(data):
    diagram = data.draw(diagrams(steps=6))
    other = data.draw(shuffled(diagram))
    assert other == diagram
    assert hash(other) == hash(diagram)


@given(st.data())
def test_equal_diagrams_denote_the_same(data):
    f = data.draw(diagrams(steps=3))
    g = data.draw(diagrams(f.cod, steps=2))
    axes = list(range(len(f.dom), len(f.dom) + len(f.cod)))
    joined = np.tensordot(denoted(f), denoted(g), (axes, list(range(len(g.dom)))))
    np.testing.assert_allclose(denoted(f >> g), joined, rtol=RELATIVE)


@given(diagrams(), diagrams())
def test_side_by_side_denotes_the_product(f, g):
    product = np.multiply.outer(denoted(f), denoted(g))
    n, m = len(f.dom), len(g.dom)
    start = n + len(f.cod)
    order = [*range(n), *range(start, start + m), *range(n, start)]
    order += range(start + m, product.ndim)
    np.testing.assert_allclose(denoted(f @ g), product.transpose(order), rtol=RELATIVE)


def test_ports_and_ends_are_told_apart():
    f = Box("f", S @ S, T @ T)
    assert dc.Swap(S, S) >> f != f.diagram
    assert f >> dc.Swap(T, T) != f.diagram
    assert f >> (dc.Discard(T) @ dc.Id(T)) != f >> (dc.Id(T) @ dc.Discard(T))
    assert dc.Copy(S) >> f != f >> dc.Copy(T @ T)


def test_boxes_are_known_by_name_type_and_what_they_promise():
    f = Box("f", S, T)
    assert f.diagram == Box("f", S, T).diagram
    others = [Box("g", S, T), Box("f", S, S), Box("f", S, T, deterministic=True)]
    assert all(f.diagram != other.diagram for other in others)


def ring(*lengths: int) -> Diagram:
    """States joined in rings by boxes that condition; all wires look alike nearby."""
    wires, nodes = [], []
    for length in lengths:
        start = len(wires)
        wires += [S] * length
        nodes += [Node(Box("u", [], S), (), (start + at,)) for at in range(length)]
        nodes += [
            Node(
                Box("e", S @ S, [], causal=False),
                (start + at, start + (at + 1) % length),
                (),
            )
            for at in range(length)
        ]
    return Diagram(tuple(wires), tuple(nodes), (), ())


def test_rings_that_look_alike_from_every_wire_are_told_apart():
    assert hash(ring(6)) == hash(ring(3, 3))
    assert ring(6) != ring(3, 3)
    assert ring(3, 2) == ring(2, 3)


def tournament(*steps: int) -> Diagram:
    """Seven states; a box that conditions joins each to those some steps ahead."""
    versus = Box("e", S @ S, [], causal=False)
    nodes = [Node(Box("u", [], S), (), (at,)) for at in range(7)]
    nodes += [
        Node(versus, (at, (at + step) % 7), ()) for at in range(7) for step in steps
    ]
    return Diagram((S,) * 7, tuple(nodes), (), ())


def test_diagrams_that_differ_only_in_which_port_reads_what_are_told_apart():
    assert hash(tournament(1, 2, 4)) == hash(tournament(1, 2, 3))
    assert tournament(1, 2, 4) != tournament(1, 2, 3)
    assert tournament(1, 2, 4) == tournament(2, 4, 1)
    assert tournament(1, 2, 3) == tournament(2, 4, 6)


def test_a_snake_of_cap_and_cup_denotes_the_wire():
    snake = (dc.Id(B) @ Cap(B)) >> (Cup(B) @ dc.Id(B))
    assert snake != dc.Id(B)
    np.testing.assert_array_equal(denoted(snake), np.eye(3))


@given(admgs())
def test_graph_and_diagram_of_a_graph_undo_each_other(graph):
    diagram = graph.diagram()
    full = graph.with_latents()
    back = diagram.to_networkx()
    assert set(back.nodes) == set(full.nodes)
    assert set(back.edges) == set(full.directed)
    assert {v for v, hidden in back.nodes(data="latent") if hidden} == set(full.latent)
    for name in full.nodes:
        assert tuple(back.predecessors(name)) == full.parents(name)
    rebuilt = dc.CausalGraph(full.directed, (), full.nodes, full.latent)
    assert rebuilt.diagram() == diagram


@given(admgs(), st.data())
def test_each_variable_that_is_no_input_has_one_box(graph, data):
    inputs = data.draw(st.lists(st.sampled_from(graph.nodes), unique=True))
    outputs = data.draw(st.lists(st.sampled_from(graph.nodes), max_size=4))
    diagram = graph.diagram(outputs=outputs, inputs=inputs)
    assert (diagram.dom.names, diagram.cod.names) == (tuple(inputs), tuple(outputs))
    boxes = [box.name for box in diagram.boxes]
    assert sorted(boxes) == sorted(set(graph.with_latents().nodes) - set(inputs))
    for box in diagram.boxes:
        assert box.dom.names == graph.with_latents().parents(box.name)


def test_wires_of_one_name_have_no_graph():
    with pytest.raises(dc.SyntaxError_, match="several wires are called 'S'"):
        (dc.Id(S) @ dc.Id(S)).to_networkx()


def test_unknown_and_repeated_variables_are_named():
    graph = dc.CausalGraph.from_edges("S->T")
    with pytest.raises(dc.QueryError, match=r"no variable 'Q'.*S, T"):
        graph.diagram(outputs=["Q"])
    with pytest.raises(dc.QueryError, match="'S' more than once"):
        graph.diagram(inputs=["S", "S"])


def test_composing_what_does_not_fit_shows_both_types_and_the_first_difference():
    f, g = dc.Id(S @ T), Box("g", S @ S, T)
    with pytest.raises(dc.TypeError_, match=r"S @ T.*S @ S; wire 1 is .*'T'.*'S'"):
        f >> g
    with pytest.raises(TypeError, match="2 wires against 1"):
        f >> Box("g", S, T)
    known = dc.Space("S", (0, 1))
    with pytest.raises(dc.TypeError_, match=r"Space\('S'\) against Space\('S', "):
        dc.Id(S) >> dc.Id(known)


def test_one_name_stands_for_one_box():
    with pytest.raises(dc.SyntaxError_, match=r"'f'.*S -> T and T -> S"):
        Box("f", S, T) >> Box("f", T, S)
    with pytest.raises(dc.SyntaxError_, match="deterministic"):
        Box("f", S, T) @ Box("f", S, T, deterministic=True)
    assert dc.Uniform(S) @ dc.Uniform(T)  # structure may repeat its names


def test_wires_start_once():
    u = Box("u", [], S)
    with pytest.raises(dc.SyntaxError_, match="start 2 times"):
        Diagram((S,), (Node(u, (), (0,)), Node(u, (), (0,))), (), ())
    with pytest.raises(dc.SyntaxError_, match="start 0 times"):
        Diagram((S,), (), (), (0,))
    with pytest.raises(dc.SyntaxError_, match="mentions 3"):
        Diagram((S,), (), (0,), (3,))


def test_boxes_on_wires_of_another_type_are_named():
    with pytest.raises(dc.TypeError_, match=r"box 'f' reads S, but its wires are T"):
        Diagram((T, T), (Node(Box("f", S, T), (0,), (1,)),), (0,), (1,))


def test_circles_are_named_and_only_combs_may_be_interleaved():
    f, g = Box("f", S, T), Box("g", T, S)
    circle = (Node(f, (0,), (1,)), Node(g, (1,), (0,)))
    with pytest.raises(dc.SyntaxError_, match=r"f, g wait for each other in a circle"):
        Diagram((S, T), circle, (), ())
    teeth = (((), "S"), (("T",), "C"))
    comb = Box("Q", T, [S, C], kind="comb", data=teeth)
    between = (Node(comb, (1,), (0, 2)), Node(f, (0,), (1,)))
    laced = Diagram((S, T, C), between, (), (2,))
    assert laced.to_text().splitlines()[1:] == [
        "  S: I -> S",
        "  f: S -> T",
        "  C: T -> C",
    ]


def test_teeth_come_in_the_order_listed():
    comb = Box("Q", T, [S, C], kind="comb", data=((("T",), "S"), ((), "C")))
    root = Box("t", [], T)
    diagram = Diagram(
        (T, S, C), (Node(comb, (0,), (1, 2)), Node(root, (), (0,))), (), (2,)
    )
    made = [line.split(":")[0].strip() for line in diagram.to_text().splitlines()[1:]]
    assert made == ["t", "S", "C"]


@pytest.mark.parametrize(
    ("teeth", "reason"),
    [
        (None, "should list its teeth"),
        (((("X",), "S"),), "reads X"),
        ((((), "S"), ((), "S")), "one tooth for each"),
        ((((), "Q"),), "one tooth for each"),
    ],
)
def test_teeth_fit_the_type_of_their_comb(teeth, reason):
    with pytest.raises(dc.SyntaxError_, match=reason):
        Box("Q", T, S, kind="comb", data=teeth)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Box("f", S, T, kind="what"), "'what'"),
        (lambda: dc.Copy(S, -1), "n = -1"),
        (lambda: dc.Copy(S, True), "n = True"),
        (lambda: dc.Copy(S, 1.5), "n = 1.5"),
        (lambda: dc.Id("S"), "not a type"),
        (lambda: dc.Id(S) >> "f", "not a diagram"),
        (lambda: dc.Id(S) @ 3, "not a diagram"),
    ],
)
def test_what_is_no_diagram_is_refused(make, reason):
    with pytest.raises(dc.SyntaxError_, match=reason):
        make()


@pytest.mark.parametrize("make", [dc.Point, dc.Effect])
def test_states_belong_to_their_space(make):
    assert make(S, "anything").boxes[0].data == "anything"
    with pytest.raises(dc.QueryError, match="no state 2"):
        make(A, 2)


def test_latent_names_are_marked_and_do_not_matter_for_equality():
    diagram = dc.CausalGraph.from_edges("S->T; S<->T").diagram()
    assert diagram.latent == {"U(S,T)"}
    assert diagram.cut("S", "T").prune().latent == frozenset()
    plain = Diagram(diagram.wires, diagram.nodes, diagram.inputs, diagram.outputs)
    assert plain == diagram


def test_repr_and_text_say_what_is_there():
    diagram = Box("f", [], S) >> dc.Copy(S) >> (Box("g", S, S) @ dc.Id(S))
    assert repr(diagram) == "Diagram(I -> S @ S; f, g)"
    assert diagram.to_text() == "I -> S#2 @ S#1\n  f: I -> S#1\n  g: S#1 -> S#2"
    assert repr(dc.Id(S)) == "Diagram(S -> S)"


def test_a_box_equals_the_diagram_of_it_alone():
    f = Box("f", S, T)
    assert f.diagram == f
    assert f >> dc.Id(T) == f
    assert f.diagram != "f"


def test_a_diagram_sent_to_another_process_hashes_anew():
    diagram = dc.CausalGraph.from_edges("S->T").diagram()
    hash(diagram)
    state = diagram.__getstate__()
    assert set(state) == {"wires", "nodes", "inputs", "outputs", "latent"}
    assert pickle.loads(pickle.dumps(diagram)) == diagram
