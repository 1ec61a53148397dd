"""What is left of an effect estimate when one of its models is wrong.

Adjustment: two numeric covariates, a treatment model and an outcome model, each right
or without the covariates; the effect is 1. District: a front door with a covariate, the
laws of the treatment's district and the mediator's law, each right or without what they
depend on. The bias should be gone wherever one side is right, and intervals should then
cover.

    python -m benchmarks.diagram_robustness [--replications 300] [--rows 1000]

prints Markdown tables. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd

import distcausal as dc

NORMAL = 1.959963984540054
FLAT: list[str] = []  # a model without regressors
ADJUSTMENT: list[tuple[str, str, dict[str, Any]]] = [
    ("gformula", "right", {}),
    ("gformula", "outcome wrong", {"Y": ["X"]}),
    ("ipw", "right", {}),
    ("ipw", "treatment wrong", {"X": FLAT}),
    ("aipw", "both right", {}),
    ("aipw", "outcome wrong", {"Y": ["X"]}),
    ("aipw", "treatment wrong", {"X": FLAT}),
    ("aipw", "both wrong", {"Y": ["X"], "X": FLAT}),
]
RIGHT = dict.fromkeys("XMY", "saturated")
INSIDE: dict[str, Any] = {"X": FLAT, "Y": FLAT}
DISTRICT: list[tuple[str, str, dict[str, Any]]] = [
    ("primal-ipw", "right", {"X": "saturated", "Y": "saturated"}),
    ("primal-ipw", "district wrong", INSIDE),
    ("dual-ipw", "right", {"M": "saturated"}),
    ("dual-ipw", "mediator wrong", {"M": FLAT}),
    ("apipw", "both right", RIGHT),
    ("apipw", "mediator wrong", RIGHT | {"M": FLAT}),
    ("apipw", "district wrong", RIGHT | INSIDE),
    ("apipw", "both wrong", {"M": FLAT} | INSIDE),
]


def adjusted(n: int, seed: int) -> pd.DataFrame:
    """Draw two covariates of treatment and outcome, effect 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.7, 1.7, size=(2, n))
    x = (rng.uniform(size=n) < 1 / (1 + np.exp(-0.5 * a + 0.4 * b))).astype(int)
    return pd.DataFrame(
        {"A": a, "B": b, "X": x, "Y": x + a - 0.7 * b + rng.normal(size=n)}
    )


def confounded(n: int, seed: int) -> pd.DataFrame:
    """Draw a front door with a covariate; the effect on P(Y=1) is 0.2."""
    rng = np.random.default_rng(seed)
    u, c = rng.integers(0, 2, (2, n))

    def flip(chance: np.ndarray) -> np.ndarray:
        return (rng.uniform(size=n) < chance).astype(int)

    x = flip(0.25 + 0.4 * u + 0.15 * c)
    m = flip(0.2 + 0.5 * x + 0.1 * c)
    return pd.DataFrame(
        {"C": c, "X": x, "M": m, "Y": flip(0.1 + 0.3 * m + 0.3 * u + 0.2 * c * m)}
    )


def table(
    title: str,
    ways: list[tuple[str, str, dict[str, Any]]],
    found: dc.Identification,
    draw: Any,
    truth: float,
    asked: argparse.Namespace,
    of: str,
) -> None:
    effects = np.zeros((len(ways), asked.replications, 2))
    for seed in range(asked.replications):
        rows = draw(asked.rows, seed)
        for place, (method, _, how) in enumerate(ways):
            fit = dc.estimate_effect(rows, found, method, nuisances=how, of=of)
            effect = fit.contrast()
            effects[place, seed] = effect.estimate[0], effect.std_error[0]
    print(
        f"\n{title}, {asked.rows:,} rows, {asked.replications} samples\n\n"
        "| method | models | bias | its error | spread | error / spread | coverage |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    for (method, models, _), (values, errors) in zip(
        ways, np.moveaxis(effects, 2, 1), strict=True
    ):
        spread = values.std()
        inside = np.abs(values - truth) <= NORMAL * errors
        # without any model of the way to the outcome the effect is 0 in every sample
        ratio = f"{errors.mean() / spread:.3f}" if spread > 1e-9 else "-"
        print(
            f"| {method} | {models} | {values.mean() - truth:+.4f} "
            f"| {spread / np.sqrt(len(values)):.4f} | {spread:.4f} "
            f"| {ratio} | {100 * inside.mean():.1f} % |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=300)
    parser.add_argument("--rows", type=int, default=1000)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", dc.InferenceWarning)
    graph = dc.CausalGraph.from_edges("A->X->Y; B->X; A->Y; B->Y")
    found = dc.identify(graph, "Y", do="X")
    table("Adjustment", ADJUSTMENT, found, adjusted, 1.0, asked, "mean")
    graph = dc.CausalGraph.from_edges("C->X->M->Y; X<->Y; C->M; C->Y")
    found = dc.identify(graph, "Y", do="X")
    table("District", DISTRICT, found, confounded, 0.2, asked, "law")


if __name__ == "__main__":
    main()
