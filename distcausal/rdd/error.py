"""Simulating the joint estimation error of both curves and both treated shares.

One pass over the units collects their contributions. Either their outer products are
added up, and with normal multipliers the error is drawn from that covariance; or they
are multiplied by given or drawn multipliers, unit by unit or cluster by cluster. Both
ways end in the same `JumpDraws`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from distcausal._base.keys import Seed, host_stream, stream
from distcausal._base.shapes import pad_rows, size_class
from distcausal._base.typing import Array
from distcausal.numerics.band import linear_errors
from distcausal.numerics.leastsq import covariance_root
from distcausal.numerics.localpoly import side_sums
from distcausal.numerics.multiplier import multipliers
from distcausal.rdd.bootstrap import JumpDraws, MultiplierBootstrap
from distcausal.rdd.core import (
    ErrorRule,
    SideFit,
    cluster_rows,
    effective_units,
    inside_window,
    unit_rows,
)

__all__ = ["Contrast", "simulate"]

# Draws made at once from unit-level multipliers; constant, so that it decides nothing.
DRAWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Contrast:
    """The effect as a function of the curves: their difference, or a ratio to a jump.

    Attributes
    ----------
    difference
        Jump of the outcome curve, shape ``(level,)``.
    jump
        Jump of the treated share; None if sharp.
    """

    difference: np.ndarray
    jump: float | None

    @property
    def effect(self) -> np.ndarray:
        """The effect itself, shape ``(level,)``."""
        return self.difference if self.jump is None else self.difference / self.jump

    def linearised(self, errors: np.ndarray) -> np.ndarray:
        """First-order error of the effect, from errors stacked in the last axis.

        ``errors`` has the order of `JumpDraws.covariance`: levels below, levels above,
        treated share below, above.
        """
        size = self.difference.size
        outcome = errors[..., size : 2 * size] - errors[..., :size]
        if self.jump is None:
            return outcome
        share = errors[..., 2 * size + 1] - errors[..., 2 * size]
        numerator = self.jump * outcome - self.difference * share[..., None]
        return numerator / self.jump**2


def simulate(
    fits: tuple[SideFit, ...],
    contrast: Contrast,
    settings: MultiplierBootstrap,
    rule: ErrorRule,
    cluster: np.ndarray | None,
    seed: Seed,
) -> JumpDraws:
    """Draw the estimation error of the curves at the cutoff.

    Parameters
    ----------
    fits
        Outcome fit and, in fuzzy designs, treatment fit.
    contrast
        How the effect depends on the curves.
    settings, rule
        Draws and multipliers; residual corrections.
    cluster
        Cluster number of each unit, or None.
    seed
        Seed of the draws.
    """
    collect = _by_unit if cluster is None else partial(_by_cluster, cluster=cluster)
    covariance, sums = collect(fits, settings=settings, rule=rule, seed=seed)
    levels, columns = contrast.difference.size, covariance.shape[-1] // 2
    if settings.gaussian:
        sums = _gaussian(covariance, levels, settings.draws, seed)
    order = _curve_order(levels, columns)
    errors, joint = sums[:, order], covariance[np.ix_(order, order)]
    gradient = contrast.linearised(np.eye(len(order)))
    return JumpDraws(
        below=errors[:, :levels],
        above=errors[:, levels : 2 * levels],
        treatment=None if contrast.jump is None else errors[:, 2 * levels :],
        effect=contrast.linearised(errors),
        std_error=linear_errors(gradient, joint),
        covariance=joint,
        studentise=settings.studentise,
    )


def _curve_order(levels: int, columns: int) -> np.ndarray:
    """From sides with (levels, treatment) each to levels below, above, treatment."""
    place = np.arange(2 * columns).reshape(2, columns)
    return np.concatenate([place[:, :levels].ravel(), place[:, levels:].ravel()])


def _windows(fits: tuple[SideFit, ...]) -> np.ndarray:
    """Widest bandwidths of all fits, shape ``(1, side)``."""
    return np.max([fit.bandwidth.max(axis=0) for fit in fits], axis=0)[None]


def _by_unit(
    fits: tuple[SideFit, ...],
    *,
    settings: MultiplierBootstrap,
    rule: ErrorRule,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and, unless Gaussian, multiplier sums, over independent units."""
    covariance, sums = [], []
    scale = [_unit_scale(fit, rule) for fit in fits]
    for blocks in zip(
        *(fit.sample.blocks(_windows(fits)) for fit in fits), strict=True
    ):
        side = (blocks[0].x >= 0).astype(int)
        rows = np.hstack(
            [
                unit_rows(fit, block, rule) * factor[side, None]
                for fit, block, factor in zip(fits, blocks, scale, strict=True)
            ]
        )
        # One array times its own transpose is half the work of a general product.
        sides = [rows[side == 0], rows[side == 1]]
        covariance.append([own.T @ own for own in sides])
        if not settings.gaussian:
            sums.append(
                [
                    np.asarray(side_sums(blocks[0].x, rows, part))
                    for part in _multipliers(settings, blocks[0].index, len(rows), seed)
                ]
            )
    below, above = np.sum(covariance, axis=0)
    none = np.zeros_like(below)
    joint = np.block([[below, none], [none, above]])
    return joint, _side_by_side(sums)


def _by_cluster(
    fits: tuple[SideFit, ...],
    *,
    settings: MultiplierBootstrap,
    rule: ErrorRule,
    seed: Seed,
    cluster: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and, unless Gaussian, multiplier sums, over independent clusters."""
    covariance, sums = [], []
    windows = _windows(fits)
    every = int(cluster.max()) + 1
    streams = [fit.sample.cluster_blocks(cluster, windows) for fit in fits]
    for parts in zip(*streams, strict=True):
        names, rows_held = parts[0][1], len(parts[0][0].x)
        padded = size_class(min(every, rows_held))
        rows = np.concatenate(
            [
                cluster_rows(fit, block, place, padded, rule)
                for fit, (block, _, place) in zip(fits, parts, strict=True)
            ],
            axis=2,
        ).reshape(padded, -1)
        covariance.append(rows.T @ rows)
        if not settings.gaussian:
            sums.append(
                [
                    np.asarray(part) @ rows
                    for part in _multipliers(settings, names, padded, seed)
                ]
            )
    count = np.unique(cluster[inside_window(fits[0])]).size
    scale = _cluster_scale(fits[0], rule, count)
    joined = np.sum(covariance, axis=0) * scale**2
    return joined, scale * _side_by_side(sums)


def _side_by_side(sums: list[list[np.ndarray]]) -> np.ndarray:
    """Add over blocks, join the draws, lay sides side by side: ``(draw, 2 column)``."""
    if not sums:
        return np.zeros((0, 0))
    parts = [np.sum(part, axis=0) for part in zip(*sums, strict=True)]
    if parts[0].ndim == 3:
        parts = [np.hstack([below, above]) for below, above in parts]
    return np.vstack(parts)


def _unit_scale(fit: SideFit, rule: ErrorRule) -> np.ndarray:
    """HC1 factor of each side, shape ``(side,)``."""
    units = np.array(effective_units(fit), float)
    if not rule.small_sample:
        return np.ones(2)
    return np.sqrt(units / np.maximum(units - fit.order - 1, 1.0))


def _cluster_scale(fit: SideFit, rule: ErrorRule, clusters: int) -> float:
    """CR1 factor."""
    if not rule.small_sample:
        return 1.0
    units, parameters = sum(effective_units(fit)), 2 * (fit.order + 1)
    freedom = max(units - parameters, 1)
    return float(np.sqrt(clusters / max(clusters - 1, 1) * (units - 1) / freedom))


def _multipliers(
    settings: MultiplierBootstrap, index: np.ndarray, rows: int, seed: Seed
) -> Iterator[Array | np.ndarray]:
    """Multipliers of units or clusters, padded, a thousand draws at a time."""
    for part, start in enumerate(range(0, settings.draws, DRAWS_AT_ONCE)):
        stop = min(start + DRAWS_AT_ONCE, settings.draws)
        if settings.multipliers is not None:
            yield pad_rows(settings.multipliers[index, start:stop], rows).T
        else:
            key = jax.random.fold_in(stream(seed, "multiplier"), part)
            yield multipliers(
                key,
                pad_rows(index, rows),
                law=settings.multiplier,
                draws=stop - start,
            )


def _gaussian(
    covariance: np.ndarray, levels: int, draws: int, seed: Seed
) -> np.ndarray:
    """Draws with the given covariance, shape ``(draw, 2 column)``.

    Levels and treated shares have streams of their own, so that a treatment without
    error leaves the draws of the curves as they are in a sharp design.
    """
    half = len(covariance) // 2
    shape = (2, draws)
    normal = [host_stream(seed, "error of curves").standard_normal((*shape, levels))]
    if half > levels:
        shares = host_stream(seed, "error of shares")
        normal.append(shares.standard_normal((*shape, half - levels)))
    sides = np.concatenate(normal, axis=2)
    if not covariance[:half, half:].any():
        return np.hstack(
            [
                sides[0] @ covariance_root(covariance[:half, :half]),
                sides[1] @ covariance_root(covariance[half:, half:]),
            ]
        )
    return np.hstack([sides[0], sides[1]]) @ covariance_root(covariance)
