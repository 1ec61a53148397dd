"""Figures of discontinuity results: curves over levels, with bands and intervals.

The blues are steps of one ramp and the second hue differs in lightness and dash as
well, so figures survive grey printing and colour-blind readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from distcausal._base.figure import (
    AXIS,
    DASHED,
    EARTH,
    EDGE,
    INK,
    PALE,
    legend_of,
    percent,
    prepared,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.rdd.parts import R3DBandwidth
    from distcausal.rdd.result import R3DResult

__all__ = ["draw_bandwidth", "draw_curves", "draw_effect"]

Dash = str | tuple[float, tuple[float, float]]
Ends = tuple[np.ndarray, np.ndarray]
Inks = tuple[str, str, str]

_EARTH_EDGE = "#c98a4d"
_EARTH_PALE = "#f6dfc8"
_DOTTED: Dash = (0, (1.2, 1.4))
_FEW = 15  # up to so many levels each estimate also gets a dot


def draw_effect(
    result: R3DResult, *, ax: Axes | None, confidence: float, legend: bool
) -> Axes:
    """Draw the effect curve with its uniform band and pointwise intervals."""
    axes = prepared(ax)
    levels, share = result.levels, percent(confidence)
    axes.axhline(0.0, color=AXIS, linewidth=0.8, zorder=1.5)
    _curve(axes, levels, result.effect, INK, "-", "Estimated effect")
    _fill(axes, levels, result.band(confidence), (PALE, EDGE), f"{share} uniform band")
    _ends(axes, levels, result.conf_int(confidence), f"{share} pointwise interval")
    _finish(axes, "Effect (units of the outcome)", legend=legend)
    return axes


def draw_curves(
    result: R3DResult, *, ax: Axes | None, confidence: float, legend: bool
) -> Axes:
    """Draw the average quantile curves on both sides with their uniform bands."""
    axes, levels = prepared(ax), result.levels
    band = f"with {100 * confidence:.4g}% uniform band"
    sides: tuple[tuple[Literal["below", "above"], np.ndarray, Dash, Inks], ...] = (
        ("above", result.above, "-", (INK, PALE, EDGE)),
        ("below", result.below, DASHED, (EARTH, _EARTH_PALE, _EARTH_EDGE)),
    )
    for side, curve, dash, (ink, pale, edge) in sides:
        ends = result.side_band(side, confidence)
        _curve(axes, levels, curve, ink, dash, f"Just {side} the cutoff, {band}")
        _fill(axes, levels, ends, (pale, edge), "_band")
    _finish(axes, "Average quantile (units of the outcome)", legend=legend)
    return axes


def draw_bandwidth(bandwidth: R3DBandwidth, *, ax: Axes | None) -> Axes:
    """Draw estimated bias and standard error at the bandwidth chosen, by level."""
    data = bandwidth.plot_data()
    levels = data["level"].to_numpy()
    axes = prepared(ax)
    _curve(axes, levels, data["std_error"].to_numpy(), INK, "-", "Standard error")
    bias = data["bias"].to_numpy()
    _curve(axes, levels, bias, EARTH, DASHED, "Bias (absolute value)")
    axes.set_ylim(bottom=0.0)
    _finish(axes, "Error of the effect (units of the outcome)", legend=True)
    return axes


def _curve(
    ax: Axes, levels: np.ndarray, values: np.ndarray, ink: str, dash: Dash, label: str
) -> None:
    """One estimated curve, with a dot per level where they are few."""
    dot = "o" if levels.size <= _FEW else ""
    (line,) = ax.plot(levels, values, label=label, color=ink, marker=dot, zorder=3)
    line.set(linestyle=dash, linewidth=1.7, markersize=3.5)


def _fill(
    ax: Axes,
    levels: np.ndarray,
    ends: Ends,
    colours: tuple[str, str],
    label: str,
) -> None:
    """Area between two curves, with a hairline edge; a bar for a single level."""
    inside, edge = colours
    if levels.size == 1:
        ax.vlines(levels, *ends, colors=inside, linewidth=7, label=label, zorder=1)
        return
    area = ax.fill_between(levels, *ends, label=label, zorder=1, alpha=0.9)
    area.set(facecolor=inside, edgecolor=edge, linewidth=0.5)


def _ends(ax: Axes, levels: np.ndarray, ends: Ends, label: str) -> None:
    """Thin dotted lines at both ends of an interval; a thin bar for a single level."""
    if levels.size == 1:
        ax.vlines(levels, *ends, colors=INK, linewidth=1.2, label=label, zorder=2)
        return
    for end, name in zip(ends, (label, None), strict=True):
        (line,) = ax.plot(levels, end, label=name, color=INK, marker="", zorder=2)
        line.set(linestyle=_DOTTED, linewidth=0.9)


def _finish(ax: Axes, title: str, *, legend: bool) -> None:
    """Labels, margins and legend."""
    titled(ax, "Quantile level", title)
    ax.margins(x=0.015)
    if legend:
        legend_of(ax)
