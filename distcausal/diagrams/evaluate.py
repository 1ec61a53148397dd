"""The number a formula stands for, given tables of the distributions it mentions.

A formula is evaluated from marginal tables, one per probability in it, so no joint of
all variables is needed. Sums of products go to the contraction of `numerics.tensor`.

Dividing by the probability of an event that never occurs leaves nothing. Whether that
matters depends on the rest of the formula: a term that is multiplied by zero is zero
whatever else it holds. So every part keeps, beside its values, where it is undefined;
a sum is undefined only if a term with positive weight is. The support asked of the data
is thereby that of the formula, not of the whole table.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from distcausal.diagrams.estimand import (
    Even,
    Expression,
    Held,
    Prob,
    Product,
    Ratio,
    Sum,
)
from distcausal.diagrams.space import Space
from distcausal.numerics.tensor import contract

__all__ = ["Part", "Tables", "evaluate", "evaluate_parts", "table_key"]

TableKey = tuple[tuple[str, ...], frozenset[str]]


class Part(NamedTuple):
    """Value of a formula: an array, where it is undefined, and its axes.

    ``undefined`` is None where every entry is defined, and for traced arrays, whose
    undefined entries are zero.
    """

    values: Any
    undefined: Any
    names: tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """Marginal tables that a formula is evaluated on.

    Attributes
    ----------
    arrays
        For every probability's ``table``, an array with an axis per variable set in the
        experiment and then per variable of the table, both in alphabetical order.
    states
        States of every variable, in the order of the axes.
    xp
        Module that computes with them, NumPy or JAX's.
    """

    arrays: Mapping[TableKey, Any]
    states: Mapping[str, tuple[Hashable, ...]]
    xp: Any = np


def table_key(leaf: Prob) -> TableKey:
    """Name of the table a probability is read from."""
    return leaf.table


def table_axes(key: TableKey) -> tuple[str, ...]:
    """Axes of a table: variables set in the experiment, then the random ones."""
    return (*key[0], *sorted(key[1]))


def evaluate(formula: Expression, tables: Tables) -> Part:
    """Value of a formula for every state of its free variables."""
    return _Evaluation(tables).part(formula)


def evaluate_parts(formula: Expression, tables: Tables) -> dict[int, Part]:
    """Value of a formula and of all its parts, by their ``id``.

    A product inside a sum is no part: the two are one contraction.
    """
    evaluation = _Evaluation(tables)
    evaluation.part(formula)
    return evaluation.done


class _Evaluation:
    """One pass over a formula that computes shared parts once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.xp = tables.xp
        self.done: dict[int, Part] = {}

    def part(self, formula: Expression) -> Part:
        """Value of a formula, from memory where it was computed before."""
        found = self.done.get(id(formula))
        if found is None:
            found = self.done[id(formula)] = self._compute(formula)
        return found

    def _compute(self, formula: Expression) -> Part:
        match formula:
            case Prob():
                return self._probability(formula)
            case Even():
                return self._even(formula)
            case Held():
                return self._held(formula)
            case Sum():
                return self._sum(formula)
            case Product():
                return self._product(formula, frozenset())
            case Ratio():
                return self._ratio(formula)
        raise AssertionError(f"unknown formula {formula!r}")

    def _probability(self, leaf: Prob) -> Part:
        names = table_axes(leaf.table)
        joint = self.tables.arrays[leaf.table]
        free = tuple(places(names, leaf.of))
        below = joint.sum(axis=free, keepdims=True) if leaf.given else None
        return self._divided(joint, None, below, None, names)

    def _even(self, leaf: Even) -> Part:
        names = tuple(sorted(leaf.of))
        shape = tuple(len(self.tables.states[name]) for name in names)
        return Part(np.full(shape, 1.0 / np.prod(shape)), None, names)

    def _held(self, leaf: Held) -> Part:
        space = Space(leaf.name, self.tables.states[leaf.name])
        weight = np.zeros(space.size)
        weight[space.position(leaf.state)] = 1.0
        return Part(weight, None, (leaf.name,))

    def _sum(self, formula: Sum) -> Part:
        if isinstance(formula.term, Product):
            return self._product(formula.term, formula.over)
        return self._product(Product((formula.term,)), formula.over)

    def _product(self, formula: Product, over: frozenset[str]) -> Part:
        """Sum of a product: one contraction, and two more of indicators if needed."""
        terms = [self.part(term) for term in formula.terms]
        present = {name for term in terms for name in term.names}
        names = tuple(sorted(present - over))
        number = {name: place for place, name in enumerate(sorted(present))}
        labels = [tuple(number[name] for name in term.names) for term in terms]
        output = tuple(number[name] for name in names)
        unused = np.prod([len(self.tables.states[name]) for name in over - present])
        values = contract([term.values for term in terms], labels, output) * unused
        if all(term.undefined is None for term in terms):
            return Part(values, None, names)
        some = [self._possible(term) for term in terms]
        sure = [self._possible(term) & ~_mask(term) for term in terms]
        count = contract([part.astype(float) for part in some], labels, output)
        count = count - contract([part.astype(float) for part in sure], labels, output)
        return _checked(values, count > 0.5, names)

    def _possible(self, term: Part) -> np.ndarray:
        """Where a factor may be other than zero."""
        return (term.values != 0) | _mask(term)

    def _ratio(self, formula: Ratio) -> Part:
        top, bottom = self.part(formula.top), self.part(formula.bottom)
        names = tuple(sorted({*top.names, *bottom.names}))
        return self._divided(
            _spread(top.values, top.names, names),
            _spread(top.undefined, top.names, names),
            _spread(bottom.values, bottom.names, names),
            _spread(bottom.undefined, bottom.names, names),
            names,
        )

    def _divided(
        self, above: Any, above_off: Any, below: Any, below_off: Any, names: Any
    ) -> Part:
        """Quotient, undefined where the divisor is zero or undefined itself."""
        if below is None:
            return Part(above, above_off, names)
        zero = below == 0
        values = above / self.xp.where(zero, 1.0, below)
        values = self.xp.where(zero, 0.0, values)
        if self.xp is not np:
            return Part(values, None, names)
        off = np.broadcast_to(zero, values.shape)
        for other in (above_off, below_off):
            off = off if other is None else off | other
        return _checked(values, off, names)


def places(names: tuple[str, ...], wanted: frozenset[str]) -> list[int]:
    """Positions of the wanted names."""
    return [place for place, name in enumerate(names) if name in wanted]


def _mask(term: Part) -> np.ndarray:
    """Where a part is undefined, as an array."""
    if term.undefined is None:
        return np.zeros(term.values.shape, bool)
    return np.asarray(term.undefined)


def _checked(values: np.ndarray, off: np.ndarray, names: tuple[str, ...]) -> Part:
    """Part whose undefined entries are zero, and no mask where there are none."""
    if not off.any():
        return Part(values, None, names)
    return Part(np.where(off, 0.0, values), off, names)


def _spread(array: Any, names: tuple[str, ...], wanted: tuple[str, ...]) -> Any:
    """Array with its axes put among the wanted ones, the others of length one."""
    if array is None:
        return None
    order = sorted(range(len(names)), key=lambda place: wanted.index(names[place]))
    shape = iter(array.transpose(order).shape)
    held = set(names)
    full = tuple(next(shape) if name in held else 1 for name in wanted)
    return array.transpose(order).reshape(full)
