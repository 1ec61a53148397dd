"""Graphs from edges in short text, from pairs, and from networkx.

``S -> T -> C; S <-> C`` is how a graph is written on a board, so it is how one is
typed; programs hold pairs or a networkx graph instead. Whatever the form, nothing is
judged here: duplicates, loops and cycles pass, for the causal graph to speak about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distcausal.diagrams.grammar import Collector, GraphParts, Parser, check_names
from distcausal.diagrams.scan import Scanner, words
from distcausal.errors import GraphError, listing

__all__ = ["GraphParts", "attributed_parts", "read_edges", "read_networkx", "says_yes"]

Labels = tuple[Any, ...]
Step = tuple[Labels, str, Labels]
LINES = words(r"[^\S\n]+")
EXAMPLE = "'S -> T -> C; S <-> C; {A B} -> C'"
TWO_HEADS = {"<->", "bidirected"}
ONE_HEAD = {"->", "directed"}
YES, NO = {"true", "yes", "1"}, {"false", "no", "0"}


def read_edges(
    edges: str | Iterable[Any],
    bidirected: str | Iterable[Any] | None = None,
    nodes: str | Iterable[Any] = (),
) -> GraphParts:
    """Read edges in text or pairs.

    Parameters
    ----------
    edges
        Text with the arrows ``->``, ``<-`` and ``<->`` in chains, separated by
        semicolons, commas or new lines; ``{A B}`` is several ends at once, a name alone
        is a variable without edge, ``U [latent]`` marks one not observed. Names with
        spaces or signs stand in quotes; ``#`` and ``//`` begin a comment. Or pairs
        ``(cause, effect)``, or texts in a list.
    bidirected
        More edges, all with two heads: text with ``<->``, or pairs.
    nodes
        Variables to mention first, in a list, or in text with blanks or commas between.

    Returns
    -------
    GraphParts
        Names and edges in the order of mention.

    Raises
    ------
    GraphError
        If text does not follow the grammar (its line is shown), something is not a
        pair, or two labels are written alike.

    Examples
    --------
    >>> from distcausal.diagrams.read_edges import read_edges
    >>> read_edges("S->T->C", bidirected="S<->C").bidirected
    (('S', 'C'),)
    """
    first = _names_in_text(nodes) if isinstance(nodes, str) else _single(nodes)
    found = Collector()
    steps = [
        *_steps(found, edges, "edges"),
        *_steps(found, () if bidirected is None else bidirected, "bidirected"),
    ]
    ends = [end for one, _, other in steps for end in (*one, *other)]
    known = check_names([*first, *ends])
    found.mention(known.values())
    for one, arrow, other in steps:
        found.join(_of(known, one), arrow, _of(known, other))
    return found.parts()


def _of(known: dict[object, str], labels: Labels) -> tuple[str, ...]:
    return tuple(known[label] for label in labels)


def _single(nodes: Iterable[Any]) -> list[Any]:
    """See that names of nodes are labels, not lists of them."""
    labels = list(nodes)
    wrong = [label for label in labels if isinstance(label, list | tuple | set | dict)]
    if wrong:
        raise GraphError(
            f"nodes should list single names; got {listing(map(repr, wrong))}. Edges "
            "belong into the first argument."
        )
    return labels


def _steps(found: Collector, edges: str | Iterable[Any], argument: str) -> list[Step]:
    """Edges from what was given; a label alone is a step to nowhere."""
    two_heads = argument == "bidirected"
    if isinstance(edges, str):
        return _steps_in_text(found, edges, two_heads=two_heads)
    steps: list[Step] = []
    for item in _items(edges, argument):
        if isinstance(item, str):
            steps += _steps_in_text(found, item, two_heads=two_heads)
        elif isinstance(item, tuple | list) and len(item) == 2:
            steps.append(((item[0],), "<->" if two_heads else "->", (item[1],)))
        else:
            raise GraphError(
                f"{argument} holds {item!r}; each edge should be a pair of names such "
                "as ('S', 'T')."
            )
    return steps


def _items(edges: Iterable[Any], argument: str) -> list[Any]:
    """See that edges are listed, and that no item is a name alone."""
    listed = isinstance(edges, Iterable) and not isinstance(edges, Mapping)
    if not listed or hasattr(edges, "nodes"):
        raise GraphError(
            f"{argument} should be text such as {EXAMPLE}, or pairs; got "
            f"{type(edges).__name__}. A graph of networkx is read by from_networkx."
        )
    items = list(edges)
    alone = [item for item in items if isinstance(item, str) and not _joins(item)]
    if alone:
        raise GraphError(
            f"{argument} lists {listing(map(repr, alone))} without an arrow; an edge "
            "is a pair of names such as ('S', 'T'), and names alone belong into nodes."
        )
    return items


def _joins(text: str) -> bool:
    """Whether a text has anything but names."""
    return any(sign in text for sign in "-←→↔⟵⟶⟷[")


def _steps_in_text(found: Collector, text: str, *, two_heads: bool) -> list[Step]:
    """Edges of a text; marks of names go where they belong."""
    scan = Scanner(text, LINES, "edge text", EXAMPLE)
    parser = Parser(scan, separated=True)
    parser.body("", {})
    steps: list[Step] = [((name,), "->", ()) for name in parser.names]
    for statement in parser.statements:
        steps += statement.steps
        if two_heads and {*statement.arrows} - {"<->"}:
            raise scan.refuse("edges given as bidirected have two heads", statement.at)
        for mark, value in statement.attributes.items():
            if mark.lower() != "latent" or value is not None or statement.arrows:
                raise scan.refuse(
                    f"{mark!r} cannot stand here, only [latent] after a name",
                    statement.at,
                )
            found.hide(statement.groups[0])
    return steps


def _names_in_text(text: str) -> list[str]:
    """Names with blanks, commas, semicolons or new lines between."""
    scan = Scanner(text, LINES, "list of nodes", "'S, T, C'")
    names = []
    while scan.token:
        if not scan.accept(",", ";", "\n"):
            names.append(scan.name("a name"))
    return names


def read_networkx(graph: Any) -> GraphParts:
    """Read a directed graph of networkx, or of a package built on it.

    Parameters
    ----------
    graph
        A ``DiGraph`` or ``MultiDiGraph``, where an edge has two heads if its attribute
        ``bidirected`` is true or its attribute ``type`` is ``"<->"`` or
        ``"bidirected"``; in both directions it still counts once. A node is not
        observed if its attribute ``latent`` is true, ``observed`` is false, or it is
        among ``graph.latents``, as in pgmpy. Or an object with the graphs
        ``.directed`` and ``.undirected``, as in y0, or a pair of such graphs: edges of
        the second have two heads.

    Returns
    -------
    GraphParts
        Names are the labels as text. Causes of a variable keep the order in which their
        edges were added.

    Raises
    ------
    GraphError
        If the graph is undirected, holds edges of another type, or two labels are
        written alike.

    Examples
    --------
    >>> import networkx as nx
    >>> from distcausal.diagrams.read_edges import read_networkx
    >>> graph = nx.DiGraph([("S", "T"), ("T", "C")])
    >>> graph.add_edge("S", "C", bidirected=True)
    >>> read_networkx(graph).bidirected
    (('S', 'C'),)
    """
    directed, arcs = _two_graphs(graph)
    if not hasattr(directed, "in_edges"):
        raise GraphError(
            f"a causal graph has directions, but {type(directed).__name__} has none. "
            "Give a networkx.DiGraph; edges with two heads have the attribute "
            "bidirected=True, or come in a second, undirected graph."
        )
    extra = [] if arcs is None else list(arcs.nodes)
    return attributed_parts(directed, arcs, check_names([*directed.nodes, *extra]))


def attributed_parts(
    directed: Any, arcs: Any, known: Mapping[object, str]
) -> GraphParts:
    """Parts of a networkx graph whose attributes say what is latent or two-headed.

    ``arcs`` is a graph of further two-headed edges or None, ``known`` has the name of
    each node. Edges are gathered by effect, where networkx keeps the order in which
    they were added.
    """
    found = Collector()
    found.mention(known.values())
    both: list[tuple[str, str]] = []
    for node in directed.nodes:
        for cause, effect, marks in directed.in_edges(node, data=True):
            pair = known[cause], known[effect]
            if _is_bidirected(*pair, marks):
                both.append(pair)
            else:
                found.directed.append(pair)
    found.bidirected += _once(both)
    if arcs is not None:
        found.bidirected += [(known[one], known[other]) for one, other in arcs.edges()]
    marked = {node for node, marks in directed.nodes(data=True) if _is_latent(marks)}
    marked |= set(getattr(directed, "latents", None) or ())
    found.hide(name for node, name in known.items() if node in marked)
    return found.parts()


def _two_graphs(graph: Any) -> tuple[Any, Any]:
    """Split what was given into the directed graph and the one of two-headed edges."""
    if isinstance(graph, tuple) and len(graph) == 2:
        return graph
    if hasattr(graph, "directed") and hasattr(graph, "undirected"):
        return graph.directed, graph.undirected
    return graph, None


def _is_bidirected(one: str, other: str, marks: dict[str, Any]) -> bool:
    """Read the attributes of an edge."""
    kind = marks.get("type")
    if kind is not None and kind not in TWO_HEADS | ONE_HEAD:
        raise GraphError(
            f"the edge from {one!r} to {other!r} has the type {kind!r}; an edge of a "
            "causal graph is 'directed' ('->') or 'bidirected' ('<->'). If the "
            "attribute says something else, rename it."
        )
    return kind in TWO_HEADS or says_yes(marks.get("bidirected", False))


def _is_latent(marks: dict[str, Any]) -> bool:
    """Read the attributes of a node."""
    return says_yes(marks.get("latent", False)) or not says_yes(
        marks.get("observed", True)
    )


def says_yes(value: Any) -> bool:
    """Whether an attribute is true; texts and numbers say so too.

    Raises
    ------
    GraphError
        If the value is neither a yes nor a no.
    """
    told = str(value).strip().lower()
    if told not in YES | NO:
        raise GraphError(
            f"an attribute that says yes or no reads {value!r}; write true or false."
        )
    return told in YES


def _once(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Drop the return of an edge that is stored in both directions."""
    kept: list[tuple[str, str]] = []
    returns: dict[tuple[str, str], int] = {}
    for one, other in pairs:
        if returns.get((one, other), 0) and one != other:
            returns[one, other] -= 1
            continue
        returns[other, one] = returns.get((other, one), 0) + 1
        kept.append((one, other))
    return kept
