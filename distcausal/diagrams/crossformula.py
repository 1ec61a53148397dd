"""Formulas of probabilities across worlds: their value, and how they are written.

In such a formula most variables are held at states: treatment at one state where it
acts on the mediator, at another where it acts on the outcome. As a tree each such
factor is a sum with all weight on one state, which evaluates like any other formula.
For reading, the state replaces the variable, and the formula is simplified again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.diagrams.available import Available, tables_for
from distcausal.diagrams.crossidentify import Signed
from distcausal.diagrams.estimand import (
    ONE,
    Even,
    Expression,
    Held,
    Prob,
    Product,
    Ratio,
    Sum,
    leaves,
    parts,
    product_of,
    ratio_of,
    sum_over,
)
from distcausal.diagrams.evaluate import evaluate
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.render import symbols, to_latex, to_text
from distcausal.errors import PositivityError, listing

__all__ = ["Total", "Writer", "value_of"]


@dataclass(frozen=True, eq=False)
class Total(Expression):
    """Formulas added up with their signs; of none, zero.

    Attributes
    ----------
    terms
        Pairs of 1 or -1 and a formula without free variables.
    """

    terms: Signed

    @property
    def free(self) -> frozenset[str]:  # type: ignore[override]
        """No variable: all are summed or held."""
        return frozenset()


def value_of(total: Signed, available: Available, writer: Writer) -> float:
    """Add up formulas at the distributions that are available.

    Raises
    ------
    PositivityError
        If one divides by the probability of an event that never occurs.
    """
    value = 0.0
    for sign, formula in total:
        part = evaluate(formula, tables_for(formula, available))
        if part.undefined is not None and np.any(part.undefined):
            raise PositivityError(
                f"{writer.text(((1, formula),))} cannot be computed: some of these do "
                f"not hold: {listing(writer.positivity(formula), 6)}. Merge states, or "
                "ask about states that occur."
            )
        value += sign * float(part.values)
    return value


def _bottoms(formula: Expression) -> Iterator[Expression]:
    """What a formula and its parts divide by."""
    if isinstance(formula, Ratio):
        yield formula.bottom
    for part in parts(formula):
        yield from _bottoms(part)


class Writer:
    """Writes formulas with the states of variables in place of their letters.

    Parameters
    ----------
    graph
        Its nodes are the variables.
    """

    def __init__(self, graph: CausalGraph) -> None:
        self.graph = graph
        self.letters = symbols(graph.nodes)
        self._held: dict[str, str] = {}

    def text(self, top: Signed, bottom: Signed | None = None) -> str:
        """Plain text of a sum of formulas, or of a ratio of two such sums."""
        return self._whole(top, bottom, to_text, "[{}] / [{}]")

    def latex(self, top: Signed, bottom: Signed | None = None) -> str:
        """LaTeX of a sum of formulas, or of a ratio of two such sums."""
        return self._whole(top, bottom, to_latex, r"\frac{{{}}}{{{}}}")

    def positivity(self, formula: Expression) -> list[str]:
        """What must be positive for a formula to have a value."""
        simple = self.simplified(formula)
        found = [
            self._one(Prob(leaf.given, frozenset(), leaf.do), to_text) + " > 0"
            for leaf in leaves(simple)
            if leaf.given
        ]
        below = [self._one(bottom, to_text) + " > 0" for bottom in _bottoms(simple)]
        return list(dict.fromkeys([*found, *below]))

    def simplified(self, formula: Expression) -> Expression:
        """Formula in which states stand where variables were held at them."""
        return self._replaced(formula, {})

    def _whole(self, top: Signed, bottom: Signed | None, write: Any, bar: str) -> str:
        if bottom is not None and len(top) == len(bottom) == 1:
            one, other = top[0][1], bottom[0][1]
            simple = ratio_of(self.simplified(one), self.simplified(other))
            return self._one(simple, write)
        above = self._sum(top, write)
        if bottom is None or bottom == ((1, ONE),):
            return above
        return bar.format(above, self._sum(bottom, write))

    def _sum(self, total: Signed, write: Any) -> str:
        written = ""
        for sign, formula in total:
            term = self._one(self.simplified(formula), write)
            joint = " - " if sign < 0 else " + " if written else ""
            written += joint + term
        return written.strip() or "0"

    def _one(self, formula: Expression, write: Any) -> str:
        order: list[str] = []
        for name in self.graph.nodes:
            order += [name, *(shown for shown, of in self._held.items() if of == name)]
        return write(formula, order, list(self._held))

    def _replaced(self, formula: Expression, held: Mapping[str, str]) -> Expression:
        """Formula with names of held variables replaced by their states."""
        match formula:
            case Prob():
                of, given, do = (
                    [held.get(name, name) for name in names]
                    for names in (formula.of, formula.given, formula.do)
                )
                return Prob(frozenset(of), frozenset(given), tuple(do))
            case Even():
                return Even(frozenset(held.get(name, name) for name in formula.of))
            case Product():
                return product_of([self._replaced(t, held) for t in formula.terms])
            case Ratio():
                return ratio_of(
                    self._replaced(formula.top, held),
                    self._replaced(formula.bottom, held),
                )
            case Sum():
                return self._summed(formula, held)
        return formula

    def _summed(self, formula: Sum, held: Mapping[str, str]) -> Expression:
        """Sum without the variables that it only holds at a state."""
        inner = formula.term
        terms = inner.terms if isinstance(inner, Product) else (inner,)
        points = {
            term.name: self._named(term)
            for term in terms
            if isinstance(term, Held) and term.name in formula.over
        }
        inside = {n: s for n, s in held.items() if n not in formula.over} | points
        rest = [
            self._replaced(term, inside)
            for term in terms
            if not (isinstance(term, Held) and term.name in points)
        ]
        return sum_over(formula.over - set(points), product_of(rest))

    def _named(self, point: Held) -> str:
        """How a held variable is written; noted, so that its place is known."""
        shown = f"{self.letters[point.name]}={point.state}"
        self._held[shown] = point.name
        return shown
