"""What every move on diagrams has: a name, a condition, a picture, a numerical check.

A derivation is believed because each of its steps can be looked at. So a move is an
object that says when it applies, what it gives, and what it promises about the numbers,
and the promise can be tried on any model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal.diagrams.box import Node
from distcausal.diagrams.diagram import Diagram
from distcausal.errors import QueryError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ROUNDING",
    "Interpret",
    "Rewrite",
    "Verdict",
    "numbers",
    "rebuilt",
    "same_numbers",
]

Interpret = Callable[[Diagram], Any]  # what a diagram denotes
# Sums of a few thousand products of probabilities round at about 1e-13.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Verdict:
    """Whether a promise held on one model.

    Attributes
    ----------
    name
        The move.
    promise
        The two sides compared, in words.
    gap
        Largest absolute difference between them.
    tolerance
        What rounding may account for.
    """

    name: str
    promise: str
    gap: float
    tolerance: float = ROUNDING

    @property
    def holds(self) -> bool:
        """Whether rounding explains the gap; not so when it is not a number."""
        return bool(self.gap <= self.tolerance)


class Rewrite:
    """A move on diagrams; those there are live in `distcausal.diagrams.rewrite`.

    Attributes
    ----------
    name
        What derivations call it.
    side_condition
        What has to be true for the move to preserve what it promises.
    promise
        What `check` compares.
    """

    name: ClassVar[str]
    side_condition: ClassVar[str]
    promise: ClassVar[str]

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Whether the move can be made here, and why or why not."""
        raise NotImplementedError

    def apply(self, diagram: Diagram) -> Diagram:
        """Make the move.

        Raises
        ------
        QueryError
            If it does not apply; the message says why.
        """
        possible, reason = self.applies(diagram)
        if not possible:
            raise QueryError(reason)
        return self._moved(diagram)

    def check(
        self, diagram: Diagram, interpret: Interpret, *, tolerance: float = ROUNDING
    ) -> Verdict:
        """Try the promise of the move on one model.

        Parameters
        ----------
        diagram
            Where the move is made.
        interpret
            Gives what a diagram denotes, such as ``model.interpret``: an array with one
            axis per input, then one per output, or a channel that holds one.
        tolerance
            Largest difference that rounding may explain.
        """
        left, right = self._sides(diagram, interpret)
        return Verdict(self.name, self.promise, same_numbers(left, right), tolerance)

    def draw(self, diagram: Diagram, *, direction: str = "up") -> Figure:
        """Draw the diagram before and after the move, side by side."""
        from distcausal.diagrams._draw import draw_steps

        after = self.apply(diagram)
        steps = [(diagram, "before"), (after, f"after {self}")]
        return draw_steps(steps, direction=direction)

    def __str__(self) -> str:
        return self.name

    def _moved(self, diagram: Diagram) -> Diagram:
        raise NotImplementedError

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        """Both arrays that the promise says are equal; unchanged meaning by default."""
        return interpret(diagram), interpret(self.apply(diagram))


def same_numbers(left: Any, right: Any) -> float:
    """Largest absolute difference of two arrays, infinite if their shapes differ."""
    one, two = numbers(left), numbers(right)
    if one.shape != two.shape:
        return float("inf")
    return float(np.abs(one - two).max(initial=0.0))


def numbers(found: Any) -> np.ndarray:
    """Array of what an interpretation gave: an array, or a channel that holds one."""
    return np.asarray(getattr(found, "values", found), dtype=float)


def rebuilt(
    diagram: Diagram,
    *,
    nodes: Sequence[Node],
    wires: Sequence[Any] = (),
    inputs: Iterable[int] = (),
    moved: dict[int, int] | None = None,
) -> Diagram:
    """Give a diagram with other boxes on its wires, more wires, and more inputs.

    Parameters
    ----------
    diagram
        Where to start from; its own inputs stay.
    nodes
        All boxes of the new diagram.
    wires
        Spaces of wires added after those there are.
    inputs
        Wires that become inputs, after those there are.
    moved
        For an output wire, the wire that leaves in its stead.
    """
    swap = moved or {}
    return Diagram(
        (*diagram.wires, *wires),
        tuple(nodes),
        (*diagram.inputs, *inputs),
        tuple(swap.get(wire, wire) for wire in diagram.outputs),
        diagram.latent,
    )
