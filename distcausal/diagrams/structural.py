"""The diagrams every category of channels has: copies, uniform states, points, effects.

They are wires and boxes of a fixed meaning, so no model has to say what they denote.
Copying, discarding, crossing and doing nothing need no box at all: they are lists of
outputs that repeat, leave out, reorder or keep the inputs.
"""

from __future__ import annotations

from collections.abc import Hashable

from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.space import Space, Ty, as_type
from distcausal.errors import SyntaxError_

__all__ = [
    "Cap",
    "Copy",
    "Cup",
    "Discard",
    "Effect",
    "Id",
    "Point",
    "Swap",
    "Uniform",
]


def Id(space: object) -> Diagram:
    """Wires that nothing happens to.

    Examples
    --------
    >>> import distcausal as dc
    >>> f = dc.Box("f", dc.Space("A"), dc.Space("B"))
    >>> f >> dc.Id(f.cod) == f
    True
    """
    return Copy(space, 1)


def Copy(space: object, n: int = 2) -> Diagram:
    """Copy wires n times; once is the identity and no times is `Discard`.

    Copies of several wires come copy by copy: A and B give A, B, A, B.

    Raises
    ------
    SyntaxError_
        If n is not a whole number, at least 0.

    Examples
    --------
    >>> import distcausal as dc
    >>> a = dc.Space("A")
    >>> dc.Copy(a) >> (dc.Copy(a) @ dc.Id(a)) == dc.Copy(a, 3)
    True
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise SyntaxError_(f"n = {n!r} copies; give a whole number, at least 0.")
    spaces = as_type(space).spaces
    wires = tuple(range(len(spaces)))
    return Diagram(spaces, (), wires, wires * n)


def Discard(space: object) -> Diagram:
    """Forget wires.

    Examples
    --------
    >>> import distcausal as dc
    >>> a = dc.Space("A")
    >>> dc.Copy(a) >> (dc.Id(a) @ dc.Discard(a)) == dc.Id(a)
    True
    """
    return Copy(space, 0)


def Swap(left: object, right: object) -> Diagram:
    """Cross two bundles of wires.

    Examples
    --------
    >>> import distcausal as dc
    >>> a, b = dc.Space("A"), dc.Space("B")
    >>> dc.Swap(a, b) >> dc.Swap(b, a) == dc.Id(a @ b)
    True
    """
    first, second = as_type(left), as_type(right)
    wires = tuple(range(len(first) + len(second)))
    outputs = wires[len(first) :] + wires[: len(first)]
    return Diagram((first @ second).spaces, (), wires, outputs)


def Uniform(space: object) -> Diagram:
    """Uniform state; of several wires, one that is uniform on each by itself.

    Examples
    --------
    >>> import distcausal as dc
    >>> a, b = dc.Space("A"), dc.Space("B")
    >>> dc.Uniform(a @ b) == dc.Uniform(a) @ dc.Uniform(b)
    True
    """
    spaces = as_type(space).spaces
    nodes = tuple(
        Node(Box("uniform", Ty(), each, kind="uniform"), (), (at,))  # type: ignore[arg-type]
        for at, each in enumerate(spaces)
    )
    return Diagram(spaces, nodes, (), tuple(range(len(spaces))))


def Point(space: Space, state: Hashable) -> Diagram:
    """State of certainty.

    Raises
    ------
    QueryError
        If the space has no such state.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Point(dc.Space("S", ("no", "yes")), "yes")
    Diagram(I -> S; yes)
    """
    _check_state(space, state)
    return Box(
        str(state), Ty(), Ty((space,)), deterministic=True, kind="point", data=state
    ).diagram


def Effect(space: Space, state: Hashable) -> Diagram:
    """Condition on a state: what remains is not normalised, and not causal.

    Raises
    ------
    QueryError
        If the space has no such state.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Effect(dc.Space("S", ("no", "yes")), "yes").prune()
    Diagram(S -> I; yes)
    """
    _check_state(space, state)
    return Box(
        str(state), Ty((space,)), Ty(), causal=False, kind="effect", data=state
    ).diagram


def Cap(space: Space) -> Diagram:
    """Bend a wire into two outputs: 1 where both agree, in matrices but no channel.

    Examples
    --------
    >>> from distcausal.diagrams.structural import Cap
    >>> from distcausal.diagrams.space import Space
    >>> Cap(Space("A")).cod.names
    ('A', 'A')
    """
    return Box("cap", Ty(), Ty((space, space)), causal=False, kind="cap").diagram


def Cup(space: Space) -> Diagram:
    """Join two wires: 1 where both agree, in matrices but no channel.

    Examples
    --------
    >>> from distcausal.diagrams.structural import Cup
    >>> from distcausal.diagrams.space import Space
    >>> Cup(Space("A")).dom.names
    ('A', 'A')
    """
    return Box("cup", Ty((space, space)), Ty(), causal=False, kind="cup").diagram


def _check_state(space: Space, state: Hashable) -> None:
    """Check that a state is one of its space, as far as those are known."""
    if space.states is not None:
        space.position(state)
