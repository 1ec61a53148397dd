"""A map of effects: what `transport` returns, and all read off it.

One row per place holds the effect, two uncertainties of different kind, how novel the
image is and whether it is flagged; a few numbers hold what is true of the region.

Nothing here needs pandas or matplotlib until a frame or a figure is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal.images._estimates import read_only
from distcausal.images.aipw import AverageEffect
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["Transport"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Transport(Result):
    """Effects at images outside the trial.

    Attributes
    ----------
    keys
        Labels of the images, shape ``(image,)``.
    coords
        Places, ``(image, 2)``, or None.
    weights
        Share of each image in averages, ``(image,)``.
    probabilities
        Posterior mean of the membership given the image, ``(image, cluster)``.
    mean, std
        Posterior mean and standard deviation of the effect on the mean: what more units
        in the trial would narrow, ``(image,)``.
    conf_low, conf_high
        Ends of posterior intervals, given the model, ``(image,)``.
    spread
        Standard deviation of the cluster's effect given the image: what only better
        images would narrow, ``(image,)``.
    novelty
        Share of the trial's images that are nearer to the others than the image is,
        ``(image,)``.
    flagged
        Whether the image is unlike those of the trial, ``(image,)``.
    average_draws
        Posterior draws of the region's average effect, ``(draw,)``.
    inside_draws
        The same without flagged images; None if all that have weight are flagged.
    reweighted
        Average by design: scores of the trial's units under weights that give its
        images the average features of those not flagged. None where it was not asked
        for, fewer than two groups carry the weight, or all images that have weight are
        flagged.
    overlap
        Those weights, of the trial's images relative to what they have, mean one,
        ``(trial image,)``.
    imbalance
        Largest difference in average features that the weights leave, in standard
        deviations.
    effective, units
        Units of the trial that carry the region's weight, as equally weighted ones, and
        all of them.
    confidence
        Coverage of the intervals of single images.
    settings
        Every argument as used.
    """

    cite_as: ClassVar[str] = "image_effects"

    keys: np.ndarray
    coords: np.ndarray | None
    weights: np.ndarray
    probabilities: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    spread: np.ndarray
    novelty: np.ndarray
    flagged: np.ndarray
    average_draws: np.ndarray
    inside_draws: np.ndarray | None
    reweighted: AverageEffect | None
    overlap: np.ndarray
    imbalance: float
    effective: float
    units: int
    confidence: float
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<Transport: {len(self.keys)} images, {self.flagged_share:.1%} flagged, "
            f"average effect {self.average:.4g}>"
        )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def average(self) -> float:
        """Posterior mean of the region's average effect."""
        return float(self.average_draws.mean())

    @property
    def flagged_share(self) -> float:
        """Weight of the flagged images."""
        return float(self.weights @ self.flagged)

    @property
    def entropy(self) -> np.ndarray:
        """Entropy of the membership over that of a blind guess, ``(image,)``.

        0 where the image leaves no doubt about the cluster, 1 where it says nothing.
        """
        count = self.probabilities.shape[1]
        if count == 1:
            return read_only(np.zeros(len(self.keys)))
        share = self.probabilities
        part = share * np.log(np.where(share > 0, share, 1.0))
        return read_only(np.clip(-part.sum(axis=1) / np.log(count), 0.0, 1.0))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per image, with its place where that is known.

        Columns: key, x, y, weight, probability_1, ..., estimate, std_error, conf_low,
        conf_high, spread, entropy, novelty, flagged.
        """
        import pandas as pd

        columns: dict[str, np.ndarray] = {"key": self.keys}
        if self.coords is not None:
            columns |= {"x": self.coords[:, 0], "y": self.coords[:, 1]}
        columns["weight"] = self.weights
        for k, share in enumerate(self.probabilities.T):
            columns[f"probability_{k + 1}"] = share
        columns |= {
            "estimate": self.mean,
            "std_error": self.std,
            "conf_low": self.conf_low,
            "conf_high": self.conf_high,
            "spread": self.spread,
            "entropy": self.entropy,
            "novelty": self.novelty,
            "flagged": self.flagged,
        }
        return pd.DataFrame(columns)

    def plot_data(self) -> pd.DataFrame:
        """Return the frame behind the figure, `to_frame`."""
        return self.to_frame()

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per average effect of the region.

        The model's, over all images and without flagged ones, and the one by design.
        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high; the
        model has no p-values.
        """
        import pandas as pd

        from distcausal.images._estimates import estimate_frame

        rows = [self._of_draws("average, model", self.average_draws, confidence)]
        if self.inside_draws is not None and self.flagged.any():
            name = "average, model, not flagged"
            rows.append(self._of_draws(name, self.inside_draws, confidence))
        frame = pd.DataFrame(rows)
        if self.reweighted is None:
            return frame
        own = self.reweighted
        design = estimate_frame(
            ["average, design, not flagged"],
            np.array([own.estimate]),
            np.array([own.std_error]),
            np.array([own.df]),
            confidence,
        )
        return pd.concat([frame, design], ignore_index=True)

    @staticmethod
    def _of_draws(name: str, draws: np.ndarray, confidence: float) -> dict[str, Any]:
        tail = (1 - check_confidence(confidence)) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        return {
            "term": name,
            "estimate": float(draws.mean()),
            "std_error": float(draws.std()),
            "statistic": np.nan,
            "p_value": np.nan,
            "conf_low": float(low),
            "conf_high": float(high),
        }

    def glance(self) -> pd.DataFrame:
        """Return one row: images, share flagged, units that carry the weight."""
        import pandas as pd

        row = {
            "images": len(self.keys),
            "flagged_share": self.flagged_share,
            "units": self.units,
            "effective_units": self.effective,
            "imbalance": self.imbalance,
            "average": self.average,
        }
        return pd.DataFrame([row])

    def summary(self, confidence: float = 0.95) -> Table:
        """Return the printable table: the region's averages and what they rest on."""
        from distcausal._base.table import Table
        from distcausal.images._estimates import ESTIMATE_COLUMNS, estimate_rows

        return Table(
            title="Average effect of a region",
            left=(
                ("Images", str(len(self.keys))),
                ("Flagged", f"{self.flagged_share:.1%}"),
                ("Mean entropy", f"{self.weights @ self.entropy:.2f}"),
            ),
            right=(
                ("Units", str(self.units)),
                ("Effective units", f"{self.effective:.1f}"),
                ("Imbalance left", f"{self.imbalance:.2f}"),
            ),
            columns=("", *ESTIMATE_COLUMNS),
            rows=tuple(estimate_rows(self.tidy(confidence))),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        """What the averages of the table rest on."""
        yield (
            "The model's averages hold if the model does."
            if self.reweighted is None
            else "The model's averages hold if the model does; the one by design rests "
            "on held-out scores of units weighted to the average features of images "
            "not flagged, the weights taken as known."
        )
        yield (
            f"Flagged: images less like those of the trial than a share of "
            f"{self.settings['threshold']:.4g} of these are like each other. Effects "
            "there are extrapolated."
        )
        if self.inside_draws is None:
            yield (
                "All images that have weight are flagged, so there is no average "
                "without them, and none by design: units of the trial cannot stand "
                "for what is unlike them."
            )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a map of the effects, or their histogram where places are not known.

        Flagged images are drawn in grey. Places on a full grid are drawn as a raster.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure without.

        Returns
        -------
        The axes.
        """
        from distcausal.images._plot_transport import draw_effects, draw_map

        return draw_effects(self, ax) if self.coords is None else draw_map(self, ax)
