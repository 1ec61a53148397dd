"""From coefficients to a result: what every linear estimator here has to add.

Each estimator of this package is a matrix applied to the values at the points. Given
that matrix, the coefficients and their covariance, the rest does not depend on which
estimator it was: the certificate, the weights of the quadrature rule that integrates
the fit, tables.

The quadrature rule exists when constants belong to the space: with u their coefficients
the integral of a fit is ``u' coef``. The projection of the constant one has the
integrals of the orthonormal functions as its coefficients, and constants belong to the
space if it is as long as the constant, and one at the points drawn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from distcausal.design.laws import Guarantees
from distcausal.design.observed import Observed, count_distinct
from distcausal.design.points import DesignPoints
from distcausal.design.result import Certificate, WLSResult
from distcausal.numerics.bounds import uniform_factor

__all__ = ["LinearFit", "assembled", "keeps_covariance"]

_MOST_NUMBERS = 2**24  # covariances beyond 128 MiB are not kept
_CONSTANT = 1e-8  # rounding of integrals of the functions, and of their values


class LinearFit(NamedTuple):
    """An estimate that is linear in the values.

    Attributes
    ----------
    coef
        Shape ``(..., function, response)``.
    operator
        The estimate as a combination of values, shape ``(..., function, point)``.
    variance
        Of ``coef``, in its shape; None where the points do not tell.
    covariance
        Shape ``(..., response, function, function)``; None where not kept.
    loo_residual
        Shape ``(..., point, response)``; None where the estimator has none.
    residual_sq
        Sum of weighted squared residuals, shape ``(..., response)``; None likewise.
    reproduces
        Whether functions of the space are fitted without error, shape ``(...)``.
    df
        Degrees of freedom of the variance; None where there is none.
    spectrum
        Eigenvalues of G, ascending, shape ``(..., function)``; None where not known.
    """

    coef: np.ndarray
    operator: np.ndarray
    variance: np.ndarray | None
    covariance: np.ndarray | None
    loo_residual: np.ndarray | None = None
    residual_sq: np.ndarray | None = None
    reproduces: np.ndarray | bool = True
    df: int | None = None
    spectrum: np.ndarray | None = None


def keeps_covariance(points: DesignPoints, y: Observed) -> bool:
    """Whether the covariances of all fits are few enough to be kept."""
    each = points.size**2 * y.values.shape[-1]
    return (points.draws or 1) * each <= _MOST_NUMBERS


def assembled(
    points: DesignPoints,
    y: Observed,
    fit: LinearFit,
    *,
    method: str,
    guarantees: Guarantees,
    expected_factor: float | None,
    settings: dict[str, Any],
) -> WLSResult:
    """Everything a result holds, with the axes its reader expects."""
    error = None if fit.residual_sq is None else _error_sq(fit.residual_sq, points)
    unbiased = error if guarantees.error_sq is not None else None
    constant = _constant(points)
    covariance = fit.covariance
    if covariance is not None and y.scalar:
        covariance = covariance[..., 0, :, :]
    return WLSResult(
        coef=y.shaped(fit.coef),
        coef_features=y.shaped(points.basis.to_features(fit.coef)),
        std_error=None if fit.variance is None else y.shaped(np.sqrt(fit.variance)),
        covariance=covariance,
        df=fit.df,
        residual_error_sq=None if unbiased is None else _plain(y.shaped(unbiased)),
        best_error=None if error is None else _plain(np.sqrt(y.total(error))),
        leverage=_own_influence(points, fit.operator),
        loo_residual=None if fit.loo_residual is None else y.shaped(fit.loo_residual),
        quadrature_weights=None
        if constant is None
        else np.einsum("m,...mn->...n", constant, fit.operator),
        constant=constant,
        certificate=_certificate(points, fit, expected_factor),
        basis=points.basis,
        n_points=points.n_points,
        n_unique=count_distinct(points),
        law=points.law,
        method=method,
        guarantees=guarantees,
        draws=points.draws,
        responses=y.responses,
        levels=y.levels,
        settings={**points.settings, **settings},
    )


def _error_sq(residual_sq: np.ndarray, points: DesignPoints) -> np.ndarray | None:
    """Estimate of ``|f - Pf|²``, unbiased where the law says so."""
    spare = points.n_points - points.size
    if spare == 0:
        return None
    error = residual_sq / spare
    if points.guarantees.error_sq == "subset":
        whole = points.settings["population"]
        error *= (whole - points.size) / whole
    return error


def _own_influence(points: DesignPoints, operator: np.ndarray) -> np.ndarray:
    """How much the fit at every point moves with the value there."""
    return np.einsum("...nm,...mn->...n", points.values, operator)


def _constant(points: DesignPoints) -> np.ndarray | None:
    """Coefficients of the constant function one; None where it is not in the space."""
    # One is as long as its projection, and no longer, where it is in the space. A
    # little outside it is hardly longer, and is told by its values.
    if abs(np.linalg.norm(points.means) - 1) > _CONSTANT:
        return None
    gap = np.abs(points.values @ points.means - 1)
    room = _CONSTANT * np.maximum(np.linalg.norm(points.values, axis=-1), 1.0)
    return points.means if (gap <= room).all() else None


def _certificate(
    points: DesignPoints, fit: LinearFit, expected_factor: float | None
) -> Certificate:
    """What the drawn points promise, before any value is known."""
    spectrum = points.gram_eigenvalues if fit.spectrum is None else fit.spectrum
    low, high = spectrum[..., 0], spectrum[..., -1]
    with np.errstate(divide="ignore"):
        condition = high / low
    return Certificate(
        gram_min=_plain(low),
        gram_max=_plain(high),
        condition=_plain(condition),
        uniform_factor=_plain(_uniform(points, fit, low)),
        expected_factor=expected_factor,
    )


def _uniform(points: DesignPoints, fit: LinearFit, low: np.ndarray) -> np.ndarray:
    """Error in mean square over the smallest uniform error, at most."""
    columns = np.einsum("...mn,...mn->...n", fit.operator, fit.operator)
    moved = np.sqrt(columns).sum(axis=-1)
    by_column = np.where(fit.reproduces, 1 + moved, np.inf)
    if fit.residual_sq is None:
        return by_column
    by_spectrum = uniform_factor(points.weights.mean(axis=-1), low)
    return np.where(fit.reproduces, np.minimum(by_column, by_spectrum), np.inf)


def _plain(values: Any) -> Any:
    """Array, or the number that is all it holds; None as it is."""
    if values is None or (isinstance(values, np.ndarray) and values.ndim):
        return values
    return float(values)
