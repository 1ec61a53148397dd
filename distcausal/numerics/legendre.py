"""Shifted Legendre polynomials: the basis that keeps one-sided fits well conditioned.

A local polynomial on one side of a cutoff lives on ``[0, 1]`` after scaling by the
bandwidth. Powers of ``u`` there are nearly collinear (the Gram matrix of degree 8 has
condition number 10^11); polynomials orthogonal on ``[0, 1]`` span the same space with
condition numbers of a few hundred under any kernel used here. What is wanted from
a fit, its value at zero and its leading coefficient, is one known row of numbers away.
"""

from __future__ import annotations

from functools import cache
from math import comb, factorial
from typing import Any, TypeVar

import numpy as np

__all__ = ["at_zero", "basis_matrix", "leading_coefficient", "to_powers"]


AnyArray = TypeVar("AnyArray", bound=Any)


def basis_matrix(u: AnyArray, degree: int) -> AnyArray:
    """Values of the polynomials of degree ``0..degree`` at ``u``, one column each.

    Works on NumPy and JAX arrays alike: only arithmetic and the array's own stacking
    are used.
    """
    shifted = 2 * u - 1
    columns: list[Any] = [shifted * 0 + 1, shifted]
    for n in range(1, degree):
        columns.append(
            ((2 * n + 1) * shifted * columns[n] - n * columns[n - 1]) / (n + 1)
        )
    namespace = u.__array_namespace__()
    return namespace.stack(columns[: degree + 1], axis=-1)


@cache
def to_powers(degree: int) -> np.ndarray:
    """Matrix taking Legendre coefficients to coefficients of ``1, u, u², ...``."""
    table = np.zeros((degree + 1, degree + 1))
    for n in range(degree + 1):
        for k in range(n + 1):
            table[k, n] = (-1) ** (n + k) * comb(n, k) * comb(n + k, k)
    table.flags.writeable = False
    return table


def at_zero(degree: int, derivative: int = 0) -> np.ndarray:
    """Row that reads the value, or a derivative, at ``u = 0`` off the coefficients."""
    return factorial(derivative) * to_powers(degree)[derivative]


def leading_coefficient(degree: int) -> float:
    """Coefficient of ``u**degree`` in the polynomial of that degree."""
    return float(comb(2 * degree, degree))
