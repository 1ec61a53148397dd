"""What the README promises is so: its commands, its example, its links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import distcausal as dc

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    "pip install . && python -m distcausal demo",
    'pip install ".[test]" && python -m pytest',
]
LINKS = re.findall(r"\]\(([^)]+)\)", README)


def test_there_are_exactly_two_set_up_commands() -> None:
    lines = [line for line in README.splitlines() if line.startswith("pip install")]
    assert lines == COMMANDS
    assert [body.strip() for language, body in BLOCKS if not language] == COMMANDS


def test_it_fits_on_a_screen_or_two() -> None:
    assert len(README.splitlines()) <= 70


def test_the_example_runs_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (example,) = [body for language, body in BLOCKS if language == "python"]
    monkeypatch.chdir(tmp_path)
    # Three counties make a state of the simulation; the 1st percentile of three is what
    # the warning is about, and the README's figure is of all percentiles.
    with pytest.warns(dc.DataWarning, match="too few observations"):
        exec(compile(example, "README.md", "exec"), {})
    assert "Distribution-Valued Regression Discontinuity" in capsys.readouterr().out
    assert (tmp_path / "effect.png").stat().st_size > 10_000


@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).is_file()


def test_the_continuous_integration_reads_the_commands_and_does_not_repeat_them() -> (
    None
):
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "README.md" in script
    assert "distcausal demo" not in script
    assert "pytest" not in script
