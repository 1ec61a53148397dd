"""L-ensembles and k-DPPs against enumeration, stored numbers and their symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

import distcausal as dc
from tests.design.cases import chi_square, finite_cases
from tests.oracles import ensembles as oracle

RARE = 1e-3
CASES = finite_cases()
ITEMS, RANK = 6, 4
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
seeds = st.integers(0, 10**6)
sizes = st.sampled_from([1, 2, 4])


def features(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ITEMS, RANK))


def kernel(seed: int) -> np.ndarray:
    return features(seed) @ features(seed).T


def kernel_of(items: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(items, items))
    return rows @ rows.T


@each_case
def test_normalisers_and_sizes_are_the_stored_ones(case):
    stored = case.stored["l_ensemble_XXt"]
    matrix = case.features @ case.features.T
    process = dc.LEnsemble(matrix)
    assert_allclose(process.log_normaliser, stored["log_normaliser"], rtol=1e-12)
    expected = [stored["size_pmf"][str(n)] for n in range(process.rank + 1)]
    assert_allclose(process.size_pmf(), expected, rtol=1e-10)
    for size, value in stored["kdpp_log_normaliser"].items():
        fixed = dc.KDPP(matrix, int(size))
        assert_allclose(fixed.log_normaliser, value, rtol=1e-10)


@given(seed=seeds, size=sizes)
def test_fixed_size_probabilities_are_normalised_determinants(seed, size):
    sets = oracle.subsets(ITEMS, size)
    expected = oracle.determinants(kernel(seed), size)
    expected = expected / expected.sum()
    found = np.exp(dc.KDPP(kernel(seed), size).log_prob(sets))
    assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


@given(seed=seeds)
def test_random_size_probabilities_are_normalised_determinants(seed):
    process = dc.LEnsemble(kernel(seed))
    total = np.linalg.det(np.eye(ITEMS) + kernel(seed))
    for size in range(RANK + 1):
        found = np.exp(process.log_prob(oracle.subsets(ITEMS, size)))
        expected = oracle.determinants(kernel(seed), size) / total
        assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    assert_array_equal(process.log_prob(oracle.subsets(ITEMS, 5)), -np.inf)


@pytest.mark.parametrize(
    "part", [(0,), (2, 5), (1, 3, 4), (0, 1, 2, 3), (0, 1, 2, 3, 4)]
)
@given(seed=seeds, size=sizes)
def test_inclusion_sums_the_sets_that_contain_the_items(part, seed, size):
    fixed, free = dc.KDPP(kernel(seed), size), dc.LEnsemble(kernel(seed))
    sets = oracle.subsets(ITEMS, size)
    kept = oracle.contains(sets, part)
    expected = np.exp(fixed.log_prob(sets))[kept].sum()
    assert_allclose(fixed.inclusion(part), expected, rtol=1e-8, atol=1e-10)
    total = 0.0
    for count in range(RANK + 1):
        sets = oracle.subsets(ITEMS, count)
        total += np.exp(free.log_prob(sets))[oracle.contains(sets, part)].sum()
    assert_allclose(free.inclusion(part), total, rtol=1e-8, atol=1e-10)


@given(seed=seeds, size=sizes)
def test_inclusion_of_every_item_is_that_of_sets_of_one(seed, size):
    for process in (dc.KDPP(kernel(seed), size), dc.LEnsemble(kernel(seed))):
        single = process.inclusion(np.arange(ITEMS)[:, None])
        assert_allclose(process.inclusion(), single, rtol=1e-8, atol=1e-12)
    assert_allclose(dc.KDPP(kernel(seed), size).inclusion().sum(), size, rtol=1e-10)


@given(seed=seeds, size=sizes, log_scale=st.floats(-250, 250))
def test_fixed_size_law_ignores_the_scale_of_the_kernel(seed, size, log_scale):
    sets = oracle.subsets(ITEMS, size)
    plain = dc.KDPP(kernel(seed), size)
    scaled = dc.KDPP(kernel(seed) * 10.0**log_scale, size)
    assert_allclose(scaled.log_prob(sets), plain.log_prob(sets), atol=1e-8)
    assert_allclose(scaled.inclusion(), plain.inclusion(), atol=1e-9)


@given(seed=seeds, size=sizes)
def test_an_order_of_the_items_moves_the_law_with_it(seed, size):
    order = np.random.default_rng(seed).permutation(ITEMS)
    moved = kernel(seed)[order][:, order]
    sets = oracle.subsets(ITEMS, size)
    for make in (lambda one: dc.KDPP(one, size), dc.LEnsemble):
        assert_allclose(
            make(moved).log_prob(sets),
            make(kernel(seed)).log_prob(order[sets]),
            atol=1e-8,
        )
        assert_allclose(make(moved).inclusion(), make(kernel(seed)).inclusion()[order])


@given(seed=seeds, size=sizes)
def test_features_and_their_kernel_are_one_process(seed, size):
    sets = oracle.subsets(ITEMS, size)
    lengths = 10.0 ** np.random.default_rng(seed).uniform(-3, 3, (ITEMS, 1))
    own = lengths * features(seed)
    pairs = (
        (dc.KDPP.from_features(own, size), dc.KDPP(own @ own.T, size)),
        (dc.LEnsemble.from_features(own), dc.LEnsemble(own @ own.T)),
    )
    for low, full in pairs:
        assert low.rank == full.rank == RANK
        assert_allclose(low.log_prob(sets), full.log_prob(sets), atol=1e-7)
        assert_allclose(low.inclusion(), full.inclusion(), atol=1e-9)


@each_case
def test_fixed_size_draws_follow_the_determinants(case):
    matrix = case.features @ case.features.T
    for size in (1, case.size):
        drawn = dc.KDPP(matrix, size).sample_many(16_384, seed=size)
        law = oracle.determinants(matrix, size)
        sets = oracle.subsets(len(matrix), size)
        assert chi_square(drawn, sets, law / law.sum()) > RARE


def test_fixed_size_draws_below_the_rank_follow_the_determinants():
    drawn = dc.KDPP(kernel(1), 2).sample_many(16_384, seed=1)
    law = oracle.determinants(kernel(1), 2)
    assert chi_square(drawn, oracle.subsets(ITEMS, 2), law / law.sum()) > RARE


def test_random_size_draws_follow_the_determinants():
    matrix = kernel(2) / 4
    drawn = dc.LEnsemble(matrix).sample_many(16_384, seed=1)
    codes = np.array([int(np.sum(2**one)) for one in drawn])[:, None]
    outcomes, law = [], []
    for size in range(RANK + 1):
        sets = oracle.subsets(ITEMS, size)
        outcomes.append(np.sum(2**sets, axis=1))
        law.append(
            oracle.determinants(matrix, size) / np.linalg.det(np.eye(6) + matrix)
        )
    outcomes = np.concatenate(outcomes)[:, None]
    assert chi_square(codes, outcomes, np.concatenate(law)) > RARE


def test_a_kernel_of_zeros_draws_empty_sets():
    process = dc.LEnsemble(np.zeros((3, 3)))
    assert process.rank == 0
    assert [one.size for one in process.sample_many(4)] == [0, 0, 0, 0]
    assert_allclose(process.size_pmf(), [1.0])
    assert process.log_prob([]) == 0
    assert process.mode().size == 0


def test_draws_do_not_depend_on_how_many_are_drawn_together():
    for process in (dc.KDPP(kernel(0), 3), dc.LEnsemble(kernel(0))):
        many = process.sample_many(40, seed=4)
        for one, other in zip(process.sample_many(5, seed=4), many, strict=False):
            assert_array_equal(one, other)
        assert_array_equal(process.sample(seed=4), many[0])


def test_eigenvalues_of_four_hundred_orders_of_magnitude_lose_nothing():
    logs = np.linspace(-200, 200, 500) * np.log(10)
    process = dc.KDPP(np.diag(np.exp(logs)), 200)
    step = np.exp(logs[0] - logs[1])
    found = process.inclusion()
    assert_allclose(found.sum(), 200, rtol=1e-10)
    # Logarithms of some 5e4 are exact to 1e-11.
    assert (np.diff(found) >= -1e-10).all()
    top = logs[300:].sum() - process.log_normaliser
    assert_allclose(process.log_prob(np.arange(300, 500)), top, atol=1e-8)
    # Swapping the lowest of the top set for the next one below costs one step.
    swapped = np.append(299, np.arange(301, 500))
    lost = process.log_prob(swapped) - process.log_prob(np.arange(300, 500))
    assert_allclose(lost, np.log(step), rtol=1e-9)
    drawn = process.sample_many(3)
    assert all(np.unique(one).size == 200 for one in drawn)


@pytest.mark.parametrize("decades", [0, 2, 60])
def test_eigenvalues_of_badly_scaled_items_keep_their_digits(decades):
    """All items together: the product of the eigenvalues is the determinant."""
    unit = np.eye(8) + kernel_of(8) / 20
    lengths = 10.0 ** np.linspace(-decades, decades, 8)
    process = dc.KDPP(lengths[:, None] * unit * lengths, 8)
    exact = np.linalg.slogdet(unit)[1] + 2 * np.log(lengths).sum()
    # Up to lengths that call for the slower solver, half the digits may go.
    assert_allclose(process.log_normaliser, exact, atol=1e-7)


def test_greedy_modes_add_the_best_item_each_time():
    matrix = kernel(3)
    for size in (1, 3):
        chosen: list[int] = []
        for _ in range(size):
            rest = [one for one in range(ITEMS) if one not in chosen]
            gain = [
                np.linalg.det(matrix[np.ix_([*chosen, one], [*chosen, one])])
                for one in rest
            ]
            chosen.append(rest[int(np.argmax(gain))])
        assert dc.KDPP(matrix, size).mode().tolist() == chosen
    process = dc.LEnsemble(matrix / 3)
    found = process.mode()
    steps = [float(process.log_prob(found[:count])) for count in range(len(found) + 1)]
    assert (np.diff(steps) > 0).all()
    rest = np.setdiff1d(np.arange(ITEMS), found)
    longer = np.column_stack([np.tile(found, (len(rest), 1)), rest])
    assert (process.log_prob(longer) <= steps[-1] + 1e-12).all()


def test_size_equal_to_the_rank_is_the_projection_process():
    sets = oracle.subsets(ITEMS, RANK)
    projection = dc.ProjectionDPP(dc.FiniteSpace(features(5)))
    found = dc.KDPP(kernel(5), RANK).log_prob(sets)
    assert_allclose(found, projection.log_prob(sets), atol=1e-8)


def test_large_kernels_keep_their_probabilities_normalised():
    own = np.random.default_rng(0).normal(size=(300, 40))
    process = dc.KDPP.from_features(own, 20)
    assert_allclose(process.inclusion().sum(), 20, rtol=1e-10)
    assert_allclose(dc.LEnsemble.from_features(own).size_pmf().sum(), 1, rtol=1e-10)
    assert logsumexp(process.log_prob(process.sample_many(4))) < 0


@pytest.mark.parametrize(
    ("given_kernel", "words"),
    [
        (np.ones((2, 3)), "square"),
        ([[1.0, 0.5], [0.4, 1.0]], r"\(0, 1\)"),
        ([[1.0, np.nan], [np.nan, 1.0]], "finite"),
        ([[1.0, 2.0], [2.0, 1.0]], "negative eigenvalue"),
        ([[1.0, 0.0], [0.0, -1e-9]], "negative eigenvalue"),
        ("text", "numbers"),
        (np.ones(3), "matrix"),
    ],
)
def test_what_is_no_kernel_is_refused(given_kernel, words):
    with pytest.raises(dc.DataError, match=words):
        dc.LEnsemble(given_kernel)
    with pytest.raises(dc.DataError, match=words):
        dc.KDPP(given_kernel, 1)


def test_rounding_is_no_negative_eigenvalue():
    x = np.linspace(0, 1, 40)
    smooth = np.exp(-((x[:, None] - x) ** 2) / 0.5)
    assert np.linalg.eigvalsh(smooth)[0] < 1e-15
    assert dc.LEnsemble(smooth).rank < 40


@pytest.mark.parametrize(
    ("size", "words"), [(5, "rank 4"), (0, "whole"), (1.5, "whole")]
)
def test_impossible_sizes_are_refused(size, words):
    with pytest.raises(dc.DesignError, match=words):
        dc.KDPP(kernel(0), size)
    with pytest.raises(dc.DesignError, match=words):
        dc.KDPP.from_features(features(0), size)


@pytest.mark.parametrize("subset", [[0, 0], [0, 6], [-1, 2], [0.5, 1.0], 3])
def test_sets_that_are_none_are_refused(subset):
    with pytest.raises(dc.DesignError, match="different positions"):
        dc.LEnsemble(kernel(0)).log_prob(subset)
    with pytest.raises(dc.DesignError, match="different positions"):
        dc.KDPP(kernel(0), 2).inclusion(subset)


def test_sets_of_another_size_have_no_log_probability():
    with pytest.raises(dc.DesignError, match="2 different"):
        dc.KDPP(kernel(0), 2).log_prob([0, 1, 2])
