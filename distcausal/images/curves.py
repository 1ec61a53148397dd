"""Effects of clusters on whole quantile functions, with uniform bands.

Where units carry distributions, the effect of a cluster is a curve over levels: by how
much treatment moves the average quantile function of the units assigned to it, out of
fold. Averages of quantile functions are Wasserstein barycentres, so each cluster
has two average laws, and the effect is their difference.

The score of a curve is linear in it, and regressions on coordinates give regressions of
all levels by the same basis. So no further fit is needed, and the effect averaged over
levels is the effect on the mean, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distcausal._base.keys import Seed, host_stream, seed_record
from distcausal._base.session import versions
from distcausal.images.aipw import DesignEffects, Influence, influence
from distcausal.images.cluster_curves import ClusterCurves
from distcausal.images.outcomes import Outcome
from distcausal.images.posterior import Posterior
from distcausal.images.scores import Scores
from distcausal.numerics.band import largest, scaled
from distcausal.numerics.leastsq import covariance_root
from distcausal.numerics.monotone import project_monotone

__all__ = ["arm_scores", "cluster_curves"]

_BLOCK = 2**23  # numbers of a curve's scores held at once


def arm_scores(
    outcome: np.ndarray,
    treatment: np.ndarray,
    expected: np.ndarray,
    propensity: np.ndarray,
) -> np.ndarray:
    """Doubly robust scores of the outcome of each arm.

    Their means over units are the average outcomes had all units been in the arm; their
    difference is that of `aipw_scores`.

    Parameters
    ----------
    outcome
        Shape ``(unit, outcome)``.
    treatment
        0 or 1, shape ``(unit,)``.
    expected
        Predicted outcome of both arms, shape ``(2, split, unit, outcome)``.
    propensity
        Probability of treatment, shape ``(split, unit)``.

    Returns
    -------
    Untreated, then treated, shape ``(2, split, unit, outcome)``.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.curves import arm_scores
    >>> found = arm_scores(
    ...     np.array([[1.0], [3.0]]),
    ...     np.array([0, 1]),
    ...     np.full((2, 1, 2, 1), 2.0),
    ...     np.full((1, 2), 0.5),
    ... )
    >>> found[:, 0, :, 0]
    array([[0., 2.],
           [2., 4.]])
    """
    treated = (treatment == 1).astype(float)
    factor = np.stack([(1 - treated) / (1 - propensity), treated / propensity])
    return expected + factor[..., None] * (outcome - expected)


def cluster_curves(
    outcome: Outcome,
    treatment: np.ndarray,
    scores: Scores,
    expected: np.ndarray,
    propensity: np.ndarray,
    *,
    design: DesignEffects,
    posterior: Posterior | None = None,
    draws: int = 999,
    seed: Seed = 0,
) -> ClusterCurves:
    """Effect on the average quantile function of each cluster, out of fold.

    Parameters
    ----------
    outcome
        Coordinates and curves of the units.
    treatment
        0 or 1, shape ``(unit,)``.
    scores
        Held-out arrays; memberships, weights and groups are used.
    expected
        Coordinates predicted for both arms by fits to the other folds, shape
        ``(2, split, unit, outcome)``.
    propensity
        Shape ``(split, unit)``.
    design
        Effects on the coordinates, as `design_effects` finds them from the same scores:
        how units were assigned, and which clusters have collapsed.
    posterior
        Draws of the model's effects on the coordinates, to show beside.
    draws
        Draws of the error that uniform bands are read off.
    seed
        Whole number or JAX key.

    Returns
    -------
    ClusterCurves

    Notes
    -----
    The error of all curves is drawn as a normal vector with the covariance that normal
    multipliers give to contributions of groups, over the root of a chi-square with
    the degrees of freedom of each cluster, so that few groups give wide bands.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> from distcausal.images.aipw import design_effects
    >>> from distcausal.images.curves import cluster_curves
    >>> from distcausal.images.outcomes import read_outcome
    >>> from distcausal.images.scores import example_scores
    >>> scores = example_scores(gap=2.0)
    >>> rng, w = np.random.default_rng(1), np.tile([0, 1], 200)
    >>> gain = w * (scores.effect.mean(axis=0) > 1)
    >>> laws = rng.normal(size=(400, 50)) * (1 + gain)[:, None]
    >>> outcome = read_outcome(dc.RandomDistributions.from_samples(list(laws)))
    >>> expected = np.zeros((2, 3, 400, outcome.size))
    >>> curves = cluster_curves(
    ...     outcome,
    ...     w,
    ...     scores,
    ...     expected,
    ...     np.full((3, 400), 0.5),
    ...     design=design_effects(scores),
    ... )
    >>> bool(curves.band()[0][1, -10] > 0 > curves.band()[1][1, 10])
    True
    """
    found = _all_levels(outcome, treatment, scores, expected, propensity, design.assign)
    arms = found.estimate.T.reshape(2, -1, len(found.share) + 1).swapaxes(1, 2)
    by_group = found.by_group.reshape(*found.by_group.shape[:2], 2, -1)
    effect = by_group[:, :, 1] - by_group[:, :, 0]
    effect = effect * found.factor[:, None]
    used = np.append(~design.collapsed, True)
    errors = np.where(used[:, None], np.sqrt((effect**2).sum(axis=0)), np.nan)
    estimate = np.where(used[:, None], arms[1] - arms[0], np.nan)
    monotone = project_monotone(arms, outcome.mass)
    known = np.isfinite(arms)
    return ClusterCurves(
        levels=outcome.levels,
        share=found.share,
        effect=estimate[:-1],
        std_error=errors[:-1],
        average=estimate[-1],
        average_std_error=errors[-1],
        untreated=monotone[0],
        treated=monotone[1],
        sups=_sups(effect, errors, found.df, used, draws, seed),
        df=found.df,
        collapsed=design.collapsed,
        groups=scores.groups,
        moved=float(np.abs(monotone - arms)[known].max()),
        basis=outcome.basis,
        model_draws=None if posterior is None else posterior.effects,
        scalar=outcome.scalar,
        settings={
            "assign": design.assign,
            "draws": draws,
            "seed": seed_record(seed),
            "levels": outcome.levels,
            "versions": versions(),
        },
    )


def _all_levels(
    outcome: Outcome,
    treatment: np.ndarray,
    scores: Scores,
    expected: np.ndarray,
    propensity: np.ndarray,
    assign: str,
) -> Influence:
    """Influences on the untreated levels, then on the treated ones."""
    parts = []
    for levels in _blocks(outcome.levels.size, 2 * scores.fold.size):
        mean = outcome.centre[levels] + expected @ outcome.basis[:, levels]
        score = arm_scores(outcome.curves[:, levels], treatment, mean, propensity)
        both = np.concatenate(list(score), axis=-1)
        whole = scores._replace(score=both, score_before=both)
        parts.append(influence(whole, assign=assign))
    widths = [part.estimate.shape[1] // 2 for part in parts]
    return parts[0]._replace(
        estimate=_by_arm([part.estimate for part in parts], widths),
        by_group=_by_arm([part.by_group for part in parts], widths),
    )


def _blocks(levels: int, size: int) -> Iterator[slice]:
    step = max(_BLOCK // size, 1)
    for start in range(0, levels, step):
        yield slice(start, min(start + step, levels))


def _by_arm(parts: list[np.ndarray], widths: list[int]) -> np.ndarray:
    """Put blocks of levels together, all of one arm before those of the other."""
    pairs = list(zip(parts, widths, strict=True))
    untreated = [part[..., :width] for part, width in pairs]
    treated = [part[..., width:] for part, width in pairs]
    return np.concatenate([*untreated, *treated], axis=-1)


def _sups(
    effect: np.ndarray,
    errors: np.ndarray,
    df: np.ndarray,
    used: np.ndarray,
    draws: int,
    seed: Seed,
) -> np.ndarray:
    """Largest studentised error of each curve, ``(draw, cluster + 1)``."""
    from scipy.special import chdtri

    rows = effect[:, used].reshape(len(effect), -1)
    generator = host_stream(seed, "error of cluster curves")
    normal = generator.standard_normal((draws, rows.shape[1]))
    moved = (normal @ covariance_root(rows.T @ rows)).reshape(draws, used.sum(), -1)
    chance = generator.random(draws)
    spread = np.sqrt(chdtri(df[used], chance[:, None]) / df[used])
    found = np.zeros((draws, len(used)))
    found[:, used] = largest(scaled(moved, errors[used])) / spread
    return found
