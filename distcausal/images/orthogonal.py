"""Predicted effects, split into what covariates say and what only the image says.

Covariates beside images can carry the same heterogeneity. The predicted effect is split
into a linear function of the covariates and the rest, which only the image knows, and
each part is confronted with doubly robust scores. What covariates explain of outcomes
needs no step of its own: they stand beside the treatment in the model's baseline and in
the regressions of the scores, fold by fold, which is where residuals taken beforehand
could go wrong, taking out part of the effect wherever treatment goes with covariates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.errors import DataError, check_choice
from distcausal.images._estimates import filled
from distcausal.images.calibration import scalar_only
from distcausal.images.scores import Scores, check_scores
from distcausal.images.sequential import COMBINE, combined, statistics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["EffectParts", "effect_parts"]

_EMPTY = 1e-18  # share of a squared length that is rounding


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
    Chernozhukov, Demirer, Duflo and Fernández-Val (2025).
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
