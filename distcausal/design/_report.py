"""Fits at design points in tables and frames, a single one or many averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.table import Pairs, Table, decimals, numbers, p_value

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.design.result import WLSResult

__all__ = ["fit_frame", "fit_glance", "fit_table", "plot_frame"]

_MOST_ROWS = 25
_LAWS = {
    "iid": "independent points",
    "projection": "projection process",
    "repeated": "repeated projection process",
    "volume": "volume sampling",
    "repeated volume": "repeated volume sampling",
    "subset": "volume sampling of subsets",
}
_TITLES = {
    "wls": "Weighted Least Squares at Design Points",
    "cross-fitted": "Cross-Fitted Weighted Least Squares at Design Points",
    "quasi-projection": "Quasi-Projection at Design Points",
}
_ERRORS = {
    "blocks": "Standard errors come from the spread of independent blocks of points.",
    "points": "Standard errors come from the spread of single points; they are too "
    "large rather than too small where points repel each other.",
}


def fit_frame(fit: WLSResult, confidence: float) -> pd.DataFrame:
    """One row per coefficient, draws outermost, responses innermost."""
    low, high = fit.conf_int(confidence)
    error = np.full(fit.coef.shape, np.nan) if fit.std_error is None else fit.std_error
    return _frame(fit, fit.coef, error, (low, high))


def plot_frame(fit: WLSResult, confidence: float) -> pd.DataFrame:
    """One row per averaged coefficient."""
    from statistics import NormalDist

    from distcausal.numerics.band import check_confidence

    reach = NormalDist().inv_cdf((1.0 + check_confidence(confidence)) / 2.0)
    mean, error = fit.averaged()
    return _frame(fit, mean, error, (mean - reach * error, mean + reach * error))


def fit_glance(fit: WLSResult) -> pd.DataFrame:
    """One row: size, spectrum, guarantees, and the estimated error."""
    import pandas as pd

    certificate = fit.certificate
    error, best = fit.residual_error_sq, fit.best_error
    return pd.DataFrame(
        [
            {
                "law": fit.law,
                "method": fit.method,
                "n_points": fit.n_points,
                "n_unique": fit.n_unique,
                "n_functions": fit.size,
                "draws": fit.draws or 1,
                "gram_min": float(np.median(certificate.gram_min)),
                "gram_max": float(np.median(certificate.gram_max)),
                "condition": float(np.median(certificate.condition)),
                "uniform_factor": float(np.median(certificate.uniform_factor)),
                "expected_factor": certificate.expected_factor,
                "residual_error_sq": None if error is None else float(np.mean(error)),
                "best_error": None if best is None else float(np.median(best)),
            }
        ]
    )


def fit_table(fit: WLSResult) -> Table:
    """Coefficients of the first response with their errors, and what is promised."""
    mean, error = fit.averaged()
    if fit.responses is not None:
        mean, error = mean[:, 0], error[:, 0]
    z, p = _tests(mean, error)
    known = error[np.isfinite(error)]
    scale = known if known.size else np.abs(mean)
    places = decimals(float(np.median(scale)))
    columns = (
        fit.basis.labels,
        numbers(mean, places),
        numbers(error, places),
        numbers(z, 3),
        tuple("" if np.isnan(one) else p_value(one) for one in p),
    )
    rows = tuple(zip(*columns, strict=True))
    return Table(
        title=_TITLES[fit.method],
        left=_size_pairs(fit),
        right=_promise_pairs(fit),
        columns=("function", "coef", "std err", "z", "P>|z|"),
        rows=rows[:_MOST_ROWS],
        notes=_notes(fit),
    )


def _size_pairs(fit: WLSResult) -> Pairs:
    pairs = [
        ("Design", _LAWS.get(fit.law, fit.law)),
        ("Points", str(fit.n_points)),
        ("Functions", str(fit.size)),
    ]
    if fit.draws is not None:
        pairs.append(("Draws averaged", str(fit.draws)))
    if fit.responses is not None:
        pairs.append(("Values per point", str(fit.responses)))
    return tuple(pairs)


def _promise_pairs(fit: WLSResult) -> Pairs:
    certificate = fit.certificate
    pairs = [
        ("Smallest eigenvalue of G", _typical(certificate.gram_min)),
        ("Condition number of G", _typical(certificate.condition)),
    ]
    if np.isfinite(certificate.uniform_factor).any():
        bound = f"<= {_typical(certificate.uniform_factor)}"
        pairs.append(("Error over best uniform", bound))
    if certificate.expected_factor is not None:
        bound = f"<= {certificate.expected_factor:g}"
        pairs.append(("Expected sq. error over best", bound))
    if fit.residual_error_sq is not None:
        error = float(np.mean(fit.residual_error_sq))
        pairs.append(("Squared best error", f"{error:.4g}"))
    elif fit.best_error is not None:
        pairs.append(("Best error, not unbiased", _typical(fit.best_error)))
    return tuple(pairs)


def _notes(fit: WLSResult) -> tuple[str, ...]:
    notes = []
    if fit.guarantees.unbiased:
        notes.append(
            "The coefficients are unbiased for those of the best approximation."
        )
    if fit.draws is not None:
        notes.append("Standard errors come from the spread of the draws.")
        notes.append("Properties of the designs are medians over the draws.")
    elif fit.std_error is None:
        notes.append(
            "As many points as functions leave no residuals and no standard errors."
        )
    elif "leverage" in fit.settings:
        kind = str(fit.settings["leverage"]).upper()
        notes.append(f"Standard errors are robust to heteroscedasticity ({kind}).")
    else:
        notes.append(_ERRORS[fit.settings["errors"]])
    if fit.size > _MOST_ROWS:
        notes.append(f"The first {_MOST_ROWS} of {fit.size} coefficients are shown.")
    if fit.responses is not None:
        notes.append(f"The first of {fit.responses} values per point is shown.")
    return tuple(notes)


def _typical(values: Any) -> str:
    return f"{float(np.median(values)):.4g}"


def _frame(
    fit: WLSResult,
    coef: np.ndarray,
    error: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    """Frame of arrays that share a shape: draws first, responses last, if any."""
    import pandas as pd

    draws = fit.draws is not None and coef.shape == fit.coef.shape
    place = dict(
        zip(
            [*["draw"] * draws, "term", *["response"] * (fit.responses is not None)],
            np.indices(coef.shape).reshape(coef.ndim, -1),
            strict=True,
        )
    )
    place["term"] = np.array(fit.basis.labels, dtype=object)[place["term"]]
    z, p = _tests(coef, error)
    columns = {
        "estimate": coef,
        "std_error": error,
        "statistic": z,
        "p_value": p,
        "conf_low": ends[0],
        "conf_high": ends[1],
    }
    order = [name for name in ("term", "draw", "response") if name in place]
    return pd.DataFrame(
        {name: place[name] for name in order}
        | {name: values.ravel() for name, values in columns.items()}
    )


def _tests(coef: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients in standard errors and two-sided normal p-values."""
    from scipy.special import erfc

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(coef == 0, np.where(np.isnan(error), np.nan, 0.0), coef / error)
    return z, erfc(np.abs(z) / np.sqrt(2.0))
