"""Two data sets with satellite pictures: a grants trial, and effects laid over it.

    python -m benchmarks.images_application FOLDER [--parts facts trial ...]
        [--seeds 5] [--choices 20]

reads, from a folder of yours, ``uganda_images.npz`` (``images`` of 35 x 35 in three
colours, ``image_key``), ``uganda_units.csv`` (``image_key``, treatment ``w``, outcome
``y``, ``long``, ``lat``, covariates ``x1`` to ``x7``) and ``semisynthetic_edge_k2.csv``
(the same units with a simulated ``w``, ``y``, ``y0``, ``y1`` and true effect ``tau``).
They are other people's archives and are not part of this repository.

Of the trial it prints the difference in means with its errors, what is said of columns
made from the treatment, and what the diagnostics, the design and the number of clusters
say under two likelihoods, with places taken as independent and with blocks of near ones
kept together. Of the second it prints the error of predicted effects on a quarter of
the places that the fit has not seen, over random choices of that quarter: over places
and over their units, and that of predicting no difference.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.cluster.vq import kmeans2

import distcausal as dc
from benchmarks.image_runs import mean_and_error, print_table
from distcausal.numerics.agreement import adjusted_rand_index, area_under_curve, pehe

ROLES = {"image_key": "image_key", "treatment": "w", "outcome": "y"}
TREATED = ("x1", "x3", "x5", "x7")
FREE = ("x2", "x4", "x6")
HELD_OUT = 82
PARTS = ("facts", "trial", "semisynthetic")
BLOCKS = (150, 80, 40, 20)
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "512 filters": {"n_filters": 512},
    "1,500 steps": {"steps": 1_500},
    "1,500 steps, no intercepts of places": {"steps": 1_500, "image_intercepts": False},
}


def as_data(units: pd.DataFrame) -> dc.RandomDistributions:
    """Units whose distribution is the point of their outcome."""
    return dc.RandomDistributions.from_samples(
        units["y"].to_numpy()[:, None],
        columns={name: units[name].to_numpy() for name in units},
    )


def facts(units: pd.DataFrame) -> None:
    """Difference in means with errors that ignore and that know the places."""
    ols = sm.OLS(units["y"], sm.add_constant(units["w"].astype(float)))
    plain = ols.fit(cov_type="HC2")
    grouped = ols.fit(cov_type="cluster", cov_kwds={"groups": units["image_key"]})
    print(f"{len(units)} units, {units['w'].sum()} treated")
    print(f"difference in means {plain.params['w']:.6f}")
    print(f"HC2 {plain.bse['w']:.6f}, by place {grouped.bse['w']:.6f}\n")


def refusals(units: pd.DataFrame, source: Any) -> None:
    """Columns made from the treatment, each alone and beside one that is free of it."""
    for name in (*TREATED, *FREE):
        columns = [name, *(free for free in FREE if free != name)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", dc.DistCausalWarning)
                dc.image_effects(
                    as_data(units), image=source, **ROLES, covariates=columns,
                    missing="drop", splits=1,
                )  # fmt: skip
        except dc.DistCausalError as error:
            print(f"{name}: refused. {error}")
        else:
            print(f"{name}: taken")
    print()


def blocks(units: pd.DataFrame, count: int) -> np.ndarray:
    """Label of the block of near places that each unit lies in."""
    places = units.drop_duplicates("image_key")
    label = kmeans2(places[["long", "lat"]].to_numpy(), count, seed=1, minit="++")[1]
    named = pd.Series(label, places["image_key"])
    return named.loc[units["image_key"]].to_numpy()


def first_look(units: pd.DataFrame, source: Any) -> None:
    """What a user sees who asks for nothing in particular."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", dc.DistCausalWarning)
        fit = dc.image_effects(as_data(units), image=source, **ROLES)
    for one in said:
        print(f"warns: {one.message}")
    print(fit.summary())
    print(fit.diagnostics(coords=units[["long", "lat"]].to_numpy()).summary(), "\n")


def trial(units: pd.DataFrame, source: Any, seeds: int) -> None:
    """Effects by design, tests and number of clusters, over seeds of fit and folds."""
    rows = []
    for family in ("normal", "hurdle"):
        for count in (0, *BLOCKS):
            together = blocks(units, count) if count else None
            found = [
                one_fit(units, source, seed, family=family, cluster=together)
                for seed in range(seeds)
            ]
            label = f"{count} blocks" if count else "places"
            rows.append([family, label, *cells(found)])
    print_table(
        [
            "family", "independent", "average effect", "by design, cluster 1",
            "by design, cluster 2", "p, mean of splits", "p, median of splits",
            "slope of calibration: p", "K chosen",
        ],
        rows,
    )  # fmt: skip


def one_fit(units: pd.DataFrame, source: Any, seed: int, **options: Any) -> list:
    """Estimates with errors, p-values and the number of clusters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dc.DistCausalWarning)
        fit = dc.image_effects(
            as_data(units), image=source, **ROLES, **options, seed=seed
        )
        table = fit.cluster_effects()
        tests = [fit.homogeneity_test(combine=how) for how in ("mean", "median")]
        return [
            (fit.ate.estimate, fit.ate.std_error),
            *zip(table["design_estimate"], table["design_std_error"], strict=True),
            *(test.p_value for test in tests),
            fit.calibration().p_zero,
            fit.compare(range(1, 4)).selected,
        ]


def cells(found: list[list]) -> list[str]:
    """Estimates averaged over seeds; p-values from the least to the largest."""
    *estimates, mean, median, slope, chosen = zip(*found, strict=True)
    shown = [
        "{:.2f} ({:.2f})".format(*np.mean(estimate, axis=0)) for estimate in estimates
    ]
    ranges = [f"{min(p):.2f} to {max(p):.2f}" for p in (mean, median, slope)]
    return [*shown, *ranges, ", ".join(map(str, chosen))]


def semisynthetic(units: pd.DataFrame, source: Any, choices: int) -> None:
    """Errors on places not seen, over random choices of them."""
    keys = source.keys
    rows = []
    for label, given in SETTINGS.items():
        options = {
            "encoder": dc.RandomConvFeatures(n_filters=given.get("n_filters", 256)),
            "engine": dc.SVI(steps=given.get("steps", 500)),
            "image_intercepts": given.get("image_intercepts"),
        }
        found = []
        for seed in range(choices):
            left = np.random.default_rng(seed).permutation(keys)[:HELD_OUT]
            found.append(held_out(units, source, np.sort(left), options))
        cells = [mean_and_error(column, 3) for column in np.transpose(found)]
        rows.append([label, *cells, str(choices)])
    print_table(
        [
            "setting", "ARI", "AUC", "PEHE, places", "PEHE, units",
            "no difference, units", "lower effect", "upper effect", "choices",
        ],
        rows,
    )  # fmt: skip


def held_out(
    units: pd.DataFrame, source: Any, left: np.ndarray, options: dict[str, Any]
) -> list[float]:
    """One choice of places: what is found on those left out."""
    out = units["image_key"].isin(left)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dc.DistCausalWarning)
        fit = dc.image_effects(
            as_data(units[~out]), image=source, **ROLES, propensity=0.5, **options,
            folds=2, splits=1,
        )  # fmt: skip
    effect = fit.cate(dc.ArraySource(source.get(left), left))
    rest = units[out]
    truth = rest.drop_duplicates("image_key").set_index("image_key")["tau"].loc[left]
    label = effect.probabilities.argmax(axis=1)
    own = pd.Series(effect.mean, left).loc[rest["image_key"]].to_numpy()
    return [
        adjusted_rand_index(label, truth.to_numpy()),
        area_under_curve(truth.to_numpy() == 1, effect.mean),
        pehe(effect.mean, truth.to_numpy()),
        pehe(own, rest["tau"].to_numpy()),
        float(rest["tau"].std(ddof=0)),
        *fit.cluster_effects()["model_estimate"],
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--choices", type=int, default=20)
    given = arguments.parse_args()
    stored = np.load(given.folder / "uganda_images.npz")
    source = dc.ArraySource(stored["images"], stored["image_key"])
    units = pd.read_csv(given.folder / "uganda_units.csv")
    if "facts" in given.parts:
        facts(units)
        refusals(units, source)
        first_look(units, source)
    if "trial" in given.parts:
        trial(units, source, given.seeds)
    if "semisynthetic" in given.parts:
        laid_over = pd.read_csv(given.folder / "semisynthetic_edge_k2.csv")
        semisynthetic(laid_over, source, given.choices)


if __name__ == "__main__":
    main()
