"""Determinantal processes of a kernel between items: L-ensembles and k-DPPs.

Where a space of functions says what a set of points must determine, a kernel says how
alike two items are, and the process prefers sets of unlike ones: a set has probability
proportional to the determinant of its part of the kernel. An L-ensemble draws sets of
random size, a k-DPP sets of exactly k. Both draws are exact, by way of eigenvectors
chosen at random and the projection process on those.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import jax
import numpy as np
from jax import random

from distcausal._base.keys import Seed, branches, check_seed, stages, stream
from distcausal._base.precision import double
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.design.check import whole_number
from distcausal.design.kernels import Kernel, checked_features, checked_kernel
from distcausal.errors import DesignError
from distcausal.numerics.determinant import subset_log_prob
from distcausal.numerics.kdpp import (
    Factor,
    eigenvector_probabilities,
    eigenvectors_chosen,
    log_sums,
    sets_drawn,
)

__all__ = ["KDPP", "LEnsemble"]


@dataclass(frozen=True, eq=False, init=False)
class LEnsemble(Kernel):
    """Random sets with probability ``det L_S / det(I + L)``, of any size.

    Parameters
    ----------
    kernel
        Symmetric and positive semidefinite, shape ``(N, N)``.

    Attributes
    ----------
    rank, n_items
        Rank of the kernel, which bounds the size of a set, and N.

    Raises
    ------
    DataError
        If the kernel is not a square matrix of finite numbers, not symmetric, or has an
        eigenvalue that is negative beyond rounding.

    Notes
    -----
    One eigenvalue decomposition, ``O(N**3)``; `from_features` needs ``O(N r**2)``.
    Eigenvalues are dropped when they are rounding in the kernel scaled to a unit
    diagonal, so the units of the items do not matter.

    References
    ----------
    Hough, Krishnapur, Peres and Virag (2006); Kulesza and Taskar (2012).

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(0, 1, 30)
    >>> similar = np.exp(-((x[:, None] - x) ** 2) / 0.02)
    >>> process = dc.LEnsemble(4 * similar)
    >>> process.inclusion().shape
    (30,)
    >>> bool(process.inclusion([3, 4]) < process.inclusion([3, 20]))
    True
    >>> len(process.sample_many(5, seed=1))
    5
    """

    factor: Factor = field(repr=False)

    def __init__(self, kernel: object) -> None:
        object.__setattr__(self, "factor", checked_kernel(kernel))

    @classmethod
    def from_features(cls, features: object) -> Self:
        """Process with the kernel ``B B'`` of features, which is never formed.

        Parameters
        ----------
        features
            One row per item, shape ``(N, r)``.

        Raises
        ------
        DataError
            If the features are not a matrix of finite numbers.
        """
        made = cls.__new__(cls)
        object.__setattr__(made, "factor", checked_features(features))
        return made

    def __repr__(self) -> str:
        return f"LEnsemble({self.n_items} items, rank {self.rank})"

    @property
    def log_normaliser(self) -> float:
        """Logarithm of ``det(I + L)``."""
        return float(np.logaddexp(0.0, self._spectrum.log_values).sum())

    def log_prob(self, subset: object) -> np.ndarray:
        """Log-probability of drawing exactly these items.

        Parameters
        ----------
        subset
            Different positions along the last axis, shape ``(..., points)``; the empty
            set has shape ``(0,)``.

        Returns
        -------
        Shape ``(...)``.

        Raises
        ------
        DesignError
            If they are not different positions of items.
        """
        return self._log_determinant(self._sets(subset)) - self.log_normaliser

    def inclusion(self, subset: object = None) -> np.ndarray:
        """Probability that a draw contains all of the items given.

        Parameters
        ----------
        subset
            As for `log_prob`; every item by itself if left out.

        Returns
        -------
        Shape ``(...)``, or ``(N,)`` for every item by itself.

        Raises
        ------
        DesignError
            As `log_prob`.
        """
        rows = self._spectrum.vectors * np.sqrt(self._taken)
        if subset is None:
            return np.einsum("ij,ij->i", rows, rows)
        sets = self._sets(subset)
        if sets.shape[-1] > self.rank:
            return np.zeros(sets.shape[:-1])
        return np.exp(subset_log_prob(rows[sets]))

    def size_pmf(self) -> np.ndarray:
        """Probabilities of the sizes 0, 1, ..., rank of a draw."""
        log_values = self._spectrum.log_values
        sums = double(log_sums)(log_values, order=self.rank)
        return np.exp(sums - self.log_normaliser)

    def mode(self) -> np.ndarray:
        """Return a set of large probability, found greedily: not always the largest.

        Items are added one by one, each the best next one, until none raises the
        probability. They come in the order added.
        """
        items, residual = self._pivots(self.rank)
        # The determinant is multiplied by what is left of an item's squared length.
        return items[: int(np.sum(np.cumprod(residual > 1)))]

    def sample(self, seed: Seed = 0) -> np.ndarray:
        """Draw one set.

        Parameters
        ----------
        seed
            Integer or JAX key; the same seed gives the same set.

        Returns
        -------
        Positions of the items, in no particular order; perhaps none.
        """
        return self.sample_many(1, seed)[0]

    def sample_many(self, draws: int, seed: Seed = 0) -> tuple[np.ndarray, ...]:
        """Draw many independent sets as one batch.

        Parameters
        ----------
        draws
            Number of sets.
        seed
            Integer or JAX key; draw 0 is what `sample` draws from it.

        Returns
        -------
        Positions of the items of every draw, one array for each.

        Raises
        ------
        DesignError
            If ``draws`` is not a whole number, 1 or more.
        """
        count, keys = _keys(draws, seed)
        taken = double(_coins)(keys, self._taken)
        sizes = taken.sum(axis=1)
        # In whole size classes, so that a longer set does not compile anew.
        most = min(size_class(int(sizes.max(initial=0))), self.rank)
        if most == 0:
            return (np.zeros(0, int),) * count
        # Columns taken first, in the order they stand.
        places = np.argsort(~taken, axis=1, kind="stable")[:, :most]
        counts = np.arange(most) < sizes[:, None]
        items = double(sets_drawn)(
            self._spectrum.vectors, places, counts, stages(keys, "items")
        )
        filled, ends = items[:count][counts[:count]], np.cumsum(sizes[:count])
        return tuple(np.split(filled, ends[:-1]))

    @property
    def _taken(self) -> np.ndarray:
        """Probability that each eigenvector takes part."""
        return np.exp(-np.logaddexp(0.0, -self._spectrum.log_values))


@dataclass(frozen=True, eq=False, init=False)
class KDPP(Kernel):
    """Random sets of exactly k items with probability proportional to ``det L_S``.

    Parameters
    ----------
    kernel
        Symmetric and positive semidefinite, shape ``(N, N)``.
    size
        Items k in a set, at most the rank of the kernel.

    Attributes
    ----------
    rank, n_items
        Rank of the kernel, and N.

    Raises
    ------
    DataError
        As `LEnsemble`.
    DesignError
        If the size is not a whole number from 1 to the rank.

    Notes
    -----
    With k equal to the rank it is the projection process of the kernel's column space.
    Symmetric polynomials of the eigenvalues are computed as logarithms, and all their
    terms are positive: nothing cancels, and the range of the eigenvalues is free.

    References
    ----------
    Kulesza and Taskar (2011), k-DPPs: fixed-size determinantal point processes.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(0, 1, 30)
    >>> process = dc.KDPP(np.exp(-((x[:, None] - x) ** 2) / 0.02), 4)
    >>> process.sample_many(3, seed=1).shape
    (3, 4)
    >>> round(float(process.inclusion().sum()), 9)
    4.0
    """

    factor: Factor = field(repr=False)
    size: int

    def __init__(self, kernel: object, size: int) -> None:
        self._set(checked_kernel(kernel), size)

    @classmethod
    def from_features(cls, features: object, size: int) -> Self:
        """Process with the kernel ``B B'`` of features, which is never formed.

        Parameters
        ----------
        features
            One row per item, shape ``(N, r)``.
        size
            Items k in a set.

        Raises
        ------
        DataError
            If the features are not a matrix of finite numbers.
        DesignError
            If the size is not a whole number from 1 to the rank.
        """
        made = cls.__new__(cls)
        made._set(checked_features(features), size)
        return made

    def _set(self, factor: Factor, size: int) -> None:
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "size", whole_number("size", size, 1))
        if self.size > self.rank:
            raise DesignError(
                f"size {size} is above the rank {self.rank} of the kernel: every set "
                "of so many items has probability zero. Ask for fewer, or add "
                "features."
            )

    def __repr__(self) -> str:
        return f"KDPP({self.size} of {self.n_items} items, rank {self.rank})"

    @cached_property
    def log_normaliser(self) -> float:
        """Logarithm of the sum of all determinants of k items."""
        log_values = self._spectrum.log_values
        return float(double(log_sums)(log_values, order=self.size)[-1])

    def log_prob(self, subset: object) -> np.ndarray:
        """Log-probability of drawing exactly these items.

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
            If they are not k different positions of items.
        """
        sets = self._sets(subset, self.size)
        return self._log_determinant(sets) - self.log_normaliser

    def inclusion(self, subset: object = None) -> np.ndarray:
        """Probability that a draw contains all of the items given.

        Parameters
        ----------
        subset
            Different positions along the last axis, shape ``(..., points)``; every item
            by itself if left out.

        Returns
        -------
        Shape ``(...)``, or ``(N,)`` for every item by itself.

        Raises
        ------
        DesignError
            If they are not different positions of items.

        Notes
        -----
        Given that a set is drawn, the others follow the process of size ``k - points``
        of the kernel's part that the set does not explain.
        """
        log_values, vectors = self._spectrum
        if subset is None:
            taken = double(eigenvector_probabilities)(log_values, size=self.size)
            return vectors**2 @ taken
        sets = self._sets(subset)
        others = self.size - sets.shape[-1]
        if others < 0:
            return np.zeros(sets.shape[:-1])
        # Relative to the largest eigenvalue, so that no square leaves the range.
        lengths = np.exp((log_values - log_values[-1]) / 2)
        explained = np.swapaxes(vectors[sets] * lengths, -1, -2)
        frame = np.linalg.qr(explained, mode="complete")[0][..., sets.shape[-1] :]
        left = np.linalg.svd(lengths[:, None] * frame, compute_uv=False)
        with np.errstate(divide="ignore"):
            logs = 2 * np.log(left) + log_values[-1]
        sums = double(log_sums)(logs, order=others)[..., -1]
        return np.exp(self._log_determinant(sets) + sums - self.log_normaliser)

    def mode(self) -> np.ndarray:
        """Return a set of large probability, found greedily: not always the largest.

        Items are added one by one, each the best next one; they come in that order.
        """
        return self._pivots(self.size)[0]

    def sample(self, seed: Seed = 0) -> np.ndarray:
        """Draw one set, shape ``(k,)``.

        Parameters
        ----------
        seed
            Integer or JAX key; the same seed gives the same set.
        """
        return self.sample_many(1, seed)[0]

    def sample_many(self, draws: int, seed: Seed = 0) -> np.ndarray:
        """Draw many independent sets as one batch.

        Parameters
        ----------
        draws
            Number of sets.
        seed
            Integer or JAX key; draw 0 is what `sample` draws from it.

        Returns
        -------
        Positions of the items, shape ``(draw, k)``, in no particular order.

        Raises
        ------
        DesignError
            If ``draws`` is not a whole number, 1 or more.
        """
        count, keys = _keys(draws, seed)

        def make() -> np.ndarray:
            log_values, vectors = self._spectrum
            chosen = stages(keys, "eigenvectors")
            places = eigenvectors_chosen(log_values, chosen, size=self.size)
            taken = np.ones(places.shape, bool)
            return sets_drawn(vectors, places, taken, stages(keys, "items"))

        return double(make)()[:count]


def _keys(draws: int, seed: Seed) -> tuple[int, Array]:
    """Number of draws and one key for each, padded to a known shape."""
    check_seed(seed)
    count = whole_number("draws", draws, 1)
    padded = 1 if count == 1 else size_class(count)
    root = stream(seed, "ensemble").reshape(1)
    return count, branches(root, np.zeros(padded, int), np.arange(padded))


def _coins(keys: Array, probability: np.ndarray) -> Array:
    """Which eigenvectors each draw takes."""
    own, shape = stages(keys, "eigenvectors"), probability.shape
    return jax.vmap(lambda key: random.uniform(key, shape, float) < probability)(own)
