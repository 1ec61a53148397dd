"""Colours and axes that figures of all kinds of results share.

Sizes and colours belong to the artists: nothing here reads or changes matplotlib's
settings, so a figure looks the same under any style sheet and leaves none behind. Hues
differ in lightness as well, so that figures survive grey printing and eyes that do not
tell red from green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "AXIS",
    "DASHED",
    "EARTH",
    "EDGE",
    "HUES",
    "INK",
    "PALE",
    "SIZE",
    "SMALL",
    "legend_above",
    "legend_of",
    "percent",
    "prepared",
    "titled",
    "zero_line",
]

INK, EDGE, PALE = "#08306b", "#4a7fb5", "#d5e4f2"
EARTH, AXIS = "#a6500a", "#4d4d4d"
HUES = (INK, "#d95f02", "#66c2a5", "#7b3294", "#b8b8b8", "#a6761d")  # of clusters
DASHED = (0, (5, 1.6))
SIZE = (6.0, 3.7)  # inches
SMALL = 9  # points, for ticks and labels inside a figure


def prepared(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """Axes to draw into, with the two spines that carry a scale."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=AXIS, linewidth=0.8)
    ax.tick_params(color=AXIS, width=0.8, labelsize=SMALL)
    return ax


def titled(ax: Axes, across: str, up: str, title: str | None = None) -> None:
    """Names of both axes, and what the figure says above its left corner."""
    ax.set_xlabel(across, fontsize=SMALL + 1)
    ax.set_ylabel(up, fontsize=SMALL + 1)
    if title is not None:
        ax.set_title(title, loc="left", fontsize=SMALL, color=AXIS)


def zero_line(ax: Axes) -> None:
    """No effect."""
    ax.axhline(0.0, color=AXIS, linewidth=0.8, zorder=1)


def legend_above(ax: Axes, *, columns: int, title: str | None = None) -> None:
    """Names of what is drawn, above axes that leave no room inside."""
    found = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.2,
        title=title,
        title_fontsize=SMALL,
        alignment="left",
    )
    found.get_title().set_color(AXIS)


def legend_of(ax: Axes) -> None:
    """Names of what is drawn, where they cover least."""
    ax.legend(loc="best", frameon=False, fontsize=SMALL)


def percent(confidence: float) -> str:
    """Coverage as people write it."""
    return f"{100 * confidence:.4g}%"
