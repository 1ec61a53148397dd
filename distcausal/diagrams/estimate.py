"""An identified effect, estimated from rows of data with standard errors."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, check_seed, seed_record
from distcausal._base.session import versions
from distcausal.diagrams.available import OBSERVED, by_source, called
from distcausal.diagrams.effect_result import EffectResult
from distcausal.diagrams.estimand import leaves
from distcausal.diagrams.factor import Source
from distcausal.diagrams.identify import Identification
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.observations import (
    Columns,
    Rows,
    Sample,
    group_rows,
    known_states,
    read_columns,
)
from distcausal.diagrams.plugin import PlugIn
from distcausal.diagrams.resample import Bootstrap, read_inference, resampled
from distcausal.errors import (
    DataError,
    DesignError,
    InferenceWarning,
    QueryError,
    check_choice,
    listing,
)

__all__ = ["estimate_effect"]

FEW = 5  # observations below which a conditional share is a guess
METHODS = ("plugin",)
Column = str | Sequence[Any] | np.ndarray | None
States = Mapping[str, Sequence[Hashable]] | None


def estimate_effect(
    frame: Any,
    found: Identification,
    method: str = "plugin",
    *,
    weights: Column = None,
    cluster: Column = None,
    inference: str | Bootstrap = "delta",
    states: States = None,
    smoothing: float = 0.0,
    missing: str = "raise",
    seed: Seed = 0,
    progress: bool | None = None,
) -> EffectResult:
    """Estimate the law of outcomes under an intervention from rows of data.

    Parameters
    ----------
    frame
        Any table narwhals reads, one row per observation with a column per variable. A
        column ``"count"``, unless it is a variable, says how many observations a row
        stands for. For a question with experiments, a mapping from ``"observational"``
        and from tuples of the variables set to such tables, which are taken to be
        independent samples.
    found
        What `identify` returned.
    method
        ``"plugin"``: the formula at the shares of the sample, for every identified
        question.
    weights
        Sampling weights: a column's name or an array with an entry per row. Their
        scale does not matter.
    cluster
        Column, or array, that says which rows are dependent.
    inference
        ``"delta"``, ``"bootstrap"``, ``"bayesian"``, or a `Bootstrap` with settings.
    states
        States of variables and their order, where not the sorted labels found.
    smoothing
        Added to the weight of every joint state of the formula's variables; with 0 an
        answer that divides by an event not in the sample is refused.
    missing
        ``"raise"`` if an entry that is needed is missing, or ``"drop"`` those rows.
    seed
        Integer or JAX key, for the bootstrap.
    progress
        Whether to show a bar; None for when it takes long and someone is watching.

    Returns
    -------
    EffectResult
        Estimates for every state of what is set and given.

    Raises
    ------
    IdentificationError
        If the question has no formula.
    PositivityError
        If an answer divides by the share of an event that does not occur.
    DataError
        If columns are absent, have gaps, or weights and counts are none.
    DesignError
        If a setting is not among those listed.

    Notes
    -----
    With shares p of a sample and the formula f(p), the standard errors are those of the
    linear part of f: by the chain rule each unit's contribution follows from the
    derivative of f with respect to each table of shares. For rows drawn independently
    the covariance is exactly that of multinomial counts through this derivative.
    Clusters add their rows' contributions first, with the factor G / (G - 1).

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_causal_model("front-door", n=2000, seed=3)
    >>> found = dc.identify(sim.graph, "Y", do="X")
    >>> fit = dc.estimate_effect(sim.frame, found)
    >>> fit.contrast().tidy()[["estimate", "std_error"]].round(3)
       estimate  std_error
    0     0.072      0.012
    """
    check_choice("method", method, METHODS)
    check_seed(seed)
    how = Rows(weights, cluster, missing)
    bootstrap = read_inference(inference)
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise DesignError(f"smoothing {smoothing!r} should be 0 or more.")
    found.raise_for_status()
    samples, known = _samples(frame, found, how, states)
    assert found.estimand is not None
    plugin = PlugIn(found.estimand, samples, known, float(smoothing))
    fit = plugin.fit()
    notes, draws, covariance = [], None, fit.covariance
    _warn_if_rare(fit.needs, smoothing)
    if bootstrap is not None:
        draws, note = _usable(resampled(plugin, bootstrap, seed, progress))
        covariance = np.cov(draws, rowvar=False).reshape(fit.covariance.shape)
        notes += note
    axes = plugin.axes
    shape = [len(labels) for labels in axes.values()]
    query, counts = found.query, list(samples.values())
    behind = tuple(n for n in axes if n not in (*query.outcome, *query.do))
    clusters = [one.clusters for one in counts if one.clusters is not None]
    return EffectResult(
        estimate=LabelledArray(fit.values.reshape(shape), axes),
        covariance=covariance,
        draws=draws,
        interval="normal" if bootstrap is None else bootstrap.interval,
        outcome=query.outcome,
        do=query.do,
        given=behind,
        of="law",
        query=str(query),
        formula=found.estimand.text(),
        kind=found.kind,
        method=method,
        n=sum(one.n for one in counts),
        n_clusters=sum(clusters) if clusters else None,
        needs=tuple((*need,) for need in fit.needs),
        settings=_settings(method, how, bootstrap, smoothing, seed, counts),
        notes=tuple(notes),
    )


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
        source: read_columns(given[source], sorted(names), how, _named(source))
        for source, names in wanted.items()
    }
    known = known_states(columns.values(), states)
    known.update({n: tuple(s) for n, s in (states or {}).items() if n not in known})
    samples = {
        source: group_rows(one, tuple(sorted(wanted[source])), known)
        for source, one in columns.items()
    }
    for source, sample in samples.items():
        if sample.clusters is not None and sample.clusters < 2:
            raise DataError(
                f"{_named(source)} holds one cluster; between clusters there is then "
                "nothing to learn from. Leave cluster out, or take finer ones."
            )
    return samples, known


def _named(source: Source) -> str:
    return f"the frame of {called(source)}" if source else "the frame"


def _warn_if_rare(needs: Any, smoothing: float) -> None:
    rare = [need for need in needs if need.rows < FEW]
    if rare:
        shown = [f"{n.event} at {n.at} ({n.rows:.0f})" for n in rare]
        raise_or = "" if smoothing else ", or give smoothing a positive value"
        warnings.warn(
            f"the formula divides by probabilities of events with fewer than {FEW} "
            f"observations: {listing(shown)}. Shares among so few are guesses, and "
            f"normal intervals too short; merge states{raise_or}, and see positivity.",
            InferenceWarning,
            stacklevel=3,
        )


def _usable(draws: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Draws in which every answer is defined, and a note on the others."""
    keep = ~np.isnan(draws).any(axis=1)
    lost = int((~keep).sum())
    if not lost:
        return draws, []
    if keep.sum() < 2:
        raise DataError(
            f"in {lost} of {len(keep)} resamples an event that the formula divides by "
            "does not occur. Merge states, give smoothing a positive value, or use "
            "inference='bayesian', where nothing drops out."
        )
    warnings.warn(
        f"in {lost} of {len(keep)} resamples an event that the formula divides by does "
        "not occur; they are left out, which makes intervals too short. Merge states, "
        "or use inference='bayesian'.",
        InferenceWarning,
        stacklevel=3,
    )
    return draws[keep], [f"{lost} of {len(keep)} resamples had no answer."]


def _settings(
    method: str,
    how: Rows,
    bootstrap: Bootstrap | None,
    smoothing: float,
    seed: Seed,
    samples: Sequence[Sample],
) -> dict[str, Any]:
    """Every argument as used."""
    kinds = {"pairs": "bootstrap", "bayesian": "bayesian"}
    return {
        "method": method,
        "weights": _role(how.weights),
        "cluster": _role(how.cluster),
        "inference": "delta" if bootstrap is None else kinds[bootstrap.kind],
        "draws": None if bootstrap is None else bootstrap.draws,
        "interval": "normal" if bootstrap is None else bootstrap.interval,
        "smoothing": float(smoothing),
        "missing": how.missing,
        "dropped": sum(sample.dropped for sample in samples),
        "seed": seed_record(seed),
        "versions": versions(),
    }


def _role(column: Any) -> str | None:
    """A column as it is written down: its name, or that it was an array."""
    return column if isinstance(column, str | None) else "array"
