"""Distributional regression discontinuity in plain loops, to check the package against.

Written from the formulas and not from the package, and kept slow and obvious: each
level is fitted by itself, each unit's leverage is read off an explicit hat matrix, and
the bootstrap multiplies rows by the multipliers it is given.

Every outcome is a matrix of quantiles (unit, level), the running variable is already
centred at the cutoff, and bandwidths are always written as a (2, level) array: below,
above. A unit at the cutoff counts as above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

BELOW, ABOVE = 0, 1


def kernel(name: str, u: np.ndarray) -> np.ndarray:
    """Kernel weight at u, zero outside [-1, 1]."""
    u = np.abs(np.asarray(u, float))
    shape = {
        "triangular": 1 - u,
        "epanechnikov": 0.75 * (1 - u**2),
        "uniform": 0.5 * np.ones_like(u),
    }[name]
    return np.where(u <= 1, shape, 0.0)


def sides(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which units lie below the cutoff, and which at or above it."""
    return x < 0, x >= 0


def spread(h, count: int) -> np.ndarray:
    """Any form of a bandwidth as (2, level)."""
    if isinstance(h, tuple):
        below, above = h
        return np.array([np.full(count, below), np.full(count, above)], float)
    return np.broadcast_to(np.asarray(h, float), (2, count)).copy()


def cell_widths(levels: np.ndarray) -> np.ndarray:
    """Half the distance between neighbours; a whole gap at either end."""
    if levels.size == 1:
        return np.ones(1)
    gap = np.diff(levels)
    return np.concatenate([gap[:1], (gap[1:] + gap[:-1]) / 2, gap[-1:]])


@dataclass
class Local:
    """One local polynomial on one side: everything the rest needs, over all units."""

    inside: np.ndarray  # in the window of this side
    k: np.ndarray  # kernel times unit weight
    basis: np.ndarray  # (unit, power) of x / h
    gram_inverse: np.ndarray

    @classmethod
    def at(cls, x, h, order, name, member, omega):
        inside = member & (np.abs(x) <= h)
        k = np.where(inside, kernel(name, x / h) * omega, 0.0)
        basis = np.power.outer(x / h, np.arange(order + 1))
        gram = basis.T @ (k[:, None] * basis)
        return cls(inside, k, basis, np.linalg.inv(gram))

    def row(self, power: int) -> np.ndarray:
        """Weights that turn outcomes into the coefficient of (x / h)**power."""
        return self.k * (self.basis @ self.gram_inverse[power])

    def coefficients(self, y: np.ndarray) -> np.ndarray:
        return self.gram_inverse @ (self.basis.T @ (self.k * y))

    def fitted(self, y: np.ndarray) -> np.ndarray:
        return self.basis @ self.coefficients(y)

    def hat(self) -> np.ndarray:
        """Hat matrix of the regression after multiplying rows by sqrt(k)."""
        scaled = np.sqrt(self.k)[:, None] * self.basis
        return scaled @ self.gram_inverse @ scaled.T


def project(curve: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Nearest nondecreasing curve in cell-weighted least squares."""
    return isotonic_regression(curve, weights=cell).x


def rearrange(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Sort the step function that takes each value over its level's cell.

    The sorted step function is averaged over each cell, which keeps its integral. On an
    equispaced grid this sorts the values.
    """
    cell = cell_widths(levels)
    rank = np.argsort(curve, kind="stable")
    height, width = curve[rank], cell[rank]
    sorted_edge = np.concatenate([[0], np.cumsum(width)])
    cell_edge = np.concatenate([[0], np.cumsum(cell)])
    out = np.zeros(curve.size)
    for j in range(curve.size):
        for k in range(curve.size):
            low = max(cell_edge[j], sorted_edge[k])
            high = min(cell_edge[j + 1], sorted_edge[k + 1])
            out[j] += height[k] * max(high - low, 0.0) / cell[j]
    return out


def rearrange_interpolated(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The rule of R's `Rearrangement`: quantiles of 1001 interpolated heights."""
    place = (levels - levels[0]) / (levels[-1] - levels[0])
    return np.quantile(np.interp(np.arange(1001) / 1000, place, curve), place)


@dataclass
class Fit:
    """Curves, weights and influence rows of one design."""

    levels: np.ndarray
    raw: np.ndarray  # (2, level) before the monotone step
    curve: np.ndarray  # (2, level) after it
    weight: np.ndarray  # (2, unit, level): s_i on each side
    residual: np.ndarray  # (unit, level), zero outside the window, leverage included
    rows: np.ndarray  # (2, unit, level): s_i times residual, on each side
    treated: np.ndarray  # (2,) treated share on each side (sharp: 0, 1)
    treated_rows: np.ndarray  # (2, unit)

    @property
    def jump(self) -> float:
        return float(self.treated[ABOVE] - self.treated[BELOW])

    @property
    def effect(self) -> np.ndarray:
        return (self.curve[ABOVE] - self.curve[BELOW]) / self.jump

    @property
    def influence(self) -> np.ndarray:
        """(unit, level) rows whose product with multipliers imitates the error."""
        outcome = self.rows[ABOVE] - self.rows[BELOW]
        share = self.treated_rows[ABOVE] - self.treated_rows[BELOW]
        numerator = self.curve[ABOVE] - self.curve[BELOW]
        return (self.jump * outcome - np.outer(share, numerator)) / self.jump**2


def estimate(
    q: np.ndarray,
    x: np.ndarray,
    levels: np.ndarray,
    *,
    h,
    order: int = 2,
    kernel: str = "triangular",
    method: str = "frechet",
    weights: np.ndarray | None = None,
    treatment: np.ndarray | None = None,
    h_treatment=None,
    leverage: str = "hc0",
    cluster: np.ndarray | None = None,
    residuals: str = "all",
    monotone=None,
    cell: np.ndarray | None = None,
) -> Fit:
    """Fit both sides and collect the influence rows of every unit."""
    n, count = q.shape
    omega = np.ones(n) if weights is None else np.asarray(weights, float)
    cell = cell_widths(levels) if cell is None else cell
    h = spread(h, count)
    locals_ = [
        [
            Local.at(x, h[side, j], order, kernel, sides(x)[side], omega)
            for j in range(count)
        ]
        for side in (BELOW, ABOVE)
    ]
    weight = np.array([[fit.row(0) for fit in side] for side in locals_])
    weight = weight.transpose(0, 2, 1)
    raw = np.einsum("suj,uj->sj", weight, q)
    if method == "frechet":
        curve = np.array([project(one, cell) for one in raw])
    else:
        step = rearrange if monotone is None else monotone
        curve = np.array([step(one, levels) for one in raw])
    plain = _residuals(q, locals_, weight, method, cell, residuals)
    residual = _levered(plain, locals_, leverage, cluster)
    rows = weight * residual[None]
    treated = np.array([0.0, 1.0])
    treated_rows = np.zeros((2, n))
    if treatment is not None:
        treated, treated_rows = _treatment_side(
            np.asarray(treatment, float), x, h_treatment, order, kernel, omega,
            leverage, cluster, weight, residuals,
        )  # fmt: skip
    return Fit(levels, raw, curve, weight, residual, rows, treated, treated_rows)


def _residuals(q, locals_, weight, method, cell, which) -> np.ndarray:
    """Outcome minus fit for the units that `which` admits, zero for the others."""
    n, count = q.shape
    fitted = np.zeros((n, count))
    used = np.zeros((n, count), bool)
    for side in (BELOW, ABOVE):
        for j, fit in enumerate(locals_[side]):
            take = weight[side, :, j] > 0 if which == "positive" else fit.inside
            fitted[take, j] = fit.fitted(q[:, j])[take]
            used[take, j] = True
    if method == "frechet":
        for i in np.flatnonzero(used.any(axis=1)):
            fitted[i] = project(fitted[i], cell)
    return np.where(used, q - fitted, 0.0)


def _levered(residual, locals_, leverage, cluster) -> np.ndarray:
    """Residuals rescaled for leverage, level by level."""
    out = residual.copy()
    for j in range(residual.shape[1]):
        both = [locals_[BELOW][j], locals_[ABOVE][j]]
        out[:, j] = lever(residual[:, j], both, leverage, cluster)
    return out


def lever(residual, both, leverage, cluster) -> np.ndarray:
    """HC0-HC3, or CR0-CR3 when units come in clusters, for one level.

    The two sides are one regression with a block diagonal hat matrix, so a cluster that
    lies on both sides is corrected jointly.
    """
    if leverage == "hc0":
        return residual
    if leverage == "hc1":
        return _small_sample(residual, both, cluster)
    hat = both[BELOW].hat() + both[ABOVE].hat()
    k = both[BELOW].k + both[ABOVE].k
    power = {"hc2": -0.5, "hc3": -1.0}[leverage]
    groups = np.arange(k.size) if cluster is None else cluster
    out = residual.copy()
    for g in np.unique(groups):
        at = np.flatnonzero((groups == g) & (k > 0))
        block = np.eye(at.size) - hat[np.ix_(at, at)]
        value, vector = np.linalg.eigh(block)
        correct = vector @ np.diag(value**power) @ vector.T
        root = np.sqrt(k[at])
        out[at] = correct @ (root * residual[at]) / root
    return out


def _small_sample(residual, both, cluster) -> np.ndarray:
    """HC1, one factor per side; CR1, one factor for the whole regression."""
    out = residual.copy()
    if cluster is None:
        for fit in both:
            n = int((fit.k > 0).sum())
            out[fit.inside] *= np.sqrt(n / (n - fit.basis.shape[1]))
        return out
    k = both[BELOW].k + both[ABOVE].k
    n, g = int((k > 0).sum()), np.unique(cluster[k > 0]).size
    used = 2 * both[BELOW].basis.shape[1]
    return out * np.sqrt(g / (g - 1) * (n - 1) / (n - used))


def _treatment_side(
    t, x, h, order, name, omega, leverage, cluster, weight, which
):  # fmt: skip
    """Treated share on both sides with its own window, and its influence rows.

    With `which="positive"` the residuals are kept where the first level's outcome
    weight is positive and combined with those outcome weights, as R 0.1.0 does.
    """
    h = spread(h, 1)
    both = [
        Local.at(x, h[side, 0], order, name, sides(x)[side], omega)
        for side in (BELOW, ABOVE)
    ]
    share = np.array([fit.row(0) @ t for fit in both])
    residual = np.zeros(t.size)
    for side, fit in enumerate(both):
        take = weight[side, :, 0] > 0 if which == "positive" else fit.inside
        residual[take] = (t - fit.fitted(t))[take]
    residual = lever(residual, both, leverage, cluster)
    if which == "positive":
        rows = weight[:, :, 0] * residual
    else:
        rows = np.array([fit.row(0) for fit in both]) * residual
    return share, rows


def draws(influence: np.ndarray, xi: np.ndarray) -> np.ndarray:
    """(draw, level): errors that the multipliers (unit, draw) imitate."""
    return xi.T @ influence


def by_cluster(influence: np.ndarray, cluster: np.ndarray | None) -> np.ndarray:
    """Rows added up within clusters, in the sorted order of the cluster labels."""
    if cluster is None:
        return influence
    return np.array([influence[cluster == g].sum(0) for g in np.unique(cluster)])


def std_error(influence: np.ndarray, cluster: np.ndarray | None = None) -> np.ndarray:
    return np.sqrt((by_cluster(influence, cluster) ** 2).sum(0))


def order_statistic(sups: np.ndarray, confidence: float) -> float:
    """The ceil(confidence (B + 1))-th smallest of the B numbers."""
    rank = int(np.ceil(confidence * (sups.size + 1) - 1e-9))
    return float(np.sort(sups)[rank - 1])


def critical_value(
    g: np.ndarray, se: np.ndarray | None, confidence: float = 0.95
) -> float:
    """Of the constant-width band, or of the studentised one when `se` is given."""
    scaled = np.abs(g) if se is None else ratio(np.abs(g), se)
    return order_statistic(scaled.max(axis=1), confidence)


def ratio(value: np.ndarray, se: np.ndarray) -> np.ndarray:
    """value / se, and zero where both vanish."""
    return np.divide(value, se, out=np.zeros_like(value), where=se > 0)


def nullity(effect, g, at, se=None) -> tuple[float, np.ndarray]:
    """Statistic and its reference draws on the levels `at`."""
    if se is None:
        return np.abs(effect[at]).max(), np.abs(g[:, at]).max(1)
    return (
        ratio(np.abs(effect[at]), se[at]).max(),
        ratio(np.abs(g[:, at]), se[at]).max(1),
    )


def homogeneity(effect, g, at, cell) -> tuple[float, np.ndarray]:
    """Largest distance from the average over the range, and its reference draws."""
    share = cell[at] / cell[at].sum()
    return (
        np.abs(effect[at] - share @ effect[at]).max(),
        np.abs(g[:, at] - (g[:, at] @ share)[:, None]).max(1),
    )


def p_value(statistic: float, reference: np.ndarray) -> float:
    return (1 + int((reference >= statistic).sum())) / (reference.size + 1)
