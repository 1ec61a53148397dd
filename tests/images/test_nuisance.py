"""Regressions and propensities agree with plain ones and keep away from their fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from distcausal.errors import DataError, DesignError, InferenceWarning
from distcausal.images.nuisance import outcome_regressions, propensities, regressors
from distcausal.images.ridge import _PENALTIES, fold_sums, ridge, training_sums
from tests.oracles import images as oracle

seeds = st.integers(0, 40)
UNITS = 72


def trial(seed: int, outcomes: int = 1):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(UNITS, 4)) * [1.0, 0.5, 0.2, 0.1]
    arm = draw.permutation(np.arange(UNITS) % 2)
    slope = draw.normal(size=(4, outcomes))
    noise = draw.normal(size=(UNITS, outcomes))
    outcome = features @ slope + arm[:, None] + noise
    group = np.arange(UNITS) // 2
    fold = np.stack([draw.permutation(np.arange(UNITS // 2) % 3) for _ in range(2)])
    settings = {"weights": draw.uniform(0.5, 2, UNITS), "group": group}
    return outcome, arm, features, fold[:, group], settings


@given(seeds)
def test_predictions_are_those_of_ridges_fitted_to_other_folds(seed):
    outcome, arm, features, fold, used = trial(seed)
    found = outcome_regressions(outcome, arm, features, fold, **used)
    columns = regressors(features, None, used["weights"])
    for name, train in (("other", fold[1] != 2), ("before", fold[1] < 1)):
        number = 2 if name == "other" else 1
        inside = fold[1] == number
        for w in (0, 1):
            part = train & (arm == w)
            coef = oracle.ridge_by_gcv(
                columns[part],
                outcome[part, 0],
                used["weights"][part],
                used["group"][part],
                _PENALTIES,
            )
            expected = coef[0] + columns[inside] @ coef[1:]
            got = getattr(found, name)[w, 1, inside, 0]
            assert np.allclose(got, expected, rtol=1e-8, atol=1e-9)


@given(seeds)
def test_nothing_in_a_fold_changes_what_is_predicted_there(seed):
    outcome, arm, features, fold, used = trial(seed)
    inside = fold[0] == 1
    other = outcome.copy()
    other[inside] += 5
    moved_arm = np.where(inside, 1 - arm, arm)
    one = outcome_regressions(outcome, arm, features, fold[:1], **used)
    two = outcome_regressions(other, moved_arm, features, fold[:1], **used)
    assert np.allclose(one.other[:, 0, inside], two.other[:, 0, inside], atol=1e-9)
    assert not np.allclose(one.other[:, 0, ~inside], two.other[:, 0, ~inside])


@given(seeds)
def test_later_folds_change_nothing_of_what_earlier_ones_say(seed):
    outcome, arm, features, fold, used = trial(seed)
    later = fold[0] >= 1
    other = outcome + 5 * later[:, None]
    one = outcome_regressions(outcome, arm, features, fold[:1], **used).before
    two = outcome_regressions(other, arm, features, fold[:1], **used).before
    inside = fold[0] == 1
    assert np.allclose(one[:, 0, inside], two[:, 0, inside], atol=1e-9)
    chance, again = (
        propensities(w, fold[:1], features=features, **used).before
        for w in (arm, np.where(later, 1 - arm, arm))
    )
    assert np.allclose(chance[0, inside], again[0, inside], atol=1e-9)
    assert np.isnan(one[:, fold[:1] == 0]).all()
    assert np.isfinite(one[:, fold[:1] > 0]).all()


@given(seeds, st.sampled_from([-3.0, 0.5, 1e4]), st.sampled_from([0.0, 100.0]))
def test_predictions_follow_unit_and_origin_of_the_outcome(seed, scale, shift):
    outcome, arm, features, fold, used = trial(seed)
    one = outcome_regressions(outcome, arm, features, fold, **used).other
    two = outcome_regressions(scale * outcome + shift, arm, features, fold, **used)
    # Sums of squares about the origin lose the digits that the shift takes.
    assert np.allclose(
        two.other, scale * one + shift, rtol=1e-7, atol=1e-7 * abs(scale)
    )


@given(seeds)
def test_two_halves_and_another_order_of_units_change_nothing(seed):
    outcome, arm, features, fold, used = trial(seed)
    order = np.append(np.random.default_rng(seed).permutation(UNITS), 5)
    weights = used["weights"].copy()
    weights[5] /= 2
    moved = {"weights": weights[order], "group": used["group"][order]}
    for options in ({}, {"covariates": features[:, :2] ** 2}):
        one = outcome_regressions(outcome, arm, features, fold, **used, **options)
        options = {name: part[order] for name, part in options.items()}
        two = outcome_regressions(
            outcome[order],
            arm[order],
            features[order],
            fold[:, order],
            **moved,
            **options,
        )
        assert np.allclose(one.other[:, :, order], two.other, atol=1e-8)
    chance = propensities(arm, fold, features=features, **used).other
    again = propensities(arm[order], fold[:, order], features=features[order], **moved)
    assert np.allclose(chance[:, order], again.other, atol=1e-6)


@given(seeds)
def test_outcomes_side_by_side_are_regressed_one_by_one(seed):
    outcome, arm, features, fold, used = trial(seed, outcomes=3)
    found = outcome_regressions(outcome, arm, features, fold, **used).other
    for place in range(3):
        part = outcome[:, [place]]
        alone = outcome_regressions(part, arm, features, fold, **used).other
        assert np.allclose(alone[..., 0], found[..., place], atol=1e-10)


def test_covariates_count_in_standard_deviations_and_constants_not_at_all():
    outcome, arm, features, fold, used = trial(1)
    plain = outcome_regressions(
        outcome, arm, features, fold, covariates=features[:, :2], **used
    )
    scaled = np.column_stack(
        [1e6 * features[:, 0] + 4, features[:, 1], np.full(UNITS, 7)]
    )
    other = outcome_regressions(outcome, arm, features, fold, covariates=scaled, **used)
    assert np.allclose(plain.other, other.other, atol=1e-7)


def test_a_fit_without_columns_is_the_mean_of_the_arm():
    outcome, arm, features, fold, used = trial(2)
    found = outcome_regressions(outcome, arm, features[:, :0], fold, **used).other
    train = (fold[0] != 0) & (arm == 1)
    mean = np.average(outcome[train, 0], weights=used["weights"][train])
    assert np.allclose(found[1, 0, fold[0] == 0], mean)


def test_a_learner_sees_the_training_part_of_one_arm():
    outcome, arm, features, fold, used = trial(3)
    seen = []

    def learner(columns, response, weights):
        seen.append(len(columns))
        mean = np.average(response[:, 0], weights=weights)
        return lambda new: np.full(len(new), mean)

    found = outcome_regressions(outcome, arm, features, fold, learner=learner, **used)
    plain = outcome_regressions(outcome, arm, features[:, :0], fold, **used)
    assert np.allclose(found.other, plain.other)
    assert np.allclose(found.before, plain.before, equal_nan=True)
    # Three folds and two arms of two splits, and fold 1 from fold 0 alone.
    assert len(seen) == 2 * (3 * 2 + 2)


@pytest.mark.parametrize("wrong", [np.nan, "shape"])
def test_a_learner_that_predicts_nonsense_is_refused(wrong):
    outcome, arm, features, fold, used = trial(4)

    def learner(columns, response, weights):
        return lambda new: (
            np.zeros((2, 2)) if wrong == "shape" else np.full(len(new), wrong)
        )

    with pytest.raises(DesignError, match="should predict finite numbers of shape"):
        outcome_regressions(outcome, arm, features, fold, learner=learner, **used)


def test_what_a_learner_raises_says_where():
    outcome, arm, features, fold, used = trial(4)

    def learner(columns, response, weights):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        outcome_regressions(outcome, arm, features, fold, learner=learner, **used)
    (note,) = caught.value.__notes__
    assert "units of one arm to predict" in note


def test_a_known_propensity_is_taken_as_it_is():
    _, arm, _, fold, used = trial(5)
    known = np.linspace(0.2, 0.8, UNITS)
    found = propensities(arm, fold, known=known, **used)
    assert np.array_equal(found.other, np.stack([known, known]))
    assert np.isnan(found.before[fold == 0]).all()
    assert (found.trimmed, found.estimated) == (0, False)


@pytest.mark.parametrize("known", [0.0, 1.0, np.nan, np.append(np.full(71, 0.5), 1.2)])
def test_a_known_propensity_outside_0_and_1_is_refused(known):
    _, arm, _, fold, used = trial(6)
    with pytest.raises(DataError, match=r"strictly between 0 and 1.* 1 of"):
        propensities(arm, fold, known=known, **used)


def test_a_known_propensity_of_another_length_is_refused():
    _, arm, _, fold, used = trial(6)
    with pytest.raises(DataError, match="each of 72 units; it has shape"):
        propensities(arm, fold, known=np.full(7, 0.5), **used)


def test_extreme_propensities_are_moved_to_the_bound_and_counted():
    _, arm, _, fold, used = trial(7)
    known = np.full(UNITS, 0.5)
    known[:3] = [0.001, 0.999, 0.01]
    with pytest.warns(InferenceWarning, match="weak overlap: 2 of 72 units"):
        found = propensities(arm, fold, known=known, **used)
    assert found.trimmed == 2
    assert np.allclose(found.other[0, :3], [0.01, 0.99, 0.01])


def test_without_columns_the_share_treated_elsewhere_is_the_estimate():
    _, arm, _, fold, used = trial(8)
    found = propensities(arm, fold, **used)
    train = fold[1] != 1
    share = np.average(arm[train], weights=used["weights"][train])
    assert np.allclose(found.other[1, fold[1] == 1], share)
    assert found.estimated


@given(seeds)
def test_an_estimated_propensity_maximises_the_penalised_likelihood(seed):
    _, arm, features, fold, used = trial(seed)
    draw = np.random.default_rng(seed)
    arm = (features[:, 0] + draw.logistic(size=UNITS) > 0).astype(int)
    found = propensities(arm, fold[:1], features=features, trim=0.0, **used).other
    columns = regressors(features, None, used["weights"])
    sums = fold_sums(columns, arm[:, None] * 1.0, fold[:1], *used.values())
    penalty = ridge(training_sums(sums, earlier=False)).penalty[0, 2, 0]
    train = fold[0] != 2
    share = used["weights"][train] / used["weights"][train].sum()
    mean = share @ arm[train]

    def loss(coef):
        odds = coef[0] + columns[train] @ coef[1:]
        fit = share @ (np.logaddexp(0, odds) - arm[train] * odds)
        return fit + penalty * mean * (1 - mean) * coef[1:] @ coef[1:] / 2

    best = minimize(loss, np.zeros(5), tol=1e-12).x
    inside = fold[0] == 2
    chance = 1 / (1 + np.exp(-best[0] - columns[inside] @ best[1:]))
    # The minimiser's own gradient, by differences, is good to 1e-5.
    assert np.allclose(found[0, inside], chance, atol=1e-4)


def test_separable_arms_end_in_finite_probabilities_and_a_warning():
    _, _, features, fold, used = trial(9)
    arm = (features[:, 0] > 0).astype(int)
    with pytest.warns(InferenceWarning, match="weak overlap"):
        found = propensities(arm, fold, features=50 * features[:, :1], **used)
    assert np.isfinite(found.other).all()


def test_trim_outside_its_range_is_refused():
    _, arm, _, fold, used = trial(9)
    with pytest.raises(DesignError, match="at least 0 and below"):
        propensities(arm, fold, trim=0.5, **used)
