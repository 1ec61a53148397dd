"""A bar for computations long enough to wonder about.

``progress=None`` shows one only when the work is expected to take seconds and someone
is watching a terminal; results are the same with and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distcausal.errors import check_choice

__all__ = ["steps"]


@contextmanager
def steps(
    progress: bool | None, *, count: int, long: bool
) -> Iterator[Callable[[str], None]]:
    """Announce the steps of a computation, one after the other.

    Parameters
    ----------
    progress
        True or False, or None to decide by ``long`` and whether a terminal watches.
    count
        Number of steps.
    long
        Whether the computation is expected to take more than two seconds.

    Yields
    ------
    A function that is called with the name of each step as it begins.
    """
    check_choice("progress", progress, (None, True, False))
    if progress is None:
        progress = long and sys.stderr.isatty()
    if not progress:
        yield lambda name: None
        return
    from tqdm import tqdm

    with tqdm(total=count, leave=False, bar_format="{desc} {bar} {elapsed}") as bar:
        started = False

        def begin(name: str) -> None:
            nonlocal started
            bar.update(int(started))
            bar.set_description_str(name)
            started = True

        yield begin
        bar.update(1)
