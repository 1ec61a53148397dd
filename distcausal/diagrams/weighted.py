"""Weighting estimators on a sample: laws fitted, averages taken, errors added up."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal.diagrams.factor import Source
from distcausal.diagrams.fixing import ADJUSTMENT, Roles
from distcausal.diagrams.needs import Need
from distcausal.diagrams.nuisance import Cells, Law, fit_law, fit_mean
from distcausal.diagrams.observations import Sample
from distcausal.diagrams.plugin import PlugInFit
from distcausal.diagrams.weighting import METHODS, Problem, laws_needed
from distcausal.errors import (
    ConvergenceError,
    DataError,
    DesignError,
    InferenceWarning,
    PositivityError,
    check_choice,
    listing,
)

__all__ = ["ROBUST", "Models", "Weighted"]

ROBUST = ("aipw", "apipw")  # whose first-order error does not depend on the laws
# overlap is poor if more than such a share of rows have chances below this,
_MANY, _POOR = 0.01, 0.05
_TINY = 0.01  # or if one has a chance below this
_STEP = 1e-30  # of a complex derivative, which rounding does not touch
Theta = dict[str, np.ndarray]


@dataclass(frozen=True)
class Models:
    """How conditional laws are to be modelled.

    Attributes
    ----------
    nuisances
        One way for all, or a mapping from variables, others being logits.
    folds
        Number of folds for learners.
    of
        ``"law"`` or ``"mean"``: what of the outcome is estimated.
    """

    nuisances: Any = "logit"
    folds: int = 5
    of: str = "law"

    def __post_init__(self) -> None:
        check_choice("of", self.of, ("law", "mean"))
        whole = isinstance(self.folds, int | np.integer)
        if not whole or isinstance(self.folds, bool) or self.folds < 2:
            raise DesignError(
                f"folds {self.folds!r} should be a whole number, 2 or more."
            )

    def of_variable(self, name: str) -> Any:
        """The way of one variable."""
        if isinstance(self.nuisances, Mapping):
            return self.nuisances.get(name, "logit")
        return self.nuisances

    @property
    def learned(self) -> bool:
        """Whether some law comes from a learner."""
        ways = self.nuisances
        given = ways.values() if isinstance(ways, Mapping) else [ways]
        return any(hasattr(one, "fit") for one in given)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A weighting estimator of one treatment's effect, and the sample it is given.

    Attributes
    ----------
    roles
        Variables by role.
    method
        One of `METHODS`.
    sample, states
        Counts of distinct cells, and states of all variables.
    models
        How laws are modelled.
    seed
        For the folds of learners.
    """

    roles: Roles
    method: str
    sample: Sample
    states: Mapping[str, tuple[Hashable, ...]]
    models: Models
    seed: Seed = 0

    def __post_init__(self) -> None:
        needed = laws_needed(self.roles, self.method)
        ways = self.models.nuisances
        strangers = (
            [n for n in ways if n not in needed] if isinstance(ways, Mapping) else []
        )
        if strangers:
            raise DesignError(
                f"nuisances names {listing(strangers)}, whose law method "
                f"{self.method!r} does not use; it uses that of {listing(needed, 12)}."
            )
        if self.models.learned and self.method not in ROBUST:
            raise DesignError(
                f"the error of method {self.method!r} depends on how well a learner "
                f"does, which nobody knows; use one of {listing(map(repr, ROBUST))} "
                "with learners."
            )
        if self.models.of == "mean":
            self._check_mean()

    def _check_mean(self) -> None:
        """Raise unless the mean of the outcome can be asked for."""
        if self.method not in ADJUSTMENT:
            raise DesignError(
                f"of='mean' is for the methods {listing(map(repr, ADJUSTMENT))}; "
                f"method {self.method!r} weighs by the law of the outcome. Use "
                "of='law' and contrast(), which compares means."
            )
        try:
            np.array(self.states[self.roles.outcome], dtype=float)
        except (TypeError, ValueError):
            raise DataError(
                f"of='mean' needs a numeric outcome, but {self.roles.outcome!r} has "
                f"the states {listing(self.states[self.roles.outcome])}."
            ) from None

    @property
    def axes(self) -> dict[str, tuple[Hashable, ...]]:
        """Axes of the answer."""
        names = (self.roles.outcome, self.roles.treatment)
        kept = names if self.models.of == "law" else names[1:]
        return {name: self.states[name] for name in kept}

    @property
    def samples(self) -> dict[Source, Sample]:
        """The one sample, by its source."""
        return {(): self.sample}

    @property
    def widest(self) -> int:
        """Numbers that one resample takes."""
        return len(self.sample.mass) * len(self.states[self.roles.treatment])

    def values(self, times: Mapping[Source, np.ndarray]) -> np.ndarray:
        """Answers for every resample, laws fitted anew; NaN where there is none."""
        masses = times[()] @ self.sample.units
        found = np.full((len(masses), int(np.prod(self._shape))), np.nan)
        for place, mass in enumerate(masses):
            try:
                problem = self._problem(mass)
            except ConvergenceError:
                continue
            found[place] = self._answer(problem, _theta(problem), mass)[0]
        return found

    def fit(self) -> PlugInFit:
        """Answers, their covariance, and the smallest chance of a treatment.

        Raises
        ------
        PositivityError
            If a law is needed where there are no observations.
        ConvergenceError
            If a logit has no maximum.
        """
        sample = self.sample
        problem = self._problem(sample.mass)
        theta = _theta(problem)
        values, each = self._answer(problem, theta, sample.mass)
        if not np.isfinite(values).all():
            raise PositivityError(
                f"{self.method} needs the laws of {listing(problem.laws, 12)} among "
                f"rows that do not occur: some combination of {self.roles.treatment!r} "
                "with other variables has no observation. Merge states, or use "
                "logits, which carry over from others."
            )
        if not self.models.learned:
            each = each + self._through_laws(problem, theta)
        per_unit = sample.units @ (each / sample.mass.sum())
        covariance = (per_unit * sample.times[:, None]).T @ per_unit
        if sample.clusters is not None:
            covariance *= sample.clusters / (sample.clusters - 1)
        return PlugInFit(values, covariance, self._overlap(problem, theta))

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        return tuple(len(labels) for labels in self.axes.values())

    def _problem(self, mass: np.ndarray) -> Problem:
        """Fit every law to the cells with these weights."""
        sample, roles, models = self.sample, self.roles, self.models
        places = {name: sample.codes[:, i] for i, name in enumerate(sample.names)}
        cells = Cells(self.states, places, mass, frozenset(roles.later), self._fold)
        laws: dict[str, Law] = {}
        for name, reads in laws_needed(roles, self.method).items():
            mean = models.of == "mean" and name == roles.outcome
            fit = fit_mean if mean else fit_law
            laws[name] = fit(name, reads, models.of_variable(name), cells, models.folds)
        states = self.states[roles.outcome]
        if models.of == "mean":
            number = np.array(states, dtype=float)
            return Problem(
                roles, cells, laws, number[places[roles.outcome], None], np.ones((1, 1))
            )
        one_hot = np.eye(len(states))
        return Problem(roles, cells, laws, one_hot[places[roles.outcome]], one_hot)

    @cached_property
    def _fold(self) -> np.ndarray:
        """Fold of each cell; all rows of a cluster are in one."""
        sample = self.sample
        if not self.models.learned:
            return np.zeros(len(sample.mass), int)
        rng = host_stream(self.seed, "folds")
        unit, cell = sample.units.nonzero()
        count = sample.units.shape[0]
        if count < self.models.folds:
            raise DesignError(
                f"folds {self.models.folds} are more than the {count} independent "
                "units."
            )
        fold = np.empty(len(sample.mass), int)
        fold[cell] = (rng.permutation(count) % self.models.folds)[unit]
        return fold

    def _answer(
        self, problem: Problem, theta: Theta, mass: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Answers, flat, and their change with a cell's weight, ``(cell, answer)``."""
        part, norm = METHODS[self.method](problem, theta)
        share = mass / mass.sum()
        below = share @ norm
        with np.errstate(divide="ignore", invalid="ignore"):
            answer = np.einsum("n,nas->as", share, part) / below
            each = (part - answer * norm[:, None, :]) / below
        return answer.ravel(), each.reshape(len(share), -1)

    def _through_laws(self, problem: Problem, theta: Theta) -> np.ndarray:
        """Change of the answers with each cell's weight by way of the laws."""
        total = np.zeros((len(self.sample.mass), int(np.prod(self._shape))))
        for name, law in problem.laws.items():
            moving = np.flatnonzero(np.any(law.influence != 0, axis=0))
            slopes = np.zeros((len(moving), total.shape[1]))
            for row, place in enumerate(moving):
                shifted = law.theta.astype(complex)
                shifted[place] += _STEP * 1j
                moved = {**theta, name: shifted}
                answer = self._answer(problem, moved, self.sample.mass)[0]
                slopes[row] = answer.imag / _STEP
            total += law.influence[:, moving] @ slopes
        return total

    def _overlap(self, problem: Problem, theta: Theta) -> tuple[Need, ...]:
        """Smallest chance of a treatment, said aloud where it is small."""
        treatment = self.roles.treatment
        if treatment not in problem.laws:
            return ()
        law, states = problem.laws[treatment], self.states[treatment]
        chance = problem.factor(treatment, theta).values
        if not np.all(chance > 0):
            rows, place = np.argwhere(~(chance > 0))[0]
            at = [
                f"{n}={self.states[n][problem.cells.places[n][rows]]!r}"
                for n in law.reads
            ]
            raise PositivityError(
                f"nobody with {listing(at, 12)} has {treatment}={states[place]!r}, so "
                "nothing is known of what it would do to them. Merge states, or leave "
                f"{treatment}={states[place]!r} out of the data."
            )
        rows, place = np.unravel_index(chance.argmin(), chance.shape)
        poor = float(self.sample.count[(chance < _POOR).any(axis=1)].sum())
        event = (
            f"P({treatment} | {', '.join(law.reads)})"
            if law.reads
            else f"P({treatment})"
        )
        if poor > _MANY * self.sample.n or chance.min() < _TINY:
            warnings.warn(
                f"for {poor:.0f} of {self.sample.n} observations the chance of some "
                f"state of {treatment!r} is below {_POOR}, at least "
                f"{chance.min():.2g}: a few rows carry the estimate, and its error is "
                "too optimistic. Compare with method='plugin' or 'gformula', or leave "
                "such rows out.",
                InferenceWarning,
                stacklevel=4,
            )
        at = [
            f"{n}={self.states[n][problem.cells.places[n][rows]]!r}" for n in law.reads
        ]
        return (
            Need(
                event,
                ", ".join([f"{treatment}={states[place]!r}", *at]),
                float(chance.min()),
                float("nan"),
                len(states),
            ),
        )


def _theta(problem: Problem) -> Theta:
    return {name: law.theta for name, law in problem.laws.items()}
