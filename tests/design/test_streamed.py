"""A space that is read in blocks is the space of the matrix it reads."""

from __future__ import annotations

import gc
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.design.streamed import _triangle

POINTS, SIZE = 500, 4


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(POINTS, SIZE)), rng.uniform(size=POINTS)


@given(
    seed=st.integers(0, 10**6),
    block=st.sampled_from([1, 64, 499, 1000]),
    scale=st.sampled_from([1.0, 1e-160, 1e200]),
)
def test_triangle_leverage_and_values_are_those_of_the_matrix(seed, block, scale):
    features, mass = problem(seed)
    features[:, 0] *= scale
    streamed = dc.StreamedSpace(features, mass, block=block)
    held = dc.FiniteSpace(features, mass)
    assert_allclose(streamed.leverage, held.leverage, rtol=1e-10, atol=1e-14)
    assert_allclose(streamed.basis.upper, held.basis.upper, rtol=1e-9, atol=1e-12)
    atoms = np.array([[3, 3], [499, 0]])
    assert_allclose(streamed.values(atoms), held.values(atoms), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "design",
    [
        lambda space: dc.ProjectionDPP(space, sampler="stream"),
        lambda space: dc.VolumeSampling(space, 9, weight=0.5, sampler="stream"),
        lambda space: dc.IID(space, 5),
    ],
    ids=["projection", "volume", "iid"],
)
def test_draws_are_those_of_the_matrix(design):
    features, mass = problem()
    found = design(dc.StreamedSpace(features, mass, block=64)).sample_many(96, seed=3)
    held = design(dc.FiniteSpace(features, mass)).sample_many(96, seed=3)
    assert_array_equal(found.index, held.index)
    assert_allclose(found.values, held.values, rtol=1e-10, atol=1e-12)
    y = np.exp(features[found.index, 0])
    assert_allclose(dc.wls(found, y).coef, dc.wls(held, y).coef, rtol=1e-8)


def test_a_function_of_positions_and_a_memory_map_are_one_space(tmp_path):
    features, _ = problem()
    file = tmp_path / "features.npy"
    np.save(file, features)
    stored = dc.StreamedSpace(np.load(file, mmap_mode="r"), block=100)
    computed = dc.StreamedSpace(lambda atoms: features[atoms], points=POINTS)
    first, second = (
        dc.ProjectionDPP(space).sample_many(96, seed=1) for space in (stored, computed)
    )
    assert_array_equal(first.index, second.index)
    again = pickle.loads(pickle.dumps(stored))
    assert_array_equal(
        dc.ProjectionDPP(again).sample_many(96, seed=1).index, first.index
    )


def test_two_spaces_of_a_size_never_exchange_rows():
    spaces = [dc.StreamedSpace(problem(seed)[0]) for seed in (1, 2)]
    for seed, space in enumerate(spaces, 1):
        held = dc.ProjectionDPP(dc.FiniteSpace(problem(seed)[0]), sampler="stream")
        found = dc.ProjectionDPP(space).sample_many(96, seed=1)
        assert_array_equal(found.index, held.sample_many(96, seed=1).index)


def test_nearly_dependent_columns_keep_their_digits():
    x = np.linspace(0, 1, POINTS)
    features = np.stack([x**0, x, x + 1e-7 * x**2], axis=1)
    found = dc.StreamedSpace(features, block=100)
    exact = dc.FiniteSpace(np.stack([x**0, x, x**2], axis=1))
    # The matrix itself holds the last column's own part to nine digits.
    assert_allclose(found.leverage, exact.leverage, rtol=1e-7)
    assert_allclose(found.leverage.sum(), 3, rtol=1e-12)


@pytest.mark.parametrize("apart", [1.0, 1e-7, 1e-9])
def test_the_first_pass_factors_columns_that_grow_or_nearly_coincide(apart):
    """Later passes would hide what this one gets wrong, at a cost in digits."""
    features, _ = problem()
    features[:, 1] = features[:, 0] + apart * features[:, 1]
    features[250:] *= 1e3
    mass = np.full(POINTS, 1 / POINTS)

    def blocks():
        for start in range(0, POINTS, 100):
            place = slice(start, start + 100)
            yield place, features[place]

    found = _triangle(blocks, mass)
    exact = np.linalg.qr(features * np.sqrt(mass)[:, None], mode="r")
    assert_allclose(np.abs(np.diag(found)), np.abs(np.diag(exact)), rtol=1e-5)


def test_memory_is_bounded_by_blocks_and_a_few_numbers_per_point():
    points, block, size = 400_000, 2_000, 20

    def rows(atoms: np.ndarray) -> np.ndarray:
        return np.cos(atoms[:, None] * (np.arange(size) + 0.5) * np.pi / points)

    gc.collect()
    tracemalloc.start()
    space = dc.StreamedSpace(rows, points=points, block=block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(space.leverage.sum(), size, rtol=1e-10)
    # The leverage and, with room for what NumPy keeps of a block, eight blocks.
    assert peak < 8 * points + 8 * (8 * block * size)
    assert peak < points * size * 8 / 10


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_missing_value_is_named_by_its_row(broken):
    features, _ = problem()
    features[321, 2] = broken
    with pytest.raises(dc.DataError, match=r"row 321 .*column 2"):
        dc.StreamedSpace(features, block=100)


def test_dependent_columns_are_named():
    features, _ = problem()
    features[:, 2] = features[:, 0] - 2 * features[:, 1]
    with pytest.raises(dc.DataError, match=r"rank is 3, not 4.*column 2"):
        dc.StreamedSpace(features, block=100)


@pytest.mark.parametrize(
    ("blocks", "options", "words"),
    [
        (np.ones(5), {}, "shape"),
        ([[1.0, 2.0]], {}, "list"),
        (lambda atoms: np.ones(3), {"points": 10}, "one row of features"),
        (lambda atoms: np.ones((2, 1)), {"points": 10}, "one row of features"),
        (lambda atoms: np.ones((len(atoms), 1)), {}, "points None"),
        (np.ones((5, 1)), {"block": 0}, "block 0"),
        (np.ones((5, 1)), {"mass": np.ones(4)}, "5 points"),
        (np.ones((2, 3)), {}, "at least 3 points"),
    ],
)
def test_what_is_no_space_is_refused(blocks, options, words):
    with pytest.raises(dc.DistCausalError, match=words):
        dc.StreamedSpace(blocks, **options)


def test_points_without_mass_are_never_drawn():
    features, mass = problem()
    mass[::2] = 0
    drawn = dc.ProjectionDPP(dc.StreamedSpace(features, mass)).sample_many(96, seed=2)
    assert (drawn.index % 2 == 1).all()
