"""Removing points: what is left is what brute force leaves, with the law it should."""

from fractions import Fraction
from itertools import combinations

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal._base.precision import double
from distcausal.numerics.thinning import (
    keep_greedily,
    keep_randomly,
    resolved_leverages,
)


def away(rows):
    """Distance of the mean Gram matrix from the identity."""
    gram = rows.T @ rows / len(rows)
    return np.abs(np.linalg.eigvalsh(gram) - 1).max()


def by_trying_all(rows, size):
    kept = list(range(len(rows)))
    while len(kept) > size:
        kept = min(
            ([other for other in kept if other != gone] for gone in kept),
            key=lambda left: away(rows[left]),
        )
    return kept


@pytest.mark.parametrize("m", [1, 2, 4])
def test_greedy_removal_leaves_what_trying_every_removal_leaves(m):
    rows = np.random.default_rng(m).normal(size=(5, 14, m))
    found = double(keep_greedily)(rows, size=max(m, 3))
    for design, kept in zip(rows, found, strict=True):
        assert kept.tolist() == by_trying_all(design, max(m, 3))


def test_greedy_removal_survives_repeated_and_orthogonal_rows():
    rows = np.array([[np.eye(3)[place] * np.sqrt(3) for place in (0, 0, 1, 1, 2, 2)]])
    found = double(keep_greedily)(rows, size=3)
    assert away(rows[0][found[0]]) < 1e-12


def test_one_random_removal_spares_points_of_high_leverage():
    rows = np.random.default_rng(0).normal(size=(6, 2))
    hat = rows @ np.linalg.solve(rows.T @ rows, rows.T)
    probability = (1 - np.diagonal(hat)) / (6 - 2)
    draws = 20_000
    keys = jax.random.split(jax.random.key(1), draws)
    kept = double(keep_randomly)(
        np.broadcast_to(rows, (draws, 6, 2)), keys, size=5
    ).kept
    gone = 15 - kept.sum(axis=1)
    share = np.bincount(gone, minlength=6) / draws
    error = np.sqrt(probability * (1 - probability) / draws)
    assert (np.abs(share - probability) < 4 * error).all()


def test_random_removals_leave_sets_by_their_determinants():
    """From all six rows down to three: sampling without replacement by volume."""
    rows = np.random.default_rng(2).normal(size=(6, 2))
    sets = np.array(list(combinations(range(6), 3)))
    parts = rows[sets]
    chance = np.linalg.det(np.swapaxes(parts, 1, 2) @ parts)
    chance /= chance.sum()
    draws = 20_000
    keys = jax.random.split(jax.random.key(3), draws)
    kept = double(keep_randomly)(
        np.broadcast_to(rows, (draws, 6, 2)), keys, size=3
    ).kept
    codes = kept @ [36, 6, 1]
    count = np.array([(codes == code).sum() for code in sets @ [36, 6, 1]])
    expected = draws * chance
    # 19 degrees of freedom: 43.8 is exceeded by one correct sampler in a thousand.
    assert np.sum((count - expected) ** 2 / expected) < 43.8


def test_nothing_is_removed_when_nothing_has_to_be():
    rows = np.random.default_rng(0).normal(size=(2, 4, 2))
    assert_array_equal(double(keep_greedily)(rows, size=4), [[0, 1, 2, 3]] * 2)


def test_leverages_keep_their_digits_in_rows_of_very_different_lengths():
    """Hermite functions far out, against exact arithmetic: solving loses digits."""
    space = dc.PolynomialSpace("hermite", index=dc.TotalDegree(20))
    points = dc.VolumeSampling(space, 24, "one").sample(seed=1)
    rows = points.values * np.sqrt(points.weights)[:, None]
    found, error = double(resolved_leverages)(rows)
    assert error < 1e-12
    assert_allclose(found, exact_leverages(rows), rtol=0, atol=1e-13)


def exact_leverages(rows):
    """Diagonal of ``X (X'X)^-1 X'`` in rational arithmetic."""
    given = [[Fraction(value) for value in row] for row in rows.tolist()]
    size = len(given[0])
    table = [
        [sum(row[i] * row[j] for row in given) for j in range(size)]
        + [Fraction(int(i == j)) for j in range(size)]
        for i in range(size)
    ]
    for column in range(size):
        pivot = table[column]
        pivot[:] = [value / pivot[column] for value in pivot]
        for row in table:
            if row is not pivot:
                share = row[column]
                row[:] = [a - share * b for a, b in zip(row, pivot, strict=True)]
    inverse = [row[size:] for row in table]
    return [
        float(
            sum(
                row[i] * sum(inverse[i][j] * row[j] for j in range(size))
                for i in range(size)
            )
        )
        for row in given
    ]
