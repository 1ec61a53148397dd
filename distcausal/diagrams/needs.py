"""What an estimate divides by, and how little of it there is.

A conditional share of three observations is a guess. Which conditions matter is not a
property of the data alone: only those that some answer needs, with the states it needs
them at, count. They are where the answer moves with the conditional probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distcausal.diagrams.estimand import Expression, Prob, Ratio, leaves, parts
from distcausal.diagrams.evaluate import table_axes
from distcausal.diagrams.influence import DRAW, Slopes
from distcausal.diagrams.render import to_text

if TYPE_CHECKING:
    from distcausal.diagrams.plugin import PlugIn

__all__ = ["Need", "rarest_needs"]


class Need(NamedTuple):
    """A probability that the formula divides by, where it is smallest.

    Attributes
    ----------
    event
        The probability, as text.
    at
        States at which it is smallest among those that an answer needs.
    share
        Its estimate there.
    rows
        Observations there; NaN where the divisor is no single probability.
    states
        How many joint states some answer needs.
    """

    event: str
    at: str
    share: float
    rows: float
    states: int


def rarest_needs(plugin: PlugIn, found: Slopes) -> tuple[Need, ...]:
    """For each divisor of a formula, the rarest state that an answer needs."""
    needs: dict[str, Need] = {}
    for need in (*_conditions(plugin, found), *_divisors(plugin, found)):
        held = needs.get(need.event)
        if held is None or need.share < held.share:
            needs[need.event] = need
    return tuple(needs.values())


def _conditions(plugin: PlugIn, found: Slopes) -> list[Need]:
    """Events that probabilities are conditional on."""
    needs = []
    for leaf in leaves(plugin.lifted):
        if id(leaf) not in found.weights:
            continue
        key = (leaf.do[1:], leaf.of | leaf.given)
        names, shape = table_axes(key), plugin.shape(key)
        random = tuple(i for i, name in enumerate(names) if name in leaf.of)
        reached = (found.weights[id(leaf)][0] > 0).any(axis=random)
        sample = plugin.samples[key[0]]
        mass = plugin.counted(key, sample.mass[None])[0]
        share = mass / np.maximum(
            mass.sum(axis=-1, keepdims=True), np.finfo(float).tiny
        )
        count = plugin.counted(key, sample.count[None])[0]
        needs.append(
            _rarest(
                plugin,
                Prob(leaf.given, frozenset(), key[0]),
                [name for name in names if name not in leaf.of],
                share.reshape(shape).sum(axis=random),
                count.reshape(shape).sum(axis=random),
                reached,
            )
        )
    return needs


def _divisors(plugin: PlugIn, found: Slopes) -> list[Need]:
    """Divisors of ratios."""
    needs = []
    pairs = zip(
        _ratios(plugin.estimand.expression), _ratios(plugin.lifted), strict=True
    )
    for plain, lifted in pairs:
        if id(lifted.bottom) not in found.bottoms:
            continue
        part, reached = found.bottoms[id(lifted.bottom)]
        names = [name for name in part.names if name != DRAW]
        draw = part.names.index(DRAW)
        share = np.take(part.values, 0, axis=draw)
        where = np.take(reached, 0, axis=draw)
        needs.append(
            _rarest(
                plugin, plain.bottom, names, share, np.full(share.shape, np.nan), where
            )
        )
    return needs


def _ratios(formula: Expression) -> list[Ratio]:
    """Ratios of a formula in the order of a walk, shared ones once."""
    found: list[Ratio] = []
    seen: set[int] = set()
    waiting = [formula]
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            found += [part] if isinstance(part, Ratio) else []
            waiting += parts(part)
    return found


def _rarest(
    plugin: PlugIn,
    event: Expression,
    names: Sequence[str],
    share: np.ndarray,
    count: np.ndarray,
    reached: np.ndarray,
) -> Need:
    """Smallest share among the states reached."""
    place = np.unravel_index(np.where(reached, share, np.inf).argmin(), share.shape)
    at = zip(names, place, strict=True)
    query, nodes = plugin.estimand.query, plugin.estimand.graph.nodes
    return Need(
        to_text(event, nodes, query.axes),
        ", ".join(f"{name}={plugin.states[name][p]!r}" for name, p in at),
        float(share[place]),
        float(count[place]),
        int(reached.sum()),
    )
