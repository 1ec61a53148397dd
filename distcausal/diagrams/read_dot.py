"""Graphs in DOT, the text format of Graphviz.

Many programs can write DOT, and none agrees with another on how it shows an unobserved
cause: as a node, as a dashed edge with two heads, or with none. What decides here is
what the drawing would show. Colours, labels, ranks and ports are passed over.
"""

from __future__ import annotations

from distcausal.diagrams.grammar import Collector, GraphParts, Parser, Statement
from distcausal.diagrams.read_edges import says_yes
from distcausal.diagrams.scan import Scanner, words
from distcausal.errors import GraphError

__all__ = ["read_dot"]

FREE = words(r"\s+")
EXAMPLE = "'digraph { S -> T -> C; S -> C [dir=both, style=dashed] }'"
DIRECTIONS = ("forward", "back", "both", "none")


def read_dot(text: str) -> GraphParts:
    """Read a directed graph in DOT.

    Parameters
    ----------
    text
        ``digraph { ... }`` with subgraphs, groups in braces, attributes and defaults
        such as ``edge [dir=both]``. An edge has two heads if it is drawn so
        (``dir=both``), or dashed and with no heads (``dir=none``, or ``arrowhead=none``
        with or without ``arrowtail=none``). ``dir=back`` turns an edge round. A node is
        not observed if it has ``latent=true`` or ``observed=no``.

    Returns
    -------
    GraphParts
        Names and edges in the order of mention.

    Raises
    ------
    GraphError
        If the text does not follow the grammar (its line is shown), the graph is
        undirected, or an edge is drawn without heads and not dashed.

    Examples
    --------
    >>> from distcausal.diagrams.read_dot import read_dot
    >>> read_dot('digraph { a -> b; a -> c [dir=both] }').bidirected
    (('a', 'c'),)
    """
    scan = Scanner(text, FREE, "DOT text", EXAMPLE)
    _header(scan)
    parser = Parser(scan, kinds=("node", "edge", "graph"))
    parser.block()
    found, seen = Collector(parser.names), set[str]()
    for statement in parser.statements:
        if _hidden(statement.defaults.get("node", {})):
            found.hide(statement.names - seen)
        seen |= statement.names
        _add(found, scan, statement)
    return found.parts()


def _header(scan: Scanner) -> None:
    """Read ``strict digraph name``."""
    if scan.token.lower() == "strict":
        scan.take()
    if scan.token.lower() == "graph":
        raise GraphError(
            "a causal graph has directions, but this DOT text is an undirected 'graph'."
            " Write 'digraph' and '->'."
        )
    if scan.token.lower() != "digraph":
        raise scan.fail("'digraph' at the start")
    scan.take()
    if scan.token != "{":
        scan.name("'{' after 'digraph'")


def _add(found: Collector, scan: Scanner, statement: Statement) -> None:
    """Add the names and edges of one statement."""
    if not statement.arrows:
        if _hidden(statement.attributes):
            found.hide(statement.groups[0])
        return
    marks = {**statement.defaults.get("edge", {}), **statement.attributes}
    drawn = _drawn(scan, statement, marks)
    for left, arrow, right in statement.steps:
        if arrow != "->":
            raise scan.refuse(f"DOT has no arrow {arrow!r}, only '->'", statement.at)
        found.join(left, drawn, right)


def _hidden(marks: dict[str, str | None]) -> bool:
    """Whether the attributes of a node say that it is not observed."""
    latent = "latent" in marks and says_yes(marks["latent"] or "true")
    return latent or not says_yes(marks.get("observed") or "true")


def _drawn(scan: Scanner, statement: Statement, marks: dict[str, str | None]) -> str:
    """Arrow that an edge with these attributes is drawn as."""
    direction = (marks.get("dir") or "forward").lower()
    if direction not in DIRECTIONS:
        raise scan.refuse(
            f"dir={direction!r} is not one of {', '.join(DIRECTIONS)}", statement.at
        )
    right = direction in ("forward", "both") and marks.get("arrowhead") != "none"
    left = direction in ("back", "both") and marks.get("arrowtail") != "none"
    if left or right:
        return "<" * left + "-" + ">" * right
    if "dashed" in (marks.get("style") or ""):
        return "<->"
    raise scan.refuse(
        "an edge without heads says nothing about causes unless it is dashed, for an "
        "unobserved common cause",
        statement.at,
    )
