r"""Diagrams as TikZ code, for papers.

The code is one ``tikzpicture`` that needs nothing but ``\usepackage{tikz}``. Names are
escaped, so that no letter of theirs is an instruction to LaTeX; Greek letters become
mathematics, which every engine can print.
"""

from __future__ import annotations

import unicodedata

from distcausal.diagrams._picture import (
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

__all__ = ["escaped", "write_tikz"]

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{PRIME}": r"$'$",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
}
# what Unicode and LaTeX spell differently; omicron it lacks
GREEK = {"FINAL SIGMA": "varsigma", "LAMDA": "lambda", "OMICRON": ""}
# Greek capitals that LaTeX has a command for
CAPITALS = [
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
]


def write_tikz(diagram: Diagram, *, direction: str = "up") -> str:
    """Write one diagram; see `Diagram.to_tikz`."""
    drawn = picture(diagram, direction=direction)
    styles = [STYLES[mark.style] for mark in drawn.marks if not isinstance(mark, Text)]
    colours = dict.fromkeys(
        colour for style in styles for colour in (style.line, style.fill) if colour
    )
    lines = [r"\begin{tikzpicture}[x=1pt, y=1pt]"]
    lines += [
        rf"  \definecolor{{{_colour(each)}}}{{HTML}}{{{each[1:].upper()}}}"
        for each in colours
    ]
    lines += [f"  {_written(mark, drawn)}" for mark in drawn.marks]
    return "\n".join([*lines, r"\end{tikzpicture}"])


def escaped(name: str) -> str:
    """Write a name so that LaTeX prints it and does nothing else."""
    return "".join(map(_letter, name))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter == MISSING or not letter.isprintable():
        return "?"
    kind, _, greek = unicodedata.name(letter, "").partition(" LETTER ")
    command = GREEK.get(greek, greek.lower())
    if kind == "GREEK SMALL" and command.isalpha():
        return f"$\\{command}$"
    if kind == "GREEK CAPITAL" and command.capitalize() in CAPITALS:
        return f"$\\{command.capitalize()}$"
    return letter


def _colour(code: str) -> str:
    """Name of a colour, made of letters and digits."""
    return f"dc{code[1:]}"


def _written(mark: Mark, drawn: Picture) -> str:
    """One command, with the lower left corner of the picture at the origin."""

    def at(point: XY) -> str:
        return f"({_number(point[0] - drawn.left)},{_number(point[1] - drawn.bottom)})"

    if isinstance(mark, Text):
        return _node(mark, at(mark.at))
    look = _look(mark.style)
    if isinstance(mark, Circle):
        centre = at(mark.centre)
        return rf"\path[{look}] {centre} circle ({_number(mark.radius)}pt);"
    if isinstance(mark, Curve):
        path = at(mark.points[0])
        for start in range(1, len(mark.points), 3):
            one, two, end = map(at, mark.points[start : start + 3])
            path += f" .. controls {one} and {two} .. {end}"
        return rf"\path[{look}] {path};"
    corners = " -- ".join(map(at, mark.points))
    return rf"\path[{look}] {corners} -- cycle;"


def _node(mark: Text, spot: str) -> str:
    anchor = {"start": "west", "middle": "center", "end": "east"}[mark.anchor]
    shape = r"\itshape" if mark.slanted else ""
    size = rf"\fontsize{{{_number(mark.size)}}}{{{_number(mark.size + 2)}}}\selectfont"
    text = r" \\ ".join(map(escaped, mark.lines))
    look = f"anchor={anchor}, inner sep=0pt, align=center, font={{{size}{shape}}}"
    return rf"\node[{look}] at {spot} {{{text}}};"


def _look(name: str) -> str:
    """Style as options."""
    style = STYLES[name]
    look = [f"line width={_number(style.width)}pt", "line join=round"]
    look += [f"draw={_colour(style.line)}"] if style.line else []
    look += [f"fill={_colour(style.fill)}"] if style.fill else []
    dashes = "dash pattern=on 3.5pt off 2.5pt"
    return ", ".join([*look, dashes if style.dashed else "line cap=round"])


def _number(value: float) -> str:
    """Hundredths of a point, never in powers of ten, which TeX does not read."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
