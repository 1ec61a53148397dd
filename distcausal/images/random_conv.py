"""Random convolutional features: patches of the images themselves as filters.

A patch of a training image, whitened and used as a filter, answers to places that look
like it. Rectified above one standard deviation and pooled over the image by mean and
maximum, a few hundred such answers describe an image without any training and without
a look at outcomes (Coates and Ng 2011; the maximum keeps what happens at one place
only).

Whitening is linear, so it is folded into the filters, and an image costs one product
of its patches ``(position, patch)`` with ``(patch, filter)``. At 64 x 64 x 3, 6 x 6
patches at every second position and 256 filters, that is 25 million multiplications,
against which all else is small. One image at a time its answers stay in the cache:
that is three times as fast on a processor as a convolution of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.keys import Seed, host_stream
from distcausal._base.typing import Array
from distcausal.errors import DesignError, check_choice
from distcausal.images.encoder import Recipe, State
from distcausal.images.pixels import scaling, standard
from distcausal.images.scan import Contents
from distcausal.images.source import ImageSource
from distcausal.images.training import Trained, whole_number

__all__ = ["RandomConvFeatures"]

Pool = Literal["mean", "max"]
_IMAGES = 2000  # enough for the second moments of a patch
_PATCHES = 10  # from each
_RIDGE = 0.1  # of the mean variance
_READ = 64
_POSITIONS = 32  # along a side, at most
_PATCH = 6


@dataclass(frozen=True)
class RandomConvFeatures(Trained):
    """Whitened random patches as filters, rectified, pooled, and projected.

    Parameters
    ----------
    n_filters
        Number of patches used as filters.
    patch
        Height and width of a patch in pixels. If left out, 6, or as many as the
        shorter side of a smaller image has.
    pool
        What is kept of each filter's answers over the image: ``"mean"``, ``"max"``.
    size
        Number of features D kept, principal components in decreasing order.
    stride
        Pixels between patches of an image to which filters are applied. If left out,
        the least that leaves at most 32 positions along a side: 1 up to 37 pixels, 2
        up to 69.

    Notes
    -----
    The features are centred over the training images and share one scale, at which the
    first has standard deviation one and later ones keep their smaller ones: under one
    prior for all coefficients, a direction in which images differ little then weighs
    little.

    Filters depend on the seed and on the content of the training images, neither on
    their order nor on their keys. Convolution is in float32.

    References
    ----------
    Coates and Ng (2011), The importance of encoding versus training with sparse coding
    and vector quantization. *Proceedings of the 28th International Conference on
    Machine Learning*, 921-928.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> images = np.random.default_rng(0).normal(size=(40, 12, 12))
    >>> fitted = dc.RandomConvFeatures(n_filters=16, size=5).fit(dc.ArraySource(images))
    >>> fitted.apply(images[:3, ..., None]).shape
    (3, 5)
    """

    n_filters: int = 256
    patch: int | None = None
    pool: tuple[Pool, ...] = ("mean", "max")
    size: int = 30
    stride: int | None = None
    name = "random convolutions"

    def __post_init__(self) -> None:
        """Check the arguments."""
        for argument in ("n_filters", "size"):
            whole_number(argument, getattr(self, argument))
        for argument in ("patch", "stride"):
            if getattr(self, argument) is not None:
                whole_number(argument, getattr(self, argument))
        pools = (self.pool,) if isinstance(self.pool, str) else tuple(self.pool)
        object.__setattr__(self, "pool", pools)
        for each in self.pool:
            check_choice("pool", each, ("mean", "max"))
        if not self.pool:
            raise DesignError("pool should name 'mean', 'max' or both; it is empty.")

    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Filters, with centring, scaling and whitening folded in, and their biases."""
        shorter = min(source.shape[-3:-1])
        patch = min(_PATCH, shorter) if self.patch is None else self.patch
        if patch > shorter:
            raise DesignError(
                f"patch {patch} should fit into the images, which are "
                f"{source.shape[-3]} x {source.shape[-2]}. Use a smaller one: "
                f"RandomConvFeatures(patch={shorter})."
            )
        stride = self.stride or least_stride(source.shape, patch)
        state = scaling(contents.moments)
        patches = _draw(source, keys, contents, (self.n_filters, patch), seed)
        patches = (patches - state["mean"]) / state["sd"]
        filters, bias = _filters(patches.reshape(len(patches), -1), self.n_filters)
        state["filters"] = filters.astype(np.float32)
        state["bias"] = bias.astype(np.float32)
        return Convolution(patch, stride, self.pool), state


@dataclass(frozen=True)
class Convolution:
    """Filters on patches of an image, rectified above one, and pooled."""

    patch: int
    stride: int
    pool: tuple[Pool, ...]

    def values(self, state: State, image: Array) -> Array:
        """Pooled answers, shape ``(pool * filter,)``."""
        rows = patches_of(standard(state, image), self.patch, self.stride)
        answer = jnp.matmul(rows, state["filters"], precision=lax.Precision.HIGHEST)
        above = jnp.maximum(answer - state["bias"][None] - 1, 0)
        pooled = {"mean": above.mean(axis=0), "max": above.max(axis=0)}
        return jnp.concatenate([pooled[each] for each in self.pool])


def patches_of(image: Array, patch: int, stride: int) -> Array:
    """Patches of an image as rows, shape ``(position, patch * patch * channel)``."""
    down, right = (side - patch + 1 for side in image.shape[:2])
    across = [image[:, j : j + right : stride] for j in range(patch)]
    rows = jnp.concatenate(across, axis=-1)
    together = jnp.concatenate(
        [rows[i : i + down : stride] for i in range(patch)], axis=-1
    )
    return together.reshape(-1, together.shape[-1])


def least_stride(shape: tuple[int, ...], patch: int) -> int:
    """Least stride that leaves at most 32 positions along a side."""
    positions = max(shape[-3:-1]) - patch + 1
    return max(1, -(-positions // _POSITIONS))


def _draw(
    source: ImageSource,
    keys: np.ndarray,
    contents: Contents,
    wanted: tuple[int, int],
    seed: Seed,
) -> np.ndarray:
    """Patches at random places of random training images.

    ``wanted`` has how many filters are made of them and the side of each. Images are
    drawn by the digest of their content, mixed with the seed: the draw is the same in
    any order and under any keys.
    """
    filters, side = wanted
    rng = host_stream(seed, "patches of images")
    mixed = contents.digest * (
        rng.integers(2**63, size=2, dtype=np.uint64) | np.uint64(1)
    )
    order = np.lexsort(mixed.T)[:_IMAGES]
    each = max(_PATCHES, -(-2 * filters // len(order)))
    limits = [length - side + 1 for length in source.shape[-3:-1]]
    corners = rng.integers(limits, size=(len(order), each, 2))
    offsets = np.arange(side)
    out = []
    for start in range(0, len(order), _READ):
        at = slice(start, start + _READ)
        images = source.get(keys[order[at]]).astype(float)
        rows = corners[at, :, 0, None, None] + offsets[:, None]
        columns = corners[at, :, 1, None, None] + offsets
        which = np.arange(len(images))[:, None, None, None]
        out.append(
            images[which, rows, columns].reshape(-1, side, side, images.shape[-1])
        )
    return np.concatenate(out)


def _filters(patches: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Whitened filters ``(pixel, filter)`` whose answers have variance one, and biases.

    Without the ridge, directions in which patches hardly vary would become filters of
    pure noise.
    """
    centre = patches.mean(axis=0)
    moved = patches - centre
    covariance = moved.T @ moved / len(moved)
    variance, axes = np.linalg.eigh(covariance)
    ridge = _RIDGE * max(variance.mean(), np.finfo(float).tiny)
    whiten = (axes / np.sqrt(np.maximum(variance, 0.0) + ridge)) @ axes.T
    chosen = moved[_spread(len(moved), most)] @ whiten
    length = np.linalg.norm(chosen, axis=1)
    chosen = chosen[length > 0] / length[length > 0, None]
    filters = whiten @ chosen.T
    sd = np.sqrt(np.einsum("pf,pq,qf->f", filters, covariance, filters))
    filters = filters / np.where(sd > 0, sd, 1.0)
    return filters, centre @ filters


def _spread(count: int, most: int) -> np.ndarray:
    """Evenly spaced places: filters from as many different images as there are."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
