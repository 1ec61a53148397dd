"""The three stages of an estimate: encode the images, fit the model, judge by design.

Each takes checked arrays and gives arrays; the model never sees which fold a unit is
in, and the design layer never sees the model's posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from distcausal._base.keys import Seed
from distcausal.errors import (
    DataWarning,
    DesignError,
    IdentificationError,
    listing,
    warn_user,
)
from distcausal.images.aipw import AverageEffect, aipw_scores, pooled
from distcausal.images.check import Asked
from distcausal.images.engines import Engine, EngineFit, Problem, starts
from distcausal.images.family import Family
from distcausal.images.folds import make_folds
from distcausal.images.model import Layout
from distcausal.images.nuisance import (
    Learner,
    Propensities,
    outcome_regressions,
    propensities,
)
from distcausal.images.scores import Scores
from distcausal.images.trial import (
    Trial,
    evidence_of,
    groups_of,
    lane_of,
    layout_of,
    ridge_direction,
)

__all__ = [
    "Encoded",
    "Model",
    "Scored",
    "average",
    "check_size",
    "encode",
    "judge",
    "layout_for",
    "posterior_fit",
    "problem_of",
    "score",
]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What the user chose about the model; see `distcausal.image_effects`.

    Attributes
    ----------
    clusters, family, variance, latent_level, image_intercepts, ate_penalty, engine
        As given, words resolved.
    """

    clusters: int
    family: Family
    variance: str
    latent_level: str
    image_intercepts: bool | None
    ate_penalty: float
    engine: Engine


class Encoded(NamedTuple):
    """Images as numbers.

    Attributes
    ----------
    trial
        The trial with the features of its images.
    encoder
        What turns further images into features.
    plain
        Features that no outcome has had a part in, for regressions, ``(image, D)``.
    retrain
        For encoders that learn from outcomes: features of all images from some units.
    """

    trial: Trial
    encoder: Any
    plain: np.ndarray
    retrain: Callable[[np.ndarray], np.ndarray] | None


class Scored(NamedTuple):
    """What is known without rules and without the model's likelihood.

    Attributes
    ----------
    fold
        Shape ``(split, unit)``.
    expected
        Cross-fitted outcomes of both arms, ``(2, split, unit, outcome)``.
    chance
        Probabilities of treatment.
    other, before
        Scores by fits to the other folds, and to earlier ones, ``(split, unit,
        outcome)``.
    """

    fold: np.ndarray
    expected: np.ndarray
    chance: Propensities
    other: np.ndarray
    before: np.ndarray


def encode(
    asked: Asked, encoder: Any, model: Model, cache: Any, seed: Seed, progress: Any
) -> Encoded:
    """Features of the images that units have, and groups joined by equal images.

    The caller's bar covers it; training a network shows one of its own.
    """
    from distcausal.images.features import fit_features
    from distcausal.images.random_conv import RandomConvFeatures

    supervised = hasattr(encoder, "train")
    first = RandomConvFeatures() if supervised else encoder
    fitted, plain = fit_features(
        first,
        asked.source,
        asked.trial.keys,
        seed=seed,
        cache=cache,
        progress=False,
    )
    trial = _joined(asked, plain)
    if not supervised:
        return Encoded(trial, fitted, plain, None)
    layout = layout_for(trial, model)

    def learn(weights: np.ndarray) -> Any:
        return encoder.train(
            asked.source, trial, layout, weights, seed=seed, progress=progress
        )

    def retrain(weights: np.ndarray) -> np.ndarray:
        return _encoded(learn(weights), asked)

    fitted = learn(trial.weights)
    trial = trial.with_features(_encoded(fitted, asked))
    return Encoded(trial, fitted, plain, retrain)


def _encoded(fitted: Any, asked: Asked) -> np.ndarray:
    from distcausal.images.features import features

    return features(fitted, asked.source, asked.trial.keys, progress=False)


def _joined(asked: Asked, features: np.ndarray) -> Trial:
    """Trial in which images that are copies of each other are in one group.

    Only images with equal features can be copies, so few have to be read again. Where
    all are copies of one, or images were left blank, they join nobody.
    """
    trial = asked.trial
    own = np.arange(len(trial.keys))
    copy, blank = _copies(asked, features)
    if (alike := np.count_nonzero(copy != own)) == len(own) - 1 and alike:
        # One picture everywhere is no picture: it cannot say which units go together.
        copy = own
        warn_user(
            f"all {len(copy)} images are copies of one under different keys, so they "
            "say nothing about units: groups are those of image_key and cluster= "
            "alone. Name what is not independent with cluster=.",
            DataWarning,
        )
    elif blank.any():
        copy = np.where(blank, own, copy)
        warn_user(
            f"{np.count_nonzero(blank)} of {len(copy)} images are blank, of one value "
            f"throughout ({listing(trial.keys[blank].tolist())}): units there count as "
            "places of their own, with one prediction for all. Leave them out, or name "
            "what is not independent with cluster=.",
            DataWarning,
        )
    if copies := trial.keys[copy != own].tolist():
        warn_user(
            f"{len(copies)} of {len(copy)} images are copies of others under another "
            f"key ({listing(copies)}). Their units stay in one fold and one group; "
            "give them one image_key if they are one place.",
            DataWarning,
        )
    group = groups_of(trial.keys, trial.image, copy, asked.cluster)
    return replace(trial, features=features, group=group)


def _copies(asked: Asked, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First image with the same pixels, and whether several are blank, ``(image,)``."""
    from distcausal.images.scan import duplicates, first_copies

    keys = asked.trial.keys
    copy, blank = np.arange(len(keys)), np.zeros(len(keys), bool)
    alike = first_copies(features) if features.shape[1] else np.zeros_like(copy)
    count = np.bincount(alike, minlength=len(copy))
    suspects = np.flatnonzero(count[alike] > 1)
    if not suspects.size:
        return copy, blank
    chosen: Any = _Some(asked.source, keys[suspects])
    copy[suspects] = suspects[duplicates(chosen)]
    repeated = np.unique(copy[copy != np.arange(len(copy))])
    for place in repeated:
        picture = asked.source.get(keys[[place]])[0]
        blank[copy == place] = (picture == picture[(0,) * (picture.ndim - 1)]).all()
    return copy, blank


class _Some:
    """Some of the images of a source, under the same keys."""

    def __init__(self, source: Any, keys: np.ndarray) -> None:
        self._source, self.keys = source, keys
        self.shape, self.dtype = source.shape, source.dtype

    def get(self, keys: Any) -> np.ndarray:
        """Images of the keys."""
        return self._source.get(keys)

    def __len__(self) -> int:
        return len(self.keys)


def layout_for(trial: Trial, model: Model, clusters: int | None = None) -> Layout:
    """Static shapes of the model; random intercepts where images are shared."""
    wanted = model.image_intercepts
    unit = model.latent_level == "unit"
    possible = model.family.gaussian and not unit
    if wanted and not possible:
        raise DesignError(
            "image_intercepts have a closed form only for normal noise and clusters of "
            "images; leave them out, or use family='normal' and latent_level='image'. "
            "The design-based intervals are clustered by image in any case."
        )
    intercepts = possible and trial.shared if wanted is None else bool(wanted)
    return layout_of(
        trial,
        model.clusters if clusters is None else clusters,
        model.family,
        model.variance,
        model.latent_level,
        intercepts,
    )


def check_size(trial: Trial, clusters: int) -> None:
    """Raise unless there are images enough for the clusters, and they differ."""
    images = len(trial.keys)
    if clusters > 1 and images < 2 * clusters:
        raise DesignError(
            f"{images} images cannot be told into {clusters} clusters; at least "
            f"{2 * clusters} are needed. Ask for fewer clusters."
        )
    same = trial.features.shape[1] == 0 or np.ptp(trial.features, axis=0).max() == 0
    if clusters > 1 and same:
        raise IdentificationError(
            f"all {images} images have the same features, so no image can tell one "
            "cluster from another. Use clusters=1, or another encoder."
        )


def problem_of(
    trial: Trial, layout: Layout, model: Model, ate: AverageEffect, seed: Seed
) -> Problem:
    """The main fit: all units, several starts."""
    penalty = (0.0, 1.0, 0.0)  # an average without an error must not touch the model
    if model.ate_penalty > 0:
        penalty = (ate.estimate, ate.std_error**2, model.ate_penalty)
    lane = lane_of(trial, trial.weights, layout.clusters, layout, penalty)
    way = ridge_direction(trial, trial.weights)
    first = starts(way, lane, layout, model.engine.restarts, seed)
    return Problem(evidence_of(trial, layout), lane, layout, first)


def posterior_fit(
    trial: Trial, model: Model, ate: AverageEffect, seed: Seed
) -> tuple[EngineFit, Any]:
    """Run the engine, under the caller's bar, and translate its draws."""
    from distcausal.images.posterior import posterior_of

    layout = layout_for(trial, model)
    problem = problem_of(trial, layout, model, ate, seed)
    fit = model.engine.fit(problem, seed=seed, progress=False)
    images = len(trial.image) if layout.alone else len(trial.keys)
    posterior = posterior_of(fit.draws, problem.evidence, problem.lane, layout, images)
    return fit, posterior


def score(
    encoded: Encoded, folds: int, splits: int, learner: Learner | None, seed: Seed
) -> Scored:
    """Deal folds and cross-fit regressions, probabilities and scores."""
    trial = encoded.trial
    fold = make_folds(
        trial.group, trial.treatment, folds, splits, seed, weights=trial.weights
    )
    features = encoded.plain[trial.image]
    covariates = trial.covariates if trial.covariates.shape[1] else None
    expected = outcome_regressions(
        trial.outcome,
        trial.treatment,
        features,
        fold,
        weights=trial.weights,
        group=trial.group,
        covariates=covariates,
        learner=learner,
    )
    known = trial.propensity is not None
    chance = propensities(
        trial.treatment,
        fold,
        weights=trial.weights,
        group=trial.group,
        known=trial.propensity,
        features=None if known else features,
        covariates=None if known else covariates,
    )
    both = zip(
        (expected.other, expected.before), (chance.other, chance.before), strict=True
    )
    other, before = (
        aipw_scores(trial.outcome, trial.treatment, mu, e) for mu, e in both
    )
    return Scored(fold, expected.other, chance, other, before)


def average(trial: Trial, scored: Scored) -> AverageEffect:
    """Average effect of all units on the first outcome, by design."""
    nobody = np.zeros((*scored.fold.shape, 0))
    found = pooled(nobody, scored.other, trial.weights, trial.group)
    error = np.sqrt(found.covariance()[0, -1, -1])
    return AverageEffect(
        estimate=float(found.estimate[-1, 0]),
        std_error=float(error),
        df=float(found.df[-1]),
    )


def judge(
    encoded: Encoded, model: Model, scored: Scored, effects: np.ndarray, seed: Seed
) -> Scores:
    """Cross-fit the rules that units are judged by.

    ``effects`` are those of a fit to all units, ``(cluster, outcome)``; where outcomes
    are curves, whose means may be tied, they say which cluster of a fold is which.
    """
    from distcausal.images.crossfit import fold_rules

    trial = encoded.trial
    rules = fold_rules(
        trial,
        layout_for(trial, model),
        model.clusters,
        scored.fold,
        seed,
        retrain=encoded.retrain,
        like=effects if effects.shape[1] > 1 else None,
    )
    return Scores(
        fold=scored.fold,
        probs=rules.probs,
        effect=rules.effect,
        score=scored.other,
        probs_before=rules.probs_before,
        effect_before=rules.effect_before,
        score_before=scored.before,
        weights=trial.weights,
        group=trial.group,
    )
