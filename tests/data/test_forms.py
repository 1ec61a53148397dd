"""The five forms answer alike, keep what they are given, and change nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.data import unit_column
from distcausal.numerics.quantile import cell_masses
from tests.strategies import level_grids, samples, weighted_samples

RD = dc.RandomDistributions
LEVELS = np.arange(1, 20) / 20
COLUMNS = {"margin": [0.1, -0.2, 0.3], "image": np.zeros((3, 2, 2))}


def exponential_quantile(level, rate):
    return -np.log1p(-level) / rate


def exponential_cdf(point, rate):
    return -np.expm1(-rate * np.maximum(point, 0.0))


def make(form):
    """Three units of a form, labelled a, b, c."""
    known = {"ids": ["a", "b", "c"], "columns": COLUMNS}
    rng = np.random.default_rng(7)
    if form == "samples":
        drawn = [rng.normal(size=size) for size in (4, 1, 6)]
        return RD.from_samples(drawn, **known)
    if form == "weighted samples":
        drawn = [rng.normal(size=size) for size in (4, 1, 6)]
        mass = [rng.uniform(0.5, 2, size) for size in (4, 1, 6)]
        return RD.from_samples(drawn, weights=mass, **known)
    if form == "quantiles":
        return RD.from_quantiles(
            np.sort(rng.normal(size=(3, 4))), [0.1, 0.3, 0.6, 0.9], **known
        )
    if form == "bins":
        mass = rng.dirichlet(np.ones(3), 3)
        return RD.from_bins([0.0, 1.0, 3.0, 4.0], mass, **known)
    if form == "atoms":
        return RD.from_atoms([2.0, 0.0, 5.0], rng.dirichlet(np.ones(3), 3), **known)
    return RD.from_law(
        (exponential_quantile, exponential_cdf), {"rate": [0.5, 1.0, 2.0]}, **known
    )


FORMS = ("samples", "weighted samples", "quantiles", "bins", "atoms", "law")
forms = pytest.mark.parametrize("form", FORMS)


@forms
def test_every_form_answers_every_question(form):
    data = make(form)
    assert len(data) == 3
    assert data.ids.tolist() == ["a", "b", "c"]
    assert data.sizes.shape == data.mean().shape == (3,)
    curves = data.quantiles(LEVELS)
    assert curves.shape == (3, 19)
    assert np.all(np.diff(curves) >= 0)
    shares = data.cdf(np.array([3.0, -1.0, 0.5]))
    assert shares.shape == (3, 3)
    assert np.all((shares[:, 1] <= shares[:, 2]) & (shares[:, 2] <= shares[:, 0]))
    assert_allclose(data.expect(np.ones_like), 1.0, rtol=1e-12)
    assert_allclose(data.expect(lambda y: 3 * y + 1), 3 * data.mean() + 1, rtol=1e-12)
    assert "3 units" in str(data.summary())
    assert "3 units" in repr(data)


@forms
def test_draws_follow_the_law_and_repeat_with_the_seed(form):
    data = make(form)
    drawn = data.sample(4000, seed=3)
    assert drawn.shape == (3, 4000)
    assert_array_equal(drawn, data.sample(4000, seed=3))
    assert not np.array_equal(drawn, data.sample(4000, seed=4))
    points = data.quantiles([0.2, 0.5, 0.8])
    for unit in range(3):
        share = (drawn[unit][:, None] <= points[unit]).mean(axis=0)
        # Five standard errors of a share of 4,000 draws.
        assert_allclose(share, data.cdf(points[unit])[unit], atol=0.04)


@forms
def test_draws_of_a_unit_do_not_depend_on_the_units_after_it(form):
    data = make(form)
    assert_array_equal(data.take([0]).sample(5), data.sample(5)[:1])


@forms
def test_taking_units_takes_everything_about_them(form):
    data = make(form)
    for index in (
        [2, 0],
        [True, False, True],
        slice(None, None, -2),
        slice(1, 3),
        [-1],
    ):
        taken = data.take(index)
        kept = np.arange(3)[index]
        assert_array_equal(taken.ids, data.ids[kept])
        assert_array_equal(taken.sizes, data.sizes[kept])
        assert_array_equal(taken.columns["image"], data.columns["image"][kept])
        assert_array_equal(taken.quantiles(LEVELS), data.quantiles(LEVELS)[kept])
        assert_allclose(taken.mean(), data.mean()[kept], rtol=1e-14)
        assert_array_equal(taken.cdf([0.5]), data.cdf([0.5])[kept])


@forms
def test_a_run_of_units_shares_memory(form):
    data = make(form)
    for name in ("values", "curves", "mass"):
        if hasattr(data, name):
            assert np.shares_memory(
                getattr(data, name), getattr(data.take([1, 2]), name)
            )
            more = data.with_columns(extra=[1, 2, 3])
            assert getattr(more, name) is getattr(data, name)


@forms
def test_nothing_held_can_be_written_to(form):
    data = make(form)
    arrays = [value for value in vars(data).values() if isinstance(value, np.ndarray)]
    arrays += [
        data.ids,
        *data.columns.values(),
        data.quantiles(LEVELS),
        data.cdf([0.0]),
    ]
    for array in arrays:
        assert not array.flags.writeable
    with pytest.raises(AttributeError):
        data.units = None
    with pytest.raises(TypeError):
        data.columns["margin"] = 0


@forms
def test_objects_survive_pickling(form):
    data = make(form)
    data.quantiles(LEVELS)
    back = pickle.loads(pickle.dumps(data))
    assert_array_equal(back.quantiles(LEVELS), data.quantiles(LEVELS))
    assert_array_equal(back.columns["margin"], data.columns["margin"])


@forms
def test_barycentre_averages_and_mixture_pools(form):
    data = make(form)
    weights = np.array([1.0, 2.0, 0.0])
    share = weights / 3
    centre, pool = data.barycentre(weights), data.mixture(weights)
    assert len(centre) == len(pool) == 1
    assert_allclose(centre.mean(), share @ data.mean(), rtol=1e-8)
    assert_allclose(pool.mean(), share @ data.mean(), rtol=1e-6)
    points = np.array([0.3, 0.9, 2.5])
    assert_allclose(pool.cdf(points)[0], share @ data.cdf(points), rtol=1e-12)
    named = data.with_columns(mass=weights).barycentre("mass")
    assert_allclose(named.mean(), centre.mean(), rtol=1e-14)
    if form in ("quantiles", "bins", "law"):
        curve = share @ data.quantiles(LEVELS)
        assert_allclose(centre.quantiles(LEVELS)[0], curve, rtol=1e-12)
    assert f"of {2} units" in str(centre.summary())


@forms
def test_the_barycentre_of_one_law_repeated_is_that_law(form):
    data = make(form).take([0, 0, 0])
    gap = data.take([0]).distance(data.barycentre(), metric="w1")
    assert_allclose(gap, 0, atol=1e-12)


@forms
def test_distances_vanish_only_between_equal_units(form):
    data = make(form)
    for metric in ("w1", "w2", "winf", "energy", "ks"):
        assert_array_equal(data.distance(data, metric=metric), 0.0)
        first = data.distance(data.take([0]), metric=metric)
        assert first[0] == 0
        assert np.all(first[1:] > 0)


@given(weighted_samples())
def test_barycentre_of_samples_is_closer_than_its_rivals(case):
    drawn, weights = case
    data = RD.from_samples(drawn, weights=weights, quantile_rule="inverse")
    share = np.arange(1.0, len(data) + 1) / np.arange(1.0, len(data) + 1).sum()
    centre = data.barycentre(share)

    def cost(law):
        return share @ data.distance(law, metric="w2") ** 2

    scale = max(np.abs(data.values).max(), 1e-300)
    moved = RD.from_samples(
        [centre.values + 0.01 * scale * np.sin(np.arange(len(centre.values)))],
        weights=None if centre.weights is None else [centre.weights],
    )
    room = 1e-9 * scale**2
    for rival in (moved, data.mixture(share), data.take([0])):
        assert cost(centre) <= cost(rival) + room


@given(samples(), level_grids())
def test_barycentre_is_linear_in_the_weights(drawn, levels):
    data = RD.from_samples(drawn, quantile_rule="inverse")
    share = np.arange(1.0, len(data) + 1) / np.arange(1.0, len(data) + 1).sum()
    found = data.barycentre(share).quantiles(levels)[0]
    scale = np.abs(data.values).max()
    known = share @ data.quantiles(levels)
    assert_allclose(found, known, rtol=1e-9, atol=1e-9 * scale)


def test_the_midpoint_of_a_geodesic_is_equally_far_from_both_ends():
    rng = np.random.default_rng(5)
    data = RD.from_samples([rng.normal(size=8), rng.exponential(size=5)])
    there = data.distance(data.barycentre(), metric="w2")
    whole = data.take([0]).distance(data.take([1]), metric="w2")
    assert_allclose(there, np.repeat(whole / 2, 2), rtol=1e-10)


def test_equal_sizes_keep_the_rule_and_carry_no_weights():
    data = RD.from_samples([[0.0, 1.0, 5.0], [2.0, 3.0, 10.0]])
    centre = data.barycentre()
    assert not centre.has_weights
    assert_allclose(centre.values, [1.0, 2.0, 7.5], rtol=1e-15)
    assert_allclose(centre.quantiles(LEVELS)[0], data.quantiles(LEVELS).mean(axis=0))
    uneven = RD.from_samples([[0.0], [2.0, 3.0]], quantile_rule="weibull")
    assert uneven.barycentre().quantile_rule == "weibull"
    assert uneven.mixture().quantile_rule == "inverse"


@given(samples(sizes=(4,)))
def test_draws_come_back_from_their_own_quantiles(drawn):
    data = RD.from_samples(drawn, quantile_rule="inverse")
    midpoints = (np.arange(4) + 0.5) / 4
    back = data.to_quantiles(midpoints).to_samples()
    assert_array_equal(back.values, data.values)
    assert_array_equal(back.offsets, data.offsets)
    assert not back.has_weights


@given(weighted_samples())
def test_atoms_hold_the_law_of_the_draws(case):
    drawn, weights = case
    data = RD.from_samples(drawn, weights=weights, quantile_rule="inverse")
    atoms = data.to_atoms()
    assert_array_equal(atoms.sizes, data.sizes)
    assert_allclose(atoms.distance(data, metric="ks"), 0, atol=1e-12)
    levels = np.array([0.1234567, 0.5456789])
    assert_array_equal(atoms.quantiles(levels), data.quantiles(levels))
    again = atoms.to_samples()
    assert_allclose(again.distance(data, metric="ks"), 0, atol=1e-12)


def test_bins_of_a_law_hold_its_mass():
    data = make("law")
    edges = np.array([-1.0, 0.5, 1.0, np.inf])
    binned = data.to_bins(edges)
    assert_allclose(binned.mass[:, :2].sum(axis=1), data.cdf([1.0])[:, 0])
    assert_allclose(binned.cdf([0.5, 1.0]), data.cdf([0.5, 1.0]), rtol=1e-12)
    assert np.isinf(binned.sizes).all()


def test_quantiles_keep_the_sizes_of_their_samples():
    data = make("samples").to_quantiles(LEVELS)
    assert_array_equal(data.sizes, [4, 1, 6])
    assert "quantiles of samples by rule linear" in str(data.summary())


def test_own_levels_are_answered_without_a_copy():
    given_curves = np.sort(np.random.default_rng(0).normal(size=(5, 19)), axis=1)
    data = RD.from_quantiles(given_curves, LEVELS)
    assert np.shares_memory(data.curves, given_curves)
    assert given_curves.flags.writeable
    assert data.quantiles(LEVELS) is data.curves
    assert data.quantiles(0.05 * np.arange(1, 20)) is data.curves
    single = RD.from_quantiles(given_curves.astype(np.float32), LEVELS)
    assert single.curves.dtype == np.float64
    assert not np.shares_memory(single.curves, given_curves)


def test_a_curve_that_falls_by_rounding_is_flattened_in_a_copy():
    rough = np.array([[1.0, 1.0 - 1e-12, 2.0], [0.0, 1.0, 2.0]])
    before = rough.copy()
    data = RD.from_quantiles(rough, [0.2, 0.5, 0.8])
    assert_array_equal(data.curves[0], [1.0, 1.0, 2.0])
    assert_array_equal(rough, before)


@pytest.mark.parametrize("repair", ["project", "rearrange"])
def test_falling_curves_are_repaired_on_request_and_counted(repair):
    falling = np.array([[3.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    before = falling.copy()
    data = RD.from_quantiles(falling, [0.25, 0.5, 0.75], repair=repair)
    assert np.all(np.diff(data.curves) >= 0)
    assert_array_equal(data.curves[1], falling[1])
    assert_array_equal(falling, before)
    mass = cell_masses(data.levels)
    assert_allclose(data.curves @ mass, falling @ mass, rtol=1e-12)
    assert "1 of 2 curves" in str(data.summary())
    whole = RD.from_quantiles(before[1:], [0.25, 0.5, 0.75], repair=repair)
    assert np.shares_memory(whole.curves, before)


def test_a_matrix_of_draws_is_one_unit_a_row():
    rows = np.array([[3, 1, 2], [6, 5, 4]])
    data = RD.from_samples(rows)
    assert_array_equal(data.values, [1, 2, 3, 4, 5, 6])
    assert_array_equal(rows, [[3, 1, 2], [6, 5, 4]])


def test_inputs_of_every_kind_are_read_and_left_as_they_were():
    import pandas as pd
    import polars as pl

    kinds = [
        [2.0, 1.0],
        (2, 1),
        np.array([2.0, 1.0], dtype=np.float32),
        pd.Series([2.0, 1.0], index=[5, 3]),
        pd.Series([2, 1], dtype="Int64"),
        pl.Series([2.0, 1.0]),
        np.ma.array([2.0, 1.0]),
        range(2, 0, -1),
    ]
    fixed = np.array([2.0, 1.0])
    fixed.flags.writeable = False
    data = RD.from_samples([*kinds, fixed], columns={"x": pd.Series(range(9))[::-1]})
    assert_array_equal(data.quantiles([0.5]), 1.5)
    assert_array_equal(data.columns["x"], np.arange(9)[::-1])
    own = np.array([2.0, 1.0])
    single = RD.from_samples([own], columns={"x": own[:1]})
    assert_array_equal(own, [2.0, 1.0])
    assert own.flags.writeable
    own[0] = 99
    assert single.columns["x"] == 2.0


def test_draws_of_weight_zero_do_not_exist():
    data = RD.from_samples([[1.0, 5.0], [2.0]], weights=[[1.0, 0.0], [3.0]])
    assert_array_equal(data.sizes, [1, 1])
    assert_array_equal(data.quantiles([0.9]), [[1.0], [2.0]])
    plain = data.without_weights()
    assert not plain.has_weights
    assert plain.values is data.values


def test_a_scipy_family_is_a_law():
    data = RD.from_law(scipy.stats.norm, {"loc": [0.0, 3.0], "scale": [1.0, 2.0]})
    assert_allclose(data.quantiles([0.5, 0.975])[1], [3.0, 3 + 2 * 1.959963984540054])
    assert_allclose(data.mean(), [0.0, 3.0], atol=1e-8)
    assert_allclose(data.expect(np.square), [1.0, 13.0], rtol=1e-7)
    centre = data.barycentre()
    assert_allclose(centre.quantiles([0.975]), 1.5 + 1.5 * 1.959963984540054)
    assert_allclose(
        centre.cdf([1.5, 3.0])[0], [0.5, scipy.stats.norm.cdf(1)], rtol=1e-9
    )
    assert_allclose(data.distance(data.take([0]), metric="w1")[1], 3.0, rtol=1e-2)


def test_a_numpyro_family_is_a_law_in_double_precision():
    from numpyro import distributions

    data = RD.from_law(distributions.Normal, {"loc": [0.0, 3.0], "scale": [1.0, 2.0]})
    known = scipy.stats.norm.ppf([0.1, 0.9], [[0.0], [3.0]], [[1.0], [2.0]])
    assert_allclose(data.quantiles([0.1, 0.9]), known, rtol=1e-9)


def test_labels_have_expectations_and_draws():
    data = RD.from_atoms(["u", "v"], [[0.25, 0.75], [1.0, 0.0]])
    assert_array_equal(data.expect(lambda label: label == "v"), [0.75, 0.0])
    assert set(data.sample(50)[1]) == {"u"}
    assert_array_equal(data.mixture().mass, [[0.625, 0.375]])


@pytest.mark.parametrize("huge", [1e-300, 1e300])
def test_extreme_scales_stay_finite(huge):
    data = RD.from_samples([huge * np.arange(-2.0, 3.0), [huge, huge]])
    assert np.isfinite(data.quantiles(LEVELS)).all()
    assert np.isfinite(data.mean()).all()
    gap = data.distance(data.take([1]), metric="w2")
    # Root mean square of 3, 2, 1, 0, -1.
    assert_allclose(gap, [huge * np.sqrt(3), 0.0], rtol=1e-12)


def test_roles_are_columns_or_arrays():
    data = make("samples")
    assert unit_column(data, "margin", argument="running") is data.columns["margin"]
    given_array = np.array([1, 0, 1])
    role = unit_column(data, given_array, argument="treatment")
    assert not role.flags.writeable
    assert given_array.flags.writeable
    assert unit_column(data, list("xyz"), argument="cluster").tolist() == list("xyz")


def test_single_draws_ties_and_uneven_weights_are_reported():
    data = RD.from_samples(
        [[1.0], [2.0, 2.0, 2.0, 3.0], np.arange(30)],
        weights=[[1.0], [1.0] * 4, [1e6] + [1.0] * 29],
        ids=["p", "q", "r"],
    )
    text = str(data.summary())
    assert "1 of 3 units: p" in text
    assert "below a tenth of the draws in 1 units" in text
    tied = RD.from_samples([[1.0, 1.0, 1.0, 2.0]])
    assert 'quantile_rule="inverse"' in str(tied.summary())


def test_the_room_opens_without_jax_pandas_or_scipy_stats():
    script = (
        "import sys\n"
        "import distcausal as dc\n"
        "make = dc.RandomDistributions.from_samples\n"
        "data = make([[1.0, 2.0]], weights=[[1.0, 3.0]])\n"
        "data.quantiles([0.5]); data.barycentre()\n"
        "data.distance(data); data.summary()\n"
        "heavy = {'jax', 'pandas', 'scipy.stats', 'polars', 'pyarrow', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@given(weighted_samples(), st.randoms(use_true_random=False))
def test_the_order_of_draws_changes_no_bit(case, random):
    drawn, weights = case
    mixed = []
    for draws, mass in zip(drawn, weights, strict=True):
        pairs = list(zip(draws.tolist(), mass.tolist(), strict=True))
        random.shuffle(pairs)
        mixed.append(pairs)
    one = RD.from_samples(drawn, weights=weights)
    two = RD.from_samples(
        [[value for value, _ in unit] for unit in mixed],
        weights=[[mass for _, mass in unit] for unit in mixed],
    )
    assert one.values.tobytes() == two.values.tobytes()
    assert one.weights.tobytes() == two.weights.tobytes()
