"""A simulated trial in pictured places tells the truth about itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc
from distcausal.datasets import make_image_effects
from distcausal.datasets.image_shapes import SIGNS, draw_pictures

OUTCOMES = ("continuous", "binary", "count", "hurdle", "distribution")
DIFFICULTIES: list[dict[str, Any]] = [
    {},
    {"images": 7, "assignment": "image", "image_sd": 0.5},
    {"images": 12, "assignment": "region", "region_sd": 1.0, "spatial": 0.9},
    {"confounding": 1.0, "propensity": 0.3, "covariate": 0.4, "weight_spread": 0.2},
]


def trial(units: int = 40, **given: Any) -> Any:
    return make_image_effects(units, **{"test": 3, "size": 9, **given})


@given(
    st.sampled_from(OUTCOMES),
    st.sampled_from(DIFFICULTIES),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_units_are_where_they_say(outcome, difficulty, clusters, seed) -> None:
    sim = trial(outcome=outcome, clusters=clusters, seed=seed, **difficulty)
    columns, pictures, truth = sim.data.columns, sim.pictures, sim.truth
    image = np.searchsorted(pictures.keys, columns["place"])
    assert_array_equal(pictures.keys[image], columns["place"])
    assert set(image) == set(range(len(pictures.keys)))
    assert not np.isin(np.arange(1, 10), columns["place"]).any()
    assert_array_equal(truth.cluster, pictures.cluster[image])
    assert_array_equal(truth.effect, pictures.effect[image])
    assert_array_equal(pictures.coordinates[image, 0], columns["east"])
    assert_array_equal(pictures.coordinates[image, 1], columns["north"])
    assert not set(sim.test.keys) & set(pictures.keys)
    if "images" not in difficulty:
        assert_array_equal(columns["image"], pictures.images)
    block = {"image": "place", "region": "region"}.get(difficulty.get("assignment"))
    if block:
        for place in set(columns[block]):
            assert np.ptp(columns["treatment"][columns[block] == place]) == 0


@given(st.sampled_from(OUTCOMES), st.sampled_from(DIFFICULTIES), st.integers(0, 99))
def test_what_is_seen_is_the_potential_outcome(outcome, difficulty, seed) -> None:
    sim = trial(outcome=outcome, seed=seed, **difficulty)
    chosen = np.arange(40), sim.data.columns["treatment"]
    # Means of fifty draws are summed in another order.
    assert_allclose(sim.data.mean(), sim.truth.potential[chosen], rtol=1e-12)
    if outcome != "distribution":
        assert_array_equal(sim.data.columns["outcome"], sim.data.mean())


@pytest.mark.parametrize("noise", ["normal", "exponential", "student"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_stated_effects_are_means_of_potential_outcomes(outcome, noise) -> None:
    hard = {"image_sd": 0.3, "region_sd": 0.1, "covariate": 0.4, "lowest": -0.3}
    sim = make_image_effects(
        20_000, outcome=outcome, noise=noise, gap=0.4, clusters=3, size=9, test=0,
        draws=(1, 4), seed=5, **hard,
    )  # fmt: skip
    gain = sim.truth.potential[:, 1] - sim.truth.potential[:, 0]
    for cluster, effect in enumerate(sim.truth.effects):
        inside = sim.truth.cluster == cluster
        # Regions are 100, and their term moves means of counts: 0.1 of a gain of 1 at
        # most, over 10. The rest is the error of a mean of 6,000.
        error = gain[inside].std() / np.sqrt(inside.sum()) + 0.01 * abs(effect)
        assert abs(gain[inside].mean() - effect) < 4 * error + 1e-12
        own = sim.truth.effect[inside]
        assert abs(gain[inside].mean() - own.mean()) < 4 * error + 1e-12
        spread = own.std() / np.sqrt(inside.sum())
        assert abs(own.mean() - effect) <= 4 * spread + 1e-12


def test_effect_given_a_picture_follows_its_brightness() -> None:
    sim = trial(40_000, images=300, outcome="count", gap=0.7, image_sd=0.5, seed=3)
    # exp(0.7 b) (exp(tau) - 1) exp(sd^2 / 2), the mean of a lognormal.
    bright = np.exp(0.7 * sim.pictures.brightness + 0.5**2 / 2)
    expected = bright * np.expm1(sim.truth.shifts[sim.pictures.cluster])
    assert_allclose(sim.pictures.effect, expected, rtol=1e-10)


@pytest.mark.parametrize(("noise", "skew"), [("normal", 0), ("exponential", 2)])
def test_noise_has_mean_zero_and_sd_one(noise: str, skew: float) -> None:
    sim = trial(20_000, noise=noise, gap=0.0, seed=8)
    left = sim.truth.potential[:, 0] - 0.7 * sim.pictures.brightness
    # Four standard errors of a mean, and of a variance with kurtosis up to 9.
    assert abs(left.mean()) < 4 / np.sqrt(20_000)
    assert abs(left.var() - 1) < 4 * np.sqrt(8 / 20_000)
    assert abs(stats.skew(left) - skew) < 0.35


def test_student_noise_is_scaled_and_heavy() -> None:
    left = trial(20_000, noise="student", gap=0.0, seed=8)
    noise = left.truth.potential[:, 0] - 0.7 * left.pictures.brightness
    law = stats.t(5, scale=np.sqrt(3 / 5))
    assert stats.kstest(noise, law.cdf).pvalue > 0.01


def test_treatment_has_the_chance_in_its_column() -> None:
    sim = trial(20_000, confounding=1.5, propensity=0.3, seed=2)
    columns = sim.data.columns
    chance, treated = columns["propensity"], columns["treatment"]
    score = stats.logistic.ppf(chance) - stats.logistic.ppf(0.3)
    assert_allclose(score, 1.5 * sim.pictures.brightness / 0.5, atol=1e-9)
    for part in np.array_split(np.argsort(chance), 5):
        error = np.sqrt(np.sum(chance[part] * (1 - chance[part]))) / part.size
        assert abs(treated[part].mean() - chance[part].mean()) < 4 * error
    assert_array_equal(trial(seed=2).data.columns["propensity"], 0.5)


def test_curves_are_differences_of_units_quantiles() -> None:
    levels = np.array([0.1, 0.5, 0.9])
    sim = trial(
        400, outcome="distribution", draws=400, lowest=-1.0, gap=1.0, clusters=3, seed=4
    )
    found = sim.data.quantiles(levels)
    treated, centre = sim.data.columns["treatment"] == 1, sim.truth.potential[:, 0]
    away = found - centre[:, None]
    for cluster, curve in enumerate(sim.truth.curves(levels)):
        inside = sim.truth.cluster == cluster
        means = [away[inside & arm].mean(axis=0) for arm in (treated, ~treated)]
        # Quantiles of 400 draws in some 60 units; the spread of an upper one is below
        # 0.3 in a unit, and the two arms add up.
        assert_allclose(means[0] - means[1], curve, atol=4 * 0.3 * np.sqrt(2 / 50))
    middle = (np.arange(4000) + 0.5) / 4000
    # The midpoint rule on a parabola: 1 / (4 n^2).
    assert_allclose(sim.truth.curves(middle).mean(axis=1), [-1, 0, 1], atol=1e-6)
    assert_allclose(sim.truth.curves([0.5])[:, 0], [-1, -0.25, 0.5], atol=1e-12)
    assert_array_equal(trial(gap=0.5).truth.curves(levels)[1], np.full(3, 0.5))


def test_a_picture_is_a_background_with_one_sign() -> None:
    cluster = np.repeat(np.arange(4), 300)
    pictures, brightness = draw_pictures(np.random.default_rng(0), cluster, 9)
    # On 9 by 9 pixels a sign has only one place; discs and noise average out.
    mean = np.stack([pictures[cluster == k].mean(axis=0) for k in range(4)])
    drawn = mean - mean.min(axis=0)
    assert_array_equal(drawn > 0.75, (SIGNS - SIGNS.min(axis=0)) > 0)
    assert SIGNS.sum(axis=(1, 2)).tolist() == [24, 17, 17, 16]
    assert np.corrcoef(brightness, pictures.mean(axis=(1, 2)))[0, 1] > 0.7
    assert abs(brightness.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * 1200)


def test_signs_do_not_show_in_the_mean_of_a_picture() -> None:
    sim = make_image_effects(2000, test=0, seed=6)
    mean = sim.pictures.images.mean(axis=(1, 2))
    assert abs(np.corrcoef(mean, sim.pictures.cluster)[0, 1]) < 0.1


def test_spatial_trials_have_districts() -> None:
    def alike(spatial: float) -> float:
        sim = trial(2000, spatial=spatial, seed=1)
        place, cluster = sim.pictures.coordinates, sim.pictures.cluster
        gap = np.linalg.norm(place[:, None] - place, axis=-1)
        near = np.argsort(gap, axis=1)[:, 1]
        return float(np.mean(cluster == cluster[near]))

    assert alike(1.0) > 0.85
    assert abs(alike(0.0) - 0.5) < 0.08
    whole = trial(2000, spatial=1.0, seed=1, test=900)
    gap = np.linalg.norm(
        whole.test.coordinates[:, None] - whole.pictures.coordinates, axis=-1
    )
    near = whole.pictures.cluster[np.argmin(gap, axis=1)]
    assert np.mean(near == whole.test.cluster) > 0.85


def test_same_seed_same_bits_and_another_seed_others() -> None:
    one, same, other = (trial(seed=seed) for seed in (1, 1, 2))
    for part in ("pictures", "test"):
        assert_array_equal(getattr(one, part).images, getattr(same, part).images)
        assert not np.array_equal(
            getattr(one, part).images, getattr(other, part).images
        )
    assert_array_equal(one.data.columns["outcome"], same.data.columns["outcome"])
    assert not np.array_equal(
        one.data.columns["outcome"], other.data.columns["outcome"]
    )


def test_another_gap_changes_outcomes_only() -> None:
    near, far = trial(gap=0.5, seed=4), trial(gap=2.0, seed=4)
    assert_array_equal(near.pictures.images, far.pictures.images)
    for name in ("treatment", "place", "covariate"):
        assert_array_equal(near.data.columns[name], far.data.columns[name])
    assert_array_equal(near.truth.potential[:, 0], far.truth.potential[:, 0])
    gain = far.truth.potential[:, 1] - near.truth.potential[:, 1]
    assert_allclose(gain, 1.5 * near.truth.cluster, atol=1e-12)


def test_a_scalar_outcome_is_the_centre_of_a_distribution() -> None:
    scalar, law = (trial(seed=4, outcome=kind, draws=4000) for kind in OUTCOMES[::4])
    # Means of 4,000 draws of sd 1, and of 1.5 * 3 u^2 with sd 1.5 * 0.9 in the treated.
    gap = np.abs(scalar.truth.potential - law.truth.potential)
    assert np.all(gap < 5 * np.array([1.0, 2.4]) / np.sqrt(4000))
    assert_array_equal(scalar.truth.effects, law.truth.effects)


def test_roles_name_what_the_trial_has() -> None:
    plain = trial().roles
    assert plain["image"] == "image"
    assert plain["outcome"] == "outcome"
    assert "cluster" not in plain
    assert "weights" not in plain
    shared = trial(images=9, outcome="distribution", region_sd=1.0, weight_spread=0.1)
    roles = shared.roles
    assert "outcome" not in roles
    assert (roles["image_key"], roles["cluster"], roles["weights"]) == (
        "place", "region", "weight",
    )  # fmt: skip
    sought = shared.pictures.keys[[4, 2]]
    found = np.squeeze(roles["image"].get(sought))
    assert_array_equal(found, shared.pictures.images[[4, 2]])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"outcome": "ordinal"}, "outcome 'ordinal' is not one of"),
    ({"noise": "loud"}, "noise 'loud' is not one of"),
    ({"assignment": "village"}, "assignment 'village' is not one of"),
    ({"units": 1}, "units=1 should be at least 2"),
    ({"images": 41}, "images=41 should be from 1 to units"),
    ({"clusters": 5}, "clusters=5 should be from 1 to 4"),
    ({"gap": -0.5}, "gap=-0.5 should not be negative"),
    ({"draws": (3, 2)}, r"draws=\(3, 2\) should be positive"),
    ({"propensity": 1.0}, r"propensity=1.0 should lie in \(0, 1\)"),
    ({"image_sd": -1.0}, "image_sd=-1.0 should not be negative"),
    ({"region_sd": -1.0}, "region_sd=-1.0 should not be negative"),
    ({"weight_spread": -1.0}, "weight_spread=-1.0 should not be negative"),
    ({"spatial": 1.5}, r"spatial=1.5 should lie in \[0, 1\]"),
    ({"size": 8}, "size=8 should be at least 9 pixels"),
    ({"test": -1}, "test=-1 should not be negative"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_a_trial_that_cannot_be_drawn_is_refused(arguments, message) -> None:
    with pytest.raises(dc.DesignError, match=message):
        trial(**arguments)
