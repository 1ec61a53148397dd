"""The moves on diagrams, of which every derivation is made.

Each is an object with a name and a side condition that says whether it applies, makes
the move, draws it, and checks on a model what it promises about the numbers.

Moves of copies (sliding, merging and splitting them) are not among them, because wires
that are copied by being read twice leave nothing to move: `copy_laws` says so, law by
law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distcausal.diagrams._rewriting import Interpret, Rewrite, Verdict, numbers
from distcausal.diagrams.box import Box
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.space import Space, Ty
from distcausal.diagrams.splitting import CombSplit
from distcausal.diagrams.structural import Copy, Discard, Id, Swap
from distcausal.diagrams.surgery import Close, Cut, Open, Prune
from distcausal.diagrams.worlds import Determinise, Merge, Twin

__all__ = [
    "Close",
    "CombSplit",
    "CopyLaw",
    "Cut",
    "Determinise",
    "Merge",
    "Normalise",
    "Open",
    "Prune",
    "Rewrite",
    "Twin",
    "Verdict",
    "copy_laws",
]


@dataclass(frozen=True)
class Normalise(Rewrite):
    """Divide what a diagram denotes by its mass, after conditioning.

    The whole diagram becomes one box, since dividing looks at all of it at once; a
    diagram of causal boxes has mass one and stays as it is. Promises that, input by
    input, the array is the one before divided by its sum over the outputs.

    References
    ----------
    Lorenz and Tull (2023), "Causal models in string diagrams".
    """

    name = "normalise"
    side_condition = "the event conditioned on has positive probability"
    promise = "the diagram before, divided by its sum over the outputs"

    def applies(self, diagram: Diagram) -> tuple[bool, str]:
        """Always; the reason says whether anything conditions."""
        strict = [box.name for box in diagram.boxes if not box.causal]
        if not strict:
            return True, "nothing conditions, so the mass is one already"
        return True, f"boxes that condition: {len(strict)}"

    def _moved(self, diagram: Diagram) -> Diagram:
        if all(box.causal for box in diagram.boxes):
            return diagram
        return Box(
            "normalise", diagram.dom, diagram.cod, kind="normalised", data=diagram
        ).diagram

    def _sides(self, diagram: Diagram, interpret: Interpret) -> tuple[Any, Any]:
        before = numbers(interpret(diagram))
        outputs = tuple(range(len(diagram.inputs), before.ndim))
        share = before / before.sum(axis=outputs, keepdims=True)
        return share, interpret(self.apply(diagram))


@dataclass(frozen=True)
class CopyLaw:
    """Two diagrams that the laws of copying make equal, and why no move is needed.

    Attributes
    ----------
    name
        What the move would be called.
    left, right
        Both sides, equal as diagrams.
    reason
        Why they are stored as the same hypergraph.
    """

    name: str
    left: Diagram
    right: Diagram
    reason: str


def copy_laws(space: Space) -> tuple[CopyLaw, ...]:
    """Laws of copying on one space, each with the reason why it is no move.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.diagrams.rewrite import copy_laws
    >>> [law.name for law in copy_laws(dc.Space("A")) if law.left == law.right]
    ['slide', 'merge', 'split', 'cross']
    """
    copy, wire = Copy(space), Id(space)
    box = Box("f", Ty((space,)), Ty((space,))).diagram
    return (
        CopyLaw(
            "slide",
            (box @ wire) >> (wire @ copy),
            (wire @ copy) >> (box @ wire @ wire),
            "a copy has no place along its wire: it is the list of who reads the wire",
        ),
        CopyLaw(
            "merge",
            copy >> (wire @ Discard(space)),
            wire,
            "a copy that is discarded adds no reader to its wire",
        ),
        CopyLaw(
            "split",
            copy >> (copy @ wire),
            copy >> (wire @ copy),
            "copying a copy adds one more reader to the same wire, whichever it was",
        ),
        CopyLaw(
            "cross",
            copy >> Swap(space, space),
            copy,
            "readers of one wire have no order among themselves",
        ),
    )
