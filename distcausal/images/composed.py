"""Encoders made from encoders: of a crop, and of several crops together.

A place is more than the field around it: what a small crop shows and what the wider
view shows are told by two encoders, each with its own filters and components. Encoders
compose because all of them speak of a source of images and a batch, and a corpus of
crops is a source as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.typing import Array
from distcausal.errors import DesignError
from distcausal.images.encoder import Encoder, FittedEncoder
from distcausal.images.features import fit_features
from distcausal.images.scan import Moments, scan
from distcausal.images.source import ImageSource
from distcausal.images.training import whole_number

__all__ = ["Crop", "MultiScale", "digest"]


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


def digest(*parts: object) -> str:
    """Hexadecimal digest of what parts print as."""
    return blake2b("|".join(map(repr, parts)).encode()).hexdigest()[:32]
