"""Interventions as changes of a model: a box replaced, everything else left alone.

Setting a variable replaces its box by a point; a policy replaces it by a channel that
reads what the policy looks at; a shift puts a channel after it. What comes back is a
model again, so interventions compose, and every question can be asked of the result.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.channel import Channel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.space import Ty, as_type
from distcausal.errors import ModelError, QueryError, TypeError_, listing

if TYPE_CHECKING:
    from distcausal.diagrams.model import CausalModel

__all__ = ["replace_boxes", "set_states", "shifted"]


def set_states(model: CausalModel, setting: Mapping[str, Hashable]) -> CausalModel:
    """Model with a point in place of the box of every variable set."""
    points = {}
    for name, state in setting.items():
        _check_observed(model, name)
        space = model.space(name)
        space.position(state)
        mass = np.array([float(known == state) for known in space.known])
        points[name] = Channel(mass, Ty(), as_type(space))
    return _rebuilt(model, points)


def replace_boxes(model: CausalModel, channels: Mapping[str, Channel]) -> CausalModel:
    """Model with other channels in place of the boxes named."""
    for name, channel in channels.items():
        _check_observed(model, name)
        if not isinstance(channel, Channel):
            raise ModelError(
                f"the new box of {name!r} should be a Channel, not a "
                f"{type(channel).__name__}."
            )
        space = model.space(name)
        if channel.cod.spaces != (space,):
            raise TypeError_(
                f"the new box of {name!r} makes {channel.cod}, but should make {space}."
            )
        for wire in channel.dom:
            if wire != model.space(wire.name):
                raise TypeError_(
                    f"the new box of {name!r} reads {wire}, but the model has "
                    f"{model.space(wire.name)}."
                )
        effects = set(model.full.descendants(name))
        caught = [wire for wire in channel.dom.names if wire in effects]
        if caught:
            raise QueryError(
                f"the new box of {name!r} reads {listing(caught)}, an effect of "
                f"{name!r}; an intervention reads what comes before it."
            )
    return _rebuilt(model, channels)


def shifted(model: CausalModel, name: str, kernel: Channel) -> CausalModel:
    """Model in which a channel follows the box of one variable."""
    _check_observed(model, name)
    space = model.space(name)
    if (kernel.dom.spaces, kernel.cod.spaces) != ((space,), (space,)):
        raise TypeError_(
            f"a shift of {name!r} should be a channel from {space} to itself, not "
            f"{kernel.dom} -> {kernel.cod}."
        )
    parents = as_type([model.space(parent) for parent in model.full.parents(name)])
    moved = Channel(model.tables[name], parents, as_type(space), atol=model.atol)
    changed = _rebuilt(model, {name: moved >> kernel})
    # the new law rests on the old one, so what was never seen of that still is not
    return replace(changed, unseen=model.unseen)


def _rebuilt(model: CausalModel, channels: Mapping[str, Channel]) -> CausalModel:
    """Model over the graph in which the channels' inputs are the parents."""
    from distcausal.diagrams.model import CausalModel

    full = model.full
    arrows = [pair for pair in full.directed if pair[1] not in channels]
    for name, channel in channels.items():
        twice = [w for w in channel.dom.names if channel.dom.names.count(w) > 1]
        if twice:
            raise TypeError_(f"the new box of {name!r} reads {twice[0]!r} twice.")
        arrows += [(wire, name) for wire in channel.dom.names]
    graph = CausalGraph(tuple(arrows), (), full.nodes, full.latent)
    tables: dict[str, Any] = {
        name: np.asarray(table) for name, table in model.tables.items()
    }
    tables.update({name: channel.values for name, channel in channels.items()})
    unseen = {n: rows for n, rows in model.unseen.items() if n not in channels}
    return CausalModel(graph, tables, model.states, atol=model.atol, unseen=unseen)


def _check_observed(model: CausalModel, name: str) -> None:
    if name in model.full.latent:
        raise QueryError(
            f"{name!r} is latent and cannot be intervened on; observed variables are "
            f"{listing(model.graph.observed, 12)}."
        )
    model.full.mask([name])
