"""Causal models with known truth: draws of what is observed, and what it leaves out.

Each unobserved common cause is a variable with a table of its own, so the joint
distribution of what is observed and the effect of any intervention follow exactly. An
estimate from the draws, or a formula applied to the joint, can be held against it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.datasets.simulation import generator
from distcausal.diagrams.draws import draw_places
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.random_model import random_model
from distcausal.errors import DesignError, listing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CausalSimulation", "make_causal_model", "random_causal_graph"]

# Edges, outcome and treatments of the graphs that textbooks give a name.
NAMED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "back-door": ("Z -> X -> Y; Z -> Y", ("Y",), ("X",)),
    "front-door": ("X -> M -> Y; X <-> Y", ("Y",), ("X",)),
    "napkin": ("W1 -> W2 -> X -> Y; W1 <-> X; W1 <-> Y", ("Y",), ("X",)),
    "sequential": (
        "X1 -> Z -> X2 -> Y; X1 -> X2; X1 -> Y; Z <-> Y",
        ("Y",),
        ("X1", "X2"),
    ),
    "mediation": ("X -> M -> Y; X -> Y", ("Y",), ("X",)),
    "m-bias": ("X -> Y; X <-> Z; Z <-> Y", ("Y",), ("X",)),
    "verma": ("A -> B -> C -> D; B <-> D", ("D",), ("B",)),
    "bow": ("X -> Y; X <-> Y", ("Y",), ("X",)),
    "iv": ("Z -> X -> Y; X <-> Y", ("Y",), ("X",)),
}
States = int | Mapping[str, int | Sequence[Hashable]]


@dataclass(frozen=True, eq=False, kw_only=True)
class CausalSimulation:
    """Draws from a causal model, and the model.

    Attributes
    ----------
    model
        The model, unobserved variables included.
    places
        For each observed variable the place of its state in every draw, each of shape
        ``(n,)``.
    outcome, do
        Names of the variables that the effect is on, and of those it is an effect of.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_causal_model("napkin", n=500, seed=1)
    >>> sim.frame.columns.tolist(), sim.edges
    (['W1', 'W2', 'X', 'Y'], 'W1 -> W2; W2 -> X; X -> Y; W1 <-> X; W1 <-> Y')
    >>> sim.effect.names
    ('Y', 'X')
    """

    model: CausalModel
    places: Mapping[str, np.ndarray]
    outcome: tuple[str, ...]
    do: tuple[str, ...]

    @property
    def graph(self) -> CausalGraph:
        """Graph of the model; unobserved common causes are its two-headed arrows."""
        return self.model.graph

    @property
    def edges(self) -> str:
        """The graph as edge text."""
        from distcausal.diagrams.write_graph import write_edges

        return write_edges(self.graph)

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        """Table of every variable, unobserved ones included, the parents' axes first.

        The parents are those of ``graph.with_latents()``.
        """
        return self.model.tables

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per draw, one column per observed variable."""
        import pandas as pd

        states = self.model.states
        return pd.DataFrame(
            {
                name: pd.Series(list(states[name])).to_numpy()[places]
                for name, places in self.places.items()
            }
        )

    @cached_property
    def joint(self) -> LabelledArray:
        """Exact distribution of the observed variables."""
        return self.model.joint()

    @cached_property
    def effect(self) -> LabelledArray:
        """Exact distribution of the outcome under every intervention.

        Axes are the outcomes and then the variables intervened on.
        """
        return self.model.query(self.outcome, do=self.do)


def make_causal_model(
    graph: str | CausalGraph = "front-door",
    *,
    n: int = 1000,
    outcome: str | Sequence[str] | None = None,
    do: str | Sequence[str] | None = None,
    states: States = 2,
    latent_states: int = 3,
    concentration: float = 1.0,
    seed: Any = 0,
) -> CausalSimulation:
    """Draw the tables of a causal model, and then observations from it.

    Rows of all tables come from a symmetric Dirichlet distribution.

    Parameters
    ----------
    graph
        A graph, edge text, or one of ``"back-door"``, ``"front-door"``, ``"napkin"``,
        ``"sequential"`` (two treatments in turn), ``"mediation"``, ``"m-bias"`` and
        ``"verma"``, whose effects can be found from what is observed, and ``"bow"`` and
        ``"iv"``, whose effects cannot.
    n
        Number of draws.
    outcome, do
        Variables that the effect is on and of; those of the named graph if None.
    states
        Number of states of the observed variables, or for each of some its number of
        states or the states, the others having two. States are 0, 1, ... unless given.
    latent_states
        Number of states of each unobserved variable. With two, some effects seem to
        follow from what is observed that in general do not.
    concentration
        Parameter of the Dirichlet distribution: at 1 all rows are equally likely, above
        they tend to be even, below to have one large entry.
    seed
        Integer or JAX key. The number of draws does not change the tables.

    Returns
    -------
    CausalSimulation
        Draws, exact joint distribution and exact effect.

    Raises
    ------
    DesignError
        If the graph's name is unknown, outcome or treatment of another graph is left
        out, or a number is out of its range.
    QueryError
        If outcome or treatment is not an observed variable, or one is both.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_causal_model("front-door", n=2000, seed=3)
    >>> sim.frame.shape, sim.joint.names
    ((2000, 3), ('X', 'M', 'Y'))
    >>> bool(abs(sim.effect.sum("Y").values - 1).max() < 1e-12)
    True
    """
    chosen, outcomes, treatments = _chosen(graph, outcome, do)
    for name, value in (("n", n), ("latent_states", latent_states)):
        if value < 1:
            raise DesignError(f"{name}={value} should be at least 1.")
    known = _states(chosen, states)
    drawn = random_model(
        chosen,
        states={name: len(labels) for name, labels in known.items()},
        latent_states=latent_states,
        concentration=concentration,
        seed=generator(seed, "make_causal_model tables"),
    )
    model = CausalModel(chosen, drawn.tables, known)
    model.query(outcomes, do=treatments)  # refuses names that cannot be asked about
    places = draw_places(model, n, generator(seed, "make_causal_model draws"))
    return CausalSimulation(model=model, places=places, outcome=outcomes, do=treatments)


def random_causal_graph(
    nodes: int = 6, *, arrows: float = 0.4, arcs: float = 0.2, seed: Any = 0
) -> CausalGraph:
    """Draw an acyclic graph whose pairs of variables may share unobserved causes.

    Parameters
    ----------
    nodes
        Number of variables; they are called V1, V2, ... and causes have lower numbers.
    arrows, arcs
        Chance that a pair is joined by an arrow, and that it shares a cause.
    seed
        Integer or JAX key.

    Returns
    -------
    CausalGraph
        For `make_causal_model`, among others. A variable has a table with an axis per
        parent: with many variables, keep the chances low.

    Raises
    ------
    DesignError
        If there is no variable, or a chance is not in [0, 1].

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.datasets.random_causal_graph(4, seed=2)
    CausalGraph: V1 -> V2; V1 -> V3; V2 <-> V3; V3 <-> V4
    """
    if nodes < 1:
        raise DesignError(f"nodes={nodes} should be at least 1.")
    for name, chance in (("arrows", arrows), ("arcs", arcs)):
        if not 0 <= chance <= 1:
            raise DesignError(f"{name}={chance} should be a chance in [0, 1].")
    rng = generator(seed, "random_causal_graph")
    names = [f"V{number + 1}" for number in range(nodes)]
    pairs = [(a, b) for place, b in enumerate(names) for a in names[:place]]
    arrow, arc = rng.uniform(size=(2, len(pairs)))
    return CausalGraph(
        tuple(pair for pair, draw in zip(pairs, arrow, strict=True) if draw < arrows),
        tuple(pair for pair, draw in zip(pairs, arc, strict=True) if draw < arcs),
        tuple(names),
    )


def _chosen(
    graph: str | CausalGraph,
    outcome: str | Sequence[str] | None,
    do: str | Sequence[str] | None,
) -> tuple[CausalGraph, tuple[str, ...], tuple[str, ...]]:
    """Return the graph with its outcomes and treatments."""
    text, own_outcome, own_do = "", None, None
    if isinstance(graph, str):
        text, own_outcome, own_do = NAMED.get(graph, (graph, None, None))
        if not any(sign in text for sign in (">", "→", "↔", ";", "<", "←")):
            raise DesignError(
                f"graph {graph!r} is not one of {listing(NAMED, 12)}, and has no arrow "
                "that would make it edge text."
            )
    chosen = graph if isinstance(graph, CausalGraph) else CausalGraph.from_edges(text)
    sides = []
    for name, given, own in (("outcome", outcome, own_outcome), ("do", do, own_do)):
        names = own if given is None else given
        if names is None:
            raise DesignError(
                f"{name} should name variables of the graph "
                f"({listing(chosen.observed, 12)}); only named graphs have their own."
            )
        sides.append((names,) if isinstance(names, str) else tuple(names))
    return chosen, sides[0], sides[1]


def _states(graph: CausalGraph, states: States) -> dict[str, tuple[Hashable, ...]]:
    """States of every observed variable."""
    given = states if isinstance(states, Mapping) else {}
    strangers = [name for name in given if name not in graph.observed]
    if strangers:
        raise DesignError(
            f"states names {listing(strangers)}, but the observed variables are "
            f"{listing(graph.observed, 12)}."
        )
    usual = 2 if isinstance(states, Mapping) else states
    wanted = {name: given.get(name, usual) for name in graph.observed}
    known: dict[str, tuple[Hashable, ...]] = {
        name: tuple(range(kept) if isinstance(kept, int | np.integer) else kept)
        for name, kept in wanted.items()
    }
    empty = [name for name, labels in known.items() if not labels]
    if empty:
        raise DesignError(
            f"{listing(empty)} should have at least one state; got states={states}."
        )
    return known
