"""Channels known by their draws, against those whose laws are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.diagrams.channel import Channel

G, S = dc.GaussianChannel, dc.SampledChannel
F = G([[2.0]], [1.0], [[0.5]], "X", "Y")
H = G([[-1.0], [0.5]], [0.0, 3.0], [[1.0, 0.3], [0.3, 2.0]], "Y", ["V", "W"])
DRAWS = 20_000
# Six standard errors: an event of probability 1e-8 if the law is right.
FAR = 6 / np.sqrt(DRAWS)


def at(value: float) -> np.ndarray:
    return np.full((DRAWS, 1), value)


def test_draws_of_a_chain_follow_the_law_of_the_chain():
    drawn = (S.from_gaussian(F) >> S.from_gaussian(H)).sample(at(0.5))
    law = (F >> H).plug(X=0.5)
    scale = np.sqrt(np.diag(law.cov))
    assert np.all(np.abs(drawn.mean(axis=0) - law.shift) <= FAR * scale)
    off = (np.cov(drawn.T) - law.cov) / np.outer(scale, scale)
    assert np.abs(off).max() <= 2 * FAR


def test_copies_share_their_draw_and_repetitions_do_not():
    f = S.from_gaussian(F)
    once = (f >> S.copy("Y")).sample(at(0.0))
    assert_array_equal(once[:, 0], once[:, 1])
    twice = (S.copy("X") >> (f @ f)).sample(at(0.0))
    assert abs(np.corrcoef(twice.T)[0, 1]) <= FAR
    assert (f >> S.copy("Y", 0)).sample(at(0.0)).shape == (DRAWS, 0)


def test_wires_are_crossed_and_kept():
    inputs = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_array_equal(S.swap("X", "Y").sample(inputs), inputs[:, ::-1])
    assert_array_equal(S.identity(["X", "Y"]).sample(inputs), inputs)


def test_side_by_side_each_reads_its_own_wire():
    beside = S.identity("X") @ S.from_gaussian(G.linear([[2.0]], "Y", "V"))
    assert_array_equal(beside.sample([[1.0, 5.0], [2.0, 7.0]]), [[1, 10], [2, 14]])
    two = S.from_gaussian(F) @ S.from_gaussian(F)
    one, other = (two.sample([[0.0, 0.0]], seed=seed) for seed in (1, 2))
    assert np.all(one != other)


def test_the_same_seed_gives_the_same_draws():
    f = S.from_gaussian(F) >> S.from_gaussian(H)
    assert_array_equal(f.sample(at(1.0), seed=3), f.sample(at(1.0), seed=3))
    assert not np.array_equal(f.sample(at(1.0), seed=3), f.sample(at(1.0), seed=4))


def test_a_finite_channel_is_drawn_with_its_frequencies():
    a, b = dc.Space("A", (0, 1)), dc.Space("B", (5.0, -1.0, 2.0))
    table = Channel([[0.0, 0.2, 0.8], [0.5, 0.5, 0.0]], a, b)
    drawn = S.from_channel(table).sample(at(1.0))
    for state, chance in zip(b.known, table.values[1], strict=True):
        assert abs(np.mean(drawn == state) - chance) <= FAR
    larger = Channel.from_function(a @ b, b, lambda i, j: j if i else 2.0)
    found = S.from_channel(larger).sample([[0, 5.0], [1, 5.0], [1, -1.0]])
    assert_array_equal(found[:, 0], [2.0, 5.0, -1.0])
    both = Channel(np.full((2, 3), 1 / 6), [], a @ b)
    pairs = S.from_channel(both).sample(DRAWS)
    assert abs(np.corrcoef(pairs.T)[0, 1]) <= FAR
    assert set(map(tuple, pairs)) == {(i, j) for i in a.known for j in b.known}


def test_a_mixture_of_normals_is_a_choice_followed_by_a_channel():
    choice = S.from_channel(Channel([0.25, 0.75], [], dc.Space("K", (0.0, 10.0))))
    wage = choice >> S.from_gaussian(G([[1.0]], [0.0], [[1.0]], "K", "W"))
    drawn = wage.sample(DRAWS)
    assert abs(drawn.mean() - 7.5) <= FAR * np.sqrt(1 + 100 * 0.25 * 0.75)
    assert abs(np.mean(drawn > 5) - 0.75) <= FAR


def test_interventions_become_units_of_random_distributions():
    data = S.from_gaussian(F).to_distributions([[0.0], [2.0]], size=5000)
    assert_array_equal(data.columns["X"], [0.0, 2.0])
    assert_allclose(data.mean(), [1.0, 5.0], atol=6 * np.sqrt(0.5 / 5000))
    with pytest.raises(dc.DataError, match="makes 2"):
        S.from_gaussian(H).to_distributions([[0.0]], size=5)


def test_draws_that_break_the_promise_are_refused():
    with pytest.raises(dc.DataError, match=r"shape \(2, 1\), but have \(2, 3\)"):
        S(lambda rng, x: np.zeros((len(x), 3)), "X", "Y").sample([[0.0], [1.0]])
    with pytest.raises(dc.DataError, match="1 of 2 are not"):
        S(lambda rng, x: 1 / x**2, "X", "Y").sample([[np.inf], [np.nan]])
    with pytest.raises(dc.DataError, match=r"\(draw, 1\), but have \(3,\)"):
        S.identity("X").sample([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="'Y'"):
        S.identity("X") >> S.identity("Y")
    letters = Channel.identity(dc.Space("A", ("no", "yes")))
    with pytest.raises(dc.DataError, match="states of 'A' should be numbers"):
        S.from_channel(letters)
    digits = S.from_channel(Channel.identity(dc.Space("A", (0, 1))))
    with pytest.raises(dc.DataError, match=r"1 of 2 are not \(0.5\)"):
        digits.sample([[1.0], [0.5]])
    space = dc.Space("A", (0, 1))
    gap = Channel([[1, 0], [np.nan] * 2], space, space, support=[True, False])
    with pytest.raises(dc.PositivityError, match="not known"):
        S.from_channel(gap)
