"""Exact distances between laws on the line, and the exact average of step curves.

On the line the best way to move one law onto another is to match quantiles, so every
Wasserstein distance is an integral of the difference of two quantile functions. For
draws, tables and bins these are piecewise linear, with finitely many breaks, so the
integrals are sums: lay the breaks of both laws side by side and add up the stretches.

A law is given in pieces: mass spread evenly over an interval, or on a point where its
ends coincide. Draws and atoms are points, bins are intervals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["METRICS", "Pieces", "average_steps", "distance"]

METRICS = ("w1", "w2", "winf", "energy", "ks")
EPS = np.finfo(float).eps


class Pieces(NamedTuple):
    """A law in pieces, in increasing order.

    Attributes
    ----------
    reached
        Mass up to the end of each piece, shape ``(piece,)``; the last is 1.
    low, high
        Ends of each piece; equal for a point.
    """

    reached: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def read(
        self, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Quantile function at both ends of stretches that lie in one piece each."""
        middle = (starts + ends) / 2
        at = np.minimum(np.searchsorted(self.reached, middle), len(self.reached) - 1)
        before = np.concatenate([[0.0], self.reached[:-1]])[at]
        mass = self.reached[at] - before
        low, span = self.low[at], self.high[at] - self.low[at]
        return (
            low + span * np.clip((starts - before) / mass, 0, 1),
            low + span * np.clip((ends - before) / mass, 0, 1),
        )


def distance(one: Pieces, two: Pieces, metric: str) -> float:
    """Distance between two laws.

    Parameters
    ----------
    one, two
        The laws.
    metric
        ``"w1"``, ``"w2"``, ``"winf"``, ``"energy"`` (twice the integral of the squared
        difference of the cdfs, the square of what `scipy.stats.energy_distance` gives)
        or ``"ks"``.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([0.0, 1.0])
    >>> one = Pieces(np.array([0.5, 1.0]), values, values)
    >>> two = Pieces(np.array([0.5, 1.0]), values + 2, values + 2)
    >>> [distance(one, two, metric) for metric in METRICS]
    [2.0, 2.0, 2.0, 3.0, 1.0]
    """
    if metric in ("energy", "ks"):
        return _between_cdfs(one, two, metric)
    width, left, right = _matched(one, two)
    scale = float(max(np.abs(left).max(), np.abs(right).max()))
    if metric == "winf" or scale == 0:
        return scale
    left, right = left / scale, right / scale  # squares of huge numbers overflow
    if metric == "w2":
        return scale * float(np.sqrt(width @ (left**2 + left * right + right**2) / 3))
    size = np.abs(left) + np.abs(right)
    crossed = left * right < 0
    area = np.where(crossed, (left**2 + right**2) / np.where(crossed, size, 1.0), size)
    return scale * float(width @ area / 2)


def _matched(one: Pieces, two: Pieces) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of levels on which both quantile functions are linear.

    Returns
    -------
    Widths, which sum to one, and the difference of the quantile functions at both ends.
    """
    ends = np.sort(np.concatenate([one.reached, two.reached]))
    # The same level reached by two sums differs in the last bits; the sliver between
    # would count in full in the largest difference.
    slack = EPS * (4 + len(ends))
    ends = ends[np.append(np.diff(ends) > slack, True)]
    ends[-1] = 1.0
    starts = np.concatenate([[0.0], ends[:-1]])
    first = one.read(starts, ends)
    second = two.read(starts, ends)
    return ends - starts, first[0] - second[0], first[1] - second[1]


def _between_cdfs(one: Pieces, two: Pieces, metric: str) -> float:
    places = np.unique(np.concatenate([one.low, one.high, two.low, two.high]))
    here = _cdf(one, places, "right") - _cdf(two, places, "right")
    before = _cdf(one, places, "left") - _cdf(two, places, "left")
    if metric == "ks":
        return float(max(np.abs(here).max(), np.abs(before).max()))
    start, stop = here[:-1], before[1:]
    return float(np.diff(places) @ (start**2 + start * stop + stop**2)) * 2 / 3


def _cdf(law: Pieces, places: np.ndarray, side: str) -> np.ndarray:
    """Mass at or below each place (``side="right"``), or strictly below it."""
    reached = np.concatenate([[0.0], law.reached])
    whole = np.searchsorted(law.high, places, side=side)  # type: ignore[call-overload]
    at = np.minimum(whole, len(law.high) - 1)
    span = law.high[at] - law.low[at]
    part = np.clip((places - law.low[at]) / np.where(span > 0, span, 1.0), 0, 1)
    inside = (whole < len(law.high)) & (span > 0)
    return reached[whole] + np.where(inside, part, 0.0) * (
        law.reached[at] - reached[at]
    )


def average_steps(
    values: np.ndarray, reached: np.ndarray, offsets: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average the quantile functions of samples, exactly.

    The average is a step function that rises wherever one of them does, by that unit's
    share of its rise.

    Parameters
    ----------
    values
        Draws, increasing within each unit, shape ``(draw,)``.
    reached
        Cumulative share of weight within the unit at each draw, shape ``(draw,)``.
    offsets
        Where units start, shape ``(unit + 1,)``.
    share
        Positive, sums to one, shape ``(unit,)``.

    Returns
    -------
    Values of the average, increasing, and their masses.

    Examples
    --------
    >>> import numpy as np
    >>> average_steps(
    ...     np.array([0.0, 2.0, 10.0]), np.array([0.5, 1.0, 1.0]), np.array([0, 2, 3]),
    ...     np.array([0.5, 0.5]),
    ... )
    (array([5., 6.]), array([0.5, 0.5]))
    """
    rise = np.diff(values, prepend=0.0) * np.repeat(share, np.diff(offsets))
    level = np.concatenate([[0.0], reached[:-1]])
    first = offsets[:-1]
    rise[first] = values[first] * share
    level[first] = 0.0
    order = np.argsort(level, kind="stable")
    level, rise = level[order], rise[order]
    slack = EPS * (4 + int(np.diff(offsets).max()))
    fresh = np.flatnonzero(np.append(True, np.diff(level) > slack))
    steps = np.add.reduceat(rise, fresh)
    return np.cumsum(steps), np.diff(level[fresh], append=1.0)
