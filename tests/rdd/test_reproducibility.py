"""Same call, same bits; and nothing outside the call is touched."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import warnings

import jax
import matplotlib as mpl
import numpy as np
import pytest

import distcausal as dc
from tests.rdd.designs import make

pytestmark = pytest.mark.filterwarnings("ignore::distcausal.errors.DistCausalWarning")

PROGRAM = """
import hashlib, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
import distcausal as dc
rng = np.random.default_rng(1)
x = rng.uniform(-1, 1, 80)
curves = np.sort(rng.normal(size=(80, 5)), axis=1) + x[:, None] ** 2
levels = np.arange(1, 6) / 6
data = dc.RandomDistributions.from_quantiles(curves, levels, columns={"x": x})
digest = hashlib.sha256()
for how in ({}, {"multiplier": "rademacher", "draws": 99}):
    fit = dc.r3d(data, running="x", levels=levels, seed=7,
                 inference=dc.MultiplierBootstrap(**how))
    table = dc.nullity_test(fit)
    for part in (fit.effect, fit.std_error, fit.draws.effect, fit.conventional,
                 np.asarray(fit.bandwidth.outcome), np.asarray(table["p_value"])):
        part = np.ascontiguousarray(part)
        assert part.dtype == np.float64, part.dtype
        digest.update(part.tobytes())
print(digest.hexdigest())
"""


def in_a_new_process(x64: str | None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    if x64 is not None:
        environment["JAX_ENABLE_X64"] = x64
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_processes_and_precision_settings_give_the_same_bits():
    digests = {setting: in_a_new_process(setting) for setting in (None, "0", "1")}
    assert len(set(digests.values())) == 1, digests


def estimate(design, seed=0, **options):
    return dc.r3d(
        design.data,
        running="x",
        levels=design.levels,
        seed=seed,
        **{"inference": dc.MultiplierBootstrap(draws=99)} | options,
    )


@pytest.mark.parametrize("multiplier", ["normal", "rademacher", "mammen"])
def test_the_seed_decides_every_draw(multiplier):
    design = make(0)
    how = dc.MultiplierBootstrap(draws=99, multiplier=multiplier)
    one, two = (estimate(design, 3, inference=how) for _ in range(2))
    np.testing.assert_array_equal(one.draws.effect, two.draws.effect)
    other = estimate(design, 4, inference=how)
    assert not np.array_equal(one.draws.effect, other.draws.effect)
    np.testing.assert_array_equal(one.effect, other.effect)
    key = estimate(design, jax.random.key(3), inference=how)
    np.testing.assert_array_equal(one.draws.effect, key.draws.effect)


@pytest.mark.parametrize("multiplier", ["normal", "rademacher", "mammen"])
def test_numpys_global_stream_is_neither_read_nor_moved(multiplier):
    design = make(0)
    how = dc.MultiplierBootstrap(draws=99, multiplier=multiplier)
    np.random.seed(5)  # noqa: NPY002
    before = copy.deepcopy(np.random.get_state())  # noqa: NPY002
    one = estimate(design, inference=how)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    np.random.random(1000)  # noqa: NPY002
    two = estimate(design, inference=how)
    np.testing.assert_array_equal(two.draws.effect, one.draws.effect)


def test_settings_of_other_libraries_stay_as_they_were():
    design = make(0)

    def state():
        return (
            jax.config.jax_enable_x64,
            np.geterr(),
            list(warnings.filters),
            dict(mpl.rcParams),
        )

    before = state()
    estimate(design)
    estimate(design, method="pointwise", selector="mse")
    assert state() == before


def test_nothing_given_is_changed():
    design = make(0)
    rng = np.random.default_rng(0)
    given = {
        "running": design.running.copy(),
        "weights": rng.uniform(1, 2, design.running.size),
        "cluster": rng.integers(0, 12, design.running.size),
        "treatment": (design.running > rng.normal(0, 0.1, design.running.size)).astype(
            float
        ),
        "levels": design.levels.copy(),
        "bandwidth": {"outcome": 0.8, "treatment": 0.8},
    }
    multipliers = rng.standard_normal((12, 39))
    given["cluster"][:12] = np.arange(12)
    kept = pickle.dumps((given, multipliers, design.curves))
    dc.r3d(
        design.data, inference=dc.MultiplierBootstrap(multipliers=multipliers), **given
    )
    assert pickle.dumps((given, multipliers, design.curves)) == kept
    assert all(a.flags.writeable for a in given.values() if isinstance(a, np.ndarray))
    assert multipliers.flags.writeable


def test_results_hold_read_only_double_arrays():
    fit = estimate(make(0))
    arrays = (
        fit.levels, fit.effect, fit.below, fit.above, fit.std_error, fit.conventional,
        fit.draws.effect, fit.draws.below, fit.draws.above, fit.draws.covariance,
    )  # fmt: skip
    for array in arrays:
        assert array.dtype == np.float64
        assert not array.flags.writeable


def test_each_stage_draws_the_same_whatever_the_other_settings():
    design = make(0)
    one = estimate(design, bandwidth=0.8)
    dc.nullity_test(one)
    two = estimate(design, bandwidth=0.8)
    np.testing.assert_array_equal(one.draws.effect, two.draws.effect)
