"""Linear functionals of a fitted function: values, derivatives, jumps, averages.

A fit is a combination of the orthonormal functions, so a linear functional of it is the
same combination of the functional's values at those functions. Applied to all of them
at once it gives a vector, and with the covariance of the coefficients the estimate and
its standard error follow without touching the points again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar
from warnings import warn

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, decimals, numbers
from distcausal.design.basis import Basis
from distcausal.design.check import numbers as real_numbers
from distcausal.design.intervals import (
    Axis,
    averaged,
    averaged_df,
    estimate_frame,
    interval,
    responses,
)
from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.design.result import WLSResult

__all__ = ["FunctionalEstimate", "basis_slopes", "estimated"]

Evaluator = Callable[[Any], np.ndarray]

_NONLINEAR = 1e-8
_MOST_ROWS = 25
_MOST_NUMBERS = 2**22  # held at once while errors of many functionals are found


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FunctionalEstimate(Result):
    """Linear functionals of a fitted function, with standard errors.

    Attributes
    ----------
    name
        What was estimated.
    estimate
        A number, or an array: draws first, then one entry per functional where several
        were asked for, responses last.
    std_error
        Standard errors about the value at the best approximation, in the shape of
        ``estimate``; NaN where the points do not tell, or where covariances of very
        many draws were not kept.
    df
        Degrees of freedom of ``std_error`` in Student's law, as in `WLSResult`.
    confidence
        Coverage of the intervals shown.
    draws
        Number of designs fitted; None for a single one.
    responses
        Number of values per point; None for a single one.
    levels
        Quantile levels of the values; None where they are no curves.
    settings
        Settings of the fit it was computed from.
    """

    cite_as: ClassVar[str] = "wls"

    name: str
    estimate: float | np.ndarray
    std_error: float | np.ndarray
    df: int | None
    confidence: float
    draws: int | None
    responses: int | None
    levels: np.ndarray | None
    settings: dict[str, Any]

    def __repr__(self) -> str:
        if isinstance(self.estimate, float):
            low, high = self.conf_int()
            return (
                f"<FunctionalEstimate: {self.name}, {self.estimate:.4g} "
                f"({low:.4g} to {high:.4g})>"
            )
        return f"<FunctionalEstimate: {self.name}, shape {self.estimate.shape}>"

    def conf_int(self, confidence: float | None = None) -> tuple[Any, Any]:
        """Lower and upper ends of intervals, in the shape of the estimate.

        Parameters
        ----------
        confidence
            Coverage; that of the estimate if left out.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        level = self.confidence if confidence is None else confidence
        return interval(self.estimate, self.std_error, self.df, level)

    def averaged(self) -> tuple[Any, Any]:
        """Average over the draws and its standard error, from their spread.

        For a single fit, its own estimate and standard error.
        """
        return averaged(self.estimate, self.std_error, self.draws)

    def averaged_conf_int(self, confidence: float | None = None) -> tuple[Any, Any]:
        """Ends of intervals around the average of the draws.

        With quantiles of Student's law, one degree of freedom fewer than draws; for a
        single fit as `conf_int`.

        Parameters
        ----------
        confidence
            Coverage; that of the estimate if left out.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        level = self.confidence if confidence is None else confidence
        df = averaged_df(self.df, self.draws)
        return interval(*self.averaged(), df, level)

    def tidy(self, confidence: float | None = None) -> pd.DataFrame:
        """Return one row per number.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high;
        after the term, where there are several, draw, functional and response, counted
        from 0; for quantile curves level in place of response.
        """
        level = self.confidence if confidence is None else confidence
        draws = [] if self.draws is None else [("draw", np.arange(self.draws))]
        return estimate_frame(
            [*draws, *self._axes()],
            self.estimate,
            self.std_error,
            self.df,
            level,
            term=self.name,
        )

    def _axes(self) -> list[Axis]:
        """What the axes of an average are."""
        last = responses(self.responses, self.levels)
        shape = np.shape(self.estimate)[self.draws is not None :]
        several = len(shape) > len(last)
        return [*([("functional", np.arange(shape[0]))] if several else []), *last]

    def glance(self) -> pd.DataFrame:
        """Return one row: what was estimated, how often, and the confidence."""
        import pandas as pd

        count = np.size(self.estimate)
        row = {"name": self.name, "estimates": count, "confidence": self.confidence}
        return pd.DataFrame([row])

    def summary(self) -> Table:
        """Return the printable table; for many draws, of their average."""
        mean, error = (np.ravel(field) for field in self.averaged())
        low, high = (np.ravel(end) for end in self.averaged_conf_int())
        known = error[np.isfinite(error) & (error > 0)]
        places = decimals(float(np.median(known if known.size else np.abs(mean))))
        names, labels = self._labels()
        columns = (labels, *(numbers(one, places) for one in (mean, error, low, high)))
        rows = tuple(zip(*columns, strict=True))
        df = averaged_df(self.df, self.draws)
        notes = [
            f"The intervals have confidence {self.confidence:g}, by Student's law with "
            f"{df} degrees of freedom; they are about the best approximation."
        ]
        if self.draws is not None:
            notes.append(f"Averages of {self.draws} draws, errors from their spread.")
        if len(rows) > _MOST_ROWS:
            notes.append(f"The first {_MOST_ROWS} of {len(rows)} are shown.")
        return Table(
            title=f"Linear Functional: {self.name}",
            columns=(names, "estimate", "std err", "low", "high"),
            rows=rows[:_MOST_ROWS],
            notes=tuple(notes),
        )

    def _labels(self) -> tuple[str, tuple[str, ...]]:
        """Heading and labels of the rows of the summary."""
        axes = [
            axis for axis in self._axes() if axis[0] != "functional" or len(axis[1]) > 1
        ]
        if not axes:
            return "term", (self.name,)
        found = product(*([f"{label:g}" for label in labels] for _, labels in axes))
        return ", ".join(name for name, _ in axes), tuple(map(", ".join, found))


def estimated(
    fit: WLSResult, functional: object, *, name: str | None, confidence: float
) -> FunctionalEstimate:
    """Apply a functional, given as coefficients or as a callable, to a fit."""
    level = check_confidence(confidence)
    if callable(functional):
        label = str(name or getattr(functional, "__name__", "functional"))
        weights = _applied(functional, fit.basis, label)
    else:
        label = name or "functional"
        weights = _coefficients(functional, fit.size)
    responses = fit.responses is not None
    coef = fit.coef if responses else fit.coef[..., None]
    estimate = np.einsum("...m,dmq->d...q", weights, coef.reshape(-1, *coef.shape[-2:]))
    error = _std_error(fit, weights, estimate)
    lead = () if fit.draws is None else (fit.draws,)
    shape = lead + weights.shape[:-1] + ((fit.responses,) if responses else ())
    return FunctionalEstimate(
        name=label,
        estimate=_plain(estimate.reshape(shape)),
        std_error=_plain(error.reshape(shape)),
        df=fit.df,
        confidence=level,
        draws=fit.draws,
        responses=fit.responses,
        levels=fit.levels,
        settings=fit.settings,
    )


def basis_slopes(basis: Basis, x: object, dimension: int) -> np.ndarray:
    """Derivatives of the orthonormal functions in one variable, ``(point, m)``.

    Raises
    ------
    DesignError
        If the basis knows features only, or has no such variable.
    """
    jacobian = getattr(basis, "jacobian", None)
    if jacobian is None:
        raise DesignError(
            "derivatives need functions of coordinates, which a space of features does "
            "not have. Use a PolynomialSpace or another space on a domain, or give the "
            "derivatives of the features to functional() as coefficients."
        )
    basis.evaluate(x)  # the same checks as for values
    slopes = jacobian(x)
    dim = slopes.shape[-1]
    whole = isinstance(dimension, int | np.integer) and not isinstance(dimension, bool)
    if not whole or not 0 <= dimension < dim:
        raise DesignError(
            f"dimension {dimension!r} should be one of the {dim} variables, counted "
            "from 0."
        )
    return slopes[..., dimension]


def _applied(functional: Callable[[Evaluator], Any], basis: Basis, name: str) -> Any:
    """Values of a functional at all orthonormal functions, shape ``(..., m)``.

    A functional that is not linear shows by not commuting with a change of functions.
    """
    size = len(basis.labels)
    turn = np.random.default_rng(0).normal(size=(size, size))
    weights = np.asarray(functional(basis.evaluate), dtype=float)
    turned = np.asarray(functional(lambda x: basis.evaluate(x) @ turn), dtype=float)
    if weights.shape[-1:] != (size,) or weights.ndim > 2:
        raise DesignError(
            f"functional {name!r} should take a function that returns values of shape "
            f"(point, {size}) and reduce the points: shape ({size},), or "
            f"(functional, {size}) for several; it returned {weights.shape}."
        )
    expected = weights @ turn
    gap = np.abs(turned - expected).max()
    if not gap <= _NONLINEAR * max(np.abs(expected).max(), np.finfo(float).tiny):
        raise DesignError(
            f"functional {name!r} is not linear in the function, or not finite: "
            "applied to combinations of functions it does not give the combination. "
            "Its value at the fit follows from predict; a standard error does not."
        )
    return weights


def _coefficients(functional: object, size: int) -> np.ndarray:
    """Coefficients of a functional on the orthonormal functions."""
    weights = real_numbers("a functional that is no callable", functional)
    if weights.shape[-1:] != (size,) or weights.ndim > 2:
        raise DataError(
            f"a functional should have {size} coefficients, one for each orthonormal "
            f"function of the space, or rows of them; got shape {weights.shape}. It "
            "may belong to another space."
        )
    if not np.isfinite(weights).all():
        raise DataError("the coefficients of a functional should be finite.")
    return weights


def _std_error(fit: WLSResult, weights: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Errors in the shape ``(draw, ..., response)`` of the estimate."""
    if fit.covariance is None:
        if fit.std_error is not None:
            warn(
                f"covariances of {fit.draws or 1} fits of {fit.responses or 1} values "
                f"per point to {fit.size} functions would fill the memory and were not "
                "kept: functionals have no standard errors. Fit fewer draws or values "
                "at a time.",
                InferenceWarning,
                stacklevel=4,
            )
        return np.full(estimate.shape, np.nan)
    size, count = fit.size, estimate.shape[-1]
    covariance = fit.covariance.reshape(-1, size, size)
    rows = weights.reshape(-1, size)
    # A coefficient without a known error does no harm where it is not used.
    unknown = np.isnan(np.diagonal(covariance, axis1=1, axis2=2))
    if unknown.any():
        covariance = np.where(np.isnan(covariance), 0.0, covariance)
    found = np.empty((len(covariance), len(rows)))
    step = max(_MOST_NUMBERS // rows.size, 1)
    for start in range(0, len(covariance), step):
        part = slice(start, start + step)
        found[part] = np.sum((rows @ covariance[part]) * rows, axis=-1)
    found[unknown.astype(float) @ (rows != 0).T > 0] = np.nan
    error = np.sqrt(np.maximum(found, 0)).reshape(-1, count, len(rows))
    return np.swapaxes(error, 1, 2).reshape(estimate.shape)


def _plain(values: np.ndarray) -> float | np.ndarray:
    return values if values.ndim else float(values)
