"""Figures of fits at design points, drawn with artists of their own style.

Nothing here reads or changes matplotlib's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.design.result import WLSResult

__all__ = [
    "AXIS",
    "EARTH",
    "EDGE",
    "INK",
    "PALE",
    "SMALL",
    "draw_coefficients",
    "prepared",
    "titled",
]

INK, EDGE, PALE = "#08306b", "#4a7fb5", "#d5e4f2"
EARTH, AXIS = "#a6500a", "#4d4d4d"
SMALL = 9  # points, for ticks and labels inside a figure
_SIZE = (6.0, 3.7)  # inches
_MOST_NAMED = 12  # functions whose names fit under the axis


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
        ax.set_xticks(range(fit.size), fit.basis.labels)
    titled(ax, "Orthonormal function", "Coefficient")
    return ax
