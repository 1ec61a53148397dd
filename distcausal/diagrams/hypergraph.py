"""Open hypergraphs: what a diagram is underneath, and when two are the same.

A diagram is stored as wires, boxes that read and make wires, and lists of the wires
open at either end. A wire that is read twice is copied and one that is read nowhere is
discarded, so the laws of copying and discarding hold without any rewriting, and two
diagrams are equal when a relabelling of wires and boxes turns one into the other.

Colours that summarise the surroundings of each wire and box, refined until they settle,
give the hash; they also leave the search for a relabelling almost nothing to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from distcausal.diagrams.space import Space, Ty
from distcausal.errors import SyntaxError_, listing

if TYPE_CHECKING:
    from distcausal.diagrams.diagram import Box, Diagram, Node

__all__ = [
    "Piece",
    "check_hypergraph",
    "colours",
    "isomorphic",
    "ordered_pieces",
    "producers",
    "prunable",
    "readers",
]

NAMED = ("box", "comb")  # kinds whose boxes are known by their names


@dataclass(frozen=True)
class Piece:
    """A box, or one tooth of a comb, with the wires it reads and makes."""

    node: int
    tooth: int | None
    name: str
    ins: tuple[int, ...]
    outs: tuple[int, ...]


def check_hypergraph(
    wires: Sequence[Space],
    nodes: Sequence[Node],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> None:
    """Check that wires, boxes and ends make a diagram.

    Raises
    ------
    TypeError_
        If two wires of one name have different states, or a box meets a wire of
        another type.
    SyntaxError_
        If a wire has no origin or two, a name stands for two boxes, or boxes wait for
        each other in a circle.
    """
    Ty(tuple(wires))
    _check_origins(len(wires), nodes, inputs, outputs)
    for node in nodes:
        node.check(tuple(wires))
    _check_names(node.box for node in nodes)
    ordered_pieces(nodes)


def _check_origins(
    count: int,
    nodes: Sequence[Node],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> None:
    made = Counter(inputs)
    for node in nodes:
        made.update(node.outs)
    used = {*outputs, *(wire for node in nodes for wire in node.ins), *made}
    if strange := used - set(range(count)):
        raise SyntaxError_(
            f"a diagram of {count} wires numbers them from 0 to {count - 1}; it "
            f"mentions {listing(sorted(strange))}."
        )
    if wrong := [wire for wire in range(count) if made[wire] != 1]:
        raise SyntaxError_(
            "each wire should start once, at an input or as an output of a box; wires "
            f"{listing(wrong)} start {listing(made[wire] for wire in wrong)} times."
        )


def _check_names(boxes: Iterable[Box]) -> None:
    known: dict[str, Box] = {}
    for box in boxes:
        if box.kind not in NAMED:
            continue
        first = known.setdefault(box.name, box)
        if first != box:
            raise SyntaxError_(
                f"the box name {box.name!r} is used for two boxes, {first.signature} "
                f"and {box.signature}; one name stands for one box. Rename one."
            )


def producers(nodes: Sequence[Node]) -> dict[int, int]:
    """Place of the box that makes each wire; inputs are absent."""
    return {wire: place for place, node in enumerate(nodes) for wire in node.outs}


def readers(nodes: Sequence[Node]) -> dict[int, list[tuple[int, int]]]:
    """Boxes that read each wire, as pairs of the place of the box and of its port."""
    found: dict[int, list[tuple[int, int]]] = {}
    for place, node in enumerate(nodes):
        for port, wire in enumerate(node.ins):
            found.setdefault(wire, []).append((place, port))
    return found


def prunable(nodes: Sequence[Node], outputs: Sequence[int]) -> set[int]:
    """Places of causal boxes that no output and no box that stays depends on."""
    gone: set[int] = set()
    used = Counter(outputs)
    for node in nodes:
        used.update(node.ins)
    made = producers(nodes)
    waiting = list(range(len(nodes)))
    while waiting:
        place = waiting.pop()
        node = nodes[place]
        if place in gone or not node.box.causal or any(used[w] for w in node.outs):
            continue
        gone.add(place)
        used.subtract(node.ins)
        waiting += [made[wire] for wire in node.ins if wire in made]
    return gone


def ordered_pieces(nodes: Sequence[Node]) -> list[Piece]:
    """Boxes and teeth in an order in which each comes after all it reads.

    Among those that could come next, the first in the list does, so the order follows
    from the list alone.

    Raises
    ------
    SyntaxError_
        If some wait for each other in a circle.
    """
    pieces = [
        piece for place, node in enumerate(nodes) for piece in _teeth(node, place)
    ]
    origin = {wire: at for at, piece in enumerate(pieces) for wire in piece.outs}
    after: list[list[int]] = [[] for _ in pieces]
    missing = [0] * len(pieces)
    for at, piece in enumerate(pieces):
        before = {origin[wire] for wire in piece.ins if wire in origin}
        if piece.tooth:
            before.add(at - 1)
        missing[at] = len(before)
        for earlier in before:
            after[earlier].append(at)
    ready = [at for at, count in enumerate(missing) if not count]
    heapify(ready)
    order = []
    while ready:
        order.append(at := heappop(ready))
        for later in after[at]:
            missing[later] -= 1
            if not missing[later]:
                heappush(ready, later)
    if len(order) < len(pieces):
        stuck = [pieces[at].name for at, count in enumerate(missing) if count]
        raise SyntaxError_(
            f"the boxes {listing(stuck)} wait for each other in a circle; only the "
            "teeth of a comb may be separated by other boxes."
        )
    return [pieces[at] for at in order]


def _teeth(node: Node, place: int) -> list[Piece]:
    """Pieces of a box: its teeth if it is a comb, else itself."""
    box = node.box
    if box.kind != "comb":
        return [Piece(place, None, box.name, node.ins, node.outs)]
    reads = dict(zip(box.dom.names, node.ins, strict=True))
    makes = dict(zip(box.cod.names, node.outs, strict=True))
    return [
        Piece(
            place,
            number,
            name,
            tuple(reads[parent] for parent in parents if parent in reads),
            (makes[name],),
        )
        for number, (parents, name) in enumerate(box.teeth)
    ]


def colours(
    diagram: Diagram, marks: Mapping[int, int] | None = None
) -> tuple[list[int], list[int]]:
    """Colours of wires and of boxes that no relabelling changes.

    Each round mixes into a colour those of its neighbours and the ports by which they
    are joined, until a round tells no more wires apart. Wires with marks start apart.
    """
    nodes, read, made = diagram.nodes, readers(diagram.nodes), producers(diagram.nodes)
    marked = marks or {}
    labels = enumerate(_wire_labels(diagram))
    wires = [hash((label, marked.get(wire))) for wire, label in labels]
    boxes = [hash(node.box) for node in nodes]
    apart = 0
    while len(set(wires)) + len(set(boxes)) > apart:
        apart = len(set(wires)) + len(set(boxes))
        boxes = [
            hash(
                (
                    boxes[place],
                    tuple(wires[wire] for wire in node.ins),
                    tuple(wires[wire] for wire in node.outs),
                )
            )
            for place, node in enumerate(nodes)
        ]
        wires = [
            hash(
                (
                    wires[wire],
                    boxes[made[wire]] if wire in made else None,
                    tuple(sorted((boxes[p], port) for p, port in read.get(wire, ()))),
                )
            )
            for wire in range(len(wires))
        ]
    return wires, boxes


def _wire_labels(diagram: Diagram) -> list[tuple[Any, ...]]:
    """Space of each wire with its places among inputs and outputs."""
    enters = {wire: place for place, wire in enumerate(diagram.inputs)}
    leaves: dict[int, tuple[int, ...]] = {}
    for place, wire in enumerate(diagram.outputs):
        leaves[wire] = (*leaves.get(wire, ()), place)
    return [
        (space, enters.get(wire), leaves.get(wire, ()))
        for wire, space in enumerate(diagram.wires)
    ]


def isomorphic(one: Diagram, other: Diagram) -> bool:
    """Whether a relabelling of wires and boxes turns one diagram into the other."""
    if one.structure == other.structure:
        return True
    return hash(one) == hash(other) and _matched(one, other, {}, {})


def _matched(
    one: Diagram, other: Diagram, here: dict[int, int], there: dict[int, int]
) -> bool:
    """Whether some relabelling takes marked wires to wires with the same mark.

    Where colours leave wires alike, one of them is marked, and all that it might become
    in the other diagram are tried; one mark tells most of the others apart.
    """
    mine, my_boxes = colours(one, here)
    theirs, their_boxes = colours(other, there)
    if sorted(mine) != sorted(theirs) or sorted(my_boxes) != sorted(their_boxes):
        return False
    count = Counter(mine)
    alike = next((wire for wire, colour in enumerate(mine) if count[colour] > 1), None)
    if alike is None:
        place = {colour: wire for wire, colour in enumerate(theirs)}
        return _same(one, other, {wire: place[c] for wire, c in enumerate(mine)})
    return any(
        _matched(one, other, here | {alike: len(here)}, there | {wire: len(there)})
        for wire, colour in enumerate(theirs)
        if colour == mine[alike]
    )


def _same(one: Diagram, other: Diagram, number: dict[int, int]) -> bool:
    """Whether a numbering of the wires makes the diagrams equal, boxes in any order."""
    return (
        all(one.wires[wire] == other.wires[at] for wire, at in number.items())
        and tuple(number[wire] for wire in one.inputs) == other.inputs
        and tuple(number[wire] for wire in one.outputs) == other.outputs
        and Counter(node.renumbered(number) for node in one.nodes)
        == Counter(other.nodes)
    )
