"""Fits to trials in places in words: the model's answer beside the design's.

A reader who sees one column of effects takes it for the truth. So the table has two,
and notes that say which of them needs the model to be right, whether a test on units
held out finds any difference at all, and what was left out or moved on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.table import Group, Pairs, Table, decimals, number, p_value
from distcausal.images._estimates import NOT_ESTIMATED
from distcausal.images._frames import Verdict, tidy, treated_share, verdict_of
from distcausal.images.aipw import clusters_named
from distcausal.images.data_checks import few_groups, one_arm

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.images.calibration import Calibration
    from distcausal.images.homogeneity import EffectHomogeneity
    from distcausal.images.result import ImageEffects

__all__ = ["summary_table"]

_TITLE = "Effects by Latent Clusters of Images"
_LONGEST_NAME = 24
_NOISE = {
    "arm": "differs by arm",
    "common": "the same everywhere",
    "arm_cluster": "by arm and cluster",
}
_WITHOUT_NOISE = ("bernoulli", "poisson")  # the mean says all
_MODEL = ("share", "effect", "low", "high")
_DESIGN = ("share", "effect", "std err", "low", "high")
_APART = 2.0  # standard errors between implied and estimated average worth a note
_LEVEL = 0.05


def summary_table(fit: ImageEffects, confidence: float = 0.95) -> Table:
    """Effects of every cluster by model and by design, and what the tests say.

    Parameters
    ----------
    fit
        The fit.
    confidence
        Coverage of the intervals.
    """
    frame = tidy(fit, confidence).set_index("term")
    found = verdict_of(fit, confidence)
    errors = frame["std_error"].to_numpy(float)
    places = decimals(float(np.nanmedian(errors)), 2)
    percent = f"{100 * confidence:.4g}%"
    return Table(
        title=_TITLE,
        left=_size_pairs(fit),
        right=_effect_pairs(fit, found, places),
        columns=("cluster", *_MODEL, *_DESIGN),
        rows=_rows(fit, frame, places),
        groups=(Group(f"model, {percent}", 1, 4), Group(f"design, {percent}", 5, 5)),
        notes=(*_meaning(fit), *_findings(fit, found), *_losses(fit)),
    )


def _rows(
    fit: ImageEffects, frame: pd.DataFrame, places: int
) -> tuple[tuple[str, ...], ...]:
    """A row per cluster and one for all units."""
    weights = fit.trial.weights / fit.trial.weights.sum()
    share = weights @ fit.cluster_probabilities(level="unit")
    shown = [
        (str(k + 1), f"cluster {k + 1}, model", f"cluster {k + 1}, design", one, other)
        for k, (one, other) in enumerate(zip(share, fit.design.share, strict=True))
    ]
    shown.append(("all", "implied average effect", "average effect", 1.0, 1.0))
    return tuple(
        (
            label,
            number(one, 2),
            *_cells(frame.loc[model], ("estimate", "conf_low", "conf_high"), places),
            number(other, 2),
            *_cells(
                frame.loc[design],
                ("estimate", "std_error", "conf_low", "conf_high"),
                places,
            ),
        )
        for label, model, design, one, other in shown
    )


def _cells(row: Any, names: tuple[str, ...], places: int) -> tuple[str, ...]:
    """Numbers of a row, or in words that there are none."""
    if not np.isfinite(row["estimate"]):
        return (NOT_ESTIMATED, *("" for _ in names[1:]))
    return tuple(number(float(row[name]), places) for name in names)


def _size_pairs(fit: ImageEffects) -> Pairs:
    """What was fitted, to what."""
    encoder = str(fit.encoder.name)
    if len(encoder) > _LONGEST_NAME:
        encoder = encoder[: _LONGEST_NAME - 3] + "..."
    noisy = fit.model.family.name not in _WITHOUT_NOISE
    noise = (("Noise", _NOISE[fit.model.variance]),) if noisy else ()
    return (
        ("Units", str(len(fit.trial.ids))),
        ("Images", str(len(fit.keys))),
        ("Groups", str(fit.scores.groups)),
        ("Treated", f"{100 * treated_share(fit):.1f}%"),
        ("Clusters", str(fit.posterior.clusters)),
        ("Encoder", encoder),
        ("Family", fit.model.family.name),
        *noise,
        ("Engine", fit.model.engine.name),
    )


def _effect_pairs(fit: ImageEffects, found: Verdict | None, places: int) -> Pairs:
    """How it was judged, and the effect in one number."""
    ate = fit.ate
    known = "known" if fit.trial.propensity is not None else "estimated"
    pairs = [
        ("Folds x splits", f"{fit.scores.folds} x {len(fit.scores.fold)}"),
        ("Propensity", known),
        ("Average effect, design", number(ate.estimate, places)),
        ("Std. error", number(ate.std_error, places)),
        ("Average effect, implied", number(fit.implied_ate, places)),
    ]
    if found is not None:
        pairs += [
            ("P-value, equal effects", p_value(found.equal.p_value)),
            ("Calibration slope", number(found.line.tested_slope, 2)),
            ("Its interval", _slopes(found.line)),
            ("P-value, slope 0", p_value(found.line.p_zero)),
        ]
    return tuple(pairs)


def _slopes(line: Calibration) -> str:
    """Slopes that are not rejected."""
    if np.isnan(line.tested_slope):
        return NOT_ESTIMATED
    return f"{number(line.conf_low, 2)} to {number(line.conf_high, 2)}"


def _meaning(fit: ImageEffects) -> list[str]:
    """What the columns are."""
    one = fit.outcome.scalar
    given = fit.settings.get("levels") is not None
    over = "the average of the quantiles at levels=" if given else "the mean"
    what = (
        ""
        if one
        else f" Effects are on {over} of each unit's distribution; the "
        "p-value of equal effects is for whole curves: fit.curves()."
    )
    return [
        "Model: posterior means; the intervals take the likelihood at its word and can "
        f"be too short.{what}",
        "Design: averages of doubly robust scores over units assigned by rules learnt "
        "without them; errors are clustered by group. Weighted by their shares they "
        "are the average effect.",
    ]


def _findings(fit: ImageEffects, found: Verdict | None) -> list[str]:
    """What tests and averages have to say about the clusters."""
    notes = []
    if found is not None:
        notes.append(_equality(found.equal))
    if fit.design.collapsed.any():
        notes.append(
            f"Collapsed: {clusters_named(fit.design.collapsed)}. Units held out are "
            f"worth fewer than two groups of {fit.scores.groups} there, so that no "
            "effect is estimated. Fit fewer clusters, or find more groups."
        )
    ate = fit.ate
    gap = fit.implied_ate - ate.estimate
    if abs(gap) > _APART * ate.std_error:
        notes.append(
            f"The model implies an average effect {abs(gap) / ate.std_error:.1f} "
            "standard errors from the one by design: the model does not fit."
        )
    return notes


def _equality(test: EffectHomogeneity) -> str:
    """The test on held-out units in words."""
    said = (
        "Tests of differences use rules learnt on earlier folds only; comparing the "
        "intervals above would find differences too often."
    )
    if test.p_value > _LEVEL:
        said = (
            "The test on held-out units finds no difference between clusters: without "
            "one, the model's clusters can describe noise. " + said
        )
    if test.missing:
        whole = test.used + test.missing
        said += f" {test.missing} of {whole} folds had an empty cluster and no test."
    return said


def _losses(fit: ImageEffects) -> list[str]:
    """Few groups, images in one arm, probabilities moved, units left out."""
    groups = few_groups(fit)
    notes = [] if groups.fine else [groups.remark]
    units = len(fit.trial.ids)
    if not (arms := one_arm(fit)).fine:
        notes.append(arms.remark)
    if trimmed := fit.settings.get("trimmed", 0):
        notes.append(
            f"Weak overlap: the probability of treatment of {trimmed} of {units} units "
            "was moved away from 0 or 1; effects there rest on the outcome regression."
        )
    if dropped := fit.settings.get("dropped", 0):
        notes.append(
            f"{dropped} units were left out because an outcome, a covariate or pixels "
            "of their image are missing."
        )
    return notes
