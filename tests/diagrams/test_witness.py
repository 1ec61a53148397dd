"""Pairs of models that show why a question has no formula, and hedges that say so."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.diagrams.hedge import Hedge
from distcausal.diagrams.witness import Witness, find_witness
from distcausal.diagrams.witness_search import Asked, Family
from distcausal.errors import QueryError
from tests.diagrams.strategies_graphs import (
    admgs,
    available,
    experiments,
    questions,
    refused,
)
from tests.diagrams.test_identify_reference import (
    REFUSED,
    graph_of,
    identify,
    problems,
    verdicts,
)

REFUSED_AT_RANDOM = [
    place for place, problem in enumerate(verdicts()) if not problem["identifiable"]
]
# Probabilities differ by what a few hundred roundings of numbers below 1 leave.
AGREE = 1e-10
DIFFER = 1e-3


def check(found: dc.Identification) -> None:
    """A witness does what it says, by asking its models anew."""
    query, witness = found.query, found.witness
    first, second = witness
    assert first.graph == second.graph == found.observed
    for model in witness:
        assert all(np.all(table > 0) for table in model.tables.values())
    laws = [available(model, query.sources) for model in witness]
    for one, other in zip(*(law.values() for law in laws), strict=True):
        assert_allclose(one.values, other.values, rtol=0, atol=AGREE)
        # and the bound holds but for the rounding of the sums asked anew
        assert np.abs(one.values - other.values).max() <= witness.difference + 1e-14
    answers = [model.query(query.outcome, query.do, query.given) for model in witness]
    gap = np.abs(answers[0].values - answers[1].values).max()
    assert gap == witness.gap >= DIFFER
    assert witness.answers == tuple(answers)


@pytest.mark.parametrize("name", REFUSED)
def test_every_refused_problem_has_a_witness(name):
    check(identify(problems()[name]))


@pytest.mark.parametrize("place", REFUSED_AT_RANDOM)
def test_every_refused_random_question_has_a_witness(place):
    problem = verdicts()[place]
    roles = ("outcomes", "treatments", "given")
    check(dc.identify(graph_of(problem), *(problem[role] for role in roles)))


@given(refused())
def test_every_refusal_has_a_witness(case):
    graph, question = case
    found = dc.identify(graph, question.outcome, question.do, question.given)
    assert not found.identified
    check(found)


@given(st.data())
def test_every_refusal_with_experiments_has_a_witness(data):
    graph, question = data.draw(refused())
    found = dc.identify(
        graph,
        question.outcome,
        question.do,
        question.given,
        experiments=data.draw(experiments(graph)) or [question.outcome],
        observational=data.draw(st.booleans()),
    )
    if not found.identified:
        check(found)


@given(refused())
def test_witnesses_of_graphs_with_latent_variables_leave_them_out(case):
    graph, question = case
    full = graph.with_latents()
    found = dc.identify(full, question.outcome, question.do, question.given)
    check(found)
    assert set(found.witness[0].graph.nodes) == set(graph.nodes)


def test_a_small_obstruction_in_a_large_graph_is_found():
    chain = [(f"V{i}", f"V{i + 1}") for i in range(19)]
    skips = [(f"V{i}", f"V{i + 3}") for i in range(17)]
    graph = dc.CausalGraph(
        [*chain, *skips], [("V8", "V9"), ("V2", "V14"), ("V0", "V5")]
    )
    found = dc.identify(graph, "V10", do="V8")
    assert not found.identified
    assert found.witness.gap > 0.05
    assert found.witness.difference <= AGREE
    for model in found.witness:
        assert model.graph == graph


def test_a_long_way_from_the_obstruction_to_the_outcome_is_walked():
    chain = [(f"V{i}", f"V{i + 1}") for i in range(24)]
    graph = dc.CausalGraph(chain, [("V0", "V1")])
    found = dc.identify(graph, "V24", do="V0")
    assert not found.identified
    assert found.witness.gap > DIFFER
    assert found.witness.difference <= AGREE
    for names in (["V0", "V1", "V2"], ["V0", "V12", "V24"]):
        first, second = (model.query(names).values for model in found.witness)
        assert_allclose(first, second, rtol=0, atol=AGREE)


def test_an_outcome_that_every_experiment_sets_shows_nothing_about_itself():
    graph = dc.CausalGraph.from_edges("X->Y")
    found = dc.identify(graph, "Y", experiments=[["Y"]], observational=False)
    assert not found.identified
    check(found)
    assert "sets Y" in str(found.hedge)


def test_the_seed_decides_the_pair():
    found = dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X")
    arguments = (found.observed, found.query, found.answer)
    first, again = find_witness(*arguments, seed=1), find_witness(*arguments, seed=1)
    other = find_witness(*arguments, seed=2)
    assert first == again
    assert first != other
    assert found.witness == find_witness(*arguments)


def test_a_witness_is_a_pair_that_travels():
    found = dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X")
    witness = found.witness
    assert len(witness) == 2
    assert witness[0] is witness.models[0]
    assert pickle.loads(pickle.dumps(witness)) == witness
    assert Witness.from_json(witness.to_json()) == witness
    assert "answers" in repr(witness)


def test_a_question_with_a_formula_has_no_witness():
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    assert found.witness is None
    with pytest.raises(QueryError, match=r"P\(Y \| do\(X\)\) has a formula"):
        find_witness(found.observed, found.query, found.answer)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (0,), (1,)]))
def test_slopes_are_derivatives(seed, do):
    rng = np.random.default_rng(seed)
    family = Family(
        parents=((), (0,), (0, 1)),
        causes=((0,), (1,), (0, 1)),
        laws=(np.array([0.3, 0.7]), np.array([0.2, 0.5, 0.3])),
        districts=((0, 2), (1,)),
        asked=Asked((2,), do, tuple({1} - {*do})),
    )
    odds = rng.normal(size=family.parameters)
    step = 1e-6
    for value, slopes in (
        (family.available, family.available_slopes(odds)),
        (family.answer, family.answer_slopes(odds)),
    ):
        for place in range(odds.size):
            moved = step * (np.arange(odds.size) == place)
            change = (value(odds + moved) - value(odds - moved)) / (2 * step)
            # central differences: step squared, and rounding 1e-16 over the step
            assert_allclose(slopes[:, place], change, rtol=0, atol=1e-9)


def check_hedge(graph: dc.CausalGraph, hedge: Hedge) -> None:
    """The definition of a hedge, in the words of the graph."""
    outer, inner = set(hedge.outer), set(hedge.inner)
    if not outer:
        assert inner & set(hedge.source)
        return
    assert inner < outer
    assert not outer & set(hedge.source)
    for names in (outer, inner):
        within = dc.CausalGraph(
            [pair for pair in graph.directed if set(pair) <= names],
            [pair for pair in graph.bidirected if set(pair) <= names],
            sorted(names),
        )
        assert len(within.districts()) == 1
        assert set(within.ancestors(hedge.inner)) == names
        if names == inner:
            roots = [name for name in within.nodes if not within.children(name)]
            assert set(hedge.roots) == set(roots)
    assert all(set(pair) <= outer for pair in hedge.causes)


@given(st.data())
def test_hedges_are_nested_sets_held_together_by_shared_causes(data):
    graph = data.draw(admgs(least=2, shared=8))
    question = data.draw(questions(graph))
    sets = data.draw(experiments(graph))
    asked = (question.outcome, question.do, question.given)
    found = dc.identify(graph, *asked, experiments=sets)
    assert found.identified == (not found.hedges)
    if not found.identified:
        assert [hedge.source for hedge in found.hedges] == list(found.query.sources)
    for hedge in found.hedges:
        check_hedge(graph, hedge)


@given(refused(), st.data())
def test_the_experiment_that_a_hedge_proposes_removes_it(case, data):
    graph, question = case
    asked = (question.outcome, question.do, question.given)
    found = dc.identify(graph, *asked, experiments=data.draw(experiments(graph)))
    for hedge in found.hedges:
        if hedge.outer:
            further = dc.identify(graph, *asked, experiments=[hedge.remedy])
            assert all(other.inner != hedge.inner for other in further.hedges)


def test_what_was_set_must_be_set_again_to_remove_a_hedge():
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y; Z->Y; Z<->Y")
    asked = (graph, "Y", ["X", "Z"])
    hedge = dc.identify(*asked, experiments=[["Z"]], observational=False).hedge
    assert (hedge.added, hedge.source, hedge.remedy) == (("X",), ("Z",), ("X", "Z"))
    for experiment, enough in (["X"], False), (hedge.remedy, True):
        found = dc.identify(*asked, experiments=[experiment], observational=False)
        assert found.identified is enough


def test_the_hedge_of_the_bow_is_told_in_a_sentence():
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    hedge = dc.identify(graph, "Y", do="X").hedge
    assert (hedge.outer, hedge.inner, hedge.roots) == (("X", "Y"), ("Y",), ("Y",))
    assert (hedge.added, hedge.causes) == (("X",), (("X", "Y"),))
    assert str(hedge) == (
        "X shares an unobserved cause with Y (X <-> Y) and leads to it; in what is "
        "observed, what is owed to X and what to the causes look alike. An "
        "experiment on X would tell them apart."
    )
