"""Random designs: independent points, projection processes, volume sampling.

All are built from two kinds of draws. Volume sampling with n points, whose
density is that of n independent points times the determinant of their Gram matrix, is
the law of a projection process and ``n - m`` independent points in random order
(Derezinski, Warmuth and Hsu 2022), so nothing else has to be sampled.

A design is a frozen description; `sample` draws from it. Draw number k of a seed is the
same whether it is drawn alone or among many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from distcausal._base.keys import Seed, check_seed, seed_record, stream
from distcausal._base.precision import double
from distcausal._base.session import versions
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.design.check import Weight, optimal_share, whole_number
from distcausal.design.points import DesignPoints
from distcausal.design.sampling import Sampler, determinantal, independent, shuffled
from distcausal.design.spaces import FiniteSpace, Space
from distcausal.errors import ConvergenceError, DesignError, check_choice
from distcausal.numerics.determinant import subset_log_prob

__all__ = ["IID", "Design", "ProjectionDPP", "RepeatedDPP", "VolumeSampling"]

# What rounding may leave of a squared length that is zero, per function.
_ROUNDING = 1e-12


class _Points(NamedTuple):
    """Items of every draw and what `Draws` says about their making."""

    items: Array
    filled: Array
    lowest: Array


@dataclass(frozen=True, eq=False)
class Design:
    """What all designs share: drawing once, drawing many times.

    Attributes
    ----------
    space
        A `FiniteSpace` or `PolynomialSpace`.
    """

    law: ClassVar[str]

    space: Space

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        raise NotImplementedError

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure ``μ / w``."""
        raise NotImplementedError

    def sample(self, seed: Seed = 0) -> DesignPoints:
        """Draw one set of points.

        Parameters
        ----------
        seed
            Integer or JAX key; the same seed gives the same points.

        Raises
        ------
        ConvergenceError
            If rounding spoils the sampler.
        """
        items = self._drawn(1, seed)[0]
        return self._described(items, {"seed": seed_record(seed)})

    def sample_many(self, draws: int, seed: Seed = 0) -> DesignPoints:
        """Draw many independent sets of points as one batch.

        Parameters
        ----------
        draws
            Number of sets.
        seed
            Integer or JAX key; draw 0 is what `sample` draws from it.

        Raises
        ------
        DesignError
            If ``draws`` is not a whole number, 1 or more.
        ConvergenceError
            As `sample`.
        """
        count = whole_number("draws", draws, 1)
        items = self._drawn(count, seed)
        call = {"draws": count, "seed": seed_record(seed)}
        return self._described(items, call, slice(count))

    def _make(self, key: Array, numbers: Array) -> _Points:
        raise NotImplementedError

    def _arguments(self) -> dict[str, Any]:
        raise NotImplementedError

    def _drawn(self, draws: int, seed: Seed) -> np.ndarray:
        """Items of at least so many draws: padding their number moves none of them."""
        check_seed(seed)
        padded = 1 if draws == 1 else size_class(draws)

        def make() -> _Points:
            return self._make(stream(seed, "design"), jnp.arange(padded))

        found = double(make)()
        lowest, filled = np.min(found.lowest), np.min(found.filled)
        if filled < self.space.size or not lowest >= -_ROUNDING * self.space.size:
            raise ConvergenceError(
                f"a draw stopped after {filled} of {self.space.size} points with a "
                f"squared residual of {lowest:.1e}: rounding has spoilt the functions "
                "of the space. Use fewer of them, or some farther from dependent."
            )
        return np.asarray(found.items)

    def _described(
        self, items: np.ndarray, call: dict[str, Any], kept: slice = slice(None)
    ) -> DesignPoints:
        """Points at given items; those not kept only fill a known shape."""
        finite = isinstance(self.space, FiniteSpace)
        values, items = self.space.values(items)[kept], items[kept]
        kernel = np.sum(values**2, axis=-1)
        share = self.share
        return DesignPoints(
            index=items if finite else None,
            x=None if finite else items,
            weights=1 / (share * kernel / self.space.size + 1 - share),
            values=values,
            basis=self.space.basis,
            law=self.law,
            tries=1,
            settings={
                "design": type(self).__name__,
                "space": repr(self.space),
                **self._arguments(),
                **call,
                "versions": versions(),
            },
        )


@dataclass(frozen=True, eq=False)
class IID(Design):
    """Independent points from the measure that the weight defines.

    Attributes
    ----------
    space
        A `FiniteSpace` or `PolynomialSpace`.
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

    law: ClassVar[str] = "iid"

    size: int
    weight: Weight = "christoffel"

    def __post_init__(self) -> None:
        """Check size and weight once, where they are written."""
        _check_size(self.size, self.space)
        optimal_share(self.weight)

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

    def _make(self, key: Array, numbers: Array) -> _Points:
        items = independent(self.space, self.share, key, numbers, self.n_points)
        whole = jnp.full(len(numbers), self.space.size)
        return _Points(items, whole, jnp.zeros(len(numbers)))


@dataclass(frozen=True, eq=False)
class ProjectionDPP(Design):
    """The projection determinantal process of a space: m points, weights ``m / k_m``.

    Least squares at its points interpolates, is unbiased for the best approximation
    whatever the function, and has at most m times its squared error in addition. No
    design with m points is known to promise as much.

    Attributes
    ----------
    space
        A `FiniteSpace` or `PolynomialSpace`.
    sampler
        ``"stream"`` thins windows of proposals, at a cost that the number of points of
        the space does not enter; ``"chain"`` keeps a residual for every point of a
        finite space; ``"auto"`` takes the cheaper. Both are exact.

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

    law: ClassVar[str] = "projection"

    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the sampler once, where it is written."""
        _check_sampler(self.sampler, self.space)

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.space.size

    @property
    def share(self) -> float:
        """One: the weights are the optimal ones."""
        return 1.0

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
        if not isinstance(self.space, FiniteSpace):
            raise DesignError(
                f"single sets of points have probability zero in {self.space}; "
                "log_prob is for a FiniteSpace."
            )
        atoms = np.asarray(index)
        points, size = len(self.space.mass), self.space.size
        shaped = atoms.dtype.kind in "iu" and atoms.shape[-1:] == (size,)
        if not shaped or not ((atoms >= 0) & (atoms < points)).all():
            raise DesignError(
                f"index should hold sets of {size} positions from 0 to {points - 1} "
                f"along its last axis; got {atoms.dtype} of shape {atoms.shape}."
            )
        return subset_log_prob(self.space.rows[atoms])

    def _arguments(self) -> dict[str, Any]:
        return {"sampler": self.sampler}

    def _make(self, key: Array, numbers: Array) -> _Points:
        return _Points(*determinantal(self.space, self.sampler, key, numbers))


@dataclass(frozen=True, eq=False)
class RepeatedDPP(Design):
    """Independent draws of the projection process, pooled: ``repeats * m`` points.

    The most stable of the designs at two or three points per function. Pooling does
    not preserve unbiasedness: the coefficients have a small bias, and the residuals
    overstate the error of the best approximation.

    Attributes
    ----------
    space
        A `FiniteSpace` or `PolynomialSpace`.
    repeats
        Number of draws pooled.
    sampler
        As in `ProjectionDPP`.

    Raises
    ------
    DesignError
        If ``repeats`` is not a whole number, 1 or more, or the sampler is not offered.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(9))
    >>> dc.RepeatedDPP(space, 3).sample(seed=1).x.shape
    (30, 1)
    """

    law: ClassVar[str] = "repeated"

    repeats: int
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        whole_number("repeats", self.repeats, 1)
        _check_sampler(self.sampler, self.space)

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return int(self.repeats) * self.space.size

    @property
    def share(self) -> float:
        """One: the weights are the optimal ones."""
        return 1.0

    def _arguments(self) -> dict[str, Any]:
        return {"repeats": int(self.repeats), "sampler": self.sampler}

    def _make(self, key: Array, numbers: Array) -> _Points:
        each = jnp.arange(len(numbers) * self.repeats)
        sets = determinantal(self.space, self.sampler, key, each)
        shape = (len(numbers), self.n_points, *sets.items.shape[2:])
        return _Points(sets.items.reshape(shape), sets.filled, sets.lowest)


@dataclass(frozen=True, eq=False)
class VolumeSampling(Design):
    """Generalised volume sampling: points weighted by the determinant of their Gram.

    For every size, weight and function the least-squares coefficients are unbiased for
    those of the best approximation, and the residuals of the fit measure its squared
    error without bias.

    Attributes
    ----------
    space
        A `FiniteSpace` or `PolynomialSpace`.
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

    law: ClassVar[str] = "volume"

    size: int
    weight: Weight = "christoffel"
    sampler: Sampler = "auto"

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        _check_size(self.size, self.space)
        optimal_share(self.weight)
        _check_sampler(self.sampler, self.space)

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

    def _make(self, key: Array, numbers: Array) -> _Points:
        first = determinantal(self.space, self.sampler, key, numbers)
        more = self.n_points - self.space.size
        if more == 0:
            return _Points(*first)
        others = independent(self.space, self.share, key, numbers, more)
        items = shuffled(stream(key, "order"), numbers, first.items, others)
        return _Points(items, first.filled, first.lowest)


def _check_size(size: object, space: Space) -> None:
    """Raise `DesignError` unless there are as many points as functions."""
    points = whole_number("size", size, 1)
    if points < space.size:
        raise DesignError(
            f"{points} points cannot determine {space.size} functions; size should be "
            f"at least {space.size}. Raise it, or use a smaller space."
        )


def _check_sampler(sampler: object, space: Space) -> None:
    check_choice("sampler", sampler, ("auto", "chain", "stream"))
    if sampler == "chain" and not isinstance(space, FiniteSpace):
        raise DesignError(
            f"sampler 'chain' visits every point and needs a FiniteSpace, not {space}. "
            "Use 'stream' or 'auto'."
        )
