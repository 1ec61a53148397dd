"""Which pixels carry a prediction: gradients, paths of gradients, and occlusion.

A cluster's log odds and the effect of an image are smooth functions of a few dozen
features, and the features are functions of the pixels, so the derivative of either
splits into a small part that differs between posterior draws and a Jacobian that does
not. The Jacobian is computed once per image, and every draw costs one product with it.

Integrated gradients average the derivative along the straight path from a baseline to
the image; by the fundamental theorem of calculus they add up to the difference of the
two values. The theorem holds on every stretch of the path as well, so the error of the
quadrature is known stretch by stretch, and only stretches that need it are cut: at the
kinks of rectified filters, where a fixed rule would waste its nodes elsewhere.

Symbols: ``m`` image, ``pi`` probability of a cluster, ``tau`` effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distcausal._base.typing import Array, Real

__all__ = ["Heads", "Path", "along_path", "gradients", "hidden", "target", "values"]

_NODES = 16  # of a path evaluated in one compiled call
_GAUSS = np.polynomial.legendre.leggauss(3)
_PANELS = 4
_MOST_PANELS = 256
_ROUNDING = 1e-6  # of the value: an encoder may compute in float32
_ROWS = 8  # of the Jacobian at once
_BYTES = 2**26


class Heads(NamedTuple):
    """Posterior draws of what maps features to probabilities and effects.

    Attributes
    ----------
    weights
        Shape ``(draw, feature, cluster)``.
    bias
        Shape ``(draw, cluster)``.
    effects
        Shape ``(draw, cluster)``.
    """

    weights: Array | np.ndarray
    bias: Array | np.ndarray
    effects: Array | np.ndarray


class Path(NamedTuple):
    """Quadrature along the way from the baseline to the image.

    Attributes
    ----------
    place, weight
        Nodes in (0, 1) and their weights, shape ``(node,)``.
    gap
        Sum over the stretches of the way of how far the quadrature of the slope misses
        the change of the value.
    variation
        Sum over the stretches of the absolute change of the value.
    rounding
        Gap that the encoder's float32 may leave whatever the nodes.
    """

    place: np.ndarray
    weight: np.ndarray
    gap: float
    variation: float
    rounding: float


def target(
    heads: Heads, features: Real[Array, " feature"], cluster: int | None
) -> Real[Array, " draw"]:
    """Log odds of a cluster, or the effect of the image where ``cluster`` is None."""
    logits = jnp.einsum("dfk,f->dk", heads.weights, features) + heads.bias
    if cluster is None:
        return jnp.sum(jax.nn.softmax(logits, axis=1) * heads.effects, axis=1)
    others = jnp.delete(logits, cluster, axis=1, assume_unique_indices=True)
    return logits[:, cluster] - jax.nn.logsumexp(others, axis=1)


@partial(jax.jit, static_argnames="cluster")
def values(
    heads: Heads, features: Real[Array, "row feature"], *, cluster: int | None
) -> Real[Array, "draw row"]:
    """`target` for rows of features."""
    return jax.vmap(lambda row: target(heads, row, cluster), out_axes=1)(features)


def gradients(
    encoder: Any,
    heads: Heads,
    images: np.ndarray,
    weight: np.ndarray,
    *,
    cluster: int | None,
) -> np.ndarray:
    """Weighted sum over images of the gradient of `target`.

    Parameters
    ----------
    encoder
        Fitted, with ``traced``.
    heads
        Posterior draws.
    images
        Shape ``(node, *shape)``.
    weight
        Shape ``(node,)``.
    cluster
        As in `target`.

    Returns
    -------
    The gradient of every draw, shape ``(draw, *shape)``.
    """
    size = 1 if len(images) == 1 else _NODES
    parts = (
        np.asarray(_gradients(encoder, heads, part, scale, cluster))
        for part, scale in _tiles(images, weight, size)
    )
    return reduce(np.add, parts)


@partial(jax.jit, static_argnums=(0, 4))
def _gradients(
    encoder: Any,
    heads: Heads,
    images: Array,
    weight: Array,
    cluster: int | None,
) -> Array:
    """`gradients` of one tile of nodes."""

    def one(image: Array) -> Array:
        features, pull = jax.vjp(encoder.traced, image)
        slopes = jax.jacrev(lambda row: target(heads, row, cluster))(features)
        units = jnp.eye(features.shape[0], dtype=features.dtype)
        jacobian = lax.map(lambda row: pull(row)[0], units, batch_size=_ROWS)
        return jnp.tensordot(slopes, jacobian, 1)

    def add(total: Array, node: tuple) -> tuple[Array, None]:
        return total + node[1] * one(node[0]), None

    shape = jax.eval_shape(one, images[0])
    empty = jnp.zeros(shape.shape, shape.dtype)
    return lax.scan(add, empty, (images, weight))[0]


def along_path(
    encoder: Any,
    heads: Heads,
    baseline: np.ndarray,
    image: np.ndarray,
    *,
    cluster: int | None,
    tolerance: float,
) -> Path:
    """Nodes between two images at which to average gradients.

    Stretches are halved until the gap is at most ``tolerance`` times the variation, or
    there are 256 of them; the gap that remains is returned either way.
    """
    way = image - baseline

    def evaluate(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for part, _ in _tiles(place, place, _NODES):
            found.append(_ahead(encoder, heads, baseline, way, part, cluster))
        value, slope = (np.concatenate(each) for each in zip(*found, strict=True))
        return value[: len(place)], slope[: len(place)]

    ends = np.linspace(0, 1, _PANELS + 1)
    panels = _measure(evaluate, ends[:-1], ends[1:])
    while True:
        gap, variation = np.abs(panels["gap"]), np.abs(panels["change"]).sum()
        rounding = _ROUNDING * np.abs(panels["level"]).max()
        allowed = tolerance * variation + rounding
        if gap.sum() <= allowed or len(gap) >= _MOST_PANELS:
            break
        cut = gap > allowed / len(gap)
        start, stop = panels["start"][cut], panels["stop"][cut]
        middle = (start + stop) / 2
        halves = _measure(
            evaluate, np.concatenate([start, middle]), np.concatenate([middle, stop])
        )
        panels = {k: np.concatenate([panels[k][~cut], halves[k]]) for k in panels}
    order = np.argsort(panels["start"])
    start, stop = panels["start"][order], panels["stop"][order]
    place, weight = _gauss(start, stop)
    found = (float(gap.sum()), float(variation), float(rounding))
    return Path(place.ravel(), weight.ravel(), *found)


def _measure(
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    start: np.ndarray,
    stop: np.ndarray,
) -> dict[str, np.ndarray]:
    """Change of the value over stretches, and how far the quadrature misses it."""
    place, weight = _gauss(start, stop)
    value, slope = evaluate(np.concatenate([start, stop, place.ravel()]))
    count = len(start)
    change = value[count : 2 * count] - value[:count]
    integral = np.sum(weight * slope[2 * count :].reshape(place.shape), axis=1)
    return {
        "start": start,
        "stop": stop,
        "change": change,
        "gap": integral - change,
        "level": value[:count],
    }


def _gauss(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on stretches, ``(stretch, node)``."""
    half = (stop - start)[:, None] / 2
    return start[:, None] + half * (_GAUSS[0] + 1), half * _GAUSS[1]


@partial(jax.jit, static_argnums=(0, 5))
def _ahead(
    encoder: Any,
    heads: Heads,
    baseline: Array,
    way: Array,
    place: Array,
    cluster: int | None,
) -> tuple[Array, Array]:
    """Mean over draws of the value at places of the path, and its slope there."""

    def mean(image: Array) -> Array:
        return jnp.mean(target(heads, encoder.traced(image), cluster))

    return lax.map(lambda at: jax.jvp(mean, (baseline + at * way,), (way,)), place)


def hidden(
    apply: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    masks: np.ndarray,
    baseline: np.ndarray,
) -> np.ndarray:
    """Features ``(mask, D)`` of an image with some pixels replaced by the baseline.

    Parameters
    ----------
    apply
        Features of a batch of raw images.
    image, baseline
        Shape ``(..., height, width, channel)``, of one type.
    masks
        Where pixels are replaced, shape ``(mask, height, width)``.
    """
    most = max(1, _BYTES // (8 * image.size))
    found = []
    for start in range(0, len(masks), most):
        part = masks[start : start + most]
        line = (len(part), *(1 for _ in image.shape[:-3]), *part.shape[1:], 1)
        batch = np.where(part.reshape(line), baseline, image)
        found.append(np.asarray(apply(batch), float))
    return np.concatenate(found)


def _tiles(
    rows: np.ndarray, weight: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows in groups of one size; what fills up the last has weight zero."""
    for start in range(0, len(rows), size):
        part, scale = rows[start : start + size], weight[start : start + size]
        short = size - len(part)
        if short:
            part = np.concatenate([part, np.repeat(part[-1:], short, axis=0)])
            scale = np.concatenate([scale, np.zeros(short)])
        yield part, scale
