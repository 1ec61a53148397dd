"""Points drawn from a design: where to evaluate, with what weight, and how stable.

Everything a fit needs later is here, the space itself excepted: the orthonormal
functions at the points and the small matrix that evaluates them elsewhere. Many draws
of a design are one object whose arrays have a leading axis of draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.design.basis import Basis
from distcausal.design.laws import Guarantees

__all__ = ["DesignPoints", "gram_spectrum"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DesignPoints(Record):
    """Points at which to evaluate a function, drawn by a design.

    Shapes are those of one draw; `sample_many` puts an axis of draws before them.

    Attributes
    ----------
    index
        Positions of the points among those of a finite space, shape ``(n,)``; None on
        other spaces. A point may occur more than once, except in a projection process.
    x
        The points, shape ``(n, dim)``; None where the space knows features only.
    weights
        Weight ``w`` of every point in the least-squares fit, shape ``(n,)``.
    values
        Orthonormal functions at the points, shape ``(n, m)``.
    basis
        Evaluates the functions elsewhere.
    law
        ``"iid"``, ``"projection"``, ``"volume"``, ``"repeated"``, ``"repeated volume"``
        or ``"subset"``; after ``"conditioned"``, ``"best"`` or ``"greedy"`` where
        points were selected by looking at them.
    guarantees
        What is exactly true of that law, as a `Guarantees`.
    blocks
        How many independent sets of equal size the points are, in their order.
    tries
        How many designs were drawn to get this one; a number, or shape ``(draw,)``.
    settings
        Every argument as used, with seed and versions.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(3))
    >>> points = dc.VolumeSampling(space, 8).sample(seed=1)
    >>> points.x.shape, points.weights.shape
    ((8, 1), (8,))
    >>> bool(points.gram_eigenvalues[0] > 0)
    True
    """

    index: np.ndarray | None
    x: np.ndarray | None
    weights: np.ndarray
    values: np.ndarray
    basis: Basis
    law: str
    guarantees: Guarantees
    blocks: int
    tries: int | np.ndarray
    settings: dict[str, Any]

    def __repr__(self) -> str:
        draws = "" if self.draws is None else f"{self.draws} draws of "
        return (
            f"<DesignPoints: {draws}{self.n_points} points for {self.size} functions, "
            f"{self.law} sampling>"
        )

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.values.shape[-2]

    @property
    def size(self) -> int:
        """Dimension m of the space."""
        return self.values.shape[-1]

    @property
    def draws(self) -> int | None:
        """Number of draws held; None for a single one."""
        return len(self.values) if self.values.ndim == 3 else None

    @cached_property
    def gram_eigenvalues(self) -> np.ndarray:
        """Eigenvalues of ``G = (1/n) Σ w φ φ'``, ascending, shape ``(m,)``.

        The closer to one, the closer the fit to the best approximation; they are known
        before anything is evaluated.
        """
        found = gram_spectrum(self.values, self.weights)
        found.flags.writeable = False
        return found


def gram_spectrum(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Eigenvalues of ``G = (1/n) Σ w φ φ'``, ascending, shape ``(..., m)``.

    Squared singular values of the scaled rows: the small ones, on which stability
    depends, keep the digits that forming G would lose.
    """
    points, size = values.shape[-2:]
    scaled = values * np.sqrt(weights / points)[..., None]
    singular = np.linalg.svd(scaled, compute_uv=False)
    missing = size - singular.shape[-1]
    lengths = np.pad(singular, [(0, 0)] * (singular.ndim - 1) + [(0, missing)])
    return lengths[..., ::-1] ** 2
