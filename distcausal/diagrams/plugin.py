"""The plug-in estimate: a formula evaluated at the shares of a sample.

Whatever the formula, the estimate is a smooth function of a few marginal tables of
shares, and shares are averages over units. So its first-order error is a sum of one
term per unit, and the sum of their squares is the covariance of all answers at once:
exactly that of multinomial counts, or of clusters, weights or several experiments.

The same code takes one sample or thousands of resamples: a resample is another list of
how often each unit occurs.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from distcausal.diagrams.estimand import Expression, leaves
from distcausal.diagrams.evaluate import (
    Part,
    TableKey,
    Tables,
    evaluate,
    table_axes,
)
from distcausal.diagrams.factor import Source
from distcausal.diagrams.formula import Estimand
from distcausal.diagrams.influence import DRAW, per_draw, slopes
from distcausal.diagrams.needs import Need, rarest_needs
from distcausal.diagrams.observations import Sample
from distcausal.errors import ComplexityError, PositivityError, listing

__all__ = ["LARGEST", "PlugIn", "PlugInFit"]

LARGEST = 2**24  # entries of the largest table
MOST_INFLUENCES = 2**26  # of all answers, 512 MiB
CHUNK = 2**22  # influences of clusters made at a time, 32 MiB
Times = Mapping[Source, np.ndarray]


class PlugInFit(NamedTuple):
    """Estimates at the original sample.

    Attributes
    ----------
    values
        Answers, in the order of `PlugIn.axes`, flattened.
    covariance
        Their covariance, ``(answer, answer)``.
    needs
        What the formula divides by.
    """

    values: np.ndarray
    covariance: np.ndarray
    needs: tuple[Need, ...]


@dataclass(frozen=True, eq=False)
class PlugIn:
    """A formula, the samples it is estimated from, and the states of its variables.

    Attributes
    ----------
    estimand
        The formula.
    samples
        For each available distribution that it mentions, a sample.
    states
        States of every variable of the formula and of the answer.
    smoothing
        Added to the weight of every joint state of a sample's variables.
    """

    estimand: Estimand
    samples: Mapping[Source, Sample]
    states: Mapping[str, tuple[Hashable, ...]]
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        for key in self.keys:
            size = float(np.prod([float(n) for n in self.shape(key)]))
            if size > LARGEST:
                sizes = [f"{n} ({len(self.states[n])})" for n in table_axes(key)]
                raise ComplexityError(
                    f"the formula needs a table of {size:.3g} entries, over "
                    f"{listing(sizes, 12)}, more than {LARGEST}. Cut numeric variables "
                    "into a few classes, or, for the mean of one outcome alone, use "
                    "method='aipw' with of='mean' where it applies."
                )
        answers = int(np.prod([len(labels) for labels in self.axes.values()]))
        cells = sum(len(sample.mass) for sample in self.samples.values())
        influences = float(answers) * (cells + self._entries)
        if influences > MOST_INFLUENCES:
            raise ComplexityError(
                f"errors of {answers} answers need {influences:.3g} influences, more "
                f"than {MOST_INFLUENCES}. Ask about fewer variables at a time, or cut "
                "numeric ones into a few classes."
            )

    @cached_property
    def axes(self) -> dict[str, tuple[Hashable, ...]]:
        """Axes of the answer: outcome, do, given, and what the formula leaves open."""
        asked = self.estimand.query.axes
        free = sorted(self.estimand.expression.free - set(asked))
        return {name: self.states[name] for name in (*asked, *free)}

    @cached_property
    def keys(self) -> tuple[TableKey, ...]:
        """Tables of the formula."""
        return tuple(dict.fromkeys(x.table for x in leaves(self.estimand.expression)))

    @cached_property
    def times(self) -> dict[Source, np.ndarray]:
        """How often each unit occurs in the samples themselves, one draw."""
        return {source: one.times[None] for source, one in self.samples.items()}

    @cached_property
    def widest(self) -> int:
        """Numbers that one resample takes, for deciding how many fit into memory."""
        units = sum(len(sample.times) for sample in self.samples.values())
        return units + self._entries

    @property
    def _entries(self) -> int:
        """Entries of all tables together."""
        return sum(int(np.prod(self.shape(key))) for key in self.keys)

    def values(self, times: Times) -> np.ndarray:
        """Answers for every resample, ``(draw, answer)``; NaN where undefined."""
        tables = self._tables(self._masses(times))
        return self._flat(evaluate(self.lifted, tables))

    def fit(self) -> PlugInFit:
        """Answers at the samples, their covariance, and what they divide by.

        Raises
        ------
        PositivityError
            If the formula divides by the share of an event that does not occur.
        """
        tables = self._tables(self._masses(self.times))
        self._check_arms(tables)
        found = slopes(self.lifted, tables)
        if found.part.undefined is not None:
            single = {key: tables.arrays[_with_draw(key)][0] for key in self.keys}
            raise PositivityError(
                self.estimand.explain_gap(Tables(single, self.states))
                .partition("Merge")[0]
                .strip()
                + " Merge states, or give smoothing a positive value."
            )
        covariance = self._covariance(found.tables, self.times)[0]
        index = self._index(found.part)
        return PlugInFit(
            self._flat(found.part)[0],
            covariance[np.ix_(index, index)],
            rarest_needs(self, found),
        )

    def many(self, times: Times) -> tuple[np.ndarray, np.ndarray]:
        """Answers and their variances for many samples at once, each its own.

        Returns
        -------
        Two arrays ``(draw, answer)``; entries are NaN where a formula is undefined.
        """
        found = slopes(self.lifted, self._tables(self._masses(times)))
        index = self._index(found.part)
        variance = self._covariance(found.tables, times)
        return self._flat(found.part), np.einsum("rkk->rk", variance)[:, index]

    @cached_property
    def lifted(self) -> Expression:
        """The formula over tables with an axis for draws."""
        return per_draw(self.estimand.expression)

    def shape(self, key: TableKey) -> tuple[int, ...]:
        """Numbers of states along the axes of a table."""
        return tuple(len(self.states[name]) for name in table_axes(key))

    def _masses(self, times: Times) -> dict[Source, np.ndarray]:
        """Weight of every cell in every resample."""
        return {source: t @ self.samples[source].units for source, t in times.items()}

    @cached_property
    def places(self) -> dict[TableKey, np.ndarray]:
        """Entry of each table that each cell of its sample counts for."""
        return {
            key: self.samples[key[0]].places(table_axes(key), self.states)
            for key in self.keys
        }

    def counted(self, key: TableKey, mass: np.ndarray) -> np.ndarray:
        """Weights by arm of the experiment and joint state, ``(draw, arm, state)``."""
        from scipy.sparse import csr_array

        places, shape = self.places[key], self.shape(key)
        size = int(np.prod(shape))
        cells = np.arange(len(places))
        sorter = csr_array((np.ones(len(places)), (cells, places)), (len(cells), size))
        arms = int(np.prod(shape[: len(key[0])]))
        return (mass @ sorter).reshape(len(mass), arms, -1)

    def _extra(self, key: TableKey) -> float:
        """Weight that smoothing adds to each arm of an experiment."""
        names = self.samples[key[0]].names
        random = [len(self.states[name]) for name in names if name not in key[0]]
        return self.smoothing * float(np.prod([float(n) for n in random]))

    def _tables(self, masses: dict[Source, np.ndarray]) -> Tables:
        """Shares; NaN in arms without observations."""
        arrays = {}
        for key in self.keys:
            count = self.counted(key, masses[key[0]])
            extra = self._extra(key)
            total = count.sum(axis=-1, keepdims=True) + extra
            safe = np.where(total > 0, total, np.nan)
            share = (count + extra / count.shape[-1]) / safe
            arrays[_with_draw(key)] = share.reshape(len(share), *self.shape(key))
        return Tables(arrays, self.states)

    def _check_arms(self, tables: Tables) -> None:
        """Raise if an experiment has no unit in one of its arms."""
        for key in self.keys:
            gone = np.isnan(tables.arrays[_with_draw(key)][0])
            if gone.any():
                place = np.argwhere(gone)[0][: len(key[0])]
                pairs = zip(key[0], place, strict=True)
                arm = ", ".join(f"{n}={self.states[n][at]!r}" for n, at in pairs)
                raise PositivityError(
                    f"the experiment on {', '.join(key[0])} has no observation with "
                    f"{arm}, so nothing is known of that arm. Leave the state out of "
                    "states, or give smoothing a positive value."
                )

    def _flat(self, part: Part) -> np.ndarray:
        """Answers in the order of the axes, repeated along those without effect."""
        values = np.asarray(part.values)
        if part.undefined is not None:
            values = np.where(part.undefined, np.nan, values)
        if DRAW not in part.names:
            values = np.broadcast_to(values[None], (1, *values.shape))
        else:
            values = np.moveaxis(values, part.names.index(DRAW), 0)
        return values.reshape(len(values), -1)[:, self._index(part)]

    def _index(self, part: Part) -> np.ndarray:
        """Entry of the formula's value behind each answer."""
        names = [name for name in part.names if name != DRAW]
        shape = tuple(len(self.states[name]) for name in names)
        own = np.arange(int(np.prod(shape))).reshape(shape)
        wanted = [name for name in self.axes if name in names]
        own = own.transpose([names.index(name) for name in wanted])
        index = tuple(slice(None) if n in names else None for n in self.axes)
        full = [len(labels) for labels in self.axes.values()]
        return np.broadcast_to(own[index], full).ravel()

    def _covariance(
        self, changes: dict[TableKey, np.ndarray], times: Times
    ) -> np.ndarray:
        """Sum over units of the squared change that one more of it makes."""
        total: Any = 0.0
        for source, sample in self.samples.items():
            each = self._per_cell(source, changes, times[source] @ sample.units)
            one = np.swapaxes(each, 0, 1)
            if sample.clusters is None:
                # each unit is in one cell, so its influence is its weight times that
                # of the cell, and no array has an entry per unit and answer
                square = times[source] @ sample.units.power(2)
                part = (one * square[:, None, :]) @ np.swapaxes(one, 1, 2)
            else:
                part = _between_clusters(one, sample, times[source])
            total = total + part
        return total

    def _per_cell(
        self, source: Source, changes: dict[TableKey, np.ndarray], mass: np.ndarray
    ) -> np.ndarray:
        """Change of each answer with the weight of each cell, ``(answer, draw, cell)``.

        Adding to a cell lowers the shares of all others in its arm, whence the centre.
        """
        total: Any = 0.0
        for key in self.keys:
            if key[0] != source:
                continue
            change = changes[_with_draw(key)]
            count = self.counted(key, mass)
            change = change.reshape(len(change), *count.shape)
            weight = count.sum(axis=-1, keepdims=True)
            shares = count / np.where(weight > 0, weight, 1.0)
            centre = (change * shares).sum(axis=-1, keepdims=True)
            rate = (change - centre) / (weight + self._extra(key))
            flat = rate.reshape(*rate.shape[:2], -1)
            total = total + flat[..., self.places[key]]
        return total


def _between_clusters(
    each: np.ndarray, sample: Sample, times: np.ndarray
) -> np.ndarray:
    """Covariance from influences ``(draw, answer, cell)``, some clusters at a time."""
    draws, answers, cells = each.shape
    flat = each.reshape(-1, cells)
    at_once = max(1, CHUNK // len(flat))
    total = np.zeros((draws, answers, answers))
    for start in range(0, len(sample.times), at_once):
        some = slice(start, start + at_once)
        unit = (flat @ sample.units[some].T).reshape(draws, answers, -1)
        total += (unit * times[:, None, some]) @ np.swapaxes(unit, 1, 2)
    assert sample.clusters is not None
    return total * (sample.clusters / (sample.clusters - 1))


def _with_draw(key: TableKey) -> TableKey:
    return ((DRAW, *key[0]), key[1])
