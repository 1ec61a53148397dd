"""Splitting an observed diagram into combs, one per district.

Variables that share unobserved causes cannot be told apart into single mechanisms, but
each such group, a district, is a mechanism with several teeth: it reads its parents one
after the other and answers in between. Inside, the unobserved causes vanish; outside,
everything is observed. Where the joint law has full support the combs are unique, so
they can be computed from data, which is what identification lives on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from distcausal.diagrams._rewriting import Rewrite
from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.hypergraph import ordered_pieces
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import listing

__all__ = ["CombSplit"]


@dataclass(frozen=True)
class CombSplit(Rewrite):
    """Replace boxes that share latent wires by combs without them.

    Promises that the diagram denotes the same array as before, the latent wires summed
    inside the combs.

    Parameters
    ----------
    districts
        Groups of variables, each to become one comb; by default the variables joined by
        latent wires, and those without latent wires stay boxes.

    References
    ----------
    Tian and Pearl (2002), "A general identification condition for causal effects".
    Jacobs, Kissinger and Zanasi (2019), section 6.
    """

    districts: tuple[tuple[str, ...], ...] | None = None

    name = "comb_split"
    side_condition = "full support, so that the combs follow from the observed law"
    promise = "the diagram denotes the same before and after"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether the latent wires can vanish into combs."""
        if reason := _obstacle(diagram):
            return False, reason
        groups = self._groups(diagram)
        made = {_made(diagram, place) for group in groups for place in group}
        wanted = [name for group in self.districts or () for name in group]
        if strange := [name for name in wanted if name not in made]:
            return False, (
                f"there is no box of an observed variable {listing(strange)}; there "
                f"are {listing(sorted(made), 12)}."
            )
        if len(set(wanted)) < len(wanted):
            return False, "the districts overlap; each variable belongs to one."
        names = [[_made(diagram, place) for place in group] for group in groups]
        combs = [group for group in names if len(group) > 1]
        return True, f"combs of several teeth: {len(combs)}"

    def _groups(self, diagram: Diagram) -> list[list[int]]:
        """Places of observed boxes, grouped by latent wires and districts given."""
        latent = _latent_wires(diagram)
        joined: list[set[object]] = []
        for place, node in enumerate(diagram.nodes):
            links: set[object] = {("box", place)}
            links |= {wire for wire in (*node.ins, *node.outs) if wire in latent}
            for district in self.districts or ():
                if node.outs and diagram.wires[node.outs[0]].name in district:
                    links.add(("district", district))
            touching = [group for group in joined if group & links]
            joined = [group for group in joined if not group & links]
            joined.append(links.union(*touching))
        observed = {
            ("box", place): place
            for place, node in enumerate(diagram.nodes)
            if node.box.kind == "box" and not latent & {*node.outs}
        }
        groups = [[observed[each] for each in observed if each in g] for g in joined]
        return sorted(group for group in groups if group)

    def _moved(self, diagram: Diagram) -> Diagram:
        latent = _latent_wires(diagram)
        order = [piece.node for piece in ordered_pieces(diagram.nodes)]
        asked = {name for district in self.districts or () for name in district}
        combs: dict[int, Node] = {}
        gone = {
            place for place, node in enumerate(diagram.nodes) if latent & {*node.outs}
        }
        for group in self._groups(diagram):
            hidden = any(latent & {*diagram.nodes[place].ins} for place in group)
            named = asked & {_made(diagram, place) for place in group}
            if not hidden and not named:
                continue
            teeth = sorted(group, key=order.index)
            combs[group[0]] = _comb(
                diagram, [diagram.nodes[at] for at in teeth], latent
            )
            gone |= set(group)
        nodes = [
            combs.get(place, node)
            for place, node in enumerate(diagram.nodes)
            if place in combs or place not in gone
        ]
        return _without(diagram, nodes, latent)


def _latent_wires(diagram: Diagram) -> set[int]:
    names = diagram.latent
    return {wire for wire, space in enumerate(diagram.wires) if space.name in names}


def _made(diagram: Diagram, place: int) -> str:
    """Name of the wire a box makes."""
    return diagram.wires[diagram.nodes[place].outs[0]].name


def _obstacle(diagram: Diagram) -> str:
    """Say what keeps latent wires from vanishing, or nothing."""
    latent = _latent_wires(diagram)
    if shown := latent & {*diagram.inputs, *diagram.outputs}:
        names = listing(diagram.wires[wire].name for wire in sorted(shown))
        return f"the latent wires {names} are inputs or outputs; keep them inside."
    for node in diagram.nodes:
        if latent & {*node.outs} and node.ins:
            return (
                f"the latent box {node.box.name!r} reads wires; project the graph "
                "first (CausalGraph.latent_projection): latent causes have no causes."
            )
        hidden = latent & {*node.ins}
        plain = node.box.kind == "box" and len(node.outs) == 1
        if hidden and not plain:
            return (
                f"the box {node.box.name!r} reads a latent wire but is no channel with "
                "one output, so it cannot become a tooth."
            )
    return ""


def _comb(diagram: Diagram, nodes: list[Node], latent: set[int]) -> Node:
    """One comb in place of boxes given in topological order."""
    outs = tuple(node.outs[0] for node in nodes)
    reads = [[wire for wire in node.ins if wire not in latent] for node in nodes]
    ins = tuple(dict.fromkeys(w for wires in reads for w in wires if w not in outs))
    names = [diagram.wires[wire].name for wire in outs]
    teeth = tuple(
        (tuple(diagram.wires[wire].name for wire in wires), name)
        for wires, name in zip(reads, names, strict=True)
    )

    def kind(wires: Iterable[int]) -> Ty:
        return Ty(tuple(diagram.wires[wire] for wire in wires))

    title = f"Q({','.join(names)})"
    box = Box(title, kind(ins), kind(outs), kind="comb", data=teeth)
    return Node(box, ins, outs, nodes[0].world)


def _without(diagram: Diagram, nodes: list[Node], gone: set[int]) -> Diagram:
    """Give the diagram with these boxes and without wires that nothing makes now."""
    kept = [wire for wire in range(len(diagram.wires)) if wire not in gone]
    number = {wire: at for at, wire in enumerate(kept)}
    wires: list[Space] = [diagram.wires[wire] for wire in kept]
    return Diagram(
        tuple(wires),
        tuple(node.renumbered(number) for node in nodes),
        tuple(number[wire] for wire in diagram.inputs),
        tuple(number[wire] for wire in diagram.outputs),
        diagram.latent,
    )
