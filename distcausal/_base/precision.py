"""The one place that opens a float64 scope.

JAX computes in float32 unless told otherwise, and the switch is either global, which a
library must not touch, or a scope, which must be entered on the host: opened inside
traced code it is an error. So drivers wrap their computation in `double` and nothing
else in the package changes precision.

JAX 0.8 is the first version with the public name ``jax.enable_x64``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

__all__ = ["double", "frozen", "resident"]

P = ParamSpec("P")
T = TypeVar("T")


def double(core: Callable[P, T]) -> Callable[P, T]:
    """Run a core in float64 and bring its arrays home as read-only NumPy.

    For drivers, on the host. An array left in JAX would fall to float32 at the first
    operation outside the scope, so none is left.
    """

    @wraps(core)
    def run(*args: P.args, **options: P.kwargs) -> T:
        with jax.enable_x64(True):
            return jax.tree.map(frozen, core(*args, **options))

    return run


def resident(array: np.ndarray) -> jax.Array:
    """Float64 copy that stays with JAX, to be handed to functions run by `double`.

    For arrays large enough that copying them at every call would take longer than the
    call.
    """
    with jax.enable_x64(True):
        return jax.device_put(np.asarray(array, dtype=float))


def frozen(leaf: Any) -> Any:
    """Copy one array into a read-only NumPy array; anything else passes unchanged."""
    if not isinstance(leaf, jax.Array | np.ndarray):
        return leaf
    array = np.array(leaf)
    array.flags.writeable = False
    return array
