"""Finite channels: a law over the output wires for every state of the input wires.

A table P(v | parents), a joint law, a copy, a function, an event observed: all are one
kind of array, so that composing them is one operation whatever they stand for. Input
axes come before output axes; a state of no input wires has output axes only, and
chaining channels is a sum over the wires where they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.rules import check_meet, check_rows, divided
from distcausal.diagrams.space import Space, Ty, as_type
from distcausal.errors import DataError, QueryError, listing

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.data.distributions import RandomDistributions

__all__ = ["ATOL", "Channel"]

ATOL = 1e-6  # published networks are rounded to seven digits; rows miss 1 by 1e-7
ROUNDING = 1e-12  # sums of a few thousand float64 numbers err by less


@dataclass(frozen=True, eq=False, repr=False)
class Channel(Record):
    """A law over ``cod`` for every state of ``dom``.

    ``f >> g`` feeds the outputs of f to g, ``f @ g`` puts them side by side.

    Parameters
    ----------
    values
        Probabilities with one axis per wire, those of ``dom`` first; stored as
        read-only float64.
    dom, cod
        Input and output wires: a `Space`, several joined by ``@``, or a list.
    partial
        Whether rows may sum to anything nonnegative, as those of an event do.
    support
        Truth value per row, shape ``dom.shape``: False where the row was filled in,
        because the input state never occurs. There, and only there, a row may be NaN.
        None where all rows are known.
    atol
        How far a sum may be from 1.
    renormalise
        Divide each row by its sum first.

    Raises
    ------
    DataError
        If the shape is not that of the wires, an entry is negative or NaN, or a row
        does not sum to 1; the message names the first such row.

    Examples
    --------
    >>> import distcausal as dc
    >>> smokes, tar = dc.Space("S", ("no", "yes")), dc.Space("T", (0, 1))
    >>> prior = dc.Channel([0.8, 0.2], [], smokes)
    >>> lungs = dc.Channel([[0.9, 0.1], [0.4, 0.6]], smokes, tar)
    >>> (prior >> lungs).values
    array([0.8, 0.2])
    >>> float(lungs.sel(S="yes", T=1))
    0.6
    """

    values: np.ndarray
    dom: Ty
    cod: Ty
    partial: bool = field(default=False, kw_only=True)
    support: np.ndarray | None = field(default=None, kw_only=True)
    atol: InitVar[float] = field(default=ATOL, kw_only=True)
    renormalise: InitVar[bool] = field(default=False, kw_only=True)

    def __post_init__(self, atol: float, renormalise: bool) -> None:
        for name in ("dom", "cod"):
            object.__setattr__(self, name, as_type(getattr(self, name)))
        (self.dom @ self.cod).shape  # noqa: B018  one name, one set of states, known
        values = np.asarray(self.values, dtype=float)
        shape = self.dom.shape + self.cod.shape
        if values.shape != shape:
            raise DataError(
                f"a channel {self.dom} -> {self.cod} should have shape {shape}, input "
                f"axes first, but its values have shape {values.shape}."
            )
        if renormalise:
            values = divided(values, len(self.dom))
        if self.support is not None:
            support = np.broadcast_to(np.asarray(self.support, bool), self.dom.shape)
            object.__setattr__(self, "support", support)
        object.__setattr__(self, "values", values)
        check_rows(
            values,
            self.dom,
            self.cod,
            support=self.support,
            partial=self.partial,
            atol=atol,
        )
        super().__post_init__()

    @classmethod
    def identity(cls, wires: object) -> Channel:
        """Give out what comes in."""
        ty = as_type(wires)
        return _rewired(ty, range(len(ty)))

    @classmethod
    def swap(cls, one: object, other: object) -> Channel:
        """Exchange two groups of wires."""
        left, right = as_type(one), as_type(other)
        second = range(len(left), len(left) + len(right))
        return _rewired(left @ right, [*second, *range(len(left))])

    @classmethod
    def copy(cls, wires: object, n: int = 2) -> Channel:
        """Give out ``n`` copies of what comes in; none is to discard it."""
        ty = as_type(wires)
        return _rewired(ty, [*range(len(ty))] * n)

    @classmethod
    def discard(cls, wires: object) -> Channel:
        """Forget what comes in."""
        return cls.copy(wires, 0)

    @classmethod
    def uniform(cls, wires: object) -> Channel:
        """Give every state the same probability."""
        ty = as_type(wires)
        return cls(np.full(ty.shape, 1 / prod(ty.shape)), Ty(), ty)

    @classmethod
    def point(cls, space: Space, state: Hashable) -> Channel:
        """Be in one state for sure."""
        values = np.zeros(space.size)
        values[space.position(state)] = 1.0
        return cls(values, Ty(), as_type(space))

    @classmethod
    def effect(cls, space: Space, state: Hashable) -> Channel:
        """Observe one state: partial, 1 at that input and 0 at the others."""
        point = cls.point(space, state)
        return cls(point.values, point.cod, Ty(), partial=True)

    @classmethod
    def from_function(cls, dom: object, cod: object, f: Callable[..., Any]) -> Channel:
        """Tabulate a function of states.

        Parameters
        ----------
        dom, cod
            Input and output wires.
        f
            Takes one state per input wire and returns the output state, a tuple of
            them where there are several output wires.

        Raises
        ------
        QueryError
            If it returns something that is no state.

        Examples
        --------
        >>> import distcausal as dc
        >>> bit = dc.Space("A", (0, 1))
        >>> dc.Channel.from_function(bit @ bit, bit, max).deterministic
        True
        """
        ins, outs = as_type(dom), as_type(cod)
        values = np.zeros(ins.shape + outs.shape)
        for place in np.ndindex(*ins.shape):
            found = f(*(s.known[i] for s, i in zip(ins, place, strict=True)))
            states = (found,) if len(outs) == 1 else tuple(found)
            if len(states) != len(outs):
                raise QueryError(
                    f"the function should return one state for each of {outs.names}, "
                    f"but returned {found!r}."
                )
            reached = (s.position(x) for s, x in zip(outs, states, strict=True))
            values[(*place, *reached)] = 1.0
        return cls(values, ins, outs)

    @classmethod
    def from_labelled(
        cls, array: LabelledArray, given: Sequence[str] = (), **options: Any
    ) -> Channel:
        """Read an array with named axes as a channel from ``given`` to the rest.

        Parameters
        ----------
        array
            Probabilities; for every state of ``given`` they sum to 1 over the others.
        given
            Names of the input wires, in order; without any it is a joint law.
        **options
            ``atol``, ``renormalise``, ``partial`` and ``support`` of the class.
        """
        rest = [name for name in array.names if name not in given]
        moved = array.transpose([*given, *rest])
        dom, cod = (Ty(tuple(array.space(n) for n in part)) for part in (given, rest))
        return cls(moved.values, dom, cod, **options)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        dom: Iterable[str | Space] = (),
        cod: Iterable[str | Space],
        count: str | None = None,
    ) -> Channel:
        """Read relative frequencies off a frame, or a channel written by `to_frame`.

        Parameters
        ----------
        frame
            One row per observation, of any library narwhals reads.
        dom, cod
            Columns of the input and output wires; a `Space` fixes states and order,
            else the states are the sorted labels found.
        count
            Column that says how often each row occurred.

        Raises
        ------
        PositivityError
            If an input state never occurs.

        Examples
        --------
        >>> import pandas as pd
        >>> import distcausal as dc
        >>> seen = pd.DataFrame({"S": [0, 0, 1, 1], "T": [0, 0, 0, 1]})
        >>> dc.Channel.from_frame(seen, dom=["S"], cod=["T"]).values
        array([[1. , 0. ],
               [0.5, 0.5]])
        """
        from distcausal.diagrams.disintegrate import disintegrate
        from distcausal.diagrams.joint import count_table

        ins, outs = [*dom], [*cod]
        table = count_table(frame, [*ins, *outs], count=count)
        law = LabelledArray(table.values / table.values.sum(), table.axes)
        return disintegrate(law, given=law.names[: len(ins)])

    @classmethod
    def from_distributions(
        cls, data: RandomDistributions, dom: object = None, cod: object = None
    ) -> Channel:
        """Read atoms as a channel with one row per unit.

        Parameters
        ----------
        data
            Atoms form. Its units are the input states, in any order.
        dom
            Input wires, whose names are columns of the data. Without it, the columns
            if there are any, each with its sorted labels, else one wire ``"unit"``
            whose states are the labels of the units; ``[]`` for one unit without input.
        cod
            Output wires; without it one wire ``"value"`` whose states are the atoms.

        Raises
        ------
        DataError
            If the units are not the input states, each once.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_atoms(
        ...     [0, 1], [[0.3, 0.7], [1, 0]], columns={"S": ["yes", "no"]}
        ... )
        >>> dc.Channel.from_distributions(data).sel(S="yes").values
        array([0.3, 0.7])
        """
        from distcausal.diagrams.units import channel_from_units

        return channel_from_units(data, dom, cod)

    def to_distributions(self) -> RandomDistributions:
        """Write the channel as atoms, one unit per input state.

        Returns
        -------
        Atoms form. The label of a unit is its input state, those of several wires
        joined by commas; a column per input wire has them apart. States of a single
        output wire that are numbers become ordered atoms, anything else labels.

        Examples
        --------
        >>> import distcausal as dc
        >>> dose, wage = dc.Space("D", (0, 1)), dc.Space("W", (10.0, 20.0))
        >>> dc.Channel([[0.5, 0.5], [0, 1]], dose, wage).to_distributions().mean()
        array([15., 20.])
        """
        from distcausal.diagrams.units import units_from_channel

        return units_from_channel(self)

    @property
    def stochastic(self) -> bool:
        """Whether every row sums to 1."""
        total = self._row_sums()
        return bool(np.all(np.isnan(total) | (np.abs(total - 1) <= ATOL)))

    @property
    def deterministic(self) -> bool:
        """Whether every row has all its mass on one output."""
        known = self.values[~np.isnan(self.values)]
        sure = np.minimum(np.abs(known), np.abs(known - 1)) <= ROUNDING
        return self.stochastic and bool(sure.all())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the wires, inputs first."""
        return self.dom.names + self.cod.names

    def marginal(self, keep: Iterable[str]) -> Channel:
        """Keep some output wires, in the order named, and discard the others."""
        wanted = [keep] if isinstance(keep, str) else [*keep]
        kept = [self._output(name) for name in wanted]
        first = len(self.dom)
        gone = tuple(first + i for i in range(len(self.cod)) if i not in kept)
        order = [*range(first), *(first + sorted(kept).index(i) for i in kept)]
        return Channel(
            self.values.sum(axis=gone).transpose(order),
            self.dom,
            Ty(tuple(self.cod[i] for i in kept)),
            partial=self.partial,
            support=self.support,
        )

    def _output(self, name: str) -> int:
        if self.cod.names.count(name) != 1:
            raise QueryError(
                f"{name!r} should name one output wire; they are "
                f"{listing(self.cod.names, 12) or 'none'}."
            )
        return self.cod.names.index(name)

    def labelled(self) -> LabelledArray:
        """Give the table with an axis per name.

        Raises
        ------
        QueryError
            If two wires share a name.
        """
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise QueryError(
                f"an axis per name needs distinct names, but the channel {self.dom} -> "
                f"{self.cod} has {listing(sorted(twice))} more than once. Use .values."
            )
        axes = {space.name: space.known for space in (*self.dom, *self.cod)}
        return LabelledArray(self.values, axes)

    def sel(self, **labels: Hashable) -> LabelledArray:
        """Entries at states of some wires, as ``channel.sel(S="yes")``."""
        return self.labelled().sel(labels)

    def to_frame(self) -> pd.DataFrame:
        """One row per entry: a column per wire, and ``probability``."""
        return self.labelled().to_frame("probability")

    def allclose(self, other: Channel, *, atol: float = 1e-12) -> bool:
        """Whether both have the same wires and nearly the same entries."""
        return (self.dom, self.cod) == (other.dom, other.cod) and np.allclose(
            self.values, other.values, rtol=0, atol=atol, equal_nan=True
        )

    def __rshift__(self, other: object) -> Channel:
        if not isinstance(other, Channel):
            return NotImplemented
        check_meet(self.cod, other.dom)
        meet = len(self.cod)
        values = np.tensordot(_numbers(self), _numbers(other), meet)
        # A row that is not known matters only where it is reached.
        lost = _unknown(self) | (
            np.tensordot(_numbers(self), _unknown(other), meet) > 0
        )
        values[lost] = np.nan
        return Channel(
            values,
            self.dom,
            other.cod,
            partial=self.partial or other.partial,
            support=self._support_before(other),
            atol=np.inf,
        )

    def _support_before(self, other: Channel) -> np.ndarray | None:
        if self.support is None and other.support is None:
            return None
        filled = ~_known(other)
        reached = np.tensordot(_numbers(self), filled, len(self.cod)) > 0
        return _known(self) & ~reached

    def __matmul__(self, other: object) -> Channel:
        if not isinstance(other, Channel):
            return NotImplemented
        ins, outs, more = len(self.dom), len(self.cod), len(other.dom)
        values = np.multiply.outer(self.values, other.values)
        inner = range(ins + outs, ins + outs + more)
        order = [*range(ins), *inner, *range(ins, ins + outs)]
        order += range(len(order), values.ndim)
        support = None
        if self.support is not None or other.support is not None:
            support = np.logical_and.outer(_known(self), _known(other))
        return Channel(
            values.transpose(order),
            self.dom @ other.dom,
            self.cod @ other.cod,
            partial=self.partial or other.partial,
            support=support,
            atol=np.inf,
        )

    def _row_sums(self) -> np.ndarray:
        return self.values.sum(axis=tuple(range(len(self.dom), self.values.ndim)))

    def __repr__(self) -> str:
        kind = "partial channel" if self.partial else "channel"
        shown = np.array2string(self.values, precision=6, threshold=60)
        return f"{kind} {self.dom} -> {self.cod}\n{shown}"


def _rewired(dom: Ty, places: Iterable[int]) -> Channel:
    """Channel whose outputs are inputs, chosen by place."""
    chosen = [*places]
    cod = Ty(tuple(dom[i] for i in chosen))
    values = np.zeros(dom.shape + cod.shape)
    at = np.indices(dom.shape)
    values[(*at, *(at[i] for i in chosen))] = 1.0
    return Channel(values, dom, cod)


def _unknown(channel: Channel) -> np.ndarray:
    """Truth value per row: whether it is NaN."""
    return np.isnan(channel._row_sums())


def _known(channel: Channel) -> np.ndarray:
    """Truth value per row: whether it was not filled in."""
    if channel.support is None:
        return np.ones(channel.dom.shape, bool)
    return channel.support


def _numbers(channel: Channel) -> np.ndarray:
    """Entries with 0 for NaN."""
    return np.nan_to_num(channel.values)
