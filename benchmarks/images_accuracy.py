"""How well effect clusters of pictures are found: our engines and what others would do.

    python -m benchmarks.images_accuracy [--designs S1 S1h S1s S0] [--n 1000 4000]
        [--methods svi em ...] [--reps 20] [--store accuracy.jsonl]

prints a Markdown table. Each cell is the median over replications, then the mean with
its Monte Carlo error: the adjusted Rand index of the clusters of 1,000 fresh pictures,
the area under the curve of their estimated effects for the cluster with the larger
effect, and the root mean square error of those effects. All methods see the same
trials: replication r has seed r. Predicting the average effect everywhere has error
0.75, 0.375, 0.75 and 0 in the four designs.

Needs the packages of the ``benchmark`` extra.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

import distcausal as dc
from benchmarks import image_peers
from benchmarks.image_peers import Scores, Trial
from benchmarks.image_runs import Store, mean_and_error, print_table
from distcausal.images.features import features
from distcausal.numerics.agreement import adjusted_rand_index, area_under_curve, pehe

DESIGNS: dict[str, dict[str, Any]] = {
    "S1": {},
    "S1h": {"gap": 0.75},
    "S1s": {"noise": "exponential"},
    "S0": {"gap": 0.0},
}
FRESH = 1000
MEASURES = ("ARI", "AUC", "PEHE")
Found = dict[str, Scores]

# The design-based layer takes no part in what is measured here; one split is least.
ENGINES: dict[str, dict[str, Any]] = {
    "svi": {"engine": "svi"},
    "svi, arm by cluster": {"engine": "svi", "variance": "arm_cluster"},
    "em": {"engine": "em"},
    "nuts": {"engine": "nuts"},
    "relaxed": {"engine": "relaxed"},
    "cnn": {"engine": "sgd"},
}
PEERS = {
    "r-learner": image_peers.r_learner,
    "forest": image_peers.forest,
    "forest kernel": image_peers.forest_kernel,
    "k-means": image_peers.unsupervised,
    "pixels, r-learner": image_peers.r_learner,
    "pixels, forest": image_peers.forest,
}
METHODS = (*ENGINES, *PEERS)


@lru_cache(maxsize=1)
def simulate(design: str, units: int, seed: int) -> dc.datasets.ImageSimulation:
    """One trial, kept for the methods that follow."""
    return dc.datasets.make_image_effects(
        units, test=FRESH, seed=seed, **DESIGNS[design]
    )


def engine(sim: dc.datasets.ImageSimulation, seed: int, options: dict) -> Found:
    """Fit of ours, judged on the fresh pictures."""
    fit = dc.image_effects(
        sim.data, **sim.roles, clusters=2, folds=2, splits=1, seed=seed, **options
    )
    effect = fit.cate(sim.test.images)
    label = np.argmax(effect.probabilities, axis=1)
    found = {
        "ARI": adjusted_rand_index(label, sim.test.cluster),
        "AUC": area_under_curve(sim.test.cluster == 1, effect.mean),
        "PEHE": pehe(effect.mean, sim.test.effect),
    }
    return {"": found}


def peer(sim: dc.datasets.ImageSimulation, seed: int, name: str) -> Found:
    """What others would do, judged on the same pictures."""
    seen, fresh = (dc.ArraySource(part.images) for part in (sim.pictures, sim.test))
    encoder = dc.RandomConvFeatures().fit(seen, seed=seed)
    columns = sim.data.columns
    trial = Trial(
        features=features(encoder, seen),
        outcome=columns["outcome"],
        treatment=columns["treatment"],
        fresh=features(encoder, fresh),
        cluster=sim.test.cluster,
        effect=sim.test.effect,
    )
    if name.startswith("pixels"):
        trial = image_peers.on_pixels(trial, sim.pictures.images, sim.test.images)
    return dict(PEERS[name](trial, seed))


def work(design: str, units: int, method: str, seed: int) -> Callable[[], Found]:
    """What one replication of one method does."""
    if method in PEERS:
        return lambda: peer(simulate(design, units, seed), seed, method)
    return lambda: engine(simulate(design, units, seed), seed, ENGINES[method])


def rows(
    store: Store, design: str, units: int, methods: list[str], replications: int
) -> Iterator[list[str]]:
    """Rows of the table for one design and size; replications first, methods inside."""
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for seed in range(replications):
        for method in methods:
            job = {"design": design, "n": units, "method": method, "seed": seed}
            found[method].append(store.get(job, work(design, units, method, seed)))
    for method, records in found.items():
        seconds = np.median([record["seconds"] for record in records])
        for part in (name for name in records[0] if name != "seconds"):
            cells = [
                mean_and_error(record[part][measure] for record in records)
                if measure in records[0][part]
                else "-"
                for measure in MEASURES
            ]
            name = f"{method}, {part}" if part else method
            yield [
                design,
                str(units),
                name,
                *cells,
                str(len(records)),
                f"{seconds:.1f}",
            ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--designs", nargs="+", default=["S1"], choices=DESIGNS)
    arguments.add_argument("--n", nargs="+", type=int, default=[1000])
    arguments.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    arguments.add_argument("--reps", type=int, default=20)
    arguments.add_argument("--store", help="file that keeps finished replications")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", dc.DistCausalWarning)
    store = Store(chosen.store)
    header = ["design", "n", "method", *MEASURES, "replications", "processor s"]
    pairs = ((design, units) for design in chosen.designs for units in chosen.n)
    print_table(
        header,
        chain.from_iterable(
            rows(store, design, units, chosen.methods, chosen.reps)
            for design, units in pairs
        ),
    )


if __name__ == "__main__":
    main()
