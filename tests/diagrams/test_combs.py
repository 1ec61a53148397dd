"""Combs: the parts of a joint law, against enumeration of models with hidden causes."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.diagrams.graph import CausalGraph
from tests.diagrams.random_channels import laws, rows

FILE = Path(__file__).parent.parent / "reference/diagrams/smoking_tar_cancer.json"
STORED = json.loads(FILE.read_text("utf-8"))
SMOKING = dc.LabelledArray(
    STORED["observational_joint_STC"], {name: (0, 1) for name in "STC"}
)
FRONT_DOOR = CausalGraph([("S", "T"), ("T", "C")], [("S", "C")])
ATOL = 1e-13  # the stored numbers have 16 digits; sums have at most 64 terms


def split(joint, support="raise"):
    return dc.comb_disintegrate(
        joint, before="S", through="T", after="C", support=support
    )


def test_the_parts_of_the_published_example_are_found():
    f, g = split(SMOKING)
    assert (f.dom.names, f.cod.names) == (("T",), ("S", "C"))
    assert_allclose(g.values, STORED["comb_g_S_to_T"], atol=ATOL)
    stored = np.array(STORED["comb_f_indexed_s_t_c"])
    assert_allclose(f.values, stored.transpose(1, 0, 2), atol=ATOL)
    assert_allclose(
        f.marginal(["C"]).values,
        [[0.771667, 0.228333], [0.243636, 0.756364]],
        atol=5e-7,  # six digits are printed
    )
    assert_allclose((g >> f.marginal(["C"])).values, STORED["P_C_do_S"], atol=ATOL)


def test_the_law_after_the_cut_is_found_and_only_its_conditional_means_something():
    f, g = split(SMOKING)
    cause = f.marginal(["C"])

    def after_cut(prior):
        law = dc.Channel(prior, [], f.cod[0])
        both = dc.Channel.identity(g.dom) @ (g >> dc.Channel.copy(g.cod))
        kept = dc.Channel.identity(g.dom @ g.cod) @ cause
        return law >> dc.Channel.copy(g.dom) >> both >> kept

    uniform = after_cut([0.5, 0.5])
    assert_allclose(uniform.values, STORED["cut_state_STC"], atol=ATOL)
    assert_allclose(
        uniform.marginal(["C"]).values, STORED["marginal_C_after_cut"], atol=ATOL
    )
    for prior in ([0.5, 0.5], [0.9, 0.1], [0.001, 0.999]):
        state = after_cut(prior)
        found = dc.disintegrate(state.marginal(["S", "C"]), given="S")
        assert_allclose(found.values, STORED["P_C_do_S"], atol=ATOL)
    tilted = after_cut([0.9, 0.1]).marginal(["C"])
    assert not tilted.allclose(uniform.marginal(["C"]), atol=0.05)


@given(laws("STC"), st.sampled_from(("uniform", "nan")))
def test_the_parts_plugged_together_are_the_law(joint, support):
    f, g = split(joint, support)
    first = joint.sum(["T", "C"]).values
    reached = (
        np.nan_to_num(f.values).transpose(1, 0, 2) * np.nan_to_num(g.values)[:, :, None]
    )
    assert_allclose(reached, joint.values, atol=ATOL)
    said_first = f.values.sum(axis=2)
    known = np.ones(len(said_first), bool) if f.support is None else f.support
    assert_allclose(said_first[known], np.tile(first, (known.sum(), 1)), atol=ATOL)
    if support == "uniform":
        assert_allclose(said_first, np.tile(first, (len(said_first), 1)), atol=ATOL)


def test_the_comb_is_known_where_what_can_happen_first_meets_what_is_fed_in():
    never_first = dc.LabelledArray(
        [[[0, 0], [0, 0]], [[0.1, 0.2], [0.3, 0.4]]], {n: (0, 1) for n in "STC"}
    )
    f, g = split(never_first, "nan")
    assert f.support is None  # S=0 never happens, whatever T would be
    assert_array_equal(g.support, [False, True])
    never_both = dc.LabelledArray(
        [[[0.2, 0.1], [0, 0]], [[0.1, 0.1], [0.2, 0.3]]], {n: (0, 1) for n in "STC"}
    )
    f, g = split(never_both, "nan")
    assert_array_equal(f.support, [True, False])
    with pytest.raises(ValueError, match=r"S=0, T=1 has probability 0.*law of C"):
        split(never_both)
    with pytest.raises(ValueError, match=r"S=0 has probability 0.*law of T"):
        split(never_first)


def test_other_variables_are_summed_out_and_a_name_counts_once():
    f, g = dc.comb_disintegrate(SMOKING, before=[], through="T", after="C")
    assert_allclose(f.values, dc.disintegrate(SMOKING.sum("S"), given="T").values)
    assert_allclose(g.values, SMOKING.sum(["S", "C"]).values)
    with pytest.raises(ValueError, match="each variable counts once"):
        dc.comb_disintegrate(SMOKING, before="S", through="S", after="C")


class Hidden:
    """A random model of a graph with a binary hidden cause per two-headed arrow."""

    def __init__(self, graph: CausalGraph, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.graph = graph
        self.sizes = {v: int(rng.choice((2, 2, 3))) for v in graph.nodes}
        self.prior = [rows(rng, "smooth", (1, 2))[0] for _ in graph.bidirected]
        self.table = {}
        for v in graph.nodes:
            shape = [self.sizes[p] for p in graph.parents(v)]
            shape += [2 for pair in graph.bidirected if v in pair]
            flat = rows(rng, "smooth", (int(np.prod(shape)), self.sizes[v]))
            self.table[v] = flat.reshape(*shape, self.sizes[v])

    def law(self, random: tuple[str, ...]) -> np.ndarray:
        """Law of some variables when all the others are set; axes are the nodes."""
        nodes, pairs = self.graph.nodes, self.graph.bidirected
        found = np.zeros([self.sizes[v] for v in nodes])
        for at in np.ndindex(*found.shape):
            state = dict(zip(nodes, at, strict=True))
            for hidden in product(range(2), repeat=len(pairs)):
                chance = np.prod(
                    [p[u] for p, u in zip(self.prior, hidden, strict=True)]
                )
                for v in random:
                    place = [state[p] for p in self.graph.parents(v)]
                    place += [
                        u for u, pair in zip(hidden, pairs, strict=True) if v in pair
                    ]
                    chance *= self.table[v][(*place, state[v])]
                found[at] += chance
        return found

    def joint(self) -> dc.LabelledArray:
        axes = {v: tuple(range(n)) for v, n in self.sizes.items()}
        return dc.LabelledArray(self.law(self.graph.nodes), axes)


@st.composite
def graphs(draw, least=1, most=4):
    """A graph of a few vertices whose order of nodes is no order of causes."""
    names = draw(st.permutations("VWXY"))[: draw(st.integers(least, most))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    arrows = [pair for pair in pairs if draw(st.booleans())]
    shared = [pair for pair in pairs if draw(st.integers(0, 2)) == 0]
    return CausalGraph(arrows, shared, sorted(names))


@given(graphs(), st.integers(0, 999))
def test_each_district_is_the_law_under_setting_all_the_rest(graph, seed):
    model = Hidden(graph, seed)
    factors = dc.district_factors(model.joint(), graph)
    assert set(factors) == set(graph.districts())
    for district, factor in factors.items():
        outside = factor.names[: -len(district)]
        own = {p for v in district for p in graph.parents(v)} - set(district)
        assert (set(outside), factor.names[-len(district) :]) == (own, district)
        assert_allclose(factor.sum(district).values, 1, atol=ATOL)
        wide = spread(factor, graph.nodes)
        truth = model.law(district)
        assert_allclose(np.broadcast_to(wide, truth.shape), truth, atol=ATOL)
    again = rebuilt(model.joint(), graph, None)
    assert_allclose(again, model.joint().values, atol=ATOL)


def spread(factor: dc.LabelledArray, nodes: tuple[str, ...]) -> np.ndarray:
    """Values with an axis per node, of length 1 where the factor has none."""
    present = [name for name in nodes if name in factor.names]
    values = factor.transpose(present).values
    shape = [len(factor.axes[v]) if v in factor.axes else 1 for v in nodes]
    return values.reshape(shape)


@given(graphs(2, 4), st.integers(0, 999))
def test_factors_of_a_law_of_the_graph_do_not_depend_on_the_order(graph, seed):
    joint = Hidden(graph, seed).joint()
    first = dc.district_factors(joint, graph)
    orders = along_causes(graph)
    for order in set(permutations(graph.nodes)) - set(orders):
        with pytest.raises(ValueError, match="causes before effects"):
            dc.district_factors(joint, graph, order=order)
    for order in orders:
        again = dc.district_factors(joint, graph, order=order)
        for district, factor in first.items():
            assert again[district].names == factor.names
            assert_allclose(again[district].values, factor.values, atol=ATOL)
    assert dc.order_violation(joint, graph) <= ATOL


def along_causes(graph: CausalGraph) -> list[tuple[str, ...]]:
    """All orders of the nodes with causes before effects."""
    orders = permutations(graph.nodes)
    return [
        o for o in orders if all(o.index(a) < o.index(b) for a, b in graph.directed)
    ]


def rebuilt(joint: dc.LabelledArray, graph: CausalGraph, order) -> np.ndarray:
    """Product of the factors of a joint law taken along an order."""
    found = np.ones(())
    for factor in dc.district_factors(joint, graph, order=order).values():
        found = found * spread(factor, graph.nodes)
    return found


@given(laws("VWX", kinds=("smooth",)), graphs(3, 3))
@example(
    dc.LabelledArray([[[0.4, 0.3]], [[0.1, 0.2]]], dict(V=(0, 1), W=(0,), X=(0, 1))),
    CausalGraph([("V", "W")], [("W", "X")]),
)
@example(
    dc.LabelledArray([[[0.4, 0.3]], [[0.1, 0.2]]], dict(V=(0, 1), W=(0,), X=(0, 1))),
    CausalGraph([("V", "W"), ("X", "W")], nodes=list("VWX")),
)
def test_a_law_that_is_not_of_the_graph_is_found_out(joint, graph):
    named = dict(zip("VWX", graph.nodes, strict=True))
    joint = dc.LabelledArray(
        joint.values, {named[name]: states for name, states in joint.axes.items()}
    )
    found = dc.order_violation(joint, graph)
    off = max(
        np.abs(rebuilt(joint, graph, order) - joint.values).max()
        for order in along_causes(graph)
    )
    # Three conditionals, each off by at most what is found; and what is found is the
    # difference of two ratios, each off by at most off over the least probability.
    assert off <= 3 * found + ATOL
    assert found <= 20 * off / joint.values.min() + ATOL / joint.values.min()


@pytest.mark.parametrize("arrows", [[], [("A", "B"), ("B", "C")]])
def test_dependence_that_the_graph_denies_is_measured(arrows):
    # A chain has a single order of causes, yet its missing arrow can be tested.
    graph = CausalGraph(arrows, nodes=list("ABC"))
    values = np.zeros((2, 2, 2))
    values[0, :, 0] = values[1, :, 1] = 0.25
    joint = dc.LabelledArray(values, {name: (0, 1) for name in "ABC"})
    assert dc.order_violation(joint, graph) == pytest.approx(1.0)


def test_a_factor_is_needed_only_where_it_is_reached():
    graph = CausalGraph([("A", "B")], [("A", "B")])
    zero = {"variables": ["A", "B"], "values": [[0, 0], [0.25, 0.75]]}
    (factor,) = dc.district_factors(zero, graph).values()
    assert_array_equal(factor.values, [[0, 0], [0.25, 0.75]])
    apart = CausalGraph([("A", "B")])
    with pytest.raises(ValueError, match=r"A=0 has probability 0.*law of B given A"):
        dc.district_factors(zero, apart)
    filled = dc.district_factors(zero, apart, support="uniform")[("B",)]
    assert_array_equal(filled.values, [[0.5, 0.5], [0.25, 0.75]])
    gaps = dc.district_factors(zero, apart, support="nan")[("B",)]
    assert_array_equal(gaps.values, [[np.nan, np.nan], [0.25, 0.75]])


@given(graphs(1, 4))
def test_every_set_that_holds_its_causes_is_tried_once(graph):
    found = [graph.names(mask) for mask in graph.masks.ancestral_sets(graph.masks.all)]
    every = [
        tuple(v for v in graph.nodes if keep >> graph.place[v] & 1)
        for keep in range(1, 2 ** len(graph.nodes))
    ]
    assert len(found) == len(set(found))
    assert set(found) == {s for s in every if graph.ancestors(s) == s}


def test_joint_and_graph_must_be_over_the_same_variables():
    with pytest.raises(ValueError, match="observed variables of the graph, S, T, C"):
        dc.district_factors(SMOKING.sum("C"), FRONT_DOOR)
    with pytest.raises(ValueError, match="should name each of S, T, C once"):
        dc.district_factors(SMOKING, FRONT_DOOR, order=["S", "T"])
    hidden = FRONT_DOOR.with_latents()
    seen = dc.district_factors(SMOKING, hidden)
    for district, factor in dc.district_factors(SMOKING, FRONT_DOOR).items():
        assert_allclose(seen[district].transpose(factor.names).values, factor.values)


@given(st.integers(0, 9999))
def test_cutting_inside_the_comb_is_cutting_the_whole_model(seed):
    model = Hidden(FRONT_DOOR, seed)
    f, g = split(model.joint())
    surgery = g >> f.marginal(["C"])
    set_s = model.law(("T", "C")).sum(axis=FRONT_DOOR.nodes.index("T"))
    assert_allclose(surgery.values, set_s, atol=ATOL)
