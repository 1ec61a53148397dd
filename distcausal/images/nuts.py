"""Hamiltonian Monte Carlo for the model's posterior, exact but slow.

A guide that takes parameters as independent makes the intervals of effects too narrow,
as effects, baseline and memberships explain the same outcomes. Where published
intervals rest on the model, its posterior should be sampled. The cluster is summed out,
so that the sampler meets a smooth density; it moves in coordinates in which the
posterior is about round, as its curvature around a variational fit tells, so that
trajectories are short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from distcausal._base.keys import Seed, host_stream, stream
from distcausal._base.precision import double
from distcausal._base.progress import steps as announce
from distcausal._base.typing import Array
from distcausal.errors import DesignError
from distcausal.images.engines import Climb, EngineFit, Problem, check_whole, climb
from distcausal.images.model import Evidence, Lane, Layout, log_joint, unpack

__all__ = ["NUTS"]

_MOST_FEATURES = 100
_LEAST_DRAWS = 4  # two in either half of a chain, for a variance within
_STEPS, _RATE = 500, 0.05  # of the search for where chains begin


@dataclass(frozen=True)
class NUTS:
    """No-U-turn sampler, through numpyro.

    Attributes
    ----------
    warmup
        Steps of each chain in which the sampler adapts, and that are thrown away.
    draws
        Draws kept of each chain, at least four.
    chains
        Chains, run side by side in one compiled loop.
    restarts
        Variational searches before; chains begin around the best.
    depth
        A trajectory takes at most two to this power steps.
    accept
        Share of proposals that adaptation aims to accept.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.NUTS(chains=2).draws
    500

    References
    ----------
    Hoffman and Gelman (2014), *Journal of Machine Learning Research* 15.
    """

    warmup: int = 300
    draws: int = 500
    chains: int = 2
    restarts: int = 4
    depth: int = 8
    accept: float = 0.9

    name = "nuts"

    def __post_init__(self) -> None:
        """Refuse settings that cannot be sampled with."""
        for field in ("warmup", "chains", "restarts", "depth"):
            check_whole(field, getattr(self, field), 1)
        check_whole("draws", self.draws, _LEAST_DRAWS)
        if not 0 < self.accept < 1:
            raise DesignError(f"accept {self.accept!r} should lie between 0 and 1.")

    def fit(
        self, problem: Problem, *, seed: Seed, progress: bool | None = None
    ) -> EngineFit:
        """Find the best mode by variational search and sample from there.

        Raises
        ------
        DesignError
            If there are too many features to sample their weights.
        """
        size = problem.layout.features
        if size > _MOST_FEATURES:
            raise DesignError(
                f"engine 'nuts' samples the weights of at most {_MOST_FEATURES} "
                f"features, but there are {size}. Use an encoder of smaller size, or "
                "engine 'svi'."
            )
        with announce(progress, count=2, long=True) as begin:
            begin("finding the mode")
            found = climb(problem, 0, _STEPS, _RATE, seed)
            begin("sampling")
            drawn = self._sample(problem, found, seed)
        return EngineFit(
            draws=drawn.draws.reshape(-1, drawn.draws.shape[-1]),
            bound=found.bound,
            course=found.course,
            restarts=found.guide.loc,
            report=_report(drawn),
        )

    def _sample(self, problem: Problem, found: Climb, seed: Seed) -> Chains:
        """Run the chains from draws of the best guide."""
        import jax

        from distcausal.images.curvature import response_factor

        best = jax.tree.map(lambda part: part[0], found.guide)
        evidence, lane, layout = problem.evidence, problem.lane, problem.layout
        factor = response_factor(best, evidence, lane, layout, seed)
        keys = jax.random.split(stream(seed, "chains"), self.chains)
        begin = host_stream(seed, "chains").standard_normal((self.chains, len(factor)))
        return double(_chains())(
            begin,
            keys,
            evidence,
            lane,
            best.loc,
            factor,
            layout=layout,
            warmup=self.warmup,
            draws=self.draws,
            depth=self.depth,
            accept=self.accept,
        )


class Chains(NamedTuple):
    """What chains have passed through after warming up.

    Attributes
    ----------
    draws
        Shape ``(chain, draw, parameter)``.
    diverging
        Where the trajectory left the typical set, ``(chain, draw)``.
    steps
        Number of gradients of each trajectory, ``(chain, draw)``.
    """

    draws: np.ndarray
    diverging: np.ndarray
    steps: np.ndarray


@cache
def _chains() -> Callable[..., Chains]:
    """The sampler as one compiled function, made when it is first needed."""
    import jax
    from numpyro.infer.hmc import hmc

    def run(
        begin: Array,
        keys: Array,
        evidence: Evidence,
        lane: Lane,
        centre: Array,
        factor: Array,
        *,
        layout: Layout,
        warmup: int,
        draws: int,
        depth: int,
        accept: float,
    ) -> Chains:
        def energy(place: Array) -> Array:
            params = unpack(centre + factor @ place, layout)
            return -log_joint(params, evidence, lane, layout)

        def chain(place: Array, key: Array) -> Chains:
            prepare, move = hmc(energy, algo="NUTS")
            state = prepare(
                place,
                num_warmup=warmup,
                step_size=0.5,
                target_accept_prob=accept,
                max_tree_depth=depth,
                rng_key=key,
            )
            state = jax.lax.fori_loop(0, warmup, lambda _, own: move(own), state)

            def step(own: Any, _: None) -> tuple[Any, Chains]:
                own = move(own)
                vector = centre + factor @ own.z
                return own, Chains(vector, own.diverging, own.num_steps)

            return jax.lax.scan(step, state, None, length=draws)[1]

        return jax.vmap(chain)(begin, keys)

    return jax.jit(
        run, static_argnames=("layout", "warmup", "draws", "depth", "accept")
    )


def _report(drawn: Chains) -> dict[str, float]:
    """The worst parameter's convergence, and how the sampler moved."""
    r_hat, ess = convergence(drawn.draws)
    return {
        "r_hat": float(r_hat.max()),
        "ess": float(ess.min()),
        "divergences": float(drawn.diverging.sum()),
        "steps": float(drawn.steps.mean()),
    }


def convergence(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split R-hat and effective sample size of every parameter.

    Parameters
    ----------
    draws
        Shape ``(chain, draw, parameter)``, at least four draws.

    Returns
    -------
    Each ``(parameter,)``. A parameter that does not move at all has R-hat 1, one that
    is stuck at several places has an infinite one.

    References
    ----------
    Gelman et al. (2013), *Bayesian Data Analysis*, sections 11.4 and 11.5; Geyer
    (1992), *Statistical Science* 7, for where the sum of autocorrelations ends.
    """
    half = draws.shape[1] // 2
    parts = np.concatenate([draws[:, :half], draws[:, -half:]])
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    total = within * (half - 1) / half + between
    still = within == 0  # what is not a number has not converged
    stuck = np.where(between > 0, np.inf, 1.0)
    r_hat = np.where(still, stuck, np.sqrt(total / np.where(still, 1.0, within)))
    centred = parts - parts.mean(axis=1, keepdims=True)
    wave = np.fft.rfft(centred, n=2 * half, axis=1)
    lagged = np.fft.irfft(np.abs(wave) ** 2, axis=1)[:, :half] / half
    rho = 1 - (within - lagged.mean(axis=0)) / np.where(total > 0, total, 1.0)
    rho[0] = 1.0
    pairs = rho[: half // 2 * 2].reshape(-1, 2, rho.shape[1]).sum(axis=1)
    # Sums of pairs are positive and fall; noise is what does neither.
    pairs = np.minimum.accumulate(np.maximum(pairs, 0.0), axis=0)
    length = np.maximum(2 * pairs.sum(axis=0) - 1, 1 / np.log10(parts.size + 10.0))
    return r_hat, len(parts) * half / length
