"""Two models that nobody can tell apart from the data, with different answers.

That no formula exists is a claim about all models of a graph. A pair of them makes it
plain: both could have produced what is available, down to the last digit, and yet the
effects differ. A reader who doubts the verdict can compute both.

The pair lives on the smallest part of the graph on which the question still has no
formula, found by leaving out arrows and shared causes for as long as it has none;
leaving out an edge only narrows the models, so what holds for the part holds for the
whole graph. Other variables ignore their causes. On the part, the pair is found by
walking along a curve of models with equal data (`witness_search`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.query import Query
from distcausal.diagrams.solve import Answer, solve
from distcausal.diagrams.witness_search import Asked, Family, walk
from distcausal.errors import ConvergenceError, QueryError, listing

if TYPE_CHECKING:
    from distcausal.diagrams.labelled import LabelledArray

__all__ = ["Witness", "find_witness"]

# Share of the first state of a variable that plays no part: neither even, which would
# hide much of a difference among several such outcomes, nor rare.
_IDLE = 0.8
# A gap that nobody takes for rounding; smaller ones do once every start was tried.
_LARGE_GAP, _SMALLEST_GAP = 0.01, 1e-3
# States of unobserved causes, in the order tried.
_STATES = (2, 3, 4)
# Largest log-odds where a search starts, a measure of how variables depend on their
# causes: weak dependences show little, and strong ones leave little room.
_STRENGTHS = (1.0, 2.0, 3.0)


@dataclass(frozen=True, eq=False, repr=False)
class Witness(Record):
    """Two models of a graph with the same data and different answers.

    Unpacks into its models: ``first, second = witness``.

    Attributes
    ----------
    models
        The two models; every probability in them is positive.
    difference
        Bound on the difference between any available probability in the two; what is
        left of rounding.
    answers
        The answer in each, with an axis for every outcome, then every variable set,
        then every condition.
    gap
        Largest difference between the answers.

    Examples
    --------
    >>> import distcausal as dc
    >>> bow = dc.CausalGraph.from_edges("X -> Y; X <-> Y")
    >>> found = dc.identify(bow, "Y", do="X").witness
    >>> first, second = found
    >>> bool(abs(first.joint().values - second.joint().values).max() < 1e-10)
    True
    >>> found.gap > 0.1
    True
    """

    models: tuple[CausalModel, CausalModel]
    difference: float
    answers: tuple[LabelledArray, LabelledArray]
    gap: float

    def __iter__(self) -> Iterator[CausalModel]:
        return iter(self.models)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> CausalModel:
        return self.models[place]

    def __repr__(self) -> str:
        return (
            f"Witness(two models with the same data, up to {self.difference:.1g}, and "
            f"answers {self.gap:.3g} apart)"
        )


def find_witness(
    graph: CausalGraph, query: Query, answer: Answer, seed: int = 0
) -> Witness:
    """Find two models that agree on the data and disagree on the answer.

    Parameters
    ----------
    graph
        Graph without unobserved variables of its own.
    query
        The question.
    answer
        What `solve` returned for it; without a formula.
    seed
        Decides the models the search starts from.

    Raises
    ------
    QueryError
        If the answer has a formula.
    ConvergenceError
        If no pair was found with causes of up to four states.
    """
    if answer.formula is not None:
        raise QueryError(
            f"{query} has a formula, so no two models with the same data differ on it. "
            "Ask for a witness of a question without one."
        )
    parts = _smallest(graph, query)
    best: Witness | None = None
    for states in _STATES:
        for strength, part in product(_STRENGTHS, parts):
            rng = np.random.default_rng([seed, states, int(strength)])
            found = _pair(graph, query, part, states, strength, rng)
            if found is not None and (best is None or found.gap > best.gap):
                best = found
            if best is not None and best.gap >= _LARGE_GAP:
                return best
        if best is not None and best.gap >= _SMALLEST_GAP:
            return best
    raise ConvergenceError(
        f"{query} has no formula, but no pair of models that shows it was found from "
        f"{len(_STRENGTHS)} starts each with causes of {listing(_STATES)} states on "
        f"{parts[0]!r}. Try another seed."
    )


def _pair(
    graph: CausalGraph,
    query: Query,
    part: CausalGraph,
    states: int,
    strength: float,
    rng: np.random.Generator,
) -> Witness | None:
    """Two models that live on a part of the graph, if one start leads to them."""
    names, causes, family = _family(part, query, states, rng)
    ends = walk(family, family.start(strength, rng))
    if ends is None:
        return None
    first, second = (_model(graph, names, causes, family, odds) for odds in ends)
    # products of numbers up to 1 differ at most by the sum of what their factors do
    kernels = zip(*(family.kernels(odds) for odds in ends), strict=True)
    difference = sum(float(np.abs(one - other).max()) for one, other in kernels)
    answers = tuple(
        model.query(query.outcome, do=query.do, given=query.given)
        for model in (first, second)
    )
    gap = float(np.abs(answers[0].values - answers[1].values).max())
    return Witness((first, second), difference, (answers[0], answers[1]), gap)


def _smallest(graph: CausalGraph, query: Query) -> list[CausalGraph]:
    """Graphs from which no edge can go without the question getting a formula.

    First all edges of a variable are left out at once, then every edge alone, in two
    orders, which may end differently; the one with the fewest edges comes first.
    """
    edges = [*graph.directed, *((*pair, "shared") for pair in graph.bidirected)]
    groups = [[edge for edge in edges if name in edge[:2]] for name in graph.nodes]
    found = []
    for order in (1, -1):
        left = edges
        for gone in (*groups[::order], *([edge] for edge in edges[::order])):
            fewer = [edge for edge in left if edge not in gone]
            if len(fewer) == len(left):
                continue
            if solve(_part(graph, fewer), query, "average").formula is None:
                left = fewer
        if left not in found:
            found.append(left)
    return [_part(graph, left) for left in sorted(found, key=len)]


def _part(graph: CausalGraph, edges: Sequence[tuple[str, ...]]) -> CausalGraph:
    """Graph with some of the edges; pairs that share a cause are marked."""
    directed = tuple((edge[0], edge[1]) for edge in edges if len(edge) == 2)
    shared = tuple((edge[0], edge[1]) for edge in edges if len(edge) == 3)
    return CausalGraph(directed, shared, graph.nodes)


def _family(
    part: CausalGraph, query: Query, states: int, rng: np.random.Generator
) -> tuple[list[str], list[tuple[str, str]], Family]:
    """Models of the variables with edges, and of outcomes that every source sets."""
    touched = set(chain(*part.directed, *part.bidirected))
    touched |= set(query.outcome).intersection(*query.sources)
    names = [name for name in part.nodes if name in touched]
    place = {name: at for at, name in enumerate(names)}
    causes = list(part.bidirected)

    def places(wanted: Iterable[str]) -> tuple[int, ...]:
        return tuple(place[name] for name in wanted if name in place)

    family = Family(
        tuple(places(part.parents(name)) for name in names),
        tuple(
            tuple(at for at, pair in enumerate(causes) if name in pair)
            for name in names
        ),
        tuple(rng.dirichlet(np.full(states, 20.0)) for _ in causes),
        _districts(part, query, places),
        Asked(places(query.outcome), places(query.do), places(query.given)),
    )
    return names, causes, family


def _districts(
    part: CausalGraph, query: Query, places: Callable[[Iterable[str]], tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Sets whose kernels the available distributions consist of."""
    masks = part.masks
    found: dict[tuple[int, ...], None] = {}
    for source in query.sources:
        for district in masks.districts(masks.all & ~part.mask(source)):
            if kept := places(part.names(district)):
                found[kept] = None
    return tuple(found)


def _model(
    graph: CausalGraph,
    names: list[str],
    causes: list[tuple[str, str]],
    family: Family,
    odds: np.ndarray,
) -> CausalModel:
    """Model of the whole graph; what is not in the part ignores its causes."""
    full = graph.with_latents()
    label = dict(zip(graph.bidirected, full.nodes[len(graph.nodes) :], strict=True))
    number = {name: at for at, name in enumerate(names)}
    number |= {label[pair]: family.size + at for at, pair in enumerate(causes)}
    sizes = dict.fromkeys(graph.nodes, 2) | dict.fromkeys(label.values(), 1)
    tables: dict[str, np.ndarray] = {cause: np.ones(1) for cause in label.values()}
    for pair, law in zip(causes, family.laws, strict=True):
        tables[label[pair]] = law
        sizes[label[pair]] = law.size
    kept = dict(zip(names, family.tables(odds), strict=True))
    for name in graph.nodes:
        axes = (*full.parents(name), name)
        if name not in kept:
            table = np.array([_IDLE, 1 - _IDLE])
            inner: tuple[str, ...] = (name,)
        else:
            wanted = family.labels(number[name])
            by_number = {at: n for n, at in number.items()}
            table, inner = kept[name], tuple(by_number[at] for at in wanted)
        present = [axis for axis in axes if axis in inner]
        table = table.transpose([inner.index(axis) for axis in present])
        spread = table.reshape([sizes[a] if a in inner else 1 for a in axes])
        tables[name] = np.broadcast_to(spread, [sizes[axis] for axis in axes])
    return CausalModel(graph, tables)
