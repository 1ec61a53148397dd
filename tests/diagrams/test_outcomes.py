"""Outcomes that are distributions: averages over what an intervention makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from tests.diagrams.random_channels import A, B, D, channels

FIRM = dc.Space("Y", ("u", "v", "w"))
IDS = list(FIRM.known)
LEVELS = [0.1, 0.35, 0.5, 0.8]
FORMS = {
    "samples": dc.RandomDistributions.from_samples(
        [[1.0, 2.0, 4.0], [4.0, 5.0], [6.0]], ids=IDS
    ),
    "quantiles": dc.RandomDistributions.from_quantiles(
        [[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]], [0.25, 0.75], ids=IDS
    ),
    "bins": dc.RandomDistributions.from_bins(
        [0.0, 1.0, 3.0], [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], ids=IDS
    ),
    "atoms": dc.RandomDistributions.from_atoms(
        [0, 1, 4], [[0.5, 0.5, 0], [1, 0, 0], [0, 0.3, 0.7]], ids=IDS
    ),
    "law": dc.RandomDistributions.from_law(
        scipy.stats.norm, {"loc": [0.0, 1.0, 2.0], "scale": [1.0, 1.0, 2.0]}, ids=IDS
    ),
}
forms = pytest.mark.parametrize("form", FORMS)
summaries = pytest.mark.parametrize("summary", ["mixture", "barycentre"])
SURE = dc.Channel([[0, 1, 0], [0, 0, 1]], A, FIRM)
MIXED = dc.Channel([[1, 0, 0], [0.5, 0.125, 0.375]], A, FIRM)


@given(channels(dom=(A, B), cod=(D,)))
def test_sure_numbers_as_outcomes_give_the_channel_itself(f):
    sure = dc.RandomDistributions.from_atoms(
        D.known, np.eye(D.size), columns={"D": D.known}
    )
    found, plain = dc.mix_distributions(f, sure), f.to_distributions()
    assert_array_equal(found.support, plain.support)
    assert_allclose(found.mass, plain.mass, atol=1e-15)
    assert_array_equal(found.ids, plain.ids)
    assert_array_equal(found.columns["B"], plain.columns["B"])


@forms
@summaries
def test_a_sure_choice_of_unit_gives_that_unit(form, summary):
    outcomes = FORMS[form]
    found = dc.mix_distributions(SURE, outcomes, summary=summary)
    assert_array_equal(found.ids, ["no", "yes"])
    assert_array_equal(found.columns["A"], ["no", "yes"])
    chosen = outcomes.take([1, 2])
    if (form, summary) == ("quantiles", "mixture"):
        chosen = chosen.to_samples()  # what pooling makes of curves
    # A law's inverse by bisection, its mean by quadrature, are right to 1e-12, 1e-8.
    assert_allclose(found.quantiles(LEVELS), chosen.quantiles(LEVELS), rtol=1e-12)
    assert_allclose(found.mean(), chosen.mean(), rtol=1e-8, atol=1e-8)


@summaries
def test_observations_behind_the_outcomes_are_counted(summary):
    curves = FORMS["samples"].to_quantiles(LEVELS)
    found = dc.mix_distributions(MIXED, curves, summary=summary)
    for row, share in enumerate(MIXED.values):
        alone = getattr(curves, summary)(weights=share)
        assert np.isfinite(alone.sizes[0])
        assert found.sizes[row] == alone.sizes[0]


@forms
@summaries
def test_each_unit_is_the_average_of_the_outcomes_by_its_row(form, summary):
    outcomes = FORMS[form]
    found = dc.mix_distributions(MIXED, outcomes, summary=summary)
    for row, share in enumerate(MIXED.values):
        alone = getattr(outcomes, summary)(weights=share)
        one = found.take([row])
        assert_allclose(one.quantiles(LEVELS), alone.quantiles(LEVELS), rtol=1e-12)
        assert_allclose(one.cdf([1.0, 4.5]), alone.cdf([1.0, 4.5]), rtol=1e-12)
        if form != "law":
            assert_array_equal(one.sizes, alone.sizes)
    # Quadrature over the kinks of a pooled law is good to four digits.
    means = MIXED.values @ outcomes.mean()
    rtol = 1e-3 if form == "law" else 1e-12
    assert_allclose(found.mean(), means, rtol=rtol, atol=1e-8)


def test_the_effect_of_an_intervention_on_a_distribution_is_found_by_surgery():
    # K makes firms choose X and changes their wages; Y is the unit of (K, X).
    k, x = dc.Space("K", ("small", "large")), dc.Space("X", (0, 1))
    wages = dc.RandomDistributions.from_samples(
        [[1.0, 3.0], [2.0, 6.0], [5.0, 7.0], [5.0, 11.0]],
        columns={"K": ["small", "small", "large", "large"], "X": [0, 1, 0, 1]},
    )
    size = dc.Channel([0.75, 0.25], [], k)
    choice = dc.Channel([[0.9, 0.1], [0.2, 0.8]], k, x)
    copied = size >> dc.Channel.copy(k)
    seen = dc.disintegrate(copied >> (dc.Channel.identity(k) @ choice), given="X")
    keep = dc.Channel.identity(x)
    watched = dc.Channel.copy(x) >> (keep @ seen)
    done = dc.mix_distributions(keep @ size, wages, summary="barycentre")
    naive = dc.mix_distributions(watched, wages, summary="barycentre")
    levels = [0.25, 0.75]
    for row in range(2):
        alone = wages.take([row, 2 + row])
        truth = alone.barycentre(weights=size.values).quantiles(levels)
        assert_allclose(done.take([row]).quantiles(levels), truth, rtol=1e-12)
    effect = np.diff(done.mean())
    assert_allclose(effect, 0.75 * (4 - 2) + 0.25 * (8 - 6), rtol=1e-12)
    assert np.diff(naive.mean()) > effect + 1


def test_a_model_whose_outcome_is_a_unit_answers_with_distributions():
    graph = dc.CausalGraph.from_edges("K -> X -> Y; K -> Y")
    model = dc.CausalModel(
        graph,
        {
            "K": [0.75, 0.25],
            "X": [[0.9, 0.1], [0.2, 0.8]],
            "Y": [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 1]]],  # by X, then K
        },
        states={"Y": FIRM.known},
    )
    answer = model.query("Y", do=["X"])
    after = dc.Channel.from_labelled(answer, given=["X"])
    found = dc.mix_distributions(after, FORMS["atoms"])
    first, second, third = FORMS["atoms"].mean()
    assert_allclose(
        found.mean(), [0.75 * first + 0.25 * second, 0.75 * second + 0.25 * third]
    )
    assert_array_equal(found.columns["X"], [0, 1])


def test_what_cannot_be_averaged_is_refused():
    outcomes = FORMS["samples"]
    part = dc.Channel(MIXED.values / 2, A, FIRM, partial=True)
    with pytest.raises(
        dc.DataError, match="rows of the channel A -> Y should sum to 1"
    ):
        dc.mix_distributions(part, outcomes)
    gap = dc.Channel([[1, 0, 0], [np.nan] * 3], A, FIRM, support=[True, False])
    with pytest.raises(dc.PositivityError, match="3 entries of the channel"):
        dc.mix_distributions(gap, outcomes)
    with pytest.raises(dc.DataError, match=r"1 are missing \(\('w',\)\)"):
        dc.mix_distributions(MIXED, outcomes.take([0, 1]))
    with pytest.raises(dc.DataError, match="there is none for Y"):
        dc.mix_distributions(MIXED @ dc.Channel.uniform(B), outcomes)
    with pytest.raises(ValueError, match="summary 'median' is not one of"):
        dc.mix_distributions(MIXED, outcomes, summary="median")
