"""Two interventions compared: differences, ratios and odds ratios with their errors."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from itertools import product
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from distcausal.diagrams.effect_result import EffectContrast, EffectResult
from distcausal.errors import (
    DesignError,
    InferenceWarning,
    QueryError,
    check_choice,
    listing,
)

__all__ = ["compare_settings", "has_plain_effect"]

SCALES = ("difference", "ratio", "odds-ratio")


class Side(NamedTuple):
    """One of the two interventions.

    Attributes
    ----------
    states
        State of every variable set.
    weights
        What to multiply all estimates by to have the number compared,
        ``(given, estimate)``.
    """

    states: dict[str, Hashable]
    weights: np.ndarray


def has_plain_effect(fit: EffectResult) -> bool:
    """Whether there is one number that people mean by the effect."""
    if [len(fit.estimate.axes[name]) for name in fit.do] != [2]:
        return False
    return fit.of == "mean" or _default_outcome(fit) is not None


def compare_settings(
    fit: EffectResult,
    treated: Any,
    control: Any,
    outcome: Hashable | Mapping[str, Hashable] | None,
    scale: str,
) -> EffectContrast:
    """See `EffectResult.contrast`."""
    check_choice("scale", scale, SCALES)
    first, last = _settings(fit, treated, control)
    weight, what = _outcome_weight(fit, outcome)
    if scale == "odds-ratio" and what.startswith("the mean"):
        raise DesignError(
            "an odds ratio compares probabilities, but a mean was asked for; name an "
            "outcome state, such as outcome=1."
        )
    one, other = (_side(fit, states, weight) for states in (last, first))
    values = fit.estimate.values.ravel()
    above, below = one.weights @ values, other.weights @ values
    _check_scale(scale, what, np.concatenate([above, below]))
    slope_one, slope_other = _slopes(scale, above, below)
    slope = slope_one[:, None] * one.weights + slope_other[:, None] * other.weights
    draws, notes = None, tuple[str, ...]()
    if fit.draws is not None:
        pairs = (fit.draws @ side.weights.T for side in (one, other))
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = _scaled(scale, *pairs)
        notes = _undefined(draws, scale)
    return EffectContrast(
        labels=_labels(fit, one.states, other.states),
        estimate=_scaled(scale, above, below),
        covariance=slope @ fit.covariance @ slope.T,
        draws=draws,
        interval=fit.interval,
        df=fit.df,
        scale=scale,
        meaning=_meaning(what, scale, one.states, other.states),
        settings={
            **fit.settings,
            "treated": one.states,
            "control": other.states,
            "outcome": outcome,
            "scale": scale,
        },
        notes=notes,
    )


def _check_scale(scale: str, what: str, values: np.ndarray) -> None:
    """Raise unless the two numbers can be divided, as numbers or as odds."""
    if scale == "difference":
        return
    inside = values > 0
    if scale == "odds-ratio":
        inside &= values < 1
    if not inside.all():
        needs = "positive numbers" if scale == "ratio" else "numbers between 0 and 1"
        raise DesignError(
            f"{'a' if scale == 'ratio' else 'an'} {scale} needs {needs}, but {what} is "
            f"estimated at {listing(values)}. Use scale='difference'."
        )


def _undefined(draws: np.ndarray, scale: str) -> tuple[str, ...]:
    """Warn of draws that divide by zero, and note it."""
    lost = int((~np.isfinite(draws)).any(axis=1).sum())
    if not lost:
        return ()
    fact = (
        f"in {lost} of {len(draws)} bootstrap draws a {scale} divides by zero; it is "
        "then infinite, and so may be the end of an interval"
    )
    warnings.warn(
        f"{fact}. Draws of 0 over 0 are left out. Use scale='difference', or merge "
        "states so that no share is so small.",
        InferenceWarning,
        stacklevel=4,
    )
    return (fact[:1].upper() + fact[1:] + ".",)


def _scaled(scale: str, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    if scale == "difference":
        return above - below
    if scale == "ratio":
        return above / below
    return above / (1 - above) / (below / (1 - below))


def _slopes(
    scale: str, above: np.ndarray, below: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the comparison with respect to its two numbers."""
    if scale == "difference":
        return np.ones_like(above), -np.ones_like(below)
    value = _scaled(scale, above, below)
    if scale == "ratio":
        return value / above, -value / below
    return value / (above * (1 - above)), -value / (below * (1 - below))


def _settings(
    fit: EffectResult, treated: Any, control: Any
) -> tuple[dict[str, Hashable], dict[str, Hashable]]:
    """Control and treated states; the first and last of just two by default."""
    if not fit.do:
        raise DesignError(f"{fit.query} sets nothing, so there is nothing to compare.")
    sizes = [len(fit.estimate.axes[name]) for name in fit.do]
    if (treated is None or control is None) and (sizes != [2]):
        raise DesignError(
            f"name the two settings to compare, treated and control: {listing(fit.do)} "
            f"has {int(np.prod(sizes))} settings."
        )
    ends = [{n: fit.estimate.axes[n][place] for n in fit.do} for place in (0, -1)]
    return (
        ends[0] if control is None else _setting(fit, "control", control),
        ends[1] if treated is None else _setting(fit, "treated", treated),
    )


def _setting(fit: EffectResult, argument: str, states: Any) -> dict[str, Hashable]:
    if not isinstance(states, Mapping):
        if len(fit.do) != 1:
            raise QueryError(
                f"{argument} should map each of {listing(fit.do)} to a state."
            )
        return {fit.do[0]: states}
    if set(states) != set(fit.do):
        raise QueryError(
            f"{argument} names {listing(states) or 'nothing'}; give a state for each "
            f"of {listing(fit.do)}."
        )
    return dict(states)


def _default_outcome(fit: EffectResult) -> tuple[np.ndarray, str] | None:
    """Mean of a numeric outcome, or the last of two states; None without either."""
    if len(fit.outcome) != 1:
        return None
    name, states = fit.outcome[0], fit.estimate.axes[fit.outcome[0]]
    if all(isinstance(state, Real) for state in states):
        return np.array([float(state) for state in states]), f"the mean of {name}"  # type: ignore[arg-type]
    if len(states) == 2:
        return np.array([0.0, 1.0]), f"the probability of {name}={states[1]!r}"
    return None


def _outcome_weight(
    fit: EffectResult, outcome: Hashable | Mapping[str, Hashable] | None
) -> tuple[np.ndarray, str]:
    """Weight of each joint outcome state in the number compared, and its name."""
    if fit.of == "mean":
        if outcome is not None:
            raise DesignError("only the mean was estimated; outcome should be None.")
        return np.ones(1), f"the mean of {listing(fit.outcome)}"
    if outcome is None:
        default = _default_outcome(fit)
        if default is None:
            raise DesignError(
                f"name the state of {listing(fit.outcome)} whose probability to "
                "compare, as outcome=."
            )
        return default
    chosen = outcome if isinstance(outcome, Mapping) else {fit.outcome[0]: outcome}
    if set(chosen) != set(fit.outcome):
        raise QueryError(f"outcome should give a state for each of {fit.outcome}.")
    shape = tuple(len(fit.estimate.axes[name]) for name in fit.outcome)
    at = [fit.estimate.space(n).position(chosen[n]) for n in fit.outcome]
    weight = np.zeros(shape)
    weight[tuple(at)] = 1.0
    return weight.ravel(), f"the probability of {_written(dict(chosen))}"


def _side(fit: EffectResult, states: dict[str, Hashable], weight: np.ndarray) -> Side:
    shape = tuple(len(fit.estimate.axes[name]) for name in fit.do)
    at = tuple(fit.estimate.space(name).position(states[name]) for name in fit.do)
    setting = np.zeros(shape)
    setting[at] = 1.0
    given = int(np.prod([len(fit.estimate.axes[name]) for name in fit.given]))
    weights = np.kron(np.kron(weight, setting.ravel()), np.eye(given))
    return Side({name: states[name] for name in fit.do}, weights)


def _labels(
    fit: EffectResult, one: dict[str, Hashable], other: dict[str, Hashable]
) -> tuple[str, ...]:
    head = f"effect of {_written(one)} vs {_written(other)}"
    if len(one) == 1:
        (name, state), (base,) = next(iter(one.items())), other.values()
        head = f"effect of {name}, {state} vs {base}"
    if not fit.given:
        return (head,)
    axes = [fit.estimate.axes[name] for name in fit.given]
    return tuple(
        f"{head} at {_written(dict(zip(fit.given, states, strict=True)))}"
        for states in product(*axes)
    )


def _meaning(
    what: str, scale: str, one: dict[str, Hashable], other: dict[str, Hashable]
) -> str:
    called = {"difference": "difference in", "ratio": "ratio of"}
    head = called.get(scale, "ratio of the odds for")
    return (
        f"The effect is the {head} {what} between do({_written(one)}) and "
        f"do({_written(other)})."
    )


def _written(states: Mapping[str, Hashable]) -> str:
    return ", ".join(f"{name}={state}" for name, state in states.items())
