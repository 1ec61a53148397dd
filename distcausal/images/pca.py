"""Pixels as features: the baselines that know nothing about images.

They see brightness and colour at fixed places. What moves about in the image, such as a
cross at a random place, leaves no trace in them; they are here to show that, and for
images that are aligned. Channels are scaled to standard deviation one first, so that
their units do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal._base.typing import Array
from distcausal.images.encoder import Recipe, State
from distcausal.images.pixels import scaling, standard
from distcausal.images.projection import Projection, along, components, leading
from distcausal.images.scan import Contents
from distcausal.images.source import ImageSource
from distcausal.images.training import Rows, Trained, whole_number

__all__ = ["PCA", "Flatten"]

_GRAM = 2048  # pixels whose second moments are worth a matrix


@dataclass(frozen=True)
class PCA(Trained):
    """Leading principal components of the pixels.

    Parameters
    ----------
    size
        Number of components kept, in decreasing order.

    Notes
    -----
    Centred over the training images, in one scale: the first has standard deviation
    one. Above 2,048 pixels the components are found by subspace iteration, in at most
    thirteen passes over the images.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 8, 8, 1))
    >>> fitted = dc.PCA(size=3).fit(dc.ArraySource(images))
    >>> fitted.apply(images).std(axis=0).round(2)[0]
    np.float64(1.0)
    """

    size: int = 50
    name = "principal components"

    def __post_init__(self) -> None:
        """Check the argument."""
        whole_number("size", self.size)

    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """All pixels."""
        return Pixels(), scaling(contents.moments)

    def project(self, rows: Rows, seed: Seed) -> Projection:
        """On the leading axes."""
        if rows.width <= _GRAM:
            return components(rows.moments(), size=self.size, standardise=False)
        most = min(self.size, rows.count - 1)
        rng = host_stream(seed, "principal components")
        centre, variance, axes = leading(rows, rows.width, size=max(most, 1), rng=rng)
        return Projection(centre, along(axes[:, :most], variance))


@dataclass(frozen=True)
class Flatten(Trained):
    """All pixels that vary, centred, in one scale.

    There are as many features as varying pixels: meant for small images. The scale is
    that at which their first principal component has standard deviation one.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 4, 4, 1))
    >>> dc.Flatten().fit(dc.ArraySource(images)).size
    16
    """

    name = "pixels"

    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Pixels that are not the same in all images."""
        kept = np.flatnonzero(contents.varies)
        return SomePixels(), {**scaling(contents.moments), "kept": kept}

    def project(self, rows: Rows, seed: Seed) -> Projection:
        """The common scale, once for each pixel."""
        if not rows.width:
            return Projection(np.zeros(0), np.zeros(0))
        rng = host_stream(seed, "scale of pixels")
        centre, variance, _ = leading(rows, rows.width, size=1, rng=rng)
        return Projection(centre, np.full(rows.width, 1 / np.sqrt(variance[0])))


@dataclass(frozen=True)
class Pixels:
    """Pixels, channels in standard deviations, in one row."""

    def values(self, state: State, image: Array) -> Array:
        """Shape ``(height * width * channel,)``."""
        return standard(state, image).ravel()


@dataclass(frozen=True)
class SomePixels:
    """Those pixels that vary."""

    def values(self, state: State, image: Array) -> Array:
        """Shape ``(pixel,)``."""
        return standard(state, image).ravel()[state["kept"]]
