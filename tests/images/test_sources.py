"""Readers of images: one answer by key wherever the images lie, and clear refusals."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.images.reading import blocks
from distcausal.images.source import KeyedImages

COUNT, SHAPE = 11, (6, 5, 3)
KEYS = np.array([f"place-{number:02d}" for number in range(COUNT)])
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
ORDER = KEYS[[7, 0, 3, 3, 10]]


def loaded(keys: np.ndarray) -> np.ndarray:
    return IMAGES[np.searchsorted(KEYS, keys)]


def one_by_one(keys: np.ndarray) -> list[np.ndarray]:
    return list(loaded(keys))


def in_memory(folder: Path) -> KeyedImages:
    return dc.ArraySource(IMAGES, KEYS)


def as_list(folder: Path) -> KeyedImages:
    return dc.ArraySource(list(IMAGES), list(KEYS))


def mapped(folder: Path) -> KeyedImages:
    if not (folder / "all.npy").exists():
        np.save(folder / "all.npy", IMAGES)
    return dc.MemmapSource(folder / "all.npy", KEYS)


def sharded(folder: Path) -> KeyedImages:
    paths = []
    for number, part in enumerate(np.array_split(np.arange(COUNT), 3)):
        paths.append(folder / f"part-{number}.npz")
        if not paths[-1].exists():
            np.savez_compressed(paths[-1], images=IMAGES[part], keys=KEYS[part])
    return dc.ShardSource(paths)


def called(folder: Path) -> KeyedImages:
    return dc.CallableSource(loaded, KEYS, SHAPE, np.uint8)


def called_for_a_list(folder: Path) -> KeyedImages:
    return dc.CallableSource(one_by_one, KEYS, SHAPE, np.uint8)


def in_a_folder(folder: Path) -> KeyedImages:
    for key, image in zip(KEYS, IMAGES, strict=True):
        if not (folder / f"{key}.npy").exists():
            np.save(folder / f"{key}.npy", image)
    return dc.FolderSource(folder)


READERS = (
    in_memory,
    as_list,
    mapped,
    sharded,
    called,
    called_for_a_list,
    in_a_folder,
)
Reader = Callable[[Path], KeyedImages]
every_reader = pytest.mark.parametrize("reader", READERS)


@every_reader
def test_images_are_found_by_key_in_any_order_and_repeatedly(
    reader: Reader, tmp_path: Path
) -> None:
    source = reader(tmp_path)
    found = source.get(ORDER)
    assert found.dtype == source.dtype == np.uint8
    assert_array_equal(found, loaded(ORDER))
    assert source.shape == SHAPE
    assert len(source) == COUNT
    assert_array_equal(np.sort(source.keys), KEYS)


@every_reader
def test_keys_without_image_are_named_up_to_five(
    reader: Reader, tmp_path: Path
) -> None:
    source = reader(tmp_path)
    strangers = [f"nowhere-{number}" for number in range(7)]
    with pytest.raises(KeyError, match="7 keys have no image") as caught:
        source.get([KEYS[0], *strangers])
    assert isinstance(caught.value, dc.DataError)
    told = str(caught.value)
    assert all(name in told for name in strangers[:5])
    assert strangers[5] not in told
    assert "and 2 more" in told


@every_reader
def test_a_reader_survives_pickling(reader: Reader, tmp_path: Path) -> None:
    source = reader(tmp_path)
    source.get(ORDER)
    again = pickle.loads(pickle.dumps(source))
    assert_array_equal(again.get(ORDER), loaded(ORDER))
    assert again.fingerprint == source.fingerprint


@every_reader
def test_the_fingerprint_is_the_same_when_read_again(
    reader: Reader, tmp_path: Path
) -> None:
    assert reader(tmp_path).fingerprint == reader(tmp_path).fingerprint


@pytest.mark.parametrize("reader", [mapped, sharded, in_a_folder])
def test_the_fingerprint_changes_with_the_files(reader: Reader, tmp_path: Path) -> None:
    before = reader(tmp_path).fingerprint
    changed = min(tmp_path.iterdir())
    facts = changed.stat()
    os.utime(changed, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**9))
    assert reader(tmp_path).fingerprint != before


def test_the_fingerprint_of_an_array_tells_pixels_keys_shapes_and_types_apart() -> None:
    other = IMAGES.copy()
    other[4, 2, 2, 1] ^= 1
    turned = IMAGES.transpose(0, 2, 1, 3).reshape(COUNT, 5, 6, 3)
    sources = [
        dc.ArraySource(IMAGES, KEYS),
        dc.ArraySource(other, KEYS),
        dc.ArraySource(IMAGES),
        dc.ArraySource(IMAGES.reshape(COUNT, 5, 6, 3), KEYS),
        dc.ArraySource(turned, KEYS),
        dc.ArraySource(IMAGES.view(np.int8), KEYS),
    ]
    assert len({source.fingerprint for source in sources}) == len(sources)


def test_the_fingerprint_of_a_function_changes_with_its_version() -> None:
    first = dc.CallableSource(loaded, KEYS, SHAPE, np.uint8, version="1")
    second = dc.CallableSource(loaded, KEYS, SHAPE, np.uint8, version="2")
    assert first.fingerprint != second.fingerprint


def test_a_memory_map_is_closed_after_each_batch(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the open maps of a process are listed on Linux only")
    source = mapped(tmp_path)
    source.get(ORDER)
    assert "all.npy" not in maps.read_text("utf-8")


def test_grey_images_get_a_channel(tmp_path: Path) -> None:
    grey = IMAGES[..., 0]
    np.save(tmp_path / "grey.npy", grey)
    np.savez(tmp_path / "grey.npz", images=grey)
    (tmp_path / "single").mkdir()
    for key, image in zip(KEYS, grey, strict=True):
        np.save(tmp_path / "single" / f"{key}.npy", image)
    sources = [
        dc.ArraySource(grey, KEYS),
        dc.MemmapSource(tmp_path / "grey.npy", KEYS),
        dc.CallableSource(lambda k: loaded(k)[..., 0], KEYS, (6, 5), np.uint8),
        dc.FolderSource(tmp_path / "single"),
    ]
    for source in sources:
        assert source.shape == (6, 5, 1)
        assert_array_equal(source.get(ORDER), loaded(ORDER)[..., :1])
    numbered = dc.ShardSource([tmp_path / "grey.npz"] * 2)
    assert_array_equal(numbered.get([COUNT + 2])[0, ..., 0], grey[2])


@pytest.mark.parametrize("images", [None, 3, "here", {"a": np.zeros((4, 4))}])
def test_what_holds_no_images_is_no_source(images: object) -> None:
    with pytest.raises(dc.DataError, match=r"array .image, height, width.*not "):
        dc.ArraySource(images)


def test_one_image_is_no_batch_of_images() -> None:
    with pytest.raises(dc.DataError, match=r"shape \(4, 5\)\. .*is images\[None\]"):
        dc.ArraySource(np.zeros((4, 5)))


def test_one_key_has_no_image_and_two_have_none() -> None:
    source = dc.ArraySource(IMAGES, KEYS)
    with pytest.raises(dc.KeyError_, match="1 key has no image"):
        source.get(["b", "b"])
    with pytest.raises(dc.KeyError_, match="2 keys have no image"):
        source.get(["b", "a"])


def test_keys_that_are_no_keys_are_told_by_their_kind() -> None:
    days = [date(2020, 1, 1 + number) for number in range(COUNT)]
    with pytest.raises(dc.DataError, match=r"text or datetime64, but hold date\. Turn"):
        dc.ArraySource(IMAGES, days)
    assert len(dc.ArraySource(IMAGES, np.array(days, "datetime64[D]"))) == COUNT


@pytest.mark.parametrize("images", [[], IMAGES[:0]])
def test_no_images_are_refused_with_where_to_look(images: object) -> None:
    with pytest.raises(dc.DataError, match=r"there is none\. Check the folder, or the"):
        dc.ArraySource(images)


@pytest.mark.parametrize("kind", [str, Path])
def test_one_file_needs_no_list(kind: type, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", images=IMAGES, keys=KEYS)
    source = dc.ShardSource(kind(tmp_path / "one.npz"))
    assert_array_equal(source.get(ORDER), loaded(ORDER))


def test_keys_of_another_kind_are_missing_keys() -> None:
    said = "keys of units are numbers, those of images text.*Convert one"
    with pytest.raises(dc.KeyError_, match=said):
        dc.ArraySource(IMAGES, KEYS).get([3])


def test_a_key_given_twice_is_refused() -> None:
    twice = KEYS.copy()
    twice[4] = twice[2]
    with pytest.raises(dc.DataError, match=r"occur more than once.*place-02"):
        dc.ArraySource(IMAGES, twice)


def test_keys_that_do_not_fit_in_number_are_refused() -> None:
    with pytest.raises(dc.DataError, match="one entry for each of the 11 images"):
        dc.ArraySource(IMAGES, KEYS[:5])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 3)),
        np.zeros((4, 0, 3, 1)),
        np.zeros((0, 5, 5)),
        np.zeros((4, 5, 5), complex),
        np.full((4, 5, 5), "a"),
        [],
    ],
)
def test_what_is_no_array_of_images_is_refused(images: object) -> None:
    with pytest.raises(dc.DataError):
        dc.ArraySource(images)


def broken_pixels() -> np.ndarray:
    images = IMAGES.astype(float)
    images[2, 1, 1, 0] = np.nan
    images[5, 0, 0, 2] = np.inf
    return images


def test_a_missing_pixel_is_refused_with_its_key(tmp_path: Path) -> None:
    np.save(tmp_path / "broken.npy", broken_pixels())
    for source in (
        dc.ArraySource(broken_pixels(), KEYS),
        dc.MemmapSource(tmp_path / "broken.npy", KEYS),
    ):
        with pytest.raises(dc.DataError, match=r"2 of 11 .*place-02, place-05"):
            source.get(KEYS)
        assert_array_equal(source.get(KEYS[:2]), IMAGES[:2])


def test_a_masked_pixel_is_a_missing_pixel(tmp_path: Path) -> None:
    hidden = np.zeros(IMAGES.shape, bool)
    hidden[2, 1, 1, 0] = True
    masked = np.ma.array(IMAGES, mask=hidden)
    single = dc.CallableSource(lambda k: [masked[2] for _ in k], KEYS, SHAPE, float)
    for source in (dc.ArraySource(masked, KEYS), single):
        with pytest.raises(dc.DataError, match=r"missing or infinite .*place-02"):
            source.get(["place-02"])
    unmasked = np.ma.array(IMAGES, mask=False)
    assert dc.ArraySource(unmasked, KEYS).dtype == np.uint8


def test_pixels_are_not_cut_off_to_the_type_promised(tmp_path: Path) -> None:
    promised = dc.CallableSource(lambda k: loaded(k) / 3, KEYS, SHAPE, np.uint8)
    with pytest.raises(dc.DataError, match=r"place-04 are float64, .* uint8"):
        promised.get(["place-04"])
    np.save(tmp_path / "a.npy", IMAGES[0])
    np.save(tmp_path / "b.npy", IMAGES[1] / 3)
    with pytest.raises(dc.DataError, match="key b are float64"):
        dc.FolderSource(tmp_path).get(["a", "b"])


def test_missing_pixels_can_be_filled_with_the_mean_of_their_channel() -> None:
    images = broken_pixels()
    found = dc.ArraySource(images, KEYS, nan_policy="channel_mean").get(KEYS)
    known = np.where(np.isfinite(images), images, np.nan)
    means = np.nanmean(known, axis=(0, 1, 2))
    assert_allclose(found[2, 1, 1, 0], means[0], rtol=1e-12)  # sums of 330 pixels
    assert_allclose(found[5, 0, 0, 2], means[2], rtol=1e-12)
    whole = np.isfinite(images)
    assert_array_equal(found[whole], images[whole])


def test_images_with_missing_pixels_can_be_dropped(tmp_path: Path) -> None:
    np.save(tmp_path / "broken.npy", broken_pixels())
    kept = np.delete(KEYS, [2, 5])
    for source in (
        dc.ArraySource(broken_pixels(), KEYS, nan_policy="drop"),
        dc.MemmapSource(tmp_path / "broken.npy", KEYS, nan_policy="drop"),
    ):
        assert_array_equal(source.keys, kept)
        assert_array_equal(source.get(kept[::-1]), loaded(kept[::-1]))
        with pytest.raises(dc.KeyError_, match="place-05"):
            source.get(["place-05"])


def test_dropping_all_images_is_refused() -> None:
    with pytest.raises(dc.DataError, match="all 3 images"):
        dc.ArraySource(np.full((3, 2, 2), np.nan), nan_policy="drop")


def test_images_of_different_shapes_are_refused_with_the_key(tmp_path: Path) -> None:
    odd = [*IMAGES[:4], IMAGES[4][:4]]
    with pytest.raises(dc.DataError, match=r"key place-04 is \(4, 5, 3\)"):
        dc.ArraySource(odd, KEYS[:5])
    np.save(tmp_path / "a.npy", IMAGES[0])
    np.save(tmp_path / "b.npy", IMAGES[1][:4])
    with pytest.raises(dc.DataError, match=r"key b is \(4, 5, 3\)"):
        dc.FolderSource(tmp_path).get(["a", "b"])
    wrong = dc.CallableSource(lambda k: loaded(k)[:, :4], KEYS, SHAPE, np.uint8)
    with pytest.raises(dc.DataError, match=r"place-03.*Set resize="):
        wrong.get(["place-03"])


def test_images_of_different_shapes_can_be_resized_or_cropped(tmp_path: Path) -> None:
    ramp = np.linspace(0.0, 1.0, 12)
    odd = [np.tile(ramp, (8, 1)), np.tile(ramp[::2], (4, 1))]
    resized = dc.ArraySource(odd, resize=(4, 6)).get([0, 1])
    assert resized.shape == (2, 4, 6, 1)
    assert_allclose(resized[1, ..., 0], odd[1], atol=1e-15)  # its own size already
    assert np.all(np.diff(resized[0, 0, :, 0]) > 0)
    np.save(tmp_path / "a.npy", odd[0])
    np.save(tmp_path / "b.npy", odd[1])
    cropped = dc.FolderSource(tmp_path, resize=lambda image: image[:3, :4]).get(["a"])
    assert_array_equal(cropped[0, ..., 0], odd[0][:3, :4])


def test_what_a_function_raises_names_the_keys_it_was_asked_for() -> None:
    by_one_key = dc.CallableSource(lambda k: IMAGES[int(k[2:])], KEYS, SHAPE, np.uint8)
    with pytest.raises(TypeError) as caught:
        by_one_key.get(KEYS[:2])
    note = "load was called with an array of 2 keys (place-00, place-01)."
    assert caught.value.__notes__ == [note]


def test_a_function_that_returns_no_images_is_told_what_it_should_return() -> None:
    nothing = dc.CallableSource(lambda _: None, KEYS, SHAPE, np.uint8)
    with pytest.raises(
        dc.DataError, match=r"2 keys \(place-00, place-01\), but ret.*None"
    ):
        nothing.get(KEYS[:2])
    grey = dc.CallableSource(lambda k: loaded(k)[:, :4, :, 0], KEYS, (6, 5), np.uint8)
    with pytest.raises(dc.DataError, match=r"shape \(6, 5\) for .* shape \(2, 4, 5\)"):
        grey.get(KEYS[:2])


def test_files_that_are_no_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "noise.npy").write_bytes(b"no array")
    (tmp_path / "noise.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "other.npz", pictures=IMAGES)
    np.save(tmp_path / "flat.npy", np.zeros((4, 4)))
    with pytest.raises(dc.DataError, match=r"noise.npy cannot be mapped"):
        dc.MemmapSource(tmp_path / "noise.npy")
    with pytest.raises(dc.DataError, match=r"shape is \(4, 4\)"):
        dc.MemmapSource(tmp_path / "flat.npy")
    with pytest.raises(dc.DataError, match=r"noise.npz should be an .npz file"):
        dc.ShardSource([tmp_path / "noise.npz"])
    with pytest.raises(dc.DataError, match="array 'images'"):
        dc.ShardSource([tmp_path / "other.npz"])
    with pytest.raises(dc.DataError, match=r"noise.npy cannot be read"):
        dc.FolderSource(tmp_path, pattern="noise.npy")
    with pytest.raises(dc.DataError, match=r"fits '\*.tif'"):
        dc.FolderSource(tmp_path, pattern="*.tif")
    with pytest.raises(dc.DataError, match="does not exist"):
        dc.MemmapSource(tmp_path / "nowhere.npy")


def test_shards_that_differ_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.npz" for name in ("one", "two", "three")]
    np.savez(paths[0], images=IMAGES, keys=KEYS)
    np.savez(paths[1], images=IMAGES[:, :4])
    np.savez(paths[2], images=IMAGES)
    with pytest.raises(dc.DataError, match=r"one shape and type; two.npz"):
        dc.ShardSource(paths[:2])
    with pytest.raises(dc.DataError, match=r"1 of 2 have none \(three.npz\)"):
        dc.ShardSource([paths[0], paths[2]])
    with pytest.raises(dc.DataError, match="paths is empty"):
        dc.ShardSource([])


@pytest.mark.parametrize("batch", [1, 3, 4, 11, 40])
def test_blocks_cover_the_keys_once_in_order(batch: int) -> None:
    source = dc.ArraySource(IMAGES, KEYS)
    wanted = KEYS[::-1]
    parts = list(blocks(source, wanted, batch=batch))
    assert_array_equal(np.concatenate([images for _, images in parts]), IMAGES[::-1])
    assert_array_equal(
        np.concatenate([np.arange(COUNT)[place] for place, _ in parts]),
        np.arange(COUNT),
    )
    assert all(len(images) <= batch for _, images in parts)


def test_no_more_than_one_block_is_read_ahead() -> None:
    asked: list[int] = []
    behind = threading.Event()

    def watched(keys: np.ndarray) -> np.ndarray:
        asked.append(len(keys))
        if len(asked) == 2:
            behind.set()
        return loaded(keys)

    source = dc.CallableSource(watched, KEYS, SHAPE, np.uint8)
    reading = blocks(source, KEYS, batch=2)
    next(reading)
    assert behind.wait(10)
    assert len(asked) == 2
    reading.close()
