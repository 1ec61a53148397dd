"""Images that show what a cluster looks like, and those that the model is unsure of.

An image stands for a cluster when even the lower end of an interval for its membership
is high; a high mean alone can be luck of one draw. All images lie in one axes, on one
scale of pixels, so that they can be compared and the figure fits into any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.figure import AXIS, SMALL, percent, prepared
from distcausal.errors import DataError, DesignError, listing
from distcausal.images.engines import check_whole
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal.images.result import ImageEffects

__all__ = ["draw_exemplars", "exemplar_frame"]

_UNSURE = "most uncertain"
_GAP = 0.08  # between images, in their widths
_TEXT = 0.33  # inches under an image, for two lines
_LINE = 0.17  # inches of a line of the heading
_CELL, _WIDEST, _NAMES = 0.95, 6.0, 0.95  # inches: a column, all of them, their labels
_APART = 0.08  # inches between captions
_LEAST = 3.6  # inches that names and the heading in two lines take
_ONE_LINE = 4.6  # inches that the heading takes
_TAILS = (1.0, 99.0)  # percentiles of the pixels that are black and white
_LONGEST_KEY = 12


def exemplar_frame(
    fit: ImageEffects, count: int = 6, confidence: float = 0.95
) -> pd.DataFrame:
    """Images that stand for each cluster, then the most uncertain ones.

    Parameters
    ----------
    fit
        The fit.
    count
        Images per cluster; fewer where there are fewer.
    confidence
        Coverage of the posterior interval whose lower end ranks the images.

    Returns
    -------
    Columns panel (``"cluster 1"``, ..., ``"most uncertain"``), rank from 1, key,
    cluster (the most probable one, from 1), probability (of the panel's cluster, or of
    the most probable one), conf_low (its lower end) and entropy of the membership as a
    share of the largest possible. With one cluster nothing is uncertain, and there is
    one panel.
    """
    import pandas as pd

    check_whole("count", count, 1)
    mean, low = _membership(fit, check_confidence(confidence))
    clusters = mean.shape[1]
    logs = np.log(np.where(mean > 0, mean, 1.0))
    entropy = -(mean * logs).sum(axis=1) / np.log(max(clusters, 2))
    likely = mean.argmax(axis=1)
    panels = [
        (f"cluster {k + 1}", low[:, k], np.full(len(mean), k)) for k in range(clusters)
    ]
    if clusters > 1:
        panels.append((_UNSURE, entropy, likely))
    parts = []
    for name, merit, cluster in panels:
        best = np.argsort(-merit, kind="stable")[:count]
        shown = cluster[best]
        parts.append(
            pd.DataFrame(
                {
                    "panel": name,
                    "rank": np.arange(1, len(best) + 1),
                    "key": fit.keys[best],
                    "cluster": likely[best] + 1,
                    "probability": mean[best, shown],
                    "conf_low": low[best, shown],
                    "entropy": entropy[best],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _membership(fit: ImageEffects, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean membership and the lower end of its interval, ``(image, cluster)``."""
    mean = np.empty((len(fit.keys), fit.posterior.clusters))
    low = np.empty_like(mean)
    for place, member in fit.posterior.blocks(fit.trial.features):
        mean[place] = member.mean(axis=0)
        low[place] = np.quantile(member, (1 - confidence) / 2, axis=0)
    return mean, low


def draw_exemplars(
    fit: ImageEffects,
    images: Any,
    *,
    ax: Axes | None = None,
    count: int = 6,
    confidence: float = 0.95,
    bands: Any = None,
) -> Axes:
    """Draw images that stand for each cluster, and the most uncertain ones.

    Parameters
    ----------
    fit
        The fit.
    images
        `ImageSource` that is asked by key, or an array with one image for each of
        ``fit.keys``, in that order. Of sequences the first image is shown.
    ax
        Axes to draw into; None makes new ones.
    count
        Images per cluster.
    confidence
        Coverage of the interval of the membership; its lower end ranks images.
    bands
        Channels shown: one number for grey, three for red, green and blue. None: all
        three of three, else their mean in grey.

    Returns
    -------
    The axes. Under each image stand its key and its probability, with the lower end of
    the interval in brackets.
    """
    frame = exemplar_frame(fit, count, confidence)
    shown = _pixels(fit, images, frame["key"].to_numpy(), bands)
    height, width = shown.shape[1:3]
    names = list(dict.fromkeys(frame["panel"]))
    records = frame.to_dict("records")
    captions = [_caption(record) for record in records]
    most, need = int(frame["rank"].max()), _inches(captions) + _APART
    room = min(max(_CELL, need) * most, _WIDEST)
    if ax is not None:
        room = ax.get_window_extent().width / ax.figure.dpi
    columns, lines = _wrapped(most, max(int(room / need), 1))
    inches = min(room, _CELL * columns) if ax is None and lines > 1 else room
    across = width * (1 + _GAP)
    scale = columns * across / inches  # pixels of an image to an inch
    down = height + _TEXT * scale
    rows = len(names) * lines
    wide = max(inches + _NAMES, _LEAST)
    axes = prepared(ax, (wide, rows * down / scale + 2 * _LINE))
    axes.set_anchor("W")
    axes.spines[:].set_visible(False)
    for record, caption, picture in zip(records, captions, shown, strict=True):
        line, column = divmod(record["rank"] - 1, columns)
        left = column * across
        top = (names.index(record["panel"]) * lines + line) * down
        extent = (left, left + width, top + height, top)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent)
        axes.annotate(
            caption,
            (left + width / 2, top + height),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=SMALL - 2,
            color=AXIS,
            linespacing=1.05,
        )
    axes.set(xlim=(0, columns * across), ylim=(rows * down, 0), xticks=[])
    middles = [row * lines * down + height / 2 for row in range(len(names))]
    labels = ["Most\nuncertain" if n == _UNSURE else n.capitalize() for n in names]
    axes.set_yticks(middles, labels, fontsize=SMALL)
    axes.tick_params(axis="y", length=0)
    _headed(axes, inches, confidence)
    return axes


def _inches(captions: list[str]) -> float:
    """Width of the longest line of the captions."""
    from matplotlib.textpath import TextPath

    lines = {line for caption in captions for line in caption.split("\n")}
    paths = (TextPath((0, 0), line, size=SMALL - 2) for line in lines)
    return max(float(path.get_extents().width) for path in paths) / 72


def _wrapped(most: int, fit: int) -> tuple[int, int]:
    """Images to a line, alike in all lines, and lines, if so many fit into one."""
    lines = -(-most // fit)
    return -(-most // lines), lines


def _headed(ax: Axes, inches: float, confidence: float) -> None:
    """Say what stands under the images, in two lines where one is too long."""
    end = f"(lower end of a {percent(confidence)} interval)"
    gap = " " if inches > _ONE_LINE else "\n"
    note = f"Key, probability of the cluster{gap}{end}"
    ax.set_title(note, loc="left", fontsize=SMALL, color=AXIS)


def _caption(record: Any) -> str:
    """Key, and probability with its lower end."""
    key = str(record["key"])
    if len(key) > _LONGEST_KEY:
        key = "..." + key[3 - _LONGEST_KEY :]
    share, low = record["probability"], record["conf_low"]
    which = f"{record['cluster']}: " if record["panel"] == _UNSURE else ""
    return f"{key}\n{which}{share:.2f} ({low:.2f})"


def _pixels(fit: ImageEffects, images: Any, keys: np.ndarray, bands: Any) -> np.ndarray:
    """Images of the keys from 0 to 1, ``(image, height, width[, 3])``."""
    if hasattr(images, "get"):
        found = np.asarray(images.get(keys))
    else:
        if len(images) != len(fit.keys):
            raise DataError(
                f"images should hold one image for each of the {len(fit.keys)} keys of "
                f"the fit ({listing(fit.keys.tolist())}), in that order; there are "
                f"{len(images)}. Give a source that is asked by key."
            )
        place = {key: number for number, key in enumerate(fit.keys.tolist())}
        found = np.stack([np.asarray(images[place[key]]) for key in keys.tolist()])
    if found.ndim == 5:
        found = found[:, 0]
    if found.ndim == 3:
        found = found[..., None]
    picture = _banded(found.astype(float), bands)
    low, high = np.percentile(picture, _TAILS)
    return np.clip((picture - low) / (high - low if high > low else 1.0), 0.0, 1.0)


def _banded(images: np.ndarray, bands: Any) -> np.ndarray:
    """Channels to look at: three of them, or one."""
    channels = images.shape[-1]
    if bands is None:
        return images if channels == 3 else images.mean(axis=-1)
    chosen = np.atleast_1d(bands)
    whole = chosen.dtype.kind in "iu" and chosen.ndim == 1
    if (
        not whole
        or len(chosen) not in (1, 3)
        or not np.isin(chosen, range(channels)).all()
    ):
        raise DesignError(
            f"bands should be one or three channels from 0 to {channels - 1}; got "
            f"{bands!r}."
        )
    picture = images[..., chosen]
    return picture[..., 0] if len(chosen) == 1 else picture
