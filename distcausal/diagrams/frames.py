"""From frames of data to an estimator: which columns it needs, and in what states."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from distcausal._base.keys import Seed
from distcausal.diagrams.available import OBSERVED, by_source, called
from distcausal.diagrams.estimand import leaves
from distcausal.diagrams.factor import Source
from distcausal.diagrams.fixing import read_roles
from distcausal.diagrams.identify import Identification
from distcausal.diagrams.observations import (
    ROW,
    Columns,
    Rows,
    Sample,
    check_clusters,
    group_rows,
    known_states,
    read_columns,
)
from distcausal.diagrams.plugin import PlugIn
from distcausal.diagrams.weighted import Models, Weighted
from distcausal.diagrams.weighting import laws_needed
from distcausal.errors import DesignError, QueryError, listing

__all__ = ["States", "plugin_of", "weighted_of"]

States = Mapping[str, Sequence[Hashable]] | None


def plugin_of(
    frame: Any, found: Identification, how: Rows, states: States, smoothing: float
) -> PlugIn:
    """The formula, and the samples it mentions."""
    _check_states(found, states)
    samples, known = _samples(frame, found, how, states)
    assert found.estimand is not None
    return PlugIn(found.estimand, samples, known, smoothing)


def weighted_of(
    frame: Any,
    found: Identification,
    method: str,
    how: Rows,
    states: States,
    models: Models,
    seed: Seed,
) -> Weighted:
    """The estimator, and the sample with every variable its models mention."""
    _check_states(found, states)
    roles = read_roles(found, method)
    assert found.estimand is not None
    given = by_source(frame, found.query.sources)
    laws = laws_needed(roles, method)
    names = {roles.outcome, roles.treatment, *laws}.union(*laws.values())
    columns = read_columns(
        given[()], sorted(names), how, "the frame", variables=found.estimand.graph.nodes
    )
    known = known_states([columns], states)
    kept = tuple(sorted(names))
    if models.learned:
        columns, known = _apart(columns, known)
        kept = (*kept, ROW)
    sample = group_rows(columns, kept, known)
    check_clusters(sample, "the frame")
    return Weighted(roles, method, sample, known, models, seed)


def _apart(
    columns: Columns, known: dict[str, tuple[Hashable, ...]]
) -> tuple[Columns, dict[str, tuple[Hashable, ...]]]:
    """Rows as often as they count, told apart by a variable of their own."""
    times = columns.count.astype(int)
    rows = int(times.sum())
    codes = {name: np.repeat(code, times) for name, code in columns.codes.items()}
    cluster = columns.cluster
    apart = Columns(
        {**columns.labels, ROW: list(range(rows))},
        {**codes, ROW: np.arange(rows)},
        np.ones(rows),
        np.repeat(columns.weight, times),
        None if cluster is None else np.repeat(cluster, times),
        columns.dropped,
    )
    return apart, {**known, ROW: tuple(range(rows))}


def _samples(
    frame: Any, found: Identification, how: Rows, states: States
) -> tuple[dict[Source, Sample], dict[str, tuple[Hashable, ...]]]:
    """Samples that the formula needs, and the states of its variables."""
    assert found.estimand is not None
    given = by_source(frame, found.query.sources)
    wanted: dict[Source, set[str]] = {}
    for leaf in leaves(found.estimand.expression):
        wanted.setdefault(leaf.do, set()).update(leaf.free)
    absent = [source for source in wanted if source not in given]
    if absent:
        raise QueryError(
            f"the formula needs rows of {listing(map(called, absent))}; give them "
            f"under {listing(repr(source or OBSERVED) for source in absent)}."
        )
    if len(wanted) > 1 and not all(
        isinstance(one, str | None) for one in (how.weights, how.cluster)
    ):
        raise DesignError(
            "with several frames, weights and cluster should be names of columns."
        )
    # a variable without effect is in no table, but its states are part of the answer
    first = next(iter(wanted))
    idle = set(found.query.axes) - set().union(*wanted.values()) - set(states or {})
    wanted[first] |= idle
    columns: dict[Source, Columns] = {
        source: read_columns(
            given[source],
            sorted(names),
            how,
            _named(source),
            variables=found.estimand.graph.nodes,
        )
        for source, names in wanted.items()
    }
    known = known_states(columns.values(), states)
    known.update({n: tuple(s) for n, s in (states or {}).items() if n not in known})
    samples = {
        source: group_rows(one, tuple(sorted(wanted[source])), known)
        for source, one in columns.items()
    }
    for source, sample in samples.items():
        check_clusters(sample, _named(source))
    return samples, known


def _check_states(found: Identification, states: States) -> None:
    strange = [name for name in states or {} if name not in found.graph.nodes]
    if strange:
        raise QueryError(
            f"states are given of {listing(map(repr, strange))}, but the graph has no "
            f"such variable; it has {listing(found.graph.nodes, 12)}."
        )


def _named(source: Source) -> str:
    return f"the frame of {called(source)}" if source else "the frame"
