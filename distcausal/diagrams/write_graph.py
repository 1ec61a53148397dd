"""Graphs written as edge text, dagitty, DOT and BIF.

A graph found here should be usable elsewhere, in a paper or another program. What is
written reads back to the same names and edges in the same order, whatever signs the
names hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Protocol

import numpy as np

from distcausal.diagrams.scan import quote
from distcausal.errors import GraphError, listing

__all__ = ["write_bif", "write_dagitty", "write_dot", "write_edges"]

DAGITTY_WORDS = frozenset({"dag", "graph", "digraph", "pdag", "mag", "pag"})
DOT_WORDS = frozenset({"node", "edge", "graph", "digraph", "subgraph", "strict"})


class GraphLike(Protocol):
    """Anything with the parts of a graph, such as a `CausalGraph`."""

    @property
    def nodes(self) -> tuple[str, ...]: ...
    @property
    def directed(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def bidirected(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def latent(self) -> tuple[str, ...]: ...


def write_edges(graph: GraphLike) -> str:
    """Write a graph as edge text, for `read_edges`.

    Names come first where the edges alone would not give them in the same order, or
    would leave one out.

    Examples
    --------
    >>> from distcausal.diagrams.read_edges import read_edges
    >>> from distcausal.diagrams.write_graph import write_edges
    >>> write_edges(read_edges("S->T->C", bidirected="S<->C"))
    'S -> T; T -> C; S <-> C'
    """
    ends = [end for pair in (*graph.directed, *graph.bidirected) for end in pair]
    names = [] if list(dict.fromkeys(ends)) == list(graph.nodes) else graph.nodes
    lines = [quote(name) for name in names]
    marks = [f"{quote(name)} [latent]" for name in graph.latent]
    return "; ".join(lines + _edges(graph, frozenset()) + marks)


def write_dagitty(
    graph: GraphLike, exposure: tuple[str, ...] = (), outcome: tuple[str, ...] = ()
) -> str:
    """Write a graph as dagitty text, with the roles of variables if they are given.

    Examples
    --------
    >>> from distcausal.diagrams.read_edges import read_edges
    >>> from distcausal.diagrams.write_graph import write_dagitty
    >>> print(write_dagitty(read_edges("X->Y"), exposure=("X",)))
    dag {
      X [exposure]
      Y
      X -> Y
    }
    """
    roles = {"latent": graph.latent, "exposure": exposure, "outcome": outcome}
    lines = []
    for name in graph.nodes:
        marks = ",".join(role for role, names in roles.items() if name in names)
        lines.append(quote(name, DAGITTY_WORDS) + f" [{marks}]" * bool(marks))
    return _block("dag", lines + _edges(graph, DAGITTY_WORDS))


def write_dot(graph: GraphLike) -> str:
    """Write a graph as DOT: unobserved variables and common causes are dashed.

    Examples
    --------
    >>> from distcausal.diagrams.read_edges import read_edges
    >>> from distcausal.diagrams.write_graph import write_dot
    >>> print(write_dot(read_edges("X -> Y; X <-> Y")))
    digraph {
      X;
      Y;
      X -> Y;
      X -> Y [dir=both, style=dashed];
    }
    """
    hidden = " [latent=true, style=dashed]"
    lines = [
        quote(name, DOT_WORDS) + hidden * (name in graph.latent) + ";"
        for name in graph.nodes
    ]
    for one, other in graph.directed:
        lines.append(f"{quote(one, DOT_WORDS)} -> {quote(other, DOT_WORDS)};")
    for one, other in graph.bidirected:
        pair = f"{quote(one, DOT_WORDS)} -> {quote(other, DOT_WORDS)}"
        lines.append(f"{pair} [dir=both, style=dashed];")
    return _block("digraph", lines)


def write_bif(
    graph: GraphLike,
    states: Mapping[str, tuple[Hashable, ...]],
    tables: Mapping[str, np.ndarray],
) -> str:
    """Write a Bayesian network as BIF, numbers to the last digit.

    Parameters
    ----------
    graph
        A graph without two-headed edges.
    states
        States of each variable; they are written as text.
    tables
        For each variable its probabilities, axes the parents in the order of the arrows
        and then the variable.

    Raises
    ------
    GraphError
        If the graph has two-headed edges, for which BIF has no form, or a table does
        not have the shape that graph and states call for.

    Examples
    --------
    >>> from distcausal.diagrams.read_edges import read_edges
    >>> from distcausal.diagrams.write_graph import write_bif
    >>> print(write_bif(read_edges("A"), {"A": ("no", "yes")}, {"A": [0.25, 0.75]}))
    network unknown {
    }
    variable A {
      type discrete [ 2 ] { no, yes };
    }
    probability ( A ) {
      table 0.25, 0.75;
    }
    """
    if graph.bidirected:
        pairs = [f"{one} <-> {other}" for one, other in graph.bidirected]
        raise GraphError(
            f"BIF has no form for an unobserved common cause, but the graph has "
            f"{listing(pairs)}. Write graph.with_latents() instead."
        )
    lines = ["network unknown {", "}"]
    for name in graph.nodes:
        kept = ", ".join(quote(str(state)) for state in states[name])
        lines.append(f"variable {quote(name)} {{")
        lines.append(f"  type discrete [ {len(states[name])} ] {{ {kept} }};")
        lines += ["  property latent = yes;"] * (name in graph.latent) + ["}"]
    for name in graph.nodes:
        causes = [cause for cause, effect in graph.directed if effect == name]
        lines += _probability(name, causes, states, np.asarray(tables[name]))
    return "\n".join(lines) + "\n"


def _probability(
    name: str,
    causes: list[str],
    states: Mapping[str, tuple[Hashable, ...]],
    table: np.ndarray,
) -> list[str]:
    """Lines of the block with the probabilities of one variable."""
    shape = tuple(len(states[axis]) for axis in (*causes, name))
    if table.shape != shape:
        raise GraphError(
            f"the table of {name!r} should have a place for each state of "
            f"{listing([*causes, name], 12)}, shape {shape}; it has {table.shape}."
        )
    given = " | " + ", ".join(map(quote, causes)) if causes else ""
    lines = [f"probability ( {quote(name)}{given} ) {{"]
    for place in np.ndindex(shape[:-1]):
        row = ", ".join(repr(float(number)) for number in table[place])
        labels = [
            quote(str(states[cause][at]))
            for cause, at in zip(causes, place, strict=True)
        ]
        start = f"({', '.join(labels)})" if causes else "table"
        lines.append(f"  {start} {row};")
    return [*lines, "}"]


def _edges(graph: GraphLike, reserved: frozenset[str]) -> list[str]:
    arrows = [(pair, "->") for pair in graph.directed]
    arrows += [(pair, "<->") for pair in graph.bidirected]
    return [
        f"{quote(one, reserved)} {arrow} {quote(other, reserved)}"
        for (one, other), arrow in arrows
    ]


def _block(kind: str, lines: list[str]) -> str:
    return "\n".join([f"{kind} {{", *(f"  {line}" for line in lines), "}"])
