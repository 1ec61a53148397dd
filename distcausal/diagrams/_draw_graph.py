"""Pictures of causal graphs: who causes whom, and who shares an unobserved cause.

Causes stand left of their effects, in layers; within a layer the order is the one with
few crossings that repeated averaging finds. Shared unobserved causes are dashed bows
with two heads, latent variables have dashed rims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams._picture import INK
from distcausal.diagrams._text import BODY, broken, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from distcausal.diagrams.graph import CausalGraph

__all__ = ["draw_graph", "graph_places"]

Places = dict[str, tuple[float, float]]
_SWEEPS = 8
_STRAIGHT = (0.0, 0.22, -0.22, 0.4, -0.4)  # bows of arrows, the first that is clear
_BOWED = (-0.38, 0.38, -0.6, 0.6)
_CLEAR = 24.0  # points between a line and the middle of a name that it passes
_BETWEEN, _ROW = 62.0, 60.0  # points between neighbours of a row, and between rows


def graph_places(graph: CausalGraph) -> Places:
    """Column and row of every variable; causes stand in earlier columns."""
    depth: dict[str, int] = {}
    for name in graph.topological_order():
        depth[name] = max((depth[p] + 1 for p in graph.parents(name)), default=0)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in graph.nodes:
        layers[depth[name]].append(name)
    row = {n: i - (len(each) - 1) / 2 for each in layers for i, n in enumerate(each)}
    near = {
        name: [*graph.parents(name), *graph.children(name), *graph.siblings(name)]
        for name in graph.nodes
    }
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            middle = {
                n: np.mean([row[m] for m in near[n]]) if near[n] else row[n]
                for n in layer
            }
            layer.sort(key=lambda name: (middle[name], row[name]))
            row.update(
                {name: at - (len(layer) - 1) / 2 for at, name in enumerate(layer)}
            )
    # a variable on the straight line between two others would hide their arrow
    return {n: (float(depth[n]), row[n] + 0.18 * (depth[n] % 2)) for n in graph.nodes}


def draw_graph(graph: CausalGraph, ax: Axes | None = None) -> Axes:
    """Draw a causal graph; returns the axes and shows nothing."""
    from matplotlib import pyplot as plt

    places = graph_places(graph)
    lines = {name: broken(name) for name in graph.nodes}
    widths = [text_width(part, BODY) for parts in lines.values() for part in parts]
    step = max(widths, default=0.0) + _BETWEEN
    at = {name: (x * step, -y * _ROW) for name, (x, y) in places.items()}
    bows = {pair: _clear_bow(at, *pair, _STRAIGHT) for pair in graph.directed}
    shared = {pair: _clear_bow(at, *pair, _BOWED) for pair in graph.bidirected}
    curves = [_curve(at, *pair, bow) for pair, bow in [*bows.items(), *shared.items()]]
    drawn = np.concatenate([np.array([*at.values()] or [(0.0, 0.0)]), *curves])
    (left, low), (right, high) = drawn.min(axis=0), drawn.max(axis=0)
    margin = step * 0.6, _ROW * 0.6
    if ax is None:
        size = right - left + 2 * margin[0], high - low + 2 * margin[1]
        _, ax = plt.subplots(figsize=(size[0] / 72, size[1] / 72))
    ax.set_xlim(left - margin[0], right + margin[0])
    ax.set_ylim(low - margin[1], high + margin[1])
    ax.set_axis_off()
    rims = {name: _label(ax, graph, name, lines[name], at[name]) for name in at}
    for pair, bow in bows.items():
        ax.add_patch(_arrow(at, rims, *pair, "-|>", "-", bow))
    for pair, bow in shared.items():
        ax.add_patch(_arrow(at, rims, *pair, "<|-|>", "--", bow))
    return ax


def _curve(at: Places, one: str, other: str, bow: float) -> np.ndarray:
    """Points of the quadratic curve that matplotlib's arc3 draws."""
    start, end = np.array(at[one]), np.array(at[other])
    along = np.linspace(0.1, 0.9, 17)[:, None]
    corner = (start + end) / 2 + bow * (end - start)[::-1] * np.array([1.0, -1.0])
    sides = (1 - along) ** 2 * start + along**2 * end
    return sides + 2 * along * (1 - along) * corner


def _clear_bow(at: Places, one: str, other: str, bows: tuple[float, ...]) -> float:
    """First bow that keeps clear of the other names, or the one that comes closest."""
    rest = np.array([place for name, place in at.items() if name not in (one, other)])
    if not len(rest):
        return bows[0]
    room = []
    for bow in bows:
        # names are wide and flat, so sideways counts less
        gaps = (_curve(at, one, other, bow)[:, None] - rest) * np.array([0.5, 1.0])
        room.append(min(float(np.hypot(*gaps.T).min()), _CLEAR))
    return bows[int(np.argmax(room))]


def _label(
    ax: Axes,
    graph: CausalGraph,
    name: str,
    lines: tuple[str, ...],
    at: tuple[float, float],
) -> Any:
    """Name in a rounded rim, dashed where the variable is latent; gives the rim."""
    rim = {
        "boxstyle": "round,pad=0.35",
        "facecolor": "white",
        "edgecolor": INK,
        "linestyle": "--" if name in graph.latent else "-",
        "linewidth": 0.9,
    }
    text = ax.text(
        *at,
        "\n".join(lines),
        ha="center",
        va="center",
        size=BODY,
        color=INK,
        parse_math=False,
        bbox=rim,
        zorder=3,
    )
    return text.get_bbox_patch()


def _arrow(
    at: Places,
    rims: dict[str, Any],
    one: str,
    other: str,
    head: str,
    line: str,
    bow: float,
) -> Any:
    """Arrow between the rims of two names."""
    from matplotlib.patches import FancyArrowPatch

    return FancyArrowPatch(
        at[one],
        at[other],
        patchA=rims[one],
        patchB=rims[other],
        arrowstyle=head,
        linestyle=line,
        connectionstyle=f"arc3,rad={bow}",
        mutation_scale=11,
        shrinkA=2,
        shrinkB=2,
        color=INK,
        linewidth=1.0,
        zorder=4,  # after the names, whose rims have their size only once drawn
    )
