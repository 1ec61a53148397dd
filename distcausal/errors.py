"""Every error and warning the package raises, under one base class of each kind.

A person who wants to catch "anything distcausal says about my input" catches
`DistCausalError`; it is a `ValueError`, so code that knows nothing of this package
catches it too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import FrameType
from warnings import warn

__all__ = [
    "ComplexityError",
    "ConditioningError",
    "ConvergenceError",
    "DataError",
    "DataWarning",
    "DesignError",
    "DistCausalError",
    "DistCausalWarning",
    "GraphError",
    "IdentificationError",
    "InferenceWarning",
    "KeyError_",
    "ModelError",
    "PositivityError",
    "QueryError",
    "SyntaxError_",
    "TypeError_",
    "check_choice",
    "listing",
    "warn_user",
]


class DistCausalError(ValueError):
    """Base class of all errors raised on purpose by distcausal."""


class DataError(DistCausalError):
    """The data break a rule; the message names units, columns and the remedy."""


class KeyError_(DataError, KeyError):
    """A unit names an image that there is none of; the message lists such keys."""

    # KeyError would show the message in quotes.
    __str__ = DataError.__str__


class DesignError(DistCausalError):
    """An argument, or its combination with the data, leaves nothing to estimate."""


class IdentificationError(DistCausalError):
    """The quantity asked for is not identified; the message names the obstruction."""


class ConvergenceError(DistCausalError):
    """An iterative method stopped before it met its own criterion."""


class GraphError(DistCausalError):
    """A causal graph breaks a rule: a cycle, a loop, a name used twice."""


class QueryError(DistCausalError):
    """A question about a graph or model names what is not there, or contradicts itself.

    The message lists the names or states there are.
    """


class TypeError_(DistCausalError, TypeError):
    """Wires that should meet carry different types; both types are shown."""


class SyntaxError_(DistCausalError):
    """A diagram is not well formed, such as one name for boxes of two types."""


class ModelError(DistCausalError):
    """A model lacks what the question needs, such as noise that fixes every outcome."""


class PositivityError(DistCausalError):
    """A quantity divides by the probability of an event that never occurs."""


class ConditioningError(PositivityError):
    """The event conditioned on has probability zero."""


class ComplexityError(DistCausalError):
    """The answer would need an array larger than allowed; the message has the cost."""


class DistCausalWarning(UserWarning):
    """Base class of all warnings issued by distcausal."""


class DataWarning(DistCausalWarning):
    """Something about the data deserves a look before the result is believed."""


class InferenceWarning(DistCausalWarning):
    """Standard errors, bands or tests may not hold what they promise here."""


def listing(names: Iterable[object], most: int = 5) -> str:
    """Name the first few offenders and count the rest, for messages."""
    shown = [str(name) for name in names]
    if len(shown) <= most:
        return ", ".join(shown)
    return ", ".join(shown[:most]) + f" and {len(shown) - most} more"


def check_choice(argument: str, value: object, choices: Sequence[object]) -> None:
    """Raise `DesignError` unless ``value`` is one of the choices, which it lists."""
    if value not in choices:
        offered = ", ".join(repr(choice) for choice in choices)
        raise DesignError(f"{argument} {value!r} is not one of {offered}.")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line outside the package that led here, however deep this is."""
    frame: FrameType | None = sys._getframe()
    depth = 0
    while frame is not None and _inside(frame):
        depth, frame = depth + 1, frame.f_back
    warn(message, category, stacklevel=depth + 1)


def _inside(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return bool(name.partition(".")[0] == __name__.partition(".")[0])
