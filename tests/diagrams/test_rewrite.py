"""Moves on diagrams: what they do to the picture, and to the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import distcausal as dc
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.rewrite import (
    Close,
    CombSplit,
    Cut,
    Determinise,
    Merge,
    Normalise,
    Open,
    Prune,
    Twin,
    copy_laws,
)
from tests.diagrams.strategies_diagrams import (
    A,
    B,
    denoted,
    diagrams,
    named,
    shuffled,
    with_states,
)
from tests.diagrams.strategies_graphs import admgs

FRONT_DOOR = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
S, T, C = (dc.Space(name) for name in "STC")
BINARY = dc.Space("X", (0, 1))


def names_in(diagram):
    return sorted({box.name for box in diagram.boxes if box.kind == "box"})


@st.composite
def cut_cases(draw):
    """A diagram and the names of two of its boxes, if it has any."""
    diagram = draw(diagrams(steps=6))
    assume(names_in(diagram))
    some = st.sampled_from(names_in(diagram))
    return diagram, draw(some), draw(some)


@given(cut_cases())
def test_cutting_twice_is_cutting_once_in_any_order(case):
    diagram, one, two = case
    first, second = Cut(one), Cut(two)
    once = first.apply(diagram)
    assert first.apply(once) == once == diagram.cut(one)
    assert second.apply(once) == first.apply(second.apply(diagram))
    assert one not in names_in(once)


@given(st.data())
def test_cutting_respects_composition_and_side_by_side(data):
    f = data.draw(diagrams(steps=4))
    g = data.draw(diagrams(f.cod, steps=4))
    every = {*names_in(f), *names_in(g)}
    assume(every)
    cut = Cut(data.draw(st.sampled_from(sorted(every))))
    assert cut.apply(f >> g) == cut.apply(f) >> cut.apply(g)
    assert cut.apply(f @ g) == cut.apply(f) @ cut.apply(g)


@given(cut_cases())
def test_cutting_is_opening_and_closing_with_the_uniform_state(case):
    diagram, name, _ = case
    before = diagram.dom
    freed = Open(name).apply(diagram)
    filled = freed.dom[len(before) :]
    assert (dc.Id(before) @ dc.Uniform(filled)) >> freed == diagram.cut(name)


@given(diagrams(steps=6))
def test_pruning_leaves_nothing_to_prune(diagram):
    pruned = diagram.prune()
    assert pruned.prune() == pruned
    read = {wire for node in pruned.nodes for wire in node.ins} | {*pruned.outputs}
    assert all(read & {*node.outs} for node in pruned.nodes if node.box.causal)
    assert (pruned.dom, pruned.cod) == (diagram.dom, diagram.cod)
    assert diagram.equal_mod_discard(pruned)


@given(st.data())
def test_pruning_does_not_depend_on_the_order_of_boxes(data):
    diagram = data.draw(diagrams(steps=6))
    diagram = diagram >> dc.Discard(diagram.cod)
    assert data.draw(shuffled(diagram)).prune() == diagram.prune()


def test_a_box_that_reads_a_wire_twice_lets_go_of_it_twice():
    twice = Box("u", [], S) >> dc.Copy(S) >> Box("f", S @ S, T) >> dc.Discard(T)
    assert not twice.prune().boxes


@given(diagrams(steps=6))
def test_pruning_changes_no_number_and_reaches_every_causal_box(diagram):
    assert Prune().check(diagram, denoted).holds
    causal = [node for node in diagram.nodes if node.box.causal]
    if len(causal) == len(diagram.nodes):
        gone = diagram >> dc.Discard(diagram.cod)
        assert gone.prune() == dc.Discard(diagram.dom)


@given(cut_cases())
def test_cutting_and_opening_promise_what_they_keep(case):
    diagram, name, _ = case
    assert Cut(name).check(diagram, denoted).holds
    assert Open(name).check(diagram, denoted).holds


@given(st.data())
def test_normalising_divides_by_the_mass(data):
    diagram = data.draw(diagrams(steps=5))
    mass = denoted(diagram).sum(axis=tuple(range(len(diagram.dom), _axes(diagram))))
    assume((mass > 0).all())
    assert Normalise().check(diagram, denoted).holds
    total = denoted(Normalise().apply(diagram))
    outputs = tuple(range(len(diagram.dom), _axes(diagram)))
    np.testing.assert_allclose(total.sum(axis=outputs), 1, rtol=1e-12)


def _axes(diagram):
    return len(diagram.dom) + len(diagram.cod)


def test_normalising_a_channel_changes_nothing():
    diagram = FRONT_DOOR.diagram()
    assert Normalise().apply(diagram) is diagram
    with_event = diagram >> (dc.Id(S @ T) @ dc.Effect(C, 1))
    (box,) = Normalise().apply(with_event).boxes
    assert (box.kind, box.data) == ("normalised", with_event)
    assert box.causal


@given(st.data())
def test_closing_is_composing(data):
    diagram = data.draw(diagrams(dc.Ty((A, B)), steps=4))
    plug = named("f", B @ A, dc.Ty((A,)))
    assert Close("A", 1).check(diagram, denoted).holds
    assert Close("B", 2).check(diagram, denoted).holds
    assert Close("A", plug).check(diagram, denoted).holds
    closed = diagram.close("A", plug)
    assert closed.dom == B @ A @ B
    assert diagram.close("B", 2).dom == dc.Ty((A,))


def test_opening_and_putting_the_box_back_is_nothing():
    diagram = FRONT_DOOR.diagram(outputs=["C", "S"], inputs=["U(S,C)"])
    root = dc.CausalGraph.from_edges("S->T").diagram()
    assert root.open("S").close("S", Box("S", [], S)) == root
    assert diagram.open("T").dom.names == ("U(S,C)", "T")


def test_opened_wires_become_inputs_in_the_order_of_the_names():
    diagram = FRONT_DOOR.diagram().open("C", "S")
    assert diagram.dom.names == ("C", "S")
    assert names_in(diagram.prune()) == ["T"]


def test_a_wire_made_by_a_box_of_another_name_is_not_cut_in_silence():
    s, t = dc.Space("S"), dc.Space("T")
    lungs = dc.Box("tar", s, t).diagram
    with pytest.raises(dc.QueryError, match="'S' is made by the box 'smoke'"):
        (dc.Box("smoke", [], s) >> lungs).cut("S")
    assert lungs.cut("S") == lungs  # an input comes from no box


def test_a_cut_box_remembers_what_it_read_for_the_picture_only():
    cut = FRONT_DOOR.diagram().cut("C")
    (node,) = (node for node in cut.nodes if node.box.kind == "uniform")
    assert [cut.wires[wire].name for wire in node.severed] == ["T", "U(S,C)"]
    plain = Diagram(
        cut.wires,
        tuple(Node(n.box, n.ins, n.outs) for n in cut.nodes),
        cut.inputs,
        cut.outputs,
    )
    assert plain == cut


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (lambda d: d.cut("Q"), "no box or wire 'Q'.*S"),
        (lambda d: d.open("Q"), "no box or wire 'Q'"),
        (lambda d: d.open("S").open("S"), "no box 'S' to open"),
        (lambda d: d.close("S", 0), "no input 'S' to close; inputs: none"),
        (
            lambda d: (d.open("S") @ d.open("S")).close("S", 0),
            "2 inputs are called 'S'",
        ),
        (lambda d: Determinise("Q").apply(d), "no box 'Q'"),
        (lambda d: Twin().apply(d), "S, T, C are not functions"),
        (lambda d: Twin(0).apply(d), "worlds = 0"),
        (lambda d: CombSplit((("S", "Q"),)).apply(d), "observed variable Q"),
        (lambda d: CombSplit((("S",), ("S", "C"))).apply(d), "overlap"),
    ],
)
def test_moves_that_cannot_be_made_say_why(move, reason):
    with pytest.raises(dc.QueryError, match=reason):
        move(FRONT_DOOR.diagram())


def test_closing_with_a_state_or_diagram_that_does_not_fit_is_refused():
    opened = dc.CausalGraph.from_edges("S->T").diagram().open("S")
    with pytest.raises(dc.TypeError_, match="makes T, but the right one reads S"):
        opened.close("S", Box("t", [], T))
    known = Box("f", BINARY, T)
    with pytest.raises(dc.QueryError, match="no state 2"):
        known.diagram.close("X", 2)


def functional(graph):
    diagram = graph.diagram()
    for name in graph.nodes:
        diagram = Determinise(name).apply(diagram)
    return diagram


def test_a_determinised_box_reads_fresh_noise_last():
    diagram = Determinise("C").apply(FRONT_DOOR.diagram())
    (box,) = (box for box in diagram.boxes if box.name == "C")
    assert box.dom.names == ("T", "U(S,C)", "N(C)")
    assert box.deterministic
    assert diagram.latent == {"U(S,C)", "N(C)"}
    with pytest.raises(dc.QueryError, match="a function already"):
        Determinise("C").apply(diagram)


def test_a_name_of_noise_that_is_taken_gets_a_prime():
    diagram = dc.CausalGraph([("N(T)", "T")]).diagram()
    assert Determinise("T").apply(diagram).latent == {"N(T)'"}


def test_function_and_noise_of_a_box_denote_the_box():
    box = Box("X", BINARY, dc.Space("Y", (0, 1)))
    response = dc.Space("R", ((0, 0), (0, 1), (1, 0), (1, 1)))
    chance = np.array([0.1, 0.2, 0.3, 0.4])
    function = np.zeros((2, 4, 2))
    for x in (0, 1):
        for at, answers in enumerate(response.known):
            function[x, at, answers[x]] = 1
    channel = np.einsum("r,xry->xy", chance, function)

    def interpret(diagram):
        split = any(each.name == "R" for each in diagram.boxes)
        return denoted(diagram, {"X": function if split else channel, "R": chance})

    assert Determinise("X", response).check(box.diagram, interpret).holds
    wrong = Determinise("X", response).check(
        box.diagram, lambda d: interpret(d) if len(d.nodes) > 1 else channel[::-1]
    )
    assert not wrong.holds


@given(admgs(most=5, shared=3), st.integers(1, 3), st.data())
def test_merging_untouched_worlds_gives_copies_of_one(graph, worlds, data):
    diagram = functional(graph)
    opened = data.draw(st.lists(st.sampled_from(graph.nodes), unique=True, max_size=2))
    diagram = diagram.open(*opened)
    twin = dc.Copy(diagram.dom, worlds) >> Twin(worlds).apply(diagram)
    assert Merge().apply(twin) == diagram >> dc.Copy(diagram.cod, worlds)


def test_worlds_share_noise_and_can_be_cut_one_by_one():
    twin = Twin(3).apply(functional(FRONT_DOOR))
    names = [box.name for box in twin.boxes]
    assert [names.count(name) for name in ("S", "N(S)", "U(S,C)")] == [3, 1, 1]
    assert twin.cod.names == ("S", "T", "C") * 3
    cut = Cut("S", 1).apply(twin)
    assert [node.world for node in cut.nodes if node.box.kind == "uniform"] == [1]
    assert [node.world for node in cut.nodes if node.box.name == "S"] == [0, 2]


def test_twinning_and_merging_promise_what_functions_keep():
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    diagram = with_states(functional(graph).open("X"))
    assert Twin(2).check(diagram, denoted).holds
    twin = Twin(2).apply(diagram)
    assert Merge().check(dc.Copy(diagram.dom) >> twin, denoted).holds
    chance = {"Y": np.full((2, 2, 2, 2), 0.5)}
    assert not Twin(2).check(diagram, lambda d: denoted(d, chance)).holds


@given(diagrams(steps=6))
def test_merging_changes_no_number(diagram):
    twice = dc.Copy(diagram.dom) >> (diagram @ diagram)
    assume(np.prod([space.size for space in twice.wires]) <= 2**14)
    assert Merge().check(twice, denoted).holds


def test_only_functions_are_merged():
    f, h = Box("f", S, T), Box("h", S, T, deterministic=True)
    for box, count in ((f, 2), (h, 1)):
        both = dc.Copy(S) >> (box @ box)
        assert len(Merge().apply(both).boxes) == count


def test_copy_laws_need_no_move():
    laws = copy_laws(S)
    assert [law.name for law in laws] == ["slide", "merge", "split", "cross"]
    for law in laws:
        assert law.left == law.right
        assert "wire" in law.reason


def test_checks_find_a_box_that_is_not_causal_after_all():
    leaky = Box("f", BINARY, BINARY)
    diagram = (
        dc.Copy(BINARY)
        >> (leaky @ dc.Id(BINARY))
        >> (dc.Discard(BINARY) @ dc.Id(BINARY))
    )
    verdict = Prune().check(
        diagram, lambda d: denoted(d, {"f": np.array([[0.5, 0.4], [0.5, 0.5]])})
    )
    assert not verdict.holds
    assert verdict.gap == pytest.approx(0.1)
    assert verdict.name == "prune"


def test_a_check_that_finds_no_number_does_not_hold():
    diagram = dc.Id(BINARY)
    assert not Prune().check(diagram, lambda d: np.full((2, 2), np.nan)).holds


def test_checks_accept_channels_and_models():
    tables = {
        "S": [0.5, 0.5],
        "T": [[0.9, 0.1], [0.2, 0.8]],
    }
    graph = dc.CausalGraph.from_edges("S->T")
    model = dc.CausalModel(graph, tables)
    for move in (Prune(), Cut("T"), Open("S"), CombSplit((("S", "T"),))):
        assert move.check(graph.diagram(), model.interpret).holds


@pytest.mark.parametrize(
    "move",
    [
        Prune(),
        Cut("S"),
        Open("S"),
        CombSplit(),
        Determinise("S"),
        Normalise(),
        Merge(),
    ],
    ids=str,
)
def test_every_move_has_a_name_a_condition_and_a_picture(move):
    diagram = FRONT_DOOR.diagram()
    assert move.name in str(move)
    assert move.side_condition
    assert move.applies(diagram)[0]
    figure = move.draw(diagram)
    assert len(figure.axes) == 2
    assert hash(move) == hash(type(move)(**vars(move)))


def test_moves_print_as_they_are_written():
    assert str(Close("S", 1)) == "close(S = 1)"
    assert str(Cut("S", 1)) == "cut(S) in world 1"
    assert str(Twin(2)) == "twin(2 worlds)"
    assert str(Close("S", dc.Uniform(S))) == "close(S = ...)"
