"""Tables of a model from the forms people have them in, or from rows of data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from distcausal.diagrams.channel import Channel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.joint import count_table, number_name, read_rows
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.learned import check_learners, fit_learner
from distcausal.diagrams.rules import check_rows
from distcausal.diagrams.space import Space, Ty, check_states
from distcausal.errors import DataError, ModelError, listing

__all__ = ["fit_tables", "read_tables"]

Tables = dict[str, np.ndarray]
States = dict[str, tuple[Hashable, ...]]


def read_tables(
    full: CausalGraph,
    tables: Mapping[str, Any],
    states: Mapping[str, Sequence[Hashable]],
    atol: float,
) -> tuple[Tables, States]:
    """Arrays with parents first and the variable last, and the states of all."""
    missing = [name for name in full.nodes if name not in tables]
    if missing:
        latent = [name for name in missing if name in full.latent]
        also = f" Latent causes, {listing(latent)}, need laws too." if latent else ""
        raise ModelError(f"there is no table for {listing(missing, 12)}.{also}")
    strangers = [name for name in tables if name not in full.place]
    if strangers:
        raise ModelError(
            f"there is a table for {listing(strangers)}, which is not in the graph; "
            f"its variables are {listing(full.nodes, 12)}."
        )
    known: States = {name: check_states(name, s) for name, s in states.items()}
    arrays: Tables = {}
    for name in full.nodes:
        axes = (*full.parents(name), name)
        arrays[name] = _array(name, tables[name], axes, known)
    for name in full.nodes:
        _check_table(full, name, arrays[name], known, atol)
    return arrays, {name: known[name] for name in full.nodes}


def _array(name: str, table: Any, axes: tuple[str, ...], known: States) -> np.ndarray:
    """Table as an array in the order of the axes; its states join those known."""
    if isinstance(table, Channel):
        _check_axes(name, table.dom.names, axes[:-1], "reads")
        _check_axes(name, table.cod.names, axes[-1:], "makes")
        table = table.labelled()
    if isinstance(table, LabelledArray):
        _check_axes(name, table.names, axes, "has the axes")
        for axis, labels in table.axes.items():
            _learn(known, axis, labels)
        return table.transpose(axes).values
    try:
        array = np.asarray(table, dtype=float)
    except (TypeError, ValueError):
        raise ModelError(
            f"the table of {name!r} is not an array of numbers, a Channel or a "
            "LabelledArray."
        ) from None
    if array.ndim != len(axes):
        raise ModelError(
            f"the table of {name!r} should have an axis for each of "
            f"{listing(axes, 12)}, but has {array.ndim} axes."
        )
    for axis, size in zip(axes, array.shape, strict=True):
        if axis not in known:
            known[axis] = tuple(range(size))
    return array


def _learn(known: States, name: str, labels: tuple[Hashable, ...]) -> None:
    """Take note of states, which are the same in every table."""
    if known.setdefault(name, labels) != labels:
        raise ModelError(
            f"two tables give {name!r} different states: {known[name]} and {labels}."
        )


def _check_axes(
    name: str, found: tuple[str, ...], wanted: tuple[str, ...], verb: str
) -> None:
    if sorted(found) != sorted(wanted):
        raise ModelError(
            f"the table of {name!r} {verb} {listing(found, 12) or 'nothing'}, but by "
            f"the graph it should be {listing(wanted, 12) or 'nothing'}."
        )


def _check_table(
    full: CausalGraph, name: str, array: np.ndarray, known: States, atol: float
) -> None:
    """Raise unless the table has the size its variables call for and rows are laws."""
    axes = (*full.parents(name), name)
    shape = tuple(len(known[axis]) for axis in axes)
    if array.shape != shape:
        raise ModelError(
            f"the table of {name!r} has shape {array.shape}, but "
            f"{listing(axes, 12)} have {listing(shape, 12)} states."
        )
    spaces = [Space(axis, known[axis]) for axis in axes]
    try:
        check_rows(
            array,
            Ty(tuple(spaces[:-1])),
            Ty((spaces[-1],)),
            support=None,
            partial=False,
            atol=atol,
        )
    except DataError as error:
        raise DataError(f"the table of {name!r}: {error}") from None


def fit_tables(
    frame: Any,
    graph: CausalGraph,
    weights: str | None,
    smoothing: float,
    states: Mapping[str, Sequence[Hashable]] | None,
    learners: Mapping[str, Any],
) -> tuple[Tables, States, Tables]:
    """Laws of each variable given its parents, and which were never seen.

    Shares of rows, or for variables with a learner what it predicts everywhere.
    """
    check_learners(learners, graph.nodes)
    if graph.latent or graph.bidirected:
        raise ModelError(
            "tables are shares of observed rows, but the graph has latent causes "
            f"({listing(graph.with_latents().latent)}). Use identify and "
            "estimate_effect, which need none."
        )
    if not smoothing >= 0:
        raise DataError(f"smoothing {smoothing!r} should be 0 or more.")
    if weights is None:
        weights = number_name(read_rows(frame).columns, graph.nodes)
    tables: Tables = {}
    unseen: Tables = {}
    known: States = {name: tuple(s) for name, s in (states or {}).items()}
    for name in graph.nodes:
        axes = (*graph.parents(name), name)
        columns = [Space(a, known[a]) if a in known else a for a in axes]
        counts = count_table(frame, columns, count=weights)
        known.update(counts.axes)
        if name in learners:
            weighted = weights is not None
            tables[name] = fit_learner(learners[name], counts, weighted)
            continue
        smooth = counts.values + smoothing
        total = smooth.sum(axis=-1, keepdims=True)
        even = np.full_like(smooth, 1.0 / smooth.shape[-1])
        tables[name] = np.where(total > 0, smooth / np.where(total > 0, total, 1), even)
        if not np.all(total > 0):
            unseen[name] = (total[..., 0] == 0).astype(float)
    return tables, known, unseen
