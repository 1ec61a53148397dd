"""Boxes and string diagrams: the terms in which causal questions are written.

A diagram says which operations happen and which wires join them, without saying what
any of them does. Surgery, pruning and identification act on diagrams alone; numbers
come in later, when a model says which channel each box denotes.

Diagrams are open hypergraphs (see `distcausal.diagrams.hypergraph`), so copying and
discarding are not boxes: a wire is copied by being read twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from distcausal.diagrams.box import Box, Node, first_difference
from distcausal.diagrams.hypergraph import (
    check_hypergraph,
    colours,
    isomorphic,
    ordered_pieces,
)
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import QueryError, SyntaxError_, TypeError_, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from networkx import DiGraph

__all__ = [
    "Box",
    "Diagram",
    "Node",
    "as_diagram",
    "wire_names",
]


@dataclass(frozen=True, eq=False, repr=False)
class Diagram:
    """A string diagram: boxes, and the wires that join them.

    Diagrams compose with ``>>`` (one after the other) and ``@`` (side by side). Two are
    equal when one becomes the other by relabelling wires and reordering boxes.

    Parameters
    ----------
    wires
        Space of each wire. A wire starts once, at an input or at a box; it may be read
        any number of times, which copies it, or never, which discards it.
    nodes
        Boxes, each with the numbers of the wires it reads and makes.
    inputs, outputs
        Wires open at either end, in order.
    latent
        Names of wires that nobody observes. They are drawn dashed; equality ignores it.

    Raises
    ------
    SyntaxError_, TypeError_
        If these do not make a diagram; the message names the wire or box.

    References
    ----------
    Jacobs, Kissinger and Zanasi (2019), "Causal Inference by String Diagram Surgery".

    Examples
    --------
    >>> import distcausal as dc
    >>> s, c = dc.Space("S"), dc.Space("C")
    >>> both = dc.Box("S", [], s) >> dc.Copy(s) >> (dc.Box("C", s, c) @ dc.Id(s))
    >>> both
    Diagram(I -> C @ S; S, C)
    >>> both.cut("S") == dc.Uniform(s) >> dc.Copy(s) >> (dc.Box("C", s, c) @ dc.Id(s))
    True
    """

    wires: tuple[Space, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    latent: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("wires", "nodes", "inputs", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_hypergraph(self.wires, self.nodes, self.inputs, self.outputs)
        present = {space.name for space in self.wires}
        object.__setattr__(self, "latent", frozenset(self.latent) & present)

    @property
    def dom(self) -> Ty:
        """Type of the inputs."""
        return Ty(tuple(self.wires[wire] for wire in self.inputs))

    @property
    def cod(self) -> Ty:
        """Type of the outputs."""
        return Ty(tuple(self.wires[wire] for wire in self.outputs))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Boxes in the order of the nodes; one that occurs twice is listed twice."""
        return tuple(node.box for node in self.nodes)

    @property
    def structure(self) -> tuple[Any, ...]:
        """All that equality looks at, with the numbers the wires happen to have."""
        return self.wires, self.nodes, self.inputs, self.outputs

    def __rshift__(self, other: object) -> Diagram:
        right = as_diagram(other)
        if self.cod != right.dom:
            raise TypeError_(
                f"the left diagram makes {self.cod}, but the right one reads "
                f"{right.dom}; {first_difference(self.cod, right.dom)}."
            )
        number = dict(zip(right.inputs, self.outputs, strict=True))
        fresh = [wire for wire in range(len(right.wires)) if wire not in number]
        number |= {wire: len(self.wires) + at for at, wire in enumerate(fresh)}
        return Diagram(
            self.wires + tuple(right.wires[wire] for wire in fresh),
            self.nodes + tuple(node.renumbered(number) for node in right.nodes),
            self.inputs,
            tuple(number[wire] for wire in right.outputs),
            self.latent | right.latent,
        )

    def __matmul__(self, other: object) -> Diagram:
        right = as_diagram(other)
        number = {wire: len(self.wires) + wire for wire in range(len(right.wires))}
        return Diagram(
            self.wires + right.wires,
            self.nodes + tuple(node.renumbered(number) for node in right.nodes),
            self.inputs + tuple(number[wire] for wire in right.inputs),
            self.outputs + tuple(number[wire] for wire in right.outputs),
            self.latent | right.latent,
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Box):
            return self == other.diagram
        if not isinstance(other, Diagram):
            return NotImplemented
        return isomorphic(self, other)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        wires, boxes = colours(self)
        return hash((tuple(sorted(wires)), tuple(sorted(boxes))))

    def __getstate__(self) -> dict[str, Any]:
        # hashes of names differ between processes, so a kept one is not sent along
        return {name: value for name, value in vars(self).items() if name != "_hash"}

    def equal_mod_discard(self, other: object) -> bool:
        """Whether both are equal once boxes that nobody reads are pruned."""
        return self.prune() == as_diagram(other).prune()

    def only(self, kept: Iterable[int]) -> Diagram:
        """Keep the boxes at these places; a wire that loses its start must be unread.

        Raises
        ------
        SyntaxError_
            If a wire still read or open has lost its start.
        """
        chosen = [self.nodes[place] for place in sorted(set(kept))]
        made = {*self.inputs, *(wire for node in chosen for wire in node.outs)}
        read = {*self.outputs, *(wire for node in chosen for wire in node.ins)}
        number = {wire: at for at, wire in enumerate(sorted(made))}
        if lost := sorted(read - made):
            names = listing(self.wires[wire].name for wire in lost)
            raise SyntaxError_(f"without their boxes the wires {names} have no start.")
        return Diagram(
            tuple(self.wires[wire] for wire in sorted(made)),
            tuple(node.renumbered(number) for node in chosen),
            tuple(number[wire] for wire in self.inputs),
            tuple(number[wire] for wire in self.outputs),
            self.latent,
        )

    def prune(self) -> Diagram:
        """Delete, again and again, causal boxes all of whose outputs are discarded."""
        from distcausal.diagrams.rewrite import Prune

        return Prune().apply(self)

    def cut(self, *names: str) -> Diagram:
        """Put the uniform state in place of boxes, whose inputs are then discarded.

        Raises
        ------
        QueryError
            If neither a box nor a wire has one of the names.
        """
        from distcausal.diagrams.rewrite import Cut

        self._check_known(names)
        diagram = self
        for name in names:
            diagram = Cut(name).apply(diagram)
        return diagram

    def open(self, *names: str) -> Diagram:
        """Remove boxes, so that what they made enters from outside.

        Their wires become inputs, after those there are, in the order of the names.

        Raises
        ------
        QueryError
            If there is no such box.
        """
        from distcausal.diagrams.rewrite import Open

        self._check_known(names)
        diagram = self
        for name in names:
            diagram = Open(name).apply(diagram)
        return diagram

    def close(self, name: str, state: object) -> Diagram:
        """Plug a state of its space, or a diagram that ends there, into an input.

        Inputs of the diagram plugged in take the place of the input.

        Raises
        ------
        QueryError
            If no input, or more than one, has the name, or the space has no such state.
        TypeError_
            If the diagram makes something else.
        """
        from distcausal.diagrams.rewrite import Close

        return Close(name, state).apply(self)

    def draw(self, ax: Axes | None = None, *, direction: str = "up") -> Axes:
        """Draw with matplotlib, inputs at the bottom or, with ``"right"``, at the left.

        Returns the axes and shows nothing.
        """
        from distcausal.diagrams._draw import draw_diagram

        return draw_diagram(self, ax=ax, direction=direction)

    def to_svg(self, *, direction: str = "up") -> str:
        """Write the drawing as SVG, on its own, with no reference to anything else."""
        from distcausal.diagrams._draw_svg import write_svg

        return write_svg(self, direction=direction)

    def to_tikz(self, *, direction: str = "up") -> str:
        """Write the drawing as a ``tikzpicture``, which needs the package tikz only."""
        from distcausal.diagrams._draw_tikz import write_tikz

        return write_tikz(self, direction=direction)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def to_networkx(self) -> DiGraph:
        """Give the graph of wires: arrows from what a box reads to what it makes.

        The inverse of `network_diagram`; see `distcausal.diagrams.network`.
        """
        from distcausal.diagrams.network import wire_graph

        return wire_graph(self)

    def to_text(self) -> str:
        """Write one line per box, in an order in which each follows what it reads.

        Examples
        --------
        >>> import distcausal as dc
        >>> s, c = dc.Space("S"), dc.Space("C")
        >>> print((dc.Box("smoke", [], s) >> dc.Box("sick", s, c)).to_text())
        I -> C
          smoke: I -> S
          sick: S -> C
        """
        names = wire_names(self)

        def joined(wires: Iterable[int]) -> str:
            return " @ ".join(names[wire] for wire in wires) or "I"

        lines = [f"{joined(self.inputs)} -> {joined(self.outputs)}"]
        lines += [
            f"  {piece.name}: {joined(piece.ins)} -> {joined(piece.outs)}"
            for piece in ordered_pieces(self.nodes)
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        boxes = listing((box.name for box in self.boxes), 12)
        return f"Diagram({self.dom} -> {self.cod}{'; ' + boxes if boxes else ''})"

    def _check_known(self, names: Iterable[str]) -> None:
        boxes = [box.name for box in self.boxes if box.kind in ("box", "comb")]
        known = dict.fromkeys([*boxes, *(space.name for space in self.wires)])
        if strange := [name for name in names if name not in known]:
            raise QueryError(
                f"the diagram has no box or wire {listing(map(repr, strange))}; it has "
                f"{listing(known, 12)}."
            )
        for node in self.nodes:
            made = {self.wires[wire].name for wire in node.outs}
            plain = node.box.kind == "box" and node.box.name not in names
            caught = [n for n in names if n in made and n not in boxes]
            if plain and caught:
                raise QueryError(
                    f"the wire {caught[0]!r} is made by the box {node.box.name!r}; "
                    "name the box."
                )


def as_diagram(value: object) -> Diagram:
    """Read a diagram from a diagram or a box.

    Raises
    ------
    SyntaxError_
        If the value is neither.
    """
    if isinstance(value, Diagram):
        return value
    if isinstance(value, Box):
        return value.diagram
    raise SyntaxError_(f"{value!r} is not a diagram: give a Box or a Diagram.")


def wire_names(diagram: Diagram) -> tuple[str, ...]:
    """A name for each wire; those that share a name are told apart by numbers."""
    count = Counter(space.name for space in diagram.wires)
    seen: Counter[str] = Counter()
    names = []
    for space in diagram.wires:
        seen[space.name] += 1
        several = count[space.name] > 1
        names.append(f"{space.name}#{seen[space.name]}" if several else space.name)
    return tuple(names)
