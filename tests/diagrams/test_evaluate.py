"""Formulas have the value of the intervention, on every form of available law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import distcausal as dc

FRONT = dc.CausalGraph.from_edges("S->T->C; S<->C")
NAPKIN = dc.CausalGraph.from_edges("W1->W2->X->Y; W1<->X; W1<->Y")
JOINT = np.array([[[0.5, 0.1], [0.01, 0.02]], [[0.1, 0.05], [0.02, 0.2]]])


def labelled(values: np.ndarray, names: str = "S T C") -> dc.LabelledArray:
    sizes = zip(names.split(), values.shape, strict=True)
    return dc.LabelledArray(values, {n: tuple(range(k)) for n, k in sizes})


def test_smoking_and_tar_gives_the_published_effect() -> None:
    found = dc.identify(FRONT, "C", do="S").evaluate(labelled(JOINT))
    np.testing.assert_allclose(found.sel(C=1).values, [0.253478, 0.542297], atol=5e-7)
    assert found.names == ("C", "S")


def test_forms_of_the_joint_agree() -> None:
    effect = dc.identify(FRONT, "C", do="S")
    table = labelled(JOINT)
    rows = table.to_frame("count").assign(count=(JOINT * 1000).round().ravel())
    forms = [
        table,
        {"variables": ["S", "T", "C"], "values": JOINT},
        rows,
        {"observational": table},
        {"observational": rows.sample(frac=1.0, random_state=1)},
        table.transpose(["C", "S", "T"]),
    ]
    first, *others = [effect.evaluate(form).values for form in forms]
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-12)


def test_a_model_gives_what_its_joint_gives() -> None:
    model = dc.random_model(NAPKIN, states={"W2": 3, "X": 2}, seed=2)
    effect = dc.identify(NAPKIN, "Y", do="X")
    np.testing.assert_allclose(
        effect.evaluate(model).values, effect.evaluate(model.joint()).values, atol=1e-13
    )


def test_spare_variables_do_not_matter_on_a_model_of_the_graph() -> None:
    model = dc.random_model(NAPKIN, states={"W2": 3}, seed=4)
    shown = dc.identify(NAPKIN, "Y", do="X", free="expose")
    values = shown.evaluate(model)
    assert values.names == ("Y", "X", "W2")
    assert shown.spare == ("W2",)
    np.testing.assert_allclose(np.ptp(values.values, axis=2), 0, atol=1e-13)
    held = dc.identify(NAPKIN, "Y", do="X", free={"W2": 1}).evaluate(model)
    np.testing.assert_allclose(held.values, values.sel(W2=1).values, atol=1e-13)


def test_spare_variables_matter_on_a_joint_that_breaks_the_graph() -> None:
    rng = np.random.default_rng(0)
    joint = labelled(rng.dirichlet(np.ones(16)).reshape(2, 2, 2, 2), "W1 W2 X Y")
    shown = dc.identify(NAPKIN, "Y", do="X", free="expose")
    assert np.ptp(shown.evaluate(joint).values, axis=2).max() > 0.01


def test_a_held_variable_needs_a_state() -> None:
    with pytest.raises(dc.QueryError, match="W2"):
        dc.identify(NAPKIN, "Y", do="X", free={"W1": 0})


def test_a_joint_that_contradicts_the_graph_is_noticed() -> None:
    graph = dc.CausalGraph.from_edges("A; B->C")
    rng = np.random.default_rng(1)
    joint = labelled(rng.dirichlet(np.ones(8)).reshape(2, 2, 2), "A B C")
    effect = dc.identify(graph, "C", do="B")
    with pytest.warns(dc.DataWarning, match="contradicts the graph by up to 0"):
        effect.evaluate(joint)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (JOINT * 1.5, r"sums to 1\.5"),
        (JOINT - 0.02, "negative"),
        (np.where(JOINT == 0.5, np.nan, JOINT), "NaN"),
    ],
)
def test_what_is_not_a_law_is_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(dc.DataError, match=message):
        dc.identify(FRONT, "C", do="S").evaluate(labelled(values))


def test_experiment_that_does_not_sum_to_one_is_refused() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    effect = dc.identify(graph, "Y", do="X", experiments=["X"], observational=False)
    table = labelled(np.array([[0.5, 0.5], [0.5, 0.6]]), "X Y")
    with pytest.raises(dc.DataError, match=r"for every state of X.*0\.1"):
        effect.evaluate({("X",): table})


def test_missing_and_unlisted_distributions_are_named() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; X<->Y")
    effect = dc.identify(graph, "Y", do="X", experiments=[["X"]])
    joint = labelled(np.full((2, 2), 0.25), "X Y")
    with pytest.raises(dc.QueryError, match="experiment on X, which was not given"):
        effect.evaluate({"observational": joint})
    with pytest.raises(dc.QueryError, match="experiment on Y, but the question"):
        effect.evaluate({"Y": joint})


def test_joint_without_a_needed_variable_is_refused() -> None:
    with pytest.raises(dc.QueryError, match="needs T"):
        dc.identify(FRONT, "C", do="S").evaluate(labelled(JOINT).sum("T"))


def test_zero_denominator_names_the_event() -> None:
    joint = JOINT.copy()
    joint[1, 1] = 0.0
    joint /= joint.sum()
    effect = dc.identify(FRONT, "C", do="S")
    with pytest.raises(dc.PositivityError, match=r"P\(S=1, T=1\) = 0"):
        effect.evaluate(labelled(joint))
    # S = 1 never leads to T = 1, so only the other setting needs the empty stratum
    shown = effect.evaluate(labelled(joint), support="nan").values
    assert np.isnan(shown[:, 0]).all()
    assert np.isfinite(shown[:, 1]).all()
    alone = effect.evaluate(labelled(joint), at={"S": 1})
    np.testing.assert_allclose(alone.values, shown[:, 1])


def test_empty_strata_that_carry_no_weight_are_no_obstacle() -> None:
    graph = dc.CausalGraph.from_edges("Z->X->Y; Z->Y")
    joint = np.zeros((3, 2, 2))
    joint[:2] = np.random.default_rng(0).dirichlet(np.ones(8)).reshape(2, 2, 2)
    found = dc.identify(graph, "Y", do="X").evaluate(labelled(joint, "Z X Y"))
    np.testing.assert_allclose(found.values.sum(axis=0), 1.0)


def test_unknown_state_of_at_is_refused() -> None:
    with pytest.raises(dc.QueryError, match="no state 7"):
        dc.identify(FRONT, "C", do="S").evaluate(labelled(JOINT), at={"S": 7})
    with pytest.raises(dc.QueryError, match="at names 'C'"):
        dc.identify(FRONT, "C", do="S").evaluate(labelled(JOINT), at={"C": 1})


def test_refused_query_raises_on_evaluation_and_says_why() -> None:
    found = dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X")
    with pytest.raises(dc.IdentificationError, match=r"P\(Y \| do\(X\)\) is not"):
        found.evaluate(labelled(np.full((2, 2), 0.25), "X Y"))


def test_states_may_be_anything_hashable() -> None:
    frame = pd.DataFrame(
        {"S & T": ["no", "yes", "no", "yes"], "100% C": [True, False, True, True]}
    )
    graph = dc.CausalGraph([("S & T", "100% C")])
    found = dc.identify(graph, "100% C", do="S & T")
    assert float(found.evaluate(frame).sel({"100% C": True, "S & T": "yes"})) == 0.5
    assert r"\textit{100\% C}" in found.estimand.latex()


def test_results_survive_pickle_and_json() -> None:
    import pickle

    found = dc.identify(NAPKIN, "Y", do="X")
    for again in (
        pickle.loads(pickle.dumps(found)),
        dc.Identification.from_json(found.to_json()),
    ):
        assert again == found
        assert again.estimand.text() == found.estimand.text()


def test_summary_shows_verdict_formula_and_moves() -> None:
    text = str(dc.identify(FRONT, "C", do="S"))
    assert "Identification of P(C | do(S))" in text
    assert "p-fixable" in text
    assert "comb split" in text
    refused = str(dc.identify(dc.CausalGraph.from_edges("X->Y; X<->Y"), "Y", do="X"))
    assert "not identified" in refused


def test_a_condition_that_never_occurs_is_named_even_if_no_division_shows_it() -> None:
    graph = dc.CausalGraph.from_edges("X->Y; Z")
    tables = {"X": [0.5, 0.5], "Y": [[0.5, 0.5], [0.2, 0.8]], "Z": [1.0, 0.0]}
    model = dc.CausalModel(graph, tables)
    effect = dc.identify(graph, "Y", do="X", given="Z")
    with pytest.raises(dc.ConditioningError, match=r"Z=1 has probability zero after"):
        effect.evaluate(model)
    with pytest.raises(dc.ConditioningError, match="Z=1"):
        effect.evaluate(model.joint(), at={"Z": 1, "X": 1})
    np.testing.assert_allclose(effect.evaluate(model, at={"Z": 0, "X": 1}), [0.2, 0.8])
    shown = effect.evaluate(model, support="nan").values
    assert np.isnan(shown[..., 1]).all()
    assert np.isfinite(shown[..., 0]).all()


def test_an_impossible_condition_is_a_conditioning_error() -> None:
    joint = labelled(np.array([[0.5, 0.5], [0.0, 0.0]]), "X Y")
    graph = dc.CausalGraph.from_edges("X->Y")
    with pytest.raises(dc.ConditioningError, match="X=1"):
        dc.identify(graph, "Y", given="X").evaluate(joint)


def test_a_spare_variable_without_support_is_named_with_the_remedy() -> None:
    model = dc.random_model(NAPKIN, seed=3)
    never = np.array(model.tables["X"])
    never[0] = [1.0, 0.0]  # W2 = 0 forces X = 0
    forced = dc.CausalModel(NAPKIN, {**model.tables, "X": never})
    with pytest.raises(dc.PositivityError, match=r"W2=0, X=1.*free="):
        dc.identify(NAPKIN, "Y", do="X").evaluate(forced.joint())
    held = dc.identify(NAPKIN, "Y", do="X", free={"W2": 1}).evaluate(forced.joint())
    np.testing.assert_allclose(held, forced.query("Y", do=["X"]), atol=1e-12)


def test_spare_variables_are_held_at_states_that_exist() -> None:
    joint = dc.random_model(NAPKIN, seed=3).joint()
    with pytest.raises(dc.QueryError, match="no state 'zzz'"):
        dc.identify(NAPKIN, "Y", do="X", free={"W2": "zzz"}).evaluate(joint)
    with pytest.raises(dc.QueryError, match="QQ"):
        dc.identify(NAPKIN, "Y", do="X", free={"W2": 1, "QQ": 2})
    with pytest.raises(dc.DesignError, match="should be 'average'"):
        dc.identify(NAPKIN, "Y", do="X", free=["W2"])
