"""What `image_effects` returns: the model's answer and the design's, side by side.

The result holds arrays of numbers, never images. What it is asked later, such as other
numbers of clusters or the effects at places without trial, is computed by functions
that take it, from what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from distcausal._base.fit import Record, Result
from distcausal.errors import check_choice
from distcausal.images.aipw import AverageEffect, DesignEffects
from distcausal.images.engines import EngineFit
from distcausal.images.outcomes import Outcome
from distcausal.images.posterior import Posterior
from distcausal.images.scores import Scores
from distcausal.images.stages import Model
from distcausal.images.trial import Trial
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["Cate", "ImageEffects"]


@dataclass(frozen=True, eq=False, kw_only=True)
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


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageEffects(Result):
    """Clusters of images by the effect of a treatment.

    Attributes
    ----------
    keys
        Labels of the images, ``(image,)``.
    posterior
        Draws of memberships, effects and noise.
    design
        Average effects of the clusters by design.
    fit
        What the engine reports.
    trial
        The arrays that were used, features of the images among them.
    scores
        Held-out memberships, effects and scores.
    expected, chance
        Cross-fitted outcomes of both arms, ``(2, split, unit, outcome)``, and
        probabilities of treatment, ``(split, unit)``.
    encoder
        What turns further images into features.
    outcome
        Outcomes as read, and the way from coordinates to curves.
    model
        The model's options.
    settings
        Every argument as used, with seed and versions.
    """

    cite_as: ClassVar[str] = "image_effects"

    keys: np.ndarray
    posterior: Posterior
    design: DesignEffects
    fit: EngineFit
    trial: Trial
    scores: Scores
    expected: np.ndarray
    chance: np.ndarray
    encoder: Any
    outcome: Outcome
    model: Model
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<ImageEffects: {self.posterior.clusters} clusters of {len(self.keys)} "
            f"images, {len(self.trial.ids)} units>"
        )

    @property
    def ate(self) -> AverageEffect:
        """Average effect by design, with its standard error."""
        return self.design.ate

    @cached_property
    def implied_ate(self) -> float:
        """Average over units of the effects that the model's images imply."""
        weight = np.bincount(self.trial.image, self.trial.weights, len(self.keys))
        return float(weight @ self.cate().mean / weight.sum())

    def cluster_probabilities(
        self,
        kind: Literal["prior", "posterior"] = "prior",
        level: Literal["image", "unit"] = "image",
    ) -> np.ndarray:
        """Probability of every cluster.

        Parameters
        ----------
        kind
            ``"prior"``: given the image alone, as for places without trial;
            ``"posterior"``: given the outcomes of its units too.
        level
            One row per image, in the order of ``keys``, or per unit.

        Returns
        -------
        Shape ``(image, cluster)`` or ``(unit, cluster)``.
        """
        check_choice("kind", kind, ("prior", "posterior"))
        check_choice("level", level, ("image", "unit"))
        if kind == "prior":
            found = self.posterior.mean_membership(self.trial.features)
        else:
            found = self._responsibility()
        return found[self.trial.image] if level == "unit" else found

    def _responsibility(self) -> np.ndarray:
        """Posterior membership of images; averaged where units have their own."""
        found = self.posterior.responsibility
        if self.model.latent_level == "image" and self.trial.shared:
            return found
        total = np.zeros((len(self.keys), found.shape[1]))
        np.add.at(total, self.trial.image, found)
        return total / np.bincount(self.trial.image)[:, None]

    def cate(self, images: Any = None, confidence: float = 0.95) -> Cate:
        """Effects implied by images.

        Parameters
        ----------
        images
            Array ``(image, height, width[, channel])`` or an `ImageSource`; None for
            the images of the trial.
        confidence
            Coverage of the intervals, given the model.

        Returns
        -------
        Cate
        """
        check_confidence(confidence)
        keys, features = self._features(images)
        mean, std = np.empty(len(keys)), np.empty(len(keys))
        ends = np.empty((2, len(keys)))
        share = np.empty((len(keys), self.posterior.clusters))
        tail = (1 - confidence) / 2
        for place, member in self.posterior.blocks(features):
            effect = np.einsum("sik,sk->si", member, self.posterior.effects[..., 0])
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

    def _features(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Keys and features of images; those of the trial if None."""
        if images is None:
            return self.keys, self.trial.features
        from distcausal.images.features import features
        from distcausal.images.scan import check_range
        from distcausal.images.source import ArraySource

        source = images if hasattr(images, "get") else ArraySource(images)
        check_range(source, self.encoder.moments)
        return source.keys, features(self.encoder, source)

    def cluster_effects(self, confidence: float = 0.95) -> pd.DataFrame:
        """Effects of the clusters, the model's and the design's.

        Parameters
        ----------
        confidence
            Coverage of the intervals.

        Returns
        -------
        One row per cluster, in order of the model's effect. ``share`` is the expected
        share of units, ``design_share`` that of units assigned out of fold, with which
        the ``design_estimate`` average to the average effect.
        """
        import pandas as pd

        check_confidence(confidence)
        tail = (1 - confidence) / 2
        draws = self.posterior.effects[..., 0]
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
        weights = self.trial.weights / self.trial.weights.sum()
        ends = self.design.conf_int(confidence)
        return pd.DataFrame(
            {
                "cluster": np.arange(1, self.posterior.clusters + 1),
                "share": weights @ self.cluster_probabilities(level="unit"),
                "model_estimate": draws.mean(axis=0),
                "model_std_error": draws.std(axis=0),
                "model_conf_low": low,
                "model_conf_high": high,
                "design_share": self.design.share,
                "design_estimate": self.design.estimate[:, 0],
                "design_std_error": self.design.std_error[:, 0],
                "design_conf_low": ends[0][:, 0],
                "design_conf_high": ends[1][:, 0],
            }
        )
