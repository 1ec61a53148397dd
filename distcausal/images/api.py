"""The estimator: where, by the look of a place, a treatment works better.

The estimator answers twice. A mixture model says how likely each place is to belong to
each cluster of effects; a design-based analysis, in which every unit is judged by rules
learnt without it, says what the treatment did on average where those rules point. The
two are different objects and stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from distcausal._base.keys import Seed, seed_record
from distcausal._base.progress import steps
from distcausal._base.session import versions
from distcausal.errors import DesignError
from distcausal.images.aipw import design_effects
from distcausal.images.arguments import as_cache, check_kinds, check_penalty, told
from distcausal.images.check import Asked, Roles, read_trial
from distcausal.images.diagnosed import warn_of
from distcausal.images.diagnostics import first_checks
from distcausal.images.engines import Engine, as_engine
from distcausal.images.families import as_family
from distcausal.images.family import Family
from distcausal.images.result import ImageEffects
from distcausal.images.stages import (
    Encoded,
    Model,
    Scored,
    average,
    check_size,
    encode,
    judge,
    posterior_fit,
    score,
)

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.images.encoder import Encoder
    from distcausal.images.nuisance import Learner

__all__ = ["image_effects"]

Variance = Literal["arm", "common", "arm_cluster"]


def image_effects(
    data: RandomDistributions,
    *,
    image: Any,
    treatment: Any,
    outcome: Any = None,
    clusters: int = 2,
    encoder: Encoder | None = None,
    family: str | Family = "normal",
    variance: Variance = "arm",
    covariates: Any = None,
    propensity: Any = None,
    cluster: Any = None,
    weights: Any = None,
    latent_level: Literal["image", "unit"] = "image",
    image_key: Any = None,
    image_intercepts: bool | None = None,
    ate_penalty: float = 0.0,
    reference: Any = None,
    missing: Literal["raise", "drop"] = "raise",
    levels: Any = None,
    engine: str | Engine = "svi",
    outcome_learner: Learner | None = None,
    folds: int = 5,
    splits: int = 10,
    cache: Any = None,
    seed: Seed = 0,
    progress: bool | None = None,
) -> ImageEffects:
    r"""Find clusters of images by the effect of a treatment, and test them.

    With :math:`m` the image of a unit's place, the outcome of the untreated has mean
    :math:`\mu(m)` and treatment adds :math:`\tau_k` in cluster :math:`k`, to which the
    place belongs with probability :math:`\pi_k(m)`, a multinomial logit in features of
    the image. The cluster is never seen and is summed out of the likelihood exactly.

    Parameters
    ----------
    data
        The units.
    image
        Images ``(unit, height, width[, channel])`` or the name of such a column, or an
        `ImageSource` that is asked by key, in batches. With ``image_key``, an array is
        looked up by row number.
    treatment
        Column of 0 and 1, or an array with one entry per unit.
    outcome
        Column of numbers. None: the distribution of each unit is its outcome.
    clusters
        Number of clusters of effects; 1 is the model without heterogeneity.
    encoder
        What turns an image into features; default `RandomConvFeatures()`.
    family
        Likelihood of the outcome: ``"normal"``, ``"student"``, ``"hurdle"``,
        ``"bernoulli"``, ``"poisson"``, ``"negative_binomial"``, ``"lognormal"``, or an
        object of that kind.
    variance
        Whether the noise differs between arms, not at all (``"common"``), or between
        arms and clusters, which lets clusters describe the shape of the outcome.
    covariates
        Columns fixed before treatment, which enter the baseline and the propensity,
        in standard deviations from their mean.
    propensity
        Known probability of treatment, a number or a column; with ``reference``, that
        of the arm it names second. None: it is estimated.
    cluster
        Labels of units that are not independent, such as villages. Units that share an
        image, or copies of it, are never taken as independent.
    weights
        Nonnegative weight of each unit. The model's likelihood counts a weight as that
        many units, the design-based estimates know proportions only: unless weights are
        numbers of units, divide them by their mean.
    latent_level
        Whether all units of an image share its cluster or each has its own.
    image_key
        Column with the key of each unit's image.
    image_intercepts
        Whether images have random intercepts; by default where units share images and
        the noise is normal.
    ate_penalty
        How strongly the average effect implied by the model is drawn to the one
        estimated by design, in units of the information in the data; 0 is not at all.
        Positive only where effects are on the mean: ``"normal"`` and ``"student"``.
    reference
        Two arms to compare, untreated first, where treatment is not 0 and 1.
    missing
        ``"raise"`` or ``"drop"`` units that lack a finite outcome or covariate; those
        without an arm, a key or a cluster are refused either way.
    levels
        Quantile levels at which distributions are read; default 0.01, ..., 0.99, of
        curves known at some levels only those within.
    engine
        ``"svi"``, ``"nuts"``, ``"em"``, ``"sgd"``, ``"relaxed"``, or an object such as
        ``SVI(rank=5)``.
    outcome_learner
        What predicts outcomes in the scores by design, ridge regression by default:
        takes columns ``(row, column)``, outcomes ``(row, outcome)`` and weights
        ``(row,)`` of one arm's units in other folds, and returns a function from
        columns to outcomes. Columns are features of the image, then covariates. Laws
        by cluster, ``fit.distributions``, stay with ridge.
    folds, splits
        Folds of a cross-fit, and how often it is repeated with other folds.
    cache
        `FeatureCache`, a folder where features are kept from one call to the next, or
        its path.
    seed
        Whole number or JAX key.
    progress
        Whether to show a bar; None shows one where someone watches a terminal.

    Returns
    -------
    ImageEffects

    Raises
    ------
    DataError
        If columns, keys or images do not fit together, or pixels are missing.
    DesignError
        If an arm is empty, or there are too few units or images for the clusters.
    IdentificationError
        If all images look alike and more than one cluster is asked for.

    Notes
    -----
    Intervals of the model take its likelihood at its word and can be too short; those
    of the design rest on the assignment alone. Encoders see pixels, never outcomes.

    References
    ----------
    Jerzak, Johansson and Daoud (2023), "Image-based treatment effect heterogeneity",
    *Proceedings of the Second Conference on Causal Learning and Reasoning*, PMLR 213.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_image_effects(400, gap=2.0, test=10, seed=1)
    >>> fit = dc.image_effects(sim.data, **sim.roles, splits=2)
    >>> fit.cluster_effects()["model_estimate"].round().abs().tolist()
    [0.0, 2.0]
    """
    begun = perf_counter()
    given = locals()
    check_kinds(given)
    cache = as_cache(cache)
    settings = _settings(given)
    chosen, solver = _encoder_and_engine(encoder, engine)
    model = Model(
        clusters=clusters,
        family=as_family(family),
        variance=variance,
        latent_level=latent_level,
        image_intercepts=image_intercepts,
        ate_penalty=check_penalty(ate_penalty, family),
        engine=solver,
    )
    asked = read_trial(data, Roles.among(given))
    # Compiling for a new size or model takes seconds, however small the trial.
    with steps(progress, count=4, long=True) as begin:
        begin("encoding images")
        encoded = encode(asked, chosen, model, cache, seed, progress)
        check_size(encoded.trial, clusters)
        begin("fitting regressions fold by fold")
        scored = score(encoded, folds, splits, outcome_learner, seed)
        found = _answered(asked, encoded, scored, model, settings, seed, begin)
    found.settings["seconds"] = perf_counter() - begun
    warn_of(first_checks(found))
    return found


def _answered(
    asked: Asked,
    encoded: Encoded,
    scored: Scored,
    model: Model,
    settings: dict[str, Any],
    seed: Seed,
    begin: Callable[[str], None],
) -> ImageEffects:
    """The model's posterior, then effects by design, in one result."""
    begin("fitting the model")
    ate = average(encoded.trial, scored)
    fit, posterior = posterior_fit(encoded.trial, model, ate, seed)
    begin("learning rules fold by fold")
    scores = judge(encoded, model, scored, posterior.effects.mean(axis=0), seed)
    design = design_effects(scores)
    own = {**design.settings, "seed": settings["seed"]}
    return ImageEffects(
        keys=encoded.trial.keys,
        posterior=posterior,
        design=replace(design, settings=own),
        fit=fit,
        trial=encoded.trial,
        scores=scores,
        plain=encoded.plain,
        expected=scored.expected,
        chance=scored.chance.other,
        encoder=encoded.encoder,
        outcome=asked.outcome,
        model=model,
        settings={
            **settings,
            "dropped": len(asked.dropped),
            "trimmed": scored.chance.trimmed,
            "supervised": encoded.retrain is not None,
        },
    )


def _encoder_and_engine(encoder: Any, engine: Any) -> tuple[Any, Engine]:
    """Encoder and engine; ``"sgd"`` trains the encoder and leaves its head to `SVI`."""
    from distcausal.images.random_conv import RandomConvFeatures

    if engine != "sgd":
        return RandomConvFeatures() if encoder is None else encoder, as_engine(engine)
    from distcausal.images.cnn import SmallCNN

    chosen = SmallCNN() if encoder is None else encoder
    if not hasattr(chosen, "train"):
        raise DesignError(
            f"engine 'sgd' trains the encoder on outcomes, which {chosen!r} cannot be. "
            "Use SmallCNN(), or another engine."
        )
    return chosen, as_engine(engine)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments as used, arrays by their shape, with seed and versions."""
    found = {
        name: told(value)
        for name, value in given.items()
        if name not in ("data", "begun")
    }
    levels = given.get("levels")
    if isinstance(levels, list | tuple | np.ndarray):
        found["levels"] = tuple(map(told, levels))
    encoder, _ = _encoder_and_engine(given["encoder"], given["engine"])
    found["encoder"] = repr(encoder)
    found["seed"] = seed_record(given["seed"])
    found["versions"] = versions()
    return found
