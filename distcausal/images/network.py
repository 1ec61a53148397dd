"""A small convolutional network, as a function of its weights and one image.

Patches are laid out as rows and multiplied with the filters. That is how a convolution
is computed anyway, and a product is as fast inside a compiled loop as outside, where
the convolution of XLA on a processor is twenty times slower inside a loop; training is
one such loop. Images are normalised by themselves, never by their batch: what an image
is told by would otherwise depend on which others were drawn with it, and so would the
probabilities of its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.typing import Array
from distcausal.images.encoder import State
from distcausal.images.pixels import standard

__all__ = ["Network", "Pool"]

Pool = Literal["mean", "max"]
_SMALL = 1e-5  # added to variances of layers: a blank image has none


@dataclass(frozen=True)
class Network:
    """Convolutions, rectified and pooled, and one dense layer.

    Attributes
    ----------
    filters, kernels, strides
        Number of filters, side of a patch and pixels between patches, by layer.
    norm
        ``"layer"`` or None.
    pool
        What is kept of every filter's answers, in every layer.
    width
        Number of values of the representation.
    patches
        Whether the filters of the first layer begin as whitened patches; they answer
        above one standard deviation and are not normalised.
    """

    filters: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    norm: str | None
    pool: tuple[Pool, ...]
    width: int
    patches: bool

    def values(self, state: State, image: Array) -> Array:
        """Representation of an image as stored, shape ``(value,)``."""
        return self.represent(state, standard(state, image))

    def represent(self, weights: State, image: Array) -> Array:
        """Representation of an image with standardised channels."""
        pooled = []
        for layer, stride in enumerate(self.strides):
            filters = weights[f"filters{layer}"]
            image = convolved(image, filters, stride)
            if self._normalised(layer):
                image = normalised(image) * weights[f"gain{layer}"][None, None]
            image = jax.nn.relu(image + weights[f"bias{layer}"][None, None])
            found = {"mean": image.mean(axis=(0, 1)), "max": image.max(axis=(0, 1))}
            pooled += [found[each] for each in self.pool]
        joined = jnp.concatenate(pooled)
        return normalised(joined @ weights["dense"] + weights["dense_bias"])

    def first_weights(
        self, channels: int, draw: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Random weights that keep the size of what passes through, float32."""
        found = {}
        for layer, (count, side) in enumerate(
            zip(self.filters, self.kernels, strict=True)
        ):
            shape = (side, side, channels, count)
            scale = np.sqrt(2 / (side * side * channels))
            found[f"filters{layer}"] = scale * draw.standard_normal(shape)
            found[f"bias{layer}"] = np.zeros(count)
            if self._normalised(layer):
                found[f"gain{layer}"] = np.ones(count)
            channels = count
        pooled = len(self.pool) * sum(self.filters)
        dense = draw.standard_normal((pooled, self.width))
        found["dense"] = dense / np.sqrt(pooled)
        found["dense_bias"] = np.zeros(self.width)
        return {name: part.astype(np.float32) for name, part in found.items()}

    def _normalised(self, layer: int) -> bool:
        return self.norm == "layer" and not (self.patches and layer == 0)


def convolved(image: Array, filters: Array, stride: int) -> Array:
    """Answers of filters at every ``stride``-th pixel, zeros around the image.

    Parameters
    ----------
    image
        Shape ``(height, width, channel)``.
    filters
        Shape ``(side, side, channel, filter)``.
    """
    side = filters.shape[0]
    sizes = [-(-length // stride) for length in image.shape[:2]]
    margin = [
        max((size - 1) * stride + side - length, 0)
        for size, length in zip(sizes, image.shape[:2], strict=True)
    ]
    before = [each // 2 for each in margin]
    after = [each - each // 2 for each in margin]
    image = jnp.pad(image, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
    down, right = ((size - 1) * stride + 1 for size in sizes)
    parts = [
        image[i : i + down : stride, j : j + right : stride]
        for i in range(side)
        for j in range(side)
    ]
    rows = jnp.concatenate(parts, axis=-1)
    return rows @ filters.reshape(-1, filters.shape[-1])


def normalised(values: Array) -> Array:
    """Values of one image with mean zero and variance one."""
    moved = values - jnp.mean(values)
    return moved * lax.rsqrt(jnp.mean(moved**2) + _SMALL)
