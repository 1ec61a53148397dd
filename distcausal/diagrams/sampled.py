"""Channels known by drawing from them: simulators, fitted regressions, mixtures.

Not every mechanism has a table or a covariance, but anything that turns inputs and
random numbers into outputs can be drawn from, and channels that can be drawn from
compose: feed the draws of one to the next. Answers then are samples, with an error that
shrinks with the square root of their number, and nothing can be conditioned on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.gaussian import GaussianChannel
from distcausal.diagrams.reals import as_reals, labels, total
from distcausal.diagrams.rules import check_meet
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import DataError, PositivityError, listing

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.diagrams.channel import Channel

__all__ = ["SampledChannel"]

Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class SampledChannel:
    """A law over ``cod`` for every value of ``dom``, known by its draws.

    ``f >> g`` feeds the draws of f to g, ``f @ g`` puts them side by side.

    Parameters
    ----------
    draw
        Called with a NumPy generator and inputs ``(draw, input)``; returns one output
        for each row, ``(draw, output)``. All its randomness comes from the generator.
    dom, cod
        Input and output wires: names, or `Reals` for vectors, alone or in a list.

    Examples
    --------
    >>> import distcausal as dc
    >>> def paid(rng, hours):
    ...     return hours * rng.lognormal(3.0, 0.5, size=hours.shape)
    >>> wage = dc.SampledChannel(paid, "hours", "wage")
    >>> data = wage.to_distributions([[20.0], [40.0]], size=1000)
    >>> data.columns["hours"], data.mean()[1] > data.mean()[0]
    (array([20., 40.]), np.True_)
    """

    draw: Draw
    dom: Ty
    cod: Ty

    def __post_init__(self) -> None:
        for name in ("dom", "cod"):
            object.__setattr__(self, name, as_reals(getattr(self, name)))

    @classmethod
    def from_gaussian(cls, channel: GaussianChannel) -> SampledChannel:
        """Draw from a linear-Gaussian channel."""

        def draw(rng: np.random.Generator, inputs: np.ndarray) -> np.ndarray:
            return channel.sample(inputs, seed=rng)

        return cls(draw, channel.dom, channel.cod)

    @classmethod
    def from_channel(cls, channel: Channel) -> SampledChannel:
        """Draw from a finite channel whose states are numbers.

        Raises
        ------
        DataError
            If a state is not a number, or, when drawn from, an input is not a state.
        PositivityError
            If a row is not known.
        """
        if np.isnan(channel.values).any():
            raise PositivityError(
                f"rows of the channel {channel.dom} -> {channel.cod} are not known, so "
                "nothing can be drawn from them."
            )
        ins, outs = ([_numbers(s) for s in ty] for ty in (channel.dom, channel.cod))
        size = int(np.prod(channel.dom.shape))
        upto = np.cumsum(channel.values.reshape(size, -1), axis=1)
        upto /= upto[:, -1:]

        def draw(rng: np.random.Generator, inputs: np.ndarray) -> np.ndarray:
            row = np.zeros(len(inputs), dtype=int)
            for space, states, column in zip(channel.dom, ins, inputs.T, strict=True):
                row = row * len(states) + _places(space, states, column)
            level = rng.random(len(inputs))
            cell = (upto[row] <= level[:, None]).sum(axis=1)
            places = np.unravel_index(cell, channel.cod.shape) if outs else ()
            columns = [s[at] for s, at in zip(outs, places, strict=True)]
            return np.array(columns).reshape(len(outs), len(inputs)).T

        return cls(draw, as_reals(channel.dom.names), as_reals(channel.cod.names))

    @classmethod
    def identity(cls, wires: object) -> SampledChannel:
        """Give out what comes in."""
        return cls.from_gaussian(GaussianChannel.identity(wires))

    @classmethod
    def copy(cls, wires: object, n: int = 2) -> SampledChannel:
        """Give out ``n`` copies of what comes in; none is to discard it."""
        return cls.from_gaussian(GaussianChannel.copy(wires, n))

    @classmethod
    def swap(cls, one: object, other: object) -> SampledChannel:
        """Exchange two groups of wires."""
        return cls.from_gaussian(GaussianChannel.swap(one, other))

    def sample(self, inputs: Any, *, seed: Any = 0) -> np.ndarray:
        """Draw one output for each row of inputs.

        Parameters
        ----------
        inputs
            Shape ``(draw, input)``; a law without inputs takes the number of draws.
        seed
            Integer, or a NumPy generator to go on with.

        Returns
        -------
        Shape ``(draw, output)``.

        Raises
        ------
        DataError
            If the inputs do not fit the wires, or what is drawn is not finite or has
            another shape than promised.
        """
        given = np.zeros((inputs, 0)) if isinstance(inputs, int) else inputs
        given = np.asarray(given, dtype=float)
        if given.ndim != 2 or given.shape[1] != total(self.dom):
            raise DataError(
                f"inputs of {self.dom} -> {self.cod} should have shape (draw, "
                f"{total(self.dom)}), but have {given.shape}."
            )
        found = np.asarray(self.draw(np.random.default_rng(seed), given), dtype=float)
        if found.shape != (len(given), total(self.cod)):
            raise DataError(
                f"draws of {self.dom} -> {self.cod} should have shape "
                f"{(len(given), total(self.cod))}, but have {found.shape}."
            )
        lost = int((~np.isfinite(found)).any(axis=1).sum())
        if lost:
            raise DataError(
                f"draws of {self.dom} -> {self.cod} should be finite, but {lost} of "
                f"{len(found)} are not. Look at the inputs that they came from."
            )
        return found

    def to_distributions(
        self, inputs: Any, *, size: int, seed: Any = 0
    ) -> RandomDistributions:
        """Draw the law of a single number at several inputs, one unit per row.

        Parameters
        ----------
        inputs
            Shape ``(unit, input)``, as of several interventions.
        size
            Draws per unit.
        seed
            Integer, or a NumPy generator to go on with.

        Returns
        -------
        Samples form, with a column per component of the inputs.
        """
        from distcausal.data.distributions import RandomDistributions

        if total(self.cod) != 1:
            raise DataError(
                f"units carry laws of one number, but {self.dom} -> {self.cod} makes "
                f"{total(self.cod)}. Discard the others."
            )
        rows = np.asarray(inputs, dtype=float)
        drawn = self.sample(np.repeat(rows, size, axis=0), seed=seed)
        columns = dict(zip(labels(self.dom), rows.T, strict=True))
        return RandomDistributions.from_samples(
            drawn.reshape(len(rows), size), columns=columns
        )

    def __rshift__(self, other: object) -> SampledChannel:
        if not isinstance(other, SampledChannel):
            return NotImplemented
        check_meet(self.cod, other.dom)

        def draw(rng: np.random.Generator, inputs: np.ndarray) -> np.ndarray:
            return other.sample(self.sample(inputs, seed=rng), seed=rng)

        return SampledChannel(draw, self.dom, other.cod)

    def __matmul__(self, other: object) -> SampledChannel:
        if not isinstance(other, SampledChannel):
            return NotImplemented
        first = total(self.dom)

        def draw(rng: np.random.Generator, inputs: np.ndarray) -> np.ndarray:
            left = self.sample(inputs[:, :first], seed=rng)
            return np.hstack([left, other.sample(inputs[:, first:], seed=rng)])

        return SampledChannel(draw, self.dom @ other.dom, self.cod @ other.cod)

    def __repr__(self) -> str:
        return f"SampledChannel({self.dom} -> {self.cod})"


def _numbers(space: Space) -> np.ndarray:
    """States of a finite space as numbers."""
    try:
        return np.array([float(state) for state in space.known])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(
            f"states of {space.name!r} should be numbers to be drawn as such, but are "
            f"{listing(map(repr, space.known))}. Number them."
        ) from None


def _places(space: Space, states: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Place of each value among the states."""
    met = values[:, None] == states
    strange = values[~met.any(axis=1)]
    if strange.size:
        raise DataError(
            f"inputs of {space.name!r} should be its states "
            f"({listing(states.tolist())}), but {strange.size} of {len(values)} are "
            f"not ({listing(strange.tolist())})."
        )
    return met.argmax(axis=1)
