"""Examples in docstrings run, and public functions have one."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import distcausal as dc

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(dc.__path__, "distcausal.")
    if not module.name.endswith("__main__")
)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PUBLIC = {name: getattr(dc, name) for name in dc.__all__ if name in dc._HOME}
PUBLIC |= {
    f"datasets.{name}": getattr(dc.datasets, name) for name in dc.datasets.__all__
}
EXAMPLES_NEEDED = [
    name
    for name, thing in PUBLIC.items()
    if inspect.isfunction(thing) or name == "RandomDistributions"
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_print_what_they_say(name: str) -> None:
    outcome = doctest.testmod(import_module(name), optionflags=OPTIONS)
    assert outcome.failed == 0


@pytest.mark.parametrize("name", EXAMPLES_NEEDED)
def test_a_public_function_has_an_example(name: str) -> None:
    assert ">>> " in inspect.getdoc(PUBLIC[name])


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is(name: str) -> None:
    first = import_module(name).__doc__.splitlines()[0]
    assert first.endswith((".", "?"))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_in_the_reference(name: str) -> None:
    lines = (ROOT / "docs" / "reference.md").read_text("utf-8").splitlines()
    assert f"   {name}" in lines


def test_the_reference_has_no_other_names() -> None:
    text = (ROOT / "docs" / "reference.md").read_text("utf-8")
    listed = {line.strip() for line in text.splitlines() if line.startswith("   ")}
    assert {name for name in listed if not name.startswith(":")} == set(PUBLIC)


def test_a_wrong_example_would_be_found() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test, out=lambda text: None).failed == 1
