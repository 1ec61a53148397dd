"""Orthonormal polynomials and their induced laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from distcausal._base.precision import double
from distcausal.numerics.orthopoly import FAMILIES, induced_draws, tensor_values

DEGREE = 9
each_family = pytest.mark.parametrize("family", FAMILIES)


def quadrature(family):
    if family == "legendre":
        nodes, weight = np.polynomial.legendre.leggauss(DEGREE + 1)
    else:
        nodes, weight = np.polynomial.chebyshev.chebgauss(DEGREE + 1)
    return nodes, weight / weight.sum()


@each_family
def test_polynomials_are_orthonormal(family):
    nodes, weight = quadrature(family)
    index = np.arange(DEGREE + 1)[:, None]
    values = double(tensor_values)(nodes[:, None], index, family=family, degree=DEGREE)
    gram = (values * weight[:, None]).T @ values
    assert_allclose(gram, np.eye(DEGREE + 1), atol=1e-13)


@each_family
def test_products_are_products(family):
    x = np.random.default_rng(0).uniform(-1, 1, (7, 3))
    index = np.array([[0, 0, 0], [2, 0, 1], [1, 3, 2]])
    found = double(tensor_values)(x, index, family=family, degree=3)
    single = [
        double(tensor_values)(
            x[:, place, None], np.arange(4)[:, None], family=family, degree=3
        )
        for place in range(3)
    ]
    for function, row in enumerate(index):
        expected = np.prod([single[d][:, row[d]] for d in range(3)], axis=0)
        assert_allclose(found[:, function], expected, rtol=1e-13)


@each_family
def test_acceptance_is_a_probability_of_one_half_on_average(family):
    x = np.cos(np.pi * (np.arange(20_000) + 0.5) / 20_000)  # the arcsine law
    for degree in (1, 2, 5, 40):
        with jax.enable_x64(True):
            rule = FAMILIES[family]
            square = np.asarray(rule.values(jnp.asarray(x), degree))[:, degree] ** 2
            accepted = np.asarray(rule.acceptance(jnp.asarray(x), square))
        assert accepted.min() >= 0
        assert accepted.max() <= 1 + 1e-12
        # A midpoint rule that is exact for cosines; Legendre's root is not one.
        assert_allclose(accepted.mean(), 0.5, rtol=1e-6)


@each_family
@pytest.mark.parametrize("degree", [0, 1, 4])
def test_induced_draws_follow_the_squared_polynomial(family, degree):
    def draw():
        return induced_draws(
            jnp.full((4_000, 1), degree),
            jax.random.key(degree),
            family=family,
            degree=4,
            dtype=float,
        )

    drawn = double(draw)()[:, 0]
    angle = np.linspace(0, np.pi, 20_001)
    values = double(tensor_values)(
        np.cos(angle)[:, None], np.array([[degree]]), family=family, degree=4
    )[:, 0]
    base = np.sin(angle) / 2 if family == "legendre" else np.full_like(angle, 1 / np.pi)
    density = values**2 * base
    cdf = np.append(0, np.cumsum(np.diff(angle) * (density[1:] + density[:-1]) / 2))
    law = stats.kstest(np.arccos(drawn), lambda z: np.interp(z, angle, cdf))
    assert law.pvalue > 1e-3


@each_family
def test_values_can_be_differentiated(family):
    index = np.array([[0], [1], [2]])

    def value(x):
        return tensor_values(x[None], index, family=family, degree=2)[0]

    x, step = np.array([0.3]), 1e-6
    with jax.enable_x64(True):
        slope = np.asarray(jax.jacobian(value)(jnp.asarray(x)))[:, 0]
        rise = np.asarray(value(jnp.asarray(x + step)) - value(jnp.asarray(x - step)))
    assert_allclose(slope, rise / (2 * step), atol=1e-8)
