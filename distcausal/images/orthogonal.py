"""What covariates explain is taken out of outcomes, and told apart in the effects.

Two uses of tabular covariates beside images. Outcomes: the part that covariates
explain is noise to a model of images. Taking residuals of a regression on covariates
alone would take out part of the effect wherever treatment goes with covariates; so the
treatment is partialled out first, within arms (Robinson 1988), and what is removed is
what covariates explain among units treated alike. Effects: the predicted effect is
split into what a linear function of the covariates says and the rest, which only the
image knows, and each is confronted with doubly robust scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.errors import DataError, check_choice
from distcausal.images._estimates import filled
from distcausal.images.calibration import scalar_only
from distcausal.images.nuisance import regressors
from distcausal.images.ridge import FoldSums, RidgeFits, fold_sums, ridge, training_sums
from distcausal.images.scores import Scores, check_scores
from distcausal.images.sequential import COMBINE, combined, statistics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["Baseline", "EffectParts", "covariate_baseline", "effect_parts"]

_EMPTY = 1e-18  # share of a squared length that is rounding


class Baseline(NamedTuple):
    """What covariates explain of outcomes, learnt on each training part.

    Attributes
    ----------
    columns
        Covariates, centred and in standard deviations, shape ``(unit, covariate)``.
    other, before
        Slopes learnt on the other folds and on the earlier ones, shape ``(split, fold,
        covariate, outcome)``; zero before fold 0.
    """

    columns: np.ndarray
    other: np.ndarray
    before: np.ndarray

    def removed(
        self, outcome: np.ndarray, split: int, number: int, *, earlier: bool = False
    ) -> np.ndarray:
        """Outcomes of all units less what the model for one fold explains.

        Learn from this, for a rule that will be judged on that fold.
        """
        slopes = self.before if earlier else self.other
        return outcome - self.columns @ slopes[split, number]

    def residuals(self, outcome: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Every unit's outcome less what other folds say, ``(split, unit, outcome)``.

        For description. A rule to be judged on a fold should be learnt on `removed`,
        which has not seen that fold.
        """
        found = np.empty((*fold.shape, outcome.shape[1]))
        for split, label in enumerate(fold):
            for number in range(self.other.shape[1]):
                inside = np.flatnonzero(label == number)
                explained = self.columns[inside] @ self.other[split, number]
                found[split, inside] = outcome[inside] - explained
        return found


def covariate_baseline(
    outcome: np.ndarray,
    treatment: np.ndarray,
    covariates: np.ndarray,
    fold: np.ndarray,
    *,
    weights: np.ndarray,
    group: np.ndarray,
) -> Baseline:
    """Ridge regressions of outcomes on covariates with the treatment partialled out.

    Parameters
    ----------
    outcome
        Shape ``(unit, outcome)``.
    treatment
        0 or 1, shape ``(unit,)``.
    covariates
        Shape ``(unit, covariate)``, finite and free of the treatment, as
        `check_covariates` sees to.
    fold
        Shape ``(split, unit)``.
    weights, group
        Shape ``(unit,)``.

    References
    ----------
    Robinson (1988).

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.orthogonal import covariate_baseline
    >>> x, w = np.linspace(-1, 1, 40)[:, None], np.tile([0.0, 1.0], 20)
    >>> fold = np.tile([[0, 0, 1, 1]], (1, 10))
    >>> found = covariate_baseline(
    ...     2 * x + w[:, None], w, x, fold, weights=np.ones(40), group=np.arange(40)
    ... )
    >>> rest = found.residuals(2 * x + w[:, None], fold)[0, :, 0]
    >>> round(float(rest[1::2].mean() - rest[::2].mean()), 2), float(rest.std()) < 0.51
    (1.0, True)
    """
    if not np.isfinite(covariates).all():
        raise DataError(
            f"{int((~np.isfinite(covariates)).sum())} covariate values are missing or "
            "infinite. Fill them in, or leave those units out."
        )
    columns = regressors(np.zeros((len(outcome), 0)), covariates, weights)
    arms = [
        fold_sums(columns, outcome, fold, weights * (treatment == w), group)
        for w in (0, 1)
    ]
    slopes = [
        _within_arms([training_sums(arm, earlier=earlier) for arm in arms]).slope
        for earlier in (False, True)
    ]
    return Baseline(columns, *slopes)


def _within_arms(arms: list[FoldSums]) -> RidgeFits:
    """Ridge regressions on deviations from the means of the arms."""
    moments = np.zeros_like(arms[0].moments)
    for arm in arms:
        mean = arm.moments[..., 0, 1:]
        mass = np.where(arm.mass > 0, arm.mass, 1.0)[..., None, None]
        moments[..., 1:, 1:] += arm.moments[..., 1:, 1:]
        moments[..., 1:, 1:] -= mean[..., :, None] * mean[..., None, :] / mass
    total = np.sum([arm.mass for arm in arms], axis=0)
    square = np.sum([arm.square for arm in arms], axis=0)
    moments[..., 0, 0] = total
    return ridge(FoldSums(total, square, moments, arms[0].columns))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectParts(Result):
    """Predicted effects split into what covariates say and what only the image says.

    Attributes
    ----------
    share_predicted
        Share of the variance of the predicted effect, within folds, that is linear in
        the covariates. None where the prediction does not vary.
    slopes
        Of the scores on the tabular and on the image-only part, shape ``(2,)``; zero
        for a part that does not vary.
    variance
        Of what each part, times its slope, says about effects, shape ``(2,)``; the
        parts are uncorrelated. Squares of estimates: too large where there is little.
    share_image
        Share of the second in their sum; None where both are zero.
    p_tabular, p_image
        Sequential tests, against positive slopes, that the tabular part ranks nothing,
        and that the image-only part ranks nothing given the tabular one.
    used, missing
        Folds with and without a statistic for the image-only part, first ones not
        counted.
    combine
        ``"mean"`` or ``"median"`` over splits.
    settings
        Every argument as used.

    References
    ----------
    Robinson (1988); Chernozhukov, Demirer, Duflo and Fernández-Val (2025).
    """

    cite_as: ClassVar[str] = "image_effects"

    share_predicted: float | None
    slopes: np.ndarray
    variance: np.ndarray
    share_image: float | None
    p_tabular: float
    p_image: float
    used: int
    missing: int
    combine: str
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<EffectParts: p = {self.p_image:.3g} for the image alone>"

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per part: term, estimate (slope), p_value, variance.

        The other columns of all results are missing: slopes come with a test and
        without an interval that ``confidence`` could widen.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                "term": ["tabular", "image only"],
                "estimate": self.slopes,
                "variance": self.variance,
                "p_value": [self.p_tabular, self.p_image],
            }
        )
        return filled(frame, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row: share of the image, p-values, folds used."""
        import pandas as pd

        names = ("share_predicted", "share_image", "p_tabular", "p_image", "used")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def plot_data(self) -> pd.DataFrame:
        """Return the table of `tidy`."""
        return self.tidy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the spread of effects due to either part; returns the axes."""
        from distcausal.images._plot_lists import draw_parts

        return draw_parts(self, ax=ax)

    def summary(self) -> Table:
        """Return the printable table, one line per part."""
        from distcausal._base.table import Table, decimals, number, p_value

        places = decimals(float(max(self.variance.max(), 1e-12)) ** 0.5, 3)
        share = "none" if self.share_image is None else f"{self.share_image:.3f}"
        rows = tuple(
            (
                row["term"],
                number(row["estimate"], places),
                number(row["variance"] ** 0.5, places),
                p_value(row["p_value"]),
            )
            for row in self.tidy().to_dict("records")
        )
        return Table(
            title="What covariates say about effects, and what only the image says",
            left=(("Share of the image", share),),
            right=(("Folds tested", f"{self.used} of {self.used + self.missing}"),),
            columns=("", "slope", "std. deviation", "p-value"),
            rows=rows,
        )


def effect_parts(
    scores: Scores, covariates: np.ndarray, *, combine: str = "mean"
) -> EffectParts:
    """Split predicted effects by covariates and confront both parts with scores.

    Parameters
    ----------
    scores
        Held-out arrays with a scalar outcome.
    covariates
        Shape ``(unit, covariate)``, finite, fewer than units in any fold.
    combine
        ``"mean"`` or ``"median"`` over splits, as in `effect_homogeneity`.

    Returns
    -------
    EffectParts

    Raises
    ------
    DataError
        If covariates are missing, or too many for a linear part to mean anything.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.orthogonal import effect_parts
    >>> from distcausal.images.scores import example_scores
    >>> scores = example_scores(gap=2.0)
    >>> noise = np.random.default_rng(1).normal(size=(400, 1))
    >>> found = effect_parts(scores, noise)
    >>> found.p_image < 0.001, found.share_image > 0.9
    (True, True)
    """
    check_choice("combine", combine, COMBINE)
    check_scores(scores)
    scalar_only(scores, "a split of effects")
    _check_columns(covariates, scores)
    used = statistics(
        scores,
        lambda s, inside: _image_only(scores, covariates, s, inside)[1],
        lambda s, inside: _without_tabular(scores, covariates, s, inside),
    )
    tabular = statistics(
        scores,
        lambda s, inside: _image_only(scores, covariates, s, inside)[0],
        lambda s, inside: scores.score_before[s, inside],
    )
    slopes, variance, share = _decomposed(scores, covariates)
    total = float(variance.sum())
    there = used.present[:, 1:, 0]
    return EffectParts(
        share_predicted=share,
        slopes=slopes,
        variance=variance,
        share_image=float(variance[1] / total) if total > 0 else None,
        p_tabular=combined(tabular, "greater", combine).p_value,
        p_image=combined(used, "greater", combine).p_value,
        used=int(there.sum()),
        missing=int((~there).sum()),
        combine=combine,
        settings={"combine": combine, "versions": versions()},
    )


def _check_columns(covariates: np.ndarray, scores: Scores) -> None:
    units = len(scores.weights)
    if covariates.ndim != 2 or len(covariates) != units:
        raise DataError(
            f"covariates should have one row for each of {units} units; their shape "
            f"is {covariates.shape}."
        )
    if not np.isfinite(covariates).all():
        raise DataError(
            f"{int((~np.isfinite(covariates)).sum())} covariate values are missing or "
            "infinite. Fill them in, or leave those units out."
        )
    least = min(np.bincount(label).min() for label in scores.fold)
    if covariates.shape[1] + 2 > least / 2:
        raise DataError(
            f"{covariates.shape[1]} covariates explain any effect among the {least} "
            "units of the smallest fold. Use fewer covariates, or fewer folds."
        )


def _projected(
    values: np.ndarray, columns: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Weighted least-squares fit of values on columns and a constant."""
    root = np.sqrt(weights)[:, None]
    rows = np.column_stack([np.ones(len(columns)), columns])
    size = np.sqrt(((root * rows) ** 2).sum(axis=0))
    rows = rows / np.where(size > 0, size, 1.0)
    coef = np.linalg.lstsq(root * rows, root[:, 0] * values, rcond=1e-10)[0]
    return rows @ coef


def _split(
    effect: np.ndarray, covariates: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tabular and image-only part of predicted effects, both centred."""
    fitted = _projected(effect, covariates, weights)
    middle = np.average(effect, weights=weights)
    size = weights @ effect**2
    parts = []
    for part in (fitted - middle, effect - fitted):
        real = weights @ part**2 > _EMPTY * size
        parts.append(part if real else np.zeros(len(part)))
    return parts[0], parts[1]


def _image_only(
    scores: Scores, covariates: np.ndarray, split: int, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    effect = scores.effect_before[split, inside]
    parts = _split(effect, covariates[inside], scores.weights[inside])
    return parts[0][:, None], parts[1][:, None]


def _without_tabular(
    scores: Scores, covariates: np.ndarray, split: int, inside: np.ndarray
) -> np.ndarray:
    """Scores less what the tabular part explains of them in this fold."""
    weights = scores.weights[inside]
    tabular = _image_only(scores, covariates, split, inside)[0]
    score = scores.score_before[split, inside]
    return score - _projected(score[:, 0], tabular, weights)[:, None]


def _decomposed(
    scores: Scores, covariates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Slopes, variances, and the tabular share of the prediction, pooled over folds."""
    products, squares = np.zeros(2), np.zeros(2)
    for split, label in enumerate(scores.fold):
        for number in range(scores.folds):
            inside = np.flatnonzero((label == number) & (scores.weights > 0))
            weights = scores.weights[inside]
            effect = scores.effect[split, inside]
            for place, part in enumerate(_split(effect, covariates[inside], weights)):
                products[place] += (weights * part) @ scores.score[split, inside, 0]
                squares[place] += weights @ part**2
    slopes = np.divide(products, squares, out=np.zeros(2), where=squares > 0)
    mass = len(scores.fold) * scores.weights.sum()
    total = squares.sum()
    share = float(squares[0] / total) if total > 0 else None
    return slopes, slopes**2 * squares / mass, share
