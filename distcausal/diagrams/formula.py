"""The estimand of a query: a formula one can read, and evaluate on distributions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distcausal.diagrams.available import read_available, tables_for
from distcausal.diagrams.estimand import (
    Even,
    Expression,
    Held,
    Prob,
    Product,
    Ratio,
    Sum,
    leaves,
    parts,
)
from distcausal.diagrams.evaluate import Tables, evaluate, table_axes
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.query import Query
from distcausal.diagrams.render import to_latex, to_text
from distcausal.diagrams.solve import solve
from distcausal.errors import (
    ConditioningError,
    PositivityError,
    QueryError,
    check_choice,
    listing,
)

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
        chosen = _chosen(found, at, self.query)
        never = self._never(available, found)
        if never is not None:
            found = LabelledArray(np.where(never.values, np.nan, found.values), states)
            if support == "raise" and never.sel(chosen).values.any():
                raise ConditioningError(_impossible(self.query, never, chosen))
        found = found.sel(chosen)
        if support == "raise" and np.isnan(found.values).any():
            raise PositivityError(self.explain_gap(tables))
        return found

    def _never(self, available: Any, found: LabelledArray) -> LabelledArray | None:
        """Where what is given never occurs, as far as that is known; None if nowhere.

        A condition may have become an intervention on the way to the formula, which
        then has a value even where nobody meets the condition.
        """
        if not self.query.given:
            return None
        asked = replace(self.query, outcome=self.query.given, given=())
        formula = solve(self.graph, asked, "average").formula
        if formula is None:
            return None
        part = evaluate(formula, tables_for(formula, available))
        if part.undefined is not None or (part.values > 0).all():
            return None
        zero = along(part.values <= 0, part.names, found.names, found.axes)
        return LabelledArray(zero, found.axes)

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
        events = events or self._zero_ratios(tables)
        text = listing(events, 3) if events else listing(self.positivity, 3)
        rule = "never occur" if events else "should hold, and some do not"
        spare = [name for part in _walk(self.expression) for name in _spare(part)]
        hold = (
            f", hold {listing(dict.fromkeys(spare))} at a state where it is defined "
            "(free=)"
            if spare
            else ""
        )
        return (
            f"{self.query} cannot be computed: it divides by the probability of events "
            f"that {rule}: {text}. Merge states{hold}, leave out the states of "
            f"{listing(self.query.do) or 'the condition'} concerned (at=), or ask for "
            "NaN there (support='nan')."
        )

    def _zero_ratios(self, tables: Tables) -> list[str]:
        """Sums that the formula divides by, where they are zero."""
        events = []
        for part in _walk(self.expression):
            if not isinstance(part, Ratio):
                continue
            below = evaluate(part.bottom, tables)
            written = to_text(part.bottom, self.graph.nodes, self.query.axes)
            for place in np.argwhere(below.values == 0)[:3]:
                at = zip(below.names, place, strict=True)
                where = ", ".join(f"{n}={tables.states[n][i]!r}" for n, i in at)
                events.append(f"{written} = 0 at {where}")
        return events

    def __repr__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _spare(part: Expression) -> frozenset[str]:
    """Variables that a formula averages or holds though it does not depend on them."""
    if not (isinstance(part, Sum) and isinstance(part.term, Product)):
        return frozenset()
    weights = [
        term.of if isinstance(term, Prob | Even) else frozenset((term.name,))
        for term in part.term.terms
        if isinstance(term, Held | Even) or (isinstance(term, Prob) and not term.given)
    ]
    ratio = any(isinstance(term, Ratio) for term in part.term.terms)
    return part.over & frozenset().union(*weights) if ratio else frozenset()


def _impossible(
    query: Query, everywhere: LabelledArray, chosen: Mapping[str, Hashable]
) -> str:
    """Say which condition never occurs."""
    never = everywhere.sel(chosen)
    at = np.unravel_index(int(np.argmax(never.values > 0)), never.shape)
    states = dict(chosen)
    states |= {n: s[i] for (n, s), i in zip(never.axes.items(), at, strict=True)}

    def event(names: tuple[str, ...]) -> str:
        return ", ".join(f"{n}={states[n]!r}" for n in names if n in states)

    given = event(query.given) or listing(query.given)
    under = f" after do({event(query.do)})" if event(query.do) else ""
    return (
        f"the event {given} has probability zero{under}, so nothing can be said given "
        "it. Leave its state out (at=), or ask for NaN there (support='nan')."
    )


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
