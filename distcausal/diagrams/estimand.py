"""Formulas over available distributions: sums, products and ratios of probabilities.

What identification returns. A formula is a tree whose leaves are conditional
probabilities under the observed distribution or an experiment; shared parts are shared
objects, so a formula that reuses a factor stays small. The functions that build one
apply only the rules that hold for every distribution (summing out, chain rule,
cancelling), never one that needs the graph, so a formula means the same before and
after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = [
    "ONE",
    "Even",
    "Expression",
    "Held",
    "Prob",
    "Product",
    "Ratio",
    "Sum",
    "leaves",
    "product_of",
    "ratio_of",
    "sum_over",
]

Names = frozenset[str]


class Expression:
    """A formula; its value is a number for every state of its free variables."""

    free: Names


@dataclass(frozen=True, eq=False)
class Prob(Expression):
    """Probability of some variables given others, under one available distribution.

    Attributes
    ----------
    of, given
        Sets of variables, the first not empty.
    do
        Variables set in the experiment that the distribution comes from, sorted; empty
        for the observed one.
    """

    of: Names
    given: Names = frozenset()
    do: tuple[str, ...] = ()

    @cached_property
    def free(self) -> Names:  # type: ignore[override]
        """Variables the value depends on."""
        return self.of | self.given | frozenset(self.do)

    @property
    def table(self) -> tuple[tuple[str, ...], Names]:
        """The marginal table that holds it: experiment and variables."""
        return self.do, self.of | self.given


@dataclass(frozen=True, eq=False)
class Even(Expression):
    """Equal weight on every joint state of some variables."""

    of: Names

    @property
    def free(self) -> Names:  # type: ignore[override]
        """Variables the weight is spread over."""
        return self.of


@dataclass(frozen=True, eq=False)
class Held(Expression):
    """All weight on one state of a variable."""

    name: str
    state: Hashable

    @property
    def free(self) -> Names:  # type: ignore[override]
        """The variable that is held."""
        return frozenset((self.name,))


@dataclass(frozen=True, eq=False)
class Sum(Expression):
    """Sum of a formula over the states of some of its variables."""

    over: Names
    term: Expression

    @cached_property
    def free(self) -> Names:  # type: ignore[override]
        """Variables the value depends on."""
        return self.term.free - self.over


@dataclass(frozen=True, eq=False)
class Product(Expression):
    """Product of formulas; of none, the number one."""

    terms: tuple[Expression, ...]

    @cached_property
    def free(self) -> Names:  # type: ignore[override]
        """Variables the value depends on."""
        return frozenset().union(*(term.free for term in self.terms))


@dataclass(frozen=True, eq=False)
class Ratio(Expression):
    """One formula divided by another."""

    top: Expression
    bottom: Expression

    @cached_property
    def free(self) -> Names:  # type: ignore[override]
        """Variables the value depends on."""
        return self.top.free | self.bottom.free


ONE = Product(())


def leaves(formula: Expression) -> Iterator[Prob]:
    """Every probability in a formula, shared ones once."""
    seen: set[int] = set()
    waiting = [formula]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Prob):
            yield part
        waiting += reversed(parts(part))


def parts(formula: Expression) -> list[Expression]:
    """Formulas directly inside another."""
    match formula:
        case Sum():
            return [formula.term]
        case Product():
            return list(formula.terms)
        case Ratio():
            return [formula.top, formula.bottom]
    return []


def sum_over(over: Iterable[str], formula: Expression) -> Expression:
    """Sum a formula over variables, in its simplest form.

    Probabilities lose variables that nothing else depends on, and factors without the
    variables stay outside.
    """
    names = frozenset(over)
    if not names:
        return formula
    if isinstance(formula, Sum):
        return (
            sum_over(names | formula.over, formula.term)
            if not (names & formula.over)
            else Sum(names, formula)
        )
    if not isinstance(formula, Product):
        return _sum_one(names, formula)
    terms, rest = _sum_barren(names, list(formula.terms))
    outside = [term for term in terms if not term.free & rest]
    inside = [term for term in terms if term.free & rest]
    if not rest:
        return product_of(terms)
    if len(inside) == 1:
        return product_of([*outside, _sum_one(rest, inside[0])])
    return product_of([*outside, Sum(rest, product_of(inside))])


def _sum_one(names: Names, formula: Expression) -> Expression:
    """Sum a formula that is no product over variables."""
    if isinstance(formula, Prob):
        kept, inner = formula.of - names, names & formula.of
        if not kept:
            shorter: Expression = ONE
        else:
            shorter = Prob(kept, formula.given, formula.do) if inner else formula
        return Sum(names - inner, shorter) if names - inner else shorter
    return Sum(names, formula)


def _sum_barren(
    names: Names, terms: list[Expression]
) -> tuple[list[Expression], Names]:
    """Sum out of single probabilities what no other factor depends on."""
    uses = Counter(name for term in terms for name in term.free)
    changed = True
    while changed and names:
        changed = False
        for place, term in enumerate(terms):
            if not isinstance(term, Prob):
                continue
            alone = frozenset(n for n in term.of & names if uses[n] == 1)
            if alone:
                shorter = _sum_one(alone, term)
                uses.subtract(term.free - shorter.free)
                terms[place], names, changed = shorter, names - alone, True
    return [term for term in terms if term is not ONE], names


def product_of(terms: Sequence[Expression]) -> Expression:
    """Multiply formulas; probabilities that make up a chain become one."""
    flat: list[Expression] = []
    for term in terms:
        flat += term.terms if isinstance(term, Product) else [term]
    flat = _chained(flat)
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def _chained(terms: list[Expression]) -> list[Expression]:
    """Replace P(a | b, c) P(b | c) by P(a, b | c) until no such pair is left."""
    found = list(terms)
    merged = True
    while merged:
        merged = False
        by_table = {
            (term.do, term.of | term.given): place
            for place, term in enumerate(found)
            if isinstance(term, Prob)
        }
        for place, term in enumerate(found):
            if not isinstance(term, Prob) or not term.given:
                continue
            other = by_table.get((term.do, term.given))
            if other is None or other == place:
                continue
            base = found[other]
            assert isinstance(base, Prob)
            found[other] = Prob(term.of | base.of, base.given, term.do)
            del found[place]
            merged = True
            break
    return found


def ratio_of(top: Expression, bottom: Expression) -> Expression:
    """Divide formulas; common factors cancel, and joints become conditionals."""
    if bottom is ONE:
        return top
    upper = list(top.terms) if isinstance(top, Product) else [top]
    lower = list(bottom.terms) if isinstance(bottom, Product) else [bottom]
    for term in list(lower):
        twin = next((other for other in upper if _alike(term, other)), None)
        if twin is not None:
            upper.remove(twin)
            lower.remove(term)
    for term in list(lower):
        joint = next((other for other in upper if _contains(other, term)), None)
        if joint is not None:
            assert isinstance(joint, Prob)
            assert isinstance(term, Prob)
            left = Prob(joint.of - term.of, joint.given | term.of, joint.do)
            upper[upper.index(joint)] = left
            lower.remove(term)
    if len(upper) == 1 and len(lower) == 1 and isinstance(upper[0], Sum):
        inner = ratio_of(upper[0].term, lower[0])
        if not isinstance(inner, Ratio) and not lower[0].free & upper[0].over:
            return sum_over(upper[0].over, inner)
    above = product_of(upper) if upper else ONE
    return Ratio(above, product_of(lower)) if lower else above


def _alike(one: Expression, other: Expression) -> bool:
    """Whether two formulas are one object or the same probability."""
    if one is other:
        return True
    if not (isinstance(one, Prob) and isinstance(other, Prob)):
        return False
    return (one.of, one.given, one.do) == (other.of, other.given, other.do)


def _contains(joint: Expression, margin: Expression) -> bool:
    """Whether one probability is another's with more variables in front of the bar."""
    return (
        isinstance(joint, Prob)
        and isinstance(margin, Prob)
        and joint.do == margin.do
        and joint.given == margin.given
        and margin.of < joint.of
    )
