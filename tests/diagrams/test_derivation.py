"""Every step of a derivation holds on random models, and a wrong step is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import distcausal as dc
from distcausal.diagrams.derivation import Stage, Step
from distcausal.diagrams.estimand import Prob

GRAPHS = {
    "front door": ("S->T->C; S<->C", "C", "S", None),
    "back door": ("Z->X; Z->Y; X->Y", "Y", "X", None),
    "napkin": ("W1->W2->X->Y; W1<->X; W1<->Y", "Y", "X", None),
    "joint treatments": ("A->B->Y; A->Y; Z->A; Z->Y; A<->Y2; B->Y2", "Y", "A B", None),
    "conditional": ("X->Z->Y; X<->Y; W->Y", "Y", "X", "W"),
    "condition becomes intervention": ("X->Z->Y; X<->Z; Y<->X", "Y", "X", "Z"),
    "no effect": ("X->Z; W->Y", "Y", "X", None),
    "no treatment": ("X->Y", "Y", None, "X"),
    "nested": (
        "X->W1; W1->Y1; X->Y1; W1<->X; X<->Y2; W1<->Y2; Y2->W3",
        "Y1",
        "X",
        None,
    ),
}


def identified(name: str) -> dc.Identification:
    edges, outcome, do, given = GRAPHS[name]
    graph = dc.CausalGraph.from_edges(edges)
    return dc.identify(
        graph, outcome, do.split() if do else None, given.split() if given else None
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_every_step_holds_on_a_random_model(name: str) -> None:
    found = identified(name)
    for seed in range(2):
        check = found.derivation.check(seed=seed)
        assert check
        # sums of at most a few hundred products of probabilities
        assert check.largest < 1e-12


@pytest.mark.parametrize("name", GRAPHS)
def test_last_step_is_the_estimand(name: str) -> None:
    found = identified(name)
    if not found.identified:
        assert found.derivation[-1].name == "stuck"
        return
    assert found.derivation[-1].formula is found.answer.formula


def test_a_wrong_formula_fails_the_check() -> None:
    derivation = identified("front door").derivation
    last = derivation[-1]
    naive = Prob(frozenset({"C"}), frozenset({"S"}))
    wrong = replace(
        derivation, steps=(*derivation.steps[:-1], replace(last, formula=naive))
    )
    assert derivation.check()
    check = wrong.check()
    assert not check
    assert check.largest > 1e-4


def test_pruning_a_box_that_matters_fails_the_check() -> None:
    graph = dc.CausalGraph.from_edges("A->B->Y")
    before = Stage(graph, ("A", "B", "Y"), ("Y",))
    after = Stage(graph, ("B", "Y"), ("Y",))
    model = dc.random_model(graph, seed=3)
    assert Step("prune", before, after).check(model) > 1e-3


def test_refused_query_says_where_it_is_stuck() -> None:
    found = dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X")
    assert found.derivation[-1].name == "stuck"
    assert found.derivation.check()


def test_text_and_latex_tell_every_step() -> None:
    derivation = identified("front door").derivation
    text = derivation.to_text()
    assert text.count("\n[".replace("\n", "\n   ")) == len(derivation)
    assert "P(c | do(s)) = sum_{t} P(t | s) sum_{s'} P(s') P(c | s', t)" in text
    latex = derivation.to_latex()
    assert latex.startswith("\\begin{align*}")
    assert latex.count("\\\\") == len(derivation) - 1
    assert latex.count("{") == latex.count("}")


def test_drawing_has_a_panel_per_step() -> None:
    derivation = identified("front door").derivation
    figure = derivation.draw()
    assert len(figure.axes) == len(derivation) + 1
    shown = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = {text.split("\n")[0] for text in shown}
    assert any("an unobserved cause" in text.replace("\n", " ") for text in shown)
    assert {"before", "1. open", "2. comb split", "8. compose"} <= titles


def test_order_of_nodes_does_not_matter_to_the_check() -> None:
    graph = dc.CausalGraph([("T", "C"), ("S", "T")], [("C", "S")], ["C", "T", "S"])
    found = dc.identify(graph, "C", do="S")
    assert found.derivation.check(seed=5)
    model = dc.random_model(graph, seed=5)
    np.testing.assert_allclose(
        found.evaluate(model).values, model.query("C", do=["S"]).values, atol=1e-12
    )


def test_steps_that_do_not_lead_to_the_question_fail_the_check() -> None:
    found = identified("front door")
    derivation, other = found.derivation, dc.identify(found.graph, "T", do="S")
    assert not replace(derivation, steps=()).check()
    assert not replace(derivation, steps=derivation.steps[:1]).check()
    assert not replace(derivation, query=other.query).check()
    assert not replace(derivation, steps=derivation.steps[-1:]).check()


def test_a_stage_that_the_rewrite_does_not_lead_to_fails_the_check() -> None:
    found = identified("front door")
    first = found.derivation[0]
    model = dc.random_model(found.observed, seed=1)
    assert first.check(model) < 1e-12
    elsewhere = Stage(found.observed, ("T",), ("T",))
    assert not np.isfinite(replace(first, after=elsewhere).check(model))
