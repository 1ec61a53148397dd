"""Estimates as frames and as rows of a table, the same for every design-based result.

Columns have the names that all results of the package share; what could not be
estimated is missing in a frame and said in words in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.table import decimals, number, p_value
from distcausal.errors import DesignError
from distcausal.numerics.band import check_confidence
from distcausal.numerics.student import reach, two_sided

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ESTIMATE_COLUMNS",
    "NOT_ESTIMATED",
    "estimate_frame",
    "estimate_rows",
    "filled",
    "only_confidence",
    "read_only",
]

_SHARED = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
ESTIMATE_COLUMNS = ("estimate", "std. error", "p-value", "low", "high")
NOT_ESTIMATED = "not estimated"


def estimate_frame(
    terms: Sequence[str],
    estimate: np.ndarray,
    std_error: np.ndarray,
    df: np.ndarray,
    confidence: float,
) -> pd.DataFrame:
    """One row per term with Student intervals and two-sided p-values.

    Parameters
    ----------
    terms
        Names.
    estimate, std_error, df
        Shape ``(term,)``; infinite degrees of freedom are those of the normal law.
    confidence
        Coverage of the intervals.
    """
    import pandas as pd

    known = np.where(np.isfinite(df), df, 1e12)
    tests = [
        two_sided(np.asarray(e), np.asarray(s), float(d))
        for e, s, d in zip(estimate, std_error, known, strict=True)
    ]
    margin = np.array([reach(confidence, float(d)) for d in known]) * std_error
    return pd.DataFrame(
        {
            "term": list(terms),
            "estimate": estimate,
            "std_error": std_error,
            "statistic": [float(t) for t, _ in tests],
            "p_value": [float(p) for _, p in tests],
            "conf_low": estimate - margin,
            "conf_high": estimate + margin,
        }
    )


def filled(frame: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """The frame with the columns all results share, missing where it had none.

    They come after ``term`` in their usual order, columns of its own behind them.
    A confidence that is none is refused, also where there is no interval to take it.
    """
    check_confidence(confidence)
    own = [name for name in frame.columns if name not in ("term", *_SHARED)]
    return frame.reindex(columns=["term", *_SHARED, *own])


def only_confidence(confidence: float | None, own: float) -> float:
    """The confidence intervals were found for; refuse to give them for another.

    Raises
    ------
    DesignError
        If ``confidence`` is neither None nor ``own``.
    """
    if confidence is not None and check_confidence(confidence) != own:
        raise DesignError(
            f"these intervals were found for confidence {own:g} and tell none for "
            f"another. Give confidence={confidence:g} to the call that makes them."
        )
    return own


def read_only(values: np.ndarray) -> np.ndarray:
    """An array just worked out, closed to writing like those that results hold."""
    values.flags.writeable = False
    return values


def estimate_rows(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of a table: term, then `ESTIMATE_COLUMNS`."""
    errors = frame["std_error"].to_numpy(float)
    known = errors[np.isfinite(errors) & (errors > 0)]
    places = decimals(float(known.min()) if known.size else 1.0, 2)
    rows: list[tuple[str, ...]] = []
    for row in frame.to_dict("records"):
        if not np.isfinite(row["estimate"]):
            rows.append((row["term"], NOT_ESTIMATED, "", "", "", ""))
            continue
        ends = (row["conf_low"], row["conf_high"])
        rows.append(
            (
                row["term"],
                number(row["estimate"], places),
                number(row["std_error"], places),
                p_value(row["p_value"]) if np.isfinite(row["p_value"]) else "",
                *(number(end, places) for end in ends),
            )
        )
    return rows
