"""What a question about an effect may ask, checked once and put into one form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distcausal.diagrams.factor import Source
from distcausal.diagrams.graph import CausalGraph
from distcausal.errors import QueryError, listing

__all__ = ["Query", "check_observed", "read_query", "read_sources", "variables"]


@dataclass(frozen=True)
class Query:
    """The law of some variables under an intervention, among units with given values.

    Attributes
    ----------
    outcome, do, given
        Names, in the order asked.
    sources
        Available distributions: the variables set in each experiment, sorted; the
        observed distribution is the empty tuple, and first.
    """

    outcome: tuple[str, ...]
    do: tuple[str, ...]
    given: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Variables that the answer depends on, outcome first."""
        return (*self.outcome, *self.do, *self.given)

    def __str__(self) -> str:
        behind = [f"do({', '.join(self.do)})"] * bool(self.do) + list(self.given)
        bar = f" | {', '.join(behind)}" if behind else ""
        return f"P({', '.join(self.outcome)}{bar})"


def variables(argument: str, names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Names of a role, once each; one name may come without a list."""
    if names is None:
        return ()
    if not isinstance(names, Iterable):
        raise QueryError(f"{argument} is {names!r}; give names of variables.")
    found = (names,) if isinstance(names, str) else tuple(names)
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise QueryError(f"{argument} names {twice[0]!r} more than once.")
    return found


def read_query(
    graph: CausalGraph,
    outcome: str | Iterable[str],
    do: str | Iterable[str] | None,
    given: str | Iterable[str] | None,
    experiments: Sequence[Iterable[str]],
    observational: bool,
) -> Query:
    """Check a question against a graph.

    Raises
    ------
    QueryError
        If a name is unknown or latent, stands in two roles, no outcome is asked for, or
        no distribution is available.
    """
    roles = {
        "outcome": variables("outcome", outcome),
        "do": variables("do", do),
        "given": variables("given", given),
    }
    if not roles["outcome"]:
        raise QueryError("outcome is empty; name at least one variable to ask about.")
    taken: dict[str, str] = {}
    for role, names in roles.items():
        check_observed(graph, role, names)
        for name in names:
            if name in taken:
                raise QueryError(
                    f"{name!r} is named in {taken[name]} and in {role}; a variable "
                    "has one role in a question."
                )
            taken[name] = role
    sources = read_sources(graph, experiments, observational)
    return Query(**roles, sources=sources)


def check_observed(graph: CausalGraph, role: str, names: Iterable[str]) -> None:
    """Raise `QueryError` for a name that is not there, or not observed."""
    for name in names:
        graph.mask([name])
        if name in graph.latent:
            raise QueryError(
                f"{role} names {name!r}, which is latent; ask about observed "
                f"variables: {listing(graph.observed, 12)}."
            )


def read_sources(
    graph: CausalGraph, experiments: Sequence[Iterable[str]], observational: bool
) -> tuple[Source, ...]:
    """Distributions that are available, the observed one first."""
    if isinstance(experiments, str) or not isinstance(experiments, Iterable):
        raise QueryError(
            f"experiments is {experiments!r}; give a list with the variables of each "
            "experiment, such as [['X']]."
        )
    found: list[Source] = [()] if observational else []
    for experiment in experiments:
        names = variables("experiments", experiment)
        check_observed(graph, "experiments", names)
        found.append(tuple(sorted(names)))
    if not found:
        raise QueryError(
            "there is nothing to learn from: observational is False and experiments "
            "is empty. Name a distribution that is available."
        )
    return tuple(dict.fromkeys(found))
