"""Simulated designs and calls shared by the tests of `distcausal.r3d`.

Sizes come from a short list, because a new size class compiles; values vary freely.
The running variable is continuous and spread so that windows hold units on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

import distcausal as dc

UNITS = (60, 62)  # one size class
LEVEL_COUNTS = (1, 5, 9)
DRAWS = 39  # twice the 19 that a 95% band needs, plus one


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Quantile curves of units around a cutoff at zero, and what goes with them."""

    running: np.ndarray
    curves: np.ndarray  # (unit, level)
    levels: np.ndarray
    multipliers: np.ndarray  # (unit, draw)
    columns: dict = field(default_factory=dict)
    made_by: str = ""

    def __repr__(self) -> str:
        return self.made_by or f"Design of shape {self.curves.shape}"

    @property
    def data(self) -> dc.RandomDistributions:
        return dc.RandomDistributions.from_quantiles(
            self.curves, self.levels, columns={"x": self.running, **self.columns}
        )

    def with_(self, **changes) -> Design:
        return replace(self, **changes)


def fit(design: Design, **options) -> dc.R3DResult:
    """`dc.r3d` at a fixed bandwidth with the design's multipliers, unless told else.

    The band is of constant width without leverage: the plain formulas, to which tests
    add one option at a time.
    """
    how = {"studentise": False, "leverage": "hc0", "multipliers": design.multipliers}
    how |= options.pop("how", {})
    settings = {"running": "x", "levels": design.levels, "bandwidth": 0.8} | options
    return dc.r3d(design.data, inference=dc.MultiplierBootstrap(**how), **settings)


def make(seed: int, units: int = 60, count: int = 5, irregular: bool = False) -> Design:
    """Curves that rise with the level, bend with the running variable and jump."""
    rng = np.random.default_rng(seed)
    levels = np.arange(1, count + 1) / (count + 1)
    if irregular:
        levels = np.sort(rng.choice(np.arange(1, 40), count, replace=False)) / 40
    x = np.concatenate(
        [-rng.uniform(0.01, 1, units // 2), rng.uniform(0.01, 1, units - units // 2)]
    )
    x = rng.permutation(x)
    centre = 2 * x - x**2 + 0.5 * (x >= 0) + rng.normal(0, 0.6, units)
    scale = np.abs(1 + 0.3 * x + rng.normal(0, 0.3, units))
    curves = centre[:, None] + scale[:, None] * np.log(levels / (1 - levels))
    # Noise that crosses levels makes the monotone step bite.
    curves = np.sort(curves + rng.normal(0, 0.3, curves.shape), axis=1)
    made_by = f"make({seed}, {units}, {count}, {irregular})"
    xi = rng.standard_normal((units, DRAWS))
    return Design(x, curves, levels, xi, made_by=made_by)


@st.composite
def designs(draw, counts=LEVEL_COUNTS, units=UNITS, irregular=None) -> Design:
    """A design whose every number follows one seed, so that failures shrink quickly."""
    uneven = draw(st.booleans()) if irregular is None else irregular
    return make(
        draw(st.integers(0, 2**31)),
        draw(st.sampled_from(units)),
        draw(st.sampled_from(counts)),
        uneven,
    )
