"""Finite spaces larger than memory: features read in blocks, rows as they are drawn.

Designs need three things of a finite space: the triangle that makes its features
orthonormal, the leverage of every point, and the rows of the points proposed. The first
two are sums over points and take three passes over the features, a block at a time; the
third takes some hundred rows, fetched when they are asked for by a call from compiled
code back to the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count as numbered
from typing import Any
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.precision import resident
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.design.basis import LinearBasis
from distcausal.design.check import probabilities, whole_number
from distcausal.design.spaces import Draw, Pickled, Propose, independent_columns
from distcausal.errors import DataError
from distcausal.numerics.determinant import inverse_cdf, leverage

__all__ = ["StreamedSpace"]

# The Gram matrix squares the condition number: below this share of its length that is
# a column's own, it would cost digits that the second pass cannot restore.
_LEAST_DIAGONAL = 1e-5


@dataclass(frozen=True, eq=False, init=False)
class StreamedSpace(Pickled):
    """Linear combinations of features that are read from where they are stored.

    Parameters
    ----------
    blocks
        Features, shape ``(N, m)``: a memory map or anything with a shape that can be
        sliced and indexed by positions; or a function that takes positions, shape
        ``(k,)``, and returns rows, ``(k, m)``, always the same for the same positions.
    mass
        Nonnegative, shape ``(N,)``, divided by its sum; equal masses if left out.
    points
        N, when ``blocks`` is a function.
    block
        Rows read at a time. A few thousand fit a processor's cache; products of larger
        blocks are shared among threads, which on a busy machine wait for each other.

    Attributes
    ----------
    size
        Dimension m of the space.
    leverage
        ``mass * k_m`` of every point, shape ``(N,)``.

    Raises
    ------
    DataError
        If ``blocks`` is neither, a feature is missing or infinite, a mass is not as
        described, or the features are linearly dependent; the message names rows or
        columns.
    DesignError
        If ``points`` or ``block`` is not a whole number, 1 or more.

    Notes
    -----
    Three passes over the features, four when they are nearly dependent, each bounded by
    the speed at which they can be read. Memory: four blocks, ``32 m`` bytes per row of
    a block; ``8 N`` bytes for leverage, as many for masses unless they are equal, and
    up to ``28 N`` while a new weight is prepared, ``12 N`` of which are kept. A draw
    reads the rows proposed, about ``1.25 m log m``, and nothing else.

    Drawing by ``sampler="chain"`` needs all rows at once; use `FiniteSpace` for it.

    References
    ----------
    Yamamoto, Nakatsukasa, Yanagisawa and Fukaya (2015) on the repeated Cholesky factor;
    Demmel, Grigori, Hoemmen and Langou (2012) on factors of blocks in sequence.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> def rows(positions):
    ...     return np.stack([positions**0, np.sin(positions)], axis=1)
    >>> space = dc.StreamedSpace(rows, points=100_000)
    >>> dc.VolumeSampling(space, 6).sample(seed=1).index.shape
    (6,)
    """

    basis: LinearBasis = field(repr=False)
    mass: np.ndarray = field(repr=False)
    leverage: np.ndarray = field(repr=False)
    means: np.ndarray = field(repr=False)
    fetch: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    _inverses: tuple[np.ndarray, np.ndarray] = field(repr=False)

    def __init__(
        self,
        blocks: Any,
        mass: object = None,
        *,
        points: int | None = None,
        block: int = 2_048,
    ) -> None:
        fetch, length = _fetcher(blocks, points)
        weight = _masses(mass, length, fetch(np.zeros(1, int)).shape[1])
        rows = whole_number("block", block, 1)

        def blocks_of() -> Iterator[tuple[slice, np.ndarray]]:
            for start in range(0, length, rows):
                place = slice(start, min(start + rows, length))
                yield place, fetch(np.arange(place.start, place.stop))

        triangle = _triangle(blocks_of, weight)
        names = tuple(f"column {place}" for place in range(len(triangle)))
        upper = independent_columns(triangle, np.ones(len(triangle)), names, "full")[1]
        first = np.linalg.inv(upper)
        gram = np.zeros(upper.shape)
        for place, own in blocks_of():
            gram += _gram((own @ first) * np.sqrt(weight[place])[:, None])
        factor = np.linalg.cholesky(gram).T
        inverses = first, np.linalg.inv(factor)
        found, means = np.empty(length), np.zeros(len(names))
        for place, own in blocks_of():
            values = own @ inverses[0] @ inverses[1]
            found[place] = weight[place] * leverage(values)
            means += weight[place] @ values
        found.flags.writeable = means.flags.writeable = False
        basis = LinearBasis(
            upper=factor @ upper, names=names, kept=np.arange(len(names))
        )
        vars(self).update(
            basis=basis,
            mass=weight,
            leverage=found,
            means=means,
            fetch=fetch,
            _inverses=inverses,
        )

    def __repr__(self) -> str:
        return f"StreamedSpace({self.size} features on {len(self.mass)} points)"

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return len(self.basis.upper)

    @property
    def draw(self) -> Draw:
        """Independent atoms from the mixture prepared by `source`."""
        return _draw_atoms

    @property
    def propose(self) -> Propose:
        """Atoms with their rows, scaled to unit length."""
        return _propose_atoms

    def source(self, share: float) -> Any:
        """Cumulative density for draws, and the number by which rows are fetched."""
        if share not in self._prepared:
            density = share * self.leverage / self.size + (1 - share) * self.mass
            total = np.cumsum(pad_rows(density, size_class(len(density))))
            self._prepared[share] = resident(total)
        width = np.broadcast_to(np.zeros(()), (self.size,))
        return self._prepared[share], np.int32(self._number), width

    @cached_property
    def _prepared(self) -> dict[float, Array]:
        """Cumulative densities already asked for."""
        return {}

    @cached_property
    def _number(self) -> int:
        """Number under which compiled code asks for rows of this space."""
        own = next(_NUMBERS)
        _OPEN[own] = self
        return own

    def values(self, atoms: np.ndarray) -> np.ndarray:
        """Orthonormal functions at atoms, shape ``(..., point, m)``."""
        first, second = self._inverses
        rows = self.fetch(np.asarray(atoms).ravel()) @ first @ second
        return rows.reshape(*np.shape(atoms), self.size)

    def background(self, atoms: np.ndarray) -> np.ndarray:
        """Ones: mixtures are with the measure itself."""
        return np.ones(np.shape(atoms))

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """None: the points are known by their positions alone."""
        return None

    def atoms(self, atoms: np.ndarray) -> np.ndarray | None:
        """Positions of the points."""
        return atoms


# Compiled code holds a number, not the space: it is shared by all spaces of a size, and
# keeps none of them in memory.
_OPEN: WeakValueDictionary[int, StreamedSpace] = WeakValueDictionary()
_NUMBERS = numbered()


def _draw_atoms(source: Any, key: Array, count: int) -> Array:
    cumulative = source[0]
    return inverse_cdf(cumulative, random.uniform(key, (count,), cumulative.dtype))


def _propose_atoms(source: Any, key: Array, count: int) -> tuple[Array, Array]:
    cumulative, number, width = source
    atoms = _draw_atoms(source, key, count)
    # Both halves of every double: the thread that JAX calls back from does not know of
    # the precision asked for here, and would round doubles to singles.
    shape = jax.ShapeDtypeStruct((count, len(width), 2), jnp.uint32)
    halves = jax.pure_callback(
        _unit_rows, shape, atoms, number, vmap_method="broadcast_all"
    )
    rows = lax.bitcast_convert_type(halves, jnp.zeros((), float).dtype)
    return atoms, rows.astype(cumulative.dtype)


def _unit_rows(atoms: Any, number: Any) -> np.ndarray:
    """Rows of atoms, on the host, scaled to unit length, in halves."""
    space = _OPEN[int(np.asarray(number).flat[0])]
    rows = space.values(np.asarray(atoms))
    unit = rows / np.sqrt(leverage(rows))[..., None]
    return unit.view(np.uint32).reshape(*unit.shape, 2)


def _fetcher(blocks: Any, points: int | None) -> tuple[Callable[..., Any], int]:
    """Way to read rows, and their number."""
    if callable(blocks):
        length = whole_number("points", points, 1)
        read = blocks
    else:
        shape = getattr(blocks, "shape", None)
        if shape is None or len(shape) != 2 or 0 in shape:
            raise DataError(
                "blocks should be features with a shape (N, m), such as a memory map, "
                f"or a function of positions; got {type(blocks).__name__} of shape "
                f"{shape}."
            )
        length = shape[0]
        read = _Stored(blocks)
    return _Checked(read), length


@dataclass(frozen=True)
class _Stored:
    """Rows of something stored; neighbours are read as a slice."""

    blocks: Any

    def __call__(self, atoms: np.ndarray) -> Any:
        if atoms.size and (np.diff(atoms) == 1).all():
            return self.blocks[int(atoms[0]) : int(atoms[-1]) + 1]
        return self.blocks[atoms]


@dataclass(frozen=True)
class _Checked:
    """Rows as finite float64 matrices, or an error that names the row."""

    read: Callable[[np.ndarray], Any]

    def __call__(self, atoms: np.ndarray) -> np.ndarray:
        rows = np.asarray(self.read(atoms), dtype=float)
        if rows.ndim != 2 or len(rows) != len(atoms) or not rows.shape[1]:
            raise DataError(
                f"blocks should give one row of features for each of {len(atoms)} "
                f"positions; got shape {rows.shape}."
            )
        if not np.isfinite(rows).all():
            place, column = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(
                f"features should be finite; row {atoms[place]} is missing or infinite "
                f"in column {column}. Remove or fill such rows."
            )
        return rows


def _masses(mass: object, points: int, functions: int) -> np.ndarray:
    """Masses that sum to one; equal ones take no memory."""
    if mass is None and points >= functions:
        return np.broadcast_to(np.float64(1 / points), (points,))
    weight = probabilities(mass, (points, functions))
    weight.flags.writeable = False
    return weight


def _gram(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows


def _triangle(
    blocks: Callable[[], Iterator[tuple[slice, np.ndarray]]], mass: np.ndarray
) -> np.ndarray:
    """Triangle with the inner products of the columns, cheaply if that is safe."""
    gram: Any = 0.0
    largest: Any = 0.0
    for place, block in blocks():
        scaled = block * np.sqrt(mass[place])[:, None]
        above = np.maximum(largest, np.abs(scaled).max(axis=0))
        unit = np.where(above > 0, above, 1.0)
        # In units of the largest entry so far, so that no square leaves the range.
        change = np.broadcast_to(largest / unit, unit.shape)
        gram = gram * np.outer(change, change) + _gram(scaled / unit)
        largest = above
    length = np.sqrt(np.diagonal(gram))
    try:
        upper = np.linalg.cholesky(gram).T
    except np.linalg.LinAlgError:
        return _triangle_by_reflections(blocks, mass)
    if (upper.diagonal() < _LEAST_DIAGONAL * length).any():
        return _triangle_by_reflections(blocks, mass)
    return upper * unit


def _triangle_by_reflections(
    blocks: Callable[[], Iterator[tuple[slice, np.ndarray]]], mass: np.ndarray
) -> np.ndarray:
    """Triangle that keeps the digits of nearly dependent columns, block after block."""
    upper = np.zeros((0, 0))
    for place, block in blocks():
        scaled = block * np.sqrt(mass[place])[:, None]
        above = upper.reshape(-1, scaled.shape[1])
        upper = np.asarray(np.linalg.qr(np.concatenate([above, scaled]), mode="r"))
    return upper
