"""How many clusters: held-out images decide, and one cluster always competes.

More clusters always fit better what was fitted. So each number of clusters is fitted to
the images outside a fold and scored on those inside it by the log of its predictive
density, averaged over draws of its posterior. Among numbers that cannot be told from
the best, the smallest is taken: the one-standard-error rule.

All numbers and folds are lanes of one fit, clusters that are too many being switched
off, so that comparing five numbers compiles once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.fit import Result
from distcausal._base.keys import Seed, seed_of, seed_record, stream
from distcausal._base.precision import double
from distcausal._base.session import versions
from distcausal._base.shapes import pad_rows
from distcausal._base.table import Table, number, p_value
from distcausal._base.typing import Array, Real
from distcausal.errors import DesignError
from distcausal.images._estimates import filled
from distcausal.images.crossfit import fit_many, held_out, predictions, training_masks
from distcausal.images.engines import check_whole
from distcausal.images.homogeneity import effect_homogeneity
from distcausal.images.model import Evidence, Lane, Layout, log_likelihood, unpack
from distcausal.images.stages import check_size, layout_for
from distcausal.images.svi import Guide, draw_lanes
from distcausal.images.trial import Trial, evidence_of
from distcausal.numerics.student import reach

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.images.result import ImageEffects

__all__ = ["Comparison", "compare_clusters"]

_NORMAL = 1e12  # degrees of freedom that are as good as infinite


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Comparison(Result):
    """Numbers of clusters compared on held-out images.

    Attributes
    ----------
    clusters
        Numbers of clusters, increasing, ``(number,)``.
    gain
        Held-out log density of all images less that of one cluster, ``(number,)``.
    std_error
        Standard error of the gain over groups of images, ``(number,)``.
    behind, behind_error
        By how much a number falls behind the best, and its error, ``(number,)``.
    bound
        Evidence lower bound of a fit to all images, ``(number,)``.
    waic
        Log density that the widely applicable information criterion expects of new
        images, from the fit to all of them, ``(number,)``.
    p_value
        Test of equal effects in the clusters found out of fold, on the first split of
        the fit alone, ``(number,)``; NaN for one cluster, where there is nothing to
        test. `ImageEffects.homogeneity_test` joins all splits: report that.
    selected
        Smallest number within one standard error of the best.
    settings
        Arguments as used, with seed and versions.
    """

    cite_as: ClassVar[str] = "image_effects"

    clusters: np.ndarray
    gain: np.ndarray
    std_error: np.ndarray
    behind: np.ndarray
    behind_error: np.ndarray
    bound: np.ndarray
    waic: np.ndarray
    p_value: np.ndarray
    selected: int
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Comparison: {self.selected} of {listed(self.clusters)} clusters>"

    @property
    def best(self) -> int:
        """Number of clusters with the largest held-out density."""
        return int(self.clusters[self.behind.argmin()])

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per number of clusters.

        Columns: term, estimate (the gain), std_error, statistic (missing: gains are
        compared with the best, not with zero), p_value (of equal effects), conf_low,
        conf_high (normal, for the gain), clusters, behind, behind_error, bound, waic,
        selected.
        """
        import pandas as pd

        margin = reach(confidence, _NORMAL) * self.std_error
        frame = pd.DataFrame(
            {
                "term": [f"{k} cluster{'' if k == 1 else 's'}" for k in self.clusters],
                "clusters": self.clusters,
                "estimate": self.gain,
                "std_error": self.std_error,
                "conf_low": self.gain - margin,
                "conf_high": self.gain + margin,
                "behind": self.behind,
                "behind_error": self.behind_error,
                "bound": self.bound,
                "waic": self.waic,
                "p_value": self.p_value,
                "selected": self.clusters == self.selected,
            }
        )
        return filled(frame, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row: the number selected and the best."""
        import pandas as pd

        return pd.DataFrame({"selected": [self.selected], "best": [self.best]})

    def plot_data(self) -> pd.DataFrame:
        """Return what `plot` draws."""
        return self.tidy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw gains with bars of one standard error; returns the axes."""
        from distcausal.images._plot import draw_comparison

        return draw_comparison(self, ax=ax)

    def summary(self) -> Table:
        """Return the printable table."""
        rows = []
        for row in self.tidy().to_dict("records"):
            tested = np.isfinite(row["p_value"])
            rows.append(
                (
                    f"{row['clusters']}{' *' if row['selected'] else ''}",
                    number(row["estimate"], 1),
                    number(row["std_error"], 1),
                    number(row["behind"], 1),
                    number(row["behind_error"], 1),
                    number(row["bound"], 1),
                    number(row["waic"], 1),
                    p_value(row["p_value"]) if tested else "",
                )
            )
        return Table(
            title="Numbers of clusters on held-out images",
            left=(("Selected", str(self.selected)), ("Best", str(self.best))),
            right=(("Folds", str(self.settings["folds"])), ("", "")),
            columns=(
                "clusters",
                "gain",
                "s.e.",
                "behind",
                "s.e.",
                "bound",
                "WAIC",
                "p-value",
            ),
            rows=tuple(rows),
            notes=(
                "gain: held-out log density less that of one cluster. behind: that of "
                "the best less its own. * is the smallest number that is less than one "
                "standard error behind.",
                "p-value: equal effects in the clusters, judged out of fold on one "
                "split. homogeneity_test() of a fit joins all of its splits.",
            ),
        )


def listed(numbers: np.ndarray) -> str:
    """Numbers as a short text."""
    return ", ".join(str(one) for one in numbers.tolist())


def compare_clusters(
    fit: ImageEffects,
    clusters: Iterable[int] = range(1, 6),
    *,
    restarts: int = 2,
    draws: int = 64,
    seed: Seed | None = None,
) -> Comparison:
    """Compare numbers of clusters on held-out images.

    Parameters
    ----------
    fit
        Result of `image_effects`; its data, likelihood and first split are used.
    clusters
        Numbers to compare; 1 is added if it is not among them.
    restarts
        Starts of each fit.
    draws
        Posterior draws that a predictive density is averaged over.
    seed
        Whole number or JAX key; that of the fit if None.

    Returns
    -------
    Comparison

    Raises
    ------
    DesignError
        If a number is not a positive whole number, or there are too few images for it,
        or the encoder was trained on outcomes, which no held-out image then is.
    """
    asked = list(clusters) if isinstance(clusters, Iterable) else []
    if not asked:
        raise DesignError(
            f"clusters {clusters!r} should be several numbers, such as range(1, 6)."
        )
    wanted = sorted({1, *(_whole(count) for count in asked)})
    check_size(fit.trial, wanted[-1])
    if fit.settings["supervised"]:
        raise DesignError(
            "the encoder was trained on the outcomes of all images, so none is held "
            "out. Compare numbers of clusters with an encoder that sees pixels only."
        )
    given = seed_of(fit.settings["seed"]) if seed is None else seed
    layout = layout_for(fit.trial, fit.model, wanted[-1])
    runs = _runs(fit.trial, fit.scores.fold[:1], wanted)
    guide, lanes, bound = fit_many(
        fit.trial, layout, runs.weights, runs.clusters, given, restarts=restarts
    )
    mean, variance = _densities(fit.trial, layout, guide, lanes, runs, draws, given)
    shape = (len(wanted), runs.each, -1)
    held = _by_group(fit.trial, layout, mean).reshape(shape)[:, : runs.folds].sum(1)
    best = int(held.sum(axis=1).argmax())
    behind, behind_error = (
        (held[best] - held).sum(axis=1),
        _sum_error(held[best] - held),
    )
    whole = (mean - variance).reshape(shape)[:, -1].sum(axis=1)
    return Comparison(
        clusters=np.array(wanted),
        gain=(held - held[0]).sum(axis=1),
        std_error=_sum_error(held - held[0]),
        behind=behind,
        behind_error=behind_error,
        bound=bound.reshape(len(wanted), -1)[:, -1],
        waic=whole,
        p_value=_p_values(fit, layout, guide, lanes, runs),
        selected=wanted[int(np.flatnonzero(behind <= behind_error)[0])],
        settings={
            "clusters": wanted,
            "restarts": restarts,
            "draws": draws,
            "folds": runs.folds,
            "seed": seed_record(given),
            "versions": versions(),
        },
    )


class _Runs(NamedTuple):
    """The fits of a comparison, those of one number of clusters after another.

    Attributes
    ----------
    weights
        Weights that each fit learns from, ``(run, unit)``.
    judged
        Weights of the units on which it is scored, ``(run, unit)``.
    clusters
        Its number of clusters, ``(run,)``.
    folds
        Number of folds; each number of clusters has as many fits to the other folds,
        then those to the folds before, then one to all units.
    """

    weights: np.ndarray
    judged: np.ndarray
    clusters: np.ndarray
    folds: int

    @property
    def each(self) -> int:
        """Fits per number of clusters."""
        return 2 * self.folds - 1


def _whole(count: object) -> int:
    check_whole("clusters", count, 1)
    return int(count)  # type: ignore[call-overload]


def _runs(trial: Trial, fold: np.ndarray, wanted: list[int]) -> _Runs:
    other, before = training_masks(fold)
    folds = other.shape[1]
    every = np.ones((1, len(trial.image)))
    learn = np.concatenate([other[0], before[0], every]) * trial.weights
    judged = np.concatenate([~other[0], np.zeros(before[0].shape), every])
    return _Runs(
        weights=np.tile(learn, (len(wanted), 1)),
        judged=np.tile(judged * trial.weights, (len(wanted), 1)),
        clusters=np.repeat(wanted, len(learn)),
        folds=folds,
    )


def _densities(
    trial: Trial,
    layout: Layout,
    guide: Guide,
    lanes: Lane,
    runs: _Runs,
    draws: int,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive density of every image in every run, and its variance over draws.

    Both have shape ``(run, image)``, zero where none of an image's units is judged.
    """
    evidence = evidence_of(trial, layout)
    units = len(evidence.outcome)
    images = len(trial.image) if layout.alone else len(trial.keys)
    key = stream(seed, "held-out density")[None]
    found = np.zeros((2, len(runs.clusters), images))
    for run in np.flatnonzero(runs.judged.any(axis=1)):
        own, lane = jax.tree.map(lambda part, at=run: part[at], (guide, lanes))
        lane = lane._replace(weights=pad_rows(runs.judged[run], units))
        pair = double(_predictive)(own, key, evidence, lane, layout=layout, draws=draws)
        found[:, run] = np.stack(pair)[:, :images]
    return found[0], found[1]


@partial(jax.jit, static_argnames=("layout", "draws"))
def _predictive(
    guide: Guide,
    key: Array,
    evidence: Evidence,
    lane: Lane,
    *,
    layout: Layout,
    draws: int,
) -> tuple[Real[Array, " image"], Real[Array, " image"]]:
    """Log of the mean over draws of each image's density, and variance of its log."""
    lone = jax.tree.map(lambda part: part[None], guide)
    vectors = draw_lanes(lone, key, draws=draws)[0]

    def one(vector: Array) -> Array:
        return log_likelihood(unpack(vector, layout), evidence, lane, layout)

    terms = lax.map(one, vectors)
    mean = jax.nn.logsumexp(terms, axis=0) - jnp.log(float(draws))
    return mean, jnp.var(terms, axis=0)


def _by_group(trial: Trial, layout: Layout, density: np.ndarray) -> np.ndarray:
    """Sums over groups of what each image has, ``(run, group)``."""
    if layout.alone:
        group = trial.group
    else:
        group = np.zeros(len(trial.keys), np.int64)
        group[trial.image] = trial.group
    total = np.zeros((len(density), int(trial.group.max()) + 1))
    np.add.at(total.T, group, density.T)
    return total


def _sum_error(part: np.ndarray) -> np.ndarray:
    """Standard error of a sum over the last axis."""
    count = part.shape[-1]
    return np.sqrt(count) * part.std(axis=-1, ddof=1)


def _p_values(
    fit: ImageEffects, layout: Layout, guide: Guide, lanes: Lane, runs: _Runs
) -> np.ndarray:
    """Test of equal effects for each number of clusters, NaN for one."""
    trial, scores = fit.trial, fit.scores
    rows = np.arange(len(runs.clusters)).reshape(-1, runs.each)[:, :-1]
    found = []
    for row in rows:
        count = int(runs.clusters[row[0]])
        if count == 1:
            found.append(np.nan)
            continue
        own = jax.tree.map(lambda part, at=row: part[at], (guide, lanes))
        share, effect = predictions(trial, layout, own[0].loc, own[1])
        rules = held_out(share, effect[..., 0], trial.image, scores.fold[:1])
        part = scores._replace(
            fold=scores.fold[:1],
            score=scores.score[:1],
            score_before=scores.score_before[:1],
            probs=rules.probs[..., :count],
            effect=rules.effect,
            probs_before=rules.probs_before[..., :count],
            effect_before=rules.effect_before,
        )
        kind = "any" if part.score.shape[-1] > 1 else "ordered"
        found.append(effect_homogeneity(part, alternative=kind).p_value)
    return np.array(found)
