"""A curve of models along which the data stay as they are and the answer moves.

A question without a formula has models that agree on everything available and disagree
on the answer. Rather than construct a pair by hand for each kind of graph, walk to one:
every distribution of a family of tables is linear in each table, so the derivatives of
what is available and of the answer are sums of products like the distributions
themselves. Where the derivative of the answer does not lie in the span of those of the
available distributions, some direction changes the answer alone. Follow it in steps,
and after each return to the available distributions by Newton's method.

Observed variables are binary and their tables are free, as log-odds; unobserved causes
have a fixed law, drawn at random so that nothing holds by coincidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from distcausal.numerics.tensor import contract

__all__ = ["Asked", "Family", "walk"]

# Log-odds stay within this, so that no probability falls below 1 in 50.
_REACH = 3.9
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
    sources
        Variables set in each available distribution.
    asked
        The question.
    """

    parents: tuple[tuple[int, ...], ...]
    causes: tuple[tuple[int, ...], ...]
    laws: tuple[np.ndarray, ...]
    sources: tuple[tuple[int, ...], ...]
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

    def law(self, odds: np.ndarray, do: Sequence[int]) -> np.ndarray:
        """P(variables | do), an axis for each variable, those set among them."""
        kept = [place for place in range(self.size) if place not in do]
        return self._contract(self.tables(odds), kept, ())

    def slopes(self, odds: np.ndarray, do: Sequence[int]) -> np.ndarray:
        """Derivative of `law`, flattened, by every log-odds."""
        tables = self.tables(odds)
        cells = np.indices((2,) * self.size).reshape(self.size, -1)
        found = np.zeros((cells.shape[1], self.parameters))
        rows = np.arange(cells.shape[1])
        for place in range(self.size):
            if place in do:
                continue
            others = [v for v in range(self.size) if v not in do and v != place]
            weight = self._contract(tables, others, self.causes[place])
            ones = tables[place][..., 1]
            move = (ones * (1 - ones)).reshape(self.shapes[place])
            inner = tuple(cells[parent] for parent in self.parents[place])
            sign = 2.0 * cells[place] - 1
            below = move.reshape((*move.shape[: len(inner)], -1))[inner]
            entries = weight.reshape(rows.size, -1) * below * sign[:, None]
            at = np.arange(move.size).reshape((*move.shape[: len(inner)], -1))[inner]
            found[rows[:, None], self.stretches[place].start + at] = entries
        return found

    def available(self, odds: np.ndarray) -> np.ndarray:
        """Every available distribution, one after the other."""
        return np.concatenate([self.law(odds, do).ravel() for do in self.sources])

    def available_slopes(self, odds: np.ndarray) -> np.ndarray:
        """Derivative of `available`, a row per probability."""
        return np.concatenate([self.slopes(odds, do) for do in self.sources])

    def answer(self, odds: np.ndarray) -> np.ndarray:
        """P(outcome | do, given), flattened."""
        return self._quotient(self.law(odds, self.asked.do))[0].ravel()

    def answer_slopes(self, odds: np.ndarray) -> np.ndarray:
        """Derivative of `answer`, a row per probability."""
        law = self.law(odds, self.asked.do)
        slopes = self.slopes(odds, self.asked.do).reshape((*law.shape, -1))
        value, below = self._quotient(law)
        above = slopes.sum(axis=self._rest, keepdims=True)
        total = above.sum(axis=self.asked.outcome, keepdims=True)
        moved = (above - value[..., None] * total) / below[..., None]
        return moved.reshape(-1, self.parameters)

    @property
    def _rest(self) -> tuple[int, ...]:
        """Variables that the question does not mention."""
        mentioned = {*self.asked.outcome, *self.asked.do, *self.asked.given}
        return tuple(v for v in range(self.size) if v not in mentioned)

    def _quotient(self, law: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Law of the outcomes given the conditions, and what it was divided by."""
        above = law.sum(axis=self._rest, keepdims=True)
        below = above.sum(axis=self.asked.outcome, keepdims=True)
        return above / below, below

    def _contract(
        self, tables: list[np.ndarray], kept: list[int], causes: Sequence[int]
    ) -> np.ndarray:
        """Multiply tables and laws of causes, and sum over causes not named."""
        arrays = [tables[place] for place in kept]
        labels = [self.labels(place) for place in kept]
        arrays += self.laws
        labels += [(self.size + cause,) for cause in range(len(self.laws))]
        # an axis that no table kept depends on is still an axis of the answer
        present = {label for axes in labels for label in axes}
        for place in set(range(self.size)) - present:
            arrays.append(np.ones(2))
            labels.append((place,))
        output = (*range(self.size), *(self.size + cause for cause in causes))
        return contract(arrays, labels, output)


def walk(family: Family, odds: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Ends of a curve of equal available distributions, the answer moving along it.

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
        if np.abs(missing).max() <= _AGREED:
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
