"""How unlike the images of the trial is an image, and can they stand for a region.

A model answers for any image; whether it has seen its like is a question about
features alone. Distances of the trial's own images, each to the others, are what a new
image's distance is judged by, so no threshold in units of distance is needed.

Weights that give the trial's images the average features of a region are those nearest
to the weights they have, in relative entropy: exponentials of a linear function,
found by minimising a smooth convex function of as many numbers as there are features.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal.errors import ConvergenceError, check_choice

__all__ = ["NOVELTY", "Tilt", "novelty", "tilt"]

NOVELTY = ("knn", "mahalanobis")
NEIGHBOURS = 10
_REFERENCE = 2000  # images compared with; more would cost more and tell little
_BLOCK = 2**22  # distances held at once
_RANK = 1e-10
_STEPS = 100
_STILL = 1e-10


def novelty(
    training: np.ndarray, features: np.ndarray, *, rule: str = "knn", seed: Seed = 0
) -> np.ndarray:
    """Share of the trial's images that are nearer to the others than an image is.

    Parameters
    ----------
    training
        Features of the trial's images, shape ``(image, feature)``.
    features
        Of the images asked about, shape ``(asked, feature)``.
    rule
        ``"knn"``: mean distance to the ten nearest images of the trial, of 2,000 drawn
        by lot where it has more. ``"mahalanobis"``: distance from their mean in
        standard deviations.
    seed
        Decides the lot.

    Returns
    -------
    Shape ``(asked,)``, from 0 to 1; 1 is farther away than every image of the trial.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.novelty import novelty
    >>> seen = np.random.default_rng(0).normal(size=(500, 3))
    >>> near, far = novelty(seen, np.array([[0.0, 0, 0], [9.0, 0, 0]]))
    >>> bool(near < 0.1), float(far)
    (True, 1.0)
    """
    check_choice("novelty", rule, NOVELTY)
    if rule == "knn":
        known, asked = _neighbours(training, features, seed)
    else:
        known, asked = _mahalanobis(training, features)
    # Distances of equal images differ in the last digits.
    slack = 1e-9 * known.max(initial=0.0)
    return np.searchsorted(np.sort(known), asked - slack) / len(known)


def _neighbours(
    training: np.ndarray, features: np.ndarray, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance to the nearest images, of those in the trial and of the others."""
    reference = training
    if len(training) > _REFERENCE:
        lot = host_stream(seed, "novelty").permutation(len(training))[:_REFERENCE]
        reference = training[np.sort(lot)]
    count = min(NEIGHBOURS, len(reference) - 1)
    known = np.empty(len(reference))
    for place, square in _squares(reference, reference):
        rows = np.arange(place.start, place.stop)
        square[rows - place.start, rows] = np.inf
        known[place] = _nearest(square, count)
    asked = np.empty(len(features))
    for place, square in _squares(features, reference):
        asked[place] = _nearest(square, count)
    return known, asked


def _squares(
    rows: np.ndarray, reference: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances to all of the reference, of some rows at a time."""
    centre = reference.mean(axis=0)
    near = reference - centre
    length = (near**2).sum(axis=1)
    step = max(_BLOCK // len(reference), 1)
    for start in range(0, len(rows), step):
        place = slice(start, min(start + step, len(rows)))
        own = rows[place] - centre
        square = (own**2).sum(axis=1)[:, None] + length - 2 * own @ near.T
        yield place, np.maximum(square, 0.0)


def _nearest(square: np.ndarray, count: int) -> np.ndarray:
    part = np.partition(square, count - 1, axis=1)[:, :count]
    return np.sqrt(part).mean(axis=1)


def _mahalanobis(
    training: np.ndarray, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances; each image of the trial from the others alone."""
    count = len(training)
    centre = training.mean(axis=0)
    moved = training - centre
    value, turn = np.linalg.eigh(moved.T @ moved / (count - 1))
    kept = value > _RANK * max(value.max(initial=0.0), 1e-300)
    white = turn[:, kept] / np.sqrt(value[kept])
    square = ((moved @ white) ** 2).sum(axis=1)
    # Leaving one out moves the mean and the covariance by terms of rank one.
    room = np.maximum(1 - count * square / (count - 1) ** 2, 1e-12)
    known = count**2 * (count - 2) / (count - 1) ** 3 * square / room
    asked = np.empty(len(features))
    step = max(_BLOCK // max(features.shape[1], 1), 1)
    for start in range(0, len(features), step):
        place = slice(start, start + step)
        asked[place] = (((features[place] - centre) @ white) ** 2).sum(axis=1)
    return known, asked


class Tilt(NamedTuple):
    """Weights under which the trial's images look like a region on average.

    Attributes
    ----------
    factor
        By which the weight of each image is multiplied, mean one, shape ``(image,)``.
    imbalance
        Largest difference left between averages of a feature, in its standard
        deviations among the trial's images.
    """

    factor: np.ndarray
    imbalance: float


def tilt(training: np.ndarray, weights: np.ndarray, target: np.ndarray) -> Tilt:
    """Weights that bring the averages of features to those of a region.

    Parameters
    ----------
    training
        Shape ``(image, feature)``.
    weights
        Of the trial's images, ``(image,)``.
    target
        Averages in the region, ``(feature,)``.

    Returns
    -------
    Tilt

    Raises
    ------
    ConvergenceError
        If the search does not end.

    Notes
    -----
    Exact balance is not asked for: the function minimised has a penalty of D over C
    times half the squared coefficients of features in standard deviations, for D
    features and C images. It leaves differences as small as those between halves of the
    trial, and there is a solution also for a region beyond all images.

    References
    ----------
    Hainmueller (2012), *Entropy balancing for causal effects*, Political Analysis 20.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.novelty import tilt
    >>> seen = np.random.default_rng(0).normal(size=(500, 2))
    >>> found = tilt(seen, np.ones(500), np.array([0.5, 0.0]))
    >>> (found.factor @ seen / 500).round(1) + 0.0
    array([0.5, 0. ])
    """
    share = weights / weights.sum()
    mean = share @ training
    spread = np.sqrt(share @ (training - mean) ** 2)
    varies = spread > _RANK * max(spread.max(initial=0.0), 1e-300)
    rows = (training - target)[:, varies] / spread[varies]
    penalty = rows.shape[1] / len(rows)
    coefficient = np.zeros(rows.shape[1])
    value, mass = _dual(rows, share, penalty, coefficient)
    for _ in range(_STEPS):
        slope = mass @ rows + penalty * coefficient
        if np.abs(slope).max(initial=0.0) < _STILL:
            break
        bend = (rows * mass[:, None]).T @ rows - np.outer(mass @ rows, mass @ rows)
        step = np.linalg.solve(bend + penalty * np.eye(len(bend)), slope)
        size, gain = 1.0, float(slope @ step)
        while True:
            found, ahead = _dual(rows, share, penalty, coefficient - size * step)
            if found <= value - 1e-4 * size * gain or size * gain < 1e-14:
                break
            size /= 2
        coefficient, value, mass = coefficient - size * step, found, ahead
        if size * gain < 1e-14:  # half the gain is what is left to win
            break
    else:
        raise ConvergenceError(
            f"weights for the region were not found in {_STEPS} steps. Its features "
            "may be far from those of the trial: look at novelty."
        )
    factor = np.where(share > 0, mass / np.where(share > 0, share, 1.0), 0.0)
    return Tilt(factor, float(np.abs(mass @ rows).max(initial=0.0)))


def _dual(
    rows: np.ndarray, share: np.ndarray, penalty: float, coefficient: np.ndarray
) -> tuple[float, np.ndarray]:
    """Value of the function minimised, and the weights of the images there."""
    line = rows @ coefficient
    top = line.max()
    mass = share * np.exp(line - top)
    total = mass.sum()
    value = top + np.log(total) + penalty * coefficient @ coefficient / 2
    return float(value), mass / total
