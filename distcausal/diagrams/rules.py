"""What arrays and wires must obey to make a channel, and how to say that they do not.

Two rules carry the whole calculus: every row of a channel is a law, and what comes out
of one step is what goes into the next. A fault is named where it enters, by the states
of the row or by the first wire that differs, not where it later shows.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from distcausal.diagrams.box import first_difference
from distcausal.diagrams.space import Ty
from distcausal.errors import DataError, TypeError_

__all__ = ["check_meet", "check_rows", "divided"]


def check_rows(
    values: np.ndarray,
    dom: Ty,
    cod: Ty,
    *,
    support: np.ndarray | None,
    partial: bool,
    atol: float,
) -> None:
    """Raise `DataError` unless every row is a law, or merely a measure if ``partial``.

    Rows where ``support`` is False may be NaN instead.
    """
    rows = values.reshape(prod(dom.shape), -1)
    total = rows.sum(axis=1)
    known = np.ones(len(rows), bool)
    if support is not None:
        known = support.ravel() | ~np.isnan(total)

    def refuse(bad: np.ndarray, rule: str, fact: Callable[[int], str]) -> None:
        if bad.any():
            at = int(np.argmax(bad))
            raise DataError(
                f"rows of the channel {dom} -> {cod} {rule}, but {_row(dom, at)} "
                f"{fact(at)} ({int(bad.sum())} of {bad.size} rows). Correct it, or "
                "divide counts by their sum with renormalise=True."
            )

    refuse(known & ~np.isfinite(total), "should be finite", lambda at: "is not")
    refuse(
        known & (rows < 0).any(axis=1),
        "should not be negative",
        lambda at: f"holds {rows[at].min():.6g}",
    )
    if not partial:
        refuse(
            known & (np.abs(total - 1) > atol),
            "should sum to 1",
            lambda at: f"sums to {total[at]:.6g}, {total[at] - 1:+.3g} off",
        )


def _row(dom: Ty, at: int) -> str:
    """Input states of a row, for messages."""
    place = np.unravel_index(at, dom.shape)
    states = [f"{s.name}={s.known[i]!r}" for s, i in zip(dom, place, strict=True)]
    return f"the row {', '.join(states)}" if states else "the state"


def divided(values: np.ndarray, ins: int) -> np.ndarray:
    """Rows over their sums; one that sums to nothing is left as it is.

    Parameters
    ----------
    values
        Array whose first ``ins`` axes tell rows apart.
    ins
        Number of those axes.
    """
    total = values.sum(axis=tuple(range(ins, values.ndim)), keepdims=True)
    return np.divide(values, total, out=values.copy(), where=total > 0)


def check_meet(left: Ty, right: Ty) -> None:
    """Raise unless the outputs of one step are the inputs of the next.

    Raises
    ------
    TypeError_
        If they are not; the message has both types and the first wire that differs.
    """
    if left == right:
        return
    raise TypeError_(
        f"what comes out, {left}, should be what goes in, {right}; "
        f"{first_difference(left, right)}. Swap, copy or discard wires in between."
    )
