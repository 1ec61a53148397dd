"""Block sums against the plain formulas, and indifferent to blocks and padding."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from distcausal.numerics import localpoly
from distcausal.numerics.kernel import KERNELS
from distcausal.numerics.leastsq import solve_moments
from distcausal.numerics.legendre import at_zero, basis_matrix

rng = np.random.default_rng(0)
UNITS, LEVELS, DEGREE = 40, 3, 2
X = rng.uniform(-1, 1, UNITS)
WEIGHT = rng.uniform(0.5, 2, UNITS)
Y = rng.normal(size=(UNITS, 1, LEVELS))
WINDOW = np.array([[0.7, 0.9]])
ATOL = 1e-12  # sums of 40 terms of order one


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def kernel_weight(name):
    reach = np.where(X >= 0, WINDOW[0, 1], WINDOW[0, 0])
    basis = basis_matrix(np.minimum(np.abs(X) / reach, 1), DEGREE)
    return WEIGHT * KERNELS[name](X / reach), basis


def moments(name, rows=slice(None), window=WINDOW, y=Y):
    coefficients = np.array(KERNELS[name].coefficients)
    found = localpoly.side_moments(
        X[rows], WEIGHT[rows], y[rows], window, coefficients, degree=DEGREE
    )
    return localpoly.added([found])


@pytest.mark.parametrize("name", list(KERNELS))
def test_moments_equal_the_plain_sums(name):
    height, basis = kernel_weight(name)
    found = moments(name)
    for side, own in enumerate((X < 0, X >= 0)):
        weighted = basis[own] * height[own, None]
        assert_allclose(found.gram[0, side], weighted.T @ basis[own], atol=ATOL)
        assert_allclose(found.cross[0, side], weighted.T @ Y[own, 0], atol=ATOL)


def test_blocks_add_up_and_padding_adds_nothing():
    parts = [
        moments("triangular", slice(0, 15)),
        moments("triangular", slice(15, None)),
    ]
    whole = moments("triangular")
    for found, expected in zip(localpoly.added(parts), whole, strict=True):
        assert_allclose(found, expected, atol=ATOL)


def test_one_group_per_level_with_equal_windows_is_one_group_of_all():
    each = moments(
        "triangular", window=np.repeat(WINDOW, LEVELS, 0), y=Y.reshape(-1, 3, 1)
    )
    common = moments("triangular")
    for level in range(LEVELS):
        assert_allclose(each.gram[level], common.gram[0], atol=ATOL)
        assert_allclose(
            each.cross[level, ..., 0], common.cross[0, ..., level], atol=ATOL
        )


def rows_of(power, positive_only=0.0):
    found = moments("triangular")
    solution = solve_moments(found.gram, found.cross, DEGREE)
    row = solution.inverse @ at_zero(DEGREE)
    residual = Y - np.asarray(
        localpoly.fitted_rows(X, WINDOW, solution.coef, degree=DEGREE)
    )
    coefficients = np.array(KERNELS["triangular"].coefficients)
    rows = localpoly.contributions(
        X, WEIGHT, residual, WINDOW, coefficients, row, solution.inverse,
        np.float64(power), np.float64(positive_only), degree=DEGREE,
    )  # fmt: skip
    return np.asarray(rows)[:, 0], residual[:, 0], solution, row


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_contributions_are_weights_times_enlarged_residuals(power):
    rows, residual, solution, row = rows_of(power)
    height, basis = kernel_weight("triangular")
    side = (X >= 0).astype(int)
    weight = height * np.einsum("nb,nb->n", basis, row[0, side])
    hat = height * np.einsum("nb,nbc,nc->n", basis, solution.inverse[0, side], basis)
    expected = (weight / (1 - hat) ** power)[:, None] * residual
    assert_allclose(rows, expected, atol=1e-11)


def test_positive_only_drops_exactly_the_other_units():
    rows, _, _, row = rows_of(0.0)
    kept, *_ = rows_of(0.0, positive_only=1.0)
    height, basis = kernel_weight("triangular")
    weight = height * np.einsum("nb,nb->n", basis, row[0, (X >= 0).astype(int)])
    assert_allclose(kept, np.where(weight[:, None] > 0, rows, 0), atol=0)
    assert (weight < 0).any()


def test_cluster_scores_of_single_units_sum_to_the_unit_scores():
    _, residual, *_ = rows_of(0.0)
    clusters = rng.integers(0, 5, UNITS)
    sums = localpoly.cluster_scores(
        X, WEIGHT, residual[:, None], clusters, WINDOW,
        np.array(KERNELS["triangular"].coefficients), degree=DEGREE, clusters=5,
    )  # fmt: skip
    height, basis = kernel_weight("triangular")
    for number in range(5):
        for side, own in enumerate((X < 0, X >= 0)):
            mine = own & (clusters == number)
            score = (basis[mine] * height[mine, None]).T @ residual[mine]
            gram = (basis[mine] * height[mine, None]).T @ basis[mine]
            assert_allclose(sums.score[number, 0, side], score, atol=ATOL)
            assert_allclose(sums.gram[number, 0, side], gram, atol=ATOL)


def test_side_sums_split_the_rows():
    rows, multiplier = rng.normal(size=(UNITS, 4)), rng.normal(size=(6, UNITS))
    sums = np.asarray(localpoly.side_sums(X, rows, multiplier))
    for side, own in enumerate((X < 0, X >= 0)):
        assert_allclose(sums[side], multiplier[:, own] @ rows[own], atol=ATOL)
