"""What holds of the whole estimate, from images to effects."""

from __future__ import annotations

import inspect
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import distcausal as dc
from distcausal.errors import (
    DataError,
    DataWarning,
    DesignError,
    IdentificationError,
    InferenceWarning,
)
from distcausal.images.arguments import check_penalty
from distcausal.images.crossfit import fold_rules, training_masks
from distcausal.images.stages import layout_for

from .cases import FAST, UNITS, columns, fit, trial_data, usual

# Fits repeat the same steps on numbers that differ by rounding, which a few hundred
# steps of a contracting search do not enlarge by more than this.
CLOSE = 1e-6


def test_the_clusters_put_in_are_found() -> None:
    found = usual()
    effects = found.cluster_effects()
    assert abs(effects["model_estimate"] - [0.0, 3.0]).max() < 0.4
    assert abs(effects["design_estimate"] - [0.0, 3.0]).max() < 0.6
    member = found.cluster_probabilities().argmax(axis=1)
    assert (member == columns()["bar"]).mean() > 0.95


def test_probabilities_sum_to_one_whatever_their_kind() -> None:
    for kind in ("prior", "posterior"):
        for level in ("image", "unit"):
            share = usual().cluster_probabilities(kind, level)
            np.testing.assert_allclose(share.sum(axis=1), 1.0, atol=1e-12)


def test_shares_times_effects_add_up_to_the_average_effect() -> None:
    design = usual().design
    total = float(design.share @ design.estimate[:, 0])
    assert abs(total - usual().ate.estimate) < 1e-10


def test_the_implied_average_lies_between_the_effects() -> None:
    effects = usual().cluster_effects()["model_estimate"]
    assert effects.min() <= usual().implied_ate <= effects.max()


def test_units_of_the_outcome_scale_effects_and_nothing_else() -> None:
    moved = fit(trial_data(y=5.0 + 20.0 * columns()["y"]))
    one, other = usual().cluster_effects(), moved.cluster_effects()
    for name in ("model_estimate", "model_std_error", "design_estimate"):
        np.testing.assert_allclose(other[name], 20.0 * one[name], rtol=CLOSE)
    np.testing.assert_allclose(other["share"], one["share"], atol=CLOSE)


def test_the_order_of_units_changes_nothing() -> None:
    order = np.random.default_rng(3).permutation(UNITS)
    data = trial_data().take(order)
    one, other = usual(), fit(data)
    np.testing.assert_allclose(
        other.cluster_effects().to_numpy(), one.cluster_effects().to_numpy(), atol=1e-5
    )
    place = [other.keys.tolist().index(key) for key in one.keys.tolist()]
    np.testing.assert_allclose(other.cate().mean[place], one.cate().mean, atol=1e-5)


def test_a_unit_of_weight_two_is_two_units_of_one_image() -> None:
    own = columns()
    weights = 1.0 + (np.arange(UNITS) < 20)
    heavy = fit(trial_data(v=weights), weights="v", image_intercepts=False)
    twice = np.concatenate([np.arange(UNITS), np.arange(20)])
    data = dc.RandomDistributions.from_samples(
        [[0.0]] * len(twice),
        columns={"w": own["w"][twice], "y": own["y"][twice], "key": twice},
    )
    source = dc.ArraySource(own["image"], np.arange(UNITS))
    with pytest.warns(DataWarning, match="all units have one arm"):
        split = fit(data, image=source, image_key="key", image_intercepts=False)
    one = heavy.cluster_effects().to_numpy()
    np.testing.assert_allclose(split.cluster_effects().to_numpy(), one, atol=1e-5)


def test_held_out_outcomes_and_arms_have_no_part_in_their_predictions() -> None:
    found = usual()
    trial, fold = found.trial, found.scores.fold
    layout = layout_for(trial, found.model)
    held = fold[0] == 1
    outcome, arm = trial.outcome.copy(), trial.treatment.copy()
    outcome[held] = 1e3 * np.arange(held.sum())[:, None]
    arm[held] = 1.0 - arm[held]
    other = type(trial)(**{**vars(trial), "outcome": outcome, "treatment": arm})
    one = fold_rules(trial, layout, 2, fold[:1], 0)
    two = fold_rules(other, layout, 2, fold[:1], 0)
    np.testing.assert_array_equal(one.probs[0, held], two.probs[0, held])
    np.testing.assert_array_equal(one.effect[0, held], two.effect[0, held])
    later = fold[0] > 1
    assert (one.effect_before[0, later] != two.effect_before[0, later]).any()
    np.testing.assert_array_equal(
        one.effect_before[0, held], two.effect_before[0, held]
    )


def test_earlier_folds_are_all_that_a_sequential_rule_sees() -> None:
    fold = np.array([[0, 1, 2, 3, 0, 1, 2, 3]])
    other, before = training_masks(fold)
    assert other.shape == (1, 4, 8)
    assert before.shape == (1, 2, 8)
    np.testing.assert_array_equal(other[0, 2], fold[0] != 2)
    np.testing.assert_array_equal(before[0, 0], fold[0] < 1)
    np.testing.assert_array_equal(before[0, 1], fold[0] < 2)


def test_the_same_call_gives_the_same_bits() -> None:
    one, two = usual(), fit()
    np.testing.assert_array_equal(one.posterior.effects, two.posterior.effects)
    np.testing.assert_array_equal(one.scores.score, two.scores.score)


def test_one_cluster_is_the_model_without_heterogeneity() -> None:
    found = fit(clusters=1)
    effects = found.cluster_effects()
    assert effects["share"].tolist() == pytest.approx([1.0], abs=1e-12)
    assert (found.cluster_probabilities() == 1.0).all()
    assert effects["design_estimate"][0] == pytest.approx(found.ate.estimate, abs=1e-12)
    assert found.implied_ate == pytest.approx(effects["model_estimate"][0])
    assert abs(effects["model_estimate"][0] - found.ate.estimate) < 0.2
    compared = found.compare([1, 2])
    assert compared.selected == 2
    assert compared.gain[1] > 3 * compared.std_error[1]


def test_images_that_are_all_alike_identify_no_clusters() -> None:
    same = np.repeat(columns()["image"][:1], UNITS, axis=0)
    with (
        pytest.warns(DataWarning),
        pytest.raises(IdentificationError, match=r"same features"),
    ):
        fit(trial_data(image=same), encoder=dc.RandomConvFeatures(n_filters=8, patch=4))


def one_picture(key: Any = None) -> dc.RandomDistributions:
    """The trial with one picture everywhere, which tells nobody apart."""
    same = np.repeat(columns()["image"][:1], UNITS, axis=0)
    more = {} if key is None else {"key": key}
    return trial_data(image=same, **more)


def test_one_cluster_needs_no_images_that_differ() -> None:
    with pytest.warns(DataWarning, match="all 120 images are copies of one"):
        found = fit(one_picture(), clusters=1)
    y, arm = columns()["y"], columns()["w"]
    difference = y[arm == 1].mean() - y[arm == 0].mean()
    assert found.scores.groups == UNITS
    # Regressions on nothing leave the contrast of arms, but for who is held out.
    assert abs(found.ate.estimate - difference) < 0.1 * found.ate.std_error
    with pytest.raises(IdentificationError, match="Use clusters=1"):
        found.compare([1, 2])
    assert (found.cate().mean == found.cate().mean[0]).all()
    assert found.to_dict()["posterior"]["weights"].shape == (1, 50, 0, 1)


def test_blank_images_join_nobody_and_other_copies_do() -> None:
    image = columns()["image"].copy()
    image[:70], image[71] = 0.0, image[70]
    with pytest.warns(DataWarning) as said:
        found = fit(trial_data(image=image), clusters=1)
    told = [str(one.message) for one in said]
    assert [text.split(" images are ")[0] for text in told] == ["70 of 120", "1 of 120"]
    group = found.trial.group
    assert len(set(group[:70])) == 70
    assert group[70] == group[71]
    assert found.scores.groups == 119


def test_units_without_images_of_their_own_are_grouped_by_what_is_named() -> None:
    village = np.arange(UNITS) // 4
    with pytest.warns(DataWarning, match="are copies of one"):
        found = fit(one_picture(), clusters=1, cluster=village)
    assert found.trial.group.tolist() == village.tolist()


def test_one_group_is_refused_with_a_remedy_that_works() -> None:
    one = dc.ArraySource(columns()["image"][:1], ["a"])
    with pytest.raises(DesignError, match="give each an image_key of its own"):
        fit(trial_data(key=np.full(UNITS, "a")), image=one, image_key="key", clusters=1)
    with pytest.raises(DesignError, match="or finer labels in cluster="):
        fit(clusters=1, cluster=np.zeros(UNITS))
    with pytest.warns(DataWarning, match="are copies of one"):
        found = fit(one_picture(np.arange(UNITS)), image_key="key", clusters=1)
    assert np.isfinite(found.ate.std_error)


def test_a_fit_without_the_units_of_dropped_images_is_one_of_the_others() -> None:
    image = columns()["image"].copy()
    image[5, 0, 0], image[9, 1, 1] = np.nan, np.inf
    kept = np.delete(np.arange(UNITS), [5, 9])
    with pytest.warns(DataWarning, match="2 of 120 units were dropped because nan_pol"):
        found = fit(trial_data(), image=dc.ArraySource(image, nan_policy="drop"))
    alone = fit(trial_data().take(kept), image=dc.ArraySource(image[kept], kept))
    assert found.trial.ids.tolist() == found.keys.tolist() == kept.tolist()
    assert found.settings["dropped"] == 2
    assert found.cluster_effects().equals(alone.cluster_effects())
    assert "2 units were left out" in " ".join(str(found.summary()).split())


def test_images_without_units_are_kept_for_transport() -> None:
    source = dc.ArraySource(columns()["image"])
    units = np.arange(UNITS - 20)
    found = fit(
        trial_data(key=np.arange(UNITS)).take(units), image=source, image_key="key"
    )
    assert found.keys.tolist() == units.tolist()
    assert len(found.transport(source).mean) == len(found.cate(source).mean) == UNITS


def test_few_images_for_many_clusters_are_refused() -> None:
    source = dc.ArraySource(columns()["image"][:3])
    with pytest.raises(DesignError, match="3 images cannot be told into 2"):
        fit(trial_data(key=np.arange(UNITS) % 3), image=source, image_key="key")


def test_copies_of_an_image_stay_together_and_are_counted() -> None:
    image = columns()["image"].copy()
    image[7] = image[3]
    with pytest.warns(DataWarning, match=r"1 of 120 images are copies .*\(7\)"):
        found = fit(trial_data(image=image))
    assert found.trial.group[7] == found.trial.group[3]
    assert (found.scores.fold[:, 7] == found.scores.fold[:, 3]).all()


def test_a_result_outlives_the_session() -> None:
    again = pickle.loads(pickle.dumps(usual()))
    assert again.cluster_effects().equals(usual().cluster_effects())
    np.testing.assert_array_equal(again.cate().mean, usual().cate().mean)


def test_a_result_written_as_text_is_the_same_result() -> None:
    again = type(usual()).from_json(usual().to_json())
    assert again.scores._fields == usual().scores._fields
    assert again.cluster_effects().equals(usual().cluster_effects())
    assert str(again.summary()) == str(usual().summary())
    np.testing.assert_array_equal(
        again.cate(columns()["image"][:2]).mean, usual().cate().mean[:2]
    )


def test_new_images_give_what_the_trial_gave_for_them() -> None:
    again = usual().cate(columns()["image"][:5])
    np.testing.assert_allclose(again.mean, usual().cate().mean[:5], atol=1e-9)


@pytest.mark.parametrize("clusters", [2, [], None])
def test_a_comparison_needs_several_numbers(clusters: object) -> None:
    with pytest.raises(DesignError, match=r"several numbers, such as range\(1, 6\)"):
        usual().compare(clusters)


def test_what_is_no_image_is_refused_by_every_question() -> None:
    found, image = usual(), columns()["image"][0]
    for ask in (found.cate, found.transport):
        with pytest.raises(DataError, match="images should be an array"):
            ask(3)
    for ask in (found.cate, found.transport, found.salience):
        with pytest.raises(DataError, match="on the scale of the training images"):
            ask(100 * (image if ask == found.salience else image[None]))
    for cluster in ("1", 1.5, 0):
        with pytest.raises(DesignError, match="is not one of 1 to 2"):
            found.salience(image, cluster)


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 1)])
def test_one_image_alone_is_no_batch_and_a_batch_no_image(shape: tuple) -> None:
    found, image = usual(), columns()["image"][0].reshape(shape)
    said = rf"a batch; got shape {re.escape(str(shape))}.*images\[None\]"
    for ask in (found.cate, found.transport):
        with pytest.raises(DataError, match=said):
            ask(image)
    assert found.cate(image[None]).mean == pytest.approx(found.cate().mean[:1])
    batch = re.escape(str((1, *shape)))
    with pytest.raises(DataError, match=rf"got {batch}\. .* image\[0\]"):
        found.salience(image[None])


def test_images_of_another_shape_are_told_as_they_were_given() -> None:
    for ask in (usual().cate, usual().transport):
        with pytest.raises(DataError, match=r"\(12, 12, 1\) of .* shape \(3, 9, 9\)"):
            ask(np.zeros((3, 9, 9)))
        with pytest.raises(DataError, match=r"shape \(3, 12, 12, 2\).*resize="):
            ask(np.zeros((3, 12, 12, 2)))


def test_settings_repeat_the_call() -> None:
    settings = usual().settings
    assert settings["clusters"] == 2
    assert settings["splits"] == FAST["splits"]
    assert settings["seed"] == 0
    assert "jax" in settings["versions"]


def test_settings_of_every_answer_repeat_its_call_with_seed_and_versions() -> None:
    found = fit(trial_data(x=np.arange(UNITS) % 7), covariates=["x"], seed=3)
    image = columns()["image"]
    given = {
        "homogeneity_test": {},
        "calibration": {},
        "rate": {"draws": 20},
        "policy_values": {},
        "unit_effects": {},
        "effect_parts": {},
        "curves": {"draws": 39},
        "effect_bounds": {},
        "diagnostics": {},
        "compare": {"clusters": [1, 2]},
        "transport": {"images": image, "coords": np.zeros((UNITS, 2))},
        "salience": {"image": image[0], "draws": 5},
    }
    for name, arguments in given.items():
        ask = getattr(found, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InferenceWarning)
            settings = ask(**arguments).settings
        wanted = set(inspect.signature(ask).parameters)
        wanted -= {"image", "images", "progress"}
        assert wanted | {"seed", "versions"} <= set(settings), name
        assert settings["seed"] == 3
        for value in settings.values():
            assert getattr(value, "size", 0) < UNITS, name
    assert found.design.settings["seed"] == 3
    assert "jax" in found.design.settings["versions"]


@pytest.mark.parametrize("argument", ["clusters", "folds", "splits"])
def test_numbers_that_are_no_numbers_are_refused(argument: str) -> None:
    with pytest.raises(DesignError, match=argument):
        fit(**{argument: 0})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"encoder": "pca"},
            r"encoder 'pca' should be RandomConvFeatures\(\), PCA\(\)",
        ),
        ({"encoder": 3}, "encoder 3 should be"),
        ({"encoder": dc.PCA}, r"write PCA\(\) with brackets"),
        ({"engine": dc.SVI}, r"write SVI\(\) with brackets"),
        ({"cache": 3}, r"cache should be FeatureCache\(folder\)"),
        ({"splits": "a"}, "splits 'a' should be a whole number from 1"),
        ({"folds": "a"}, "folds 'a' should be a whole number from 2"),
        ({"image_intercepts": "yes"}, "image_intercepts 'yes'"),
        ({"ate_penalty": -1}, "ate_penalty should be a finite number from 0, not -1"),
        ({"ate_penalty": np.nan}, "ate_penalty should be a finite number"),
        ({"ate_penalty": np.inf}, "ate_penalty should be a finite number"),
        ({"ate_penalty": "a"}, "ate_penalty should be a finite number"),
    ],
)
def test_arguments_of_another_kind_are_refused_before_images_are_read(
    wrong: dict, said: str
) -> None:
    with pytest.raises(DesignError, match=said):
        fit(image=None, **wrong)


@pytest.mark.parametrize(
    "family", ["hurdle", "bernoulli", "poisson", "negative_binomial", "lognormal"]
)
def test_a_penalty_is_refused_where_effects_are_not_on_the_mean(family: str) -> None:
    with pytest.raises(DesignError, match=rf"cannot be used with family '{family}'"):
        fit(image=None, family=family, ate_penalty=1.0)
    for linear in ("normal", "student"):
        assert check_penalty(1, linear) == 1.0
    assert check_penalty(0.0, family) == 0.0


def test_a_path_is_a_cache(tmp_path: Path) -> None:
    cached = fit(cache=str(tmp_path / "kept"))
    assert len(list((tmp_path / "kept").glob("*.npy"))) == 1
    np.testing.assert_array_equal(cached.posterior.effects, usual().posterior.effects)


def test_a_bar_names_the_stages_where_one_is_wanted(capsys: Any) -> None:
    quiet = fit()
    assert capsys.readouterr().err == ""
    shown = fit(progress=True)
    bar = capsys.readouterr().err
    stages = [
        "encoding images",
        "fitting regressions fold by fold",
        "fitting the model",
        "learning rules fold by fold",
    ]
    assert sorted(stages, key=bar.index) == stages
    np.testing.assert_array_equal(shown.posterior.effects, quiet.posterior.effects)


@pytest.mark.parametrize(
    "wrong",
    [
        {"variance": "cluster"},
        {"latent_level": "place"},
        {"engine": "gibbs"},
        {"family": "cauchy"},
        {"seed": -1},
    ],
)
def test_unknown_words_are_refused_with_those_there_are(wrong: dict) -> None:
    with pytest.raises(DesignError, match=next(iter(wrong))):
        fit(**wrong)


def test_two_villages_leave_no_cluster_and_this_is_said_once() -> None:
    village = np.arange(UNITS) // (UNITS // 2)
    with pytest.warns(dc.InferenceWarning) as caught:
        found = fit(cluster=village, folds=2)
    assert [str(one.message)[:34] for one in caught] == [
        "collapsed: clusters 1, 2 of 2, whe"
    ]
    remark = found.diagnostics()["clusters that are not estimated"].remark
    assert "fewer than two groups in clusters 1, 2" in remark
    assert "image" not in remark
    asked = (
        lambda: found.distributions,
        found.effect_bounds,
        lambda: found.curves(draws=99).distributions,
    )
    for answer in asked:
        with pytest.raises(DesignError, match="all of 2 clusters have collapsed"):
            answer()


def test_the_users_own_regression_serves_the_scores() -> None:
    """Predicting zero leaves inverse probability weighting, written out by hand."""
    shapes = []

    def nothing(seen: np.ndarray, outcome: np.ndarray, weights: np.ndarray) -> Any:
        shapes.append((seen.shape[1], outcome.shape[1], weights.min() > 0))
        return lambda rows: np.zeros((len(rows), outcome.shape[1]))

    found = fit(outcome_learner=nothing)
    y, w = columns()["y"], columns()["w"]
    by_hand = np.mean(np.where(w == 1, y, -y) / 0.5)
    assert found.ate.estimate == pytest.approx(by_hand, rel=1e-12)
    assert set(shapes) == {(usual().plain.shape[1], 1, True)}
    assert found.ate.std_error > usual().ate.std_error
    with pytest.raises(DesignError, match="outcome_learner should be a function"):
        fit(outcome_learner="boosting")


def test_what_covariates_explain_is_no_effect_though_treatment_goes_with_them() -> None:
    draw = np.random.default_rng(5)
    x = draw.normal(size=UNITS) + 1.5 * columns()["w"]
    data = trial_data(x=x, y=columns()["y"] + 3 * x)
    found = fit(data, covariates=["x"], propensity=None)
    effects = found.cluster_effects()
    assert abs(effects["model_estimate"] - [0.0, 3.0]).max() < 0.5
    assert abs(found.ate.estimate - 1.5) < 4 * found.ate.std_error < 2.0
    alone = fit(trial_data(y=columns()["y"] + 3 * x))
    assert alone.ate.estimate > 5.0
