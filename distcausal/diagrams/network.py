"""From graphs to diagrams and back.

The diagram of a graph has one box per variable, reading the wires of its parents; the
graph of a diagram has one vertex per wire and an arrow from each wire a box reads to
each wire it makes. The two undo each other, so nothing of a graph is lost when causal
reasoning moves to its diagram.

A two-headed arrow becomes a box without inputs, the unobserved cause, whose wire both
ends read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.hypergraph import ordered_pieces
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import QueryError, SyntaxError_, listing

if TYPE_CHECKING:
    from networkx import DiGraph

__all__ = ["Graph", "network_diagram", "wire_graph"]


class Graph(Protocol):
    """What is asked of a graph: `distcausal.CausalGraph` answers it."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """All variables."""

    @property
    def latent(self) -> tuple[str, ...]:
        """Those among them that are not observed."""

    def parents(self, variable: str) -> tuple[str, ...]:
        """Direct causes in a fixed order."""

    def topological_order(self) -> tuple[str, ...]:
        """Variables with causes first."""

    def with_latents(self) -> Graph:
        """Graph in which unobserved common causes are variables."""


def network_diagram(
    graph: Graph,
    outputs: Iterable[str] | None = None,
    inputs: Iterable[str] = (),
    *,
    spaces: Mapping[str, Space] | None = None,
) -> Diagram:
    """Draw a causal graph as a string diagram, one box per variable.

    The box of a variable has its name, reads the wires of its parents in the order of
    ``graph.parents``, and makes one wire. Wires are copied where several boxes read
    them.

    Parameters
    ----------
    graph
        A `CausalGraph`, or whatever answers to the same names.
    outputs
        Variables whose wires leave, in order; all observed ones if None.
    inputs
        Variables whose wires enter from outside in place of their own box.
    spaces
        Spaces with known states; a variable that is missing has unknown ones.

    Raises
    ------
    QueryError
        If a variable is unknown, or an input is named twice.

    References
    ----------
    Lorenz and Tull (2023), "Causal models in string diagrams".

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    >>> print(graph.diagram().to_text())
    I -> S @ T @ C
      U(S,C): I -> U(S,C)
      S: U(S,C) -> S
      T: S -> T
      C: T @ U(S,C) -> C
    """
    full = graph.with_latents()
    observed = [name for name in full.nodes if name not in full.latent]
    leaving = observed if outputs is None else list(outputs)
    entering = list(inputs)
    _check_variables(full, leaving, entering)
    place = {name: at for at, name in enumerate(full.nodes)}
    known = spaces or {}
    wires = tuple(known.get(name, Space(name)) for name in full.nodes)
    nodes = []
    for name in full.topological_order():
        if name in entering:
            continue
        reads = tuple(place[parent] for parent in full.parents(name))
        dom = Ty(tuple(wires[wire] for wire in reads))
        box = Box(name, dom, Ty((wires[place[name]],)))
        nodes.append(Node(box, reads, (place[name],)))
    return Diagram(
        wires,
        tuple(nodes),
        tuple(place[name] for name in entering),
        tuple(place[name] for name in leaving),
        frozenset(full.latent),
    )


def _check_variables(graph: Graph, outputs: list[str], inputs: list[str]) -> None:
    if strange := [name for name in (*outputs, *inputs) if name not in graph.nodes]:
        raise QueryError(
            f"there is no variable {listing(map(repr, strange))} in the graph; its "
            f"variables are {listing(graph.nodes, 12)}."
        )
    if twice := [name for name, count in Counter(inputs).items() if count > 1]:
        raise QueryError(
            f"the inputs name {listing(map(repr, twice))} more than once; a wire "
            "enters once, and may be read and leave as often as wanted."
        )


def wire_graph(diagram: Diagram) -> DiGraph:
    """Graph of the wires of a diagram, the inverse of `network_diagram`.

    Each wire is a vertex with the attributes ``latent`` and ``input``; an arrow goes
    from each wire that a box, or a tooth of a comb, reads to each wire it makes. Arrows
    into a vertex are listed in the order in which its box reads. Effects, which make no
    wire, leave no trace.

    Raises
    ------
    SyntaxError_
        If two wires have the same name, so that vertices could not be told apart.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S->T->C; S->C")
    >>> sorted(graph.diagram().to_networkx().edges)
    [('S', 'C'), ('S', 'T'), ('T', 'C')]
    """
    import networkx as nx

    names = [space.name for space in diagram.wires]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise SyntaxError_(
            f"several wires are called {listing(map(repr, twice))}, so they cannot be "
            "vertices of one graph; rename their spaces first."
        )
    graph = nx.DiGraph()
    for wire, name in enumerate(names):
        graph.add_node(
            name, latent=name in diagram.latent, input=wire in diagram.inputs
        )
    for piece in ordered_pieces(diagram.nodes):
        for read in piece.ins:
            graph.add_edges_from((names[read], names[made]) for made in piece.outs)
    return graph
