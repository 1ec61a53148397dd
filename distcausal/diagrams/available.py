"""Available distributions, as the marginal tables that a formula asks for.

A formula mentions the observed distribution and experiments. They come as named arrays,
as rows of data, or from a model; whichever it is, only the marginals in the formula are
taken, so a model of a hundred variables need not be written out.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from distcausal.diagrams.channel import ATOL
from distcausal.diagrams.combs import order_violation
from distcausal.diagrams.estimand import Expression, leaves
from distcausal.diagrams.evaluate import TableKey, Tables, table_axes
from distcausal.diagrams.factor import Source
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.joint import as_joint, count_cells, named_array
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.model import CausalModel
from distcausal.errors import DataError, DataWarning, QueryError, listing

__all__ = ["OBSERVED", "by_source", "called", "read_available", "tables_for"]

OBSERVED = "observational"
# a joint written with ten digits factorises as its graph says up to this
_EXACT = 1e-6
_CHECKED = 2**14  # entries of the largest joint that is held against its graph
Available = dict[Source, LabelledArray] | CausalModel


def read_available(
    distributions: Any, sources: tuple[Source, ...], graph: CausalGraph
) -> Available:
    """Distributions by the variables set in them, each checked to be a law.

    Raises
    ------
    QueryError
        If one is given that the question did not list, or one listed is absent.
    DataError
        If one is not a law.
    """
    if isinstance(distributions, CausalModel):
        return distributions
    given = by_source(distributions, sources)
    found = {source: _law(value, source, graph) for source, value in given.items()}
    if () in found and found[()].values.size <= _CHECKED:
        _check_graph(found[()], graph)
    return found


def by_source(distributions: Any, sources: tuple[Source, ...]) -> dict[Source, Any]:
    """What is given, by the variables set in it; one thing alone is the observed law.

    Raises
    ------
    QueryError
        If something is given that the question did not list.
    """
    named = isinstance(distributions, Mapping) and not {"variables", "values"} <= set(
        distributions
    )
    given = distributions if named else {OBSERVED: distributions}
    found = {() if key == OBSERVED else _source(key): v for key, v in given.items()}
    for source in found:
        if source not in sources:
            raise QueryError(
                f"a distribution was given for {called(source)}, but the question "
                f"lists {listing(map(called, sources))}."
            )
    return found


def _source(key: Any) -> Source:
    return tuple(sorted((key,) if isinstance(key, str) else key))


def called(source: Source) -> str:
    """Name a distribution in a message."""
    return f"the experiment on {', '.join(source)}" if source else "observation"


def _law(value: Any, source: Source, graph: CausalGraph) -> LabelledArray:
    """Table of a distribution; states of what is set are parameters, not random."""
    if not source:
        table = as_joint(value, only=graph.nodes)
    elif isinstance(value, LabelledArray):
        table = value
    elif isinstance(value, Mapping):
        table = named_array(value)
    else:
        table = _shares_by(value, source, graph)
    absent = [name for name in source if name not in table.axes]
    if absent:
        raise DataError(
            f"the distribution of {called(source)} has no axis for {listing(absent)}."
        )
    table = table.sum([name for name in table.names if name not in graph.place])
    if source:
        _check_slices(table, source)
    return table


def _shares_by(frame: Any, source: Source, graph: CausalGraph) -> LabelledArray:
    """Shares of rows for each state of what the experiment set."""
    counts = count_cells(frame, graph.nodes)
    rest = tuple(i for i, n in enumerate(counts.names) if n not in source)
    total = counts.values.sum(axis=rest, keepdims=True)
    if np.any(total == 0):
        raise DataError(
            f"the rows of {called(source)} hold no unit for some states of what was "
            "set; leave those states out, or give the distribution as an array."
        )
    return LabelledArray(counts.values / total, counts.axes)


def _check_slices(table: LabelledArray, source: Source) -> None:
    """Raise unless the law sums to one for every state of what is set."""
    values = table.values
    rest = tuple(i for i, n in enumerate(table.names) if n not in source)
    if np.isnan(values).any() or np.any(values < 0):
        raise DataError(
            f"the distribution of {called(source)} holds NaN or {values.min():.6g}; "
            "probabilities are 0 or more."
        )
    total = values.sum(axis=rest)
    worst = float(np.abs(total - 1).max())
    if worst > ATOL:
        raise DataError(
            f"the distribution of {called(source)} should sum to 1 for every state of "
            f"{', '.join(source)}, but misses it by up to {worst:.3g}."
        )


def _check_graph(table: LabelledArray, graph: CausalGraph) -> None:
    """Warn if the joint does not factorise as the graph says."""
    if set(table.names) != set(graph.nodes):
        return
    violation = order_violation(table, graph)
    if violation > _EXACT:
        warnings.warn(
            f"the joint contradicts the graph by up to {violation:.3g}: conditional "
            "probabilities depend on variables that by the graph they should not. For "
            "shares of a sample this is noise if the tests of falsify do not reject; "
            "otherwise an arrow is missing.",
            DataWarning,
            stacklevel=4,
        )


def tables_for(formula: Expression, available: Available) -> Tables:
    """Marginal tables that a formula mentions.

    Raises
    ------
    QueryError
        If a distribution or a variable it mentions was not given.
    """
    states: dict[str, tuple[Hashable, ...]] = {}
    arrays: dict[TableKey, np.ndarray] = {}
    for leaf in leaves(formula):
        key = leaf.table
        if key in arrays:
            continue
        table = _marginal(key, available)
        arrays[key] = table.values
        for name, labels in table.axes.items():
            if states.setdefault(name, labels) != labels:
                raise DataError(
                    f"two distributions give {name!r} different states: "
                    f"{states[name]} and {labels}. Give both the same, in one order."
                )
    return Tables(arrays, states)


def _marginal(key: TableKey, available: Available) -> LabelledArray:
    source, names = key
    axes = table_axes(key)
    if isinstance(available, CausalModel):
        found = available.query(sorted(names), do=list(source) or None)
        return found.transpose(axes)
    if source not in available:
        raise QueryError(
            f"the formula needs the distribution of {called(source)}, which was not "
            f"given; give it under the key {source or OBSERVED!r}."
        )
    table = available[source]
    absent = [name for name in axes if name not in table.axes]
    if absent:
        raise QueryError(
            f"the formula needs {listing(absent)}, which the distribution of "
            f"{called(source)} lacks; its variables are "
            f"{listing(table.names, 12) or 'none of the graph'}."
        )
    gone = [name for name in table.names if name not in axes]
    return table.sum(gone).transpose(axes)
