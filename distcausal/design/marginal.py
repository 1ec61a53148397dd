"""What single points of a design follow, as curves, bins or probabilities of atoms.

Every law here has single points from a mixture of the optimal density ``k_m / m`` and
the background, because a projection process contributes the first and independent
points the mixture that their weight defines. On a product space the marginal in one or
two variables is an average of products of squared functions of one variable each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal._base.precision import double
from distcausal.design.check import optimal_share
from distcausal.design.points import DesignPoints
from distcausal.design.product import ProductSpace
from distcausal.design.spaces import FiniteSpace
from distcausal.numerics.marginal import LineDensities, line_densities

__all__ = [
    "Curve",
    "Inclusion",
    "atom_probability",
    "binned",
    "inclusion",
    "line_curve",
    "optimal_part",
    "plane_density",
]

_SUBSET = "subset"
_PLANE = 240  # values of the coordinate per variable of a plane


@dataclass(frozen=True, eq=False)
class Curve:
    """Densities along one variable.

    Attributes
    ----------
    x
        Where, ascending, shape ``(point,)``; for bins their ends, ``(bin + 1,)``.
    points, measure
        Density of single points and of the measure of the space, at ``x`` or in the
        bins.
    """

    x: np.ndarray
    points: np.ndarray
    measure: np.ndarray

    @property
    def in_bins(self) -> bool:
        """Whether densities are averages over bins."""
        return len(self.x) > len(self.points)


@dataclass(frozen=True, eq=False)
class Inclusion:
    """How often a draw holds each atom.

    Attributes
    ----------
    expected, variance
        Of the number of times that one draw holds an atom, shape ``(atom,)``.
    """

    expected: np.ndarray
    variance: np.ndarray


def optimal_part(points: DesignPoints) -> float:
    """Share of ``k_m / m`` in what single points follow, before any selection."""
    share = optimal_share(points.settings.get("weight", "christoffel"))
    sure = _determinantal(points) / points.n_points
    return sure + (1 - sure) * share


def _determinantal(points: DesignPoints) -> int:
    """Points of a draw that belong to projection processes."""
    if points.law.endswith("iid"):
        return 0
    return min(points.size * points.blocks, points.n_points)


def line_curve(points: DesignPoints, space: ProductSpace, variable: int) -> Curve:
    """Densities of one variable of a product space."""
    line = _line(space, variable)
    own = line.squares[:, space.basis.index[:, variable]].mean(axis=1)
    part = optimal_part(points)
    order = np.argsort(line.x)
    mixed = part * own + (1 - part) * line.background
    return Curve(line.x[order], mixed[order], line.measure[order])


def plane_density(
    points: DesignPoints, space: ProductSpace, variables: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density of single points on a grid of two variables, and the grid before it."""
    index, part = space.basis.index, optimal_part(points)
    lines = [_line(space, variable, _PLANE) for variable in variables]
    orders = [np.argsort(line.x) for line in lines]
    first, second = (
        line.squares[:, index[:, variable]][order]
        for line, variable, order in zip(lines, variables, orders, strict=True)
    )
    others = [line.background[order] for line, order in zip(lines, orders, strict=True)]
    mixed = part * first @ second.T / len(index) + (1 - part) * np.outer(*others)
    grids = [line.x[order] for line, order in zip(lines, orders, strict=True)]
    return grids[0], grids[1], mixed


def _line(
    space: ProductSpace, variable: int, count: int | None = None
) -> LineDensities:
    """Densities of one variable in the middle of its cells, or of so many others."""
    basis = space.basis
    for number, (kind, places) in enumerate(basis.layout):
        if variable in places:
            row = places.index(variable)
            given = {
                name: array[row : row + 1]
                for name, array in basis.parameters[number].items()
            }
            edges = space.edges[number][row]
            if count is not None:
                edges = np.linspace(edges[0], edges[-1], count + 1)
            middle = (edges[:-1] + edges[1:]) / 2
            found = double(line_densities)(given, middle, kind=kind)
            return LineDensities(*(np.asarray(part) for part in found))
    raise AssertionError("the layout of a product has every variable")


def atom_probability(points: DesignPoints, space: FiniteSpace) -> np.ndarray:
    """Probability that a single point is each atom, shape ``(N,)``."""
    return inclusion(points, space).expected / points.n_points


def inclusion(points: DesignPoints, space: FiniteSpace) -> Inclusion:
    """Mean and variance of how often one draw holds each atom.

    Copies of an atom in independent parts of a draw add up, and so do their variances.
    """
    lever, size, n = space.leverage, points.size, points.n_points
    if points.law.endswith(_SUBSET):
        count = len(lever)
        chance = ((count - n) * lever + n - size) / max(count - size, 1)
        return Inclusion(chance, chance * (1 - chance))
    share = optimal_share(points.settings.get("weight", "christoffel"))
    h = space.background(np.arange(len(lever)))
    single = share * lever / size + (1 - share) * space.mass * h
    sets = _determinantal(points) / size
    free = n - sets * size
    return Inclusion(
        sets * lever + free * single,
        sets * lever * (1 - lever) + free * single * (1 - single),
    )


def binned(points: DesignPoints, space: FiniteSpace, x: Any, edges: Any) -> Curve:
    """Densities in bins of one coordinate of the atoms."""
    width = np.diff(edges)
    probability = atom_probability(points, space)
    drawn, mass = (
        np.histogram(x, edges, weights=weight)[0] / width
        for weight in (probability, space.mass)
    )
    return Curve(np.asarray(edges), drawn, mass)
