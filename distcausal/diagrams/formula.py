"""The estimand of a query: a formula one can read, and evaluate on distributions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.diagrams.available import read_available, tables_for
from distcausal.diagrams.estimand import (
    Expression,
    Prob,
    Ratio,
    leaves,
    parts,
)
from distcausal.diagrams.evaluate import Tables, evaluate, table_axes
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.query import Query
from distcausal.diagrams.render import to_latex, to_text
from distcausal.errors import PositivityError, QueryError, check_choice, listing

__all__ = ["Estimand", "along"]

_SUPPORT = ("raise", "nan")


@dataclass(frozen=True, eq=False, repr=False)
class Estimand:
    """A formula for the law of the outcomes under an intervention.

    Attributes
    ----------
    expression
        The formula as a tree; `distcausal.diagrams.estimand` has its parts.
    query
        The question it answers.
    graph
        The graph it was derived from, without latent variables of its own.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    >>> dc.identify(graph, "C", do="S").estimand
    sum_{t} P(t | s) sum_{s'} P(s') P(c | s', t)
    """

    expression: Expression
    query: Query
    graph: CausalGraph

    def text(self) -> str:
        """Write the formula as plain text."""
        return to_text(self.expression, self.graph.nodes, self.query.axes)

    def latex(self) -> str:
        """Write the formula in LaTeX, for mathematical mode."""
        return to_latex(self.expression, self.graph.nodes, self.query.axes)

    @property
    def positivity(self) -> tuple[str, ...]:
        """What must be positive for the formula to mean anything, as text."""
        nodes, axes = self.graph.nodes, self.query.axes
        found = [
            to_text(Prob(leaf.given, frozenset(), leaf.do), nodes, axes) + " > 0"
            for leaf in leaves(self.expression)
            if leaf.given
        ]
        found += [
            to_text(part.bottom, nodes, axes) + " > 0"
            for part in _walk(self.expression)
            if isinstance(part, Ratio)
        ]
        return tuple(dict.fromkeys(found))

    def evaluate(
        self,
        distributions: Any,
        *,
        at: Mapping[str, Hashable] | None = None,
        support: str = "raise",
    ) -> LabelledArray:
        """Value of the formula; see `Identification.evaluate`."""
        check_choice("support", support, _SUPPORT)
        available = read_available(distributions, self.query.sources, self.graph)
        tables = tables_for(self.expression, available)
        part = evaluate(self.expression, tables)
        extra = tuple(name for name in part.names if name not in self.query.axes)
        axes = (*self.query.axes, *extra)
        states = self._states(axes, tables, available)
        values = along(part.values, part.names, axes, states)
        off = None
        if part.undefined is not None:
            off = along(part.undefined, part.names, axes, states)
        found = LabelledArray(
            np.where(off, np.nan, values) if off is not None else values, states
        )
        found = found.sel(_chosen(found, at, self.query))
        if support == "raise" and np.isnan(found.values).any():
            raise PositivityError(self.explain_gap(tables))
        return found

    def _states(
        self, axes: tuple[str, ...], tables: Tables, available: Any
    ) -> dict[str, tuple[Hashable, ...]]:
        """States of the axes, those the formula does not mention from elsewhere."""
        states = dict(tables.states)
        if isinstance(available, Mapping):
            for table in available.values():
                states = {**table.axes, **states}
        else:
            states = {**available.states, **states}
        return {name: states.get(name, (None,)) for name in axes}

    def explain_gap(self, tables: Tables) -> str:
        """Name the events without which the formula has no value, for a message."""
        events = []
        for part in _walk(self.expression):
            if isinstance(part, Prob) and part.given:
                events += _zero_events(self.expression, part, tables)
        text = listing(events, 3) if events else listing(self.positivity, 3)
        rule = "never occur" if events else "should hold, and some do not"
        return (
            f"{self.query} cannot be computed: it divides by the probability of events "
            f"that {rule}: {text}. Merge states, leave out the states of "
            f"{listing(self.query.do) or 'the condition'} concerned (at=), or ask for "
            "NaN there (support='nan')."
        )

    def __repr__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _walk(formula: Expression) -> Iterator[Expression]:
    """Every part of a formula, shared ones once."""
    seen: set[int] = set()
    waiting = [formula]
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += parts(part)


def _zero_events(formula: Expression, leaf: Prob, tables: Tables) -> list[str]:
    """Conditions of a probability that never occur though the formula needs them."""
    names = table_axes(leaf.table)
    array = tables.arrays[leaf.table]
    gone = tuple(at for at, name in enumerate(names) if name in leaf.of)
    below = array.sum(axis=gone)
    kept = [name for name in names if name not in leaf.of]
    events = []
    for place in np.argwhere(below == 0)[:64]:
        index = dict(zip(kept, place, strict=True))
        filled = array.copy()
        zero = np.ones(below.shape, bool)
        zero[tuple(place)] = False
        # every other gap is filled, so what is still undefined is due to this one
        patch = np.expand_dims(np.where(zero & (below == 0), 1.0, 0.0), gone)
        arrays = {**tables.arrays, leaf.table: filled + patch}
        part = evaluate(formula, Tables(arrays, tables.states))
        if part.undefined is not None and part.undefined.any():
            shown = {n: tables.states[n][at] for n, at in index.items()}
            event = ", ".join(f"{n}={s!r}" for n, s in shown.items())
            events.append(f"P({event}) = 0")
    return events


def along(
    array: np.ndarray,
    names: tuple[str, ...],
    axes: tuple[str, ...],
    states: Mapping[str, tuple[Hashable, ...]],
) -> np.ndarray:
    """Array with its axes in an order, repeated along those it lacks."""
    order = [names.index(name) for name in axes if name in names]
    array = array.transpose(order)
    index = tuple(slice(None) if name in names else None for name in axes)
    return np.broadcast_to(array[index], [len(states[name]) for name in axes])


def _chosen(
    found: LabelledArray, at: Mapping[str, Hashable] | None, query: Query
) -> dict[str, Hashable]:
    """States that the answer is wanted at."""
    chosen = dict(at or {})
    for name in chosen:
        if name in query.outcome or name not in found.axes:
            raise QueryError(
                f"at names {name!r}; it fixes what is set or given: "
                f"{listing((*query.do, *query.given)) or 'nothing here'}."
            )
    return chosen
