"""The mixture with its clusters summed out: what it is, and what may not matter."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from distcausal.images.families import as_family
from distcausal.images.model import active_contrast, count
from tests.images import model_cases as of
from tests.oracles import images_model as oracle

SEEDS = st.integers(0, 2**32 - 1)
CLUSTERS = st.sampled_from([1, 2, 3])
VARIANCES = ("common", "arm", "arm_cluster")
# Sums of tens of terms of size ten round at about 1e-14.
ATOL = 1e-10


def by_hand(case):
    """Parts of the likelihood as the specification has them, in the model's units."""
    params, evidence, lane = case.params, case.evidence, case.lane
    clusters = case.layout.clusters
    on = np.flatnonzero(lane.active)
    logits = np.exp(params["head_scale"]) * params["head"] @ lane.contrast
    share = oracle.memberships(
        logits[:, on], (params["bias"] @ lane.contrast)[on], evidence.features
    )
    steps = np.concatenate([[0.0], np.cumsum(np.exp(params["gaps"]))])[on]
    tau = params["centre"] + steps - steps.mean()
    base = np.exp(params["base_scale"]) * params["base"]
    level = (evidence.features @ base + params["level"])[evidence.image, 0]
    level = level + (evidence.covariates @ params["slopes"])[:, 0]
    table = np.exp(2 * params["noise"])[:, 0]
    arm = evidence.treatment.astype(int)
    cell = {
        "common": np.zeros((2, clusters), int),
        "arm": np.repeat([[0], [1]], clusters, axis=1),
        "arm_cluster": np.arange(2 * clusters).reshape(2, -1),
    }[case.layout.variance]
    variance = table[cell[arm]][:, on]
    variance = variance + evidence.known_variance / lane.scale**2
    outcome = (evidence.outcome[:, 0] - lane.centre[0]) / lane.scale[0]
    mean = level[:, None] + evidence.treatment[:, None] * tau
    return share, outcome, mean, variance, tau


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("intercepts", [False, True])
@given(seed=SEEDS, clusters=st.sampled_from([1, 2]))
def test_summing_out_equals_enumerating_all_assignments(
    variance, intercepts, seed, clusters
):
    layout = of.layout_of(clusters, variance=variance, intercepts=intercepts)
    case = of.case(seed, layout, whole=True)
    share, outcome, mean, noise, _ = by_hand(case)
    spread = np.exp(2 * case.params["intercept"][0]) if intercepts else 0.0
    weights = case.lane.weights.astype(int)
    image = case.evidence.image
    # A unit counted twice has one intercept, not two noises about it.
    expected = oracle.log_likelihood(
        share, image, outcome, mean, noise, spread, weights
    )
    assert_allclose(of.log_likelihood(case).sum(), expected, atol=ATOL)


@given(SEEDS)
def test_three_clusters_are_enumerated_too(seed):
    case = of.case(seed, of.layout_of(3), whole=True)
    share, outcome, mean, noise, _ = by_hand(case)
    weights = case.lane.weights.astype(int)
    expected = oracle.log_likelihood(
        share, case.evidence.image, outcome, mean, noise, 0.0, weights
    )
    assert_allclose(of.log_likelihood(case).sum(), expected, atol=ATOL)


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_no_order_of_the_labels_is_preferred_by_the_prior_of_memberships(clusters):
    contrast, _ = active_contrast(clusters, clusters)
    spread = contrast.T @ contrast
    for order in permutations(range(clusters)):
        assert_allclose(spread[np.ix_(order, order)], spread, atol=ATOL)
    apart = np.diag(spread)[:, None] + np.diag(spread) - 2 * spread
    assert_allclose(apart, 1 - np.eye(clusters), atol=ATOL)


def halved(case, unit):
    """The same case with one unit written as two of half the weight."""
    row = np.append(np.arange(of.UNITS), unit)
    evidence = case.evidence
    own = evidence._replace(
        **{
            name: getattr(evidence, name)[row]
            for name in ("image", "outcome", "known_variance", "treatment")
        },
        covariates=evidence.covariates[row],
    )
    weights = case.lane.weights[row]
    weights[[unit, -1]] /= 2
    return case._replace(evidence=own, lane=case.lane._replace(weights=weights))


@pytest.mark.parametrize("intercepts", [False, True])
@given(seed=SEEDS, unit=st.integers(0, of.UNITS - 1))
def test_two_halves_of_a_unit_are_the_unit(intercepts, seed, unit):
    case = of.case(seed, of.layout_of(2, intercepts=intercepts))
    assert_allclose(
        of.log_joint(halved(case, unit)), of.log_joint(case), atol=ATOL, rtol=0
    )


@given(SEEDS, st.permutations(range(of.UNITS)), st.permutations(range(of.IMAGES)))
def test_the_order_of_units_and_images_does_not_matter(seed, units, images):
    case = of.case(seed, of.layout_of(2, intercepts=True))
    units, images = list(units), list(images)
    old = case.evidence
    moved = old._replace(
        features=old.features[images],
        image=np.argsort(images)[old.image[units]],
        outcome=old.outcome[units],
        known_variance=old.known_variance[units],
        treatment=old.treatment[units],
        covariates=old.covariates[units],
    )
    lane = case.lane._replace(weights=case.lane.weights[units])
    other = case._replace(evidence=moved, lane=lane)
    assert_allclose(of.log_joint(other), of.log_joint(case), atol=ATOL, rtol=0)


@given(SEEDS, CLUSTERS)
def test_memberships_are_probabilities_and_sum_to_one(seed, clusters):
    share = np.exp(of.log_membership(of.case(seed, of.layout_of(clusters))))
    assert share.min() >= 0
    assert_allclose(share.sum(axis=1), 1, atol=ATOL)


@pytest.mark.parametrize("intercepts", [False, True])
@given(seed=SEEDS)
def test_padding_without_weight_changes_nothing(intercepts, seed):
    case = of.case(seed, of.layout_of(2, intercepts=intercepts))
    old = case.evidence

    def more(array, rows=2):
        blank = np.zeros((rows, *array.shape[1:]), array.dtype)
        return np.concatenate([array, blank])

    evidence = old._replace(**{name: more(getattr(old, name)) for name in old._fields})
    lane = case.lane._replace(weights=more(case.lane.weights))
    padded = case._replace(evidence=evidence, lane=lane)
    assert_allclose(of.log_joint(padded), of.log_joint(case), atol=ATOL, rtol=0)
    assert_allclose(of.log_likelihood(padded)[-2:], 0, atol=ATOL)


@pytest.mark.parametrize("variance", VARIANCES)
@given(seed=SEEDS, active=st.sampled_from([1, 2]))
def test_clusters_switched_off_leave_the_smaller_model(variance, seed, active):
    large = of.case(seed, of.layout_of(3, variance=variance), active=active)
    small = of.case(seed, of.layout_of(active, variance=variance))
    kept = large.params
    noise = kept["noise"]
    if variance == "arm_cluster":
        noise = noise.reshape(2, 3, 1)[:, :active].reshape(-1, 1)
    parts = dict(
        kept,
        bias=kept["bias"][: active - 1],
        head=kept["head"][:, : active - 1],
        gaps=kept["gaps"][: active - 1],
        shape=kept["shape"][:active],
        noise=noise,
    )
    own = ("contrast", "active")
    lane = large.lane._replace(**{name: getattr(small.lane, name) for name in own})
    small = of.Case(
        of.model.pack(parts, small.layout), large.evidence, lane, small.layout
    )
    assert_allclose(of.log_likelihood(large), of.log_likelihood(small), atol=ATOL)
    assert_allclose(of.effects(large)[:active], of.effects(small), atol=ATOL)
    assert_allclose(of.implied_ate(large), of.implied_ate(small), atol=ATOL)


@given(SEEDS, st.sampled_from([2, 3]))
def test_effects_increase_and_average_to_their_centre(seed, clusters):
    case = of.case(seed, of.layout_of(clusters))
    tau = of.effects(case)[:, 0]
    assert np.all(np.diff(tau) > 0)
    assert_allclose(tau, by_hand(case)[4], atol=ATOL)
    assert_allclose(tau.mean(), case.params["centre"], atol=ATOL)


@given(SEEDS, CLUSTERS)
def test_the_implied_average_lies_between_the_extreme_effects(seed, clusters):
    case = of.case(seed, of.layout_of(clusters))
    tau = of.effects(case)[:, 0]
    assert tau[0] - ATOL <= of.implied_ate(case) <= tau[-1] + ATOL


@given(SEEDS, st.floats(0.1, 10), st.floats(-5, 5))
def test_the_unit_of_the_outcome_does_not_matter(seed, scale, shift):
    case = of.case(seed, of.layout_of(2, intercepts=True))
    evidence = case.evidence._replace(
        outcome=scale * case.evidence.outcome + shift,
        known_variance=scale**2 * case.evidence.known_variance,
    )
    lane = case.lane._replace(
        centre=scale * case.lane.centre + shift, scale=scale * case.lane.scale
    )
    other = case._replace(evidence=evidence, lane=lane)
    # Dividing by a scale of up to ten and shifts of five cost two digits.
    assert_allclose(of.log_joint(other), of.log_joint(case), atol=1e-8, rtol=0)
    assert_allclose(of.mean_effect(other), scale * of.mean_effect(case), rtol=1e-12)


@given(SEEDS)
def test_swapping_arms_negates_and_reverses_the_effects(seed):
    # With one cluster on: the baseline of the other arm would differ by cluster.
    case = of.case(seed, of.layout_of(1))
    params = dict(case.params)
    params["level"] = params["level"] + params["centre"]
    params["centre"] = -params["centre"]
    params["noise"] = params["noise"][::-1]
    evidence = case.evidence._replace(treatment=1 - case.evidence.treatment)
    other = of.Case(
        of.model.pack(params, case.layout), evidence, case.lane, case.layout
    )
    assert_allclose(of.log_likelihood(other), of.log_likelihood(case), atol=ATOL)
    assert_allclose(of.effects(other), -of.effects(case), atol=ATOL)


@given(SEEDS)
def test_the_pull_to_an_average_effect_is_a_normal_factor(seed):
    case = of.case(seed, of.layout_of(2))
    average, variance, _ = case.lane.ate
    parts = []
    for strength in (0.0, 1.0):
        lane = case.lane._replace(ate=np.array([average, variance, strength]))
        parts.append(of.log_joint(case._replace(lane=lane)))
    expected = -0.5 * (of.implied_ate(case) - average) ** 2 / variance
    assert_allclose(parts[1] - parts[0], expected, atol=ATOL)


@given(SEEDS)
def test_the_prior_is_what_the_specification_says(seed):
    from scipy import stats

    case = of.case(seed, of.layout_of(3, intercepts=True))
    params, lane = case.params, case.lane

    def normal(value, scale):
        return stats.norm.logpdf(value, 0, scale).sum()

    def half(logarithm, scale):
        """Density of a logarithm: that of its exponential times the exponential."""
        value = np.exp(logarithm)
        return np.sum(stats.halfnorm.logpdf(value, scale=scale) + logarithm)

    expected = (
        normal(params["bias"], 1.5)
        + normal(params["head"], 1)
        + half(params["head_scale"], 3)
        + normal(params["centre"] - lane.prior_effect[0], 1)
        + half(params["gaps"], 1)
        + normal(params["level"] - lane.prior_level, 1)
        + normal(params["base"], 1)
        + half(params["base_scale"], 1)
        + normal(params["slopes"], 1)
        + half(params["noise"], 1)
        + half(params["intercept"], 1)
    )
    origin = case._replace(vector=np.zeros(count(case.layout)))
    start = sum(
        normal(np.zeros(np.shape(params[name])), scale)
        for name, scale in (("bias", 1.5), ("head", 1), ("base", 1), ("slopes", 1))
    )
    start += normal(lane.prior_effect[0], 1) + normal(lane.prior_level, 1)
    for name, scale in (
        ("head_scale", 3),
        ("gaps", 1),
        ("base_scale", 1),
        ("noise", 1),
        ("intercept", 1),
    ):
        start += half(np.zeros(np.shape(params[name])), scale)
    found = of.log_prior(case) - of.log_prior(origin)
    assert_allclose(found, expected - start, atol=ATOL)


@given(SEEDS)
def test_units_with_images_of_their_own_need_no_summation(seed):
    alone = of.case(seed, of.layout_of(2, alone=True))
    summed = alone._replace(layout=of.layout_of(2))
    assert_allclose(of.log_joint(alone), of.log_joint(summed), atol=ATOL, rtol=0)


@given(SEEDS)
def test_a_family_with_parameters_of_its_own_has_them_in_the_vector(seed):
    case = of.case(seed, of.layout_of(2, family=as_family("student")))
    assert set(case.params) >= {"family_tail"}
    assert case.vector.size == count(case.layout)
    packed = of.model.pack(case.params, case.layout)
    assert_allclose(packed, case.vector, atol=0)
