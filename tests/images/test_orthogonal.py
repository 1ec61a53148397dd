"""Columns made from the treatment are found; effects are split between sources."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DataError, DataWarning, DesignError
from distcausal.images.orthogonal import effect_parts
from distcausal.images.scores import example_scores
from distcausal.images.treatment_copies import check_covariates
from tests.images.test_homogeneity import linear_trial
from tests.oracles import images as oracle

seeds = st.integers(0, 60)
UNITS = 240


def frames(arm: np.ndarray) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    age = draw.normal(40, 9, len(arm))
    asked = np.where(arm == 1, draw.normal(size=len(arm)), np.nan)
    dose = np.where(arm == 1, draw.gamma(2, size=len(arm)), 0.0)
    return {
        "equal": arm * 1.0,
        "affine": 3 - 2.5 * arm,
        "asked of the treated": asked,
        "times age": arm * age,
        "untreated times age": (1 - arm) * age + 4 * arm,
        "dose": dose,
        "age": age,
        "sum": age + arm,
    }


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("equal", "an affine copy"),
        ("affine", "an affine copy"),
        ("asked of the treated", "missing in exactly one arm"),
        ("times age", "the treatment times another column"),
        ("untreated times age", "the treatment times another column"),
        ("dose", "one value in one arm, many in the other"),
        ("sum", "with others it adds up to it"),
    ],
)
def test_a_column_built_from_the_treatment_is_refused_by_name(name, how):
    arm = np.random.default_rng(0).integers(0, 2, 80)
    columns = frames(arm)
    names = ["age", name]
    table = np.column_stack([columns[key] for key in names])
    with pytest.raises(DataError, match=rf"{name} \({how}\)") as caught:
        check_covariates(table, arm, names)
    assert ("age (" in str(caught.value)) == (name == "sum" or "times" in name)


def test_honest_columns_pass():
    draw = np.random.default_rng(2)
    arm = draw.integers(0, 2, 80)
    rare = np.zeros(80)
    rare[np.flatnonzero(arm == 1)[:3]] = 1
    holes = draw.normal(size=80)
    holes[:9] = np.nan
    constant = np.full(80, 4.0)
    table = np.column_stack([draw.normal(size=80), rare, holes, constant])
    check_covariates(table, arm)
    empty = np.full((80, 1), np.nan)
    check_covariates(np.hstack([table, empty]), arm)


def test_a_strong_correlation_is_a_warning_in_an_experiment_only():
    draw = np.random.default_rng(3)
    arm = draw.integers(0, 2, 80)
    table = (arm + draw.normal(size=80))[:, None]
    with pytest.warns(DataWarning, match=r"1 covariates.*late \(0\.[3-9]"):
        check_covariates(table, arm, ["late"])
    check_covariates(table, arm, ["late"], experiment=False)


def test_as_many_columns_as_units_are_no_evidence_of_a_copy():
    draw = np.random.default_rng(4)
    arm = np.tile([0, 1], 10)
    check_covariates(draw.normal(size=(20, 19)), arm, experiment=False)


@given(seeds)
def test_parts_add_up_to_the_prediction_and_are_uncorrelated(seed):
    scores = oracle.random_scores(seed, units=90, gap=0.5)
    draw = np.random.default_rng(seed)
    table = np.column_stack([scores.effect[0], draw.normal(size=90)])
    table[:, 0] += draw.normal(size=90)
    found = effect_parts(scores, table)
    assert 0 < found.share_predicted < 1
    assert 0 <= found.share_image <= 1
    scaled = effect_parts(scores, 1e3 * table + 7)
    assert np.isclose(found.share_image, scaled.share_image)
    assert np.isclose(found.p_image, scaled.p_image, rtol=1e-5)


@given(seeds)
def test_order_and_halves_of_units_are_of_no_account(seed):
    scores = oracle.random_scores(seed, gap=0.5, per_group=2)
    table = np.random.default_rng(seed).normal(size=(60, 2))
    one = effect_parts(scores, table)
    order = np.random.default_rng(seed).permutation(60)
    for other, index in (
        (oracle.taken(scores, order), order),
        (oracle.halved(scores, 7), np.append(np.arange(60), 7)),
    ):
        two = effect_parts(other, table[index])
        for name in ("slopes", "variance", "share_image", "p_image", "p_tabular"):
            assert np.allclose(getattr(two, name), getattr(one, name), rtol=1e-6)


def test_an_effect_that_covariates_know_is_not_credited_to_the_image():
    table = np.random.default_rng(5).normal(size=(600, 2))
    draw = np.random.default_rng(6)
    base = example_scores(gap=0.0, units=600)
    told = table[:, 0] + 0.5 * draw.normal(size=(3, 600))
    value = (table[:, 0] + 2 * draw.normal(size=600))[None, :, None]
    scores = base._replace(
        effect=told, effect_before=told, score=np.repeat(value, 3, axis=0)
    )
    scores = scores._replace(score_before=scores.score)
    found = effect_parts(scores, table)
    assert found.p_tabular < 0.001
    assert found.p_image > 0.05
    assert found.share_image < 0.2
    noise = effect_parts(scores, draw.normal(size=(600, 2)))
    assert noise.p_image < 0.001
    assert noise.share_image > 0.8


def test_what_covariates_explain_does_not_hide_what_the_image_knows():
    draw = np.random.default_rng(9)
    table, image = draw.normal(size=(600, 1)), draw.normal(size=600)
    base = example_scores(gap=0.0, units=600)
    told = np.repeat((table[:, 0] + image)[None], 3, axis=0)
    value = 20 * table[:, 0] + 0.3 * image + draw.normal(size=600)
    value = np.repeat(value[None, :, None], 3, axis=0)
    scores = base._replace(
        effect=told, effect_before=told, score=value, score_before=value
    )
    assert effect_parts(scores, table).p_image < 0.001


def test_the_test_of_the_image_holds_its_size_where_nothing_varies():
    found = []
    for seed in range(100):
        scores = linear_trial(seed, 0.0, 200)
        table = np.random.default_rng(seed).normal(size=(200, 2))
        found.append(effect_parts(scores, table).p_image <= 0.05)
    assert np.mean(found) <= 0.09


def test_a_prediction_that_covariates_explain_wholly_leaves_nothing_to_test():
    scores = example_scores(gap=1.0)
    table = np.random.default_rng(7).normal(size=(400, 1))
    told = np.repeat(table.T, 3, axis=0)
    found = effect_parts(scores._replace(effect=told, effect_before=told), table)
    assert (found.p_image, found.used, found.missing) == (1.0, 0, 9)
    assert found.slopes[1] == 0
    flat = np.ones_like(told)
    none = effect_parts(scores._replace(effect=flat, effect_before=flat), table)
    assert (none.share_predicted, none.share_image) == (None, None)
    assert "nan" not in str(none)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (np.zeros((9, 1)), "one row for each of 400 units"),
        (np.full((400, 1), np.inf), "400 covariate values"),
        (np.zeros((400, 60)), "60 covariates explain any effect among the 100 units"),
    ],
)
def test_tables_that_do_not_fit_are_refused(table, said):
    with pytest.raises(DataError, match=said):
        effect_parts(example_scores(gap=1.0), table)


def test_several_outcomes_are_refused():
    scores = oracle.random_scores(0, outcomes=2)
    with pytest.raises(DesignError, match="needs a scalar outcome"):
        effect_parts(scores, np.zeros((60, 1)))


def test_the_result_prints_and_travels():
    table = np.random.default_rng(8).normal(size=(400, 1))
    found = effect_parts(example_scores(gap=1.0), table)
    assert list(found.tidy()["term"]) == ["tabular", "image only"]
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert len(found.plot_data()) == 2
    assert "Share of the image" in str(found)
