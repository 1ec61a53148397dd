"""Constructors: from what people have to one of the five forms.

Everything is checked here, once, so that the forms can trust what they hold. Draws of
a long table are gathered by a stable counting sort of the units' numbers and then
sorted unit by unit, far cheaper than sorting rows by unit and value.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from distcausal.data.atoms import AtomDistributions
from distcausal.data.bins import BinDistributions, check_edges
from distcausal.data.check import (
    BLOCK,
    check_constant_within_units,
    check_curves,
    check_finite,
    check_length,
    check_levels,
    check_mass,
    check_rule,
    check_unique,
    check_weights,
    known_name,
)
from distcausal.data.coding import code_labels, number_column
from distcausal.data.law import LawDistributions, read_family
from distcausal.data.quantiles import QuantileDistributions
from distcausal.data.samples import SampleDistributions
from distcausal.data.units import (
    Missing,
    Units,
    make_units,
    plain_array,
    read_columns,
    series_array,
)
from distcausal.errors import DataError, DataWarning, check_choice, listing
from distcausal.numerics.quantile import cell_masses
from distcausal.numerics.ragged import order_by_code, sort_segments

__all__ = [
    "from_atoms",
    "from_bins",
    "from_frame",
    "from_law",
    "from_quantiles",
    "from_samples",
]

REPAIRS = ("raise", "project", "rearrange")


def from_frame(
    frame: Any,
    *,
    unit: str,
    value: str,
    weight: str | None,
    columns: Iterable[str],
    missing: str,
    quantile_rule: str,
) -> SampleDistributions:
    """See `RandomDistributions.from_frame`."""
    check_rule(quantile_rule, weighted=weight is not None)
    check_choice("missing", missing, ("raise", "drop"))
    table = _read_table(frame)
    names = [columns] if isinstance(columns, str) else list(columns)
    for role, name in (("unit", unit), ("value", value), ("weight", weight)):
        if name is not None:
            known_name(name, table.columns, role)
    for name in names:
        known_name(name, table.columns, "columns")
    if len(table) == 0:
        raise DataError("frame should have one row per observation, but has no rows.")
    labels, codes = code_labels(table[unit], unit)
    draws = number_column(table[value], value, "value")
    mass = None if weight is None else number_column(table[weight], weight, "weight")
    rows, record = _rows_kept(
        labels, codes, draws, mass, missing, (unit, value, weight)
    )
    if rows is not None:
        labels, codes = _still_there(labels, codes[rows])
        draws = draws[rows]
        mass = None if mass is None else mass[rows]
    check_finite(f"value {value!r}", draws, lambda at: labels[codes[at]], "")
    counts = np.bincount(codes, minlength=len(labels))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    order = order_by_code(codes, len(labels))
    first = offsets[:-1] if order is None else order[offsets[:-1]]
    kept = {
        name: _unit_values(table[name], name, rows, codes, first, labels)
        for name in names
    }
    units = Units(labels, read_columns(kept, len(labels)), record)
    draws = draws.copy() if order is None else draws[order]
    if mass is not None:
        mass = mass.copy() if order is None else mass[order]
    return _samples(units, draws, offsets, mass, f"weight {weight!r}", quantile_rule)


def _read_table(frame: Any) -> Any:
    """Wrap a table of any library, run if it is a query."""
    import narwhals.stable.v2 as nw

    try:
        table = nw.from_native(frame)
    except TypeError as fault:
        raise DataError(
            "frame should be a table of pandas, polars, pyarrow or another library "
            f"that narwhals reads, but is a {type(frame).__name__}. Lists of draws go "
            "to RandomDistributions.from_samples."
        ) from fault
    except nw.exceptions.DuplicateError as fault:
        raise DataError(
            "frame should have a different name for every column, but some names "
            f"stand more than once: {fault}. Rename or drop the repeated columns."
        ) from fault
    return table.collect() if isinstance(table, nw.LazyFrame) else table


def _rows_kept(
    labels: np.ndarray,
    codes: np.ndarray,
    draws: np.ndarray,
    mass: np.ndarray | None,
    missing: str,
    names: tuple[str, str, str | None],
) -> tuple[np.ndarray | None, Missing]:
    """Rows that miss nothing, or None for all of them, and a record of the others."""
    lost = {"ids": codes < 0, "values": ~np.isfinite(draws)}
    if mass is not None:
        lost["weights"] = ~np.isfinite(mass)
    gone = np.logical_or.reduce(list(lost.values()))
    if not gone.any():
        return None, Missing()
    counts = {kind: int(where.sum()) for kind, where in lost.items()}
    hit = np.bincount(codes[gone & (codes >= 0)], minlength=len(labels))
    if missing == "raise":
        column = dict(zip(("ids", "values", "weights"), names, strict=True))
        holes = " and ".join(
            f"{counts[kind]} in {column[kind]!r}" for kind in counts if counts[kind]
        )
        affected = labels[hit > 0]
        raise DataError(
            f"rows should be complete, but {int(gone.sum())} of {len(codes)} have "
            f"missing or infinite entries ({holes}), in {affected.size} of "
            f"{len(labels)} units ({listing(affected.tolist()) or 'none named'}). "
            'Correct them, or use missing="drop" to leave these rows out and record '
            "how many."
        )
    rows = np.flatnonzero(~gone)
    left = np.bincount(codes[rows], minlength=len(labels))
    vanished = labels[left == 0].tolist()
    if rows.size == 0:
        raise DataError(
            f'missing="drop" leaves nothing: all {len(codes)} rows have missing or '
            "infinite entries. Check the names of the columns."
        )
    if vanished:
        warnings.warn(
            f'missing="drop" left nothing of {len(vanished)} of {len(labels)} units '
            f"({listing(vanished)}): all their rows have missing or infinite entries. "
            "They are not in the data.",
            DataWarning,
            stacklevel=4,
        )
    by_unit = dict(zip(labels[hit > 0].tolist(), hit[hit > 0].tolist(), strict=True))
    record = Missing(
        rows=int(gone.sum()), by_unit=by_unit, vanished=tuple(vanished), **counts
    )
    return rows, record


def _still_there(
    labels: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Renumber units after some lost all their rows."""
    present = np.bincount(codes, minlength=len(labels)) > 0
    return labels[present], (np.cumsum(present) - 1)[codes]


def _unit_values(
    series: Any,
    name: str,
    rows: np.ndarray | None,
    codes: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """One entry per unit of a column that is constant within units."""
    import narwhals.stable.v2 as nw

    if series.dtype in (nw.String, nw.Categorical, nw.Enum):
        texts, column = code_labels(series, name)
    else:
        texts, column = None, series_array(series)
    if column.ndim > 1:
        raise DataError(
            f"column {name!r} should hold one number or text per row, but holds lists. "
            "Attach it with with_columns, one entry per unit."
        )
    column = column if rows is None else column[rows]
    check_constant_within_units(name, codes, column, first, labels)
    entries = column[first]
    if texts is not None:
        if (entries < 0).any():
            return np.append(texts.astype(object), [None])[entries]
        return texts[entries]
    return entries + 0.0 if entries.dtype.kind == "f" else entries  # one zero, not two


def _samples(
    units: Units,
    draws: np.ndarray,
    offsets: np.ndarray,
    mass: np.ndarray | None,
    weight_name: str,
    rule: str,
) -> SampleDistributions:
    """Samples form of gathered draws, which are sorted where they lie."""
    if mass is not None:
        check_weights(weight_name, mass, offsets, units.ids)
        held = mass > 0
        if not held.all():
            draws, mass = draws[held], mass[held]
            kept = np.add.reduceat(held.astype(np.int64), offsets[:-1])
            offsets = np.concatenate([[0], np.cumsum(kept)])
    draws += 0.0  # one zero instead of two
    sort_segments(draws, offsets, mass)
    return SampleDistributions(
        units=units, values=draws, offsets=offsets, weights=mass, rule=rule
    )


def from_samples(
    samples: Any,
    *,
    weights: Any,
    ids: object,
    columns: Mapping[str, object] | None,
    quantile_rule: str,
) -> SampleDistributions:
    """See `RandomDistributions.from_samples`."""
    check_rule(quantile_rule, weighted=weights is not None)
    draws, sizes = _concatenated(samples, "samples")
    units = make_units(len(sizes), ids, columns)
    empty = units.ids[sizes == 0]
    if empty.size:
        raise DataError(
            f"samples should hold at least one draw per unit, but {empty.size} of "
            f"{len(units)} units have none ({listing(empty.tolist())}). Leave these "
            "units out."
        )
    offsets = np.concatenate([[0], np.cumsum(sizes)])

    def label(at: np.ndarray) -> np.ndarray:
        return units.ids[np.searchsorted(offsets, at, side="right") - 1]

    remedy = "Leave them out, or correct them."
    check_finite("samples", draws, label, remedy)
    if weights is None:
        return _samples(units, draws, offsets, None, "weights", quantile_rule)
    mass, lengths = _concatenated(weights, "weights")
    check_length("weights", len(lengths), len(units))
    uneven = units.ids[lengths != sizes]
    if uneven.size:
        raise DataError(
            "weights should have one entry for each draw, but their number differs "
            f"from the draws' in {uneven.size} of {len(units)} units "
            f"({listing(uneven.tolist())})."
        )
    check_finite("weights", mass, label, remedy)
    return _samples(units, draws, offsets, mass, "weights", quantile_rule)


def _concatenated(given: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a sequence of arrays, or of the rows of a matrix, end to end."""
    if isinstance(given, np.ndarray) and given.dtype != object:
        matrix = plain_array(given, what)
        if matrix.ndim != 2 or matrix.dtype.kind not in "iufb":
            raise DataError(
                f"{what} should be one array of numbers per unit or a matrix "
                f"(unit, draw), but is {matrix.dtype} of shape {matrix.shape}."
            )
        if len(matrix) == 0:
            raise DataError(f"{what} should hold at least one unit, but is empty.")
        return matrix.astype(float).ravel(), np.full(len(matrix), matrix.shape[1])
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise DataError(
            f"{what} should be one array of numbers per unit, but is a "
            f"{type(given).__name__}."
        )
    parts = [
        one if type(one) is np.ndarray else plain_array(one, f"{what}[{at}]")
        for at, one in enumerate(given)
    ]
    if not parts:
        raise DataError(f"{what} should hold at least one unit, but is empty.")
    wrong = [
        at
        for at, one in enumerate(parts)
        if one.ndim != 1 or (one.dtype.kind not in "iufb" and one.size)
    ]
    if wrong:
        one = parts[wrong[0]]
        raise DataError(
            f"{what} should hold one list of numbers per unit, but entry {wrong[0]} is "
            f"{one.dtype} of shape {one.shape}; {len(wrong)} of {len(parts)} entries "
            "are unfit. A long table with one row per observation goes to from_frame."
        )
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    return np.concatenate(parts).astype(float, copy=False), sizes


def from_quantiles(
    curves: Any,
    levels: object,
    *,
    ids: object,
    columns: Mapping[str, object] | None,
    repair: str,
) -> QuantileDistributions:
    """See `RandomDistributions.from_quantiles`."""
    check_choice("repair", repair, REPAIRS)
    grid = check_levels(levels).copy()
    matrix = _matrix(curves, "curves", "level", len(grid))
    units = make_units(len(matrix), ids, columns)
    if repair != "raise":
        matrix, units = _repaired(matrix, grid, units, repair)
    if check_curves(matrix, units.ids, grid):
        matrix = np.maximum.accumulate(matrix, axis=1)
    return QuantileDistributions(
        units=units,
        levels=grid,
        curves=matrix,
        counts=np.full(len(matrix), np.inf),
    )


def _matrix(given: Any, what: str, axis: str, width: int) -> np.ndarray:
    """Matrix of numbers with a column per level, bin or atom; copied if it must be."""
    masked = isinstance(given, np.ma.MaskedArray)
    array = plain_array(given, what) if masked else np.asarray(given)
    if array.ndim != 2 or array.dtype.kind not in "iufb" or len(array) == 0:
        raise DataError(
            f"{what} should be a matrix of numbers (unit, {axis}), but is "
            f"{array.dtype} of shape {array.shape}. One unit needs a row of its own: "
            f"{what}[None, :]."
        )
    if array.shape[1] != width:
        raise DataError(
            f"{what} should have one column for each of the {width} {axis}s, but has "
            f"{array.shape[1]}. Rows are units."
        )
    return np.ascontiguousarray(array, dtype=float)


def _repaired(
    matrix: np.ndarray, levels: np.ndarray, units: Units, repair: str
) -> tuple[np.ndarray, Units]:
    """Curves made nondecreasing, in a copy if any needs it, and a note of how many."""
    from distcausal.numerics import monotone

    mend = monotone.project_monotone if repair == "project" else monotone.rearrange
    weight = cell_masses(levels)
    mended, copied = 0, matrix
    step = max(1, BLOCK // len(levels))
    for start in range(0, len(matrix), step):
        block = matrix[start : start + step]
        falling = np.flatnonzero((np.diff(block, axis=1) < 0).any(axis=1))
        if falling.size == 0:
            continue
        copied = matrix.copy() if copied is matrix else copied
        copied[start + falling] = mend(block[falling], weight)
        mended += falling.size
    verb = "projected" if repair == "project" else "rearranged"
    note = f"{mended} of {len(matrix)} curves {verb}" if mended else ""
    return copied, replace(units, origin=note)


def from_bins(
    edges: object,
    mass: Any,
    *,
    ids: object,
    columns: Mapping[str, object] | None,
) -> BinDistributions:
    """See `RandomDistributions.from_bins`."""
    grid = check_edges(edges).copy()
    matrix = _matrix(mass, "mass", "bin", len(grid) - 1)
    units = make_units(len(matrix), ids, columns)
    check_mass(matrix, units.ids, "bins")
    return BinDistributions(
        units=units,
        edges=grid,
        mass=matrix.copy(),
        counts=np.full(len(matrix), np.inf),
    )


def from_atoms(
    support: Any,
    mass: Any,
    *,
    ids: object,
    columns: Mapping[str, object] | None,
) -> AtomDistributions:
    """See `RandomDistributions.from_atoms`."""
    atoms = plain_array(support, "support")
    if atoms.ndim != 1 or atoms.size == 0:
        raise DataError(
            f"support should be a list of values, but has shape {atoms.shape}."
        )
    check_unique(atoms, "support")
    matrix = _matrix(mass, "mass", "atom", len(atoms))
    units = make_units(len(matrix), ids, columns)
    check_mass(matrix, units.ids, "atoms")
    if atoms.dtype.kind in "iufb":
        atoms = atoms.astype(float)
        check_finite("support", atoms, lambda at: at, "Name only real values.")
        order = np.argsort(atoms)
        atoms, matrix = atoms[order], matrix[:, order]
    return AtomDistributions(
        units=units,
        support=atoms.copy(),
        mass=matrix.copy(),
        counts=np.full(len(matrix), np.inf),
    )


def from_law(
    law: Any,
    parameters: Mapping[str, object],
    *,
    ids: object,
    columns: Mapping[str, object] | None,
) -> LawDistributions:
    """See `RandomDistributions.from_law`."""
    family = read_family(law)
    if not isinstance(parameters, Mapping) or not parameters:
        raise DataError(
            "parameters should map each name to an array with one entry per unit, as "
            "in parameters={'loc': means, 'scale': deviations}."
        )
    first = plain_array(next(iter(parameters.values())), "parameters")
    if first.ndim != 1 or first.size == 0:
        raise DataError(
            "parameters should be arrays with one entry per unit, but "
            f"{next(iter(parameters))!r} has shape {first.shape}."
        )
    given = read_columns(parameters, len(first))
    units = make_units(len(first), ids, columns)
    for name, array in given.items():
        if array.ndim != 1 or array.dtype.kind not in "iufb":
            raise DataError(
                f"parameter {name!r} should be one number per unit, but is "
                f"{array.dtype} of shape {array.shape}."
            )
        check_finite(
            f"parameter {name!r}", array.astype(float), units.ids.__getitem__, ""
        )
    data = LawDistributions(units=units, family=family, parameters=given)
    try:
        data.quantiles([0.5])  # a wrong parameter shows here, not in an estimate
    except TypeError as fault:
        raise DataError(
            f"the law does not take the parameters {', '.join(given)}: {fault}. Check "
            "their names."
        ) from fault
    return data
