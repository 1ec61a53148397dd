"""Splitting diagrams into combs keeps every number and says what it cannot split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import distcausal as dc
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.rewrite import CombSplit, Cut, Open
from tests.diagrams.strategies_diagrams import denoted, with_states
from tests.diagrams.strategies_graphs import admgs

FRONT_DOOR = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
NAPKIN = dc.CausalGraph.from_edges("W1->W2->X->Y", bidirected="W1<->X; W1<->Y")


@given(admgs(most=5, shared=3))
def test_splitting_into_combs_changes_no_number(graph):
    diagram = graph.diagram()
    split = CombSplit()
    combs = [box for box in split.apply(diagram).boxes if box.kind == "comb"]
    inside = {frozenset(name for _, name in box.teeth) for box in combs}
    hidden = {frozenset(d) for d in graph.districts() if len(d) > 1}
    assert inside == hidden
    assert not split.apply(diagram).latent
    assert split.check(diagram, spelt_out(diagram)).holds


def spelt_out(diagram):
    """Interpretation in which a comb is the boxes it was made of, latents summed."""
    whole = with_states(diagram)
    made = {whole.wires[node.outs[0]].name: node for node in whole.nodes}

    def interpret(other):
        lifted = with_states(other)
        combs = [node.box for node in lifted.nodes if node.box.kind == "comb"]
        return denoted(lifted, {box.name: kernel(box) for box in combs})

    def kernel(box):
        teeth = [made[name] for _, name in box.teeth]
        latent = {wire for node in teeth for wire in node.ins} & {
            wire for wire, space in enumerate(whole.wires) if space.name in whole.latent
        }
        nodes = [*teeth, *(made[whole.wires[wire].name] for wire in sorted(latent))]
        outs = [node.outs[0] for node in teeth]
        return denoted(_part(whole, nodes, _external(box, whole), outs))

    return interpret


def _external(box, whole):
    names = [space.name for space in whole.wires]
    return [names.index(name) for name in box.dom.names]


def _part(whole, nodes, inputs, outputs):
    kept = [*inputs, *(wire for node in nodes for wire in node.outs)]
    number = {wire: at for at, wire in enumerate(kept)}
    return Diagram(
        tuple(whole.wires[wire] for wire in kept),
        tuple(node.renumbered(number) for node in nodes),
        tuple(number[wire] for wire in inputs),
        tuple(number[wire] for wire in outputs),
    )


def test_a_comb_keeps_what_its_teeth_read_and_in_which_order():
    (comb,) = (b for b in CombSplit().apply(NAPKIN.diagram()).boxes if b.kind == "comb")
    assert comb.teeth == (((), "W1"), (("W2",), "X"), (("X",), "Y"))
    assert (comb.name, comb.dom.names) == ("Q(W1,X,Y)", ("W2",))


def test_a_comb_reads_in_the_order_of_its_teeth():
    graph = dc.CausalGraph.from_edges("B->X; A->X; A->Y; X<->Y", nodes="BAXYZ")
    (comb,) = (b for b in CombSplit().apply(graph.diagram()).boxes if b.kind == "comb")
    assert comb.teeth == ((("B", "A"), "X"), (("A",), "Y"))
    assert comb.dom.names == ("B", "A")


def test_named_districts_become_combs_and_may_be_coarser():
    split = CombSplit((("T",), ("S", "C"))).apply(FRONT_DOOR.diagram())
    assert sorted(box.name for box in split.boxes) == ["Q(S,C)", "Q(T)"]
    whole = CombSplit((("S", "T", "C"),)).apply(FRONT_DOOR.diagram())
    assert [box.name for box in whole.boxes] == ["Q(S,T,C)"]
    assert whole.boxes[0].teeth[2] == (("T",), "C")


@pytest.mark.parametrize(
    ("diagram", "reason"),
    [
        (FRONT_DOOR.diagram(outputs=["C", "U(S,C)"]), "inputs or outputs"),
        (FRONT_DOOR.diagram(inputs=["U(S,C)"]), "inputs or outputs"),
        (
            dc.CausalGraph([("S", "T"), ("T", "C")], latent=["T"]).diagram(),
            "latent box 'T' reads wires",
        ),
        (dc.CausalGraph.from_edges("S->T", latent=["S"]).diagram(), ""),
    ],
)
def test_latent_wires_that_cannot_vanish_are_named(diagram, reason):
    possible, said = CombSplit().applies(diagram)
    assert possible == (not reason)
    assert reason in said


def test_a_tooth_is_cut_and_opened_where_no_later_tooth_reads_it():
    split = CombSplit().apply(FRONT_DOOR.diagram())
    cut = split.cut("S")
    assert sorted(box.kind for box in cut.boxes) == ["box", "comb", "uniform"]
    assert Cut("S").check(split, spelt_out(FRONT_DOOR.diagram())).holds
    np.testing.assert_allclose(
        spelt_out(FRONT_DOOR.diagram())(cut),
        denoted(with_states(FRONT_DOOR.diagram().cut("S"))),
        rtol=1e-12,
    )
    assert split.open("S").dom.names == ("S",)
    with pytest.raises(dc.QueryError, match="check it before the split"):
        Open("S").check(split, denoted)


def test_a_tooth_that_a_later_tooth_reads_stays():
    split = CombSplit().apply(NAPKIN.diagram())
    for move in (Cut("X"), Open("X")):
        possible, reason = move.applies(split)
        assert not possible
        assert "Y read 'X'" in reason
    assert Cut("W1").applies(split)[0]
