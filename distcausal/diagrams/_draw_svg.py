"""Diagrams as SVG text, which notebooks and web pages show.

The text stands alone: no style sheet, no font file, no script. Names are escaped, and
the full name of a box that had to be shortened is its title, shown by browsers when
pointed at.
"""

from __future__ import annotations

from html import escape

from distcausal.diagrams._picture import (
    INK,
    STYLES,
    XY,
    Circle,
    Curve,
    Mark,
    Picture,
    Text,
    picture,
)
from distcausal.diagrams._text import MISSING
from distcausal.diagrams.diagram import Diagram

__all__ = ["write_svg"]

PIXEL = 96 / 72  # pixels of the web in a point; not all readers know other units
LOWER = 0.35  # of the size of letters, from the middle of a line down to its base
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


def write_svg(diagram: Diagram, *, direction: str = "up") -> str:
    """Write one diagram; see `Diagram.to_svg`."""
    drawn = picture(diagram, direction=direction)
    wide, tall = _number(drawn.width), _number(drawn.height)
    label = _safe(f"String diagram {diagram.dom} -> {diagram.cod}")
    marks = "\n".join(_written(mark, drawn) for mark in drawn.marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{_number(drawn.width * PIXEL)}" '
        f'height="{_number(drawn.height * PIXEL)}" '
        f'viewBox="0 0 {wide} {tall}" role="img" aria-label="{label}">\n{marks}\n</svg>'
    )


def _written(mark: Mark, drawn: Picture) -> str:
    """One element, with the page's y axis pointing down."""

    def at(point: XY) -> str:
        return f"{_number(point[0] - drawn.left)},{_number(drawn.top - point[1])}"

    if isinstance(mark, Text):
        return _lines(mark, drawn)
    look = _look(mark.style)
    if isinstance(mark, Circle):
        x, y = at(mark.centre).split(",")
        return f'<circle cx="{x}" cy="{y}" r="{_number(mark.radius)}" {look}/>'
    if isinstance(mark, Curve):
        start, *rest = map(at, mark.points)
        return f'<path d="M{start} C{" ".join(rest)}" {look}/>'
    corners = " ".join(map(at, mark.points))
    title = f"<title>{_safe(mark.title)}</title>"
    return f'<polygon points="{corners}" {look}>{title}</polygon>'


def _lines(mark: Text, drawn: Picture) -> str:
    """Write each line of text by itself, centred as a whole."""
    step = mark.size + 2.0
    x, middle = mark.at[0] - drawn.left, drawn.top - mark.at[1]
    first = middle - step * (len(mark.lines) - 1) / 2 + LOWER * mark.size
    slant = ' font-style="italic"' if mark.slanted else ""
    return "\n".join(
        f'<text x="{_number(x)}" y="{_number(first + step * row)}" fill="{INK}" '
        f'text-anchor="{mark.anchor}" font-size="{_number(mark.size)}" '
        f'font-family="{FONT}"{slant}>{_safe(line)}</text>'
        for row, line in enumerate(mark.lines)
    )


def _look(name: str) -> str:
    """Style as attributes."""
    style = STYLES[name]
    look = f'fill="{style.fill or "none"}" stroke="{style.line or "none"}"'
    look += f' stroke-width="{_number(style.width)}" stroke-linejoin="round"'
    if style.dashed:
        return look + ' stroke-dasharray="3.5 2.5"'
    return look + ' stroke-linecap="round"'


def _number(value: float) -> str:
    """Hundredths of a point, without zeros that say nothing."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _safe(name: str) -> str:
    """Escape a name; letters that XML has no room for are shown as missing."""
    return escape("".join(letter if _in_xml(letter) else MISSING for letter in name))


def _in_xml(letter: str) -> bool:
    """Whether XML 1.0 allows a letter."""
    if letter < " ":
        return letter in "\t\n\r"
    return not ("\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff")
