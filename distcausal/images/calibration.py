"""Does the predicted effect mean what it says? A line through scores and predictions.

Scores are regressed on predicted effects, within folds. Slope zero: the predictions
rank nothing. Slope one: differences between predictions are differences in effects. In
between, predictions exaggerate, and the line repairs them (Chernozhukov and others
2025, best linear predictor).

The line that repairs is fitted to all held-out units. The slope that is tested comes
from rules learnt on earlier folds, because only that one has a law that is known where
nothing varies. The statistic can be computed for any slope held true, so the interval
is what a test at each slope does not reject, and interval and tests cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.errors import DesignError, check_choice
from distcausal.images._estimates import NOT_ESTIMATED, filled, only_confidence
from distcausal.images.aipw import pooled
from distcausal.images.scores import Scores, check_scores
from distcausal.images.sequential import (
    COMBINE,
    FoldStatistics,
    chi_squared,
    combined,
    spend,
)
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["Calibration", "calibration"]

_BINS = 5
_ALIKE = 0.02  # of the range of predictions, within which fifths are joined
_DOUBLINGS = 40


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Calibration(Result):
    """Line through doubly robust scores and predicted effects.

    Attributes
    ----------
    intercept, slope
        Line fitted to all held-out units, within folds: the recalibrated effect is
        ``intercept + slope * predicted``. Where no prediction varies within a fold the
        slope is 0 and the intercept the average effect.
    covariance
        Of intercept and slope, errors clustered by group, shape ``(2, 2)``. For use
        where effects differ; where none does, the slope's error is too small.
    tested_slope
        Slope at which the sequential statistic is zero; NaN where no fold has one.
    conf_low, conf_high
        Slopes that the sequential test does not reject; infinite where it rejects none
        on that side.
    confidence
        Coverage of that interval.
    p_zero, statistic
        That predictions rank nothing, against a positive slope, and the statistic of
        that test: standard normal, or less spread out where splits are averaged.
    p_one
        That every rule is calibrated, slope one, against any other slope.
    used, missing
        Folds with and without a statistic, over all splits, first folds not counted.
    bins
        Mean prediction, mean score, its standard error, and share of units by fifths of
        the prediction, shape ``(bin, 4)``; those of like predictions are joined.
    combine
        ``"mean"`` or ``"median"`` over splits.
    settings
        Every argument as used, with versions.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernández-Val (2025); Wager (2024).
    """

    cite_as: ClassVar[str] = "image_effects"

    intercept: float
    slope: float
    covariance: np.ndarray
    tested_slope: float
    conf_low: float
    conf_high: float
    confidence: float
    p_zero: float
    statistic: float
    p_one: float
    used: int
    missing: int
    bins: np.ndarray
    combine: str
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Calibration: slope {self.slope:.3g}, p = {self.p_zero:.3g} for 0>"

    def recalibrated(self, effect: object) -> np.ndarray:
        """Predicted effects put on the line, in the shape given."""
        return self.intercept + self.slope * np.asarray(effect, dtype=float)

    def tidy(self, confidence: float | None = None) -> pd.DataFrame:
        """Return rows for intercept, slope and tested slope.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high.
        Statistic and p-value are those of slope zero; errors belong to the fitted line,
        the interval to the tested slope.

        Parameters
        ----------
        confidence
            None or that of the result: what a test at each slope does not reject is
            worked out for one coverage.

        Raises
        ------
        DesignError
            If it is another.
        """
        import pandas as pd

        error = np.sqrt(np.diag(self.covariance))
        frame = pd.DataFrame(
            {
                "term": ["intercept", "slope", "tested slope"],
                "estimate": [self.intercept, self.slope, self.tested_slope],
                "std_error": [*error, np.nan],
                "statistic": [np.nan, np.nan, self.statistic],
                "p_value": [np.nan, np.nan, self.p_zero],
                "conf_low": [np.nan, np.nan, self.conf_low],
                "conf_high": [np.nan, np.nan, self.conf_high],
            }
        )
        return filled(frame, only_confidence(confidence, self.confidence))

    def glance(self) -> pd.DataFrame:
        """Return one row: slope, its p-values, folds used."""
        import pandas as pd

        names = ("slope", "tested_slope", "p_zero", "p_one", "used", "missing")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def plot_data(self) -> pd.DataFrame:
        """Return fifths of the prediction: predicted, score, std_error, share."""
        import pandas as pd

        return pd.DataFrame(
            self.bins, columns=["predicted", "score", "std_error", "share"]
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw scores by fifths of the prediction and the line; returns the axes."""
        from distcausal.images._plot import draw_calibration

        return draw_calibration(self, ax=ax, confidence=self.confidence)

    def summary(self) -> Table:
        """Return the printable table."""
        from distcausal._base.table import Table, decimals, number, p_value

        places = decimals(max(abs(self.slope), 1e-3), 3)
        shown = [
            ("fitted line, intercept", number(self.intercept, places)),
            ("fitted line, slope", number(self.slope, places)),
        ]
        if np.isnan(self.tested_slope):
            shown.append(("tested slope", NOT_ESTIMATED))
        else:
            ends = [number(e, places) for e in (self.conf_low, self.conf_high)]
            text = f"{number(self.tested_slope, places)} ({ends[0]} to {ends[1]})"
            shown.append(("tested slope", text))
        shown.append(("p-value, slope 0 (ranks nothing)", p_value(self.p_zero)))
        shown.append(("p-value, slope 1 (calibrated)", p_value(self.p_one)))
        return Table(
            title="Calibration of predicted effects",
            left=(("Folds tested", f"{self.used} of {self.used + self.missing}"),),
            columns=("", "value"),
            rows=tuple(shown),
            notes=(
                "Tests and their interval use rules learnt on earlier folds; the "
                "fitted line, which recalibrates, uses all held-out units.",
            ),
        )


def calibration(
    scores: Scores, *, confidence: float = 0.95, combine: str = "mean"
) -> Calibration:
    """Regress scores on predicted effects and test the slope.

    Parameters
    ----------
    scores
        Held-out arrays with a scalar outcome.
    confidence
        Coverage of the interval for the slope.
    combine
        ``"mean"`` or ``"median"`` over splits, as in `effect_homogeneity`. The interval
        belongs to the mean whichever is chosen.

    Returns
    -------
    Calibration

    Raises
    ------
    DesignError
        If the outcome has several values per unit.

    Examples
    --------
    >>> from distcausal.images.calibration import calibration
    >>> from distcausal.images.scores import example_scores
    >>> found = calibration(example_scores(gap=2.0))
    >>> found.p_zero < 0.001, found.conf_low < 1 < found.conf_high
    (True, True)
    """
    check_choice("combine", combine, COMBINE)
    check_confidence(confidence)
    check_scores(scores)
    scalar_only(scores, "the calibration line")
    intercept, slope, covariance = _line(scores)
    parts = _slope_parts(scores)
    zero, one = (_at_slope(parts, slope) for slope in (0.0, 1.0))
    there = zero.present[:, 1:, 0]
    low = high = middle = np.nan
    if there.any():
        low, middle, high = _interval(parts, confidence)
    ranks = combined(zero, "greater", combine)
    return Calibration(
        intercept=intercept,
        slope=slope,
        covariance=covariance,
        tested_slope=middle,
        conf_low=low,
        conf_high=high,
        confidence=float(confidence),
        p_zero=ranks.p_value,
        statistic=ranks.statistic,
        p_one=combined(one, "two-sided", combine).p_value,
        used=int(there.sum()),
        missing=int((~there).sum()),
        bins=_binned(scores),
        combine=combine,
        settings={
            "confidence": float(confidence),
            "combine": combine,
            "versions": versions(),
        },
    )


def scalar_only(scores: Scores, what: str) -> None:
    """Raise `DesignError` if the outcome has several values per unit."""
    if scores.score.shape[2] != 1:
        raise DesignError(
            f"{what} needs a scalar outcome; this one has {scores.score.shape[2]} "
            "values per unit. Choose one of them, or a functional such as the mean."
        )


def _line(scores: Scores) -> tuple[float, float, np.ndarray]:
    """Intercept, slope and their covariance, from deviations within folds."""
    weight = scores.weights / scores.weights.sum()
    deviation = _within(scores, scores.effect)
    residual = _within(scores, scores.score[..., 0])
    spread = float((weight * deviation**2).sum())
    size = float((weight * scores.effect**2).sum())
    splits = len(scores.fold)
    mean, average = (
        float((weight * part).sum()) / splits
        for part in (scores.effect, scores.score[..., 0])
    )
    varies = spread > 1e-18 * size
    slope = float((weight * deviation * residual).sum()) / spread if varies else 0.0
    bend = (
        weight * deviation * (residual - slope * deviation) / (spread if varies else 1)
    )
    level = scores.score[..., 0] - average - slope * (scores.effect - mean)
    moves = np.stack(
        [(weight * level).mean(axis=0) - mean * bend.sum(axis=0), bend.sum(axis=0)]
    )
    names, place = np.unique(scores.group, return_inverse=True)
    by_group = np.stack([np.bincount(place, row, len(names)) for row in moves])
    factor = len(names) / max(len(names) - 1, 1)
    return average - slope * mean, slope, factor * by_group @ by_group.T


def _within(scores: Scores, values: np.ndarray) -> np.ndarray:
    """Values less their mean in the fold, shape ``(split, unit)``."""
    found = np.empty_like(values)
    for split, label in enumerate(scores.fold):
        mass = np.bincount(label, scores.weights)
        mean = np.bincount(label, scores.weights * values[split])
        found[split] = values[split] - (mean / np.where(mass > 0, mass, 1.0))[label]
    return found


def _interval(parts: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Slopes where the mean statistic is at its upper bound, zero and lower bound."""
    from scipy.special import ndtri

    bound = float(ndtri((1 + confidence) / 2))
    rise, length = parts[..., 0], parts[..., 1]
    there = length > 0
    centre = float(np.median(rise[there] / length[there]))
    unit = float(np.median(np.sqrt(parts[..., 2][there]) / length[there]))
    unit = max(unit, 1e-9 * max(abs(centre), 1.0))

    def beyond(slope: float, target: float) -> float:
        return float(spend(_at_slope(parts, slope)).mean()) - target

    middle = _crossing(lambda slope: beyond(slope, 0.0), centre, unit)
    low = _crossing(lambda slope: beyond(slope, bound), middle, -unit)
    return low, middle, _crossing(lambda slope: beyond(slope, -bound), middle, unit)


def _slope_parts(scores: Scores) -> np.ndarray:
    """Sums over the groups of a fold from which the statistic of any slope follows.

    With a and b what a group adds to the products of predictions with scores and with
    predictions: ``Σa, Σb, Σa², Σab, Σb²`` and the number of groups, shape
    ``(split, fold, 6)``; zero where there is no statistic.
    """
    parts = np.zeros((len(scores.fold), scores.folds, 6))
    for split, label in enumerate(scores.fold):
        for number in range(1, scores.folds):
            inside = np.flatnonzero((label == number) & (scores.weights > 0))
            weight = scores.weights[inside]
            predicted = scores.effect_before[split, inside]
            deviation = predicted - np.average(predicted, weights=weight)
            score = scores.score_before[split, inside, 0]
            residual = score - np.average(score, weights=weight)
            names, place = np.unique(scores.group[inside], return_inverse=True)
            a = np.bincount(place, weight * deviation * residual)
            b = np.bincount(place, weight * deviation**2)
            if len(names) > 2 and b.sum() > 1e-18 * weight @ predicted**2:
                products = (a @ a, a @ b, b @ b)
                parts[split, number] = (a.sum(), b.sum(), *products, len(names))
    return parts


def _at_slope(parts: np.ndarray, slope: float) -> FoldStatistics:
    """Statistics of scores less a slope times the prediction, against the prediction.

    The score test of `fold_score` for one column, residuals as if the slope were true.
    """
    a, b, aa, ab, bb, groups = np.moveaxis(parts, -1, 0)
    present = groups > 0
    total = a - slope * b
    square = aa - 2 * slope * ab + slope**2 * bb
    ratio = np.where(square > 0, total**2 / np.where(square > 0, square, 1.0), 0.0)
    z = np.sqrt(chi_squared(ratio, 1, np.where(present, groups, 3))) * np.sign(total)
    return FoldStatistics(np.where(present, z, 0.0)[..., None], present[..., None])


def _crossing(falling: Callable[[float], float], start: float, step: float) -> float:
    """Slope at which a falling function is zero, searched from a start.

    The search goes in the direction of the step, or against it if zero lies there.
    Infinite if zero is never passed.
    """
    from scipy.optimize import brentq

    if (falling(start) > 0) == (step < 0):
        step = -step
    inner = start
    for _ in range(_DOUBLINGS):
        outer = inner + step
        if (falling(outer) > 0) == (step < 0):
            ends = sorted((inner, outer))
            return float(brentq(falling, *ends, xtol=1e-13 * abs(step), rtol=1e-13))
        inner, step = outer, 2 * step
    return float(np.copysign(np.inf, step))


def _binned(scores: Scores) -> np.ndarray:
    """Fifths of the prediction within folds: see `Calibration.bins`."""
    member = np.zeros((*scores.fold.shape, _BINS))
    for split, label in enumerate(scores.fold):
        for number in range(scores.folds):
            inside = np.flatnonzero(label == number)
            rank = _middle_rank(scores.effect[split, inside], scores.weights[inside])
            place = np.minimum((_BINS * rank).astype(int), _BINS - 1)
            member[split, inside, place] = 1.0
    member = member @ _joined(*_summed(member, scores))
    mass, total = _summed(member, scores)
    found = pooled(member, scores.score, scores.weights, scores.group)
    error = np.sqrt(np.diag(found.covariance()[0]))[:-1]
    columns = (total / mass, found.estimate[:-1, 0], error, found.share)
    return np.column_stack(columns)


def _summed(member: np.ndarray, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Weight in each bin, and its product with the predictions there."""
    mass = np.einsum("sik,i->k", member, scores.weights)
    return mass, np.einsum("sik,si,i->k", member, scores.effect, scores.weights)


def _joined(mass: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Which bins go into which, ``(bin, bin kept)``: those of like predictions join.

    Where the model is sure of clusters, units of one cluster have one prediction, and
    dots of several fifths would lie on one another.
    """
    held = np.flatnonzero(mass > 0)
    predicted = total[held] / mass[held]
    apart = np.abs(np.diff(predicted)) > _ALIKE * np.ptp(predicted)
    place = np.append(0, np.cumsum(apart))
    joined = np.zeros((len(mass), place[-1] + 1))
    joined[held, place] = 1.0
    return joined


def _middle_rank(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the weight below a value and half of that at it."""
    known, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights, len(known))
    total = max(float(mass.sum()), np.finfo(float).tiny)
    return ((np.cumsum(mass) - mass / 2) / total)[place]
