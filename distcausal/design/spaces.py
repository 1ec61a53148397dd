"""Spaces of functions with a measure: what a design is drawn for.

A space is a probability measure and finitely many functions; every law a design uses
depends on the functions through their span alone. Each kind of space answers three
questions: how its orthonormal functions are evaluated, how points are drawn from
mixtures of the measure and the optimal density ``k_m / m``, and what the rows of values
at such points are. The samplers know nothing else about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jax import random

from distcausal._base.precision import resident
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.design.basis import Basis, LinearBasis, PolynomialBasis
from distcausal.design.check import features_and_mass
from distcausal.design.indices import IndexSet, TotalDegree, multi_indices
from distcausal.errors import DataError, DesignError, check_choice, listing
from distcausal.numerics.determinant import inverse_cdf, leverage
from distcausal.numerics.frame import orthonormal_frame
from distcausal.numerics.orthopoly import FAMILIES, induced_draws, tensor_values

__all__ = ["FiniteSpace", "PolynomialSpace", "Space"]

Draw = Callable[[Any, Array, int], Array]
Propose = Callable[[Any, Array, int], tuple[Array, Array]]
_DEGREE_TEN = TotalDegree(10)


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

    def background(self, items: np.ndarray) -> np.ndarray:
        """Density h, of what the optimal density is mixed with, at items."""

    def coordinates(self, items: np.ndarray) -> np.ndarray | None:
        """Points ``(..., point, dim)`` of items; None where they are bare atoms."""

    def atoms(self, items: np.ndarray) -> np.ndarray | None:
        """Positions of items among finitely many points; None on other spaces."""


@dataclass(frozen=True, eq=False, init=False)
class FiniteSpace:
    """Linear combinations of features on finitely many points with given masses.

    Parameters
    ----------
    features
        One row per point and one column per feature, shape ``(N, m)``; a data frame
        lends its column names. They need not be orthonormal, and are not kept: the
        space holds an orthonormal basis of the same size.
    mass
        Nonnegative, shape ``(N,)``, in any scale: it is divided by its sum. Points of
        mass zero are never drawn. Equal masses if left out.

    Attributes
    ----------
    size
        Dimension m of the space.
    leverage
        ``mass * k_m`` of every point, shape ``(N,)``, which sums to m: the probability
        that a projection process contains the point.

    Raises
    ------
    DataError
        If a feature or a mass is missing or infinite, a mass is negative, all masses
        are zero, fewer than m points have mass, or the features are linearly
        dependent; the message names the columns that others determine.

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
    """

    basis: LinearBasis = field(repr=False)
    mass: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)

    def __init__(self, features: object, mass: object = None) -> None:
        columns, weight, names = features_and_mass(features, mass)
        frame = orthonormal_frame(columns, weight)
        if frame.dependent:
            _refuse_dependent(frame.dependent, names)
        held = resident(pad_rows(frame.rows, size_class(len(columns))))
        weight.flags.writeable = False
        object.__setattr__(self, "basis", LinearBasis(upper=frame.upper, names=names))
        object.__setattr__(self, "mass", weight)
        # A view where JAX computes on the processor: one copy serves both.
        object.__setattr__(self, "rows", np.asarray(held))
        vars(self)["_device_rows"] = held

    def __repr__(self) -> str:
        return f"FiniteSpace({self.size} features on {len(self.mass)} points)"

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

    @property
    def draw(self) -> Draw:
        """Independent atoms from the mixture prepared by `source`."""
        return _draw_atoms

    @property
    def propose(self) -> Propose:
        """Atoms with their rows, scaled to unit length."""
        return _propose_atoms

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + 1 - share``, padded."""
        if share not in self._prepared:
            density = share * self.leverage / self.size + (1 - share) * self.mass
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

    def __getstate__(self) -> dict[str, Any]:
        """What is stored: arrays that JAX holds are made again when needed."""
        return {"basis": self.basis, "mass": self.mass, "rows": self.rows}

    def values(self, atoms: np.ndarray) -> np.ndarray:
        """Orthonormal functions at atoms, shape ``(..., point, m)``."""
        return self.rows[atoms] / np.sqrt(self.mass[atoms])[..., None]

    def background(self, atoms: np.ndarray) -> np.ndarray:
        """Ones: mixtures are with the measure itself."""
        return np.ones(atoms.shape)

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """None: the points are known by their positions alone."""
        return None

    def atoms(self, atoms: np.ndarray) -> np.ndarray | None:
        """Positions of the points."""
        return atoms


@dataclass(frozen=True, eq=False, init=False)
class PolynomialSpace:
    """Polynomials on the cube ``[-1, 1]^dim`` under a product measure.

    Parameters
    ----------
    family
        ``"legendre"``: uniform measure; ``"chebyshev"``: the arcsine law in each
        dimension.
    dim
        Number of variables.
    index
        Which products span the space: `TotalDegree`, `Tensor`, `HyperbolicCross`, or a
        list of rows of degrees.

    Attributes
    ----------
    size
        Dimension m of the space.

    Raises
    ------
    DesignError
        If the family is not offered, or ``dim`` or ``index`` is not as described.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.PolynomialSpace(dim=2, index=dc.TotalDegree(5)).size
    21
    """

    basis: PolynomialBasis = field(repr=False)

    def __init__(
        self,
        family: str = "legendre",
        dim: int = 1,
        index: IndexSet | Sequence[Sequence[int]] = _DEGREE_TEN,
    ) -> None:
        check_choice("family", family, tuple(FAMILIES))
        if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim < 1:
            raise DesignError(f"dim {dim!r} should be a whole number, 1 or more.")
        rows = multi_indices(index, int(dim))
        object.__setattr__(self, "basis", PolynomialBasis(family=family, index=rows))

    def __repr__(self) -> str:
        return (
            f"PolynomialSpace({self.size} {self.basis.family} polynomials of "
            f"{self.basis.index.shape[1]} variables)"
        )

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return len(self.basis.index)

    @property
    def draw(self) -> Draw:
        """Independent points from the mixture prepared by `source`."""
        return _polynomial_rules(self.basis.family, int(self.basis.index.max()))[0]

    @property
    def propose(self) -> Propose:
        """Points with their rows, scaled to unit length."""
        return _polynomial_rules(self.basis.family, int(self.basis.index.max()))[1]

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + 1 - share``."""
        return self.basis.index, np.float64(share)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Orthonormal functions at points of the cube, ``(..., point, m)``."""
        return self.basis.values(points)

    def background(self, points: np.ndarray) -> np.ndarray:
        """Ones: mixtures are with the measure itself."""
        return np.ones(points.shape[:-1])

    def coordinates(self, points: np.ndarray) -> np.ndarray | None:
        """Return the points themselves."""
        return points

    def atoms(self, points: np.ndarray) -> np.ndarray | None:
        """None: there are infinitely many points."""
        return None


def _refuse_dependent(dependent: tuple[int, ...], names: tuple[str, ...]) -> None:
    raise DataError(
        f"features should be linearly independent where there is mass; their rank is "
        f"{len(names) - len(dependent)}, not {len(names)}. The columns before them "
        f"determine {listing(names[place] for place in dependent)}. Remove them."
    )


def _draw_atoms(source: Any, key: Array, count: int) -> Array:
    rows, cumulative = source
    return inverse_cdf(cumulative, random.uniform(key, (count,), rows.dtype))


def _propose_atoms(source: Any, key: Array, count: int) -> tuple[Array, Array]:
    atoms = _draw_atoms(source, key, count)
    return atoms, _unit(source[0][atoms])


@cache
def _polynomial_rules(family: str, degree: int) -> tuple[Draw, Propose]:
    """Draw and propose for one family: one object each, so they compile once."""

    def draw(source: Any, key: Array, count: int) -> Array:
        index, share = source
        choose, mix, spread = random.split(key, 3)
        chosen = index[random.randint(choose, (count,), 0, len(index))]
        # The measure itself is the induced law of the constant.
        induced = random.uniform(mix, (count, 1), share.dtype) < share
        degrees = jnp.where(induced, chosen, 0)
        return induced_draws(
            degrees, spread, family=family, degree=degree, dtype=share.dtype
        )

    def propose(source: Any, key: Array, count: int) -> tuple[Array, Array]:
        points = draw(source, key, count)
        rows = tensor_values(points, source[0], family=family, degree=degree)
        return points, _unit(rows)

    return draw, propose


def _unit(rows: Array) -> Array:
    """Rows scaled to unit length."""
    return rows / jnp.sqrt(jnp.sum(rows**2, axis=-1, keepdims=True))
