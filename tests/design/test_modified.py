"""Designs made from others: exact laws where promised, stability where asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from tests.design.cases import SHARES, chi_square, finite_cases
from tests.oracles import design as oracle

RARE = 1e-3
CASES = finite_cases()
CASE = CASES[0]
POLYNOMIALS = dc.PolynomialSpace(index=dc.TotalDegree(4))
each_share = pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)


def law_holds(design: dc.VolumeSampling, share: float, draws: int = 20_000) -> bool:
    """Whether draws follow volume sampling of their size."""
    drawn = design.sample_many(draws, seed=5).index
    n = drawn.shape[1]
    tuples, probability = oracle.volume_law(CASE.features, CASE.mass, share, n)
    return chi_square(drawn, np.sort(tuples, axis=1), probability) > RARE


@each_share
def test_thinned_volume_sampling_is_volume_sampling(share):
    for size in (CASE.size, CASE.size + 1):
        design = dc.VolumeSampling(CASE.space, CASE.size + 3, weight=share)
        assert law_holds(design.thinned(size), share)


@each_share
def test_extended_volume_sampling_is_volume_sampling(share):
    design = dc.VolumeSampling(CASE.space, CASE.size, weight=share)
    assert law_holds(design.extended(1), share)
    assert law_holds(design.extended(3).thinned(CASE.size + 1), share)


def test_the_test_of_the_law_notices_points_taken_out_alike():
    """Dropping the last points of volume sampling is not thinning it."""
    tuples, probability = oracle.volume_law(CASE.features, CASE.mass, 1.0, CASE.size)
    design = dc.VolumeSampling(CASE.space, CASE.size + 2)
    drawn = design.sample_many(20_000, seed=5).index[:, : CASE.size]
    assert chi_square(drawn, np.sort(tuples, axis=1), probability) < RARE


def test_a_projection_process_extended_is_volume_sampling():
    assert law_holds(dc.ProjectionDPP(CASE.space).extended(1), 1.0)


@each_share
def test_fits_to_thinned_and_extended_designs_are_unbiased(share):
    design = dc.VolumeSampling(CASE.space, CASE.size + 1, weight=share)
    for changed in (design.extended(2), design.extended(2).thinned(CASE.size + 2)):
        points = changed.sample_many(50_000, seed=3)
        assert points.guarantees.unbiased
        mean, error = dc.wls(points, CASE.f[points.index]).averaged()
        assert (np.abs(mean - CASE.best_coef) <= 4 * error + 1e-12).all()


def test_an_extended_design_begins_with_the_points_it_extends():
    for design in (
        dc.VolumeSampling(POLYNOMIALS, 8),
        dc.IID(POLYNOMIALS, 8),
        dc.ProjectionDPP(POLYNOMIALS),
    ):
        before, after = design.sample(seed=2), design.extended(3).sample(seed=2)
        assert_array_equal(after.x[: before.n_points], before.x)
        twice = design.extended(3).extended(2).sample(seed=2)
        assert_array_equal(twice.x[: after.n_points], after.x)
        assert np.unique(twice.x).size == twice.n_points


def test_points_left_are_among_those_of_the_design_they_come_from():
    design = dc.VolumeSampling(POLYNOMIALS, 12)
    whole = set(design.sample(seed=2).x.ravel())
    for kept in (design.thinned(7), design.greedy(7)):
        points = kept.sample(seed=2)
        assert points.n_points == 7
        assert set(points.x.ravel()) < whole


def test_extension_never_takes_precision_away():
    design = dc.VolumeSampling(POLYNOMIALS, 8)
    for seed in range(20):
        before, after = design.sample(seed), design.extended(2).sample(seed)
        more = gram(after) * after.n_points - gram(before) * before.n_points
        assert np.linalg.eigvalsh(more).min() > -1e-10


def gram(points: dc.DesignPoints) -> np.ndarray:
    scaled = points.values * np.sqrt(points.weights)[:, None]
    return scaled.T @ scaled / points.n_points


@pytest.mark.parametrize("event", ["lower", "norm"])
def test_conditioned_designs_are_stable_and_draw_anew_until_they_are(event):
    design = dc.VolumeSampling(POLYNOMIALS, 10)
    points = design.conditioned(0.8, event=event).sample_many(40, seed=1)
    spectrum = points.gram_eigenvalues
    away = 1 - spectrum[:, 0]
    if event == "norm":
        away = np.maximum(away, spectrum[:, -1] - 1)
    assert (away <= 0.8).all()
    assert (points.tries > 1).any()
    first = design.sample_many(40, seed=1)
    kept = points.tries == 1
    assert kept.any()
    assert_array_equal(points.x[kept], first.x[kept])


def test_conditioning_keeps_the_law_among_stable_draws():
    """Sets of a finite space, with the probabilities given stability."""
    delta = 0.6
    sets, probability = oracle.subset_law(CASE.features, CASE.mass)
    values = CASE.space.values(sets)
    kernel = np.sum(values**2, axis=-1)
    scaled = values / np.sqrt(kernel)[..., None]
    least = np.linalg.svd(scaled, compute_uv=False)[:, -1] ** 2
    stable = least >= 1 - delta
    assert 0.05 < probability[stable].sum() < 0.95
    design = dc.ProjectionDPP(CASE.space).conditioned(delta)
    drawn = design.sample_many(20_000, seed=4)
    given = probability * stable / probability[stable].sum()
    assert chi_square(drawn.index, sets, given) > RARE
    assert_allclose(drawn.tries.mean(), 1 / probability[stable].sum(), rtol=0.03)


def test_conditioning_shows_its_tabulated_bias_and_error():
    stored = next(
        law
        for law in CASE.stored["generalised_volume_sampling"]
        if law["w"] == "christoffel" and law["n"] == CASE.size + 1
    )
    design = dc.VolumeSampling(CASE.space, CASE.size + 1)
    points = design.conditioned(stored["delta"]).sample_many(40_000, seed=2)
    assert_allclose(
        1 / points.tries.mean(), stored["P_lambda_min_ge_1_minus_delta"], atol=0.004
    )
    coef = dc.wls(points, CASE.f[points.index]).coef
    loss = np.sum((coef - CASE.best_coef) ** 2, axis=1) / CASE.error_sq
    error = loss.std() / np.sqrt(len(loss))
    stored_loss = stored["cond_E_coef_err_sq_over_best_sq"]
    assert abs(loss.mean() - stored_loss) < 4 * error
    bias = coef.mean(axis=0) - CASE.best_coef
    assert np.abs(bias).max() > 4 * coef.std(axis=0).max() / np.sqrt(len(coef))


def test_draws_of_changed_designs_do_not_depend_on_how_many_there_are():
    space = dc.FiniteSpace(np.random.default_rng(0).normal(size=(60, 5)))
    design = dc.VolumeSampling(space, 10)
    for changed in (
        design.conditioned(0.7),
        design.thinned(6).extended(2),
        design.best_of(4).conditioned(0.6).greedy(7),
    ):
        most = changed.sample_many(40, seed=9)
        part, one = changed.sample_many(17, seed=9), changed.sample(seed=9)
        assert_array_equal(part.index, most.index[:17])
        assert_array_equal(part.tries, most.tries[:17])
        assert_array_equal(one.index, most.index[0])
        assert one.tries == most.tries[0]


def test_the_best_of_several_is_the_best_of_their_draws():
    design = dc.IID(POLYNOMIALS, 12)

    def away(points):
        return np.abs(points.gram_eigenvalues - 1).max(axis=-1)

    chosen = design.best_of(50).sample_many(20, seed=1)
    plain = design.sample_many(1000, seed=2)
    # The best of 50 lies below the median with probability 1 - 2 ** -50.
    assert (away(chosen) < np.median(away(plain))).all()
    assert (chosen.tries == 50).all()


def test_selection_forfeits_the_guarantees():
    design = dc.VolumeSampling(POLYNOMIALS, 8)
    for changed in (design.conditioned(0.9), design.best_of(2), design.greedy(6)):
        points = changed.sample(seed=1)
        assert not points.guarantees.unbiased
        assert points.guarantees.error_sq is None
        assert points.blocks == 1
        assert dc.wls(points, points.x[:, 0]).residual_error_sq is None


def test_a_condition_that_is_never_met_is_reported_with_what_would_do():
    design = dc.IID(POLYNOMIALS, 5).conditioned(0.1, max_tries=200)
    with pytest.raises(dc.ConvergenceError) as error:
        design.sample()
    message = str(error.value)
    assert "0 of 200 draws of 5 points" in message or "0 of 2" in message
    assert "the least seen was" in message
    assert "independent ones" in message


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d: d.conditioned(0.0), "delta 0.0 should be a number in"),
        (lambda d: d.conditioned(1.0), "delta 1.0 should be a number in"),
        (lambda d: d.conditioned(np.nan), "delta nan should be"),
        (lambda d: d.conditioned(0.5, event="upper"), "event 'upper'"),
        (lambda d: d.conditioned(0.5, max_tries=0), "max_tries 0 should be"),
        (lambda d: d.best_of(0), "candidates 0 should be"),
        (lambda d: d.greedy(4), "size 4 should be from 5.*to 8"),
        (lambda d: d.greedy(9), "size 9 should be from 5.*to 8"),
        (lambda d: d.thinned(4), "size 4 should be from 5"),
        (lambda d: d.extended(0), "extra 0 should be"),
        (lambda d: d.greedy(6).extended(2), "only .* designs can be extended"),
        (lambda d: d.conditioned(0.5).thinned(6), "only .* designs can be thinned"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, says):
    with pytest.raises(dc.DesignError, match=says):
        make(dc.VolumeSampling(POLYNOMIALS, 8))


def test_repeated_volume_sampling_pools_independent_draws():
    design = dc.RepeatedVolume(CASE.space, 2, CASE.size + 1)
    points = design.sample_many(20_000, seed=3)
    assert points.blocks == 2
    n = CASE.size + 1
    tuples, probability = oracle.volume_law(CASE.features, CASE.mass, 1.0, n)
    for part in (points.index[:, :n], points.index[:, n:]):
        assert chi_square(part, np.sort(tuples, axis=1), probability) > RARE
    first, second = points.index[:, 0], points.index[:, n]
    together = np.corrcoef(CASE.f[first], CASE.f[second])[0, 1]
    assert abs(together) < 4 / np.sqrt(20_000)


def test_no_change_draws_again_what_another_one_drew():
    """Every one in a chain of changes has random numbers of its own."""
    design = dc.VolumeSampling(POLYNOMIALS, 8).extended(2).thinned(8).extended(2)
    points = design.sample_many(200, seed=1)
    assert (np.diff(np.sort(points.x[..., 0], axis=1), axis=1) > 0).all()
    thinned = dc.VolumeSampling(CASE.space, CASE.size + 2).thinned(CASE.size + 1)
    assert law_holds(thinned.thinned(CASE.size), 1.0, 100_000)


def test_a_condition_beyond_every_bound_is_reported_all_the_same():
    with pytest.raises(dc.ConvergenceError, match="least seen"):
        dc.IID(POLYNOMIALS, 6).conditioned(1e-9, max_tries=20).sample()


def test_a_limit_that_strata_meet_exactly_is_met():
    """Least eigenvalue 8 k / 16 with k the least points in a stratum: 1/2 for one."""
    space = dc.FiniteSpace.dummies(np.repeat(np.arange(8), 5))
    design = dc.IID(space, 16)
    index = design.sample_many(2000, seed=1).index
    strata = index // 5
    each = np.stack([(strata == k).sum(axis=1) for k in range(8)], axis=1)
    found = dc.stability(design, delta=0.5, draws=2000, seed=1)
    assert found.probability == np.mean(each.min(axis=1) >= 1)


def test_tries_count_every_draw_made():
    design = dc.IID(POLYNOMIALS, 8).conditioned(0.9)
    one = design.sample_many(60, seed=3).tries
    assert design.best_of(3).sample_many(60, seed=3).tries.mean() > 2 * one.mean()
    with pytest.raises(dc.ConvergenceError):
        dc.IID(POLYNOMIALS, 5).conditioned(0.3, max_tries=2).sample_many(20)
    tries = dc.IID(POLYNOMIALS, 8).conditioned(0.95, max_tries=60).sample_many(20).tries
    assert 1 <= tries.min() <= tries.max() <= 60


def test_candidates_beyond_memory_are_compared_in_groups(monkeypatch):
    design = dc.IID(POLYNOMIALS, 8).best_of(7)
    whole = design.sample_many(5, seed=2)
    monkeypatch.setattr("distcausal.design.base._NUMBERS", 4 * 8 * 5)
    parts = design.sample_many(5, seed=2)
    assert_allclose(parts.x, whole.x, rtol=1e-12)
    assert_array_equal(parts.tries, whole.tries)
    found = dc.stability(dc.IID(POLYNOMIALS, 30), delta=0.9, draws=50)
    monkeypatch.undo()
    assert found == dc.stability(dc.IID(POLYNOMIALS, 30), delta=0.9, draws=50)


def test_thinning_is_refused_where_rounding_would_choose(monkeypatch):
    monkeypatch.setattr("distcausal.design.modified._RESOLVED", 0.0)
    with pytest.raises(dc.ConvergenceError, match="differ in length"):
        dc.VolumeSampling(POLYNOMIALS, 8).thinned(6).sample()
