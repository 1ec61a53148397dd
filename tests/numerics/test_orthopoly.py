"""Orthonormal polynomials from their recurrences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from distcausal._base.precision import double
from distcausal.numerics.orthopoly import hermite, jacobi, laguerre, recurrence_values

DEGREE = 9
RULES = {
    "legendre": (jacobi(DEGREE, 0.0, 0.0), special.roots_legendre(DEGREE + 1)),
    "chebyshev": (jacobi(DEGREE, -0.5, -0.5), special.roots_chebyt(DEGREE + 1)),
    "opposite": (
        jacobi(DEGREE, -0.3, 0.3),
        special.roots_jacobi(DEGREE + 1, -0.3, 0.3),
    ),
    "skew": (jacobi(DEGREE, 2.5, 0.0), special.roots_jacobi(DEGREE + 1, 2.5, 0.0)),
    "hermite": (hermite(DEGREE), special.roots_hermitenorm(DEGREE + 1)),
    "laguerre": (laguerre(DEGREE, 1.5), special.roots_genlaguerre(DEGREE + 1, 1.5)),
}
each_rule = pytest.mark.parametrize(("rule", "gauss"), RULES.values(), ids=RULES)


def values(rule, x):
    return double(jax.jit(recurrence_values))(rule.center[None], rule.step[None], x)


@each_rule
def test_polynomials_are_orthonormal(rule, gauss):
    nodes, weight = gauss
    found = values(rule, nodes[:, None])[:, 0]
    gram = (found * (weight / weight.sum())[:, None]).T @ found
    assert_allclose(gram, np.eye(DEGREE + 1), atol=1e-12)


@each_rule
def test_leading_coefficients_are_positive(rule, gauss):
    far = np.array([[1e4]])
    assert (values(rule, far) > 0).all()


def test_values_agree_with_scipy_at_degree_one_hundred():
    x = np.linspace(-1, 1, 11)
    found = values(jacobi(100, 0.0, 0.0), x[:, None])[:, 0, 100]
    # A recurrence of a hundred steps loses about as many roundings.
    assert_allclose(found, special.eval_legendre(100, x) * np.sqrt(201), atol=1e-12)


def test_variables_have_their_own_recurrences():
    rules = [jacobi(3, 0.0, 0.0), hermite(3)]
    x = np.array([[0.3, -1.2], [0.9, 2.0]])
    center = np.stack([rule.center for rule in rules])
    step = np.stack([rule.step for rule in rules])
    found = double(recurrence_values)(center, step, x)
    for place, rule in enumerate(rules):
        alone = values(rule, x[:, place, None])
        assert_allclose(found[:, place], alone[:, 0], rtol=1e-14)


def test_degree_zero_is_one():
    assert_allclose(values(hermite(0), np.array([[3.0]])), 1.0)


def test_values_can_be_differentiated():
    rule = hermite(4)

    def value(x):
        return recurrence_values(rule.center[None], rule.step[None], x)[0]

    with jax.enable_x64(True):
        slope = np.asarray(jax.jacobian(value)(jnp.array([0.7])))[:, 0]
    # The derivative of a normalised Hermite polynomial is the one before, times √k.
    before = values(rule, np.array([[0.7]]))[0, 0, :-1] * np.sqrt(np.arange(1, 5))
    assert_allclose(slope, [0.0, *before], rtol=1e-12)
