"""Expectation and maximisation: the mode of the model in a few milliseconds, on NumPy.

Given how likely each image is to be of each cluster, baseline, effects and noise have
closed forms, and the weights of the memberships need a Newton step of a multinomial
regression; given those, the likelihoods of the clusters follow. The two spreads of
weights are set by evidence: as large as the weights and their uncertainty ask for.
Alternating shrinks the error at a steady rate, so that leaps ahead save most turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distcausal._base.keys import Seed
from distcausal._base.progress import steps as announce
from distcausal.errors import DesignError
from distcausal.images.em_steps import Rows, State, closed, expect, maximise, opened
from distcausal.images.engines import EngineFit, Problem, check_whole
from distcausal.images.model import places

__all__ = ["EM", "rows_of"]

_STOP = 1e-2  # change of a parameter that ends the iteration; their spread is 0.05 up
_WIDEST = 3.0  # no prior of the model is wider
_WIDEST_GAP = 1.1  # of the logarithm of a half-normal number, which priors of gaps are


@dataclass(frozen=True)
class EM:
    """Expectation and maximisation, for one outcome with normal noise.

    For a first look: it takes milliseconds, but a mode ignores that memberships are
    uncertain, and makes up for it by effects too far apart, by a fifth of the gap where
    clusters are plain to see and by most of it where they are not. Draws are normal
    around the mode, with the curvature there.

    Attributes
    ----------
    steps
        Iterations at most.
    restarts
        Starts, of which the one of most evidence is kept.
    draws
        Draws of the parameters that are kept.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.EM(restarts=2).restarts
    2

    References
    ----------
    Dempster, Laird and Rubin (1977), *Journal of the Royal Statistical Society B* 39;
    MacKay (1992), *Neural Computation* 4, for the spreads.
    """

    steps: int = 200
    restarts: int = 8
    draws: int = 500

    name = "em"

    def __post_init__(self) -> None:
        """Refuse settings that are no counts."""
        for field in ("steps", "restarts", "draws"):
            check_whole(field, getattr(self, field), 1)

    def fit(
        self, problem: Problem, *, seed: Seed, progress: bool | None = None
    ) -> EngineFit:
        """Climb from one start after the other.

        Raises
        ------
        DesignError
            If the model has another likelihood, random intercepts, several outcomes, a
            known part of the noise or a pull to an average effect.
        """
        _check(problem)
        rows = rows_of(problem)
        long = len(rows.outcome) * len(problem.starts) > 100_000
        with announce(progress, count=1, long=long) as begin:
            begin("maximising")
            found = [self._climb(rows, start) for start in problem.starts]
            order = np.argsort([-one.course[-1] for one in found], kind="stable")
            ends = np.stack([found[place].vector for place in order])
            draws = self._draws(problem, ends[0], seed)
        return EngineFit(
            draws=draws,
            bound=np.array([found[place].course[-1] for place in order]),
            course=found[order[0]].course,
            restarts=ends,
            report={"iterations": float(len(found[order[0]].course))},
        )

    def _climb(self, rows: Rows, start: np.ndarray) -> Found:
        """Alternate from one start, leaping ahead, until memberships stay."""
        now = _turn(rows, opened(rows, start))
        course = [now.bound]
        while len(course) < self.steps and now.change > _STOP:
            one = _turn(rows, now.state)
            two = _turn(rows, one.state)
            leap = _leap(*(closed(rows, turn.state) for turn in (now, one, two)))
            far = _turn(rows, opened(rows, leap))
            now = far if far.bound > two.bound else two
            course.append(now.bound)
        return Found(closed(rows, now.state), np.array(course))

    def _draws(self, problem: Problem, mode: np.ndarray, seed: Seed) -> np.ndarray:
        """Draws around the mode by the curvature there."""
        from distcausal._base.precision import double
        from distcausal.images.curvature import curvature, normal_draws, root_inverse

        evidence, lane, layout = problem.evidence, problem.lane, problem.layout
        bend = double(curvature)(mode[None], evidence, lane, layout=layout)
        width = 1 / np.sqrt(np.maximum(np.diag(bend), 1 / _WIDEST**2))
        factor = root_inverse(bend, width)
        # Where effects of a mode coincide the logarithm of their gap is free to fall,
        # and a normal law around it would have it rise as far.
        gaps = factor[places(layout)["gaps"]]
        size = np.sqrt(np.sum(gaps**2, axis=1, keepdims=True))
        factor[places(layout)["gaps"]] = gaps / np.maximum(size / _WIDEST_GAP, 1.0)
        return normal_draws(mode, factor, self.draws, seed)


class Found(NamedTuple):
    """End and course of one climb."""

    vector: np.ndarray
    course: np.ndarray


class Turn(NamedTuple):
    """One expectation and maximisation.

    Attributes
    ----------
    state
        Parameters after it.
    bound
        Log likelihood before it, and the prior's part of the evidence.
    change
        Largest change of an unconstrained parameter.
    """

    state: State
    bound: float
    change: float


def _check(problem: Problem) -> None:
    """Refuse what has no closed form here."""
    layout, lane = problem.layout, problem.lane
    reasons = {
        f"the family {layout.family.name!r}": layout.family.name != "normal",
        "random intercepts of images": layout.intercepts,
        "an outcome that is a distribution": layout.outcomes > 1,
        "a known part of the noise": bool(np.any(problem.evidence.known_variance)),
        "a pull of effects to their average": float(lane.ate[2]) != 0,
    }
    named = [reason for reason, holds in reasons.items() if holds]
    if named:
        raise DesignError(
            f"engine 'em' has no closed forms for {' or '.join(named)}. Use engine "
            "'svi'."
        )


def rows_of(problem: Problem) -> Rows:
    """Drop padding, and clusters that are switched off."""
    evidence, lane, layout = problem.evidence, problem.lane, problem.layout
    kept = np.flatnonzero(lane.weights)
    used, image = np.unique(np.asarray(evidence.image)[kept], return_inverse=True)
    features = np.asarray(evidence.features)[used]
    clusters = int(np.sum(lane.active))
    one = np.ones((len(used), 1))
    covariates = np.asarray(evidence.covariates)[kept]
    columns = {"common": [[0], [0]], "arm": [[0], [1]]}
    every = np.arange(2 * layout.clusters).reshape(2, -1)[:, :clusters]
    cell = np.array(columns.get(layout.variance, every))
    values = (evidence.outcome[kept, 0] - lane.centre[0]) / lane.scale[0]
    return Rows(
        outcome=values,
        treatment=np.asarray(evidence.treatment)[kept],
        weights=np.asarray(lane.weights)[kept],
        image=image,
        design=np.hstack([one[image], features[image], covariates]),
        features=np.hstack([one, features]),
        contrast=np.asarray(lane.contrast)[: clusters - 1, :clusters],
        cell=np.broadcast_to(cell, (2, clusters)),
        level=float(lane.prior_level[0]),
        effect=float(lane.prior_effect[0]),
        layout=layout,
    )


def _turn(rows: Rows, state: State) -> Turn:
    """Maximise given the memberships that the parameters imply."""
    share, likelihood = expect(rows, state)
    moved, evidence = maximise(rows, state, share)
    step = np.abs(closed(rows, moved) - closed(rows, state)).max()
    return Turn(moved, likelihood + evidence, float(step))


def _leap(start: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Where steps that shrink at a steady rate would end.

    Varadhan and Roland (2008), *Scandinavian Journal of Statistics* 35.
    """
    first, bend = one - start, two - 2 * one + start
    size = float(np.linalg.norm(bend))
    # One is no leap; the far end of a long one is checked by the caller.
    length = max(float(np.linalg.norm(first)) / size, 1.0) if size > 0 else 1.0
    return start + 2 * length * first + length**2 * bend
