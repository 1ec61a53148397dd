"""Long tables of any library, in any order, give the same object."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import distcausal as dc
from distcausal.errors import DataError, DataWarning
from tests.strategies import weighted_samples

LEVELS = np.arange(1, 20) / 20
LABELS = {
    "numbers": lambda unit: 7 * unit - 3,
    "wide numbers": lambda unit: 10**12 * (unit - 2),
    "texts": lambda unit: f"unit_{unit}% & $x^2$ \\alpha ä",
    "times": lambda unit: dt.datetime(2020, 1, 1) + dt.timedelta(days=unit),
    "days": lambda unit: dt.date(1600, 1, 1) + dt.timedelta(days=unit),
    "truths": lambda unit: bool(unit % 2),
    "fractions": lambda unit: unit / 4 - 0.5,
}


def long_table(drawn, weights, label):
    rows = [
        {
            "id": label(unit),
            "y": y,
            "w": w,
            "x": 0.5 * (unit % 2) - 0.1,
            "s": "ab"[unit % 2],
        }
        for unit, (draws, mass) in enumerate(zip(drawn, weights, strict=True))
        for y, w in zip(draws.tolist(), mass.tolist(), strict=True)
    ]
    return pl.DataFrame(rows, schema_overrides={"w": pl.Float64})


def bits(data):
    parts = [data.values, data.offsets, data.quantiles(LEVELS), data.mean()]
    if data.has_weights:
        parts.append(data.weights)
    parts += [data.columns[name] for name in sorted(data.columns)]
    return [(data.ids.tolist(), str(data.ids.dtype))] + [
        (str(part.dtype), part.tobytes()) for part in parts
    ]


def gather(frame, weight="w"):
    return dc.RandomDistributions.from_frame(
        frame, unit="id", value="y", weight=weight, columns=["x", "s"]
    )


def variants(table, seed):
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=seed)
    frame = shuffled.to_pandas()
    frame.index = pd.Index(range(100, 100 + len(frame)))[::-1]
    yield "polars shuffled", shuffled
    yield "polars lazy", shuffled.lazy()
    yield "pandas shuffled", frame
    yield "pandas nullable", frame.convert_dtypes()
    yield "pandas arrow", frame.convert_dtypes(dtype_backend="pyarrow")
    yield "pandas duplicated index", frame.set_index(np.zeros(len(frame), int))
    yield "arrow", shuffled.to_arrow()
    halves = [shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]]
    yield "arrow in chunks", pa.concat_tables([half.to_arrow() for half in halves])


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("weight", [None, "w"])
@given(case=weighted_samples(), seed=st.integers(0, 99))
def test_libraries_and_row_orders_give_the_same_bits(labels, weight, case, seed):
    table = long_table(*case, LABELS[labels])
    known = bits(gather(table, weight))
    for name, frame in variants(table, seed):
        assert bits(gather(frame, weight)) == known, name


@given(case=weighted_samples())
def test_categories_are_ordered_by_their_labels_not_by_their_codes(case):
    table = long_table(*case, LABELS["texts"])
    known = bits(gather(table))
    frame = table.to_pandas()
    backwards = sorted(frame["id"].unique(), reverse=True)
    frame["id"] = pd.Categorical(frame["id"], categories=[*backwards, "never seen"])
    assert bits(gather(frame)) == known
    assert bits(gather(table.with_columns(pl.col("id").cast(pl.Categorical)))) == known
    assert (
        bits(gather(table.with_columns(pl.col("id").cast(pl.Enum(backwards))))) == known
    )
    coded = table.to_arrow().set_column(
        0, "id", table["id"].to_arrow().cast("string").dictionary_encode()
    )
    assert bits(gather(coded)) == known


@given(case=weighted_samples())
def test_a_table_and_the_lists_in_it_are_the_same_data(case):
    drawn, weights = case
    table = long_table(drawn, weights, int)
    listed = dc.RandomDistributions.from_samples(drawn, weights=weights)
    gathered = gather(table)
    assert_array_equal(gathered.values, listed.values)
    assert_array_equal(gathered.weights, listed.weights)
    assert_array_equal(gathered.offsets, listed.offsets)


def test_more_units_than_a_short_code_can_number():
    units = np.random.default_rng(0).permutation(70_000)
    frame = pd.DataFrame({"id": units, "y": units * 0.5})
    data = dc.RandomDistributions.from_frame(frame, unit="id", value="y")
    assert_array_equal(data.ids, np.arange(70_000))
    assert_array_equal(data.values, np.arange(70_000) * 0.5)


def test_nothing_of_the_table_is_changed():
    frame = pd.DataFrame({"id": [2, 1, 2], "y": [3.0, -0.0, 1.0], "w": [1.0, 2.0, 0.0]})
    before = frame.copy(deep=True)
    for column in frame:
        frame[column].to_numpy().flags.writeable = False
    dc.RandomDistributions.from_frame(frame, unit="id", value="y", weight="w")
    pd.testing.assert_frame_equal(frame, before)


def test_rows_of_weight_zero_are_left_out():
    frame = pd.DataFrame({"id": [1, 1, 2], "y": [3.0, 9.0, 1.0], "w": [1.0, 0.0, 2.0]})
    data = dc.RandomDistributions.from_frame(frame, unit="id", value="y", weight="w")
    assert_array_equal(data.sizes, [1, 1])
    assert_array_equal(data.quantiles([0.9]), [[3.0], [1.0]])


HOLES = pd.DataFrame(
    {
        "firm": ["a", "a", "b", "c", None, "c"],
        "wage": [1.0, np.nan, np.inf, 4.0, 5.0, 6.0],
        "hours": [1.0, 1.0, 1.0, np.nan, 1.0, 1.0],
        "margin": [0.1, 0.1, 0.2, 0.3, 0.9, 0.3],
    }
)


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow", "nullable"])
def test_dropped_rows_are_counted_and_vanished_units_named(library):
    frame = {
        "pandas": HOLES,
        "polars": pl.from_pandas(HOLES),
        "arrow": pa.Table.from_pandas(HOLES),
        "nullable": HOLES.convert_dtypes(),
    }[library]
    with pytest.warns(DataWarning, match=r"left nothing of 1 of 3 units \(b\)"):
        data = dc.RandomDistributions.from_frame(
            frame,
            unit="firm",
            value="wage",
            weight="hours",
            columns=["margin"],
            missing="drop",
        )
    assert data.ids.tolist() == ["a", "c"]
    assert_array_equal(data.values, [1.0, 6.0])
    assert_array_equal(data.columns["margin"], [0.1, 0.3])
    gone = data.missing
    assert (gone.rows, gone.values, gone.weights, gone.ids) == (4, 2, 1, 1)
    assert gone.by_unit == {"a": 1, "b": 1, "c": 1}
    assert gone.vanished == ("b",)
    assert "4 rows from 3 units: a (1), b (1), c (1); nothing left of b" in str(
        data.summary()
    )


def test_missing_whole_number_labels_stay_whole_numbers():
    for frame in (
        pd.DataFrame({"id": [1, None, 3], "y": [1.0, 2.0, 3.0]}),
        pl.DataFrame({"id": [1, None, 3], "y": [1.0, 2.0, 3.0]}),
    ):
        data = dc.RandomDistributions.from_frame(
            frame, unit="id", value="y", missing="drop"
        )
        assert data.ids.dtype == np.int64
        assert data.ids.tolist() == [1, 3]


def test_missing_rows_raise_unless_told_to_drop():
    with pytest.raises(DataError) as raised:
        dc.RandomDistributions.from_frame(
            HOLES, unit="firm", value="wage", weight="hours"
        )
    text = str(raised.value)
    for part in ("4 of 6", "2 in 'wage'", "1 in 'hours'", "1 in 'firm'", "a, b, c"):
        assert part in text
    assert 'missing="drop"' in text


def test_truth_values_and_decimals_are_numbers():
    from decimal import Decimal

    frame = pl.DataFrame(
        {"id": [1, 1], "y": [True, False], "d": [Decimal("1.5"), Decimal("2.5")]}
    )
    assert dc.RandomDistributions.from_frame(frame, unit="id", value="y").mean() == 0.5
    assert dc.RandomDistributions.from_frame(frame, unit="id", value="d").mean() == 2.0


def test_a_column_missing_throughout_a_unit_is_constant_there():
    frame = pd.DataFrame(
        {"id": [1, 1, 2], "y": 1.0, "x": [np.nan, np.nan, 2.0], "s": [None, None, "b"]}
    )
    data = dc.RandomDistributions.from_frame(
        frame, unit="id", value="y", columns=["x", "s"]
    )
    assert_array_equal(data.columns["x"], [np.nan, 2.0])
    assert data.columns["s"].tolist() == [None, "b"]


def test_which_zero_a_column_shows_does_not_depend_on_the_order_of_rows():
    frame = pd.DataFrame({"id": 1, "y": [1.0, 2.0], "x": [-0.0, 0.0]})
    for rows in (frame, frame[::-1]):
        data = dc.RandomDistributions.from_frame(
            rows, unit="id", value="y", columns=["x"]
        )
        assert not np.signbit(data.columns["x"][0])


def test_polars_texts_need_no_pyarrow(monkeypatch):
    table = pl.DataFrame({"id": ["b", None, "a", "b"], "y": [1.0, 2.0, 3.0, 4.0]})
    known = dc.RandomDistributions.from_frame(
        table, unit="id", value="y", missing="drop"
    )
    monkeypatch.setattr("distcausal.data.coding.find_spec", lambda name: None)
    alone = dc.RandomDistributions.from_frame(
        table, unit="id", value="y", missing="drop"
    )
    assert alone.ids.tolist() == known.ids.tolist() == ["a", "b"]
    assert alone.ids.dtype == known.ids.dtype
    assert_array_equal(alone.values, known.values)
    assert_array_equal(alone.values, [3.0, 1.0, 4.0])
