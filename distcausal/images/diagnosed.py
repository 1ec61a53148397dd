"""What was checked about a fit, in one table with a verdict and a remedy per line.

Each check is a number with the limit it is held against. A check beyond its limit says
what was found and what to do; one without a limit is for information. The same
sentences serve the table, the frame and the warnings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Record, Result
from distcausal.errors import DataWarning, InferenceWarning, warn_user
from distcausal.images._estimates import filled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["Check", "Diagnostics", "judged", "warn_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Check(Record):
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was measured, in a few words.
    value
        The number found.
    limit
        Beyond which it deserves a look; NaN where it is for information.
    fine
        Whether it is within the limit.
    about
        ``"data"``, or ``"inference"`` for the fit and its intervals.
    remark
        What was found and what to do, for checks that are not fine; else empty.
    """

    name: str
    value: float
    limit: float
    fine: bool
    about: str
    remark: str


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Diagnostics(Result):
    """Checks of an analysis by image clusters.

    Attributes
    ----------
    checks
        What was looked at, in order.
    share
        Expected share of units in each cluster, ``(cluster,)``.
    not_estimated
        Clusters with less than one image's worth of units, or collapsed out of fold,
        ``(cluster,)``.
    stretch, log_likelihood
        Factors by which effects are stretched around their mean, and the log likelihood
        there less that of the fit, ``(factor,)``.
    bound
        What restarts are compared by, the best first, ``(restart,)``.
    restart_effects
        Effects of the clusters where each restart ended, ``(restart, cluster)``.
    agreement
        Adjusted Rand index of each restart's clusters with the best's, ``(restart,)``.
    balance, balance_error
        Difference of each covariate between arms within each cluster in standard
        deviations, and its standard error, ``(cluster, covariate)``.
    settings
        Every argument as used, with seed and versions.
    """

    cite_as: ClassVar[str] = "image_effects"

    checks: tuple[Check, ...]
    share: np.ndarray
    not_estimated: np.ndarray
    stretch: np.ndarray
    log_likelihood: np.ndarray
    bound: np.ndarray
    restart_effects: np.ndarray
    agreement: np.ndarray
    balance: np.ndarray
    balance_error: np.ndarray
    settings: dict[str, Any]

    def __repr__(self) -> str:
        look = sum(not check.fine for check in self.checks)
        return f"<Diagnostics: {len(self.checks)} checks, {look} deserve a look>"

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        names = ", ".join(check.name for check in self.checks)
        raise KeyError(f"{name!r} is not one of {names}")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What deserves a look, and what to do, one sentence or two each."""
        return tuple(check.remark for check in self.checks if not check.fine)

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per check.

        Columns: term, estimate, the others of all results, which are missing (a check
        has a limit, no interval that ``confidence`` could widen), limit, fine, about,
        remark.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                "term": [check.name for check in self.checks],
                "estimate": [check.value for check in self.checks],
                "limit": [check.limit for check in self.checks],
                "fine": [check.fine for check in self.checks],
                "about": [check.about for check in self.checks],
                "remark": [check.remark for check in self.checks],
            }
        )
        return filled(frame, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row: checks, and how many deserve a look."""
        import pandas as pd

        look = sum(not check.fine for check in self.checks)
        return pd.DataFrame([{"checks": len(self.checks), "look": look}])

    def summary(self) -> Table:
        """Return the printable table; its notes are the remarks."""
        from distcausal._base.table import Table

        look = sum(not check.fine for check in self.checks)
        rows = [
            (
                check.name,
                _shown(check.value),
                _shown(check.limit),
                "fine" if check.fine else "look",
            )
            for check in self.checks
        ]
        return Table(
            title="Diagnostics of image clusters",
            left=(("Checks", str(len(self.checks))),),
            right=(("Deserve a look", str(look)),),
            columns=("", "value", "limit", "verdict"),
            rows=tuple(rows),
            notes=self.remarks,
        )

    def plot_data(self) -> pd.DataFrame:
        """Return the profile that `plot` draws: stretch, log_likelihood."""
        import pandas as pd

        return pd.DataFrame(
            {"stretch": self.stretch, "log_likelihood": self.log_likelihood}
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the likelihood against a common stretch of the effects.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure without.

        Returns
        -------
        The axes.
        """
        from distcausal._base.figure import (
            AXIS,
            DASHED,
            INK,
            legend_above,
            prepared,
            titled,
        )

        axes = prepared(ax)
        (line,) = axes.plot(self.stretch, self.log_likelihood, color=INK, linewidth=1.7)
        line.set_label("Likelihood, all else as fitted")
        axes.axvline(1.0, color=AXIS, linewidth=0.8, linestyle=DASHED, label="The fit")
        top = float(self.log_likelihood.max())
        axes.set_ylim(max(float(self.log_likelihood.min()), top - 30), top + 2)
        titled(
            axes,
            "Effects stretched around their mean by",
            "Log likelihood less that of the fit",
        )
        title = "Differences between clusters: none at 0, as fitted at 1"
        legend_above(axes, columns=2, title=title)
        return axes


def judged(
    name: str,
    value: float,
    limit: float = np.nan,
    *,
    remark: str = "",
    about: str = "inference",
    least: bool = False,
) -> Check:
    """Hold a value against its limit, the largest that is fine or the least.

    What should be measured and is not a number is beyond any limit.
    """
    beyond = value < limit if least else value > limit
    if np.isnan(value) and not np.isnan(limit):
        beyond, remark = True, _no_number(name)
    return Check(
        name=name,
        value=float(value),
        limit=float(limit),
        fine=not beyond,
        about=about,
        remark=remark if beyond else "",
    )


def _no_number(name: str) -> str:
    return (
        f"{name}: not a number, as too few groups or draws are left to measure it or "
        "the search left the numbers. Do not rely on what this check is about; look at "
        "the data, and try another seed or engine."
    )


def warn_of(checks: Iterable[Check]) -> None:
    """Issue every remark as a warning, of the data or of the inference."""
    kinds = {"data": DataWarning, "inference": InferenceWarning}
    for check in checks:
        if not check.fine:
            warn_user(check.remark, kinds[check.about])


def _shown(value: float) -> str:
    """Three digits, nothing where there is no number."""
    return "" if np.isnan(value) else f"{value:.3g}"
