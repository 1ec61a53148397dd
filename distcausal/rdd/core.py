"""Local polynomial fits at the cutoff and the error each unit contributes to them.

Follows Van Dijcke (2025), arXiv 2504.03992, sections 3 and 4: one-sided intercepts of
unit quantiles ``Q[i, j]``, projected on nondecreasing curves, and the rows
``s_i e_ij`` whose multiplier-weighted sums imitate the estimation error.

`fit_sides` turns a sample into `SideFit`s, whose intercepts are the curves; `unit_rows`
and `cluster_rows` pass over the units once more for their contributions. Outcome and
treatment are two `SideFit`s of the same kind; `error.py` lays their rows side by side,
so that covariances between them come by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from distcausal.numerics import localpoly
from distcausal.numerics.kernel import Kernel
from distcausal.numerics.leastsq import Solution, matrix_power, solve_moments
from distcausal.numerics.legendre import at_zero, to_powers
from distcausal.rdd.sample import Block, Sample

__all__ = [
    "ErrorRule",
    "SideFit",
    "cluster_rows",
    "clusters_by_side",
    "effective_units",
    "fit_sides",
    "inside_window",
    "rescaled",
    "sum_moments",
    "unit_rows",
    "with_limit_weights",
]

Projection = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ErrorRule:
    """How residuals are formed and weighted before they are resampled.

    Attributes
    ----------
    leverage_power
        Residuals are divided by ``(1 - leverage)**power``: 0, 1/2 (HC2), 1 (HC3).
    small_sample
        Multiply by the degrees-of-freedom factor of HC1 or CR1.
    positive_only
        Drop units whose intercept weight is not positive (R3D 0.1.0).
    """

    leverage_power: float = 1.0
    small_sample: bool = False
    positive_only: bool = False


@dataclass(frozen=True)
class SideFit:
    """Local polynomials of one order on both sides, for all columns of a sample.

    Attributes
    ----------
    sample
        The units and the columns fitted.
    kernel, bandwidth, degree
        What the fit used; ``bandwidth`` has shape ``(group, side)``, and ``degree`` is
        the size of the basis less one, at least ``order``.
    order
        Polynomial order.
    solution
        Coefficients and inverse Gram matrices by group and side.
    row
        ``G^{-1} e``, shape ``(group, side, basis)``: reads the intercept off scores.
    projection
        Makes fitted rows, shape ``(unit, level)``, nondecreasing; None leaves them.
    """

    sample: Sample
    kernel: Kernel
    bandwidth: np.ndarray
    degree: int
    order: int
    solution: Solution
    row: np.ndarray
    projection: Projection | None = None

    @property
    def coefficients(self) -> np.ndarray:
        """Kernel polynomial, in the form the compiled functions take."""
        return np.array(self.kernel.coefficients)

    @property
    def intercepts(self) -> np.ndarray:
        """Fitted values at the cutoff, shape ``(side, column)``."""
        value = np.einsum("b,gsbc->sgc", at_zero(self.degree), self.solution.coef)
        return value.reshape(2, -1) + self.sample.origin


def sum_moments(
    sample: Sample, kernel: Kernel, bandwidth: np.ndarray, degree: int
) -> localpoly.Moments:
    """Add up the moments of all blocks, as NumPy arrays."""
    groups = len(bandwidth)
    return localpoly.added(
        localpoly.side_moments(
            block.x,
            block.weight,
            block.columns(groups),
            bandwidth,
            np.array(kernel.coefficients),
            degree=degree,
        )
        for block in sample.blocks(bandwidth)
    )


def fit_sides(
    sample: Sample,
    kernel: Kernel,
    bandwidth: np.ndarray,
    orders: tuple[int, ...],
    degree: int,
    projection: Projection | None = None,
) -> tuple[SideFit, ...]:
    """Fit polynomials of several orders from one pass over the units.

    Parameters
    ----------
    sample
        Units and columns.
    kernel
        Kernel of the weights.
    bandwidth
        Shape ``(group, side)``.
    orders
        Polynomial orders wanted.
    degree
        Degree of the basis the moments are taken in, at least the largest order.
    projection
        Monotone step for fitted rows, if they are to be projected.
    """
    moments = sum_moments(sample, kernel, bandwidth, degree)
    gram, cross = np.asarray(moments.gram), np.asarray(moments.cross)
    fits = []
    for order in orders:
        solution = solve_moments(gram, cross, order)
        row = solution.inverse @ at_zero(degree)
        fits.append(
            SideFit(sample, kernel, bandwidth, degree, order, solution, row, projection)
        )
    return tuple(fits)


def inside_window(fit: SideFit) -> np.ndarray:
    """Whether each unit has positive weight at the widest bandwidth of its side."""
    below, above = fit.bandwidth.max(axis=0)
    x = fit.sample.x
    return fit.kernel(x / np.where(x >= 0, above, below)) * fit.sample.weight > 0


def effective_units(fit: SideFit) -> tuple[int, int]:
    """Units with positive kernel weight below and above, at the widest bandwidth."""
    inside, above = inside_window(fit), fit.sample.x >= 0
    return int(np.sum(inside & ~above)), int(np.sum(inside & above))


def clusters_by_side(fit: SideFit, cluster: np.ndarray) -> tuple[int, int]:
    """Clusters with a unit in the window below and above."""
    inside, above = inside_window(fit), fit.sample.x >= 0
    return (
        int(np.unique(cluster[inside & ~above]).size),
        int(np.unique(cluster[inside & above]).size),
    )


def with_limit_weights(fit: SideFit, density: float) -> SideFit:
    """Same fit, with equivalent weights from the limit of the Gram matrix.

    ``Γ^{-1} e / (n h f)`` replaces ``G^{-1} e`` (equation 14 of the paper); ``density``
    is the density of the running variable at the cutoff.
    """
    size = fit.order + 1
    limit = np.linalg.solve(fit.kernel.gram(fit.order), at_zero(fit.order))
    row = np.zeros_like(fit.row)
    mass = fit.sample.counted.size * density
    row[..., :size] = limit / (mass * fit.bandwidth[..., None])
    return replace(fit, row=row)


def rescaled(coef: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Coefficients of the same polynomials in units of another bandwidth.

    ``coef`` has shape ``(group, side, basis, column)``, bandwidths ``(group, side)``.
    """
    degree = coef.shape[2] - 1
    powers = to_powers(degree)
    ratio = (after / before)[..., None] ** np.arange(degree + 1)
    return np.linalg.inv(powers) @ (ratio[..., None] * (powers @ coef))


def _residuals(fit: SideFit, block: Block) -> np.ndarray:
    """Outcome minus fitted value, shape ``(row, group, column)``.

    Whether a curve falls is a question about the outcome itself, so the origin is
    added back before the monotone step.
    """
    outcome = block.columns(len(fit.bandwidth))
    fitted = np.asarray(
        localpoly.fitted_rows(
            block.x, fit.bandwidth, fit.solution.coef, degree=fit.degree
        )
    )
    if fit.projection is not None:
        origin = fit.sample.origin
        rows = fitted.reshape(len(block.x), -1) + origin
        fitted = (fit.projection(rows) - origin).reshape(fitted.shape)
    residual = outcome - fitted
    # A treatment that the side decides is fitted exactly, up to rounding that must not
    # be taken for an error.
    rounding = 1e-13 * (np.abs(outcome) + np.abs(fitted))
    return np.where(np.abs(residual) <= rounding, 0.0, residual)


def unit_rows(fit: SideFit, block: Block, rule: ErrorRule) -> np.ndarray:
    """Contribution of each unit of a block to the error of its side's intercepts.

    Shape ``(row, column)``.
    """
    return np.asarray(
        localpoly.contributions(
            block.x,
            block.weight,
            _residuals(fit, block),
            fit.bandwidth,
            fit.coefficients,
            fit.row,
            fit.solution.inverse,
            np.float64(rule.leverage_power),
            np.float64(rule.positive_only),
            degree=fit.degree,
        )
    ).reshape(len(block.x), -1)


def cluster_rows(
    fit: SideFit, block: Block, place: np.ndarray, clusters: int, rule: ErrorRule
) -> np.ndarray:
    """Contribution of each cluster of a block to the error of both sides' intercepts.

    With leverage power ``a`` the residuals of a cluster are multiplied by
    ``(I - H_g)^{-a}``, ``H_g`` its block of the symmetric weighted hat matrix (CR2 for
    1/2, CR3 for 1). Since ``H_g = Z G Z'`` with thin ``Z``, the product reduces to
    a power of a matrix as small as the basis.

    Returns
    -------
    Shape ``(cluster, side, column)``.
    """
    sums = localpoly.cluster_scores(
        block.x,
        block.weight,
        _residuals(fit, block),
        place,
        fit.bandwidth,
        fit.coefficients,
        degree=fit.degree,
        clusters=clusters,
    )
    gram, score = np.asarray(sums.gram), np.asarray(sums.score)
    if rule.leverage_power:
        root = matrix_power(fit.solution.inverse, 0.5)
        back = matrix_power(fit.solution.inverse, -0.5)
        free = np.eye(fit.degree + 1) - root @ gram @ root
        # A direction that one cluster alone decides has no residual there; what is left
        # of its freedom is rounding, as for single units.
        adjusted = matrix_power(free, -rule.leverage_power, least=1e-10)
        reading = np.einsum("gsb,kgsbd->kgsd", fit.row, back @ adjusted @ root)
    else:
        reading = np.broadcast_to(fit.row, (clusters, *fit.row.shape))
    return np.einsum("kgsb,kgsbc->ksgc", reading, score).reshape(clusters, 2, -1)
