"""Encoders: features that belong to an image alone, in one scale, with a gradient."""

from __future__ import annotations

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from scipy.signal import correlate
from scipy.stats import skew

import distcausal as dc
from distcausal.images import encoder as encoding
from distcausal.images.features import features, fit_features
from distcausal.images.projection import leading
from distcausal.images.random_conv import least_stride
from distcausal.images.scan import check_range

COUNT = 40
_rng = np.random.default_rng(0)
# Smooth images with a bright spot, in bytes; two channels that go together.
_smooth = gaussian_filter(_rng.normal(size=(COUNT, 12, 10)), (0, 2, 2)) * 200
_smooth[np.arange(COUNT), _rng.integers(2, 10, COUNT), _rng.integers(2, 8, COUNT)] += 80
IMAGES = np.stack([_smooth, 0.5 * _smooth + _rng.normal(0, 20, _smooth.shape)], -1) + 90
SOURCE = dc.ArraySource(IMAGES)
FILMS = np.stack([IMAGES, 2 * IMAGES, IMAGES**2 / 100], axis=1)
CONV = dc.RandomConvFeatures(n_filters=12, patch=4, size=6)
EMBEDDING = _rng.normal(size=(COUNT, 30)) * 0.9 ** np.arange(30)


def summarised(batch: np.ndarray) -> np.ndarray:
    """Embedding by a function: a few numbers of each image."""
    return batch[:, ::3, ::3].reshape(len(batch), -1).astype(float)


ENCODERS = {
    "conv": CONV,
    "pca": dc.PCA(size=5),
    "flatten": dc.Flatten(),
    "colour": dc.ColorMoments(size=5),
    "texture": dc.Texture(size=5),
    "crop": dc.Crop(CONV, 8),
    "scales": dc.MultiScale([dc.Crop(CONV, 8), dc.PCA(size=3)]),
    "function": dc.Precomputed(summarised, size=6),
    "sequence": dc.Sequence(CONV, "difference", size=4),
}
DIFFERENTIABLE = sorted(set(ENCODERS) - {"function"})
every = pytest.mark.parametrize("name", ENCODERS)


@pytest.fixture(scope="module")
def fits() -> dict[str, tuple[Any, np.ndarray]]:
    return {
        name: fit_features(encoder, source_of(name))
        for name, encoder in ENCODERS.items()
    }


def images_of(name: str) -> np.ndarray:
    return FILMS if name == "sequence" else IMAGES


def source_of(name: str) -> dc.ArraySource:
    return dc.ArraySource(images_of(name))


@every
def test_features_of_an_image_depend_on_nothing_else(name: str, fits: dict) -> None:
    fitted, whole = fits[name]
    source = source_of(name)
    assert whole.shape == (COUNT, fitted.size)
    for batch in (1, 7, 64):
        assert_array_equal(features(fitted, source, batch=batch), whole)
    some = np.array([31, 2, 2, 17])
    assert_array_equal(features(fitted, source, some), whole[some])
    assert_array_equal(fitted.apply(images_of(name)[some]), whole[some])
    assert fitted.apply(images_of(name)[:0]).shape == (0, fitted.size)


def test_features_do_not_depend_on_padding(
    fits: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, whole = fits["conv"]
    monkeypatch.setattr(encoding, "_TILE_MOST", 16)
    assert_array_equal(fitted.apply(IMAGES), whole)


def test_images_side_by_side_have_the_same_features(
    fits: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, whole = fits["conv"]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert_allclose(fitted.apply(IMAGES), whole, atol=1e-5)  # sums in another order


@every
def test_the_first_component_has_standard_deviation_one(name: str, fits: dict) -> None:
    whole = fits[name][1]
    # Raw values are in float32, the projection in float64.
    assert_allclose(whole.mean(axis=0), 0, atol=1e-6)
    variance = np.linalg.eigvalsh(np.cov(whole.T, bias=True))
    assert_allclose(variance[-1], 1, rtol=1e-6)
    assert whole.dtype == np.float64


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"flatten", "scales"}))
def test_components_are_uncorrelated_and_keep_their_decay(
    name: str, fits: dict
) -> None:
    covariance = np.cov(fits[name][1].T, bias=True)
    variance = np.diag(covariance)
    assert_allclose(covariance, np.diag(variance), atol=1e-6)
    assert np.all(np.diff(variance) <= 1e-9)
    assert variance[-1] < 0.5


@every
def test_fitting_does_not_depend_on_the_order_or_names_of_the_images(
    name: str, fits: dict
) -> None:
    shuffled = np.random.default_rng(3).permutation(COUNT)
    names = np.array([f"{number:03d}" for number in np.argsort(shuffled)])
    source = dc.ArraySource(images_of(name)[shuffled], names)
    again = fit_features(ENCODERS[name], source)[1]
    # Sums in another order differ in the last bits; axes between which the variance
    # falls by a tenth turn by ten times as much.
    assert_allclose(again, fits[name][1][shuffled], atol=1e-6)


@every
def test_the_same_seed_gives_the_same_encoder(name: str, fits: dict) -> None:
    again = ENCODERS[name].fit(source_of(name))
    assert again.fingerprint == fits[name][0].fingerprint


def test_another_seed_draws_other_filters(fits: dict) -> None:
    other = CONV.fit(SOURCE, seed=1)
    assert other.fingerprint != fits["conv"][0].fingerprint
    assert not np.allclose(other.apply(IMAGES), fits["conv"][1], atol=0.01)


def test_fingerprints_tell_encoders_apart(fits: dict) -> None:
    prints = {fitted.fingerprint for fitted, _ in fits.values()}
    prints.add(dc.PCA(size=4).fit(SOURCE).fingerprint)
    prints.add(dc.PCA(size=5).fit(SOURCE, SOURCE.keys[:30]).fingerprint)
    assert len(prints) == len(fits) + 2


@every
def test_a_fitted_encoder_survives_pickling(name: str, fits: dict) -> None:
    fitted, whole = fits[name]
    again = pickle.loads(pickle.dumps(fitted))
    assert again.fingerprint == fitted.fingerprint
    assert again.name == fitted.name
    assert_array_equal(again.apply(images_of(name)), whole)


@pytest.mark.parametrize("name", ["pca", "flatten", "colour", "texture"])
def test_units_and_origin_of_the_pixels_do_not_matter(name: str, fits: dict) -> None:
    moved = fit_features(ENCODERS[name], dc.ArraySource(0.01 * IMAGES - 3.0))[1]
    assert_allclose(moved, fits[name][1], atol=1e-4)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_traced_features_are_the_applied_ones(name: str, fits: dict) -> None:
    fitted, whole = fits[name]
    assert fitted.differentiable
    image = jnp.asarray(images_of(name)[5], jnp.float32)
    # float32, where the applied ones are projected in float64
    assert_allclose(jax.jit(fitted.traced)(image), whole[5], atol=2e-5)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_are_those_of_the_features(name: str, fits: dict) -> None:
    fitted = fits[name][0]
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


def test_convolution_is_correlation_rectified_above_one_and_pooled(fits: dict) -> None:
    fitted = fits["conv"][0]
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


def test_a_stride_skips_positions(fits: dict) -> None:
    wide = dc.RandomConvFeatures(n_filters=12, patch=4, size=6, stride=2).fit(SOURCE)
    fitted = fits["conv"][0]
    raw = encoding.run(wide.recipe, fitted.state, IMAGES[:2])
    state = {name: np.asarray(value, float) for name, value in fitted.state.items()}
    scaled = (IMAGES[0] - state["mean"]) / state["sd"]
    first = state["filters"][:, 0].reshape(4, 4, 2)
    answer = correlate(scaled, first, mode="valid")[::2, ::2, 0]
    above = np.maximum(answer - state["bias"][0] - 1, 0)
    assert_allclose(raw[0, [0, 12]], [above.mean(), above.max()], atol=1e-5)


def singular(rows: np.ndarray, size: int) -> np.ndarray:
    """Leading principal components by a singular value decomposition."""
    moved = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(moved, full_matrices=False)
    scores = left[:, :size] * values[:size]
    return scores / scores[:, 0].std()


def pixel_rows() -> np.ndarray:
    scaled = (IMAGES - IMAGES.mean(axis=(0, 1, 2))) / IMAGES.std(axis=(0, 1, 2))
    return scaled.reshape(COUNT, -1)


def test_components_are_those_of_a_singular_value_decomposition(fits: dict) -> None:
    wanted = singular(pixel_rows(), 5)
    # pixels in float32
    assert_allclose(np.abs(fits["pca"][1]), np.abs(wanted), atol=1e-5)
    embedded = fit_features(dc.Precomputed(EMBEDDING, size=4), SOURCE)[1]
    assert_allclose(np.abs(embedded), np.abs(singular(EMBEDDING, 4)), atol=1e-9)


def test_many_pixels_have_the_same_components(
    fits: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distcausal.images.pca._GRAM", 10)
    again = fit_features(ENCODERS["pca"], SOURCE)[1]
    assert_allclose(again, fits["pca"][1], atol=1e-4)


def test_subspace_iteration_finds_the_axes_of_many_blocks() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 70)) * 0.8 ** np.arange(70) + 4
    blocks = [(slice(at, at + 30), rows[at : at + 30]) for at in (0, 30, 60)]
    mean, variance, axes = leading(blocks, 70, size=6, rng=rng)
    assert_allclose(mean, rows.mean(axis=0))
    wanted, basis = np.linalg.eigh(np.cov(rows.T, bias=True))
    assert_allclose(variance, wanted[::-1][:6], rtol=1e-7)
    assert_allclose(np.abs(np.diag(axes.T @ basis[:, ::-1])), 1, atol=1e-6)


def test_flattened_pixels_are_the_pixels_in_one_scale(fits: dict) -> None:
    rows = pixel_rows()
    moved = rows - rows.mean(axis=0)
    wanted = moved / np.linalg.norm(moved / np.sqrt(COUNT), ord=2)
    assert_allclose(fits["flatten"][1], wanted, atol=1e-5)


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


def test_a_crop_sees_the_centre_only(fits: dict) -> None:
    fitted, whole = fits["crop"]
    framed = np.zeros_like(IMAGES)
    framed[:, 2:10, 1:9] = IMAGES[:, 2:10, 1:9]
    assert_array_equal(fitted.apply(framed), whole)
    inner = fit_features(CONV, dc.ArraySource(IMAGES[:, 2:10, 1:9]))[1]
    assert_array_equal(inner, whole)


def test_scales_are_blocks_with_components_of_their_own(fits: dict) -> None:
    whole = fits["scales"][1]
    parts = np.concatenate([fits["crop"][1], fits["pca"][1][:, :3]], axis=1)
    factor = np.linalg.norm(whole) / np.linalg.norm(parts)
    assert_allclose(whole, factor * parts, atol=1e-9)
    assert fits["scales"][0].differentiable
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


def test_pixels_far_from_zero_keep_their_digits(fits: dict) -> None:
    far = fit_features(dc.PCA(size=5), dc.ArraySource(IMAGES + 1e5))[1]
    # float32 has steps of 0.008 there, against a spread of 40
    assert_allclose(far, fits["pca"][1], atol=2e-3)


def test_an_encoder_needs_images() -> None:
    with pytest.raises(dc.DataError, match="keys names none"):
        dc.PCA().fit(SOURCE, [])


@pytest.mark.parametrize("name", ["conv", "pca", "scales", "sequence"])
def test_images_of_another_shape_are_refused(name: str, fits: dict) -> None:
    with pytest.raises(dc.DataError, match=r"of those the encoder was fitted to"):
        fits[name][0].apply(images_of(name)[..., :-1, :])
    with pytest.raises(dc.DataError, match=r"of those the encoder was fitted to"):
        fits["pca"][0].traced(IMAGES[0, 1:])


def test_a_fitted_encoder_knows_the_scale_it_was_fitted_to(fits: dict) -> None:
    for name, (fitted, _) in fits.items():
        with pytest.raises(dc.DataError, match="on the scale of the training"):
            check_range(dc.ArraySource(images_of(name) / 1e4), fitted.moments)
    unseen = dc.Precomputed(EMBEDDING).fit(SOURCE)
    check_range(dc.ArraySource(IMAGES / 1e4), unseen.moments)


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
