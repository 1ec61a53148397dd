"""A small model with states in words, for tests of questions and refusals."""

from __future__ import annotations

import distcausal as dc


def smoking_model() -> dc.CausalModel:
    """Smoking causes cancer through tar alone; an unobserved cause leads to both."""
    graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    states = {"S": ("no", "yes"), "T": ("low", "high"), "C": (0, 1)}
    return dc.CausalModel(
        graph,
        {
            "U(S,C)": [0.5, 0.5],
            "S": [[0.8, 0.2], [0.3, 0.7]],
            "T": [[0.9, 0.1], [0.2, 0.8]],
            "C": [[[0.9, 0.1], [0.8, 0.2]], [[0.6, 0.4], [0.5, 0.5]]],
        },
        states,
    )
