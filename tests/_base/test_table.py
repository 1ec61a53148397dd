"""A table shows the same cells in five formats, whatever people call their columns."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal._base.markup import escape_latex, escape_markdown
from distcausal._base.table import Group, Table, decimals, number, numbers, p_value

HOSTILE = r"a_b % & # $5 {x} ~ ^ \\ <i> | [1] *"
TABLE = Table(
    title="Wages and Hours",
    left=(("Method", "frechet"), ("Units", "212"), ("Kernel", "uniform")),
    right=(("Draws", "999"),),
    columns=("level", "effect", "low", "high"),
    rows=(("0.25", "-1.50", "-2.00", "-1.00"), ("0.50", "10.25", "9.00", "11.50")),
    groups=(Group("95% band", 2, 2),),
    notes=("A first note.", "A second."),
)
TEXT = """\
                               Wages and Hours
==============================================================================
Method:                       frechet   Draws:                             999
Units:                            212
Kernel:                       uniform
==============================================================================
                                                                      95% band
level                   effect                     low                    high
------------------------------------------------------------------------------
0.25                     -1.50                   -2.00                   -1.00
0.50                     10.25                    9.00                   11.50
==============================================================================

Notes:
[1] A first note.
[2] A second."""


def hostile(text: str = HOSTILE) -> Table:
    """A table with the same awkward text in every place that takes text."""
    return Table(
        title=text,
        left=((text, text),),
        columns=(text, text, "plain"),
        rows=((text, text, "-1.5"), ("[2] *", "*", "-inf")),
        groups=(Group(text, 1, 1),),
        notes=(text,),
    )


class Outline(HTMLParser):
    """Tags in order, attributes by tag, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.closed: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.opened.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self.closed.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_text_has_the_familiar_layout():
    assert str(TABLE) == TEXT


def test_a_table_at_the_prompt_is_its_text():
    assert repr(TABLE) == TEXT


def test_text_widens_for_long_cells_and_stays_rectangular():
    table = Table(
        title="t",
        left=(("a name that goes on and on and on", "a value that does so too"),),
        right=(("another long name over here", "with another value"),),
        columns=("level", *(f"column {place}" for place in range(12))),
        rows=(("0.5", *["123456.789"] * 12),),
    )
    lines = str(table).splitlines()
    width = len(lines[1])
    assert width > 78
    assert {len(line) for line in lines[1:]} == {width}


@given(
    st.lists(st.text("abc .", min_size=1, max_size=60), min_size=1, max_size=5),
    st.integers(1, 9),
)
def test_no_line_of_text_is_wider_than_its_rules(names, count):
    pairs = tuple((name, name[::-1]) for name in names)
    rows = tuple((name, *["0.123"] * count) for name in names)
    columns = ("level", *["effect"] * count)
    table = Table(title="t", columns=columns, rows=rows, left=pairs, notes=tuple(names))
    lines = str(table).splitlines()
    assert max(map(len, lines)) == len(lines[1]) >= 78


def test_csv_reads_back_as_the_coefficient_table():
    read = list(csv.reader(io.StringIO(hostile().as_csv())))
    assert read[1:] == [list(row) for row in hostile().rows]
    assert read[0] == [HOSTILE, f"{HOSTILE}, {HOSTILE}", "plain"]


def test_markdown_rows_have_one_cell_per_column():
    lines = hostile().as_markdown().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows[3:]}
    assert bars == {4}


def test_markdown_escapes_everything_it_would_read_as_its_own():
    assert escape_markdown(r"a_b*c|d`\<e>") == r"a\_b\*c\|d\`\\\<e\>"


def test_html_names_its_tables_and_the_scope_of_every_heading():
    outline = Outline(TABLE.as_html())
    tags = [tag for tag, _ in outline.opened]
    assert tags.count("table") == tags.count("caption") == 2
    scopes = [attrs.get("scope") for tag, attrs in outline.opened if tag == "th"]
    assert set(scopes) == {"row", "col", "colgroup"}
    assert scopes.count("colgroup") == 1
    assert sorted(tags) == sorted(outline.closed)
    assert "script" not in tags


def test_html_cells_fill_every_column_of_the_group_line():
    spans = [
        int(attrs["colspan"])
        for _, attrs in Outline(TABLE.as_html()).opened
        if "colspan" in attrs
    ]
    assert sum(spans) == len(TABLE.columns)


def test_html_shows_hostile_text_as_text():
    outline = Outline(hostile("<script>alert('x')</script>").as_html())
    assert "script" not in {tag for tag, _ in outline.opened}
    assert "<script>alert('x')</script>" in "".join(outline.words)


def test_latex_escapes_each_special_character():
    assert escape_latex("_%&#${}") == r"\_\%\&\#\$\{\}"
    assert escape_latex("~^\\") == (
        r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_latex_lines_never_open_an_optional_argument():
    body = hostile().as_latex().split(r"\toprule")[-1]
    assert not re.search(r"(\\\\|rule)\s*[\[*]", body)


def test_latex_sets_negative_numbers_with_a_minus_sign():
    latex = TABLE.as_latex()
    assert "$-$1.50" in latex
    assert "-1.50" not in latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_with_hostile_names(tmp_path: Path):
    document = "\n".join(
        [
            r"\documentclass{article}\usepackage{booktabs}\begin{document}",
            hostile().as_latex(),
            TABLE.as_latex(),
            r"\end{document}",
        ]
    )
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


@given(st.floats(1e-6, 1e5))
def test_decimals_show_three_digits(scale):
    places = decimals(scale)
    assert 0 <= places <= 8
    shown = number(scale, places)
    assert abs(float(shown) - scale) <= 0.005 * scale * (1 + 1e-9) + 0.5


def test_decimals_of_known_sizes():
    assert [decimals(x) for x in (0.0123, 0.5, 4.0, 250.0, 3e4)] == [4, 3, 2, 0, 0]
    assert decimals(0.0) == decimals(math.inf) == 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.0001, "0.00"),
        (-0.5, "-0.50"),
        (math.nan, ""),
        (-math.inf, "-inf"),
        (2.5e12, "2.5e+12"),
    ],
)
def test_numbers_are_written_plainly(value, shown):
    assert numbers([value], 2) == (shown,)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "<0.001"), (0.00049, "<0.001"), (0.0005, "0.001"), (1.0, "1.000")],
)
def test_no_p_value_is_shown_as_zero(value, shown):
    assert p_value(value) == shown
