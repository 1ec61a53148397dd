"""Graphs in GML, a text format that many programs export.

networkx has a reader for the format, so what is left is to say what its attributes mean
for a causal graph, which is what they mean in any networkx graph.
"""

from __future__ import annotations

from distcausal.diagrams.grammar import GraphParts
from distcausal.diagrams.read_edges import attributed_parts
from distcausal.errors import GraphError

__all__ = ["read_gml"]

EXAMPLE = (
    '\'graph [ directed 1 node [ id 0 label "S" ] node [ id 1 label "C" ] '
    "edge [ source 0 target 1 ] ]'"
)


def read_gml(text: str) -> GraphParts:
    """Read a directed graph in GML.

    Parameters
    ----------
    text
        ``graph [ directed 1 ... ]`` whose nodes have labels, or else ids. Edges with
        ``bidirected 1`` or ``type "<->"`` have two heads, nodes with ``latent 1`` or
        ``observed "no"`` are not observed.

    Returns
    -------
    GraphParts
        As `read_networkx` finds them.

    Raises
    ------
    GraphError
        If networkx cannot read the text (what it says is shown), or the graph is
        undirected.

    Examples
    --------
    >>> from distcausal.diagrams.read_gml import read_gml
    >>> nodes = 'node [ id 0 label "S" ] node [ id 1 label "C" ]'
    >>> edge = 'edge [ source 0 target 1 ]'
    >>> read_gml(f'graph [ directed 1 {nodes} {edge} ]').directed
    (('S', 'C'),)
    """
    import networkx as nx

    if not isinstance(text, str):
        raise GraphError(
            f"GML should be text, not {type(text).__name__}; it reads like {EXAMPLE}."
        )
    try:
        graph = nx.parse_gml(text, label="id")
    except (nx.NetworkXError, ValueError, KeyError, TypeError) as error:
        raise GraphError(
            f"the GML text cannot be read: {error}. It should read like {EXAMPLE}, "
            "with 'multigraph 1' if two edges join the same nodes."
        ) from None
    if not graph.is_directed():
        raise GraphError(
            "a causal graph has directions, but this GML text is undirected. Write "
            "'directed 1' into it."
        )
    names = [str(marks.get("label", node)) for node, marks in graph.nodes(data=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GraphError(
            f"two nodes of the GML text have the label {twice[0]!r}; labels are names "
            "and should differ. Relabel one."
        )
    return attributed_parts(graph, None, dict(zip(graph, names, strict=True)))
