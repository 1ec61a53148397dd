"""The units themselves: their labels, what is known about each, and roles.

Roles are arguments, not data: which column is the running variable is said in the call
that uses it, so one object serves every method. Here a role becomes an array, whether
it was given as a column's name or as an array with one entry per unit.

Columns come from many libraries, each with its own ideas of missing and of text. They
are all brought to a short list of plain NumPy types, so that nothing later depends on
where a table came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.data.check import check_length, check_unique, known_name
from distcausal.errors import DataError, listing

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions

__all__ = [
    "Missing",
    "Units",
    "frozen_view",
    "is_missing",
    "make_units",
    "plain_array",
    "positions",
    "series_array",
    "unit_column",
]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What ``missing="drop"`` left out when the data were read.

    Attributes
    ----------
    rows
        Number of observations dropped.
    values, weights, ids
        How many of them lacked a finite value, a finite weight, a unit label; one
        observation can lack several.
    by_unit
        Observations dropped from each unit that lost any.
    vanished
        Units of which nothing was left.
    """

    rows: int = 0
    values: int = 0
    weights: int = 0
    ids: int = 0
    by_unit: Mapping[Any, int] = field(default_factory=dict)
    vanished: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return self.rows > 0

    def __str__(self) -> str:
        if not self:
            return "nothing"
        worst = sorted(self.by_unit.items(), key=lambda pair: -pair[1])
        names = listing(f"{label} ({count})" for label, count in worst)
        text = f"{self.rows} rows"
        if worst:
            text += f" from {len(worst)} units: {names}"
        if self.vanished:
            text += f"; nothing left of {listing(self.vanished)}"
        return text


@dataclass(frozen=True, eq=False)
class Units:
    """Labels and columns of the units, in order.

    Attributes
    ----------
    ids
        Label of each unit, shape ``(unit,)``.
    columns
        Name to array with one entry per unit along the first axis.
    missing
        What was dropped when the data were read.
    origin
        How these distributions came about, when they were computed from others.
    """

    ids: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    missing: Missing = field(default_factory=Missing)
    origin: str = ""

    def __post_init__(self) -> None:
        """Keep the labels as a read-only view."""
        object.__setattr__(self, "ids", frozen_view(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def view(self) -> Mapping[str, np.ndarray]:
        """Columns as a mapping that cannot be written to."""
        return MappingProxyType(self.columns)

    def take(self, index: np.ndarray | slice) -> Units:
        """Keep the units at these positions, in this order."""
        columns = {
            name: frozen_view(column[index]) for name, column in self.columns.items()
        }
        return replace(self, ids=self.ids[index], columns=columns)

    def with_columns(self, columns: Mapping[str, object]) -> Units:
        """Add or replace columns; each needs one entry per unit."""
        added = read_columns(columns, len(self))
        return replace(self, columns={**self.columns, **added})


def make_units(
    count: int, ids: object = None, columns: Mapping[str, object] | None = None
) -> Units:
    """Label ``count`` units, by default 0, 1, ..., and attach their columns."""
    if ids is None:
        labels = np.arange(count)
    else:
        labels = plain_array(ids, "ids")
        if labels.ndim != 1:
            raise DataError(f"ids should be one label per unit, not {labels.ndim}-D.")
        check_length("ids", len(labels), count)
        check_unique(labels)
    return Units(labels, read_columns(columns or {}, count))


def read_columns(columns: Mapping[str, object], units: int) -> dict[str, np.ndarray]:
    """Turn given columns into read-only arrays with one entry per unit.

    Numbers are copied. Arrays with trailing axes, such as images, can be larger than
    memory allows twice and are only viewed.
    """
    if not isinstance(columns, Mapping):
        raise DataError(
            "columns should map each name to an array with one entry per unit, as in "
            f"columns={{'margin': margin}}, but is a {type(columns).__name__}."
        )
    ready = {}
    for name, given in columns.items():
        column = plain_array(given, f"column {name!r}")
        if column.ndim == 0:
            raise DataError(
                f"column {name!r} should have one entry for each of the {units} units, "
                "but is a single value. Repeat it: numpy.full(len(data), value)."
            )
        check_length(f"column {name!r}", len(column), units)
        ready[str(name)] = frozen_view(column.copy() if column.ndim == 1 else column)
    return ready


def unit_column(
    data: RandomDistributions, value: object, *, argument: str
) -> np.ndarray:
    """Resolve a role: a column's name, or an array with one entry per unit.

    Parameters
    ----------
    data
        The units.
    value
        Name of one of ``data.columns``, or an array, list or series with one entry per
        unit in the order of ``data.ids``. A series is taken by position; its index is
        not consulted.
    argument
        Name of the role, for messages.

    Returns
    -------
    Read-only array whose first axis runs over units.

    Raises
    ------
    DataError
        If there is no such column, or the length is not the number of units.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.data.units import unit_column
    >>> data = dc.RandomDistributions.from_samples(
    ...     [[1.0, 2.0], [3.0]], columns={"margin": [-0.1, 0.2]}
    ... )
    >>> unit_column(data, "margin", argument="running")
    array([-0.1,  0.2])
    >>> unit_column(data, [0, 1], argument="treatment")
    array([0, 1])
    """
    if isinstance(value, str):
        name = known_name(value, list(data.columns), argument)
        return data.columns[name]
    column = plain_array(value, argument)
    if column.ndim == 0:
        raise DataError(
            f"{argument} should be the name of a column or an array with one entry per "
            f"unit, but is {value!r}."
        )
    check_length(argument, len(column), len(data))
    return frozen_view(column)


def positions(index: object, units: int) -> np.ndarray | slice:
    """Turn an index into a slice where it is a run of units, else into positions."""
    if isinstance(index, slice):
        if len(range(*index.indices(units))) == 0:
            raise DataError(f"index {index} selects none of the {units} units.")
        return index
    places = np.asarray(index)
    if places.ndim == 0:
        places = places.reshape(1)
    if places.dtype == bool:
        if places.shape != (units,):
            raise DataError(
                f"index of truth values should have one for each of the {units} units, "
                f"but has shape {places.shape}."
            )
        places = np.flatnonzero(places)
    if places.size == 0:
        raise DataError("index selects no units; at least one is needed.")
    if places.ndim != 1 or places.dtype.kind not in "iu":
        raise DataError(
            "index should be positions of units, a slice or truth values, but holds "
            f"{places.dtype} of shape {places.shape}. For labels: numpy.isin(data.ids, "
            "labels)."
        )
    outside = places[(places < -units) | (places >= units)]
    if outside.size:
        raise DataError(
            f"index should lie between 0 and {units - 1}, but holds "
            f"{listing(outside.tolist())}."
        )
    places = places % units
    if np.all(np.diff(places) == 1):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def frozen_view(array: np.ndarray) -> np.ndarray:
    """Read-only view; the array itself and its flags stay as they were."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def plain_array(value: object, what: str) -> np.ndarray:
    """Bring an array, list or series to one of few NumPy types.

    Numbers and truth values keep their type, with missing ones as NaN; texts become
    NumPy texts; times become ``datetime64[us]``, in UTC where they had a zone.

    Raises
    ------
    DataError
        If the entries have unequal lengths.
    """
    if isinstance(value, np.ma.MaskedArray):
        value = _unmasked(value)
    if not isinstance(value, np.ndarray | list | tuple):
        series = _as_series(value)
        if series is not None:
            return series_array(series)
    try:
        array = np.asarray(value)
    except ValueError as fault:
        raise DataError(f"{what} should be rectangular: {fault}.") from fault
    if array.dtype.kind == "U" and not isinstance(value, np.ndarray):
        array = np.asarray(value, dtype=object)  # NumPy writes [1, "a"] as two texts
    if array.dtype.kind == "M":
        return _microseconds(array)
    return _plain_objects(array) if array.dtype.kind == "O" else array


def _unmasked(value: Any) -> np.ndarray:
    """Write NaN, or None, where a mask hides the entry."""
    if not np.ma.getmaskarray(value).any():
        return value.data
    if value.dtype.kind in "iufb":
        return value.astype(float).filled(np.nan)
    return value.astype(object).filled(None)


def _as_series(value: object) -> Any:
    """Wrap a column of a data frame library, or None if it is something else."""
    import narwhals.stable.v2 as nw

    series = nw.from_native(value, series_only=True, pass_through=True)
    return series if isinstance(series, nw.Series) else None


def series_array(series: Any) -> np.ndarray:
    """Plain array of a narwhals series."""
    import narwhals.stable.v2 as nw

    kind = series.dtype
    if isinstance(kind, nw.Datetime) and kind.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if kind.is_temporal():
        if kind not in (nw.Datetime, nw.Date):
            return _plain_objects(np.array(series.to_list(), dtype=object))
        return _microseconds(series.cast(nw.Datetime("us")).to_numpy())
    if kind.is_numeric() or kind == nw.Boolean:
        if kind.is_decimal() or series.is_null().any():
            series = series.cast(nw.Float64)
        array = series.to_numpy()
        return array if array.dtype.kind != "O" else _plain_objects(array)
    if isinstance(kind, nw.List | nw.Array):
        return np.array(series.to_list())
    texts = np.empty(len(series), dtype=object)
    texts[:] = series.to_list()
    return _plain_objects(texts)


def _microseconds(times: np.ndarray) -> np.ndarray:
    """Times to the microsecond: libraries disagree on the unit, not on the instant."""
    return times.astype("datetime64[us]")


def _plain_objects(array: np.ndarray) -> np.ndarray:
    """Give an array of Python objects the type its entries share, if they do."""
    flat = array.ravel().tolist()
    gone = [is_missing(one) for one in flat]
    kinds = {type(one) for one, lost in zip(flat, gone, strict=True) if not lost}
    if kinds and all(issubclass(kind, str) for kind in kinds):
        return array if any(gone) else array.astype(str)
    if _all_numbers(kinds):
        filled = [np.nan if lost else one for one, lost in zip(flat, gone, strict=True)]
        if any(gone) or any(kind.__name__ == "Decimal" for kind in kinds):
            return np.array(filled, dtype=float).reshape(array.shape)
        return np.array(filled).reshape(array.shape)
    if kinds and all(hasattr(kind, "isoformat") for kind in kinds):
        stamps = [None if lost else one for one, lost in zip(flat, gone, strict=True)]
        return np.array([_utc(one) for one in stamps], dtype="datetime64[us]")
    return array


def _all_numbers(kinds: Iterable[type]) -> bool:
    from numbers import Number

    return all(issubclass(kind, Number | np.bool_) for kind in kinds)


def _utc(moment: Any) -> Any:
    """Drop the zone of a Python time after converting it to UTC."""
    if moment is None or getattr(moment, "tzinfo", None) is None:
        return moment
    from datetime import UTC

    return moment.astimezone(UTC).replace(tzinfo=None)


def is_missing(entry: object) -> bool:
    """Whether a Python object stands for nothing: None, NaN, NaT or pandas' NA."""
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(entry, float) and entry != entry
