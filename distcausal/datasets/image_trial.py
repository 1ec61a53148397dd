"""Stages of a simulated trial in pictured places: map, pictures, treatment, outcomes.

Each stage draws from a stream of its own, so that a trial with another gap or another
outcome has the same pictures, places and treatment. Means of outcomes follow from the
linear predictor alone; the effects that count as true are integrals over what of the
predictor the picture does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.datasets.image_shapes import (
    BRIGHTNESS_SD,
    REACH,
    SIGNS,
    draw_pictures,
)
from distcausal.datasets.simulation import generator
from distcausal.errors import DesignError, check_choice

__all__ = [
    "Assignment",
    "Noise",
    "Outcome",
    "PictureSet",
    "Trial",
    "assign",
    "mean_effect",
    "outcomes",
    "picture_set",
    "tail",
]

Outcome = Literal["continuous", "binary", "count", "hurdle", "distribution"]
Noise = Literal["normal", "exponential", "student"]
Assignment = Literal["unit", "image", "region"]
BRIGHTNESS_EFFECT = 0.7
GRID = 10  # regions are the squares of a 10 by 10 grid over the map
FLOOR = 3.0  # mean of an outcome that is not zero, where a hurdle has to be taken
STUDENT_DF = 5
WAVES, LENGTH = 40, 0.25
# Means of smooth functions of a normal variable: at the sd near 1 of the hardest trials
# fewer nodes would move the twelfth digit.
NODES = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureSet:
    """Pictures of places and what is true of them.

    Attributes
    ----------
    images
        Shape ``(image, height, width)``, float32.
    keys
        Name of each picture, shape ``(image,)``.
    coordinates
        Position of each place on a map, east and north in (0, 1), shape ``(image, 2)``.
    cluster
        Effect cluster of each picture, 0, 1, ... by increasing effect.
    effect
        Mean effect on the outcome of units in each place given its picture, shape
        ``(image,)``.
    brightness
        What else in the picture matters to outcomes, shape ``(image,)``.
    """

    images: np.ndarray
    keys: np.ndarray
    coordinates: np.ndarray
    cluster: np.ndarray
    effect: np.ndarray
    brightness: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Arguments of `make_image_effects`, which see, and what follows from them."""

    units: int
    images: int | None
    clusters: int
    gap: float
    lowest: float
    outcome: Outcome
    noise: Noise
    draws: int | tuple[int, int]
    assignment: Assignment
    propensity: float
    confounding: float
    image_sd: float
    region_sd: float
    covariate: float
    weight_spread: float
    spatial: float
    size: int
    test: int
    seed: Any

    def __post_init__(self) -> None:
        """Refuse numbers out of their range."""
        check_choice("outcome", self.outcome, get_args(Outcome))
        check_choice("noise", self.noise, get_args(Noise))
        check_choice("assignment", self.assignment, get_args(Assignment))
        least, most = self.sizes
        rules = (
            ("units", self.units >= 2, "be at least 2"),
            ("images", 1 <= self.pictures <= self.units, "be from 1 to units"),
            ("clusters", 1 <= self.clusters <= len(SIGNS), "be from 1 to 4"),
            ("gap", self.gap >= 0, "not be negative: clusters are ordered by effect"),
            ("draws", 1 <= least <= most, "be positive, or the least and the most"),
            ("propensity", 0 < self.propensity < 1, "lie in (0, 1)"),
            ("image_sd", self.image_sd >= 0, "not be negative"),
            ("region_sd", self.region_sd >= 0, "not be negative"),
            ("weight_spread", self.weight_spread >= 0, "not be negative"),
            ("spatial", 0 <= self.spatial <= 1, "lie in [0, 1]"),
            ("size", self.size > 2 * REACH, f"be at least {2 * REACH + 1} pixels"),
            ("test", self.test >= 0, "not be negative"),
        )
        for name, kept, rule in rules:
            if not kept:
                raise DesignError(f"{name}={getattr(self, name)} should {rule}.")

    @property
    def pictures(self) -> int:
        """Number of pictures in the trial."""
        return self.units if self.images is None else self.images

    @property
    def sizes(self) -> tuple[int, int]:
        """Least and most draws in a unit."""
        return (self.draws,) * 2 if isinstance(self.draws, int) else self.draws

    @property
    def shifts(self) -> np.ndarray:
        """Effect in each cluster on the scale of the predictor, ``(cluster,)``."""
        return self.lowest + self.gap * np.arange(self.clusters)

    @property
    def shared_sd(self) -> float:
        """Spread of what is in the predictor and not in the picture."""
        parts = [self.image_sd, self.region_sd, self.covariate]
        return float(np.linalg.norm(parts))

    def stream(self, stage: str) -> np.random.Generator:
        """Generator of a named stage."""
        return generator(self.seed, f"make_image_effects {stage}")


def tail(levels: np.ndarray) -> np.ndarray:
    """How an effect on the upper tail grows with the level; averages to one."""
    return 3 * levels**2


def mean_effect(
    trial: Trial, shift: np.ndarray, brightness: np.ndarray | None
) -> np.ndarray:
    """Mean effect of a shift of the predictor given brightness, or over all pictures.

    Parameters
    ----------
    trial
        Gives the kind of outcome and the spread of what is integrated out.
    shift
        Effect on the predictor, shape ``(picture,)``, or any shape without brightness.
    brightness
        Shape ``(picture,)``; None to integrate it out as well.
    """
    if trial.outcome in ("continuous", "distribution"):
        return np.asarray(shift, np.float64)
    node, mass = np.polynomial.hermite_e.hermegauss(NODES)
    spread, level = trial.shared_sd, 0.0 if brightness is None else brightness
    if brightness is None:
        spread = float(np.hypot(spread, BRIGHTNESS_EFFECT * BRIGHTNESS_SD))
    before = np.expand_dims(BRIGHTNESS_EFFECT * np.asarray(level), -1) + spread * node
    after = before + np.expand_dims(shift, -1)
    gain = _mean(trial.outcome, after) - _mean(trial.outcome, before)
    return gain @ (mass / mass.sum())


def _mean(outcome: Outcome, predictor: np.ndarray) -> np.ndarray:
    """Mean outcome at each value of the linear predictor."""
    from scipy.special import expit

    if outcome == "binary":
        return expit(predictor)
    if outcome == "count":
        return np.exp(predictor)
    if outcome == "hurdle":
        return expit(predictor) * (FLOOR + predictor)
    return predictor


def picture_set(trial: Trial, stage: Literal["trial", "test"]) -> PictureSet:
    """Draw the places of the trial, or fresh ones of the same map, and their pictures.

    Keys of pictures differ from their positions, so that taking one for the other
    shows.
    """
    from scipy.special import ndtr

    count, first = trial.pictures, 1
    if stage == "test":
        count, first = trial.test, trial.pictures + 1
    rng = trial.stream(f"pictures {stage}")
    place = rng.uniform(size=(count, 2))
    own = rng.standard_normal(count)
    score = np.sqrt(1 - trial.spatial**2) * own + trial.spatial * _relief(trial, place)
    cluster = np.minimum(trial.clusters * ndtr(score), trial.clusters - 1).astype(int)
    images, brightness = draw_pictures(rng, cluster, trial.size)
    return PictureSet(
        images=images,
        keys=10 * np.arange(first, first + count),
        coordinates=place,
        cluster=cluster,
        effect=mean_effect(trial, trial.shifts[cluster], brightness),
        brightness=brightness,
    )


def _relief(trial: Trial, place: np.ndarray) -> np.ndarray:
    """Smooth random field over the map with mean 0 and sd 1, shape ``(place,)``."""
    rng = trial.stream("map")
    wave = rng.standard_normal((2, WAVES)) / LENGTH
    phase = rng.uniform(0, 2 * np.pi, WAVES)

    def height(at: np.ndarray) -> np.ndarray:
        return np.cos(at @ wave + phase).sum(axis=1)

    across = (np.arange(3 * GRID) + 0.5) / (3 * GRID)
    whole = height(np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2))
    return (height(place) - whole.mean()) / whole.std()


def assign(
    trial: Trial, pictures: PictureSet
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Place units in pictures and treat some; columns, and each unit's picture."""
    from scipy.special import expit, logit

    rng = trial.stream("units")
    count = trial.pictures
    image = np.arange(count)
    if trial.images is not None:
        extra = rng.integers(0, count, trial.units - count)
        image = rng.permutation(np.concatenate([image, extra]))
    place = pictures.coordinates[image]
    region = (GRID * place).astype(int) @ np.array([1, GRID])
    blocks = {"unit": np.arange(trial.units), "image": image, "region": region}
    block = blocks[trial.assignment]
    sizes = np.maximum(np.bincount(block), 1)
    light = np.bincount(block, pictures.brightness[image]) / sizes / BRIGHTNESS_SD
    chance = expit(logit(trial.propensity) + trial.confounding * light)
    treated = rng.uniform(size=chance.size) < chance
    columns = {
        "treatment": treated[block].astype(int),
        "propensity": chance[block],
        "place": pictures.keys[image],
        "region": region,
        "east": place[:, 0],
        "north": place[:, 1],
        "covariate": rng.standard_normal(trial.units),
        "weight": np.exp(trial.weight_spread * rng.standard_normal(trial.units)),
    }
    if trial.images is None:
        columns["image"] = pictures.images
    return columns, image


def outcomes(
    trial: Trial,
    pictures: PictureSet,
    columns: dict[str, np.ndarray],
    image: np.ndarray,
) -> tuple[np.ndarray, RandomDistributions]:
    """Outcomes without and with treatment, and the data that show one of them."""
    rng = trial.stream("outcomes")
    predictor = (
        BRIGHTNESS_EFFECT * pictures.brightness[image]
        + trial.image_sd * rng.standard_normal(trial.pictures)[image]
        + trial.region_sd * rng.standard_normal(GRID**2)[columns["region"]]
        + trial.covariate * columns["covariate"]
    )
    shift = trial.shifts[pictures.cluster[image]]
    treated = columns["treatment"]
    if trial.outcome == "distribution":
        values, owner, potential = _laws(trial, rng, predictor, shift)
        shown = np.where(treated[owner] == 1, *values[::-1])
        cuts = np.searchsorted(owner, np.arange(1, trial.units))
        samples = np.split(shown, cuts)
        return potential, RandomDistributions.from_samples(samples, columns=columns)
    potential = _draw(trial, rng, np.stack([predictor, predictor + shift], axis=1))
    shown = np.take_along_axis(potential, treated[:, None], axis=1)
    columns = {**columns, "outcome": shown[:, 0]}
    return potential, RandomDistributions.from_samples(shown, columns=columns)


def _laws(
    trial: Trial, rng: np.random.Generator, predictor: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws of each unit untreated and treated, their unit, and their means.

    A draw at level u of a unit's law moves by the effect on that quantile; the effect
    increases with the level, so that draws keep their order.
    """
    from scipy.special import ndtri

    least, most = trial.sizes
    _, level = rng.uniform(size=(2, trial.units))  # as scalar outcomes draw theirs
    centre = predictor + _noise(trial.noise, level)
    sizes = rng.integers(least, most + 1, trial.units)
    owner = np.repeat(np.arange(trial.units), sizes)
    level = rng.uniform(size=owner.size)
    untreated = centre[owner] + ndtri(level)
    gain = trial.lowest + (shift - trial.lowest)[owner] * tail(level)
    values = np.stack([untreated, untreated + gain])
    totals = [np.bincount(owner, arm) for arm in values]
    return values, owner, np.stack(totals, axis=1) / sizes[:, None]


def _draw(trial: Trial, rng: np.random.Generator, predictor: np.ndarray) -> np.ndarray:
    """Draw outcomes at each predictor, shape ``(unit, arm)``.

    Both arms share their noise, except that counts of the two are independent.
    """
    from scipy.special import expit

    if trial.outcome == "count":
        return rng.poisson(np.exp(predictor)).astype(np.float64)
    luck, level = rng.uniform(size=(2, trial.units))[..., None]
    if trial.outcome == "binary":
        return (luck < expit(predictor)).astype(np.float64)
    value = predictor + _noise(trial.noise, level)
    if trial.outcome == "hurdle":
        return np.where(luck < expit(predictor), FLOOR + value, 0.0)
    return value


def _noise(kind: Noise, level: np.ndarray) -> np.ndarray:
    """Quantiles of a law with mean 0 and sd 1."""
    from scipy.special import ndtri, stdtrit

    if kind == "exponential":
        return -np.log1p(-level) - 1
    if kind == "student":
        return np.sqrt(1 - 2 / STUDENT_DF) * stdtrit(STUDENT_DF, level)
    return ndtri(level)
