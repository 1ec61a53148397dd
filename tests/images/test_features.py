"""The cache of features gives back what was computed, for these images only."""

from __future__ import annotations

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.images.features import features, fit_features

IMAGES = np.random.default_rng(0).normal(size=(20, 6, 6))
KEYS = np.array([f"{number:02d}" for number in range(20)])


class Counted:
    """A source that counts the images it was asked for."""

    def __init__(self, images: np.ndarray = IMAGES) -> None:
        self._source = dc.ArraySource(images, KEYS)
        self.keys, self.shape = self._source.keys, self._source.shape
        self.dtype, self.fingerprint = self._source.dtype, self._source.fingerprint
        self.asked = 0

    def __len__(self) -> int:
        return len(self.keys)

    def get(self, keys: np.ndarray) -> np.ndarray:
        self.asked += len(keys)
        return self._source.get(keys)


@pytest.fixture(scope="module")
def fitted() -> object:
    return dc.PCA(size=4).fit(dc.ArraySource(IMAGES, KEYS))


CONV = dc.RandomConvFeatures(n_filters=4, patch=3, size=3)


@pytest.fixture(scope="module")
def convolved() -> tuple[object, np.ndarray]:
    return fit_features(CONV, dc.ArraySource(IMAGES, KEYS))


@given(st.lists(st.integers(0, 19), max_size=30), st.sampled_from([None, 1, 3, 8, 50]))
def test_features_follow_the_keys_whatever_their_order_number_and_batch(
    convolved: tuple, places: list[int], batch: int | None
) -> None:
    fitted, whole = convolved
    found = features(fitted, Counted(), KEYS[places], batch=batch)
    assert_array_equal(found, whole[places])


@given(st.lists(st.lists(st.integers(0, 19), max_size=12), max_size=4))
def test_cached_and_uncached_features_are_equal_whatever_was_asked_before(
    convolved: tuple, requests: list[list[int]]
) -> None:
    fitted, whole = convolved
    with TemporaryDirectory() as folder:
        cache, source = dc.FeatureCache(folder), Counted()
        for places in requests:
            found = features(fitted, source, KEYS[places], cache=cache)
            assert_array_equal(found, whole[places])
    assert source.asked == len({place for places in requests for place in places})


@given(st.permutations(range(20)))
def test_the_order_of_the_images_does_not_matter_for_a_fit(
    convolved: tuple, order: list[int]
) -> None:
    moved = fit_features(CONV, dc.ArraySource(IMAGES[order]))[1]
    # Sums in another order: the last bits, by the ratio of neighbouring variances.
    assert_allclose(moved, convolved[1][order], atol=1e-6)


def test_cached_features_are_the_computed_ones_bit_for_bit(
    fitted: object, tmp_path: Path
) -> None:
    cache = dc.FeatureCache(tmp_path)
    plain = features(fitted, Counted())
    first = features(fitted, Counted(), cache=cache)
    source = Counted()
    again = features(fitted, source, cache=dc.FeatureCache(tmp_path))
    assert source.asked == 0
    assert_array_equal(first, plain)
    assert_array_equal(again, plain)


def test_only_images_not_seen_before_are_encoded(
    fitted: object, tmp_path: Path
) -> None:
    cache, source = dc.FeatureCache(tmp_path), Counted()
    plain = features(fitted, Counted())
    some = features(fitted, source, KEYS[[7, 3, 3]], cache=cache)
    assert source.asked == 2
    assert_array_equal(some, plain[[7, 3, 3]])
    more = features(fitted, source, KEYS[[3, 9, 7, 0]], cache=cache)
    assert source.asked == 4
    assert_array_equal(more, plain[[3, 9, 7, 0]])


def test_other_images_or_another_encoder_have_a_file_of_their_own(
    fitted: object, tmp_path: Path
) -> None:
    cache = dc.FeatureCache(tmp_path)
    features(fitted, Counted(), cache=cache)
    changed = IMAGES.copy()
    changed[4] += 1
    other = Counted(changed)
    assert_array_equal(
        features(fitted, other, cache=cache), fitted.apply(other.get(KEYS))
    )
    assert other.asked == 2 * len(KEYS)
    smaller = dc.PCA(size=3).fit(Counted())
    assert features(smaller, Counted(), cache=cache).shape == (20, 3)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "encoder",
    [
        dc.PCA(size=4),
        dc.Precomputed(np.random.default_rng(1).normal(size=(20, 5)), KEYS),
        dc.MultiScale([dc.PCA(size=2), dc.Crop(dc.PCA(size=2), 4)]),
    ],
)
def test_a_cached_fit_needs_no_image(encoder: object, tmp_path: Path) -> None:
    cache, source = dc.FeatureCache(tmp_path), Counted()
    plain, found = fit_features(encoder, source)
    first, one = fit_features(encoder, source, cache=cache)
    source.asked = 0
    again, two = fit_features(encoder, source, cache=cache)
    assert source.asked == 0
    assert plain.fingerprint == first.fingerprint == again.fingerprint
    assert_array_equal(one, found)
    assert_array_equal(two, found)


def test_a_cached_fit_belongs_to_its_seed_encoder_and_training_images(
    tmp_path: Path,
) -> None:
    cache, source = dc.FeatureCache(tmp_path), Counted()
    encoder = dc.RandomConvFeatures(n_filters=4, patch=3, size=3)
    prints = {
        fit_features(encoder, source, cache=cache)[0].fingerprint,
        fit_features(encoder, source, seed=1, cache=cache)[0].fingerprint,
        fit_features(encoder, source, KEYS[:15], cache=cache)[0].fingerprint,
        fit_features(dc.PCA(size=3), source, cache=cache)[0].fingerprint,
        fit_features(dc.PCA(size=2), source, cache=cache)[0].fingerprint,
    }
    assert len(prints) == 5


def test_a_cache_can_be_pickled_and_says_where_it_is(tmp_path: Path) -> None:
    cache = pickle.loads(pickle.dumps(dc.FeatureCache(tmp_path)))
    assert str(tmp_path) in repr(cache)


def test_a_damaged_cache_file_is_named(fitted: object, tmp_path: Path) -> None:
    cache = dc.FeatureCache(tmp_path)
    features(fitted, Counted(), cache=cache)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"half a file")
    with pytest.raises(dc.DataError, match=f"{file.name} cannot be read"):
        features(fitted, Counted(), cache=cache)


@pytest.mark.parametrize("half", [b"", b"junk", b"cnowhere\nThing\n.", b"\x80\x05N"])
def test_a_damaged_encoder_in_a_cache_is_named(half: bytes, tmp_path: Path) -> None:
    cache = dc.FeatureCache(tmp_path)
    fit_features(dc.PCA(size=3), Counted(), cache=cache)
    (file,) = tmp_path.glob("*.pickle")
    file.write_bytes(half)
    with pytest.raises(dc.DataError, match=f"{file.name} cannot be read.*Delete it"):
        fit_features(dc.PCA(size=3), Counted(), cache=cache)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(dc.DesignError, match="is a file"):
        dc.FeatureCache(tmp_path / "file")


def test_raw_values_too_many_to_keep_are_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once = Counted()
    plain, found = fit_features(dc.PCA(size=4), once)
    assert once.asked == 2 * len(KEYS)  # for moments, and to encode
    monkeypatch.setattr("distcausal.images.training._KEPT_BYTES", 0)
    source = Counted()
    again, same = fit_features(dc.PCA(size=4), source)
    assert source.asked == 3 * len(KEYS)
    assert again.fingerprint == plain.fingerprint
    assert_array_equal(same, found)
