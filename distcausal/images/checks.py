"""Single numbers that show when an analysis by image clusters should not be believed.

Each function looks at plain arrays and returns what it measured; what is too much, and
what to do then, is decided in one other place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "Autocorrelation",
    "MassPoint",
    "OneArm",
    "balance",
    "late_gain",
    "mass_point",
    "membership_gap",
    "morans_i",
    "shape",
    "single_arm",
]

_NEIGHBOURS = 8
_NEVER = 1e-300  # in place of a probability of zero, which has no logarithm
_TOGETHER = 5  # units at one value that make it a point


class MassPoint(NamedTuple):
    """The value with the largest share of the weight, and that share."""

    value: float
    share: float


def mass_point(values: np.ndarray, weights: np.ndarray) -> MassPoint:
    """Find the value with the largest weight among those that five units share.

    Where a few units carry much of the weight, each with a value of its own, none of
    these is a point that units gather at. Without any the share is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.checks import mass_point
    >>> mass_point(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.5, 2.0]), np.ones(8))
    MassPoint(value=0.0, share=0.625)
    """
    distinct, place = np.unique(values, return_inverse=True)
    share = np.bincount(place, weights) / weights.sum()
    share[np.bincount(place, weights > 0) < _TOGETHER] = 0.0
    at = int(share.argmax())
    return MassPoint(float(distinct[at]), float(share[at]))


def shape(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Skewness and excess kurtosis; zero where nothing varies.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.checks import shape
    >>> shape(np.array([-1.0, 1.0]), np.ones(2))
    (0.0, -2.0)
    """
    share = weights / weights.sum()
    moved = values - share @ values
    variance = share @ moved**2
    if variance <= (1e-12 * np.abs(values).max(initial=0.0)) ** 2:
        return 0.0, 0.0
    scaled = moved / np.sqrt(variance)
    return float(share @ scaled**3), float(share @ scaled**4 - 3)


class OneArm(NamedTuple):
    """Images with several units all of which have one arm.

    Attributes
    ----------
    share
        Among images with several units.
    images
        How many of those there are.
    chance, error
        The share that assigning units one by one would lead to, and its standard
        deviation.
    """

    share: float
    images: int
    chance: float
    error: float


def single_arm(
    image: np.ndarray,
    treatment: np.ndarray,
    weights: np.ndarray,
    propensity: np.ndarray | None = None,
) -> OneArm:
    """Count images with several units in which all have one arm.

    Images with a single unit are left out: they could not be otherwise. Without known
    probabilities of treatment, ``propensity``, the share treated stands for them.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.checks import single_arm
    >>> found = single_arm(
    ...     np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0]), np.ones(5)
    ... )
    >>> found.share, found.images, round(found.chance, 2)
    (0.5, 2, 0.52)
    """
    there = weights > 0
    image, arm = image[there], treatment[there] == 1
    units = np.bincount(image)
    treated = np.bincount(image, arm, len(units))
    shared = units > 1
    count = int(shared.sum())
    if not count:
        return OneArm(0.0, 0, 0.0, 0.0)
    odds = np.full(len(arm), arm.mean()) if propensity is None else propensity[there]
    all_of = [
        np.exp(np.bincount(image, np.log(np.maximum(side, _NEVER)), len(units)))
        for side in (odds, 1 - odds)
    ]
    alone = np.sum(all_of, axis=0)[shared]
    one = ((treated == 0) | (treated == units))[shared]
    error = np.sqrt(np.sum(alone * (1 - alone))) / count
    return OneArm(float(one.mean()), count, float(alone.mean()), float(error))


def late_gain(course: np.ndarray) -> tuple[float, float]:
    """What the last tenth of a search gained over the tenth before, and its error.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.checks import late_gain
    >>> gain, _ = late_gain(np.linspace(0, 100, 100))
    >>> round(gain, 1)
    10.1
    """
    size = max(len(course) // 10, 1)
    last, before = course[-size:], course[-2 * size : -size]
    if not len(before):
        return 0.0, 0.0
    error = np.sqrt(last.var() / len(last) + before.var() / len(before))
    return float(last.mean() - before.mean()), float(error)


def membership_gap(
    prior: np.ndarray, posterior: np.ndarray, weights: np.ndarray
) -> float:
    """Average total variation between two memberships, ``(row, cluster)``.

    How much the outcomes say about the cluster of a place beyond its image: 0 nothing,
    1 everything.
    """
    gap = np.abs(prior - posterior).sum(axis=1) / 2
    return float(weights @ gap / weights.sum())


def balance(
    covariates: np.ndarray,
    treatment: np.ndarray,
    membership: np.ndarray,
    weights: np.ndarray,
    chance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of covariates between arms within clusters.

    Parameters
    ----------
    covariates
        Shape ``(unit, covariate)``.
    treatment
        0 or 1, ``(unit,)``.
    membership
        Weight of each unit in each cluster, ``(unit, cluster)``.
    weights
        Shape ``(unit,)``.
    chance
        Probability of treatment, by whose inverse units count, ``(unit,)``.

    Returns
    -------
    difference, error
        Difference of weighted means in standard deviations of the covariate, and its
        standard error, ``(cluster, covariate)``; zero where an arm or a covariate is
        empty.
    """
    treated = treatment == 1
    share = weights / weights.sum()
    mean = share @ covariates
    spread = np.sqrt(share @ (covariates - mean) ** 2)
    scaled = (covariates - mean) / np.where(spread > 0, spread, 1.0)
    found = np.zeros((2, membership.shape[1], covariates.shape[1]))
    inverse = np.where(treated, 1 / chance, 1 / (1 - chance))
    for k, member in enumerate(membership.T):
        both = []
        for arm in (treated, ~treated):
            mass = weights * member * inverse * arm
            total = mass.sum()
            if total > 0:
                middle = mass @ scaled / total
                variance = (mass**2) @ (scaled - middle) ** 2 / total**2
                both.append((middle, variance))
        if len(both) == 2:
            found[0, k] = both[0][0] - both[1][0]
            found[1, k] = np.sqrt(both[0][1] + both[1][1])
    return found[0], found[1]


class Autocorrelation(NamedTuple):
    """Moran's I, what it is on average without dependence, and its standard score."""

    value: float
    expected: float
    z: float


def morans_i(values: np.ndarray, coords: np.ndarray) -> Autocorrelation:
    """Correlation of values with those of their eight nearest neighbours.

    Parameters
    ----------
    values
        Shape ``(place,)``.
    coords
        Shape ``(place, 2)``; distances are Euclidean.

    Returns
    -------
    Autocorrelation
        The standard score is that of independent normal values.

    References
    ----------
    Moran (1950), *Biometrika* 37; Cliff and Ord (1981), *Spatial Processes*.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.checks import morans_i
    >>> x, y = np.meshgrid(np.arange(10.0), np.arange(10.0))
    >>> found = morans_i(x.ravel(), np.column_stack([x.ravel(), y.ravel()]))
    >>> bool(found.value > 0.8), bool(found.z > 10)
    (True, True)
    """
    from scipy.sparse import csr_matrix
    from scipy.spatial import cKDTree

    count = len(values)
    near = min(_NEIGHBOURS, count - 1)
    moved = values - values.mean()
    square = moved @ moved
    expected = -1 / (count - 1) if count > 1 else 0.0
    if near < 1 or square <= (1e-12 * np.abs(values).max()) ** 2 * count:
        return Autocorrelation(expected, expected, 0.0)
    _, place = cKDTree(coords).query(coords, near + 1)
    rows = np.arange(count)
    # Places that coincide may not come first among their own neighbours.
    own = place == rows[:, None]
    own[~own.any(axis=1), -1] = True
    ends = place[~own]
    matrix = csr_matrix(
        (np.full(ends.size, 1 / near), (np.repeat(rows, near), ends)), (count, count)
    )
    value = moved @ (matrix @ moved) / square
    both = matrix + matrix.T
    first = both.multiply(both).sum() / 2
    into = np.asarray(matrix.sum(axis=0)).ravel()
    second = ((1 + into) ** 2).sum()
    variance = (count**2 * first - count * second + 3 * count**2) / (
        (count**2 - 1) * count**2
    ) - expected**2
    score = (value - expected) / np.sqrt(variance) if variance > 0 else 0.0
    return Autocorrelation(float(value), float(expected), float(score))
