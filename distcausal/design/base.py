"""What all designs share: drawing once, drawing many times, changing what is drawn.

A design is a frozen description of a law; `sample` draws from it. Every draw has a key
of its own, made from the seed and the number of the draw, and everything random about
it comes from that key: draw number k is the same whether drawn alone or among many, and
a design made from another one changes the very points that the other would draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from distcausal._base.keys import Seed, branches, check_seed, seed_record, stream
from distcausal._base.precision import double
from distcausal._base.session import versions
from distcausal._base.shapes import size_class
from distcausal._base.typing import Array
from distcausal.design.check import whole_number
from distcausal.design.laws import Guarantees
from distcausal.design.points import DesignPoints, gram_spectrum
from distcausal.design.spaces import Space
from distcausal.errors import ConvergenceError
from distcausal.numerics.determinant import Draws

if TYPE_CHECKING:
    from distcausal.design.modified import Extended, Greedy, Thinned
    from distcausal.design.selected import BestOf, Conditioned, Event

__all__ = ["Design", "Drawn", "Law"]

# What rounding may leave of a squared length that is zero, per function.
_ROUNDING = 1e-12
_NUMBERS = 1 << 24  # values of functions held at once where draws are only compared


class Drawn(NamedTuple):
    """Items of every draw and how many designs each took.

    Attributes
    ----------
    items
        Atoms, shape ``(draw, n)``, or points, ``(draw, n, dim)``.
    tries
        Shape ``(draw,)``.
    """

    items: np.ndarray
    tries: np.ndarray


class Design:
    """A law of points in a space of functions.

    Attributes
    ----------
    space
        Functions and measure.
    """

    space: Space

    @property
    def law(self) -> str:
        """Name of the law, as in `DesignPoints`."""
        raise NotImplementedError

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        raise NotImplementedError

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        raise NotImplementedError

    @property
    def blocks(self) -> int:
        """Number of independent sets of equal size that the points are, in order."""
        return 1

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure ``μ / w``."""
        return 1.0

    def sample(self, seed: Seed = 0) -> DesignPoints:
        """Draw one set of points.

        Parameters
        ----------
        seed
            Integer or JAX key; the same seed gives the same points.

        Raises
        ------
        ConvergenceError
            If rounding spoils the sampler, or a condition is never met.
        """
        drawn = self._drawn(self._keys(seed, 1), 1)
        once = Drawn(drawn.items[0], drawn.tries[0])
        return self._described(once, {"seed": seed_record(seed)})

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
        padded = 1 if count == 1 else size_class(count)
        drawn = self._drawn(self._keys(seed, padded), count)
        call = {"draws": count, "seed": seed_record(seed)}
        return self._described(drawn, call, slice(count))

    def conditioned(
        self, delta: float = 0.5, event: Event = "lower", max_tries: int = 1000
    ) -> Conditioned:
        """Draw until the points are stable; see `Conditioned`."""
        from distcausal.design.selected import Conditioned

        return Conditioned(self, delta, event, max_tries)

    def best_of(self, candidates: int) -> BestOf:
        """Keep the most stable of several draws; see `BestOf`."""
        from distcausal.design.selected import BestOf

        return BestOf(self, candidates)

    def greedy(self, size: int) -> Greedy:
        """Take out points that stability needs least; see `Greedy`."""
        from distcausal.design.modified import Greedy

        return Greedy(self, size)

    def thinned(self, size: int) -> Thinned:
        """Take out points at random, keeping the kind of law; see `Thinned`."""
        from distcausal.design.modified import Thinned

        return Thinned(self, size)

    def extended(self, extra: int) -> Extended:
        """Add points to those drawn, keeping the kind of law; see `Extended`."""
        from distcausal.design.modified import Extended

        return Extended(self, extra)

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        """One draw for every key; those after the first ``kept`` fill a known shape."""
        raise NotImplementedError

    def _arguments(self) -> dict[str, Any]:
        """Arguments other than the space, for the record."""
        raise NotImplementedError

    def _named(self) -> str:
        """How the design was made, for the record."""
        return type(self).__name__

    @staticmethod
    def _keys(seed: Seed, draws: int, first: int = 0) -> Array:
        """Keys of draws, counted from the first."""
        check_seed(seed)
        root = stream(seed, "design").reshape(1)
        return branches(root, np.zeros(draws, int), first + np.arange(draws))

    def _spectrum(self, items: np.ndarray) -> np.ndarray:
        """Eigenvalues of the Gram matrix of every draw, ascending."""
        values = self.space.values(items)
        return gram_spectrum(values, self._weights(values, items))

    def _at_once(self, draws: int) -> int:
        """How many draws to hold together: a power of two that memory allows."""
        most = max(_NUMBERS // (self.n_points * self.space.size), 1)
        return min(1 << (most.bit_length() - 1), 1 << (draws - 1).bit_length())

    def _weights(self, values: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Weights ``w`` of points from the sampling measure ``μ / w``."""
        share, kernel = self.share, np.sum(values**2, axis=-1)
        other = 0.0 if share == 1 else (1 - share) * self.space.background(items)
        return 1 / (share * kernel / self.space.size + other)

    def _described(
        self, drawn: Drawn, call: dict[str, Any], kept: slice = slice(None)
    ) -> DesignPoints:
        """Points at given items; those not kept only fill a known shape."""
        space = self.space
        # Evaluated before they are cut, in a shape that is compiled already.
        values = space.values(drawn.items)
        weights = self._weights(values, drawn.items)[kept]
        values, items = values[kept], drawn.items[kept]
        tries = drawn.tries[kept] if drawn.tries.ndim else int(drawn.tries)
        return DesignPoints(
            index=space.atoms(items),
            x=space.coordinates(items),
            weights=weights,
            values=values,
            means=space.means,
            basis=space.basis,
            law=self.law,
            guarantees=self.guarantees,
            blocks=self.blocks,
            tries=tries,
            settings={
                "design": self._named(),
                "space": repr(space),
                **self._arguments(),
                **call,
                "versions": versions(),
            },
        )


class Law(Design):
    """A design whose points a compiled sampler makes."""

    def _make(self, keys: Array) -> Draws:
        raise NotImplementedError

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        found = double(self._make)(keys)
        lowest, filled = np.min(found.lowest), np.min(found.filled)
        if filled < self.space.size or not lowest >= -_ROUNDING * self.space.size:
            raise ConvergenceError(
                f"a draw stopped after {filled} of {self.space.size} points with a "
                f"squared residual of {lowest:.1e}: rounding has spoilt the functions "
                "of the space. Use fewer of them, or some farther from dependent."
            )
        return Drawn(np.asarray(found.items), np.ones(len(keys), int))

    def _independent(self, items: np.ndarray) -> Draws:
        """Independent items, with which nothing can go wrong."""
        whole = np.full(len(items), self.space.size)
        return Draws(items, whole, np.zeros(len(items)))
