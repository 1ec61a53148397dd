"""Random typed diagrams, and what they denote, written out in full.

A diagram is grown from its inputs by steps on the wires open so far, so every one is
well typed, and later steps disappear when a failing one shrinks. The name of a box says
its type, so that two diagrams can always be joined.

`denoted` sums over the states of all wires at once: slow, but with nothing clever in it
that could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import numpy as np
from hypothesis import strategies as st

import distcausal as dc
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram

SPACES = A, B, C = dc.Space("A", (0, 1)), dc.Space("B", (0, 1, 2)), dc.Space("C", (0,))
# entries of an array over all wires, which brute force can still sum
LARGEST = 2**16


def types(most: int = 3) -> st.SearchStrategy[dc.Ty]:
    """A list of up to ``most`` spaces."""
    return st.lists(st.sampled_from(SPACES), max_size=most).map(tuple).map(dc.Ty)


@st.composite
def diagrams(draw, dom: dc.Ty | None = None, steps: int = 4, most: int = 4):
    """A diagram, from the given type if there is one."""
    diagram = dc.Id(draw(types(2)) if dom is None else dom)
    for _ in range(draw(st.integers(0, steps))):
        open_wires = diagram.cod
        start = draw(st.integers(0, len(open_wires)))
        stop = draw(st.integers(start, min(start + 2, len(open_wires))))
        middle = draw(_moves(open_wires[start:stop], most - len(open_wires)))
        before, after = dc.Id(open_wires[:start]), dc.Id(open_wires[stop:])
        grown = diagram >> (before @ middle @ after)
        if np.prod([space.size for space in grown.wires]) <= LARGEST:
            diagram = grown
    return diagram


def _moves(dom: dc.Ty, room: int) -> st.SearchStrategy[Diagram]:
    """What can happen to neighbouring wires, ``room`` more of which may come out."""
    options = [boxes(dom, len(dom) + room), st.just(dc.Discard(dom))]
    if room >= len(dom) > 0:
        options.append(st.just(dc.Copy(dom)))
    if room > 0:
        options.append(
            st.sampled_from(SPACES).map(lambda a: dc.Id(dom) @ dc.Uniform(a))
        )
    if len(dom) == 2:
        options.append(st.just(dc.Swap(dom[0], dom[1])))
    if len(dom) == 1:
        states = st.sampled_from(dom[0].known)
        options.append(states.map(lambda s: dc.Effect(dom[0], s)))
    return st.one_of(options)


def boxes(dom: dc.Ty, most: int) -> st.SearchStrategy[Diagram]:
    """A box on given wires, named after its type."""
    cods = types(max(0, min(2, most)))
    letters = st.sampled_from("fgh")
    return st.builds(lambda letter, cod: named(letter, dom, cod).diagram, letters, cods)


def named(letter: str, dom: dc.Ty, cod: dc.Ty) -> Box:
    """The box of a letter and type; h is a function and g may condition."""
    name = f"{letter}:{''.join(dom.names)}-{''.join(cod.names)}"
    return Box(name, dom, cod, causal=letter != "g", deterministic=letter == "h")


@st.composite
def shuffled(draw, diagram: Diagram) -> Diagram:
    """The same diagram with its wires and boxes in another order."""
    order = draw(st.permutations(range(len(diagram.wires))))
    number = {wire: at for at, wire in enumerate(order)}
    nodes = draw(st.permutations(diagram.nodes))
    return Diagram(
        tuple(diagram.wires[wire] for wire in order),
        tuple(node.renumbered(number) for node in nodes),
        tuple(number[wire] for wire in diagram.inputs),
        tuple(number[wire] for wire in diagram.outputs),
        diagram.latent,
    )


def with_states(diagram: Diagram) -> Diagram:
    """The same diagram, every wire with two states."""
    space = {each.name: dc.Space(each.name, (0, 1)) for each in diagram.wires}

    def lifted(kind):
        return dc.Ty(tuple(space.get(s.name, dc.Space(s.name, (0, 1))) for s in kind))

    def box(old):
        data = with_states(old.data) if old.kind == "normalised" else old.data
        return Box(
            old.name,
            lifted(old.dom),
            lifted(old.cod),
            old.causal,
            old.deterministic,
            old.kind,
            data,
        )

    return Diagram(
        tuple(space[each.name] for each in diagram.wires),
        tuple(
            Node(box(node.box), node.ins, node.outs, node.world)
            for node in diagram.nodes
        ),
        diagram.inputs,
        diagram.outputs,
        diagram.latent,
    )


def table(box: Box) -> np.ndarray:
    """Array of a box, inputs first: random, the same for the same name."""
    spaces = (*box.dom, *box.cod)
    shape = tuple(space.size for space in spaces)
    if box.kind == "uniform":
        return np.full(shape, 1 / shape[0])
    if box.kind in ("point", "effect"):
        return np.eye(shape[0])[spaces[0].position(box.data)]
    if box.kind in ("cap", "cup"):
        return np.eye(shape[0])
    if box.kind == "normalised":
        inner = denoted(box.data)
        outputs = tuple(range(len(box.dom), inner.ndim))
        return inner / inner.sum(axis=outputs, keepdims=True)
    generator = np.random.default_rng(crc32(box.name.encode()))
    rows = generator.gamma(1.0, size=shape)
    outputs = tuple(range(len(box.dom), len(shape)))
    if not box.causal:
        return rows
    if box.deterministic:
        flat = rows.reshape(*shape[: len(box.dom)], -1)
        return np.eye(flat.shape[-1])[flat.argmax(axis=-1)].reshape(shape)
    return rows / rows.sum(axis=outputs, keepdims=True)


def denoted(
    diagram: object, tables: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """Array of a diagram, inputs first, summed over the states of all its wires."""
    whole = diagram.diagram if isinstance(diagram, Box) else diagram
    sizes = tuple(space.size for space in whole.wires)
    mass = np.ones(sizes)
    at = np.indices(sizes, sparse=True)
    for node in whole.nodes:
        known = (tables or {}).get(node.box.name)
        array = table(node.box) if known is None else known
        places = tuple(at[wire] for wire in (*node.ins, *node.outs))
        mass = mass * (array[places] if places else array)
    ends = (*whole.inputs, *whole.outputs)
    found = np.zeros(tuple(sizes[wire] for wire in ends))
    places = tuple(np.broadcast_to(at[wire], sizes) for wire in ends)
    if not ends:
        return np.asarray(mass.sum())
    np.add.at(found, places, mass)
    return found
