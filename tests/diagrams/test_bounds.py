"""Bounds by linear programmes and in closed form: right, sharp, closer with data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.diagrams.counterfactual_problems import PROBLEMS
from tests.diagrams.random_worlds import (
    random_claims,
    random_functional,
    random_graph,
)

# the solver satisfies its equations to 1e-7
ATOL = 1e-6
seeds = st.integers(0, 2**32 - 1)
TRIAL = dc.CausalGraph.from_edges("X -> Y")
BOW = dc.CausalGraph.from_edges("X -> Y; X <-> Y")
INSTRUMENT = dc.CausalGraph.from_edges("Z -> X -> Y; X <-> Y")
BENEFIT = [("Y", 1, {"X": 1}), ("Y", 0, {"X": 0})]


def law(values: object, names: str) -> dc.LabelledArray:
    """Joint of variables of two states."""
    return dc.LabelledArray(np.asarray(values, float), dict.fromkeys(names, (0, 1)))


def imperfect_compliance(joint: np.ndarray) -> tuple[float, float]:
    """Bounds on the average effect from an instrument, as Balke and Pearl have them."""
    given_z = joint / joint.sum(axis=(1, 2), keepdims=True)

    def p(y: int, x: int, z: int) -> float:
        return float(given_z[z, x, y])

    lower = max(
        p(1, 1, 1) + p(0, 0, 0) - 1,
        p(1, 1, 0) + p(0, 0, 1) - 1,
        p(1, 1, 0) - p(1, 1, 1) - p(1, 0, 1) - p(0, 1, 0) - p(1, 0, 0),
        p(1, 1, 1) - p(1, 1, 0) - p(1, 0, 0) - p(0, 1, 1) - p(1, 0, 1),
        -p(0, 1, 1) - p(1, 0, 1),
        -p(0, 1, 0) - p(1, 0, 0),
        p(0, 0, 1) - p(0, 1, 1) - p(1, 0, 1) - p(0, 1, 0) - p(0, 0, 0),
        p(0, 0, 0) - p(0, 1, 0) - p(1, 0, 0) - p(0, 1, 1) - p(0, 0, 1),
    )
    upper = min(
        1 - p(0, 1, 1) - p(1, 0, 0),
        1 - p(0, 1, 0) - p(1, 0, 1),
        -p(0, 1, 0) + p(0, 1, 1) + p(0, 0, 1) + p(1, 1, 0) + p(0, 0, 0),
        -p(0, 1, 1) + p(1, 1, 1) + p(0, 0, 1) + p(0, 1, 0) + p(0, 0, 0),
        p(1, 1, 1) + p(0, 0, 1),
        p(1, 1, 0) + p(0, 0, 0),
        -p(1, 0, 1) + p(1, 1, 1) + p(0, 0, 1) + p(1, 1, 0) + p(1, 0, 0),
        -p(1, 0, 0) + p(1, 1, 0) + p(0, 0, 0) + p(1, 1, 1) + p(1, 0, 1),
    )
    return lower, upper


@given(seeds)
def test_an_instrument_gives_the_printed_bounds(seed: int) -> None:
    joint = dc.random_model(INSTRUMENT, latent_states=4, seed=seed).joint()
    found = dc.effect_bounds(INSTRUMENT, joint, {"Y": 1}, {"X": 1}, against={"X": 0})
    assert found.sharp
    assert_allclose([*found], imperfect_compliance(joint.values), atol=ATOL)


@given(seeds)
def test_confounding_alone_leaves_the_natural_bounds(seed: int) -> None:
    joint = dc.random_model(BOW, states={"X": 3}, seed=seed).joint()
    for x in range(3):
        found = dc.effect_bounds(BOW, joint, {"Y": 1}, {"X": x})
        natural = joint.values[x, 1], 1 - joint.values[x, 0]
        assert_allclose([*found], natural, atol=ATOL)


@given(seeds)
def test_the_truth_lies_between_the_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        graph = random_graph(rng, 4)
        sizes = {name: int(rng.integers(1, 4)) for name in graph.nodes}
        event, known = random_claims(rng, sizes, 2), random_claims(rng, sizes, 1, 0)
        model = random_functional(rng, graph, sizes)
        set_ = str(rng.choice(graph.nodes))
        data = {"observational": model.joint(), (set_,): experiment(model, set_)}
        try:
            truth = model.counterfactual(event, known)
            wide = dc.counterfactual_bounds(
                graph, data["observational"], event, known, largest=2**16
            )
            close = dc.counterfactual_bounds(graph, data, event, known, largest=2**16)
        except (dc.ConditioningError, dc.ComplexityError, dc.QueryError):
            continue
        assert wide.lower - ATOL <= close.lower <= truth + ATOL
        assert truth - ATOL <= close.upper <= wide.upper + ATOL


def experiment(model: dc.CausalModel, name: str) -> dc.LabelledArray:
    """Law of all other variables for each state that one is set to."""
    others = [other for other in model.graph.observed if other != name]
    if not others:
        return dc.LabelledArray(
            np.ones(len(model.states[name])), {name: model.states[name]}
        )
    return model.query(others, do=[name])


@given(seeds)
def test_what_has_a_formula_is_bounded_by_its_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 4)
    sizes = dict.fromkeys(graph.nodes, 2)
    event = random_claims(rng, sizes, 2)
    found = dc.identify_counterfactual(graph, event)
    if found.identified:
        model = random_functional(rng, graph, sizes)
        bounds = dc.counterfactual_bounds(graph, model, event)
        assert_allclose([*bounds], [found.evaluate(model)] * 2, atol=1e-9)
        assert bounds.district == ()


@given(seeds)
def test_closed_forms_of_causation_agree_with_linear_programmes(seed: int) -> None:
    model = dc.random_model(BOW, latent_states=3, seed=seed)
    data = {"observational": model.joint(), ("X",): experiment(model, "X")}
    necessary = [("Y", 0, {"X": 0})], [("X", 1), ("Y", 1)]
    sufficient = [("Y", 1, {"X": 1})], [("X", 0), ("Y", 0)]
    for graph, laws, exogenous in (
        (BOW, data, False),
        (BOW, data["observational"], False),
        (TRIAL, data["observational"], True),
    ):
        closed = dc.causation_probabilities(laws, "X", "Y", exogenous=exogenous)
        for found, question in (
            (closed.both, (BENEFIT, ())),
            (closed.necessary, necessary),
            (closed.sufficient, sufficient),
        ):
            wanted = dc.counterfactual_bounds(graph, laws, *question)
            assert_allclose([*found], [*wanted], atol=ATOL)


@given(seeds)
def test_a_cause_that_never_prevents_determines_causation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    functions = [[0, 0], [0, 1], [1, 1]]
    model = dc.functional_model(
        BOW,
        {
            "X": ([0, 1], rng.dirichlet(np.ones(2), size=3)),
            "Y": (functions, rng.dirichlet(np.ones(3), size=3)),
        },
        {"U(X,Y)": rng.dirichlet(np.ones(3))},
    )
    data = {"observational": model.joint(), ("X",): experiment(model, "X")}
    found = dc.causation_probabilities(data, "X", "Y", monotone=True)
    assert_allclose([*found.both], [model.counterfactual(BENEFIT)] * 2, atol=1e-9)
    seen = model.counterfactual([("Y", 0, {"X": 0})], [("X", 1), ("Y", 1)])
    assert_allclose([*found.necessary], [seen] * 2, atol=1e-9)
    seen = model.counterfactual([("Y", 1, {"X": 1})], [("X", 0), ("Y", 0)])
    assert_allclose([*found.sufficient], [seen] * 2, atol=1e-9)
    programme = dc.counterfactual_bounds(BOW, data, BENEFIT, monotone=[("X", "Y")])
    assert_allclose([*found.both], [*programme], atol=ATOL)


def test_stored_trial_leaves_the_stored_bounds_on_benefit() -> None:
    problem = next(each for each in PROBLEMS if each.name == "pns_unconfounded")
    found = dc.counterfactual_bounds(problem.graph, problem.joint, problem.event)
    rate = problem.joint.values[:, 1] / problem.joint.values.sum(axis=1)
    assert_allclose(found.lower, max(0, rate[1] - rate[0]), atol=ATOL)
    assert_allclose(found.upper, min(rate[1], 1 - rate[0]), atol=ATOL)
    assert found.lower < problem.truth < found.upper


def test_mediators_with_a_formula_enter_by_their_kernels() -> None:
    # X acts on Y through M alone: benefit needs M to move, and Y with it
    graph = dc.CausalGraph.from_edges("X -> M -> Y")
    model = dc.random_model(graph, seed=5)
    rate = model.query("Y", do=["X"]).values[1]
    event = [("M", 1, {"X": 1}), ("M", 0, {"X": 0}), ("Y", 1, {"X": 1})]
    found = dc.counterfactual_bounds(graph, model, event)
    step = model.tables["M"][:, 1]
    moved = max(0, step[1] - step[0]), min(step[1], 1 - step[0])
    assert_allclose([*found], np.multiply(moved, model.tables["Y"][1, 1]), atol=ATOL)
    assert 0 < found.upper <= rate[1]


def test_districts_that_multiply_are_refused() -> None:
    graph = dc.CausalGraph.from_edges("X -> M -> Y")
    with pytest.raises(dc.QueryError, match=r"neither how \{M\}, \{Y\} respond"):
        dc.counterfactual_bounds(graph, dc.random_model(graph), BENEFIT)
    apart = dc.CausalGraph.from_edges("X -> Y; A -> B; Y -> B")
    given_ = [("Y", 1, {"X": 1}), ("Y", 0, {"X": 0})]
    event = [("B", 1, {"A": 1, "Y": 1}), ("B", 0, {"A": 0, "Y": 1})]
    cancelled = dc.counterfactual_bounds(apart, dc.random_model(apart), event, given_)
    assert cancelled.district == ("B",)


def test_a_district_that_is_a_chain_of_causes_is_not_called_sharp() -> None:
    chain = dc.CausalGraph.from_edges("A -> B -> C; A <-> B; B <-> C")
    found = dc.effect_bounds(chain, dc.random_model(chain), {"C": 1}, {"A": 1, "B": 1})
    assert not found.sharp
    assert found.district == ("A", "B", "C")


def test_causes_shared_two_by_two_are_not_one_cause_of_all() -> None:
    # X = W always, by a cause that has no part in Y: so X is independent of Y's
    # response, and setting it is seeing it; the programme does not know that
    pairs = dc.CausalGraph.from_edges("X -> Y; X <-> Y; X <-> W; Y <-> W")
    joint = np.zeros((2, 2, 2))
    joint[[0, 1], [0, 1]] = [[0.35, 0.15], [0.1, 0.4]]
    found = dc.effect_bounds(pairs, law(joint, "XWY"), {"Y": 1}, {"X": 1})
    assert_allclose([*found], [0.4, 0.9], atol=ATOL)
    assert not found.sharp
    for edges in ("L -> X; L -> W; L -> Y", "L <-> X; L -> K; L -> Y; K -> W"):
        one = dc.CausalGraph.from_edges(
            f"X -> Y; {edges}", latent=["L", "K"][: 1 + ("K" in edges)]
        )
        again = dc.effect_bounds(one, law(joint, "XWY"), {"Y": 1}, {"X": 1})
        assert again.sharp
        assert_allclose([*again], [*found], atol=ATOL)


def test_one_cause_of_all_attains_both_ends() -> None:
    # a state of L for each unit of the programme's solution: Y=1 if X were 1, or not,
    # among those who have X=0
    graph = dc.CausalGraph.from_edges("X -> Y; L -> X; L -> W; L -> Y", latent=["L"])
    wanted = np.zeros((2, 2, 2))
    wanted[[0, 1], [0, 1]] = [[0.35, 0.15], [0.1, 0.4]]
    found = dc.effect_bounds(graph, law(wanted, "XWY"), {"Y": 1}, {"X": 1})
    assert found.sharp
    for at_one, end in zip(([0, 0], [1, 1]), found, strict=True):
        rows = [(0, 0, at_one[0]), (0, 1, at_one[1]), (1, 0, 0), (1, 1, 1)]
        follows = np.eye(2)[[x for x, _, _ in rows]]
        tables = {
            "L": [0.35, 0.15, 0.1, 0.4],
            "X": follows,
            "W": follows,
            "Y": np.eye(2)[[[y0 for _, y0, _ in rows], [y1 for _, _, y1 in rows]]],
        }
        model = dc.CausalModel(graph, tables)
        found_law = model.joint().transpose(("X", "W", "Y"))
        assert_allclose(found_law.values, wanted, atol=1e-12)
        assert_allclose(model.query("Y", do={"X": 1}).values[1], end, atol=ATOL)


def test_a_difference_across_two_undetermined_districts_is_refused() -> None:
    graph = dc.CausalGraph.from_edges("X -> Y; A -> B; X <-> Y; A <-> B")
    model = dc.random_model(graph, seed=0)
    with pytest.raises(dc.QueryError, match=r"neither how X, Y nor how A, B respond"):
        dc.effect_bounds(graph, model, {"Y": 1, "B": 1}, {"X": 1}, against={"A": 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": None}, "outcome is None"),
        ({"do": None}, "do is None"),
        ({"against": 1}, "against is 1"),
        ({"do": {"X": 7}}, "'X' has no state 7"),
        ({"outcome": {}}, "event is empty"),
        ({"monotone": ("X", "Y")}, "monotone holds 'X'"),
        ({"monotone": [("X", "Y", "Z")]}, "monotone holds"),
        ({"monotone": 1}, "monotone is 1"),
    ],
)
def test_effects_that_make_no_sense_are_refused(change, message: str) -> None:
    question = {"outcome": {"Y": 1}, "do": {"X": 1}, **change}
    joint = law([[0.25, 0.25], [0.25, 0.25]], "XY")
    with pytest.raises(dc.QueryError, match=message):
        dc.effect_bounds(BOW, joint, **question)


def test_data_that_no_model_of_the_graph_makes_are_refused_with_the_amount() -> None:
    # assignment moves the outcome of those who take X = 0 either way
    impossible = law([[[0.5, 0], [0, 0]], [[0, 0.5], [0, 0]]], "ZXY")
    with pytest.raises(dc.DataError, match=r"missed by 0\.5 or more"):
        dc.effect_bounds(INSTRUMENT, impossible, {"Y": 1}, {"X": 0})
    harmed = law([[0.1, 0.4], [0.3, 0.2]], "XY")
    with pytest.raises(dc.DataError, match="monotone"):
        dc.counterfactual_bounds(TRIAL, harmed, BENEFIT, monotone=[("X", "Y")])
    with pytest.raises(dc.DataError, match="contradict"):
        dc.causation_probabilities(harmed, "X", "Y", exogenous=True, monotone=True)


def test_rounded_experiments_are_taken_as_rounded() -> None:
    # seeing and setting the instrument tell the same, here up to the sixth digit
    model = dc.random_model(INSTRUMENT, seed=3)
    exact = experiment(model, "Z")
    data = {
        "observational": model.joint(),
        ("Z",): dc.LabelledArray(np.round(exact.values, 6), exact.axes),
    }
    found = dc.effect_bounds(INSTRUMENT, data, {"Y": 1}, {"X": 1})
    alone = dc.effect_bounds(INSTRUMENT, model, {"Y": 1}, {"X": 1})
    assert_allclose([*found], [*alone], atol=1e-5)


def test_states_in_another_order_are_refused_across_distributions() -> None:
    model = dc.random_model(BOW, seed=0)
    exact = experiment(model, "X")
    turned = dc.LabelledArray(exact.values[::-1], {"Y": (1, 0), "X": (0, 1)})
    data = {"observational": model.joint(), ("X",): turned}
    for ask in (
        lambda: dc.causation_probabilities(data, "X", "Y"),
        lambda: dc.counterfactual_bounds(BOW, data, BENEFIT),
    ):
        with pytest.raises(dc.DataError, match=r"give 'Y' different states"):
            ask()


def test_a_stratum_never_seen_says_nothing() -> None:
    joint = law([[0.4, 0.6], [0, 0]], "XY")
    found = dc.counterfactual_bounds(TRIAL, joint, BENEFIT)
    assert_allclose([*found], [0, 0.4], atol=ATOL)
    graph = dc.CausalGraph.from_edges("X -> M -> Y")
    joint = law([[[0.2, 0.3], [0.2, 0.3]], np.zeros((2, 2))], "XMY")
    event = [*BENEFIT[:0], ("M", 1, {"X": 1}), ("Y", 1, {"M": 1}), ("Y", 0, {"M": 0})]
    with pytest.raises(dc.PositivityError, match=r"P\(x\) > 0"):
        dc.counterfactual_bounds(graph, joint, event)


def test_too_many_responses_are_refused_before_they_are_listed() -> None:
    graph = dc.CausalGraph.from_edges("A -> Y; B -> Y; C -> Y; A <-> Y")
    model = dc.random_model(graph)
    with pytest.raises(dc.ComplexityError, match=r"A: 2, Y: 256"):
        dc.effect_bounds(graph, model, {"Y": 1}, {"A": 1}, largest=1000)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"event": []}, dc.QueryError, "event is empty"),
        ({"event": [("Y", 7)]}, dc.QueryError, "no state 7"),
        ({"monotone": [("Y", "X")]}, dc.QueryError, "no arrow from 'Y'"),
        ({"graph": "X->Y"}, dc.QueryError, "give a CausalGraph"),
        ({"given": [("X", 0, {"X": 1})]}, dc.ConditioningError, "in no model"),
        (
            {"distributions": law([0.5, 0.5], "X")},
            dc.QueryError,
            "no axis for Y",
        ),
        (
            {"distributions": law([[0.5, 0.5], [0, 0]], "XY"), "given": [("X", 1)]},
            dc.ConditioningError,
            "probability zero",
        ),
    ],
)
def test_questions_that_make_no_sense_are_refused(change, error, message) -> None:
    question = {
        "graph": TRIAL,
        "distributions": law([[0.25, 0.25], [0.25, 0.25]], "XY"),
        "event": BENEFIT,
        **change,
    }
    with pytest.raises(error, match=message):
        dc.counterfactual_bounds(**question)


def test_a_condition_that_can_only_have_probability_zero_is_refused() -> None:
    # untreated units never have the outcome, so none has it only if untreated
    law_ = dc.LabelledArray(
        [[0.25, 0], [0.25, 0.25], [0.125, 0.125]], {"X": (0, 1, 2), "Y": (0, 1)}
    )
    never = [("Y", 0, {"X": 1}), ("Y", 1, {"X": 0})]
    with pytest.raises(dc.ConditioningError, match="every model"):
        dc.counterfactual_bounds(TRIAL, law_, [("Y", 1, {"X": 2})], never)


@pytest.mark.parametrize(
    ("joint", "options", "error", "message"),
    [
        (
            law([[0.2, 0.3], [0.1, 0.4]], "XY"),
            {"monotone": True},
            dc.QueryError,
            "setting",
        ),
        (
            law([[0.5, 0.5], [0, 0]], "XY"),
            {"exogenous": True},
            dc.ConditioningError,
            "one",
        ),
        (law([[0.5, 0.2], [0.3, 0]], "XY"), {}, dc.ConditioningError, "together"),
        (
            dc.LabelledArray(np.full((3, 2), 1 / 6), {"X": (0, 1, 2), "Y": (0, 1)}),
            {},
            dc.QueryError,
            "3 states",
        ),
    ],
)
def test_causation_needs_two_states_and_units_of_both_kinds(
    joint, options, error, message
) -> None:
    with pytest.raises(error, match=message):
        dc.causation_probabilities(joint, "X", "Y", **options)


def test_an_experiment_that_contradicts_exogeneity_is_refused() -> None:
    model = dc.random_model(BOW, seed=2)
    with pytest.raises(dc.DataError, match="Drop the claim"):
        dc.causation_probabilities(model, "X", "Y", exogenous=True)


def test_bounds_are_shown_and_survive_json() -> None:
    joint = law([[0.35, 0.15], [0.2, 0.3]], "XY")
    found = dc.counterfactual_bounds(TRIAL, joint, BENEFIT)
    assert "sharp" in found.summary().as_text()
    assert dc.Bounds.from_json(found.to_json()) == found
    closed = dc.causation_probabilities(joint, "X", "Y", exogenous=True)
    assert "necessary and sufficient" in closed.summary().as_text()
    assert dc.CausationProbabilities.from_json(closed.to_json()) == closed
