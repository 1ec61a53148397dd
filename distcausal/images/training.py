"""How encoders are fitted: one pass for moments, one for values, then a projection.

An encoder says what its raw values are (`prepare`) and how they are projected
(`project`); reading, summing and projecting are the same for all. Raw values of the
training images are kept during the fit where they are small, so that images are encoded
once, and the features of the training images come with the fit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, check_seed
from distcausal.errors import DataError, DataWarning, DesignError, listing, warn_user
from distcausal.images.encoder import Fitted, Recipe, State, run, width
from distcausal.images.keys import as_keys
from distcausal.images.projection import Projection, Sums, components
from distcausal.images.reading import blocks
from distcausal.images.scan import Contents, Moments, scan
from distcausal.images.source import ImageSource

__all__ = ["Rows", "Trained", "check_moments", "check_single", "whole_number"]

_KEPT_BYTES = 2**28
_BLOCK = 1024
_HUGE = 1e30  # float32 reaches 3e38, and values add up over an image


class Rows:
    """Raw values of the training images, block by block, as often as asked.

    Iterating gives places among the images and rows ``(image, value)``.
    """

    def __init__(
        self, recipe: Recipe, state: State, source: ImageSource, keys: np.ndarray
    ) -> None:
        self._made = recipe, state
        self._source, self._keys = source, keys
        self.count = len(keys)
        self.width = width(recipe, state, tuple(source.shape))
        self._kept: np.ndarray | None = None

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        """One pass over the images, or over what the first pass has kept of them."""
        if self._kept is not None:
            for start in range(0, self.count, _BLOCK):
                place = slice(start, min(start + _BLOCK, self.count))
                yield place, self._kept[place]
            return
        keep = 4 * self.count * self.width <= _KEPT_BYTES
        kept = np.empty((self.count, self.width), np.float32) if keep else None
        for place, images in blocks(self._source, self._keys):
            rows = run(*self._made, images)
            if kept is not None:
                kept[place] = rows
            yield place, rows
        self._kept = kept

    def moments(self) -> Sums:
        """First and second moments."""
        sums = Sums(self.width)
        for _, rows in self:
            sums.add(rows)
        return sums


class Trained:
    """Base of encoders, frozen dataclasses, whose features are projected raw values."""

    name: str
    size: int

    @abstractmethod
    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Recipe and arrays of the raw values, learnt from the training images."""

    def project(self, rows: Rows, seed: Seed) -> Projection:
        """From raw values to features."""
        return components(rows.moments(), size=self.size, standardise=True)

    def fit(self, source: ImageSource, keys: Any = None, *, seed: Seed = 0) -> Fitted:
        """Learn from the training images; outcomes are never seen.

        Parameters
        ----------
        source
            Images.
        keys
            Training images; all if left out.
        seed
            Decides what is drawn at random.

        Raises
        ------
        DataError
            If there are no images or pixels, or pixels too large for float32.
        DesignError
            If the arguments do not fit the shape of the images.

        Warns
        -----
        DataWarning
            If a channel is constant over all training images; it carries nothing.
        """
        return self._learn(source, keys, seed)[0]

    def fit_features(
        self, source: ImageSource, keys: Any = None, *, seed: Seed = 0
    ) -> tuple[Fitted, np.ndarray]:
        """Fit, and features ``(image, D)`` of the training images from one pass."""
        fitted, rows = self._learn(source, keys, seed)
        out = np.empty((rows.count, fitted.size))
        for place, raw in rows:
            out[place] = fitted.projection.rows(raw)
        return fitted, out

    def _learn(self, source: ImageSource, keys: Any, seed: Seed) -> tuple[Fitted, Rows]:
        check_seed(seed)
        wanted = source.keys if keys is None else as_keys(keys)
        check_single(source)
        if not len(wanted):
            raise DataError("an encoder is fitted to images; keys names none of them.")
        contents = scan(source, wanted)
        check_moments(contents.moments)
        recipe, state = self.prepare(source, wanted, contents, seed)
        rows = Rows(recipe, state, source, wanted)
        projection = self.project(rows, seed)
        shape = tuple(source.shape)
        moments = contents.moments
        fitted = Fitted(self.name, recipe, state, projection, moments, shape)
        return fitted, rows


def check_single(source: ImageSource) -> None:
    """Raise `DesignError` if the source holds sequences of images."""
    if len(source.shape) != 3:
        raise DesignError(
            f"this encoder takes images (height, width, channel); the source holds "
            f"{tuple(source.shape)}, sequences in time. Wrap it in Sequence."
        )


def check_moments(moments: Moments) -> None:
    """Warn of channels that are constant; refuse pixels too large for float32."""
    if max(np.abs(moments.low).max(), np.abs(moments.high).max()) > _HUGE:
        raise DataError(
            f"pixels should stay below {_HUGE:g}, since images are encoded in float32; "
            f"they run from {moments.low.min():.4g} to {moments.high.max():.4g}. "
            "Rescale them, or mark placeholders as missing."
        )
    flat = np.flatnonzero(moments.sd == 0)
    if flat.size:
        warn_user(
            f"{flat.size} of {moments.sd.size} channels have one value in all pixels "
            f"of all training images (channels {listing(flat.tolist())}): they are "
            "left out of the features.",
            DataWarning,
        )


def whole_number(argument: str, value: object) -> None:
    """Raise `DesignError` unless an argument is a whole number, one or more."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:  # type: ignore[operator]
        raise DesignError(f"{argument} {value!r} should be a whole number, 1 or more.")
