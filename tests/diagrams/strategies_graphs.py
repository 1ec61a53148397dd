"""Random causal graphs with two-headed arrows, questions about them, and their models.

Graphs are drawn edge by edge, so that a failing one shrinks to few edges. The order of
the nodes is not that of causes, so that nothing can rely on it by chance. Sizes are
kept where every law can be written out in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

import distcausal as dc

LETTERS = "ABCDEFG"
SIZES = (1, 2, 2, 3)
LATENT_SIZES = (2, 3, 4)
# entries of a law over all variables, unobserved causes included
LARGEST = 2**17


@st.composite
def admgs(draw, least: int = 1, most: int = 7, shared: int = 6):
    """An acyclic graph with arrows and up to ``shared`` two-headed arrows."""
    count = draw(st.integers(least, most))
    names = draw(st.permutations(LETTERS[:count]))
    pairs = list(combinations(names, 2))
    if not pairs:
        return dc.CausalGraph(nodes=names)
    arrows = draw(st.lists(st.sampled_from(pairs), unique=True))
    causes = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=shared))
    return dc.CausalGraph(arrows, causes, sorted(names))


@st.composite
def dags_with_latents(draw, most: int = 6):
    """An acyclic graph of arrows with some variables that are not observed."""
    graph = draw(admgs(least=2, most=most, shared=0))
    some = st.lists(st.sampled_from(graph.nodes), unique=True, min_size=1)
    latent = draw(some)[: max(1, len(graph.nodes) // 2)]
    return dc.CausalGraph(graph.directed, (), graph.nodes, latent)


@dataclass(frozen=True)
class Question:
    """What is asked, set and conditioned on."""

    outcome: tuple[str, ...]
    do: tuple[str, ...]
    given: tuple[str, ...]


@st.composite
def questions(draw, graph, conditional: bool = True):
    """A question about the observed variables of a graph."""
    names = draw(st.permutations(graph.observed))
    outcomes = draw(st.integers(1, min(2, len(names))))
    rest = len(names) - outcomes
    treated = draw(st.integers(0, min(2, rest)))
    seen = draw(st.integers(0, min(2, rest - treated))) if conditional else 0
    upto = outcomes + treated
    return Question(
        tuple(names[:outcomes]),
        tuple(names[outcomes:upto]),
        tuple(names[upto : upto + seen]),
    )


# the smallest graphs of their kinds in which a question has no formula
OBSTRUCTED = (
    ("X->Y; X<->Y", "Y", "X", ""),
    ("X->M->Y; X<->M", "Y", "X", ""),
    ("X->Y; Z->Y; X<->Z; Z<->Y", "Y Z", "X", ""),
    ("X->Z->Y; X<->Y; Z<->Y", "Y", "X", ""),
    ("X->Y; V<->Y; X<->V", "Y V", "X", ""),
    ("W->V->X->Y; W<->X; W<->Y", "Y", "X", "W"),
    ("X->Y->Z; X<->Z; Y<->Z", "Y", "X", "Z"),
)


NAPKIN = ("W->V->X->Y; W<->X; W<->Y", "Y", "X", "")
# and some in which a formula takes every kind of step there is
SOLVED = (
    ("X->M->Y; X<->Y", "Y", "X", ""),
    NAPKIN,
    ("X->Z->Y; X<->Z", "Y", "X", "Z"),
    ("X->Y->Z; X<->Z", "Y", "X", "Z"),
    ("X->Z->Y; X<->Y", "Y", "X", "Z"),
    ("W->X->Y; V->Z; W<->V; W<->Y; W<->Z; X<->V", "Y Z", "X", ""),
    ("V->X->W->Y; V<->W; X<->Y", "Y", "X", "V"),
    ("X->Z; X<->Z; X<->Y", "Y", "X", "Z"),
    ("X->Z->Y; X->V->Y; X<->Z; X<->V", "Y", "X", "Z V"),
)


@st.composite
def inside(draw, cores, extra: int = 3, edges: int = 5):
    """A question of a list, its graph inside a larger one."""
    text, *roles = draw(st.sampled_from(cores))
    core = dc.CausalGraph.from_edges(text)
    order = list(core.topological_order())
    for name in "ABC"[: draw(st.integers(0, extra))]:
        order.insert(draw(st.integers(0, len(order))), name)
    pairs = list(combinations(order, 2))
    some = st.lists(st.sampled_from(pairs), unique=True, max_size=edges)
    arrows = dict.fromkeys([*core.directed, *draw(some)])
    causes = {frozenset(pair): pair for pair in (*core.bidirected, *draw(some))}
    graph = dc.CausalGraph(tuple(arrows), tuple(causes.values()), sorted(order))
    return graph, Question(*(tuple(role.split()) for role in roles))


def refused():
    """Questions without a formula, the obstruction inside a larger graph."""
    return inside(OBSTRUCTED)


def solvable():
    """Questions that mostly have a formula, inside a slightly larger graph."""
    return inside(SOLVED, extra=2, edges=1)


@st.composite
def experiments(draw, graph, most: int = 2):
    """Sets of variables that experiments set."""
    some = st.sets(st.sampled_from(graph.observed), min_size=1, max_size=2)
    return draw(st.lists(some.map(sorted), max_size=most))


@st.composite
def models(draw, graph, sizes=SIZES):
    """A model of a graph with random tables, causes of two to four states."""
    full = graph.with_latents()
    states = {
        name: draw(st.sampled_from(LATENT_SIZES if name in full.latent else sizes))
        for name in full.nodes
    }
    while np.prod(list(states.values()), dtype=float) > LARGEST:
        states = {name: min(size, 2) for name, size in states.items()}
        sizes = (2,)
    return random_model(full, states, draw(st.integers(0, 2**32 - 1)), graph)


def random_model(full, states, seed, graph) -> dc.CausalModel:
    """Tables with positive entries; rows even enough to keep denominators large."""
    rng = np.random.default_rng(seed)
    tables = {}
    for name in full.nodes:
        shape = [states[parent] for parent in full.parents(name)]
        mass = rng.uniform(0.2, 1.0, size=(*shape, states[name]))
        tables[name] = mass / mass.sum(axis=-1, keepdims=True)
    return dc.CausalModel(graph, tables)


def available(model: dc.CausalModel, sources) -> dict:
    """The distributions of some experiments, and the observed one for an empty set."""
    found = {}
    for source in sources:
        rest = [name for name in model.graph.observed if name not in source]
        law = model.query(rest, do=list(source)) if rest else _sure(model, source)
        found[tuple(source) or "observational"] = law
    return found


def _sure(model: dc.CausalModel, source) -> dc.LabelledArray:
    """The experiment that sets everything and shows nothing."""
    axes = {name: model.states[name] for name in source}
    return dc.LabelledArray(np.ones([len(at) for at in axes.values()]), axes)
