"""How much the segments of an image matter, with posterior intervals.

A map of attributions has as many numbers as pixels and invites stories about each. The
segments of a land-use map, of roads or of fields are few, and the mean size of the
attribution within one, computed draw by draw, has a posterior that can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, decimals, numbers
from distcausal.errors import DataError, DesignError
from distcausal.images._estimates import filled, read_only

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["SegmentSensitivity", "ends", "segment_means"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SegmentSensitivity(Result):
    """Mean size of the attribution within each segment of an image.

    Attributes
    ----------
    names
        Of the segments.
    pixels
        Pixels in each, shape ``(segment,)``.
    draws
        Mean over the pixels of the magnitude of each posterior draw's attribution,
        shape ``(draw, segment)``.
    target, method
        What was attributed, and how.
    settings
        Every argument as used.
    """

    cite_as: ClassVar[str] = "salience"

    names: tuple[str, ...]
    pixels: np.ndarray
    draws: np.ndarray
    target: str
    method: str
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<SegmentSensitivity: {len(self.names)} segments, {self.target}>"

    @property
    def estimate(self) -> np.ndarray:
        """Posterior mean of each segment's sensitivity, shape ``(segment,)``."""
        return read_only(self.draws.mean(axis=0))

    @property
    def std_error(self) -> np.ndarray:
        """Posterior standard deviation, shape ``(segment,)``."""
        return read_only(self.draws.std(axis=0))

    def conf_int(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central posterior intervals, each of shape ``(segment,)``."""
        return ends(self.draws, confidence)

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """One row per segment: term, estimate, std_error, conf_low, conf_high, pixels.

        There is no test, so statistic and p_value are missing: a mean size is never
        zero.
        """
        import pandas as pd

        low, high = self.conf_int(confidence)
        frame = pd.DataFrame(
            {
                "term": self.names,
                "pixels": self.pixels,
                "estimate": self.estimate,
                "std_error": self.std_error,
                "conf_low": low,
                "conf_high": high,
            }
        )
        return filled(frame, confidence)

    def glance(self) -> pd.DataFrame:
        """One row: target, method, numbers of segments and draws."""
        import pandas as pd

        return pd.DataFrame(
            {
                "target": [self.target],
                "method": [self.method],
                "segments": [len(self.names)],
                "draws": [len(self.draws)],
            }
        )

    def summary(self) -> Table:
        """Return the printable table, the most sensitive segment first."""
        frame = self.tidy().sort_values("estimate", ascending=False)
        places = decimals(float(frame["estimate"].max()))
        shown = frame[["estimate", "std_error", "conf_low", "conf_high"]].to_numpy()
        rows = [
            (str(name), str(size), *numbers(line, places))
            for name, size, line in zip(
                frame["term"], frame["pixels"], shown, strict=True
            )
        ]
        return Table(
            title="Sensitivity of segments",
            left=(("Attribution of", self.target), ("Method", self.method)),
            right=(("Segments", str(len(rows))), ("Draws", str(len(self.draws)))),
            columns=("segment", "pixels", "mean size", "sd", "[0.025", "0.975]"),
            rows=tuple(rows),
            notes=(
                "Mean size of the attribution of a pixel in the segment; intervals are "
                "those of the posterior and do not include the choice of the model.",
            ),
        )

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figure."""
        return self.tidy(confidence).sort_values("estimate", ascending=False)

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw the segments' sensitivities with their intervals; returns the axes."""
        from distcausal.images._plot_salience import draw_segments

        return draw_segments(self, ax=ax, confidence=confidence)


def segment_means(
    magnitude: np.ndarray, mask: Any
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names and sizes of segments, and the mean of every draw within each.

    Parameters
    ----------
    magnitude
        Shape ``(draw, height, width)``.
    mask
        Whole numbers that label the pixels, ``(height, width)``, or a mapping from
        names to arrays of True and False of that shape, which may overlap.

    Raises
    ------
    DataError
        If a mask has another shape or type, or no pixel.
    """
    shape = magnitude.shape[1:]
    if not isinstance(mask, Mapping):
        labels = np.asarray(mask)
        if labels.dtype.kind not in "iub":
            raise DataError(
                "mask should hold whole numbers that label segments, or be a mapping "
                f"from names to arrays of True and False; got {labels.dtype.name}."
            )
        mask = {str(label): labels == label for label in np.unique(labels)}
    parts = {str(name): np.asarray(part) for name, part in mask.items()}
    for name, part in parts.items():
        if part.shape != shape or part.dtype != bool:
            raise DataError(
                f"the mask of segment {name!r} should be an array of True and False of "
                f"the image's shape {shape}; got {part.dtype.name} of shape "
                f"{part.shape}."
            )
        if not part.any():
            raise DataError(f"segment {name!r} has no pixel, so no mean. Leave it out.")
    if not parts:
        raise DataError("mask names no segment. Give at least one.")
    means = [magnitude[:, part].mean(axis=1) for part in parts.values()]
    sizes = np.array([np.count_nonzero(part) for part in parts.values()])
    return tuple(parts), sizes, np.stack(means, axis=1)


def ends(draws: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of draws along their first axis.

    Raises
    ------
    DesignError
        If ``confidence`` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise DesignError(f"confidence {confidence!r} should lie between 0 and 1.")
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
