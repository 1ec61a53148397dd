"""Figure of a search: whether the bound settled, and how high other starts ended.

A mixture has several modes. A course that still climbs says that steps are too few; a
start that ends near the best one elsewhere says that the best is not alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import (
    AXIS,
    EARTH,
    EDGE,
    INK,
    SMALL,
    legend_of,
    prepared,
    titled,
)
from distcausal.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.images.result import ImageEffects

__all__ = ["course_frame", "draw_course"]

_BEGIN = 0.1  # of the course, so steep that the rest would look flat
_WINDOW = 0.02  # of the course, over which a noisy bound is averaged


def course_frame(fit: ImageEffects) -> pd.DataFrame:
    """Return the bound along the best search: step, bound, average (running)."""
    import pandas as pd

    course = np.asarray(fit.fit.course, dtype=float)
    width = max(round(_WINDOW * len(course)), 1)
    summed = np.cumsum(np.concatenate([[0.0], course]))
    first = np.maximum(np.arange(1, len(course) + 1) - width, 0)
    last = np.arange(1, len(course) + 1)
    average = (summed[last] - summed[first]) / (last - first)
    return pd.DataFrame({"step": last, "bound": course, "average": average})


def draw_course(fit: ImageEffects, *, ax: Axes | None = None) -> Axes:
    """Draw the bound of the best search, and where every start ended.

    Parameters
    ----------
    fit
        The fit.
    ax
        Axes to draw into; None makes new ones.

    Returns
    -------
    The axes. The first tenth of the search is left out, which would flatten the rest.

    Raises
    ------
    DesignError
        If the engine keeps no course.
    """
    frame = course_frame(fit)
    if frame.empty:
        raise DesignError(
            f"engine {fit.model.engine.name!r} keeps no course of its search. Look at "
            "diagnostics, or fit with engine='svi'."
        )
    axes = prepared(ax)
    shown = frame[frame["step"] > _BEGIN * len(frame)]
    axes.plot(
        shown["step"], shown["bound"], color=EDGE, linewidth=0.6, alpha=0.6, zorder=1
    )
    axes.plot(
        shown["step"],
        shown["average"],
        color=INK,
        linewidth=1.7,
        label="Best start, running mean",
        zorder=3,
    )
    ends = np.asarray(fit.fit.bound, dtype=float)
    right = np.full(len(ends), len(frame) * 1.03)
    (marks,) = axes.plot(
        right, ends, color=EARTH, marker="D", label="End of each start"
    )
    marks.set(linestyle="", markersize=5, markerfacecolor="none", markeredgewidth=1.4)
    low = min(float(shown["average"].min()), float(ends.min()))
    high = max(float(shown["average"].max()), float(ends.max()))
    room = 0.12 * max(high - low, 1e-9 * max(abs(high), 1.0))
    axes.set_ylim(low - room, high + room)
    axes.axvline(len(frame), color=AXIS, linewidth=0.8, linestyle=":", zorder=1)
    titled(axes, "Step", "Bound on the log evidence")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.tick_params(labelsize=SMALL)
    legend_of(axes)
    return axes
