"""Whether the data determine an effect, by which formula, and if not, why not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from distcausal._base.fit import Result
from distcausal._base.table import Table
from distcausal.diagrams.fixability import classify
from distcausal.diagrams.formula import Estimand
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.query import Query, read_query
from distcausal.diagrams.render import symbols
from distcausal.diagrams.solve import Answer, solve
from distcausal.errors import DesignError, IdentificationError, QueryError, listing

if TYPE_CHECKING:
    from distcausal.diagrams.derivation import Derivation
    from distcausal.diagrams.hedge import Hedge
    from distcausal.diagrams.labelled import LabelledArray
    from distcausal.diagrams.witness import Witness

__all__ = ["Identification", "identify"]

Names = str | Iterable[str] | None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Identification(Result):
    """The verdict on a query: a formula with its derivation, or why there is none.

    Attributes
    ----------
    graph
        The graph as given.
    query
        The question: outcome, do, given and the available distributions.
    free
        What was asked about variables that the formula mentions but does not depend on:
        ``"average"``, ``"expose"``, or the states they are held at.
    """

    cite_as: ClassVar[str] = "identify"
    graph: CausalGraph
    query: Query
    free: str | Mapping[str, Hashable]

    @cached_property
    def observed(self) -> CausalGraph:
        """Graph over the observed variables, latent ones left out."""
        return self.graph.latent_projection()

    @cached_property
    def answer(self) -> Answer:
        """What the search came to, in full."""
        return solve(self.observed, self.query, self.free)

    @property
    def identified(self) -> bool:
        """Whether the available distributions determine the answer."""
        return self.answer.formula is not None

    @cached_property
    def estimand(self) -> Estimand | None:
        """Formula of the answer; None where there is none."""
        formula = self.answer.formula
        return Estimand(formula, self.query, self.observed) if formula else None

    @property
    def spare(self) -> tuple[str, ...]:
        """Variables that the formula mentions but whose value does not matter.

        That the value does not matter is a testable consequence of the graph.
        """
        return self.answer.free

    @cached_property
    def kind(self) -> str:
        """How hard the effect is: it decides which estimators there are.

        ``"a-fixable"``, ``"p-fixable"``, ``"nested-fixable"``, ``"from experiments"``
        or ``"not identified"``.
        """
        if not self.identified:
            return "not identified"
        return classify(self.observed, self.query, self.answer)

    @cached_property
    def derivation(self) -> Derivation:
        """Rewrites that lead from the observed diagram to the formula, or get stuck."""
        from distcausal.diagrams.derivation import derive

        return derive(self.observed, self.query, self.answer)

    @cached_property
    def hedges(self) -> tuple[Hedge, ...]:
        """What blocks each available distribution; empty where there is a formula."""
        from distcausal.diagrams.hedge import hedges

        return hedges(self.observed, self.answer)

    @property
    def hedge(self) -> Hedge | None:
        """What blocks the first available distribution; None if there is a formula."""
        return self.hedges[0] if self.hedges else None

    @cached_property
    def witness(self) -> Witness | None:
        """Two models of the graph that agree on what is available, not on the answer.

        Latent variables of the graph are left out first (`latent_projection`); the
        models are of what is then the graph, with a latent cause per two-headed arrow.
        Each stands for models of the graph as given, whose latent variables carry
        those causes.

        None where there is a formula. Found by a numerical search the first time.
        """
        if self.identified:
            return None
        from distcausal.diagrams.witness import find_witness

        return find_witness(self.observed, self.query, self.answer)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know before using the formula."""
        return tuple(_notes(self))

    @property
    def positivity(self) -> tuple[str, ...]:
        """What must be positive for the formula to mean anything, as text."""
        return self.estimand.positivity if self.estimand else ()

    def raise_for_status(self) -> None:
        """Raise `IdentificationError` unless there is a formula."""
        if not self.identified:
            raise IdentificationError(_refusal(self))

    def evaluate(
        self,
        distributions: Any,
        *,
        at: Mapping[str, Hashable] | None = None,
        support: str = "raise",
    ) -> LabelledArray:
        """Value of the formula for every state of what is set and given.

        Parameters
        ----------
        distributions
            The observed joint (a `LabelledArray`, a mapping with ``"variables"`` and
            ``"values"``, or rows of data), a `CausalModel`, or a mapping from
            ``"observational"`` and from tuples of the variables set in an experiment to
            such laws; for each state of what an experiment sets its law sums to one.
        at
            States of variables set or given at which alone the answer is wanted.
        support
            ``"raise"`` if the answer divides by zero somewhere, or ``"nan"`` there.

        Returns
        -------
        LabelledArray
            Axes: outcomes, then what is set, then what is given, in the order asked.

        Raises
        ------
        IdentificationError
            If there is no formula.
        PositivityError
            If the formula divides by the probability of an event that never occurs; the
            message names the event.
        """
        self.raise_for_status()
        assert self.estimand is not None
        return self.estimand.evaluate(distributions, at=at, support=support)

    __call__ = evaluate

    def summary(self) -> Table:
        """Verdict, formula, moves and what they assume."""
        verdict = "identified" if self.identified else "not identified"
        formula = self.estimand.text() if self.estimand else "none"
        sources = [
            f"P(V | do({', '.join(s)}))" if s else "P(V)" for s in self.query.sources
        ]
        steps = [(step.name, _shortened(step.after.text())) for step in self.derivation]
        notes = (
            [f"{self._asked()} = {formula}."] if self.identified else [_refusal(self)]
        )
        if self.positivity:
            notes.append(f"Needs {'; '.join(self.positivity)}.")
        return Table(
            title=f"Identification of {self.query}",
            left=(("Verdict", verdict), ("Kind", self.kind)),
            right=(("Available", ", ".join(sources)), ("Moves", str(len(steps)))),
            columns=("move", "result"),
            rows=tuple(steps),
            notes=(*notes, *self.notes),
        )

    def to_latex(self) -> str:
        """Write the formula and the moves that lead to it as displayed mathematics.

        Needs the LaTeX package amsmath. Without a formula, the moves alone.
        """
        return self.derivation.to_latex()

    def _asked(self) -> str:
        """The question, in the letters of the formula."""
        letters = symbols(self.observed.nodes)

        def written(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(letters[name] for name in names)

        asked = replace(
            self.query,
            outcome=written(self.query.outcome),
            do=written(self.query.do),
            given=written(self.query.given),
        )
        return str(asked)

    def __repr__(self) -> str:
        if not self.identified:
            return f"{self.query} is not identified"
        return f"{self._asked()} = {self.estimand!r}"


def _shortened(text: str, most: int = 58) -> str:
    """Cut a text that would make a table wider than a page."""
    return text if len(text) <= most else text[: most - 3] + "..."


def identify(
    graph: CausalGraph,
    outcome: str | Iterable[str],
    do: Names = None,
    given: Names = None,
    *,
    experiments: Sequence[Iterable[str]] = (),
    observational: bool = True,
    free: str | Mapping[str, Hashable] = "average",
) -> Identification:
    """Decide whether data determine the law of outcomes under an intervention.

    Parameters
    ----------
    graph
        What causes what; two-headed arrows and latent variables stand for unobserved
        causes.
    outcome
        Variables whose law is asked for.
    do
        Variables that are set; none for an ordinary probability.
    given
        Variables conditioned on, which the intervention may have changed.
    experiments
        For each experiment whose results are available, the variables it sets (to every
        state); all others are observed in it.
    observational
        Whether the law of all observed variables without intervention is available.
    free
        What to do with variables that the formula mentions but does not depend on:
        ``"average"`` over their law, ``"expose"`` them as further axes (that the values
        agree along them is a test of the graph), or states to hold them at.

    Returns
    -------
    Identification
        With a formula exactly when one exists.

    Raises
    ------
    QueryError
        If a name is unknown, latent or in two roles, or no outcome is named.

    Notes
    -----
    The method is complete: where it finds no formula, two models of the graph agree on
    everything available and differ in the answer (``witness``).

    References
    ----------
    Tian and Pearl (2002); Shpitser and Pearl (2006); Huang and Valtorta (2006); Lee,
    Correa and Bareinboim (2019); as diagrams, Jacobs, Kissinger and Zanasi (2019).

    Examples
    --------
    >>> import distcausal as dc
    >>> napkin = dc.CausalGraph.from_edges("W1->W2->X->Y; W1<->X; W1<->Y")
    >>> found = dc.identify(napkin, "Y", do="X", free="expose")
    >>> found.estimand
    [sum_{w1} P(w1) P(x, y | w1, w2)] / [sum_{w1} P(w1) P(x | w1, w2)]
    >>> dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X").identified
    False
    """
    check_graph(graph)
    query = read_query(graph, outcome, do, given, experiments, observational)
    _check_free(graph, free)
    found = Identification(graph=graph, query=query, free=free)
    if not isinstance(free, str):
        lacking = [
            name
            for name in solve(found.observed, query, "expose").free
            if name not in free
        ]
        if lacking:
            raise QueryError(f"free gives no state for {listing(lacking)}.")
    _ = found.answer
    return found


def _check_free(graph: CausalGraph, free: object) -> None:
    """Raise unless ``free`` is one of its words or maps variables to states."""
    if isinstance(free, Mapping):
        graph.mask(free)
        return
    if free not in ("average", "expose"):
        raise DesignError(
            f"free {free!r} should be 'average', 'expose' or a mapping from variables "
            "to states."
        )


def _notes(found: Identification) -> list[str]:
    """Remarks on treatments without effect, conditions replaced, spare variables."""
    graph, query, answer = found.observed, found.query, found.answer
    notes = []
    masks = graph.masks
    reach = masks.without(into=graph.mask(query.do))
    asked = graph.mask((*query.outcome, *query.given))
    causes = reach.ancestors(asked, masks.all)
    idle = [name for name in query.do if not causes >> graph.place[name] & 1]
    if idle:
        notes.append(f"Setting {listing(idle)} has no effect on what is asked.")
    if answer.moved:
        notes.append(
            f"Seeing {listing(answer.moved)} tells the same here as setting it."
        )
    if answer.free:
        notes.append(
            f"The value of {listing(answer.free)} does not matter; that it does not is "
            "a test of the graph (free='expose')."
        )
    return notes


def _refusal(found: Identification) -> str:
    """Say what stands in the way, and what would remove it."""
    reasons = " ".join(dict.fromkeys(str(hedge) for hedge in found.hedges))
    return (
        f"{found.query} is not identified. {reasons} A variable that carries the whole "
        "effect would identify it too; bounds (effect_bounds) need neither."
    )
