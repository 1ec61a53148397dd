"""Linear-Gaussian models: surgery against structural equations and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc

G = dc.GaussianChannel
ATOL = 1e-9  # inverses of 5 by 5 matrices with ones on the diagonal


@st.composite
def equations(draw):
    """A graph of 1 to 5 variables and structural coefficients for it."""
    names = draw(st.permutations("VWXYZ"))[: draw(st.integers(1, 5))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    arrows = [pair for pair in pairs if draw(st.booleans())]
    shared = [pair for pair in pairs if draw(st.integers(0, 3)) == 0]
    graph = dc.CausalGraph(arrows, shared, sorted(names))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return graph, {
        "coefficients": {pair: rng.normal() for pair in graph.directed},
        "variances": {v: rng.uniform(1, 2) for v in graph.nodes},
        "intercepts": {v: rng.normal() for v in graph.nodes},
        "covariances": {pair: rng.uniform(-0.24, 0.24) for pair in graph.bidirected},
    }


def reduced_form(graph, parts, held=()):
    """Mean and covariance by inverting the matrix of all structural equations."""
    size, place = len(graph.nodes), graph.place
    b, omega = np.zeros((size, size)), np.zeros((size, size))
    start = np.array([parts["intercepts"][v] for v in graph.nodes])
    for (cause, effect), weight in parts["coefficients"].items():
        b[place[effect], place[cause]] = weight
    for v, variance in parts["variances"].items():
        omega[place[v], place[v]] = variance
    for (one, other), value in parts["covariances"].items():
        omega[place[one], place[other]] = omega[place[other], place[one]] = value
    for v, value in dict(held).items():
        b[place[v]] = omega[place[v]] = omega[:, place[v]] = 0.0
        start[place[v]] = value
    total = np.linalg.inv(np.eye(size) - b)
    return total @ start, total @ omega @ total.T


def build(graph, parts):
    rest = {key: value for key, value in parts.items() if key != "coefficients"}
    return dc.GaussianModel.from_coefficients(graph, parts["coefficients"], **rest)


@given(equations())
def test_the_joint_law_is_the_reduced_form(case):
    graph, parts = case
    mean, cov = reduced_form(graph, parts)
    joint = build(graph, parts).joint()
    assert_allclose(joint.shift, mean, atol=ATOL)
    assert_allclose(joint.cov, cov, atol=ATOL)
    assert joint.cod.names == graph.nodes


@given(equations(), st.data())
def test_setting_variables_replaces_their_equations(case, data):
    graph, parts = case
    held = data.draw(st.lists(st.sampled_from(graph.nodes), unique=True))
    setting = {v: data.draw(st.floats(-3, 3)) for v in held}
    mean, cov = reduced_form(graph, parts, setting)
    rest = [v for v in graph.nodes if v not in held]
    at = [graph.place[v] for v in rest]
    model = build(graph, parts)
    if rest:
        opened = model.query(rest, do=held)
        assert opened.dom.names == tuple(held)
        plugged = model.query(rest, do=setting)
        assert opened.plug(setting).allclose(plugged)
        assert_allclose(plugged.shift, mean[at], atol=ATOL)
        assert_allclose(plugged.cov, cov[np.ix_(at, at)], atol=ATOL)
        effects = set(graph.descendants(held))
        spared = [v for v in rest if v not in effects]
        if spared:
            untouched = model.query(spared)
            assert model.query(spared, do=setting).allclose(untouched, atol=ATOL)
    both = model.do(setting).joint()
    assert_allclose(both.shift, mean, atol=ATOL)
    assert_allclose(both.cov, cov, atol=ATOL)


@given(equations(), st.data())
def test_conditioning_after_setting_is_normal_regression(case, data):
    graph, parts = case
    if len(graph.nodes) < 3:
        return
    order = data.draw(st.permutations(graph.nodes))
    outcome, held, seen = order[0], order[1], order[2:]
    setting, values = {held: 1.5}, {v: 0.5 for v in seen}
    mean, cov = reduced_form(graph, parts, setting)
    y, z = graph.place[outcome], [graph.place[v] for v in seen]
    gain = np.linalg.solve(cov[np.ix_(z, z)], cov[z, y])
    model = build(graph, parts)
    found = model.query(outcome, do=setting, given=values)
    assert_allclose(found.shift[0], mean[y] + gain @ (0.5 - mean[z]), atol=ATOL)
    assert_allclose(found.cov[0, 0], cov[y, y] - gain @ cov[z, y], atol=ATOL)
    opened = model.query(outcome, do=[held], given=seen)
    assert opened.dom.names == (held, *seen)
    assert opened.plug({**setting, **values}).allclose(found, atol=ATOL)


@given(equations())
def test_diagrams_denote_what_queries_answer(case):
    graph, parts = case
    model = build(graph, parts)
    whole = graph.diagram()
    assert model.interpret(whole).allclose(model.joint(), atol=ATOL)
    first = graph.nodes[0]
    rest = list(graph.nodes[1:])
    found = model.interpret(whole.open(first))
    assert found.dom.names == (first,)
    if rest:
        assert found.marginal(rest).allclose(model.query(rest, do=[first]), atol=ATOL)
    assert found.plug({first: 2.0}).allclose(model.do({first: 2.0}).joint(), atol=ATOL)


def test_the_functor_takes_chains_to_chains():
    graph = dc.CausalGraph.from_edges("X -> Y -> W")
    model = dc.GaussianModel.from_coefficients(
        graph,
        {("X", "Y"): 2.0, ("Y", "W"): -1.0},
        variances={"X": 1.0, "Y": 0.5, "W": 0.25},
    )
    x, y, w = (dc.Space(name) for name in "XYW")
    f, g = dc.Box("Y", x, y), dc.Box("W", y, w)
    assert model.interpret(f >> g).allclose(model.boxes["Y"] >> model.boxes["W"])
    assert model.interpret(f @ g).allclose(model.boxes["Y"] @ model.boxes["W"])
    assert model.interpret(dc.Copy(x) >> (f @ dc.Id(x))).allclose(
        G.copy("X") >> (model.boxes["Y"] @ G.identity("X"))
    )
    with pytest.raises(
        dc.ModelError, match="In place of a uniform state open the wire"
    ):
        model.interpret(graph.diagram().cut("Y"))
    with pytest.raises(dc.ModelError, match="a wire 'Q'"):
        model.interpret(dc.Id(dc.Space("Q")))
    with pytest.raises(dc.ModelError, match="has type W -> Y in the diagram"):
        model.interpret(dc.Box("Y", w, y))


def test_a_box_may_list_the_parents_in_another_order():
    graph = dc.CausalGraph.from_edges("X -> W; Y -> W")
    model = dc.GaussianModel.from_coefficients(
        graph,
        {("X", "W"): 2.0, ("Y", "W"): -1.0},
        variances={"X": 1.0, "Y": 0.5, "W": 0.25},
    )
    x, y, w = (dc.Space(name) for name in "XYW")
    found = model.interpret(dc.Box("W", y @ x, w))
    assert found.dom.names == ("Y", "X")
    assert found.allclose(G.swap("Y", "X") >> model.boxes["W"])


def test_surgery_agrees_with_simulation_and_not_with_regression():
    graph = dc.CausalGraph.from_edges("S -> T -> C; S <-> C")
    model = dc.GaussianModel.from_coefficients(
        graph,
        {("S", "T"): 0.8, ("T", "C"): -0.5},
        variances={"S": 1.0, "T": 0.5, "C": 2.0},
        intercepts={"S": 0.0, "T": 1.0, "C": 2.0},
        covariances={("S", "C"): 0.9},
    )
    rng, size = np.random.default_rng(5), 200_000
    shared = rng.multivariate_normal([0, 0], [[1.0, 0.9], [0.9, 2.0]], size)
    tar = 1.0 + 0.8 * 1.5 + rng.normal(scale=np.sqrt(0.5), size=size)
    cancer = 2.0 - 0.5 * tar + shared[:, 1]
    found = model.query("C", do={"S": 1.5})
    error = cancer.std() / np.sqrt(size)
    assert abs(found.shift[0] - cancer.mean()) <= 5 * error
    assert abs(found.cov[0, 0] / cancer.var() - 1) <= 5 * np.sqrt(2 / size)
    assert model.query("C", do=["S"]).coef[0, 0] == pytest.approx(-0.4)
    assert model.query("C", given=["S"]).coef[0, 0] == pytest.approx(0.5)
    # The front door: the comb's own pieces give the same answer from the joint alone.
    joint = model.joint()
    g = joint.marginal(["S", "T"]).disintegrate("S")
    late = joint.disintegrate(["S", "T"])
    f = (joint.marginal("S") @ G.identity("T")) >> late
    assert (g >> f).allclose(model.query("C", do=["S"]), atol=ATOL)


def test_policies_and_shifts_replace_a_box():
    graph = dc.CausalGraph.from_edges("Z -> X -> Y; Z -> Y")
    model = dc.GaussianModel.from_coefficients(
        graph,
        {("Z", "X"): 1.0, ("X", "Y"): 2.0, ("Z", "Y"): 1.0},
        variances={"Z": 1.0, "X": 1.0, "Y": 1.0},
    )
    policy = G([[-0.5]], [0.0], [[0.0]], "Z", "X")
    ruled = model.intervene(X=policy).query("Y")
    assert_allclose(ruled.cov, [[(2.0 * -0.5 + 1.0) ** 2 + 1.0]])
    moved = model.boxes["X"] >> G.linear([[1.0]], "X", "X", [3.0])
    shifted = model.intervene(X=moved).query("Y")
    assert_allclose(shifted.shift - model.query("Y").shift, [6.0])
    assert_allclose(shifted.cov, model.query("Y").cov)
    with pytest.raises(dc.QueryError, match="reads Y, an effect of 'X'"):
        model.intervene(X=G([[1.0]], [0.0], [[1.0]], "Y", "X"))
    with pytest.raises(dc.QueryError, match="no variable 'Q'"):
        model.do(Q=1.0)


@given(equations())
def test_least_squares_finds_the_equations_of_its_own_data(case):
    graph, parts = case
    graph = dc.CausalGraph(graph.directed, nodes=graph.nodes)
    rng = np.random.default_rng(0)
    columns: dict[str, np.ndarray] = {}
    for v in graph.topological_order():
        start = parts["intercepts"][v] + rng.normal(size=400)
        columns[v] = start + sum(
            parts["coefficients"][p, v] * columns[p] for p in graph.parents(v)
        )
    model = dc.GaussianModel.fit(pd.DataFrame(columns), graph)
    for v in graph.nodes:
        parents = graph.parents(v)
        design = np.column_stack([np.ones(400), *(columns[p] for p in parents)])
        found = np.linalg.lstsq(design, columns[v], rcond=None)[0]
        box = model.boxes[v]
        assert_allclose([box.shift[0], *box.coef[0]], found, atol=1e-8)
        left = columns[v] - design @ found
        assert_allclose(box.cov[0, 0], np.mean(left**2), rtol=1e-8)


def test_a_saturated_fit_has_the_moments_of_the_sample():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 1e4)
    frame.columns = list("ABC")
    graph = dc.CausalGraph.from_edges("A -> B; A -> C; B -> C")
    joint = dc.GaussianModel.fit(frame, graph).joint()
    assert_allclose(joint.shift, frame.mean(), rtol=1e-12)
    assert_allclose(joint.cov, np.cov(frame.T, ddof=0), rtol=1e-8)


def test_vectors_are_variables_too():
    z = dc.Reals("Z", dimension=2)
    graph = dc.CausalGraph.from_edges("Z -> X")
    law = G.law([0.0, 1.0], [[1.0, 0.3], [0.3, 1.0]], z)
    x = G([[1.0, -1.0]], [0.0], [[0.5]], z, "X")
    model = dc.GaussianModel(graph, {"Z": law, "X": x})
    assert_allclose(model.query("X").cov, [[1.0 + 1.0 - 0.6 + 0.5]])
    assert_allclose(model.query("X", do={"Z": [2.0, 1.0]}).shift, [1.0])
    with pytest.raises(dc.ModelError, match="reads Reals"):
        dc.GaussianModel(graph, {"Z": G.law(0.0, 1.0, "Z"), "X": x})


def test_models_that_do_not_fit_their_graph_are_refused():
    graph = dc.CausalGraph.from_edges("S -> C; S <-> C")
    full = {"variances": {"S": 1.0, "C": 1.0}, "covariances": {("C", "S"): 0.5}}
    model = dc.GaussianModel.from_coefficients(graph, {("S", "C"): 1.0}, **full)
    assert model.joint().cov[0, 1] == pytest.approx(1.5)
    with pytest.raises(dc.ModelError, match="missing are \\('S', 'C'\\)"):
        dc.GaussianModel.from_coefficients(graph, {}, **full)
    with pytest.raises(dc.ModelError, match="two-headed arrow"):
        dc.GaussianModel.from_coefficients(
            graph, {("S", "C"): 1.0}, variances=full["variances"]
        )
    with pytest.raises(dc.ModelError, match="errors of S, C share more"):
        dc.GaussianModel.from_coefficients(
            graph, {("S", "C"): 1.0}, **{**full, "covariances": {("S", "C"): 1.1}}
        )
    with pytest.raises(dc.ModelError, match="missing are C"):
        dc.GaussianModel(dc.CausalGraph.from_edges("S -> C"), {"S": G.law(0, 1, "S")})
    with pytest.raises(dc.ModelError, match="should go from S to C"):
        dc.GaussianModel(
            dc.CausalGraph.from_edges("S -> C"),
            {"S": G.law(0, 1, "S"), "C": G.law(0, 1, "C")},
        )
    frame = pd.DataFrame({"S": [0.0, 1.0], "C": [1.0, np.nan]})
    with pytest.raises(dc.ModelError, match="not observed"):
        dc.GaussianModel.fit(frame, graph)
    with pytest.raises(dc.DataError, match="1 of 2 entries are not"):
        dc.GaussianModel.fit(frame, dc.CausalGraph.from_edges("S -> C"))
    seen = dc.GaussianModel.from_coefficients(
        dc.CausalGraph([("U", "S")], latent=["U"]),
        {("U", "S"): 1.0},
        variances={"U": 1.0, "S": 1.0},
    )
    with pytest.raises(dc.QueryError, match="do names 'U', which is latent"):
        seen.query("S", do=["U"])
    with pytest.raises(dc.QueryError, match="outcome and in do"):
        model.query("S", do={"S": 1.0})


def test_an_impossible_event_is_refused_after_an_intervention_too():
    graph = dc.CausalGraph.from_edges("X -> Y")
    copy = G.linear([[1.0]], "X", "Y")
    model = dc.GaussianModel(graph, {"X": G.law(0.0, 1.0, "X"), "Y": copy})
    with pytest.raises(dc.ConditioningError, match="Y=2"):
        model.query("Y", do={"X": 1.0}, given={}).condition(Y=2.0)
    assert_array_equal(model.query("X", given={"Y": 2.0}).shift, [2.0])
