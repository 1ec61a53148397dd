"""Every unusable input meets an error that names it; every doubtful one a warning."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import distcausal as dc
from tests.rdd.designs import make

BIG = make(0, units=128, count=9)
UNITS = BIG.running.size


def call(design=BIG, **options):
    chosen = {"running": "x", "levels": design.levels, "bandwidth": 0.8}
    return dc.r3d(design.data, **chosen | options)


def with_(values, at, value):
    changed = np.array(values, dtype=float)
    changed[at] = value
    return changed


def crowded(x):
    """Design whose running variable is given and whose curves do not matter."""
    design = make(1, units=len(x), count=5)
    return design.with_(running=np.asarray(x, float))


def test_the_design_itself_is_fine():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = call()
    assert np.all(np.isfinite(fit.effect))


ARGUMENTS = {
    "running that is text": (
        {"running": np.array(["a"] * UNITS)}, dc.DataError, ["running"],
    ),
    "running with a missing value": (
        {"running": with_(BIG.running, 7, np.nan)}, dc.DataError,
        ["running", "1 of 128", "7"],
    ),
    "running with an infinite value": (
        {"running": with_(BIG.running, [3, 9], np.inf)}, dc.DataError,
        ["running", "2 of 128", "3, 9"],
    ),
    "running of another length": (
        {"running": BIG.running[:-1]}, dc.DataError, ["running", "127", "128"],
    ),
    "running that names no column": (
        {"running": "margin"}, dc.DataError, ["margin", "x"],
    ),
    "levels that fall": ({"levels": [0.5, 0.2]}, dc.DesignError, ["levels", "increas"]),
    "levels that repeat": (
        {"levels": [0.2, 0.2, 0.5]}, dc.DesignError, ["levels", "increas"],
    ),
    "levels outside the unit interval": (
        {"levels": [0.5, 1.0]}, dc.DesignError, ["levels", "between 0 and 1"],
    ),
    "no levels": ({"levels": []}, dc.DesignError, ["levels"]),
    "an order that is not whole": ({"order": 1.7}, dc.DesignError, ["order", "1.7"]),
    "a pilot order that is not whole": (
        {"pilot_order": 0.5}, dc.DesignError, ["pilot_order", "0.5"],
    ),
    "an absurd order": ({"order": 10}, dc.DesignError, ["order", "10"]),
    "an order below the pilot's": (
        {"order": 1, "pilot_order": 1}, dc.DesignError, ["order 1", "pilot_order 1"],
    ),
    "an unknown kernel": (
        {"kernel": "gaussian"}, dc.DesignError,
        ["kernel", "gaussian", "triangular", "epanechnikov", "uniform"],
    ),
    "an unknown method": (
        {"method": "mean"}, dc.DesignError, ["method", "mean", "frechet", "pointwise"],
    ),
    "an unknown selector": (
        {"selector": "best", "bandwidth": None}, dc.DesignError, ["selector", "best"],
    ),
    "a selector per level with the Frechet method": (
        {"selector": "mse", "bandwidth": None}, dc.DesignError, ["mse", "frechet"],
    ),
    "an unknown profile": ({"profile": "R3D-9"}, dc.DesignError, ["profile", "R3D-9"]),
    "a cutoff beyond the data": (
        {"cutoff": 2.0}, dc.DesignError, ["cutoff", "running", "no units"],
    ),
    "a cutoff that is not a number": (
        {"cutoff": np.nan}, dc.DesignError, ["cutoff", "nan"],
    ),
    "a bandwidth of zero": ({"bandwidth": 0.0}, dc.DesignError, ["bandwidth"]),
    "a negative bandwidth": ({"bandwidth": -1.0}, dc.DesignError, ["bandwidth", "-1"]),
    "an infinite bandwidth": ({"bandwidth": np.inf}, dc.DesignError, ["bandwidth"]),
    "bandwidths of the wrong number": (
        {"bandwidth": np.full(4, 0.8), "method": "pointwise"}, dc.DesignError,
        ["bandwidth", "4", "9"],
    ),
    "one bandwidth per level with the Frechet method": (
        {"bandwidth": np.linspace(0.7, 0.9, 9)}, dc.DesignError,
        ["bandwidth", "frechet", "pointwise"],
    ),
    "a bandwidth that holds too few units": (
        {"bandwidth": 0.01}, dc.DesignError, ["bandwidth", "below", "above"],
    ),
    "treatment that is not zero or one": (
        {"treatment": with_(BIG.running >= 0, 5, 0.5)}, dc.DataError,
        ["treatment", "1 of 128", "5"],
    ),
    "treatment with a missing value": (
        {"treatment": with_(BIG.running >= 0, 5, np.nan)}, dc.DataError,
        ["treatment", "1 of 128", "5"],
    ),
    "treatment of another length": (
        {"treatment": np.ones(5)}, dc.DataError, ["treatment", "5", "128"],
    ),
    "a treatment bandwidth without treatment": (
        {"bandwidth": {"outcome": 0.8, "treatment": 0.8}}, dc.DesignError,
        ["treatment"],
    ),
    "treatment that does not jump": (
        {"treatment": np.ones(UNITS)}, dc.DistCausalError, ["treatment", "jump"],
    ),
    "negative unit weights": (
        {"weights": with_(np.ones(UNITS), [2, 4], -1)}, dc.DataError,
        ["weights", "2", "negative"],
    ),
    "unit weights of zero": (
        {"weights": np.zeros(UNITS)}, dc.DataError, ["weights", "zero"],
    ),
    "unit weights of another length": (
        {"weights": np.ones(3)}, dc.DataError, ["weights", "3", "128"],
    ),
    "clusters of another length": (
        {"cluster": np.arange(5)}, dc.DataError, ["cluster", "5", "128"],
    ),
    "one cluster": ({"cluster": np.zeros(UNITS)}, dc.DesignError, ["cluster"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_bad_argument_is_named_with_the_facts(name):
    options, error, words = ARGUMENTS[name]
    with pytest.raises(error) as caught:
        call(**options)
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, message


def test_too_few_units_in_the_window_are_counted_on_both_sides():
    x = np.concatenate([[-0.1, -0.2, -0.3], np.linspace(0.1, 0.9, 57)])
    with pytest.raises(dc.DesignError, match=r"2 below") as caught:
        call(crowded(x), bandwidth=0.25)
    assert "above" in str(caught.value)
    assert "Widen" in str(caught.value)


def test_values_that_nearly_coincide_are_an_error_with_advice():
    step = np.arange(30) * 1e-9
    x = np.concatenate([-0.5 - step, 0.5 + step])
    with pytest.raises(dc.DesignError, match="nearly coincide"):
        call(crowded(x), bandwidth=0.8)


def test_a_window_without_spare_units_is_refused():
    # Three units a side determine an order-2 fit, and leave no error to see.
    small = make(3, units=6, count=5)
    with pytest.raises(dc.DesignError, match="bandwidth") as caught:
        call(small, bandwidth=1.5)
    assert "3 below" in str(caught.value)


def test_levels_beyond_the_stored_curves_are_a_warning():
    with pytest.warns(dc.DataWarning, match="0.9"):
        call(levels=[0.01, 0.5, 0.99])


@pytest.mark.parametrize("data", [BIG.curves, None, [1.0, 2.0]])
def test_data_of_another_kind_are_refused_with_the_way_in(data):
    with pytest.raises((dc.DistCausalError, TypeError), match="RandomDistributions"):
        dc.r3d(data, running="x")


def samples(sizes, **options):
    rng = np.random.default_rng(0)
    draws = [rng.normal(size=size) for size in sizes]
    return dc.RandomDistributions.from_samples(draws, **options)


def test_an_empty_unit_is_named():
    with pytest.raises(dc.DataError, match="at least one draw") as caught:
        samples([3, 0, 2], ids=["a", "b", "c"])
    assert "b" in str(caught.value)


def test_missing_draws_are_an_error_that_offers_to_drop_them():
    frame = pd.DataFrame({"unit": list("aabb"), "value": [1.0, 2.0, np.nan, 3.0]})
    with pytest.raises(dc.DataError, match="missing") as caught:
        dc.RandomDistributions.from_frame(frame, unit="unit", value="value")
    assert "drop" in str(caught.value)
    assert "b" in str(caught.value)
    data = dc.RandomDistributions.from_frame(
        frame, unit="unit", value="value", missing="drop"
    )
    np.testing.assert_array_equal(data.sizes, [2, 1])


def test_infinite_draws_are_an_error():
    with pytest.raises(dc.DataError, match="finite") as caught:
        dc.RandomDistributions.from_samples([[1.0], [np.inf]], ids=["a", "b"])
    assert "b" in str(caught.value)


WEIGHTS = {
    "negative": ([[1.0, 1.0], [-1.0, 2.0]], "negative"),
    "all zero": ([[1.0, 1.0], [0.0, 0.0]], "zero"),
    "of another length": ([[1.0, 1.0], [1.0]], "weights"),
    "not finite": ([[1.0, 1.0], [np.nan, 2.0]], "finite"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_bad_weights_of_draws_name_the_unit(name):
    weights, word = WEIGHTS[name]
    with pytest.raises(dc.DataError, match=word) as caught:
        dc.RandomDistributions.from_samples(
            [[1.0, 2.0], [3.0, 4.0]], weights=weights, ids=["one", "two"]
        )
    assert "two" in str(caught.value)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, -0.1])
def test_a_confidence_outside_the_unit_interval_is_refused(confidence):
    fit = call()
    for read in (fit.band, fit.conf_int):
        with pytest.raises(dc.DesignError, match="confidence"):
            read(confidence)
    with pytest.raises(dc.DesignError, match="confidence"):
        dc.nullity_test(fit, confidence=confidence)


def test_too_few_draws_for_a_band_are_refused_with_the_least_number():
    # 19 draws have a 19th smallest, the 95% one; 18 draws have no such order.
    enough = call(inference=dc.MultiplierBootstrap(draws=19))
    assert np.all(np.isfinite(enough.band(0.95)))
    with pytest.raises(dc.DesignError, match="19"):
        call(inference=dc.MultiplierBootstrap(draws=18)).band(0.95)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("draws", 0), ("draws", 9.5), ("multiplier", "cauchy"), ("leverage", "hc9"),
        ("influence", "exact"), ("multipliers", np.ones(4)),
        ("multipliers", np.full((128, 39), np.nan)),
    ],
)  # fmt: skip
def test_bad_bootstrap_settings_are_named(setting, value):
    with pytest.raises(dc.DesignError, match=setting):
        dc.MultiplierBootstrap(**{setting: value})


def test_multipliers_need_a_row_per_unit():
    with pytest.raises(dc.DesignError, match="multipliers") as caught:
        call(inference=dc.MultiplierBootstrap(multipliers=np.ones((5, 39))))
    assert "128" in str(caught.value)


@pytest.mark.parametrize("ranges", [[(0.1, 2.0)], [(0.21, 0.22)], [0.9, 0.1], [(0.5,)]])
def test_a_test_range_must_lie_in_the_grid_and_hold_two_levels(ranges):
    fit = call()
    for test in (dc.nullity_test, dc.homogeneity_test):
        with pytest.raises(dc.DesignError, match="range"):
            test(fit, ranges=ranges)


def test_an_unknown_functional_is_named():
    with pytest.raises(dc.DesignError, match="entropy") as caught:
        dc.functional_effect(call(), "entropy")
    assert "gini" in str(caught.value)


def test_a_weak_first_stage_is_a_warning():
    treatment = (np.arange(UNITS) % 2).astype(float)
    treatment[:7] = 1.0
    with pytest.warns(dc.InferenceWarning, match="first stage is weak"):
        call(treatment=treatment)


def test_few_units_in_the_window_are_a_warning_with_both_counts():
    x = BIG.running
    below, above = ((np.abs(x) < 0.25) & side for side in (x < 0, x >= 0))
    assert max(below.sum(), above.sum()) >= 1
    with pytest.warns(dc.InferenceWarning, match="fewer than 20") as caught:
        call(bandwidth=0.25)
    text = " ".join(str(one.message) for one in caught)
    assert str(below.sum()) in text
    assert str(above.sum()) in text


def test_mass_points_are_a_warning():
    x = np.round(BIG.running * 12) / 12 + 0.01
    with pytest.warns(dc.DataWarning, match="repeat"):
        call(BIG.with_(running=x))


def test_units_at_the_cutoff_are_a_warning():
    x = with_(BIG.running, [1, 2, 3], 0.0)
    with pytest.warns(dc.DataWarning, match="exactly at the cutoff"):
        call(BIG.with_(running=x))


def test_gini_on_a_narrow_grid_warns_once():
    fit = call(BIG.with_(curves=20 + BIG.curves))
    with pytest.warns(dc.DataWarning, match="gini") as caught:
        dc.functional_effect(fit, "gini")
    assert len(caught) == 1


def test_gini_leaves_out_a_few_simulated_curves_and_says_so():
    # Simulated errors may carry a curve below zero; that is no fault of the data.
    low = call(BIG.with_(curves=1 + np.exp(BIG.curves)))
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        assert np.isfinite(dc.functional_effect(low, "gini").p_value)
    assert {remark.category for remark in remarks} == {
        dc.DataWarning,
        dc.InferenceWarning,
    }
    assert any("of 999" in str(remark.message) for remark in remarks)


@pytest.mark.filterwarnings("ignore::distcausal.errors.DataWarning")
@pytest.mark.parametrize(
    "curves", [np.exp(BIG.curves), BIG.curves - 50], ids=["too close", "negative"]
)
def test_gini_without_a_positive_mean_is_refused(curves):
    with pytest.raises(dc.DataError, match="gini"):
        dc.functional_effect(call(BIG.with_(curves=curves)), "gini")


def test_units_with_too_few_draws_for_the_levels_are_one_warning():
    rng = np.random.default_rng(0)
    sizes = np.where(np.arange(UNITS) < 17, 3, 60)
    data = dc.RandomDistributions.from_samples(
        [rng.normal(size=size) for size in sizes], columns={"x": BIG.running}
    )
    with pytest.warns(dc.DataWarning, match="17 of 128") as caught:
        dc.r3d(data, running="x", levels=[0.1, 0.5, 0.9], bandwidth=0.8)
    assert len(caught) == 1


def test_errors_are_value_errors_too():
    with pytest.raises(ValueError, match="bandwidth"):
        call(bandwidth=-1)
