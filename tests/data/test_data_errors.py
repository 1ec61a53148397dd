"""Each rule of the data has an error that names the units, the column and a remedy."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import distcausal as dc
from distcausal.data import unit_column
from distcausal.errors import DataError, DesignError

RD = dc.RandomDistributions
GOOD = pd.DataFrame(
    {
        "firm": ["a", "a", "b"],
        "wage": [1.0, 2.0, 3.0],
        "hours": [1.0, 2.0, 3.0],
        "margin": [0.1, 0.2, 0.3],
        "name": ["x", "y", "z"],
        "day": [dt.datetime(2020, 1, 1)] * 3,
    }
)
frame = {"unit": "firm", "value": "wage"}


def changed(**columns):
    return GOOD.assign(**columns)


CASES = {
    "absent unit": (
        lambda: RD.from_frame(GOOD, unit="frm", value="wage"),
        ["unit 'frm'", "'firm'", "Did you mean 'firm'"],
    ),
    "absent value": (
        lambda: RD.from_frame(GOOD, unit="firm", value="wages"),
        ["value 'wages'", "Did you mean 'wage'"],
    ),
    "absent column": (
        lambda: RD.from_frame(GOOD, **frame, columns=["margn"]),
        ["'margn'", "Did you mean 'margin'"],
    ),
    "no rows": (lambda: RD.from_frame(GOOD[:0], **frame), ["no rows"]),
    "not a table": (
        lambda: RD.from_frame([[1.0]], **frame),
        ["frame", "list", "from_samples"],
    ),
    "text outcome": (
        lambda: RD.from_frame(GOOD, unit="firm", value="name"),
        ["value 'name'", "texts (x, y, z)", "to_numeric"],
    ),
    "numbers as text": (
        lambda: RD.from_frame(
            changed(wage=pd.Series(["1", "2", "3"], dtype=object)), **frame
        ),
        ["value 'wage'", "texts (1, 2, 3)"],
    ),
    "time outcome": (
        lambda: RD.from_frame(GOOD, unit="firm", value="day"),
        ["value 'day'", "dates or times", "days since"],
    ),
    "text weight": (
        lambda: RD.from_frame(GOOD, **frame, weight="name"),
        ["weight 'name'", "numeric"],
    ),
    "mixed labels": (
        lambda: RD.from_frame(
            changed(firm=pd.Series(["a", 1, 2], dtype=object)), **frame
        ),
        ["column 'firm'", "int, str", "astype(str)"],
    ),
    "missing value": (
        lambda: RD.from_frame(changed(wage=[1.0, None, 3.0]), **frame),
        ["1 of 3", "'wage'", "(a)", 'missing="drop"'],
    ),
    "infinite value": (
        lambda: RD.from_frame(changed(wage=[1.0, 2.0, np.inf]), **frame),
        ["1 of 3", "'wage'", "(b)"],
    ),
    "nothing left": (
        lambda: RD.from_frame(changed(wage=np.nan), **frame, missing="drop"),
        ["all 3 rows"],
    ),
    "overflowing value": (
        lambda: RD.from_frame(changed(wage=[1e308, 2.0, 3.0]), **frame),
        ["'wage'", "units a", "Rescale"],
    ),
    "negative weight": (
        lambda: RD.from_frame(changed(hours=[1.0, -2.0, 3.0]), **frame, weight="hours"),
        ["weight 'hours'", "1 of 3", "units a"],
    ),
    "zero weights": (
        lambda: RD.from_frame(changed(hours=[1.0, 2.0, 0.0]), **frame, weight="hours"),
        ["weight 'hours'", "1 of 2 units (b)"],
    ),
    "missing weight": (
        lambda: RD.from_frame(
            changed(hours=[1.0, np.nan, 1.0]), **frame, weight="hours"
        ),
        ["1 in 'hours'", "(a)"],
    ),
    "varying column": (
        lambda: RD.from_frame(GOOD, **frame, columns=["margin"]),
        ["column 'margin'", "1 of 2 units (a)", "aggregate"],
    ),
    "varying text column": (
        lambda: RD.from_frame(GOOD, **frame, columns="name"),
        ["column 'name'", "1 of 2 units (a)"],
    ),
    "partly missing column": (
        lambda: RD.from_frame(
            changed(margin=[np.nan, 0.1, 0.2]), **frame, columns=["margin"]
        ),
        ["column 'margin'", "(a)"],
    ),
    "rule without weights": (
        lambda: RD.from_frame(GOOD, **frame, weight="hours", quantile_rule="weibull"),
        ["'weibull'", "weighted", "'inverse'", "'hazen'"],
    ),
    "empty unit": (
        lambda: RD.from_samples([[1.0], [], []], ids=["a", "b", "c"]),
        ["2 of 3 units", "(b, c)"],
    ),
    "no units": (lambda: RD.from_samples([]), ["samples", "at least one"]),
    "nested draws": (
        lambda: RD.from_samples([[1.0], [[2.0]]]),
        ["entry 1", "shape (1, 1)", "from_frame"],
    ),
    "text draws": (lambda: RD.from_samples([["1", "2"]]), ["entry 0", "<U1"]),
    "one array": (lambda: RD.from_samples(np.arange(3.0)), ["(3,)", "(unit, draw)"]),
    "a mapping": (lambda: RD.from_samples({"a": [1.0]}), ["samples", "dict"]),
    "missing draw": (
        lambda: RD.from_samples([[1.0], [np.nan, 2.0]], ids=["a", "b"]),
        ["samples", "1 of 3", "(b)"],
    ),
    "masked draw": (
        lambda: RD.from_samples([np.ma.array([1.0, 2.0], mask=[0, 1])], ids=["a"]),
        ["samples", "1 of 2", "(a)"],
    ),
    "weights of other length": (
        lambda: RD.from_samples(
            [[1.0, 2.0], [1.0]], weights=[[1.0], [1.0]], ids=["a", "b"]
        ),
        ["weights", "1 of 2 units (a)"],
    ),
    "fewer weights": (
        lambda: RD.from_samples([[1.0], [2.0]], weights=[[1.0]]),
        ["weights", "2 units", "has 1"],
    ),
    "repeated label": (
        lambda: RD.from_samples([[1.0], [2.0]], ids=["a", "a"]),
        ["ids", "1 of 1", "(a)", "from_frame"],
    ),
    "fewer labels": (
        lambda: RD.from_samples([[1.0], [2.0]], ids=["a"]),
        ["ids", "2 units", "has 1"],
    ),
    "short column": (
        lambda: RD.from_samples([[1.0], [2.0]], columns={"x": [1.0]}),
        ["column 'x'", "2 units", "has 1"],
    ),
    "single value as column": (
        lambda: RD.from_samples([[1.0], [2.0]], columns={"x": 1.0}),
        ["column 'x'", "single value"],
    ),
    "columns in a list": (
        lambda: RD.from_samples([[1.0]], columns=["x"]),
        ["columns", "list"],
    ),
    "level of one": (
        lambda: RD.from_quantiles([[1.0, 2.0]], [0.5, 1.0]),
        ["levels", "between 0 and 1", "(1.0)"],
    ),
    "percentages": (
        lambda: RD.from_samples([[1.0]]).quantiles([25, 50]),
        ["levels", "2 of 2", "dividing by 100"],
    ),
    "unsorted levels": (
        lambda: RD.from_samples([[1.0]]).quantiles([0.5, 0.25]),
        ["levels", "0.5 is followed by 0.25"],
    ),
    "repeated levels": (
        lambda: RD.from_samples([[1.0]]).quantiles([0.5, 0.5]),
        ["levels", "strictly increasing"],
    ),
    "levels of text": (
        lambda: RD.from_samples([[1.0]]).quantiles(["low"]),
        ["levels", "low"],
    ),
    "no levels": (lambda: RD.from_samples([[1.0]]).quantiles([]), ["levels", "(0,)"]),
    "falling curve": (
        lambda: RD.from_quantiles([[1.0, 2.0], [2.0, 1.0]], [0.3, 0.6], ids=["a", "b"]),
        ["1 of 2 units", "(b)", 'repair="project"'],
    ),
    "missing quantile": (
        lambda: RD.from_quantiles([[1.0, np.nan]], [0.3, 0.6], ids=["a"]),
        ["curves", "1 of 2", "(a)"],
    ),
    "columns other than levels": (
        lambda: RD.from_quantiles([[1.0, 2.0]], [0.5]),
        ["curves", "1 levels", "has 2"],
    ),
    "one curve": (
        lambda: RD.from_quantiles([1.0, 2.0], [0.3, 0.6]),
        ["curves", "(2,)", "[None, :]"],
    ),
    "text curves": (lambda: RD.from_quantiles([["a"]], [0.3]), ["curves", "numbers"]),
    "falling edges": (
        lambda: RD.from_bins([0.0, 2.0, 1.0], [[0.5, 0.5]]),
        ["edges", "2 is followed by 1"],
    ),
    "infinite inner edge": (
        lambda: RD.from_bins([0.0, np.inf, 1.0], [[0.5, 0.5]]),
        ["edges", "finite"],
    ),
    "single edge": (lambda: RD.from_bins([0.0], [[1.0]]), ["edges", "at least 2"]),
    "mass not one": (
        lambda: RD.from_bins([0, 1, 2], [[1, 1], [1, 0]], ids=["a", "b"]),
        ["mass", "1 of 2 units (a)", "2 in a", "keepdims"],
    ),
    "negative mass": (
        lambda: RD.from_atoms([0, 1], [[1.5, -0.5]], ids=["a"]),
        ["mass", "negative", "(a)"],
    ),
    "missing mass": (
        lambda: RD.from_atoms([0, 1], [[np.nan, 1.0]], ids=["a"]),
        ["mass", "(a)", "Write 0"],
    ),
    "repeated atom": (
        lambda: RD.from_atoms([0, 0], [[0.5, 0.5]]),
        ["support", "(0)"],
    ),
    "quantile in an open bin": (
        lambda: RD.from_bins([0, 1, np.inf], [[0.5, 0.5]], ids=["a"]).quantiles([0.9]),
        ["a quantile", "open end bin", "(a)", "finite edge"],
    ),
    "mean of an open bin": (
        lambda: RD.from_bins([0, 1, np.inf], [[0.5, 0.5]], ids=["a"]).mean(),
        ["open end bin", "(a)"],
    ),
    "quantile of labels": (
        lambda: RD.from_atoms(["u", "v"], [[0.5, 0.5]]).quantiles([0.5]),
        ["order", "u, v", "expect"],
    ),
    "mean of labels": (
        lambda: RD.from_atoms(["u", "v"], [[0.5, 0.5]]).mean(),
        ["order", "labels"],
    ),
    "listing a law": (
        lambda: RD.from_bins([0, 1], [[1.0]]).to_samples(),
        ["size", "to_quantiles"],
    ),
    "mass outside edges": (
        lambda: RD.from_samples([[1.0], [5.0]], ids=["a", "b"]).to_bins([0, 2]),
        ["edges", "1 of 2 units", "(b)", "-inf"],
    ),
    "unknown law": (lambda: RD.from_law("norm", {"loc": [0]}), ["law 'norm'", "scipy"]),
    "no parameters": (lambda: RD.from_law((abs, abs), {}), ["parameters"]),
    "undefined law": (
        lambda: RD.from_law(
            (lambda p, s: np.where(s > 0, s * p, np.nan), lambda y, s: y / s),
            {"s": [1.0, -1.0]},
            ids=["a", "b"],
        ),
        ["undefined", "1 of 2 units (b)", "s"],
    ),
    "law of the wrong shape": (
        lambda: RD.from_law(
            (lambda p, s: s, lambda y, s: y / s), {"s": [1.0, 2.0]}
        ).quantiles([0.2, 0.4]),
        ["quantile function", "(2, 2)"],
    ),
    "index beyond the units": (
        lambda: RD.from_samples([[1.0]]).take([3]),
        ["index", "3"],
    ),
    "truth values of other length": (
        lambda: RD.from_samples([[1.0]]).take([True, False]),
        ["index", "1 units", "(2,)"],
    ),
    "labels as index": (
        lambda: RD.from_samples([[1.0]], ids=["a"]).take(["a"]),
        ["index", "numpy.isin"],
    ),
    "empty index": (lambda: RD.from_samples([[1.0]]).take([]), ["index", "no units"]),
    "empty slice": (
        lambda: RD.from_samples([[1.0]]).take(slice(1, 1)),
        ["none of the 1"],
    ),
    "other number of units": (
        lambda: RD.from_samples([[1.0]] * 3).distance(RD.from_samples([[1.0]] * 2)),
        ["other", "3 units", "has 2"],
    ),
    "distance to an array": (
        lambda: RD.from_samples([[1.0]]).distance(np.zeros(3)),
        ["other", "ndarray"],
    ),
    "negative unit weights": (
        lambda: RD.from_samples([[1.0], [2.0]], ids=["a", "b"]).barycentre([1.0, -1.0]),
        ["weights", "b"],
    ),
    "all unit weights zero": (
        lambda: RD.from_samples([[1.0]]).mixture([0.0]),
        ["weights", "0 for every unit"],
    ),
    "function of one value": (
        lambda: RD.from_samples([[1.0, 2.0]]).expect(np.sum),
        ["f should return", "(2,)"],
    ),
    "role that is no column": (
        lambda: unit_column(
            RD.from_samples([[1.0]], columns={"margin": [0.1]}),
            "margins",
            argument="running",
        ),
        ["running 'margins'", "'margin'", "Did you mean"],
    ),
    "role of other length": (
        lambda: unit_column(RD.from_samples([[1.0]]), [1, 2], argument="cluster"),
        ["cluster", "1 units", "has 2"],
    ),
    "role that is a number": (
        lambda: unit_column(RD.from_samples([[1.0]]), 3, argument="treatment"),
        ["treatment", "3"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_rule_is_named_with_its_offenders_and_a_remedy(case):
    broken, parts = CASES[case]
    with pytest.raises(DataError) as raised:
        broken()
    for part in parts:
        assert part in str(raised.value)
    assert str(raised.value).endswith((".", ")", "?"))


@pytest.mark.parametrize(
    ("broken", "parts"),
    [
        (lambda: RD.from_frame(GOOD, **frame, missing="skip"), ["'raise', 'drop'"]),
        (lambda: RD.from_samples([[1.0]], quantile_rule="type7"), ["'linear'"]),
        (lambda: RD.from_quantiles([[1.0]], [0.5], repair="fix"), ["'project'"]),
        (
            lambda: RD.from_samples([[1.0]]).distance(
                RD.from_samples([[1.0]]), metric="w3"
            ),
            ["'w1', 'w2', 'winf', 'energy', 'ks'"],
        ),
    ],
)
def test_an_unknown_choice_lists_the_choices(broken, parts):
    with pytest.raises(DesignError) as raised:
        broken()
    for part in parts:
        assert part in str(raised.value)
