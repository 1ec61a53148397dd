"""Numbers that describe spaces and measures, checked where they are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from distcausal.errors import DesignError

__all__ = ["check_room", "finite_number", "finite_numbers", "numbers_in"]

_MOST_NUMBERS = 60_000_000  # half a gigabyte; a table for draws has two such arrays


def check_room(what: str, functions: int, cells: int) -> None:
    """Refuse tables of functions on cells that would not fit in memory.

    Raises
    ------
    DesignError
        If they would hold more than sixty million numbers.
    """
    if functions * cells > _MOST_NUMBERS:
        raise DesignError(
            f"{functions} {what} on {cells} cells are a table of more than "
            f"{_MOST_NUMBERS} numbers. Use fewer functions of a variable, or functions "
            "with fewer waves or knots."
        )


def numbers_in(value: Any) -> np.ndarray:
    """Return an array of numbers, or one that is none if it holds anything else."""
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return np.array(np.nan)


def finite_numbers(name: str, value: Any, count: int) -> list[float]:
    """Return so many finite numbers.

    Raises
    ------
    DesignError
        If they are not.
    """
    found = np.atleast_1d(numbers_in(value))
    if found.shape != (count,) or not np.isfinite(found).all():
        wanted = "a finite number" if count == 1 else f"{count} finite numbers"
        raise DesignError(f"{name} {value!r} should be {wanted} where it is used.")
    return found.tolist()


def finite_number(name: str, value: Any, *, positive: bool = False) -> float:
    """Return a finite number, positive if that is asked for.

    Raises
    ------
    DesignError
        If it is not.
    """
    (found,) = finite_numbers(name, value, 1)
    if positive and not found > 0:
        raise DesignError(f"{name} {value!r} should be positive.")
    return found
