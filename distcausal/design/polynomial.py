"""Spaces of polynomials and of trigonometric functions, one measure per variable.

The families are those of the classical measures: uniform, arcsine, beta, normal, gamma.
Variables may be of different families, and are given in the user's units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from distcausal.design.arguments import finite_number, finite_numbers, numbers_in
from distcausal.design.check import whole_number
from distcausal.design.indices import (
    IndexSet,
    TotalDegree,
    check_count,
    multi_indices,
)
from distcausal.design.product import ProductSpace
from distcausal.errors import DesignError, check_choice, listing
from distcausal.numerics.lines import (
    Line,
    hermite_line,
    jacobi_line,
    laguerre_line,
    trigonometric_line,
)

__all__ = ["PolynomialSpace", "TrigonometricSpace", "check_products"]

_DEGREE_TEN = TotalDegree(10)
_FREQUENCY_FIVE = TotalDegree(5)
_BOUNDED = {"bounds": (-1.0, 1.0)}
# Arguments that a family uses, with their defaults; a Jacobi shape has none.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "legendre": _BOUNDED,
    "chebyshev": _BOUNDED,
    "jacobi": {**_BOUNDED, "shape": None},
    "hermite": {"location": 0.0, "scale": 1.0},
    "laguerre": {"shape": 0.0, "location": 0.0, "scale": 1.0},
}
# Squares of higher ones leave the range of double precision where they are drawn.
_HIGHEST = {"hermite": 300, "laguerre": 150}
_LARGEST_SHAPE = 1e6
_SHAPES = {"legendre": (0.0, 0.0), "chebyshev": (-0.5, -0.5)}


@dataclass(frozen=True, eq=False, init=False)
class PolynomialSpace(ProductSpace):
    """Polynomials of one or several variables under a product measure.

    Parameters
    ----------
    family
        Measure of the variables, a name for all or a list with one each.
        ``"legendre"``: uniform; ``"chebyshev"``: arcsine; ``"jacobi"``: density
        proportional to ``(1 - z)^a (1 + z)^b`` with z in [-1, 1]; ``"hermite"``:
        normal; ``"laguerre"``: gamma, density proportional to ``z^shape exp(-z)``.
    dim
        Number of variables.
    index
        Which products span the space: `TotalDegree`, `Tensor`, `HyperbolicCross`, or a
        list of rows of degrees.
    bounds
        Interval ``(low, high)`` of Legendre, Chebyshev and Jacobi polynomials;
        ``(-1, 1)`` if left out.
    shape
        ``(a, b)`` of Jacobi polynomials, both from -1/2 to a million; of Laguerre
        polynomials a number in the same range, and 0, the exponential distribution, if
        left out.
    location, scale
        Mean and standard deviation of the normal distribution; lower end and scale of
        the gamma distribution. 0 and 1 if left out.

    Attributes
    ----------
    size
        Dimension m of the space.

    Raises
    ------
    DesignError
        If a family is not offered, ``dim`` or ``index`` is not as described, an
        argument has a value that the families cannot have or no family uses it, or a
        degree is so high that values would overflow (300 for Hermite, 150 for
        Laguerre).

    Notes
    -----
    Each of ``bounds``, ``shape``, ``location`` and ``scale`` is one value for all
    variables that use it, or a list with one entry per variable, None for those that do
    not. Normal and gamma variables are drawn up to where less than 1e-16 of the
    probability lies beyond.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.PolynomialSpace(dim=2, index=dc.TotalDegree(5)).size
    21
    >>> space = dc.PolynomialSpace(
    ...     ["legendre", "hermite"], 2, dc.TotalDegree(2), bounds=(0, 10), scale=3.0
    ... )
    >>> dc.ProjectionDPP(space).sample(seed=1).x.shape
    (6, 2)
    """

    family: tuple[str, ...]

    def __init__(
        self,
        family: str | Sequence[str] = "legendre",
        dim: int = 1,
        index: IndexSet | Sequence[Sequence[int]] = _DEGREE_TEN,
        *,
        bounds: Any = None,
        shape: Any = None,
        location: Any = None,
        scale: Any = None,
    ) -> None:
        variables = whole_number("dim", dim, 1)
        families = _families(family, variables)
        rows = multi_indices(index, variables)
        given = {
            "bounds": bounds,
            "shape": shape,
            "location": location,
            "scale": scale,
        }
        used = {name: _entries(name, value, families) for name, value in given.items()}
        degrees = _degrees(families, rows)
        lines = [
            _line(one, degrees[one], {name: used[name][place] for name in used})
            for place, one in enumerate(families)
        ]
        prefix = "degree " if variables == 1 else ""
        terms = [
            tuple(f"{prefix}{degree}" for degree in range(degrees[one] + 1))
            for one in families
        ]
        self._hold(lines, rows, terms, family=families)

    def __repr__(self) -> str:
        named = "-".join(dict.fromkeys(self.family))
        variables = "1 variable" if self.dim == 1 else f"{self.dim} variables"
        return f"PolynomialSpace({self.size} {named} polynomials of {variables})"


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TrigonometricSpace(ProductSpace):
    """Sines and cosines of one or several variables, uniform on a period.

    Parameters
    ----------
    dim
        Number of variables.
    index
        Which frequencies: `TotalDegree`, `Tensor`, `HyperbolicCross`, or a list of rows
        of frequencies. Each product has a cosine or a sine in every variable whose
        frequency is not zero, and all of these belong to the space.
    period
        Length of the period, for all variables or one each; points are drawn from 0 to
        the period, and evaluated anywhere.

    Attributes
    ----------
    size
        Dimension m of the space.

    Raises
    ------
    DesignError
        If ``dim``, ``index`` or ``period`` is not as described, or there are more than
        20 000 functions.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.TrigonometricSpace(index=dc.TotalDegree(2), period=24.0)
    >>> space.basis.labels
    ('1', 'cos 1', 'sin 1', 'cos 2', 'sin 2')
    """

    period: tuple[float, ...]

    def __init__(
        self,
        dim: int = 1,
        index: IndexSet | Sequence[Sequence[int]] = _FREQUENCY_FIVE,
        *,
        period: Any = 1.0,
    ) -> None:
        variables = whole_number("dim", dim, 1)
        length = numbers_in(period)
        right = length.ndim == 0 or length.shape == (variables,)
        if not right or not (np.isfinite(length) & (length > 0)).all():
            raise DesignError(
                f"period {period!r} should be a positive number, or {variables} of "
                "them, one per variable."
            )
        periods = tuple(np.broadcast_to(length, variables).tolist())
        frequencies = multi_indices(index, variables)
        check_count(2 ** (frequencies > 0).sum(axis=1, dtype=float), variables)
        rows = [
            row
            for frequency in frequencies.tolist()
            for row in product(*([2 * f - 1, 2 * f] if f else [0] for f in frequency))
        ]
        highest = int(frequencies.max())
        pairs = ((f"cos {f}", f"sin {f}") for f in range(1, highest + 1))
        names = ("1", *(name for pair in pairs for name in pair))
        lines = [trigonometric_line(highest, one) for one in periods]
        self._hold(lines, np.array(rows), [names] * variables, period=periods)


def _families(family: Any, dim: int) -> tuple[str, ...]:
    names = (family,) * dim if isinstance(family, str) else family
    if not isinstance(names, list | tuple) or len(names) != dim:
        raise DesignError(
            f"family should be one name or {dim}, one per variable; got {family!r}."
        )
    for name in names:
        check_choice("family", name, tuple(_ARGUMENTS))
    return tuple(names)


def _degrees(families: tuple[str, ...], rows: np.ndarray) -> dict[str, int]:
    """Highest degree of every family."""
    found: dict[str, int] = {}
    for name, degree in zip(families, rows.max(axis=0).tolist(), strict=True):
        found[name] = max(degree, found.get(name, 0))
    for name, highest in _HIGHEST.items():
        if found.get(name, 0) > highest:
            raise DesignError(
                f"{name} polynomials of degree {found[name]} leave the range of double "
                f"precision at their own points; the highest offered is {highest}. "
                "Lower the degree."
            )
    check_products(families, rows)
    return found


def check_products(kinds: tuple[str, ...], degrees: np.ndarray) -> None:
    """Refuse products that overflow at points where they are drawn.

    Parameters
    ----------
    kinds
        Of every variable: Hermite and Laguerre polynomials grow.
    degrees
        Shape ``(function, dim)``.

    Raises
    ------
    DesignError
        If they do.
    """
    used = np.array([_HIGHEST.get(name, np.inf) for name in kinds])
    if (degrees / used).sum(axis=1).max() > 1:
        raise DesignError(
            "products of these degrees leave the range of double precision at their "
            f"own points: degrees of {listing(_HIGHEST)} divided by "
            f"{listing(_HIGHEST.values())} should sum to at most one. Lower them."
        )


def _entries(name: str, value: Any, families: tuple[str, ...]) -> list[Any]:
    """Value of an argument for every variable, None where it is not used."""
    dim = len(families)
    users = [name in _ARGUMENTS[one] for one in families]
    if value is None:
        return [
            _ARGUMENTS[one][name] if user else None
            for one, user in zip(families, users, strict=True)
        ]
    if not any(users):
        raise DesignError(
            f"{name} means nothing to {listing(dict.fromkeys(families))}; leave it out."
        )
    if _is_list_of(value, dim, pairs=_pairs(name, families)):
        wrong = [
            place
            for place, (one, user) in enumerate(zip(value, users, strict=True))
            if one is not None and not user
        ]
        if wrong:
            raise DesignError(
                f"{name} means nothing to variable {wrong[0]}, which is "
                f"{families[wrong[0]]}; put None there."
            )
        return [
            _ARGUMENTS[family].get(name) if one is None else one
            for family, one in zip(families, value, strict=True)
        ]
    return [value if user else None for user in users]


def _pairs(name: str, families: tuple[str, ...]) -> bool:
    """Whether one value of the argument is a pair of numbers."""
    return name == "bounds" or (name == "shape" and "jacobi" in families)


def _is_list_of(value: Any, dim: int, *, pairs: bool) -> bool:
    """Whether there is one entry per variable, not one value for all."""
    if np.ndim(value) == 0 and not isinstance(value, list | tuple):
        return False
    if len(value) != dim:
        return False
    return not pairs or any(one is None or np.ndim(one) == 1 for one in value)


def _line(family: str, degree: int, given: dict[str, Any]) -> Line:
    if family == "hermite":
        return hermite_line(degree, *_units(given))
    if family == "laguerre":
        alpha = finite_number("shape", given["shape"])
        _check_shape("laguerre", alpha)
        return laguerre_line(degree, alpha, *_units(given))
    low, high = finite_numbers("bounds", given["bounds"], 2)
    if not low < high:
        raise DesignError(f"bounds {given['bounds']!r} should be low < high.")
    if family == "jacobi" and given["shape"] is None:
        raise DesignError(
            "family 'jacobi' needs shape=(a, b), the powers of 1 - z and 1 + z in the "
            "density; with (0, 0) it is 'legendre'."
        )
    a, b = _SHAPES.get(family) or finite_numbers("shape", given["shape"], 2)
    _check_shape("jacobi", a, b)
    return jacobi_line(degree, a, b, low, high)


def _units(given: dict[str, Any]) -> tuple[float, float]:
    scale = finite_number("scale", given["scale"], positive=True)
    return finite_number("location", given["location"]), scale


def _check_shape(family: str, *shape: float) -> None:
    if min(shape) < -0.5 or max(shape) > _LARGEST_SHAPE:
        raise DesignError(
            f"shape {listing(shape)} of {family} polynomials should be at least -1/2 "
            f"and at most {_LARGEST_SHAPE:g}: below, the density of their points has "
            "no bound in any coordinate used here; above, it is all but normal. Use a "
            "FeatureSpace with quadrature points, or family 'hermite'."
        )
