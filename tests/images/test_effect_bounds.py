"""Bounds on unit effects: attained by couplings, and never beaten by one."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.errors import DataError, DesignError
from distcausal.images.effect_bounds import EffectBounds, effect_bounds, makarov
from distcausal.images.families import as_family
from distcausal.images.transport import example_trial
from tests.images.result_doubles import fitted

SEEDS = st.integers(0, 2**32 - 1)
POSTERIOR = example_trial()[0]


def law(values):
    return dc.RandomDistributions.from_samples([values])


@given(SEEDS, st.sampled_from([4, 7]))
def test_no_pairing_of_units_leaves_the_bounds(seed, count):
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 4, count) * 1.0, rng.integers(0, 4, count) * 1.0
    points = np.array([-2.0, -0.5, 0.0, 1.0, 2.5])
    low, high = makarov(law(one), law(two), points)
    assert (low <= high + 1e-12).all()
    for _ in range(20):
        effect = two[rng.permutation(count)] - one
        share = (effect[:, None] <= points).mean(axis=0)
        assert ((low - 1e-12 <= share) & (share <= high + 1e-12)).all()


@given(SEEDS)
def test_some_pairing_attains_each_bound(seed):
    from itertools import permutations

    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 5, 5) * 1.0, rng.integers(0, 5, 5) * 1.0
    points = np.array([-1.0, 0.0, 1.5])
    low, high = makarov(law(one), law(two), points)
    orders = np.array(list(permutations(range(5))))
    shares = ((two[orders] - one)[:, :, None] <= points).mean(axis=1)
    # With equal masses a best coupling can be taken to be a pairing (Birkhoff).
    assert_allclose(shares.min(axis=0), low, atol=1e-12)
    assert_allclose(shares.max(axis=0), high, atol=1e-12)


@given(SEEDS)
def test_decimals_have_the_bounds_of_whole_numbers(seed):
    """Differences of decimals miss the decimal that they are by rounding."""
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 10, (2, 4))
    points = np.arange(-3, 8)
    whole = makarov(law(one * 1.0), law(two * 1.0), points)
    assert_allclose(makarov(law(one / 10), law(two / 10), points / 10), whole)
    shifted = makarov(law(1e6 + one / 10), law(1e6 + two / 10), points / 10)
    assert_allclose(shifted, whole)


def test_other_forms_of_laws_have_the_same_bounds():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=400), 1 + 2 * rng.normal(size=400)
    points = np.array([-1.0, 0.0, 2.0])
    exact = makarov(law(one), law(two), points)
    edges = np.linspace(-9, 9, 400)
    pairs = {
        "atoms": [law(part).to_atoms() for part in (one, two)],
        "bins": [law(part).to_bins(edges) for part in (one, two)],
        "quantiles": [
            law(part).to_quantiles(np.arange(1, 400) / 400) for part in (one, two)
        ],
    }
    for name, pair in pairs.items():
        assert_allclose(
            makarov(*pair, points), exact, atol=1e-9 if name == "atoms" else 0.04
        )


def test_normal_laws_have_the_bounds_of_their_formula():
    from scipy import stats

    normal = [
        dc.RandomDistributions.from_law(stats.norm, {"loc": [mean], "scale": [1.0]})
        for mean in (0.0, 1.0)
    ]
    low, high = makarov(*normal, np.array([0.0, 1.0, 3.0]))
    # For equal variances the largest difference is 2 Phi((t - 1) / 2) - 1.
    reach = 2 * stats.norm.cdf((np.array([0.0, 1.0, 3.0]) - 1) / 2) - 1
    assert_allclose(low, np.maximum(reach, 0), atol=2e-3)
    assert_allclose(high, 1 + np.minimum(reach, 0), atol=2e-3)


def test_variance_lies_between_that_of_the_extreme_correlations():
    found = effect_bounds(POSTERIOR)
    noise = POSTERIOR.noise[..., 0]
    unsure = POSTERIOR.effects[..., 0].var(axis=0)
    for rho, value in ((1.0, found.low), (0.0, found.independent), (-1.0, found.high)):
        cross = 2 * rho * noise[:, 0] * noise[:, 1]
        expected = (noise**2).sum(axis=1) - cross
        assert_allclose(value, expected.mean(axis=0) + unsure, atol=1e-12)


def two_by_two():
    rng = np.random.default_rng(1)
    return dc.RandomDistributions.from_samples(
        list(rng.normal(size=(4, 50)) + np.array([[0], [0], [0], [5.0]])),
        columns={"cluster": [1, 1, 2, 2], "treatment": [0, 1, 0, 1]},
    )


def made(points=0.0, **options):
    return effect_bounds(POSTERIOR, two_by_two(), points=points, **options)


def test_shares_are_bounded_by_cluster_and_told_in_frames_and_figures():
    found = made([0.0, 3.0])
    assert found.share_high[1, 0] < 0.1
    assert found.share_high[0, 0] > 0.8
    frame = found.tidy()
    assert list(frame["term"].unique()) == ["variance", "share at most"]
    assert len(frame) == 2 + 4
    assert EffectBounds.from_json(found.to_json()) == found
    text = found.summary().as_text()
    assert "share with effect <= 3, cluster 2" in text
    assert found.plot().get_xlabel() == "Effect t"
    assert made().plot().get_ylabel() == "Share with effect at most 0"
    assert effect_bounds(POSTERIOR).plot().get_ylabel() == "Variance of unit effects"
    plt.close("all")


def test_a_cluster_without_laws_is_bounded_by_nothing():
    rng = np.random.default_rng(1)
    laws = dc.RandomDistributions.from_samples(
        list(rng.normal(size=(2, 50))),
        columns={"cluster": [1, 1], "treatment": [0, 1]},
    )
    found = effect_bounds(POSTERIOR, laws)
    assert (found.share_low[1, 0], found.share_high[1, 0]) == (0.0, 1.0)


def test_what_is_not_a_law_by_cluster_is_refused():
    with pytest.raises(DataError, match="lack cluster, treatment"):
        effect_bounds(POSTERIOR, law([1.0, 2.0]))
    with pytest.raises(DataError, match="finite numbers"):
        effect_bounds(POSTERIOR, points=[np.nan])


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "student", "lognormal"])
def test_noise_that_is_not_normal_bounds_shares_and_no_variance(family):
    found = made(family=family)
    assert found.low is found.independent is found.high is None
    assert set(found.tidy()["term"]) == {"share at most"}
    assert np.isnan(found.glance()["high"][0])
    text = found.summary().as_text()
    assert family in text
    assert "variance, cluster" not in text
    assert EffectBounds.from_json(found.to_json()) == found
    assert found.plot().get_ylabel() == "Share with effect at most 0"
    plt.close("all")
    with pytest.raises(DesignError, match="need normal noise"):
        effect_bounds(POSTERIOR, family=family)


@pytest.mark.parametrize(
    ("family", "bounded"), [("bernoulli", False), ("normal", True)]
)
def test_a_fit_tells_the_bounds_its_family(family, bounded):
    fit = fitted()
    fit = replace(fit, model=replace(fit.model, family=as_family(family)))
    vars(fit)["distributions"] = two_by_two()  # what the fit would work out
    assert (fit.effect_bounds().high is not None) == bounded
