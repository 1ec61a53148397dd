"""Linear-Gaussian channels: y = A x + b + noise, the noise normal and independent.

They compose, disintegrate and condition exactly, by the algebra of means and
covariances, and obey the laws of finite channels but for one: there is no uniform law
on the real line. Where finite surgery plugs a uniform into what it cut, here the wire
stays open.

A covariance may be singular, as after copying. Inverses are then pseudo-inverses, right
on the support and meaningless off it, so an event off the support is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.reals import Reals, as_reals, labels, slices, total
from distcausal.diagrams.rules import check_meet
from distcausal.diagrams.space import Ty
from distcausal.errors import ConditioningError, DataError, QueryError, listing
from distcausal.numerics.covariance import (
    SURE,
    beside,
    conditional,
    least_eigenvalue,
    spread,
    sure_directions,
    without_rounding,
)

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions

__all__ = ["GaussianChannel"]

ATOL = 1e-9  # covariances that were printed, or summed in another order


@dataclass(frozen=True, eq=False, repr=False)
class GaussianChannel(Record):
    """A normal law over ``cod`` whose mean is linear in ``dom``.

    ``f >> g`` feeds the outputs of f to g, ``f @ g`` puts them side by side.

    Parameters
    ----------
    coef
        Shape ``(output, input)``: components of the outputs by those of the inputs.
    shift
        Mean at input zero, shape ``(output,)``.
    cov
        Covariance of the noise, shape ``(output, output)``.
    dom, cod
        Input and output wires: names, or `Reals` for vectors, alone or in a list.
    atol
        How far below zero an eigenvalue of ``cov`` may be, and how far ``cov`` may be
        from symmetric, in units of its standard deviations.

    Raises
    ------
    DataError
        If shapes do not fit the wires, a number is not finite, or ``cov`` is not a
        covariance.

    Examples
    --------
    >>> import distcausal as dc
    >>> dose = dc.GaussianChannel.law(2.0, 1.0, "dose")
    >>> wage = dc.GaussianChannel([[0.5]], [1.0], [[0.25]], "dose", "wage")
    >>> (dose >> wage).shift, (dose >> wage).cov
    (array([2.]), array([[0.5]]))
    """

    coef: np.ndarray
    shift: np.ndarray
    cov: np.ndarray
    dom: Ty
    cod: Ty
    atol: InitVar[float] = field(default=ATOL, kw_only=True)

    def __post_init__(self, atol: float) -> None:
        for name in ("dom", "cod"):
            object.__setattr__(self, name, as_reals(getattr(self, name)))
        ins, outs = total(self.dom), total(self.cod)
        shapes = {"coef": (outs, ins), "shift": (outs,), "cov": (outs, outs)}
        for name, shape in shapes.items():
            array = np.asarray(getattr(self, name), dtype=float)
            if array.shape != shape:
                raise DataError(
                    f"{name} of a channel {self.dom} -> {self.cod} should have shape "
                    f"{shape}, but has {array.shape}."
                )
            if not np.isfinite(array).all():
                raise DataError(
                    f"{name} of the channel {self.dom} -> {self.cod} should be finite, "
                    f"but {int((~np.isfinite(array)).sum())} entries are not."
                )
            object.__setattr__(self, name, array)
        object.__setattr__(self, "cov", _covariance(self.cov, self.cod, atol))
        super().__post_init__()

    @classmethod
    def law(cls, mean: Any, cov: Any, wires: object) -> GaussianChannel:
        """Normal law without input; numbers may come bare for a single variable."""
        outs = as_reals(wires)
        size = total(outs)
        shift = np.asarray(mean, dtype=float).reshape(-1)
        spread = np.asarray(cov, dtype=float)
        spread = spread.reshape(1, 1) if spread.size == 1 else spread
        return cls(np.zeros((size, 0)), shift, spread, Ty(), outs)

    @classmethod
    def linear(
        cls, coef: Any, dom: object, cod: object, shift: Any = None
    ) -> GaussianChannel:
        """Linear function without noise."""
        outs = as_reals(cod)
        size = total(outs)
        start = np.zeros(size) if shift is None else shift
        return cls(coef, start, np.zeros((size, size)), as_reals(dom), outs)

    @classmethod
    def point(cls, value: Any, wires: object) -> GaussianChannel:
        """Be at a value for sure."""
        size = total(as_reals(wires))
        return cls.law(value, np.zeros((size, size)), wires)

    @classmethod
    def identity(cls, wires: object) -> GaussianChannel:
        """Give out what comes in."""
        return cls.copy(wires, 1)

    @classmethod
    def copy(cls, wires: object, n: int = 2) -> GaussianChannel:
        """Give out ``n`` copies of what comes in; none is to discard it."""
        ty = as_reals(wires)
        eye = np.eye(total(ty))
        return cls.linear(np.tile(eye, (n, 1)), ty, Ty(ty.spaces * n))

    @classmethod
    def discard(cls, wires: object) -> GaussianChannel:
        """Forget what comes in."""
        return cls.copy(wires, 0)

    @classmethod
    def swap(cls, one: object, other: object) -> GaussianChannel:
        """Exchange two groups of wires."""
        left, right = as_reals(one), as_reals(other)
        first = total(left)
        eye = np.eye(first + total(right))
        return cls.linear(
            np.vstack([eye[first:], eye[:first]]), left @ right, right @ left
        )

    @property
    def deterministic(self) -> bool:
        """Whether there is no noise."""
        return not self.cov.any()

    def marginal(self, keep: str | Iterable[str]) -> GaussianChannel:
        """Keep some output wires, in the order named, and discard the others."""
        wires = [self._output(name) for name in _listed(keep)]
        rows = self._components(wires)
        return GaussianChannel(
            self.coef[rows],
            self.shift[rows],
            self.cov[np.ix_(rows, rows)],
            self.dom,
            Ty(tuple(self.cod[wire] for wire in wires)),
            atol=np.inf,
        )

    def disintegrate(self, given: str | Iterable[str]) -> GaussianChannel:
        """Find the channel from the inputs and some outputs to the other outputs.

        Parameters
        ----------
        given
            Outputs that become inputs, after those there are, in this order.

        Returns
        -------
        The conditional law. Where the outputs given have a singular law it is unique
        only on their support; off it, this one is continued linearly.

        Examples
        --------
        >>> import distcausal as dc
        >>> law = dc.GaussianChannel.law([0, 1], [[1, 0.5], [0.5, 1]], ["X", "Y"])
        >>> found = law.disintegrate("X")
        >>> found.coef, found.shift, found.cov
        (array([[0.5]]), array([1.]), array([[0.75]]))
        """
        known = [self._output(name) for name in _listed(given)]
        rest = [wire for wire in range(len(self.cod)) if wire not in known]
        rows, seen = self._components(rest), self._components(known)
        gain, left = conditional(self.cov, rows, seen)
        return GaussianChannel(
            np.hstack([self.coef[rows] - gain @ self.coef[seen], gain]),
            self.shift[rows] - gain @ self.shift[seen],
            left,
            Ty((*self.dom, *(self.cod[wire] for wire in known))),
            Ty(tuple(self.cod[wire] for wire in rest)),
            atol=np.inf,
        )

    def condition(
        self, values: Mapping[str, Any] | None = None, /, **more: Any
    ) -> GaussianChannel:
        """Law of the other outputs where some have given values.

        Raises
        ------
        ConditioningError
            If the values lie off the support, so that they cannot occur together.
        """
        found = {**(values or {}), **more}
        self._check_support(found)
        return self.disintegrate(found).plug(found)

    def plug(
        self, values: Mapping[str, Any] | None = None, /, **more: Any
    ) -> GaussianChannel:
        """Fix inputs at values; those fixed are gone from the inputs."""
        found = {**(values or {}), **more}
        free, shift = list(range(len(self.dom))), self.shift
        for name, value in found.items():
            if self.dom.names.count(name) != 1:
                raise QueryError(
                    f"{name!r} should name one input wire; they are "
                    f"{listing(self.dom.names, 12) or 'none'}."
                )
            wire = self.dom.names.index(name)
            free.remove(wire)
            at = slices(self.dom)[wire]
            shift = shift + self.coef[:, at] @ _vector(self.dom[wire], value)
        columns = _rows(self.dom, free)
        dom = Ty(tuple(self.dom[wire] for wire in free))
        coef = self.coef[:, columns]
        return GaussianChannel(coef, shift, self.cov, dom, self.cod, atol=np.inf)

    def sample(self, inputs: Any, *, seed: Any = 0) -> np.ndarray:
        """Draw one output for each row of inputs.

        Parameters
        ----------
        inputs
            Shape ``(draw, input)``; a law without inputs takes the number of draws.
        seed
            Integer, or a NumPy generator to go on with.

        Returns
        -------
        Shape ``(draw, output)``.
        """
        given = np.zeros((inputs, 0)) if isinstance(inputs, int) else np.asarray(inputs)
        rng = np.random.default_rng(seed)
        value, turn = np.linalg.eigh(self.cov)
        root = turn * np.sqrt(np.maximum(value, 0.0))
        noise = rng.standard_normal((len(given), len(self.shift))) @ root.T
        return given @ self.coef.T + self.shift + noise

    def to_distributions(self, inputs: Any) -> RandomDistributions:
        """Write the law of a single number as random distributions, one unit per row.

        Parameters
        ----------
        inputs
            Shape ``(unit, input)``, one row per unit, as of several interventions.

        Returns
        -------
        Law form, with a column per component of the inputs.

        Raises
        ------
        DataError
            If the output is a vector, or sure.

        Examples
        --------
        >>> import distcausal as dc
        >>> wage = dc.GaussianChannel([[0.5]], [1.0], [[0.25]], "dose", "wage")
        >>> wage.to_distributions([[0.0], [2.0]]).quantiles([0.5]).ravel()
        array([1., 2.])
        """
        import scipy.stats

        from distcausal.data.distributions import RandomDistributions

        if self.cov.shape != (1, 1) or self.deterministic:
            raise DataError(
                f"units carry laws of one number with a density, but the channel "
                f"{self.dom} -> {self.cod} makes {len(self.shift)} numbers"
                f"{', without noise' if self.deterministic else ''}. Use marginal."
            )
        rows = np.asarray(inputs, dtype=float).reshape(-1, self.coef.shape[1])
        mean = rows @ self.coef[0] + self.shift[0]
        scale = np.full(len(rows), np.sqrt(self.cov[0, 0]))
        columns = dict(zip(labels(self.dom), rows.T, strict=True))
        return RandomDistributions.from_law(
            scipy.stats.norm, {"loc": mean, "scale": scale}, columns=columns
        )

    def allclose(self, other: GaussianChannel, *, atol: float = 1e-10) -> bool:
        """Whether both have the same wires and nearly the same numbers."""
        pairs = zip(
            (self.coef, self.shift, self.cov),
            (other.coef, other.shift, other.cov),
            strict=True,
        )
        return (self.dom, self.cod) == (other.dom, other.cod) and all(
            np.allclose(one, two, rtol=0, atol=atol) for one, two in pairs
        )

    def __rshift__(self, other: object) -> GaussianChannel:
        if not isinstance(other, GaussianChannel):
            return NotImplemented
        check_meet(self.cod, other.dom)
        size = np.abs(other.coef)
        terms = np.einsum("ij,jk,ik->i", size, np.abs(self.cov), size)
        cov = other.coef @ self.cov @ other.coef.T + other.cov
        return GaussianChannel(
            other.coef @ self.coef,
            other.coef @ self.shift + other.shift,
            without_rounding(cov, terms),
            self.dom,
            other.cod,
            atol=np.inf,
        )

    def __matmul__(self, other: object) -> GaussianChannel:
        if not isinstance(other, GaussianChannel):
            return NotImplemented
        return GaussianChannel(
            beside(self.coef, other.coef),
            np.concatenate([self.shift, other.shift]),
            beside(self.cov, other.cov),
            self.dom @ other.dom,
            self.cod @ other.cod,
            atol=np.inf,
        )

    def _output(self, name: str) -> int:
        if self.cod.names.count(name) != 1:
            raise QueryError(
                f"{name!r} should name one output wire; they are "
                f"{listing(self.cod.names, 12) or 'none'}."
            )
        return self.cod.names.index(name)

    def _components(self, wires: Iterable[int]) -> list[int]:
        return _rows(self.cod, wires)

    def _check_support(self, values: Mapping[str, Any]) -> None:
        """Raise unless the values can occur together, whatever the inputs."""
        wires = [self._output(name) for name in values]
        seen = self._components(wires)
        parts = [_vector(self.cod[w], values[self.cod[w].name]) for w in wires]
        point = np.concatenate([*parts, np.zeros(0)])
        cov = self.cov[np.ix_(seen, seen)]
        scale, null = spread(cov), sure_directions(cov)
        size = np.maximum(np.abs(self.shift[seen]), np.abs(point))
        unit = np.where(scale > 0, scale, np.maximum(size, 1.0))
        swayed = np.abs(null.T @ (self.coef[seen] / unit[:, None])).max(initial=0.0)
        off = np.abs(null.T @ ((point - self.shift[seen]) / unit)).max(initial=0.0)
        if swayed > SURE or off > SURE:
            event = ", ".join(f"{name}={value}" for name, value in values.items())
            why = (
                f"whether it can occur depends on {self.dom}; plug in values first"
                if swayed > SURE
                else f"its variables cannot differ so, by {off:.3g} of their spread"
            )
            raise ConditioningError(
                f"the event {event} is off the support of {self.cod}: {why}."
            )

    def __repr__(self) -> str:
        return (
            f"GaussianChannel({self.dom} -> {self.cod})\ncoef\n{self.coef}\nshift\n"
            f"{self.shift}\ncov\n{self.cov}"
        )


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _rows(wires: Ty, places: Iterable[int]) -> list[int]:
    """Components of some wires in the vector of all."""
    where = slices(wires)
    return [
        at for place in places for at in range(where[place].start, where[place].stop)
    ]


def _vector(wire: Reals, value: Any) -> np.ndarray:
    found = np.asarray(value, dtype=float).reshape(-1)
    if found.shape != (wire.dimension,) or not np.isfinite(found).all():
        raise QueryError(
            f"the value of {wire.name!r} should be {wire.dimension} finite number"
            f"{'s' * (wire.dimension > 1)}, but is {value!r}."
        )
    return found


def _covariance(cov: np.ndarray, wires: Ty, atol: float) -> np.ndarray:
    """Symmetric part of a covariance, once it is known to be one up to rounding."""
    if np.isinf(atol):  # what channels make of each other needs no check
        return (cov + cov.T) / 2
    scale = np.outer(spread(cov), spread(cov))
    skew = np.abs(cov - cov.T) > atol * np.maximum(scale, np.abs(cov))
    even = (cov + cov.T) / 2
    if skew.any():
        raise DataError(
            f"the covariance of {listing(labels(wires), 12)} should be symmetric, but "
            f"differs from its transpose by up to {np.abs(cov - cov.T).max():.3g}."
        )
    least = least_eigenvalue(even)
    if least < -atol:
        raise DataError(
            f"the covariance of {listing(labels(wires), 12)} should have no negative "
            f"eigenvalue, but in units of standard deviations the least is {least:.3g}."
        )
    return even
