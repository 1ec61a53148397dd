"""Outcomes with a mass point: many units at one value, the others spread out.

Earnings with many zeros are two outcomes in one: whether a unit earns anything, and how
much if so. A normal mixture takes the heap at zero for a cluster of its own; two parts,
each with its own baseline and its own effect in every cluster, leave clusters to be
about effects. What is reported is the effect on the mean of both parts together.

The model meets two columns: the distance from the point, and whether there is any.
Measured from the point, the mean outcome is the product of the two parts' means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from distcausal._base.typing import Array, Real
from distcausal.errors import DataError
from distcausal.images.family import (
    Plain,
    Prepared,
    arm_means,
    log_odds,
    normal_terms,
    one_column,
    spread,
)

__all__ = ["Hurdle"]

_FEWEST = 5  # units on either side of the hurdle, below which one part has no data


@dataclass(frozen=True)
class Hurdle(Plain):
    """A mass point at one value, and normal noise off it.

    A cluster's effect moves both the log odds of leaving the point and the mean of
    those who left; the effect reported is that on the mean outcome, averaged over
    units: ``E[Y | treated, k] - E[Y | control, k]``.

    Parameters
    ----------
    at
        The value that many units share. If left out, the one that most units have,
        whatever their weights, so that all folds agree on it.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Hurdle().name, dc.Hurdle(at=0.0).at
    ('hurdle', 0.0)
    """

    at: float | None = None

    name = "hurdle"

    def prepare(
        self, outcome: np.ndarray, treatment: np.ndarray, weights: np.ndarray
    ) -> Prepared:
        """Distances from the point, in standard deviations of those off it."""
        values = one_column(self.name, outcome)
        point = _most_frequent(values) if self.at is None else float(self.at)
        off = values != point
        self._check_both(point, off, treatment)
        own = weights * off
        own = own if own.sum() > 0 else off.astype(float)
        amount = np.where(off, values, point)[:, None]
        scale = float(spread(amount[off], own[off])[0]) or 1.0
        control, treated = (
            float(mean[0] - point) / scale for mean in arm_means(amount, treatment, own)
        )
        odds = log_odds(off.astype(float), treatment, weights)
        return Prepared(
            outcome=np.column_stack([amount, off]),
            shift=np.array([point, 0.0]),
            scale=np.array([scale, 1.0]),
            level=np.array([control, odds[0]]),
            effect=np.array([treated - control, odds[1] - odds[0]]),
        )

    def _check_both(self, point: float, off: np.ndarray, treatment: np.ndarray) -> None:
        """Both parts need units, and the part off the point needs them in both arms."""
        counts = {
            f"at {point:g}": int((~off).sum()),
            f"off {point:g} among controls": int((off & (treatment == 0)).sum()),
            f"off {point:g} among treated units": int((off & (treatment == 1)).sum()),
        }
        short = {place: many for place, many in counts.items() if many < _FEWEST}
        if short:
            found = ", ".join(
                f"{many} {'is' if many == 1 else 'are'} {place}"
                for place, many in short.items()
            )
            raise DataError(
                f"family {self.name!r} needs at least {_FEWEST} units at its mass "
                f"point and off it in either arm, but of {off.size} units {found}. "
                "Name the mass point, as in Hurdle(at=0.0), or use family 'normal'."
            )

    def columns(self, outcomes: int) -> int:
        """Two: the value, and whether it is off the point."""
        return 2

    def noisy(self, outcomes: int) -> int:
        """The first column only: whether a unit is off the point has no noise more."""
        return 1

    def log_density(
        self,
        outcome: Real[Array, "unit outcome"],
        baseline: Real[Array, "unit outcome"],
        effect: Real[Array, "unit cluster outcome"],
        variance: Real[Array, "unit cluster outcome"],
        extra: Mapping[str, Array],
    ) -> Real[Array, "unit cluster"]:
        """Log probability of the point, or of leaving it times the density there."""
        predictor = baseline[:, None, :] + effect
        off = outcome[:, None, 1]
        sign = 2 * off - 1
        amount = normal_terms(outcome[:, None, 0] - predictor[..., 0], variance[..., 0])
        return jax.nn.log_sigmoid(sign * predictor[..., 1]) + off * amount

    def mean(
        self, predictor: Array, variance: Array, extra: Mapping[str, Array]
    ) -> Array:
        """Share of those off the point, times their mean distance from it."""
        return predictor[..., :1] * jax.nn.sigmoid(predictor[..., 1:])


def _most_frequent(values: np.ndarray) -> float:
    """The value that most units share; the smallest of several."""
    found, many = np.unique(values, return_counts=True)
    return float(found[np.argmax(many)])
