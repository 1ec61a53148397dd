"""Time and memory of R3D, beside a plain NumPy peer in the same run.

Run ``python -m benchmarks.r3d_speed`` for all tables, or name some of ``calls``,
``fresh`` and ``scale``. Times are medians (in ``scale`` the least of four later calls);
ratios are taken within the run. Each size of ``scale`` and each ``fresh`` start is a
process of its own, so that its peak memory and its imports are its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

LEVELS = np.arange(1, 100) / 100
WITHIN = 50
DRAWS = 1000
SIZES = (10_000, 100_000, 1_000_000)
FRESH = """
import numpy as np
import distcausal as dc
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, 500)
draws = rng.normal(x[:, None] + 0.5 * (x[:, None] >= 0), 1, (500, 50))
data = dc.RandomDistributions.from_samples(draws, columns={"x": x})
fit = dc.r3d(data, running="x", inference=dc.MultiplierBootstrap(draws=1000))
print(fit.summary())
"""


def sample(units: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Running variable and draws (unit, draw)."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, units)
    centre = x + 0.5 * (x >= 0) + rng.normal(0, 1, units)
    return x, centre[:, None] + rng.standard_normal((units, WITHIN))


def ours(x: np.ndarray, draws: np.ndarray) -> object:
    """Quantiles, bandwidth, fit, bootstrap with HC3 and both tests, from raw draws."""
    import distcausal as dc

    data = dc.RandomDistributions.from_samples(draws, columns={"x": x})
    fit = dc.r3d(
        data,
        running="x",
        levels=LEVELS,
        inference=dc.MultiplierBootstrap(draws=DRAWS, leverage="hc3"),
    )
    return dc.nullity_test(fit), dc.homogeneity_test(fit)


def peer(x: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Plain NumPy: quantiles, one fit at a given bandwidth, and the draws."""
    h, rng = 0.5, np.random.default_rng(0)
    curves = np.quantile(draws, LEVELS, axis=1).T
    rows = []
    for side in (x < 0, x >= 0):
        at = side & (np.abs(x) < h)
        u, k = x[at] / h, 1 - np.abs(x[at]) / h
        basis = np.power.outer(u, np.arange(3))
        gram = np.linalg.inv(basis.T @ (k[:, None] * basis))
        weight = k * (basis @ gram[0])
        fitted = basis @ (gram @ (basis.T @ (k[:, None] * curves[at])))
        rows.append(weight[:, None] * (curves[at] - fitted))
    rows = np.vstack(rows)
    return rows.T @ rng.standard_normal((len(rows), DRAWS))


def median_time(run: Callable[[], object], repeats: int) -> float:
    """Median seconds over repeats after one call that compiles."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def calls() -> None:
    """Second and later calls, against the peer."""
    print("| units | distcausal, whole analysis | NumPy, one fit and draws | ratio |")
    print("| --- | --- | --- | --- |")
    for units, repeats in ((500, 15), (10_000, 5)):
        x, draws = sample(units)
        mine = median_time(lambda x=x, d=draws: ours(x, d), repeats)
        theirs = median_time(lambda x=x, d=draws: peer(x, d), repeats)
        print(f"| {units:,} | {mine:.3f} s | {theirs:.3f} s | {mine / theirs:.2f} |")
    print()


def fresh() -> None:
    """A new process from its start to the printed summary, at 500 units."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FRESH],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times.append(time.perf_counter() - start)
    print("| fresh process, 500 units | median | least | most |")
    print("| --- | --- | --- | --- |")
    median = statistics.median(times)
    print(f"| start to printed table | {median:.2f} s | {min(times):.2f} s", end=" | ")
    print(f"{max(times):.2f} s |\n")


def large(units: int) -> dict[str, float]:
    """Time of one call and peak memory at one size; curves are given, not draws."""
    import distcausal as dc

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, units)
    curves = np.empty((units, LEVELS.size))
    base = np.log(LEVELS / (1 - LEVELS))
    for start in range(0, units, 10_000):
        at = slice(start, start + 10_000)
        scale = rng.uniform(0.5, 1.5, x[at].size)
        noise = rng.standard_normal(x[at].size)
        np.multiply(scale[:, None], base, out=curves[at])
        curves[at] += (x[at] + noise)[:, None]
    data = dc.RandomDistributions.from_quantiles(curves, LEVELS, columns={"x": x})
    size = curves.nbytes
    del curves
    times = []
    for _ in range(5):
        start = time.perf_counter()
        dc.r3d(
            data,
            running="x",
            levels=LEVELS,
            inference=dc.MultiplierBootstrap(draws=DRAWS),
        )
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # The least of the later calls: whatever else the machine does only adds.
    return {"first": times[0], "later": min(times[1:]), "peak": peak, "matrix": size}


def scale() -> None:
    """Linear in the number of units, in bounded memory."""
    print("| units | first call | later call | per million | peak memory | matrices |")
    print("| --- | --- | --- | --- | --- | --- |")
    for units in SIZES:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.r3d_speed", "--one", str(units)],
            check=True,
            capture_output=True,
            text=True,
        )
        got = json.loads(done.stdout)
        per_million = got["later"] * 1e6 / units
        print(
            f"| {units:,} | {got['first']:.2f} s | {got['later']:.2f} s "
            f"| {per_million:.2f} s | {got['peak'] / 2**20:.0f} MB "
            f"| {got['peak'] / got['matrix']:.2f} |",
            flush=True,
        )
    print()


def main() -> None:
    tables = {"calls": calls, "fresh": fresh, "scale": scale}
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tables", nargs="*", choices=[*tables, []], default=[])
    arguments.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    if chosen.one:
        print(json.dumps(large(chosen.one)))
        return
    for name in chosen.tables or tables:
        tables[name]()


if __name__ == "__main__":
    main()
