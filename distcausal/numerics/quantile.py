"""Quantiles and cumulative shares of many small weighted samples at once.

A sample does not have *the* quantile at a level; it has one per convention, and at a
few draws per unit the conventions differ by more than many effects. So they are written
once, here, and every family of methods reads curves through this file.

Three facts keep it short. Every unweighted rule looks up two neighbouring order
statistics at positions that depend on the sample only through its size, so one small
table serves all units of that size. The weighted linear rule, with weights scaled to
sum to the number of draws, reads the sample only at whole cumulative weights, so it is
the unweighted rule on draws repeated the right number of times. And how many of a
unit's sorted keys lie below each level is a histogram of the levels below each key,
which needs no loop over units.

Rules, for draws ``x_1 <= ... <= x_m`` with weights ``w_k``, ``S_k = w_1 + ... + w_k``
and ``W = S_m`` (numbers are the types of Hyndman and Fan 1996, *American Statistician*
50(4)):

==================== =================================================== ========
rule                 definition                                          weighted
==================== =================================================== ========
inverse              1: ``x_k`` with the least k such that ``S_k >= pW``  yes
averaged             2: mean of ``x_k, x_(k+1)`` where ``S_k = pW``       yes
interpolated_inverse 4: through ``(k / m, x_k)``                          no
hazen                5: through ``((S_k - w_k / 2) / W, x_k)``            yes
weibull              6: through ``(k / (m + 1), x_k)``                    no
linear               7: through ``((k - 1) / (m - 1), x_k)``; weighted:   yes
                     the same on the sample expanded by its weights
linear_symmetric     7 at equal weights; through the middles of the       yes
                     weights, stretched to reach 0 and 1
median_unbiased      8: through ``((k - 1/3) / (m + 1/3), x_k)``          no
normal_unbiased      9: through ``((k - 3/8) / (m + 1/4), x_k)``          no
kernel               mean of order statistics under a Beta law            yes
                     (Harrell and Davis 1982, *Biometrika* 69(3))
==================== =================================================== ========
"""

from __future__ import annotations

import numpy as np

from distcausal.numerics.ragged import (
    by_size,
    cumulative_shares,
    row_blocks,
    segment_sums,
)

__all__ = [
    "RULES",
    "WEIGHTED_RULES",
    "cell_masses",
    "first_reaching",
    "read_curves",
    "sample_cdf",
    "sample_quantiles",
]

# Hyndman and Fan's (alpha, beta): position 1 - beta short of m, alpha past 0.
PLOTTING = {
    "interpolated_inverse": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "linear_symmetric": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
WEIGHTED_RULES = (
    "linear",
    "inverse",
    "averaged",
    "hazen",
    "linear_symmetric",
    "kernel",
)
RULES = (
    *WEIGHTED_RULES,
    "weibull",
    "median_unbiased",
    "normal_unbiased",
    "interpolated_inverse",
)
EPS = np.finfo(float).eps


def sample_quantiles(
    values: np.ndarray,
    offsets: np.ndarray,
    levels: np.ndarray,
    *,
    rule: str = "linear",
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Quantiles of every unit at every level.

    Parameters
    ----------
    values
        Draws, shape ``(draw,)``, increasing within each unit.
    offsets
        Where units start, shape ``(unit + 1,)``; no unit is empty.
    levels
        Strictly increasing in (0, 1), shape ``(level,)``.
    rule
        One of `RULES`; with weights, one of `WEIGHTED_RULES`.
    weights
        Positive, shape ``(draw,)``; only their size relative to the unit's others
        matters.

    Returns
    -------
    Shape ``(unit, level)``, nondecreasing along levels, between the unit's least and
    greatest draw.

    Examples
    --------
    >>> import numpy as np
    >>> values, offsets = np.array([1.0, 2.0, 4.0, 0.0, 10.0]), np.array([0, 3, 5])
    >>> sample_quantiles(values, offsets, np.array([0.25, 0.5]))
    array([[1.5, 2. ],
           [2.5, 5. ]])
    >>> sample_quantiles(values, offsets, np.array([0.25, 0.5]), rule="inverse")
    array([[1., 2.],
           [0., 0.]])
    """
    if rule == "kernel":
        return _harrell_davis(values, offsets, levels, weights)
    if weights is None:
        return _order_statistics(values, offsets, levels, rule)
    if rule == "linear":
        expanded = _expanded(values, offsets, weights)
        return _order_statistics(expanded, offsets, levels, rule)
    if rule in ("inverse", "averaged"):
        return _weighted_steps(values, offsets, levels, weights, rule)
    return _weighted_knots(values, offsets, levels, weights, rule)


def sample_cdf(
    values: np.ndarray,
    offsets: np.ndarray,
    points: np.ndarray,
    *,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Share of each unit's weight at or below every point, shape ``(unit, point)``.

    Examples
    --------
    >>> import numpy as np
    >>> values, offsets = np.array([1.0, 2.0, 4.0, 0.0, 10.0]), np.array([0, 3, 5])
    >>> sample_cdf(values, offsets, np.array([0.0, 2.0]))
    array([[0.        , 0.66666667],
           [0.5       , 0.5       ]])
    """
    order = np.argsort(points, kind="stable")
    ordered = points[order]
    shares = None if weights is None else cumulative_shares(weights, offsets)
    sizes = np.diff(offsets)
    out = np.empty((len(sizes), len(points)))
    for start, stop in row_blocks(offsets, len(points) + 1):
        rank = np.searchsorted(ordered, values[offsets[start] : offsets[stop]], "left")
        count = _count_reached(rank, offsets[start : stop + 1], len(points))
        if shares is None:
            out[start:stop, order] = count / sizes[start:stop, None]
        else:
            last = np.maximum(count - 1, 0) + offsets[start:stop, None]
            out[start:stop, order] = np.where(count > 0, shares[last], 0.0)
    return out


def read_curves(
    levels: np.ndarray, curves: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Read quantile curves between the levels they are stored at.

    Linear between neighbouring levels, flat beyond the outermost.

    Examples
    --------
    >>> import numpy as np
    >>> read_curves(np.array([0.2, 0.4]), np.array([[1.0, 2.0]]), np.array([0.1, 0.3]))
    array([[1. , 1.5]])
    """
    high = np.clip(np.searchsorted(levels, wanted), 0, len(levels) - 1)
    low = np.clip(np.searchsorted(levels, wanted, side="right") - 1, 0, None)
    width = np.where(high > low, levels[high] - levels[low], 1.0)
    gap = np.where(high > low, (wanted - levels[low]) / width, 0.0)
    out = np.empty((len(curves), len(wanted)))
    for start, stop in row_blocks(np.arange(len(curves) + 1), len(wanted)):
        block = curves[start:stop]
        out[start:stop] = _between(block[:, low], block[:, high], gap)
    return out


def cell_masses(levels: np.ndarray) -> np.ndarray:
    """Mass of the cell around each level, bounded by midpoints and by 0 and 1.

    The law that puts these masses on the quantiles has the mean of the curve read by
    `read_curves`.

    Examples
    --------
    >>> import numpy as np
    >>> cell_masses(np.array([0.25, 0.5, 0.75])).tolist()
    [0.375, 0.25, 0.375]
    """
    return np.diff((levels[1:] + levels[:-1]) / 2, prepend=0.0, append=1.0)


def first_reaching(reached: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """First cell of a table whose cumulated mass reaches each level.

    Parameters
    ----------
    reached
        Mass up to the end of each cell, shape ``(unit, cell)``; ends in 1.
    levels
        Shape ``(level,)``, or ``(unit, level)`` for levels of each unit's own. A level
        within rounding of a cumulated mass counts as reached.

    Examples
    --------
    >>> import numpy as np
    >>> first_reaching(np.array([[0.1, 0.3, 1.0]]), np.array([0.1, 0.2, 0.9]))
    array([[0, 1, 2]])
    """
    units, cells = reached.shape
    wanted = np.broadcast_to(levels, (units, np.shape(levels)[-1])) - EPS * (4 + cells)
    out = np.empty(wanted.shape, dtype=np.int64)
    for start, stop in row_blocks(np.arange(units + 1), cells * wanted.shape[1]):
        short = reached[start:stop, :, None] < wanted[start:stop, None, :]
        out[start:stop] = short.sum(axis=1)
    return out


def _between(low: np.ndarray, high: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Interpolate, never past the upper end: rounding must not break the order."""
    return np.minimum(low + (high - low) * gap, high)


def _order_statistics(
    values: np.ndarray, offsets: np.ndarray, levels: np.ndarray, rule: str
) -> np.ndarray:
    sizes = np.diff(offsets)
    distinct, which = np.unique(sizes, return_inverse=True)
    low, step, gap = _positions(rule, distinct, levels)
    out = np.empty((len(sizes), len(levels)))
    for start, stop in row_blocks(offsets, len(levels)):
        kind = which[start:stop]
        at = low[kind]
        at += offsets[start:stop, None]
        block = out[start:stop]
        np.take(values, at, out=block, mode="clip")
        if rule == "inverse":
            continue
        at += step[kind]
        upper = np.take(values, at, mode="clip")
        change = upper - block
        # No curve passes its upper neighbour: a gap below 1 takes from the rounded
        # difference at least the half unit in the last place rounding may have added.
        change *= gap[kind]
        block += change
    return out


def _positions(
    rule: str, sizes: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower neighbour, step to the upper one, and how far between, per size and level.

    A level within rounding of a jump counts as on it: ``7 / 50`` and ``0.14`` are the
    same level, though ``0.14 * 50`` exceeds 7 in floating point.
    """
    size = sizes[:, None]
    last = size - 1
    if rule in ("inverse", "averaged"):
        reach = size * levels
        tolerance = 4 * EPS * size
        low = np.clip(np.ceil(reach - tolerance).astype(np.int64) - 1, 0, last)
        tied = (rule == "averaged") & (np.abs(reach - (low + 1)) <= tolerance)
        step = (tied & (low < last)).astype(np.int64)
        return low, step, 0.5 * step
    alpha, beta = PLOTTING[rule]
    place = np.clip((alpha - 1) + levels * (size + 1 - alpha - beta), 0, last)
    low = np.floor(place).astype(np.int64)
    return low, (low < last).astype(np.int64), place - low


def _expanded(
    values: np.ndarray, offsets: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Each unit's draws repeated by their weights, as many in all as before.

    Entry ``l`` of a unit is its least draw whose cumulative weight, scaled to sum to
    the number of draws ``m``, reaches ``l``. A cumulative weight within rounding
    of a whole number counts as whole: a sum of up to ``m`` terms rounds by up to ``m``
    units in the last place.
    """
    out = np.empty(len(values))
    for _, entries, size in by_size(offsets):
        whole = np.cumsum(weights[entries].reshape(-1, size), axis=1)
        whole *= size / whole[:, -1:]
        whole += EPS * size * (4 + size)
        whole = np.floor(whole, out=whole)
        whole[:, -1] = size
        times = np.diff(whole, axis=1, prepend=0.0).astype(np.int64)
        out[entries] = np.repeat(values[entries], times.ravel())
    return out


def _count_reached(rank: np.ndarray, offsets: np.ndarray, width: int) -> np.ndarray:
    """How many of each unit's entries have a rank of at most j, for every j < width.

    With ``rank`` the number of levels at or below a key, entry ``[i, j]`` counts unit
    i's keys below level j.
    """
    units = len(offsets) - 1
    cell = np.repeat(np.arange(units) * (width + 1), np.diff(offsets))
    cell += rank
    counts = np.bincount(cell, minlength=units * (width + 1))
    return counts.reshape(units, width + 1)[:, :width].cumsum(axis=1)


def _weighted_steps(
    values: np.ndarray,
    offsets: np.ndarray,
    levels: np.ndarray,
    weights: np.ndarray,
    rule: str,
) -> np.ndarray:
    shares = cumulative_shares(weights, offsets)
    sizes = np.diff(offsets)
    tolerance = EPS * (4.0 + sizes)
    out = np.empty((len(sizes), len(levels)))
    for start, stop in row_blocks(offsets, len(levels) + 1):
        records = slice(offsets[start], offsets[stop])
        slack = np.repeat(tolerance[start:stop], sizes[start:stop])
        rank = np.searchsorted(levels, shares[records] + slack, side="right")
        low = _count_reached(rank, offsets[start : stop + 1], len(levels))
        low += offsets[start:stop, None]
        out[start:stop] = values[low]
        if rule == "averaged":
            high = np.minimum(low + 1, offsets[start + 1 : stop + 1, None] - 1)
            tied = np.abs(shares[low] - levels) <= tolerance[start:stop, None]
            out[start:stop] = _between(values[low], values[high], 0.5 * tied)
    return out


def _weighted_knots(
    values: np.ndarray,
    offsets: np.ndarray,
    levels: np.ndarray,
    weights: np.ndarray,
    rule: str,
) -> np.ndarray:
    """Interpolate through knots in the middle of each draw's share of the weight."""
    even = _tied_weights_averaged(values, offsets, weights)
    sizes = np.diff(offsets)
    total = segment_sums(even, offsets)
    knots = cumulative_shares(even, offsets) - even / np.repeat(2 * total, sizes)
    if rule == "linear_symmetric":
        first = np.repeat(knots[offsets[:-1]], sizes)
        reach = np.repeat(knots[offsets[1:] - 1], sizes) - first
        knots = (knots - first) / np.where(reach > 0, reach, 1.0)
    out = np.empty((len(sizes), len(levels)))
    for start, stop in row_blocks(offsets, len(levels) + 1):
        rank = np.searchsorted(levels, knots[offsets[start] : offsets[stop]], "right")
        below = _count_reached(rank, offsets[start : stop + 1], len(levels))
        base = offsets[start:stop, None]
        low = np.maximum(below - 1, 0) + base
        high = np.minimum(below + base, offsets[start + 1 : stop + 1, None] - 1)
        width = knots[high] - knots[low]
        gap = (levels - knots[low]) / np.where(width > 0, width, 1.0)
        out[start:stop] = _between(
            values[low], values[high], np.where(width > 0, gap, 0.0)
        )
    return out


def _tied_weights_averaged(
    values: np.ndarray, offsets: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Spread weight evenly over equal draws, so that their order cannot matter."""
    fresh = np.empty(len(values), dtype=bool)
    fresh[0] = True
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    fresh[offsets[:-1]] = True
    if fresh.all():
        return weights
    group = np.cumsum(fresh) - 1
    return (np.bincount(group, weights) / np.bincount(group))[group]


def _harrell_davis(
    values: np.ndarray,
    offsets: np.ndarray,
    levels: np.ndarray,
    weights: np.ndarray | None,
) -> np.ndarray:
    """Average the order statistics under a Beta law centred at the level.

    With weights, the number of draws is replaced by the number of equally weighted ones
    that would carry as much information, ``(sum w)**2 / sum w**2``; a Beta law per unit
    and level then has to be evaluated at every draw, about 2 million of them a second.
    """
    from scipy.special import betainc

    out = np.empty((len(offsets) - 1, len(levels)))
    most = max(1, (1 << 20) // len(levels))
    for units, entries, size in by_size(offsets, most):
        draws = values[entries].reshape(-1, size)
        if weights is None:
            edge = np.arange(1, size + 1)[None, None, :] / size
            effective = np.full((1, 1, 1), float(size))
        else:
            mass = weights[entries].reshape(-1, size)
            reached = np.cumsum(mass, axis=1)
            total = reached[:, -1:]
            # The last edge is 1 exactly: the Beta law can be infinitely steep there.
            edge = (reached / total)[:, None, :]
            effective = (total**2 / (mass**2).sum(axis=1, keepdims=True))[:, :, None]
        centre = levels[None, :, None]
        below = betainc(
            (effective + 1) * centre,
            (effective + 1) * (1 - centre),
            edge,
        )
        share = np.diff(below, axis=2, prepend=0.0)
        if weights is None:
            curve = draws @ share[0].T
        else:
            curve = np.matmul(share, draws[:, :, None])[:, :, 0]
        out[units] = np.clip(
            np.maximum.accumulate(curve, axis=1), draws[:, :1], draws[:, -1:]
        )
    return out
