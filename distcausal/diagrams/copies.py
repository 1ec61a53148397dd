"""Copies of variables across worlds: which are one and the same, and what each reads.

A counterfactual question speaks of variables in several worlds, each with some of them
set. In a functional model a variable is fixed by what it reads and by its own noise,
which all worlds share; so two copies that read the same are one variable. Building
copies causes first and keeping each combination once therefore merges all that worlds
have in common, drops interventions without effect, and wires what is nested, such as
the outcome had the mediator been what it would have been without treatment.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.query import check_observed
from distcausal.diagrams.space import Space, plain_state
from distcausal.errors import QueryError

__all__ = ["Claim", "Copies", "Potential", "Wire", "check_claimed", "read_claims"]


@dataclass(frozen=True)
class Potential:
    """The value a variable would have if some variables were set.

    Attributes
    ----------
    name
        The variable.
    setting
        Pairs of a variable and what it is set to, sorted by name: a state, or the value
        that it has itself in another world.
    """

    name: str
    setting: tuple[tuple[str, Hashable | Potential], ...] = ()

    def __str__(self) -> str:
        if not self.setting:
            return self.name
        inside = ", ".join(
            f"{name}={value if isinstance(value, Potential) else repr(value)}"
            for name, value in self.setting
        )
        return f"{self.name}[{inside}]"


@dataclass(frozen=True)
class Claim:
    """That a variable has a state in some world."""

    potential: Potential
    state: Hashable

    def __str__(self) -> str:
        return f"{self.potential}={self.state!r}"


def read_claims(graph: CausalGraph, role: str, claims: Iterable[Any]) -> list[Claim]:
    """Check what a question says to hold, against a graph.

    Parameters
    ----------
    graph
        Graph whose observed variables may be named.
    role
        Name of the argument, for messages.
    claims
        Triples of a variable, a state and an intervention; the last may be left out.

    Raises
    ------
    QueryError
        If a name is unknown or latent, or an entry has another form.
    """
    if isinstance(claims, str | Mapping) or not isinstance(claims, Iterable):
        raise QueryError(f"{role} is {claims!r}; {_FORM}")
    found = []
    for claim in claims:
        if not isinstance(claim, list | tuple) or len(claim) not in (2, 3):
            raise QueryError(f"{role} holds {claim!r}; {_FORM}")
        name, state, *rest = claim
        potential = _potential(graph, role, name, rest[0] if rest else {})
        found.append(Claim(potential, _state(role, state)))
    return found


_FORM = (
    "give a list of triples (variable, state, intervention), such as "
    "[('Y', 1, {'X': 0})]."
)


def _potential(graph: CausalGraph, role: str, name: Any, setting: Any) -> Potential:
    """Value of a variable in the world that a mapping describes."""
    check_observed(graph, role, [name])
    if not isinstance(setting, Mapping):
        raise QueryError(
            f"{role} gives {name!r} the intervention {setting!r}; give a mapping from "
            "variables to states, empty for the actual world."
        )
    pairs: list[tuple[str, Hashable | Potential]] = []
    for at in sorted(setting, key=str):
        check_observed(graph, role, [at])
        value = setting[at]
        if isinstance(value, tuple | list) and len(value) == 2:
            other, inner = value
            if isinstance(inner, Mapping):
                pairs.append((at, _nested(graph, role, at, other, inner)))
                continue
        pairs.append((at, _state(role, value)))
    return Potential(name, tuple(pairs))


def _nested(
    graph: CausalGraph, role: str, at: str, other: Any, inner: Mapping[str, Any]
) -> Potential:
    """Value that a variable takes over from its own copy in another world."""
    if other != at:
        raise QueryError(
            f"{role} sets {at!r} to the value of {other!r} in another world; a "
            "variable can take over only its own value there, "
            f"({at!r}, {dict(inner)!r})."
        )
    return _potential(graph, role, at, inner)


def _state(role: str, state: Any) -> Hashable:
    """State as Python has it, once it is known to be hashable."""
    try:
        plain: Hashable = plain_state(state)
        hash(plain)
    except (TypeError, ValueError):
        raise QueryError(
            f"{role} holds the state {state!r}; states are hashable, such as text or "
            "numbers."
        ) from None
    return plain


def check_claimed(
    claims: Iterable[Claim], known: Mapping[str, Iterable[Hashable]]
) -> None:
    """Raise `QueryError` if claims name a state that its variable does not have.

    Interventions count too, even those that make no difference; variables whose states
    are not known are passed over.
    """
    for name, state in _mentioned(claims):
        if name in known:
            Space(name, tuple(known[name])).position(state)


def _mentioned(claims: Iterable[Claim]) -> Iterable[tuple[str, Hashable]]:
    """Every pair of a variable and a state that claims name."""
    waiting = []
    for claim in claims:
        yield claim.potential.name, claim.state
        waiting.append(claim.potential)
    while waiting:
        for name, value in waiting.pop().setting:
            if isinstance(value, Potential):
                waiting.append(value)
            else:
                yield name, value


@dataclass(frozen=True)
class Wire:
    """A copy of a variable: what its function reads, or the state it is set to.

    Attributes
    ----------
    name
        The variable.
    reads
        Numbers of the copies of its parents, in their order; None for a state.
    state
        The state it is set to, if it is.
    """

    name: str
    reads: tuple[int, ...] | None
    state: Hashable = None


class Copies:
    """All copies that a question needs, causes before effects, each once.

    Parameters
    ----------
    graph
        Which variables each function reads. Noise that is not in the graph belongs to
        each variable and is the same in all worlds.

    Attributes
    ----------
    wires
        The copies; their places number them.
    world
        For each copy, the world for which it was made first, counted from 0.
    """

    def __init__(self, graph: CausalGraph) -> None:
        self.graph = graph
        self.wires: list[Wire] = []
        self.world: list[int] = []
        self._number: dict[Wire, int] = {}
        self._worlds: dict[tuple[tuple[str, int], ...], int] = {(): 0}

    def state(self, name: str, state: Hashable) -> int:
        """Number of the constant that a variable is set to."""
        return self._wire(Wire(name, None, state), 0)

    def of(self, potential: Potential) -> int:
        """Number of the copy with the value asked for."""
        setting = {
            name: self.of(value)
            if isinstance(value, Potential)
            else self.state(name, value)
            for name, value in potential.setting
        }
        world = self._worlds.setdefault(tuple(setting.items()), len(self._worlds))
        graph, masks = self.graph, self.graph.masks
        free = masks.all & ~graph.mask(setting)
        at = dict(setting)
        for place in masks.sorted(masks.ancestors(graph.mask([potential.name]), free)):
            name = graph.nodes[place]
            reads = tuple(at[parent] for parent in graph.parents(name))
            at[name] = self._wire(Wire(name, reads), world)
        return at[potential.name]

    def _wire(self, wire: Wire, world: int) -> int:
        number = self._number.setdefault(wire, len(self.wires))
        if number == len(self.wires):
            self.wires.append(wire)
            self.world.append(world)
        return number

    def causes(self, wires: Iterable[int]) -> list[int]:
        """The copies named and all that they read, directly or not, causes first."""
        found: set[int] = set()
        waiting = list(wires)
        while waiting:
            wire = waiting.pop()
            if wire not in found:
                found.add(wire)
                waiting += self.wires[wire].reads or ()
        return sorted(found)
