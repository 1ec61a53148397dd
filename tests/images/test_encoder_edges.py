"""Images and arguments at the edge of what an encoder can make something of."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.images.features import fit_features
from tests.images.encoder_cases import (
    CONV,
    COUNT,
    ENCODERS,
    FILMS,
    IMAGES,
    SOURCE,
    fits,
    summarised,
)


def test_a_constant_channel_is_left_out_with_a_warning() -> None:
    flat = np.concatenate([IMAGES, np.full((COUNT, 12, 10, 1), 7.0)], axis=-1)
    for encoder in (dc.PCA(size=5), dc.ColorMoments(size=4), dc.Flatten()):
        with pytest.warns(dc.DataWarning, match=r"1 of 3 channels .*channels 2"):
            fitted, found = fit_features(encoder, dc.ArraySource(flat))
        plain = fit_features(encoder, SOURCE)[1]
        assert_allclose(found, plain, atol=1e-5)
        assert np.isfinite(fitted.apply(flat + 1.0)).all()
    with pytest.warns(dc.DataWarning, match="1 of 3 channels"):
        found = fit_features(CONV, dc.ArraySource(flat))[1]
    assert np.isfinite(found).all()
    assert found.std(axis=0)[0] == pytest.approx(1)


@pytest.mark.parametrize("name", ["conv", "pca", "flatten", "colour", "texture"])
def test_a_constant_image_has_features_and_a_gradient(name: str) -> None:
    images = IMAGES.copy()
    images[3] = 80.0
    fitted, found = fit_features(ENCODERS[name], dc.ArraySource(images))
    assert np.isfinite(found).all()
    # A constant image rounds; without a floor for variances its rounding would speak.
    nearly = images[3:4] + 1e-3 * np.random.default_rng(0).normal(size=(1, 12, 10, 2))
    assert_allclose(fitted.apply(nearly), found[3:4], atol=1e-3)
    image = jnp.full((12, 10, 2), 80.0)
    slope = jax.jit(jax.grad(lambda pixels: fitted.traced(pixels).sum()))(image)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ["conv", "pca", "flatten", "colour", "scales"])
def test_images_that_are_all_the_same_have_no_features(name: str) -> None:
    same = dc.ArraySource(np.repeat(IMAGES[:1], 12, axis=0))
    fitted, found = fit_features(ENCODERS[name], same)
    assert found.shape == (12, 0)
    assert fitted.apply(IMAGES[:2]).shape == (2, 0)


def test_no_more_components_than_images_less_one() -> None:
    few = dc.ArraySource(IMAGES[:4])
    assert dc.RandomConvFeatures(n_filters=12, patch=4).fit(few).size == 3
    assert dc.PCA().fit(few).size == 3
    assert dc.PCA().fit(few, [1]).size == 0


def test_pixels_in_bytes_and_in_floats_give_the_same_features() -> None:
    small = IMAGES.clip(0, 255).astype(np.uint8)
    in_bytes = fit_features(dc.PCA(size=5), dc.ArraySource(small))[1]
    in_floats = fit_features(dc.PCA(size=5), dc.ArraySource(small.astype(float)))[1]
    assert_array_equal(in_bytes, in_floats)


@pytest.mark.parametrize("kind", ["i8", "u8", "f2", "i2", "?"])
def test_pixels_of_every_type_are_numbers(kind: str) -> None:
    steps = IMAGES.clip(0, 255).astype(np.uint8) // 64
    stored = (steps > 1 if kind == "?" else steps).astype(kind)
    if stored.itemsize == 8:
        stored <<= 40  # beyond 32 bits
    found = fit_features(dc.PCA(size=5), dc.ArraySource(stored))[1]
    wanted = fit_features(dc.PCA(size=5), dc.ArraySource(stored.astype(np.float32)))[1]
    assert_allclose(found, wanted, atol=1e-5)
    assert found[:, 0].std() == pytest.approx(1)


def test_pixels_far_from_zero_keep_their_digits() -> None:
    far = fit_features(dc.PCA(size=5), dc.ArraySource(IMAGES + 1e5))[1]
    # float32 has steps of 0.008 there, against a spread of 40
    assert_allclose(far, fits()["pca"][1], atol=2e-3)


def test_an_encoder_needs_images() -> None:
    with pytest.raises(dc.DataError, match="keys names none"):
        dc.PCA().fit(SOURCE, [])


def test_pixels_too_large_for_float32_are_refused() -> None:
    huge = IMAGES.copy()
    huge[3, 2, 2, 0] = 1e35
    with pytest.raises(dc.DataError, match=r"stay below 1e\+30"):
        dc.PCA().fit(dc.ArraySource(huge))


def test_a_patch_left_out_shrinks_to_small_images() -> None:
    narrow = dc.ArraySource(IMAGES[:, :, :3])
    own, told = (
        dc.RandomConvFeatures(n_filters=12, patch=patch, size=3).fit(narrow, seed=1)
        for patch in (None, 3)
    )
    np.testing.assert_array_equal(
        own.apply(narrow.get(narrow.keys[:2])), told.apply(narrow.get(narrow.keys[:2]))
    )
    assert dc.RandomConvFeatures(n_filters=12).fit(SOURCE).recipe.patch == 6


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: dc.RandomConvFeatures(n_filters=0), "n_filters 0"),
        (lambda: dc.RandomConvFeatures(patch=2.5), "patch 2.5"),
        (lambda: dc.RandomConvFeatures(pool=("median",)), "pool 'median'"),
        (lambda: dc.RandomConvFeatures(pool=()), "it is empty"),
        (lambda: dc.RandomConvFeatures(stride=0), "stride 0"),
        (lambda: dc.PCA(size=True), "size True"),
        (lambda: dc.Crop(CONV, 0), "side 0"),
        (lambda: dc.MultiScale([]), "at least one encoder"),
        (lambda: dc.Sequence(CONV, "median"), "aggregate 'median'"),
        (lambda: dc.Precomputed(summarised, keys=[1]), "Leave keys out"),
        (
            lambda: dc.RandomConvFeatures(patch=11).fit(SOURCE),
            r"patch 11 should fit.*RandomConvFeatures\(patch=10\)",
        ),
        (lambda: dc.Crop(CONV, 11).fit(SOURCE), "a crop of 11 pixels"),
        (lambda: dc.Texture().fit(dc.ArraySource(IMAGES[:, :1])), "needs neighbours"),
        (lambda: dc.PCA().fit(dc.ArraySource(FILMS)), "Wrap it in Sequence"),
        (lambda: dc.Sequence(CONV).fit(SOURCE), "without Sequence"),
        (lambda: CONV.fit(SOURCE, seed=-1), "seed -1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(build: Any, message: str) -> None:
    with pytest.raises(dc.DesignError, match=message):
        build()
