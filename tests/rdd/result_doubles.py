"""Results made up from smooth curves, so that what they show is known beforehand.

Household incomes in thousands: a skewed average quantile curve, an effect that fades
with the level, errors that grow towards the tails. Errors are Gaussian with a few
smooth components per side, as those of a local polynomial of quantile curves are.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from distcausal.rdd.bootstrap import JumpDraws
from distcausal.rdd.parts import FirstStage, R3DBandwidth, TestTable
from distcausal.rdd.result import R3DResult

PERCENTILES = np.arange(1, 100) / 100


def sharp(
    levels: np.ndarray = PERCENTILES, *, size: float = 1.0, draws: int = 999, **changes
) -> R3DResult:
    """Sharp design with effect ``size`` times a fading curve."""
    below, effect = _curves(levels)
    simulated = _draws(levels, effect * size, draws, jump=None)
    return _result(levels, below, effect * size, simulated, None, changes)


def fuzzy(levels: np.ndarray = PERCENTILES, **changes) -> R3DResult:
    """Fuzzy design in which crossing the cutoff treats four units in ten."""
    below, effect = _curves(levels)
    simulated = _draws(levels, effect, 999, jump=0.4)
    stage = FirstStage(jump=0.4, std_error=0.05, f_statistic=64.0)
    return _result(levels, below, effect, simulated, stage, changes)


def bandwidth(levels: np.ndarray = PERCENTILES, **changes) -> R3DBandwidth:
    """Bandwidth chosen for the whole curve, with its constants."""
    z = ndtri(levels)
    fields = {
        "outcome": 0.42,
        "treatment": None,
        "selector": "imse",
        "n_units": 800,
        "settings": {"levels": levels, "method": "frechet", "pilot_order": 1},
        "pilot": 0.61,
        "bias": np.stack([1.5 + 0.5 * z, -1.0 - 2.0 * z]),
        "variance": np.stack([20.0 + 8.0 * z**2, 24.0 + 9.0 * z**2]),
        "density": 0.51,
    }
    return R3DBandwidth(**(fields | changes))


def given_bandwidth(outcome: object = 0.42, **changes) -> R3DBandwidth:
    """Bandwidth that was given, so nothing about it was estimated."""
    unknown = dict.fromkeys(("pilot", "bias", "variance", "density"))
    return bandwidth(outcome=outcome, selector="given", **(unknown | changes))


def tests() -> TestTable:
    """Nullity on two ranges."""
    return TestTable(
        name="nullity",
        hypothesis="the effect is zero at every level of the range",
        ranges=((0.1, 0.5), (0.5, 0.9)),
        statistic=np.array([5.25, 1.5]),
        critical_value=np.array([2.625, 2.75]),
        p_value=np.array([0.001, 0.25]),
        p_adjusted=np.array([0.002, 0.25]),
        confidence=0.95,
        settings={"test": "nullity"},
    )


def _curves(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = ndtri(levels)
    return 30.0 * np.exp(0.5 * z), 4.0 / (1.0 + np.exp(1.5 * z)) - 0.4


def _draws(
    levels: np.ndarray, effect: np.ndarray, count: int, jump: float | None
) -> JumpDraws:
    """Errors of curves, and of shares if fuzzy, from components known by formula."""
    z, m = ndtri(levels), levels.size
    shapes = np.stack([0.35 + 0 * z, 0.22 * z, 0.14 * (z**2 - 1), 0.1 * np.sin(3 * z)])
    parts = np.zeros((2 * m + 2, 10))
    parts[:m, :4] = shapes.T
    parts[m : 2 * m, 4:8] = shapes.T * [1.1, 1.3, 0.8, 1.0]
    parts[2 * m, [0, 8]], parts[2 * m + 1, [4, 9]] = (0.01, 0.033), (0.01, 0.035)
    errors = np.random.default_rng(7).normal(size=(count, 10)) @ parts.T
    slope = np.hstack([-np.eye(m), np.eye(m), np.zeros((m, 2))])
    if jump is None:
        parts, errors, slope = parts[: 2 * m], errors[:, : 2 * m], slope[:, : 2 * m]
    else:
        slope[:, -2:] = np.stack([effect, -effect], axis=1)
        slope /= jump
    return JumpDraws(
        below=errors[:, :m],
        above=errors[:, m : 2 * m],
        treatment=None if jump is None else errors[:, 2 * m :],
        effect=errors @ slope.T,
        std_error=np.sqrt(np.sum((slope @ parts) ** 2, axis=1)),
        covariance=parts @ parts.T,
        studentise=True,
    )


def _result(
    levels: np.ndarray,
    below: np.ndarray,
    effect: np.ndarray,
    draws: JumpDraws,
    stage: FirstStage | None,
    changes: dict[str, object],
) -> R3DResult:
    jump = 1.0 if stage is None else stage.jump
    fields = {
        "levels": levels,
        "effect": effect,
        "below": below,
        "above": below + jump * effect,
        "std_error": draws.std_error,
        "conventional": effect + 0.05,
        "bandwidth": bandwidth(levels, treatment=None if stage is None else 0.5),
        "first_stage": stage,
        "n_units": (389, 411),
        "n_effective": (160, 171),
        "n_clusters": None,
        "draws": draws,
        "projection_moves": (0.0, 0.01),
        "settings": {
            "running": "margin",
            "cutoff": 0.0,
            "levels": levels,
            "method": "frechet",
            "order": 2,
            "pilot_order": 1,
            "outcome_size": np.full(levels.size, 10.0),
            "kernel": "triangular",
            "multiplier": "normal",
            "leverage": "hc3",
            "seed": 0,
        },
    }
    return R3DResult(**(fields | changes))
