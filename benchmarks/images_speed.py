"""Seconds and memory of a default analysis, from a fresh process.

    python -m benchmarks.images_speed [--units 2000] [--repeat 3]

starts a new Python for each repetition, with nothing compiled before, and prints a
Markdown table: import, simulation, the default fit (two clusters, ten splits into five
folds, one image of 32 by 32 per unit), comparison over one to four clusters, and the
same again for other data of nearly the same size, which reuses what was compiled. On a
machine with other work, believe processor seconds; two cores share some of them.

The last line is what a second fit cannot go below: for each step of each search, one
logarithm and one exponential for every unit and cluster, and the products of features
with weights of memberships and baseline, forwards and back, in double precision in
NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.image_runs import print_table

STEPS = ("import", "simulate", "fit", "compare", "second fit", "second compare")

FEATURES, CLUSTERS = 30, 2
# Eight starts of 500 steps; ten splits into five folds, and what is learnt on earlier
# ones, of 200.
LANE_STEPS = 8 * 500 + 10 * 8 * 200


def analyse(units: int) -> dict[str, Any]:
    """Seconds of each step in this process, and the most memory it held."""
    seconds: dict[str, list[float]] = {}
    last = np.array([time.perf_counter(), time.process_time()])

    def done(step: str) -> None:
        nonlocal last
        now = np.array([time.perf_counter(), time.process_time()])
        seconds[step], last = (now - last).tolist(), now

    import distcausal as dc

    dc.image_effects  # noqa: B018  what a user waits for at the first call
    done("import")
    first = dc.datasets.make_image_effects(units, test=0, seed=1)
    second = dc.datasets.make_image_effects(units - units // 100, test=0, seed=2)
    done("simulate")
    for prefix, sim in (("", first), ("second ", second)):
        fit = dc.image_effects(sim.data, **sim.roles)
        done(f"{prefix}fit")
        fit.compare(range(1, 5))
        done(f"{prefix}compare")
    return {"seconds": seconds, "megabytes": _peak()}


def _peak() -> float:
    """Most memory this process has held, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fresh(units: int) -> dict[str, Any]:
    """The same in a new process without compiled functions kept on disk."""
    clean = {k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k}
    command = [sys.executable, "-m", "benchmarks.images_speed", "--here"]
    command += ["--units", str(units)]
    told = subprocess.run(
        command, env=clean, capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout.splitlines()[-1])


def least(units: int) -> list[float]:
    """Seconds, of the clock and of the processor, of the arithmetic of one fit."""
    rng = np.random.default_rng(0)
    features, weights = (
        rng.normal(size=(units, FEATURES)),
        rng.normal(size=(FEATURES, 2)),
    )
    back, cells = (
        rng.normal(size=(2, units)),
        np.abs(rng.normal(size=(units, CLUSTERS))),
    )
    start = time.perf_counter(), time.process_time()
    for _ in range(LANE_STEPS):
        features @ weights
        back @ features
        np.exp(cells)
        np.log(cells)
    return [time.perf_counter() - start[0], time.process_time() - start[1]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--units", type=int, default=2000)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.here:
        print(json.dumps(analyse(chosen.units)))
        return
    runs = [fresh(chosen.units) for _ in range(chosen.repeat)]
    print(f"{chosen.units} units, {os.cpu_count()} processors, median and range\n")
    whole = "from a fresh process to the end of compare"
    for run in runs:
        parts = [run["seconds"][step] for step in STEPS[:4]]
        run["seconds"][whole] = np.sum(parts, axis=0).tolist()
    rows = []
    for step in (*STEPS, whole):
        clock, processor = zip(*(run["seconds"][step] for run in runs), strict=True)
        rows.append([step, _range(clock), _range(processor)])
    clock, processor = least(chosen.units)
    rows.append(["arithmetic of a fit, least", f"{clock:.1f}", f"{processor:.1f}"])
    print_table(["step", "seconds", "processor seconds"], rows)
    print(f"\nPeak memory, MB: {_range([run['megabytes'] for run in runs])}")


def _range(values: Sequence[float]) -> str:
    return f"{np.median(values):.1f} ({min(values):.1f} - {max(values):.1f})"


if __name__ == "__main__":
    main()
