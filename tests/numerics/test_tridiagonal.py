"""Eigenvalues of random Jacobi matrices follow the laws of the projection process.

Counts, means and variances are those stored or known in closed form; one point is the
measure itself. Seeds are fixed: a p-value below 0.001 or an average more than four
errors away fails.
"""

from __future__ import annotations

from functools import cache

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc
from distcausal._base.precision import double
from distcausal.numerics.tridiagonal import TRIDIAGONAL, tridiagonal_points
from tests.design.cases import chi_square, continuous_cases

RARE = 1e-3
DRAWS = 6_144
FAMILIES = [
    ("hermite", ()),
    ("laguerre", ()),
    ("laguerre", (1.5,)),
    ("jacobi", (0.5, -0.3)),
    ("jacobi", (-0.7, 2.0)),
    ("legendre", ()),
    ("chebyshev", ()),
]
one_family = pytest.mark.parametrize(("family", "shape"), FAMILIES)


@cache
def points(family: str, size: int, shape: tuple[float, ...] = ()) -> np.ndarray:
    keys = jax.random.split(jax.random.key(1), DRAWS)
    return double(tridiagonal_points)(keys, family=family, size=size, shape=shape)


def jacobi_coefficients(
    family: str, shape: tuple[float, ...], size: int
) -> tuple[float, float, float]:
    """Mean and variance of the sum of the points, and the mean of their squares' sum.

    A trace and a squared entry of the Jacobi matrix, and the trace of its square.

    From moments of the measure by Gauss quadrature, whose nodes are the eigenvalues of
    the same matrix without randomness.
    """
    from scipy import special

    alpha = shape[0] if family == "laguerre" and shape else 0.0
    a, b = {"legendre": (0.0, 0.0), "chebyshev": (-0.5, -0.5)}.get(
        family, shape if family == "jacobi" else (0.0, 0.0)
    )
    rule = {
        "hermite": special.roots_hermitenorm,
        "laguerre": lambda n: special.roots_genlaguerre(n, alpha),
    }.get(family, lambda n: special.roots_jacobi(n, a, b))
    lower, _ = rule(size)
    nodes, weights = rule(size + 2)
    # Squared coefficient: the last diagonal product of monic polynomials' lengths.
    table = [np.ones_like(nodes), nodes - weights @ nodes / weights.sum()]
    lengths = [weights @ one**2 for one in table]
    while len(table) <= size:
        center = weights @ (nodes * table[-1] ** 2) / lengths[-1]
        table.append(
            (nodes - center) * table[-1] - lengths[-1] / lengths[-2] * table[-2]
        )
        lengths.append(weights @ table[-1] ** 2)
    step = lengths[size] / lengths[size - 1]
    return lower.sum(), step, np.sum(lower**2) + step


@one_family
@pytest.mark.parametrize("size", [5])
def test_sums_of_points_and_squares_have_the_moments_of_the_jacobi_matrix(
    family, shape, size
):
    mean, variance, mean_squared = jacobi_coefficients(family, shape, size)
    x = points(family, size, shape)
    total = x.sum(axis=1)
    for found, expected in (
        (total, mean),
        ((total - total.mean()) ** 2, variance),
        (np.sum(x**2, axis=1), mean_squared),
    ):
        assert abs(found.mean() - expected) <= 4 * found.std() / np.sqrt(DRAWS)


@pytest.mark.parametrize(
    ("family", "variance"),
    [
        ("hermite", 5.0),
        ("laguerre", 25.0),
        ("legendre", 25 / 99),
        ("chebyshev", 0.25),
    ],
)
def test_variances_of_the_oracle_are_the_known_ones(family, variance):
    assert_allclose(jacobi_coefficients(family, (), 5)[1], variance, rtol=1e-9)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(one, id=f"{one['family']}-{one['m']}")
        for one in continuous_cases()["one_dimensional"]
        if one["family"] in TRIDIAGONAL and one["m"] in (5, 9)
    ],
)
def test_number_of_points_in_an_interval_has_the_stored_law(stored):
    x = points(stored["family"], stored["m"])
    low, high = stored["count_in_set"]["set"]
    count = np.sum((x >= low) & (x <= high), axis=1)[:, None]
    probability = np.array(stored["count_in_set"]["pmf"])
    outcomes = np.arange(len(probability))[:, None]
    assert chi_square(count, outcomes, probability) > RARE


@one_family
def test_a_single_point_follows_the_measure(family, shape):
    law = {
        "hermite": lambda: stats.norm(),
        "laguerre": lambda: stats.gamma((shape or (0.0,))[0] + 1),
        "jacobi": lambda: stats.beta(shape[1] + 1, shape[0] + 1, loc=-1, scale=2),
        "legendre": lambda: stats.uniform(-1, 2),
        "chebyshev": lambda: stats.arcsine(-1, 2),
    }[family]()
    assert stats.kstest(points(family, 1, shape).ravel(), law.cdf).pvalue > RARE


@pytest.mark.parametrize("family", ["legendre", "chebyshev"])
def test_points_are_those_of_the_sampler_that_thins_proposals(family):
    space = dc.PolynomialSpace(family, index=dc.TotalDegree(8))
    thinned = dc.ProjectionDPP(space).sample_many(2_048, seed=2).x[..., 0]
    found = points(family, 9)
    # One point of each draw, so that points compared are independent; then the gaps.
    for part in (
        lambda x: x[:, 0],
        lambda x: x.max(axis=1),
        lambda x: np.diff(np.sort(x, axis=1), axis=1).min(axis=1),
    ):
        assert stats.ks_2samp(part(found), part(thinned)).pvalue > RARE


@one_family
def test_points_stay_in_the_domain(family, shape):
    x = points(family, 5, shape)
    low = {"hermite": -np.inf, "laguerre": 0.0}.get(family, -1.0)
    high = np.inf if family in ("hermite", "laguerre") else 1.0
    assert x.shape == (DRAWS, 5)
    assert ((x >= low) & (x <= high)).all()


def test_draws_do_not_depend_on_how_many_are_drawn_together():
    keys = jax.random.split(jax.random.key(1), DRAWS)[:3]
    alone = double(tridiagonal_points)(keys, family="hermite", size=5)
    # Batches of other widths may round in another order.
    assert_allclose(alone, points("hermite", 5)[:3], rtol=1e-12, atol=1e-12)


def test_points_of_a_draw_come_in_no_order():
    first = points("legendre", 5).argmax(axis=1)
    assert stats.chisquare(np.bincount(first, minlength=5)).pvalue > RARE
    assert_array_equal(np.unique(first), np.arange(5))
