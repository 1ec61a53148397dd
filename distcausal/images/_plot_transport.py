"""Maps of effects at places outside the trial.

Effects of either sign are drawn in two hues around a pale zero, those of one sign in
one hue; what would be extrapolation is grey, so that it cannot be read as an effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.images.transported import Transport

__all__ = ["draw_effects", "draw_map"]

_SIZE = (6.0, 4.4)  # inches
_GREY = "#bdbdbd"
_INK = "#08306b"


def draw_map(result: Transport, ax: Axes | None) -> Axes:
    """Draw effects at their places, as a raster where these fill a grid."""
    axes = _prepared(ax)
    assert result.coords is not None
    shown = np.where(result.flagged, np.nan, result.mean)
    colours = _colours(shown)
    grid = _grid(result.coords, shown)
    if grid is not None:
        across, up, values = grid
        axes.set_facecolor(_GREY)
        drawn: Any = axes.pcolormesh(across, up, values, shading="nearest", **colours)
    else:
        gone = result.flagged
        x, y = result.coords.T
        size = float(np.clip(4000 / len(x), 2, 40))
        axes.scatter(x[gone], y[gone], s=size, color=_GREY, linewidths=0)
        drawn = axes.scatter(
            x[~gone], y[~gone], c=shown[~gone], s=size, linewidths=0, **colours
        )
    axes.set_aspect("equal")
    axes.figure.colorbar(drawn, ax=axes, label="Effect (units of the outcome)")
    _title(axes, result)
    return axes


def draw_effects(result: Transport, ax: Axes | None) -> Axes:
    """Draw how often each effect occurs among the images."""
    axes = _prepared(ax)
    ends = np.linspace(result.mean.min(), result.mean.max() + 1e-12, 31).tolist()
    groups = [result.mean[~result.flagged], result.mean[result.flagged]]
    weights = [result.weights[~result.flagged], result.weights[result.flagged]]
    axes.hist(
        groups, bins=ends, weights=weights, stacked=True, color=[_INK, _GREY], lw=0
    )
    axes.set_xlabel("Effect (units of the outcome)")
    axes.set_ylabel("Share of the region")
    axes.spines[["top", "right"]].set_visible(False)
    _title(axes, result)
    return axes


def _colours(values: np.ndarray) -> dict[str, Any]:
    """Colour map and its ends."""
    if np.isnan(values).all():
        return {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0}
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 < high:
        most = max(-low, high)
        return {"cmap": "PuOr", "vmin": -most, "vmax": most}
    return {"cmap": "Blues" if low >= 0 else "Oranges_r", "vmin": low, "vmax": high}


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


def _prepared(ax: Axes | None) -> Axes:
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=_SIZE, layout="constrained")
    return ax


def _title(axes: Axes, result: Transport) -> None:
    if result.flagged.any():
        axes.set_title(
            f"grey: {result.flagged_share:.1%} unlike the trial's images", fontsize=9
        )
