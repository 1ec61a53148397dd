"""Images that are looked up by key, in batches, wherever they are kept.

A corpus of images rarely fits in memory, and its order is an accident of the folder it
came from. So every reader answers one question, which images belong to these keys, and
nothing in the package asks for an image by its position. What a reader returns has
been checked: the shape is that of all others, and no pixel is missing.

A key is found by bisection in the sorted keys, so a subset of a million of them costs
no more than its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, Protocol

import numpy as np

from distcausal.errors import DataError, check_choice, listing
from distcausal.images.keys import NO_IMAGE, Lookup, as_keys, check_keys, key_bytes

__all__ = [
    "ArraySource",
    "ImageSource",
    "KeyedImages",
    "NanPolicy",
    "Resize",
    "check_kind",
    "check_same_shape",
    "plain",
    "prepared",
    "refuse_text",
    "stacked",
]

NanPolicy = Literal["raise", "channel_mean", "drop"]
Resize = tuple[int, int] | Callable[[np.ndarray], np.ndarray]
_BLOCK = 64


class ImageSource(Protocol):
    """What encoders and estimators ask of a corpus of images.

    Any object with these members will do; the readers of this package add checks.
    """

    @property
    def keys(self) -> np.ndarray:
        """Distinct labels of the images, shape ``(image,)``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels of each image; time first in sequences."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels as stored."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest that changes when the images do."""

    def get(self, keys: Any) -> np.ndarray:
        """Images of the keys, in their order, shape ``(batch, *shape)``."""

    def __len__(self) -> int:
        """Number of images."""


class KeyedImages:
    """Base of the readers: keys, missing pixels, and the promise of one shape.

    A reader sets ``keys``, ``shape``, ``dtype`` and ``nan_policy`` through `_settle`
    and defines ``_load(positions)``. ``dropped`` are the keys whose images were left
    out as incomplete: units that name them have to be left out as well.
    """

    keys: np.ndarray
    dropped: np.ndarray
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    nan_policy: NanPolicy

    def __len__(self) -> int:
        """Number of images."""
        return len(self.keys)

    def __repr__(self) -> str:
        """Say how many images there are, and of what kind."""
        size = " x ".join(map(str, self.shape))
        return f"{type(self).__name__}({len(self)} images, {size}, {self.dtype})"

    def get(self, keys: Any) -> np.ndarray:
        """Images of the keys, in their order, shape ``(batch, *shape)``.

        Raises
        ------
        KeyError_
            If a key has no image.
        DataError
            If a pixel is missing or infinite and the policy is ``"raise"``; both
            messages name up to five keys.
        """
        wanted = np.atleast_1d(as_keys(keys))
        return self._complete(self._load(self._positions(wanted)), wanted)

    def _load(self, positions: np.ndarray) -> np.ndarray:
        """Images as stored, at positions among those the reader began with."""
        raise NotImplementedError

    def _settle(
        self,
        keys: Any,
        count: int,
        shape: tuple[int, ...],
        dtype: Any,
        nan_policy: NanPolicy,
    ) -> None:
        """Check keys and shape, and remove incomplete images under ``"drop"``."""
        check_choice("nan_policy", nan_policy, ("raise", "channel_mean", "drop"))
        self.keys = np.arange(count) if keys is None else as_keys(keys)
        check_keys(self.keys, count)
        self.dtype = np.dtype(dtype)
        self.shape = check_shape(shape, self.dtype)
        self.nan_policy = nan_policy
        self._kept = np.arange(count)
        self.dropped = self.keys[:0]
        if nan_policy == "drop" and self.dtype.kind == "f":
            whole = self._finite()
            self._kept = np.flatnonzero(whole)
            self.keys, self.dropped = self.keys[whole], self.keys[~whole]
            if not len(self.keys):
                raise DataError(
                    f"all {count} images have missing or infinite pixels, so "
                    "nan_policy='drop' leaves none. Use 'channel_mean', or repair them."
                )

    def _finite(self) -> np.ndarray:
        """Whether each image is complete, from one pass over all of them."""
        whole = np.empty(len(self.keys), bool)
        for start in range(0, len(whole), _BLOCK):
            at = np.arange(start, min(start + _BLOCK, len(whole)))
            whole[at] = _all_finite(self._load(at))
        return whole

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.keys)

    def _positions(self, wanted: np.ndarray) -> np.ndarray:
        """Where the images of the keys are kept."""
        return self._kept[self._lookup.places(wanted)]

    def _complete(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Images without missing pixels, by the policy of the reader."""
        if images.dtype.kind != "f":
            return images
        whole = _all_finite(images)
        if whole.all():
            return images
        if self.nan_policy == "channel_mean":
            return np.where(np.isfinite(images), images, self._means)
        raise DataError(
            f"pixels should be finite; {np.count_nonzero(~whole)} of {len(keys)} "
            f"images read have missing or infinite ones (keys "
            f"{listing(keys[~whole].tolist())}). Repair them, or read them by, "
            "say, ArraySource(images, keys, nan_policy=...), with 'channel_mean' to "
            "fill them or 'drop' to leave out these images and the units that name "
            "them."
        )

    @cached_property
    def _means(self) -> np.ndarray:
        """Mean of the finite pixels of each channel over all images."""
        total, count = np.zeros(self.shape[-1]), np.zeros(self.shape[-1])
        for start in range(0, len(self.keys), _BLOCK):
            block = self._load(self._kept[start : start + _BLOCK])
            known = np.isfinite(block)
            over = tuple(range(block.ndim - 1))
            total += np.where(known, block, 0).sum(axis=over, dtype=float)
            count += known.sum(axis=over)
        return (total / np.maximum(count, 1)).astype(self.dtype)


class ArraySource(KeyedImages):
    """Images held in memory.

    Parameters
    ----------
    images
        Array ``(image, height, width)`` or ``(image, height, width, channel)``;
        sequences have ``(image, time, height, width, channel)``. A list of arrays is
        stacked. Numbers of any type; they are stored as they are.
    keys
        Distinct labels, one per image; 0, 1, ... if left out.
    nan_policy
        What to do with missing or infinite pixels: ``"raise"``, fill them with the mean
        of their channel over all images, or ``"drop"`` the images that have any.
    resize
        Height and width that images of a list are brought to, by linear
        interpolation, or a function that makes an array of the common shape from each.

    Raises
    ------
    DataError
        If the images differ in shape, are not numbers, or the keys do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> source = dc.ArraySource(np.zeros((3, 8, 8)), keys=["a", "b", "c"])
    >>> source
    ArraySource(3 images, 8 x 8 x 1, float64)
    >>> source.get(["c", "a"]).shape
    (2, 8, 8, 1)
    """

    def __init__(
        self,
        images: Any,
        keys: Any = None,
        *,
        nan_policy: NanPolicy = "raise",
        resize: Resize | None = None,
    ) -> None:
        whole = plain(images) if hasattr(images, "__array__") else None
        if whole is None or whole.dtype == object or resize is not None:
            whole = stacked(images, keys, resize)
        refuse_text(whole)
        if whole.ndim < 3:
            raise DataError(
                "images should be an array (image, height, width[, channel]); got "
                f"shape {whole.shape}. A single image is images[None]."
            )
        if whole.ndim == 3:
            whole = whole[..., None]
        self._images = whole
        self._settle(keys, len(whole), whole.shape[1:], whole.dtype, nan_policy)

    def _load(self, positions: np.ndarray) -> np.ndarray:
        return self._images[positions]

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the pixels, their type and shape, and the keys."""
        told = blake2b(repr((self.shape, self.dtype.str, self.nan_policy)).encode())
        for start in range(0, len(self._kept), _BLOCK):
            at = self._kept[start : start + _BLOCK]
            told.update(np.ascontiguousarray(self._images[at]).data)
        told.update(key_bytes(self.keys))
        return told.hexdigest()[:32]


def check_shape(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Shape of one image with its channels last, or a `DataError`."""
    sizes = tuple(map(int, shape))
    sizes = (*sizes, 1) if len(sizes) == 2 else sizes
    if len(sizes) not in (3, 4) or 0 in sizes:
        raise DataError(
            "an image should be (height, width) or (height, width, channel), a "
            "sequence (time, height, width, channel), none of them empty; got "
            f"{tuple(shape)}."
        )
    if dtype.kind not in "biuf":
        raise DataError(
            f"pixels should be real numbers, but are {dtype.name}. Convert them first."
        )
    return sizes


def refuse_text(images: np.ndarray) -> None:
    """Raise `DataError` if text is given for images."""
    if images.dtype.kind in "US":
        raise DataError(
            "images should be numbers (image, height, width[, channel]), but are text "
            f"({listing(images.flat[:2].tolist())}). If these are names of files, read "
            "the images with image=FolderSource(folder), and name the column of text "
            "as image_key."
        )


def stacked(images: Any, keys: Any, resize: Resize | None) -> np.ndarray:
    """One array from images given one by one, each resized if asked."""
    if isinstance(images, str | Mapping) or not isinstance(images, Iterable):
        raise DataError(
            "images should be an array (image, height, width[, channel]) or a list of "
            f"arrays, not {type(images).__name__}."
        )
    each = [prepared(image, resize) for image in images]
    names = range(len(each)) if keys is None else keys
    if not each:
        raise DataError(NO_IMAGE)
    for name, image in zip(names, each, strict=False):
        check_same_shape(name, image.shape, each[0].shape)
    return np.stack(each)


def check_same_shape(key: Any, shape: Sequence[int], common: Sequence[int]) -> None:
    """Raise `DataError` naming the first image that is shaped unlike the others."""
    if tuple(shape) != tuple(common):
        raise DataError(
            f"images should have one shape; that of key {key!s} is {tuple(shape)}, the "
            f"first is {tuple(common)}. Set resize= to a height and width, or to a "
            "function that crops."
        )


def check_kind(key: Any, found: np.dtype[Any], promised: np.dtype[Any]) -> None:
    """Raise `DataError` if pixels would be cut off to be stored as promised."""
    if not np.can_cast(found, promised, "same_kind"):
        raise DataError(
            f"pixels of key {key!s} are {found}, those promised {promised}; pixels "
            "would be cut off. Set dtype= to a type that holds all images, or convert "
            "them (pixels hidden by a mask need a type with decimals)."
        )


def plain(image: Any) -> np.ndarray:
    """Array of its own kind; pixels that a mask hides are missing."""
    if isinstance(image, np.ma.MaskedArray) and np.ma.count_masked(image):
        return np.ma.filled(image.astype(float), np.nan)
    return np.asarray(image)


def prepared(image: Any, resize: Resize | None) -> np.ndarray:
    """One image with its channels last, brought to a common size if asked."""
    array = plain(image)
    array = array[..., None] if array.ndim == 2 else array
    if resize is None:
        return array
    if callable(resize):
        out = np.asarray(resize(array))
        return out[..., None] if out.ndim == 2 else out
    from scipy.ndimage import zoom

    *front, height, width, _ = array.shape
    factors = [*(1.0 for _ in front), resize[0] / height, resize[1] / width, 1.0]
    return zoom(array, factors, order=1, grid_mode=True, mode="nearest")


def _all_finite(images: np.ndarray) -> np.ndarray:
    return np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
