"""Command line: a demonstration, the session, and an estimate from a data file.

It exists for the first minute with the package and for people who keep their analysis
in shell scripts; whoever needs more writes the few lines of Python that each command
shows how to. A command prints what it found before it writes any file, so an answer is
on the screen before matplotlib is loaded for the figure. A mistake of the user ends
with exit code 2 and one message, no traceback.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distcausal.errors import DataError, DistCausalError, DistCausalWarning, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.rdd.result import R3DResult

__all__ = ["main"]

DEMO_FOLDER = Path("distcausal-demo")
R3D_FOLDER = Path("distcausal-r3d")
CSV = (".csv", ".tsv", ".txt", ".gz", ".bz2", ".xz", ".zip")
PARQUET = (".parquet", ".pq")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it ended well, 2 after a mistake in what was asked."""
    options = _parser().parse_args(arguments)
    shown: tuple[str, ...] = ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DistCausalWarning)
        try:
            shown = options.run(options)
            code = 0
        except (DistCausalError, OSError) as error:
            print(f"distcausal: error: {error}", file=sys.stderr)
            code = 2
    for warning in caught:
        if str(warning.message) not in shown:
            print(f"distcausal: warning: {warning.message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    """Commands and their options; values that `r3d` checks are not checked here."""
    parser = argparse.ArgumentParser(
        prog="python -m distcausal",
        description="Causal estimation with distribution-valued data.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="estimate on simulated close elections, with the truth drawn in"
    )
    demo.add_argument(
        "--out", type=Path, default=DEMO_FOLDER, metavar="DIR", help=_default("folder")
    )
    demo.add_argument("--seed", type=int, default=1, help=_default("of the simulation"))
    demo.set_defaults(run=_demo)
    info = commands.add_parser("info", help="versions, platform, precision and seeds")
    info.set_defaults(run=_info)
    _add_r3d(commands)
    return parser


def _add_r3d(commands: Any) -> None:
    """Describe the options of the command that estimates from a file."""
    r3d = commands.add_parser(
        "r3d", help="regression discontinuity with distribution-valued outcomes"
    )
    r3d.set_defaults(run=_r3d)
    r3d.add_argument(
        "file", type=Path, metavar="FILE", help="CSV or Parquet, long form"
    )
    columns = r3d.add_argument_group("columns of the file, one row per observation")
    columns.add_argument("--unit", required=True, help="what carries a distribution")
    columns.add_argument("--value", required=True, help="outcome of the observation")
    columns.add_argument(
        "--running", required=True, help="running variable of the unit"
    )
    columns.add_argument("--weight", help="weight of the observation in its unit")
    columns.add_argument("--treatment", help="treatment of the unit, if fuzzy")
    columns.add_argument("--cluster", help="units with the same label may be dependent")
    columns.add_argument("--unit-weights", help="weight of the unit among units")
    _add_method(r3d.add_argument_group("how to estimate"))
    r3d.add_argument(
        "--out", type=Path, default=R3D_FOLDER, metavar="DIR", help=_default("folder")
    )


def _add_method(how: Any) -> None:
    """Describe the options of the estimator."""
    how.add_argument("--cutoff", type=float, default=0.0, help=_default())
    how.add_argument(
        "--method", default="frechet", help=_default("frechet or pointwise")
    )
    how.add_argument("--order", type=int, default=2, help=_default("of the fit"))
    how.add_argument(
        "--pilot-order", type=int, default=1, help=_default("of the bandwidth")
    )
    how.add_argument(
        "--kernel",
        default="triangular",
        help=_default("triangular, epanechnikov or uniform"),
    )
    how.add_argument(
        "--bandwidth",
        type=_numbers,
        metavar="H[,H]",
        help="one number, or below,above; chosen from the data if left out",
    )
    how.add_argument("--selector", default="imse", help=_default("bandwidth rule"))
    how.add_argument(
        "--levels",
        type=_numbers,
        metavar="Q,Q,...",
        help="quantile levels in (0, 1) (default: 0.01,0.02,...,0.99)",
    )
    how.add_argument(
        "--quantile-rule", default="linear", help=_default("linear or inverse")
    )
    how.add_argument(
        "--continuous-treatment",
        action="store_true",
        help="treatment may be other than 0 and 1",
    )
    how.add_argument("--profile", help="R3D-0.1.0 to follow that R package")
    how.add_argument("--draws", type=int, default=999, help=_default("bootstrap draws"))
    how.add_argument("--seed", type=int, default=0, help=_default())
    how.add_argument("--missing", default="raise", help=_default("raise or drop"))
    how.add_argument("--confidence", type=float, default=0.95, help=_default())


def _default(what: str = "") -> str:
    return f"{what} (default: %(default)s)".strip()


def _numbers(text: str) -> list[float]:
    """Read numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} should be numbers separated by commas, such as 0.25,0.5"
        ) from None


def _info(_: argparse.Namespace) -> tuple[str, ...]:
    """Print what the process computes with."""
    from distcausal._base.session import session_info

    print(session_info())
    return ()


def _demo(options: argparse.Namespace) -> tuple[str, ...]:
    """Estimate on simulated races, print table and words, draw the truth in.

    Like every command, returns the warnings that what it printed already holds.
    """
    from distcausal.datasets import close_elections
    from distcausal.rdd.api import r3d

    races = close_elections(seed=options.seed)
    print(
        f"Close elections, simulated: {len(races.data):,} races in 49 states, "
        f"{races.offsets[-1]:,} county results.\n"
        "Does winning a seat help at the next election, and where in the state?\n"
    )
    fit = r3d(races.data, **races.roles)
    _tell(fit, 0.95)

    def draw_truth(axes: Axes) -> None:
        truth = races.truth(fit.levels)
        axes.plot(fit.levels, truth, "--", color="black", linewidth=1.2, label="Truth")
        axes.set_ylabel("Effect on the Democratic share (points)")
        axes.set_ylim(bottom=-3)  # room for the legend below the zero line
        axes.legend(loc="lower center", ncols=2, frameon=False, fontsize=9)

    folder = _folder(options.out)
    _write_figure(fit, folder, 0.95, draw_truth)
    print(f"\nFigure, with the truth drawn in: {folder / 'effect.png'}")
    print(_diagram_line())
    return fit.notes


def _diagram_line() -> str:
    """Say in a line what a causal graph makes of a table of three variables."""
    import numpy as np

    from distcausal.datasets import smoking_tar_cancer
    from distcausal.diagrams.identify import identify

    table = smoking_tar_cancer()
    found = identify(table.graph, "C", do="S")
    seen = identify(table.graph, "C", given="S")
    effect, gap = (
        np.diff(one.evaluate(table.joint).sel(C=1).values)[0] for one in (found, seen)
    )
    return (
        f"Diagrams: with {table.edges}, smoking S raises the risk of cancer C by "
        f"{effect:.3f}, not by the {gap:.3f} seen."
    )


def _r3d(options: argparse.Namespace) -> tuple[str, ...]:
    """Estimate from a file; print the summary, then write tables and figure."""
    from distcausal.numerics.band import check_confidence

    check_confidence(options.confidence)
    data = _read_data(options)
    folder = _folder(options.out)
    from distcausal.rdd.api import r3d
    from distcausal.rdd.bootstrap import MultiplierBootstrap

    fit = r3d(
        data,
        running=options.running,
        cutoff=options.cutoff,
        treatment=options.treatment,
        cluster=options.cluster,
        weights=options.unit_weights,
        continuous_treatment=options.continuous_treatment,
        profile=options.profile,
        levels=options.levels,
        method=options.method,
        order=options.order,
        pilot_order=options.pilot_order,
        kernel=options.kernel,
        bandwidth=_bandwidth(options.bandwidth),
        selector=options.selector,
        inference=MultiplierBootstrap(draws=options.draws),
        seed=options.seed,
    )
    _tell(fit, options.confidence)
    _write_tables(fit, folder, options.confidence)
    label = f"Effect on {options.value}"
    _write_figure(
        fit,
        folder,
        options.confidence,
        lambda ax: ax.set_ylabel(label, parse_math=False),
    )
    written = ", ".join(sorted(path.name for path in folder.glob("effect.*")))
    print(f"\nWritten to {folder}: {written}")
    return fit.notes


def _read_data(options: argparse.Namespace) -> Any:
    """Read the columns asked for and group their rows into units."""
    roles = [options.running, options.treatment, options.cluster]
    roles.append(options.unit_weights)
    columns = list(dict.fromkeys(name for name in roles if name is not None))
    wanted = [options.unit, options.value, *columns]
    wanted += [] if options.weight is None else [options.weight]
    frame = _read_frame(options.file, list(dict.fromkeys(wanted)))
    from distcausal.data.distributions import RandomDistributions

    return RandomDistributions.from_frame(
        frame,
        unit=options.unit,
        value=options.value,
        weight=options.weight,
        columns=columns,
        missing=options.missing,
        quantile_rule=options.quantile_rule,
    )


def _read_frame(path: Path, wanted: list[str]) -> Any:
    """Read some columns of a CSV or Parquet file."""
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}. Check the path.")
    if path.suffix in PARQUET:
        return _read_parquet(path, wanted)
    if path.suffix not in CSV:
        raise DataError(
            f"{str(path)!r} is neither CSV ({', '.join(CSV)}) nor Parquet "
            f"({', '.join(PARQUET)}) by its name. Rename or convert it."
        )
    import pandas as pd

    separator = "\t" if ".tsv" in path.suffixes else ","
    try:
        first = pd.read_csv(path, sep=separator, nrows=1, header=None, dtype=str)
        _check_columns(path, first.iloc[0].tolist(), wanted)
        return pd.read_csv(path, sep=separator, usecols=wanted)
    except UnicodeDecodeError as fault:
        raise DataError(
            f"{str(path)!r} is not text in UTF-8 ({fault.reason}). Convert it, for "
            "instance with iconv."
        ) from fault
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as fault:
        raise DataError(
            f"{str(path)!r} cannot be read as a table: {fault}. It should have a line "
            "of column names and one line per observation."
        ) from fault


def _read_parquet(path: Path, wanted: list[str]) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"reading {str(path)!r} needs pyarrow. Install distcausal[arrow], or "
            "convert the file to CSV."
        ) from None
    from pyarrow import ArrowException

    try:
        _check_columns(path, parquet.read_schema(path).names, wanted)
        return parquet.read_table(path, columns=wanted)
    except (ArrowException, OSError) as fault:
        raise DataError(
            f"{str(path)!r} cannot be read as Parquet: {fault}. Write it again, or "
            "give it a name that says what it is."
        ) from fault


def _check_columns(path: Path, present: Sequence[str], wanted: list[str]) -> None:
    """Raise `DataError` if the file lacks a column, naming those it has."""
    repeated = [repr(name) for name in wanted if list(present).count(name) > 1]
    if repeated:
        raise DataError(
            f"{str(path)!r} has more than one column named {', '.join(repeated)}. "
            "Rename all but one of them."
        )
    lacking = [repr(name) for name in wanted if name not in present]
    if lacking:
        noun = "column" if len(lacking) == 1 else "columns"
        raise DataError(
            f"{str(path)!r} has no {noun} {', '.join(lacking)}; its columns are "
            f"{listing(present, most=20)}. Check the spelling."
        )


def _bandwidth(numbers: list[float] | None) -> float | tuple[float, float] | None:
    """One number for both sides, or one for each."""
    if numbers is None:
        return None
    if len(numbers) > 2:
        raise DataError(
            f"--bandwidth got {len(numbers)} numbers; give one for both sides, or one "
            "for below and one for above the cutoff."
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _tell(fit: R3DResult, confidence: float) -> None:
    """Print the table, then what it says in words."""
    print(fit.summary(confidence))
    print("\n" + textwrap.fill(fit.describe(confidence), width=80), flush=True)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_tables(fit: R3DResult, folder: Path, confidence: float) -> None:
    """Write all levels as CSV, the summary as text, LaTeX and Markdown."""
    fit.tidy(confidence).to_csv(folder / "effect.csv", index=False)
    table = fit.summary(confidence)
    texts = {
        "txt": table.as_text(),
        "tex": table.as_latex(),
        "md": table.as_markdown(),
    }
    for suffix, text in texts.items():
        (folder / f"effect.{suffix}").write_text(text + "\n", encoding="utf-8")


def _write_figure(
    fit: R3DResult,
    folder: Path,
    confidence: float,
    finish: Callable[[Axes], object] | None = None,
) -> None:
    """Write the effect curve as PNG and PDF, without starting a display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.7), layout="constrained")
    axes = fit.plot(ax=figure.add_subplot(), confidence=confidence)
    if finish is not None:
        finish(axes)
    figure.savefig(folder / "effect.png", dpi=200)
    figure.savefig(folder / "effect.pdf")
