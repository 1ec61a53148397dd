"""A network trained on outcomes finds what the effect hangs on, and is an encoder."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DataError, DesignError
from distcausal.images.cnn import _patches
from distcausal.images.encoder import run
from distcausal.images.families import as_family
from distcausal.images.model import Layout, log_membership
from distcausal.images.network import Network, convolved, normalised
from distcausal.images.salience import salience
from distcausal.images.scan import scan
from distcausal.images.trial import Trial, lane_of

SIDE, IMAGES = 8, 240
QUICK = dc.SmallCNN(filters=(8,), kernels=3, width=6, steps=60, batch=32, rate=0.02)


def pictures(seed=0):
    """Noise, in half of the images with a bright square at some place."""
    rng = np.random.default_rng(seed)
    cluster = rng.permutation(np.arange(IMAGES) % 2)
    images = 0.3 * rng.normal(size=(IMAGES, SIDE, SIDE)).astype(np.float32)
    for image, marked in zip(images, cluster, strict=True):
        row, column = rng.integers(0, SIDE - 2, 2)
        image[row : row + 3, column : column + 3] += marked
    return images, cluster


def trial_of(cluster, outcome=None, seed=0):
    """A trial in which treatment adds three where there is a square."""
    rng = np.random.default_rng([seed, 1])
    units = len(cluster)
    treatment = rng.permutation(np.arange(units) % 2)
    if outcome is None:
        outcome = 3.0 * treatment * cluster + 0.5 * rng.normal(size=units)
    return Trial(
        keys=np.arange(units),
        image=np.arange(units),
        ids=np.arange(units),
        outcome=np.asarray(outcome, float)[:, None],
        known_variance=np.zeros((units, 1)),
        treatment=treatment,
        weights=np.ones(units),
        covariates=np.zeros((units, 0)),
        group=np.arange(units),
        propensity=None,
        features=np.zeros((units, 2)),
    )


def layout_of(family="normal", clusters=2):
    """Mixture of units with an image each."""
    return Layout(clusters, 1, 2, 0, as_family(family), "arm", alone=True)


@cache
def learnt():
    """Encoder and course of one training."""
    images, cluster = pictures()
    trial, source = trial_of(cluster), dc.ArraySource(images)
    return QUICK.study(source, trial, layout_of(), trial.weights, seed=0)


@given(
    st.integers(0, 2**16),
    st.sampled_from(((7, 9, 3, 2), (8, 8, 2, 2), (8, 6, 6, 1), (5, 5, 3, 4))),
)
def test_products_of_patches_are_a_convolution(seed, case):
    height, width, side, stride = case
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height, width, 2)).astype(np.float32)
    filters = rng.normal(size=(side, side, 2, 3)).astype(np.float32)
    want = lax.conv_general_dilated(
        image[None],
        filters,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]
    # Sums of up to 72 products of numbers near one, in float32.
    assert_allclose(convolved(image, filters, stride), want, atol=1e-4)


@given(st.integers(0, 2**16), st.floats(-50, 50), st.floats(0.5, 20))
def test_normalised_answers_forget_level_and_scale(seed, level, scale):
    values = np.random.default_rng(seed).normal(size=(4, 4, 3)).astype(np.float32)
    found = np.asarray(normalised(values))
    assert_allclose([found.mean(), found.std()], [0, 1], atol=1e-4)
    # A level of 50 takes two digits from the seven of float32.
    again = normalised((level + scale * values).astype(np.float32))
    assert_allclose(again, found, atol=1e-3)


def test_the_network_finds_what_the_effect_hangs_on():
    encoder, course = learnt()
    images, cluster = pictures(seed=1)
    trial = trial_of(cluster)
    lane = lane_of(trial, trial.weights, 2, layout_of()._replace(features=6))
    rows = run(encoder.recipe, encoder.state, images[..., None])
    chance = np.exp(log_membership(course.head, rows, lane))[:, 1]
    assert chance[cluster == 1].mean() > 0.8
    assert chance[cluster == 0].mean() < 0.2
    features = encoder.apply(images[..., None])
    between = features[cluster == 1].mean(axis=0) - features[cluster == 0].mean(axis=0)
    assert np.linalg.norm(between) > 1.0


def test_what_is_learnt_is_an_encoder():
    encoder, _ = learnt()
    images = pictures(seed=1)[0][:20, ..., None]
    features = encoder.apply(images)
    assert features.shape == (20, encoder.size) == (20, QUICK.width)
    assert features.dtype == float
    assert encoder.differentiable
    assert_allclose(encoder.traced(images[3]), features[3], atol=1e-5)
    assert_array_equal(encoder.apply(images[5:7]), features[5:7])
    again = pickle.loads(pickle.dumps(encoder))
    assert again.fingerprint == encoder.fingerprint
    assert_array_equal(again.apply(images), features)
    for leaf in jax.tree.leaves((encoder.state, encoder.projection.axes)):
        assert isinstance(leaf, np.ndarray)


def test_features_are_centred_and_the_first_has_spread_one():
    encoder, _ = learnt()
    features = encoder.apply(pictures()[0][..., None])
    assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    assert_allclose(features[:, 0].std(), 1, atol=1e-4)
    assert np.all(features.std(axis=0) <= 1 + 1e-4)


def test_another_seed_is_another_encoder():
    images, cluster = pictures()
    trial, source = trial_of(cluster), dc.ArraySource(images)
    other = QUICK.train(source, trial, layout_of(), trial.weights, seed=1)
    assert other.fingerprint != learnt()[0].fingerprint


def test_attributions_to_pixels_pass_through_the_network():
    encoder, _ = learnt()
    rng = np.random.default_rng(0)
    head = SimpleNamespace(
        weights=rng.normal(size=(3, encoder.size, 2)),
        bias=rng.normal(size=(3, 2)),
        effects=np.array([[0.0, 3.0]] * 3)[..., None],
    )
    image = pictures()[0][0]
    found = salience(encoder, head, image, cluster=2, method="integrated")
    moved = found.value.mean() - found.baseline_value.mean()
    assert abs(found.attribution.sum() - moved) <= found.completeness + 1e-4


def test_first_filters_are_those_of_random_features():
    source = dc.ArraySource(pictures()[0])
    contents = scan(source)
    found = _patches(QUICK, source, source.keys, contents, 0)
    simple = dc.RandomConvFeatures(n_filters=8, patch=3)
    state = simple.prepare(source, source.keys, contents, 0)[1]
    assert_array_equal(found["filters0"].reshape(9, 8), state["filters"])
    assert_array_equal(found["bias0"], -state["bias"] - 1)


@pytest.mark.parametrize("norm", ["layer", None])
def test_a_blank_image_has_a_representation(norm):
    network = Network((4, 4), (3, 3), (2, 2), norm, ("mean", "max"), 5, patches=False)
    weights = network.first_weights(2, np.random.default_rng(0))
    slope = jax.jit(jax.jacrev(lambda image: network.represent(weights, image)))
    found = slope(np.zeros((8, 8, 2), np.float32))
    assert found.shape == (5, 8, 8, 2)
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_other_objectives_likelihoods_and_restarts_are_trained():
    images, cluster = pictures()
    source = dc.ArraySource(images)
    binary = np.random.default_rng(0).integers(0, 2, IMAGES)
    cases = [
        (replace(QUICK, objective="relaxed", finetune=True), "normal", None),
        (
            replace(QUICK, restarts=2, augment=("brightness", "contrast")),
            "normal",
            None,
        ),
        (replace(QUICK, first="random", norm=None), "bernoulli", binary),
    ]
    for encoder, family, outcome in cases:
        trial = trial_of(cluster, outcome)
        layout = layout_of(family, clusters=3)
        fitted, course = encoder.study(source, trial, layout, trial.weights)
        assert np.isfinite(course.loss).all()
        assert fitted.size == QUICK.width


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": ()}, "at least one"),
        ({"filters": (4, 0)}, "filters 0 should be a whole number"),
        ({"filters": (4, 4), "kernels": (3, 3, 3)}, "one for each of the 2 layers"),
        ({"strides": 0}, "strides 0 should be a whole number"),
        ({"norm": "batch"}, "'batch' is not one of 'layer', None"),
        ({"pool": ("median",)}, "'median' is not one of"),
        ({"first": "zeros"}, "'zeros' is not one of"),
        ({"augment": ("rotate",)}, "'rotate' is not one of 'flip'"),
        ({"objective": "mean"}, "'mean' is not one of"),
        ({"rate": 0.0}, r"rate 0.0 .* should be positive"),
        ({"holdout": 1.0}, "holdout 1.0 should be a share"),
        ({"steps": 2.5}, "steps 2.5 should be a whole number"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(DesignError, match=words):
        dc.SmallCNN(**arguments)


def test_what_cannot_be_trained_on_is_refused():
    images, cluster = pictures()
    trial, layout = trial_of(cluster), layout_of()
    weights = np.zeros(IMAGES)
    with pytest.raises(DataError, match=r"at least 2 images .* there are 0"):
        QUICK.train(dc.ArraySource(images), trial, layout, weights)
    times = dc.ArraySource(images.reshape(IMAGES, 2, 4, 8, 1))
    with pytest.raises(DesignError, match=r"not at sequences of shape \(2, 4, 8, 1\)"):
        QUICK.train(times, trial, layout, trial.weights)
    relaxed = replace(QUICK, objective="relaxed")
    shared = layout._replace(intercepts=True)
    with pytest.raises(DesignError, match="no random intercepts"):
        relaxed.train(dc.ArraySource(images), trial, shared, trial.weights)
