"""Ends of intervals: on the scale where a number is free to move, or off the draws.

A probability that is close to 0 has an error that is not symmetric, and an interval
that is symmetric around it ends below 0. The logit has no ends, so intervals are made
there by the delta method and carried back. Ratios are treated so on the logarithm.
Where clusters are few, the covariance is itself a guess: Student's t makes up for that.
"""

from __future__ import annotations

import math

import numpy as np

from distcausal.numerics.band import check_confidence

__all__ = [
    "Ends",
    "draw_ends",
    "plain_ends",
    "probability_ends",
    "quantile",
    "ratio_ends",
    "two_sided",
]

Ends = tuple[np.ndarray, np.ndarray]


def quantile(confidence: float, df: int | None) -> float:
    """Standard errors that an interval reaches: of Student's t, normal without df."""
    upper = (1.0 + check_confidence(confidence)) / 2.0
    if df is None:
        from statistics import NormalDist

        return NormalDist().inv_cdf(upper)
    from scipy.special import stdtrit

    return float(stdtrit(df, upper))


def two_sided(statistic: np.ndarray, df: int | None) -> np.ndarray:
    """Two-sided p-values; NaN where the statistic is."""
    if df is None:
        return np.array([math.erfc(abs(z) / math.sqrt(2.0)) for z in statistic])
    from scipy.special import stdtr

    return 2.0 * stdtr(df, -np.abs(statistic))


def plain_ends(values: np.ndarray, errors: np.ndarray, reach: float) -> Ends:
    """So many standard errors to both sides."""
    return values - reach * errors, values + reach * errors


def ratio_ends(values: np.ndarray, errors: np.ndarray, reach: float) -> Ends:
    """So many standard errors to both sides of the logarithm."""
    factor = np.exp(reach * errors / values)
    return values / factor, values * factor


def probability_ends(values: np.ndarray, errors: np.ndarray, reach: float) -> Ends:
    """So many standard errors to both sides of the logit, as probabilities.

    Estimates that are not inside (0, 1), which weighting can give, have no logit;
    theirs are plain.
    """
    inside = (values > 0) & (values < 1)
    safe = np.where(inside, values, 0.5)
    spread = safe * (1.0 - safe)
    # beyond 700 the exponential overflows, and the end is 0 or 1 long before
    step = np.minimum(reach * errors / spread, 700.0)
    low = safe / (safe + (1.0 - safe) * np.exp(step))
    high = safe / (safe + (1.0 - safe) * np.exp(-step))
    below, above = plain_ends(values, errors, reach)
    return np.where(inside, low, below), np.where(inside, high, above)


def draw_ends(draws: np.ndarray, confidence: float) -> Ends:
    """Quantiles of the draws of each number, ``(draw, number)``.

    Draws may be infinite, as ratios over 0 are: they are the largest, and no number is
    between them and another. A draw of 0 over 0 says nothing and is left out.
    """
    tail = (1.0 - check_confidence(confidence)) / 2.0
    if np.isfinite(draws).all():
        low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
        return low, high
    kept = [column[~np.isnan(column)] for column in draws.T]
    low = [np.quantile(column, tail, method="lower") for column in kept]
    high = [np.quantile(column, 1.0 - tail, method="higher") for column in kept]
    return np.array(low), np.array(high)
