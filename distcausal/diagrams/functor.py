"""The functor from diagrams to channels: every box its table, every wire its sum.

A model gives each box of its graph a channel. A diagram over those boxes then denotes a
channel: multiply the tables, identify axes that are one wire, sum over wires that do
not leave. Copying and discarding cost nothing, since a wire read twice is one axis on
two tables, and a wire never read is summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from distcausal.diagrams.box import Box
from distcausal.diagrams.channel import Channel
from distcausal.diagrams.contraction import LARGEST
from distcausal.diagrams.diagram import Diagram, as_diagram
from distcausal.diagrams.masks import bits
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import ComplexityError, ModelError, PositivityError, listing
from distcausal.numerics.tensor import contract, plan

if TYPE_CHECKING:
    from distcausal.diagrams.model import CausalModel

__all__ = ["interpret"]

Tables = Mapping[str, np.ndarray]


def interpret(diagram: object, model: CausalModel) -> Channel:
    """Channel that a diagram denotes in a model; see `CausalModel.interpret`."""
    whole = as_diagram(diagram)
    spaces = [_space(wire, model) for wire in whole.wires]
    dom = Ty(tuple(spaces[wire] for wire in whole.inputs))
    cod = Ty(tuple(spaces[wire] for wire in whole.outputs))
    values = _contracted(whole, spaces, model, model.tables)
    partial = not all(box.causal for box in whole.boxes)
    known = _known_rows(whole, model)
    if known is not None and not dom and not known:
        raise PositivityError(
            f"the diagram {whole!r} rests on laws of {listing(model.unseen)} that "
            "occur in no row of the data. Merge states, or fit with smoothing."
        )
    return Channel(values, dom, cod, partial=partial, atol=model.atol, support=known)


def _contracted(
    whole: Diagram, spaces: list[Space], model: CausalModel, tables: Tables
) -> np.ndarray:
    """Array of a diagram, inputs first, for some tables of its boxes."""
    arrays: list[np.ndarray] = []
    labels: list[tuple[int, ...]] = []
    for node in whole.nodes:
        made = [spaces[wire] for wire in node.outs]
        arrays.append(_values(node.box, made, model, tables))
        labels.append((*node.ins, *node.outs))
    output = []
    fresh = len(spaces)
    # an axis of the answer is one label; a wire that leaves twice needs a copy table
    for wire in (*whole.inputs, *whole.outputs):
        if wire in output:
            arrays.append(np.eye(spaces[wire].size))
            labels.append((wire, fresh))
            output.append(fresh)
            fresh += 1
        else:
            output.append(wire)
    held = {label for axes in labels for label in axes}
    for wire in output:
        if wire < len(spaces) and wire not in held:
            arrays.append(np.ones(spaces[wire].size))
            labels.append((wire,))
    _check_size(arrays, labels, tuple(output), whole)
    return contract(arrays, labels, tuple(output))


def _known_rows(diagram: Diagram, model: CausalModel) -> np.ndarray | None:
    """Input states whose rows rest on laws that a fit has seen; None for all of them.

    The weight of what was never seen comes from the same contraction, with a table that
    is one there and zero elsewhere.
    """
    if not model.unseen:
        return None
    needed = diagram.prune()
    spaces = [_space(wire, model) for wire in needed.wires]
    shape = tuple(spaces[wire].size for wire in needed.inputs)
    known = np.ones(shape, bool)
    for name, rows in model.unseen.items():
        if not any(_runs(box, name) for box in needed.boxes):
            continue
        size = model.tables[name].shape[-1]
        marked = np.repeat(rows[..., None], size, axis=-1)
        weight = _contracted(needed, spaces, model, {**model.tables, name: marked})
        known &= weight.sum(axis=tuple(range(len(shape), weight.ndim))) == 0
    return None if known.all() else known


def _runs(box: Box, name: str) -> bool:
    """Whether a box draws a variable by its law."""
    return box.name == name or name in [made for _, made in box.teeth]


def _check_size(
    arrays: list[np.ndarray],
    labels: list[tuple[int, ...]],
    output: tuple[int, ...],
    diagram: Diagram,
) -> None:
    if not arrays:
        return
    found = plan(labels, [array.shape for array in arrays], output)
    if found.largest > LARGEST:
        raise ComplexityError(
            f"the diagram {diagram!r} needs an array of {found.largest:.3g} entries, "
            f"above the limit of {LARGEST:.3g}. Discard outputs, or plug states into "
            "inputs."
        )


def _space(wire: Space, model: CausalModel) -> Space:
    """Space of the model that a wire stands for."""
    if wire.name not in model.states:
        if wire.states is None:
            raise ModelError(
                f"the diagram has a wire {wire.name!r}, which the model does not know."
            )
        return wire
    known = model.space(wire.name)
    if wire.states is not None and wire.states != known.states:
        raise ModelError(
            f"the wire {wire.name!r} has the states {wire.states}, but in the model "
            f"they are {known.states}."
        )
    return known


def _values(
    box: Box, made: list[Space], model: CausalModel, tables: Tables
) -> np.ndarray:
    """Array of a box: input axes, then output axes."""
    if box.kind == "uniform":
        return np.full(made[0].size, 1.0 / made[0].size)
    if box.kind in ("point", "effect"):
        space = made[0] if box.kind == "point" else _space(box.dom[0], model)
        return (np.arange(space.size) == space.position(box.data)).astype(float)
    if box.kind == "cap":
        return np.eye(made[0].size)
    if box.kind == "cup":
        return np.eye(_space(box.dom[0], model).size)
    if box.kind == "normalised":
        return _normalised(box, model)
    if box.kind == "comb":
        return _comb(box, model, tables)
    return _table(box, model, tables)


def _table(box: Box, model: CausalModel, tables: Tables) -> np.ndarray:
    """Table of the variable a box is named after, axes as the box has its wires."""
    if box.name not in model.full.place:
        raise ModelError(
            f"the model has no box {box.name!r}; its boxes are "
            f"{', '.join(model.full.nodes)}."
        )
    parents = model.full.parents(box.name)
    if sorted(box.dom.names) != sorted(parents) or box.cod.names != (box.name,):
        raise ModelError(
            f"the box {box.name!r} has type {box.dom} -> {box.cod} in the diagram, but "
            f"{Ty(tuple(map(Space, parents)))} -> {box.name} in the model."
        )
    order = [parents.index(name) for name in box.dom.names]
    return tables[box.name].transpose([*order, len(parents)])


def _normalised(box: Box, model: CausalModel) -> np.ndarray:
    """Rows of the diagram inside, each divided by its mass."""
    inside = interpret(box.data, model)
    axes = tuple(range(len(inside.dom), inside.values.ndim))
    total = inside.values.sum(axis=axes, keepdims=True)
    if np.any(total <= 0):
        from distcausal.errors import ConditioningError

        raise ConditioningError(
            f"the diagram {box.data!r} has rows of mass zero, which cannot be "
            "normalised. Condition on events that occur."
        )
    return inside.values / total


def _comb(box: Box, model: CausalModel, tables: Tables) -> np.ndarray:
    """Kernel of the variables a comb makes, its latent causes summed."""
    full = model.full
    made = [output for _, output in box.teeth]
    inner = full.mask(made)
    latent = full.mask(full.latent)
    causes = full.masks.ancestors(inner, inner | latent) & latent
    names = [*made, *(full.nodes[place] for place in bits(causes))]
    labels = [
        tuple(full.place[n] for n in (*full.parents(name), name)) for name in names
    ]
    output = tuple(full.place[name] for name in (*box.dom.names, *box.cod.names))
    arrays = [tables[name] for name in names]
    present = {label for axes in labels for label in axes}
    for name in box.dom.names:
        if full.place[name] not in present:
            arrays.append(np.ones(len(model.states[name])))
            labels.append((full.place[name],))
    return contract(arrays, labels, output)
