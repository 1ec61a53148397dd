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

__all__ = ["DesignPoints"]


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
        The points, shape ``(n, dim)``; None on finite spaces.
    weights
        Weight ``w`` of every point in the least-squares fit, shape ``(n,)``.
    values
        Orthonormal functions at the points, shape ``(n, m)``.
    basis
        Evaluates the functions elsewhere.
    law
        ``"iid"``, ``"projection"``, ``"repeated"`` or ``"volume"``.
    tries
        How many designs were drawn to get this one.
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
    tries: int
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
        scaled = self.values * np.sqrt(self.weights / self.n_points)[..., None]
        singular = np.linalg.svd(scaled, compute_uv=False)
        missing = self.size - singular.shape[-1]
        lengths = np.pad(singular, [(0, 0)] * (singular.ndim - 1) + [(0, missing)])
        found = lengths[..., ::-1] ** 2
        found.flags.writeable = False
        return found
