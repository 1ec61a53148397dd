"""Effects at places without a trial, and how far they can be believed.

The model gives memberships and effects for any image. Beside them stand the answers to
three questions that it does not ask itself: has the trial seen anything like this
image, how many of its units can stand in for the region, and what do their scores say
about the region's average once weighted to look like it.

Two things make an effect at one place uncertain. Parameters are known up to their
posterior, which more units would narrow; and an image leaves open which cluster a place
belongs to, which only better images would. Both are reported, never added up.

Images are gone through in blocks: draws times images are never held at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from distcausal._base.keys import Seed, seed_record
from distcausal._base.session import versions
from distcausal.errors import DataError, DesignError, InferenceWarning, warn_user
from distcausal.images.aipw import AverageEffect, influence
from distcausal.images.arguments import told
from distcausal.images.columns import read_coords
from distcausal.images.encoder import FittedEncoder
from distcausal.images.features import features as encode
from distcausal.images.keys import as_keys
from distcausal.images.novelty import Tilt, novelty, tilt
from distcausal.images.posterior import Posterior
from distcausal.images.scan import further_images
from distcausal.images.scores import Scores
from distcausal.images.transported import Transport
from distcausal.images.trial import Trial
from distcausal.numerics.band import check_confidence

__all__ = ["example_trial", "transport", "transport_features"]

_MANY = 0.05  # share of flagged images that a warning speaks of
_FEW = 30  # effective units below which the weighted estimate is not to be trusted


def transport(
    posterior: Posterior,
    encoder: FittedEncoder,
    trial: Trial,
    images: Any,
    *,
    keys: Any = None,
    scores: Scores | None = None,
    coords: Any = None,
    weights: Any = None,
    rule: str = "knn",
    threshold: float = 0.99,
    confidence: float = 0.95,
    seed: Seed = 0,
    progress: bool | None = None,
) -> Transport:
    """Effects at images outside the trial; arguments of `transport_features`.

    Parameters
    ----------
    encoder
        Fitted to the trial's images.
    images
        Array ``(image, height, width[, channel])`` or an `ImageSource`, read in
        batches.
    keys
        Images wanted; all if None.

    Raises
    ------
    DataError
        If one image is given alone, or images have another shape than in the trial or
        pixels another scale.
    """
    source = further_images(encoder, images)
    wanted = source.keys if keys is None else as_keys(keys)
    return transport_features(
        posterior,
        trial,
        encode(encoder, source, wanted, progress=progress),
        keys=wanted,
        scores=scores,
        coords=coords,
        weights=weights,
        rule=rule,
        threshold=threshold,
        confidence=confidence,
        seed=seed,
    )


def transport_features(
    posterior: Posterior,
    trial: Trial,
    features: np.ndarray,
    *,
    keys: Any = None,
    scores: Scores | None = None,
    coords: Any = None,
    weights: Any = None,
    rule: str = "knn",
    threshold: float = 0.99,
    confidence: float = 0.95,
    seed: Seed = 0,
) -> Transport:
    """Effects at images outside the trial, from their features.

    Parameters
    ----------
    posterior
        Draws of memberships and effects.
    trial
        The trial, with the features of its images.
    features
        Of the images asked about, ``(image, feature)``.
    keys
        Their labels; numbers if None.
    scores
        Held-out scores of the trial's units, for the average by design; None leaves it
        out.
    coords
        Place of each image, two finite numbers, ``(image, 2)``, such as longitude and
        latitude.
    weights
        Of the images in the average, such as populations, ``(image,)``.
    rule
        ``"knn"`` or ``"mahalanobis"``, how novelty is measured; see `novelty`.
    threshold
        Images whose novelty exceeds it are flagged.
    confidence
        Coverage of the intervals of single images, given the model.
    seed
        Decides which images of a large trial novelty is measured by.

    Returns
    -------
    Transport

    Warns
    -----
    InferenceWarning
        If more than a twentieth of the images are flagged; if fewer than 30 units of
        the trial carry the weight of the region and scores are given.

    Notes
    -----
    The average by design is for the images that are not flagged, and there is none if
    all are: units of the trial cannot stand for what is unlike them.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.transport import example_trial, transport_features
    >>> posterior, trial = example_trial()
    >>> found = transport_features(posterior, trial, np.array([[-1.0, 0], [1.0, 0]]))
    >>> found.mean.round(1)
    array([0., 1.])
    """
    check_confidence(confidence)
    labels, places, share = _checked(features, trial, keys, coords, weights)
    if not 0 < threshold < 1:
        raise DesignError(f"threshold {threshold!r} should lie between 0 and 1.")
    new = novelty(trial.features, features, rule=rule, seed=seed)
    flagged = new > threshold
    each = _each(posterior, features, share, ~flagged, confidence)
    inside = share * ~flagged
    region, effective = _stand_ins(trial, features, inside if inside.any() else share)
    _warn_flagged(flagged, threshold)
    reweighted = _reweighted(scores, trial, region) if inside.any() else None
    if reweighted is not None and effective < _FEW:
        _warn_few(effective, len(trial.ids))
    return Transport(
        keys=labels,
        coords=places,
        weights=share,
        probabilities=each.probabilities,
        mean=each.mean,
        std=each.std,
        conf_low=each.low,
        conf_high=each.high,
        spread=each.spread,
        novelty=new,
        flagged=flagged,
        average_draws=each.average,
        inside_draws=each.inside if inside.any() else None,
        reweighted=reweighted,
        overlap=region.factor,
        imbalance=region.imbalance,
        effective=effective,
        units=len(trial.ids),
        confidence=confidence,
        settings={
            "keys": told(keys),
            "coords": told(coords),
            "weights": told(weights),
            "rule": rule,
            "threshold": threshold,
            "confidence": confidence,
            "seed": seed_record(seed),
            "versions": versions(),
        },
    )


def _checked(
    features: np.ndarray, trial: Trial, keys: Any, coords: Any, weights: Any
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Keys, places and shares, one per image."""
    count, wide = len(features), trial.features.shape[1]
    if features.ndim != 2 or features.shape[1] != wide or not count:
        raise DataError(
            f"features should have shape (image, {wide}), as those of the trial; they "
            f"have {features.shape}. Encode the images with the trial's encoder."
        )
    labels = np.arange(count) if keys is None else as_keys(keys)
    given = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    fit = given.shape == (count,) and np.isfinite(given).all() and (given >= 0).all()
    if not fit or given.sum() == 0 or len(labels) != count:
        raise DataError(
            f"there are {count} images; keys and weights need one entry for each, and "
            "weights are nonnegative and not all zero. Drop images without weight."
        )
    places = None if coords is None else read_coords(coords, labels, "images")
    return labels, places, given / given.sum()


class _Each(NamedTuple):
    """What the model says of every image, and of their averages in every draw."""

    probabilities: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray
    average: np.ndarray
    inside: np.ndarray


def _each(
    posterior: Posterior,
    features: np.ndarray,
    share: np.ndarray,
    inside: np.ndarray,
    confidence: float,
) -> _Each:
    """Go through the images in blocks."""
    count = len(features)
    probabilities = np.empty((count, posterior.clusters))
    mean, std, low, high, spread = np.empty((5, count))
    average, within = np.zeros((2, posterior.draws))
    ends = (1 - confidence) / 2
    effects = posterior.effects[..., 0]
    for place, member in posterior.blocks(features):
        effect = np.einsum("sik,sk->si", member, effects)
        square = np.einsum("sik,sk->si", member, effects**2)
        probabilities[place] = member.mean(axis=0)
        mean[place], std[place] = effect.mean(axis=0), effect.std(axis=0)
        tails = np.quantile(effect, [ends, 1 - ends], axis=0)
        low[place], high[place] = tails
        open_ = np.maximum(square - effect**2, 0.0).mean(axis=0)
        spread[place] = np.sqrt(open_)
        average += effect @ share[place]
        within += effect @ (share[place] * inside[place])
    part = share @ inside
    return _Each(
        probabilities,
        mean,
        std,
        low,
        high,
        spread,
        average,
        within / part if part > 0 else within,
    )


def _stand_ins(
    trial: Trial, features: np.ndarray, target: np.ndarray
) -> tuple[Tilt, float]:
    """Weights that make the trial like a region, and how many units they amount to."""
    by_image = np.bincount(trial.image, trial.weights, len(trial.keys))
    region = tilt(trial.features, by_image, target @ features / target.sum())
    carried = trial.weights * region.factor[trial.image]
    return region, float(carried.sum() ** 2 / (carried**2).sum())


def _reweighted(
    scores: Scores | None, trial: Trial, region: Tilt
) -> AverageEffect | None:
    """Average score of the trial's units under the region's weights."""
    if scores is None:
        return None
    weights = scores.weights * region.factor[trial.image]
    found = influence(scores._replace(weights=weights))
    variance = float(found.covariance()[0, -1, -1])
    if not np.isfinite(variance):
        return None
    return AverageEffect(
        estimate=float(found.estimate[-1, 0]),
        std_error=float(np.sqrt(variance)),
        df=float(found.df[-1]),
    )


def _warn_flagged(flagged: np.ndarray, threshold: float) -> None:
    """Say aloud what would be extrapolation."""
    if flagged.mean() <= _MANY:
        return
    remedy = (
        "Ask about places more like those of the trial."
        if flagged.all()
        else "Look at `flagged`, and report averages without them."
    )
    warn_user(
        f"{int(flagged.sum())} of {len(flagged)} images are less like the images of "
        f"the trial than a share of {threshold:.4g} of those are like each other; "
        f"effects there are extrapolated. {remedy}",
        InferenceWarning,
    )


def _warn_few(effective: float, units: int) -> None:
    """Say that few units stand for the region."""
    warn_user(
        f"the region looks like few of the trial's units: weighted to its average "
        f"features, {units} units count as {effective:.1f}, and the reweighted average "
        "rests on those. Ask about a region more like the trial.",
        InferenceWarning,
    )


def example_trial(units: int = 300, seed: int = 0) -> tuple[Posterior, Trial]:
    """Trial whose effect is 1 where the first of two features is large, else 0."""
    from distcausal._base.keys import host_stream

    draw = host_stream(seed, "example trial")
    features = draw.normal(size=(units, 2))
    arm = draw.permutation(np.arange(units) % 2)
    outcome = arm * (features[:, 0] > 0) + 0.3 * draw.normal(size=units)
    number = np.arange(units)
    trial = Trial(
        keys=number,
        image=number,
        ids=number,
        outcome=outcome[:, None],
        known_variance=np.zeros((units, 1)),
        treatment=arm,
        weights=np.ones(units),
        covariates=np.zeros((units, 0)),
        group=number,
        propensity=np.full(units, 0.5),
        features=features,
    )
    weights = np.zeros((100, 2, 2))
    weights[:, 0, 1] = 4 + 0.3 * draw.normal(size=100)
    effects = np.array([0.0, 1.0]) + 0.05 * draw.normal(size=(100, 2))
    posterior = Posterior(
        weights=weights,
        bias=np.zeros((100, 2)),
        effects=effects[..., None],
        noise=np.full((100, 2, 2, 1), 0.3),
        responsibility=np.full((units, 2), 0.5),
    )
    return posterior, trial
