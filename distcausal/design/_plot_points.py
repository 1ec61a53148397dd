"""Figures of points against what they should follow, and of how stable they are.

Every figure carries its reference: points the density of a single one, counts their
expectation, eigenvalues the one they would be for a perfect design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.figure import EARTH, EDGE, INK, PALE, SMALL, prepared, titled
from distcausal.design._plot import plain_ticks
from distcausal.design.marginal import (
    Curve,
    atom_probability,
    binned,
    inclusion,
    line_curve,
    plane_density,
)
from distcausal.design.product import ProductSpace
from distcausal.design.spaces import FiniteSpace
from distcausal.errors import DesignError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.design.points import DesignPoints
    from distcausal.design.spaces import Space

__all__ = ["draw_points", "draw_spectrum"]

_BINS = 40
_ATOM_BINS = 20  # of finitely many atoms, which fill bins unevenly
_FAR = 0.0005  # probability left out at either end of an endless variable
_INNER = 0.04  # share of the axis at either end that does not set its height
_HELD = (0.25, 0.5, 0.75, 0.95)  # probability that the shades of a plane hold
_MOST_SHOWN = 1500  # points of a plane
_BLUES = ("#e3edf7", "#c6dbef", "#9ecae1", "#6baed6")
_DASH = (0, (5, 1.6))
_OTHERS = "#7f7f7f"


def draw_points(
    points: DesignPoints,
    space: Space,
    *,
    variables: int | tuple[int, int] | None,
    ax: Axes | None,
) -> Axes:
    """Draw points against the density that single ones follow."""
    inner = getattr(space, "inner", space)
    drawable = isinstance(inner, FiniteSpace | ProductSpace)
    if not drawable or inner.basis != points.basis:
        raise DesignError(
            f"space {space!r} should be the one the points were drawn for, a finite "
            f"space or one of products, with {points.size} functions: the same "
            "functions, and not only as many."
        )
    if points.x is None:
        return _draw_atoms(points, inner, ax)  # type: ignore[arg-type]
    chosen = _variables(variables, points.x.shape[-1])
    if len(chosen) == 1:
        return _draw_line(points, inner, chosen[0], ax)
    return _draw_plane(points, inner, chosen, ax)


def draw_spectrum(points: DesignPoints, *, delta: float, ax: Axes | None) -> Axes:
    """Draw the eigenvalues of G by rank, for many draws as bands of quantiles."""
    from matplotlib.ticker import MaxNLocator

    ax, found = prepared(ax), points.gram_eigenvalues
    rank = np.arange(1, points.size + 1)
    if points.draws is None:
        ax.plot(rank, found, color=INK, marker="o", markersize=4.5, linestyle="")
        title, ends = f"Eigenvalues of G, {_described(points)}", found[[0, -1]]
    else:
        low, first, middle, third, high = np.quantile(
            found, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0
        )
        for bottom, top, colour in ((low, high, PALE), (first, third, _BLUES[2])):
            bars = ax.bar(rank, top - bottom, 0.7, bottom, color=colour)
            for bar in bars:
                bar.set(edgecolor=EDGE, linewidth=0.4)
        ends = np.array([low[0], high[-1]])
        ax.hlines(middle, rank - 0.35, rank + 0.35, colors=INK, linewidth=1.8)
        title = (
            f"Eigenvalues of G, {_described(points)}:\n"
            "medians, middle halves and 5 to 95 % ranges"
        )
    _scale_spectrum(ax, np.append(ends, [1 - delta, 1 + delta]))
    for level, name in ((1.0, "1"), (1 - delta, "1 - δ"), (1 + delta, "1 + δ")):
        dash = "-" if level == 1 else _DASH
        ax.axhline(level, color=EARTH, linewidth=1.0, linestyle=dash, zorder=1.5)
        ax.annotate(
            name if level == 1 else f"{name} = {level:.3g}",
            (1, level),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=EARTH,
            fontsize=SMALL,
            va="center",
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0.4, points.size + 0.6)
    titled(ax, "Rank", "Eigenvalue", title)
    return ax


def _scale_spectrum(ax: Axes, shown: np.ndarray) -> None:
    """Logarithmic from below the least to above the largest."""
    least, most = max(shown.min(), np.finfo(float).eps) / 1.25, 1.25 * shown.max()
    ax.set_yscale("log")
    ax.set_ylim(least, most)
    plain_ticks(ax.yaxis, least, most)


def _variables(variables: Any, dim: int) -> tuple[int, ...]:
    """One or two variables to show: the first two unless told."""
    if variables is None:
        return (0,) if dim == 1 else (0, 1)
    chosen = tuple(np.atleast_1d(np.asarray(variables)).tolist())
    known = all(isinstance(one, int) and 0 <= one < dim for one in chosen)
    if not known or len(set(chosen)) != len(chosen) or len(chosen) not in (1, 2):
        raise DesignError(
            f"variables {variables!r} should be one or two of the {dim} variables, "
            "counted from 0."
        )
    return chosen


def _described(points: DesignPoints) -> str:
    draws = "1 draw" if points.draws is None else f"{points.draws:,} draws"
    return f"{draws} of {points.n_points} points, {points.law} sampling"


def _named(variable: int, dim: int) -> str:
    return "x" if dim == 1 else f"x[{variable}]"


def _draw_line(
    points: DesignPoints, space: Any, variable: int, ax: Axes | None
) -> Axes:
    ax = prepared(ax)
    assert points.x is not None
    x = points.x[..., variable].ravel()
    if isinstance(space, ProductSpace):
        curve = line_curve(points, space, variable)
        low, high = _window(curve, x, space.basis.domain[:, variable])
        bins = _BINS
    else:
        atoms = _coordinates(space, variable)
        held = atoms[space.mass > 0]
        low, high, bins = float(held.min()), float(held.max()), _ATOM_BINS
        curve = binned(points, space, atoms, np.linspace(low, high, _ATOM_BINS + 1))
    title = f"{_described(points)} (bars)"
    if points.draws is None:
        (rug,) = ax.plot(x, np.zeros_like(x), color=INK, marker="|", markersize=16)
        rug.set(linestyle="", markeredgewidth=1.3, zorder=4)
        title, heights = f"{_described(points)} (ticks)", np.zeros(1)
    else:
        heights, edges = np.histogram(x, bins, (low, high))
        heights = heights / (len(x) * np.diff(edges))
        ax.stairs(heights, edges, fill=True, color=PALE, edgecolor=EDGE, linewidth=0.4)
    _draw_curves(ax, curve)
    ax.set_xlim(low - 0.015 * (high - low), high + 0.015 * (high - low))
    _set_height(ax, curve, heights, low, high)
    titled(ax, _named(variable, points.x.shape[-1]), "Density", title)
    return ax


def _coordinates(space: FiniteSpace, variable: int) -> np.ndarray:
    found = space.coordinates(np.arange(len(space.mass)))
    assert found is not None
    return found[:, variable]


def _window(curve: Curve, x: np.ndarray, domain: np.ndarray) -> tuple[float, float]:
    """Ends of the axis: the domain where it ends, else where points are found."""
    mass = np.cumsum(np.gradient(curve.x) * curve.points)
    inside = curve.x[(mass > _FAR) & (mass < 1 - _FAR)]
    ends = min(inside[0], x.min()), max(inside[-1], x.max())
    low, high = np.where(np.isfinite(domain), domain, ends)
    return float(low), float(high)


def _draw_curves(ax: Axes, curve: Curve) -> None:
    """Both densities, named in the room that `_set_height` leaves above them."""
    agree = np.allclose(curve.points, curve.measure, rtol=1e-6)
    drawn: list[tuple[np.ndarray, str, Any, str]] = [
        (curve.points, INK, "-", "Single points of the design")
    ]
    if agree:
        drawn[0] = (
            curve.points,
            INK,
            "-",
            "Single points, as the measure of the space",
        )
    else:
        drawn.append((curve.measure, EARTH, _DASH, "Measure of the space"))
    for density, ink, dash, name in drawn:
        if curve.in_bins:
            steps = ax.stairs(density, curve.x, baseline=None, label=name, zorder=3)
            steps.set(linewidth=1.7, linestyle=dash, edgecolor=ink)
        else:
            (line,) = ax.plot(curve.x, density, color=ink, label=name, zorder=3)
            line.set(linewidth=1.7, linestyle=dash)
    ax.legend(
        loc="upper center",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        handlelength=1.5,
        columnspacing=1.2,
    )


def _places(curve: Curve) -> np.ndarray:
    return (curve.x[1:] + curve.x[:-1]) / 2 if curve.in_bins else curve.x


def _set_height(
    ax: Axes, curve: Curve, heights: np.ndarray, low: float, high: float
) -> None:
    """Height of the axis; what a density does at the very ends may leave it."""
    margin = _INNER * (high - low)
    x = _places(curve)
    inner = (x > low + margin) & (x < high - margin)
    tops = [heights.max(), curve.points[inner].max(), curve.measure[inner].max()]
    ax.set_ylim(0, 1.25 * max(tops))


def _draw_plane(
    points: DesignPoints, space: Any, variables: Any, ax: Axes | None
) -> Axes:
    ax = prepared(ax)
    assert points.x is not None
    dim = points.x.shape[-1]
    pairs = points.x[..., list(variables)]
    if isinstance(space, ProductSpace):
        _shade(ax, *plane_density(points, space, variables))
        title = "; shades hold the densest 25, 50, 75, 95 %"
        ends = space.basis.domain[:, list(variables)]
        _frame(ax, pairs.reshape(-1, 2), ends)
    else:
        _draw_reference_atoms(ax, points, space, variables)
        title = "; areas are probabilities of atoms"
    _scatter(ax, pairs, points.draws)
    across, up = (_named(variable, dim) for variable in variables)
    titled(ax, across, up, f"{_described(points)}\n{_legend(points)}{title}")
    return ax


def _legend(points: DesignPoints) -> str:
    return "points" if points.draws is None else "first draw dark, others grey"


def _shade(ax: Axes, across: np.ndarray, up: np.ndarray, density: np.ndarray) -> None:
    """Fill the densest regions that hold given probabilities."""
    cell = np.outer(np.gradient(across), np.gradient(up)) * density
    order = np.argsort(density, axis=None)[::-1]
    held = np.cumsum(cell.ravel()[order])
    levels = density.ravel()[order][np.searchsorted(held, np.array(_HELD) * held[-1])]
    ends = np.append(np.unique(levels), np.inf)
    if len(ends) > 2 and ends[-2] > ends[0] * (1 + 1e-6):
        colours = _BLUES[-(len(ends) - 1) :]
        ax.contourf(across, up, density.T, levels=ends, colors=colours, zorder=0)


def _frame(ax: Axes, pairs: np.ndarray, domain: np.ndarray) -> None:
    """Whole domain where it ends, else somewhat more than the points."""
    reach = np.array([pairs.min(axis=0), pairs.max(axis=0)])
    slack = 0.1 * np.diff(reach, axis=0)
    ends = np.where(
        np.isfinite(domain), domain, reach + np.concatenate([-slack, slack])
    )
    away = 0.02 * np.diff(ends, axis=0)[0]
    ax.set_xlim(ends[0, 0] - away[0], ends[1, 0] + away[0])
    ax.set_ylim(ends[0, 1] - away[1], ends[1, 1] + away[1])


def _scatter(ax: Axes, pairs: np.ndarray, draws: int | None) -> None:
    if draws is not None:
        others = pairs[1:].reshape(-1, 2)[:_MOST_SHOWN]
        ax.scatter(
            others[:, 0],
            others[:, 1],
            s=5,
            color=_OTHERS,
            alpha=0.6,
            linewidth=0,
            zorder=2,
        )
        pairs = pairs[0]
    dots = ax.scatter(pairs[:, 0], pairs[:, 1], s=26, color=INK, zorder=3)
    dots.set(edgecolor="white", linewidth=0.7)


def _draw_reference_atoms(
    ax: Axes, points: DesignPoints, space: FiniteSpace, variables: Any
) -> None:
    probability = atom_probability(points, space)
    first, second = (_coordinates(space, variable) for variable in variables)
    area = 60 * probability / probability.max()
    ax.scatter(first, second, s=area, color=_BLUES[1], linewidth=0, zorder=0)


def _draw_atoms(points: DesignPoints, space: FiniteSpace, ax: Axes | None) -> Axes:
    """Counts of atoms against their expectation, or the atoms of a single draw."""
    ax, expected = prepared(ax), inclusion(points, space)
    assert points.index is not None
    if points.draws is None:
        return _draw_one_draw(ax, points, expected.expected)
    counts = np.bincount(points.index.ravel(), minlength=len(expected.expected))
    mean = counts / points.draws
    ends = np.array([0.0, max(expected.expected.max(), mean.max()) * 1.05])
    order = np.argsort(expected.expected)
    center = expected.expected[order]
    reach = 2 * np.sqrt(expected.variance[order] / points.draws)
    area = ax.fill_between(center, np.maximum(center - reach, 0), center + reach)
    area.set(facecolor=PALE, edgecolor=EDGE, linewidth=0.4)
    ax.plot(ends, ends, color=EARTH, linewidth=1.2, linestyle=_DASH)
    dots = ax.scatter(expected.expected, mean, s=9, color=INK, linewidth=0, zorder=3)
    dots.set_alpha(0.75)
    title = f"{_described(points)}\nevery atom a dot; shaded: 2 standard errors"
    titled(ax, "Expected times in a draw", "Average times in a draw", title)
    return ax


def _draw_one_draw(ax: Axes, points: DesignPoints, expected: np.ndarray) -> Axes:
    order = np.argsort(-expected, kind="stable")
    place = np.empty(len(order), int)
    place[order] = np.arange(1, len(order) + 1)
    ax.plot(np.arange(1, len(order) + 1), expected[order], color=EDGE, linewidth=1.5)
    dots = ax.scatter(place[points.index], expected[points.index], s=30, color=INK)
    dots.set(edgecolor="white", linewidth=0.7, zorder=3)
    ax.set_ylim(bottom=0)
    title = f"{_described(points)} (dots)"
    titled(ax, "Atoms by expectation", "Expected times in a draw", title)
    return ax
