"""Units drawn from a causal model, causes before effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from distcausal.diagrams.model import CausalModel

__all__ = ["draw_places"]


def draw_places(
    model: CausalModel, n: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Places of the observed variables' states in ``n`` independent units."""
    full, places = model.full, dict[str, np.ndarray]()
    for name in full.topological_order():
        upto = model.tables[name].cumsum(axis=-1)[..., :-1]
        rows = upto[tuple(places[parent] for parent in full.parents(name))]
        places[name] = (rng.uniform(size=(n, 1)) >= rows).sum(axis=-1)
    return {name: places[name] for name in model.graph.observed}
