"""How inference is asked for, and the draws it is read off.

`MultiplierBootstrap` holds the settings, `JumpDraws` the simulated estimation errors.
Every band, interval and test of a fit is a rearrangement of one `JumpDraws`; none needs
the data again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal._base.fit import Record
from distcausal.errors import DesignError, check_choice
from distcausal.numerics.band import largest, order_statistic, scaled
from distcausal.numerics.leastsq import LEVERAGES
from distcausal.rdd.core import ErrorRule

__all__ = ["JumpDraws", "MultiplierBootstrap"]

FEWEST_DRAWS = 19
MULTIPLIER_NAMES = ("normal", "rademacher", "mammen")


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiplierBootstrap:
    """Settings of the multiplier bootstrap behind bands and tests.

    Attributes
    ----------
    draws
        Number of draws, at least 19: a band with confidence ``1 - a`` needs
        ``(1 - a) / a``, and 95% bands are printed.
    multiplier
        ``"normal"``, ``"rademacher"`` or ``"mammen"``. Normal multipliers make the
        error a Gaussian vector given the data, so it is drawn from its covariance
        directly, at a cost that does not grow with the number of units.
    studentise
        Band width proportional to the standard error at each level (default), or one
        width for all levels.
    leverage
        ``"hc0"`` to ``"hc3"``: how residuals of influential units are enlarged. With
        clusters read as their analogues CR0 to CR3.
    influence
        ``"finite"``: weights of the fit itself; ``"asymptotic"``: those of its limit.
    multipliers
        Given multipliers, shape ``(unit, draw)``, or ``(cluster, draw)`` in sorted
        order of the clusters; ``draws`` and ``multiplier`` are then not used.

    Raises
    ------
    DesignError
        If a setting is not among those listed.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.MultiplierBootstrap(draws=499, multiplier="rademacher").draws
    499
    """

    draws: int = 999
    multiplier: str = "normal"
    studentise: bool = True
    leverage: str = "hc3"
    influence: str = "finite"
    multipliers: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check the words once, where they are written."""
        check_choice("multiplier", self.multiplier, MULTIPLIER_NAMES)
        check_choice("leverage", self.leverage, tuple(LEVERAGES))
        check_choice("influence", self.influence, ("finite", "asymptotic"))
        if not isinstance(self.studentise, bool | np.bool_):
            raise DesignError(
                f"studentise {self.studentise!r} should be True or False."
            )
        if isinstance(self.draws, bool) or not (
            isinstance(self.draws, int | np.integer)
        ):
            raise DesignError(f"draws {self.draws!r} should be a whole number, as 999.")
        if self.multipliers is not None:
            self._keep_given()
        if self.draws < FEWEST_DRAWS:
            raise DesignError(
                f"{self.draws} draws cannot give a 95% band; it takes at least "
                f"{FEWEST_DRAWS}, and 999 to be precise. Raise draws."
            )

    def _keep_given(self) -> None:
        """Own, check and count the multipliers given."""
        given = np.array(self.multipliers)
        numeric = given.dtype.kind in "iuf" and np.isfinite(given).all()
        if given.ndim != 2 or not numeric:
            raise DesignError(
                "multipliers should be a matrix of finite numbers with one row per "
                "unit (or cluster) and one column per draw; got "
                f"{given.dtype} of shape {given.shape}."
            )
        given = given.astype(float)
        given.flags.writeable = False
        object.__setattr__(self, "multipliers", given)
        object.__setattr__(self, "draws", given.shape[1])

    @property
    def gaussian(self) -> bool:
        """Whether the error can be drawn from its covariance."""
        return self.multiplier == "normal" and self.multipliers is None

    @property
    def rule(self) -> ErrorRule:
        """How residuals are weighted."""
        power, small_sample = LEVERAGES[self.leverage]
        return ErrorRule(leverage_power=power, small_sample=small_sample)


@dataclass(frozen=True, eq=False, kw_only=True)
class JumpDraws(Record):
    """Simulated estimation errors of the curves at the cutoff, and of the effect.

    Attributes
    ----------
    below, above
        Errors of the two average quantile curves, shape ``(draw, level)``.
    treatment
        Errors of the treated shares below and above, shape ``(draw, 2)``; None if
        sharp.
    effect
        Errors of the effect, shape ``(draw, level)``.
    std_error
        Standard error of the effect at each level, shape ``(level,)``.
    covariance
        Of the levels below, the levels above and, if fuzzy, the two treated shares, in
        that order, shape ``(k, k)``.
    studentise
        Whether bands and tests scale by the standard error.
    """

    below: np.ndarray
    above: np.ndarray
    treatment: np.ndarray | None
    effect: np.ndarray
    std_error: np.ndarray
    covariance: np.ndarray
    studentise: bool

    @property
    def scale(self) -> np.ndarray:
        """What bands are proportional to at each level, shape ``(level,)``."""
        return self.std_error if self.studentise else np.ones_like(self.std_error)

    @property
    def sups(self) -> np.ndarray:
        """Largest absolute scaled error over levels, shape ``(draw,)``."""
        return largest(scaled(self.effect, self.scale))

    def critical_value(self, confidence: float) -> float:
        """Factor of the uniform band at the given confidence."""
        return order_statistic(self.sups, confidence)

    def reach(self, confidence: float) -> np.ndarray:
        """Half-width of the uniform band, shape ``(level,)``."""
        return self.critical_value(confidence) * self.scale
