"""Probabilities across worlds as linear functions of what the data leave open.

Of the factors of such a probability (see `distcausal.diagrams.merging`) most are
kernels with a formula, which is to say numbers. The others lie in some district whose
joint response functions are not determined; given the numbers, the probability is
linear in their law.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from distcausal.diagrams.available import Available, tables_for
from distcausal.diagrams.copies import Claim
from distcausal.diagrams.crossformula import Writer
from distcausal.diagrams.crossidentify import Search, remaining
from distcausal.diagrams.estimand import Expression
from distcausal.diagrams.evaluate import Part, evaluate
from distcausal.diagrams.factor import Found, find_kernel
from distcausal.diagrams.formula import along
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.masks import bits
from distcausal.diagrams.merging import Factor, Member, Pattern
from distcausal.diagrams.responses import Programme, Responses
from distcausal.diagrams.solve import settled
from distcausal.errors import PositivityError, QueryError, listing
from distcausal.numerics.tensor import contract

__all__ = ["Linear", "Setup"]

Labelled = tuple[np.ndarray, tuple[int, ...]]


@dataclass(frozen=True)
class Linear:
    """A number, or a linear function of the law of a district's response functions.

    Attributes
    ----------
    district
        The district as bits, zero for a number.
    weights
        One weight per joint choice of functions; a number has no axis.
    """

    district: int
    weights: np.ndarray


@dataclass
class Setup:
    """A graph with distributions, in which probabilities across worlds are bounded.

    Attributes
    ----------
    graph
        Graph without unobserved variables of its own.
    available
        The distributions.
    sources
        Variables set in each.
    states
        States of every variable.
    monotone
        Pairs of a cause and an effect that never falls when the cause rises.
    largest
        Most entries of the equations.
    shared
        For each unobserved cause, the variables that it acts on, as bits.
    """

    graph: CausalGraph
    available: Available
    sources: tuple[tuple[str, ...], ...]
    states: Mapping[str, tuple[Hashable, ...]]
    monotone: tuple[tuple[str, str], ...]
    largest: float
    shared: tuple[int, ...]
    _programmes: dict[int, Programme] = field(default_factory=dict)

    @cached_property
    def search(self) -> Search:
        """Search for formulas of the factors."""
        return Search(self.graph, self.sources, {})

    @property
    def sizes(self) -> dict[str, int]:
        """Number of states of every variable."""
        return {name: len(states) for name, states in self.states.items()}

    def ratio(
        self, event: Sequence[Claim], given: Sequence[Claim]
    ) -> tuple[Linear, Linear]:
        """An event with its condition, and the condition, without common factors.

        ``given`` does not contradict itself.
        """
        condition = self.search.pattern(given)
        assert condition is not None
        whole = self.search.pattern((*given, *event))
        if whole is None:
            return Linear(0, np.zeros(())), self.linear(condition, condition.factors)
        above, below = remaining(whole, condition)
        return self.linear(whole, above), self.linear(condition, below)

    def never(self, claims: Sequence[Claim]) -> bool:
        """Whether what has a formula shows that claims never hold together."""
        pattern = self.search.pattern(claims)
        if pattern is None:
            return True
        known = [factor for factor in pattern.factors if self._known(factor)]
        try:
            return not self.linear(pattern, known).weights > 0
        except PositivityError:
            # more support than the bounds themselves need, so nothing is known
            return False

    def _known(self, factor: Factor) -> Found | None:
        """Kernel of a factor, if it has a formula."""
        if isinstance(factor.values(self.graph), str):
            return None
        found = self.search.kernel(factor.names)
        return found if isinstance(found, Found) else None

    def linear(self, pattern: Pattern, factors: Sequence[Factor]) -> Linear:
        """Product of factors, summed over their letters.

        Raises
        ------
        QueryError
            If factors without a formula lie in several districts, where the product is
            not linear.
        """
        known: list[Labelled] = []
        members: list[Member] = []
        for factor in factors:
            found, values = self._known(factor), factor.values(self.graph)
            if found is None or isinstance(values, str):
                members += factor.members
            else:
                known.append(self._kernel(pattern, found, values))
        open_ = {self._district(member.name) for member in members}
        if len(open_) > 1:
            names = [f"{{{', '.join(self.graph.names(mask))}}}" for mask in open_]
            raise QueryError(
                f"the data determine neither how {listing(sorted(names))} respond, and "
                "the probability is the product of what each contributes, which no "
                "linear programme bounds. Ask about the parts one at a time."
            )
        arrays, labels = [k[0] for k in known], [k[1] for k in known]
        if not open_:
            return Linear(0, np.asarray(contract(arrays, labels, ())))
        district = open_.pop()
        responses = self.programme(district).responses
        for member in members:
            array, axes = self._choices(pattern, responses, member)
            arrays.append(array)
            labels.append(axes)
        return Linear(district, responses.spread(arrays, labels, ()))

    def _district(self, name: str) -> int:
        masks = self.graph.masks
        return masks.district(self.graph.mask([name]), masks.all)

    def _place(self, pattern: Pattern, name: str, letter: int) -> int | None:
        """Place of the state that a letter is; None if it is summed over."""
        if letter not in pattern.states:
            return None
        return self.states[name].index(pattern.states[letter])

    def _cut(
        self,
        pattern: Pattern,
        array: np.ndarray,
        names: Sequence[str],
        letters: Sequence[int],
    ) -> Labelled:
        """Array at the states of its constants, its other axes labelled by letters."""
        at = [self._place(pattern, n, w) for n, w in zip(names, letters, strict=True)]
        index = tuple(slice(None) if place is None else place for place in at)
        kept = tuple(w for w, p in zip(letters, at, strict=True) if p is None)
        return np.asarray(array[index]), kept

    def _kernel(
        self, pattern: Pattern, found: Found, values: Mapping[str, int]
    ) -> Labelled:
        """Kernel of a factor with a formula, as numbers."""
        formula, part = self._evaluated(found, values)
        letters = [values[name] for name in part.names]
        if part.undefined is not None:
            off, _ = self._cut(pattern, part.undefined, part.names, letters)
            if off.any():
                names = listing(self.graph.names(found.target))
                needed = listing(Writer(self.graph).positivity(formula), 6)
                raise PositivityError(
                    f"the bounds need how {names} responds where some of these do not "
                    f"hold: {needed}. Merge states, or ask about states that occur."
                )
        return self._cut(pattern, part.values, part.names, letters)

    def _evaluated(self, found: Found, names: Iterable[str]) -> tuple[Expression, Part]:
        """Kernel as a formula of the variables named, and its value."""
        spare = sorted(found.formula.free - set(names), key=self.graph.nodes.index)
        formula = settled(found, spare, self.sources, "average")
        return formula, evaluate(formula, tables_for(formula, self.available))

    def _choices(
        self, pattern: Pattern, responses: Responses, member: Member
    ) -> Labelled:
        """Whether each function of a copy's variable gives its value."""
        name = member.name
        array = responses.choices(name, len(self.states[name]))
        names = (*self.graph.parents(name), name)
        letters = (*member.reads, member.value)
        own = -1 - responses.names.index(name)
        moved = np.moveaxis(array, 0, -1)
        cut, kept = self._cut(pattern, moved, names, letters)
        return cut, (*kept, own)

    def programme(self, district: int) -> Programme:
        """Equations that the distributions impose on a district's functions."""
        if district not in self._programmes:
            self._programmes[district] = self._equations(district)
        return self._programmes[district]

    def _equations(self, district: int) -> Programme:
        graph, masks = self.graph, self.graph.masks
        names = graph.names(district)
        responses = Responses.of(graph, names, self.sizes, self.monotone)
        programme = Programme(responses, self.largest)
        parts = [
            (source, part)
            for source in self.sources
            for part in masks.districts(masks.all & ~graph.mask(source))
            if part & district
        ]
        axes = [part | masks.outside_parents(part) for _, part in parts]
        counts = [
            int(np.prod([self.sizes[name] for name in graph.names(mask)]))
            for mask in axes
        ]
        programme.check_size(sum(counts))
        for (source, part), mask in zip(parts, axes, strict=True):
            found = find_kernel(graph, part, [source])
            assert isinstance(found, Found)
            programme.add(*self._equation(responses, found, part, mask))
        return programme

    def _equation(
        self, responses: Responses, found: Found, part: int, axes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Equations for one kernel: a row per state of its variables and causes."""
        graph = self.graph
        arrays, labels = [], []
        for place in bits(part):
            name = graph.nodes[place]
            arrays.append(responses.choices(name, len(self.states[name])))
            parents = [graph.place[parent] for parent in graph.parents(name)]
            labels.append((-1 - responses.names.index(name), *parents, place))
        names = graph.names(axes)
        rows = responses.spread(arrays, labels, tuple(bits(axes)))
        _, value = self._evaluated(found, names)
        totals = along(value.values, value.names, names, self.states)
        rows, totals = rows.reshape(-1, rows.shape[-1]), totals.reshape(-1)
        if value.undefined is None:
            return rows, totals
        seen = ~along(value.undefined, value.names, names, self.states).reshape(-1)
        return rows[seen], totals[seen]
