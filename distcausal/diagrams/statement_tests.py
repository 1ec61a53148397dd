"""Test of one statement that a graph makes, chosen by what its data allow.

An independence is a comparison of counts, a constraint after an intervention one of
formulas. Where counts are small, or observations have weights or come in clusters, the
usual limiting laws reject true statements, so each such case has a test of its own, and
the outcome says which was taken.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal.diagrams.constraints import Independence, Invariance
from distcausal.diagrams.dependence import corrected_test
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.independence import g_test, shuffled_p_value
from distcausal.diagrams.invariance import Unmeasured, differences, hotelling, wald
from distcausal.diagrams.observations import Sample
from distcausal.errors import ComplexityError, PositivityError

__all__ = ["StatementData", "Tested", "run_test"]

_SHUFFLES = 9999  # most, where none are asked for and counts are small
_SHUFFLED = 3 * 10**7  # labels moved in all of them, some seconds
_LEAST = 199
_ENOUGH = 20  # shuffles that reach the statistic, after which the answer is clear


@dataclass(frozen=True, eq=False)
class StatementData:
    """Cells of the data, and whether each observation counts the same."""

    sample: Sample
    states: dict[str, tuple[Hashable, ...]]
    graph: CausalGraph
    plain: bool

    @property
    def effective(self) -> float:
        """Units of equal weight, or clusters, that the data are worth."""
        if self.sample.clusters is not None:
            return float(self.sample.clusters)
        weight = self.sample.units.sum(axis=1)
        times = self.sample.times
        return float((times @ weight) ** 2 / (times @ weight**2))

    def codes(self, name: str) -> np.ndarray:
        """State of a variable in each cell."""
        return self.sample.codes[:, self.sample.names.index(name)]

    def stratum(self, names: tuple[str, ...]) -> np.ndarray:
        """Number of the joint state of some variables in each cell."""
        found = np.zeros(len(self.sample.mass), dtype=np.int64)
        for name in names:
            key = found * len(self.states[name]) + self.codes(name)
            found = np.unique(key, return_inverse=True)[1]
        return found


class Tested(NamedTuple):
    """Outcome of one test; ``reason`` says why there was none."""

    statistic: float
    df: int
    p_value: float
    method: str = ""
    reason: str = ""
    small: bool = False


def run_test(
    statement: Independence | Invariance,
    data: StatementData,
    draws: int | None,
    seed: Seed,
) -> Tested:
    """Test of one statement, or why there is none."""
    if isinstance(statement, Invariance):
        return _compared(statement, data)
    if data.plain:
        return _counted(statement, data, draws, seed)
    return _corrected(statement, data)


def _counted(
    statement: Independence, data: StatementData, draws: int | None, seed: Seed
) -> Tested:
    """Likelihood ratio, its p-value from the limiting law or from shuffles."""
    parts = _parts(statement, data)
    found = g_test(*parts, data.sample.count)
    if not found.df:
        return _untested(_too_few(statement, data))
    if draws == 0 or (draws is None and not found.small):
        method = "likelihood ratio"
        return Tested(
            found.statistic, found.df, found.p_value, method, small=found.small
        )
    times = data.sample.count.astype(int)
    most = draws or int(np.clip(_SHUFFLED // times.sum(), _LEAST, _SHUFFLES))
    one, other, stratum = (np.repeat(part, times) for part in parts)
    made = shuffled_p_value(
        one,
        other,
        stratum,
        draws=most,
        rng=host_stream(seed, statement.label),
        enough=None if draws else _ENOUGH,
    )
    method = f"{made.draws} shuffles"
    return Tested(found.statistic, found.df, made.p_value, method)


def _corrected(statement: Independence, data: StatementData) -> Tested:
    """Pearson's statistic, corrected for weights or clusters."""
    sample = data.sample
    parts = _parts(statement, data)
    try:
        found = corrected_test(*parts, sample.units, sample.times, data.effective)
    except ComplexityError as fault:
        return _untested(_sentence(fault))
    if not found.df:
        return _untested(_too_few(statement, data))
    return Tested(found.statistic, found.df, found.p_value, "Rao-Scott")


def _parts(
    statement: Independence, data: StatementData
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    one, other = data.codes(statement.one), data.codes(statement.other)
    return one, other, data.stratum(statement.given)


def _too_few(statement: Independence, data: StatementData) -> str:
    """Why strata have no table to compare."""
    for name in (statement.one, statement.other):
        if len(np.unique(data.codes(name))) < 2:
            return f"{name} has the same state in all observations."
    return (
        f"Nowhere among observations with the same {', '.join(statement.given)} do "
        f"both {statement.one} and {statement.other} vary."
    )


def _compared(statement: Invariance, data: StatementData) -> Tested:
    """Wald's test of an invariance."""
    others = (*statement.target, *statement.fixed)
    try:
        gaps = differences(
            statement.formula,
            data.graph,
            others,
            statement.spare,
            data.sample,
            data.states,
        )
        statistic, df = wald(*gaps)
    except (PositivityError, ComplexityError) as fault:
        return _untested(_sentence(fault))
    except Unmeasured as fault:
        clusters = data.sample.clusters
        if clusters is not None and fault.rank >= clusters - 1:
            return _untested(
                f"{clusters} clusters are too few: they measure the errors of "
                f"{fault.rank} differences, and there are more."
            )
        return _untested(
            "Some differences have no sampling error: shares are 0 or 1 there."
        )
    if not df:
        return _untested("Nothing in the formula varies in the data.")
    if data.effective <= df:
        called = "clusters" if data.sample.clusters is not None else "observations"
        return _untested(
            f"The data are worth {data.effective:.0f} {called}, too few for {df} "
            "differences."
        )
    return Tested(statistic, df, hotelling(statistic, df, data.effective), "Wald")


def _untested(reason: str) -> Tested:
    return Tested(nan, 0, nan, reason=reason)


def _sentence(fault: Exception) -> str:
    """Fact of a message, without its remedy and with a capital."""
    text = str(fault).partition(" Merge states")[0].partition(" Cut numeric")[0]
    text = text.partition(" Ask about fewer")[0]
    return text[:1].upper() + text[1:]
