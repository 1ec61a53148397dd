"""Which units to survey around a cutoff: designs against uniform samples of equal cost.

Every unit is a distribution and costs one survey; its running variable is known before.
The target is the jump of the local linear fit to the quantile curves of all units in
the window, which is what `r3d` computes when everybody is surveyed. Each design chooses
so many units many times over; the jump is estimated from them alone.

    python -m benchmarks.design_survey [--repetitions 4000] [--sizes 8 12 20 40]

prints Markdown tables. Seeds are fixed; the same command gives the same tables on the
same versions.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np

import distcausal as dc

DECILES = np.arange(1, 10) / 10
BANDWIDTH = 0.5
UNITS = 1000
POPULATIONS = ("curved", "exponential")


class Survey(NamedTuple):
    """Jumps found by every repetition, and how many units it took.

    Attributes
    ----------
    jumps
        Shape ``(repetition, level)``.
    distinct
        Average number of different units surveyed.
    """

    jumps: np.ndarray
    distinct: float


class Population(NamedTuple):
    """Units before and after they are surveyed.

    Attributes
    ----------
    space
        Local linear functions on either side, under the mass of the kernel.
    curves
        Deciles of every unit, shape ``(unit, level)``.
    target
        Jump of the fit to all units, shape ``(level,)``.
    everybody
        The same, and its standard errors, from `r3d`.
    truth
        Jump that the simulation put in.
    """

    space: dc.CutoffSpace
    curves: np.ndarray
    target: np.ndarray
    everybody: dc.R3DResult
    truth: np.ndarray


def population(kind: str) -> Population:
    simulated = dc.datasets.make_r3d(kind, n=UNITS, draws=50, seed=1)
    space = dc.CutoffSpace(simulated.columns["x"], bandwidth=BANDWIDTH)
    curves = simulated.data.quantiles(DECILES)
    values = space.values(np.flatnonzero(space.mass))
    inside = space.mass > 0
    coef = values.T @ (space.mass[inside, None] * curves[inside])
    everybody = dc.r3d(
        simulated.data,
        **simulated.roles,
        levels=DECILES,
        bandwidth=BANDWIDTH,
        order=1,
        pilot_order=0,
    )
    truth = simulated.truth(DECILES)
    return Population(space, curves, space.jump @ coef, everybody, truth)


def designed(
    near: Population,
    design: dc.IID | dc.VolumeSampling | dc.RepeatedDPP,
    repetitions: int,
) -> Survey:
    points = design.sample_many(repetitions, seed=1)
    return summarised(near, points, dc.wls(points, near.curves[points.index]))


def cross_fitted(near: Population, blocks: int, repetitions: int) -> Survey:
    points = dc.RepeatedDPP(near.space, blocks).sample_many(repetitions, seed=1)
    fits = dc.cross_fitted_wls(points, near.curves[points.index])
    return summarised(near, points, fits)


def summarised(near: Population, points: dc.DesignPoints, fits: dc.WLSResult) -> Survey:
    jumps = np.asarray(fits.functional(near.space.jump).estimate)
    ordered = np.sort(points.index, axis=1)
    distinct = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    return Survey(jumps, float(distinct.mean()))


def window_sample(near: Population, size: int, repetitions: int) -> Survey:
    """Equal chances for all units of the window, none twice; kernel-weighted fit."""
    rng = np.random.default_rng(1)
    inside = np.flatnonzero(near.space.mass)
    order = rng.random((repetitions, len(inside))).argpartition(size, axis=1)
    index = inside[order[:, :size]]
    root = np.sqrt(near.space.mass[index])[..., None]
    rows = near.space.values(index) * root
    coef = np.linalg.pinv(rows) @ (near.curves[index] * root)
    return Survey(near.space.jump @ coef, size)


def surveys(near: Population, size: int, repetitions: int) -> dict[str, Survey]:
    space, blocks = near.space, size // near.space.size
    found = {
        "uniform in the window": window_sample(near, size, repetitions),
        "independent, kernel mass": designed(
            near, dc.IID(space, size, "one"), repetitions
        ),
        "independent, optimal density": designed(
            near, dc.IID(space, size), repetitions
        ),
        "volume": designed(near, dc.VolumeSampling(space, size), repetitions),
        "repeated": designed(near, dc.RepeatedDPP(space, blocks), repetitions),
    }
    if blocks > 1:
        found["repeated, cross-fitted"] = cross_fitted(near, blocks, repetitions)
    return found


def row(near: Population, survey: Survey) -> list[str]:
    """Bias, root mean square and 95 % quantile of the error integrated over levels."""
    error = survey.jumps - near.target
    square = np.mean(error**2, axis=1)
    chance = np.sqrt(np.mean(error.var(axis=0, ddof=1)) / len(error))
    bias = np.sqrt(np.mean(error.mean(axis=0) ** 2))
    rmse = np.sqrt(square.mean())
    slack = square.std(ddof=1) / np.sqrt(len(square)) / (2 * rmse)
    far = np.sqrt(np.quantile(square, 0.95))
    return [
        f"{survey.distinct:.1f}",
        f"{bias:.3f} ({chance:.3f})",
        f"{rmse:.2f} ± {slack:.2f}",
        f"{np.sqrt(np.median(square)):.2f}",
        f"{far:.2f}",
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repetitions", type=int, default=4000)
    arguments.add_argument("--sizes", type=int, nargs="+", default=[8, 12, 20, 40])
    chosen = arguments.parse_args()
    # Independent points may leave the jump undetermined; that is what is counted here.
    warnings.simplefilter("ignore", dc.InferenceWarning)
    for kind in POPULATIONS:
        near = population(kind)
        inside = int(np.count_nonzero(near.space.mass))
        gap = np.abs(near.everybody.effect - near.target).max()
        error = np.sqrt(np.mean(near.everybody.std_error**2))
        off = np.sqrt(np.mean((near.target - near.truth) ** 2))
        print(
            f"{kind.capitalize()}: {inside} units within {BANDWIDTH}; `r3d` on all of "
            f"them differs from the target by {gap:.1e}, has standard error "
            f"{error:.2f}, and is "
            f"{off:.2f} from the truth; {chosen.repetitions} repetitions\n"
        )
        print(
            "| units | design | different | bias (by chance) | RMSE | median | 95 % |"
        )
        print("| --- " * 7 + "|")
        for size in chosen.sizes:
            for name, survey in surveys(near, size, chosen.repetitions).items():
                print(f"| {size} | {name} |", " | ".join(row(near, survey)), "|")
        print(flush=True)


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
