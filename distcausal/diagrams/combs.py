"""Combs: the parts of a joint law that unobserved causes hold together.

Variables joined by unobserved causes cannot be told apart by the joint law, but the
group they form can: it is an operation with several inputs and outputs in time, drawn
as a comb, and surgery acts inside one comb at a time. A joint law is the product of its
combs, each a product of conditional laws taken along any order of causes (Tian and
Pearl 2002; Jacobs, Kissinger and Zanasi 2019 for two teeth).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from distcausal.diagrams.channel import Channel
from distcausal.diagrams.disintegrate import (
    SUPPORT,
    conditional,
    disintegrate,
    name_list,
    never_occurs,
    spaces,
)
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.joint import as_joint
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.masks import Masks, bits
from distcausal.errors import QueryError, check_choice, listing

__all__ = ["comb_disintegrate", "district_factors", "order_violation"]


def comb_disintegrate(
    joint: Any,
    *,
    before: str | Iterable[str],
    through: str | Iterable[str],
    after: str | Iterable[str],
    support: str = "raise",
) -> tuple[Channel, Channel]:
    """Split a joint law into a channel and the comb that it is plugged into.

    With A before, B through and C after, ``g`` is P(b | a) and the comb ``f`` puts out
    A, waits for B and then puts out C: f(a, c | b) = P(a) P(c | a, b). Any law splits
    like this; that an intervention on A leaves ``g`` alone is what a graph claims.

    Parameters
    ----------
    joint
        Joint law in any form that `disintegrate` reads. Variables not named below are
        summed out.
    before, through, after
        Names of the variables of A, of B, of C.
    support
        What to do where an event that is divided by has probability 0: ``"raise"``,
        ``"uniform"`` or ``"nan"``.

    Returns
    -------
    ``(f, g)``: channels from B to A and C, and from A to B. What f says of A does not
    depend on B. Their ``support`` says which rows the joint determines.

    Raises
    ------
    PositivityError
        If ``support="raise"`` and a state of A has probability 0, or a state of A and B
        although that of A has not; the event is named.
    QueryError
        If a variable is named twice or is not there.

    References
    ----------
    Jacobs, Kissinger and Zanasi (2019), *Causal inference by string diagram surgery*.

    Examples
    --------
    >>> import distcausal as dc
    >>> joint = dc.LabelledArray(
    ...     [[[0.5, 0.1], [0.01, 0.02]], [[0.1, 0.05], [0.02, 0.2]]],
    ...     {"S": (0, 1), "T": (0, 1), "C": (0, 1)},
    ... )
    >>> f, g = dc.comb_disintegrate(joint, before="S", through="T", after="C")
    >>> (g >> f.marginal(["C"])).sel(C=1).values.round(6)
    array([0.253478, 0.542297])
    """
    check_choice("support", support, SUPPORT)
    a, b, c = name_list(before), name_list(through), name_list(after)
    name_list([*a, *b, *c])
    table = as_joint(joint)
    gone = [name for name in table.names if name not in (*a, *b, *c)]
    table = table.sum(gone).transpose([*a, *b, *c])
    first = table.sum([*b, *c])
    g = disintegrate(table.sum(c), given=a, support=support)
    ratio, known = conditional(table.values, len(a) + len(b))
    start = first.values.reshape(first.shape + (1,) * (len(b) + len(c)))
    lost = ~known & (first.values > 0).reshape(first.shape + (1,) * len(b))
    if lost.any() and support == "raise":
        raise never_occurs(table, [*a, *b], c, lost)
    if support == "uniform":
        ratio = np.where(np.isnan(ratio), 1 / np.prod(ratio.shape[lost.ndim :]), ratio)
    # Where P(a) is 0 so is f, whatever C would do.
    values = np.where(start > 0, start * ratio, 0.0)
    return _comb(table, values, lost, (a, b, c)), g


def _comb(
    table: LabelledArray,
    values: np.ndarray,
    lost: np.ndarray,
    names: tuple[list[str], list[str], list[str]],
) -> Channel:
    """Channel of an array with axes A, B, C from B to A and C."""
    a, b, c = names
    second = range(len(a), len(a) + len(b))
    order = [*second, *range(len(a)), *range(len(a) + len(b), values.ndim)]
    known = np.asarray(~lost.any(axis=tuple(range(len(a)))))
    return Channel(
        values.transpose(order),
        spaces(table, b),
        spaces(table, [*a, *c]),
        support=None if known.all() else known,
    )


def district_factors(
    joint: Any,
    graph: CausalGraph,
    *,
    order: Iterable[str] | None = None,
    support: str = "raise",
) -> dict[tuple[str, ...], LabelledArray]:
    """Split a joint law into one comb per district of a graph.

    The comb of a district S is Q[S], the law of S when its parents outside are set from
    outside: the product of P(v | Markov blanket of v among the variables before it).

    Parameters
    ----------
    joint
        Joint law over the observed variables of the graph.
    graph
        Where it has unobserved variables it is projected on the observed ones.
    order
        Causes before effects; by default the graph's own order. The factors do not
        depend on it where the joint is one of the graph (see `order_violation`).
    support
        What to do where an event that is divided by has probability 0: ``"raise"``,
        ``"uniform"`` or ``"nan"``.

    Returns
    -------
    Mapping from each district, a tuple of names, to a table with the parents outside as
    first axes and the district as last ones, over which it sums to 1.

    Raises
    ------
    PositivityError
        If ``support="raise"`` and a factor is not determined; the event is named.
    QueryError
        If the variables of joint and graph differ, or the order is not one.

    References
    ----------
    Tian and Pearl (2002), *A general identification condition for causal effects*.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    >>> joint = dc.LabelledArray(
    ...     [[[0.5, 0.1], [0.01, 0.02]], [[0.1, 0.05], [0.02, 0.2]]],
    ...     {"S": (0, 1), "T": (0, 1), "C": (0, 1)},
    ... )
    >>> factors = dc.district_factors(joint, graph)
    >>> {s: q.names for s, q in factors.items()}
    {('S', 'C'): ('T', 'S', 'C'), ('T',): ('S', 'T')}
    """
    check_choice("support", support, SUPPORT)
    seen, table = _matched(joint, graph)
    along = _order(seen, order)
    return {
        seen.names(mask): _factor(table, seen, mask, along, support)
        for mask in seen.masks.districts(seen.masks.all)
    }


def _matched(joint: Any, graph: CausalGraph) -> tuple[CausalGraph, LabelledArray]:
    """Graph over observed variables, and the joint with its axes in their order."""
    seen = graph.latent_projection()
    table = as_joint(joint)
    if sorted(table.names) != sorted(seen.nodes):
        raise QueryError(
            f"the joint law should be over the observed variables of the graph, "
            f"{listing(seen.nodes, 12)}, but is over {listing(table.names, 12)}. Sum "
            "out what is not in the graph."
        )
    return seen, table.transpose(seen.nodes)


def _order(graph: CausalGraph, order: Iterable[str] | None) -> tuple[int, ...]:
    if order is None:
        return graph.masks.order
    along = tuple(order)
    earlier = 0
    for name in along:
        late = graph.mask(graph.parents(name)) & ~earlier
        if late:
            raise QueryError(
                f"order should have causes before effects, but {name!r} comes before "
                f"{listing(graph.names(late))}."
            )
        earlier |= graph.mask(name)
    if sorted(along) != sorted(graph.nodes):
        raise QueryError(
            f"order should name each of {listing(graph.nodes, 12)} once, but is "
            f"{listing(along, 12)}."
        )
    return tuple(graph.place[name] for name in along)


def _blanket(masks: Masks, place: int, earlier: int) -> int:
    """Earlier variables that a variable depends on given all the earlier ones.

    Of these only those in the district of the variable need be known.
    """
    group = masks.district(1 << place, earlier | 1 << place)
    return (group | masks.outside_parents(group)) & ~(1 << place)


def _factor(
    table: LabelledArray,
    graph: CausalGraph,
    district: int,
    along: tuple[int, ...],
    support: str,
) -> LabelledArray:
    """Q of one district, on a grid with one axis per variable, then cut to its own."""
    masks = graph.masks
    factor = np.ones((1,) * len(graph.nodes))
    earlier = 0
    for place in (place for place in along if district >> place & 1):
        around = _blanket(masks, place, earlier)
        law = _conditional_on(table.values, place, around)
        lost = np.isnan(law) & (factor > 0)
        if lost.any() and support == "raise":
            names = list(graph.names(around))
            axes = tuple(i for i in range(lost.ndim) if not around >> i & 1)
            raise never_occurs(table, names, [graph.nodes[place]], lost.any(axis=axes))
        if support == "uniform":
            law = np.where(np.isnan(law), 1 / table.shape[place], law)
        # Where the factor is 0 already it stays so, whatever the law would be.
        factor = np.where(factor == 0, 0.0, factor * law)
        earlier |= 1 << place
    outside = masks.outside_parents(district)
    own = (*graph.names(outside), *graph.names(district))
    shape = tuple(
        size if (district | outside) >> place & 1 else 1
        for place, size in enumerate(table.shape)
    )
    kept = {name: table.axes[name] for name in graph.names(outside | district)}
    values = np.broadcast_to(factor, shape).reshape([len(s) for s in kept.values()])
    return LabelledArray(values, kept).transpose(own)


def _conditional_on(values: np.ndarray, place: int, given: int) -> np.ndarray:
    """P(variable | others) with all axes kept, of length 1 where they play no part."""
    gone = tuple(i for i in range(values.ndim) if i != place and not given >> i & 1)
    both = values.sum(axis=gone, keepdims=True)
    alone = np.broadcast_to(both.sum(axis=place, keepdims=True), both.shape)
    ratio = np.full(both.shape, np.nan)
    np.divide(both, alone, out=ratio, where=alone > 0)
    return ratio


def order_violation(joint: Any, graph: CausalGraph, *, most: int = 500) -> float:
    """How far a joint law is from the independences of its graph, 0 where it has them.

    In a law of the graph, P(v | all earlier variables) depends only on the Markov
    blanket of v among them, whatever the order of causes; then, and only then, are the
    factors of `district_factors` the same in every order, and their product is the
    joint. What is returned is the largest difference of such a probability between
    two states of the other earlier variables: a test of the graph that needs no
    estimate. Constraints that only show after an intervention, as Verma's, are not
    among those tested.

    Parameters
    ----------
    joint
        Joint law over the observed variables of the graph.
    graph
        The graph it is held against.
    most
        How many sets of earlier variables to try. Causes of single variables come
        first, then those of pairs: two variables that some set separates are separated
        by a set of their causes, so these already betray every missing edge.

    Returns
    -------
    A difference of probabilities between 0 and 1; rounding makes it about 1e-16.

    References
    ----------
    Richardson (2003), *Scandinavian Journal of Statistics* 30(1).

    Examples
    --------
    >>> import distcausal as dc
    >>> joint = {"variables": ["A", "B"], "values": [[0.4, 0.1], [0.1, 0.4]]}
    >>> round(dc.order_violation(joint, dc.CausalGraph(nodes=["A", "B"])), 6)
    0.6
    >>> dc.order_violation(joint, dc.CausalGraph([("A", "B")]))
    0.0
    """
    seen, table = _matched(joint, graph)
    masks, worst = seen.masks, 0.0
    for ancestral in islice(masks.ancestral_sets(masks.all), most):
        for last in bits(ancestral):
            if masks.children[last] & ancestral:
                continue
            earlier = ancestral & ~(1 << last)
            law = _conditional_on(table.values, last, earlier)
            other = earlier & ~_blanket(masks, last, earlier)
            low = np.where(np.isnan(law), np.inf, law).min(axis=tuple(bits(other)))
            high = np.where(np.isnan(law), -np.inf, law).max(axis=tuple(bits(other)))
            worst = max(worst, float(np.where(low <= high, high - low, 0.0).max()))
    return worst
