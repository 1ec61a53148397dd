"""Laws of the multipliers, and whose they are."""

import jax
import numpy as np
import pytest

from distcausal._base.keys import stream
from distcausal.numerics.multiplier import MULTIPLIERS, multipliers

laws = pytest.mark.parametrize("law", list(MULTIPLIERS))


def draw(law, units, draws=500, seed=0):
    with jax.enable_x64(True):
        key = stream(seed, "test")
        return np.asarray(multipliers(key, np.asarray(units), law=law, draws=draws))


@laws
def test_mean_is_zero_and_variance_one(law):
    values = draw(law, np.arange(400)).ravel()
    # 200,000 draws: four standard errors of mean and variance (kurtosis at most 5).
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert abs(values.var() - 1) < 4 * np.sqrt(4 / values.size)


def test_mammen_has_third_moment_one():
    values = draw("mammen", np.arange(400)).ravel()
    # The sixth central moment of these two points is 6.7.
    assert abs(np.mean(values**3) - 1) < 4 * np.sqrt(6 / values.size)


def test_rademacher_takes_two_values():
    assert set(np.unique(draw("rademacher", np.arange(8)))) == {-1.0, 1.0}


@laws
def test_draws_of_a_unit_do_not_depend_on_the_others(law):
    together = draw(law, np.arange(32))
    apart = draw(law, np.array([5, 31, 7]))
    np.testing.assert_array_equal(apart, together[:, [5, 31, 7]])


@laws
def test_units_and_draws_differ(law):
    values = draw(law, np.arange(3), draws=64)
    assert len(np.unique(values, axis=1).T) == 3
