"""Volume sampling without replacement: rows of a matrix that fit the whole of it.

Ordinary least squares on the rows drawn has the coefficients of ordinary least squares
on all rows as its mean. A subset has probability proportional to the determinant of its
Gram matrix; by the formula of Cauchy and Binet that is one draw of the projection
process and rows drawn uniformly, without replacement, from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distcausal._base.keys import stages
from distcausal._base.typing import Array
from distcausal.design.base import Law
from distcausal.design.check import whole_number
from distcausal.design.kernels import position_sets
from distcausal.design.laws import SUBSET, Guarantees
from distcausal.design.sampling import determinantal, shuffled
from distcausal.design.spaces import FiniteSpace
from distcausal.errors import DesignError
from distcausal.numerics.determinant import Draws, subset_log_prob
from distcausal.numerics.subsets import others_without_replacement

__all__ = ["SubsetVolumeSampling"]


@dataclass(frozen=True, eq=False, init=False)
class SubsetVolumeSampling(Law):
    """Volume sampling of k different rows, ``P(S)`` proportional to ``det X_S' X_S``.

    Parameters
    ----------
    features
        One row per point and one column per feature, shape ``(N, m)``.
    size
        Rows k in a draw, from m to N.

    Attributes
    ----------
    space
        Span of the features under equal masses.
    size
        Rows in a draw.

    Raises
    ------
    DataError
        As `FiniteSpace`.
    DesignError
        If the size is not a whole number from m to N.

    Notes
    -----
    With ``e`` the residuals of least squares on a draw,
    ``(N - m) / (N (k - m)) Σ e²`` has the mean squared residual of the fit to all rows
    as its mean, for every k above m. A draw costs as much as one of `ProjectionDPP`,
    and a sort of k numbers, whatever N; when k is more than half of N, of N numbers.

    References
    ----------
    Avron and Boutsidis (2013); Derezinski and Warmuth (2017), arXiv:1705.06908.

    Examples
    --------
    The average of fits to independent draws tends to the fit to all rows:

    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(-1, 1, 400)
    >>> features, y = np.stack([x**0, x], axis=1), np.exp(x)
    >>> many = dc.SubsetVolumeSampling(features, 6).sample_many(2000, seed=1)
    >>> fits = dc.wls(many, y[many.index])
    >>> best = np.linalg.lstsq(features, y, rcond=None)[0]
    >>> found = fits.coef_features.mean(axis=0)
    >>> bool(np.allclose(found, best, atol=0.02))
    True
    """

    space: FiniteSpace
    size: int = field(default=0)

    def __init__(self, features: object, size: int) -> None:
        space = FiniteSpace(features)
        count, points = whole_number("size", size, 1), len(space.mass)
        if not space.size <= count <= points:
            raise DesignError(
                f"size {count} should be from {space.size}, the number of features, to "
                f"{points}, the number of rows."
            )
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "size", count)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "subset"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return SUBSET

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.size

    @property
    def share(self) -> float:
        """Zero: every weight is one."""
        return 0.0

    def log_prob(self, subset: object) -> np.ndarray:
        """Log-probability of drawing exactly these rows, in any order.

        Parameters
        ----------
        subset
            k different positions along the last axis, shape ``(..., k)``.

        Returns
        -------
        Shape ``(...)``.

        Raises
        ------
        DesignError
            If they are not k different positions of rows.
        """
        from scipy.special import gammaln

        points, functions = len(self.space.mass), self.space.size
        rows = self.space.rows[position_sets(subset, points, self.size)]
        free, more = points - functions, self.size - functions
        choices = gammaln(free + 1) - gammaln(more + 1) - gammaln(free - more + 1)
        # The determinant of their Gram matrix, by its factor.
        return subset_log_prob(np.swapaxes(rows, -1, -2)) - choices

    def inclusion(self) -> np.ndarray:
        """Probability that a draw contains each of the rows, shape ``(N,)``."""
        points, functions = len(self.space.mass), self.space.size
        if points == functions:
            return np.ones(points)
        left, more = points - self.size, self.size - functions
        return (left * self.space.leverage + more) / (points - functions)

    def _arguments(self) -> dict[str, Any]:
        return {"size": self.size, "population": len(self.space.mass)}

    def _make(self, keys: Array) -> Draws:
        first = determinantal(self.space, "auto", keys)
        more = self.size - self.space.size
        if more == 0:
            return first
        others = others_without_replacement(
            first.items, stages(keys, "others"), points=len(self.space.mass), count=more
        )
        items = shuffled(keys, first.items, others)
        return Draws(items, first.filled, first.lowest)
