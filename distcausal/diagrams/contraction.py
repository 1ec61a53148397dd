"""Answers from tables by contraction: keep what matters, slice, multiply, sum.

A network of tables is never multiplied out. For one question only the ancestors of what
is asked and seen matter, evidence that is separated from the question is left out,
tables are cut at the states that are set or seen, and the rest is one contraction whose
order is searched once per form of question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distcausal.diagrams.masks import Masks, bits, mask_of
from distcausal.errors import ComplexityError, listing
from distcausal.numerics.tensor import Plan, plan

__all__ = ["LARGEST", "Network", "Operands", "ask", "check_size", "relevant", "weigh"]

# entries of the largest array a query may build: one gigabyte of float64
LARGEST = 2**27
# label of the leading axis that runs over interventions or draws
_EACH = -1


@dataclass(frozen=True)
class Network:
    """Tables of a directed graph.

    Attributes
    ----------
    masks
        The graph.
    axes
        For each vertex, the vertices on the axes of its table: parents, then itself.
    tables
        For each vertex, its table; with a leading axis where it is listed in ``drawn``.
    sizes
        Number of states of each vertex.
    drawn
        Vertices whose table has a leading axis of draws.
    """

    masks: Masks
    axes: tuple[tuple[int, ...], ...]
    tables: tuple[np.ndarray, ...]
    sizes: tuple[int, ...]
    drawn: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Operands:
    """What a contraction needs: arrays, the labels of their axes, those wanted."""

    arrays: list[np.ndarray]
    labels: list[tuple[int, ...]]
    output: tuple[int, ...]

    def run(self) -> np.ndarray:
        """Multiply and sum."""
        return self.plan.run(*self.arrays) if self.arrays else np.ones(())

    @cached_property
    def plan(self) -> Plan:
        """Order of multiplication, searched and not followed."""
        shapes = [array.shape for array in self.arrays]
        return plan(self.labels, shapes, self.output)


def relevant(masks: Masks, asked: int, opened: int, seen: int) -> tuple[int, int]:
    """Vertices whose tables matter, and the evidence that does.

    ``opened`` are set from outside: their own tables and arrows into them are gone.
    """
    cut = masks.without(into=opened)
    for place in bits(seen):
        others = (seen & ~(1 << place)) | opened
        if cut.separated(asked, 1 << place, others):
            seen &= ~(1 << place)
    needed = cut.ancestors(asked | seen, cut.all) & ~opened
    return needed, seen


def gather(
    network: Network,
    asked: Sequence[int],
    held: Mapping[int, int | np.ndarray],
    kept: Iterable[int],
) -> Operands:
    """Cut the tables kept at the states held, and label what is left.

    ``held`` maps vertices to a place, or to an array with a place per intervention; the
    latter give a leading axis. Axes of other vertices stay open.
    """
    arrays, labels = [], []
    each = bool(network.drawn) or any(np.ndim(at) for at in held.values())
    for place in kept:
        array, axes = network.tables[place], network.axes[place]
        drawn = place in network.drawn
        many = [at for at in axes if at in held and np.ndim(held[at])]
        index: list[Any] = [slice(None)] * (len(axes) + drawn)
        for axis, at in enumerate(axes):
            if at in held:
                index[axis + drawn] = held[at]
        if drawn and many:
            index[0] = np.arange(array.shape[0])
        array = _leading(array, index, bool(many))
        rest = tuple(at for at in axes if at not in held)
        arrays.append(array)
        labels.append(((_EACH, *rest)) if drawn or many else rest)
    output = (_EACH, *asked) if each else tuple(asked)
    present = {label for axes in labels for label in axes}
    for label in output:
        if label not in present:
            size = _count(network, held) if label == _EACH else network.sizes[label]
            arrays.append(np.ones(size))
            labels.append((label,))
    return Operands(arrays, labels, output)


def _leading(array: np.ndarray, index: list[Any], many: bool) -> np.ndarray:
    """Index with arrays of one length, whose axis comes first in the answer.

    NumPy puts that axis first only where the arrays are not next to one another, so
    slices are taken last, on an array whose indexed axes were moved to the front.
    """
    if not many:
        return array[tuple(index)]
    front = [axis for axis, at in enumerate(index) if not isinstance(at, slice)]
    moved = np.moveaxis(array, front, range(len(front)))
    return moved[tuple(index[axis] for axis in front)]


def _count(network: Network, held: Mapping[int, int | np.ndarray]) -> int:
    """Length of the leading axis."""
    for at in held.values():
        if np.ndim(at):
            return len(at)  # type: ignore[arg-type]
    return len(network.tables[next(iter(network.drawn))])


def check_size(operands: Operands, names: Sequence[str], largest: float) -> None:
    """Raise `ComplexityError` before an array too large would be made."""
    found = operands.plan
    if found.largest > largest:
        widest = max(operands.labels, key=len)
        inside = listing(names[at] for at in widest if at != _EACH)
        raise ComplexityError(
            f"the answer needs an array of {found.largest:.3g} entries and "
            f"{found.flops:.3g} operations, above the limit of {largest:.3g} entries. "
            f"Ask about fewer variables at once, or fix some of {inside} by do or "
            "given."
        )


def weigh(
    network: Network,
    asked: Sequence[int],
    opened: Mapping[int, int | np.ndarray],
    seen: Mapping[int, int | np.ndarray],
    seen_axes: Sequence[int],
    open_axes: Sequence[int],
) -> Operands | None:
    """Operands of the probability of all that is seen, where `ask` does not show it.

    None where `ask` keeps all evidence, or where no table that matters holds a zero.
    The axes are those of `ask` without the variables asked about.
    """
    _, held = _kept(network, (*asked, *seen_axes), opened, seen, open_axes)
    if held.keys() >= seen.keys():
        return None
    outside = mask_of(opened) | mask_of(open_axes)
    cut = network.masks.without(into=outside)
    inside = cut.ancestors(mask_of(seen) | mask_of(seen_axes), cut.all) & ~outside
    if all(np.all(network.tables[place] > 0) for place in bits(inside)):
        return None
    places = network.masks.sorted(inside)
    return gather(network, (*seen_axes, *open_axes), {**opened, **seen}, places)


def ask(
    network: Network,
    asked: Sequence[int],
    opened: Mapping[int, int | np.ndarray],
    seen: Mapping[int, int | np.ndarray],
    open_axes: Sequence[int] = (),
) -> Operands:
    """Operands of the joint weight of ``asked`` and the evidence that matters.

    ``opened`` are set to states; ``open_axes`` are set to every state, one axis each,
    after those asked about.
    """
    kept, held = _kept(network, asked, opened, seen, open_axes)
    inside = network.masks.sorted(kept)
    return gather(network, (*asked, *open_axes), held, inside)


def _kept(
    network: Network,
    asked: Sequence[int],
    opened: Mapping[int, int | np.ndarray],
    seen: Mapping[int, int | np.ndarray],
    open_axes: Sequence[int],
) -> tuple[int, dict[int, int | np.ndarray]]:
    """Tables that matter, and the states held in them.

    Evidence that differs between interventions is kept even where it tells nothing,
    for the sake of its axis.
    """
    outside = mask_of(opened) | mask_of(open_axes)
    many = mask_of(at for at, state in seen.items() if np.ndim(state))
    kept, evidence = relevant(
        network.masks, mask_of(asked) | many, outside, mask_of(seen) & ~many
    )
    return kept, {**opened, **{at: seen[at] for at in bits(evidence | many)}}
