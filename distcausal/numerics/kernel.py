"""Compactly supported kernels with their moments and one-sided boundary constants.

Every kernel offered is a polynomial in the distance from the cutoff, so one compiled
function serves all of them: it receives the polynomial's coefficients as data. The same
coefficients give every moment in closed form, and with them the constants of the
leading bias and variance of a one-sided local polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from distcausal.numerics.legendre import at_zero, basis_matrix

__all__ = ["KERNELS", "BoundaryConstants", "Kernel"]


@dataclass(frozen=True)
class BoundaryConstants:
    """Constants of the leading bias and variance at the edge of the support.

    Attributes
    ----------
    bias
        ``e0' Γ^{-1} Λ`` with ``Λ = ∫ u^{s+1} r_s(u) K(u) du`` over ``[0, 1]``.
    variance
        ``e0' Γ^{-1} Ψ Γ^{-1} e0`` with ``Ψ = ∫ r_s r_s' K²`` over ``[0, 1]``.
    """

    bias: float
    variance: float


@dataclass(frozen=True)
class Kernel:
    """A symmetric kernel on ``[-1, 1]`` that is a polynomial in ``|u|``.

    Attributes
    ----------
    name
        The word users pass.
    coefficients
        ``K(u) = c0 + c1 |u| + c2 u²`` for ``|u| <= 1``, zero beyond.
    density_scale
        Factor of the normal-reference bandwidth of a density estimate with this kernel.

    Examples
    --------
    >>> from distcausal.numerics.kernel import KERNELS
    >>> round(KERNELS["triangular"].boundary(1).variance, 10)
    4.8
    """

    name: str
    coefficients: tuple[float, float, float]
    density_scale: float

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """Kernel value at each scaled distance, NumPy in and out."""
        distance = np.abs(u)
        c0, c1, c2 = self.coefficients
        return np.where(distance <= 1, c0 + distance * (c1 + distance * c2), 0.0)

    def gram(self, degree: int) -> np.ndarray:
        """One-sided Gram matrix ``Γ`` in shifted Legendre polynomials."""
        nodes, weight = _quadrature()
        basis = basis_matrix(nodes, degree)
        return (basis * (weight * self(nodes))[:, None]).T @ basis

    def boundary(self, order: int) -> BoundaryConstants:
        """Boundary constants of a local polynomial of the given order."""
        return _boundary(self, order)


KERNELS = {
    "triangular": Kernel("triangular", (1.0, -1.0, 0.0), 2.576),
    "epanechnikov": Kernel("epanechnikov", (0.75, 0.0, -0.75), 2.34),
    "uniform": Kernel("uniform", (0.5, 0.0, 0.0), 1.843),
}


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre rule on ``[0, 1]``, exact for every product formed here."""
    nodes, weight = np.polynomial.legendre.leggauss(32)
    return (nodes + 1) / 2, weight / 2


@cache
def _boundary(kernel: Kernel, order: int) -> BoundaryConstants:
    nodes, weight = _quadrature()
    basis = basis_matrix(nodes, order)
    height = kernel(nodes)
    row = np.linalg.solve(kernel.gram(order), at_zero(order))
    equivalent = basis @ row
    return BoundaryConstants(
        bias=float(np.sum(weight * height * equivalent * nodes ** (order + 1))),
        variance=float(np.sum(weight * (height * equivalent) ** 2)),
    )
