"""Random functional models, and random questions about their worlds.

Graphs have one to five variables, arrows and shared causes each with chance one half or
less. Every variable chooses among a few random functions, by a law that depends on its
latent causes, so a model is functional without being special.
"""

from __future__ import annotations

import numpy as np

from distcausal.diagrams.functional import functional_model
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.model import CausalModel

NAMES = ("A", "B", "C", "D", "E")


def random_graph(rng: np.random.Generator, most: int = 5) -> CausalGraph:
    """Acyclic graph whose order of nodes says nothing about causes."""
    count = int(rng.integers(2, most + 1))
    order = rng.permutation(NAMES[:count])
    dense, shared = rng.uniform(0.2, 0.8), rng.uniform(0, 0.6)
    directed, bidirected = [], []
    for later in range(count):
        for earlier in range(later):
            pair = (str(order[earlier]), str(order[later]))
            if rng.uniform() < dense:
                directed.append(pair)
            if rng.uniform() < shared:
                bidirected.append(pair)
    return CausalGraph(directed, bidirected, NAMES[:count])


def random_functional(
    rng: np.random.Generator,
    graph: CausalGraph,
    sizes: dict[str, int],
    functions: int = 8,
    latent: int = 3,
) -> CausalModel:
    """Model whose variables draw from random functions of their causes."""
    full = graph.with_latents()
    priors = {root: rng.dirichlet(np.ones(latent)) for root in full.latent}
    responses = {}
    for name in graph.nodes:
        causes = [sizes[parent] for parent in graph.parents(name)]
        hidden = [latent for parent in full.parents(name) if parent in full.latent]
        drawn = rng.integers(sizes[name], size=(functions, *causes))
        # a constant function for each state, so that every state can occur
        steady = np.broadcast_to(
            np.arange(sizes[name]).reshape(-1, *[1] * len(causes)),
            (sizes[name], *causes),
        )
        chosen = np.concatenate([drawn, steady])
        law = rng.dirichlet(np.ones(len(chosen)), size=tuple(hidden))
        responses[name] = (chosen, law)
    states = {name: tuple(range(size)) for name, size in sizes.items()}
    return functional_model(graph, responses, priors, states=states)


def random_claims(
    rng: np.random.Generator,
    sizes: dict[str, int],
    most: int,
    least: int = 1,
    nested: bool = True,
) -> list[tuple]:
    """Claims about potential values, some of them nested."""
    count = int(rng.integers(least, most + 1))
    return [
        (str(name), int(rng.integers(sizes[name])), _setting(rng, sizes, nested))
        for name in rng.choice(list(sizes), size=count)
    ]


def _setting(rng: np.random.Generator, sizes: dict[str, int], nested: bool) -> dict:
    setting = {}
    for name in sizes:
        if rng.uniform() < 0.3:
            setting[name] = int(rng.integers(sizes[name]))
            if nested and rng.uniform() < 0.25:
                inner = _setting(rng, sizes, False)
                inner.pop(name, None)
                setting[name] = (name, inner)
    return setting
