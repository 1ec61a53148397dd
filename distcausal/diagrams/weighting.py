"""Estimators of one treatment's effect that weight rows, or model them, or both.

All of them are averages over rows of a function of a few conditional laws. The laws are
arrays with an axis for the row and one for each later variable, so the averages are
contractions, and with complex numbers in place of the laws' parameters their
derivatives come out exactly. An estimate's error is then that of the average plus that
of each law passed through its derivative: the same rule for every estimator, whether or
not its models are right.

Sources: for adjustment the usual formulas; for treatments confounded with later
variables but not with their children, Bhattacharya, Nabi and Shpitser (2022), written
here as a recursion backwards from the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distcausal.diagrams.fixing import Roles
from distcausal.diagrams.nuisance import Cells, Law
from distcausal.numerics.tensor import contract

__all__ = ["Problem", "estimator", "laws_needed", "likelier", "own_district"]

ROW, SET, ANSWER = "(row)", "(set)", "(answer)"
Parts = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Named:
    """An array and the names of its axes."""

    values: np.ndarray
    names: tuple[str, ...]

    def at(self, places: Mapping[str, np.ndarray]) -> Named:
        """Fix axes, row by row, at the places of some variables."""
        fixed = [n for n in self.names if n in places]
        rest = [n for n in self.names if n not in places and n != ROW]
        order = [self.names.index(n) for n in (ROW, *fixed, *rest)]
        rows = np.arange(len(self.values))
        index = (rows, *(places[name] for name in fixed))
        return Named(self.values.transpose(order)[index], (ROW, *rest))

    def renamed(self, old: str, new: str) -> Named:
        """Give one axis another name."""
        names = tuple(new if name == old else name for name in self.names)
        return Named(self.values, names)


def product(factors: list[Named], names: tuple[str, ...], rows: int) -> np.ndarray:
    """Multiply arrays, sum over axes not named, repeat along those that none has."""
    factors = [Named(np.ones(rows), (ROW,)), *factors]
    number: dict[str, int] = {}
    for factor in factors:
        for name in factor.names:
            number.setdefault(name, len(number))
    found = contract(
        [factor.values for factor in factors],
        [tuple(number[name] for name in factor.names) for factor in factors],
        tuple(number[name] for name in names if name in number),
    )
    return found[tuple(slice(None) if n in number else None for n in names)]


@dataclass(frozen=True, eq=False)
class Problem:
    """What an estimator averages over.

    Attributes
    ----------
    roles
        Variables by role.
    cells
        The data.
    laws
        Fitted law of each variable that needs one.
    score
        What of the outcome is averaged, for each cell: one-hot states, or its number,
        ``(cell, answer)``.
    by_state
        The same for each state of the outcome, ``(state, answer)``.
    """

    roles: Roles
    cells: Cells
    laws: Mapping[str, Law]
    score: np.ndarray
    by_state: np.ndarray

    @property
    def rows(self) -> int:
        """Number of cells."""
        return len(self.cells.mass)

    @cached_property
    def prepared(self) -> dict[str, Any]:
        """For each law, its regressors at every setting of the later variables."""
        return {name: self._at_all(law) for name, law in self.laws.items()}

    def _grid(self, law: Law) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Later variables that a law reads, and their numbers of states."""
        later = self.roles.later
        names = tuple(one for one in law.reads if one in later)
        return names, tuple(len(self.cells.states[one]) for one in names)

    def _at_all(self, law: Law) -> Any:
        names, shape = self._grid(law)
        settings = np.indices(shape).reshape(len(names), int(np.prod(shape)))
        size = (self.rows, settings.shape[1])
        places = {law.name: np.broadcast_to(self.cells.places[law.name][:, None], size)}
        for one in law.reads:
            own = self.cells.places[one][:, None]
            if one in names:
                own = settings[names.index(one)][None]
            places[one] = np.broadcast_to(own, size)
        return law.prepare(places)

    def factor(self, name: str, theta: Mapping[str, np.ndarray]) -> Named:
        """Law of a variable at every row and every state of the later ones it reads."""
        law = self.laws[name]
        names, shape = self._grid(law)
        values = law.law(theta[name], self.prepared[name])
        return Named(values.reshape(self.rows, *shape, -1), (ROW, *names, name))

    def observed(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Places of those of some variables that the method reads at all."""
        places = self.cells.places
        return {name: places[name] for name in names if name in places}

    def treated(self) -> np.ndarray:
        """Whether each row has each state of the treatment, ``(cell, state)``."""
        name = self.roles.treatment
        return np.eye(len(self.cells.states[name]))[self.cells.places[name]]


Estimator = Callable[[Problem, Mapping[str, np.ndarray]], Parts]


def laws_needed(roles: Roles, method: str) -> dict[str, tuple[str, ...]]:
    """Variables whose law a method needs, and what these laws are given."""
    if not roles.later:
        return {}
    treatment, outcome = roles.treatment, roles.outcome
    first = {treatment: roles.blanket}
    second = {outcome: tuple(dict.fromkeys((treatment, *roles.blanket)))}
    inside = {name: roles.reads[name] for name in roles.later if name in roles.inside}
    outside = {name: roles.reads[name] for name in roles.outside}
    return {
        "gformula": second,
        "ipw": first,
        "aipw": first | second,
        "primal-ipw": inside,
        "dual-ipw": outside,
        "apipw": {name: roles.reads[name] for name in roles.later},
    }[method]


def estimator(roles: Roles, method: str) -> Estimator:
    """The average that a method takes; a plain one where there is nothing to weight."""
    return METHODS[method] if roles.later else unchanged


def unchanged(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Outcomes as they are, under every state of a treatment that changes nothing."""
    states = len(problem.cells.states[problem.roles.treatment])
    part = np.repeat(problem.score[:, :, None], states, axis=2)
    return part, np.ones((problem.rows, states))


def gformula(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Mean outcome predicted under each state of the treatment."""
    found = _predicted(problem, theta)
    return found, np.ones((problem.rows, found.shape[-1]))


def ipw(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Outcomes of the treated, weighted by one over the chance of being so."""
    chance = problem.factor(problem.roles.treatment, theta).values
    weight = _over(problem.treated(), chance)
    return problem.score[:, :, None] * weight[:, None, :], weight


def aipw(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Predictions, corrected by the weighted errors of those treated."""
    predicted = _predicted(problem, theta)
    chance = problem.factor(problem.roles.treatment, theta).values
    weight = _over(problem.treated(), chance)
    error = problem.score[:, :, None] - predicted
    return predicted + weight[:, None, :] * error, np.ones(weight.shape)


def primal_ipw(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Weight the treated by the chance that their district leaves them treated."""
    inside = [name for name in problem.roles.later if name in problem.roles.inside]
    weight = _over(problem.treated(), own_district(problem, theta, inside))
    return problem.score[:, :, None] * weight[:, None, :], weight


def own_district(
    problem: Problem, theta: Mapping[str, np.ndarray], names: Sequence[str]
) -> np.ndarray:
    """Chance of each treatment by the laws of its district, ``(cell, treatment)``."""
    observed = problem.observed(problem.roles.later[1:])
    laws = [problem.factor(name, theta).at(observed) for name in names]
    own = product(laws, (ROW, problem.roles.treatment), problem.rows)
    return own / own.sum(axis=1, keepdims=True)


def dual_ipw(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Weight rows by how much likelier their path would be under the treatment."""
    weight = likelier(problem, theta, problem.roles.outside)
    return problem.score[:, :, None] * weight[:, None, :], weight


def apipw(problem: Problem, theta: Mapping[str, np.ndarray]) -> Parts:
    """Expectation given the treatment had, and an error for each later variable."""
    roles = problem.roles
    total = _expected(problem, theta, 0)
    for step, name in enumerate(roles.later[1:], start=1):
        after = _expected(problem, theta, step, of_step=True)
        before = _expected(problem, theta, step - 1, of_step=True)
        surprise = after - before
        passed = roles.later[:step]
        if name in roles.inside:
            others = [n for n in passed if n in roles.outside]
            weight = likelier(problem, theta, others)
            own = _own_treatment(problem, surprise)
            total = total + weight[:, None, :] * own
        else:
            observed = problem.observed(passed[1:])
            ways = [
                problem.factor(n, theta).at(observed)
                for n in passed
                if n in roles.inside
            ]
            chance = product(ways, (ROW, roles.treatment), problem.rows)
            mixed = np.einsum("nt,ntas->nas", chance, surprise)
            weight = _over(problem.treated(), chance)
            total = total + weight[:, None, :] * mixed
    return total, np.ones((problem.rows, total.shape[-1]))


def _expected(
    problem: Problem,
    theta: Mapping[str, np.ndarray],
    step: int,
    *,
    of_step: bool = False,
) -> np.ndarray:
    """Expected score once the first ``step`` later variables are as observed.

    Variables outside the district are drawn as if the treatment were set, those inside
    as under the treatment the row has: with ``of_step`` for each treatment it might
    have, ``(cell, treatment, answer, set)``, else for its own, ``(cell, answer, set)``.
    """
    roles = problem.roles
    seen = problem.observed(roles.later[1 : step + 1])
    factors = []
    for name in roles.later[step + 1 :]:
        factor = problem.factor(name, theta).at(seen)
        if name not in roles.inside:
            factor = factor.renamed(roles.treatment, SET)
        factors.append(factor)
    if roles.outcome in roles.later[step + 1 :]:
        factors.append(Named(problem.by_state, (roles.outcome, ANSWER)))
    else:
        factors.append(Named(problem.score, (ROW, ANSWER)))
    found = product(factors, (ROW, roles.treatment, ANSWER, SET), problem.rows)
    states = len(problem.cells.states[roles.treatment])
    full = (problem.rows, states, found.shape[2], states)
    found = np.broadcast_to(found, full)
    return found if of_step else _own_treatment(problem, found)


def _own_treatment(problem: Problem, values: np.ndarray) -> np.ndarray:
    """Entries at the treatment that each row has."""
    own = problem.cells.places[problem.roles.treatment]
    return values[np.arange(problem.rows), own]


def likelier(
    problem: Problem, theta: Mapping[str, np.ndarray], names: Iterable[str]
) -> np.ndarray:
    """Chance of what is observed of some variables under each treatment.

    Over that under the own, ``(cell, treatment)``.
    """
    ways = [_likelier(problem, name, theta) for name in names]
    weight = product(ways, (ROW, SET), problem.rows)
    states = len(problem.cells.states[problem.roles.treatment])
    return np.broadcast_to(weight, (problem.rows, states))


def _likelier(problem: Problem, name: str, theta: Mapping[str, np.ndarray]) -> Named:
    """The same for one variable, ``(cell,)`` if it does not read the treatment."""
    treatment = problem.roles.treatment
    seen = problem.observed(problem.roles.later[1:])
    factor = problem.factor(name, theta).at(seen)
    if treatment not in factor.names:
        return Named(np.ones(problem.rows), (ROW,))
    own = factor.at(problem.observed([treatment])).values
    return Named(factor.values / own[:, None], (ROW, SET))


def _predicted(problem: Problem, theta: Mapping[str, np.ndarray]) -> np.ndarray:
    """Expected score of each row under each treatment, ``(cell, answer, set)``."""
    roles = problem.roles
    factor = problem.factor(roles.outcome, theta).renamed(roles.treatment, SET)
    by_state = Named(problem.by_state, (roles.outcome, ANSWER))
    found = product([factor, by_state], (ROW, ANSWER, SET), problem.rows)
    states = len(problem.cells.states[roles.treatment])
    return np.broadcast_to(found, (*found.shape[:2], states))


def _over(treated: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """One over the chance for those treated, zero for the others."""
    return treated / np.where(treated > 0, chance, 1.0)


METHODS: dict[str, Estimator] = {
    "gformula": gformula,
    "ipw": ipw,
    "aipw": aipw,
    "primal-ipw": primal_ipw,
    "dual-ipw": dual_ipw,
    "apipw": apipw,
}
