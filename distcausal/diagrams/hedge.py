"""What stands in the way of a formula: two nested sets that no rewrite tells apart.

When a question has no answer in the available distributions, its reader should see
why, and in the names of the graph. The obstruction is a hedge: a set of variables and a
larger one around it, both held together by unobserved causes, where the added variables
influence the inner ones. What the inner set owes to the added variables and what it
owes to the causes it shares with them then look the same in the data.

Source: Shpitser and Pearl (2006), *Identification of joint interventional
distributions in recursive semi-Markovian causal models*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distcausal._base.fit import Record
from distcausal.diagrams.factor import Blocked, Source
from distcausal.diagrams.masks import union

if TYPE_CHECKING:
    from distcausal.diagrams.graph import CausalGraph
    from distcausal.diagrams.solve import Answer

__all__ = ["Hedge", "hedges"]


@dataclass(frozen=True, eq=False, repr=False)
class Hedge(Record):
    """Why one available distribution does not determine how some variables respond.

    Attributes
    ----------
    outer
        The larger set, joined by unobserved causes and all of it leading to ``inner``;
        empty where the experiment sets variables of ``inner`` itself.
    inner
        The set whose joint response the question needs.
    roots
        Variables of ``inner`` that lead to no other of them.
    source
        Variables set in the distribution concerned; none for the observed one.
    causes
        Pairs in ``outer`` that share an unobserved cause.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> M -> Y; X <-> M")
    >>> hedge = dc.identify(graph, "Y", do="X").hedge
    >>> hedge.outer, hedge.inner
    (('X', 'M'), ('M',))
    """

    outer: tuple[str, ...]
    inner: tuple[str, ...]
    roots: tuple[str, ...]
    source: Source
    causes: tuple[tuple[str, str], ...]

    @property
    def added(self) -> tuple[str, ...]:
        """Variables of the outer set that are not in the inner one."""
        return tuple(name for name in self.outer if name not in self.inner)

    @property
    def remedy(self) -> tuple[str, ...]:
        """Variables an experiment on which shows how the inner set responds.

        Those added, and those set already: without them no larger set is left around
        the inner one that shares causes with it and leads to it. Nothing where the
        experiment sets variables of the inner set itself.
        """
        return (*self.added, *self.source) if self.outer else ()

    def __str__(self) -> str:
        inner = _set(self.inner)
        if not self.outer:
            fixed = [name for name in self.inner if name in self.source]
            return (
                f"The experiment on {_set(self.source)} sets {_set(fixed)}, so it "
                f"does not show how {inner} comes about."
            )
        where = (
            f"in the experiment on {_set(self.source)}"
            if self.source
            else "in what is observed"
        )
        single = len(self.added) == 1
        verb, leads = ("shares", "leads") if single else ("share", "lead")
        pairs = ", ".join(f"{one} <-> {other}" for one, other in self.causes)
        count = "an unobserved cause" if len(self.causes) == 1 else "unobserved causes"
        return (
            f"{_set(self.added)} {verb} {count} with {inner} ({pairs}) and {leads} to "
            f"{'it' if len(self.inner) == 1 else 'them'}; {where}, what is owed to "
            f"{_set(self.added)} and what to the causes look alike. An experiment on "
            f"{_set(self.remedy)} would tell them apart."
        )

    def __repr__(self) -> str:
        return f"Hedge({_set(self.outer)} around {_set(self.inner)}: {self})"


def hedges(graph: CausalGraph, answer: Answer) -> tuple[Hedge, ...]:
    """Read the hedges off an answer without a formula, one per distribution.

    Parameters
    ----------
    graph
        The graph the answer is about, without unobserved variables of its own.
    answer
        What `solve` returned.

    Returns
    -------
    tuple of Hedge
        In the order of the distributions available; empty where there is a formula.
    """
    return tuple(_hedge(graph, blocked) for blocked in answer.blocked)


def _hedge(graph: CausalGraph, blocked: Blocked) -> Hedge:
    masks = graph.masks
    outer, inner = blocked.outer, blocked.target
    leading = union(masks.parents, inner)
    pairs = [
        (one, other)
        for one, other in graph.bidirected
        if graph.mask([one, other]) & outer == graph.mask([one, other])
    ]
    return Hedge(
        graph.names(outer),
        graph.names(inner),
        graph.names(inner & ~leading),
        blocked.source,
        tuple(pairs),
    )


def _set(names: tuple[str, ...] | list[str]) -> str:
    """Names as one set; a single one stands for itself."""
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"
