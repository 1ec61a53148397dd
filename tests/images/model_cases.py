"""Small random mixtures, and the model's functions compiled once per layout."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from distcausal._base.precision import double
from distcausal.images import model
from distcausal.images.engines import Problem
from distcausal.images.families import Normal
from distcausal.images.mean_effect import arm_means, mean_effects
from distcausal.images.model import Evidence, Lane, Layout, active_contrast

IMAGES, UNITS, FEATURES, COVARIATES = 3, 6, 2, 1


class Case(NamedTuple):
    """Parameters as one vector, and everything the model is a function of."""

    vector: np.ndarray
    evidence: Evidence
    lane: Lane
    layout: Layout

    @property
    def params(self):
        return {
            name: np.asarray(part)
            for name, part in model.unpack(self.vector, self.layout).items()
        }


def layout_of(clusters, family=None, **options):
    family = Normal() if family is None else family
    sizes = family.columns(1), FEATURES, COVARIATES
    return Layout(clusters, *sizes, family, **options)


def case(seed, layout, active=None, whole=False):
    """A random case; weights are whole numbers on request."""
    rng = np.random.default_rng(seed)
    treatment = rng.permutation(np.arange(UNITS) % 2).astype(float)
    evidence = Evidence(
        features=rng.normal(size=(IMAGES, FEATURES)),
        image=np.concatenate([np.arange(IMAGES), rng.integers(0, IMAGES, IMAGES)]),
        outcome=rng.normal(size=(UNITS, layout.outcomes)),
        known_variance=rng.uniform(0, 0.5, size=(UNITS, layout.outcomes)),
        treatment=treatment,
        covariates=rng.normal(size=(UNITS, COVARIATES)),
    )
    if layout.alone:
        evidence = evidence._replace(
            features=rng.normal(size=(UNITS, FEATURES)), image=np.arange(UNITS)
        )
    contrast, switched = active_contrast(active or layout.clusters, layout.clusters)
    weights = rng.integers(1, 3, UNITS) if whole else rng.uniform(0.2, 2, UNITS)
    lane = Lane(
        weights=weights.astype(float),
        centre=rng.normal(size=layout.outcomes),
        scale=rng.uniform(0.5, 2, layout.outcomes),
        prior_level=rng.normal(size=layout.outcomes),
        prior_effect=rng.normal(size=layout.outcomes),
        ate=np.array([rng.normal(), rng.uniform(0.1, 1), rng.integers(0, 2)]),
        contrast=contrast,
        active=switched,
    )
    return Case(0.7 * rng.normal(size=model.count(layout)), evidence, lane, layout)


def lane_for(layout, ready, units):
    """Lane of units of weight one, in the units that their family made ready."""
    return case(0, layout).lane._replace(
        weights=np.ones(units),
        centre=ready.shift,
        scale=ready.scale,
        prior_level=ready.level,
        prior_effect=ready.effect,
        ate=np.array([0.0, 1.0, 0.0]),
    )


def regression(units=200):
    """One cluster, where the effect's posterior is about that of a linear model.

    Returns
    -------
    The problem, and estimate and standard error of the effect by least squares, both in
    the model's units.
    """
    rng = np.random.default_rng(5)
    layout = layout_of(1, alone=True)
    treatment = np.tile([0.0, 1.0], units // 2)
    outcome = (0.5 * treatment + rng.normal(size=units))[:, None]
    ready = layout.family.prepare(outcome, treatment, np.ones(units))
    lane = lane_for(layout, ready, units)
    evidence = Evidence(
        features=rng.normal(size=(units, FEATURES)),
        image=np.arange(units),
        outcome=outcome,
        known_variance=np.zeros((units, 1)),
        treatment=treatment,
        covariates=rng.normal(size=(units, COVARIATES)),
    )
    columns = np.column_stack(
        [np.ones(units), treatment, evidence.features, evidence.covariates]
    )
    inside = outcome[:, 0] / lane.scale[0]
    found = np.linalg.lstsq(columns, inside, rcond=None)[0]
    noise = (inside - columns @ found).var(ddof=columns.shape[1])
    error = np.sqrt(noise * np.linalg.inv(columns.T @ columns)[1, 1])
    starts = np.zeros((2, model.count(layout)))
    return Problem(evidence, lane, layout, starts), found[1], error


def _on_vector(function):
    """The model's function of parameters as one of the vector, in float64."""

    def run(vector, evidence, lane, layout):
        return function(model.unpack(vector, layout), evidence, lane, layout)

    compiled = jax.jit(run, static_argnames="layout")
    return lambda case: np.asarray(double(compiled)(*case[:3], layout=case.layout))


def with_key(objective):
    """An objective that draws, as a function of a case and a number for its key."""

    def run(vector, key, evidence, lane, layout):
        params = model.unpack(vector, layout)
        return objective(params, key, evidence, lane, layout)

    compiled = jax.jit(run, static_argnames="layout")

    def call(case, number):
        key = jax.random.key(number)
        rest = case.evidence, case.lane
        return double(compiled)(case.vector, key, *rest, layout=case.layout)

    return call


log_joint = _on_vector(model.log_joint)
log_likelihood = _on_vector(model.log_likelihood)
log_prior = _on_vector(
    lambda params, _, lane, layout: model.log_prior(params, lane, layout)
)
implied_ate = _on_vector(model.implied_ate)
effects = _on_vector(
    lambda params, _, lane, __: model.cluster_effects(params, lane.active)
)
log_membership = _on_vector(
    lambda params, evidence, lane, _: model.log_membership(
        params, evidence.features, lane
    )
)
mean_effect = _on_vector(mean_effects)
means_by_arm = _on_vector(arm_means)
cluster_terms = _on_vector(model.cluster_terms)


def hessian(case):
    """Second derivatives of the log joint density, ``(parameter, parameter)``."""
    found = double(_hessian)(*case[:3], layout=case.layout)
    return np.asarray(found)


_hessian = jax.jit(
    lambda vector, evidence, lane, layout: jax.hessian(
        lambda own: model.log_joint(model.unpack(own, layout), evidence, lane, layout)
    )(vector),
    static_argnames="layout",
)
