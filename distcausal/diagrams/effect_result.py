"""What an estimated effect is kept as: every answer with its errors, and comparisons.

The law of an outcome under each intervention is a table of numbers with a covariance.
Average effects, ratios and odds between two interventions are functions of that table,
so they are computed from the result, without the data, with errors that follow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal.diagrams.intervals import (
    Ends,
    draw_ends,
    plain_ends,
    probability_ends,
    quantile,
    ratio_ends,
    two_sided,
)
from distcausal.diagrams.labelled import LabelledArray
from distcausal.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table
    from distcausal.data.distributions import RandomDistributions

__all__ = ["EffectContrast", "EffectResult", "Estimates"]

ROUNDING = 1e-12  # standard errors below this share of a number are rounding


class Estimates(Result):
    """Numbers with errors: intervals, tests and the tidy frame, for any of them."""

    cite_as: ClassVar[str] = "estimate_effect"
    covariance: np.ndarray
    draws: np.ndarray | None
    interval: str
    df: int | None
    settings: dict[str, Any]

    @property
    def terms(self) -> tuple[str, ...]:
        """Name of each number."""
        raise NotImplementedError

    @property
    def _values(self) -> np.ndarray:
        """The numbers, flat."""
        raise NotImplementedError

    @property
    def _scale(self) -> str:
        """What the numbers are, which says how intervals are made."""
        raise NotImplementedError

    @property
    def _errors(self) -> np.ndarray:
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def statistic(self) -> np.ndarray:
        """Distance from no effect in standard errors, flat.

        NaN for numbers that are no comparisons, and where the error is zero.
        """
        values, errors = self._values, self._errors
        if self._scale not in ("difference", "ratio"):
            return np.full(values.shape, np.nan)
        sure = errors <= ROUNDING * np.abs(values)
        if self._scale == "ratio":
            values, errors = np.log(values), errors / values
        found = values / np.where(sure, np.nan, errors)
        return np.where(values == 0, 0.0, found)

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided p-values, flat: normal, or of Student's t with ``df`` degrees."""
        return two_sided(self.statistic, self.df)

    def _ends(self, confidence: float) -> Ends:
        """Ends of the intervals, flat: off the draws, or by errors and a quantile."""
        if self.draws is not None and self.interval == "percentile":
            return draw_ends(self.draws, confidence)
        made = {"probability": probability_ends, "ratio": ratio_ends}
        ends = made.get(self._scale, plain_ends)
        return ends(self._values, self._errors, quantile(confidence, self.df))

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per number.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high.
        The statistic and its p-value are NaN for probabilities and means, which nobody
        expects to be 0, and for comparisons whose error is zero.
        """
        import pandas as pd

        low, high = self._ends(confidence)
        return pd.DataFrame(
            {
                "term": self.terms,
                "estimate": self._values,
                "std_error": self._errors,
                "statistic": self.statistic,
                "p_value": self.p_value,
                "conf_low": low,
                "conf_high": high,
            }
        )

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figure, which is `tidy`."""
        return self.tidy(confidence)

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw every number with its interval, one line each; returns the axes.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        confidence
            Coverage of the intervals.
        """
        from distcausal.diagrams._plot_effect import draw_estimates

        return draw_estimates(self, ax=ax, confidence=confidence)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectResult(Estimates):
    """Estimated law of outcomes under every intervention, with standard errors.

    Attributes
    ----------
    estimate
        Probabilities, with an axis per outcome, per variable set and per variable
        given, in the order asked; of a mean (``of="mean"``), without outcome axes.
    covariance
        Covariance of all estimates, in the order of ``estimate.values.ravel()``.
    draws
        Bootstrap estimates, shape ``(draw, estimate)``; None with the delta method.
    interval
        ``"normal"`` or ``"percentile"``: how intervals are made. Normal ones of
        probabilities are made on the logit scale, so that they stay inside [0, 1].
    df
        Degrees of freedom of Student's t, the clusters of the frame that has fewest
        less one; None if rows are independent, where the normal law takes its place.
    outcome, do, given
        Names in each role; variables that the formula leaves open count as given.
    of
        ``"law"``, or ``"mean"`` where only the mean of a numeric outcome is estimated.
    query, formula, kind, method
        The question, the formula, how it is identified, and how it was estimated.
    formula_latex
        The formula in LaTeX's mathematical mode.
    n
        Number of observations used.
    n_clusters
        Number of clusters; None if rows are independent.
    needs
        For each probability that the formula divides by: name, the states where it is
        smallest among those needed, its share and number of observations there, and
        how many joint states are needed.
    settings
        Every argument as used, with seed and versions.
    notes
        Sentences shown at the foot of the summary.

    Examples
    --------
    >>> import distcausal as dc
    >>> stones = dc.datasets.kidney_stones()
    >>> found = dc.identify(stones.graph, "success", do="treatment")
    >>> fit = dc.estimate_effect(stones.frame, found)
    >>> float(fit.estimate.sel(success="yes", treatment="A").values.round(3))
    0.833
    >>> fit.contrast("A", "B").tidy()[["estimate", "std_error"]].round(3)
       estimate  std_error
    0     0.054      0.034
    """

    estimate: LabelledArray
    covariance: np.ndarray
    draws: np.ndarray | None
    interval: str
    df: int | None = None
    outcome: tuple[str, ...]
    do: tuple[str, ...]
    given: tuple[str, ...]
    of: str
    query: str
    formula: str
    formula_latex: str = ""
    kind: str
    method: str
    n: int
    n_clusters: int | None
    needs: tuple[tuple[str, str, float, float, int], ...]
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def std_error(self) -> LabelledArray:
        """Standard errors, with the axes of ``estimate``."""
        return self._shaped(self._errors)

    @property
    def terms(self) -> tuple[str, ...]:
        """Name of each estimate, such as ``P(Y=1 | do(X=0))``."""
        from distcausal.diagrams._effect_report import cell_names

        return cell_names(self)

    @property
    def _values(self) -> np.ndarray:
        return self.estimate.values.ravel()

    @property
    def _scale(self) -> str:
        return "mean" if self.of == "mean" else "probability"

    def conf_int(self, confidence: float = 0.95) -> tuple[LabelledArray, LabelledArray]:
        """Return lower and upper ends of the intervals that cover one number each.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        low, high = self._ends(confidence)
        return self._shaped(low), self._shaped(high)

    @cached_property
    def positivity(self) -> pd.DataFrame:
        """One row per probability the formula divides by, where it is smallest.

        Columns: event, at, share, count, states (how many joint states are needed).
        """
        import pandas as pd

        columns = ["event", "at", "share", "count", "states"]
        return pd.DataFrame(list(self.needs), columns=columns)

    def contrast(
        self,
        treated: Any = None,
        control: Any = None,
        *,
        outcome: Hashable | Mapping[str, Hashable] | None = None,
        scale: str = "difference",
    ) -> EffectContrast:
        """Compare two interventions.

        Parameters
        ----------
        treated, control
            States of what is set: a state, or for several variables a mapping. Without
            them the last and the first, if there are just two settings.
        outcome
            State of the outcome whose probability is compared; a mapping for several.
            Without it the mean of a numeric outcome, or the last of two states.
        scale
            ``"difference"``, ``"ratio"`` or ``"odds-ratio"``.

        Returns
        -------
        EffectContrast
            One comparison for each state of what is given.

        Raises
        ------
        DesignError
            If there is no default for what is left out, or the scale is not defined.
        QueryError
            If a state is unknown.
        """
        from distcausal.diagrams.contrast import compare_settings

        return compare_settings(self, treated, control, outcome, scale)

    @property
    def distributions(self) -> RandomDistributions:
        """The answer as random distributions, one unit per setting.

        Raises
        ------
        DesignError
            If only means were estimated.
        """
        from distcausal.diagrams.channel import Channel
        from distcausal.diagrams.space import Ty

        if self.of == "mean":
            raise DesignError(
                "only means were estimated (of='mean'); estimate the law of the "
                "outcome to have distributions."
            )
        count = len(self.outcome)
        spaces = [self.estimate.space(name) for name in self.estimate.names]
        values = np.moveaxis(
            self.estimate.values, range(count), range(len(spaces) - count, len(spaces))
        )
        channel = Channel(values, Ty(tuple(spaces[count:])), Ty(tuple(spaces[:count])))
        return channel.to_distributions()

    def summary(self, confidence: float = 0.95) -> Table:
        """Verdict, formula, the effect in one number where there is one, all answers.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        from distcausal.diagrams._effect_report import effect_table

        return effect_table(self, confidence)

    def to_latex(self) -> str:
        """Write the summary as a LaTeX table, and the formula displayed below it.

        The table needs only booktabs, the formula nothing.
        """
        from distcausal.diagrams._effect_report import effect_latex

        return effect_latex(self)

    def glance(self) -> pd.DataFrame:
        """Return one row about the estimate: counts, method, the rarest condition."""
        import pandas as pd

        shares = [need[2] for need in self.needs]
        counts = [need[3] for need in self.needs]
        row = {
            "query": self.query,
            "kind": self.kind,
            "method": self.method,
            "n": self.n,
            "n_clusters": math.nan if self.n_clusters is None else self.n_clusters,
            "draws": 0 if self.draws is None else len(self.draws),
            "smallest_share": min(shares, default=math.nan),
            "smallest_count": min(counts, default=math.nan),
        }
        return pd.DataFrame([row])

    def _shaped(self, values: np.ndarray) -> LabelledArray:
        return LabelledArray(values.reshape(self.estimate.shape), self.estimate.axes)

    def __repr__(self) -> str:
        return (
            f"<EffectResult: {self.query} by {self.method}, {self._values.size} "
            f"numbers from {self.n} observations>"
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectContrast(Estimates):
    """Comparison of two interventions, one for each state of what is given.

    Attributes
    ----------
    labels
        Name of each comparison.
    estimate, std_error
        Comparisons and their standard errors, shape ``(comparison,)``.
    covariance, draws, interval, df
        As in `EffectResult`. Intervals of ratios are made on the logarithmic scale.
    scale
        ``"difference"``, ``"ratio"`` or ``"odds-ratio"``.
    meaning
        What is compared, in a sentence.
    settings
        Every argument as used.
    notes
        Sentences shown at the foot of the summary.
    """

    labels: tuple[str, ...]
    estimate: np.ndarray
    covariance: np.ndarray
    draws: np.ndarray | None
    interval: str
    df: int | None = None
    scale: str
    meaning: str
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Name of each comparison."""
        return self.labels

    @property
    def std_error(self) -> np.ndarray:
        """Standard errors, shape ``(comparison,)``."""
        return self._errors

    @property
    def _values(self) -> np.ndarray:
        return self.estimate

    @property
    def _scale(self) -> str:
        return "difference" if self.scale == "difference" else "ratio"

    def conf_int(self, confidence: float = 0.95) -> Ends:
        """Return lower and upper ends of the intervals, shape ``(comparison,)``.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        return self._ends(confidence)

    def summary(self, confidence: float = 0.95) -> Table:
        """Comparisons with errors, tests and intervals."""
        from distcausal.diagrams._effect_report import contrast_table

        return contrast_table(self, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row about the comparison."""
        import pandas as pd

        return pd.DataFrame([{"scale": self.scale, "comparisons": len(self.labels)}])

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {value:.4g} ({error:.2g})"
            for name, value, error in zip(
                self.labels, self.estimate, self.std_error, strict=True
            )
        )
        return f"<EffectContrast: {shown}>"
