"""Independent points, projection processes, volume sampling: the laws of designs.

All are built from two kinds of draws. Volume sampling with n points, whose
density is that of n independent points times the determinant of their Gram matrix, is
the law of a projection process and ``n - m`` independent points in random order
(Derezinski, Warmuth and Hsu 2022), so nothing else has to be sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distcausal._base.precision import double
from distcausal._base.typing import Array
from distcausal.design.base import Drawn, Law
from distcausal.design.check import Weight, optimal_share, whole_number
from distcausal.design.laws import INDEPENDENT, NONE, PROJECTION, Guarantees, volume
from distcausal.design.points import DesignPoints
from distcausal.design.sampling import (
    Sampler,
    determinantal,
    has_all_degrees,
    independent,
    shuffled,
)
from distcausal.design.spaces import FiniteSpace, Space, finite_part
from distcausal.errors import DesignError, check_choice
from distcausal.numerics.determinant import Draws, subset_log_prob
from distcausal.numerics.pivots import greedy_pivots

__all__ = ["IID", "ProjectionDPP", "VolumeSampling", "check_sampler", "check_size"]


@dataclass(frozen=True, eq=False)
class IID(Law):
    """Independent points from the measure that the weight defines.

    Attributes
    ----------
    space
        Functions and measure, as a `FiniteSpace` or any other space.
    size
        Number of points n, at least m.
    weight
        ``"christoffel"``: the optimal density ``k_m / m``, with weights ``m / k_m``;
        ``"one"``: the measure of the space, unweighted; a number a in between mixes
        them, ``1/w = a k_m/m + 1 - a``, which bounds the weights by ``1/(1 - a)``.

    Raises
    ------
    DesignError
        If there are fewer points than functions, or the weight is none of these.

    References
    ----------
    Cohen and Migliorati (2017), arXiv:1608.00512.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> dc.IID(space, 40).sample_many(10, seed=1).x.shape
    (10, 40, 1)
    """

    space: Space
    size: int
    weight: Weight = "christoffel"

    def __post_init__(self) -> None:
        """Check size and weight once, where they are written."""
        check_size(self.size, self.space)
        optimal_share(self.weight)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "iid"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return INDEPENDENT

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return int(self.size)

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure."""
        return optimal_share(self.weight)

    def _arguments(self) -> dict[str, Any]:
        return {"size": self.n_points, "weight": self.weight}

    @property
    def blocks(self) -> int:
        """Every point by itself is independent of the others."""
        return self.n_points

    def _make(self, keys: Array) -> Draws:
        return self._independent(
            independent(self.space, self.share, keys, self.n_points)
        )


@dataclass(frozen=True, eq=False)
class ProjectionDPP(Law):
    """The projection determinantal process of a space: m points, weights ``m / k_m``.

    Least squares at its points interpolates, is unbiased for the best approximation
    whatever the function, and has at most m times its squared error in addition. No
    design with m points is known to promise as much.

    Attributes
    ----------
    space
        Functions and measure, as a `FiniteSpace` or any other space.
    sampler
        ``"stream"`` thins windows of proposals, at a cost that the number of points of
        the space does not enter; ``"chain"`` keeps a residual for every point of a
        finite space; ``"tridiagonal"`` takes eigenvalues of random matrices, for all
        polynomials of one variable up to a degree. All are exact; ``"auto"`` takes the
        cheaper of the first two.

    Raises
    ------
    DesignError
        If the sampler is none of these, or ``"chain"`` on a space that is not finite.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057; Barthelme, Tremblay and Amblard (2023) for
    sampling by rejection.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(-1, 1, 500)
    >>> space = dc.FiniteSpace(np.vander(x, 4))
    >>> design = dc.ProjectionDPP(space)
    >>> points = design.sample(seed=1)
    >>> np.unique(points.index).size
    4
    >>> bool(design.log_prob(points.index) > design.log_prob([0, 1, 2, 3]))
    True
    """

    space: Space
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the sampler once, where it is written."""
        check_sampler(self.sampler, self.space)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "projection"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return PROJECTION

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.space.size

    def log_prob(self, index: object) -> np.ndarray:
        """Log-probability of drawing exactly these points, in any order.

        Parameters
        ----------
        index
            Positions of m points in a finite space, shape ``(..., m)``.

        Returns
        -------
        Shape ``(...)``.

        Raises
        ------
        DesignError
            If the space is not finite: single sets then have probability zero; or if
            ``index`` does not hold sets of m of its points.
        """
        space = getattr(self.space, "inner", self.space)
        mass = getattr(space, "mass", None)
        if mass is None:
            raise DesignError(
                f"single sets of points have probability zero in {space}; log_prob is "
                "for finite spaces."
            )
        atoms, size = np.asarray(index), space.size
        shaped = atoms.dtype.kind in "iu" and atoms.shape[-1:] == (size,)
        if not shaped or not ((atoms >= 0) & (atoms < len(mass))).all():
            raise DesignError(
                f"index should hold sets of {size} positions from 0 to {len(mass) - 1} "
                f"along its last axis; got {atoms.dtype} of shape {atoms.shape}."
            )
        if isinstance(space, FiniteSpace):
            rows = space.rows[atoms]
        else:
            rows = space.values(atoms) * np.sqrt(mass[atoms])[..., None]
        again = (np.diff(np.sort(atoms, axis=-1), axis=-1) == 0).any(axis=-1)
        return np.where(again, -np.inf, subset_log_prob(rows))

    def mode(self) -> DesignPoints:
        """Return m points chosen greedily for a large probability, the same each time.

        The most probable set is hard to find; this one adds, point after point, the one
        with the largest conditional probability, which is what a factorisation with
        pivots does. A deterministic companion without any guarantee of the law.

        Raises
        ------
        DesignError
            If the space is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> import distcausal as dc
        >>> x = np.linspace(-1, 1, 201)
        >>> points = dc.ProjectionDPP(dc.FiniteSpace(np.vander(x, 3))).mode()
        >>> sorted(x[points.index].round(2).tolist())
        [-1.0, 0.0, 1.0]
        """
        finite = finite_part(self.space)
        if finite is None:
            raise DesignError(
                f"mode() compares all points of a FiniteSpace, not of {self.space}. "
                "Take a FiniteSpace, or a FeatureSpace on reference points."
            )
        found = double(greedy_pivots)(finite.rows, count=finite.size)
        drawn = Drawn(np.asarray(found.rows), np.array(1))
        described = self._described(drawn, {"chosen": "greedily"})
        return replace(described, law="greedy projection", guarantees=NONE)

    def _arguments(self) -> dict[str, Any]:
        return {"sampler": self.sampler}

    def _make(self, keys: Array) -> Draws:
        return determinantal(self.space, self.sampler, keys)


@dataclass(frozen=True, eq=False)
class VolumeSampling(Law):
    """Generalised volume sampling: points weighted by the determinant of their Gram.

    For every size, weight and function the least-squares coefficients are unbiased for
    those of the best approximation, and the residuals of the fit measure its squared
    error without bias.

    Attributes
    ----------
    space
        Functions and measure, as a `FiniteSpace` or any other space.
    size
        Number of points n, at least m.
    weight
        As in `IID`.
    sampler
        As in `ProjectionDPP`.

    Raises
    ------
    DesignError
        If there are fewer points than functions, or weight or sampler is not offered.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057; Derezinski, Warmuth and Hsu (2022), JMLR
    23(167).

    Examples
    --------
    The average of fits to independent designs tends to the best approximation:

    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(2))
    >>> many = dc.VolumeSampling(space, 6).sample_many(2000, seed=1)
    >>> fits = dc.wls(many, np.exp(many.x[..., 0]))
    >>> nodes, mass = np.polynomial.legendre.leggauss(20)
    >>> best = space.values(nodes[:, None]).T @ (mass / 2 * np.exp(nodes))
    >>> bool(np.allclose(fits.coef.mean(axis=0), best, atol=0.01))
    True
    """

    space: Space
    size: int
    weight: Weight = "christoffel"
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        check_size(self.size, self.space)
        optimal_share(self.weight)
        check_sampler(self.sampler, self.space)

    @property
    def law(self) -> str:
        """Name of the law."""
        return "volume"

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return volume(self.share)

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return int(self.size)

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure."""
        return optimal_share(self.weight)

    def _arguments(self) -> dict[str, Any]:
        return {
            "size": self.n_points,
            "weight": self.weight,
            "sampler": self.sampler,
        }

    def _make(self, keys: Array) -> Draws:
        first = determinantal(self.space, self.sampler, keys)
        more = self.n_points - self.space.size
        if more == 0:
            return first
        others = independent(self.space, self.share, keys, more)
        items = shuffled(keys, first.items, others)
        return first._replace(items=items)


def check_size(size: object, space: Space) -> None:
    """Raise `DesignError` unless there are as many points as functions."""
    points = whole_number("size", size, 1)
    if points < space.size:
        raise DesignError(
            f"{points} points cannot determine {space.size} functions; size should be "
            f"at least {space.size}. Raise it, or use a smaller space."
        )


def check_sampler(sampler: object, space: Space) -> None:
    """Raise `DesignError` unless the space can be drawn from that way."""
    check_choice("sampler", sampler, ("auto", "chain", "stream", "tridiagonal"))
    if sampler == "chain" and finite_part(space) is None:
        raise DesignError(
            f"sampler 'chain' visits every point and needs a FiniteSpace, not {space}. "
            "Use 'stream' or 'auto'."
        )
    if sampler == "tridiagonal" and not has_all_degrees(space):
        raise DesignError(
            "sampler 'tridiagonal' draws for all polynomials of one variable up to a "
            f"degree, not for {space}. Use 'stream' or 'auto'."
        )
