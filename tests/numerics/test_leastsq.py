"""Solving from moments, and powers of covariance matrices."""

import numpy as np
from numpy.testing import assert_allclose

from distcausal.numerics.leastsq import (
    covariance_root,
    leave_one_out,
    matrix_power,
    robust_covariance,
    robust_variance,
    solve_moments,
    solve_rows,
)

rng = np.random.default_rng(0)


def test_every_order_equals_least_squares_on_its_own_columns():
    design, outcome = rng.normal(size=(30, 4)), rng.normal(size=(30, 3))
    gram, cross = design.T @ design, design.T @ outcome
    for order in range(4):
        found = solve_moments(gram, cross, order)
        expected = np.linalg.lstsq(design[:, : order + 1], outcome, rcond=None)[0]
        # Normal equations of a design with condition number below ten.
        assert_allclose(found.coef[: order + 1], expected, atol=1e-12)
        assert (found.coef[order + 1 :] == 0).all()
        inner = found.inverse[: order + 1, : order + 1]
        assert_allclose(
            inner @ gram[: order + 1, : order + 1], np.eye(order + 1), atol=1e-12
        )


def test_a_singular_matrix_is_told_by_its_conditioning():
    design = np.ones((5, 2))
    found = solve_moments(design.T @ design, design.T @ np.ones((5, 1)), 1)
    assert found.conditioning < 1e-15
    assert_allclose(found.coef.sum(), 1)


def test_powers_multiply():
    factor = rng.normal(size=(3, 6, 4))
    matrix = np.swapaxes(factor, -1, -2) @ factor
    root = matrix_power(matrix, 0.5)
    assert_allclose(root @ root, matrix, atol=1e-11)
    inverse = matrix_power(matrix, -1.0)
    assert_allclose(inverse @ matrix, np.broadcast_to(np.eye(4), (3, 4, 4)), atol=1e-10)


def test_directions_without_mass_stay_without():
    matrix = np.diag([4.0, 0.0])
    assert_allclose(matrix_power(matrix, -0.5), np.diag([0.5, 0.0]))


def test_covariance_root_does_not_depend_on_the_order_of_coordinates():
    factor = rng.normal(size=(9, 5))
    covariance, order = factor.T @ factor, np.array([3, 0, 4, 1, 2])
    permuted = covariance_root(covariance[np.ix_(order, order)])
    assert_allclose(
        permuted, covariance_root(covariance)[np.ix_(order, order)], atol=1e-12
    )


def test_covariance_root_squares_to_the_matrix_whatever_the_units():
    factor = rng.normal(size=(9, 5))
    unit = np.array([1e-9, 1.0, 1e9, 0.0, 3.0])
    covariance = (factor.T @ factor) * np.outer(unit, unit)
    root = covariance_root(covariance)
    safe = np.where(unit > 0, unit, 1)
    found = (root.T @ root) / np.outer(safe, safe)
    assert_allclose(found, covariance / np.outer(safe, safe), atol=1e-12)


def test_only_what_the_rows_determine_has_an_error():
    """Third column the sum of the others but for a fourth, which stands apart."""
    one, two = rng.normal(size=(2, 9))
    apart = rng.normal(size=9)
    design = np.stack([one, two, one + two, apart], axis=1)
    full = rng.normal(size=(9, 4))
    found = solve_rows(np.stack([design, full]), rng.normal(size=(2, 9, 2)))
    assert found.rank.tolist() == [3, 4]
    assert found.determined.tolist() == [[False, False, False, True], [True] * 4]
    lengths = np.linalg.svd(full, compute_uv=False)
    assert_allclose(found.singular[1], lengths, rtol=1e-12)
    for leverage in ("hc0", "hc1", "hc3"):
        missing = np.isnan(robust_variance(found, leverage))
        assert (missing == ~found.determined[..., None]).all()
        square = np.diagonal(robust_covariance(found, leverage), axis1=-2, axis2=-1)
        assert (np.isnan(np.swapaxes(square, -1, -2)) == missing).all()
    left_out = leave_one_out(found)
    assert np.isnan(left_out[0]).all()
    assert not np.isnan(left_out[1]).any()


def test_the_factor_of_hc1_counts_what_was_fitted():
    design, response = rng.normal(size=(9, 3)), rng.normal(size=(9, 1))
    once = solve_rows(design, response)
    twice = solve_rows(np.concatenate([design, design[:, :1]], axis=1), response)
    assert_allclose(
        robust_variance(twice, "hc1")[1:3], robust_variance(once, "hc1")[1:], rtol=1e-9
    )
