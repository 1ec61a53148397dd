"""Identification across worlds: right formulas, none only where none exists."""

from __future__ import annotations

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

# formulas divide by probabilities down to about 1e-4
ATOL = 1e-9
# a linear programme is solved to 1e-7
OPEN = 1e-6
seeds = st.integers(0, 2**32 - 1)
BOW = dc.CausalGraph.from_edges("X -> Y; X <-> Y")


def two_states(graph: dc.CausalGraph) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(graph.nodes, (0, 1))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_stored_questions_get_their_verdict_and_value(problem: Problem) -> None:
    def ask() -> dc.CounterfactualIdentification:
        return dc.identify_counterfactual(
            problem.graph,
            problem.event,
            problem.given,
            experiments=problem.available,
            states=two_states(problem.graph),
        )

    if problem.identifiable is None:
        with pytest.raises(dc.ConditioningError, match="in no model"):
            ask()
        return
    found = ask()
    assert found.identified == problem.identifiable
    if found.identified:
        assert_allclose(found.evaluate(problem.data), problem.truth, atol=1e-9)


@given(seeds)
def test_formulas_give_the_probability_in_random_models(seed: int) -> None:
    rng = np.random.default_rng(seed)
    checked = 0
    while checked < 3:
        graph = random_graph(rng)
        sizes = {name: int(rng.integers(1, 4)) for name in graph.nodes}
        event, known = random_claims(rng, sizes, 3), random_claims(rng, sizes, 2, 0)
        experiments = [[name] for name in graph.nodes if rng.uniform() < 0.15]
        states = {n: range(k) for n, k in sizes.items() if rng.uniform() < 0.5}
        try:
            found = dc.identify_counterfactual(
                graph, event, known, experiments=experiments, states=states
            )
            if not found.identified or found.rule == "contradiction":
                continue
            model = random_functional(rng, graph, sizes)
            truth = model.counterfactual(event, known)
        except dc.ConditioningError:
            continue
        assert_allclose(found.evaluate(model), truth, atol=ATOL)
        checked += 1


@given(seeds)
def test_an_event_that_contradicts_itself_never_happens(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        graph = random_graph(rng)
        sizes = dict.fromkeys(graph.nodes, 2)
        event = random_claims(rng, sizes, 3)
        found = dc.identify_counterfactual(graph, event)
        if found.rule == "contradiction":
            assert random_functional(rng, graph, sizes).counterfactual(event) == 0
            assert found.text() == "0"


@given(seeds)
def test_questions_of_one_world_get_the_verdict_and_value_of_identify(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(5):
        graph = random_graph(rng)
        names = [str(name) for name in rng.permutation(graph.nodes)]
        ends = np.sort(rng.integers(1, len(names) + 1, size=3))
        outcome, do, known = (
            names[: ends[0]],
            names[ends[0] : ends[1]],
            names[ends[1] : ends[2]],
        )
        experiments = [[name] for name in graph.nodes if rng.uniform() < 0.3]
        one = dc.identify(graph, outcome, do, known, experiments=experiments)
        state = {name: int(rng.integers(2)) for name in names}
        world = {name: state[name] for name in do}
        other = dc.identify_counterfactual(
            graph,
            [(name, state[name], world) for name in outcome],
            [(name, state[name], world) for name in known],
            experiments=experiments,
        )
        assert one.identified == other.identified
        if one.identified:
            model = dc.random_model(graph, seed=seed)
            at = {name: state[name] for name in (*outcome, *do, *known)}
            value = float(one.evaluate(model).sel(at))
            assert_allclose(other.evaluate(model), value, atol=ATOL)


@given(seeds)
def test_without_a_formula_models_of_the_same_data_differ(seed: int) -> None:
    # three states, since with two the data can say more than the graph
    rng = np.random.default_rng(seed)
    for _ in range(6):
        graph = random_graph(rng, 3)
        sizes = dict.fromkeys(graph.nodes, 3)
        event, known = random_claims(rng, sizes, 2), random_claims(rng, sizes, 2, 0)
        try:
            found = dc.identify_counterfactual(graph, event, known)
            if found.identified:
                continue
            model = random_functional(rng, graph, sizes, functions=40)
            bounds = dc.counterfactual_bounds(graph, model, event, known, largest=2**17)
        except (dc.ConditioningError, dc.ComplexityError, dc.QueryError):
            continue
        assert bounds.width > OPEN
        truth = model.counterfactual(event, known)
        assert bounds.lower - OPEN <= truth <= bounds.upper + OPEN


def test_the_treated_through_a_mediator() -> None:
    graph = dc.CausalGraph.from_edges("X -> Z -> Y; X <-> Y")
    found = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], [("X", 0)])
    assert found.text() == "sum_{z} P(y=1 | x=0, z) P(z | x=1)"
    assert r"\sum_{z}" in found.latex()


def test_an_arrow_past_the_mediators_takes_the_formula_away() -> None:
    edges = "X -> W -> Y; D -> Z -> Y; X <-> Y"
    known = [("X", 0), ("Z", 1, {"D": 0}), ("D", 0)]
    event = [("Y", 1, {"X": 1})]
    found = dc.identify_counterfactual(dc.CausalGraph.from_edges(edges), event, known)
    assert found.text() == "sum_{w} P(y=1 | x=0, w, z=1) P(w | x=1)"
    direct = dc.CausalGraph.from_edges(f"{edges}; X -> Y")
    lost = dc.identify_counterfactual(direct, event, known)
    assert not lost.identified
    assert "two different values of X" in lost.reason


def test_the_rule_for_two_states_is_used_only_where_it_holds_and_says_so() -> None:
    question = {"event": [("Y", 1, {"X": 1})], "given": [("X", 0)]}
    ask = {**question, "experiments": [["X"]]}
    assert not dc.identify_counterfactual(BOW, **ask).identified
    three = dc.identify_counterfactual(BOW, **ask, states={"X": (0, 1, 2)})
    assert not three.identified
    two = dc.identify_counterfactual(BOW, **ask, states={"X": (0, 1)})
    assert two.rule == "consistency_two_level"
    assert two.text() == "[P(y=1 | do(x=1)) - P(x=1, y=1)] / [P(x=0)]"
    assert dc.identify_counterfactual(BOW, **question, states={"X": (0, 1)}).reason


def test_two_states_of_a_variable_have_one_between_them() -> None:
    # a unit that answers so to X has X=0 if it is to have Y=0
    known = [("Y", 1, {"X": 1}), ("Y", 0)]
    ask = {"given": known, "states": two_states(BOW)}
    never = dc.identify_counterfactual(BOW, [("X", 1)], **ask)
    assert (never.rule, never.text()) == ("contradiction", "0")
    always = dc.identify_counterfactual(BOW, [("X", 0)], **ask)
    assert (always.rule, always.text()) == ("consistency_two_level", "1")
    joint = dc.random_model(BOW, seed=1).joint()
    assert (never.evaluate(joint), always.evaluate(joint)) == (0, 1)


def test_the_other_state_is_tried_among_units_whose_share_is_unknown() -> None:
    # how A and B go together is unknown, and beside the point
    graph = dc.CausalGraph.from_edges("A -> B; X -> Y; X <-> Y")
    known = [("Y", 1, {"X": 1}), ("B", 1, {"A": 1}), ("B", 0, {"A": 0})]
    found = dc.identify_counterfactual(
        graph, [("X", 0)], known, experiments=[["X"]], states=two_states(graph)
    )
    assert found.rule == "consistency_two_level"
    assert found.text() == "1 - P(x=1, y=1) / P(y=1 | do(x=1))"
    rng = np.random.default_rng(0)
    model = random_functional(rng, graph, dict.fromkeys(graph.nodes, 2))
    truth = model.counterfactual([("X", 0)], known)
    assert 0.01 < truth < 0.99
    assert_allclose(found.evaluate(model), truth, atol=ATOL)
    never = dc.CausalModel(BOW, {"U(X,Y)": [1], "X": [[0.5, 0.5]], "Y": [[[1, 0]]] * 2})
    alone = dc.CausalModel(graph, {**never.tables, "A": [1, 0], "B": [[1, 0]] * 2})
    with pytest.raises(dc.ConditioningError, match="probability zero"):
        found.evaluate(alone)


def test_a_refusal_says_that_the_rule_for_two_states_finds_not_all() -> None:
    # X has the share of (Y[X=0]=1) that those without X=0 leave, for M too: two states
    # do determine this, which the bounds show, but M reads an X that is summed over
    graph = dc.CausalGraph.from_edges("X -> M; X -> Y; X <-> Y")
    event = [("M", 0), ("Y", 1, {"X": 0})]
    ask = {"experiments": [["X"]]}
    plain = dc.identify_counterfactual(graph, event, **ask)
    assert "the graph does not say" in plain.reason
    assert "two states" not in plain.reason
    found = dc.identify_counterfactual(graph, event, **ask, states=two_states(graph))
    assert not found.identified
    assert "does not mean that two states leave it open" in found.reason
    model = dc.random_model(graph, seed=4)
    experiment = model.query(["M", "Y"], do=["X"])
    data = {"observational": model.joint(), ("X",): experiment}
    assert dc.counterfactual_bounds(graph, data, event).width < OPEN


def test_a_condition_that_does_not_matter_cancels_though_it_has_no_formula() -> None:
    # how A and B go together across worlds is unknown, and beside the point
    graph = dc.CausalGraph.from_edges("A -> B; X -> Y")
    unknown = [("B", 1, {"A": 1}), ("B", 0, {"A": 0})]
    assert not dc.identify_counterfactual(graph, unknown).identified
    found = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], unknown)
    assert found.text() == "P(y=1 | x=1)"
    cancelled = dict(found.steps)["cancel"]
    assert cancelled == "P(B[A=1]=1, B[A=0]=0) stands in the condition too"


def test_observation_and_experiment_meet_in_one_ratio() -> None:
    found = dc.identify_counterfactual(
        BOW, [("X", 1)], [("Y", 1, {"X": 1})], experiments=[["X"]]
    )
    assert found.text() == "P(x=1, y=1) / P(y=1 | do(x=1))"


def test_steps_tell_what_was_done() -> None:
    graph = dc.CausalGraph.from_edges("X -> M -> Y; X -> Y; W -> X")
    nested = [("Y", 1, {"X": 1, "M": ("M", {"X": 0, "Y": 0})})]
    found = dc.identify_counterfactual(graph, nested)
    moves = [name for name, _ in found.steps]
    assert moves[0] == "unnest"
    assert moves[-1] == "formula"
    assert {"ancestors", "factorise", "identify"} <= set(moves)
    assert found.text() == "sum_{m} P(m | x=0) P(y=1 | x=1, m)"
    idle = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1, "W": 1, "M": 0})])
    assert idle.steps[0] == (
        "minimise",
        "Y[M=0, W=1, X=1] is Y[M=0, X=1]: W leads nowhere",
    )


def test_a_hedge_is_named_where_a_kernel_has_no_formula() -> None:
    found = dc.identify_counterfactual(BOW, [("Y", 1, {"X": 1})])
    assert not found.identified
    assert "X <-> Y" in found.reason
    assert [hedge.inner for hedge in found.hedges] == [("Y",)]
    with pytest.raises(dc.IdentificationError, match="counterfactual_bounds"):
        found.evaluate(dc.random_model(BOW))
    assert "not identified" in found.summary().as_text()


def test_latent_variables_are_left_out_first() -> None:
    graph = dc.CausalGraph.from_edges("U -> X; U -> Y; X -> Z -> Y", latent=["U"])
    found = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], [("X", 0)])
    assert found.text() == "sum_{z} P(y=1 | x=0, z) P(z | x=1)"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"event": []}, dc.QueryError, "event is empty"),
        ({"event": [("Q", 1)]}, dc.QueryError, "no variable 'Q'"),
        ({"given": "X"}, dc.QueryError, "triples"),
        ({"observational": False}, dc.QueryError, "nothing to learn from"),
        ({"states": {"Q": (0, 1)}}, dc.QueryError, "no variable 'Q'"),
        ({"states": ["X"]}, dc.QueryError, "states is"),
        ({"states": {"X": (0, 2)}}, dc.QueryError, "'X' has no state 1"),
        ({"given": None}, dc.QueryError, "given is None"),
        ({"graph": "X->Y"}, dc.QueryError, "give a CausalGraph"),
        ({"given": [("X", 0, {"X": 1})]}, dc.ConditioningError, "in no model"),
    ],
)
def test_questions_that_make_no_sense_are_refused(change, error, message) -> None:
    question = {"graph": BOW, "event": [("Y", 1, {"X": 1})], **change}
    with pytest.raises(error, match=message):
        dc.identify_counterfactual(**question)


def test_an_unknown_state_is_refused_with_those_there_are() -> None:
    graph = dc.CausalGraph([("X", "Y")])
    joint = dc.LabelledArray(np.full((2, 2), 0.25), {"X": (0, 1), "Y": (0, 1)})
    for setting in ({"X": 2}, {"X": 1}):
        found = dc.identify_counterfactual(
            graph, [("Y", 5 if setting["X"] == 1 else 1, setting)]
        )
        with pytest.raises(dc.QueryError, match="has no state"):
            found.evaluate(joint)


def test_a_condition_that_never_occurs_is_refused_even_if_it_cancels() -> None:
    graph = dc.CausalGraph([("X", "Y")], nodes=["Z"])
    law = np.zeros((2, 2, 2))
    law[..., 0] = 0.25
    joint = dc.LabelledArray(law, {"X": (0, 1), "Y": (0, 1), "Z": (0, 1)})
    found = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], [("Z", 1)])
    assert found.text() == "P(y=1 | x=1)"
    with pytest.raises(dc.ConditioningError, match="probability zero"):
        found.evaluate(joint)


def test_a_stratum_that_is_needed_and_never_seen_is_named() -> None:
    graph = dc.CausalGraph.from_edges("Z -> X -> Y; Z -> Y")
    law = np.full((2, 2, 2), 1 / 6)
    law[1, 1] = 0  # nobody with Z=1 is treated
    joint = dc.LabelledArray(law, {"Z": (0, 1), "X": (0, 1), "Y": (0, 1)})
    found = dc.identify_counterfactual(graph, [("Y", 1, {"X": 1})], [("X", 0)])
    with pytest.raises(dc.PositivityError, match="P\\(z, x=1\\) > 0"):
        found.evaluate(joint)


def test_a_ratio_that_cannot_be_formed_is_named() -> None:
    napkin = dc.CausalGraph.from_edges("W -> Z -> X -> Y; W <-> X; W <-> Y")
    found = dc.identify_counterfactual(napkin, [("Y", 1, {"X": 1})])
    model = dc.random_model(napkin, seed=0)
    never = np.zeros_like(model.tables["X"])
    never[..., 0] = 1
    with pytest.raises(dc.PositivityError, match=r"do not hold: .*x=1.*> 0"):
        found.evaluate(dc.CausalModel(napkin, {**model.tables, "X": never}))


def test_a_result_survives_json() -> None:
    found = dc.identify_counterfactual(BOW, [("Y", 1, {"X": 1})], [("X", 1)])
    again = dc.CounterfactualIdentification.from_json(found.to_json())
    assert again == found
    assert again.text() == found.text()
