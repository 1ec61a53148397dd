"""Small trials and fast settings, shared so that one compilation serves many tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import distcausal as dc

UNITS = 120
FAST: dict[str, Any] = {
    "encoder": dc.RandomConvFeatures(n_filters=16, patch=4, size=6),
    "engine": dc.SVI(steps=100, rate=0.1, draws=50),
    "folds": 3,
    "splits": 2,
    "propensity": 0.5,
}
ROLES: dict[str, Any] = {"image": "image", "treatment": "w", "outcome": "y"}


@cache
def columns(units: int = UNITS, gap: float = 3.0) -> dict[str, np.ndarray]:
    """Grey images, half of them with a bright bar, which decides the effect."""
    draw = np.random.default_rng(7)
    image = draw.normal(size=(units, 12, 12)).astype(np.float32)
    bar = draw.permutation(np.arange(units) % 2)
    image[bar == 1, :, 5:7] += 4.0
    arm = draw.permutation(np.arange(units) % 2)
    y = 0.5 * draw.normal(size=units) + gap * arm * bar
    return {"image": image, "w": arm, "y": y, "bar": bar}


def trial_data(**changed: Any) -> dc.RandomDistributions:
    """The trial, with columns replaced or added."""
    own = {**columns(), **changed}
    return dc.RandomDistributions.from_samples([[0.0]] * UNITS, columns=own)


def fit(data: dc.RandomDistributions | None = None, **changed: Any) -> Any:
    """Quick estimate of the trial."""
    given = {**ROLES, **FAST, **changed}
    return dc.image_effects(trial_data() if data is None else data, **given)


@cache
def usual() -> Any:
    """The estimate that several tests look at."""
    return fit()
