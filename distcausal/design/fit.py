"""Weighted least squares at the points of a design.

The one estimator every design here is made for: minimise ``Σ w_i |f(x_i) - v(x_i)|²``
over the space. It is linear in the values, so numbers, vectors and whole quantile
curves are fitted alike, and a thousand draws of a design are one call. Solved by QR of
the design scaled by the roots of the weights; the Gram matrix is never inverted.

Errors are about the best approximation: what a function leaves over beyond the space
acts as noise at the points, and the sandwich sees it together with noise of the values.
They refer to Student's law with n - m degrees of freedom.

Rows drawn without replacement estimate the fit to all N rows, and when all are drawn
they are that fit. Let the values have errors of equal variance s². Given the rows drawn
the coefficients then differ from those of all rows with covariance
``s² ((A'A)^-1 - (X'X)^-1)``, A being the rows drawn. By the identity
``E (A'A)^-1 = (N - m + 1) / (k - m + 1) (X'X)^-1`` the mean of that is
``(N - k) / (N - m + 1)`` times the mean of ``s² (A'A)^-1``, which is what a sandwich
estimates; so it is multiplied by that number. For rows of which some m are dependent,
the identity is an upper bound, and the errors err on the large side.
"""

from __future__ import annotations

from typing import Any
from warnings import warn

import numpy as np

from distcausal.design.assemble import LinearFit, assembled, keeps_covariance
from distcausal.design.observed import Observed, observed
from distcausal.design.points import DesignPoints
from distcausal.design.result import WLSResult
from distcausal.errors import InferenceWarning, check_choice
from distcausal.numerics.leastsq import (
    LEVERAGES,
    RowFit,
    leave_one_out,
    robust_covariance,
    robust_variance,
    solve_rows,
)

__all__ = ["solved", "warn_if_unstable", "wls"]

# Beyond this condition number of G half the digits of the values are lost.
_ILL_CONDITIONED = 1e16


def wls(
    points: DesignPoints, y: Any, *, levels: object = None, leverage: str = "hc3"
) -> WLSResult:
    """Fit a function from its values at the points of a design.

    Estimates the best approximation of ``f`` in the space, ``Pf``, in mean square under
    the measure of the space. Under a projection process or volume sampling the
    coefficients are unbiased for those of ``Pf``, and the expected squared error is at
    most ``(m + 1) |f - Pf|²`` with any number of points from m on.

    Parameters
    ----------
    points
        What `sample` or `sample_many` of a design returned.
    y
        Values of the function at the points: shape ``(n,)``, or ``(n, q)`` for q
        values each; for many draws ``(draw, n)`` or ``(draw, n, q)``. Or a
        `RandomDistributions` with one unit per point, in their order: its quantile
        curves are fitted, and `WLSResult.distributions` predicts others.
    levels
        Quantile levels at which distributions are read; their own if left out, where
        they are quantile curves. With an array ``y`` it says that its values are
        quantiles at these levels.
    leverage
        ``"hc0"`` to ``"hc3"``: how residuals are enlarged in the standard errors.
        Those are about the best approximation ``Pf``; after `SubsetVolumeSampling`
        about the fit to all rows, with the values that the rows have.

    Returns
    -------
    WLSResult
        With a leading axis of draws in every field if ``points`` has one.

    Raises
    ------
    DataError
        If ``points`` is not a `DesignPoints`, the shape of ``y`` does not fit it, a
        value is missing or infinite (the message lists the points), or distributions
        have no levels.
    DesignError
        If ``leverage`` is not one of those offered.

    Warns
    -----
    InferenceWarning
        If points do not determine the functions, which has probability zero under a
        projection process or volume sampling but not under independent points; the fit
        is then the one with the shortest coefficients, without standard errors of those
        that are not determined. Also if they determine them so badly that half of all
        digits are lost.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057; Cohen and Migliorati (2017),
    arXiv:1608.00512.

    Examples
    --------
    Twelve evaluations of an expensive function, and what they say about the best
    polynomial of degree five:

    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(5))
    >>> points = dc.VolumeSampling(space, 12).sample(seed=1)
    >>> fit = dc.wls(points, np.exp(points.x[:, 0]))
    >>> grid = np.linspace(-1, 1, 5)
    >>> bool(np.abs(fit.predict(grid) - np.exp(grid)).max() < 1e-3)
    True
    >>> bool(fit.residual_error_sq < 1e-6)
    True
    """
    check_choice("leverage", leverage, tuple(LEVERAGES))
    found = observed(y, points, levels)
    rows = solved(points, found.values)
    warn_if_unstable(points, rows, stacklevel=3)
    return assembled(
        points,
        found,
        _as_linear(points, found, rows, leverage),
        method="wls",
        guarantees=points.guarantees,
        expected_factor=points.size + 1.0 if points.guarantees.bounded else None,
        settings={"leverage": leverage},
    )


def solved(points: DesignPoints, values: np.ndarray) -> RowFit:
    """Weighted least squares as one on rows scaled by the roots of the weights."""
    root = np.sqrt(points.weights)[..., None]
    return solve_rows(points.values * root, values * root)


def _as_linear(
    points: DesignPoints, y: Observed, rows: RowFit, leverage: str
) -> LinearFit:
    spare = points.n_points > points.size
    full = spare and keeps_covariance(points, y)
    root, left = np.sqrt(points.weights), _left_to_chance(points)
    return LinearFit(
        coef=rows.coef,
        operator=rows.spread * root[..., None, :],
        variance=left * robust_variance(rows, leverage) if spare else None,
        covariance=left * robust_covariance(rows, leverage) if full else None,
        df=points.n_points - points.size if spare else None,
        loo_residual=leave_one_out(rows) / root[..., None],
        residual_sq=np.sum(rows.residual**2, axis=-2),
        reproduces=rows.rank == points.size,
        spectrum=_spectrum(points, rows),
    )


def _left_to_chance(points: DesignPoints) -> float:
    """Share of the variance that remains when rows are drawn without replacement."""
    if points.guarantees.error_sq != "subset":
        return 1.0
    rows = points.settings["population"]
    return (rows - points.n_points) / (rows - points.size + 1)


def _spectrum(points: DesignPoints, rows: RowFit) -> np.ndarray:
    """Eigenvalues of G, ascending, from what the fit computed anyway."""
    return rows.singular[..., ::-1] ** 2 / points.n_points


def warn_if_unstable(points: DesignPoints, rows: RowFit, stacklevel: int) -> None:
    """Say where functions or digits are lost; drawing again would bias the fit."""
    lost = rows.rank < points.size
    spectrum = _spectrum(points, rows)
    bad = spectrum[..., -1] > _ILL_CONDITIONED * np.maximum(spectrum[..., 0], 0)
    if not (lost | bad).any():
        return
    least = spectrum[..., 0].min()
    what = (
        f"do not determine the {points.size} functions (smallest eigenvalue of G "
        f"{least:.1e}); the fit there is the one with the shortest coefficients"
        if lost.any()
        else f"determine the {points.size} functions badly (condition number of G "
        f"{np.max(spectrum[..., -1] / spectrum[..., 0]):.1e}); the fit there has lost "
        "half of its digits or more"
    )
    warn(
        f"the points of {np.count_nonzero(lost if lost.any() else bad)} of "
        f"{points.draws or 1} designs {what}. Use VolumeSampling, which hardly ever "
        "draws such points, or more points.",
        InferenceWarning,
        stacklevel=stacklevel,
    )
