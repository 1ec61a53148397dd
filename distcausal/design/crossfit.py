"""Estimators that stay unbiased where pooled least squares does not.

With φ the orthonormal functions and d the density of every single point with respect
to the measure, the average ``b(g) = (1/n) Σ φ(x_i) g(x_i) / d(x_i)`` has the
coefficients of ``Pg`` as its mean, whatever the points have to do with each other. The
quasi-projection is ``b(f)`` itself. It carries the size of ``f`` in its error; applied
to what a fit left over it carries only the size of that. Cross-fitting fits one half of
the independent blocks and corrects on the other, ``c = c_A + b_B(f - f_A)``: given A
its mean is the coefficients of Pf, so it is unbiased, and its error given A is that of
b_B, at most ``m / n_B`` times ``|f - f_A|²`` under optimal weights. The halves change
roles and are averaged.

Errors. Given A, the estimate is an average over the points of B, and the spread of its
terms measures its variance; the two halves are uncorrelated up to order ``n⁻²``. Blocks
count as the independent terms where there are enough of them. Otherwise points do: in
a projection process, the mean M of single terms and that of products of two different
terms differ by ``(M M' - Q) / (m - 1)``, where Q is m times a double integral against
``K² / (k k)``. That kernel is positive semidefinite and maps ``k`` to one, so by the
inequality of Cauchy and Schwarz Q is at least ``M M'``: terms of different points
correlate negatively, mixing in independent points keeps that, and the spread of points
overstates the error.

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

# With fewer blocks their spread says too little about the error: with eight, 95 %
# intervals by the normal law cover 91 %.
_FEWEST_BLOCKS = 8
_KNOWN_DENSITY = ("volume", "repeated volume", "subset")


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
    average, parts = _average(points, density, found.values, full)
    rows = points.values * density[..., None] / points.n_points
    fit = LinearFit(
        coef=average.mean,
        operator=np.swapaxes(rows, -1, -2),
        variance=average.variance,
        covariance=average.covariance,
        reproduces=False,
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

    Exactly unbiased for the coefficients of the best approximation, and as stable as
    least squares on half of the points: what to use where a pooled design is wanted for
    its stability and unbiasedness matters too. Functions of the space are reproduced.

    Parameters
    ----------
    points
        Independent points, at least 2m of them, or a pooled design with two or more
        draws, such as `RepeatedDPP`.
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
    halves = (_part(points, 0, cut), _part(points, cut, points.n_points))
    density = (_inverse_density(halves[0]), _inverse_density(halves[1]))
    values = (found.values[..., :cut, :], found.values[..., cut:, :])
    one, parts = _corrected(halves, density[1], values, full)
    two, _ = _corrected(halves[::-1], density[0], values[::-1], full)
    fit = LinearFit(
        coef=(one.coef + two.coef) / 2,
        # Back to the order of the points: the second fit has its halves reversed.
        operator=(one.operator + np.roll(two.operator, cut, axis=-1)) / 2,
        variance=_quarter(one.variance, two.variance),
        covariance=_quarter(one.covariance, two.covariance),
        reproduces=np.logical_and(one.reproduces, two.reproduces),
    )
    return assembled(
        points,
        found,
        fit,
        method="cross-fitted",
        guarantees=Guarantees(unbiased=True),
        expected_factor=_cross_fitted_factor(points, cut),
        settings={"errors": parts},
    )


def replicated_wls(
    points: DesignPoints, y: Any, *, levels: object = None, leverage: str = "hc3"
) -> WLSResult:
    """Fit every block of a pooled design by itself.

    Least squares is unbiased in each draw of a projection process or of volume
    sampling, so the average of the fits is too, and their spread is its standard error:
    ``fit.averaged()`` and the summary give both.

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
        If there are fewer than two blocks, blocks are too small to fit, or ``points``
        already has an axis of draws.

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
    if points.draws is not None or points.blocks < 2 or each < points.size:
        raise DesignError(
            f"points should be one draw of two or more independent blocks of at least "
            f"{points.size} points; got {points!r} with {points.blocks} blocks of "
            f"{each}. Use RepeatedDPP or RepeatedVolume, and sample()."
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
    law = "projection" if points.law == "repeated" else "volume"
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
    if cut < points.size:
        raise DesignError(
            f"cross-fitting needs two independent halves of at least {points.size} "
            f"points each; the {points.n_points} points ({points.law}) are "
            f"{points.blocks} independent blocks of {each}. Use RepeatedDPP or "
            "RepeatedVolume with two repeats or more, or IID with at least "
            f"{2 * points.size} points."
        )
    if not _knows_density(points):
        raise DesignError(
            f"cross-fitting weighs points by the density they were drawn from, which "
            f"is not known for the law {points.law!r}: points were selected by looking "
            "at them. Use the design before the selection, or wls."
        )
    return cut


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


def _average(
    points: DesignPoints, inverse_density: np.ndarray, values: np.ndarray, full: bool
) -> tuple[Average, str]:
    """Average of ``φ g / d`` over points, and what its error was found from."""
    enough = points.blocks >= _FEWEST_BLOCKS
    rows = points.values * inverse_density[..., None]
    parts = points.blocks if enough else points.n_points
    found = average_products(rows, values, parts, full=full)
    return found, "blocks" if enough else "points"


def _corrected(
    halves: tuple[DesignPoints, DesignPoints],
    density: np.ndarray,
    values: tuple[np.ndarray, np.ndarray],
    full: bool,
) -> tuple[LinearFit, str]:
    """Fit the first half, correct on the second; the operator takes them in turn."""
    fitted, held = halves
    rows = solved(fitted, values[0])
    warn_if_unstable(fitted, rows, stacklevel=5)
    rest = values[1] - held.values @ rows.coef
    average, parts = _average(held, density, rest, full)
    spread = rows.spread * np.sqrt(fitted.weights)[..., None, :]
    own = np.swapaxes(held.values * density[..., None], -1, -2) / held.n_points
    before = spread - own @ (held.values @ spread)
    found = LinearFit(
        coef=rows.coef + average.mean,
        operator=np.concatenate([before, own], axis=-1),
        variance=average.variance,
        covariance=average.covariance,
        reproduces=rows.rank == fitted.size,
    )
    return found, parts


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
    single = points.blocks == 2 and points.law in ("repeated", "repeated volume")
    if not (single and points.guarantees.marginal):
        return None
    return 1 + points.size * (points.size + 1) / cut
