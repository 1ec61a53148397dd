"""What a question across worlds comes down to: distinct copies, districts, components.

Saying that a copy has a state may make it equal to a constant somewhere else, and then
copies that read equal things are one variable after all (consistency). What is left are
distinct copies, each with the value it takes: a state, or a letter that is summed over.
Given the values of what they read, copies of variables without a common unobserved
cause are independent, so the probability splits into factors, one per district. Each
factor is a kernel of the graph if no variable stands in it under two different causes;
otherwise no distribution of a single world determines it.

Source: Correa, Lee and Bareinboim (2021), *Nested counterfactual identification from
arbitrary surrogate experiments*, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from distcausal.diagrams.copies import Copies
from distcausal.diagrams.graph import CausalGraph

__all__ = ["Factor", "Member", "Pattern", "impose", "split_components"]

Pair = tuple[int, Hashable]


@dataclass(frozen=True, order=True)
class Member:
    """A copy of a variable in a factor.

    Attributes
    ----------
    name
        The variable.
    reads
        Value of each parent, as the number of a wire, in the order of the parents.
    value
        Its own value, as the number of a wire.
    """

    name: str
    reads: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class Factor:
    """Joint probability of the copies of one district, given what they read."""

    members: frozenset[Member]

    @property
    def names(self) -> tuple[str, ...]:
        """Variables of the district, sorted."""
        return tuple(sorted({member.name for member in self.members}))

    @property
    def letters(self) -> set[int]:
        """Every value that occurs in it."""
        own = {member.value for member in self.members}
        return own.union(*(member.reads for member in self.members))

    def values(self, graph: CausalGraph) -> Mapping[str, int] | str:
        """Value of every variable in it, or the name of one that needs two."""
        found: dict[str, int] = {}
        for member in sorted(self.members):
            pairs = [*zip(graph.parents(member.name), member.reads, strict=True)]
            for name, value in (*pairs, (member.name, member.value)):
                if found.setdefault(name, value) != value:
                    return name
        return found


@dataclass(frozen=True)
class Pattern:
    """Distinct copies with their values, as factors, causes first.

    Attributes
    ----------
    factors
        One per district.
    states
        State of every value that is a constant; the others are summed over.
    merged
        Pairs of copies found to be one, as numbers of wires.
    """

    factors: tuple[Factor, ...]
    states: Mapping[int, Hashable]
    merged: tuple[Pair, ...]

    @property
    def components(self) -> tuple[frozenset[Factor], ...]:
        """Factors grouped by the letters they share; groups multiply."""
        return split_components(self.factors, self.states)


def impose(copies: Copies, pairs: Sequence[Pair]) -> Pattern | None:
    """Let copies have states, and merge whatever thereby is one variable.

    Returns None where the states contradict each other in every model.
    """
    equal = _Equalities(copies)
    for wire, state in pairs:
        constant = copies.state(copies.wires[wire].name, state)
        if not equal.join(wire, constant):
            return None
    needed = copies.causes(wire for wire, _ in pairs)
    made = [wire for wire in needed if copies.wires[wire].reads is not None]
    merged: list[Pair] = []
    changed = True
    while changed:
        changed = False
        first: dict[tuple[str, tuple[int, ...]], int] = {}
        for wire in made:
            other = first.setdefault(equal.key(wire), wire)
            if equal.root(other) != equal.root(wire):
                if not equal.join(other, wire):
                    return None
                merged.append((other, wire))
                changed = True
    return _pattern(copies, equal, made, tuple(merged))


class _Equalities:
    """Sets of wires known to have one value; a constant stands for its set."""

    def __init__(self, copies: Copies) -> None:
        self.copies = copies
        self._above: dict[int, int] = {}

    def root(self, wire: int) -> int:
        """Wire that stands for all equal to this one."""
        while wire in self._above:
            wire = self._above[wire]
        return wire

    def key(self, wire: int) -> tuple[str, tuple[int, ...]]:
        """What the value of a copy depends on besides its noise."""
        made = self.copies.wires[wire]
        return made.name, tuple(map(self.root, made.reads or ()))

    def join(self, one: int, other: int) -> bool:
        """Let two wires be equal; False if they are different constants."""
        one, other = sorted((self.root(one), self.root(other)))
        if one == other:
            return True
        wires = self.copies.wires
        if wires[one].reads is None and wires[other].reads is None:
            return False
        if wires[other].reads is None:
            one, other = other, one
        self._above[other] = one
        return True


def _pattern(
    copies: Copies, equal: _Equalities, made: Iterable[int], merged: tuple[Pair, ...]
) -> Pattern:
    """Group the distinct copies into factors."""
    graph = copies.graph
    members = {Member(*equal.key(wire), equal.root(wire)): None for wire in made}
    present = graph.mask({member.name for member in members})
    factors = []
    for district in graph.masks.districts(present):
        names = set(graph.names(district))
        factors.append(Factor(frozenset(m for m in members if m.name in names)))
    states = {
        letter: copies.wires[letter].state
        for factor in factors
        for letter in factor.letters
        if copies.wires[letter].reads is None
    }
    return Pattern(tuple(factors), states, merged)


def split_components(
    factors: Sequence[Factor], states: Mapping[int, Hashable]
) -> tuple[frozenset[Factor], ...]:
    """Group factors that share a letter which is summed over."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        letters = {letter for letter in factor.letters if letter not in states}
        inside = [factor]
        apart = []
        for others, group in groups:
            if others & letters:
                letters |= others
                inside = [*group, *inside]
            else:
                apart.append((others, group))
        groups = [*apart, (letters, inside)]
    return tuple(frozenset(group) for _, group in groups)
