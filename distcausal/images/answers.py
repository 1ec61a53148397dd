"""What the design alone says of a fit: every question answered from held-out scores.

None of these answers uses the likelihood of the model; they ask how the treatment
worked where rules learnt on other units point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from distcausal._base.keys import Seed, seed_of
from distcausal.errors import DesignError

if TYPE_CHECKING:
    from distcausal.images.calibration import Calibration
    from distcausal.images.conformal import UnitEffects
    from distcausal.images.effect_bounds import EffectBounds
    from distcausal.images.homogeneity import EffectHomogeneity
    from distcausal.images.orthogonal import EffectParts
    from distcausal.images.outcomes import Outcome
    from distcausal.images.policy import PolicyValues
    from distcausal.images.rate import RankWeightedEffect
    from distcausal.images.salience import Salience
    from distcausal.images.scores import Scores
    from distcausal.images.trial import Trial

__all__ = ["DesignAnswers"]

_Answer = TypeVar(
    "_Answer",
    "Calibration",
    "EffectBounds",
    "EffectHomogeneity",
    "EffectParts",
    "PolicyValues",
    "Salience",
)


class DesignAnswers:
    """Methods of `ImageEffects` that rest on the assignment of the treatment."""

    scores: Scores
    trial: Trial
    outcome: Outcome
    expected: np.ndarray
    chance: np.ndarray
    settings: dict[str, Any]

    def homogeneity_test(
        self,
        *,
        alternative: str | None = None,
        combine: str = "mean",
        assign: str = "argmax",
    ) -> EffectHomogeneity:
        """Test that all clusters have one effect; see `effect_homogeneity`.

        By default against effects that rise as predicted, or, for distributions,
        against any difference.
        """
        from distcausal.images.homogeneity import effect_homogeneity

        usual = "ordered" if self.outcome.size == 1 else "any"
        found = effect_homogeneity(
            self.scores,
            alternative=usual if alternative is None else alternative,
            combine=combine,
            assign=assign,
        )
        return self._with_seed(found)

    def calibration(
        self, *, confidence: float = 0.95, combine: str = "mean"
    ) -> Calibration:
        """Line of the effects by design on those predicted; see `calibration`."""
        from distcausal.images.calibration import calibration

        return self._with_seed(
            calibration(self._first(), confidence=confidence, combine=combine)
        )

    def rate(
        self, *, target: str = "autoc", draws: int = 200, combine: str = "mean"
    ) -> RankWeightedEffect:
        """Gain from treating by rank of the predicted effect; see `rate`."""
        from distcausal.images.rate import rate

        return rate(
            self._first(),
            target=target,
            draws=draws,
            combine=combine,
            seed=self._seed,
        )

    def policy_values(
        self,
        *,
        cost: float | np.ndarray = 0.0,
        sets: Sequence[Sequence[int]] | None = None,
        assign: str = "argmax",
    ) -> PolicyValues:
        """Value of treating sets of clusters; see `policy_values`."""
        from distcausal.images.policy import policy_values

        return self._with_seed(
            policy_values(self._first(), cost=cost, sets=sets, assign=assign)
        )

    def unit_effects(self, confidence: float = 0.95) -> UnitEffects:
        """Conservative intervals of the effect on each unit; see `unit_effects`."""
        from distcausal.images.conformal import unit_effects

        return unit_effects(
            self.trial.outcome[:, 0],
            self.trial.treatment,
            self.expected[..., 0],
            self.chance,
            self.scores.effect,
            self.scores.fold,
            weights=self.trial.weights,
            group=self.trial.group,
            confidence=confidence,
            seed=self._seed,
        )

    def effect_parts(self, combine: str = "mean") -> EffectParts:
        """Split predicted effects into covariates and images; see `effect_parts`."""
        from distcausal.images.orthogonal import effect_parts

        if self.trial.covariates.shape[1] == 0:
            raise DesignError(
                "the fit has no covariates to split effects by; name some with "
                "covariates= in image_effects."
            )
        return self._with_seed(
            effect_parts(self._first(), self.trial.covariates, combine=combine)
        )

    def _first(self) -> Scores:
        """Scores of the first coordinate: the mean, where outcomes are curves."""
        return self.scores._replace(
            score=self.scores.score[..., :1],
            score_before=self.scores.score_before[..., :1],
        )

    def _with_seed(self, found: _Answer) -> _Answer:
        """An answer that draws nothing, with the seed that dealt its folds."""
        return replace(
            found, settings={**found.settings, "seed": self.settings["seed"]}
        )

    @property
    def _seed(self) -> Seed:
        return seed_of(self.settings["seed"])
