"""Encoders: features that belong to an image alone, in one scale, with a gradient."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.images import encoder as encoding
from distcausal.images.features import features, fit_features
from distcausal.images.scan import check_range
from tests.images.encoder_cases import (
    CONV,
    COUNT,
    DIFFERENTIABLE,
    EMBEDDING,
    ENCODERS,
    IMAGES,
    SOURCE,
    every,
    fits,
    images_of,
    source_of,
)


@every
def test_features_of_an_image_depend_on_nothing_else(name: str) -> None:
    fitted, whole = fits()[name]
    source = source_of(name)
    assert whole.shape == (COUNT, fitted.size)
    for batch in (1, 7, 64):
        assert_array_equal(features(fitted, source, batch=batch), whole)
    some = np.array([31, 2, 2, 17])
    assert_array_equal(features(fitted, source, some), whole[some])
    assert_array_equal(fitted.apply(images_of(name)[some]), whole[some])
    assert fitted.apply(images_of(name)[:0]).shape == (0, fitted.size)


def test_features_do_not_depend_on_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, whole = fits()["conv"]
    monkeypatch.setattr(encoding, "_TILE_MOST", 16)
    assert_array_equal(fitted.apply(IMAGES), whole)


def test_images_side_by_side_have_the_same_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted, whole = fits()["conv"]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert_allclose(fitted.apply(IMAGES), whole, atol=1e-5)  # sums in another order


@every
def test_the_first_component_has_standard_deviation_one(name: str) -> None:
    whole = fits()[name][1]
    # Raw values are in float32, the projection in float64.
    assert_allclose(whole.mean(axis=0), 0, atol=1e-6)
    variance = np.linalg.eigvalsh(np.cov(whole.T, bias=True))
    assert_allclose(variance[-1], 1, rtol=1e-6)
    assert whole.dtype == np.float64


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"flatten", "scales"}))
def test_components_are_uncorrelated_and_keep_their_decay(name: str) -> None:
    covariance = np.cov(fits()[name][1].T, bias=True)
    variance = np.diag(covariance)
    assert_allclose(covariance, np.diag(variance), atol=1e-6)
    assert np.all(np.diff(variance) <= 1e-9)
    assert variance[-1] < 0.5


@every
def test_fitting_does_not_depend_on_the_order_or_names_of_the_images(name: str) -> None:
    shuffled = np.random.default_rng(3).permutation(COUNT)
    names = np.array([f"{number:03d}" for number in np.argsort(shuffled)])
    source = dc.ArraySource(images_of(name)[shuffled], names)
    again = fit_features(ENCODERS[name], source)[1]
    # Sums in another order differ in the last bits; axes between which the variance
    # falls by a tenth turn by ten times as much.
    assert_allclose(again, fits()[name][1][shuffled], atol=1e-6)


@every
def test_the_same_seed_gives_the_same_encoder(name: str) -> None:
    again = ENCODERS[name].fit(source_of(name))
    assert again.fingerprint == fits()[name][0].fingerprint


def test_another_seed_draws_other_filters() -> None:
    other = CONV.fit(SOURCE, seed=1)
    assert other.fingerprint != fits()["conv"][0].fingerprint
    assert not np.allclose(other.apply(IMAGES), fits()["conv"][1], atol=0.01)


def test_fingerprints_tell_encoders_apart() -> None:
    prints = {fitted.fingerprint for fitted, _ in fits().values()}
    prints.add(dc.PCA(size=4).fit(SOURCE).fingerprint)
    prints.add(dc.PCA(size=5).fit(SOURCE, SOURCE.keys[:30]).fingerprint)
    assert len(prints) == len(fits()) + 2


@every
def test_a_fitted_encoder_survives_pickling(name: str) -> None:
    fitted, whole = fits()[name]
    again = pickle.loads(pickle.dumps(fitted))
    assert again.fingerprint == fitted.fingerprint
    assert again.name == fitted.name
    assert_array_equal(again.apply(images_of(name)), whole)


@pytest.mark.parametrize("name", ["pca", "flatten", "colour", "texture"])
def test_units_and_origin_of_the_pixels_do_not_matter(name: str) -> None:
    moved = fit_features(ENCODERS[name], dc.ArraySource(0.01 * IMAGES - 3.0))[1]
    assert_allclose(moved, fits()[name][1], atol=1e-4)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_traced_features_are_the_applied_ones(name: str) -> None:
    fitted, whole = fits()[name]
    assert fitted.differentiable
    image = jnp.asarray(images_of(name)[5], jnp.float32)
    # float32, where the applied ones are projected in float64
    assert_allclose(jax.jit(fitted.traced)(image), whole[5], atol=2e-5)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_are_those_of_the_features(name: str) -> None:
    fitted = fits()[name][0]
    image = images_of(name)[5]
    rng = np.random.default_rng(2)
    ahead = rng.normal(size=image.shape)
    pixels = jnp.asarray(image, jnp.float32), jnp.asarray(ahead, jnp.float32)
    out = jax.jit(lambda at, to: jax.jvp(fitted.traced, (at,), (to,))[1])(*pixels)
    step = 0.05
    near = fitted.apply(np.stack([image + step * ahead, image - step * ahead]))
    # float32 differences over a step of 0.05; maxima and rectifiers have kinks
    assert_allclose(out, (near[0] - near[1]) / (2 * step), atol=5e-3)
    assert np.abs(out).max() > 1e-3


@pytest.mark.parametrize("name", ["conv", "pca", "scales", "sequence"])
def test_images_of_another_shape_are_refused(name: str) -> None:
    with pytest.raises(dc.DataError, match=r"of those the encoder was fitted to"):
        fits()[name][0].apply(images_of(name)[..., :-1, :])
    with pytest.raises(dc.DataError, match=r"of those the encoder was fitted to"):
        fits()["pca"][0].traced(IMAGES[0, 1:])


def test_a_fitted_encoder_knows_the_scale_it_was_fitted_to() -> None:
    for name, (fitted, _) in fits().items():
        with pytest.raises(dc.DataError, match="on the scale of the training"):
            check_range(dc.ArraySource(images_of(name) / 1e4), fitted.moments)
    unseen = dc.Precomputed(EMBEDDING).fit(SOURCE)
    check_range(dc.ArraySource(IMAGES / 1e4), unseen.moments)
