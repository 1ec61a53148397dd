"""From an image to a few dozen numbers: what all encoders have in common.

An encoder is fitted to pixels alone, never to outcomes or treatment, so its features
may be computed once and used in every fold. Fitting gives a recipe, a hashable
description of the computation, and a state, the arrays it needs. The recipe maps one
image to numbers in pure JAX, so gradients pass through it; the state is an argument of
the compiled function, so encoders of one shape share one compilation.

On a processor, images are mapped one after the other in a loop inside the compiled
function: what an image's features are depends on nothing else in its batch, to the last
bit, and the work of one image stays in the cache. On an accelerator they are mapped
side by side, which changes rounding. Maps compute in float32; moments and the last
projection are float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.keys import Seed
from distcausal._base.typing import Array, Real
from distcausal.errors import DataError
from distcausal.images.projection import Projection, padded
from distcausal.images.scan import Moments
from distcausal.images.source import ImageSource

__all__ = ["Encoder", "Fitted", "FittedEncoder", "Recipe", "State", "run", "width"]

State = Mapping[str, Any]
_TILE_BYTES = 2**24
_TILE_MOST = 256
_AT_ONCE = 32  # images side by side on an accelerator


class Recipe(Protocol):
    """Computation of one image, hashable, with no arrays of its own."""

    def values(self, state: State, image: Array) -> Array:
        """Numbers ``(value,)`` of an image ``(height, width, channel)``."""


class Encoder(Protocol):
    """What can be fitted to images."""

    @property
    def name(self) -> str:
        """Word for it in tables."""

    def fit(self, source: ImageSource, keys: Any = None, *, seed: Seed = 0) -> Any:
        """Learn filters and projections from the images of the keys."""


class FittedEncoder(Protocol):
    """What maps images to features."""

    @property
    def name(self) -> str:
        """Word for it in tables."""

    @property
    def size(self) -> int:
        """Number of features D."""

    @property
    def fingerprint(self) -> str:
        """Digest of everything the features depend on besides the image."""

    @property
    def differentiable(self) -> bool:
        """Whether `traced` may be called."""

    @property
    def moments(self) -> Moments | None:
        """Of the pixels it was fitted to, for `check_range`; None if it saw none."""

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features ``(batch, D)`` in float64 of raw images."""

    def traced(self, image: Array) -> Array:
        """Features ``(D,)`` of one image, in JAX and differentiable."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Encoder with its filters and projection learnt.

    Attributes
    ----------
    name
        Word for it in tables.
    recipe
        Computation of the raw values of one image.
    state
        Arrays it needs, by name.
    projection
        From raw values to features.
    moments
        Of the channels of the training images; `check_range` compares others to them.
    shape
        Shape of the images.
    """

    name: str
    recipe: Recipe
    state: State
    projection: Projection
    moments: Moments
    shape: tuple[int, ...]
    differentiable = True

    def __repr__(self) -> str:
        """Name and number of features."""
        return f"Fitted({self.name!r}, {self.size} features)"

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.projection.size

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the recipe and every array."""
        told = blake2b(f"{self.name}|{self.recipe!r}|{self.shape}".encode())
        linear = self.projection.centre, self.projection.axes
        for leaf in jax.tree.leaves((self.state, linear)):
            told.update(str((leaf.shape, leaf.dtype)).encode())
            told.update(np.ascontiguousarray(leaf).data)
        return told.hexdigest()[:32]

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features of raw images.

        Parameters
        ----------
        batch
            Images ``(batch, *shape)`` as stored.

        Returns
        -------
        Shape ``(batch, D)``, float64.

        Raises
        ------
        DataError
            If they are not of the shape that the encoder was fitted to.
        """
        self._check(np.shape(batch)[1:])
        return self.projection.rows(run(self.recipe, self.state, batch))

    def traced(self, image: Real[Array, ...]) -> Real[Array, " feature"]:
        """Features of one image ``(height, width, channel)``, in JAX.

        Differentiable in the pixels, which are in the units the encoder was fitted to.
        """
        self._check(image.shape)
        return self.projection.traced(self.recipe.values(self.state, image))

    def _check(self, shape: tuple[int, ...]) -> None:
        if tuple(shape) != self.shape:
            raise DataError(
                f"images should have the shape {self.shape} of those the encoder was "
                f"fitted to; got {tuple(shape)}. Bring them to it: resize= of a source "
                "does."
            )


def run(recipe: Recipe, state: State, batch: np.ndarray) -> np.ndarray:
    """Raw values of images, shape ``(batch, value)``, float32.

    Images go through the compiled function in tiles of one shape, the last one padded.
    """
    batch = np.asarray(batch)
    if batch.dtype.itemsize == 8:
        # JAX would cut whole numbers of 64 bits to their lower half.
        batch = batch.astype(np.float32)
    tile = _tile(batch.shape[1:])
    side_by_side = jax.default_backend() != "cpu"
    out = []
    for start in range(0, len(batch), tile):
        part = batch[start : start + tile]
        count = len(part)
        found = _values(recipe, state, padded(part, tile), count, side_by_side)
        out.append(np.asarray(found)[:count])
    if not out:
        return np.empty((0, width(recipe, state, batch.shape[1:])), np.float32)
    return np.concatenate(out)


def width(recipe: Recipe, state: State, shape: tuple[int, ...]) -> int:
    """Number of raw values of an image of a shape."""
    one = jax.ShapeDtypeStruct(shape, jnp.float32)
    return int(jax.eval_shape(partial(recipe.values, state), one).shape[0])


def _tile(shape: tuple[int, ...]) -> int:
    """Images per compiled call: a fixed number for images of a shape."""
    return int(np.clip(_TILE_BYTES // (4 * int(np.prod(shape))), 1, _TILE_MOST))


@partial(jax.jit, static_argnums=(0, 4))
def _values(
    recipe: Recipe, state: State, batch: Array, count: Array, side_by_side: bool
) -> Array:
    """Values of the first ``count`` images of a tile; the rest is padding."""

    def one(image: Array) -> Array:
        return recipe.values(state, image.astype(jnp.float32)).astype(jnp.float32)

    if side_by_side:
        return lax.map(one, batch, batch_size=_AT_ONCE)

    def put(place: Array, out: Array) -> Array:
        image = lax.dynamic_index_in_dim(batch, place, keepdims=False)
        return lax.dynamic_update_index_in_dim(out, one(image), place, 0)

    values = jax.eval_shape(one, batch[0]).shape[0]
    empty = jnp.zeros((batch.shape[0], values), jnp.float32)
    return lax.fori_loop(0, count, put, empty)
