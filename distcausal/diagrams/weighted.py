"""Weighting estimators on a sample: laws fitted, averages taken, errors added up."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal.diagrams.factor import Source
from distcausal.diagrams.fixing import ADJUSTMENT, Roles
from distcausal.diagrams.needs import Need
from distcausal.diagrams.nuisance import Cells, Law, fit_law, fit_mean
from distcausal.diagrams.observations import Sample
from distcausal.diagrams.overlap import (
    asked_elsewhere,
    chances,
    read_overlap,
    tell_raised,
)
from distcausal.diagrams.plugin import PlugInFit
from distcausal.diagrams.weighting import Problem, estimator, laws_needed
from distcausal.errors import (
    ComplexityError,
    ConvergenceError,
    DataError,
    DesignError,
    PositivityError,
    check_choice,
    listing,
)

__all__ = ["ROBUST", "Models", "Weighted"]

ROBUST = ("aipw", "apipw")  # whose first-order error does not depend on the laws
_LARGEST = 2**26  # entries of the largest array, half a GiB
_SAME = 1e-9  # what rounding may make of an answer that does not depend on a guess
_STEP = 1e-30  # of a complex derivative, which rounding does not touch
Theta = dict[str, np.ndarray]


@dataclass(frozen=True)
class Models:
    """How conditional laws are to be modelled.

    Attributes
    ----------
    nuisances
        One way for all, or a mapping from variables, others being logits. Chances
        from learners that are divided by are raised to at least `nuisance.FLOOR`.
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
                f"{self.method!r} does not use; it uses that of "
                f"{listing(needed, 12) or 'none'}."
            )
        if self.models.learned and self.method not in ROBUST:
            raise DesignError(
                f"the error of method {self.method!r} depends on how well a learner "
                f"does, which nobody knows; use one of {listing(map(repr, ROBUST))} "
                "with learners."
            )
        if self.models.of == "mean":
            self._check_mean()
        self._check_finite()
        self._check_size()

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

    def _check_finite(self) -> None:
        """Raise if a number that models multiply is infinite."""
        asked = set(self.sample.names) - set(self.roles.later)
        if self.models.of == "mean":
            asked.add(self.roles.outcome)
        for name in sorted(asked):
            states = self.states.get(name, ())
            if not all(isinstance(s, Real) for s in states):
                continue
            bad = ~np.isfinite(np.array(states, dtype=float))
            if bad.any():
                at = self.sample.codes[:, self.sample.names.index(name)]
                raise DataError(
                    f"{name!r} enters as a number and should be finite, but "
                    f"{self.sample.count[bad[at]].sum():.0f} of {self.sample.n} "
                    "entries are infinite. Leave these rows out, or cut the variable "
                    "into classes."
                )

    def _check_size(self) -> None:
        """Raise if an array over cells and states would not fit into memory."""
        roles, size = self.roles, {n: len(s) for n, s in self.states.items()}
        mean = self.models.of == "mean"
        if mean:
            size[roles.outcome] = 1
        treated, answers = size[roles.treatment], size[roles.outcome]
        per_cell = {roles.outcome: answers * treated}
        for name, reads in laws_needed(roles, self.method).items():
            later = [size[one] for one in reads if one in roles.later]
            per_cell[name] = size[name] * int(np.prod(later, dtype=float))
        if self.method == "apipw":
            per_cell[roles.outcome] = max(per_cell[roles.outcome], answers * treated**2)
        worst = max(per_cell, key=lambda name: per_cell[name])
        cells = len(self.sample.mass)
        numbers = float(per_cell[worst]) * max(cells, answers)
        if numbers > _LARGEST:
            mend = ", or ask for of='mean'" if self._may_be_mean else ""
            raise ComplexityError(
                f"the law of {worst!r}, which has {size[worst]} states, needs "
                f"{numbers:.3g} numbers at {cells} distinct cells, more than "
                f"{_LARGEST}. Cut numeric variables into a few classes{mend}."
            )

    @property
    def _may_be_mean(self) -> bool:
        """Whether the mean alone could be asked for instead of the law."""
        numeric = all(isinstance(s, Real) for s in self.states[self.roles.outcome])
        return self.models.of == "law" and self.method in ADJUSTMENT and numeric

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
            theta = _theta(problem)
            needed = chances(problem, theta, self.method)
            if all((one.values > 0).all() for one in needed):
                found[place] = self._known(problem, theta)
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
        values = self._known(problem, theta)
        needs = self._overlap(problem, theta)
        if not np.isfinite(values).all():
            raise PositivityError(
                f"{self.method} needs the laws of {listing(problem.laws, 12)} among "
                f"rows that do not occur: some combination of {self.roles.treatment!r} "
                "with other variables has no observation. Merge states, or use "
                "logits, which carry over from others."
            )
        each = self._answer(problem, theta)[1]
        if not self.models.learned:
            each = each + self._through_laws(problem, theta)
        per_cell = np.zeros((len(sample.mass), each.shape[1]))
        per_cell[sample.mass > 0] = each
        per_unit = sample.units @ (per_cell / sample.mass.sum())
        covariance = (per_unit * sample.times[:, None]).T @ per_unit
        if sample.clusters is not None:
            covariance *= sample.clusters / (sample.clusters - 1)
        return PlugInFit(values, covariance, needs)

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        return tuple(len(labels) for labels in self.axes.values())

    def _problem(self, mass: np.ndarray) -> Problem:
        """Fit every law to the cells with these weights; those without are left out."""
        sample, roles, models = self.sample, self.roles, self.models
        keep = mass > 0
        places = {name: sample.codes[keep, i] for i, name in enumerate(sample.names)}
        numbers = frozenset(roles.later)
        cells = Cells(self.states, places, mass[keep], numbers, self._fold[keep])
        laws: dict[str, Law] = {}
        for name, reads in laws_needed(roles, self.method).items():
            how = models.of_variable(name)
            if name == roles.outcome and models.of == "mean":
                laws[name] = fit_mean(name, reads, how, cells, models.folds)
            else:
                divides = name != roles.outcome
                laws[name] = fit_law(
                    name, reads, how, cells, models.folds, divides=divides
                )
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

    def _known(self, problem: Problem, theta: Theta) -> np.ndarray:
        """Answers; NaN where they depend on a guess about strata without rows."""
        values = self._answer(problem, theta)[0]
        other = {
            name: theta[name] if law.other is None else law.other
            for name, law in problem.laws.items()
        }
        if all(law.other is None for law in problem.laws.values()):
            return values
        again = self._answer(problem, other)[0]
        near = np.abs(values - again) <= _SAME * np.maximum(np.abs(values), 1.0)
        return np.where(near, values, np.nan)

    def _answer(self, problem: Problem, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        """Answers, flat, and their change with a cell's weight, ``(cell, answer)``."""
        part, norm = estimator(self.roles, self.method)(problem, theta)
        share = problem.cells.mass / problem.cells.mass.sum()
        below = share @ norm
        with np.errstate(divide="ignore", invalid="ignore"):
            answer = np.einsum("n,nas->as", share, part) / below
            each = (part - answer * norm[:, None, :]) / below
        return answer.ravel(), each.reshape(len(share), -1)

    def _through_laws(self, problem: Problem, theta: Theta) -> np.ndarray:
        """Change of the answers with each cell's weight by way of the laws."""
        total = np.zeros((problem.rows, int(np.prod(self._shape))))
        for name, law in problem.laws.items():
            moving = np.flatnonzero(np.any(law.influence != 0, axis=0))
            slopes = np.zeros((len(moving), total.shape[1]))
            for row, place in enumerate(moving):
                shifted = law.theta.astype(complex)
                shifted[place] += _STEP * 1j
                moved = {**theta, name: shifted}
                slopes[row] = self._answer(problem, moved)[0].imag / _STEP
            total += law.influence[:, moving] @ slopes
        return total

    def _overlap(self, problem: Problem, theta: Theta) -> tuple[Need, ...]:
        """Smallest chances that matter, said aloud where they are small."""
        count = self.sample.count[self.sample.mass > 0]
        tell_raised(problem, count)
        found = chances(problem, theta, self.method)
        if self.method == "primal-ipw":
            how = self.models.of_variable(self.roles.treatment)
            how = "saturated" if isinstance(how, str) and how == "saturated" else None
            found += asked_elsewhere(problem, how or "logit")
        return read_overlap(problem, found, count)


def _theta(problem: Problem) -> Theta:
    return {name: law.theta for name, law in problem.laws.items()}
