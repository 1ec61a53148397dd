"""Simultaneous bands and the tests they invert to.

Draws of an estimated curve's error give, for any set of levels, draws of its largest
absolute deviation. An order statistic of those is the critical value, chosen so that
with the observed deviation the rank test has exactly the size asked for when draws and
data are exchangeable; the p-value is that rank, so a band excludes zero exactly where
the test rejects.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from distcausal.errors import DesignError

__all__ = [
    "check_confidence",
    "largest",
    "linear_errors",
    "order_statistic",
    "rank_p_value",
    "scaled",
]


def check_confidence(confidence: float) -> float:
    """Return the coverage wanted, or raise `DesignError` if it is not in (0, 1)."""
    number = isinstance(confidence, int | float | np.integer | np.floating)
    if not (number and 0 < confidence < 1):
        raise DesignError(
            f"confidence {confidence!r} should be a number between 0 and 1, "
            "such as 0.95."
        )
    return float(confidence)


def order_statistic(sups: np.ndarray, confidence: float) -> float:
    """Critical value: the ``ceil(confidence (draws + 1))``-th smallest of the draws.

    Raises
    ------
    DesignError
        If there are too few draws for it to exist, saying how many it takes.
    """
    confidence = check_confidence(confidence)
    # 0.95 * 20 must give rank 19; a relative margin absorbs the rounding of decimals.
    rank = ceil(confidence * (sups.size + 1) * (1 - 1e-12))
    if rank > sups.size:
        needed = ceil(confidence / (1 - confidence) * (1 - 1e-12))
        raise DesignError(
            f"{sups.size} draws cannot give a band with confidence {confidence:g}; "
            f"it takes at least {needed}. Raise draws, or lower confidence."
        )
    return float(np.partition(sups, rank - 1)[rank - 1])


def rank_p_value(statistic: float, sups: np.ndarray) -> float:
    """Share of draws, the data counted among them, at least as extreme."""
    return float((1 + np.sum(sups >= statistic)) / (sups.size + 1))


def linear_errors(slope: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard errors of linear functions of an estimate.

    ``slope`` holds one column of coefficients per function, shape ``(k, function)``;
    ``covariance`` is that of the estimate, shape ``(k, k)``.
    """
    return np.sqrt(np.maximum(np.sum(slope * (covariance @ slope), axis=0), 0.0))


def scaled(curve: np.ndarray, std_error: np.ndarray) -> np.ndarray:
    """Curve in units of its standard error; zero where nothing varies."""
    safe = np.where(std_error > 0, std_error, 1.0)
    return np.where(std_error > 0, curve / safe, 0.0)


def largest(draws: np.ndarray) -> np.ndarray:
    """Largest absolute value over levels, one per draw."""
    return np.max(np.abs(draws), axis=-1)
