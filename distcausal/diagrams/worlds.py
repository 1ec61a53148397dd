"""Functional diagrams and parallel worlds: what counterfactuals are drawn with.

A channel can be had by drawing noise once and then applying a function. When every box
is a function and all chance sits in noise without inputs, "what would have happened"
has a picture: copy the functions, one set per world, and share the noise. Worlds that
nobody touches agree, because copying what a function makes is running it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from distcausal.diagrams._rewriting import Interpret, Rewrite
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.fresh import fresh
from distcausal.diagrams.hypergraph import ordered_pieces
from distcausal.diagrams.space import Space, Ty
from distcausal.diagrams.structural import Copy
from distcausal.errors import listing

__all__ = ["Determinise", "Merge", "Twin"]


@dataclass(frozen=True)
class Determinise(Rewrite):
    """Split a box into a function and a noise root of its own.

    The function keeps the name of the box and reads the noise last. Promises that the
    diagram denotes the same array as before, in a model that says what function and
    noise are.

    Parameters
    ----------
    box
        Name of the box.
    noise
        Space of the noise; by default one called ``N(box)`` with unknown states.
    """

    box: str
    noise: Space | None = None

    name = "determinise"
    side_condition = "the model is functional: it says which noise drives the box"
    promise = "the diagram denotes the same before and after"

    def __str__(self) -> str:
        return f"{self.name}({self.box})"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether there is such a box and it is not a function yet."""
        found = list(self._found(diagram))
        if not found:
            names = listing(dict.fromkeys(box.name for box in diagram.boxes), 12)
            return False, f"there is no box {self.box!r}; there are {names}."
        if found[0][1].box.deterministic:
            return False, f"the box {self.box!r} is a function already."
        return True, f"boxes of {self.box!r} here: {len(found)}"

    def _found(self, diagram: Diagram) -> Iterator[tuple[int, Node]]:
        for place, node in enumerate(diagram.nodes):
            if node.box.kind == "box" and node.box.name == self.box:
                yield place, node

    def _moved(self, diagram: Diagram) -> Diagram:
        taken = {wire.name for wire in diagram.wires}
        taken |= {box.name for box in diagram.boxes}
        space = self.noise or Space(fresh(f"N({self.box})", taken))
        nodes: list[Node] = []
        noises = 0
        for node in diagram.nodes:
            if node.box.kind != "box" or node.box.name != self.box:
                nodes.append(node)
                continue
            wire = len(diagram.wires) + noises
            noises += 1
            root = Box(space.name, Ty(), Ty((space,)))
            dom = node.box.dom @ space
            function = replace(node.box, dom=dom, deterministic=True)
            nodes.append(Node(root, (), (wire,), node.world))
            nodes.append(replace(node, box=function, ins=(*node.ins, wire)))
        return Diagram(
            (*diagram.wires, *[space] * noises),
            tuple(nodes),
            diagram.inputs,
            diagram.outputs,
            diagram.latent | {space.name},
        )


@dataclass(frozen=True)
class Twin(Rewrite):
    """Run the functions of a diagram in several worlds that share their noise.

    Noise is what boxes without inputs make on latent wires. Inputs and outputs are
    repeated world by world, and `Node.world` counts the worlds from 0, so that a cut
    can be made in one of them. Promises that worlds which read the same inputs make
    the same outputs: copying the inputs to all worlds is copying the outputs.

    Parameters
    ----------
    worlds
        How many, at least 1.
    """

    worlds: int = 2

    name = "twin"
    side_condition = "all boxes but the latent roots are functions"
    promise = "copying the inputs to all worlds gives copies of the outputs"

    def __str__(self) -> str:
        return f"{self.name}({self.worlds} worlds)"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether all boxes but the noise are functions."""
        if self.worlds < 1:
            return False, f"worlds = {self.worlds}; give a whole number, at least 1."
        chancy = [
            node.box.name
            for node in diagram.nodes
            if not (node.box.deterministic or _is_noise(diagram, node))
        ]
        if chancy:
            return False, (
                f"the boxes {listing(dict.fromkeys(chancy))} are not functions, so "
                "their worlds would draw apart; determinise them first."
            )
        return True, "all boxes but the noise are functions"

    def _moved(self, diagram: Diagram) -> Diagram:
        shared = [node for node in diagram.nodes if _is_noise(diagram, node)]
        apart = [node for node in diagram.nodes if not _is_noise(diagram, node)]
        common = [wire for node in shared for wire in node.outs]
        private = [wire for wire in range(len(diagram.wires)) if wire not in common]
        deep = 1 + max((node.world for node in diagram.nodes), default=0)
        wires, nodes = list(diagram.wires), list(shared)
        inputs: list[int] = []
        outputs: list[int] = []
        for world in range(self.worlds):
            number = {wire: wire for wire in common}
            if world == 0:
                number |= {wire: wire for wire in private}
            else:
                number |= {wire: len(wires) + at for at, wire in enumerate(private)}
                wires += [diagram.wires[wire] for wire in private]
            nodes += [
                replace(node.renumbered(number), world=node.world + deep * world)
                for node in apart
            ]
            inputs += [number[wire] for wire in diagram.inputs]
            outputs += [number[wire] for wire in diagram.outputs]
        return Diagram(
            tuple(wires), tuple(nodes), tuple(inputs), tuple(outputs), diagram.latent
        )

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        together = Copy(diagram.dom, self.worlds) >> self.apply(diagram)
        return interpret(together), interpret(diagram >> Copy(diagram.cod, self.worlds))


def _is_noise(diagram: Diagram, node: Node) -> bool:
    """Whether a node draws what nobody observes and reads nothing."""
    names = {diagram.wires[wire].name for wire in node.outs}
    return not node.ins and bool(names) and names <= diagram.latent


@dataclass(frozen=True)
class Merge(Rewrite):
    """Run equal functions of equal inputs once, and copy what they make.

    Promises that the diagram denotes the same array as before.
    """

    name = "merge"
    side_condition = "the boxes are deterministic"
    promise = "the diagram denotes the same before and after"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Always; the reason lists what is merged."""
        merged = len(diagram.nodes) - len(self._moved(diagram).nodes)
        return True, f"functions run once instead of twice: {merged}"

    def _moved(self, diagram: Diagram) -> Diagram:
        stands = {wire: wire for wire in range(len(diagram.wires))}
        first: dict[tuple[Box, tuple[int, ...]], int] = {}
        kept = set(range(len(diagram.nodes)))
        # in an order of causes, inputs are merged before those who read them
        for piece in ordered_pieces(diagram.nodes):
            box = diagram.nodes[piece.node].box
            if not box.deterministic:
                continue
            reads = tuple(stands[wire] for wire in piece.ins)
            same = first.setdefault((box, reads), piece.node)
            if same != piece.node:
                kept.discard(piece.node)
                outs = diagram.nodes[same].outs
                stands |= dict(zip(piece.outs, outs, strict=True))
        nodes = tuple(
            replace(node, ins=tuple(stands[wire] for wire in node.ins))
            for node in diagram.nodes
        )
        outputs = tuple(stands[wire] for wire in diagram.outputs)
        return replace(diagram, nodes=nodes, outputs=outputs).only(kept)
