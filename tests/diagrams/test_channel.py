"""Laws of channels: composition, copying, discarding, and what they refuse."""

from __future__ import annotations

import pickle
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from tests.diagrams.random_channels import (
    KINDS,
    SPACES,
    A,
    B,
    C,
    D,
    channels,
    random_channel,
    types,
)

seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
kinds = st.sampled_from(KINDS)
ATOL = 1e-14  # sums of at most a few hundred products of probabilities


def chained(f: dc.Channel, g: dc.Channel) -> np.ndarray:
    """Chain two channels by one written-out sum."""
    letters = iter(string.ascii_letters)
    a, b, c = ([next(letters) for _ in ty] for ty in (f.dom, f.cod, g.cod))
    spell = "".join
    where = f"{spell(a + b)},{spell(b + c)}->{spell(a + c)}"
    return np.einsum(where, f.values, g.values)


@given(types(), types(), types(), kinds, seeds)
def test_chaining_sums_over_the_wires_between(a, b, c, kind, rng):
    f, g = random_channel(rng, a, b, kind), random_channel(rng, b, c, kind)
    assert_allclose((f >> g).values, chained(f, g), atol=ATOL)
    assert ((f >> g).dom, (f >> g).cod) == (a, c)


@given(types(1), types(1), types(1), types(1), kinds, seeds)
def test_chaining_is_associative_with_identities(a, b, c, d, kind, rng):
    f, g, h = (
        random_channel(rng, dom, cod, kind) for dom, cod in ((a, b), (b, c), (c, d))
    )
    assert ((f >> g) >> h).allclose(f >> (g >> h), atol=ATOL)
    assert (dc.Channel.identity(a) >> f).allclose(f, atol=0)
    assert (f >> dc.Channel.identity(b)).allclose(f, atol=0)


@given(types(1), types(1), types(1), types(1), kinds, seeds)
def test_side_by_side_and_chained_in_either_order(a, b, c, d, kind, rng):
    f, g = random_channel(rng, a, b, kind), random_channel(rng, b, c, kind)
    h, k = random_channel(rng, c, d, kind), random_channel(rng, d, a, kind)
    assert ((f >> g) @ (h >> k)).allclose((f @ h) >> (g @ k), atol=ATOL)


@given(types(), types(), types(1), types(1), kinds, seeds)
def test_a_swap_lets_channels_through(a, b, c, d, kind, rng):
    f, g = random_channel(rng, a, c, kind), random_channel(rng, b, d, kind)
    left = (f @ g) >> dc.Channel.swap(c, d)
    assert left.allclose(dc.Channel.swap(a, b) >> (g @ f), atol=0)
    twice = dc.Channel.swap(a, b) >> dc.Channel.swap(b, a)
    assert twice == dc.Channel.identity(a @ b)


@given(types())
def test_copies_of_copies_are_copies(a):
    one, copy = dc.Channel.identity(a), dc.Channel.copy(a)
    assert copy >> (copy @ one) == dc.Channel.copy(a, 3)
    assert copy >> (one @ copy) == dc.Channel.copy(a, 3)
    assert copy >> dc.Channel.swap(a, a) == copy
    assert copy >> (one @ dc.Channel.discard(a)) == one
    assert dc.Channel.copy(a, 0) == dc.Channel.discard(a)


@given(types(1), types(1))
def test_wires_side_by_side_are_copied_side_by_side(a, b):
    one_each = dc.Channel.copy(a) @ dc.Channel.copy(b)
    middle = dc.Channel.identity(a) @ dc.Channel.swap(a, b) @ dc.Channel.identity(b)
    assert one_each >> middle == dc.Channel.copy(a @ b)


@given(types(), types())
def test_the_uniform_law_can_be_discarded_and_split(a, b):
    uniform = dc.Channel.uniform(a @ b)
    empty = dc.Channel.identity([])
    assert (uniform >> dc.Channel.discard(a @ b)).allclose(empty, atol=ATOL)
    split = dc.Channel.uniform(a) @ dc.Channel.uniform(b)
    assert split.allclose(uniform, atol=ATOL)


@given(channels(), st.floats(0, 2), seeds)
def test_discarding_the_outputs_discards_the_inputs_iff_rows_sum_to_one(f, scale, rng):
    shrunk = f.values.copy()
    shrunk[tuple(rng.integers(size) for size in f.dom.shape)] *= scale
    part = dc.Channel(shrunk, f.dom, f.cod, partial=True)
    for one in (f, part):
        gone = one >> dc.Channel.discard(one.cod)
        assert one.stochastic == gone.allclose(dc.Channel.discard(one.dom), atol=1e-6)
    assert f.stochastic
    assert part.stochastic == (abs(scale - 1) <= 1e-6)


@given(channels())
def test_copying_the_outputs_copies_the_inputs_iff_deterministic(f):
    after = f >> dc.Channel.copy(f.cod)
    before = dc.Channel.copy(f.dom) >> (f @ f)
    assert f.deterministic == after.allclose(before, atol=1e-9)


@given(types(), types(), seeds)
def test_functions_are_the_deterministic_channels(a, b, rng):
    sure = random_channel(rng, a, b, "sure")

    def f(*states):
        place = tuple(s.position(x) for s, x in zip(a, states, strict=True))
        found = np.argwhere(sure.values[place])[0]
        reached = tuple(s.known[i] for s, i in zip(b, found, strict=True))
        return reached[0] if len(b) == 1 else reached

    assert sure.deterministic
    assert dc.Channel.from_function(a, b, f) == sure


def test_a_function_that_leaves_its_codomain_is_refused():
    with pytest.raises(ValueError, match=r"'B' has no state 3.*0, 1, 2"):
        dc.Channel.from_function(B, B, lambda b: b + 1)
    with pytest.raises(ValueError, match="one state for each of"):
        dc.Channel.from_function(B, B @ B, lambda b: (b,))


@pytest.mark.parametrize("space", SPACES)
def test_an_event_picks_the_probability_of_its_state(space):
    law = dc.Channel(np.arange(1.0, space.size + 1), [], space, renormalise=True)
    for place, state in enumerate(space.known):
        chance = law >> dc.Channel.effect(space, state)
        assert float(chance.values) == law.values[place]
        sure = dc.Channel.point(space, state) >> dc.Channel.effect(space, state)
        assert float(sure.values) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.5, 0.4, 0.1], [0.6, 0.6, 0]], r"row A='yes' sums to 1\.2, \+0\.2 off \(1"),
        (
            [[0.5, 0.4, 0], [0.6, 0.6, 0]],
            r"row A='no' sums to 0\.9, -0\.1 off \(2 of 2",
        ),
        ([[0.5, 0.6, -0.1], [1, 0, 0]], r"negative, but the row A='no' holds -0\.1"),
        ([[1, 0, 0], [np.nan, 0.5, 0.5]], r"finite, but the row A='yes' is not"),
        ([[1, 0, 0], [np.inf, 0, 0]], r"finite, but the row A='yes' is not"),
        ([[0.5, 0.5], [1, 0]], r"shape \(2, 3\), input axes first.*\(2, 2\)"),
    ],
)
def test_a_row_that_is_no_law_is_named(values, message):
    with pytest.raises(dc.DataError, match=message):
        dc.Channel(values, A, B)


def test_rows_may_miss_one_by_what_published_networks_round():
    near = [[0.3333333, 0.3333333, 0.3333333], [1, 0, 0]]
    assert dc.Channel(near, A, B).values[0].sum() < 1
    exact = dc.Channel(near, A, B, renormalise=True)
    assert_allclose(exact.values.sum(axis=1), 1, rtol=1e-15)
    with pytest.raises(dc.DataError, match="sums to 1"):
        dc.Channel(near, A, B, atol=1e-9)


def test_counts_become_a_channel_but_an_empty_row_does_not():
    assert_array_equal(
        dc.Channel([[1, 1, 2], [0, 0, 4]], A, B, renormalise=True).values,
        [[0.25, 0.25, 0.5], [0, 0, 1]],
    )
    with pytest.raises(dc.DataError, match="row A='no' sums to 0"):
        dc.Channel([[0, 0, 0], [0, 0, 4]], A, B, renormalise=True)


def test_wires_that_do_not_meet_are_shown_with_the_first_that_differs():
    f = dc.Channel.identity(A @ B)
    other = dc.Space("B", (0, 1))
    with pytest.raises(
        TypeError, match=r"A @ B.*A @ C; wire 1 is Space\('B',.*against Space\('C'"
    ):
        f >> dc.Channel.identity(A @ C)
    with pytest.raises(
        TypeError, match=r"wire 1 is.*\(0, 1, 2\)\) against.*\(0, 1\)\)"
    ):
        f >> dc.Channel.identity(A @ other)
    with pytest.raises(TypeError, match="2 wires against 1"):
        f >> dc.Channel.identity(A)
    with pytest.raises(TypeError, match="two spaces are called 'B'"):
        dc.Channel.identity(B) @ dc.Channel.identity(other)


def test_states_must_be_known():
    with pytest.raises(ValueError, match="states of 'Z' are not known"):
        dc.Channel([1.0], [], dc.Space("Z"))


def test_a_row_that_is_not_known_matters_only_where_it_is_reached():
    f = dc.Channel([[0.5, 0.5, 0], [np.nan] * 3], A, B, support=[True, False])
    reached = dc.Channel.uniform(A) >> f
    assert np.isnan(reached.values).all()
    assert not reached.support
    spared = dc.Channel.point(A, "no") >> f
    assert_array_equal(spared.values, [0.5, 0.5, 0])
    assert spared.support
    beside = dc.Channel.identity(A) @ f
    assert_array_equal(np.isnan(beside.values).any(axis=(2, 3)), ~beside.support)
    assert_array_equal(beside.support, [[True, False], [True, False]])
    with pytest.raises(dc.DataError, match="the row A='yes' is not"):
        dc.Channel(f.values, A, B, support=[False, True])


@given(channels(kinds=("smooth", "zeros")), st.data())
def test_marginals_discard_the_other_outputs(f, data):
    alone = [name for name in f.cod.names if f.cod.names.count(name) == 1]
    keep = data.draw(st.permutations(alone))
    part = f.marginal(keep)
    assert part.cod.names == tuple(keep)
    for name in keep:
        where = f.cod.names.index(name)
        wires = [
            dc.Channel.identity(space) if i == where else dc.Channel.discard(space)
            for i, space in enumerate(f.cod)
        ]
        kept = dc.Channel.identity([])
        for wire in wires:
            kept = kept @ wire
        assert (f >> kept).allclose(part.marginal([name]), atol=ATOL)


def test_entries_are_reached_by_name_and_written_to_frames():
    f = dc.Channel([[0.5, 0.5, 0], [0.1, 0.2, 0.7]], A, B)
    assert float(f.sel(A="yes", B=2)) == 0.7
    assert_array_equal(f.sel(A="no").values, [0.5, 0.5, 0])
    frame = f.to_frame()
    assert list(frame.columns) == ["A", "B", "probability"]
    back = dc.Channel.from_frame(frame, dom=[A], cod=[B], count="probability")
    assert back.allclose(f, atol=1e-15)
    with pytest.raises(ValueError, match="more than once"):
        dc.Channel.copy(A).labelled()
    with pytest.raises(ValueError, match="one output wire"):
        dc.Channel.copy(A).marginal(["A"])


@given(channels())
def test_a_channel_survives_json_and_pickle_and_stays_read_only(f):
    for back in (dc.Channel.from_json(f.to_json()), pickle.loads(pickle.dumps(f))):
        assert back == f
        assert not back.values.flags.writeable


@given(channels(kinds=("smooth", "zeros", "sure")))
def test_a_channel_read_as_units_and_back_is_the_same_to_the_bit(f):
    if len(set(f.dom.names)) < len(f.dom):
        with pytest.raises(ValueError, match="names should be distinct"):
            f.to_distributions()
        return
    data = f.to_distributions()
    assert len(data) == np.prod(f.dom.shape)
    assert set(data.columns) == set(f.dom.names)
    back = dc.Channel.from_distributions(data, f.dom, f.cod)
    assert_array_equal(back.values, f.values)
    mixed = data.take(np.random.default_rng(len(data)).permutation(len(data)))
    assert dc.Channel.from_distributions(mixed, f.dom, f.cod) == back


def test_states_that_are_numbers_become_ordered_atoms():
    f = dc.Channel([[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0]], A, D)
    data = f.to_distributions()
    assert_array_equal(data.support, [-1.0, 0.0, 2.5, 7.0])
    assert_allclose(data.mean(), [f.values[0] @ D.known, 2.5])
    assert_array_equal(data.ids, ["no", "yes"])
    assert dc.Channel.from_distributions(data, A, D) == f
    labels = dc.Channel.identity(A).to_distributions()
    assert_array_equal(labels.support, ["no", "yes"])


def test_units_that_are_not_the_states_are_refused():
    data = dc.RandomDistributions.from_atoms([0, 1], [[1, 0], [0, 1]], ids=["a", "b"])
    found = dc.Channel.from_distributions(data)
    assert (found.dom.names, found.cod.names) == (("unit",), ("value",))
    with pytest.raises(dc.DataError, match=r"1 are missing.*1 are no states"):
        dc.Channel.from_distributions(data, dc.Space("X", ("a", "c")))
    with pytest.raises(dc.DataError, match=r"0 are missing.*1 are no states \(\('b',"):
        dc.Channel.from_distributions(data, dc.Space("X", ("a",)))
    twice = data.with_columns(X=["a", "a"])
    with pytest.raises(dc.DataError, match="1 are repeated"):
        dc.Channel.from_distributions(twice, dc.Space("X", ("a",)))
    with pytest.raises(dc.DataError, match="atoms should be the states of Y"):
        dc.Channel.from_distributions(data, cod=dc.Space("Y", (0, 1, 2)))
    with pytest.raises(dc.DataError, match="samples form"):
        dc.Channel.from_distributions(dc.RandomDistributions.from_samples([[1.0]]))
    effect = dc.Channel.effect(A, "no")
    with pytest.raises(dc.DataError, match="partial"):
        effect.to_distributions()
