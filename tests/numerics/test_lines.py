"""Functions of one variable: orthonormal, under their staircases, drawn exactly."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from distcausal._base.precision import double
from distcausal.numerics.envelope import Envelope, envelope_draws, tabulated
from distcausal.numerics.lines import (
    KINDS,
    hermite_line,
    jacobi_line,
    laguerre_line,
    mercer_line,
    piecewise_line,
    sine_line,
    trigonometric_line,
)
from distcausal.numerics.product import (
    ProductSource,
    _densities,
    envelopes,
    functions_used,
    product_of,
    product_rules,
    product_values,
)

# Two intervals: constants, one slope, one parabola; orthonormal on [0, 3].
PIECES = np.zeros((2, 3, 4))
PIECES[0, 0, 0], PIECES[1, 0, 1] = np.sqrt(3), np.sqrt(1.5)
PIECES[0, 1, 2], PIECES[1, :, 3] = 3.0, np.sqrt(1.5 * 5) * np.array([-0.5, 0, 1.5])
LINES = {
    "legendre": jacobi_line(6, 0.0, 0.0, -1.0, 1.0),
    "chebyshev": jacobi_line(6, -0.5, -0.5, 0.0, 5.0),
    "jacobi": jacobi_line(6, 0.3, -0.45, -2.0, 1.0),
    "concentrated": jacobi_line(3, 60.0, 2.0, 0.0, 1.0),
    "hermite": hermite_line(6, 1.0, 3.0),
    "laguerre": laguerre_line(6, 0.0, 0.0, 1.0),
    "root gamma": laguerre_line(6, -0.5, 2.0, 0.1),
    "steep": jacobi_line(3, 5e4, 5e4, 0.0, 1.0),
    "steep end": jacobi_line(3, 1e5, 0.0, 0.0, 1.0),
    "far gamma": laguerre_line(4, 300.0, 0.0, 1.0),
    "trigonometric": trigonometric_line(3, 24.0),
    "sine": sine_line(6),
    "rough mercer": mercer_line(6, 0.0, 2.0, 0.3),
    "smooth mercer": mercer_line(6, 0.0, 2.0, 8.0),
    "piecewise": piecewise_line(np.array([0.0, 1.0, 3.0]), PIECES),
}
each_line = pytest.mark.parametrize("name", LINES)


def density(line):
    parameters = product_of([line])[0].parameters[0]
    whole = double(jax.jit(partial(_densities, KINDS[line.kind], parameters)))
    return lambda t: whole(t[:, None])[:, 0]


@cache
def staircase(name):
    line = LINES[name]
    return tabulated(density(line), line.edges, functions=10)


@cache
def on_a_dense_grid(name):
    """Densities at 24 points of every cell, one row per function."""
    line = LINES[name]
    width = np.diff(line.edges)
    t = line.edges[:-1, None] + width[:, None] * (np.arange(24) + 0.5) / 24
    values = density(line)(t.ravel()).T
    return values.reshape(len(values), *t.shape), width


@each_line
def test_densities_lie_under_their_staircases(name):
    values, _ = on_a_dense_grid(name)
    height = staircase(name).height
    assert (values.max(axis=-1) <= height).all()


@each_line
def test_densities_integrate_to_one_and_few_draws_are_refused(name):
    values, width = on_a_dense_grid(name)
    mass = (values.mean(axis=-1) * width).sum(axis=-1)
    # A midpoint rule; the worst density starts as the tenth power of the angle's root.
    assert_allclose(mass, 1.0, atol=2e-5)
    height = staircase(name).height
    assert (mass / (height * width).sum(axis=-1)).min() > 0.88


@pytest.mark.parametrize("degree", [150, 300])
def test_staircases_hold_at_the_highest_degrees(degree):
    line = hermite_line(300, 0.0, 1.0) if degree == 300 else laguerre_line(150, 0, 0, 1)
    for share in (0.2, 0.5, 0.75):
        first = int(share * len(line.edges))
        edges = line.edges[first : first + 65]
        width = np.diff(edges)
        t = edges[:-1, None] + width[:, None] * (np.arange(24) + 0.5) / 24
        values = density(line)(t.ravel())
        assert np.isfinite(values).all()
        top = values.T.reshape(-1, *t.shape).max(axis=-1)
        staircases = tabulated(density(line), edges, functions=len(top))
        assert (top <= staircases.height).all()


@each_line
def test_functions_are_orthonormal(name):
    line = LINES[name]
    width = np.diff(line.edges)
    parameters = product_of([line])[0].parameters[0]
    t = line.edges[:-1, None] + width[:, None] * (np.arange(24) + 0.5) / 24
    kind = KINDS[line.kind]

    def weighted(t):
        return (
            kind.values(parameters, kind.place(parameters, t))
            * kind.root_density(parameters, t)[..., None]
        )

    rows = double(weighted)(t.reshape(-1, 1))[:, 0]
    weight = np.repeat(width / 24, 24)
    gram = (rows * weight[:, None]).T @ rows
    assert_allclose(gram, np.eye(len(gram)), atol=2e-5)


@each_line
@pytest.mark.parametrize("function", [None, 0, 3])
def test_draws_follow_the_squared_function_times_the_measure(name, function):
    line = LINES[name]
    product, edges = product_of([line])
    index = np.array([[function or 0]])
    used, rows = functions_used(index)
    source = ProductSource(
        product.parameters,
        envelopes(product.layout, product.parameters, edges, used),
        index,
        rows,
        np.float64(function is not None),
        np.array([[line.low], [line.high]]),
    )
    draw = product_rules(product.layout)[0]
    run = double(partial(jax.jit(draw, static_argnums=2), count=4_000))
    x = run(source, jax.random.key(len(name)))[:, 0]
    assert x.min() >= line.low
    assert x.max() <= line.high
    values, width = on_a_dense_grid(name)
    row = 0 if function is None else function + 1
    cdf = np.append(0, np.cumsum(values[row].mean(axis=-1) * width))
    if line.kind == "jacobi":
        place = np.arccos(np.clip((x - line.shift) / line.stretch, -1, 1))
    elif line.kind == "laguerre":
        place = np.sqrt((x - line.shift) / line.stretch)
    else:
        place = (x - line.shift) / line.stretch
    # Within a cell the distribution function is all but a straight line.
    law = stats.kstest(place, lambda z: np.interp(z, line.edges, cdf))
    assert law.pvalue > 1e-3


def test_draws_are_exact_whatever_the_cells():
    """Cells so wide that half of what lies under the staircase is refused."""

    def powers(t):
        return t[..., None] ** np.array([0.0, 1.0, 6.0]) * np.array([1.0, 2.0, 7.0])

    one = tabulated(powers, np.array([0.0, 0.5, 1.0]), functions=3)
    envelope = Envelope(*(field[None] for field in one))

    def draw(rows, key):
        exponent = jnp.array([0.0, 1.0, 6.0])[rows]
        return envelope_draws(
            lambda t: t**exponent * (exponent + 1), envelope, rows, key
        )

    rows = np.repeat(np.arange(3), 4_000)[:, None]
    x = double(jax.jit(draw))(rows, jax.random.key(1))[:, 0]
    for row, power in enumerate((1, 2, 7)):
        some = x[rows[:, 0] == row]
        assert stats.kstest(some, stats.beta(power, 1).cdf).pvalue > 1e-3


def test_mercer_functions_are_eigenfunctions_of_the_gaussian_kernel():
    scale, length = 2.0, 0.9
    product, _ = product_of([mercer_line(5, 0.5, scale, length)])
    nodes, weight = np.polynomial.hermite_e.hermegauss(100)
    points, weight = 0.5 + scale * nodes, weight / weight.sum()
    index = np.arange(5)[:, None]
    found = double(product_values)(
        product.parameters, index, points[:, None], layout=product.layout
    )
    kernel = np.exp(-((points[:, None] - points) ** 2) / (2 * length**2))
    image = kernel @ (weight[:, None] * found)
    middle = np.abs(nodes) < 2  # Gauss nodes resolve the kernel there
    ratio = image[middle] / found[middle]
    a, b = 0.25 / scale**2, 0.5 / length**2
    whole = a + b + np.sqrt(a**2 + 2 * a * b)
    exact = np.sqrt(2 * a / whole) * (b / whole) ** np.arange(5)
    assert_allclose(np.median(ratio, axis=0), exact, rtol=1e-6)


def test_products_are_products_whatever_the_order_of_the_groups():
    lines = [LINES["hermite"], LINES["sine"], LINES["hermite"], LINES["legendre"]]
    product, _ = product_of(lines)
    assert len(product.layout) == 3
    x = np.random.default_rng(0).uniform(0.1, 0.9, (7, 4))
    index = np.array([[0, 0, 0, 0], [2, 0, 1, 3], [1, 3, 2, 0]])
    found = double(product_values)(product.parameters, index, x, layout=product.layout)
    expected = np.ones_like(found)
    for place, line in enumerate(lines):
        one, _ = product_of([line])
        expected *= double(product_values)(
            one.parameters, index[:, [place]], x[:, [place]], layout=one.layout
        )
    assert_allclose(found, expected, rtol=1e-13)
