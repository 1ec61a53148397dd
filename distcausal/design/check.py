"""What must be true of the numbers a design is given, said in the user's words."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from distcausal.errors import DataError, DesignError, check_choice, listing

__all__ = [
    "Weight",
    "features_and_mass",
    "numbers",
    "optimal_share",
    "probabilities",
    "responses",
    "shares",
    "whole_number",
]

Weight = Literal["christoffel", "one"] | float
_NO_NUMBERS = {"M": "dates", "m": "durations", "U": "text", "S": "text"}
_LEAST_SHARE = 1e-300
_SHARES: dict[object, float] = {"christoffel": 1.0, "one": 0.0}


def features_and_mass(
    features: Any, mass: Any, *, least: int | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Float64 features, masses that sum to one, and names of the features.

    Parameters
    ----------
    features, mass
        As the user gave them.
    least
        How many points should have mass; as many as features if left out.

    Raises
    ------
    DataError
        If either breaks a rule; the message names rows or columns.
    """
    columns = numbers("features", features)
    if columns.ndim != 2 or 0 in columns.shape:
        raise DataError(
            "features should be a matrix with one row per point and one column per "
            f"feature; got shape {columns.shape}."
        )
    given = getattr(features, "columns", None)
    names = (
        tuple(f"column {place}" for place in range(columns.shape[1]))
        if given is None
        else tuple(str(name) for name in given)
    )
    broken = ~np.isfinite(columns)
    if broken.any():
        rows, places = np.nonzero(broken)
        raise DataError(
            f"features should be finite; {len(rows)} are missing or infinite, in "
            f"{listing(dict.fromkeys(names[place] for place in places))}, first in row "
            f"{rows[0]}. Remove or fill them."
        )
    points, functions = columns.shape
    wanted = functions if least is None else least
    return columns, probabilities(mass, (points, wanted)), names


def probabilities(mass: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Masses divided by their sum."""
    points, functions = shape
    weight = shares("mass", mass, points)
    positive = int(np.count_nonzero(weight))
    if positive < functions:
        raise DataError(
            f"a space of {functions} features needs at least {functions} points with "
            f"mass; there are {positive}. Remove features or add points."
        )
    return weight


def shares(name: str, given: Any, points: int) -> np.ndarray:
    """Nonnegative numbers divided by their sum, equal ones if none are given.

    Those below 1e-300 of the largest count as zero.

    Raises
    ------
    DataError
        If their number is wrong, one is negative, missing or infinite, or all are zero.
    """
    weight = np.ones(points) if given is None else numbers(name, given)
    if weight.shape != (points,):
        raise DataError(
            f"{name} should have one entry for each of the {points} points; got shape "
            f"{weight.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if wrong.size:
        raise DataError(
            f"{name} should be finite and not negative; {wrong.size} of {points} are "
            f"not (points {listing(wrong.tolist())})."
        )
    if not weight.any():
        raise DataError(f"{name} should be positive somewhere; all of it is zero.")
    # Dividing by the largest first keeps sums of huge weights finite.
    weight = weight / weight.max()
    # Densities with respect to smaller ones would leave the range of the numbers.
    weight[weight < _LEAST_SHARE] = 0.0
    return weight / weight.sum()


def responses(y: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Values at the points, shape ``(*shape, response)``.

    Raises
    ------
    DataError
        If the shape does not fit the points, or a value is missing or infinite.
    """
    values = numbers("y", y)
    leading = values.shape[: len(shape)]
    if leading != shape or values.ndim not in (len(shape), len(shape) + 1):
        wanted = ", ".join(map(str, shape))
        raise DataError(
            f"y should have shape ({wanted}), one value for each point, or "
            f"({wanted}, q) for q values each; got {values.shape}."
        )
    if values.ndim == len(shape):
        values = values[..., None]
    if values.shape[-1] == 0:
        raise DataError(
            f"y should hold at least one value for each point; its shape "
            f"{values.shape} has none. Leave out the last axis for single numbers."
        )
    broken = ~np.isfinite(values).all(axis=-1)
    if broken.any():
        places = [
            str(place[0] if len(place) == 1 else tuple(place))
            for place in np.argwhere(broken).tolist()
        ]
        raise DataError(
            f"y should be finite; it is missing or infinite at {len(places)} of "
            f"{broken.size} points ({listing(places)}). Dropping points would change "
            "the law of the design: repair the evaluations, or draw another design."
        )
    return values


def whole_number(name: str, value: Any, least: int) -> int:
    """Return an integer of at least ``least``.

    Raises
    ------
    DesignError
        If it is none.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise DesignError(
            f"{name} {value!r} should be a whole number, {least} or more."
        )
    return int(value)


def optimal_share(weight: object) -> float:
    """Share of the optimal density that a weight stands for.

    Raises
    ------
    DesignError
        If it is neither a name nor a number from 0 to 1.
    """
    if isinstance(weight, str):
        check_choice("weight", weight, tuple(_SHARES))
        return _SHARES[weight]
    number = isinstance(weight, int | float | np.number) and not isinstance(
        weight, bool
    )
    if not number or not 0 <= float(weight) <= 1:  # type: ignore[arg-type]
        raise DesignError(
            f"weight {weight!r} should be 'christoffel', 'one', or a number from 0 to "
            "1, the share of the optimal density: then 1/w integrates to one."
        )
    return float(weight)  # type: ignore[arg-type]


def numbers(name: str, given: Any) -> np.ndarray:
    """Float64 array, or an error that says what came instead."""
    if np.iscomplexobj(given):
        raise DataError(
            f"{name} should be real numbers, but is complex. Fit the real and the "
            "imaginary part as two values."
        )
    masked = (
        int(np.ma.count_masked(given)) if isinstance(given, np.ma.MaskedArray) else 0
    )
    if masked:
        raise DataError(
            f"{name} should have a number everywhere; {masked} of {given.size} are "
            "masked. Fill or remove them first: what a mask hides is not used."
        )
    try:
        kind = np.asarray(given).dtype.kind
        if kind not in _NO_NUMBERS:
            return np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} should be numbers: {error}.") from error
    raise DataError(
        f"{name} should be numbers, but holds {_NO_NUMBERS[kind]}. Convert it first, "
        "dates and durations to a unit of your choice."
    )
