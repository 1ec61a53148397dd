"""Figures of effect curves by cluster.

One hue per cluster, of different lightness, so that the figure survives grey printing;
what belongs together shares its hue and differs in the dash of the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import (
    AXIS,
    DASHED,
    HUES,
    legend_above,
    percent,
    prepared,
    titled,
    zero_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.images.cluster_curves import ClusterCurves

__all__ = ["draw_effects", "draw_laws"]

_EFFECT = "Effect (units of the outcome)"


def draw_effects(curves: ClusterCurves, ax: Axes | None, confidence: float) -> Axes:
    """Draw design-based curves with uniform bands, the model's beside them."""
    axes = prepared(ax)
    zero_line(axes)
    if curves.levels.size == 1:
        _numbers(axes, curves, confidence)
        titled(axes, "Cluster", _EFFECT, f"{percent(confidence)} intervals")
        return axes
    title = f"Each band covers its whole curve with {percent(confidence)} confidence"
    low, high = curves.band(confidence)
    for k in np.flatnonzero(~curves.collapsed):
        hue, levels = HUES[k % len(HUES)], curves.levels
        label = f"Cluster {k + 1}, {100 * curves.share[k]:.0f}% of units"
        area = axes.fill_between(levels, low[k], high[k], alpha=0.2)
        area.set(facecolor=hue, edgecolor=hue, linewidth=0.5)
        axes.plot(levels, curves.effect[k], color=hue, linewidth=1.8, label=label)
        if curves.model_draws is not None:
            (line,) = axes.plot(levels, curves.model_effect[k], color=hue)
            line.set(linestyle=DASHED, linewidth=1.1)
    if curves.model_draws is not None:
        (key,) = axes.plot([], [], color=AXIS, linewidth=1.1, label="Model")
        key.set(linestyle=DASHED)
    _levels(axes, _EFFECT, title)
    return axes


def _numbers(ax: Axes, curves: ClusterCurves, confidence: float) -> None:
    """Curves of a single level: a dot and an interval per cluster."""
    low, high = curves.band(confidence)
    for k in np.flatnonzero(~curves.collapsed):
        hue = HUES[k % len(HUES)]
        ax.vlines(k + 1, low[k], high[k], color=hue, linewidth=1.8)
        ax.plot(k + 1, curves.effect[k, 0], "o", color=hue, markersize=6)
    places = np.arange(1, curves.clusters + 1)
    names = [f"{k}\n{100 * s:.0f}% of units" for k, s in enumerate(curves.share, 1)]
    ax.set_xticks(places, names)
    ax.set_xlim(0.4, curves.clusters + 0.6)


def draw_laws(curves: ClusterCurves, ax: Axes | None) -> Axes:
    """Draw the average quantile functions of both arms in every cluster."""
    axes = prepared(ax)
    for k in np.flatnonzero(~curves.collapsed):
        hue = HUES[k % len(HUES)]
        arms = (
            ("treated", curves.treated, "-"),
            ("untreated", curves.untreated, DASHED),
        )
        for arm, law, dash in arms:
            label = f"Cluster {k + 1}, {arm}"
            (line,) = axes.plot(curves.levels, law[k], color=hue, label=label)
            line.set(linestyle=dash, linewidth=1.5)
    _levels(axes, "Average quantile (units of the outcome)", None)
    return axes


def _levels(ax: Axes, up: str, title: str | None) -> None:
    """Labels, margins and legend of curves."""
    titled(ax, "Quantile level", up)
    ax.margins(x=0.015)
    legend_above(ax, columns=2, title=title)
