"""Every way a trial can be wrong at the door, and what is said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import distcausal as dc
from distcausal.errors import DataError, DataWarning, DesignError
from distcausal.images.check import Roles, read_trial
from distcausal.images.trial import groups_of

UNITS = 12
GIVEN: dict[str, Any] = {
    "image": "image",
    "image_key": None,
    "treatment": "w",
    "outcome": "y",
    "covariates": None,
    "propensity": None,
    "cluster": None,
    "weights": None,
    "reference": None,
    "missing": "raise",
    "levels": None,
}


def trial_data(units: int = UNITS, **columns: object) -> dc.RandomDistributions:
    draw = np.random.default_rng(0)
    own = {
        "image": draw.normal(size=(units, 6, 6)),
        "w": np.arange(units) % 2,
        "y": draw.normal(size=units),
        "x": draw.normal(size=units),
        "place": np.repeat([f"p{k}" for k in range(units // 2)], 2),
        **columns,
    }
    return dc.RandomDistributions.from_samples([[0.0]] * units, columns=own)


def read(data: dc.RandomDistributions, **roles: object) -> Any:
    return read_trial(data, Roles(**{**GIVEN, **roles}))


def test_images_stand_in_the_order_in_which_they_are_first_met() -> None:
    data = trial_data(place=np.array(list("bbaacc") * 2))
    images = dc.ArraySource(np.zeros((4, 5, 5)), np.array(list("abcd")))
    asked = read(data, image=images, image_key="place")
    assert asked.trial.keys.tolist() == ["b", "a", "c"]
    assert asked.trial.image.tolist() == [0, 0, 1, 1, 2, 2] * 2


def test_units_of_one_image_are_one_group() -> None:
    data = trial_data()
    images = dc.ArraySource(np.zeros((6, 5, 5)), [f"p{k}" for k in range(6)])
    asked = read(data, image=images, image_key="place")
    assert asked.trial.group.tolist() == np.repeat(np.arange(6), 2).tolist()


def test_a_column_of_images_may_have_keys() -> None:
    data = trial_data()
    images = np.repeat(np.random.default_rng(1).normal(size=(6, 4, 4)), 2, axis=0)
    asked = read(data.with_columns(image=images), image_key="place")
    assert len(asked.source) == 6
    np.testing.assert_array_equal(asked.source.get(["p3"])[0, ..., 0], images[6])


def test_one_key_with_two_images_is_refused() -> None:
    with pytest.raises(DataError, match=r"6 keys have several .p0, p1"):
        read(trial_data(), image_key="place")


def test_lengths_that_differ_are_named() -> None:
    with pytest.raises(DataError, match="11 images and the data 12 units"):
        read(trial_data(), image=np.zeros((11, 4, 4)))
    with pytest.raises(DataError, match="treatment"):
        read(trial_data(), treatment=np.zeros(11))


def test_a_unit_without_image_is_named() -> None:
    images = dc.ArraySource(np.zeros((4, 5, 5)), ["p0", "p1", "p2", "p3"])
    asked = read(trial_data(), image=images, image_key="place")
    with pytest.raises(KeyError, match="p4, p5"):
        asked.source.get(asked.trial.keys)


def test_an_array_that_could_be_meant_in_two_ways_is_refused() -> None:
    with pytest.raises(DesignError, match="an image per unit or per key"):
        read(trial_data(), image=np.zeros((UNITS, 4, 4)), image_key="place")


def test_a_source_of_other_keys_needs_image_key() -> None:
    images = dc.ArraySource(np.zeros((4, 5, 5)), list("abcd"))
    with pytest.raises(DesignError, match="image_key should name the column"):
        read(trial_data(), image=images)


def test_treatment_other_than_zero_and_one_needs_a_reference() -> None:
    arms = np.array(["none", "cash", "loan"] * 4)
    with pytest.raises(DesignError, match=r"cash, loan, none.*reference"):
        read(trial_data(w=arms))
    asked = read(trial_data(units=36, w=np.tile(arms, 3)), reference=("none", "cash"))
    assert asked.other_arms == 12
    assert asked.trial.treatment.tolist() == [0, 1] * 12


def test_an_arm_that_is_not_there_is_named() -> None:
    with pytest.raises(DesignError, match=r"'gift'.*not among"):
        read(trial_data(), reference=(0, "gift"))


@pytest.mark.parametrize(("value", "word"), [(0, "treated"), (1, "untreated")])
def test_an_empty_arm_is_refused(value: int, word: str) -> None:
    with pytest.raises(DesignError, match=f"no unit is {word};"):
        read(trial_data(w=np.full(UNITS, value)))


def test_few_units_are_refused() -> None:
    with pytest.raises(DesignError, match="there are 8 units"):
        read(trial_data(units=8))


def test_a_constant_outcome_is_refused() -> None:
    with pytest.raises(DataError, match="same outcome, 3"):
        read(trial_data(y=np.full(UNITS, 3.0)))


@pytest.mark.parametrize("column", ["y", "x"])
def test_missing_numbers_are_refused_or_dropped_with_their_labels(column: str) -> None:
    values = np.arange(20.0)
    values[4] = np.nan
    data = trial_data(units=20, **{column: values})
    with pytest.raises(DataError, match=r"1 of 20 units lack .*\(4\)"):
        read(data, covariates=["x"])
    with pytest.warns(DataWarning, match="1 of 20 units were dropped"):
        asked = read(data, covariates=["x"], missing="drop")
    assert asked.dropped == (4,)
    assert 4 not in asked.trial.ids
    assert len(asked.trial.outcome) == len(asked.trial.covariates) == 19


def test_a_covariate_of_words_is_refused() -> None:
    with pytest.raises(DataError, match="'place' should be numbers"):
        read(trial_data(), covariates=["place"])


def test_a_covariate_equal_to_the_treatment_is_refused() -> None:
    with pytest.raises(DataError, match=r"w .an affine copy"):
        read(trial_data(), covariates=["w", "x"])


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5, "w"])
def test_propensities_of_zero_or_one_are_refused(value: object) -> None:
    with pytest.raises(DataError, match="strictly between 0 and 1"):
        read(trial_data(), propensity=value)


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_weights_that_are_no_weights_are_counted(bad: float) -> None:
    weights = np.ones(UNITS)
    weights[3] = bad
    with pytest.raises(DataError, match="weights should be finite and nonnegative"):
        read(trial_data(), weights=weights)


def test_a_missing_cluster_label_is_counted() -> None:
    label = np.arange(float(UNITS))
    label[2] = np.nan
    with pytest.raises(DataError, match="cluster is missing for 1 of 12"):
        read(trial_data(), cluster=label)


def test_other_data_are_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="should be a RandomDistributions, not a dict"):
        read_trial({}, Roles(**GIVEN))  # type: ignore[arg-type]


def test_groups_join_images_copies_and_clusters() -> None:
    image = np.array([0, 0, 1, 2, 3, 4])
    copy = np.array([0, 1, 2, 1, 4])  # image 3 is a copy of image 1
    keys = np.array(list("abcde"))
    assert groups_of(keys, image, copy, None).tolist() == [0, 0, 1, 2, 1, 3]
    back = groups_of(keys[::-1], image, copy, None)
    assert back.tolist() == [3, 3, 1, 2, 1, 0]
    village = np.array(["a", "a", "b", "c", "c", "d"])
    assert groups_of(keys, image, copy, village).tolist() == [0, 0, 1, 1, 1, 2]
