"""Every way a trial can be wrong at the door, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import distcausal as dc
from distcausal.errors import DataError, DataWarning, DesignError, warn_user
from distcausal.images.check import Roles, read_trial
from distcausal.images.treatment_copies import check_covariates
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
    for role in ("treatment", "outcome", "image_key", "cluster", "weights"):
        images = {"image": dc.ArraySource(np.zeros((3, 4, 4)))}
        own = images if role == "image_key" else {}
        said = rf"{role}.*each of the 12 units, but has 11"
        with pytest.raises(ValueError, match=said):
            read(trial_data(), **{role: np.ones(11)}, **own)


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
    name = {"y": "outcome", "x": "x"}[column]
    said = rf"1 of 20 units lack .*\(4\): {name} missing for 1\. .*missing='drop'"
    with pytest.raises(DataError, match=said):
        read(data, covariates=["x"])
    with pytest.warns(DataWarning, match="1 of 20 units were dropped"):
        asked = read(data, covariates=["x"], missing="drop")
    assert asked.dropped == (4,)
    assert 4 not in asked.trial.ids
    assert len(asked.trial.outcome) == len(asked.trial.covariates) == 19


def test_columns_are_named_by_what_they_lack() -> None:
    outcome, x, other = np.arange(60.0).reshape(3, 20) ** 2
    outcome[3], outcome[[5, 6]], x[6] = np.nan, [np.inf, -np.inf], np.nan
    asked = {"outcome": outcome, "covariates": {"outcome": x, "z": other}}
    said = (
        r"3 of 20 units lack a finite outcome or covariate \(3, 5, 6\): outcome "
        r"missing for 1, outcome missing for 1 and infinite for 2\."
    )
    with pytest.raises(DataError, match=said):
        read(trial_data(units=20), **asked)
    with pytest.warns(DataWarning, match="missing for 1 and infinite for 2; effects"):
        kept = read(trial_data(units=20), **asked, missing="drop")
    assert kept.dropped == (3, 5, 6)


@pytest.mark.parametrize("missing", ["raise", "drop"])
@pytest.mark.parametrize("role", ["treatment", "image_key", "cluster"])
def test_units_without_a_label_are_named_and_not_dropped(
    role: str, missing: str
) -> None:
    label = np.arange(float(UNITS)) % 2
    label[[2, 9]] = np.nan
    images = {"image": dc.ArraySource(np.zeros((2, 4, 4)))} if "key" in role else {}
    said = (
        rf"{role} is missing for 2 of 12 units \(2, 9\)\. .*data.take: missing='drop'"
    )
    with pytest.raises(DataError, match=said):
        read(trial_data(), **{role: label}, missing=missing, **images)


def test_dates_are_to_be_counted_and_words_to_be_coded() -> None:
    days = np.arange(UNITS).astype("datetime64[D]")
    with pytest.raises(DataError, match=r"'day' should be numbers.*days since"):
        read(trial_data(), covariates={"day": days})
    with pytest.raises(DataError, match=r"'place' should be numbers.*as 0 and 1"):
        read(trial_data(), covariates=["place"])
    with pytest.raises(DataError, match=r"\(12, 6, 6\)\. Name each of its columns"):
        read(trial_data(), covariates=["image"])


@pytest.mark.parametrize("key", [None, "place"])
def test_names_of_files_are_no_images(key: str | None) -> None:
    names = [f"{number // 2}.png" for number in range(UNITS)]
    said = r"are text \(0.png, 0.png\)\. .*image=FolderSource\(folder\).*image_key"
    with pytest.raises(DataError, match=said):
        read(trial_data(file=np.array(names)), image="file", image_key=key)
    with pytest.raises(DataError, match=said):
        read(trial_data(), image=names)


def test_the_path_of_a_file_is_no_image() -> None:
    with pytest.raises(DataError, match=r"MemmapSource\(file\).*not a \w*Path"):
        read(trial_data(), image=Path("images.npy"))


def test_warnings_point_at_the_line_outside_the_package() -> None:
    values = np.append(np.arange(19.0), np.nan)
    arm = np.tile([0, 1], 10)
    with pytest.warns(DataWarning) as deep:
        read(trial_data(units=20, y=values), missing="drop")
    with pytest.warns(DataWarning, match="strongly correlated") as shallow:
        check_covariates((arm + np.arange(20) % 3)[:, None], arm)
    with pytest.warns(DataWarning, match="seen here") as none:
        warn_user("seen here", DataWarning)
    for caught in (deep, shallow, none):
        assert {one.filename for one in caught} == {__file__}


def test_a_covariate_of_words_is_refused() -> None:
    with pytest.raises(DataError, match="'place' should be numbers"):
        read(trial_data(), covariates=["place"])


def test_a_covariate_equal_to_the_treatment_is_refused() -> None:
    with pytest.raises(DataError, match=r"w .an affine copy"):
        read(trial_data(), covariates=["w", "x"])


@pytest.mark.parametrize("missing", ["raise", "drop"])
@pytest.mark.parametrize("arm", [0, 1])
def test_a_question_asked_of_one_arm_alone_is_refused(missing: str, arm: int) -> None:
    data = trial_data(units=36, w=np.arange(36) % 3)
    asked = np.where(np.arange(36) % 3 == 1 - arm, np.nan, np.arange(36.0))
    with pytest.raises(DataError, match=r"asked .missing in exactly one arm"):
        read(data, covariates={"asked": asked}, reference=(0, 1), missing=missing)


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5, "w"])
def test_propensities_of_zero_or_one_are_refused(value: object) -> None:
    with pytest.raises(DataError, match="strictly between 0 and 1") as told:
        read(trial_data(), propensity=value)
    units = r"for 12 of 12 units it does not \(0, 1, 2, 3, 4 and 7 more\)\. Leave out"
    fact = units if value == "w" else f"but is {value}\\. It is the chance"
    assert re.search(fact, str(told.value))


def test_propensities_that_are_no_numbers_are_told_from_those_out_of_range() -> None:
    odds = np.full(UNITS, 0.5)
    odds[[1, 4]] = np.nan
    with pytest.raises(
        DataError, match=r"is missing for 2 of 12 units \(1, 4\)\. Fill"
    ):
        read(trial_data(), propensity=odds)
    with pytest.raises(DataError, match=r"one number per unit, but holds <U2"):
        read(trial_data(), propensity="place")


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_weights_that_are_no_weights_are_counted(bad: float) -> None:
    weights = np.ones(UNITS)
    weights[3] = bad
    none, less = (0, 1) if bad == -1 else (1, 0)
    said = rf"{none} have none that is finite and {less} a neg.*\(units 3\).*; 0 leaves"
    with pytest.raises(DataError, match=said):
        read(trial_data(), weights=weights)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"are 0 for all 12 units\. .*leave weights= out"
    ):
        read(trial_data(), weights=np.zeros(UNITS))


@pytest.mark.parametrize("image", [None, 3, {"a": np.zeros((4, 4))}, np.array(1.0)])
def test_what_holds_no_images_is_refused_with_what_would(image: object) -> None:
    with pytest.raises(DataError, match=r"image should be the name of a column.*not"):
        read(trial_data(), image=image)


@pytest.mark.parametrize("given", [np.arange(float(UNITS)), list(range(UNITS))])
def test_an_array_with_an_entry_per_unit_is_one_covariate(given: Any) -> None:
    asked = read(trial_data(), covariates=given)
    assert asked.covariates == ("x1",)
    np.testing.assert_allclose(
        np.corrcoef(asked.trial.covariates[:, 0], given)[0, 1], 1.0, rtol=1e-12
    )


def test_an_array_of_words_is_no_covariate_and_one_of_names_is_several() -> None:
    with pytest.raises(DataError, match="'x1' should be numbers"):
        read(trial_data(), covariates=np.array(["a", "b"] * 6))
    data = trial_data(z=np.arange(float(UNITS)) ** 2)
    assert read(data, covariates=np.array(["x", "z"])).covariates == ("x", "z")


@pytest.mark.parametrize("none", [[], {}, (), None])
def test_no_covariates_may_be_said_in_any_way(none: object) -> None:
    asked = read(trial_data(), covariates=none)
    assert asked.trial.covariates.shape == (UNITS, 0)


def test_covariates_that_are_no_columns_or_named_twice_are_refused() -> None:
    with pytest.raises(DataError, match=r"names of columns or arrays.*not 3"):
        read(trial_data(), covariates=3)
    data = trial_data(x2=np.arange(float(UNITS)))
    with pytest.raises(DataError, match="x2 occurs more than once"):
        read(data, covariates=["x2", np.arange(UNITS) ** 2])


# Numbers near b * x + a are rounded to eps * |a|, in standard deviations to this.
@given(
    st.sampled_from([0.0, 50_000.0, -1e6]),
    st.sampled_from([1e-3, 1.0, 1000.0, 1e100]),
    st.integers(0, 9),
)
def test_unit_and_origin_of_a_covariate_are_of_no_account(
    origin: float, unit: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    x, weights = draw.normal(size=UNITS), draw.uniform(0.6, 1.4, UNITS)
    one = read(trial_data(), covariates=x, weights=weights)
    two = read(trial_data(), covariates=origin + unit * x, weights=weights)
    rounding = 1e-12 + 1e-15 * abs(origin) / unit
    np.testing.assert_allclose(
        two.trial.covariates, one.trial.covariates, atol=10 * rounding
    )
    share = weights / weights.sum()
    assert abs(share @ one.trial.covariates[:, 0]) < 1e-12
    assert abs(share @ one.trial.covariates[:, 0] ** 2 - 1) < 1e-12


def test_covariates_are_measured_by_the_units_used_and_constants_named() -> None:
    values = np.arange(20.0)
    values[4] = np.nan
    data = trial_data(units=20, y=values, x=np.append(np.zeros(19), 1.0))
    arm = np.arange(20) % 3  # the last unit is in the arm left out
    arm[19] = 2
    with pytest.warns(DataWarning) as told:
        asked = read(
            data,
            treatment=arm,
            reference=(0, 1),
            covariates=["x", np.arange(20.0) ** 2],
            missing="drop",
        )
    assert any("left out: x." in str(one.message) for one in told)
    assert asked.covariates == ("x2",)
    np.testing.assert_allclose(asked.trial.covariates.mean(axis=0), 0.0, atol=1e-12)


def test_a_covariate_equal_to_the_outcome_is_refused() -> None:
    data = trial_data(copy=3 - 2 * np.random.default_rng(0).normal(size=UNITS))
    with pytest.raises(DataError, match=r"may not contain the outcome: y "):
        read(data, covariates=["y", "x"])
    y = data.columns["y"]
    with pytest.raises(DataError, match=r"may not contain the outcome: x1 "):
        read(data, covariates=3 - 2 * y)
    assert read(data, covariates=y + 1e-6 * data.columns["x"]).covariates == ("x1",)


def test_levels_are_checked_where_they_are_not_used() -> None:
    with pytest.raises(DataError, match="levels should be strictly increasing"):
        read(trial_data(), levels=[0.5, 0.4])


def test_arms_are_told_as_they_are_written_in_the_data() -> None:
    data = trial_data(w=np.array(["no", "yes"] * 6))
    with pytest.raises(DesignError, match=r"such as reference=\('no', 'yes'\)"):
        read(data)
    for wrong in ("no", ("no",), ("no", "yes", "no"), 3):
        with pytest.raises(DesignError, match=r"such as reference=\('no', 'yes'\)"):
            read(data, reference=wrong)
    with pytest.raises(DesignError, match="names arm 'no' twice"):
        read(data, reference=("no", "no"))
    with pytest.raises(DesignError, match=r"reference=\(a, b\)"):
        read(trial_data(w=np.array(["no"] * UNITS)))


@pytest.mark.parametrize(("arm", "word"), [(0, "untreated"), (1, "treated")])
def test_an_arm_without_weight_is_refused(arm: int, word: str) -> None:
    weights = 2.0 * (np.arange(UNITS) % 2 != arm)
    with pytest.raises(DesignError, match=f"no {word} unit has a positive weight"):
        read(trial_data(), weights=weights)


def test_weights_of_words_are_refused() -> None:
    with pytest.raises(DataError, match="weights should be one number per unit"):
        read(trial_data(), weights="place")


@pytest.mark.parametrize("size", [1e-3, 1 / UNITS, 1e3])
def test_weights_that_are_not_numbers_of_units_get_a_warning(size: float) -> None:
    total = re.escape(f"{size * UNITS:.4g}")
    with pytest.warns(DataWarning, match=f"12 units add up to {total}:.*their mean"):
        read(trial_data(), weights=np.full(UNITS, size))


@pytest.mark.parametrize("size", [0.6, 1.0, 1.9])
def test_weights_of_about_one_pass_and_units_of_none_do_not_count(size: float) -> None:
    weights = np.full(UNITS, size)
    weights[:8] = 0.0
    assert read(trial_data(), weights=weights).trial.weights.sum() == 4 * size


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
