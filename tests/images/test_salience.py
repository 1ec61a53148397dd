"""Maps of what in an image speaks for a prediction keep what their names promise."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.ndimage import uniform_filter

import distcausal as dc
from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.images.salience import salience

SIDE, FEATURES, CLUSTERS, DRAWS = 8, 3, 3, 6
METHODS = ("gradient", "integrated", "occlusion")


class Half:
    """Encoder that reads the left half of an image only, smooth or with kinks."""

    differentiable = True
    size = FEATURES
    name = "half"

    def __init__(self, shape=(SIDE, SIDE, 2), kinks=False):
        rng = np.random.default_rng(0)
        self.shape, self.kinks = shape, kinks
        mask = np.arange(shape[-2]) < shape[-2] // 2
        self.filters = rng.normal(size=(FEATURES, *shape)) * mask[:, None]

    def traced(self, image):
        raw = jnp.tensordot(self.filters, image, image.ndim)
        return jnp.abs(raw - 0.3) if self.kinks else jnp.tanh(0.1 * raw)

    def apply(self, batch):
        raw = np.tensordot(
            batch.astype(float),
            self.filters,
            (range(1, batch.ndim), range(1, batch.ndim)),
        )
        return np.abs(raw - 0.3) if self.kinks else np.tanh(0.1 * raw)


class Wild(Half):
    """Encoder that no quadrature with a bounded number of nodes follows."""

    def traced(self, image):
        return jnp.sin(1e3 * jnp.tensordot(self.filters, image, image.ndim))


class Linear(Half):
    """Encoder whose features are sums of pixels."""

    def traced(self, image):
        return jnp.tensordot(self.filters, image, image.ndim)

    def apply(self, batch):
        return np.tensordot(
            batch.astype(float),
            self.filters,
            (range(1, batch.ndim), range(1, batch.ndim)),
        )


class Outside(Half):
    """The same features from a function that JAX cannot look into."""

    differentiable = False
    traced = None


SMOOTH, KINKED, LINEAR = Half(), Half(kinks=True), Linear()
SEQUENCE = Half(shape=(2, SIDE, SIDE, 1))


def drawn(seed, clusters=CLUSTERS, shape=(SIDE, SIDE, 2)):
    """A posterior and an image."""
    rng = np.random.default_rng(seed)
    effects = np.sort(rng.normal(size=(DRAWS, clusters)))[..., None]
    posterior = SimpleNamespace(
        weights=rng.normal(size=(DRAWS, FEATURES, clusters)),
        bias=rng.normal(size=(DRAWS, clusters)),
        effects=effects,
    )
    return posterior, rng.normal(size=shape)


def value(encoder, posterior, image, cluster):
    """Average over draws of what is attributed, in plain NumPy."""
    features = encoder.apply(image[None])[0]
    logits = np.einsum("dfk,f->dk", posterior.weights, features) + posterior.bias
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    if cluster is None:
        return np.mean(np.sum(share * posterior.effects[..., 0], axis=1))
    odds = share[:, cluster - 1] / np.delete(share, cluster - 1, axis=1).sum(axis=1)
    return np.mean(np.log(odds))


seeds = st.integers(0, 2**16)
clusters = st.sampled_from((None, 3))  # each is compiled


@given(seeds, clusters)
def test_gradients_are_those_of_small_changes(seed, cluster):
    posterior, image = drawn(seed)
    found = salience(SMOOTH, posterior, image, cluster=cluster)
    step, rng = 1e-5, np.random.default_rng(seed)
    for row, column, band in rng.integers((SIDE, SIDE, 2), size=(4, 3)):
        moved = np.zeros(image.shape)
        moved[row, column, band] = step
        ends = [value(SMOOTH, posterior, image + s * moved, cluster) for s in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * step)
        # Rounding of values near 1, about 1e-16, is divided by the step.
        assert_allclose(found.by_band[row, column, band], slope, atol=1e-9, rtol=1e-6)


@given(seeds, clusters, st.sampled_from((SMOOTH, KINKED)))
def test_integrated_gradients_are_complete(seed, cluster, encoder):
    posterior, image = drawn(seed)
    found = salience(encoder, posterior, image, cluster=cluster, method="integrated")
    blank = np.broadcast_to(image.mean(axis=(0, 1)), image.shape)
    ends = [value(encoder, posterior, each, cluster) for each in (image, blank)]
    # The gap that is reported bounds the one there is; sums of pixels round at 1e-12.
    missed = abs(found.attribution.sum() - (ends[0] - ends[1]))
    assert missed <= found.completeness + 1e-10
    assert_allclose([found.value.mean(), found.baseline_value.mean()], ends, atol=1e-12)


@given(seeds, clusters)
def test_a_smaller_tolerance_is_met_with_more_gradients(seed, cluster):
    posterior, image = drawn(seed)
    asked = {"cluster": cluster, "method": "integrated"}
    rough = salience(KINKED, posterior, image, **asked)
    fine = salience(KINKED, posterior, image, **asked, tolerance=1e-4)
    assert fine.completeness <= rough.completeness
    assert fine.nodes >= rough.nodes


@given(seeds, st.sampled_from(METHODS), clusters)
def test_constant_logits_leave_nothing_to_attribute(seed, method, cluster):
    posterior, image = drawn(seed)
    posterior.weights = np.zeros_like(posterior.weights)
    found = salience(SMOOTH, posterior, image, cluster=cluster, method=method)
    assert_allclose(found.by_band, 0, atol=1e-12)
    assert_allclose(found.draws, 0, atol=1e-12)


@given(seeds, st.sampled_from(METHODS), clusters)
def test_what_the_model_ignores_has_no_attribution(seed, method, cluster):
    posterior, image = drawn(seed)
    found = salience(
        SMOOTH, posterior, image, cluster=cluster, method=method, window=2, stride=2
    )
    assert_allclose(found.draws[:, :, SIDE // 2 :], 0, atol=1e-12)
    assert np.abs(found.draws[:, :, : SIDE // 2]).max() > 1e-6


@given(seeds)
def test_the_odds_of_two_clusters_are_opposed(seed):
    posterior, image = drawn(seed, clusters=2)
    one, other = (salience(SMOOTH, posterior, image, cluster=k) for k in (1, 2))
    assert_allclose(one.by_band, -other.by_band, atol=1e-10)


@given(seeds, st.sampled_from(METHODS))
def test_equal_effects_leave_nothing_to_attribute(seed, method):
    posterior, image = drawn(seed)
    posterior.effects = np.ones_like(posterior.effects)
    found = salience(SMOOTH, posterior, image, method=method)
    assert_allclose(found.by_band, 0, atol=1e-12)


@given(seeds)
def test_a_line_is_split_over_pixels_by_its_slopes(seed):
    posterior, image = drawn(seed, clusters=2)
    slope = salience(LINEAR, posterior, image, cluster=2, baseline=0.5)
    split = salience(
        LINEAR, posterior, image, cluster=2, baseline=0.5, method="integrated"
    )
    assert_allclose(split.by_band, slope.by_band * (image - 0.5), atol=1e-10)
    hidden = salience(
        LINEAR, posterior, image, cluster=2, baseline=0.5, method="occlusion", window=1
    )
    assert_allclose(hidden.attribution, split.attribution, atol=1e-9)


@given(seeds, st.sampled_from(METHODS))
def test_the_map_is_the_average_of_the_draws(seed, method):
    posterior, image = drawn(seed)
    found = salience(SMOOTH, posterior, image, cluster=3, method=method)
    assert len(found.draws) == DRAWS
    assert_allclose(found.draws.mean(axis=0), found.by_band, atol=1e-12)
    frame = found.tidy()
    assert_allclose(frame["estimate"], found.attribution.ravel())
    assert np.all(frame["conf_low"] <= frame["conf_high"])


def sure(seed=0, draws=200):
    """A posterior that is sure of the image in nearly every draw."""
    rng = np.random.default_rng(seed)
    bias = np.stack([np.zeros(draws), rng.normal(14.0, 5.0, draws)], axis=1)
    posterior = SimpleNamespace(
        weights=rng.normal(size=(draws, FEATURES, 2)),
        bias=bias,
        effects=np.tile([0.0, 1.0], (draws, 1))[..., None],
    )
    return posterior, rng.normal(size=(SIDE, SIDE, 2))


@pytest.mark.parametrize("method", ["gradient", "occlusion"])
def test_a_map_that_few_draws_of_a_sure_image_carry_is_announced(method):
    posterior, image = sure()
    said = r"5 largest of 200 carry \d\d% of it.*use method='integrated', or ask"
    with pytest.warns(InferenceWarning, match=said):
        found = salience(SMOOTH, posterior, image, method=method)
    assert np.all(found.attribution <= found.draws.mean(-1).max(axis=0))
    assert np.all(found.attribution >= found.draws.mean(-1).min(axis=0))
    salience(SMOOTH, posterior, image, cluster=2, method=method)
    posterior.bias = posterior.bias / 20
    salience(SMOOTH, posterior, image, method=method)


def test_a_sure_image_whose_features_come_from_outside_is_sent_to_log_odds():
    posterior, image = sure()
    with pytest.warns(InferenceWarning, match="another map, ask for log odds"):
        salience(Outside(), posterior, image, method="occlusion")


@pytest.mark.parametrize("method", METHODS)
def test_a_map_and_its_check_are_of_the_draws_kept(method):
    posterior, image = sure()
    posterior.bias = posterior.bias / 20
    found = salience(SMOOTH, posterior, image, method=method, draws=40)
    assert len(found.draws) == len(found.value) == len(found.deleted) == 40
    assert_allclose(found.draws.mean(axis=0), found.by_band, atol=1e-12)
    if method == "integrated":
        moved = found.value.mean() - found.baseline_value.mean()
        missed = abs(found.attribution.sum() - moved)
        assert missed <= found.completeness + 1e-10


@given(seeds, st.sampled_from(METHODS))
def test_deletion_runs_from_the_image_to_the_baseline(seed, method):
    posterior, image = drawn(seed)
    found = salience(SMOOTH, posterior, image, method=method)
    curve = found.deletion()
    blank = np.broadcast_to(image.mean(axis=(0, 1)), image.shape)
    ends = [value(SMOOTH, posterior, each, None) for each in (image, blank)]
    assert_allclose(curve["value"].iloc[[0, -1]], ends, atol=1e-12)
    assert_allclose(curve["share"].iloc[[0, -1]], [0, 1])


def test_deletion_of_a_line_falls_at_its_largest_terms_first():
    posterior, image = drawn(3, clusters=2)
    found = salience(
        LINEAR, posterior, image, cluster=2, baseline=0.0, method="integrated"
    )
    fall = -np.diff(found.deletion()["value"])
    assert np.all(np.diff(fall[fall > 0]) < 1e-9 + 0.2 * fall.max())
    terms = np.sort(found.attribution.ravel())[::-1]
    first = np.rint(found.share[1] * terms.size).astype(int)
    assert_allclose(fall[0], terms[:first].sum(), rtol=1e-9)


@given(seeds, st.sampled_from(METHODS))
def test_segments_that_share_out_the_image_share_out_the_mean(seed, method):
    posterior, image = drawn(seed)
    found = salience(SMOOTH, posterior, image, method=method)
    mask = np.random.default_rng(seed).integers(0, 4, (SIDE, SIDE))
    parts = found.segments(mask)
    whole = found.segments({"all": np.ones((SIDE, SIDE), bool)})
    assert_allclose(parts.draws @ parts.pixels / SIDE**2, whole.draws[:, 0], atol=1e-12)
    low, high = parts.conf_int(0.5)
    assert np.all((low <= high) & (low >= 0))
    assert list(parts.tidy()["term"]) == [str(label) for label in np.unique(mask)]


@given(seeds, st.sampled_from((1, 3, 4)))
def test_smoothing_averages_squares_inside_the_image(seed, box):
    posterior, image = drawn(seed)
    found = salience(SMOOTH, posterior, image)
    magnitude, direction = found.smoothed(box)
    for got, raw in ((magnitude, found.magnitude), (direction, found.direction)):
        inside = slice(box // 2, box // 2 + SIDE - box + 1)
        want = uniform_filter(raw, box, mode="nearest")[inside, inside]
        assert_allclose(got, want, atol=1e-12)


def test_random_filters_are_attributed_completely():
    images = np.random.default_rng(0).normal(size=(40, 12, 12))
    encoder = dc.RandomConvFeatures(n_filters=16, size=FEATURES).fit(
        dc.ArraySource(images)
    )
    posterior, _ = drawn(1)
    found = salience(encoder, posterior, images[0], cluster=1, method="integrated")
    moved = found.value.mean() - found.baseline_value.mean()
    # Features are applied in float32, of which values here lose 1e-6.
    assert abs(found.attribution.sum() - moved) <= found.completeness + 1e-5
    assert found.image.shape == (12, 12, 1)


def test_the_baseline_is_the_mean_of_the_training_images():
    images = np.random.default_rng(0).normal(2.0, 1.0, size=(40, 8, 8))
    encoder = dc.PCA(size=FEATURES).fit(dc.ArraySource(images))
    posterior, _ = drawn(1)
    found = salience(encoder, posterior, images[0])
    blank = np.full((8, 8, 1), images.mean())
    want = value(encoder, posterior, blank, None)
    assert_allclose(found.baseline_value.mean(), want, atol=1e-6)


def test_features_from_outside_are_occluded_and_nothing_else():
    posterior, image = drawn(2)
    outside = salience(Outside(), posterior, image, method="occlusion")
    own = salience(SMOOTH, posterior, image, method="occlusion")
    assert_allclose(outside.by_band, own.by_band, atol=1e-12)
    with pytest.raises(DesignError, match=r"'gradient' needs gradients.*'half'"):
        salience(Outside(), posterior, image)


def test_times_of_a_sequence_count_as_bands():
    posterior, image = drawn(4, shape=SEQUENCE.shape)
    for method in METHODS:
        found = salience(SEQUENCE, posterior, image, method=method)
        bands = 1 if method == "occlusion" else 2
        assert found.by_band.shape == (SIDE, SIDE, bands)
    found = salience(SEQUENCE, posterior, image)
    moved = np.zeros(image.shape)
    moved[1, 2, 1] = 1e-5
    ends = [value(SEQUENCE, posterior, image + s * moved, None) for s in (1, -1)]
    assert_allclose(found.by_band[2, 1, 1], (ends[0] - ends[1]) / 2e-5, rtol=1e-5)


def test_integrated_gradients_that_do_not_add_up_are_announced():
    posterior, image = drawn(5)
    with pytest.warns(InferenceWarning, match="may miss the difference"):
        found = salience(Wild(), posterior, image, cluster=2, method="integrated")
    assert found.nodes > 700


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"image": np.zeros((3, 3, 2))}, DataError, r"shape \(8, 8, 2\); got \(3, 3"),
        ({"image": np.full((8, 8, 2), np.nan)}, DataError, "128 of 128 are"),
        ({"baseline": np.zeros((8, 8))}, DataError, "baseline should be one image"),
        ({"cluster": 4}, DesignError, "not one of 1 to 3"),
        ({"cluster": 0}, DesignError, "not one of 1 to 3"),
        ({"method": "lime"}, DesignError, "'lime' is not one of 'gradient'"),
        ({"window": 9}, DesignError, "at most the shorter side of the image, 8"),
        ({"window": 2, "stride": 3}, DesignError, "stride 3 at most the window"),
        ({"draws": 1}, DesignError, "2 or more"),
    ],
)
def test_bad_arguments_are_refused(change, error, words):
    posterior, image = drawn(0)
    arguments = {"image": image, **change}
    with pytest.raises(error, match=words):
        salience(SMOOTH, posterior, arguments.pop("image"), **arguments)


def test_one_cluster_has_no_odds_but_an_effect():
    posterior, image = drawn(0, clusters=1)
    with pytest.raises(DesignError, match="at least two clusters"):
        salience(SMOOTH, posterior, image, cluster=1)
    assert_allclose(salience(SMOOTH, posterior, image).by_band, 0, atol=1e-15)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((4, 4), int), r"image's shape \(8, 8\); got bool of shape \(4, 4\)"),
        (np.zeros((8, 8)), "whole numbers"),
        ({"road": np.zeros((8, 8), bool)}, "'road' has no pixel"),
        ({"road": np.zeros((8, 8), int)}, "True and False"),
        ({}, "names no segment"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(mask, words):
    posterior, image = drawn(0)
    found = salience(SMOOTH, posterior, image)
    with pytest.raises(DataError, match=words):
        found.segments(mask)


def test_a_box_larger_than_the_image_is_refused():
    posterior, image = drawn(0)
    with pytest.raises(DesignError, match="shorter side of the image, 8"):
        salience(SMOOTH, posterior, image).smoothed(9)


def test_whole_numbers_stay_whole_numbers():
    posterior, image = drawn(0)
    stored = np.clip(np.rint(30 * image + 100), 0, 255).astype(np.uint8)
    seen = []

    class Watched(Half):
        def apply(self, batch):
            seen.append(batch.dtype)
            return super().apply(batch)

    found = salience(Watched(), posterior, stored, method="occlusion")
    assert set(seen) == {np.dtype(np.uint8)}
    assert np.isfinite(found.by_band).all()


def test_results_are_shown_kept_and_drawn():
    posterior, image = drawn(6)
    found = salience(SMOOTH, posterior, image, cluster=3, method="integrated")
    assert pickle.loads(pickle.dumps(found)) == found
    assert "Completeness gap" in str(found)
    assert found.glance().shape == (1, 8)
    for kind in ("magnitude", "direction", "deletion"):
        assert found.plot(kind=kind) is not None
    parts = found.segments({"left": np.arange(SIDE)[None] < np.full((SIDE, 1), 4)})
    assert "left" in str(parts)
    assert parts.glance()["segments"].item() == 1
    assert parts.plot() is not None
    assert "log odds of cluster 3" in repr(found)
