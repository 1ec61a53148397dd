"""Maps of effects at places outside the trial.

Effects of either sign are drawn in two hues around a pale zero, those of one sign on a
scale that darkens with their size in grey print too. What would be extrapolation is a
cross or a hatched field, so that it cannot be read as an effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.figure import (
    AXIS,
    INK,
    SMALL,
    legend_above,
    prepared,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.images.transported import Transport

__all__ = ["draw_effects", "draw_map"]

_SIZE = (6.0, 4.9)  # inches
_FILLED = 0.7  # of the width, by the map
_FLAT, _AROUND = 1.5, 0.9  # inches: the least height of a map, what is above and below
_BAR, _MOST_BAR = 0.04, 5.0  # of the map's width, times this at most if it is tall
_GREY, _PAPER = "#9a9a9a", "#f2f2f2"
_EFFECT = "Effect (units of the outcome)"
_LEAST, _MOST, _INKED = 8.0, 45.0, 9e3  # areas of markers, squared points


def draw_map(result: Transport, ax: Axes | None) -> Axes:
    """Draw effects at their places, as a raster where these fill a grid."""
    assert result.coords is not None
    across, up = np.maximum(np.ptp(result.coords, axis=0), 1e-12)
    tall = float(np.clip(_SIZE[0] * _FILLED * up / across, _FLAT, _SIZE[1] - _AROUND))
    axes = prepared(ax, (_SIZE[0], tall + _AROUND))
    shown = np.where(result.flagged, np.nan, result.mean)
    grid = _grid(result.coords, shown)
    draw = _points if grid is None else _raster
    drawn = draw(axes, result, shown, grid)
    axes.set_aspect("equal")
    # Beside the map and as tall, which a bar of the figure's own layout is not.
    thick = _BAR * float(np.clip(up / across, 1.0, _MOST_BAR))
    beside = axes.inset_axes((1.0 + thick, 0.0, thick, 1.0))
    bar = axes.figure.colorbar(drawn, cax=beside)
    bar.set_label(_EFFECT.replace(" (", "\n("), fontsize=SMALL + 1)
    bar.ax.tick_params(labelsize=SMALL, color=AXIS)
    titled(axes, "x", "y")
    if result.flagged.any():
        legend_above(axes, columns=1)
    return axes


def _raster(axes: Axes, result: Transport, shown: np.ndarray, grid: Any) -> Any:
    """Cells of a grid; those flagged stay open on a hatched ground."""
    from matplotlib.patches import Rectangle

    across, up, values = grid
    open_: dict[str, Any] = {
        "facecolor": _PAPER,
        "edgecolor": _GREY,
        "hatch": "/////",
        "linewidth": 0,
    }
    axes.patch.set(**open_)
    if result.flagged.any():
        corner = (across[0], up[0])
        key = Rectangle(corner, 0.0, 0.0, **open_, label=_unlike(result))
        axes.add_patch(key)  # without extent: it is seen in the legend only
    return axes.pcolormesh(across, up, values, shading="nearest", **_colours(shown))


def _points(axes: Axes, result: Transport, shown: np.ndarray, _: Any) -> Any:
    """A dot for each place, outlined so that a pale one is seen; a cross if flagged."""
    assert result.coords is not None
    gone = result.flagged
    x, y = result.coords.T
    size = float(np.clip(_INKED / len(x), _LEAST, _MOST))
    if gone.any():
        axes.scatter(
            x[gone],
            y[gone],
            s=size,
            color=_GREY,
            marker="x",
            linewidths=1.0,
            label=_unlike(result),
        )
    return axes.scatter(
        x[~gone],
        y[~gone],
        c=shown[~gone],
        s=size,
        edgecolors=AXIS,
        linewidths=0.3,
        **_colours(shown),
    )


def draw_effects(result: Transport, ax: Axes | None) -> Axes:
    """Draw how often each effect occurs among the images."""
    axes = prepared(ax)
    ends = np.linspace(result.mean.min(), result.mean.max() + 1e-12, 31).tolist()
    groups = [result.mean[~result.flagged], result.mean[result.flagged]]
    weights = [result.weights[~result.flagged], result.weights[result.flagged]]
    labels = ["Like images of the trial", _unlike(result)]
    axes.hist(
        groups,
        bins=ends,
        weights=weights,
        stacked=True,
        color=[INK, _GREY],
        label=labels,
        lw=0,
    )
    titled(axes, _EFFECT, "Share of the region")
    if result.flagged.any():
        legend_above(axes, columns=1)
    return axes


def _colours(values: np.ndarray) -> dict[str, Any]:
    """Colour map and its ends."""
    if np.isnan(values).all():
        return {"cmap": "viridis_r", "vmin": 0.0, "vmax": 1.0}
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 < high:
        most = max(-low, high)
        return {"cmap": "PuOr", "vmin": -most, "vmax": most}
    return {"cmap": "viridis_r" if low >= 0 else "viridis", "vmin": low, "vmax": high}


def _grid(
    coords: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Columns, rows and a matrix of values, if the places fill a regular grid."""
    across, column = np.unique(coords[:, 0], return_inverse=True)
    up, row = np.unique(coords[:, 1], return_inverse=True)
    full = across.size * up.size == len(coords) and min(across.size, up.size) > 1
    if not full or len(np.unique(row * across.size + column)) < len(coords):
        return None
    for ends in (across, up):
        gap = np.diff(ends)
        if np.ptp(gap) > 1e-6 * gap.mean():
            return None
    matrix = np.empty((up.size, across.size))
    matrix[row, column] = values
    return across, up, matrix


def _unlike(result: Transport) -> str:
    return f"Unlike images of the trial: {result.flagged_share:.1%}"
