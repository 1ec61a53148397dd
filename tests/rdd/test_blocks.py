"""Results do not depend on how units are cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.rdd import sample as blocks
from tests.rdd.designs import make

DESIGN = make(4, units=128, count=5)
TREATMENT = ((DESIGN.running >= 0) ^ (np.arange(128) % 9 == 0)).astype(float)
CLUSTER = np.arange(128) % 17
OPTIONS = {
    "sharp": {},
    "pointwise": {"method": "pointwise", "selector": "mse"},
    "fuzzy": {"treatment": TREATMENT},
    "clusters": {"cluster": CLUSTER},
    "fuzzy clusters": {"treatment": TREATMENT, "cluster": CLUSTER},
    "weights": {"weights": np.linspace(1, 2, 128)},
    "profile": {"profile": "R3D-0.1.0"},
}

pytestmark = pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning")


@pytest.mark.parametrize("multiplier", ["normal", "rademacher"])
@pytest.mark.parametrize("name", OPTIONS)
def test_small_blocks_give_the_same_fit(name, multiplier, monkeypatch):
    def estimate():
        return dc.r3d(
            DESIGN.data,
            running="x",
            levels=DESIGN.levels,
            inference=dc.MultiplierBootstrap(draws=99, multiplier=multiplier),
            **OPTIONS[name],
        )

    whole = estimate()
    monkeypatch.setattr(blocks, "BLOCK", 16)
    pieces = estimate()
    # Sums in another order; the square root of the covariance loses half the digits
    # of its smallest eigenvalues.
    assert_allclose(pieces.effect, whole.effect, rtol=1e-9)
    assert_allclose(pieces.std_error, whole.std_error, rtol=1e-9)
    assert_allclose(pieces.draws.effect, whole.draws.effect, rtol=1e-6, atol=1e-7)


def test_given_multipliers_are_matched_to_units_in_any_block(monkeypatch):
    def drawn():
        how = dc.MultiplierBootstrap(multipliers=DESIGN.multipliers)
        fit = dc.r3d(
            DESIGN.data,
            running="x",
            levels=DESIGN.levels,
            bandwidth=0.6,
            inference=how,
        )
        return fit.draws.effect

    whole = drawn()
    monkeypatch.setattr(blocks, "BLOCK", 24)
    assert_allclose(drawn(), whole, rtol=1e-9, atol=1e-12)
