"""What in one image speaks for a cluster, or for a large effect.

Three maps answer that: how the prediction moves with each pixel, how its difference
from that of a blank image splits over the pixels, and how far it falls when a window
is blanked. The last needs nothing but the features of images, so it works for encoders
from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from distcausal._base.precision import double
from distcausal._base.session import versions
from distcausal.errors import (
    DataError,
    DesignError,
    InferenceWarning,
    check_choice,
    warn_user,
)
from distcausal.images.salience_result import Salience
from distcausal.images.scan import check_range
from distcausal.images.source import ArraySource

if TYPE_CHECKING:
    from distcausal.images.attributions import Heads
    from distcausal.images.encoder import FittedEncoder

__all__ = ["Method", "salience"]

Method = Literal["gradient", "integrated", "occlusion"]
_BYTES = 2**26
_DRAWS = (30, 200)  # fewest and most kept for intervals
_STEPS = 20  # of the deletion curve
_WINDOW = 8  # in a side
_FEW, _MOST_OF_MAP = 5, 0.5  # draws that should not carry this share of a map
_LEAST_JUDGED = 4 * _FEW  # draws; of fewer, five are a large share anyway


class _Question(NamedTuple):
    """What is attributed, after all checks.

    Attributes
    ----------
    encoder, heads, cluster
        As in `attributions`.
    pixels, blank
        The image and its baseline.
    windows
        Tops and lefts of windows, and their side.
    tolerance
        Of the completeness gap.
    """

    encoder: Any
    heads: Heads
    pixels: np.ndarray
    blank: np.ndarray
    cluster: int | None
    windows: tuple[np.ndarray, np.ndarray, int]
    tolerance: float


def salience(
    encoder: FittedEncoder,
    posterior: Any,
    image: Any,
    *,
    cluster: int | None = None,
    method: Method = "gradient",
    baseline: Any = None,
    window: int | None = None,
    stride: int | None = None,
    tolerance: float = 0.01,
    draws: int | None = None,
) -> Salience:
    """Attribute the log odds of a cluster, or an image's effect, to its pixels.

    Parameters
    ----------
    encoder
        Fitted encoder.
    posterior
        Draws, as attributes: ``weights`` ``(draw, feature, cluster)`` and ``bias``
        ``(draw, cluster)`` of the logits, and ``effects`` ``(draw, cluster, outcome)``,
        of which the first outcome counts.
    image
        As stored: ``(height, width[, channel])``, a sequence with time first.
    cluster
        Whose log odds, counted from 1 in increasing order of effects; the effect of the
        image, ``sum_k pi_k tau_k``, if left out.
    method
        ``"gradient"``; ``"integrated"`` gradients from the baseline to the image; or
        ``"occlusion"``, how far the value falls when windows are blanked.
    baseline
        What a blank image looks like: an image, or a number. If left out every channel
        has its mean over the training images, or where the encoder does not know them
        over the image.
    window, stride
        Height and width of the window that is blanked, and by how far it moves; an
        eighth of the shorter side and half of that if left out.
    tolerance
        Largest completeness gap, relative to how far the value moves on the path.
    draws
        Posterior draws used, for maps as for intervals, evenly spaced; if left out as
        many as fill 64 megabytes, from 30 to 200.

    Returns
    -------
    Salience
        Maps, the deletion curve, and the posterior of both.

    Raises
    ------
    DataError
        If the image or the baseline has another shape than the encoder's images, or
        pixels are missing.
    DesignError
        If there is no such cluster, or only one; or the encoder has no gradients and
        the method needs them.

    Warns
    -----
    InferenceWarning
        If integrated gradients do not add up to the tolerance; or if five draws carry
        more than half of a map by gradients or occlusion, as they may where the model
        is sure of an image.

    Notes
    -----
    Where the model is sure of a cluster, small changes of the image move the effect in
    few posterior draws only, so that its gradient there rests on those few. Integrated
    gradients see the whole way from the baseline, and log odds do not level off.

    Gradients of images in float64. The gradient of an average over draws is the average
    of the gradients, so the maps are those of the posterior mean of the value.

    A blank image can be further from all training images than any two of them are from
    each other, and the model may say anything of it. Compare its value with that of the
    image before reading attributions as reasons; another image of the trial, as
    ``baseline``, asks instead what makes this place differ from that one.

    References
    ----------
    Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks, *ICML*.
    Zeiler and Fergus (2014), Visualizing and understanding convolutional networks,
    *ECCV*.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import distcausal as dc
    >>> from distcausal.images.salience import salience
    >>> images = np.random.default_rng(0).normal(size=(40, 8, 8))
    >>> encoder = dc.PCA(size=2).fit(dc.ArraySource(images))
    >>> head = SimpleNamespace(
    ...     weights=np.ones((3, 2, 2)) * [1.0, -1.0],
    ...     bias=np.zeros((3, 2)),
    ...     effects=np.array([[0.0, 1.0]] * 3)[..., None],
    ... )
    >>> found = salience(encoder, head, images[0], method="integrated")
    >>> moved = found.value.mean() - found.baseline_value.mean()
    >>> bool(abs(found.attribution.sum() - moved) < 1e-4)
    True
    """
    check_choice("method", method, tuple(_MAPS))
    pixels = _image("image", image, encoder)
    check_range(ArraySource(pixels[None]), getattr(encoder, "moments", None))
    blank = _blank(baseline, pixels, encoder)
    heads = _heads(posterior, cluster)
    _check_gradients(encoder, method)
    question = _Question(
        encoder=encoder,
        heads=_thinned(heads, draws, pixels.size),
        pixels=pixels,
        blank=blank,
        cluster=None if cluster is None else cluster - 1,
        windows=_windows(pixels.shape, window, stride),
        tolerance=tolerance,
    )
    found = double(_MAPS[method])(question)
    each = _bands(found.pop("draws"), 1)
    by_band = each.mean(axis=0)
    if method != "integrated":
        _warn_of_few(each, cluster, encoder)
    # A gradient's sign says which way to change a pixel, not whether it counts.
    order = (
        np.linalg.norm(by_band, axis=-1) if method == "gradient" else by_band.sum(-1)
    )
    return Salience(
        by_band=by_band,
        draws=each,
        **found,
        **double(_deletion)(question, order),
        target="the effect" if cluster is None else f"log odds of cluster {cluster}",
        method=method,
        image=_bands(pixels.astype(float)),
        settings={
            "cluster": cluster,
            "method": method,
            "baseline": baseline if np.ndim(baseline) == 0 else "image",
            "window": window,
            "stride": stride,
            "tolerance": tolerance,
            "draws": draws,
            "versions": versions(),
        },
    )


def _gradient_map(asked: _Question) -> dict[str, Any]:
    """Gradient at the image."""
    from distcausal.images.attributions import gradients

    at = asked.pixels[None].astype(float)
    each = gradients(asked.encoder, asked.heads, at, np.ones(1), cluster=asked.cluster)
    return {"draws": each, "completeness": None, "nodes": 1}


def _integrated_map(asked: _Question) -> dict[str, Any]:
    """Gradients averaged over the way from the baseline, times its length."""
    from distcausal.images.attributions import along_path, gradients

    encoder, heads, cluster = asked.encoder, asked.heads, asked.cluster
    image, start = asked.pixels.astype(float), asked.blank.astype(float)
    path = along_path(
        encoder, heads, start, image, cluster=cluster, tolerance=asked.tolerance
    )
    if path.gap > asked.tolerance * path.variation + path.rounding:
        warn_user(
            f"integrated gradients may miss the difference from the baseline by "
            f"{path.gap:.2g}, {path.gap / path.variation:.1%} of how far the value "
            f"moves, with {len(path.place)} gradients. Allow a larger tolerance, or "
            "use method='occlusion'.",
            InferenceWarning,
        )
    place = path.place.reshape(-1, *(1 for _ in image.shape))
    nodes = start + place * (image - start)
    each = gradients(encoder, heads, nodes, path.weight, cluster=cluster)
    return {
        "draws": each * (image - start),
        "completeness": path.gap,
        "nodes": len(path.place),
    }


def _occlusion_map(asked: _Question) -> dict[str, Any]:
    """Fall of the value, averaged over the windows that cover a pixel."""
    tops, lefts, side = asked.windows
    height, width = asked.pixels.shape[-3:-1]
    rows = np.arange(height) - tops[:, None]
    columns = np.arange(width) - lefts[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None]
    masks = inside & ((columns >= 0) & (columns < side))[:, None, :]
    masks = np.concatenate([np.zeros((1, height, width), bool), masks])
    found = _followed(asked, masks)
    fall = found[:, :1] - found[:, 1:]
    cover = masks[1:].reshape(len(tops), -1).astype(float)
    share = cover / cover.sum(axis=0)
    maps = (fall @ share).reshape(-1, height, width, 1)
    return {"draws": maps, "completeness": None, "nodes": 0}


_MAPS = {
    "gradient": _gradient_map,
    "integrated": _integrated_map,
    "occlusion": _occlusion_map,
}


def _deletion(asked: _Question, order: np.ndarray) -> dict[str, Any]:
    """Values while pixels are blanked in decreasing order."""
    rank = np.empty(order.size, int)
    rank[np.argsort(-order.ravel(), kind="stable")] = np.arange(order.size)
    count = np.rint(np.linspace(0, 1, _STEPS + 1) * order.size)
    masks = rank.reshape(order.shape) < count[:, None, None]
    found = _followed(asked, masks)
    return {
        "share": count / order.size,
        "deleted": found,
        "value": found[:, 0],
        "baseline_value": found[:, -1],
    }


def _followed(asked: _Question, masks: np.ndarray) -> np.ndarray:
    """Values ``(draw, mask)`` with the pixels of each mask blanked."""
    from distcausal.images.attributions import hidden, values

    features = hidden(asked.encoder.apply, asked.pixels, masks, asked.blank)
    return np.asarray(values(asked.heads, features, cluster=asked.cluster))


def _bands(found: np.ndarray, before: int = 0) -> np.ndarray:
    """Axes ``(..., height, width, band)``, where the times of a sequence are bands."""
    if found.ndim - before == 3:
        return found
    moved = np.moveaxis(found, before, -2)
    return moved.reshape(*moved.shape[:-2], -1)


def _image(argument: str, given: Any, encoder: Any) -> np.ndarray:
    """Image with its channels last, of the shape the encoder knows.

    Raises
    ------
    DataError
        If it has another shape, or a pixel is missing or infinite.
    """
    pixels = np.asarray(given)
    known = getattr(encoder, "shape", None)
    most = 4 if known is None else len(known)
    if pixels.ndim == 2 or (known is not None and pixels.ndim == most - 1):
        pixels = pixels[..., None]
    if pixels.ndim not in (3, 4) or (known is not None and pixels.shape != known):
        wanted = "(height, width, channel)" if known is None else str(known)
        raise DataError(
            f"{argument} should be one image of shape {wanted}; got "
            f"{np.shape(given)}. Of several images, take one: {argument}[0]."
        )
    bad = np.count_nonzero(~np.isfinite(pixels))
    if bad:
        raise DataError(
            f"{argument} should have no missing or infinite pixel; {bad} of "
            f"{pixels.size} are. Fill them first."
        )
    return pixels


def _blank(given: Any, pixels: np.ndarray, encoder: Any) -> np.ndarray:
    """Baseline in the shape and the type of the image."""
    if given is None:
        moments = getattr(encoder, "moments", None)
        axes = tuple(range(pixels.ndim - 1))
        given = pixels.mean(axis=axes) if moments is None else moments.mean
        blank = np.broadcast_to(np.asarray(given, float), pixels.shape)
    elif np.ndim(given) == 0:
        blank = np.full(pixels.shape, float(given))
    else:
        blank = _image("baseline", given, encoder).astype(float)
        if blank.shape != pixels.shape:
            raise DataError(
                f"baseline should have the shape of the image, {pixels.shape}; got "
                f"{blank.shape}."
            )
    return (np.rint(blank) if pixels.dtype.kind in "iu" else blank).astype(pixels.dtype)


def _heads(posterior: Any, cluster: int | None) -> Heads:
    """Arrays of the posterior, and whether there is such a cluster.

    Raises
    ------
    DesignError
        If there is none, or no other.
    """
    from distcausal.images.attributions import Heads

    heads = Heads(
        np.asarray(posterior.weights, float),
        np.asarray(posterior.bias, float),
        np.asarray(posterior.effects, float)[..., 0],
    )
    count = heads.bias.shape[1]
    if cluster is None:
        return heads
    if count == 1:
        raise DesignError(
            "log odds need at least two clusters; the model has one. Leave cluster= "
            "out for the effect of the image."
        )
    if cluster not in range(1, count + 1):
        raise DesignError(
            f"cluster {cluster!r} is not one of 1 to {count}, in increasing order of "
            "effects."
        )
    return heads


def _check_gradients(encoder: Any, method: str) -> None:
    """Raise `DesignError` if a method needs gradients that the encoder lacks."""
    if method != "occlusion" and not encoder.differentiable:
        raise DesignError(
            f"method {method!r} needs gradients, and the features of the encoder "
            f"{encoder.name!r} come from outside. Use method='occlusion'."
        )


def _thinned(heads: Heads, draws: int | None, pixels: int) -> Heads:
    """Evenly spaced draws: the map, its interval and its check see the same ones."""
    if draws is not None and draws < 2:
        raise DesignError(f"draws {draws!r} should be 2 or more, for intervals.")
    count = len(heads.bias)
    most = int(np.clip(_BYTES // (8 * pixels), *_DRAWS)) if draws is None else draws
    kept = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
    return heads._replace(
        weights=heads.weights[kept], bias=heads.bias[kept], effects=heads.effects[kept]
    )


def _warn_of_few(each: np.ndarray, cluster: int | None, encoder: Any) -> None:
    """Warn where a map is the work of a handful of posterior draws."""
    size = np.sort(np.abs(each).sum(axis=(1, 2, 3)))
    whole = size.sum()
    if len(size) < _LEAST_JUDGED or size[-_FEW:].sum() <= _MOST_OF_MAP * whole:
        return
    ways = ["use method='integrated'"] if encoder.differentiable else []
    if cluster is None:
        ways.append("ask for log odds, which do not level off, with cluster=")
    ways = ways or ["explain an image that the model is less sure of"]
    warn_user(
        "a map should rest on many posterior draws; here the "
        f"{_FEW} largest of {len(size)} carry {size[-_FEW:].sum() / whole:.0%} of it, "
        "as where the model is sure of an image and small changes move nothing in "
        f"most draws. To get another map, {', or '.join(ways)}.",
        InferenceWarning,
    )


def _windows(
    shape: tuple[int, ...], window: int | None, stride: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Top and left of every window, and its side; the last ones touch the border.

    Raises
    ------
    DesignError
        If the window does not fit, or windows would leave pixels uncovered.
    """
    height, width = shape[-3:-1]
    side = max(1, min(height, width) // _WINDOW) if window is None else window
    step = max(1, side // 2) if stride is None else stride
    if not 1 <= side <= min(height, width) or not 1 <= step <= side:
        raise DesignError(
            f"window {side!r} should be at most the shorter side of the image, "
            f"{min(height, width)}, and stride {step!r} at most the window; both at "
            "least 1."
        )
    down, across = (
        np.unique(np.append(np.arange(0, length - side, step), length - side))
        for length in (height, width)
    )
    tops, lefts = np.meshgrid(down, across, indexing="ij")
    return tops.ravel(), lefts.ravel(), side
