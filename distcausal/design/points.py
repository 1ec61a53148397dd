"""Points drawn from a design: where to evaluate, with what weight, and how stable.

Everything a fit needs later is here, the space itself excepted: the orthonormal
functions at the points and the small matrix that evaluates them elsewhere. Many draws
of a design are one object whose arrays have a leading axis of draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.design.basis import Basis
from distcausal.design.laws import Guarantees

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.design.spaces import Space

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
    means
        Integrals of the orthonormal functions under the measure, shape ``(m,)``.
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
    means: np.ndarray
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

    def plot(
        self,
        space: Space,
        ax: Axes | None = None,
        *,
        variables: int | tuple[int, int] | None = None,
    ) -> Axes:
        """Draw the points against what single points of their law follow.

        One variable: points as ticks, of many draws as bars, under their density and
        that of the measure. Two: points over the densest regions. Atoms without
        coordinates: how often each was drawn, and how often it is expected.

        Parameters
        ----------
        space
            The space they were drawn for.
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        variables
            Which one or two variables to show; the first two if left out.

        Returns
        -------
        The axes.

        Raises
        ------
        DesignError
            If the space has another number of functions or does not know the
            probabilities of its points, or there are no such variables.

        Notes
        -----
        Of points that were selected, as by `Conditioned`, the density shown is the one
        before the selection.
        """
        from distcausal.design._plot_points import draw_points

        return draw_points(self, space, variables=variables, ax=ax)

    def plot_spectrum(self, ax: Axes | None = None, *, delta: float = 0.5) -> Axes:
        """Draw the eigenvalues of ``G`` by rank, with lines at one and ``1 ± delta``.

        For many draws medians, middle halves and the range from 5 to 95 per cent.

        Parameters
        ----------
        ax
            As in `plot`.
        delta
            Distance from one, in (0, 1).

        Returns
        -------
        The axes.

        Raises
        ------
        DesignError
            If ``delta`` is not in (0, 1).
        """
        from distcausal.design._plot_points import draw_spectrum
        from distcausal.design.selected import check_delta

        check_delta(delta)
        return draw_spectrum(self, delta=delta, ax=ax)


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
