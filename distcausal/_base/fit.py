"""What every result shares: frozen arrays, comparison by value, JSON, five formats.

A result outlives the data, the session and the machine that made it, so it is a frozen
dataclass of NumPy arrays and plain values. NumPy forgets that an array is read-only
when it is copied or pickled; the base class says so again whenever a state arrives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np

from distcausal._base.table import Table
from distcausal.errors import DataError

__all__ = ["Record", "Result", "same"]


class Record:
    """Base of frozen dataclasses whose fields are arrays and plain values.

    Subclasses are declared with ``@dataclass(frozen=True, eq=False, kw_only=True)``.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.__setstate__(vars(self).copy())

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update({name: _read_only(value) for name, value in state.items()})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return same(_fields(self), _fields(other))

    def to_json(self) -> str:
        """Write everything the object holds as JSON, numbers to the last digit.

        Raises
        ------
        DataError
            If it holds what JSON has no form for, such as a function.
        """
        return json.dumps(_encode(self), default=_refused)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote.

        Raises
        ------
        DataError
            If the text is not what `to_json` wrote, or describes another kind of
            object.
        """
        try:
            found = _decode(json.loads(text))
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(
                f"the text is not what to_json wrote ({type(error).__name__}: {error})."
                f" Hand over the text itself, as in {cls.__name__}.from_json("
                "Path(...).read_text())."
            ) from error
        if not isinstance(found, cls):
            raise DataError(
                f"the text holds a {type(found).__name__}, not a {cls.__name__}. "
                f"Read it with {type(found).__name__}.from_json."
            )
        return found


class Result(Record):
    """A `Record` that people look at: one summary, shown in every format.

    Attributes
    ----------
    cite_as
        Name under which `distcausal.cite` knows the papers behind the result.
    """

    cite_as: ClassVar[str]

    def summary(self) -> Table:
        """Return the printable table; each kind of result builds its own."""
        raise NotImplementedError

    def to_latex(self) -> str:
        """Write the summary as a LaTeX table that needs only booktabs."""
        return self.summary().as_latex()

    def to_markdown(self) -> str:
        """Write the summary as Markdown."""
        return self.summary().as_markdown()

    def cite(self) -> str:
        """Return BibTeX of the package and of the papers behind the method."""
        from distcausal._base.citation import cite

        return cite(self.cite_as)

    def __str__(self) -> str:
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def same(one: object, other: object) -> bool:
    """Whether two values are equal, arrays by content, containers by their parts."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _same_array(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and type(one) is type(other):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(a, b) for a, b in pairs)
    if is_dataclass(one) and type(one) is type(other):
        return same(_fields(one), _fields(other))
    return type(one) is type(other) and (
        one == other or (one != one and other != other)
    )


def _same_array(one: object, other: object) -> bool:
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return False
    missing = one.dtype.kind in "fc" and other.dtype.kind in "fc"
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=missing)


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _read_only(value: Any) -> Any:
    """Array, or mapping of arrays, that nobody else can write to; else the value."""
    if isinstance(value, dict):
        return {key: _read_only(part) for key, part in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    array = value if not value.flags.writeable and value.base is None else value.copy()
    array.flags.writeable = False
    return array


def _encode(value: Any) -> Any:
    """Value as JSON has it; what JSON lacks becomes an object that names its kind."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return {"tuple": [_encode(part) for part in value]}
    if isinstance(value, list):
        return [_encode(part) for part in value]
    if isinstance(value, Mapping):
        return {"mapping": [[_encode(k), _encode(v)] for k, v in value.items()]}
    named = isinstance(value, tuple)
    if named or (is_dataclass(value) and not isinstance(value, type)):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        parts = value._asdict() if named else _fields(value)
        return {"kind": kind, "fields": {k: _encode(v) for k, v in parts.items()}}
    return value


def _refused(value: object) -> None:
    """Say what JSON has no form for."""
    name = getattr(value, "__name__", repr(value))
    raise DataError(
        f"the object holds {name}, a {type(value).__name__}, which cannot be written "
        "as JSON. Pickle the object, or keep its tables."
    )


def _decode(value: Any) -> Any:
    """Undo `_encode`; only classes of this package are ever looked up."""
    if isinstance(value, list):
        return [_decode(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.array(value["array"], value["dtype"]).reshape(value["shape"])
    if "tuple" in value:
        return tuple(_decode(part) for part in value["tuple"])
    if "mapping" in value:
        return {_decode(key): _decode(part) for key, part in value["mapping"]}
    module, _, name = value["kind"].partition(":")
    if module.partition(".")[0] != __name__.partition(".")[0]:
        raise DataError(f"the text asks for {name} of {module}, which is not ours.")
    parts = {key: _decode(part) for key, part in value["fields"].items()}
    return getattr(import_module(module), name)(**parts)
