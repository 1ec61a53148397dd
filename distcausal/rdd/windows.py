"""From what the user said about the bandwidth to one window per group and side.

Inside the room a bandwidth always has shape ``(group, side)``: one group when all
levels share a window, one per level otherwise; side 0 below. This module is the only
one that knows the other spellings, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distcausal.errors import DesignError, check_choice
from distcausal.rdd.bandwidth import Rules, Selection, select
from distcausal.rdd.check import numbers
from distcausal.rdd.profile import select_as_published
from distcausal.rdd.result import R3DBandwidth
from distcausal.rdd.sample import Sample

__all__ = ["Windows", "given_windows", "public_bandwidth", "select_windows"]


@dataclass(frozen=True)
class Windows:
    """Windows of the outcome and of the treatment, with what they were computed from.

    Attributes
    ----------
    outcome
        Shape ``(group, side)``.
    treatment
        Shape ``(1, side)``; None in sharp designs.
    selection, treatment_selection
        How they were chosen; None if given, or if there was nothing to choose.
    """

    outcome: np.ndarray
    treatment: np.ndarray | None
    selection: Selection | None = None
    treatment_selection: Selection | None = None


def select_windows(
    outcome: Sample, treatment: Sample | None, rules: Rules, *, published: bool
) -> Windows:
    """Choose the windows.

    Parameters
    ----------
    outcome, treatment
        The units with their quantiles, and with their treatment in fuzzy designs.
    rules
        What decides the choice.
    published
        Follow R3D 0.1.0 instead of the paper.
    """

    def choose(sample: Sample, its: Rules) -> Selection:
        if published:
            return select_as_published(sample.x, sample.curves, its)
        return select(sample, its)

    selection = choose(outcome, rules)
    if treatment is None:
        return Windows(selection.bandwidth, None, selection)
    # The denominator is one number: the rule for single levels, with its penalty.
    single = replace(
        rules,
        selector=replace(rules.selector, integrated=False),
        widths=np.ones(1),
        regularisation=rules.treatment_regularisation,
    )
    share = choose(treatment, single)
    if share.terms.variance.max() <= 1e-18 * np.abs(treatment.curves).max() ** 2:
        # Treatment does not vary on either side: any window gives the same share.
        common = selection.bandwidth.mean(axis=0, keepdims=True)
        return Windows(selection.bandwidth, common, selection)
    return Windows(selection.bandwidth, share.bandwidth, selection, share)


def given_windows(
    bandwidth: object, *, method: str, levels: int, fuzzy: bool
) -> Windows:
    """Read the bandwidth argument.

    A number; a tuple ``(below, above)``; for the pointwise method an array with one
    number per level; a mapping with ``outcome`` and ``treatment``; or an
    `R3DBandwidth`.

    Raises
    ------
    DesignError
        If it is none of these, or not positive and finite.
    """
    if isinstance(bandwidth, R3DBandwidth):
        outcome = np.array(bandwidth.sides.T, float)
        share = bandwidth.treatment
        treatment = None if share is None else bandwidth.by_side(share).T
        if len(outcome) not in (1, levels):
            raise DesignError(
                f"bandwidth was chosen for {len(outcome)} levels, this fit has "
                f"{levels}. Choose it for the same levels."
            )
        given: Any = {"outcome": outcome, "treatment": treatment}
    elif isinstance(bandwidth, Mapping):
        given = dict(bandwidth)
        for name in given:
            check_choice("bandwidth key", name, ("outcome", "treatment"))
        if "outcome" not in given:
            raise DesignError("bandwidth should have an entry 'outcome'.")
    else:
        given = {"outcome": bandwidth}
    windows = _window(given["outcome"], "outcome", method=method, levels=levels)
    if not fuzzy:
        if given.get("treatment") is not None and isinstance(bandwidth, Mapping):
            raise DesignError(
                "bandwidth has an entry 'treatment', but the design is sharp. Pass "
                "treatment= as well, or leave the entry out."
            )
        return Windows(windows, None)
    share = given.get("treatment")
    if share is None:
        return Windows(windows, windows.mean(axis=0, keepdims=True))
    return Windows(windows, _window(share, "treatment", method="frechet", levels=1))


def _window(value: object, role: str, *, method: str, levels: int) -> np.ndarray:
    """One spelling of a bandwidth as an array ``(group, side)``."""
    array = numbers(f"bandwidth of the {role}", value)
    if not (np.isfinite(array) & (array > 0)).all() or array.size == 0:
        raise DesignError(
            f"bandwidth of the {role} should be positive and finite; got {value!r}."
        )
    pair = isinstance(value, tuple) or (array.shape == (2,) and levels != 2)
    if array.ndim == 0:
        return np.full((1, 2), float(array))
    if array.shape == (2,) and (pair or role == "treatment"):
        return array[None]
    if array.ndim == 2 and array.shape == (1, 2):
        return array
    if method != "pointwise":
        raise DesignError(
            f"bandwidth of the {role} has shape {array.shape}, but method 'frechet' "
            "uses one window for all levels: pass a number or a pair (below, above), "
            "or method='pointwise'."
        )
    if array.shape == (levels,):
        return np.stack([array, array], axis=1)
    if array.shape == (levels, 2):
        return array
    raise DesignError(
        f"bandwidth of the {role} has shape {array.shape}; one number per level would "
        f"be {levels}."
    )


def public_bandwidth(
    windows: Windows, *, selector: str, units: int, settings: dict[str, Any]
) -> R3DBandwidth:
    """Windows in the form users read."""
    selection, share = windows.selection, windows.treatment_selection
    # Two numbers could be two sides or two levels; with both axes they are neither.
    unclear = settings["method"] == "pointwise" and settings["levels"].size == 2
    return R3DBandwidth(
        outcome=_compact(windows.outcome, unclear=unclear),
        treatment=None
        if windows.treatment is None
        else _compact(windows.treatment, unclear=unclear),
        selector=selector,
        n_units=units,
        settings=settings,
        pilot=None if selection is None else _compact(selection.pilot),
        pilot_treatment=None if share is None else float(share.pilot[0, 0]),
        bias=None if selection is None else selection.terms.bias,
        variance=None if selection is None else selection.terms.variance,
        density=None if selection is None else selection.density,
    )


def _compact(window: np.ndarray, *, unclear: bool = False) -> float | np.ndarray:
    """Drop the axes along which a bandwidth does not vary, if that stays clear."""
    differ = not np.array_equal(window[:, 0], window[:, 1])
    if differ and (unclear or len(window) > 1):
        return window.T.copy()
    if len(window) == 1:
        return window[0].copy() if differ else float(window[0, 0])
    return window[:, 0].copy()
