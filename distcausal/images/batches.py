"""Batches of images with all their units, laid out before training begins.

Units of one image share its cluster, so a batch is drawn by image and brings all units
of each. Batches are padded to one number of units, and the order of the images is
drawn once for all steps, so that the loop is one compiled scan over arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.images.model import Evidence, Lane, Layout
from distcausal.images.source import ImageSource

__all__ = ["Batch", "Lesson", "Units", "orders", "part_of"]


class Lesson(NamedTuple):
    """What is learnt from.

    Attributes
    ----------
    source, keys
        Images, and the label of each that units have, ``(image,)``.
    image
        Position of each unit's image, ``(unit,)``; -1 if it is not to be seen.
    evidence, lane, layout
        Of all units; the features in there are not those of the network.
    train, held
        Positions of the images to learn from, and of those to stop by.
    """

    source: ImageSource
    keys: np.ndarray
    image: np.ndarray
    evidence: Evidence
    lane: Lane
    layout: Layout
    train: np.ndarray
    held: np.ndarray


class Batch(NamedTuple):
    """Units of batches of images, padded to one number of units a batch.

    Attributes
    ----------
    unit, owner
        Position of each unit, and of its image within the batch, ``(step, slot)``.
    real
        1, or 0 for padding, ``(step, slot)``.
    """

    unit: np.ndarray
    owner: np.ndarray
    real: np.ndarray


class Units:
    """Which units belong to each image."""

    def __init__(self, image: np.ndarray, count: int, orders: list[np.ndarray]) -> None:
        known = np.flatnonzero(image >= 0)
        self._sorted = known[np.argsort(image[known], kind="stable")]
        self._size = np.bincount(image[known], minlength=count)
        self._first = np.cumsum(self._size) - self._size
        sizes = np.append(self._size, 0)
        most = max(int(sizes[order].sum(axis=1).max(initial=1)) for order in orders)
        width = orders[0].shape[1]
        self._most = width if most <= width else size_class(most)

    def of(self, order: np.ndarray) -> Batch:
        """Units of rows of images, shape ``(step, slot)``; image -1 has none."""
        size = np.where(order < 0, 0, self._size[order])
        steps, width = order.shape
        slot = np.arange(self._most)[None]
        stop = np.cumsum(size, axis=1)
        owner = np.sum(slot[..., None] >= stop[:, None, :], axis=-1)
        real = owner < width
        owner = np.minimum(owner, width - 1)
        row = np.arange(steps)[:, None]
        inside = slot - (stop - size)[row, owner]
        place = np.where(real, self._first[order[row, owner]] + inside, 0)
        return Batch(
            self._sorted[place].astype(np.int32),
            owner.astype(np.int32),
            real.astype(np.float32),
        )


def orders(
    lesson: Lesson, steps: int, batch: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Images of every step, epoch after epoch in new orders; and those held out."""
    draw = host_stream(seed, "order of images")
    wanted = steps * batch
    epochs = -(-wanted // len(lesson.train))
    flat = np.concatenate([draw.permutation(lesson.train) for _ in range(epochs)])
    rows = -(-len(lesson.held) // batch)
    held = np.full(rows * batch, -1)
    held[: len(lesson.held)] = lesson.held
    shape = (-1, batch)
    return flat[:wanted].reshape(shape), held.reshape(shape)


def part_of(
    features: Array, batch: Batch, evidence: Evidence, lane: Lane, layout: Layout
) -> tuple[Evidence, Lane]:
    """Evidence and weights of the units of one batch."""
    slots = jnp.arange(batch.unit.shape[0])
    own = Evidence(
        features=features[batch.owner] if layout.alone else features,
        image=slots if layout.alone else batch.owner,
        outcome=evidence.outcome[batch.unit],
        known_variance=evidence.known_variance[batch.unit],
        treatment=evidence.treatment[batch.unit],
        covariates=evidence.covariates[batch.unit],
    )
    return own, lane._replace(weights=lane.weights[batch.unit] * batch.real)
