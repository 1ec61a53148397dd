"""Effect curves: what is averaged over levels is the effect on the mean."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DesignError
from distcausal.images import curves as module
from distcausal.images.aipw import aipw_scores, design_effects
from distcausal.images.cluster_curves import ClusterCurves
from distcausal.images.curves import arm_scores, cluster_curves
from distcausal.images.outcomes import read_outcome
from distcausal.images.posterior import Posterior
from distcausal.images.scores import Scores

SEEDS = st.integers(0, 2**32 - 1)


def held_out(seed, outcome, clusters=2, splits=2, groups=20):
    """Scores of random rules, with random nuisances: the algebra holds for any."""
    rng = np.random.default_rng(seed)
    units = len(outcome.values)
    treatment = rng.permutation(np.arange(units) % 2)
    expected = rng.normal(size=(2, splits, units, outcome.size))
    propensity = rng.uniform(0.3, 0.7, size=(splits, units))
    score = aipw_scores(outcome.values, treatment, expected, propensity)
    probs = rng.dirichlet(np.ones(clusters), size=(splits, units))
    group = np.arange(units) % groups
    fold = np.tile(group % 2, (splits, 1))
    effect = probs @ np.arange(clusters)
    weights = rng.uniform(0.5, 2, units)
    scores = Scores(fold, probs, effect, score, probs, effect, score, weights, group)
    return treatment, scores, expected, propensity


def laws(seed, units=40):
    rng = np.random.default_rng(seed)
    spread = np.exp(0.3 * rng.normal(size=(units, 1)))
    drawn = rng.normal(size=(units, 1)) + spread * rng.normal(size=(units, 30))
    return dc.RandomDistributions.from_samples(list(drawn))


def curves_of(seed, data, outcome=None, levels=None, clusters=2, **options):
    found = read_outcome(data, outcome, levels=levels)
    treatment, scores, expected, propensity = held_out(seed, found, clusters)
    design = design_effects(scores, assign=options.pop("assign", "argmax"))
    curves = cluster_curves(
        found, treatment, scores, expected, propensity, design=design, **options
    )
    return curves, design, found


@given(SEEDS, st.sampled_from([1, 3]), st.sampled_from(["argmax", "soft"]))
def test_curves_average_to_the_effects_on_the_mean(seed, clusters, assign):
    curves, design, found = curves_of(
        seed, laws(seed), clusters=clusters, assign=assign, draws=39
    )
    assert_allclose(curves.effect @ found.mass, design.estimate[:, 0], atol=1e-12)
    assert_allclose(curves.average @ found.mass, design.average[0], atol=1e-12)
    assert_allclose(curves.share @ curves.effect, curves.average, atol=1e-12)
    # All coordinates, where the basis keeps everything it is asked for.
    rows = (curves.effect * found.mass) @ found.basis.T
    assert_allclose(rows, design.estimate, atol=1e-12)


@given(SEEDS)
def test_numbers_and_point_masses_have_the_effects_of_the_scalar_path(seed):
    number = np.random.default_rng(seed).normal(size=40)
    data = dc.RandomDistributions.from_samples(list(number[:, None]))
    plain, design, _ = curves_of(seed, data, number, draws=39)
    whole, _, _ = curves_of(seed, data, levels=[0.2, 0.5, 0.9], draws=39)
    for curves in (plain, whole):
        count = curves.levels.size
        assert_allclose(curves.effect, np.tile(design.estimate, count), rtol=1e-12)
        assert_allclose(curves.std_error, np.tile(design.std_error, count), rtol=1e-12)
    assert_allclose(plain.conf_int()[0], design.conf_int()[0], rtol=1e-12)
    for end, same in zip(plain.band(0.9), design.conf_int(0.9), strict=True):
        assert_allclose(end, same, rtol=1e-12)


@given(SEEDS)
def test_scores_of_arms_differ_by_the_score_of_the_effect(seed):
    rng = np.random.default_rng(seed)
    outcome, arm = rng.normal(size=(6, 2)), rng.integers(0, 2, 6)
    expected, chance = rng.normal(size=(2, 3, 6, 2)), rng.uniform(0.1, 0.9, (3, 6))
    untreated, treated = arm_scores(outcome, arm, expected, chance)
    assert_allclose(treated - untreated, aipw_scores(outcome, arm, expected, chance))


@given(SEEDS, st.sampled_from([1e-3, 1e3]), st.sampled_from([-5.0, 100.0]))
@settings(max_examples=10)
def test_curves_follow_changes_of_unit_and_origin(seed, scale, shift):
    levels = np.arange(1, 10) / 10
    rows = np.array(laws(seed).quantiles(levels))
    one, two = (
        read_outcome(dc.RandomDistributions.from_quantiles(part, levels), levels=levels)
        for part in (rows, shift + scale * rows)
    )
    treatment, scores, expected, propensity = held_out(seed, one)
    design = design_effects(scores)
    first = cluster_curves(
        one, treatment, scores, expected, propensity, design=design, draws=39
    )
    other = scale * expected
    other[..., 0] += shift
    second = cluster_curves(
        two, treatment, scores, other, propensity, design=design, draws=39
    )
    assert_allclose(second.effect, scale * first.effect, atol=1e-5 * scale)
    assert_allclose(second.treated, shift + scale * first.treated, atol=1e-5 * scale)
    assert_allclose(second.band()[1], scale * first.band()[1], atol=1e-4 * scale)


def test_the_band_of_a_number_is_its_interval_in_students_law():
    number = np.random.default_rng(4).normal(size=40)
    found = read_outcome(dc.RandomDistributions.from_samples([[0.0]] * 40), number)
    treatment, scores, expected, propensity = held_out(4, found, groups=6)
    design = design_effects(scores)
    curves = cluster_curves(
        found, treatment, scores, expected, propensity, design=design, draws=9999
    )
    low, high = curves.band()
    # The 95th percentile of 9,999 draws errs by 1 per cent (one sd) in this law.
    assert_allclose(
        (high - low)[:, 0], np.diff(design.conf_int(), axis=0)[0, :, 0], 0.04
    )
    assert (design.df[:-1] < 5).all()


def test_blocks_of_levels_do_not_show(monkeypatch):
    whole, _, _ = curves_of(3, laws(3))
    monkeypatch.setattr(module, "_BLOCK", 2 * 2 * 40 * 7)
    parts, _, _ = curves_of(3, laws(3))
    assert_allclose(parts.effect, whole.effect, rtol=1e-12)
    assert_allclose(parts.std_error, whole.std_error, rtol=1e-12)
    assert_allclose(parts.treated, whole.treated, rtol=1e-12)


@given(SEEDS)
@settings(max_examples=10)
def test_bands_contain_intervals_and_joint_bands_contain_both(seed):
    curves, _, _ = curves_of(seed, laws(seed))
    interval, band = curves.conf_int(0.9), curves.band(0.9)
    joint = curves.band(0.9, over="clusters")
    # Draws of the largest error give its quantile up to the noise of 999 draws.
    slack = 0.1 * curves.std_error
    assert (band[0] <= interval[0] + slack).all()
    assert (joint[0] <= band[0] + 1e-12).all()
    assert (band[1] <= joint[1] + 1e-12).all()
    factor = (joint[1] - joint[0]) / 2 / curves.std_error
    assert_allclose(factor, factor[0, 0])
    assert_allclose((curves.sups[:, :2].max(axis=1) <= factor[0, 0]).mean(), 0.9, 0.01)


@given(SEEDS)
@settings(max_examples=10)
def test_a_band_excludes_zero_exactly_where_the_test_rejects(seed):
    curves, _, _ = curves_of(seed, laws(seed), draws=99)
    for confidence in (0.05, 0.2, 0.5, 0.8, 0.95):
        low, high = curves.band(confidence)
        zero = (low > 0).any(axis=1) | (high < 0).any(axis=1)
        # Ranks of 99 draws: p-values are whole hundredths, and rounding is far off.
        assert_array_equal(zero, curves.p_value < 1.005 - confidence)


@pytest.mark.slow
def test_bands_cover_the_whole_curve_as_often_as_they_say():
    rng = np.random.default_rng(5)
    levels = np.arange(1, 10) / 10
    normal = np.array([-1.28, -0.84, -0.52, -0.25, 0, 0.25, 0.52, 0.84, 1.28])
    covered = []
    for _ in range(300):
        units = 160
        member, arm = np.arange(units) % 2, rng.permutation(np.arange(units) % 2)
        mean = rng.normal(size=units)
        spread = np.exp(0.3 * rng.normal(size=units)) * (1 + member * arm)
        data = dc.RandomDistributions.from_quantiles(
            mean[:, None] + spread[:, None] * normal, levels
        )
        outcome = read_outcome(data, levels=levels)
        expected = np.zeros((2, 1, units, outcome.size))
        score = aipw_scores(outcome.values, arm, expected, np.full((1, units), 0.5))
        probs = np.eye(2)[member][None]
        scores = Scores(
            member[None],
            probs,
            probs[..., 1],
            score,
            probs,
            probs[..., 1],
            score,
            np.ones(units),
            np.arange(units),
        )
        curves = cluster_curves(
            outcome,
            arm,
            scores,
            expected,
            np.full((1, units), 0.5),
            design=design_effects(scores),
            draws=499,
        )
        truth = np.exp(0.045) * normal * np.array([[0.0], [1.0]])
        low, high = curves.band(0.9)
        covered.append(((low <= truth) & (truth <= high)).all(axis=1))
    # 600 bands: one standard error is 1.2 per cent.
    assert 0.865 <= np.mean(covered) <= 0.935


def test_average_laws_come_back_as_data():
    curves, _, found = curves_of(1, laws(1), clusters=3)
    data = curves.distributions
    assert list(data.columns["treatment"]) == [0, 1] * 3
    assert data.ids[1] == "cluster 1, treated"
    assert_allclose(data.columns["share"][::2].sum(), 1)
    assert_array_equal(data.quantiles(found.levels)[::2], curves.untreated[:-1])
    assert (np.diff(curves.treated, axis=1) >= 0).all()
    assert curves.moved > 0  # nuisances at random need it


def test_a_cluster_without_units_says_so():
    outcome = read_outcome(laws(2))
    treatment, scores, expected, propensity = held_out(2, outcome)
    probs = np.concatenate([scores.probs, np.zeros((2, 40, 1))], axis=2)
    scores = scores._replace(probs=probs, probs_before=probs)
    with pytest.warns(dc.InferenceWarning, match="collapsed: cluster 3 of 3"):
        design = design_effects(scores)
    curves = cluster_curves(
        outcome, treatment, scores, expected, propensity, design=design
    )
    assert np.isnan(curves.effect[2]).all()
    assert np.isnan(curves.band()[0][2]).all()
    assert np.isfinite(curves.effect[:2]).all()
    assert "not estimated" in curves.summary().as_text()
    assert len(curves.distributions) == 4
    assert np.isnan(curves.p_value[2])
    curves.plot()


def with_model(seed=1):
    data = laws(seed)
    found = read_outcome(data)
    rng = np.random.default_rng(seed)
    posterior = Posterior(
        weights=np.zeros((50, 2, 2)),
        bias=np.zeros((50, 2)),
        effects=np.sort(rng.normal(size=(50, 2, found.size)), axis=1),
        noise=np.ones((50, 2, 2, found.size)),
        responsibility=np.full((40, 2), 0.5),
    )
    return curves_of(seed, data, posterior=posterior), posterior


def test_the_models_curves_are_its_effects_on_the_basis():
    (curves, _, found), posterior = with_model()
    assert_allclose(
        curves.model_effect @ found.mass, posterior.effects[..., 0].mean(axis=0)
    )
    low, high = curves.model_conf_int(0.5)
    assert (low < high).all()
    assert (low < curves.model_effect).mean() > 0.9
    plain, _, _ = curves_of(1, laws(1))
    with pytest.raises(DesignError, match="no posterior draws"):
        _ = plain.model_effect


def test_frames_tables_and_json_hold_what_the_object_does():
    (curves, _, _), _ = with_model()
    frame = curves.tidy()
    assert len(frame) == 2 * 99
    assert_allclose(frame["band_low"], curves.band()[0].ravel())
    assert "model_estimate" in frame
    assert "treated" in curves.plot_data()
    assert ClusterCurves.from_json(curves.to_json()) == curves
    assert len(curves.summary().rows) == 14
    assert curves.glance().loc[0, "levels"] == 99


def test_figures_show_every_cluster():
    (curves, _, _), _ = with_model()
    # Two curves of the design and two of the model; two laws in each of two clusters.
    for kind, named in (("effect", 3), ("laws", 4)):
        ax = curves.plot(kind=kind)
        assert len(ax.get_legend().get_texts()) == named
        ax.figure.canvas.draw()
        below = ax.get_legend().get_window_extent().y0
        assert below >= ax.get_window_extent().y1
        assert sum(len(line.get_xdata()) == 99 for line in ax.lines) == 4
        plt.close(ax.figure)
    with pytest.raises(DesignError, match="'effect', 'laws'"):
        curves.plot(kind="map")
