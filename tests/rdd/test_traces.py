"""A new sample size of a known size class compiles nothing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import distcausal as dc
from distcausal._base.shapes import size_class
from tests.compilations import COMPILED, TRACED, counting
from tests.rdd.designs import make

SIZES = (100, 121, 128)  # one size class

pytestmark = pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning")


def analyse(units, seed, **options):
    design = make(seed, units, 9)
    treatment = options.pop("treatment", None)
    if treatment is not None:
        treatment = (design.running > 0).astype(float)
        treatment[::9] = 1 - treatment[::9]
    fit = dc.r3d(
        design.data,
        running="x",
        levels=design.levels,
        treatment=treatment,
        inference=dc.MultiplierBootstrap(draws=99),
        **options,
    )
    return dc.nullity_test(fit), dc.homogeneity_test(fit)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "pointwise", "selector": "mse"},
        {"bandwidth": 0.7},
        {"treatment": True},
        {"weights": True},
        {"profile": "R3D-0.1.0"},
    ],
    ids=lambda options: "-".join(options) or "defaults",
)
def test_a_new_size_of_the_same_class_compiles_nothing(options):
    assert len({size_class(units) for units in SIZES}) == 1

    def run(units, seed):
        chosen = dict(options)
        if "weights" in chosen:
            chosen["weights"] = np.linspace(1, 2, units)
        analyse(units, seed, **chosen)

    jax.clear_caches()
    with counting(COMPILED) as first:
        run(SIZES[0], 0)
    assert first, "the count sees nothing: the first call must compile"
    with counting(COMPILED, TRACED) as later:
        for seed, units in enumerate(SIZES[1:], 1):
            run(units, seed)
    assert not later


@pytest.mark.parametrize("bandwidth", [None, 0.4])
def test_clusters_compile_nothing_new_whatever_the_window_holds(bandwidth):
    def clustered(units, seed):
        design = make(seed, units, 9)
        return dc.r3d(
            design.data,
            running="x",
            levels=design.levels,
            cluster=np.arange(units) % 17,
            bandwidth=bandwidth,
        )

    clustered(SIZES[0], 1)
    with counting(COMPILED, TRACED) as seen:
        for seed, units in enumerate(SIZES * 2):
            clustered(units, seed)
        clustered(SIZES[1], 5)
    assert seen == []
