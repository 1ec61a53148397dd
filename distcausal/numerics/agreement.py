"""How well two clusterings agree, and how well estimated effects match true ones.

Clusters carry no names of their own: two fits of the same data may call the same group
0 and 1. So agreement is measured on pairs of items, which need no names, or after the
names of one clustering have been matched to those of the other.

With n_kl the items in cluster k of one and l of the other and C(n) = n (n - 1) / 2 the
pairs among n items, the adjusted Rand index is
(sum C(n_kl) - E) / ((sum C(n_k) + sum C(n_l)) / 2 - E), where
E = sum C(n_k) sum C(n_l) / C(n) is what sum C(n_kl) would be on average had the labels
been shuffled (Hubert and Arabie 1985).
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "adjusted_rand_index",
    "area_under_curve",
    "match_labels",
    "order_labels",
    "pehe",
]


def adjusted_rand_index(first: np.ndarray, second: np.ndarray) -> float:
    """Agreement of two clusterings of the same items beyond chance.

    Parameters
    ----------
    first, second
        Label of each item, of any kind, shape ``(item,)``.

    Returns
    -------
    float
        1 if the clusterings are the same up to names, around 0 if one says nothing
        about the other; it can be negative. Two clusterings that leave shuffling
        nothing to change (all items together, or all apart, in both) agree: 1.

    References
    ----------
    Hubert and Arabie (1985), *Comparing partitions*, Journal of Classification 2.

    Examples
    --------
    >>> import numpy as np
    >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array(["b", "b", "a", "a"]))
    1.0
    """
    table = _shared(first, second)
    both = _pairs(table).sum()
    rows, columns = (_pairs(table.sum(axis)).sum() for axis in (1, 0))
    total = _pairs(table.sum())
    chance = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    if most == chance:
        return 1.0
    return float((both - chance) / (most - chance))


def _shared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Items in each pair of clusters, shape ``(cluster, cluster)``."""
    names, row = np.unique(first, return_inverse=True)
    others, column = np.unique(second, return_inverse=True)
    cells = np.bincount(row * others.size + column, minlength=names.size * others.size)
    return cells.reshape(names.size, others.size)


def _pairs(counts: np.ndarray) -> np.ndarray:
    """Pairs among each number of items, in floating point: they overflow integers."""
    items = np.asarray(counts, np.float64)
    return items * (items - 1) / 2


def area_under_curve(positive: np.ndarray, score: np.ndarray) -> float:
    """Chance that a positive item scores above another, ties counting half.

    Parameters
    ----------
    positive
        Whether each item is positive, shape ``(item,)``.
    score
        Score of each item, shape ``(item,)``.

    Returns
    -------
    float
        Area under the receiver operating characteristic; NaN unless there are items of
        both kinds, for then there is no pair to compare.

    Examples
    --------
    >>> import numpy as np
    >>> area_under_curve(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.9]))
    0.75
    """
    chosen = np.asarray(positive, dtype=bool)
    count = int(chosen.sum())
    against = chosen.size - count
    if count == 0 or against == 0:
        return float("nan")
    _, place, sizes = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(sizes) - (sizes - 1) / 2
    total = rank[place][chosen].sum()
    return float((total - count * (count + 1) / 2) / (count * against))


def pehe(
    estimate: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Precision in estimation of heterogeneous effects: the root of a mean square.

    Parameters
    ----------
    estimate, truth
        Effect of each item, shape ``(item,)``.
    weights
        Nonnegative weight of each item, shape ``(item,)``; equal by default.

    Returns
    -------
    float
        In the units of the effects; 0 if all are right.

    References
    ----------
    Hill (2011), *Bayesian nonparametric modeling for causal inference*, Journal of
    Computational and Graphical Statistics 20.

    Examples
    --------
    >>> import numpy as np
    >>> pehe(np.array([0.0, 1.0]), np.array([3.0, 5.0]))
    3.5355339059327378
    """
    gap = np.asarray(estimate, np.float64) - np.asarray(truth, np.float64)
    return float(np.sqrt(np.average(gap**2, weights=weights)))


def order_labels(effects: np.ndarray) -> np.ndarray:
    """New name of each cluster when clusters are named by increasing effect.

    Clusters with equal effects keep their order.

    Parameters
    ----------
    effects
        Shape ``(cluster,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(cluster,)``: cluster k becomes ``order_labels(effects)[k]``.

    Examples
    --------
    >>> import numpy as np
    >>> order_labels(np.array([0.7, -1.0, 0.2])).tolist()
    [2, 0, 1]
    """
    order = np.argsort(effects, kind="stable")
    names = np.empty(order.size, np.int64)
    names[order] = np.arange(order.size)
    return names


def match_labels(probabilities: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Name in a reference of each cluster, so that the two overlap most.

    Overlap is the sum over items of the products of the two probabilities of the same
    cluster. With labels instead of probabilities, pass their indicators.

    Parameters
    ----------
    probabilities, reference
        Membership of the same items, shape ``(item, cluster)``, as many clusters.

    Returns
    -------
    numpy.ndarray
        Shape ``(cluster,)``: cluster k becomes ``match_labels(...)[k]``.

    Examples
    --------
    >>> import numpy as np
    >>> fit = np.array([[0.9, 0.1, 0.0], [0.2, 0.0, 0.8], [0.1, 0.9, 0.0]])
    >>> match_labels(fit, fit[:, [1, 2, 0]]).tolist()
    [2, 0, 1]
    """
    from scipy.optimize import linear_sum_assignment

    overlap = np.asarray(probabilities).T @ np.asarray(reference)
    return linear_sum_assignment(overlap, maximize=True)[1]
