"""Simulated R3D designs for the benchmarks, generated as whole arrays.

The designs of the R3D paper's simulations (normal units; normal plus exponential units)
and three variants that the package is judged by: curvature in the running variable, a
fuzzy treatment, and few draws per unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DECILES = np.arange(1, 10) / 10
WITHIN = 200  # draws per unit where the design does not say


@dataclass(frozen=True, eq=False)
class Panel:
    """One simulated sample: running variable, curves (unit, level), treatment."""

    running: np.ndarray
    curves: np.ndarray
    treatment: np.ndarray | None = None


def _normal(rng, x, mean, within=WITHIN):
    """Deciles of normal units whose spread grows with the running variable."""
    centre = rng.normal(mean, 1)
    spread = np.abs(rng.normal(1 + x, 1))
    noise = rng.standard_normal((x.size, within))
    return np.quantile(centre[:, None] + spread[:, None] * noise, DECILES, axis=1).T


def normal(rng: np.random.Generator, units: int) -> Panel:
    """Design 1: no curvature, no effect."""
    x = rng.uniform(-1, 1, units)
    return Panel(x, _normal(rng, x, 5 + 5 * x))


def curved(rng: np.random.Generator, units: int) -> Panel:
    """Design 1 with curvature that differs between the sides, no effect."""
    x = rng.uniform(-1, 1, units)
    bend = np.where(x >= 0, 6 * x**2 - 4 * x**3, -3 * x**2)
    return Panel(x, _normal(rng, x, 5 + 5 * x + bend))


def skewed(rng: np.random.Generator, units: int) -> Panel:
    """Design 2: normal plus exponential; the rate rises by one half at the cutoff."""
    x = rng.uniform(-1, 1, units)
    centre = rng.uniform(-5, 5, units) + 2 * x
    rate = rng.uniform(0.5, 1.5, units) + 0.5 * (x >= 0)
    draws = rng.normal(centre[:, None], 1, (units, WITHIN))
    draws = draws + 2 * rng.exponential(1 / rate[:, None], (units, WITHIN))
    return Panel(x, np.quantile(draws, DECILES, axis=1).T)


def skewed_truth(units: int = 4000, within: int = 4000) -> np.ndarray:
    """Effect of design 2 at the cutoff, from unit quantile functions there.

    The centre of a unit shifts both of its curves alike and is left out; the same noise
    enters both sides, so that only the change of the rate remains.
    """
    rng = np.random.default_rng(0)
    total = np.zeros(DECILES.size)
    for _ in range(units):
        rate = rng.uniform(0.5, 1.5)
        noise, wait = rng.standard_normal(within), rng.exponential(1, within)
        total += np.quantile(noise + 2 * wait / (rate + 0.5), DECILES)
        total -= np.quantile(noise + 2 * wait / rate, DECILES)
    return total / units


def fuzzy(rng: np.random.Generator, units: int) -> Panel:
    """Design 1 where a tenth takes the other side's treatment, of effect 2."""
    x = rng.uniform(-1, 1, units)
    treated = rng.random(units) < 0.1 + 0.8 * (x >= 0)
    curves = _normal(rng, x, 5 + 5 * x + 2 * treated)
    return Panel(x, curves, treated.astype(float))


def ragged(rng: np.random.Generator, units: int) -> Panel:
    """Design 1 with 3 to 50 draws per unit."""
    x = rng.uniform(-1, 1, units)
    centre = rng.normal(5 + 5 * x, 1)
    spread = np.abs(rng.normal(1 + x, 1))
    curves = [
        np.quantile(rng.normal(m, s, rng.integers(3, 51)), DECILES)
        for m, s in zip(centre, spread, strict=True)
    ]
    return Panel(x, np.array(curves))


DESIGNS: dict[str, Callable[[np.random.Generator, int], Panel]] = {
    "design 1": normal,
    "curved": curved,
    "design 2": skewed,
    "fuzzy": fuzzy,
    "ragged": ragged,
}


def truth(name: str) -> np.ndarray:
    """Effect at the cutoff, by decile."""
    if name == "design 2":
        return skewed_truth()
    return np.full(DECILES.size, 2.0 if name == "fuzzy" else 0.0)
