"""Spaces of the leading eigenfunctions of a kernel under a measure.

Among all spaces of their dimension they approximate the functions of the kernel's
Hilbert space best. Two kernels have eigenfunctions in closed form; for any other they
are found on reference points, and continued elsewhere by the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import pi, sqrt
from typing import Any

import jax
import numpy as np

from distcausal._base.fit import Record
from distcausal._base.precision import double
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.design.arguments import finite_number
from distcausal.design.basis import Basis, point_rows
from distcausal.design.check import features_and_mass, whole_number
from distcausal.design.measure import reference_points
from distcausal.design.product import ProductSpace
from distcausal.design.spaces import (
    Draw,
    FiniteSpace,
    Pickled,
    Propose,
    Space,
)
from distcausal.errors import DataError, DesignError, check_choice
from distcausal.numerics.lines import mercer_line, sine_line

__all__ = ["MercerSpace", "NystromBasis"]

KernelFunction = Callable[[Array, Array], Array]
_MOST_POINTS = 4096  # the kernel is a matrix of all their pairs
_LEAST_EIGENVALUE = 1e-12  # of the largest; smaller ones are rounding


@dataclass(frozen=True, eq=False, init=False)
class MercerSpace(Pickled):
    """Leading eigenfunctions of a kernel.

    Designs mix the optimal density with ``k(x, x) / ∫ k dμ`` where others mix it with
    the measure; the two are the same for the Gaussian kernel.

    Parameters
    ----------
    kernel
        ``"brownian_bridge"``: ``min(x, y) - x y`` under the uniform measure of [0, 1];
        ``"gaussian"``: ``exp(-(x - y)² / (2 length_scale²))`` under a normal measure;
        or a JAX function of two points, each of shape ``(dim,)``.
    size
        How many eigenfunctions m.
    measure
        For a function: as in `FeatureSpace`.
    reference
        For a function and a measure that can be asked: how many reference points.
    seed
        Of the reference points.
    location, scale
        Mean and standard deviation of the normal measure, 0 and 1 if left out.
    length_scale
        Of the Gaussian kernel, 1 if left out.

    Attributes
    ----------
    eigenvalues
        Descending, shape ``(m,)``.
    truncation_error
        ``∫ k(x, x) dμ`` less the sum of the eigenvalues: the mean square of what a
        Gaussian process with the kernel has outside the space.
    size
        Dimension m of the space.

    Raises
    ------
    DataError
        If the kernel is not finite and positive semidefinite on the reference points,
        or has fewer than m eigenvalues that are not rounding.
    DesignError
        If an argument is not as described or does not belong to the kernel.

    Notes
    -----
    For a function the space is that of Nyström's method: designs draw from the
    reference points and are exact for the measure these carry.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 4.3;
    Belhadji, Bardenet and Chainais (2019) for designs on such spaces.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.MercerSpace("brownian_bridge", 5)
    >>> space.eigenvalues[:2].round(4).tolist(), round(space.truncation_error, 4)
    ([0.1013, 0.0253], 0.0184)
    >>> grid = np.linspace(0, 1, 200)
    >>> def kernel(x, y):
    ...     return jnp.minimum(x, y)[0] - (x * y)[0]
    >>> close = dc.MercerSpace(kernel, 5, measure=grid)
    >>> close.eigenvalues[:2].round(4).tolist()
    [0.1008, 0.0252]
    """

    inner: Space = field(repr=False)
    kernel: str | KernelFunction
    eigenvalues: np.ndarray = field(repr=False)
    truncation_error: float

    def __init__(
        self,
        kernel: str | KernelFunction,
        size: int,
        measure: Any = None,
        *,
        reference: int = 1024,
        seed: int = 0,
        location: float | None = None,
        scale: float | None = None,
        length_scale: float | None = None,
    ) -> None:
        count = whole_number("size", size, 1)
        units = {"location": location, "scale": scale, "length_scale": length_scale}
        _check_belonging(kernel, measure, units)
        if not isinstance(kernel, str):
            points = whole_number("reference", reference, count)
            inner, values, error = _nystrom(kernel, count, measure, points, seed)
        elif kernel == "gaussian":
            inner, values, error = _gaussian(count, units)
        else:
            inner, values, error = _bridge(count)
        values.flags.writeable = False
        vars(self).update(
            inner=inner, kernel=kernel, eigenvalues=values, truncation_error=error
        )

    def __repr__(self) -> str:
        known = isinstance(self.kernel, str)
        name = self.kernel if known else f"kernel {_name(self.kernel)}"
        where = "" if known else f" on {len(self.inner.mass)} reference points"  # type: ignore[attr-defined]
        return (
            f"MercerSpace({self.size} eigenfunctions of {name}{where}, truncation "
            f"error {self.truncation_error:.3g})"
        )

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return self.inner.size

    @property
    def basis(self) -> Basis:
        """Evaluates the eigenfunctions."""
        return self.inner.basis

    @property
    def draw(self) -> Draw:
        """Independent items from the mixture prepared by `source`."""
        return self.inner.draw

    @property
    def propose(self) -> Propose:
        """Items with their rows, scaled to unit length."""
        return self.inner.propose

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + (1 - share) h``."""
        return self.inner.source(share)

    def values(self, items: np.ndarray) -> np.ndarray:
        """Eigenfunctions at items, shape ``(..., point, m)``."""
        return self.inner.values(items)

    @property
    def means(self) -> np.ndarray:
        """Integrals of the eigenfunctions under the measure, shape ``(m,)``."""
        return self.inner.means

    def background(self, items: np.ndarray) -> np.ndarray:
        """Density ``k(x, x) / ∫ k dμ`` at items."""
        return self.inner.background(items)

    def coordinates(self, items: np.ndarray) -> np.ndarray | None:
        """Points ``(..., point, dim)`` of items."""
        return self.inner.coordinates(items)

    def atoms(self, items: np.ndarray) -> np.ndarray | None:
        """Positions among the reference points; None for a kernel in closed form."""
        return self.inner.atoms(items)


@dataclass(frozen=True, eq=False, kw_only=True)
class NystromBasis(Record):
    """Eigenfunctions found on points, continued by the kernel.

    Attributes
    ----------
    kernel
        Function of two points.
    points
        Reference points, shape ``(N, dim)``.
    weights
        Values of the kernel at these times the weights are the functions, ``(N, m)``.
    """

    kernel: KernelFunction
    points: np.ndarray
    weights: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Numbers of the eigenfunctions."""
        return tuple(
            f"eigenfunction {place}" for place in range(1, self.weights.shape[1] + 1)
        )

    def evaluate(self, x: object) -> np.ndarray:
        """Eigenfunctions at points, shape ``(point, m)``."""
        points = point_rows(x, self.points.shape[1])
        padded = pad_rows(points, size_class(len(points)))
        kernel = double(_pairs)(self.kernel, padded, self.points)
        return kernel[: len(points)] @ self.weights

    def jacobian(self, x: object) -> np.ndarray:
        """Derivatives of the functions at points, shape ``(point, m, dim)``."""
        points = point_rows(x, self.points.shape[1])
        slopes = double(_slopes)(self.kernel, points, self.points)
        return np.einsum("ijd,jm->imd", slopes, self.weights)

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients themselves: these functions are the features."""
        return coef


@dataclass(frozen=True, eq=False, init=False)
class _NystromSpace(FiniteSpace):
    """Eigenfunctions on reference points."""

    points: np.ndarray = field(repr=False)
    height: np.ndarray = field(repr=False)  # k(x, x) over its integral

    def background(self, atoms: np.ndarray) -> np.ndarray:
        """Density ``k(x, x) / ∫ k dμ`` at reference points."""
        return self.height[atoms]

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """Reference points at positions, shape ``(..., point, dim)``."""
        return self.points[atoms]


@dataclass(frozen=True, eq=False, init=False)
class _LineSpace(ProductSpace):
    """Eigenfunctions of one variable in closed form."""

    def __init__(self, line: Any, terms: tuple[str, ...]) -> None:
        self._hold([line], np.arange(len(terms))[:, None], [terms])


def _check_belonging(kernel: Any, measure: Any, units: dict[str, Any]) -> None:
    """Refuse arguments that the kernel has no use for."""
    if isinstance(kernel, str):
        check_choice("kernel", kernel, ("brownian_bridge", "gaussian"))
    elif not callable(kernel):
        raise DesignError(
            f"kernel {kernel!r} should be a name or a function of two points."
        )
    elif measure is None:
        raise DesignError(
            "a kernel given as a function needs a measure: points, or a sampler."
        )
    if isinstance(kernel, str) and measure is not None:
        raise DesignError(f"kernel {kernel!r} has its own measure; leave measure out.")
    unused = [name for name, value in units.items() if value is not None]
    if unused and kernel != "gaussian":
        raise DesignError(
            f"{unused[0]} belongs to kernel 'gaussian' alone; leave it out."
        )


def _bridge(size: int) -> tuple[Space, np.ndarray, float]:
    values = 1 / (pi * np.arange(1.0, size + 1)) ** 2
    terms = tuple(f"sin {place}" for place in range(1, size + 1))
    return _LineSpace(sine_line(size), terms), values, 1 / 6 - float(values.sum())


def _gaussian(size: int, units: dict[str, Any]) -> tuple[Space, np.ndarray, float]:
    standard = {"location": 0.0, "scale": 1.0, "length_scale": 1.0}
    given = {name: standard[name] if v is None else v for name, v in units.items()}
    center = finite_number("location", given["location"])
    scale = finite_number("scale", given["scale"], positive=True)
    length = finite_number("length_scale", given["length_scale"], positive=True)
    a, b = 0.25 / scale**2, 0.5 / length**2
    whole = a + b + sqrt(a**2 + 2 * a * b)
    ratio = b / whole
    values = sqrt(2 * a / whole) * ratio ** np.arange(size)
    # The eigenvalues are a geometric series that sums to one.
    error = float(ratio**size)
    terms = tuple(f"eigenfunction {place}" for place in range(1, size + 1))
    return _LineSpace(mercer_line(size, center, scale, length), terms), values, error


def _nystrom(
    kernel: KernelFunction, size: int, measure: Any, reference: int, seed: int
) -> tuple[Space, np.ndarray, float]:
    points, given = reference_points(measure, reference, seed, "reference")
    if len(points) > _MOST_POINTS:
        raise DesignError(
            f"the kernel of {len(points)} points is a matrix of all their pairs; "
            f"give {_MOST_POINTS} points or fewer."
        )
    pairs = double(_pairs)(kernel, points, points)
    mass = features_and_mass(np.ones((len(points), 1)), given)[1]
    if not np.isfinite(pairs).all() or np.abs(pairs - pairs.T).max() > 1e-9 * np.abs(
        pairs
    ).max(initial=0.0):
        raise DataError(
            "the kernel should be finite and symmetric on the points of the measure."
        )
    root = np.sqrt(mass)
    spectrum, vectors = np.linalg.eigh(root[:, None] * pairs * root)
    values, rows = spectrum[::-1][:size].copy(), vectors[:, ::-1][:, :size]
    positive = int(np.count_nonzero(spectrum > _LEAST_EIGENVALUE * spectrum[-1]))
    if positive < size or spectrum[0] < -1e-9 * spectrum[-1]:
        raise DataError(
            f"the kernel has {positive} positive eigenvalues on {len(points)} points, "
            f"the least of all is {spectrum[0]:.1e}; it should be positive "
            f"semidefinite with {size} positive ones. Lower the size, or give more "
            "points."
        )
    # The sign of an eigenvector is arbitrary: its largest entry is made positive.
    largest = rows[np.abs(rows).argmax(axis=0), np.arange(size)]
    rows = rows * np.sign(largest)
    height = np.diagonal(pairs) / (mass @ np.diagonal(pairs))
    basis = NystromBasis(
        kernel=kernel, points=points, weights=root[:, None] * rows / values
    )
    inner = _NystromSpace.__new__(_NystromSpace)
    inner._hold(basis, mass, rows, points=basis.points, height=height)
    return inner, values, float(mass @ np.diagonal(pairs) - values.sum())


@partial(jax.jit, static_argnums=0)
def _pairs(kernel: KernelFunction, left: Array, right: Array) -> Array:
    return jax.vmap(lambda x: jax.vmap(lambda y: kernel(x, y))(right))(left)


@partial(jax.jit, static_argnums=0)
def _slopes(kernel: KernelFunction, left: Array, right: Array) -> Array:
    slope = jax.jacfwd(kernel)
    return jax.vmap(lambda x: jax.vmap(lambda y: slope(x, y))(right))(left)


def _name(kernel: Any) -> str:
    return getattr(kernel, "__name__", type(kernel).__name__)
