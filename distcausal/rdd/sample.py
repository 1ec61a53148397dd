"""The units of a discontinuity design, handed out in blocks of padded rows.

Every sum an estimate needs runs over units, so the matrix of quantiles is never copied
as a whole: up to `BLOCK` units form one block, padded to a size class so that a new
sample size compiles nothing; more are cut into blocks of one size. Blocks hold only the
units within reach of the cutoff; blocks of clusters never cut one in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from distcausal._base.shapes import pad_rows, size_class

__all__ = ["BLOCK", "Block", "Sample"]

BLOCK = 16384
NEAREST = 101


@dataclass(frozen=True)
class Block:
    """Some units, padded with units of weight zero.

    Attributes
    ----------
    index
        Positions of the units in the sample, shape ``(unit,)``, without padding.
    x, weight
        Distance from the cutoff and unit weight, shape ``(row,)``.
    curves
        Outcomes less the sample's origin, shape ``(row, level)``.
    """

    index: np.ndarray
    x: np.ndarray
    weight: np.ndarray
    curves: np.ndarray

    def columns(self, groups: int) -> np.ndarray:
        """Outcomes as ``(row, group, column)``: one group of all, or one per level."""
        return self.curves[:, None, :] if groups == 1 else self.curves[:, :, None]

    def pad(self, array: np.ndarray) -> np.ndarray:
        """Rows of a per-unit array that belong to this block, padded alike."""
        return pad_rows(array[self.index], len(self.x))


@dataclass(frozen=True)
class Sample:
    """What an estimate is computed from; checked before, never changed after.

    Attributes
    ----------
    x
        Running variable minus the cutoff, shape ``(unit,)``.
    weight
        Unit weights, zero or more, the positive ones with mean one, shape ``(unit,)``.
    curves
        Quantiles, shape ``(unit, level)``, or any other outcome columns.
    """

    x: np.ndarray
    weight: np.ndarray
    curves: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def with_curves(self, curves: np.ndarray) -> Sample:
        """Return the same units with other outcomes."""
        return replace(self, curves=curves)

    @cached_property
    def reach(self) -> np.ndarray:
        """Largest distance from the cutoff below and above, shape ``(side,)``."""
        x = self.counted
        return np.array([-x[x < 0].min(), x[x >= 0].max()])

    @cached_property
    def counted(self) -> np.ndarray:
        """Running variable of the units with positive weight, shape ``(unit,)``."""
        return self.x[self.weight > 0]

    @cached_property
    def _whole(self) -> Block:
        return self._block(np.arange(len(self)), size_class(len(self)))

    @cached_property
    def origin(self) -> np.ndarray:
        """Curve that outcomes are measured from, shape ``(level,)``.

        The median of the units nearest the cutoff, level by level. Fits carry it along,
        and what all units share is then exactly zero: a level at which nothing varies
        has effect and error zero, not rounding. A median, since one absurd value must
        not cost the others their digits; the lower one, which is some unit's value.
        """
        counted = np.flatnonzero(self.weight > 0)
        few = min(NEAREST, counted.size)
        near = counted[np.argpartition(np.abs(self.x[counted]), few - 1)[:few]]
        middle = (few - 1) // 2
        return np.partition(self.curves[near], middle, axis=0)[middle]

    def size_within(self, bandwidth: np.ndarray) -> np.ndarray:
        """Largest absolute outcome of the units in the window, shape ``(level,)``."""
        sizes = []
        for block in self.blocks(bandwidth):
            below, above = bandwidth.max(axis=0)
            reach = np.where(block.x >= 0, above, below)
            inside = (np.abs(block.x) <= reach) & (block.weight > 0)
            outcome = block.curves[inside] + self.origin
            sizes.append(np.abs(outcome).max(axis=0, initial=0.0))
        return np.max(sizes, axis=0)

    def _block(self, index: np.ndarray, rows: int) -> Block:
        curves = self.curves[index] - self.origin
        parts = (self.x[index], self.weight[index], curves)
        return Block(index, *(pad_rows(part, rows) for part in parts))

    def blocks(self, bandwidth: np.ndarray) -> Iterator[Block]:
        """Blocks of the units within the largest bandwidth of their side.

        Parameters
        ----------
        bandwidth
            Shape ``(group, side)``.
        """
        if len(self) <= BLOCK:
            yield self._whole
            return
        below, above = bandwidth.max(axis=0)
        near = np.abs(self.x) <= np.where(self.x >= 0, above, below)
        rows = np.flatnonzero(near)
        for start in range(0, max(len(rows), 1), BLOCK):
            yield self._block(rows[start : start + BLOCK], BLOCK)

    def cluster_blocks(
        self, cluster: np.ndarray, bandwidth: np.ndarray
    ) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Blocks of whole clusters.

        Yields the block, the numbers of its clusters, and for every row the position of
        its cluster among those; padding belongs to the first and has weight zero.
        """
        below, above = bandwidth.max(axis=0)
        near = np.flatnonzero(np.abs(self.x) <= np.where(self.x >= 0, above, below))
        rows = near[np.argsort(cluster[near], kind="stable")]
        # How many units and clusters lie in the window must not decide what compiles.
        least = min(size_class(len(self)), BLOCK)
        for part in _whole_runs(cluster[rows], BLOCK):
            index = rows[part]
            block = self._block(index, max(size_class(len(index)), least))
            names, place = np.unique(cluster[index], return_inverse=True)
            yield block, names, pad_rows(place, len(block.x))


def _whole_runs(labels: np.ndarray, most: int) -> Iterator[slice]:
    """Cut sorted labels into slices of about ``most`` that split no run of equals."""
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
    ends = np.append(starts[1:], len(labels))
    begin = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - begin > most and start > begin:
            yield slice(begin, start)
            begin = start
    yield slice(begin, len(labels))
