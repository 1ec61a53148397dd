"""Comparisons measure true errors, show what laws promise, and draw what they hold."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc

NODES, MASS = np.polynomial.legendre.leggauss(60)
POLYNOMIALS = dc.PolynomialSpace(index=dc.TotalDegree(4))
GRID = dc.FiniteSpace(POLYNOMIALS.basis.evaluate(NODES), MASS)
SIZE = GRID.size


def bump(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + 5 * x**2)


def on_line(x: np.ndarray) -> np.ndarray:
    return bump(x[..., 0])


@pytest.fixture(scope="module")
def found() -> dc.DesignComparison:
    sizes = [SIZE, 2 * SIZE, 3 * SIZE]
    designs = {
        "volume": [dc.VolumeSampling(GRID, n) for n in sizes],
        "repeated": [dc.RepeatedDPP(GRID, r) for r in (3, 1, 2)],
    }
    return dc.compare_designs(GRID, bump(NODES), designs, draws=4000, seed=2)


def test_the_ratio_is_the_error_integrated_over_the_reference():
    design = dc.VolumeSampling(POLYNOMIALS, 8)
    found = dc.compare_designs(
        POLYNOMIALS, on_line, [design], reference=(NODES, MASS), draws=5, seed=3
    )
    points = design.sample_many(5, seed=3)
    fit = dc.wls(points, on_line(points.x))
    fitted = fit.coef @ POLYNOMIALS.basis.evaluate(NODES).T
    error = np.sqrt(np.sum(MASS / 2 * (bump(NODES) - fitted) ** 2, axis=1))
    assert_allclose(found.ratio[0] * found.best_error, error, rtol=1e-12)
    assert found.reference_error < 1e-12
    assert found.n_points.tolist() == [8]


def test_a_finite_space_is_its_own_reference():
    design = dc.IID(GRID, 12)
    own = dc.compare_designs(GRID, bump(NODES), [design], draws=5)
    asked = dc.compare_designs(GRID, lambda at: bump(NODES[at]), [design], draws=5)
    assert own == asked
    points = design.sample_many(5)
    coef = dc.wls(points, bump(NODES)[points.index]).coef
    fitted = coef @ GRID.values(np.arange(60)).T
    error = np.sqrt((bump(NODES) - fitted) ** 2 @ GRID.mass)
    assert_allclose(own.ratio[0] * own.best_error, error, rtol=1e-12)


def test_a_reference_that_misses_products_is_accounted_for_and_reported():
    """On a sample the functions are not orthonormal, and errors are those on it."""
    x = np.random.default_rng(0).uniform(-1, 1, 200)
    design = dc.VolumeSampling(POLYNOMIALS, 8)
    found = dc.compare_designs(
        POLYNOMIALS, on_line, [design], reference=(x, np.ones(200)), draws=5
    )
    points = design.sample_many(5)
    rows = POLYNOMIALS.basis.evaluate(x)
    fitted = dc.wls(points, on_line(points.x)).coef @ rows.T
    error = np.sqrt(np.mean((bump(x) - fitted) ** 2, axis=1))
    assert_allclose(found.ratio[0] * found.best_error, error, rtol=1e-12)
    assert_allclose(
        found.reference_error, np.abs(rows.T @ rows / 200 - np.eye(SIZE)).max()
    )


def test_errors_of_vectors_add_up_over_their_entries():
    both = np.stack([bump(NODES), np.exp(-3 * NODES)], axis=1)
    design = dc.VolumeSampling(GRID, 8)
    one, two, whole = (
        dc.compare_designs(GRID, values, [design], draws=6)
        for values in (both[:, 0], both[:, 1], both)
    )
    squares = [(each.ratio * each.best_error) ** 2 for each in (one, two, whole)]
    assert_allclose(squares[0] + squares[1], squares[2], rtol=1e-10)


def test_averages_are_those_that_the_laws_promise(found):
    """(m + 1) times the best error with m points; residuals unbiased with more."""
    frame = found.tidy()
    squared = found.ratio[:1] ** 2
    # Within four Monte Carlo errors, as for residuals below.
    assert abs(squared.mean() - (SIZE + 1)) < 4 * squared.std() / np.sqrt(found.draws)
    volume, repeated = frame[1:3], frame[frame["design"] == "repeated"]
    away = (volume["residual_ratio"] - 1) / volume["residual_ratio_error"]
    assert (away.abs() < 4).all()
    pooled = repeated[repeated["n_points"] > SIZE]
    assert (pooled["residual_ratio"] > 1 + 4 * pooled["residual_ratio_error"]).all()
    assert frame.loc[frame["n_points"] == SIZE, "residual_ratio"].isna().all()


def test_stability_is_counted_in_both_senses(found):
    points = dc.VolumeSampling(GRID, 2 * SIZE).sample_many(4000, seed=2)
    spectrum = points.gram_eigenvalues
    assert found.stable(0.9)[1] == np.mean(spectrum[:, 0] >= 1 - 0.9)
    near = np.abs(spectrum - 1).max(axis=1) <= 0.9
    assert found.stable(0.9, "norm")[1] == near.mean()
    frame = found.tidy(deltas=[0.9], quantiles=[0.25])
    assert_array_equal(frame["lower_0.9"], found.stable(0.9))
    assert_array_equal(frame["ratio_0.25"], np.quantile(found.ratio, 0.25, axis=1))


def test_designs_made_from_others_share_their_draws():
    base = dc.VolumeSampling(GRID, 8)
    found = dc.compare_designs(
        GRID, bump(NODES), [base, base.conditioned(0.8)], draws=40, seed=1
    )
    assert found.names == ("volume", "conditioned volume")
    first = found.tries[1] == 1
    assert 0 < first.sum() < 40
    assert_allclose(found.ratio[1, first], found.ratio[0, first], rtol=1e-9)
    assert found.stable(0.8)[1] == 1
    assert found.tidy()["tries"][1] == found.tries[1].mean() > 1


def test_other_estimators_are_measured_alike():
    design = dc.IID(GRID, 40)
    found = dc.compare_designs(
        GRID, bump(NODES), [design], draws=50, estimator=dc.quasi_projection
    )
    points = design.sample_many(50)
    coef = dc.quasi_projection(points, bump(NODES)[points.index]).coef
    fitted = coef @ GRID.values(np.arange(60)).T
    error = np.sqrt((bump(NODES) - fitted) ** 2 @ GRID.mass)
    assert_allclose(found.ratio[0] * found.best_error, error, rtol=1e-10)
    assert found.settings["estimator"] == "quasi_projection"


def test_a_comparison_prints_and_survives_storage(found):
    text = str(found)
    assert "Designs Compared" in text
    assert text.count("volume") == 3
    assert type(found).from_json(found.to_json()) == found
    assert repr(found) == (
        "<DesignComparison: 6 designs for 5 functions, 4000 draws each>"
    )
    assert "nouy2025" in found.cite()


@pytest.mark.plots
def test_the_figure_draws_medians_and_bands_by_name(found):
    curves = found.plot_data((0.1, 0.9))
    assert list(dict.fromkeys(curves["design"])) == ["volume", "repeated"]
    assert curves["n_points"].tolist() == 2 * [SIZE, 2 * SIZE, 3 * SIZE]
    for column, level in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
        expected = np.quantile(found.ratio[:3], level, axis=1)
        assert_array_equal(curves[column][:3], expected)
    ax = Figure().add_subplot()
    assert found.plot(ax, quantiles=(0.1, 0.9)) is ax
    (line,) = [one for one in ax.lines if one.get_label() == "repeated"]
    assert_array_equal(line.get_ydata(), curves["median"][3:])
    (area, _) = ax.collections
    heights = area.get_paths()[0].vertices[:, 1]
    assert set(curves["low"][:3]) | set(curves["high"][:3]) <= set(heights)
    written = {text.get_text(): text.get_color() for text in ax.texts}
    assert written["repeated"] == line.get_color()
    FigureCanvasAgg(ax.figure).draw()


@pytest.mark.plots
def test_the_figure_leaves_settings_alone_and_keeps_names_apart():
    names = ["one", "two", "three"]
    designs = {name: dc.ProjectionDPP(GRID) for name in names}
    found = dc.compare_designs(GRID, bump(NODES), designs, draws=5)
    with mpl.rc_context():
        mpl.rcdefaults()
        before = dict(mpl.rcParams)
        ax = found.plot()
        assert dict(mpl.rcParams) == before
    heights = np.sort([text.xyann[1] for text in ax.texts])
    assert (np.diff(heights) > 0.05).all()
    mpl.pyplot.close(ax.figure)


@pytest.mark.plots
def test_names_stand_as_their_lines_end_and_are_joined_to_the_ends(found):
    ax = Figure().add_subplot()
    found.plot(ax)
    ends = {
        name: tuple(curve[["n_points", "median"]].iloc[-1])
        for name, curve in found.plot_data().groupby("design")
    }
    assert {text.get_text(): text.xy for text in ax.texts} == ends
    assert all(text.arrow_patch is not None for text in ax.texts)
    up = sorted(ax.texts, key=lambda text: text.xyann[1])
    assert [text.get_text() for text in up] == sorted(
        ends, key=lambda one: ends[one][1]
    )
    # As far below the one as above the other: names that are apart stay where they are.
    bottom, top = np.log(ax.get_ylim())
    middle = np.mean([np.log(end[1]) for end in ends.values()])
    assert_allclose(
        np.mean([text.xyann[1] for text in up]), (middle - bottom) / (top - bottom)
    )


@pytest.mark.plots
def test_the_figure_says_what_its_bands_are_and_has_ticks_however_short_it_is(found):
    ax = Figure().add_subplot()
    found.plot(ax, quantiles=(0.1, 0.9))
    assert "10 to 90 % of 4,000 draws" in ax.get_title(loc="left")
    sizes = [SIZE * r for r in (4, 5)]
    designs = {"volume": [dc.VolumeSampling(GRID, n) for n in sizes]}
    short = dc.compare_designs(GRID, bump(NODES), designs, draws=20)
    for one in (found, short):
        ax = Figure().add_subplot()
        one.plot(ax)
        FigureCanvasAgg(ax.figure).draw()
        low, high = ax.get_ylim()
        shown = [each for each in ax.get_yticks() if low <= each <= high]
        written = [each.get_text() for each in ax.get_yticklabels()]
        assert len(shown) >= 3
        assert {f"{each:g}" for each in shown} <= set(written)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"designs": []}, dc.DesignError, "at least one design"),
        ({"designs": [3]}, dc.DesignError, "is a int"),
        (
            {"designs": {"other": dc.ProjectionDPP(POLYNOMIALS)}},
            dc.DesignError,
            "'other' is on another space",
        ),
        ({"draws": 0}, dc.DesignError, "draws 0 should be"),
        ({"f": NODES**4}, dc.DataError, "f lies in the space"),
        ({"f": np.full(60, np.nan)}, dc.DataError, "y should be finite"),
        ({"reference": (NODES, MASS)}, dc.DataError, "f should be a function"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(change, error, says):
    given = {"f": bump(NODES), "designs": [dc.ProjectionDPP(GRID)], "draws": 3}
    with pytest.raises(error, match=says):
        dc.compare_designs(GRID, **(given | change))


def test_a_reference_is_needed_and_must_determine_the_functions():
    design = dc.ProjectionDPP(POLYNOMIALS)
    with pytest.raises(dc.DataError, match="reference should be given"):
        dc.compare_designs(POLYNOMIALS, on_line, [design])
    few = np.polynomial.legendre.leggauss(3)
    with pytest.raises(dc.DataError, match="determines 3 of 5 functions"):
        dc.compare_designs(POLYNOMIALS, on_line, [design], reference=few)


def test_quantiles_outside_their_range_are_refused(found):
    with pytest.raises(dc.DesignError, match="should be numbers in"):
        found.tidy(quantiles=[1.5])
