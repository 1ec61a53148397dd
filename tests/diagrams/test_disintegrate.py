"""Joint laws: reading them, taking them apart, turning channels round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.diagrams.joint import as_joint
from tests.diagrams.random_channels import (
    KINDS,
    A,
    B,
    channels,
    laws,
    random_channel,
    types,
)

ATOL = 1e-14  # ratios and products of at most 27 probabilities
NAMES = ("P", "Q", "R")


def marginal_law(joint: dc.LabelledArray, names: list[str]) -> dc.Channel:
    gone = [name for name in joint.names if name not in names]
    return dc.Channel.from_labelled(joint.sum(gone).transpose(names))


def recomposed(law: dc.Channel, channel: dc.Channel) -> dc.Channel:
    """Copy a law's outputs, keep one copy and feed the other to the channel."""
    both = dc.Channel.identity(law.cod) @ channel
    return law >> dc.Channel.copy(law.cod) >> both


@given(laws(NAMES), st.permutations(NAMES), st.integers(0, 3), st.booleans())
def test_a_law_is_its_marginal_copied_into_its_channel(joint, order, count, uniform):
    inputs = order[:count]
    found = dc.disintegrate(
        joint, given=inputs, support="uniform" if uniform else "nan"
    )
    again = recomposed(marginal_law(joint, inputs), found)
    rest = [name for name in NAMES if name not in inputs]
    assert_allclose(again.values, joint.transpose([*inputs, *rest]).values, atol=ATOL)


@given(laws(NAMES), st.integers(0, 2**32 - 1))
def test_the_channel_is_unique_where_inputs_occur_and_only_there(joint, seed):
    found = dc.disintegrate(joint, given=["Q"], support="nan")
    law = marginal_law(joint, ["Q"])
    positive = law.values > 0
    assert (found.support is None) == bool(positive.all())
    assert_array_equal(np.isnan(found.values).any(axis=(1, 2)), ~positive)
    other = random_channel(np.random.default_rng(seed), found.dom, found.cod)
    mixed = np.where(positive[:, None, None], found.values, other.values)
    rival = dc.Channel(mixed, found.dom, found.cod)
    assert recomposed(law, rival).allclose(recomposed(law, found), atol=ATOL)
    # Any other row where the input does occur gives another law.
    moved = np.where(positive[:, None, None], np.roll(mixed, 1, axis=2), mixed)
    wrong = dc.Channel(moved, found.dom, found.cod)
    gap = np.abs(moved - mixed).max()
    far = gap * law.values[positive].min() / 2
    same = recomposed(law, wrong).allclose(recomposed(law, found), atol=far)
    assert same == (gap == 0)


@given(types(), types(), st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_turning_a_channel_round_twice_gives_it_back_where_inputs_occur(a, b, kind, n):
    rng = np.random.default_rng(n)
    law, channel = (
        random_channel(rng, dc.Ty(), a, kind),
        random_channel(rng, a, b, kind),
    )
    back = dc.bayes_inverse(channel, law, support="uniform")
    again = dc.bayes_inverse(back, law >> channel, support="nan")
    occurs = law.values > 1e-12
    assert_allclose(again.values[occurs], channel.values[occurs], atol=1e-12)
    assert ((law >> channel) >> back).allclose(law, atol=ATOL)


def test_turning_round_refuses_what_is_not_known():
    sure = dc.Channel([[1, 0, 0], [1, 0, 0]], A, B)
    law = dc.Channel.uniform(A)
    with pytest.raises(ValueError, match="B=1 has probability 0, so the law of A"):
        dc.bayes_inverse(sure, law)
    lost = dc.bayes_inverse(sure, law, support="nan")
    assert_array_equal(lost.support, [True, False, False])
    gap = dc.Channel([[1, 0, 0], [np.nan] * 3], A, B, support=[True, False])
    with pytest.raises(
        ValueError, match="whose row of the channel A -> B is not known"
    ):
        dc.bayes_inverse(gap, law)
    spared = dc.bayes_inverse(gap, dc.Channel.point(A, "no"), support="nan")
    assert_array_equal(spared.values[0], [1, 0])


def test_an_input_that_never_occurs_is_named_or_filled():
    joint = {"variables": ["A", "B"], "values": [[0, 0], [0.25, 0.75]]}
    with pytest.raises(dc.DistCausalError, match=r"A=0 has probability 0 \(1 of 2"):
        dc.disintegrate(joint, given=["A"])
    uniform = dc.disintegrate(joint, given="A", support="uniform")
    assert_array_equal(uniform.values, [[0.5, 0.5], [0.25, 0.75]])
    assert_array_equal(uniform.support, [False, True])
    gaps = dc.disintegrate(joint, given="A", support="nan")
    assert_array_equal(gaps.values, [[np.nan, np.nan], [0.25, 0.75]])
    with pytest.raises(ValueError, match="support 'zero' is not one of"):
        dc.disintegrate(joint, given="A", support="zero")
    with pytest.raises(ValueError, match="there is no axis 'C'"):
        dc.disintegrate(joint, given="C")
    with pytest.raises(ValueError, match="each variable counts once"):
        dc.disintegrate(joint, given=["A", "A"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.4, 0.1], [0.1, 0.5]], r"sums to 1\.1, \+0\.1 off"),
        ([[0.4, 0.1], [0.1, 0.3]], r"sums to 0\.9, -0\.1 off"),
        ([[0.4, -0.1], [0.1, 0.6]], r"holds -0\.1 at A=0, B=1"),
        (
            [[0.4, np.nan], [0.1, np.nan]],
            r"2 of 4 entries are NaN, the first at A=0, B=1",
        ),
        ([[np.inf, 0], [0, 0]], "sums to inf"),
    ],
)
def test_a_joint_that_is_no_law_is_refused_with_the_amount(values, message):
    table = dc.LabelledArray(values, {"A": (0, 1), "B": (0, 1)})
    for joint in (table, {"variables": ["A", "B"], "values": values}):
        with pytest.raises(dc.DataError, match=message):
            dc.disintegrate(joint, given=["A"])


def test_all_ways_of_writing_a_joint_law_agree():
    values = np.array([[0.25, 0.25], [0.0, 0.5]])
    table = dc.LabelledArray(values, {"A": ("x", "y"), "B": (0, 1)})
    states = {"A": ["x", "y"]}
    counts = pd.DataFrame({"A": ["x", "x", "y"], "count": [1, 1, 2.0], "B": [1, 0, 1]})
    rows = pd.DataFrame({"A": ["x", "y", "y", "x"], "B": [1, 1, 1, 0]})
    for joint in (
        table,
        dc.Channel.from_labelled(table),
        {"variables": ["A", "B"], "values": values, "states": states},
        counts,
        rows,
    ):
        assert as_joint(joint) == table


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        ({"values": [1.0]}, "'variables' and 'values'"),
        ({"variables": ["A", "A"], "values": [[1.0]]}, "should be distinct"),
        ({"variables": ["A", "B"], "values": [1.0]}, "an axis per variable, 2 of them"),
        (dc.Channel.identity(A), "has no inputs, but the channel A -> A has"),
        (pd.DataFrame({"A": ["x", None]}), "1 of 2 entries are missing"),
        (pd.DataFrame({"A": ["x"], "count": [-1]}), "1 of 1 are"),
        (pd.DataFrame({"A": ["x"], "count": [0]}), "are 0 in all 1 rows"),
        (pd.DataFrame({"A": []}), "has none"),
        (3, "but is a int"),
    ],
)
def test_what_is_no_joint_law_is_refused(joint, message):
    with pytest.raises(ValueError, match=message):
        as_joint(joint)


@given(channels(dom=(A,), cod=(B,)), st.integers(0, 2**32 - 1))
def test_frequencies_of_a_frame_are_its_channel(f, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(2, size=200)
    b = np.array([rng.choice(3, p=f.values[i]) for i in a])
    frame = pd.DataFrame({"A": np.array(A.known)[a], "B": np.array(B.known)[b]})
    seen = np.zeros((2, 3))
    np.add.at(seen, (a, b), 1)
    found = dc.Channel.from_frame(frame, dom=[A], cod=[B])
    assert_allclose(found.values, seen / seen.sum(axis=1, keepdims=True), atol=ATOL)
    assert (found.dom, found.cod) == (dc.Ty((A,)), dc.Ty((B,)))


def test_a_frame_without_some_input_state_is_refused():
    frame = pd.DataFrame({"A": ["no", "no"], "B": [0, 1]})
    with pytest.raises(ValueError, match="A='yes' has probability 0"):
        dc.Channel.from_frame(frame, dom=[A], cod=[B])
    with pytest.raises(dc.DataError, match="'Z' is not among the columns"):
        dc.Channel.from_frame(frame, dom=["Z"], cod=[B])
    with pytest.raises(ValueError, match="'A' has no state 'perhaps'"):
        dc.Channel.from_frame(frame.replace("no", "perhaps"), cod=[A])
