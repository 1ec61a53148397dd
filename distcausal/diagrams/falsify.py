"""Hold a causal graph against data: every statement it makes that data can refute."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, check_seed, seed_record
from distcausal._base.session import versions
from distcausal.diagrams.constraints import (
    Independence,
    Invariance,
    independences,
    invariances,
)
from distcausal.diagrams.falsification import FalsificationTests
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.observations import (
    FEW_CLUSTERS,
    Rows,
    check_clusters,
    group_rows,
    known_states,
    read_columns,
)
from distcausal.diagrams.statement_tests import StatementData, Tested, run_test
from distcausal.errors import (
    DesignError,
    InferenceWarning,
    check_choice,
    listing,
)
from distcausal.numerics.multiplicity import CORRECTIONS, adjusted

__all__ = ["falsify"]

KINDS = ("independence", "verma")
_FEW = 20  # states that are never too many
_PER_DF = 3  # clusters for each degree of freedom


def falsify(
    frame: Any,
    graph: CausalGraph,
    *,
    weights: Any = None,
    cluster: Any = None,
    kinds: str | Iterable[str] = KINDS,
    correction: str = "holm",
    draws: int | None = None,
    seed: Seed = 0,
    states: Mapping[str, Sequence[Hashable]] | None = None,
    missing: str = "raise",
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
        independences are computed. By default only where counts are small, up to 9,999,
        fewer where twenty of them reach the statistic or observations are many. With 0
        never. Formulas after interventions have no such shuffles.
    seed
        Seed of the shuffles, a whole number or a JAX key.
    states
        States of variables, where not those found in the frame.
    missing
        ``"raise"`` refuses gaps, ``"drop"`` leaves out the rows that have them.

    Returns
    -------
    FalsificationTests
        One row per statement with ``constraint``, ``statistic``, ``df``, ``p_value``,
        ``p_adjusted``, ``method``, ``n`` and ``reason``.

    Raises
    ------
    DataError
        If a column is absent or has gaps, or there is one cluster.
    DesignError
        If ``draws`` are asked for with weights or clusters, whose rows are not alike,
        or a variable has more than half as many states as there are observations.

    Warns
    -----
    InferenceWarning
        If a statement cannot be tested (its row says why), if clusters are fewer than
        ten or than three per degree of freedom of a Wald test, or if ``draws=0`` and
        counts are too small.

    Notes
    -----
    Independences are tested by the likelihood ratio within strata, degrees of freedom
    added up over strata without empty rows and columns. Counts are small, and shuffled,
    if cells are expected to hold fewer than five observations on average, or if the
    mean of the statistic exceeds its degrees of freedom by more than a tenth of its
    standard deviation, to the next order. With weights or clusters the statistic is
    Pearson's with the corrections of Rao and Scott, which errs on the side of the graph
    where clusters or strata are small: it then rejects less often than it says.

    Formulas after interventions are tested by Wald's statistic with the covariance of
    the plug-in estimate and Hotelling's law for as many units, clusters or effective
    observations as there are. It rejects too often where the formula divides by shares
    of few observations (13 % in place of 5 % with 12 degrees of freedom and 2,000
    observations in 81 cells, 5 % with 10,000) or weights are very unequal (8 to 10 %
    with log-normal ones and 1,000 observations); merging states helps. Where such a
    share is zero there is no test.

    What is covered: of independences, one statement per pair that some set separates,
    so that an edge left out by mistake breaks one, unless the law hides it. They do not
    add up to all independences of the graph: three variables of which any two are
    independent may depend on each other. Of constraints after interventions, all on up
    to nine variables, causes included, unless the graph is so large that the search
    stops before (``complete`` is then false). Inequalities that unobserved causes imply
    are not tested. That the factors of `district_factors` are the same in every order
    of causes follows from the independences of the graph.

    References
    ----------
    Tian and Pearl (2002), *On the testable implications of causal models with hidden
    variables*. Richardson, Evans, Robins and Shpitser (2023), *Annals of Statistics*
    51(1). Rao and Scott (1984), *Annals of Statistics* 12(1), for weights and clusters.
    Besag and Clifford (1991), *Biometrika* 78(2), for shuffles that end early.

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
    check_seed(seed)
    found, complete = _constraints(graph, wanted)
    data = _read(frame, graph, Rows(weights, cluster, missing), states)
    tests = [run_test(statement, data, draws, seed) for statement in found]
    p_values = np.array([test.p_value for test in tests], dtype=float)
    result = FalsificationTests(
        kind=tuple(one.kind for one in found),
        label=tuple(one.label for one in found),
        constraint=tuple(one.text for one in found),
        statistic=np.array([test.statistic for test in tests], dtype=float),
        df=np.array([test.df for test in tests], dtype=int),
        p_value=p_values,
        p_adjusted=adjusted(p_values, correction),
        method=tuple(test.method for test in tests),
        n=np.full(len(found), data.sample.n),
        reason=tuple(test.reason for test in tests),
        complete=complete,
        settings={
            "graph": repr(graph),
            "weights": _written(weights),
            "cluster": _written(cluster),
            "kinds": wanted,
            "correction": correction,
            "draws": draws,
            "seed": seed_record(seed),
            "states": data.states,
            "missing": missing,
            "dropped": data.sample.dropped,
            "versions": versions(),
        },
    )
    _warn(result, tests, data)
    return result


def _check_draws(draws: int | None, plain: bool) -> None:
    whole = isinstance(draws, int | np.integer) and not isinstance(draws, bool)
    if draws is not None and not (whole and draws >= 0):
        raise DesignError(
            f"draws={draws!r} should be a whole number: 0 for no shuffles, or how "
            "many. Leave it out to shuffle only where counts are small."
        )
    if draws and not plain:
        raise DesignError(
            f"draws={draws} asks for shuffles of observations, but with weights or "
            "clusters these are not alike. Leave draws out."
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
) -> StatementData:
    seen = graph.latent_projection()
    columns = read_columns(frame, seen.nodes, how, "the data")
    known = known_states([columns], states)
    _check_states(known, columns.count.sum())
    sample = group_rows(columns, seen.nodes, known)
    check_clusters(sample, "the data")
    plain = how.weights is None and how.cluster is None
    return StatementData(sample, known, seen, plain)


def _check_states(known: Mapping[str, Sequence[Hashable]], n: float) -> None:
    """Raise where hardly two observations share a state: nothing can be counted."""
    many = [
        f"{name} ({len(labels)})"
        for name, labels in known.items()
        if len(labels) > max(_FEW, n / 2)
    ]
    if many:
        raise DesignError(
            "the tests count observations with the same states, so variables should "
            f"have few of them, but {listing(many)} have more than half as many as "
            f"there are observations ({n:.0f}). Cut numeric variables into a few "
            "classes."
        )


def _written(given: Any) -> str | None:
    """A column's name, or that there was an array."""
    return given if isinstance(given, str | None) else "array"


def _warn(result: FalsificationTests, tests: Sequence[Tested], data: Any) -> None:
    gone = [one for one, why in zip(result.label, result.reason, strict=True) if why]
    if gone:
        warnings.warn(
            f"{len(gone)} of {len(result)} statements cannot be tested with these "
            f"data: {listing(gone)}. The column reason says why; merging rare states "
            "often helps.",
            InferenceWarning,
            stacklevel=3,
        )
    small = [
        f"{label} (df {one.df})"
        for label, one in zip(result.label, tests, strict=True)
        if one.small
    ]
    if small:
        warnings.warn(
            f"{data.sample.n} observations are too few for the limiting law of "
            f"{listing(small)}: true statements would be rejected too often. Leave "
            "draws out, for shuffles within strata.",
            InferenceWarning,
            stacklevel=3,
        )
    _warn_few(result, data.sample.clusters)


def _warn_few(result: FalsificationTests, clusters: int | None) -> None:
    """Warn where clusters are few, of themselves or for the degrees of freedom."""
    if clusters is None:
        return
    pairs = zip(result.label, result.method, result.df, strict=True)
    tight = [
        f"{label} (df {df})"
        for label, method, df in pairs
        if method == "Wald" and clusters < _PER_DF * df
    ]
    if clusters < FEW_CLUSTERS or tight:
        for_what = f" for {listing(tight)}" if tight else ""
        warnings.warn(
            f"{clusters} clusters are few{for_what}: p-values are rough and the tests "
            "find little. Merge states, or take finer clusters where that is right.",
            InferenceWarning,
            stacklevel=4,
        )
