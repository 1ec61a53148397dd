"""Laws of numbers by arm and cluster: doubly robust means of indicators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from distcausal.errors import DesignError
from distcausal.images import laws as module
from distcausal.images.aipw import aipw_scores, design_effects
from distcausal.images.laws import MOST_POINTS, outcome_laws
from distcausal.images.nuisance import outcome_regressions
from distcausal.images.scores import Scores

SEEDS = st.integers(0, 2**32 - 1)


def trial(seed, units=120, splits=2):
    """Two features, of which the first decides the cluster, and held-out arrays."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(units, 2))
    arm = rng.permutation(np.arange(units) % 2)
    member = (features[:, 0] > 0).astype(int)
    group = np.arange(units)
    fold = np.stack([rng.permutation(group % 3) for _ in range(splits)])
    probs = np.tile(np.eye(2)[member], (splits, 1, 1))
    zero = np.zeros((splits, units, 1))
    weights = rng.uniform(0.5, 2, units)
    scores = Scores(
        fold, probs, probs[..., 1], zero, probs, probs[..., 1], zero, weights, group
    )
    return rng, features, arm, member, scores


def laws_of(values, features, arm, scores, **options):
    chance = np.full(scores.fold.shape, 0.5)
    design = design_effects(scores)
    return outcome_laws(values, arm, features, scores, chance, design=design, **options)


@given(SEEDS, st.sampled_from([1.0, 1e4]))
def test_laws_of_two_values_differ_in_mean_by_the_effect_of_the_cluster(seed, scale):
    rng, features, arm, member, scores = trial(seed)
    values = scale * (rng.random(120) < 0.3 + 0.3 * arm * member)
    laws = laws_of(values, features, arm, scores)
    fits = outcome_regressions(
        values[:, None],
        arm,
        features,
        scores.fold,
        weights=scores.weights,
        group=scores.group,
    )
    chance = np.full(scores.fold.shape, 0.5)
    score = aipw_scores(values[:, None], arm, fits.other, chance)
    whole = scores._replace(score=score, score_before=score)
    mean = laws.mean().reshape(2, 2)
    assert_allclose(
        mean[:, 1] - mean[:, 0], design_effects(whole).estimate[:, 0], atol=1e-9 * scale
    )


@given(SEEDS)
def test_laws_are_laws_and_few_values_keep_theirs(seed):
    rng, features, arm, _, scores = trial(seed)
    values = rng.poisson(3.0, 120).astype(float)
    laws = laws_of(values, features, arm, scores)
    assert set(laws.support) == set(values)
    assert (laws.mass >= 0).all()
    assert_allclose(laws.mass.sum(axis=1), 1)
    assert_allclose(laws.columns["share"].sum(), 2)


@given(SEEDS)
def test_cells_keep_the_mean_and_values_that_many_share(seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(600) < 0.2, 0.25, rng.normal(size=600))
    share = rng.dirichlet(np.ones(600))
    points, support = module._cells(values, share)
    assert points.size <= MOST_POINTS + 4
    assert 0.25 in support
    cell = np.searchsorted(points, values)
    assert_allclose(np.bincount(cell, share) @ support, share @ values, atol=1e-12)
    assert points[-1] == values.max()


def test_the_laws_of_a_simulation_are_found():
    rng, features, arm, member, scores = trial(0, units=3000)
    values = np.maximum(0, features[:, 1] + 2 * arm * member + rng.normal(size=3000))
    laws = laws_of(values, features, arm, scores)
    draws = np.sqrt(2) * rng.normal(size=100_000)
    at = np.array([0.0, 1.0, 3.0])
    untreated = (np.maximum(draws, 0)[:, None] <= at).mean(axis=0)
    treated = (np.maximum(draws + 2, 0)[:, None] <= at).mean(axis=0)
    # About 750 units per arm and cluster: a standard error of at most 0.02.
    assert_allclose(laws.cdf(at)[:3], np.tile(untreated, (3, 1)), atol=0.06)
    assert_allclose(laws.cdf(at)[3], treated, atol=0.06)


def test_blocks_of_points_and_units_without_weight_do_not_show(monkeypatch):
    rng, features, arm, _, scores = trial(4)
    values = rng.normal(size=120)
    whole = laws_of(values, features, arm, scores)
    monkeypatch.setattr(module, "_BLOCK", 120 * 7)
    parts = laws_of(values, features, arm, scores)
    assert_allclose(parts.mass, whole.mass, atol=1e-12)
    weights = scores.weights.copy()
    weights[:5] = 0
    scores = scores._replace(weights=weights)
    wild = np.where(np.arange(120) < 5, 1e6, values)
    one = laws_of(wild, features, arm, scores)
    two = laws_of(values, features, arm, scores)
    assert_allclose(one.mass, two.mass, atol=1e-12)
    assert_allclose(one.support, two.support)


@pytest.mark.filterwarnings("ignore:collapsed")
def test_clusters_that_have_collapsed_have_no_laws():
    rng, features, arm, _, scores = trial(4)
    probs = np.concatenate([scores.probs, np.zeros((2, 120, 1))], axis=2)
    scores = scores._replace(probs=probs, probs_before=probs)
    laws = laws_of(rng.normal(size=120), features, arm, scores)
    assert list(laws.columns["cluster"]) == [1, 1, 2, 2]


@pytest.mark.filterwarnings("ignore:collapsed")
def test_without_any_cluster_left_there_are_no_laws_and_it_is_said():
    rng, features, arm, _, scores = trial(4)
    group = np.arange(120) // 60
    halves = scores._replace(group=group, fold=np.tile(group, (len(scores.fold), 1)))
    with pytest.raises(DesignError, match="all of 2 clusters have collapsed"):
        laws_of(rng.normal(size=120), features, arm, halves)
