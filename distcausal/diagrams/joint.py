"""Joint laws from whatever people keep them in: arrays, tables of counts, raw rows.

Identification and surgery start from a law over named variables. It comes as an array
with names, as the dictionary that a file holds, or as a frame, and is checked here: a
joint that is not a law makes every number computed from it wrong without a sign.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from distcausal.diagrams.channel import ATOL, Channel
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.space import Space
from distcausal.errors import DataError, DataWarning, QueryError, listing

__all__ = [
    "as_joint",
    "check_law",
    "count_cells",
    "count_table",
    "named_array",
    "number_name",
    "read_rows",
]

COUNT = "count"
NUMBERS = (COUNT, "probability")  # columns that say how much a row stands for


def as_joint(
    joint: Any, *, atol: float = ATOL, only: Collection[str] | None = None
) -> LabelledArray:
    """Read a joint law over named variables.

    Parameters
    ----------
    joint
        A `LabelledArray`; a `Channel` without inputs; a mapping with the entries
        ``"variables"`` and ``"values"`` and perhaps ``"states"``, which maps a variable
        to its states; or a frame with a column per variable, whose rows are observed
        as often as its column ``"count"`` or ``"probability"`` says, once each if there
        is none.
    atol
        How far the sum may be from 1.
    only
        Columns of a frame that are variables, if not all are.

    Raises
    ------
    DataError
        If entries are negative or NaN or do not sum to 1; the message has the amount.

    Examples
    --------
    >>> from distcausal.diagrams.joint import as_joint
    >>> as_joint({"variables": ["A"], "values": [0.25, 0.75]})
    LabelledArray(A: 2)
    [0.25 0.75]
    """
    if isinstance(joint, LabelledArray):
        table = joint
    elif isinstance(joint, Channel):
        table = _state(joint)
    elif isinstance(joint, Mapping):
        table = named_array(joint)
    else:
        counts = count_cells(joint, only)
        table = LabelledArray(counts.values / counts.values.sum(), counts.axes)
    check_law(table, atol=atol)
    return table


def check_law(table: LabelledArray, *, atol: float = ATOL) -> None:
    """Raise `DataError` unless entries are probabilities that sum to 1."""
    values = table.values
    if np.isnan(values).any():
        raise DataError(
            f"a joint law should have no gaps, but {int(np.isnan(values).sum())} of "
            f"{values.size} entries are NaN, the first at "
            f"{place_of(table, np.isnan(values))}. Write 0 for what never occurs."
        )
    least = values.min()
    if least < 0:
        raise DataError(
            f"a joint law should not be negative, but holds {least:.6g} at "
            f"{place_of(table, values == least)}."
        )
    total = values.sum()
    if not abs(total - 1) <= atol:
        raise DataError(
            f"a joint law should sum to 1, but sums to {total:.6g}, {total - 1:+.3g} "
            "off. Divide counts by their sum."
        )


def place_of(table: LabelledArray, where: np.ndarray) -> str:
    """Name the first place of an array where something holds, as ``A=0, B='x'``."""
    at = np.unravel_index(int(np.argmax(where)), table.shape)
    pairs = zip(table.axes.items(), at, strict=True)
    return ", ".join(f"{name}={labels[i]!r}" for (name, labels), i in pairs) or "it"


def count_table(
    frame: Any, columns: Iterable[str | Space], *, count: str | None = None
) -> LabelledArray:
    """Count how often each combination of states occurs in a frame.

    Parameters
    ----------
    frame
        Any table narwhals reads.
    columns
        Columns to count by; a `Space` fixes the states and their order, else they are
        the sorted labels found.
    count
        Column with the number of times, or the weight, of each row.

    Returns
    -------
    Counts, with an axis per column.

    Raises
    ------
    DataError
        If a column is absent or has gaps, counts are negative or missing, or all 0.
    """
    from distcausal.data.check import known_name

    rows = read_rows(frame)
    spaces, codes = [], []
    for column in columns:
        name = column.name if isinstance(column, Space) else column
        known_name(name, rows.columns, "variable")
        space, code = _coded(rows[name], column)
        spaces.append(space)
        codes.append(code)
    weight = _weights(rows, count)
    shape = tuple(space.size for space in spaces)
    cell = np.ravel_multi_index(codes, shape) if codes else np.zeros(len(rows), int)
    size = int(np.prod(shape))
    table = np.bincount(cell, weights=weight, minlength=size).reshape(shape)
    return LabelledArray(table, {space.name: space.known for space in spaces})


def read_rows(
    frame: Any,
    rule: str = "a joint law should be a LabelledArray, a mapping with 'variables' and "
    "'values', or a frame with a column per variable",
) -> Any:
    """Wrap a table of any library, run if it is a query; `DataError` for the rest."""
    import narwhals.stable.v2 as nw

    try:
        rows = nw.from_native(frame)
    except TypeError as fault:
        raise DataError(f"{rule}, but is a {type(frame).__name__}.") from fault
    rows = rows.collect() if isinstance(rows, nw.LazyFrame) else rows
    if len(rows) == 0:
        raise DataError("the frame should have rows to count, but has none.")
    return rows


def _coded(series: Any, column: str | Space) -> tuple[Space, np.ndarray]:
    """Space of a column, and the place of each row's label in it."""
    from distcausal.data.coding import code_labels

    name = column.name if isinstance(column, Space) else column
    labels, codes = code_labels(series, name)
    gaps = int((codes < 0).sum())
    if gaps:
        raise DataError(
            f"column {name!r} should say the state in every row, but {gaps} of "
            f"{len(codes)} entries are missing. Leave these rows out, or give what is "
            "missing a state of its own."
        )
    if isinstance(column, str) or column.states is None:
        return Space(name, tuple(labels.tolist())), codes
    places = np.array([column.position(label) for label in labels.tolist()])
    return column, places[codes]


def _weights(rows: Any, count: str | None) -> np.ndarray:
    from distcausal.data.check import known_name
    from distcausal.data.coding import number_column

    if count is None:
        return np.ones(len(rows))
    known_name(count, rows.columns, "count")
    weight = number_column(rows[count], count, "count")
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        raise DataError(
            f"counts in {count!r} should be finite and not negative, but "
            f"{int(bad.sum())} of {len(weight)} are ({listing(weight[bad].tolist())})."
        )
    if not weight.sum() > 0:
        raise DataError(f"counts in {count!r} are 0 in all {len(weight)} rows.")
    return weight


def number_name(columns: Iterable[str], variables: Collection[str] = ()) -> str | None:
    """Column that says how much a row stands for, unless it is a variable."""
    found = [n for n in NUMBERS if n in set(columns) and n not in variables]
    return found[0] if found else None


def count_cells(frame: Any, only: Collection[str] | None) -> LabelledArray:
    """Count how often each combination of states occurs, or add up what rows say.

    Warns
    -----
    DataWarning
        If rows look like the cells of a table whose numbers have another name.
    """
    rows = read_rows(frame)
    names = [str(name) for name in rows.columns]
    count = number_name(names, only or ())
    wanted = [n for n in names if n != count and (only is None or n in only)]
    table = count_table(frame, wanted, count=count)
    spare = [n for n in names if n not in (*wanted, count)]
    spare = [n for n in spare if rows[n].dtype.is_numeric()]
    if count is None and spare and table.values.size > 1 and (table.values == 1).all():
        warnings.warn(
            f"every combination of {listing(wanted)} is in exactly one row, as in a "
            "table of cells, and each row is counted once. If "
            f"{listing(map(repr, spare))} says how often it occurs, call that column "
            f"{COUNT!r}.",
            DataWarning,
            stacklevel=2,
        )
    return table


def _state(channel: Channel) -> LabelledArray:
    if channel.dom.names:
        raise DataError(
            f"a joint law has no inputs, but the channel {channel.dom} -> "
            f"{channel.cod} has. Feed it a law of {channel.dom} first, with >>."
        )
    return channel.labelled()


def named_array(joint: Mapping[str, Any]) -> LabelledArray:
    """Array with names from the entries of a mapping; see `as_joint`."""
    missing = [key for key in ("variables", "values") if key not in joint]
    if missing:
        raise DataError(
            "a joint law in a mapping should have the entries 'variables' and "
            f"'values', but has {listing(map(repr, joint), 8) or 'none'}."
        )
    names = [str(name) for name in joint["variables"]]
    if len(set(names)) < len(names):
        raise QueryError(f"variables should be distinct, but are {listing(names, 12)}.")
    values = np.asarray(joint["values"], dtype=float)
    if values.ndim != len(names):
        raise DataError(
            f"values should have an axis per variable, {len(names)} of them, but have "
            f"shape {values.shape}. Reshape a flat list to the numbers of states."
        )
    states = joint.get("states", {})
    axes = {
        name: tuple(states.get(name, range(size)))
        for name, size in zip(names, values.shape, strict=True)
    }
    return LabelledArray(values, axes)
