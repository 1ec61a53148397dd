"""Times of several tasks, taken in turns, so that other work slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

__all__ = ["medians", "once"]


def medians(*tasks: Callable[[], object], turns: int = 7) -> list[float]:
    """Median seconds of each task, taken in turns."""
    seconds: list[list[float]] = [[] for _ in tasks]
    for _ in range(turns):
        for task, times in zip(tasks, seconds, strict=True):
            times.append(once(task)[0])
    return [float(np.median(times)) for times in seconds]


def once(task: Callable[[], object]) -> tuple[float, object]:
    """Seconds of one run and what it gave."""
    start = time.perf_counter()
    found = task()
    return time.perf_counter() - start, found
