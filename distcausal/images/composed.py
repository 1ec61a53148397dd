"""Encoders made from encoders: of a crop, of several crops together, of sequences.

A place is more than the field around it: what a small crop shows and what the wider
view shows are told by two encoders, each with its own filters and components. Encoders
compose because all of them speak of a source of images and a batch: a crop or the
frames of sequences are a source as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.typing import Array
from distcausal.errors import DesignError, check_choice
from distcausal.images.encoder import Encoder, FittedEncoder
from distcausal.images.features import fit_features
from distcausal.images.projection import Projection, Sums, components
from distcausal.images.scan import Moments, scan
from distcausal.images.source import ImageSource, as_keys
from distcausal.images.training import whole_number

__all__ = ["Crop", "MultiScale", "Sequence"]

Aggregate = Literal["mean", "difference", "variance", "concat"]


@dataclass(frozen=True)
class Crop:
    """An encoder that sees the centre of each image.

    Parameters
    ----------
    encoder
        What encodes the crop.
    side
        Height and width of the crop in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 16, 16))
    >>> dc.Crop(dc.PCA(size=4), 8).fit(dc.ArraySource(images)).size
    4
    """

    encoder: Encoder
    side: int

    def __post_init__(self) -> None:
        """Check the argument."""
        whole_number("side", self.side)

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return f"{self.encoder.name}, centre of {self.side}"

    def fit(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> FittedCrop:
        """Fit the encoder to the crops of the training images."""
        return self.fit_features(source, keys, seed=seed)[0]

    def fit_features(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> tuple[FittedCrop, np.ndarray]:
        """Fit, and features ``(image, D)`` of the training images."""
        if self.side > min(source.shape[-3:-1]):
            raise DesignError(
                f"a crop of {self.side} pixels should fit into the images, which are "
                f"{source.shape[-3]} x {source.shape[-2]}. Use a smaller one."
            )
        view = CropView(source, self.side)
        fitted, found = fit_features(self.encoder, view, keys, seed=seed)
        return FittedCrop(fitted, self.side, scan(source, keys).moments), found


@dataclass(frozen=True, eq=False)
class FittedCrop:
    """Fitted encoder of the centre of an image."""

    inner: FittedEncoder
    side: int
    moments: Moments

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return f"{self.inner.name}, centre of {self.side}"

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.inner.size

    @property
    def differentiable(self) -> bool:
        """Whether `traced` may be called."""
        return self.inner.differentiable

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the encoder and the crop."""
        return digest("crop", self.side, self.inner.fingerprint)

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features ``(batch, D)`` of raw images."""
        return self.inner.apply(centre(batch, self.side))

    def traced(self, image: Array) -> Array:
        """Features ``(D,)`` of one image, in JAX."""
        return self.inner.traced(centre(image, self.side))


@dataclass(frozen=True)
class MultiScale:
    """Features of several encoders side by side, such as of a crop and the whole image.

    Each encoder keeps its own principal components. Together they are scaled so that
    the first principal component of all has standard deviation one.

    Parameters
    ----------
    encoders
        Two or more; `Crop` makes one that sees the centre.

    References
    ----------
    Zhu, Jerzak and Daoud (2025), Optimizing multi-scale representations to detect
    effect heterogeneity using earth observation and computer vision. *Proceedings of
    Machine Learning Research* 275, 894-919.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 16, 16))
    >>> encoder = dc.MultiScale([dc.Crop(dc.PCA(size=4), 8), dc.PCA(size=6)])
    >>> encoder.fit(dc.ArraySource(images)).size
    10
    """

    encoders: tuple[Encoder, ...]

    def __init__(self, encoders: Iterable[Encoder]) -> None:
        object.__setattr__(self, "encoders", tuple(encoders))
        if not self.encoders:
            raise DesignError("encoders should hold at least one encoder; it is empty.")

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return " + ".join(each.name for each in self.encoders)

    def fit(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> FittedBlocks:
        """Fit every encoder to the training images."""
        return self.fit_features(source, keys, seed=seed)[0]

    def fit_features(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> tuple[FittedBlocks, np.ndarray]:
        """Fit, and features ``(image, D)`` of the training images."""
        fits = [fit_features(each, source, keys, seed=seed) for each in self.encoders]
        together = np.concatenate([found for _, found in fits], axis=1)
        scale = 1.0
        if together.shape[1]:
            spread = np.linalg.eigvalsh(np.atleast_2d(np.cov(together.T, bias=True)))
            scale = 1 / np.sqrt(spread[-1])
        blocks = tuple(fitted for fitted, _ in fits)
        moments = scan(source, keys).moments
        return FittedBlocks(blocks, float(scale), moments), together * scale


@dataclass(frozen=True, eq=False)
class FittedBlocks:
    """Several fitted encoders side by side, in a common scale."""

    blocks: tuple[FittedEncoder, ...]
    scale: float
    moments: Moments

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return " + ".join(each.name for each in self.blocks)

    @property
    def size(self) -> int:
        """Number of features D."""
        return sum(each.size for each in self.blocks)

    @property
    def differentiable(self) -> bool:
        """Whether `traced` may be called."""
        return all(each.differentiable for each in self.blocks)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the encoders and the scale."""
        return digest("blocks", self.scale, *(each.fingerprint for each in self.blocks))

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features ``(batch, D)`` of raw images."""
        found = [each.apply(batch) for each in self.blocks]
        return np.concatenate(found, axis=1) * self.scale

    def traced(self, image: Array) -> Array:
        """Features ``(D,)`` of one image, in JAX."""
        found = [each.traced(image) for each in self.blocks]
        return jnp.concatenate(found) * self.scale


@dataclass(frozen=True)
class Sequence:
    """Features of sequences of images, from those of the single images.

    Parameters
    ----------
    encoder
        Encodes one image; fitted to the images of all times together.
    aggregate
        What is kept over time: the ``"mean"``, the ``"difference"`` last minus first,
        the ``"variance"``, or ``"concat"``, all of them in order.
    size
        Most features kept, principal components in decreasing order.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> films = np.random.default_rng(0).normal(size=(40, 3, 8, 8, 1))
    >>> encoder = dc.Sequence(dc.PCA(size=4), aggregate="difference")
    >>> encoder.fit(dc.ArraySource(films)).apply(films).shape
    (40, 4)
    """

    encoder: Encoder
    aggregate: Aggregate = "mean"
    size: int = 50

    def __post_init__(self) -> None:
        """Check the arguments."""
        whole_number("size", self.size)
        check_choice(
            "aggregate", self.aggregate, ("mean", "difference", "variance", "concat")
        )

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return f"{self.encoder.name}, {self.aggregate} over time"

    def fit(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> FittedSequence:
        """Fit the encoder to all frames, and the projection to their aggregate."""
        return self.fit_features(source, keys, seed=seed)[0]

    def fit_features(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> tuple[FittedSequence, np.ndarray]:
        """Fit, and features ``(image, D)`` of the training sequences."""
        if len(source.shape) != 4:
            raise DesignError(
                "sequences should be (time, height, width, channel); the source holds "
                f"{tuple(source.shape)}. Give its encoder without Sequence."
            )
        wanted = source.keys if keys is None else as_keys(keys)
        frames = FrameView(source, wanted)
        inner, found = fit_features(self.encoder, frames, seed=seed)
        values = aggregated(
            found.reshape(len(wanted), source.shape[0], -1), self.aggregate
        )
        sums = Sums(values.shape[1])
        sums.add(values)
        projection = components(sums, size=self.size, standardise=False)
        moments = scan(source, wanted).moments
        fitted = FittedSequence(inner, self.aggregate, projection, moments)
        return fitted, projection.rows(values)


@dataclass(frozen=True, eq=False)
class FittedSequence:
    """Fitted encoder of sequences of images."""

    inner: FittedEncoder
    aggregate: Aggregate
    projection: Projection
    moments: Moments

    @property
    def name(self) -> str:
        """Word for it in tables."""
        return f"{self.inner.name}, {self.aggregate} over time"

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.projection.size

    @property
    def differentiable(self) -> bool:
        """Whether `traced` may be called."""
        return self.inner.differentiable

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the encoder, the aggregate and the projection."""
        arrays = self.projection.centre.tobytes() + self.projection.axes.tobytes()
        return digest("sequence", self.aggregate, self.inner.fingerprint, arrays)

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features ``(batch, D)`` of raw sequences."""
        frames = batch.reshape(-1, *batch.shape[2:])
        found = self.inner.apply(frames).reshape(*batch.shape[:2], self.inner.size)
        return self.projection.rows(aggregated(found, self.aggregate))

    def traced(self, image: Array) -> Array:
        """Features ``(D,)`` of one sequence ``(time, height, width, channel)``."""
        found = jnp.stack([self.inner.traced(frame) for frame in image])
        values = aggregated(found[None], self.aggregate)[0]
        return self.projection.traced(values)


def aggregated(found: Any, aggregate: Aggregate) -> Any:
    """What is kept of features ``(sequence, time, value)`` over time."""
    if aggregate == "mean":
        return found.mean(axis=1)
    if aggregate == "difference":
        return found[:, -1] - found[:, 0]
    if aggregate == "variance":
        return found.var(axis=1)
    return found.reshape(len(found), -1)


def centre(images: Any, side: int) -> Any:
    """Middle of images ``(..., height, width, channel)``."""
    down, right = ((length - side) // 2 for length in images.shape[-3:-1])
    return images[..., down : down + side, right : right + side, :]


class CropView:
    """A source of which only the centre of each image is seen."""

    def __init__(self, source: ImageSource, side: int) -> None:
        self._source, self._side = source, side
        self.keys, self.dtype = source.keys, source.dtype
        self.shape = (*source.shape[:-3], side, side, source.shape[-1])

    def __len__(self) -> int:
        """Number of images."""
        return len(self.keys)

    @property
    def fingerprint(self) -> str:
        """Digest of the source and the crop."""
        return digest("crop", self._side, self._source.fingerprint)

    def get(self, keys: Any) -> np.ndarray:
        """Crops of the keys' images."""
        return centre(self._source.get(keys), self._side)


class FrameView:
    """The images of all times of some sequences, numbered through."""

    def __init__(self, source: ImageSource, keys: np.ndarray) -> None:
        self._source, self._sequences = source, keys
        self._times = source.shape[0]
        self.keys = np.arange(len(keys) * self._times)
        self.shape, self.dtype = tuple(source.shape[1:]), source.dtype

    def __len__(self) -> int:
        """Number of images."""
        return len(self.keys)

    @property
    def fingerprint(self) -> str:
        """Digest of the source and the sequences."""
        return digest("frames", self._source.fingerprint, *self._sequences.tolist())

    def get(self, keys: Any) -> np.ndarray:
        """Images of frame numbers; each sequence is read once."""
        sequence, time = np.divmod(np.asarray(keys), self._times)
        held, place = np.unique(sequence, return_inverse=True)
        return self._source.get(self._sequences[held])[place, time]


def digest(*parts: object) -> str:
    """Hexadecimal digest of what parts print as."""
    return blake2b("|".join(map(repr, parts)).encode()).hexdigest()[:32]
