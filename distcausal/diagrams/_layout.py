"""Where everything in the drawing of a diagram goes.

Boxes are put in layers so that each lies above all it reads; a wire that runs past a
layer holds a place in it, so no wire has to go through a box. Within layers the order
is chosen to have few crossings, and then each thing is moved as close to straight above
its neighbours as the order and its width allow.

Two coordinates are used: ``across`` along a layer, and ``along`` from the inputs to the
outputs. Turning them into a page, upright or sideways, is the business of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distcausal.diagrams._crossings import Link, fewer_crossings
from distcausal.diagrams._places import Pull, straightened
from distcausal.diagrams._text import BODY, SMALL, broken, shortened, text_width
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.hypergraph import Piece, ordered_pieces
from distcausal.errors import check_choice

__all__ = ["DIRECTIONS", "Layout", "Vertex", "lay_out"]

DIRECTIONS = ("up", "right")
PORT, PAD = 16.0, 8.0  # between ports, and inside boxes
STEM, RISE = 6.0, 26.0  # straight and curved stretch of a wire between two layers
SPINE = 12.0  # width of the spine that joins the teeth of a comb
PRIME = "\N{PRIME}"  # marks each world after the first
STIFF = (1.0, 2.0, 8.0)  # pull of a link by how many of its ends are bare wire


@dataclass(frozen=True)
class Vertex:
    """Something that has a place of its own in the drawing.

    Attributes
    ----------
    kind
        Kind of the box, or ``"input"``, ``"output"``, ``"wire"``, ``"ground"``,
        ``"cut"``, ``"spine"``.
    lines
        What is written on it.
    title
        Its full name.
    ins, outs
        Wires at its ports.
    names
        What is written beside the wires that leave it.
    level
        Its layer, counted from the inputs.
    width, height
        Extent across and along.
    room
        Extent across from the middle to the end, names beside its wires included.
    enters, leaves
        Places of its ports across, from the middle.
    """

    kind: str
    lines: tuple[str, ...]
    title: str
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    names: tuple[str, ...] = ()
    level: int = 0
    width: float = 0.0
    height: float = 0.0
    room: float = 0.0
    enters: tuple[float, ...] = ()
    leaves: tuple[float, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A diagram with coordinates, in points.

    Attributes
    ----------
    vertices, links
        What is drawn, and the wires between layers.
    across
        Middle of each vertex.
    starts, heights, stems
        For each layer: where it begins, how tall it is, and how far wires run straight
        after it.
    latent
        Wires drawn dashed.
    spines
        Wires that are spines of combs.
    """

    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]
    across: tuple[float, ...]
    starts: tuple[float, ...]
    heights: tuple[float, ...]
    stems: tuple[float, ...]
    latent: frozenset[int]
    spines: frozenset[int]


def lay_out(diagram: Diagram, *, direction: str = "up") -> Layout:
    """Place boxes and wires.

    Raises
    ------
    DesignError
        If the direction is not one of ``"up"``, ``"right"``.
    """
    check_choice("direction", direction, DIRECTIONS)
    upright = direction == "up"
    vertices, spines = _vertices(diagram)
    vertices, links = _with_bare_wires(_levelled(vertices), spines)
    vertices = [_sized(vertex, spines, upright=upright) for vertex in vertices]
    layers: list[list[int]] = [
        [] for _ in range(1 + max((v.level for v in vertices), default=-1))
    ]
    for at, vertex in enumerate(vertices):
        layers[vertex.level].append(at)
    ends = {v.level for v in vertices if v.kind in ("input", "output")}
    order = fewer_crossings(layers, links, fixed=ends)
    across = straightened(
        [(vertex.width / 2, vertex.room) for vertex in vertices],
        [_pull(link, vertices) for link in links],
        order,
    )
    hidden = {
        w for w, space in enumerate(diagram.wires) if space.name in diagram.latent
    }
    return Layout(
        tuple(vertices),
        tuple(links),
        tuple(float(place) for place in across),
        *_heights(vertices, links, order, across, upright=upright),
        latent=frozenset(hidden),
        spines=frozenset(spines),
    )


def _vertices(diagram: Diagram) -> tuple[list[Vertex], set[int]]:
    """Inputs, boxes and teeth in topological order, ends of unread wires, outputs.

    The spine between two teeth is a wire too, with a number after those of the diagram.
    """
    labels = _wire_labels(diagram)
    read = {wire for node in diagram.nodes for wire in (*node.ins, *node.severed)}
    found = [
        Vertex("input", (shortened(labels[wire]),), labels[wire], (), (wire,))
        for wire in diagram.inputs
    ]
    spine: dict[tuple[int, int], int] = {}
    for piece in ordered_pieces(diagram.nodes):
        vertex = _of_piece(diagram, piece, labels, read)
        if piece.tooth is not None:
            here = (piece.node, piece.tooth)
            if piece.tooth:
                before = spine[piece.node, piece.tooth - 1]
                vertex = replace(vertex, ins=(*vertex.ins, before))
            if piece.tooth + 1 < len(diagram.nodes[piece.node].box.teeth):
                spine[here] = len(diagram.wires) + len(spine)
                vertex = replace(vertex, outs=(*vertex.outs, spine[here]))
        found.append(vertex)
    unread = set(range(len(diagram.wires))) - read - {*diagram.outputs}
    found += [Vertex("ground", (), "", (wire,), ()) for wire in sorted(unread)]
    found += [
        Vertex("output", (shortened(labels[wire]),), labels[wire], (wire,), ())
        for wire in diagram.outputs
    ]
    return found, set(spine.values())


def _wire_labels(diagram: Diagram) -> list[str]:
    """Name of each wire, with a prime for each world after the first."""
    labels = [space.name for space in diagram.wires]
    for node in diagram.nodes:
        for wire in node.outs:
            labels[wire] += PRIME * node.world
    return labels


def _of_piece(
    diagram: Diagram, piece: Piece, labels: Sequence[str], read: set[int]
) -> Vertex:
    """Vertex of a box or tooth, without the spine."""
    node = diagram.nodes[piece.node]
    kind, reads = node.box.kind, piece.ins
    if kind == "uniform" and node.severed:
        kind, reads = "cut", node.severed
    title = piece.name + PRIME * node.world
    if kind in ("uniform", "cut"):
        names = tuple(f"{shortened(labels[wire])} uniform" for wire in piece.outs)
        return Vertex(kind, (), title, reads, piece.outs, names)
    # a wire that only leaves the diagram is named where it leaves
    named = [wire in read and labels[wire] != title for wire in piece.outs]
    names = tuple(
        shortened(labels[wire]) if shown else ""
        for wire, shown in zip(piece.outs, named, strict=True)
    )
    lines = () if kind in ("cap", "cup") else broken(title)
    return Vertex(kind, lines, title, reads, piece.outs, names)


def _levelled(vertices: Sequence[Vertex]) -> list[Vertex]:
    """Put each vertex above all it reads, and what reads nothing below its reader."""
    origin = _origins(vertices)
    level: list[int] = []
    for vertex in vertices:
        above = [1 + level[origin[wire]] for wire in vertex.ins]
        level.append(0 if vertex.kind == "input" else max(above, default=1))
    readers: dict[int, list[int]] = {}
    for at, vertex in enumerate(vertices):
        if vertex.kind not in ("output", "ground"):
            for wire in vertex.ins:
                readers.setdefault(origin[wire], []).append(level[at])
    for at, vertex in enumerate(vertices):
        if vertex.kind != "input" and not vertex.ins and at in readers:
            level[at] = max(1, min(readers[at]) - 1)
    inside = [level[at] for at, v in enumerate(vertices) if v.kind != "output"]
    top = 1 + max(inside, default=-1)
    level = [top if v.kind == "output" else level[at] for at, v in enumerate(vertices)]
    low = min(level, default=0)
    return [
        replace(vertex, level=at - low)
        for vertex, at in zip(vertices, level, strict=True)
    ]


def _origins(vertices: Iterable[Vertex]) -> dict[int, int]:
    """Vertex at which each wire starts."""
    return {wire: at for at, vertex in enumerate(vertices) for wire in vertex.outs}


def _with_bare_wires(
    vertices: list[Vertex], spines: set[int]
) -> tuple[list[Vertex], list[Link]]:
    """Give each wire a place in every layer it runs past, and link the layers."""
    found, links = list(vertices), []
    ends: dict[int, list[tuple[int, int]]] = {}
    for at, vertex in enumerate(vertices):
        for port, wire in enumerate(vertex.ins):
            ends.setdefault(wire, []).append((at, port))
    for at, vertex in enumerate(vertices):
        for port, wire in enumerate(vertex.outs):
            below, leaves = at, port
            last = max((found[end].level for end, _ in ends.get(wire, ())), default=0)
            for level in range(vertex.level + 1, last + 1):
                links += [
                    Link(below, end, leaves, arrives, wire)
                    for end, arrives in ends[wire]
                    if found[end].level == level
                ]
                if level < last:
                    kind = "spine" if wire in spines else "wire"
                    links.append(Link(below, len(found), leaves, 0, wire))
                    below, leaves = len(found), 0
                    found.append(Vertex(kind, (), "", (wire,), (wire,), level=level))
    return found, links


def _sized(vertex: Vertex, spines: set[int], *, upright: bool) -> Vertex:
    """Give a vertex its extent and its ports their places."""
    text = max((text_width(line, BODY) for line in vertex.lines), default=0.0)
    rows = len(vertex.lines) * (BODY + 2.0)
    beside = max((text_width(name, SMALL) for name in vertex.names), default=0.0)
    wide, tall = (text, rows) if upright else (rows, text)
    step = PORT + (beside if upright and len(vertex.names) > 1 else 0.0)
    enters, leaves = (
        _spread(ports, step, spines) for ports in (vertex.ins, vertex.outs)
    )
    reach = 2 * max(map(abs, (*enters, *leaves)), default=0.0)
    width, height = _extent(vertex.kind, wide, tall, reach)
    after = beside + 6.0 if upright else SMALL + 4.0
    room = max(width / 2, max(leaves, default=0.0) + after) if beside else width / 2
    return replace(
        vertex, width=width, height=height, room=room, enters=enters, leaves=leaves
    )


def _spread(ports: Sequence[int], step: float, spines: set[int]) -> tuple[float, ...]:
    """Places of ports around the middle; the spine of a comb keeps to the end."""
    plain = [wire for wire in ports if wire not in spines]
    places = [step * (at - (len(plain) - 1) / 2) for at in range(len(plain))]
    if len(plain) < len(ports):
        places.append(max(places, default=0.0) + PORT)
    return tuple(places)


def _extent(kind: str, wide: float, tall: float, reach: float) -> tuple[float, float]:
    """Extent of a vertex across and along, from its text and the reach of its ports."""
    if kind in ("wire", "spine", "ground"):
        return {"wire": 2.0, "spine": SPINE, "ground": 14.0}[kind], 8.0
    if kind in ("input", "output"):
        return max(wide, 8.0), tall
    if kind == "uniform":
        return 10.0, 10.0
    if kind == "cut":
        return max(14.0 + reach, 30.0), 36.0
    if kind in ("cap", "cup"):
        return reach + 4.0, 12.0
    if kind in ("point", "effect"):
        # the triangle has to be this much wider than the text inside it
        return 1.5 * wide + 16.0, tall + 12.0
    return max(wide, reach) + 2 * PAD, tall + PAD


def _pull(link: Link, vertices: Sequence[Vertex]) -> Pull:
    """Wish of a link that its two ports lie straight above each other."""
    low, high = vertices[link.low], vertices[link.high]
    bare = sum(vertex.kind in ("wire", "spine") for vertex in (low, high))
    shift = low.leaves[link.leaves] - high.enters[link.arrives]
    return Pull(link.low, link.high, shift, STIFF[bare])


def _heights(
    vertices: Sequence[Vertex],
    links: Sequence[Link],
    order: Sequence[Sequence[int]],
    across: np.ndarray,
    *,
    upright: bool,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Where layers begin, how tall they are, and how long wires stay straight."""
    tall = [max((vertices[at].height for at in layer), default=0.0) for layer in order]
    stems, rises = [STEM] * len(order), [RISE] * len(order)
    for level, layer in enumerate(order):
        names = [name for at in layer for name in vertices[at].names if name]
        if names:
            long = max(text_width(name, SMALL) for name in names)
            stems[level] = SMALL + 5.0 if upright else long + 6.0
    for link in links:
        low, high = vertices[link.low], vertices[link.high]
        slant = across[link.high] + high.enters[link.arrives]
        slant -= across[link.low] + low.leaves[link.leaves]
        # long slanting wires get more height, so that crossings stay readable
        rises[low.level] = max(rises[low.level], min(RISE * 2.2, abs(slant) * 0.3))
    starts = [0.0]
    for height, stem, rise in zip(tall, stems, rises, strict=True):
        starts.append(starts[-1] + height + stem + rise)
    return tuple(starts[:-1]), tuple(tall), tuple(stems)
