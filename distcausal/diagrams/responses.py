"""Laws over response functions, and the linear programme of one district.

All that unobserved causes of a district can do is to choose, jointly, a function for
each of its variables. With finitely many states there are finitely many joint choices;
their probabilities are the unknowns. What is observed about the district, and every
probability across worlds that involves its variables, is linear in them, so the least
and the largest value that the data allow solve linear programmes.

Source: Balke and Pearl (1997), *Bounds on treatment effects from studies with imperfect
compliance*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distcausal.diagrams.functional import response_functions
from distcausal.diagrams.graph import CausalGraph
from distcausal.errors import ComplexityError, ConditioningError, DataError, listing
from distcausal.numerics.tensor import contract

__all__ = ["LARGEST", "Programme", "Responses"]

# unknowns times equations: a minute of a linear programme, and 128 MB
LARGEST = 2**24
# what rounding of printed probabilities leaves between equations
_ROUNDING = 1e-6
# below what the solver tells from zero
_NOTHING = 1e-9
_NO_SOLUTION = (2, 4)  # codes of the solver: none, or none to working precision


class _Infeasible(ComplexityError):
    """Equations contradict one another, if only by rounding."""


@dataclass(frozen=True)
class Responses:
    """Functions that each variable of a district may follow.

    Attributes
    ----------
    names
        Variables of the district.
    functions
        For each, an array of shape ``(function, *parents)`` with places of its states.
    """

    names: tuple[str, ...]
    functions: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls,
        graph: CausalGraph,
        names: Sequence[str],
        sizes: Mapping[str, int],
        monotone: Iterable[tuple[str, str]],
    ) -> Responses:
        """List all functions, but those that fall where they should not."""
        rising = list(monotone)
        found = []
        for name in names:
            parents = graph.parents(name)
            values = response_functions([sizes[p] for p in parents], sizes[name])
            for cause, effect in rising:
                if effect == name:
                    steps = np.diff(values, axis=1 + parents.index(cause))
                    axes = tuple(range(1, values.ndim))
                    values = values[(steps >= 0).all(axis=axes)]
            found.append(values)
        return cls(tuple(names), tuple(found))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of functions of each variable."""
        return tuple(len(values) for values in self.functions)

    @property
    def size(self) -> float:
        """Number of joint choices of functions."""
        return float(np.prod([float(count) for count in self.shape]))

    def choices(self, name: str, states: int) -> np.ndarray:
        """Whether a function gives a state, shape ``(function, *parents, state)``."""
        values = self.functions[self.names.index(name)]
        return (values[..., None] == np.arange(states)).astype(float)

    def spread(
        self,
        arrays: Sequence[np.ndarray],
        labels: Sequence[tuple[int, ...]],
        output: tuple[int, ...],
    ) -> np.ndarray:
        """Multiply arrays over joint choices, shape ``(*output, choice)``.

        Label ``-1 - i`` is the function of variable ``i``; other labels outside
        ``output`` are summed.
        """
        own = tuple(-1 - place for place in range(len(self.names)))
        wanted = (*output, *own)
        present = {label for axes in labels for label in axes}
        extra = [at for at in own if at not in present]
        ones = [np.ones(self.shape[-1 - at]) for at in extra]
        found = contract([*arrays, *ones], [*labels, *((at,) for at in extra)], wanted)
        return found.reshape(*found.shape[: len(output)], -1)


@dataclass
class Programme:
    """Equations for the law over joint choices, and the programmes they bound.

    Attributes
    ----------
    responses
        The choices.
    largest
        Most entries the equations may have.
    rows, totals
        Left and right sides of the equations, collected by `add`.
    """

    responses: Responses
    largest: float
    rows: list[np.ndarray] = field(default_factory=list)
    totals: list[np.ndarray] = field(default_factory=list)

    def check_size(self, equations: int) -> None:
        """Raise `ComplexityError` before equations too large are written."""
        entries = self.responses.size * equations
        if entries > self.largest:
            counts = zip(self.responses.names, self.responses.shape, strict=True)
            shown = listing(f"{name}: {count}" for name, count in counts)
            raise ComplexityError(
                f"the bounds need {self.responses.size:.3g} unknowns, one per joint "
                f"choice of response functions ({shown}), and {equations} equations; "
                f"the limit is {self.largest:.3g} entries. Merge states, leave out "
                "causes, or raise largest."
            )

    def add(self, rows: np.ndarray, totals: np.ndarray) -> None:
        """Add equations."""
        self.rows.append(rows)
        self.totals.append(totals)

    def extremes(self, top: np.ndarray, bottom: np.ndarray) -> tuple[float, float]:
        """Least and largest ratio of two linear functions of the law.

        Raises
        ------
        DataError
            If no law satisfies the equations.
        ConditioningError
            If the divisor is zero for all that do.
        """
        try:
            return self._ends(top, bottom, 0.0)
        except _Infeasible:
            return self._ends(top, bottom, self._slack())

    def _ends(
        self, top: np.ndarray, bottom: np.ndarray, slack: float
    ) -> tuple[float, float]:
        """Least and largest ratio, given what the equations miss by."""
        if np.ptp(bottom) == 0 and bottom.flat[0] != 0:
            scaled = top / bottom.flat[0]
            low, high = (self._optimum(sign * scaled, slack) for sign in (1, -1))
            return low, -high
        if -self._optimum(-bottom, slack) <= _NOTHING:
            raise ConditioningError(
                "what is given has probability zero in every model that agrees with "
                "the data. Condition on an event that can occur."
            )
        low, high = (self._ratio(sign * top, bottom, slack) for sign in (1, -1))
        return low, -high

    def _sides(self, slack: float) -> tuple[Any, np.ndarray, Any, np.ndarray]:
        """Equations and inequalities, with what rounding may account for."""
        from scipy import sparse

        left = sparse.csr_array(np.concatenate(self.rows))
        right = np.concatenate(self.totals)
        whole = sparse.csr_array(np.ones((1, left.shape[1])))
        one = np.ones(1)
        if slack == 0:
            none = sparse.csr_array((0, left.shape[1]))
            return sparse.vstack([whole, left]), np.append(one, right), none, one[:0]
        above = sparse.vstack([left, -left])
        return whole, one, above, np.concatenate([right + slack, slack - right])

    def _optimum(self, target: np.ndarray, slack: float) -> float:
        """Least value of a linear function of the law."""
        return _solve(target, *self._sides(slack))

    def _ratio(self, top: np.ndarray, bottom: np.ndarray, slack: float) -> float:
        """Least ratio, by scaling the law so that the divisor is one.

        The last unknown is the scale (Charnes and Cooper 1962).
        """
        from scipy import sparse

        equal, total, above, most = self._sides(slack)
        equal = sparse.hstack([equal, sparse.csr_array(-total[:, None])])
        above = sparse.hstack([above, sparse.csr_array(-most[:, None])])
        divisor = sparse.csr_array(np.append(bottom, 0.0)[None])
        return _solve(
            np.append(top, 0.0),
            sparse.vstack([equal, divisor]),
            np.append(np.zeros(len(total)), 1.0),
            above,
            np.zeros(len(most)),
        )

    def _slack(self) -> float:
        """What equations that contradict one another miss by, if that is rounding.

        Raises
        ------
        DataError
            If it is more than rounding.
        """
        from scipy import sparse

        left = sparse.csr_array(np.concatenate(self.rows))
        right = np.concatenate(self.totals)
        nothing = np.zeros(left.shape[1])
        column = sparse.csr_array(-np.ones((left.shape[0], 1)))
        gap = _solve(
            np.append(nothing, 1.0),
            sparse.csr_array(np.append(nothing + 1, 0.0)[None]),
            np.ones(1),
            sparse.vstack(
                [sparse.hstack([left, column]), sparse.hstack([-left, column])]
            ),
            np.concatenate([right, -right]),
        )
        if gap > _ROUNDING:
            raise DataError(
                "the distributions contradict the graph: whatever the response of "
                f"{listing(self.responses.names, 12)}, some probability is missed by "
                f"{gap:.3g} or more. An arrow or a shared cause is missing, or what "
                "was assumed monotone is not."
            )
        return gap * 1.01 + 1e-12


def _solve(
    target: np.ndarray, equal: Any, total: np.ndarray, above: Any, most: np.ndarray
) -> float:
    """Least value of a linear function of numbers that are not negative."""
    from scipy.optimize import linprog

    found = linprog(
        target,
        A_ub=above if len(most) else None,
        b_ub=most if len(most) else None,
        A_eq=equal,
        b_eq=total,
        bounds=(0, None),
        method="highs",
    )
    if found.status != 0:
        kind = _Infeasible if found.status in _NO_SOLUTION else ComplexityError
        raise kind(
            f"the linear programme of {target.size} unknowns was not solved: "
            f"{found.message} Merge states, or leave out causes."
        )
    return float(found.fun)
