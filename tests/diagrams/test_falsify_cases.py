"""Tests of a graph where data are awkward: sparse, weighted, clustered, or too fine."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

import distcausal as dc
from distcausal.diagrams.dependence import corrected_test
from distcausal.diagrams.independence import g_test, shuffled_p_value
from distcausal.diagrams.invariance import hotelling
from distcausal.errors import DataError, DesignError, InferenceWarning

COLLIDER = dc.CausalGraph.from_edges("A->C; B->C")
FORK = dc.CausalGraph.from_edges("; ".join(f"C{i}->A; C{i}->B" for i in range(4)))
TIMES = 200
# a right test of 5 % rejects fewer in 200 samples, 999 times in 1000
MOST = 0.1


def noise(names, states, n, seed):
    """Frame of independent variables."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.integers(0, states, n) for name in names})


def corrected(one, other, stratum, weight=None, cluster=None):
    """Corrected test of rows."""
    rows = np.arange(len(one))
    weight = np.ones(len(one)) if weight is None else weight
    unit = rows if cluster is None else cluster
    units = csr_array((weight, (unit, rows)))
    effective = weight.sum() ** 2 / (weight**2).sum()
    if cluster is not None:
        effective = units.shape[0]
    times = np.ones(units.shape[0])
    return corrected_test(one, other, stratum, units, times, effective)


def test_sparse_strata_are_shuffled_and_a_true_graph_survives():
    frame = noise(["A", "B", "C0", "C1", "C2", "C3"], 4, 3000, seed=0)
    found = dc.falsify(frame, FORK, kinds="independence")
    at = found.label.index("A _||_ B | C0, C1, C2, C3")
    assert found.method[at].endswith("shuffles")
    assert found.p_value[at] > 1e-3
    assert found.rejected() == ()
    with pytest.warns(InferenceWarning, match="too few for the limiting law"):
        limit = dc.falsify(frame, FORK, kinds="independence", draws=0)
    assert limit.p_value[at] < 1e-9  # what the default would say without shuffles


def test_counts_that_are_large_need_no_shuffles():
    found = dc.falsify(noise("ABC", 3, 2000, seed=1), COLLIDER)
    assert found.method == ("likelihood ratio",)


@pytest.mark.parametrize(("states", "strata", "n"), [(2, 16, 100), (3, 81, 300)])
def test_shuffles_that_end_early_hold_their_size(states, strata, n):
    rng = np.random.default_rng(2)
    rejected = 0
    for _ in range(TIMES):
        one, other = rng.integers(0, states, (2, n))
        stratum = rng.integers(0, strata, n)
        found = shuffled_p_value(one, other, stratum, 999, rng, enough=20)
        rejected += found.p_value <= 0.05
    assert rejected / TIMES < MOST


def test_shuffles_end_once_the_answer_is_clear():
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 2, (2, 50))
    alike = np.zeros(50, dtype=int)
    found = shuffled_p_value(one, other, alike, 9999, rng, enough=20)
    assert found.draws < 9999
    assert_allclose(found.p_value, 20 / found.draws)
    strong = shuffled_p_value(one, one, alike, 9999, rng, enough=20)
    assert strong.draws == 9999
    assert_allclose(strong.p_value, 1 / 10000)


def test_many_states_cost_no_table():
    rng = np.random.default_rng(4)
    one, other = rng.integers(0, 100_000, (2, 1000))
    found = g_test(one, other, rng.integers(0, 100_000, 1000) % 2, np.ones(1000))
    assert found.df > 1000
    assert found.small


@pytest.mark.parametrize(
    ("clusters", "states", "n"), [(8, 4, 1000), (15, 4, 1000), (50, 4, 1000)]
)
def test_clusters_reject_no_more_than_they_say(clusters, states, n):
    rng = np.random.default_rng(5)
    cluster, alike = np.arange(n) % clusters, np.zeros(n, dtype=int)
    rejected = 0
    for _ in range(TIMES):
        one, other = rng.integers(0, states, (2, n))
        rejected += corrected(one, other, alike, cluster=cluster).p_value < 0.05
    assert rejected / TIMES < MOST


def test_weights_reject_no_more_than_they_say():
    rng = np.random.default_rng(6)
    rejected = np.zeros(2)
    for _ in range(TIMES):
        one, other, stratum = rng.integers(0, 3, (3, 300))
        weight = np.exp(rng.normal(size=300))
        few = slice(60)
        rejected += (
            corrected(one, other, stratum, weight).p_value < 0.05,
            corrected(one[few], other[few], 0 * stratum[few]).p_value < 0.05,
        )
    assert (rejected / TIMES < MOST).all(), rejected


def test_dependence_within_clusters_is_no_dependence_between_variables():
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(30), 40)
    alike = np.zeros(len(cluster), dtype=int)
    naive = clustered = 0
    for _ in range(TIMES):
        one, other = (
            (rng.random(1200) < rng.beta(0.5, 0.5, 30)[cluster]).astype(int)
            for _ in range(2)
        )
        clustered += corrected(one, other, alike, cluster=cluster).p_value < 0.05
        naive += g_test(one, other, alike, np.ones(1200)).p_value < 0.05
    assert clustered / TIMES < MOST
    assert naive / TIMES > 0.3


def test_corrected_test_of_equal_weights_is_pearsons():
    from scipy.stats import chi2_contingency

    rng = np.random.default_rng(8)
    one = rng.integers(0, 3, 5000)
    other = rng.integers(0, 3, 5000)
    table = np.zeros((3, 3))
    np.add.at(table, (one, other), 1)
    found = corrected(one, other, np.zeros(5000, dtype=int))
    theirs = chi2_contingency(table, correction=False)
    # both variances of a product are estimated, and equal up to a few hundredths
    assert found.df == theirs.dof
    assert_allclose(found.statistic, theirs.statistic, rtol=0.05)
    assert_allclose(found.p_value, theirs.pvalue, atol=0.02)


def test_dependence_is_found_in_clusters_fewer_than_degrees_of_freedom():
    rng = np.random.default_rng(9)
    one = rng.integers(0, 4, 800)
    frame = pd.DataFrame({"A": one, "B": (one + (rng.random(800) < 0.3)) % 4, "C": 0})
    frame["C"] = rng.integers(0, 2, 800)
    with pytest.warns(InferenceWarning, match="8 clusters are few"):
        found = dc.falsify(frame, COLLIDER, cluster=np.arange(800) % 8)
    assert found.method == ("Rao-Scott",)
    assert found.p_value[0] < 0.01


def test_hotellings_law_is_that_of_squared_means():
    rng = np.random.default_rng(10)
    rejected = 0
    for _ in range(1000):
        draws = rng.normal(size=(12, 5))
        mean, covariance = draws.mean(axis=0), np.cov(draws.T) / 12
        rejected += hotelling(mean @ np.linalg.solve(covariance, mean), 5, 12) < 0.05
    # four standard errors of a share of 5 % in 1000 samples
    assert abs(rejected / 1000 - 0.05) < 0.028


def test_too_few_clusters_for_a_formula_are_the_reason_given():
    graph = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4")
    frame = noise(["V1", "V2", "V3", "V4"], 3, 2000, seed=11)
    with pytest.warns(InferenceWarning):
        found = dc.falsify(frame, graph, kinds="verma", cluster=np.arange(2000) % 6)
    assert found.reason[0].startswith("6 clusters are too few")


def test_one_cluster_is_refused():
    with pytest.raises(DataError, match="one cluster"):
        dc.falsify(noise("ABC", 2, 100, seed=1), COLLIDER, cluster=np.zeros(100))


def test_columns_without_repeated_values_are_refused_by_name():
    rng = np.random.default_rng(12)
    frame = noise("ABC", 2, 20_000, seed=1).assign(A=rng.normal(size=20_000))
    with pytest.raises(DesignError, match=r"A \(20000\).* Cut numeric"):
        dc.falsify(frame, COLLIDER)


def test_formulas_over_many_states_are_untested_and_say_why():
    graph = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4")
    frame = noise(["V1", "V2", "V3", "V4"], 300, 3000, seed=13)
    with pytest.warns(InferenceWarning):
        found = dc.falsify(frame, graph, kinds="verma")
    assert "answers" in found.reason[0]


def test_gaps_are_dropped_on_request_and_counted():
    frame = noise("ABC", 2, 500, seed=14).astype(float)
    frame.loc[:9, "A"] = np.nan
    with pytest.raises(DataError, match="missing='drop'"):
        dc.falsify(frame, COLLIDER)
    found = dc.falsify(frame, COLLIDER, missing="drop")
    assert found.settings["dropped"] == 10
    assert found["n"][0] == 490


def test_a_key_is_a_seed_and_settings_can_be_written_down():
    frame = noise("ABC", 3, 30, seed=15)
    one, other = (
        dc.falsify(frame, COLLIDER, draws=199, seed=seed)
        for seed in (7, jax.random.key(7))
    )
    assert one.p_value[0] == other.p_value[0]
    assert "distcausal" in other.settings["versions"]
    array = dc.falsify(frame, COLLIDER, weights=np.ones(30))
    assert array.settings["weights"] == "array"
    assert type(other).from_json(other.to_json()) == other


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"draws": 1.5}, "draws"),
        ({"draws": True}, "draws"),
        ({"seed": "a"}, "seed"),
        ({"missing": "ignore"}, "missing"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(options, match):
    with pytest.raises(DesignError, match=match):
        dc.falsify(noise("ABC", 2, 100, seed=1), COLLIDER, **options)


def test_figure_has_a_line_per_tested_statement():
    frame = noise(["A", "B", "C0", "C1", "C2", "C3"], 2, 400, seed=16)
    frame["C3"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        found = dc.falsify(frame, FORK, kinds="independence")
    data, axes = found.plot_data(), found.plot()
    tested = ~np.isnan(found.p_value)
    assert list(data["p_value"]) == list(found.p_value[tested])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(data["label"])
