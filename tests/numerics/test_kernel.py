"""Kernels, and the constants of bias and variance at the edge of the support."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from distcausal.numerics.kernel import KERNELS

# Exact one-sided constants (bias, variance) of local polynomials of order 0, 1, 2, 3.
EXACT = {
    "triangular": [
        (1 / 3, 4 / 3),
        (-1 / 10, 24 / 5),
        (1 / 35, 72 / 7),
        (-1 / 126, 160 / 9),
    ],
    "epanechnikov": [
        (3 / 8, 6 / 5),
        (-11 / 95, 56832 / 12635),
        (15 / 448, 9895 / 1008),
        (-197 / 21042, 47330240 / 2761011),
    ],
    "uniform": [(1 / 2, 1), (-1 / 6, 4), (1 / 20, 9), (-1 / 70, 16)],
}
names = pytest.mark.parametrize("name", list(KERNELS))


@names
def test_boundary_constants_equal_the_exact_fractions(name):
    for order, (bias, variance) in enumerate(EXACT[name]):
        found = KERNELS[name].boundary(order)
        # Solves of matrices with condition numbers below 1e3 in float64.
        assert_allclose(found.bias, bias, rtol=1e-12)
        assert_allclose(found.variance, variance, rtol=1e-12)


@names
def test_kernel_is_a_symmetric_density_on_the_unit_interval(name):
    kernel = KERNELS[name]
    u = np.linspace(-1, 1, 200_001)
    assert_allclose(np.trapezoid(kernel(u), u), 1, atol=1e-9)
    assert_allclose(kernel(u), kernel(-u))
    assert (kernel(u) >= 0).all()
    assert (kernel(np.array([-1.001, 1.001, 7.0])) == 0).all()
