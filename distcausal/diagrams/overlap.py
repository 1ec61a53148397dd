"""Whether every treatment is had by somebody, in all circumstances that count.

A weighting estimator takes rows of one treatment for rows of another. Which chance says
how many there are of them depends on the method, and is not always that of the
treatment given what comes before it: where later variables carry the effect, rows of
other treatments must have taken the same ways. One number does for all methods: the
factor by which such rows are rarer, which is one over the weight they get.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distcausal.diagrams.fixing import Roles
from distcausal.diagrams.needs import Need
from distcausal.diagrams.nuisance import fit_law
from distcausal.diagrams.weighting import Problem, likelier, own_district
from distcausal.errors import (
    ConvergenceError,
    InferenceWarning,
    PositivityError,
    listing,
)

__all__ = ["Chance", "chances", "read_overlap", "tell_raised"]

# overlap is poor if more than such a share of rows have chances below this,
MANY, POOR = 0.01, 0.05
TINY = 0.01  # or if one has a chance below this
Theta = Mapping[str, np.ndarray]


class Chance(NamedTuple):
    """How likely each treatment is in the circumstances of each cell.

    Attributes
    ----------
    event
        What it is the chance of, as text.
    reads
        Variables that make up the circumstances.
    said
        The same in the words of a warning.
    values
        Shape ``(cell, treatment)``, at most 1.
    """

    event: str
    reads: tuple[str, ...]
    said: str
    values: np.ndarray


def chances(problem: Problem, theta: Theta, method: str) -> list[Chance]:
    """Chances that a method, directly or not, divides by.

    For ``"ipw"`` and ``"aipw"`` that of the treatment given the blanket. For
    ``"primal-ipw"`` and ``"apipw"`` that of the treatment by the laws of its district;
    for the latter only as far as there is another variable after them. For
    ``"dual-ipw"`` and ``"apipw"`` how much less likely the values observed of the other
    variables are under each treatment than under the own, if less likely; for the
    latter only as far as there is a variable of the district after them.
    """
    roles = problem.roles
    if not roles.later or method == "gformula":
        return []
    if method in ("ipw", "aipw"):
        law = problem.laws[roles.treatment]
        chance = problem.factor(roles.treatment, theta).values
        return [_of_treatment(roles, law.reads, chance)]
    inside = [name for name in roles.later if name in roles.inside]
    outside = list(roles.outside)
    if method == "apipw":
        inside, outside = _before(roles, inside), _before(roles, outside)
    found = []
    if inside and method != "dual-ipw":
        reads = dict.fromkeys(one for name in inside for one in roles.reads[name])
        around = dict.fromkeys((*reads, *inside[1:]))
        given = tuple(name for name in around if name != roles.treatment)
        chance = own_district(problem, theta, inside)
        found.append(_of_treatment(roles, given, chance))
    if outside and method != "primal-ipw":
        ratio = np.minimum(likelier(problem, theta, outside), 1.0)
        found.append(_of_ways(roles, outside, ratio))
    return found


def _before(roles: Roles, names: Sequence[str]) -> list[str]:
    """Those of some later variables that some other later variable comes after."""
    others = [place for place, one in enumerate(roles.later) if one not in names]
    return [name for name in names if roles.later.index(name) < max(others, default=0)]


def _of_treatment(roles: Roles, reads: tuple[str, ...], chance: np.ndarray) -> Chance:
    name = roles.treatment
    event = f"P({name} | {', '.join(reads)})" if reads else f"P({name})"
    return Chance(event, reads, f"the chance of some state of {name!r}", chance)


def _of_ways(roles: Roles, names: Sequence[str], ratio: np.ndarray) -> Chance:
    treatment, ways = roles.treatment, ", ".join(names)
    given = dict.fromkeys(one for name in names for one in roles.reads[name])
    around = [one for one in dict.fromkeys((*given, *names)) if one != treatment]
    said = (
        f"what is seen of {ways} is so much rarer under another state of {treatment!r} "
        "that its chance, relative to that under their own,"
    )
    return Chance(f"P({ways} | {treatment}) / own", tuple(around), said, ratio)


def asked_elsewhere(problem: Problem, how: object) -> list[Chance]:
    """Chance of the treatment given what else the laws of its district are given.

    These laws are asked what they are under every treatment, and learn it from rows
    that had it. A law that no weight shows to be rarely learned is so seen.
    """
    roles, found = problem.roles, []
    for name in roles.later[1:]:
        reads = roles.reads[name]
        if name not in roles.inside or roles.treatment not in reads:
            continue
        given = tuple(one for one in reads if one != roles.treatment)
        try:
            law = fit_law(roles.treatment, given, how, problem.cells, 2)
        except ConvergenceError:
            raise PositivityError(
                f"the law of {name!r} is needed for every state of "
                f"{roles.treatment!r} given {listing(given, 12)}, but some state can "
                "be told exactly from these: others never occur with them. Merge "
                "states, or leave the state out."
            ) from None
        places = {one: problem.cells.places[one][:, None] for one in (law.name, *given)}
        chance = law.law(law.theta, law.prepare(places))[:, 0]
        found.append(_of_treatment(roles, given, chance))
    return found


def read_overlap(
    problem: Problem, found: Sequence[Chance], count: np.ndarray
) -> tuple[Need, ...]:
    """Smallest of each chance, said aloud where it is small.

    Raises
    ------
    PositivityError
        If some chance is zero.
    """
    states, places = problem.cells.states, problem.cells.places
    treatment, needs = problem.roles.treatment, []
    for one in found:
        row, state = np.unravel_index(one.values.argmin(), one.values.shape)
        least = float(one.values[row, state])
        set_to = f"{treatment}={states[treatment][state]!r}"
        at = [f"{n}={states[n][places[n][row]]!r}" for n in one.reads if n in places]
        if not least > 0:
            raise PositivityError(
                f"nobody with {listing(at, 12) or 'any history'} has {set_to}, so "
                "nothing is known of what it would do to them. Merge states, leave "
                f"{set_to} out of the data, or see whether method='plugin' can answer."
            )
        poor = float(count[(one.values < POOR).any(axis=1)].sum())
        if poor > MANY * count.sum() or least < TINY:
            warnings.warn(
                f"for {poor:.0f} of {count.sum():.0f} observations {one.said} is below "
                f"{POOR}, at least {least:.2g}: a few rows carry the estimate, and its "
                "error is too optimistic. Compare with method='plugin' or 'gformula', "
                "or leave such rows out.",
                InferenceWarning,
                stacklevel=5,
            )
        where = ", ".join(dict.fromkeys([set_to, *at]))
        size = len(states[treatment])
        needs.append(Need(one.event, where, least, float("nan"), size))
    return tuple(needs)


def tell_raised(problem: Problem, count: np.ndarray) -> None:
    """Warn of chances from learners that were raised to be divided by."""
    for name, law in problem.laws.items():
        if not law.floor:
            continue
        low = (problem.prepared[name] < law.floor).any(axis=(1, 2))
        if low.any():
            warnings.warn(
                f"for {count[low].sum():.0f} of {count.sum():.0f} observations the "
                f"learner of {name!r} gives some state a chance below {law.floor:g}, "
                "which was raised to that, since the estimate divides by it. Use a "
                "smoother learner, or compare with nuisances='logit'.",
                InferenceWarning,
                stacklevel=5,
            )
