"""What must be true of the data, said in the user's words.

A defect in the data is cheapest at the door: later it is a NaN in a band, or a number
that looks right. Each check states the rule, the fact (which units, how many) and the
remedy; none returns a verdict, so a caller cannot forget to look at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches

import numpy as np

from distcausal.errors import DataError, check_choice, listing
from distcausal.numerics.quantile import RULES, WEIGHTED_RULES

__all__ = [
    "check_constant_within_units",
    "check_curves",
    "check_finite",
    "check_length",
    "check_levels",
    "check_mass",
    "check_rule",
    "check_unique",
    "check_weights",
    "distinct",
    "known_name",
]

# Differences and sums of two such numbers still fit in a double.
LARGEST = np.finfo(float).max / 4
# Curves are often published rounded, or computed by interpolation that rounds.
SLACK = 1e-9
MASS_SLACK = 1e-8
BLOCK = 1 << 17


def known_name(name: str, known: Sequence[str], what: str) -> str:
    """Return the name if it is known, else raise, offering the nearest one."""
    if name in known:
        return name
    near = get_close_matches(name, [str(one) for one in known], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    have = listing((repr(one) for one in known), most=12) or "none"
    raise DataError(f"{what} {name!r} is not among the columns ({have}).{hint}")


def check_rule(rule: str, *, weighted: bool) -> None:
    """Raise unless the quantile rule exists and has a meaning for such data."""
    check_choice("quantile_rule", rule, RULES)
    if weighted and rule not in WEIGHTED_RULES:
        raise DataError(
            f"quantile_rule {rule!r} has no meaning for weighted draws. Use one of "
            f"{', '.join(map(repr, WEIGHTED_RULES))}, or leave the weights out."
        )


def check_levels(levels: object, argument: str = "levels") -> np.ndarray:
    """Return quantile levels as an array, strictly increasing in (0, 1)."""
    try:
        array = np.atleast_1d(np.asarray(levels, dtype=float))
    except (TypeError, ValueError) as fault:
        raise DataError(
            f"{argument} should be a list of numbers, but is {levels!r}."
        ) from fault
    if array.ndim != 1 or array.size == 0:
        raise DataError(
            f"{argument} should be a list of quantile levels, but has shape "
            f"{array.shape}."
        )
    outside = array[~((array > 0) & (array < 1))]
    if outside.size:
        raise DataError(
            f"{argument} should lie strictly between 0 and 1, but {outside.size} of "
            f"{array.size} do not ({listing(outside.tolist())}). Percentages need "
            "dividing by 100; the least and greatest draw have no level."
        )
    falls = np.flatnonzero(np.diff(array) <= 0)
    if falls.size:
        pair = f"{array[falls[0]]:g} is followed by {array[falls[0] + 1]:g}"
        raise DataError(
            f"{argument} should be strictly increasing, but {pair}. "
            "Sort them and drop repeats: numpy.unique does both."
        )
    return array


def check_length(argument: str, length: int, units: int, what: str = "units") -> None:
    """Raise unless something recorded once per unit has one entry per unit."""
    if length != units:
        raise DataError(
            f"{argument} should have one entry for each of the {units} {what}, but has "
            f"{length}."
        )


def check_unique(ids: np.ndarray, argument: str = "ids") -> None:
    """Raise if a label occurs twice, naming it."""
    counts = Counter(ids.tolist())
    repeated = [label for label, count in counts.items() if count > 1]
    if repeated:
        raise DataError(
            f"{argument} should hold each label once, but {len(repeated)} of "
            f"{len(counts)} are repeated ({listing(repeated)}). Make them unique; "
            "draws of one unit in several rows are gathered by from_frame."
        )


def distinct(labels: np.ndarray) -> np.ndarray:
    """Labels without repeats, in order of appearance: some kinds have no order."""
    return np.array(list(dict.fromkeys(labels.tolist())), dtype=labels.dtype)


def row_labels(ids: np.ndarray, width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Label of the row in which each entry of a flattened matrix lies."""
    return lambda at: ids[at // width]


def check_finite(
    name: str,
    values: np.ndarray,
    label: Callable[[np.ndarray], np.ndarray],
    remedy: str,
) -> None:
    """Raise if an entry is missing, infinite or too large to subtract.

    ``label`` turns positions of entries into the labels of their units; it is called
    only to name offenders.
    """
    if values.size == 0 or (
        values.max() <= LARGEST and values.min() >= -LARGEST
    ):  # false also where a NaN makes both comparisons false
        return
    gone = ~np.isfinite(values)
    if gone.any():
        broken = distinct(label(np.flatnonzero(gone)))
        raise DataError(
            f"{name} should be finite, but {int(gone.sum())} of {values.size} entries "
            f"are missing or infinite, in {broken.size} units "
            f"({listing(broken.tolist())}). {remedy}"
        )
    broken = distinct(label(np.flatnonzero(np.abs(values) > LARGEST)))
    raise DataError(
        f"{name} holds numbers beyond {LARGEST:.1e} in units "
        f"{listing(broken.tolist())}: differences of two would overflow. Rescale them."
    )


def check_weights(
    name: str, weights: np.ndarray, offsets: np.ndarray, ids: np.ndarray
) -> None:
    """Raise if a weight is negative or a unit's weights are all zero.

    Missing weights are found by `check_finite` before.
    """
    if weights.min() < 0:
        units = np.repeat(ids, np.diff(offsets))[weights < 0]
        raise DataError(
            f"{name} should not be negative, but {units.size} of {weights.size} "
            f"entries are, in units {listing(distinct(units).tolist())}. Drop these "
            "rows or correct the weights."
        )
    empty = ids[np.add.reduceat(weights, offsets[:-1]) == 0]
    if empty.size:
        raise DataError(
            f"{name} should be positive somewhere in every unit, but is zero "
            f"throughout {empty.size} of {ids.size} units ({listing(empty.tolist())}). "
            "Drop these units or give them weight."
        )


def check_constant_within_units(
    name: str,
    codes: np.ndarray,
    column: np.ndarray,
    first: np.ndarray,
    ids: np.ndarray,
) -> None:
    """Raise if a column recorded once per observation varies within a unit.

    Parameters
    ----------
    name
        Name of the column.
    codes
        Number of each row's unit.
    column
        The column, one entry per row.
    first
        A row of each unit, with which its other rows are compared.
    ids
        Labels of the units.
    """
    expected = column[first]
    strays = column != expected[codes]
    if column.dtype.kind in "fc":
        strays &= ~(np.isnan(column) & np.isnan(expected)[codes])
    if not strays.any():
        return
    broken = ids[np.unique(codes[strays])]
    if column.dtype.kind in "fc":
        lacking = ids[np.unique(codes[strays & np.isnan(column - expected[codes])])]
        if lacking.size == broken.size:
            raise DataError(
                f"column {name!r} should be the same for all observations of a unit, "
                f"but is missing in some rows of {broken.size} of {ids.size} units "
                f"({listing(broken.tolist())}). Fill them in, or drop those rows."
            )
    raise DataError(
        f"column {name!r} should be the same for all observations of a unit, but "
        f"varies within {broken.size} of {ids.size} units "
        f"({listing(broken.tolist())}). Use it as the value, or aggregate it first."
    )


def check_curves(curves: np.ndarray, ids: np.ndarray, levels: np.ndarray) -> bool:
    """Raise unless every quantile curve is finite and nondecreasing up to rounding.

    Works through the rows in blocks, so that it adds nothing to the memory held.

    Returns
    -------
    Whether some curve decreases, by no more than rounding.
    """
    rough = False
    broken: list[np.ndarray] = []
    step = max(1, BLOCK // len(levels))
    for start in range(0, len(curves), step):
        block = curves[start : start + step]
        rows = ids[start : start + step]
        check_finite(
            "curves",
            block.ravel(),
            row_labels(rows, len(levels)),
            "Drop these units, or interpolate the missing quantiles.",
        )
        fall = -np.diff(block, axis=1).min(axis=1, initial=np.inf)
        if fall.max() <= 0:
            continue
        rough = True
        span = block.max(axis=1) - block.min(axis=1)
        broken.append(rows[fall > SLACK * span])
    names = np.concatenate(broken) if broken else np.empty(0)
    if names.size:
        raise DataError(
            f"quantile curves should not decrease in the level, but those of "
            f"{names.size} of {len(curves)} units do ({listing(names.tolist())}). "
            'Use repair="project" for the nearest nondecreasing curves, or '
            'repair="rearrange" to sort them.'
        )
    return rough


def check_mass(mass: np.ndarray, ids: np.ndarray, parts: str) -> None:
    """Raise unless every row of masses is finite, nonnegative and sums to one."""
    check_finite(
        "mass",
        mass.ravel(),
        row_labels(ids, mass.shape[1]),
        f"Write 0 for {parts} that hold nothing.",
    )
    negative = ids[(mass < 0).any(axis=1)]
    if negative.size:
        raise DataError(
            f"mass should not be negative, but is in {negative.size} of {ids.size} "
            f"units ({listing(negative.tolist())})."
        )
    total = mass.sum(axis=1)
    off = np.abs(total - 1) > MASS_SLACK
    if off.any():
        worst = ids[np.argmax(np.abs(total - 1))]
        raise DataError(
            f"mass should sum to 1 over the {parts} of each unit, but does not in "
            f"{int(off.sum())} of {ids.size} units ({listing(ids[off].tolist())}); it "
            f"sums to {total[np.argmax(np.abs(total - 1))]:.6g} in {worst}. Divide "
            "counts by their sum: mass / mass.sum(axis=1, keepdims=True)."
        )
