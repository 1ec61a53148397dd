"""What each quantile convention promises, checked against definitions and NumPy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from distcausal.numerics.quantile import (
    RULES,
    WEIGHTED_RULES,
    cell_masses,
    first_reaching,
    read_curves,
    sample_cdf,
    sample_quantiles,
)
from tests.oracles import quantile as oracle
from tests.reference.r3d.cases import load
from tests.strategies import level_grids, samples, weighted_samples

NUMPY_NAMES = {
    "inverse": "inverted_cdf",
    "averaged": "averaged_inverted_cdf",
    "interpolated_inverse": "interpolated_inverted_cdf",
    "hazen": "hazen",
    "weibull": "weibull",
    "linear": "linear",
    "linear_symmetric": "linear",
    "median_unbiased": "median_unbiased",
    "normal_unbiased": "normal_unbiased",
}
rules = st.sampled_from(RULES)
weighted_rules = st.sampled_from(WEIGHTED_RULES)
# Positions round at about 25 units in the last place times the largest gap.
RTOL = 1e-12


def laid_out(drawn, weights=None):
    """Sorted draws end to end, offsets and weights, by the slowest of means."""
    offsets = np.cumsum([0, *(len(one) for one in drawn)])
    if weights is None:
        return np.concatenate([np.sort(one) for one in drawn]), offsets, None
    pairs = [
        sorted(zip(one, mass, strict=True))
        for one, mass in zip(drawn, weights, strict=True)
    ]
    table = np.array([pair for unit in pairs for pair in unit], dtype=float)
    return table[:, 0].copy(), offsets, table[:, 1].copy()


def curves_of(drawn, levels, rule, weights=None):
    values, offsets, mass = laid_out(drawn, weights)
    return sample_quantiles(values, offsets, levels, rule=rule, weights=mass)


def span(drawn):
    return max(np.abs(np.concatenate(drawn)).max(), 1e-300)


@given(samples(), level_grids(), rules)
def test_curves_never_decrease_nor_leave_the_draws(drawn, levels, rule):
    curves = curves_of(drawn, levels, rule)
    for curve, draws in zip(curves, drawn, strict=True):
        assert np.all(np.diff(curve) >= 0)
        assert draws.min() <= curve[0] <= curve[-1] <= draws.max()


@given(weighted_samples(), level_grids(), weighted_rules)
def test_weighted_curves_never_decrease_nor_leave_the_draws(case, levels, rule):
    drawn, weights = case
    curves = curves_of(drawn, levels, rule, weights)
    for curve, draws in zip(curves, drawn, strict=True):
        assert np.all(np.diff(curve) >= 0)
        assert draws.min() <= curve[0] <= curve[-1] <= draws.max()


@pytest.mark.parametrize("mass", [None, 1.0])
def test_rounding_never_lifts_a_curve_above_the_greatest_draw(mass):
    # Of random pairs, low + (high - low) exceeds high for about one in ten.
    pairs = np.sort(np.random.default_rng(0).normal(size=(2000, 2)), axis=1)
    weights = None if mass is None else np.full(pairs.size, mass)
    curves = sample_quantiles(
        pairs.ravel(),
        np.arange(0, pairs.size + 1, 2),
        np.array([0.5, 1 - 2.0**-53]),
        rule="linear_symmetric",
        weights=weights,
    )
    assert np.all(curves[:, 1] <= pairs[:, 1])


@pytest.mark.parametrize("rule", NUMPY_NAMES)
@given(drawn=samples(), levels=level_grids())
def test_unweighted_rules_agree_with_numpy(rule, drawn, levels):
    curves = curves_of(drawn, levels, rule)
    for curve, draws in zip(curves, drawn, strict=True):
        known = np.quantile(draws, levels, method=NUMPY_NAMES[rule])
        assert_allclose(curve, known, rtol=RTOL, atol=RTOL * span([draws]))


@given(samples(), level_grids(), st.sampled_from(sorted(NUMPY_NAMES)))
def test_unweighted_rules_agree_with_their_definitions(drawn, levels, rule):
    name = "linear" if rule == "linear_symmetric" else rule
    known = [[oracle.quantile(one, p, name) for p in levels] for one in drawn]
    assert_allclose(
        curves_of(drawn, levels, rule), known, rtol=RTOL, atol=RTOL * span(drawn)
    )


@given(
    weighted_samples(),
    level_grids(),
    st.sampled_from(["linear", "inverse", "averaged", "hazen", "linear_symmetric"]),
)
def test_weighted_rules_agree_with_their_definitions(case, levels, rule):
    drawn, weights = case
    known = [
        [oracle.quantile(one, p, rule, mass) for p in levels]
        for one, mass in zip(drawn, weights, strict=True)
    ]
    curves = curves_of(drawn, levels, rule, weights)
    assert_allclose(curves, known, rtol=RTOL, atol=RTOL * span(drawn))


@pytest.mark.parametrize("rule", ["linear", "inverse", "averaged"])
@given(case=weighted_samples(whole=True))
def test_whole_weights_meet_whole_levels_as_defined(rule, case):
    drawn, weights = case
    levels = np.arange(1, 20) / 20
    known = [
        [oracle.quantile(one, p, rule, mass) for p in levels]
        for one, mass in zip(drawn, weights, strict=True)
    ]
    curves = curves_of(drawn, levels, rule, weights)
    assert_allclose(curves, known, rtol=RTOL, atol=RTOL * span(drawn))


@pytest.mark.parametrize("size", [20, 25, 50, 100])
def test_a_level_within_rounding_of_a_jump_counts_as_on_it(size):
    # 0.14 * 50 exceeds 7 in floating point; the level meant is 7 of 50.
    levels = np.arange(1, 100) / 100
    draws = [np.arange(1.0, size + 1)]
    meant = [-(-Fraction(k, 100) * size // 1) for k in range(1, 100)]
    assert_array_equal(curves_of(draws, levels, "inverse")[0], meant)
    even = [np.full(size, 0.7)]
    assert_array_equal(curves_of(draws, levels, "inverse", even)[0], meant)


@given(samples(), level_grids(), rules)
def test_shifting_and_stretching_draws_does_the_same_to_curves(drawn, levels, rule):
    moved = curves_of([3.0 + 2.0 * one for one in drawn], levels, rule)
    curves = 3.0 + 2.0 * curves_of(drawn, levels, rule)
    assert_allclose(moved, curves, rtol=1e-11, atol=1e-11 * (3 + span(drawn)))


@pytest.mark.parametrize("rule", ["hazen", "linear", "weibull", "linear_symmetric"])
@given(drawn=samples(), levels=level_grids())
def test_mirrored_draws_have_mirrored_curves(rule, drawn, levels):
    mirrored = curves_of([-one for one in drawn], np.sort(1 - levels), rule)
    curves = curves_of(drawn, levels, rule)
    assert_allclose(mirrored, -curves[:, ::-1], rtol=1e-9, atol=1e-11 * span(drawn))


@pytest.mark.parametrize("rule", ["hazen", "linear_symmetric"])
@given(case=weighted_samples(), levels=level_grids())
def test_mirrored_weighted_draws_have_mirrored_curves(rule, case, levels):
    drawn, weights = case
    flipped = [-one for one in drawn]
    mirrored = curves_of(flipped, np.sort(1 - levels), rule, weights)
    curves = curves_of(drawn, levels, rule, weights)
    assert_allclose(mirrored, -curves[:, ::-1], rtol=1e-9, atol=1e-11 * span(drawn))


@given(samples(), level_grids())
def test_inverse_gives_draws_and_commutes_with_increasing_maps(drawn, levels):
    curves = curves_of(drawn, levels, "inverse")
    assert np.isin(curves, np.concatenate(drawn)).all()
    mapped = curves_of([np.arctan(one) for one in drawn], levels, "inverse")
    assert_array_equal(mapped, np.arctan(curves))


@given(weighted_samples(), level_grids())
def test_inverse_and_cdf_undo_each_other_as_far_as_steps_allow(case, levels):
    drawn, weights = case
    values, offsets, mass = laid_out(drawn, weights)
    curves = sample_quantiles(values, offsets, levels, rule="inverse", weights=mass)
    for unit, curve in enumerate(curves):
        share = sample_cdf(values, offsets, curve, weights=mass)[unit]
        assert np.all(share >= levels)
        points = values[offsets[unit] : offsets[unit + 1]]
        reached = sample_cdf(values, offsets, points, weights=mass)[unit]
        fits = curve[:, None] <= points
        assert_array_equal(levels[:, None] <= reached, fits)
        inside = np.unique(reached[reached < 1])
        if inside.size:
            back = sample_quantiles(
                values, offsets, inside, rule="inverse", weights=mass
            )[unit]
            firsts = [points[reached >= p].min() for p in inside]
            assert np.all(back <= firsts)


@pytest.mark.parametrize("rule", WEIGHTED_RULES)
@given(case=weighted_samples(), levels=level_grids())
def test_only_relative_weights_matter(rule, case, levels):
    drawn, weights = case
    scaled = [7.3 * mass for mass in weights]
    assert_allclose(
        curves_of(drawn, levels, rule, scaled),
        curves_of(drawn, levels, rule, weights),
        rtol=1e-10,  # the Beta law of the kernel rule is steep in its parameters
        atol=1e-10 * span(drawn),
    )


@given(weighted_samples(whole=True), level_grids())
def test_whole_weights_are_repeated_draws_for_the_inverse(case, levels):
    drawn, weights = case
    repeated = [np.repeat(*pair) for pair in zip(drawn, weights, strict=True)]
    assert_array_equal(
        curves_of(drawn, levels, "inverse", weights),
        curves_of(repeated, levels, "inverse"),
    )


@given(weighted_samples(), level_grids())
def test_splitting_a_weight_changes_nothing_for_the_inverse(case, levels):
    drawn, weights = case
    assert_array_equal(
        curves_of(
            [np.append(one, one) for one in drawn],
            levels,
            "inverse",
            [np.append(0.25 * mass, 0.75 * mass) for mass in weights],
        ),
        curves_of(drawn, levels, "inverse", weights),
    )


@pytest.mark.parametrize("rule", WEIGHTED_RULES)
@given(drawn=samples(), scale=st.sampled_from((1.0, 0.7, 1e-9, 3e7)))
def test_equal_weights_are_no_weights(rule, drawn, scale):
    levels = np.arange(1, 20) / 20
    equal = [np.full(len(one), scale) for one in drawn]
    assert_allclose(
        curves_of(drawn, levels, rule, equal),
        curves_of(drawn, levels, rule),
        rtol=1e-10,
        atol=1e-10 * span(drawn),
    )


@given(weighted_samples(), level_grids(), weighted_rules)
def test_a_unit_alone_has_the_curve_it_has_in_company(case, levels, rule):
    drawn, weights = case
    together = curves_of(drawn, levels, rule, weights)
    for unit in range(len(drawn)):
        alone = curves_of([drawn[unit]], levels, rule, [weights[unit]])
        assert_allclose(together[unit], alone[0], rtol=1e-13)


@given(samples(), level_grids())
def test_the_kernel_rule_agrees_with_scipy(drawn, levels):
    from scipy.stats.mstats import hdquantiles

    curves = curves_of(drawn, levels, "kernel")
    for curve, draws in zip(curves, drawn, strict=True):
        if len(draws) > 1:  # scipy returns NaN for a single draw
            known = np.asarray(hdquantiles(draws, levels))
            assert_allclose(curve, known, rtol=1e-9, atol=1e-9 * span([draws]))


@given(weighted_samples(), st.lists(st.floats(-3, 3), min_size=1, max_size=4))
def test_shares_agree_with_counting(case, points):
    drawn, weights = case
    places = np.array([*points, drawn[0][0]])
    values, offsets, mass = laid_out(drawn, weights)
    for given_mass, each in ((mass, weights), (None, [None] * len(drawn))):
        known = [
            [oracle.cdf(one, point, one_mass) for point in places]
            for one, one_mass in zip(drawn, each, strict=True)
        ]
        found = sample_cdf(values, offsets, places, weights=given_mass)
        assert_allclose(found, known, rtol=1e-13)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["c07", "c11"])
def test_weighted_quantiles_reproduce_the_published_local_fits(name):
    """Raw intercepts of R3D 0.1.0, a weighted average of the units' quantiles.

    They tell a wrong weighted rule from the right one: the unweighted quantiles miss
    them by more than 0.01.
    """
    case = load(name)
    levels = case.results["q"]
    curves = curves_of(case.samples, levels, "linear", case.weights)
    for at in range(len(levels)):
        place = case.running / case.results["h_num"][at]
        kernel = {
            "epanechnikov": np.maximum(1 - place**2, 0),
            "triangular": np.maximum(1 - np.abs(place), 0),
        }[case.settings["kernel"]]
        for side, column in ((place >= 0, "raw_plus"), (place < 0, "raw_minus")):
            root = np.sqrt(kernel * side)[:, None]
            basis = np.vander(place, 3, increasing=True)
            fit = np.linalg.lstsq(basis * root, curves[:, [at]] * root, rcond=None)
            assert abs(fit[0][0, 0] - case.results[column][at]) < 1e-9


def test_curves_are_read_at_their_own_levels_between_and_beyond():
    levels, curves = np.array([0.2, 0.4, 0.8]), np.array([[1.0, 2.0, 10.0]])
    found = read_curves(levels, curves, np.array([0.1, 0.2, 0.3, 0.8, 0.9]))
    assert_allclose(found, [[1.0, 1.0, 1.5, 10.0, 10.0]], rtol=1e-15)


@given(level_grids())
def test_cells_share_the_mass_and_keep_the_mean_of_the_curve(levels):
    mass = cell_masses(levels)
    assert mass.min() > 0
    assert abs(mass.sum() - 1) < 1e-12
    curve = np.sqrt(levels)
    fine = (np.arange(200_000) + 0.5) / 200_000
    # The midpoint rule errs by the square of its step where the curve is linear.
    assert abs(np.interp(fine, levels, curve).mean() - curve @ mass) < 1e-5


def test_a_table_is_inverted_at_the_first_cell_that_reaches_the_level():
    reached = np.array([[0.1, 0.1, 0.3, 1.0], [0.0, 0.5, 1.0, 1.0]])
    found = first_reaching(reached, np.array([0.1, 0.2, 0.9]))
    assert_array_equal(found, [[0, 2, 3], [1, 1, 2]])
