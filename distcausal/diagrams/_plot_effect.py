"""Figures of estimated effects, drawn with artists of their own style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import AXIS, INK, SMALL, prepared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.diagrams.effect_result import Estimates

__all__ = ["draw_estimates"]

_WIDTH, _LINE = 6.0, 0.32  # inches


def draw_estimates(estimates: Estimates, *, ax: Axes | None, confidence: float) -> Axes:
    """Draw a line per number: a dot and its interval, the first on top.

    An interval without upper end, as ratios over 0 have, ends in an arrow.
    """
    frame = estimates.plot_data(confidence)
    axes = prepared(ax, (_WIDTH, 0.9 + _LINE * max(len(frame), 2)))
    place = np.arange(len(frame))[::-1]
    low, high = frame["conf_low"].to_numpy(), frame["conf_high"].to_numpy()
    is_open = np.isposinf(high)
    drawn = np.concatenate([low, frame["estimate"], high[~is_open]])
    high = np.where(is_open, drawn.max() + 0.2 * np.ptp(drawn), high)
    axes.hlines(place, low, high, colors=INK, linewidth=1.4)
    axes.plot(
        frame["estimate"], place, color=INK, marker="o", markersize=4, linestyle=""
    )
    axes.plot(
        high[is_open],
        place[is_open],
        color=INK,
        marker=">",
        markersize=5,
        linestyle="",
    )
    left, right = axes.get_xlim()
    if left < 0 < right:
        axes.axvline(0.0, color=AXIS, linewidth=0.8, zorder=0.5)
    axes.set_yticks(place, list(frame["term"]), fontsize=SMALL)
    axes.set_ylim(-0.6, len(frame) - 0.4)
    axes.set_xlabel(f"Estimate, {100 * confidence:.4g}% interval", fontsize=SMALL + 1)
    return axes
