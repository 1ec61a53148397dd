"""A curve of models along which the data stay as they are and the answer moves.

A question without a formula has models that agree on everything available and disagree
on the answer. Rather than construct a pair by hand for each kind of graph, walk to one.
Two models have the same distribution exactly if the kernels of its districts are the
same, small arrays even where the distribution is large. Kernels and answer are linear
in each table, so their derivatives are sums of products like themselves. Where the
derivative of the answer does not lie in the span of those of the kernels, some
direction changes the answer alone. Follow it in steps, and after each return to the
kernels by Newton's method.

Observed variables are binary and their tables are free, as log-odds; unobserved causes
have a fixed law, drawn at random so that nothing holds by coincidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np

from distcausal.numerics.tensor import contract

__all__ = ["Asked", "Family", "walk"]

# Log-odds stay within this, so that no probability falls below 1 in 50.
_REACH = 3.9
# Log-odds of what is nearly sure.
_SURE = 3.3
# Derivatives this much smaller than the largest are zero up to rounding.
_FLAT = 1e-9
# Largest difference of available probabilities that counts as none; a few hundred
# products of numbers below 1 round at 1e-15.
_AGREED = 1e-13
_STEPS = 40
_NEWTON_STEPS = 8


@dataclass(frozen=True)
class Asked:
    """A question in the numbers of a family: what is asked, set, and conditioned on."""

    outcome: tuple[int, ...]
    do: tuple[int, ...]
    given: tuple[int, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """All of them, outcomes first."""
        return (*self.outcome, *self.do, *self.given)


@dataclass(frozen=True)
class Family:
    """All models of a small graph with binary variables and shared causes.

    Attributes
    ----------
    parents
        For each variable, its parents among the variables.
    causes
        For each variable, the unobserved causes it has, numbered from zero.
    laws
        Law of every unobserved cause.
    districts
        Variables of every kernel that an available distribution shows.
    asked
        The question.
    """

    parents: tuple[tuple[int, ...], ...]
    causes: tuple[tuple[int, ...], ...]
    laws: tuple[np.ndarray, ...]
    districts: tuple[tuple[int, ...], ...]
    asked: Asked

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.parents)

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of the log-odds of each variable: parents, then causes."""
        return [
            (2,) * len(parents) + tuple(self.laws[cause].size for cause in causes)
            for parents, causes in zip(self.parents, self.causes, strict=True)
        ]

    @cached_property
    def stretches(self) -> list[slice]:
        """Where the log-odds of each variable are among all of them."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    @property
    def parameters(self) -> int:
        """Number of log-odds."""
        return self.stretches[-1].stop if self.stretches else 0

    def start(self, strength: float, rng: np.random.Generator) -> np.ndarray:
        """Log-odds of a model in general position, none beyond ``strength``, or so.

        Variables without unobserved causes nearly are one where all their parents are:
        their tables are among the kernels and stay as they are, so they should pass on
        what a parent does, and what parents do together.
        """
        found = [np.zeros(0)]
        for shape, causes in zip(self.shapes, self.causes, strict=True):
            odds = rng.uniform(-strength, strength, shape)
            if shape and not causes:
                signs = 2.0 * np.indices(shape) - 1
                odds = _SURE * signs.min(axis=0) + 0.1 * odds
            found.append(odds.ravel())
        return np.concatenate(found)

    def tables(self, odds: np.ndarray) -> list[np.ndarray]:
        """P(variable | parents, causes) of every variable, its own axis last."""
        found = []
        for part, shape in zip(self.stretches, self.shapes, strict=True):
            ones = 1 / (1 + np.exp(-odds[part].reshape(shape)))
            found.append(np.stack([1 - ones, ones], axis=-1))
        return found

    def labels(self, variable: int) -> tuple[int, ...]:
        """Labels of the axes of a table; causes are numbered after the variables."""
        causes = (self.size + cause for cause in self.causes[variable])
        return (*self.parents[variable], *causes, variable)

    def kernels(self, odds: np.ndarray) -> list[np.ndarray]:
        """P(district | do(its parents)) of every district, flattened."""
        tables = self.tables(odds)
        return [
            self._product(tables, district, self._axes(district)).ravel()
            for district in self.districts
        ]

    def available(self, odds: np.ndarray) -> np.ndarray:
        """All kernels, one after the other."""
        return np.concatenate(self.kernels(odds)) if self.districts else np.zeros(0)

    def available_slopes(self, odds: np.ndarray) -> np.ndarray:
        """Derivative of `available` by every log-odds, a row per probability."""
        slopes = [self._slopes(odds, d, self._axes(d)) for d in self.districts]
        return np.concatenate([np.zeros((0, self.parameters)), *slopes])

    def answer(self, odds: np.ndarray) -> np.ndarray:
        """P(outcome | do, given), flattened."""
        law = self._product(self.tables(odds), self._random, self.asked.axes)
        return self._quotient(law)[0].ravel()

    def answer_slopes(self, odds: np.ndarray) -> np.ndarray:
        """Derivative of `answer` by every log-odds, a row per probability."""
        axes = self.asked.axes
        law = self._product(self.tables(odds), self._random, axes)
        above = self._slopes(odds, self._random, axes).reshape((*law.shape, -1))
        value, below = self._quotient(law)
        total = above.sum(axis=self._outcomes, keepdims=True)
        moved = (above - value[..., None] * total) / below[..., None]
        return moved.reshape(-1, self.parameters)

    @property
    def _random(self) -> tuple[int, ...]:
        """Variables that the question does not set."""
        return tuple(v for v in range(self.size) if v not in self.asked.do)

    @property
    def _outcomes(self) -> tuple[int, ...]:
        """Axes of the outcomes in a law over what the question mentions."""
        return tuple(range(len(self.asked.outcome)))

    def _quotient(self, law: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Law of the outcomes given the conditions, and what it was divided by."""
        below = law.sum(axis=self._outcomes, keepdims=True)
        return law / below, below

    def _axes(self, district: tuple[int, ...]) -> tuple[int, ...]:
        """Variables of a district and their parents."""
        parents = chain.from_iterable(self.parents[place] for place in district)
        return tuple(dict.fromkeys([*district, *parents]))

    def _slopes(
        self, odds: np.ndarray, members: tuple[int, ...], axes: tuple[int, ...]
    ) -> np.ndarray:
        """Derivative of a product of tables, summed but for some axes, flattened."""
        tables = self.tables(odds)
        found = np.zeros((2 ** len(axes), self.parameters))
        for place in members:
            own = self.labels(place)
            labels = (*axes, *(label for label in own if label not in axes))
            others = tuple(other for other in members if other != place)
            weight = self._product(tables, others, labels, beside=place)
            grid: list[np.ndarray] = list(np.indices(weight.shape))
            at = dict(zip(labels, grid, strict=True))
            row = _number([at[label] for label in axes], (2,) * len(axes))
            column = _number([at[label] for label in own[:-1]], self.shapes[place])
            ones = tables[place][..., 1].ravel()
            step = (ones * (1 - ones))[column] * (2.0 * at[place] - 1)
            entry = row, self.stretches[place].start + column
            np.add.at(found, entry, weight * step)
        return found

    def _product(
        self,
        tables: list[np.ndarray],
        members: tuple[int, ...],
        output: tuple[int, ...],
        beside: int | None = None,
    ) -> np.ndarray:
        """Multiply tables and the laws of their causes; sum what is not in the output.

        The laws of the causes of one more variable, ``beside``, count as well.
        """
        arrays = [tables[place] for place in members]
        labels = [self.labels(place) for place in members]
        touched = members if beside is None else (*members, beside)
        for cause in dict.fromkeys(c for place in touched for c in self.causes[place]):
            arrays.append(self.laws[cause])
            labels.append((self.size + cause,))
        # an axis that no table depends on is still an axis of the answer
        present = {label for axes in labels for label in axes}
        for place in output:
            if place not in present:
                arrays.append(np.ones(2))
                labels.append((place,))
        return contract(arrays, labels, output)


def _number(places: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Places in the flattened array of a shape; zero where it has no axes."""
    if not shape:
        return np.zeros((), int)
    return np.ravel_multi_index(tuple(places), shape)


def walk(family: Family, odds: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Ends of a curve of equal kernels, the answer moving along it.

    Returns
    -------
    pair of arrays, or None
        Log-odds of two models; None where no direction moves the answer alone.
    """
    span = _Span(family.available_slopes(odds))
    free = span.beyond(family.answer_slopes(odds))
    lengths = np.linalg.norm(free, axis=1)
    if not lengths.size or lengths.max() < 1e-6:
        return None
    entry = int(np.argmax(lengths))
    target = family.available(odds)
    ends = [list(_path(family, odds, target, entry, sign))[-1] for sign in (1.0, -1.0)]
    return ends[0], ends[1]


def _path(
    family: Family, odds: np.ndarray, target: np.ndarray, entry: int, sign: float
) -> Iterator[np.ndarray]:
    """Models further and further along the curve, the first one included."""
    yield odds
    stride = 0.5
    for _ in range(_STEPS):
        span = _Span(family.available_slopes(odds))
        uphill = sign * span.beyond(family.answer_slopes(odds)[[entry]])[0]
        length = np.linalg.norm(uphill)
        if length < 1e-6 or stride < 0.01:
            return
        before = family.answer(odds)[entry]
        moved = _return(family, odds + stride * uphill / length, target)
        if moved is None or sign * (family.answer(moved)[entry] - before) <= 0:
            stride /= 2
            continue
        odds, stride = moved, stride * 1.5
        yield odds


def _return(family: Family, odds: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """Nearby model with the available distributions asked for, if there is one."""
    for _ in range(_NEWTON_STEPS):
        if np.abs(odds).max() > _REACH:
            return None
        missing = target - family.available(odds)
        if np.abs(missing).max(initial=0.0) <= _AGREED:
            return odds
        odds = odds + _Span(family.available_slopes(odds)).solve(missing)
    return None


class _Span:
    """Row space of a matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        left, size, right = np.linalg.svd(matrix, full_matrices=False)
        kept = size > _FLAT * size.max(initial=0.0)
        self.left, self.size, self.right = left[:, kept], size[kept], right[kept]

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Part of each row outside the span."""
        return rows - (rows @ self.right.T) @ self.right

    def solve(self, values: np.ndarray) -> np.ndarray:
        """Shortest vector that the matrix takes nearest to some values."""
        return ((values @ self.left) / self.size) @ self.right
