"""A dozen statistics of colour and texture: cheap, readable, differentiable.

They are what one would write down by hand about an image: how bright, how varied, how
lopsided each band is, how the bands go together, and how rough the surface is at
several scales and in several directions. Where they predict the effect as well as
learnt features do, the simpler account should be preferred.

Variances get a small addition, so that an image of one colour has statistics and a
gradient; it is a hundredth of the channel's standard deviation, squared.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.typing import Array
from distcausal.errors import DesignError
from distcausal.images.encoder import Recipe, State
from distcausal.images.pixels import scaling, standard
from distcausal.images.scan import Contents
from distcausal.images.source import ImageSource
from distcausal.images.training import Trained, whole_number

__all__ = ["ColorMoments", "Texture"]

_FLOOR = 1e-4
_SCALES = 4


@dataclass(frozen=True)
class ColorMoments(Trained):
    """Mean, spread and skewness of each channel, and correlations between channels.

    Parameters
    ----------
    size
        Most features kept; the statistics are standardised and their principal
        components taken, the first with standard deviation one.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 8, 8, 3))
    >>> dc.ColorMoments().fit(dc.ArraySource(images)).size
    12
    """

    size: int = 50
    name = "colour moments"

    def __post_init__(self) -> None:
        """Check the argument."""
        whole_number("size", self.size)

    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Nothing to learn but the scale of the channels."""
        return Colours(), scaling(contents.moments)


@dataclass(frozen=True)
class Texture(Trained):
    """Strength and sparsity of differences between neighbours, at up to four scales.

    Differences are taken between neighbouring pixels across, down, and along both
    diagonals; then the image is halved and the same is done again. Strength is the
    logarithm of their mean square; sparsity their mean absolute value over the root of
    their mean square: small where there are few sharp edges.

    Parameters
    ----------
    size
        Most features kept, as in `ColorMoments`.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 8, 8, 1))
    >>> dc.Texture(size=6).fit(dc.ArraySource(images)).size
    6
    """

    size: int = 50
    name = "texture"

    def __post_init__(self) -> None:
        """Check the argument."""
        whole_number("size", self.size)

    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Nothing to learn but the scale of the channels."""
        if min(source.shape[:2]) < 2:
            raise DesignError(
                f"texture needs neighbours across and down; the images are "
                f"{source.shape[0]} x {source.shape[1]}. Use ColorMoments."
            )
        return Roughness(), scaling(contents.moments)


@dataclass(frozen=True)
class Colours:
    """Moments of the channels of one image."""

    def values(self, state: State, image: Array) -> Array:
        """Shape ``(3 * channel + pairs of channels,)``."""
        pixels = standard(state, image).reshape(-1, image.shape[-1])
        mean = pixels.mean(axis=0)
        moved = pixels - mean[None]
        sd = jnp.sqrt((moved**2).mean(axis=0) + _FLOOR)
        unit = moved / sd[None]
        skewness = (unit**3).mean(axis=0)
        first, second = np.triu_indices(image.shape[-1], k=1)
        together = (unit[:, first] * unit[:, second]).mean(axis=0)
        return jnp.concatenate([mean, sd, skewness, together])


@dataclass(frozen=True)
class Roughness:
    """Differences between neighbours of one image, scale by scale."""

    def values(self, state: State, image: Array) -> Array:
        """Shape ``(scale * direction * 2 * channel,)``."""
        level, found = standard(state, image), []
        for _ in range(_SCALES):
            if min(level.shape[:2]) < 2:
                break
            found += [_strength(each) for each in _differences(level)]
            level = _halved(level)
        return jnp.concatenate(found)


def _differences(level: Array) -> list[Array]:
    """Differences across, down, and along both diagonals."""
    return [
        level[:, 1:] - level[:, :-1],
        level[1:] - level[:-1],
        level[1:, 1:] - level[:-1, :-1],
        level[1:, :-1] - level[:-1, 1:],
    ]


def _strength(difference: Array) -> Array:
    """Log mean square, and sparsity, by channel."""
    power = (difference**2).mean(axis=(0, 1)) + _FLOOR
    size = jnp.sqrt(difference**2 + _FLOOR).mean(axis=(0, 1))
    return jnp.concatenate([jnp.log(power), size / jnp.sqrt(power)])


def _halved(level: Array) -> Array:
    """Means of two by two pixels; an odd last row or column is left out."""
    height, width = level.shape[0] // 2, level.shape[1] // 2
    even = level[: 2 * height, : 2 * width]
    return even.reshape(height, 2, width, 2, -1).mean(axis=(1, 3))
