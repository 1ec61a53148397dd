"""How an identified effect is identified, which decides how it can be estimated.

Three nested classes of graphs and treatments. Where the treatment shares no unobserved
cause with its own effects, weighting by its propensity works. Where it shares none with
its children, weighting by the paths through them works. All else that is identified
needs several steps, each a change of measure that the one before made possible.

Source: Bhattacharya, Nabi and Shpitser (2022) for the classes.
"""

from __future__ import annotations

from distcausal.diagrams.estimand import leaves
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.query import Query
from distcausal.diagrams.solve import Answer

__all__ = ["classify"]


def classify(graph: CausalGraph, query: Query, answer: Answer) -> str:
    """Class of an identified effect: the hardest that any of its treatments needs.

    Treatments are taken one after the other, later ones first; one that was taken no
    longer listens to its causes. Where an experiment is used, that is the class.
    """
    assert answer.formula is not None
    if any(leaf.do for leaf in leaves(answer.formula)):
        return "from experiments"
    masks = graph.masks
    asked = graph.mask((*query.outcome, *query.given))
    within = masks.ancestors(asked, masks.all)
    kinds = {"a-fixable"}
    for place in reversed(masks.sorted(answer.treated & within)):
        one = 1 << place
        district = masks.district(one, within)
        if not district & masks.descendants(one, within) & ~one:
            kinds.add("a-fixable")
        elif not district & masks.children[place] & within:
            kinds.add("p-fixable")
        else:
            kinds.add("nested-fixable")
        masks = masks.without(into=one)
    for kind in ("nested-fixable", "p-fixable"):
        if kind in kinds:
            return kind
    return "a-fixable"
