"""Figures of salience: a map over the image, a deletion curve, segments.

The image is shown in grey under the map, so that the eye finds what the map points
at. Nothing here reads or changes matplotlib's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import AXIS, INK, PALE, SMALL, prepared, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.images.salience_result import Salience
    from distcausal.images.segments import SegmentSensitivity

__all__ = ["draw_deletion", "draw_map", "draw_segments"]

_SIZE = (5.0, 4.2)  # inches
_LEAST_ALPHA = 0.15


def draw_map(found: Salience, *, ax: Axes | None, kind: str, box: int | None) -> Axes:
    """Magnitude or direction over the image in grey."""
    ax = prepared(ax, _SIZE)
    magnitude, direction = found.smoothed(box)
    height, width = found.by_band.shape[:2]
    edge = (height - magnitude.shape[0]) / 2
    grey = found.image.mean(axis=-1)
    ax.imshow(grey, cmap="gray", extent=(0, width, height, 0))
    shown = magnitude if kind == "magnitude" else direction
    most = float(np.abs(shown).max()) or 1.0
    least = 0.0 if kind == "magnitude" else -most
    drawn = ax.imshow(
        shown,
        cmap="magma" if kind == "magnitude" else "RdBu_r",
        vmin=least,
        vmax=most,
        alpha=_LEAST_ALPHA + (1 - _LEAST_ALPHA) * np.abs(shown) / most,
        extent=(edge, width - edge, height - edge, edge),
    )
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.8)
    bar.ax.tick_params(labelsize=SMALL, color=AXIS)
    unit = {
        "gradient": "change per unit of a pixel",
        "integrated": "share of the difference from the baseline",
        "occlusion": "fall where a window is blanked",
    }[found.method]
    bar.set_label(f"{kind.capitalize()}: {unit}", fontsize=SMALL)
    ax.set_title(_named(found.target), loc="left", fontsize=SMALL, color=AXIS)
    return ax


def draw_deletion(found: Salience, *, ax: Axes | None) -> Axes:
    """Value while pixels are blanked, with its posterior interval."""
    ax = prepared(ax, _SIZE)
    frame = found.deletion()
    ax.fill_between(
        frame["share"], frame["conf_low"], frame["conf_high"], color=PALE, lw=0
    )
    ax.plot(frame["share"], frame["value"], color=INK, lw=1.6)
    across = "Share of pixels blanked, largest attribution first"
    titled(ax, across, _named(found.target))
    ax.set_xlim(0, 1)
    return ax


def draw_segments(
    found: SegmentSensitivity, *, ax: Axes | None, confidence: float
) -> Axes:
    """Segments in decreasing order, with their intervals."""
    ax = prepared(ax, _SIZE)
    frame = found.plot_data(confidence).iloc[::-1]
    place = np.arange(len(frame))
    ax.hlines(place, frame["conf_low"], frame["conf_high"], color=INK, lw=1.4)
    ax.plot(frame["estimate"], place, "o", color=INK, ms=4)
    ax.set_yticks(place, frame["term"], fontsize=SMALL)
    ax.set_ylim(-0.6, len(frame) - 0.4)
    titled(ax, f"Mean size of the attribution of {found.target}", "Segment")
    ax.set_xlim(left=0)
    return ax


def _named(target: str) -> str:
    """Name at the head of a figure, an effect with its units."""
    units = " (units of the outcome)" if target == "the effect" else ""
    return target[:1].upper() + target[1:] + units
