"""Encoders of sequences of images: one for all frames, and what is kept of time.

A place seen in several years is a short film. Frames of all times are encoded alike, so
that a difference between two of them is a change in the place and not in the encoder;
then the features are averaged, compared or put side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.typing import Array
from distcausal.errors import DesignError, check_choice
from distcausal.images.composed import digest
from distcausal.images.encoder import Encoder, FittedEncoder
from distcausal.images.features import fit_features
from distcausal.images.keys import as_keys
from distcausal.images.projection import Projection, Sums, components
from distcausal.images.scan import Moments, scan
from distcausal.images.source import ImageSource
from distcausal.images.training import whole_number

__all__ = ["Sequence"]

Aggregate = Literal["mean", "difference", "variance", "concat"]


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
