"""Random inputs shared by the property tests.

Sizes come from short lists and values vary freely. The values are unkind on purpose:
ties, constant units, single draws, both zeros, tails of a Cauchy law, scales from
1e-6 to 1e6.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

UNIT_COUNTS = (1, 2, 5)
SIZES = (1, 2, 3, 4, 10, 25)
SCALES = (1e-6, 1.0, 1e6)
WHOLE_WEIGHTS = (1, 2, 3)


def _draws(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    if kind == "ties":
        return rng.integers(-2, 3, size).astype(float)
    if kind == "constant":
        return np.full(size, rng.normal())
    if kind == "zeros":
        return rng.choice([0.0, -0.0, 1.0], size)
    if kind == "heavy":
        return rng.standard_cauchy(size)
    return rng.normal(size=size)


@st.composite
def samples(draw, sizes=SIZES):
    """A list of arrays of draws, one per unit, in no order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from(SCALES))
    kinds = st.sampled_from(["smooth", "ties", "constant", "zeros", "heavy"])
    return [
        scale * _draws(rng, draw(kinds), draw(st.sampled_from(sizes)))
        for _ in range(draw(st.sampled_from(UNIT_COUNTS)))
    ]


@st.composite
def weighted_samples(draw, whole=False, sizes=SIZES):
    """Draws and their positive weights, whole numbers or uneven real ones."""
    drawn = draw(samples(sizes=sizes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if whole:
        return drawn, [rng.choice(WHOLE_WEIGHTS, len(one)) for one in drawn]
    return drawn, [np.exp(rng.normal(size=len(one))) for one in drawn]


@st.composite
def level_grids(draw):
    """Levels no computation would hit by chance, so that no sample jumps at one."""
    count = draw(st.sampled_from((1, 3, 19)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.sort(rng.uniform(0.001, 0.999, count))


@st.composite
def step_laws(draw):
    """A law on finitely many points: increasing values and their masses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from((1, 2, 7)))
    scale = draw(st.sampled_from(SCALES))
    values = np.sort(scale * rng.normal(size=size).round(draw(st.sampled_from((0, 6)))))
    mass = rng.choice([1.0, 1.0, 0.3, 2.5], size)
    return values, mass / mass.sum()
