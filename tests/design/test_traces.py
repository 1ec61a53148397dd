"""A new draw, seed or ground set of a known size class compiles nothing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import distcausal as dc
from distcausal._base.shapes import size_class
from tests.compilations import COMPILED, TRACED, counting

POINTS = (100, 121, 128)  # one size class
DRAWS = (33, 40, 48)  # one size class


def finite(points: int) -> dc.FiniteSpace:
    return dc.FiniteSpace(np.random.default_rng(points).normal(size=(points, 3)))


def polynomial(points: int) -> dc.PolynomialSpace:
    return dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2))


def mixed(space: dc.FiniteSpace | dc.PolynomialSpace) -> dc.VolumeSampling:
    return dc.VolumeSampling(space, 9, weight=0.5)


@pytest.mark.parametrize(
    ("space", "design"),
    [
        (finite, dc.ProjectionDPP),
        (finite, mixed),
        (finite, lambda space: dc.RepeatedDPP(space, 2)),
        (polynomial, mixed),
    ],
    ids=["projection", "volume", "repeated", "polynomials"],
)
def test_a_second_draw_of_the_same_class_compiles_nothing(space, design):
    assert len({size_class(points) for points in POINTS}) == 1
    assert len({size_class(draws) for draws in DRAWS}) == 1

    def run(points: int, draws: int, seed: int) -> None:
        made = design(space(points))
        made.sample_many(draws, seed=seed)
        single = made.sample(seed=seed)
        dc.wls(single, np.ones(single.n_points))

    jax.clear_caches()
    with counting(COMPILED) as first:
        run(POINTS[0], DRAWS[0], 0)
    assert first, "the count sees nothing: the first call must compile"
    with counting(COMPILED, TRACED) as later:
        for seed, sizes in enumerate(zip(POINTS[1:], DRAWS[1:], strict=True), 1):
            run(*sizes, seed)
    assert not later
