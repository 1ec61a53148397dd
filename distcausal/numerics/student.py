"""Student's law: how many standard errors an interval reaches, and p-values.

A standard error found from r independent replicates is itself a guess. With four of
them an interval of 1.96 standard errors covers 85 per cent, not 95; quantiles of
Student's law with r - 1 degrees of freedom make up for it, exactly where replicates are
normal.
"""

from __future__ import annotations

import numpy as np

from distcausal.numerics.band import check_confidence

__all__ = ["reach", "two_sided"]


def reach(confidence: float, df: float | None) -> float:
    """Standard errors on either side of an estimate, for a coverage in (0, 1).

    NaN without degrees of freedom, when nothing is known of the error.

    Raises
    ------
    DesignError
        If ``confidence`` is not in (0, 1).

    Examples
    --------
    >>> from distcausal.numerics.student import reach
    >>> round(reach(0.95, 3), 3), round(reach(0.95, 1e6), 3)
    (3.182, 1.96)
    """
    from scipy.special import stdtrit

    coverage = check_confidence(confidence)
    return float(stdtrit(df, (1 + coverage) / 2)) if df and df > 0 else np.nan


def two_sided(
    estimate: np.ndarray, error: np.ndarray, df: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates in standard errors, and their two-sided p-values.

    An estimate of zero is no standard error away from zero, whatever its error.
    """
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(
            estimate == 0, np.where(np.isnan(error), np.nan, 0.0), estimate / error
        )
    return t, 2 * stdtr(df if df and df > 0 else np.nan, -np.abs(t))
