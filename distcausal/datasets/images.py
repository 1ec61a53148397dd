"""Trials in places with a picture each, where the treatment works by what is pictured.

Where an effect is larger depends on a sign in the picture and on nothing else, so the
best clusters, their effects and the effect at every place are known. Every difficulty
is an argument, so that they combine: small gaps, skewed noise, shared pictures,
treatment of whole regions, unequal chances, outcomes that are counts or distributions.

A unit in a place whose picture has brightness b and cluster k has the outcome
0.7 b + W tau_k + noise, tau_k = ``lowest + k * gap``. Pictures, places, treatment and
noise are drawn from streams of their own: changing the gap leaves the rest as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.datasets.image_trial import (
    Assignment,
    Noise,
    Outcome,
    PictureSet,
    Trial,
    assign,
    mean_effect,
    outcomes,
    picture_set,
    tail,
)

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions

__all__ = ["ImageSimulation", "ImageTruth", "PictureSet", "make_image_effects"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageTruth:
    """What an estimate from an `ImageSimulation` should recover.

    Attributes
    ----------
    cluster, effect
        Cluster of each unit's picture and mean effect given the picture, ``(unit,)``.
    potential
        Outcomes of each unit untreated and treated, shape ``(unit, 2)``; the means of
        its draws if the outcome is a distribution.
    effects
        Mean effect in each cluster, in the units of the outcome, shape ``(cluster,)``.
    shifts
        Effect in each cluster on the scale of the linear predictor: log odds of a
        binary outcome, log rate of a count, the outcome itself otherwise.
    stretch
        Whether the part of the effects due to the gap is on the upper tail.
    """

    cluster: np.ndarray
    effect: np.ndarray
    potential: np.ndarray
    effects: np.ndarray
    shifts: np.ndarray
    stretch: bool

    def curves(self, levels: object) -> np.ndarray:
        """Effect on units' quantiles in each cluster, shape ``(cluster, level)``.

        Exact for continuous outcomes and distributions.
        """
        points = np.atleast_1d(np.asarray(levels, dtype=np.float64))
        shape = tail(points) if self.stretch else np.ones(points.shape)
        return self.shifts[0] + (self.shifts - self.shifts[0])[:, None] * shape


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSimulation:
    """A simulated trial in pictured places, and what is true of it.

    Attributes
    ----------
    data
        One unit a row. Columns ``treatment``, ``place`` (key of the picture),
        ``propensity`` (chance of treatment), ``region``, ``east``, ``north``,
        ``covariate``, ``weight``; ``outcome`` unless it is a distribution, and
        ``image`` unless units share pictures.
    pictures
        The pictures of the trial, their keys, places and clusters.
    test
        Fresh pictures of other places on the same map.
    truth
        Clusters and effects of units, and effects of clusters.
    trial
        The arguments of the simulator.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_image_effects(units=60, gap=0.75, test=10, seed=1)
    >>> len(sim.data), sim.pictures.images.shape, sim.test.images.shape
    (60, (60, 32, 32), (10, 32, 32))
    >>> sim.truth.effects.tolist()
    [0.0, 0.75]
    """

    data: RandomDistributions
    pictures: PictureSet
    test: PictureSet
    truth: ImageTruth
    trial: Trial

    @cached_property
    def roles(self) -> dict[str, Any]:
        """Arguments of `image_effects` that say which column plays which part."""
        from distcausal.images.source import ArraySource

        given = self.trial
        roles: dict[str, Any] = {"treatment": "treatment", "propensity": "propensity"}
        if given.images is None:
            roles["image"] = "image"
        else:
            roles["image"] = ArraySource(self.pictures.images, self.pictures.keys)
            roles["image_key"] = "place"
        if given.outcome != "distribution":
            roles["outcome"] = "outcome"
        if given.assignment == "region" or given.region_sd > 0:
            roles["cluster"] = "region"
        if given.weight_spread > 0:
            roles["weights"] = "weight"
        return roles


def make_image_effects(
    units: int = 1000,
    *,
    images: int | None = None,
    clusters: int = 2,
    gap: float = 1.5,
    lowest: float = 0.0,
    outcome: Outcome = "continuous",
    noise: Noise = "normal",
    draws: int | tuple[int, int] = 50,
    assignment: Assignment = "unit",
    propensity: float = 0.5,
    confounding: float = 0.0,
    image_sd: float = 0.0,
    region_sd: float = 0.0,
    covariate: float = 0.0,
    weight_spread: float = 0.0,
    spatial: float = 0.0,
    size: int = 32,
    test: int = 1000,
    seed: Any = 0,
) -> ImageSimulation:
    """Simulate a trial whose effect depends on a sign in the picture of each place.

    Parameters
    ----------
    units
        Number of units.
    images
        Number of pictures, each of which at least one unit has, the rest of the units
        being spread over them by chance; None for a picture of its own for each unit.
    clusters
        Number of signs: a square, a cross, a saltire and a diamond in that order.
    gap
        Effect in a cluster less that in the cluster before, on the scale of the linear
        predictor; not negative. At 0 there are signs, but no clusters of effects.
    lowest
        Effect in the first cluster.
    outcome
        ``"continuous"`` (predictor plus noise), ``"binary"`` (logit), ``"count"``
        (Poisson, log), ``"hurdle"`` (nonzero with the logistic chance of the predictor,
        and then 3 more than the continuous one), or ``"distribution"``: each unit has
        draws from a normal law with sd 1 around the continuous outcome, and the part of
        the effect due to the gap grows with the level u of the quantile as 3 u^2.
    noise
        ``"normal"``, ``"exponential"`` less its mean, or ``"student"`` with five
        degrees of freedom; standard deviation 1.
    draws
        Draws in a unit, or the least and the most, if the outcome is a distribution.
    assignment
        Whether units, pictures or regions (the squares of a 10 by 10 grid) are treated.
    propensity
        Chance of treatment where brightness is zero.
    confounding
        Log odds of treatment for each standard deviation of brightness.
    image_sd, region_sd
        Standard deviations of terms of the predictor shared by all units of a picture
        and of a region.
    covariate
        Coefficient of the standard normal column ``covariate`` in the predictor.
    weight_spread
        Standard deviation of the logarithm of the column ``weight``, which is
        independent of everything else.
    spatial
        From 0, clusters scattered over the map, to 1, clusters that are districts.
    size
        Height and width of pictures in pixels.
    test
        Number of fresh pictures, of other places.
    seed
        Integer or JAX key.

    Returns
    -------
    ImageSimulation
        Data, pictures, fresh pictures, truth, and arguments to pass on.

    Raises
    ------
    DesignError
        If a choice is unknown or a number is out of its range.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_image_effects(
    ...     200, images=50, clusters=3, gap=1.0, assignment="image", test=5
    ... )
    >>> sim.truth.effects.tolist(), sim.pictures.images.shape
    ([0.0, 1.0, 2.0], (50, 32, 32))
    >>> wages = dc.datasets.make_image_effects(20, outcome="distribution", test=5)
    >>> wages.truth.curves([0.1, 0.5, 0.9]).round(3).tolist()
    [[0.0, 0.0, 0.0], [0.045, 1.125, 3.645]]
    """
    trial = Trial(**locals())
    pictures = picture_set(trial, "trial")
    columns, image = assign(trial, pictures)
    potential, data = outcomes(trial, pictures, columns, image)
    truth = ImageTruth(
        cluster=pictures.cluster[image],
        effect=pictures.effect[image],
        potential=potential,
        effects=mean_effect(trial, trial.shifts, None),
        shifts=trial.shifts,
        stretch=outcome == "distribution",
    )
    return ImageSimulation(
        data=data,
        pictures=pictures,
        test=picture_set(trial, "test"),
        truth=truth,
        trial=trial,
    )
