"""What treating some clusters and not others is worth, at a cost per treated unit.

The gain of a rule over treating nobody is the mean over all units of score less cost
where the rule treats, and zero elsewhere: one mean of one number per unit, with the
errors of the cluster effects. Two kinds of rules are valued. Sets of clusters, nested
from the one with the largest effect downwards, answer "what if". The rule that treats
where the predicted effect exceeds the cost is chosen in every fold without looking at
it, so its value is that of the whole procedure; the best of several sets, picked
after seeing their values, is flattered by the picking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.errors import DataError, DesignError
from distcausal.images._estimates import ESTIMATE_COLUMNS, estimate_frame, estimate_rows
from distcausal.images.aipw import assigned, pooled
from distcausal.images.calibration import scalar_only
from distcausal.images.scores import Scores, check_scores
from distcausal.numerics.student import reach

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["PolicyValues", "policy_values"]

LEARNED = "predicted effect above cost"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PolicyValues(Result):
    """Gain per unit of the population from treating by each of several rules.

    Attributes
    ----------
    rules
        Names.
    treated
        Share of units treated, shape ``(rule,)``.
    gain, std_error
        Mean effect less cost over all units, zero for those untreated, against treating
        nobody, shape ``(rule,)``.
    over_all, over_all_error
        The same against treating everyone, shape ``(rule,)``.
    df
        Degrees of freedom in Student's law.
    settings
        Every argument as used.

    References
    ----------
    Athey and Wager (2021).
    """

    cite_as: ClassVar[str] = "image_effects"

    rules: tuple[str, ...]
    treated: np.ndarray
    gain: np.ndarray
    std_error: np.ndarray
    over_all: np.ndarray
    over_all_error: np.ndarray
    df: float
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<PolicyValues: {len(self.rules)} rules>"

    @property
    def estimate(self) -> np.ndarray:
        """The gains, under the name all results share."""
        return self.gain

    def conf_int(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Ends of intervals for the gains, each rule on its own."""
        margin = reach(confidence, self.df) * self.std_error
        return self.gain - margin, self.gain + margin

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per rule.

        Columns: term, treated, estimate, std_error, statistic, p_value, conf_low,
        conf_high, over_all, over_all_error.
        """
        df = np.full(len(self.rules), self.df)
        frame = estimate_frame(self.rules, self.gain, self.std_error, df, confidence)
        frame.insert(1, "treated", self.treated)
        return frame.assign(over_all=self.over_all, over_all_error=self.over_all_error)

    def glance(self) -> pd.DataFrame:
        """Return one row: number of rules, gain of the learnt one and its error."""
        import pandas as pd

        place = self.rules.index(LEARNED)
        row = {
            "rules": len(self.rules),
            "learned_gain": self.gain[place],
            "learned_std_error": self.std_error[place],
        }
        return pd.DataFrame([row])

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the table of `tidy`: one row per rule."""
        return self.tidy(confidence)

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw the gain of each rule with its interval; returns the axes."""
        from distcausal.images._plot_lists import draw_estimates

        across = "Gain over treating nobody\n(units of the outcome, per unit)"
        frame = self.plot_data(confidence)
        return draw_estimates(frame, ax=ax, across=across, confidence=confidence)

    def summary(self) -> Table:
        """Return the printable table, one line per rule."""
        from distcausal._base.table import Table

        shown = [f"{share:.3f}" for share in self.treated]
        return Table(
            title="Gain over treating nobody, per unit of the population",
            columns=("", "treated", *ESTIMATE_COLUMNS),
            rows=tuple(
                (row[0], share, *row[1:])
                for share, row in zip(shown, estimate_rows(self.tidy()), strict=True)
            ),
            notes=(
                "The set with the largest gain was picked by its gain, which "
                "flatters it; the rule by predicted effect was not.",
            ),
        )


def policy_values(
    scores: Scores,
    *,
    cost: float | np.ndarray = 0.0,
    sets: Sequence[Sequence[int]] | None = None,
    assign: str = "argmax",
) -> PolicyValues:
    """Value rules that treat sets of clusters, and the rule by predicted effect.

    Parameters
    ----------
    scores
        Held-out arrays with a scalar outcome.
    cost
        Cost of treating a unit in units of the outcome, a number or shape ``(unit,)``.
    sets
        Sets of clusters to treat, clusters counted from 1 in the order of their
        effects; None for the last one, the last two, and so on.
    assign
        ``"argmax"`` or ``"soft"``; a soft member is treated in proportion.

    Returns
    -------
    PolicyValues

    Raises
    ------
    DataError
        If costs are missing, infinite, or of another number than the units.
    DesignError
        If a set names a cluster that does not exist.

    Examples
    --------
    >>> from distcausal.images.policy import policy_values
    >>> from distcausal.images.scores import example_scores
    >>> found = policy_values(example_scores(gap=2.0), cost=1.0)
    >>> found.rules
    ('cluster 2', 'clusters 1, 2', 'predicted effect above cost')
    >>> bool(found.gain[0] > 0.3), bool(abs(found.gain[1]) < 0.2)
    (True, True)
    """
    check_scores(scores)
    scalar_only(scores, "the value of a policy")
    price = np.asarray(cost)
    if price.dtype.kind not in "biuf":
        raise DataError(
            "cost should be one number in the unit of the outcome, or an array with "
            f"one per unit, not {cost!r}. Names of columns are not looked up here."
        )
    price = price.astype(float)
    rule = f"cost should be a number, or one for each of {len(scores.weights)} units"
    if price.shape not in ((), scores.weights.shape):
        raise DataError(
            f"{rule}; it has shape {price.shape}. Give those of the units that were "
            "used, in their order."
        )
    if not np.isfinite(price).all():
        lost = int((~np.isfinite(price)).sum())
        raise DataError(
            f"{rule}; {lost} of {price.size} are missing or infinite. Fill them in."
        )
    chosen = _sets(sets, scores.clusters)
    inside = np.array(
        [[k + 1 in part for part in chosen] for k in range(scores.clusters)]
    )
    treats = assigned(scores.probs, assign) @ inside.astype(float)
    learned = (scores.effect > price)[..., None]
    treats = np.concatenate([treats, learned], axis=2)
    net = scores.score - price[..., None]
    none = np.zeros((*scores.fold.shape, 0))
    worth = np.concatenate([treats * net, (treats - 1) * net, treats], axis=2)
    found = pooled(none, worth, scores.weights, scores.group)
    error = np.sqrt((found.by_group[:, 0] ** 2).sum(axis=0)) * found.factor[0]
    gain, over_all, treated = np.split(found.estimate[0], 3)
    count = len(gain)
    return PolicyValues(
        rules=(*(_named(part) for part in chosen), LEARNED),
        treated=treated,
        gain=gain,
        std_error=error[:count],
        over_all=over_all,
        over_all_error=error[count : 2 * count],
        df=float(found.df[0]),
        settings={
            "cost": float(price) if price.ndim == 0 else price,
            "sets": tuple(chosen),
            "assign": assign,
            "versions": versions(),
        },
    )


def _sets(sets: Sequence[Sequence[int]] | None, clusters: int) -> list[tuple[int, ...]]:
    if sets is None:
        return [tuple(range(k, clusters + 1)) for k in range(clusters, 0, -1)]
    found = [tuple(sorted({int(k) for k in part})) for part in sets]
    strange = {k for part in found for k in part if not 1 <= k <= clusters}
    if strange or not all(found):
        raise DesignError(
            f"each set should name clusters from 1 to {clusters}; found "
            f"{[list(part) for part in sets]}."
        )
    return found


def _named(part: tuple[int, ...]) -> str:
    word = "cluster" if len(part) == 1 else "clusters"
    return f"{word} {', '.join(map(str, part))}"
