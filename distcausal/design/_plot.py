"""Figures of fits at design points, drawn with artists of their own style.

Nothing here reads or changes matplotlib's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.design.result import WLSResult

__all__ = ["draw_coefficients"]

_INK, _EDGE, _AXIS = "#08306b", "#4a7fb5", "#4d4d4d"
_SIZE = (6.0, 3.7)  # inches
_MOST_NAMED = 12  # functions whose names fit under the axis


def draw_coefficients(fit: WLSResult, *, ax: Axes | None, confidence: float) -> Axes:
    """Draw every coefficient with its interval, values of a point side by side."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=_SIZE, layout="constrained")
    frame = fit.plot_data(confidence)
    each = fit.responses or 1
    aside = (np.arange(len(frame)) % each + 1) / (each + 1) - 0.5
    place = np.arange(len(frame)) // each + aside
    ax.axhline(0.0, color=_AXIS, linewidth=0.8, zorder=1)
    ax.vlines(place, frame["conf_low"], frame["conf_high"], colors=_EDGE, linewidth=1.4)
    (dots,) = ax.plot(place, frame["estimate"], color=_INK, marker="o")
    dots.set(linestyle="", markersize=3.5)
    if fit.size <= _MOST_NAMED:
        ax.set_xticks(range(fit.size), fit.basis.labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("Orthonormal function")
    ax.set_ylabel("Coefficient")
    return ax
