"""Covariates, weights and arms of a trial, from columns to numbers.

What a person hands over may be a name, several names, an array or a mapping; what the
model needs is one matrix of numbers. Covariates leave in standard deviations from their
mean, so that neither their unit nor their origin has a say in what is found: the priors
of the model are written for columns of that size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import unit_column
from distcausal.errors import DataError, DataWarning, DesignError, listing, warn_user

__all__ = [
    "read_arms",
    "read_coords",
    "read_covariates",
    "read_weights",
    "refuse_outcome",
    "standardised",
    "warn_scale",
]

_STILL = 1e-12  # spread of a column, relative to its largest value, that is rounding
_EXACT = 1e-9  # relative to a column's spread
_FACTOR = 2.0  # between the sum of weights and the number of units, before a warning


def read_arms(label: np.ndarray, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    """Arm of every unit as 0 and 1, and which units are in the arms compared."""
    found = np.unique(label).tolist()
    if reference is None:
        if not np.isin(found, [0, 1]).all():
            raise DesignError(
                f"treatment should be 0 or 1, but holds {listing(found)}. Name the two "
                f"arms to compare, untreated first, {_such_as(found)}."
            )
        return label.astype(float), np.ones(len(label), bool)
    listed = isinstance(reference, Sequence | np.ndarray)
    pair = [] if isinstance(reference, str) or not listed else list(reference)
    if len(pair) != 2:
        raise DesignError(
            f"reference {reference!r} should be two arms, untreated first, "
            f"{_such_as(found)}."
        )
    for arm in pair:
        if arm not in found:
            raise DesignError(
                f"reference names arm {arm!r}, which is not among {listing(found)}."
            )
    untreated, treated = pair
    if untreated == treated:
        raise DesignError(
            f"reference names arm {treated!r} twice; an arm cannot be compared to "
            f"itself. Name two of {listing(found)}."
        )
    return (label == treated).astype(float), (label == untreated) | (label == treated)


def _such_as(found: list[Any]) -> str:
    """Example of a reference, made of arms that are there if there are two."""
    if len(found) < 2:
        return "reference=(a, b)"
    return f"such as reference=({found[0]!r}, {found[1]!r})"


def read_covariates(
    data: RandomDistributions, value: Any
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Columns of numbers ``(unit, covariate)`` as given, and their names."""
    columns, names = [], []
    for name, part in _named(value, len(data)):
        column = unit_column(data, part, argument="covariates")
        if column.ndim != 1 or column.dtype.kind not in "biuf":
            raise DataError(
                f"covariate {name!r} should be numbers, one per unit, but holds "
                f"{column.dtype} of shape {column.shape}. {_recoded(column)}"
            )
        columns.append(column.astype(float))
        names.append(name)
    if not columns:
        return np.zeros((len(data), 0)), ()
    return np.stack(columns, axis=1), tuple(names)


def _recoded(column: np.ndarray) -> str:
    """How a column becomes numbers, one per unit."""
    if column.ndim != 1:
        return "Name each of its columns on its own."
    if column.dtype.kind in "mM":
        return "Turn dates into numbers, such as days since the first of them."
    return "Code categories as 0 and 1."


def _named(value: Any, units: int) -> list[tuple[str, Any]]:
    """Each covariate with its name; arrays are named by their place."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [(str(name), part) for name, part in value.items()]
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return [(f"x{j + 1}", value[:, j]) for j in range(value.shape[1])]
    if isinstance(value, str) or _one_column(value, units):
        value = [value]
    if not isinstance(value, Iterable):
        raise DataError(
            "covariates should be names of columns or arrays with one row per unit, "
            f"not {value!r}."
        )
    found = [
        (part if isinstance(part, str) else f"x{j + 1}", part)
        for j, part in enumerate(value)
    ]
    twice = {name for j, (name, _) in enumerate(found) if name in dict(found[:j])}
    if twice:
        raise DataError(
            f"covariates should have names of their own, but {listing(sorted(twice))} "
            "occurs more than once. Name each column once."
        )
    return found


def _one_column(value: Any, units: int) -> bool:
    """Whether this is one array with an entry per unit, not several covariates."""
    if hasattr(value, "__array__"):
        return np.ndim(value) == 1 and len(value) == units
    numbers = isinstance(value, list | tuple) and len(value) == units
    return numbers and all(isinstance(one, int | float | np.number) for one in value)


def standardised(
    columns: np.ndarray, names: tuple[str, ...], weights: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Columns in standard deviations from their weighted mean, constants left out.

    Warns
    -----
    DataWarning
        Naming the columns that do not vary.
    """
    share = weights / weights.sum()
    largest = np.abs(columns).max(axis=0, initial=0.0)
    # Squares of what is of another size than one could leave the range of numbers.
    scaled = columns / np.where(largest > 0, largest, 1.0)
    centred = scaled - share @ scaled
    spread = np.sqrt(share @ centred**2)
    varies = spread > _STILL
    if not varies.all():
        still = [name for name, moves in zip(names, varies, strict=True) if not moves]
        warn_user(
            f"covariates that do not vary say nothing and are left out: "
            f"{listing(still)}.",
            DataWarning,
        )
    kept = tuple(name for name, moves in zip(names, varies, strict=True) if moves)
    return centred[:, varies] / spread[varies], kept


def refuse_outcome(
    covariates: np.ndarray,
    names: tuple[str, ...],
    outcome: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Raise `DataError` if a standardised covariate is the outcome but for its unit."""
    share = weights / weights.sum()
    moved = outcome - share @ outcome
    whole = share @ moved**2
    copies = []
    for name, column in zip(names, covariates.T, strict=True):
        rest = moved - np.outer(column, (share * column) @ moved)
        if ((whole > 0) & (share @ rest**2 <= _EXACT**2 * whole)).any():
            copies.append(name)
    if copies:
        raise DataError(
            f"covariates may not contain the outcome: {listing(copies)} (an affine "
            "copy of it). Leave these columns out."
        )


def read_weights(data: RandomDistributions, value: Any) -> np.ndarray:
    """Nonnegative weight of every unit, 1 if none are given."""
    if value is None:
        return np.ones(len(data))
    found = unit_column(data, value, argument="weights")
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise DataError(
            f"weights should be one number per unit, but hold {found.dtype} of shape "
            f"{found.shape}. Name a column of numbers, or leave weights= out."
        )
    found = found.astype(float)
    unknown, negative = ~np.isfinite(found), found < 0
    wrong = unknown | (negative & ~unknown)
    if wrong.any():
        raise DataError(
            f"weights should be finite and nonnegative; of {len(data)} units, "
            f"{int(unknown.sum())} have none that is finite and "
            f"{int((negative & ~unknown).sum())} a negative one (units "
            f"{listing(data.ids[wrong].tolist())}). Correct them; 0 leaves a unit out."
        )
    if not found.any():
        raise DataError(
            f"weights should be finite and nonnegative, but are 0 for all {len(data)} "
            "units. Weigh some of them, or leave weights= out."
        )
    return found


def read_coords(coords: Any, labels: np.ndarray, what: str) -> np.ndarray:
    """Places as numbers ``(place, 2)``, one for each label.

    Parameters
    ----------
    coords
        As given.
    labels
        What has these places, named where one is not known.
    what
        What the labels are, in the plural, such as "images".

    Raises
    ------
    DataError
        If they are not two finite numbers for each label, or text.
    """
    count = len(labels)
    rule = f"coords should be two numbers for each of the {count} {what}"
    order = f"one row for each of the {what}, in their order"
    places = _numbers(coords)
    if places is None:
        raise DataError(
            f"{rule}, but are not numbers: {coords!r:.60}. Names of columns are not "
            f"looked up here: give the columns, as in frame[['lon', 'lat']], {order}."
        )
    if places.shape != (count, 2):
        raise DataError(
            f"{rule}; they have shape {places.shape}, not ({count}, 2). Give {order}."
        )
    lost = ~np.isfinite(places).all(axis=1)
    if lost.any():
        raise DataError(
            f"{rule}; {int(lost.sum())} of {count} have places that are missing or "
            f"infinite ({listing(labels[lost].tolist())}). Fill them in, or leave "
            "coords= out."
        )
    return places


def _numbers(value: Any) -> np.ndarray | None:
    """Array of real numbers; None if there is any text, or rows differ in length."""
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "biufO":
            return None
        if any(isinstance(one, str) for one in found.flat):
            return None
        return found.astype(float)
    except (TypeError, ValueError):
        return None


def warn_scale(weights: np.ndarray) -> None:
    """Warn where weights do not add up to about the number of units that have any."""
    total, units = float(weights.sum()), int((weights > 0).sum())
    if units / _FACTOR <= total <= _FACTOR * units:
        return
    warn_user(
        f"the weights of {units} units add up to {total:.4g}: the model's likelihood "
        "counts a weight as that many units, so its errors are those of "
        f"{total:.4g} units; the design-based errors know proportions only. Unless "
        "weights are numbers of units, divide them by their mean.",
        DataWarning,
    )
