"""What a reader of the estimate should know: warnings, and notes for the summary.

Nothing here stops a computation. Each remark says what was found, the number, and what
to do; warnings are also kept with the result, so that they are not lost with the
session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from warnings import warn

import numpy as np

from distcausal.errors import DataWarning, DistCausalWarning, InferenceWarning
from distcausal.rdd.core import (
    SideFit,
    clusters_by_side,
    effective_units,
    inside_window,
)

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.rdd.bandwidth import Selection
    from distcausal.rdd.check import Design
    from distcausal.rdd.estimate import Curves, Fits
    from distcausal.rdd.result import FirstStage
    from distcausal.rdd.windows import Windows

__all__ = ["issue_warnings", "monotone_notes", "profile_notes"]

FEW_UNITS = 20
FEW_CLUSTERS = 10
MANY_REPEATED = 0.2
WEAK_F = 10.0
Remark = tuple[type[DistCausalWarning], str]


def monotone_notes(curves: Curves) -> list[str]:
    """Say how much the monotone step changed, where it changed anything.

    Pooled levels are where the average quantile curve is flat or estimated falling;
    much pooling puts the equivalence of the two methods in doubt.
    """
    levels = curves.main.shape[1]
    return [
        f"The curve {side} the cutoff was made monotone at {count} of {levels} levels, "
        f"moving it by at most {move:.3g}."
        for side, count, move in zip(
            ("below", "above"), curves.moved, curves.moves, strict=True
        )
        if count
    ]


def profile_notes(profile: str | None) -> list[str]:
    """Say what a profile decides in place of the caller's settings."""
    if profile is None:
        return []
    return [
        f"Under profile {profile} bands have constant width, residuals are not "
        "enlarged for leverage, and units with negative weights leave the bootstrap."
    ]


def issue_warnings(
    data: RandomDistributions,
    design: Design,
    fits: Fits,
    windows: Windows,
    stage: FirstStage | None,
) -> list[str]:
    """Warn of what weakens the estimate or its inference; returns the sentences."""
    remarks = [
        *_few_units(fits.outcome),
        *_few_clusters(design, fits.outcome),
        *_overruled(windows.selection),
        *_mass_points(design.x),
        *_small_samples(np.asarray(data.sizes), fits.levels),
        *_beyond_grid(data, fits.levels),
        *_weak_first_stage(stage),
    ]
    for category, sentence in remarks:
        warn(sentence, category, stacklevel=3)
    return [sentence for _, sentence in remarks]


def _few_units(fit: SideFit) -> Iterator[Remark]:
    below, above = effective_units(fit)
    if min(below, above) < FEW_UNITS:
        yield (
            InferenceWarning,
            f"the window holds {below} units below and {above} above the cutoff; with "
            f"fewer than {FEW_UNITS} on a side standard errors and bands are rough. "
            "Compare a wider bandwidth.",
        )
        return
    worth = _worth(fit)
    if min(worth) < FEW_UNITS:
        yield (
            InferenceWarning,
            f"with their unequal weights the {below} units below and {above} above the "
            f"cutoff are worth {worth[0]:.0f} and {worth[1]:.0f} equally weighted "
            f"ones; with fewer than {FEW_UNITS} standard errors and bands are rough. "
            "Compare a wider bandwidth or the fit without weights.",
        )


def _worth(fit: SideFit) -> tuple[float, float]:
    """Equally weighted units that the units in the window are worth, by side (Kish)."""
    x, weight = fit.sample.x, fit.sample.weight * inside_window(fit)
    sides = (weight[x < 0], weight[x >= 0])
    below, above = (float(w.sum() ** 2 / (w**2).sum()) for w in sides)
    return below, above


def _few_clusters(design: Design, fit: SideFit) -> Iterator[Remark]:
    if design.cluster is None:
        return
    below, above = clusters_by_side(fit, design.cluster)
    if min(below, above) < FEW_CLUSTERS:
        yield (
            InferenceWarning,
            f"the window holds units of {below} clusters below and {above} above the "
            f"cutoff; with fewer than {FEW_CLUSTERS} on a side clustered standard "
            "errors and bands tend to be too small. Use a finer clustering if the "
            "design allows it, or a wider bandwidth.",
        )


def _overruled(selection: Selection | None) -> Iterator[Remark]:
    """A window wider than its rule asked for has a bias that nobody balanced."""
    if selection is None:
        return
    widened = selection.bandwidth > selection.wanted * (1 + 1e-9)
    if not widened.any():
        return
    asked, given = selection.wanted[widened].min(), selection.bandwidth[widened].max()
    yield (
        InferenceWarning,
        f"the rule asked for a bandwidth of {asked:.4g}, widened to {given:.4g} so "
        "that the window holds enough distinct values of running on each side. The "
        "bias at that width is not controlled: compare narrower bandwidths and higher "
        "orders.",
    )


def _mass_points(x: np.ndarray) -> Iterator[Remark]:
    repeated = 1 - np.unique(x).size / len(x)
    if repeated > MANY_REPEATED:
        yield (
            DataWarning,
            f"{repeated:.0%} of the units repeat another's value of running; bandwidth "
            "and bands assume a continuous variable. With few values near the cutoff "
            "the bias of extrapolating between them is not covered: compare bandwidths "
            "and orders. Clustering by those values does not mend that.",
        )
    at_cutoff = int(np.sum(x == 0))
    if at_cutoff > 1:
        yield (
            DataWarning,
            f"{at_cutoff} units lie exactly at the cutoff and count as above it. Check "
            "that they are treated.",
        )


def _small_samples(sizes: np.ndarray, levels: np.ndarray) -> Iterator[Remark]:
    # 100 observations reach the level 0.01; the margin absorbs rounding of 1 - 0.99.
    few = sizes * min(levels[0], 1 - levels[-1]) < 1 - 1e-9
    if few.any():
        yield (
            DataWarning,
            f"{few.sum()} of {len(few)} units have too few observations for the levels "
            f"{levels[0]:g} and {levels[-1]:g}: there their quantiles lean on the "
            "extreme observations. The bands account for that noise, not for the bias; "
            "compare a narrower range of levels.",
        )


def _beyond_grid(data: RandomDistributions, levels: np.ndarray) -> Iterator[Remark]:
    """Quantile curves say nothing beyond the levels they were recorded at."""
    if data.form != "quantiles":
        return
    low, high = data.levels[0], data.levels[-1]  # type: ignore[attr-defined]
    beyond = int(np.sum((levels < low - 1e-9) | (levels > high + 1e-9)))
    if beyond:
        yield (
            DataWarning,
            f"{beyond} of the {levels.size} levels lie outside the grid of the data "
            f"({low:g} to {high:g}), where its curves are taken as flat. Pass levels "
            "within the grid.",
        )


def _weak_first_stage(stage: FirstStage | None) -> Iterator[Remark]:
    if stage is not None and stage.f_statistic < WEAK_F:
        yield (
            InferenceWarning,
            f"the first stage is weak: the share treated jumps by {stage.jump:.3g} "
            f"with standard error {stage.std_error:.2g} (F = {stage.f_statistic:.1f}, "
            f"below {WEAK_F:g}). Intervals and bands of the ratio are not reliable; "
            "nullity_test remains valid, since it tests the numerator.",
        )
