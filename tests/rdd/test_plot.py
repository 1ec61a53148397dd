"""Figures draw what the frames hold, into the axes given, and change nothing else."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from tests.rdd import result_doubles as doubles

pytestmark = pytest.mark.plots
DRAWINGS = {
    "effect": lambda ax: doubles.sharp().plot(ax=ax),
    "curves": lambda ax: doubles.fuzzy().plot(ax=ax, kind="curves"),
    "bandwidth": lambda ax: doubles.bandwidth().plot(ax=ax),
    "few levels": lambda ax: doubles.sharp(np.arange(1, 10) / 10).plot(ax=ax),
    "one level": lambda ax: doubles.sharp(np.array([0.5])).plot(ax=ax),
}
every_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


def axes() -> Axes:
    """Axes of a figure that pyplot knows nothing about."""
    return Figure().add_subplot()


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [each for each in ax.lines if each.get_label() == label]
    return np.asarray(found.get_ydata(), dtype=float)


def lightness(colour: object) -> float:
    """Grey value of a colour as printed, from 0 (black) to 1."""
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


@every_drawing
def test_drawing_goes_into_the_axes_given_and_renders(draw):
    ax = axes()
    assert draw(ax) is ax
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba()).min() < 255


@every_drawing
def test_drawing_leaves_the_settings_of_matplotlib_alone(draw):
    with mpl.rc_context():
        mpl.rcdefaults()  # other tests drew before: only the defaults are untouched
        before = dict(mpl.rcParams)
        draw(None)
        assert dict(mpl.rcParams) == before


def test_drawing_never_shows(monkeypatch):
    from matplotlib import pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    ax = doubles.sharp().plot()
    assert plt.gcf() is ax.figure


def test_effect_figure_holds_the_curve_the_band_and_zero():
    fit, ax = doubles.sharp(), axes()
    fit.plot(ax=ax, confidence=0.9)
    data = fit.plot_data(0.9)
    assert_allclose(line(ax, "Estimated effect"), data["estimate"])
    assert_allclose(line(ax, "90% pointwise interval"), data["conf_low"])
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert_allclose(heights.max(), data["band_high"].max())
    assert_allclose(heights.min(), data["band_low"].min())
    assert any(np.all(np.asarray(each.get_ydata()) == 0.0) for each in ax.lines)


def test_curves_figure_holds_both_sides():
    fit, ax = doubles.sharp(), axes()
    fit.plot(ax=ax, kind="curves")
    assert_allclose(line(ax, "Just above the cutoff, with 95% uniform band"), fit.above)
    assert_allclose(line(ax, "Just below the cutoff, with 95% uniform band"), fit.below)
    assert len(ax.collections) == 2


def test_axes_say_what_and_in_which_units():
    ax = doubles.sharp().plot(ax=axes())
    assert ax.get_xlabel() == "Quantile level"
    assert ax.get_ylabel() == "Effect (units of the outcome)"


def test_legend_can_be_left_out():
    assert doubles.sharp().plot(ax=axes()).get_legend() is not None
    assert doubles.sharp().plot(ax=axes(), legend=False).get_legend() is None


def test_legend_names_only_what_is_labelled():
    ax = doubles.sharp().plot(ax=axes(), kind="curves")
    assert all(not text.get_text().startswith("_") for text in ax.get_legend().texts)
    assert len(ax.get_legend().texts) == 2


def test_curve_and_band_are_told_apart_in_grey():
    ax = doubles.sharp().plot(ax=axes())
    curve = lightness(ax.lines[1].get_color())
    band = lightness(ax.collections[0].get_facecolor()[0][:3])
    assert band - curve > 0.5
    assert band < 0.95


def test_curves_of_the_two_sides_differ_in_dash_as_well_as_colour():
    ax = doubles.sharp().plot(ax=axes(), kind="curves")
    above, below = ax.lines
    assert above.get_linestyle() != below.get_linestyle()
    assert abs(lightness(above.get_color()) - lightness(below.get_color())) > 0.15
