"""Spaces of functions with a measure: what a design is drawn for.

A space is a probability measure and finitely many functions; every law a design uses
depends on the functions through their span alone. Each kind of space answers three
questions: how its orthonormal functions are evaluated, how points are drawn from
mixtures of the measure and the optimal density ``k_m / m``, and what the rows of values
at such points are. The samplers know nothing else about it.

This module has the protocol and spaces on finitely many points; those on a continuum
are products of functions of one variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from distcausal._base.precision import resident
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.design.basis import Basis, LinearBasis
from distcausal.design.check import features_and_mass
from distcausal.errors import DataError, check_choice, listing
from distcausal.numerics.determinant import inverse_cdf, leverage
from distcausal.numerics.frame import orthonormal_frame

__all__ = [
    "Draw",
    "FiniteSpace",
    "Pickled",
    "Propose",
    "Rank",
    "Space",
    "finite_part",
    "independent_columns",
]

Draw = Callable[[Any, Array, int], Array]
Propose = Callable[[Any, Array, int], tuple[Array, Array]]
Rank = Literal["full", "truncate"]


class Space(Protocol):
    """What the designs ask of a space of functions with a measure.

    Items are what is drawn: atoms, whole numbers, on finitely many points, and rows of
    coordinates elsewhere.
    """

    @property
    def size(self) -> int:
        """Dimension m of the space."""

    @property
    def basis(self) -> Basis:
        """Labels, values at points of the user, and the way back to the features."""

    @property
    def draw(self) -> Draw:
        """``draw(source, key, count)``: items from the mixture that was prepared."""

    @property
    def propose(self) -> Propose:
        """Items from ``k_m / m`` with their rows of values, scaled to unit length."""

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + (1 - share) h``."""

    def values(self, items: np.ndarray) -> np.ndarray:
        """Orthonormal functions at items, shape ``(..., point, m)``."""

    @property
    def means(self) -> np.ndarray:
        """Integrals of the orthonormal functions under the measure, shape ``(m,)``."""

    def background(self, items: np.ndarray) -> np.ndarray:
        """Density h, of what the optimal density is mixed with, at items."""

    def coordinates(self, items: np.ndarray) -> np.ndarray | None:
        """Points ``(..., point, dim)`` of items; None where they are bare atoms."""

    def atoms(self, items: np.ndarray) -> np.ndarray | None:
        """Positions of items among finitely many points; None on other spaces."""


def finite_part(space: Space) -> FiniteSpace | None:
    """Return the finite space that a space is or holds; None where there is none."""
    inner = getattr(space, "inner", space)
    return inner if isinstance(inner, FiniteSpace) else None


class Pickled:
    """Base of spaces, frozen dataclasses: what a pickle holds of them."""

    def __getstate__(self) -> dict[str, Any]:
        """Fields alone: what JAX holds is made again when needed."""
        given: Any = self
        return {one.name: getattr(self, one.name) for one in fields(given)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take the fields, arrays read-only as they were, which pickles forget."""
        for leaf in jax.tree.leaves(dict(state)):
            if isinstance(leaf, np.ndarray):
                leaf.flags.writeable = False
        vars(self).update(state)


@dataclass(frozen=True, eq=False, init=False)
class FiniteSpace(Pickled):
    """Linear combinations of features on finitely many points with given masses.

    Parameters
    ----------
    features
        One row per point and one column per feature, shape ``(N, m)``; a data frame
        lends its column names. They need not be orthonormal, and are not kept: the
        space holds an orthonormal basis of the same size.
    mass
        Nonnegative, shape ``(N,)``, in any scale: it is divided by its sum. Points of
        mass zero are never drawn, and masses below 1e-300 of the largest count as
        zero. Equal masses if left out.
    rank
        ``"full"``: dependent features are an error; ``"truncate"``: features that those
        before them determine are left out, and listed in ``dropped``.

    Attributes
    ----------
    size
        Dimension m of the space.
    leverage
        ``mass * k_m`` of every point, shape ``(N,)``, which sums to m: the probability
        that a projection process contains the point.
    dropped
        Names of the features left out.

    Raises
    ------
    DataError
        If a feature or a mass is missing or infinite, a mass is negative, all masses
        are zero, or, unless they may be truncated, fewer than m points have mass or
        the features are linearly dependent; the message names the columns that others
        determine.
    DesignError
        If ``rank`` is not one of those offered.

    Notes
    -----
    One pass over the features: their Gram matrix, twice, at the speed of matrix
    products, or Householder reflections when the features are nearly dependent.
    Nothing of size ``N x N`` is ever formed.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(-1, 1, 200)
    >>> space = dc.FiniteSpace(np.stack([x**0, x, x**2], axis=1))
    >>> space.size, round(float(space.leverage.sum()), 9)
    (3, 3.0)
    >>> space = dc.FiniteSpace(np.stack([x**0, x, 1 - x], axis=1), rank="truncate")
    >>> space.size, space.dropped
    (2, ('column 2',))
    """

    basis: Basis = field(repr=False)
    mass: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    dropped: tuple[str, ...]

    def __init__(
        self, features: object, mass: object = None, *, rank: Rank = "full"
    ) -> None:
        least = 1 if rank == "truncate" else None
        columns, weight, names = features_and_mass(features, mass, least=least)
        rows, upper, kept = independent_columns(columns, weight, names, rank)
        basis = LinearBasis(upper=upper, names=names, kept=kept)
        self._hold(basis, weight, rows, missing(names, kept))

    @staticmethod
    def dummies(labels: object, mass: object = None) -> FiniteSpace:
        """Indicators of groups: designs on them are stratified by group.

        Parameters
        ----------
        labels
            Group of every point, shape ``(N,)``: any values that can be sorted, or a
            pandas categorical. Groups without a point get no function.
        mass
            As for the space.

        Raises
        ------
        DataError
            If a label is missing, or a group has no mass.

        Examples
        --------
        One point from each group, in a random order:

        >>> import distcausal as dc
        >>> space = dc.FiniteSpace.dummies(["north", "north", "south", "west"])
        >>> points = dc.ProjectionDPP(space).sample(seed=0)
        >>> sorted(points.index.tolist())[1:]
        [2, 3]
        """
        columns, names = _indicators(labels)
        weight = features_and_mass(columns, mass)[1]
        rows, upper, kept = independent_columns(columns, weight, names, "full")
        space = FiniteSpace.__new__(FiniteSpace)
        space._hold(LinearBasis(upper=upper, names=names, kept=kept), weight, rows)
        return space

    def _hold(
        self,
        basis: Basis,
        mass: np.ndarray,
        rows: np.ndarray,
        dropped: tuple[str, ...] = (),
        **others: Any,
    ) -> None:
        """Keep orthonormal rows, padded, in an object that cannot be changed."""
        held = resident(pad_rows(rows, size_class(len(rows))))
        mass.flags.writeable = False
        # A view where JAX computes on the processor: one copy serves both.
        given = {"basis": basis, "mass": mass, "rows": np.asarray(held)}
        vars(self).update(given | {"dropped": dropped} | others)
        vars(self)["_device_rows"] = held

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} features on {len(self.mass)} points)"

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return self.rows.shape[1]

    @cached_property
    def leverage(self) -> np.ndarray:
        """Inclusion probabilities of the projection process, shape ``(N,)``."""
        found = leverage(self.rows)[: len(self.mass)]
        found.flags.writeable = False
        return found

    @cached_property
    def means(self) -> np.ndarray:
        """Averages of the orthonormal functions under the masses, shape ``(m,)``."""
        return np.sqrt(self.mass) @ self.rows[: len(self.mass)]

    @property
    def draw(self) -> Draw:
        """Independent atoms from the mixture prepared by `source`."""
        return _draw_atoms

    @property
    def propose(self) -> Propose:
        """Atoms with their rows, scaled to unit length."""
        return _propose_atoms

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + (1 - share) h``, padded."""
        if share not in self._prepared:
            others = self.mass * self.background(np.arange(len(self.mass)))
            density = share * self.leverage / self.size + (1 - share) * others
            total = np.cumsum(pad_rows(density, len(self.rows)))
            self._prepared[share] = resident(total)
        return self._device_rows, self._prepared[share]

    @cached_property
    def _prepared(self) -> dict[float, Array]:
        """Cumulative densities already asked for."""
        return {}

    @cached_property
    def _device_rows(self) -> Array:
        return resident(self.rows)

    def values(self, atoms: np.ndarray) -> np.ndarray:
        """Orthonormal functions at atoms, shape ``(..., point, m)``."""
        return self.rows[atoms] / np.sqrt(self.mass[atoms])[..., None]

    def background(self, atoms: np.ndarray) -> np.ndarray:
        """Ones: mixtures are with the measure itself."""
        return np.ones(np.shape(atoms))

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """None: the points are known by their positions alone."""
        return None

    def atoms(self, atoms: np.ndarray) -> np.ndarray | None:
        """Positions of the points."""
        return atoms


def independent_columns(
    columns: np.ndarray, mass: np.ndarray, names: tuple[str, ...], rank: Rank
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal rows, their triangle, and the positions of the columns kept.

    Raises
    ------
    DataError
        If columns are dependent and ``rank`` does not let them be dropped.
    """
    check_choice("rank", rank, ("full", "truncate"))
    frame = orthonormal_frame(columns, mass)
    kept = np.delete(np.arange(len(names)), frame.dependent)
    if frame.dependent and rank == "full":
        gone = missing(names, kept)
        raise DataError(
            "features should be linearly independent where there is mass; their rank "
            f"is {len(kept)}, not {len(names)}. The columns before them determine "
            f"{listing(gone)}. Remove them, or let rank='truncate' do it."
        )
    if not kept.size:
        raise DataError("features are zero wherever there is mass; give others.")
    if frame.dependent:
        frame = orthonormal_frame(columns[:, kept], mass)
    return frame.rows, frame.upper, kept


def missing(names: tuple[str, ...], kept: np.ndarray) -> tuple[str, ...]:
    """Names of the columns that were not kept."""
    return tuple(np.delete(np.array(names, dtype=object), kept))


def _indicators(labels: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Indicator columns of the groups that occur, and their names."""
    category = getattr(labels, "cat", labels)
    if hasattr(category, "categories"):
        code = np.asarray(category.codes)
        names = np.asarray(category.categories, dtype=object)
    else:
        given = np.asarray(labels)
        lost = given.dtype.kind == "f" and np.isnan(given)
        names, code = np.unique(given, return_inverse=True)
        code = np.where(lost, -1, code)
    if code.ndim != 1 or not code.size or (code < 0).any():
        raise DataError(
            f"labels should name a group for every point; got shape {code.shape} with "
            f"{np.count_nonzero(code < 0)} missing. Drop those points, or give them "
            "a group of their own."
        )
    groups = np.unique(code)
    return (code[:, None] == groups).astype(float), tuple(str(names[g]) for g in groups)


def _draw_atoms(source: Any, key: Array, count: int) -> Array:
    rows, cumulative = source
    return inverse_cdf(cumulative, random.uniform(key, (count,), rows.dtype))


def _propose_atoms(source: Any, key: Array, count: int) -> tuple[Array, Array]:
    atoms = _draw_atoms(source, key, count)
    rows = source[0][atoms]
    return atoms, rows / jnp.sqrt(jnp.sum(rows**2, axis=-1, keepdims=True))
