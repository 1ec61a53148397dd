"""What a bootstrap of an identified effect costs: one batch, a loop, compiled code.

Rows become counts of distinct cells once; a resample is a multinomial draw of those
counts, and the formula is evaluated on all resamples at once. The loop draws rows with
replacement and estimates again, as one would by hand. The compiled column is the same
batch through JAX: first call, compilation included, and second.

    python -m benchmarks.diagram_bootstrap [--rows 100000] [--draws 1000]

prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import distcausal as dc

QUESTIONS = ("back-door", "front-door", "napkin")
LOOP = 20  # draws of the loop that are timed


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def loop(frame: Any, found: dc.Identification) -> None:
    rng = np.random.default_rng(0)
    for _ in range(LOOP):
        again = frame.iloc[rng.integers(0, len(frame), len(frame))]
        dc.estimate_effect(again, found)


def compiled(found: dc.Identification, draws: int) -> tuple[float, float]:
    """Seconds of the first and second evaluation of as many resamples by JAX."""
    import jax

    from distcausal.diagrams.estimand import leaves
    from distcausal.diagrams.evaluate import Tables, evaluate

    formula = found.estimand.expression
    states = {name: (0, 1) for name in found.graph.nodes}
    rng = np.random.default_rng(0)
    arrays = {
        leaf.table: rng.dirichlet(np.ones(2 ** len(leaf.table[1])), draws).reshape(
            draws, *(2,) * len(leaf.table[1])
        )
        for leaf in leaves(formula)
    }
    keys = list(arrays)

    @jax.jit
    @jax.vmap
    def answers(*tables: Any) -> Any:
        held = dict(zip(keys, tables, strict=True))
        return evaluate(formula, Tables(held, states, jax.numpy)).values

    with jax.enable_x64(True):
        tables = [jax.numpy.asarray(arrays[key]) for key in keys]

        def run() -> Any:
            return answers(*tables).block_until_ready()

        return seconds(run), seconds(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=1000)
    chosen = parser.parse_args()
    print(
        f"{chosen.rows:,} rows, {chosen.draws:,} draws; seconds\n\n"
        "| question | delta method | bootstrap | loop | JAX, first | JAX, second |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for name in QUESTIONS:
        sim = dc.datasets.make_causal_model(name, n=chosen.rows, seed=3)
        frame = sim.frame
        found = dc.identify(sim.graph, sim.outcome, do=sim.do)
        how = dc.Bootstrap(draws=chosen.draws)
        delta = seconds(lambda f=frame, r=found: dc.estimate_effect(f, r))
        batch = seconds(
            lambda f=frame, r=found, h=how: dc.estimate_effect(f, r, inference=h)
        )
        once = seconds(lambda f=frame, r=found: loop(f, r)) * chosen.draws / LOOP
        first, second = compiled(found, chosen.draws)
        print(
            f"| {name} | {delta:.3f} | {batch:.3f} | {once:.1f} "
            f"| {first:.2f} | {second:.4f} |"
        )


if __name__ == "__main__":
    main()
