"""Bounds are bounds: against exact binomial chances, simulation and printed numbers.

Indicators of m cells of equal mass are the hardest space for independent points: the
eigenvalues of G are the cells' shares of the points times m, so single chances are
binomial, and the exponents of the bounds are met in the limit of many small cells.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from distcausal.numerics.bounds import (
    conditional_error_factor,
    iid_lower,
    iid_norm,
    least_size,
    native_factor,
    uniform_factor,
    volume_lower,
    volume_norm,
)

DELTAS = (0.25, 0.5, 0.9)
SHAPES = [(m, each * m) for m in (2, 10, 1000) for each in (2, 5, 20, 60)]


def cell_below(m: int, n: int, delta: float, sure: int) -> float:
    """Chance that one cell has too few points, of which ``sure`` are certain."""
    least = (1 - delta) * n / m * (1 - 1e-12)
    return stats.binom.cdf(np.ceil(least) - 1 - sure, n - sure * m, 1 / m)


def cell_above(m: int, n: int, delta: float, sure: int) -> float:
    most = (1 + delta) * n / m * (1 + 1e-12)
    return stats.binom.sf(np.floor(most) - sure, n - sure * m, 1 / m)


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_no_cell_is_thinner_or_fuller_than_its_bound_allows(m, n, delta):
    assert cell_below(m, n, delta, 0) <= iid_lower(m, n, delta)
    assert cell_below(m, n, delta, 1) <= volume_lower(m, n, delta)
    for sure, bound in ((0, iid_norm), (1, volume_norm)):
        chance = cell_below(m, n, delta, sure) + cell_above(m, n, delta, sure)
        assert chance <= bound(m, n, delta)


@pytest.mark.parametrize("delta", DELTAS)
def test_exponents_cannot_be_improved(delta):
    """Exact chances lack of the bounds what normal tails lack of their exponents."""
    m, each = 1000, 600
    n = m * each
    thinner = stats.binom.logcdf((1 - delta) * each, n, 1 / m)
    assert thinner > np.log(iid_lower(m, n, delta) / m) - 6
    fuller = stats.binom.logsf((1 + delta) * each, n, 1 / m)
    assert fuller > np.log(iid_norm(m, n, delta) / (2 * m)) - 6


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_simulated_chances_stay_below_the_bounds(weight):
    """Legendre polynomials; volume sampling by its density to independent points."""
    rng = np.random.default_rng(1)
    m, nodes = 3, 64
    x, mass = np.polynomial.legendre.leggauss(nodes)
    phi = np.polynomial.legendre.legvander(x, m - 1) * np.sqrt(2 * np.arange(m) + 1)
    kernel = np.sum(phi**2, axis=1)
    density = weight * kernel / m + 1 - weight
    for n in (6, 15, 40):
        points = rng.choice(nodes, p=density * mass / 2, size=(20_000, n))
        rows = phi[points] / np.sqrt(n * density[points])[..., None]
        spectrum = np.linalg.eigvalsh(np.swapaxes(rows, 1, 2) @ rows)
        volume = np.prod(spectrum, axis=1) * np.prod(n / (n - np.arange(m)))
        for delta in DELTAS:
            low = spectrum[:, 0] < 1 - delta
            far = np.abs(spectrum - 1).max(axis=1) > delta
            # Simulation errs by at most 0.01 at four standard errors, the weights of
            # volume sampling being below 4.5 and their bounds far from sharp.
            peak = m / weight
            assert low.mean() <= iid_lower(m, n, delta, peak) + 0.015
            assert far.mean() <= iid_norm(m, n, delta, peak) + 0.015
            assert np.mean(volume * low) <= volume_lower(m, n, delta, peak) + 0.015
            if weight == 1:
                assert np.mean(volume * far) <= volume_norm(m, n, delta) + 0.015


def test_sizes_are_those_of_the_boosted_least_squares_experiments():
    def bound(n):
        return iid_norm(11, n, 0.9)

    assert least_size(bound, 0.01, 11) == 265
    assert least_size(bound, 0.01, 11, best_of=100) == 108


@pytest.mark.parametrize("law", [iid_lower, iid_norm, volume_lower, volume_norm])
def test_the_least_size_is_the_least(law):
    for m, delta in ((1, 0.5), (7, 0.5), (30, 0.9)):
        n = least_size(lambda size, m=m, delta=delta: law(m, size, delta), 0.05, m)
        assert law(m, n, delta) <= 0.05
        assert n == m or law(m, n - 1, delta) > 0.05
        falling = [law(m, size, delta) for size in range(m, 4 * n)]
        assert (np.diff(falling) <= 1e-12).all()


def test_a_bound_that_never_falls_is_told():
    with pytest.raises(OverflowError, match="no number of points"):
        least_size(lambda n: 1.0, 0.05, 3)


def test_volume_sampling_needs_no_more_than_its_independent_points():
    """Two derivations; the simple one alone gives what the specification states."""
    m, n, delta = 20, 600, 0.5
    loss = 1 - n * (1 - delta) / (n - m)
    simple = iid_lower(m, n - m, loss)
    assert volume_lower(m, n, delta) <= simple
    assert_allclose(volume_lower(m, n, delta, m * (1 + 1e-12)), simple)
    assert volume_lower(m, int(m / delta), delta, 2 * m) == 1


def test_factors_are_those_one_computes_by_hand():
    assert conditional_error_factor(20, 0.5, 0.5, 10) == 5
    assert conditional_error_factor(20, 0.5, 0.0, 10) == np.inf
    assert uniform_factor(2.0, 0.5) == 3
    assert uniform_factor(2.0, 0.0) == np.inf
    assert native_factor(0.5, 1.0, 0.5, 0.5) == 2.5
    assert native_factor(0.5, 1.0, 1.0, 0.5) == np.inf


@pytest.mark.parametrize("delta", [0.5, 0.9])
def test_the_conditional_error_stays_below_its_factor(delta):
    """By simulation; the part of the fit given stability, whatever the function."""
    rng = np.random.default_rng(2)
    m, nodes, n = 3, 64, 12
    x, mass = np.polynomial.legendre.leggauss(nodes)
    phi = np.polynomial.legendre.legvander(x, m - 1) * np.sqrt(2 * np.arange(m) + 1)
    f = np.abs(x)
    rest = f - phi @ (phi.T @ (mass / 2 * f))
    best = mass / 2 @ rest**2
    density = np.sum(phi**2, axis=1) / m
    points = rng.choice(nodes, p=density * mass / 2, size=(20_000, n))
    rows = phi[points] / np.sqrt(density[points])[..., None]
    gram = np.swapaxes(rows, 1, 2) @ rows / n
    values = rest[points] / np.sqrt(density[points])
    stable = np.linalg.eigvalsh(gram)[:, 0] >= 1 - delta
    right = np.einsum("dij,di->dj", rows, values)[stable, :, None] / n
    off = np.linalg.solve(gram[stable], right)[..., 0]
    found = 1 + np.mean(np.sum(off**2, axis=1)) / best
    assert found <= conditional_error_factor(n, delta, stable.mean(), m)


def test_volume_sampling_weighs_unstable_points_by_their_determinant():
    """Two functions, sixty points: the density is 60/59 times a determinant."""
    unstable = 0.1 * np.exp(0.9)
    chance = 2 * np.exp(-30 * (0.9 + 0.1 * np.log(0.1)))
    assert_allclose(volume_lower(2, 60, 0.9), 60 / 59 * unstable * chance)
