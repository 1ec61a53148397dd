"""Laws every identification obeys, whatever the graph.

A formula gives the answer of every model of the graph; renaming, reordering and what
cannot matter change nothing; assuming less never helps and knowing more never harms;
rules of the do-calculus hold for the numbers wherever their separations hold.
"""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.diagrams.strategies_graphs import (
    NAPKIN,
    SOLVED,
    admgs,
    available,
    dags_with_latents,
    experiments,
    inside,
    models,
    questions,
    refused,
    solvable,
)

# Rows of the random tables are even within a factor of 5, so over at most seven
# variables denominators stay above 1e-6, and rounding at 1e-16 is seen below 1e-9.
ATOL = 1e-9


def identify(graph, question, **options) -> dc.Identification:
    asked = (question.outcome, question.do, question.given)
    return dc.identify(graph, *asked, **options)


def truth(model, question) -> np.ndarray:
    return model.query(question.outcome, question.do, question.given).values


@st.composite
def cases(draw, graphs=None, conditional=True):
    """A graph, a question about it and a model of it."""
    graph = draw(admgs() if graphs is None else graphs)
    return graph, draw(questions(graph, conditional)), draw(models(graph))


@st.composite
def solved_cases(draw, questions=None):
    """A graph, a question that takes steps of every kind, and a model."""
    graph, question = draw(solvable() if questions is None else questions)
    return graph, question, draw(models(graph))


def napkins():
    """Cases whose formula mentions a variable that it does not depend on."""
    return solved_cases(inside([NAPKIN], extra=1, edges=1))


@given(st.one_of(cases(), solved_cases()))
def test_a_formula_gives_the_answer_of_every_model(case):
    graph, question, model = case
    found = identify(graph, question)
    if found.identified:
        answer = found.evaluate(model.joint())
        assert answer.names == (*question.outcome, *question.do, *question.given)
        assert_allclose(answer.values, truth(model, question), rtol=0, atol=ATOL)


@given(st.data())
def test_a_formula_from_experiments_gives_the_answer_of_every_model(data):
    graph, question, model = data.draw(cases(admgs(least=2, most=6)))
    sets = data.draw(experiments(graph))
    observed = not sets or data.draw(st.booleans())
    found = identify(graph, question, experiments=sets, observational=observed)
    if found.identified:
        sources = [[]] * observed + sets
        answer = found.evaluate(available(model, sources))
        assert_allclose(answer.values, truth(model, question), rtol=0, atol=ATOL)


@given(cases(dags_with_latents()))
def test_a_formula_holds_for_models_with_latent_variables_of_their_own(case):
    graph, question, model = case
    found = identify(graph, question)
    if found.identified:
        answer = found.evaluate(model.joint())
        assert_allclose(answer.values, truth(model, question), rtol=0, atol=ATOL)


@given(st.one_of(cases(), solved_cases()))
def test_latent_causes_may_be_arrows_or_variables(case):
    graph, question, model = case
    arrows, variables = (identify(g, question) for g in (graph, graph.with_latents()))
    assert arrows.identified == variables.identified
    if arrows.identified:
        joint = model.joint()
        first, second = (found.evaluate(joint).values for found in (arrows, variables))
        assert_allclose(first, second, rtol=0, atol=ATOL)


@given(st.one_of(cases(), solved_cases()), st.randoms(use_true_random=False))
def test_names_and_orders_do_not_matter(case, random):
    graph, question, model = case
    letters = [f"N{place}" for place in range(len(graph.nodes))]
    random.shuffle(letters)
    name = dict(zip(graph.nodes, letters, strict=True))
    arrows = [(name[a], name[b]) for a, b in graph.directed]
    causes = [(name[b], name[a]) for a, b in graph.bidirected]
    for edges in (arrows, causes, letters):
        random.shuffle(edges)
    renamed = dc.CausalGraph(arrows, causes, letters)
    roles = (
        tuple(map(name.get, role))
        for role in (question.outcome, question.do, question.given)
    )
    first, second = identify(graph, question), dc.identify(renamed, *roles)
    assert first.identified == second.identified
    if first.identified:
        joint = model.joint()
        other = dc.LabelledArray(
            joint.values, {name[n]: states for n, states in joint.axes.items()}
        )
        one, two = first.evaluate(joint).values, second.evaluate(other).values
        assert_allclose(one, two, rtol=0, atol=ATOL)


@given(cases(admgs(most=5)))
def test_variables_without_edges_change_nothing(case):
    graph, question, model = case
    wider = dc.CausalGraph(
        graph.directed, graph.bidirected, ("first", *graph.nodes, "last")
    )
    before, after = identify(graph, question), identify(wider, question)
    assert before.identified == after.identified
    if before.identified:
        joint = model.joint()
        assert before.estimand.text() == after.estimand.text()
        one, two = before.evaluate(joint), after.evaluate(joint)
        assert_allclose(one.values, two.values, rtol=0, atol=ATOL)


@given(st.data())
def test_a_variable_without_edges_can_play_any_role(data):
    graph, question, model = data.draw(cases(admgs(most=4)))
    wider = dc.CausalGraph(graph.directed, graph.bidirected, (*graph.nodes, "alone"))
    before = identify(graph, question)
    law = np.array([0.3, 0.7])
    joint = model.joint()
    both = dc.LabelledArray(
        joint.values[..., None] * law, {**joint.axes, "alone": (0, 1)}
    )
    asked = [question.outcome, question.do, question.given]
    role = data.draw(st.integers(0, 2))
    asked[role] = (*asked[role], "alone")
    after = dc.identify(wider, *asked)
    assert before.identified == after.identified
    if before.identified:
        value = np.moveaxis(
            after.evaluate(both).values, sum(map(len, asked[: role + 1])) - 1, -1
        )
        plain = before.evaluate(joint).values[..., None]
        expected = plain * (law if role == 0 else np.ones(2))
        assert_allclose(value, expected, rtol=0, atol=ATOL)


@given(st.one_of(refused(), solvable()), st.data())
def test_a_further_edge_never_helps(case, data):
    graph, question = case
    pairs = list(combinations(graph.topological_order(), 2))
    before = identify(graph, question).identified
    for pair in data.draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True)):
        arrows = dict.fromkeys([*graph.directed, pair])
        causes = {frozenset(p): p for p in (*graph.bidirected, pair)}
        for directed, shared in (
            (tuple(arrows), graph.bidirected),
            (graph.directed, tuple(causes.values())),
        ):
            more = dc.CausalGraph(directed, shared, graph.nodes)
            assert before or not identify(more, question).identified


@given(st.one_of(refused(), solvable()), st.data())
def test_a_further_experiment_never_harms(case, data):
    graph, question = case
    sets = data.draw(experiments(graph))
    more = [*sets, *data.draw(experiments(graph)), list(question.outcome)]
    fewer, further = (identify(graph, question, experiments=s) for s in (sets, more))
    assert further.identified or not fewer.identified


@given(st.data())
def test_an_experiment_on_the_treatment_answers_every_question_about_it(data):
    graph = data.draw(admgs(least=2, most=6))
    question = data.draw(questions(graph))
    assume(question.do)
    found = identify(
        graph,
        question,
        experiments=[question.do],
        observational=data.draw(st.booleans()),
    )
    assert found.identified


@given(cases())
def test_what_is_observed_needs_no_formula(case):
    graph, question, model = case
    found = dc.identify(graph, question.outcome, given=question.given)
    assert found.identified
    expected = model.query(question.outcome, given=question.given).values
    answer = found.evaluate(model.joint()).values
    assert_allclose(answer, expected, rtol=0, atol=ATOL)


@given(cases(admgs(least=2), conditional=False))
def test_treatments_that_lead_nowhere_leave_the_formula(case):
    graph, question, _ = case
    idle = [
        x for x in question.do if not set(graph.descendants(x)) & {*question.outcome}
    ]
    found = identify(graph, question)
    if found.identified:
        assert not set(idle) & found.answer.formula.free
    for name in idle:
        assert any(name in note and "no effect" in note for note in found.notes)


@given(cases(admgs(least=1, most=5), conditional=False))
def test_outcomes_with_all_else_set_are_answered_by_their_causes(case):
    graph, question, model = case
    rest = [name for name in graph.nodes if name not in question.outcome]
    found = dc.identify(graph, question.outcome, do=rest)
    if found.identified:
        expected = model.query(question.outcome, do=rest).values
        answer = found.evaluate(model.joint()).values
        assert_allclose(answer, expected, rtol=0, atol=ATOL)
    crosses = [
        (a in question.outcome) != (b in question.outcome) for a, b in graph.bidirected
    ]
    assert found.identified or any(crosses)


@given(solved_cases())
def test_conditional_answers_sum_to_one_over_outcomes(case):
    graph, question, model = case
    found = identify(graph, question)
    if found.identified:
        axes = tuple(range(len(question.outcome)))
        total = found.evaluate(model.joint()).values.sum(axis=axes)
        assert_allclose(total, np.ones_like(total), rtol=0, atol=ATOL)


@given(solved_cases())
def test_conditioning_after_is_dividing_where_the_whole_is_identified(case):
    graph, question, model = case
    joined = (*question.outcome, *question.given)
    whole = dc.identify(graph, joined, question.do)
    if whole.identified:
        law = whole.evaluate(model.joint()).transpose(
            (*question.outcome, *question.do, *question.given)
        )
        below = law.values.sum(axis=tuple(range(len(question.outcome))), keepdims=True)
        found = identify(graph, question)
        assert found.identified
        answer = found.evaluate(model.joint()).values
        assert_allclose(answer, law.values / below, rtol=0, atol=ATOL)


@given(napkins())
def test_variables_that_do_not_matter_do_not_matter(case):
    graph, question, model = case
    found = identify(graph, question, free="expose")
    if found.identified:
        answer = found.evaluate(model.joint())
        expected = truth(model, question)
        extra = answer.values.ndim - expected.ndim
        assert (extra > 0) == bool(found.spare)
        kept = (*question.outcome, *question.do, *question.given)
        order = [name for name in answer.names if name not in kept]
        values = answer.transpose((*order, *kept)).values
        spread = np.broadcast_to(expected, values.shape)
        assert_allclose(values, spread, rtol=0, atol=ATOL)


@given(napkins())
def test_free_variables_can_be_held_at_any_state(case):
    graph, question, model = case
    spare = identify(graph, question, free="expose").spare
    held = {name: model.states[name][-1] for name in spare}
    found = identify(graph, question, free=held)
    if found.identified:
        answer = found.evaluate(model.joint()).values
        assert_allclose(answer, truth(model, question), rtol=0, atol=ATOL)


def without(graph, into=(), out_of=()) -> dc.CausalGraph:
    """The graph without arrowheads at some variables, without arrows out of others."""
    arrows = [(a, b) for a, b in graph.directed if b not in into and a not in out_of]
    causes = [(a, b) for a, b in graph.bidirected if not {a, b} & set(into)]
    return dc.CausalGraph(arrows, causes, graph.nodes)


@st.composite
def rule_cases(draw):
    """A model, variables set and seen, and all pairs of two others."""
    graph = draw(admgs(least=3, most=6, shared=4))
    names = draw(st.permutations(graph.nodes))
    treated = draw(st.integers(0, 1))
    upto = treated + draw(st.integers(0, min(2, len(names) - 2 - treated)))
    pairs = list(permutations(names[upto:], 2))
    return graph, draw(models(graph)), names[:treated], names[treated:upto], pairs


def law(model, outcome, do, seen) -> np.ndarray:
    """P(outcome | do, seen) with an axis for every variable of the graph."""
    names = model.graph.nodes
    found = model.query([outcome], do=do, given=seen)
    axes = [name for name in names if name in found.names]
    shape = [len(model.states[n]) if n in axes else 1 for n in names]
    return found.transpose(axes).values.reshape(shape)


@given(rule_cases())
def test_rule_1_a_separated_observation_tells_nothing(case):
    graph, model, x, w, pairs = case
    cut = without(graph, into=x)
    for y, z in pairs:
        if cut.m_separated([y], [z], given=[*x, *w]):
            gap = law(model, y, x, [z, *w]) - law(model, y, x, w)
            assert np.abs(gap).max() <= ATOL


@given(rule_cases())
def test_rule_2_seeing_is_setting_without_a_back_door(case):
    graph, model, x, w, pairs = case
    for y, z in pairs:
        cut = without(graph, into=x, out_of=[z])
        if cut.m_separated([y], [z], given=[*x, *w]):
            gap = law(model, y, x, [z, *w]) - law(model, y, [*x, z], w)
            assert np.abs(gap).max() <= ATOL


@given(rule_cases())
def test_rule_3_a_setting_that_leads_nowhere_does_nothing(case):
    graph, model, x, w, pairs = case
    leads = set(without(graph, into=x).ancestors(w)) if w else set()
    for y, z in pairs:
        cut = without(graph, into=[*x, *([] if z in leads else [z])])
        if cut.m_separated([y], [z], given=[*x, *w]):
            gap = law(model, y, [*x, z], w) - law(model, y, x, w)
            assert np.abs(gap).max() <= ATOL


def test_front_door_by_hand():
    graph = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
    values = [0.5, 0.1, 0.01, 0.02, 0.1, 0.05, 0.02, 0.2]
    joint = dc.LabelledArray(
        np.reshape(values, (2, 2, 2)), {name: (0, 1) for name in "STC"}
    )
    found = dc.identify(graph, "C", do="S")
    # section 8.1 of Jacobs, Kissinger and Zanasi's example, worked out by fractions
    assert_allclose(
        found.evaluate(joint).sel(C=1).values, [0.253478, 0.542297], atol=5e-7
    )


@pytest.mark.parametrize(("edges", "outcome", "do", "given_"), SOLVED)
def test_the_questions_meant_to_have_a_formula_have_one(edges, outcome, do, given_):
    graph = dc.CausalGraph.from_edges(edges)
    asked = (role.split() for role in (outcome, do, given_))
    assert dc.identify(graph, *asked).identified


@pytest.mark.parametrize(
    ("edges", "identified"),
    [("X->Y", True), ("X->Y; X<->Y", False), ("X->M->Y; X<->Y", True)],
)
def test_bow_front_door_and_arrow(edges, identified):
    graph = dc.CausalGraph.from_edges(edges)
    assert dc.identify(graph, "Y", do="X").identified is identified
