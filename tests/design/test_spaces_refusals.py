"""What spaces refuse, in which words, and what of them can be stored."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

import distcausal as dc

X = np.linspace(-1, 1, 9)
POWERS = np.vander(X, 3)


def parabola(x):
    return x[0] ** jnp.arange(3)


def polynomial(family="legendre", degree=3, dim=1, **options):
    return lambda: dc.PolynomialSpace(family, dim, dc.TotalDegree(degree), **options)


def features(function=parabola, measure=X, **options):
    return lambda: dc.FeatureSpace(function, measure, **options)


BAD_DESIGNS = {
    "shape below": (polynomial("jacobi", shape=(-0.7, 0)), "at least -1/2"),
    "shape above": (polynomial("jacobi", shape=(1e7, 0)), "at most 1e"),
    "expanded": (
        lambda: dc.TrigonometricSpace(10, dc.TotalDegree(5)),
        "10 dimensions gives more than 20000",
    ),
    "many splines": (
        lambda: dc.SplineSpace(range(9_001), degree=0),
        "9000 splines on 9000 cells",
    ),
    "many waves": (
        lambda: dc.MercerSpace("gaussian", 5, length_scale=1e-12),
        "half-waves",
    ),
    "many cells": (
        polynomial(degree=5_000),
        "5001 functions to draw from on 160064 cells",
    ),
    "gamma shape": (polynomial("laguerre", shape=-0.6), "at least -1/2"),
    "no shape": (polynomial("jacobi"), "needs shape"),
    "order of bounds": (polynomial(bounds=(1, 0)), "low < high"),
    "three bounds": (polynomial(bounds=(0, 1, 2)), "bounds .* 2 finite"),
    "scale": (polynomial("hermite", scale=0), "scale 0 should be positive"),
    "infinite": (polynomial("hermite", location=np.inf), "a finite number"),
    "useless": (polynomial("hermite", bounds=(0, 1)), "bounds means nothing"),
    "useless in part": (
        polynomial(["hermite", "legendre"], dim=2, scale=[1.0, 2.0]),
        "scale means nothing to variable 1",
    ),
    "names": (polynomial(["hermite"], dim=2), "one name or 2"),
    "family": (polynomial("gegenbauer"), "family"),
    "high hermite": (polynomial("hermite", 301), "degree 301 .* offered is 300"),
    "high laguerre": (polynomial("laguerre", 151), "degree 151 .* offered is 150"),
    "weights": (
        lambda: dc.TotalDegree(3, weights=(1, 0)).multi_indices(2),
        "2 positive numbers",
    ),
    "no family": (lambda: dc.PolynomialSpace(5), "one name or 1"),
    "worded period": (lambda: dc.TrigonometricSpace(period="a"), "period 'a' should"),
    "worded knots": (lambda: dc.SplineSpace("abc"), "knots should .* got 'abc'"),
    "ragged": (lambda: dc.PolynomialSpace(dim=2, index=[[0, 1], [2]]), "rows of 2"),
    "worded weights": (lambda: dc.TotalDegree(2, weights="a"), "weights 'a' should"),
    "period": (lambda: dc.TrigonometricSpace(period=0), "period 0"),
    "knots": (lambda: dc.SplineSpace([1, 0]), "ascending"),
    "one knot": (lambda: dc.SplineSpace([1, 1]), "ascending"),
    "spline degree": (lambda: dc.SplineSpace([0, 1], degree=11), "more than 10"),
    "repeated": (lambda: dc.SplineSpace([0, 1, 1, 1, 2], degree=1), "occurs 3 times"),
    "spline index": (
        lambda: dc.SplineSpace([0, 1], degree=1, index=[[2]]),
        "asks for function 2; there are 2",
    ),
    "kernel": (lambda: dc.MercerSpace("matern", 3), "kernel"),
    "kernel object": (lambda: dc.MercerSpace(3, 3), "a name or a function"),
    "no measure": (lambda: dc.MercerSpace(lambda x, y: x[0] * y[0], 1), "a measure"),
    "own measure": (lambda: dc.MercerSpace("gaussian", 3, X), "leave measure out"),
    "foreign": (lambda: dc.MercerSpace("brownian_bridge", 3, scale=2), "scale"),
    "rank": (features(rank="half"), "rank"),
    "matrix": (features(lambda x: jnp.ones((2, 2))), "one vector"),
    "corners": (lambda: dc.BoxDensity(lambda x: x[:, 0], 1, 0), "below"),
    "bandwidth": (lambda: dc.CutoffSpace(X, bandwidth=0), "bandwidth 0"),
    "cutoff kernel": (lambda: dc.CutoffSpace(X, bandwidth=1, kernel="cos"), "kernel"),
}
BAD_DATA = {
    "rank": (
        lambda: dc.FiniteSpace(POWERS[:, [0, 0, 1]]),
        "rank is 2, not 3. .*column 1.*rank='truncate'",
    ),
    "only zeros": (
        lambda: dc.FiniteSpace(np.zeros((4, 2)), rank="truncate"),
        "zero wherever",
    ),
    "few points": (lambda: dc.FiniteSpace(POWERS[:2]), "at least 3 points"),
    "few masses": (
        lambda: dc.FiniteSpace(POWERS, [1, 1, 0, 0, 0, 0, 0, 0, 0]),
        "at least 3 points with mass; there are 2",
    ),
    "negative": (lambda: dc.FiniteSpace(POWERS, np.arange(9.0) - 1), "1 of 9"),
    "missing mass": (
        lambda: dc.FiniteSpace(POWERS, [np.nan, *[1.0] * 8]),
        "mass should be finite",
    ),
    "no mass": (lambda: dc.FiniteSpace(POWERS, np.zeros(9)), "all of it is zero"),
    "missing label": (lambda: dc.FiniteSpace.dummies([1.0, np.nan]), "1 missing"),
    "dependent features": (
        features(lambda x: jnp.array([x[0], 2 * x[0]])),
        "feature 1",
    ),
    "feature overflow": (features(lambda x: jnp.exp(1e4 * x)), "infinite"),
    "negative masses": (features(measure=(X, -X)), "mass should be finite"),
    "negative density": (
        features(measure=dc.BoxDensity(lambda x: x[:, 0], -1, 1), reference=50),
        "mass should be finite",
    ),
    "no points": (features(measure=np.zeros((0, 2))), "one row per point"),
    "missing points": (features(measure=np.array([np.nan])), "finite"),
    "asymmetric": (
        lambda: dc.MercerSpace(lambda x, y: x[0] - 2 * y[0], 1, X),
        "symmetric",
    ),
    "low rank": (
        lambda: dc.MercerSpace(lambda x, y: x[0] * y[0], 2, X),
        "1 positive eigenvalues",
    ),
    "side": (
        lambda: dc.CutoffSpace([-1.0, -0.5, 0.2], bandwidth=2),
        "above the cutoff 0, 1 units",
    ),
    "missing running": (
        lambda: dc.CutoffSpace([0.1, np.nan, 0.3], bandwidth=1),
        "running should .* 1 missing",
    ),
    "worded running": (
        lambda: dc.CutoffSpace(["a", "b"], bandwidth=1),
        "running should be numbers",
    ),
    "running": (lambda: dc.CutoffSpace(POWERS, bandwidth=2), "one number per unit"),
}


@pytest.mark.parametrize(("make", "words"), BAD_DESIGNS.values(), ids=BAD_DESIGNS)
def test_spaces_that_cannot_be_are_refused(make, words):
    with pytest.raises(dc.DesignError, match=f"(?s){words}"):
        make()


@pytest.mark.parametrize(("make", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_determine_no_space_are_refused(make, words):
    with pytest.raises(dc.DataError, match=f"(?s){words}"):
        make()


def test_points_outside_the_domain_are_refused():
    moved = dc.PolynomialSpace(dim=2, index=dc.Tensor(1), bounds=[(0, 1), (5, 9)])
    with pytest.raises(dc.DataError, match=r"\[0, 1\] x \[5, 9\]; 1 of 2 .* row 1"):
        moved.basis.evaluate([[0.5, 6], [0.5, 4]])
    gamma = dc.PolynomialSpace("laguerre", index=dc.TotalDegree(2), location=3)
    with pytest.raises(dc.DataError, match="1 of 1"):
        gamma.basis.evaluate([2.0])
    with pytest.raises(dc.DataError, match="1 of 1"):
        gamma.basis.evaluate([np.inf])


def test_values_beyond_double_precision_are_refused():
    basis = dc.PolynomialSpace("hermite", index=dc.TotalDegree(150)).basis
    assert np.isfinite(basis.evaluate([34.0])).all()
    with pytest.raises(dc.DataError, match=r"double precision at 1 of 2 .*rows 1"):
        basis.evaluate([0.0, 1e6])


def test_highest_degrees_have_finite_values_at_their_points():
    space = dc.PolynomialSpace("laguerre", index=[[150], [0], [149]])
    points = dc.IID(space, 200).sample(seed=1)
    assert np.isfinite(points.values).all()
    assert (points.weights > 0).all()


@pytest.mark.parametrize(
    "make",
    [
        polynomial(["hermite", "legendre"], dim=2, bounds=(0, 3)),
        lambda: dc.TrigonometricSpace(index=dc.TotalDegree(2)),
        lambda: dc.SplineSpace([0, 1, 2]),
        lambda: dc.CutoffSpace(X, bandwidth=1),
        lambda: dc.FiniteSpace(POWERS[:, [0, 0, 1]], rank="truncate"),
    ],
)
def test_bases_come_back_from_json(make):
    basis = make().basis
    back = type(basis).from_json(basis.to_json())
    assert back == basis
    assert back.labels == basis.labels


def test_functions_cannot_be_written_as_json_but_pickled():
    basis = dc.FeatureSpace(parabola, X).basis
    with pytest.raises(dc.DataError, match="holds parabola, a function"):
        basis.to_json()
    back = pickle.loads(pickle.dumps(basis))
    assert_array_equal(back.evaluate([0.3]), basis.evaluate([0.3]))


def test_spaces_can_be_pickled():
    for space in (polynomial()(), dc.CutoffSpace(X, bandwidth=1), features()()):
        back = pickle.loads(pickle.dumps(space))
        found = dc.IID(back, 4).sample(seed=1).x
        assert_array_equal(found, dc.IID(space, 4).sample(seed=1).x)


def test_products_of_high_degrees_are_refused_before_they_overflow():
    with pytest.raises(dc.DesignError, match="sum to at most one"):
        dc.PolynomialSpace("hermite", 2, [[0, 0], [300, 300]])


def test_eigenfunctions_too_narrow_to_draw_from_are_refused():
    space = dc.MercerSpace("gaussian", 300, length_scale=0.01)
    with pytest.raises(dc.DesignError, match="range of double precision"):
        dc.IID(space, 300).sample()


def test_a_frame_of_points_is_a_measure():
    points = pd.DataFrame({"x": np.linspace(-1, 1, 40)})
    space = dc.FeatureSpace(lambda x: jnp.array([1.0, x[0]]), points)
    assert len(space.mass) == 40


def test_dummies_are_a_finite_space_whoever_makes_them():
    assert type(dc.CutoffSpace.dummies(["a", "b", "a"])) is dc.FiniteSpace


def heights(space):
    """Cells of every table that draws of a space use."""
    return [table.height.shape for table in space.source(1.0).envelopes]


def test_tables_for_draws_hold_the_functions_that_occur():
    """Rows: the background, and what the index names in the longer of two variables."""
    one = dc.PolynomialSpace(index=[[200]])
    ((_, rows, _),) = heights(one)
    assert rows == 2
    x = dc.IID(one, 2_000).sample(seed=1).x[:, 0]
    # Squares of high Legendre polynomials fill the interval like the arcsine law.
    assert (
        stats.kstest(np.arcsin(x), stats.uniform(-np.pi / 2, np.pi).cdf).pvalue > 0.01
    )
    two = dc.PolynomialSpace(dim=2, index=[[0, 7], [3, 7], [5, 7]])
    ((variables, rows, _),) = heights(two)
    assert (variables, rows) == (2, 4)
    x = dc.IID(two, 4_000).sample(seed=2).x
    nodes, weight = np.polynomial.legendre.leggauss(24)
    for column, degrees in zip(x.T, ([0, 3, 5], [7, 7, 7]), strict=True):
        squares = [
            np.polynomial.Legendre.basis(k)(nodes) ** 2 * (2 * k + 1) for k in degrees
        ]
        mean = weight @ (nodes**2 * np.mean(squares, axis=0)) / 2
        assert abs(np.mean(column**2) - mean) <= 4 * np.std(column**2) / np.sqrt(len(x))


def test_constant_pieces_need_one_cell_each():
    ((_, rows, cells),) = heights(dc.SplineSpace(range(301), degree=0))
    assert (rows, cells) == (301, 300)


def test_steep_densities_need_cells_as_the_root_of_their_shape():
    steep = dc.PolynomialSpace("jacobi", index=dc.TotalDegree(2), shape=(5e4, 5e4))
    ((_, _, cells),) = heights(steep)
    assert cells < 32 * 600
    x = dc.IID(steep, 4_000, weight="one").sample(seed=1).x[:, 0]
    law = stats.beta(5e4 + 1, 5e4 + 1)
    assert stats.kstest((x + 1) / 2, law.cdf).pvalue > 0.01


def test_a_background_of_ones_is_not_compiled(caplog):
    space = dc.PolynomialSpace(dim=2, index=dc.TotalDegree(2))
    with jax.log_compiles():
        found = space.background(np.zeros((3, 11, 2)))
    assert_array_equal(found, np.ones((3, 11)))
    assert "Compiling" not in caplog.text


def arrays(value):
    """All arrays that an object holds, and those that are held by these."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, tuple | list):
        return [one for part in value for one in arrays(part)]
    if isinstance(value, dict):
        return arrays(list(value.values()))
    return arrays(vars(value)) if type(value).__module__.startswith("dist") else []


@pytest.mark.parametrize(
    "space",
    [
        dc.FiniteSpace(POWERS),
        dc.StreamedSpace(POWERS),
        dc.CutoffSpace(X, bandwidth=1),
        dc.TrigonometricSpace(2, dc.TotalDegree(1)),
        dc.MercerSpace("brownian_bridge", 3),
    ],
    ids=repr,
)
def test_what_comes_back_from_a_pickle_cannot_be_changed(space):
    back = pickle.loads(pickle.dumps(space))
    held = arrays({name: one for name, one in vars(back).items() if name != "fetch"})
    assert len(held) > 1
    assert not any(one.flags.writeable for one in held)


@pytest.mark.parametrize("kind", [dc.TotalDegree, dc.HyperbolicCross])
def test_index_sets_are_compared_and_hashed_by_their_numbers(kind):
    array, listed = kind(2, weights=np.array([1.0, 2])), kind(2, weights=[1, 2])
    assert array == listed
    assert hash(array) == hash(listed)
    assert array != kind(2, weights=(1, 3))


def test_more_columns_than_points_can_be_truncated():
    columns = np.vander(X[:4], 6, increasing=True)
    space = dc.FiniteSpace(columns, rank="truncate")
    assert space.dropped == ("column 4", "column 5")
    fit = dc.wls(dc.ProjectionDPP(space).sample(seed=1), np.zeros(4))
    assert fit.coef_features.shape == (6,)
    with pytest.raises(dc.DataError, match="6 features needs at least 6 points"):
        dc.FiniteSpace(columns)
    few = dc.FeatureSpace(lambda x: x[0] ** jnp.arange(6), X[:4], rank="truncate")
    assert few.size == 4


def test_masses_too_small_to_divide_by_are_no_masses():
    mass = np.array([1.0, 1, 1, 1e-305, 1, 1, 1, 1, 1])
    space = dc.FiniteSpace(POWERS, mass)
    assert space.mass[3] == 0
    assert space.leverage[3] == 0
    # Here the point would hold a function alone, and be drawn with weight zero.
    with pytest.raises(dc.DataError, match="needs at least"):
        dc.FiniteSpace(np.eye(3), [1.0, 1, 1e-310])
    kept = dc.FiniteSpace(np.eye(3), [1.0, 1, 1e-290])
    points = dc.ProjectionDPP(kept).sample(seed=1)
    assert (points.weights > 0).all()


def test_spaces_say_how_large_they_are():
    waves = dc.TrigonometricSpace(index=dc.TotalDegree(1))
    assert repr(waves) == "TrigonometricSpace(3 functions of 1 variable)"
    both = dc.TensorSpace([waves, dc.SplineSpace([0, 1])])
    assert repr(both) == "TensorSpace(12 functions of 2 variables)"
    assert "4 features on 9 points" in repr(dc.CutoffSpace(X, bandwidth=1))
