"""What is left of an effect estimate when one of its models is wrong.

Adjustment: two numeric covariates, a treatment model and an outcome model, each right
or without the covariates; the effect is 1. District: a front door with a numeric
covariate, the laws of the treatment's district and the mediator's law, each the logit
that it is or one without the covariate. The bias should be gone wherever one side is
right, and intervals should then cover.

    python -m benchmarks.diagram_robustness [--replications 300] [--rows 1000]

prints Markdown tables, in which "its error" is the Monte Carlo error of the bias. Seeds
are fixed.
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
INSIDE: dict[str, Any] = {"X": FLAT, "Y": ["X", "M"]}
BETWEEN: dict[str, Any] = {"M": ["X"]}
DISTRICT: list[tuple[str, str, dict[str, Any]]] = [
    ("primal-ipw", "right", {}),
    ("primal-ipw", "district wrong", INSIDE),
    ("dual-ipw", "right", {}),
    ("dual-ipw", "mediator wrong", BETWEEN),
    ("apipw", "both right", {}),
    ("apipw", "mediator wrong", BETWEEN),
    ("apipw", "district wrong", INSIDE),
    ("apipw", "both wrong", BETWEEN | INSIDE),
]


def adjusted(n: int, seed: int) -> pd.DataFrame:
    """Draw two covariates of treatment and outcome, effect 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.7, 1.7, size=(2, n))
    x = (rng.uniform(size=n) < 1 / (1 + np.exp(-0.5 * a + 0.4 * b))).astype(int)
    return pd.DataFrame(
        {"A": a, "B": b, "X": x, "Y": x + a - 0.7 * b + rng.normal(size=n)}
    )


def odds(linear: Any) -> Any:
    return 1 / (1 + np.exp(-linear))


def chance_x(c: Any) -> Any:
    return odds(0.9 * c)


def chance_m(x: Any, c: Any) -> Any:
    return odds(-0.4 + 1.3 * x - 1.2 * c)


def chance_y(x: Any, m: Any, c: Any) -> Any:
    """Treatment here stands for its unobserved reason, which the outcome shares."""
    return odds(-0.6 + 1.0 * m + 0.8 * x + 1.2 * c)


def confounded(n: int, seed: int) -> pd.DataFrame:
    """Draw a front door with a numeric covariate, all laws logits in main effects."""
    rng = np.random.default_rng(seed)
    c = rng.uniform(-1.7, 1.7, size=n)
    x = (rng.uniform(size=n) < chance_x(c)).astype(int)
    m = (rng.uniform(size=n) < chance_m(x, c)).astype(int)
    y = (rng.uniform(size=n) < chance_y(x, m, c)).astype(int)
    return pd.DataFrame({"C": c, "X": x, "M": m, "Y": y})


def by_integral() -> float:
    """Effect on P(Y=1) of these laws, by Gauss-Legendre quadrature in the covariate."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    c = 1.7 * nodes
    later = [
        (1 - chance_x(c)) * chance_y(0, m, c) + chance_x(c) * chance_y(1, m, c)
        for m in (0, 1)
    ]
    more = chance_m(1, c) - chance_m(0, c)
    return float(weights / 2 @ (more * (later[1] - later[0])))


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
        print(
            f"| {method} | {models} | {values.mean() - truth:+.4f} "
            f"| {spread / np.sqrt(len(values)):.4f} | {spread:.4f} "
            f"| {errors.mean() / spread:.3f} | {100 * inside.mean():.1f} % |"
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
    table("District", DISTRICT, found, confounded, by_integral(), asked, "law")


if __name__ == "__main__":
    main()
