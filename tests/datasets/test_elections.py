"""`close_elections` has the shape of the record it imitates and knows its truth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.datasets import elections

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


@pytest.fixture(scope="module")
def races() -> dc.datasets.Simulation:
    return dc.datasets.close_elections(seed=1)


def inverse_quantiles(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Smallest value at which the weighted distribution function reaches the level."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.argmax(share[None, :] >= LEVELS[:, None], axis=1)]


def test_same_seed_same_bits_and_another_seed_others(races) -> None:
    again, other = dc.datasets.close_elections(seed=1), dc.datasets.close_elections()
    for name, column in races.observations.items():
        assert_array_equal(column, again.observations[name])
    assert not np.array_equal(
        races.observations["dem_share"], other.observations["dem_share"]
    )


def test_shape_is_that_of_the_record(races) -> None:
    sizes = np.diff(races.offsets)
    assert (sizes.min(), np.median(sizes), sizes.max()) == (3, 64, 254)
    assert 1_000 < sizes.size < 1_400
    assert np.unique(races.columns["state"]).size == 49
    assert np.unique(races.ids).size == races.ids.size
    assert 0.3 < np.mean(np.abs(races.columns["margin"]) < 10) < 0.4
    assert np.abs(races.columns["margin"]).max() < 100


def test_shares_are_per_cent_and_votes_are_positive_whole_numbers(races) -> None:
    for name in ("dem_share", "previous_share"):
        share = races.observations[name]
        assert 0 < share.min() < share.max() < 100
    votes = races.observations["total_votes"]
    assert votes.min() >= 1
    assert_array_equal(votes, np.round(votes))


def test_votes_are_heavy_tailed(races) -> None:
    votes = np.sort(races.observations["total_votes"])
    largest_tenth = votes[-votes.size // 10 :].sum() / votes.sum()
    assert largest_tenth > 0.4


def test_each_seat_is_contested_every_six_years(races) -> None:
    frame = races.frame.drop_duplicates("race").copy()
    frame["seat"] = frame["race"].str[:-5]
    gaps = frame.sort_values("year").groupby("seat")["year"].diff().dropna()
    assert set(gaps) == {6}
    assert set(frame.groupby("state")["seat"].nunique()) == {2}


def test_truth_is_a_nearly_parallel_shift(races) -> None:
    truth = races.truth(LEVELS)
    assert np.all((truth > 5) & (truth < 8.5))
    assert truth[0] < truth[2]
    assert abs(races.truth(np.arange(1, 100) / 100).mean() - 7.4) < 0.1


def jump_at_cutoff(value: str) -> tuple[np.ndarray, np.ndarray]:
    """Difference, and its noise, over the 1,700 closest races of forty records."""
    found: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for seed in range(40):
        sim = dc.datasets.close_elections(seed=seed)
        for race in np.flatnonzero(np.abs(sim.columns["margin"]) < 0.5):
            inside = slice(sim.offsets[race], sim.offsets[race + 1])
            curve = inverse_quantiles(
                sim.observations[value][inside],
                sim.observations["total_votes"][inside],
            )
            found[bool(sim.columns["margin"][race] >= 0)].append(curve)
    above, below = np.array(found[True]), np.array(found[False])
    noise = np.sqrt(above.var(0) / len(above) + below.var(0) / len(below))
    return above.mean(0) - below.mean(0), noise


# Shares grow by at most 0.3 x 1.1 points per point of margin, and the two groups are
# half a point of margin apart on average.
SLOPE = 0.17


def test_truth_is_the_jump_at_the_cutoff(races) -> None:
    jump, noise = jump_at_cutoff("dem_share")
    assert np.all(np.abs(jump - races.truth(LEVELS)) < 4 * noise + SLOPE)


def test_truth_is_the_average_effect_on_races_at_margin_zero(races) -> None:
    """Both outcomes of the same races, states repeating, quantiles the slow way."""
    rng = np.random.default_rng(8)
    home, effects = elections._calendar()[0], []
    for _ in range(3):
        country = elections._country(rng, elections.COUNTIES)
        # Given margin zero a leaning keeps this share of its spread.
        country.lean[:] *= np.sqrt(1 - elections.SAME_STATE**2)
        offsets, place, votes = elections._turnout(rng, country, home)
        sizes, zero = np.diff(offsets), np.zeros(home.size)
        lost, won = elections._support(rng, country, home, place, sizes, zero)
        for start, stop in pairwise(offsets):
            own = slice(start, stop)
            effects.append(
                inverse_quantiles(won[own], votes[own])
                - inverse_quantiles(lost[own], votes[own])
            )
    # Averages of one record vary by up to 0.08 around the truth, of three by 0.05.
    assert_allclose(np.mean(effects, axis=0), races.truth(LEVELS), atol=0.2)


def test_nothing_jumps_at_the_previous_election() -> None:
    jump, noise = jump_at_cutoff("previous_share")
    assert np.all(np.abs(jump) < 4 * noise + SLOPE)


def test_winning_never_reorders_counties() -> None:
    rng = np.random.default_rng(0)
    country = elections._country(rng, np.array([200]))
    home, margin = np.zeros(1, int), np.zeros(1)
    offsets, place, _ = elections._turnout(rng, country, home)
    lost, won = elections._support(rng, country, home, place, np.diff(offsets), margin)
    assert_array_equal(np.argsort(lost), np.argsort(won))
    assert np.all(won > lost)


def test_county_at_a_level_is_the_inverse_of_the_weighted_distribution(races) -> None:
    share, votes = races.observations["dem_share"], races.observations["total_votes"]
    at = elections._county_at(LEVELS, races.offsets, share, votes)
    for race in range(0, 200, 7):
        inside = slice(races.offsets[race], races.offsets[race + 1])
        expected = inverse_quantiles(share[inside], votes[inside])
        assert_array_equal(share[at[race]], expected)


def test_distributions_are_those_of_the_frame(races) -> None:
    data = dc.RandomDistributions.from_frame(
        races.frame,
        unit="race",
        value="dem_share",
        weight="total_votes",
        columns=["margin", "state"],
        quantile_rule="inverse",
    )
    by_name = dict(zip(data.ids, data.quantiles(LEVELS), strict=True))
    expected = races.data.quantiles(LEVELS)
    for name, curve in zip(races.ids, expected, strict=True):
        assert_allclose(by_name[name], curve, rtol=1e-15)


def test_r3d_recovers_the_truth_within_its_band(races) -> None:
    with pytest.warns(dc.DataWarning, match="too few observations"):
        fit = dc.r3d(races.data, **races.roles, levels=LEVELS)
    low, high = fit.band(0.99)
    truth = races.truth(LEVELS)
    assert np.all((low < truth) & (truth < high))
    assert fit.nullity_p_value < 0.01
