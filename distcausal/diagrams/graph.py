"""Causal graphs: what causes what, and which pairs share an unobserved cause.

A graph has arrows between named variables, arrows with two heads where two variables
have a common cause that nobody observed, and may hold unobserved variables of its own.
Everything else in the room (diagrams, models, identification) starts from one of these.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distcausal._base.fit import Record
from distcausal.diagrams.fresh import fresh
from distcausal.diagrams.masks import Masks, bits, mask_of
from distcausal.errors import DataWarning, GraphError, QueryError, listing

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

    from distcausal.diagrams.diagram import Diagram

__all__ = ["CausalGraph", "check_graph"]

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, eq=False, repr=False)
class CausalGraph(Record):
    """An acyclic graph with arrows and two-headed arrows between named variables.

    Parameters
    ----------
    directed
        Pairs ``(cause, effect)``.
    bidirected
        Pairs of variables that share an unobserved cause, in any order. Two pairs with
        a common end mean two independent causes.
    nodes
        Variables in the order wanted, among them those without edges; variables found
        only in edges follow in order of mention. The order decides the order of parents
        in tables where ``directed`` does not.
    latent
        Those among the variables that are not observed.

    Raises
    ------
    GraphError
        If there is a cycle (one is named), an edge from a variable to itself, or a name
        that is not text.

    Warns
    -----
    DataWarning
        If an edge is listed twice; it counts once.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    >>> graph.districts()
    (('S', 'C'), ('T',))
    >>> graph.m_separated("S", "C", given=["T"])
    False
    """

    directed: tuple[tuple[str, str], ...] = ()
    bidirected: tuple[tuple[str, str], ...] = ()
    nodes: tuple[str, ...] = ()
    latent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        directed = _pairs("directed", self.directed)
        bidirected = _pairs("bidirected", self.bidirected)
        ends = (end for pair in (*directed, *bidirected) for end in pair)
        nodes = tuple(dict.fromkeys([*_names("nodes", self.nodes), *ends]))
        latent = tuple(dict.fromkeys(_names("latent", self.latent)))
        strangers = [name for name in latent if name not in nodes]
        if strangers:
            raise GraphError(
                f"latent names {listing(strangers)}, which is not a variable of the "
                f"graph; the variables are {listing(nodes, 12)}."
            )
        directed = _distinct(directed, "->")
        place = {name: at for at, name in enumerate(nodes)}
        bidirected = tuple(
            (one, other) if place[one] < place[other] else (other, one)
            for one, other in bidirected
        )
        bidirected = _distinct(bidirected, "<->")
        for name, value in (
            ("directed", directed),
            ("bidirected", bidirected),
            ("nodes", nodes),
            ("latent", latent),
        ):
            object.__setattr__(self, name, value)
        super().__post_init__()
        _ = self.masks  # finds a cycle, if there is one, at once

    @classmethod
    def from_edges(
        cls,
        edges: str | Pairs,
        bidirected: str | Pairs = (),
        nodes: Sequence[str] = (),
        latent: Sequence[str] = (),
    ) -> CausalGraph:
        """Read a graph from edges in text, such as ``"S->T->C; S<->C"``, or pairs."""
        from distcausal.diagrams.read_edges import read_edges

        return cls._of(read_edges(edges, bidirected=bidirected, nodes=nodes), latent)

    @classmethod
    def from_networkx(
        cls, graph: nx.DiGraph | Any, latent: Sequence[str] = ()
    ) -> CausalGraph:
        """Read a directed graph of networkx, or one of a package built on it."""
        from distcausal.diagrams.read_edges import read_networkx

        return cls._of(read_networkx(graph), latent)

    @classmethod
    def from_dagitty(cls, text: str) -> CausalGraph:
        """Read the text format of dagitty, ``dag { X -> Y }``."""
        from distcausal.diagrams.read_dagitty import read_dagitty

        return cls._of(read_dagitty(text))

    @classmethod
    def from_dot(cls, text: str) -> CausalGraph:
        """Read a directed graph in DOT, the text format of Graphviz."""
        from distcausal.diagrams.read_dot import read_dot

        return cls._of(read_dot(text))

    @classmethod
    def from_gml(cls, text: str) -> CausalGraph:
        """Read a directed graph in GML."""
        from distcausal.diagrams.read_gml import read_gml

        return cls._of(read_gml(text))

    @classmethod
    def from_bif(cls, path: str | Path) -> CausalGraph:
        """Read the graph of a Bayesian network from a BIF file."""
        from distcausal.diagrams.read_bif import read_bif

        parts, _, _ = read_bif(Path(path).read_text(encoding="utf-8"))
        return cls._of(parts)

    @classmethod
    def _of(cls, parts: Any, latent: Sequence[str] = ()) -> CausalGraph:
        return cls(
            parts.directed, parts.bidirected, parts.nodes, (*parts.latent, *latent)
        )

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Place of each variable among the nodes."""
        return {name: place for place, name in enumerate(self.nodes)}

    @cached_property
    def masks(self) -> Masks:
        """Neighbours of every variable as sets of bits, and a topological order."""
        size, place = len(self.nodes), self.place
        parents, children, siblings = [0] * size, [0] * size, [0] * size
        for cause, effect in self.directed:
            parents[place[effect]] |= 1 << place[cause]
            children[place[cause]] |= 1 << place[effect]
        for one, other in self.bidirected:
            siblings[place[one]] |= 1 << place[other]
            siblings[place[other]] |= 1 << place[one]
        order = _topological(parents, children, self.nodes)
        return Masks(tuple(parents), tuple(children), tuple(siblings), order)

    @property
    def observed(self) -> tuple[str, ...]:
        """Variables that are observed, in order."""
        return tuple(name for name in self.nodes if name not in self.latent)

    def parents(self, name: str) -> tuple[str, ...]:
        """Direct causes, in the order in which their arrows were listed."""
        self.mask([name])
        return self._parents.get(name, ())

    @cached_property
    def _parents(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for cause, effect in self.directed:
            found[effect] = (*found.get(effect, ()), cause)
        return found

    def children(self, name: str) -> tuple[str, ...]:
        """Direct effects, in the order of the nodes."""
        return self.names(self.masks.children[self._at(name)])

    def siblings(self, name: str) -> tuple[str, ...]:
        """Variables that share an unobserved cause with this one."""
        return self.names(self.masks.siblings[self._at(name)])

    def ancestors(self, names: str | Iterable[str]) -> tuple[str, ...]:
        """The variables named and all their direct and indirect causes."""
        return self.names(self.masks.ancestors(self.mask(names), self.masks.all))

    def descendants(self, names: str | Iterable[str]) -> tuple[str, ...]:
        """The variables named and all their direct and indirect effects."""
        return self.names(self.masks.descendants(self.mask(names), self.masks.all))

    def districts(self) -> tuple[tuple[str, ...], ...]:
        """Sets of variables joined by unobserved causes (c-components)."""
        return tuple(map(self.names, self.masks.districts(self.masks.all)))

    def topological_order(self) -> tuple[str, ...]:
        """Variables with causes before effects, ties in the order of the nodes."""
        return tuple(self.nodes[place] for place in self.masks.order)

    def m_separated(
        self,
        one: str | Iterable[str],
        other: str | Iterable[str],
        given: str | Iterable[str] = (),
    ) -> bool:
        """Whether every model of the graph makes two sets independent given a third."""
        return self.masks.separated(self.mask(one), self.mask(other), self.mask(given))

    def latent_projection(self) -> CausalGraph:
        """Graph over the observed variables with the same consequences for them.

        Every unobserved variable is left out: what it caused, its own causes now cause
        directly, and any two of its effects share an unobserved cause.
        """
        if not self.latent:
            return self
        from distcausal.diagrams.projection import project

        return project(self)

    def with_latents(self) -> CausalGraph:
        """Graph in which every shared unobserved cause is a variable of its own.

        The cause shared by A and B is called ``U(A,B)``; it is the last parent of both.
        """
        if not self.bidirected:
            return self
        causes: list[str] = []
        for pair in self.bidirected:
            causes.append(fresh(f"U({','.join(pair)})", (*self.nodes, *causes)))
        arrows = [
            (cause, end)
            for cause, pair in zip(causes, self.bidirected, strict=True)
            for end in pair
        ]
        return CausalGraph(
            (*self.directed, *arrows),
            (),
            (*self.nodes, *causes),
            (*self.latent, *causes),
        )

    def diagram(
        self, outputs: Iterable[str] | None = None, inputs: Iterable[str] = ()
    ) -> Diagram:
        """Draw the graph as a string diagram, one box per variable.

        Parameters
        ----------
        outputs
            Variables whose wires leave the diagram, all observed ones if None; a text
            names them separated by spaces.
        inputs
            Variables whose wires enter it from outside in place of their own box.
        """
        from distcausal.diagrams.network import network_diagram

        wanted = outputs.split() if isinstance(outputs, str) else outputs
        entering = inputs.split() if isinstance(inputs, str) else inputs
        return network_diagram(self, outputs=wanted, inputs=entering)

    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw the graph: causes left of effects, shared unobserved causes dashed."""
        from distcausal.diagrams._draw_graph import draw_graph

        return draw_graph(self, ax)

    def to_edges(self) -> str:
        """Write the graph as edges, as `from_edges` reads them."""
        from distcausal.diagrams.write_graph import write_edges

        return write_edges(self)

    def to_dagitty(self) -> str:
        """Write the graph in the text format of dagitty."""
        from distcausal.diagrams.write_graph import write_dagitty

        return write_dagitty(self)

    def to_dot(self) -> str:
        """Write the graph in DOT, the text format of Graphviz."""
        from distcausal.diagrams.write_graph import write_dot

        return write_dot(self)

    def to_networkx(self) -> nx.MultiDiGraph:
        """Give a networkx graph; two-headed arrows are pairs marked ``bidirected``."""
        import networkx as nx

        graph = nx.MultiDiGraph()
        for name in self.nodes:
            graph.add_node(name, latent=name in self.latent)
        graph.add_edges_from(self.directed, bidirected=False)
        for one, other in self.bidirected:
            graph.add_edge(one, other, bidirected=True)
            graph.add_edge(other, one, bidirected=True)
        return graph

    def mask(self, names: str | Iterable[str]) -> int:
        """Set of variables as bits; `QueryError` for a name that is not there."""
        wanted = (names,) if isinstance(names, str) else names
        return mask_of(map(self._at, wanted))

    def names(self, mask: int) -> tuple[str, ...]:
        """Names of a set of bits, in the order of the nodes."""
        return tuple(self.nodes[place] for place in bits(mask))

    def _at(self, name: str) -> int:
        try:
            return self.place[name]
        except (KeyError, TypeError):
            raise QueryError(
                f"there is no variable {name!r} in the graph; its variables are "
                f"{listing(self.nodes, 12)}."
            ) from None

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((self.nodes, self.directed, self.bidirected, self.latent))

    def __repr__(self) -> str:
        edges = [f"{one} -> {other}" for one, other in self.directed]
        edges += [f"{one} <-> {other}" for one, other in self.bidirected]
        ends = {end for pair in (*self.directed, *self.bidirected) for end in pair}
        edges += [name for name in self.nodes if name not in ends]
        hidden = f" (latent: {', '.join(self.latent)})" if self.latent else ""
        return f"CausalGraph: {'; '.join(edges)}{hidden}"


def check_graph(graph: object) -> None:
    """Raise `QueryError` unless the argument is a graph."""
    if not isinstance(graph, CausalGraph):
        raise QueryError(
            f"graph is a {type(graph).__name__}; give a CausalGraph, such as "
            "CausalGraph.from_edges('X->Y') or CausalGraph.from_networkx(graph)."
        )


def _names(argument: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names as given, once it is known that they are text and not one long text."""
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if not isinstance(name, str) or not name:
            raise GraphError(
                f"{argument} holds {name!r}; variables are named by text that is not "
                "empty."
            )
    return given


def _pairs(argument: str, pairs: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    """Edges as pairs of names, none of them from a variable to itself."""
    if isinstance(pairs, str):
        raise GraphError(
            f"{argument} is the text {pairs!r}; give pairs of names, or use "
            "CausalGraph.from_edges, which reads text."
        )
    found = []
    for pair in pairs:
        if isinstance(pair, str) or len(tuple(pair)) != 2:
            raise GraphError(f"{argument} holds {pair!r}; an edge is a pair of names.")
        one, other = _names(argument, pair)
        if one == other:
            arrow = "->" if argument == "directed" else "<->"
            raise GraphError(
                f"the edge {one} {arrow} {other} joins a variable to itself; a cause "
                "differs from its effect."
            )
        found.append((one, other))
    return tuple(found)


def _distinct(
    pairs: tuple[tuple[str, str], ...], arrow: str
) -> tuple[tuple[str, str], ...]:
    """Edges without repetition; warns about those listed twice."""
    kept = tuple(dict.fromkeys(pairs))
    if len(kept) == len(pairs):
        return pairs
    twice = [
        f"{one} {arrow} {other}" for one, other in kept if pairs.count((one, other)) > 1
    ]
    warnings.warn(
        f"edges listed more than once count once: {listing(twice)}.",
        DataWarning,
        stacklevel=4,
    )
    return kept


def _topological(
    parents: Sequence[int], children: Sequence[int], names: Sequence[str]
) -> tuple[int, ...]:
    """Order with causes first, ties in the order given; a cycle is named."""
    waiting = [found.bit_count() for found in parents]
    ready = mask_of(place for place, count in enumerate(waiting) if not count)
    order: list[int] = []
    while ready:
        low = ready & -ready
        place = low.bit_length() - 1
        ready ^= low
        order.append(place)
        for child in bits(children[place]):
            waiting[child] -= 1
            if not waiting[child]:
                ready |= 1 << child
    if len(order) < len(names):
        rest = mask_of(range(len(names))) & ~mask_of(order)
        raise GraphError(
            f"the graph has a cycle: {' -> '.join(_cycle(parents, rest, names))}. "
            "Causes and effects should not run in a circle; leave an arrow out, or "
            "name the variable at two points in time."
        )
    return tuple(order)


def _cycle(parents: Sequence[int], rest: int, names: Sequence[str]) -> list[str]:
    """Walk backwards among vertices that all have a parent left, until one returns."""
    walk = [next(bits(rest))]
    while True:
        before = next(bits(parents[walk[-1]] & rest))
        if before in walk:
            loop = [*walk[walk.index(before) :], before]
            return [names[place] for place in reversed(loop)]
        walk.append(before)
