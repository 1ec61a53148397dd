"""Importing and using the package is light and leaves the process as it was."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import distcausal as dc

ROOT = Path(__file__).parent.parent
HEAVY = (
    "jax",
    "jaxlib",
    "pandas",
    "scipy.stats",
    "statsmodels",
    "numpyro",
    "networkx",
    "matplotlib",
    "equinox",
    "optax",
)

STATE = """
import json, random, sys, warnings
import numpy as np, jax, matplotlib, pandas, scipy.stats, polars, pyarrow
import matplotlib.pyplot, tqdm, narwhals

def state():
    jax_flags = {k: v for k, v in jax.config.values.items()}
    return {
        "jax": json.dumps(jax_flags, default=str, sort_keys=True),
        "errors": repr(np.geterr()),
        "printing": repr(np.get_printoptions()),
        "numpy generator": repr(np.random.get_state(legacy=False)["state"]),
        "python generator": hash(random.getstate()),
        "filters": repr(warnings.filters),
        "rcParams": repr(dict(matplotlib.rcParams)),
        "figures open": matplotlib.pyplot.get_fignums(),
        "pandas": repr(pandas.get_option("display.max_rows")),
    }

before = state()
import distcausal as dc
"""
COMPARE = """
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
CALLS = """
for name in dc.__all__:
    getattr(dc, name)
sim = dc.datasets.make_r3d(n=160, draws=8, seed=1)
frame = sim.frame
data = dc.RandomDistributions.from_frame(
    frame, unit=sim.unit, value=sim.value, columns=[sim.running]
)
chosen = dc.r3d_bandwidth(data, running=sim.running)
fit = dc.r3d(
    data, running=sim.running, bandwidth=chosen, levels=np.linspace(0.1, 0.9, 9)
)
table = dc.nullity_test(fit), dc.homogeneity_test(fit)
dc.functional_effect(fit, "mean")
fit.summary(), fit.tidy(), fit.glance(), fit.to_latex(), fit.to_markdown()
fit._repr_html_(), fit.describe(), fit.cite(), fit.plot_data()
str(fit.summary()), chosen.summary()
matplotlib.pyplot.close(fit.plot().figure)
dc.session_info(), dc.cite()
dc.datasets.close_elections(seed=1)
try:
    dc.RandomDistributions.from_samples([])
except dc.DataError:
    pass
"""


def run(code: str) -> str:
    """Output of a fresh interpreter, which must end without error or warning."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_after(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(run(code).splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import distcausal").isdisjoint(HEAVY)


def test_looking_at_the_names_loads_nothing_heavy() -> None:
    statement = "import distcausal; dir(distcausal); distcausal.__version__"
    assert loaded_after(statement).isdisjoint(HEAVY)


def test_a_fit_loads_only_what_it_needs() -> None:
    loaded = loaded_after(
        "import numpy as np, distcausal as dc; "
        "g = np.random.default_rng(0); x = g.uniform(-1, 1, 120); "
        "d = dc.RandomDistributions.from_samples("
        "g.normal(x[:, None], 1, (120, 5)), columns={'x': x}); "
        "dc.r3d(d, running='x', levels=[0.25, 0.5, 0.75])"
    )
    assert "jax" in loaded
    assert loaded.isdisjoint(
        {"matplotlib", "networkx", "numpyro", "statsmodels", "scipy.stats", "pandas"}
    )


def test_importing_the_package_takes_less_than_a_tenth_of_a_second() -> None:
    code = (
        "import time; start = time.perf_counter(); import distcausal; "
        "print(time.perf_counter() - start)"
    )
    # The best of five: the bound is about the package, not about a busy machine.
    assert min(float(run(code)) for _ in range(5)) < 0.1


def test_importing_every_module_changes_nothing_global() -> None:
    code = (
        "import pkgutil, importlib\n"
        "for found in pkgutil.walk_packages(dc.__path__, 'distcausal.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "from jax._src import xla_bridge\n"
        "assert not xla_bridge.backends_are_initialized()\n"
    )
    assert json.loads(run(STATE + code + COMPARE)) == []


def test_public_calls_change_nothing_global() -> None:
    assert json.loads(run(STATE + CALLS + COMPARE)) == []


def test_global_changes_would_be_seen() -> None:
    changes = {
        "jax": "jax.config.update('jax_enable_x64', True)",
        "errors": "np.seterr(all='ignore')",
        "printing": "np.set_printoptions(precision=3)",
        "numpy generator": "np.random.rand()",
        "python generator": "random.random()",
        "filters": "warnings.simplefilter('ignore')",
        "rcParams": "matplotlib.rcParams['font.size'] = 3",
        "figures open": "matplotlib.pyplot.figure()",
        "pandas": "pandas.set_option('display.max_rows', 7)",
    }
    assert set(json.loads(run(STATE + "\n".join(changes.values()) + COMPARE))) == set(
        changes
    )


def test_the_stub_names_what_the_package_offers() -> None:
    stub = ast.parse((ROOT / "distcausal" / "__init__.pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.asname: node.module for node in imports for alias in node.names}
    rooms = {name for name, home in homes.items() if home == "distcausal"}
    assert {name: home for name, home in homes.items() if name not in rooms} == dc._HOME
    assert rooms == set(dc._ROOMS)


@pytest.mark.parametrize("name", dc.__all__)
def test_every_public_name_can_be_fetched_and_documents_itself(name: str) -> None:
    assert getattr(dc, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'r4d'"):
        dc.r4d  # noqa: B018


def test_versions_agree_wherever_they_are_written() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version: {dc.__version__}\n" in citation
    assert f"version = {{{dc.__version__}}}" in dc.cite()
    assert dc.session_info().to_dict()["distcausal"] == dc.__version__
    assert f"\n## {dc.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_session_info_says_the_same_in_every_form() -> None:
    info = dc.session_info()
    assert info.to_dict()["numpy"] == np.__version__
    for name, fact in info.to_dict().items():
        assert name in str(info)
        assert f"| {name} | {fact} |" in info.to_markdown()


def test_cached_compilations_are_written_where_asked(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    run(
        f"import distcausal as dc, jax; dc.cache_compilations({str(folder)!r}); "
        "jax.jit(lambda x: x + 1)(1.0)"
    )
    assert list(folder.iterdir())


def test_a_file_is_not_a_cache_folder(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    file.touch()
    with pytest.raises(dc.DesignError, match="is a file"):
        dc.cache_compilations(file)


def test_citing_an_unknown_method_lists_those_there_are() -> None:
    with pytest.raises(dc.DesignError, match="'r3d'"):
        dc.cite("r4d")


def test_every_cited_work_is_in_the_bibliography() -> None:
    assert dc.cite().count("\n@") >= 3
    assert dc.cite().startswith("@software{distcausal,")
