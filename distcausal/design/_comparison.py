"""Comparisons of designs in frames, a table and a figure.

Errors span decades where a design fails, so the figure has logarithmic axes, and lines
carry their names beside their ends. Nothing here reads or changes matplotlib's
settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.figure import AXIS, INK, SMALL, prepared, titled
from distcausal._base.table import Table, decimals, number
from distcausal.design._plot import plain_ticks
from distcausal.errors import DesignError
from distcausal.numerics.monotone import project_monotone

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.design.compare import DesignComparison

__all__ = [
    "comparison_curves",
    "comparison_frame",
    "comparison_table",
    "draw_comparison",
]

# Inks differ in lightness, and dashes tell them apart in grey print.
_LINES: tuple[tuple[str, Any], ...] = (
    (INK, "-"),
    ("#a6500a", (0, (5, 1.6))),
    ("#3f8f6b", (0, (1.2, 1.4))),
    ("#7a4f9a", (0, (5, 1.6, 1.2, 1.6))),
    ("#4a7fb5", (0, (8, 2))),
    ("#8c8c8c", "-"),
)
_SIZE = (6.4, 3.9)  # inches
_APART = 0.055  # of the height of the axes between names
_ASIDE = 1.03  # of the width of the axes, where names begin
_NOTES = (
    "Errors are those of the fit over that of the best approximation.",
    "stable: share of draws with a smallest eigenvalue of G of at least 0.5; near "
    "identity: with all eigenvalues within 0.9 of one.",
    "residuals: squared error as estimated from residuals over the true one, mean.",
)


def comparison_frame(
    found: DesignComparison, deltas: Sequence[float], quantiles: Sequence[float]
) -> pd.DataFrame:
    """One row per design."""
    import pandas as pd

    columns: dict[str, Any] = {"design": found.names, "n_points": found.n_points}
    for level in _checked(quantiles):
        columns[f"ratio_{level:g}"] = np.quantile(found.ratio, level, axis=1)
    for delta in deltas:
        columns[f"lower_{delta:g}"] = found.stable(delta, "lower")
        columns[f"norm_{delta:g}"] = found.stable(delta, "norm")
    spread = found.residual_ratio.std(axis=1) / np.sqrt(found.draws)
    return pd.DataFrame(
        columns
        | {
            "gram_min": np.median(found.gram_min, axis=1),
            "residual_ratio": found.residual_ratio.mean(axis=1),
            "residual_ratio_error": spread,
            "tries": found.tries.mean(axis=1),
        }
    )


def comparison_table(found: DesignComparison) -> Table:
    """One row per design, medians and shares over the draws."""
    frame = comparison_frame(found, (0.5, 0.9), (0.5, 0.95))
    shown = ("ratio_0.5", "ratio_0.95", "lower_0.5", "norm_0.9", "residual_ratio")
    rows = tuple(
        (
            one["design"],
            str(one["n_points"]),
            *(number(one[name], _places(one[name])) for name in shown),
            number(one["tries"], decimals(one["tries"])),
        )
        for one in frame.to_dict("records")
    )
    return Table(
        title="Designs Compared",
        left=(("Functions", str(found.size)), ("Draws", str(found.draws))),
        right=(
            ("Best error", f"{found.best_error:.4g}"),
            ("Reference misses", f"{found.reference_error:.1e}"),
        ),
        columns=(
            *("design", "points", "median", "95 %", "stable", "near identity"),
            *("residuals", "tries"),
        ),
        rows=rows,
        notes=_NOTES,
    )


def comparison_curves(
    found: DesignComparison, quantiles: tuple[float, float]
) -> pd.DataFrame:
    """Medians and quantiles of the error by name and number of points."""
    low, high = _checked(quantiles)
    frame = comparison_frame(found, (), (0.5, low, high))
    kept = frame[["design", "n_points", "ratio_0.5", f"ratio_{low:g}"]].copy()
    kept.columns = ["design", "n_points", "median", "low"]
    kept["high"] = frame[f"ratio_{high:g}"]
    place = {name: at for at, name in enumerate(dict.fromkeys(found.names))}
    order = np.lexsort((kept["n_points"], kept["design"].map(place)))
    return kept.iloc[order].reset_index(drop=True)


def draw_comparison(
    found: DesignComparison, *, ax: Axes | None, quantiles: tuple[float, float]
) -> Axes:
    """Draw errors against numbers of points, a line and a band per name."""
    from matplotlib.ticker import NullLocator, ScalarFormatter

    curves = comparison_curves(found, quantiles)
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=_SIZE, layout="constrained")
    ax = prepared(ax)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ends = []
    for place, (name, curve) in enumerate(curves.groupby("design", sort=False)):
        ink, dash = _LINES[place % len(_LINES)]
        n, middle = curve["n_points"], curve["median"]
        ax.fill_between(n, curve["low"], curve["high"], color=ink, alpha=0.08, lw=0)
        for edge in (curve["low"], curve["high"]):
            ax.plot(n, edge, color=ink, linestyle=dash, linewidth=0.6)
        (line,) = ax.plot(n, middle, color=ink, linestyle=dash, label=name)
        line.set(linewidth=1.8, marker="o", markersize=3.5)
        ends.append((str(name), ink, n.iloc[-1], middle.iloc[-1]))
    ax.axhline(1.0, color=AXIS, linewidth=0.8, zorder=1)
    ax.set_xticks(sorted(set(curves["n_points"])))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_ylim(ax.get_ylim())
    plain_ticks(ax.yaxis, *ax.get_ylim())
    _name_lines(ax, ends)
    low, high = (f"{100 * level:g}" for level in quantiles)
    title = f"Medians, and {low} to {high} % of {found.draws:,} draws as bands"
    titled(ax, "Points", "Error over that of the best approximation", title)
    return ax


def _name_lines(ax: Axes, ends: list[tuple[str, str, float, float]]) -> None:
    """Write names beside the ends of their lines, with a thin line from end to name."""
    bottom, top = np.log(ax.get_ylim())
    ends = sorted(ends, key=lambda each: each[3])
    heights = (np.log([one[3] for one in ends]) - bottom) / (top - bottom)
    for (name, ink, n, middle), place in zip(ends, _apart(heights), strict=True):
        ax.annotate(
            name,
            (n, middle),
            xytext=(_ASIDE, place),
            textcoords="axes fraction",
            color=ink,
            fontsize=SMALL,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": ink,
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def _apart(heights: np.ndarray) -> np.ndarray:
    """Places nearest to ascending heights that are some way apart from each other."""
    steps = _APART * np.arange(len(heights))
    return project_monotone(heights - steps, np.ones(len(heights))) + steps


def _checked(quantiles: Sequence[float]) -> tuple[float, ...]:
    if not all(0 <= level <= 1 for level in quantiles):
        raise DesignError(
            f"quantiles {tuple(quantiles)!r} should be numbers in [0, 1]."
        )
    return tuple(float(level) for level in quantiles)


def _places(value: float) -> int:
    return decimals(max(abs(value), 1.0) if np.isfinite(value) else 1.0)
