"""Tests of a graph: statistics known by hand, sizes held, wrong graphs found out."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.diagrams.independence import g_test, shuffled_p_value
from distcausal.diagrams.invariance import Unmeasured, wald
from distcausal.errors import DataError, DesignError, InferenceWarning

VERMA = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4")
NAPKIN = dc.CausalGraph.from_edges("W1->W2->X->Y; W1<->X; W1<->Y")
CHAIN = dc.CausalGraph.from_edges("A->B->C")
counts = hnp.arrays(np.int64, (2, 3, 2), elements=st.integers(0, 30))


def rows_of(table):
    """Codes and counts of the cells of a table with the stratum first."""
    stratum, one, other = (place.ravel() for place in np.indices(table.shape))
    return one, other, stratum, table.ravel().astype(float)


def frame_of(table, names):
    """Frame with a row per cell of a table of counts."""
    codes = (place.ravel() for place in np.indices(table.shape))
    return pd.DataFrame(dict(zip(names, codes, strict=True)) | {"count": table.ravel()})


def shares(graph, n, seed=0, **options):
    """Frame whose shares are exactly those of a random model, for large ``n``."""
    law = dc.random_model(graph, seed=seed, **options).joint()
    return frame_of(np.round(n * law.values).astype(int), law.names)


def draw(graph, n, seed, model=5, concentration=3.0, **options):
    """Frame with a sample from a random model, in which no cell is rare."""
    law = dc.random_model(
        graph, seed=model, concentration=concentration, **options
    ).joint()
    rng = np.random.default_rng(seed)
    found = rng.multinomial(n, law.values.ravel()).reshape(law.shape)
    return frame_of(found, law.names)


@given(counts)
def test_one_stratum_is_the_likelihood_ratio_test_of_scipy(table):
    from scipy.stats import chi2_contingency

    table = table[:1] + 1
    theirs = chi2_contingency(table[0], lambda_="log-likelihood", correction=False)
    found = g_test(*rows_of(table))
    # sums of about twenty terms of up to a thousand
    assert_allclose(found.statistic, theirs.statistic, rtol=1e-9, atol=1e-10)
    assert found.df == theirs.dof
    assert_allclose(found.p_value, theirs.pvalue, rtol=1e-8)


@given(counts)
def test_strata_add_up(table):
    whole = g_test(*rows_of(table))
    apart = [g_test(*rows_of(one[None])) for one in table]
    assert_allclose(
        whole.statistic, sum(one.statistic for one in apart), rtol=1e-9, atol=1e-9
    )
    assert whole.df == sum(one.df for one in apart)


def test_likelihood_ratio_of_a_table_done_by_hand():
    table = np.array([[[10, 20], [30, 40]]])
    # 2 sum o log(o / e) with expected counts 12, 18, 28, 42
    by_hand = 2 * (
        10 * np.log(10 / 12)
        + 20 * np.log(20 / 18)
        + 30 * np.log(30 / 28)
        + 40 * np.log(40 / 42)
    )
    found = g_test(*rows_of(table))
    assert_allclose(found.statistic, by_hand, rtol=1e-12)
    assert_allclose(found.statistic, 0.8043, atol=5e-5)
    assert found.df == 1


def test_rows_without_counts_have_no_degrees_of_freedom():
    table = np.array([[[5, 5], [0, 0], [3, 7]], [[4, 0], [6, 0], [2, 0]]])
    assert g_test(*rows_of(table)).df == 1


def test_independence_within_strata_is_the_ratio_of_nested_loglinear_models():
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    table = np.random.default_rng(1).integers(5, 40, size=(3, 2, 4))
    cells = frame_of(table, ("s", "a", "b"))
    fit = smf.glm("count ~ C(s)*C(a) + C(s)*C(b)", cells, family=sm.families.Poisson())
    deviance = fit.fit(tol=1e-12).deviance
    found = g_test(*rows_of(table))
    assert_allclose(found.statistic, deviance, rtol=1e-8)  # where their steps end
    assert found.df == 3 * 1 * 3


def test_shuffles_agree_with_the_exact_test_of_fisher():
    from scipy.stats import hypergeom

    table = np.array([[[7, 2], [3, 8]]])
    one, other, stratum, times = (
        np.repeat(part, table.ravel()) for part in rows_of(table)
    )
    draws = 20000
    found = shuffled_p_value(
        one, other, stratum, draws, np.random.default_rng(0)
    ).p_value
    own = g_test(*rows_of(table)).statistic
    exact = 0.0
    for first in range(10):
        # both margins are fixed, so one cell tells the table
        moved = np.array([[[first, 9 - first], [10 - first, 1 + first]]])
        if g_test(*rows_of(moved)).statistic >= own - 1e-9:
            exact += hypergeom.pmf(first, 20, 9, 10)
    error = np.sqrt(exact * (1 - exact) / draws)
    assert abs(found - exact) < 4 * error
    assert len(times) == 20


def test_shuffles_stay_within_strata():
    # all the dependence is between strata; within them counts are as expected
    table = np.array([[[16, 4], [4, 1]], [[1, 4], [4, 16]]])
    one, other, stratum, _ = (np.repeat(part, table.ravel()) for part in rows_of(table))
    found = shuffled_p_value(one, other, stratum, 99, np.random.default_rng(0))
    assert found.p_value == 1.0


def test_seed_decides_the_shuffles():
    frame = draw(CHAIN, 60, seed=1)
    one, same, other = (
        dc.falsify(frame, CHAIN, draws=199, seed=seed).p_value for seed in (1, 1, 2)
    )
    assert_array_equal(one, same)
    assert one[0] != other[0]


@pytest.mark.parametrize("graph", [VERMA, NAPKIN], ids=["verma", "napkin"])
def test_shares_of_a_law_of_the_graph_give_statistics_of_zero(graph):
    found = dc.falsify(shares(graph, 10**12), graph, correction="none")
    # rounding to counts moves shares by 1e-12, statistics by n times its square
    assert (found.statistic < 1e-6).all()
    assert (found.p_value > 0.999).all()
    assert (found.df == 2).all()


@pytest.mark.parametrize(
    ("true", "claimed", "broken"),
    [
        ("V1->V2->V3->V4; V2<->V4; V1->V4", VERMA, "V4 | V2"),
        ("V1->V2->V3->V4; V2<->V4; V1->V3", VERMA, "V1 _||_ V3 | V2"),
        ("W1->W2->X->Y; W1<->X; W1<->Y; W2->Y", NAPKIN, "does not change with w2"),
    ],
)
def test_an_edge_left_out_is_found(true, claimed, broken):
    frame = draw(dc.CausalGraph.from_edges(true), 20000, seed=1, concentration=2.0)
    order = list(claimed.nodes)
    found = dc.falsify(frame[[*order, "count"]], claimed)
    rejected = found.rejected(1e-3)
    assert rejected
    if "_||_" in broken:
        assert rejected[0] == broken


def test_an_edge_no_independence_shows_is_found_by_the_formula_alone():
    true = dc.CausalGraph.from_edges("V1->V2->V3->V4; V2<->V4; V1->V4")
    frame = draw(true, 20000, seed=3, concentration=2.0)
    assert dc.falsify(frame, VERMA, kinds="independence").rejected() == ()
    assert len(dc.falsify(frame, VERMA, kinds="verma").rejected(1e-3)) == 1


def test_wald_of_an_invariance_done_by_hand():
    # napkin with one state of W1: P(y | x, w2) must not change with w2
    graph = dc.CausalGraph.from_edges("W1->W2->X->Y; W1<->X; W1<->Y")
    table = np.array([[[[30, 20], [10, 40]], [[15, 25], [35, 25]]]])
    found = dc.falsify(frame_of(table, graph.nodes), graph)
    by_hand = 0.0
    for x in range(2):
        low, high = (table[0, w, x] for w in range(2))
        one, other = low[1] / low.sum(), high[1] / high.sum()
        variance = one * (1 - one) / low.sum() + other * (1 - other) / high.sum()
        by_hand += (one - other) ** 2 / variance
    assert_allclose(found.statistic, [by_hand], rtol=1e-9)
    assert_array_equal(found.df, [2])


@given(st.integers(0, 2**32 - 1))
def test_wald_does_not_mind_differences_that_follow_from_others(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, 3))
    covariance, difference = root @ root.T + np.eye(3), rng.normal(size=3)
    more = np.vstack([np.eye(3), rng.normal(size=(2, 3)), np.zeros((1, 3))])
    plain = wald(difference, covariance)
    found = wald(more @ difference, more @ covariance @ more.T)
    assert_allclose(found[0], plain[0], rtol=1e-8)
    assert found[1] == plain[1] == 3
    assert_allclose(
        plain[0], difference @ np.linalg.solve(covariance, difference), rtol=1e-9
    )


def test_a_difference_without_error_is_no_test():
    with pytest.raises(Unmeasured):
        wald(np.array([0.5, 0.1]), np.diag([0.0, 1.0]))
    assert wald(np.zeros(2), np.zeros((2, 2))) == (0.0, 0)


def test_weights_that_are_alike_change_no_covariance():
    frame = draw(VERMA, 3000, seed=2)
    frame = frame.loc[frame.index.repeat(frame["count"])].drop(columns="count")
    plain = dc.falsify(frame, VERMA, kinds="verma")
    weighted = dc.falsify(frame.assign(w=3.0), VERMA, weights="w")
    assert_allclose(weighted.statistic[1], plain.statistic[0], rtol=1e-9)
    # another statistic of the same hypothesis, equal to first order
    unweighted = dc.falsify(frame, VERMA, kinds="independence")
    assert weighted.df[0] == unweighted.df[0]
    assert abs(weighted.statistic[0] - unweighted.statistic[0]) < 0.5


def test_copies_within_clusters_count_once():
    frame = draw(VERMA, 2000, seed=4)
    frame = frame.loc[frame.index.repeat(frame["count"])].drop(columns="count")
    frame["unit"] = range(len(frame))
    once = dc.falsify(frame, VERMA, cluster="unit")
    twice = dc.falsify(pd.concat([frame, frame]), VERMA, cluster="unit")
    assert_allclose(twice.statistic, once.statistic, rtol=1e-9)


def test_cells_never_seen_make_a_formula_untestable_and_say_so():
    frame = draw(VERMA, 2000, seed=2)
    gap = frame[~((frame["V1"] == 0) & (frame["V2"] == 1) & (frame["V3"] == 1))]
    with pytest.warns(InferenceWarning, match="1 of 2 statements cannot be tested"):
        found = dc.falsify(gap, VERMA)
    assert found.reason[0] == ""
    assert "P(" in found.reason[1]
    assert np.isnan(found.p_value[1])
    assert found.df[1] == 0
    # what was not tested does not count in the adjustment
    assert found.p_adjusted[0] == found.p_value[0]
    assert "Not tested" in str(found)


def test_a_variable_that_never_varies_is_named():
    frame = draw(CHAIN, 500, seed=2)
    frame["C"] = "same"
    with pytest.warns(InferenceWarning):
        found = dc.falsify(frame, CHAIN)
    assert found.reason == ("C has the same state in all observations.",)


def test_latent_variables_need_no_column():
    true = dc.CausalGraph.from_edges("V1->V2->V3->V4; U->V2; U->V4", latent=["U"])
    frame = draw(VERMA, 2000, seed=2)
    found, same = dc.falsify(frame, true), dc.falsify(frame, VERMA)
    assert sorted(found.constraint) == sorted(same.constraint)
    assert_allclose(sorted(found.statistic), sorted(same.statistic), rtol=1e-10)


def test_a_graph_that_implies_nothing_has_an_empty_table():
    graph = dc.CausalGraph.from_edges("S->T->C; S<->C")
    found = dc.falsify(draw(graph, 100, seed=1), graph)
    assert len(found) == 0
    assert found.tidy().empty
    assert found.glance()["p_adjusted_min"].item() == 1.0
    assert "nothing" in str(found)


def test_table_reads_like_a_frame_and_travels():
    found = dc.falsify(draw(VERMA, 2000, seed=2), VERMA, draws=99)
    assert list(found.tidy().columns) == list(found)
    assert_array_equal(found["n"], [2000, 2000])
    assert_array_equal(
        found.p_adjusted,
        dc.falsify(draw(VERMA, 2000, seed=2), VERMA, draws=99).p_adjusted,
    )
    assert type(found).from_json(found.to_json()) == found
    text = str(found)
    assert "V1 _||_ V3 | V2" in text
    assert "P(v4 | do(v3)) for all v1: sum_{v2}" in text
    for shown in (found.to_latex(), found.to_markdown(), found._repr_html_()):
        assert "do(v3)" in shown
    assert "richardson2023" in found.cite()


def test_requests_that_make_no_sense_are_refused():
    frame = draw(CHAIN, 100, seed=2)
    for options, match in (
        ({"kinds": "verna"}, "verna"),
        ({"correction": "sidak"}, "sidak"),
        ({"draws": -1}, "draws"),
        ({"draws": 9, "weights": np.ones(len(frame))}, "alike"),
    ):
        with pytest.raises(DesignError, match=match):
            dc.falsify(frame, CHAIN, **options)
    with pytest.raises(DataError, match="'C'"):
        dc.falsify(frame.drop(columns="C"), CHAIN)


@pytest.mark.slow
@pytest.mark.parametrize("graph", [VERMA, NAPKIN], ids=["verma", "napkin"])
def test_true_graphs_are_rejected_as_often_as_they_should(graph):
    times = 1000
    rejected = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(times):
            frame = draw(graph, 2000, seed=seed)
            rejected.append(dc.falsify(frame, graph, correction="none").p_value < 0.05)
    share = np.mean(rejected, axis=0)
    # two and a half standard errors of a share of 5 % in 1000 samples
    assert np.all(np.abs(share - 0.05) < 2.5 * np.sqrt(0.05 * 0.95 / times)), share


@pytest.mark.slow
def test_shuffles_hold_their_size_where_counts_are_small():
    times, rejected = 400, 0
    for seed in range(times):
        frame = draw(CHAIN, 30, seed=seed, states=3)
        found = dc.falsify(frame, CHAIN, draws=99, seed=seed)
        rejected += bool(found.p_value[0] <= 0.05)
    assert rejected / times < 0.05 + 4 * np.sqrt(0.05 * 0.95 / times)
