"""Laws of counterfactuals in functional models, and their pictures."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.diagrams.counterfactual_problems import PROBLEMS, Problem
from tests.diagrams.random_worlds import (
    random_claims,
    random_functional,
    random_graph,
)

# products of a few dozen probabilities, summed over at most some thousand terms
ATOL = 1e-12
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> tuple[np.random.Generator, dc.CausalModel, dict[str, int]]:
    """A random functional model of two to five variables."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    sizes = {name: int(rng.integers(1, 4)) for name in graph.nodes}
    return rng, random_functional(rng, graph, sizes), sizes


def setting_of(rng: np.random.Generator, sizes: dict[str, int]) -> dict[str, int]:
    """Some variables, each at a state."""
    return {n: int(rng.integers(k)) for n, k in sizes.items() if rng.uniform() < 0.4}


def worlds_one_by_one(model: dc.CausalModel, claims: list[tuple]) -> float:
    """Probability by listing every state of the noise and running all functions."""
    full = model.full
    roots = [name for name in full.nodes if name in full.latent]
    total = 0.0
    for states in itertools.product(*(range(len(model.states[n])) for n in roots)):
        noise = dict(zip(roots, states, strict=True))
        mass = 1.0
        for name in roots:
            at = tuple(noise[parent] for parent in full.parents(name))
            mass *= model.tables[name][at][noise[name]]
        if mass and all(run(model, noise, n, w) == s for n, s, w in claims):
            total += mass
    return total


def run(model: dc.CausalModel, noise: dict, name: str, setting: dict) -> int:
    """Value of a variable in a world, by recursion over its causes."""
    if name in noise:
        return noise[name]
    if name in setting:
        value = setting[name]
        return run(model, noise, *value) if isinstance(value, tuple) else value
    at = tuple(run(model, noise, p, setting) for p in model.full.parents(name))
    return int(np.argmax(model.tables[name][at]))


@given(seeds)
def test_the_contraction_agrees_with_running_the_functions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 3)
    sizes = {name: int(rng.integers(1, 4)) for name in graph.nodes}
    model = random_functional(rng, graph, sizes, functions=2, latent=2)
    claims = random_claims(rng, sizes, 3)
    found = model.counterfactual(claims)
    assert_allclose(found, worlds_one_by_one(model, claims), atol=ATOL)


@given(seeds)
def test_without_intervention_the_twin_is_a_perfect_copy(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    name = str(rng.choice(list(sizes)))
    own = {name: (name, {})}
    for state in range(sizes[name]):
        mass = model.counterfactual([(name, state)])
        again = [(name, state), (name, state, {}), (name, state, own)]
        assert_allclose(model.counterfactual(again), mass, atol=ATOL)
        if sizes[name] > 1:
            other = (state + 1) % sizes[name]
            assert model.counterfactual([(name, state), (name, other, own)]) == 0


@given(seeds)
def test_a_variable_that_is_set_has_the_state_it_is_set_to(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    name = str(rng.choice(list(sizes)))
    setting = {**setting_of(rng, sizes), name: int(rng.integers(sizes[name]))}
    for state in range(sizes[name]):
        found = model.counterfactual([(name, state, setting)])
        assert found == (1.0 if state == setting[name] else 0.0)


@given(seeds)
def test_setting_a_variable_to_what_it_would_be_changes_nothing(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    one, other = (str(name) for name in rng.permutation(list(sizes))[:2])
    setting = setting_of(rng, {n: k for n, k in sizes.items() if n not in (one, other)})
    composed = {**setting, other: (other, setting)}
    for state in range(sizes[one]):
        plain = model.counterfactual([(one, state, setting)])
        both = [(one, state, setting), (one, state, composed)]
        assert_allclose(model.counterfactual(both), plain, atol=ATOL)


@given(seeds)
def test_two_variables_that_answer_to_each_other_are_so_without_being_set(
    seed: int,
) -> None:
    rng, model, sizes = drawn(seed)
    one, other = (str(name) for name in rng.permutation(list(sizes))[:2])
    setting = setting_of(rng, {n: k for n, k in sizes.items() if n not in (one, other)})
    a, b = int(rng.integers(sizes[one])), int(rng.integers(sizes[other]))
    mutual = [(one, a, {**setting, other: b}), (other, b, {**setting, one: a})]
    mass = model.counterfactual(mutual)
    assert_allclose(
        model.counterfactual([*mutual, (one, a, setting), (other, b, setting)]),
        mass,
        atol=ATOL,
    )


@given(seeds)
def test_what_happened_is_what_setting_it_would_have_given(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    one, other = (str(name) for name in rng.permutation(list(sizes))[:2])
    a, b = int(rng.integers(sizes[one])), int(rng.integers(sizes[other]))
    seen = [(other, b), (one, a)]
    set_to = [(other, b), (one, a, {other: b})]
    assert_allclose(model.counterfactual(seen), model.counterfactual(set_to), atol=ATOL)


@given(seeds)
def test_one_world_is_an_intervention(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    setting = setting_of(rng, sizes)
    free = [name for name in sizes if name not in setting]
    if not free:
        return
    law = model.query(free, do=setting)
    at = {name: int(rng.integers(sizes[name])) for name in free}
    found = model.counterfactual([(n, s, setting) for n, s in at.items()])
    assert_allclose(found, float(law.sel(at)), atol=ATOL)


@given(seeds)
def test_given_is_a_ratio(seed: int) -> None:
    rng, model, sizes = drawn(seed)
    event = random_claims(rng, sizes, 2)
    known = random_claims(rng, sizes, 2)
    mass = model.counterfactual(known)
    if mass == 0:
        with pytest.raises(dc.ConditioningError, match="probability zero"):
            model.counterfactual(event, known)
        return
    whole = model.counterfactual([*event, *known])
    assert_allclose(model.counterfactual(event, known) * mass, whole, atol=ATOL)


@given(seeds)
def test_the_diagram_of_the_worlds_denotes_the_probability(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 4)
    sizes = {name: int(rng.integers(1, 4)) for name in graph.nodes}
    model = random_functional(rng, graph, sizes, functions=3, latent=2)
    claims = random_claims(rng, sizes, 3)
    law = model.interpret(dc.world_diagram(model, claims)).values
    found = law[tuple(state for _, state, _ in claims)]
    assert_allclose(found, model.counterfactual(claims), atol=ATOL)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_stored_models_give_the_stored_values(problem: Problem) -> None:
    assert_allclose(problem.model.joint().values, problem.joint.values, atol=1e-12)
    if problem.truth is None:
        with pytest.raises(dc.ConditioningError):
            problem.model.counterfactual(problem.event, problem.given)
        return
    found = problem.model.counterfactual(problem.event, problem.given)
    assert_allclose(found, problem.truth, atol=1e-9)


def test_a_coin_that_decides_everything_can_be_followed_by_hand() -> None:
    # heads (0.3): Y copies X; tails: Y is the opposite of X
    graph = dc.CausalGraph([("X", "Y")])
    model = dc.functional_model(
        graph, {"X": ([0, 1], [0.5, 0.5]), "Y": ([[0, 1], [1, 0]], [0.3, 0.7])}
    )
    assert_allclose(model.counterfactual([("Y", 1, {"X": 1})]), 0.3)
    assert model.counterfactual([("Y", 1, {"X": 1})], [("X", 0), ("Y", 0)]) == 1
    assert model.counterfactual([("Y", 1, {"X": 1})], [("X", 0), ("Y", 1)]) == 0


def test_states_may_be_words() -> None:
    model = dc.functional_model(
        dc.CausalGraph([("X", "Y")]),
        {
            "X": (["no", "yes"], [0.5, 0.5]),
            "Y": ([["well", "ill"], ["ill", "ill"]], [0.25, 0.75]),
        },
        states={"X": ("no", "yes"), "Y": ("ill", "well")},
    )
    assert model.counterfactual([("Y", "well", {"X": "no"})]) == 0.25
    with pytest.raises(dc.QueryError, match=r"'Y' has no state 'sick'.*'ill', 'well'"):
        model.counterfactual([("Y", "sick")])
    with pytest.raises(dc.QueryError, match="'X' has no state 1"):
        model.counterfactual([("Y", "ill", {"X": 1})])


def test_a_long_chain_needs_no_joint_law() -> None:
    names = [f"V{place}" for place in range(60)]
    graph = dc.CausalGraph(list(itertools.pairwise(names)))
    keep, flip = [0, 1], [1, 0]
    responses = {name: ([keep, flip], [0.9, 0.1]) for name in names[1:]}
    model = dc.functional_model(graph, {**responses, "V0": ([0, 1], [0.5, 0.5])})
    last = names[-1]
    both = [(last, 1, {"V0": 1}), (last, 1, {"V0": 0})]
    assert model.counterfactual(both) == 0  # every function is one to one
    even = (1 + (1 - 2 * 0.1) ** 59) / 2  # an even number of flips
    assert_allclose(model.counterfactual([(last, 1, {"V0": 1})]), even, atol=ATOL)


def test_copies_common_to_all_worlds_are_made_once() -> None:
    graph = dc.CausalGraph.from_edges("Z -> X -> Y; Z -> Y")
    diagram = dc.world_diagram(graph, [("Y", 1, {"X": 1})], [("X", 0), ("Y", 0)])
    made = [node.box.name for node in diagram.nodes]
    assert made.count("Z") == 1
    assert made.count("Y") == 2
    assert made.count("N(Y)") == 1
    assert {node.world for node in diagram.nodes if node.box.name == "Y"} == {0, 1}
    assert diagram.cod.names == ("Y", "X", "Y")


def test_the_worlds_are_what_the_moves_on_diagrams_make_of_the_graph() -> None:
    from distcausal.diagrams.rewrite import (
        Close,
        Determinise,
        Merge,
        Open,
        Prune,
        Twin,
    )

    graph = dc.CausalGraph.from_edges("X -> Z -> Y; X <-> Y")
    diagram = graph.diagram(["Y", "X"])
    for name in graph.nodes:
        diagram = Determinise(name).apply(diagram)
    diagram = Open("X", 1).apply(Twin(2).apply(diagram))
    x = next(space for space in diagram.wires if space.name == "X")
    point = dc.Box("1", [], x, deterministic=True, kind="point", data=1)
    diagram = Prune().apply(Merge().apply(Close("X", point).apply(diagram)))
    built = dc.world_diagram(graph, [("Y", 0), ("X", 0), ("Y", 0, {"X": 1})])
    assert diagram.cod.names == ("Y", "X", "Y", "X")
    assert len(built.nodes) == len(diagram.nodes)
    same = dc.world_diagram(
        graph, [("Y", 0), ("X", 0), ("Y", 0, {"X": 1}), ("X", 1, {"X": 1})]
    )
    assert same == diagram


def test_tables_that_are_laws_are_refused() -> None:
    model = dc.random_model(dc.CausalGraph([("X", "Y")]))
    with pytest.raises(dc.ModelError, match=r"X, Y are laws.*functional_model.*bounds"):
        model.counterfactual([("Y", 1, {"X": 1})])


def test_chance_after_what_is_observed_is_refused_even_if_hidden() -> None:
    graph = dc.CausalGraph([("X", "L"), ("L", "Y"), ("N", "X")], latent=["L", "N"])
    tables = {
        "N": [0.5, 0.5],
        "X": np.eye(2),
        "L": [[0.9, 0.1], [0.2, 0.8]],
        "Y": np.eye(2),
    }
    with pytest.raises(dc.ModelError, match="tables of L"):
        dc.CausalModel(graph, tables).counterfactual([("Y", 1, {"X": 1})])


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([], "event is empty"),
        ("Y", "list of triples"),
        (("Y", 1, {"X": 1}), "event holds 'Y'"),
        ([("Q", 1)], "no variable 'Q'"),
        ([("R(Y)", 1)], "latent"),
        ([("Y", 1, {"R(Y)": 1})], "latent"),
        ([("Y", 1, "X=1")], "mapping"),
        ([("Y", 1, {"X": ("Y", {})})], "only its own value"),
        ([("Y", [1], {})], "hashable"),
        (5, "event is 5"),
        (None, "event is None"),
        ([5], "event holds 5"),
        ([(["Y"], 1)], "no variable"),
    ],
)
def test_questions_that_make_no_sense_are_refused(event, message: str) -> None:
    model = dc.functional_model(
        dc.CausalGraph([("X", "Y")]),
        {"X": ([0, 1], [0.5, 0.5]), "Y": ([[0, 1], [1, 0]], [0.5, 0.5])},
    )
    with pytest.raises(dc.QueryError, match=message):
        model.counterfactual(event)


@pytest.mark.parametrize(
    ("responses", "states", "message"),
    [
        ({"X": ([0, 1], [0.5, 0.5])}, None, "no responses for Y"),
        ({"X": ([0, 1], [0.5, 0.5]), "Y": ([0, 1], [0.5, 0.5])}, None, "each, but"),
        ({"X": ([0, 1], [1.0]), "Y": ([[0, 1]], [1.0])}, None, "law of the functions"),
        ({"X": (["a", "b"], [0.5, 0.5]), "Y": ([[0, 1]], [1.0])}, None, "whole"),
        (
            {"X": ([0, 2], [0.5, 0.5]), "Y": ([[0, 1]], [1.0])},
            {"X": (0, 1), "Y": (0, 1)},
            "give 2",
        ),
        ({"X": 1, "Y": ([[0, 1]], [1.0])}, None, "response of 'X' is 1"),
        ({"X": ([[0], [0, 1]], [1.0]), "Y": ([[0, 1]], [1.0])}, None, "functions of"),
        ({"X": ([0, 1], ["a", "b"]), "Y": ([[0, 1]], [1.0])}, None, "law of"),
        (
            {"X": ([0, 1], [0.5, 0.5]), "Y": ([[0, 1]], [1.0]), "Q": ([0], [1.0])},
            None,
            "responses name Q",
        ),
        ({"X": (1, [1.0]), "Y": ([[0, 1]], [1.0])}, None, "one axis"),
        ([], None, "responses are"),
        ({"X": ([0, 1], [0.5, 0.5]), "Y": ([[0, 1]], [1.0])}, ["X"], "states are"),
    ],
)
def test_responses_that_do_not_fit_are_refused(responses, states, message) -> None:
    with pytest.raises(dc.ModelError, match=message):
        dc.functional_model(dc.CausalGraph([("X", "Y")]), responses, states=states)


def test_noise_gets_a_name_that_no_variable_has() -> None:
    graph = dc.CausalGraph([("X", "Y"), ("N(Y)", "Z")])
    drawn = dc.world_diagram(graph, [("Y", 1, {"X": 1}), ("Z", 1)])
    plain = dc.world_diagram(
        dc.CausalGraph([("X", "Y"), ("M", "Z")]), [("Y", 1, {"X": 1}), ("Z", 1)]
    )
    assert len(drawn.nodes) == len(plain.nodes)
    (y,) = (node for node in drawn.nodes if node.box.name == "Y")
    assert y.box.dom.names == ("X", "N(Y)'")
    cause = dc.CausalGraph([("N(Y)", "Y")])
    assert dc.world_diagram(cause, [("Y", 1, {"N(Y)": 1})]).cod.names == ("Y",)


def test_graphs_and_models_are_told_from_other_things() -> None:
    with pytest.raises(dc.QueryError, match="give a CausalGraph"):
        dc.functional_model("X->Y", {})
    with pytest.raises(dc.QueryError, match="give a CausalGraph"):
        dc.world_diagram("X->Y", [("Y", 1)])
    with pytest.raises(dc.ModelError, match="priors name Y"):
        dc.functional_model(dc.CausalGraph(nodes=["Y"]), {"Y": ([0], [1])}, {"Y": [1]})


def test_functions_drawn_get_a_name_that_no_variable_has() -> None:
    graph = dc.CausalGraph([("X", "Y"), ("R(Y)", "Z")])
    even = ([0, 1], [0.5, 0.5])
    model = dc.functional_model(
        graph,
        {
            "X": even,
            "R(Y)": ([0, 1], [0.75, 0.25]),
            "Y": ([[0, 1], [1, 0]], [0.9, 0.1]),
            "Z": ([[0, 1]], [1.0]),
        },
    )
    assert "R(Y)'" in model.graph.latent
    assert_allclose(model.counterfactual([("Y", 1, {"X": 1}), ("Z", 1)]), 0.9 * 0.25)


@pytest.mark.parametrize(
    "claims",
    [
        [("Y", 1, {"Z": "nonsense"})],
        [("Y", 1, {"X": ("X", {"Z": "nonsense"})})],
        [("X", 1, {"X": 1}), ("W", 0, {"Y": "nonsense"})],
    ],
)
def test_states_that_do_not_exist_are_refused_where_they_do_not_matter(claims) -> None:
    even, same = ([0, 1], [0.5, 0.5]), ([[0, 1]], [1.0])
    model = dc.functional_model(
        dc.CausalGraph.from_edges("X -> Y; Z -> W"),
        {"X": even, "Z": even, "Y": same, "W": same},
    )
    for event, known in ((claims, []), ([("X", 1)], claims)):
        with pytest.raises(dc.QueryError, match="has no state 'nonsense'"):
            model.counterfactual(event, known)
        with pytest.raises(dc.QueryError, match="has no state 'nonsense'"):
            dc.world_diagram(model, event, known)


def test_too_many_functions_are_refused_before_they_are_listed() -> None:
    for causes in ([8, 8], [2] * 64):
        with pytest.raises(dc.ComplexityError, match="too many to list"):
            dc.response_functions(causes, 2)


@pytest.mark.parametrize(("causes", "states"), [([2], 0), ([-1], 2), ([2], "a")])
def test_numbers_of_states_are_counts(causes, states) -> None:
    with pytest.raises(dc.ModelError, match="whole number"):
        dc.response_functions(causes, states)


def test_every_function_is_listed_once() -> None:
    listed = dc.response_functions([2, 2], 3)
    assert listed.shape == (81, 2, 2)
    assert len(np.unique(listed.reshape(81, 4), axis=0)) == 81


def test_models_survive_json() -> None:
    model = PROBLEMS[0].model
    again = dc.CausalModel.from_json(model.to_json())
    assert json.loads(model.to_json()) == json.loads(again.to_json())
    event = PROBLEMS[0].event
    assert again.counterfactual(event) == model.counterfactual(event)
