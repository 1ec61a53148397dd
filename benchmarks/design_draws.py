"""Draws of projection processes, beside the chain rule in NumPy and beside DPPy.

The chain rule in NumPy keeps one residual per row and m directions and nothing else:
the fastest plain way to draw once. DPPy's Gram-Schmidt mode is what its users call. All
run in the same process, turn by turn, so that other work on the machine slows all.
Set-up, the orthonormal basis, is timed by itself, beside one product ``X' X`` of the
same features and one copy of them: its limits in operations and in bytes.

The second table is a least-squares experiment: draws of volume sampling, values, fits.
One call for all repetitions, against a loop over them.

Run ``python -m benchmarks.design_draws`` (two minutes); ``--rows`` sets the ground set.
Without DPPy (``pip install dppy cloudpickle``) its lines are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

import distcausal as dc

SIZES = (20, 50)
DRAWS = 1000
TURNS = 7
LOOP = 20  # repetitions of the loop, counted for all


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    rows = arguments.parse_args().rows
    print(f"{rows} rows; medians of {TURNS} turns: seconds by the clock, processor's\n")
    for size in SIZES:
        features = np.random.default_rng(0).normal(size=(rows, size))
        compare(features)
        experiment(features)


def compare(features: np.ndarray) -> None:
    """Print set-up, one draw by each program, and many draws."""
    size = features.shape[1]
    space = dc.FiniteSpace(features)
    orthonormal = np.ascontiguousarray(space.rows[: len(features)])
    design = dc.ProjectionDPP(space)
    first = [seconds(design.sample), seconds(lambda: design.sample_many(DRAWS))]
    seeds = iter(range(1, 10_000))
    tasks = {
        "product X' X": lambda: features.T @ features,
        "copy": lambda: features.copy(),
        "set-up": lambda: dc.FiniteSpace(features),
        "one draw": lambda: design.sample(next(seeds)),
        "one draw, NumPy": lambda: chain_rule(orthonormal, next(seeds)),
    }
    if find_spec("dppy"):
        tasks["one draw, DPPy"] = lambda: gram_schmidt(orthonormal, next(seeds))
    many = f"{DRAWS} draws"
    tasks[many] = lambda: design.sample_many(DRAWS, next(seeds))
    spent = medians(tasks)
    print(f"m = {size}; first calls, compilation included: one draw {first[0]:.1f} s,")
    print(f"{DRAWS} draws {first[1]:.1f} s\n")
    print("| task | clock | processor |")
    print("| --- " * 3 + "|")
    for name, (clock, processor) in spent.items():
        print(f"| {name} | {clock:.4f} | {processor:.4f} |")
    clock = {name: each[0] for name, each in spent.items()}
    speed = 2e-9 * features.size * size / clock["product X' X"]
    passes = clock["set-up"] / clock["product X' X"]
    print(f"\nX' X at {speed:.1f} GFlop/s; set-up is {passes:.1f} such products")
    for name in ("one draw, NumPy", "one draw, DPPy"):
        if name in clock:
            once, each = clock[name] / clock["one draw"], clock[name] / clock[many]
            print(f"{name} over ours: {once:.1f}; per draw of many {DRAWS * each:,.0f}")
    print()


def experiment(features: np.ndarray) -> None:
    """Print the time of least-squares repetitions as one batch and as a loop."""
    space = dc.FiniteSpace(features)
    design = dc.VolumeSampling(space, 2 * space.size)
    y = np.sin(features[:, 0]) + features[:, 1] ** 2

    def batch() -> None:
        points = design.sample_many(DRAWS)
        dc.wls(points, y[points.index])

    def loop() -> None:
        for seed in range(LOOP):
            points = design.sample(seed)
            dc.wls(points, y[points.index])

    for run in (batch, loop):
        run()
    spent = medians({"batch": batch, "loop": loop})
    once, each = spent["batch"][0], spent["loop"][0] * DRAWS / LOOP
    print(
        f"{DRAWS} least-squares repetitions, m = {space.size}, n = {design.n_points}:"
    )
    print(f"batch {once:.2f} s, loop {each:.2f} s, ratio {each / once:.0f}\n")


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def medians(tasks: dict[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """Median seconds of each task by the clock and of the processor, taken in turns."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(TURNS):
        for name, task in tasks.items():
            begun = time.process_time()
            clock = seconds(task)
            spent[name].append((clock, time.process_time() - begun))
    return {name: np.median(each, axis=0) for name, each in spent.items()}


def gram_schmidt(rows: np.ndarray, seed: int) -> list[int]:
    """One draw of DPPy, its object made anew because it keeps what it has computed."""
    from dppy.finite_dpps import FiniteDPP

    ones = np.ones(rows.shape[1])
    process = FiniteDPP("correlation", projection=True, K_eig_dec=(ones, rows))
    return process.sample_exact(mode="GS", random_state=seed)


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
