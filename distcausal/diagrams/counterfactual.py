"""Whether data determine a probability across worlds, by which formula, and why not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from distcausal._base.fit import Result
from distcausal._base.table import Table
from distcausal.diagrams.available import Available, read_available
from distcausal.diagrams.copies import Claim, check_claimed, read_claims
from distcausal.diagrams.crossformula import Total, Writer, value_of
from distcausal.diagrams.crossidentify import Crossing, Search
from distcausal.diagrams.estimand import Expression, ratio_of
from distcausal.diagrams.factor import Source
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.query import check_observed, read_sources
from distcausal.diagrams.space import check_states
from distcausal.errors import (
    ConditioningError,
    IdentificationError,
    PositivityError,
    QueryError,
    listing,
)

if TYPE_CHECKING:
    from distcausal.diagrams.hedge import Hedge

__all__ = ["CounterfactualIdentification", "identify_counterfactual"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CounterfactualIdentification(Result):
    """The verdict on a probability across worlds: a formula, or why there is none.

    Attributes
    ----------
    graph
        The graph as given.
    event, given
        What should hold, and among which units, as claims about potential values.
    sources
        Available distributions: the variables set in each; none for the observed one.
    states
        States of variables, where they were given.
    """

    cite_as: ClassVar[str] = "identify_counterfactual"
    graph: CausalGraph
    event: tuple[Claim, ...]
    given: tuple[Claim, ...]
    sources: tuple[Source, ...]
    states: Mapping[str, tuple[Hashable, ...]]

    @cached_property
    def observed(self) -> CausalGraph:
        """Graph over the observed variables, latent ones left out."""
        return self.graph.latent_projection()

    @cached_property
    def search(self) -> Search:
        """The search, with the copies and kernels it found."""
        paired = {n: (s[0], s[1]) for n, s in self.states.items() if len(s) == 2}
        return Search(self.observed, self.sources, paired)

    @cached_property
    def found(self) -> Crossing:
        """What the search came to, in full."""
        return self.search.run(self.event, self.given)

    @property
    def identified(self) -> bool:
        """Whether the available distributions determine the probability."""
        return self.found.whole is not None

    @property
    def rule(self) -> str:
        """What the verdict rests on.

        ``"graph"``: complete for what a graph alone implies. ``"contradiction"``: the
        event holds in no model. ``"consistency_two_level"``: a variable of two states
        takes the one where it does not take the other; no graph shows that, and the
        search does not find all that it implies.
        """
        if self.found.whole == ():
            return "contradiction"
        return "consistency_two_level" if self.found.complemented else "graph"

    @cached_property
    def formula(self) -> Expression | None:
        """Formula as a tree whose variables are all summed or held at states."""
        whole, condition = self.found.whole, self.found.condition
        if whole is None or condition is None:
            return None
        if len(whole) != 1 or len(condition) != 1:
            bottom = Total(condition)
            return ratio_of(Total(whole), bottom) if self.given else Total(whole)
        return ratio_of(whole[0][1], condition[0][1])

    @property
    def hedges(self) -> tuple[Hedge, ...]:
        """What blocks each distribution, where a kernel has no formula."""
        from distcausal.diagrams.hedge import hedges
        from distcausal.diagrams.solve import Answer

        trouble = self.found.obstacle
        blocked = trouble.blocked if trouble else ()
        return hedges(self.observed, Answer(None, None, (), blocked, 0, (), 0, ()))

    @property
    def reason(self) -> str:
        """Why there is no formula; empty where there is one."""
        trouble = self.found.obstacle
        if trouble is None:
            return ""
        if trouble.clash is None:
            return " ".join(dict.fromkeys(map(str, self.hedges))) + self._tried()
        district = listing(trouble.names, 12)
        if len(trouble.names) > 1:
            district += ", which share unobserved causes,"
        return (
            f"The question needs {district} with two different values of "
            f"{trouble.clash} at once. Both cannot be seen in one unit, and the graph "
            "does not say how they go together." + self._tried()
        )

    def _tried(self) -> str:
        """Say what a refusal is worth where variables have two states."""
        two = sorted(self.search.paired)
        if not two:
            return ""
        return (
            f" That {listing(two, 12)} has two states was tried on what is asked and "
            "given, and gave no formula; it was not tried on what is summed over, so "
            "this does not mean that two states leave it open. If the ends of "
            "counterfactual_bounds meet, the data determine it."
        )

    @cached_property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """Moves of the derivation, each with what it came to, as text."""
        from distcausal.diagrams.crosssteps import tell

        return tuple(tell(self))

    def text(self) -> str:
        """Write the formula as plain text."""
        return self._written("text")

    def latex(self) -> str:
        """Write the formula in LaTeX, for mathematical mode."""
        return self._written("latex")

    def _written(self, form: str) -> str:
        self.raise_for_status()
        write = getattr(Writer(self.observed), form)
        return write(self.found.whole, self.found.condition if self.given else None)

    def raise_for_status(self) -> None:
        """Raise `IdentificationError` unless there is a formula."""
        if not self.identified:
            raise IdentificationError(
                f"{self.query} is not identified. {self.reason} For variables with "
                "finitely many states counterfactual_bounds says what the data allow."
                + self._hint()
            )

    def evaluate(self, distributions: Any) -> float:
        """Value of the formula.

        Parameters
        ----------
        distributions
            The observed joint, a `CausalModel`, or a mapping from ``"observational"``
            and from tuples of the variables set in an experiment to laws, as in
            `Identification.evaluate`.

        Raises
        ------
        IdentificationError
            If there is no formula.
        ConditioningError
            If what is given never occurs.
        PositivityError
            If the formula divides by the probability of another event that never
            occurs.
        QueryError
            If the question names a state that its variable does not have.
        """
        self.raise_for_status()
        available = read_available(distributions, self.sources, self.observed)
        self._check_states(available)
        whole, condition = self.found.whole, self.found.condition
        assert whole is not None
        assert condition is not None
        writer = Writer(self.observed)
        self._check_occurs(available, writer)
        below = value_of(condition, available, writer)
        parts = [value_of(((1, p),), available, writer) for p in self.found.divisors]
        if min([below, *parts]) <= 0:
            raise ConditioningError(self._never())
        return value_of(whole, available, writer) / below

    __call__ = evaluate

    def _check_occurs(self, available: Available, writer: Writer) -> None:
        """Raise if what is given is known never to occur."""
        known = self.found.given
        if not self.given or known is None:
            return
        try:
            mass = value_of(((1, known),), available, writer)
        except PositivityError:
            # more support than the answer itself needs, so nothing is known
            return
        if mass <= 0:
            raise ConditioningError(self._never())

    def _never(self) -> str:
        return (
            f"the event {listing(self.given, 12)} has probability zero, so nothing can "
            "be said given it. Condition on an event that occurs."
        )

    def _check_states(self, available: Available) -> None:
        """Raise `QueryError` if a state asked about is none of its variable's."""
        claims = (*self.event, *self.given)
        if isinstance(available, dict):
            for table in available.values():
                check_claimed(claims, table.axes)
        else:
            check_claimed(claims, available.states)

    @property
    def query(self) -> str:
        """The question, as text."""
        bar = f" | {', '.join(map(str, self.given))}" if self.given else ""
        return f"P({', '.join(map(str, self.event))}{bar})"

    def _hint(self) -> str:
        """Say that knowing the states could help, where it could."""
        unknown = sorted(
            {claim.potential.name for claim in (*self.event, *self.given)}
            - set(self.states)
        )
        if not unknown:
            return ""
        return f" If {listing(unknown)} has two states, say so (states)."

    def summary(self) -> Table:
        """Verdict, formula and moves."""
        verdict = "identified" if self.identified else "not identified"
        sources = [f"P(V | do({', '.join(s)}))" if s else "P(V)" for s in self.sources]
        answer = (
            f"{self.query} = {self.text()}" if self.identified else self.reason.strip()
        )
        return Table(
            title=f"Identification of {self.query}",
            left=(("Verdict", verdict), ("Rule", self.rule)),
            right=(("Available", ", ".join(sources)), ("Moves", str(len(self.steps)))),
            columns=("move", "result"),
            rows=self.steps,
            notes=(answer,),
        )

    def __repr__(self) -> str:
        if not self.identified:
            return f"{self.query} is not identified"
        return f"{self.query} = {self.text()}"


def identify_counterfactual(
    graph: CausalGraph,
    event: Sequence[Any],
    given: Sequence[Any] = (),
    *,
    experiments: Sequence[Iterable[str]] = (),
    observational: bool = True,
    states: Mapping[str, Sequence[Hashable]] | None = None,
) -> CounterfactualIdentification:
    """Decide whether data determine the probability of an event across worlds.

    Parameters
    ----------
    graph
        What causes what; two-headed arrows and latent variables stand for unobserved
        causes.
    event
        What should hold: triples of a variable, its state and the intervention that
        defines its world, a mapping of variables to states, empty for the actual world.
        In place of a state a pair (variable, intervention) sets a variable to the value
        it has itself in another world.
    given
        What is known to hold, in the same form.
    experiments
        For each experiment whose results are available, the variables it sets (to every
        state); all others are observed in it.
    observational
        Whether the law of all observed variables without intervention is available.
    states
        States of variables. Those known to have two allow one more rule, reported as
        ``rule == "consistency_two_level"``: the graph alone does not imply it.

    Returns
    -------
    CounterfactualIdentification
        With a formula whenever the graph implies one. Two states may imply more than
        is found: the rule is tried on what is asked and given, not on variables that
        are summed over.

    Raises
    ------
    QueryError
        If a name is unknown or latent, a state is none of those in ``states``, or
        nothing is asked.
    ConditioningError
        If what is given contradicts itself, so that it holds in no model.

    Notes
    -----
    An event that contradicts itself has probability zero, which is no error.

    References
    ----------
    Correa, Lee and Bareinboim (2021), *Nested counterfactual identification from
    arbitrary surrogate experiments*; Shpitser and Pearl (2008), *Complete
    identification methods for the causal hierarchy*.

    Examples
    --------
    The effect of treatment on the treated, through a mediator:

    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Z -> Y; X <-> Y")
    >>> dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], [("X", 0)])
    P(Y[X=1]=1 | X=0) = sum_{z} P(y=1 | x=0, z) P(z | x=1)

    A natural direct effect needs a nested value:

    >>> graph = dc.CausalGraph.from_edges("X -> M -> Y; X -> Y")
    >>> dc.identify_counterfactual(graph, [("Y", 1, {"X": 1, "M": ("M", {"X": 0})})])
    P(Y[M=M[X=0], X=1]=1) = sum_{m} P(m | x=0) P(y=1 | x=1, m)
    """
    check_graph(graph)
    asked = tuple(read_claims(graph, "event", event))
    if not asked:
        raise QueryError("event is empty; say what should hold in which world.")
    if not isinstance(states, Mapping | None):
        raise QueryError(
            f"states is {states!r}; give the states of each variable, such as "
            "{'X': (0, 1)}."
        )
    known = {n: check_states(n, s) for n, s in (states or {}).items()}
    check_observed(graph, "states", known)
    among = tuple(read_claims(graph, "given", given))
    check_claimed((*asked, *among), known)
    result = CounterfactualIdentification(
        graph=graph,
        event=asked,
        given=among,
        sources=read_sources(graph, experiments, observational),
        states=known,
    )
    if result.search.pattern(result.given) is None:
        raise ConditioningError(
            f"{listing(result.given, 12)} contradict each other, so they hold together "
            "in no model and nothing can be said given them. Condition on an event "
            "that can occur."
        )
    _ = result.found
    return result
