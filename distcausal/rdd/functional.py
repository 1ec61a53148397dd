"""Effects on functionals of the average distribution, computed from a fit.

The functional is evaluated on the curves at the two sides and, to simulate the law of
its estimate, on the same curves with the fit's simulated errors added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from warnings import warn

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table
from distcausal.errors import (
    DataError,
    DataWarning,
    DesignError,
    IdentificationError,
    InferenceWarning,
    check_choice,
    listing,
)
from distcausal.numerics.band import order_statistic, rank_p_value
from distcausal.numerics.functional import FUNCTIONALS, Functional
from distcausal.rdd.check import check_fit
from distcausal.rdd.profile import PROFILE

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.rdd.result import R3DResult

__all__ = ["FunctionalEffect", "functional_effect"]

# Share of the simulated curves that must have a value of the functional.
MOSTLY = 0.95


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FunctionalEffect(Result):
    """Effect of crossing the cutoff on a functional of the average distribution.

    Attributes
    ----------
    name
        Name of the functional.
    below, above
        Its value for the average distributions below and above the cutoff.
    estimate
        ``above - below``.
    std_error
        Standard deviation of the simulated errors.
    statistic, critical_value, p_value
        Absolute estimate, its critical value, and the p-value of no effect.
    conf_low, conf_high
        Confidence interval.
    confidence
        Its coverage.
    settings
        Settings of the fit it was computed from.
    """

    cite_as: ClassVar[str] = "r3d"

    name: str
    below: float
    above: float
    estimate: float
    std_error: float
    statistic: float
    critical_value: float
    p_value: float
    conf_low: float
    conf_high: float
    confidence: float
    settings: dict[str, Any]

    columns: ClassVar[tuple[str, ...]] = (
        "term",
        "estimate",
        "std_error",
        "statistic",
        "critical_value",
        "p_value",
        "conf_low",
        "conf_high",
    )

    def __repr__(self) -> str:
        return (
            f"<FunctionalEffect: {self.name}, {self.estimate:.4g} "
            f"({self.conf_low:.4g} to {self.conf_high:.4g})>"
        )

    def __getitem__(self, column: str) -> float | str:
        if column == "term":
            return self.name
        if column not in self.columns:
            raise KeyError(f"{column!r} is not one of {', '.join(self.columns)}")
        return getattr(self, column)

    def tidy(self) -> pd.DataFrame:
        """Return one row with the columns named in `columns`."""
        import pandas as pd

        return pd.DataFrame([{column: self[column] for column in self.columns}])

    def glance(self) -> pd.DataFrame:
        """Return one row: the values on both sides, and the confidence."""
        import pandas as pd

        names = ("below", "above", "confidence")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def summary(self) -> Table:
        """Return the printable table."""
        numbers = (self.below, self.above, self.estimate, self.std_error, self.p_value)
        ends = (self.conf_low, self.conf_high)
        return Table(
            title="Effect on a Functional of the Average Distribution",
            columns=(
                "functional",
                "below",
                "above",
                "effect",
                "std err",
                "p-value",
                "low",
                "high",
            ),
            rows=((self.name, *(f"{value:.4g}" for value in (*numbers, *ends))),),
            notes=(
                f"The interval has confidence {self.confidence:g}; it and the p-value "
                "come from the simulated errors of the fit.",
            ),
        )


def functional_effect(
    fit: R3DResult,
    functional: str | Functional,
    *,
    confidence: float = 0.95,
) -> FunctionalEffect:
    """Effect on a functional of the average distribution, such as its Gini coefficient.

    The functional of the average quantile curve above the cutoff, less that of the
    curve below. Its law is simulated by adding the fit's simulated errors to both
    curves and centring at the estimate.

    Parameters
    ----------
    fit
        A result of `r3d`, sharp.
    functional
        ``"mean"``, ``"variance"``, ``"std"``, ``"gini"``, ``"theil"``, or a function
        that takes curves with shape ``(..., level)`` and levels with shape
        ``(level,)`` and returns values with shape ``(...)``.
    confidence
        Coverage of the interval.

    Returns
    -------
    FunctionalEffect

    Raises
    ------
    IdentificationError
        In fuzzy designs: the curves of compliers are not those at the two sides.
    DataError
        If the functional is not defined for the outcomes.

    References
    ----------
    Van Dijcke (2025), arXiv:2504.03992.

    Examples
    --------
    >>> import distcausal as dc
    >>> units = dc.datasets.make_r3d(n=300, delta=3.0, seed=1)
    >>> fit = dc.r3d(units.data, running="x", levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    >>> dc.functional_effect(fit, "mean").conf_low > 0
    True
    """
    check_fit(fit)
    if fit.first_stage is not None:
        raise IdentificationError(
            "the effect of a fuzzy design on a functional concerns compliers, whose "
            "curves are not the average curves at the two sides of the cutoff. For the "
            "effect of crossing the cutoff itself fit without treatment=."
        )
    name, measure = _read_functional(functional, fit.levels)
    if functional == "gini":
        _warn_of_gini(fit)
    below, above = (float(measure(c, fit.levels)) for c in (fit.below, fit.above))
    if not np.isfinite([below, above]).all():
        raise DataError(
            f"functional {name!r} is not defined for the average distributions "
            f"({below:g} below, {above:g} above the cutoff). Of those offered, gini "
            "needs a positive mean and theil positive outcomes. Choose another, such "
            "as 'variance'."
        )
    estimate = above - below
    simulated = _simulated(fit, measure, name)
    errors = simulated - estimate
    reach = order_statistic(np.abs(errors), confidence)
    critical, p_value = reach, rank_p_value(abs(estimate), np.abs(errors))
    if fit.settings.get("profile") == PROFILE:
        # That package does not centre its draws at the estimate.
        critical = float(np.quantile(np.abs(simulated), confidence))
        p_value = float(np.mean(np.abs(simulated) >= abs(estimate)))
    return FunctionalEffect(
        name=name,
        below=below,
        above=above,
        estimate=estimate,
        std_error=float(np.std(errors)),
        statistic=abs(estimate),
        critical_value=critical,
        p_value=p_value,
        conf_low=estimate - reach,
        conf_high=estimate + reach,
        confidence=float(confidence),
        settings=fit.settings,
    )


def _warn_of_gini(fit: R3DResult) -> None:
    """A Gini coefficient lives in the tails and among positive outcomes."""
    if fit.levels[0] > 0.011 or fit.levels[-1] < 0.989:
        warn(
            f"the levels run from {fit.levels[0]:g} to {fit.levels[-1]:g}; a gini "
            "coefficient depends on the tails, which are taken as flat beyond them. "
            "Fit on levels from 0.01 to 0.99.",
            DataWarning,
            stacklevel=3,
        )
    if min(fit.below[0], fit.above[0]) < 0:
        warn(
            "some outcomes are negative; a gini coefficient may then exceed one and is "
            "hard to read. Compare another functional, such as 'variance'.",
            DataWarning,
            stacklevel=3,
        )


def _read_functional(
    functional: str | Functional, levels: np.ndarray
) -> tuple[str, Functional]:
    """Name and function; a function of the user's is tried on two curves first."""
    if isinstance(functional, str):
        check_choice("functional", functional, tuple(FUNCTIONALS))
        return functional, FUNCTIONALS[functional]
    name = getattr(functional, "__name__", "functional")
    rule = (
        "functional should be one of "
        f"{listing(FUNCTIONALS)}, or a function that takes curves of shape "
        "(..., level) and levels of shape (level,) and returns values of shape (...)"
    )
    if not callable(functional):
        raise DesignError(f"{rule}; got {functional!r}.")
    try:
        shape = np.shape(functional(np.stack([levels, levels]), levels))
    except (TypeError, ValueError, IndexError) as error:
        raise DesignError(f"{rule}; {name!r} fails on two curves: {error}.") from error
    if shape != (2,):
        raise DesignError(
            f"{rule}; {name!r} returns shape {shape} for two curves. Work along the "
            "last axis, as in curves.mean(axis=-1)."
        )
    return name, functional


def _simulated(fit: R3DResult, measure: Functional, name: str) -> np.ndarray:
    """Effect on the functional with the simulated errors added to both curves.

    A functional may be undefined for a curve with errors though it is defined for the
    estimate; such draws are left out, and counted in a warning.
    """
    values = np.asarray(
        measure(fit.above + fit.draws.above, fit.levels)
        - measure(fit.below + fit.draws.below, fit.levels),
        dtype=float,
    )
    kept = values[np.isfinite(values)]
    if kept.size < MOSTLY * values.size:
        raise DataError(
            f"functional {name!r} is not defined for {values.size - kept.size} of "
            f"{values.size} simulated curves: the estimate is too close to where it "
            "stops making sense for an interval. Choose another functional."
        )
    if kept.size < values.size:
        warn(
            f"the functional {name!r} is not defined for {values.size - kept.size} of "
            f"{values.size} simulated curves, which are left out: the estimate is "
            "close to where it stops making sense. Compare another functional.",
            InferenceWarning,
            stacklevel=3,
        )
    return kept
