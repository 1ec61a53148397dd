"""Causal simulators tell their own truth; published tables are as printed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import distcausal as dc
from distcausal.datasets import CausalSimulation, make_causal_model, random_causal_graph
from distcausal.datasets.causal import NAMED

# Sums and ratios of some hundred products of numbers below 1.
RTOL = 1e-12


def enumerated(
    sim: CausalSimulation, do: dict[str, int]
) -> dict[tuple[int, ...], float]:
    """Law of the observed variables under an intervention, state by state."""
    full, law = sim.graph.with_latents(), {}
    sizes = [range(len(sim.model.states[name])) for name in full.nodes]
    for point in itertools.product(*sizes):
        state = dict(zip(full.nodes, point, strict=True))
        if any(state[name] != value for name, value in do.items()):
            continue
        chance = 1.0
        for name in full.nodes:
            if name not in do:
                place = (*(state[cause] for cause in full.parents(name)), state[name])
                chance *= sim.tables[name][place]
        seen = tuple(state[name] for name in sim.graph.observed)
        law[seen] = law.get(seen, 0.0) + chance
    return law


@given(st.sampled_from(sorted(NAMED)), st.integers(0, 99), st.integers(1, 3))
def test_joint_and_effect_are_sums_over_unobserved_causes(name, seed, size) -> None:
    sim = make_causal_model(name, n=1, states=size, latent_states=2, seed=seed)
    for point, chance in enumerated(sim, {}).items():
        assert_allclose(sim.joint.values[point], chance, rtol=RTOL)
    places = [sim.graph.observed.index(name) for name in sim.outcome]
    for setting in itertools.product(range(size), repeat=len(sim.do)):
        effect = sim.effect.sel(dict(zip(sim.do, setting, strict=True)))
        expected = np.zeros(effect.shape)
        for point, chance in enumerated(
            sim, dict(zip(sim.do, setting, strict=True))
        ).items():
            expected[tuple(point[place] for place in places)] += chance
        assert_allclose(effect.values, expected, rtol=RTOL)


def conditional(joint: np.ndarray, given: tuple[int, ...]) -> np.ndarray:
    """Divide by the sum over all other axes, which are kept."""
    others = tuple(axis for axis in range(joint.ndim) if axis not in given)
    return joint / joint.sum(axis=others, keepdims=True)


def front_door(p: np.ndarray) -> np.ndarray:
    m_given_x = conditional(p.sum(2), (0,))
    return np.einsum("xm,amy,a->yx", m_given_x, conditional(p, (0, 1)), p.sum((1, 2)))


def napkin(p: np.ndarray) -> np.ndarray:
    weighted = np.einsum("axy,a->xy", conditional(p, (0, 1))[:, 1], p.sum((1, 2, 3)))
    return (weighted / weighted.sum(1, keepdims=True)).T


def sequential(p: np.ndarray) -> np.ndarray:
    z_given_x1 = conditional(p.sum((2, 3)), (0,))
    return np.einsum("az,azby->yab", z_given_x1, conditional(p, (0, 1, 2)))


FORMULAS = {
    "back-door": lambda p: np.einsum(
        "zxy,z->yx", conditional(p, (0, 1)), p.sum((1, 2))
    ),
    "front-door": front_door,
    "napkin": napkin,
    "sequential": sequential,
    "mediation": lambda p: conditional(p.sum(1), (0,)).T,
    "m-bias": lambda p: conditional(p.sum(2), (0,)).T,
}


@given(st.sampled_from(sorted(FORMULAS)), st.integers(0, 10**6))
def test_textbook_formulas_give_the_effect(name: str, seed: int) -> None:
    sim = make_causal_model(name, n=1, seed=seed, states={"Y": 3})
    assert_allclose(FORMULAS[name](sim.joint.values), sim.effect.values, rtol=1e-9)


@pytest.mark.parametrize("name", ["bow", "iv", "front-door", "napkin", "back-door"])
def test_what_is_seen_is_not_what_would_be_done(name: str) -> None:
    sim = make_causal_model(name, n=1, seed=4)
    others = [axis for axis in sim.joint.names if axis not in ("X", "Y")]
    seen = conditional(sim.joint.sum(others).transpose(["X", "Y"]).values, (0,))
    # Small in the napkin, whose two paths nearly cancel, yet far above rounding.
    assert np.max(np.abs(seen.T - sim.effect.values)) > 1e-5


@pytest.mark.parametrize("name", sorted(NAMED))
def test_draws_have_the_law_they_state(name: str) -> None:
    sim = make_causal_model(name, n=20_000, seed=11)
    columns = [sim.places[axis] for axis in sim.joint.names]
    counts = np.zeros(sim.joint.shape)
    np.add.at(counts, tuple(columns), 1)
    expected = sim.joint.values * 20_000
    # Nine fixed seeds: a right sampler fails one of them with a chance below 1e-3.
    assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("graph", ["front-door", "A -> B; B -> C; A <-> C"])
def test_same_seed_same_bits_and_another_seed_others(graph: str) -> None:
    ends: dict[str, Any] = {} if graph in NAMED else {"outcome": "C", "do": "A"}
    one, same, other = (
        make_causal_model(graph, n=50, seed=seed, **ends) for seed in (3, 3, 4)
    )
    assert one.frame.equals(same.frame)
    assert_array_equal(one.joint.values, same.joint.values)
    assert not one.frame.equals(other.frame)
    assert not np.array_equal(one.joint.values, other.joint.values)


def test_a_jax_key_is_a_seed() -> None:
    import jax

    one, same = (make_causal_model(n=20, seed=jax.random.key(7)) for _ in range(2))
    other = make_causal_model(n=20, seed=jax.random.key(8))
    assert one.frame.equals(same.frame)
    assert not one.frame.equals(other.frame)


def test_more_draws_come_from_the_same_model() -> None:
    few, many = (make_causal_model("iv", n=n, seed=2) for n in (10, 1000))
    assert_array_equal(few.joint.values, many.joint.values)
    assert len(many.frame) == 1000


def test_states_may_be_labelled() -> None:
    sim = make_causal_model(
        "iv", n=400, states={"X": ("no", "yes"), "Z": 4}, latent_states=5, seed=1
    )
    assert sim.joint.axes == {"Z": (0, 1, 2, 3), "X": ("no", "yes"), "Y": (0, 1)}
    assert set(sim.frame["X"]) == {"no", "yes"}
    assert sim.tables["U(X,Y)"].shape == (5,)
    share = (sim.frame["X"] == "yes").mean()
    truth = float(sim.joint.sum(["Z", "Y"]).sel(X="yes"))
    assert abs(share - truth) < 5 * np.sqrt(truth * (1 - truth) / 400)


def test_concentration_says_how_uneven_rows_are() -> None:
    largest = [
        np.mean(
            [
                table.max(axis=-1).mean()
                for table in make_causal_model(n=1, concentration=c).tables.values()
            ]
        )
        for c in (0.05, 1.0, 1000.0)
    ]
    assert largest[0] > largest[1] > largest[2]
    assert largest[2] < 0.55


def test_graphs_of_ones_own_name_outcome_and_treatment() -> None:
    graph = dc.CausalGraph.from_edges("A -> B -> C; A <-> C; C -> D")
    sim = make_causal_model(graph, n=5, outcome=["D", "C"], do=["B"])
    assert sim.effect.names == ("D", "C", "B")
    assert sim.graph == graph
    assert dc.CausalGraph.from_edges(sim.edges) == graph


def test_latent_variables_are_not_shown() -> None:
    graph = dc.CausalGraph.from_edges("U -> X; U -> Y; X -> Y", latent=["U"])
    sim = make_causal_model(graph, n=5, outcome="Y", do="X")
    assert list(sim.frame) == list(sim.joint.names) == ["X", "Y"]
    assert sim.tables["U"].shape == (3,)


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_random_graphs_are_acyclic_with_causes_first(nodes: int, seed: int) -> None:
    graph = random_causal_graph(nodes, arrows=0.5, arcs=0.5, seed=seed)
    rank = {name: place for place, name in enumerate(graph.nodes)}
    assert len(graph.nodes) == nodes
    assert all(rank[a] < rank[b] for a, b in graph.directed + graph.bidirected)
    assert random_causal_graph(nodes, arrows=0.5, arcs=0.5, seed=seed) == graph


def test_chances_are_those_of_pairs() -> None:
    pairs = 40 * 39 / 2
    graph = random_causal_graph(40, arrows=0.3, arcs=0.05, seed=1)
    for edges, chance in ((graph.directed, 0.3), (graph.bidirected, 0.05)):
        spread = np.sqrt(pairs * chance * (1 - chance))
        assert abs(len(edges) - pairs * chance) < 4 * spread
    full = random_causal_graph(5, arrows=1, arcs=0)
    assert (len(full.directed), len(full.bidirected)) == (10, 0)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"graph": "frontdoor"}, dc.DesignError, "'frontdoor' is not one of back-door, fr"),
    ({"graph": "A -> B"}, dc.DesignError, r"outcome should name .* \(A, B\)"),
    ({"graph": "A -> B", "outcome": "B"}, dc.DesignError, "do should name variables"),
    ({"graph": "A -> B -> A", "outcome": "B", "do": "A"}, dc.GraphError, "cycle"),
    ({"n": 0}, dc.DesignError, "n=0 should be at least 1"),
    ({"latent_states": 0}, dc.DesignError, "latent_states=0 should be at least 1"),
    ({"states": 0}, dc.DesignError, "X, M, Y should have at least one state"),
    ({"states": {"M": ()}}, dc.DesignError, "M should have at least one state"),
    (
        {"states": {"Q": 2}},
        dc.DesignError,
        "states names Q, but the observed .* X, M, Y",
    ),
    ({"concentration": 0.0}, dc.DesignError, "concentration=0.0 should be positive"),
    ({"do": "Q"}, dc.QueryError, "'?Q'?"),
    ({"do": "Y"}, dc.QueryError, "Y"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED)
def test_a_model_that_cannot_be_drawn_is_refused(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        make_causal_model(**{"graph": "front-door", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0}, "nodes=0 should be at least 1"),
        ({"arrows": 1.5}, r"arrows=1.5 should be a chance in \[0, 1\]"),
        ({"arcs": -0.1}, r"arcs=-0.1 should be a chance"),
    ],
)
def test_a_graph_that_cannot_be_drawn_is_refused(arguments, message) -> None:
    with pytest.raises(dc.DesignError, match=message):
        random_causal_graph(**arguments)


def rate(joint: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Standardised rate of success by group; axes are stratum, group, success."""
    return weight @ (joint[..., 1] / joint.sum(-1))


def test_kidney_stones_reverse() -> None:
    table = dc.datasets.kidney_stones()
    assert table.frame["count"].sum() == 700
    naive = conditional(table.table.values.sum(0), (0,))[:, 1]
    # The percentages as published: 273 of 350 and 289 of 350.
    assert_array_equal(naive, [273 / 350, 289 / 350])
    p = table.joint.values
    assert_allclose(rate(p, p.sum((1, 2))), [0.832546, 0.778875], atol=5e-7)
    assert table.graph.parents("success") == ("treatment", "stone")


def test_admissions_reverse() -> None:
    table = dc.datasets.ucb_admissions()
    counts = table.table.values
    assert table.frame.shape == (24, 4)
    # Applicants and admissions in all: 2,691 men with 1,198, 1,835 women with 557.
    assert_array_equal(counts.sum((0, 2)), [2691, 1835])
    assert_array_equal(counts[..., 1].sum(0), [1198, 557])
    p = table.joint.values
    assert_allclose(rate(p, p.sum((1, 2))), [0.3873, 0.4300], atol=5e-5)


def test_smoking_and_tar_have_the_published_effect() -> None:
    table = dc.datasets.smoking_tar_cancer()
    assert list(table.frame) == ["S", "T", "C", "probability"]
    assert_allclose(table.joint.values, table.table.values, rtol=RTOL)
    effect = front_door(table.joint.values)
    assert_allclose(effect[1], [0.25347763, 0.5422973], atol=5e-9)


def test_china_smoking_has_the_published_odds_ratio() -> None:
    table = dc.datasets.china_smoking()
    counts = table.table.values
    assert counts.sum() == 8419
    assert table.table.axes["city"][3] == "Nanjing"
    total = counts.sum((1, 2))
    agree = counts[:, 1, 1] * counts[:, 0, 0] / total
    differ = counts[:, 1, 0] * counts[:, 0, 1] / total
    assert_allclose(agree.sum() / differ.sum(), 2.174, atol=5e-4)


@pytest.mark.parametrize(
    "name", ["kidney_stones", "ucb_admissions", "smoking_tar_cancer", "china_smoking"]
)
def test_a_published_table_says_where_it_is_from(name: str) -> None:
    table = getattr(dc.datasets, name)()
    assert set(table.graph.nodes) == set(table.table.names)
    assert any(character.isdigit() for character in table.source)
    assert_allclose(table.joint.values.sum(), 1, rtol=RTOL)
    frame = table.frame.set_index(list(table.table.names))
    for point in itertools.product(*table.table.axes.values()):
        cell = dict(zip(table.table.names, point, strict=True))
        assert frame.loc[point, table.unit] == float(table.table.sel(cell))
