"""Imports point downwards: rdd -> data -> numerics -> _base, errors.

Read from the source by ``ast``, so an import that hides inside a function counts too:
knowing about a room above is the fault, whenever it happens. What costs time to load
is judged apart: it may be imported inside functions, never on the way in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "distcausal"
FLOOR = {
    "_base": 0,
    "errors": 0,
    "numerics": 1,
    "data": 2,
    "rdd": 3,
    "design": 3,
    "images": 3,
    "diagrams": 3,
    "datasets": 4,
    "__init__": 5,
    "_cli": 6,
    "__main__": 7,
}
HEAVY = {
    "arviz",
    "equinox",
    "matplotlib",
    "networkx",
    "numpyro",
    "optax",
    "pandas",
    "polars",
    "pyarrow",
    "scipy.stats",
    "statsmodels",
    "tqdm",
}


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Full names of the modules an import statement below ``tree`` mentions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def run_on_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements executed when the module is imported, guards for typing left out."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            waiting += _blocks(node)


def _blocks(node: ast.stmt) -> list[ast.stmt]:
    """Statements directly inside a compound statement, handlers of `try` included."""
    inside = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    inside += [handler.body for handler in getattr(node, "handlers", [])]
    return [part for block in inside if isinstance(block, list) for part in block]


def faults(package: Path) -> list[str]:
    """Every import that breaks a rule, as ``file imports module``."""
    found = []
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        home = ".".join([package.name, *parts[:-1]])
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known = [name for name in imported(tree, home) if not _allowed(parts[0], name)]
        loaded = [
            name
            for statement in run_on_import(tree)
            for name in imported(statement, home)
            if name not in known and _heavy(name)
        ]
        found += [f"{'/'.join(parts)} imports {name}" for name in known + loaded]
    return found


def _allowed(room: str, name: str) -> bool:
    """Whether a room may know about a module at all."""
    top, _, rest = name.partition(".")
    if top != PACKAGE.name:
        return room != "numerics" or not (_heavy(name) or top == "narwhals")
    target = rest.split(".")[0]
    target = target if target in FLOOR else "__init__"
    on_the_ground = FLOOR[room] == FLOOR[target] == 0
    return target == room or FLOOR[target] < FLOOR[room] or on_the_ground


def _heavy(name: str) -> bool:
    return any(f"{name}.".startswith(f"{heavy}.") for heavy in HEAVY)


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"}
    rooms |= {
        path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }
    assert rooms <= set(FLOOR)


def test_imports_only_point_downwards_and_load_nothing_heavy() -> None:
    assert faults(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("numerics/band.py", "from distcausal.data import units"),
        ("_base/table.py", "import distcausal.rdd.result"),
        ("rdd/core.py", "from distcausal import design"),
        ("data/build.py", "from ..rdd import api"),
        ("data/build.py", "import distcausal"),
        ("data/build.py", "def f():\n    from distcausal.rdd.api import r3d"),
        ("rdd/result.py", "import pandas as pd"),
        ("rdd/result.py", "from scipy import stats"),
        ("rdd/result.py", "class A:\n    import matplotlib.pyplot as plt"),
        ("rdd/result.py", "try:\n    import tqdm\nexcept ImportError:\n    pass"),
        ("numerics/band.py", "def f():\n    import pandas"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str) -> None:
    source = tmp_path / "distcausal" / file
    source.parent.mkdir(parents=True)
    source.write_text(line, encoding="utf-8")
    assert len(faults(tmp_path / "distcausal")) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("rdd/core.py", "from distcausal.numerics.kernel import moments"),
        ("rdd/core.py", "from . import bandwidth"),
        ("_base/keys.py", "from distcausal.errors import DataError"),
        ("rdd/result.py", "def f():\n    import pandas"),
        ("rdd/result.py", "if TYPE_CHECKING:\n    import pandas"),
        ("rdd/core.py", "from scipy import linalg"),
    ],
)
def test_a_right_import_is_let_through(tmp_path: Path, file: str, line: str) -> None:
    source = tmp_path / "distcausal" / file
    source.parent.mkdir(parents=True)
    source.write_text(line, encoding="utf-8")
    assert faults(tmp_path / "distcausal") == []
