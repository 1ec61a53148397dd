"""Rows of data as counts of distinct cells, with what inference needs to know of them.

A formula mentions a few variables with few states, and rows that agree on them are the
same to it. So rows become cells at once, and everything after, the bootstrap included,
costs what the number of distinct cells costs. Units, of which the sample is taken to be
a draw, are rows of equal weight counted together, or whole clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.influence import CELL, DRAW
from distcausal.diagrams.joint import COUNT, read_rows
from distcausal.diagrams.space import Space, check_states
from distcausal.errors import DataError, check_choice, listing

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "FEW_CLUSTERS",
    "ROW",
    "Columns",
    "Rows",
    "Sample",
    "check_clusters",
    "group_rows",
    "read_columns",
]

FEW_CLUSTERS = 10  # below which the covariance between clusters is a guess

ROW = "(row)"  # the variable that tells rows apart, where learners need them apart
RESERVED = (DRAW, CELL, ROW)  # axes that estimators add to those of the variables
States = dict[str, tuple[Hashable, ...]]


@dataclass(frozen=True, eq=False)
class Columns:
    """What a frame says, column by column, as NumPy arrays.

    Attributes
    ----------
    labels, codes
        For each variable its distinct labels, sorted, and the place of each row's.
    count, weight
        How many observations each row stands for, and its sampling weight.
    cluster
        Number of each row's cluster; None if rows are independent.
    dropped
        Rows left out because something is missing.
    order
        All categories, in order, of each variable whose column says so.
    """

    labels: dict[str, list[Hashable]]
    codes: dict[str, np.ndarray]
    count: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray | None
    dropped: int
    order: dict[str, list[Hashable]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """How the rows of a frame are to be read.

    Attributes
    ----------
    weights, cluster
        A column's name, an array with an entry per row, or None.
    missing
        ``"raise"`` or ``"drop"``.
    """

    weights: Any = None
    cluster: Any = None
    missing: str = "raise"

    def __post_init__(self) -> None:
        check_choice("missing", self.missing, ("raise", "drop"))


@dataclass(frozen=True, eq=False)
class Sample:
    """Counts of the distinct cells of one frame.

    Attributes
    ----------
    names
        Variables, in the order of the codes.
    codes
        Place of the state of each variable in each distinct cell, ``(cell, variable)``.
    count, mass
        Observations in each cell, and their weights added up, shape ``(cell,)``.
    units
        Sparse array ``(unit, cell)``: weight that one unit brings to each cell.
    times
        How many such units there are, shape ``(unit,)``.
    clusters
        Number of clusters; None if rows are independent.
    dropped
        Rows left out because something is missing.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    count: np.ndarray
    mass: np.ndarray
    units: csr_array
    times: np.ndarray
    clusters: int | None
    dropped: int

    @property
    def n(self) -> int:
        """Number of observations."""
        return round(float(self.count.sum()))

    def places(self, names: Sequence[str], states: Mapping[str, Any]) -> np.ndarray:
        """Place of every cell in a table of some variables, flattened."""
        at = [self.codes[:, self.names.index(name)] for name in names]
        shape = tuple(len(states[name]) for name in names)
        return np.ravel_multi_index(at, shape) if at else np.zeros(len(self.mass), int)


def read_columns(
    frame: Any,
    names: Iterable[str],
    how: Rows,
    called: str,
    *,
    variables: Collection[str] = (),
) -> Columns:
    """Read the variables of a formula from a frame, and what its rows count for.

    ``called`` names the frame in messages; ``variables`` are those of the graph, none
    of which is a column of counts, whether the formula mentions it or not.

    Raises
    ------
    DataError
        If a column is absent, has gaps, or counts or weights cannot be such.
    """
    rows = read_rows(frame, f"{called} should be a table with a column per variable")
    wanted = list(names)
    _check_there(wanted, rows.columns, called)
    count = _count(rows, {*wanted, *variables})
    weight = _weight(rows, how.weights)
    labels, codes = _coded({name: rows[name] for name in wanted})
    # a list of pairs: a variable may have the name of a role
    gone = [(name, code < 0) for name, code in codes.items()]
    cluster = None
    if how.cluster is not None:
        series = _series(rows, how.cluster, "cluster")
        _, cluster = _code(series, "cluster")
        gone.append(("cluster", cluster < 0))
    gone.append(("weights", np.isnan(weight)))
    lost = _missing(gone, how.missing, called)
    keep = ~lost & (count > 0)
    _check_weight(weight[keep], called)
    return Columns(
        labels,
        {name: code[keep] for name, code in codes.items()},
        count[keep],
        weight[keep],
        None if cluster is None else cluster[keep],
        int(lost.sum()),
        {name: order for name in wanted if (order := _order(rows[name]))},
    )


def _order(series: Any) -> list[Hashable]:
    """Categories of a column that puts them in order; empty for the rest."""
    import narwhals.stable.v2 as nw

    return series.cat.get_categories().to_list() if series.dtype == nw.Enum else []


def group_rows(columns: Columns, names: Sequence[str], states: States) -> Sample:
    """Count the distinct cells of some variables, whose states are now known."""
    shape = tuple(len(states[name]) for name in names)
    at = [
        _recoded(name, columns.labels[name], states)[columns.codes[name]]
        for name in names
    ]
    cell = _compressed(at, shape, len(columns.count))
    first, cell = np.unique(cell, return_index=True, return_inverse=True)[1:]
    codes = np.stack([code[first] for code in at], axis=-1)
    units, times = _units(columns, cell, len(first))
    return Sample(
        names=tuple(names),
        codes=codes,
        count=np.bincount(cell, weights=columns.count, minlength=len(first)),
        mass=times @ units,
        units=units,
        times=times,
        clusters=None if columns.cluster is None else len(times),
        dropped=columns.dropped,
    )


def _compressed(at: list[np.ndarray], shape: tuple[int, ...], rows: int) -> np.ndarray:
    """One number per row that tells its cell; never larger than rows times states."""
    cell = np.zeros(rows, dtype=np.int64)
    for code, size in zip(at, shape, strict=True):
        cell = np.unique(cell * size + code, return_inverse=True)[1]
    return cell


def _units(columns: Columns, cell: np.ndarray, cells: int) -> tuple[Any, np.ndarray]:
    """What units bring to each cell, and how many of each kind of unit there are."""
    from scipy.sparse import csr_array

    if columns.cluster is not None:
        unit = np.unique(columns.cluster, return_inverse=True)[1]
        brought = columns.weight * columns.count
        total = int(unit.max()) + 1
        units = csr_array((brought, (unit, cell)), shape=(total, cells))
        return units, np.ones(total)
    weight, level = np.unique(columns.weight, return_inverse=True)
    pair, kind = np.unique(cell * len(weight) + level, return_inverse=True)
    times = np.bincount(kind, weights=columns.count)
    kinds = np.arange(len(pair))
    entries = (weight[pair % len(weight)], (kinds, pair // len(weight)))
    return csr_array(entries, shape=(len(pair), cells)), times


def known_states(
    found: Iterable[Columns], given: Mapping[str, Sequence[Hashable]] | None
) -> States:
    """States of every variable: those given, else the labels found anywhere, sorted.

    Labels of ordered categories are in the order of the first frame that has one.
    """
    labels: dict[str, set[Any]] = {}
    order: dict[str, dict[Hashable, int]] = {}
    for columns in found:
        for name, seen in columns.labels.items():
            labels.setdefault(name, set()).update(seen)
        for name, categories in columns.order.items():
            order.setdefault(name, {one: at for at, one in enumerate(categories)})
    states = {
        name: tuple(sorted(seen, key=_rank(seen, order.get(name, {}))))
        for name, seen in labels.items()
    }
    for name, chosen in (given or {}).items():
        if name in states:
            states[name] = check_states(name, chosen)
    return states


def _rank(labels: set[Any], order: dict[Hashable, int]) -> Any:
    """Key to sort labels by: their place in an order that has them all, else none."""
    return order.__getitem__ if order and labels <= order.keys() else None


def _recoded(name: str, labels: list[Hashable], states: States) -> np.ndarray:
    """Place among the states of each label found."""
    space = Space(name, states[name])
    return np.array([space.position(label) for label in labels], dtype=np.int64)


def _check_there(names: list[str], columns: Sequence[str], called: str) -> None:
    from distcausal.data.check import known_name

    clash = [name for name in names if name in RESERVED]
    if clash:
        raise DataError(
            f"{listing(map(repr, clash))} is what an axis of the computation is "
            "called; give the variable another name, in the graph and in the frame."
        )
    absent = [name for name in names if name not in columns]
    if len(absent) > 1:
        raise DataError(
            f"{called} should have a column for every variable of the formula, but "
            f"lacks {listing(absent, 12)}; it has {listing(columns, 12)}."
        )
    for name in absent:
        known_name(name, columns, "variable")


def _coded(
    columns: Mapping[str, Any],
) -> tuple[dict[str, list[Hashable]], dict[str, np.ndarray]]:
    """Labels and codes of every column; the code of a gap is negative."""
    labels, codes = {}, {}
    for name, series in columns.items():
        labels[name], codes[name] = _code(series, name)
    return labels, codes


def _code(series: Any, name: str) -> tuple[list[Hashable], np.ndarray]:
    from distcausal.data.coding import code_labels

    labels, codes = code_labels(series, name)
    return labels.tolist(), codes


def _missing(
    gone: Sequence[tuple[str, np.ndarray]], missing: str, called: str
) -> np.ndarray:
    """Rows with a gap, which are refused or left out."""
    lost = np.any([where for _, where in gone], axis=0)
    if lost.any() and missing == "raise":
        counts = [f"{n} ({int(w.sum())})" for n, w in gone if w.any()]
        raise DataError(
            f"{called} should say every state, but entries are missing in "
            f"{int(lost.sum())} of {len(lost)} rows: {listing(counts)}. Leave these "
            "rows out with missing='drop', or give what is missing a state of its own."
        )
    if lost.all():
        raise DataError(f"{called} has no row without missing entries.")
    return lost


def _series(rows: Any, given: Any, role: str) -> Any:
    """A column by name, or an array given with one entry per row."""
    import narwhals.stable.v2 as nw

    from distcausal.data.check import known_name

    if isinstance(given, str):
        return rows[known_name(given, rows.columns, role)]
    array = np.asarray(given)
    if array.shape != (len(rows),):
        raise DataError(
            f"{role} should be a column's name or have one entry for each of the "
            f"{len(rows)} rows, but has shape {array.shape}."
        )
    space = nw.get_native_namespace(rows)
    return nw.new_series(role, array, backend=space)


def _count(rows: Any, names: Collection[str]) -> np.ndarray:
    """How many observations each row stands for."""
    from distcausal.data.coding import number_column

    if COUNT not in rows.columns or COUNT in names:
        return np.ones(len(rows))
    count = number_column(rows[COUNT], COUNT, "counts in")
    bad = ~(np.isfinite(count) & (count >= 0) & (count == np.floor(count)))
    if bad.any():
        raise DataError(
            f"the column {COUNT!r} says how many observations a row stands for and "
            f"should hold whole numbers, but {int(bad.sum())} of {len(count)} are not "
            f"({listing(count[bad].tolist())}). Give weights as weights=, under "
            "another name."
        )
    return count


def _weight(rows: Any, weights: Any) -> np.ndarray:
    """Sampling weight of each row; NaN where missing."""
    from distcausal.data.coding import number_column

    if weights is None:
        return np.ones(len(rows))
    called = weights if isinstance(weights, str) else "weights"
    return number_column(_series(rows, weights, "weights"), called, "weights")


def _check_weight(weight: np.ndarray, called: str) -> None:
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        raise DataError(
            f"weights should be finite and not negative, but {int(bad.sum())} of "
            f"{len(weight)} are ({listing(weight[bad].tolist())})."
        )
    if not weight.sum() > 0:
        raise DataError(f"the weights of {called} should not all be zero.")


def check_clusters(sample: Sample, called: str) -> None:
    """Raise `DataError` if all rows are one cluster."""
    if sample.clusters is not None and sample.clusters < 2:
        raise DataError(
            f"{called} holds one cluster; between clusters there is then nothing to "
            "learn from. Leave cluster out, or take finer ones."
        )
