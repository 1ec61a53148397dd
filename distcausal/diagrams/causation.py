"""How often a cause was necessary, sufficient, or both: closed forms for two states.

For a cause and an effect of two states each, three probabilities across worlds matter
in law and medicine. The data of one study bound them, in closed form; if the cause can
only help the effect along, and the effect of setting it is known, they are determined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, numbers
from distcausal.diagrams.available import OBSERVED, read_available, tables_for
from distcausal.diagrams.bounds import Bounds
from distcausal.diagrams.estimand import Prob, Product
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.model import CausalModel
from distcausal.errors import ConditioningError, DataError, QueryError

__all__ = ["CausationProbabilities", "causation_probabilities"]

# rounding of probabilities printed with six digits or more
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CausationProbabilities(Result):
    """Bounds on the probabilities of causation; equal ends where determined.

    Attributes
    ----------
    both
        Necessary and sufficient: of all units, those with the effect if and only if the
        cause is present.
    necessary
        Of units with cause and effect, those without the effect had the cause been
        absent.
    sufficient
        Of units with neither, those with the effect had the cause been present.
    """

    cite_as: ClassVar[str] = "bounds"
    both: Bounds
    necessary: Bounds
    sufficient: Bounds

    def summary(self) -> Table:
        """One row per probability."""
        named = (
            ("necessary and sufficient", self.both),
            ("necessary", self.necessary),
            ("sufficient", self.sufficient),
        )
        return Table(
            title="Probabilities of causation",
            columns=("", "lower", "upper"),
            rows=tuple(
                (name, *numbers((found.lower, found.upper), 6)) for name, found in named
            ),
            notes=tuple(f"{name}: {found.query}" for name, found in named),
        )

    def __repr__(self) -> str:
        return "\n".join(map(repr, (self.both, self.necessary, self.sufficient)))


def causation_probabilities(
    distributions: Any,
    cause: str,
    effect: str,
    *,
    exogenous: bool = False,
    monotone: bool = False,
) -> CausationProbabilities:
    """Bound the probabilities of causation for a cause and an effect of two states.

    Parameters
    ----------
    distributions
        The observed joint, a `CausalModel`, or a mapping from ``"observational"`` and,
        if there was an experiment on the cause, from ``(cause,)`` to laws, as in
        `Identification.evaluate`. Other variables are summed out.
    cause, effect
        Names; of the two states of each the last one is presence.
    exogenous
        Whether cause and effect share no unobserved cause, so that seeing the cause
        tells the same as setting it. Needs no experiment then.
    monotone
        Whether the cause prevents the effect in no unit.

    Returns
    -------
    CausationProbabilities
        Sharp bounds, given what was supplied.

    Raises
    ------
    QueryError
        If a variable has not two states, or ``monotone`` is claimed without knowledge
        of what setting the cause does (`counterfactual_bounds` covers that case).
    ConditioningError
        If cause and effect never occur together, or never fail to.
    DataError
        If the distributions contradict each other or what is claimed.

    References
    ----------
    Tian and Pearl (2000), *Probabilities of causation: bounds and identification*.

    Examples
    --------
    >>> import distcausal as dc
    >>> joint = dc.LabelledArray(
    ...     [[0.35, 0.15], [0.2, 0.3]], {"X": (0, 1), "Y": (0, 1)}
    ... )
    >>> dc.causation_probabilities(joint, "X", "Y", exogenous=True)
    0.3 <= P(Y[X=1]=1, Y[X=0]=0) <= 0.6
    0.5 <= P(Y[X=0]=0 | X=1, Y=1) <= 1
    0.428571 <= P(Y[X=1]=1 | X=0, Y=0) <= 0.857143
    >>> dc.causation_probabilities(joint, "X", "Y", exogenous=True, monotone=True)
    0.3 <= P(Y[X=1]=1, Y[X=0]=0) <= 0.3
    0.5 <= P(Y[X=0]=0 | X=1, Y=1) <= 0.5
    0.428571 <= P(Y[X=1]=1 | X=0, Y=0) <= 0.428571
    """
    joint, setting, states = _read(distributions, cause, effect)
    if exogenous:
        setting = _seen(joint, setting, cause)
    if monotone and setting is None:
        raise QueryError(
            f"monotone was claimed, but nothing says what setting {cause!r} does: give "
            f"an experiment under ({cause!r},), or claim exogenous. Bounds without "
            "either: counterfactual_bounds with monotone."
        )
    for at, what in ((joint[1, 1], "together"), (joint[0, 0], "absent together")):
        if at <= 0:
            raise ConditioningError(
                f"{cause!r} and {effect!r} never occur {what}, so nothing can be said "
                "about such units. Ask counterfactual_bounds about the others."
            )
    ends = _ends(joint, setting, monotone)
    (off, on), (no, yes) = states
    present, absent = (f"{effect}[{cause}={state!r}]" for state in (on, off))
    queries = (
        f"P({present}={yes!r}, {absent}={no!r})",
        f"P({absent}={no!r} | {cause}={on!r}, {effect}={yes!r})",
        f"P({present}={yes!r} | {cause}={off!r}, {effect}={no!r})",
    )
    made = []
    for (low, high), query in zip(ends, queries, strict=True):
        if low > high + _ROUNDING:
            raise DataError(
                f"{query} would be at least {low:.6g} and at most {high:.6g}: the "
                "distributions contradict each other, or what was claimed. Check "
                "exogenous and monotone."
            )
        district = () if low >= high else (effect,)
        made.append(
            Bounds(
                lower=float(low),
                upper=float(high),
                sharp=True,
                query=query,
                district=district,
            )
        )
    return CausationProbabilities(both=made[0], necessary=made[1], sufficient=made[2])


def _read(
    distributions: Any, cause: str, effect: str
) -> tuple[np.ndarray, np.ndarray | None, tuple[Any, Any]]:
    """Joint law with the cause first, presence by setting, and the states of both."""
    graph = CausalGraph(((cause, effect),), ((cause, effect),))
    tried = isinstance(distributions, CausalModel) or (
        isinstance(distributions, Mapping) and OBSERVED in distributions
    )
    sources: tuple[tuple[str, ...], ...] = ((), (cause,)) if tried else ((),)
    available = read_available(distributions, sources, graph)
    seen = Prob(frozenset((cause, effect)))
    done = Prob(frozenset((effect,)), frozenset(), (cause,))
    known = isinstance(available, CausalModel) or (cause,) in available
    # read together, so that both must have the same states in the same order
    tables = tables_for(Product((seen, done) if known else (seen,)), available)
    for name in (cause, effect):
        if len(tables.states[name]) != 2:
            raise QueryError(
                f"{name!r} has {len(tables.states[name])} states; the probabilities of "
                "causation are about two. Merge states, or use counterfactual_bounds."
            )
    joint = tables.arrays[seen.table]
    joint = joint if cause < effect else joint.T
    setting = tables.arrays[done.table][:, 1] if known else None
    return joint, setting, (tables.states[cause], tables.states[effect])


def _seen(joint: np.ndarray, setting: np.ndarray | None, cause: str) -> np.ndarray:
    """Presence of the effect by state of the cause, as seen; it agrees with setting."""
    mass = joint.sum(axis=1)
    if np.any(mass <= 0):
        raise ConditioningError(
            f"one state of {cause!r} never occurs, so seeing it says nothing about "
            "setting it. Give an experiment."
        )
    found = joint[:, 1] / mass
    if setting is not None and np.abs(found - setting).max() > _ROUNDING:
        raise DataError(
            f"exogenous was claimed, but setting and seeing {cause!r} differ by "
            f"{np.abs(found - setting).max():.3g}. Drop the claim; the experiment "
            "suffices."
        )
    return found


def _ends(
    joint: np.ndarray, setting: np.ndarray | None, monotone: bool
) -> tuple[tuple[float, float], ...]:
    """Bounds on being necessary and sufficient, necessary, and sufficient."""
    agree = joint[1, 1] + joint[0, 0]
    if setting is None:
        return (0.0, agree), (0.0, 1.0), (0.0, 1.0)
    without, with_ = setting
    rate = joint[:, 1].sum()
    necessary = (rate - without) / joint[1, 1]
    sufficient = (with_ - rate) / joint[0, 0]
    if monotone:
        points = (with_ - without, necessary, sufficient)
        return tuple((max(point, 0.0), min(point, 1.0)) for point in points)
    both = (
        max(0.0, with_ - without, rate - without, with_ - rate),
        min(with_, 1 - without, agree, with_ - without + 1 - agree),
    )
    return (
        both,
        (max(0.0, necessary), min(1.0, (1 - without - joint[0, 0]) / joint[1, 1])),
        (max(0.0, sufficient), min(1.0, (with_ - joint[1, 1]) / joint[0, 0])),
    )
