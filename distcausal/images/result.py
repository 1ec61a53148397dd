"""What `image_effects` returns: the model's answer and the design's, side by side.

The result holds arrays of numbers, never images. What it is asked later, such as other
numbers of clusters or the effects at places without trial, is computed by functions
that take it, from what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.keys import Seed
from distcausal.errors import check_choice
from distcausal.images.aipw import AverageEffect, DesignEffects
from distcausal.images.answers import DesignAnswers
from distcausal.images.cate import Cate, cate_of
from distcausal.images.engines import EngineFit
from distcausal.images.outcomes import Outcome
from distcausal.images.posterior import Posterior
from distcausal.images.scores import Scores
from distcausal.images.stages import Model
from distcausal.images.trial import Trial
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table
    from distcausal.data.distributions import RandomDistributions
    from distcausal.images.compare import Comparison
    from distcausal.images.curves import ClusterCurves
    from distcausal.images.diagnosed import Diagnostics
    from distcausal.images.effect_bounds import EffectBounds
    from distcausal.images.salience import Salience
    from distcausal.images.transport import Transport

__all__ = ["ImageEffects"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageEffects(DesignAnswers, Result):
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
    plain
        Features that no outcome had a part in, ``(image, D)``.
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
    plain: np.ndarray
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
        keys, features = self._features(images)
        return cate_of(self.posterior, keys, features, confidence)

    def _features(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Keys and features of images; those of the trial if None."""
        if images is None:
            return self.keys, self.trial.features
        from distcausal.images.features import features
        from distcausal.images.scan import further_images

        source = further_images(self.encoder, images)
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

    def compare(
        self,
        clusters: Iterable[int] = range(1, 6),
        *,
        restarts: int = 2,
        draws: int = 64,
        seed: Seed | None = None,
    ) -> Comparison:
        """Compare numbers of clusters on held-out images; see `compare_clusters`."""
        from distcausal.images.compare import compare_clusters

        return compare_clusters(
            self, clusters, restarts=restarts, draws=draws, seed=seed
        )

    def curves(self, *, draws: int = 999) -> ClusterCurves:
        """Effects of clusters on quantiles, with bands; see `cluster_curves`."""
        from distcausal.images.curves import cluster_curves

        return cluster_curves(
            self.outcome,
            self.trial.treatment,
            self.scores,
            self.expected,
            self.chance,
            design=self.design,
            posterior=self.posterior,
            draws=draws,
            seed=self._seed,
        )

    @cached_property
    def distributions(self) -> RandomDistributions:
        """Law of the outcome by cluster and arm, one unit each.

        Where outcomes are distributions, the barycentre of those of the cluster; where
        they are numbers, the mixture: the law of the number in the cluster.
        """
        if not self.outcome.scalar:
            return self.curves().distributions
        from distcausal.images.laws import outcome_laws

        covariates = self.trial.covariates
        return outcome_laws(
            self.trial.outcome[:, 0],
            self.trial.treatment,
            self.plain[self.trial.image],
            self.scores,
            self.chance,
            design=self.design,
            covariates=covariates if covariates.shape[1] else None,
        )

    def diagnostics(self, coords: Any = None) -> Diagnostics:
        """Check data, search, clusters and intervals; see `diagnose`.

        ``coords``, ``(unit, 2)``, lets residuals be tested for spatial dependence.
        """
        from distcausal.images.diagnostics import diagnose

        return diagnose(self, coords=coords)

    def effect_bounds(self, points: Sequence[float] = (0.0,)) -> EffectBounds:
        """What effects on units can be, however outcomes pair; see `effect_bounds`."""
        from distcausal.images.effect_bounds import effect_bounds

        laws = self.distributions if self.outcome.scalar else None
        found = effect_bounds(
            self.posterior, laws, family=self.model.family, points=points
        )
        return self._with_seed(found)

    def transport(
        self,
        images: Any,
        *,
        keys: Any = None,
        coords: Any = None,
        weights: Any = None,
        rule: str = "knn",
        threshold: float = 0.99,
        confidence: float = 0.95,
        progress: bool | None = None,
    ) -> Transport:
        """Effects at other places, and how far they are from the trial.

        See `transport`.
        """
        from distcausal.images.transport import transport

        return transport(
            self.posterior,
            self.encoder,
            self.trial,
            images,
            keys=keys,
            scores=self.scores,
            coords=coords,
            weights=weights,
            rule=rule,
            threshold=threshold,
            confidence=confidence,
            seed=self._seed,
            progress=progress,
        )

    def salience(
        self,
        image: Any,
        cluster: int | None = None,
        *,
        method: Literal["gradient", "integrated", "occlusion"] = "gradient",
        baseline: Any = None,
        window: int | None = None,
        stride: int | None = None,
        tolerance: float = 0.01,
        draws: int | None = None,
    ) -> Salience:
        """Pixels that speak for a cluster, or for a larger effect; see `salience`.

        Clusters are counted from 1, as in every table.
        """
        from distcausal.images.salience import salience

        found = salience(
            self.encoder,
            self.posterior,
            image,
            cluster=cluster,
            method=method,
            baseline=baseline,
            window=window,
            stride=stride,
            tolerance=tolerance,
            draws=draws,
        )
        return self._with_seed(found)

    def summary(self, confidence: float = 0.95) -> Table:
        """Return the printable table, model and design side by side."""
        from distcausal.images._report import summary_table

        return summary_table(self, confidence)

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per estimated quantity."""
        from distcausal.images._frames import tidy

        return tidy(self, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row about the fit."""
        from distcausal.images._frames import glance

        return glance(self)

    def to_frame(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per image: key, units, memberships and implied effect."""
        from distcausal.images._frames import to_frame

        return to_frame(self, confidence)

    def to_dict(self) -> dict[str, Any]:
        """Return draws and data as nested mappings of arrays, as ArviZ reads them."""
        from distcausal.images._frames import to_dict

        return to_dict(self)

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw the posterior of each effect and the design's interval below it."""
        from distcausal.images._plot import draw_effects

        return draw_effects(self, ax=ax, confidence=confidence)

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return what `plot` draws."""
        return self.tidy(confidence)

    def plot_course(self, ax: Axes | None = None) -> Axes:
        """Draw the course of the search and where its restarts ended."""
        from distcausal.images._plot_course import draw_course

        return draw_course(self, ax=ax)

    def plot_exemplars(
        self,
        images: Any,
        ax: Any = None,
        *,
        count: int = 6,
        confidence: float = 0.95,
        bands: Any = None,
    ) -> Any:
        """Draw the images surest to be in each cluster, and the least sure ones."""
        from distcausal.images._plot_exemplars import draw_exemplars

        return draw_exemplars(
            self, images, ax=ax, count=count, confidence=confidence, bands=bands
        )
