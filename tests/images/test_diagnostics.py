"""Checks of a fit: each measure against an oracle, and each remark where it belongs."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DataError
from distcausal.images.aipw import aipw_scores, design_effects
from distcausal.images.checks import (
    balance,
    late_gain,
    mass_point,
    membership_gap,
    morans_i,
    shape,
    single_arm,
)
from distcausal.images.diagnosed import Diagnostics, warn_of
from distcausal.images.diagnostics import _residuals, diagnose
from distcausal.images.engines import SVI, EngineFit
from distcausal.images.families import as_family
from distcausal.images.model import pack, unpack
from distcausal.images.outcomes import read_outcome
from distcausal.images.posterior import posterior_of
from distcausal.images.result import ImageEffects
from distcausal.images.scores import Scores
from distcausal.images.stages import Model, layout_for
from distcausal.images.stretch import GRID, model_residuals, stretch_profile
from distcausal.images.trial import Trial, evidence_of, lane_of

SEEDS = st.integers(0, 2**32 - 1)
UNITS, DRAWS = 200, 12
PRIOR = np.random.default_rng(5).dirichlet([1.0, 1.0], size=UNITS)


def made(
    *,
    outcome=None,
    image=None,
    treatment=None,
    gap=1.5,
    variance="arm",
    bias=0.0,
    family="normal",
    course=None,
    report=None,
    flip=False,
    covariates=None,
    probs=None,
    params=None,
    ends=(),
    scatter=0.01,
):
    """A fit whose parameters are given: no search, so that one thing can go wrong."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(UNITS, 2))
    arm = rng.permutation(UNITS) % 2 if treatment is None else treatment
    member = (features[:, 0] > 0).astype(int)
    own = np.arange(UNITS) if image is None else image
    member, features = member[own], features[: own.max() + 1]
    noise = rng.normal(size=UNITS)
    values = arm * 1.5 * member + 0.5 * noise if outcome is None else outcome(arm, rng)
    covariates = np.zeros((UNITS, 0)) if covariates is None else covariates(arm, rng)
    trial = Trial(
        keys=np.arange(len(features)),
        image=own,
        ids=np.arange(UNITS),
        outcome=values[:, None],
        known_variance=np.zeros((UNITS, 1)),
        treatment=arm,
        weights=np.ones(UNITS),
        covariates=covariates,
        group=own,
        propensity=np.full(UNITS, 0.5),
        features=features,
    )
    model = Model(
        clusters=2,
        family=as_family(family),
        variance=variance,
        latent_level="image",
        image_intercepts=False,
        ate_penalty=0.0,
        engine=SVI(),
    )
    layout = layout_for(trial, model)
    lane = lane_of(trial, trial.weights, 2, layout)
    scale = lane.scale[0]
    given = {
        "head": np.array([[2.0], [0.0]]),
        "bias": bias,
        "centre": 0.75 / scale,
        "gaps": np.log(gap / scale),
        "level": -lane.centre / scale,
        "noise": np.log(0.5 / scale),
        "base_scale": -20.0,
        **({} if params is None else params),
    }
    vector = pack(given, layout)
    draws = vector + scatter * rng.normal(size=(DRAWS, len(vector)))
    restarts = np.tile(vector, (4, 1))
    for row, changed in enumerate(ends):
        restarts[row] = pack({**given, **changed}, layout)
    if flip:
        place = np.flatnonzero(vector == 2.0)[0]
        restarts[1, place], restarts[1, place + 1] = 0.0, 2.0
    share = np.eye(2)[member] if probs is None else probs
    score = aipw_scores(
        values[:, None], arm, np.zeros((2, 2, UNITS, 1)), np.full((2, UNITS), 0.5)
    )
    both = np.tile(share, (2, 1, 1))
    scores = Scores(
        np.tile(own % 2, (2, 1)),
        both,
        both[..., 1],
        score,
        both,
        both[..., 1],
        score,
        np.ones(UNITS),
        own,
    )
    images = UNITS if layout.alone else len(features)
    return ImageEffects(
        keys=trial.keys,
        posterior=posterior_of(draws, evidence_of(trial, layout), lane, layout, images),
        design=design_effects(scores),
        fit=EngineFit(
            draws=draws,
            bound=np.array([0.0, -1.0, -2.0, -500.0]),
            course=np.zeros(100) if course is None else course,
            restarts=restarts,
            report={} if report is None else report,
        ),
        trial=trial,
        scores=scores,
        plain=trial.features,
        expected=np.zeros((2, 2, UNITS, 1)),
        chance=np.full((2, UNITS), 0.5),
        encoder=None,
        outcome=read_outcome(
            dc.RandomDistributions.from_samples(list(values[:, None])), values
        ),
        model=model,
        settings={"seed": 0},
    )


def test_a_trial_that_follows_the_model_has_nothing_to_look_at():
    found = diagnose(made())
    assert found.remarks == ()
    assert found["log likelihood lost with equal effects"].value > 20
    assert found["agreement with held-out clusters"].value > 0.9
    assert not found.not_estimated.any()
    assert_allclose(found.share.sum(), 1)
    assert_allclose(found.restart_effects, [[0.0, 1.5]] * 4, atol=1e-6)
    assert_array_equal(found.agreement, 1.0)
    assert found["restarts that were equally good"].value == 3
    assert found["largest spread of an effect over those"].value < 1e-6


@pytest.mark.filterwarnings("ignore:collapsed")
@pytest.mark.parametrize(
    ("change", "name", "remedy"),
    [
        (
            {"outcome": lambda w, rng: np.maximum(rng.normal(size=UNITS), 0.0)},
            "largest share at one value",
            "family='hurdle'",
        ),
        (
            {"outcome": lambda w, rng: rng.exponential(size=UNITS) ** 2},
            "absolute skewness of residuals",
            "'lognormal'",
        ),
        (
            {
                "outcome": lambda w, rng: rng.exponential(size=UNITS),
                "variance": "arm_cluster",
            },
            "absolute skewness of residuals",
            "variance='arm'",
        ),
        (
            {"outcome": lambda w, rng: rng.standard_t(2.1, size=UNITS)},
            "excess kurtosis of residuals",
            "family='student'",
        ),
        (
            {"image": np.arange(UNITS) // 4, "treatment": np.arange(UNITS) // 4 % 2},
            "share of shared images with one arm",
            "cluster=",
        ),
        (
            {"treatment": (np.arange(UNITS) % 10 < 3).astype(int)},
            "treated share less that foreseen",
            "reference= names second",
        ),
        (
            {"course": np.linspace(0, 1000, 100)},
            "gain in the last tenth of the search",
            "steps=3000",
        ),
        ({"image": np.arange(UNITS) // 5}, "number of groups", "suggestions"),
        ({"gap": 0.01}, "gap between clusters", "with the arms exchanged"),
        ({"gap": 6.0}, "gap between clusters", "the model's clusters may describe"),
        ({"flip": True}, "least agreement of equally good restarts", "fewer"),
        ({"bias": -40.0}, "clusters that are not estimated", "Fit fewer clusters"),
        ({"bias": -40.0}, "smallest expected share", "Fit fewer clusters"),
        ({"gap": 0.01}, "log likelihood lost with equal effects", "Do not interpret"),
        ({"gap": 6.0, "bias": 8.0}, "implied less estimated", "believe the design"),
        (
            {"covariates": lambda w, rng: w[:, None] + rng.normal(size=(UNITS, 2))},
            "largest imbalance of a covariate, in errors",
            "propensity",
        ),
        (
            {"probs": np.eye(2)[np.arange(UNITS) % 2]},
            "agreement with held-out clusters",
            "compare()",
        ),
        ({"report": {"r_hat": 1.4}}, "r-hat", "warmup"),
        ({"report": {"ess": 12.0}}, "ess", "warmup"),
        ({"report": {"divergences": 3.0}}, "divergences", "warmup"),
        ({"report": {"r_hat": np.nan}}, "r-hat", "another seed or engine"),
        ({"report": {"ess": np.nan}}, "ess", "another seed or engine"),
    ],
)
def test_each_thing_that_goes_wrong_is_named_with_its_remedy(change, name, remedy):
    found = diagnose(made(**change))
    (check,) = [check for check in found.checks if check.name.startswith(name)]
    assert not check.fine
    assert remedy in check.remark
    assert check.remark in found.remarks
    with pytest.warns(dc.DistCausalWarning) as caught:
        warn_of(found.checks)
    assert len(caught) == len(found.remarks)
    kind = dc.DataWarning if check.about == "data" else dc.InferenceWarning
    assert any(
        str(one.message) == check.remark and one.category is kind for one in caught
    )


@pytest.mark.parametrize("family", ["normal", "lognormal"])
def test_a_penalty_is_advised_only_where_it_is_allowed(family):
    def outcome(arm, rng):
        return np.exp(0.5 * rng.normal(size=UNITS) + arm)

    checks = diagnose(made(family=family, outcome=outcome)).checks
    (check,) = [one for one in checks if one.name.startswith("implied less estimated")]
    assert ("ate_penalty" in check.remark) == (family == "normal")


def test_clusters_that_coefficients_order_otherwise_are_the_same_clusters():
    """Of a hurdle only participation differs: both ways to name clusters are open."""

    def outcome(arm, rng):
        return (rng.random(UNITS) < 0.4 + 0.3 * arm) * (4 + rng.normal(size=UNITS))

    head = np.array([[2.0], [1.0]])
    alike = {"level": [4.0, -0.5], "centre": 0.0, "gaps": -30.0, "noise": 0.0}
    along = {**alike, "shape": [[0.0], [2.5]], "head": head}
    against = {**alike, "shape": [[2.5], [0.0]], "head": -head}
    settings = {"family": "hurdle", "outcome": outcome, "scatter": 0.0}
    one, other = (made(params=own, **settings) for own in (along, against))
    assert one.posterior.order.tolist() == [0, 1]
    assert other.posterior.order.tolist() == [1, 0]
    first, second = diagnose(one), diagnose(other)
    assert_allclose(first.log_likelihood, second.log_likelihood, atol=1e-6)
    assert np.ptp(first.log_likelihood) > 1
    left = [_residuals(fit, fit.fit.draws[0], PRIOR) for fit in (one, other)]
    assert_allclose(*left, atol=1e-9)
    assert np.ptp(left[0][:, 1]) > 2
    mixed = made(params=along, ends=[along, against], **settings)
    assert_allclose(np.ptp(diagnose(mixed).restart_effects, axis=0), 0, atol=1e-6)


def test_gaps_are_compared_over_the_same_units():
    """Half of the units are taken for the other cluster: both gaps are nothing then."""
    name = "gap between clusters, model less design, in errors"
    fit = made(gap=3.0)
    apart = diagnose(fit)[name].value
    design, member = fit.design, np.eye(2)[fit.scores.probs[0].argmax(axis=1)]
    effect = fit.cate().mean
    gap = effect @ (
        member[:, 1] / member[:, 1].sum() - member[:, 0] / member[:, 0].sum()
    )
    # Influences of two clusters without units in common are uncorrelated.
    error = np.hypot(*design.std_error[:, 0])
    expected = abs(gap - np.diff(design.estimate[:, 0])[0]) / error
    assert_allclose(apart, expected, rtol=1e-9)
    assert apart > 4
    blind = np.eye(2)[np.arange(UNITS) % 2]
    assert diagnose(made(gap=3.0, probs=blind))[name].fine


def test_memberships_that_rest_on_outcomes_are_seen():
    fit = made(bias=0.0)
    weak = replace(
        fit.posterior,
        weights=np.zeros_like(fit.posterior.weights),
        bias=np.zeros_like(fit.posterior.bias),
    )
    found = diagnose(replace(fit, posterior=weak))
    assert not found["gap of posterior and prior membership"].fine


def test_residuals_of_near_places_are_compared():
    x, y = np.meshgrid(np.arange(20.0), np.arange(10.0))
    places = np.column_stack([x.ravel(), y.ravel()])
    wave = np.sin(places[:, 0] / 3)
    near = diagnose(
        made(outcome=lambda w, rng: wave + 0.1 * rng.normal(size=UNITS)), coords=places
    )
    assert not near["Moran's I of residuals, standard score"].fine
    far = diagnose(made(), coords=places)
    assert far["Moran's I of residuals, standard score"].fine
    with pytest.raises(DataError, match="two numbers for each of the 200 units"):
        diagnose(made(), coords=places[:3])
    lost = np.where(np.arange(200)[:, None] == 7, np.nan, places)
    with pytest.raises(DataError, match=r"; 1 of 200 .*missing or infinite \(7\)"):
        diagnose(made(), coords=lost)
    with pytest.raises(DataError, match=r"not numbers: \['x', 'place'\].*frame"):
        diagnose(made(), coords=["x", "place"])
    with pytest.raises(DataError, match=r"all 200 units are at one, \(1, 2\)"):
        diagnose(made(), coords=np.tile([1.0, 2.0], (200, 1)))


def test_the_profile_is_the_likelihood_of_a_stretched_fit():
    fit = made()
    trial, layout = fit.trial, layout_for(fit.trial, fit.model)
    vector, share = fit.fit.draws.mean(axis=0), np.array([0.5, 0.5])
    profile = stretch_profile(trial, layout, vector, share)
    named = {name: np.array(part) for name, part in unpack(vector, layout).items()}
    # With equal shares the mean stays, and the gap is what is stretched.
    twice = pack({**named, "gaps": named["gaps"] + np.log(2.0)}, layout)
    again = stretch_profile(trial, layout, twice, share)
    assert_allclose(again[GRID == 1.0], profile[GRID == 2.0], rtol=1e-10)
    assert 0.7 <= GRID[profile.argmax()] <= 1.3
    # At zero effects are equal and memberships say nothing: a regression on the arm.
    uneven = stretch_profile(trial, layout, vector, np.array([0.9, 0.1]))
    lane = lane_of(trial, trial.weights, 2, layout)
    rows = (trial.outcome[:, 0] - lane.centre[0]) / lane.scale[0]
    base = 3 * np.exp(named["base_scale"]) * (trial.features @ named["base"])[:, 0]
    left = rows - named["level"][0] - base
    sd = np.exp(named["noise"][:, 0])[trial.treatment]
    low = named["centre"] - 0.4 * np.exp(named["gaps"][0])
    for found, mean in ((profile, named["centre"]), (uneven, low)):
        scaled = (left - trial.treatment * mean) / sd
        density = -0.5 * scaled**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        assert_allclose(found[0], density.sum(), rtol=1e-9)
    member = np.random.default_rng(0).dirichlet([1.0, 1.0], size=UNITS)
    half = np.exp(named["gaps"][0]) / 2
    own = trial.treatment * (named["centre"] + half * (member[:, 1] - member[:, 0]))
    residual = model_residuals(trial, layout, vector, member)
    assert_allclose(residual[:, 0], left - own, atol=1e-9)


def test_frames_tables_and_figures_hold_what_was_found():
    found = diagnose(made(course=np.linspace(0, 1000, 100)))
    assert Diagnostics.from_json(found.to_json()) == found
    assert list(found.tidy()["fine"]).count(False) == 1
    assert found.glance().loc[0, "look"] == 1
    text = found.summary().as_text()
    assert "look" in text
    assert "steps=3000" in text
    ax = found.plot()
    assert_allclose(ax.lines[0].get_ydata(), found.log_likelihood)
    plt.close("all")
    with pytest.raises(KeyError, match="is not one of"):
        found["height"]


def test_values_that_hardly_any_units_share_are_no_mass_point():
    assert mass_point(np.arange(12.0), np.ones(12)).share == 0
    pairs = np.append(np.repeat(np.arange(6.0), 4), [9.0])
    assert mass_point(pairs, np.ones(25)).share == 0
    alone = mass_point(np.append(pairs, [5.0]), np.append(np.ones(24), [30.0, 1.0]))
    assert_allclose(alone, (5.0, 5 / 55))
    assert mass_point(np.zeros(9), np.append(np.ones(4), np.zeros(5))).share == 0


@given(SEEDS)
def test_shape_is_that_of_scipy(seed):
    from scipy import stats

    values = np.random.default_rng(seed).gamma(2.0, size=50)
    skew, tails = shape(np.repeat(values, 2), np.ones(100))
    assert_allclose(skew, stats.skew(values), rtol=1e-9)
    assert_allclose(tails, stats.kurtosis(values), rtol=1e-9, atol=1e-9)
    assert_allclose(shape(values, np.full(50, 3.0)), (skew, tails), rtol=1e-9)
    assert shape(np.full(9, 0.1), np.ones(9)) == (0.0, 0.0)


@given(SEEDS)
@settings(max_examples=10)
def test_morans_i_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    coords, values = rng.normal(size=(40, 2)), rng.normal(size=40)
    apart = np.linalg.norm(coords[:, None] - coords[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    matrix = np.zeros((40, 40))
    for row, order in enumerate(apart.argsort(axis=1)[:, :8]):
        matrix[row, order] = 1 / 8
    moved = values - values.mean()
    found = morans_i(values, coords)
    assert_allclose(found.value, moved @ matrix @ moved / (moved @ moved), rtol=1e-9)
    # Moments of a ratio of quadratic forms in independent normal values: the ratio is
    # independent of its denominator.
    centre = np.eye(40) - 1 / 40
    form = centre @ (matrix + matrix.T) @ centre / 2
    trace, square = np.trace(form), np.trace(form @ form)
    assert_allclose(found.expected, trace / 39, rtol=1e-9)
    variance = (trace**2 + 2 * square) / (39 * 41) - (trace / 39) ** 2
    assert_allclose(
        ((found.value - found.expected) / found.z) ** 2, variance, rtol=1e-9
    )


def test_morans_i_bears_places_that_coincide_and_values_that_do_not_vary():
    places = np.zeros((12, 2))
    assert morans_i(np.ones(12), places).z == 0.0
    assert np.isfinite(morans_i(np.arange(12.0), places).value)
    assert morans_i(np.array([1.0]), places[:1]).z == 0.0


@given(SEEDS)
def test_balance_is_a_difference_of_weighted_means(seed):
    rng = np.random.default_rng(seed)
    rows, arm = rng.normal(size=(30, 2)), rng.permutation(30) % 2
    member = rng.dirichlet(np.ones(3), size=30)
    chance = rng.uniform(0.2, 0.8, 30)
    found, error = balance(rows, arm, member, np.ones(30), chance)
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    treated = arm == 1
    for k in range(3):
        mean = [
            np.average(scaled[side], axis=0, weights=member[side, k] / odds[side])
            for side, odds in ((treated, chance), (~treated, 1 - chance))
        ]
        assert_allclose(found[k], mean[0] - mean[1], atol=1e-9)
    assert (error > 0).all()
    none, _ = balance(rows, np.ones(30), member, np.ones(30), np.full(30, 0.5))
    assert not none.any()


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_a_fair_lottery_of_pairs_is_not_taken_for_one_of_places(share):
    rng = np.random.default_rng(0)
    image, over, chances = np.arange(160) // 2, [], []
    for _ in range(200):
        arm = (rng.random(160) < share).astype(int)
        found = single_arm(image, arm, np.ones(160), np.full(160, share))
        over.append(found.share > found.chance + 4 * found.error)
        chances.append(found.share)
    assert found.chance == pytest.approx(share**2 + (1 - share) ** 2)
    assert np.mean(chances) == pytest.approx(found.chance, abs=0.02)
    assert np.std(chances) == pytest.approx(found.error, rel=0.2)
    assert not any(over)
    by_place = single_arm(image, np.repeat(np.arange(80) % 2, 2), np.ones(160))
    assert by_place.share > by_place.chance + 4 * by_place.error


def test_small_measures_are_what_they_say():
    values, heavy = np.repeat([1.0, 2.0], 5), np.repeat([9.0, 1.0], 5)
    assert mass_point(values, heavy) == (1.0, 0.9)
    image, arm = np.array([0, 0, 1, 1, 2, 3, 3]), np.array([1, 1, 0, 1, 1, 0, 0])
    assert single_arm(image, arm, np.ones(7))[:2] == (2 / 3, 3)
    assert single_arm(np.arange(4), np.array([0, 1, 0, 1]), np.ones(4))[:2] == (0, 0)
    assert late_gain(np.ones(100)) == (0.0, 0.0)
    assert late_gain(np.ones(1)) == (0.0, 0.0)
    gain, error = late_gain(np.random.default_rng(0).normal(size=4000))
    assert abs(gain) < 4 * error
    assert_allclose(error, np.sqrt(2 / 400), rtol=0.15)
    one, two = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    assert membership_gap(one, two, np.array([1.0, 3.0])) == 0.25
