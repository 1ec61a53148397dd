"""Shifted Legendre polynomials: orthogonality, and what is read off at zero."""

import jax
import numpy as np
import pytest
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose

from distcausal.numerics.legendre import (
    at_zero,
    basis_matrix,
    leading_coefficient,
    to_powers,
)

DEGREE = 8


def test_basis_is_orthogonal_on_the_unit_interval():
    nodes, weight = np.polynomial.legendre.leggauss(20)
    basis = basis_matrix((nodes + 1) / 2, DEGREE)
    gram = (basis * weight[:, None] / 2).T @ basis
    assert_allclose(gram, np.diag(1 / (2 * np.arange(DEGREE + 1) + 1)), atol=1e-14)


def test_powers_reproduce_the_recurrence():
    u = np.linspace(0, 1, 7)
    powers = u[:, None] ** np.arange(DEGREE + 1)
    # Coefficients reach 1e5 at degree 8, so cancellation costs five digits.
    assert_allclose(powers @ to_powers(DEGREE), basis_matrix(u, DEGREE), atol=1e-10)


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_row_at_zero_reads_derivatives(derivative):
    coefficients = np.random.default_rng(0).normal(size=DEGREE + 1)
    polynomial = Polynomial(to_powers(DEGREE) @ coefficients)
    expected = polynomial.deriv(derivative)(0) if derivative else polynomial(0)
    assert_allclose(at_zero(DEGREE, derivative) @ coefficients, expected, rtol=1e-12)


def test_leading_coefficient_is_that_of_the_highest_power():
    for degree in range(DEGREE + 1):
        assert leading_coefficient(degree) == to_powers(degree)[degree, degree]


def test_jax_and_numpy_evaluate_alike():
    u = np.linspace(0, 1, 9)
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(basis_matrix, static_argnums=1)(u, 4))
    assert_allclose(found, basis_matrix(u, 4), rtol=1e-14, atol=1e-15)
