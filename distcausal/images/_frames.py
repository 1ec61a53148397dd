"""Fits to trials in places as data frames, and as the dictionary of draws.

The model's numbers come from posterior draws and the design's from scores, so a row of
the model has no p-value: a posterior does not test. Both have intervals of the coverage
asked for, and columns of the names that all results share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distcausal.images._estimates import estimate_frame
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.images.calibration import Calibration
    from distcausal.images.homogeneity import EffectHomogeneity
    from distcausal.images.result import ImageEffects

__all__ = [
    "Verdict",
    "glance",
    "implied_draws",
    "tidy",
    "to_dict",
    "to_frame",
    "treated_share",
    "verdict_of",
]


class Verdict(NamedTuple):
    """Tests on held-out scores.

    Attributes
    ----------
    equal
        Equal effects in all clusters.
    line
        Calibration of predicted effects, on the mean where outcomes are distributions.
    """

    equal: EffectHomogeneity
    line: Calibration


def verdict_of(fit: ImageEffects, confidence: float = 0.95) -> Verdict | None:
    """Run the tests of the fit; None where one cluster leaves nothing to test."""
    if fit.posterior.clusters < 2:
        return None
    return Verdict(fit.homogeneity_test(), fit.calibration(confidence=confidence))


def implied_draws(fit: ImageEffects) -> np.ndarray:
    """Posterior draws of the average effect that the model's images imply, (draw,)."""
    weight = np.bincount(fit.trial.image, fit.trial.weights, len(fit.keys))
    weight = weight / weight.sum()
    total = np.zeros(fit.posterior.draws)
    for place, member in fit.posterior.blocks(fit.trial.features):
        share = np.einsum("i,sik->sk", weight[place], member)
        total += np.einsum("sk,sk->s", share, fit.posterior.effects[..., 0])
    return total


def tidy(fit: ImageEffects, confidence: float = 0.95) -> pd.DataFrame:
    """Effects of the model and of the design, one row each.

    Parameters
    ----------
    fit
        The fit.
    confidence
        Coverage of the intervals.

    Returns
    -------
    Columns term, estimate, std_error, statistic, p_value, conf_low, conf_high. Terms
    are ``"cluster 1, model"``, ``"cluster 1, design"``, and so on, ``"average effect"``
    and ``"implied average effect"``. Of distributions, effects on the mean.
    """
    import pandas as pd

    clusters = fit.posterior.clusters
    design = _design_rows(fit, confidence)
    effects = fit.posterior.effects[..., 0]
    draws = np.column_stack([effects, implied_draws(fit)])
    names = [f"cluster {k + 1}, model" for k in range(clusters)]
    model = _draw_rows([*names, "implied average effect"], draws, confidence)
    both = pd.concat([model, design], ignore_index=True)
    paired = [[k, clusters + 1 + k] for k in range(clusters)]
    order = [*np.ravel(paired).astype(int), 2 * clusters + 1, clusters]
    return both.iloc[order].reset_index(drop=True)


def _draw_rows(terms: list[str], draws: np.ndarray, confidence: float) -> pd.DataFrame:
    """Rows of the columns of posterior draws, ``(draw, term)``."""
    import pandas as pd

    tail = (1 - check_confidence(confidence)) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return pd.DataFrame(
        {
            "term": terms,
            "estimate": draws.mean(axis=0),
            "std_error": draws.std(axis=0),
            "statistic": np.nan,
            "p_value": np.nan,
            "conf_low": low,
            "conf_high": high,
        }
    )


def _design_rows(fit: ImageEffects, confidence: float) -> pd.DataFrame:
    """Rows of the clusters by design and of the average effect."""
    design, ate = fit.design, fit.ate
    names = [f"cluster {k + 1}, design" for k in range(len(design.share))]
    return estimate_frame(
        [*names, "average effect"],
        np.append(design.estimate[:, 0], ate.estimate),
        np.append(design.std_error[:, 0], ate.std_error),
        design.df,
        confidence,
    )


def glance(fit: ImageEffects) -> pd.DataFrame:
    """One row: size, choices, average effects, and what the tests say.

    P-values and slope are missing with one cluster, where there is nothing to test.
    """
    import pandas as pd

    trial, scores, model = fit.trial, fit.scores, fit.model
    found = verdict_of(fit)
    return pd.DataFrame(
        [
            {
                "units": len(trial.ids),
                "images": len(fit.keys),
                "groups": scores.groups,
                "treated_share": treated_share(fit),
                "clusters": fit.posterior.clusters,
                "collapsed": int(fit.design.collapsed.sum()),
                "family": model.family.name,
                "variance": model.variance,
                "encoder": fit.encoder.name,
                "engine": model.engine.name,
                "folds": scores.folds,
                "splits": len(scores.fold),
                "ate": fit.ate.estimate,
                "ate_std_error": fit.ate.std_error,
                "implied_ate": fit.implied_ate,
                "p_homogeneity": np.nan if found is None else found.equal.p_value,
                "calibration_slope": np.nan
                if found is None
                else found.line.tested_slope,
                "p_calibration": np.nan if found is None else found.line.p_zero,
                "bound": float(fit.fit.bound[0]),
            }
        ]
    )


def treated_share(fit: ImageEffects) -> float:
    """Weighted share of the units that were treated."""
    return float(np.average(fit.trial.treatment, weights=fit.trial.weights))


def to_frame(fit: ImageEffects, confidence: float = 0.95) -> pd.DataFrame:
    """One row per image of the trial.

    Parameters
    ----------
    fit
        The fit.
    confidence
        Coverage of the intervals of the effects, given the model.

    Returns
    -------
    Columns key, units (how many have the image), prior_1, ... (membership given the
    image alone), posterior_1, ... (given outcomes too), cate_mean, cate_std, cate_low,
    cate_high.
    """
    import pandas as pd

    found = fit.cate(confidence=confidence)
    given = {
        "prior": found.probabilities,
        "posterior": fit.cluster_probabilities("posterior"),
    }
    shares = {
        f"{kind}_{k + 1}": column
        for kind, share in given.items()
        for k, column in enumerate(share.T)
    }
    return pd.DataFrame(
        {
            "key": found.keys,
            "units": np.bincount(fit.trial.image, minlength=len(fit.keys)),
            **shares,
            "cate_mean": found.mean,
            "cate_std": found.std,
            "cate_low": found.conf_low,
            "cate_high": found.conf_high,
        }
    )


def to_dict(fit: ImageEffects) -> dict[str, dict[str, np.ndarray]]:
    """Draws and data as nested arrays, for programs that examine posteriors.

    Returns
    -------
    ``"posterior"``: effects, noise, weights and bias, with leading axes chain and draw,
    and the implied average effect. ``"observed_data"``: outcome, ``(unit, outcome)``.
    ``"constant_data"``: treatment, unit weights, image of each unit, and features.
    """
    posterior, trial = fit.posterior, fit.trial
    chains = getattr(fit.model.engine, "chains", 1)
    draws = {
        "effects": posterior.effects,
        "noise": posterior.noise,
        "weights": posterior.weights,
        "bias": posterior.bias,
        "implied_average_effect": implied_draws(fit),
    }
    return {
        "posterior": {
            name: array.reshape(chains, len(array) // chains, *array.shape[1:])
            for name, array in draws.items()
        },
        "observed_data": {"outcome": trial.outcome},
        "constant_data": {
            "treatment": trial.treatment,
            "unit_weights": trial.weights,
            "image": trial.image,
            "features": trial.features,
        },
    }
