"""What must not change a fit: unit order under any window, and the size of the units.

The cases an earlier version got wrong: clusters with a window that holds every unit,
outcomes whose scale dwarfs that of the treatment, two sides next to two levels.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from tests.rdd.designs import make

UNITS = 128
DESIGN = make(4, units=UNITS, count=5)
X, CURVES, LEVELS = DESIGN.running, DESIGN.curves, DESIGN.levels
TREATMENT = ((X >= 0) ^ (np.arange(UNITS) % 9 == 0)).astype(float)
CLUSTER = np.arange(UNITS) % 17
ORDER = np.random.default_rng(0).permutation(UNITS)
# Sums of 128 terms in another order, and square roots of covariances.
RTOL = 1e-9

pytestmark = pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning")


def fit(order=slice(None), scale=1.0, **options):
    columns = {"x": X[order], "t": TREATMENT[order], "g": CLUSTER[order]}
    data = dc.RandomDistributions.from_quantiles(
        scale * CURVES[order], LEVELS, columns=columns
    )
    return dc.r3d(data, running="x", levels=LEVELS, **options)


@pytest.mark.parametrize("bandwidth", [0.6, 3.0, None])
@pytest.mark.parametrize("leverage", ["hc0", "hc3"])
@pytest.mark.parametrize("treatment", [None, "t"])
def test_unit_order_is_irrelevant_with_clusters(bandwidth, leverage, treatment):
    options = {
        "cluster": "g",
        "bandwidth": bandwidth,
        "treatment": treatment,
        "inference": dc.MultiplierBootstrap(draws=99, leverage=leverage),
    }
    one, other = fit(**options), fit(ORDER, **options)
    assert_allclose(other.std_error, one.std_error, rtol=RTOL)
    assert_allclose(other.critical_value, one.critical_value, rtol=1e-6)


def test_clustered_errors_over_all_units_are_sums_by_hand():
    inference = dc.MultiplierBootstrap(draws=19, leverage="hc0")
    options = {"bandwidth": 5.0, "kernel": "uniform", "method": "pointwise"}
    shuffled = fit(ORDER, cluster="g", inference=inference, **options)
    x, curves, groups = X[ORDER], CURVES[ORDER], CLUSTER[ORDER]
    rows = np.zeros_like(curves)
    for side, sign in ((x < 0, -1), (x >= 0, 1)):
        design = np.vander(x[side], 3, increasing=True)
        pseudo = np.linalg.pinv(design)
        residual = curves[side] - design @ (pseudo @ curves[side])
        rows[side] = sign * pseudo[0][:, None] * residual
    by_cluster = np.array([rows[groups == g].sum(axis=0) for g in np.unique(groups)])
    assert_allclose(shuffled.std_error, np.sqrt((by_cluster**2).sum(axis=0)), rtol=RTOL)


@pytest.mark.parametrize("scale", [1e-8, 1e3, 1e8])
@pytest.mark.parametrize("options", [{}, {"treatment": "t"}, {"cluster": "g"}])
def test_scale_of_the_outcome_moves_estimates_and_errors_alike(scale, options):
    one, other = fit(**options), fit(scale=scale, **options)
    assert_allclose(other.effect, scale * one.effect, rtol=RTOL)
    assert_allclose(other.std_error, scale * one.std_error, rtol=RTOL)
    assert_allclose(other.critical_value, one.critical_value, rtol=1e-6)


def test_draws_have_the_standard_errors_they_come_with_at_any_scale():
    inference = dc.MultiplierBootstrap(draws=4000)
    for scale in (1.0, 1e8):
        found = fit(scale=scale, treatment="t", inference=inference)
        ratio = found.draws.effect.std(axis=0) / found.std_error
        # Relative error of a standard deviation from 4,000 draws: 1/sqrt(8000).
        assert_allclose(ratio, 1, atol=4 / np.sqrt(8000))


@pytest.mark.parametrize("bandwidth", [(0.5, 0.9), [0.5, 0.9]])
def test_two_sides_and_two_levels_are_not_confused(bandwidth):
    data = DESIGN.data
    options = {"running": "x", "levels": [0.3, 0.7], "method": "pointwise"}
    first = dc.r3d(data, bandwidth=bandwidth, **options)
    again = dc.r3d(data, bandwidth=first.bandwidth, **options)
    assert_allclose(again.effect, first.effect, rtol=RTOL)
    expected = [[0.5, 0.5], [0.9, 0.9]] if isinstance(bandwidth, tuple) else None
    expected = expected or [[0.5, 0.9], [0.5, 0.9]]
    assert_allclose(np.broadcast_to(first.bandwidth.sides, (2, 2)), expected)
