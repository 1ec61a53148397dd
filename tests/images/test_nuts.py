"""The sampler against a posterior known in closed form, and its own diagnostics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal.errors import DesignError
from distcausal.images.engines import Problem
from distcausal.images.model import Layout, places
from distcausal.images.nuts import convergence
from tests.images import model_cases as of

SEEDS = st.integers(0, 2**32 - 1)


def walks(seed, keep, chains=4, draws=1000):
    """Stationary autoregressions of spread one, ``(chain, draw, 1)``."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(chains, 1))
    path = []
    for _ in range(draws):
        place = keep * place + np.sqrt(1 - keep**2) * rng.normal(size=(chains, 1))
        path.append(place)
    return np.stack(path, axis=1)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
@given(seed=SEEDS)
def test_dependent_draws_count_for_fewer(keep, seed):
    r_hat, ess = convergence(walks(seed, keep))
    # Of an autoregression a draw is worth (1 - keep) / (1 + keep) independent ones;
    # the estimate from 4,000 draws scatters by a quarter where they are dependent.
    assert_allclose(ess, 4000 * (1 - keep) / (1 + keep), rtol=0.5)
    assert r_hat < 1 + 0.1 / (1 - keep) / 5


@given(SEEDS, st.floats(1.5, 5))
def test_chains_in_different_places_are_noticed(seed, apart):
    draws = walks(seed, 0.0) + apart * np.arange(4)[:, None, None]
    r_hat, ess = convergence(draws)
    assert r_hat > 1.3
    assert ess < 100


@given(SEEDS)
def test_a_chain_that_wanders_off_is_noticed(seed):
    draws = walks(seed, 0.0, chains=1) + np.linspace(0, 5, 1000)[None, :, None]
    assert convergence(draws)[0] > 1.3


def test_a_parameter_that_never_moves_has_converged():
    r_hat, ess = convergence(np.ones((2, 50, 1)))
    assert r_hat == 1
    assert np.isfinite(ess)


def test_chains_that_are_stuck_in_different_places_have_not_converged():
    draws = np.stack([np.zeros((50, 1)), np.full((50, 1), 5.0)])
    r_hat, _ = convergence(draws)
    assert np.isposinf(r_hat)


def test_a_chain_that_left_the_numbers_has_not_converged():
    draws = walks(0, 0.5, draws=50)
    draws[0, 3] = np.nan
    assert np.isnan(convergence(draws)[0])


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_fewer_draws_than_convergence_can_be_measured_with_are_refused(draws):
    with pytest.raises(DesignError, match="draws"):
        dc.NUTS(draws=draws)


def test_units_and_order_of_parameters_do_not_matter():
    draws = np.concatenate([walks(1, 0.5), walks(2, 0.0)], axis=2)
    first = convergence(draws)
    second = convergence(100 * draws[:, :, ::-1] - 7)
    for one, other in zip(first, second, strict=True):
        assert_allclose(one[::-1], other, rtol=1e-8)


@pytest.fixture(scope="module")
def regression():
    """A sampled posterior that is known."""
    problem, estimate, error = of.regression()
    engine = dc.NUTS(warmup=150, draws=300, chains=2)
    return problem, estimate, error, engine.fit(problem, seed=0)


def test_effects_have_the_posterior_of_a_regression(regression):
    problem, estimate, error, fit = regression
    draws = fit.draws[:, places(problem.layout)["centre"]]
    # Shrinkage is small; 300 effective draws tell a mean to a twentieth of the spread.
    assert abs(draws.mean() - estimate) < 0.3 * error
    assert_allclose(draws.std(), error, rtol=0.2)


def test_the_report_says_how_the_sampler_did(regression):
    fit = regression[-1]
    assert fit.draws.shape[0] == 600
    assert fit.report["r_hat"] < 1.1
    assert 30 < fit.report["ess"] <= 1200
    # Two features tell the spread of their weights badly: its funnel costs a few.
    assert fit.report["divergences"] <= 12
    assert fit.report["steps"] < 2**8


def test_more_features_than_can_be_sampled_are_refused():
    layout = Layout(2, 1, 101, 0, of.Normal())
    case = of.case(0, of.layout_of(2))
    problem = Problem(case.evidence, case.lane, layout, case.vector[None])
    with pytest.raises(DesignError, match="at most 100 features, but there are 101"):
        dc.NUTS().fit(problem, seed=0)


@pytest.mark.parametrize("options", [{"draws": 0}, {"accept": 1.0}, {"chains": 0}])
def test_settings_are_checked(options):
    with pytest.raises(DesignError, match=next(iter(options))):
        dc.NUTS(**options)
