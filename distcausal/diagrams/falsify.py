"""Hold a causal graph against data: every statement it makes that data can refute."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np

from distcausal.diagrams.constraints import (
    Independence,
    Invariance,
    independences,
    invariances,
)
from distcausal.diagrams.estimand import Prob
from distcausal.diagrams.falsification import FalsificationTests
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.independence import g_test, shuffled_p_value
from distcausal.diagrams.invariance import differences, wald
from distcausal.diagrams.observations import (
    Rows,
    Sample,
    group_rows,
    known_states,
    read_columns,
)
from distcausal.errors import (
    ComplexityError,
    DesignError,
    InferenceWarning,
    PositivityError,
    check_choice,
    listing,
)
from distcausal.numerics.multiplicity import CORRECTIONS, adjusted

__all__ = ["falsify"]

KINDS = ("independence", "verma")


def falsify(
    frame: Any,
    graph: CausalGraph,
    *,
    weights: Any = None,
    cluster: Any = None,
    kinds: str | Iterable[str] = KINDS,
    correction: str = "holm",
    draws: int = 0,
    seed: int = 0,
    states: Mapping[str, Sequence[Hashable]] | None = None,
) -> FalsificationTests:
    """Test everything that a causal graph implies for observed data.

    Parameters
    ----------
    frame
        One row per observation, a column per observed variable, all with few states;
        any table narwhals reads. A column ``count`` says how many observations a row
        stands for.
    graph
        The graph; latent variables are projected out.
    weights
        Sampling weights: a column's name or an array with one entry per row.
    cluster
        Clusters that observations are drawn in: a column's name or an array.
    kinds
        ``"independence"``: for each pair of variables that some set separates, that
        they are independent given a smallest such set. ``"verma"``: that the law after
        an intervention, where the graph identifies it, is the same whatever the state
        of variables that its formula mentions but it does not depend on; only what
        independences do not imply already.
    correction
        How p-values are adjusted for their number: ``"holm"``, ``"bonferroni"``,
        ``"bh"`` or ``"none"``.
    draws
        Shuffles of one variable within strata of the others, from which p-values of
        independences are computed; with 0 they come from the limiting law. Formulas
        after interventions have no such shuffles; theirs come from the limiting law.
    seed
        Seed of the shuffles.
    states
        States of variables, where not those found in the frame.

    Returns
    -------
    FalsificationTests
        One row per statement with ``constraint``, ``statistic``, ``df``, ``p_value``,
        ``p_adjusted``, ``n`` and ``reason``.

    Raises
    ------
    DataError
        If a column is absent or has gaps.
    DesignError
        If ``draws`` are asked for with weights or clusters, whose rows are not alike.

    Warns
    -----
    InferenceWarning
        If a statement cannot be tested; its row says why.

    Notes
    -----
    Independences are tested by the likelihood ratio within strata, degrees of freedom
    added up over strata without empty rows and columns; with weights or clusters, and
    for the other kind, by a Wald test with the covariance of the plug-in estimate.
    The latter rejects too often where the formula divides by shares of few observations
    (13 % in place of 5 % with 12 degrees of freedom and 2,000 observations in 81 cells,
    5 % with 10,000); merging states helps. Where such a share is zero there is no test.

    What is covered: of independences, one statement per pair that some set separates,
    so that an edge left out by mistake breaks one, unless the law hides it. They do not
    add up to all independences of the graph: three variables of which any two are
    independent may depend on each other. Of constraints after interventions, all on up
    to nine variables, causes included. Inequalities that unobserved causes imply are
    not tested. That the factors of `district_factors` are the same in every order of
    causes follows from the independences of the graph.

    References
    ----------
    Tian and Pearl (2002), *On the testable implications of causal models with hidden
    variables*. Richardson, Evans, Robins and Shpitser (2023), *Annals of Statistics*
    51(1).

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4")
    >>> law = dc.random_model(graph, seed=1).joint().to_frame("count")
    >>> law["count"] = (5000 * law["count"]).round()
    >>> tests = dc.falsify(law, graph)
    >>> tests.constraint[0]
    'V1 _||_ V3 | V2'
    >>> tests.constraint[1]
    'sum_{v2} P(v2 | v1) P(v4 | v1, v2, v3) does not change with v1'
    >>> tests["df"]
    array([2, 2])
    """
    check_graph(graph)
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in wanted:
        check_choice("kinds", kind, KINDS)
    check_choice("correction", correction, CORRECTIONS)
    plain = weights is None and cluster is None
    _check_draws(draws, plain)
    found, complete = _constraints(graph, wanted)
    data = _read(frame, graph, Rows(weights, cluster), states, plain)
    tests = [
        _test(constraint, data, draws, np.random.default_rng([seed, place]))
        for place, constraint in enumerate(found)
    ]
    p_values = np.array([test.p_value for test in tests], dtype=float)
    result = FalsificationTests(
        kind=tuple(one.kind for one in found),
        label=tuple(one.label for one in found),
        constraint=tuple(one.text for one in found),
        statistic=np.array([test.statistic for test in tests], dtype=float),
        df=np.array([test.df for test in tests], dtype=int),
        p_value=p_values,
        p_adjusted=adjusted(p_values, correction),
        n=np.full(len(found), data.sample.n),
        reason=tuple(test.reason for test in tests),
        complete=complete,
        settings={
            "graph": repr(graph),
            "weights": weights if isinstance(weights, str | None) else "an array",
            "cluster": cluster if isinstance(cluster, str | None) else "an array",
            "kinds": wanted,
            "correction": correction,
            "draws": draws,
            "seed": seed,
            "states": data.states,
        },
    )
    _warn_untested(result)
    return result


@dataclass(frozen=True, eq=False)
class _Data:
    """Cells of the data, and whether each observation counts the same."""

    sample: Sample
    states: dict[str, tuple[Hashable, ...]]
    graph: CausalGraph
    plain: bool


class _Tested(NamedTuple):
    statistic: float
    df: int
    p_value: float
    reason: str


def _check_draws(draws: int, plain: bool) -> None:
    if draws < 0:
        raise DesignError(f"draws={draws} should be 0, for no shuffles, or more.")
    if draws and not plain:
        raise DesignError(
            f"draws={draws} asks for shuffles of observations, but with weights or "
            "clusters these are not alike. Leave draws at 0 for a Wald test."
        )


def _constraints(
    graph: CausalGraph, kinds: Sequence[str]
) -> tuple[list[Independence | Invariance], bool]:
    found: list[Independence | Invariance] = []
    complete = True
    if "independence" in kinds:
        found += independences(graph)
    if "verma" in kinds:
        more, complete = invariances(graph)
        found += more
    return found, complete


def _read(
    frame: Any,
    graph: CausalGraph,
    how: Rows,
    states: Mapping[str, Sequence[Hashable]] | None,
    plain: bool,
) -> _Data:
    seen = graph.latent_projection()
    columns = read_columns(frame, seen.nodes, how, "the data")
    known = known_states([columns], states)
    return _Data(group_rows(columns, seen.nodes, known), known, seen, plain)


def _test(
    constraint: Independence | Invariance,
    data: _Data,
    draws: int,
    rng: np.random.Generator,
) -> _Tested:
    """Test of one statement, or why there is none."""
    if isinstance(constraint, Invariance):
        return _compared(constraint, data)
    if not data.plain:
        return _compared(_as_invariance(constraint, data.graph), data)
    names, codes = data.sample.names, data.sample.codes
    one, other = (
        codes[:, names.index(name)] for name in (constraint.one, constraint.other)
    )
    place = data.sample.places(constraint.given, data.states)
    stratum = np.unique(place, return_inverse=True)[1]
    found = g_test(one, other, stratum, data.sample.count)
    if not found.df:
        return _untested(_too_few(constraint, data))
    p_value = found.p_value
    if draws:
        times = data.sample.count.astype(int)
        one, other, stratum = (np.repeat(at, times) for at in (one, other, stratum))
        p_value = shuffled_p_value(one, other, stratum, draws, rng)
    return _Tested(found.statistic, found.df, p_value, "")


def _too_few(constraint: Independence, data: _Data) -> str:
    """Why strata have no table to compare."""
    for name in (constraint.one, constraint.other):
        seen = data.sample.codes[:, data.sample.names.index(name)]
        if len(np.unique(seen)) < 2:
            return f"{name} has the same state in all observations."
    return (
        f"Nowhere among observations with the same {', '.join(constraint.given)} do "
        f"both {constraint.one} and {constraint.other} vary."
    )


def _as_invariance(constraint: Independence, graph: CausalGraph) -> Invariance:
    """The same statement about a conditional probability, for Wald's test."""
    behind = (constraint.other, *constraint.given)
    law = Prob(frozenset((constraint.one,)), frozenset(behind))
    return Invariance(
        (constraint.one,), constraint.given, (constraint.other,), law, graph
    )


def _compared(constraint: Invariance, data: _Data) -> _Tested:
    """Wald's test of an invariance."""
    from scipy.stats import chi2

    others = (*constraint.target, *constraint.fixed)
    try:
        found = wald(
            *differences(
                constraint.formula,
                data.graph,
                others,
                constraint.spare,
                data.sample,
                data.states,
            )
        )
    except (PositivityError, ComplexityError) as fault:
        return _untested(_sentence(fault))
    if found is None:
        return _untested(
            "Some differences have no sampling error: shares are 0 or 1 there."
        )
    statistic, df = found
    if not df:
        return _untested("Nothing in the formula varies in the data.")
    return _Tested(statistic, df, float(chi2.sf(statistic, df)), "")


def _untested(reason: str) -> _Tested:
    return _Tested(nan, 0, nan, reason)


def _sentence(fault: Exception) -> str:
    """Fact of a message, without its remedy and with a capital."""
    text = str(fault).partition(" Merge states")[0].partition(" Cut numeric")[0]
    return text[:1].upper() + text[1:]


def _warn_untested(result: FalsificationTests) -> None:
    gone = [one for one, why in zip(result.label, result.reason, strict=True) if why]
    if gone:
        warnings.warn(
            f"{len(gone)} of {len(result)} statements cannot be tested with these "
            f"data: {listing(gone)}. The column reason says why; merging rare states "
            "often helps.",
            InferenceWarning,
            stacklevel=3,
        )
