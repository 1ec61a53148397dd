"""Figures draw what the frames hold, into the axes given, and change nothing else."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from distcausal._base.figure import HUES
from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.images._frames import implied_draws, tidy
from distcausal.images._plot import (
    draw_calibration,
    draw_comparison,
    draw_effects,
    draw_gain,
    effects_frame,
)
from distcausal.images._plot_course import course_frame, draw_course
from distcausal.images._plot_exemplars import draw_exemplars, exemplar_frame
from distcausal.images.calibration import calibration
from distcausal.images.conformal import UnitEffects
from distcausal.images.homogeneity import effect_homogeneity
from distcausal.images.orthogonal import EffectParts
from distcausal.images.policy import policy_values
from distcausal.images.rate import compare_rates, rate
from distcausal.images.source import ArraySource
from tests.images.result_doubles import DRAWS, UNITS, comparison, fitted

pytestmark = pytest.mark.plots
FIT = fitted()
SIDE = 4
# Pixels hold the square of the position, so a figure shows which images it drew, even
# after their scale is stretched.
SQUARES = np.arange(UNITS) ** 2
IMAGES = np.broadcast_to(SQUARES[:, None, None], (UNITS, SIDE, SIDE))
PARTS = EffectParts(
    share_predicted=0.3,
    slopes=np.array([1.0, 0.9]),
    variance=np.array([0.04, 0.36]),
    share_image=0.9,
    p_tabular=0.21,
    p_image=1e-4,
    used=9,
    missing=0,
    combine="mean",
    settings={},
)
MIDDLES, HALVES = np.array([3.0, -1.0, 2.0]), np.array([1.0, 2.0, 6.0])
UNIT_INTERVALS = UnitEffects(
    low=np.append(MIDDLES - HALVES, [-np.inf, 0.0]),
    high=np.append(MIDDLES + HALVES, [1.0, np.inf]),
    half_width=2.0,
    confidence=0.9,
    infinite=2,
    settings={},
)
DRAWINGS = {
    "effects": lambda ax: draw_effects(FIT, ax=ax, confidence=0.95),
    "one cluster": lambda ax: draw_effects(fitted(clusters=1), ax=ax, confidence=0.95),
    "exemplars": lambda ax: draw_exemplars(FIT, IMAGES, ax=ax),
    "gain": lambda ax: draw_gain(rate(FIT.scores, draws=20), ax=ax, confidence=0.95),
    "calibration": lambda ax: draw_calibration(
        calibration(FIT.scores), ax=ax, confidence=0.95
    ),
    "comparison": lambda ax: draw_comparison(comparison(), ax=ax),
    "course": lambda ax: draw_course(FIT, ax=ax),
    "design": lambda ax: FIT.design.plot(ax),
    "rules": lambda ax: policy_values(FIT.scores).plot(ax),
    "splits": lambda ax: effect_homogeneity(FIT.scores).plot(ax),
    "parts": lambda ax: PARTS.plot(ax),
    "units": lambda ax: UNIT_INTERVALS.plot(ax),
}
UNITED = ["effects", "gain", "calibration", "design", "rules", "parts", "units"]
every_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


def axes() -> Axes:
    """Axes of a figure that pyplot knows nothing about."""
    return Figure().add_subplot()


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [each for each in ax.lines if each.get_label() == label]
    return np.asarray(found.get_xydata(), dtype=float)


def texts(ax: Axes) -> list[str]:
    return [each.get_text() for each in ax.texts]


def lightness(colour: object) -> float:
    """Grey value of a colour as printed, from 0 (black) to 1."""
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


@every_drawing
def test_drawing_goes_into_the_axes_given_and_renders(draw):
    ax = axes()
    assert draw(ax) is ax
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba())[..., :3].min() < 255


@every_drawing
def test_drawing_leaves_the_settings_of_matplotlib_alone_and_shows_nothing(
    draw, monkeypatch
):
    from matplotlib import pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    with mpl.rc_context():
        mpl.rcdefaults()  # other tests drew before: only the defaults are untouched
        before = dict(mpl.rcParams)
        ax = draw(None)
        assert plt.gcf() is ax.figure
        plt.close(ax.figure)
        assert dict(mpl.rcParams) == before


@every_drawing
def test_nothing_drawn_leaves_the_axes_or_goes_nameless(draw):
    ax = draw(None)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    page, ends = ax.figure.bbox, np.sort(ax.get_ylim())
    ticks = [
        each.label1
        for each in ax.yaxis.get_major_ticks()
        if ends[0] <= each.get_loc() <= ends[1]
    ]
    for text in [*ax.texts, ax.xaxis.label, ax.yaxis.label, *ticks]:
        if text.get_text():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1
            assert page.y0 <= box.y0 <= box.y1 <= page.y1
    if ax.get_legend() is not None:
        assert all(each.get_text()[0] != "_" for each in ax.get_legend().texts)


@pytest.mark.parametrize("name", UNITED)
def test_effects_are_drawn_in_named_units(name):
    ax = DRAWINGS[name](axes())
    assert "units of the outcome" in ax.get_xlabel() + ax.get_ylabel()


@pytest.mark.parametrize("clusters", [1, 2])
def test_frame_of_the_effects_pairs_model_and_design(clusters):
    fit = fitted(clusters=clusters)
    frame = effects_frame(fit, 0.9)
    long = tidy(fit, 0.9).set_index("term")
    terms = [f"cluster {k + 1}" for k in range(clusters)]
    assert frame["term"].tolist() == [*terms, "all units"]
    names = {
        "model": [*(f"{each}, model" for each in terms), "implied average effect"],
        "design": [*(f"{each}, design" for each in terms), "average effect"],
    }
    for kind, rows in names.items():
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert_allclose(frame[f"{kind}_{column}"], long.loc[rows, column])
    assert_allclose(frame["share"], [*fit.design.share, 1.0])


def test_intervals_of_the_design_stand_under_densities_of_the_model():
    ax = draw_effects(FIT, ax=axes(), confidence=0.9)
    areas = [each for each in ax.collections if len(each.get_paths()[0].vertices) > 9]
    bars = [each for each in ax.collections if len(each.get_paths()[0].vertices) == 2]
    frame = tidy(FIT, 0.9).set_index("term")
    draws = [*FIT.posterior.effects[..., 0].T, implied_draws(FIT)]
    names = ["cluster 1, design", "cluster 2, design", "average effect"]
    rows = zip(areas, bars, draws, names, ax.get_yticks(), strict=True)
    for area, bar, sample, name, tick in rows:
        (ends,) = bar.get_segments()
        row = frame.loc[name]
        assert_allclose(ends[:, 0], [row["conf_low"], row["conf_high"]])
        shape = area.get_paths()[0].vertices
        assert ends[0, 1] < shape[:, 1].min() == tick
        peak = shape[shape[:, 1].argmax(), 0]
        assert abs(peak - sample.mean()) < sample.std()


def test_clusters_are_drawn_from_top_to_bottom_with_their_shares():
    ax = draw_effects(FIT, ax=axes(), confidence=0.95)
    labels = [each.get_text() for each in ax.get_yticklabels()]
    shares = [f"{100 * share:.0f}% of units" for share in FIT.design.share]
    assert labels == [f"Cluster {k + 1}\n{s}" for k, s in enumerate(shares)] + [
        "All units"
    ]
    assert np.all(np.diff(ax.get_yticks()) < 0)


def test_collapsed_cluster_is_called_not_estimated():
    with pytest.warns(InferenceWarning, match="collapsed"):
        fit = fitted(clusters=3)
    assert texts(draw_effects(fit, ax=axes(), confidence=0.95)) == [
        "design: not estimated"
    ]


def test_effects_that_all_draws_agree_on_are_a_tick():
    from dataclasses import replace

    effects = np.broadcast_to([[0.0], [1.0]], (DRAWS, 2, 1))
    fit = replace(FIT, posterior=replace(FIT.posterior, effects=effects))
    ax = draw_effects(fit, ax=axes(), confidence=0.95)
    ticks = [c.get_segments() for c in ax.collections if hasattr(c, "get_segments")]
    upright = [s[0] for s in ticks if np.ptp(s[0][:, 0]) == 0]
    assert [each[0, 0] for each in upright] == [0.0, 1.0]


def test_exemplars_have_the_highest_lower_ends_of_their_membership():
    frame = exemplar_frame(FIT, count=5, confidence=0.8)
    member = FIT.posterior.membership(FIT.trial.features)
    low = np.quantile(member, 0.1, axis=0)
    for cluster in (0, 1):
        rows = frame[frame["panel"] == f"cluster {cluster + 1}"]
        expected = np.sort(low[:, cluster])[::-1][:5]
        assert_allclose(rows["conf_low"], expected)
        place = [FIT.keys.tolist().index(key) for key in rows["key"]]
        assert_allclose(low[place, cluster], expected)
        assert_allclose(rows["probability"], member[:, place, cluster].mean(axis=0))


def test_most_uncertain_images_come_nearest_to_even_odds():
    frame = exemplar_frame(FIT, count=4)
    rows = frame[frame["panel"] == "most uncertain"]
    mean = FIT.cluster_probabilities()
    nearest = np.argsort(np.abs(mean[:, 0] - 0.5))[:4]
    assert set(rows["key"]) == set(FIT.keys[nearest])
    assert (rows["probability"] >= 0.5).all()
    assert rows["entropy"].is_monotonic_decreasing
    assert (rows["entropy"] <= 1).all()


def test_one_cluster_has_no_uncertain_image_and_few_images_are_all_shown():
    frame = exemplar_frame(fitted(clusters=1, images=5), count=9)
    assert frame["panel"].unique().tolist() == ["cluster 1"]
    assert len(frame) == 5


@pytest.mark.parametrize("reader", [np.asarray, lambda i: ArraySource(i, FIT.keys)])
def test_exemplars_are_the_images_of_their_keys(reader):
    ax = draw_exemplars(FIT, reader(IMAGES), ax=axes(), count=3)
    place = [FIT.keys.tolist().index(key) for key in exemplar_frame(FIT, 3)["key"]]
    values = np.array([each.get_array()[0, 0] for each in ax.images])
    ends = np.percentile(np.repeat(SQUARES[place], SIDE * SIDE), [1, 99])
    expected = np.clip((SQUARES[place] - ends[0]) / np.ptp(ends), 0, 1)
    assert_allclose(values.astype(float), expected)
    keys = [text.split("\n")[0] for text in texts(ax)]
    assert keys == [f"place {number}" for number in place]


def test_exemplars_do_not_cover_one_another():
    ax = draw_exemplars(FIT, IMAGES, ax=axes(), count=4)
    boxes = [each.get_extent() for each in ax.images]
    for number, (left, right, bottom, top) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            beside = right < other[0] or other[1] < left
            assert beside or bottom < other[3] or other[2] < top
    assert ax.get_aspect() == 1.0


@pytest.mark.parametrize(("shape", "count"), [((8, 40), 5), ((40, 8), 1), ((9, 9), 12)])
def test_captions_and_heading_have_room_whatever_the_shape_of_the_images(shape, count):
    from matplotlib import pyplot as plt

    images = np.random.default_rng(0).normal(size=(UNITS, *shape))
    ax = draw_exemplars(FIT, images, count=count)
    FigureCanvasAgg(ax.figure).draw()
    pictures = [each.get_window_extent() for each in ax.images]
    for text in ax.texts:
        box = text.get_window_extent()
        assert not any(box.overlaps(each) for each in pictures)
    boxes = [text.get_window_extent() for text in ax.texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(each) for each in boxes[number + 1 :])
    (heading,) = ax.findobj(lambda part: str(part).find("Key, probability") > 0)
    assert heading.get_window_extent().x1 <= ax.figure.bbox.x1
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("shape", "bands", "shown"),
    [
        ((SIDE, SIDE, 3), None, (SIDE, SIDE, 3)),
        ((SIDE, SIDE, 5), None, (SIDE, SIDE)),
        ((SIDE, SIDE, 5), 4, (SIDE, SIDE)),
        ((SIDE, SIDE, 5), (3, 1, 0), (SIDE, SIDE, 3)),
        ((2, SIDE, SIDE, 1), None, (SIDE, SIDE)),
    ],
)
def test_channels_and_sequences_become_pictures(shape, bands, shown):
    images = np.random.default_rng(0).normal(size=(UNITS, *shape))
    ax = draw_exemplars(FIT, images, ax=axes(), count=2, bands=bands)
    assert {each.get_array().shape for each in ax.images} == {shown}


def test_bands_asked_for_are_the_bands_shown():
    images = np.zeros((UNITS, SIDE, SIDE, 5))
    images[..., 3] = IMAGES
    ax = draw_exemplars(FIT, images, ax=axes(), count=3, bands=3)
    plain = draw_exemplars(FIT, IMAGES, ax=axes(), count=3)
    for one, other in zip(ax.images, plain.images, strict=True):
        assert_allclose(one.get_array(), other.get_array())


@pytest.mark.parametrize("bands", [5, (0, 1), -1, "red", (0.5,)])
def test_bands_that_are_not_there_are_refused(bands):
    images = np.zeros((UNITS, SIDE, SIDE, 5))
    with pytest.raises(DesignError, match="channels from 0 to 4"):
        draw_exemplars(FIT, images, ax=axes(), bands=bands)


def test_images_that_are_too_few_are_refused():
    with pytest.raises(DataError, match=f"each of the {UNITS} keys"):
        draw_exemplars(FIT, IMAGES[:-1], ax=axes())


def test_gain_figure_holds_the_curve_and_its_band():
    found = rate(FIT.scores, draws=20)
    ax = draw_gain(found, ax=axes(), confidence=0.8)
    frame = found.plot_data(0.8)
    curve = line(ax, "Gain over treating at random")
    assert_allclose(curve, frame[["share", "toc"]])
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert_allclose(heights.max(), frame["conf_high"].max())
    assert_allclose(heights.min(), frame["conf_low"].min())
    assert f"AUTOC {found.estimate:.3g}" in ax.get_title(loc="left")


def test_gain_of_two_rules_is_called_a_difference():
    found = compare_rates(FIT.scores, np.arange(UNITS), target="qini", draws=20)
    ax = draw_gain(found, ax=axes(), confidence=0.95)
    assert ax.get_ylabel().startswith("Gain of one rule over another")
    assert ax.get_title(loc="left").startswith("QINI")


def test_calibration_figure_holds_fifths_line_and_equality():
    found = calibration(FIT.scores)
    ax = draw_calibration(found, ax=axes(), confidence=0.95)
    frame = found.plot_data()
    (bars,) = ax.containers
    assert_allclose(bars[0].get_xydata(), frame[["predicted", "score"]])
    ends = np.array(bars[2][0].get_segments())[:, :, 1]
    margin = 1.959964 * frame["std_error"]
    assert_allclose(ends[:, 1] - ends[:, 0], 2 * margin, rtol=1e-5)
    x, y = line(ax, "Fitted line").T
    assert_allclose(y, found.intercept + found.slope * x)
    x, y = line(ax, "Prediction holds (slope 1)").T
    assert_allclose(x, y)
    assert f"{found.tested_slope:.2f}" in ax.get_legend().get_title().get_text()


@pytest.mark.parametrize("selected", [2, 3])
def test_bar_of_the_number_selected_is_the_first_to_reach_the_best(selected):
    found = comparison(selected)
    ax = draw_comparison(found, ax=axes())
    (bars,) = [c for c in ax.collections if len(c.get_segments()) == 4]
    tops = [segment[:, 1].max() for segment in bars.get_segments()]
    best = line(ax, "Best: 3")[0, 1]
    reached = [k for k, top in zip(found.clusters, tops, strict=True) if top >= best]
    assert reached[0] == selected
    assert line(ax, f"Selected: {selected}")[0, 0] == selected


def test_course_leaves_out_the_beginning_and_marks_every_start():
    ax = draw_course(FIT, ax=axes())
    frame = course_frame(FIT)
    shown = line(ax, "Best start, running mean")
    assert shown[0, 0] == 41
    assert shown[-1, 0] == len(frame)
    ends = line(ax, "End of each start")
    assert_allclose(ends[:, 1], FIT.fit.bound)
    low, high = ax.get_ylim()
    assert low < ends[:, 1].min()
    assert high > shown[:, 1].max()


def test_running_mean_of_the_bound_is_over_the_steps_before():
    frame = course_frame(FIT)
    expected = [FIT.fit.course[max(n - 8, 0) : n].mean() for n in range(1, 401)]
    assert_allclose(frame["average"], expected)


def test_engine_without_a_course_is_told_apart():
    with pytest.raises(DesignError, match="keeps no course"):
        draw_course(fitted(course=0), ax=axes())


def test_model_and_design_are_told_apart_in_grey():
    ax = draw_effects(FIT, ax=axes(), confidence=0.95)
    area, bar = ax.collections[0], ax.collections[1]
    assert lightness(area.get_facecolor()[0][:3]) - lightness(bar.get_color()[0]) > 0.5


def test_first_four_clusters_are_told_apart_in_grey():
    grey = np.sort([lightness(hue) for hue in HUES[:4]])
    assert np.diff(grey).min() > 0.1
    assert grey.max() < 0.85


def test_lines_of_the_calibration_differ_in_dash_as_well_as_colour():
    ax = DRAWINGS["calibration"](axes())
    same, fitted_line = ax.lines[:2]
    assert same.get_linestyle() != fitted_line.get_linestyle()
    colours = [lightness(each.get_color()) for each in (same, fitted_line)]
    assert abs(colours[0] - colours[1]) > 0.15


def test_list_of_estimates_draws_every_row_from_top_to_bottom():
    values = policy_values(FIT.scores)
    ax = values.plot(axes(), confidence=0.8)
    frame = values.tidy(0.8)
    (bars,) = ax.collections
    ends = np.array(bars.get_segments())
    assert_allclose(ends[:, :, 0], frame[["conf_low", "conf_high"]])
    assert np.all(np.diff(ends[:, 0, 1]) < 0)
    assert_allclose(ax.lines[-1].get_xdata(), frame["estimate"])
    first = ax.get_yticklabels()[0].get_text()
    share = 100 * frame["treated"][0]
    assert first == f"Cluster 2 ({share:.0f}% of units)"


def test_list_of_estimates_keeps_the_row_of_what_was_not_estimated():
    with pytest.warns(InferenceWarning, match="collapsed"):
        fit = fitted(clusters=3)
    ax = fit.design.plot(axes())
    (said,) = ax.texts
    assert said.get_text() == "not estimated"
    assert said.xy[1] == ax.get_yticks()[2]
    assert len(ax.collections[0].get_segments()) == 3


def test_vector_outcomes_are_drawn_by_their_mean():
    design = fitted(outcomes=2).design
    ax = design.plot(axes())
    expected = [*design.estimate[:, 0], design.average[0]]
    assert_allclose(ax.lines[-1].get_xdata(), expected)


def test_splits_are_drawn_in_order_with_the_test_that_combines_them():
    test = effect_homogeneity(fitted(gap=0.2).scores)
    ax = test.plot(axes())
    each = line(ax, "Each split on its own")
    assert_allclose(each[:, 1], np.sort(test.split_p_values))
    whole = line(ax, f"All splits together: p = {test.p_value:.3f}")
    assert_allclose(whole[:, 1], test.p_value)


def test_small_p_values_of_splits_are_seen():
    test = effect_homogeneity(fitted(gap=0.2).scores)
    tiny = np.full(len(test.split_p_values), 1e-6)
    tiny[0] = 0.0
    ax = replace(test, split_p_values=tiny, p_value=1e-7).plot(axes())
    assert ax.get_yscale() == "log"
    assert 0 < ax.get_ylim()[0] < line(ax, "Each split on its own")[:, 1].min()


def test_parts_of_effects_are_drawn_as_standard_deviations():
    ax = PARTS.plot(axes())
    assert_allclose([each.get_width() for each in ax.patches], [0.2, 0.6])
    assert texts(ax) == ["p = 0.210", "p < 0.001"]


def test_units_are_ordered_and_unbounded_ones_counted():
    ax = UNIT_INTERVALS.plot(axes())
    assert_allclose(line(ax, "Middle")[:, 1], np.sort(MIDDLES))
    (bars,) = ax.collections
    heights = [np.ptp(each[:, 1]) for each in bars.get_segments()]
    assert_allclose(heights, [4.0, 12.0, 2.0])
    assert "unbounded and left out: 2" in ax.get_title(loc="left")


@pytest.mark.parametrize("count", [3, 7, 40])
def test_units_are_counted_in_whole_numbers(count):
    middle = np.arange(float(count))
    few = UnitEffects(
        low=middle - 1,
        high=middle + 1,
        half_width=1.0,
        confidence=0.9,
        infinite=0,
        settings={},
    )
    ticks = few.plot().get_xticks()
    assert len(ticks) > 1
    assert (ticks == np.round(ticks)).all()
