"""Weighted least squares at the points of a design.

The one estimator every design here is made for: minimise ``Σ w_i |f(x_i) - v(x_i)|²``
over the space. It is linear in the values, so numbers, vectors and whole quantile
curves are fitted alike, and a thousand draws of a design are one call. Solved by QR of
the design scaled by the roots of the weights; the Gram matrix is never inverted.
"""

from __future__ import annotations

from typing import Any
from warnings import warn

import numpy as np

from distcausal.design.check import responses
from distcausal.design.points import DesignPoints
from distcausal.design.result import Certificate, WLSResult
from distcausal.errors import DataError, InferenceWarning, check_choice
from distcausal.numerics.leastsq import LEVERAGES, RowFit, robust_variance, solve_rows

__all__ = ["wls"]

UNBIASED = ("projection", "volume")


def wls(points: DesignPoints, y: Any, *, leverage: str = "hc3") -> WLSResult:
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
        values each, such as a quantile curve; for many draws ``(draw, n)`` or
        ``(draw, n, q)``.
    leverage
        ``"hc0"`` to ``"hc3"``: how residuals are enlarged in the standard errors.

    Returns
    -------
    WLSResult
        With a leading axis of draws in every field if ``points`` has one.

    Raises
    ------
    DataError
        If ``points`` is not a `DesignPoints`, the shape of ``y`` does not fit it, or a
        value is missing or infinite; the message lists the points.
    DesignError
        If ``leverage`` is not one of those offered.

    Warns
    -----
    InferenceWarning
        If points do not determine the functions, which has probability zero under a
        projection process or volume sampling but not under independent points; the fit
        is then the one with the shortest coefficients.

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
    if not isinstance(points, DesignPoints):
        raise DataError(
            f"points should be what a design's sample() returned, not "
            f"{type(points).__name__}."
        )
    shape = points.values.shape[:-1]
    values = responses(y, shape)
    root = np.sqrt(points.weights)[..., None]
    rows = solve_rows(points.values * root, values * root)
    _warn_if_undetermined(points, rows)
    scalar = np.ndim(y) == len(shape)
    spare = points.n_points > points.size

    def shaped(field: np.ndarray) -> np.ndarray:
        return field[..., 0] if scalar else field

    variance = robust_variance(rows, leverage) if spare else None
    return WLSResult(
        coef=shaped(rows.coef),
        coef_features=shaped(points.basis.to_features(rows.coef)),
        std_error=None if variance is None else shaped(np.sqrt(variance)),
        residual_error_sq=_plain(shaped(_error_sq(rows, points)))
        if spare and points.law == "volume"
        else None,
        leverage=rows.leverage,
        certificate=_certificate(points),
        basis=points.basis,
        n_points=points.n_points,
        law=points.law,
        draws=points.draws,
        responses=None if scalar else values.shape[-1],
        settings={**points.settings, "leverage": leverage},
    )


def _error_sq(rows: RowFit, points: DesignPoints) -> np.ndarray:
    """Unbiased estimate of ``|f - Pf|²``: ``Σ w e² / (n - m)``."""
    spare = points.n_points - points.size
    return np.sum(rows.residual**2, axis=-2) / spare


def _plain(values: np.ndarray | np.floating) -> float | np.ndarray:
    """Array, or the number that is all it holds."""
    return values if isinstance(values, np.ndarray) and values.ndim else float(values)


def _certificate(points: DesignPoints) -> Certificate:
    """What the drawn points promise, before any value is known."""
    spectrum = points.gram_eigenvalues
    low, high = spectrum[..., 0], spectrum[..., -1]
    with np.errstate(divide="ignore"):
        reach = np.sqrt(np.mean(points.weights, axis=-1) / low)
        condition = high / low
    return Certificate(
        gram_min=_plain(low),
        gram_max=_plain(high),
        condition=_plain(condition),
        uniform_factor=_plain(1 + reach),
        expected_factor=points.size + 1.0 if points.law in UNBIASED else None,
    )


def _warn_if_undetermined(points: DesignPoints, rows: RowFit) -> None:
    missing = np.count_nonzero(rows.rank < points.size)
    if missing:
        least = points.gram_eigenvalues[..., 0].min()
        warn(
            f"the points of {missing} of {points.draws or 1} designs do not determine "
            f"the {points.size} functions (smallest eigenvalue of G {least:.1e}); "
            "the fit there is the one with the shortest coefficients. Use "
            "VolumeSampling, which never draws such points, or more points.",
            InferenceWarning,
            stacklevel=3,
        )
