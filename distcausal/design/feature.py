"""Spaces of the user's own functions under a measure given by points or by a sampler.

The functions are made orthonormal on reference points, and designs draw from these, so
everything promised about a design holds exactly for the measure of the reference
points. How far that is from the measure meant is measured on independent points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from distcausal._base.fit import Record
from distcausal._base.precision import double
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.design.basis import combined, point_rows, spread
from distcausal.design.check import features_and_mass, whole_number
from distcausal.design.measure import is_sampled, reference_points
from distcausal.design.spaces import (
    FiniteSpace,
    Rank,
    independent_columns,
    missing,
)
from distcausal.errors import DesignError

__all__ = ["FeatureBasis", "FeatureSpace"]

FeatureFunction = Callable[[Array], Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureBasis(Record):
    """Linear combinations of the values of a function.

    Attributes
    ----------
    feature_fn
        Features at one point.
    dim
        Coordinates of a point.
    upper
        Features kept are the orthonormal functions times this triangle, ``(m, m)``.
    names
        Names of all features.
    kept
        Positions of the features that the others do not determine.
    """

    feature_fn: FeatureFunction
    dim: int
    upper: np.ndarray
    names: tuple[str, ...]
    kept: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the orthonormal functions."""
        return tuple(f"phi_{place}" for place in range(len(self.upper)))

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at points, shape ``(point, m)``."""
        points = point_rows(x, self.dim)
        features = _features(self.feature_fn, points)
        return combined(features[:, self.kept], self.upper)

    def jacobian(self, x: object) -> np.ndarray:
        """Derivatives of the functions at points, shape ``(point, m, dim)``."""
        points = point_rows(x, self.dim)
        slopes = double(_slopes)(self.feature_fn, points)[:, self.kept]
        return np.moveaxis(combined(np.moveaxis(slopes, 1, 2), self.upper), 2, 1)

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the features; zero for those that others determine."""
        solved = np.linalg.solve(self.upper, coef)
        return spread(solved, self.kept, len(self.names))


@dataclass(frozen=True, eq=False, init=False)
class FeatureSpace(FiniteSpace):
    """Linear combinations of the user's functions, under the user's measure.

    Parameters
    ----------
    feature_fn
        Features at one point: a JAX function from ``(dim,)`` to ``(m,)``.
    measure
        Points, shape ``(N, dim)``, of equal mass; a tuple of points and masses, such as
        a quadrature rule; a sampler ``measure(key, count)`` that returns points; a
        NumPyro distribution, or any object with ``sample(key, shape)``; or a
        `BoxDensity`.
    reference
        How many reference points, where the measure can be asked for them.
    seed
        Of the reference points.
    rank
        ``"full"``: dependent features are an error; ``"truncate"``: features that those
        before them determine are left out, and listed in ``dropped``.

    Attributes
    ----------
    points
        Reference points, shape ``(N, dim)``. Designs draw from these, and are exact for
        the measure they carry.
    gram_error
        Spectral norm of ``G - I``, G the Gram matrix of the orthonormal functions on as
        many independent points of the measure; None if the points were given.
    size
        Dimension m of the space.
    dropped
        Names of the features left out.

    Raises
    ------
    DataError
        As `FiniteSpace`, about the values of the features at the reference points; or
        if the measure gives no finite points.
    DesignError
        If ``feature_fn`` does not return one vector, or another argument is not as
        described.

    Notes
    -----
    Results hold the function, so they can be written as JSON only without their basis,
    and pickled only if the function can.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> import distcausal as dc
    >>> def decays(x):
    ...     return jnp.exp(-x[0] * jnp.arange(3.0))
    >>> def measure(key, count):
    ...     return jax.random.exponential(key, (count,))
    >>> space = dc.FeatureSpace(decays, measure)
    >>> points = dc.VolumeSampling(space, 6).sample(seed=1)
    >>> fit = dc.wls(points, np.exp(-points.x[:, 0]))
    >>> bool(np.allclose(fit.predict([0.5]), np.exp(-0.5)))
    True
    >>> bool(space.gram_error < 0.2)
    True
    """

    points: np.ndarray = field(repr=False)
    gram_error: float | None

    def __init__(
        self,
        feature_fn: FeatureFunction,
        measure: Any,
        *,
        reference: int = 4096,
        seed: int = 0,
        rank: Rank = "full",
    ) -> None:
        count = whole_number("reference", reference, 1)
        points, mass = reference_points(measure, count, seed, "reference")
        features = _features(feature_fn, points)
        least = 1 if rank == "truncate" else None
        columns, weight, _ = features_and_mass(features, mass, least=least)
        names = tuple(f"feature {place}" for place in range(columns.shape[1]))
        rows, upper, kept = independent_columns(columns, weight, names, rank)
        basis = FeatureBasis(
            feature_fn=feature_fn,
            dim=points.shape[1],
            upper=upper,
            names=names,
            kept=kept,
        )
        error = None
        if is_sampled(measure):
            others = reference_points(measure, count, seed, "independent")
            error = _gram_error(basis, *others)
        points.flags.writeable = False
        dropped = missing(names, kept)
        self._hold(basis, weight, rows, dropped, points=points, gram_error=error)

    def __repr__(self) -> str:
        known = "" if self.gram_error is None else f"; Gram error {self.gram_error:.2g}"
        return (
            f"FeatureSpace({self.size} features, exact for the measure of "
            f"{len(self.mass)} reference points{known})"
        )

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """Points at positions, shape ``(..., point, dim)``."""
        return self.points[atoms]


def _gram_error(
    basis: FeatureBasis, points: np.ndarray, mass: np.ndarray | None
) -> float:
    functions = basis.evaluate(points)
    weight = features_and_mass(functions, mass)[1]
    gram = (functions * weight[:, None]).T @ functions
    return float(np.linalg.norm(gram - np.eye(len(gram)), 2))


def _features(feature_fn: FeatureFunction, points: np.ndarray) -> np.ndarray:
    """Features at points, shape ``(point, feature)``."""
    padded = np.concatenate(
        [points, np.repeat(points[-1:], size_class(len(points)) - len(points), axis=0)]
    )
    found = double(_mapped)(feature_fn, padded)[: len(points)]
    if found.ndim != 2:
        raise DesignError(
            "feature_fn should return one vector of features for a point of shape "
            f"({points.shape[1]},); it returned shape {found.shape[1:]}."
        )
    return found.astype(float)


@partial(jax.jit, static_argnums=0)
def _mapped(feature_fn: FeatureFunction, points: Array) -> Array:
    return jax.vmap(feature_fn)(points)


@partial(jax.jit, static_argnums=0)
def _slopes(feature_fn: FeatureFunction, points: Array) -> Array:
    return jax.vmap(jax.jacfwd(feature_fn))(points)
