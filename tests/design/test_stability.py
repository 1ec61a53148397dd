"""Sizes that are required: what draws show, what bounds prove, and that they agree."""

from __future__ import annotations

import numpy as np
import pytest

import distcausal as dc

SPACE = dc.PolynomialSpace(index=dc.TotalDegree(4))


def test_interval_and_bound_enclose_the_probability_counted():
    found = dc.stability(dc.IID(SPACE, 60), delta=0.5, draws=2000)
    assert found.conf_low < found.probability < found.conf_high
    assert 0 < found.bound <= found.conf_high
    points = dc.IID(SPACE, 60).sample_many(2000)
    share = np.mean(points.gram_eigenvalues[:, 0] >= 0.5)
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
    bounds = [
        dc.stability(dc.IID(space, n), delta=0.9, event="norm", draws=20).bound
        for n in (264, 265)
    ]
    assert bounds[0] < 0.99 <= bounds[1]


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


def test_stable_points_keep_what_is_promised_of_them():
    """Errors of fits on stable draws against every factor, for a kink."""
    space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    nodes, mass = np.polynomial.legendre.leggauss(200)
    values, f = space.values(nodes[:, None]), np.abs(nodes - 0.1)
    best = values.T @ (mass / 2 * f)
    best_sq = np.sum(mass / 2 * (f - values @ best) ** 2)
    # Any polynomial of the space bounds the smallest uniform error from above.
    uniform = np.abs(f - values @ best).max()
    for design in (dc.IID(space, 25, 0.5), dc.RepeatedDPP(space, 3)):
        found = dc.stability(design, delta=0.7, draws=1000)
        points = design.conditioned(0.7).sample_many(1000, seed=1)
        coef = dc.wls(points, np.abs(points.x[..., 0] - 0.1)).coef
        loss = best_sq + np.sum((coef - best) ** 2, axis=1)
        assert loss.mean() < found.expected_factor * best_sq
        if design.share < 1:
            assert np.sqrt(loss.max()) < found.uniform_factor * uniform
        else:
            assert found.uniform_factor is None


def test_factors_are_the_formulas_and_absent_where_nothing_is_known():
    space = dc.MercerSpace("brownian_bridge", 4)
    found = dc.stability(dc.IID(space, 20, 0.5), delta=0.5, draws=100)
    # The trace is 1/6 and the first eigenvalue 1/pi^2.
    expected = 1 / np.pi + np.sqrt(1 / 6 / (0.5 * 0.5))
    np.testing.assert_allclose(found.native_factor, expected, rtol=1e-9)
    assert found.uniform_factor is None
    volume = dc.stability(dc.VolumeSampling(SPACE, 8, 0.5), draws=100)
    assert volume.expected_factor is None
    assert volume.uniform_factor == 3.0
    greedy = dc.VolumeSampling(SPACE, 12).greedy(6)
    assert dc.stability(greedy, draws=50).expected_factor is None


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(dc.DesignError, match="confidence 95"):
        dc.stability(dc.IID(SPACE, 20), confidence=95)
    with pytest.raises(dc.DesignError, match="confidence 95"):
        dc.required_size(SPACE, "iid", confidence=95)


def test_what_was_counted_can_be_read_stored_and_cited():
    found = dc.stability(dc.IID(SPACE, 20), draws=100)
    needed = dc.required_size(SPACE, "repeated", delta=0.9, eta=0.2, draws=100)
    for result in (found, needed):
        assert type(result).from_json(result.to_json()) == result
        assert "Shares of stable draws" in str(result)
        assert "Nouy" in result.cite()
    assert len(found.tidy()) == 1
    assert f"{found.probability:.4f}" in str(found)
    assert str(needed.n_points) in needed.to_markdown()
