"""The image mixture by brute force, in NumPy and scipy, written from its definition.

Every assignment of clusters to images is enumerated and the outcomes of all units are
one draw of a multivariate normal given it; nothing is summed out or factorised.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import stats


def memberships(weights, bias, features):
    """Softmax of logits given in full, one column per cluster."""
    odds = np.exp(features @ weights + bias)
    return odds / odds.sum(axis=1, keepdims=True)


def log_likelihood(share, image, outcome, mean, variance, spread, weights):
    """Log of the density of all outcomes, clusters summed over all assignments.

    ``mean`` and ``variance`` are ``(unit, cluster)``, ``spread`` the variance that
    units of an image share, ``weights`` whole numbers: how often each unit occurs.
    """
    row = np.repeat(np.arange(len(outcome)), weights)
    together = spread * (image[row][:, None] == image[row][None, :])
    terms = []
    for clusters in product(range(share.shape[1]), repeat=len(share)):
        own = np.array(clusters)[image[row]]
        law = stats.multivariate_normal(
            mean[row, own], np.diag(variance[row, own]) + together
        )
        chance = np.log(share[np.arange(len(share)), clusters]).sum()
        terms.append(chance + law.logpdf(outcome[row]))
    return np.logaddexp.reduce(terms)


def log_densities(name, outcome, predictor, scale, df=None):
    """Log density of outcomes ``(unit,)`` by scipy's laws, shapes broadcasting.

    ``predictor`` has a last axis of columns for the hurdle, which is given the distance
    from its point.
    """
    if name == "normal":
        return stats.norm.logpdf(outcome, predictor, scale)
    if name == "student":
        return stats.t.logpdf(outcome, df, predictor, scale)
    if name == "lognormal":
        return stats.lognorm.logpdf(outcome, scale, scale=np.exp(predictor))
    if name == "bernoulli":
        return stats.bernoulli.logpmf(outcome, _chance(predictor))
    if name == "poisson":
        return stats.poisson.logpmf(outcome, np.exp(predictor))
    if name == "negative_binomial":
        mean, size = np.exp(predictor), 1 / scale**2
        return stats.nbinom.logpmf(outcome, size, size / (size + mean))
    off = _chance(predictor[..., 1])
    amount = np.log(off) + stats.norm.logpdf(outcome, predictor[..., 0], scale)
    return np.where(outcome == 0, np.log1p(-off), amount)


def means(name, predictor, scale):
    """Mean outcome by scipy's laws; of the hurdle the mean distance from its point."""
    if name in ("normal", "student"):
        return predictor
    if name == "lognormal":
        return stats.lognorm.mean(scale, scale=np.exp(predictor))
    if name == "bernoulli":
        return _chance(predictor)
    if name == "hurdle":
        return _chance(predictor[..., 1]) * predictor[..., 0]
    return np.exp(predictor)


def _chance(logit):
    return 1 / (1 + np.exp(-logit))
