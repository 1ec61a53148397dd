"""A fit says the same in every form it is read in, and outlives its session."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from distcausal._base.fit import same
from distcausal.errors import DataError, DesignError
from distcausal.rdd.bootstrap import JumpDraws
from distcausal.rdd.parts import R3DBandwidth
from distcausal.rdd.result import R3DResult, TestTable
from tests.rdd import result_doubles as doubles

SNAPSHOT = Path(__file__).parent / "summary.txt"
NOTE = "12 of 800 units have fewer than 10 observations."
RESULTS = {
    "sharp": doubles.sharp,
    "fuzzy": doubles.fuzzy,
    "bandwidth": doubles.bandwidth,
    "tests": doubles.tests,
}
every_result = pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS)
every_fit = pytest.mark.parametrize("make", [doubles.sharp, doubles.fuzzy])


def arrays(record: object) -> list[np.ndarray]:
    found = []
    for field in fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, JumpDraws | R3DBandwidth):
            found += arrays(value)
    return found


def constant_width(fit: R3DResult) -> R3DResult:
    return replace(fit, draws=replace(fit.draws, studentise=False))


def test_summary_is_what_it_was():
    shown = str(doubles.fuzzy(n_clusters=48, notes=(NOTE,)))
    assert shown == SNAPSHOT.read_text(encoding="utf-8").rstrip("\n")


@every_result
def test_results_print_in_every_format(make):
    result = make()
    assert result.summary().title in str(result)
    assert "<caption>" in result._repr_html_()
    assert 'scope="row"' in result._repr_html_()
    assert result.to_latex().count(r"\begin{tabular}") >= 1
    assert result.to_markdown().startswith("**")
    assert "2504.03992" in result.cite()


@every_result
def test_results_survive_pickle_and_copy_by_value_and_stay_read_only(make):
    result = make()
    for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert other == result
        assert str(other) == str(result)
        assert not any(array.flags.writeable for array in arrays(other))


@every_result
def test_results_survive_json_to_the_last_bit(make):
    result = make()
    assert type(result).from_json(result.to_json()) == result


def test_json_of_another_kind_is_refused_by_name():
    with pytest.raises(DataError, match=r"holds a TestTable, not a R3DResult"):
        R3DResult.from_json(doubles.tests().to_json())


@pytest.mark.parametrize("text", ["{}", "result.json", "[1, 2", None])
def test_text_that_is_no_result_is_refused_with_a_remedy(text):
    with pytest.raises(DataError, match=r"Hand over the text itself, .*read_text"):
        R3DResult.from_json(text)


def test_json_cannot_name_code_of_others():
    with pytest.raises(DataError, match="not ours"):
        R3DResult.from_json('{"kind": "os:system", "fields": {}}')


def test_results_differ_when_one_number_does():
    fit = doubles.sharp()
    moved = replace(fit, effect=fit.effect + np.eye(1, 99, 50)[0] * 1e-12)
    assert fit != moved
    assert fit != doubles.fuzzy()
    assert fit != "a fit"


def test_sameness_looks_inside_containers_and_at_kinds():
    one = {"a": [1, (np.array([np.nan]), None)]}
    assert same(one, copy.deepcopy(one))
    assert not same(one, {"a": [1, (np.array([0.0]), None)]})
    assert not same(1, 1.0)
    assert not same(np.array([1]), [1])


def test_arrays_are_frozen_copies_of_what_was_passed():
    mine = np.arange(1.0, 100.0)
    fit = doubles.sharp(conventional=mine)
    mine[0] = -1.0
    assert fit.conventional[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        fit.effect[0] = 0.0


def test_tidy_has_exactly_the_agreed_columns():
    fit = doubles.sharp()
    frame = fit.tidy()
    assert list(frame.columns) == [
        "term",
        "level",
        "estimate",
        "std_error",
        "statistic",
        "p_value",
        "conf_low",
        "conf_high",
        "band_low",
        "band_high",
    ]
    assert_array_equal(frame["level"], fit.levels)
    assert_array_equal(frame["estimate"], fit.estimate)
    assert_array_equal(frame["band_low"], fit.band()[0])


@every_fit
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_band_contains_every_pointwise_interval(make, confidence):
    # With 999 draws the simulated critical value may fall short of the normal quantile
    # of one level only if errors are the same at all levels, which these are not.
    frame = make().tidy(confidence)
    assert (frame["band_low"] <= frame["conf_low"]).all()
    assert (frame["band_high"] >= frame["conf_high"]).all()


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.booleans())
def test_bands_grow_with_confidence(one, other, studentise):
    fit = doubles.sharp(np.arange(1, 10) / 10)
    fit = fit if studentise else constant_width(fit)
    small, large = sorted((one, other))
    for ends in (fit.band, fit.conf_int, lambda c: fit.side_band("above", c)):
        (low, high), (lower, higher) = ends(small), ends(large)
        assert np.all(lower <= low)
        assert np.all(high <= higher)


@given(st.floats(-0.5, 2.5), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
@pytest.mark.parametrize("studentise", [True, False])
def test_nullity_p_value_is_small_just_when_the_band_excludes_zero(
    studentise, size, confidence
):
    fit = doubles.sharp(np.arange(1, 10) / 10, size=size, draws=199)
    fit = fit if studentise else constant_width(fit)
    low, high = fit.band(confidence)
    excluded = bool(np.any((low > 0) | (high < 0)))
    # p is a multiple of 1/200, alpha a decimal: compare to rounding of the decimal.
    assert excluded == (fit.nullity_p_value <= 1 - confidence + 1e-12)


def test_p_value_of_an_estimate_without_error_is_zero_or_one():
    fit = doubles.sharp(np.array([0.4, 0.6]))
    exact = replace(fit, effect=np.array([2.0, 0.0]), std_error=np.zeros(2))
    assert_array_equal(exact.p_value, [0.0, 1.0])


def test_pointwise_p_value_of_known_ratio():
    fit = doubles.sharp(np.array([0.5]))
    fit = replace(fit, effect=1.959963984540054 * fit.std_error)
    assert_allclose(fit.p_value, 0.05, rtol=1e-12)
    assert_allclose(fit.conf_int(0.95)[0], 0.0, atol=1e-12)


def flat(fit: R3DResult) -> R3DResult:
    """The fit with curves so flat that its side bands leave the increasing ones."""
    return replace(fit, below=0.02 * fit.below, above=0.02 * fit.above)


def untrimmed(fit: R3DResult, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Side band before it is cut, straight from the draws of that side."""
    count = fit.levels.size
    first = 0 if side == "below" else count
    error = np.sqrt(np.diag(fit.draws.covariance)[first : first + count])
    scale = error if fit.draws.studentise else np.ones(count)
    sups = np.sort(np.max(np.abs(getattr(fit.draws, side)) / scale, axis=1))
    rank = int(np.ceil(0.95 * (sups.size + 1) * (1 - 1e-12)))
    reach = sups[rank - 1] * scale
    curve = getattr(fit, side)
    return curve - reach, curve + reach


@every_fit
@pytest.mark.parametrize("side", ["below", "above"])
def test_side_bands_rise_hold_their_curve_and_only_shrink(make, side):
    fit = flat(make())
    low, high = fit.side_band(side)
    free_low, free_high = untrimmed(fit, side)
    assert np.all(np.diff(low) >= 0)
    assert np.all(np.diff(high) >= 0)
    assert np.all((low <= getattr(fit, side)) & (getattr(fit, side) <= high))
    assert np.all(low >= free_low)
    assert np.all(high <= free_high)
    assert np.any(low > free_low)
    assert np.any(high < free_high)


@pytest.mark.parametrize("side", ["below", "above"])
def test_side_bands_are_as_wide_as_their_own_errors(side):
    fit = doubles.sharp()
    errors = getattr(fit.draws, side)
    low, high = untrimmed(fit, side)
    inside = np.all(np.abs(errors) <= (high - low) / 2 * (1 + 1e-12), axis=1)
    assert inside.sum() == 950  # of 999 draws: the order statistic at 95%
    variance = np.split(np.diag(fit.draws.covariance), 2)[side == "above"]
    ratio = (high - low) / np.sqrt(variance)
    assert_allclose(ratio, ratio[0], rtol=1e-9)


@every_fit
def test_average_effect_has_the_spread_of_its_draws(make):
    fit = make()
    averages = fit.draws.effect.mean(axis=1)
    assert_allclose(fit.average_effect, fit.effect.mean(), rtol=1e-12)
    # 999 normal draws determine a standard deviation to about 2.2%; four of those.
    assert_allclose(fit.average_std_error, averages.std(), rtol=0.09)


def test_average_weighs_levels_by_their_share_of_an_uneven_grid():
    levels = np.array([0.1, 0.2, 0.6])
    fit = replace(doubles.sharp(levels), effect=np.array([1.0, 2.0, 4.0]))
    # Cells 0.1, 0.25, 0.4: a full gap at the ends, half of both inside.
    assert_allclose(fit.average_effect, (0.1 + 0.5 + 1.6) / 0.75, rtol=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, -0.1])
@pytest.mark.parametrize("method", ["band", "conf_int", "tidy", "summary", "describe"])
def test_confidence_outside_zero_and_one_is_refused(method, confidence):
    with pytest.raises(DesignError, match="confidence"):
        getattr(doubles.sharp(), method)(confidence)


def test_too_few_draws_for_a_band_say_how_many_it_takes():
    with pytest.raises(DesignError, match=r"10 draws.*at least 19"):
        doubles.sharp(draws=10).band(0.95)


def test_unknown_side_and_kind_list_the_choices():
    with pytest.raises(DesignError, match="'below', 'above'"):
        doubles.sharp().side_band("left")
    with pytest.raises(DesignError, match="'effect', 'curves'"):
        doubles.sharp().plot(kind="both")


def test_summary_shows_seven_levels_of_many_and_all_of_a_few():
    assert len(doubles.sharp().summary().rows) == 7
    assert len(doubles.sharp(np.arange(1, 16) / 16).summary().rows) == 15
    shown = [row[0] for row in doubles.sharp().summary().rows]
    assert shown == ["0.05", "0.10", "0.25", "0.50", "0.75", "0.90", "0.95"]


def test_summary_numbers_are_those_of_tidy():
    fit = doubles.sharp()
    row = fit.summary(0.9).rows[3]
    exact = fit.tidy(0.9).iloc[49]
    assert float(row[0]) == exact["level"] == 0.5
    names = ["estimate", "std_error", "statistic", "p_value"]
    names += ["conf_low", "conf_high", "band_low", "band_high"]
    # Three decimals are shown.
    assert_allclose(np.array(row[1:], float), exact[names].astype(float), atol=5.1e-4)


def test_description_says_where_the_band_excludes_zero():
    low, _ = doubles.sharp().band()
    levels = doubles.PERCENTILES[low > 0]
    said = f"above zero at levels {levels[0]:.2f} to {levels[-1]:.2f}"
    assert said in doubles.sharp().describe()
    assert "contains zero at every level" in doubles.sharp(size=0.0).describe()
    everywhere = replace(doubles.sharp(), effect=np.full(99, 9.0)).describe()
    assert "lies above zero at levels 0.01 to 0.99. " in everywhere
    assert "for units that comply" in doubles.fuzzy().describe()


def test_glance_is_one_row_and_knows_the_first_stage():
    sharp, fuzzy = doubles.sharp().glance(), doubles.fuzzy().glance()
    assert len(sharp) == len(fuzzy) == 1
    assert np.isnan(sharp["first_stage_f"][0])
    assert fuzzy["first_stage_f"][0] == 64.0


def test_distributions_are_the_two_curves():
    fit = doubles.sharp()
    both = fit.distributions
    assert list(both.ids) == ["below", "above"]
    assert_allclose(both.quantiles(fit.levels), [fit.below, fit.above], rtol=1e-12)


def test_bandwidths_tell_sides_and_levels_apart_where_they_differ():
    levels = np.array([0.25, 0.5, 0.75])
    cases = {
        ("both",): 0.5,
        ("below", "above"): np.array([0.4, 0.5]),
        ("both", "both", "both"): np.array([0.4, 0.5, 0.6]),
    }
    for sides, outcome in cases.items():
        frame = doubles.given_bandwidth(outcome, settings={"levels": levels}).tidy()
        assert tuple(frame["side"]) == sides
    assert_array_equal(frame["level"], levels)
    both = np.array([[0.4, 0.5, 0.6], [0.5, 0.6, 0.7]])
    frame = doubles.given_bandwidth(
        both, treatment=0.3, settings={"levels": levels}
    ).tidy()
    assert list(frame["term"]) == ["outcome"] * 6 + ["treatment"]


def test_two_numbers_are_sides_unless_there_are_two_levels():
    pair, two = np.array([0.4, 0.5]), np.array([0.3, 0.7])
    pointwise = {"method": "pointwise", "levels": two}
    assert doubles.given_bandwidth(pair).sides.shape == (2, 1)
    by_level = doubles.given_bandwidth(pair, settings=pointwise)
    assert_array_equal(by_level.sides, [pair, pair])


def test_bandwidth_errors_follow_from_its_constants():
    chosen = doubles.bandwidth(np.array([0.5]), outcome=0.5)
    frame = chosen.plot_data()
    assert_allclose(frame["bias"], 0.25 * 2.5, rtol=1e-12)
    assert_allclose(frame["std_error"], np.sqrt(44 / (800 * 0.5)), rtol=1e-12)


def test_a_given_bandwidth_prints_but_has_no_errors_to_draw():
    given_one = doubles.given_bandwidth()
    assert "Pilot" not in str(given_one)
    with pytest.raises(DesignError, match="was given"):
        given_one.plot()


def test_test_table_reads_like_a_frame():
    table = doubles.tests()
    assert len(table) == 2
    assert list(table) == list(table.tidy().columns) == list(TestTable.columns)
    assert_array_equal(table["p_value"], table.p_value)
    assert_array_equal(table["low"], [0.1, 0.5])
    with pytest.raises(KeyError, match="p_adjusted"):
        table["p"]


def test_table_makers_find_the_attributes_they_look_for():
    fit = doubles.fuzzy(n_clusters=48)
    frame = fit.__maketables_coef_table__
    assert list(frame.columns) == ["b", "se", "t", "p", "ci95l", "ci95u"]
    assert frame.index.name == "Coefficient"
    assert fit.__maketables_stat__("N") == 800
    assert fit.__maketables_stat__("first_stage_f") == 64.0
    assert fit.__maketables_stat__("r2") is None
    assert fit.__maketables_depvar__ == "outcome"
    assert fit.__maketables_vcov_info__["clustervar"] == "cluster"


def test_printing_loads_neither_pandas_nor_other_heavy_modules(tmp_path):
    stored = tmp_path / "fit.pickle"
    stored.write_bytes(pickle.dumps(doubles.sharp()))
    script = (
        "import pickle, sys\n"
        f"fit = pickle.load(open({str(stored)!r}, 'rb'))\n"
        "str(fit), repr(fit), fit.describe(), fit.to_latex(), fit._repr_html_()\n"
        "heavy = {'pandas', 'scipy.stats', 'statsmodels', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
