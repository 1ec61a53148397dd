"""What an engine is asked and what it answers, and where its search begins.

All engines meet the same function of one vector and give back draws of that vector, so
everything after them, from effects to maps, is written once. A mixture has several
modes; the first start is a reasoned one, the direction along which a ridge regression
finds the effect to vary, and the others go elsewhere to see whether it was the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np

from distcausal._base.keys import Seed, host_stream, stream
from distcausal._base.precision import double
from distcausal._base.progress import steps as announce
from distcausal.errors import DesignError, check_choice
from distcausal.images.model import Evidence, Lane, Layout, count, pack, places

__all__ = [
    "SVI",
    "Engine",
    "EngineFit",
    "Problem",
    "as_engine",
    "check_whole",
    "climb",
    "guide_draws",
    "starts",
]

_SPREAD = -3.0  # logarithm of the width with which every guide begins
_TAIL = 10  # the last tenth of the course is what restarts are compared by


_ENGINES = {
    "svi": ("distcausal.images.engines", "SVI"),
    "nuts": ("distcausal.images.nuts", "NUTS"),
    "em": ("distcausal.images.em", "EM"),
    "relaxed": ("distcausal.images.relaxed", "Relaxed"),
    "sgd": ("distcausal.images.engines", "SVI"),  # the encoder learns, then its head
}


class Problem(NamedTuple):
    """One fit: what the likelihood is made of and where to begin.

    Attributes
    ----------
    evidence, lane, layout
        See `distcausal.images.model`; the lane has no axis of lanes.
    starts
        Shape ``(restart, parameter)``.
    """

    evidence: Evidence
    lane: Lane
    layout: Layout
    starts: np.ndarray


class EngineFit(NamedTuple):
    """Posterior of the unconstrained parameters.

    Attributes
    ----------
    draws
        Shape ``(draw, parameter)``.
    bound
        What restarts are compared by, the best first, ``(restart,)``.
    course
        That quantity along the best search, ``(step,)``; empty where there is none.
    restarts
        Where each search ended, in the order of ``bound``, ``(restart, parameter)``.
    report
        Numbers by which the engine judges itself.
    """

    draws: np.ndarray
    bound: np.ndarray
    course: np.ndarray
    restarts: np.ndarray
    report: dict[str, float]


class Engine(Protocol):
    """What fits the model."""

    @property
    def name(self) -> str:
        """Word for it in tables."""

    @property
    def restarts(self) -> int:
        """Number of starts wanted."""

    def fit(
        self, problem: Problem, *, seed: Seed, progress: bool | None = None
    ) -> EngineFit:
        """Explore the posterior."""


@dataclass(frozen=True)
class SVI:
    """Variational inference with a normal guide, the default engine.

    Attributes
    ----------
    steps
        Steps of Adam.
    rate
        Largest step of a parameter at the beginning.
    restarts
        Searches run side by side; the one with the best bound is kept.
    rank
        Directions of posterior correlation; 0 takes parameters as independent.
    correction
        ``"linear"`` gives effects, baseline and noise the linear-response covariance
        of the guide, which is about as wide as the posterior itself; weights of the
        memberships keep the guide's. ``"none"`` leaves all to the guide, whose
        intervals of effects are too narrow.
    draws
        Draws of the parameters that are kept.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.SVI(rank=5).rank
    5
    """

    steps: int = 500
    rate: float = 0.05
    restarts: int = 8
    rank: int = 0
    correction: str = "linear"
    draws: int = 500

    name = "svi"

    def __post_init__(self) -> None:
        for field in ("steps", "restarts", "draws"):
            check_whole(field, getattr(self, field), 1)
        check_whole("rank", self.rank, 0)
        check_choice("correction", self.correction, ("linear", "none"))
        if not 0 < self.rate < 1:
            raise DesignError(f"rate {self.rate!r} should lie between 0 and 1.")

    def fit(
        self, problem: Problem, *, seed: Seed, progress: bool | None = None
    ) -> EngineFit:
        """Climb from every start at once; see `distcausal.images.svi`."""
        long = len(problem.evidence.outcome) * len(problem.starts) > 20_000
        with announce(progress, count=1, long=long) as begin:
            begin("fitting the model")
            found = climb(problem, self.rank, self.steps, self.rate, seed)
            draws = self._draws(problem, found, seed)
        return EngineFit(
            draws=draws,
            bound=found.bound,
            course=found.course,
            restarts=found.guide.loc,
            report={},
        )

    def _draws(self, problem: Problem, found: Climb, seed: Seed) -> np.ndarray:
        """Draws of the best guide as it is, or with the covariance it lacks.

        Weights of the memberships stay with the guide: the density is so far from
        quadratic in them that an average curvature says nothing of their width.
        """
        plain = guide_draws(found, self.draws, seed)
        if self.correction == "none":
            return plain
        import jax

        from distcausal.images.curvature import normal_draws, response_factor

        best = jax.tree.map(lambda part: part[0], found.guide)
        parts = problem.evidence, problem.lane, problem.layout
        factor = response_factor(best, *parts, seed)
        draws = normal_draws(best.loc, factor, self.draws, seed)
        where = places(problem.layout)
        for name in ("bias", "head", "head_scale"):
            draws[:, where[name]] = plain[:, where[name]]
        return draws


class Climb(NamedTuple):
    """Guides at the end of their searches, the best first.

    Attributes
    ----------
    guide
        With a leading axis of restarts.
    bound
        Shape ``(restart,)``.
    course
        Of the best, ``(step,)``.
    """

    guide: Any
    bound: np.ndarray
    course: np.ndarray


def climb(
    problem: Problem,
    rank: int,
    steps: int,
    rate: float,
    seed: Seed,
    objective: Any = None,
) -> Climb:
    """Search from every start, all in one compiled scan; by default of `log_joint`."""
    import jax

    from distcausal.images.svi import enumerated, fit_lanes

    lanes = len(problem.starts)
    each = jax.tree.map(lambda part: np.stack([part] * lanes), problem.lane)
    guide, course = double(fit_lanes)(
        guides(problem.starts, rank, seed),
        jax.random.split(stream(seed, "svi"), lanes),
        problem.evidence,
        each,
        layout=problem.layout,
        steps=steps,
        rate=rate,
        objective=enumerated if objective is None else objective,
    )
    along = np.asarray(course)
    bound = along[-max(len(along) // _TAIL, 1) :].mean(axis=0)
    order = np.argsort(-bound, kind="stable")
    guide = jax.tree.map(lambda part: part[order], guide)
    return Climb(guide, bound[order], along[:, order[0]])


def guide_draws(found: Climb, draws: int, seed: Seed) -> np.ndarray:
    """Draws ``(draw, parameter)`` of the best guide."""
    import jax

    from distcausal.images.svi import draw_lanes

    best = jax.tree.map(lambda part: part[:1], found.guide)
    key = stream(seed, "posterior")[None]
    return double(draw_lanes)(best, key, draws=draws)[0]


def guides(starts: np.ndarray, rank: int, seed: Seed) -> Any:
    """Narrow guides around the starts, shape ``(lane, parameter)``."""
    from distcausal.images.svi import Guide

    draw = host_stream(seed, "guide")
    factor = 0.01 * draw.standard_normal((*starts.shape, rank))
    return Guide(starts, np.full(starts.shape, _SPREAD), factor)


def as_engine(engine: Any) -> Engine:
    """Engine that a word stands for, or the engine itself."""
    if not isinstance(engine, str):
        if isinstance(engine, type):
            raise DesignError(
                f"engine is the class {engine.__name__}; write {engine.__name__}() "
                "with brackets."
            )
        if not (hasattr(engine, "fit") and hasattr(engine, "restarts")):
            raise DesignError(
                f"engine should be a word or an engine such as SVI(), not a "
                f"{type(engine).__name__}."
            )
        return engine
    check_choice("engine", engine, tuple(_ENGINES))
    module, name = _ENGINES[engine]
    return getattr(import_module(module), name)()


def starts(
    direction: np.ndarray, lane: Lane, layout: Layout, restarts: int, seed: Seed
) -> np.ndarray:
    """Where the searches of one lane begin, ``(restart, parameter)``.

    Parameters
    ----------
    direction
        Weights of the features along which effects seem to grow, giving scores of
        variance one, ``(feature,)``; only the first start uses them.
    lane, layout
        What is to be fitted.
    restarts
        Number of starts.
    seed
        Whole number or JAX key.
    """
    draw = host_stream(seed, "starts")
    size = np.linalg.norm(direction)
    ways = [direction]
    for _ in range(restarts - 1):
        turn = draw.standard_normal(direction.shape)
        ways.append(turn / np.linalg.norm(turn) * (size if size > 0 else 1.0))
    found = np.stack([_start(way, lane, layout) for way in ways])
    jitter = 0.1 * draw.standard_normal((restarts, count(layout)))
    jitter[0] = 0.0
    return found + jitter


def _start(direction: np.ndarray, lane: Lane, layout: Layout) -> np.ndarray:
    """One start: clusters are overlapping stretches of a score, effects grow along it.

    Densities of equal width at places q_k have log ratios linear in the score.
    """
    clusters = int(lane.active.sum())
    place = np.zeros(layout.clusters)
    if clusters > 1:
        place[:clusters] = np.linspace(-1.0, 1.0, clusters)
    rows = np.sum(lane.contrast**2, axis=1)
    back = lane.contrast.T / np.where(rows > 0, rows, 1.0)
    logits = 2.0 * direction[:, None] * place[None, :]
    return pack(
        {
            "head": logits @ back,
            "bias": (-(place**2) * lane.active) @ back,
            "level": lane.prior_level,
            "centre": lane.prior_effect[0],
            "gaps": np.log(1.0 / max(clusters, 2)),
            "shape": lane.prior_effect[None, 1:],
            "base_scale": -3.0,
        },
        layout,
    )


def check_whole(name: str, value: object, least: int) -> None:
    """Raise `DesignError` unless a setting is a whole number that is large enough."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise DesignError(f"{name} {value!r} should be a whole number from {least}.")
