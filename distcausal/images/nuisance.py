"""Outcome regressions and propensities, each judged on units it has not seen.

A doubly robust score needs the expected outcome of both arms and the probability of
treatment at every unit, from a fit to other units. Regressions are ridges on the image
features, which keep the scale the encoder gave them (it acts as a prior), and on
covariates in standard deviations; propensities, where the design does not fix them, are
logistic ridges whose penalty is that of the linear one.

Every prediction comes twice: from all other folds, and from earlier folds alone, as
`Scores` explains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from distcausal.errors import (
    DataError,
    DesignError,
    InferenceWarning,
    listing,
    warn_user,
)
from distcausal.images.ridge import RidgeFits, fold_sums, ridge, training_sums

__all__ = [
    "Learner",
    "Propensities",
    "Regressions",
    "outcome_regressions",
    "propensities",
    "regressors",
]

Learner = Callable[
    [np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]
]
TRIM = 0.01
_STEPS, _STILL = 25, 1e-8  # Newton's steps, and the one that ends them


class Regressions(NamedTuple):
    """Predicted outcomes, axes ``(arm, split, unit, outcome)``.

    Attributes
    ----------
    other
        From all other folds.
    before
        From earlier folds; NaN for units of fold 0.
    """

    other: np.ndarray
    before: np.ndarray


class Propensities(NamedTuple):
    """Probabilities of treatment, axes ``(split, unit)``.

    Attributes
    ----------
    other, before
        As in `Regressions`.
    trimmed
        Number of units whose probability was moved to the bound in some split.
    estimated
        Whether they were estimated from the data.
    """

    other: np.ndarray
    before: np.ndarray
    trimmed: int
    estimated: bool


def regressors(
    features: np.ndarray, covariates: np.ndarray | None, weights: np.ndarray
) -> np.ndarray:
    """Features as they are beside covariates in standard deviations.

    Columns are centred at their weighted mean; covariates without spread are left out,
    for a constant says nothing. Shape ``(unit, column)``.
    """
    share = weights / weights.sum()
    parts = [features - share @ features]
    if covariates is not None and covariates.shape[1]:
        centred = covariates - share @ covariates
        spread = np.sqrt(share @ centred**2)
        size = np.abs(covariates).max(axis=0)
        varies = spread > 1e-12 * size
        parts.append(centred[:, varies] / spread[varies])
    return np.concatenate(parts, axis=1)


def outcome_regressions(
    outcome: np.ndarray,
    treatment: np.ndarray,
    features: np.ndarray,
    fold: np.ndarray,
    *,
    weights: np.ndarray,
    group: np.ndarray,
    covariates: np.ndarray | None = None,
    learner: Learner | None = None,
) -> Regressions:
    """Predict the outcome of both arms at every unit, by fits to other folds.

    Parameters
    ----------
    outcome
        Shape ``(unit, outcome)``.
    treatment
        0 or 1, shape ``(unit,)``.
    features, covariates
        Shapes ``(unit, feature)`` and ``(unit, covariate)``, numbers.
    fold
        As `make_folds` gives it, shape ``(split, unit)``.
    weights, group
        Shape ``(unit,)``.
    learner
        Takes columns ``(row, column)``, outcomes ``(row, outcome)`` and weights
        ``(row,)`` of the units to learn from, and returns a function from columns to
        predictions ``(row, outcome)``. Ridge regression if None.

    Returns
    -------
    Regressions

    Raises
    ------
    DesignError
        If a learner returns predictions of another shape, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.nuisance import outcome_regressions
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> w, fold = np.tile([0, 1], 20), np.tile([[0, 0, 1, 1]], (1, 10))
    >>> fits = outcome_regressions(
    ...     x + w[:, None], w, x, fold, weights=np.ones(40), group=np.arange(40)
    ... )
    >>> bool(np.allclose(fits.other[1] - fits.other[0], 1, atol=0.01))
    True
    """
    columns = regressors(features, covariates, weights)
    arms = [np.where(treatment == arm, weights, 0.0) for arm in (0, 1)]
    if learner is not None:
        return _learned(learner, columns, outcome, arms, fold)
    found = []
    for weight in arms:
        sums = fold_sums(columns, outcome, fold, weight, group)
        for earlier in (False, True):
            fits = ridge(training_sums(sums, earlier=earlier))
            found.append(_predicted(fits, columns, fold))
    other, before = np.stack(found[::2]), np.stack(found[1::2])
    before[:, fold == 0] = np.nan
    return Regressions(other, before)


def _predicted(fits: RidgeFits, columns: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predictions at the units of each fold, shape ``(split, unit, response)``."""
    found = np.empty((*fold.shape, fits.intercept.shape[-1]))
    for split, label in enumerate(fold):
        for number in range(fits.intercept.shape[1]):
            inside = np.flatnonzero(label == number)
            found[split, inside] = fits.predict(columns[inside], (split, number))
    return found


def _learned(
    learner: Learner,
    columns: np.ndarray,
    outcome: np.ndarray,
    arms: list[np.ndarray],
    fold: np.ndarray,
) -> Regressions:
    """Predictions of a user's learner, one fit per split, fold and arm."""
    other = np.full((2, *fold.shape, outcome.shape[1]), np.nan)
    before = np.full_like(other, np.nan)
    last = int(fold.max())
    for split, label in enumerate(fold):
        for number in range(last + 1):
            inside = label == number
            for arm, weight in enumerate(arms):
                found = _one_fit(
                    learner, columns, outcome, weight, label != number, inside
                )
                other[arm, split, inside] = found
                if 0 < number < last:
                    found = _one_fit(
                        learner, columns, outcome, weight, label < number, inside
                    )
                if number:
                    before[arm, split, inside] = found
    return Regressions(other, before)


def _one_fit(
    learner: Learner,
    columns: np.ndarray,
    outcome: np.ndarray,
    weight: np.ndarray,
    part: np.ndarray,
    inside: np.ndarray,
) -> np.ndarray:
    train = part & (weight > 0)
    try:
        predict = learner(columns[train], outcome[train], weight[train])
        found = np.asarray(predict(columns[inside]), dtype=float)
    except Exception as error:
        error.add_note(
            f"while outcome_learner learnt from {int(train.sum())} units of one arm to "
            f"predict {int(inside.sum())} others"
        )
        raise
    want = (int(inside.sum()), outcome.shape[1])
    if found.shape == want[:1] and want[1] == 1:
        found = found[:, None]
    if found.shape != want or not np.isfinite(found).all():
        raise DesignError(
            f"outcome_learner should predict finite numbers of shape {want}; it gave "
            f"shape {found.shape} with {int((~np.isfinite(found)).sum())} not finite."
        )
    return found


def propensities(
    treatment: np.ndarray,
    fold: np.ndarray,
    *,
    weights: np.ndarray,
    group: np.ndarray,
    known: float | np.ndarray | None = None,
    features: np.ndarray | None = None,
    covariates: np.ndarray | None = None,
    trim: float = TRIM,
) -> Propensities:
    """Probabilities of treatment: as the design has them, or estimated.

    Parameters
    ----------
    treatment
        0 or 1, shape ``(unit,)``.
    fold
        Shape ``(split, unit)``.
    weights, group
        Shape ``(unit,)``.
    known
        The probability by design, a number or shape ``(unit,)``; None to estimate.
    features, covariates
        What an estimate may depend on; with neither, the share treated in the folds
        learnt from.
    trim
        Probabilities below it or above one less it are moved there, with a warning
        that counts them.

    Returns
    -------
    Propensities

    Raises
    ------
    DataError
        If a known probability is not strictly between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.nuisance import propensities
    >>> w, fold = np.tile([0, 1], 20), np.tile([[0, 0, 1, 1]], (1, 10))
    >>> propensities(
    ...     w, fold, weights=np.ones(40), group=np.arange(40), known=0.5
    ... ).other[0, 0]
    np.float64(0.5)
    """
    if not 0 <= trim < 0.5:
        raise DesignError(f"trim should be at least 0 and below 0.5; got {trim!r}.")
    if known is not None:
        other = np.broadcast_to(_checked(known, len(treatment)), fold.shape).copy()
        before = other.copy()
    else:
        given = np.zeros((len(treatment), 0)) if features is None else features
        columns = regressors(given, covariates, weights)
        other, before = _estimated(columns, treatment, fold, weights, group)
    before[fold == 0] = np.nan
    outside = (other < trim) | (other > 1 - trim)
    outside |= (before < trim) | (before > 1 - trim)
    trimmed = int(outside.any(axis=0).sum())
    if trimmed:
        warn_user(
            f"weak overlap: {trimmed} of {len(treatment)} units have a probability of "
            f"treatment outside ({trim:g}, {1 - trim:g}), which was moved to that "
            "bound. Effects there rest on the outcome regression.",
            InferenceWarning,
        )
    return Propensities(
        np.clip(other, trim, 1 - trim),
        np.clip(before, trim, 1 - trim),
        trimmed,
        known is None,
    )


def _checked(known: float | np.ndarray, units: int) -> np.ndarray:
    found = np.asarray(known, dtype=float)
    if found.shape not in ((), (units,)):
        raise DataError(
            f"propensity should be a number or have one entry for each of {units} "
            f"units; it has shape {found.shape}."
        )
    bad = ~((found > 0) & (found < 1))
    if bad.any():
        where = "" if found.ndim == 0 else f" at units {listing(np.flatnonzero(bad))}"
        raise DataError(
            f"a known propensity lies strictly between 0 and 1; it does not in "
            f"{int(bad.sum())} of {found.size} cases{where}."
        )
    return found


def _estimated(
    columns: np.ndarray,
    treatment: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    group: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic ridge predictions from the other and from the earlier folds."""
    arm = (treatment == 1).astype(float)
    sums = fold_sums(columns, arm[:, None], fold, weights, group)
    rows = np.concatenate([np.ones((len(columns), 1)), columns], axis=1)
    found = []
    for earlier in (False, True):
        linear = ridge(training_sums(sums, earlier=earlier))
        chance = np.full(fold.shape, np.nan)
        for split, label in enumerate(fold):
            for number in range(int(earlier), linear.penalty.shape[1]):
                train = label < number if earlier else label != number
                coef = _logistic(
                    rows[train],
                    arm[train],
                    weights[train] / weights[train].sum(),
                    linear.penalty[split, number, 0],
                )
                inside = label == number
                chance[split, inside] = _chance(rows[inside] @ coef)
        found.append(chance)
    return found[0], found[1]


def _chance(odds: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(odds)


def _logistic(
    rows: np.ndarray, arm: np.ndarray, share: np.ndarray, penalty: float
) -> np.ndarray:
    """Penalised maximum likelihood by Newton's method; the intercept is free.

    At the fit of the intercept alone the likelihood bends like least squares times
    ``p (1 - p)``, so that is what makes a penalty of the linear fit one of this.
    """
    mean = share @ arm
    coef = np.zeros(rows.shape[1])
    coef[0] = np.log(mean / (1 - mean))
    pull = np.full(rows.shape[1], penalty * mean * (1 - mean))
    pull[0] = 0.0
    value = _penalised(rows, arm, share, pull, coef)
    for _ in range(_STEPS):
        chance = _chance(rows @ coef)
        slope = rows.T @ (share * (arm - chance)) - pull * coef
        bend = rows.T @ ((share * chance * (1 - chance))[:, None] * rows)
        step = np.linalg.lstsq(bend + np.diag(pull), slope, rcond=None)[0]
        # The loss is convex: a step that overshoots is halved until it gains.
        while (found := _penalised(rows, arm, share, pull, coef + step)) > value:
            step = step / 2
            if np.abs(step).max() < _STILL:
                return coef
        coef, value = coef + step, found
        if np.abs(step).max() < _STILL:
            break
    return coef


def _penalised(
    rows: np.ndarray,
    arm: np.ndarray,
    share: np.ndarray,
    pull: np.ndarray,
    coef: np.ndarray,
) -> float:
    odds = rows @ coef
    loss = np.logaddexp(0, odds) - arm * odds
    return float(share @ loss + pull @ coef**2 / 2)
