"""Diagrams drawn with matplotlib, one at a time or as the steps of a derivation.

Nothing here reads or changes matplotlib's settings. Letters grow and shrink with the
picture, so that names stay inside their boxes whatever the size of the axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from distcausal.diagrams._picture import (
    EDGE,
    INK,
    STYLES,
    Circle,
    Curve,
    Picture,
    Polygon,
    Style,
    Text,
    picture,
)
from distcausal.diagrams._text import text_width
from distcausal.diagrams.diagram import Diagram
from distcausal.errors import DesignError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_diagram", "draw_steps"]

POINTS = 72.0  # per inch
HEAD, GAP, LEAST = 9.0, 16.0, 120.0  # letters of titles, between panels, least width
WIDEST = 3  # panels in a row
DASH = (3.5, 2.5)  # in widths of the line
AXIS = "#4d4d4d"


def draw_diagram(
    diagram: Diagram, *, ax: Axes | None = None, direction: str = "up"
) -> Axes:
    """Draw one diagram; see `Diagram.draw`."""
    drawn = picture(diagram, direction=direction)
    if ax is None:
        from matplotlib import pyplot as plt

        size = (drawn.width / POINTS, drawn.height / POINTS)
        ax = plt.figure(figsize=size).add_axes((0.0, 0.0, 1.0, 1.0))
    _render(ax, drawn)
    return ax


def draw_steps(
    steps: Sequence[tuple[Diagram, str]],
    *,
    direction: str = "up",
    columns: int = WIDEST,
) -> Figure:
    """Draw diagrams as numbered panels, all to one scale.

    Parameters
    ----------
    steps
        Diagrams with what is written above each.
    direction
        ``"up"`` or ``"right"``, as for `Diagram.draw`.
    columns
        Most panels in a row.

    Raises
    ------
    DesignError
        If there is no step.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.diagrams._draw import draw_steps
    >>> graph = dc.CausalGraph.from_edges("S->T")
    >>> before = graph.diagram()
    >>> figure = draw_steps([(before, "before"), (before.cut("T"), "cut(T)")])
    >>> len(figure.axes)
    2
    """
    if not steps:
        raise DesignError("there are no steps to draw; give at least one diagram.")
    from matplotlib import pyplot as plt

    cells = [
        _cell(picture(diagram, direction=direction), title) for diagram, title in steps
    ]
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    width = max(sum(drawn.width for drawn, _ in row) for row in rows)
    tall = [max(drawn.height for drawn, _ in row) for row in rows]
    figure = plt.figure(figsize=(width / POINTS, sum(tall) / POINTS))
    top = sum(tall)
    for row, height in zip(rows, tall, strict=True):
        left = 0.0
        for drawn, lines in row:
            # pictures of a row stand on one line, titles hang from another
            spot = (left / width, (top - height) / sum(tall))
            size = (drawn.width / width, height / sum(tall))
            ax = figure.add_axes((*spot, *size))
            _render(ax, replace(drawn, top=drawn.bottom + height))
            head = Text(
                (drawn.left + EDGE, drawn.bottom + height - _tall(lines) / 2 - 4.0),
                lines,
                HEAD,
                "start",
            )
            _text(ax, head, 1.0, AXIS)
            left += drawn.width
        top -= height
    return figure


def _cell(drawn: Picture, title: str) -> tuple[Picture, tuple[str, ...]]:
    """Picture with room for its title above it, and the lines of the title."""
    letters = max(int(max(drawn.width, LEAST) / (0.55 * HEAD)), 12)
    parts = (wrap(part, max(letters, 22)) for part in title.split("\n"))
    lines = tuple(line for part in parts for line in part) or ("",)
    wide = max(text_width(line, HEAD) for line in lines) + 2 * EDGE
    more = max(0.0, wide - drawn.width) / 2
    room = replace(
        drawn,
        left=drawn.left - more - GAP / 2,
        right=drawn.right + more + GAP / 2,
        top=drawn.top + _tall(lines) + 8.0,
    )
    return room, lines


def _tall(lines: Sequence[str]) -> float:
    return len(lines) * (HEAD + 2.5)


def _render(ax: Axes, drawn: Picture) -> None:
    """Put the marks on axes, whose scale they share in both directions."""
    ax.set_axis_off()
    ax.set_xlim(drawn.left, drawn.right)
    ax.set_ylim(drawn.bottom, drawn.top)
    ax.set_aspect("equal", adjustable="box")
    pixels = min(ax.bbox.width / drawn.width, ax.bbox.height / drawn.height)
    scale = POINTS * pixels / ax.figure.dpi
    for layer, mark in enumerate(drawn.marks):
        if isinstance(mark, Text):
            _text(ax, mark, scale, INK, zorder=2.0 + layer / len(drawn.marks))
        else:
            ax.add_patch(_patch(mark, scale, 2.0 + layer / len(drawn.marks)))


def _patch(mark: Curve | Polygon | Circle, scale: float, zorder: float) -> Any:
    """Artist of a mark that is no text."""
    from matplotlib import patches
    from matplotlib.path import Path

    look = _look(STYLES[mark.style], scale) | {"zorder": zorder}
    if isinstance(mark, Circle):
        return patches.Circle(mark.centre, mark.radius, **look)
    if isinstance(mark, Polygon):
        return patches.Polygon(mark.points, closed=True, joinstyle="round", **look)
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(mark.points) - 1)
    path = Path(mark.points, codes)
    cap = "butt" if STYLES[mark.style].dashed else "round"
    return patches.PathPatch(path, capstyle=cap, joinstyle="round", **look)


def _look(style: Style, scale: float) -> dict[str, Any]:
    """Style in the words of matplotlib."""
    return {
        "facecolor": style.fill or "none",
        "edgecolor": style.line or "none",
        "linewidth": style.width * scale,
        "linestyle": (0, DASH) if style.dashed else "solid",
    }


def _text(
    ax: Axes, mark: Text, scale: float, colour: str, *, zorder: float = 3.0
) -> None:
    """Write lines, as they are: no letter of a name is an instruction."""
    anchor = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
    ax.text(
        *mark.at,
        "\n".join(mark.lines),
        fontsize=mark.size * scale,
        ha=anchor,
        va="center",
        color=colour,
        style="italic" if mark.slanted else "normal",
        linespacing=1.1,
        parse_math=False,
        usetex=False,
        zorder=zorder,
    )
