"""Stored finite cases, and every tuple of points as one batch of draws."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import distcausal as dc
from distcausal.design.base import Design, Drawn
from tests.oracles import design as oracle

FOLDER = Path(__file__).parent.parent / "reference" / "dpp"
SHARES = {"christoffel": 1.0, "one": 0.0, "mixture": 0.5}
# Below this a tuple is impossible and its determinant rounding.
IMPOSSIBLE = 1e-13


@dataclass(frozen=True, eq=False)
class Case:
    """A small ground set with features, masses and a function."""

    name: str
    features: np.ndarray
    mass: np.ndarray
    f: np.ndarray
    stored: dict

    @property
    def size(self) -> int:
        return self.features.shape[1]

    @property
    def space(self) -> dc.FiniteSpace:
        return dc.FiniteSpace(self.features, self.mass)

    @property
    def error_sq(self) -> float:
        return oracle.best_error_sq(self.features, self.mass, self.f)

    @property
    def best_coef(self) -> np.ndarray:
        """Coefficients of the projection in the orthonormal basis of the space."""
        return self.space.basis.upper @ oracle.best(self.features, self.mass, self.f)


@cache
def finite_cases() -> tuple[Case, ...]:
    stored = json.loads((FOLDER / "finite_cases.json").read_text("utf-8"))
    return tuple(
        Case(
            one["name"],
            np.array(one["X"]),
            np.array(one["mu"]),
            np.array(one["f"]),
            one,
        )
        for one in stored
    )


@cache
def continuous_cases() -> dict:
    return json.loads((FOLDER / "continuous_cases.json").read_text("utf-8"))


def every_tuple(case: Case, share: float, n: int) -> tuple[dc.DesignPoints, np.ndarray]:
    """All possible draws of volume sampling as one object, and their probabilities."""
    tuples, probability = oracle.volume_law(case.features, case.mass, share, n)
    possible = probability > IMPOSSIBLE
    design = dc.VolumeSampling(case.space, n, weight=share)
    return points_at(design, tuples[possible]), probability[possible]


def every_set(case: Case) -> tuple[dc.DesignPoints, np.ndarray]:
    """All possible draws of the projection process, and their probabilities."""
    sets, probability = oracle.subset_law(case.features, case.mass)
    possible = probability > IMPOSSIBLE
    design = dc.ProjectionDPP(case.space)
    return points_at(design, sets[possible]), probability[possible]


def points_at(design: Design, items: np.ndarray) -> dc.DesignPoints:
    """Points at items given instead of drawn."""
    draws = items.shape[: items.ndim - (1 if items.dtype.kind == "i" else 2)]
    return design._described(Drawn(items, np.ones(draws, int)), {})


def chi_square(
    drawn: np.ndarray, outcomes: np.ndarray, probability: np.ndarray
) -> float:
    """P-value of sorted draws, shape (draw, n), against a law on sorted outcomes.

    Outcomes expected fewer than five times are pooled; one that should be impossible
    gives zero.
    """
    from scipy import stats

    base = int(max(drawn.max(), outcomes.max())) + 1
    places = base ** np.arange(drawn.shape[1])
    codes, first = np.unique(np.sort(outcomes, axis=1) @ places, return_inverse=True)
    expected = len(drawn) * np.bincount(first, weights=probability)
    found = np.sort(drawn, axis=1) @ places
    where = np.searchsorted(codes, found).clip(max=len(codes) - 1)
    if (codes[where] != found).any() or (expected[where] < 1e-9 * len(drawn)).any():
        return 0.0
    count = np.bincount(where, minlength=len(codes)).astype(float)
    rare = expected < 5
    count = np.append(count[~rare], count[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5:
        count[-2] += count[-1]
        expected[-2] += expected[-1]
        count, expected = count[:-1], expected[:-1]
    if len(count) < 2:
        return 1.0
    statistic = np.sum((count - expected) ** 2 / expected)
    return float(stats.chi2.sf(statistic, len(count) - 1))
