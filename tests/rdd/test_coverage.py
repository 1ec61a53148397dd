"""Bands cover as often as they promise, on a design with known truth."""

from __future__ import annotations

import numpy as np
import pytest

import distcausal as dc

REPLICATIONS = 500
LEVELS = np.arange(1, 10) / 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning"),
]


def normal_units(rng, units, within):
    """Design 1 of the R3D paper: normal outcomes, no effect at any level.

    The mean and spread of a unit are random with means linear in the running variable;
    ``within`` draws are seen of each unit.
    """
    x = rng.uniform(-1, 1, units)
    mean = rng.normal(5 + 5 * x, 1)
    spread = np.abs(rng.normal(1 + x, 1))
    draws = mean[:, None] + spread[:, None] * rng.standard_normal((units, within))
    return x, np.quantile(draws, LEVELS, axis=1).T


@pytest.mark.parametrize("units", [200, 500])
def test_uniform_bands_cover_at_their_nominal_rate(units):
    rng = np.random.default_rng(20260 + units)
    hits = 0
    for seed in range(REPLICATIONS):
        x, curves = normal_units(rng, units, 100)
        data = dc.RandomDistributions.from_quantiles(curves, LEVELS, columns={"x": x})
        fit = dc.r3d(data, running="x", levels=LEVELS, seed=seed)
        low, high = fit.band(0.95)
        hits += bool(np.all((low <= 0) & (high >= 0)))
    coverage = hits / REPLICATIONS
    error = np.sqrt(0.95 * 0.05 / REPLICATIONS)
    # Three Monte Carlo errors, and the point that normal asymptotics cost at n = 200.
    assert coverage >= 0.95 - 3 * error - 0.01, coverage
    assert coverage <= 0.95 + 3 * error, coverage
