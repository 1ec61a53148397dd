"""Images and encoders that the tests of encoders share, fitted once per process."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import distcausal as dc
from distcausal.images.features import fit_features

COUNT = 40
_rng = np.random.default_rng(0)
# Smooth images with a bright spot, in bytes; two channels that go together.
_smooth = gaussian_filter(_rng.normal(size=(COUNT, 12, 10)), (0, 2, 2)) * 200
_smooth[np.arange(COUNT), _rng.integers(2, 10, COUNT), _rng.integers(2, 8, COUNT)] += 80
IMAGES = np.stack([_smooth, 0.5 * _smooth + _rng.normal(0, 20, _smooth.shape)], -1) + 90
SOURCE = dc.ArraySource(IMAGES)
FILMS = np.stack([IMAGES, 2 * IMAGES, IMAGES**2 / 100], axis=1)
CONV = dc.RandomConvFeatures(n_filters=12, patch=4, size=6)
EMBEDDING = _rng.normal(size=(COUNT, 30)) * 0.9 ** np.arange(30)


def summarised(batch: np.ndarray) -> np.ndarray:
    """Embedding by a function: a few numbers of each image."""
    return batch[:, ::3, ::3].reshape(len(batch), -1).astype(float)


ENCODERS = {
    "conv": CONV,
    "pca": dc.PCA(size=5),
    "flatten": dc.Flatten(),
    "colour": dc.ColorMoments(size=5),
    "texture": dc.Texture(size=5),
    "crop": dc.Crop(CONV, 8),
    "scales": dc.MultiScale([dc.Crop(CONV, 8), dc.PCA(size=3)]),
    "function": dc.Precomputed(summarised, size=6),
    "sequence": dc.Sequence(CONV, "difference", size=4),
}
DIFFERENTIABLE = sorted(set(ENCODERS) - {"function"})
every = pytest.mark.parametrize("name", ENCODERS)


@cache
def fits() -> dict[str, tuple[Any, np.ndarray]]:
    """Every encoder fitted, with the features of its images."""
    return {
        name: fit_features(encoder, source_of(name))
        for name, encoder in ENCODERS.items()
    }


def images_of(name: str) -> np.ndarray:
    return FILMS if name == "sequence" else IMAGES


def source_of(name: str) -> dc.ArraySource:
    return dc.ArraySource(images_of(name))


def singular(rows: np.ndarray, size: int) -> np.ndarray:
    """Leading principal components by a singular value decomposition."""
    moved = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(moved, full_matrices=False)
    scores = left[:, :size] * values[:size]
    return scores / scores[:, 0].std()


def pixel_rows() -> np.ndarray:
    scaled = (IMAGES - IMAGES.mean(axis=(0, 1, 2))) / IMAGES.std(axis=(0, 1, 2))
    return scaled.reshape(COUNT, -1)
