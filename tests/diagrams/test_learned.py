"""Learners become tables: each prediction lands in the cell it was made for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DataError, ModelError, QueryError

DOSE = dc.Space("dose", (0, 1, 4))
SITE = dc.Space("site", ("north", "south"))
CURED = dc.Space("cured", ("no", "yes"))
GRADE = dc.Space("grade", ("low", "mid", "top"))


class Shares:
    """Shares of labels among rows with equal inputs, the smallest learner there is."""

    def fit(self, X, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.classes_ = np.unique(y)
        self.seen = {}
        for row, label, mass in zip(map(tuple, X), y, weight, strict=True):
            at = self.seen.setdefault(row, np.zeros(len(self.classes_)))
            at[np.searchsorted(self.classes_, label)] += mass
        return self

    def predict_proba(self, X):
        found = np.array([self.seen[tuple(row)] for row in X])
        return found / found.sum(axis=1, keepdims=True)


class Unweighted(Shares):
    """The same, without weights."""

    def fit(self, X, y):
        return super().fit(X, y)


class Recorded:
    """A fitted learner that keeps what it was asked."""

    def __init__(self, answer, classes=None):
        self.answer = answer
        if classes is not None:
            self.classes_ = np.array(classes)

    def predict_proba(self, X):
        self.asked = X
        return self.answer


def frame(n=400, seed=3, grades=GRADE.states):
    rng = np.random.default_rng(seed)
    dose = rng.choice(DOSE.states, n)
    site = rng.choice(SITE.states, n)
    chance = 1 / (1 + np.exp(-(dose / 2 - 1 + (site == "south"))))
    cured = np.where(rng.random(n) < chance, "yes", "no")
    grade = rng.choice(list(grades), n)
    return pd.DataFrame({"dose": dose, "site": site, "cured": cured, "grade": grade})


GRAPH = dc.CausalGraph.from_edges("dose->cured; site->cured; site->grade")


def test_numbers_enter_as_they_are_and_texts_as_a_column_per_state():
    asked = Recorded(np.full((6, 2), 0.5))
    dc.learned_channel(asked, DOSE @ SITE, CURED)
    assert_array_equal(
        asked.asked,
        [[0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [4, 1, 0], [4, 0, 1]],
    )


@given(st.permutations(GRADE.states), st.integers(0, 2**32 - 1))
def test_columns_follow_the_classes_of_the_learner(classes, seed):
    law = np.random.default_rng(seed).dirichlet(np.ones(3), size=3)
    found = dc.learned_channel(Recorded(law, classes), DOSE, GRADE)
    for place, state in enumerate(classes):
        # one number moved, none computed
        assert_array_equal(found.sel(grade=state).values, law[:, place])


def test_a_state_the_learner_never_saw_has_probability_zero():
    law = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    found = dc.learned_channel(Recorded(law, ["low", "top"]), DOSE, GRADE)
    assert_array_equal(found.values, np.insert(law, 1, 0.0, axis=1))


def test_one_column_is_the_probability_of_the_second_state():
    found = dc.learned_channel(lambda at: at["dose"] / 4, DOSE, CURED)
    assert_array_equal(found.values, [[1, 0], [0.75, 0.25], [0, 1]])


def test_functions_are_asked_about_every_joint_state_in_order():
    def law(at):
        assert list(at.columns) == ["site", "dose"]
        south = (at["site"] == "south").to_numpy(float)
        return (south + at["dose"].to_numpy(float)) / 5

    found = dc.learned_channel(law, SITE @ DOSE, CURED)
    assert_allclose(
        found.sel(cured="yes").values, [[0, 0.2, 0.8], [0.2, 0.4, 1]], atol=1e-15
    )


def test_a_learner_of_shares_gives_the_model_of_shares():
    rows = frame()
    plain = dc.CausalModel.fit(rows, GRAPH)
    learner = Shares()
    found = dc.CausalModel.fit(rows, GRAPH, learners={"cured": learner})
    # shares of counts by two ways of adding whole numbers
    assert_allclose(found.tables["cured"], plain.tables["cured"], atol=1e-15)
    assert not hasattr(learner, "seen"), "the learner given is left as it was"


@given(st.integers(0, 2**32 - 1))
def test_weights_reach_the_learner(seed):
    rows = frame(n=60)
    rows["w"] = np.random.default_rng(seed).uniform(0.5, 2.0, len(rows))
    plain = dc.CausalModel.fit(rows, GRAPH, weights="w")
    learners = {"cured": Shares(), "grade": Shares()}
    found = dc.CausalModel.fit(rows, GRAPH, weights="w", learners=learners)
    for name in learners:
        # sixty weights added in another order
        assert_allclose(found.tables[name], plain.tables[name], atol=1e-13)


def test_a_saturated_formula_gives_the_shares():
    rows = frame()
    plain = dc.CausalModel.fit(rows, GRAPH)
    learners = {"cured": "C(dose) * site", "grade": "site"}
    found = dc.CausalModel.fit(rows, GRAPH, learners=learners)
    for name in learners:
        # the logit is fitted by Newton steps until the gradient is below 1e-6
        assert_allclose(found.tables[name], plain.tables[name], atol=1e-5)


def test_formulas_agree_with_logit_and_binomial_regression_of_statsmodels():
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    rows = frame()
    rows["y"] = (rows["cured"] == "yes").astype(int)
    logit = smf.logit("y ~ dose + site", rows).fit(disp=False)
    binomial = smf.glm("y ~ dose + site", rows, family=sm.families.Binomial()).fit()
    by_formula = dc.CausalModel.fit(rows, GRAPH, learners={"cured": "dose + site"})
    for result in (logit, binomial):
        table = dc.learned_channel(result, DOSE @ SITE, CURED).values
        assert_allclose(by_formula.tables["cured"], table, atol=1e-7)  # Newton's end
        learners = {"cured": result}
        model = dc.CausalModel.fit(rows, GRAPH, learners=learners)
        assert_array_equal(model.tables["cured"], table)


def test_a_multinomial_result_gives_its_own_predictions():
    import statsmodels.formula.api as smf

    rows = frame()
    rows["y"] = rows["grade"].map({s: i for i, s in enumerate(GRADE.states)})
    result = smf.mnlogit("y ~ site", rows).fit(disp=False)
    found = dc.learned_channel(result, SITE, GRADE)
    alone = result.predict(pd.DataFrame({"site": ["south"]}))
    assert_allclose(found.sel(site="south").values, alone.to_numpy()[0], rtol=1e-12)


def test_a_learner_reaches_causes_never_seen_together():
    rows = frame()
    rows = rows[~((rows["dose"] == 4) & (rows["site"] == "south"))]
    shares = dc.CausalModel.fit(rows, GRAPH)
    learned = dc.CausalModel.fit(rows, GRAPH, learners={"cured": "dose + site"})
    asked = {"dose": 4, "site": "south"}
    with pytest.raises(dc.errors.PositivityError):
        shares.query("cured", do=asked)
    assert 0.5 < float(learned.query("cured", do=asked).sel(cured="yes")) < 1


def test_a_formula_never_shown_a_state_gives_it_no_probability():
    rows = frame(grades=("low", "top"))
    states = {"grade": GRADE.states}
    found = dc.CausalModel.fit(
        rows, GRAPH, states=states, learners={"grade": "site"}
    ).tables["grade"]
    assert_array_equal(found[:, 1], [0, 0])
    only = rows.assign(grade="mid")
    found = dc.CausalModel.fit(only, GRAPH, states=states, learners={"grade": "site"})
    assert_array_equal(found.tables["grade"], [[0, 1, 0], [0, 1, 0]])


def test_what_is_no_learner_is_refused():
    rows = frame(60)
    rows["w"] = 0.5
    bad = Recorded(np.full((3, 2), 0.6))
    with pytest.raises(DataError, match="sum"):
        dc.learned_channel(bad, DOSE, CURED)
    with pytest.raises(DataError, match=r"shape \(3, 3\)"):
        dc.learned_channel(bad, DOSE, GRADE)
    with pytest.raises(QueryError, match="distinct"):
        dc.learned_channel(bad, DOSE @ DOSE, CURED)
    with pytest.raises(QueryError, match="no state"):
        dc.learned_channel(Recorded(bad.answer, ["no", "maybe"]), DOSE, CURED)
    for learners, match in (
        ({"cure": Shares()}, "not in the graph"),
        ({"cured": 3}, "is a int"),
        ({"dose": Shares()}, "no causes"),
    ):
        with pytest.raises(ModelError, match=match):
            dc.CausalModel.fit(rows, GRAPH, learners=learners)
    for learner, match in ((Unweighted(), "sample_weight"), ("dose", "whole numbers")):
        with pytest.raises(ModelError, match=match):
            dc.CausalModel.fit(rows, GRAPH, weights="w", learners={"cured": learner})
