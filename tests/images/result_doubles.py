"""Fits made up from draws of known laws, so that what they show is known beforehand.

Nothing is fitted and no image is read: features are two numbers per image, of which the
first decides the cluster, and held-out scores are those of `example_scores`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from distcausal.images.aipw import design_effects
from distcausal.images.compare import Comparison
from distcausal.images.engines import SVI, EngineFit
from distcausal.images.families import as_family
from distcausal.images.posterior import Posterior
from distcausal.images.result import ImageEffects
from distcausal.images.scores import Scores, example_scores
from distcausal.images.stages import Model
from distcausal.images.trial import Trial

UNITS, DRAWS = 240, 200


def fitted(
    *,
    gap: float = 1.5,
    clusters: int = 2,
    images: int = UNITS,
    outcomes: int = 1,
    engine: Any = None,
    course: int = 400,
    **settings: Any,
) -> ImageEffects:
    """Fit whose clusters differ by ``gap``; the third and later ones are empty."""
    rng = np.random.default_rng(7)
    image = np.arange(UNITS) % images
    trial = _trial(rng, image, outcomes)
    scores = _scores(gap, clusters, image, outcomes)
    keys = trial.keys
    posterior = _posterior(rng, trial.features, gap, clusters, outcomes)
    return ImageEffects(
        keys=keys,
        posterior=posterior,
        design=design_effects(scores),
        fit=_search(rng, course),
        trial=trial,
        scores=scores,
        plain=trial.features,
        expected=np.zeros((2, 3, UNITS, outcomes)),
        chance=np.full((3, UNITS), 0.5),
        encoder=SimpleNamespace(name="two numbers", moments=None),
        outcome=SimpleNamespace(scalar=outcomes == 1, size=outcomes),
        model=Model(
            clusters=clusters,
            family=as_family("normal"),
            variance="arm",
            latent_level="image",
            image_intercepts=None,
            ate_penalty=0.0,
            engine=SVI() if engine is None else engine,
        ),
        settings={"seed": 0, **settings},
    )


def comparison(selected: int = 2) -> Comparison:
    """Numbers of clusters, ``selected`` the first that is near enough to the best."""
    behind = np.array([30.0, 1.0 if selected == 2 else 9.0, 0.0, 2.0])
    return Comparison(
        clusters=np.arange(1, 5),
        gain=30.0 - behind,
        std_error=np.array([0.0, 12.0, 12.5, 12.5]),
        behind=behind,
        behind_error=np.array([6.5, 2.0, 0.0, 1.0]),
        bound=np.array([-130.0, -101.0, -100.0, -104.0]),
        waic=np.array([-125.0, -97.0, -95.0, -96.0]),
        p_value=np.array([np.nan, 1e-4, 1e-4, 2e-4]),
        selected=selected,
        settings={"folds": 5},
    )


def _trial(rng: np.random.Generator, image: np.ndarray, outcomes: int) -> Trial:
    count = int(image.max()) + 1
    units = len(image)
    return Trial(
        keys=np.array([f"place {number}" for number in range(count)]),
        image=image,
        ids=np.arange(units),
        outcome=rng.normal(size=(units, outcomes)),
        known_variance=np.zeros((units, outcomes)),
        treatment=rng.permutation(units) % 2,
        weights=1.0 + (np.arange(units) % 3 == 0),
        covariates=np.zeros((units, 0)),
        group=image,
        propensity=np.full(units, 0.5),
        features=rng.normal(size=(count, 2)),
    )


def _scores(gap: float, clusters: int, image: np.ndarray, outcomes: int) -> Scores:
    found = example_scores(gap=gap, units=len(image), group=image)
    found = found._replace(
        weights=1.0 + (np.arange(len(image)) % 3 == 0),
        score=found.score / np.arange(1, outcomes + 1),
        score_before=found.score_before / np.arange(1, outcomes + 1),
    )
    if clusters == 1:
        return found._replace(
            probs=np.ones_like(found.probs[..., :1]),
            probs_before=np.ones_like(found.probs[..., :1]),
        )
    empty = np.zeros((*found.fold.shape, clusters - 2))
    return found._replace(
        probs=np.concatenate([found.probs, empty], axis=2),
        probs_before=np.concatenate([found.probs_before, empty], axis=2),
    )


def _posterior(
    rng: np.random.Generator,
    features: np.ndarray,
    gap: float,
    clusters: int,
    outcomes: int,
) -> Posterior:
    slopes = np.arange(clusters) * np.array([[2.0], [0.0]])
    weights = slopes + 0.3 * rng.normal(size=(DRAWS, 2, clusters))
    centre = gap * np.arange(clusters)[:, None] + np.zeros(outcomes)
    bias = -2.5 * (np.arange(clusters) > 1) + 0.1 * rng.normal(size=(DRAWS, clusters))
    given = {
        "weights": weights,
        "bias": bias,
        "effects": centre + 0.1 * rng.normal(size=(DRAWS, clusters, outcomes)),
        "noise": np.ones((DRAWS, 2, clusters, outcomes)),
    }
    likely = np.eye(clusters)[rng.integers(clusters, size=len(features))]
    return Posterior(**given, responsibility=0.9 * likely + 0.1 / clusters)


def _search(rng: np.random.Generator, course: int) -> EngineFit:
    steps = np.arange(course)
    climb = -900 - 300 * np.exp(-steps / 30) + rng.normal(size=course)
    return EngineFit(
        draws=np.zeros((DRAWS, 3)),
        bound=np.array([-900.0, -901.5, -912.0]),
        course=climb,
        restarts=np.zeros((3, 3)),
        report={},
    )
