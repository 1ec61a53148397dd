"""Spaces for a discontinuity design: a polynomial on either side of a cutoff.

Units near the cutoff carry mass by a kernel, and the functions are those of a local
polynomial regression, so a design on the space says which units to survey when the
jump at the cutoff is what is wanted. The jump of a function of the space is a linear
functional, kept with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.design.arguments import finite_number
from distcausal.design.basis import combined, point_rows
from distcausal.design.check import features_and_mass, numbers, whole_number
from distcausal.design.spaces import FiniteSpace, independent_columns
from distcausal.errors import DataError, check_choice
from distcausal.numerics.kernel import KERNELS

__all__ = ["CutoffBasis", "CutoffSpace"]


@dataclass(frozen=True, eq=False, kw_only=True)
class CutoffBasis(Record):
    """Orthonormal polynomials below and above a cutoff.

    Attributes
    ----------
    cutoff, bandwidth
        Features are powers of ``(x - cutoff) / bandwidth``, on one side each.
    order
        Highest power.
    upper
        Features are the orthonormal functions times this triangle, ``(m, m)``.
    """

    cutoff: float
    bandwidth: float
    order: int
    upper: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the orthonormal functions: the first half lives below."""
        return tuple(
            f"{side} {power}"
            for side in ("below", "above")
            for power in range(self.order + 1)
        )

    def evaluate(self, x: object) -> np.ndarray:
        """Orthonormal functions at values of the running variable, ``(point, m)``.

        The cutoff itself belongs to the side above.
        """
        running = point_rows(x, 1)[:, 0]
        return self.on_side(running, running >= self.cutoff)

    def on_side(self, running: np.ndarray, above: np.ndarray) -> np.ndarray:
        """Functions of the side asked for, continued to wherever the points are."""
        return combined(self.features(running, above), self.upper)

    def features(self, running: np.ndarray, above: np.ndarray) -> np.ndarray:
        """Powers on either side, shape ``(point, m)``."""
        away = (running - self.cutoff) / self.bandwidth
        powers = away[:, None] ** np.arange(self.order + 1)
        return np.concatenate(
            [powers * ~above[:, None], powers * above[:, None]], axis=1
        )

    @property
    def jump(self) -> np.ndarray:
        """Jump of every function at the cutoff, shape ``(m,)``."""
        sides = np.array([False, True])
        below, above = self.on_side(np.full(2, self.cutoff), sides)
        return above - below

    def to_features(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the powers, those below first."""
        return np.linalg.solve(self.upper, coef)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class CutoffSpace(FiniteSpace):
    """Polynomials below and above a cutoff, on units weighted by a kernel.

    Parameters
    ----------
    running
        Running variable of every unit, shape ``(N,)``.
    cutoff
        Units at the cutoff or above it are on the upper side.
    bandwidth
        Distance from the cutoff beyond which units have no mass.
    order
        Degree of the polynomials.
    kernel
        ``"triangular"``, ``"epanechnikov"`` or ``"uniform"``: mass by distance.
    mass
        Further mass of every unit, such as a survey weight; equal if left out.

    Attributes
    ----------
    jump
        Jump of every orthonormal function at the cutoff, shape ``(m,)``: times the
        coefficients of a fit it is the jump of the fit.
    size
        Dimension m of the space, ``2 (order + 1)``.

    Raises
    ------
    DataError
        If the running variable is not finite, a mass is negative or missing, or a side
        has too few units within the bandwidth.
    DesignError
        If another argument is not as described.

    Examples
    --------
    Which 20 of 500 units to survey, and the jump found there:

    >>> import numpy as np
    >>> import distcausal as dc
    >>> running = np.random.default_rng(0).uniform(-1, 1, 500)
    >>> space = dc.CutoffSpace(running, bandwidth=0.5)
    >>> points = dc.VolumeSampling(space, 20).sample(seed=1)
    >>> x = points.x[:, 0]
    >>> fit = dc.wls(points, 2 * x + 3 * (x >= 0))
    >>> round(float(space.jump @ fit.coef), 9)
    3.0
    """

    running: np.ndarray = field(repr=False)
    kernel: str

    def __init__(
        self,
        running: object,
        *,
        cutoff: float = 0.0,
        bandwidth: float,
        order: int = 1,
        kernel: str = "triangular",
        mass: object = None,
    ) -> None:
        check_choice("kernel", kernel, tuple(KERNELS))
        center = finite_number("cutoff", cutoff)
        width = finite_number("bandwidth", bandwidth, positive=True)
        column, given, _ = features_and_mass(_column(running), mass)
        values = column[:, 0]
        blank = CutoffBasis(
            cutoff=center,
            bandwidth=width,
            order=whole_number("order", order, 0),
            upper=np.eye(2),
        )
        weight = given * KERNELS[kernel]((values - center) / width)
        _check_sides(values >= center, weight, blank)
        columns, weight, _ = features_and_mass(
            blank.features(values, values >= center), weight
        )
        rows, upper, _ = independent_columns(columns, weight, blank.labels, "full")
        basis = CutoffBasis(
            cutoff=center, bandwidth=width, order=blank.order, upper=upper
        )
        values.flags.writeable = False
        self._hold(basis, weight, rows, running=values, kernel=kernel)

    @property
    def jump(self) -> np.ndarray:
        """Jump of every orthonormal function at the cutoff, shape ``(m,)``."""
        basis: Any = self.basis
        return basis.jump

    def coordinates(self, atoms: np.ndarray) -> np.ndarray | None:
        """Running variable of the units, shape ``(..., point, 1)``."""
        return self.running[atoms][..., None]


def _column(running: Any) -> np.ndarray:
    given = numbers("running", running)
    lost = np.count_nonzero(~np.isfinite(given))
    if given.ndim != 1 or lost:
        raise DataError(
            "running should have one number per unit, all finite; got shape "
            f"{given.shape} with {lost} missing or infinite. Drop such units."
        )
    return given[:, None]


def _check_sides(above: np.ndarray, weight: np.ndarray, basis: CutoffBasis) -> None:
    for side, units in (("below", ~above), ("above", above)):
        count = int(np.count_nonzero(weight[units]))
        if count <= basis.order:
            raise DataError(
                f"{side} the cutoff {basis.cutoff:g}, {count} units have mass within "
                f"the bandwidth {basis.bandwidth:g}; polynomials of order "
                f"{basis.order} need {basis.order + 1}. Raise the bandwidth or lower "
                "the order."
            )
