"""Likelihoods against scipy's, their units, refusals and effects on the mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal._base.precision import double
from distcausal.errors import DataError, DesignError
from distcausal.images.families import Normal, as_family
from tests.images import model_cases as of
from tests.oracles import images_model as oracle

SEEDS = st.integers(0, 2**32 - 1)
NAMES = (
    "normal",
    "student",
    "hurdle",
    "bernoulli",
    "poisson",
    "negative_binomial",
    "lognormal",
)
SCALED = ("normal", "student", "hurdle")


def outcomes(name, rng, units=40):
    """Outcomes that a family takes, ``(unit, 1)``, with both arms in them."""
    normal = rng.normal(size=units)
    found = {
        "normal": normal,
        "student": rng.standard_t(3, units),
        "hurdle": np.where(np.arange(units) % 4 < 2, 3.0, normal),
        "bernoulli": (normal > 0.3).astype(float),
        "poisson": rng.poisson(2.0, units).astype(float),
        "negative_binomial": rng.poisson(rng.gamma(1, 2, units)).astype(float),
        "lognormal": np.exp(normal),
    }[name]
    return found[:, None]


def sample(name, seed, units=40):
    rng = np.random.default_rng(seed)
    treatment = np.tile([0, 1], units // 2)
    return outcomes(name, rng, units), treatment, rng.uniform(0.2, 2, units)


def extra_of(name):
    return {"tail": np.array(1.0)} if name == "student" else {}


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_densities_are_those_of_scipy(name, seed):
    family = as_family(name)
    values, treatment, weights = sample(name, seed)
    ready = family.prepare(values, treatment, weights)
    rng = np.random.default_rng(seed)
    units, columns, clusters = len(values), family.columns(1), 3
    baseline = rng.normal(size=(units, columns))
    effect = treatment[:, None, None] * rng.normal(size=(units, clusters, columns))
    variance = rng.uniform(0.2, 2, size=(units, clusters, columns))
    inside = (ready.outcome - ready.shift) / ready.scale
    extra = extra_of(name)
    found = double(family.log_density)(inside, baseline, effect, variance, extra)
    predictor = baseline[:, None, :] + effect
    own = inside[:, :1] if name == "hurdle" else values
    if name in ("normal", "student"):
        own = inside
    expected = oracle.log_densities(
        name,
        own,
        predictor if name == "hurdle" else predictor[..., 0],
        np.sqrt(variance[..., 0]),
        2 + np.e,
    )
    # Gamma functions of sizes up to ten lose a few digits in both.
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_means_are_those_of_scipy(name, seed):
    family = as_family(name)
    rng = np.random.default_rng(seed)
    predictor = rng.normal(size=(5, family.columns(1)))
    variance = rng.uniform(0.2, 2, size=predictor.shape)
    found = double(family.mean)(predictor, variance, extra_of(name))
    own = predictor if name == "hurdle" else predictor[..., 0]
    expected = oracle.means(name, own, np.sqrt(variance[..., 0]))
    assert found.shape == (5, 1)
    assert_allclose(found[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_units_without_weight_have_no_say(name, seed):
    values, treatment, weights = sample(name, seed)
    weights[::3] = 0.0
    family = as_family(name)
    moved = values.copy()
    # Another unit's value is one that the family takes.
    moved[::3] = values[1]
    first = family.prepare(values, treatment, weights)
    second = family.prepare(moved, treatment, weights)
    for one, other in zip(first[1:], second[1:], strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS, unit=st.integers(0, 39))
def test_two_halves_of_a_unit_are_prepared_as_the_unit(name, seed, unit):
    values, treatment, weights = sample(name, seed)
    family = as_family(name)
    row = np.append(np.arange(len(values)), unit)
    half = weights[row]
    half[[unit, -1]] /= 2
    first = family.prepare(values, treatment, weights)
    second = family.prepare(values[row], treatment[row], half)
    for one, other in zip(first[1:], second[1:], strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SCALED)
@given(seed=SEEDS, scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_units_follow_the_outcome(name, seed, scale, shift):
    values, treatment, weights = sample(name, seed)
    family = as_family(name)
    first = family.prepare(values, treatment, weights)
    second = family.prepare(scale * values + shift, treatment, weights)
    assert_allclose(second.scale[0], scale * first.scale[0], rtol=1e-10)
    inside = [(one.outcome - one.shift) / one.scale for one in (first, second)]
    assert_allclose(inside[1], inside[0], atol=1e-9)
    assert_allclose(second.effect, first.effect, atol=1e-9)
    assert_allclose(second.level, first.level, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_effects_on_the_mean_are_differences_averaged_over_units(name, seed):
    family = as_family(name)
    case = of.case(seed, of.layout_of(2, family=family))
    effects = of.effects(case)
    params, evidence, lane = case.params, case.evidence, case.lane
    base = np.exp(params["base_scale"]) * params["base"]
    level = (evidence.features @ base + params["level"])[evidence.image]
    level = level + evidence.covariates @ params["slopes"]
    noise = np.exp(params["noise"]) if params["noise"].size else np.ones((2, 1))
    means = [
        oracle.means(
            name,
            part if name == "hurdle" else part[..., 0],
            noise[arm, 0],
        )
        for arm, part in enumerate(
            [level[:, None] + 0 * effects, level[:, None] + effects]
        )
    ]
    expected = np.average(means[1] - means[0], axis=0, weights=lane.weights)
    assert_allclose(
        of.mean_effect(case)[:, 0], lane.scale[0] * expected, rtol=1e-9, atol=1e-12
    )


@given(SEEDS)
def test_effects_on_a_linear_predictor_that_is_the_mean_stay_as_they_are(seed):
    case = of.case(seed, of.layout_of(3))
    control, treated = of.means_by_arm(case)
    inside = of.mean_effect(case) / case.lane.scale
    for unit in treated - control:
        assert_allclose(unit, inside, atol=1e-12)


def test_a_negative_binomial_without_spread_is_a_poisson():
    counts = np.arange(6.0)[:, None]
    zero, variance = np.zeros((6, 1, 1)), np.full((6, 1, 1), 1e-8)
    rate = np.full((6, 1), 0.7)
    parts = [
        double(as_family(name).log_density)(counts, rate, zero, variance, {})
        for name in ("negative_binomial", "poisson")
    ]
    # They differ by the spread times squares of the counts.
    assert_allclose(parts[0], parts[1], atol=1e-6)


def test_tails_of_many_degrees_of_freedom_are_normal():
    values = np.linspace(-2, 2, 5)[:, None]
    level, zero, variance = np.zeros((5, 1)), np.zeros((5, 1, 1)), np.ones((5, 1, 1))
    parts = [
        double(family.log_density)(values, level, zero, variance, {})
        for family in (dc.StudentT(df=1e7), Normal())
    ]
    # They differ by the fourth power of the residual over the degrees of freedom.
    assert_allclose(parts[0], parts[1], atol=1e-5)


def test_learnt_degrees_of_freedom_have_their_prior():
    family = dc.StudentT()
    tails = np.array([-1.0, 2.0])
    found = [double(family.log_prior)({"tail": tail}) for tail in tails]
    df = np.exp(tails)
    # Gamma(2, 0.1) has density df exp(-0.1 df); the logarithm adds a factor df.
    assert_allclose(found[1] - found[0], np.diff(2 * np.log(df) - 0.1 * df)[0])


def test_given_degrees_of_freedom_are_no_parameter():
    assert dc.StudentT(df=4).extra(1) == {}
    assert double(dc.StudentT(df=4).log_prior)({}) == 0


def test_one_far_outcome_does_not_move_the_units_of_heavy_tails():
    values, treatment, weights = sample("student", 1)
    far = values.copy()
    far[np.argmax(values)] = 1e6
    family = as_family("student")
    found = [family.prepare(one, treatment, weights).scale for one in (values, far)]
    assert_allclose(found[1], found[0], rtol=1e-12)


def test_the_mass_point_is_the_most_frequent_value():
    values, treatment, weights = sample("hurdle", 0)
    found = as_family("hurdle").prepare(values, treatment, weights)
    assert found.shift[0] == 3.0
    assert_array_equal(found.outcome[:, 1], values[:, 0] != 3.0)
    given_ = dc.Hurdle(at=3.0).prepare(values, treatment, weights)
    assert_array_equal(given_.outcome, found.outcome)


def test_prior_centres_are_where_the_arms_are():
    treatment, weights = np.tile([0, 1], 500), np.ones(1000)
    counts = np.where(treatment == 1, 6.0, 2.0)[:, None]
    found = as_family("poisson").prepare(counts, treatment, weights)
    # A thousandth of the 4000 events and of the 1000 units is added to either arm.
    rate = [(1000 + 4) / 501, (3000 + 4) / 501]
    assert_allclose(found.level, np.log(rate[0]))
    assert_allclose(found.effect, np.log(rate[1] / rate[0]))
    answer = np.where(treatment == 1, np.arange(1000) < 800, np.arange(1000) < 200)
    found = as_family("bernoulli").prepare(1.0 * answer[:, None], treatment, weights)
    odds = np.log([(100 + 1) / (400 + 1), (400 + 1) / (100 + 1)])
    assert_allclose(found.level, odds[0])
    assert_allclose(found.effect, odds[1] - odds[0])


@pytest.mark.parametrize("name", NAMES)
def test_an_arm_where_all_are_alike_has_finite_centres(name):
    values, treatment, weights = sample(name, 3)
    if name in ("bernoulli", "poisson", "negative_binomial"):
        values = np.where(treatment[:, None] == 1, values, 0.0)
    found = as_family(name).prepare(values, treatment, weights)
    assert all(np.isfinite(part).all() for part in found)


@pytest.mark.parametrize(
    ("name", "bad", "rule"),
    [
        ("bernoulli", 2.0, "outcomes 0 or 1, but 2 of 40 units .*2"),
        ("poisson", -1.0, "counts 0, 1, 2, .*, but 2 of 40 units"),
        ("negative_binomial", 0.5, "counts 0, 1, 2, .*, but 2 of 40 units .*0.5"),
        ("lognormal", 0.0, "positive outcomes, but 2 of 40 units .*hurdle"),
    ],
)
def test_outcomes_that_a_family_does_not_have_are_counted(name, bad, rule):
    values, treatment, weights = sample(name, 2)
    values[[0, 7]] = bad
    with pytest.raises(DataError, match=rule):
        as_family(name).prepare(values, treatment, weights)


def test_a_hurdle_without_a_mass_point_is_refused_with_the_counts():
    values, treatment, weights = sample("normal", 2)
    with pytest.raises(DataError, match=r"of 40 units 1 is at .*Hurdle\(at=0.0\)"):
        as_family("hurdle").prepare(values, treatment, weights)
    with pytest.raises(DataError, match="0 are at 9"):
        dc.Hurdle(at=9.0).prepare(values, treatment, weights)


def test_a_hurdle_that_an_arm_never_takes_is_refused():
    values, treatment, weights = sample("hurdle", 2)
    values[treatment == 1] = 3.0
    with pytest.raises(DataError, match="0 are off 3 among treated units"):
        as_family("hurdle").prepare(values, treatment, weights)


@pytest.mark.parametrize("name", NAMES[1:])
def test_only_normal_noise_goes_with_distributions(name):
    values, treatment, weights = sample(name, 2)
    with pytest.raises(DesignError, match=r"written in 2 coefficients.*'normal'"):
        as_family(name).prepare(np.hstack([values, values]), treatment, weights)


@pytest.mark.parametrize("family", ["gaussian", 3, None])
def test_families_that_do_not_exist_are_refused_with_a_list(family):
    with pytest.raises(DesignError, match=r"is not one of 'normal', 'student'"):
        as_family(family)


@pytest.mark.parametrize("df", [2, 0, -1.0])
def test_tails_without_a_variance_are_refused(df):
    with pytest.raises(DesignError, match="more than 2"):
        dc.StudentT(df=df)


def test_an_object_with_options_stays_as_it_is():
    family = dc.Hurdle(at=1.0)
    assert as_family(family) is family
    assert as_family("hurdle") == dc.Hurdle()
