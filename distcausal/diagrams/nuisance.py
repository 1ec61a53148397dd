"""Conditional laws that weighting estimators need: tables, logits, or learners.

A law of one variable given others is fitted once to the distinct cells of the data and
then asked at cells as they are and as they would be, with other states of the treatment
and of what follows it. Tables and logits are functions of a few parameters, and each
says how its parameters move with the weight of a cell; so errors of what is built on
them follow by the chain rule. A learner says no such thing. It is fitted on other folds
than it is asked on, and served only to estimators whose first-order error does not
depend on it. Many say 0 or 1 of what is merely rare, or likely; since estimators divide
by these chances they are raised to 0.01 (to a tenth of an even share, where that is
less) before the law is made to sum to one again. The law of the outcome, which nothing
is divided by, is left as the learner has it.

Shares of a stratum without rows are unknown. They are guessed twice, differently: what
changes from one guess to the other is unknown too, and all else is not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from distcausal.diagrams.learned import fit_copy
from distcausal.errors import ConvergenceError, DesignError, QueryError, listing
from distcausal.numerics.multilogit import fit_logit, logit_law

__all__ = ["FLOOR", "Cells", "Law", "fit_law", "fit_mean"]

FLOOR = 0.01  # smallest chance from a learner that an estimator divides by
MOST = 4096  # parameters of one law; each costs one more evaluation
Places = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Cells:
    """Distinct cells of the data, as regressors see them.

    Attributes
    ----------
    states
        States of every variable.
    places
        For each variable the place of its state in every cell, ``(cell,)``.
    mass
        Weight of each cell.
    discrete
        Variables that enter by their states even if these are numbers.
    fold
        Fold of every cell.
    """

    states: Mapping[str, tuple[Hashable, ...]]
    places: Places
    mass: np.ndarray
    discrete: frozenset[str]
    fold: np.ndarray

    def columns(self, reads: Sequence[str], places: Places) -> np.ndarray:
        """Regressors at some places: one, numbers in standard units, states but one."""
        size = next(iter(places.values())).shape if places else self.mass.shape
        found = [np.ones((*size, 1))]
        for name in reads:
            if name in self._standard:
                found.append(self._standard[name][places[name]][..., None])
            else:
                found.append(np.eye(len(self.states[name]))[places[name]][..., 1:])
        return np.concatenate(found, axis=-1)

    @cached_property
    def _standard(self) -> dict[str, np.ndarray]:
        """Numbers behind the states of numeric variables, in standard units."""
        found = {}
        for name in set(self.places) - self.discrete:
            states = self.states[name]
            if all(isinstance(s, Real) and not isinstance(s, bool) for s in states):
                number = np.array(states, dtype=float)
                at = number[self.places[name]]
                middle = np.average(at, weights=self.mass)
                spread = np.sqrt(np.average((at - middle) ** 2, weights=self.mass))
                found[name] = (number - middle) / (spread or 1.0)
        return found


@dataclass(frozen=True, eq=False)
class Law:
    """A fitted conditional law of one variable.

    Attributes
    ----------
    name, reads
        The variable, and what it is conditional on.
    theta
        Parameters, shape ``(parameter,)``; empty for learners.
    influence
        Change of the parameters with the share of the weight that a cell has,
        ``(cell, parameter)``.
    prepare
        Turns places, arrays ``(cell, setting)``, into what ``law`` takes.
    law
        Function of parameters and what was prepared: ``(cell, setting, state)``; for a
        mean in place of a law the last axis has length one.
    other
        Parameters with other guesses of what the data say nothing about; None if there
        is no such thing.
    floor
        What chances from a learner are raised to; 0 if they are not, or there is none.
    """

    name: str
    reads: tuple[str, ...]
    theta: np.ndarray
    influence: np.ndarray
    prepare: Callable[[Places], Any]
    law: Callable[[np.ndarray, Any], np.ndarray]
    other: np.ndarray | None = None
    floor: float = 0.0


def fit_law(
    name: str,
    reads: Sequence[str],
    how: Any,
    cells: Cells,
    folds: int,
    *,
    divides: bool = True,
) -> Law:
    """Fit the law of a variable given others.

    Parameters
    ----------
    how
        ``"logit"``, ``"saturated"``, names of some of the variables for a logit in
        these alone, or a learner with ``fit`` and ``predict_proba``.
    divides
        Whether something is divided by the law, so that a learner's zeros will not do.

    Raises
    ------
    DesignError
        If ``how`` is none of these, or a table has too many entries.
    ConvergenceError
        If a logit has no maximum.
    """
    if isinstance(how, str) and how == "saturated":
        return _table(name, tuple(reads), cells)
    if isinstance(how, str) and how == "logit":
        return _logit(name, tuple(reads), cells)
    if hasattr(how, "fit") and hasattr(how, "predict_proba"):
        floor = min(FLOOR, 0.1 / len(cells.states[name])) if divides else 0.0
        return _learner(name, tuple(reads), how, cells, folds, floor=floor)
    if isinstance(how, str) or not isinstance(how, Sequence):
        raise DesignError(_unknown(name, how, "predict_proba"))
    _check_among(name, how, reads)
    return _logit(name, tuple(how), cells)


def fit_mean(
    name: str, reads: Sequence[str], how: Any, cells: Cells, folds: int
) -> Law:
    """Fit the mean of a numeric variable given others, as `fit_law` fits laws.

    In place of a logit there is a linear regression, and learners have ``predict``.
    """
    number = np.array(cells.states[name], dtype=float)[cells.places[name]]
    if isinstance(how, str) and how == "saturated":
        return _table(name, tuple(reads), cells, number[:, None])
    if hasattr(how, "fit") and hasattr(how, "predict"):
        return _learner(name, tuple(reads), how, cells, folds, number)
    chosen = reads if isinstance(how, str) and how == "logit" else how
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise DesignError(_unknown(name, how, "predict"))
    _check_among(name, chosen, reads)
    return _linear(name, tuple(chosen), cells, number)


def _unknown(name: str, how: Any, ask: str) -> str:
    return (
        f"the model of {name!r} should be 'logit', 'saturated', names of variables to "
        f"use, or a learner with fit and {ask}, but is {how!r}."
    )


def _check_among(name: str, chosen: Sequence[str], reads: Sequence[str]) -> None:
    strangers = [one for one in chosen if one not in reads]
    if strangers:
        raise QueryError(
            f"the law of {name!r} is given {listing(reads, 12) or 'nothing'}, and not "
            f"{listing(strangers)}; choose among the former."
        )


def _table(
    name: str, reads: tuple[str, ...], cells: Cells, told: np.ndarray | None = None
) -> Law:
    """Shares, or means of what is told about each cell, in every stratum."""
    shape = tuple(len(cells.states[one]) for one in reads)
    each = np.eye(len(cells.states[name]))[cells.places[name]] if told is None else told
    strata, states = int(np.prod(shape)), each.shape[1]
    if strata * states > MOST:
        raise DesignError(
            f"a table of {name!r} given {listing(reads, 12)} has {strata * states} "
            f"entries, more than {MOST}; use a logit or a learner."
        )

    def stratum(places: Places) -> np.ndarray:
        if not reads:
            return np.zeros(next(iter(places.values())).shape, int)
        return np.ravel_multi_index([places[one] for one in reads], shape)

    own = stratum(cells.places)
    total = np.bincount(own, cells.mass, strata)
    added = np.zeros((strata, states))
    np.add.at(added, own, cells.mass[:, None] * each)
    share = added / np.where(total > 0, total, 1.0)[:, None]
    share, other = _guessed(share, total, law=told is None)
    part = np.where(total > 0, total, 1.0)[own] / cells.mass.sum()
    influence = np.zeros((len(own), strata, states))
    influence[np.arange(len(own)), own] = (each - share[own]) / part[:, None]
    return Law(
        name,
        reads,
        share.ravel(),
        influence.reshape(len(own), -1),
        stratum,
        lambda theta, at: theta.reshape(strata, states)[at],
        other,
    )


def _guessed(
    share: np.ndarray, total: np.ndarray, *, law: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Two tables that agree where there are data and nowhere else."""
    gaps = total == 0
    if not gaps.any():
        return share, None
    # by chance, so that no answer is the same under both unless it must be
    rng = np.random.default_rng(0)
    size = (2, int(gaps.sum()), share.shape[1])
    guess = rng.dirichlet(np.ones(size[2]), size[:2]) if law else rng.normal(size=size)
    if not law:
        guess = share[~gaps].mean() + guess * (np.ptp(share[~gaps]) + 1)
    found = np.repeat(share[None], 2, axis=0)
    found[:, gaps] = guess
    return found[0], found[1].ravel()


def _logit(name: str, reads: tuple[str, ...], cells: Cells) -> Law:
    """Logistic regression, with a coefficient per state for every regressor."""
    states = len(cells.states[name])
    own = {one: cells.places[one] for one in (*reads, name)}
    fit = fit_logit(cells.columns(reads, own), cells.places[name], cells.mass, states)
    if not fit.converged:
        why = (
            "has no maximum: some of its states can be told exactly from the others"
            if fit.separated
            else "was not fitted in a hundred steps"
        )
        raise ConvergenceError(
            f"the logit of {name!r} given {listing(reads, 12) or 'nothing'} {why}. Use "
            f"fewer variables for it, as nuisances={{{name!r}: [...]}}, or 'saturated'."
        )

    def law(theta: np.ndarray, columns: np.ndarray) -> np.ndarray:
        flat = columns.reshape(-1, columns.shape[-1])
        found = logit_law(theta.reshape(fit.coef.shape), flat)
        return found.reshape(*columns.shape[:-1], states)

    return Law(
        name,
        reads,
        fit.coef.ravel(),
        fit.influence,
        lambda places: cells.columns(reads, places),
        law,
    )


def _linear(name: str, reads: tuple[str, ...], cells: Cells, number: np.ndarray) -> Law:
    """Least squares."""
    columns = cells.columns(reads, {n: cells.places[n] for n in (*reads, name)})
    share = cells.mass / cells.mass.sum()
    weighted = columns * share[:, None]
    inverse = np.linalg.pinv(weighted.T @ columns)
    coef = inverse @ (weighted.T @ number)
    influence = (columns * (number - columns @ coef)[:, None]) @ inverse
    return Law(
        name,
        reads,
        coef,
        influence,
        lambda places: cells.columns(reads, places),
        lambda theta, at: (at @ theta)[..., None],
    )


def _learner(
    name: str,
    reads: tuple[str, ...],
    how: Any,
    cells: Cells,
    folds: int,
    number: np.ndarray | None = None,
    floor: float = 0.0,
) -> Law:
    """Predictions for each fold by a copy of the learner fitted on the others."""
    own = cells.columns(reads, {n: cells.places[n] for n in (*reads, name)})[:, 1:]
    if own.shape[1] == 0:  # nothing to learn from: a share, or a mean, of all
        return _table(name, (), cells, None if number is None else number[:, None])
    target = cells.places[name] if number is None else number
    fitted = []
    for fold in range(folds):
        use = cells.fold != fold
        weights = None if np.ptp(cells.mass) == 0 else cells.mass[use]
        if number is None and np.ptp(target[use]) == 0:
            fitted.append(_Sure(target[use][:1]))
        else:
            fitted.append(fit_copy(how, own[use], target[use], weights, name))

    def asked(one: Any, columns: np.ndarray) -> np.ndarray:
        if number is not None:
            return np.asarray(one.predict(columns), dtype=float)[:, None]
        told = np.zeros((len(columns), len(cells.states[name])))
        chance = np.asarray(one.predict_proba(columns), dtype=float)
        classes = getattr(one, "classes_", np.arange(chance.shape[1]))
        told[:, np.asarray(classes, dtype=int)] = chance
        return told

    def prepare(places: Places) -> np.ndarray:
        columns = cells.columns(reads, places)[..., 1:]
        flat = columns.reshape(np.prod(columns.shape[:2]), columns.shape[2])
        fold = np.repeat(cells.fold, columns.shape[1])
        parts = [(fold == k, one) for k, one in enumerate(fitted)]
        found = [(at, asked(one, flat[at])) for at, one in parts if at.any()]
        full = np.zeros((len(flat), found[0][1].shape[1]))
        for at, chance in found:
            full[at] = chance
        return full.reshape(*columns.shape[:2], -1)

    def law(_: np.ndarray, found: np.ndarray) -> np.ndarray:
        raised = np.maximum(found, floor) if floor else found
        return raised / raised.sum(axis=-1, keepdims=True) if floor else raised

    empty = np.zeros((len(target), 0))
    return Law(name, reads, np.zeros(0), empty, prepare, law, floor=floor)


class _Sure:
    """What is learned from rows that all have one state."""

    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

    def predict_proba(self, columns: np.ndarray) -> np.ndarray:
        """That state, for every row."""
        return np.ones((len(columns), 1))
