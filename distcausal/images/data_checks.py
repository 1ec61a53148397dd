"""Checks of the data of a fit: groups, outcomes, their noise, arms, near places.

What the data are not is said before what was found in them: a likelihood that outcomes
do not follow, or units that are not independent, make good searches end in bad answers.
Limits are conventions, as everywhere in diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.errors import DataError
from distcausal.images.checks import mass_point, morans_i, shape, single_arm
from distcausal.images.columns import read_coords
from distcausal.images.diagnosed import Check, judged

if TYPE_CHECKING:
    from distcausal.images.result import ImageEffects

__all__ = [
    "CONTINUOUS",
    "few_groups",
    "of_chance",
    "of_data",
    "of_noise",
    "of_outcome",
    "one_arm",
]

CONTINUOUS = ("normal", "student", "lognormal")
_GROUPS = 50
_MASS = 0.05  # share at one value that no continuous law has
_APART = 4.0  # errors
_SKEW, _TAILS = 1.0, 3.0
_Z = 3.0
_DECLARED = 4.0


def of_data(fit: ImageEffects, residual: np.ndarray, coords: Any) -> Iterator[Check]:
    """Groups, outcomes, their noise, arms within images, dependence of places."""
    yield few_groups(fit)
    yield from of_outcome(fit)
    yield from of_chance(fit)
    if fit.model.family.name in CONTINUOUS:
        yield from of_noise(fit, residual)
    if coords is not None:
        yield _of_places(fit, residual, coords)


def few_groups(fit: ImageEffects) -> Check:
    """Whether there are groups enough for what holds in the limit of many."""
    count = fit.scores.groups
    return judged(
        "number of groups",
        count,
        _GROUPS,
        least=True,
        about="data",
        remark=f"{count} groups (places with an image of their own, or what cluster= "
        "names) are few: rules learnt on a part of them find clusters of little but "
        "noise, and intervals and tests hold in the limit of many. Take clusters as "
        "suggestions, rely on the average effect, and name propensity= if it is known.",
    )


def of_outcome(fit: ImageEffects) -> Iterator[Check]:
    """Values that many units share, and images whose units all have one arm."""
    trial, family = fit.trial, fit.model.family.name
    if fit.outcome.scalar:
        point = mass_point(trial.outcome[:, 0], trial.weights)
        yield judged(
            "largest share at one value",
            point.share,
            _MASS if family in CONTINUOUS else np.nan,
            about="data",
            remark=f"{point.share:.1%} of the outcomes equal {point.value:g}, which no "
            f"{family} law does: clusters may tell apart that value from the others. "
            "Use family='hurdle', or one for counts or yes and no.",
        )
    yield one_arm(fit)


def one_arm(fit: ImageEffects) -> Check:
    """Whether more images have one arm alone than units assigned one by one would."""
    trial = fit.trial
    found = single_arm(trial.image, trial.treatment, trial.weights, trial.propensity)
    named = fit.settings.get("cluster") is not None
    advice = "" if named else " Name the assigned groups with cluster=."
    return judged(
        "share of shared images with one arm",
        found.share,
        found.chance + _APART * found.error,
        about="data",
        remark=f"in {found.share:.0%} of the {found.images} images that several units "
        f"share, all units have one arm, where assigning units one by one gives "
        f"{found.chance:.0%}: the treatment was assigned by place, and the number of "
        f"images, not of units, is what intervals rest on.{advice}",
    )


def of_chance(fit: ImageEffects) -> Iterator[Check]:
    """Whether as many were treated as the probabilities that were named foresee.

    Nothing else would tell that they are those of the other arm, on which every score
    rests. Groups treated together count as one draw.
    """
    trial = fit.trial
    if trial.propensity is None:
        return
    more = trial.weights * (trial.treatment - trial.propensity)
    each = np.bincount(trial.group, more)
    size = np.sqrt(each @ each)
    total = trial.weights.sum()
    yield judged(
        "treated share less that foreseen, in errors",
        abs(each.sum()) / size if size > 0 else 0.0,
        _DECLARED,
        about="data",
        remark=f"{trial.weights @ trial.treatment / total:.1%} are treated, where "
        f"propensity foresees {trial.weights @ trial.propensity / total:.1%}: it "
        "should be the probability of the arm that counts as treated, which reference= "
        "names second. Check it, or leave it out to have it estimated.",
    )


def of_noise(fit: ImageEffects, residual: np.ndarray) -> Iterator[Check]:
    """Skewness and tails of the residuals of the first outcome."""
    family = fit.model.family.name
    skew, tails = shape(residual[:, 0], fit.trial.weights)
    apart = fit.model.variance == "arm_cluster"
    advice = (
        "variance='arm_cluster' lets clusters describe that shape instead of effects: "
        "use variance='arm'."
        if apart
        else "Clusters and the model's intervals may answer to it: use a likelihood "
        "with that shape, such as 'lognormal' or 'hurdle', and rely on the design."
    )
    yield judged(
        "absolute skewness of residuals",
        abs(skew),
        _SKEW / 2 if apart else _SKEW,
        about="data",
        remark=f"residuals have skewness {skew:.2f}, a {family} law has none. {advice}",
    )
    yield judged(
        "excess kurtosis of residuals",
        tails,
        np.nan if family == "student" else _TAILS,
        about="data",
        remark=f"residuals have excess kurtosis {tails:.1f}, a {family} law has none: "
        "few units may decide the clusters. Use family='student'.",
    )


def _of_places(fit: ImageEffects, residual: np.ndarray, coords: Any) -> Check:
    """Moran's I of the residuals, averaged by image."""
    trial = fit.trial
    places = read_coords(coords, trial.ids, "units of fit.trial.ids")
    if not np.ptp(places, axis=0).any():
        raise DataError(
            f"coords should tell places apart, but all {len(places)} units are at "
            f"one, ({places[0, 0]:g}, {places[0, 1]:g}). Leave coords= out."
        )
    mass = np.bincount(trial.image, trial.weights, len(trial.keys))
    there = mass > 0

    def average(values: np.ndarray) -> np.ndarray:
        total = np.bincount(trial.image, trial.weights * values, len(mass))
        return total[there] / mass[there]

    middle = np.column_stack([average(column) for column in places.T])
    found = morans_i(average(residual[:, 0]), middle)
    return judged(
        "Moran's I of residuals, standard score",
        found.z,
        _Z,
        about="data",
        remark=f"residuals of near places are alike (Moran's I {found.value:.2f}, "
        f"standard score {found.z:.1f}): units in one neighbourhood are not "
        "independent, and intervals are too short. Name blocks of places with "
        "cluster=.",
    )
