"""Tensor products of spaces of different kinds: orthonormal, drawn from their law."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc

KNOTS = [0.0, 1.0, 3.0]
SPLINES = dc.SplineSpace(KNOTS, degree=2)
WAVES = dc.TrigonometricSpace(index=dc.TotalDegree(1), period=24.0)
NORMAL = dc.PolynomialSpace("hermite", index=[[0], [2]], location=5.0, scale=2.0)
BRIDGE = dc.MercerSpace("brownian_bridge", 2)
SPACE = dc.TensorSpace([SPLINES, WAVES, NORMAL, BRIDGE])


def rules():
    """Gauss rules for the measure of every variable, exact for squares, or nearly."""
    nodes, weight = np.polynomial.legendre.leggauss(12)
    low, high = np.array(KNOTS[:-1]), np.array(KNOTS[1:])
    pieces = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * nodes
    share = (high - low)[:, None] / 6 * weight
    even = (np.arange(8) + 0.5) / 8
    normal, mass = np.polynomial.hermite_e.hermegauss(6)
    return [
        (pieces.ravel(), share.ravel()),
        (24 * even, np.full(8, 1 / 8)),
        (5 + 2 * normal, mass / mass.sum()),
        ((nodes + 1) / 2, weight / 2),
    ]


def test_products_are_orthonormal_on_a_grid_of_gauss_rules():
    nodes, weights = zip(*rules(), strict=True)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*nodes, indexing="ij")], 1)
    mass = np.prod(
        [axis.ravel() for axis in np.meshgrid(*weights, indexing="ij")], axis=0
    )
    values = SPACE.basis.evaluate(grid)
    assert SPACE.size == 4 * 3 * 2 * 2
    assert_allclose((values * mass[:, None]).T @ values, np.eye(48), atol=1e-10)
    assert_allclose(SPACE.means, mass @ values, atol=1e-10)


def test_values_are_products_of_those_of_the_factors():
    index = [[0, 1, 1, 0], [3, 2, 0, 1]]
    space = dc.TensorSpace([SPLINES, WAVES, NORMAL, BRIDGE], index)
    x = np.array([[0.3, 5.0, 4.0, 0.2], [2.1, 20.0, 6.5, 0.9]])
    expected = np.ones((2, 2))
    for place, factor in enumerate(space.factors):
        own = factor.basis.evaluate(x[:, place])
        expected *= own[:, np.array(index)[:, place]]
    assert_allclose(space.basis.evaluate(x), expected, rtol=1e-12)
    assert space.basis.labels[0] == "(spline 0, cos 1, degree 2, sin 1)"


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_each_variable_follows_its_factor(share):
    """All products: variables are independent, each drawn as in a space of its own."""
    x = dc.IID(SPACE, 4_000, weight=share).sample(seed=1).x
    for place, factor in enumerate(SPACE.factors):
        own = dc.IID(factor, 4_000, weight=share).sample(seed=2 + place).x[:, 0]
        # Four tests for each share, none of which should be this surprising.
        assert stats.ks_2samp(x[:, place], own).pvalue > 1e-3
        assert abs(stats.spearmanr(x[:, place], x[:, place - 1])[0]) < 4 / np.sqrt(4e3)


def test_fits_find_functions_of_the_space():
    space = dc.TensorSpace([SPLINES, WAVES], dc.TotalDegree(2))
    points = dc.VolumeSampling(space, 12).sample(seed=3)
    coef = np.arange(1.0, space.size + 1)
    assert_allclose(dc.wls(points, points.values @ coef).coef, coef, atol=1e-8)
    back = pickle.loads(pickle.dumps(space))
    assert_array_equal(
        dc.IID(back, 9).sample(seed=1).x, dc.IID(space, 9).sample(seed=1).x
    )


HIGH = dc.PolynomialSpace("hermite", index=[[200]])
BAD = {
    "no list": (lambda: dc.TensorSpace(SPLINES), "list of spaces"),
    "nothing": (lambda: dc.TensorSpace([]), "list of spaces"),
    "finite": (
        lambda: dc.TensorSpace([SPLINES, dc.FiniteSpace(np.eye(3))]),
        "factor 1, FiniteSpace.* one variable",
    ),
    "nystrom": (
        lambda: dc.TensorSpace(
            [dc.MercerSpace(lambda x, y: jnp.exp(x[0] * y[0]), 2, np.arange(3.0))]
        ),
        "named kernel",
    ),
    "two variables": (
        lambda: dc.TensorSpace([WAVES, dc.TrigonometricSpace(2)]),
        "factor 1.* one variable",
    ),
    "index": (
        lambda: dc.TensorSpace([SPLINES, WAVES], dc.TotalDegree(3)),
        "function 3 of factor 1; it has 3",
    ),
    "count": (lambda: dc.TensorSpace([SPLINES] * 8), "more than 20000"),
    "overflow": (lambda: dc.TensorSpace([HIGH, HIGH]), "sum to at most one"),
}


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD)
def test_factors_that_have_no_product_are_refused(make, words):
    with pytest.raises(dc.DesignError, match=f"(?s){words}"):
        make()
