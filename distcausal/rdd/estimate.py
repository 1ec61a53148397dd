"""The estimate itself, from checked arrays to curves and their simulated errors.

The pure middle of `r3d`: no names, no messages. The driver has checked the arguments
and enters float64 around `estimate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from distcausal._base.keys import Seed
from distcausal.numerics.monotone import project_monotone, rearrange
from distcausal.rdd.bandwidth import Rules, density_at_cutoff
from distcausal.rdd.bootstrap import JumpDraws, MultiplierBootstrap
from distcausal.rdd.core import SideFit, fit_sides, rescaled, with_limit_weights
from distcausal.rdd.error import Contrast, simulate
from distcausal.rdd.profile import interpolated_rearrangement
from distcausal.rdd.sample import Sample
from distcausal.rdd.windows import Windows

__all__ = ["Curves", "Fits", "Recipe", "curves_at_cutoff", "fit_both", "joint_error"]


@dataclass(frozen=True)
class Recipe:
    """How curves are fitted and made monotone.

    Attributes
    ----------
    rules
        Kernel, orders and what else the bandwidth shares with the fit.
    method
        ``"frechet"`` or ``"pointwise"``.
    levels, widths
        The grid and its cell widths, shape ``(level,)``.
    published
        Follow R3D 0.1.0 where it departs from the paper.
    support
        Smallest and largest value an outcome can take.
    """

    rules: Rules
    method: str
    levels: np.ndarray
    widths: np.ndarray
    published: bool
    support: tuple[float, float] = (-np.inf, np.inf)

    def monotone(self, curves: np.ndarray) -> np.ndarray:
        """Nondecreasing version of curves within the support, ``(..., level)``.

        Clipping after the projection is the exact projection on curves with bounds.
        """
        if self.method == "frechet":
            found = project_monotone(curves, self.widths)
        elif self.published:
            found = np.stack(
                [interpolated_rearrangement(c, self.levels) for c in curves]
            )
        else:
            found = rearrange(curves, self.widths)
        return np.clip(found, *self.support)


@dataclass(frozen=True)
class Fits:
    """Local polynomials of outcome and treatment.

    Attributes
    ----------
    outcome, conventional
        Fits of order ``p`` and of the pilot order ``s``, on the same window.
    levels
        Quantile levels of the outcome, shape ``(level,)``.
    treatment, treatment_conventional
        The same of the treatment; None in sharp designs.
    """

    outcome: SideFit
    conventional: SideFit
    levels: np.ndarray
    treatment: SideFit | None = None
    treatment_conventional: SideFit | None = None


@dataclass(frozen=True)
class Curves:
    """What the fits say at the cutoff, after the monotone step.

    Attributes
    ----------
    main, conventional
        Average quantile curves at orders ``p`` and ``s``, shape ``(side, level)``.
    moves, moved
        Largest change the monotone step made to each main curve, and the number of
        levels it changed, shape ``(side,)``.
    shares
        Share treated by side; None in sharp designs.
    conventional_jump
        Jump of the share treated at order ``s``; None in sharp designs.
    """

    main: np.ndarray
    conventional: np.ndarray
    moves: np.ndarray
    moved: np.ndarray
    shares: np.ndarray | None
    conventional_jump: float | None

    @property
    def contrast(self) -> Contrast:
        """The effect as a function of the curves."""
        jump = None if self.shares is None else float(self.shares[1] - self.shares[0])
        return Contrast(self.main[1] - self.main[0], jump)

    @property
    def conventional_effect(self) -> np.ndarray:
        """Effect at the pilot order, shape ``(level,)``."""
        gap = self.conventional[1] - self.conventional[0]
        return gap if self.conventional_jump is None else gap / self.conventional_jump


def fit_both(
    outcome: Sample, treatment: Sample | None, windows: Windows, recipe: Recipe
) -> Fits:
    """Fit outcome and treatment, each at both orders."""
    rules = recipe.rules
    orders = (rules.order, rules.pilot_order)
    projection = recipe.monotone if recipe.method == "frechet" else None
    main, conventional = fit_sides(
        outcome, rules.kernel, windows.outcome, orders, rules.degree, projection
    )
    if treatment is None or windows.treatment is None:
        return Fits(main, conventional, recipe.levels)
    share, early = fit_sides(
        treatment, rules.kernel, windows.treatment, orders, rules.degree
    )
    return Fits(main, conventional, recipe.levels, share, early)


def curves_at_cutoff(fits: Fits, recipe: Recipe) -> Curves:
    """Read the curves off the fits and make them monotone."""
    raw, low = fits.outcome.intercepts, fits.conventional.intercepts
    main = recipe.monotone(raw)
    shares = None if fits.treatment is None else fits.treatment.intercepts[:, 0]
    early = fits.treatment_conventional
    jump = None if early is None else float(np.diff(early.intercepts[:, 0])[0])
    change = np.abs(main - raw)
    moves, moved = change.max(axis=1), np.sum(change > 0, axis=1)
    return Curves(main, recipe.monotone(low), moves, moved, shares, jump)


def joint_error(
    fits: Fits,
    curves: Curves,
    recipe: Recipe,
    settings: MultiplierBootstrap,
    cluster: np.ndarray | None,
    seed: Seed,
) -> JumpDraws:
    """Simulate the error of everything at the cutoff."""
    outcome, treatment, rule = fits.outcome, fits.treatment, settings.rule
    if settings.influence == "asymptotic":
        density = density_at_cutoff(outcome.sample, recipe.rules)
        outcome = with_limit_weights(outcome, density)
        treatment = treatment and with_limit_weights(treatment, density)
    if recipe.published:
        rule = replace(rule, positive_only=True)
        treatment = treatment and _with_outcome_weights(treatment, outcome)
    pair = (outcome,) if treatment is None else (outcome, treatment)
    return simulate(pair, curves.contrast, settings, rule, cluster, seed)


def _with_outcome_weights(treatment: SideFit, outcome: SideFit) -> SideFit:
    """Treatment fit whose residuals are combined with the first level's weights.

    What R3D 0.1.0 does; the polynomial is the same, written for the other window.
    """
    window = outcome.bandwidth[:1]
    coef = rescaled(treatment.solution.coef, treatment.bandwidth, window)
    inverse = outcome.solution.inverse[:1]
    return replace(
        treatment,
        bandwidth=window,
        solution=treatment.solution._replace(coef=coef, inverse=inverse),
        row=outcome.row[:1],
    )
