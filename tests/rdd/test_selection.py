"""Selected bandwidths against the slow, obvious version, for every rule on offer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.oracles import r3d_bandwidth as selection
from tests.rdd.designs import LEVEL_COUNTS, designs, make

KERNELS = ("triangular", "epanechnikov", "uniform")
# Constants come out to twelve digits, curvatures at the pilot to nine.
TOLERANCE = 1e-9


def close(actual, expected, rtol=TOLERANCE):
    assert_allclose(actual, expected, rtol=rtol, atol=TOLERANCE)


def as_both(h, design):
    """A stored bandwidth of any form as (2, level)."""
    h = np.asarray(h)
    if h.ndim == 1 and h.size == 2 and design.levels.size != 2:
        h = h[:, None]
    return np.broadcast_to(h, (2, design.levels.size))


SELECTOR = {"rd": "", "two": "two", "sum": "sum", "comb1": "comb1", "comb2": "comb2"}


@given(
    designs(units=(200,), counts=LEVEL_COUNTS),
    st.sampled_from(KERNELS),
    st.sampled_from(selection.SELECTORS),
    st.booleans(),
    st.sampled_from([1, 2]),
    st.booleans(),
)
def test_selected_bandwidths_agree(design, kernel, kind, integrated, s, cer):
    name = ("imse" if integrated else "mse") + SELECTOR[kind]
    expected = selection.bandwidth(
        design.curves, design.running, design.levels,
        s=s, kernel=kernel, integrated=integrated, kind=kind, cer=cer,
    )  # fmt: skip
    chosen = dc.r3d_bandwidth(
        design.data,
        running="x",
        levels=design.levels,
        method="frechet" if integrated else "pointwise",
        pilot_order=s,
        order=s + 1,
        kernel=kernel,
        selector=f"cer-{name}" if cer else name,
    )
    close(chosen.density, expected["density"])
    close(as_both(chosen.pilot, design), expected["pilot"])
    close(chosen.bias, expected["parts"].bias, rtol=1e-7)
    close(chosen.variance, expected["parts"].variance)
    close(as_both(chosen.outcome, design), expected["h"], rtol=1e-7)


@given(designs(units=(200,)), st.booleans())
def test_selected_bandwidths_agree_with_unit_weights(design, integrated):
    weights = np.random.default_rng(5).uniform(0.2, 4, design.running.size)
    expected = selection.bandwidth(
        design.curves, design.running, design.levels,
        integrated=integrated, weights=weights,
    )  # fmt: skip
    chosen = dc.r3d_bandwidth(
        design.data,
        running="x",
        levels=design.levels,
        method="frechet" if integrated else "pointwise",
        selector="imse" if integrated else "mse",
        weights=weights,
    )
    close(chosen.density, expected["density"])
    close(as_both(chosen.pilot, design), expected["pilot"])
    close(as_both(chosen.outcome, design), expected["h"], rtol=1e-7)


RULES = {
    "a penalty": ({"penalty": 2.0}, {"regularisation": 2.0}),
    "no penalty by level": (
        {"penalty": 0.0, "integrated": False},
        {"regularisation": 0.0, "method": "pointwise", "selector": "mse"},
    ),
    "weights of levels": (
        {"level_weights": np.arange(1.0, 10)}, {"level_weights": np.arange(1.0, 10)},
    ),
    "a density window by kernel": ({"density_rule": "kernel"}, {"density": "kernel"}),
    "wide windows": ({"least": 60}, {"distinct": 60}),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_further_rules_of_selection_agree(name, kernel):
    design = make(12, 200, 9)
    here, there = RULES[name]
    expected = selection.bandwidth(
        design.curves, design.running, design.levels, kernel=kernel, **here
    )
    chosen = dc.r3d_bandwidth(
        design.data, running="x", levels=design.levels, kernel=kernel, **there
    )
    close(chosen.density, expected["density"])
    close(as_both(chosen.pilot, design), expected["pilot"])
    close(as_both(chosen.outcome, design), expected["h"], rtol=1e-7)


def test_treatment_bandwidth_is_that_of_one_level():
    design = make(3, 200)
    treatment = ((design.running >= 0) ^ (np.arange(200) % 9 == 0)).astype(float)
    chosen = dc.r3d_bandwidth(
        design.data, running="x", levels=design.levels, treatment=treatment
    )
    expected = selection.bandwidth(
        treatment[:, None], design.running, np.array([0.5]), integrated=False
    )
    close(chosen.treatment, expected["h"][0, 0], rtol=1e-7)
