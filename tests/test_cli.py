"""The command line estimates from files, writes what it says and explains mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import distcausal as dc
from distcausal._cli import main

LEVELS = "0.1,0.3,0.5,0.7,0.9"
GRID = [0.1, 0.3, 0.5, 0.7, 0.9]
COLUMNS = ["--unit", "unit", "--value", "y", "--running", "x"]
ROUNDING = 1e-9  # older versions of pandas read the last binary digit of text wrongly
WRITTEN = {f"effect.{suffix}" for suffix in ("csv", "txt", "tex", "md", "png", "pdf")}


@pytest.fixture(scope="module")
def sharp() -> dc.datasets.Simulation:
    return dc.datasets.make_r3d(n=200, draws=12, delta=3.0, seed=3)


@pytest.fixture(scope="module")
def frame(sharp: dc.datasets.Simulation) -> pd.DataFrame:
    rows = sharp.frame.copy()
    rng = np.random.default_rng(0)
    rows["votes"] = rng.integers(1, 9, len(rows))
    rows["state"] = rows["unit"] % 25
    return rows


@pytest.fixture
def csv(frame: pd.DataFrame, tmp_path: Path) -> Path:
    frame.to_csv(tmp_path / "units.csv", index=False)
    return tmp_path / "units.csv"


def estimate(file: Path, out: Path, *more: str) -> pd.DataFrame:
    """Table of effects that a successful run wrote."""
    code = main(
        ["r3d", str(file), *COLUMNS, "--levels", LEVELS, "--out", str(out), *more]
    )
    assert code == 0
    return pd.read_csv(out / "effect.csv")


def test_it_writes_the_numbers_that_python_gives(
    sharp: dc.datasets.Simulation, csv: Path, tmp_path: Path
) -> None:
    table = estimate(csv, tmp_path)
    fit = dc.r3d(sharp.data, running="x", levels=GRID)
    assert_allclose(table["estimate"], fit.effect, rtol=ROUNDING)
    assert_allclose(table["band_low"], fit.band()[0], rtol=ROUNDING)


def test_csv_and_parquet_give_the_same(
    frame: pd.DataFrame, csv: Path, tmp_path: Path
) -> None:
    frame.to_parquet(tmp_path / "units.parquet")
    frame.to_csv(tmp_path / "units.tsv", index=False, sep="\t")
    one = estimate(csv, tmp_path / "a")
    for number, file in enumerate(("units.parquet", "units.tsv")):
        same = estimate(tmp_path / file, tmp_path / str(number))
        pd.testing.assert_frame_equal(one, same, rtol=ROUNDING)


def test_every_option_reaches_the_estimate(
    frame: pd.DataFrame, csv: Path, tmp_path: Path
) -> None:
    table = estimate(
        csv,
        tmp_path,
        *("--weight", "votes", "--cluster", "state", "--cutoff", "0.05"),
        *("--method", "pointwise", "--order", "1", "--pilot-order", "0"),
        *("--kernel", "uniform", "--bandwidth", "0.5,0.6", "--draws", "199"),
        *("--seed", "4", "--quantile-rule", "inverse", "--confidence", "0.9"),
    )
    data = dc.RandomDistributions.from_frame(
        frame,
        unit="unit",
        value="y",
        weight="votes",
        columns=["x", "state"],
        quantile_rule="inverse",
    )
    fit = dc.r3d(
        data,
        running="x",
        cutoff=0.05,
        cluster="state",
        levels=GRID,
        method="pointwise",
        order=1,
        pilot_order=0,
        kernel="uniform",
        bandwidth=(0.5, 0.6),
        inference=dc.MultiplierBootstrap(draws=199),
        seed=4,
    )
    pd.testing.assert_frame_equal(table, fit.tidy(0.9), rtol=ROUNDING)


def test_selector_and_single_bandwidth_reach_the_estimate(
    sharp: dc.datasets.Simulation, csv: Path, tmp_path: Path
) -> None:
    table = estimate(csv, tmp_path, "--selector", "cer-imse")
    fit = dc.r3d(sharp.data, running="x", levels=GRID, selector="cer-imse")
    assert_allclose(table["estimate"], fit.effect, rtol=ROUNDING)
    table = estimate(csv, tmp_path, "--bandwidth", "0.7")
    fit = dc.r3d(sharp.data, running="x", levels=GRID, bandwidth=0.7)
    assert_allclose(table["estimate"], fit.effect, rtol=ROUNDING)


def test_a_treatment_makes_it_fuzzy(tmp_path: Path) -> None:
    sim = dc.datasets.make_r3d(n=300, draws=12, first_stage=0.8, seed=3)
    sim.frame.to_csv(tmp_path / "units.csv", index=False)
    table = estimate(tmp_path / "units.csv", tmp_path, "--treatment", "t")
    fit = dc.r3d(sim.data, **sim.roles, levels=GRID)
    assert fit.first_stage is not None
    assert_allclose(table["estimate"], fit.effect, rtol=ROUNDING)


def test_missing_values_are_dropped_on_request(
    frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    holes = frame.copy()
    holes.loc[[0, 5], "y"] = np.nan
    file = tmp_path / "holes.csv"
    holes.to_csv(file, index=False)
    assert main(["r3d", str(file), *COLUMNS, "--out", str(tmp_path)]) == 2
    assert "missing" in capsys.readouterr().err
    estimate(file, tmp_path, "--missing", "drop")


def test_the_answer_goes_to_standard_output_and_files_to_the_folder(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    estimate(csv, tmp_path / "out")
    printed = capsys.readouterr()
    assert "Distribution-Valued Regression Discontinuity" in printed.out
    assert "uniform band" in printed.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN
    summary = (tmp_path / "out" / "effect.txt").read_text("utf-8")
    assert summary.strip() in printed.out
    assert "tabular" in (tmp_path / "out" / "effect.tex").read_text("utf-8")
    assert "|" in (tmp_path / "out" / "effect.md").read_text("utf-8")
    assert (tmp_path / "out" / "effect.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "out" / "effect.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--value", "z"], "no column 'z'; its columns are unit, x, y, votes, state"),
        (["--value", "z", "--running", "w"], "no columns 'z', 'w'"),
        (["--bandwidth", "1,2,3"], "3 numbers"),
        (["--bandwidth", "-1"], "bandwidth"),
        (["--cutoff", "9"], "cutoff"),
        (["--kernel", "gaussian"], "'triangular'"),
        (["--levels", "0.5,0.2"], "increase strictly"),
        (["--draws", "5"], "draws"),
        (["--order", "1"], "order"),
        (["--quantile-rule", "middle"], "'linear'"),
    ],
)
def test_a_mistake_ends_with_one_message_and_code_two(
    arguments: list[str],
    message: str,
    csv: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    code = main(["r3d", str(csv), *COLUMNS, "--out", str(tmp_path), *arguments])
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.startswith("distcausal: error: ")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.csv", "there is no file"), ("units.xlsx", "neither CSV")],
)
def test_an_unreadable_file_is_named(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "units.xlsx").touch()
    out = tmp_path / "out"
    assert main(["r3d", str(tmp_path / name), *COLUMNS, "--out", str(out)]) == 2
    assert not out.exists()
    error = capsys.readouterr().err
    assert message in error
    assert name in error


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["r3d", "f.csv"], ["r3d", "f.csv", *COLUMNS, "--levels", "a"]],
)
def test_what_cannot_be_parsed_ends_with_code_two(
    arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_warnings_go_to_standard_error_unless_the_summary_has_them(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main(["r3d", str(csv), *COLUMNS, "--out", str(tmp_path)])
    printed = capsys.readouterr()
    everything = (printed.out + printed.err).replace("\n", " ")
    assert everything.count("too few observations") == 1


def test_info_prints_the_session(capsys: pytest.CaptureFixture) -> None:
    assert main(["info"]) == 0
    assert dc.__version__ in capsys.readouterr().out


def test_the_demonstration_ends_with_table_figure_and_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "distcausal", "demo", "--out", "made"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,  # the promise; measured 4 s
        env=_with_package(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "uniform band lies above zero" in done.stdout.replace("\n", " ")
    assert (tmp_path / "made" / "effect.png").stat().st_size > 10_000
    # 0.542297 - 0.253478 after setting, 0.675676 - 0.190476 as seen
    assert "by 0.289, not by the 0.485 seen" in done.stdout


def _with_package() -> dict[str, str]:
    """Environment in which another folder's interpreter finds this checkout."""
    import os

    root = str(Path(dc.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": root}


def test_the_confidence_changes_the_band_and_not_the_estimate(
    csv: Path, tmp_path: Path
) -> None:
    wide = estimate(csv, tmp_path, "--confidence", "0.99")
    narrow = estimate(csv, tmp_path, "--confidence", "0.8")
    for suffix in ("txt", "tex", "md"):
        text = (tmp_path / f"effect.{suffix}").read_text("utf-8")
        assert "80" in text
        assert "95%" not in text.replace("\\", "")
    assert_allclose(wide["estimate"], narrow["estimate"], rtol=0)
    assert np.all(wide["band_low"] < narrow["band_low"])


def test_unit_weights_reach_the_estimate(
    frame: pd.DataFrame, csv: Path, tmp_path: Path
) -> None:
    weights = 1.0 + np.arange(frame["unit"].nunique()) % 3
    frame.assign(size=weights[frame["unit"]]).to_csv(csv, index=False)
    table = estimate(csv, tmp_path, "--unit-weights", "size", "--bandwidth", "0.8")
    data = dc.RandomDistributions.from_frame(
        frame, unit="unit", value="y", columns=["x"]
    )
    fit = dc.r3d(data, running="x", levels=GRID, weights=weights, bandwidth=0.8)
    assert_allclose(table["estimate"], fit.effect, rtol=ROUNDING)


@pytest.mark.parametrize("name", [r"cost ($\foo$)", "50% of $a_b$", "Größe & Co_1"])
def test_no_name_of_a_column_is_taken_for_mathematics(
    name: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / "hostile.csv"
    frame.rename(columns={"y": name}).to_csv(file, index=False)
    columns = ["--unit", "unit", "--value", name, "--running", "x"]
    code = main(
        ["r3d", str(file), *columns, "--levels", LEVELS, "--out", str(tmp_path)]
    )
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} >= WRITTEN


def test_a_column_missing_in_some_rows_of_a_unit_says_so(
    frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holes = frame.copy()
    holes.loc[3, "x"] = np.nan
    holes.to_csv(tmp_path / "holes.csv", index=False)
    assert main(["r3d", str(tmp_path / "holes.csv"), *COLUMNS]) == 2
    assert "missing in some rows of 1 of 200 units" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "cannot be read as a table"), ("é,x\n1,2\n".encode("latin-1"), "UTF-8")],
)
def test_files_that_are_no_tables_are_mistakes_with_a_message(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.csv"
    file.write_bytes(content)
    assert main(["r3d", str(file), *COLUMNS]) == 2
    assert words in capsys.readouterr().err


def test_a_column_name_that_stands_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("unit,x,y,y\n1,0.5,1,2\n2,-0.5,3,4\n", encoding="utf-8")
    assert main(["r3d", str(file), *COLUMNS]) == 2
    assert "more than one column named 'y'" in capsys.readouterr().err
