"""Order of the things in each layer of a drawing, so that few wires cross.

Finding the best order is hard already for two layers, so this follows the usual route:
sweep up and down, put each thing at the average place of its neighbours, exchange
neighbours where that removes crossings, and keep the best order seen. Every choice is
settled by the order before, so the same diagram is always drawn the same way.

References
----------
Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical
system structures".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Link", "crossings", "fewer_crossings"]

SWEEPS = 12  # the order settles within a few; more sweeps only find the same again


@dataclass(frozen=True)
class Link:
    """A piece of wire from one layer to the next.

    Attributes
    ----------
    low, high
        Vertices it joins.
    leaves, arrives
        Number of the port at either end, counted along the layer.
    wire
        Number of the wire.
    """

    low: int
    high: int
    leaves: int
    arrives: int
    wire: int


def fewer_crossings(
    layers: Sequence[Sequence[int]], links: Sequence[Link], *, fixed: Collection[int]
) -> list[list[int]]:
    """Reorder each layer so that few links cross.

    Parameters
    ----------
    layers
        Vertices of each layer in their first order, lowest layer first.
    links
        Links between layers next to each other.
    fixed
        Layers whose order is not to change.
    """
    order = [list(layer) for layer in layers]
    best, fewest = order, crossings(order, links)
    up, down = _by_end(links, "high"), _by_end(links, "low")
    for sweep in range(SWEEPS):
        if not fewest:
            break
        rising = sweep % 2 == 0
        order = [list(layer) for layer in order]
        levels = range(len(order)) if rising else reversed(range(len(order)))
        # the first sweep only exchanges, since the order given is often nearly right
        for level in levels if sweep else ():
            if level not in fixed:
                _average(order[level], order, up if rising else down, rising=rising)
        for level in range(len(order)):
            if level not in fixed:
                _exchange(order[level], order, up, down)
        count = crossings(order, links)
        if count < fewest:
            best, fewest = order, count
    return best


def crossings(order: Iterable[Sequence[int]], links: Iterable[Link]) -> int:
    """Count pairs of links that have to cross in this order."""
    place = _places(order)
    ends: dict[int, list[tuple[tuple[int, int], tuple[int, int]]]] = {}
    for link in links:
        level, low = place[link.low]
        high = place[link.high][1]
        ends.setdefault(level, []).append(((low, link.leaves), (high, link.arrives)))
    return sum(
        (one[0] < two[0] and one[1] > two[1]) or (one[0] > two[0] and one[1] < two[1])
        for pairs in ends.values()
        for at, one in enumerate(pairs)
        for two in pairs[at + 1 :]
    )


def _places(order: Iterable[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """Layer of each vertex and its place there."""
    return {
        vertex: (level, at)
        for level, layer in enumerate(order)
        for at, vertex in enumerate(layer)
    }


def _by_end(links: Iterable[Link], end: str) -> dict[int, list[Link]]:
    found: dict[int, list[Link]] = {}
    for link in links:
        found.setdefault(getattr(link, end), []).append(link)
    return found


def _ends(
    links: Iterable[Link], place: dict[int, tuple[int, int]], *, rising: bool
) -> list[tuple[tuple[int, int], int]]:
    """Where links end in the other layer, and the own port at which they do."""
    if rising:
        return [((place[k.low][1], k.leaves), k.arrives) for k in links]
    return [((place[k.high][1], k.arrives), k.leaves) for k in links]


def _average(
    layer: list[int],
    order: Sequence[Sequence[int]],
    towards: dict[int, list[Link]],
    *,
    rising: bool,
) -> None:
    """Sort a layer by the average place of neighbours; the others keep their place."""
    place = _places(order)
    keys = {}
    for at, vertex in enumerate(layer):
        ends = _ends(towards.get(vertex, ()), place, rising=rising)
        # a port is a small step next to the step from one vertex to the next
        spots = [spot + port / 64 for (spot, port), _ in ends]
        keys[vertex] = sum(spots) / len(spots) if spots else float(at)
    layer.sort(key=lambda vertex: keys[vertex])


def _exchange(
    layer: list[int],
    order: Sequence[Sequence[int]],
    up: dict[int, list[Link]],
    down: dict[int, list[Link]],
) -> None:
    """Exchange neighbours as long as that removes crossings."""
    place = _places(order)
    ends = {
        vertex: (
            _ends(up.get(vertex, ()), place, rising=True),
            _ends(down.get(vertex, ()), place, rising=False),
        )
        for vertex in layer
    }

    def between(left: int, right: int) -> int:
        return sum(
            one[0] > two[0]
            for side in (0, 1)
            for one in ends[left][side]
            for two in ends[right][side]
        )

    better = True
    while better:
        better = False
        for at in range(len(layer) - 1):
            left, right = layer[at], layer[at + 1]
            if between(right, left) < between(left, right):
                layer[at], layer[at + 1] = right, left
                better = True
