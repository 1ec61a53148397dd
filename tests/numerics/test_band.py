"""Critical values and p-values tell the same story."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distcausal.errors import DesignError
from distcausal.numerics.band import (
    check_confidence,
    order_statistic,
    rank_p_value,
    scaled,
)

draws = hnp.arrays(
    np.float64, st.sampled_from((19, 99, 200)), elements=st.integers(0, 30).map(float)
)


@given(draws, st.integers(0, 31).map(float), st.sampled_from((0.5, 0.8, 0.9, 0.95)))
def test_statistic_exceeds_the_critical_value_exactly_if_p_is_at_most_alpha(
    sups, statistic, confidence
):
    rejected = statistic > order_statistic(sups, confidence)
    # The p-value is a fraction of draws + 1; half of one absorbs rounding of 1 - 0.95.
    alpha = 1 - confidence + 0.5e-9
    assert rejected == (rank_p_value(statistic, sups) <= alpha)


@given(draws)
def test_p_value_is_positive_at_most_one_and_falls_with_the_statistic(sups):
    values = [rank_p_value(float(s), sups) for s in range(32)]
    assert (np.diff(values) <= 0).all()
    assert min(values) > 0
    assert max(values) <= 1


def test_nineteen_draws_give_a_95_percent_band_and_eighteen_do_not():
    assert order_statistic(np.arange(19.0), 0.95) == 18
    with pytest.raises(DesignError, match="at least 19"):
        order_statistic(np.arange(18.0), 0.95)


def test_critical_value_is_the_rank_the_definition_names():
    assert order_statistic(np.arange(1.0, 1000.0), 0.95) == 950
    assert order_statistic(np.arange(1.0, 61.0), 0.95) == 58


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.1, float("nan"), "high", None])
def test_confidence_outside_zero_and_one_is_refused(confidence):
    with pytest.raises(DesignError, match="confidence"):
        check_confidence(confidence)


def test_zero_spread_scales_to_zero():
    found = scaled(np.array([1.0, 0.0, 4.0]), np.array([0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(found, [0.0, 0.0, 2.0])
