"""The designs of `make_r3d` have the law they state and the truth they report."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc
from distcausal.datasets import make_r3d, r3d

LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
DESIGNS = ("normal", "exponential", "curved")


def unit_quantiles(sim: dc.datasets.Simulation, draws: int) -> np.ndarray:
    """Type-7 quantiles of units that all have ``draws`` observations."""
    values = sim.observations["y"].reshape(-1, draws)
    return np.quantile(values, LEVELS, axis=1).T


@pytest.mark.parametrize("design", DESIGNS)
def test_same_seed_same_bits_and_another_seed_others(design: str) -> None:
    one, same, other = (make_r3d(design, n=50, seed=seed) for seed in (3, 3, 4))
    assert_array_equal(one.observations["y"], same.observations["y"])
    assert_array_equal(one.columns["x"], same.columns["x"])
    assert not np.array_equal(one.columns["x"], other.columns["x"])


def test_a_jax_key_is_a_seed() -> None:
    import jax

    one, same = (make_r3d(n=20, seed=jax.random.key(7)) for _ in range(2))
    other = make_r3d(n=20, seed=jax.random.key(8))
    assert_array_equal(one.observations["y"], same.observations["y"])
    assert not np.array_equal(one.observations["y"], other.observations["y"])


def test_the_global_generator_is_left_alone() -> None:
    before = np.random.get_state(legacy=True)  # noqa: NPY002
    make_r3d(n=50)
    after = np.random.get_state(legacy=True)  # noqa: NPY002
    assert all(np.array_equal(*parts) for parts in zip(before, after, strict=True))


@pytest.mark.parametrize("design", DESIGNS)
def test_jump_in_average_quantiles_is_the_truth(design: str) -> None:
    """Units within 0.01 of the cutoff differ across it by the truth, up to noise."""
    draws, n = 400, 60_000
    sim = make_r3d(design, n=n, draws=draws, delta=1.3, seed=11)
    x = sim.columns["x"]
    near = np.abs(x) < 0.01
    curve = unit_quantiles(sim, draws)[near]
    above = x[near] >= 0
    jump = curve[above].mean(0) - curve[~above].mean(0)
    noise = curve.std(0) * np.sqrt(1 / above.sum() + 1 / (~above).sum())
    # Slopes of at most 5 + 1.3 per unit of x move the averages by 0.01 x 6.3, and 400
    # draws place a quantile with a bias of less than 0.02.
    assert_allclose(jump, sim.truth(LEVELS), atol=4 * noise.max() + 0.063 + 0.02)


def test_exponential_truth_agrees_with_an_average_over_rates() -> None:
    rate = 0.5 + (np.arange(200) + 0.5) / 200
    curves = [
        stats.exponnorm.ppf(LEVELS[:, None], 2 / faster, 0, 1)
        for faster in (rate, rate + r3d.RATE_SHIFT)
    ]
    truth = make_r3d("exponential", n=2, delta=0.7).truth(LEVELS)
    # The midpoint rule with 200 nodes errs by about 1 / (24 x 200^2) times a curvature
    # of the order of ten.
    assert_allclose(truth, 0.7 + (curves[1] - curves[0]).mean(1), atol=1e-4)


def test_exponential_truth_does_not_depend_on_the_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sim = make_r3d("exponential", n=2)
    ends = np.array([0.001, 0.01, 0.5, 0.99, 0.999])
    coarse = sim.truth(ends)
    monkeypatch.setattr(r3d, "NODES", 60)
    assert_allclose(coarse, sim.truth(ends), atol=1e-9)


def test_exponential_quantiles_invert_their_distribution_function() -> None:
    rate = np.array([0.5, 1.0, 2.0])
    z = r3d._quantile(LEVELS, rate[:, None])
    back = stats.exponnorm.cdf(z, 2 / rate[:, None])
    assert_allclose(back, np.broadcast_to(LEVELS, back.shape), atol=1e-12)


@pytest.mark.parametrize("design", ["normal", "curved"])
def test_unit_means_and_spreads_have_the_stated_moments(design: str) -> None:
    sim = make_r3d(design, n=20_000, draws=30, delta=2.0, seed=2)
    x = sim.columns["x"]
    values = sim.observations["y"].reshape(-1, 30)
    centre = 5 + 5 * x + 2.0 * (x >= 0)
    if design == "curved":
        centre += np.where(x >= 0, 6 * x**2 - 4 * x**3, -3 * x**2)
    rest = values.mean(1) - centre
    # Variance of a unit's centre is 1, of its average of 30 draws (1 + (1 + x)^2) / 30.
    variance = 1 + np.mean(1 + (1 + x) ** 2) / 30
    assert abs(rest.mean()) < 4 * np.sqrt(variance / x.size)
    assert_allclose(rest.var(), variance, rtol=0.05)
    assert_allclose(values.var(1, ddof=1).mean(), 1 + np.mean((1 + x) ** 2), rtol=0.05)


@pytest.mark.parametrize("jump", [0.8, 0.4, 0.2, 0.1])
def test_first_stage_jumps_as_asked(jump: float) -> None:
    sim = make_r3d(n=40_000, draws=1, first_stage=jump, seed=9)
    x, t = sim.columns["x"], sim.columns["t"]
    assert set(np.unique(t)) == {0.0, 1.0}
    found = t[x >= 0].mean() - t[x < 0].mean()
    assert abs(found - jump) < 4 * np.sqrt(2 * 0.25 / 20_000)


def test_the_effect_of_a_fuzzy_design_runs_through_treatment() -> None:
    sim = make_r3d(n=40_000, draws=1, first_stage=0.4, delta=3.0, seed=9)
    x, t = sim.columns["x"], sim.columns["t"]
    rest = sim.observations["y"] - 5 - 5 * x
    for side in (x >= 0, x < 0):
        effect = rest[side & (t == 1)].mean() - rest[side & (t == 0)].mean()
        assert abs(effect - 3.0) < 0.2  # about four standard errors


def test_draws_per_unit_stay_in_the_range_asked() -> None:
    sizes = np.diff(make_r3d(n=2_000, draws=(3, 50)).offsets)
    assert (sizes.min(), sizes.max()) == (3, 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"design": "weird"}, "'normal', 'exponential', 'curved'"),
        ({"n": 1}, "n=1 leaves no units"),
        ({"draws": 0}, "draws=0"),
        ({"draws": (5, 3)}, r"draws=\(5, 3\)"),
        ({"first_stage": 0.0}, "first_stage=0.0"),
        ({"first_stage": 0.95}, "first_stage=0.95"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: dict, message: str) -> None:
    with pytest.raises(dc.DesignError, match=message):
        make_r3d(**arguments)


def test_ten_thousand_units_of_fifty_draws_take_well_under_a_second() -> None:
    start = time.process_time()
    make_r3d("exponential", n=10_000, draws=50)
    assert time.process_time() - start < 0.5  # measured 0.03 s


def test_a_simulation_survives_pickling() -> None:
    sim = make_r3d("exponential", n=10)
    again = pickle.loads(pickle.dumps(sim))
    assert_array_equal(again.truth(LEVELS), sim.truth(LEVELS))
    assert_array_equal(again.frame["y"], sim.frame["y"])


@pytest.mark.parametrize("first_stage", [None, 0.8])
def test_frame_and_distributions_hold_the_same(first_stage: float | None) -> None:
    sim = make_r3d(n=40, draws=(1, 9), first_stage=first_stage)
    names = [sim.running] + ([] if sim.treatment is None else [sim.treatment])
    from_frame = dc.RandomDistributions.from_frame(
        sim.frame, unit=sim.unit, value=sim.value, columns=names
    )
    assert_array_equal(sim.data.quantiles(LEVELS), from_frame.quantiles(LEVELS))
    assert_array_equal(sim.data.sizes, from_frame.sizes)
    for name in names:
        assert_array_equal(sim.data.columns[name], from_frame.columns[name])
