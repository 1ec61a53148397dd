"""Bandwidth rules against the formulas they stand for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from distcausal.errors import DesignError
from distcausal.numerics.bandwidth import (
    SELECTORS,
    LeadingTerms,
    Selector,
    coverage_factor,
    optimal,
)

BIAS = np.array([[0.5, -0.2, 0.4], [-0.3, 0.7, 0.1]])
VARIANCE = np.array([[1.0, 2.0, 0.5], [0.7, 0.3, 1.5]])
NOISE = np.array([[0.01, 0.02, 0.03], [0.04, 0.01, 0.02]])
WIDTHS = np.array([0.2, 0.5, 0.3])
TERMS = LeadingTerms(BIAS, VARIANCE, NOISE)


def choose(name, terms=TERMS, penalty=0.0, units=500, order=1):
    return optimal(
        terms,
        order=order,
        units=units,
        selector=Selector.parse(name),
        widths=WIDTHS,
        regularisation=penalty,
        fallback=np.full((1, 2), 9.0),
    )


def rate(variance, square, units=500, order=1):
    return (variance / (2 * (order + 1) * square * units)) ** (1 / (2 * order + 3))


def test_difference_rule_integrates_both_terms_over_levels():
    square = WIDTHS @ (BIAS[1] - BIAS[0]) ** 2
    expected = rate(WIDTHS @ VARIANCE.sum(axis=0), square)
    assert_allclose(choose("imse"), np.full((1, 2), expected), rtol=1e-14)


def test_single_levels_have_their_own_bandwidths_and_penalties():
    square = (BIAS[1] - BIAS[0]) ** 2 + 3 * NOISE.sum(axis=0)
    expected = rate(VARIANCE.sum(axis=0), square)
    assert_allclose(choose("mse", penalty=3.0)[:, 0], expected, rtol=1e-14)


def test_each_side_alone_uses_its_own_terms():
    for side in (0, 1):
        expected = rate(WIDTHS @ VARIANCE[side], WIDTHS @ BIAS[side] ** 2)
        assert_allclose(choose("imsetwo")[0, side], expected, rtol=1e-14)


@pytest.mark.parametrize("stem", ["imse", "mse"])
def test_combinations_pick_among_the_single_rules(stem):
    rd, total, two = (choose(stem + rule) for rule in ("rd", "sum", "two"))
    assert_allclose(choose(stem + "comb1"), np.minimum(rd, total))
    assert_allclose(choose(stem + "comb2"), np.median([rd, total, two], axis=0))


def test_no_bias_at_all_falls_back():
    flat = LeadingTerms(np.zeros((2, 3)), VARIANCE, NOISE)
    assert_allclose(choose("imse", flat), np.full((1, 2), 9.0))


def test_bandwidth_shrinks_with_units_at_the_optimal_rate():
    ratio = choose("imse", units=3200) / choose("imse", units=100)
    assert_allclose(ratio, 32**-0.2, rtol=1e-14)


def test_coverage_factor_is_the_one_twentieth_power_for_lines():
    assert_allclose(coverage_factor(1000, 1), 1000**-0.05, rtol=1e-14)


def test_unknown_rules_are_refused_with_the_list():
    with pytest.raises(DesignError, match="'imse'"):
        Selector.parse("mserdd")


def test_every_name_offered_parses():
    parsed = {Selector.parse(name) for name in SELECTORS}
    assert len(parsed) == 20  # 5 rules, integrated or not, coverage or not
