"""Which kernels of a causal graph the available distributions determine, and how.

Fix the causes of a set of variables from outside and the set has a joint law: its
kernel. An effect is a contraction of kernels of districts, the sets joined by shared
unobserved causes. A district's kernel is a product of conditional probabilities. From
the kernel of a larger set one gets that of a smaller one by two moves only: discard
variables that nothing kept depends on, and split what remains into its districts. If
neither move is left before the set asked for is reached, no formula exists: the two
nested sets are a hedge.

The moves are recorded, each with the formula it arrives at, so that a derivation can be
told and every step of it checked against models.

Sources: Tian and Pearl (2002) and Huang and Valtorta (2006) for the moves, Shpitser and
Pearl (2006) for the hedge, Lee, Correa and Bareinboim (2019) for several distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distcausal.diagrams.estimand import (
    ONE,
    Expression,
    Prob,
    product_of,
    ratio_of,
    sum_over,
)
from distcausal.diagrams.graph import CausalGraph

__all__ = [
    "Blocked",
    "Found",
    "Move",
    "Source",
    "find_kernel",
    "observed_kernel",
    "split_kernel",
]

Source = tuple[str, ...]


@dataclass(frozen=True)
class Move:
    """One move of a derivation, between kernels of sets of variables.

    Attributes
    ----------
    name
        ``"observe"``, ``"discard"`` or ``"split"``.
    before, after
        The sets whose kernels it starts from and arrives at, as bits.
    formula
        The kernel of ``after`` from the available distribution.
    """

    name: str
    before: int
    after: int
    formula: Expression


@dataclass(frozen=True)
class Found:
    """A kernel and how it was reached: the set, the distribution used, the moves."""

    target: int
    source: Source
    formula: Expression
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Blocked:
    """A kernel that one distribution does not determine.

    ``outer`` is the larger set of the hedge, zero where the experiment sets a variable
    of the set itself; ``moves`` are those made before none was left.
    """

    target: int
    source: Source
    outer: int
    moves: tuple[Move, ...]


def find_kernel(
    graph: CausalGraph, target: int, sources: Sequence[Source]
) -> Found | list[Blocked]:
    """Kernel of a district from the first distribution that determines it.

    Parameters
    ----------
    graph
        Graph without unobserved variables of its own.
    target
        The set, as bits; a district of some subgraph.
    sources
        Available distributions: variables set in each experiment, none for the
        observed one.
    """
    blocked = []
    for source in sources:
        found = _from_source(graph, target, source)
        if isinstance(found, Found):
            return found
        blocked.append(found)
    return blocked


def _from_source(graph: CausalGraph, target: int, source: Source) -> Found | Blocked:
    """Follow the two moves from one distribution to the kernel asked for."""
    masks = graph.masks
    fixed = graph.mask(source)
    if fixed & target:
        return Blocked(target, source, 0, ())
    random = masks.all & ~fixed
    ancestral = masks.ancestors(target, random)
    district = masks.district(target & -target, ancestral)
    formula = observed_kernel(graph, district, ancestral, source)
    moves = [Move("observe", random, ancestral, formula)]
    moves.append(Move("split", ancestral, district, formula))
    while True:
        kept = masks.ancestors(target, district)
        if kept != district:
            formula = sum_over(graph.names(district & ~kept), formula)
            moves.append(Move("discard", district, kept, formula))
        if kept == target:
            return Found(target, source, formula, tuple(moves))
        if kept == district:
            return Blocked(target, source, district, tuple(moves))
        district = masks.district(target & -target, kept)
        if district != kept:
            formula = split_kernel(graph, district, kept, formula)
            moves.append(Move("split", kept, district, formula))


def observed_kernel(
    graph: CausalGraph, district: int, ancestral: int, source: Source
) -> Expression:
    """Kernel of a district as conditional probabilities of an available distribution.

    Each run of its variables that stand together in the order is conditioned on the
    earlier variables that matter: those of its district so far, and their parents.
    """
    masks = graph.masks
    terms: list[Expression] = []
    for run, earlier in _runs(graph, district, ancestral):
        relevant = 0
        upto = earlier
        for place in masks.sorted(run):
            upto |= 1 << place
            joined = masks.district(1 << place, upto)
            relevant |= joined | masks.outside_parents(joined)
        given = relevant & earlier & ~run
        parts = frozenset(graph.names(run)), frozenset(graph.names(given))
        terms.append(Prob(*parts, source))
    return product_of(terms)


def split_kernel(
    graph: CausalGraph, district: int, within: int, formula: Expression
) -> Expression:
    """Kernel of one district of a set from the kernel of the set."""
    terms = []
    for run, earlier in _runs(graph, district, within):
        later = within & ~earlier & ~run
        above = sum_over(graph.names(later), formula)
        below = sum_over(graph.names(run), above) if earlier else ONE
        terms.append(ratio_of(above, below))
    return product_of(terms)


def _runs(graph: CausalGraph, district: int, within: int) -> Iterator[tuple[int, int]]:
    """Stretches of a set that stand together in the order, with what comes before."""
    earlier = run = 0
    for place in graph.masks.sorted(within):
        if district >> place & 1:
            run |= 1 << place
            continue
        if run:
            yield run, earlier
            earlier, run = earlier | run, 0
        earlier |= 1 << place
    if run:
        yield run, earlier
