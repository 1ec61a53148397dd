"""Guides: what they recover, what the response of a guide adds, and refusals."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal._base.precision import double
from distcausal.errors import DesignError
from distcausal.images.curvature import curvature, normal_draws, root_inverse
from distcausal.images.engines import Problem, as_engine, climb, guide_draws
from distcausal.images.model import count, places, shapes
from tests.images import model_cases as of

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Correlated:
    """A normal density with variances one and the same correlation everywhere."""

    correlation: float

    def __call__(self, params, key, evidence, lane, layout):
        # Five from the origin, so that the guide has a way to go.
        parts = [jnp.ravel(params[name]) for name in shapes(layout)]
        vector = jnp.concatenate(parts) - 5.0
        own = 1 - self.correlation
        shared = self.correlation / (own + len(vector) * self.correlation)
        return -0.5 * (vector @ vector - shared * jnp.sum(vector) ** 2) / own


def drawn(rank, correlation=0.8):
    case = of.case(0, of.layout_of(1))
    starts = np.zeros((2, count(case.layout)))
    problem = Problem(case.evidence, case.lane, case.layout, starts)
    found = climb(problem, rank, 4000, 0.02, 0, Correlated(correlation))
    return guide_draws(found, 4000, 0), found


def test_one_direction_of_correlation_is_recovered_by_a_guide_of_rank_one():
    draws, found = drawn(rank=1)
    # Noise of the search and of 4,000 draws.
    assert_allclose(found.guide.loc[0], 5, atol=0.3)
    assert_allclose(np.std(draws, axis=0), 1, atol=0.15)
    off = np.corrcoef(draws.T)[np.triu_indices(draws.shape[1], 1)]
    assert_allclose(off, 0.8, atol=0.1)


def test_independent_guides_have_the_spread_given_all_else():
    draws, _ = drawn(rank=0)
    size = draws.shape[1]
    # Diagonal of the inverse covariance.
    precision = (1 - 0.8 / (0.2 + size * 0.8)) / 0.2
    assert_allclose(np.std(draws, axis=0), precision**-0.5, rtol=0.15)
    off = np.corrcoef(draws.T)[np.triu_indices(size, 1)]
    assert np.abs(off).max() < 0.1


@given(SEEDS)
def test_curvature_is_the_negative_hessian_averaged(seed):
    case = of.case(seed, of.layout_of(2, intercepts=True))
    half = case._replace(vector=0.5 * case.vector)
    # As many points as the engines take, so that this compiles once for all.
    points = np.repeat([case.vector, half.vector], 4, axis=0)
    found = double(curvature)(points, case.evidence, case.lane, layout=case.layout)
    expected = -(of.hessian(case) + of.hessian(half)) / 2
    assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@given(SEEDS)
def test_the_root_of_a_well_curved_density_is_that_of_its_covariance(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(4, 4))
    width = rng.uniform(0.1, 10, 4)
    bend = (noise @ noise.T + np.eye(4)) / np.outer(width, width)
    root = root_inverse(bend, width)
    assert_allclose(root @ root.T @ bend, np.eye(4), atol=1e-8)


@given(SEEDS, st.floats(-3, 0.04))
def test_flat_and_hollow_directions_are_no_wider_than_promised(seed, value):
    rng = np.random.default_rng(seed)
    way = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    bend = way @ np.diag([value, 1, 2, 3]) @ way.T
    width = np.full(4, 2.0)
    root = root_inverse(bend, width)
    spread = way.T @ root @ root.T @ way
    # In units of the width, curvatures are four times these; the least is 0.1.
    expected = 4 / np.maximum(4 * np.array([value, 1, 2, 3]), 0.1)
    assert_allclose(np.diag(spread), expected, rtol=1e-8)


@given(SEEDS, st.sampled_from([1, 10, 11]))
def test_mirrored_draws_have_the_centre_and_the_factor(seed, draws):
    centre = np.arange(3.0)
    found = normal_draws(centre, np.diag([0.0, 1.0, 2.0]), draws, seed)
    assert found.shape == (draws, 3)
    assert_array_equal(found[:, 0], 0)
    if draws == 10:
        assert_allclose(found.mean(axis=0), centre, atol=1e-12)


def test_the_response_of_the_guide_gives_effects_the_width_of_a_regression():
    problem, _, expected = of.regression()
    place = places(problem.layout)["centre"]
    widths = {}
    for correction in ("linear", "none"):
        engine = dc.SVI(steps=600, rate=0.05, correction=correction)
        widths[correction] = engine.fit(problem, seed=0).draws[:, place].std()
    # 500 draws tell a spread to 3 per cent, the curvature's draws cost the same.
    assert_allclose(widths["linear"], expected, rtol=0.15)
    # Half of the units are treated: given the level, the effect is sharper by root two.
    assert_allclose(widths["none"], expected / np.sqrt(2), rtol=0.15)


def test_memberships_keep_the_draws_of_the_guide():
    problem, *_ = of.regression()
    draws = [
        dc.SVI(steps=50, correction=word).fit(problem, seed=0).draws
        for word in ("linear", "none")
    ]
    where = places(problem.layout)
    kept, moved = where["head_scale"], where["level"]
    assert_array_equal(draws[0][:, kept], draws[1][:, kept])
    assert not np.allclose(draws[0][:, moved], draws[1][:, moved])


def test_the_same_seed_gives_the_same_fit_and_another_does_not():
    problem, *_ = of.regression()
    engine = dc.SVI(steps=50)
    one, two, other = (engine.fit(problem, seed=seed) for seed in (1, 1, 2))
    assert_array_equal(one.draws, two.draws)
    assert not np.array_equal(one.draws, other.draws)
    assert np.all(np.diff(one.bound) <= 0)
    assert one.restarts.shape == problem.starts.shape


@pytest.mark.parametrize("word", ["svi", "nuts", "em", "relaxed"])
def test_engines_have_the_words_they_are_named_by(word):
    assert as_engine(word).name == word


def test_engines_that_do_not_exist_are_refused():
    with pytest.raises(DesignError, match="'svi', 'nuts', 'em', 'relaxed', 'sgd'"):
        as_engine("vb")
    with pytest.raises(DesignError, match=r"write SVI\(\) with brackets"):
        as_engine(dc.SVI)
    with pytest.raises(DesignError, match="not a int"):
        as_engine(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps 0"),
        ({"rank": -1}, "rank -1"),
        ({"rate": 1.0}, "rate 1.0"),
        ({"correction": "laplace"}, "'linear', 'none'"),
    ],
)
def test_settings_of_the_search_are_checked(options, message):
    with pytest.raises(DesignError, match=message):
        dc.SVI(**options)
