"""What must not matter to a design or a fit, and what must come back exactly."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.design.cases import points_at

# Condition numbers below reach 1e4, values 10: rounding stays under this.
ATOL = 1e-9


@st.composite
def grounds(draw):
    """Features, masses and responses on few points; several responses at once."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points, size = draw(st.sampled_from([(6, 2), (9, 3)]))
    features = rng.normal(size=(points, size))
    mass = rng.exponential(size=points) + 0.05
    return features, mass, rng.normal(size=(points, 2)), rng


def all_sets(points: int, size: int) -> np.ndarray:
    return np.array(list(combinations(range(points), size)))


def log_prob(features: np.ndarray, mass: np.ndarray) -> np.ndarray:
    space = dc.FiniteSpace(features, mass)
    return dc.ProjectionDPP(space).log_prob(all_sets(*features.shape))


def fitted(features, mass, y, index, weight=1.0):
    design = dc.VolumeSampling(dc.FiniteSpace(features, mass), len(index), weight)
    return dc.wls(points_at(design, index), y)


@given(grounds())
def test_law_belongs_to_the_span_and_not_to_the_features(case):
    features, mass, _, rng = case
    change = rng.normal(size=(features.shape[1],) * 2) + 3 * np.eye(features.shape[1])
    expected = np.exp(log_prob(features, mass))
    assert_allclose(np.exp(log_prob(features @ change, mass)), expected, atol=ATOL)


@given(grounds(), st.sampled_from([1e-12, 7.0, 1e12]))
def test_scale_of_the_mass_does_not_matter(case, scale):
    features, mass, _, _ = case
    expected = log_prob(features, mass)
    assert_allclose(log_prob(features, scale * mass), expected, atol=ATOL)


@given(grounds())
def test_order_of_the_points_does_not_matter(case):
    features, mass, _, rng = case
    order = rng.permutation(len(mass))
    sets = all_sets(*features.shape)
    space = dc.FiniteSpace(features, mass)
    moved = dc.FiniteSpace(features[order], mass[order])
    expected = dc.ProjectionDPP(space).log_prob(order[sets])
    assert_allclose(dc.ProjectionDPP(moved).log_prob(sets), expected, atol=ATOL)


@given(grounds(), st.floats(0.1, 0.9))
def test_splitting_a_point_splits_its_probability(case, share):
    features, mass, _, _ = case
    whole = dc.FiniteSpace(features, mass)
    split = dc.FiniteSpace(
        np.vstack([features, features[:1]]),
        np.append(np.append(share * mass[0], mass[1:]), (1 - share) * mass[0]),
    )
    parts = np.array([split.leverage[0], split.leverage[-1]])
    own = whole.leverage[0]
    assert_allclose(parts, [share * own, (1 - share) * own], atol=ATOL)
    assert_allclose(split.leverage[1:-1], whole.leverage[1:], atol=ATOL)
    twins = [0, len(mass), *range(1, features.shape[1] - 1)]
    assert np.exp(dc.ProjectionDPP(split).log_prob(twins)) < 1e-20


@given(grounds(), st.sampled_from([0.0, 0.5, 1.0]))
def test_functions_of_the_space_come_back_exactly(case, weight):
    features, mass, _, rng = case
    truth = rng.normal(size=features.shape[1])
    index = np.arange(len(mass))
    fit = fitted(features, mass, features @ truth, index, weight)
    assert_allclose(fit.coef_features, truth, atol=ATOL)
    assert_allclose(fit.predict(features), features @ truth, atol=ATOL)
    assert_allclose(fit.residual_error_sq, 0, atol=ATOL)
    assert_allclose(fit.std_error, 0, atol=ATOL)


@given(grounds())
def test_fit_is_linear_and_moves_with_functions_of_the_space(case):
    features, mass, y, rng = case
    index = rng.permutation(len(mass))[: features.shape[1] + 2]
    y, shift = y[index], rng.normal(size=features.shape[1])
    both = fitted(features, mass, y, index)
    one = fitted(features, mass, 2 * y[:, 0] - y[:, 1], index)
    assert_allclose(one.coef, both.coef @ [2, -1], atol=ATOL)
    moved = fitted(features, mass, y[:, 0] + features[index] @ shift, index)
    assert_allclose(moved.coef_features, both.coef_features[:, 0] + shift, atol=ATOL)
    error = both.residual_error_sq[0]
    assert_allclose(moved.residual_error_sq, error, atol=ATOL * (1 + error))


@given(grounds())
def test_repeated_points_weigh_as_often_as_they_occur(case):
    features, mass, y, _ = case
    once = np.arange(len(mass))
    twice = np.concatenate([once, once])
    one = fitted(features, mass, y[once], once)
    two = fitted(features, mass, y[twice], twice)
    assert_allclose(two.coef, one.coef, atol=ATOL)


@given(grounds())
def test_interpolation_does_not_depend_on_the_weights(case):
    features, mass, y, rng = case
    index = rng.permutation(len(mass))[: features.shape[1]]
    fits = [fitted(features, mass, y[index], index, share) for share in (0.0, 1.0)]
    assert_allclose(fits[0].coef, fits[1].coef, rtol=1e-6, atol=1e-6)
    assert fits[0].std_error is None
    assert fits[0].residual_error_sq is None


@given(grounds())
def test_certificate_bounds_the_error_of_every_function(case):
    """Error in mean square against the best uniform error, over all points."""
    features, mass, y, _ = case
    index = np.arange(features.shape[1] + 2)
    fit = fitted(features, mass, y[index], index)
    mass = mass / mass.sum()
    error = np.sqrt(mass @ (y - fit.predict(features)) ** 2)
    # Any function of the space bounds the best uniform error from above; the zero
    # function will do, and no other is needed for the inequality to be tested.
    assert (error <= fit.certificate.uniform_factor * np.abs(y).max(axis=0)).all()


def test_polynomial_and_finite_spaces_agree_on_a_gauss_grid():
    nodes, mass = np.polynomial.legendre.leggauss(8)
    space = dc.PolynomialSpace(index=dc.TotalDegree(3))
    finite = dc.FiniteSpace(np.vander(nodes, 4, increasing=True), mass)
    kernel = np.sum(space.values(nodes[:, None]) ** 2, axis=1)
    assert_allclose(finite.leverage, mass / 2 * kernel, rtol=1e-12)


def test_a_stored_space_draws_the_same_points():
    features = np.random.default_rng(0).normal(size=(30, 3))
    space = dc.FiniteSpace(features)
    again = pickle.loads(pickle.dumps(space))
    first = dc.VolumeSampling(space, 5).sample(seed=1)
    assert dc.VolumeSampling(again, 5).sample(seed=1) == first
    assert not space.rows.flags.writeable
