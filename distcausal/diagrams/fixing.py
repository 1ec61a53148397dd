"""What one treatment's effect rests on in a graph: whom to weight by whom.

A treatment that shares no unobserved cause with what it leads to is weighted by its law
given its Markov blanket. One that shares none with its children is different on the way
to them only: its descendants outside its district are drawn as if it were set, those
inside as it was. Both follow from an order in which the treatment comes as late as
possible and every variable depends on its district so far and on that district's
parents.

A treatment that does not lead to the outcome changes nothing: then there is no later
variable, whatever lies between, and nothing to weight by.

Source: Bhattacharya, Nabi and Shpitser (2022), with the order chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass

from distcausal.diagrams.identify import Identification
from distcausal.errors import DesignError, listing

__all__ = ["ADJUSTMENT", "DISTRICT", "Roles", "read_roles"]

ADJUSTMENT = ("gformula", "ipw", "aipw")
DISTRICT = ("primal-ipw", "dual-ipw", "apipw")


@dataclass(frozen=True)
class Roles:
    """Variables by what they are to one treatment and one outcome.

    Attributes
    ----------
    outcome, treatment
        Their names.
    blanket
        What to adjust for, where adjusting is enough.
    later
        Treatment and its descendants that lead to the outcome, causes first; none where
        the treatment does not lead there.
    reads
        For each of these, the variables its law is given.
    inside
        Those that share unobserved causes with the treatment, itself included.
    """

    outcome: str
    treatment: str
    blanket: tuple[str, ...]
    later: tuple[str, ...]
    reads: dict[str, tuple[str, ...]]
    inside: frozenset[str]

    @property
    def outside(self) -> tuple[str, ...]:
        """Later variables that share no unobserved cause with the treatment."""
        return tuple(name for name in self.later if name not in self.inside)


def read_roles(found: Identification, method: str) -> Roles:
    """Roles of the variables of a question.

    Raises
    ------
    DesignError
        If the method is not made for this kind of question; the message names the kind.
    """
    query, kind = found.query, found.kind
    wide = method in DISTRICT
    good = ("a-fixable", "p-fixable") if wide else ("a-fixable",)
    if kind not in good:
        remedy = "use method='plugin'"
        if kind == "p-fixable":
            remedy += f" or one of {listing(map(repr, DISTRICT))}"
        raise DesignError(
            f"method {method!r} is for effects of kind {listing(good)}, but {query} is "
            f"{kind}; {remedy}."
        )
    if len(query.do) != 1 or len(query.outcome) != 1 or query.given:
        raise DesignError(
            f"method {method!r} is for one outcome of one treatment without condition, "
            f"but the question is {query}; use method='plugin'."
        )
    graph, masks = found.observed, found.observed.masks
    one = graph.mask(query.do)
    within = masks.ancestors(graph.mask(query.outcome), masks.all)
    if not one & within:
        return Roles(query.outcome[0], query.do[0], (), (), {}, frozenset())
    after = masks.descendants(one, within)
    order = [p for p in masks.sorted(within) if not after >> p & 1]
    order += [p for p in masks.sorted(within) if after >> p & 1]
    reads, sofar = {}, 0
    for place in order:
        sofar |= 1 << place
        own = masks.district(1 << place, sofar)
        pillow = (own | masks.outside_parents(own) & sofar) & ~(1 << place)
        if after >> place & 1:
            reads[graph.nodes[place]] = graph.names(pillow)
    district = masks.district(one, within)
    blanket = (district | masks.outside_parents(district) & within) & ~one
    return Roles(
        outcome=query.outcome[0],
        treatment=query.do[0],
        blanket=graph.names(blanket),
        later=tuple(reads),
        reads=reads,
        inside=frozenset(graph.names(district & after)),
    )
