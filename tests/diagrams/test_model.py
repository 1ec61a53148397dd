"""Causal models: every answer equals the one from all tables multiplied out."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.errors import ConditioningError
from distcausal.numerics.tensor import contract
from tests.diagrams.smoking import smoking_model
from tests.diagrams.strategies_graphs import admgs, dags_with_latents, models, questions
from tests.oracles import enumeration

# Sums of up to 1e5 products of numbers below 1 round at about 1e-14, and conditions of
# the random models have probabilities above 1e-2.
ATOL = 1e-12


@st.composite
def cases(draw, graphs=None):
    """A question and a model of its graph."""
    graph = draw(admgs(most=6, shared=4) if graphs is None else graphs)
    return draw(models(graph)), draw(questions(graph))


def law_of(model, question) -> np.ndarray:
    """The answer for every state of what is set and given."""
    return enumeration.query(
        enumeration.boxes_of(model), question.outcome, question.do, question.given
    )


def random_rows(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random laws along the last axis."""
    mass = rng.uniform(0.2, 1, size=shape)
    return mass / mass.sum(axis=-1, keepdims=True)


@given(cases())
def test_answers_are_those_of_the_joint(case):
    model, question = case
    found = model.query(question.outcome, question.do, question.given)
    assert found.names == (*question.outcome, *question.do, *question.given)
    assert_allclose(found.values, law_of(model, question), rtol=0, atol=ATOL)


@given(cases(dags_with_latents()))
def test_latent_variables_are_summed(case):
    model, question = case
    found = model.query(question.outcome, question.do, question.given)
    assert_allclose(found.values, law_of(model, question), rtol=0, atol=ATOL)
    assert model.joint().names == model.graph.observed


@given(cases(), st.data())
def test_setting_states_is_picking_them_among_all(case, data):
    model, question = case
    at = {
        name: data.draw(st.integers(0, len(model.states[name]) - 1))
        for name in (*question.do, *question.given)
    }
    do, seen = (
        {name: at[name] for name in role} for role in (question.do, question.given)
    )
    expected = law_of(model, question)[(..., *at.values())]
    found = model.query(question.outcome, do, seen)
    assert_allclose(found.values, expected, rtol=0, atol=ATOL)
    after = model.do(do).query(question.outcome, given=seen)
    assert_allclose(after.values, expected, rtol=0, atol=ATOL)


@given(cases(), st.data())
def test_lists_of_interventions_equal_a_loop(case, data):
    model, question = case
    named = (*question.do, *question.given)
    assume(named)
    count = data.draw(st.integers(1, 5))
    rows = {
        name: [data.draw(st.sampled_from(model.states[name])) for _ in range(count)]
        for name in named
    }
    do, seen = (
        {name: rows[name] for name in role} for role in (question.do, question.given)
    )
    found = model.query(question.outcome, do, seen)
    assert found.names == ("intervention", *question.outcome)
    for place in range(count):
        one = model.query(
            question.outcome,
            {name: states[place] for name, states in do.items()},
            {name: states[place] for name, states in seen.items()},
        )
        assert_allclose(found.values[place], one.values, rtol=0, atol=ATOL)


@given(cases(), st.data())
def test_draws_of_tables_equal_a_loop_over_models(case, data):
    model, question = case
    some = st.lists(st.sampled_from(model.full.nodes), min_size=1, unique=True)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    draws = {
        name: random_rows(rng, 3, *model.tables[name].shape) for name in data.draw(some)
    }
    asked = (question.outcome, question.do, question.given)
    found = model.query(*asked, tables=draws)
    assert found.names[0] == "draw"
    for place in range(3):
        tables = {
            **model.tables,
            **{name: table[place] for name, table in draws.items()},
        }
        one = dc.CausalModel(model.graph, tables, model.states).query(*asked)
        assert_allclose(found.values[place], one.values, rtol=0, atol=ATOL)


@given(cases(), st.data())
def test_a_policy_is_another_table(case, data):
    model, question = case
    target = data.draw(st.sampled_from(model.graph.observed))
    effects = model.full.descendants(target)
    before = [name for name in model.graph.observed if name not in effects]
    reads = data.draw(st.permutations(before))[: data.draw(st.integers(0, 2))]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = [len(model.states[name]) for name in (*reads, target)]
    channel = dc.Channel(
        random_rows(rng, *shape),
        [model.space(name) for name in reads],
        model.space(target),
    )
    boxes = {**enumeration.boxes_of(model), target: (reads, channel.values)}
    expected = enumeration.query(boxes, question.outcome, question.do, question.given)
    changed = model.intervene({target: channel})
    found = changed.query(question.outcome, question.do, question.given)
    assert_allclose(found.values, expected, rtol=0, atol=ATOL)


@given(cases(), st.data())
def test_a_shift_moves_a_variable_after_its_causes(case, data):
    model, question = case
    target = data.draw(st.sampled_from(model.graph.observed))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    size = len(model.states[target])
    kernel = dc.Channel(
        random_rows(rng, size, size), model.space(target), model.space(target)
    )
    boxes = enumeration.boxes_of(model)
    parents, table = boxes[target]
    expected = enumeration.query(
        {**boxes, target: (parents, table @ kernel.values)},
        question.outcome,
        question.do,
        question.given,
    )
    found = model.shift(target, kernel).query(
        question.outcome, question.do, question.given
    )
    assert_allclose(found.values, expected, rtol=0, atol=ATOL)


@given(cases(), st.data())
def test_an_intervention_leaves_what_comes_before_alone(case, data):
    model, _ = case
    target = data.draw(st.sampled_from(model.graph.observed))
    effects = model.full.descendants(target)
    before = [name for name in model.graph.observed if name not in effects]
    assume(before)
    after = model.query(before, do=[target]).values
    same = np.broadcast_to(model.query(before).values[..., None], after.shape)
    assert_allclose(after, same, rtol=0, atol=ATOL)


@given(cases(admgs(most=5, shared=3)), st.data())
def test_the_cut_diagram_averages_over_interventions(case, data):
    model, _ = case
    graph = model.graph
    name = data.draw(st.sampled_from(graph.observed))
    rest = [other for other in graph.observed if other != name]
    cut = model.interpret(graph.diagram(outputs=rest).cut(name)) if rest else None
    opened = model.query(rest, do=[name]).values if rest else None
    assume(rest)
    assert_allclose(cut.values, opened.mean(axis=-1), rtol=0, atol=ATOL)
    # the joint of the cut variable and the rest: its law is even, whatever it was
    both = model.interpret(graph.diagram(outputs=[*rest, name]).cut(name)).values
    assert_allclose(both * len(model.states[name]), opened, rtol=0, atol=ATOL)


@given(cases(admgs(least=2, most=5, shared=3)), st.data())
def test_cuts_can_be_made_twice_and_in_any_order(case, data):
    model, _ = case
    one, other = data.draw(st.permutations(model.graph.nodes))[:2]
    whole = model.graph.diagram()
    meaning = [
        model.interpret(diagram).values
        for diagram in (whole.cut(one, other), whole.cut(other, one), whole.cut(one))
    ]
    assert_allclose(meaning[0], meaning[1], rtol=0, atol=ATOL)
    again = model.interpret(whole.cut(one).cut(one)).values
    assert_allclose(meaning[2], again, rtol=0, atol=ATOL)


@given(cases(admgs(most=5, shared=3)))
def test_a_diagram_with_inputs_is_the_effect(case):
    model, question = case
    diagram = model.graph.diagram(outputs=question.outcome, inputs=question.do)
    found = model.interpret(diagram).values
    expected = model.query(question.outcome, do=question.do).values
    outer = len(question.outcome)
    expected = np.moveaxis(expected, range(outer), range(-outer, 0))
    assert_allclose(found, expected, rtol=0, atol=ATOL)


@given(cases(), st.randoms(use_true_random=False))
def test_tables_may_come_with_their_axes_in_any_order(case, random):
    model, _ = case
    tables = {}
    for name, table in model.tables.items():
        axes = [*model.full.parents(name), name]
        order = random.sample(axes, len(axes))
        labelled = dc.LabelledArray(table, {axis: model.states[axis] for axis in axes})
        tables[name] = labelled.transpose(order)
    assert dc.CausalModel(model.graph, tables) == model
    channels = {name: model.channel(name) for name in model.full.nodes}
    assert dc.CausalModel(model.graph, channels) == model


@given(st.integers(0, 2**32 - 1))
def test_ten_variables_equal_the_dense_joint(seed):
    rng = np.random.default_rng(seed)
    names = [f"V{place}" for place in range(10)]
    arrows = [
        (names[a], names[b])
        for a in range(10)
        for b in range(a + 1, 10)
        if rng.uniform() < 0.25
    ]
    model = dc.random_model(dc.CausalGraph(arrows, (), names), seed=seed)
    boxes = enumeration.boxes_of(model)
    _, dense = enumeration.whole_law(boxes)
    assert_allclose(model.joint().values, dense, rtol=0, atol=ATOL)
    asked = (names[9:], names[2:4], names[5:7])
    found = model.query(*asked).values
    # random rows may be near zero, and so may the probability of what is given
    assert_allclose(found, enumeration.query(boxes, *asked), rtol=1e-9, atol=ATOL)


@given(st.integers(0, 2**32 - 1), st.permutations(range(5)))
def test_contraction_does_not_depend_on_the_order_of_tables(seed, order):
    rng = np.random.default_rng(seed)
    labels = [(0, 1), (1, 2), (2, 3, 0), (3,), (1, 4)]
    tables = [rng.uniform(size=[2 + at % 2 for at in axes]) for axes in labels]
    one = contract(tables, labels, (4, 0))
    other = contract([tables[i] for i in order], [labels[i] for i in order], (4, 0))
    assert_allclose(one, other, rtol=1e-13)
    letters = "abcde"
    terms = ",".join("".join(letters[at] for at in axes) for axes in labels)
    assert_allclose(one, np.einsum(f"{terms}->ea", *tables), rtol=1e-13)


def test_contraction_has_the_gradient_of_finite_differences():
    rng = np.random.default_rng(3)
    labels = [(0, 1), (1, 2), (2, 0)]
    tables = [rng.uniform(0.5, 1, size=(3, 3)) for _ in labels]

    def total(first):
        return contract([first, *tables[1:]], labels, ())

    with jax.enable_x64(True):
        slope = np.asarray(jax.grad(total)(tables[0]))
    step = 1e-6
    for at in np.ndindex(3, 3):
        moved = np.zeros((3, 3))
        moved[at] = step
        change = (total(tables[0] + moved) - total(tables[0] - moved)) / (2 * step)
        # rounding 1e-15 over the step; the value is linear in each table
        assert abs(slope[at] - change) < 1e-8


@pytest.fixture
def smoking() -> dc.CausalModel:
    return smoking_model()


def test_an_effect_by_hand(smoking):
    # P(C=1 | do(S=yes)) = 0.2 * (0.1 + 0.2) / 2 + 0.8 * (0.4 + 0.5) / 2
    assert_allclose(smoking.query("C", do={"S": "yes"}).sel(C=1).values, 0.39)


def test_evidence_after_the_treatment_counts():
    arrows = [("C", "S"), ("C", "R"), ("S", "W"), ("R", "W")]
    wet = [[[1, 0], [0.1, 0.9]], [[0.1, 0.9], [0.01, 0.99]]]
    tables = {
        "C": [0.5, 0.5],
        "S": [[0.5, 0.5], [0.9, 0.1]],
        "R": [[0.8, 0.2], [0.2, 0.8]],
        "W": wet,
    }
    model = dc.CausalModel(dc.CausalGraph(arrows), tables)
    found = model.query("W", do={"S": 1}, given={"R": 1})
    assert_allclose(found.values, [0.01, 0.99])


def test_treatments_may_cause_one_another():
    graph = dc.CausalGraph.from_edges("A->B->C; A->C")
    sure = [[[1, 0], [0.5, 0.5]], [[0.5, 0.5], [0, 1]]]
    model = dc.CausalModel(
        graph, {"A": [0.5, 0.5], "B": [[0.9, 0.1], [0.2, 0.8]], "C": sure}
    )
    assert_allclose(model.query("C", do={"A": 1, "B": 1}).values, [0, 1])


def test_a_variable_of_one_state_changes_nothing():
    graph = dc.CausalGraph.from_edges("A->B->C")
    model = dc.random_model(graph, states={"A": 2, "B": 1, "C": 3}, seed=1)
    assert model.do(B=0).joint() == model.joint()
    assert_allclose(model.query("C", do={"B": 0}).values, model.query("C").values)


def test_an_event_that_never_happens_has_probability_zero():
    model = dc.CausalModel(
        dc.CausalGraph.from_edges("A->B"), {"A": [1, 0], "B": np.eye(2)}
    )
    longer = dc.CausalModel(
        dc.CausalGraph.from_edges("A->B->C"),
        {"A": [0.5, 0.5], "B": np.eye(2), "C": np.eye(2)},
    )
    assert model.query("B").sel(B=1).values == 0
    with pytest.raises(ConditioningError, match="B=1 has probability zero"):
        model.query("A", given={"B": 1})
    with pytest.raises(ConditioningError, match=r"B=1 .* after do\(A=0\)"):
        longer.query("C", do={"A": 0}, given={"B": 1})
    assert_allclose(model.query("B", do={"A": 1}).values, [0, 1])


def test_an_event_that_tells_nothing_must_still_be_possible():
    graph = dc.CausalGraph.from_edges("A->B; C->D")
    tables = {
        "A": [0.5, 0.5],
        "B": np.eye(2),
        "C": [0.4, 0.6],
        "D": [[1, 0], [0.5, 0.5]],
    }
    model = dc.CausalModel(graph, tables)
    assert_allclose(model.query("B", given={"C": 0, "D": 0}).values, [0.5, 0.5])
    for given_ in ({"C": 0, "D": 1}, {"C": [1, 0], "D": 1}, {"C": 0, "D": 1, "A": 1}):
        with pytest.raises(ConditioningError, match=r"C=0, D=1.* has probability zero"):
            model.query("B", given=given_)
    with pytest.raises(ConditioningError, match=r"D=1 .* after do\(C=0\)"):
        model.query("B", do={"C": 0}, given={"D": 1})
    with pytest.raises(ConditioningError, match=r"D=1 .* after do\(C=0\)"):
        model.query("B", do=["C"], given={"D": 1})


def test_lists_of_evidence_that_tells_nothing_still_lead():
    model = dc.random_model(dc.CausalGraph(nodes=["A", "B"]), seed=1)
    found = model.query("A", given={"B": [0, 1, 0]})
    assert found.names == ("intervention", "A")
    assert_allclose(found.values, [model.query("A").values] * 3)


def test_a_model_keeps_its_tables_when_the_array_it_came_from_changes():
    law = np.array([0.5, 0.5])
    model = dc.CausalModel(dc.CausalGraph(nodes=["A"]), {"A": law})
    law[:] = [1, 0]
    assert_allclose(model.query("A").values, [0.5, 0.5])


def test_models_travel(smoking):
    assert pickle.loads(pickle.dumps(smoking)) == smoking
    assert dc.CausalModel.from_json(smoking.to_json()) == smoking
    for model in (smoking, pickle.loads(pickle.dumps(smoking))):
        with pytest.raises(ValueError, match="read-only"):
            model.tables["S"][:] = 0.5
    assert "3 observed variables, 1 latent" in repr(smoking)
