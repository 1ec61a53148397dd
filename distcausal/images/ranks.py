"""Arithmetic of ranks: averages weighted by how early a unit would be treated.

Equal priorities are taken as in random order, which makes every sum one over sets of
equals and asks for no simulation.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SHARES", "blocks", "rank_weighted", "rank_weights", "rate_of", "toc"]

SHARES = np.linspace(0.05, 1.0, 20)  # where the curve is drawn


def rate_of(
    priority: np.ndarray, score: np.ndarray, weights: np.ndarray, target: str
) -> np.ndarray:
    """Rank-weighted average effect in one sample, for many sets of weights.

    Parameters
    ----------
    priority, score
        Shape ``(unit,)``; equal priorities count as in random order.
    weights
        Shape ``(..., unit)``.
    target
        ``"autoc"`` or ``"qini"``.

    Returns
    -------
    Shape ``(...)``.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.ranks import rate_of
    >>> print(rate_of(np.array([2, 1]), np.array([1.0, 0.0]), np.ones(2), "qini"))
    0.125
    """
    order, starts = blocks(priority)
    mass, total = _by_block(weights, score, order, starts)
    return rank_weighted(mass, total, target)


def blocks(priority: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of units by falling priority, and where each set of equals starts."""
    order = np.argsort(-priority, kind="stable")
    falling = priority[order]
    starts = np.flatnonzero(np.r_[True, falling[1:] != falling[:-1]])
    return order, starts


def _by_block(
    weights: np.ndarray, score: np.ndarray, order: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and weighted score of each set of equals, shape ``(..., block)``."""
    sorted_weights = weights[..., order]
    mass = np.add.reduceat(sorted_weights, starts, axis=-1)
    total = np.add.reduceat(sorted_weights * score[order], starts, axis=-1)
    return mass, total


def rank_weighted(mass: np.ndarray, total: np.ndarray, target: str) -> np.ndarray:
    """Integral of the curve over sets of equals, each spread evenly over its ranks."""
    whole = mass.sum(axis=-1, keepdims=True)
    ends = np.cumsum(mass, axis=-1) / whole
    area = np.diff(_rank_area(ends, target), axis=-1, prepend=0.0)
    mean = total / np.where(mass > 0, mass, 1.0)
    level = 1.0 if target == "autoc" else 0.5
    return (mean * area).sum(axis=-1) - level * total.sum(axis=-1) / whole[..., 0]


def _rank_area(share: np.ndarray, target: str) -> np.ndarray:
    """Integral from 0 to a share of ``-log u``, or of ``1 - u``."""
    if target == "qini":
        return share - share**2 / 2
    return share - share * np.log(np.where(share > 0, share, 1.0))


def rank_weights(priority: np.ndarray, weights: np.ndarray, target: str) -> np.ndarray:
    """Weight of each unit's score in the rank-weighted effect, shape ``(unit,)``."""
    order, starts = blocks(priority)
    mass = np.add.reduceat(weights[order], starts)
    ends = np.cumsum(mass) / mass.sum()
    area = np.diff(_rank_area(ends, target), prepend=0.0)
    height = area * mass.sum() / np.where(mass > 0, mass, 1.0)
    lengths = np.diff(np.r_[starts, len(order)])
    found = np.empty(len(order))
    found[order] = np.repeat(height, lengths)
    return found


def toc(mass: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The curve of one sample at the shares shown, shape ``(share,)``."""
    whole = mass.sum()
    ends = np.concatenate([[0.0], np.cumsum(mass)]) / whole
    sums = np.concatenate([[0.0], np.cumsum(total)]) / whole
    return np.interp(SHARES, ends, sums) / SHARES - sums[-1]
