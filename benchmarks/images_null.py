"""How often tests on held-out scores reject, where effects vary and where they do not.

The design layer alone: features are normal, and the rule of a fold is the direction of
a ridge regression of transformed outcomes, its sign the cluster, so that thousands of
trials cost minutes. Regressions of outcomes are those of the package, the propensity is
known. Rows are sizes of trials, numbers of features and gaps between the two halves of
the units; columns the share of trials in which each test rejects at 5 %, with its Monte
Carlo error. "pooled Wald" is the test that is not valid.

Run ``python -m benchmarks.images_null [--times 1000]`` (about ten minutes).
"""

from __future__ import annotations

import argparse

import numpy as np

from distcausal.images.aipw import aipw_scores
from distcausal.images.calibration import calibration
from distcausal.images.folds import make_folds
from distcausal.images.homogeneity import effect_homogeneity
from distcausal.images.nuisance import outcome_regressions
from distcausal.images.rate import rate
from distcausal.images.scores import Scores

FOLDS, SPLITS = 5, 10
PULL = 30.0  # of the rule's ridge, in units of the features' variance
CELLS = (
    (500, 2, 0.0),
    (500, 10, 0.0),
    (1000, 50, 0.0),
    (500, 2, 0.6),
    (500, 10, 0.6),
    (1000, 10, 0.75),
    (1000, 50, 0.75),
)
TESTS = (
    "pooled Wald",
    "ordered, one split",
    "ordered, mean",
    "ordered, median",
    "any, mean",
    "slope 0",
    "QINI",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    times = parser.parse_args().times
    print(f"| units | features | gap | {' | '.join(TESTS)} |")
    print("|---" * (3 + len(TESTS)) + "|")
    for units, size, gap in CELLS:
        found = np.array(
            [p_values(scores(units, size, gap, seed)) for seed in range(times)]
        )
        share = np.mean(found <= 0.05, axis=0)
        error = np.sqrt(share * (1 - share) / times)
        cells = [
            f"{100 * s:.1f} ({100 * e:.1f})" for s, e in zip(share, error, strict=True)
        ]
        print(f"| {units} | {size} | {gap:g} | {' | '.join(cells)} |", flush=True)


def p_values(held: Scores) -> list[float]:
    """P-values of the tests named above."""
    mean = effect_homogeneity(held)
    median = effect_homogeneity(held, combine="median")
    assert mean.p_pooled is not None
    return [
        mean.p_pooled,
        float(mean.split_p_values[0]),
        mean.p_value,
        median.p_value,
        mean.p_any,
        calibration(held).p_zero,
        rate(held, target="qini", draws=2).p_value,
    ]


def scores(units: int, size: int, gap: float, seed: int) -> Scores:
    """Held-out arrays of one trial."""
    rng = np.random.default_rng([units, size, seed])
    x = rng.normal(size=(units, size))
    arm = rng.integers(0, 2, units)
    base = 0.7 * x.sum(axis=1) / np.sqrt(size)
    outcome = base + arm * gap * (x[:, 0] > 0) + rng.normal(size=units)
    used = {"weights": np.ones(units), "group": np.arange(units)}
    fold = make_folds(used["group"], arm, FOLDS, SPLITS, seed)
    expected = outcome_regressions(outcome[:, None], arm, x, fold, **used)
    half = np.full(fold.shape, 0.5)
    score, score_before = (
        aipw_scores(outcome[:, None], arm, part, half) for part in expected
    )
    probs, effect = rules(x, outcome, arm, fold, earlier=False)
    probs_before, effect_before = rules(x, outcome, arm, fold, earlier=True)
    return Scores(
        fold,
        probs,
        effect,
        score,
        probs_before,
        effect_before,
        score_before,
        used["weights"],
        used["group"],
    )


def rules(
    x: np.ndarray, outcome: np.ndarray, arm: np.ndarray, fold: np.ndarray, earlier: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Membership and predicted effect of every unit by the rule of its fold."""
    effect = np.full(fold.shape, np.nan)
    side = np.full(fold.shape, np.nan)
    for split, label in enumerate(fold):
        for number in range(int(earlier), FOLDS):
            train = label < number if earlier else label != number
            middle = x[train].mean(axis=0)
            centred = x[train] - middle
            told = 4 * (arm[train] - 0.5) * (outcome[train] - outcome[train].mean())
            gram = centred.T @ centred + PULL * np.eye(x.shape[1])
            way = np.linalg.solve(gram, centred.T @ (told - told.mean()))
            inside = label == number
            tilt = (x[inside] - middle) @ way
            effect[split, inside] = told.mean() + tilt
            side[split, inside] = tilt > 0
    return np.stack([1 - side, side], axis=2), effect


if __name__ == "__main__":
    main()
