"""Figures of effect curves by cluster.

One hue per cluster, of different lightness, so that the figure survives grey printing;
what belongs together shares its hue and differs in the dash of the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.images.cluster_curves import ClusterCurves

__all__ = ["draw_effects", "draw_laws"]

_HUES = ("#08306b", "#d95f02", "#1b9e77", "#7b3294", "#a6761d", "#666666")
_AXIS = "#4d4d4d"
_SIZE = (6.0, 3.7)  # inches


def draw_effects(curves: ClusterCurves, ax: Axes | None, confidence: float) -> Axes:
    """Draw design-based curves with uniform bands, the model's beside them."""
    axes = _prepared(ax)
    axes.axhline(0.0, color=_AXIS, linewidth=0.8, zorder=1)
    low, high = curves.band(confidence)
    modelled = curves.model_draws is not None
    model = curves.model_effect if modelled else curves.effect
    for k in np.flatnonzero(~curves.collapsed):
        hue = _HUES[k % len(_HUES)]
        label = f"cluster {k + 1} (share {curves.share[k]:.2f})"
        if curves.levels.size == 1:
            axes.vlines(k + 1, low[k], high[k], color=hue, linewidth=5, alpha=0.3)
            axes.plot(k + 1, curves.effect[k, 0], "o", color=hue, label=label)
            continue
        axes.fill_between(
            curves.levels, low[k], high[k], color=hue, alpha=0.18, linewidth=0
        )
        axes.plot(
            curves.levels, curves.effect[k], color=hue, linewidth=1.7, label=label
        )
        if modelled:
            axes.plot(curves.levels, model[k], color=hue, linewidth=1.0, dashes=(4, 2))
    if modelled and curves.levels.size > 1:
        axes.plot([], [], color=_AXIS, linewidth=1.0, dashes=(4, 2), label="model")
    across = "Quantile level" if curves.levels.size > 1 else "Cluster"
    _finish(axes, across, "Effect (units of the outcome)")
    axes.set_title(f"Bands cover each curve with {100 * confidence:g}%", fontsize=9)
    return axes


def draw_laws(curves: ClusterCurves, ax: Axes | None) -> Axes:
    """Draw the average quantile functions of both arms in every cluster."""
    axes = _prepared(ax)
    for k in np.flatnonzero(~curves.collapsed):
        hue = _HUES[k % len(_HUES)]
        for arm, law, dash in (
            ("treated", curves.treated, (1, 0)),
            ("untreated", curves.untreated, (4, 2)),
        ):
            label = f"cluster {k + 1}, {arm}"
            axes.plot(curves.levels, law[k], color=hue, dashes=dash, label=label)
    _finish(axes, "Quantile level", "Average quantile (units of the outcome)")
    return axes


def _prepared(ax: Axes | None) -> Axes:
    """Axes to draw into, with the two spines that carry a scale."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=_SIZE, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _finish(ax: Axes, across: str, up: str) -> None:
    """Labels and legend."""
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    ax.margins(x=0.015)
    ax.legend(loc="best", frameon=False, fontsize=9)
