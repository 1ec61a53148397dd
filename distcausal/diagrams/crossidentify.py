"""The search for a formula of a probability across worlds.

Worlds share their noise, so what happens in one says something about another. The
search writes down the distinct copies a question needs, splits their joint probability
into factors (see `distcausal.diagrams.merging`), cancels what the condition has in
common with the whole, and asks of each factor left whether a variable stands in it
under two different causes, and whether an available distribution determines its
kernel. A formula comes out exactly when every factor passes.

One thing no graph shows: a variable of two states takes the one where it does not take
the other, so the probability of an event with the one is that of the event without it,
less that with the other. Told which variables have two states, the search tries this
where the factors fail, on what is asked and given, not on what is summed over; so here
it may miss a formula.

Source: Correa, Lee and Bareinboim (2021), *Nested counterfactual identification from
arbitrary surrogate experiments*; the last rule is Pearl's consistency.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from distcausal.diagrams.copies import Claim, Copies
from distcausal.diagrams.estimand import (
    ONE,
    Expression,
    Held,
    Sum,
    product_of,
    ratio_of,
    sum_over,
)
from distcausal.diagrams.factor import Blocked, Found, Source, find_kernel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.merging import Factor, Pattern, impose
from distcausal.diagrams.solve import settled

__all__ = ["Crossing", "Obstacle", "Search", "Signed", "remaining"]

Signed = tuple[tuple[int, Expression], ...]
Ratios = tuple[tuple[int, Expression, Expression], ...]
Claims = tuple[Claim, ...]


@dataclass(frozen=True)
class Obstacle:
    """A factor that no available distribution determines.

    Attributes
    ----------
    names
        Variables of its district.
    clash
        Variable that stands in it under two different values, if that is why.
    blocked
        Otherwise, why each distribution fails to give its kernel.
    """

    names: tuple[str, ...]
    clash: str | None
    blocked: tuple[Blocked, ...] = ()


@dataclass(frozen=True)
class Crossing:
    """What the search came to.

    Attributes
    ----------
    whole, condition
        Formulas, with signs, of the event with what is given and of what is given, both
        without the factors that cancel; None where there is none. Empty is zero.
    given
        Formula of all that is given, None where it is not determined.
    obstacle
        For the first factor without a formula, why.
    complemented
        Whether the rule for two states was needed.
    divisors
        What formulas of ``whole`` divide by because of what is given, where
        ``condition`` does not say.
    pattern
        Copies of the event with what is given; None if they contradict each other.
    """

    whole: Signed | None
    condition: Signed | None
    given: Expression | None = None
    obstacle: Obstacle | None = None
    complemented: bool = False
    pattern: Pattern | None = None
    divisors: tuple[Expression, ...] = ()


def remaining(whole: Pattern, condition: Pattern) -> tuple[list[Factor], list[Factor]]:
    """Factors of a probability and of its condition that do not cancel."""
    common = set(whole.components) & set(condition.components)
    gone = frozenset().union(*common)
    return (
        [factor for factor in whole.factors if factor not in gone],
        [factor for factor in condition.factors if factor not in gone],
    )


@dataclass
class Search:
    """One search: the graph, what is available, and what was found on the way.

    Attributes
    ----------
    graph
        Graph without unobserved variables of its own.
    sources
        Available distributions.
    paired
        Both states of every variable known to have two.
    kernels
        Kernels found, by district.
    """

    graph: CausalGraph
    sources: tuple[Source, ...]
    paired: Mapping[str, tuple[Hashable, Hashable]]
    kernels: dict[tuple[str, ...], Found | list[Blocked]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.copies = Copies(self.graph)

    def pattern(self, claims: Iterable[Claim]) -> Pattern | None:
        """Distinct copies that claims speak of; None for a contradiction."""
        pairs = [(self.copies.of(claim.potential), claim.state) for claim in claims]
        return impose(self.copies, pairs)

    def run(self, event: Claims, given: Claims) -> Crossing:
        """Find formulas for an event among units where something else holds.

        ``given`` does not contradict itself.
        """
        condition = self.pattern(given)
        assert condition is not None
        known, _ = self._product(condition, condition.factors)
        whole = self.pattern((*given, *event))
        if whole is None:
            return Crossing((), ((1, ONE),), known)
        above, below = remaining(whole, condition)
        top, obstacle = self._product(whole, above)
        bottom, other = self._product(condition, below)
        obstacle = obstacle or other
        if top is not None and bottom is not None:
            return Crossing(((1, top),), ((1, bottom),), known, None, False, whole)
        return self._by_complement(event, given, obstacle, known, whole)

    def _by_complement(
        self,
        event: Claims,
        given: Claims,
        obstacle: Obstacle | None,
        known: Expression | None,
        pattern: Pattern,
    ) -> Crossing:
        """Try the rule for variables of two states."""
        seen: dict[tuple[frozenset[Claim], frozenset[int]], Signed | None] = {}
        whole = self._signed((*given, *event), frozenset(), seen)
        condition = None if whole is None else self._signed(given, frozenset(), seen)
        if whole is not None and condition is not None:
            return Crossing(whole, condition, known, None, True, pattern)
        among = self._among(event, given, frozenset(), {})
        if among is None:
            return Crossing(None, None, known, obstacle, False, pattern)
        terms = tuple((sign, ratio_of(top, bottom)) for sign, top, bottom in among)
        divisors = tuple(dict.fromkeys(bottom for *_, bottom in among))
        one: Signed = ((1, ONE),)
        return Crossing(terms, one, known, None, True, pattern, divisors)

    def _among(
        self,
        event: Claims,
        given: Claims,
        done: frozenset[int],
        seen: dict[tuple[frozenset[Claim], frozenset[int]], Ratios | None],
    ) -> Ratios | None:
        """Ratios that add up, with their signs, to a probability given something.

        Unlike `_signed` it needs no formula of what is given, if that cancels.
        """
        key = frozenset(event), done
        if key not in seen:
            seen[key] = self._add_ratios(event, given, done, seen)
        return seen[key]

    def _add_ratios(
        self,
        event: Claims,
        given: Claims,
        done: frozenset[int],
        seen: dict[tuple[frozenset[Claim], frozenset[int]], Ratios | None],
    ) -> Ratios | None:
        condition, whole = self.pattern(given), self.pattern((*given, *event))
        assert condition is not None
        if whole is None:
            return ()
        above, below = remaining(whole, condition)
        top, _ = self._product(whole, above)
        bottom, _ = self._product(condition, below)
        if top is not None and bottom is not None:
            return ((1, top, bottom),)
        for rest, other, wire in self._turned(event, done):
            without = self._among(rest, given, done | {wire}, seen)
            if without is None:
                continue
            less = self._among((*rest, other), given, done | {wire}, seen)
            if less is not None:
                negative = ((-sign, up, down) for sign, up, down in less)
                return (*without, *negative)
        return None

    def _signed(
        self,
        claims: Claims,
        done: frozenset[int],
        seen: dict[tuple[frozenset[Claim], frozenset[int]], Signed | None],
    ) -> Signed | None:
        """Formulas that add up, with their signs, to the probability of claims."""
        key = frozenset(claims), done
        if key not in seen:
            seen[key] = self._add_up(claims, done, seen)
        return seen[key]

    def _add_up(
        self,
        claims: Claims,
        done: frozenset[int],
        seen: dict[tuple[frozenset[Claim], frozenset[int]], Signed | None],
    ) -> Signed | None:
        pattern = self.pattern(claims)
        if pattern is None:
            return ()
        formula, _ = self._product(pattern, pattern.factors)
        if formula is not None:
            return ((1, formula),)
        for rest, other, wire in self._turned(claims, done):
            without = self._signed(rest, done | {wire}, seen)
            if without is None:
                continue
            less = self._signed((*rest, other), done | {wire}, seen)
            if less is not None:
                return (*without, *((-sign, formula) for sign, formula in less))
        return None

    def _turned(
        self, claims: Claims, done: frozenset[int]
    ) -> Iterator[tuple[Claims, Claim, int]]:
        """For each claim about two states: the rest, its opposite, and its copy."""
        for at, claim in enumerate(claims):
            wire, other = self.copies.of(claim.potential), self._other(claim)
            if wire not in done and other is not None:
                yield (*claims[:at], *claims[at + 1 :]), other, wire

    def _other(self, claim: Claim) -> Claim | None:
        """The claim that the variable has its other state, if it has two."""
        states = self.paired.get(claim.potential.name, ())
        if claim.state not in states:
            return None
        return Claim(claim.potential, states[1 - states.index(claim.state)])

    def _product(
        self, pattern: Pattern, factors: Sequence[Factor]
    ) -> tuple[Expression | None, Obstacle | None]:
        """Product of the kernels of factors, summed over their letters."""
        terms = []
        letters: set[str] = set()
        for factor in factors:
            values = factor.values(self.graph)
            if isinstance(values, str):
                return None, Obstacle(factor.names, values)
            found = self.kernel(factor.names)
            if not isinstance(found, Found):
                return None, Obstacle(factor.names, None, tuple(found))
            terms.append(self._at(pattern, found, values))
            letters |= {
                member.name
                for member in factor.members
                if member.value not in pattern.states
            }
        return sum_over(letters, product_of(terms)), None

    def kernel(self, names: tuple[str, ...]) -> Found | list[Blocked]:
        """Kernel of a district, from the first distribution that determines it."""
        if names not in self.kernels:
            target = self.graph.mask(names)
            self.kernels[names] = find_kernel(self.graph, target, self.sources)
        return self.kernels[names]

    def _at(
        self, pattern: Pattern, found: Found, values: Mapping[str, int]
    ) -> Expression:
        """Kernel with its variables held where their values are constants."""
        names = found.formula.free
        spare = sorted(names - set(values), key=self.graph.place.__getitem__)
        kernel = settled(found, spare, self.sources, "average")
        held: dict[str, Expression] = {
            name: Held(name, pattern.states[value])
            for name, value in values.items()
            if name in names and value in pattern.states
        }
        if not held:
            return kernel
        return Sum(frozenset(held), product_of([*held.values(), kernel]))
