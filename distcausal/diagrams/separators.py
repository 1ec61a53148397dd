"""Smallest sets of variables given which two variables are independent in a graph.

Whatever separates two variables, some part of their ancestors does too, and among the
ancestors separation is a cut in an undirected graph: join variables that a collider
links, then remove vertices until no path is left. So the smallest separating set is a
smallest vertex cut, found by counting disjoint paths (Menger), and not by trying sets.

Sources: Richardson (2003) for the undirected graph; van der Zander, Liskiewicz and
Textor (2019) for smallest separating sets as cuts.
"""

from __future__ import annotations

from collections.abc import Sequence

from distcausal.diagrams.masks import Masks, bits, mask_of, union

__all__ = ["smallest_separator"]


def smallest_separator(masks: Masks, one: int, other: int) -> int | None:
    """Smallest set that m-separates two vertices; None if none does.

    Parameters
    ----------
    masks
        The graph.
    one, other
        Places of the vertices.

    Returns
    -------
    The set as bits; among those of the least size, the one whose first vertex comes
    first, then the second, and so on.
    """
    ends = 1 << one | 1 << other
    within = masks.ancestors(ends, masks.all)
    near = _joined(masks, within)
    if near[one] >> other & 1:
        return None
    chosen, left = 0, _disjoint_paths(near, one, other, within)
    for place in bits(within & ~ends):
        if not left:
            break
        without = within & ~chosen & ~(1 << place)
        if _disjoint_paths(near, one, other, without) < left:
            chosen, left = chosen | 1 << place, left - 1
    return chosen


def _joined(masks: Masks, within: int) -> list[int]:
    """Neighbours of each vertex by an edge or a path of colliders, inside a set.

    Two vertices are joined if they are equal or parents to members of one district.
    """
    near = [0] * len(masks.parents)
    for district in masks.districts(within):
        group = district | union(masks.parents, district)
        for place in bits(group & within):
            near[place] |= group & within & ~(1 << place)
    return near


def _disjoint_paths(near: Sequence[int], start: int, end: int, within: int) -> int:
    """Number of paths between two vertices that share no vertex but these.

    Vertex v is a gate from 2v, where paths arrive, to 2v + 1, where they leave. Each
    path that is found turns the steps it takes around, so that a later one can take
    them back.
    """
    steps = [0] * (2 * len(near))
    for place in bits(within):
        steps[2 * place] = 1 << 2 * place + 1
        steps[2 * place + 1] = mask_of(2 * to for to in bits(near[place] & within))
    count = 0
    while _turn_path(steps, 2 * start + 1, 2 * end):
        count += 1
    return count


def _turn_path(steps: list[int], start: int, end: int) -> bool:
    """Find a path and turn its steps around; whether there was one."""
    before: dict[int, int] = {start: start}
    waiting = [start]
    for at in waiting:
        for to in bits(steps[at]):
            if to not in before:
                before[to] = at
                waiting.append(to)
    if end not in before:
        return False
    while end != start:
        steps[before[end]] ^= 1 << end
        steps[end] |= 1 << before[end]
        end = before[end]
    return True
