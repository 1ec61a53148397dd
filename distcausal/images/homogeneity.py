"""Is the effect the same in all clusters? A test on units the clusters never saw.

Clusters are ordered by their predicted effect, so what they claim is a direction: that
scores rise with the predicted effect of the cluster. The ordered test asks for that
alone and is the default; the joint test takes any difference between clusters. Both are
sequential, which is what makes their size right (see `distcausal.images.sequential`).

The Wald test of the pooled effects, which looks natural, is reported beside them for
what it is: with a linear rule on ten features, 500 units and no heterogeneity it
rejects in 13 % of trials at a level of 5 %, the sequential tests in at most 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.errors import DesignError, InferenceWarning, check_choice, warn_user
from distcausal.images._estimates import filled
from distcausal.images.aipw import assigned, influence
from distcausal.images.scores import Scores, check_scores
from distcausal.images.sequential import (
    COMBINE,
    FoldStatistics,
    combined,
    statistics,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["EffectHomogeneity", "effect_homogeneity"]

ALTERNATIVES = ("ordered", "any")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectHomogeneity(Result):
    """Test that the average effect is the same in all clusters.

    Attributes
    ----------
    alternative
        What ``p_value`` is against: ``"ordered"``, effects that rise in the order
        predicted, or ``"any"`` difference.
    p_value
        Of the test named by ``alternative``; one where no fold allows a test.
    p_ordered, p_any
        Of both tests; ``p_ordered`` is None for outcomes with several values.
    z_ordered, chi_any
        Their statistics.
    statistic
        Of the test named by ``alternative``: a standard normal for ``"ordered"``,
        chi-squared with ``df`` degrees of freedom for ``"any"``; at most as spread out
        where several splits are averaged.
    df
        Degrees of freedom of the joint test.
    split_p_values
        P-value of each split on its own, shape ``(split,)``, of the test named by
        ``alternative``. Each is valid if its split was chosen beforehand.
    spread
        Standard deviation of the statistic over splits.
    p_pooled, wald
        Of the Wald test of the pooled effects, and its statistic, an F by the classical
        theory. Not valid: see the module. None where the covariance of the effects is
        not known.
    used, missing
        Number of folds, over all splits, with and without a statistic: without, all
        units were in one cluster, or groups too few. First folds are not counted.
    combine
        How splits were combined: ``"mean"`` of statistics or ``"median"`` of p-values.
    settings
        Every argument as used, with versions.

    References
    ----------
    Wager (2024); Chernozhukov, Demirer, Duflo and Fernández-Val (2025).
    """

    __test__: ClassVar[bool] = False
    cite_as: ClassVar[str] = "image_effects"

    alternative: str
    p_value: float
    p_ordered: float | None
    p_any: float
    z_ordered: float | None
    chi_any: float
    statistic: float
    df: int
    split_p_values: np.ndarray
    spread: float
    p_pooled: float | None
    wald: float | None
    used: int
    missing: int
    combine: str
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<EffectHomogeneity: p = {self.p_value:.3g}, {self.alternative}>"

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per test.

        Columns: term, those of all results, df, valid. Tests estimate nothing, so only
        ``statistic`` and ``p_value`` are there, whatever the ``confidence``; ``df`` is
        missing for the normal statistic of the ordered test.
        """
        import pandas as pd

        rows = [
            ("ordered", self.z_ordered, np.nan, self.p_ordered, True),
            ("any", self.chi_any, self.df, self.p_any, True),
            ("pooled Wald", self.wald, self.df, self.p_pooled, False),
        ]
        known = [row for row in rows if row[1] is not None]
        names = ["term", "statistic", "df", "p_value", "valid"]
        return filled(pd.DataFrame(known, columns=names), confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row: alternative, statistic, p-value, spread, folds used."""
        import pandas as pd

        names = ("alternative", "statistic", "p_value", "spread", "used", "missing")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def plot_data(self) -> pd.DataFrame:
        """Return the p-value of each split: split, p_value."""
        import pandas as pd

        splits = np.arange(len(self.split_p_values))
        return pd.DataFrame({"split": splits, "p_value": self.split_p_values})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the p-value of each split and of all together; returns the axes."""
        from distcausal.images._plot_lists import draw_splits

        return draw_splits(self, ax=ax)

    def summary(self) -> Table:
        """Return the printable table, one line per test."""
        from distcausal._base.table import Table, p_value

        rows = {
            "effects rise as predicted": self.p_ordered,
            "effects differ in any way": self.p_any,
            "pooled Wald test (not valid)": self.p_pooled,
        }
        return Table(
            title="Test of equal effects in all clusters",
            left=(("Splits", str(len(self.split_p_values))),),
            right=(("Folds tested", f"{self.used} of {self.used + self.missing}"),),
            columns=("alternative", "p-value"),
            rows=tuple((k, p_value(p)) for k, p in rows.items() if p is not None),
            notes=(
                "Rules learnt on earlier folds judge later ones. The pooled Wald "
                "test rejects too often where effects are equal.",
            ),
        )


def effect_homogeneity(
    scores: Scores,
    *,
    alternative: str = "ordered",
    combine: str = "mean",
    assign: str = "argmax",
) -> EffectHomogeneity:
    """Test that the average effect is the same in all clusters.

    Parameters
    ----------
    scores
        Held-out arrays.
    alternative
        ``"ordered"`` or ``"any"``; outcomes with several values allow only the latter.
    combine
        ``"mean"`` or ``"median"`` over splits; the latter is valid however splits
        depend on one another, and has less power.
    assign
        ``"argmax"`` or ``"soft"`` membership.

    Returns
    -------
    EffectHomogeneity

    Raises
    ------
    DesignError
        If there is one cluster, or an ordered test is asked of several outcomes.

    Warns
    -----
    InferenceWarning
        If some folds allow no test because all units are in one cluster there, or
        because groups are too few.

    Examples
    --------
    >>> from distcausal.images.homogeneity import effect_homogeneity
    >>> from distcausal.images.scores import example_scores
    >>> effect_homogeneity(example_scores(gap=1.0)).p_value < 0.001
    True
    >>> effect_homogeneity(example_scores(gap=0.0)).p_value > 0.05
    True
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    check_choice("combine", combine, COMBINE)
    check_scores(scores)
    if scores.clusters < 2:
        raise DesignError(
            "with one cluster there is nothing to compare. Fit two or more."
        )
    scalar = scores.score.shape[2] == 1
    if alternative == "ordered" and not scalar:
        raise DesignError(
            "an ordered test needs a scalar outcome; this one has "
            f'{scores.score.shape[2]} values per unit. Ask for alternative="any".'
        )
    found = _fold_statistics(scores, assign)
    joint = combined(found, "any", combine)
    ordered = combined(found, "greater", combine) if scalar else None
    chosen = joint if ordered is None or alternative == "any" else ordered
    there = found.present[:, 1:].any(axis=2)
    missing = int((~there).sum())
    if missing:
        warn_user(
            f"{missing} of {there.size} folds allow no test of equal effects: all "
            "units are in one cluster, or groups are too few. Fit fewer clusters, or "
            "use fewer folds.",
            InferenceWarning,
        )
    wald, p_pooled = _pooled(scores, assign)
    return EffectHomogeneity(
        alternative=alternative,
        p_value=chosen.p_value,
        p_ordered=None if ordered is None else ordered.p_value,
        p_any=joint.p_value,
        z_ordered=None if ordered is None else ordered.statistic,
        chi_any=joint.statistic,
        statistic=chosen.statistic,
        df=found.z.shape[2],
        split_p_values=_by_split(found, alternative),
        spread=chosen.spread,
        p_pooled=p_pooled,
        wald=wald,
        used=int(there.sum()),
        missing=missing,
        combine=combine,
        settings={
            "alternative": alternative,
            "combine": combine,
            "assign": assign,
            "versions": versions(),
        },
    )


def _fold_statistics(scores: Scores, assign: str) -> FoldStatistics:
    """Statistics of scores against clusters, the predicted effect first."""
    powers = np.arange(scores.clusters)[:, None] ** np.arange(2, scores.clusters)

    def columns(split: int, inside: np.ndarray) -> np.ndarray:
        member = assigned(scores.probs_before[split, inside], assign)
        weight = scores.weights[inside, None] * member
        mass = weight.sum(axis=0)
        total = weight.T @ scores.effect_before[split, inside]
        effect = total / np.where(mass > 0, mass, 1.0)
        return member @ np.column_stack([effect, powers])

    return statistics(scores, columns, lambda s, inside: scores.score_before[s, inside])


def _by_split(found: FoldStatistics, alternative: str) -> np.ndarray:
    kind = "any" if alternative == "any" else "greater"
    each = [
        combined(FoldStatistics(z[None], present[None]), kind, "mean")
        for z, present in zip(*found, strict=True)
    ]
    return np.array([one.p_value for one in each])


def _pooled(scores: Scores, assign: str) -> tuple[float | None, float | None]:
    """Ordinary Wald test, as if clusters had been given: statistic and p-value."""
    from scipy.special import fdtrc

    found = influence(scores, assign=assign)
    contrasts = np.diff(np.eye(scores.clusters + 1)[:-1], axis=0)
    estimate = (contrasts @ np.nan_to_num(found.estimate)).ravel()
    scaled = found.by_group * found.factor[:, None]
    moves = np.einsum("ck,gko->gco", contrasts, scaled).reshape(len(scaled), -1)
    room = len(moves) - moves.shape[1]
    if np.isnan(moves).any() or np.isnan(found.factor).any() or room < 1:
        return None, None
    covariance = moves.T @ moves
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(covariance):
        return None, None
    wald = float(estimate @ np.linalg.solve(covariance, estimate) / len(estimate))
    return wald, float(fdtrc(len(estimate), room, wald))
