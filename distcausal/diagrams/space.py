"""Finite named spaces, the wires of every diagram, and lists of them.

A variable of a causal graph takes values in a finite set with a name. Diagrams compose
where names agree, so the name and the states together are what a wire carries; a type
is a list of wires, and the empty list is the type of a probability without variable.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from distcausal.errors import QueryError, SyntaxError_, TypeError_, listing

__all__ = ["Space", "Ty", "as_type", "check_states", "plain_state"]


@dataclass(frozen=True)
class Space:
    """A finite set of states with a name.

    Parameters
    ----------
    name
        What the variable is called.
    states
        Distinct hashable states in order, at least one; None while they are not known,
        as in the diagrams of a graph before there are data.

    Raises
    ------
    SyntaxError_
        If there is no state, or one occurs twice.

    Examples
    --------
    >>> import distcausal as dc
    >>> smokes = dc.Space("S", ("no", "yes"))
    >>> smokes.size, smokes.position("yes")
    (2, 1)
    """

    name: str
    states: tuple[Hashable, ...] | None = None

    def __post_init__(self) -> None:
        if self.states is not None:
            object.__setattr__(self, "states", check_states(self.name, self.states))

    @property
    def known(self) -> tuple[Hashable, ...]:
        """The states, where they are known.

        Raises
        ------
        QueryError
            If they are not.
        """
        if self.states is None:
            raise QueryError(
                f"the states of {self.name!r} are not known; give Space("
                f"{self.name!r}, states), or ask a model, which knows them."
            )
        return self.states

    @property
    def size(self) -> int:
        """Number of states."""
        return len(self.known)

    @cached_property
    def _positions(self) -> dict[Hashable, int]:
        return {state: place for place, state in enumerate(self.known)}

    def position(self, state: Hashable) -> int:
        """Place of a state, counted from 0.

        Raises
        ------
        QueryError
            If the space has no such state; the message lists those it has.
        """
        try:
            return self._positions[plain_state(state)]
        except (KeyError, TypeError):
            raise QueryError(
                f"{self.name!r} has no state {state!r}; its states are "
                f"{listing(map(repr, self.known), 12)}."
            ) from None

    def __matmul__(self, other: object) -> Ty:
        return Ty((self,)) @ other

    def __rmatmul__(self, other: object) -> Ty:
        return as_type(other) @ self

    def __repr__(self) -> str:
        states = "" if self.states is None else f", {self.states!r}"
        return f"Space({self.name!r}{states})"


def plain_state(state: Any) -> Any:
    """State as Python has it, where it is a number or text of NumPy's."""
    return state.item() if hasattr(state, "item") and hasattr(state, "dtype") else state


def check_states(name: str, states: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Give states as a tuple, once they are known to be a space.

    Raises
    ------
    SyntaxError_
        If there is no state, one occurs twice, or one is not hashable.
    """
    if isinstance(states, str | bytes) or not isinstance(states, Iterable):
        raise SyntaxError_(
            f"the states of {name!r} are {states!r}; give a list of them, such as "
            f"[{states!r}]."
        )
    known = tuple(map(plain_state, states))
    if not known:
        raise SyntaxError_(
            f"the space {name!r} has no states; a variable needs at least one."
        )
    try:
        distinct = len(set(known))
    except TypeError:
        raise SyntaxError_(
            f"the states of {name!r} should be hashable, such as strings or numbers."
        ) from None
    if any(state != state for state in known):
        raise SyntaxError_(
            f"a state of {name!r} is not a number (NaN), which equals nothing, not "
            "even itself. Name what is missing, or leave it out."
        )
    if distinct < len(known):
        twice = {state for state in known if known.count(state) > 1}
        raise SyntaxError_(
            f"the space {name!r} lists {listing(map(repr, twice))} more than once; "
            "each state belongs there once."
        )
    return known


@dataclass(frozen=True)
class Ty:
    """A type: spaces side by side, one per wire; the empty type is ``Ty()``.

    Examples
    --------
    >>> import distcausal as dc
    >>> a, b = dc.Space("A", (0, 1)), dc.Space("B", (0, 1, 2))
    >>> (a @ b).names, (a @ b).shape
    (('A', 'B'), (2, 3))
    """

    spaces: tuple[Space, ...] = ()

    def __post_init__(self) -> None:
        known: dict[str, Space] = {}
        for space in self.spaces:
            if known.setdefault(space.name, space).states != space.states:
                raise TypeError_(
                    f"two spaces are called {space.name!r} but have different states, "
                    f"{known[space.name].states} and {space.states}. Rename one."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each wire; a name may occur more than once."""
        return tuple(space.name for space in self.spaces)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of states of each wire."""
        return tuple(space.size for space in self.spaces)

    def __matmul__(self, other: object) -> Ty:
        return Ty(self.spaces + as_type(other).spaces)

    def __len__(self) -> int:
        return len(self.spaces)

    def __iter__(self) -> Iterator[Space]:
        return iter(self.spaces)

    def __getitem__(self, place: Any) -> Any:
        chosen = self.spaces[place]
        return Ty(chosen) if isinstance(place, slice) else chosen

    def __str__(self) -> str:
        return " @ ".join(self.names) if self.spaces else "I"


def as_type(value: object) -> Ty:
    """Read a type from a space, a type, or spaces in a list.

    Raises
    ------
    SyntaxError_
        If the value is none of these.
    """
    if isinstance(value, Ty):
        return value
    if isinstance(value, Space):
        return Ty((value,))
    if isinstance(value, list | tuple) and all(isinstance(s, Space) for s in value):
        return Ty(tuple(value))
    raise SyntaxError_(
        f"{value!r} is not a type: give a Space, several joined by @, or a list."
    )
