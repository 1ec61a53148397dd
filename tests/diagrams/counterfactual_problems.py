"""Stored questions across worlds, each with a functional model and its exact answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import distcausal as dc

FILE = Path(__file__).parent.parent / "reference" / "diagrams" / "counterfactuals.json"


@dataclass(frozen=True)
class Problem:
    """One question.

    Attributes
    ----------
    available
        What identification may use, as `identify_counterfactual` takes it.
    data
        The laws themselves, by what was set.
    truth
        The exact value; None where what is given holds in no model.
    """

    name: str
    graph: dc.CausalGraph
    model: dc.CausalModel
    joint: dc.LabelledArray
    event: list
    given: list
    available: list[list[str]]
    data: dict[Any, dc.LabelledArray]
    identifiable: bool | None
    truth: float | None


def _read(record: dict) -> Problem:
    names, sizes = record["variables"], record["cardinality"]
    graph = dc.CausalGraph(record["directed"], record["bidirected"], names)
    states = {n: tuple(range(k)) for n, k in zip(names, sizes, strict=True)}
    joint = dc.LabelledArray(np.reshape(record["observational_joint"], sizes), states)
    data: dict[Any, dc.LabelledArray] = {"observational": joint}
    for run in record.get("experimental", []):
        key = tuple(run["do"])
        so_far = data[key].values if key in data else np.zeros(sizes)
        data[key] = dc.LabelledArray(so_far + np.reshape(run["array"], sizes), states)
    query = record["query"]
    return Problem(
        record["id"],
        graph,
        _model(graph, record["functional_model"], dict(zip(names, sizes, strict=True))),
        joint,
        _claims(query["event"]),
        _claims(query["given"]),
        [list(key) for key in data if key != "observational"],
        data,
        record["identifiable"],
        record["true_value"],
    )


def _claims(stored: list) -> list[tuple]:
    """Triples, in which a nested value is a pair."""
    return [
        (
            name,
            state,
            {n: tuple(v) if isinstance(v, list) else v for n, v in do.items()},
        )
        for name, state, do in stored
    ]


def _model(
    graph: dc.CausalGraph, stored: dict, sizes: dict[str, int]
) -> dc.CausalModel:
    roots = graph.with_latents().latent
    priors = dict(zip(roots, map(np.array, stored["latent_priors"]), strict=True))
    responses = {}
    for name, table in stored["response_tables"].items():
        assert tuple(table["parents"]) == graph.parents(name)
        shape = [sizes[parent] for parent in table["parents"]]
        hidden = [len(priors[roots[int(root[1:])]]) for root in table["latents"]]
        functions = np.reshape(table["functions"], (-1, *shape))
        law = np.reshape(table["probabilities_given_latents"], (*hidden, -1))
        responses[name] = (functions, law)
    return dc.functional_model(graph, responses, priors)


PROBLEMS = [_read(record) for record in json.loads(FILE.read_text("utf-8"))]
