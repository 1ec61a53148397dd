"""Agreement with the slow, obvious version for every option of the public function."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import distcausal as dc
from tests.oracles import r3d as oracle
from tests.oracles import r3d_bandwidth as selection
from tests.oracles import r3d_profile as profile
from tests.rdd.designs import designs, fit, make
from tests.reference.r3d.cases import NAMES, load

KERNELS = ("triangular", "epanechnikov", "uniform")
METHODS = ("frechet", "pointwise")
# Values are of order one and the smallest Gram matrices keep ten digits.
TOLERANCE = 1e-9

pytestmark = pytest.mark.filterwarnings(
    # Windows of thirty units a side and stray mass points are the point of some cases.
    "ignore::distcausal.errors.DistCausalWarning"
)


def close(actual, expected, rtol=TOLERANCE):
    assert_allclose(actual, expected, rtol=rtol, atol=TOLERANCE)


def agree(estimate, expected, design, *, cluster=None, studentise=False):
    """Curves, rows and bands of the package against those of the oracle."""
    xi = design.multipliers
    influence = oracle.by_cluster(expected.influence, cluster)
    se = np.sqrt((influence**2).sum(0))
    g = oracle.draws(influence, xi)
    close(estimate.below, expected.curve[0])
    close(estimate.above, expected.curve[1])
    close(estimate.effect, expected.effect)
    close(estimate.std_error, se)
    close(estimate.draws.effect, g)
    for side, drawn in enumerate((estimate.draws.below, estimate.draws.above)):
        rows = oracle.by_cluster(expected.rows[side], cluster)
        close(drawn, oracle.draws(rows, xi))
    close(
        estimate.draws.critical_value(0.95),
        oracle.critical_value(g, se if studentise else None),
    )


@pytest.mark.reference
@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_itself_reproduces_the_published_package(name):
    case = load(name)
    levels, settings = case.results["q"], case.settings
    weights = case.weights or itertools.repeat(None)
    q = np.array(
        [
            profile.linear_quantiles(one, levels, weight)
            for one, weight in zip(case.samples, weights, strict=False)
        ]
    )
    x = case.running - settings["cutoff"]
    options = {
        "h": case.results["h_num"],
        "order": settings["p"],
        "kernel": settings["kernel"],
        "method": case.method,
    }
    if case.fuzzy:
        options |= {
            "treatment": case.treatment,
            "h_treatment": case.results["h_den"][0],
        }
    published = profile.profile_fit(q, x, levels, **options)
    close(published.effect, case.results["tau"])
    confidence = 1 - settings["alpha"]
    reach = profile.band(
        published.effect,
        oracle.draws(published.influence, case.multipliers),
        confidence,
    )[2]
    close(reach, case.results["crit"][0])
    corrected = oracle.estimate(q, x, levels, **options)
    close(corrected.effect, case.results["tau_sort"])
    g = oracle.draws(corrected.influence, case.multipliers)
    close(oracle.critical_value(g, None, confidence), case.results["crit_full"][0])


@pytest.mark.reference
@pytest.mark.parametrize("name", [name for name in NAMES if load(name).automatic])
def test_the_oracle_reproduces_the_published_bandwidths(name):
    case = load(name)
    levels, settings = case.results["q"], case.settings
    q = np.array([np.quantile(one, levels) for one in case.samples])
    chosen = profile.bandwidth(
        q,
        case.running - settings["cutoff"],
        s=settings["s"],
        name=settings["kernel"],
        common=case.method == "frechet",
        coverage=settings["coverage_rule"],
    )
    assert_allclose(chosen["h"], case.bandwidth["h_star_num"], rtol=TOLERANCE)
    assert_allclose(chosen["pilot"], case.bandwidth["pilot_h_num"], rtol=TOLERANCE)


@given(
    designs(),
    st.sampled_from(KERNELS),
    st.sampled_from(METHODS),
    st.sampled_from([1, 2, 3]),
)
def test_sharp_fits_agree(design, kernel, method, order):
    options = {"kernel": kernel, "method": method, "order": order}
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=0.8, **options
    )
    estimate = fit(design, pilot_order=order - 1, **options)
    agree(estimate, expected, design)
    conventional = oracle.estimate(
        design.curves,
        design.running,
        design.levels,
        h=0.8,
        **options | {"order": order - 1},
    )
    close(estimate.conventional, conventional.effect)


@given(designs(), st.sampled_from(METHODS), st.floats(0.55, 0.9), st.floats(0.55, 0.9))
def test_bandwidths_that_differ_between_sides_agree(design, method, below, above):
    h = (below, above)
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=h, method=method
    )
    agree(fit(design, method=method, bandwidth=h), expected, design)


@given(designs(), st.integers(0, 100))
def test_one_bandwidth_per_level_agrees(design, seed):
    h = np.random.default_rng(seed).uniform(0.55, 0.95, design.levels.size)
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=h, method="pointwise"
    )
    agree(fit(design, method="pointwise", bandwidth=h), expected, design)


@pytest.mark.parametrize(
    ("leverage", "clustered", "method"),
    list(itertools.product(("hc0", "hc1", "hc2", "hc3"), (False, True), METHODS)),
)
def test_leverage_corrections_agree(leverage, clustered, method):
    design, cluster = clustered_design(5) if clustered else (make(5), None)
    expected = oracle.estimate(
        design.curves, design.running, design.levels,
        h=0.8, method=method, leverage=leverage, cluster=cluster,
    )  # fmt: skip
    estimate = fit(
        design,
        method=method,
        cluster=cluster,
        how={"leverage": leverage, "studentise": True},
    )
    agree(estimate, expected, design, cluster=cluster, studentise=True)


def clustered_design(seed, count=12):
    """Clusters of uneven size that lie on both sides of the cutoff."""
    design = make(seed)
    rng = np.random.default_rng(seed + 1)
    cluster = rng.integers(0, count, design.running.size)
    cluster[:count] = np.arange(count)
    xi = rng.standard_normal((count, design.multipliers.shape[1]))
    return design.with_(multipliers=xi), cluster


@given(designs(), st.sampled_from(METHODS), st.sampled_from(["hc0", "hc2", "hc3"]))
def test_unit_weights_agree(design, method, leverage):
    weights = np.random.default_rng(3).uniform(0.2, 4, design.running.size)
    expected = oracle.estimate(
        design.curves, design.running, design.levels,
        h=0.8, method=method, weights=weights, leverage=leverage,
    )  # fmt: skip
    estimate = fit(design, method=method, weights=weights, how={"leverage": leverage})
    agree(estimate, expected, design)


def fuzzy_design(seed, count=5):
    """One unit in eight takes the other side's treatment."""
    design = make(seed, count=count)
    rng = np.random.default_rng(seed + 7)
    flip = rng.random(design.running.size) < 0.125
    return design, ((design.running >= 0) ^ flip).astype(float)


@pytest.mark.parametrize(
    ("method", "leverage", "seed"),
    list(itertools.product(METHODS, ("hc0", "hc1", "hc2", "hc3"), (1, 2))),
)
def test_fuzzy_fits_agree(method, leverage, seed):
    design, treatment = fuzzy_design(seed)
    expected = oracle.estimate(
        design.curves, design.running, design.levels,
        h=0.8, method=method, leverage=leverage,
        treatment=treatment, h_treatment=0.7,
    )  # fmt: skip
    estimate = fit(
        design,
        method=method,
        treatment=treatment,
        bandwidth={"outcome": 0.8, "treatment": 0.7},
        how={"leverage": leverage},
    )
    agree(estimate, expected, design)
    share = expected.treated_rows[1] - expected.treated_rows[0]
    first = estimate.first_stage
    close(first.jump, expected.jump)
    close(first.std_error, np.sqrt((share**2).sum()))
    close(first.f_statistic, (first.jump / first.std_error) ** 2)


@pytest.mark.parametrize("method", METHODS)
def test_fuzzy_fits_with_clusters_agree(method):
    design, cluster = clustered_design(8)
    treatment = fuzzy_design(8)[1]
    expected = oracle.estimate(
        design.curves, design.running, design.levels,
        h=0.8, method=method, leverage="hc3", cluster=cluster,
        treatment=treatment, h_treatment=0.8,
    )  # fmt: skip
    estimate = fit(
        design,
        method=method,
        treatment=treatment,
        cluster=cluster,
        how={"leverage": "hc3", "studentise": True},
    )
    agree(estimate, expected, design, cluster=cluster, studentise=True)


@given(designs(counts=(5, 9)), st.sampled_from(METHODS), st.booleans())
def test_tests_over_ranges_agree(design, method, studentise):
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=0.8, method=method
    )
    g = oracle.draws(expected.influence, design.multipliers)
    se = oracle.std_error(expected.influence) if studentise else None
    estimate = fit(design, method=method, how={"studentise": studentise})
    cell = oracle.cell_widths(design.levels)
    half = design.levels.size // 2
    ranges = [
        (design.levels[0], design.levels[half]),
        (design.levels[half], design.levels[-1]),
        (design.levels[0], design.levels[-1]),
    ]
    null = dc.nullity_test(estimate, ranges=ranges)
    for row, (low, high) in enumerate(ranges):
        at = (design.levels >= low) & (design.levels <= high)
        statistic, reference = oracle.nullity(expected.effect, g, at, se)
        compare(null, row, statistic, reference)
    if studentise:
        return
    same = dc.homogeneity_test(estimate, ranges=ranges)
    for row, (low, high) in enumerate(ranges):
        at = (design.levels >= low) & (design.levels <= high)
        statistic, reference = oracle.homogeneity(expected.effect, g, at, cell)
        compare(same, row, statistic, reference)


def compare(table, row, statistic, reference):
    close(np.asarray(table["statistic"])[row], statistic)
    close(np.asarray(table["p_value"])[row], oracle.p_value(statistic, reference))
    close(
        np.asarray(table["critical_value"])[row],
        oracle.order_statistic(reference, 0.95),
    )


def test_holm_adjustment_agrees():
    design = make(4, count=9)
    grid = list(design.levels[[0, 3, 6, 8]])
    table = dc.nullity_test(fit(design), ranges=grid)
    raw = np.asarray(table["p_value"])
    assert raw.size == 3
    order = np.argsort(raw)
    stepped = np.minimum(np.maximum.accumulate(raw[order] * [3, 2, 1]), 1)
    close(np.asarray(table["p_adjusted"])[order], stepped)


@given(designs(counts=(9,)))
def test_bounds_on_the_support_clip_the_projected_curves(design):
    low, high = design.curves.min(), design.curves.max()
    free = fit(design, bandwidth=0.5)
    bounded = fit(design, bandwidth=0.5, support=(low, high))
    close(bounded.below, np.clip(free.below, low, high))
    close(bounded.above, np.clip(free.above, low, high))
    close(bounded.draws.effect, free.draws.effect)


@given(
    designs(units=(200,), counts=(5, 9)),
    st.sampled_from(KERNELS),
    st.sampled_from(METHODS),
    st.sampled_from([1, 2]),
    st.booleans(),
)
def test_the_profile_agrees_beyond_the_stored_cases(design, kernel, method, s, fuzzy):
    x, levels, common = design.running, design.levels, method == "frechet"
    treatment = ((x >= 0) ^ (np.arange(x.size) % 9 == 0)).astype(float)
    rule = {"s": s, "name": kernel, "common": common}
    h = profile.bandwidth(design.curves, x, **rule)["h"]
    options = {"kernel": kernel, "order": s + 1}
    extra = {}
    if fuzzy:
        h_treatment = profile.bandwidth(
            treatment[:, None], x, **rule | {"common": False}
        )
        extra = {"treatment": treatment, "h_treatment": h_treatment["h"][0]}
    expected = profile.profile_fit(
        design.curves, x, levels, h=h, method=method, **options, **extra
    )
    estimate = fit(
        design,
        method=method,
        pilot_order=s,
        bandwidth=None,
        treatment=treatment if fuzzy else None,
        profile="R3D-0.1.0",
        **options,
    )
    close(np.broadcast_to(estimate.bandwidth.outcome, levels.size), h, rtol=1e-7)
    close(estimate.effect, expected.effect, rtol=1e-7)
    g = oracle.draws(expected.influence, design.multipliers)
    close(estimate.draws.effect, g, rtol=1e-6)


@pytest.mark.parametrize("multiplier", ["normal", "rademacher", "mammen"])
def test_drawn_multipliers_imitate_the_covariance_of_the_rows(multiplier):
    design = make(11)
    draws = 20_000
    estimate = fit(
        design, how={"multipliers": None, "multiplier": multiplier, "draws": draws}
    )
    expected = oracle.estimate(design.curves, design.running, design.levels, h=0.8)
    covariance = expected.influence.T @ expected.influence
    g = estimate.draws.effect
    # Five Monte Carlo standard errors of a covariance of nearly normal draws.
    noise = 5 * np.sqrt(2 / draws) * np.abs(covariance).max()
    assert_allclose(g.T @ g / draws, covariance, atol=noise)
    assert_allclose(g.mean(0), 0, atol=5 * np.sqrt(covariance.max() / draws))
    stacked = np.hstack([expected.rows[0], expected.rows[1]])
    close(estimate.draws.covariance, stacked.T @ stacked)


def test_an_asymptotic_row_replaces_the_weight_by_its_limit():
    design = make(2)
    x, h, n = design.running, 0.8, design.running.size
    plain = oracle.estimate(design.curves, x, design.levels, h=h)
    node = (np.arange(200_000) + 0.5) / 200_000
    k = oracle.kernel("triangular", node)
    r = np.power.outer(node, np.arange(3))
    first = np.linalg.inv(r.T @ (k[:, None] * r) / node.size)[0]
    density = selection.density_at_cutoff(x, "triangular")
    u = np.abs(x) / h
    # On the minus side odd coordinates change sign, which is the plus side at |u|.
    limit = np.power.outer(u, np.arange(3)) @ first
    limit *= oracle.kernel("triangular", u) / (n * h * density)
    rows = np.where(x >= 0, limit, -limit)[:, None] * plain.residual
    estimate = fit(design, how={"influence": "asymptotic"})
    # The constants come from a sum over 200,000 midpoints.
    close(estimate.std_error, np.sqrt((rows**2).sum(0)), rtol=1e-7)
    close(estimate.draws.effect, design.multipliers.T @ rows, rtol=1e-7)


@given(designs(counts=(5, 9)), st.sampled_from(METHODS))
def test_studentised_homogeneity_counts_deviations_in_their_own_errors(design, method):
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=0.8, method=method
    )
    cell = oracle.cell_widths(design.levels)
    centre = np.eye(cell.size) - cell / cell.sum()  # row j: level j less the average
    rows = expected.influence @ centre.T
    se = oracle.std_error(rows)
    statistic = oracle.ratio(np.abs(centre @ expected.effect), se).max()
    g = oracle.draws(rows, design.multipliers)
    reference = oracle.ratio(np.abs(g), se).max(1)
    estimate = fit(design, method=method, how={"studentise": True})
    compare(dc.homogeneity_test(estimate), 0, statistic, reference)


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_one_sided_tests_look_one_way(alternative):
    design = make(6, count=9)
    expected = oracle.estimate(design.curves, design.running, design.levels, h=0.8)
    g = oracle.draws(expected.influence, design.multipliers)
    sign = 1 if alternative == "greater" else -1
    table = dc.nullity_test(fit(design), alternative=alternative)
    compare(table, 0, (sign * expected.effect).max(), (sign * g).max(1))


@pytest.mark.parametrize("method", METHODS)
def test_fuzzy_nullity_is_that_of_the_numerator(method):
    design, treatment = fuzzy_design(9)
    sharp = oracle.estimate(
        design.curves, design.running, design.levels, h=0.8, method=method
    )
    g = oracle.draws(sharp.influence, design.multipliers)
    estimate = fit(
        design,
        method=method,
        treatment=treatment,
        bandwidth={"outcome": 0.8, "treatment": 0.7},
    )
    table = dc.nullity_test(estimate)
    compare(table, 0, np.abs(sharp.effect).max(), np.abs(g).max(1))


def test_a_dose_of_treatment_divides_like_a_share():
    design = make(10)
    rng = np.random.default_rng(10)
    dose = 2.0 * (design.running >= 0) + rng.normal(0, 0.3, design.running.size)
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=0.8,
        treatment=dose, h_treatment=0.8,
    )  # fmt: skip
    estimate = fit(design, treatment=dose, continuous_treatment=True, bandwidth=0.8)
    agree(estimate, expected, design)


@pytest.mark.parametrize("selector", ["imse", "imsetwo", "mse", "msecomb2"])
def test_a_selected_bandwidth_can_be_handed_back(selector):
    design = make(13, 200)
    method = "frechet" if selector.startswith("i") else "pointwise"
    chosen = dc.r3d_bandwidth(
        design.data,
        running="x",
        levels=design.levels,
        method=method,
        selector=selector,
    )
    own = fit(design, method=method, selector=selector, bandwidth=None)
    given_back = fit(design, method=method, bandwidth=chosen)
    expected = oracle.estimate(
        design.curves, design.running, design.levels, h=as_both(chosen), method=method
    )
    agree(own, expected, design)
    np.testing.assert_array_equal(given_back.effect, own.effect)
    np.testing.assert_array_equal(given_back.draws.effect, own.draws.effect)


def as_both(chosen):
    """A selected bandwidth as (2, 1) or (2, level)."""
    outcome = np.asarray(chosen.outcome)
    sided = outcome.ndim == 2 or outcome.shape == (2,)
    return outcome.reshape(2, -1) if sided else np.atleast_2d(outcome)
