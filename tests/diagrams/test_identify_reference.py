"""Questions with verdicts from the literature, and numbers from enumerated models."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from tests.oracles.identification import Problem, identified

FOLDER = Path(__file__).parent.parent / "reference" / "diagrams"


@cache
def problems() -> dict[str, dict]:
    text = (FOLDER / "identification_problems.json").read_text()
    return {problem["id"]: problem for problem in json.loads(text)}


@cache
def verdicts() -> list[dict]:
    return json.loads((FOLDER / "random_verdicts.json").read_text())


SOLVED = [name for name, problem in problems().items() if problem["identifiable"]]
REFUSED = [name for name in problems() if name not in SOLVED]


def graph_of(problem: dict) -> dc.CausalGraph:
    nodes = problem.get("variables") or problem["nodes"]
    pairs = (list(map(tuple, problem[kind])) for kind in ("directed", "bidirected"))
    return dc.CausalGraph(*pairs, nodes)


def identify(problem: dict, **options) -> dc.Identification:
    query, available = problem["query"], problem["available"]
    return dc.identify(
        graph_of(problem),
        query["outcomes"],
        query["treatments"],
        query["given"],
        experiments=available["experiments"],
        observational=available["observational"],
        **options,
    )


def table(problem: dict, flat: list[float], names: list[str]) -> dc.LabelledArray:
    size = dict(zip(problem["variables"], problem["cardinality"], strict=True))
    shape = [size[name] for name in names]
    return dc.LabelledArray(
        np.reshape(flat, shape), {name: range(size[name]) for name in names}
    )


def distributions(problem: dict) -> dict:
    numbers, names = problem["numeric"], problem["variables"]
    found = {}
    if numbers.get("observational_joint") is not None:
        found["observational"] = table(problem, numbers["observational_joint"], names)
    for experiment in numbers.get("experimental", []):
        found[tuple(experiment["do"])] = table(problem, experiment["array"], names)
    return found


def witness_model(problem: dict, which: str) -> dc.CausalModel:
    """One of the two stored models; its causes are ours by the names we give them."""
    graph, stored = graph_of(problem), problem["witness"]
    size = dict(zip(problem["variables"], problem["cardinality"], strict=True))
    full = graph.with_latents()
    causes = {f"U{i}": name for i, name in enumerate(full.latent)}
    size |= dict.fromkeys(causes.values(), stored["latent_cardinality"])
    tables = dict(zip(full.latent, stored[which]["latent_priors"], strict=True))
    for name, entry in stored[which]["tables"].items():
        axes = [*entry["parents"], *(causes[u] for u in entry["latents"]), name]
        values = np.reshape(entry["array"], [size[axis] for axis in axes])
        tables[name] = dc.LabelledArray(values, {a: range(size[a]) for a in axes})
    return dc.CausalModel(graph, tables)


@pytest.mark.parametrize("name", problems())
def test_the_verdict_is_that_of_the_literature(name):
    problem = problems()[name]
    found = identify(problem)
    assert found.identified == problem["identifiable"]
    assert (found.hedge is None) == (found.estimand is not None) == found.identified


@pytest.mark.parametrize("name", SOLVED)
@pytest.mark.parametrize("free", ["average", "expose"])
def test_the_formula_gives_the_answer_of_the_enumerated_model(name, free):
    problem = problems()[name]
    answer = problem["numeric"]["answer"]
    truth = table(problem, answer, problem["query"]["answer_axes"])
    found = identify(problem, free=free).evaluate(distributions(problem))
    exposed = [axis for axis in found.names if axis not in truth.names]
    assert not exposed or free == "expose"
    found = found.transpose([*exposed, *truth.names])
    # stored numbers have 16 digits, and no denominator in them is below 1e-3
    assert_allclose(
        found.values, np.broadcast_to(truth.values, found.shape), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("name", REFUSED)
def test_the_stored_models_agree_on_the_data_and_not_on_the_answer(name):
    problem = problems()[name]
    query, stored = problem["query"], problem["witness"]
    models = [witness_model(problem, which) for which in ("model_a", "model_b")]
    if problem["available"]["observational"]:
        first, second = (model.joint().values for model in models)
        assert_allclose(first, second, rtol=0, atol=1e-12)
    for model, which in zip(models, ("answer_a", "answer_b"), strict=True):
        answer = model.query(query["outcomes"], query["treatments"], query["given"])
        truth = table(problem, stored[which], query["answer_axes"])
        # the largest of 4096 products of at most 20 rounded numbers below 1
        assert_allclose(
            answer.transpose(truth.names).values, truth.values, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("place", range(len(verdicts())))
def test_random_verdicts_agree_with_another_complete_algorithm(place):
    problem = verdicts()[place]
    found = dc.identify(
        graph_of(problem), problem["outcomes"], problem["treatments"], problem["given"]
    )
    assert found.identified == problem["identifiable"]


@pytest.mark.parametrize("name", problems())
def test_derivatives_of_a_random_model_give_the_same_verdict(name):
    problem = problems()[name]
    query, available = problem["query"], problem["available"]
    question = Problem(
        problem["variables"],
        problem["directed"],
        problem["bidirected"],
        query["outcomes"],
        query["treatments"],
        query["given"],
        available["experiments"],
        available["observational"],
    )
    assert identified(question)[0] == problem["identifiable"]


def test_the_napkin_needs_more_than_conditioning():
    problem = problems()["napkin"]
    joint = distributions(problem)["observational"]
    pair = joint.sum(["W1", "W2"]).values
    found = identify(problem).evaluate(joint).transpose(["X", "Y"]).values
    naive = np.abs(pair / pair.sum(axis=1, keepdims=True) - found).max()
    assert_allclose(naive, problem["numeric"]["max_abs_gap_to_naive_conditional"])
