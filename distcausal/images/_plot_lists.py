"""Figures of lists: estimates with intervals, splits, parts of effects, single units.

They belong to the design layer. A row is a cluster, a rule, a split or a unit; what was
not estimated keeps its row and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import (
    AXIS,
    DASHED,
    EARTH,
    EDGE,
    INK,
    PALE,
    SMALL,
    legend_above,
    percent,
    prepared,
    titled,
    zero_line,
)
from distcausal.images._estimates import NOT_ESTIMATED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.images.conformal import UnitEffects
    from distcausal.images.homogeneity import EffectHomogeneity
    from distcausal.images.orthogonal import EffectParts

__all__ = ["draw_estimates", "draw_parts", "draw_splits", "draw_units"]

_ROW = 0.38  # inches per estimate
_SMALL_P = 0.01  # p-values below this need a scale of powers of ten to be seen
_SMALLEST = 1e-16  # drawn; zero has no place on that scale


def draw_estimates(
    frame: pd.DataFrame, *, ax: Axes | None, across: str, confidence: float
) -> Axes:
    """Draw a dot and an interval for each row, the first on top.

    Parameters
    ----------
    frame
        Columns term, estimate, conf_low, conf_high; and share or treated, shown beside
        the name, where there is one.
    ax
        Axes to draw into; None makes new ones.
    across
        What the estimates are, with their units.
    confidence
        Coverage of the intervals in the frame.
    """
    axes = prepared(ax, (6.0, 1.1 + _ROW * len(frame)))
    place = np.arange(len(frame))[::-1]
    low, high = frame["conf_low"].to_numpy(float), frame["conf_high"].to_numpy(float)
    estimate = frame["estimate"].to_numpy(float)
    known = np.isfinite(estimate)
    axes.axvline(0.0, color=AXIS, linewidth=0.8, zorder=1)
    axes.hlines(place[known], low[known], high[known], color=INK, linewidth=1.6)
    (dots,) = axes.plot(estimate[known], place[known], "o", color=INK, markersize=5)
    dots.set_zorder(3)
    for row in place[~known]:
        axes.annotate(
            NOT_ESTIMATED,
            (0.0, float(row)),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=INK,
        )
    axes.set_yticks(place, _names(frame))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(frame) - 0.4)
    titled(axes, across, "", f"{percent(confidence)} intervals")
    return axes


def _names(frame: pd.DataFrame) -> Sequence[str]:
    """Terms, with the share of units that each is about."""
    terms = [str(term)[:1].upper() + str(term)[1:] for term in frame["term"]]
    for column in ("share", "treated"):
        if column in frame:
            parts = zip(terms, frame[column], strict=True)
            return [f"{term} ({100 * share:.0f}% of units)" for term, share in parts]
    return terms


def draw_splits(test: EffectHomogeneity, *, ax: Axes | None) -> Axes:
    """P-values of single splits in order, and the one that combines them."""
    from matplotlib.ticker import MaxNLocator

    axes = prepared(ax)
    each = np.sort(test.plot_data()["p_value"].to_numpy(float))
    order = np.arange(1, len(each) + 1)
    shown = np.maximum(each, _SMALLEST)
    (dots,) = axes.plot(order, shown, "o", color=INK, markersize=5, zorder=3)
    dots.set_label("Each split on its own")
    whole = axes.axhline(
        max(test.p_value, _SMALLEST), color=EARTH, linewidth=1.6, zorder=2
    )
    whole.set(linestyle=DASHED, label=f"All splits together: {_p(test.p_value)}")
    least = max(min(float(each[0]), test.p_value), _SMALLEST)
    if least < _SMALL_P:
        axes.set_yscale("log")
        axes.set_ylim(least / 3, 2.0)
    else:
        axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(0.4, len(each) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    against = {"ordered": "effects rise as predicted", "any": "effects differ"}
    title = f"Equal effects in all clusters, against: {against[test.alternative]}"
    titled(axes, "Split, by its p-value", "P-value")
    legend_above(axes, columns=2, title=title)
    return axes


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.0005 else f"p = {value:.3f}"


def draw_parts(parts: EffectParts, *, ax: Axes | None) -> Axes:
    """What covariates and what only the image say about effects, as spreads."""
    axes = prepared(ax, (6.0, 2.2))
    frame = parts.plot_data()
    spread = np.sqrt(np.maximum(frame["variance"].to_numpy(float), 0.0))
    place = np.arange(len(frame))[::-1]
    axes.barh(place, spread, height=0.5, color=(PALE, INK), edgecolor=INK, linewidth=1)
    room = float(spread.max()) or 1.0
    for row, size, value in zip(place, spread, frame["p_value"], strict=True):
        axes.text(size + 0.02 * room, row, _p(value), va="center", fontsize=SMALL)
    axes.set_yticks(place, ["Linear in covariates", "Only in the image"])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0.0, 1.25 * room), ylim=(-0.6, len(frame) - 0.4))
    titled(axes, "Standard deviation of the effect (units of the outcome)", "")
    return axes


def draw_units(found: UnitEffects, *, ax: Axes | None) -> Axes:
    """Intervals of single units, ordered by their middle."""
    from matplotlib.ticker import MaxNLocator

    axes = prepared(ax)
    bounded = np.isfinite(found.low) & np.isfinite(found.high)
    low, high = found.low[bounded], found.high[bounded]
    order = np.argsort(low + high, kind="stable")
    at = np.arange(1, len(order) + 1)
    zero_line(axes)
    axes.vlines(at, low[order], high[order], color=EDGE, linewidth=0.7, zorder=2)
    middle = (low + high)[order] / 2
    axes.plot(at, middle, color=INK, linewidth=1.7, zorder=3, label="Middle")
    open_ = int((~bounded).sum())
    said = f"; unbounded and left out: {open_}" if open_ else ""
    titled(
        axes,
        "Unit, by the middle of its interval",
        "Effect on the unit\n(units of the outcome)",
        f"{percent(found.confidence)} intervals, conservative{said}",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.01)
    axes.legend(loc="upper left", frameon=False, fontsize=SMALL)
    return axes
