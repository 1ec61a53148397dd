"""Running a compiled function over any number of draws in groups of one shape.

A function compiled for a batch of draws belongs to the size of the batch. Groups of a
fixed size need one compilation however many draws there are, keep what a group works on
in a processor's cache, and bound the memory that all of them take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import random

from distcausal._base.typing import Array

__all__ = ["grouped", "lanes_together"]

_CACHE_BYTES = 4 << 20  # what a group works on should fit
_MOST_LANES = 256


def lanes_together(draws: int, numbers: int) -> int:
    """How many draws to work on together when each needs so many numbers.

    A power of two: as many as fit the cache, and hardly more than there are.
    """
    most = min(max(_CACHE_BYTES // (8 * numbers), 1), _MOST_LANES)
    return min(1 << (most.bit_length() - 1), 1 << (draws - 1).bit_length())


def grouped(
    run: Callable[..., Any],
    group: int,
    keys: Array,
    *lanes: Any,
    chosen: np.ndarray | None = None,
) -> Any:
    """Call ``run(keys, *lanes)`` on groups of draws and put the results together.

    Parameters
    ----------
    run
        Compiled function whose arguments and results have a leading axis of draws.
    group
        Draws per call; the last call repeats some to be as large as the others.
    keys
        One JAX key per draw.
    *lanes
        NumPy arrays or trees of them, one entry per draw.
    chosen
        Positions of the keys whose draws are wanted; all if left out.

    Returns
    -------
    What ``run`` returns, as NumPy arrays.
    """
    data: Any = np.asarray(random.key_data(keys))
    if chosen is not None:
        data = data[chosen]
    count = len(data)
    parts = []
    for start in range(0, count, group):
        place = np.arange(start, start + group) % count
        own = random.wrap_key_data(data[place], impl=random.key_impl(keys))
        found = run(own, *jax.tree.map(lambda field, at=place: field[at], lanes))
        parts.append(jax.tree.map(np.asarray, found))
    return jax.tree.map(lambda *part: np.concatenate(part)[:count], *parts)
