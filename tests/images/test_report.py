"""Tables and frames say what model and design found, and what could not be."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from distcausal.errors import InferenceWarning
from distcausal.images._frames import glance, implied_draws, tidy, to_dict, to_frame
from distcausal.images._report import summary_table
from distcausal.images.calibration import calibration
from distcausal.images.families import as_family
from distcausal.images.homogeneity import effect_homogeneity
from tests.images.result_doubles import DRAWS, UNITS, fitted

SNAPSHOT = Path(__file__).parent / "summary.txt"
CASES = {
    "two clusters": {},
    "one cluster": {"clusters": 1},
    "no difference": {"gap": 0.0},
    "shared images": {"images": 60},
    "distributions": {"outcomes": 2},
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def pairs(table):
    return dict((*table.left, *table.right))


def notes(fit):
    return " ".join(summary_table(fit).notes)


def collapsed():
    with pytest.warns(InferenceWarning, match="collapsed"):
        return fitted(clusters=3)


def test_summary_reads_as_agreed():
    fit = fitted(images=90, trimmed=4, dropped=2)
    assert summary_table(fit).as_text() == SNAPSHOT.read_text().rstrip("\n")


@every_case
def test_summary_has_a_row_per_cluster_and_one_for_all_and_never_says_nan(case):
    fit = fitted(**case)
    table = summary_table(fit)
    assert len(table.rows) == fit.posterior.clusters + 1
    for text in (table.as_text(), table.as_html(), table.as_markdown()):
        assert "nan" not in text.lower()


@every_case
def test_clusters_weighted_by_design_shares_give_the_average_effect(case):
    fit = fitted(**case)
    frame = tidy(fit).set_index("term")
    design = [f"cluster {k + 1}, design" for k in range(fit.posterior.clusters)]
    total = fit.design.share @ frame.loc[design, "estimate"].to_numpy()
    assert_allclose(total, frame.loc["average effect", "estimate"], atol=1e-10)


@every_case
def test_rows_of_a_cluster_stand_together_and_averages_last(case):
    fit = fitted(**case)
    terms = [
        f"cluster {k + 1}, {which}"
        for k in range(fit.posterior.clusters)
        for which in ("model", "design")
    ]
    expected = [*terms, "average effect", "implied average effect"]
    assert tidy(fit)["term"].tolist() == expected


def test_model_rows_are_read_off_the_draws_and_claim_no_test():
    fit = fitted()
    row = tidy(fit, 0.8).set_index("term").loc["cluster 2, model"]
    draws = fit.posterior.effects[:, 1, 0]
    assert_allclose(row["estimate"], draws.mean())
    assert_allclose(row["std_error"], draws.std())
    assert_allclose([row["conf_low"], row["conf_high"]], np.quantile(draws, [0.1, 0.9]))
    assert np.isnan(row["p_value"])
    assert np.isnan(row["statistic"])


def test_design_rows_are_those_of_the_design_layer():
    fit = fitted()
    row = tidy(fit, 0.9).set_index("term").loc["cluster 1, design"]
    low, high = fit.design.conf_int(0.9)
    assert_allclose([row["conf_low"], row["conf_high"]], [low[0, 0], high[0, 0]])
    assert_allclose(row["std_error"], fit.design.std_error[0, 0])
    average = tidy(fit, 0.9).set_index("term").loc["average effect"]
    ends = [average["conf_low"], average["conf_high"]]
    assert_allclose(ends, fit.ate.conf_int(0.9))


def test_implied_average_is_that_of_the_effects_of_units_in_every_draw():
    fit = fitted(images=60)
    each = fit.posterior.cate(fit.trial.features)[:, fit.trial.image]
    expected = np.average(each, axis=1, weights=fit.trial.weights)
    assert_allclose(implied_draws(fit), expected, rtol=1e-12)
    assert_allclose(implied_draws(fit).mean(), fit.implied_ate, rtol=1e-12)


def test_tests_in_the_summary_are_those_on_held_out_scores():
    fit = fitted(gap=0.3)
    shown = pairs(summary_table(fit))
    equal, line = effect_homogeneity(fit.scores), calibration(fit.scores)
    assert shown["P-value, equal effects"] == f"{equal.p_value:.3f}"
    assert shown["Calibration slope"] == f"{line.tested_slope:.2f}"
    assert shown["Its interval"] == f"{line.conf_low:.2f} to {line.conf_high:.2f}"
    row = glance(fit).iloc[0]
    assert row["p_homogeneity"] == equal.p_value
    assert row["calibration_slope"] == line.tested_slope
    assert row["p_calibration"] == line.p_zero


def test_confidence_reaches_every_interval_of_the_summary():
    fit = fitted()
    wide, narrow = summary_table(fit, 0.99), summary_table(fit, 0.5)
    assert [group.text for group in wide.groups] == ["model, 99%", "design, 99%"]
    for row, other in zip(wide.rows, narrow.rows, strict=True):
        for low, high in ((3, 4), (8, 9)):
            assert float(row[low]) < float(other[low])
            assert float(row[high]) > float(other[high])
    ends = [pairs(each)["Its interval"].split(" to ") for each in (wide, narrow)]
    assert float(ends[0][0]) < float(ends[1][0])


def test_without_difference_the_notes_say_that_the_test_finds_none():
    assert "finds no difference" in notes(fitted(gap=0.0))
    assert "finds no difference" not in notes(fitted())


def test_intervals_of_the_model_are_called_what_they_are():
    assert "can be too short" in notes(fitted())


def test_collapsed_cluster_is_not_estimated_and_says_so():
    fit = collapsed()
    table = summary_table(fit)
    assert table.rows[2][6:] == ("not estimated", "", "", "")
    assert table.rows[1][6] != "not estimated"
    assert "Collapsed: cluster 3." in " ".join(table.notes)
    assert "nan" not in table.as_text().lower()
    row = tidy(fit).set_index("term").loc["cluster 3, design"]
    assert row[["estimate", "std_error", "conf_low"]].isna().all()


def test_folds_without_a_test_are_counted():
    fit = fitted()
    probs = fit.scores.probs_before.copy()
    probs[fit.scores.fold == 2] = [0.9, 0.1]
    fit = replace(fit, scores=fit.scores._replace(probs_before=probs))
    with pytest.warns(InferenceWarning, match="3 of 9 folds allow no test"):
        assert "3 of 9 folds had an empty cluster and no test" in notes(fit)


def test_one_cluster_has_nothing_to_test():
    fit = fitted(clusters=1)
    assert "P-value, equal effects" not in pairs(summary_table(fit))
    assert glance(fit)[["p_homogeneity", "calibration_slope"]].isna().all(axis=None)


def test_images_with_units_in_one_arm_only_are_noted_where_chance_would_not_do_it():
    fit = fitted(images=60)
    assert "one arm" not in notes(fit)
    by_place = replace(fit.trial, treatment=fit.trial.image % 2)
    fit = replace(fit, trial=by_place)
    assert "in 100% of the 60 images that several units share" in notes(fit)
    assert "Name the assigned groups" in notes(fit)
    named = replace(fit, settings={**fit.settings, "cluster": "village"})
    assert "Name the assigned groups" not in notes(named)


def test_what_was_moved_or_left_out_is_counted():
    said = notes(fitted(trimmed=7, dropped=3))
    assert f"7 of {UNITS} units" in said
    assert "3 units were left out" in said
    plain = notes(fitted())
    assert "overlap" not in plain
    assert "left out" not in plain


def test_average_that_the_model_misses_is_named_in_standard_errors():
    fit = fitted()
    assert "does not fit" not in notes(fit)
    far = fit.posterior.effects + 9 * fit.ate.std_error
    moved = replace(fit, posterior=replace(fit.posterior, effects=far))
    distance = abs(moved.implied_ate - fit.ate.estimate) / fit.ate.std_error
    assert f"{distance:.1f} standard errors" in notes(moved)


@pytest.mark.parametrize(
    ("family", "noisy"), [("normal", 1), ("bernoulli", 0), ("poisson", 0)]
)
def test_noise_is_told_of_families_that_have_some(family, noisy):
    fit = fitted()
    fit = replace(fit, model=replace(fit.model, family=as_family(family)))
    named = [name for name, _ in summary_table(fit).left]
    assert named.count("Noise") == noisy


def test_levels_that_were_asked_for_are_named():
    fit = fitted(outcomes=2)
    fit = replace(fit, settings={**fit.settings, "levels": (0.5,)})
    assert "the average of the quantiles at levels=" in notes(fit)


def test_distributions_are_reported_by_their_mean():
    fit = fitted(outcomes=2)
    table = summary_table(fit)
    said = " ".join(table.notes)
    assert "Effects are on the mean of each unit's distribution" in said
    assert "is for whole curves: fit.curves()" in said
    mean = fit.scores._replace(
        score=fit.scores.score[..., :1], score_before=fit.scores.score_before[..., :1]
    )
    shown = pairs(table)
    assert shown["Calibration slope"] == f"{calibration(mean).tested_slope:.2f}"
    assert "P-value, equal effects" in shown


@pytest.mark.parametrize(("images", "said"), [(49, True), (50, False)])
def test_summary_says_that_groups_are_few(images, said):
    assert ("49 groups" in notes(fitted(images=images))) == said


def test_summary_warns_of_nothing_where_nothing_is_amiss():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary_table(fitted())


@every_case
def test_image_frame_has_a_row_per_image(case):
    fit = fitted(**case)
    frame = to_frame(fit)
    assert frame["key"].tolist() == fit.keys.tolist()
    assert frame["units"].sum() == UNITS
    for kind in ("prior", "posterior"):
        share = frame[[f"{kind}_{k + 1}" for k in range(fit.posterior.clusters)]]
        assert_allclose(share.sum(axis=1), 1.0)
    assert (frame["cate_low"] <= frame["cate_mean"]).all()
    assert (frame["cate_mean"] <= frame["cate_high"]).all()
    assert_allclose(frame["cate_mean"], fit.cate().mean)


def test_image_frame_keeps_prior_and_posterior_membership_apart():
    fit = fitted(images=60)
    frame = to_frame(fit)
    prior, posterior = (
        fit.cluster_probabilities(kind)[:, 1] for kind in ("prior", "posterior")
    )
    assert np.abs(prior - posterior).max() > 0.1
    assert_allclose(frame["prior_2"], prior)
    assert_allclose(frame["posterior_2"], posterior)


@pytest.mark.parametrize("chains", [1, 4])
def test_draws_come_with_their_chains_in_order(chains):
    engine = SimpleNamespace(name="nuts", chains=chains)
    fit = fitted(engine=engine)
    found = to_dict(fit)
    for array in found["posterior"].values():
        assert array.shape[:2] == (chains, DRAWS // chains)
    whole = found["posterior"]["effects"].reshape(DRAWS, 2, 1)
    assert_allclose(whole, fit.posterior.effects)
    assert_allclose(found["observed_data"]["outcome"], fit.trial.outcome)


@every_case
def test_glance_is_one_row_that_agrees_with_the_fit(case):
    fit = fitted(**case)
    frame = glance(fit)
    row = frame.iloc[0]
    assert len(frame) == 1
    assert row["units"] == UNITS
    assert row["images"] == len(fit.keys)
    assert_allclose(row["ate"], fit.ate.estimate)
    assert_allclose(row["implied_ate"], fit.implied_ate)
    weights = fit.trial.weights
    assert_allclose(row["treated_share"], weights @ fit.trial.treatment / weights.sum())
