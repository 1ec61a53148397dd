"""State-wide races with counties inside, simulated in the image of a real record.

The question of the package's first pages is whether a party that narrowly wins a seat
does better at the next election for it, and where in the state. The real record
(Amlani and Algara 2021, United States Senate since 1946) answers with a nearly parallel
shift of the whole distribution over counties, by 6.4 to 8.3 points between the 10th and
the 90th percentile. This simulation has that record's shape, about 1,100 contested
races in 49 states with 3 to 254 counties each, and a truth one can hold against
an estimate. No number of the record is in it, except how many counties states have.

Votes are made on a scale on which swings add up and are carried to (0, 100) by a
logistic curve; a win moves every county up that scale, so it never reorders them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distcausal.datasets.simulation import Simulation, generator

__all__ = ["close_elections"]

# Counties (or what stands for them) in the states that report votes by county: a
# published fact, and the reason why units differ so much in size.
# fmt: off
COUNTIES = np.array([
    67, 15, 75, 58, 64, 8, 3, 67, 159, 4, 44, 102, 92, 99, 105, 120, 64, 16, 24, 14,
    83, 87, 82, 115, 56, 93, 17, 10, 21, 33, 62, 100, 53, 88, 77, 36, 67, 5, 46, 66,
    95, 254, 29, 14, 133, 39, 55, 72, 23,
])
# fmt: on
# A state elects two senators, each for six years, in two of three classes; the next
# race for the same seat must lie in the past.
CLASSES = {"I": 1946, "II": 1948, "III": 1950}
PAIRS = (("I", "II"), ("I", "III"), ("II", "III"))
LAST_YEAR = 2014
TERM = 6

MARGIN_SPREAD = (
    23.0  # a third of the races then end within ten points, as in the record
)
SAME_STATE = 0.55  # correlation of margin and state leaning
WIN, WIN_SLOPE = 8.0, 0.1  # swing that a win brings, and its growth with support
REPLICATES = 10  # of the whole record, to average the truth over


@dataclass(frozen=True)
class _Country:
    """States, and their counties one state after the other."""

    lean: np.ndarray
    offsets: np.ndarray
    size: np.ndarray
    bent: np.ndarray


def close_elections(seed: Any = 0) -> Simulation:
    """Simulate close state-wide races and the county results of the next one.

    A unit is a race. Its running variable is the Democratic margin of victory in
    percentage points, its distribution that of the Democratic share, in per cent, over
    the counties of the state at the next election for the same seat, weighted by votes.
    States repeat, with a political leaning and counties of their own, so races of a
    state are dependent and a fit should be clustered by state.

    Parameters
    ----------
    seed
        Integer or JAX key.

    Returns
    -------
    Simulation
        Frame columns: ``race``, ``state``, ``year``, ``margin``, ``county``,
        ``dem_share`` (next election), ``previous_share`` (the election before, on which
        winning has no effect) and ``total_votes``. About 80,000 rows.

        `Simulation.truth` averages the exact effect on each race over ten simulated
        records with the margin at zero; its error is about 0.01 points.

    References
    ----------
    Lee (2008), *Randomized experiments from non-random selection in U.S. House
    elections*, for the design; Amlani and Algara (2021), *Partisanship and
    nationalization in American elections*, for the record imitated.

    Examples
    --------
    >>> import distcausal as dc
    >>> races = dc.datasets.close_elections(seed=1)
    >>> len(races.data), races.roles
    (1144, {'running': 'margin', 'cutoff': 0.0, 'cluster': 'state'})
    >>> races.truth([0.1, 0.5, 0.9]).round(1).tolist()
    [6.5, 7.7, 7.8]
    """
    rng = generator(seed, "close_elections")
    home, seat, year = _calendar()
    country = _country(rng, COUNTIES)
    margin = MARGIN_SPREAD * (
        SAME_STATE * country.lean[home]
        + np.sqrt(1 - SAME_STATE**2) * rng.standard_normal(home.size)
    )
    offsets, place, votes = _turnout(rng, country, home)
    sizes = np.diff(offsets)
    lost, won = _support(rng, country, home, place, sizes, margin)
    before, _ = _support(rng, country, home, place, sizes, margin)
    states = np.array([f"S{number + 1:02d}" for number in range(COUNTIES.size)])
    county = place - np.repeat(country.offsets[home], sizes) + 1
    return Simulation(
        ids=np.array(
            [
                f"{states[where]}-{kind}-{when}"
                for where, kind, when in zip(home, seat, year, strict=True)
            ]
        ),
        offsets=offsets,
        observations={
            "county": county,
            "dem_share": np.where(np.repeat(margin >= 0, sizes), won, lost),
            "previous_share": before,
            "total_votes": votes,
        },
        columns={"state": states[home], "year": year, "margin": margin},
        unit="race",
        value="dem_share",
        weight="total_votes",
        running="margin",
        cluster="state",
        quantile_rule="inverse",
        effect=_effect,
    )


def _calendar() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State number, seat class and year of every race."""
    races = [
        (state, seat, year)
        for state in range(COUNTIES.size)
        for seat in PAIRS[state % len(PAIRS)]
        for year in range(CLASSES[seat], LAST_YEAR + 1, TERM)
    ]
    home, seat, year = zip(*races, strict=True)
    return np.array(home), np.array(seat), np.array(year)


def _country(rng: np.random.Generator, counties: np.ndarray) -> _Country:
    """States with a leaning, counties with a size and, larger ones more, a bent."""
    total = int(counties.sum())
    size = rng.standard_normal(total)
    return _Country(
        lean=rng.standard_normal(counties.size),
        offsets=np.concatenate([[0], np.cumsum(counties)]),
        size=size,
        bent=0.45 * size + 0.75 * rng.standard_normal(total),
    )


def _turnout(
    rng: np.random.Generator, country: _Country, home: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets of races, number of each county voting in them, and its votes."""
    sizes = np.diff(country.offsets)[home]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    place = np.arange(offsets[-1]) + np.repeat(
        country.offsets[home] - offsets[:-1], sizes
    )
    surge = 0.1 * rng.standard_normal(place.size)
    votes = np.ceil(np.exp(9 + 1.3 * country.size[place] + surge))
    return offsets, place, votes


def _support(
    rng: np.random.Generator,
    country: _Country,
    home: np.ndarray,
    place: np.ndarray,
    sizes: np.ndarray,
    margin: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Democratic share of each county had the party lost, and had it won, the seat."""
    state = (
        -4
        + _drift(margin)
        + 6 * country.lean[home]
        + 7 * rng.standard_normal(home.size)
    )
    spread = 11 * np.exp(0.2 * rng.standard_normal(home.size))
    bent = country.bent[place] + 0.48 * rng.standard_normal(place.size)
    swing = np.repeat(state, sizes) + np.repeat(spread, sizes) * bent
    return _share(swing), _share(swing + WIN + WIN_SLOPE * swing)


def _drift(margin: np.ndarray) -> np.ndarray:
    """Swing that goes with a margin: steep in close races, flat at safe seats."""
    return np.where(
        margin < 0, 9 * np.expm1(-np.abs(margin) / 25), -8 * np.expm1(-margin / 18)
    )


def _share(swing: np.ndarray) -> np.ndarray:
    """Per cent of the vote; near one half a point of swing is a point of share."""
    return 100 / (1 + np.exp(-swing / 25))


def _effect(levels: np.ndarray) -> np.ndarray:
    """Average over races at margin zero of the effect on each one's quantiles.

    A win leaves the order of counties as it is, so the county at a level is the same
    with and without it: the effect on a race is the difference of two of its shares.
    """
    rng = np.random.default_rng(0)
    total = np.zeros(levels.shape)
    home = _calendar()[0]
    for _ in range(REPLICATES):
        # Every race in a state of its own: dependence does not move an average.
        country = _country(rng, COUNTIES[home])
        at_zero = np.sqrt(1 - SAME_STATE**2)  # what margin zero leaves of the leaning
        country = _Country(
            at_zero * country.lean, country.offsets, country.size, country.bent
        )
        own, nothing = np.arange(home.size), np.zeros(home.size)
        offsets, place, votes = _turnout(rng, country, own)
        lost, won = _support(rng, country, own, place, np.diff(offsets), nothing)
        at = _county_at(levels, offsets, lost, votes)
        total += (won[at] - lost[at]).mean(axis=0)
    return total / REPLICATES


def _county_at(
    levels: np.ndarray, offsets: np.ndarray, share: np.ndarray, votes: np.ndarray
) -> np.ndarray:
    """Position of the county at each level of each race, shape ``(race, level)``."""
    race = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    order = np.lexsort((share, race))
    upto = np.add.accumulate(votes[order])
    before = np.concatenate([[0.0], upto])[offsets]
    # Votes are whole numbers, so these sums are exact, and so is the last rank, one.
    rank = (upto - before[race]) / np.diff(before)[race]
    own = np.arange(offsets.size - 1)[:, None]
    return order[np.searchsorted(race + rank, own + levels)]
