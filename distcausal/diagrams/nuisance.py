"""Conditional laws that weighting estimators need: tables, logits, or learners.

A law of one variable given others is fitted once to the distinct cells of the data and
then asked at cells as they are and as they would be, with other states of the treatment
and of what follows it. Tables and logits are functions of a few parameters, and each
says how its parameters move with the weight of a cell; so errors of what is built on
them follow by the chain rule. A learner says no such thing. It is fitted on other folds
than it is asked on, and served only to estimators whose first-order error does not
depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from distcausal.errors import ConvergenceError, DesignError, QueryError, listing
from distcausal.numerics.multilogit import fit_logit, logit_law

__all__ = ["Cells", "Law", "fit_law", "fit_mean"]

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
    learned
        Whether a learner is behind it.
    """

    name: str
    reads: tuple[str, ...]
    theta: np.ndarray
    influence: np.ndarray
    prepare: Callable[[Places], Any]
    law: Callable[[np.ndarray, Any], np.ndarray]
    learned: bool = False


def fit_law(name: str, reads: Sequence[str], how: Any, cells: Cells, folds: int) -> Law:
    """Fit the law of a variable given others.

    Parameters
    ----------
    how
        ``"logit"``, ``"saturated"``, names of some of the variables for a logit in
        these alone, or a learner with ``fit`` and ``predict_proba``.

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
        return _learner(name, tuple(reads), how, cells, folds)
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
    if told is None:
        told = np.eye(len(cells.states[name]))[cells.places[name]]
    strata, states = int(np.prod(shape)), told.shape[1]
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
    np.add.at(added, own, cells.mass[:, None] * told)
    share = added / np.where(total > 0, total, np.nan)[:, None]
    part = np.where(total > 0, total, 1.0)[own] / cells.mass.sum()
    influence = np.zeros((len(own), strata, states))
    influence[np.arange(len(own)), own] = (told - share[own]) / part[:, None]
    return Law(
        name,
        reads,
        share.ravel(),
        influence.reshape(len(own), -1),
        stratum,
        lambda theta, at: theta.reshape(strata, states)[at],
    )


def _logit(name: str, reads: tuple[str, ...], cells: Cells) -> Law:
    """Logistic regression, with a coefficient per state for every regressor."""
    states = len(cells.states[name])
    own = {one: cells.places[one] for one in (*reads, name)}
    fit = fit_logit(cells.columns(reads, own), cells.places[name], cells.mass, states)
    if not fit.converged:
        raise ConvergenceError(
            f"the logit of {name!r} given {listing(reads, 12) or 'nothing'} has no "
            "maximum: some of its states can be told exactly from the others. Use "
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
) -> Law:
    """Predictions for each fold by a copy of the learner fitted on the others."""
    target = cells.places[name] if number is None else number
    own = cells.columns(reads, {n: cells.places[n] for n in (*reads, name)})[:, 1:]
    even = np.ptp(cells.mass) == 0
    fitted = []
    for fold in range(folds):
        use = cells.fold != fold
        more = {} if even else {"sample_weight": cells.mass[use]}
        one = deepcopy(how)
        one.fit(own[use], target[use], **more)
        fitted.append(one)

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

    empty = np.zeros((len(target), 0))
    return Law(
        name, reads, np.zeros(0), empty, prepare, lambda _, found: found, learned=True
    )
