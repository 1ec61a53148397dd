"""A map of what in one image speaks for a prediction, its posterior, and its check.

Clusters of effects are found by a machine and named by people, who have to see what
the machine sees. A map is an account of the model, not of the world, and a bad one may
look convincing. So each comes with a check: the pixels are blanked in the order in
which the map says they matter, and the prediction is followed on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, decimals, number
from distcausal.errors import DesignError, check_choice
from distcausal.images._estimates import filled, read_only
from distcausal.images.segments import SegmentSensitivity, ends, segment_means

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Salience"]

_ORDERED = (
    "Pixels are blanked in decreasing order of the size of their attribution: where "
    "the map is right, the value nears that of the baseline early."
)
_SIGNED = (
    "Pixels are blanked in decreasing order of their attribution, with its sign: where "
    "the map is right, the value falls as long as what speaks for it is blanked, and "
    "rises once what speaks against it is."
)
_BOX = 35  # of the side: 10 pixels for images of 351, as the method's authors filter


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Salience(Result):
    """Attribution of a prediction from one image to its pixels.

    Attributes
    ----------
    by_band
        Attribution by pixel and band, averaged over `draws`, shape ``(height,
        width, band)``: the derivative with ``"gradient"``, shares of the difference
        from the baseline with ``"integrated"``, the fall of the value when a window
        around the pixel is blanked with ``"occlusion"``, which has one band. The times
        of a sequence count as bands.
    draws
        The same of single posterior draws, ``(draw, height, width, band)``.
    value, baseline_value
        Posterior draws of what is attributed at the image and at the baseline, shape
        ``(draw,)``.
    share, deleted
        Deletion curve: with the share of pixels blanked, those of the largest
        attribution first (of the largest magnitude with ``"gradient"``), draws of the
        value, shapes ``(step,)`` and ``(draw, step)``.
    completeness
        By how much the attributions' sum misses the difference of the averaged values;
        None unless integrated.
    nodes
        Gradients averaged by ``"integrated"``; 1 with ``"gradient"``, 0 without any.
    target
        What is attributed, in words.
    method
        ``"gradient"``, ``"integrated"`` or ``"occlusion"``.
    image
        The image, its times as bands, ``(height, width, band)``.
    settings
        Every argument as used.
    """

    cite_as: ClassVar[str] = "salience"

    by_band: np.ndarray
    draws: np.ndarray
    value: np.ndarray
    baseline_value: np.ndarray
    share: np.ndarray
    deleted: np.ndarray
    completeness: float | None
    nodes: int
    target: str
    method: str
    image: np.ndarray
    settings: dict[str, Any]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.by_band.shape[:2]))
        return f"<Salience: {self.method} of {self.target}, {size} pixels>"

    @property
    def magnitude(self) -> np.ndarray:
        """Length over bands of the attribution, shape ``(height, width)``."""
        return read_only(np.linalg.norm(self.by_band, axis=-1))

    @property
    def direction(self) -> np.ndarray:
        """Mean over bands of the attribution, shape ``(height, width)``."""
        return read_only(self.by_band.mean(axis=-1))

    @property
    def attribution(self) -> np.ndarray:
        """Sum over bands where attributions add up, else their mean."""
        return read_only(self.by_band.sum(-1)) if self.adds_up else self.direction

    @property
    def adds_up(self) -> bool:
        """Whether attributions sum to the difference from the baseline."""
        return self.method == "integrated"

    @property
    def estimate(self) -> np.ndarray:
        """The attribution, under the name all results share."""
        return self.attribution

    def smoothed(self, box: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Magnitude and direction averaged over squares that fit into the image.

        Parameters
        ----------
        box
            Side of the square in pixels; a 35th of the image's shorter side if left
            out, which is 10 for images of 351.

        Returns
        -------
        Two arrays of shape ``(height - box + 1, width - box + 1)``.

        Raises
        ------
        DesignError
            If the square does not fit into the image.
        """
        height, width = self.by_band.shape[:2]
        side = max(1, min(height, width) // _BOX) if box is None else box
        if not 1 <= side <= min(height, width):
            raise DesignError(
                f"box {box!r} should be a number of pixels from 1 to the shorter side "
                f"of the image, {min(height, width)}."
            )
        return _box_means(self.magnitude, side), _box_means(self.direction, side)

    def segments(self, mask: Any) -> SegmentSensitivity:
        """Mean size of the attribution in segments, with posterior intervals.

        Parameters
        ----------
        mask
            Whole numbers that label the pixels, shape ``(height, width)``, or a mapping
            from names to arrays of True and False, which may overlap.

        Raises
        ------
        DataError
            If a mask has another shape or type, or no pixel.
        """
        magnitude = np.linalg.norm(self.draws, axis=-1)
        names, pixels, draws = segment_means(magnitude, mask)
        return SegmentSensitivity(
            names=names,
            pixels=pixels,
            draws=draws,
            target=self.target,
            method=self.method,
            settings=self.settings,
        )

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """One row per pixel.

        Columns: term, estimate, std_error, conf_low, conf_high (of the posterior),
        row, column, magnitude; statistic and p_value are missing, as nothing is tested.
        """
        import pandas as pd

        each = self.draws.sum(-1) if self.adds_up else self.draws.mean(-1)
        low, high = ends(each, confidence)
        height, width = self.by_band.shape[:2]
        row, column = np.divmod(np.arange(height * width), width)
        frame = pd.DataFrame(
            {
                "term": "attribution",
                "row": row,
                "column": column,
                "estimate": self.attribution.ravel(),
                "std_error": each.std(axis=0).ravel(),
                "conf_low": low.ravel(),
                "conf_high": high.ravel(),
                "magnitude": self.magnitude.ravel(),
            }
        )
        return filled(frame, confidence)

    def deletion(self, confidence: float = 0.95) -> pd.DataFrame:
        """Deletion curve: share of pixels blanked, value, conf_low, conf_high."""
        import pandas as pd

        low, high = ends(self.deleted, confidence)
        mean = self.deleted.mean(axis=0)
        columns = {"share": self.share, "value": mean}
        return pd.DataFrame({**columns, "conf_low": low, "conf_high": high})

    def glance(self) -> pd.DataFrame:
        """One row: target, method, values at image and baseline, completeness."""
        import pandas as pd

        return pd.DataFrame(
            {
                "target": [self.target],
                "method": [self.method],
                "value": [self.value.mean()],
                "value_sd": [self.value.std()],
                "baseline_value": [self.baseline_value.mean()],
                "completeness": [self.completeness],
                "nodes": [self.nodes],
                "draws": [len(self.draws)],
            }
        )

    def summary(self) -> Table:
        """Return the printable table: values, and the deletion curve."""
        frame = self.deletion().iloc[[0, 1, 2, 4, 8, 12, 16, -1]]
        places = decimals(float(frame["value"].abs().max()))
        rows = [
            (f"{row[1]:.0%}", *(number(value, places) for value in row[2:]))
            for row in frame.itertuples()
        ]
        missed = self.completeness
        gap = () if missed is None else (("Completeness gap", f"{missed:.1e}"),)
        return Table(
            title="Salience of an image",
            left=(("Attribution of", self.target), ("Method", self.method), *gap),
            right=(
                ("Value", number(float(self.value.mean()), places)),
                ("Of the baseline", number(float(self.baseline_value.mean()), places)),
                ("Draws", str(len(self.draws))),
            ),
            columns=("pixels blanked", "value", "[0.025", "0.975]"),
            rows=tuple(rows),
            notes=(_ORDERED if self.method == "gradient" else _SIGNED,),
        )

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figure."""
        return self.tidy(confidence)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["magnitude", "direction", "deletion"] = "magnitude",
        box: int | None = None,
    ) -> Axes:
        """Draw the map over the image, or the deletion curve.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        kind
            ``"magnitude"``, ``"direction"`` or ``"deletion"``.
        box
            Smoothing of the maps, see `smoothed`.

        Returns
        -------
        The axes.
        """
        from distcausal.images._plot_salience import draw_deletion, draw_map

        check_choice("kind", kind, ("magnitude", "direction", "deletion"))
        if kind == "deletion":
            return draw_deletion(self, ax=ax)
        return draw_map(self, ax=ax, kind=kind, box=box)


def _box_means(rows: np.ndarray, side: int) -> np.ndarray:
    """Means over squares, from sums over everything above and to the left."""
    total = np.pad(np.cumsum(np.cumsum(rows, axis=0), axis=1), ((1, 0), (1, 0)))
    across = total[side:] - total[:-side]
    return (across[:, side:] - across[:, :-side]) / side**2
