"""How every encoder is fitted: one pass for moments, one for values, one projection.

An encoder says what its raw values are (`prepare`) and how they are projected; reading,
summing and projecting are the same for all. The raw values of the training images are
kept during the fit where they are small, so the images are encoded once and not twice.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, check_seed
from distcausal._base.progress import steps
from distcausal.errors import DataWarning, DesignError, listing
from distcausal.images.encoder import Fitted, Recipe, State, run, width
from distcausal.images.projection import Sums, components
from distcausal.images.reading import blocks
from distcausal.images.scan import Contents, Moments, scan
from distcausal.images.source import ImageSource, as_keys

__all__ = ["Trained", "fit_features", "varying", "whole_number"]

_KEPT_BYTES = 2**28


class Trained:
    """Base of encoders, frozen dataclasses, whose features are projected raw values."""

    name: str
    size: int
    standardise = True

    @abstractmethod
    def prepare(
        self, source: ImageSource, keys: np.ndarray, contents: Contents, seed: Seed
    ) -> tuple[Recipe, State]:
        """Recipe and arrays of the raw values, learnt from the training images."""

    def project(self, sums: Sums) -> tuple[np.ndarray, np.ndarray]:
        """Centre and projection of the raw values."""
        return components(sums, size=self.size, standardise=self.standardise)

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
        """
        return fit_features(self, source, keys, seed=seed)[0]


def fit_features(
    encoder: Trained,
    source: ImageSource,
    keys: Any = None,
    *,
    seed: Seed = 0,
    batch: int | None = None,
    progress: bool | None = None,
) -> tuple[Fitted, np.ndarray]:
    """Fit an encoder, and the features of its training images from the same pass.

    Parameters
    ----------
    encoder
        What to fit.
    source
        Images.
    keys
        Training images; all if left out.
    seed
        Decides what is drawn at random.
    batch
        Images read at once; as many as fill a few megabytes if left out.
    progress
        Whether to show a bar; None decides by the number of images.

    Returns
    -------
    The fitted encoder and features ``(image, D)`` in the order of the keys, equal to
    what `features` gives.
    """
    check_seed(seed)
    wanted = source.keys if keys is None else as_keys(keys)
    count = len(wanted)
    with steps(progress, count=3, long=count > 5000) as begin:
        begin("reading images")
        contents = scan(source, wanted)
        recipe, state = encoder.prepare(source, wanted, contents, seed)
        begin("encoding images")
        many = width(recipe, state, source.shape)
        keep = 4 * count * many <= _KEPT_BYTES
        kept = np.empty((count if keep else 0, many), np.float32)
        sums = Sums(many)
        for place, images in blocks(source, wanted, batch=batch):
            rows = run(recipe, state, images)
            sums.add(rows)
            if keep:
                kept[place] = rows
        begin("projecting")
        fitted = Fitted(
            encoder.name, recipe, state, *encoder.project(sums), contents.moments,
            tuple(source.shape),
        )  # fmt: skip
        if keep:
            return fitted, fitted.project(kept)
        out = np.empty((count, fitted.size))
        for place, images in blocks(source, wanted, batch=batch):
            out[place] = fitted.apply(images)
    return fitted, out


def varying(moments: Moments) -> np.ndarray:
    """Channels that are not constant over all images; warns of those that are."""
    varies = moments.sd > 0
    if not varies.all():
        flat = np.flatnonzero(~varies)
        warnings.warn(
            f"{len(flat)} of {len(varies)} channels have the same value in all pixels "
            f"of all images (channels {listing(flat.tolist())}) and are left out.",
            DataWarning,
            stacklevel=2,
        )
    return np.flatnonzero(varies)


def whole_number(argument: str, value: object) -> None:
    """Raise `DesignError` unless an argument is a whole number, one or more."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:  # type: ignore[operator]
        raise DesignError(f"{argument} {value!r} should be a whole number, 1 or more.")
