"""Designs selected from draws of another one: given stability, or the best of several.

Selection looks at points only, never at values, so it costs no evaluation. It trades
exactness for stability: once draws have been refused no coefficient is unbiased and no
residual measures an error without bias, and a fit carries what is known of its own
points only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from distcausal._base.keys import branches, stages
from distcausal._base.typing import Array
from distcausal.design.base import Design, Drawn
from distcausal.design.check import whole_number
from distcausal.design.laws import NONE, Guarantees
from distcausal.design.spaces import Space
from distcausal.errors import ConvergenceError, DesignError, check_choice
from distcausal.numerics.binomial import exact_interval
from distcausal.numerics.bounds import iid_lower, iid_norm, least_size

__all__ = [
    "BestOf",
    "Conditioned",
    "Event",
    "Modified",
    "check_delta",
    "instability",
    "is_stable",
]

Event = Literal["lower", "norm"]
# Eigenvalues of stratified designs are fractions that meet a limit exactly.
_ROUNDING = 1e-10
_LEAST_LANES = 16  # designs drawn together when one of them is to be accepted
_IID_BOUNDS = {"lower": iid_lower, "norm": iid_norm}


def instability(spectrum: np.ndarray, event: Event) -> np.ndarray:
    """How far Gram matrices are from the identity, shape without the last axis.

    ``1 - λ_min`` for ``"lower"``, the largest ``|λ - 1|`` for ``"norm"``.
    """
    low = 1 - spectrum[..., 0]
    return low if event == "lower" else np.maximum(low, spectrum[..., -1] - 1)


def is_stable(away: np.ndarray, delta: float) -> np.ndarray:
    """Whether an instability is at most delta, but for rounding."""
    return away <= delta + _ROUNDING


class Modified(Design):
    """A design made from another one on the same space."""

    base: Design

    @property
    def space(self) -> Space:  # type: ignore[override]
        """Functions and measure."""
        return self.base.space

    @property
    def law(self) -> str:
        """Name of the law."""
        return self.base.law

    @property
    def guarantees(self) -> Guarantees:
        """What is exactly true of the law."""
        return NONE

    @property
    def n_points(self) -> int:
        """Points in one draw."""
        return self.base.n_points

    @property
    def share(self) -> float:
        """Share of the optimal density in the sampling measure ``μ / w``."""
        return self.base.share

    @property
    def depth(self) -> int:
        """How many changes lie below: every one draws from streams of its own."""
        return self.base.depth + 1 if isinstance(self.base, Modified) else 0

    def _named(self) -> str:
        return f"{self.base._named()}, {type(self).__name__}"

    def _scaled(self, items: np.ndarray) -> np.ndarray:
        """Functions at points, each row times the root of its weight."""
        values = self.space.values(items)
        return values * np.sqrt(self._weights(values, items))[..., None]


@dataclass(frozen=True, eq=False)
class Conditioned(Modified):
    """Draws of a design given that they are stable: others are drawn again.

    Stability bounds the error of every function almost surely. It is a matter of the
    points alone, so drawing again costs no evaluation; it costs unbiasedness.

    Attributes
    ----------
    base
        Design to draw from.
    delta
        Distance allowed, in (0, 1).
    event
        ``"lower"``: the smallest eigenvalue of ``G`` is at least ``1 - delta``;
        ``"norm"``: all eigenvalues are within ``delta`` of one.
    max_tries
        Draws allowed for each design wanted, and for the first stable one of all.

    Raises
    ------
    DesignError
        If an argument is not as described; when sampling `ConvergenceError` if stable
        points are not found, with the share of stable draws and the best one seen.

    References
    ----------
    Haberstich, Nouy and Perrin (2022), arXiv:1912.07075.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(10))
    >>> points = dc.RepeatedDPP(space, 2).conditioned(0.9, event="norm").sample()
    >>> bool(points.gram_eigenvalues[0] >= 0.1)
    True
    """

    base: Design
    delta: float = 0.5
    event: Event = "lower"
    max_tries: int = 1000

    def __post_init__(self) -> None:
        """Check the arguments once, where they are written."""
        check_delta(self.delta)
        check_choice("event", self.event, ("lower", "norm"))
        whole_number("max_tries", self.max_tries, 1)

    @property
    def law(self) -> str:
        """Name of the law."""
        return f"conditioned {self.base.law}"

    @property
    def blocks(self) -> int:
        """One: the condition ties all points together."""
        return 1

    def _arguments(self) -> dict[str, Any]:
        return {
            **self.base._arguments(),
            "delta": float(self.delta),
            "event": self.event,
            "max_tries": int(self.max_tries),
        }

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        first, own = self._tried(keys, kept), stages(keys, f"tries {self.depth}")
        items, tries = first.items.copy(), first.tries.copy()
        count = _Count(kept, int(first.stable[:kept].sum()), first.nearest)
        pending, rounds = np.flatnonzero(~first.stable[:kept]), 1
        batch = max(len(keys), _LEAST_LANES)
        while pending.size:
            self._give_up_if_hopeless(count, rounds)
            # Every draw still wanted gets its next tries, as many as fit the batch.
            each = min(batch // pending.size, self.max_tries - rounds)
            lane = np.resize(np.repeat(pending, each), batch)
            number = rounds + np.arange(batch) % each
            turn = self._tried(branches(own, lane, number), pending.size * each)
            stable = turn.stable[: pending.size * each].reshape(-1, each)
            spent = turn.tries[: stable.size].reshape(-1, each).cumsum(axis=1)
            hit, row = stable.any(axis=1), np.arange(len(stable))
            place = np.where(hit, stable.argmax(axis=1), each - 1)
            items[pending[hit]] = turn.items[(row * each + place)[hit]]
            tries[pending] += spent[row, place]
            count = count.plus(stable, turn.nearest)
            rounds, pending = rounds + each, pending[~hit]
        return Drawn(items, tries)

    def _tried(self, keys: Array, kept: int) -> _Tried:
        """One try for every key."""
        drawn = self.base._drawn(keys, kept)
        away = instability(self._spectrum(drawn.items), self.event)
        return _Tried(*drawn, is_stable(away, self.delta), float(away[:kept].min()))

    def _give_up_if_hopeless(self, count: _Count, rounds: int) -> None:
        if rounds < self.max_tries and (count.stable or count.tries < self.max_tries):
            return
        low, high = exact_interval(count.stable, count.tries)
        what = "1 - λ_min" if self.event == "lower" else "|G - I|"
        raise ConvergenceError(
            f"{count.stable} of {count.tries} draws of {self.base.n_points} points had "
            f"{what} <= {self.delta:g} (probability {low:.2g} to {high:.2g}); the "
            f"least seen was {count.nearest:.3g}. Raise delta or the number of points"
            f"{self._enough()}, or use RepeatedDPP."
        )

    def _enough(self) -> str:
        """Number of points that is known to do, in brackets, if one can be counted."""
        bound, size = _IID_BOUNDS[self.event], self.space.size
        try:
            needed = least_size(lambda n: bound(size, n, self.delta), 0.5, size)
        except OverflowError:
            return ""
        return (
            f" ({needed} independent ones with optimal weights are stable in at least "
            "half of all draws)"
        )


class _Tried(NamedTuple):
    """Designs drawn, which of them are stable, and how near the others came."""

    items: np.ndarray
    tries: np.ndarray
    stable: np.ndarray
    nearest: float


class _Count(NamedTuple):
    """Designs drawn so far, stable ones among them, and the least instability."""

    tries: int
    stable: int
    nearest: float

    def plus(self, stable: np.ndarray, nearest: float) -> _Count:
        """Count another round."""
        return _Count(
            self.tries + stable.size,
            self.stable + int(stable.sum()),
            min(self.nearest, nearest),
        )


@dataclass(frozen=True, eq=False)
class BestOf(Modified):
    """The most stable of several draws: the one with the smallest ``|G - I|``.

    Attributes
    ----------
    base
        Design to draw from.
    candidates
        Number of draws of which one is kept.

    Raises
    ------
    DesignError
        If ``candidates`` is not a whole number, 1 or more.

    References
    ----------
    Haberstich, Nouy and Perrin (2022), arXiv:1912.07075.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> design = dc.IID(space, 15)
    >>> chosen = design.best_of(20).sample(seed=1).gram_eigenvalues
    >>> bool(chosen[0] > design.sample(seed=1).gram_eigenvalues[0])
    True
    """

    base: Design
    candidates: int

    def __post_init__(self) -> None:
        """Check the number once, where it is written."""
        whole_number("candidates", self.candidates, 1)

    @property
    def law(self) -> str:
        """Name of the law."""
        return f"best {self.base.law}"

    def _arguments(self) -> dict[str, Any]:
        return {**self.base._arguments(), "candidates": int(self.candidates)}

    def _drawn(self, keys: Array, kept: int) -> Drawn:
        own = stages(keys, f"candidates {self.depth}")
        # Candidates side by side as far as memory allows, then one group after another.
        group = self._at_once(kept * self.candidates)
        each = min(self.candidates, group)
        lanes = max(group // each, 1)
        parts = [
            self._best(own, np.arange(start, start + lanes) % kept, each)
            for start in range(0, kept, lanes)
        ]
        # Keys that only fill the shape repeat others.
        whole = np.arange(len(keys)) % kept
        fields = (np.concatenate(field)[whole] for field in zip(*parts, strict=True))
        return Drawn(*fields)

    def _best(self, keys: Array, lanes: np.ndarray, each: int) -> Drawn:
        """Best items of some lanes, so many candidates at a time."""
        rows = np.arange(len(lanes))
        found: Any = None
        tries = np.zeros(len(lanes), int)
        nearest = np.full(len(lanes), np.inf)
        for start in range(0, self.candidates, each):
            number = start + np.arange(each)
            own = branches(keys, np.repeat(lanes, each), np.tile(number, len(lanes)))
            drawn = self.base._drawn(own, len(own))
            away = instability(self._spectrum(drawn.items), "norm")
            # The last group may reach beyond the candidates asked for.
            real = number < self.candidates
            away = np.where(real, away.reshape(len(lanes), each), np.inf)
            tries += np.sum(drawn.tries.reshape(len(lanes), each) * real, axis=1)
            place = away.argmin(axis=1)
            best = drawn.items[rows * each + place]
            found = best if found is None else found.copy()
            closer = away[rows, place] < nearest
            found[closer] = best[closer]
            nearest = np.minimum(nearest, away[rows, place])
        return Drawn(found, tries)


def check_delta(delta: object) -> None:
    """Raise `DesignError` unless a distance is in (0, 1)."""
    number = isinstance(delta, float | np.floating) and not isinstance(delta, bool)
    if not number or not 0 < delta < 1:  # type: ignore[operator]
        raise DesignError(f"delta {delta!r} should be a number in (0, 1).")
