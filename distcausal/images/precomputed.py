"""Embeddings computed elsewhere: an array by key, or a function of images.

Large networks stay out of this package's dependencies; what they say about an image is
a row of numbers, and enters here. Rows are centred over the training images and brought
to the same scale as all features, principal components with the first at standard
deviation one, so one prior fits every encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.typing import Array
from distcausal.errors import DataError, DesignError, listing
from distcausal.images.brought import name_of
from distcausal.images.keys import Lookup, as_keys, check_keys, key_bytes
from distcausal.images.projection import Projection, Sums, components
from distcausal.images.reading import blocks
from distcausal.images.scan import Moments, scan
from distcausal.images.source import ImageSource
from distcausal.images.training import whole_number

__all__ = ["FittedPrecomputed", "Precomputed"]


@dataclass(frozen=True, eq=False, repr=False)
class Precomputed:
    """Embeddings from anywhere.

    Parameters
    ----------
    embedding
        Array ``(image, value)`` with one row for each key, or a function that maps a
        batch of raw images ``(batch, height, width, channel)`` to one
        ``(batch, value)``.
    keys
        Keys of the rows; 0, 1, ... if left out.
    size
        Most features kept.
    version
        For a function: anything that changes when its answers do, so that cached
        features are not taken for those of another network.

    Raises
    ------
    DataError
        If rows are missing, not finite, or the keys do not fit.

    Notes
    -----
    Gradients cannot pass through; salience by occlusion is available for functions. An
    array has rows for its own keys only: images to be transported to need theirs in it.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> rng = np.random.default_rng(0)
    >>> source = dc.ArraySource(rng.normal(size=(30, 4, 4)))
    >>> encoder = dc.Precomputed(rng.normal(size=(30, 12)), size=5)
    >>> encoder.fit(source).size
    5
    """

    embedding: np.ndarray | Callable[[np.ndarray], Any]
    keys: Any = None
    size: int = 50
    version: str = ""
    name = "precomputed"

    def __post_init__(self) -> None:
        """Check the arguments, and take the array as numbers of our own."""
        whole_number("size", self.size)
        if callable(self.embedding):
            if self.keys is not None:
                raise DesignError(
                    "keys name the rows of an array; a function of images has none. "
                    "Leave keys out."
                )
            return
        rows = np.array(self.embedding, dtype=float)
        if rows.ndim != 2:
            raise DataError(
                "embeddings should be a matrix with one row per image; got shape "
                f"{rows.shape}."
            )
        labels = np.arange(len(rows)) if self.keys is None else as_keys(self.keys)
        check_keys(labels, len(rows))
        check_rows(rows, labels)
        rows.flags.writeable = False
        object.__setattr__(self, "embedding", rows)
        object.__setattr__(self, "keys", labels)

    def __repr__(self) -> str:
        """What it is, with a digest of an array: the name of a cached fit."""
        made: Any = self.embedding
        if not callable(made):
            told = blake2b(made.tobytes() + key_bytes(self.keys))
            made = told.hexdigest()[:32]
        return f"Precomputed({name_of(made)}, size={self.size}, {self.version!r})"

    def fit(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> FittedPrecomputed:
        """Learn centre and axes from the rows of the training images.

        Parameters
        ----------
        source
            Images; an array of embeddings is looked up by their keys.
        keys
            Training images; all if left out.
        seed
            Not needed here: nothing is drawn. All encoders take it.
        """
        wanted = source.keys if keys is None else as_keys(keys)
        sums: Sums | None = None
        for rows in self._rows(source, wanted):
            sums = Sums(rows.shape[1]) if sums is None else sums
            sums.add(rows)
        assert sums is not None
        projection = components(sums, size=self.size, standardise=False)
        seen = scan(source, wanted).moments if callable(self.embedding) else None
        return FittedPrecomputed(self, projection, seen)

    def _rows(self, source: ImageSource, keys: np.ndarray) -> Any:
        """Embeddings of the keys, in blocks."""
        if callable(self.embedding):
            for _, batch in blocks(source, keys):
                yield called(self.embedding, batch)
        else:
            yield self.embedding[Lookup(self.keys).places(keys)]


@dataclass(frozen=True, eq=False)
class FittedPrecomputed:
    """Embeddings with their centre and axes learnt.

    Attributes
    ----------
    encoder
        Where embeddings come from.
    projection
        From embeddings to features.
    moments
        Of the pixels a function has seen; None for an array.
    """

    encoder: Precomputed
    projection: Projection
    moments: Moments | None
    name = Precomputed.name
    differentiable = False

    def __repr__(self) -> str:
        """Name and number of features."""
        return f"FittedPrecomputed({self.size} features)"

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.projection.size

    @cached_property
    def fingerprint(self) -> str:
        """Digest of embedding, centre and axes."""
        told = blake2b(repr(self.encoder).encode())
        told.update(self.projection.centre.tobytes() + self.projection.axes.tobytes())
        return told.hexdigest()[:32]

    @property
    def by_key(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Features by key for an array, without a look at the images; else None."""
        if callable(self.encoder.embedding):
            return None
        return self._by_key

    def _by_key(self, keys: np.ndarray) -> np.ndarray:
        rows = self.encoder.embedding
        places = Lookup(self.encoder.keys).places(keys)
        return self.projection.rows(rows[places])  # type: ignore[index]

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Features ``(batch, D)`` of raw images.

        Raises
        ------
        DesignError
            If the embeddings are an array, which only knows keys.
        """
        if not callable(self.encoder.embedding):
            raise DesignError(
                "precomputed embeddings in an array belong to keys; new images have "
                "none. Give Precomputed a function of images, or an array that has "
                "rows for all keys and call features with these."
            )
        if not len(batch):
            return np.empty((0, self.size))
        return self.projection.rows(called(self.encoder.embedding, batch))

    def traced(self, image: Array) -> Array:
        """Gradients do not pass through what was computed elsewhere.

        Raises
        ------
        DesignError
            Always.
        """
        raise DesignError(
            "gradients cannot pass through precomputed embeddings. Use occlusion, or "
            "an encoder of this package."
        )


def called(embed: Callable[[np.ndarray], Any], batch: np.ndarray) -> np.ndarray:
    """Embeddings of a batch, checked."""
    rows = np.asarray(embed(batch), dtype=float)
    if rows.ndim != 2 or len(rows) != len(batch):
        raise DataError(
            f"the embedding function should return one row for each of {len(batch)} "
            f"images; got shape {rows.shape}."
        )
    check_rows(rows, np.arange(len(rows)))
    return rows


def check_rows(rows: np.ndarray, keys: np.ndarray) -> None:
    """Raise `DataError` unless all embeddings are finite."""
    broken = ~np.isfinite(rows).all(axis=1)
    if broken.any():
        raise DataError(
            f"embeddings should be finite; {np.count_nonzero(broken)} of {len(rows)} "
            f"rows are not ({listing(keys[broken].tolist())}). Compute them again."
        )
