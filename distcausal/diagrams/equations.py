"""Boxes of linear-Gaussian models, from structural coefficients or from data.

Two errors that covary share a cause that nobody sees. It is written down here as a
standard normal variable, with loadings whose product is the covariance; what is left of
each error is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from distcausal.diagrams.gaussian import GaussianChannel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.reals import as_reals
from distcausal.errors import DataError, ModelError, listing

__all__ = ["boxes_of", "fitted_boxes"]

Pair = tuple[str, str]
ROUNDING = 1e-12  # of a variance that the shared causes use up


def boxes_of(
    graph: CausalGraph,
    coefficients: Mapping[Pair, float],
    variances: Mapping[str, float],
    intercepts: Mapping[str, float],
    covariances: Mapping[Pair, float],
) -> dict[str, GaussianChannel]:
    """See `GaussianModel.from_coefficients`."""
    shared = _unordered(graph, covariances)
    _check_keys("coefficients", coefficients, graph.directed, whole=True)
    _check_keys("variances", variances, graph.nodes, whole=True)
    _check_keys("intercepts", intercepts, graph.nodes, whole=False)
    full = graph.with_latents()
    causes = full.nodes[len(graph.nodes) :]
    weight = dict(coefficients)
    own = dict(variances)
    for cause, pair in zip(causes, graph.bidirected, strict=True):
        size, sign = np.sqrt(np.abs(shared[pair])), np.sign(shared[pair])
        weight |= {(cause, pair[0]): size, (cause, pair[1]): sign * size}
        own[cause] = 1.0
        for end in pair:
            own[end] -= size**2
    over = [v for v in graph.nodes if own[v] < -ROUNDING * variances[v]]
    if over:
        raise ModelError(
            f"the errors of {listing(over)} share more than they vary: absolute "
            "covariances should sum to the variance at most. Name the shared causes as "
            "latent variables of the graph, with coefficients of their own."
        )
    return {
        name: _box(
            [weight[parent, name] for parent in full.parents(name)],
            intercepts.get(name, 0.0),
            max(own[name], 0.0),
            full.parents(name),
            name,
        )
        for name in full.nodes
    }


def _unordered(
    graph: CausalGraph, covariances: Mapping[Pair, float]
) -> dict[Pair, float]:
    """Covariances under the names that the graph has for its two-headed arrows."""
    either = {frozenset(pair): value for pair, value in covariances.items()}
    known = {pair: either.get(frozenset(pair)) for pair in graph.bidirected}
    found = {pair: value for pair, value in known.items() if value is not None}
    strange = set(either) - {frozenset(pair) for pair in graph.bidirected}
    if strange or len(found) < len(known):
        raise ModelError(
            "covariances should have one entry for each two-headed arrow "
            f"({listing(graph.bidirected, 12) or 'none'}), but has "
            f"{listing(covariances, 12) or 'none'}."
        )
    return found


def _check_keys(argument: str, found: Any, wanted: Any, *, whole: bool) -> None:
    strange = [key for key in found if key not in wanted]
    missing = [key for key in wanted if key not in found] if whole else []
    if strange or missing:
        raise ModelError(
            f"{argument} should have one entry for each of {listing(wanted, 12)}; "
            f"missing are {listing(missing) or 'none'}, unknown "
            f"{listing(strange) or 'none'}."
        )


def fitted_boxes(frame: Any, graph: CausalGraph) -> dict[str, GaussianChannel]:
    """See `GaussianModel.fit`."""
    from distcausal.data.check import known_name
    from distcausal.data.coding import number_column
    from distcausal.diagrams.joint import read_rows

    if graph.latent or graph.bidirected:
        hidden = [*graph.latent, *("<->".join(pair) for pair in graph.bidirected)]
        raise ModelError(
            f"least squares finds no box for what is not observed ({listing(hidden)}). "
            "Identify the effect first, or give coefficients."
        )
    rows = read_rows(frame)
    columns = {}
    for name in graph.nodes:
        known_name(name, rows.columns, "variable")
        columns[name] = number_column(rows[name], name, "variable")
        gaps = int((~np.isfinite(columns[name])).sum())
        if gaps:
            raise DataError(
                f"column {name!r} should be finite, but {gaps} of {len(rows)} entries "
                "are not. Leave these rows out."
            )
    return {name: _regression(columns, graph.parents(name), name) for name in columns}


def _regression(
    columns: Mapping[str, np.ndarray], parents: tuple[str, ...], name: str
) -> GaussianChannel:
    """Least squares with a constant, on centred columns for the sake of rounding."""
    y = columns[name]
    if len(y) <= len(parents):
        raise ModelError(
            f"{name!r} has {len(parents)} parents but only {len(y)} rows to fit them; "
            "more rows than parents are needed."
        )
    x = np.reshape([columns[parent] for parent in parents], (len(parents), len(y))).T
    centre, scale = x.mean(axis=0), x.std(axis=0)
    unit = np.where(scale > 0, scale, 1.0)
    coef = np.linalg.lstsq((x - centre) / unit, y - y.mean(), rcond=None)[0] / unit
    residual = y - y.mean() - (x - centre) @ coef
    shift = y.mean() - centre @ coef
    return _box(coef, shift, np.mean(residual**2), parents, name)


def _box(
    coef: Any, shift: float, variance: float, parents: tuple[str, ...], name: str
) -> GaussianChannel:
    """Channel of one equation."""
    return GaussianChannel(
        np.reshape(coef, (1, len(parents))),
        np.array([shift]),
        np.array([[variance]]),
        as_reals(parents),
        as_reals(name),
    )
