"""Design-based answers written unit by unit, and random held-out arrays to ask about.

Loops over splits, folds, groups and units, straight from the definitions; nothing here
sums by matrix products, sorts once for many weights, or uses moments of folds.
"""

from __future__ import annotations

import numpy as np

from distcausal.images.scores import Scores


def random_scores(
    seed: int,
    *,
    units: int = 60,
    clusters: int = 2,
    splits: int = 3,
    folds: int = 3,
    outcomes: int = 1,
    per_group: int = 1,
    gap: float = 0.0,
) -> Scores:
    """Held-out arrays whose rules share a direction that effects follow by ``gap``."""
    draw = np.random.default_rng(seed)
    group = np.arange(units) // per_group
    names = group.max() + 1
    fold = np.stack([draw.permutation(np.arange(names) % folds) for _ in range(splits)])
    fold = fold[:, group]
    way = draw.normal(size=units)
    score = gap * way[:, None] + draw.normal(size=(splits, units, outcomes))
    first = fold == 0
    parts = []
    for _ in range(2):
        effect = way + 0.3 * draw.normal(size=(splits, units))
        power = effect[..., None] * (np.arange(clusters) - (clusters - 1) / 2)
        power = power + draw.normal(size=power.shape)
        odds = np.exp(power - power.max(axis=-1, keepdims=True))
        parts.append((odds / odds.sum(axis=-1, keepdims=True), effect))
    (probs, effect), (probs_before, effect_before) = parts
    return Scores(
        fold=fold,
        probs=probs,
        effect=effect,
        score=score,
        probs_before=np.where(first[..., None], np.nan, probs_before),
        effect_before=np.where(first, np.nan, effect_before),
        score_before=np.where(first[..., None], np.nan, score + 0.1),
        weights=draw.uniform(0.5, 2.0, units),
        group=group,
    )


def taken(scores: Scores, index: np.ndarray) -> Scores:
    """The same arrays with units in another order, or repeated."""
    found = [part[:, index] for part in scores[:7]]
    return Scores(*found, *(part[index] for part in scores[7:]))


def halved(scores: Scores, unit: int) -> Scores:
    """One unit replaced by two of half the weight in the same group."""
    index = np.append(np.arange(len(scores.weights)), unit)
    found = taken(scores, index)
    weights = found.weights.copy()
    weights[[unit, -1]] /= 2
    return found._replace(weights=weights)


def cluster_means(scores: Scores, assign: str) -> tuple[np.ndarray, np.ndarray]:
    """Share and mean score of every cluster and of all, by loops; first outcome."""
    mass, total = np.zeros(scores.clusters), np.zeros(scores.clusters)
    for split in range(len(scores.fold)):
        for unit, weight in enumerate(scores.weights):
            probs = scores.probs[split, unit]
            for k in range(scores.clusters):
                member = probs[k] if assign == "soft" else float(k == probs.argmax())
                mass[k] += weight * member
                total[k] += weight * member * scores.score[split, unit, 0]
    means = np.append(total / mass, total.sum() / mass.sum())
    return mass / mass.sum(), means


def mean_error(
    member: np.ndarray, score: np.ndarray, weights: np.ndarray, group: np.ndarray
) -> float:
    """Clustered standard error of a ratio of sums over splits and units, by loops."""
    mass = total = 0.0
    by_group: dict[int, list[float]] = {}
    for split in range(len(member)):
        for unit, weight in enumerate(weights):
            mass += weight * member[split, unit]
            total += weight * member[split, unit] * score[split, unit]
    for split in range(len(member)):
        for unit, weight in enumerate(weights):
            here = by_group.setdefault(int(group[unit]), [0.0, 0.0])
            part = weight * member[split, unit]
            here[0] += part
            here[1] += part * (score[split, unit] - total / mass)
    count = mass**2 / sum(part[0] ** 2 for part in by_group.values())
    square = sum((part[1] / mass) ** 2 for part in by_group.values())
    return float(np.sqrt(square * count / (count - 1)))


def ridge_by_gcv(
    columns: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    group: np.ndarray,
    penalties: np.ndarray,
) -> np.ndarray:
    """Intercept and slopes, the penalty by cross-validation written with hat matrices.

    ``penalties`` are in units of the mean eigenvalue of the weighted covariance.
    """
    share = weights / weights.sum()
    rows = np.column_stack([np.ones(len(columns)), columns])
    centred = columns - share @ columns
    unit = np.trace(centred.T @ (share[:, None] * centred)) / columns.shape[1]
    names = np.unique(group)
    mass = np.array([weights[group == name].sum() for name in names])
    count = mass.sum() ** 2 / (mass**2).sum()
    best, found = np.inf, None
    for penalty in penalties[::-1]:
        pull = penalty * unit * np.eye(rows.shape[1])
        pull[0, 0] = 0.0
        inverse = np.linalg.inv(rows.T @ (share[:, None] * rows) + pull)
        coef = inverse @ rows.T @ (share * response)
        hat = rows @ inverse @ rows.T * share
        rest = share @ (response - rows @ coef) ** 2
        if np.trace(hat) < count:
            score = rest / (1 - np.trace(hat) / count) ** 2
            if score < best:
                best, found = score, coef
    return found


def gain_curve(
    priority: np.ndarray, score: np.ndarray, weights: np.ndarray, share: float
) -> float:
    """Mean score of the share ranked highest, less that of all; no ties."""
    left, total = share * weights.sum(), 0.0
    for unit in np.argsort(-priority):
        used = min(left, weights[unit])
        total += used * score[unit]
        left -= used
    return total / (share * weights.sum()) - np.average(score, weights=weights)


def area(
    priority: np.ndarray, score: np.ndarray, weights: np.ndarray, target: str
) -> float:
    """Integral of the gain curve, weighted by the share for QINI, by a fine grid."""
    grid = (np.arange(1000) + 0.5) / 1000
    curve = np.array([gain_curve(priority, score, weights, q) for q in grid])
    return float(np.mean(curve * (grid if target == "qini" else 1.0)))


def bound(values: np.ndarray, mass: np.ndarray, reserve: float, miss: float) -> float:
    """Least value v with weight of values up to v at least ``(1 - miss)`` of all."""
    total = mass.sum() + reserve
    for value in sorted(values):
        if mass[values <= value].sum() >= (1 - miss) * total - 1e-9:
            return float(value)
    return np.inf
