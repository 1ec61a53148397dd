"""A results table: what a summary shows, whatever format it is shown in.

Econometricians read one layout without thinking: a title, name-value pairs in two
columns, a coefficient table, numbered notes, on 78 columns. The text form keeps it.
It is written here because the library known for it takes two seconds to import, and
printing a result should cost nothing.

Cells are finished strings: whoever builds a table decides the digits, so all formats
show the same numbers, and rendering only places and escapes them.
"""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

__all__ = ["Group", "Pairs", "Table", "decimals", "number", "numbers", "p_value"]

WIDTH = 78
_GUTTER = 3  # between the two columns of name-value pairs
_GAP = 2  # least space before a column of numbers
_MOST_DECIMALS = 8
_MOST_DIGITS = 1e9  # numbers from here on are written as powers of ten

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Group:
    """A heading over several neighbouring columns.

    Attributes
    ----------
    text
        The heading; empty where a stretch of columns has none.
    first
        Position of its first column, counted from 0 at the column of row labels.
    span
        How many columns it covers.
    """

    text: str
    first: int
    span: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Table:
    """A results table, printed as text and written in four other formats.

    Attributes
    ----------
    title
        One line, centred above the table; the caption elsewhere.
    columns
        Headings; the first belongs to the row labels.
    rows
        Cells as strings, one tuple per row, as long as ``columns``.
    left, right
        Name-value pairs of the block above the coefficient table.
    groups
        Headings over several columns, in order and without overlap.
    notes
        Sentences at the foot, numbered in brackets.

    Examples
    --------
    >>> from distcausal._base.table import Table
    >>> table = Table(
    ...     title="Demo",
    ...     left=(("Units", "12"),),
    ...     columns=("level", "effect"),
    ...     rows=(("0.5", "1.25"),),
    ... )
    >>> print(table.as_csv(), end="")
    level,effect
    0.5,1.25
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: Pairs = ()
    right: Pairs = ()
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    @property
    def full_columns(self) -> tuple[str, ...]:
        """Column headings with the heading of their group in front."""
        prefix = [
            f"{group.text}, " if group.text else ""
            for group in self.stretches()
            for _ in range(group.span)
        ]
        return tuple(map("".join, zip(prefix, self.columns, strict=True)))

    def stretches(self) -> list[Group]:
        """Cover every column: the groups and the stretches between them."""
        found, position = [], 0
        for group in (*self.groups, Group("", len(self.columns), 0)):
            if group.first > position:
                found.append(Group("", position, group.first - position))
            if group.span:
                found.append(group)
            position = group.first + group.span
        return found

    def pair_rows(self) -> list[tuple[str, str, str, str]]:
        """Name-value pairs side by side, names with a colon, gaps left empty."""
        return [
            (
                f"{left[0]}:" * bool(left[0]),
                left[1],
                f"{right[0]}:" * bool(right[0]),
                right[1],
            )
            for left, right in zip_longest(self.left, self.right, fillvalue=("", ""))
        ]

    def as_text(self) -> str:
        """Lay the table out on 78 columns, or on more where the cells need them."""
        pairs = self.pair_rows()
        halves = _half_widths(pairs)
        cells = [
            max(map(len, column))
            for column in zip(self.columns, *self.rows, strict=True)
        ]
        width = max(WIDTH, sum(halves) + _GUTTER, sum(cells) + _GAP * (len(cells) - 1))
        widths = _stretched(cells, width)
        double = "=" * width
        lines = [self.title.center(width).rstrip(), double]
        if pairs:
            halves = (halves[0], width - _GUTTER - halves[0])
            lines += [*(_pair_line(row, halves) for row in pairs), double]
        if self.groups:
            lines.append(_group_line(self.stretches(), widths))
        lines += [_line(self.columns, widths), "-" * width]
        lines += [*(_line(row, widths) for row in self.rows), double]
        return "\n".join([*lines, *_note_lines(self.notes, width)])

    def as_latex(self) -> str:
        """Write a ``table`` environment that needs only the LaTeX package booktabs."""
        from distcausal._base.markup import latex

        return latex(self)

    def as_html(self) -> str:
        """Write captioned HTML tables with the scope of every heading, no scripts."""
        from distcausal._base.markup import html

        return html(self)

    def as_markdown(self) -> str:
        """Write pipe tables under a bold title, the notes as a numbered list."""
        from distcausal._base.markup import markdown

        return markdown(self)

    def as_csv(self) -> str:
        """Write the coefficient table alone: a line of headings, a line per row."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.full_columns)
        writer.writerows(self.rows)
        return text.getvalue()


def decimals(scale: float, digits: int = 3) -> int:
    """Decimals that show a number of this size to so many digits, from 0 to 8."""
    if not (math.isfinite(scale) and scale > 0):
        return digits
    return min(max(digits - 1 - math.floor(math.log10(scale)), 0), _MOST_DECIMALS)


def number(value: float, places: int) -> str:
    """Write one number with so many decimals; empty where it is not a number."""
    if math.isnan(value):
        return ""
    if abs(value) >= _MOST_DIGITS and math.isfinite(value):
        return f"{value:.4g}"
    shown = f"{value:.{places}f}"
    return shown if float(shown) else shown.lstrip("-")


def numbers(values: Iterable[float], places: int) -> tuple[str, ...]:
    """Write a column of numbers with the same decimals."""
    return tuple(number(float(value), places) for value in values)


def p_value(value: float) -> str:
    """Write a p-value to three decimals, and never as zero."""
    return "<0.001" if value < 0.0005 else number(value, 3)


def _half_widths(pairs: list[tuple[str, str, str, str]]) -> tuple[int, int]:
    """Widths of the two columns of pairs: even ones where the texts allow."""
    if not pairs:
        return 0, 0
    least = (WIDTH - _GUTTER) // 2
    left = max(len(name) + 1 + len(value) for name, value, _, _ in pairs)
    right = max(len(name) + 1 + len(value) for _, _, name, value in pairs)
    return max(left, min(least, WIDTH - _GUTTER - right)), right


def _pair_line(row: tuple[str, str, str, str], halves: tuple[int, int]) -> str:
    """Two name-value pairs, the values flush right in their halves."""
    sides = ((row[0], row[1], halves[0]), (row[2], row[3], halves[1]))
    shown = [name + value.rjust(width - len(name)) for name, value, width in sides]
    return (" " * _GUTTER).join(shown).rstrip()


def _stretched(cells: list[int], width: int) -> list[int]:
    """Column widths, gaps included, that fill the line; the rest goes to the labels."""
    if len(cells) == 1:
        return [width]
    gap = (width - sum(cells)) // (len(cells) - 1)
    widths = [cells[0], *(cell + gap for cell in cells[1:])]
    widths[0] += width - sum(widths)
    return widths


def _line(cells: Sequence[str], widths: list[int]) -> str:
    """One row: the label flush left, numbers flush right."""
    label, *rest = cells
    shown = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
    return (label.ljust(widths[0]) + "".join(shown)).rstrip()


def _group_line(stretches: list[Group], widths: list[int]) -> str:
    """Headings of groups, flush right over the columns they cover."""
    return "".join(
        group.text.rjust(sum(widths[group.first : group.first + group.span]))
        for group in stretches
    ).rstrip()


def _note_lines(notes: tuple[str, ...], width: int) -> list[str]:
    """Number the notes in brackets and wrap them to the width of the table."""
    if not notes:
        return []
    shown = [
        textwrap.fill(f"[{place}] {note}", width, subsequent_indent=" " * 4)
        for place, note in enumerate(notes, start=1)
    ]
    return ["", "Notes:", *shown]
