"""An identified effect, estimated from rows of data with standard errors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from numbers import Real
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, check_seed, seed_record
from distcausal._base.session import versions
from distcausal.diagrams.effect_result import ROUNDING, EffectResult
from distcausal.diagrams.fixing import ADJUSTMENT, DISTRICT
from distcausal.diagrams.frames import States, plugin_of, weighted_of
from distcausal.diagrams.identify import Identification
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.needs import Need
from distcausal.diagrams.observations import FEW_CLUSTERS, ROW, Rows, Sample
from distcausal.diagrams.plugin import PlugIn
from distcausal.diagrams.render import latex_name, symbols
from distcausal.diagrams.resample import Bootstrap, read_inference, resampled
from distcausal.diagrams.weighted import Models, Weighted
from distcausal.errors import (
    DesignError,
    InferenceWarning,
    PositivityError,
    check_choice,
    listing,
)

__all__ = ["estimate_effect"]

FEW = 5  # observations below which a conditional share is a guess
METHODS = ("plugin", *ADJUSTMENT, *DISTRICT)
Column = str | Sequence[Any] | np.ndarray | None


def estimate_effect(
    frame: Any,
    found: Identification,
    method: str = "plugin",
    *,
    weights: Column = None,
    cluster: Column = None,
    inference: str | Bootstrap = "delta",
    states: States = None,
    smoothing: float = 0.0,
    missing: str = "raise",
    of: str = "law",
    nuisances: Any = "logit",
    folds: int = 5,
    seed: Seed = 0,
    progress: bool | None = None,
) -> EffectResult:
    """Estimate the law of outcomes under an intervention from rows of data.

    Parameters
    ----------
    frame
        Any table narwhals reads, one row per observation with a column per variable. A
        column ``"count"``, unless it is a variable, says how many observations a row
        stands for. For a question with experiments, a mapping from ``"observational"``
        and from tuples of the variables set to such tables, which are taken to be
        independent samples.
    found
        What `identify` returned.
    method
        ``"plugin"``: the formula at the shares of the sample, for every identified
        question. For one outcome of one treatment also, where ``found.kind`` is
        ``"a-fixable"``, ``"gformula"`` (outcome model), ``"ipw"`` (treatment model) and
        ``"aipw"`` (both; right if either is), and where it is that or ``"p-fixable"``,
        ``"primal-ipw"`` (models of the treatment's district), ``"dual-ipw"`` (of the
        other later variables) and ``"apipw"`` (both; right if either is).
    weights
        Sampling weights: a column's name or an array with an entry per row. Their
        scale does not matter.
    cluster
        Column, or array, that says which rows are dependent.
    inference
        ``"delta"``, ``"bootstrap"``, ``"bayesian"``, or a `Bootstrap` with settings.
    states
        States of variables and their order, where not the labels found: sorted, or in
        the order of ordered categories. The order matters to `EffectResult.contrast`.
    smoothing
        Added to the weight of every joint state of the formula's variables; with 0 an
        answer that divides by an event not in the sample is refused.
    missing
        ``"raise"`` if an entry that is needed is missing, or ``"drop"`` those rows.
    of
        ``"law"`` of the outcome, or its ``"mean"`` alone, for numeric outcomes of many
        values, with ``"gformula"``, ``"ipw"`` and ``"aipw"``.
    nuisances
        Models of the conditional laws that weighting methods need: ``"logit"``, linear
        in numeric covariates and with a coefficient per state of all else;
        ``"saturated"``, shares in every stratum; names of variables for a logit in
        these alone; or a learner with ``fit`` and ``predict_proba`` (``predict`` for a
        mean), fitted on other folds than it is used on; chances that a learner puts
        near zero are raised to 0.01 where they are divided by, with a warning. One for
        all, or a mapping from variables. Means have a linear regression in place of the
        logit.
    folds
        Number of folds for learners.
    seed
        Integer or JAX key, for the bootstrap and the folds.
    progress
        Whether to show a bar; None for when it takes long and someone is watching.

    Returns
    -------
    EffectResult
        Estimates for every state of what is set and given.

    Raises
    ------
    IdentificationError
        If the question has no formula.
    PositivityError
        If an answer divides by the share of an event that does not occur.
    DataError
        If columns are absent, have gaps, or weights and counts are none.
    DesignError
        If a setting is not among those listed, or a method is not made for this kind of
        question.
    ConvergenceError
        If a logit has no maximum.

    Notes
    -----
    With shares p of a sample and the formula f(p), the standard errors are those of the
    linear part of f: by the chain rule each unit's contribution follows from the
    derivative of f with respect to each table of shares. For rows drawn independently
    the covariance is exactly that of multinomial counts through this derivative.
    Clusters add their rows' contributions first, with the factor G / (G - 1), and
    intervals and tests take Student's t with G - 1 degrees of freedom.

    Warns
    -----
    InferenceWarning
        If the formula divides by probabilities of fewer than 5 observations, there are
        fewer than 10 clusters, the standard error of an answer is 0 because all
        observations agree, or resamples have no answer.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_causal_model("front-door", n=2000, seed=3)
    >>> found = dc.identify(sim.graph, "Y", do="X")
    >>> fit = dc.estimate_effect(sim.frame, found)
    >>> fit.contrast().tidy()[["estimate", "std_error"]].round(3)
       estimate  std_error
    0     0.072      0.012
    """
    bootstrap = read_inference(inference)
    models = Models(nuisances, folds, of)
    how = Rows(weights, cluster, missing)
    _check(found, method, smoothing, seed, models, bootstrap)
    estimator: PlugIn | Weighted
    if method == "plugin":
        estimator = plugin_of(frame, found, how, states, float(smoothing))
    else:
        estimator = weighted_of(frame, found, method, how, states, models, seed)
    fit = estimator.fit()
    draws, covariance = None, fit.covariance
    notes = _warnings(fit.needs, smoothing)
    if bootstrap is not None:
        draws, lost = _usable(resampled(estimator, bootstrap, seed, progress))
        covariance = np.cov(draws, rowvar=False).reshape(fit.covariance.shape)
        notes += lost
    axes, counts = estimator.axes, list(estimator.samples.values())
    shape = [len(labels) for labels in axes.values()]
    clusters = [one.clusters for one in counts if one.clusters is not None]
    notes += _few_clusters(clusters)
    made = EffectResult(
        estimate=LabelledArray(fit.values.reshape(shape), axes),
        covariance=covariance,
        draws=draws,
        interval="normal" if bootstrap is None else bootstrap.interval,
        df=min(clusters) - 1 if clusters else None,
        of=of,
        method=method,
        n=sum(one.n for one in counts),
        n_clusters=sum(clusters) if clusters else None,
        needs=tuple((*need,) for need in fit.needs),
        settings={
            **_settings(method, how, models, bootstrap, smoothing, seed, counts),
            "states": {n: s for n, s in estimator.states.items() if n != ROW},
        },
        notes=tuple(notes),
        **_question(found, axes),
    )
    return replace(made, notes=(*made.notes, *_without_error(made)))


def _check(
    found: object,
    method: str,
    smoothing: float,
    seed: Seed,
    models: Models,
    bootstrap: Bootstrap | None,
) -> None:
    """Raise unless the question has a formula and the options go together."""
    check_choice("method", method, METHODS)
    check_seed(seed)
    number = isinstance(smoothing, Real) and not isinstance(smoothing, bool)
    if not (number and np.isfinite(smoothing) and smoothing >= 0):
        raise DesignError(f"smoothing {smoothing!r} should be a number, 0 or more.")
    if not isinstance(found, Identification):
        raise DesignError(
            f"found is a {type(found).__name__}; give what identify(graph, outcome, "
            "do=...) returned."
        )
    found.raise_for_status()
    if bootstrap is not None and models.learned:
        raise DesignError("inference with learners is by the delta method alone.")
    if method == "plugin":
        _check_plugin(models)
    elif smoothing:
        raise DesignError("smoothing is for method='plugin'; models need none.")


def _question(found: Identification, axes: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, and the formula that answers it, as the result keeps them."""
    query = found.query
    assert found.estimand is not None
    return {
        "outcome": query.outcome,
        "do": query.do,
        "given": tuple(n for n in axes if n not in (*query.outcome, *query.do)),
        "query": str(query),
        "formula": found.estimand.text(),
        "formula_latex": f"{_asked(found)} = {found.estimand.latex()}",
        "kind": found.kind,
    }


def _asked(found: Identification) -> str:
    """The question in LaTeX, in the letters of the formula."""
    letters, query = symbols(found.graph.nodes), found.query

    def written(names: Sequence[str]) -> str:
        return ", ".join(latex_name(letters[name]) for name in names)

    behind = [rf"\mathrm{{do}}({written(query.do)})"] * bool(query.do)
    behind += [written(query.given)] * bool(query.given)
    bar = r" \mid " + ", ".join(behind) if behind else ""
    return f"P({written(query.outcome)}{bar})"


def _check_plugin(models: Models) -> None:
    if models != Models():
        raise DesignError(
            "of, nuisances and folds are for weighting methods; method='plugin' uses "
            "shares in every stratum, and contrast() compares means."
        )


def _warnings(needs: tuple[Need, ...], smoothing: float) -> list[str]:
    """Warn of conditions that are rare, and note it."""
    rare = [need for need in needs if need.rows < FEW]
    if not rare:
        return []
    shown = [f"{n.event} at {n.at} ({n.rows:.0f})" for n in rare]
    fact = (
        f"the formula divides by probabilities of events with fewer than {FEW} "
        f"observations: {listing(shown)}"
    )
    remedy = "" if smoothing else ", or give smoothing a positive value"
    warnings.warn(
        f"{fact}. Shares among so few are guesses, and normal intervals too short; "
        f"merge states{remedy}, and see positivity.",
        InferenceWarning,
        stacklevel=3,
    )
    return [fact[:1].upper() + fact[1:] + "."]


def _few_clusters(clusters: Sequence[int]) -> list[str]:
    """Warn of a covariance between few clusters, and note it."""
    if not clusters or min(clusters) >= FEW_CLUSTERS:
        return []
    fact = f"there are only {min(clusters)} clusters"
    warnings.warn(
        f"{fact}, fewer than {FEW_CLUSTERS}: their covariance is a guess. Intervals "
        f"and tests use Student's t with {min(clusters) - 1} degrees of freedom, which "
        "helps where clusters are alike in size and treatment; otherwise compare "
        "averages of clusters.",
        InferenceWarning,
        stacklevel=3,
    )
    return [fact[:1].upper() + fact[1:] + ", so that errors are guesses themselves."]


def _without_error(fit: EffectResult) -> list[str]:
    """Warn of answers that the sample shows no variation of, and note it.

    A law on a single state is 1 for sure, not for want of observations.
    """
    if fit.of == "law" and prod(len(fit.estimate.axes[n]) for n in fit.outcome) == 1:
        return []
    values, errors = fit.estimate.values.ravel(), fit.std_error.values.ravel()
    flat = np.flatnonzero(errors <= ROUNDING * np.maximum(np.abs(values), 1.0))
    if not flat.size:
        return []
    shown = [f"{fit.terms[at]} = {values[at]:.4g}" for at in flat]
    fact = (
        f"the standard error is 0 where the sample shows no variation: {listing(shown)}"
    )
    warnings.warn(
        f"{fact}. The intervals there have no width, which says nothing about how far "
        "off these numbers are, and comparisons with them are too sure. Give smoothing "
        "a positive value, merge states, or take more observations.",
        InferenceWarning,
        stacklevel=3,
    )
    return [fact[:1].upper() + fact[1:] + "."]


def _usable(draws: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Draws in which every answer is defined, and a note on the others."""
    keep = ~np.isnan(draws).any(axis=1)
    lost = int((~keep).sum())
    if not lost:
        return draws, []
    if keep.sum() < 2:
        raise PositivityError(
            f"in {lost} of {len(keep)} resamples an event that the formula divides by "
            "does not occur. Merge states, give smoothing a positive value, or use "
            "inference='bayesian', where nothing drops out."
        )
    warnings.warn(
        f"in {lost} of {len(keep)} resamples an event that the formula divides by does "
        "not occur; they are left out, which makes intervals too short. Merge states, "
        "or use inference='bayesian'.",
        InferenceWarning,
        stacklevel=3,
    )
    return draws[keep], [f"{lost} of {len(keep)} resamples had no answer."]


def _settings(
    method: str,
    how: Rows,
    models: Models,
    bootstrap: Bootstrap | None,
    smoothing: float,
    seed: Seed,
    samples: Sequence[Sample],
) -> dict[str, Any]:
    """Every argument as used."""
    kinds = {"pairs": "bootstrap", "bayesian": "bayesian"}
    return {
        "method": method,
        "weights": _role(how.weights),
        "cluster": _role(how.cluster),
        "inference": "delta" if bootstrap is None else kinds[bootstrap.kind],
        "draws": None if bootstrap is None else bootstrap.draws,
        "interval": "normal" if bootstrap is None else bootstrap.interval,
        "smoothing": float(smoothing),
        "missing": how.missing,
        "of": models.of,
        "nuisances": _written(models.nuisances),
        "folds": models.folds if models.learned else None,
        "dropped": sum(sample.dropped for sample in samples),
        "seed": seed_record(seed),
        "versions": versions(),
    }


def _written(nuisances: Any) -> Any:
    """Models as they are written down: words, names, or the kind of a learner."""
    if isinstance(nuisances, Mapping):
        return {name: _written(one) for name, one in nuisances.items()}
    if isinstance(nuisances, str):
        return nuisances
    return type(nuisances).__name__ if hasattr(nuisances, "fit") else [*nuisances]


def _role(column: Any) -> str | None:
    """A column as it is written down: its name, or that it was an array."""
    return column if isinstance(column, str | None) else "array"
