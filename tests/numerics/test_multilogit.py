"""Logits: a maximum is found wherever there is one, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from distcausal.numerics.multilogit import fit_logit, logit_law


def simulated(n: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a regressor with a long tail and a state that depends on it."""
    rng = np.random.default_rng(seed)
    columns = np.column_stack([np.ones(n), np.exp(spread * rng.normal(size=n))])
    chance = logit_law(np.array([[-2.0], [0.6]]), columns)[:, 1]
    return columns, (rng.uniform(size=n) < chance).astype(int)


def test_one_outlier_is_no_separation() -> None:
    columns, code = simulated(2000, 1.5)
    fit = fit_logit(columns, code, np.ones(2000), 2)
    assert np.abs(columns @ fit.coef).max() > 30  # where odds are beyond any seen
    assert fit.converged
    assert not fit.separated
    # at the maximum the fitted chances add up to what is seen, column by column
    gap = columns.T @ (code - logit_law(fit.coef, columns)[:, 1]) / 2000
    np.testing.assert_allclose(gap, 0, atol=1e-9)  # the fit stops at 1e-10


@pytest.mark.reference
def test_long_tails_agree_with_statsmodels() -> None:
    import statsmodels.api as sm

    columns, code = simulated(2000, 1.5)
    fit = fit_logit(columns, code, np.ones(2000), 2)
    known = sm.Logit(code, columns).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(fit.coef[:, 0], known.params, atol=1e-6)


@pytest.mark.parametrize("spread", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("kind", ["complete", "quasi", "one state of three", "absent"])
def test_separation_is_told_whatever_the_scale(kind: str, spread: float) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=300)
    code, states = (z > 0).astype(int), 2
    if kind == "quasi":
        z = np.where(rng.uniform(size=300) < 0.5, 0.0, np.abs(z))
        code = np.where(z > 0, 1, rng.integers(0, 2, 300))
    if kind == "one state of three":
        code, states = np.where(z > 1, 2, rng.integers(0, 2, 300)), 3
    if kind == "absent":
        code, states = rng.integers(0, 2, 300), 3
    columns = np.column_stack([np.ones(300), spread * z])
    fit = fit_logit(columns, code, np.ones(300), states)
    assert fit.separated
    assert not fit.converged


def test_a_rare_state_has_a_maximum() -> None:
    rng = np.random.default_rng(0)
    columns = np.column_stack([np.ones(50_000), rng.normal(size=50_000)])
    code = np.zeros(50_000, int)
    code[rng.choice(50_000, 6, replace=False)] = 1
    fit = fit_logit(columns, code, np.ones(50_000), 2)
    assert fit.converged


def test_rows_without_weight_do_not_matter_to_the_verdict() -> None:
    columns, code = simulated(500, 0.5)
    far = np.vstack([columns, [[1.0, 1e6]]])
    weight = np.r_[np.ones(500), 0.0]
    one = fit_logit(columns, code, np.ones(500), 2)
    other = fit_logit(far, np.r_[code, 0], weight, 2)
    assert other.converged
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)


def test_a_variable_of_one_state_has_it_for_sure() -> None:
    columns = np.column_stack([np.ones(20), np.arange(20.0)])
    fit = fit_logit(columns, np.zeros(20, int), np.ones(20), 1)
    assert fit.converged
    np.testing.assert_array_equal(logit_law(fit.coef, columns), np.ones((20, 1)))
    assert fit.influence.shape == (20, 0)
