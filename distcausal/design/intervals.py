"""Estimates with errors, of one design or averaged over many, in one manner.

Coefficients and functionals of them are reported alike: intervals by Student's law,
averages over the draws with the error of their spread, and frames with one row per
number whose columns name the draw, the functional and the value of a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.numerics.student import reach, two_sided

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Axis", "averaged", "averaged_df", "estimate_frame", "interval", "responses"]

Axis = tuple[str, Sequence[Any] | np.ndarray]


def interval(
    estimate: Any, error: Any, df: int | None, confidence: float
) -> tuple[Any, Any]:
    """Lower and upper ends of intervals, in the shape of the estimates."""
    width = reach(confidence, df) * error
    return estimate - width, estimate + width


def averaged(estimate: Any, error: Any, draws: int | None) -> tuple[Any, Any]:
    """Average over a first axis of draws and its standard error, from their spread.

    Without such an axis the estimate and its error; NaN for a single draw.
    """
    if draws is None:
        return estimate, error
    found = np.asarray(estimate)
    if draws == 1:
        return found[0], np.full(found.shape[1:], np.nan)
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(draws)


def averaged_df(df: int | None, draws: int | None) -> int | None:
    """Degrees of freedom of the errors of `averaged`."""
    return df if draws is None else draws - 1


def responses(count: int | None, levels: np.ndarray | None) -> list[Axis]:
    """Axis of the values of a point: levels of curves, numbers of others, or none."""
    if count is None:
        return []
    if levels is not None:
        return [("level", levels)]
    return [("response", np.arange(count))]


def estimate_frame(
    axes: Sequence[Axis],
    estimate: Any,
    error: Any,
    df: int | None,
    confidence: float,
    *,
    term: str | None = None,
) -> pd.DataFrame:
    """One row per number, the last axis innermost; what it is about comes first.

    ``term`` names all numbers, unless one of the axes is called so.
    """
    import pandas as pd

    found, spread = np.asarray(estimate), np.asarray(error)
    places = np.indices(found.shape).reshape(found.ndim, found.size)
    columns: dict[str, Any] = {
        name: np.asarray(labels)[place]
        for (name, labels), place in zip(axes, places, strict=True)
    }
    first = {"term": columns.pop("term", term)}
    low, high = interval(found, spread, df, confidence)
    t, p = two_sided(found, spread, df)
    numbers = {
        "estimate": found,
        "std_error": spread,
        "statistic": t,
        "p_value": p,
        "conf_low": low,
        "conf_high": high,
    }
    return pd.DataFrame(
        first | columns | {name: values.ravel() for name, values in numbers.items()}
    )
