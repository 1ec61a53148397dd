"""Float64 inside the scope, read-only NumPy outside, and no trace left behind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distcausal._base.keys import by_unit, host_stream, stream
from distcausal._base.precision import double


@double
def third(x):
    return {"value": jnp.asarray(x) / 3, "name": "third"}


def test_results_are_read_only_numpy_in_float64():
    before = jax.config.jax_enable_x64
    found = third(1.0)
    assert found["value"].dtype == np.float64
    assert type(found["value"]) is np.ndarray
    assert not found["value"].flags.writeable
    assert found["name"] == "third"
    assert jax.config.jax_enable_x64 == before


def test_scope_closes_after_an_error():
    @double
    def fail(x):
        raise ValueError(x)

    before = jax.config.jax_enable_x64
    with pytest.raises(ValueError, match="boom"):
        fail("boom")
    assert jax.config.jax_enable_x64 == before


def test_named_streams_differ_and_repeat():
    def bits(*args):
        return jax.random.key_data(stream(*args)).tolist()

    assert bits(0, "a") == bits(0, "a")
    assert bits(0, "a") != bits(0, "b")
    assert bits(0, "a") != bits(1, "a")
    assert bits(jax.random.key(0), "a") == bits(0, "a")


def test_draws_of_a_unit_survive_padding():
    key = stream(0, "units")
    few = by_unit(jax.random.normal, key, np.arange(3), 4)
    many = by_unit(jax.random.normal, key, np.arange(7), 4)
    np.testing.assert_array_equal(few, many[:, :3])


def test_host_streams_take_integers_and_keys_alike():
    def few(*args):
        return host_stream(*args).standard_normal(3).tolist()

    assert few(7, "a") == few(jax.random.key(7), "a")
    assert few(7, "a") != few(7, "b")
    assert few(7, "a") != few(8, "a")
    assert few(2**40 + 7, "a") != few(7, "a")
