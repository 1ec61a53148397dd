"""Coordinates of outcomes: a number is a point mass, and curves come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import DataError, DataWarning
from distcausal.images.outcomes import MOST_OUTCOMES, read_outcome

SEEDS = st.integers(0, 2**32 - 1)


def laws(seed, units=40, draws=60, scale=1.0, shift=0.0):
    """Units whose laws differ in mean and in spread."""
    rng = np.random.default_rng(seed)
    mean, spread = rng.normal(size=units), np.exp(0.3 * rng.normal(size=units))
    drawn = mean[:, None] + spread[:, None] * rng.normal(size=(units, draws))
    return dc.RandomDistributions.from_samples(list(shift + scale * drawn))


@given(SEEDS, st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([1, 3]))
def test_a_number_is_the_law_that_sits_on_it(seed, scale, times):
    number = scale * np.random.default_rng(seed).standard_cauchy(12)
    masses = dc.RandomDistributions.from_samples(
        [np.full(times, one) for one in number], columns={"y": number}
    )
    whole, plain = read_outcome(masses), read_outcome(masses, "y")
    assert_array_equal(whole.values, plain.values)
    assert_array_equal(whole.known_variance, plain.known_variance)
    assert_array_equal(whole.basis, np.ones((1, 99)))
    assert_array_equal(whole.curve(whole.values)[:, [7]], plain.curve(plain.values))
    quantiles = dc.RandomDistributions.from_quantiles(
        np.repeat(number[:, None], 5, axis=1), np.arange(1, 6) / 6
    )
    assert_array_equal(read_outcome(quantiles).values, plain.values)


@given(SEEDS)
def test_functions_are_orthonormal_and_the_first_is_the_mean(seed):
    found = read_outcome(laws(seed))
    gram = (found.basis * found.mass) @ found.basis.T
    assert_allclose(gram, np.eye(found.size), atol=1e-12)
    assert_allclose(found.values[:, 0], found.curves @ found.mass, rtol=1e-12)
    assert 1 < found.size <= MOST_OUTCOMES
    exact = read_outcome(laws(seed).to_quantiles(found.levels[::7]))
    assert exact.size >= found.size


@given(SEEDS)
def test_coordinates_give_back_what_the_basis_keeps(seed):
    found = read_outcome(laws(seed))
    raw = found.centre + found.contrast(found.values)
    deviation = found.curves - found.values[:, :1] - found.centre
    lost = ((found.curves - raw) ** 2) @ found.mass
    whole = (deviation**2) @ found.mass
    assert_allclose(1 - lost.mean() / whole.mean(), found.kept, rtol=1e-9)


@given(SEEDS, st.sampled_from([1e-3, 1.0, 50.0]), st.sampled_from([-7.0, 0.0, 1e3]))
def test_coordinates_follow_changes_of_unit_and_origin(seed, scale, shift):
    one, other = (
        read_outcome(laws(seed)),
        read_outcome(laws(seed, 40, 60, scale, shift)),
    )
    assert one.size == other.size
    assert_allclose(other.values[:, 0], shift + scale * one.values[:, 0], rtol=1e-9)
    # Directions of nearly equal variance move by rounding over their gap.
    assert_allclose(other.values[:, 1:], scale * one.values[:, 1:], atol=1e-5 * scale)
    assert_allclose(other.known_variance[:, 0], scale**2 * one.known_variance[:, 0])


@given(SEEDS)
def test_splitting_a_unit_into_halves_changes_no_coordinate(seed):
    data = laws(seed, units=8)
    weights = np.array([2.0, 1, 1, 1, 1, 1, 1, 1])
    halves = data.take([0, 0, *range(1, 8)])
    one = read_outcome(data, weights=weights)
    two = read_outcome(halves, weights=np.ones(9))
    assert_allclose(two.values[1:], one.values, atol=1e-7)
    assert_allclose(two.basis, one.basis, atol=1e-7)


@given(SEEDS)
def test_predicted_curves_never_decrease(seed):
    found = read_outcome(laws(seed))
    wild = 5 * np.random.default_rng(seed).normal(size=(3, 4, found.size))
    assert (np.diff(found.curve(wild), axis=-1) >= 0).all()
    assert found.curve(wild).shape == (3, 4, 99)


def test_the_known_variance_is_that_of_repeated_draws():
    rng = np.random.default_rng(1)
    mean, spread = rng.normal(size=(4000, 1)), np.exp(0.5 * rng.normal(size=(4000, 1)))
    first, second = (
        read_outcome(
            dc.RandomDistributions.from_samples(
                list(mean + spread * rng.normal(size=(4000, 50)))
            )
        )
        for _ in range(2)
    )
    assert first.size == 2  # means and spreads differ; all else is noise of the draws
    apart = ((first.curves - second.curves) * first.mass) @ first.basis.T
    # A variance over 4,000 units errs by 3 per cent (one sd) and more where laws differ
    # in spread.
    ratio = apart.var(axis=0) / 2 / first.known_variance.mean(axis=0)
    assert_allclose(ratio, 1.0, atol=0.12)


def test_draws_from_one_law_differ_in_their_means_alone():
    rng = np.random.default_rng(1)
    drawn = rng.gamma(3.0, size=(2000, 50))
    found = read_outcome(dc.RandomDistributions.from_samples(list(drawn)))
    assert found.size == 1
    assert_allclose(found.known_variance.mean(), found.values.var(), rtol=0.1)
    assert found.known_variance.mean() <= found.values.var() * (1 + 1e-9)


def test_exact_laws_have_no_sampling_variance_and_single_draws_borrow_one():
    rng = np.random.default_rng(0)
    exact = dc.RandomDistributions.from_quantiles(
        np.sort(rng.normal(size=(6, 9))), np.arange(1, 10) / 10
    )
    assert not read_outcome(exact).known_variance.any()
    mixed = dc.RandomDistributions.from_samples([rng.normal(size=9), [1.0], [0.0, 2.0]])
    known = read_outcome(mixed).known_variance
    per_draw = known * np.array([9, 1, 2])[:, None]
    assert_allclose(per_draw, per_draw[[1, 1, 1]])


def seen_twice(units, draws, seed=0):
    """Units whose laws differ in the mean alone, each with its number of draws."""
    rng = np.random.default_rng(seed)
    mean = 0.5 * rng.normal(size=units)
    counts = np.broadcast_to(draws, units)
    return [m + rng.normal(size=count) for m, count in zip(mean, counts, strict=True)]


@pytest.mark.parametrize("weighted", [False, True])
def test_of_two_draws_the_mean_alone_is_kept(weighted):
    drawn = seen_twice(2000, 2)
    weights = [[1.0, 3.0]] * 2000 if weighted else None
    found = read_outcome(dc.RandomDistributions.from_samples(drawn, weights=weights))
    assert found.size == 1
    assert found.kept == 0.0
    # Half the variance of a draw, or its sum of squared shares; 2,000 units err by 3 %.
    noise = 0.625 if weighted else 0.5
    assert_allclose(found.known_variance.mean(), noise, rtol=0.1)


def test_two_draws_borrow_what_they_do_not_show_of_the_shape():
    draws = np.where(np.arange(3000) % 3 == 0, 2, 40)
    rng = np.random.default_rng(1)
    wide = np.exp(0.5 * rng.normal(size=3000))
    drawn = [w * x for w, x in zip(wide, seen_twice(3000, draws), strict=True)]
    found = read_outcome(dc.RandomDistributions.from_samples(drawn))
    assert found.size > 1
    per_draw = found.known_variance * draws[:, None]
    assert_allclose(per_draw, np.broadcast_to(per_draw[0], per_draw.shape))
    many = dc.RandomDistributions.from_samples(
        [own for own, count in zip(drawn, draws, strict=True) if count == 40]
    )
    # The bases of all units and of two thirds of them are nearly the same.
    alone = 40 * read_outcome(many).known_variance[0]
    assert_allclose(per_draw[0, 1], alone[1], rtol=0.1)


def test_curves_are_read_where_they_are_known():
    levels = np.arange(1, 20) / 20
    curves = np.sort(np.random.default_rng(0).normal(size=(30, 19)), axis=1)
    data = dc.RandomDistributions.from_quantiles(curves, levels)
    found = read_outcome(data)
    assert_allclose(found.levels, np.arange(5, 96) / 100)
    assert_array_equal(found.curves, data.quantiles(found.levels))
    with pytest.warns(DataWarning, match=r"3 of 5 levels .* known, 0\.05 to 0\.95"):
        asked = read_outcome(data, levels=[0.01, 0.04, 0.05, 0.5, 0.96])
    assert_array_equal(asked.levels, [0.01, 0.04, 0.05, 0.5, 0.96])
    assert len(read_outcome(data, levels=levels).levels) == 19
    narrow = dc.RandomDistributions.from_quantiles(curves[:, :2], [0.333, 0.337])
    assert_array_equal(read_outcome(narrow).levels, [0.333, 0.337])


def test_equal_weights_of_draws_count_as_none():
    drawn = [[0.0, 1.0, 5.0], [2.0, 3.0, 3.5]]
    plain = dc.RandomDistributions.from_samples(drawn)
    heavy = dc.RandomDistributions.from_samples(drawn, weights=[[2.0] * 3, [0.5] * 3])
    assert_allclose(
        read_outcome(heavy).known_variance, read_outcome(plain).known_variance
    )


def test_uneven_weights_of_draws_count_as_fewer():
    weights = [[9.0, 1.0, 1.0, 1.0]] * 3
    drawn = [[0.0, 1.0, 5.0, 6.0], [20.0, 21.0, 25.0, 25.5], [70.0, 71.0, 72.0, 77.0]]
    data = dc.RandomDistributions.from_samples(drawn, weights=weights)
    known = read_outcome(data).known_variance[:, 0]
    count = 12**2 / (81 + 3)
    own = []
    for row, share in zip(drawn, weights, strict=True):
        mean = np.average(row, weights=share)
        variance = np.average((np.array(row) - mean) ** 2, weights=share)
        own.append(variance / (count - 1))
    assert_allclose(known, np.mean(own), rtol=1e-9)


def test_units_of_an_arm_share_what_their_draws_vary_by():
    rng = np.random.default_rng(4)
    arms = np.arange(40) % 2
    drawn = (1 + 2 * arms[:, None]) * rng.exponential(size=(40, 8)) + arms[:, None]
    weights = np.where(np.arange(40) < 20, 1.0, 3.0)
    data = dc.RandomDistributions.from_samples(list(drawn))
    known = read_outcome(data, weights=weights, arms=arms).known_variance[:, 0]
    for arm in (0, 1):
        inside = arms == arm
        each = drawn[inside].var(axis=1, ddof=1) / 8
        assert_allclose(known[inside], np.average(each, weights=weights[inside]))
    alone = read_outcome(data, weights=np.where(arms == 0, 1.0, 0.0), arms=arms)
    assert_allclose(alone.known_variance[arms == 1, 0], alone.known_variance[0, 0])


def test_one_level_and_one_shape_need_one_coordinate():
    data = laws(3)
    assert read_outcome(data, levels=[0.5]).size == 1
    curves = np.arange(5.0)[:, None] + np.array([0.0, 1.0, 4.0])
    shifted = dc.RandomDistributions.from_quantiles(curves, [0.25, 0.5, 0.75])
    found = read_outcome(shifted, levels=[0.25, 0.5, 0.75])
    assert found.size == 1
    assert_allclose(found.curve(found.values), curves, atol=1e-12)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", "b"], "one number per unit"),
        ([[1.0, 2.0], [3.0, 4.0]], r"shape \(2, 2\)"),
        ([1.0, np.nan], "1 of 2 entries are missing"),
        ([1.0], "one entry for each of the 2"),
    ],
)
def test_what_is_not_one_number_per_unit_is_refused(column, message):
    data = dc.RandomDistributions.from_samples([[1.0], [2.0]])
    with pytest.raises(DataError, match=message):
        read_outcome(data, column)


@pytest.mark.slow
def test_a_fit_to_point_masses_is_the_fit_to_the_numbers():
    sim = dc.datasets.make_image_effects(80, test=5, seed=2)
    roles = dict(sim.roles)
    name = roles.pop("outcome")
    masses = dc.RandomDistributions.from_samples(
        list(np.asarray(sim.data.columns[name])[:, None]), columns=sim.data.columns
    )
    options = {
        "encoder": dc.PCA(size=3),
        "engine": dc.SVI(steps=60, restarts=2, draws=20),
        "folds": 2,
        "splits": 2,
    }
    plain = dc.image_effects(sim.data, outcome=name, **roles, **options)
    whole = dc.image_effects(masses, **roles, **options)
    assert_array_equal(whole.posterior.effects, plain.posterior.effects)
    assert_array_equal(whole.cate().mean, plain.cate().mean)
    assert_array_equal(whole.design.estimate, plain.design.estimate)
    assert_array_equal(whole.design.std_error, plain.design.std_error)
    assert_array_equal(whole.scores.score, plain.scores.score)
    assert whole.homogeneity_test() == plain.homogeneity_test()
    curves = whole.curves(draws=39)
    assert_allclose(curves.effect, np.tile(plain.design.estimate, 99), rtol=1e-9)
