"""Boxes, the operations of diagrams, and nodes, the places where they sit.

A box is a name with a type: what it does is nobody's business until a model says so.
Two properties of it license rewrites, so they are declared here: discarding all that a
causal box makes discards what it reads, and a deterministic box commutes with copying.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from distcausal.diagrams.space import Space, Ty, as_type
from distcausal.errors import SyntaxError_, TypeError_, listing

if TYPE_CHECKING:
    from distcausal.diagrams.diagram import Diagram

__all__ = ["Box", "Node", "first_difference"]

KINDS = (
    "box",
    "uniform",
    "point",
    "effect",
    "comb",
    "cap",
    "cup",
    "normalised",
)


@dataclass(frozen=True)
class Box:
    """An operation that reads wires and makes wires, known by its name.

    Parameters
    ----------
    name
        What it is called. One name stands for one box throughout a diagram.
    dom, cod
        Types of what it reads and makes: a Space, several joined by ``@``, or a list.
    causal
        Discarding all it makes is the same as discarding all it reads. True for
        channels, false for what conditions.
    deterministic
        Copying what it makes is the same as running it twice on copies.
    kind
        ``"box"``; or ``"uniform"``, ``"point"``, ``"effect"``, ``"cap"``, ``"cup"``,
        ``"normalised"``, ``"comb"`` for those with a fixed meaning.
    data
        State of a point or effect; diagram of a normalised box; teeth of a comb, in
        topological order, each a pair of the names it reads and the name it makes.

    Raises
    ------
    SyntaxError_
        If the kind is unknown, or teeth do not fit the type of a comb.

    Examples
    --------
    >>> import distcausal as dc
    >>> s, t = dc.Space("S"), dc.Space("T")
    >>> dc.Box("smoke", [], s) >> dc.Box("tar", s, t)
    Diagram(I -> T; smoke, tar)
    """

    name: str
    dom: Ty
    cod: Ty
    causal: bool = True
    deterministic: bool = False
    kind: str = "box"
    data: Hashable = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dom", as_type(self.dom))
        object.__setattr__(self, "cod", as_type(self.cod))
        if self.kind not in KINDS:
            raise SyntaxError_(
                f"the kind {self.kind!r} of box {self.name!r} is not one of "
                f"{listing(map(repr, KINDS), len(KINDS))}."
            )
        if self.kind == "comb":
            self._check_teeth()

    @property
    def signature(self) -> str:
        """Type of the box, with what sets it apart from a plain channel."""
        marks = [] if self.causal else ["not causal"]
        marks += ["deterministic"] if self.deterministic else []
        extra = f" ({', '.join(marks)})" if marks else ""
        return f"{self.dom} -> {self.cod}{extra}"

    @property
    def teeth(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Teeth of a comb: the names each reads, and the name it makes."""
        return self.data if self.kind == "comb" else ()  # type: ignore[return-value]

    @property
    def diagram(self) -> Diagram:
        """The diagram that consists of this box."""
        wires = self.dom @ self.cod
        ins = tuple(range(len(self.dom)))
        outs = tuple(range(len(self.dom), len(wires)))
        from distcausal.diagrams.diagram import Diagram

        return Diagram(wires.spaces, (Node(self, ins, outs),), ins, outs)

    def __rshift__(self, other: object) -> Diagram:
        return self.diagram >> other

    def __matmul__(self, other: object) -> Diagram:
        return self.diagram @ other

    def _check_teeth(self) -> None:
        if not isinstance(self.data, tuple):
            raise SyntaxError_(
                f"the comb {self.name!r} should list its teeth as data, each a pair "
                "(names read, name made)."
            )
        known = set(self.dom.names)
        for parents, made in self.teeth:
            if strange := [parent for parent in parents if parent not in known]:
                raise SyntaxError_(
                    f"tooth {made!r} of comb {self.name!r} reads {listing(strange)}, "
                    "neither an input of the comb nor made by an earlier tooth."
                )
            known.add(made)
        made_names = sorted(made for _, made in self.teeth)
        twice = len(known) < len(self.dom) + len(self.teeth)
        if made_names != sorted(self.cod.names) or twice:
            raise SyntaxError_(
                f"the comb {self.name!r} should have one tooth for each of its outputs "
                f"{listing(self.cod.names)}, with names that differ from each other "
                f"and from the inputs; it has teeth for {listing(made_names)}."
            )


@dataclass(frozen=True)
class Node:
    """A box in its place in a diagram.

    Attributes
    ----------
    ins, outs
        Numbers of the wires it reads and makes.
    world
        Which of the parallel worlds of a twinned diagram it belongs to.
    severed
        Wires it read before a cut, drawn as loose ends; without meaning otherwise.
    """

    box: Box
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    world: int = field(default=0, compare=False)
    severed: tuple[int, ...] = field(default=(), compare=False)

    def check(self, wires: tuple[Space, ...]) -> None:
        """Check that the box sits on wires of its own type."""
        for side, kind, at in (
            ("reads", self.box.dom, self.ins),
            ("makes", self.box.cod, self.outs),
        ):
            met = Ty(tuple(wires[wire] for wire in at))
            if met != kind:
                raise TypeError_(
                    f"box {self.box.name!r} {side} {kind}, but its wires are {met}; "
                    f"{first_difference(kind, met)}."
                )

    def renumbered(self, number: Mapping[int, int]) -> Node:
        """Give the same node on wires with other numbers; lost loose ends drop out."""
        return Node(
            self.box,
            tuple(number[wire] for wire in self.ins),
            tuple(number[wire] for wire in self.outs),
            self.world,
            tuple(number[wire] for wire in self.severed if wire in number),
        )


def first_difference(left: Ty, right: Ty) -> str:
    """Where two types differ first, to end a message."""
    for place, (one, two) in enumerate(zip(left, right, strict=False)):
        if one != two:
            return f"wire {place} is {one!r} against {two!r}"
    return f"{len(left)} wires against {len(right)}"
