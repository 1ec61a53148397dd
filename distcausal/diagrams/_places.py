"""Places of things along the layers of a drawing, so that wires run straight.

The order in each layer is given. Among the places that keep it, with room between
neighbours, those are chosen for which the weighted sum of how far wires lean is least.
A sum of absolute values, unlike one of squares, makes most wires exactly straight and
lets a few take all the bend; its minimum is a linear programme (Gansner, Koutsofios,
North and Vo 1993). Where that leaves a choice, things stay near their neighbours'
average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["Pull", "straightened"]

MARGIN = 14.0  # points between neighbours
ROUNDS = 24  # of averaging, which only breaks ties
TIE = 1 / 64  # weight of the distance to the average, small against that of any pull


@dataclass(frozen=True)
class Pull:
    """Wish that one thing lies at another plus a shift.

    Attributes
    ----------
    low, high
        Numbers of the things; the wish is ``place[high] == place[low] + shift``.
    shift
        In points.
    weight
        How much it counts.
    """

    low: int
    high: int
    shift: float
    weight: float


def straightened(
    extents: Sequence[tuple[float, float]],
    pulls: Sequence[Pull],
    order: Sequence[Sequence[int]],
) -> np.ndarray:
    """Give the place of each thing.

    Parameters
    ----------
    extents
        How far each thing reaches before and after its place, in points.
    pulls
        What should be straight.
    order
        Things of each layer in order.
    """
    distances = [
        (one, two, extents[one][1] + extents[two][0] + MARGIN)
        for layer in order
        for one, two in pairwise(layer)
    ]
    average = _averaged(len(extents), pulls, order, distances)
    if not pulls:
        return average
    return _least_lean(average, pulls, distances)


def _averaged(
    count: int,
    pulls: Sequence[Pull],
    order: Sequence[Sequence[int]],
    distances: Sequence[tuple[int, int, float]],
) -> np.ndarray:
    """Move each thing towards the average of its neighbours, in turns.

    With the distances taken off, keeping the order is an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    place, offset = np.zeros(count), np.zeros(count)
    for one, two, distance in distances:
        offset[two] = offset[one] + distance
    for layer in order:
        if layer:
            place[list(layer)] = offset[list(layer)] - offset[layer[-1]] / 2
    wishes: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]
    for pull in pulls:
        wishes[pull.high].append((pull.low, pull.shift, pull.weight))
        wishes[pull.low].append((pull.high, -pull.shift, pull.weight))
    for turn in range(ROUNDS):
        for layer in order if turn % 2 == 0 else reversed(order):
            held = [at for at in layer if wishes[at]]
            if not held:
                continue
            here = list(layer)
            wish = place[here]
            weight = np.ones(len(here))
            for at, thing in enumerate(here):
                if wishes[thing]:
                    weight[at] = sum(w for _, _, w in wishes[thing])
                    total = sum(w * (place[o] + shift) for o, shift, w in wishes[thing])
                    wish[at] = total / weight[at]
            free = isotonic_regression(wish - offset[here], weights=weight).x
            place[here] = free + offset[here]
    return place


def _least_lean(
    average: np.ndarray,
    pulls: Sequence[Pull],
    distances: Sequence[tuple[int, int, float]],
) -> np.ndarray:
    """Solve the linear programme: lean of each pull, and distance to the average."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    count, leans = len(average), len(pulls)
    rows: list[tuple[dict[int, float], float]] = []
    for at, pull in enumerate(pulls):
        for sign in (1.0, -1.0):
            row = {pull.high: sign, pull.low: -sign, count + at: -1.0}
            rows.append((row, sign * pull.shift))
    rows += [
        ({at: sign, count + leans + at: -1.0}, sign * float(goal))
        for at, goal in enumerate(average)
        for sign in (1.0, -1.0)
    ]
    rows += [({one: 1.0, two: -1.0}, -distance) for one, two, distance in distances]
    entries = [(n, at, v) for n, (row, _) in enumerate(rows) for at, v in row.items()]
    number, column, value = zip(*entries, strict=True)
    table = coo_array(
        (value, (number, column)), shape=(len(rows), 2 * count + leans)
    ).tocsr()
    cost = [0.0] * count + [pull.weight for pull in pulls] + [TIE] * count
    free = [(None, None)] * count + [(0.0, None)] * (leans + count)
    bound = [limit for _, limit in rows]
    found = linprog(cost, A_ub=table, b_ub=bound, bounds=free, method="highs")
    return found.x[:count] if found.success else average
