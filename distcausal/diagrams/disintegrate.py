"""Disintegration: from a joint law back to a channel that explains it.

Surgery replaces one mechanism and keeps the others, so the mechanisms must first be
read off the joint law. A law on A and B is its marginal on A, copied, with a channel
from A to B; the channel is unique exactly where the marginal is positive. What it says
elsewhere is a choice, and is marked as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from distcausal.diagrams.channel import Channel
from distcausal.diagrams.joint import as_joint, place_of
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.space import Ty
from distcausal.errors import PositivityError, QueryError, check_choice, listing

__all__ = ["SUPPORT", "bayes_inverse", "conditional", "disintegrate"]

SUPPORT = ("raise", "uniform", "nan")


def disintegrate(
    joint: Any, *, given: str | Iterable[str], support: str = "raise"
) -> Channel:
    """Find the channel from some variables of a joint law to the others.

    Parameters
    ----------
    joint
        Joint law in any form that `distcausal` reads: a `LabelledArray`, a mapping with
        ``"variables"`` and ``"values"``, a frame of observations or of counts.
    given
        Variables that become inputs, in this order. The others become outputs, in the
        order of the joint.
    support
        What to do for an input state that never occurs, where no channel is better than
        another: ``"raise"``, give the outputs the ``"uniform"`` law, or ``"nan"``.

    Returns
    -------
    Channel whose ``support`` says which rows are known from the joint; None if all are.

    Raises
    ------
    PositivityError
        If an input state has probability 0 and ``support="raise"``; it is named.
    DataError
        If the joint is not a law.
    QueryError
        If ``given`` names what is not there.

    References
    ----------
    Cho and Jacobs (2019), *Mathematical Structures in Computer Science* 29(7).

    Examples
    --------
    >>> import distcausal as dc
    >>> joint = {"variables": ["S", "T"], "values": [[0.5, 0.1], [0.1, 0.3]]}
    >>> dc.disintegrate(joint, given=["S"]).sel(S=1).values
    array([0.25, 0.75])
    """
    check_choice("support", support, SUPPORT)
    table = as_joint(joint)
    inputs = name_list(given)
    rest = [name for name in table.names if name not in inputs]
    ordered = table.transpose([*inputs, *rest])
    values, known = conditional(ordered.values, len(inputs))
    if not known.all() and support == "raise":
        raise never_occurs(ordered, inputs, rest, ~known)
    return Channel(
        filled(values, known, support),
        spaces(ordered, inputs),
        spaces(ordered, rest),
        support=None if known.all() else known,
    )


def bayes_inverse(
    channel: Channel, prior: Channel, *, support: str = "raise"
) -> Channel:
    """Turn a channel round: from its outputs to the law of its inputs given them.

    Parameters
    ----------
    channel
        From A to B.
    prior
        Law on A, a channel without inputs.
    support
        As in `disintegrate`, for outputs of probability 0.

    Returns
    -------
    Channel from B to A. Turned round again, with the law of B as prior, it is the
    original wherever the prior is positive.

    Raises
    ------
    PositivityError
        If an output has probability 0 and ``support="raise"``, or if the prior reaches
        an input whose row is not known.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.diagrams.disintegrate import bayes_inverse
    >>> ill, test = dc.Space("D", (0, 1)), dc.Space("T", (0, 1))
    >>> law = dc.Channel([[0.9, 0.1], [0.2, 0.8]], ill, test)
    >>> found = bayes_inverse(law, dc.Channel([0.8, 0.2], [], ill))
    >>> round(float(found.sel(T=1, D=1)), 4)
    0.6667
    """
    check_choice("support", support, SUPPORT)
    ins, outs = len(channel.dom), len(channel.cod)
    both = (
        prior >> Channel.copy(channel.dom) >> (Channel.identity(channel.dom) @ channel)
    )
    if np.isnan(both.values).any():
        raise PositivityError(
            f"the law of {channel.dom} gives positive probability to a state whose row "
            f"of the channel {channel.dom} -> {channel.cod} is not known. Fill the "
            "row, or give the state probability 0."
        )
    turned = both.values.transpose([*range(ins, ins + outs), *range(ins)])
    values, known = conditional(turned, outs)
    if not known.all() and support == "raise":
        at = np.unravel_index(int(np.argmin(known)), known.shape)
        states = zip(channel.cod, at, strict=True)
        event = ", ".join(f"{space.name}={space.known[i]!r}" for space, i in states)
        raise PositivityError(
            f"{event} has probability 0, so the law of {channel.dom} given it is not "
            'known. Choose support="uniform" or "nan" to go on without it.'
        )
    return Channel(
        filled(values, known, support),
        channel.cod,
        channel.dom,
        support=None if known.all() else known,
    )


def conditional(values: np.ndarray, ins: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a nonnegative array over their sums.

    Parameters
    ----------
    values
        Array whose first ``ins`` axes tell rows apart.
    ins
        Number of those axes.

    Returns
    -------
    The array divided, NaN in rows that sum to 0, and a truth value per row: whether it
    does not.
    """
    total = values.sum(axis=tuple(range(ins, values.ndim)))
    known = total > 0
    wide = total.reshape(total.shape + (1,) * (values.ndim - ins))
    ratio = np.full(values.shape, np.nan)
    np.divide(values, wide, out=ratio, where=wide > 0)
    return ratio, known


def filled(values: np.ndarray, known: np.ndarray, support: str) -> np.ndarray:
    """Fill rows that are not known as ``support`` says."""
    if support != "uniform":
        return values
    wide = known.reshape(known.shape + (1,) * (values.ndim - known.ndim))
    outputs = np.prod(values.shape[known.ndim :])
    return np.where(wide, values, 1 / outputs)


def spaces(table: LabelledArray, names: Iterable[str]) -> Ty:
    """Wires of some axes of a table."""
    return Ty(tuple(table.space(name) for name in names))


def name_list(names: str | Iterable[str]) -> list[str]:
    """Names in a list; one alone may come without it.

    Raises
    ------
    QueryError
        If a name occurs twice.
    """
    found = [names] if isinstance(names, str) else list(names)
    if len(set(found)) < len(found):
        raise QueryError(f"each variable counts once, but got {listing(found, 12)}.")
    return found


def never_occurs(
    table: LabelledArray, given: list[str], rest: Iterable[str], lost: np.ndarray
) -> PositivityError:
    """Error that names the first event of probability 0 that is divided by."""
    axes = LabelledArray(lost, {name: table.axes[name] for name in given})
    return PositivityError(
        f"{place_of(axes, lost)} has probability 0 ({int(lost.sum())} of {lost.size} "
        f"such events), so the law of {', '.join(rest)} given {', '.join(given)} is "
        'not known there. Choose support="uniform" or "nan" to go on without it, or '
        "merge states that are too rare."
    )
