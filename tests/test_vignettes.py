"""Vignettes run as they stand, and what they say of their numbers is so.

The documentation is built from the same cells; here they run without Sphinx.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

pytestmark = pytest.mark.plots
FOLDER = Path(__file__).parent.parent / "vignettes"
CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"^:.*\n", re.MULTILINE)


# Independent points may leave a fit undetermined, which is what a vignette shows.
@pytest.mark.filterwarnings("ignore:the points of:distcausal.InferenceWarning")
@pytest.mark.parametrize(
    "name",
    [
        "fewer-evaluations",
        "survey-design",
        "string-diagram-surgery",
        "what-would-happen-if",
        pytest.param("where-does-it-work", marks=pytest.mark.slow),
        pytest.param("when-clusters-are-not-there", marks=pytest.mark.slow),
    ],
)
def test_a_vignette_runs_and_its_claims_hold(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    cells = [OPTIONS.sub("", cell) for cell in CELL.findall(text)]
    assert any("assert" in cell for cell in cells)
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    try:
        names: dict[str, object] = {}
        for number, cell in enumerate(cells):
            exec(compile(cell, f"{name}, cell {number}", "exec"), names)
    finally:
        from matplotlib import pyplot as plt

        plt.close("all")
        matplotlib.use(before)
