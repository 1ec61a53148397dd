"""Discontinuity results in words and tables.

A grid of 99 levels is for figures; a reader wants the tails, the quartiles and the
median, with what was done in a block above and what the band promises below. Numbers of
a column share their decimals, as many as show three digits of a typical standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.table import (
    Group,
    Pairs,
    Table,
    decimals,
    number,
    numbers,
    p_value,
)

if TYPE_CHECKING:
    from distcausal.rdd.parts import R3DBandwidth, TestTable
    from distcausal.rdd.result import R3DResult

__all__ = [
    "bandwidth_table",
    "bandwidth_text",
    "describe_effect",
    "effect_table",
    "test_table",
]

_SHOWN = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_MOST_ROWS = 15
LONGEST_NAME = 24
_TITLE = "Distribution-Valued Regression Discontinuity Results"


def effect_table(result: R3DResult, confidence: float) -> Table:
    """Summary of a fit at selected levels."""
    rows = _selected(result.levels)
    places = decimals(float(np.median(result.std_error)))
    columns = [
        _level_names(result.levels[rows]),
        *(
            numbers(values[rows], places)
            for values in (result.effect, result.std_error)
        ),
        numbers(result.statistic[rows], 3),
        tuple(map(p_value, result.p_value[rows])),
        *(numbers(end[rows], places) for end in result.conf_int(confidence)),
        *(numbers(end[rows], places) for end in result.band(confidence)),
    ]
    percent = _percent(confidence)
    return Table(
        title=_TITLE,
        left=_method_pairs(result),
        right=_inference_pairs(result, confidence, places),
        columns=("level", "effect", "std err", "z", "P>|z|", *(("low", "high") * 2)),
        rows=tuple(zip(*columns, strict=True)),
        groups=(Group(f"{percent} pointwise", 5, 2), Group(f"{percent} uniform", 7, 2)),
        notes=_notes(result, percent),
    )


def _selected(levels: np.ndarray) -> np.ndarray:
    """Positions of the levels a summary shows: all of a few, or the nearest to ours."""
    if levels.size <= _MOST_ROWS:
        return np.arange(levels.size)
    distance = np.abs(levels[:, None] - np.array(_SHOWN))
    return np.unique(distance.argmin(axis=0))


def _level_names(levels: np.ndarray) -> tuple[str, ...]:
    """Levels with the fewest decimals that tell them apart, from two to six."""
    for places in range(2, 6):
        if np.allclose(levels, levels.round(places), rtol=0.0, atol=1e-9):
            return numbers(levels, places)
    return numbers(levels, 6)


def _aligned(values: np.ndarray) -> tuple[str, ...]:
    """Numbers with the decimals that a typical one of them needs."""
    return numbers(values, decimals(float(np.median(np.abs(values)))))


def _percent(confidence: float) -> str:
    return f"{100 * confidence:.4g}%"


def _method_pairs(result: R3DResult) -> Pairs:
    """What was estimated, and how."""
    settings, bandwidth = result.settings, result.bandwidth
    design = "sharp" if result.first_stage is None else "fuzzy"
    pairs = [
        ("Design", design),
        ("Method", settings.get("method")),
        ("Running variable", _clipped(settings.get("running"))),
        ("Cutoff", _short(settings.get("cutoff"))),
        ("Kernel", settings.get("kernel")),
        ("Order (pilot order)", _orders(settings)),
        ("Bandwidth", bandwidth_text(bandwidth.sides)),
        ("Bandwidth, treatment", _treatment_text(bandwidth)),
        ("Selector", bandwidth.selector),
        ("Units below, above", "{}, {}".format(*result.n_units)),
        ("In the window", "{}, {}".format(*result.n_effective)),
    ]
    return tuple((name, str(value)) for name, value in pairs if value is not None)


def _inference_pairs(result: R3DResult, confidence: float, places: int) -> Pairs:
    """What the inference rests on, and the effect in one number."""
    stage, draws, settings = result.first_stage, result.draws, result.settings
    clusters = None if result.n_clusters is None else str(result.n_clusters)
    pairs = [
        ("Clusters", clusters),
        ("Bootstrap draws", str(len(draws.effect))),
        ("Multiplier", settings.get("multiplier")),
        ("Residuals", _residuals(settings.get("leverage"), clusters)),
        ("Band", "studentised" if draws.studentise else "constant width"),
        ("Critical value", _short(draws.critical_value(confidence))),
        ("Average effect", number(result.average_effect, places)),
        ("Std. error of average", number(result.average_std_error, places)),
        ("P-value, no effect", p_value(result.nullity_p_value)),
    ]
    if stage is not None:
        pairs += [
            ("First-stage jump", f"{stage.jump:.3f} ({stage.std_error:.3f})"),
            ("First-stage F", _short(stage.f_statistic)),
        ]
    return tuple((name, value) for name, value in pairs if value is not None)


def _residuals(leverage: str | None, clusters: str | None) -> str | None:
    """Name of the residual rule, by its cluster analogue where there are clusters."""
    if leverage is None or clusters is None:
        return leverage and leverage.upper()
    return leverage.upper().replace("HC", "CR")


def _orders(settings: dict[str, Any]) -> str | None:
    if "order" not in settings:
        return None
    return f"{settings['order']} ({settings.get('pilot_order', '-')})"


def _clipped(name: object) -> str:
    """Name of a column, cut where it would break the layout."""
    text = str(name)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."


def _short(value: object) -> str | None:
    """Number with four digits; None stays None."""
    return f"{value:.4g}" if isinstance(value, int | float) else None


def bandwidth_text(sides: np.ndarray) -> str:
    """Bandwidths in short: one number, a range over levels, one per side."""
    texts = [
        f"{side.min():.4g}"
        if np.ptp(side) == 0
        else f"{side.min():.4g}-{side.max():.4g}"
        for side in sides
    ]
    return texts[0] if np.array_equal(sides[0], sides[1]) else ", ".join(texts)


def _treatment_text(bandwidth: R3DBandwidth) -> str | None:
    if bandwidth.treatment is None:
        return None
    return bandwidth_text(bandwidth.by_side(bandwidth.treatment))


def _notes(result: R3DResult, percent: str) -> tuple[str, ...]:
    """What intervals and band promise, then what the fit has to say."""
    low, high = _level_names(result.levels[[0, -1]])
    rows = (
        ""
        if result.levels.size <= _MOST_ROWS
        else (f" Selected levels of {result.levels.size}; tidy() has all.")
    )
    covers = (
        f"The uniform band covers the effect at all levels from {low} to {high} at "
        f"once with probability {percent}; a pointwise interval covers it at one "
        f"level.{rows}"
    )
    if result.levels.size == 1:
        covers = (
            f"Intervals cover the effect at level {low} with probability {percent}."
        )
    return (covers, *result.notes)


def bandwidth_table(bandwidth: R3DBandwidth) -> Table:
    """Summary of bandwidths, with bias and variance at selected levels if estimated."""
    blocks = {"bandwidth": bandwidth.sides}
    if bandwidth.bias is not None and bandwidth.variance is not None:
        blocks["bias constant"] = bandwidth.bias
        blocks["variance constant"] = bandwidth.variance
    count = max(block.shape[1] for block in blocks.values())
    labels, rows = _bandwidth_rows(bandwidth.levels, count)
    cells = [
        _aligned(side[rows])
        for block in blocks.values()
        for side in np.broadcast_to(block, (2, count))
    ]
    return Table(
        title="Regression Discontinuity Bandwidth",
        left=_bandwidth_pairs(bandwidth),
        right=_pilot_pairs(bandwidth),
        columns=("level", *(("below", "above") * len(blocks))),
        rows=tuple(zip(labels, *cells, strict=True)),
        groups=tuple(
            Group(name, 1 + 2 * place, 2) for place, name in enumerate(blocks)
        ),
    )


def _bandwidth_rows(
    levels: np.ndarray | None, count: int
) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels and positions of the rows shown: one for all levels if they agree."""
    if count == 1:
        return ("all",), np.zeros(1, dtype=int)
    if levels is None:
        return tuple(str(place + 1) for place in range(count)), np.arange(count)
    rows = _selected(levels)
    return _level_names(levels[rows]), rows


def _bandwidth_pairs(bandwidth: R3DBandwidth) -> Pairs:
    """The bandwidths and the rule they come from."""
    pairs = [
        ("Bandwidth", bandwidth_text(bandwidth.sides)),
        ("Bandwidth, treatment", _treatment_text(bandwidth)),
        ("Selector", bandwidth.selector),
        ("Units", str(bandwidth.n_units)),
    ]
    return tuple((name, value) for name, value in pairs if value is not None)


def _pilot_pairs(bandwidth: R3DBandwidth) -> Pairs:
    """What the rule was fed; nothing if the bandwidth was given."""
    pilot = bandwidth.pilot
    pairs = [
        (
            "Pilot bandwidth",
            None if pilot is None else bandwidth_text(bandwidth.by_side(pilot)),
        ),
        ("Pilot, treatment", _short(bandwidth.pilot_treatment)),
        ("Density at the cutoff", _short(bandwidth.density)),
    ]
    return tuple((name, value) for name, value in pairs if value is not None)


def test_table(test: TestTable) -> Table:
    """Summary of a test, one line per range of levels."""
    ends = _level_names(np.array(test.ranges, dtype=float).ravel())
    columns = [
        tuple(
            f"{low} to {high}" for low, high in zip(ends[::2], ends[1::2], strict=True)
        ),
        _aligned(test.statistic),
        _aligned(test.critical_value),
        tuple(map(p_value, test.p_value)),
        tuple(map(p_value, test.p_adjusted)),
    ]
    return Table(
        title=f"{test.name[:1].upper()}{test.name[1:]} Test",
        columns=("levels", "statistic", "critical value", "p-value", "p adjusted"),
        rows=tuple(zip(*columns, strict=True)),
        notes=(
            f"Null hypothesis: {test.hypothesis}.",
            f"Critical values are those of level {_percent(1 - test.confidence)}; "
            "adjusted p-values account for the number of ranges (Holm).",
        ),
    )


def describe_effect(result: R3DResult, confidence: float) -> str:
    """Say in words what a figure of the effect shows."""
    places = decimals(float(np.median(result.std_error)))
    low, high = _level_names(result.levels[[0, -1]])
    whose = "" if result.first_stage is None else " for units that comply"
    near = np.unique(np.abs(result.levels[:, None] - (0.1, 0.5, 0.9)).argmin(axis=0))
    at = [
        f"{number(result.effect[place], places)} (standard error "
        f"{number(result.std_error[place], places)}) at level {name}"
        for place, name in zip(near, _level_names(result.levels[near]), strict=True)
    ]
    below, above = result.n_effective
    sentences = [
        f"Crossing the cutoff changes the average quantile function{whose} by "
        f"{_listed(at)}",
        _band_sentence(result, confidence),
        f"The estimate rests on {below} units below and {above} above the cutoff",
    ]
    if result.levels.size > 1:
        sentences[2:2] = [
            f"Averaged over levels {low} to {high} the effect is "
            f"{number(result.average_effect, places)} (standard error "
            f"{number(result.average_std_error, places)})"
        ]
        sentences.append(
            "Whether the effect is the same at all levels is for homogeneity_test to "
            "say"
        )
    return ". ".join(sentences) + "."


def _band_sentence(result: R3DResult, confidence: float) -> str:
    """Where the uniform band leaves zero out."""
    low, high = result.band(confidence)
    found = [
        f"lies {side} zero at levels {_listed(stretches)}"
        for side, where in (("above", low > 0), ("below", high < 0))
        if (stretches := _stretches(result.levels, where))
    ]
    band = f"The {_percent(confidence)} uniform band"
    if not found:
        return f"{band} contains zero at every level"
    outside = int(np.sum((low > 0) | (high < 0)))
    rest = "" if outside == result.levels.size else ", and contains zero at all others"
    return f"{band} {' and '.join(found)}{rest}"


def _stretches(levels: np.ndarray, where: np.ndarray) -> list[str]:
    """Runs of neighbouring levels that satisfy a condition, as texts."""
    names = _level_names(levels)
    edges = np.flatnonzero(np.diff(where.astype(int), prepend=0, append=0))
    return [
        names[first] if last == first + 1 else f"{names[first]} to {names[last - 1]}"
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def _listed(parts: Sequence[str]) -> str:
    """Parts joined as in a sentence."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
