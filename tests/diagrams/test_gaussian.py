"""Linear-Gaussian channels: the laws of finite channels, and normal theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc

G = dc.GaussianChannel
X, Y, Z = dc.Reals("X"), dc.Reals("Y"), dc.Reals("Z", dimension=2)
# Products of a few matrices with entries of a few units, at most 8 by 8.
ATOL = 1e-10


def types(most: int = 2):
    return st.lists(st.sampled_from((X, Y, Z)), max_size=most).map(
        lambda wires: dc.Ty(tuple(wires))
    )


def size(ty: dc.Ty) -> int:
    return sum(wire.dimension for wire in ty)


def random_gaussian(rng, dom, cod, rank=None) -> G:
    """A channel whose noise spans ``rank`` directions, all of them if None."""
    outs = size(cod)
    root = rng.normal(size=(outs, outs if rank is None else min(rank, outs)))
    return G(
        rng.normal(size=(outs, size(dom))),
        rng.normal(size=outs),
        root @ root.T,
        dom,
        cod,
    )


ranks = st.sampled_from((0, 1, None))
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(types(), types(), types(), types(), ranks, seeds)
def test_chaining_is_associative_with_identities(a, b, c, d, rank, rng):
    f, g, h = (
        random_gaussian(rng, dom, cod, rank) for dom, cod in ((a, b), (b, c), (c, d))
    )
    assert ((f >> g) >> h).allclose(f >> (g >> h))
    assert (G.identity(a) >> f).allclose(f, atol=0)
    assert (f >> G.identity(b)).allclose(f, atol=0)


@given(types(1), types(1), types(1), types(1), ranks, seeds)
def test_side_by_side_and_chained_in_either_order(a, b, c, d, rank, rng):
    f, g = random_gaussian(rng, a, b, rank), random_gaussian(rng, b, c, rank)
    h, k = random_gaussian(rng, c, d, rank), random_gaussian(rng, d, a, rank)
    assert ((f >> g) @ (h >> k)).allclose((f @ h) >> (g @ k))
    left = (f @ h) >> G.swap(b, d)
    assert left.allclose(G.swap(a, c) >> (h @ f))


@given(types())
def test_copies_of_copies_are_copies(a):
    one, copy = G.identity(a), G.copy(a)
    assert copy >> (copy @ one) == G.copy(a, 3) == copy >> (one @ copy)
    assert copy >> G.swap(a, a) == copy
    assert copy >> (one @ G.discard(a)) == one


@given(types(), types(), ranks, seeds)
def test_discarding_is_natural_and_copying_iff_there_is_no_noise(a, b, rank, rng):
    f = random_gaussian(rng, a, b, rank)
    assert (f >> G.discard(b)).allclose(G.discard(a), atol=0)
    after = f >> G.copy(b)
    assert after.allclose(G.copy(a) >> (f @ f)) == f.deterministic
    assert f.deterministic == (rank == 0 or size(b) == 0)


def test_a_chain_adds_up_noise():
    f = G([[2.0]], [1.0], [[3.0]], "X", "Y")
    g = G([[0.5]], [4.0], [[1.0]], "Y", "W")
    found = f >> g
    assert_array_equal(found.coef, [[1.0]])
    assert_array_equal(found.shift, [4.5])
    assert_array_equal(found.cov, [[1.75]])


@given(ranks, seeds, st.permutations(["X", "Y", "Z"]), st.integers(0, 3))
def test_a_law_is_its_marginal_copied_into_its_channel(rank, rng, order, count):
    inputs, rest = order[:count], order[count:]
    law = random_gaussian(rng, dc.Ty(), X @ Y @ Z, rank)
    first, channel = law.marginal(inputs), law.disintegrate(inputs)
    kept = channel.marginal(rest)
    again = first >> G.copy(first.cod) >> (G.identity(first.cod) @ kept)
    assert again.allclose(law.marginal([*inputs, *rest]), atol=1e-7)


@given(seeds, st.sampled_from(("X", "Z")))
def test_disintegrating_twice_is_disintegrating_once(rng, first):
    law = random_gaussian(rng, dc.Ty((Y,)), X @ dc.Reals("W") @ Z)
    twice = law.disintegrate(first).disintegrate("W")
    once = law.disintegrate([first, "W"])
    assert twice.allclose(once, atol=1e-6)


def test_conditioning_is_the_normal_regression():
    law = G.law([1.0, 2.0], [[4.0, 1.0], [1.0, 9.0]], ["X", "Y"])
    found = law.condition(X=3.0)
    assert_allclose(found.shift, [2.0 + 1.0 / 4.0 * 2.0])
    assert_allclose(found.cov, [[9.0 - 1.0 / 4.0]])
    assert found.cod.names == ("Y",)


@given(st.floats(-8, 8), st.floats(-8, 8), seeds)
def test_units_of_measurement_do_not_matter(left, right, rng):
    law = random_gaussian(rng, dc.Ty(), dc.Ty((X, Y)))
    scale = np.diag([10.0**left, 10.0**right])
    other = law >> G.linear(scale, ["X", "Y"], ["X", "Y"])
    plain, scaled = law.disintegrate("X"), other.disintegrate("X")
    ratio = 10.0 ** (right - left)
    assert_allclose(scaled.coef, plain.coef * ratio, rtol=1e-8)
    assert_allclose(scaled.cov, plain.cov * 10.0 ** (2 * right), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_an_event_off_the_support_is_refused_in_any_unit(scale):
    noise = G.law(2.0 * scale, scale**2, "X")
    same = (
        noise
        >> G.copy("X")
        >> G.linear([[1.0, 0.0], [0.0, 3.0]], list("XX"), list("XY"))
    )
    found = same.condition(X=scale, Y=3.0 * scale)
    assert found.cod == dc.Ty()
    sure = same.condition(X=scale)
    assert_allclose(sure.shift, [3.0 * scale])
    assert_array_equal(sure.cov, [[0.0]])
    with pytest.raises(dc.ConditioningError, match="off the support of X @ Y"):
        same.condition(X=scale, Y=4.0 * scale)
    fixed = noise @ G.point(scale, "C")
    with pytest.raises(dc.ConditioningError, match=f"event C={3 * scale}"):
        fixed.condition(C=3 * scale)
    assert fixed.condition(C=scale).allclose(noise)


def test_a_difference_of_equals_is_zero_for_sure():
    thrice = G.law(0.3, 0.7, "X") >> G.copy("X", 3)
    law = thrice >> G.linear([[0.1, 0.7, -0.8]], list("XXX"), "D")  # not quite 0
    assert law.deterministic
    with pytest.raises(dc.ConditioningError, match="D=1e-05"):
        law.condition(D=1e-5)


def test_an_event_that_hangs_on_inputs_is_refused_until_they_are_plugged():
    follow = G.copy("X", 1) >> G.linear([[2.0]], "X", "Y")
    with pytest.raises(dc.ConditioningError, match="depends on X; plug in values"):
        follow.condition(Y=2.0)
    with pytest.raises(dc.ConditioningError, match="depends on X; plug in values"):
        follow.condition(Y=0.0)
    assert follow.plug(X=1.0).condition(Y=2.0).cod == dc.Ty()


@given(seeds)
def test_draws_have_the_mean_and_covariance_of_the_law(rng):
    f = random_gaussian(rng, dc.Ty((X,)), dc.Ty((Z, Y)), 2)
    drawn = f.sample(np.full((4000, 1), 0.5), seed=rng)
    error = np.sqrt(np.diag(f.cov) / len(drawn))
    mean = f.coef[:, 0] * 0.5 + f.shift
    assert np.all(np.abs(drawn.mean(axis=0) - mean) <= 6 * error + ATOL)
    spread = np.sqrt(np.outer(np.diag(f.cov), np.diag(f.cov)) * 2 / len(drawn))
    assert np.all(np.abs(np.cov(drawn.T) - f.cov) <= 6 * spread + ATOL)


def test_a_law_without_inputs_is_drawn_by_number():
    drawn = G.law(1.0, 4.0, "X").sample(5, seed=1)
    assert drawn.shape == (5, 1)
    assert_array_equal(drawn, G.law(1.0, 4.0, "X").sample(5, seed=1))


def test_laws_of_one_number_are_random_distributions():
    f = G([[0.5, 1.0]], [1.0], [[4.0]], ["X", "Y"], "W")
    data = f.to_distributions([[0.0, 0.0], [2.0, 3.0]])
    assert_allclose(data.quantiles([0.5])[:, 0], [1.0, 5.0], rtol=1e-12)
    assert_array_equal(data.columns["Y"], [0.0, 3.0])
    with pytest.raises(dc.DataError, match="makes 2 numbers, without noise"):
        G.copy("X").to_distributions([[1.0]])


@pytest.mark.parametrize(
    ("cov", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"X, Y should have no negative eigenvalue.*-1\."),
        ([[1.0, 0.5], [0.4, 1.0]], r"X, Y should be symmetric.*0\.1"),
        ([[-1.0, 0.0], [0.0, 1.0]], "no negative eigenvalue"),
        ([[np.nan, 0.0], [0.0, 1.0]], "should be finite, but 1 entries"),
        ([[1.0]], r"should have shape \(2, 2\), but has \(1, 1\)"),
    ],
)
def test_what_is_no_covariance_is_refused(cov, message):
    with pytest.raises(dc.DataError, match=message):
        G(np.zeros((2, 0)), [0.0, 0.0], cov, [], ["X", "Y"])


def test_wires_must_meet_be_real_and_be_named():
    with pytest.raises(TypeError, match=r"'X'.*against.*'Y'"):
        G.identity("X") >> G.identity("Y")
    with pytest.raises(TypeError, match="dimension=2"):
        G.identity(dc.Reals("X", dimension=2)) >> G.identity("X")
    with pytest.raises(ValueError, match="belong to Channel"):
        G.identity(dc.Space("S", (0, 1)))
    with pytest.raises(ValueError, match="dimension of at least 1"):
        dc.Reals("X", dimension=0)
    with pytest.raises(ValueError, match="one output wire"):
        G.copy("X").marginal("X")
    with pytest.raises(ValueError, match="'Z' should be 2 finite numbers"):
        G.identity(Z).plug(Z=[1.0])
    assert G.identity(dc.Space("S")).cod == dc.Ty((dc.Reals("S"),))


@given(types(), types(), ranks, seeds)
def test_a_channel_survives_json(a, b, rank, rng):
    f = random_gaussian(rng, a, b, rank)
    assert G.from_json(f.to_json()) == f
