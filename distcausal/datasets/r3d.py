"""The designs on which distribution-valued regression discontinuity was first tried.

They are those of the method's paper, section 10 of its simulations, and variants of
them that make one thing harder: curvature in the running variable, imperfect compliance
and few draws per unit. Every difficulty is an argument, so that they combine.

A unit has X uniform on (-1, 1) and draws of

- ``"normal"``: N(mu, sigma^2), mu ~ N(5 + 5x + T delta, 1), sigma = |N(1 + x, 1)|;
- ``"curved"``: the same with mean 5 + 5x + 6x^2 - 4x^3 above and 5 + 5x - 3x^2 below;
- ``"exponential"``: N(mu + T delta, 1) + 2 Exp(rate lambda + T / 2), with
  mu = U(-5, 5) + 2x and lambda = U(0.5, 1.5).

T is the treatment: whether x is at least 0, or a coin whose chance jumps there.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from distcausal.datasets.simulation import Simulation, generator
from distcausal.errors import DesignError, check_choice

__all__ = ["Design", "make_r3d"]

Design = Literal["normal", "exponential", "curved"]
ALWAYS_TREATED = 0.1
RATES = (0.5, 1.5)
# Not printed in the paper; this value reproduces its homogeneity test at n = 500.
RATE_SHIFT = 0.5
# The integrand is analytic in the rate: twice the nodes moves no digit above 1e-12.
NODES = 20


def make_r3d(
    design: Design = "normal",
    *,
    n: int = 500,
    draws: int | tuple[int, int] = 50,
    delta: float = 2.0,
    first_stage: float | None = None,
    seed: Any = 0,
) -> Simulation:
    """Simulate units with a distribution each and a jump in it at zero.

    Parameters
    ----------
    design
        ``"normal"`` (effect equal at all levels), ``"exponential"`` (effect falls with
        the level) or ``"curved"`` (as normal, with a bend in the running variable).
    n
        Number of units.
    draws
        Observations per unit, or the least and the most of them, drawn uniformly.
    delta
        Shift of location caused by treatment, in the units of the outcome.
    first_stage
        None for a sharp design. Otherwise the jump at the cutoff in the chance of
        treatment, which is 0.1 below; it gives a column ``t``.
    seed
        Integer or JAX key.

    Returns
    -------
    Simulation
        Columns ``unit``, ``x``, ``y`` and, if fuzzy, ``t``. `Simulation.truth` is exact
        for ``"normal"`` and ``"curved"``, and within 1e-9 for ``"exponential"``.

    Raises
    ------
    DesignError
        If the design is unknown, a count is below one, or the first stage is not in
        (0, 0.9].

    References
    ----------
    Van Dijcke (2025), *Regression Discontinuity Design with Distribution-Valued
    Outcomes*, arXiv 2504.03992.

    Examples
    --------
    >>> import distcausal as dc
    >>> sharp = dc.datasets.make_r3d("exponential", n=300, seed=2)
    >>> sharp.truth([0.1, 0.5, 0.9]).round(3).tolist()
    [1.766, 1.45, 0.255]
    >>> fuzzy = dc.datasets.make_r3d(n=300, draws=(3, 50), first_stage=0.4)
    >>> fuzzy.treatment, int(fuzzy.data.sizes.min()) >= 3
    ('t', True)
    """
    check_choice("design", design, get_args(Design))
    least, most = _range(draws)
    if n < 2:
        raise DesignError(f"n={n} leaves no units to compare; use at least 2.")
    if first_stage is not None and not 0 < first_stage <= 1 - ALWAYS_TREATED:
        raise DesignError(
            f"first_stage={first_stage} should lie in (0, {1 - ALWAYS_TREATED}]: the "
            f"chance of treatment is {ALWAYS_TREATED} below the cutoff."
        )
    rng = generator(seed, "make_r3d")
    x = rng.uniform(-1, 1, n)
    treated = _treatment(rng, x, first_stage)
    sizes = rng.integers(least, most + 1, n)
    values = _draws(rng, design, x, treated * delta, treated * RATE_SHIFT, sizes)
    columns = {"x": x} if first_stage is None else {"x": x, "t": treated}
    return Simulation(
        ids=np.arange(n),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        observations={"y": values},
        columns=columns,
        unit="unit",
        value="y",
        running="x",
        treatment=None if first_stage is None else "t",
        effect=partial(_effect, design=design, delta=delta),
    )


def _range(draws: int | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the most observations in a unit."""
    least, most = (draws, draws) if isinstance(draws, int) else draws
    if not 1 <= least <= most:
        raise DesignError(
            f"draws={draws} should be a positive number of observations per unit, or "
            "the least and the most of them."
        )
    return least, most


def _treatment(
    rng: np.random.Generator, x: np.ndarray, first_stage: float | None
) -> np.ndarray:
    """Return 1.0 for treated units and 0.0 for the others."""
    above = x >= 0
    if first_stage is None:
        return above.astype(np.float64)
    chance = ALWAYS_TREATED + first_stage * above
    return (rng.uniform(size=x.size) < chance).astype(np.float64)


def _draws(
    rng: np.random.Generator,
    design: Design,
    x: np.ndarray,
    shift: np.ndarray,
    faster: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Observations of all units, one unit after the other."""
    noise = rng.standard_normal(int(sizes.sum()))
    if design == "exponential":
        centre = rng.uniform(-5, 5, x.size) + 2 * x + shift
        rate = rng.uniform(*RATES, x.size) + faster
        tail = 2 * rng.standard_exponential(noise.size) / np.repeat(rate, sizes)
        return np.repeat(centre, sizes) + noise + tail
    bend = np.where(x >= 0, 6 * x**2 - 4 * x**3, -3 * x**2) * (design == "curved")
    centre = rng.normal(5 + 5 * x + bend + shift, 1)
    spread = np.abs(rng.normal(1 + x, 1))
    return np.repeat(centre, sizes) + np.repeat(spread, sizes) * noise


def _effect(levels: np.ndarray, *, design: Design, delta: float) -> np.ndarray:
    """Return the effect on the average quantile function at zero."""
    shift = np.full(levels.shape, float(delta))
    if design != "exponential":
        return shift
    node, mass = np.polynomial.legendre.leggauss(NODES)
    rates = np.mean(RATES) + np.ptp(RATES) / 2 * node
    untreated = _quantile(levels, rates[:, None])
    treated = _quantile(levels, rates[:, None] + RATE_SHIFT)
    return shift + mass / 2 @ (treated - untreated)


def _quantile(levels: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Quantiles of N(0, 1) + 2 Exp(rate), by bisection of the distribution function.

    With r = rate / 2 the function is Phi(z) - exp(r^2 / 2 - r z) Phi(z - r).
    """
    from scipy.special import log_ndtr, ndtr, ndtri

    r = rate / 2
    low = np.broadcast_to(ndtri(levels), (rate.size, levels.size))
    high = low - np.log1p(-levels) / r + 10
    for _ in range(60):  # the bracket, at most some hundred wide, ends below 1e-15
        middle = (low + high) / 2
        reached = ndtr(middle) - np.exp(r**2 / 2 - r * middle + log_ndtr(middle - r))
        low = np.where(reached < levels, middle, low)
        high = np.where(reached < levels, high, middle)
    return (low + high) / 2
