"""Surgery: pruning, cutting, opening and closing diagrams.

An intervention removes one mechanism and leaves the others alone. On diagrams that is a
change at a single box, which is why it commutes with composition and with itself, and
why what follows from it can be read off before any number is known.

Inside a comb the box of a variable is not to be seen. Its tooth can still be cut or
opened when no later tooth of the comb reads what it makes: the wire that leaves the
comb is then discarded and a new one takes its place.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distcausal.diagrams._rewriting import Interpret, Rewrite, numbers, rebuilt
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram, as_diagram
from distcausal.diagrams.hypergraph import prunable
from distcausal.diagrams.space import Space
from distcausal.diagrams.structural import Id, Point, Uniform
from distcausal.errors import QueryError, listing

__all__ = ["Close", "Cut", "Open", "Prune"]


@dataclass(frozen=True)
class Prune(Rewrite):
    """Delete boxes all of whose outputs are discarded, until there is none.

    Promises that the diagram denotes the same array as before.
    """

    name = "prune"
    side_condition = "the boxes are causal: discarding their outputs discards all"
    promise = "the diagram denotes the same before and after"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Always; the reason lists what goes."""
        gone = prunable(diagram.nodes, diagram.outputs)
        if not gone:
            return True, "nothing is discarded, so nothing changes"
        names = listing(diagram.nodes[place].box.name for place in sorted(gone))
        return True, f"nobody reads what {names} make"

    def _moved(self, diagram: Diagram) -> Diagram:
        gone = prunable(diagram.nodes, diagram.outputs)
        return diagram.only(set(range(len(diagram.nodes))) - gone)


@dataclass(frozen=True)
class _OnBox(Rewrite):
    """A move at the boxes of one variable.

    Parameters
    ----------
    box
        Name of the box, or of the output of a comb.
    world
        Which world of a twinned diagram; None for all of them.
    """

    box: str
    world: int | None = None

    def __str__(self) -> str:
        where = "" if self.world is None else f" in world {self.world}"
        return f"{self.name}({self.box}){where}"

    def found(self, diagram: Diagram) -> Iterator[tuple[int, int | None]]:
        """Places of the boxes, each with the port of the tooth if it is a comb."""
        for place, node in enumerate(diagram.nodes):
            if self.world is not None and node.world != self.world:
                continue
            if node.box.kind == "box" and node.box.name == self.box:
                yield place, None
            if node.box.kind == "comb" and self.box in node.box.cod.names:
                yield place, node.box.cod.names.index(self.box)

    def _hidden(self, diagram: Diagram) -> str:
        """Say why a tooth cannot be touched, or nothing."""
        for place, port in self.found(diagram):
            box = diagram.nodes[place].box
            inside = [made for reads, made in box.teeth if self.box in reads]
            if port is not None and inside:
                return (
                    f"inside the comb {box.name!r}, {listing(inside)} read "
                    f"{self.box!r}, so it cannot be taken out of the comb alone."
                )
        return ""


@dataclass(frozen=True)
class Cut(_OnBox):
    """Put the uniform state in place of a box, and discard what the box read.

    Defined on every diagram, so that it respects composition: without such a box it
    changes nothing. Promises that the result is the average, over the states of the
    variable, of the diagram in which it is opened.
    """

    name = "cut"
    side_condition = "none; in a comb, no later tooth reads the variable"
    promise = "the cut diagram is the opened one, averaged over the states"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether the box can be reached; where there is none nothing changes."""
        if hidden := self._hidden(diagram):
            return False, hidden
        count = sum(1 for _ in self.found(diagram))
        return True, f"boxes of {self.box!r} here: {count}"

    def _moved(self, diagram: Diagram) -> Diagram:
        loose = _loosened(diagram, self)
        nodes = [
            each
            for node, freed in zip(loose.kept, loose.freed, strict=True)
            for each in (*node, *(_uniform(diagram, loose, wire) for wire in freed))
        ]
        return rebuilt(diagram, nodes=nodes, wires=loose.wires, moved=loose.moved)

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        opened = numbers(interpret(Open(self.box, self.world).apply(diagram)))
        start = len(diagram.inputs)
        more = opened.ndim - start - len(diagram.outputs)
        average = opened.mean(axis=tuple(range(start, start + more)))
        return average, interpret(self.apply(diagram))


@dataclass(frozen=True)
class Open(_OnBox):
    """Remove a box, so that its wire enters from outside.

    The wires freed become inputs, after those there are, in the order of the boxes.
    Promises that the box put back gives what was there: the joint law of the outputs,
    of the variable and of what its box read is that of the opened diagram times the
    channel of the box.
    """

    name = "open"
    side_condition = "there is such a box; in a comb, no later tooth reads the variable"
    promise = "the opened diagram times the box removed is the diagram before"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether there is such a box, and it can be reached."""
        if hidden := self._hidden(diagram):
            return False, hidden
        count = sum(1 for _ in self.found(diagram))
        if not count:
            names = listing(dict.fromkeys(box.name for box in diagram.boxes), 12)
            return False, f"there is no box {self.box!r} to open; there are {names}."
        return True, f"boxes of {self.box!r} here: {count}"

    def _moved(self, diagram: Diagram) -> Diagram:
        loose = _loosened(diagram, self)
        return rebuilt(
            diagram,
            nodes=[node for nodes in loose.kept for node in nodes],
            wires=loose.wires,
            inputs=[wire for freed in loose.freed for wire in freed],
            moved=loose.moved,
        )

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        places = list(self.found(diagram))
        if any(port is not None for _, port in places):
            raise QueryError(
                f"a tooth has no channel of its own, so opening {self.box!r} inside a "
                "comb promises nothing that can be checked; check it before the split."
            )
        removed = [diagram.nodes[place] for place, _ in places]
        shown = dict.fromkeys(w for node in removed for w in (*node.ins, *node.outs))
        before = replace(diagram, outputs=(*diagram.outputs, *shown))
        made = [wire for node in removed for wire in node.outs]
        read = [wire for wire in shown if wire not in made]
        opened = replace(before, outputs=(*diagram.outputs, *read))
        return interpret(before), self._put_back(
            opened, removed, tuple(shown), interpret
        )

    def _put_back(
        self,
        before: Diagram,
        removed: list[Node],
        shown: tuple[int, ...],
        interpret: Interpret,
    ) -> np.ndarray:
        """Multiply the opened diagram by the channels of the boxes removed.

        Axes: the inputs and outputs before, then the wires of the boxes.
        """
        made = [wire for node in removed for wire in node.outs]
        read = [wire for wire in shown if wire not in made]
        rest = len(before.outputs) - len(read)
        label = {wire: at for at, wire in enumerate(shown)}
        entering = [len(shown) + at for at in range(len(before.inputs))]
        leaving = [len(shown) + len(entering) + at for at in range(rest)]
        axes = entering + [label[w] for w in made] + leaving + [label[w] for w in read]
        operands: list[Any] = [numbers(interpret(self.apply(before))), axes]
        for node in removed:
            operands += [
                numbers(interpret(node.box.diagram)),
                [label[wire] for wire in (*node.ins, *node.outs)],
            ]
        return np.einsum(*operands, entering + leaving + list(label.values()))


@dataclass(frozen=True)
class Close(Rewrite):
    """Plug a state, or a diagram that ends in the space, into an input.

    Promises that the result is the diagram before, composed with what was plugged in.

    Parameters
    ----------
    wire
        Name of the input, borne by one input only.
    state
        A state of its space, or a diagram whose output it is; inputs of that diagram
        take the place of the input.
    """

    wire: str
    state: Hashable

    name = "close"
    side_condition = "what is plugged in has the type of the input"
    promise = "the closed diagram is the open one composed with what was plugged in"

    def __str__(self) -> str:
        shown = "..." if isinstance(self.state, Diagram | Box) else str(self.state)
        return f"close({self.wire} = {shown})"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether one input has the name."""
        count = diagram.dom.names.count(self.wire)
        if not count:
            names = listing(diagram.dom.names, 12) or "none"
            return False, f"there is no input {self.wire!r} to close; inputs: {names}."
        if count > 1:
            return False, (
                f"{count} inputs are called {self.wire!r}; compose with >> instead, "
                "which tells them apart by their places."
            )
        return True, f"{self.wire!r} is input {diagram.dom.names.index(self.wire)}"

    def plug(self, space: Space) -> Diagram:
        """What goes into an input of the given space."""
        if isinstance(self.state, Diagram | Box):
            return as_diagram(self.state)
        return Point(space, self.state)

    def _moved(self, diagram: Diagram) -> Diagram:
        place = diagram.dom.names.index(self.wire)
        space = diagram.dom[place]
        before, after = Id(diagram.dom[:place]), Id(diagram.dom[place + 1 :])
        return (before @ self.plug(space) @ after) >> diagram

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        place = diagram.dom.names.index(self.wire)
        plug = self.plug(diagram.dom[place])
        array, into = (numbers(interpret(each)) for each in (diagram, plug))
        reads = into.ndim - 1
        joined = np.tensordot(into, array, axes=(reads, place))
        order = [*range(reads, reads + place), *range(reads)]
        order += range(reads + place, joined.ndim)
        return joined.transpose(order), interpret(self.apply(diagram))


@dataclass(frozen=True)
class _Loose:
    """A diagram in which boxes have let go of what they made.

    Attributes
    ----------
    kept
        For each box of the diagram, the boxes in its place: none, or itself.
    freed
        For each box, the wires without a start that it leaves behind.
    origin
        The box that made each such wire.
    wires
        Spaces of wires added.
    moved
        For each wire that only a comb still makes, the one read in its stead.
    """

    kept: list[tuple[Node, ...]]
    freed: list[tuple[int, ...]]
    origin: dict[int, Node]
    wires: list[Space]
    moved: dict[int, int]


def _loosened(diagram: Diagram, move: _OnBox) -> _Loose:
    """Take boxes out; a comb stays, and what it made is made anew outside."""
    kept: list[tuple[Node, ...]] = [(node,) for node in diagram.nodes]
    freed: list[tuple[int, ...]] = [()] * len(kept)
    origin: dict[int, Node] = {}
    wires: list[Space] = []
    moved: dict[int, int] = {}
    for place, port in move.found(diagram):
        node = diagram.nodes[place]
        if port is None:
            kept[place], freed[place] = (), node.outs
        else:
            moved[node.outs[port]] = fresh = len(diagram.wires) + len(wires)
            wires.append(diagram.wires[node.outs[port]])
            freed[place] = (fresh,)
        origin |= dict.fromkeys(freed[place], node)
    kept = [tuple(_reading(node, moved) for node in nodes) for nodes in kept]
    return _Loose(kept, freed, origin, wires, moved)


def _reading(node: Node, moved: dict[int, int]) -> Node:
    """Give the node with the wires it reads exchanged."""
    return replace(node, ins=tuple(moved.get(wire, wire) for wire in node.ins))


def _uniform(diagram: Diagram, loose: _Loose, wire: int) -> Node:
    """Uniform state on a loose wire, with the loose ends of the box that was there."""
    node = loose.origin[wire]
    space = (*diagram.wires, *loose.wires)[wire]
    first = wire == node.outs[0]
    return Node(
        Uniform(space).boxes[0], (), (wire,), node.world, node.ins if first else ()
    )
