"""What the discontinuity estimator returns: the effect curve and all read off it.

A fit is kept as curves, their simulated errors and every argument as used, so bands of
any confidence, tables and figures are read off it without the data. Methods rearrange
what the object holds; whatever computes from it is a function elsewhere in this room.

Nothing here needs pandas or matplotlib until a frame or a figure is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from distcausal._base.fit import Result
from distcausal.errors import check_choice
from distcausal.numerics.band import check_confidence
from distcausal.numerics.monotone import cell_widths
from distcausal.rdd.parts import FirstStage, R3DBandwidth, TestTable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table
    from distcausal.data.distributions import RandomDistributions
    from distcausal.rdd.bootstrap import JumpDraws

__all__ = ["FirstStage", "R3DBandwidth", "R3DResult", "TestTable"]

Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class R3DResult(Result):
    """Local average quantile treatment effects at a cutoff.

    Attributes
    ----------
    levels
        Quantile levels, shape ``(level,)``, increasing in (0, 1).
    effect
        Effect on the average quantile function at each level, shape ``(level,)``, in
        the units of the outcome.
    below, above
        Average quantile curves just below and above the cutoff, shape ``(level,)``.
    std_error
        Pointwise standard errors of ``effect``, shape ``(level,)``.
    conventional
        Effect estimated with the lower order ``pilot_order``, not corrected for bias.
    bandwidth
        The bandwidths, as an `R3DBandwidth`.
    first_stage
        Jump in the share treated, as a `FirstStage`; None in sharp designs.
    n_units, n_effective
        Units below and above the cutoff: all, and those with positive kernel weight.
    n_clusters
        Number of clusters; None if units are independent.
    draws
        Simulated estimation errors; every band and test is read off them.
    projection_moves
        Largest change the monotone step made to the curves below and above, in the
        units of the outcome.
    settings
        Every argument as used, with seed and versions.
    notes
        Sentences shown at the foot of the summary.

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> fit = dc.r3d(units.data, running="x", levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    >>> low, high = fit.band(confidence=0.9)
    >>> bool((low > 0).all())
    True
    >>> fit.tidy().shape
    (5, 10)
    >>> print(fit.summary().columns)
    ('level', 'effect', 'std err', 'z', 'P>|z|', 'low', 'high', 'low', 'high')
    """

    cite_as: ClassVar[str] = "r3d"

    levels: np.ndarray
    effect: np.ndarray
    below: np.ndarray
    above: np.ndarray
    std_error: np.ndarray
    conventional: np.ndarray
    bandwidth: R3DBandwidth
    first_stage: FirstStage | None
    n_units: tuple[int, int]
    n_effective: tuple[int, int]
    n_clusters: int | None
    draws: JumpDraws
    projection_moves: tuple[float, float]
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        below, above = self.n_effective
        return (
            f"<R3DResult: {self.levels.size} levels, {below} units below and {above} "
            f"above in the window; average effect {self.average_effect:.4g} "
            f"({self.average_std_error:.2g})>"
        )

    @property
    def estimate(self) -> np.ndarray:
        """The effect curve, under the name all results share."""
        return self.effect

    @property
    def critical_value(self) -> float:
        """Critical value of the 95% uniform band."""
        return self.draws.critical_value(0.95)

    @property
    def statistic(self) -> np.ndarray:
        """Effect in standard errors, shape ``(level,)``; infinite without any error."""
        return _ratio(self.effect, self.std_error)

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided normal p-values of the single levels, shape ``(level,)``."""
        return np.array([math.erfc(abs(z) / math.sqrt(2.0)) for z in self.statistic])

    @property
    def average_effect(self) -> float:
        """Mean of the effect over levels, each weighted by its share of the grid."""
        return float(self._level_share @ self.effect)

    @cached_property
    def average_std_error(self) -> float:
        """Standard error of `average_effect`."""
        share = self._level_share
        slope = np.concatenate([-share, share])
        if self.first_stage is not None:
            treated = np.array([self.average_effect, -self.average_effect])
            slope = np.concatenate([slope, treated]) / self.first_stage.jump
        covariance = self.draws.covariance[: slope.size, : slope.size]
        return math.sqrt(max(float(slope @ covariance @ slope), 0.0))

    @cached_property
    def nullity_p_value(self) -> float:
        """P-value of no effect at any level, as `nullity_test` on the whole grid.

        In sharp designs below alpha exactly when the band excludes zero somewhere.
        """
        from distcausal.rdd.hypotheses import nullity_test

        return float(nullity_test(self).p_value[0])

    def conf_int(self, confidence: float = 0.95) -> Ends:
        """Return ends of the intervals that cover one level each, ``(level,)``.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        from statistics import NormalDist

        quantile = NormalDist().inv_cdf((1.0 + check_confidence(confidence)) / 2.0)
        return _around(self.effect, quantile * self.std_error)

    def band(self, confidence: float = 0.95) -> Ends:
        """Return ends of the band that covers the whole effect curve at once.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1), or there are too few draws for it.
        """
        return _around(self.effect, self.draws.reach(confidence))

    def side_band(
        self, side: Literal["below", "above"], confidence: float = 0.95
    ) -> Ends:
        """Return ends of the band that covers one average quantile curve at once.

        The band is cut to the nondecreasing curves inside it. A quantile function is
        one of those, so nothing is lost, and the band only shrinks.

        Raises
        ------
        DesignError
            As `band`, and if ``side`` is neither ``"below"`` nor ``"above"``.
        """
        check_choice("side", side, ("below", "above"))
        count = self.levels.size
        first = 0 if side == "below" else count
        variance = np.diag(self.draws.covariance)[first : first + count]
        errors = self.draws.below if side == "below" else self.draws.above
        draws = replace(self.draws, effect=errors, std_error=np.sqrt(variance))
        curve = self.below if side == "below" else self.above
        low, high = _around(curve, draws.reach(confidence))
        highest_so_far = np.maximum.accumulate(low)
        lowest_to_come = np.minimum.accumulate(high[::-1])[::-1]
        return highest_so_far, lowest_to_come

    @property
    def distributions(self) -> RandomDistributions:
        """The two average distributions at the cutoff, units "below" and "above"."""
        from distcausal.data.distributions import RandomDistributions

        curves = np.stack([self.below, self.above])
        return RandomDistributions.from_quantiles(
            curves, self.levels, ids=["below", "above"]
        )

    def summary(self, confidence: float = 0.95) -> Table:
        """Return the printable table, with a readable selection of the levels.

        All levels are shown when there are at most 15; `tidy` always has them all.
        """
        from distcausal.rdd._report import effect_table

        return effect_table(self, confidence)

    def describe(self, confidence: float = 0.95) -> str:
        """Return a paragraph that says in words what was found."""
        from distcausal.rdd._report import describe_effect

        return describe_effect(self, confidence)

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per level.

        Columns: term, level, estimate, std_error, statistic, p_value, conf_low,
        conf_high (one level at a time), band_low, band_high (all levels at once).
        """
        from distcausal.rdd._frames import effect_frame

        return effect_frame(self, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row about the fit: counts, bandwidth, average effect, tests."""
        from distcausal.rdd._frames import effect_glance

        return effect_glance(self)

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figures: `tidy`, both curves and their bands."""
        from distcausal.rdd._frames import effect_plot_frame

        return effect_plot_frame(self, confidence)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["effect", "curves"] = "effect",
        confidence: float = 0.95,
        legend: bool = True,
    ) -> Axes:
        """Draw the effect, or the two average quantile curves, against the level.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        kind
            ``"effect"`` for the effect with its uniform band and pointwise intervals,
            ``"curves"`` for the curves below and above with their uniform bands.
        confidence
            Coverage of bands and intervals.
        legend
            Whether to name the parts of the figure inside the axes.

        Returns
        -------
        The axes.
        """
        from distcausal.rdd._plot import draw_curves, draw_effect

        check_choice("kind", kind, ("effect", "curves"))
        draw = draw_effect if kind == "effect" else draw_curves
        return draw(self, ax=ax, confidence=confidence, legend=legend)

    @property
    def _level_share(self) -> np.ndarray:
        width = cell_widths(self.levels)
        return width / width.sum()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        from distcausal.rdd._frames import coefficient_frame

        return coefficient_frame(self)

    def __maketables_stat__(self, key: str) -> object:
        from distcausal.rdd._frames import statistic_by_key

        return statistic_by_key(self, key)

    @property
    def __maketables_depvar__(self) -> str:
        return "outcome"

    @property
    def __maketables_vcov_info__(self) -> dict[str, object]:
        clustered = {} if self.n_clusters is None else {"clustervar": "cluster"}
        return {"vcov_type": "multiplier bootstrap", **clustered}


def _around(curve: np.ndarray, reach: np.ndarray) -> Ends:
    """Ends of a symmetric band."""
    return curve - reach, curve + reach


def _ratio(curve: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Curve over scale, where nothing varies infinite unless the curve is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(curve == 0, 0.0, curve / scale)
