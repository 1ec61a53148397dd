"""The drawing of a diagram as a list of marks with coordinates.

All formats (matplotlib, SVG, TikZ) render the same marks, so they show the same
picture, and what it looks like is decided here once. Coordinates are in points, x to
the right and y upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from distcausal.diagrams._layout import Layout, Vertex, lay_out
from distcausal.diagrams._text import BODY, SMALL, text_width
from distcausal.diagrams.diagram import Diagram

__all__ = [
    "EDGE",
    "INK",
    "STYLES",
    "Circle",
    "Curve",
    "Mark",
    "Picture",
    "Polygon",
    "Style",
    "Text",
    "picture",
]

INK, WARM, PALE, BLUE = "#1b1b1b", "#b3361e", "#dbe7f3", "#2a5d8f"
DOT, BAR, EDGE = 2.3, 6.0, 10.0  # copy dot, half a ground bar, margin of the picture

XY = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """How a mark is drawn: colours, width of the line in points, dashes.

    ``line`` and ``fill`` are None where there is none.
    """

    line: str | None
    width: float = 1.0
    fill: str | None = None
    dashed: bool = False


STYLES = {
    "wire": Style(INK, 1.0),
    "latent": Style(INK, 1.0, dashed=True),
    "spine edge": Style(BLUE, 11.0),
    "spine": Style(PALE, 9.4),
    "box": Style(INK, 1.0, "#ffffff"),
    "tooth": Style(BLUE, 1.0, PALE),
    "state": Style(INK, 1.0, "#f3efe3"),
    "uniform": Style(INK, 1.0, "#ffffff"),
    "dot": Style(None, 0.0, INK),
    "ground": Style(INK, 1.2),
    "cut": Style(WARM, 1.2),
    "cut uniform": Style(WARM, 1.2, "#ffffff"),
    "frame": Style(BLUE, 1.0, dashed=True),
}


@dataclass(frozen=True)
class Curve:
    """A smooth line: a start, then three points (two controls, one end) per piece."""

    points: tuple[XY, ...]
    style: str


@dataclass(frozen=True)
class Polygon:
    """A closed shape with straight sides; the title is what it stands for."""

    points: tuple[XY, ...]
    style: str
    title: str = ""


@dataclass(frozen=True)
class Circle:
    """A circle."""

    centre: XY
    radius: float
    style: str


@dataclass(frozen=True)
class Text:
    """Lines of text centred in height on a point; `anchor` is what lies on it."""

    at: XY
    lines: tuple[str, ...]
    size: float
    anchor: str = "middle"  # or "start", "end"
    slanted: bool = False


Mark = Curve | Polygon | Circle | Text


@dataclass(frozen=True)
class Picture:
    """Marks in the order in which they are drawn, and the frame they fit in."""

    marks: tuple[Mark, ...]
    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Width in points."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in points."""
        return self.top - self.bottom


def picture(diagram: Diagram, *, direction: str = "up") -> Picture:
    """Draw a diagram as marks.

    Raises
    ------
    DesignError
        If the direction is not one of ``"up"``, ``"right"``.
    """
    framed = len(diagram.nodes) == 1 and diagram.nodes[0].box.kind == "normalised"
    inside = diagram.nodes[0].box.data if framed else diagram
    layout = lay_out(inside, direction=direction)  # type: ignore[arg-type]
    pen = _Pen(layout, direction == "up")
    marks = [*pen.spines(), *pen.wires(), *pen.vertices()]
    if framed:
        marks = [*pen.frame(), *marks]
    left, bottom, right, top = _bounds(marks)
    return Picture(tuple(marks), left - EDGE, bottom - EDGE, right + EDGE, top + EDGE)


def _bounds(marks: Sequence[Mark]) -> tuple[float, float, float, float]:
    corners = [corner for mark in marks for corner in _corners(mark)] or [(0.0, 0.0)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _corners(mark: Mark) -> list[XY]:
    """Points that the frame has to take in."""
    if isinstance(mark, Curve | Polygon):
        return list(mark.points)
    if isinstance(mark, Circle):
        (x, y), r = mark.centre, mark.radius
        return [(x - r, y - r), (x + r, y + r)]
    x, y = mark.at
    wide = max((text_width(line, mark.size) for line in mark.lines), default=0.0)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor]
    tall = len(mark.lines) * (mark.size + 2) / 2
    return [(x - share * wide, y - tall), (x + (1 - share) * wide, y + tall)]


class _Pen:
    """Turns a layout into marks, upright or sideways."""

    def __init__(self, layout: Layout, upright: bool) -> None:
        self.layout, self.upright = layout, upright

    def at(self, across: float, along: float) -> XY:
        """Point of the page."""
        return (across, along) if self.upright else (along, -across)

    def line(self, style: str, *places: XY) -> Curve:
        """Straight line through places given across and along."""
        points = [self.at(*places[0])]
        for one, two in pairwise(places):
            points += [self.at(*one), self.at(*two), self.at(*two)]
        return Curve(tuple(points), style)

    def shape(self, style: str, title: str, *places: XY) -> Polygon:
        """Polygon through places given across and along."""
        return Polygon(tuple(self.at(*place) for place in places), style, title)

    def span(self, at: int) -> tuple[float, float]:
        """Where a vertex begins and ends along."""
        vertex, layout = self.layout.vertices[at], self.layout
        start, tall = layout.starts[vertex.level], layout.heights[vertex.level]
        if vertex.kind in ("wire", "spine"):
            return start, start + tall
        if vertex.kind in ("ground", "output", "effect", "cup"):
            return start, start + vertex.height
        if vertex.kind in ("input", "point", "uniform", "cap", "cut"):
            return start + tall - vertex.height, start + tall
        middle = start + tall / 2
        return middle - vertex.height / 2, middle + vertex.height / 2

    def spines(self) -> Iterator[Mark]:
        """Spines of combs, below everything else."""
        yield from self._links(True, lambda wire: "spine edge")
        yield from self._links(True, lambda wire: "spine")

    def wires(self) -> Iterator[Mark]:
        """Wires, with a dot where one is copied."""
        latent = self.layout.latent
        yield from self._links(False, lambda w: "latent" if w in latent else "wire")

    def _links(self, spine: bool, style: Callable[[int], str]) -> Iterator[Mark]:
        """Wires between layers, each from where it starts to all its ends."""
        layout = self.layout
        for (below, port), ends in self._ends(spine).items():
            low = layout.vertices[below]
            across = layout.across[below] + low.leaves[port]
            begins, stops = self.span(below)
            start = begins if low.kind in ("wire", "spine") else stops
            if spine and low.kind != "spine":
                start -= low.height / 2
            level = low.level
            fork = layout.starts[level] + layout.heights[level] + layout.stems[level]
            mark = style(low.outs[port])
            stem = self.line(mark, (across, start), (across, fork))
            bends = [self._bend(mark, (across, fork), *end) for end in ends]
            if len(bends) == 1:
                # in one piece, so that dashes and thick lines have no seam
                yield Curve(stem.points + bends[0].points[1:], mark)
                continue
            yield from (stem, *bends)
            yield Circle(self.at(across, fork), DOT, "dot")

    def _ends(self, spine: bool) -> dict[tuple[int, int], list[tuple[float, ...]]]:
        """For each start of links: places of their ends, foot of the layer, foot there.

        A spine reaches into the middle of its tooth, whose box covers the end.
        """
        layout = self.layout
        ends: dict[tuple[int, int], list[tuple[float, ...]]] = {}
        for link in layout.links:
            if (link.wire in layout.spines) is not spine:
                continue
            high = layout.vertices[link.high]
            across = layout.across[link.high] + high.enters[link.arrives]
            begins = self.span(link.high)[0] + (high.height / 2 if spine else 0.0)
            above = ends.setdefault((link.low, link.leaves), [])
            above.append((across, layout.starts[high.level], begins))
        return ends

    def _bend(
        self, style: str, start: XY, across: float, bottom: float, begins: float
    ) -> Curve:
        """A wire from where it forks to a port above.

        All wires of a gap bend by the same rule, so two cross only if they have to.
        """
        here, fork = start
        rise = bottom - fork
        points = [
            (here, fork),
            (here + 0.2 * (across - here), fork + 0.4 * rise),
            (across, fork + 0.55 * rise),
            (across, bottom),
        ]
        if begins > bottom:
            points += [(across, bottom), (across, begins), (across, begins)]
        return Curve(tuple(self.at(*point) for point in points), style)

    def vertices(self) -> Iterator[Mark]:
        """Boxes, states, ends of wires, and what is written on and beside them."""
        for at, vertex in enumerate(self.layout.vertices):
            across = self.layout.across[at]
            yield from self._body(vertex, across, *self.span(at))
            yield from self._names(vertex, across, self.span(at)[1])

    def _body(
        self, vertex: Vertex, across: float, begins: float, stops: float
    ) -> Iterator[Mark]:
        middle, half = (begins + stops) / 2, vertex.width / 2
        kind = vertex.kind
        if kind in ("box", "comb", "normalised"):
            style = "tooth" if kind == "comb" else "box"
            yield self._rectangle(style, vertex.title, across, half, begins, stops)
            yield Text(self.at(across, middle), vertex.lines, BODY)
        elif kind in ("input", "output"):
            yield self._end(vertex, across, begins, stops)
        elif kind == "point":
            yield from self._state(vertex, across, stops, begins)
        elif kind == "effect":
            yield from self._state(vertex, across, begins, stops)
        elif kind == "ground":
            yield from self._ground("ground", across, begins)
        elif kind == "uniform":
            yield Circle(self.at(across, middle), half, "uniform")
        elif kind == "cut":
            yield from self._cut(vertex, across, begins, stops)
        elif kind in ("cap", "cup"):
            ports = vertex.leaves if kind == "cap" else vertex.enters
            flat, bent = (stops, begins) if kind == "cap" else (begins, stops)
            left, right = across + ports[0], across + ports[1]
            places = [(left, flat), (left, bent), (right, bent), (right, flat)]
            yield Curve(tuple(self.at(*place) for place in places), "wire")

    def _end(self, vertex: Vertex, across: float, begins: float, stops: float) -> Text:
        """Name at the open end of a wire."""
        if self.upright:
            return Text(self.at(across, (begins + stops) / 2), vertex.lines, BODY)
        entering = vertex.kind == "input"
        spot = self.at(across, stops - 3.0 if entering else begins + 3.0)
        return Text(spot, vertex.lines, BODY, "end" if entering else "start")

    def _rectangle(
        self,
        style: str,
        title: str,
        across: float,
        half: float,
        begins: float,
        stops: float,
    ) -> Polygon:
        low, high = across - half, across + half
        corners = [(low, begins), (high, begins), (high, stops), (low, stops)]
        return self.shape(style, title, *corners)

    def _state(
        self, vertex: Vertex, across: float, flat: float, tip: float
    ) -> Iterator[Mark]:
        """Triangle whose flat side meets the wire."""
        half = vertex.width / 2
        corners = [(across - half, flat), (across + half, flat), (across, tip)]
        yield self.shape("state", vertex.title, *corners)
        yield Text(self.at(across, flat + 0.32 * (tip - flat)), vertex.lines, BODY)

    def _ground(self, style: str, across: float, begins: float) -> Iterator[Mark]:
        """Three bars that shrink: the end of a wire that is discarded."""
        for step in range(3):
            half, along = BAR * (1 - step / 3), begins + 2.4 * step
            yield self.line(style, (across - half, along), (across + half, along))

    def _cut(
        self, vertex: Vertex, across: float, begins: float, stops: float
    ) -> Iterator[Mark]:
        """Loose ends below, scissors in the gap, the uniform state above."""
        for place in vertex.enters:
            yield from self._ground("cut", across + place, begins)
        yield Circle(self.at(across, stops - 5.0), 5.0, "cut uniform")
        along, left = stops - 16.0, across - vertex.width / 2
        for side in (-1.0, 1.0):
            handle = (left + 2.5, along + 3.0 * side)
            tip = (left + 16.0, along - 3.0 * side)
            yield self.line("cut", (handle[0] + 2.0, along + 2.0 * side), tip)
            yield Circle(self.at(*handle), 2.2, "cut uniform")

    def _names(self, vertex: Vertex, across: float, stops: float) -> Iterator[Mark]:
        """Names beside the wires that leave a vertex, on their straight stretch."""
        level = vertex.level
        layer = self.layout.starts[level] + self.layout.heights[level]
        for place, name in zip(vertex.leaves, vertex.names, strict=False):
            if not name:
                continue
            if self.upright:
                spot = self.at(across + place + 3.5, layer + SMALL / 2 + 1.5)
            else:
                spot = self.at(across + place - SMALL / 2 - 1.5, layer + 3.0)
            yield Text(spot, (name,), SMALL, "start", slanted=True)

    def frame(self) -> Iterator[Mark]:
        """Dashed frame around what is normalised, wires sticking out at both ends."""
        inside = [
            (at, vertex)
            for at, vertex in enumerate(self.layout.vertices)
            if vertex.kind not in ("input", "output", "wire")
        ]
        spans = [self.span(at) for at, _ in inside] or [(0.0, 0.0)]
        begins, stops = min(a for a, _ in spans) - 8.0, max(b for _, b in spans) + 8.0
        ends = [(self.layout.across[at], vertex) for at, vertex in inside]
        left = min((at - vertex.width / 2 for at, vertex in ends), default=0.0) - 10.0
        right = max((at + vertex.room for at, vertex in ends), default=0.0) + 10.0
        word = "normalised"
        if self.upright:
            right = max(right, left + text_width(word, SMALL) + 12.0)
            spot = (right - 4.0, begins + SMALL / 2 + 2.0)
        else:
            right += SMALL
            spot = (right - SMALL / 2 - 2.0, stops - 4.0)
        corners = [(left, begins), (right, begins), (right, stops), (left, stops)]
        yield self.shape("frame", word, *corners)
        yield Text(self.at(*spot), (word,), SMALL, "end", slanted=True)
