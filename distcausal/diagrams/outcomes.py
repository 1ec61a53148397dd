"""Outcomes that are distributions: what an intervention does to a whole law.

In many studies the outcome of a unit is a distribution, the wages of a firm, say. Then
the last wire of a model chooses among distributions, and the answer to a query is a law
over them. Two summaries turn it into a distribution again: the mixture, what a worker
of a random firm earns, and the barycentre, which averages quantile functions and is the
firm in the middle. They agree where the law is sure, and differ everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.space import as_type
from distcausal.diagrams.units import input_units, unit_places
from distcausal.errors import DataError, PositivityError, check_choice

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions
    from distcausal.diagrams.channel import Channel
    from distcausal.diagrams.labelled import LabelledArray

__all__ = ["answer_distributions", "mix_distributions"]

SUMMARIES = ("mixture", "barycentre")


def mix_distributions(
    channel: Channel, outcomes: RandomDistributions, *, summary: str = "mixture"
) -> RandomDistributions:
    """Average distributions by the laws that a channel puts on them.

    Parameters
    ----------
    channel
        Its output states are units of ``outcomes``: the labels of the units are the
        states of its one output wire, or the outcomes have a column per output wire.
        A law without input is a channel too.
    outcomes
        One distribution per output state, in any form.
    summary
        ``"mixture"`` of the laws, or ``"barycentre"``: the average of quantile
        functions.

    Returns
    -------
    One unit per input state, with a column per input wire, in the form that mixtures
    and barycentres of `RandomDistributions` have.

    Raises
    ------
    DataError
        If units and output states do not match, or the rows do not sum to 1.
    PositivityError
        If a row of the channel is not known.

    Examples
    --------
    >>> import distcausal as dc
    >>> firms = dc.RandomDistributions.from_samples(
    ...     [[10.0, 20.0], [30.0, 60.0]], ids=["old", "new"]
    ... )
    >>> reform, firm = dc.Space("X", (0, 1)), dc.Space("Y", ("old", "new"))
    >>> after = dc.Channel([[1.0, 0.0], [0.5, 0.5]], reform, firm)
    >>> dc.mix_distributions(after, firms, summary="barycentre").quantiles([0.5])
    array([[15.],
           [30.]])
    """
    check_choice("summary", summary, SUMMARIES)
    if np.isnan(channel.values).any():
        raise PositivityError(
            f"{int(np.isnan(channel.values).sum())} entries of the channel "
            f"{channel.dom} -> {channel.cod} are not known, so neither are the "
            "distributions there. Leave out input states that never occur."
        )
    if not channel.stochastic:
        raise DataError(
            f"rows of the channel {channel.dom} -> {channel.cod} should sum to 1 to "
            "average distributions; make it with renormalise=True."
        )
    ordered = outcomes.take(unit_places(outcomes, channel.cod).ravel())
    rows = channel.values.reshape(prod(channel.dom.shape), len(ordered))
    average = ordered.mixture if summary == "mixture" else ordered.barycentre
    ids, columns = input_units(channel.dom)
    found = _stacked([average(row) for row in rows], ids=ids, columns=columns)
    return replace(found, units=replace(found.units, origin=f"{summary} by a channel"))


def _stacked(parts: list[Any], **labels: Any) -> RandomDistributions:
    """Units of several objects of one form in one object."""
    from distcausal.data.atoms import AtomDistributions
    from distcausal.data.bins import BinDistributions
    from distcausal.data.distributions import RandomDistributions
    from distcausal.data.quantiles import QuantileDistributions
    from distcausal.data.samples import SampleDistributions

    first = parts[0]
    counts = np.concatenate([part.sizes for part in parts])
    if isinstance(first, AtomDistributions):
        return _stacked_atoms(parts, counts, labels)
    if isinstance(first, QuantileDistributions):
        curves = np.concatenate([part.curves for part in parts])
        made = RandomDistributions.from_quantiles(curves, first.levels, **labels)
        return _counted(made, counts)
    if isinstance(first, SampleDistributions):
        return _stacked_samples(parts, labels)
    if isinstance(first, BinDistributions):
        # Edges differ between barycentres; mass is even in a bin, so all may be cut.
        edges = np.unique(np.concatenate([part.edges for part in parts]))
        mass = np.concatenate([part.to_bins(edges).mass for part in parts])
        return _counted(RandomDistributions.from_bins(edges, mass, **labels), counts)
    return _stacked_laws(parts, labels)


def _counted(made: Any, counts: np.ndarray) -> RandomDistributions:
    """Remember how many observations are behind each unit."""
    return replace(made, counts=counts)


def _stacked_atoms(
    parts: list[Any], counts: np.ndarray, labels: dict[str, Any]
) -> RandomDistributions:
    """Atoms on the union of the supports, which differ between barycentres."""
    from distcausal.data.distributions import RandomDistributions

    support = list(
        dict.fromkeys(atom for part in parts for atom in part.support.tolist())
    )
    place = {atom: at for at, atom in enumerate(support)}
    mass = np.zeros((len(parts), len(support)))
    for row, part in zip(mass, parts, strict=True):
        row[[place[atom] for atom in part.support.tolist()]] = part.mass[0]
    return _counted(RandomDistributions.from_atoms(support, mass, **labels), counts)


def _stacked_samples(parts: list[Any], labels: dict[str, Any]) -> RandomDistributions:
    """Draws of all units; equal weights are spelt out where some unit has unequal."""
    from distcausal.data.distributions import RandomDistributions

    draws = [part.values for part in parts]
    rules = {part.quantile_rule for part in parts}
    weights = None
    if any(part.weights is not None for part in parts):
        weights = [
            np.ones(len(part.values)) if part.weights is None else part.weights
            for part in parts
        ]
    rule = rules.pop() if len(rules) == 1 else "inverse"
    return RandomDistributions.from_samples(
        draws, weights=weights, quantile_rule=rule, **labels
    )


def _stacked_laws(
    parts: list[RandomDistributions], labels: dict[str, Any]
) -> RandomDistributions:
    """Units that have nothing in common but quantiles and a cdf."""
    from distcausal.data.distributions import RandomDistributions

    def by_unit(ask: Callable[[RandomDistributions, np.ndarray], np.ndarray]) -> Any:
        def answer(at: np.ndarray, unit: np.ndarray) -> np.ndarray:
            rows = np.broadcast_to(at, (len(unit), np.shape(at)[-1]))
            asked = zip(unit[:, 0].astype(int), rows, strict=True)
            return np.concatenate([ask(parts[i], row) for i, row in asked])

        return answer

    law = (
        by_unit(lambda part, levels: part._invert(levels[None, :])),
        by_unit(lambda part, points: part.cdf(points)),
    )
    return RandomDistributions.from_law(law, {"unit": np.arange(len(parts))}, **labels)


def answer_distributions(
    answer: LabelledArray,
    outcome: Iterable[str],
    outcomes: RandomDistributions | None,
    summary: str,
) -> RandomDistributions:
    """Answer of a query as distributions, one unit per setting.

    Without ``outcomes`` the states of the outcome are themselves the values.
    """
    from distcausal.diagrams.channel import Channel

    made = list(outcome)
    read = [name for name in answer.names if name not in made]
    channel = Channel(
        answer.transpose([*read, *made]).values,
        as_type([answer.space(name) for name in read]),
        as_type([answer.space(name) for name in made]),
    )
    if outcomes is None:
        return channel.to_distributions()
    return mix_distributions(channel, outcomes, summary=summary)
