"""Bootstraps of the plug-in estimate against each other, the delta method, truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import distcausal as dc
from distcausal.diagrams import resample
from tests.diagrams.effects import QUESTIONS, question, simulation

DRAWS = 4000
# standard deviations from 4,000 draws have a relative error of 1/sqrt(8000) = 1.1 %;
# delta method and bootstrap differ by terms of relative order 1/n
CLOSE = 0.06


def errors(name: str, kind: str, **more: object) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors by a bootstrap and by the delta method."""
    rows = simulation(name, n=3000).frame
    how = dc.Bootstrap(draws=DRAWS, kind=kind)
    one = dc.estimate_effect(rows, question(name), inference=how, **more)
    other = dc.estimate_effect(rows, question(name), **more)
    return one.std_error.values, other.std_error.values


@pytest.mark.parametrize("kind", ["pairs", "bayesian"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_bootstrap_and_delta_method_agree(name: str, kind: str) -> None:
    one, other = errors(name, kind)
    np.testing.assert_allclose(one, other, rtol=CLOSE)


@pytest.mark.parametrize("kind", ["pairs", "bayesian"])
def test_bootstrap_keeps_clusters_and_weights_together(kind: str) -> None:
    rng = np.random.default_rng(3)
    who = rng.integers(0, 300, 3000)
    weight = rng.uniform(0.2, 2.0, 3000)
    one, other = errors("front-door", kind, cluster=who, weights=weight)
    np.testing.assert_allclose(one, other, rtol=CLOSE)


def test_dependence_within_clusters_widens_the_intervals() -> None:
    rows = simulation("front-door").frame
    alike = pd.concat([rows.head(200)] * 4)
    who = np.tile(np.arange(200), 4)
    for how in ("delta", dc.Bootstrap(draws=DRAWS)):
        free = dc.estimate_effect(alike, question("front-door"), inference=how)
        tied = dc.estimate_effect(
            alike, question("front-door"), inference=how, cluster=who
        )
        np.testing.assert_allclose(
            tied.std_error.values / free.std_error.values, 2.0, rtol=CLOSE
        )


def test_draws_do_not_depend_on_how_many_are_made_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = simulation("napkin").frame
    for kind in ("pairs", "bayesian"):
        how = dc.Bootstrap(draws=50, kind=kind)
        one = dc.estimate_effect(rows, question("napkin"), inference=how, seed=3)
        with monkeypatch.context() as patch:
            patch.setattr(resample, "_NUMBERS", 7 * 40)
            other = dc.estimate_effect(rows, question("napkin"), inference=how, seed=3)
        np.testing.assert_array_equal(one.draws, other.draws)
        changed = dc.estimate_effect(rows, question("napkin"), inference=how, seed=4)
        assert np.all(changed.draws != one.draws, axis=0).any()


def test_percentile_intervals_are_quantiles_of_the_draws() -> None:
    rows = simulation("front-door").frame
    fit = dc.estimate_effect(rows, question("front-door"), inference="bootstrap")
    low, high = fit.conf_int(0.9)
    inside = (fit.draws >= low.values.ravel()) & (fit.draws <= high.values.ravel())
    np.testing.assert_allclose(inside.mean(axis=0), 0.9, atol=2 / len(fit.draws))
    normal = dc.estimate_effect(
        rows, question("front-door"), inference=dc.Bootstrap(interval="normal")
    )
    low, high = normal.contrast().conf_int()
    np.testing.assert_allclose((low + high) / 2, fit.contrast().estimate, atol=1e-12)


def test_resamples_without_an_answer_are_counted_and_said() -> None:
    rows = simulation("back-door").frame
    rare = (rows["Z"] == 1) & (rows["X"] == 1)
    thin = pd.concat([rows[~rare], rows[rare].head(2)])
    with pytest.warns(dc.InferenceWarning) as said:
        fit = dc.estimate_effect(thin, question("back-door"), inference="bootstrap")
    lost = 999 - len(fit.draws)
    # both rows drop out with probability exp(-2) or so
    assert abs(lost / 999 - np.exp(-2)) < 0.04
    assert any(f"in {lost} of 999 resamples" in str(one.message) for one in said)
    assert any(f"{lost} of 999" in note for note in fit.notes)
    assert np.isfinite(fit.covariance).all()
    with pytest.warns(dc.InferenceWarning, match="fewer than 5"):
        whole = dc.estimate_effect(thin, question("back-door"), inference="bayesian")
    assert len(whole.draws) == 999


@pytest.mark.plots
@pytest.mark.filterwarnings("ignore:in 356 of 999 bootstrap draws")
def test_intervals_without_end_are_drawn_with_an_arrow() -> None:
    rows = pd.DataFrame(
        {"X": [0] * 40 + [1] * 40, "Y": [1] + [0] * 39 + [1] * 4 + [0] * 36}
    )
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    fit = dc.estimate_effect(rows, found, inference="bootstrap")
    axes = fit.contrast(outcome=1, scale="ratio").plot()
    arrow = next(line for line in axes.lines if line.get_marker() == ">")
    ((_, _), (end, _)) = axes.collections[0].get_segments()[0]
    assert np.isfinite(end)
    assert arrow.get_xdata()[0] == end > 4.0


@pytest.mark.parametrize("scale", ["ratio", "odds-ratio"])
def test_ratios_over_zero_are_counted_and_leave_an_open_end(scale: str) -> None:
    rows = pd.DataFrame(
        {"X": [0] * 40 + [1] * 40, "Y": [1] + [0] * 39 + [1] * 4 + [0] * 36}
    )
    found = dc.identify(dc.CausalGraph.from_edges("X->Y"), "Y", do="X")
    fit = dc.estimate_effect(rows, found, inference="bootstrap")
    with pytest.warns(dc.InferenceWarning, match="divides by zero") as said:
        contrast = fit.contrast(outcome=1, scale=scale)
    none = fit.draws[:, fit.terms.index("P(Y=1 | do(X=0))")] == 0
    # the one event is missed with probability (1 - 1/80) ** 80, or about exp(-1)
    assert abs(none.mean() - np.exp(-1)) < 0.05
    assert f"in {none.sum()} of 999" in str(said[0].message)
    assert f"In {none.sum()} of 999" in contrast.notes[0]
    assert contrast.notes[0][:40] in " ".join(str(contrast.summary()).split())
    low, high = contrast.conf_int()
    finite = contrast.draws[np.isfinite(contrast.draws)]
    assert high[0] == np.inf
    assert finite.min() <= low[0] < contrast.estimate[0]


def test_bootstrap_of_an_experiment_keeps_samples_apart() -> None:
    graph = dc.CausalGraph.from_edges("X->M->Y; A->Y; A<->Y")
    found = dc.identify(graph, "Y", do=["X", "A"], experiments=[["A"]])
    rng = np.random.default_rng(0)
    seen = pd.DataFrame(rng.integers(0, 2, (900, 2)), columns=["X", "M"])
    trial = pd.DataFrame(rng.integers(0, 2, (600, 3)), columns=["M", "A", "Y"])
    both = {"observational": seen, ("A",): trial}
    one = dc.estimate_effect(both, found, inference=dc.Bootstrap(draws=DRAWS))
    other = dc.estimate_effect(both, found)
    np.testing.assert_allclose(one.std_error.values, other.std_error.values, rtol=CLOSE)


@pytest.mark.parametrize("name", ["front-door", "napkin"])
def test_standard_errors_are_the_spread_over_samples(name: str) -> None:
    from benchmarks.diagram_coverage import replicate

    found = replicate(name, n=2000, replications=2000, seed=1)
    spread = found.estimates.std(axis=0)
    # relative error of a spread from 2,000 samples is 1.6 %, plus 1/n terms
    np.testing.assert_allclose(np.sqrt(found.variances.mean(axis=0)), spread, rtol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["back-door", "front-door", "napkin", "conditional"])
def test_intervals_cover_as_often_as_they_say(name: str) -> None:
    from benchmarks.diagram_coverage import covered

    for n in (2000, 10_000):
        share = covered(name, n=n, replications=1000, seed=2)
        assert np.all((share >= 0.93) & (share <= 0.97))
