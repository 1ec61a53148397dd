"""Exact intervals for a probability that was estimated by counting."""

from __future__ import annotations

__all__ = ["exact_interval"]


def exact_interval(
    count: int, trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson, which covers at every probability.

    Parameters
    ----------
    count
        Successes.
    trials
        Trials, at least one.
    confidence
        Coverage, at least.

    Examples
    --------
    >>> tuple(round(end, 4) for end in exact_interval(0, 100))
    (0.0, 0.0362)
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = betaincinv(count, trials - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, trials - count, 1 - tail) if count < trials else 1.0
    return float(low), float(high)
