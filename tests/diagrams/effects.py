"""Samples and questions that several tests of estimated effects use."""

from __future__ import annotations

from functools import cache
from typing import Any

import distcausal as dc

# graph, outcome, do, given; every variable has two states unless said otherwise
QUESTIONS: dict[str, tuple[str, str, Any, Any]] = {
    "back-door": ("Z->X->Y; Z->Y", "Y", "X", None),
    "front-door": ("X->M->Y; X<->Y", "Y", "X", None),
    "napkin": ("W1->W2->X->Y; W1<->X; W1<->Y", "Y", "X", None),
    "conditional": ("Z->X->Y; Z->Y", "Y", "X", "Z"),
    "seen after": ("X->M->Y; X<->Y; M->S", "Y", "X", "S"),
    "two treatments": (
        "X1->Z->X2->Y; X1->X2; X1->Y; Z<->Y",
        "Y",
        ["X1", "X2"],
        None,
    ),
}


@cache
def question(name: str) -> dc.Identification:
    """Identify one of the questions above."""
    edges, outcome, do, given = QUESTIONS[name]
    graph = dc.CausalGraph.from_edges(edges)
    return dc.identify(graph, outcome, do=do, given=given)


@cache
def simulation(name: str, n: int = 800, seed: int = 1) -> Any:
    """Simulate rows for one of the questions, positive everywhere."""
    edges, outcome, do, _ = QUESTIONS[name]
    return dc.datasets.make_causal_model(
        edges, n=n, outcome=outcome, do=do, concentration=4.0, seed=seed
    )
