"""Pictures of causal graphs show every variable and edge, none across a name."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import distcausal as dc
from distcausal.diagrams._draw_graph import graph_places

GRAPHS = {
    "front door": dc.CausalGraph.from_edges("S->T->C; S<->C"),
    "skips": dc.CausalGraph.from_edges("A->B->C->D; A->D; A->C; B<->D"),
    "hostile": dc.CausalGraph([("a $b$ & c", "x_y % {z}")], latent=["a $b$ & c"]),
    "lone": dc.CausalGraph(nodes=["A"]),
    "empty": dc.CausalGraph(),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_variable_and_edge_is_drawn(name: str) -> None:
    graph = GRAPHS[name]
    ax = graph.draw()
    assert len(ax.texts) == len(graph.nodes)
    assert len(ax.patches) == len(graph.directed) + len(graph.bidirected)
    ax.figure.canvas.draw()
    plt.close(ax.figure)


@pytest.mark.parametrize("name", GRAPHS)
def test_causes_stand_left_of_effects(name: str) -> None:
    places = graph_places(GRAPHS[name])
    for cause, effect in GRAPHS[name].directed:
        assert places[cause][0] < places[effect][0]


def test_no_arrow_runs_through_another_name() -> None:
    ax = GRAPHS["skips"].draw()
    ax.figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in ax.texts}
    edges = [*GRAPHS["skips"].directed, *GRAPHS["skips"].bidirected]
    for pair, patch in zip(edges, ax.patches, strict=True):
        path = patch.get_path().interpolated(20)
        points = patch.get_transform().transform(path.vertices)
        for name, box in boxes.items():
            if name not in pair:
                assert not any(box.contains(x, y) for x, y in points)
    plt.close(ax.figure)


def test_drawing_goes_into_given_axes() -> None:
    figure, ax = plt.subplots()
    assert GRAPHS["front door"].draw(ax) is ax
    plt.close(figure)


def test_samples_follow_the_model() -> None:
    model = dc.random_model(GRAPHS["front door"], states={"T": 3}, seed=2)
    drawn = model.sample(40_000, seed=1)
    shares = (
        drawn.groupby(["S", "T", "C"]).size().unstack(fill_value=0).stack() / 40_000
    )
    expected = model.joint().values.ravel()
    # five standard errors of a share
    assert np.abs(shares.to_numpy() - expected).max() < 5 * np.sqrt(0.25 / 40_000)
    assert model.sample(5, seed=1).equals(model.sample(5, seed=1))
    assert not model.sample(50, seed=1).equals(model.sample(50, seed=2))
