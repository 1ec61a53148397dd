"""From a seed to named, independent streams of random numbers.

A stage of a computation draws from a stream with its own name, so adding a stage never
moves the draws of another. Draws that belong to units are made unit by unit, folding
the unit's number into the key: padding and added units leave existing draws unchanged.

A block of numbers that belongs to no unit is drawn on the host: the same seed and
name give the same numbers, without half a second of compilation for a millisecond's
work. JAX is imported where a key is made, so whoever draws on the host waits for none
of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from zlib import crc32

import numpy as np

from distcausal.errors import DesignError

if TYPE_CHECKING:
    from distcausal._base.typing import Array, Count, Real

__all__ = [
    "Seed",
    "branches",
    "by_unit",
    "check_seed",
    "host_stream",
    "seed_of",
    "seed_record",
    "stages",
    "stream",
]

Seed: TypeAlias = "int | Array"
T = TypeVar("T")


def _compiled(**options: Any) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """`jax.jit` that imports JAX at the first call, not where a function is written."""

    def prepare(core: Callable[..., T]) -> Callable[..., T]:
        @cache
        def made() -> Callable[..., T]:
            import jax

            return jax.jit(core, **options)

        @wraps(core)
        def run(*args: Any, **named: Any) -> T:
            return made()(*args, **named)

        return run

    return prepare


def stream(seed: Seed, stage: str) -> Array:
    """Key for a named stage, from an integer seed or a JAX key."""
    import jax

    return jax.random.fold_in(_root(seed), crc32(stage.encode()))


def _root(seed: Seed) -> Array:
    """JAX key with all 64 bits of a seed, whatever precision JAX is set to."""
    if not isinstance(seed, int | np.integer):
        return seed
    import jax
    import jax.numpy as jnp

    words = np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


@_compiled(static_argnames="stage")
def stages(keys: Array, stage: str) -> Array:
    """Key for a named stage of every lane, each from the lane's own key."""
    import jax

    number = crc32(stage.encode())
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


@_compiled()
def branches(keys: Array, lane: Array, number: Array) -> Array:
    """Key for each numbered branch of the lanes named, shape of both."""
    import jax

    return jax.vmap(jax.random.fold_in)(keys[lane], number)


def host_stream(seed: Seed, stage: str) -> np.random.Generator:
    """NumPy generator for a named stage, from an integer seed or a JAX key.

    An integer and the JAX key made from it give the same stream.
    """
    if isinstance(seed, int | np.integer):
        words = [int(seed) >> 32 & 0xFFFFFFFF, int(seed) & 0xFFFFFFFF]
    else:
        words = _words(seed)
    entropy = np.random.SeedSequence([*words, crc32(stage.encode())])
    return np.random.Generator(np.random.Philox(entropy))


def check_seed(seed: object) -> None:
    """Raise `DesignError` unless the seed is a whole number or a JAX key."""
    kind = getattr(seed, "dtype", None)
    key = kind is not None and not isinstance(kind, np.dtype) and _is_key(kind)
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not key and not (whole and 0 <= int(seed) < 2**63):  # type: ignore[call-overload]
        raise DesignError(
            f"seed {seed!r} should be a whole number from 0 to 2**63 - 1, or a JAX key "
            "as jax.random.key makes them."
        )


def seed_record(seed: Seed) -> int | list[int]:
    """Seed as it can be written down: the number, or the words of a key."""
    if isinstance(seed, int | np.integer):
        return int(seed)
    return _words(seed)


def seed_of(record: int | list[int]) -> Seed:
    """Seed that `seed_record` wrote down."""
    if isinstance(record, int):
        return record
    import jax

    return jax.random.wrap_key_data(jax.numpy.asarray(np.array(record, np.uint32)))


def _words(key: Array) -> list[int]:
    """The numbers that a JAX key is made of."""
    import jax

    return np.asarray(jax.random.key_data(key)).ravel().tolist()


def _is_key(kind: Any) -> bool:
    """Whether a type of entries, not one of NumPy's, is that of JAX keys."""
    import jax

    return bool(jax.dtypes.issubdtype(kind, jax.dtypes.prng_key))


def by_unit(
    draw: Callable[..., Array], key: Array, unit: Count[Array, " unit"], draws: int
) -> Real[Array, "draw unit"]:
    """Draw ``draws`` numbers per unit that depend only on the unit's number.

    ``draw`` is called as ``draw(key, (draws,))`` and returns an array of that shape.
    """
    import jax
    import jax.numpy as jnp

    def one(number: Count[Array, ""]) -> Real[Array, " draw"]:
        return draw(jax.random.fold_in(key, number), (draws,))

    return jax.vmap(one, out_axes=1)(jnp.asarray(unit))
