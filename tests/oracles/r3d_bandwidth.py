"""Bandwidths that balance squared bias and variance, in plain loops.

The paper's rule with the corrections of the package's documentation: a pilot of order
s + 1 from global polynomials, local fits of order s + 1 at that pilot, then the balance
of leading bias and variance of an order s estimate at the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss

from tests.oracles.r3d import ABOVE, BELOW, Local, cell_widths, kernel, sides

SELECTORS = ("rd", "two", "sum", "comb1", "comb2")


def constants(order: int, name: str) -> tuple[float, float]:
    """Bias and variance constants of a boundary fit above the cutoff, by quadrature."""
    node, mass = leggauss(40)  # exact: the integrands are polynomials on [0, 1]
    u, mass = (node + 1) / 2, mass / 2
    k = kernel(name, u)
    r = np.power.outer(u, np.arange(order + 1))
    gram = np.linalg.inv(r.T @ ((mass * k)[:, None] * r))
    bias = gram @ (r.T @ (mass * k * u ** (order + 1)))
    psi = r.T @ ((mass * k**2)[:, None] * r)
    return float(bias[0]), float((gram @ psi @ gram)[0, 0])


@dataclass
class Parts:
    """Leading constants of both sides at one order: (2, level) each."""

    bias: np.ndarray
    variance: np.ndarray
    noise: np.ndarray  # estimated variance of each side's bias constant


KERNEL_SCALE = {"triangular": 2.576, "epanechnikov": 2.34, "uniform": 1.843}


def density_at_cutoff(x, name: str, omega=1.0, rule: str = "normal") -> float:
    """Kernel estimate; the rule is for the normal law's window or the kernel's own."""
    width = 1.06 * np.std(x, ddof=1) * x.size ** (-1 / 5)
    if rule == "kernel":
        low, high = np.quantile(x, [0.25, 0.75])
        spread = min(np.std(x, ddof=1), (high - low) / 1.349)
        width = KERNEL_SCALE[name] * spread * x.size ** (-1 / 5)
    width = max(width, 2 * np.abs(x).min())
    return float((omega * kernel(name, x / width)).mean() / width)


def pilot_parts(q, x, s, name, density, omega) -> Parts:
    """Constants at order s + 1 from a polynomial of degree s + 2 over each side."""
    order = s + 1
    bias_constant, variance_constant = constants(order, name)
    bias, variance = np.zeros((2, q.shape[1])), np.zeros((2, q.shape[1]))
    for side, member in enumerate(sides(x)):
        sign = 1.0 if side == ABOVE else (-1.0) ** (order + 1)
        design = np.power.outer(x[member], np.arange(order + 2))
        w = omega[member, None]
        root = np.sqrt(w)
        coef = np.linalg.lstsq(root * design, root * q[member], rcond=None)[0]
        residual = q[member] - design @ coef
        bias[side] = sign * bias_constant * coef[order + 1]
        correct = member.sum() / (member.sum() - 1)
        spread = correct * (w**2 * residual**2).sum(0) / w.sum()
        variance[side] = variance_constant * spread / density
    return Parts(bias, variance, np.zeros_like(bias))


def local_parts(q, x, s, name, pilot, density, omega) -> Parts:
    """Constants at order s from local fits of order s + 1 at the pilot, (2, level)."""
    bias_constant, variance_constant = constants(s, name)
    out = np.zeros((3, 2, q.shape[1]))
    for side, member in enumerate(sides(x)):
        sign = 1.0 if side == ABOVE else (-1.0) ** (s + 1)
        for j in range(q.shape[1]):
            h = pilot[side, j]
            fit = Local.at(x, h, s + 1, name, member, omega)
            slope = fit.row(s + 1) / h ** (s + 1)
            residual = np.where(fit.inside, q[:, j] - fit.fitted(q[:, j]), 0.0)
            constant = sign * bias_constant
            spread = (omega * fit.k * residual**2).sum() / fit.k.sum()
            out[0, side, j] = constant * (slope @ q[:, j])
            out[1, side, j] = variance_constant * spread / density
            out[2, side, j] = constant**2 * ((slope * residual) ** 2).sum()
    return Parts(*out)


def balance(parts: Parts, s: int, n: int, cell, kind: str, penalty: float):
    """Bandwidth (2, level) for one entry of the menu; `cell=None`: one per level."""
    if kind == "comb1":
        both = [balance(parts, s, n, cell, k, penalty) for k in ("rd", "sum")]
        return np.minimum(*both)
    if kind == "comb2":
        menu = [balance(parts, s, n, cell, k, penalty) for k in ("rd", "two", "sum")]
        return np.median(menu, axis=0)
    below, above = parts.bias
    if kind == "two":
        bias_sq, variance, noise = parts.bias**2, parts.variance, parts.noise
    else:
        gap = above - below if kind == "rd" else above + below
        bias_sq, variance, noise = (
            np.tile(one, (2, 1))
            for one in (gap**2, parts.variance.sum(0), parts.noise.sum(0))
        )
    bottom = bias_sq + penalty * noise
    if cell is not None:
        variance = np.tile((variance @ cell)[:, None], (1, cell.size))
        bottom = np.tile((bottom @ cell)[:, None], (1, cell.size))
    return (variance / (2 * (s + 1) * bottom) / n) ** (1 / (2 * s + 3))


def coverage_factor(n: int, s: int) -> float:
    return n ** (-s / ((2 * s + 3) * (s + 3)))


def bandwidth(
    q, x, levels, *, s=1, kernel="triangular", integrated=True, kind="rd",
    cer=False, penalty=None, weights=None, level_weights=None,
    density_rule="normal", least=10,
) -> dict:  # fmt: skip
    """Pilot, constants and final bandwidth (2, level)."""
    n = x.size
    omega = np.ones(n) if weights is None else weights / weights.mean()
    cell = cell_widths(levels) if level_weights is None else level_weights
    cell = cell if integrated else None
    penalty = (0.0 if integrated else 3.0) if penalty is None else penalty
    density = density_at_cutoff(x, kernel, omega, density_rule)
    first = pilot_parts(q, x, s, kernel, density, omega)
    pilot = balance(first, s + 1, n, cell, "rd", 0.0)
    pilot = guard(pilot, x, max(s + 3, least), each_side=False)
    parts = local_parts(q, x, s, kernel, pilot, density, omega)
    h = balance(parts, s, n, cell, kind, penalty)
    if cer:
        h = h * coverage_factor(n, s)
    h = guard(h, x, max(s + 3, least), each_side=kind in ("two", "comb2"))
    return {"h": h, "pilot": pilot, "parts": parts, "density": density}


def guard(h: np.ndarray, x: np.ndarray, least: int, each_side: bool) -> np.ndarray:
    """Cap at the farthest unit, then widen to hold `least` distinct values a side."""
    near = np.array([_nth_distance(x[member], least) for member in sides(x)])
    if not each_side:
        near = np.full(2, near.max())
    return np.maximum(np.minimum(h, np.abs(x).max()), near[:, None])


def _nth_distance(x: np.ndarray, nth: int) -> float:
    """Window that holds `nth` distinct values with positive weight, if there are."""
    return float(np.unique(np.abs(x))[:nth][-1] * (1 + 1e-6))


__all__ = [
    "BELOW", "SELECTORS", "Parts", "balance", "bandwidth", "constants",
    "coverage_factor", "density_at_cutoff", "guard", "local_parts", "pilot_parts",
]  # fmt: skip
