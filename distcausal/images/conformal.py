"""Intervals for the effect on a single unit: wide, and honest about it.

Half of every unit's effect is never seen, so intervals for it cannot use the law of the
effect; they bound the unseen outcome. Split conformal prediction does so whatever the
regression is worth. The unseen outcome of a treated unit is predicted from untreated
ones, whose images are distributed differently; weights ``e / (1 - e)``, known by
design, make up for that, and the interval then covers in finite samples (Lei and Candès
2021). A new image has no outcome at all. There the intervals of the units, as wide as
they are, are themselves predicted: the nested version, conservative twice.

Everything happens within a fold, between units that its model has not seen. Groups
should be exchangeable: units of one group count as one where mass is set aside for the
unit to be covered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.keys import Seed, check_seed, host_stream, seed_record
from distcausal._base.session import versions
from distcausal.errors import DataError, DesignError, InferenceWarning, warn_user
from distcausal.images._estimates import filled, only_confidence
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["UnitEffects", "unit_effects"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class UnitEffects(Result):
    """Conformal intervals for the effects on single units; conservative.

    Attributes
    ----------
    low, high
        Ends of the interval of each unit of the sample, from its own outcome and a
        bound on the one not seen, shape ``(unit,)``. Infinite where the units to
        compare with are too few for the confidence.
    half_width
        Of intervals around the predicted effect of a new image; infinite as above.
    confidence
        Coverage promised on average over units. For new images it is that of each
        fold's own model; pooling the folds, as here, can cost as much again in theory.
    infinite
        Number of units with an infinite end.
    settings
        Every argument as used, with seed and versions.

    References
    ----------
    Lei and Candès (2021).
    """

    cite_as: ClassVar[str] = "image_effects"

    low: np.ndarray
    high: np.ndarray
    half_width: float
    confidence: float
    infinite: int
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<UnitEffects: {len(self.low)} units, conservative intervals>"

    def new(self, effect: object) -> tuple[np.ndarray, np.ndarray]:
        """Ends of intervals for units with new images, given their predicted effect."""
        centre = np.asarray(effect, dtype=float)
        return centre - self.half_width, centre + self.half_width

    def tidy(self, confidence: float | None = None) -> pd.DataFrame:
        """Return one row per unit: term, conf_low, conf_high.

        The other columns of all results are missing: an interval has no centre here.

        Parameters
        ----------
        confidence
            None or that of the result: bounds are order statistics of one coverage.

        Raises
        ------
        DesignError
            If it is another.
        """
        import pandas as pd

        used = only_confidence(confidence, self.confidence)
        terms = [f"unit {place}" for place in range(len(self.low))]
        ends = {"conf_low": self.low, "conf_high": self.high}
        return filled(pd.DataFrame({"term": terms, **ends}), used)

    def glance(self) -> pd.DataFrame:
        """Return one row: units, infinite intervals, median width, half width."""
        import pandas as pd

        row = {
            "units": len(self.low),
            "infinite": self.infinite,
            "median_width": float(np.median(self.high - self.low)),
            "half_width": self.half_width,
            "confidence": self.confidence,
        }
        return pd.DataFrame([row])

    def plot_data(self) -> pd.DataFrame:
        """Return the table of `tidy`."""
        return self.tidy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the intervals, ordered by their middle; returns the axes."""
        from distcausal.images._plot_lists import draw_units

        return draw_units(self, ax=ax)

    def summary(self) -> Table:
        """Return the printable table."""
        from distcausal._base.table import Table, decimals, number

        width = float(np.median(self.high - self.low))
        places = decimals(width, 3)
        positive, negative = (self.low > 0).mean(), (self.high < 0).mean()
        rows = (
            ("median width", number(width, places)),
            ("half width for new images", number(self.half_width, places)),
            ("units with an infinite interval", str(self.infinite)),
            ("share of intervals above zero", f"{positive:.3f}"),
            ("share of intervals below zero", f"{negative:.3f}"),
        )
        return Table(
            title="Intervals for effects on single units (conformal, conservative)",
            left=(("Units", str(len(self.low))),),
            right=(("Confidence", f"{self.confidence:g}"),),
            columns=("", "value"),
            rows=rows,
            notes=(
                "They cover on average over units, not for each kind of unit; shares "
                "of intervals away from zero are not shares of units helped or harmed.",
            ),
        )


def unit_effects(
    outcome: np.ndarray,
    treatment: np.ndarray,
    expected: np.ndarray,
    propensity: np.ndarray,
    effect: np.ndarray,
    fold: np.ndarray,
    *,
    weights: np.ndarray,
    group: np.ndarray,
    confidence: float = 0.95,
    split: int = 0,
    seed: Seed = 0,
) -> UnitEffects:
    """Conformal intervals for unit effects, from one split into folds.

    One, for an average of intervals that cover need not cover.

    Parameters
    ----------
    outcome
        Shape ``(unit,)``.
    treatment
        0 or 1, shape ``(unit,)``.
    expected
        Predicted outcome of both arms from other folds, shape ``(2, split, unit)``.
    propensity
        Probability of treatment, shape ``(split, unit)``. Coverage is exact if it is
        known, approximate if estimated.
    effect
        Predicted effect of the unit's image from other folds, ``(split, unit)``.
    fold
        Shape ``(split, unit)``.
    weights, group
        Shape ``(unit,)``.
    confidence
        Coverage.
    split
        Which split to use, chosen before looking at the intervals.
    seed
        For the halves into which folds are cut for the nested version.

    Returns
    -------
    UnitEffects

    Raises
    ------
    DataError
        If an array has another length, or numbers are missing.

    Warns
    -----
    InferenceWarning
        If intervals are infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.conformal import unit_effects
    >>> draw = np.random.default_rng(0)
    >>> w, y = np.tile([0, 1], 100), draw.normal(size=200)
    >>> found = unit_effects(
    ...     y + w, w, np.tile([[[0.0]], [[1.0]]], 200), np.full((1, 200), 0.5),
    ...     np.ones((1, 200)), np.arange(200)[None] // 2 % 2, weights=np.ones(200),
    ...     group=np.arange(200), confidence=0.9,
    ... )
    >>> bool(np.mean((found.low <= 1) & (found.high >= 1)) > 0.85)
    True
    """
    check_confidence(confidence)
    check_seed(seed)
    if not 0 <= split < len(fold):
        raise DesignError(
            f"split should be a number from 0 to {len(fold) - 1}; got {split!r}."
        )
    expected, propensity = expected[:, split], propensity[split]
    effect, fold = effect[split], fold[split]
    arrays = (outcome, treatment, *expected, propensity, effect, fold, weights, group)
    _check(arrays)
    miss = 1 - confidence
    units = _Units(outcome, treatment, expected, propensity, weights, group)
    low, high = (np.full(len(outcome), np.nan) for _ in range(2))
    half = _halves(group, seed)
    excess = np.empty(len(outcome))
    for number in range(int(fold.max()) + 1):
        inside = np.flatnonzero(fold == number)
        low[inside], high[inside] = units.intervals(inside, inside, miss)
        for side in (0, 1):
            judged, judging = (inside[half[inside] == s] for s in (side, 1 - side))
            ends = units.intervals(judged, judging, miss / 2)
            excess[judged] = np.maximum(
                effect[judged] - ends[0], ends[1] - effect[judged]
            )
    wide = ~np.isfinite(low) | ~np.isfinite(high)
    _warn_of_infinite(wide, confidence)
    reserve = _group_mass(weights, group)
    width = _bounds(excess, weights, np.array([reserve]), miss / 2)[0]
    return UnitEffects(
        low=low,
        high=high,
        half_width=float(width),
        confidence=float(confidence),
        infinite=int(wide.sum()),
        settings={
            "confidence": float(confidence),
            "split": int(split),
            "seed": seed_record(seed),
            "versions": versions(),
        },
    )


def _warn_of_infinite(wide: np.ndarray, confidence: float) -> None:
    if wide.any():
        warn_user(
            f"{int(wide.sum())} of {len(wide)} units have infinite intervals: their "
            f"folds hold too few units of the other arm for {confidence:g} coverage. "
            "Ask for less confidence, or use fewer folds.",
            InferenceWarning,
        )


def _check(arrays: tuple[np.ndarray, ...]) -> None:
    lengths = {len(part) for part in arrays}
    if len(lengths) > 1:
        raise DataError(
            f"arrays should have one entry per unit; lengths are {sorted(lengths)}."
        )
    missing = sum(int((~np.isfinite(part)).sum()) for part in arrays)
    if missing:
        raise DataError(f"{missing} numbers are missing or infinite. Remove the units.")


class _Units:
    """Outcomes with their predictions, and what weights an arm for the other."""

    def __init__(
        self,
        outcome: np.ndarray,
        treatment: np.ndarray,
        expected: np.ndarray,
        propensity: np.ndarray,
        weights: np.ndarray,
        group: np.ndarray,
    ) -> None:
        self.outcome, self.treated, self.expected = outcome, treatment == 1, expected
        self.weights, self.group = weights, group
        self.residual = np.abs(outcome - np.where(self.treated, *expected[::-1]))
        odds = propensity / (1 - propensity)
        # Density of the other arm's images relative to this one's, up to a factor.
        self.shift = np.stack([odds, 1 / odds])

    def intervals(
        self, judged: np.ndarray, judging: np.ndarray, miss: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ends for the effects of some units, calibrated on the other arm of others."""
        low, high = np.empty(len(judged)), np.empty(len(judged))
        for arm in (0, 1):  # the arm not seen
            place = np.flatnonzero(self.treated[judged] == (arm == 0))
            unit = judged[place]
            known = judging[self.treated[judging] == (arm == 1)]
            mass = self.weights[known] * self.shift[arm, known]
            reserve = _group_mass(self.weights[known], self.group[known])
            width = _bounds(
                self.residual[known], mass, reserve * self.shift[arm, unit], miss
            )
            sign = 1 - 2 * arm
            centre = sign * (self.outcome[unit] - self.expected[arm, unit])
            low[place], high[place] = centre - width, centre + width
        return low, high


def _group_mass(weights: np.ndarray, group: np.ndarray) -> float:
    """Weight of a group, groups drawn in proportion to their weight; one if empty."""
    if not weights.sum() > 0:
        return 1.0
    _, place = np.unique(group, return_inverse=True)
    mass = np.bincount(place, weights)
    return float(mass @ mass / mass.sum())


def _bounds(
    values: np.ndarray, mass: np.ndarray, reserve: np.ndarray, miss: float
) -> np.ndarray:
    """Smallest value that all but a share ``miss`` of the mass does not exceed.

    The mass in reserve, for the unit to be covered, lies at infinity; one bound for
    each entry of ``reserve``.
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(mass[order])
    total = (below[-1] if len(below) else 0.0) + reserve
    # Rounding must not push a mass that is exactly enough beyond the last value.
    place = np.searchsorted(below, (1 - miss) * total * (1 - 1e-12), side="left")
    return np.append(values[order], np.inf)[place]


def _halves(group: np.ndarray, seed: Seed) -> np.ndarray:
    """Half of each unit, groups kept together and assigned by lot."""
    names, place = np.unique(group, return_inverse=True)
    ranks = np.argsort(host_stream(seed, "conformal halves").random(len(names)))
    return (np.argsort(ranks) % 2)[place]
