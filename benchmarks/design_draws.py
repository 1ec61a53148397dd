"""Draws of projection processes: our time beside the chain rule written in NumPy.

The comparison keeps one residual per row and m directions and nothing else: the fastest
plain way to draw once. Both run in the same process, turn by turn, so that other work
on the machine slows both. Set-up, the orthonormal basis, is timed by itself; it is the
same for both.

Run ``python -m benchmarks.design_draws`` (a minute); ``--rows`` sets the ground set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import distcausal as dc

SIZES = (20, 50)
DRAWS = 1000
TURNS = 7


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    rows = arguments.parse_args().rows
    print(f"{rows} rows; medians of {TURNS} turns: seconds by the clock, processor's")
    for size in SIZES:
        features = np.random.default_rng(0).normal(size=(rows, size))
        compare(features)


def compare(features: np.ndarray) -> None:
    """Print set-up, one draw either way, and many draws."""
    size = features.shape[1]
    space = dc.FiniteSpace(features)
    orthonormal = np.ascontiguousarray(space.rows[: len(features)])
    design = dc.ProjectionDPP(space)
    start = time.perf_counter()
    design.sample()
    design.sample_many(DRAWS)
    first = time.perf_counter() - start
    seeds = iter(range(1, 10_000))
    tasks = {
        "set-up": lambda: dc.FiniteSpace(features),
        "one draw, NumPy chain rule": lambda: chain_rule(orthonormal, next(seeds)),
        "one draw": lambda: design.sample(next(seeds)),
        f"{DRAWS} draws": lambda: design.sample_many(DRAWS, next(seeds)),
    }
    print(f"m = {size}: first calls, compilation included, {first:.1f} s")
    for name, (clock, processor) in medians(tasks).items():
        print(f"  {name:<27}{clock:9.4f}{processor:9.4f}")


def medians(tasks: dict[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """Median seconds of each task by the clock and of the processor, taken in turns."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(TURNS):
        for name, task in tasks.items():
            start = time.perf_counter(), time.process_time()
            task()
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            seconds[name].append(spent)
    return {name: np.median(spent, axis=0) for name, spent in seconds.items()}


def chain_rule(rows: np.ndarray, seed: int) -> np.ndarray:
    """One draw in NumPy: a residual per row, two passes of Gram-Schmidt per step."""
    random = np.random.default_rng(seed)
    size = rows.shape[1]
    basis = np.zeros((size, size))
    residual = np.einsum("ij,ij->i", rows, rows)
    chosen = np.empty(size, dtype=int)
    for step in range(size):
        cumulative = np.cumsum(residual)
        level = random.random() * cumulative[-1]
        atom = np.searchsorted(cumulative, level, side="right")
        row = rows[atom]
        for _ in range(2):
            row = row - basis[:step].T @ (basis[:step] @ row)
        basis[step] = row / np.linalg.norm(row)
        residual -= (rows @ basis[step]) ** 2
        np.maximum(residual, 0.0, out=residual)
        residual[atom] = 0.0
        chosen[step] = atom
    return chosen


if __name__ == "__main__":
    main()
