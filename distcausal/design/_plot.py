"""Figures of fits at design points, drawn with artists of their own style.

Nothing here reads or changes matplotlib's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import EDGE, INK, SMALL, prepared, titled, zero_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from distcausal.design.result import WLSResult

__all__ = ["draw_coefficients", "plain_ticks"]

_LETTER = 0.6 * SMALL  # points, the width of a letter
_MOST_NAMED = 30  # functions whose names fit under the axis, upright
# Ticks in a decade, by how many times the least value the largest one is.
_TICKS = ((10.0, (1, 1.5, 2, 3, 4, 5, 7)), (1e3, (1, 2, 5)), (np.inf, (1,)))
_EVEN = 4.0  # times the least, up to which ticks are evenly spaced


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
    zero_line(ax)
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
