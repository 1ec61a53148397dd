"""What each kind of encoder computes, against the same computed another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate
from scipy.stats import skew

import distcausal as dc
from distcausal.images import encoder as encoding
from distcausal.images.features import features, fit_features
from distcausal.images.projection import leading
from distcausal.images.random_conv import least_stride
from tests.images.encoder_cases import (
    CONV,
    COUNT,
    EMBEDDING,
    ENCODERS,
    FILMS,
    IMAGES,
    SOURCE,
    fits,
    pixel_rows,
    singular,
    summarised,
)


def test_convolution_is_correlation_rectified_above_one_and_pooled() -> None:
    fitted = fits()["conv"][0]
    raw = encoding.run(fitted.recipe, fitted.state, IMAGES[:3])
    state = {name: np.asarray(value, float) for name, value in fitted.state.items()}
    filters = state["filters"].reshape(4, 4, 2, -1)
    for image, found in zip(IMAGES[:3], raw, strict=True):
        scaled = (image - state["mean"]) / state["sd"]
        for number in range(12):
            answer = correlate(scaled, filters[..., number], mode="valid")[..., 0]
            above = np.maximum(answer - state["bias"][number] - 1, 0)
            assert_allclose(found[number], above.mean(), atol=1e-5)
            assert_allclose(found[12 + number], above.max(), atol=1e-5)


def test_answers_of_filters_have_variance_one_over_training_patches() -> None:
    noise = np.random.default_rng(5).normal(3, 7, (200, 12, 10))
    fitted = dc.RandomConvFeatures(n_filters=12, patch=4).fit(dc.ArraySource(noise))
    scaled = (noise - fitted.state["mean"]) / fitted.state["sd"]
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (4, 4), axis=(1, 2))
    answer = windows.reshape(-1, 16) @ fitted.state["filters"]
    # standard error of a variance from 2,000 patches: 0.03
    assert_allclose(answer.var(axis=0), 1, atol=0.12)
    assert_allclose(answer.mean(axis=0), fitted.state["bias"], atol=0.1)


def test_pools_can_be_chosen() -> None:
    mean = dc.RandomConvFeatures(n_filters=12, patch=4, pool=("mean",)).fit(SOURCE)
    assert encoding.width(mean.recipe, mean.state, SOURCE.shape) == 12
    assert dc.RandomConvFeatures(pool="max") == dc.RandomConvFeatures(pool=("max",))


@pytest.mark.parametrize(("side", "stride"), [(32, 1), (37, 1), (38, 2), (64, 2)])
def test_the_default_stride_leaves_at_most_32_positions(side: int, stride: int) -> None:
    assert least_stride((side, side, 3), 6) == stride
    assert -(-(side - 5) // stride) <= 32


def test_a_stride_skips_positions() -> None:
    wide = dc.RandomConvFeatures(n_filters=12, patch=4, size=6, stride=2).fit(SOURCE)
    fitted = fits()["conv"][0]
    raw = encoding.run(wide.recipe, fitted.state, IMAGES[:2])
    state = {name: np.asarray(value, float) for name, value in fitted.state.items()}
    scaled = (IMAGES[0] - state["mean"]) / state["sd"]
    first = state["filters"][:, 0].reshape(4, 4, 2)
    answer = correlate(scaled, first, mode="valid")[::2, ::2, 0]
    above = np.maximum(answer - state["bias"][0] - 1, 0)
    assert_allclose(raw[0, [0, 12]], [above.mean(), above.max()], atol=1e-5)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    wanted = singular(pixel_rows(), 5)
    # pixels in float32
    assert_allclose(np.abs(fits()["pca"][1]), np.abs(wanted), atol=1e-5)
    embedded = fit_features(dc.Precomputed(EMBEDDING, size=4), SOURCE)[1]
    assert_allclose(np.abs(embedded), np.abs(singular(EMBEDDING, 4)), atol=1e-9)


def test_many_pixels_have_the_same_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distcausal.images.pca._GRAM", 10)
    again = fit_features(ENCODERS["pca"], SOURCE)[1]
    assert_allclose(again, fits()["pca"][1], atol=1e-4)


def test_subspace_iteration_finds_the_axes_of_many_blocks() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 70)) * 0.8 ** np.arange(70) + 4
    blocks = [(slice(at, at + 30), rows[at : at + 30]) for at in (0, 30, 60)]
    mean, variance, axes = leading(blocks, 70, size=6, rng=rng)
    assert_allclose(mean, rows.mean(axis=0))
    wanted, basis = np.linalg.eigh(np.cov(rows.T, bias=True))
    assert_allclose(variance, wanted[::-1][:6], rtol=1e-7)
    assert_allclose(np.abs(np.diag(axes.T @ basis[:, ::-1])), 1, atol=1e-6)


def test_flattened_pixels_are_the_pixels_in_one_scale() -> None:
    rows = pixel_rows()
    moved = rows - rows.mean(axis=0)
    wanted = moved / np.linalg.norm(moved / np.sqrt(COUNT), ord=2)
    assert_allclose(fits()["flatten"][1], wanted, atol=1e-5)


def test_colour_moments_are_mean_spread_skewness_and_correlation() -> None:
    fitted = dc.ColorMoments().fit(SOURCE)
    raw = encoding.run(fitted.recipe, fitted.state, IMAGES)
    rows = pixel_rows().reshape(COUNT, -1, 2)
    # The floor of the variance is 1e-4, against variances around one.
    assert_allclose(raw[:, :2], rows.mean(axis=1), atol=1e-5)
    assert_allclose(raw[:, 2:4], rows.std(axis=1), atol=1e-3)
    assert_allclose(raw[:, 4:6], skew(rows, axis=1), atol=5e-3)
    together = [np.corrcoef(image.T)[0, 1] for image in rows]
    assert_allclose(raw[:, 6], together, atol=2e-3)


def test_texture_tells_roughness_and_direction() -> None:
    fitted = dc.Texture().fit(SOURCE)

    def raw(image: np.ndarray) -> np.ndarray:
        return encoding.run(fitted.recipe, fitted.state, image[None])[0]

    columns = np.arange(10.0)
    stripes = np.broadcast_to((100 * (columns % 2))[None, :, None], (12, 10, 2))
    found = raw(stripes).reshape(-1, 4, 2, 2)  # scale, direction, statistic, channel
    floor = np.log(1e-4)
    assert np.all(found[0, 0, 0] > 0)
    assert_allclose(found[0, 1, 0], floor, rtol=1e-5)
    assert_allclose(found[0, 0, 1], 1, rtol=1e-3)  # every difference the same size
    assert_allclose(found[1, :, 0], floor, rtol=1e-5)  # halved, nothing is left
    # At the third scale five columns are left, of which halving drops the last.
    mirrored = raw(IMAGES[0][:, ::-1]).reshape(-1, 4, 2, 2)[:2, [0, 1, 3, 2]]
    assert_allclose(mirrored, raw(IMAGES[0]).reshape(-1, 4, 2, 2)[:2], atol=1e-4)


def test_a_crop_sees_the_centre_only() -> None:
    fitted, whole = fits()["crop"]
    framed = np.zeros_like(IMAGES)
    framed[:, 2:10, 1:9] = IMAGES[:, 2:10, 1:9]
    assert_array_equal(fitted.apply(framed), whole)
    inner = fit_features(CONV, dc.ArraySource(IMAGES[:, 2:10, 1:9]))[1]
    assert_array_equal(inner, whole)


def test_scales_are_blocks_with_components_of_their_own() -> None:
    whole = fits()["scales"][1]
    parts = np.concatenate([fits()["crop"][1], fits()["pca"][1][:, :3]], axis=1)
    factor = np.linalg.norm(whole) / np.linalg.norm(parts)
    assert_allclose(whole, factor * parts, atol=1e-9)
    assert fits()["scales"][0].differentiable
    mixed = dc.MultiScale([dc.PCA(size=3), ENCODERS["function"]]).fit(SOURCE)
    assert not mixed.differentiable


@pytest.mark.parametrize("aggregate", ["mean", "difference", "variance", "concat"])
def test_sequences_aggregate_the_features_of_their_images(aggregate: Any) -> None:
    encoder = dc.Sequence(dc.PCA(size=2), aggregate)
    fitted, found = fit_features(encoder, dc.ArraySource(FILMS))
    frames = fitted.inner.apply(FILMS.reshape(-1, 12, 10, 2)).reshape(COUNT, 3, 2)
    values = {
        "mean": frames.mean(axis=1),
        "difference": frames[:, 2] - frames[:, 0],
        "variance": ((frames - frames.mean(axis=1, keepdims=True)) ** 2).mean(axis=1),
        "concat": frames.reshape(COUNT, 6),
    }[aggregate]
    wanted = singular(values, found.shape[1])
    assert_allclose(np.abs(found), np.abs(wanted), atol=1e-6)


def test_precomputed_embeddings_are_found_by_key() -> None:
    keys = np.array([f"{number:02d}" for number in range(COUNT)])
    source = dc.ArraySource(IMAGES, keys)
    shuffled = np.random.default_rng(1).permutation(COUNT)
    by_array = dc.Precomputed(summarised(IMAGES)[shuffled], keys[shuffled], size=6)
    fitted, found = fit_features(by_array, source)
    by_function = fit_features(dc.Precomputed(summarised, size=6), source)[1]
    assert_allclose(found, by_function, atol=1e-9)
    assert_array_equal(features(fitted, source, keys[[5, 1]]), found[[5, 1]])
    with pytest.raises(dc.KeyError_, match="nowhere"):
        features(fitted, source, ["nowhere"])


def test_what_precomputed_embeddings_cannot_do_is_said() -> None:
    fitted = dc.Precomputed(EMBEDDING).fit(SOURCE)
    assert not fitted.differentiable
    with pytest.raises(dc.DesignError, match="belong to keys"):
        fitted.apply(IMAGES)
    with pytest.raises(dc.DesignError, match="Use occlusion"):
        fitted.traced(IMAGES[0])


@pytest.mark.parametrize("rows", [np.zeros(5), np.full((3, 2), np.nan)])
def test_precomputed_embeddings_that_are_no_numbers_by_image_are_refused(
    rows: np.ndarray,
) -> None:
    with pytest.raises(dc.DataError, match="embeddings should be"):
        dc.Precomputed(rows)


def test_a_function_that_returns_no_row_per_image_is_refused() -> None:
    with pytest.raises(dc.DataError, match="one row for each of 40"):
        dc.Precomputed(lambda batch: np.zeros(3)).fit(SOURCE)
    with pytest.raises(dc.DataError, match="40 of 40 rows"):
        dc.Precomputed(lambda batch: np.full((len(batch), 2), np.inf)).fit(SOURCE)
