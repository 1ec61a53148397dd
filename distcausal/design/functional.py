"""Linear functionals of a fitted function: values, derivatives, jumps, averages.

A fit is a combination of the orthonormal functions, so a linear functional of it is the
same combination of the functional's values at those functions. Applied to all of them
at once it gives a vector, and with the covariance of the coefficients the estimate and
its standard error follow without touching the points again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, decimals, numbers
from distcausal.design.basis import Basis
from distcausal.errors import DataError, DesignError
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.design.result import WLSResult

__all__ = ["FunctionalEstimate", "basis_slopes", "estimated"]

Evaluator = Callable[[Any], np.ndarray]

_NONLINEAR = 1e-8
_MOST_ROWS = 25


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
        Robust standard errors, in the shape of ``estimate``; NaN where the points do
        not tell, or where covariances of very many draws were not kept.
    confidence
        Coverage of the intervals shown.
    draws
        Number of designs fitted; None for a single one.
    settings
        Settings of the fit it was computed from.
    """

    cite_as: ClassVar[str] = "wls"

    name: str
    estimate: float | np.ndarray
    std_error: float | np.ndarray
    confidence: float
    draws: int | None
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
        reach = _reach(self.confidence if confidence is None else confidence)
        width = reach * self.std_error
        return self.estimate - width, self.estimate + width

    def averaged(self) -> tuple[Any, Any]:
        """Average over the draws and its standard error, from their spread.

        For a single fit, its own estimate and standard error.
        """
        if self.draws is None:
            return self.estimate, self.std_error
        found = np.asarray(self.estimate)
        if self.draws == 1:
            return found[0], np.full(found.shape[1:], np.nan)
        spread = found.std(axis=0, ddof=1) / np.sqrt(self.draws)
        return found.mean(axis=0), spread

    def tidy(self, confidence: float | None = None) -> pd.DataFrame:
        """Return one row per number.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high.
        """
        import pandas as pd
        from scipy.special import erfc

        estimate, error = np.ravel(self.estimate), np.ravel(self.std_error)
        low, high = self.conf_int(confidence)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = estimate / error
        return pd.DataFrame(
            {
                "term": self.name,
                "estimate": estimate,
                "std_error": error,
                "statistic": z,
                "p_value": erfc(np.abs(z) / np.sqrt(2.0)),
                "conf_low": np.ravel(low),
                "conf_high": np.ravel(high),
            }
        )

    def glance(self) -> pd.DataFrame:
        """Return one row: what was estimated, how often, and the confidence."""
        import pandas as pd

        count = np.size(self.estimate)
        row = {"name": self.name, "estimates": count, "confidence": self.confidence}
        return pd.DataFrame([row])

    def summary(self) -> Table:
        """Return the printable table; for many draws, of their average."""
        mean, error = (np.ravel(field) for field in self.averaged())
        width = _reach(self.confidence) * error
        known = error[np.isfinite(error) & (error > 0)]
        places = decimals(float(np.median(known if known.size else np.abs(mean))))
        columns = (
            [str(place) for place in range(len(mean))],
            *(
                numbers(field, places)
                for field in (mean, error, mean - width, mean + width)
            ),
        )
        rows = tuple(zip(*columns, strict=True))
        notes = [f"The intervals have confidence {self.confidence:g}."]
        if self.draws is not None:
            notes.append(f"Averages of {self.draws} draws, errors from their spread.")
        if len(rows) > _MOST_ROWS:
            notes.append(f"The first {_MOST_ROWS} of {len(rows)} are shown.")
        return Table(
            title=f"Linear Functional: {self.name}",
            columns=("number", "estimate", "std err", "low", "high"),
            rows=rows[:_MOST_ROWS],
            notes=tuple(notes),
        )


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
        confidence=level,
        draws=fit.draws,
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
    try:
        weights = np.array(functional, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"a functional should be numbers or a callable: {error}."
        ) from error
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
        return np.full(estimate.shape, np.nan)
    size, count = fit.size, estimate.shape[-1]
    covariance = fit.covariance.reshape(-1, count, size, size)
    rows = weights.reshape(-1, size)
    used = rows != 0
    # A coefficient without a known error does no harm where it is not used.
    found = np.empty((len(covariance), len(rows), count))
    for place, (row, kept) in enumerate(zip(rows, used, strict=True)):
        part = covariance[..., kept, :][..., kept]
        found[:, place] = np.einsum("i,dqij,j->dq", row[kept], part, row[kept])
    return np.sqrt(np.maximum(found, 0)).reshape(estimate.shape)


def _reach(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1.0 + check_confidence(confidence)) / 2.0)


def _plain(values: np.ndarray) -> float | np.ndarray:
    return values if values.ndim else float(values)
