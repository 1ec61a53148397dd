"""Intervals for single effects cover whatever the regression and the shift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.images.conformal import _halves, unit_effects
from tests.oracles import images as oracle

seeds = st.integers(0, 60)


def trial(seed: int, units: int = 200, shift: float = 0.0, per_group: int = 1):
    """A trial whose noise grows where treatment is rare; the regression is useless."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=units)
    chance = np.clip(1 / (1 + np.exp(-shift * x)), 0.1, 0.9)
    arm = (draw.uniform(size=units) < chance).astype(int)
    effect = 1 + x
    untreated = draw.normal(size=units) * np.exp(shift * x / 2)
    outcome = untreated + arm * effect
    group = np.arange(units) // per_group
    fold = draw.permutation(np.arange(group.max() + 1) % 2)[group]
    rows = (chance, np.zeros(units), fold)
    arrays = (outcome, arm, np.zeros((2, 1, units)), *(row[None] for row in rows))
    return arrays, {"weights": np.ones(units), "group": group}, effect


def test_intervals_cover_in_both_arms_where_images_of_arms_differ():
    hits = [[], []]
    for seed in range(60):
        arrays, used, truth = trial(seed, 400, shift=1.5)
        found = unit_effects(*arrays, **used, confidence=0.8)
        inside = (found.low <= truth) & (truth <= found.high)
        for arm in (0, 1):
            hits[arm].append(inside[arrays[1] == arm].mean())
    for arm in (0, 1):
        error = np.std(hits[arm]) / np.sqrt(60)
        assert np.mean(hits[arm]) > 0.8 - 3 * error
        # Not by being infinite: the promise is met with little to spare.
        assert np.mean(hits[arm]) < 0.85


def test_weights_by_the_odds_are_what_makes_them_cover():
    hits = []
    for seed in range(60):
        arrays, used, truth = trial(seed, 400, shift=1.5)
        even = (*arrays[:3], np.full((1, 400), 0.5), *arrays[4:])
        found = unit_effects(*even, **used, confidence=0.8)
        inside = (found.low <= truth) & (truth <= found.high)
        hits.append(inside[arrays[1] == 1].mean())
    assert np.mean(hits) < 0.77


def test_intervals_for_new_images_cover_with_room():
    hits = []
    for seed in range(60):
        arrays, used, _ = trial(seed, 400)
        found = unit_effects(*arrays, **used, confidence=0.8)
        fresh = np.random.default_rng(1000 + seed).normal(size=400)
        low, high = found.new(np.zeros(400))
        hits.append(np.mean((low <= 1 + fresh) & (1 + fresh <= high)))
    assert np.mean(hits) > 0.9


@given(seeds, st.sampled_from([1, 2]))
def test_bounds_are_weighted_quantiles_within_the_fold(seed, per_group):
    arrays, used, _ = trial(seed, 60, shift=0.2, per_group=per_group)
    outcome, arm, _, chance, _, fold = (
        part[..., 0, :] if part.ndim > 1 else part for part in arrays
    )
    used["weights"] = np.random.default_rng(seed).uniform(0.5, 2, 60)
    found = unit_effects(*arrays, **used, confidence=0.6)
    odds = chance / (1 - chance)
    for unit in (0, 7, 31):
        known = (fold == fold[unit]) & (arm != arm[unit])
        shift = odds if arm[unit] else 1 / odds
        groups = np.unique(used["group"][known])
        mass = np.array(
            [used["weights"][known & (used["group"] == g)].sum() for g in groups]
        )
        reserve = (mass**2).sum() / mass.sum() * shift[unit]
        weights = (used["weights"] * shift)[known]
        width = oracle.bound(np.abs(outcome[known]), weights, reserve, 0.4)
        sign = 1 if arm[unit] else -1
        assert np.isclose(found.low[unit], sign * outcome[unit] - width)
        assert np.isclose(found.high[unit], sign * outcome[unit] + width)


@given(seeds)
def test_intervals_for_new_images_predict_those_of_units_judged_by_others(seed):
    arrays, used, _ = trial(seed, 120)
    outcome, arm, fold = arrays[0], arrays[1], arrays[5][0]
    half = _halves(used["group"], 0)
    excess = []
    for unit in range(120):
        known = (fold == fold[unit]) & (half != half[unit]) & (arm != arm[unit])
        values = np.abs(outcome[known])
        width = oracle.bound(values, np.ones(len(values)), 1.0, 0.25)
        excess.append(abs(outcome[unit]) + width)
    expected = oracle.bound(np.array(excess), np.ones(120), 1.0, 0.25)
    assert np.isclose(
        unit_effects(*arrays, **used, confidence=0.5).half_width, expected
    )


@given(seeds)
def test_order_and_halves_of_units_are_of_no_account(seed):
    arrays, used, _ = trial(seed, 60, per_group=2)
    one = unit_effects(*arrays, **used, confidence=0.7)
    order = np.append(np.random.default_rng(seed).permutation(60), 5)
    weights = used["weights"].copy()
    weights[5] = 0.5
    outcome, arm, expected, chance, effect, fold = arrays
    two = unit_effects(
        *(part[order] for part in (outcome, arm)),
        *(part[..., order] for part in (expected, chance, effect, fold)),
        weights=weights[order],
        group=used["group"][order],
        confidence=0.7,
    )
    assert np.allclose(two.low, one.low[order])
    assert np.isclose(two.half_width, one.half_width)


@given(seeds)
def test_more_confidence_gives_wider_intervals(seed):
    arrays, used, _ = trial(seed)
    one, two = (unit_effects(*arrays, **used, confidence=c) for c in (0.6, 0.9))
    assert (two.low <= one.low).all()
    assert (two.high >= one.high).all()
    assert two.half_width >= one.half_width


def test_too_few_units_for_the_confidence_are_said_so():
    arrays, used, _ = trial(0, 40)
    with pytest.warns(InferenceWarning, match="40 of 40 units have infinite"):
        found = unit_effects(*arrays, **used, confidence=0.99)
    assert found.infinite == 40
    assert np.isinf(found.half_width)
    assert "nan" not in str(found)


def test_an_empty_other_arm_in_a_fold_leaves_intervals_infinite():
    arrays, used, _ = trial(0, 40)
    first = arrays[5][0] == 0
    arm = np.where(first, 1, arrays[1])
    with pytest.warns(InferenceWarning, match="infinite intervals"):
        found = unit_effects(arrays[0], arm, *arrays[2:], **used, confidence=0.5)
    assert np.isinf(found.high[first]).all()
    assert np.isfinite(found.high[~first]).all()


def test_one_split_is_used_and_can_be_chosen():
    arrays, used, _ = trial(1)
    twice = [np.concatenate([part, part], axis=-2) for part in arrays[2:]]
    twice[3][1] = 1 - twice[3][1]
    twice[2][1] = 5.0
    one = unit_effects(*arrays, **used, confidence=0.8)
    two, three = (
        unit_effects(*arrays[:2], *twice, **used, confidence=0.8, split=s)
        for s in (0, 1)
    )
    assert np.array_equal(one.low, two.low)
    assert three.half_width > two.half_width + 1


def test_missing_numbers_and_other_lengths_are_refused():
    arrays, used, _ = trial(0, 40)
    with pytest.raises(DataError, match=r"lengths are \[39, 40\]"):
        unit_effects(arrays[0][1:], *arrays[1:], **used)
    holes = arrays[0].copy()
    holes[:3] = np.nan
    with pytest.raises(DataError, match="3 numbers are missing"):
        unit_effects(holes, *arrays[1:], **used)
    with pytest.raises(DesignError, match="a number from 0 to 0; got 1"):
        unit_effects(*arrays, **used, split=1)
    with pytest.raises(DesignError, match="confidence"):
        unit_effects(*arrays, **used, confidence=1.0)


def test_the_result_prints_and_travels():
    arrays, used, _ = trial(0)
    found = unit_effects(*arrays, **used, confidence=0.8)
    assert len(found.tidy()) == len(found.plot_data()) == 200
    assert found == type(found).from_json(found.to_json())
    assert len(found.glance()) == 1
    assert "conservative" in str(found)
