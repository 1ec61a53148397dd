"""Estimators that stay unbiased where pooled least squares does not.

With φ the orthonormal functions and d the density of every single point with respect
to the measure, the average ``b(g) = (1/n) Σ φ(x_i) g(x_i) / d(x_i)`` has the
coefficients of ``Pg`` as its mean, whatever the points have to do with each other. The
quasi-projection is ``b(f)`` itself. It carries the size of ``f`` in its error; applied
to what a fit left over it carries only the size of that. Cross-fitting fits one half of
the independent blocks and corrects on the other, ``c = c_A + b_B(f - f_A)``: given A
its mean is the coefficients of Pf, whatever A is, and its error given A is that of b_B,
at most ``m / n_B`` times ``|f - f_A|²`` under optimal weights. The halves change roles
and are averaged.

The mean over A as well. It is that of Pf as soon as it exists, and it does where c_A
has a mean. On finitely many points it always has one. So it has where A holds a
projection process: least squares on one is within ``m |f - Pf|²`` of Pf in mean square,
and fits to several are weighted by matrices whose size is bounded in the mean, as those
of ``G^-1`` and of G are. Independent points of a domain may come near to points that do
not determine the functions, so near that c_A has no mean: m points do so for
polynomials, any number of points for splines, where a single point may meet the end of
a support. For them only the first claim is made, and no fewer than m + 2 are accepted
in a half.

Errors. Given A, the estimate is an average over the points of B, and the spread of its
terms measures its variance; the two halves are uncorrelated up to order ``n⁻²``, and
each contributes its terms less one to the degrees of freedom. Blocks count as the
independent terms where there are enough of them. Otherwise points do: in a projection
process, the mean M of single terms and that of products of two different terms differ
by ``(M M' - Q) / (m - 1)``, where Q is m times a double integral against ``K² / (k
k)``. That kernel is positive semidefinite and maps ``k`` to one, so by the inequality
of Cauchy and Schwarz Q is at least ``M M'``: terms of different points correlate
negatively, mixing in independent points keeps that, and the spread of points overstates
the error.

Density. Independent points and processes with optimal weights have ``d = 1/w``. A point
of volume sampling with n points belongs to its projection process with probability
``m/n``, so ``d = (k_m + (n - m) / w) / n`` for every weight. Of N rows drawn without
replacement the others are uniform on those that the process left, and the probability
that a row is among the n, times ``N / n``, is its density.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from distcausal.design.assemble import LinearFit, assembled, keeps_covariance
from distcausal.design.fit import solved, warn_if_unstable, wls
from distcausal.design.laws import PROJECTION, Guarantees, volume
from distcausal.design.observed import observed
from distcausal.design.points import DesignPoints
from distcausal.design.result import WLSResult
from distcausal.errors import DesignError
from distcausal.numerics.replicates import Average, average_products

__all__ = ["cross_fitted_wls", "quasi_projection", "replicated_wls"]

# Few blocks say little about the error, and intervals are wide to make up for it: with
# eight a fifth wider than if it were known.
_FEWEST_BLOCKS = 8
# Of m independent points on a domain even polynomials have fits without a mean, of
# m + 1 without a variance.
_MORE_ON_DOMAINS = 2
_KNOWN_DENSITY = ("volume", "repeated volume", "subset")
_POOLED = {"repeated": "projection", "repeated volume": "volume"}


def quasi_projection(
    points: DesignPoints, y: Any, *, levels: object = None
) -> WLSResult:
    """Estimate coefficients as weighted averages over the points, without a solve.

    Unbiased for those of the best approximation under every law whose single points
    have a known density: independent points, projection processes, volume sampling, and
    what is pooled from them. Functions of the space are not reproduced, and the error
    grows with the size of the function, so it is a baseline more than an estimator:
    `cross_fitted_wls` is as unbiased and far more accurate.

    Parameters
    ----------
    points
        What `sample` or `sample_many` of a design returned.
    y, levels
        As in `wls`.

    Returns
    -------
    WLSResult
        With ``method`` ``"quasi-projection"``; standard errors come from the spread of
        blocks or of points, as its settings say.

    Raises
    ------
    DataError
        As in `wls`.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057; the density of single points, the errors
    and their negative correlation are derived in the docstring of the module.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(2))
    >>> points = dc.RepeatedDPP(space, 200).sample(seed=1)
    >>> fit = dc.quasi_projection(points, np.exp(points.x[:, 0]))
    >>> bool(abs(fit.coef[0] - np.sinh(1)) < 4 * fit.std_error[0])
    True
    """
    found = observed(y, points, levels)
    density = _inverse_density(points)
    full = keeps_covariance(points, found)
    parts = "blocks" if points.blocks >= _FEWEST_BLOCKS else "points"
    average = _average(points, density, found.values, full, parts)
    rows = points.values * density[..., None] / points.n_points
    fit = LinearFit(
        coef=average.mean,
        operator=np.swapaxes(rows, -1, -2),
        variance=average.variance,
        covariance=average.covariance,
        reproduces=False,
        df=_count(points, parts) - 1,
    )
    known = _knows_density(points)
    return assembled(
        points,
        found,
        fit,
        method="quasi-projection",
        guarantees=Guarantees(unbiased=known, marginal=known),
        expected_factor=None,
        settings={"errors": parts},
    )


def cross_fitted_wls(
    points: DesignPoints, y: Any, *, levels: object = None
) -> WLSResult:
    """Fit half of the points, correct the fit on the other half, and the reverse.

    Unbiased for the coefficients of the best approximation, and as stable as least
    squares on half of the points: what to use where a pooled design is wanted for its
    stability and unbiasedness matters too. Functions of the space are reproduced.

    Exactly: whatever the points of one half, the mean over the other is that of the
    best approximation. The mean over both is so too for pooled projection processes and
    volume sampling, and for every design on finitely many points. For independent
    points of a domain it may not exist, as their fits can be arbitrarily far off, and
    ``guarantees.unbiased`` is False.

    Parameters
    ----------
    points
        A pooled design with two or more draws, such as `RepeatedDPP`; or independent
        points, at least 2m of them on a finite space and 2m + 4 on a domain.
    y, levels
        As in `wls`.

    Returns
    -------
    WLSResult
        With ``method`` ``"cross-fitted"``; standard errors come from the spread of
        blocks or of points, as its settings say.

    Raises
    ------
    DesignError
        If the points are not made of independent blocks that can be halved, or were
        selected by looking at them.
    DataError
        As in `wls`.

    References
    ----------
    Derived in the docstring of the module, errors included.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(2))
    >>> many = dc.RepeatedDPP(space, 4).sample_many(2000, seed=1)
    >>> fits = dc.cross_fitted_wls(many, np.abs(many.x[..., 0]))
    >>> mean, error = fits.averaged()
    >>> bool(abs(mean[0] - 0.5) < 4 * error[0])
    True
    """
    found = observed(y, points, levels)
    cut = _cut(points)
    full = keeps_covariance(points, found)
    parts = "blocks" if points.blocks // 2 >= _FEWEST_BLOCKS else "points"
    halves = (_part(points, 0, cut), _part(points, cut, points.n_points))
    density = (_inverse_density(halves[0]), _inverse_density(halves[1]))
    values = (found.values[..., :cut, :], found.values[..., cut:, :])
    one = _corrected(halves, density[1], values, full, parts)
    two = _corrected(halves[::-1], density[0], values[::-1], full, parts)
    fit = LinearFit(
        coef=(one.coef + two.coef) / 2,
        # Back to the order of the points: the second fit has its halves reversed.
        operator=(one.operator + np.roll(two.operator, cut, axis=-1)) / 2,
        variance=_quarter(one.variance, two.variance),
        covariance=_quarter(one.covariance, two.covariance),
        reproduces=np.logical_and(one.reproduces, two.reproduces),
        df=_count(points, parts) - 2,
    )
    return assembled(
        points,
        found,
        fit,
        method="cross-fitted",
        guarantees=Guarantees(unbiased=_has_mean(points)),
        expected_factor=_cross_fitted_factor(points, cut),
        settings={"errors": parts},
    )


def replicated_wls(
    points: DesignPoints, y: Any, *, levels: object = None, leverage: str = "hc3"
) -> WLSResult:
    """Fit every block of a pooled design by itself.

    Least squares is unbiased in each draw of a projection process or of volume
    sampling, so the average of the fits is too, and their spread is its standard error:
    ``fit.averaged()``, ``fit.averaged_conf_int()`` and the summary give them, with
    quantiles of Student's law, one degree of freedom fewer than blocks.

    Parameters
    ----------
    points
        One draw of a pooled design with two or more blocks, such as `RepeatedVolume`.
    y, levels, leverage
        As in `wls`; ``y`` has the shape of the points.

    Returns
    -------
    WLSResult
        With the blocks as its draws.

    Raises
    ------
    DesignError
        If ``points`` are not two or more pooled draws of a projection process or of
        volume sampling, or already have an axis of draws.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(2))
    >>> points = dc.RepeatedVolume(space, 400, 6).sample(seed=1)
    >>> mean, error = dc.replicated_wls(points, np.abs(points.x[:, 0])).averaged()
    >>> bool(abs(mean[0] - 0.5) < 4 * error[0])
    True
    """
    found = observed(y, points, levels)
    each = points.n_points // points.blocks
    if points.draws is not None or points.blocks < 2 or points.law not in _POOLED:
        raise DesignError(
            f"points should be one draw of two or more independent blocks, each of "
            f"which has an unbiased fit of its own; got {points!r} with "
            f"{points.blocks} blocks of {each} for {points.size} functions. Use "
            "RepeatedDPP or RepeatedVolume, and sample()."
        )
    values = found.values.reshape(points.blocks, each, -1)
    return wls(
        _blocks_as_draws(points),
        values[..., 0] if found.scalar else values,
        levels=found.levels,
        leverage=leverage,
    )


def _blocks_as_draws(points: DesignPoints) -> DesignPoints:
    """Blocks of a pooled design as draws of the law that was pooled."""
    law = _POOLED[points.law]
    share = 1.0 if points.guarantees.marginal else 0.0

    parts = {}
    for name in ("index", "x", "weights", "values"):
        field = getattr(points, name)
        if field is not None:
            parts[name] = field.reshape(points.blocks, -1, *field.shape[1:])
    return replace(
        points,
        **parts,
        law=law,
        guarantees=PROJECTION if law == "projection" else volume(share),
        blocks=1,
        tries=np.ones(points.blocks, int),
    )


def _cut(points: DesignPoints) -> int:
    """Points in the first half, a whole number of blocks."""
    each = points.n_points // points.blocks
    cut = points.blocks // 2 * each
    least = points.size + (0 if _has_mean(points) else _MORE_ON_DOMAINS)
    if cut < least:
        raise DesignError(
            f"cross-fitting needs two independent halves of at least {least} points "
            f"each here; the {points.n_points} points ({points.law}) are "
            f"{points.blocks} independent blocks of {each}. Use RepeatedDPP or "
            "RepeatedVolume with two repeats or more, or IID with at least "
            f"{2 * least} points."
        )
    if not _knows_density(points):
        raise DesignError(
            f"cross-fitting weighs points by the density they were drawn from, which "
            f"is not known for the law {points.law!r}: points were selected by looking "
            "at them. Use the design before the selection, or wls."
        )
    return cut


def _has_mean(points: DesignPoints) -> bool:
    """Whether a fit to one half has a mean, whatever the space and the function."""
    return points.law != "iid" or points.index is not None


def _knows_density(points: DesignPoints) -> bool:
    return points.guarantees.marginal or points.law in _KNOWN_DENSITY


def _inverse_density(points: DesignPoints) -> np.ndarray:
    """One over the density of every single point with respect to the measure."""
    if points.guarantees.marginal or points.law not in _KNOWN_DENSITY:
        return points.weights
    each, size = points.n_points // points.blocks, points.size
    kernel = np.sum(points.values**2, axis=-1)
    if points.law != "subset":
        return each / (kernel + (each - size) / points.weights)
    rows = points.settings["population"]
    if rows == size:
        return np.ones(kernel.shape)
    included = (rows - each) * kernel / rows + each - size
    return each * (rows - size) / (rows * included)


def _count(points: DesignPoints, parts: str) -> int:
    """Number of parts whose spread the errors are found from."""
    return points.blocks if parts == "blocks" else points.n_points


def _average(
    points: DesignPoints,
    inverse_density: np.ndarray,
    values: np.ndarray,
    full: bool,
    parts: str,
) -> Average:
    """Average of ``φ g / d`` over points, with its error from the spread of parts."""
    rows = points.values * inverse_density[..., None]
    return average_products(rows, values, _count(points, parts), full=full)


def _corrected(
    halves: tuple[DesignPoints, DesignPoints],
    density: np.ndarray,
    values: tuple[np.ndarray, np.ndarray],
    full: bool,
    parts: str,
) -> LinearFit:
    """Fit the first half, correct on the second; the operator takes them in turn."""
    fitted, held = halves
    rows = solved(fitted, values[0])
    warn_if_unstable(fitted, rows, stacklevel=5)
    rest = values[1] - held.values @ rows.coef
    average = _average(held, density, rest, full, parts)
    spread = rows.spread * np.sqrt(fitted.weights)[..., None, :]
    own = np.swapaxes(held.values * density[..., None], -1, -2) / held.n_points
    # In this order no matrix has a row and a column for every point.
    before = spread - (own @ held.values) @ spread
    return LinearFit(
        coef=rows.coef + average.mean,
        operator=np.concatenate([before, own], axis=-1),
        variance=average.variance,
        covariance=average.covariance,
        reproduces=rows.rank == fitted.size,
    )


def _quarter(one: np.ndarray | None, two: np.ndarray | None) -> np.ndarray | None:
    """Variance of the mean of two uncorrelated estimates."""
    return None if one is None or two is None else (one + two) / 4


def _part(points: DesignPoints, start: int, stop: int) -> DesignPoints:
    """Some of the blocks, as points of their own."""
    each = points.n_points // points.blocks
    return replace(
        points,
        index=None if points.index is None else points.index[..., start:stop],
        x=None if points.x is None else points.x[..., start:stop, :],
        weights=points.weights[..., start:stop],
        values=points.values[..., start:stop, :],
        blocks=(stop - start) // each,
    )


def _cross_fitted_factor(points: DesignPoints, cut: int) -> float | None:
    """Bound of the expected squared error over the best one.

    The estimate given A misses by at most ``m / n_B |f - f_A|²``, and when A is a
    single projection process or volume sampling that is at most m + 1 times the best.
    """
    single = points.blocks == 2 and points.law in _POOLED
    if not (single and points.guarantees.marginal):
        return None
    return 1 + points.size * (points.size + 1) / cut
