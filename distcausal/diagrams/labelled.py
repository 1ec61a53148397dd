"""An array whose axes have names and whose places have labels.

Answers about named variables are tables: one axis per variable, one place per state.
Keeping the names with the numbers means that nobody has to remember an axis order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.space import Space, check_states
from distcausal.errors import DataError, QueryError, listing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LabelledArray"]


@dataclass(frozen=True, eq=False, repr=False)
class LabelledArray(Record):
    """Numbers with a named axis per variable.

    Parameters
    ----------
    values
        Array of any shape, stored as read-only float64.
    axes
        For each axis in order, its name and the labels of its places.

    Raises
    ------
    DataError
        If names and shape disagree.

    Examples
    --------
    >>> import distcausal as dc
    >>> table = dc.LabelledArray([[0.2, 0.3], [0.1, 0.4]], {"S": (0, 1), "C": (0, 1)})
    >>> float(table.sel(S=1, C=1))
    0.4
    >>> table.sum("C").values
    array([0.5, 0.5])
    """

    values: np.ndarray
    axes: Mapping[str, tuple[Hashable, ...]]

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        axes = {str(n): check_states(str(n), s) for n, s in dict(self.axes).items()}
        shape = tuple(len(labels) for labels in axes.values())
        if shape != values.shape:
            raise DataError(
                f"axes {dict(zip(axes, shape, strict=True))} call for an array of "
                f"shape {shape}, but the values have shape {values.shape}."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", axes)
        super().__post_init__()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes, in order."""
        return tuple(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of labels of each axis."""
        return self.values.shape

    def space(self, name: str) -> Space:
        """Space of one axis."""
        self._check(name)
        return Space(name, self.axes[name])

    def sel(
        self, labels: Mapping[str, Hashable] | None = None, /, **more: Hashable
    ) -> LabelledArray:
        """Fix axes at labels; the axes fixed are gone from what is returned."""
        chosen = {**(labels or {}), **more}
        places = {n: self.space(n).position(label) for n, label in chosen.items()}
        index = tuple(places.get(name, slice(None)) for name in self.axes)
        kept = {n: labels for n, labels in self.axes.items() if n not in places}
        return LabelledArray(self.values[index], kept)

    def transpose(self, names: Iterable[str]) -> LabelledArray:
        """Put the axes into another order; all of them are named."""
        wanted = tuple(names)
        for name in wanted:
            self._check(name)
        if sorted(wanted) != sorted(self.axes):
            raise QueryError(
                f"an order of the axes {listing(self.axes)} should name each once; "
                f"got {listing(wanted)}."
            )
        order = [self.names.index(name) for name in wanted]
        return LabelledArray(
            self.values.transpose(order), {n: self.axes[n] for n in wanted}
        )

    def sum(self, names: str | Iterable[str]) -> LabelledArray:
        """Add over the axes named."""
        gone = (names,) if isinstance(names, str) else tuple(names)
        for name in gone:
            self._check(name)
        places = tuple(self.names.index(name) for name in gone)
        kept = {n: labels for n, labels in self.axes.items() if n not in gone}
        return LabelledArray(self.values.sum(axis=places), kept)

    def to_frame(self, value: str = "value") -> pd.DataFrame:
        """Write one row per entry: a column per axis and one for the number."""
        import pandas as pd

        index = pd.MultiIndex.from_product(
            [list(labels) for labels in self.axes.values()] or [[0]],
            names=list(self.axes) or None,
        )
        frame = pd.DataFrame({value: self.values.ravel()}, index=index)
        return frame.reset_index(drop=not self.axes)

    def _check(self, name: str) -> None:
        if name not in self.axes:
            raise QueryError(
                f"there is no axis {name!r}; the axes are {listing(self.axes, 12)}."
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self.values if dtype is None else self.values.astype(dtype)
        return found.copy() if copy else found

    def __float__(self) -> float:
        return float(self.values)

    def __repr__(self) -> str:
        if not self.axes:
            return f"LabelledArray({self.values:.6g})"
        sizes = ", ".join(f"{name}: {len(at)}" for name, at in self.axes.items())
        shown = np.array2string(self.values, precision=6, threshold=60)
        return f"LabelledArray({sizes})\n{shown}"
