"""Wires that carry real numbers, and where each lies in a vector.

A finite wire carries a state, a real one a number or a vector. The calculus of diagrams
does not care which, so a real space is a space without states: types, diagrams and the
check that wires meet serve both.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from distcausal.diagrams.space import Space, Ty
from distcausal.errors import SyntaxError_

__all__ = ["Reals", "as_reals", "labels", "slices", "total"]


@dataclass(frozen=True)
class Reals(Space):
    """A space of real vectors with a name.

    Parameters
    ----------
    name
        What the variable is called.
    dimension
        Length of its vectors.

    Raises
    ------
    SyntaxError_
        If the dimension is not a whole number, at least 1, or states are given.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Reals("wage"), dc.Reals("skills", dimension=3)
    (Reals('wage'), Reals('skills', dimension=3))
    """

    dimension: int = 1

    def __post_init__(self) -> None:
        whole = isinstance(self.dimension, int) and not isinstance(self.dimension, bool)
        if self.states is not None or not whole or self.dimension < 1:
            raise SyntaxError_(
                f"the real space {self.name!r} should have a dimension of at least 1 "
                f"and no states; got dimension={self.dimension!r}, states="
                f"{self.states!r}. Finite variables are Space(name, states)."
            )

    def __repr__(self) -> str:
        more = "" if self.dimension == 1 else f", dimension={self.dimension}"
        return f"Reals({self.name!r}{more})"


def as_reals(value: object) -> Ty:
    """Read real wires from a name, a space, a type, or several of these in a list.

    Raises
    ------
    SyntaxError_
        If a space has states, or the value is none of these.
    """
    parts = [value] if isinstance(value, str | Space) else value
    if not isinstance(parts, Ty | list | tuple):
        raise SyntaxError_(
            f"{value!r} is not a list of real wires: give names, or Reals(name, "
            "dimension=2) for vectors."
        )
    return Ty(tuple(_real(part) for part in parts))


def _real(part: object) -> Reals:
    if isinstance(part, Reals):
        return part
    if isinstance(part, str):
        return Reals(part)
    if isinstance(part, Space) and part.states is None:
        return Reals(part.name)
    raise SyntaxError_(
        f"{part!r} is not a real wire: give a name, or Reals(name, dimension=2) for a "
        "vector. Variables with states belong to Channel."
    )


def _wires(wires: Ty) -> tuple[Reals, ...]:
    return cast("tuple[Reals, ...]", wires.spaces)


def slices(wires: Ty) -> list[slice]:
    """Where each wire lies in the vector of all of them."""
    ends = np.cumsum([0, *(wire.dimension for wire in _wires(wires))]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


def total(wires: Ty) -> int:
    """Length of the vector of all wires."""
    return sum(wire.dimension for wire in _wires(wires))


def labels(wires: Ty) -> list[str]:
    """Name of each component: that of its wire, numbered where the wire has several."""
    return [
        wire.name if wire.dimension == 1 else f"{wire.name}[{at}]"
        for wire in _wires(wires)
        for at in range(wire.dimension)
    ]
