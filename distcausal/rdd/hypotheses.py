"""Tests on ranges of levels, computed from a fit without the data.

All are read off the simulated errors a fit carries. A test over a range of levels
compares the largest deviation of the estimate with the largest deviations of the
simulated errors, scaled as the fit's own band is; so nullity is rejected somewhere in
the whole range exactly if the band excludes zero somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from distcausal.errors import DesignError, check_choice
from distcausal.numerics.band import (
    check_confidence,
    linear_errors,
    order_statistic,
    rank_p_value,
    scaled,
)
from distcausal.numerics.monotone import cell_widths
from distcausal.numerics.multiplicity import adjusted
from distcausal.rdd.check import check_fit
from distcausal.rdd.error import Contrast
from distcausal.rdd.parts import TestTable
from distcausal.rdd.profile import PROFILE

if TYPE_CHECKING:
    from distcausal.rdd.result import R3DResult

__all__ = ["homogeneity_test", "nullity_test"]

Ranges = Sequence[float] | Sequence[tuple[float, float]] | np.ndarray
ALTERNATIVES = ("two-sided", "greater", "less")
# Levels typed as decimals and levels computed as quotients differ by rounding.
SAME_LEVEL = 1e-9


def nullity_test(
    fit: R3DResult,
    ranges: Ranges | None = None,
    *,
    alternative: str = "two-sided",
    studentise: bool | None = None,
    confidence: float = 0.95,
) -> TestTable:
    """Test that the effect is zero at all levels of a range.

    In fuzzy designs the numerator is tested, the jump of the outcome curve: it is zero
    exactly if the effect is, and the test holds its size however weak the first stage.
    One-sided tests take the sign of the first stage as known.

    Parameters
    ----------
    fit
        A result of `r3d`.
    ranges
        Ranges of levels: pairs ``(low, high)``, or increasing numbers that bound
        adjacent ranges. The whole grid if None.
    alternative
        ``"two-sided"``, or ``"greater"`` or ``"less"`` against effects above or below
        zero somewhere (the null then is dominance).
    studentise
        Whether deviations count in standard errors; as the fit's band does if None.
    confidence
        One less the size that critical values are for.

    Returns
    -------
    TestTable
        One row per range with ``statistic``, ``critical_value``, ``p_value``, and
        ``p_adjusted`` by Holm's method.

    Raises
    ------
    DesignError
        If a range lies outside the grid or holds fewer than two levels.

    References
    ----------
    Van Dijcke (2025), arXiv:2504.03992, section 4. Holm (1979), *Scandinavian Journal
    of Statistics* 6(2).

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> fit = dc.r3d(units.data, running="x", levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    >>> float(dc.nullity_test(fit).p_value[0])
    0.001
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    return _range_test(
        fit,
        ranges,
        name="nullity",
        hypothesis="the effect is zero at every level of the range",
        centre=lambda curves, widths: curves,
        alternative=alternative,
        studentise=studentise,
        confidence=confidence,
    )


def homogeneity_test(
    fit: R3DResult,
    ranges: Ranges | None = None,
    *,
    studentise: bool | None = None,
    confidence: float = 0.95,
) -> TestTable:
    """Test that the effect is the same at all levels of a range.

    Deviations are taken from the average effect over the range, levels weighted by
    the width of their cells.

    Parameters
    ----------
    fit, ranges, studentise, confidence
        As in `nullity_test`.

    Returns
    -------
    TestTable

    Raises
    ------
    DesignError
        If a range lies outside the grid or holds fewer than two levels.

    References
    ----------
    Van Dijcke (2025), arXiv:2504.03992, section 4.

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> fit = dc.r3d(units.data, running="x", levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    >>> test = dc.homogeneity_test(fit, ranges=[0.1, 0.5, 0.9])
    >>> len(test), bool((test.p_value > 0.01).all())
    (2, True)
    """
    check_fit(fit)
    if fit.levels.size < 2:
        raise DesignError(
            "the fit has one level, so there is nothing to compare it with. Fit on "
            "several levels."
        )
    return _range_test(
        fit,
        ranges,
        name="homogeneity",
        hypothesis="the effect is the same at every level of the range",
        centre=_from_average,
        alternative="two-sided",
        studentise=studentise,
        confidence=confidence,
    )


def _from_average(curves: np.ndarray, widths: np.ndarray) -> np.ndarray:
    return curves - (curves @ (widths / widths.sum()))[..., None]


def _range_test(
    fit: R3DResult,
    ranges: Ranges | None,
    *,
    name: str,
    hypothesis: str,
    centre: Callable[[np.ndarray, np.ndarray], np.ndarray],
    alternative: str,
    studentise: bool | None,
    confidence: float,
) -> TestTable:
    """Largest deviation over each range, against its simulated law."""
    check_confidence(confidence)
    check_fit(fit)
    published = fit.settings.get("profile") == PROFILE
    contrast, errors = _tested_curve(fit, name, published)
    gradient = contrast.linearised(np.eye(len(fit.draws.covariance)))
    scale = fit.draws.studentise if studentise is None else studentise
    widths = np.ones_like(fit.levels) if published else cell_widths(fit.levels)
    pairs, rows = _read_ranges(ranges, fit.levels), []
    for low, high in pairs:
        inside = (fit.levels >= low - SAME_LEVEL) & (fit.levels <= high + SAME_LEVEL)
        curve, draws, slope = (
            centre(part[..., inside], widths[inside])
            for part in (contrast.effect, errors, gradient)
        )
        spread = linear_errors(slope, fit.draws.covariance)
        average = linear_errors(gradient[:, inside] - slope, fit.draws.covariance)
        size = fit.settings["outcome_size"][inside]
        real = _beyond_rounding(curve, spread, average, size)
        curve, draws = np.where(real, curve, 0.0), np.where(real, draws, 0.0)
        if not scale:
            spread = np.ones(curve.shape)
        statistic = _largest(scaled(curve, spread), alternative)
        sups = _largest(scaled(draws, spread), alternative)
        rows.append(_compared(float(statistic), sups, confidence, published=published))
    values, critical, p_values = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return TestTable(
        name=name,
        hypothesis=hypothesis,
        ranges=tuple(pairs),
        statistic=values,
        critical_value=critical,
        p_value=p_values,
        p_adjusted=adjusted(p_values),
        confidence=float(confidence),
        settings=fit.settings | {"alternative": alternative, "studentise": scale},
    )


def _tested_curve(
    fit: R3DResult, name: str, published: bool
) -> tuple[Contrast, np.ndarray]:
    """What a test is about, and its simulated errors.

    Nullity in fuzzy designs is tested on the numerator; R3D 0.1.0 tests the ratio.
    """
    difference = fit.above - fit.below
    if fit.first_stage is None:
        return Contrast(difference, None), fit.draws.effect
    if name == "nullity" and not published:
        # The effect has the sign of the numerator times that of the first stage.
        sign = np.sign(fit.first_stage.jump)
        errors = sign * (fit.draws.above - fit.draws.below)
        return Contrast(sign * difference, None), errors
    return Contrast(difference, fit.first_stage.jump), fit.draws.effect


def _beyond_rounding(
    deviation: np.ndarray, spread: np.ndarray, average: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Where a deviation, or its error, is more than the rounding of its parts.

    Deviations from an average vanish where units differ in location alone; a test must
    not compare their rounding errors with one another. ``average`` is the standard
    error of what was subtracted, ``size`` the size of the outcomes in the window. A
    standard error is the root of a variance, and keeps half the digits.
    """
    centred = average.any()
    magnitude = np.full(size.shape, size.max()) if centred else size
    noisy = spread > np.maximum(1e-7 * average, 1e-13 * magnitude)
    return noisy | (np.abs(deviation) > 1e-11 * magnitude)


def _largest(deviation: np.ndarray, alternative: str) -> np.ndarray:
    if alternative == "two-sided":
        return np.max(np.abs(deviation), axis=-1)
    return np.max(deviation if alternative == "greater" else -deviation, axis=-1)


def _compared(
    statistic: float, sups: np.ndarray, confidence: float, *, published: bool
) -> tuple[float, float, float]:
    """Statistic, critical value and p-value; the profile's are plain shares."""
    if published:
        critical = float(np.quantile(sups, confidence))
        return statistic, critical, float(np.mean(sups >= statistic))
    critical = order_statistic(sups, confidence)
    return statistic, critical, rank_p_value(statistic, sups)


def _read_ranges(
    ranges: Ranges | None, levels: np.ndarray
) -> list[tuple[float, float]]:
    """Ranges as pairs, checked against the grid."""
    if ranges is None:
        return [(float(levels[0]), float(levels[-1]))]
    array = _as_numbers(ranges)
    if array.ndim == 1 and array.size >= 2:
        array = np.stack([array[:-1], array[1:]], axis=1)
    if array.ndim != 2 or array.shape[1] != 2:
        raise DesignError(
            "ranges should be pairs (low, high), or at least two increasing "
            f"numbers; got {ranges!r}."
        )
    pairs = [(float(low), float(high)) for low, high in array]
    for low, high in pairs:
        _check_range(low, high, levels)
    return pairs


def _as_numbers(ranges: Ranges) -> np.ndarray:
    try:
        return np.array(ranges, dtype=float)
    except (TypeError, ValueError):
        return np.empty(0)


def _check_range(low: float, high: float, levels: np.ndarray) -> None:
    first, last = levels[0] - SAME_LEVEL, levels[-1] + SAME_LEVEL
    if not first <= low < high <= last:
        raise DesignError(
            f"ranges should lie within the levels of the fit, {levels[0]:g} to "
            f"{levels[-1]:g}, low before high; got ({low:g}, {high:g})."
        )
    held = int(np.sum((levels >= low - SAME_LEVEL) & (levels <= high + SAME_LEVEL)))
    if held < 2:
        raise DesignError(
            f"the range ({low:g}, {high:g}) holds {held} of the levels of the fit; it "
            "takes at least 2. Widen the range or fit on a finer grid."
        )
