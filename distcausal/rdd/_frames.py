"""Frames of discontinuity results, for those who go on computing with them.

Kept apart from the results because pandas takes half a second to import, and printing
should not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from distcausal.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.rdd.parts import R3DBandwidth
    from distcausal.rdd.result import R3DResult

__all__ = [
    "bandwidth_errors",
    "bandwidth_frame",
    "coefficient_frame",
    "effect_frame",
    "effect_glance",
    "effect_plot_frame",
    "statistic_by_key",
]


def effect_frame(result: R3DResult, confidence: float) -> pd.DataFrame:
    """One row per level, in the columns every estimate of this package has."""
    import pandas as pd

    conf_low, conf_high = result.conf_int(confidence)
    band_low, band_high = result.band(confidence)
    return pd.DataFrame(
        {
            "term": "effect",
            "level": result.levels,
            "estimate": result.effect,
            "std_error": result.std_error,
            "statistic": result.statistic,
            "p_value": result.p_value,
            "conf_low": conf_low,
            "conf_high": conf_high,
            "band_low": band_low,
            "band_high": band_high,
        }
    )


def effect_plot_frame(result: R3DResult, confidence: float) -> pd.DataFrame:
    """The tidy frame with the curves below and above and the ends of their bands."""
    below, above = (result.side_band(side, confidence) for side in ("below", "above"))
    return effect_frame(result, confidence).assign(
        below=result.below,
        below_low=below[0],
        below_high=below[1],
        above=result.above,
        above_low=above[0],
        above_high=above[1],
    )


def effect_glance(result: R3DResult) -> pd.DataFrame:
    """One row about a fit."""
    import pandas as pd

    stage = result.first_stage
    row = {
        "n_below": result.n_units[0],
        "n_above": result.n_units[1],
        "n_effective_below": result.n_effective[0],
        "n_effective_above": result.n_effective[1],
        "n_clusters": math.nan if result.n_clusters is None else result.n_clusters,
        "bandwidth_min": result.bandwidth.sides.min(),
        "bandwidth_max": result.bandwidth.sides.max(),
        "draws": len(result.draws.effect),
        "average_effect": result.average_effect,
        "average_std_error": result.average_std_error,
        "nullity_p_value": result.nullity_p_value,
        "first_stage_jump": math.nan if stage is None else stage.jump,
        "first_stage_f": math.nan if stage is None else stage.f_statistic,
    }
    words = ("method", "kernel", "order", "pilot_order", "cutoff")
    said = {word: result.settings[word] for word in words if word in result.settings}
    return pd.DataFrame([row | said])


def bandwidth_frame(bandwidth: R3DBandwidth) -> pd.DataFrame:
    """One row per distinct bandwidth."""
    import pandas as pd

    rows = _bandwidth_rows("outcome", bandwidth.sides, bandwidth.levels)
    if bandwidth.treatment is not None:
        treated = bandwidth.by_side(bandwidth.treatment)
        rows += _bandwidth_rows("treatment", treated, None)
    return pd.DataFrame(rows, columns=["term", "side", "level", "estimate"])


def _bandwidth_rows(
    term: str, sides: np.ndarray, levels: np.ndarray | None
) -> list[tuple[str, str, float, float]]:
    """Rows of one bandwidth, sides and levels told apart only where they differ."""
    shared = np.array_equal(sides[0], sides[1])
    named = {"both": sides[0]} if shared else {"below": sides[0], "above": sides[1]}
    count = sides.shape[1]
    known = levels is not None and count > 1
    grid = levels if known and levels is not None else np.full(count, math.nan)
    return [
        (term, side, float(level), float(value))
        for side, values in named.items()
        for level, value in zip(grid, values, strict=True)
    ]


def bandwidth_errors(bandwidth: R3DBandwidth) -> pd.DataFrame:
    """Leading bias and standard error by level at the bandwidths chosen.

    Of an order-s fit: ``h^(s+1) B`` and ``V / (n h)``, added over the sides with the
    signs of a difference.
    """
    import pandas as pd

    if bandwidth.bias is None or bandwidth.variance is None:
        raise DesignError(
            "this bandwidth was given, so neither its bias nor its variance was "
            "estimated. Fit with bandwidth=None to see them."
        )
    if bandwidth.settings.get("profile") is not None:
        raise DesignError(
            "the constants of profile 'R3D-0.1.0' are not those of bias and variance. "
            "Choose the bandwidth without the profile to see its errors."
        )
    order = int(bandwidth.settings.get("pilot_order", 1))
    sides = np.broadcast_to(bandwidth.sides, bandwidth.bias.shape)
    bias = sides ** (order + 1) * bandwidth.bias
    spread = bandwidth.variance / (bandwidth.n_units * sides)
    count = bandwidth.bias.shape[1]
    levels = bandwidth.levels
    return pd.DataFrame(
        {
            "level": np.full(count, math.nan) if levels is None else levels,
            "bias": np.abs(bias[1] - bias[0]),
            "std_error": np.sqrt(spread.sum(axis=0)),
        }
    )


def coefficient_frame(result: R3DResult) -> pd.DataFrame:
    """Coefficients under the names that table-making packages look for."""
    import pandas as pd

    low, high = result.conf_int(0.95)
    return pd.DataFrame(
        {
            "b": result.effect,
            "se": result.std_error,
            "t": result.statistic,
            "p": result.p_value,
            "ci95l": low,
            "ci95u": high,
        },
        index=pd.Index([f"level {q:g}" for q in result.levels], name="Coefficient"),
    )


def statistic_by_key(result: R3DResult, key: str) -> object:
    """One number about the fit under a table-making package's name; None if unknown."""
    if key == "N":
        return sum(result.n_units)
    if key == "se_type":
        return "multiplier bootstrap"
    row = effect_glance(result).iloc[0]
    return row[key] if key in row.index else None
