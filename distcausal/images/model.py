"""The mixture: places whose image decides how likely each cluster of effects is.

An image's features give the probability of every cluster and the baseline; its cluster,
never seen, decides the effect of treatment on all units that share the image. Summing
the cluster out of the likelihood is exact and costs one more axis, so nothing has to be
relaxed, sampled or enumerated by the engines: each of them meets one smooth function of
one vector.

Symbols: ``pi`` probability of a cluster given the image, ``tau`` effects in increasing
order, ``mu`` baseline. Logits are written in a contrast with exchangeable clusters, in
which any two logits differ by a weight of variance ``s**2``; naming one cluster as
reference, as the paper does, would make the prior depend on the order of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from distcausal._base.typing import Array, Real
from distcausal.images.families import Family

__all__ = [
    "Evidence",
    "Lane",
    "Layout",
    "active_contrast",
    "baseline",
    "cluster_effects",
    "cluster_terms",
    "count",
    "family_extra",
    "implied_ate",
    "log_joint",
    "log_likelihood",
    "log_membership",
    "log_prior",
    "noise_variance",
    "pack",
    "places",
    "shapes",
    "standard",
    "unit_terms",
    "unpack",
]

_NEVER = -1e30  # logit of a cluster that is switched off
Params = Mapping[str, Array]
Leaf: TypeAlias = Any  # a NumPy array on the host, a JAX array in compiled code


class Layout(NamedTuple):
    """What decides the shapes of the parameters; hashable, so that code compiles once.

    Attributes
    ----------
    clusters, outcomes, features, covariates
        Sizes.
    family
        Likelihood.
    variance
        ``"common"``, ``"arm"`` or ``"arm_cluster"``.
    intercepts
        Whether each image has a random intercept.
    alone
        Whether unit i is the only one of image i, which spares a summation.
    """

    clusters: int
    outcomes: int
    features: int
    covariates: int
    family: Family
    variance: str = "arm"
    intercepts: bool = False
    alone: bool = False


class Evidence(NamedTuple):
    """Arrays that the likelihood is a function of, beside the parameters.

    Attributes
    ----------
    features
        Shape ``(image, feature)``.
    image
        Position of each unit's image, ``(unit,)``.
    outcome
        Shape ``(unit, outcome)``.
    known_variance
        Noise of the outcomes that is known beforehand, ``(unit, outcome)``.
    treatment
        0 or 1, ``(unit,)``.
    covariates
        Shape ``(unit, covariate)``.
    """

    features: Leaf
    image: Leaf
    outcome: Leaf
    known_variance: Leaf
    treatment: Leaf
    covariates: Leaf


class Lane(NamedTuple):
    """What one fit of many has of its own.

    Whatever was computed from outcomes is here rather than shared, so that a fit cannot
    know anything of the units that it gives no weight.

    Attributes
    ----------
    weights
        Weight of each unit, zero for units held out or padded, ``(unit,)``.
    centre, scale
        The outcome is measured from the one in units of the other, ``(outcome,)``.
    prior_level, prior_effect
        Centres of the priors of the average baseline and of effects, on the scale of
        the linear predictor, ``(outcome,)``.
    ate
        Estimated average effect on the first outcome in those units, its variance, and
        how strongly the implied average is drawn to it, ``(3,)``.
    contrast
        From free logits to logits, ``(cluster - 1, cluster)``, see `active_contrast`.
    active
        Whether each cluster is switched on, ``(cluster,)``.
    """

    weights: Leaf
    centre: Leaf
    scale: Leaf
    prior_level: Leaf
    prior_effect: Leaf
    ate: Leaf
    contrast: Leaf
    active: Leaf


def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Shape of every unconstrained parameter."""
    size = layout
    columns = {"common": 1, "arm": 2, "arm_cluster": 2 * size.clusters}[size.variance]
    found = {
        "bias": (size.clusters - 1,),
        "head": (size.features, size.clusters - 1),
        "head_scale": (),
        "centre": (),
        "gaps": (size.clusters - 1,),
        "shape": (size.clusters, size.outcomes - 1),
        "level": (size.outcomes,),
        "base": (size.features, size.outcomes),
        "base_scale": (size.outcomes,),
        "slopes": (size.covariates, size.outcomes),
        "noise": (columns, size.family.noisy(size.outcomes)),
    }
    if size.intercepts:
        found["intercept"] = (size.outcomes,)
    extra = size.family.extra(size.outcomes)
    return {**found, **{f"family_{name}": shape for name, shape in extra.items()}}


def places(layout: Layout) -> dict[str, slice]:
    """Where in the vector every parameter is."""
    found, start = {}, 0
    for name, shape in shapes(layout).items():
        stop = start + int(np.prod(shape))
        found[name] = slice(start, stop)
        start = stop
    return found


def unpack(vector: Real[Array, " parameter"], layout: Layout) -> dict[str, Array]:
    """Cut a vector into the parameters it holds."""
    where = places(layout)
    return {
        name: vector[where[name]].reshape(shape)
        for name, shape in shapes(layout).items()
    }


def pack(params: Mapping[str, Leaf], layout: Layout) -> np.ndarray:
    """Put parameters into one vector, zeros where none is given."""
    parts = [
        np.broadcast_to(np.asarray(params.get(name, 0.0), float), shape).ravel()
        for name, shape in shapes(layout).items()
    ]
    return np.concatenate(parts)


def count(layout: Layout) -> int:
    """Length of the vector of parameters."""
    return sum(int(np.prod(shape)) for shape in shapes(layout).values())


def active_contrast(clusters: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Contrast and switches for some clusters among ``most``.

    Its columns sum to zero and any two of them, both switched on, lie a distance of one
    apart, so that independent weights of variance ``s**2`` give logits that differ by
    weights of that variance.
    """
    contrast = np.zeros((max(most - 1, 0), most))
    for row in range(clusters - 1):
        step = np.concatenate([-np.ones(row + 1), [row + 1.0]])
        contrast[row, : row + 2] = step / np.sqrt(2 * (row + 1) * (row + 2))
    return contrast, np.arange(most) < clusters


def log_membership(
    params: Params, features: Real[Array, "image feature"], lane: Lane
) -> Real[Array, "image cluster"]:
    """Log probability of every cluster given the image alone."""
    weights = jnp.exp(params["head_scale"]) * params["head"]
    logits = (features @ weights + params["bias"][None, :]) @ lane.contrast
    return jax.nn.log_softmax(jnp.where(lane.active[None, :], logits, _NEVER), axis=1)


def cluster_effects(
    params: Params, active: Real[Array, " cluster"]
) -> Real[Array, "cluster outcome"]:
    """Effects of the clusters, increasing in the first outcome."""
    gaps = jnp.where(active[1:], jnp.exp(params["gaps"]), 0.0)
    steps = jnp.concatenate([jnp.zeros((1,), gaps.dtype), jnp.cumsum(gaps)])
    middle = jnp.sum(jnp.where(active, steps, 0.0)) / jnp.sum(active)
    first = (params["centre"] + steps - middle)[:, None]
    return jnp.concatenate([first, params["shape"]], axis=1)


def baseline(
    params: Params, evidence: Evidence, layout: Layout
) -> Real[Array, "unit outcome"]:
    """Linear predictor of an untreated unit."""
    weights = jnp.exp(params["base_scale"])[None, :] * params["base"]
    by_image = evidence.features @ weights + params["level"][None, :]
    rows = by_image if layout.alone else by_image[evidence.image]
    return rows + evidence.covariates @ params["slopes"]


def noise_variance(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, "unit cluster outcome"]:
    """Variance of the noise of every unit in every cluster; 1 where there is none."""
    table = jnp.exp(2 * params["noise"])
    none = layout.outcomes - table.shape[1]
    table = jnp.pad(table, ((0, 0), (0, none)), constant_values=1.0)
    size = (layout.clusters, layout.outcomes)
    if layout.variance == "arm_cluster":
        arms = table.reshape(2, *size)
    else:
        arms = jnp.broadcast_to(table[:, None, :], (table.shape[0], *size))
    treated = evidence.treatment[:, None, None]
    found = arms[0][None] * (1 - treated) + arms[-1][None] * treated
    return found + (evidence.known_variance / lane.scale[None, :] ** 2)[:, None, :]


def standard(evidence: Evidence, lane: Lane) -> Real[Array, "unit outcome"]:
    """Outcome in the units of the lane."""
    return (evidence.outcome - lane.centre[None, :]) / lane.scale[None, :]


def family_extra(params: Params) -> dict[str, Array]:
    """What the family has beyond means and noise, by the family's own names."""
    return {name[7:]: params[name] for name in params if name[:7] == "family_"}


def unit_terms(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, "unit cluster"]:
    """Log density of every unit's outcome in every cluster, without its weight."""
    effects = cluster_effects(params, lane.active)
    own = evidence.treatment[:, None, None] * effects[None]
    level = baseline(params, evidence, layout)
    spread = noise_variance(params, evidence, lane, layout)
    return layout.family.log_density(
        standard(evidence, lane), level, own, spread, family_extra(params)
    )


def by_image(terms: Array, evidence: Evidence, layout: Layout) -> Array:
    """Sum over the units of every image."""
    if layout.alone:
        return terms
    return jax.ops.segment_sum(terms, evidence.image, evidence.features.shape[0])


def cluster_terms(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, "image cluster"]:
    """Log density of all outcomes of an image in every cluster.

    With random intercepts the units of an image are correlated; the determinant and
    the inverse of their covariance, a diagonal plus a constant, are known.
    """
    weights = lane.weights[:, None]
    terms = by_image(
        weights * unit_terms(params, evidence, lane, layout), evidence, layout
    )
    if not layout.intercepts:
        return terms
    effects = cluster_effects(params, lane.active)
    own = evidence.treatment[:, None, None] * effects[None]
    level = baseline(params, evidence, layout)
    precision = weights[..., None] / noise_variance(params, evidence, lane, layout)
    residual = (standard(evidence, lane) - level)[:, None, :] - own
    mass = by_image(precision, evidence, layout)
    pull = by_image(precision * residual, evidence, layout)
    spread = jnp.exp(2 * params["intercept"])[None, None, :]
    shared = spread * pull**2 / (1 + spread * mass) - jnp.log1p(spread * mass)
    return terms + 0.5 * jnp.sum(shared, axis=-1)


def log_likelihood(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, " image"]:
    """Log likelihood of every image's outcomes, the cluster summed out."""
    prior = log_membership(params, evidence.features, lane)
    terms = cluster_terms(params, evidence, lane, layout)
    return jax.nn.logsumexp(jnp.where(lane.active[None, :], prior + terms, _NEVER), 1)


def log_prior(params: Params, lane: Lane, layout: Layout) -> Array:
    """Log prior density of the unconstrained parameters, up to a constant."""
    centre = lane.prior_effect
    found = (
        _normal(params["bias"], 1.5)
        + _normal(params["head"], 1.0)
        + _half_normal(params["head_scale"], 3.0)
        + _normal(params["centre"] - centre[0], 1.0)
        + _half_normal(params["gaps"], 1.0)
        + _normal(params["shape"] - centre[None, 1:], 1.0)
        + _normal(params["level"] - lane.prior_level, 1.0)
        + _normal(params["base"], 1.0)
        + _half_normal(params["base_scale"], 1.0)
        + _normal(params["slopes"], 1.0)
        + _half_normal(params["noise"], 1.0)
        + layout.family.log_prior(family_extra(params))
    )
    if layout.intercepts:
        found = found + _half_normal(params["intercept"], 1.0)
    return found


def log_joint(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, ""]:
    """Log of prior times likelihood, up to a constant."""
    likelihood = jnp.sum(log_likelihood(params, evidence, lane, layout))
    found = likelihood + log_prior(params, lane, layout)
    gap = implied_ate(params, evidence, lane, layout) - lane.ate[0]
    return found - 0.5 * lane.ate[2] * gap**2 / lane.ate[1]


def implied_ate(
    params: Params, evidence: Evidence, lane: Lane, layout: Layout
) -> Real[Array, ""]:
    """Weighted average over units of the effect that their images imply."""
    shares = jnp.exp(log_membership(params, evidence.features, lane))
    effect = shares @ cluster_effects(params, lane.active)[:, 0]
    rows = effect if layout.alone else effect[evidence.image]
    return jnp.sum(lane.weights * rows) / jnp.sum(lane.weights)


def _normal(value: Array, scale: float) -> Array:
    return -0.5 * jnp.sum((value / scale) ** 2)


def _half_normal(log_value: Array, scale: float) -> Array:
    """Density of a logarithm whose exponential is half-normal."""
    return jnp.sum(log_value - 0.5 * (jnp.exp(log_value) / scale) ** 2)
