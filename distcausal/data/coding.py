"""Labels to numbers: which unit a row of a table belongs to, and what it says.

Grouping a million rows is cheap once units are numbered, so the numbering has to be
cheap too: whole numbers in a narrow range by a table, texts by the dictionary of the
library that holds them, anything else by sorting. Numbers follow the order of the
labels, whatever library and order the rows came in.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from distcausal.data.units import is_missing, series_array
from distcausal.errors import DataError, listing

__all__ = ["code_labels", "number_column"]


def code_labels(series: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct labels of a column, and the number of each row's label.

    Parameters
    ----------
    series
        A narwhals series of whole numbers, texts, categories, truth values or times.
    name
        Name of the column, for messages.

    Returns
    -------
    Labels, shape ``(label,)``, and codes, shape ``(row,)``; -1 where the label is
    missing.

    Raises
    ------
    DataError
        If the labels have no common order.
    """
    import narwhals.stable.v2 as nw

    kind = series.dtype
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return _code_texts(series, name)
    gone = series.is_null().to_numpy()
    if gone.any() and kind.is_integer():
        series = series.fill_null(series.drop_nulls()[0] if not gone.all() else 0)
    array = series_array(series)
    if array.dtype.kind == "O":
        return _code_objects(array, name)
    if array.dtype.kind in "fM":
        gone = np.isnan(array) | gone
    if not gone.any():
        return _code_array(array)
    codes = np.full(len(array), -1)
    labels, codes[~gone] = _code_array(array[~gone])
    return labels, codes


def number_column(series: Any, name: str, role: str) -> np.ndarray:
    """Float64 array of a numeric column, missing entries as NaN.

    Raises
    ------
    DataError
        If the column holds texts or times; the message says how to convert them.
    """
    array = series_array(series)
    if array.dtype.kind in "iufb":
        return array.astype(float, copy=False)
    if array.dtype.kind == "M":
        raise DataError(
            f"{role} {name!r} should be numeric, but holds dates or times. Turn them "
            "into numbers first, for instance days since a date: "
            f"(frame[{name!r}] - start).dt.days in pandas, .dt.total_days() in polars."
        )
    texts = [one for one in array.ravel()[:1000].tolist() if isinstance(one, str)]
    holds = f"texts ({listing(texts, most=3)})" if texts else f"{series.dtype} entries"
    raise DataError(
        f"{role} {name!r} should be numeric, but holds {holds}. Convert it first: "
        f"pandas.to_numeric(frame[{name!r}]), or .cast(polars.Float64)."
    )


def _code_array(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code numbers, truth values or times, none of them missing."""
    if array.dtype.kind == "f" and np.all(array == np.floor(array)):
        # pandas turns whole numbers into floats where a column once had a gap.
        whole = array.astype(np.int64)
        if np.array_equal(whole, array):
            return _code_array(whole)
    if array.dtype.kind == "f":
        array = array + 0.0  # one zero, not two
    if array.dtype.kind in "bM":
        labels, codes = _code_integers(array.astype(np.int64))
        return labels.astype(array.dtype), codes
    if (
        array.dtype.kind in "iu"
        and array.size
        and array.max() <= np.iinfo(np.int64).max
    ):
        return _code_integers(array.astype(np.int64, copy=False))
    labels, codes = np.unique(array, return_inverse=True)
    return labels, codes


def _code_integers(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if array.size == 0:
        return array, array
    least, most = int(array.min()), int(array.max())
    if most - least > 4 * array.size + 1024:
        labels = np.unique(array)
        return labels, np.searchsorted(labels, array)
    shifted = array - least
    present = np.bincount(shifted) > 0
    labels = np.flatnonzero(present) + least
    if present.all():
        return labels, shifted
    return labels, (np.cumsum(present) - 1)[shifted]


def _code_texts(series: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    native = series.to_native()
    library = type(native).__module__.split(".")[0]
    if library == "polars":
        import polars as pl

        native = native.cast(pl.String)
        if find_spec("pyarrow") is None:
            return _code_polars(native)
        # Half the time of polars' own means.
        native, library = native.to_arrow(), "pyarrow"
    if library == "pandas":
        import pandas as pd

        codes, found = pd.factorize(native)
        return _in_order(np.asarray(found, dtype=object), codes, name)
    if library == "pyarrow":
        return _code_arrow(native, name)
    return _code_objects(np.array(series.to_list(), dtype=object), name)


def _code_arrow(native: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Code texts by the dictionary Arrow makes of them."""
    texts = native.cast("string")
    whole = texts.combine_chunks() if hasattr(texts, "combine_chunks") else texts
    encoded = whole.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return _in_order(found, codes, name)


def _code_polars(texts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Code texts by a dictionary of the column's own.

    polars' categorical type would leave the labels in a table shared by the process.
    """
    import polars as pl

    # A group-by uses all cores and takes half the time of Series.unique.
    found = texts.alias("label").to_frame().group_by("label").len()["label"]
    labels = found.drop_nulls().sort()
    codes = texts.cast(pl.Enum(labels)).to_physical().cast(pl.Int64).fill_null(-1)
    return np.array(labels.to_list(), dtype=str), codes.to_numpy()


def _code_objects(array: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    numbers: dict[object, int] = {}
    codes = np.fromiter(
        (
            -1 if is_missing(one) else numbers.setdefault(one, len(numbers))
            for one in array.tolist()
        ),
        dtype=np.int64,
        count=len(array),
    )
    found = np.empty(len(numbers), dtype=object)
    found[:] = list(numbers)
    return _in_order(found, codes, name)


def _in_order(
    found: np.ndarray, codes: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Renumber labels by their order; -1 stays."""
    try:
        order = np.array(sorted(range(len(found)), key=found.__getitem__), dtype=int)
    except TypeError as fault:
        kinds = sorted({type(one).__name__ for one in found.tolist()})
        raise DataError(
            f"column {name!r} should hold labels of one kind, but mixes "
            f"{', '.join(kinds)}, which have no common order. Convert it to one type: "
            f"frame[{name!r}].astype(str)."
        ) from fault
    rank = np.empty(len(found) + 1, dtype=np.int64)
    rank[order] = np.arange(len(found))
    rank[-1] = -1  # where code -1 looks
    labels = found[order]
    if len(labels) and all(isinstance(one, str) for one in labels.tolist()):
        labels = labels.astype(str)
    return labels, rank[codes]
