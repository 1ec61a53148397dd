"""The published objective: where it is the model's, and where it is not."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal._base.precision import double
from distcausal.errors import DesignError
from distcausal.images.engines import Problem
from distcausal.images.relaxed import RelaxedJoint
from tests.images import model_cases as of
from tests.oracles import images_model as oracle

SEEDS = st.integers(0, 2**32 - 1)


def plain(seed, clusters):
    """No pull to an average, which the published objective has not in this form."""
    case = of.case(seed, of.layout_of(clusters))
    return case._replace(lane=case.lane._replace(ate=np.array([0.0, 1.0, 0.0])))


_ESTIMATE = {
    (heat, samples): of.with_key(RelaxedJoint(heat, samples))
    for heat, samples in ((0.5, 1), (0.5, 5), (1e-3, 5))
}


@given(SEEDS)
def test_one_cluster_leaves_nothing_to_relax(seed):
    case = plain(seed, 1)
    assert_allclose(_ESTIMATE[0.5, 5](case, 0), of.log_joint(case), rtol=1e-10)


@given(SEEDS)
def test_memberships_that_are_certain_leave_nothing_to_relax(seed):
    case = plain(seed, 2)
    # Logits of a thousand: no Gumbel noise comes near.
    params = {**case.params, "bias": np.array([1000.0]), "head_scale": -9.0}
    case = case._replace(vector=of.model.pack(params, case.layout))
    found = _ESTIMATE[1e-3, 5](case, 0)
    # The prior of such a bias is a number of six digits.
    assert_allclose(found, of.log_joint(case), rtol=1e-9)


@given(SEEDS)
def test_a_mean_of_log_densities_is_below_the_log_of_their_mean(seed):
    """At a low temperature draws are single clusters, one image one unit."""
    case = of.case(seed, of.layout_of(2, alone=True))
    lane = case.lane._replace(ate=np.array([0.0, 1.0, 0.0]), weights=np.ones(of.UNITS))
    case = case._replace(lane=lane)
    found = np.mean([_ESTIMATE[1e-3, 5](case, key) for key in range(40)])
    terms = of.cluster_terms(case)
    share = np.exp(of.log_membership(case))
    expected = np.sum(share * terms) + of.log_prior(case)
    assert expected <= of.log_joint(case) + 1e-9
    mean = np.sum(share * terms, axis=1, keepdims=True)
    spread = np.sqrt(np.sum(share * (terms - mean) ** 2))
    # Five standard errors of 200 draws.
    assert abs(found - expected) < 5 * spread / np.sqrt(200) + 1e-6


@given(SEEDS)
def test_effects_and_variances_are_mixed_by_one_draw_of_the_proportions(seed):
    case = of.case(seed, of.layout_of(2, variance="arm_cluster"))
    evidence, lane, params = case.evidence, case.lane, case.params
    share = np.exp(of.log_membership(case))
    noise = double(_gumbel)(jax.random.key(0), share)
    odds = share**2 * np.exp(2 * noise)  # the temperature is a half
    rows = (odds / odds.sum(axis=1, keepdims=True))[evidence.image]
    effect = rows @ of.effects(case)[:, 0] * evidence.treatment
    arm = evidence.treatment.astype(int)
    table = np.exp(2 * params["noise"]).reshape(2, 2)[arm]
    known = evidence.known_variance[:, 0] / lane.scale[0] ** 2
    variance = np.sum(rows * table, axis=1) + known
    base = np.exp(params["base_scale"]) * params["base"]
    level = (evidence.features @ base + params["level"])[evidence.image, 0]
    level = level + (evidence.covariates @ params["slopes"])[:, 0]
    outcome = (evidence.outcome[:, 0] - lane.centre[0]) / lane.scale[0]
    terms = oracle.log_densities("normal", outcome, level + effect, np.sqrt(variance))
    expected = lane.weights @ terms + of.log_prior(case)
    assert_allclose(_ESTIMATE[0.5, 1](case, 0), expected, rtol=1e-9)


def _gumbel(key, like):
    return jax.random.gumbel(jax.random.split(key, 1)[0], like.shape, like.dtype)


def test_the_search_climbs_and_repeats_itself():
    case = of.case(4, of.layout_of(2))
    starts = np.zeros((2, case.vector.size))
    problem = Problem(case.evidence, case.lane, case.layout, starts)
    engine = dc.Relaxed(steps=300, restarts=2, draws=50, rate=0.05)
    one, two = (engine.fit(problem, seed=0) for _ in range(2))
    assert np.array_equal(one.draws, two.draws)
    assert one.draws.shape == (50, case.vector.size)
    assert one.course[-30:].mean() > one.course[:30].mean()


def test_random_intercepts_are_refused():
    case = of.case(4, of.layout_of(2, intercepts=True))
    problem = Problem(case.evidence, case.lane, case.layout, case.vector[None])
    with pytest.raises(DesignError, match="no random intercepts"):
        dc.Relaxed().fit(problem, seed=0)


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"samples": 0}, {"rate": 2.0}, {"steps": 0}]
)
def test_settings_are_checked(options):
    with pytest.raises(DesignError, match=next(iter(options))):
        dc.Relaxed(**options)
