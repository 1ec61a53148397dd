"""The mode by expectation and maximisation, against the model it is a mode of."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DesignError
from distcausal.images import em, em_steps
from distcausal.images.engines import Problem, starts
from distcausal.images.families import as_family
from tests.images import model_cases as of

SEEDS = st.integers(0, 2**32 - 1)
VARIANCES = ("common", "arm", "arm_cluster")


def plain(seed, clusters=2, active=None, **options):
    """A case that the engine takes: no known noise, no pull to an average."""
    case = of.case(seed, of.layout_of(clusters, **options), active=active)
    evidence = case.evidence._replace(known_variance=0 * case.evidence.known_variance)
    lane = case.lane._replace(ate=np.array([0.0, 1.0, 0.0]))
    return case._replace(evidence=evidence, lane=lane)


def problem_of(case, restarts=1):
    begin = np.tile(case.vector, (restarts, 1))
    return Problem(case.evidence, case.lane, case.layout, begin)


def opened(case):
    rows = em.rows_of(problem_of(case))
    return rows, em_steps.opened(rows, case.vector)


@pytest.mark.parametrize("variance", VARIANCES)
@given(seed=SEEDS, clusters=st.sampled_from([1, 2, 3]))
def test_the_likelihood_is_the_models(variance, seed, clusters):
    case = plain(seed, clusters, variance=variance)
    rows, state = opened(case)
    share, found = em_steps.expect(rows, state)
    # Images without units have likelihood one.
    assert_allclose(found, of.log_likelihood(case).sum(), rtol=1e-10)
    assert_allclose(share.sum(axis=1), 1)


@given(SEEDS)
def test_clusters_switched_off_are_left_out(seed):
    case = plain(seed, 3, active=2)
    rows, state = opened(case)
    assert rows.clusters == 2
    found = em_steps.expect(rows, state)[1]
    assert_allclose(found, of.log_likelihood(case).sum(), rtol=1e-10)


@given(SEEDS, st.sampled_from([1, 2, 3]))
def test_closing_what_was_opened_changes_nothing(seed, clusters):
    case = plain(seed, clusters)
    rows, state = opened(case)
    back = em_steps.closed(rows, state)
    again = em_steps.opened(rows, back)
    for one, other in zip(state, again, strict=True):
        assert_allclose(one, other, rtol=1e-10)
    closed = case._replace(vector=back)
    assert_allclose(of.log_likelihood(closed), of.log_likelihood(case), rtol=1e-9)


def penalised(case, state, vector):
    """Log likelihood and log prior given the spreads, in the parameters' own units."""
    found = of.log_likelihood(case._replace(vector=vector)).sum()
    rows = em.rows_of(problem_of(case))
    weights = state.base[1 : 1 + of.FEATURES]
    slopes = state.base[1 + of.FEATURES : rows.design.shape[1]]
    centre, *gaps = state.base[rows.design.shape[1] :]
    return found - 0.5 * (
        np.sum(state.head[0] ** 2) / 1.5**2
        + np.sum(state.head[1:] ** 2) / state.head_scale**2
        + np.sum(weights**2) / state.base_scale**2
        + np.sum(slopes**2)
        + (state.base[0] - rows.level) ** 2
        + (centre - rows.effect) ** 2
        + np.sum(np.square(gaps))
    )


@given(SEEDS, st.sampled_from([1, 2, 3]))
def test_a_turn_raises_the_likelihood_with_its_prior(seed, clusters):
    case = plain(seed, clusters)
    rows, before = opened(case)
    share, _ = em_steps.expect(rows, before)
    base = em_steps.regression(rows, before, share)[0]
    after = before._replace(base=base)
    if clusters > 1:
        head = em_steps.memberships(rows, before, share)[0]
        after = after._replace(head=head)
    states = (before, after)
    values = [penalised(case, state, em_steps.closed(rows, state)) for state in states]
    assert values[1] >= values[0] - 1e-9


@given(SEEDS)
def test_one_cluster_is_a_ridge_regression(seed):
    case = plain(seed, 1, variance="common")
    rows, state = opened(case)
    share = np.ones((len(rows.features), 1))
    found = em_steps.regression(rows, state, share)[0]
    columns = np.column_stack([rows.design, rows.treatment])
    prior = np.array([1, *[state.base_scale**-2] * of.FEATURES, 1, 1])
    centre = np.array([rows.level, 0, 0, 0, rows.effect])
    scaled = columns * (rows.weights / state.noise[0])[:, None]
    expected = np.linalg.solve(
        scaled.T @ columns + np.diag(prior), scaled.T @ rows.outcome + prior * centre
    )
    assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@given(SEEDS, st.sampled_from([2, 4]))
def test_ordered_solutions_are_the_best_of_all_that_keep_the_order(seed, size):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    bend, pull = root @ root.T + np.eye(size), rng.normal(size=size)
    found = em_steps.ordered(bend, pull, 1)
    assert found[1:].min() >= em_steps.NARROW

    def loss(place):
        return 0.5 * place @ bend @ place - pull @ place

    best = np.inf
    places = range(1, size)
    for held in chain.from_iterable(combinations(places, n) for n in range(size)):
        free = np.setdiff1d(np.arange(size), held)
        place = np.full(size, em_steps.NARROW)
        rest = pull[free] - bend[np.ix_(free, list(held))].sum(axis=1) * place[0]
        place[free] = np.linalg.solve(bend[np.ix_(free, free)], rest)
        if place[1:].min() >= em_steps.NARROW - 1e-12:
            best = min(best, loss(place))
    assert_allclose(loss(found), best, rtol=1e-9, atol=1e-12)


@given(SEEDS, st.sampled_from([2, 3]))
def test_newton_steps_end_where_memberships_and_prior_balance(seed, clusters):
    rows, state = opened(plain(seed, clusters))
    share = em_steps.expect(rows, state)[0]
    for _ in range(30):
        state = state._replace(head=em_steps.memberships(rows, state, share)[0])
    odds = np.exp(rows.features @ state.head @ rows.contrast)
    odds /= odds.sum(axis=1, keepdims=True)
    pull = rows.features.T @ ((share - odds) @ rows.contrast.T)
    precision = np.array([1.5**-2, *[state.head_scale**-2] * of.FEATURES])
    assert_allclose(pull, precision[:, None] * state.head, atol=1e-8)


@pytest.mark.parametrize("spread", [0.5, 40.0])
def test_a_spread_of_weights_is_at_its_maximum(spread):
    count, prior = 10, 3.0
    found = em_steps.spread_of(spread, count, prior)

    def value(scale):
        part = spread / (2 * scale**2) + scale**2 / (2 * prior**2)
        return -count * np.log(scale) - part

    assert value(found) > max(value(0.99 * found), value(1.01 * found))


def simulated(seed, units=400, gap=2.0):
    """Two clusters that the first feature tells apart."""
    rng = np.random.default_rng(seed)
    layout = of.layout_of(2, alone=True)
    features = 3 * rng.normal(size=(units, of.FEATURES)) * [1.0, 0.3]
    cluster = (features[:, 0] > 0).astype(int)
    treatment = np.tile([0.0, 1.0], units // 2)
    covariates = rng.normal(size=(units, of.COVARIATES))
    outcome = 0.5 * covariates[:, 0] + gap * cluster * treatment
    outcome = (outcome + rng.normal(size=units))[:, None]
    ready = layout.family.prepare(outcome, treatment, np.ones(units))
    lane = of.lane_for(layout, ready, units)
    evidence = of.Evidence(
        features=features,
        image=np.arange(units),
        outcome=outcome,
        known_variance=np.zeros((units, 1)),
        treatment=treatment,
        covariates=covariates,
    )
    begin = starts(np.array([0.3, 0.0]), lane, layout, 3, seed)
    return Problem(evidence, lane, layout, begin), cluster


def test_clear_clusters_and_their_effects_are_found():
    problem, cluster = simulated(1)
    fit = dc.EM().fit(problem, seed=0)
    case = of.Case(fit.restarts[0], problem.evidence, problem.lane, problem.layout)
    share = np.exp(of.log_membership(case))[:, 1]
    assert np.mean((share > 0.5) == cluster) > 0.95
    found = problem.lane.scale[0] * of.effects(case)[:, 0]
    # Standard errors are about 0.12.
    assert_allclose(found, [0, 2], atol=0.35)
    assert np.all(np.diff(fit.bound) <= 0)
    assert fit.course[-1] == fit.bound[0]
    spread = fit.draws.std(axis=0)
    assert fit.draws.shape == (500, case.vector.size)
    assert np.all(np.isfinite(spread))


def test_the_same_seed_gives_the_same_draws():
    problem, _ = simulated(2)
    one, two = (dc.EM(steps=5).fit(problem, seed=3).draws for _ in range(2))
    assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        ("student", {}, "the family 'student'"),
        ("normal", {"intercepts": True}, "random intercepts"),
    ],
)
def test_what_has_no_closed_form_is_refused_by_name(family, options, reason):
    case = plain(0, family=as_family(family), **options)
    with pytest.raises(DesignError, match=f"{reason}.*Use engine 'svi'"):
        dc.EM().fit(problem_of(case), seed=0)


def test_a_known_part_of_the_noise_and_a_pull_are_refused_together():
    case = of.case(0, of.layout_of(2))
    lane = case.lane._replace(ate=np.array([0.0, 1.0, 1.0]))
    with pytest.raises(DesignError, match="known part of the noise or a pull"):
        dc.EM().fit(problem_of(case._replace(lane=lane)), seed=0)


@pytest.mark.parametrize("field", ["steps", "restarts", "draws"])
def test_counts_of_the_engine_are_whole_numbers(field):
    with pytest.raises(DesignError, match=field):
        dc.EM(**{field: 0})


def test_draws_stay_near_a_mode_whose_effects_coincide():
    """The gap's logarithm is hardly determined there; its exponential must not leap."""
    sim = dc.datasets.make_image_effects(300, test=1, seed=0, gap=0.0)
    encoder = dc.RandomConvFeatures(n_filters=32, size=8)
    fit = dc.image_effects(
        sim.data, **sim.roles, engine="em", splits=1, folds=2, encoder=encoder
    )
    draws = fit.posterior.effects[..., 0]
    assert abs(draws - draws.mean(axis=0)).max() < 5 * fit.ate.std_error
