"""One draw per unit: the distributional method is then scalar discontinuity design."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc

# Both solve the same small least-squares problems; rdrobust inverts Gram matrices of
# the raw running variable, which costs it a few digits.
TOLERANCE = {"rtol": 1e-8, "atol": 1e-8}
pytestmark = pytest.mark.filterwarnings(
    # One draw supports no level inside (0, 1), as the package rightly remarks.
    "ignore::distcausal.errors.DataWarning"
)

KERNELS = ("triangular", "epanechnikov", "uniform")


def simulate(seed=0, units=400):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, units)
    y = 1 + x - 2 * x**2 + 0.7 * (x >= 0) + rng.normal(0, 0.5 + 0.3 * np.abs(x))
    treated = ((x >= 0) ^ (rng.random(units) < 0.1)).astype(float)
    weight = rng.uniform(0.5, 3, units)
    return x, y, treated, weight


def rdrobust(y, x, **options):
    """Conventional estimate and standard error of order p at bandwidth h."""
    with warnings.catch_warnings():
        # Its own use of pandas is not ours to mend.
        warnings.simplefilter("ignore")
        from rdrobust import rdrobust as run

        out = run(y=y, x=x, masspoints="off", **options)
    return float(out.coef.iloc[0, 0]), float(out.se.iloc[0, 0])


def collapse(x, y, how="hc0", **options):
    data = dc.RandomDistributions.from_samples(list(y[:, None]), columns={"x": x})
    return dc.r3d(
        data,
        running="x",
        levels=[0.25, 0.5, 0.75],
        inference=dc.MultiplierBootstrap(leverage=how),
        **options,
    )


def equal(fit, expected):
    assert_allclose(fit.effect, expected[0], **TOLERANCE)
    assert_allclose(fit.std_error, expected[1], **TOLERANCE)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_estimate_and_standard_error_are_the_scalar_ones(kernel, order):
    x, y, _, _ = simulate()
    fit = collapse(x, y, kernel=kernel, order=order, pilot_order=0, bandwidth=0.6)
    equal(fit, rdrobust(y, x, p=order, h=0.6, kernel=kernel[:3], vce="hc0"))


@pytest.mark.parametrize("leverage", ["hc0", "hc1", "hc2", "hc3"])
@pytest.mark.parametrize("method", ["frechet", "pointwise"])
def test_leverage_corrections_are_the_scalar_ones(leverage, method):
    x, y, _, _ = simulate(1)
    fit = collapse(x, y, how=leverage, method=method, bandwidth=0.5)
    equal(fit, rdrobust(y, x, p=2, h=0.5, vce=leverage))


def test_bandwidths_may_differ_between_the_sides():
    x, y, _, _ = simulate(2)
    fit = collapse(x, y, bandwidth=(0.4, 0.7))
    equal(fit, rdrobust(y, x, p=2, h=[0.4, 0.7], vce="hc0"))


def test_the_cutoff_may_lie_anywhere():
    x, y, _, _ = simulate(3)
    fit = collapse(x + 10, y, cutoff=10.1, bandwidth=0.5)
    equal(fit, rdrobust(y, x + 10, c=10.1, p=2, h=0.5, vce="hc0"))


def test_unit_weights_are_the_scalar_ones():
    x, y, _, weight = simulate(4)
    fit = collapse(x, y, weights=weight, bandwidth=0.5)
    equal(fit, rdrobust(y, x, p=2, h=0.5, weights=weight, vce="hc0"))


@pytest.mark.parametrize("leverage", ["hc0", "hc3"])
def test_fuzzy_estimates_are_the_scalar_ones(leverage):
    x, y, treated, _ = simulate(5)
    fit = collapse(
        x,
        y,
        how=leverage,
        treatment=treated,
        bandwidth={"outcome": 0.6, "treatment": 0.6},
    )
    equal(fit, rdrobust(y, x, fuzzy=treated, p=2, h=0.6, vce=leverage))


def test_the_conventional_estimate_is_that_of_the_pilot_order():
    x, y, _, _ = simulate(6)
    fit = collapse(x, y, bandwidth=0.5)
    expected = rdrobust(y, x, p=1, h=0.5, vce="hc0")
    assert_allclose(fit.conventional, expected[0], **TOLERANCE)
    # With equal windows the robust bias-corrected estimate is the order-2 one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rdrobust import rdrobust as run

        robust = run(y=y, x=x, p=1, q=2, h=0.5, b=0.5, vce="hc0", masspoints="off")
    assert_allclose(fit.effect, float(robust.coef.iloc[2, 0]), **TOLERANCE)
