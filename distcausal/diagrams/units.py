"""Channels as random distributions, and the other way round.

A channel gives a law for every input state; random distributions give a law for every
unit. With one unit per input state they are the same thing, so whatever the package
does with distributions (quantiles, means, distances, mixtures) works on channels, and
data in atoms form can be composed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import product
from math import prod
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.space import Space, Ty, as_type
from distcausal.errors import DataError, QueryError, listing

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.diagrams.channel import Channel

__all__ = ["channel_from_units", "input_units", "unit_places", "units_from_channel"]


def units_from_channel(channel: Channel) -> RandomDistributions:
    """See `Channel.to_distributions`."""
    from distcausal.data.distributions import RandomDistributions

    if channel.partial:
        raise DataError(
            f"units carry laws, but the channel {channel.dom} -> {channel.cod} is "
            "partial: its rows need not sum to 1. Make one with renormalise=True."
        )
    ids, columns = input_units(channel.dom)
    rows = channel.values.reshape(prod(channel.dom.shape), -1)
    return RandomDistributions.from_atoms(
        _labels(_joined(channel.cod)), rows, ids=ids, columns=columns
    )


def input_units(dom: Ty) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Labels and columns of one unit per state of some wires.

    Raises
    ------
    QueryError
        If two wires have one name, which a column cannot share.
    """
    if len(set(dom.names)) < len(dom):
        raise QueryError(
            f"units have a column per input wire, so names should be distinct, but "
            f"are {listing(dom.names, 12)}."
        )
    if not len(dom):
        return None, {}
    places = np.indices(dom.shape).reshape(len(dom), -1)
    columns = {
        space.name: _labels(space.known)[at]
        for space, at in zip(dom, places, strict=True)
    }
    return _labels(_joined(dom)), columns


def channel_from_units(data: RandomDistributions, dom: object, cod: object) -> Channel:
    """See `Channel.from_distributions`."""
    from distcausal.data.atoms import AtomDistributions
    from distcausal.diagrams.channel import Channel

    if not isinstance(data, AtomDistributions):
        raise DataError(
            "a channel needs mass on finitely many values shared by all units, but the "
            f"data are in {data.form} form. Count them in cells of your choice and use "
            "RandomDistributions.from_atoms."
        )
    ins = _input_wires(data) if dom is None else as_type(dom)
    if cod is None:
        outs = as_type(Space("value", tuple(data.support.tolist())))
    else:
        outs = as_type(cod)
    atoms = _matched(data.support.tolist(), _joined(outs), "atoms", outs)
    rows = data.mass[unit_places(data, ins).ravel()][:, atoms]
    return Channel(rows.reshape(ins.shape + outs.shape), ins, outs)


def unit_places(data: RandomDistributions, wires: Ty) -> np.ndarray:
    """Place of the unit that stands for each state of some wires.

    Parameters
    ----------
    data
        Units, with a column per wire, or labels that are the states of a single wire.
    wires
        Whose states are looked for.

    Returns
    -------
    Whole numbers, shape ``wires.shape``.

    Raises
    ------
    DataError
        If the units are not the states, each once.
    """
    if all(name in data.columns for name in wires.names):
        columns = [data.columns[name].tolist() for name in wires.names]
    elif len(wires) == 1:
        columns = [data.ids.tolist()]
    else:
        gone = [name for name in wires.names if name not in data.columns]
        raise DataError(
            f"units should have a column for each wire of {wires}, but there is none "
            f"for {listing(gone)}. Add them with with_columns."
        )
    keys = list(zip(*columns, strict=True)) if len(wires) else [()] * len(data)
    states = list(product(*(_labels(space.known).tolist() for space in wires)))
    return np.array(_matched(keys, states, "units", wires)).reshape(wires.shape)


def _matched(found: list[Any], wanted: list[Any], what: str, wires: Ty) -> list[int]:
    """Place among those found of each one wanted; both have the same members."""
    if what == "atoms":
        wanted = _labels(wanted).tolist()
    place = {key: at for at, key in enumerate(found)}
    missing = [key for key in wanted if key not in place]
    strange = [key for key in found if key not in set(wanted)]
    twice = len(found) - len(place)
    if missing or strange or twice:
        raise DataError(
            f"{what} should be the states of {wires}, each once, but {len(missing)} "
            f"are missing ({listing(map(repr, missing)) or 'none'}), {len(strange)} "
            f"are no states ({listing(map(repr, strange)) or 'none'}) and {twice} are "
            "repeated."
        )
    return [place[key] for key in wanted]


def _input_wires(data: RandomDistributions) -> Ty:
    """Wires named by the columns, or one of the labels where there is no column."""
    if not data.columns:
        return as_type(Space("unit", tuple(data.ids.tolist())))
    wires = []
    for name, column in data.columns.items():
        if column.ndim > 1 or column.dtype.kind == "O":
            raise DataError(
                f"column {name!r} cannot be read as states in order. Say which columns "
                "are inputs and what their states are: dom=Space(name, states)."
            )
        wires.append(Space(name, tuple(np.unique(column).tolist())))
    return Ty(tuple(wires))


def _joined(wires: Ty) -> list[Hashable]:
    """States of all wires together: as they are for one wire, else in one text."""
    if len(wires) == 1:
        return list(wires[0].known)
    return [", ".join(map(str, at)) for at in product(*(s.known for s in wires))]


def _labels(states: Iterable[Hashable]) -> np.ndarray:
    """States as an array of numbers where all are numbers, else of texts."""
    listed = list(states)
    if all(isinstance(state, Real | np.bool_) for state in listed):
        return np.array(listed)
    return np.array([str(state) for state in listed])
