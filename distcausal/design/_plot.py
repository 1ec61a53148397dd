"""Figures of fits at design points, drawn with artists of their own style.

Nothing here reads or changes matplotlib's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from distcausal.design.result import WLSResult

__all__ = [
    "AXIS",
    "EARTH",
    "EDGE",
    "INK",
    "PALE",
    "SMALL",
    "draw_coefficients",
    "plain_ticks",
    "prepared",
    "titled",
]

INK, EDGE, PALE = "#08306b", "#4a7fb5", "#d5e4f2"
EARTH, AXIS = "#a6500a", "#4d4d4d"
SMALL = 9  # points, for ticks and labels inside a figure
_SIZE = (6.0, 3.7)  # inches
_LETTER = 0.6 * SMALL  # points, the width of a letter
_MOST_NAMED = 30  # functions whose names fit under the axis, upright
# Ticks in a decade, by how many times the least value the largest one is.
_TICKS = ((10.0, (1, 1.5, 2, 3, 4, 5, 7)), (1e3, (1, 2, 5)), (np.inf, (1,)))
_EVEN = 4.0  # times the least, up to which ticks are evenly spaced


def prepared(ax: Axes | None) -> Axes:
    """Axes to draw into, with the two spines that carry a scale."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=_SIZE, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=AXIS, linewidth=0.8)
    ax.tick_params(color=AXIS, width=0.8, labelsize=SMALL)
    return ax


def titled(ax: Axes, across: str, up: str, title: str | None = None) -> None:
    """Names of both axes, and what the figure shows above its left corner."""
    ax.set_xlabel(across, fontsize=SMALL + 1)
    ax.set_ylabel(up, fontsize=SMALL + 1)
    if title is not None:
        ax.set_title(title, loc="left", fontsize=SMALL, color=AXIS)


def plain_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis as plain numbers, several however short the axis."""
    from matplotlib.ticker import (
        LogLocator,
        MaxNLocator,
        NullLocator,
        StrMethodFormatter,
    )

    if high < _EVEN * low:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    else:
        subs = next(each for most, each in _TICKS if high <= most * low)
        axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def draw_coefficients(fit: WLSResult, *, ax: Axes | None, confidence: float) -> Axes:
    """Draw every coefficient with its interval, values of a point side by side."""
    ax = prepared(ax)
    frame = fit.plot_data(confidence)
    each = fit.responses or 1
    aside = (np.arange(len(frame)) % each + 1) / (each + 1) - 0.5
    place = np.arange(len(frame)) // each + aside
    ax.axhline(0.0, color=AXIS, linewidth=0.8, zorder=1)
    ax.vlines(place, frame["conf_low"], frame["conf_high"], colors=EDGE, linewidth=1.4)
    (dots,) = ax.plot(place, frame["estimate"], color=INK, marker="o")
    dots.set(linestyle="", markersize=3.5)
    if fit.size <= _MOST_NAMED:
        _name_functions(ax, fit.basis.labels)
    several = None if each == 1 else f"{each} values of a point side by side"
    titled(ax, "Orthonormal function", "Coefficient", several)
    return ax


def _name_functions(ax: Axes, names: Sequence[str]) -> None:
    """Names under the axis, upright where they would run into each other."""
    ax.set_xticks(range(len(names)), names)
    width = ax.get_window_extent().width / ax.figure.dpi * 72  # points
    if _LETTER * sum(len(name) + 1 for name in names) > width:
        ax.tick_params(axis="x", labelrotation=90)
