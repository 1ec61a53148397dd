"""What must be true of a discontinuity design, said in the user's words.

Checked once, on the host, before anything is computed: arguments first, then the
columns that play a role, then the window around the cutoff.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from warnings import warn

import numpy as np

from distcausal.data.units import unit_column
from distcausal.errors import (
    DataError,
    DataWarning,
    DesignError,
    DistCausalWarning,
    InferenceWarning,
    listing,
)
from distcausal.rdd.core import SideFit, effective_units, inside_window

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.rdd.estimate import Curves, Fits
    from distcausal.rdd.result import FirstStage
    from distcausal.rdd.task import Roles

__all__ = [
    "DEFAULT_LEVELS",
    "METHODS",
    "Design",
    "check_fits",
    "check_jump",
    "check_orders",
    "issue_warnings",
    "monotone_notes",
    "read_design",
    "read_levels",
    "read_support",
]

DEFAULT_LEVELS = np.arange(1, 100) / 100
METHODS = ("frechet", "pointwise")
HIGHEST_ORDER = 8
FEW_UNITS = 20
FEW_CLUSTERS = 10
MANY_REPEATED = 0.2
WEAK_F = 10.0


@dataclass(frozen=True)
class Design:
    """Columns of a discontinuity design, one row per unit, checked.

    Attributes
    ----------
    x
        Running variable minus the cutoff.
    weight
        Unit weights with mean one.
    treatment
        Treatment received, or None in sharp designs.
    cluster
        Cluster numbers from zero in sorted order of the labels, or None.
    n_clusters
        Number of clusters, or None.
    """

    x: np.ndarray
    weight: np.ndarray
    treatment: np.ndarray | None
    cluster: np.ndarray | None
    n_clusters: int | None


def check_orders(order: object, pilot_order: object, *, published: bool) -> None:
    """Both whole numbers, the pilot below the order, none absurd.

    R3D 0.1.0 accepts any two orders, and so does its profile.
    """
    for name, value in (("order", order), ("pilot_order", pilot_order)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not 0 <= int(value) <= HIGHEST_ORDER:  # type: ignore[call-overload]
            raise DesignError(
                f"{name} {value!r} should be a whole number from 0 to {HIGHEST_ORDER}."
            )
    if pilot_order >= order and not published:  # type: ignore[operator]
        raise DesignError(
            f"order {order} should exceed pilot_order {pilot_order}: the bandwidth is "
            f"chosen for pilot_order, and the higher order removes the bias left. For "
            f"an uncorrected fit of order {order} pass pilot_order={int(order) - 1} "  # type: ignore[call-overload]
            "and your own bandwidth."
        )


def read_levels(levels: object) -> np.ndarray:
    """Quantile levels as a float array, strictly increasing inside (0, 1)."""
    if levels is None:
        return DEFAULT_LEVELS.copy()
    try:
        grid = np.atleast_1d(np.array(levels, dtype=float))
    except (TypeError, ValueError):
        raise DesignError(f"levels should be numbers; got {levels!r}.") from None
    if grid.ndim != 1 or grid.size == 0:
        raise DesignError(f"levels should be a list of numbers; got {levels!r}.")
    if not ((grid > 0) & (grid < 1)).all():
        outside = grid[~((grid > 0) & (grid < 1))]
        raise DesignError(
            f"levels should lie strictly between 0 and 1; got {listing(outside)}."
        )
    if not (np.diff(grid) > 0).all():
        raise DesignError(
            "levels should increase strictly: sort them and drop repetitions "
            f"(got {listing(grid)})."
        )
    return grid


def read_support(support: object, curves: np.ndarray) -> tuple[float, float]:
    """Smallest and largest possible outcome; no quantile observed may lie outside."""
    if support is None:
        return (-np.inf, np.inf)
    try:
        low, high = (float(end) for end in support)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not low < high:
        raise DesignError(
            f"support {support!r} should be a pair (lowest, highest) of possible "
            "outcomes, such as (0, 100) or (0, numpy.inf)."
        )
    if curves.min() < low or curves.max() > high:
        raise DataError(
            f"outcomes run from {curves.min():g} to {curves.max():g}, outside the "
            f"support ({low:g}, {high:g}). Correct support, or the data."
        )
    return low, high


def read_design(data: RandomDistributions, roles: Roles, cutoff: float) -> Design:
    """Resolve and check the columns that play a role."""
    _check_cutoff(cutoff)
    x = _numbers(data, roles.running, "running") - float(cutoff)
    _check_sides(x, cutoff)
    weight, share = np.ones(len(x)), None
    if roles.weights is not None:
        weight = _unit_weights(data, roles.weights)
        _check_sides(x[weight > 0], cutoff)
    if roles.treatment is not None:
        share = _treatment(data, roles.treatment, roles.continuous_treatment)
    if roles.cluster is None:
        return Design(x, weight, share, None, None)
    return Design(x, weight, share, *_clusters(data, roles.cluster))


def _check_cutoff(cutoff: object) -> None:
    number = isinstance(cutoff, int | float | np.number) and not isinstance(
        cutoff, bool
    )
    if not number or not np.isfinite(cutoff):  # type: ignore[call-overload]
        raise DesignError(f"cutoff {cutoff!r} should be a finite number.")


def _numbers(data: RandomDistributions, value: object, argument: str) -> np.ndarray:
    """Column of finite numbers, one per unit."""
    column = unit_column(data, value, argument=argument)
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise DataError(
            f"{argument} should be one number per unit; got "
            f"{column.dtype} with shape {column.shape}."
        )
    column = column.astype(float)
    bad = ~np.isfinite(column)
    if bad.any():
        raise DataError(
            f"{argument} is missing or infinite for {bad.sum()} of {len(column)} units "
            f"({listing(np.asarray(data.ids)[bad])}). Drop those units first, with "
            "data.take(numpy.isfinite(...)) on that column."
        )
    return column


def _check_sides(x: np.ndarray, cutoff: float) -> None:
    for side, inside in (("below", x < 0), ("at or above", x >= 0)):
        if not inside.any():
            raise DesignError(
                f"no units lie {side} the cutoff {cutoff:g}: running goes from "
                f"{x.min() + cutoff:g} to {x.max() + cutoff:g}. Check the sign or the "
                "cutoff."
            )


def _unit_weights(data: RandomDistributions, value: object) -> np.ndarray:
    weight = _numbers(data, value, "weights")
    bad = weight < 0
    if bad.any():
        raise DataError(
            f"weights are negative for {bad.sum()} units "
            f"({listing(np.asarray(data.ids)[bad])}). Weights say how much a unit "
            "counts: zero or more."
        )
    if not weight.any():
        raise DataError("weights are zero for all units; at least some should count.")
    return weight / weight.mean()


def _treatment(
    data: RandomDistributions, value: object, continuous: bool
) -> np.ndarray:
    share = _numbers(data, value, "treatment")
    bad = (share != 0) & (share != 1)
    if bad.any() and not continuous:
        raise DataError(
            f"treatment should be 0 or 1, but is not for {bad.sum()} of {len(share)} "
            f"units ({listing(np.asarray(data.ids)[bad])}). For a dose or a share "
            "treated pass continuous_treatment=True."
        )
    return share


def _clusters(data: RandomDistributions, value: object) -> tuple[np.ndarray, int]:
    labels = unit_column(data, value, argument="cluster")
    if labels.ndim != 1:
        raise DataError(
            f"cluster should be one label per unit; got shape {labels.shape}."
        )
    if labels.dtype.kind == "O":
        missing = np.array([label is None or label != label for label in labels])
        labels = labels.astype(str)
    else:
        missing = labels != labels
    if missing.any():
        raise DataError(
            f"cluster is missing for {missing.sum()} of {len(labels)} units "
            f"({listing(np.asarray(data.ids)[missing])}). Give them a label or drop "
            "them with data.take."
        )
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise DesignError(
            f"cluster has one value only ({names[0]!r}); errors that may all be "
            "dependent cannot be estimated. Leave cluster out or use a finer one."
        )
    return codes, len(names)


def check_fits(fits: Fits) -> None:
    """Both windows hold enough, and both fits can be solved."""
    _check_window(fits.outcome, "outcome")
    if fits.treatment is not None:
        _check_window(fits.treatment, "treatment")


def _check_window(fit: SideFit, what: str) -> None:
    """Enough distinct values with weight on each side, and a solvable fit.

    ``what`` names the bandwidth in messages.
    """
    x, needed = fit.sample.x, fit.order + 1
    for group in range(len(fit.bandwidth)):
        below, above = fit.bandwidth[group]
        inside = fit.kernel(x / np.where(x >= 0, above, below)) * fit.sample.weight > 0
        counts = [np.unique(x[inside & side]).size for side in (x < 0, x >= 0)]
        if min(counts) < needed:
            raise DesignError(
                f"an order-{fit.order} fit needs {needed} distinct values of running "
                f"with weight on each side, but the {what} bandwidth "
                f"({below:g} below, {above:g} above) holds {counts[0]} below and "
                f"{counts[1]} above the cutoff. Widen the bandwidth or lower the order."
            )
    worst = fit.solution.conditioning.min()
    if worst < 1e-10:
        raise DesignError(
            f"the order-{fit.order} fit within the {what} bandwidth is not determined: "
            f"its Gram matrix has reciprocal condition number {worst:.1g}, since "
            "the values of running with weight nearly coincide. Widen the bandwidth or "
            "lower the order."
        )


def check_jump(jump: float | None, treatment: np.ndarray | None) -> None:
    """A fuzzy design needs a first stage; a jump of rounding error is none."""
    if jump is None or treatment is None:
        return
    if abs(jump) <= 1e-12 * max(np.abs(treatment).max(), 1e-300):
        raise DesignError(
            "the share treated does not jump at the cutoff (the estimated jump is "
            "0), so the effect on compliers does not exist. Check treatment "
            "and cutoff."
        )


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


def issue_warnings(
    data: RandomDistributions, design: Design, fits: Fits, stage: FirstStage | None
) -> list[str]:
    """Warn of what weakens the estimate or its inference; returns the sentences."""
    remarks = [
        *_few_units(fits.outcome),
        *_few_clusters(design, fits.outcome),
        *_mass_points(design.x),
        *_small_samples(np.asarray(data.sizes), fits.levels),
        *_weak_first_stage(stage),
    ]
    for category, sentence in remarks:
        warn(sentence, category, stacklevel=3)
    return [sentence for _, sentence in remarks]


Remark = tuple[type[DistCausalWarning], str]


def _few_units(fit: SideFit) -> Iterator[Remark]:
    below, above = effective_units(fit)
    if min(below, above) < FEW_UNITS:
        yield (
            InferenceWarning,
            f"the window holds {below} units below and {above} above the cutoff; with "
            f"fewer than {FEW_UNITS} on a side standard errors and bands are rough. "
            "Compare a wider bandwidth.",
        )


def _few_clusters(design: Design, fit: SideFit) -> Iterator[Remark]:
    if design.cluster is None:
        return
    near = np.unique(design.cluster[inside_window(fit)]).size
    if near < FEW_CLUSTERS:
        yield (
            InferenceWarning,
            f"the window holds units of {near} clusters; with fewer than "
            f"{FEW_CLUSTERS} clustered standard errors and bands tend to be too small.",
        )


def _mass_points(x: np.ndarray) -> Iterator[Remark]:
    repeated = 1 - np.unique(x).size / len(x)
    if repeated > MANY_REPEATED:
        yield (
            DataWarning,
            f"{repeated:.0%} of the units repeat another's value of running; bandwidth "
            "and standard errors assume a continuous variable. Consider cluster= "
            "with the values of running.",
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


def _weak_first_stage(stage: FirstStage | None) -> Iterator[Remark]:
    if stage is not None and stage.f_statistic < WEAK_F:
        yield (
            InferenceWarning,
            f"the first stage is weak: the share treated jumps by {stage.jump:.3g} "
            f"with standard error {stage.std_error:.2g} (F = {stage.f_statistic:.1f}, "
            f"below {WEAK_F:g}). Intervals and bands of the ratio are not reliable; "
            "nullity_test remains valid, since it tests the numerator.",
        )
