"""Intervals cover as often as the page on designs says, with few points and many."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import distcausal as dc

DRAWS = 2000
SPACE = dc.PolynomialSpace(index=dc.TotalDegree(4))
PAGE = (Path(__file__).parents[2] / "docs" / "designs.md").read_text("utf-8")
KINDS = ("independent", "volume", "repeated", "cross-fitted")
TABLE = {
    (int(row[0]), kind): tuple(float(one) for one in cell.split(","))
    for row in re.findall(r"^\| (\d+) \|((?: \.\d+, \.\d+ \|){4})$", PAGE, re.MULTILINE)
    for kind, cell in zip(KINDS, row[1].split("|")[:4], strict=True)
}


def kink(x: np.ndarray) -> np.ndarray:
    return abs(x[..., 0] - 0.2)


@cache
def best() -> np.ndarray:
    """Coefficients of the best approximation, to 1e-5."""
    nodes, mass = np.polynomial.legendre.leggauss(400)
    return SPACE.basis.evaluate(nodes).T @ (mass / 2 * kink(nodes[:, None]))


def covered(interval: tuple[np.ndarray, np.ndarray], truth: np.ndarray) -> np.ndarray:
    return np.mean((interval[0] <= truth) & (truth <= interval[1]), axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [10, 60])
def test_intervals_cover_as_tabulated(n: int, kind: str) -> None:
    assert len(TABLE) == 16
    design = {
        "independent": dc.IID(SPACE, n),
        "volume": dc.VolumeSampling(SPACE, n),
    }.get(kind, dc.RepeatedDPP(SPACE, n // SPACE.size))
    points = design.sample_many(DRAWS, seed=2)
    fitted = dc.cross_fitted_wls if kind == "cross-fitted" else dc.wls
    fit = fitted(points, kink(points.x))
    truth = SPACE.basis.evaluate(np.array([0.2])) @ best()
    value = covered(fit.value([0.2]).conf_int(), truth).item()
    coef = covered(fit.conf_int(), best()).mean()
    # Four Monte Carlo errors of the difference, and the rounding of the table.
    slack = 4 * np.sqrt(2 * 0.1 / DRAWS) + 0.005
    np.testing.assert_allclose((value, coef), TABLE[n, kind], atol=slack)


@pytest.mark.slow
@pytest.mark.parametrize(("replicates", "share"), [(2, 0.93), (4, 0.93)])
def test_intervals_of_few_replicates_cover_as_told(
    replicates: int, share: float
) -> None:
    points = dc.VolumeSampling(SPACE, 6).sample_many(DRAWS * replicates, seed=2)
    value = dc.wls(points, kink(points.x)).value([0.2])
    each = np.asarray(value.estimate).reshape(DRAWS, replicates)
    truth = SPACE.basis.evaluate(np.array([0.2])) @ best()
    error = each.std(axis=1, ddof=1) / np.sqrt(replicates)
    reach = {2: 12.706, 4: 3.182}[replicates]
    found = np.mean(abs(each.mean(axis=1) - truth) < reach * error)
    np.testing.assert_allclose(found, share, atol=4 * np.sqrt(2 * 0.07 / DRAWS) + 0.005)


def test_four_replicates_reach_as_far_as_told() -> None:
    points = dc.RepeatedVolume(SPACE, 4, 6).sample(seed=0)
    fit = dc.replicated_wls(points, kink(points.x))
    mean, error = fit.averaged()
    low, high = fit.averaged_conf_int()
    np.testing.assert_allclose((high - mean) / error, 3.182, rtol=1e-3)
    np.testing.assert_allclose((mean - low) / error, 3.182, rtol=1e-3)
    assert "3.2 for four" in " ".join(PAGE.split())


@pytest.mark.parametrize("n", [4, 6])
def test_noise_counts_as_error_of_approximation(n: int) -> None:
    """Residuals estimate both together, and the factor m + 1 bounds with both."""
    atoms, draws = np.linspace(-1, 1, 40), 20_000
    space = dc.FiniteSpace(np.vander(atoms, 3))
    spread, f = 0.2 * (1.5 + atoms), np.exp(2 * atoms)
    rows, mass = space.values(np.arange(40)), space.mass
    target = rows.T @ (mass * f)
    error_sq = mass @ (f - rows @ target) ** 2
    noise_sq = mass @ spread**2
    points = dc.VolumeSampling(space, n).sample_many(draws, seed=4)
    noise = np.random.default_rng(4).normal(size=points.index.shape)
    fit = dc.wls(points, f[points.index] + spread[points.index] * noise)

    def away(values: np.ndarray, expected: np.ndarray | float) -> np.ndarray:
        error = values.std(axis=0) / np.sqrt(draws)
        return abs(values.mean(axis=0) - expected) / error

    assert away(fit.residual_error_sq, error_sq + noise_sq) < 4
    assert away(fit.residual_error_sq, error_sq) > 10
    assert (away(fit.coef, target) < 4).all()
    missed = error_sq + ((fit.coef - target) ** 2).sum(axis=1).mean()
    assert missed < 4 * (error_sq + noise_sq) - noise_sq
    if n == 4:
        assert missed > 4 * error_sq
