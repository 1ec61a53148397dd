"""What a discontinuity fit holds besides its curve, and what its tests return.

Bandwidths, the first stage of a fuzzy design and tables of tests are results in their
own right: they print, become frames and travel like the fit they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Record, Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["FirstStage", "R3DBandwidth", "TestTable"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class R3DBandwidth(Result):
    """Bandwidths of a discontinuity design, and what they were computed from.

    Attributes
    ----------
    outcome
        Bandwidth of the outcome in units of the running variable: one number, shape
        ``(level,)`` if each level has its own, or ``(2,)`` or ``(2, level)``, ordered
        below, above, if the sides differ.
    treatment
        Bandwidth of the treatment, one number or shape ``(2,)``; None in sharp designs.
    selector
        Name of the rule, or ``"given"``.
    n_units
        Units the bandwidth was computed from.
    settings
        Every argument as used.
    pilot, pilot_treatment
        Pilot bandwidths; None if the bandwidth was given.
    bias, variance
        Leading constants of bias and variance of the curves below and above, shape
        ``(2, level)``; None if the bandwidth was given.
    density
        Density of the running variable at the cutoff; None if the bandwidth was given.

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> chosen = dc.r3d_bandwidth(units.data, running="x", levels=[0.25, 0.5, 0.75])
    >>> list(chosen.tidy().columns)
    ['term', 'side', 'level', 'estimate']
    >>> bool((chosen.plot_data()["bias"] >= 0).all())
    True
    """

    cite_as: ClassVar[str] = "r3d"

    outcome: float | np.ndarray
    treatment: float | np.ndarray | None
    selector: str
    n_units: int
    settings: dict[str, Any]
    pilot: float | np.ndarray | None = None
    pilot_treatment: float | None = None
    bias: np.ndarray | None = None
    variance: np.ndarray | None = None
    density: float | None = None

    def __repr__(self) -> str:
        from distcausal.rdd._report import bandwidth_text

        return f"<R3DBandwidth: {bandwidth_text(self.sides)}, {self.selector}>"

    @property
    def levels(self) -> np.ndarray | None:
        """Quantile levels the bandwidth was chosen for, if it recorded them."""
        levels = self.settings.get("levels")
        return None if levels is None else np.asarray(levels, dtype=float)

    @property
    def sides(self) -> np.ndarray:
        """Bandwidth of the outcome with shape ``(2, 1)`` or ``(2, level)``."""
        return self.by_side(self.outcome)

    def by_side(self, value: float | np.ndarray) -> np.ndarray:
        """Spell a bandwidth out, as shape ``(2, 1)`` or ``(2, level)``.

        Two numbers are two sides, unless there are two levels with a bandwidth each.
        """
        values = np.asarray(value, dtype=float)
        if values.ndim == 2:
            return values
        two_levels = self.levels is not None and self.levels.size == 2
        per_level = self.settings.get("method") == "pointwise" and two_levels
        if values.shape == (2,) and not per_level:
            return values[:, None]
        return np.tile(values, (2, 1))

    def summary(self) -> Table:
        """Return a table of the bandwidths and the constants behind them."""
        from distcausal.rdd._report import bandwidth_table

        return bandwidth_table(self)

    def tidy(self) -> pd.DataFrame:
        """Return one row per bandwidth: term, side, level, estimate.

        ``side`` is ``"both"`` where the sides share a bandwidth, and ``level`` is
        missing where the levels do.
        """
        from distcausal.rdd._frames import bandwidth_frame

        return bandwidth_frame(self)

    def glance(self) -> pd.DataFrame:
        """Return one row: smallest and largest bandwidth, rule, units, density."""
        import pandas as pd

        row = {
            "bandwidth_min": self.sides.min(),
            "bandwidth_max": self.sides.max(),
            "selector": self.selector,
            "n_units": self.n_units,
            "density": math.nan if self.density is None else self.density,
        }
        return pd.DataFrame([row])

    def plot_data(self) -> pd.DataFrame:
        """Return bias and standard error by level at this bandwidth.

        Columns: level, bias (absolute value of the leading term), std_error; both in
        the units of the outcome.

        Raises
        ------
        DesignError
            If the bandwidth was given, so that neither was estimated.
        """
        from distcausal.rdd._frames import bandwidth_errors

        return bandwidth_errors(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw estimated bias and standard error by level; returns the axes."""
        from distcausal.rdd._plot import draw_bandwidth

        return draw_bandwidth(self, ax=ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class FirstStage(Record):
    """Jump in the share treated at the cutoff.

    Attributes
    ----------
    jump, std_error
        Estimate and standard error, in shares.
    f_statistic
        Squared ratio of the two; below 10 the instrument is called weak.
    """

    jump: float
    std_error: float
    f_statistic: float


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TestTable(Result):
    """Outcome of a test over one or several ranges of levels; reads like a frame.

    ``table["p_value"]`` is a column, ``len(table)`` the number of ranges.

    Attributes
    ----------
    name
        Name of the test.
    hypothesis
        The null hypothesis in words.
    ranges
        Lowest and highest level of each range.
    statistic, critical_value, p_value
        Test statistic, critical value and p-value of each range, shape ``(range,)``.
    p_adjusted
        P-values adjusted for testing several ranges (Holm), shape ``(range,)``.
    confidence
        One less the size of the test the critical values belong to.
    settings
        Every argument as used.

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> fit = dc.r3d(units.data, running="x", levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    >>> test = dc.nullity_test(fit, ranges=[(0.1, 0.5), (0.5, 0.9)])
    >>> len(test), test["p_value"].shape
    (2, (2,))
    """

    __test__: ClassVar[bool] = False  # the name makes pytest look for tests inside
    cite_as: ClassVar[str] = "r3d"

    name: str
    hypothesis: str
    ranges: tuple[tuple[float, float], ...]
    statistic: np.ndarray
    critical_value: np.ndarray
    p_value: np.ndarray
    p_adjusted: np.ndarray
    confidence: float
    settings: dict[str, Any]

    columns: ClassVar[tuple[str, ...]] = (
        "term",
        "low",
        "high",
        "statistic",
        "critical_value",
        "p_value",
        "p_adjusted",
    )

    def __repr__(self) -> str:
        return self.summary().as_text()

    def __len__(self) -> int:
        return len(self.ranges)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self.columns:
            raise KeyError(f"{column!r} is not one of {', '.join(self.columns)}")
        if column == "term":
            return np.full(len(self), self.name)
        if column in ("low", "high"):
            ends = np.array(self.ranges, dtype=float).reshape(-1, 2)
            return ends[:, 0 if column == "low" else 1]
        return getattr(self, column)

    def tidy(self) -> pd.DataFrame:
        """Return one row per range, with the columns named in `columns`."""
        import pandas as pd

        return pd.DataFrame({column: self[column] for column in self})

    def glance(self) -> pd.DataFrame:
        """Return one row: number of ranges, smallest raw and adjusted p-value."""
        import pandas as pd

        row = {
            "name": self.name,
            "n_ranges": len(self),
            "p_value_min": self.p_value.min(),
            "p_adjusted_min": self.p_adjusted.min(),
            "confidence": self.confidence,
        }
        return pd.DataFrame([row])

    def summary(self) -> Table:
        """Return the printable table, one line per range."""
        from distcausal.rdd._report import test_table

        return test_table(self)
