"""Arrays of unequal pieces laid end to end and cut by offsets.

Units hold different numbers of draws, and a rectangle padded to the largest would waste
most of its memory. Here piece ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

Pieces of one size do form a rectangle, and ``m`` draws can come in at most
``sqrt(2 m)`` different sizes. So a loop over distinct sizes is short however many
pieces there are, and inside it NumPy works on whole matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = [
    "by_size",
    "cumulative_shares",
    "order_by_code",
    "row_blocks",
    "segment_sums",
    "sort_segments",
]

RADIX = 1 << 16
BLOCK = 1 << 17  # entries worked on at once: a few arrays of them fit in cache


def order_by_code(codes: np.ndarray, count: int) -> np.ndarray | None:
    """Stable order of integer codes in ``0, ..., count - 1``.

    NumPy's stable sort of 16-bit integers is a radix sort, linear in the length; larger
    codes take one pass for the low half and one for the high half.

    Returns
    -------
    Positions that sort the codes, or None when they are sorted already.
    """
    if np.all(codes[1:] >= codes[:-1]):
        return None
    if count <= RADIX:
        return np.argsort(codes.astype(np.uint16), kind="stable")
    low = np.argsort((codes % RADIX).astype(np.uint16), kind="stable")
    high = (codes // RADIX)[low]
    if count <= RADIX * RADIX:
        high = high.astype(np.uint16)
    return low[np.argsort(high, kind="stable")]


def by_size(
    offsets: np.ndarray, most: int = BLOCK
) -> Iterator[tuple[np.ndarray | slice, np.ndarray | slice, int]]:
    """Visit the pieces in groups of equal size.

    Yields
    ------
    ``(pieces, entries, size)`` such that ``values[entries].reshape(-1, size)`` holds
    the pieces' values, one row per piece. Both are slices where the group is
    contiguous. ``most`` bounds the number of entries of a group of several pieces.
    """
    sizes = np.diff(offsets)
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    for start, stop in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        size = int(ordered[start])
        step = max(1, most // max(size, 1))
        for first in range(start, stop, step):
            pieces = order[first : min(first + step, stop)]
            if pieces[-1] - pieces[0] == len(pieces) - 1:
                run = slice(int(pieces[0]), int(pieces[-1]) + 1)
                yield run, slice(int(offsets[run.start]), int(offsets[run.stop])), size
            else:
                entries = offsets[pieces][:, None] + np.arange(size)
                yield pieces, entries.ravel(), size


def row_blocks(offsets: np.ndarray, width: int) -> Iterator[tuple[int, int]]:
    """Cut the pieces into runs for which ``width`` numbers each stay in cache."""
    count = len(offsets) - 1
    draws = int(offsets[-1] - offsets[0]) // max(count, 1)
    rows = max(1, BLOCK // max(width, draws, 1))
    for start in range(0, count, rows):
        yield start, min(start + rows, count)


def sort_segments(
    values: np.ndarray, offsets: np.ndarray, weights: np.ndarray | None = None
) -> None:
    """Sort every piece in place by value, ties by weight.

    The order of the result does not depend on the order of the input, bit for bit.
    """
    for _, entries, size in by_size(offsets):
        rows = values[entries].reshape(-1, size)
        if weights is None:
            if isinstance(entries, slice):
                rows.sort(axis=1)
            else:
                values[entries] = np.sort(rows, axis=1).ravel()
            continue
        mass = weights[entries].reshape(-1, size)
        order = np.argsort(rows, axis=1)
        order += np.arange(0, rows.size, size)[:, None]
        ordered, moved = rows.take(order), mass.take(order)
        tied = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        if tied.size:
            fixed = np.lexsort((mass[tied], rows[tied]), axis=1)
            moved[tied] = np.take_along_axis(mass[tied], fixed, axis=1)
        values[entries] = ordered.ravel()
        weights[entries] = moved.ravel()


def cumulative_shares(weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Cumulative weight within each piece as a share of the piece's total.

    Summed piece by piece: one running sum over all pieces, minus its value at each
    start, would lose digits in proportion to the number of pieces.
    """
    shares = np.empty(len(weights))
    for _, entries, size in by_size(offsets):
        sums = np.cumsum(weights[entries].reshape(-1, size), axis=1)
        sums /= sums[:, -1:].copy()
        shares[entries] = sums.ravel()
    return shares


def segment_sums(terms: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sum of each piece; every piece holds at least one entry."""
    return np.add.reduceat(terms, offsets[:-1])
