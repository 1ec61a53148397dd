"""Effects that images imply: averages of the clusters' effects by membership.

Draws are summarised block by block, so a country of places costs no more memory than
a village.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal._base.fit import Record
from distcausal.images.posterior import Posterior
from distcausal.numerics.band import check_confidence

__all__ = ["Cate", "cate_of"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Cate(Record):
    """Effects that images imply.

    Attributes
    ----------
    keys
        Labels of the images, ``(image,)``.
    mean, std
        Posterior mean and standard deviation of the effect, ``(image,)``.
    conf_low, conf_high
        Ends of posterior intervals, ``(image,)``.
    probabilities
        Posterior mean of the membership given the image, ``(image, cluster)``.
    """

    keys: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    probabilities: np.ndarray

    def __repr__(self) -> str:
        low, high = self.mean.min(initial=np.inf), self.mean.max(initial=-np.inf)
        return f"<Cate: {len(self.keys)} images, {low:.3g} to {high:.3g}>"


def cate_of(
    posterior: Posterior, keys: np.ndarray, features: np.ndarray, confidence: float
) -> Cate:
    """Posterior mean, spread and interval of the effect that each image implies.

    Parameters
    ----------
    posterior
        Draws of memberships and effects.
    keys, features
        Labels ``(image,)`` and features ``(image, D)`` of the images.
    confidence
        Coverage of the intervals, given the model.
    """
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    mean, std = np.empty(len(keys)), np.empty(len(keys))
    ends = np.empty((2, len(keys)))
    share = np.empty((len(keys), posterior.clusters))
    for place, member in posterior.blocks(features):
        effect = np.einsum("sik,sk->si", member, posterior.effects[..., 0])
        mean[place], std[place] = effect.mean(axis=0), effect.std(axis=0)
        ends[:, place] = np.quantile(effect, [tail, 1 - tail], axis=0)
        share[place] = member.mean(axis=0)
    return Cate(
        keys=keys,
        mean=mean,
        std=std,
        conf_low=ends[0],
        conf_high=ends[1],
        probabilities=share,
    )
