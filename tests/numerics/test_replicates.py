"""Averages over parts, and errors from their spread."""

import numpy as np
from numpy.testing import assert_allclose

from distcausal.numerics.replicates import average_products

rng = np.random.default_rng(0)


def test_the_error_is_that_of_the_mean_of_the_parts():
    rows, response = rng.normal(size=(2, 12, 3)), rng.normal(size=(2, 12, 4))
    for parts in (12, 4, 2):
        found = average_products(rows, response, parts, full=True)
        terms = np.einsum("dnm,dnq->dnmq", rows, response)
        blocks = terms.reshape(2, parts, -1, 3, 4).mean(axis=2)
        assert_allclose(found.mean, terms.mean(axis=1), atol=1e-14)
        error = blocks.std(axis=1, ddof=1) / np.sqrt(parts)
        assert_allclose(np.sqrt(found.variance), error, rtol=1e-12)
        expected = np.cov(blocks[1, :, :, 2], rowvar=False) / parts
        assert_allclose(found.covariance[1, 2], expected, rtol=1e-12, atol=1e-15)


def test_one_part_has_no_spread():
    found = average_products(np.ones((5, 2)), np.ones((5, 1)), 1, full=True)
    assert np.isnan(found.variance).all()
    assert found.covariance is None


def test_equal_parts_have_no_error_at_all():
    """Centred before squaring: large equal terms leave no rounding behind."""
    found = average_products(np.full((6, 1), 1e8), np.full((6, 1), 3.0), 6, full=True)
    assert found.variance.item() == 0
    assert found.covariance.item() == 0
