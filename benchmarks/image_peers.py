"""What others would try first on a trial with pictures: R-learners, forests, k-means.

All get the same features, or the leading components of the pixels. They know the chance
of treatment, one half, and take from the outcome its mean given the features, estimated
by ridge regression on other folds. The penalty of the R-learner is swept over a
hundredfold range and every value shown: no rule for choosing it does better than the
best of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from distcausal.numerics.agreement import adjusted_rand_index, area_under_curve, pehe

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
TREES = 200
FOLDS = 5
COMPONENTS = 50


class Trial(NamedTuple):
    """Features, outcome, treatment; features and truth of fresh pictures."""

    features: np.ndarray
    outcome: np.ndarray
    treatment: np.ndarray
    fresh: np.ndarray
    cluster: np.ndarray
    effect: np.ndarray


Scores = dict[str, float]


def scores(trial: Trial, effect: np.ndarray, label: np.ndarray) -> Scores:
    """Agreement with the truth on fresh pictures, of which `effect` is (picture,)."""
    return {
        "ARI": adjusted_rand_index(label, trial.cluster),
        "AUC": area_under_curve(trial.cluster == trial.cluster.max(), effect),
        "PEHE": pehe(effect, trial.effect),
    }


def two_means(train: np.ndarray, fresh: np.ndarray, seed: int) -> np.ndarray:
    """Cluster of fresh points by k-means with two centres, twenty starts."""
    from sklearn.cluster import KMeans

    points = train.reshape(len(train), -1)
    fit = KMeans(2, n_init=20, random_state=seed).fit(points)
    return fit.predict(fresh.reshape(len(fresh), -1))


def residuals(trial: Trial, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcome less its mean given features, and treatment less its chance."""
    fold = np.random.default_rng(seed).permutation(len(trial.outcome)) % FOLDS
    left = np.empty(len(trial.outcome))
    for held in range(FOLDS):
        inside = fold == held
        fitted = _ridge(trial.features[~inside], trial.outcome[~inside])
        left[inside] = trial.outcome[inside] - fitted(trial.features[inside])
    return left, trial.treatment - 0.5


def _ridge(features: np.ndarray, outcome: np.ndarray) -> Callable:
    """Ridge regression with the penalty that leave-one-out errors choose."""
    from sklearn.linear_model import RidgeCV

    return RidgeCV(np.logspace(-2, 3, 12)).fit(features, outcome).predict


def on_pixels(trial: Trial, images: np.ndarray, fresh: np.ndarray) -> Trial:
    """The same trial with leading components of the pixels in place of features."""
    from sklearn.decomposition import PCA

    flat = images.reshape(len(images), -1)
    axes = PCA(COMPONENTS, random_state=0).fit(flat)
    return trial._replace(
        features=axes.transform(flat),
        fresh=axes.transform(fresh.reshape(len(fresh), -1)),
    )


def r_learner(trial: Trial, seed: int) -> Iterator[tuple[str, Scores]]:
    """Effects linear in the features, with a ridge penalty not on their mean."""
    left, lever = residuals(trial, seed)

    def design(features: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(features)), features])

    rows = design(trial.features) * lever[:, None]
    gram, target = rows.T @ rows, rows.T @ left
    free = np.r_[0.0, np.ones(rows.shape[1] - 1)]
    for penalty in PENALTIES:
        slope = np.linalg.solve(gram + penalty * np.diag(free), target)
        effect = design(trial.fresh) @ slope
        label = two_means(design(trial.features) @ slope, effect, seed)
        yield f"penalty {penalty:g}", scores(trial, effect, label)


def forest(trial: Trial, seed: int) -> Iterator[tuple[str, Scores]]:
    """Honest causal forest of the package econml on residuals, then k-means."""
    grown = _grown(trial, seed, *residuals(trial, seed))
    effect = grown.predict(trial.fresh)[:, 0]
    label = two_means(grown.predict(trial.features)[:, 0], effect, seed)
    yield "", scores(trial, effect, label)


def _grown(trial: Trial, seed: int, left: np.ndarray, lever: np.ndarray) -> Any:
    from econml.grf import CausalForest

    grown = CausalForest(TREES, random_state=seed, n_jobs=1, inference=False)
    return grown.fit(trial.features, lever, left)


def forest_kernel(trial: Trial, seed: int) -> Iterator[tuple[str, Scores]]:
    """Spectral clusters of pictures that share leaves of a causal forest.

    A fresh picture joins the cluster whose members share its leaves most often, and has
    the effect of that cluster's residuals.
    """
    from sklearn.cluster import SpectralClustering

    left, lever = residuals(trial, seed)
    grown = _grown(trial, seed, left, lever)
    seen, fresh = (grown.apply(part) for part in (trial.features, trial.fresh))

    def kernel(rows: np.ndarray) -> np.ndarray:
        shared = np.zeros((len(rows), len(seen)))
        for one, two in zip(rows.T, seen.T, strict=True):
            shared += one[:, None] == two
        return shared / seen.shape[1]

    split = SpectralClustering(2, affinity="precomputed", random_state=seed)
    member = np.eye(2)[split.fit_predict(kernel(seen))]
    label = np.argmax(kernel(fresh) @ member / member.sum(axis=0), axis=1)
    effects = member.T @ (left * lever) / (member.T @ lever**2)
    yield "", scores(trial, effects[label], label)


def unsupervised(trial: Trial, seed: int) -> Iterator[tuple[str, Scores]]:
    """k-means on the features, which never sees an outcome."""
    label = two_means(trial.features, trial.fresh, seed)
    yield "", {"ARI": adjusted_rand_index(label, trial.cluster)}
