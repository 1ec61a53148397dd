"""Products of functions of one variable: values, and draws from their squares.

The square of a product times a product measure is a product again, the induced law of
its multi-index; the uniform mixture of these over a basis is the density ``k_m / m``
from which least squares wants its points. So a draw is a multi-index and, in each
variable, one draw from a tabulated density.

Variables of one kind and size form a group and are worked on together. What a function
is compiled for is the layout of the groups, so all spaces of a kind share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from distcausal._base.precision import double
from distcausal._base.typing import Array, Count, Real
from distcausal.numerics.envelope import Envelope, envelope_draws, slices, tabulated
from distcausal.numerics.lines import KINDS, Kind, Line, along

__all__ = [
    "Layout",
    "Product",
    "ProductSource",
    "envelopes",
    "functions_used",
    "lines_of",
    "product_background",
    "product_means",
    "product_of",
    "product_rules",
    "product_values",
]

Layout = tuple[tuple[str, tuple[int, ...]], ...]
Parameters = tuple[dict[str, Any], ...]
_UNITS = ("shift", "stretch")
_NODES = 4  # per cell: the functions are polynomials of low degree there


class Product(NamedTuple):
    """Functions of several variables, one line each.

    Attributes
    ----------
    layout
        Kind and variables of every group.
    parameters
        Parameters of every group, with ``shift`` and ``stretch``; their first axis is
        the variable.
    """

    layout: Layout
    parameters: Parameters


class ProductSource(NamedTuple):
    """What draws need: arrays only.

    Attributes
    ----------
    chosen, rows
        Function, and row of the staircases, of every product in every variable, shape
        ``(function, dim)``.
    share
        Of the squared functions in the mixture; the rest is the background.
    domain
        Lowest and highest point, shape ``(2, dim)``.
    """

    parameters: Parameters
    envelopes: tuple[Envelope, ...]
    chosen: Any
    rows: Any
    share: Any
    domain: Any


def product_of(lines: Sequence[Line]) -> tuple[Product, tuple[np.ndarray, ...]]:
    """Group lines by kind and shapes; their edges are for `envelopes` alone."""
    groups: dict[Any, list[int]] = {}
    for place, line in enumerate(lines):
        shapes = sorted((name, one.shape) for name, one in line.parameters.items())
        groups.setdefault((line.kind, len(line.edges), *shapes), []).append(place)
    layout, parameters, edges = [], [], []
    for key, places in groups.items():
        members = [lines[place] for place in places]
        layout.append((key[0], tuple(places)))
        parameters.append(
            {
                name: np.stack([one.parameters[name] for one in members])
                for name in members[0].parameters
            }
            | {
                name: np.array([getattr(one, name) for one in members])
                for name in _UNITS
            }
        )
        edges.append(np.stack([one.edges for one in members]))
    return Product(tuple(layout), tuple(parameters)), tuple(edges)


def lines_of(product: Product, edges: Sequence[np.ndarray]) -> list[Line]:
    """Lines that were grouped by `product_of`, in the order of the variables.

    Their domain is left open.
    """
    found: dict[int, Line] = {}
    for (kind, places), given, ends in zip(*product, edges, strict=True):
        for place, variable in enumerate(places):
            own = {name: array[place] for name, array in given.items()}
            shift, stretch = (float(own.pop(name)) for name in _UNITS)
            found[variable] = Line(kind, own, ends[place], shift, stretch)
    return [found[variable] for variable in sorted(found)]


def functions_used(index: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Functions of each variable that occur in products, and where among them."""
    found = [np.unique(column, return_inverse=True) for column in index.T]
    return [used for used, _ in found], np.stack([at for _, at in found], axis=1)


def envelopes(
    layout: Layout,
    parameters: Parameters,
    edges: Sequence[np.ndarray],
    used: Sequence[np.ndarray],
) -> tuple[Envelope, ...]:
    """Staircases above the background and squared functions used, per group.

    Parameters
    ----------
    layout, parameters, edges
        Of the groups.
    used
        Functions wanted, for each variable: rows of its staircases after the first,
        that of the background.
    """
    found = []
    for (kind, places), given, ends in zip(layout, parameters, edges, strict=True):
        density = double(partial(_jitted_densities, kind))
        known: dict[bytes, Envelope] = {}
        each = []
        most = max(len(used[variable]) for variable in places)
        for place, (cells, variable) in enumerate(zip(ends, places, strict=True)):
            one = {name: array[place : place + 1] for name, array in given.items()}
            # Variables of a group have tables of one size: a last row is repeated.
            rows = np.pad(used[variable] + 1, (1, most - len(used[variable])), "edge")
            rows[0] = 0
            parts = (cells, rows, *_shapes_only(one))
            name = b"".join(part.tobytes() for part in parts)
            if name not in known:
                own = partial(_of_one, density, one, rows)
                functions = _functions(kind, given) + 1
                known[name] = tabulated(own, cells, functions=functions)
            each.append(known[name])
        stacked = (np.stack(field) for field in zip(*each, strict=True))
        found.append(Envelope(*stacked))
    return tuple(found)


def product_means(
    layout: Layout,
    parameters: Parameters,
    edges: Sequence[np.ndarray],
    index: np.ndarray,
) -> np.ndarray:
    """Integrals of the products under the measure, shape ``(function,)``.

    Known where a constant comes first; elsewhere by Gauss quadrature on cells that are
    small against the waves of the functions, to rounding.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    product = np.ones(len(index))
    for (kind, places), given, ends in zip(layout, parameters, edges, strict=True):
        if KINDS[kind].constant_first:
            product *= (index[:, np.array(places)] == 0).all(axis=1)
            continue
        functions = _functions(kind, given)
        means = np.zeros((len(places), functions))
        half = np.diff(ends, axis=1)[..., None] / 2
        for some in slices(half.shape[1], _NODES * len(places) * functions):
            t = ends[:, :-1, None][:, some] + half[:, some] * (1 + nodes)
            flat = t.reshape(len(places), -1).T
            terms = double(partial(_jitted_terms, kind))(given, flat)
            mass = (half[:, some] * weights).reshape(len(places), -1).T
            means += np.einsum("td,tdf->df", mass, terms)
        for place, own in zip(places, means, strict=True):
            product *= own[index[:, place]]
    return product


def _of_one(
    density: Callable[..., Any], given: dict[str, Any], rows: np.ndarray, t: np.ndarray
) -> np.ndarray:
    return density(given, t[:, None])[:, 0, rows]


def _functions(kind: str, given: dict[str, Any]) -> int:
    """Number of functions of a variable."""
    return _count(kind, tuple((name, array.shape) for name, array in given.items()))


@cache
def _count(kind: str, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> int:
    """As `_functions`, traced once for parameters of the same shapes."""
    given = {name: np.zeros(shape) for name, shape in shapes}
    point = np.zeros((1, len(given["shift"])))
    return int(jax.eval_shape(KINDS[kind].values, given, point).shape[-1])


def _shapes_only(given: dict[str, Any]) -> list[Any]:
    """Parameters that densities in the coordinate depend on: all but the units."""
    return [array for name, array in given.items() if name not in _UNITS]


@partial(jax.jit, static_argnames="layout")
def product_values(
    parameters: Parameters,
    index: Count[Array, "function dim"],
    x: Real[Array, "*point dim"],
    *,
    layout: Layout,
) -> Real[Array, "*point function"]:
    """Values of products, one per row of ``index``.

    Pure and differentiable in ``x``; follows its precision.
    """
    return _product(_tables(layout, parameters, x), index)


def product_background(
    parameters: Parameters, x: np.ndarray, *, layout: Layout
) -> np.ndarray:
    """Density of the background with respect to the measure, on the host."""
    # Ones are not compiled: XLA would compute them while it compiles.
    whole = np.ones(x.shape[:-1])
    for (kind, places), given in zip(layout, parameters, strict=True):
        if KINDS[kind].background is not None:
            own = double(partial(_jitted_background, kind))
            whole *= own(given, x[..., np.array(places)])
    return whole


@cache
def product_rules(layout: Layout) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Draw and propose for one layout: one object each, so they compile once."""
    back = np.argsort([place for _, places in layout for place in places])

    def draw(source: ProductSource, key: Array, count: int) -> Array:
        own, spread = random.split(key)
        uniform = random.uniform(own, (2, count, 1), source.share.dtype)
        functions = len(source.chosen)
        place = (uniform[0, :, 0] * functions).astype(int)
        place = jnp.minimum(place, functions - 1)
        squared = uniform[1] < source.share
        chosen = source.chosen[place]
        rows = jnp.where(squared, source.rows[place] + 1, 0)
        parts = []
        for number, (kind, places) in enumerate(layout):
            given = source.parameters[number]
            own_places = np.array(places)
            t = envelope_draws(
                partial(_density, KINDS[kind], given, chosen[:, own_places], squared),
                source.envelopes[number],
                rows[:, own_places],
                random.fold_in(spread, number),
            )
            standard = KINDS[kind].place(given, t)
            shift, stretch = (along(given[name], t) for name in _UNITS)
            parts.append(shift + stretch * standard)
        points = jnp.concatenate(parts, axis=1)[:, back]
        # Shifting may have rounded a point out of the domain.
        low, high = (along(end, points) for end in source.domain)
        return jnp.clip(points, low, high)

    def propose(source: ProductSource, key: Array, count: int) -> tuple[Array, Array]:
        points = draw(source, key, count)
        tables = _tables(layout, source.parameters, points)
        # Products of values far out would leave the range of the numbers.
        tables = tables / jnp.max(jnp.abs(tables), axis=-1, keepdims=True)
        rows = _product(tables, source.chosen)
        return points, rows / jnp.sqrt(jnp.sum(rows**2, axis=-1, keepdims=True))

    return draw, propose


def _tables(layout: Layout, parameters: Parameters, x: Array) -> Array:
    """Functions of every variable, shape ``(*point, dim, function)``; zeros fill."""
    parts = [
        KINDS[kind].values(given, _standard(given, x[..., np.array(places)]))
        for (kind, places), given in zip(layout, parameters, strict=True)
    ]
    most = max(part.shape[-1] for part in parts)
    padded = [
        jnp.pad(part, [(0, 0)] * x.ndim + [(0, most - part.shape[-1])])
        for part in parts
    ]
    back = np.argsort([place for _, places in layout for place in places])
    return jnp.concatenate(padded, axis=-2)[..., back, :]


def _product(tables: Array, index: Array) -> Array:
    product = jnp.take(tables[..., 0, :], index[:, 0], axis=-1)
    for place in range(1, index.shape[1]):
        product = product * jnp.take(tables[..., place, :], index[:, place], axis=-1)
    return product


def _standard(given: dict[str, Any], x: Array) -> Array:
    return (x - along(given["shift"], x)) / along(given["stretch"], x)


@partial(jax.jit, static_argnums=0)
def _jitted_terms(kind: str, given: dict[str, Any], t: Array) -> Array:
    """Functions times the density of the measure in the coordinate."""
    rule = KINDS[kind]
    root = rule.root_density(given, t)[..., None]
    return rule.values(given, rule.place(given, t)) * root * root


@partial(jax.jit, static_argnums=0)
def _jitted_densities(kind: str, given: dict[str, Any], t: Array) -> Array:
    """As `_densities`, compiled once per kind and shape for all spaces."""
    return _densities(KINDS[kind], given, t)


@partial(jax.jit, static_argnums=0)
def _jitted_background(kind: str, given: dict[str, Any], x: Array) -> Array:
    background: Any = KINDS[kind].background
    return jnp.prod(background(given, _standard(given, x)), axis=-1)


def _densities(kind: Kind, given: dict[str, Any], t: Array) -> Array:
    """Background and induced densities in the coordinate, rows along a last axis."""
    x, root = kind.place(given, t), kind.root_density(given, t)
    # The root goes first: far out it is what keeps the squares finite.
    induced = (kind.values(given, x) * root[..., None]) ** 2
    return jnp.concatenate([_background(kind, given, x, root)[..., None], induced], -1)


def _density(
    kind: Kind, given: dict[str, Any], chosen: Array, squared: Array, t: Array
) -> Array:
    """Density of one function at each point, or of the background."""
    x, root = kind.place(given, t), kind.root_density(given, t)
    value = jnp.take_along_axis(kind.values(given, x), chosen[..., None], axis=-1)
    induced = (value[..., 0] * root) ** 2
    return jnp.where(squared, induced, _background(kind, given, x, root))


def _background(kind: Kind, given: dict[str, Any], x: Array, root: Array) -> Array:
    own = 1.0 if kind.background is None else kind.background(given, x)
    return own * root**2
