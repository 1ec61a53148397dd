r"""LaTeX, HTML and Markdown of a results table.

Names of columns and units come from people's data and hold whatever they hold, so
every cell is escaped for the format it lands in. LaTeX needs more than its ten special
characters: after a line break ``[`` opens an optional argument and ``*`` is swallowed,
and ``< > |`` print as other signs in the default font encoding.

>>> print(escape_latex("share_% of [a|b]"))
share\_\% of {[}a\textbar{}b{]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from distcausal._base.table import Table

__all__ = ["escape_latex", "escape_markdown", "html", "latex", "markdown"]

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\n": " ",
    **{character: "\\" + character for character in "_%&#${}"},
}
_MINUS = re.compile(r"^-(?=[\d.]|inf$)")
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]#~$])")


def escape_latex(text: str) -> str:
    """Write text so that LaTeX prints it as it stands."""
    return "".join(_LATEX.get(character, character) for character in text)


def escape_markdown(text: str) -> str:
    """Write text so that Markdown prints it as it stands, in a cell of a table too."""
    return _MARKDOWN.sub(r"\\\1", text.replace("\n", " "))


def latex(table: Table) -> str:
    """Write a ``table`` environment with booktabs rules."""
    lines = [r"\begin{table}[htbp]", r"\centering"]
    lines += [rf"\caption{{{escape_latex(table.title)}}}", r"\par\smallskip"]
    if table.left or table.right:
        lines += [r"\begin{tabular}{lrlr}", r"\toprule"]
        lines += [_latex_row(cells) for cells in table.pair_rows()]
        lines += [r"\bottomrule", r"\end{tabular}", r"\par\medskip"]
    lines.append(rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}")
    lines += [r"\toprule", *_latex_groups(table), _latex_row(table.columns)]
    lines += [r"\midrule", *map(_latex_row, table.rows), r"\bottomrule"]
    lines.append(r"\end{tabular}")
    if table.notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"]
        lines += [rf"{note}\par" for note in map(escape_latex, _numbered(table.notes))]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}", ""])


def html(table: Table) -> str:
    """Write a block with one or two captioned tables and a list of notes."""
    title = escape(table.title)
    parts = ['<div class="distcausal-table">']
    if table.left or table.right:
        parts += ["<table>", f"<caption>{title}</caption>", "<tbody>"]
        parts += map(_html_pairs, table.pair_rows())
        parts += ["</tbody>", "</table>"]
        title += ": estimates"
    parts += ["<table>", f"<caption>{title}</caption>", *_html_head(table), "<tbody>"]
    for label, *cells in table.rows:
        shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        parts.append(f'<tr><th scope="row">{escape(label)}</th>{shown}</tr>')
    parts += ["</tbody>", "</table>"]
    if table.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
        parts.append(f"<p>Notes:</p><ol>{notes}</ol>")
    return "\n".join([*parts, "</div>"])


def markdown(table: Table) -> str:
    """Write pipe tables; headings of groups move into the names of their columns."""
    blocks = [f"**{escape_markdown(table.title)}**"]
    if table.left or table.right:
        pairs = map(_markdown_row, table.pair_rows())
        blocks.append("\n".join(["| | | | |", "| :-- | --: | :-- | --: |", *pairs]))
    rule = " | ".join([":--", *["--:"] * (len(table.columns) - 1)])
    rows = map(_markdown_row, table.rows)
    blocks.append("\n".join([_markdown_row(table.full_columns), f"| {rule} |", *rows]))
    if table.notes:
        notes = enumerate(map(escape_markdown, table.notes), start=1)
        blocks.append("\n".join(f"{place}. {note}" for place, note in notes))
    return "\n\n".join(blocks)


def _numbered(notes: Sequence[str]) -> Iterable[str]:
    return (f"[{place}] {note}" for place, note in enumerate(notes, start=1))


def _latex_row(cells: Sequence[str]) -> str:
    shown = (_MINUS.sub("$-$", escape_latex(cell)) for cell in cells)
    return " & ".join(shown) + r" \\"


def _latex_groups(table: Table) -> list[str]:
    """Line of headings over groups of columns, and the short rules below it."""
    if not table.groups:
        return []
    cells = [
        rf"\multicolumn{{{group.span}}}{{c}}{{{escape_latex(group.text)}}}"
        for group in table.stretches()
    ]
    rules = [
        rf"\cmidrule(lr){{{group.first + 1}-{group.first + group.span}}}"
        for group in table.groups
    ]
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _html_pairs(cells: tuple[str, str, str, str]) -> str:
    """One line of name-value pairs; a missing pair leaves plain empty cells."""
    shown = ""
    for name, value in (cells[:2], cells[2:]):
        heading = f'<th scope="row">{escape(name)}</th>' if name else "<td></td>"
        shown += f"{heading}<td>{escape(value)}</td>"
    return f"<tr>{shown}</tr>"


def _html_head(table: Table) -> list[str]:
    """Headings of columns, under the headings of their groups where there are any."""
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    if not table.groups:
        return ["<thead>", f"<tr>{cells}</tr>", "</thead>"]
    stretches = table.stretches()
    spans = "".join(f'<colgroup span="{group.span}"></colgroup>' for group in stretches)
    groups = "".join(
        f'<th scope="colgroup" colspan="{group.span}">{escape(group.text)}</th>'
        if group.text
        else f'<td colspan="{group.span}"></td>'
        for group in stretches
    )
    return [spans, "<thead>", f"<tr>{groups}</tr>", f"<tr>{cells}</tr>", "</thead>"]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape_markdown, cells)) + " |"
