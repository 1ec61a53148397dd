"""Leave the unobserved variables of a graph out without losing what they imply.

Over the observed variables, a graph with unobserved ones has the same consequences as a
smaller graph: an arrow wherever a directed path ran through unobserved variables only,
a shared unobserved cause wherever two such paths started from one.
"""

from __future__ import annotations

from itertools import combinations

from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.masks import bits

__all__ = ["project"]


def project(graph: CausalGraph) -> CausalGraph:
    """Latent projection of a graph onto its observed variables."""
    masks = graph.masks
    hidden = graph.mask(graph.latent)
    onward = {
        place: _first_observed(graph, place, hidden)
        for place in range(len(masks.parents))
    }
    directed = list(dict.fromkeys(_arrows(graph, onward, hidden)))
    shared = dict.fromkeys(
        (one, other)
        for source in bits(hidden)
        for one, other in combinations(bits(onward[source]), 2)
    )
    # the two ends of a shared cause reach the observed variables along separate paths
    for one, other in graph.bidirected:
        for a in bits(_entries(graph, one, onward, hidden)):
            for b in bits(_entries(graph, other, onward, hidden)):
                if a != b:
                    shared[(min(a, b), max(a, b))] = None
    names = graph.nodes
    return CausalGraph(
        tuple(directed), tuple((names[a], names[b]) for a, b in shared), graph.observed
    )


def _first_observed(graph: CausalGraph, place: int, hidden: int) -> int:
    """Observed variables at the end of paths whose inner vertices are unobserved."""
    masks = graph.masks
    found, seen, new = 0, 0, masks.children[place]
    while new:
        found |= new & ~hidden
        seen |= new
        step = 0
        for inner in bits(new & hidden):
            step |= masks.children[inner]
        new = step & ~seen
    return found


def _arrows(
    graph: CausalGraph, onward: dict[int, int], hidden: int
) -> list[tuple[str, str]]:
    """Arrows of the projection, parents kept in the order of the graph's arrows."""
    arrows = []
    for cause, effect in graph.directed:
        start, end = graph.place[cause], graph.place[effect]
        if hidden >> start & 1:
            continue
        ends = onward[end] if hidden >> end & 1 else 1 << end
        arrows += [(cause, graph.nodes[place]) for place in bits(ends)]
    return arrows


def _entries(graph: CausalGraph, name: str, onward: dict[int, int], hidden: int) -> int:
    """Observed variables that a shared cause of ``name`` reaches through it."""
    place = graph.place[name]
    return onward[place] if hidden >> place & 1 else 1 << place
