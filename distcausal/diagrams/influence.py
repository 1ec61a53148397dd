"""How the value of a formula moves with the tables it is computed from.

A formula is a smooth function of a few marginal tables, and shares of a sample are
averages over its units. So the first-order change of the formula in the tables is, unit
by unit, the influence function of the estimate, for every formula there is. The change
is found by going through the formula backwards once: each part is told how the answer
moves with it, and tells the parts it is made of. Sums of products are contractions, and
so are their changes.

Two names are reserved: an axis called `DRAW` runs through formula, tables and changes
and is never summed, so that many samples are treated at once, and `CELL` is the entry
of the answer that changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distcausal.diagrams.estimand import (
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from distcausal.diagrams.evaluate import (
    Part,
    TableKey,
    Tables,
    evaluate_parts,
    table_axes,
)
from distcausal.numerics.tensor import contract

__all__ = ["CELL", "DRAW", "Slopes", "per_draw", "slopes"]

DRAW = "(draw)"
CELL = "(cell)"


@dataclass(frozen=True, eq=False)
class Slopes:
    """A formula's value and its derivatives.

    Attributes
    ----------
    part
        The value.
    tables
        For each table, derivative of every entry of the answer with respect to every
        entry of the table: answer entries first, in the order of ``part.names`` without
        `DRAW`, then the axes of the table.
    weights
        For each conditional probability, the largest size of the derivative with
        respect to it, over answers; axes as its table. Zero where no answer needs it.
    bottoms
        For each divisor of a ratio, its value, and where an answer needs it.
    """

    part: Part
    tables: dict[TableKey, np.ndarray]
    weights: dict[int, np.ndarray]
    bottoms: dict[int, tuple[Part, np.ndarray]]


def per_draw(formula: Expression) -> Expression:
    """Formula over tables that have an axis `DRAW` as well; shared parts stay so."""
    done: dict[int, Expression] = {}

    def lifted(part: Expression) -> Expression:
        found = done.get(id(part))
        if found is None:
            found = done[id(part)] = change(part)
        return found

    def change(part: Expression) -> Expression:
        match part:
            case Prob():
                return replace(part, do=(DRAW, *part.do))
            case Sum():
                return Sum(part.over, lifted(part.term))
            case Product():
                return Product(tuple(map(lifted, part.terms)))
            case Ratio():
                return Ratio(lifted(part.top), lifted(part.bottom))
        return part

    return lifted(formula)


def slopes(formula: Expression, tables: Tables) -> Slopes:
    """Value of a formula and its derivatives with respect to the tables."""
    return _Backwards(formula, tables).run()


class _Backwards:
    """One pass over a formula from the answer to the tables."""

    def __init__(self, formula: Expression, tables: Tables) -> None:
        self.formula = formula
        self.tables = tables
        self.parts = evaluate_parts(formula, tables)
        self.change: dict[int, np.ndarray] = {}
        self.found = Slopes(self.parts[id(formula)], {}, {}, {})

    def run(self) -> Slopes:
        self.change[id(self.formula)] = self._start(self.parts[id(self.formula)])
        for node in _answer_first(self.formula):
            change = self.change.pop(id(node))
            match node:
                case Prob():
                    self._probability(node, change)
                case Sum() | Product():
                    self._product(node, change)
                case Ratio():
                    self._ratio(node, change)
        return self.found

    def _start(self, part: Part) -> np.ndarray:
        """Change of every entry of the answer with itself."""
        shape = [
            1 if name == DRAW else size
            for name, size in zip(part.names, part.values.shape, strict=True)
        ]
        cells = int(np.prod(shape))
        own = np.eye(cells).reshape(cells, *shape)
        return np.broadcast_to(own, (cells, *part.values.shape))

    def _probability(self, leaf: Prob, change: np.ndarray) -> None:
        """From a conditional probability to the table it is read from."""
        names, part = table_axes(leaf.table), self.parts[id(leaf)]
        if leaf.given:
            weight = np.abs(change).max(axis=0)
            self.found.weights[id(leaf)] = weight
            random = tuple(1 + i for i, name in enumerate(names) if name in leaf.of)
            table = self.tables.arrays[leaf.table][None]
            below = table.sum(axis=random, keepdims=True)
            inner = (change * part.values).sum(axis=random, keepdims=True)
            change = (change - inner) * _inverse(below)
        held = self.found.tables.get(leaf.table)
        self.found.tables[leaf.table] = change if held is None else held + change

    def _product(self, node: Sum | Product, change: np.ndarray) -> None:
        """From a sum of products to each factor: all the others, contracted."""
        terms, over = _factors(node)
        names = (CELL, *self.parts[id(node)].names)
        present = {name for term in terms for name in self.parts[id(term)].names}
        unused = np.prod([len(self.tables.states[name]) for name in over - present])
        for place, term in enumerate(terms):
            rest = [self.parts[id(t)] for i, t in enumerate(terms) if i != place]
            self._tell(
                term,
                change * unused,
                names,
                [(part.values, part.names) for part in rest],
            )

    def _ratio(self, node: Ratio, change: np.ndarray) -> None:
        part, bottom = self.parts[id(node)], self.parts[id(node.bottom)]
        inverse = (_inverse(bottom.values), bottom.names)
        names = (CELL, *part.names)
        needed = (CELL, *bottom.names)
        size = _contracted([(np.abs(change), names)], needed, bottom.values.shape)
        self.found.bottoms[id(node.bottom)] = (bottom, size.max(axis=0) > 0)
        self._tell(node.top, change, names, [inverse])
        self._tell(node.bottom, -change, names, [inverse, (part.values, part.names)])

    def _tell(
        self,
        term: Expression,
        change: np.ndarray,
        names: tuple[str, ...],
        others: list[tuple[Any, tuple[str, ...]]],
    ) -> None:
        """Add what one part's change means for a part inside it."""
        part = self.parts[id(term)]
        told = _contracted(
            [(change, names), *others], (CELL, *part.names), part.values.shape
        )
        held = self.change.get(id(term))
        self.change[id(term)] = told if held is None else held + told


def _contracted(
    operands: list[tuple[Any, tuple[str, ...]]],
    wanted: tuple[str, ...],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Contract named arrays to wanted names, repeated along those that none has."""
    number: dict[str, int] = {}
    for _, names in operands:
        for name in names:
            number.setdefault(name, len(number))
    kept = tuple(name for name in wanted if name in number)
    found = contract(
        [array for array, _ in operands],
        [tuple(number[name] for name in names) for _, names in operands],
        tuple(number[name] for name in kept),
    )
    index = tuple(slice(None) if name in number else None for name in wanted)
    return np.broadcast_to(found[index], (len(found), *shape))


def _inverse(values: np.ndarray) -> np.ndarray:
    """One over each number, zero where it is zero."""
    zero = values == 0
    return np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, values))


def _factors(node: Sum | Product) -> tuple[tuple[Expression, ...], frozenset[str]]:
    """Factors that an evaluation multiplies in one go, and what it sums over."""
    if isinstance(node, Product):
        return node.terms, frozenset()
    terms = node.term.terms if isinstance(node.term, Product) else (node.term,)
    return terms, node.over


def _answer_first(formula: Expression) -> list[Expression]:
    """Parts of a formula, each before the parts it is made of."""
    order: list[Expression] = []
    seen: set[int] = set()
    waiting: list[tuple[Expression, bool]] = [(formula, False)]
    while waiting:
        node, left = waiting.pop()
        if left:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(inner, False) for inner in _inner(node)]
    return order[::-1]


def _inner(node: Expression) -> tuple[Expression, ...]:
    match node:
        case Sum() | Product():
            return _factors(node)[0]
        case Ratio():
            return (node.top, node.bottom)
    return ()
