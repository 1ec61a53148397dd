"""Bandwidths for R3D: pilot fits, leading terms, safeguards.

Follows Van Dijcke (2025), appendix A-4.2, with ``s`` the pilot order: a global
polynomial on each side gives a pilot bandwidth, local polynomials of order ``s + 1`` at
the pilot give curvature and residual variance, and those give the bandwidth. Two places
where the printed algorithm cannot be followed to the letter are settled thus: the pilot
bandwidth is that of an order ``s + 1`` fit, since its derivative ``s + 1`` is what is
needed next; and residual variances are variances about the fitted line, not about its
value at the cutoff, which would add the slope to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distcausal.numerics.bandwidth import (
    LeadingTerms,
    Selector,
    coverage_factor,
    optimal,
)
from distcausal.numerics.kernel import KERNELS, Kernel
from distcausal.numerics.leastsq import solve_moments
from distcausal.numerics.legendre import leading_coefficient
from distcausal.numerics.localpoly import added, residual_moments
from distcausal.rdd.core import sum_moments
from distcausal.rdd.sample import Sample

__all__ = ["Rules", "Selection", "density_at_cutoff", "select", "smallest_windows"]


@dataclass(frozen=True)
class Rules:
    """Everything that decides a bandwidth, besides the data.

    Attributes
    ----------
    kernel
        Kernel of the local fits.
    order, pilot_order
        Orders ``p`` and ``s``.
    selector
        The rule.
    widths
        Weight of each level in integrals, shape ``(level,)``.
    regularisation, treatment_regularisation
        Multiple of the curvature's sampling variance added to the squared bias, for the
        outcome and for the treatment.
    density
        ``"normal"``: pilot window ``1.06 sd n^{-1/5}`` of the density at the cutoff;
        ``"kernel"``: the kernel's own constant and the smaller of sd and scaled
        interquartile range.
    distinct
        Every window holds at least this many distinct values on each side.
    """

    kernel: Kernel
    order: int
    pilot_order: int
    selector: Selector
    widths: np.ndarray
    regularisation: float
    treatment_regularisation: float
    density: str
    distinct: int

    @property
    def degree(self) -> int:
        """Degree of the one basis all fits of a call share."""
        return max(self.order, self.pilot_order + 2)


@dataclass(frozen=True)
class Selection:
    """Bandwidths and what they were computed from.

    Attributes
    ----------
    bandwidth, pilot
        Shape ``(group, side)``.
    wanted
        What the rule alone asked for, before cap and floor, shape ``(group, side)``.
    terms
        Leading terms by side and level.
    density
        Density of the running variable at the cutoff.
    """

    bandwidth: np.ndarray
    pilot: np.ndarray
    terms: LeadingTerms
    density: float
    wanted: np.ndarray


def select(sample: Sample, rules: Rules) -> Selection:
    """Choose bandwidths for the columns of a sample.

    Safeguards: no bandwidth exceeds the largest distance observed, none holds fewer
    than ``rules.distinct`` distinct values on a side, and where the bias cannot be told
    from zero the pilot stands.
    """
    s, units = rules.pilot_order, sample.counted.size
    density = density_at_cutoff(sample, rules)
    low, high = smallest_windows(sample.counted, rules.distinct), sample.reach.max()
    start = optimal(
        _leading_terms(
            sample, rules, KERNELS["uniform"], sample.reach[None], s + 1, density
        ),
        order=s + 1,
        units=units,
        selector=Selector(rules.selector.integrated, "rd", False),
        widths=rules.widths,
        regularisation=0.0,
        fallback=np.full((1, 2), high),
    )
    pilot = np.maximum(np.minimum(start, high), low.max())
    terms = _leading_terms(sample, rules, rules.kernel, pilot, s, density)
    bandwidth = optimal(
        terms,
        order=s,
        units=units,
        selector=rules.selector,
        widths=rules.widths,
        regularisation=rules.regularisation,
        fallback=pilot,
    )
    if rules.selector.coverage:
        bandwidth = bandwidth * coverage_factor(units, s)
    floor = low if rules.selector.rule in ("two", "comb2") else low.max()
    held = np.maximum(np.minimum(bandwidth, high), floor)
    return Selection(held, pilot, terms, density, bandwidth)


def density_at_cutoff(sample: Sample, rules: Rules) -> float:
    """Kernel estimate of the density of the running variable at the cutoff."""
    x = sample.counted
    spread, scale = np.std(x, ddof=1), 1.06
    if rules.density == "kernel":
        quartiles = np.quantile(x, [0.25, 0.75])
        spread = min(spread, float(np.diff(quartiles)[0]) / 1.349) or spread
        scale = rules.kernel.density_scale
    # A window without a single unit would give density zero and no bandwidth at all.
    window = max(scale * spread * x.size**-0.2, 2 * np.abs(x).min())
    heights = sample.weight * rules.kernel(sample.x / window)
    return float(np.sum(heights) / (x.size * window))


def smallest_windows(x: np.ndarray, distinct: int) -> np.ndarray:
    """Bandwidth that gives so many distinct values positive weight, by side.

    Where a side has fewer, its farthest value.
    """
    sides = []
    for side in (x < 0, x >= 0):
        distance = np.unique(np.abs(x[side]))
        # The last one lies just inside, where the kernel is not yet zero.
        sides.append(distance[min(distinct, distance.size) - 1] * (1 + 1e-6))
    return np.array(sides)


def _leading_terms(
    sample: Sample,
    rules: Rules,
    kernel: Kernel,
    bandwidth: np.ndarray,
    order: int,
    density: float,
) -> LeadingTerms:
    """Bias and variance constants of an order-``order`` fit, at given windows.

    Curvature is the leading coefficient of a polynomial one degree higher; measured in
    ``|x|`` it already carries the sign that the bias constant has on the lower side.
    The kernel here is that of the auxiliary fit; constants belong to the final kernel.
    """
    degree, top = rules.degree, order + 1
    moments = sum_moments(sample, kernel, bandwidth, degree)
    solution = solve_moments(np.asarray(moments.gram), np.asarray(moments.cross), top)
    scale = leading_coefficient(top) / bandwidth[..., None] ** top
    curvature = scale * solution.coef[:, :, top]
    row = scale * solution.inverse[:, :, top]
    sums = added(
        residual_moments(
            block.x,
            block.weight,
            block.columns(len(bandwidth)),
            bandwidth,
            np.array(kernel.coefficients),
            solution.coef,
            row,
            degree=degree,
        )
        for block in sample.blocks(bandwidth)
    )
    variance = np.asarray(sums.square / sums.mass[..., None])
    if order == rules.pilot_order + 1:
        sides = np.array([np.sum(sample.counted < 0), np.sum(sample.counted >= 0)])
        variance = variance * (sides / np.maximum(sides - 1, 1))[:, None]
    constants = rules.kernel.boundary(order)
    return LeadingTerms(
        bias=constants.bias * _by_side(curvature),
        variance=constants.variance * _by_side(variance) / density,
        bias_variance=constants.bias**2 * _by_side(sums.row_square),
    )


def _by_side(grouped: ArrayLike) -> np.ndarray:
    """From ``(group, side, column)`` to ``(side, level)``."""
    return np.moveaxis(np.asarray(grouped), 1, 0).reshape(2, -1)
