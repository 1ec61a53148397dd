"""Fits at design points in tables and frames, a single one or many averaged.

Where a space was made from features with names, as a regression is, the summary shows
their coefficients: the orthonormal functions made of them mean nothing to a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.table import Pairs, Table, decimals, number, numbers, p_value
from distcausal.design.intervals import Axis, averaged_df, estimate_frame, responses
from distcausal.numerics.student import two_sided

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.design.functional import FunctionalEstimate
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
    "points": "Standard errors come from the spread of single points: too large on "
    "average where points repel each other, and rough where they are few.",
}


def fit_frame(fit: WLSResult, confidence: float, features: bool) -> pd.DataFrame:
    """One row per coefficient, draws outermost, responses innermost."""
    draws = [] if fit.draws is None else [("draw", np.arange(fit.draws))]
    if features:
        names, found = _features(fit)
        axes = [*draws, ("term", names), *responses(fit.responses, fit.levels)]
        return estimate_frame(axes, found.estimate, found.std_error, fit.df, confidence)
    error = np.nan * fit.coef if fit.std_error is None else fit.std_error
    return estimate_frame([*draws, *_axes(fit)], fit.coef, error, fit.df, confidence)


def plot_frame(fit: WLSResult, confidence: float) -> pd.DataFrame:
    """One row per averaged coefficient."""
    df = averaged_df(fit.df, fit.draws)
    return estimate_frame(_axes(fit), *fit.averaged(), df, confidence)


def _axes(fit: WLSResult) -> list[Axis]:
    labels = np.array(fit.basis.labels, dtype=object)
    return [("term", labels), *responses(fit.responses, fit.levels)]


def _features(fit: WLSResult) -> tuple[np.ndarray, FunctionalEstimate]:
    """Names of the features of the space and their coefficients, as functionals."""
    rows = fit.basis.to_features(np.eye(fit.size))
    used = rows.any(axis=1)  # not those that others determine
    names = np.array(getattr(fit.basis, "names", fit.basis.labels), dtype=object)
    return names[used], fit.functional(rows[used], name="features")


def fit_glance(fit: WLSResult) -> pd.DataFrame:
    """One row: size, spectrum, guarantees, and the estimated error."""
    import pandas as pd

    certificate = fit.certificate
    error_sq = _error_sq(fit)
    unbiased = fit.residual_error_sq is not None
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
                "residual_error_sq": error_sq if unbiased else None,
                "best_error": None if error_sq is None else float(np.sqrt(error_sq)),
            }
        ]
    )


def fit_table(fit: WLSResult) -> Table:
    """Coefficients of one response with their errors, and what is promised."""
    heading, labels, mean, error = _coefficients(fit)
    if fit.responses is not None:
        shown = _shown(fit)
        mean, error = mean[:, shown], error[:, shown]
    t, p = two_sided(mean, error, averaged_df(fit.df, fit.draws))
    known = error[np.isfinite(error)]
    scale = known if known.size else np.abs(mean)
    places = np.full(len(mean), decimals(float(np.median(scale))))
    if heading == "feature":  # each in a unit of its own
        size = np.where(np.isfinite(error) & (error > 0), error, np.abs(mean))
        places = np.array([decimals(float(one)) for one in size])
    columns = (
        labels,
        tuple(map(number, mean, places)),
        tuple(map(number, error, places)),
        numbers(t, 3),
        tuple("" if np.isnan(one) else p_value(one) for one in p),
    )
    rows = tuple(zip(*columns, strict=True))
    return Table(
        title=_TITLES[fit.method],
        left=_size_pairs(fit),
        right=_promise_pairs(fit),
        columns=(heading, "coef", "std err", "t", "P>|t|"),
        rows=rows[:_MOST_ROWS],
        notes=_notes(fit),
    )


def _coefficients(
    fit: WLSResult,
) -> tuple[str, tuple[str, ...], np.ndarray, np.ndarray]:
    """Heading, names, averages and errors: of features where they have names."""
    told = fit.covariance is not None or fit.std_error is None
    if told and hasattr(fit.basis, "names"):
        names, found = _features(fit)
        return "feature", tuple(names), *found.averaged()
    return "function", fit.basis.labels, *fit.averaged()


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
    error_sq = _error_sq(fit)
    if error_sq is not None and fit.residual_error_sq is not None:
        pairs.append(("Squared best error", f"{error_sq:.4g}"))
    elif error_sq is not None:
        pairs.append(("Best error, not unbiased", f"{np.sqrt(error_sq):.4g}"))
    return tuple(pairs)


def _error_sq(fit: WLSResult) -> float | None:
    """Squared error of the best approximation: mean over draws, sum over values."""
    return None if fit.best_error is None else float(np.mean(fit.best_error**2))


def _notes(fit: WLSResult) -> tuple[str, ...]:
    notes = []
    if fit.guarantees.unbiased:
        notes.append(
            "The coefficients are unbiased for those of the best approximation."
        )
    elif fit.method == "cross-fitted":
        notes.append(
            "The correction on one half is unbiased given the points of the other; the "
            "mean over both need not exist for independent points of a domain."
        )
    lost = int(np.count_nonzero(~np.isfinite(fit.certificate.uniform_factor)))
    if fit.method != "quasi-projection" and lost:
        notes.append(
            f"The points of {lost} of {fit.draws or 1} designs do not determine the "
            "functions; the shortest coefficients stand for what they leave open."
        )
    if fit.best_error is not None:
        notes.append("Noise of the values counts as error of the best approximation.")
    notes.extend(_error_notes(fit))
    if fit.size > _MOST_ROWS:
        notes.append(f"The first {_MOST_ROWS} of {fit.size} coefficients are shown.")
    if fit.responses is not None:
        shown = _shown(fit)
        what = "first" if fit.levels is None else f"level {fit.levels[shown]:g}"
        notes.append(f"Of {fit.responses} values per point the {what} is shown.")
    return tuple(notes)


def _shown(fit: WLSResult) -> int:
    """Which value of a point the table shows: of curves the middle."""
    return 0 if fit.levels is None else (len(fit.levels) - 1) // 2


def _error_notes(fit: WLSResult) -> list[str]:
    """What standard errors come from, what they are about and which law they follow."""
    if fit.draws is not None:
        notes = [
            "Standard errors come from the spread of the draws.",
            "Properties of the designs are medians over the draws.",
        ]
    elif fit.std_error is None:
        return [
            "As many points as functions leave no residuals and no standard errors."
        ]
    elif "leverage" in fit.settings:
        kind = str(fit.settings["leverage"]).upper()
        notes = [f"Standard errors are robust to heteroscedasticity ({kind})."]
    else:
        notes = [_ERRORS[fit.settings["errors"]]]
    target = "the best approximation in the space, not the function itself"
    if fit.guarantees.error_sq == "subset":
        rows = fit.settings["population"]
        target = f"the fit to all {rows} rows, with the values they have"
    df = averaged_df(fit.df, fit.draws)
    return [
        *notes,
        f"They are about {target}; p-values are of Student's law with {df} degrees of "
        "freedom.",
    ]


def _typical(values: Any) -> str:
    return f"{float(np.median(values)):.4g}"
