"""What is exactly true of each sampling law, said in one place.

Every fit asks the same four questions of the points it is given: are least-squares
coefficients unbiased, do residuals measure the error of the best approximation without
bias, does every single point follow ``μ / w``, and is the expected error bounded
whatever the function. The answers belong to the law of the points and are lost when
points are selected by looking at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from distcausal._base.fit import Record

__all__ = ["INDEPENDENT", "NONE", "PROJECTION", "SUBSET", "Guarantees", "volume"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Guarantees(Record):
    """Exact properties of a law, for every function.

    Attributes
    ----------
    unbiased
        Weighted least-squares coefficients have the coefficients of the best
        approximation as their mean.
    error_sq
        Which multiple of the residuals has the squared error of the best approximation
        as its mean: ``"volume"`` for ``Σ w e² / (n - m)``, ``"subset"`` for
        ``(N - m) / (N (n - m)) Σ e²``; None where none does.
    marginal
        Every single point follows ``μ / w``, so that weighted averages over the points
        are unbiased.
    bounded
        The expected squared error is at most m + 1 times that of the best
        approximation.
    """

    unbiased: bool = False
    error_sq: Literal["volume", "subset"] | None = None
    marginal: bool = False
    bounded: bool = False


NONE = Guarantees()
PROJECTION = Guarantees(unbiased=True, marginal=True, bounded=True)
SUBSET = Guarantees(unbiased=True, error_sq="subset", bounded=True)
INDEPENDENT = Guarantees(marginal=True)


def volume(share: float) -> Guarantees:
    """Properties of volume sampling, some only with the optimal weights."""
    return Guarantees(
        unbiased=True, error_sq="volume", marginal=share == 1, bounded=True
    )
