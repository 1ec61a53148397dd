"""What must be true of a discontinuity design, said in the user's words.

Checked once, on the host, before anything is computed: arguments first, then the
columns that play a role, then the window around the cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from distcausal.data.units import unit_column
from distcausal.errors import (
    DataError,
    DesignError,
    listing,
)
from distcausal.rdd.core import SideFit, clusters_by_side

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.rdd.estimate import Fits
    from distcausal.rdd.task import Roles

__all__ = [
    "DEFAULT_LEVELS",
    "METHODS",
    "Design",
    "check_curves",
    "check_data",
    "check_fit",
    "check_fits",
    "check_jump",
    "check_orders",
    "numbers",
    "read_design",
    "read_levels",
    "read_support",
]

DEFAULT_LEVELS = np.arange(1, 100) / 100
METHODS = ("frechet", "pointwise")
HIGHEST_ORDER = 8
# Squares of numbers in between, and ratios of such squares, are finite and not zero.
LARGEST, SMALLEST = 1e150, 1e-140


@dataclass(frozen=True)
class Design:
    """Columns of a discontinuity design, one row per unit, checked.

    Attributes
    ----------
    x
        Running variable minus the cutoff.
    weight
        Unit weights; those that are not zero have mean one.
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
    high, low = _order("order", order), _order("pilot_order", pilot_order)
    if low >= high and not published:
        raise DesignError(
            f"order {high} should exceed pilot_order {low}: the bandwidth is chosen "
            "for pilot_order, and the higher order removes the bias left. For an "
            f"uncorrected fit of order {high} pass pilot_order={max(high - 1, 0)} and "
            "your own bandwidth."
        )


def _order(name: str, value: object) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    number = int(value) if whole else -1  # type: ignore[call-overload]
    if not 0 <= number <= HIGHEST_ORDER:
        raise DesignError(
            f"{name} {value!r} should be a whole number from 0 to {HIGHEST_ORDER}."
        )
    return number


def numbers(argument: str, value: object) -> np.ndarray:
    """Array of floats from numbers; text that looks like numbers is not."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            return array.astype(float)
    except (TypeError, ValueError):
        pass
    raise DesignError(f"{argument} should be numbers; got {value!r}.")


def read_levels(levels: object) -> np.ndarray:
    """Quantile levels as a float array, strictly increasing inside (0, 1)."""
    if levels is None:
        return DEFAULT_LEVELS.copy()
    grid = np.atleast_1d(numbers("levels", levels))
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


def check_data(data: object) -> None:
    """The first argument is the data model, not an array or a frame."""
    from distcausal.data.distributions import RandomDistributions

    if not isinstance(data, RandomDistributions):
        raise DesignError(
            f"data should be a RandomDistributions; got {type(data).__name__}. Make "
            "one with RandomDistributions.from_frame, from_samples or from_quantiles."
        )


def check_fit(fit: object) -> None:
    """What is computed from a fit needs one."""
    from distcausal.rdd.result import R3DResult

    if not isinstance(fit, R3DResult):
        raise DesignError(f"fit should be a result of r3d; got {type(fit).__name__}.")


def check_curves(curves: np.ndarray) -> tuple[float, float]:
    """Smallest and largest quantile: finite, and small enough to be squared."""
    lowest, highest = float(curves.min()), float(curves.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise DataError(
            "some quantiles of the units are not finite at the levels asked for. "
            "Narrow levels, or check the laws that the units were made from."
        )
    size = max(abs(lowest), abs(highest))
    if size > LARGEST or 0 < size < SMALLEST:
        raise DataError(
            f"outcomes run from {lowest:g} to {highest:g}; their squares leave the "
            "range of floating point. Rescale the outcome."
        )
    return lowest, highest


def read_support(support: object, lowest: float, highest: float) -> tuple[float, float]:
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
    if lowest < low or highest > high:
        raise DataError(
            f"outcomes run from {lowest:g} to {highest:g}, outside the "
            f"support ({low:g}, {high:g}). Correct support, or the data."
        )
    return low, high


def read_design(data: RandomDistributions, roles: Roles, cutoff: float) -> Design:
    """Resolve and check the columns that play a role."""
    _check_cutoff(cutoff)
    x = _numbers(data, roles.running, "running") - float(cutoff)
    _check_sides(x, cutoff)
    reach = np.abs(x).max()
    if not SMALLEST < reach < LARGEST:
        raise DataError(
            f"running reaches {reach:g} from the cutoff, whose square leaves the range "
            "of floating point. Rescale running."
        )
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
    if column.ndim != 1:
        raise DataError(
            f"{argument} should be one number per unit; got an array of shape "
            f"{column.shape}."
        )
    if column.dtype.kind not in "biuf":
        found = listing(sorted(map(str, set(column.tolist()))), most=3)
        raise DataError(
            f"{argument} should be one number per unit, but holds {found}. Code it as "
            "numbers, such as 0 and 1."
        )
    column = column.astype(float)
    bad = ~np.isfinite(column)
    if bad.any():
        raise DataError(
            f"{argument} is missing or infinite for {bad.sum()} of {len(column)} units "
            f"({listing(np.asarray(data.ids)[bad])}). Drop those units, with "
            "data.take(numpy.isfinite(...)) on that column, or delete their rows."
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
    return weight / weight[weight > 0].mean()


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
    missing = np.array([label is None or label != label for label in labels])
    if missing.any():
        raise DataError(
            f"cluster is missing for {missing.sum()} of {len(labels)} units "
            f"({listing(np.asarray(data.ids)[missing])}). Give them a label, drop "
            "them with data.take, or delete their rows."
        )
    # Labels of several kinds have no common order: by kind first, 1 apart from "1".
    names = sorted(
        set(labels.tolist()), key=lambda label: (type(label).__name__, label)
    )
    number = {label: position for position, label in enumerate(names)}
    codes = np.array([number[label] for label in labels.tolist()])
    if len(names) < 2:
        raise DesignError(
            f"cluster has one value only ({names[0]!r}); errors that may all be "
            "dependent cannot be estimated. Leave cluster out or use a finer one."
        )
    return codes, len(names)


def check_fits(fits: Fits, design: Design) -> None:
    """Both windows hold enough, and both fits can be solved."""
    named = {"outcome": fits.outcome, "treatment": fits.treatment}
    for what, fit in named.items():
        if fit is None:
            continue
        _check_window(fit, what)
        if design.cluster is not None:
            _check_clusters(fit, design.cluster, what)


def _check_clusters(fit: SideFit, cluster: np.ndarray, what: str) -> None:
    """One cluster alone on a side leaves no residual between clusters."""
    below, above = clusters_by_side(fit, cluster)
    if min(below, above) < 2:
        raise DesignError(
            f"the {what} bandwidth holds units of {below} clusters below and {above} "
            "above the cutoff; it takes at least 2 on each side to estimate an error "
            "between clusters. Widen the bandwidth or use a finer cluster."
        )


def _check_window(fit: SideFit, what: str) -> None:
    """Enough distinct values with weight on each side, and a solvable fit.

    One more than the polynomial has coefficients: a fit through all of its points
    leaves no residual, and errors of zero would be claimed. ``what`` names the
    bandwidth in messages.
    """
    x, needed = fit.sample.counted, fit.order + 2
    distinct = [np.unique(np.abs(x[side])) for side in (x < 0, x >= 0)]
    # A kernel that is zero at its edge gives no weight to a value just there.
    edge: Literal["left", "right"] = "right" if fit.kernel(np.ones(1))[0] else "left"
    for below, above in np.unique(fit.bandwidth, axis=0):
        counts = [
            int(np.searchsorted(values, width, edge))
            for values, width in zip(distinct, (below, above), strict=True)
        ]
        if min(counts) < needed:
            raise DesignError(
                f"an order-{fit.order} fit with standard errors needs {needed} "
                "distinct values of running with weight on each side, but the "
                f"{what} bandwidth ({below:g} below, {above:g} above) holds "
                f"{counts[0]} below and {counts[1]} above the cutoff. Widen the "
                "bandwidth or lower the order."
            )
    worst = max(fit.solution.conditioning.min(), 0.0)
    if worst < 1e-10:
        raise DesignError(
            f"the order-{fit.order} fit within the {what} bandwidth is not determined: "
            f"its Gram matrix has reciprocal condition number {worst:.1g}, since "
            "on the scale of the bandwidth the values of running nearly coincide, or "
            "few units carry nearly all weight. Choose a bandwidth of the size of the "
            "distances observed, or lower the order."
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
