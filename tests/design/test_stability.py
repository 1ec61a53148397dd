"""Sizes that are required: what draws show, what bounds prove, and that they agree."""

from __future__ import annotations

import numpy as np
import pytest

import distcausal as dc

SPACE = dc.PolynomialSpace(index=dc.TotalDegree(4))


def test_interval_and_bound_enclose_the_probability_counted():
    found = dc.stability(dc.IID(SPACE, 60), delta=0.8, draws=2000)
    assert found.conf_low < found.probability < found.conf_high
    assert 0 < found.bound <= found.conf_high
    points = dc.IID(SPACE, 60).sample_many(2000)
    share = np.mean(points.gram_eigenvalues[:, 0] >= 0.2)
    assert found.probability == share


@pytest.mark.parametrize("design", ["iid", "volume", "repeated"])
def test_the_size_found_is_the_least_multiple_that_is_stable_enough(design):
    found = dc.required_size(SPACE, design, delta=0.9, eta=0.1, event="norm")
    sizes = [one.n_points for one in found.path]
    assert sizes == sorted(sizes)
    below = [one for one in found.path if one.n_points == found.n_points - SPACE.size]
    at = next(one for one in found.path if one.n_points == found.n_points)
    assert at.conf_low >= 0.9
    assert found.n_points == SPACE.size or below[0].conf_low < 0.9
    assert (found.bound is None) == (design == "repeated")
    if found.bound is not None:
        assert found.bound >= found.n_points
    assert len(found.tidy()) == len(sizes)


def test_repetition_needs_the_fewest_points():
    """The figures of the reference: 15 points against 45 and 40, at 99 of 100."""
    sizes = {
        name: dc.required_size(SPACE, name, delta=0.9, eta=0.02, event="norm").n_points
        for name in ("iid", "volume", "repeated")
    }
    assert sizes["repeated"] <= 15 < sizes["volume"] <= sizes["iid"] <= 60


def test_names_and_classes_mean_the_same():
    by_name = dc.required_size(SPACE, "volume", delta=0.9, eta=0.2, draws=100)
    by_class = dc.required_size(SPACE, dc.VolumeSampling, delta=0.9, eta=0.2, draws=100)
    assert by_name == by_class


def test_the_bound_for_independent_points_is_the_published_formula():
    space = dc.PolynomialSpace(index=dc.TotalDegree(10))
    found = dc.required_size(space, "iid", delta=0.9, eta=0.01, event="norm")
    assert found.bound == 265


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"design": "best"}, "design 'best' is not one of 'iid', 'volume'"),
        ({"delta": 1.5}, "delta 1.5 should be"),
        ({"eta": 0.0}, "eta 0.0 should be"),
        ({"event": "upper"}, "event 'upper' is not one of"),
        ({"draws": 20}, "20 draws cannot show .* at least 72"),
        ({"design": "repeated", "weight": "one"}, "has the optimal weights"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, says):
    with pytest.raises(dc.DesignError, match=says):
        dc.required_size(SPACE, **({"design": "iid"} | options))


def test_a_size_beyond_reach_is_reported(monkeypatch):
    monkeypatch.setattr("distcausal.design.stability._MOST_BLOCKS", 2)
    with pytest.raises(dc.ConvergenceError, match="10 points are stable with"):
        dc.required_size(SPACE, "iid", delta=0.1, eta=0.05)
