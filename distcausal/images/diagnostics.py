"""Is this fit to be believed: its data, its search, its clusters and its intervals.

A mixture finds clusters whether there are any or not, and a search ends somewhere
whether it is the best place or not. What can be seen of that without further data is
measured here, and every measure beyond its limit comes with a remedy. Limits are
conventions, chosen so that a trial that follows the model rarely meets one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.session import versions
from distcausal.images.aipw import assigned, clusters_named
from distcausal.images.checks import balance, late_gain, membership_gap
from distcausal.images.data_checks import (
    CONTINUOUS,
    of_chance,
    of_data,
    of_noise,
    of_outcome,
)
from distcausal.images.diagnosed import Check, Diagnostics, judged
from distcausal.images.stages import layout_for
from distcausal.images.stretch import GRID, model_residuals, stretch_profile
from distcausal.images.trial import evidence_of, lane_of
from distcausal.numerics.agreement import adjusted_rand_index

if TYPE_CHECKING:
    from distcausal.images.posterior import Posterior
    from distcausal.images.result import ImageEffects

__all__ = ["diagnose"]

_GAIN = 3.0  # log units; while its rate falls a search at its end still gains 1 or 2
_NEAR = 10.0  # bounds within so many log units cannot be told apart with confidence
_AGREE = 0.7  # Rand index of restarts that found one solution
_HELD_OUT = 0.5  # and of clusters found with and without a fold
_LEAST_SHARE = 0.05
_SURE = 0.99
_GAP = 0.3
_DISTANCE = 2.0  # standard errors
_UNEVEN = 3.5  # the same, for the largest of many differences
_APART = 3.0  # the same, as the model was fitted to the very units it is judged by
_R_HAT, _DRAWS = 1.05, 100.0
_DROP = 4.0  # log units; without clusters 1 to 3 are lost in trials of 1,000 units


def diagnose(fit: ImageEffects, *, coords: Any = None) -> Diagnostics:
    """Check a fit: data, search, clusters, intervals.

    Parameters
    ----------
    fit
        As `image_effects` returns it.
    coords
        Place of each unit, ``(unit, 2)``, to test residuals for spatial dependence.

    Returns
    -------
    Diagnostics
        Nothing is warned of here; `warn_of` does that.

    Raises
    ------
    DataError
        If the places are not two numbers per unit.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.images.diagnostics import diagnose
    >>> sim = dc.datasets.make_image_effects(400, test=10, seed=1)
    >>> fit = dc.image_effects(sim.data, **sim.roles, splits=2)
    >>> found = diagnose(fit)
    >>> found["largest share at one value"].fine
    True
    >>> bool(found["log likelihood lost with equal effects"].value > 10)
    True
    """
    trial, model = fit.trial, fit.model
    layout = layout_for(trial, model)
    vector = fit.fit.draws.mean(axis=0)
    prior = fit.cluster_probabilities(level="unit")
    weights = trial.weights / trial.weights.sum()
    share = weights @ prior
    held_out = fit.scores.probs.mean(axis=0)
    profile = stretch_profile(trial, layout, vector, fit.posterior.as_drawn(share))
    profile = profile - profile[np.flatnonzero(GRID == 1.0)[0]]
    uneven, error = balance(
        trial.covariates, trial.treatment, held_out, trial.weights, fit.chance.mean(0)
    )
    restarts = _restarts(fit)
    labels = restarts.mean_labels(trial.features)
    # Each names its clusters by its own effects; agreement is blind to names.
    effects = np.sort(restarts.posterior.effects[: len(labels), :, 0], axis=1)
    agreement = np.array([adjusted_rand_index(labels[0], one) for one in labels])
    few = share * len(fit.keys) < 1
    residual = _residuals(fit, vector, prior)
    checks = [
        *of_data(fit, residual, coords),
        *_of_search(fit, agreement, effects),
        _of_lost(few, fit.design.collapsed),
        _of_least(share),
        *_of_clusters(fit, prior),
        *_of_intervals(fit, profile, uneven, error),
    ]
    return Diagnostics(
        checks=tuple(checks),
        share=share,
        not_estimated=few | fit.design.collapsed,
        stretch=GRID,
        log_likelihood=profile,
        bound=fit.fit.bound,
        restart_effects=effects,
        agreement=agreement,
        balance=uneven,
        balance_error=error,
        settings={
            "coords": coords is not None,
            "seed": fit.settings["seed"],
            "versions": versions(),
        },
    )


def first_checks(fit: ImageEffects) -> Iterator[Check]:
    """Checks that cost nothing, for every fit: outcomes, arms, tiny clusters.

    Of a fit whose noise may differ between clusters also the shape of its residuals.
    """
    prior = fit.cluster_probabilities(level="unit")
    weights = fit.trial.weights / fit.trial.weights.sum()
    share = weights @ prior
    yield from of_outcome(fit)
    yield from of_chance(fit)
    # Clusters that have collapsed were warned of where they did, and once is enough.
    few, none = share * len(fit.keys) < 1, np.zeros(len(share), bool)
    yield _of_lost(few & ~fit.design.collapsed, none)
    if not (few | fit.design.collapsed).any():
        yield _of_least(share)
    if fit.model.variance == "arm_cluster" and fit.model.family.name in CONTINUOUS:
        yield from of_noise(fit, _residuals(fit, fit.fit.draws.mean(axis=0), prior))


def _of_search(
    fit: ImageEffects, agreement: np.ndarray, effects: np.ndarray
) -> Iterator[Check]:
    """Whether the search has ended, and whether others ended elsewhere."""
    if len(fit.fit.course):
        gain, noise = late_gain(fit.fit.course)
        yield judged(
            "gain in the last tenth of the search",
            gain,
            _GAIN + 2 * noise,
            remark=f"the search still gained {gain:.1f} log units in its last tenth. "
            "Take more steps, as engine=SVI(steps=3000).",
        )
    if len(agreement) > 1:
        near = fit.fit.bound > fit.fit.bound[0] - _NEAR
        least = float(agreement[near].min())
        yield judged(
            "least agreement of equally good restarts",
            least,
            _AGREE,
            least=True,
            remark=f"{int(near.sum())} of {len(near)} restarts ended within "
            f"{_NEAR:g} log units of the best, but with other clusters (adjusted Rand "
            f"index down to {least:.2f}): the clusters are not determined. Ask for "
            "fewer, or compare numbers of clusters.",
        )
        yield judged("restarts that were equally good", float(near.sum()))
        spread = float(effects[near].std(axis=0).max())
        yield judged("largest spread of an effect over those", spread)
    limits = {
        "r_hat": (_R_HAT, False),
        "ess": (_DRAWS, True),
        "divergences": (0, False),
    }
    for name, value in fit.fit.report.items():
        limit, least_is = limits.get(name, (np.nan, False))
        yield judged(
            name.replace("_", "-"),
            value,
            limit,
            least=least_is,
            remark=f"the sampler reports {name} {value:.4g} (limit {limit:g}): its "
            "draws do not yet represent the posterior. Raise warmup and draws.",
        )


def _of_lost(few: np.ndarray, collapsed: np.ndarray) -> Check:
    """Clusters that the model gives no image, and those collapsed out of fold."""
    reasons = {
        "by the model less than one image's worth of units in": few,
        "held-out units worth fewer than two groups in": collapsed,
    }
    said = [
        f"{reason} {clusters_named(which)}"
        for reason, which in reasons.items()
        if which.any()
    ]
    return judged(
        "clusters that are not estimated",
        float((few | collapsed).sum()),
        0.0,
        remark=f"{' and '.join(said)}: effects there are not estimated. Fit fewer "
        "clusters, or find more groups.",
    )


def _of_least(share: np.ndarray) -> Check:
    """Whether the smallest cluster is large enough to speak of."""
    return judged(
        "smallest expected share",
        share.min(),
        _LEAST_SHARE,
        least=True,
        remark=f"cluster {int(share.argmin()) + 1} is expected to hold "
        f"{share.min():.1%} of the units; what is said of it rests on few. Fit fewer "
        "clusters.",
    )


def _of_clusters(fit: ImageEffects, prior: np.ndarray) -> Iterator[Check]:
    """Whether images tell clusters apart, with and without a fold."""
    weights = fit.trial.weights
    sure = weights @ (prior.max(axis=1) > _SURE) / weights.sum()
    yield judged("share of units with a sure cluster", float(sure))
    outcome = fit.cluster_probabilities(kind="posterior", level="unit")
    gap = membership_gap(prior, outcome, weights)
    yield judged(
        "gap of posterior and prior membership",
        gap,
        _GAP,
        remark=f"outcomes move memberships by {gap:.2f} on average beyond what images "
        "say: images hardly tell the clusters apart, and effects elsewhere are little "
        "more than the average. Try another encoder, or fewer clusters.",
    )
    found = prior.argmax(axis=1)
    each = [
        adjusted_rand_index(found, probs.argmax(axis=1)) for probs in fit.scores.probs
    ]
    same = float(np.mean(each))
    yield judged(
        "agreement with held-out clusters",
        same,
        _HELD_OUT,
        least=True,
        remark=f"units fall into other clusters when their fold is left out (adjusted "
        f"Rand index {same:.2f}): the clusters are shaped by chance. Look at the test "
        "of equal effects and at compare().",
    )


def _of_intervals(
    fit: ImageEffects, profile: np.ndarray, uneven: np.ndarray, error: np.ndarray
) -> Iterator[Check]:
    """Effects against the design, covariates between arms, and the likelihood."""
    ate = fit.ate
    penalty = ", or ate_penalty=1" if fit.model.family.linear else ""
    gap = fit.implied_ate - ate.estimate
    apart = gap / ate.std_error if ate.std_error != 0 else 0.0
    yield judged(
        "implied less estimated average effect, in errors",
        abs(apart),
        _DISTANCE,
        remark=f"the average effect that the model implies, {fit.implied_ate:.4g}, is "
        f"{abs(apart):.1f} standard errors from the one by design, {ate.estimate:.4g}: "
        f"believe the design. Add covariates, or take another family{penalty}.",
    )
    yield from _of_gaps(fit)
    if uneven.size:
        scores = np.abs(uneven) / np.where(error > 0, error, np.inf)
        cluster, column = np.unravel_index(int(scores.argmax()), scores.shape)
        yield judged(
            "largest imbalance of a covariate, in errors",
            float(scores.max()),
            _UNEVEN,
            about="data",
            remark=f"covariate {column + 1} differs between arms by "
            f"{uneven[cluster, column]:.2f} standard deviations in cluster "
            f"{cluster + 1}, {scores.max():.1f} standard errors: assignment there is "
            "not what was declared. Check the propensity.",
        )
    if fit.posterior.clusters > 1:
        drop = float(profile.max() - profile[0])
        yield judged(
            "log likelihood lost with equal effects",
            drop,
            _DROP,
            least=True,
            remark=f"with equal effects in all clusters the likelihood falls by only "
            f"{drop:.1f} log units: how far the effects lie apart is hardly "
            "identified. Do not interpret the clusters.",
        )


def _of_gaps(fit: ImageEffects) -> Iterator[Check]:
    """How far clusters lie apart by the model and by design, over the same units.

    Units are assigned by rules learnt without them, and the model's effects are
    averaged over those assigned: images that are taken for another cluster's make both
    gaps smaller alike.
    """
    design = fit.design
    left = np.flatnonzero(~design.collapsed)
    if left.size < 2:
        return
    ends = left[[0, -1]]
    member = assigned(fit.scores.probs, design.assign)[..., ends].sum(axis=0)
    member = member * fit.trial.weights[:, None]
    effect = fit.cate().mean[fit.trial.image]
    low, high = effect @ member / member.sum(axis=0)
    model, by_design = high - low, float(np.diff(design.estimate[ends, 0])[0])
    cov = design.covariance[0][np.ix_(ends, ends)]
    error = np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    apart = (model - by_design) / error if error != 0 else 0.0
    advice = (
        "the baseline, which is that of the untreated, may have taken up what the "
        "treatment does. See whether the fit is another with the arms exchanged, as by "
        "reference=(1, 0) with propensity that of the other arm, or with covariates"
        if abs(by_design) > abs(model)
        else "the model's clusters may describe noise or the shape of outcomes. Fit "
        "fewer, or take another family"
    )
    yield judged(
        "gap between clusters, model less design, in errors",
        abs(apart),
        _APART,
        remark=f"effects in clusters {ends[0] + 1} and {ends[1] + 1} lie {model:.3g} "
        f"apart by the model and {by_design:.3g} by design, over the same units, "
        f"{abs(apart):.1f} standard errors from each other: believe the design; "
        f"{advice}.",
    )


class _Ends:
    """Where the restarts ended, as draws of a posterior."""

    def __init__(self, posterior: Posterior, count: int) -> None:
        self.posterior, self.count = posterior, count

    def mean_labels(self, features: np.ndarray) -> np.ndarray:
        """Most probable cluster of every image by every restart."""
        logits = np.einsum(
            "if,rfk->rik", features, self.posterior.weights[: self.count]
        )
        logits += self.posterior.bias[: self.count, None]
        return logits.argmax(axis=2)


def _restarts(fit: ImageEffects) -> _Ends:
    """Translate the ends of the searches as if they were draws.

    Repeated to the number of draws, they need no compilation of their own.
    """
    from distcausal.images.posterior import posterior_of

    layout = layout_for(fit.trial, fit.model)
    ends = fit.fit.restarts
    rows = np.resize(ends, fit.fit.draws.shape) if len(ends) else fit.fit.draws[:1]
    lane = lane_of(fit.trial, fit.trial.weights, layout.clusters, layout)
    found = posterior_of(
        rows, evidence_of(fit.trial, layout), lane, layout, len(fit.keys)
    )
    return _Ends(found, max(len(ends), 1))


def _residuals(fit: ImageEffects, vector: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Residuals given the image alone, so that noise shows its own shape."""
    layout = layout_for(fit.trial, fit.model)
    return model_residuals(fit.trial, layout, vector, fit.posterior.as_drawn(prior))
