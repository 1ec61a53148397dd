"""Orthonormal functions of one variable with their measures, all kinds in one form.

A kind of function is a handful of pure functions of its parameters, for as many
variables as there are at once: the values, and a coordinate ``t`` in which the measure
times any squared value is bounded. That coordinate is what exact draws need: the angle
of a Jacobi polynomial, the root of a Laguerre polynomial's argument, the variable
itself elsewhere. A new family of functions is one more entry here and nothing else.

Parameters are dictionaries of arrays whose first axis is the variable; everything is in
standard units, which `Line.shift` and `Line.stretch` turn into those of the user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import lgamma, log, pi, sqrt
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy

from distcausal._base.typing import Array
from distcausal.errors import DesignError
from distcausal.numerics.orthopoly import (
    Recurrence,
    hermite,
    jacobi,
    laguerre,
    recurrence_values,
)

__all__ = [
    "KINDS",
    "Kind",
    "Line",
    "along",
    "hermite_line",
    "jacobi_line",
    "laguerre_line",
    "mercer_line",
    "piecewise_line",
    "sine_line",
    "trigonometric_line",
]

Parameters = Mapping[str, Any]
_CELLS = 32  # per half-wave of a squared function; the more, the fewer refusals
_MOST_WAVES = 100_000
# Beyond the turning point densities fall at least like exp(-x²/2) of a normal one; what
# lies farther than this has a probability below 1e-18.
_TAIL = 9.0


class Kind(NamedTuple):
    """Pure functions of parameters and an array of shape ``(*point, dim)``.

    Attributes
    ----------
    values
        Functions at standard ``x``, shape ``(*point, dim, function)``.
    place
        Standard ``x`` from the coordinate ``t``.
    root_density
        Root of the density of the measure in the coordinate ``t``.
    background
        Density, with respect to the measure, of what the optimal one is mixed with;
        None for the measure itself.
    constant_first
        Whether the first function is constant: the others then integrate to zero.
    """

    values: Callable[[Parameters, Array], Array]
    place: Callable[[Parameters, Array], Array]
    root_density: Callable[[Parameters, Array], Array]
    background: Callable[[Parameters, Array], Array] | None = None
    constant_first: bool = False


@dataclass(frozen=True, eq=False)
class Line:
    """Functions of one variable.

    Attributes
    ----------
    kind
        Name in `KINDS`.
    parameters
        Arrays of the kind, without the axis of variables.
    edges
        Cells of the coordinate, small against the waves of the functions.
    shift, stretch
        The variable is ``shift + stretch`` times the standard one.
    low, high
        Ends of the domain, in the user's units.
    """

    kind: str
    parameters: dict[str, np.ndarray]
    edges: np.ndarray
    shift: float = 0.0
    stretch: float = 1.0
    low: float = -np.inf
    high: float = np.inf


def jacobi_line(degree: int, a: float, b: float, low: float, high: float) -> Line:
    """Jacobi polynomials on an interval, ``a, b >= -1/2``; ``t`` is an angle."""
    beta = lgamma(a + 1) + lgamma(b + 1) - lgamma(a + b + 2)
    # In the angle, roots of density times polynomials swing as in a potential well: its
    # floor is what large shapes add to the energy and not to the waves.
    floor = (sqrt(max(a**2 - 0.25, 0.0)) + sqrt(max(b**2 - 0.25, 0.0))) / 2
    energy = degree + (a + b + 1) / 2
    waves = sqrt((energy - floor) * (energy + floor))
    return Line(
        "jacobi",
        _polynomial(jacobi(degree, a, b), 2 * a + 1, 2 * b + 1, -beta),
        _even_cells(0.0, pi, waves),
        (low + high) / 2,
        (high - low) / 2,
        low,
        high,
    )


def hermite_line(degree: int, location: float, scale: float) -> Line:
    """Hermite polynomials of a normal variable."""
    wave = sqrt(degree + 0.5)
    reach = 2 * wave + _TAIL
    return Line(
        "hermite",
        _polynomial(hermite(degree), 0.0, 0.0, -log(2 * pi) / 2),
        _even_cells(-reach, reach, 2 * reach * wave / pi),
        location,
        scale,
    )


def laguerre_line(degree: int, shape: float, location: float, scale: float) -> Line:
    """Laguerre polynomials of a gamma variable; the coordinate is its root."""
    energy = 4 * degree + 2 * shape + 2
    # Classically allowed is where t⁴ - energy t² + shape² - 1/4 is negative.
    spread = sqrt(max(energy**2 / 4 - shape**2 + 0.25, 0.0))
    low = max(sqrt(max(energy / 2 - spread, 0.0)) - _TAIL, 0.0)
    high = sqrt(energy / 2 + spread) + _TAIL
    floor = 2 * sqrt(max(shape**2 - 0.25, 0.0))  # of the well, as for Jacobi
    constant = log(2) - lgamma(shape + 1)
    return Line(
        "laguerre",
        _polynomial(laguerre(degree, shape), 2 * shape + 1, 0.0, constant),
        _even_cells(low, high, (high - low) * sqrt(energy - floor) / pi),
        location,
        scale,
        location,
    )


def trigonometric_line(frequency: int, period: float) -> Line:
    """Constant, then cosine and sine of every frequency, uniform on a period."""
    waves = np.arange(1.0, frequency + 1)
    cells = _even_cells(0.0, 1.0, 2 * frequency)
    return Line("trigonometric", {"wave": waves}, cells, 0.0, period)


def sine_line(size: int) -> Line:
    """Sines that vanish at 0 and 1; the background is that of the Brownian bridge."""
    waves = np.arange(1.0, size + 1)
    cells = _even_cells(0.0, 1.0, size)
    return Line("sine", {"wave": waves}, cells, low=0.0, high=1.0)


def mercer_line(size: int, location: float, scale: float, length: float) -> Line:
    """Eigenfunctions of the Gaussian kernel under a normal measure.

    In units of the standard deviation of the largest one's square they are Hermite
    polynomials times a normal density, so their induced laws are those of Hermite
    polynomials.
    """
    a, b = 0.25 / scale**2, 0.5 / length**2
    c = sqrt(a**2 + 2 * a * b)
    stretch = 0.5 / sqrt(c)
    wave = sqrt(size - 0.5)
    reach = max(2 * wave, 0.0) + _TAIL * max(1.0, scale / stretch)
    recurrence = hermite(size - 1)
    parameters = {
        "center": recurrence.center,
        "step": recurrence.step,
        # Logarithm of the first value at zero, its fall, ratio of the two variances.
        "form": np.array([log(c / a) / 4, (c - a) * stretch**2, a / c]),
    }
    cells = _even_cells(-reach, reach, 2 * reach * wave / pi)
    return Line("mercer", parameters, cells, location, stretch)


def piecewise_line(breaks: np.ndarray, coefficients: np.ndarray) -> Line:
    """Piecewise polynomials, uniform between the first break and the last.

    Parameters
    ----------
    breaks
        Increasing, shape ``(interval + 1,)``.
    coefficients
        Of the powers of the position in the interval, from -1 to 1, shape
        ``(interval, degree + 1, function)``.
    """
    # A square of that degree has fewer waves, and constants have none.
    per = _CELLS * (coefficients.shape[1] - 1) or 1
    share = np.arange(per) / per
    inner = (breaks[:-1, None] + np.diff(breaks)[:, None] * share).ravel()
    parameters = {
        "breaks": breaks,
        "coefficients": coefficients,
        "mass": np.array(1 / (breaks[-1] - breaks[0])),
    }
    edges = np.append(inner, breaks[-1])
    return Line("piecewise", parameters, edges, 0.0, 1.0, breaks[0], breaks[-1])


def _polynomial(rule: Recurrence, *form: float) -> dict[str, np.ndarray]:
    return {"center": rule.center, "step": rule.step, "form": np.array(form)}


def _even_cells(low: float, high: float, waves: float) -> np.ndarray:
    if not waves < _MOST_WAVES:
        raise DesignError(
            f"functions of a variable have {waves:.3g} half-waves; draws are offered "
            f"for up to {_MOST_WAVES}. Lower the degree, the shape, or the ratio of "
            "the scale to the length scale."
        )
    return np.linspace(low, high, _CELLS * (int(np.ceil(waves)) + 1) + 1)


def along(array: Array, x: Array) -> Array:
    """Parameters of every variable, ``(dim, ...)``, spread over points."""
    return jnp.broadcast_to(array, (*x.shape, *array.shape[1:]))


def _polynomials(given: Parameters, x: Array) -> Array:
    return recurrence_values(given["center"], given["step"], x)


def _jacobi_root(given: Parameters, angle: Array) -> Array:
    form = along(given["form"], angle)
    # The measure is (1 - x)^a (1 + x)^b dx, and x is the cosine.
    low = xlogy(form[..., 0], jnp.sin(angle / 2))
    high = xlogy(form[..., 1], jnp.cos(angle / 2))
    return jnp.exp((low + high + form[..., 2]) / 2)


def _normal_root(given: Parameters, t: Array) -> Array:
    return jnp.exp((along(given["form"], t)[..., 2] - t**2 / 2) / 2)


def _gamma_root(given: Parameters, t: Array) -> Array:
    form = along(given["form"], t)
    return jnp.exp((xlogy(form[..., 0], t) - t**2 + form[..., 2]) / 2)


def _waves(given: Parameters, x: Array) -> Array:
    angle = _angles(given, 2 * x)
    pairs = np.sqrt(2.0) * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    flat = pairs.reshape(*x.shape, -1)
    return jnp.concatenate([jnp.ones_like(x)[..., None], flat], axis=-1)


def _sines(given: Parameters, x: Array) -> Array:
    return np.sqrt(2.0) * jnp.sin(_angles(given, x))


def _angles(given: Parameters, x: Array) -> Array:
    """Angle of every wave; whole turns go before pi can spoil them."""
    turns = x[..., None] * along(given["wave"], x)
    return jnp.pi * (turns - 2 * jnp.round(turns / 2))


def _mercer_values(given: Parameters, t: Array) -> Array:
    form = along(given["form"], t)
    fall = jnp.exp(form[..., 0] - form[..., 1] * t**2)
    return _polynomials(given, t) * fall[..., None]


def _mercer_root(given: Parameters, t: Array) -> Array:
    share = along(given["form"], t)[..., 2]
    return jnp.exp(-share * t**2 / 4) * (share / (2 * jnp.pi)) ** 0.25


def _pieces(given: Parameters, x: Array) -> Array:
    of_all = jax.vmap(_pieces_of_one, in_axes=(0, 0, -1), out_axes=-2)
    return of_all(given["breaks"], given["coefficients"], x)


def _pieces_of_one(breaks: Array, coefficients: Array, x: Array) -> Array:
    place = jnp.searchsorted(breaks[1:-1], x, side="right")
    low, high = breaks[place], breaks[place + 1]
    inside = ((2 * x - low - high) / (high - low))[..., None]
    powers = coefficients[place]
    value = powers[..., -1, :]
    for power in range(powers.shape[-2] - 2, -1, -1):
        value = value * inside + powers[..., power, :]
    return value


def _itself(given: Parameters, t: Array) -> Array:
    return t


def _even(given: Parameters, t: Array) -> Array:
    return jnp.ones_like(t)


KINDS: dict[str, Kind] = {
    "jacobi": Kind(_polynomials, lambda _, t: jnp.cos(t), _jacobi_root, None, True),
    "hermite": Kind(_polynomials, _itself, _normal_root, None, True),
    "laguerre": Kind(_polynomials, lambda _, t: t**2, _gamma_root, None, True),
    "trigonometric": Kind(_waves, _itself, _even, None, True),
    "sine": Kind(_sines, _itself, _even, lambda _, x: 6 * x * (1 - x)),
    "mercer": Kind(_mercer_values, _itself, _mercer_root),
    "piecewise": Kind(
        _pieces,
        _itself,
        lambda given, t: jnp.sqrt(along(given["mass"], t)),
    ),
}
