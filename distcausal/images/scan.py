"""One pass over all images: exact moments of the channels, and a digest of each image.

Everything that must hold for a corpus as a whole is learnt here: means and standard
deviations of the channels, their range, and which images are copies of others. The
moments are pooled from exact sums in float64 around a common shift, so they do not
drift with the number of images; the digests tell images apart by content, which is
what a draw of training images is made from: it moves neither with the order of the
keys nor with their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from distcausal.errors import DataError, listing
from distcausal.images.reading import blocks
from distcausal.images.source import ArraySource, ImageSource

__all__ = [
    "Contents",
    "Moments",
    "check_range",
    "duplicates",
    "first_copies",
    "further_images",
    "scan",
]

_FARTHEST = 10.0  # standard deviations
_LEAST_SPREAD = 100.0  # pixels from 0 to 1 spread a 255th as far as those in bytes
_TINY = 1e-12
_FEW = 32  # images in double precision that stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean, standard deviation, least and largest pixel by channel, ``(channel,)``."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Contents:
    """What one pass found.

    Attributes
    ----------
    digest
        128 bits of each image's content as two whole numbers, shape ``(image, 2)``.
    moments
        Of the channels.
    varies
        Whether a place in the images is not the same in all of them, shape of one.
    """

    digest: np.ndarray
    moments: Moments
    varies: np.ndarray


def scan(source: ImageSource, keys: Any = None) -> Contents:
    """Moments of the channels and a digest of each image, read once.

    Parameters
    ----------
    source
        Images.
    keys
        Those wanted; all if left out.
    """
    wanted = source.keys if keys is None else np.asarray(keys)
    digest = np.empty((len(wanted), 2), np.uint64)
    sums = _Sums(tuple(source.shape))
    for place, batch in blocks(source, wanted):
        digest[place] = _digests(batch)
        sums.add(batch)
    return Contents(digest, sums.found(), sums.low < sums.high)


class _Sums:
    """Sums around the first images' mean, so that none loses digits to a far origin.

    They are kept for each place in an image and joined by channel at the end: adding
    long rows is ten times as fast as adding pixels of three numbers.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.count = 0
        self.shift = np.zeros(1)
        self.total, self.square = np.zeros(shape), np.zeros(shape)
        self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)

    def add(self, images: np.ndarray) -> None:
        """Take in images, shape ``(batch, *shape)``."""
        if not self.count:
            over = tuple(range(images.ndim - 1))
            mean = images[:_FEW].mean(axis=over, dtype=float)
            self.shift = np.broadcast_to(mean, self.shape)
        self.count += len(images)
        self.low = np.minimum(self.low, images.min(axis=0))
        self.high = np.maximum(self.high, images.max(axis=0))
        for start in range(0, len(images), _FEW):
            moved = images[start : start + _FEW] - self.shift
            self.total += moved.sum(axis=0)
            self.square += np.square(moved, out=moved).sum(axis=0)

    def found(self) -> Moments:
        """What the sums amount to."""
        over = tuple(range(len(self.shape) - 1))
        pixels = self.count * int(np.prod(self.shape[:-1]))
        mean = self.total.sum(axis=over) / pixels
        variance = np.maximum(self.square.sum(axis=over) / pixels - mean**2, 0.0)
        low, high = self.low.min(axis=over), self.high.max(axis=over)
        # A constant channel has variance zero, whatever its sums round to.
        sd = np.where(low == high, 0.0, np.sqrt(variance))
        return Moments(self.shift.reshape(-1, len(mean))[0] + mean, sd, low, high)


def _digests(batch: np.ndarray) -> np.ndarray:
    """Digest of each image, shape ``(batch, 2)``."""
    rows = np.ascontiguousarray(batch).reshape(len(batch), -1)
    told = b"".join(blake2b(row.data, digest_size=16).digest() for row in rows)
    return np.frombuffer(told, np.uint64).reshape(-1, 2)


def duplicates(source: ImageSource) -> np.ndarray:
    """Position of the first image with the same content, for every image.

    Two keys of one place, or one picture saved twice, are one image to a statistician:
    folds should keep them together.

    Parameters
    ----------
    source
        Images.

    Returns
    -------
    Shape ``(image,)``, in the order of ``source.keys``: an image's own position where
    it has no earlier copy.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> duplicates(dc.ArraySource(np.array([[[1.0]], [[2.0]], [[1.0]]])))
    array([0, 1, 0])
    """
    return first_copies(scan(source).digest)


def first_copies(digest: np.ndarray) -> np.ndarray:
    """Position of the first equal row, for every row."""
    _, first, group = np.unique(digest, axis=0, return_index=True, return_inverse=True)
    return first[group.ravel()]


def check_range(source: ImageSource, moments: Moments | None) -> None:
    """Refuse images stored on another scale than those an encoder was fitted to.

    Features of pixels from 0 to 255 mean nothing to an encoder that has seen pixels
    from 0 to 1, yet come out as numbers.

    Parameters
    ----------
    source
        Images to be encoded.
    moments
        Of the training images, as `scan` finds them; a fitted encoder holds them. None
        for one that saw no pixels: nothing is checked then.

    Raises
    ------
    DataError
        If the number of channels differs, a pixel lies more than ten standard
        deviations outside the training range, or a channel that varies does so less
        than a hundredth as much.
    """
    if moments is None:
        return
    if source.shape[-1] != len(moments.mean):
        raise DataError(
            f"images should have the {len(moments.mean)} channels of the training "
            f"images; they have {source.shape[-1]}. Give the same channels."
        )
    found = scan(source).moments
    sd = np.maximum(moments.sd, _TINY * np.maximum(1.0, np.abs(moments.mean)))
    beyond = np.maximum(moments.low - found.low, found.high - moments.high) / sd
    shrunk = (found.sd > 0) & (found.sd * _LEAST_SPREAD < moments.sd)
    wrong = np.flatnonzero((beyond > _FARTHEST) | shrunk)
    if wrong.size:
        one = int(wrong[0])
        raise DataError(
            "images should be on the scale of the training images; in channel "
            f"{listing(wrong.tolist())} they are not: pixels, stored as "
            f"{source.dtype}, run from {found.low[one]:.4g} to {found.high[one]:.4g}, "
            f"in training from {moments.low[one]:.4g} to {moments.high[one]:.4g}. "
            "Rescale them as the training images were."
        )


def further_images(encoder: Any, images: Any) -> ImageSource:
    """Reader of images that an encoder was not fitted to, but has to know the like of.

    Parameters
    ----------
    encoder
        A fitted encoder; what it knows of shape and scale of its images is checked.
    images
        Array ``(image, height, width[, channel])`` or an `ImageSource`.

    Raises
    ------
    DataError
        If one image is given alone, or they have another shape or scale.
    """
    if hasattr(images, "get"):
        source = images
    else:
        _check_array(images, getattr(encoder, "shape", None))
        source = ArraySource(images)
    check_range(source, getattr(encoder, "moments", None))
    return source


def _check_array(images: Any, one: tuple[int, ...] | None) -> None:
    """Refuse an array that is one image, or one of images of another shape."""
    found = getattr(images, "shape", None)
    if one is None or found is None:
        return
    given = tuple(found)
    grey = one[:-1] if one[-1] == 1 else one
    if given in (one, grey):
        raise DataError(
            "images should be an array (image, height, width[, channel]), a batch; got "
            f"shape {given}, that of one image the encoder was fitted to. Give "
            "images[None]."
        )
    if len(given) >= len(grey) and given[1:] not in (one, grey):
        raise DataError(
            f"images should have the shape {one} of those the encoder was fitted to; "
            f"got an array of shape {given}, first axis images. Bring them to it: "
            "ArraySource(images, resize=(height, width)) does."
        )
