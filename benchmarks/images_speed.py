"""Seconds and memory of a default analysis, from a fresh process.

    python -m benchmarks.images_speed [--units 2000] [--repeat 3]

starts a new Python for each repetition, with nothing compiled before, and prints a
Markdown table: import, simulation, the default fit (two clusters, ten splits into five
folds, one image of 32 by 32 per unit), comparison over one to four clusters, and the
same again for other data of nearly the same size, which reuses what was compiled. On a
machine with other work, believe processor seconds; two cores share some of them.
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
    print_table(["step", "seconds", "processor seconds"], rows)
    print(f"\nPeak memory, MB: {_range([run['megabytes'] for run in runs])}")


def _range(values: Sequence[float]) -> str:
    return f"{np.median(values):.1f} ({min(values):.1f} - {max(values):.1f})"


if __name__ == "__main__":
    main()
