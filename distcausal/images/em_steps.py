"""The two halves of an iteration of `em`: memberships, then everything else.

Both are closed forms or one Newton step on a few matrices; what they pass between them
are parameters in their own units, baseline and effects as the coefficients of one
regression.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from distcausal.images.model import Layout, pack, shapes

__all__ = [
    "Rows",
    "State",
    "closed",
    "expect",
    "maximise",
    "memberships",
    "opened",
    "ordered",
    "regression",
    "spread_of",
]

NARROW = 1e-3  # least gap between effects; the model takes its logarithm
_HEAD, _BASE, _NOISE = 3.0, 1.0, 1.0  # scales of the half-normal priors of the model
_BIAS = 1.5


class Rows(NamedTuple):
    """What the iterations work on: units and images that have weight.

    Attributes
    ----------
    outcome, treatment, weights
        Shape ``(unit,)``.
    image
        Position of each unit's image, ``(unit,)``.
    design
        One, features of the image, covariates, ``(unit, column)``.
    features
        One and features, ``(image, 1 + feature)``.
    contrast
        From free logits to those of the clusters in use, ``(cluster - 1, cluster)``.
    cell
        Column of the noise of each arm and cluster, ``(arm, cluster)``.
    level, effect
        Centres of priors.
    layout
        Of the whole model, which may have clusters that are not in use.
    """

    outcome: np.ndarray
    treatment: np.ndarray
    weights: np.ndarray
    image: np.ndarray
    design: np.ndarray
    features: np.ndarray
    contrast: np.ndarray
    cell: np.ndarray
    level: float
    effect: float
    layout: Layout

    @property
    def clusters(self) -> int:
        """Number of clusters in use."""
        return self.contrast.shape[1]


class State(NamedTuple):
    """Parameters in their own units.

    Attributes
    ----------
    head
        Weights of the free logits, the first row their intercepts, ``(1 + feature,
        cluster - 1)``.
    base
        Coefficients of the baseline, then average effect and gaps.
    noise
        Variances, ``(column,)``.
    head_scale, base_scale
        Spreads of the weights.
    """

    head: np.ndarray
    base: np.ndarray
    noise: np.ndarray
    head_scale: float
    base_scale: float


def _steps(clusters: int) -> np.ndarray:
    """From average effect and gaps to effects, ``(cluster, cluster)``."""
    rise = np.tril(np.ones((clusters, clusters)))[:, 1:]
    return np.hstack([np.ones((clusters, 1)), rise - rise.mean(axis=0)])


def opened(rows: Rows, vector: np.ndarray) -> State:
    """Parameters of the clusters in use, from the vector of all."""
    table = shapes(rows.layout)
    cuts = np.cumsum([int(np.prod(shape)) for shape in table.values()])[:-1]
    parts = zip(table.items(), np.split(vector, cuts), strict=True)
    params = {name: part.reshape(shape) for (name, shape), part in parts}
    some = rows.clusters - 1
    head_scale, base_scale = np.exp(params["head_scale"]), np.exp(params["base_scale"])
    head = np.vstack([params["bias"], head_scale * params["head"]])[:, :some]
    gaps = np.maximum(np.exp(params["gaps"][:some]), NARROW)
    pieces = (
        params["level"],
        base_scale[0] * params["base"][:, 0],
        params["slopes"][:, 0],
    )
    base = np.concatenate([*pieces, [params["centre"]], gaps])
    noise = np.exp(2 * params["noise"][:, 0])
    return State(head, base, noise, float(head_scale), float(base_scale[0]))


def closed(rows: Rows, state: State) -> np.ndarray:
    """The vector of all parameters, zeros for clusters that are not in use."""
    layout = rows.layout
    most, some = layout.clusters - 1, rows.clusters - 1
    spare = np.zeros((len(state.head), most - some))
    head = np.hstack([state.head, spare])
    _, weights, slopes, _, gaps = np.split(state.base, _cuts(rows))
    params = {
        "bias": head[0],
        "head": head[1:] / state.head_scale,
        "head_scale": np.log(state.head_scale),
        "centre": state.base[-1 - some],
        "gaps": np.concatenate([np.log(gaps), np.zeros(most - some)]),
        "level": state.base[0],
        "base": weights[:, None] / state.base_scale,
        "base_scale": np.log(state.base_scale),
        "slopes": slopes[:, None],
        "noise": 0.5 * np.log(state.noise)[:, None],
    }
    return pack(params, layout)


def _cuts(rows: Rows) -> list[int]:
    """Where level, weights, slopes, average effect and gaps meet."""
    columns = rows.design.shape[1]
    return [1, 1 + rows.layout.features, columns, columns + 1]


def _variance(rows: Rows, state: State) -> np.ndarray:
    """Noise variance of every unit in every cluster."""
    return state.noise[rows.cell[rows.treatment.astype(int)]]


def _residual(rows: Rows, state: State) -> np.ndarray:
    """Outcome less its mean, ``(unit, cluster)``."""
    columns = rows.design.shape[1]
    effects = _steps(rows.clusters) @ state.base[columns:]
    level = rows.design @ state.base[:columns]
    return (rows.outcome - level)[:, None] - rows.treatment[:, None] * effects


def expect(rows: Rows, state: State) -> tuple[np.ndarray, float]:
    """Memberships given outcomes ``(image, cluster)`` and the log likelihood."""
    variance = _variance(rows, state)
    squares = _residual(rows, state) ** 2 / variance + np.log(2 * np.pi * variance)
    terms = np.empty((len(rows.features), rows.clusters))
    for place in range(rows.clusters):
        weighted = -0.5 * rows.weights * squares[:, place]
        terms[:, place] = np.bincount(rows.image, weighted, len(terms))
    joint = _log_softmax(rows.features @ state.head @ rows.contrast) + terms
    top = joint.max(axis=1, keepdims=True)
    odds = np.exp(joint - top)
    total = odds.sum(axis=1, keepdims=True)
    return odds / total, float(np.sum(top + np.log(total)))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities, the last axis the clusters."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def maximise(rows: Rows, state: State, share: np.ndarray) -> tuple[State, float]:
    """Better parameters given memberships, and the evidence's part beside the fit."""
    base, root, first = regression(rows, state, share)
    state = state._replace(base=base)
    state = state._replace(noise=_noise(rows, state, share, root))
    weights = base[1 : _cuts(rows)[1]]
    spread = np.sum(weights**2) + np.trace(root[1 : _cuts(rows)[1], 1 : _cuts(rows)[1]])
    state = state._replace(base_scale=spread_of(spread, len(weights), _BASE))
    second = 0.0
    if rows.clusters > 1:
        head, variance, second = memberships(rows, state, share)
        spread = np.sum(head[1:] ** 2 + variance[1:])
        scale = spread_of(spread, head[1:].size, _HEAD)
        state = state._replace(head=head, head_scale=scale)
    return state, first + second


def spread_of(spread: float, count: int, prior: float) -> float:
    """Spread of weights whose expected squares sum to ``spread``, prior half-normal.

    Maximises ``-count log(s) - spread / (2 s**2) - s**2 / (2 prior**2)``.
    """
    if count == 0:
        return prior
    square = 2 * spread / (count + np.sqrt(count**2 + 4 * spread / prior**2))
    return float(np.sqrt(max(square, 1e-8)))


def _noise(
    rows: Rows, state: State, share: np.ndarray, inverse: np.ndarray
) -> np.ndarray:
    """Variances; coefficients that are not certain have left some of it in the fit."""
    part = inverse[: rows.design.shape[1], : rows.design.shape[1]]
    unsure = np.sum((rows.design @ part) * rows.design, axis=1)
    squares = _residual(rows, state) ** 2 + unsure[:, None]
    mass = rows.weights[:, None] * share[rows.image]
    cell = rows.cell[rows.treatment.astype(int)].ravel()
    counts = np.bincount(cell, mass.ravel(), len(state.noise))
    sums = np.bincount(cell, (mass * squares).ravel(), len(state.noise))
    # Maximises -count log(s) - sum / (2 s**2) - s**2 / 2 over the standard deviation.
    found = 2 * sums / (counts + np.sqrt(counts**2 + 4 * sums / _NOISE**2))
    return np.where(counts > 0, np.maximum(found, 1e-8), 1.0)


def regression(
    rows: Rows, state: State, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Baseline and ordered effects by one weighted ridge regression.

    Returns
    -------
    Coefficients, the inverse of their curvature, and the prior's and the determinant's
    part of the evidence.
    """
    steps = _steps(rows.clusters)
    precision = rows.weights[:, None] * share[rows.image] / _variance(rows, state)
    treated = rows.treatment[:, None] * precision
    total = precision.sum(axis=1)
    mixed = rows.design.T @ treated
    gram = np.block(
        [
            [rows.design.T @ (total[:, None] * rows.design), mixed @ steps],
            [(mixed @ steps).T, steps.T @ np.diag(treated.sum(axis=0)) @ steps],
        ]
    )
    pull = np.concatenate(
        [rows.design.T @ (total * rows.outcome), (rows.outcome @ treated) @ steps]
    )
    columns, features = rows.design.shape[1], rows.layout.features
    prior = np.ones(len(gram))
    prior[1 : 1 + features] = 1 / state.base_scale**2
    centre = np.zeros(len(gram))
    centre[0], centre[columns] = rows.level, rows.effect
    bend = gram + np.diag(prior)
    found = ordered(bend, pull + prior * centre, columns + 1)
    volume = np.linalg.slogdet(bend)[1]
    loss = np.sum(prior * (found - centre) ** 2) - np.log(prior).sum()
    return found, np.linalg.inv(bend), -0.5 * float(loss + volume)


def ordered(bend: np.ndarray, pull: np.ndarray, first: int) -> np.ndarray:
    """Least ``x' bend x / 2 - pull' x`` with a least gap from position ``first`` on.

    What is free is profiled out, which leaves least squares without negative
    coefficients.
    """
    found = np.linalg.solve(bend, pull)
    if np.all(found[first:] >= NARROW):
        return found
    from scipy.optimize import nnls

    across = bend[:first, first:]
    profile = np.linalg.solve(bend[:first, :first], np.c_[across, pull[:first]])
    rest = bend[first:, first:] - across.T @ profile[:, :-1]
    aim = pull[first:] - across.T @ profile[:, -1] - NARROW * rest.sum(axis=1)
    root = np.linalg.cholesky(rest)
    found[first:] = NARROW + nnls(root.T, np.linalg.solve(root, aim))[0]
    found[:first] = profile[:, -1] - profile[:, :-1] @ found[first:]
    return found


def memberships(
    rows: Rows, state: State, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """One Newton step of the multinomial regression of memberships on features.

    Returns
    -------
    Weights; their variances, with what is lost by not seeing the clusters; the prior's
    and the determinant's part of the evidence.
    """
    size = state.head.shape
    odds = np.exp(_log_softmax(rows.features @ state.head @ rows.contrast))
    prior = np.full(size, 1 / state.head_scale**2)
    prior[0] = 1 / _BIAS**2
    slope = rows.features.T @ ((share - odds) @ rows.contrast.T) - prior * state.head
    complete = _curvature(rows, odds)
    bend = complete + np.diag(prior.ravel())
    step = np.linalg.solve(bend, slope.ravel()).reshape(size)
    head = state.head + step / max(1.0, np.abs(step).max())
    width = 1 / np.sqrt(prior.ravel())
    seen = (complete - _curvature(rows, share)) * np.outer(width, width)
    values, ways = np.linalg.eigh(seen)
    values = 1 + np.maximum(values, 0.0)
    variance = width**2 * (ways**2 @ (1 / values))
    loss = np.sum(prior * head**2) + np.log(values).sum()
    return head, variance.reshape(size), -0.5 * float(loss)


def _curvature(rows: Rows, share: np.ndarray) -> np.ndarray:
    """Features' products, weighted by the covariance of a draw of the cluster."""
    size = len(rows.contrast)
    parts = share @ rows.contrast.T
    blocks = []
    for one in range(size):
        row = []
        for other in range(size):
            both = share @ (rows.contrast[one] * rows.contrast[other])
            mass = both - parts[:, one] * parts[:, other]
            row.append(rows.features.T @ (mass[:, None] * rows.features))
        blocks.append(row)
    stacked = np.array(blocks)  # one, other, feature, feature
    count = size * rows.features.shape[1]
    return stacked.transpose(2, 0, 3, 1).reshape(count, count)
