"""Graphs in the text format of dagitty.

Applied papers publish their graphs in it: ``dag { X [exposure] Y [outcome] X -> Y }``.
It is DOT with fewer words and two-headed arrows, so the two share a grammar; what is
particular are the marks that give variables a role.
"""

from __future__ import annotations

from dataclasses import dataclass

from distcausal.diagrams.grammar import Collector, GraphParts, Parser, Statement
from distcausal.diagrams.scan import Scanner, words
from distcausal.errors import GraphError

__all__ = ["DagittyGraph", "read_dagitty"]

FREE = words(r"\s+")
EXAMPLE = "'dag { X [exposure] Y [outcome] X -> Y; X <-> Y }'"
ROLES = {
    "exposure": {"exposure", "source", "e"},
    "outcome": {"outcome", "target", "o"},
    "adjusted": {"adjusted", "a"},
    "latent": {"latent", "unobserved", "l", "u"},
}
REFUSED = {
    "pdag": "stands for several graphs at once, with edges whose direction is open",
    "mag": "shows ancestry after unobserved causes were left out, not causes",
    "pag": "stands for several graphs at once, with ends of edges left open",
    "graph": "has edges without direction",
    "digraph": "is DOT; read it with from_dot",
}


@dataclass(frozen=True)
class DagittyGraph(GraphParts):
    """Parts of a graph, with the roles that its text gives to variables.

    Attributes
    ----------
    exposure, outcome, adjusted
        Names with the mark, in the order found.
    """

    exposure: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


def read_dagitty(text: str) -> DagittyGraph:
    """Read the text of a dagitty graph.

    Parameters
    ----------
    text
        ``dag { ... }`` with statements such as ``X [exposure, pos="0,1"]``,
        ``X -> {Y Z}`` and ``X <-> Y``. Positions and other values are passed over.

    Returns
    -------
    DagittyGraph
        Names and edges in the order of mention, and the roles.

    Raises
    ------
    GraphError
        If the text does not follow the grammar (its line is shown), holds another type
        of graph, or marks a variable as selected upon, which changes what data mean.

    Examples
    --------
    >>> from distcausal.diagrams.read_dagitty import read_dagitty
    >>> read_dagitty("dag { X [exposure] U [latent] X <- U -> Y }").latent
    ('U',)
    """
    scan = Scanner(text, FREE, "dagitty text", EXAMPLE)
    _header(scan)
    parser = Parser(scan)
    parser.block()
    found = Collector(parser.names)
    roles: dict[str, dict[str, None]] = {role: {} for role in ROLES}
    for statement in parser.statements:
        for left, arrow, right in statement.steps:
            found.join(left, arrow, right)
        if not statement.arrows:
            for role in _roles(scan, statement):
                roles[role].update(dict.fromkeys(statement.groups[0]))
    found.hide(roles["latent"])
    return DagittyGraph(
        **vars(found.parts()),
        exposure=tuple(roles["exposure"]),
        outcome=tuple(roles["outcome"]),
        adjusted=tuple(roles["adjusted"]),
    )


def _header(scan: Scanner) -> None:
    """Read the type of the graph, and its name if there is one."""
    kind = scan.token.lower()
    if kind in REFUSED:
        raise GraphError(
            f"a causal graph should have the type 'dag', but this dagitty text has "
            f"{kind!r}, which {REFUSED[kind]}. Direct its edges and write 'dag'."
        )
    if kind != "dag":
        raise scan.fail("'dag' at the start")
    scan.take()
    if scan.token != "{":
        scan.name("'{' after 'dag'")


def _roles(scan: Scanner, statement: Statement) -> list[str]:
    """Roles that the marks of a statement give to its names."""
    found = []
    for mark, value in statement.attributes.items():
        if value is not None:
            continue
        if mark.lower() in {"selected", "s"}:
            raise GraphError(
                f"{', '.join(statement.groups[0])} is marked [{mark}]: data selected "
                "upon a variable do not have the distribution that the graph describes "
                "and cannot be read as if they had. Remove the mark, and condition on "
                "the variable in the query."
            )
        role = next((r for r, marks in ROLES.items() if mark.lower() in marks), None)
        if role is None:
            raise scan.refuse(
                f"{mark!r} is not one of the marks {', '.join(ROLES)}", statement.at
            )
        found.append(role)
    return found
