"""The trial as arrays, checked once: units, their images, arms, outcomes and groups.

Units that cannot be told apart by chance belong to one group: those with one image,
with images that are copies of each other, and those of one cluster that the user
names. Groups are what folds are made of and what errors are clustered by, so they are
found here, where all three reasons are known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from distcausal._base.fit import Record
from distcausal._base.shapes import pad_rows, size_class
from distcausal.images.families import Family
from distcausal.images.model import Evidence, Lane, Layout, active_contrast

__all__ = ["FEATURE_SCALE", "Trial", "evidence_of", "groups_of", "lane_of", "layout_of"]

# Features come with a leading component of spread 1. Weights of size one on features
# of spread 3 tell images apart almost surely, which is what the priors allow for.
FEATURE_SCALE = 3.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial(Record):
    """Checked arrays of one trial.

    Attributes
    ----------
    keys
        Labels of the distinct images that units have, ``(image,)``.
    image
        Position of each unit's image among them, ``(unit,)``.
    ids
        Labels of the units, ``(unit,)``.
    outcome
        Shape ``(unit, outcome)``; more than one column only for distributions.
    known_variance
        Noise of the outcomes known beforehand, ``(unit, outcome)``.
    treatment
        0 or 1, ``(unit,)``.
    weights
        Shape ``(unit,)``.
    covariates
        Standardised, ``(unit, covariate)``.
    group
        Units of one group are not independent, ``(unit,)``.
    propensity
        Known probability of treatment, ``(unit,)``, or None if it is to be estimated.
    features
        Of the images as the encoder gives them, ``(image, feature)``.
    """

    keys: np.ndarray
    image: np.ndarray
    ids: np.ndarray
    outcome: np.ndarray
    known_variance: np.ndarray
    treatment: np.ndarray
    weights: np.ndarray
    covariates: np.ndarray
    group: np.ndarray
    propensity: np.ndarray | None
    features: np.ndarray

    def with_features(self, features: np.ndarray) -> Trial:
        """The same trial with other features of its images."""
        return replace(self, features=features)

    @property
    def shared(self) -> bool:
        """Whether some image belongs to several units."""
        return len(self.keys) < len(self.image)


def groups_of(
    keys: np.ndarray,
    image: np.ndarray,
    duplicate: np.ndarray,
    cluster: np.ndarray | None,
) -> np.ndarray:
    """Groups of units joined by an image, a copy of it, or a cluster, ``(unit,)``.

    Parameters
    ----------
    keys
        Labels of the images, ``(image,)``.
    image
        Position of each unit's image.
    duplicate
        Position of the first image with the same pixels, ``(image,)``.
    cluster
        Labels given by the user, ``(unit,)``, or None.

    Returns
    -------
    Whole numbers from 0 in the order of the labels, of clusters or else of images, so
    that neither they nor the folds drawn from them depend on the order of the units.
    """
    rank = np.unique(keys, return_inverse=True)[1]
    least = np.full(len(keys), len(keys))
    np.minimum.at(least, duplicate, rank)
    by_image = least[duplicate][image]
    if cluster is None:
        return np.unique(by_image, return_inverse=True)[1]
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    labels, place = np.unique(cluster, return_inverse=True)
    size = len(labels) + int(by_image.max()) + 1
    link = (np.ones(len(image)), (place, len(labels) + by_image))
    part = connected_components(coo_matrix(link, (size, size)), directed=False)[1]
    return np.unique(part[place], return_inverse=True)[1]


def layout_of(
    trial: Trial,
    clusters: int,
    family: Family,
    variance: str,
    level: str,
    intercepts: bool,
) -> Layout:
    """Static shapes of the model of a trial."""
    return Layout(
        clusters=clusters,
        outcomes=family.columns(trial.outcome.shape[1]),
        features=trial.features.shape[1],
        covariates=trial.covariates.shape[1],
        family=family,
        variance=variance,
        intercepts=intercepts,
        alone=level == "unit" or not trial.shared,
    )


def evidence_of(trial: Trial, layout: Layout) -> Evidence:
    """Arrays of the likelihood, padded to a size class with units of no weight.

    Where every unit has a cluster of its own, its image's features are repeated.
    """
    units = size_class(len(trial.image))
    ready = layout.family.prepare(trial.outcome, trial.treatment, trial.weights)
    known = trial.known_variance
    if known.shape != ready.outcome.shape:
        known = np.zeros(ready.outcome.shape)
    features = FEATURE_SCALE * trial.features
    if layout.alone:
        features, image = features[trial.image], np.arange(len(trial.image))
        images = units
    else:
        image, images = trial.image, size_class(len(features))
    return Evidence(
        features=pad_rows(features, images),
        image=pad_rows(image.astype(np.int32), units),
        outcome=pad_rows(ready.outcome, units),
        known_variance=pad_rows(known, units),
        treatment=pad_rows(trial.treatment.astype(float), units),
        covariates=pad_rows(trial.covariates, units),
    )


def lane_of(
    trial: Trial,
    weights: np.ndarray,
    clusters: int,
    layout: Layout,
    ate: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> Lane:
    """What one fit of a trial has of its own.

    Parameters
    ----------
    trial, layout
        The trial and its static shapes.
    weights
        Weight of each unit in this fit, ``(unit,)``; zero for those held out.
    clusters
        Number of clusters switched on.
    ate
        Estimate and variance of the average effect in the units of the outcome, and
        the strength with which it counts.
    """
    ready = layout.family.prepare(trial.outcome, trial.treatment, weights)
    contrast, active = active_contrast(clusters, layout.clusters)
    return Lane(
        weights=pad_rows(weights.astype(float), size_class(len(weights))),
        centre=ready.shift,
        scale=ready.scale,
        prior_level=ready.level,
        prior_effect=ready.effect,
        ate=np.array([ate[0] / ready.scale[0], ate[1] / ready.scale[0] ** 2, ate[2]]),
        contrast=contrast,
        active=active,
    )


def ridge_direction(
    trial: Trial, weights: np.ndarray, penalty: float = 100.0
) -> np.ndarray:
    """Weights of the scaled features along which the effect seems to grow.

    Ridge regression of a crude score of the effect, the outcome's deviation times the
    sign of the arm over its share; scores along it have variance one.
    """
    share = weights / weights.sum()
    chance = share @ trial.treatment
    first = trial.outcome[:, 0]
    crude = (first - share @ first) * (trial.treatment - chance)
    crude = crude / (chance * (1 - chance))
    columns = FEATURE_SCALE * trial.features
    by_image = np.bincount(trial.image, weights, len(columns))
    gram = (columns * by_image[:, None]).T @ columns
    pull = columns.T @ np.bincount(
        trial.image, weights * (crude - share @ crude), len(columns)
    )
    way = np.linalg.solve(gram + penalty * np.eye(len(gram)), pull)
    spread = np.sqrt(way @ gram @ way / weights.sum())
    return way / spread if spread > 0 else way
