"""Drawings are well formed, the same every time, and keep things apart."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from xml.dom import minidom

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

import distcausal as dc
from distcausal.diagrams._crossings import Link, crossings, fewer_crossings
from distcausal.diagrams._draw import draw_steps
from distcausal.diagrams._draw_tikz import escaped
from distcausal.diagrams._layout import lay_out
from distcausal.diagrams._picture import Circle, Curve, Polygon, Text, picture
from distcausal.diagrams._places import Pull, straightened
from distcausal.diagrams._text import LINE, LINES, broken, shortened, text_width
from distcausal.diagrams.rewrite import CombSplit, Cut, Determinise, Normalise, Twin
from distcausal.diagrams.structural import Cap, Cup
from tests.diagrams.strategies_diagrams import diagrams
from tests.diagrams.strategies_graphs import admgs

ROOT = Path(__file__).parent.parent.parent
FRONT_DOOR = dc.CausalGraph.from_edges("S->T->C", bidirected="S<->C")
NAPKIN = dc.CausalGraph.from_edges("W1->W2->X->Y", bidirected="W1<->X; W1<->Y")
HOSTILE = (
    "a_b & c",
    'x<y> "q" \\frac{1}{2} #5 100% ~^ $z$',
    "household_income_after_tax_and_transfers_in_real_euros",
    "Größe \N{GREEK SMALL LETTER ALPHA} Ω ∂",
    "two\nlines\tand\x07bell",
)
S, T = dc.Space("S"), dc.Space("T")
DIRECTIONS = ("up", "right")
# coordinates are rounded to hundredths where they are written
CLOSE = 0.02


def functional():
    diagram = FRONT_DOOR.diagram()
    for name in FRONT_DOOR.nodes:
        diagram = Determinise(name).apply(diagram)
    return diagram


def gallery():
    """One diagram with each thing that is drawn."""
    front = FRONT_DOOR.diagram()
    box = dc.Box("f", S @ T, T @ S)
    event = (dc.Point(S, 1) @ dc.Uniform(T)) >> box >> (dc.Effect(T, 0) @ dc.Id(S))
    return {
        "graph": front,
        "cut": front.cut("S"),
        "opened": front.open("S"),
        "combs": CombSplit().apply(NAPKIN.diagram()),
        "worlds": Cut("S", 1).apply(Twin(2).apply(functional())),
        "event": event,
        "normalised": Normalise().apply(event),
        "snake": (dc.Id(S) @ Cap(S)) >> (Cup(S) @ dc.Id(S)),
        "discarded": box >> dc.Discard(T @ S),
        "copies": dc.Copy([S, T], 3),
        "nothing": dc.Id(dc.Ty()),
        "wire": dc.Id(S),
        "hostile": dc.CausalGraph(
            [*pairwise(HOSTILE), (HOSTILE[0], HOSTILE[2])], [HOSTILE[:2]]
        ).diagram(),
    }


GALLERY = gallery()
every = pytest.mark.parametrize("name", GALLERY)
both = pytest.mark.parametrize("direction", DIRECTIONS)


@every
@both
def test_svg_is_well_formed_and_stands_alone(name, direction):
    text = GALLERY[name].to_svg(direction=direction)
    root = minidom.parseString(text).documentElement
    assert root.tagName == "svg"
    assert "href" not in text
    assert "url(" not in text
    assert re.findall(r"https?:", text) == ["http:"]  # the name space, which is no link


@every
@both
def test_tikz_is_balanced(name, direction):
    text = GALLERY[name].to_tikz(direction=direction)
    assert text.startswith(r"\begin{tikzpicture}")
    assert text.endswith(r"\end{tikzpicture}")
    bare = re.sub(r"\\[\\{}%&#_$]", "", text)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    assert "%" not in bare
    assert "nan" not in bare
    for line in text.splitlines()[1:-1]:
        assert line.strip().startswith((r"\path", r"\node", r"\definecolor"))


@every
def test_formats_show_the_same_marks(name):
    diagram = GALLERY[name]
    marks = picture(diagram).marks
    texts = [mark for mark in marks if isinstance(mark, Text)]
    ax = diagram.draw()
    assert len(ax.texts) == len(texts)
    assert len(ax.patches) == len(marks) - len(texts)
    tikz, svg = diagram.to_tikz(), diagram.to_svg()
    assert (tikz.count(r"\node"), tikz.count(r"\path")) == (
        len(texts),
        len(marks) - len(texts),
    )
    assert svg.count("<text") == sum(len(mark.lines) for mark in texts)
    shapes = svg.count("<path") + svg.count("<circle") + svg.count("<polygon")
    assert shapes == len(marks) - len(texts)


def test_the_same_diagram_is_drawn_the_same_whatever_the_hash_seed():
    code = (
        "from tests.diagrams.test_draw import GALLERY\n"
        "print([(d.to_svg(), d.to_tikz()) for d in GALLERY.values()])"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        timeout=120,
        check=True,
    ).stdout
    here = [(d.to_svg(), d.to_tikz()) for d in GALLERY.values()]
    assert elsewhere == f"{here}\n"


@every
@both
def test_everything_fits_in_the_frame(name, direction):
    drawn = picture(GALLERY[name], direction=direction)
    for x, y in corners(drawn.marks):
        assert drawn.left < x < drawn.right
        assert drawn.bottom < y < drawn.top


def corners(marks):
    for mark in marks:
        if isinstance(mark, Curve | Polygon):
            yield from mark.points
        elif isinstance(mark, Circle):
            yield mark.centre
        else:
            yield mark.at


@given(st.one_of(admgs().map(lambda g: g.diagram()), diagrams(steps=6)))
@settings(max_examples=40)
def test_boxes_keep_apart_and_no_wire_runs_through_one(diagram):
    for direction in DIRECTIONS:
        marks = picture(diagram, direction=direction).marks
        frames = [frame(mark) for mark in marks if is_body(mark)]
        for one, two in combinations(frames, 2):
            assert apart(one, two)
        wires = [mark for mark in marks if isinstance(mark, Curve)]
        for wire in wires:
            if wire.style == "ground":
                continue
            for x, y in along(wire):
                assert not any(inside(x, y, box) for box in frames)


def is_body(mark):
    return isinstance(mark, Polygon) and mark.style in ("box", "tooth")


def frame(mark):
    xs, ys = zip(*mark.points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def apart(one, two):
    across = one[2] <= two[0] or two[2] <= one[0]
    return across or one[3] <= two[1] or two[3] <= one[1]


def inside(x, y, box):
    return box[0] + CLOSE < x < box[2] - CLOSE and box[1] + CLOSE < y < box[3] - CLOSE


def along(curve):
    """Points on a curve, eleven per piece."""
    points = np.array(curve.points)
    t = np.linspace(0, 1, 11)[:, None]
    for start in range(0, len(points) - 1, 3):
        a, b, c, d = points[start : start + 4]
        yield from (
            (1 - t) ** 3 * a
            + 3 * t * (1 - t) ** 2 * b
            + 3 * t**2 * (1 - t) * c
            + t**3 * d
        )


@given(st.one_of(admgs().map(lambda g: g.diagram()), diagrams(steps=6)))
def test_what_is_written_does_not_overlap_what_is_written_elsewhere(diagram):
    texts = [m for m in picture(diagram).marks if isinstance(m, Text)]
    for one, two in combinations(map(extent, texts), 2):
        assert apart(one, two)


@both
def test_names_beside_wires_overlap_nothing(direction):
    long, short = dc.Space("a rather long name"), dc.Space("s")
    pair = dc.Box("f", [], [long, short]) @ dc.Box("g", [], [short, long])
    read = dc.Box("h", [short, long], [short])
    diagram = pair >> (dc.Id(long) @ dc.Swap(short, short) @ dc.Id(long))
    diagram = diagram >> (dc.Box("k", [long, short], [long]) @ read)
    states = dc.Uniform([long, long]) >> dc.Box("m", [long, long], [])
    marks = picture(diagram @ states, direction=direction).marks
    texts = [mark for mark in marks if isinstance(mark, Text)]
    assert sum(mark.slanted for mark in texts) == 4 + 2
    for one, two in combinations(map(extent, texts), 2):
        assert apart(one, two)
    for mark in marks:
        if isinstance(mark, Curve):
            for x, y in along(mark):
                assert not any(inside(x, y, extent(t)) for t in texts if t.slanted)


def extent(mark):
    wide = max(text_width(line, mark.size) for line in mark.lines)
    x = mark.at[0] - wide * {"start": 0, "middle": 0.5, "end": 1}[mark.anchor]
    tall = len(mark.lines) * mark.size / 2
    return x, mark.at[1] - tall, x + wide, mark.at[1] + tall


@given(st.one_of(admgs().map(lambda g: g.diagram()), diagrams(steps=6)))
def test_each_use_of_a_wire_is_drawn(diagram):
    layout = lay_out(diagram)
    ends = sum(
        layout.vertices[link.high].kind not in ("wire", "spine")
        for link in layout.links
    )
    reads = sum(len(node.ins) for node in diagram.nodes) + len(diagram.outputs)
    read = {wire for node in diagram.nodes for wire in node.ins} | {*diagram.outputs}
    assert ends == reads + len(diagram.wires) - len(read)


@given(st.data())
def test_reordering_keeps_the_layers_and_never_adds_crossings(data):
    widths = data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    starts = np.cumsum([0, *widths])
    layers = [list(range(a, b)) for a, b in pairwise(starts)]
    links = []
    for low, high in pairwise(layers):
        pairs = st.tuples(st.sampled_from(low), st.sampled_from(high))
        found = data.draw(st.lists(pairs, max_size=8))
        links += [Link(a, b, 0, 0, at) for at, (a, b) in enumerate(found)]
    order = fewer_crossings(layers, links, fixed={0})
    assert [sorted(layer) for layer in order] == layers
    assert order[0] == layers[0]
    assert crossings(order, links) <= crossings(layers, links)


def test_a_worse_order_found_later_is_not_kept():
    layers = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    pairs = [(0, 5), (1, 5), (3, 6), (4, 6), (4, 7), (5, 6), (5, 7), (5, 8)]
    links = [Link(low, high, 0, 0, at) for at, (low, high) in enumerate(pairs)]
    assert crossings(fewer_crossings(layers, links, fixed=()), links) <= 1


def test_crossings_are_those_one_can_count():
    links = [Link(0, 3, 0, 0, 0), Link(1, 2, 0, 0, 1)]
    assert crossings([[0, 1], [2, 3]], links) == 1
    assert crossings([[0, 1], [3, 2]], links) == 0
    ports = [Link(0, 2, 1, 0, 0), Link(0, 2, 0, 1, 1)]
    assert crossings([[0, 1], [2, 3]], ports) == 1


@pytest.mark.parametrize(
    ("graph", "outputs"),
    [
        ("A->B->C->D", None),
        ("S->T->C; S<->C", None),
        ("A->C; B->C; C->D", "A D B"),
        ("A->B->C; A->D->C", "C"),
    ],
)
def test_graphs_that_need_no_crossing_have_none(graph, outputs):
    layout = lay_out(dc.CausalGraph.from_edges(graph).diagram(outputs))
    levels = [vertex.level for vertex in layout.vertices]
    layers = [
        sorted(
            (at for at, level in enumerate(levels) if level == each),
            key=lambda at: layout.across[at],
        )
        for each in range(max(levels) + 1)
    ]
    assert crossings(layers, layout.links) == 0


@given(st.data())
def test_places_keep_order_and_distance(data):
    widths = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    starts = np.cumsum([0, *widths])
    order = [list(range(a, b)) for a, b in pairwise(starts)]
    sizes = st.floats(1, 30)
    extents = [data.draw(st.tuples(sizes, sizes)) for _ in range(starts[-1])]
    pulls = [
        Pull(low, high, data.draw(st.floats(-20, 20)), 1.0)
        for one, two in pairwise(order)
        for low in one
        for high in two
        if data.draw(st.booleans())
    ]
    place = straightened(extents, pulls, order)
    for layer in order:
        for one, two in pairwise(layer):
            # the solver meets constraints to 1e-7
            assert place[two] - place[one] >= extents[one][1] + extents[two][0] - 1e-6


def test_a_chain_is_drawn_as_a_straight_line():
    names = "ABCDEFGH"
    chain = dc.CausalGraph(list(pairwise(names))).diagram(outputs=["H"])
    assert np.ptp(lay_out(chain).across) == pytest.approx(0, abs=1e-6)


def test_a_box_lies_above_all_it_reads():
    layout = lay_out(NAPKIN.diagram())
    for link in layout.links:
        low, high = layout.vertices[link.low], layout.vertices[link.high]
        assert high.level == low.level + 1


def test_wires_nobody_observes_are_dashed():
    tikz = FRONT_DOOR.diagram().to_tikz()
    assert "dash pattern" in tikz
    assert "dash pattern" not in FRONT_DOOR.diagram().cut("S", "C").prune().to_tikz()


def test_a_cut_is_drawn_as_loose_ends_below_a_uniform_state():
    marks = picture(FRONT_DOOR.diagram().cut("S")).marks
    cut = [mark for mark in marks if getattr(mark, "style", "").startswith("cut")]
    uniform = max(mark.centre[1] for mark in cut if isinstance(mark, Circle))
    ends = [mark.points[0][1] for mark in cut if isinstance(mark, Curve)]
    assert len(ends) == 3 + 2  # the bars of one loose end, the blades of the scissors
    assert max(ends) < uniform
    assert any("S uniform" in mark.lines for mark in marks if isinstance(mark, Text))


def test_teeth_of_a_comb_are_joined():
    marks = picture(GALLERY["combs"]).marks
    teeth = [mark.title for mark in marks if getattr(mark, "style", "") == "tooth"]
    assert teeth == ["W1", "X", "Y"]
    layout = lay_out(GALLERY["combs"])
    assert len(layout.spines) == 2


def test_names_in_other_worlds_have_primes():
    written = [
        line
        for mark in picture(GALLERY["worlds"]).marks
        if isinstance(mark, Text)
        for line in mark.lines
    ]
    prime = "\N{PRIME}"
    assert {"C", "C" + prime, f"S{prime} uniform"} <= set(written)
    assert "N(C)" + prime not in written


def test_drawing_uses_the_axes_given_and_no_global_setting():
    before = dict(mpl.rcParams)
    figure, ax = plt.subplots()
    assert FRONT_DOOR.diagram().draw(ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert dict(mpl.rcParams) == before
    figure.canvas.draw()


@pytest.mark.plots
def test_text_stays_inside_its_box_on_any_axes():
    for size in ((2, 2), (8, 3)):
        figure, ax = plt.subplots(figsize=size)
        dc.CausalGraph([("income_after_tax", "y")]).diagram().draw(ax)
        figure.canvas.draw()
        word = next(text for text in ax.texts if text.get_text() == "income_after_tax")
        box = next(p for p in ax.patches if isinstance(p, mpl.patches.Polygon))
        limits, text = box.get_window_extent(), word.get_window_extent()
        assert limits.x0 <= text.x0
        assert text.x1 <= limits.x1


def test_hostile_names_are_written_as_they_are():
    svg = GALLERY["hostile"].to_svg()
    assert "a_b &amp; c" in svg
    assert "x&lt;y&gt; &quot;q&quot;" in svg
    assert "\x07" not in svg
    ax = GALLERY["hostile"].draw()
    assert not any(text.get_parse_math() for text in ax.texts)
    ax.figure.savefig(os.devnull, format="png")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a_b & c", r"a\_b \& c"),
        ("\\{}", r"\textbackslash{}\{\}"),
        ("100% $x$ #1", r"100\% \$x\$ \#1"),
        (
            "~^<>|",
            r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"
            r"\textbar{}",
        ),
        ("βςλ Γ", r"$\beta$$\varsigma$$\lambda$ $\Gamma$"),
        ("\N{GREEK CAPITAL LETTER ALPHA}", "\N{GREEK CAPITAL LETTER ALPHA}"),
        ("\N{GREEK SMALL LETTER OMICRON}", "\N{GREEK SMALL LETTER OMICRON}"),
        ("S\N{PRIME}", "S$'$"),
        ("a\x07b", "a?b"),
        ("Größe", "Größe"),
    ],
)
def test_latex_prints_names_and_obeys_none(name, written):
    assert escaped(name) == written


printable = st.characters(categories=("L", "N", "P", "S")) | st.just(" ")


@given(st.text(printable, max_size=80))
@example("household_income_after_tax_and_transfers_in_real_euros_of_2019")
def test_names_are_broken_into_few_short_lines(name):
    lines = broken(name)
    assert 1 <= len(lines) <= LINES
    assert all(len(line) <= LINE for line in lines)
    if len(name) <= LINE and name == " ".join(name.split()):
        assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_letters_that_cannot_be_printed_are_shown_as_missing():
    assert broken("a\x07\nb") == ("a\N{REPLACEMENT CHARACTER} b",)


@given(st.text(printable, max_size=60), st.integers(5, 30))
def test_names_are_shortened_in_the_middle(name, most):
    short = shortened(name, most)
    plain = " ".join(name.split())
    assert len(short) <= most
    assert short == plain if len(plain) <= most else short[0] == plain[0]


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=50)
def test_any_name_gives_well_formed_svg_and_balanced_tikz(one, two):
    box = dc.Box(one, dc.Space(two), dc.Space("end" + one + two))
    minidom.parseString(box.diagram.to_svg().encode("utf-8", "surrogatepass"))
    bare = re.sub(r"\\[\\{}%&#_$]", "", box.diagram.to_tikz())
    assert bare.count("{") == bare.count("}")


def test_steps_are_drawn_as_panels_with_their_titles():
    diagram = FRONT_DOOR.diagram()
    steps = [(diagram, "before"), (diagram.cut("S"), "cut(S)"), (diagram, "again")]
    figure = draw_steps(steps, columns=2)
    assert len(figure.axes) == 3
    assert [ax.texts[-1].get_text() for ax in figure.axes] == [t for _, t in steps]
    tops = [round(ax.get_position().y1, 6) for ax in figure.axes]
    assert tops[0] == tops[1] > tops[2]


def test_no_steps_and_unknown_directions_are_refused():
    with pytest.raises(dc.DesignError, match="no steps"):
        draw_steps([])
    for call in (dc.Id(S).draw, dc.Id(S).to_svg, dc.Id(S).to_tikz):
        with pytest.raises(dc.DesignError, match="direction 'down'"):
            call(direction="down")


def test_notebooks_show_the_svg():
    assert dc.Id(S)._repr_svg_() == dc.Id(S).to_svg()
