"""What a simulator returns: data in two forms, the roles of the columns, the truth.

A simulation is kept as flat arrays, observations cut into units by offsets; the frame
and the random distributions are made from them when first asked for, so a program that
wants one does not pay for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from distcausal.data.distributions import RandomDistributions

__all__ = ["Simulation", "generator"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation:
    """Simulated units, each with a distribution, and the true effect on them.

    Attributes
    ----------
    ids
        Name of each unit, shape ``(unit,)``.
    offsets
        Where each unit's observations begin and end, shape ``(unit + 1,)``.
    observations
        Columns with one entry per observation, the values among them.
    columns
        Columns with one entry per unit.
    unit, value, weight, running, treatment, cluster
        Names of the columns that play these parts; None where nothing does.
    cutoff
        Value of the running variable at which treatment changes.
    quantile_rule
        Rule that turns a unit's observations into quantiles, see
        `RandomDistributions.from_frame`.
    effect
        Function of an array of levels behind `truth`.

    Examples
    --------
    >>> import distcausal as dc
    >>> sim = dc.datasets.make_r3d(n=200, draws=20, delta=1.5, seed=1)
    >>> sim.frame.columns.tolist()
    ['unit', 'x', 'y']
    >>> len(sim.data)
    200
    >>> sim.truth([0.1, 0.5, 0.9]).tolist()
    [1.5, 1.5, 1.5]
    >>> fit = dc.r3d(sim.data, **sim.roles, levels=[0.25, 0.5, 0.75])
    """

    ids: np.ndarray
    offsets: np.ndarray
    observations: Mapping[str, np.ndarray]
    columns: Mapping[str, np.ndarray]
    unit: str
    value: str
    running: str
    effect: Callable[[np.ndarray], np.ndarray]
    weight: str | None = None
    treatment: str | None = None
    cluster: str | None = None
    cutoff: float = 0.0
    quantile_rule: str = "linear"

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Long pandas frame, one row per observation, unit columns repeated."""
        import pandas as pd

        sizes = np.diff(self.offsets)
        per_unit = {self.unit: self.ids, **self.columns}
        repeated = {name: np.repeat(part, sizes) for name, part in per_unit.items()}
        return pd.DataFrame({**repeated, **self.observations})

    @cached_property
    def data(self) -> RandomDistributions:
        """The same units as `RandomDistributions`, with every unit column."""
        from distcausal.data.distributions import RandomDistributions

        cuts = self.offsets[1:-1]
        weights = None
        if self.weight is not None:
            weights = np.split(self.observations[self.weight], cuts)
        return RandomDistributions.from_samples(
            np.split(self.observations[self.value], cuts),
            weights=weights,
            ids=self.ids,
            columns=dict(self.columns),
            quantile_rule=self.quantile_rule,
        )

    @property
    def roles(self) -> dict[str, Any]:
        """Arguments of `r3d` that say which column plays which part."""
        named = {
            "running": self.running,
            "cutoff": self.cutoff,
            "treatment": self.treatment,
            "cluster": self.cluster,
        }
        return {role: part for role, part in named.items() if part is not None}

    def truth(self, levels: object) -> np.ndarray:
        """Return the true effect at the cutoff at each of ``levels``.

        Parameters
        ----------
        levels
            Quantile levels in (0, 1), shape ``(level,)``.

        Returns
        -------
        numpy.ndarray
            Effect on the average quantile function, in the units of the outcome, shape
            ``(level,)``. The simulator's page says how exact it is.
        """
        return self.effect(np.atleast_1d(np.asarray(levels, dtype=np.float64)))


def generator(seed: Any, stage: str) -> np.random.Generator:
    """NumPy generator of a named simulator, from an integer or a JAX key.

    Two simulators given the same seed share no draws.
    """
    name = crc32(stage.encode())
    if isinstance(seed, int | np.integer):
        return np.random.default_rng([name, int(seed)])
    import jax

    words = np.asarray(jax.random.key_data(seed)).ravel()
    return np.random.default_rng([name, *map(int, words)])
