"""Estimated effects in words and tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.table import Pairs, Table, decimals, number, numbers, p_value
from distcausal.diagrams.contrast import compare_settings, has_plain_effect

if TYPE_CHECKING:
    from distcausal.diagrams.effect_result import (
        EffectContrast,
        EffectResult,
        Estimates,
    )

__all__ = ["cell_names", "contrast_table", "effect_latex", "effect_table"]

_MOST_ROWS = 40
Row = tuple[str, ...]


def cell_names(fit: EffectResult) -> tuple[str, ...]:
    """Name of every estimate, in the order of the array."""
    names = fit.estimate.names
    found = []
    for states in product(*fit.estimate.axes.values()):
        at = dict(zip(names, states, strict=True))
        behind = [f"do({_written(at, fit.do)})"] if fit.do else []
        behind += [_written(at, fit.given)] if fit.given else []
        bar = f" | {', '.join(behind)}" if behind else ""
        if fit.of == "mean":
            found.append(f"E({', '.join(fit.outcome)}{bar})")
        else:
            found.append(f"P({_written(at, fit.outcome)}{bar})")
    return tuple(found)


def _written(at: dict[str, object], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}={at[name]}" for name in names)


def effect_latex(fit: EffectResult) -> str:
    """Summary with the formula as mathematics, not as a note."""
    table = effect_table(fit, 0.95)
    if not fit.formula_latex:
        return table.as_latex()
    bare = replace(table, notes=table.notes[1:])
    return f"{bare.as_latex()}\\[\n{fit.formula_latex}\n\\]\n"


def effect_table(fit: EffectResult, confidence: float) -> Table:
    """Summary of an estimated effect; the first note is the formula."""
    rows: list[Row] = []
    notes = [f"{fit.query} = {fit.formula}"]
    if has_plain_effect(fit):
        plain = compare_settings(fit, None, None, None, "difference")
        rows += _rows(plain, confidence)
        notes.append(plain.meaning)
    rows += _rows(fit, confidence)
    hidden = len(rows) - _MOST_ROWS
    if hidden > 0:
        rows = rows[:_MOST_ROWS]
        notes.append(f"{hidden} more numbers are in tidy().")
    return Table(
        title="Causal Effect Estimates",
        left=_method(fit),
        right=_counts(fit),
        columns=_heads(fit),
        rows=tuple(rows),
        notes=(*notes, _interval_note(fit, confidence), *fit.notes),
    )


def contrast_table(contrast: EffectContrast, confidence: float) -> Table:
    """Summary of a comparison."""
    return Table(
        title="Comparison of Interventions",
        left=(("Scale", contrast.scale),),
        columns=_heads(contrast),
        rows=tuple(_rows(contrast, confidence)),
        notes=(
            contrast.meaning,
            _interval_note(contrast, confidence),
            *contrast.notes,
        ),
    )


def _heads(estimates: Estimates) -> Row:
    letter = "z" if estimates.df is None else "t"
    return ("", "estimate", "std err", letter, f"P>|{letter}|", "low", "high")


def _rows(estimates: Estimates, confidence: float) -> list[Row]:
    """A row per number; a probability is not tested against zero."""
    frame = estimates.tidy(confidence)
    errors = frame["std_error"].to_numpy()
    places = decimals(float(np.median(errors)) if len(errors) else 0.0)
    columns = [
        tuple(frame["term"]),
        numbers(frame["estimate"], places),
        numbers(errors, places),
        numbers(frame["statistic"], 3),
        tuple(map(p_value, frame["p_value"])),
        numbers(frame["conf_low"], places),
        numbers(frame["conf_high"], places),
    ]
    return list(zip(*columns, strict=True))


def _method(fit: EffectResult) -> Pairs:
    return (
        ("Query", fit.query),
        ("Verdict", "identified"),
        ("Kind", fit.kind),
        ("Method", fit.method),
        ("Std. errors", _errors(fit)),
    )


def _errors(fit: EffectResult) -> str:
    asked = str(fit.settings.get("inference", "delta"))
    return asked if fit.n_clusters is None else f"{asked}, clustered"


def _counts(fit: EffectResult) -> Pairs:
    counts = [need[3] for need in fit.needs if need[3] == need[3]]
    pairs = [
        ("Observations", str(fit.n)),
        ("Clusters", None if fit.n_clusters is None else str(fit.n_clusters)),
        ("Draws", None if fit.draws is None else str(len(fit.draws))),
        ("Rows left out", str(fit.settings.get("dropped") or "") or None),
        ("Rarest condition", f"{number(min(counts), 0)} rows" if counts else None),
    ]
    return tuple((name, value) for name, value in pairs if value is not None)


def _interval_note(estimates: Estimates, confidence: float) -> str:
    """What the intervals are, and how they were made."""
    made = "normal approximation"
    if estimates.df is not None:
        made = f"Student's t with {estimates.df} degrees of freedom, clusters less one"
    if estimates._scale == "probability":
        made += "; of probabilities on the logit scale"
    if estimates.draws is not None and estimates.interval == "percentile":
        made = "percentiles of the bootstrap draws; tests use their standard deviation"
    return (
        f"Intervals cover one number with probability {100 * confidence:.4g}% ({made})."
    )
