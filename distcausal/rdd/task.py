"""Reading a call of `r3d`: from arguments to checked arrays and a recipe.

Both public functions read the same arguments, so they share this reading. The outcome
is kept as a matrix of unit quantiles; the data object is only asked again where the
profile of R3D 0.1.0 wants quantiles without weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from distcausal._base.keys import seed_record
from distcausal._base.precision import frozen
from distcausal.errors import DesignError, check_choice
from distcausal.numerics.bandwidth import Selector
from distcausal.numerics.kernel import KERNELS
from distcausal.numerics.monotone import cell_widths
from distcausal.rdd.bandwidth import Rules
from distcausal.rdd.bootstrap import MultiplierBootstrap
from distcausal.rdd.check import (
    METHODS,
    Design,
    check_curves,
    check_data,
    check_orders,
    numbers,
    read_design,
    read_levels,
    read_support,
)
from distcausal.rdd.estimate import Recipe
from distcausal.rdd.profile import PROFILE
from distcausal.rdd.sample import Sample

if TYPE_CHECKING:
    from distcausal._base.keys import Seed
    from distcausal.data.distributions import RandomDistributions

__all__ = [
    "Role",
    "Roles",
    "Task",
    "inference_settings",
    "read_expert",
    "read_inference",
    "read_task",
]

Role = str | np.ndarray | Sequence[Any]
SINGLE_LEVEL_PENALTY = 3.0
DISTINCT = 10


class Roles(NamedTuple):
    """Which column plays which role, as the caller said it."""

    running: Role
    treatment: Role | None
    cluster: Role | None
    weights: Role | None
    continuous_treatment: bool


@dataclass(frozen=True)
class Task:
    """A call, read and checked.

    Attributes
    ----------
    data
        Where the quantiles came from.
    design
        Columns that play a role.
    recipe
        How to estimate.
    outcome, treatment
        Units with their quantiles, and with their treatment if fuzzy.
    settings
        Every argument as used, to be kept with the result.
    """

    data: RandomDistributions
    design: Design
    recipe: Recipe
    outcome: Sample
    treatment: Sample | None
    settings: dict[str, Any]

    @property
    def is_long(self) -> bool:
        """Whether to expect more than two seconds: 300,000 units with 99 levels."""
        return self.outcome.curves.size > 3e7

    def unweighted_curves(self) -> np.ndarray:
        """Unit quantiles without weights inside units, shape ``(unit, level)``."""
        return self.data.without_weights().quantiles(self.recipe.levels)


def read_task(
    data: RandomDistributions,
    roles: Roles,
    *,
    cutoff: float,
    levels: object,
    method: str,
    orders: tuple[int, int],
    kernel: str,
    selector: str,
    profile: str | None,
    support: tuple[float, float] | None = None,
) -> Task:
    """Check all arguments, resolve the roles, compute the quantiles."""
    check_data(data)
    check_choice("method", method, METHODS)
    check_choice("kernel", kernel, tuple(KERNELS))
    check_choice("profile", profile, (None, PROFILE))
    check_orders(*orders, published=profile is not None)
    grid = frozen(read_levels(levels))
    if profile is not None and roles.weights is not None:
        raise DesignError(
            f"profile {profile!r} knows no unit weights. Leave weights out, or the "
            "profile."
        )
    design = read_design(data, roles, cutoff)
    recipe = _recipe(grid, method, orders, kernel, selector, profile)
    curves = data.quantiles(grid)
    lowest, highest = check_curves(curves)
    recipe = replace(recipe, support=read_support(support, lowest, highest))
    outcome = Sample(design.x, design.weight, curves)
    share = design.treatment
    settings = {
        **{name: _name(getattr(roles, name)) for name in roles._fields},
        "cutoff": float(cutoff),
        "levels": grid,
        "method": method,
        "order": int(orders[0]),
        "pilot_order": int(orders[1]),
        "kernel": kernel,
        "selector": selector,
        "profile": profile,
        "support": recipe.support,
        "quantile_rule": data.quantile_rule,
        "missing": str(data.missing),
    }
    return Task(
        data,
        design,
        recipe,
        outcome,
        None if share is None else outcome.with_curves(share[:, None]),
        settings,
    )


def _recipe(
    grid: np.ndarray,
    method: str,
    orders: tuple[int, int],
    kernel: str,
    selector: str,
    profile: str | None,
) -> Recipe:
    rule = Selector.parse(selector)
    published = profile is not None
    if published:
        # That package decides by the method and knows one rule.
        if rule.rule != "rd":
            raise DesignError(
                f"profile {profile!r} knows the selectors 'imse' and 'cer-imse' only; "
                f"got {selector!r}."
            )
        rule = replace(rule, integrated=method == "frechet")
    elif method == "frechet" and not rule.integrated:
        raise DesignError(
            f"selector {selector!r} gives one bandwidth per level, but method "
            "'frechet' uses one window for all: take "
            f"{selector.replace('mse', 'imse')!r}, or method='pointwise'."
        )
    widths = np.ones(grid.size) if published else cell_widths(grid)
    rules = Rules(
        kernel=KERNELS[kernel],
        order=int(orders[0]),
        pilot_order=int(orders[1]),
        selector=rule,
        widths=widths,
        regularisation=0.0 if rule.integrated else SINGLE_LEVEL_PENALTY,
        treatment_regularisation=SINGLE_LEVEL_PENALTY,
        density="normal",
        distinct=max(DISTINCT, int(orders[0]) + 2),
    )
    return Recipe(rules, method, grid, widths, published)


def read_expert(
    task: Task,
    level_weights: object,
    regularisation: float | None,
    density: str,
    distinct: int,
) -> Task:
    """Task with the bandwidth rules that only an expert changes."""
    check_choice("density", density, ("normal", "kernel"))
    rules = task.recipe.rules
    untouched = level_weights is None and regularisation is None
    if task.recipe.published and not (
        untouched and density == "normal" and distinct == DISTINCT
    ):
        raise DesignError(
            f"profile {PROFILE!r} has its own bandwidth rule, without level_weights, "
            "regularisation, density or distinct. Leave them out, or the profile."
        )
    if level_weights is not None:
        widths = numbers("level_weights", level_weights)
        if widths.shape != rules.widths.shape or not (
            np.isfinite(widths).all() and (widths >= 0).all() and widths.any()
        ):
            raise DesignError(
                f"level_weights should be {rules.widths.size} numbers, zero or more "
                "and not all zero, one per level."
            )
        rules = replace(rules, widths=widths)
    if regularisation is not None:
        if not (
            isinstance(regularisation, int | float) and 0 <= regularisation < np.inf
        ):
            raise DesignError(
                f"regularisation {regularisation!r} should be a number, zero or more."
            )
        penalty = float(regularisation)
        rules = replace(rules, regularisation=penalty, treatment_regularisation=penalty)
    if not (isinstance(distinct, int | np.integer) and distinct >= 1):
        raise DesignError(f"distinct {distinct!r} should be a positive whole number.")
    rules = replace(rules, density=density, distinct=max(distinct, rules.order + 2))
    settings = task.settings | {
        "level_weights": rules.widths,
        "regularisation": rules.regularisation,
        "density": density,
        "distinct": rules.distinct,
    }
    return replace(task, recipe=replace(task.recipe, rules=rules), settings=settings)


def read_inference(
    inference: MultiplierBootstrap | None, task: Task
) -> MultiplierBootstrap:
    """Settings of the bootstrap, made to fit the design and the profile.

    Raises
    ------
    DesignError
        If they are of another kind, or given multipliers have the wrong length.
    """
    settings = MultiplierBootstrap() if inference is None else inference
    if not isinstance(settings, MultiplierBootstrap):
        raise DesignError(
            "inference should be a MultiplierBootstrap; got "
            f"{type(inference).__name__}."
        )
    if settings.multipliers is not None:
        clusters = task.design.n_clusters
        rows = len(task.outcome) if clusters is None else clusters
        if len(settings.multipliers) != rows:
            raise DesignError(
                f"multipliers have {len(settings.multipliers)} rows, but there are "
                f"{rows} {'units' if clusters is None else 'clusters'}."
            )
    if task.recipe.published:
        return replace(settings, studentise=False, leverage="hc0", influence="finite")
    return settings


def inference_settings(asked: MultiplierBootstrap, seed: Seed) -> dict[str, Any]:
    """What the result keeps about draws, seed and versions."""
    from distcausal._base.session import versions

    return {
        "draws": int(asked.draws),
        "multiplier": asked.multiplier if asked.multipliers is None else "given",
        "studentise": asked.studentise,
        "leverage": asked.leverage,
        "influence": asked.influence,
        "seed": seed_record(seed),
        "versions": versions(),
    }


def _name(role: object) -> object:
    """How a role is remembered: its column's name, or that it was an array."""
    if role is None or isinstance(role, str | bool):
        return role
    return "array"
