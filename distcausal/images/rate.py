"""How much is gained by treating first those predicted to gain most, and is it real.

The targeting operator characteristic at a share q is the mean score among the share q
with the highest priority, less the mean of all. Its integral (AUTOC), or its integral
weighted by q (QINI), is the rank-weighted average effect of Yadlowsky and others. It
is a sum of scores with weights that depend on ranks alone: with u the share of units
ranked before, ``∫ (-log u - 1) ψ`` and ``∫ (1/2 - u) ψ``, so ties, treated as units in
random order, and unit weights need no simulation.

Standard errors are those of half-samples of groups; ranks are formed anew in each half.
The test that a rule ranks nothing is sequential, its rule learnt on earlier folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.keys import Seed, check_seed, host_stream, seed_record
from distcausal._base.session import versions
from distcausal.errors import DataError, DesignError, check_choice
from distcausal.images._estimates import ESTIMATE_COLUMNS, estimate_frame, estimate_rows
from distcausal.images.calibration import scalar_only
from distcausal.images.ranks import SHARES, blocks, rank_weighted, rank_weights, toc
from distcausal.images.scores import Scores, check_scores
from distcausal.images.sequential import COMBINE, combined, statistics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["TARGETS", "RankWeightedEffect", "compare_rates", "rate"]

TARGETS = ("autoc", "qini")
_GROUPS = 4  # in a fold, for its half-samples to mean anything


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RankWeightedEffect(Result):
    """Rank-weighted average effect of a priority rule, or the difference of two.

    Attributes
    ----------
    target
        ``"autoc"`` or ``"qini"``.
    estimate, std_error
        Mean over folds and splits, in units of the outcome, and its standard error from
        half-samples of groups, the rules taken as given.
    ratio
        Estimate over standard error.
    p_value
        Of the sequential test that the rule ranks nothing, against a positive value;
        of a comparison, that both rank alike, against either.
    shares, toc, toc_std_error
        Shares treated and the gain over the mean there, shape ``(share,)``; differences
        in a comparison.
    used, missing
        Folds with and without a test statistic, first folds not counted.
    groups
        Number of groups.
    compared
        Whether this is a difference of two rules.
    settings
        Every argument as used.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill and Wager (2025); Wager (2024).
    """

    cite_as: ClassVar[str] = "image_effects"

    target: str
    estimate: float
    std_error: float
    ratio: float
    p_value: float
    shares: np.ndarray
    toc: np.ndarray
    toc_std_error: np.ndarray
    used: int
    missing: int
    groups: int
    compared: bool
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<RankWeightedEffect: {self.target} {self.estimate:.3g}, "
            f"p = {self.p_value:.3g}>"
        )

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row: term, estimate, std_error, statistic, p_value, interval.

        The interval and the statistic take the rules as given; the p-value is that of
        the sequential test.
        """
        frame = estimate_frame(
            [self.target],
            np.array([self.estimate]),
            np.array([self.std_error]),
            np.array([self.groups - 1]),
            confidence,
        )
        return frame.assign(p_value=self.p_value)

    def glance(self) -> pd.DataFrame:
        """Return one row: target, ratio, p-value, folds used, groups."""
        import pandas as pd

        names = ("target", "ratio", "p_value", "used", "missing", "groups")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the curve: share, toc, std_error, conf_low, conf_high."""
        import pandas as pd

        from distcausal.numerics.student import reach

        margin = reach(confidence, self.groups - 1) * self.toc_std_error
        return pd.DataFrame(
            {
                "share": self.shares,
                "toc": self.toc,
                "std_error": self.toc_std_error,
                "conf_low": self.toc - margin,
                "conf_high": self.toc + margin,
            }
        )

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw the gain by share treated with its interval; returns the axes."""
        from distcausal.images._plot import draw_gain

        return draw_gain(self, ax=ax, confidence=confidence)

    def summary(self) -> Table:
        """Return the printable table."""
        from distcausal._base.table import Table

        what = "Difference of two priority rules" if self.compared else "Priority rule"
        return Table(
            title=f"{what}: rank-weighted average effect",
            left=(("Groups", str(self.groups)),),
            right=(("Folds tested", f"{self.used} of {self.used + self.missing}"),),
            columns=("", *ESTIMATE_COLUMNS),
            rows=tuple(estimate_rows(self.tidy())),
            notes=(
                "P-value: rules learnt on earlier folds judge later ones. Standard "
                "error and interval take the rules as given.",
            ),
        )


def rate(
    scores: Scores,
    *,
    target: str = "autoc",
    draws: int = 200,
    combine: str = "mean",
    seed: Seed = 0,
) -> RankWeightedEffect:
    """Rank-weighted average effect of ranking units by their predicted effect.

    Parameters
    ----------
    scores
        Held-out arrays with a scalar outcome.
    target
        ``"autoc"``, which stresses the few ranked highest, or ``"qini"``, all ranks
        alike. Where few gain much the first has more power, where half the units gain
        the second.
    draws
        Half-samples.
    combine
        ``"mean"`` or ``"median"`` over splits, as in `effect_homogeneity`.
    seed
        Whole number or JAX key.

    Returns
    -------
    RankWeightedEffect

    Raises
    ------
    DesignError
        If an outcome has several values per unit, or no fold holds four groups.

    Notes
    -----
    The weight that AUTOC gives to the first ranks grows without bound, so that its
    p-value needs more groups than that of QINI, and more the longer the tail of the
    scores. With scores of no effect that are squares of exponential variables, and 40
    to 400 units per fold, the test of a fold rejects at 5 % in 7 to 9 % of cases where
    the long tail points down, in 2 % where it points up; QINI in 4 to 5 % either way.
    Where outcomes have such tails, test with ``target="qini"`` or `effect_homogeneity`.

    Examples
    --------
    >>> from distcausal.images.rate import rate
    >>> from distcausal.images.scores import example_scores
    >>> found = rate(example_scores(gap=2.0), target="qini")
    >>> found.estimate > 0.2, found.p_value < 0.001
    (True, True)
    """
    return _rated(
        scores, None, target=target, draws=draws, combine=combine, seed=seed, used={}
    )


def compare_rates(
    scores: Scores,
    other: Scores | np.ndarray,
    *,
    target: str = "autoc",
    draws: int = 200,
    combine: str = "mean",
    seed: Seed = 0,
) -> RankWeightedEffect:
    """Difference of two priority rules on the same units, folds and scores.

    Parameters
    ----------
    scores
        Held-out arrays; their predicted effects are the first rule, their scores judge
        both.
    other
        Held-out arrays of another fit on the same folds, or a priority known before
        any outcome was seen, shape ``(unit,)``.
    target, draws, combine, seed
        As in `rate`.

    Returns
    -------
    RankWeightedEffect
        First rule less second.

    Raises
    ------
    DataError
        If the second rule is for other units or other folds.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.rate import compare_rates
    >>> from distcausal.images.scores import example_scores
    >>> scores = example_scores(gap=2.0)
    >>> compare_rates(scores, np.zeros(400)).p_value < 0.001
    True
    """
    if isinstance(other, Scores):
        check_scores(other)
        same = other.fold.shape == scores.fold.shape
        if not (same and np.array_equal(other.fold, scores.fold)):
            raise DataError(
                "the two rules were fitted on different folds, so units differ in what "
                "judged them. Fit both with the same seed, folds, splits and groups."
            )
        second = (other.effect, other.effect_before)
    else:
        priority = np.asarray(other, dtype=float)
        if priority.shape != scores.weights.shape or not np.isfinite(priority).all():
            raise DataError(
                f"a priority needs one finite number for each of "
                f"{len(scores.weights)} units; it has shape {priority.shape} and "
                f"{int((~np.isfinite(priority)).sum())} that are not finite."
            )
        second = (np.broadcast_to(priority, scores.fold.shape),) * 2
    return _rated(
        scores,
        second,
        target=target,
        draws=draws,
        combine=combine,
        seed=seed,
        used={"compared": True},
    )


def _rated(
    scores: Scores,
    second: tuple[np.ndarray, np.ndarray] | None,
    *,
    target: str,
    draws: int,
    combine: str,
    seed: Seed,
    used: dict[str, Any],
) -> RankWeightedEffect:
    check_choice("target", target, TARGETS)
    check_choice("combine", combine, COMBINE)
    check_scores(scores)
    check_seed(seed)
    scalar_only(scores, "a rank-weighted effect")
    if isinstance(draws, bool) or draws != int(draws) or draws < 2:
        raise DesignError(f"draws should be a whole number from 2; got {draws!r}.")
    rules = [(scores.effect, scores.effect_before)]
    rules += [] if second is None else [second]
    found = statistics(
        scores,
        lambda s, inside: _difference_of_ranks(scores, rules, s, inside, target),
        lambda s, inside: scores.score_before[s, inside],
    )
    there = found.present[:, 1:, 0]
    alternative = "greater" if second is None else "two-sided"
    test = combined(found, alternative, combine)
    whole, halves = _pooled(scores, [rule[0] for rule in rules], target, draws, seed)
    error = np.sqrt(np.mean((halves - whole) ** 2, axis=0))
    settings = {
        "target": target,
        "draws": int(draws),
        "combine": combine,
        "seed": seed_record(seed),
        "versions": versions(),
    }
    return RankWeightedEffect(
        target=target,
        estimate=float(whole[0]),
        std_error=float(error[0]),
        ratio=float(whole[0] / error[0]) if error[0] > 0 else 0.0,
        p_value=test.p_value,
        shares=SHARES,
        toc=whole[1:],
        toc_std_error=error[1:],
        used=int(there.sum()),
        missing=int((~there).sum()),
        groups=scores.groups,
        compared=second is not None,
        settings=settings | used,
    )


def _difference_of_ranks(
    scores: Scores,
    rules: list[tuple[np.ndarray, np.ndarray]],
    split: int,
    inside: np.ndarray,
    target: str,
) -> np.ndarray:
    """What scores vary with if the first rule ranks better, shape ``(unit, 1)``."""
    weights = scores.weights[inside]
    ranks = [rank_weights(rule[1][split, inside], weights, target) for rule in rules]
    return (ranks[0] if len(ranks) == 1 else ranks[0] - ranks[1])[:, None]


def _pooled(
    scores: Scores, rules: list[np.ndarray], target: str, draws: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate and curve, ``(1 + share,)``, and the same in half-samples of groups.

    Means over folds, weighted by what they hold; the second rule is subtracted.
    """
    names, place = np.unique(scores.group, return_inverse=True)
    draw = host_stream(seed, "half-samples")
    ranks = np.argsort(np.argsort(draw.random((draws, len(names))), axis=1), axis=1)
    half = ranks < len(names) // 2
    kept = np.concatenate([np.ones((1, len(names)), bool), half])
    total = np.zeros((draws + 1, 1 + len(SHARES)))
    mass = np.zeros((draws + 1, 1))
    for split, inside in _parts(scores):
        if len(np.unique(place[inside])) < _GROUPS:
            continue
        for sign, rule in zip((1, -1), rules, strict=False):
            order, starts = blocks(rule[split, inside])
            ranked = inside[order]
            held, found = _measured(
                scores.weights[ranked],
                scores.score[split, ranked, 0],
                starts,
                kept[:, place[ranked]],
                target,
            )
            total += sign * held * found
        mass += held
    if not mass.min() > 0:
        raise DesignError(
            f"no fold holds {_GROUPS} groups with weight in every half-sample; "
            f"{len(names)} groups are too few for {scores.folds} folds. Use fewer."
        )
    means = total / mass
    return means[0], means[1:]


def _measured(
    weights: np.ndarray,
    score: np.ndarray,
    starts: np.ndarray,
    kept: np.ndarray,
    target: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Weight, and rank-weighted effect with the curve, of every sample from one fold.

    Units come ranked; ``kept`` has a row of them per sample. Samples are gone through
    one by one, for a fold at a time stays in the processor's cache. One that leaves
    the fold empty has nothing to say about it.
    """
    block = np.zeros(len(weights), np.int64)
    block[starts[1:]] = 1
    block = np.cumsum(block)
    tied = len(starts) < len(weights)
    held = np.zeros((len(kept), 1))
    found = np.zeros((len(kept), 1 + len(SHARES)))
    for place, row in enumerate(kept):
        if not row.any():
            continue
        mass, total = weights[row], weights[row] * score[row]
        if tied:
            here = np.flatnonzero(np.diff(block[row], prepend=-1))
            mass, total = np.add.reduceat(mass, here), np.add.reduceat(total, here)
        held[place] = mass.sum()
        found[place, 0] = rank_weighted(mass, total, target)
        found[place, 1:] = toc(mass, total)
    return held, found


def _parts(scores: Scores) -> Iterator[tuple[int, np.ndarray]]:
    """Units with weight of every fold of every split."""
    for split, label in enumerate(scores.fold):
        for number in range(scores.folds):
            inside = np.flatnonzero((label == number) & (scores.weights > 0))
            if inside.size:
                yield split, inside
