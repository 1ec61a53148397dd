"""The search for a formula of an effect, complete in both directions.

The search: replace what is conditioned on by interventions while a rule of the
do-calculus allows it; keep the ancestors of the outcomes once the treatments are set;
split them into districts; find the kernel of each; multiply, sum, and normalise. A
formula comes out exactly when one exists. Completeness rests on the results of
Shpitser and Pearl (2006) and Lee, Correa and Bareinboim (2019); here it is checked
against the derivatives of the effect in random models.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from distcausal.diagrams.estimand import (
    Even,
    Expression,
    Held,
    Prob,
    Sum,
    product_of,
    ratio_of,
    sum_over,
)
from distcausal.diagrams.factor import Blocked, Found, Source, find_kernel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.masks import bits
from distcausal.diagrams.query import Query

__all__ = ["Answer", "Free", "exchange", "settled", "solve"]

Free = str | Mapping[str, Hashable]


@dataclass(frozen=True)
class Answer:
    """What the search came to.

    Attributes
    ----------
    formula
        The estimand, None where there is none.
    joint
        Formula of the outcomes and the rest of the conditions together, before
        normalising.
    kernels
        Kernel of each district with the moves that led to it.
    blocked
        For the first district without a kernel, why each distribution fails.
    treated
        Variables set, with the conditions that were replaced by interventions.
    moved
        Those conditions, in the order in which they were replaced.
    needed
        Ancestors of the outcomes under the intervention, as bits.
    free
        Variables that a kernel mentions but does not depend on, and that nothing else
        in the formula fixes.
    """

    formula: Expression | None
    joint: Expression | None
    kernels: tuple[Found, ...]
    blocked: tuple[Blocked, ...]
    treated: int
    moved: tuple[str, ...]
    needed: int
    free: tuple[str, ...]


def solve(graph: CausalGraph, query: Query, free: Free) -> Answer:
    """Find the formula of a query, or what stands in its way.

    Parameters
    ----------
    graph
        Graph without unobserved variables of its own.
    query
        The question.
    free
        What to do with variables the kernels mention but do not depend on:
        ``"average"`` over their law, ``"expose"`` them as arguments of the formula, or
        hold them at the states given.
    """
    masks = graph.masks
    outcome = graph.mask(query.outcome)
    treated, given, moved = exchange(graph, query)
    asked = outcome | given
    needed = masks.ancestors(asked, masks.all & ~treated)
    direct = _read_off(graph, query, treated, asked)
    if direct is not None:
        formula = _normalised(graph, direct, outcome, given)
        return Answer(formula, direct, (), (), treated, moved, needed, ())
    kernels: list[Found] = []
    for district in masks.districts(needed):
        found = find_kernel(graph, district, query.sources)
        if not isinstance(found, Found):
            return Answer(None, None, (), tuple(found), treated, moved, needed, ())
        kernels.append(found)
    bound = frozenset(graph.names(needed | treated))
    loose: list[str] = []
    terms = []
    for kernel in kernels:
        spare = sorted(kernel.formula.free - bound, key=graph.place.__getitem__)
        loose += [name for name in spare if name not in loose]
        terms.append(settled(kernel, spare, query.sources, free))
    joint = sum_over(graph.names(needed & ~asked), product_of(terms))
    formula = _normalised(graph, joint, outcome, given)
    return Answer(
        formula, joint, tuple(kernels), (), treated, moved, needed, tuple(loose)
    )


def exchange(graph: CausalGraph, query: Query) -> tuple[int, int, tuple[str, ...]]:
    """Replace conditions by interventions where seeing and doing are the same.

    A condition may become an intervention if, once the treatments are set and its own
    arrows out removed, it tells nothing about the outcomes beyond the other conditions.
    Returns what is then set, what is still conditioned on, and the names replaced.
    """
    masks = graph.masks
    outcome, treated = graph.mask(query.outcome), graph.mask(query.do)
    given = graph.mask(query.given)
    moved: list[str] = []
    again = True
    while again and given:
        again = False
        for place in bits(given):
            one = 1 << place
            cut = masks.without(into=treated, out_of=one)
            if cut.separated(outcome, one, treated | given & ~one):
                treated, given, again = treated | one, given & ~one, True
                moved.append(graph.nodes[place])
                break
    return treated, given, tuple(moved)


def _read_off(
    graph: CausalGraph, query: Query, treated: int, asked: int
) -> Expression | None:
    """The answer itself, where an available distribution holds it as it stands.

    Setting a variable matters only if it leads to what is asked about once the others
    are set, so two interventions that agree there give the same law.
    """
    effective = _effective(graph, treated, asked)
    for source in query.sources:
        fixed = graph.mask(source)
        if fixed == effective and _effective(graph, fixed, asked) == fixed:
            return Prob(frozenset(graph.names(asked)), frozenset(), source)
    return None


def _effective(graph: CausalGraph, treated: int, asked: int) -> int:
    """Variables set that lead to those asked about."""
    masks = graph.masks
    return masks.without(into=treated).ancestors(asked, masks.all) & treated


def settled(
    kernel: Found, spare: Sequence[str], sources: Sequence[Source], free: Free
) -> Expression:
    """Kernel without the variables it mentions but does not depend on."""
    if not spare or free == "expose":
        return kernel.formula
    names = frozenset(spare)
    if not isinstance(free, str):
        held: list[Expression] = [Held(name, free[name]) for name in spare]
        return Sum(names, product_of([*held, kernel.formula]))
    random = names - frozenset(kernel.source)
    weights: list[Expression] = []
    if random:
        weights.append(Prob(random, frozenset(), kernel.source))
    if names - random:
        observed = () in sources
        rest = names - random
        weights.append(Prob(rest) if observed else Even(rest))
    return Sum(names, product_of([*weights, kernel.formula]))


def _normalised(
    graph: CausalGraph, joint: Expression, outcome: int, given: int
) -> Expression:
    """Law of the outcomes given the rest of what the joint formula holds."""
    if not given:
        return joint
    return ratio_of(joint, sum_over(graph.names(outcome), joint))
