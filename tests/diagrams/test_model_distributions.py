"""A model gives the outcome after an intervention back as random distributions."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

import distcausal as dc

GRAPH = dc.CausalGraph.from_edges("Z->X->Y; Z->Y")
MODEL = dc.random_model(GRAPH, states={"Y": 3}, seed=1)


def test_units_are_settings_and_atoms_are_states() -> None:
    found = MODEL.distributions("Y", do=["X"])
    law = MODEL.query("Y", do=["X"])
    assert_allclose(found.mass, law.values.T)
    assert_allclose(found.mean(), np.arange(3) @ law.values)
    assert found.columns["X"].tolist() == [0, 1]


def test_lists_of_interventions_are_units_too() -> None:
    found = MODEL.distributions("Y", do={"X": [1, 0, 1]}, given={"Z": 0})
    assert len(found) == 3
    assert_allclose(found.mass[0], found.mass[2])


def test_states_that_name_distributions_are_averaged() -> None:
    firms = dc.RandomDistributions.from_samples(
        [[0.0, 1.0], [10.0, 12.0], [5.0]], ids=[0, 1, 2]
    )
    law = MODEL.query("Y", do=["X"]).values
    mixed = MODEL.distributions("Y", do=["X"], outcomes=firms)
    assert_allclose(mixed.mean(), firms.mean() @ law)
    middle = MODEL.distributions("Y", do=["X"], outcomes=firms, summary="barycentre")
    levels = [0.2, 0.7]
    assert_allclose(middle.quantiles(levels), law.T @ firms.quantiles(levels))


def test_a_fitted_model_gives_distributions_back() -> None:
    rows = MODEL.joint().to_frame("count")
    rows["count"] = (rows["count"] * 1e6).round()
    fitted = dc.CausalModel.fit(rows, GRAPH, weights="count")
    assert_allclose(
        fitted.distributions("Y", do=["X"]).mass,
        MODEL.distributions("Y", do=["X"]).mass,
        atol=1e-4,  # counts were rounded to millionths
    )
