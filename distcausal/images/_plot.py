"""Figures of effects by cluster, of their tests and of the number of clusters.

The model's answer is an area, the design's a dot with its interval, in every figure, so
that a reader never takes one for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.figure import (
    AXIS,
    DASHED,
    EARTH,
    EDGE,
    INK,
    PALE,
    SMALL,
    legend_above,
    legend_of,
    percent,
    prepared,
    titled,
    zero_line,
)
from distcausal.images._estimates import NOT_ESTIMATED
from distcausal.images._frames import implied_draws, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.images.calibration import Calibration
    from distcausal.images.compare import Comparison
    from distcausal.images.rate import RankWeightedEffect
    from distcausal.images.result import ImageEffects

__all__ = [
    "draw_calibration",
    "draw_comparison",
    "draw_effects",
    "draw_gain",
    "effects_frame",
]

_ROW = 0.75  # inches per cluster
_TALL = 0.62  # of a row, the height of a density
_BELOW = 0.14  # of a row, by which the design's interval lies under the density
_POINTS = 256
_SEEN = (0.005, 0.995)  # quantiles between which a density is drawn
_FIFTHS = 5
_OUTCOME = "units of the outcome"


def effects_frame(fit: ImageEffects, confidence: float = 0.95) -> pd.DataFrame:
    """One row per row of `draw_effects`: each cluster, then all units.

    Parameters
    ----------
    fit
        The fit.
    confidence
        Coverage of the intervals.

    Returns
    -------
    Columns term (``"cluster 1"``, ..., ``"all units"``), share of units assigned out of
    fold, and estimate, std_error, conf_low and conf_high, each with ``model_`` and with
    ``design_`` before its name.
    """
    frame = tidy(fit, confidence).set_index("term")
    terms = [f"cluster {k + 1}" for k in range(fit.posterior.clusters)]
    rows = {
        "model": [*(f"{term}, model" for term in terms), "implied average effect"],
        "design": [*(f"{term}, design" for term in terms), "average effect"],
    }
    found = frame.loc[rows["model"], []].reset_index(drop=True)
    found["term"] = [*terms, "all units"]
    found["share"] = [*fit.design.share, 1.0]
    for kind, names in rows.items():
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            found[f"{kind}_{column}"] = frame.loc[names, column].to_numpy(float)
    return found


def draw_effects(fit: ImageEffects, *, ax: Axes | None, confidence: float) -> Axes:
    """Posterior densities of the effects, the design's intervals under them.

    A row per cluster and one for the average effect; densities share one height, so
    that a narrow one does not dwarf the others.
    """
    frame = effects_frame(fit, confidence)
    rows = len(frame)
    axes = prepared(ax, (6.0, 1.5 + _ROW * rows))
    axes.axvline(0.0, color=AXIS, linewidth=0.8, zorder=1)
    labels: tuple[str | None, ...] = (
        "Model: posterior",
        f"Design: estimate, {percent(confidence)} interval",
    )
    ends = [f"design_{name}" for name in ("estimate", "conf_low", "conf_high")]
    draws = [*fit.posterior.effects[..., 0].T, implied_draws(fit)]
    for place, sample in enumerate(draws):
        base = float(rows - 1 - place)
        row = frame.loc[place, ends].to_numpy(float)
        _density(axes, sample, base, labels[0])
        _interval(axes, row, base - _BELOW, labels[1], sample)
        labels = (None, None if np.isfinite(row[0]) else labels[1])
    names = [
        f"{term.capitalize()}\n{100 * share:.0f}% of units"
        for term, share in zip(frame["term"][:-1], frame["share"], strict=False)
    ]
    axes.set_yticks(np.arange(rows)[::-1], [*names, "All units"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.4, rows - 0.2)
    titled(axes, f"Effect of the treatment ({_OUTCOME})", "")
    legend_above(axes, columns=2)
    return axes


def _density(ax: Axes, draws: np.ndarray, base: float, label: str | None) -> None:
    """Area of a smoothed density on its row; a tick where all draws agree."""
    spread = float(draws.std())
    if not spread > 1e-12 * max(1.0, float(np.abs(draws).max())):
        tick = ax.vlines(draws[0], base, base + _TALL, color=EDGE, linewidth=2)
        tick.set_label(label)
        return
    from scipy.stats import gaussian_kde

    ends = np.quantile(draws, _SEEN) + np.array([-spread, spread]) / 2
    at = np.linspace(float(ends[0]), float(ends[1]), _POINTS)
    height = gaussian_kde(draws)(at)
    height *= _TALL / height.max()
    area = ax.fill_between(at, base, base + height, label=label, zorder=2)
    area.set(facecolor=PALE, edgecolor=EDGE, linewidth=1.0)


def _interval(
    ax: Axes, row: np.ndarray, base: float, label: str | None, draws: np.ndarray
) -> None:
    """Dot and interval of the design, or in words that there is none."""
    estimate, low, high = row
    if not np.isfinite(estimate):
        text = f"design: {NOT_ESTIMATED}"
        place = (float(draws.mean()), base)
        ax.text(*place, text, ha="center", va="center", fontsize=SMALL, color=INK)
        return
    ax.hlines(base, low, high, color=INK, linewidth=1.6, zorder=3)
    (dot,) = ax.plot(estimate, base, color=INK, marker="o", label=label, zorder=4)
    dot.set(linestyle="-", linewidth=1.6, markersize=5)


def draw_gain(found: RankWeightedEffect, *, ax: Axes | None, confidence: float) -> Axes:
    """Gain over the mean of treating the share predicted to gain most, with a band."""
    axes = prepared(ax)
    frame = found.plot_data(confidence)
    zero_line(axes)
    band = axes.fill_between(
        frame["share"],
        frame["conf_low"],
        frame["conf_high"],
        label=f"{percent(confidence)} pointwise interval",
        zorder=1,
    )
    band.set(facecolor=PALE, edgecolor=EDGE, linewidth=0.5)
    what = "Gain over treating at random"
    if found.compared:
        what = "Gain of one rule over another"
    axes.plot(
        frame["share"], frame["toc"], color=INK, linewidth=1.7, label=what, zorder=3
    )
    axes.set_xlim(0.0, 1.0)
    name = found.target.upper()
    p = "< 0.001" if found.p_value < 0.0005 else f"= {found.p_value:.3f}"
    titled(
        axes,
        "Share of units treated, largest predicted effect first",
        f"{what}\n({_OUTCOME})",
        f"{name} {found.estimate:.3g} (std. error {found.std_error:.2g}), p {p}",
    )
    legend_of(axes)
    return axes


def draw_calibration(found: Calibration, *, ax: Axes | None, confidence: float) -> Axes:
    """Mean scores by fifths of the predicted effect, the fitted line, and equality."""
    from distcausal.numerics.student import reach

    axes = prepared(ax, (5.0, 4.2))
    frame = found.plot_data()
    predicted, score = frame["predicted"].to_numpy(), frame["score"].to_numpy()
    margin = reach(confidence, np.inf) * frame["std_error"].to_numpy()
    room = 0.08 * max(float(np.ptp(predicted)), 1e-12)
    ends = np.array([predicted.min() - room, predicted.max() + room])
    (same,) = axes.plot(ends, ends, color=EARTH, label="Prediction holds (slope 1)")
    same.set(linestyle=DASHED, linewidth=1.4, zorder=2)
    line = found.recalibrated(ends)
    axes.plot(ends, line, color=INK, linewidth=1.7, label="Fitted line", zorder=3)
    bars = axes.errorbar(
        predicted, score, margin, fmt="o", color=INK, markersize=5, capsize=3, zorder=4
    )
    joined = "" if len(frame) == _FIFTHS else ", like ones joined"
    bars.set_label(f"Fifths of the units{joined}, {percent(confidence)} interval")
    for part in (*bars[1], *bars[2]):
        part.set(color=EDGE, linewidth=1.6)
    titled(
        axes,
        f"Predicted effect ({_OUTCOME})",
        f"Effect found by design ({_OUTCOME})",
        None,
    )
    legend_above(axes, columns=1, title=_slope(found))
    return axes


def _slope(found: Calibration) -> str:
    """The tested slope in words."""
    if not np.isfinite(found.tested_slope):
        return f"Slope: {NOT_ESTIMATED}"
    ends = f"{found.conf_low:.2f} to {found.conf_high:.2f}"
    return (
        f"Tested slope {found.tested_slope:.2f} "
        f"({percent(found.confidence)} interval {ends})"
    )


def draw_comparison(found: Comparison, *, ax: Axes | None) -> Axes:
    """Held-out gain of every number of clusters, with bars of one standard error.

    The error is that of the distance to the best, so that the number selected is the
    first whose bar reaches the line of the best.
    """
    axes = prepared(ax)
    frame = found.plot_data()
    clusters, gain = frame["clusters"].to_numpy(), frame["estimate"].to_numpy()
    error = frame["behind_error"].to_numpy()
    zero_line(axes)
    best = axes.axhline(gain.max(), color=AXIS, linewidth=1.0, zorder=1)
    best.set(linestyle=DASHED, label=f"Best: {found.best}")
    axes.vlines(clusters, gain - error, gain + error, color=EDGE, linewidth=1.8)
    axes.plot(clusters, gain, color=EDGE, linewidth=0.8, zorder=2)
    (dots,) = axes.plot(clusters, gain, color=INK, marker="o", zorder=4)
    label = "Gain, one standard error of its distance to the best"
    dots.set(linestyle="", markersize=5, label=label)
    chosen = clusters == found.selected
    (ring,) = axes.plot(clusters[chosen], gain[chosen], color=EARTH, marker="o")
    ring.set(linestyle="", markersize=12, markerfacecolor="none", markeredgewidth=1.6)
    ring.set(label=f"Selected: {found.selected}", zorder=5)
    axes.set_xticks(clusters)
    axes.margins(x=0.08)
    titled(axes, "Number of clusters", "Held-out log density,\ngain over one cluster")
    legend_above(axes, columns=1)
    return axes
