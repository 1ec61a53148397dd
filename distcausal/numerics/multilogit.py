"""Multinomial logistic regression by Newton's method, with the influence of each row.

An estimate built on fitted probabilities owes part of its error to the fit. So beside
the coefficients come the changes that one more unit of weight on each row would make in
them, which is all that a standard error further down the line needs.

The log-likelihood is concave, so Newton's steps, halved while they overshoot, reach its
maximum where there is one, and steps then shrink to nothing. There is none where a
state can be told exactly from the columns: the score vanishes all the same, but each
step goes on moving some row's log-odds by about one. That, and not how large they have
become, which one outlying row decides, is how the fit tells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["LogitFit", "fit_logit", "logit_law"]

_STEPS = 100
_GRADIENT = 1e-10  # largest mean score at the maximum, columns being of size one
_STILL = 0.1  # log-odds that the next step moves at a maximum, where they near zero


class LogitFit(NamedTuple):
    """Coefficients and what they owe to each row.

    Attributes
    ----------
    coef
        Shape ``(column, state - 1)``; the first state is the base.
    influence
        Change of the flattened coefficients with the share of the total weight that a
        row has, shape ``(row, column * (state - 1))``.
    converged
        Whether the maximum of the likelihood was found.
    separated
        Whether there is none, because some state can be told exactly.
    """

    coef: np.ndarray
    influence: np.ndarray
    converged: bool
    separated: bool


def logit_law(coef: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Probabilities of every state for each row, ``(row, state)``.

    Complex coefficients are taken, so that derivatives follow by a complex step.
    """
    linear = columns @ coef
    full = np.concatenate([np.zeros((len(linear), 1)), linear], axis=1)
    odds = np.exp(full - full.real.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def fit_logit(
    columns: np.ndarray, code: np.ndarray, weight: np.ndarray, states: int
) -> LogitFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    columns
        Regressors, shape ``(row, column)``, linearly independent.
    code
        State of each row, from 0.
    weight
        Weight of each row, not negative.
    states
        Number of states; with one there is nothing to fit.

    Returns
    -------
    LogitFit
    """
    if states == 1:
        nothing = np.zeros((columns.shape[1], 0))
        return LogitFit(nothing, np.zeros((len(columns), 0)), True, False)
    share = weight / weight.sum()
    told = np.eye(states)[code]
    size = np.sqrt(share @ columns**2)
    size[size == 0] = 1.0
    columns = columns / size  # so that what counts as small does not depend on units
    coef = np.zeros((columns.shape[1], states - 1))
    law = logit_law(coef, columns)
    value = _likelihood(law, told, share)
    converged = separated = False
    for _ in range(_STEPS):
        score, information = _newton(columns, law, told, share)
        step = np.linalg.lstsq(information, score, rcond=None)[0].reshape(coef.shape)
        if np.abs(score).max(initial=0.0) < _GRADIENT:
            moved = np.abs(columns[share > 0] @ step).max(initial=0.0)
            converged = bool(moved < _STILL)
            separated = not converged
            break
        length = 1.0
        while length > 1e-6:
            new = logit_law(coef + length * step, columns)
            better = _likelihood(new, told, share)
            if better >= value - 1e-14:
                break
            length /= 2
        coef, law, value = coef + length * step, new, better
    score, information = _newton(columns, law, told, share)
    each = (told - law)[:, None, 1:] * columns[:, :, None]
    flat = each.reshape(len(columns), -1)
    influence = np.linalg.lstsq(information, flat.T, rcond=None)[0].T
    influence /= np.repeat(size, states - 1)
    return LogitFit(coef / size[:, None], influence, converged, separated)


def _likelihood(law: np.ndarray, told: np.ndarray, share: np.ndarray) -> float:
    chance = (law * told).sum(axis=1)
    return float(share @ np.log(np.maximum(chance, np.finfo(float).tiny)))


def _newton(
    columns: np.ndarray, law: np.ndarray, told: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score and information, coefficients flattened column by column."""
    rest = (told - law)[:, 1:] * share[:, None]
    score = (columns.T @ rest).ravel()
    later = law[:, 1:]
    size = later.shape[1]
    blocks = np.empty((columns.shape[1], size, columns.shape[1], size))
    for a in range(size):
        for b in range(size):
            spread = share * later[:, a] * ((a == b) - later[:, b])
            blocks[:, a, :, b] = (columns * spread[:, None]).T @ columns
    return score, blocks.reshape(score.size, score.size)
