"""Student's law against another program, and where nothing is known of an error."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.numerics.student import reach, two_sided


@pytest.mark.parametrize("df", [1, 3, 14, 5000])
def test_intervals_and_p_values_are_those_of_a_t_test(df):
    from scipy import stats

    values = np.random.default_rng(df).normal(0.1, size=df + 1)
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(df + 1)
    other = stats.ttest_1samp(values, 0.0)
    t, p = two_sided(np.array([mean]), np.array([error]), df)
    assert_allclose([t[0], p[0]], [other.statistic, other.pvalue], rtol=1e-10)
    ends = other.confidence_interval(0.9)
    width = reach(0.9, df) * error
    assert_allclose([mean - width, mean + width], ends, rtol=1e-9)


@pytest.mark.parametrize("df", [None, 0])
def test_without_degrees_of_freedom_nothing_is_known(df):
    assert np.isnan(reach(0.95, df))
    assert np.isnan(two_sided(np.ones(2), np.ones(2), df)[1]).all()


def test_zero_is_no_error_away_from_zero():
    t, p = two_sided(np.array([0.0, 0.0, 1.0]), np.array([0.0, np.nan, 0.0]), 5)
    assert_allclose(t, [0.0, np.nan, np.inf])
    assert_allclose(p, [1.0, np.nan, 0.0])


def test_a_coverage_of_more_than_one_is_refused():
    with pytest.raises(dc.DesignError, match="confidence"):
        reach(1.5, 3)
