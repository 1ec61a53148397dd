"""Frames of rows and frames of cells are told apart, whatever else they hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import distcausal as dc

EXACT = 1e-12  # shares of a few hundred counts, added in another order


def test_cells_count_as_often_as_they_say() -> None:
    table = dc.datasets.smoking_tar_cancer()
    found = dc.identify(table.graph, "C", do="S")
    truth = found.evaluate(table.joint).values
    counts = table.frame.rename(columns={"probability": "count"})
    rows = counts.loc[counts.index.repeat((100 * counts["count"]).round().astype(int))]
    for frame in (table.frame, counts, rows.drop(columns="count")):
        assert_allclose(found.evaluate(frame).values, truth, rtol=0, atol=EXACT)


def test_a_variable_may_be_called_count() -> None:
    sim = dc.datasets.make_causal_model("back-door", n=500, seed=2)
    found = dc.identify(sim.graph, "Y", do="X")
    renamed = dc.CausalGraph.from_edges("count -> X -> Y; count -> Y")
    other = dc.identify(renamed, "Y", do="X")
    frame = sim.frame.rename(columns={"Z": "count"})
    one, two = found.evaluate(sim.frame), other.evaluate(frame)
    assert_allclose(one.values, two.values, rtol=0, atol=EXACT)


def test_columns_that_are_no_variables_do_not_matter() -> None:
    sim = dc.datasets.make_causal_model("front-door", n=20_000, seed=3)
    found = dc.identify(sim.graph, "Y", do="X")
    rng = np.random.default_rng(0)
    # a joint law over these would have 1.6e9 entries
    wide = sim.frame.assign(person=np.arange(20_000), age=rng.normal(size=20_000))
    one, two = found.evaluate(sim.frame), found.evaluate(wide)
    assert_allclose(one.values, two.values, rtol=0, atol=0)


def test_cells_whose_number_has_another_name_are_pointed_out() -> None:
    table = dc.datasets.smoking_tar_cancer()
    found = dc.identify(table.graph, "C", do="S")
    with pytest.warns(dc.DataWarning, match="'value' says how often"):
        found.evaluate(table.joint.to_frame())


def test_a_model_fitted_to_cells_is_the_one_fitted_to_rows() -> None:
    stones = dc.datasets.kidney_stones()
    frame = stones.frame
    rows = frame.loc[frame.index.repeat(frame["count"])].drop(columns="count")
    one = dc.CausalModel.fit(frame, stones.graph)
    two = dc.CausalModel.fit(rows, stones.graph)
    for name in stones.graph.nodes:
        assert_allclose(one.tables[name], two.tables[name], rtol=0, atol=EXACT)
    # 0.8325 is the published standardised share of treatment A
    answer = one.query("success", do={"treatment": "A"}).sel(success="yes")
    assert float(answer) == pytest.approx(0.832546, abs=5e-7)
