"""Predicted quantile curves, mended where they decrease, and by how much.

Least squares is linear: it predicts combinations of quantile curves, some with negative
weights, and those may decrease in the level. Mending is a step after the estimate. It
brings a curve no farther from any nondecreasing truth, and here it leaves a record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from distcausal.data.quantiles import QuantileDistributions
from distcausal.data.units import make_units
from distcausal.errors import DesignError, check_choice
from distcausal.numerics.monotone import project_monotone, rearrange
from distcausal.numerics.quantile import cell_masses

if TYPE_CHECKING:
    from distcausal.design.result import WLSResult

__all__ = ["predicted"]

_MENDED = {"project": project_monotone, "rearrange": rearrange}


def predicted(fit: WLSResult, x: object, monotone: str) -> QuantileDistributions:
    """Distributions at new points; see `WLSResult.distributions`."""
    if fit.levels is None:
        raise DesignError(
            "distributions are predicted by a fit to distributions, or to curves whose "
            "levels were given: wls(points, y, levels=...). Use predict."
        )
    check_choice("monotone", monotone, tuple(_MENDED))
    curves = fit.predict(x).reshape(-1, len(fit.levels))
    mass = cell_masses(fit.levels)
    falls = (curves[:, 1:] < curves[:, :-1]).any(axis=1)
    mended = curves.copy()
    # Rearranging rounds; curves that increase are left as they are, to the last digit.
    mended[falls] = _MENDED[monotone](curves[falls], mass)
    moved = np.sqrt((mended - curves) ** 2 @ mass)
    count = int(np.count_nonzero(falls))
    verb = {"project": "projected", "rearrange": "rearranged"}[monotone]
    origin = (
        f"predicted curves, {count} of {len(curves)} {verb} to be nondecreasing, moved "
        f"by up to {moved.max(initial=0.0):.3g}"
    )
    units = make_units(len(curves), columns={"moved": moved})
    return QuantileDistributions(
        units=replace(units, origin=origin),
        levels=fit.levels,
        curves=mended,
        counts=np.full(len(curves), np.inf),
    )
