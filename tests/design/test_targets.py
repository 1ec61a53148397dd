"""Errors and stability of the designs against stored experiments.

The targets are Monte Carlo medians of 1000 repetitions: 4 % is asked of them except
where their own error, read off the spread of our draws, is larger.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.design_targets import SHARES, compared, median_error, targets

# Independent points, as many as functions, hardly determine them: part of the result.
pytestmark = pytest.mark.filterwarnings("ignore::distcausal.InferenceWarning")
ROWS = targets()
CASES = sorted({(row["function"], row["space"]) for row in ROWS})


def check(rows: list[dict[str, str]], draws: int) -> None:
    found = compared(rows, draws)
    best = [float(row["best_L2_error"]) for row in rows]
    assert np.allclose(best, found.best_error, rtol=1e-5)
    for place, row in enumerate(rows):
        ratio = found.ratio[place]
        error = np.hypot(median_error(ratio, draws), median_error(ratio, 1000))
        away = np.log(np.median(ratio) / float(row["median_ratio"]))
        assert abs(away) < max(0.04, 3 * error), row
        for name, (delta, event) in SHARES.items():
            share = found.stable(delta, event)[place]
            assert abs(share - float(row[name])) < 0.05, (name, row)
        if row["n"] != row["m"]:
            given = float(row["mean_residual_times_n_over_n_minus_m"])
            values = found.residual_ratio[place]
            # Both are means: four errors of their difference.
            spread = values.std() * np.sqrt(1 / draws + 1 / 1000)
            assert abs(values.mean() - given) < 4 * spread, row


def test_small_designs_have_the_errors_and_stability_of_the_experiments():
    few = [r for r in ROWS if r["space"] == "legendre deg<=10" and int(r["n"]) <= 33]
    check(few, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[" on ".join(case) for case in CASES])
def test_every_stored_experiment_is_reproduced(case):
    check([row for row in ROWS if (row["function"], row["space"]) == case], 4000)
