"""Models of a graph with every law drawn at random.

What holds for a model whose laws are drawn at random holds, with probability one, for
all models of the graph but exceptions; so one such model is a sharp test of a formula.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.model import CausalModel
from distcausal.errors import DesignError

__all__ = ["random_model"]


def random_model(
    graph: CausalGraph,
    *,
    states: int | Mapping[str, int] = 2,
    latent_states: int = 2,
    concentration: float = 1.0,
    seed: int | np.random.Generator = 0,
) -> CausalModel:
    """Draw a causal model of a graph, each row of a table from a Dirichlet law.

    Parameters
    ----------
    graph
        The graph; shared unobserved causes become variables of the model.
    states
        Number of states of the observed variables, of all or of each by name (2 where
        not named).
    latent_states
        Number of states of every latent variable.
    concentration
        Parameter of the Dirichlet law: at 1 rows are even over all laws, above they
        tend to be even themselves, below to have one large entry.
    seed
        Seed of the draws, or a generator.

    Returns
    -------
    CausalModel
        All probabilities are positive.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Y; X <-> Y")
    >>> model = dc.random_model(graph, states={"X": 3}, seed=1)
    >>> model.joint().shape
    (3, 2)
    """
    check_graph(graph)
    full = graph.with_latents()
    named = states if isinstance(states, Mapping) else {}
    usual = 2 if isinstance(states, Mapping) else states
    sizes = {
        name: latent_states if name in full.latent else named.get(name, usual)
        for name in full.nodes
    }
    small = [name for name, size in sizes.items() if size < 1]
    if small:
        raise DesignError(f"{small[0]!r} should have at least one state.")
    if not 0 < concentration < np.inf:
        raise DesignError(f"concentration={concentration} should be positive.")
    rng = np.random.default_rng(seed)
    tables = {}
    for name in full.nodes:
        shape = tuple(sizes[parent] for parent in full.parents(name))
        tables[name] = rng.dirichlet(np.full(sizes[name], concentration), size=shape)
    return CausalModel(graph, tables)
