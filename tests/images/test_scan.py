"""What one pass over images tells: their moments, copies, and another scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.images.scan import check_range, duplicates, scan


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e3, -1e6]))
def test_moments_are_those_of_all_pixels_together(seed: int, origin: float) -> None:
    images = origin + np.random.default_rng(seed).normal(size=(9, 4, 4, 2))
    found = scan(dc.ArraySource(images)).moments
    pixels = images.reshape(-1, 2)
    # Moved by 1e6, numbers of size one keep ten digits.
    assert_allclose(found.mean, pixels.mean(axis=0), rtol=1e-12, atol=1e-12)
    assert_allclose(found.sd, pixels.std(axis=0), rtol=1e-8)
    assert_array_equal(found.low, pixels.min(axis=0))
    assert_array_equal(found.high, pixels.max(axis=0))


def test_moments_of_many_blocks_are_exact_far_from_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distcausal.images.reading._MOST", 2)
    images = 1e7 + np.arange(7 * 16.0).reshape(7, 4, 4)
    found = scan(dc.ArraySource(images)).moments
    assert_allclose(found.mean, images.mean(), rtol=1e-15)
    assert_allclose(found.sd, np.arange(7 * 16.0).std(), rtol=1e-12)


def test_copies_are_found_by_content() -> None:
    count = 11
    images = np.random.default_rng(0).integers(0, 256, (count, 6, 5, 3), np.uint8)
    images[6] = images[1]
    images[9] = images[1]
    images[8] = images[3]
    first = np.arange(count)
    first[[6, 9, 8]] = [1, 1, 3]
    assert_array_equal(duplicates(dc.ArraySource(images)), first)


TRAINING = np.random.default_rng(1).uniform(0, 1, (20, 4, 4, 2))


@pytest.mark.parametrize(
    "images",
    [
        (255 * TRAINING).astype(np.uint8),
        TRAINING / 255,
        TRAINING + 5.0,
        TRAINING * np.array([1.0, 60.0]),
        TRAINING[..., :1],
    ],
)
def test_images_on_another_scale_are_refused(images: np.ndarray) -> None:
    moments = scan(dc.ArraySource(TRAINING)).moments
    with pytest.raises(dc.DataError, match="training"):
        check_range(dc.ArraySource(images), moments)


@pytest.mark.parametrize(
    "images",
    [
        TRAINING[:3],
        TRAINING.astype(np.float32),
        1.5 * TRAINING,
        TRAINING + 1.0,
        np.full((2, 4, 4, 2), 0.5),
    ],
)
def test_images_on_the_scale_of_training_pass(images: np.ndarray) -> None:
    check_range(dc.ArraySource(images), scan(dc.ArraySource(TRAINING)).moments)
