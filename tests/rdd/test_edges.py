"""Designs at the edge of what can be estimated: refused, or answered exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import distcausal as dc
from distcausal.rdd import sample as blocks

RNG = np.random.default_rng(3)
UNITS, LEVELS = 120, np.array([0.2, 0.4, 0.6, 0.8])
X = RNG.uniform(-1, 1, UNITS)
CURVES = RNG.normal(size=(UNITS, 1)) + np.array([-1.0, 0.0, 1.0, 2.0])
CURVES = CURVES + np.abs(RNG.normal(size=(UNITS, 1))) * LEVELS

pytestmark = pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning")


def fit(curves=CURVES, **options):
    data = dc.RandomDistributions.from_quantiles(curves, LEVELS, columns={"x": X})
    return dc.r3d(data, running="x", levels=LEVELS, **options)


@pytest.mark.parametrize("constant", [0.0, 3.7, 1e10])
def test_outcomes_without_variation_have_effect_and_error_exactly_zero(constant):
    found = fit(np.full((UNITS, 4), constant))
    assert_array_equal(found.effect, np.zeros(4))
    assert_array_equal(found.std_error, np.zeros(4))
    assert dc.nullity_test(found).p_value[0] == 1
    assert dc.homogeneity_test(found).p_value[0] == 1


def test_a_level_without_variation_decides_no_test():
    heaped = CURVES.copy()
    heaped[:, 0] = CURVES[:, 0].min() - 3.7
    found = fit(heaped)
    assert found.effect[0] == 0
    assert found.std_error[0] == 0
    rest = dc.nullity_test(found, ranges=[(0.4, 0.8)])
    whole = dc.nullity_test(found)
    assert_array_equal(whole.p_value, rest.p_value)
    assert_array_equal(whole.critical_value, rest.critical_value)


def test_units_that_differ_in_location_alone_are_homogeneous():
    found = fit(RNG.normal(size=(UNITS, 1)) + LEVELS / 3)
    for studentise in (True, False):
        test = dc.homogeneity_test(found, studentise=studentise)
        assert test.p_value[0] == 1
        assert test.statistic[0] == 0


def test_a_side_with_one_cluster_is_refused_with_both_counts():
    cluster = np.where(X < 0, np.arange(UNITS) % 29, 99)
    with pytest.raises(dc.DesignError, match="26 clusters below and 1 above"):
        fit(cluster=cluster, bandwidth=0.9)


def test_few_clusters_on_one_side_are_a_warning_with_both_counts():
    cluster = np.where(X < 0, np.arange(UNITS) % 29, 99 + np.arange(UNITS) % 3)
    with pytest.warns(dc.InferenceWarning, match="26 clusters below and 3 above"):
        fit(cluster=cluster, bandwidth=0.9)


@pytest.mark.parametrize("size", [64, blocks.BLOCK])
def test_a_window_without_units_is_refused_whatever_the_blocks(size, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", size)
    with pytest.raises(dc.DesignError, match="holds 0 below and 0 above"):
        fit(bandwidth=1e-9)


@pytest.mark.parametrize("ranges", ["all", [0.2, (0.4, 0.6)], {0.2, 0.8}, [0.5]])
def test_ranges_that_are_no_ranges_are_refused_by_name(ranges):
    with pytest.raises(dc.DesignError, match="ranges should be"):
        dc.nullity_test(fit(), ranges=ranges)


def test_numpy_numbers_are_confidences():
    assert dc.nullity_test(fit(), confidence=np.float32(0.9)).confidence > 0.89


@pytest.mark.parametrize(
    ("functional", "words"),
    [
        (3, "got 3"),
        (lambda curves, levels: curves, "returns shape"),
        (lambda curves, levels: curves.mean(), "last axis"),
        (lambda curves: curves, "fails on two curves"),
    ],
)
def test_functions_that_are_no_functionals_are_refused(functional, words):
    with pytest.raises(dc.DesignError, match=words):
        dc.functional_effect(fit(), functional)


def test_a_function_of_the_user_is_a_functional():
    def middle(curves, levels):
        return curves[..., 1]

    found = dc.functional_effect(fit(), middle)
    assert found.name == "middle"
    assert found["estimate"] == fit().effect[1]


@pytest.mark.parametrize("leverage", ["hc0", "hc1", "hc3"])
@pytest.mark.parametrize("clustered", [False, True])
def test_units_of_weight_zero_might_as_well_not_be_there(leverage, clustered):
    weight = np.where(np.arange(UNITS) % 5 == 0, 0.0, 1.0 + np.arange(UNITS) % 3)
    kept = weight > 0
    cluster = np.arange(UNITS) // 2
    inference = dc.MultiplierBootstrap(draws=19, leverage=leverage)

    def estimate(rows):
        columns = {"x": X[rows], "w": weight[rows], "g": cluster[rows]}
        data = dc.RandomDistributions.from_quantiles(
            CURVES[rows], LEVELS, columns=columns
        )
        options = {"cluster": "g"} if clustered else {}
        return dc.r3d(data, running="x", weights="w", inference=inference, **options)

    whole, part = estimate(np.arange(UNITS)), estimate(kept)
    # The origin of the outcome is another unit's curve; all else is equal.
    np.testing.assert_allclose(
        whole.bandwidth.outcome, part.bandwidth.outcome, rtol=1e-9
    )
    np.testing.assert_allclose(whole.effect, part.effect, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(whole.std_error, part.std_error, rtol=1e-8)


def test_very_unequal_weights_are_a_warning_with_what_they_are_worth():
    weight = np.where(np.arange(UNITS) % 20 == 0, 1000.0, 1.0)
    with pytest.warns(dc.InferenceWarning, match="equally weighted"):
        fit(weights=weight, bandwidth=0.9)


def test_cluster_labels_of_different_kinds_stay_apart():
    labels = np.array([1, "1", 2, "2"] * (UNITS // 4), dtype=object)
    found = fit(cluster=labels)
    assert found.n_clusters == 4


def test_penalty_of_the_bandwidth_reaches_the_treatment():
    treated = ((X >= 0) ^ (np.arange(UNITS) % 9 == 0)).astype(float)
    data = dc.RandomDistributions.from_quantiles(CURVES, LEVELS, columns={"x": X})
    wide, narrow = (
        dc.r3d_bandwidth(data, running="x", treatment=treated, regularisation=c)
        for c in (0.0, 30.0)
    )
    assert narrow.treatment < wide.treatment


def test_a_fit_at_one_level_prints_and_tests_nullity():
    data = dc.RandomDistributions.from_quantiles(CURVES, LEVELS, columns={"x": X})
    found = dc.r3d(data, running="x", levels=0.4)
    assert "0.4" in str(found)
    assert 0 < dc.nullity_test(found).p_value[0] <= 1
    with pytest.raises(dc.DesignError, match="one level"):
        dc.homogeneity_test(found)


@pytest.mark.parametrize("flip", [False, True])
def test_one_sided_tests_in_fuzzy_designs_follow_the_sign_of_the_effect(flip):
    treated = ((X >= 0) ^ (np.arange(UNITS) % 9 == 0)).astype(float)
    treated = 1 - treated if flip else treated
    curves = CURVES / 10 + 2.0 * treated[:, None]
    found = fit(curves, treatment=treated, bandwidth=0.9)
    assert (found.effect > 0).all()
    assert np.sign(found.first_stage.jump) == (-1 if flip else 1)
    greater = dc.nullity_test(found, alternative="greater").p_value[0]
    less = dc.nullity_test(found, alternative="less").p_value[0]
    assert greater < 0.01
    assert less > 0.9


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "a", None, True])
def test_seeds_that_are_none_are_refused(seed):
    with pytest.raises(dc.DesignError, match="seed"):
        fit(seed=seed)


def test_a_key_and_its_number_draw_alike_and_are_remembered():
    import jax

    one, other = fit(seed=7), fit(seed=jax.random.key(7))
    assert_array_equal(one.draws.effect, other.draws.effect)
    assert one.settings["seed"] == 7
    assert other.settings["seed"] == [0, 7]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dc.MultiplierBootstrap(multipliers="a"), "multipliers"),
        (lambda: dc.MultiplierBootstrap(studentise="no"), "studentise"),
        (lambda: fit(bandwidth="0.5"), "bandwidth"),
        (lambda: fit(weights=np.ones(UNITS), profile="R3D-0.1.0"), "unit weights"),
        (lambda: fit(support=(0, 1)), "support"),
        (lambda: fit(support=3), "support"),
        (lambda: fit(progress="yes"), "progress"),
    ],
)
def test_arguments_that_cannot_be_obeyed_are_refused_by_name(call, words):
    with pytest.raises(dc.DistCausalError, match=words):
        call()


def test_the_profile_refuses_bandwidth_rules_that_are_not_its_own():
    data = dc.RandomDistributions.from_quantiles(CURVES, LEVELS, columns={"x": X})
    with pytest.raises(dc.DesignError, match="its own bandwidth rule"):
        dc.r3d_bandwidth(data, running="x", profile="R3D-0.1.0", regularisation=1.0)


def test_curves_stay_within_the_support_and_the_effect_within_its_width():
    shares = 1 / (1 + np.exp(-2 * CURVES))
    found = fit(shares, support=(0, 1), bandwidth=0.4, order=3)
    for curve in (found.below, found.above):
        assert curve.min() >= 0
        assert curve.max() <= 1


def test_progress_changes_nothing_but_the_terminal(capsys):
    quiet, shown = fit(progress=False), fit(progress=True)
    assert_array_equal(quiet.draws.effect, shown.draws.effect)
    assert "draws" in capsys.readouterr().err


def test_settings_cannot_be_changed_through_the_result():
    found = fit()
    with pytest.raises(ValueError, match="read-only"):
        found.settings["levels"][0] = 0.5


def test_weight_zero_is_absence_under_limit_weights_too():
    weight = np.where(np.arange(UNITS) % 5 == 0, 0.0, 1.0)
    inference = dc.MultiplierBootstrap(draws=19, influence="asymptotic")
    data = dc.RandomDistributions.from_quantiles(CURVES, LEVELS, columns={"x": X})
    options = {"running": "x", "bandwidth": 0.8, "inference": inference}
    whole = dc.r3d(data, weights=weight, **options)
    part = dc.r3d(data.take(weight > 0), **options)
    np.testing.assert_allclose(whole.std_error, part.std_error, rtol=1e-9)


def test_a_window_widened_for_want_of_distinct_values_is_a_warning():
    coarse = np.round(X * 8) / 8 + 1 / 16
    curves = CURVES / 50 + 8 * np.cos(4 * coarse)[:, None] * np.sign(coarse)[:, None]
    data = dc.RandomDistributions.from_quantiles(curves, LEVELS)
    with pytest.warns(dc.InferenceWarning, match=r"asked for a bandwidth of .*widened"):
        dc.r3d(data, running=coarse, levels=LEVELS)


def test_outcomes_without_noise_claim_no_effect():
    found = fit(X[:, None] + np.zeros(4), bandwidth=0.7)
    assert dc.nullity_test(found).p_value[0] == 1


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_sizes_beyond_floating_point_are_refused(scale):
    with pytest.raises(dc.DataError, match="Rescale"):
        fit(scale * CURVES)
    data = dc.RandomDistributions.from_quantiles(CURVES, LEVELS)
    with pytest.raises(dc.DataError, match="Rescale running"):
        dc.r3d(data, running=scale * X, levels=LEVELS)


@pytest.mark.parametrize("call", [dc.nullity_test, dc.homogeneity_test])
def test_what_is_not_a_fit_is_refused(call):
    with pytest.raises(dc.DesignError, match="result of r3d"):
        call(None)
    with pytest.raises(dc.DesignError, match="result of r3d"):
        dc.functional_effect(3, "mean")


@pytest.mark.parametrize("how", ["outside the window", "with weight zero"])
@pytest.mark.parametrize("position", [0, UNITS - 1])
def test_an_absurd_unit_that_does_not_count_costs_no_digits(how, position):
    # Units far from the cutoff at both ends of the file, one of them absurd.
    x = X.copy()
    x[[0, UNITS - 1]] = -0.95, 0.95
    weight = np.ones(UNITS)
    if how == "with weight zero":
        weight[position] = 0.0
    absurd = CURVES.copy()
    absurd[position] += 1e15

    def estimate(curves):
        data = dc.RandomDistributions.from_quantiles(curves, LEVELS, columns={"x": x})
        width = 2.0 if how == "with weight zero" else 0.8
        return dc.r3d(data, running="x", weights=weight, bandwidth=width)

    plain, found = estimate(CURVES), estimate(absurd)
    np.testing.assert_allclose(found.effect, plain.effect, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.std_error, plain.std_error, rtol=1e-9)
    for test in (dc.nullity_test, dc.homogeneity_test):
        assert test(found).p_value[0] == test(plain).p_value[0]


@pytest.mark.parametrize("kind", [float, bool, int])
def test_full_compliance_is_the_sharp_design_bands_included(kind):
    sharp, fuzzy = fit(), fit(treatment=(X >= 0).astype(kind))
    np.testing.assert_allclose(fuzzy.effect, sharp.effect, rtol=1e-12)
    np.testing.assert_allclose(fuzzy.std_error, sharp.std_error, rtol=1e-12)
    np.testing.assert_allclose(fuzzy.draws.effect, sharp.draws.effect, rtol=1e-9)
    assert fuzzy.first_stage.std_error == 0
    assert fuzzy.bandwidth.treatment == fuzzy.bandwidth.outcome
