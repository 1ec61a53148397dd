"""Figures of points show what was drawn against what should have been drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from scipy import stats

import distcausal as dc
from distcausal.design.marginal import (
    atom_probability,
    binned,
    inclusion,
    line_curve,
    plane_density,
)

pytestmark = pytest.mark.plots

LINE = dc.PolynomialSpace(index=dc.TotalDegree(3))
PLANE = dc.PolynomialSpace(["legendre", "laguerre"], 2, dc.TotalDegree(2))
RUNNING = np.linspace(-1, 1, 60) ** 3
NEAR = dc.CutoffSpace(RUNNING, bandwidth=0.6)
ATOMS = dc.FiniteSpace(np.random.default_rng(0).normal(size=(30, 3)))
SPACES = {"line": LINE, "plane": PLANE, "cutoff": NEAR, "atoms": ATOMS}
DRAWS = {
    f"{name}, {kind}": (space, kind == "many")
    for name, space in SPACES.items()
    for kind in ("one", "many")
}
every_drawing = pytest.mark.parametrize("case", DRAWS.values(), ids=DRAWS)


@cache
def many_drawn(space: Any) -> dc.DesignPoints:
    if isinstance(space, dc.FiniteSpace):
        return dc.VolumeSampling(space, 8).sample_many(40, seed=2)
    # Where points lie is no matter to a figure, and a sampler takes long to compile.
    x = np.random.default_rng(0).uniform(size=(40, 8, space.dim))
    values, basis = space.basis.values(x), space.basis
    return replace(many_drawn(ATOMS), index=None, x=x, values=values, basis=basis)


def drawn(space: Any, many: bool) -> dc.DesignPoints:
    points = many_drawn(space)
    if many:
        return points
    first = {
        name: None if (field := getattr(points, name)) is None else field[0]
        for name in ("index", "x", "weights", "values")
    }
    return replace(points, **first)


def as_if_drawn(space: Any, n: int, weight: float) -> Any:
    """What a density asks of points of volume sampling."""
    return SimpleNamespace(
        law="volume", settings={"weight": weight}, n_points=n, size=space.size, blocks=1
    )


def axes() -> Axes:
    """Axes of a figure that pyplot knows nothing about."""
    return Figure().add_subplot()


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [each for each in ax.lines if each.get_label() == label]
    return np.asarray(found.get_xydata(), dtype=float)


@every_drawing
def test_drawing_goes_into_the_axes_given_and_renders(case):
    points, ax, other = drawn(*case), axes(), axes()
    assert points.plot(case[0], ax) is ax
    assert points.plot_spectrum(other) is other
    for each in (ax, other):
        FigureCanvasAgg(each.figure).draw()


def test_drawing_leaves_the_settings_of_matplotlib_alone_and_shows_nothing(
    monkeypatch,
):
    from matplotlib import pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    points = drawn(LINE, True)
    with mpl.rc_context():
        mpl.rcdefaults()  # other tests drew before: only the defaults are untouched
        before = dict(mpl.rcParams)
        for draw in (lambda: points.plot(LINE), points.plot_spectrum):
            ax = draw()
            assert plt.gcf() is ax.figure
            plt.close(ax.figure)
        assert dict(mpl.rcParams) == before


def test_bars_are_shares_of_the_points_and_curves_the_densities():
    points, ax = drawn(LINE, True), axes()
    points.plot(LINE, ax)
    (bars,) = ax.patches
    heights, edges, _ = bars.get_data()
    assert_allclose(heights @ np.diff(edges), 1.0)
    assert_allclose(heights, np.histogram(points.x, edges, density=True)[0])
    x, density = line(ax, "Single points of the design").T
    kernel = np.sum(points.basis.evaluate(x) ** 2, axis=1)
    assert_allclose(density, kernel / 4 / 2, rtol=1e-10)
    assert_allclose(line(ax, "Measure of the space")[:, 1], 0.5)


def test_ticks_are_the_points_of_a_single_draw():
    points, ax = drawn(LINE, False), axes()
    points.plot(LINE, ax)
    (rug,) = [each for each in ax.lines if each.get_marker() == "|"]
    assert_allclose(np.sort(rug.get_xdata()), np.sort(points.x[:, 0]))


@pytest.mark.parametrize(
    ("space", "law"),
    [
        (dc.PolynomialSpace("hermite", location=2.0, scale=3.0), stats.norm(2, 3)),
        (dc.PolynomialSpace("laguerre", shape=0.5, scale=2.0), stats.gamma(1.5, 0, 2)),
        (dc.PolynomialSpace("chebyshev", bounds=(0, 4)), stats.arcsine(0, 4)),
        (dc.TrigonometricSpace(period=3.0), stats.uniform(0, 3)),
        (dc.SplineSpace([0, 1, 4]), stats.uniform(0, 4)),
        (dc.MercerSpace("brownian_bridge", 4).inner, stats.uniform()),
        (dc.MercerSpace("gaussian", 4, scale=2.0).inner, stats.norm(0, 2)),
    ],
    ids=lambda one: repr(one)[:22],
)
def test_densities_of_a_variable_are_those_of_its_measure(space, law):
    points = as_if_drawn(space, 2 * space.size, 0.5)
    curve = line_curve(points, space, 0)
    # At the ends of the domain a rounding of x is large against its distance to them.
    near = (curve.measure > 1e-8) & (law.cdf(curve.x) > 0.01) & (law.sf(curve.x) > 0.01)
    x = curve.x[near]
    assert_allclose(curve.measure[near], law.pdf(x), rtol=1e-9)
    kernel = np.sum(space.basis.evaluate(x) ** 2, axis=1) / space.size
    mixed = 0.75 * kernel + 0.25 * space.background(x[:, None])
    assert_allclose(curve.points[near], mixed * law.pdf(x), rtol=1e-9)


def test_density_of_two_variables_is_the_whole_one_in_two_and_a_marginal_in_more():
    points = as_if_drawn(PLANE, 8, 0.5)
    first, second, density = plane_density(points, PLANE, (0, 1))
    pairs = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)[5::40, 5::40]
    kernel = np.sum(PLANE.basis.evaluate(pairs.reshape(-1, 2)) ** 2, axis=1) / 6
    part = 6 / 8 + 2 / 8 / 2
    expected = (part * kernel + 1 - part) * np.exp(-pairs[..., 1].ravel()) / 2
    assert_allclose(density[5::40, 5::40].ravel(), expected, rtol=1e-9)
    cell = np.outer(np.gradient(first), np.gradient(second))
    # The rectangle rule on some 240 cells a side.
    assert_allclose(np.sum(cell * density), 1.0, atol=5e-3)
    alone = line_curve(points, PLANE, 1)
    along = np.interp(second, alone.x, alone.points)
    inner = slice(20, 120)
    summed = np.gradient(first) @ density
    assert_allclose(summed[inner], along[inner], atol=1e-3)  # interpolated


@pytest.mark.parametrize(
    "design",
    [
        dc.IID(ATOMS, 5, "one"),
        dc.ProjectionDPP(ATOMS),
        dc.VolumeSampling(ATOMS, 7, 0.5),
        dc.RepeatedDPP(ATOMS, 2),
        dc.RepeatedVolume(ATOMS, 2, 4, "one"),
        dc.VolumeSampling(ATOMS, 4, "one").extended(3),
        dc.SubsetVolumeSampling(np.random.default_rng(0).normal(size=(30, 3)), 7),
    ],
    ids=lambda design: design.law,
)
def test_atoms_are_drawn_as_often_as_expected(design):
    points = design.sample_many(4000, seed=3)
    found = inclusion(points, design.space)
    assert_allclose(found.expected.sum(), points.n_points)
    counts = np.array([np.bincount(one, minlength=30) for one in points.index])
    error = np.sqrt(found.variance / len(counts))
    # 30 atoms and 7 designs: none should be 4.5 standard errors away.
    assert np.all(np.abs(counts.mean(axis=0) - found.expected) < 4.5 * error)
    spread = counts.var(axis=0, ddof=1) / found.variance
    # Relative error of a variance of rare counts: root of 1 / (mean · draws).
    assert np.all(np.abs(spread - 1) < 5 / np.sqrt(4000 * found.expected))


def test_dots_of_atoms_are_their_average_counts():
    points, ax = drawn(ATOMS, True), axes()
    points.plot(ATOMS, ax)
    (dots,) = [each for each in ax.collections if len(each.get_offsets()) == 30]
    expected, mean = np.asarray(dots.get_offsets()).T
    assert_allclose(expected, inclusion(points, ATOMS).expected)
    assert_allclose(mean, np.bincount(points.index.ravel(), minlength=30) / 40)


def test_dots_of_a_single_draw_are_its_atoms():
    points, ax = drawn(ATOMS, False), axes()
    points.plot(ATOMS, ax)
    heights = np.asarray(ax.collections[0].get_offsets())[:, 1]
    assert_allclose(heights, inclusion(points, ATOMS).expected[points.index])


def test_bins_of_a_finite_space_hold_the_probability_of_its_atoms():
    points = drawn(NEAR, True)
    edges = np.linspace(-0.6, 0.6, 13)
    curve = binned(points, NEAR, RUNNING, edges)
    assert curve.in_bins
    for density, weight in (
        (curve.points, atom_probability(points, NEAR)),
        (curve.measure, NEAR.mass),
    ):
        inside = (RUNNING >= -0.6) & (RUNNING < -0.5)
        assert_allclose(density[0] * 0.1, weight[inside].sum())
        assert_allclose(density.sum() * 0.1, 1.0)


def test_shades_hold_the_probability_that_the_title_says():
    points, ax = drawn(PLANE, False), axes()
    points.plot(PLANE, ax)
    assert "25, 50, 75, 95 %" in ax.get_title(loc="left")
    (shade,) = [each for each in ax.collections if hasattr(each, "levels")]
    first, second, density = plane_density(points, PLANE, (0, 1))
    cell = np.outer(np.gradient(first), np.gradient(second)) * density
    held = [cell[density >= level].sum() for level in shade.levels[:-1]]
    # A level leaves out at most a few of some 60,000 cells.
    assert_allclose(held, [0.95, 0.75, 0.5, 0.25], atol=5e-3)


def test_spectrum_of_one_draw_is_a_dot_for_each_eigenvalue_with_lines_at_delta():
    points, ax = drawn(LINE, False), axes()
    points.plot_spectrum(ax, delta=0.9)
    (dots,) = [each for each in ax.lines if each.get_marker() == "o"]
    assert_allclose(dots.get_ydata(), points.gram_eigenvalues)
    assert_allclose(dots.get_xdata(), [1, 2, 3, 4])
    flat = {round(float(each.get_ydata()[0]), 9) for each in ax.lines if each != dots}
    assert flat == {0.1, 1.0, 1.9}
    bottom, top = ax.get_ylim()
    assert bottom < points.gram_eigenvalues[0] <= points.gram_eigenvalues[-1] < top


def test_spectrum_of_many_draws_is_quantiles_by_rank():
    points, ax = drawn(LINE, True), axes()
    points.plot_spectrum(ax)
    found = points.gram_eigenvalues
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    expected = np.quantile(found, [[0.05, 0.95], [0.25, 0.75]], axis=0)
    assert_allclose(ends, np.moveaxis(expected, 1, 2).reshape(-1, 2))
    medians = [part[0][1] for part in ax.collections[0].get_segments()]
    assert_allclose(medians, np.median(found, axis=0))


@pytest.mark.parametrize("size", [4, 12])
def test_names_of_functions_keep_clear_of_each_other(size):
    space = dc.FiniteSpace(np.vander(np.linspace(-1, 1, 40), size))
    names = tuple(f"degree {place}" for place in range(size))
    points = dc.VolumeSampling(space, size + 2).sample()
    fit = dc.wls(points, np.exp(np.linspace(-1, 1, 40))[points.index])
    fit = replace(fit, basis=SimpleNamespace(labels=names))
    ax = fit.plot(axes())
    FigureCanvasAgg(ax.figure).draw()
    boxes = [each.get_window_extent() for each in ax.get_xticklabels()]
    assert [each.get_text() for each in ax.get_xticklabels()] == list(names)
    gaps = [right.x0 - left.x1 for left, right in pairwise(boxes)]
    assert min(gaps) > 0


def test_wrong_requests_are_refused_with_what_would_do():
    points = drawn(PLANE, False)
    with pytest.raises(dc.DesignError, match="6 functions"):
        points.plot(LINE)
    elsewhere = dc.PolynomialSpace(["legendre", "laguerre"], 2, dc.TotalDegree(2))
    points.plot(elsewhere, axes())  # an equal space will do
    other = dc.PolynomialSpace("chebyshev", 2, dc.TotalDegree(2))
    with pytest.raises(dc.DesignError, match="not only as many"):
        points.plot(other)
    with pytest.raises(dc.DesignError, match="one or two of the 2 variables"):
        points.plot(PLANE, variables=2)
    with pytest.raises(dc.DesignError, match="one or two of the 2 variables"):
        points.plot(PLANE, variables=(0, 0))
    with pytest.raises(dc.DesignError, match="delta"):
        points.plot_spectrum(delta=1.5)
