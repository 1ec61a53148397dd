"""Outcomes as a few numbers per unit: one for a scalar, coefficients for a law.

Mixtures and regressions want vectors, while a unit may carry a whole distribution. Its
quantile function lies in a space with an inner product, so coordinates in an
orthonormal basis lose nothing but what the basis leaves out, and averages of
coordinates are coordinates of the 2-Wasserstein barycentre. The first function is the
constant, whose coordinate is the mean of the curve: clusters are ordered by effects on
the mean. The others are principal components of what remains, and do not see
the treatment.

A number is the law that sits on it: its curve is flat, one coordinate suffices, and
that coordinate is the number itself, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from distcausal._base.fit import Record
from distcausal.data.check import check_finite, check_levels
from distcausal.data.distributions import RandomDistributions
from distcausal.data.quantiles import QuantileDistributions
from distcausal.data.samples import SampleDistributions
from distcausal.data.units import unit_column
from distcausal.errors import DataError, DataWarning, warn_user
from distcausal.numerics.monotone import project_monotone
from distcausal.numerics.quantile import cell_masses
from distcausal.numerics.ragged import BLOCK, by_size, row_blocks

__all__ = ["DEFAULT_LEVELS", "MOST_OUTCOMES", "Outcome", "read_outcome"]

DEFAULT_LEVELS = np.arange(1, 100) / 100
MOST_OUTCOMES = 6
_KEPT = 0.99
_MOST_NOISE = 0.5  # share of a component's variance that finite draws may explain
_NO_SHAPE = 2.5  # draws, counted as equally weighted ones, below which none shows
_LEVEL_ROUNDING = 1e-12
_ROUNDING = 1e-10  # deviations below this share of the largest value are rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome(Record):
    """Coordinates of every unit's outcome, and the way back to curves.

    Attributes
    ----------
    values
        Coordinates in the units of the outcome, shape ``(unit, outcome)``; the first is
        the mean of the unit's curve, or the number itself.
    known_variance
        Variance that the coordinates have because a unit's law was seen through
        finitely many draws, shape ``(unit, outcome)``; zero where it is exact.
    curves
        Quantile curves as read, shape ``(unit, level)``.
    levels, mass
        Quantile levels and their weights, which sum to one, shape ``(level,)``.
    centre
        Average deviation of a curve from its mean, shape ``(level,)``.
    basis
        Orthonormal under ``mass``, the first row constant, ``(outcome, level)``.
    kept
        Share of the variance of the deviations that the basis keeps.
    scalar
        Whether the outcome was a column of numbers.
    """

    values: np.ndarray
    known_variance: np.ndarray
    curves: np.ndarray
    levels: np.ndarray
    mass: np.ndarray
    centre: np.ndarray
    basis: np.ndarray
    kept: float
    scalar: bool

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.basis)

    def contrast(self, effects: np.ndarray) -> np.ndarray:
        """Effects on the coordinates as effects on the curve.

        Parameters
        ----------
        effects
            Differences of coordinates, shape ``(..., outcome)``.

        Returns
        -------
        Shape ``(..., level)``. A difference of two quantile curves need not increase.
        """
        return np.asarray(effects) @ self.basis

    def curve(self, coordinates: np.ndarray) -> np.ndarray:
        """Quantile curves with the given coordinates.

        Parameters
        ----------
        coordinates
            Shape ``(..., outcome)``.

        Returns
        -------
        Nondecreasing along levels, shape ``(..., level)``: the nearest such curve in
        the 2-Wasserstein distance.
        """
        return project_monotone(self.centre + self.contrast(coordinates), self.mass)


def read_outcome(
    data: RandomDistributions,
    outcome: Any = None,
    *,
    levels: Any = None,
    weights: np.ndarray | None = None,
    arms: np.ndarray | None = None,
) -> Outcome:
    """Bring outcomes to coordinates.

    Parameters
    ----------
    data
        The units.
    outcome
        A column of numbers, or an array with one number per unit. None: each unit's own
        distribution.
    levels
        Quantile levels in (0, 1), increasing; default 0.01, 0.02, ..., 0.99, of curves
        known at some levels those from their lowest to their highest. What lies beyond
        the outermost is represented by them.
    weights
        Weights of units in the principal components and in averages of sampling
        variances, shape ``(unit,)``; equal if None.
    arms
        Labels of units whose sampling variances are averaged, ``(unit,)``; one arm if
        None.

    Returns
    -------
    Outcome

    Raises
    ------
    DataError
        If a column is not numeric, holds missing numbers or more than one per unit, or
        if levels are not increasing in (0, 1).

    Warns
    -----
    DataWarning
        If levels are asked for beyond those at which curves are known.

    Notes
    -----
    As many components are kept as carry 99 per cent of the variance of the deviations
    of curves from their means, five at most, but none of whose variance finite draws
    explain the larger part.

    The coordinate on a function f of the level is an L-statistic. A draw at level U
    moves it by h(U) over the number of draws, where h has increments f dQ, so its
    variance is that of h(U); for the mean, h is the quantile function itself. What one
    draw varies by is averaged over the units of an arm: a unit's own estimate goes with
    its mean wherever laws are skewed, so that low outcomes would count for more and
    effects be found too small. One draw does not show its spread, and two show none of
    the shape: they have no part in those averages, and where no unit has three draws,
    counted as equally weighted ones, only the mean is kept. The formula is for many
    draws; where it gives more than the coordinates vary in all, it is lowered to that.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.images.outcomes import read_outcome
    >>> data = dc.RandomDistributions.from_samples(
    ...     [[0.0, 2.0], [1.0, 5.0]], columns={"y": [3.0, 4.0]}
    ... )
    >>> read_outcome(data, "y").values.tolist()
    [[3.0], [4.0]]
    >>> read_outcome(data).values[:, 0].round(6).tolist()
    [1.0, 3.0]
    """
    if outcome is not None:
        return _numbers(_checked(data, outcome))
    grid = _grid(data, levels)
    mass = cell_masses(grid)
    curves = np.asarray(data.quantiles(grid), dtype=float)
    # Relative to its first entry, a flat curve has a mean that is exactly that entry.
    mean = curves[:, 0] + (curves - curves[:, :1]) @ mass
    share = _shares(weights, len(data))
    deviation = curves - mean[:, None]
    centre = share @ deviation
    deviation -= centre
    least = _ROUNDING * float(np.abs(curves).max(initial=0.0))
    basis, total = _basis(deviation, mass, share, least)
    draws = _draws(data)
    if draws.max() <= _NO_SHAPE:
        basis = basis[:1]
    values = np.column_stack([mean, deviation @ (mass * basis[1:]).T])
    known = _sampling_variance(
        data, curves, _Grid(grid, mass, basis), draws, share, arms
    )
    whole = share @ (values - share @ values) ** 2
    part = share @ known
    used = part <= _MOST_NOISE * whole
    used[0] = True
    lowered = np.where(part > whole, whole / np.where(part > whole, part, 1), 1)
    return Outcome(
        values=values[:, used],
        known_variance=(known * lowered)[:, used],
        curves=curves,
        levels=grid,
        mass=mass,
        centre=centre,
        basis=basis[used],
        kept=float(whole[1:] @ used[1:] / total) if total > 0 else 1.0,
        scalar=False,
    )


class _Grid(NamedTuple):
    """Levels, their weights, and the functions of the basis on them."""

    levels: np.ndarray
    mass: np.ndarray
    basis: np.ndarray

    def spread(self, values: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """Variance of h at one draw of each law, shape ``(unit, outcome)``.

        ``values`` increase along rows, ``(unit, value)``; ``reached`` is the mass up to
        each, ``(unit, value)`` or one row for all units.
        """
        share = np.diff(reached, axis=1, prepend=0.0)
        found = np.zeros((len(values), len(self.basis)))
        for place, function in enumerate(self.basis):
            slope = np.interp(reached[:, :-1], self.levels, function)
            moved = np.zeros(values.shape)
            np.cumsum(np.diff(values, axis=1) * slope, axis=1, out=moved[:, 1:])
            moved -= (moved * share).sum(axis=1, keepdims=True)
            found[:, place] = (moved**2 * share).sum(axis=1)
        return found


def _checked(data: RandomDistributions, outcome: Any) -> np.ndarray:
    """One finite number per unit."""
    column = unit_column(data, outcome, argument="outcome")
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise DataError(
            "outcome should be one number per unit; it is an array of "
            f"{column.dtype} with shape {column.shape}. Leave it out to use each "
            "unit's own distribution."
        )
    values = column.astype(float)
    check_finite("outcome", values, data.ids.__getitem__, "Drop these units with take.")
    return values


def _numbers(values: np.ndarray) -> Outcome:
    """Numbers as point masses read at the median."""
    one = np.ones(1)
    return Outcome(
        values=values[:, None],
        known_variance=np.zeros((len(values), 1)),
        curves=values[:, None],
        levels=np.array([0.5]),
        mass=one,
        centre=np.zeros(1),
        basis=one[None],
        kept=1.0,
        scalar=True,
    )


def _shares(weights: np.ndarray | None, units: int) -> np.ndarray:
    given = np.ones(units) if weights is None else np.asarray(weights, dtype=float)
    return given / given.sum()


def _basis(
    deviation: np.ndarray, mass: np.ndarray, share: np.ndarray, least: float
) -> tuple[np.ndarray, float]:
    """Orthonormal functions, and the variance of all deviations."""
    constant = np.ones((1, len(mass)))
    root = np.sqrt(mass)
    gram = np.zeros((len(mass), len(mass)))
    for start, stop in row_blocks(np.arange(len(deviation) + 1), len(mass)):
        block = deviation[start:stop] * root
        gram += (block * share[start:stop, None]).T @ block
    variance, turn = np.linalg.eigh(gram)
    variance, turn = np.maximum(variance[::-1], 0.0), turn[:, ::-1]
    total = variance.sum()
    if total <= least**2:
        return constant, 0.0
    reached = np.cumsum(variance) / total
    count = min(int(np.searchsorted(reached, _KEPT)) + 1, MOST_OUTCOMES - 1)
    shapes = _without_constant(turn[:, :count].T, root) / root
    # The exponential has a part in every odd and even function, so this is a sign.
    lean = (shapes * mass) @ np.exp(np.linspace(0, 2, len(mass)))
    shapes *= np.where(lean < 0, -1.0, 1.0)[:, None]
    return np.concatenate([constant, shapes]), float(total)


def _without_constant(rows: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Remove what rounding left of the constant; rows stay of length one."""
    rest = rows - (rows @ root)[:, None] * root
    return rest / np.linalg.norm(rest, axis=1, keepdims=True)


def _grid(data: RandomDistributions, levels: Any) -> np.ndarray:
    """Levels asked for, or the usual ones among those that the data know."""
    known = data.levels if isinstance(data, QuantileDistributions) else None
    if levels is None:
        if known is None:
            return DEFAULT_LEVELS
        inside = DEFAULT_LEVELS[~_beyond(DEFAULT_LEVELS, known)]
        return inside if len(inside) else known
    grid = check_levels(levels)
    if known is not None and (outside := int(_beyond(grid, known).sum())):
        warn_user(
            f"{outside} of {len(grid)} levels lie beyond those at which curves are "
            f"known, {known[0]:g} to {known[-1]:g}; the outermost values stand in "
            "there. Ask for levels within, or leave levels= out.",
            DataWarning,
        )
    return grid


def _beyond(levels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which levels lie outside the known ones, but for rounding."""
    return (levels < known[0] - _LEVEL_ROUNDING) | (
        levels > known[-1] + _LEVEL_ROUNDING
    )


def _draws(data: RandomDistributions) -> np.ndarray:
    """Draws behind each law, counted as equally weighted ones; infinite where exact."""
    if not isinstance(data, SampleDistributions) or data.weights is None:
        return data.sizes
    starts = data.offsets[:-1]
    total = np.add.reduceat(data.weights, starts)
    return total**2 / np.add.reduceat(data.weights**2, starts)


def _sampling_variance(
    data: RandomDistributions,
    curves: np.ndarray,
    grid: _Grid,
    draws: np.ndarray,
    share: np.ndarray,
    arms: np.ndarray | None,
) -> np.ndarray:
    """Variance of the coordinates from finitely many draws, ``(unit, outcome)``."""
    each = 1 / draws  # zero for laws known exactly
    several = each < 1
    if not several.any():
        return np.zeros((len(data), len(grid.basis)))
    if isinstance(data, SampleDistributions):
        spread = _spread_of_draws(data, grid)
    else:
        spread = grid.spread(curves, np.cumsum(grid.mass)[None])
    own = spread / np.where(several, 1 - each, 1.0)[:, None]
    # Two draws have one jump, at level one half, where odd functions vanish.
    shown = np.tile((draws > _NO_SHAPE)[:, None], len(grid.basis))
    shown[:, 0] = several
    mass = shown * share[:, None]
    overall = _averages(own, mass, 0.0)
    usual = np.tile(overall, (len(data), 1))
    for arm in () if arms is None else np.unique(arms):
        inside = arms == arm
        usual[inside] = _averages(own, mass * inside[:, None], overall)
    return usual * each[:, None]


def _averages(values: np.ndarray, mass: np.ndarray, other: Any) -> np.ndarray:
    """Weighted averages of columns, others where there is no weight, ``(outcome,)``."""
    total = mass.sum(axis=0)
    found = (mass * values).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, found, other)


def _spread_of_draws(data: SampleDistributions, grid: _Grid) -> np.ndarray:
    """Variance of h at one draw of each unit's, ``(unit, outcome)``."""
    spread = np.empty((len(data), len(grid.basis)))
    most = max(1, BLOCK // len(grid.basis))
    for units, entries, size in by_size(data.offsets, most):
        rows = data.values[entries].reshape(-1, size)
        share = np.full((1, size), 1 / size)
        if data.weights is not None:
            share = data.weights[entries].reshape(-1, size)
            share = share / share.sum(axis=1, keepdims=True)
        spread[units] = grid.spread(rows, np.cumsum(share, axis=1))
    return spread
