"""How often 95 % intervals of the plug-in estimate cover the truth.

A model is drawn for each question, its joint distribution is exact, and so is the
effect. Samples are multinomial counts of the joint; all replications are estimated in
one batch, each with its own delta-method errors.

    python -m benchmarks.diagram_coverage [--replications 1000] [--sizes 500 2000 10000]

prints a Markdown table. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from scipy.sparse import eye_array

import distcausal as dc
from distcausal.diagrams.intervals import probability_ends, quantile
from distcausal.diagrams.observations import Sample
from distcausal.diagrams.plugin import PlugIn

QUESTIONS = {
    "back-door": ("Z->X->Y; Z->Y", None),
    "front-door": ("X->M->Y; X<->Y", None),
    "napkin": ("W1->W2->X->Y; W1<->X; W1<->Y", None),
    "conditional": ("X->M->Y; X<->Y; M->S", "S"),
}
LEAST = 0.03  # least joint probability of two variables, so that positivity is no issue


class Replications(NamedTuple):
    """Estimates of every sample.

    Attributes
    ----------
    estimates, variances
        Shape ``(replication, answer)``.
    truth
        Shape ``(answer,)``.
    """

    estimates: np.ndarray
    variances: np.ndarray
    truth: np.ndarray


def replicate(name: str, *, n: int, replications: int, seed: int) -> Replications:
    """Draw samples from a model of a question and estimate the effect in each."""
    edges, given = QUESTIONS[name]
    graph = dc.CausalGraph.from_edges(edges)
    model = well_inside(graph)
    found = dc.identify(graph, "Y", do="X", given=given)
    joint = model.joint()
    states = dict(joint.axes)
    cells = joint.values.size
    codes = np.indices(joint.shape).reshape(len(states), cells).T
    zeros = np.zeros(cells)
    sample = Sample(
        names=joint.names,
        codes=codes,
        count=zeros,
        mass=zeros,
        units=eye_array(cells, format="csr"),
        times=zeros,
        clusters=None,
        dropped=0,
    )
    plugin = PlugIn(found.estimand, {(): sample}, states)
    rng = np.random.default_rng([seed, n])
    counts = rng.multinomial(n, joint.values.ravel(), size=replications)
    estimates, variances = plugin.many({(): counts.astype(float)})
    return Replications(estimates, variances, found.evaluate(model).values.ravel())


def well_inside(graph: dc.CausalGraph) -> dc.CausalModel:
    """Return the first model in a row of seeds whose pairs of states are all common."""
    for seed in range(100):
        sim = dc.datasets.make_causal_model(
            graph, n=1, outcome="Y", do="X", concentration=4.0, seed=seed
        )
        joint, names = sim.joint, sim.joint.names
        pairs = [
            joint.sum([n for n in names if n not in (a, b)]).values.min()
            for a in names
            for b in names
            if a < b
        ]
        if min(pairs) >= LEAST:
            return sim.model
    raise RuntimeError("no model is well inside")


def covered(name: str, *, n: int, replications: int, seed: int) -> np.ndarray:
    """Share of intervals that contain the truth, for each answer."""
    found = replicate(name, n=n, replications=replications, seed=seed)
    errors = np.sqrt(found.variances)
    low, high = probability_ends(found.estimates, errors, quantile(0.95, None))
    return ((low <= found.truth) & (found.truth <= high)).mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 10_000])
    chosen = parser.parse_args()
    error = 100 * np.sqrt(0.95 * 0.05 / chosen.replications)
    print("| question | n | lowest coverage | highest | error / spread | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in QUESTIONS:
        for n in chosen.sizes:
            start = time.perf_counter()
            call = {"n": n, "replications": chosen.replications, "seed": 2}
            share = 100 * covered(name, **call)
            took = time.perf_counter() - start
            found = replicate(name, **call)
            ratio = np.sqrt(found.variances.mean(0)) / found.estimates.std(0)
            print(
                f"| {name} | {n:,} | {share.min():.1f} % | {share.max():.1f} % "
                f"| {ratio.mean():.3f} | {took:.2f} |"
            )
    print(f"\nA coverage of 95 % has a Monte Carlo error of {error:.1f} points.")


if __name__ == "__main__":
    main()
